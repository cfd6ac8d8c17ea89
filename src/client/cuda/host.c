/*
 * Host memory that the API gives.  Where the session shares memory, what it gives lies there: the driver
 * has the same pages registered and works in them, and nothing is copied on the way.  Where nothing is shared it is
 * plain memory, until a device is given its address (reach.h); or, where the program wants it mapped, the driver's,
 * whose pages go to and fro (mirrored.h, docs/adr/0033).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "client/cuda/later.h"
#include "client/cuda/mirror.h"
#include "client/cuda/mirrored.h"

#define PAGE_BYTES 4096u
#define HOST_FLAGS (CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED)

bool pl_cuda_host_is_mapped(const struct pl_session *session)
{
	return session->shares_memory && session->arena.same_address;
}

/* ---- in the session's shared memory ---- */

CUresult pl_cuda_host_map(struct pl_session *session, struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemHostAlloc_args args = {
		.host = memory->address, .bytes = memory->bytes, .flags = memory->flags, .store = memory->store
	};
	struct pl_cuda_cuMemHostAlloc_reply got;
	struct pl_reply reply;
	int r;

	if (memory->kind != PL_CUDA_MEMORY_HOST)
		args.flags = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP;
	r = PL_CUDA_ASK(session, cuMemHostAlloc, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemHostAlloc_reply_get(&reply.dec, &got);
	memory->device = got.device;
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

uint64_t pl_cuda_host_place(struct pl_session *session, uint64_t bytes, uint64_t align)
{
	uint64_t whole;

	if (__builtin_add_overflow(bytes, PL_ARENA_GRAIN_BYTES, &whole))
		return PL_ARENA_NONE;
	return align ? pl_arena_alloc_aligned(&session->arena, whole, align) : pl_arena_alloc(&session->arena, whole);
}

void pl_cuda_host_place_free(struct pl_session *session, uint64_t store, uint64_t bytes, uint64_t fence)
{
	pl_arena_free(&session->arena, store, bytes + PL_ARENA_GRAIN_BYTES, fence);
}

static CUresult shared_create(struct pl_session *session, struct pl_cuda_memory *memory)
{
	uint64_t huge = memory->bytes & ~(uint64_t)(PL_ARENA_HUGE_BYTES - 1);
	CUresult result;

	/* In huge pages where there are such: a fault for each 2 MiB, and copies that need not look up every page. */
	memory->store =
		pl_cuda_host_place(session, memory->bytes, huge && !session->in_region ? PL_ARENA_HUGE_BYTES : 0);
	if (memory->store == PL_ARENA_NONE)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (huge && !session->in_region)
		(void)pl_arena_huge(&session->arena, memory->store, huge);
	memory->address = (uintptr_t)session->arena.base + memory->store;
	result = pl_cuda_host_map(session, memory);
	if (result)
		pl_cuda_host_place_free(session, memory->store, memory->bytes, 0);
	return result;
}

/*
 * Where the memory may lie in a worker, too, when a device is given its address (reach.h): where neither programs, the
 * C library, sanitizers nor drivers put theirs.  The addresses are not used again, and are a hint: where there is
 * something the kernel chooses.
 */
#define PLACES_LOWEST 0x110000000000ull
#define PLACES_BYTES  0x100000000000ull
#define HUGE_BYTES    PL_ARENA_HUGE_BYTES

static pthread_once_t places_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t places_next;

static void places_begin(void)
{
	uint64_t random = 0;

	(void)getrandom(&random, sizeof(random), GRND_NONBLOCK);
	places_next = random % PLACES_BYTES & ~(HUGE_BYTES - 1ull);
}

static void *place_for(uint64_t bytes)
{
	uint64_t unit = bytes < HUGE_BYTES ? PAGE_BYTES : HUGE_BYTES, room = (bytes + 2 * unit) & ~(unit - 1), at;

	pthread_once(&places_once, places_begin);
	at = (atomic_fetch_add(&places_next, room) + unit - 1) & ~(unit - 1);
	return (void *)(uintptr_t)(PLACES_LOWEST + at % PLACES_BYTES);
}

static CUresult plain_create(struct pl_cuda_memory *memory)
{
	uint64_t pages = (memory->bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	void *at = pages < memory->bytes || pages > PLACES_BYTES
			   ? MAP_FAILED
			   : mmap(place_for(pages), pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memory->address = (uintptr_t)at;
	memory->store = PL_ARENA_NONE;
	memory->plain = true;
	return CUDA_SUCCESS;
}

CUresult pl_cuda_host_create(struct pl_session *session, struct pl_cuda_memory *memory, uint64_t bytes, bool mapped)
{
	CUresult result;

	memory->bytes = bytes;
	if (mapped && !pl_cuda_host_is_mapped(session))
		return CUDA_ERROR_NOT_SUPPORTED;
	result = session->shares_memory ? shared_create(session, memory) : plain_create(memory);
	if (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = session->shares_memory ? shared_create(session, memory) : plain_create(memory);
	if (result)
		return result;
	if (pl_cuda_memory_enter(memory))
		return CUDA_SUCCESS;
	pl_cuda_host_destroy(session, memory);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

void pl_cuda_host_forget(const struct pl_cuda_memory *memory)
{
	struct pl_session *session = memory->session;

	if (memory->store == PL_ARENA_NONE && pl_cuda_memory_is_pinned(memory))
		pl_cuda_later_forget(memory->address, memory->bytes);
	if (memory->kind == PL_CUDA_MEMORY_REGISTERED)
		pl_cuda_registered_forget(memory);
	pl_cuda_mirrored_gone(memory);
	if (memory->mirrored || (memory->kind != PL_CUDA_MEMORY_HOST && memory->kind != PL_CUDA_MEMORY_MANAGED))
		return;
	if (memory->store != PL_ARENA_NONE)
		pl_cuda_host_place_free(session, memory->store, memory->bytes, atomic_load(&session->ticket));
	else
		munmap((void *)(uintptr_t)memory->address, memory->bytes);
}

/* Waited for, as natively: what the device still does in it has ended then. */
void pl_cuda_host_destroy(struct pl_session *session, const struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemFreeHost_args args = { .host = memory->address };
	struct pl_reply reply;

	if (memory->mirrored) {
		(void)pl_cuda_mirrored_destroy(session, memory);
		return;
	}
	if (memory->store == PL_ARENA_NONE) {
		pl_cuda_later_settle(session, memory->address, memory->bytes);
		munmap((void *)(uintptr_t)memory->address, memory->bytes);
		return;
	}
	if (!PL_CUDA_ASK(session, cuMemFreeHost, &args, &reply))
		pl_cuda_host_place_free(session, memory->store, memory->bytes, 0);
}

/* ---- the API ---- */

/* Where it cannot be mapped the program gets it all the same, and hears so when it asks where the device has it. */
static CUresult host_create(struct pl_session *session, struct pl_cuda_memory *memory, size_t bytes, bool mapped)
{
	struct pl_cuda_memory mirrored = *memory;
	CUresult result = CUDA_ERROR_NOT_SUPPORTED;

	mirrored.bytes = bytes;
	if (mapped && !pl_cuda_host_is_mapped(session) && pl_mirror_is_possible())
		result = pl_cuda_mirrored_create(session, &mirrored);
	if (result == CUDA_ERROR_NOT_SUPPORTED)
		return pl_cuda_host_create(session, memory, bytes, false);
	*memory = mirrored;
	return result;
}

static CUresult host_alloc(enum pl_cuda_op op, void **pointer, size_t bytes, unsigned int flags)
{
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_HOST, .flags = flags | CU_MEMHOSTALLOC_DEVICEMAP };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(op, &session);

	if (!result)
		result = pl_cuda_capture_allows(session);
	if (result)
		return result;
	if (!pointer || !bytes || flags & ~(unsigned int)HOST_FLAGS)
		return CUDA_ERROR_INVALID_VALUE;
	memory.context = pl_cuda_thread.top;
	result = host_create(session, &memory, bytes, flags & CU_MEMHOSTALLOC_DEVICEMAP);
	if (!result)
		*pointer = (void *)(uintptr_t)memory.address;
	return result;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned int flags)
{
	return host_alloc(PL_CUDA_OP_cuMemHostAlloc, pointer, bytes, flags);
}

CUresult cuMemAllocHost_v2(void **pointer, size_t bytes)
{
	return host_alloc(PL_CUDA_OP_cuMemAllocHost_v2, pointer, bytes, 0);
}

CUresult cuMemAllocHost(void **pointer, unsigned int bytes)
{
	return host_alloc(PL_CUDA_OP_cuMemAllocHost, pointer, bytes, 0);
}

CUresult cuMemFreeHost(void *pointer)
{
	struct pl_cuda_memory memory;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemFreeHost, (uintptr_t)pointer, &session);

	if (!result)
		result = pl_cuda_capture_allows(session);
	if (result || !pointer)
		return result;
	if (!pl_cuda_memory_find((uintptr_t)pointer, &memory) || memory.address != (uintptr_t)pointer ||
	    memory.kind != PL_CUDA_MEMORY_HOST || !pl_cuda_memory_take(memory.address, &memory))
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_host_destroy(session, &memory);
	return CUDA_SUCCESS;
}
