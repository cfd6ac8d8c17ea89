/* Pools of stream-ordered memory.  Whatever a pool is asked, the lease has given back before. */
#include "client/cuda/memory.h"
#include "cuda-records.h"

/* The default pool of each device, and the one that was set, NULL where that is the same: the client's own notes. */
static struct {
	pthread_mutex_t lock;
	CUmemoryPool first[PL_CUDA_DEVICES_MAX]; /* under lock */
	_Atomic(CUmemoryPool) current[PL_CUDA_DEVICES_MAX];
} pools = { .lock = PTHREAD_MUTEX_INITIALIZER };

static CUresult pool_ask(struct pl_session *session, CUmemLocation location, CUmemAllocationType type, bool is_default,
			 CUmemoryPool *pool_out)
{
	struct pl_cuda_cuMemGetDefaultMemPool_args args = {
		.location_type = location.type, .location = location.id, .type = type, .is_default = is_default
	};
	struct pl_cuda_pool *pool;
	struct pl_reply reply;
	void *made = pl_cuda_new(session, PL_CUDA_KIND_pool, &args.pool);
	CUresult result;
	int r;

	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuMemGetDefaultMemPool, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result) {
		pl_cuda_undo(session, PL_CUDA_KIND_pool, made);
		return result;
	}
	pool = pl_cuda_get(PL_CUDA_KIND_pool, made);
	pool->given = true;
	pool->device = location.type == CU_MEM_LOCATION_TYPE_DEVICE ? pl_cuda_device_away(session, location.id)
								    : CU_DEVICE_INVALID;
	*pool_out = made;
	return CUDA_SUCCESS;
}

unsigned int pl_cuda_pool_handle_types(const CUmemoryPool *handle, CUdevice device)
{
	const struct pl_cuda_pool *pool =
		pl_cuda_get(PL_CUDA_KIND_pool, handle ? *handle : atomic_load(&pools.current[device]));

	return pool ? pool->handle_types : CU_MEM_HANDLE_TYPE_NONE;
}

CUdevice pl_cuda_pool_device(const CUmemoryPool *handle, CUdevice device)
{
	const struct pl_cuda_pool *pool = handle ? pl_cuda_get(PL_CUDA_KIND_pool, *handle) : NULL;

	return pool && pool->device != CU_DEVICE_INVALID ? pool->device : device;
}

bool pl_cuda_check_pool_created(CUmemoryPool handle)
{
	const struct pl_cuda_pool *pool = pl_cuda_get(PL_CUDA_KIND_pool, handle);

	return pool && !pool->given;
}

void pl_cuda_pool_fini(const struct pl_cuda_pool *pool)
{
	for (CUdevice device = 0; device < (CUdevice)PL_CUDA_DEVICES_MAX; device++) {
		CUmemoryPool current = pool->object.handle;

		atomic_compare_exchange_strong(&pools.current[device], &current, NULL);
	}
}

/* Called with the lock held. */
static CUresult first_find(CUdevice device)
{
	struct pl_session *session = pl_cuda_device_session(device);
	CUmemLocation location = { CU_MEM_LOCATION_TYPE_DEVICE, pl_cuda_device_home(session, device) };

	if (pools.first[device])
		return CUDA_SUCCESS;
	return pool_ask(session, location, CU_MEM_ALLOCATION_TYPE_PINNED, true, &pools.first[device]);
}

static CUresult pool_get(CUmemoryPool *pool, CUdevice device, bool is_default)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!pl_cuda_device(device))
		return CUDA_ERROR_INVALID_DEVICE;
	if (!pool)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&pools.lock);
	result = first_find(device);
	if (!result)
		*pool = is_default ? NULL : atomic_load(&pools.current[device]);
	if (!result && !*pool)
		*pool = pools.first[device];
	pthread_mutex_unlock(&pools.lock);
	return result;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device)
{
	return pool_get(pool, device, true);
}

CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device)
{
	return pool_get(pool, device, false);
}

CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool)
{
	struct pl_cuda_cuDeviceSetMemPool_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuDeviceSetMemPool, PL_CUDA_KIND_device,
					   (const void *)(uintptr_t)device, &session);
	int r;

	if (result)
		return result;
	if (!pl_cuda_device(device))
		return CUDA_ERROR_INVALID_DEVICE;
	args.device = pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (!args.pool)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_reclaim(session); /* what it keeps is of the pool before */
	pthread_mutex_lock(&pools.lock);
	result = first_find(device);
	r = result ? 0 : PL_CUDA_ASK(session, cuDeviceSetMemPool, &args, &reply);
	if (!result)
		result = pl_cuda_answer(r, &reply);
	if (!result) {
		atomic_store(&pools.current[device], pool);
		pl_cuda_lease_pool_changes();
	}
	pthread_mutex_unlock(&pools.lock);
	return result;
}

/* One of those that the client has notes of. */
static bool is_of_device(const CUmemLocation *location, CUmemAllocationType type)
{
	return location->type == CU_MEM_LOCATION_TYPE_DEVICE && type == CU_MEM_ALLOCATION_TYPE_PINNED;
}

static CUmemLocation location_there(const struct pl_session *session, CUmemLocation location)
{
	if (location.type == CU_MEM_LOCATION_TYPE_DEVICE)
		location.id = pl_cuda_device_home(session, location.id);
	return location;
}

static CUresult located(CUmemoryPool *pool, const CUmemLocation *location, CUmemAllocationType type, bool is_default)
{
	struct pl_session *session;
	CUmemoryPool got;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!location)
		return CUDA_ERROR_INVALID_VALUE;
	if (is_of_device(location, type))
		return pool_get(pool, location->id, is_default);
	session = pl_cuda_location_session(*location);
	/* The driver knows what else there is. */
	result = pool_ask(session, location_there(session, *location), type, is_default, &got);
	if (result)
		return result;
	if (!pool) {
		pl_cuda_undo(session, PL_CUDA_KIND_pool, got);
		return CUDA_ERROR_INVALID_VALUE;
	}
	*pool = got;
	return CUDA_SUCCESS;
}

CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
	return located(pool, location, type, true);
}

CUresult cuMemGetMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)
{
	return located(pool, location, type, false);
}

CUresult cuMemSetMemPool(CUmemLocation *location, CUmemAllocationType type, CUmemoryPool pool)
{
	struct pl_cuda_cuMemSetMemPool_args args = { .type = type, .given = 1 };
	CUmemLocation there;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_ready();
	int r;

	if (result)
		return result;
	if (!location)
		return CUDA_ERROR_INVALID_VALUE;
	if (is_of_device(location, type))
		return cuDeviceSetMemPool(location->id, pool);
	session = pl_cuda_location_session(*location);
	there = location_there(session, *location);
	pl_cuda_location_record_take(&args.location, &there);
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	r = PL_CUDA_ASK(session, cuMemSetMemPool, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *properties)
{
	struct pl_cuda_cuMemPoolCreate_args args = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuMemPoolCreate, &session);
	struct pl_cuda_pool *entered;
	void *made;
	int r;

	if (result)
		return result;
	if (!pool || !properties)
		return CUDA_ERROR_INVALID_VALUE;
	session = pl_cuda_location_session(properties->location);
	pl_cuda_pool_record_take(&args.properties, properties);
	if (properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE)
		args.properties.location_id = pl_cuda_device_home(session, properties->location.id);
	args.given = 1;
	made = pl_cuda_new(session, PL_CUDA_KIND_pool, &args.pool);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK(session, cuMemPoolCreate, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result) {
		pl_cuda_undo(session, PL_CUDA_KIND_pool, made);
		return result;
	}
	entered = pl_cuda_get(PL_CUDA_KIND_pool, made);
	entered->handle_types = properties->handleTypes;
	entered->device =
		properties->location.type == CU_MEM_LOCATION_TYPE_DEVICE ? properties->location.id : CU_DEVICE_INVALID;
	*pool = made;
	return CUDA_SUCCESS;
}

/* ---- what a pool is asked ---- */

CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t keep_bytes)
{
	struct pl_cuda_cuMemPoolTrimTo_args args = { .keep_bytes = keep_bytes };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemPoolTrimTo, PL_CUDA_KIND_pool, pool, &session);
	int r;

	if (result)
		return result;
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (!args.pool)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_reclaim(session);
	r = PL_CUDA_ASK(session, cuMemPoolTrimTo, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

static bool is_word(CUmemPool_attribute attribute)
{
	return attribute == CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES ||
	       attribute == CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC ||
	       attribute == CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES;
}

static bool attribute_known(CUmemPool_attribute attribute)
{
	return attribute >= CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES &&
	       attribute <= CU_MEMPOOL_ATTR_USED_MEM_HIGH;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value)
{
	struct pl_cuda_cuMemPoolSetAttribute_args args = { .attribute = attribute };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemPoolSetAttribute, PL_CUDA_KIND_pool, pool, &session);
	int r;

	if (result)
		return result;
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (!args.pool || !value || !attribute_known(attribute))
		return CUDA_ERROR_INVALID_VALUE;
	args.value = is_word(attribute) ? (uint64_t) * (const unsigned int *)value : *(const cuuint64_t *)value;
	pl_cuda_reclaim(session);
	r = PL_CUDA_ASK(session, cuMemPoolSetAttribute, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value)
{
	struct pl_cuda_cuMemPoolGetAttribute_args args = { .attribute = attribute };
	struct pl_cuda_cuMemPoolGetAttribute_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuMemPoolGetAttribute, PL_CUDA_KIND_pool, pool, &session);
	int r;

	if (result)
		return result;
	args.pool = pl_cuda_id(session, PL_CUDA_KIND_pool, pool);
	if (!args.pool || !value || !attribute_known(attribute))
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_reclaim(session);
	r = PL_CUDA_ASK(session, cuMemPoolGetAttribute, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuMemPoolGetAttribute_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	if (is_word(attribute))
		*(int *)value = (int)got.value;
	else
		*(cuuint64_t *)value = got.value;
	return CUDA_SUCCESS;
}
