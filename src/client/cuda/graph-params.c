/* A node's parameters: packed for the way, and kept for whoever asks for them. */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/awaited.h"
#include "client/cuda/copy-shape.h"
#include "client/cuda/graph.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/launch.h"
#include "client/cuda/mark.h"
#include "client/cuda/reach.h"
#include "wire/cuda-node.h"

static bool room_make(struct pl_cuda_packed *packed, uint64_t bytes)
{
	packed->bytes = calloc(1, bytes ? bytes : 1);
	packed->room = packed->bytes ? bytes : 0;
	packed->count = packed->room;
	return packed->bytes;
}

/* The function, or the kernel in its place. */
static const void *kernel_handle(const CUDA_KERNEL_NODE_PARAMS_v3 *params)
{
	return params->func ? (const void *)params->func : (const void *)params->kern;
}

static CUresult kernel_pack(struct pl_cuda_packed *packed, const CUDA_KERNEL_NODE_PARAMS_v3 *params)
{
	struct pl_cuda_function *function = pl_cuda_function_of(kernel_handle(params));
	const struct pl_cuda_facts *facts;
	struct pl_cuda_node_kernel to;
	uint64_t args_bytes;
	CUresult result;

	if (!function || !pl_cuda_object_is_on(&function->object, packed->session))
		return kernel_handle(params) ? CUDA_ERROR_INVALID_HANDLE : CUDA_ERROR_INVALID_VALUE;
	result = pl_cuda_facts_get(function, &facts);
	if (result)
		return result;
	if (!facts->knows_params)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (facts->args_bytes > PL_CUDA_LIMIT_NODE_BYTES - sizeof(to))
		return CUDA_ERROR_INVALID_VALUE;
	if (!room_make(packed, sizeof(to) + facts->args_bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = pl_cuda_args_pack(facts, params->kernelParams, params->extra, packed->bytes + sizeof(to), &args_bytes);
	if (result)
		return result;
	pl_cuda_reach_all(packed->bytes + sizeof(to), args_bytes);
	to = (struct pl_cuda_node_kernel){
		.function = function->object.id,
		.grid = { params->gridDimX, params->gridDimY, params->gridDimZ },
		.block = { params->blockDimX, params->blockDimY, params->blockDimZ },
		.shared_bytes = params->sharedMemBytes,
		.args_bytes = (uint32_t)args_bytes,
	};
	memcpy(packed->bytes, &to, sizeof(to));
	packed->count = sizeof(to) + args_bytes;
	return CUDA_SUCCESS;
}

static bool is_memory_type(CUmemorytype type)
{
	return type >= CU_MEMORYTYPE_HOST && type <= CU_MEMORYTYPE_UNIFIED;
}

static CUresult copy_pack(struct pl_cuda_packed *packed, const CUDA_MEMCPY3D *params)
{
	struct pl_cuda_copy_shape shape = { 0 };
	struct pl_cuda_node_copy to = { 0 };
	CUDA_MEMCPY3D_PEER copy;
	struct pl_enc enc = { .at = (uint8_t *)to.copy };
	CUresult result;

	memcpy(&copy, params, sizeof(copy));
	copy.srcContext = copy.dstContext = NULL;
	if (!copy.WidthInBytes || !copy.Height || !copy.Depth || !is_memory_type(copy.srcMemoryType) ||
	    !is_memory_type(copy.dstMemoryType))
		return CUDA_ERROR_INVALID_VALUE;
	result = pl_cuda_copy_shape_of(&shape, packed->session, &copy);
	if (result)
		return result;
	if (shape.from_host && shape.to_host)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!room_make(packed, sizeof(to)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (shape.to_host)
		pl_cuda_awaits_graph(&shape.to);
	if (shape.from_host || shape.to_host) {
		packed->token = pl_cuda_host_copy_new(packed->session, shape.from_host ? &shape.from : &shape.to);
		if (!packed->token)
			return CUDA_ERROR_OUT_OF_MEMORY;
	}
	to.token = packed->token;
	pl_cuda_copy3d_record_put(&enc, &shape.record);
	memcpy(packed->bytes, &to, sizeof(to));
	return CUDA_SUCCESS;
}

static CUresult fill_pack(struct pl_cuda_packed *packed, const CUDA_MEMSET_NODE_PARAMS_v2 *params)
{
	struct pl_cuda_node_fill to = { params->dst,    params->pitch, params->width,
					params->height, params->value, params->elementSize };

	pl_cuda_reach(params->dst);
	if (!room_make(packed, sizeof(to)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(packed->bytes, &to, sizeof(to));
	return CUDA_SUCCESS;
}

static int location_home(const struct pl_cuda_packed *packed, CUmemLocation location)
{
	if (location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return location.id;
	return pl_cuda_device_home(packed->session, location.id);
}

static CUresult alloc_pack(struct pl_cuda_packed *packed, const CUDA_MEM_ALLOC_NODE_PARAMS_v2 *params)
{
	struct pl_cuda_node_alloc to = {
		.type = params->poolProps.allocType,
		.handle_types = params->poolProps.handleTypes,
		.location_type = params->poolProps.location.type,
		.location_id = location_home(packed, params->poolProps.location),
		.max_size = params->poolProps.maxSize,
		.bytes = params->bytesize,
		.usage = params->poolProps.usage,
		.access_count = (uint32_t)params->accessDescCount,
	};
	struct pl_cuda_node_access access;

	if (params->accessDescCount > (PL_CUDA_LIMIT_NODE_BYTES - sizeof(to)) / sizeof(access) ||
	    (params->accessDescCount && !params->accessDescs))
		return CUDA_ERROR_INVALID_VALUE;
	if (!room_make(packed, sizeof(to) + params->accessDescCount * sizeof(access)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(packed->bytes, &to, sizeof(to));
	for (size_t i = 0; i < params->accessDescCount; i++) {
		access = (struct pl_cuda_node_access){ params->accessDescs[i].location.type,
						       location_home(packed, params->accessDescs[i].location),
						       params->accessDescs[i].flags, 0 };
		memcpy(packed->bytes + sizeof(to) + i * sizeof(access), &access, sizeof(access));
	}
	return CUDA_SUCCESS;
}

static CUresult memops_pack(struct pl_cuda_packed *packed, const CUDA_BATCH_MEM_OP_NODE_PARAMS_v2 *params)
{
	struct pl_cuda_node_memops to = { params->count, params->flags, 0 };
	uint64_t bytes = (uint64_t)params->count * PL_CUDA_MEMOP_BYTES;

	_Static_assert(sizeof(*params->paramArray) == PL_CUDA_MEMOP_BYTES, "as on the wire");
	pl_cuda_awaits_program();
	if (bytes > PL_CUDA_LIMIT_NODE_BYTES - sizeof(to) || (params->count && !params->paramArray))
		return CUDA_ERROR_INVALID_VALUE;
	if (!room_make(packed, sizeof(to) + bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_reach_all((const uint8_t *)params->paramArray, bytes);
	memcpy(packed->bytes, &to, sizeof(to));
	if (bytes)
		memcpy(packed->bytes + sizeof(to), params->paramArray, bytes);
	return CUDA_SUCCESS;
}

static CUresult condition_pack(struct pl_cuda_packed *packed, const CUDA_CONDITIONAL_NODE_PARAMS *params)
{
	struct pl_cuda_node_condition to = { params->handle, params->type, params->size };

	if (params->size > PL_CUDA_LIMIT_BODIES_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	if (!room_make(packed, sizeof(to)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(packed->bytes, &to, sizeof(to));
	return CUDA_SUCCESS;
}

static CUresult id_pack(struct pl_cuda_packed *packed, uint64_t id)
{
	struct pl_cuda_node_id to = { id };

	if (!room_make(packed, sizeof(to)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(packed->bytes, &to, sizeof(to));
	return CUDA_SUCCESS;
}

static CUresult host_pack(struct pl_cuda_packed *packed, const CUDA_HOST_NODE_PARAMS_v2 *params)
{
	if (!params->fn)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_awaits_program();
	packed->token = pl_cuda_hostfn_new(packed->session, params->fn, params->userData);
	return packed->token ? id_pack(packed, packed->token) : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult object_pack(struct pl_cuda_packed *packed, enum pl_cuda_object_kind kind, const void *handle,
			    CUresult none)
{
	uint64_t id = pl_cuda_id(packed->session, kind, handle);

	return id ? id_pack(packed, id) : none;
}

CUresult pl_cuda_params_pack(struct pl_cuda_packed *packed, struct pl_session *session, const CUgraphNodeParams *params)
{
	CUcontext context = NULL;

	*packed = (struct pl_cuda_packed){ .session = session };
	if (params->type == CU_GRAPH_NODE_TYPE_MEMCPY)
		context = params->memcpy.copyCtx;
	if (params->type == CU_GRAPH_NODE_TYPE_MEMSET)
		context = params->memset.ctx;
	if (params->type == CU_GRAPH_NODE_TYPE_BATCH_MEM_OP)
		context = params->memOp.ctx;
	if (params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		context = params->conditional.ctx;
	packed->context = pl_cuda_id(session, PL_CUDA_KIND_context, context);
	if (context && !packed->context)
		return CUDA_ERROR_INVALID_CONTEXT;
	switch (params->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_pack(packed, &params->kernel);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return copy_pack(packed, &params->memcpy.copyParams);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return fill_pack(packed, &params->memset);
	case CU_GRAPH_NODE_TYPE_HOST:
		return host_pack(packed, &params->host);
	case CU_GRAPH_NODE_TYPE_GRAPH:
		return object_pack(packed, PL_CUDA_KIND_graph, params->graph.graph, CUDA_ERROR_INVALID_VALUE);
	case CU_GRAPH_NODE_TYPE_EMPTY:
		return CUDA_SUCCESS;
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		pl_cuda_event_elsewhere(params->eventRecord.event);
		return object_pack(packed, PL_CUDA_KIND_event, params->eventRecord.event, CUDA_ERROR_INVALID_HANDLE);
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		return object_pack(packed, PL_CUDA_KIND_event, params->eventWait.event, CUDA_ERROR_INVALID_HANDLE);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return alloc_pack(packed, &params->alloc);
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		return id_pack(packed, params->free.dptr);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return memops_pack(packed, &params->memOp);
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		return condition_pack(packed, &params->conditional);
	case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
	case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT:
		return CUDA_ERROR_NOT_SUPPORTED; /* none can be imported */
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

void pl_cuda_packed_fini(struct pl_cuda_packed *packed)
{
	free(packed->bytes);
	packed->bytes = NULL;
}

void pl_cuda_packed_undo(struct pl_cuda_packed *packed)
{
	if (packed->token)
		pl_cuda_hostfn_forget(packed->session, packed->token);
	pl_cuda_packed_fini(packed);
}

/* ---- kept ---- */

static bool kernel_keep(struct pl_cuda_node *node)
{
	CUDA_KERNEL_NODE_PARAMS_v3 *kept = &node->params.kernel;
	struct pl_cuda_function *function = pl_cuda_function_of(kernel_handle(kept));
	const struct pl_cuda_facts *facts;
	uint64_t bytes;
	void **address;

	if (!function || pl_cuda_facts_get(function, &facts))
		return false;
	node->room = calloc(1, facts->params * sizeof(*address) + facts->args_bytes + 1);
	if (!node->room)
		return false;
	address = (void **)(void *)node->room;
	if (pl_cuda_args_pack(facts, kept->kernelParams, kept->extra, node->room + facts->params * sizeof(*address),
			      &bytes))
		return false;
	for (uint32_t i = 0; i < facts->params; i++)
		address[i] = node->room + facts->params * sizeof(*address) + facts->param[i].offset;
	kept->kernelParams = facts->params ? address : NULL;
	kept->extra = NULL;
	return true;
}

static bool alloc_keep(struct pl_cuda_node *node)
{
	CUDA_MEM_ALLOC_NODE_PARAMS_v2 *kept = &node->params.alloc;
	size_t bytes = kept->accessDescCount * sizeof(*kept->accessDescs);

	node->room = malloc(bytes + 1);
	if (!node->room)
		return false;
	if (bytes)
		memcpy(node->room, kept->accessDescs, bytes);
	kept->accessDescs = bytes ? (const CUmemAccessDesc *)(const void *)node->room : NULL;
	return true;
}

static bool memops_keep(struct pl_cuda_node *node)
{
	CUDA_BATCH_MEM_OP_NODE_PARAMS_v2 *kept = &node->params.memOp;
	size_t bytes = kept->count * sizeof(*kept->paramArray);

	node->room = malloc(bytes + 1);
	if (!node->room)
		return false;
	if (bytes)
		memcpy(node->room, kept->paramArray, bytes);
	kept->paramArray = (CUstreamBatchMemOpParams *)(void *)node->room;
	return true;
}

bool pl_cuda_params_keep(struct pl_cuda_node *node, const CUgraphNodeParams *params)
{
	uint8_t *before = node->room; /* what is kept now may be what params point to */

	node->room = NULL;
	node->params = *params;
	node->known = true;
	if (params->type == CU_GRAPH_NODE_TYPE_KERNEL)
		node->known = kernel_keep(node);
	if (params->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC)
		node->known = alloc_keep(node);
	if (params->type == CU_GRAPH_NODE_TYPE_BATCH_MEM_OP)
		node->known = memops_keep(node);
	if (params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL) {
		node->room = before; /* its graphs stay */
		node->params.conditional.phGraph_out = (CUgraph *)(void *)before;
		before = NULL;
	}
	free(before);
	return node->known;
}

void pl_cuda_node_fini(struct pl_cuda_node *node)
{
	free(node->room);
	node->room = NULL;
	node->known = false;
}
