#include <errno.h>
#include <stdlib.h>

#include "capture.h"
#include "check.h"
#include "cuda-api.h"
#include "pool-share.h"

#define BLOCK_UNIT 512u
#define FIT_TIMES  2u /* a free block serves what needs at least this part of it */

struct block { /* memory that was freed */
	struct pl_cu_mem *mem;
	uint64_t room_bytes;     /* mem->bytes may be less: what was asked for */
	struct pl_cu_line *line; /* free for all when it has come to `value`; for who frees to it at once */
	uint64_t value;
	struct block *next;
};

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_cu_pool *pools;

CUmemoryPool pl_cu_pool_handle(const struct pl_cu_pool *pool)
{
	return pool->handle;
}

CUmemAllocationHandleType pl_cu_pool_handle_types(const struct pl_cu_pool *pool)
{
	return pool->props.handleTypes;
}

CUresult pl_cu_pool_create(struct pl_cu_pool **pool_out, struct pl_cu_dev *dev, const CUmemPoolProps *props,
			   struct pl_cu_pool_file *file)
{
	struct pl_cu_pool *pool = calloc(1, sizeof(*pool));
	if (!pool) {
		pl_cu_pool_file_destroy(file);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*pool = (struct pl_cu_pool){ .dev = dev,
				     .file = file,
				     .props = *props,
				     .access = CU_MEM_ACCESS_FLAGS_PROT_READWRITE,
				     .reuse = { 0, 1, 1, 1 } };
	pthread_mutex_init(&pool->lock, NULL);
	pool->handle = (CUmemoryPool)(uintptr_t)pl_cuda_handle_create(PL_CU_POOL, pool);
	if (!pool->handle) {
		pl_cu_pool_file_destroy(file);
		free(pool);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_lock(&pools_lock);
	pool->next = pools;
	pools = pool;
	pthread_mutex_unlock(&pools_lock);
	*pool_out = pool;
	return CUDA_SUCCESS;
}

CUresult pl_cu_pool_default(struct pl_cu_dev *dev, struct pl_cu_pool **pool_out)
{
	static const CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
					      .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUresult r = CUDA_SUCCESS;
	pthread_mutex_lock(&dev->lock);
	if (!dev->pool_default)
		r = pl_cu_pool_create(&dev->pool_default, dev, &props, NULL);
	if (!r && !dev->pool)
		dev->pool = dev->pool_default;
	if (!r)
		*pool_out = dev->pool_default;
	pthread_mutex_unlock(&dev->lock);
	return r;
}

/* Called with pool->lock held. */
static void mem_end(struct pl_cu_pool *pool, struct pl_cu_mem *mem)
{
	if (pool->file && !pool->imported)
		pl_cu_pool_file_give(pool->file, mem);
	pl_cu_mem_destroy(mem);
}

/* Called with pool->lock held: gives back free blocks until no more than `keep` bytes are reserved. */
static bool pool_trim(struct pl_cu_pool *pool, uint64_t keep)
{
	bool any = false;
	for (struct block **at = &pool->free; *at && pool->reserved > keep;) {
		struct block *block = *at;
		if (!pl_cu_line_done(block->line, block->value)) {
			at = &block->next;
			continue;
		}
		*at = block->next;
		pool->reserved -= block->mem->mapped_bytes;
		pl_cu_line_unref(block->line);
		mem_end(pool, block->mem);
		free(block);
		any = true;
	}
	return any;
}

bool pl_cu_pools_trim(struct pl_cu_dev *dev)
{
	bool any = false;
	pthread_mutex_lock(&pools_lock);
	for (struct pl_cu_pool *pool = pools; pool; pool = pool->next) {
		if (pool->dev != dev)
			continue;
		pthread_mutex_lock(&pool->lock);
		any |= pool_trim(pool, 0);
		pthread_mutex_unlock(&pool->lock);
	}
	pthread_mutex_unlock(&pools_lock);
	return any;
}

static void pool_end(struct pl_cu_pool *pool)
{
	pthread_mutex_lock(&pools_lock);
	for (struct pl_cu_pool **at = &pools; *at; at = &(*at)->next) {
		if (*at != pool)
			continue;
		*at = pool->next;
		break;
	}
	pthread_mutex_unlock(&pools_lock);
	pthread_mutex_destroy(&pool->lock);
	pl_cu_pool_file_destroy(pool->file);
	free(pool);
}

/* A pool that was destroyed and has nothing left; NULL: there is none. */
static struct pl_cu_pool *release(struct pl_cu_dev *dev)
{
	struct pl_cu_pool *empty = NULL;
	pthread_mutex_lock(&pools_lock);
	for (struct pl_cu_pool *pool = pools; pool; pool = pool->next) {
		if (pool->dev != dev)
			continue;
		pthread_mutex_lock(&pool->lock);
		pool_trim(pool, pool->destroyed ? 0 : pool->release_threshold);
		if (!empty && pool->destroyed && !pool->ending && !pool->used && !pool->free) {
			pool->ending = true;
			empty = pool;
		}
		pthread_mutex_unlock(&pool->lock);
	}
	pthread_mutex_unlock(&pools_lock);
	return empty;
}

/* Memory goes only while nothing is under way: another stream than the one that freed it may be late, which a device
 * that keeps what it has mapped forgives (cuda-python's tests of shared pools rely on it). */
void pl_cu_pools_release(struct pl_cu_ctx *ctx)
{
	struct pl_cu_pool *empty;
	if (!pl_cu_ctx_idle(ctx))
		return;
	while ((empty = release(ctx->dev)))
		pool_end(empty);
}

/* Called with pool->lock held: the smallest block that fits and that this stream may have now. */
static struct pl_cu_mem *block_take(struct pl_cu_pool *pool, struct pl_cu_stream *stream, uint64_t bytes)
{
	struct block **best = NULL, *block;
	struct pl_cu_mem *mem;
	for (struct block **at = &pool->free; *at; at = &(*at)->next) {
		if ((*at)->room_bytes < bytes || (*at)->room_bytes / FIT_TIMES > bytes)
			continue;
		if (((*at)->line != stream->line || pl_cu_check_va()) && !pl_cu_line_done((*at)->line, (*at)->value))
			continue;
		if (!best || (*at)->room_bytes < (*best)->room_bytes)
			best = at;
	}
	if (!best)
		return NULL;
	block = *best;
	*best = block->next;
	mem = block->mem;
	pl_cu_line_unref(block->line);
	free(block);
	return mem;
}

void pl_cu_pool_account(struct pl_cu_pool *pool, uint64_t used, uint64_t reserved)
{
	pool->used += used;
	pool->reserved += reserved;
	if (pool->used > pool->used_high)
		pool->used_high = pool->used;
	if (pool->reserved > pool->reserved_high)
		pool->reserved_high = pool->reserved;
}

/* Called with pool->lock held.  Return: 0, -ENOSPC or -ENOMEM. */
static int mem_make(struct pl_cu_pool *pool, struct pl_cu_stream *stream, uint64_t bytes, struct pl_cu_mem **mem_out)
{
	return pool->file ? pl_cu_pool_file_take(pool->file, stream->ctx, bytes, mem_out)
			  : pl_cu_mem_create(mem_out, PL_CU_MEM_POOL, stream->ctx, bytes);
}

/* Called with pool->lock held: what is free and does not fit goes, as far as the limit of the pool needs it. */
static bool room_make(struct pl_cu_pool *pool, uint64_t limit, uint64_t bytes)
{
	if (bytes > limit)
		return false;
	if (pool->reserved > limit - bytes)
		pool_trim(pool, limit - bytes);
	return pool->reserved <= limit - bytes;
}

/* Called with pool->lock held. */
static CUresult mem_take(struct pl_cu_pool *pool, struct pl_cu_stream *stream, uint64_t bytes,
			 struct pl_cu_mem **mem_out)
{
	struct pl_cu_mem *mem = block_take(pool, stream, bytes);
	uint64_t limit = pool->props.maxSize;
	int r;
	if (mem) {
		mem->bytes = bytes;
		mem->id = pl_cu_mem_next_id();
		r = pl_cu_mem_insert(mem);
		pl_cu_pool_account(pool, mem->mapped_bytes, 0);
	} else {
		if (limit && !room_make(pool, limit, bytes))
			return CUDA_ERROR_OUT_OF_MEMORY;
		r = mem_make(pool, stream, bytes, &mem);
		if (r == -ENOSPC && pool_trim(pool, 0))
			r = mem_make(pool, stream, bytes, &mem);
		if (r)
			return pl_cu_result_of(r);
		mem->pool = pool;
		pl_cu_pool_account(pool, mem->mapped_bytes, mem->mapped_bytes);
	}
	if (pool->file)
		pl_cu_pool_file_mark(pool->file, mem, true);
	*mem_out = mem;
	return pl_cu_result_of(r);
}

static CUresult taken(struct pl_cu_pool *pool, struct pl_cu_stream *stream, uint64_t bytes, uint64_t *address_out)
{
	struct pl_cu_mem *mem = NULL;
	CUresult r;
	pthread_mutex_lock(&pool->lock);
	r = mem_take(pool, stream, bytes, &mem);
	if (!r)
		*address_out = mem->va;
	pthread_mutex_unlock(&pool->lock);
	return r;
}

CUresult pl_cu_pool_alloc(struct pl_cu_pool *pool, struct pl_cu_stream *stream, uint64_t bytes, uint64_t *address_out)
{
	bool captured;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	if (!r && captured)
		return pl_cu_capture_alloc(stream, bytes, (CUdeviceptr *)address_out);
	if (r)
		return r;
	if (pool->imported)
		return CUDA_ERROR_INVALID_VALUE;
	if (bytes > pool->dev->hw->vram_bytes)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = taken(pool, stream, bytes, address_out);
	if (r == CUDA_ERROR_OUT_OF_MEMORY && pl_cu_pools_trim(pool->dev)) /* what others keep, destroyed ones too */
		r = taken(pool, stream, bytes, address_out);
	return r;
}

/* Of a pool that was destroyed the last allocation was freed, and the pool marked as ending.  Where work is under way,
 * here or where others freed theirs, who waits for it does the rest. */
static void pool_leave(struct pl_cu_pool *pool, bool idle)
{
	bool last;
	pthread_mutex_lock(&pool->lock);
	if (idle)
		pool_trim(pool, 0);
	last = !pool->free;
	pool->ending = last;
	pthread_mutex_unlock(&pool->lock);
	if (last)
		pool_end(pool);
}

CUresult pl_cu_pool_free(struct pl_cu_stream *stream, uint64_t address)
{
	struct block *block = calloc(1, sizeof(*block));
	struct pl_cu_mem *mem = block ? pl_cu_mem_claim(address, PL_CU_MEM_POOL) : NULL;
	struct pl_cu_pool *pool;
	bool last;
	if (!mem) {
		free(block);
		pl_cu_check_call(CUDA_ERROR_INVALID_VALUE, "cuMemFreeAsync(0x%llx): no allocation begins there",
				 (unsigned long long)address);
		return block ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_OUT_OF_MEMORY;
	}
	pool = mem->pool;
	*block = (struct block){ .mem = mem, .room_bytes = mem->mapped_bytes, .line = pl_cu_line_ref(stream->line) };
	block->value = atomic_load(&stream->line->last);
	pthread_mutex_lock(&pool->lock);
	if (pool->file && !pool->imported)
		pl_cu_pool_file_mark(pool->file, mem, false);
	block->next = pool->free;
	pool->free = block;
	pool->used -= mem->mapped_bytes;
	last = pool->destroyed && !pool->used && !pool->ending;
	pool->ending |= last;
	pthread_mutex_unlock(&pool->lock);
	if (last)
		pool_leave(pool, pl_cu_ctx_idle(stream->ctx));
	return CUDA_SUCCESS;
}

CUresult pl_cu_pool_free_now(struct pl_cu_ctx *ctx, uint64_t address)
{
	CUresult r = pl_cu_ctx_wait(ctx), freed = pl_cu_pool_free(ctx->null_stream, address);
	return r ? r : freed;
}

/* -- the API ------------------------------------------------------------------------------------------------------- */

CUresult pl_cu_pool_get(CUmemoryPool handle, struct pl_cu_pool **pool_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*pool_out = pl_cuda_handle_held(handle, PL_CU_POOL);
	return *pool_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr *address_out, size_t bytes, CUmemoryPool handle, CUstream stream_handle)
{
	struct pl_cu_stream *stream;
	struct pl_cu_pool *pool;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = pl_cu_pool_get(handle, &pool);
	if (!r && !address_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	if (bytes)
		return pl_cu_pool_alloc(pool, stream, bytes, (uint64_t *)address_out);
	*address_out = 0; /* of no bytes, unlike cuMemAlloc()'s, that is success */
	return CUDA_SUCCESS;
}

/* The device's, for this call. */
static CUresult pool_current(struct pl_cu_dev *dev, struct pl_cu_pool **pool_out)
{
	CUresult r = pl_cu_pool_default(dev, pool_out);
	if (r)
		return r;
	pthread_mutex_lock(&dev->lock);
	*pool_out = pl_cuda_handle_held(dev->pool->handle, PL_CU_POOL);
	if (!*pool_out) /* another thread destroys it, and says so next */
		*pool_out = dev->pool_default;
	pthread_mutex_unlock(&dev->lock);
	return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(CUdeviceptr *address_out, size_t bytes, CUstream stream_handle)
{
	struct pl_cu_stream *stream;
	struct pl_cu_pool *pool;
	uint64_t address = 0;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r && !address_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = pool_current(stream->ctx->dev, &pool);
	if (!r && bytes)
		r = pl_cu_pool_alloc(pool, stream, bytes, &address);
	if (!r)
		*address_out = address;
	return r;
}

/* Memory of cuMemAlloc() is freed here too; then the stream is waited for.  Address 0 is none. */
CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream_handle)
{
	struct pl_cu_stream *stream;
	const struct pl_cu_mem *mem;
	bool captured;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = pl_cu_capture_gate(stream, &captured);
	if (r || !address)
		return r;
	if (captured)
		return pl_cu_capture_free(stream, address);
	mem = pl_cu_mem_find(address);
	if (mem && mem->va == address && mem->kind == PL_CU_MEM_DEVICE)
		return cuMemFree_v2(address);
	if (mem && mem->va == address && mem->kind == PL_CU_MEM_GRAPH)
		return pl_cu_graph_mem_free(stream, address);
	r = pl_cu_work_join(stream);
	return r ? r : pl_cu_pool_free(stream, address);
}

static CUresult location_check(CUmemLocation location, struct pl_cu_dev **dev_out)
{
	if (location.type == CU_MEM_LOCATION_TYPE_HOST || location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA ||
	    location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	*dev_out = pl_cu_device(location.id);
	return *dev_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuMemPoolCreate(CUmemoryPool *pool_out, const CUmemPoolProps *props)
{
	struct pl_cu_pool_file *file = NULL;
	struct pl_cu_pool *pool;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!pool_out || !props || props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED)
		return CUDA_ERROR_INVALID_VALUE;
	r = location_check(props->location, &dev);
	if (!r && props->handleTypes & ~(unsigned int)CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		r = CUDA_ERROR_NOT_SUPPORTED; /* as the attribute of the device says */
	if (!r && props->handleTypes)
		r = pl_cu_pool_file_create(&file, dev, props->maxSize);
	if (!r)
		r = pl_cu_pool_create(&pool, dev, props, file);
	if (!r)
		*pool_out = pool->handle;
	return r;
}

/* No call uses it: nothing is allocated in it any more.  What other streams may still work in goes when somebody waits.
 */
static void pool_retired(void *arg)
{
	struct pl_cu_pool *pool = arg;
	struct pl_cu_ctx *ctx;
	bool idle = pl_cu_enter_ctx(&ctx) || pl_cu_ctx_idle(ctx), last;
	pthread_mutex_lock(&pool->lock);
	pool->destroyed = true;
	if (idle)
		pool_trim(pool, 0);
	last = !pool->used && !pool->free && !pool->ending;
	pool->ending |= last;
	pthread_mutex_unlock(&pool->lock);
	if (last)
		pool_end(pool);
}

CUresult cuMemPoolDestroy(CUmemoryPool handle)
{
	struct pl_cu_pool *pool;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (r)
		return r;
	if (pool == pool->dev->pool_default)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&pool->dev->lock);
	if (pool->dev->pool == pool)
		pool->dev->pool = pool->dev->pool_default;
	pthread_mutex_unlock(&pool->dev->lock);
	return pl_cuda_handle_retire((uint64_t)(uintptr_t)handle, pool_retired) ? CUDA_SUCCESS
										: CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemPoolTrimTo(CUmemoryPool handle, size_t keep)
{
	struct pl_cu_pool *pool;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (r)
		return r;
	pthread_mutex_lock(&pool->lock);
	pool_trim(pool, keep);
	pthread_mutex_unlock(&pool->lock);
	return CUDA_SUCCESS;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void *value)
{
	struct pl_cu_pool *pool;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (r)
		return r;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&pool->lock);
	switch (attribute) {
	case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
		pool->reuse[attribute] = *(int *)value;
		break;
	case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
		pool->release_threshold = *(cuuint64_t *)value;
		break;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH: /* can be reset, nothing else */
	case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
		r = *(cuuint64_t *)value ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
		if (!r && attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH)
			pool->used_high = pool->used;
		if (!r && attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)
			pool->reserved_high = pool->reserved;
		break;
	default:
		r = CUDA_ERROR_INVALID_VALUE;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

CUresult cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void *value)
{
	struct pl_cu_pool *pool;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (r)
		return r;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&pool->lock);
	switch (attribute) {
	case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
	case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
		*(int *)value = pool->reuse[attribute];
		break;
	case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
		*(cuuint64_t *)value = pool->release_threshold;
		break;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
		*(cuuint64_t *)value = pool->reserved;
		break;
	case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
		*(cuuint64_t *)value = pool->reserved_high;
		break;
	case CU_MEMPOOL_ATTR_USED_MEM_CURRENT:
		*(cuuint64_t *)value = pool->used;
		break;
	case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
		*(cuuint64_t *)value = pool->used_high;
		break;
	default:
		r = CUDA_ERROR_INVALID_VALUE;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

CUresult cuMemPoolSetAccess(CUmemoryPool handle, const CUmemAccessDesc *map, size_t n)
{
	struct pl_cu_pool *pool;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (!r && (!map || !n))
		r = CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < n && !r; i++) {
		r = location_check(map[i].location, &dev);
		if (!r && map[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
			r = CUDA_ERROR_INVALID_VALUE; /* the device of a pool always has access */
	}
	return r;
}

CUresult cuMemPoolGetAccess(CUmemAccess_flags *flags_out, CUmemoryPool handle, CUmemLocation *location)
{
	struct pl_cu_pool *pool;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (!r && (!flags_out || !location))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = location_check(*location, &dev);
	if (!r)
		*flags_out = pool->access;
	return r;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice device)
{
	struct pl_cu_pool *pool;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (r)
		return r;
	if (!pool_out)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_pool_default(dev, &pool);
	if (!r)
		*pool_out = pool->handle;
	return r;
}

CUresult cuDeviceGetMemPool(CUmemoryPool *pool_out, CUdevice device)
{
	struct pl_cu_dev *dev;
	CUresult r = cuDeviceGetDefaultMemPool(pool_out, device);
	if (!r)
		r = pl_cu_enter_device(device, &dev);
	if (!r)
		*pool_out = dev->pool->handle;
	return r;
}

CUresult cuDeviceSetMemPool(CUdevice device, CUmemoryPool handle)
{
	struct pl_cu_pool *pool, *other;
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (!r)
		r = pl_cu_pool_default(dev, &other);
	if (!r)
		r = pl_cu_pool_get(handle, &pool);
	if (!r && pool->imported)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&dev->lock);
	dev->pool = pool;
	pthread_mutex_unlock(&dev->lock);
	return CUDA_SUCCESS;
}

static CUresult located(CUmemLocation *location, CUmemAllocationType type)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter();
	if (!r && (!location || type != CU_MEM_ALLOCATION_TYPE_PINNED))
		r = !location ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_NOT_SUPPORTED;
	return r ? r : location_check(*location, &dev);
}

CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool_out, CUmemLocation *location, CUmemAllocationType type)
{
	CUresult r = located(location, type);
	return r ? r : cuDeviceGetDefaultMemPool(pool_out, location->id);
}

CUresult cuMemGetMemPool(CUmemoryPool *pool_out, CUmemLocation *location, CUmemAllocationType type)
{
	CUresult r = located(location, type);
	return r ? r : cuDeviceGetMemPool(pool_out, location->id);
}

CUresult cuMemSetMemPool(CUmemLocation *location, CUmemAllocationType type, CUmemoryPool pool)
{
	CUresult r = located(location, type);
	return r ? r : cuDeviceSetMemPool(location->id, pool);
}
