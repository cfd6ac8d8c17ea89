/* Memory: allocation, host memory, copies and fills of every shape, what an address can be asked, and bad input. */
#include <stdint.h>

#include "cu.h"

enum { N = 1 << 16 };

static void fill_host(unsigned char *at, size_t bytes, unsigned int seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)(seed + i * 7 + i / 251);
}

static void test_what_is_copied_there_and_back_is_the_same(void)
{
	unsigned char *out = malloc(N), *in = malloc(N);
	CUdeviceptr a, b;
	fill_host(out, N, 1);
	cu_ok(cu(cuMemAlloc_v2)(&a, N));
	cu_ok(cu(cuMemAlloc_v2)(&b, N));
	cu_ok(cu(cuMemcpyHtoD_v2)(a, out, N));
	cu_ok(cu(cuMemcpyDtoD_v2)(b, a, N));
	cu_ok(cu(cuMemcpyDtoH_v2)(in, b, N));
	check(!memcmp(in, out, N));
	memset(in, 0, N);
	cu_ok(cu(cuMemcpy)((CUdeviceptr)(uintptr_t)in, b + 100, N - 100));
	check(!memcmp(in, out + 100, N - 100));
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuMemFree_v2)(b));
	free(in);
	free(out);
}

static void test_asynchronous_copies_are_done_when_their_stream_is(void)
{
	unsigned char *pinned, *plain = malloc(8 * N), *back = malloc(8 * N);
	CUstream stream;
	CUdeviceptr a;
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemHostAlloc)((void **)&pinned, 8 * N, 0));
	cu_ok(cu(cuMemAlloc_v2)(&a, 8 * N));
	fill_host(pinned, 8 * N, 3);
	memcpy(plain, pinned, 8 * N);
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(a, pinned, 8 * N, stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(back, a, 8 * N, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(!memcmp(back, plain, 8 * N));
	fill_host(plain, 8 * N, 9);
	for (int i = 0; i < 8; i++) { /* small ones from pageable memory, which may be written again at once */
		unsigned char piece[1000];
		memcpy(piece, plain + i * 1000, 1000);
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(a + (CUdeviceptr)i * 1000, piece, 1000, stream));
		memset(piece, 0, 1000);
	}
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, a, 8000, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(!memcmp(pinned, plain, 8000));
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	free(plain);
	free(back);
}

static void test_lines_with_pitches_keep_their_place(void)
{
	enum { WIDTH = 100, HEIGHT = 37, HOST_PITCH = 128 };
	unsigned char out[HOST_PITCH * HEIGHT], in[HOST_PITCH * HEIGHT];
	CUDA_MEMCPY2D copy = { 0 };
	CUdeviceptr a;
	size_t pitch;
	cu_ok(cu(cuMemAllocPitch_v2)(&a, &pitch, WIDTH, HEIGHT, 4));
	check(pitch >= WIDTH && pitch % 32 == 0);
	fill_host(out, sizeof(out), 5);
	copy.srcMemoryType = CU_MEMORYTYPE_HOST;
	copy.srcHost = out;
	copy.srcPitch = HOST_PITCH;
	copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.dstDevice = a;
	copy.dstPitch = pitch;
	copy.WidthInBytes = WIDTH;
	copy.Height = HEIGHT;
	cu_ok(cu(cuMemcpy2D_v2)(&copy));
	memset(in, 0xee, sizeof(in));
	memset(&copy, 0, sizeof(copy));
	copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.srcDevice = a;
	copy.srcPitch = pitch;
	copy.srcXInBytes = 10;
	copy.srcY = 5;
	copy.dstMemoryType = CU_MEMORYTYPE_HOST;
	copy.dstHost = in;
	copy.dstPitch = HOST_PITCH;
	copy.dstXInBytes = 3;
	copy.dstY = 2;
	copy.WidthInBytes = 50;
	copy.Height = 20;
	cu_ok(cu(cuMemcpy2DAsync_v2)(&copy, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < HOST_PITCH; x++) {
			bool inside = y >= 2 && y < 22 && x >= 3 && x < 53;
			unsigned char want = inside ? out[(y + 3) * HOST_PITCH + x + 7] : 0xee;
			check(in[y * HOST_PITCH + x] == want);
		}
	cu_ok(cu(cuMemFree_v2)(a));
}

static void test_boxes_keep_their_place(void)
{
	enum { W = 20, H = 7, D = 5 };
	unsigned char out[W * H * D], in[W * H * D];
	CUDA_MEMCPY3D copy = { 0 };
	CUdeviceptr a;
	cu_ok(cu(cuMemAlloc_v2)(&a, 64 * 16 * D));
	fill_host(out, sizeof(out), 8);
	copy.srcMemoryType = CU_MEMORYTYPE_HOST;
	copy.srcHost = out;
	copy.srcPitch = W;
	copy.srcHeight = H;
	copy.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
	copy.dstDevice = a;
	copy.dstPitch = 64;
	copy.dstHeight = 16;
	copy.WidthInBytes = W;
	copy.Height = H;
	copy.Depth = D;
	cu_ok(cu(cuMemcpy3D_v2)(&copy));
	memset(in, 0, sizeof(in));
	memset(&copy, 0, sizeof(copy));
	copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.srcDevice = a;
	copy.srcPitch = 64;
	copy.srcHeight = 16;
	copy.srcZ = 1;
	copy.dstMemoryType = CU_MEMORYTYPE_HOST;
	copy.dstHost = in;
	copy.dstPitch = W;
	copy.dstHeight = H;
	copy.WidthInBytes = W;
	copy.Height = H;
	copy.Depth = D - 1;
	cu_ok(cu(cuMemcpy3D_v2)(&copy));
	check(!memcmp(in, out + W * H, W * H * (D - 1)));
	cu_ok(cu(cuMemFree_v2)(a));
}

static void test_boxes_whose_sizes_wrap_are_refused(void)
{
	static const CUDA_MEMCPY3D wrong[] = {
		{ .srcPitch = 1 << 24, .srcHeight = 1, .Height = (1ull << 40) + 1, .Depth = 1 },
		{ .srcPitch = 1 << 24, .srcHeight = 1, .srcY = 1ull << 40, .Height = 1, .Depth = 1 },
		{ .srcPitch = 64, .srcXInBytes = SIZE_MAX - 15, .Height = 1, .Depth = 1 },
		{ .srcPitch = 64, .srcHeight = 4, .srcY = SIZE_MAX, .Height = 1, .Depth = 1 },
		{ .srcPitch = 64, .srcHeight = 4, .srcZ = SIZE_MAX, .Height = 1, .Depth = 1 },
		{ .srcPitch = 64, .srcHeight = 1ull << 56, .srcZ = 1ull << 2, .Height = 1, .Depth = 1 },
		{ .srcPitch = 1ull << 63, .srcHeight = 1, .srcZ = 1, .srcY = 1, .Height = 1, .Depth = 1 },
	};
	static unsigned char host[4096];
	CUdeviceptr a;
	cu_ok(cu(cuMemAlloc_v2)(&a, 65536));
	for (size_t i = 0; i < 2 * sizeof(wrong) / sizeof(wrong[0]); i++) {
		CUDA_MEMCPY3D copy = wrong[i / 2];
		copy.srcMemoryType = i % 2 ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
		copy.srcHost = host + 1024;
		copy.srcDevice = a + 1024;
		copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
		copy.dstDevice = a + 32768;
		copy.dstPitch = copy.Height > 1 ? copy.srcPitch : 0;
		copy.dstHeight = copy.Height > 1 ? copy.srcHeight : 0;
		copy.WidthInBytes = 16;
		cu_is(cu(cuMemcpy3DAsync_v2)(&copy, NULL), CUDA_ERROR_INVALID_VALUE);
	}
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemFree_v2)(a));
}

static void test_fills_write_their_pattern_and_nothing_else(void)
{
	unsigned int in[1024];
	unsigned short in16[64];
	CUdeviceptr a;
	cu_ok(cu(cuMemAlloc_v2)(&a, sizeof(in)));
	cu_ok(cu(cuMemsetD32_v2)(a, 0xdeadbeef, 1024));
	cu_ok(cu(cuMemsetD8_v2)(a + 5, 0x11, 3));
	cu_ok(cu(cuMemsetD16_v2)(a + 16, 0x2233, 2));
	cu_ok(cu(cuMemsetD2D32_v2)(a + 256, 128, 7, 3, 4));
	cu_ok(cu(cuMemsetD2D8Async)(a + 2048, 64, 9, 10, 3, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(in, a, sizeof(in)));
	check(in[0] == 0xdeadbeef && in[1] == 0x111111ef && in[4] == 0x22332233 && in[5] == 0xdeadbeef);
	for (int y = 0; y < 4; y++)
		check(in[64 + y * 32] == 7 && in[66 + y * 32] == 7 && in[67 + y * 32] == 0xdeadbeef);
	check(in[512] == 0x09090909 && in[514] == 0xdead0909 && in[528] == 0x09090909 && in[560] == 0xdeadbeef);
	cu_ok(cu(cuMemcpyDtoH_v2)(in16, a + 16, 4));
	check(in16[0] == 0x2233 && in16[1] == 0x2233);
	cu_ok(cu(cuMemFree_v2)(a));
}

static void test_addresses_say_what_they_are(void)
{
	unsigned int type = 0, managed = 7;
	CUdeviceptr a, base, at;
	size_t bytes;
	void *host, *found;
	int ordinal = 9;
	cu_ok(cu(cuMemAlloc_v2)(&a, 1000));
	cu_ok(cu(cuMemGetAddressRange_v2)(&base, &bytes, a + 999));
	check(base == a && bytes == 1000);
	cu_ok(cu(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, a + 5));
	check(type == CU_MEMORYTYPE_DEVICE);
	cu_ok(cu(cuMemHostAlloc)(&host, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, host, 0));
	cu_ok(cu(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (CUdeviceptr)(uintptr_t)host));
	check(type == CU_MEMORYTYPE_HOST);
	cu_ok(cu(cuPointerGetAttribute)(&found, CU_POINTER_ATTRIBUTE_HOST_POINTER, at));
	check(found == host);
	cu_ok(cu(cuMemAllocManaged)(&base, 4096, CU_MEM_ATTACH_GLOBAL));
	cu_ok(cu(cuPointerGetAttribute)(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, base));
	check(managed == 1);
	for (unsigned int on = 0; on < 2; on++) {
		cu_ok(cu(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, base));
		cu_ok(cu(cuPointerGetAttribute)(&managed, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, base));
		check(managed == on);
	}
	cu_ok(cu(cuPointerGetAttribute)(&ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, a));
	check(ordinal == 0);
	cu_is(cu(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (CUdeviceptr)(uintptr_t)&type),
	      CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(base));
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(a));
}

static void test_registered_memory_is_the_devices_too(void)
{
	unsigned char *own = aligned_alloc(4096, 3 * 4096), back[100];
	CUdeviceptr a, at;
	fill_host(own, 3 * 4096, 2);
	cu_ok(cu(cuMemHostRegister_v2)(own, 3 * 4096, CU_MEMHOSTREGISTER_DEVICEMAP));
	cu_is(cu(cuMemHostRegister_v2)(own, 4096, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, own + 100, 0));
	cu_ok(cu(cuMemAlloc_v2)(&a, 100));
	cu_ok(cu(cuMemcpyDtoD_v2)(a, at, 100));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, a, 100));
	check(!memcmp(back, own + 100, 100));
	cu_is(cu(cuMemHostUnregister)(own + 4096), CUDA_ERROR_INVALID_VALUE); /* it begins elsewhere */
	cu_ok(cu(cuMemHostUnregister)(own));
	cu_is(cu(cuMemHostUnregister)(own), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
	cu_ok(cu(cuMemFree_v2)(a));
	free(own);
}

static void test_bad_input_is_told(void)
{
	unsigned char host[16];
	size_t free_bytes, total;
	CUmemoryPool pool;
	CUdeviceptr a;
	cu_is(cu(cuMemAlloc_v2)(NULL, 16), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemAlloc_v2)(&a, 0), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemAllocAsync)(&a, 0, NULL)); /* as programs of NVIDIA's expect */
	check(!a);
	cu_ok(cu(cuMemFreeAsync)(a, NULL)); /* and free, before they have allocated */
	cu_ok(cu(cuDeviceGetMemPool)(&pool, 0));
	a = 1;
	cu_ok(cu(cuMemAllocFromPoolAsync)(&a, 0, pool, NULL));
	check(!a);
	cu_ok(cu(cuMemGetInfo_v2)(&free_bytes, &total));
	check(free_bytes && free_bytes <= total);
	cu_is(cu(cuMemAlloc_v2)(&a, total * 4), CUDA_ERROR_OUT_OF_MEMORY);
	cu_is(cu(cuMemAlloc_v2)(&a, SIZE_MAX), CUDA_ERROR_OUT_OF_MEMORY);
	cu_ok(cu(cuMemAlloc_v2)(&a, 16));
	cu_is(cu(cuMemcpyDtoH_v2)(host, 0x1234, 16), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemFree_v2)(a + 4), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(0));
	cu_ok(cu(cuMemFree_v2)(a));
	cu_is(cu(cuMemFree_v2)(a), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemHostAlloc)((void **)&a, 16, 0x100), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemFreeHost)(host), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemAllocManaged)(&a, 16, 0), CUDA_ERROR_INVALID_VALUE);
}

/* All of the memory in pieces, some of them freed, and again: it comes back. */
static void test_memory_that_is_freed_comes_back(void)
{
	enum { PIECES = 24 };
	CUdeviceptr piece[PIECES];
	size_t before, after, total;
	cu_ok(cu(cuMemGetInfo_v2)(&before, &total));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < PIECES; i++)
			cu_ok(cu(cuMemAlloc_v2)(&piece[i], before / (PIECES + 2)));
		for (int i = 0; i < PIECES; i += 2)
			cu_ok(cu(cuMemFree_v2)(piece[i]));
		cu_ok(cu(cuMemAlloc_v2)(&piece[0], before / 4));
		for (int i = 1; i < PIECES; i += 2)
			cu_ok(cu(cuMemFree_v2)(piece[i]));
		cu_ok(cu(cuMemFree_v2)(piece[0]));
	}
	cu_ok(cu(cuMemGetInfo_v2)(&after, &total));
	check(after + (64u << 20) >= before);
}

static void test_advice_is_kept(void)
{
	CUdeviceptr a;
	int value = 5;
	cu_ok(cu(cuMemAllocManaged)(&a, 1 << 20, CU_MEM_ATTACH_GLOBAL));
	memset((void *)(uintptr_t)a, 3, 1 << 20);
	cu_ok(cu(cuMemAdvise)(a, 1 << 20, CU_MEM_ADVISE_SET_READ_MOSTLY, 0));
	cu_ok(cu(cuMemRangeGetAttribute)(&value, sizeof(value), CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, a, 1 << 20));
	check(value == 1);
	cu_ok(cu(cuMemPrefetchAsync)(a, 1 << 20, 0, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemRangeGetAttribute)(&value, sizeof(value), CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION, a,
					 1 << 20));
	check(value == 0);
	cu_ok(cu(cuMemFree_v2)(a));
}

/* Copies and fills of all lengths end with the memory that they begin in, whatever lies behind it. */
static void ends_are_kept(unsigned char *const *host, const CUdeviceptr *at, int count, CUdeviceptr from)
{
	for (int i = 0; i < count; i++)
		memset(host[i], i, 4096);
	for (int i = 0; i < count; i++) {
		for (size_t bytes = 4097; bytes < 1 << 16; bytes += 4095) {
			cu_is(cu(cuMemcpyDtoD_v2)(at[i], from, bytes), CUDA_ERROR_INVALID_VALUE);
			cu_is(cu(cuMemsetD8_v2)(at[i], 0x66, bytes), CUDA_ERROR_INVALID_VALUE);
		}
		cu_is(cu(cuMemsetD32_v2)(at[i] + 4092, 0x66, 2), CUDA_ERROR_INVALID_VALUE);
	}
	cu_ok(cu(cuCtxSynchronize)());
	for (int i = 0; i < count; i++)
		for (int k = 0; k < 4096; k++)
			check(host[i][k] == i);
}

static void test_nothing_is_written_past_the_end_of_host_memory(void)
{
	enum { COUNT = 6 };
	unsigned char *host[COUNT];
	CUdeviceptr at[COUNT], from;
	cu_ok(cu(cuMemAlloc_v2)(&from, 1 << 16));
	cu_ok(cu(cuMemsetD8_v2)(from, 0x77, 1 << 16));
	for (int i = 0; i < COUNT; i++) {
		cu_ok(cu(cuMemAllocManaged)(&at[i], 4096, CU_MEM_ATTACH_GLOBAL));
		host[i] = (unsigned char *)(uintptr_t)at[i];
	}
	ends_are_kept(host, at, COUNT, from);
	for (int i = 0; i < COUNT; i++)
		cu_ok(cu(cuMemFree_v2)(at[i]));
	for (int i = 0; i < COUNT; i++) {
		cu_ok(cu(cuMemHostAlloc)((void **)&host[i], 4096, CU_MEMHOSTALLOC_DEVICEMAP));
		cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at[i], host[i], 0));
	}
	ends_are_kept(host, at, COUNT, from);
	for (int i = 0; i < COUNT; i++)
		cu_ok(cu(cuMemFreeHost)(host[i]));
	cu_ok(cu(cuMemFree_v2)(from));
}

int main(void)
{
	CUcontext ctx = cu_begin();
	cu_run(test_what_is_copied_there_and_back_is_the_same);
	cu_run(test_asynchronous_copies_are_done_when_their_stream_is);
	cu_run(test_lines_with_pitches_keep_their_place);
	cu_run(test_boxes_keep_their_place);
	cu_run(test_boxes_whose_sizes_wrap_are_refused);
	cu_run(test_fills_write_their_pattern_and_nothing_else);
	cu_run(test_addresses_say_what_they_are);
	cu_run(test_registered_memory_is_the_devices_too);
	cu_run(test_bad_input_is_told);
	cu_run(test_nothing_is_written_past_the_end_of_host_memory);
	cu_run(test_memory_that_is_freed_comes_back);
	cu_run(test_advice_is_kept);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
