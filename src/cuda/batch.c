/*
 * Many copies in one call, one after another: for any library that exports the API.  A batch has no order of its own,
 * and no stream but one that the program names.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cuda-api.h"

/* Initialised?  Then, is the stream one for batches? */
static CUresult batch_check(size_t count, CUstream stream)
{
	CUcontext context;
	CUresult r = cuCtxGetCurrent(&context);
	if (r)
		return r;
	return count && stream && stream != CU_STREAM_LEGACY ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static CUresult attributes_check(const CUmemcpyAttributes *attributes, const size_t *indices, size_t n, size_t count)
{
	if (!attributes || !indices || !n || n > count || indices[0])
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < n; i++) {
		if (attributes[i].srcAccessOrder < CU_MEMCPY_SRC_ACCESS_ORDER_STREAM ||
		    attributes[i].srcAccessOrder > CU_MEMCPY_SRC_ACCESS_ORDER_ANY)
			return CUDA_ERROR_INVALID_VALUE;
		if (i && (indices[i] <= indices[i - 1] || indices[i] >= count))
			return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

CUresult cuMemcpyBatchAsync(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
			    CUmemcpyAttributes *attributes, size_t *indices, size_t attributes_count,
			    size_t *failed_index, CUstream stream)
{
	size_t unused, *failed = failed_index ? failed_index : &unused;
	CUresult r = batch_check(count, stream);
	*failed = SIZE_MAX;
	if (!r && (!dsts || !srcs || !sizes))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = attributes_check(attributes, indices, attributes_count, count);
	for (size_t i = 0; i < count && !r; i++) {
		r = cuMemcpyAsync(dsts[i], srcs[i], sizes[i], stream);
		if (r)
			*failed = i;
	}
	return r;
}

CUresult cuMemcpyBatchAsync_v2(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
			       CUmemcpyAttributes *attributes, size_t *indices, size_t attributes_count,
			       CUstream stream)
{
	return cuMemcpyBatchAsync(dsts, srcs, sizes, count, attributes, indices, attributes_count, NULL, stream);
}

/* -- in three dimensions: extents and row lengths are in elements, an array's, or bytes where there is none -----------
 */

static CUresult element_of(const CUmemcpy3DOperand *operand, size_t *bytes)
{
	static const unsigned char of_format[] = {
		[CU_AD_FORMAT_UNSIGNED_INT8] = 1, [CU_AD_FORMAT_UNSIGNED_INT16] = 2, [CU_AD_FORMAT_UNSIGNED_INT32] = 4,
		[CU_AD_FORMAT_SIGNED_INT8] = 1,   [CU_AD_FORMAT_SIGNED_INT16] = 2,   [CU_AD_FORMAT_SIGNED_INT32] = 4,
		[CU_AD_FORMAT_HALF] = 2,          [CU_AD_FORMAT_FLOAT] = 4,
	};
	CUDA_ARRAY3D_DESCRIPTOR array;
	CUresult r;
	if (operand->type == CU_MEMCPY_OPERAND_TYPE_POINTER)
		return CUDA_SUCCESS;
	if (operand->type != CU_MEMCPY_OPERAND_TYPE_ARRAY)
		return CUDA_ERROR_INVALID_VALUE;
	r = cuArray3DGetDescriptor_v2(&array, operand->op.array.array);
	if (r)
		return r;
	if ((size_t)array.Format >= sizeof(of_format) || !of_format[array.Format])
		return CUDA_ERROR_NOT_SUPPORTED;
	*bytes = of_format[array.Format] * array.NumChannels;
	return CUDA_SUCCESS;
}

static void src_set(CUDA_MEMCPY3D *copy, const CUmemcpy3DOperand *operand, size_t element)
{
	if (operand->type == CU_MEMCPY_OPERAND_TYPE_ARRAY) {
		copy->srcMemoryType = CU_MEMORYTYPE_ARRAY;
		copy->srcArray = operand->op.array.array;
		copy->srcXInBytes = operand->op.array.offset.x * element;
		copy->srcY = operand->op.array.offset.y;
		copy->srcZ = operand->op.array.offset.z;
		return;
	}
	copy->srcMemoryType = CU_MEMORYTYPE_UNIFIED;
	copy->srcDevice = operand->op.ptr.ptr;
	copy->srcPitch = operand->op.ptr.rowLength ? operand->op.ptr.rowLength * element : copy->WidthInBytes;
	copy->srcHeight = operand->op.ptr.layerHeight ? operand->op.ptr.layerHeight : copy->Height;
}

static void dst_set(CUDA_MEMCPY3D *copy, const CUmemcpy3DOperand *operand, size_t element)
{
	if (operand->type == CU_MEMCPY_OPERAND_TYPE_ARRAY) {
		copy->dstMemoryType = CU_MEMORYTYPE_ARRAY;
		copy->dstArray = operand->op.array.array;
		copy->dstXInBytes = operand->op.array.offset.x * element;
		copy->dstY = operand->op.array.offset.y;
		copy->dstZ = operand->op.array.offset.z;
		return;
	}
	copy->dstMemoryType = CU_MEMORYTYPE_UNIFIED;
	copy->dstDevice = operand->op.ptr.ptr;
	copy->dstPitch = operand->op.ptr.rowLength ? operand->op.ptr.rowLength * element : copy->WidthInBytes;
	copy->dstHeight = operand->op.ptr.layerHeight ? operand->op.ptr.layerHeight : copy->Height;
}

/* Whether an address can count the bytes before an operand's first element, or of its lines. */
static bool is_countable(const CUmemcpy3DOperand *operand, size_t element)
{
	bool array = operand->type == CU_MEMCPY_OPERAND_TYPE_ARRAY;
	return (array ? operand->op.array.offset.x : operand->op.ptr.rowLength) <= SIZE_MAX / element;
}

static CUresult copy_one(const CUDA_MEMCPY3D_BATCH_OP *op, CUstream stream)
{
	size_t of_src = 1, of_dst = 1, element;
	CUDA_MEMCPY3D copy = { .Height = op->extent.height, .Depth = op->extent.depth };
	CUresult r = element_of(&op->src, &of_src);
	if (!r)
		r = element_of(&op->dst, &of_dst);
	if (r)
		return r;
	element = op->src.type == CU_MEMCPY_OPERAND_TYPE_ARRAY ? of_src : of_dst;
	if (op->dst.type != CU_MEMCPY_OPERAND_TYPE_ARRAY)
		of_dst = element;
	if (op->extent.width > SIZE_MAX / element || !is_countable(&op->src, element) ||
	    !is_countable(&op->dst, of_dst))
		return CUDA_ERROR_INVALID_VALUE;
	copy.WidthInBytes = op->extent.width * element;
	src_set(&copy, &op->src, element);
	dst_set(&copy, &op->dst, of_dst);
	return cuMemcpy3DAsync_v2(&copy, stream);
}

CUresult cuMemcpy3DBatchAsync(size_t count, CUDA_MEMCPY3D_BATCH_OP *operations, size_t *failed_index,
			      unsigned long long flags, CUstream stream)
{
	size_t unused, *failed = failed_index ? failed_index : &unused;
	CUresult r = batch_check(count, stream);
	*failed = SIZE_MAX;
	if (!r && (!operations || flags))
		r = CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < count && !r; i++) {
		r = copy_one(&operations[i], stream);
		if (r)
			*failed = i;
	}
	return r;
}

CUresult cuMemcpy3DBatchAsync_v2(size_t count, CUDA_MEMCPY3D_BATCH_OP *operations, unsigned long long flags,
				 CUstream stream)
{
	return cuMemcpy3DBatchAsync(count, operations, NULL, flags, stream);
}
