#include "client/cuda/awaited.h"

#include <sys/stat.h>

#include "base/threads.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/reach.h"

static struct {
	_Atomic bool program;          /* once there was something */
	_Atomic uint64_t lowest, past; /* what graphs write lies from here to there */
	_Atomic bool parted;           /* some stream does not follow the legacy one */
} awaited = { .lowest = UINT64_MAX };

void pl_cuda_awaits_program(void)
{
	atomic_store(&awaited.program, true);
}

void pl_cuda_awaits_graph(const struct pl_cuda_lines *lines)
{
	uint64_t from = (uintptr_t)lines->at, to = from + pl_cuda_lines_span(lines);
	uint64_t lowest = atomic_load(&awaited.lowest), past = atomic_load(&awaited.past);

	while (from < lowest && !atomic_compare_exchange_weak(&awaited.lowest, &lowest, from))
		continue;
	while (to > past && !atomic_compare_exchange_weak(&awaited.past, &past, to))
		continue;
}

/* What there was has ended only if all has. */
static bool is_awaited_ever(const void *host, uint64_t bytes)
{
	uint64_t at = (uintptr_t)host;

	return atomic_load_explicit(&awaited.program, memory_order_relaxed) ||
	       (at < atomic_load_explicit(&awaited.past, memory_order_relaxed) &&
		at + bytes > atomic_load_explicit(&awaited.lowest, memory_order_relaxed));
}

bool pl_cuda_is_awaited(const struct pl_session *session, const void *host, uint64_t bytes)
{
	return pl_cuda_hostfns_are_due() || (is_awaited_ever(host, bytes) && !pl_session_is_idle(session));
}

void pl_cuda_streams_part(void)
{
	atomic_store(&awaited.parted, true);
}

/* Some have called, or there are some: the kernel counts a process' threads as links of a folder, beside its own two.
 */
static bool threads_are_many(const struct pl_session *session)
{
	struct stat threads;

	return __atomic_load_n(&session->lanes_count, __ATOMIC_RELAXED) > 1 || stat("/proc/self/task", &threads) ||
	       threads.st_nlink > 3 + (nlink_t)atomic_load(&pl_threads_own);
}

bool pl_cuda_threads_go_on(const struct pl_session *session)
{
	return (atomic_load_explicit(&awaited.parted, memory_order_relaxed) ||
		atomic_load_explicit(&pl_cuda_contexts_made, memory_order_relaxed) > 1) &&
	       !pl_session_is_idle(session) && threads_are_many(session);
}

void pl_cuda_awaited_reach(const void *host)
{
	const struct pl_session *session = pl_cuda_thread.top ? pl_cuda_thread.top->object.session : pl_cuda_session();

	if (host && pl_cuda_plain_is_any() && session && pl_cuda_captures_none() &&
	    pl_cuda_is_awaited(session, host, 1))
		pl_cuda_reach((uintptr_t)host);
}
