/* Managed memory, and host memory that the device reaches, where they lie with the driver: their pages go to and fro
 * (mirror.h), or those of a variable are shared (placed.h). */
#ifndef PL_CLIENT_CUDA_MIRRORED_H
#define PL_CLIENT_CUDA_MIRRORED_H

#include "client/cuda/echo.h"
#include "client/cuda/memory.h"
#include "client/cuda/mirror.h"

/* ---- pages of the server's, for mirrors and echoes (echo.h) ---- */

/* Host memory there that the device reaches. */
CUresult pl_cuda_pages_create(struct pl_session *session, uint64_t bytes, uint64_t *address_out);
void pl_cuda_pages_free(struct pl_session *session, uint64_t address);
/* As pl_mirror_ops; `range` is where the pages begin. */
int pl_cuda_pages_fetch(void *session, uint64_t range, uint64_t address, void *data, uint64_t bytes,
			uint64_t *as_of_out);
int pl_cuda_pages_store(struct pl_session *session, uint64_t range, uint64_t address, const void *data, uint64_t bytes);
int pl_cuda_pages_merge(struct pl_session *session, uint64_t range, uint64_t address, const void *data, uint64_t pages,
			bool free);
/* From here on they go ahead of calls for which the device works. */
void pl_cuda_pages_watch(struct pl_session *session);

/* What this thread sends outside the session's order from here on comes behind the mirrors' pages that any thread has
 * sent in it so far. */
void pl_cuda_pages_behind(struct pl_session *session);
/* Returns when what this thread has sent outside the order is there; and what it has sent in it before. */
void pl_cuda_pages_arrive(void *session);

/* The server has taken what this thread has sent to the session.  With no lock that a host function's thread takes, for
 * it may wait for a function.  Return: false: it has not, as the thread has yet to wait for an answer. */
bool pl_cuda_lane_settle(struct pl_session *session);
/* As well, of all sessions that may wait for a function, where there are pages or echoes. */
void pl_cuda_lanes_settle_slow(void);

/* ---- mirrors ---- */

/** pl_cuda_mirrored_variable() - the program reaches the pages of a managed variable
 * @owner: its module's or library's object
 * Return: success; else CUDA_ERROR_NOT_SUPPORTED, said in the log, or CUDA_ERROR_OUT_OF_MEMORY. */
CUresult pl_cuda_mirrored_variable(struct pl_session *session, const void *owner, uint64_t start, uint64_t length);

/* It has ended, or will by what was sent. */
void pl_cuda_mirrored_left(const void *owner);

/* Allocates, and enters it.  `memory`: kind (MANAGED or HOST), bytes, flags and context are set. */
CUresult pl_cuda_mirrored_create(struct pl_session *session, struct pl_cuda_memory *memory);
/* Plain memory of the program's becomes such memory, where it is and with what is in it; nobody else uses it meanwhile.
 * The current context is the session's.  Return: as above, and `memory` says so. */
CUresult pl_cuda_mirrored_adopt(struct pl_session *session, struct pl_cuda_memory *memory);
/* Frees what was taken out of the table. */
CUresult pl_cuda_mirrored_destroy(struct pl_session *session, const struct pl_cuda_memory *memory);
/* It has gone with its context. */
void pl_cuda_mirrored_gone(const struct pl_cuda_memory *memory);

/* A call has waited for the device, or heard that it has ended, with this result. */
static inline CUresult pl_cuda_waited(CUresult result)
{
	if (__builtin_expect(atomic_load_explicit(&pl_mirror_pages_here, memory_order_relaxed) ||
				     atomic_load_explicit(&pl_echoes, memory_order_relaxed),
			     0))
		pl_cuda_lanes_settle_slow();
	pl_mirror_waited();
	return pl_echo_waited(result);
}

/* Copies of the program's: does `host` lie in mirrored memory?  It is then the device's own. */
static inline bool pl_cuda_mirrored_holds(const void *host)
{
	struct pl_cuda_memory memory;

	return __builtin_expect(atomic_load_explicit(&pl_cuda_mirrors, memory_order_relaxed), 0) &&
	       pl_cuda_memory_find((uintptr_t)host, &memory) && memory.mirrored;
}

#endif
