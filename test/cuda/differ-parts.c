/* Random calls: memory in its parts (addresses, allocations, mappings). */
#include <fcntl.h>
#include <unistd.h>

#include "differ.h"

#define UNIT (2ull << 20) /* the granularity here; a device with another refuses, which is as good */

static int handles[SLOTS]; /* that the program has of a PART: as often it is to be released */

/* ---- addresses ---- */

static CUdeviceptr any_address(int *i_out, size_t *bytes_out)
{
	int i = any(RANGE);
	*i_out = i;
	*bytes_out = slots[RANGE][i].bytes;
	return slots[RANGE][i].live ? slots[RANGE][i].handle : 0;
}

/* Of a mapping, as the driver has it: -1: there is none. */
static int access_at(CUdeviceptr at)
{
	CUmemLocation location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 };
	unsigned long long flags = 0;
	return cu(cuMemGetAccess)(&flags, &location, at) ? -1 : (int)flags;
}

static bool may(CUdeviceptr at, size_t bytes, int access)
{
	for (CUdeviceptr page = at & ~(CUdeviceptr)(UNIT - 1); page < at + bytes; page += UNIT) {
		int has = access_at(page);
		if (has < 0 || (has & access) != access)
			return false;
	}
	return true;
}

static void do_reserve(void)
{
	size_t bytes = one_of(1, 2, 2, 4, 4, 4) * UNIT, align = one_of(0, 0, UNIT, 4096, 1ull << 30);
	unsigned long long flags = 0;
	CUdeviceptr at = 0x55, hint = 0;
	int i = room(RANGE);
	bool none = false;
	CUresult r;
	if (i < 0)
		return;
	switch (pick(16)) { /* what is looked at first is nobody's business: one thing may be wrong */
	case 0:
		bytes = one_of(0, 1, 4096, UNIT + 1, 1ull << 60, ~0ull, ~0ull << 21);
		break;
	case 1:
		align = one_of(3, UNIT + 1, 1ull << 60, ~0ull);
		break;
	case 2:
		flags = one_of(1, 1ull << 63);
		break;
	case 3:
		none = true;
		break;
	case 4: /* taken, or no place for anything: it is a wish only */
		hint = one_in(2) ? slots[MEMORY][0].handle & ~(CUdeviceptr)(UNIT - 1) : 12345;
	}
	r = CALL(cuMemAddressReserve, (none ? NULL : &at, bytes, align, hint, flags), "v%d, %zu, %zu, %d, %llu", i,
		 bytes, align, hint != 0, flags);
	if (r == CUDA_SUCCESS)
		out_number("aligned", at % (align > UNIT ? align : UNIT) == 0);
	else
		out_number("is", (int64_t)at);
	made(RANGE, i, r, at, bytes);
}

static void do_address_free(void)
{
	size_t bytes;
	int i;
	CUdeviceptr at = any_address(&i, &bytes);
	switch (pick(10)) {
	case 0:
		CALL(cuMemAddressFree, (at, bytes + UNIT), "v%d, too many", i);
		return;
	case 1:
		CALL(cuMemAddressFree, (at + UNIT, bytes - UNIT), "v%d + unit, rest", i);
		return;
	case 2:
		CALL(cuMemAddressFree, (at, one_in(2) ? 0 : bytes - 1), "v%d, few", i);
		return;
	case 3:
		CALL(cuMemAddressFree, (one_in(2) ? 0x123456 : slots[MEMORY][0].handle, UNIT), "wild");
		return;
	case 4:
		CALL(cuMemFree_v2, (at), "v%d", i);
		return;
	}
	if (CALL(cuMemAddressFree, (at, bytes), "v%d", i) != CUDA_SUCCESS)
		return;
	gone(RANGE, i);
	switch (pick(5)) {
	case 0:
		CALL(cuMemAddressFree, (at, bytes), "v%d again", i);
		return;
	case 1:
		CALL(cuMemsetD8_v2, (at, 1, 1), "v%d after free", i);
		return;
	case 2:
		CALL(cuMemUnmap, (at, bytes), "v%d after free", i);
	}
}

/* ---- allocations ---- */

static CUmemAllocationProp any_prop(void)
{
	CUmemAllocationProp prop = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 },
				     .requestedHandleTypes = (CUmemAllocationHandleType)one_in(2) };
	switch (pick(14)) {
	case 0:
		prop.type = (CUmemAllocationType)one_of(0, 2, 9);
		break;
	case 1:
		prop.requestedHandleTypes = (CUmemAllocationHandleType)one_of(2, 4, 8, 3, 64);
		break;
	case 2:
		prop.location.type = (CUmemLocationType)one_of(0, 2, 3, 4, 9);
		break;
	case 3:
		prop.location.id = (int)one_of(1, 77, 0xffffffff);
		break;
	case 4:
		prop.allocFlags.gpuDirectRDMACapable = 1;
	}
	return prop;
}

#define PROP_TEXT  "%d, %d, %d at %d"
#define PROP(prop) (int)(prop).type, (int)(prop).requestedHandleTypes, (int)(prop).location.type, (prop).location.id

static CUmemGenericAllocationHandle any_part(int *i_out)
{
	if (one_in(30)) { /* another kind's */
		*i_out = -1;
		return slots[EVENT][0].handle;
	}
	if (one_in(30)) {
		*i_out = -2;
		return one_of(0, 1, 12345);
	}
	*i_out = any(PART);
	return slots[PART][*i_out].handle;
}

/* What is in new memory is nobody's business: it is filled, at addresses that are the test's own, before anybody
 * looks. */
static void wash(int i, CUmemGenericAllocationHandle handle, size_t bytes)
{
	static CUdeviceptr tub;
	CUmemAccessDesc access = { { CU_MEM_LOCATION_TYPE_DEVICE, 0 }, CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CALL(cuCtxSetCurrent, (handle_of(CONTEXT, 0, CUcontext)), "c0");
	if (!tub)
		CALL(cuMemAddressReserve, (&tub, 4 * UNIT, 0, 0, 0), "tub");
	CALL(cuMemMap, (tub, bytes, 0, handle, 0), "tub, %zu, 0, y%d", bytes, i);
	CALL(cuMemSetAccess, (tub, bytes, &access, 1), "tub, %zu", bytes);
	CALL(cuMemsetD8_v2, (tub, (unsigned char)(i * 13 + 7), bytes), "tub, %zu", bytes);
	CALL(cuCtxSynchronize, (), " ");
	CALL(cuMemUnmap, (tub, bytes), "tub, %zu", bytes);
}

static void do_part_create(void)
{
	CUmemAllocationProp prop = any_prop();
	size_t bytes = one_of(1, 1, 2, 4) * UNIT;
	CUmemGenericAllocationHandle handle = 0x55;
	int i = room(PART);
	unsigned long long flags = 0;
	uint32_t wrong = pick(20);
	CUresult r;
	if (i < 0)
		return;
	if (prop.type == 1 && prop.location.type == 1 && !prop.location.id && prop.requestedHandleTypes < 2) {
		if (wrong == 0)
			bytes = one_of(0, 1, UNIT + 1, 1ull << 60, 1ull << 40, ~0ull, ~0ull << 21);
		/* Left out: descriptors of more than the device has.  Natively it is a file, of any size; a session's
		 * quota counts it. */
		if (bytes > 4 * UNIT && bytes % UNIT == 0)
			prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_NONE;
		if (wrong == 1)
			flags = one_of(1, 1ull << 63);
	}
	r = CALL(cuMemCreate, (wrong == 2 ? NULL : &handle, bytes, wrong == 3 ? NULL : &prop, flags),
		 "y%d, %zu, " PROP_TEXT ", %llu, wrong %u", i, bytes, PROP(prop), flags, wrong);
	if (r != CUDA_SUCCESS)
		out_number("is", (int64_t)handle);
	made(PART, i, r, handle, bytes);
	if (r != CUDA_SUCCESS)
		return;
	handles[i] = 1;
	wash(i, handle, bytes);
}

static void do_release(void)
{
	int i;
	CUmemGenericAllocationHandle handle = any_part(&i);
	CUresult r = CALL(cuMemRelease, (handle), "y%d", i);
	if (r != CUDA_SUCCESS || i < 0)
		return;
	if (--handles[i] == 0)
		gone(PART, i);
	if (handles[i] == 0 && one_in(3))
		CALL(cuMemRelease, (handle), "y%d again", i);
}

static void do_granularity(void)
{
	CUmemAllocationProp prop = any_prop();
	size_t bytes = 0x5555;
	CUmemAllocationGranularity_flags option = (CUmemAllocationGranularity_flags)one_of(0, 0, 1, 1, 2, 0xffffffff);
	bool none = one_in(12), nowhere = one_in(12);
	if ((unsigned int)option > 1)
		none = nowhere = false, prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
	CALL(cuMemGetAllocationGranularity, (nowhere ? NULL : &bytes, none ? NULL : &prop, option), PROP_TEXT ", %d",
	     PROP(prop), (int)option);
	out_number("bytes", (int64_t)bytes);
}

static void show_prop(CUmemGenericAllocationHandle handle, int i)
{
	CUmemAllocationProp prop;
	bool nowhere = one_in(12);
	memset(&prop, 0x55, sizeof(prop));
	CALL(cuMemGetAllocationPropertiesFromHandle, (nowhere ? NULL : &prop, handle), "y%d, %d", i, nowhere);
	out(&prop, sizeof(prop));
}

static void do_properties(void)
{
	int i;
	CUmemGenericAllocationHandle handle = any_part(&i);
	show_prop(handle, i);
}

static void do_retain(void)
{
	size_t bytes, offset = one_of(0, 0, 1, UNIT, UNIT + 4096, 3 * UNIT, 1ull << 40);
	int i;
	CUmemGenericAllocationHandle handle = 0x55;
	CUdeviceptr at = any_address(&i, &bytes);
	CUresult r;
	if (offset >= bytes && offset < 1ull << 40)
		offset = 0; /* what follows is another's, or is not */
	if (one_in(10))
		at = one_in(2) ? slots[MEMORY][0].handle : (CUdeviceptr)(uintptr_t)host[0];
	if (one_in(20)) {
		CALL(cuMemRetainAllocationHandle, (NULL, (void *)(uintptr_t)at), "NULL, v%d", i);
		return;
	}
	r = CALL(cuMemRetainAllocationHandle, (&handle, (void *)(uintptr_t)(at + offset)), "v%d + %zu", i, offset);
	out_number("is", r ? (int64_t)handle : 0);
	if (r != CUDA_SUCCESS)
		return;
	/* Left out: which handle it is: natively the one that was mapped, and remotely another of the same memory. */
	show_prop(handle, -3);
	if (one_in(2) && access_at(at) < 0) {
		r = CALL(cuMemMap, (at, UNIT, 0, handle, 0), "v%d, unit, 0, retained", i);
		out_number("access", access_at(at));
	}
	CALL(cuMemRelease, (handle), "retained");
}

/* Both ends in one process. */
static void do_part_share(void)
{
	CUmemAllocationHandleType type = (CUmemAllocationHandleType)one_of(1, 1, 1, 1, 1, 0, 2, 8);
	unsigned long long flags = one_in(12);
	CUmemGenericAllocationHandle handle, other = 0x55;
	int i, fd = -1, to = room(PART);
	bool nowhere = one_in(12);
	CUresult r;
	handle = any_part(&i);
	r = CALL(cuMemExportToShareableHandle, (nowhere ? NULL : &fd, handle, type, flags), "y%d, %d, %llu, %d", i,
		 (int)type, flags, nowhere);
	out_number("descriptor", fd >= 0);
	if (r != CUDA_SUCCESS && one_in(2))
		fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* a descriptor, but of no memory */
	if (to >= 0) {
		nowhere = one_in(12);
		r = CALL(cuMemImportFromShareableHandle, (nowhere ? NULL : &other, (void *)(intptr_t)fd, type),
			 "y%d, %d, %d", to, (int)type, nowhere);
		if (r != CUDA_SUCCESS)
			out_number("is", (int64_t)other);
		made(PART, to, r, other, i >= 0 ? slots[PART][i].bytes : 0);
		if (r == CUDA_SUCCESS)
			handles[to] = 1;
	}
	if (fd >= 0)
		close(fd);
}

/* ---- mappings ---- */

static void do_map(void)
{
	size_t bytes, size = one_of(1, 1, 2, 4) * UNIT, offset = one_of(0, 0, 0, 1) * UNIT,
		      shift = one_of(0, 0, 1, 2, 3) * UNIT;
	int i, y;
	CUdeviceptr at = any_address(&i, &bytes);
	CUmemGenericAllocationHandle handle = any_part(&y);
	unsigned long long flags = 0;
	if (shift >= bytes) /* what follows is another's, or is not */
		shift = 0, size = UNIT;
	if (y >= 0 && offset + size > slots[PART][y].bytes && !one_in(8))
		offset = 0, size = slots[PART][y].bytes;
	if (y >= 0 && slots[PART][y].live && one_in(8))
		switch (pick(5)) {
		case 0:
			shift += 4096;
			break;
		case 1:
			size = one_of(0, 1, UNIT - 1, UNIT + 4096, 1ull << 60, ~0ull, ~0ull << 21);
			break;
		case 2:
			offset = one_of(1, 4096, 1ull << 60, ~0ull, ~0ull << 21);
			break;
		case 3:
			flags = 1;
			break;
		default:
			at = slots[MEMORY][0].handle & ~(CUdeviceptr)(UNIT - 1), shift = 0;
		}
	CALL(cuMemMap, (at + shift, size, offset, handle, flags), "v%d + %zu, %zu, %zu, y%d, %llu", i, shift, size,
	     offset, y, flags);
}

static void do_unmap(void)
{
	size_t bytes, shift = one_of(0, 0, 1, 2, 3) * UNIT, size = one_of(1, 1, 2, 4) * UNIT;
	int i;
	CUdeviceptr at = any_address(&i, &bytes);
	if (one_in(10))
		size = one_of(0, 1, UNIT - 1, UNIT + 4096, 1ull << 60, ~0ull);
	if (one_in(12))
		shift += 4096;
	if (one_in(3))
		shift = 0, size = bytes;
	if (shift + size > bytes && size < 1ull << 60) /* what follows is another's, or is not */
		shift = 0, size = size > bytes ? bytes : size;
	CALL(cuMemUnmap, (at + shift, size), "v%d + %zu, %zu", i, shift, size);
	for (shift = 0; shift < bytes && at; shift += UNIT)
		out_number("access", access_at(at + shift));
}

static void do_set_access(void)
{
	size_t bytes, shift = one_of(0, 0, 1, 2, 3) * UNIT, size = one_of(1, 1, 2, 4) * UNIT, n = 1;
	int i;
	CUdeviceptr at = any_address(&i, &bytes);
	CUmemAccessDesc access[2] = { { { CU_MEM_LOCATION_TYPE_DEVICE, 0 },
					(CUmemAccess_flags)one_of(3, 3, 3, 3, 0, 1) },
				      { { CU_MEM_LOCATION_TYPE_DEVICE, 0 }, CU_MEM_ACCESS_FLAGS_PROT_READWRITE } };
	bool none = false;
	switch (pick(12)) {
	case 0:
		size = one_of(0, 1, UNIT - 1, UNIT + 4096, 1ull << 60, ~0ull);
		break;
	case 1:
		access[0].location.type = (CUmemLocationType)one_of(0, 2, 3, 4, 9);
		break;
	case 2:
		access[0].location.id = (int)one_of(1, 77, 0xffffffff);
		break;
	case 3:
		access[0].flags = (CUmemAccess_flags)one_of(2, 4, 7, 0xffffffff);
		break;
	case 4:
		n = one_of(0, 2, 2, 2);
		break;
	case 5:
		none = true;
		break;
	case 6:
		shift += 4096;
		break;
	case 7:
		shift = size = 0, at = slots[MEMORY][0].handle, size = UNIT;
		break;
	default:
		for (size = 0; shift + size < bytes && access_at(at + shift + size) >= 0;)
			size += UNIT;
	}
	if (at == slots[RANGE][i].handle && shift + size > bytes && size < 1ull << 60)
		shift = 0, size = size > bytes ? bytes : size;
	CALL(cuMemSetAccess, (at + shift, size, none ? NULL : access, n), "v%d + %zu, %zu, %d at %d: %d, %zu, %d", i,
	     shift, size, (int)access[0].location.type, access[0].location.id, (int)access[0].flags, n, none);
	for (shift = 0; shift < bytes && at && at == slots[RANGE][i].handle; shift += UNIT)
		out_number("access", access_at(at + shift));
}

static void do_get_access(void)
{
	size_t bytes, shift = one_of(0, 1, UNIT, 2 * UNIT + 5, 3 * UNIT);
	int i;
	CUdeviceptr at = any_address(&i, &bytes);
	CUmemLocation location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 };
	unsigned long long flags = 0x5555;
	bool none = false, nowhere = false;
	if (shift >= bytes)
		shift = 0;
	switch (pick(12)) {
	case 0:
		location.type = (CUmemLocationType)one_of(0, 2, 3, 4, 9);
		break;
	case 1:
		location.id = (int)one_of(1, 77, 0xffffffff);
		break;
	case 2:
		none = true;
		break;
	case 3:
		nowhere = true;
		break;
	case 4:
		at = slots[MEMORY][0].handle, shift = 5;
		break;
	case 5:
		at = (CUdeviceptr)(uintptr_t)host[0], shift = 5;
	}
	CALL(cuMemGetAccess, (nowhere ? NULL : &flags, none ? NULL : &location, at + shift), "v%d + %zu, %d at %d, %d",
	     i, shift, (int)location.type, location.id, none + 2 * nowhere);
	out_number("flags", (int64_t)flags);
}

/* What of a range can be read. */
static void show_range(int i)
{
	static unsigned char back[UNIT];
	CUdeviceptr at = slots[RANGE][i].handle;
	for (size_t shift = 0; slots[RANGE][i].live && shift < slots[RANGE][i].bytes; shift += UNIT) {
		if (!may(at + shift, UNIT, CU_MEM_ACCESS_FLAGS_PROT_READ))
			continue;
		memset(back, 0xcc, UNIT);
		CALL(cuMemcpyDtoH_v2, (back, at + shift, UNIT), "back, v%d + %zu", i, shift);
		out(back, UNIT);
	}
}

/* Memory that may only be read is not written: when that error comes, and what is left after it, is the device's
 * business. */
static void do_mapped_copy(void)
{
	size_t bytes, shift = one_of(0, 0, 1, 2, 3) * UNIT + one_of(0, 0, 1, 100, UNIT - 100),
		      count = one_of(1, 4, 200, 4096, 65000, 1 << 20, 2 << 20);
	int i, number, m = any(MEMORY), h = (int)pick(SLOTS);
	CUdeviceptr at = any_address(&i, &bytes), of = slots[MEMORY][m].live ? slots[MEMORY][m].handle : 0;
	CUstream stream = any_stream(&number);
	uint32_t way = pick(9);
	bool reads = way == 1 || way == 3 || way == 6;
	if (!at)
		return;
	if (shift + count > bytes)
		shift = 0;
	if (count > bytes)
		count = bytes;
	if (way != 4 && way != 7 && count > HOST_BYTES)
		count = 65000;
	/* Left out: writing what may be read: when the device's fault is told is not the same each time. */
	if (!reads && may(at + shift, 1, CU_MEM_ACCESS_FLAGS_PROT_READ) &&
	    !may(at + shift, count, CU_MEM_ACCESS_FLAGS_PROT_READWRITE))
		return;
#define MAPPED       "v%d + %zu, m%d, h%d, %zu", i, shift, m, h, count
#define MAPPED_ASYNC "v%d + %zu, m%d, h%d, %zu, s%d", i, shift, m, h, count, number
	at += shift;
	switch (way) {
	case 0:
		CALL(cuMemcpyHtoD_v2, (at, host[h], count), MAPPED);
		break;
	case 1:
		CALL(cuMemcpyDtoH_v2, (host[h], at, count), MAPPED);
		out(host[h], HOST_BYTES);
		break;
	case 2:
		CALL(cuMemcpyDtoDAsync_v2, (at, of, count, stream), MAPPED_ASYNC);
		break;
	case 3:
		CALL(cuMemcpyDtoDAsync_v2, (of, at, count, stream), MAPPED_ASYNC);
		settle(stream, m);
		break;
	case 4:
		CALL(cuMemsetD8_v2, (at, (unsigned char)count, count), MAPPED);
		break;
	case 5:
		CALL(cuMemcpyHtoDAsync_v2, (at, host[h], count, stream), MAPPED_ASYNC);
		break;
	case 6:
		CALL(cuMemcpyDtoHAsync_v2, (host[h], at, count, stream), MAPPED_ASYNC);
		CALL(cuStreamSynchronize, (stream), "same");
		out(host[h], HOST_BYTES);
		break;
	case 7:
		CALL(cuMemsetD32Async, (at & ~3ull, (unsigned int)count, count / 4, stream), MAPPED_ASYNC);
		break;
	default:
		CALL(cuMemcpyAsync, (at, (CUdeviceptr)(uintptr_t)host[h], count, stream), MAPPED_ASYNC);
	}
	CALL(cuStreamSynchronize, (stream), "same");
	CALL(cuCtxSynchronize, (), " ");
	show_range(i);
}

/* Of addresses: by their distance from `at`. */
void show_pointer(const char *name, int i, CUdeviceptr at, size_t offset)
{
	static const CUpointer_attribute what[] = {
		CU_POINTER_ATTRIBUTE_MEMORY_TYPE,      CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
		CU_POINTER_ATTRIBUTE_HOST_POINTER,     CU_POINTER_ATTRIBUTE_P2P_TOKENS,
		CU_POINTER_ATTRIBUTE_SYNC_MEMOPS,      CU_POINTER_ATTRIBUTE_IS_MANAGED,
		CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,   CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
		CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, CU_POINTER_ATTRIBUTE_RANGE_SIZE,
		CU_POINTER_ATTRIBUTE_MAPPED,           CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES,
		CU_POINTER_ATTRIBUTE_ACCESS_FLAGS,     CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE,
		CU_POINTER_ATTRIBUTE_MAPPING_SIZE,     CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR,
		CU_POINTER_ATTRIBUTE_CONTEXT,
	};
	CUpointer_attribute attribute = what[pick(sizeof(what) / sizeof(what[0]))];
	CUdeviceptr base = 0x55;
	size_t bytes = 0x55;
	uint64_t value = 0;
	CUresult r;
	if (one_in(3)) {
		r = CALL(cuMemGetAddressRange_v2, (&base, &bytes, at + offset), "%s%d + %zu", name, i, offset);
		out_number("base", r ? (int64_t)base : (int64_t)(base - at));
		out_number("bytes", (int64_t)bytes);
		return;
	}
	r = CALL(cuPointerGetAttribute, (&value, attribute, at + offset), "%d, %s%d + %zu", (int)attribute, name, i,
		 offset);
	if (attribute == CU_POINTER_ATTRIBUTE_CONTEXT && value)
		value = (uint64_t)which(CONTEXT, value);
	else if (value &&
		 (attribute == CU_POINTER_ATTRIBUTE_DEVICE_POINTER || attribute == CU_POINTER_ATTRIBUTE_HOST_POINTER ||
		  attribute == CU_POINTER_ATTRIBUTE_RANGE_START_ADDR ||
		  attribute == CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR))
		value -= at;
	out_number("is", (int64_t)value);
}

static void do_mapped_pointer(void)
{
	size_t bytes, offset = one_of(0, 1, UNIT, 2 * UNIT + 5, 3 * UNIT);
	int i;
	CUdeviceptr at = any_address(&i, &bytes);
	unsigned int on = 1;
	if (offset >= bytes)
		offset = 0;
	if (one_in(10)) {
		CALL(cuPointerSetAttribute, (&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, at + offset), "v%d + %zu", i,
		     offset);
		return;
	}
	if (one_in(10)) {
		int fd = -1;
		CALL(cuMemGetHandleForAddressRange, (&fd, at + offset, bytes, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0),
		     "v%d + %zu", i, offset);
		return;
	}
	show_pointer("v", i, at, offset);
}

/* A mapping is none of what these free. */
static void do_mapped_free(void)
{
	size_t bytes;
	int i, number;
	CUdeviceptr at = any_address(&i, &bytes);
	CUstream stream = any_stream(&number);
	if (!at)
		return;
	switch (pick(4)) {
	case 0:
		CALL(cuMemFree_v2, (at), "v%d", i);
		return;
	case 1:
		CALL(cuMemFreeAsync, (at, stream), "v%d, s%d", i, number);
		CALL(cuStreamSynchronize, (stream), "same");
		return;
	case 2:
		CALL(cuMemFreeHost, ((void *)(uintptr_t)at), "v%d", i);
		return;
	default:
		CALL(cuMemHostUnregister, ((void *)(uintptr_t)at), "v%d", i);
	}
}

const struct operation differ_parts[] = { { "reserve", 5, do_reserve },
					  { "address-free", 2, do_address_free },
					  { "part-create", 5, do_part_create },
					  { "release", 2, do_release },
					  { "granularity", 1, do_granularity },
					  { "properties", 1, do_properties },
					  { "retain", 3, do_retain },
					  { "part-share", 3, do_part_share },
					  { "map", 10, do_map },
					  { "unmap", 4, do_unmap },
					  { "set-access", 8, do_set_access },
					  { "get-access", 2, do_get_access },
					  { "mapped-copy", 10, do_mapped_copy },
					  { "mapped-pointer", 5, do_mapped_pointer },
					  { "mapped-free", 1, do_mapped_free },
					  { NULL, 0, NULL } };
