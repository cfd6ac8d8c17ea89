/* What memory contains that no swap moves: host memory of the driver's, and arrays.  And events: each has something to
 * be waited for. */
#include <stdlib.h>

#include "backend/cuda/checkpoint.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

/* ---- ids of a kind, for who calls the driver about each ---- */

struct list {
	struct pl_handle *at; /* copies; owned */
	size_t count, room;
	uint32_t kind; /* 0: any */
};

static void list_free(struct list *list)
{
	free(list->at);
}

static void list_add(struct pl_handle *handle, void *arg)
{
	struct list *list = arg;

	if ((!list->kind || handle->kind == list->kind) && !handle->failed && list->count < list->room)
		list->at[list->count++] = *handle;
}

/* Return: false: no memory. */
static bool list_make(struct list *list, struct pl_handles *handles, uint32_t kind)
{
	*list = (struct list){ .room = handles->count, .kind = kind };
	list->at = calloc(list->room + 1, sizeof(*list->at));
	if (list->at)
		pl_handles_each(handles, list_add, list);
	return list->at;
}

/* ---- arrays ---- */

/* An array, or a level of a mipmapped one. */
struct texels {
	CUarray array;
	CUDA_ARRAY3D_DESCRIPTOR desc;
	uint64_t row_bytes, rows, slices;
};

/* Return: bytes of an element's channel; 0: not known here. */
static uint64_t channel_bytes(CUarray_format format)
{
	switch (format) {
	case CU_AD_FORMAT_UNSIGNED_INT8:
	case CU_AD_FORMAT_SIGNED_INT8:
		return 1;
	case CU_AD_FORMAT_UNSIGNED_INT16:
	case CU_AD_FORMAT_SIGNED_INT16:
	case CU_AD_FORMAT_HALF:
		return 2;
	case CU_AD_FORMAT_UNSIGNED_INT32:
	case CU_AD_FORMAT_SIGNED_INT32:
	case CU_AD_FORMAT_FLOAT:
		return 4;
	default:
		return 0;
	}
}

static bool texels_open(struct texels *texels, CUarray array)
{
	uint64_t bytes;

	texels->array = array;
	if (!pl_cuda.cuArray3DGetDescriptor_v2 || !pl_cuda.cuMemcpy3D_v2 ||
	    pl_cuda.cuArray3DGetDescriptor_v2(&texels->desc, array))
		return false;
	bytes = channel_bytes(texels->desc.Format) * texels->desc.NumChannels;
	if (!bytes || texels->desc.Flags & CUDA_ARRAY3D_SPARSE || texels->desc.Flags & CUDA_ARRAY3D_DEFERRED_MAPPING)
		return false;
	texels->row_bytes = bytes * texels->desc.Width;
	texels->rows = texels->desc.Height ? texels->desc.Height : 1;
	texels->slices = texels->desc.Depth ? texels->desc.Depth : 1;
	return true;
}

static CUresult slice_copy(const struct texels *texels, uint64_t slice, void *host, bool to_host)
{
	CUDA_MEMCPY3D copy = { .WidthInBytes = texels->row_bytes, .Height = texels->rows, .Depth = 1 };

	if (to_host) {
		copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
		copy.srcArray = texels->array;
		copy.srcZ = slice;
		copy.dstMemoryType = CU_MEMORYTYPE_HOST;
		copy.dstHost = host;
		copy.dstPitch = texels->row_bytes;
		copy.dstHeight = texels->rows;
	} else {
		copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
		copy.dstArray = texels->array;
		copy.dstZ = slice;
		copy.srcMemoryType = CU_MEMORYTYPE_HOST;
		copy.srcHost = host;
		copy.srcPitch = texels->row_bytes;
		copy.srcHeight = texels->rows;
	}
	return pl_cuda.cuMemcpy3D_v2(&copy);
}

static int texels_move(const struct texels *texels, struct pl_checkpoint_file *file, bool saves)
{
	uint64_t bytes = texels->row_bytes * texels->rows;
	pl_cleanup(pl_freep) void *host = malloc(bytes + 1);
	int r = host ? 0 : pl_err(-ENOMEM);

	for (uint64_t i = 0; !r && i < texels->slices; i++) {
		if (!saves)
			r = pl_checkpoint_get(file, host, bytes);
		if (!r && slice_copy(texels, i, host, saves))
			r = pl_err(-EIO);
		if (!r && saves)
			r = pl_checkpoint_put(file, host, bytes);
	}
	return pl_trace(r);
}

/* The n-th level; of an array there is one.  Return: there is such a level. */
static bool level_get(const struct pl_handle *handle, unsigned int n, CUarray *array_out)
{
	if (handle->kind == PL_CUDA_KIND_array) {
		*array_out = handle->object;
		return !n;
	}
	return pl_cuda.cuMipmappedArrayGetLevel && !pl_cuda.cuMipmappedArrayGetLevel(array_out, handle->object, n);
}

/* file NULL: looks whether it could.  Return: 0; -EOPNOTSUPP: it is of a kind that is not known here; other fatal. */
static int array_move(const struct pl_handle *handle, struct pl_checkpoint_file *file, bool saves)
{
	struct texels texels;
	CUarray array = NULL;
	int r = 0;

	for (unsigned int n = 0; !r && level_get(handle, n, &array); n++) {
		if (!texels_open(&texels, array))
			return -EOPNOTSUPP;
		if (file)
			r = texels_move(&texels, file, saves);
	}
	return pl_trace(r);
}

/* Each with its context. */
static int array_each(struct pl_cuda_session *session, struct pl_checkpoint_file *file, const struct pl_handle *noted,
		      bool saves)
{
	struct pl_handle handle;
	int r;

	if (!pl_handles_get(&session->worker->handles, noted->id, noted->kind, &handle) || handle.failed)
		return -EOPNOTSUPP;
	if (!pl_cuda_context_push(session, (uintptr_t)handle.extra))
		return -EOPNOTSUPP;
	r = array_move(&handle, file, saves);
	pl_cuda_context_pop();
	return r;
}

const char *pl_cuda_arrays_why(struct pl_cuda_session *session)
{
	pl_cleanup(list_free) struct list list;
	int r = list_make(&list, &session->arrays, 0) ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < list.count; i++)
		r = array_each(session, NULL, &list.at[i], true);
	return r ? "it has an array of a kind whose content can not be read here" : NULL;
}

static int arrays_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	pl_cleanup(list_free) struct list list;
	int r = list_make(&list, &session->arrays, 0) ? pl_checkpoint_put_u64(file, list.count) : pl_err(-ENOMEM);

	for (size_t i = 0; !r && i < list.count; i++) {
		r = pl_checkpoint_put_u64(file, list.at[i].id);
		if (!r)
			r = pl_checkpoint_put_u64(file, list.at[i].kind);
		if (!r)
			r = array_each(session, file, &list.at[i], true);
	}
	return pl_trace(r);
}

static int arrays_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	uint64_t count, kind;
	int r = pl_checkpoint_get_u64(file, PL_HANDLES_MAX, &count);

	for (uint64_t i = 0; !r && i < count; i++) {
		struct pl_handle noted = { 0 };

		r = pl_checkpoint_get_u64(file, UINT64_MAX, &noted.id);
		if (!r)
			r = pl_checkpoint_get_u64(file, UINT32_MAX, &kind);
		if (!r) {
			noted.kind = (uint32_t)kind;
			r = array_each(session, file, &noted, false);
		}
	}
	return pl_trace(r);
}

/* ---- events ---- */

/* Which had been recorded the driver does not say.  One that was not has nothing to be waited for; now it has a time.
 */
static int events_record(struct pl_cuda_session *session)
{
	pl_cleanup(list_free) struct list list;

	if (!list_make(&list, &session->worker->handles, PL_CUDA_KIND_event))
		return pl_err(-ENOMEM);
	for (size_t i = 0; i < list.count; i++) {
		if (!pl_cuda_context_push(session, (uintptr_t)list.at[i].extra))
			continue;
		if (!pl_cuda.cuEventRecord || pl_cuda.cuEventRecord(list.at[i].object, NULL))
			pl_log_info("event 0x%llx is as if it had never been recorded",
				    (unsigned long long)list.at[i].id);
		pl_cuda_context_pop();
	}
	return 0;
}

/* What was begun meanwhile has ended. */
static int contexts_settle(struct pl_cuda_session *session)
{
	pl_cleanup(list_free) struct list list;
	int r = list_make(&list, &session->worker->handles, PL_CUDA_KIND_context) ? 0 : pl_err(-ENOMEM);

	for (size_t i = 0; !r && i < list.count; i++) {
		if (!pl_cuda_context_push(session, list.at[i].id))
			return pl_err(-EIO);
		if (pl_cuda.cuCtxSynchronize && pl_cuda.cuCtxSynchronize())
			r = pl_err(-EIO);
		pl_cuda_context_pop();
	}
	return pl_trace(r);
}

/* ---- all of it ---- */

int pl_cuda_content_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	int r = pl_cuda_hosts_save(session, file);

	return r ? pl_trace(r) : pl_trace(arrays_save(session, file));
}

int pl_cuda_content_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	int r = pl_cuda_hosts_load(session, file);

	if (!r)
		r = arrays_load(session, file);
	if (!r)
		r = events_record(session);
	return r ? pl_trace(r) : pl_trace(contexts_settle(session));
}
