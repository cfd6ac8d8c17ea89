#include "base/calltrace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

#define BUFFER_BYTES 65536

static pthread_once_t trace_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static int trace_fd = -1;
static char buffer[BUFFER_BYTES]; /* under trace_lock */
static size_t buffer_used;        /* under trace_lock */
static __thread long tid;

/* Called with trace_lock held. */
static void buffer_flush(void)
{
	size_t done = 0;

	while (done < buffer_used) {
		ssize_t n = write(trace_fd, buffer + done, buffer_used - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	buffer_used = 0;
}

static void trace_close(void)
{
	pthread_mutex_lock(&trace_lock);
	buffer_flush();
	pthread_mutex_unlock(&trace_lock);
}

/* What the parent has not written yet is the parent's. */
static void fork_child(void)
{
	pthread_mutex_init(&trace_lock, NULL);
	buffer_used = 0;
	tid = 0;
}

static void trace_init(void)
{
	const char *path = getenv("PLENUM_TRACE");

	if (!path || !*path)
		return;
	trace_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (trace_fd < 0) {
		pl_log_error("PLENUM_TRACE: %s: %s", path, strerrordesc_np(errno));
		return;
	}
	if (lseek(trace_fd, 0, SEEK_END) == 0)
		buffer_used = (size_t)snprintf(buffer, sizeof(buffer), "# plenum-trace 1\n");
	pthread_atfork(NULL, NULL, fork_child);
	atexit(trace_close);
}

bool pl_calltrace_on(void)
{
	pthread_once(&trace_once, trace_init);
	return trace_fd >= 0;
}

static bool plain(const char *what)
{
	for (; *what; what++)
		if (*what <= ' ' || *what > '~' || *what == '"' || *what == '\\')
			return false;
	return true;
}

void pl_calltrace_write(const struct pl_calltrace *call)
{
	char line[512];
	int length;

	if (!tid)
		tid = syscall(SYS_gettid);
	length = snprintf(line, sizeof(line), "%llu\t%llu\t%ld\t%s\t%s\t%llu\t%llu\t%lld\t%llu\t%llu\t%.200s\n",
			  (unsigned long long)call->begin_ns, (unsigned long long)call->end_ns, tid, call->function,
			  call->class, (unsigned long long)call->bytes_out, (unsigned long long)call->bytes_in,
			  (long long)call->result, (unsigned long long)call->asks, (unsigned long long)call->size,
			  call->what && plain(call->what) ? call->what : "");
	if (length <= 0 || (size_t)length >= sizeof(line))
		return;
	pthread_mutex_lock(&trace_lock);
	if (buffer_used + (size_t)length > sizeof(buffer))
		buffer_flush();
	memcpy(buffer + buffer_used, line, (size_t)length);
	buffer_used += (size_t)length;
	pthread_mutex_unlock(&trace_lock);
}
