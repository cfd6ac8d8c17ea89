/*
 * Memory of other processes that use the same server, and ours for them.  A handle has nothing but a token of the
 * server's.  What stands for a descriptor is a file that has such a handle: it can be passed on as any descriptor can.
 */
#include "client/cuda/carry.h"
#include "client/cuda/mark.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* ---- allocations ---- */

/* The bytes leave the shared memory: until then this process reached them there. */
static void store_leave(struct pl_cuda_memory *memory, void *was)
{
	*(struct pl_cuda_memory *)was = *memory;
	memory->store = PL_ARENA_NONE;
	memory->exported = true;
}

static void store_return(struct pl_cuda_memory *memory, void *was)
{
	memory->store = ((const struct pl_cuda_memory *)was)->store;
	memory->exported = ((const struct pl_cuda_memory *)was)->exported;
}

/* Called with the lock held. */
static CUresult memory_export(struct pl_session *session, CUdeviceptr address, CUipcMemHandle *handle)
{
	struct pl_cuda_cuIpcGetMemHandle_args args = { .address = address };
	struct pl_cuda_cuIpcGetMemHandle_reply got;
	struct pl_cuda_memory memory, was = { .store = PL_ARENA_NONE };
	struct pl_reply reply;
	CUresult result;
	int r;

	if (pl_cuda_memory_find(address, &memory) && memory.kind == PL_CUDA_MEMORY_DEVICE)
		pl_cuda_memory_change(&memory, store_leave, &was);
	if (was.store != PL_ARENA_NONE)
		pl_cuda_direct_pass();
	r = PL_CUDA_ASK(session, cuIpcGetMemHandle, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result) {
		pl_cuda_cuIpcGetMemHandle_reply_get(&reply.dec, &got);
		result = pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
	}
	if (result) {
		if (was.address)
			pl_cuda_memory_change(&memory, store_return, &was);
		return result;
	}
	if (was.store != PL_ARENA_NONE)
		pl_cuda_direct_give_back(session, &was);
	memcpy(handle, got.handle.all, sizeof(*handle));
	return CUDA_SUCCESS;
}

CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuIpcGetMemHandle, address, &session);

	if (result)
		return result;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_lease_touch(address); /* what was freed is no memory any more */
	pthread_mutex_lock(&lock);
	result = memory_export(session, address, handle);
	pthread_mutex_unlock(&lock);
	return result;
}

/* A driver may give another process' memory one address, and count how often. */
static void opens_more(struct pl_cuda_memory *memory, void *unused)
{
	(void)unused;
	memory->opens++;
}

/* last: it was open once. */
static void opens_less(struct pl_cuda_memory *memory, void *last)
{
	*(bool *)last = !memory->opens;
	memory->opens -= memory->opens ? 1 : 0;
}

static bool imported_find(CUdeviceptr address, struct pl_cuda_memory *memory)
{
	return pl_cuda_memory_find(address, memory) && memory->kind == PL_CUDA_MEMORY_IMPORTED &&
	       memory->address == address;
}

/* What the driver opens and closes is noted in the same order. */
static pthread_mutex_t imports = PTHREAD_MUTEX_INITIALIZER;

/* Called with the lock held. */
static CUresult memory_import(struct pl_session *session, const struct pl_cuda_cuIpcOpenMemHandle_args *args,
			      CUdeviceptr *address)
{
	struct pl_cuda_memory memory = { .kind = PL_CUDA_MEMORY_IMPORTED,
					 .store = PL_ARENA_NONE,
					 .context = pl_cuda_thread.top };
	struct pl_cuda_cuIpcOpenMemHandle_reply got;
	struct pl_cuda_memory known;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, cuIpcOpenMemHandle, args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuIpcOpenMemHandle_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	memory.address = got.address;
	memory.bytes = got.bytes;
	if (imported_find(got.address, &known))
		pl_cuda_memory_change(&known, opens_more, NULL);
	else if (got.bytes)
		(void)pl_cuda_memory_enter(&memory); /* where it can not be, its copies are asked */
	*address = got.address;
	return CUDA_SUCCESS;
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *address, CUipcMemHandle handle, unsigned int flags)
{
	struct pl_cuda_cuIpcOpenMemHandle_args args = { .handle = { &handle, sizeof(handle) }, .flags = flags };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuIpcOpenMemHandle_v2, &session);

	if (result)
		return result;
	if (!address)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&imports);
	result = memory_import(session, &args, address);
	pthread_mutex_unlock(&imports);
	return result;
}

CUresult cuIpcOpenMemHandle(CUdeviceptr *address, CUipcMemHandle handle, unsigned int flags)
{
	return cuIpcOpenMemHandle_v2(address, handle, flags);
}

CUresult cuIpcCloseMemHandle(CUdeviceptr address)
{
	struct pl_cuda_cuIpcCloseMemHandle_args args = { .address = address };
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuIpcCloseMemHandle, address, &session);
	bool last = false;
	int r;

	if (result)
		return result;
	pl_cuda_carry_settle(address);
	pthread_mutex_lock(&imports);
	r = PL_CUDA_ASK(session, cuIpcCloseMemHandle, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result && imported_find(address, &memory))
		pl_cuda_memory_change(&memory, opens_less, &last);
	if (last)
		pl_cuda_memory_take(address, &memory);
	pthread_mutex_unlock(&imports);
	return result;
}

/* ---- events ---- */

CUresult cuIpcGetEventHandle(CUipcEventHandle *handle, CUevent event)
{
	struct pl_cuda_cuIpcGetEventHandle_args args;
	struct pl_cuda_cuIpcGetEventHandle_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuIpcGetEventHandle, PL_CUDA_KIND_event, event, &session);
	int r;

	if (result)
		return result;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	args.event = pl_cuda_id(session, PL_CUDA_KIND_event, event);
	if (!args.event)
		return CUDA_ERROR_INVALID_HANDLE;
	pl_cuda_event_shared(event);
	r = PL_CUDA_ASK(session, cuIpcGetEventHandle, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuIpcGetEventHandle_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	memcpy(handle, got.handle.all, sizeof(*handle));
	return CUDA_SUCCESS;
}

CUresult cuIpcOpenEventHandle(CUevent *event, CUipcEventHandle handle)
{
	struct pl_cuda_cuIpcOpenEventHandle_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuIpcOpenEventHandle, &session);
	void *made;
	int r;

	if (result)
		return result;
	if (!event)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(args.handle.all, &handle, sizeof(handle));
	made = pl_cuda_new(session, PL_CUDA_KIND_event, &args.event);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuIpcOpenEventHandle, &args, &reply);
	if (!r && reply.status == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		r = PL_CUDA_ASK(session, cuIpcOpenEventHandle, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result) {
		pl_cuda_undo(session, PL_CUDA_KIND_event, made);
		return result;
	}
	pl_cuda_event_shared(made);
	*event = made;
	return CUDA_SUCCESS;
}

/* ---- descriptors ---- */

/* A sealed file of these bytes.  Return: its descriptor, or -1. */
static int file_make(struct pl_bytes bytes)
{
	pl_cleanup(pl_closep) int fd = memfd_create("plenum-handle", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || pwrite(fd, bytes.at, bytes.bytes, 0) != (ssize_t)bytes.bytes ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -1;
	return pl_steal_fd(&fd);
}

/* As the API gives a descriptor. */
static CUresult file_give(void *shareable, struct pl_bytes bytes)
{
	int fd = file_make(bytes);

	if (fd < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	memcpy(shareable, &fd, sizeof(fd));
	return CUDA_SUCCESS;
}

CUresult cuMemExportToShareableHandle(void *shareable, CUmemGenericAllocationHandle handle,
				      CUmemAllocationHandleType type, unsigned long long flags)
{
	struct pl_cuda_cuMemExportToShareableHandle_args args = { .type = type, .flags = flags };
	struct pl_cuda_cuMemExportToShareableHandle_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemExportToShareableHandle, PL_CUDA_KIND_allocation,
					   (const void *)(uintptr_t)handle, &session);
	int r;

	if (result)
		return result;
	args.allocation = pl_cuda_id(session, PL_CUDA_KIND_allocation, (const void *)(uintptr_t)handle);
	if (!shareable || !args.allocation)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemExportToShareableHandle, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemExportToShareableHandle_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	return file_give(shareable, got.shareable);
}

/* What the API takes for one.  Return: it is one of ours, as far as its form goes. */
static bool file_take(const void *shareable, CUmemAllocationHandleType type, uint8_t bytes[CU_IPC_HANDLE_SIZE])
{
	int fd = (int)(intptr_t)shareable;
	struct stat stat;

	return type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR && !fstat(fd, &stat) && S_ISREG(stat.st_mode) &&
	       stat.st_size == CU_IPC_HANDLE_SIZE && pread(fd, bytes, CU_IPC_HANDLE_SIZE, 0) == CU_IPC_HANDLE_SIZE;
}

static CUdevice part_device(void *made)
{
	CUmemAllocationProp told;

	if (cuMemGetAllocationPropertiesFromHandle(&told, (CUmemGenericAllocationHandle)(uintptr_t)made) ||
	    told.location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CU_DEVICE_INVALID;
	return told.location.id;
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *shareable,
					CUmemAllocationHandleType type)
{
	struct pl_cuda_cuMemImportFromShareableHandle_args args = { .type = type };
	uint8_t bytes[CU_IPC_HANDLE_SIZE];
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemImportFromShareableHandle, &session);
	void *made;
	int r;

	if (result)
		return result;
	if (!handle || !file_take(shareable, type, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	made = pl_cuda_new(session, PL_CUDA_KIND_allocation, &args.allocation);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	args.shareable = (struct pl_bytes){ bytes, sizeof(bytes) };
	r = PL_CUDA_ASK(session, cuMemImportFromShareableHandle, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		pl_cuda_undo(session, PL_CUDA_KIND_allocation, made);
	else
		pl_cuda_part_made(handle, made, type, part_device(made));
	return result;
}

/* ---- pools ---- */

CUresult cuMemPoolExportToShareableHandle(void *shareable, CUmemoryPool pool, CUmemAllocationHandleType type,
					  unsigned long long flags)
{
	struct pl_cuda_cuMemPoolExportToShareableHandle_args args = { .type = type, .flags = flags };
	struct pl_cuda_cuMemPoolExportToShareableHandle_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result =
		pl_cuda_enter_of(PL_CUDA_OP_cuMemPoolExportToShareableHandle, PL_CUDA_KIND_pool, pool, &session);
	int r;

	if (result)
		return result;
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (!shareable || !args.pool)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuMemPoolExportToShareableHandle, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemPoolExportToShareableHandle_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	return file_give(shareable, got.shareable);
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool *pool, void *shareable, CUmemAllocationHandleType type,
					    unsigned long long flags)
{
	struct pl_cuda_cuMemPoolImportFromShareableHandle_args args = { .type = type, .flags = flags };
	uint8_t bytes[CU_IPC_HANDLE_SIZE];
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemPoolImportFromShareableHandle, &session);
	void *made;
	int r;

	if (result)
		return result;
	if (!pool || !file_take(shareable, type, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	made = pl_cuda_new(session, PL_CUDA_KIND_pool, &args.pool);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	args.shareable = (struct pl_bytes){ bytes, sizeof(bytes) };
	r = PL_CUDA_ASK(session, cuMemPoolImportFromShareableHandle, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		pl_cuda_undo(session, PL_CUDA_KIND_pool, made);
	else
		((struct pl_cuda_pool *)pl_cuda_get(PL_CUDA_KIND_pool, made))->device = CU_DEVICE_INVALID;
	if (!result)
		*pool = made;
	return result;
}

/* From here on it goes back to the driver when it is freed: the lease would keep what others have. */
static void pointer_leave(struct pl_cuda_memory *memory, void *unused)
{
	(void)unused;
	memory->exported = true;
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData *data, CUdeviceptr address)
{
	struct pl_cuda_cuMemPoolExportPointer_args args = { .address = address };
	struct pl_cuda_cuMemPoolExportPointer_reply got;
	struct pl_cuda_memory memory;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_at(PL_CUDA_OP_cuMemPoolExportPointer, address, &session);
	int r;

	if (result)
		return result;
	if (!data)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_lease_touch(address); /* what was freed is no memory any more */
	r = PL_CUDA_ASK(session, cuMemPoolExportPointer, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemPoolExportPointer_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	if (pl_cuda_memory_find(address, &memory) && memory.kind == PL_CUDA_MEMORY_POOL)
		pl_cuda_memory_change(&memory, pointer_leave, NULL);
	memcpy(data, got.data.all, sizeof(*data));
	return CUDA_SUCCESS;
}

CUresult cuMemPoolImportPointer(CUdeviceptr *address, CUmemoryPool pool, CUmemPoolPtrExportData *data)
{
	struct pl_cuda_memory memory = {
		.kind = PL_CUDA_MEMORY_POOL, .store = PL_ARENA_NONE, .exported = true, .imported = true
	};
	struct pl_cuda_cuMemPoolImportPointer_args args = { 0 };
	struct pl_cuda_cuMemPoolImportPointer_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemPoolImportPointer, PL_CUDA_KIND_pool, pool, &session);
	int r;

	if (result)
		return result;
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (!address || !data || !args.pool)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(args.data.all, data, sizeof(args.data.all));
	r = PL_CUDA_ASK(session, cuMemPoolImportPointer, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemPoolImportPointer_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	memory.address = got.address;
	memory.bytes = got.bytes;
	memory.context = pl_cuda_context_of(session);
	memory.session = session;
	memory.pool = args.pool;
	memory.of_device =
		pl_cuda_pool_device(&pool, memory.context ? memory.context->device : pl_cuda_device_first(session));
	if (got.bytes)
		(void)pl_cuda_memory_enter(&memory); /* where it can not be, its copies are asked */
	*address = got.address;
	return CUDA_SUCCESS;
}
