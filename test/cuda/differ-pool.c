/* Random calls: pools of memory, what they are asked and told, whose they are, and other processes' ends of them. */
#include <fcntl.h>
#include <unistd.h>

#include "differ.h"

static CUmemoryPool own; /* the device's default pool, once somebody has asked for it */
static CUmemPoolPtrExportData pointer_data;

/* A slot's pool, seldom the device's own: then -1. */
static CUmemoryPool any_pool(int *i_out)
{
	*i_out = own && one_in(6) ? -1 : any(POOL);
	return *i_out < 0 ? own : handle_of(POOL, *i_out, CUmemoryPool);
}

static void pool_told(CUresult r, CUmemoryPool pool)
{
	if (r == CUDA_SUCCESS)
		out_number("pool", pool == own ? -1 : which(POOL, (uint64_t)(uintptr_t)pool));
}

static void do_create(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	int i = any(POOL);
	CUmemoryPool pool = handle_of(POOL, i, CUmemoryPool);
	CUresult r;
	if (own && one_in(20)) {
		CALL(cuMemPoolDestroy, (own), "l-1");
		return;
	}
	if (slots[POOL][i].live || one_in(8)) {
		CALL(cuMemPoolDestroy, (pool), "l%d", i);
		gone(POOL, i);
		if (one_in(4))
			CALL(cuMemPoolDestroy, (pool), "l%d again", i);
		return;
	}
	if (one_in(5))
		props.location.id = (int)one_of(1, 77, 0xffffffff);
	if (one_in(8))
		props.location.type = (CUmemLocationType)one_of(0, 2, 3, 4, 9);
	if (one_in(8))
		props.allocType = (CUmemAllocationType)one_of(0, 2, 9);
	if (one_in(4))
		props.handleTypes = (CUmemAllocationHandleType)one_of(1, 1, 1, 2, 8, 3);
	if (one_in(4))
		props.maxSize = one_of(1, 65536, 4194304);
	pool = NULL;
	r = CALL(cuMemPoolCreate, (one_in(12) ? NULL : &pool, one_in(12) ? NULL : &props), "l%d, %d at %d, %d, %d, %zu",
		 i, (int)props.location.type, props.location.id, (int)props.allocType, (int)props.handleTypes,
		 props.maxSize);
	made(POOL, i, r, (uint64_t)(uintptr_t)pool, props.maxSize);
}

static void do_attribute(void)
{
	uint64_t value = one_of(0, 0, 1, 65536, 1ull << 30, ~0ull);
	CUmemPool_attribute what = (CUmemPool_attribute)one_of(0, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 99);
	bool none = one_in(12);
	int i;
	CUmemoryPool pool = any_pool(&i);
	if (one_in(2)) {
		CALL(cuMemPoolSetAttribute, (pool, what, none ? NULL : &value), "l%d, %d, %llu", i, (int)what,
		     (unsigned long long)value);
		return;
	}
	value = 0x5555555555555555ull;
	CALL(cuMemPoolGetAttribute, (pool, what, none ? NULL : &value), "l%d, %d", i, (int)what);
	out_number("value", (int64_t)value);
}

static void do_trim(void)
{
	uint64_t keep = one_of(0, 1, 65536, 1ull << 30, ~0ull);
	int i;
	CUmemoryPool pool = any_pool(&i);
	CALL(cuMemPoolTrimTo, (pool, keep), "l%d, %llu", i, (unsigned long long)keep);
}

static CUmemLocation any_location(void)
{
	CUmemLocation location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 };
	if (one_in(3))
		location.type = (CUmemLocationType)one_of(0, 2, 3, 4, 9);
	if (one_in(4))
		location.id = (int)one_of(1, 77, 0xffffffff);
	return location;
}

static void do_access(void)
{
	CUmemAccessDesc access[2] = { { any_location(), (CUmemAccess_flags)one_of(3, 3, 3, 1, 0, 2, 7) },
				      { any_location(), CU_MEM_ACCESS_FLAGS_PROT_READWRITE } };
	CUmemAccess_flags flags = (CUmemAccess_flags)0x55;
	size_t n = one_of(1, 1, 2, 0);
	int i;
	CUmemoryPool pool = any_pool(&i);
	if (one_in(2)) {
		CALL(cuMemPoolSetAccess, (pool, one_in(10) ? NULL : access, n), "l%d, %d at %d: %d, %zu", i,
		     (int)access[0].location.type, access[0].location.id, (int)access[0].flags, n);
		return;
	}
	CALL(cuMemPoolGetAccess, (one_in(10) ? NULL : &flags, pool, one_in(10) ? NULL : &access[0].location),
	     "l%d, %d at %d", i, (int)access[0].location.type, access[0].location.id);
	out_number("flags", flags);
}

static void do_whose(void)
{
	CUmemLocation location = any_location();
	CUmemAllocationType type = (CUmemAllocationType)one_of(1, 1, 1, 0, 2, 9);
	CUdevice device = (CUdevice)one_of(0, 0, 0, 1, 77, 0xffffffff);
	CUmemoryPool pool = NULL, *pool_out = one_in(12) ? NULL : &pool;
	CUmemLocation *at = one_in(12) ? NULL : &location;
	CUresult r;
	int i;
	switch (pick(6)) {
	case 0:
		r = CALL(cuDeviceGetDefaultMemPool, (pool_out, device), "%d", device);
		if (r == CUDA_SUCCESS && !own)
			own = pool;
		pool_told(r, pool);
		return;
	case 1:
		pool_told(CALL(cuDeviceGetMemPool, (pool_out, device), "%d", device), pool);
		return;
	case 2:
		pool = any_pool(&i);
		CALL(cuDeviceSetMemPool, (device, pool), "%d, l%d", device, i);
		return;
	case 3:
		r = CALL(cuMemGetDefaultMemPool, (pool_out, at, type), "%d at %d, %d", (int)location.type, location.id,
			 (int)type);
		pool_told(own ? r : CUDA_ERROR_UNKNOWN, pool);
		return;
	case 4:
		r = CALL(cuMemGetMemPool, (pool_out, at, type), "%d at %d, %d", (int)location.type, location.id,
			 (int)type);
		pool_told(own ? r : CUDA_ERROR_UNKNOWN, pool);
		return;
	default:
		pool = any_pool(&i);
		CALL(cuMemSetMemPool, (at, type, pool), "%d at %d, %d, l%d", (int)location.type, location.id, (int)type,
		     i);
	}
}

/* Both ends in one process: the other is a pool in a slot of its own, of which nothing can be allocated. */
static void do_share(void)
{
	CUmemAllocationHandleType type = (CUmemAllocationHandleType)one_of(1, 1, 1, 1, 0, 2, 8);
	unsigned long long flags = one_in(8);
	int i, to = room(POOL), fd = -1;
	CUmemoryPool pool = any_pool(&i), other = NULL;
	CUresult r = CALL(cuMemPoolExportToShareableHandle, (one_in(12) ? NULL : &fd, pool, type, flags),
			  "l%d, %d, %llu", i, (int)type, flags);
	out_number("descriptor", r == CUDA_SUCCESS && fd >= 0);
	if (r != CUDA_SUCCESS && one_in(2))
		fd = open("/dev/null", O_RDWR | O_CLOEXEC); /* a descriptor, but of no pool */
	if (to >= 0) {
		r = CALL(cuMemPoolImportFromShareableHandle,
			 (one_in(12) ? NULL : &other, (void *)(intptr_t)fd, type, flags), "l%d, %d, %llu", to,
			 (int)type, flags);
		made(POOL, to, r, (uint64_t)(uintptr_t)other, 0);
	}
	if (fd >= 0)
		close(fd);
}

static void do_pointer(void)
{
	int m = any(MEMORY), i;
	CUdeviceptr at = slots[MEMORY][m].handle + one_of(0, 0, 0, 0, 1), there = 0;
	CUmemoryPool pool = any_pool(&i);
	CUresult r = CALL(cuMemPoolExportPointer, (one_in(12) ? NULL : &pointer_data, at), "m%d + %d", m,
			  (int)(at - slots[MEMORY][m].handle));
	if (one_in(2))
		return;
	r = CALL(cuMemPoolImportPointer, (one_in(12) ? NULL : &there, pool, one_in(12) ? NULL : &pointer_data), "l%d",
		 i);
	out_number("somewhere", there != 0);
	if (r == CUDA_SUCCESS)
		CALL(cuMemFree_v2, (there), "there");
}

const struct operation differ_pool[] = { { "create", 5, do_create },   { "attribute", 5, do_attribute },
					 { "trim", 1, do_trim },       { "access", 2, do_access },
					 { "whose", 3, do_whose },     { "share", 2, do_share },
					 { "pointer", 2, do_pointer }, { NULL, 0, NULL } };
