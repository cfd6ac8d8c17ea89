/*
 * Memory in its parts.  An allocation stays charged as long as it has a handle or a map, for so long the driver keeps
 * it; all of this is under the turn.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "backend/cuda/checkpoint.h"
#include "backend/cuda/parts.h"
#include "backend/cuda/swap.h"
#include "base/err.h"
#include "cuda-records.h"

static void part_unref(struct pl_cuda_session *session, struct pl_cuda_part *part)
{
	if (--part->refs)
		return;
	if (part->host)
		munmap(part->host, part->bytes);
	else if (part->ours)
		pl_cuda.cuMemRelease(part->handle);
	pl_cuda_part_unclaim(session, part);
	pl_quota_return(&session->worker->quota, PL_QUOTA_MEMORY, part->bytes);
	free(part);
}

void pl_cuda_serve_cuMemAddressReserve(struct pl_serve *serve, const struct pl_cuda_cuMemAddressReserve_args *args)
{
	struct pl_cuda_cuMemAddressReserve_reply reply = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	uint64_t again = pl_cuda_again_address(pl_cuda_session_of(serve));
	CUdeviceptr address = 0;

	if (pl_cuda.cuMemAddressReserve)
		status = (int32_t)pl_cuda.cuMemAddressReserve(&address, args->bytes, args->alignment,
							      again ? again : args->wanted, args->flags);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.address = address;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemAddressReserve_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemAddressReserve_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* `part` has a reference for the handle; it goes if the handle can not be entered. */
static int32_t part_enter(struct pl_serve *serve, uint64_t id, CUmemGenericAllocationHandle handle,
			  struct pl_cuda_part *part)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_handle entered;

	if (!pl_handles_put(&session->parts, id, PL_CUDA_PART, part, 0, NULL)) {
		if (pl_cuda_put(serve, id, PL_CUDA_KIND_allocation, (void *)(uintptr_t)handle, 0))
			return CUDA_SUCCESS;
		pl_handles_take(&session->parts, id, PL_CUDA_PART, &entered);
	} else if (!part->ours) {
		pl_cuda.cuMemRelease(handle);
	}
	part_unref(session, part);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

int32_t pl_cuda_part_import(struct pl_serve *serve, uint64_t id, CUmemGenericAllocationHandle handle)
{
	struct pl_cuda_part *part = calloc(1, sizeof(*part));

	if (!part) {
		pl_cuda.cuMemRelease(handle);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	part->refs = 1;
	return part_enter(serve, id, handle, part);
}

/* Where others have to give up memory for it, they do. */
static int32_t part_create(struct pl_serve *serve, struct pl_cuda_part *part)
{
	int32_t status = pl_cuda_part_claim(serve, part);

	if (status)
		return status;
	do {
		status = (int32_t)pl_cuda.cuMemCreate(&part->handle, part->bytes, &part->properties, part->flags);
	} while (part->movable && pl_cuda_pressed(serve, status, part->bytes));
	if (status)
		pl_cuda_part_unclaim(pl_cuda_session_of(serve), part);
	return status;
}

void pl_cuda_serve_cuMemCreate(struct pl_serve *serve, const struct pl_cuda_cuMemCreate_args *args)
{
	struct pl_cuda_part *part = calloc(1, sizeof(*part));
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;

	if (part) {
		*part = (struct pl_cuda_part){ .bytes = args->bytes, .refs = 1, .flags = args->flags };
		pl_cuda_allocation_record_give(&part->properties, &args->properties);
		status = CUDA_ERROR_NOT_SUPPORTED; /* also what share.c does not hand on */
		if (pl_cuda.cuMemCreate && pl_cuda.cuMemRelease &&
		    !(part->properties.requestedHandleTypes & ~(uint64_t)CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR))
			status = part_create(serve, part);
	}
	if (status) {
		free(part);
		pl_quota_return(&serve->session->quota, PL_QUOTA_MEMORY, args->bytes);
	} else {
		status = part_enter(serve, args->handle, part->handle, part);
	}
	pl_cuda_result(serve, status, 0);
}

/* The driver's handle of a part that can be moved, or could once, is ours, and goes with the part. */
static int32_t handle_release(struct pl_cuda_session *session, uint64_t id, void *handle)
{
	struct pl_handle part;

	if (pl_handles_get(&session->parts, id, PL_CUDA_PART, &part) && ((struct pl_cuda_part *)part.object)->ours)
		return CUDA_SUCCESS;
	return (int32_t)pl_cuda.cuMemRelease((CUmemGenericAllocationHandle)(uintptr_t)handle);
}

void pl_cuda_serve_cuMemRelease(struct pl_serve *serve, const struct pl_cuda_cuMemRelease_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	struct pl_handle part;
	void *handle;

	if (args->handle && pl_cuda_take(serve, args->handle, PL_CUDA_KIND_allocation, &handle, &status))
		status = handle_release(session, args->handle, handle);
	if (!status) {
		pl_cuda_drop(serve, args->handle, PL_CUDA_KIND_allocation);
		if (pl_handles_take(&session->parts, args->handle, PL_CUDA_PART, &part))
			part_unref(session, part.object);
	}
	pl_cuda_result(serve, status, 0);
}

static int32_t map_note(struct pl_cuda_session *session, const struct pl_cuda_cuMemMap_args *args)
{
	struct pl_cuda_map *map = calloc(1, sizeof(*map));
	struct pl_handle part;

	if (!map || !pl_handles_get(&session->parts, args->handle, PL_CUDA_PART, &part) ||
	    pl_handles_put(&session->maps, args->address, PL_CUDA_MAP, map, 0, NULL)) {
		free(map);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*map = (struct pl_cuda_map){
		.part = part.object, .bytes = args->bytes, .offset = args->offset, .flags = args->flags
	};
	map->part->refs++;
	return CUDA_SUCCESS;
}

void pl_cuda_serve_cuMemMap(struct pl_serve *serve, const struct pl_cuda_cuMemMap_args *args)
{
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	void *handle;

	if (pl_cuda_take(serve, args->handle, PL_CUDA_KIND_allocation, &handle, &status))
		status = pl_cuda.cuMemMap && pl_cuda.cuMemUnmap
				 ? (int32_t)pl_cuda.cuMemMap(args->address, args->bytes, args->offset,
							     (CUmemGenericAllocationHandle)(uintptr_t)handle,
							     args->flags)
				 : CUDA_ERROR_NOT_SUPPORTED;
	if (!status) {
		status = map_note(pl_cuda_session_of(serve), args);
		if (status)
			pl_cuda.cuMemUnmap(args->address, args->bytes);
	}
	pl_cuda_result(serve, status, 0);
}

/* The driver has seen that the range is made of whole maps. */
static void maps_forget(struct pl_cuda_session *session, uint64_t address, uint64_t bytes)
{
	struct pl_handle handle;
	struct pl_cuda_map *map;

	for (uint64_t at = address; at - address < bytes; at += map->bytes, free(map)) {
		if (!pl_handles_take(&session->maps, at, PL_CUDA_MAP, &handle))
			return;
		map = handle.object;
		pl_checkpoint_ended(PL_CUDA_VALUE_MAP | at);
		pl_checkpoint_ended(PL_CUDA_VALUE_ACCESS | at);
		part_unref(session, map->part);
	}
}

void pl_cuda_serve_cuMemUnmap(struct pl_serve *serve, const struct pl_cuda_cuMemUnmap_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (pl_cuda_movable_holds(pl_cuda_session_of(serve), args->address, args->bytes))
		status = CUDA_ERROR_INVALID_VALUE;
	else if (pl_cuda.cuMemUnmap)
		status = (int32_t)pl_cuda.cuMemUnmap(args->address, args->bytes);
	if (!status)
		maps_forget(pl_cuda_session_of(serve), args->address, args->bytes);
	pl_cuda_result(serve, status, 0);
}

struct find {
	uint64_t address;
	struct pl_cuda_part *part;
};

static void map_find(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_map *map = handle->object;
	struct find *find = arg;

	if (find->address - handle->id < map->bytes)
		find->part = map->part;
}

void pl_cuda_serve_cuMemRetainAllocationHandle(struct pl_serve *serve,
					       const struct pl_cuda_cuMemRetainAllocationHandle_args *args)
{
	struct find find = { .address = args->address };
	CUmemGenericAllocationHandle handle = 0;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	pl_handles_each(&pl_cuda_session_of(serve)->maps, map_find, &find);
	if (!find.part) {
		status = CUDA_ERROR_INVALID_VALUE;
	} else if (find.part->ours) {
		handle = find.part->handle;
		status = CUDA_SUCCESS;
	} else if (pl_cuda.cuMemRetainAllocationHandle) {
		status = (int32_t)pl_cuda.cuMemRetainAllocationHandle(&handle, (void *)(uintptr_t)args->address);
	}
	if (!status) {
		find.part->refs++;
		status = part_enter(serve, args->allocation, handle, find.part);
	}
	pl_cuda_result(serve, status, 0);
}
