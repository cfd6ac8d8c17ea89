#include "backend/cuda/copy-ring.h"

#include "backend/cuda/own.h"
#include "base/err.h"

/* A device that has its own memory copies to and from pinned memory itself: the driver does not copy, too.  Only of a
 * ring for copies that have ended when they return.  What is pinned ends with the session; where it can not be pinned
 * it is copied. */
static void ring_pin(struct pl_serve *serve, uint64_t at)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint64_t none = 0;

	if (session->host->memory_back || !pl_cuda.cuMemHostRegister_v2 || !at)
		return;
	for (uint32_t i = 0; i < PL_CUDA_RINGS_PINNED_MAX; i++) {
		uint64_t known = atomic_load_explicit(&session->rings[i], memory_order_relaxed);

		if (known == at)
			return;
		if (known)
			continue;
		if (!atomic_compare_exchange_strong(&session->rings[i], &none, at))
			return; /* another thread's: the next copy looks again */
		if (pl_cuda_own_register(serve->session->arena + at + PL_CUDA_RING_HEAD_BYTES,
					 PL_CUDA_RING_BYTES - PL_CUDA_RING_HEAD_BYTES, CU_MEMHOSTREGISTER_PORTABLE))
			pl_log_debug("session %llu: memory for copies is not pinned",
				     (unsigned long long)serve->session->id);
		return;
	}
}

bool pl_cuda_ring_find(struct pl_serve *serve, uint64_t name, bool waits, struct pl_cuda_ring_wait *until)
{
	const struct pl_session_worker *worker = serve->session;
	uint64_t pages = (name - 1) % PL_CUDA_RING_PAGE_BYTES, at = name - 1 - pages;

	if (!worker->arena || !pages || pages * PL_CUDA_RING_PAGE_BYTES > PL_CUDA_RING_BLOCK_BYTES ||
	    worker->arena_bytes < PL_CUDA_RING_BYTES || at > worker->arena_bytes - PL_CUDA_RING_BYTES) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return false;
	}
	until->ring = (struct pl_cuda_ring *)(worker->arena + at);
	until->block = (uint32_t)(pages * PL_CUDA_RING_PAGE_BYTES);
	if (waits)
		ring_pin(serve, at);
	return true;
}
