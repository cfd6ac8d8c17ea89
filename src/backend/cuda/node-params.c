/* Parameters of nodes that the client has not made itself: a capture's, a clone's (wire/cuda-node.h). */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/hostfn.h"
#include "cuda/extra.h"
#include "wire/cuda-node.h"

struct told {
	uint64_t bytes;
	uint8_t at[PL_CUDA_LIMIT_NODE_BYTES];
};

#define GET(name, node, to) (pl_cuda.name ? (int32_t)pl_cuda.name((node), (to)) : CUDA_ERROR_NOT_SUPPORTED)

static void tell(struct told *told, const void *data, uint64_t bytes)
{
	memcpy(told->at, data, bytes);
	told->bytes = bytes;
}

/* ---- kernels ---- */

static CUresult param_get(const CUDA_KERNEL_NODE_PARAMS *params, size_t index, size_t *offset, size_t *bytes)
{
	if (params->func)
		return pl_cuda.cuFuncGetParamInfo ? pl_cuda.cuFuncGetParamInfo(params->func, index, offset, bytes)
						  : CUDA_ERROR_NOT_SUPPORTED;
	return pl_cuda.cuKernelGetParamInfo ? pl_cuda.cuKernelGetParamInfo(params->kern, index, offset, bytes)
					    : CUDA_ERROR_NOT_SUPPORTED;
}

/* Arguments in one piece, as they were launched. */
static int32_t extra_tell(void *const *extra, uint8_t *room, uint64_t room_bytes, uint32_t *bytes_out)
{
	const void *buffer;
	size_t bytes;

	if (pl_cuda_extra_read(extra, &buffer, &bytes) || bytes > room_bytes)
		return CUDA_ERROR_NOT_SUPPORTED;
	memcpy(room, buffer, bytes);
	*bytes_out = (uint32_t)bytes;
	return CUDA_SUCCESS;
}

static int32_t args_tell(const CUDA_KERNEL_NODE_PARAMS *params, uint8_t *room, uint64_t room_bytes, uint32_t *bytes_out)
{
	uint64_t end = 0;
	CUresult r = CUDA_SUCCESS;

	if (!params->kernelParams && params->extra)
		return extra_tell(params->extra, room, room_bytes, bytes_out);
	for (size_t i = 0; i < PL_CUDA_PARAMS_MAX; i++) {
		size_t offset = 0, bytes = 0;

		r = param_get(params, i, &offset, &bytes);
		if (r)
			break;
		if (!params->kernelParams || offset > room_bytes || bytes > room_bytes - offset)
			return CUDA_ERROR_NOT_SUPPORTED;
		if (offset > end)
			memset(room + end, 0, offset - end);
		memcpy(room + offset, params->kernelParams[i], bytes);
		end = offset + bytes > end ? offset + bytes : end;
	}
	*bytes_out = (uint32_t)end;
	return r == CUDA_ERROR_NOT_SUPPORTED ? (int32_t)r : CUDA_SUCCESS;
}

static int32_t kernel_tell(struct pl_serve *serve, CUgraphNode node, struct told *told)
{
	CUDA_KERNEL_NODE_PARAMS params = { 0 };
	struct pl_cuda_node_kernel to = { 0 };
	int32_t status = GET(cuGraphKernelNodeGetParams_v2, node, &params);

	if (status)
		return status;
	to = (struct pl_cuda_node_kernel){
		.function = params.func ? pl_cuda_id_of(serve, PL_CUDA_KIND_function, params.func)
					: pl_cuda_id_of(serve, PL_CUDA_KIND_kernel, params.kern),
		.grid = { params.gridDimX, params.gridDimY, params.gridDimZ },
		.block = { params.blockDimX, params.blockDimY, params.blockDimZ },
		.shared_bytes = params.sharedMemBytes,
	};
	status = args_tell(&params, told->at + sizeof(to), sizeof(told->at) - sizeof(to), &to.args_bytes);
	memcpy(told->at, &to, sizeof(to));
	told->bytes = sizeof(to) + to.args_bytes;
	return to.function ? status : CUDA_ERROR_OUT_OF_MEMORY;
}

/* ---- the others ---- */

static int32_t fill_tell(struct pl_serve *serve, CUgraphNode node, struct told *told)
{
	CUDA_MEMSET_NODE_PARAMS params = { 0 };
	int32_t status = GET(cuGraphMemsetNodeGetParams, node, &params);
	struct pl_cuda_node_fill to = { params.dst,    params.pitch, params.width,
					params.height, params.value, params.elementSize };

	(void)serve;
	tell(told, &to, sizeof(to));
	return status;
}

static int32_t id_tell(struct pl_serve *serve, CUgraphNode node, uint32_t kind, struct told *told)
{
	struct pl_cuda_node_id to = { 0 };
	CUDA_HOST_NODE_PARAMS host = { 0 };
	CUevent event = NULL;
	CUdeviceptr address = 0;
	int32_t status;

	if (kind == CU_GRAPH_NODE_TYPE_HOST) {
		status = GET(cuGraphHostNodeGetParams, node, &host);
		if (!status && host.fn != pl_cuda_hostfn_call)
			status = CUDA_ERROR_NOT_SUPPORTED;
		if (!status)
			to.id = ((const struct pl_cuda_hostfn *)host.userData)->token;
	} else if (kind == CU_GRAPH_NODE_TYPE_MEM_FREE) {
		status = GET(cuGraphMemFreeNodeGetParams, node, &address);
		to.id = address;
	} else {
		status = kind == CU_GRAPH_NODE_TYPE_WAIT_EVENT ? GET(cuGraphEventWaitNodeGetEvent, node, &event)
							       : GET(cuGraphEventRecordNodeGetEvent, node, &event);
		if (!status)
			to.id = pl_cuda_id_of(serve, PL_CUDA_KIND_event, event);
	}
	tell(told, &to, sizeof(to));
	return status;
}

static int32_t alloc_tell(struct pl_serve *serve, CUgraphNode node, struct told *told)
{
	CUDA_MEM_ALLOC_NODE_PARAMS params = { 0 };
	struct pl_cuda_node_access access;
	struct pl_cuda_node_alloc to;
	int32_t status = GET(cuGraphMemAllocNodeGetParams, node, &params);

	(void)serve;
	if (status || params.accessDescCount > (sizeof(told->at) - sizeof(to)) / sizeof(access))
		return status ? status : CUDA_ERROR_NOT_SUPPORTED;
	to = (struct pl_cuda_node_alloc){ .type = params.poolProps.allocType,
					  .handle_types = params.poolProps.handleTypes,
					  .location_type = params.poolProps.location.type,
					  .location_id = params.poolProps.location.id,
					  .max_size = params.poolProps.maxSize,
					  .bytes = params.bytesize,
					  .usage = params.poolProps.usage,
					  .access_count = (uint32_t)params.accessDescCount,
					  .address = params.dptr };
	tell(told, &to, sizeof(to));
	for (uint32_t i = 0; i < to.access_count; i++) {
		access = (struct pl_cuda_node_access){ params.accessDescs[i].location.type,
						       params.accessDescs[i].location.id, params.accessDescs[i].flags,
						       0 };
		memcpy(told->at + told->bytes, &access, sizeof(access));
		told->bytes += sizeof(access);
	}
	return CUDA_SUCCESS;
}

static int32_t memops_tell(struct pl_serve *serve, CUgraphNode node, struct told *told)
{
	CUDA_BATCH_MEM_OP_NODE_PARAMS params = { 0 };
	int32_t status = GET(cuGraphBatchMemOpNodeGetParams, node, &params);
	struct pl_cuda_node_memops to = { params.count, params.flags, 0 };
	uint64_t bytes = (uint64_t)params.count * PL_CUDA_MEMOP_BYTES;

	if (status || bytes > sizeof(told->at) - sizeof(to))
		return status ? status : CUDA_ERROR_NOT_SUPPORTED;
	to.context = pl_cuda_id_of(serve, PL_CUDA_KIND_context, params.ctx);
	tell(told, &to, sizeof(to));
	if (bytes)
		memcpy(told->at + sizeof(to), params.paramArray, bytes);
	told->bytes += bytes;
	return CUDA_SUCCESS;
}

/* An end in the program's memory has a token, which the hidden node carries for. */
static int32_t token_tell(struct pl_serve *serve, CUgraphNode node, uint64_t *token)
{
	CUgraphNode beside = pl_cuda_node_beside(pl_cuda_session_of(serve), node);
	CUDA_HOST_NODE_PARAMS carry = { 0 };
	int32_t status;

	*token = 0;
	if (!beside)
		return CUDA_SUCCESS;
	status = GET(cuGraphHostNodeGetParams, beside, &carry);
	if (!status && carry.fn != pl_cuda_hostfn_call && carry.fn != pl_cuda_shadow_push)
		status = CUDA_ERROR_NOT_SUPPORTED;
	if (!status)
		*token = ((const struct pl_cuda_hostfn *)carry.userData)->token;
	return status;
}

/* Host memory without one is shared, at an address that the client gave as the device's. */
static void shared_tell(CUmemorytype *type, CUdeviceptr *address, const void *host)
{
	if (*type != CU_MEMORYTYPE_HOST)
		return;
	*type = CU_MEMORYTYPE_UNIFIED;
	*address = (uintptr_t)host;
}

static int32_t copy_tell(struct pl_serve *serve, CUgraphNode node, struct told *told)
{
	CUDA_MEMCPY3D params = { 0 };
	struct pl_cuda_node_copy to = { 0 };
	struct pl_cuda_copy3d_record record;
	struct pl_enc enc = { .at = (uint8_t *)to.copy };
	int32_t status = GET(cuGraphMemcpyNodeGetParams, node, &params);

	if (!status)
		status = token_tell(serve, node, &to.token);
	if (status)
		return status;
	if (!to.token) {
		shared_tell(&params.srcMemoryType, &params.srcDevice, params.srcHost);
		shared_tell(&params.dstMemoryType, &params.dstDevice, params.dstHost);
	}
	record = (struct pl_cuda_copy3d_record){
		.from_x = params.srcXInBytes,
		.from_y = params.srcY,
		.from_z = params.srcZ,
		.from_level = params.srcLOD,
		.from_type = params.srcMemoryType,
		.from_address = params.srcDevice,
		.from_array = pl_cuda_id_of(serve, PL_CUDA_KIND_array, params.srcArray),
		.from_pitch = params.srcPitch,
		.from_height = params.srcHeight,
		.to_x = params.dstXInBytes,
		.to_y = params.dstY,
		.to_z = params.dstZ,
		.to_level = params.dstLOD,
		.to_type = params.dstMemoryType,
		.to_address = params.dstDevice,
		.to_array = pl_cuda_id_of(serve, PL_CUDA_KIND_array, params.dstArray),
		.to_pitch = params.dstPitch,
		.to_height = params.dstHeight,
		.width = params.WidthInBytes,
		.height = params.Height,
		.depth = params.Depth,
	};
	pl_cuda_copy3d_record_put(&enc, &record);
	tell(told, &to, sizeof(to));
	return CUDA_SUCCESS;
}

static int32_t node_tell(struct pl_serve *serve, CUgraphNode node, uint32_t kind, struct told *told)
{
	CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
	int32_t status = GET(cuGraphNodeGetType, node, &type);

	if (status || (uint32_t)type != kind)
		return status ? status : CUDA_ERROR_INVALID_VALUE;
	switch (type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_tell(serve, node, told);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return fill_tell(serve, node, told);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return copy_tell(serve, node, told);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return alloc_tell(serve, node, told);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return memops_tell(serve, node, told);
	case CU_GRAPH_NODE_TYPE_HOST:
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return id_tell(serve, node, kind, told);
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

void pl_cuda_serve_plNodeParams(struct pl_serve *serve, const struct pl_cuda_plNodeParams_args *args)
{
	struct pl_cuda_plNodeParams_reply reply = { 0 };
	struct told *told = calloc(1, sizeof(*told));
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	void *node = NULL;

	if (!told)
		status = CUDA_ERROR_OUT_OF_MEMORY;
	else if (args->node && pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status))
		status = node_tell(serve, node, args->kind, told);
	if (status) {
		free(told);
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.params = (struct pl_bytes){ told->at, told->bytes };
	if (!pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plNodeParams_reply_bytes(&reply), 0)) {
		pl_cuda_plNodeParams_reply_put(&serve->reply_enc, &reply);
		(void)pl_serve_reply_end(serve);
	}
	free(told);
}
