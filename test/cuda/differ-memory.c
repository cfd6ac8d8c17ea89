/* Random calls: memory, host memory, what a pointer is. */
#include "differ.h"

#define SIZES 1, 4, 100, 256, 4096, 65536, 65536, 131072, 1048576, 3145733

/* What is in new memory is nobody's business: it is filled before anybody looks. */
static void fill(int i, CUresult r)
{
	if (r != CUDA_SUCCESS)
		return;
	CALL(cuMemsetD8_v2, (slots[MEMORY][i].handle, (unsigned char)(17 * i + 3), slots[MEMORY][i].bytes), "m%d, all",
	     i);
	CALL(cuCtxSynchronize, (), " "); /* streams apart do not wait for it */
}

static void do_free(void);

static void do_alloc(void)
{
	size_t bytes = one_in(10) ? one_of(0, 1ull << 60, ~0ull, 1ull << 40) : one_of(SIZES), pitch = 0;
	int i = room(MEMORY);
	CUdeviceptr at = 0;
	CUresult r;
	if (i < 0) {
		do_free();
		return;
	}
	if (one_in(20)) {
		CALL(cuMemAlloc_v2, (NULL, bytes), "NULL, %zu", bytes);
		return;
	}
	if (one_in(5)) {
		size_t width = one_of(1, 100, 511, 4096, 0), height = one_of(1, 3, 37, 0);
		unsigned int element = (unsigned int)one_of(4, 8, 16, 4, 3, 0);
		r = CALL(cuMemAllocPitch_v2, (&at, &pitch, width, height, element), "m%d, %zu, %zu, %u", i, width,
			 height, element);
		out_number("pitch", (int64_t)pitch);
		bytes = pitch * height;
	} else {
		r = CALL(cuMemAlloc_v2, (&at, bytes), "m%d, %zu", i, bytes);
	}
	made(MEMORY, i, r, at, bytes);
	fill(i, r);
}

static void do_free(void)
{
	int i = any(MEMORY);
	CUdeviceptr at = slots[MEMORY][i].handle;
	uint32_t way = pick(12);
	if (i == 0) /* graphs have it */
		return;
	if (way == 0) {
		CALL(cuMemFree_v2, (at + 1), "m%d + 1", i);
		return;
	}
	if (way == 1) {
		CALL(cuMemFree_v2, (0x123456), "wild");
		return;
	}
	if (way == 2) {
		int number;
		CUstream stream = any_stream(&number);
		CUresult r = CALL(cuMemFreeAsync, (at, stream), "m%d, s%d", i, number);
		CALL(cuStreamSynchronize, (stream), "same");
		if (r != CUDA_SUCCESS)
			return;
	} else if (CALL(cuMemFree_v2, (at), "m%d", i) != CUDA_SUCCESS) {
		return;
	}
	gone(MEMORY, i);
	if (!at || way == 2)
		return;
	if (way < 6)
		CALL(cuMemFree_v2, (at), "m%d again", i);
	else if (way == 6)
		CALL(cuMemsetD8_v2, (at, 1, 1), "m%d after free", i);
	else if (way == 7)
		CALL(cuMemcpyDtoH_v2, (host[0], at, 1), "h0, m%d after free", i);
}

static void do_memset(void)
{
	int i = any(MEMORY), number;
	size_t bytes = slots[MEMORY][i].bytes, offset = one_of(0, 0, 0, 1, 4, 64), count;
	CUdeviceptr at = slots[MEMORY][i].handle + offset;
	unsigned int value = pick(1u << 30);
	uint32_t way = pick(8);
	size_t unit = way % 4 == 0 ? 1 : way % 4 == 1 ? 2 : way % 4 == 2 ? 4 : 1;
	CUstream stream = any_stream(&number);
	if (!slots[MEMORY][i].live)
		at = offset;
	if (way < 4)
		stream = NULL;
	count = one_in(8)      ? one_of(0, 1, 1ull << 40, ~0ull, 1ull << 62)
		: one_in(8)    ? bytes / unit + 1
		: bytes / unit ? pick((uint32_t)(bytes / unit))
			       : 0;
	switch (way) {
	case 0:
		CALL(cuMemsetD8_v2, (at, (unsigned char)value, count), "m%d + %zu, %u, %zu", i, offset, value, count);
		break;
	case 1:
		CALL(cuMemsetD16_v2, (at, (unsigned short)value, count), "m%d + %zu, %u, %zu", i, offset, value, count);
		break;
	case 2:
		CALL(cuMemsetD32_v2, (at, value, count), "m%d + %zu, %u, %zu", i, offset, value, count);
		break;
	case 3: {
		size_t pitch = one_of(0, 1, 64, 100, 4096), width = one_of(0, 1, 50, 64, 101),
		       height = one_of(0, 1, 2, 9);
		CALL(cuMemsetD2D8_v2, (at, pitch, (unsigned char)value, width, height), "m%d + %zu, %zu, %u, %zu, %zu",
		     i, offset, pitch, value, width, height);
		break;
	}
	case 4:
		CALL(cuMemsetD8Async, (at, (unsigned char)value, count, stream), "m%d + %zu, %u, %zu, s%d", i, offset,
		     value, count, number);
		break;
	case 5:
		CALL(cuMemsetD16Async, (at, (unsigned short)value, count, stream), "m%d + %zu, %u, %zu, s%d", i, offset,
		     value, count, number);
		break;
	case 6:
		CALL(cuMemsetD32Async, (at, value, count, stream), "m%d + %zu, %u, %zu, s%d", i, offset, value, count,
		     number);
		break;
	default: {
		size_t pitch = one_of(0, 4, 64, 100, 4096), width = one_of(0, 1, 16, 25, 26),
		       height = one_of(0, 1, 2, 9);
		CALL(cuMemsetD2D32Async, (at, pitch, value, width, height, stream), "m%d + %zu, %zu, %u, %zu, %zu, s%d",
		     i, offset, pitch, value, width, height, number);
	}
	}
	settle(stream, i);
}

static void do_range(void)
{
	int i = any(MEMORY);
	CUdeviceptr at = slots[MEMORY][i].handle, base = 0x55;
	size_t offset = one_of(0, 1, 100, slots[MEMORY][i].bytes, 1ull << 40), bytes = 0x55;
	if (offset && offset % 4096 == 0 && offset == slots[MEMORY][i].bytes)
		offset--; /* what follows whole pages is another's, or is not */
	if (!slots[MEMORY][i].live)
		at = 0, offset = pick(3);
	CALL(cuMemGetAddressRange_v2, (&base, one_in(8) ? NULL : &bytes, at + offset), "m%d + %zu", i, offset);
	out_number("base", base == 0x55 ? -1 : (int64_t)(base - at));
	out_number("bytes", (int64_t)bytes);
}

static void do_pointer(void)
{
	static const CUpointer_attribute simple[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
						      CU_POINTER_ATTRIBUTE_IS_MANAGED,
						      CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
						      CU_POINTER_ATTRIBUTE_RANGE_SIZE,
						      CU_POINTER_ATTRIBUTE_MAPPED,
						      CU_POINTER_ATTRIBUTE_SYNC_MEMOPS,
						      CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
						      CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
						      (CUpointer_attribute)0,
						      (CUpointer_attribute)99 };
	static const CUpointer_attribute address[] = { CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
						       CU_POINTER_ATTRIBUTE_RANGE_START_ADDR,
						       CU_POINTER_ATTRIBUTE_HOST_POINTER };
	int i = any(MEMORY);
	CUdeviceptr at = slots[MEMORY][i].live ? slots[MEMORY][i].handle : 0;
	uint64_t offset = at ? one_of(0, 1, slots[MEMORY][i].bytes - 1, 1ull << 40) : pick(2),
		 value = 0x5555555555555555ull;
	uint32_t way = pick(4);
	if (one_in(5))
		at = (CUdeviceptr)(uintptr_t)host[i], offset = pick(100);
	if (way < 2) {
		CUpointer_attribute what = simple[pick(sizeof(simple) / sizeof(simple[0]))];
		CALL(cuPointerGetAttribute, (&value, what, at + offset), "%d, m%d + %llu", (int)what, i,
		     (unsigned long long)offset);
		out(&value, sizeof(value));
	} else if (way == 2) {
		CUpointer_attribute what = address[pick(3)];
		if (CALL(cuPointerGetAttribute, (&value, what, at + offset), "%d, m%d + %llu", (int)what, i,
			 (unsigned long long)offset) == CUDA_SUCCESS)
			value = value ? value - at : value;
		out(&value, sizeof(value));
	} else {
		CUpointer_attribute what[] = { CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_RANGE_SIZE,
					       CU_POINTER_ATTRIBUTE_CONTEXT };
		unsigned int type = 0x5555;
		size_t bytes = 0x5555;
		CUcontext ctx = NULL;
		void *data[] = { &type, &bytes, &ctx };
		CALL(cuPointerGetAttributes, (3, what, data, at + offset), "3, m%d + %llu", i,
		     (unsigned long long)offset);
		out_number("type", type);
		out_number("bytes", (int64_t)bytes);
		out_number("context", which(CONTEXT, (uint64_t)(uintptr_t)ctx));
	}
}

static void do_pinned(void)
{
	int i = any(PINNED);
	void *at = NULL;
	unsigned int flags = (unsigned int)one_of(0, 1, 4, 5, 16, 255);
	size_t bytes = one_of(1, 4096, HOST_BYTES, HOST_BYTES, 0, 1ull << 60);
	CUresult r;
	if (one_in(6)) {
		flags = 0x5555;
		CALL(cuMemHostGetFlags, (&flags, one_in(4) ? host[0] : handle_of(PINNED, i, void *)), "p%d", i);
		out_number("flags", flags);
		return;
	}
	if (slots[PINNED][i].live) {
		at = handle_of(PINNED, i, void *);
		if (one_in(4)) {
			CALL(cuMemFreeHost, ((char *)at + 8), "p%d + 8", i);
			return;
		}
		r = CALL(cuMemFreeHost, (at), "p%d", i);
		gone(PINNED, i);
		if (one_in(2) && r == CUDA_SUCCESS)
			CALL(cuMemFreeHost, (at), "p%d again", i);
		return;
	}
	if (one_in(2))
		r = CALL(cuMemAllocHost_v2, (&at, bytes), "p%d, %zu", i, bytes);
	else
		r = CALL(cuMemHostAlloc, (&at, bytes, flags), "p%d, %zu, %u", i, bytes, flags);
	made(PINNED, i, r, (uint64_t)(uintptr_t)at, bytes);
	if (r == CUDA_SUCCESS)
		memset(at, i * 11 + 5, bytes);
}

static void do_register(void)
{
	static unsigned char pages[4 * 4096] __attribute__((aligned(4096)));
	uint32_t way = pick(4);
	size_t bytes = one_of(4096, 100, 0, 8192);
	unsigned int flags = (unsigned int)one_of(0, 0, 1, 255);
	CUresult r =
		CALL(cuMemHostRegister_v2, (way == 0 ? NULL : pages, bytes, flags), "%u, %zu, %u", way, bytes, flags);
	if (r == CUDA_SUCCESS && one_in(2))
		CALL(cuMemHostRegister_v2, (pages, bytes, flags), "again");
	if (r == CUDA_SUCCESS && one_in(2)) {
		int i = living(MEMORY);
		if (i >= 0 && slots[MEMORY][i].bytes >= 100) {
			CALL(cuMemcpyDtoH_v2, (pages, slots[MEMORY][i].handle, 100), "registered, m%d, 100", i);
			out(pages, 100);
		}
	}
	CALL(cuMemHostUnregister, (pages), "pages");
	if (one_in(3))
		CALL(cuMemHostUnregister, (pages), "again");
}

static void do_alloc_in_stream(void)
{
	size_t bytes = one_in(6) ? one_of(0, 1ull << 60) : one_of(SIZES);
	int i = room(MEMORY), l = any(POOL), number;
	CUstream stream = any_stream(&number);
	CUdeviceptr at = 0;
	CUresult r;
	if (i < 0)
		return;
	if (one_in(2))
		r = CALL(cuMemAllocAsync, (&at, bytes, stream), "m%d, %zu, s%d", i, bytes, number);
	else
		r = CALL(cuMemAllocFromPoolAsync, (&at, bytes, handle_of(POOL, l, CUmemoryPool), stream),
			 "m%d, %zu, l%d, s%d", i, bytes, l, number);
	CALL(cuStreamSynchronize, (stream), "same");
	made(MEMORY, i, r, at, bytes);
	fill(i, r);
}

static void do_info(void)
{
	size_t available = 0, total = 0;
	CALL(cuMemGetInfo_v2, (one_in(8) ? NULL : &available, &total), " ");
	out_number("total", (int64_t)total);
}

const struct operation differ_memory[] = { { "alloc", 12, do_alloc },      { "free", 6, do_free },
					   { "memset", 8, do_memset },     { "range", 3, do_range },
					   { "pointer", 5, do_pointer },   { "pinned", 5, do_pinned },
					   { "register", 2, do_register }, { "stream", 4, do_alloc_in_stream },
					   { "info", 1, do_info },         { NULL, 0, NULL } };
