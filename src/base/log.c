#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define LOG_LINE_MAX 1024

static const char *const level_names[] = { "off", "error", "warn", "info", "debug" };
static const char *log_name = "plenum";
static _Atomic int log_level = -1; /* -1: PLENUM_LOG not read yet; set after all else */
static int log_level_default = PL_LOG_OFF;
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic bool log_asked; /* PLENUM_LOG is set */
static pthread_once_t log_once = PTHREAD_ONCE_INIT;

static void level_read(void)
{
	const char *text = getenv("PLENUM_LOG");
	const char *file = getenv("PLENUM_LOG_FILE");
	int level = log_level_default;

	log_asked = text;
	if (text) {
		for (int i = 0; i <= PL_LOG_DEBUG; i++)
			if (!strcasecmp(text, level_names[i]))
				level = i;
		if (!strcmp(text, "1"))
			level = PL_LOG_INFO;
	}
	if (file && *file) {
		int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		if (fd >= 0)
			log_fd = fd;
	}
	atomic_store_explicit(&log_level, level, memory_order_release);
}

/* By the first thread that has something to say, where the program did not begin with pl_log_init(). */
static int level_now(void)
{
	int level = atomic_load_explicit(&log_level, memory_order_acquire);

	if (level >= 0)
		return level;
	pthread_once(&log_once, level_read);
	return atomic_load_explicit(&log_level, memory_order_acquire);
}

void pl_log_init(const char *name, enum pl_log_level level_default)
{
	log_name = name;
	log_level_default = level_default;
	level_read();
}

void pl_log_fd(int fd)
{
	int stderr_fd = STDERR_FILENO;

	(void)level_now();
	atomic_compare_exchange_strong(&log_fd, &stderr_fd, fd);
}

bool pl_log_on(enum pl_log_level level)
{
	return (int)level <= level_now();
}

static void line_write(enum pl_log_level level, const char *format, va_list args)
{
	char line[LOG_LINE_MAX];
	int saved = errno, n;

	n = snprintf(line, sizeof(line), "%s: %s: ", log_name, level_names[level]);
	n += vsnprintf(line + n, sizeof(line) - n, format, args);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(log_fd, line, n) < 0)
		errno = saved; /* nowhere to complain */
	errno = saved;
}

void pl_log(enum pl_log_level level, const char *format, ...)
{
	va_list args;

	if (!pl_log_on(level))
		return;
	va_start(args, format);
	line_write(level, format, args);
	va_end(args);
}

void pl_log_tell(const char *format, ...)
{
	va_list args;

	if (!pl_log_on(PL_LOG_WARN) && log_asked)
		return;
	va_start(args, format);
	line_write(PL_LOG_WARN, format, args);
	va_end(args);
}

int pl_err_at(int code, const char *file, int line)
{
	pl_log_debug("%s:%d: %s", file, line, strerrordesc_np(-code));
	return code;
}
