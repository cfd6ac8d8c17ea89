#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
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
static int log_level = -1; /* -1: PLENUM_LOG not read yet */
static int log_level_default = PL_LOG_OFF;
static int log_fd = STDERR_FILENO;
static bool log_asked; /* PLENUM_LOG is set */

static int level_read(void)
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
	return level;
}

void pl_log_init(const char *name, enum pl_log_level level_default)
{
	log_name = name;
	log_level_default = level_default;
	log_level = level_read();
}

void pl_log_fd(int fd)
{
	if (log_level < 0)
		log_level = level_read();
	if (log_fd == STDERR_FILENO)
		log_fd = fd;
}

bool pl_log_on(enum pl_log_level level)
{
	if (log_level < 0)
		log_level = level_read();
	return (int)level <= log_level;
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
