/*
 * Host memory that is the program's own and registered.  It stays where it is and copies of it go as those of any
 * memory, until the program wants its address on the device: then its pages move into the session's shared memory
 * (place.h), or the server has a copy (echo.h).
 * Registrations on the same pages share them; one that only begins or ends on pages of another has no address.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/cuda/echo.h"
#include "client/cuda/later.h"
#include "client/cuda/memory.h"
#include "client/cuda/place.h"
#include "client/cuda/reach.h"

#define REGISTER_FLAGS                                                                                                 \
	(CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_IOMEMORY |                    \
	 CU_MEMHOSTREGISTER_READ_ONLY)
#define PAGE_MASK (PL_PLACE_PAGE_BYTES - 1ull)

/* Pages that lie in shared memory; those of several registrations where they are the same ones. */
struct pages {
	struct pages *next;
	struct pl_cuda_memory memory; /* address, bytes: whole pages */
	uint32_t refs;
};

static struct {
	pthread_mutex_t lock;
	struct pages
		*all; /* under lock, which may be taken while the table of memory is locked, and not the other way */
	pthread_mutex_t mapping; /* one registration at a time gets its address */
} pages = { .lock = PTHREAD_MUTEX_INITIALIZER, .mapping = PTHREAD_MUTEX_INITIALIZER };

/* ---- pages; called with the lock held ---- */

static struct pages **pages_find(const struct pl_session *session, uint64_t address, uint64_t bytes)
{
	struct pages **at = &pages.all;

	while (*at && ((*at)->memory.session != session || address < (*at)->memory.address ||
		       address + bytes > (*at)->memory.address + (*at)->memory.bytes))
		at = &(*at)->next;
	return at;
}

static CUresult pages_place(struct pl_session *session, struct pl_cuda_memory *memory)
{
	CUresult result;
	int r;

	memory->store = pl_cuda_host_place(session, memory->bytes, 0);
	if (memory->store == PL_ARENA_NONE)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = pl_place_in(&session->arena, memory->address, memory->bytes, memory->store);
	if (r) {
		pl_log_debug("registered memory at %p is not shared: %s", (void *)(uintptr_t)memory->address,
			     r == -EINVAL ? "it is not private anonymous memory" : strerrordesc_np(-r));
		pl_cuda_host_place_free(session, memory->store, memory->bytes, 0);
		return r == -ENOMEM ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_NOT_SUPPORTED;
	}
	result = pl_cuda_host_map(session, memory);
	if (result && !pl_place_out(&session->arena, memory->address, memory->bytes, memory->store))
		pl_cuda_host_place_free(session, memory->store, memory->bytes, 0);
	return result;
}

static CUresult pages_ref(struct pl_session *session, uint64_t address, uint64_t bytes, struct pages **pages_out)
{
	struct pages *got = *pages_find(session, address, bytes);
	CUresult result;

	if (!got) {
		got = calloc(1, sizeof(*got));
		if (!got)
			return CUDA_ERROR_OUT_OF_MEMORY;
		got->memory = (struct pl_cuda_memory){
			.address = address, .bytes = bytes, .kind = PL_CUDA_MEMORY_REGISTERED, .session = session
		};
		result = pages_place(session, &got->memory);
		if (result) {
			free(got);
			return result;
		}
		got->next = pages.all;
		pages.all = got;
	}
	got->refs++;
	*pages_out = got;
	return CUDA_SUCCESS;
}

static void placed(struct pl_cuda_memory *memory, void *arg)
{
	const struct pl_cuda_memory *now = arg;

	memory->store = now->store;
	memory->device = now->device;
}

/* The registration has its address on the device from here on.  Called with the mapping lock held, not the lock. */
static CUresult pages_get(struct pl_cuda_memory *memory, uint64_t address, uint64_t bytes)
{
	struct pages *got;
	CUresult result;

	pthread_mutex_lock(&pages.lock);
	result = pages_ref(memory->session, address, bytes, &got);
	if (!result) {
		memory->store = got->memory.store + (memory->address - got->memory.address);
		memory->device = got->memory.device + (memory->address - got->memory.address);
	}
	pthread_mutex_unlock(&pages.lock);
	if (!result)
		pl_cuda_memory_change(memory, placed, memory);
	return result;
}

/* What they lay in is used again only where they are all back. */
static void pages_put(const struct pl_cuda_memory *memory, bool ask)
{
	uint64_t first = memory->address & ~PAGE_MASK, last = (memory->address + memory->bytes - 1) | PAGE_MASK;
	struct pages **at = pages_find(memory->session, first, last - first + 1), *gone = *at;
	struct pl_cuda_cuMemFreeHost_args args;
	struct pl_session *session = memory->session;
	struct pl_reply reply;

	if (!gone || --gone->refs)
		return;
	*at = gone->next;
	args.host = gone->memory.address;
	if (ask)
		(void)PL_CUDA_ASK(session, cuMemFreeHost, &args, &reply); /* what the device does in them ends */
	if (!pl_place_out(&session->arena, gone->memory.address, gone->memory.bytes, gone->memory.store))
		pl_cuda_host_place_free(session, gone->memory.store, gone->memory.bytes, atomic_load(&session->ticket));
	free(gone);
}

void pl_cuda_registered_forget(const struct pl_cuda_memory *memory)
{
	if (memory->store == PL_ARENA_NONE) {
		pl_echo_forget(memory);
		return;
	}
	pthread_mutex_lock(&pages.lock);
	pages_put(memory, false);
	pthread_mutex_unlock(&pages.lock);
}

/* Nothing is shared, or a device's pages can not be kept still and moved back (docs/adr/0015); or they are not the
 * program's alone. */
static CUresult device_get(struct pl_cuda_memory *memory, uint64_t first, uint64_t bytes)
{
	struct pl_session *session = memory->session;
	CUresult result = CUDA_ERROR_NOT_SUPPORTED;

	if (pl_cuda_host_is_mapped(session) && !session->in_region)
		result = pages_get(memory, first, bytes);
	if (result != CUDA_ERROR_NOT_SUPPORTED)
		return result;
	result = pl_echo_add(session, memory);
	if (!result)
		pl_cuda_memory_change(memory, placed, memory);
	return result;
}

CUresult pl_cuda_registered_map(struct pl_cuda_memory *memory)
{
	uint64_t first = memory->address & ~PAGE_MASK, last = (memory->address + memory->bytes - 1) | PAGE_MASK;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_plHostAlloc, &session); /* the server is to know the context */

	if (result)
		return result;
	if (memory->session != session)
		return CUDA_ERROR_NOT_SUPPORTED;
	pthread_mutex_lock(&pages.mapping);
	if (!pl_cuda_memory_find(memory->address, memory)) /* another thread has unregistered it */
		result = CUDA_ERROR_INVALID_VALUE;
	else if (!memory->device)
		result = device_get(memory, first, last - first + 1);
	pthread_mutex_unlock(&pages.mapping);
	return result;
}

/* ---- the API ---- */

CUresult cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned int flags)
{
	struct pl_cuda_memory memory = { .address = (uintptr_t)pointer,
					 .bytes = bytes,
					 .kind = PL_CUDA_MEMORY_REGISTERED,
					 .flags = flags,
					 .store = PL_ARENA_NONE };
	CUresult result;

	memory.context = pl_cuda_current(&result);
	if (!memory.context)
		return result;
	if (!pointer || !bytes || flags & ~(unsigned int)REGISTER_FLAGS || memory.address + bytes < bytes)
		return CUDA_ERROR_INVALID_VALUE;
	if (flags & CU_MEMHOSTREGISTER_IOMEMORY)
		return CUDA_ERROR_NOT_SUPPORTED;
	return pl_cuda_memory_enter(&memory) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
}

CUresult cuMemHostRegister(void *pointer, size_t bytes, unsigned int flags)
{
	return cuMemHostRegister_v2(pointer, bytes, flags);
}

CUresult cuMemHostUnregister(void *pointer)
{
	struct pl_cuda_memory memory;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemHostUnregister, (uintptr_t)pointer, &session);

	if (result)
		return result;
	if (!pointer)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_memory_find((uintptr_t)pointer, &memory) || memory.kind != PL_CUDA_MEMORY_REGISTERED)
		return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
	if (memory.address != (uintptr_t)pointer)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_memory_take(memory.address, &memory))
		return CUDA_SUCCESS;
	pl_cuda_later_settle(session, memory.address, memory.bytes);
	if (memory.store == PL_ARENA_NONE) {
		if (memory.device)
			pl_echo_remove(&memory);
		return CUDA_SUCCESS;
	}
	pthread_mutex_lock(&pages.lock);
	pages_put(&memory, true);
	pthread_mutex_unlock(&pages.lock);
	return CUDA_SUCCESS;
}

static bool host_find(const void *pointer, struct pl_cuda_memory *memory, CUresult *result)
{
	if (!pl_cuda_current(result))
		return false;
	*result = CUDA_ERROR_INVALID_VALUE;
	return pointer && pl_cuda_memory_find((uintptr_t)pointer, memory) && pl_cuda_memory_is_pinned(memory);
}

CUresult cuMemHostGetFlags(unsigned int *flags, void *pointer)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!host_find(pointer, &memory, &result))
		return result;
	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = memory.flags;
	return CUDA_SUCCESS;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned int flags)
{
	struct pl_cuda_memory memory;
	CUresult result;

	if (!host_find(pointer, &memory, &result))
		return result;
	if (!address || flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (memory.plain) {
		pl_cuda_reach(memory.address);
		if (!pl_cuda_memory_find(memory.address, &memory))
			return CUDA_ERROR_INVALID_VALUE; /* another thread has freed it */
	}
	if (!memory.device && memory.kind == PL_CUDA_MEMORY_REGISTERED)
		result = pl_cuda_registered_map(&memory);
	else
		result = memory.device ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
	if (result)
		return result;
	*address = memory.device + ((uintptr_t)pointer - memory.address);
	return CUDA_SUCCESS;
}
