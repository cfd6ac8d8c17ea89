#include "client/opencl/trace.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"
#include "client/session.h"
#include "opencl-wire.h"

#define BUFFER_BYTES 65536

static pthread_once_t trace_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;
static int trace_fd = -1;
static char buffer[BUFFER_BYTES]; /* under trace_lock */
static size_t buffer_used;	  /* under trace_lock */

static __thread struct {
	uint64_t bytes_out, bytes_in;
	uint32_t depth; /* functions that are made from others are told of once */
	long tid;
} mine;

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
	mine.tid = 0;
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

bool pl_cl_tracing(void)
{
	pthread_once(&trace_once, trace_init);
	return trace_fd >= 0;
}

uint64_t pl_cl_trace_begin(void)
{
	if (!mine.depth++) {
		struct pl_session_totals totals;
		pl_session_totals_get(&totals);
		mine.bytes_out = totals.bytes_out;
		mine.bytes_in = totals.bytes_in;
	}
	return pl_now_ns();
}

void pl_cl_trace_end(uint16_t op, uint64_t begin, int64_t result)
{
	uint64_t end = pl_now_ns();
	struct pl_session_totals totals;
	char line[256];
	int length;

	if (--mine.depth)
		return;
	if (!mine.tid)
		mine.tid = syscall(SYS_gettid);
	pl_session_totals_get(&totals);
	length = snprintf(line, sizeof(line), "%llu\t%llu\t%ld\t%s\t%s\t%llu\t%llu\t%lld\n", (unsigned long long)begin,
			  (unsigned long long)end, mine.tid, pl_cl_op_name(op), pl_cl_op_class(op),
			  (unsigned long long)(totals.bytes_out - mine.bytes_out),
			  (unsigned long long)(totals.bytes_in - mine.bytes_in), (long long)result);
	if (length <= 0 || (size_t)length >= sizeof(line))
		return;
	pthread_mutex_lock(&trace_lock);
	if (buffer_used + (size_t)length > sizeof(buffer))
		buffer_flush();
	memcpy(buffer + buffer_used, line, (size_t)length);
	buffer_used += (size_t)length;
	pthread_mutex_unlock(&trace_lock);
}
