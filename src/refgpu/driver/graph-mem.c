/*
 * Memory that graphs allocate.  A node's memory is taken when the node is made, and stays where it is until no graph
 * has the node and no one the memory; a launch only says whether it is in use.
 */
#include <errno.h>
#include <stdlib.h>

#include "cuda-api.h"
#include "graph.h"
#include "mem.h"
#include "pool.h"

#define DRAIN_NS 2000000000ull

static struct {
	pthread_mutex_t lock;
	/* under lock */
	struct pl_cu_graph_mem *all;
	uint64_t bytes, used_high, reserved_high; /* what nodes have, and the most that was since each was reset */
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

static CUresult params_check(const CUDA_MEM_ALLOC_NODE_PARAMS *params, struct pl_cu_dev **dev_out)
{
	const CUmemPoolProps *props = &params->poolProps;
	if (!params->bytesize || props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
	    (params->accessDescCount && !params->accessDescs))
		return CUDA_ERROR_INVALID_VALUE;
	if (props->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (props->handleTypes != CU_MEM_HANDLE_TYPE_NONE)
		return CUDA_ERROR_NOT_SUPPORTED;
	*dev_out = pl_cu_device(props->location.id);
	if (!*dev_out)
		return CUDA_ERROR_INVALID_DEVICE;
	for (size_t i = 0; i < params->accessDescCount; i++)
		if (params->accessDescs[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
		    !pl_cu_device(params->accessDescs[i].location.id))
			return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

CUresult pl_cu_graph_mem_create(struct pl_cu_graph_mem **mem_out, CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
	struct pl_cu_ctx *ctx = pl_cu_ctx_current();
	struct pl_cu_graph_mem *mem;
	struct pl_cu_dev *dev = NULL;
	CUresult r = params_check(params, &dev);
	if (r)
		return r;
	if (!ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (params->bytesize > dev->hw->vram_bytes)
		return CUDA_ERROR_OUT_OF_MEMORY;
	mem = calloc(1, sizeof(*mem));
	if (!mem)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = pl_cu_result_of(pl_cu_mem_create(&mem->mem, PL_CU_MEM_GRAPH, ctx, params->bytesize));
	if (r == CUDA_ERROR_OUT_OF_MEMORY && pl_cu_pools_trim(dev))
		r = pl_cu_result_of(pl_cu_mem_create(&mem->mem, PL_CU_MEM_GRAPH, ctx, params->bytesize));
	if (r) {
		free(mem);
		return r;
	}
	mem->mem->ctx = NULL; /* graphs outlive contexts */
	mem->dev = dev;
	atomic_store(&mem->refs, 1);
	params->dptr = mem->mem->va;
	pthread_mutex_lock(&memory.lock);
	mem->next = memory.all;
	memory.all = mem;
	memory.bytes += mem->mem->mapped_bytes;
	if (memory.bytes > memory.used_high)
		memory.used_high = memory.bytes;
	if (memory.bytes > memory.reserved_high)
		memory.reserved_high = memory.bytes;
	pthread_mutex_unlock(&memory.lock);
	*mem_out = mem;
	return CUDA_SUCCESS;
}

struct pl_cu_graph_mem *pl_cu_graph_mem_ref(struct pl_cu_graph_mem *mem)
{
	atomic_fetch_add(&mem->refs, 1);
	return mem;
}

static bool freed(void *arg)
{
	const struct pl_cu_graph_mem *mem = arg;
	return pl_cu_line_done(mem->line, mem->value);
}

/* Work that was given before the application freed it may use it still; a device that is lost does not. */
static void memory_end(struct pl_cu_graph_mem *mem)
{
	if (mem->line && !freed(mem))
		pl_cu_hw_wait(mem->dev->hw, freed, mem, DRAIN_NS);
	pl_cu_line_unref(mem->line);
	pl_cu_mem_destroy(mem->mem);
	free(mem);
}

void pl_cu_graph_mem_unref(struct pl_cu_graph_mem *mem)
{
	if (!mem)
		return;
	pthread_mutex_lock(&memory.lock);
	if (atomic_fetch_sub(&mem->refs, 1) != 1) {
		pthread_mutex_unlock(&memory.lock);
		return;
	}
	for (struct pl_cu_graph_mem **at = &memory.all; *at; at = &(*at)->next) {
		if (*at != mem)
			continue;
		*at = mem->next;
		break;
	}
	memory.bytes -= mem->mem->mapped_bytes;
	pthread_mutex_unlock(&memory.lock);
	memory_end(mem);
}

struct pl_cu_graph_mem *pl_cu_graph_mem_find(uint64_t address)
{
	struct pl_cu_graph_mem *mem;
	pthread_mutex_lock(&memory.lock);
	for (mem = memory.all; mem && mem->mem->va != address; mem = mem->next)
		;
	if (mem)
		pl_cu_graph_mem_ref(mem);
	pthread_mutex_unlock(&memory.lock);
	return mem;
}

bool pl_cu_graph_mem_live(struct pl_cu_graph_mem *mem)
{
	bool live;
	pthread_mutex_lock(&memory.lock);
	live = mem->live;
	pthread_mutex_unlock(&memory.lock);
	return live;
}

CUresult pl_cu_graph_mem_begin(struct pl_cu_graph_mem *mem)
{
	bool live;
	pthread_mutex_lock(&memory.lock);
	live = mem->live;
	mem->live = true;
	if (!live)
		pl_cu_graph_mem_ref(mem);
	pthread_mutex_unlock(&memory.lock);
	return live ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult pl_cu_graph_mem_end(struct pl_cu_graph_mem *mem)
{
	bool live;
	pthread_mutex_lock(&memory.lock);
	live = mem->live;
	mem->live = false;
	pthread_mutex_unlock(&memory.lock);
	if (!live)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cu_graph_mem_unref(mem);
	return CUDA_SUCCESS;
}

CUresult pl_cu_graph_mem_free(struct pl_cu_stream *stream, uint64_t address)
{
	struct pl_cu_graph_mem *mem = pl_cu_graph_mem_find(address);
	CUresult r;
	if (!mem)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&memory.lock);
	if (mem->live) {
		pl_cu_line_unref(mem->line);
		mem->line = pl_cu_line_ref(stream->line);
		mem->value = atomic_load(&stream->line->last);
	}
	pthread_mutex_unlock(&memory.lock);
	r = pl_cu_graph_mem_end(mem);
	pl_cu_graph_mem_unref(mem);
	return r;
}

/* -- the API ------------------------------------------------------------------------------------------------------- */

/* What graphs keep is what their nodes need: nothing is left over that could be given back. */
CUresult cuDeviceGraphMemTrim(CUdevice device)
{
	struct pl_cu_dev *dev;
	return pl_cu_enter_device(device, &dev);
}

CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (!r && (!value || (unsigned int)attribute > CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&memory.lock);
	*(cuuint64_t *)value = attribute == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH       ? memory.used_high
			       : attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH ? memory.reserved_high
										  : memory.bytes;
	pthread_mutex_unlock(&memory.lock);
	return CUDA_SUCCESS;
}

/* The high marks can be reset, nothing else. */
CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
	struct pl_cu_dev *dev;
	CUresult r = pl_cu_enter_device(device, &dev);
	if (!r && (!value || *(cuuint64_t *)value ||
		   (attribute != CU_GRAPH_MEM_ATTR_USED_MEM_HIGH && attribute != CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	pthread_mutex_lock(&memory.lock);
	if (attribute == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH)
		memory.used_high = memory.bytes;
	else
		memory.reserved_high = memory.bytes;
	pthread_mutex_unlock(&memory.lock);
	return CUDA_SUCCESS;
}
