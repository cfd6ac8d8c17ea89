/*
 * Device memory that lies in the session's shared memory (docs/adr/0018): where nothing is under way the program's own
 * thread copies to and from it, as a driver in its process would.
 */
#include <string.h>
#include <time.h>

#include "base/copy.h"
#include "client/cuda/memory.h"

#define SHARED_MIN  (64u << 10)    /* less is soon sent */
#define SHARED_MAX  (256u << 20)   /* of one allocation: more is copied through a ring */
#define SMALL_MAX   (2u << 20)     /* kernels on more need huge pages, which the device's own memory has */
#define SHARED_SUM  (512ull << 20) /* huge pages are there at once, used or not: no more of them */
#define REGION_PART 4              /* of a guest's part of its region; the rest is for all else */
#define ALIGN_BYTES (128u << 10)   /* a large page of the device that has it so */
#define ASK_BYTES_MIN                                                                                                  \
	(256u << 10) /* a copy that waits asks for the end of what is under way first; less goes with it */
/* A copy that should return before it is made takes no longer than handing it over and waiting for it would. */
#define PINNED_BYTES_MAX (2u << 20)
#define PASS_NAP_NS      50000 /* the longest copies take tens of milliseconds */

/* Copies by the program's threads that are under way, begun before and since pl_cuda_direct_pass() was called last. */
static _Atomic uint32_t uses[2], uses_now;

static _Atomic uint64_t extents_sum; /* bytes of all extents of huge pages, in a region of all */

static bool is_huge(const struct pl_cuda_memory *memory)
{
	return memory->bytes > SMALL_MAX;
}

static uint64_t extent_bytes(const struct pl_cuda_memory *memory)
{
	uint64_t grain = is_huge(memory) ? PL_ARENA_HUGE_BYTES : PL_ARENA_GRAIN_BYTES;

	return (memory->bytes + grain - 1) & ~(grain - 1);
}

static bool is_counted(const struct pl_session *session, const struct pl_cuda_memory *memory)
{
	return session->in_region || is_huge(memory);
}

/* Return: within the sum, which it is part of now. */
static bool extent_count(const struct pl_session *session, uint64_t bytes)
{
	uint64_t limit = SHARED_SUM;

	if (session->in_region && limit > session->arena.bytes / REGION_PART)
		limit = session->arena.bytes / REGION_PART;
	if (atomic_fetch_add(&extents_sum, bytes) + bytes <= limit)
		return true;
	atomic_fetch_sub(&extents_sum, bytes);
	return false;
}

static void extent_free(struct pl_session *session, const struct pl_cuda_memory *memory, uint64_t fence)
{
	if (is_counted(session, memory))
		atomic_fetch_sub(&extents_sum, extent_bytes(memory));
	if (memory->store != PL_ARENA_NONE)
		pl_arena_free(&session->arena, memory->store, extent_bytes(memory), fence);
}

/* A guest can make no huge pages of its host's memory: the worker does. */
static bool extent_huge(struct pl_session *session, const struct pl_cuda_memory *memory, uint64_t bytes)
{
	return !is_huge(memory) || session->in_region || pl_arena_huge(&session->arena, memory->store, bytes);
}

void pl_cuda_direct_set_aside(struct pl_session *session, struct pl_cuda_memory *memory)
{
	uint64_t bytes = extent_bytes(memory);

	memory->store = PL_ARENA_NONE;
	if (!session->shares_memory || memory->bytes < SHARED_MIN || memory->bytes > SHARED_MAX ||
	    (is_counted(session, memory) && !extent_count(session, bytes)))
		return;
	pl_arena_passed(&session->arena, pl_session_answered(session)); /* what was freed up to there is free */
	memory->store =
		pl_arena_alloc_aligned(&session->arena, bytes, is_huge(memory) ? PL_ARENA_HUGE_BYTES : ALIGN_BYTES);
	if (memory->store != PL_ARENA_NONE && extent_huge(session, memory, bytes))
		return;
	extent_free(session, memory, 0);
	memory->store = PL_ARENA_NONE;
}

void pl_cuda_direct_give_back(struct pl_session *session, const struct pl_cuda_memory *memory)
{
	if (memory->kind == PL_CUDA_MEMORY_DEVICE && memory->store != PL_ARENA_NONE)
		extent_free(session, memory, atomic_load(&session->ticket));
}

/* NULL: it does not lie there, or not all of it. */
static uint8_t *place_of(const struct pl_session *session, CUdeviceptr address, uint64_t bytes)
{
	struct pl_cuda_memory memory;

	if (!session->shares_memory || !pl_cuda_memory_find(address, &memory) || memory.kind != PL_CUDA_MEMORY_DEVICE ||
	    memory.store == PL_ARENA_NONE || bytes > memory.bytes - (address - memory.address))
		return NULL;
	return session->arena.base + memory.store + (address - memory.address);
}

/* Where the memory lies is looked up within a use, so who takes it away from there waits for those that saw it. */
static _Atomic uint32_t *use_begin(void)
{
	_Atomic uint32_t *use = &uses[atomic_load(&uses_now) & 1];

	atomic_fetch_add(use, 1);
	return use;
}

void pl_cuda_direct_pass(void)
{
	const struct timespec nap = { .tv_nsec = PASS_NAP_NS };
	_Atomic uint32_t *before = &uses[atomic_fetch_add(&uses_now, 1) & 1];

	while (atomic_load(before))
		nanosleep(&nap, NULL);
}

static bool copied(const struct pl_session *session, CUdeviceptr address, void *host, uint64_t bytes, bool to_host)
{
	_Atomic uint32_t *use = use_begin();
	uint8_t *place = place_of(session, address, bytes);

	if (place && to_host)
		pl_copy(host, place, bytes);
	else if (place)
		pl_copy(place, host, bytes);
	atomic_fetch_sub(use, 1);
	return place;
}

bool pl_cuda_direct_copy(struct pl_session *session, enum pl_cuda_direct_how how, bool per_thread, CUdeviceptr address,
			 void *host, uint64_t bytes, bool to_host, CUresult *result)
{
	bool idle = pl_session_is_idle(session);

	if (pl_cuda_block_is_chosen() || !pl_cuda_captures_none() ||
	    (how == PL_CUDA_DIRECT_PINNED && bytes > PINNED_BYTES_MAX) ||
	    (!idle && (how != PL_CUDA_DIRECT_WAITS || bytes < ASK_BYTES_MIN)))
		return false;
	*result = CUDA_SUCCESS;
	if (!idle && place_of(session, address, bytes))
		*result = per_thread ? cuStreamSynchronize_ptsz(NULL) : cuStreamSynchronize(NULL);
	return *result || copied(session, address, host, bytes, to_host);
}
