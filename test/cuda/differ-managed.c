/* Random calls: managed memory. */
#include "differ.h"

static void show_managed(int i)
{
	CALL(cuCtxSynchronize, (), " ");
	if (slots[MANAGED][i].live) {
		say("read", "g%d", i);
		out(handle_of(MANAGED, i, void *), slots[MANAGED][i].bytes);
	}
}

static void do_managed(void)
{
	size_t bytes = one_of(1, 100, 4096, 5000, 65536, 65536, 300000, 1 << 20);
	unsigned int flags = (unsigned int)one_of(1, 1, 2);
	int i = room(MANAGED);
	CUdeviceptr at = 0x55;
	bool none = false;
	CUresult r;
	if (i < 0)
		return;
	switch (pick(12)) {
	case 0:
		bytes = one_of(0, 1ull << 60, ~0ull);
		break;
	case 1:
		flags = (unsigned int)one_of(0, 3, 4, 0x80000000);
		break;
	case 2:
		none = true;
	}
	r = CALL(cuMemAllocManaged, (none ? NULL : &at, bytes, flags), "g%d, %zu, %u, %d", i, bytes, flags, none);
	if (r != CUDA_SUCCESS)
		out_number("is", (int64_t)at);
	made(MANAGED, i, r, at, bytes);
	if (r != CUDA_SUCCESS)
		return;
	if (one_in(2)) {
		memset((void *)(uintptr_t)at, i * 29 + 1, bytes);
		return;
	}
	CALL(cuMemsetD8_v2, (at, (unsigned char)(i * 3), bytes), "g%d, all", i);
	show_managed(i);
}

static void do_managed_free(void)
{
	int i = any(MANAGED), number;
	CUdeviceptr at = slots[MANAGED][i].handle;
	CUstream stream = any_stream(&number);
	uint32_t way = pick(8);
	if (!slots[MANAGED][i].live)
		return;
	if (way == 0) {
		CALL(cuMemFree_v2, (at + 1), "g%d + 1", i);
		return;
	}
	if (way == 1) {
		CALL(cuMemFreeHost, ((void *)(uintptr_t)at), "g%d", i);
		return;
	}
	if (way == 2) {
		CALL(cuMemHostUnregister, ((void *)(uintptr_t)at), "g%d", i);
		return;
	}
	if (way == 3) {
		CUresult r = CALL(cuMemFreeAsync, (at, stream), "g%d, s%d", i, number);
		CALL(cuStreamSynchronize, (stream), "same");
		if (r == CUDA_SUCCESS)
			gone(MANAGED, i);
		return;
	}
	if (CALL(cuMemFree_v2, (at), "g%d", i) != CUDA_SUCCESS)
		return;
	gone(MANAGED, i);
	if (way == 4)
		CALL(cuMemFree_v2, (at), "g%d again", i);
	if (way == 5)
		CALL(cuMemAdvise, (at, 1, CU_MEM_ADVISE_SET_READ_MOSTLY, 0), "g%d after free", i);
	if (way == 6)
		CALL(cuMemsetD8_v2, (at, 1, 1), "g%d after free", i);
}

/* Some of it: mostly within it. */
static CUdeviceptr managed_part(int *i_out, size_t *offset_out, size_t *count_out)
{
	int i = any(MANAGED);
	size_t bytes = slots[MANAGED][i].bytes, offset = one_of(0, 0, 0, 1, 4, 4096), count;
	CUdeviceptr at = slots[MANAGED][i].live ? slots[MANAGED][i].handle : 0;
	if (offset >= bytes)
		offset = 0;
	count = bytes > offset ? bytes - offset : 0;
	if (one_in(2) && count)
		count = pick((uint32_t)count) + 1;
	if (one_in(15))
		count = one_of(0, bytes - offset + 1, 1ull << 40, ~0ull);
	*i_out = i;
	*offset_out = offset;
	*count_out = count;
	return at + offset;
}

static CUmemLocation any_location(void)
{
	CUmemLocation location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 };
	if (one_in(2))
		location.type = (CUmemLocationType)one_of(0, 2, 2, 3, 4, 9);
	if (one_in(4))
		location.id = (int)one_of(1, 77, 0xffffffff);
	/* Left out: nodes, which the program's machine and the server's may have different ones of. */
	if (location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA && location.id > 0)
		location.id = 0;
	return location;
}

static void do_advise(void)
{
	CUmem_advise advice = (CUmem_advise)one_of(1, 2, 3, 3, 4, 5, 5, 6);
	CUmemLocation location = any_location();
	CUdevice device = (CUdevice)one_of(0, 0, 0xffffffff, 0xfffffffe, 1, 77);
	size_t offset, count;
	int i;
	CUdeviceptr at = managed_part(&i, &offset, &count);
	if (one_in(15))
		at = slots[MEMORY][0].handle, offset = 0, count = 1;
	if (one_in(15))
		at = (CUdeviceptr)(uintptr_t)host[0], offset = 0, count = 1;
	if (one_in(10))
		advice = (CUmem_advise)one_of(0, 7, 99, 0xffffffff);
	if (one_in(2))
		CALL(cuMemAdvise, (at, count, advice, device), "g%d + %zu, %zu, %d, %d", i, offset, count, (int)advice,
		     device);
	else
		CALL(cuMemAdvise_v2, (at, count, advice, location), "g%d + %zu, %zu, %d, %d at %d", i, offset, count,
		     (int)advice, (int)location.type, location.id);
}

static void do_prefetch(void)
{
	CUmemLocation location = any_location(), locations[2] = { location, any_location() };
	CUdevice device = (CUdevice)one_of(0, 0, 0xffffffff, 0xfffffffe, 1, 77);
	size_t offset, count, indices[2] = { one_in(12), 1 }, n = 1;
	int i, number;
	CUstream stream = any_stream(&number);
	CUdeviceptr at = managed_part(&i, &offset, &count);
	unsigned int flags = one_in(12);
	if (one_in(15))
		at = slots[MEMORY][0].handle, offset = 0, count = 1;
	switch (pick(4)) {
	case 0:
		CALL(cuMemPrefetchAsync, (at, count, device, stream), "g%d + %zu, %zu, %d, s%d", i, offset, count,
		     device, number);
		break;
	case 1:
		n = one_of(1, 1, 1, 0, 2);
		CALL(cuMemPrefetchBatchAsync, (&at, &count, one_in(12) ? 0 : 1, locations, indices, n, flags, stream),
		     "g%d + %zu, %zu, %d at %d, %zu, %zu, %u, s%d", i, offset, count, (int)location.type, location.id,
		     indices[0], n, flags, number);
		break;
	default:
		CALL(cuMemPrefetchAsync_v2, (at, count, location, flags, stream), "g%d + %zu, %zu, %d at %d, %u, s%d",
		     i, offset, count, (int)location.type, location.id, flags, number);
	}
	CALL(cuStreamSynchronize, (stream), "same");
}

static void do_range_attribute(void)
{
	CUmem_range_attribute what = (CUmem_range_attribute)one_of(1, 2, 3, 4, 5, 6, 7, 8, 3, 0, 9, 99);
	size_t offset, count, size = what == 3 ? one_of(4, 8, 16, 0, 5) : one_of(4, 4, 4, 4, 4, 4, 0, 8, 3);
	int i, data[4] = { 0x5555, 0x5555, 0x5555, 0x5555 }, more = 0x5555;
	CUdeviceptr at = managed_part(&i, &offset, &count);
	bool none = one_in(12);
	if (one_in(2)) {
		CUmem_range_attribute both[] = { what, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY };
		void *to[] = { data, none ? NULL : &more };
		size_t sizes[] = { size, 4 }, n = one_in(8) ? 0 : 2;
		CALL(cuMemRangeGetAttributes, (to, sizes, both, n, at, count), "%zu, %d, %zu, g%d + %zu, %zu, %d", n,
		     (int)what, size, i, offset, count, none);
	} else {
		CALL(cuMemRangeGetAttribute, (none ? NULL : data, size, what, at, count), "%d, %zu, g%d + %zu, %zu, %d",
		     (int)what, size, i, offset, count, none);
	}
	for (int k = 0; k < 4; k++)
		out_number("is", data[k]);
	out_number("more", more);
}

static void do_attach(void)
{
	int i = any(MANAGED), number;
	CUdeviceptr at = slots[MANAGED][i].live ? slots[MANAGED][i].handle : 0;
	CUstream stream = any_stream(&number);
	size_t length = one_in(2) ? 0 : slots[MANAGED][i].bytes;
	unsigned int flags = (unsigned int)one_of(1, 1, 2, 4);
	switch (pick(10)) {
	case 0:
		flags = (unsigned int)one_of(0, 3, 5, 8);
		break;
	case 1:
		length++;
		break;
	case 2:
		at++;
		break;
	case 3:
		at = one_in(2) ? slots[MEMORY][0].handle : (CUdeviceptr)(uintptr_t)host[0];
		length = 0;
	}
	CALL(cuStreamAttachMemAsync, (stream, at, length, flags), "s%d, g%d, %zu, %u", number, i, length, flags);
	CALL(cuStreamSynchronize, (stream), "same");
}

/* The device works at nothing else meanwhile: all of it is waited for. */
static void do_touch(void)
{
	int i = living(MANAGED);
	unsigned char *at;
	size_t bytes, first, count;
	if (i < 0)
		return;
	at = handle_of(MANAGED, i, unsigned char *);
	bytes = slots[MANAGED][i].bytes;
	first = pick((uint32_t)bytes);
	count = pick((uint32_t)(bytes - first)) + 1;
	CALL(cuCtxSynchronize, (), " ");
	say("touch", "g%d + %zu, %zu", i, first, count);
	if (one_in(2))
		memset(at + first, (int)count, count);
	else if (one_in(2))
		at[first]++;
	out(at + first, count);
}

static void do_managed_copy(void)
{
	size_t offset, count;
	int i, number, m = any(MEMORY), h = (int)pick(SLOTS);
	CUdeviceptr at = managed_part(&i, &offset, &count), of = slots[MEMORY][m].live ? slots[MEMORY][m].handle : 0;
	CUstream stream = any_stream(&number);
	uint32_t way = pick(10);
	if (at == offset)
		return; /* none */
	if (way >= 8 && count > slots[MANAGED][i].bytes - offset)
		count = slots[MANAGED][i].bytes - offset; /* past that it is the program's fault */
	if (way != 4 && way != 7 && way != 2 && way != 3 && count > HOST_BYTES)
		count = HOST_BYTES;
#define GIVEN       "g%d + %zu, m%d, h%d, %zu", i, offset, m, h, count
#define GIVEN_ASYNC "g%d + %zu, m%d, h%d, %zu, s%d", i, offset, m, h, count, number
	switch (way) {
	case 0:
		CALL(cuMemcpyHtoD_v2, (at, host[h], count), GIVEN);
		break;
	case 1:
		CALL(cuMemcpyDtoH_v2, (host[h], at, count), GIVEN);
		out(host[h], HOST_BYTES);
		break;
	case 2:
		CALL(cuMemcpyDtoDAsync_v2, (at, of, count, stream), GIVEN_ASYNC);
		break;
	case 3:
		CALL(cuMemcpyDtoDAsync_v2, (of, at, count, stream), GIVEN_ASYNC);
		settle(stream, m);
		break;
	case 4:
		CALL(cuMemsetD8_v2, (at, (unsigned char)count, count), GIVEN);
		break;
	case 5:
		CALL(cuMemcpyHtoDAsync_v2, (at, host[h], count, stream), GIVEN_ASYNC);
		break;
	case 6:
		CALL(cuMemcpyDtoHAsync_v2, (host[h], at, count, stream), GIVEN_ASYNC);
		CALL(cuStreamSynchronize, (stream), "same");
		out(host[h], HOST_BYTES);
		break;
	case 7:
		CALL(cuMemsetD8Async, (at, (unsigned char)count, count, stream), GIVEN_ASYNC);
		break;
	case 8: /* the program's end of it */
		CALL(cuMemcpyDtoHAsync_v2, ((void *)(uintptr_t)at, of, count, stream), GIVEN_ASYNC);
		break;
	default:
		CALL(cuMemcpyHtoD_v2, (of, (void *)(uintptr_t)at, count), GIVEN);
		settle(NULL, m);
	}
	CALL(cuStreamSynchronize, (stream), "same");
	show_managed(i);
}

static void do_managed_pointer(void)
{
	int i = any(MANAGED);
	CUdeviceptr at = slots[MANAGED][i].live ? slots[MANAGED][i].handle : 0;
	size_t offset = at && one_in(2) ? slots[MANAGED][i].bytes - 1 : 0;
	unsigned int on = one_in(2);
	if (one_in(8)) {
		CALL(cuPointerSetAttribute, (&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at + offset), "g%d + %zu, %u", i,
		     offset, on);
		return;
	}
	show_pointer("g", i, at, offset);
}

const struct operation differ_managed[] = { { "managed", 5, do_managed },
					    { "managed-free", 2, do_managed_free },
					    { "advise", 4, do_advise },
					    { "prefetch", 4, do_prefetch },
					    { "range-attribute", 5, do_range_attribute },
					    { "attach", 3, do_attach },
					    { "touch", 8, do_touch },
					    { "managed-copy", 8, do_managed_copy },
					    { "managed-pointer", 4, do_managed_pointer },
					    { NULL, 0, NULL } };
