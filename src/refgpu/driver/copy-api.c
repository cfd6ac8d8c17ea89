/* Copies of two and three dimensions, and to and from arrays, as the API has them. */
#include <string.h>

#include "array.h"
#include "copy.h"
#include "cuda-api.h"

struct end { /* one side of a copy, as all the API's structures say it */
	CUmemorytype type;
	const void *host;
	CUdeviceptr device;
	CUarray array;
	size_t x, y, z, lod, pitch, height;
};

static CUresult array_side(struct pl_cu_side *side, const struct end *end, const struct pl_cu_copy *copy)
{
	struct pl_cu_array *array = pl_cuda_handle_held(end->array, PL_CU_ARRAY);
	uint64_t line;
	if (!array)
		return CUDA_ERROR_INVALID_HANDLE;
	line = array->width * array->element_bytes;
	if (end->lod || end->x > line || copy->columns > line - end->x || end->y > array->height ||
	    copy->lines > array->height - end->y || end->z > array->depth || copy->slices > array->depth - end->z)
		return CUDA_ERROR_INVALID_VALUE;
	*side = (struct pl_cu_side){
		.address = array->mem->va + end->z * array->slice + end->y * array->pitch + end->x,
		.pitch = array->pitch,
		.slice = array->slice,
		.device = true,
	};
	return CUDA_SUCCESS;
}

/* From an end's base to behind its last byte; false: more than an address can count. */
static bool extent_of(const struct end *end, const struct pl_cu_copy *copy, struct pl_cu_side *side,
		      uint64_t *bytes_out)
{
	uint64_t columns, lines, slices, to_slice, to_line;
	if (__builtin_add_overflow(end->x, copy->columns, &columns) ||
	    __builtin_add_overflow(end->y, copy->lines, &lines) ||
	    __builtin_add_overflow(end->z, copy->slices, &slices))
		return false;
	side->pitch = end->pitch ? end->pitch : columns;
	if (__builtin_mul_overflow(side->pitch, end->height ? end->height : lines, &side->slice) ||
	    __builtin_mul_overflow(side->slice, slices - 1, &to_slice) ||
	    __builtin_mul_overflow(side->pitch, lines - 1, &to_line))
		return false;
	return !__builtin_add_overflow(to_slice, to_line, bytes_out) &&
	       !__builtin_add_overflow(*bytes_out, columns, bytes_out);
}

static CUresult linear_side(struct pl_cu_side *side, const struct end *end, const struct pl_cu_copy *copy)
{
	bool host = end->type == CU_MEMORYTYPE_HOST;
	uint64_t base = host ? (uint64_t)(uintptr_t)end->host : end->device;
	uint64_t bytes, skipped;
	if (!extent_of(end, copy, side, &bytes) || base + bytes < base)
		return CUDA_ERROR_INVALID_VALUE;
	if ((copy->lines > 1 || copy->slices > 1) && side->pitch < end->x + copy->columns)
		return CUDA_ERROR_INVALID_VALUE;
	if (copy->slices > 1 && end->height && end->height < end->y + copy->lines)
		return CUDA_ERROR_INVALID_VALUE;
	skipped = end->z * side->slice + end->y * side->pitch + end->x;
	return pl_cu_side_find(side, base + skipped, bytes - skipped, host);
}

static CUresult end_side(struct pl_cu_side *side, const struct end *end, const struct pl_cu_copy *copy)
{
	switch (end->type) {
	case CU_MEMORYTYPE_ARRAY:
		return array_side(side, end, copy);
	case CU_MEMORYTYPE_HOST:
	case CU_MEMORYTYPE_DEVICE:
	case CU_MEMORYTYPE_UNIFIED:
		return linear_side(side, end, copy);
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

static CUresult copy_ends(CUstream handle, const struct end *dst, const struct end *src, size_t columns, size_t lines,
			  size_t slices, bool wait)
{
	struct pl_cu_copy copy = { .columns = columns, .lines = lines, .slices = slices };
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (r || !columns || !lines || !slices)
		return r;
	if ((dst->type == CU_MEMORYTYPE_ARRAY && !pl_cuda_handle_held(dst->array, PL_CU_ARRAY)) ||
	    (src->type == CU_MEMORYTYPE_ARRAY && !pl_cuda_handle_held(src->array, PL_CU_ARRAY)))
		return CUDA_ERROR_INVALID_HANDLE; /* ahead of all else that is wrong */
	r = end_side(&copy.src, src, &copy);
	if (!r)
		r = end_side(&copy.dst, dst, &copy);
	return r ? r : pl_cu_copy_run(stream, &copy, wait);
}

#define END_OF(copy, side)                                                                                             \
	{                                                                                                              \
		.type = (copy)->side##MemoryType, .host = (copy)->side##Host, .device = (copy)->side##Device,          \
		.array = (copy)->side##Array, .x = (copy)->side##XInBytes, .y = (copy)->side##Y,                       \
		.pitch = (copy)->side##Pitch                                                                           \
	}
#define END3_OF(copy, side)                                                                                            \
	{                                                                                                              \
		.type = (copy)->side##MemoryType, .host = (copy)->side##Host, .device = (copy)->side##Device,          \
		.array = (copy)->side##Array, .x = (copy)->side##XInBytes, .y = (copy)->side##Y, .z = (copy)->side##Z, \
		.lod = (copy)->side##LOD, .pitch = (copy)->side##Pitch, .height = (copy)->side##Height                 \
	}

static CUresult copy_2d(CUstream stream, const CUDA_MEMCPY2D *copy, bool wait)
{
	struct end dst, src;
	if (!copy)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	dst = (struct end)END_OF(copy, dst);
	src = (struct end)END_OF(copy, src);
	return copy_ends(stream, &dst, &src, copy->WidthInBytes, copy->Height, 1, wait);
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy)
{
	return copy_2d(NULL, copy, true);
}

CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *copy)
{
	return copy_2d(NULL, copy, true);
}

CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream)
{
	return copy_2d(stream, copy, false);
}

static CUresult copy_3d(CUstream stream, const CUDA_MEMCPY3D *copy, bool wait)
{
	struct end dst, src;
	if (!copy)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	dst = (struct end)END3_OF(copy, dst);
	src = (struct end)END3_OF(copy, src);
	return copy_ends(stream, &dst, &src, copy->WidthInBytes, copy->Height, copy->Depth, wait);
}

CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D *copy)
{
	return copy_3d(NULL, copy, true);
}

CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *copy, CUstream stream)
{
	return copy_3d(stream, copy, false);
}

CUresult pl_cu_copy_resolve(struct pl_cu_copy *copy, const CUDA_MEMCPY3D *api)
{
	struct end dst = END3_OF(api, dst), src = END3_OF(api, src);
	CUresult r;
	*copy = (struct pl_cu_copy){ .columns = api->WidthInBytes, .lines = api->Height, .slices = api->Depth };
	if (!copy->columns || !copy->lines || !copy->slices)
		return CUDA_SUCCESS;
	r = end_side(&copy->src, &src, copy);
	return r ? r : end_side(&copy->dst, &dst, copy);
}

/* All contexts of the process share addresses: a copy between two of them is a copy. */
static CUresult copy_3d_peer(CUstream stream, const CUDA_MEMCPY3D_PEER *copy, bool wait)
{
	struct end dst, src;
	if (!copy)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	if ((copy->dstContext && !pl_cu_ctx_of(copy->dstContext)) ||
	    (copy->srcContext && !pl_cu_ctx_of(copy->srcContext)))
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_CONTEXT;
	dst = (struct end)END3_OF(copy, dst);
	src = (struct end)END3_OF(copy, src);
	return copy_ends(stream, &dst, &src, copy->WidthInBytes, copy->Height, copy->Depth, wait);
}

CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER *copy)
{
	return copy_3d_peer(NULL, copy, true);
}

CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *copy, CUstream stream)
{
	return copy_3d_peer(stream, copy, false);
}

/* -- one dimension, with an array at an end -------------------------------------------------------------------------
 */

/* An array of one dimension, or lines of one of two that are copied whole. */
static CUresult copy_array(CUstream stream, struct end dst, struct end src, size_t bytes, bool wait)
{
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r && ((dst.type == CU_MEMORYTYPE_ARRAY && !pl_cuda_handle_held(dst.array, PL_CU_ARRAY)) ||
		   (src.type == CU_MEMORYTYPE_ARRAY && !pl_cuda_handle_held(src.array, PL_CU_ARRAY))))
		r = CUDA_ERROR_INVALID_HANDLE; /* also where there is nothing to copy */
	return r ? r : copy_ends(stream, &dst, &src, bytes, 1, 1, wait);
}

static struct end of_array(CUarray array, size_t offset)
{
	return (struct end){ .type = CU_MEMORYTYPE_ARRAY, .array = array, .x = offset };
}

static struct end of_device(CUdeviceptr address)
{
	return (struct end){ .type = CU_MEMORYTYPE_DEVICE, .device = address };
}

static struct end of_host(const void *host)
{
	return (struct end){ .type = CU_MEMORYTYPE_HOST, .host = host };
}

CUresult cuMemcpyDtoA_v2(CUarray dst, size_t offset, CUdeviceptr src, size_t bytes)
{
	return copy_array(NULL, of_array(dst, offset), of_device(src), bytes, true);
}

CUresult cuMemcpyAtoD_v2(CUdeviceptr dst, CUarray src, size_t offset, size_t bytes)
{
	return copy_array(NULL, of_device(dst), of_array(src, offset), bytes, true);
}

CUresult cuMemcpyHtoA_v2(CUarray dst, size_t offset, const void *src, size_t bytes)
{
	return copy_array(NULL, of_array(dst, offset), of_host(src), bytes, true);
}

CUresult cuMemcpyAtoH_v2(void *dst, CUarray src, size_t offset, size_t bytes)
{
	return copy_array(NULL, of_host(dst), of_array(src, offset), bytes, true);
}

CUresult cuMemcpyAtoA_v2(CUarray dst, size_t dst_offset, CUarray src, size_t src_offset, size_t bytes)
{
	return copy_array(NULL, of_array(dst, dst_offset), of_array(src, src_offset), bytes, true);
}

CUresult cuMemcpyHtoAAsync_v2(CUarray dst, size_t offset, const void *src, size_t bytes, CUstream stream)
{
	return copy_array(stream, of_array(dst, offset), of_host(src), bytes, false);
}

CUresult cuMemcpyAtoHAsync_v2(void *dst, CUarray src, size_t offset, size_t bytes, CUstream stream)
{
	return copy_array(stream, of_host(dst), of_array(src, offset), bytes, false);
}
