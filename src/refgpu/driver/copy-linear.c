/* Copies and fills of one dimension, and fills of two, as the API has them. */
#include "copy.h"
#include "cuda-api.h"
#include "mem.h"

static uint64_t address_of(const void *host)
{
	return (uint64_t)(uintptr_t)host;
}

CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	return pl_cu_copy_linear(NULL, dst, false, src, false, bytes, true);
}

CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	return pl_cu_copy_linear(stream, dst, false, src, false, bytes, false);
}

/* A device address that reaches nothing must not be taken for the host's. */
static CUresult device_check(CUstream handle, CUdeviceptr address, size_t bytes)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (r || !bytes)
		return r;
	return pl_cu_mem_reaches(address, bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr dst, const void *src, size_t bytes)
{
	CUresult r = device_check(NULL, dst, bytes);
	return r ? r : pl_cu_copy_linear(NULL, dst, false, address_of(src), true, bytes, true);
}

CUresult cuMemcpyDtoH_v2(void *dst, CUdeviceptr src, size_t bytes)
{
	CUresult r = device_check(NULL, src, bytes);
	return r ? r : pl_cu_copy_linear(NULL, address_of(dst), true, src, false, bytes, true);
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr dst, CUdeviceptr src, size_t bytes)
{
	CUresult r = device_check(NULL, dst, bytes);
	if (!r)
		r = device_check(NULL, src, bytes);
	return r ? r : pl_cu_copy_linear(NULL, dst, false, src, false, bytes, true);
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dst, const void *src, size_t bytes, CUstream stream)
{
	CUresult r = device_check(stream, dst, bytes);
	return r ? r : pl_cu_copy_linear(stream, dst, false, address_of(src), true, bytes, false);
}

CUresult cuMemcpyDtoHAsync_v2(void *dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	CUresult r = device_check(stream, src, bytes);
	return r ? r : pl_cu_copy_linear(stream, address_of(dst), true, src, false, bytes, false);
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream)
{
	CUresult r = device_check(stream, dst, bytes);
	if (!r)
		r = device_check(stream, src, bytes);
	return r ? r : pl_cu_copy_linear(stream, dst, false, src, false, bytes, false);
}

static CUresult contexts_check(CUcontext dst, CUcontext src)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	return pl_cu_ctx_of(dst) && pl_cu_ctx_of(src) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuMemcpyPeer(CUdeviceptr dst, CUcontext dst_ctx, CUdeviceptr src, CUcontext src_ctx, size_t bytes)
{
	CUresult r = contexts_check(dst_ctx, src_ctx);
	return r ? r : cuMemcpyDtoD_v2(dst, src, bytes);
}

CUresult cuMemcpyPeerAsync(CUdeviceptr dst, CUcontext dst_ctx, CUdeviceptr src, CUcontext src_ctx, size_t bytes,
			   CUstream stream)
{
	CUresult r = contexts_check(dst_ctx, src_ctx);
	return r ? r : cuMemcpyDtoDAsync_v2(dst, src, bytes, stream);
}

/* -- fills --------------------------------------------------------------------------------------------------------- */

CUresult pl_cu_fill_check(const struct pl_cu_fill *fill)
{
	uint64_t columns, whole;
	if (fill->address % fill->bytes || __builtin_mul_overflow(fill->elements, fill->bytes, &columns) ||
	    (fill->lines > 1 && (fill->pitch < columns || fill->pitch % fill->bytes)) ||
	    __builtin_mul_overflow(fill->lines - 1, fill->pitch, &whole) ||
	    __builtin_add_overflow(whole, columns, &whole) || !pl_cu_mem_reaches(fill->address, whole))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

static CUresult fill(CUstream handle, CUdeviceptr address, size_t pitch, uint32_t value, uint32_t bytes,
		     size_t elements, size_t lines, bool wait)
{
	struct pl_cu_fill what = {
		.address = address, .pitch = pitch, .value = value, .bytes = bytes, .elements = elements, .lines = lines
	};
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (r || !elements || !lines)
		return r;
	r = pl_cu_fill_check(&what);
	return r ? r : pl_cu_fill_run(stream, &what, wait);
}

CUresult cuMemsetD8_v2(CUdeviceptr address, unsigned char value, size_t n)
{
	return fill(NULL, address, 0, value, 1, n, 1, true);
}

CUresult cuMemsetD16_v2(CUdeviceptr address, unsigned short value, size_t n)
{
	return fill(NULL, address, 0, value, 2, n, 1, true);
}

CUresult cuMemsetD32_v2(CUdeviceptr address, unsigned int value, size_t n)
{
	return fill(NULL, address, 0, value, 4, n, 1, true);
}

CUresult cuMemsetD2D8_v2(CUdeviceptr address, size_t pitch, unsigned char value, size_t width, size_t height)
{
	return fill(NULL, address, pitch, value, 1, width, height, true);
}

CUresult cuMemsetD2D16_v2(CUdeviceptr address, size_t pitch, unsigned short value, size_t width, size_t height)
{
	return fill(NULL, address, pitch, value, 2, width, height, true);
}

CUresult cuMemsetD2D32_v2(CUdeviceptr address, size_t pitch, unsigned int value, size_t width, size_t height)
{
	return fill(NULL, address, pitch, value, 4, width, height, true);
}

CUresult cuMemsetD8Async(CUdeviceptr address, unsigned char value, size_t n, CUstream stream)
{
	return fill(stream, address, 0, value, 1, n, 1, false);
}

CUresult cuMemsetD16Async(CUdeviceptr address, unsigned short value, size_t n, CUstream stream)
{
	return fill(stream, address, 0, value, 2, n, 1, false);
}

CUresult cuMemsetD32Async(CUdeviceptr address, unsigned int value, size_t n, CUstream stream)
{
	return fill(stream, address, 0, value, 4, n, 1, false);
}

CUresult cuMemsetD2D8Async(CUdeviceptr address, size_t pitch, unsigned char value, size_t width, size_t height,
			   CUstream stream)
{
	return fill(stream, address, pitch, value, 1, width, height, false);
}

CUresult cuMemsetD2D16Async(CUdeviceptr address, size_t pitch, unsigned short value, size_t width, size_t height,
			    CUstream stream)
{
	return fill(stream, address, pitch, value, 2, width, height, false);
}

CUresult cuMemsetD2D32Async(CUdeviceptr address, size_t pitch, unsigned int value, size_t width, size_t height,
			    CUstream stream)
{
	return fill(stream, address, pitch, value, 4, width, height, false);
}
