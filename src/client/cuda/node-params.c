/* Parameters of nodes that a capture or a clone made: the server tells them once, and they are kept from then on. */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/graph.h"
#include "client/cuda/hostfn.h"
#include "client/cuda/memory.h"
#include "client/cuda/module.h"
#include "wire/cuda-node.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* one node at a time is learned */

/* ---- kernels ---- */

/* The n-th of its owner's. */
static struct pl_cuda_object *member_find(uint64_t owner, uint64_t at)
{
	struct pl_cuda_module *module = pl_cuda_handle_find(owner, PL_CUDA_KIND_module);
	struct pl_cuda_library *library = pl_cuda_handle_find(owner, PL_CUDA_KIND_library);
	struct pl_cuda_function *found = NULL;

	if (module) {
		pthread_mutex_lock(&module->lock);
		if (at < module->members.count)
			found = pl_cuda_members_get(&module->members, &module->object, (uint32_t)at,
						    PL_CUDA_KIND_function, module->object.context);
		pthread_mutex_unlock(&module->lock);
	} else if (library) {
		pthread_mutex_lock(&library->lock);
		if (at < library->members.count)
			found = pl_cuda_members_get(&library->members, &library->object, (uint32_t)at,
						    PL_CUDA_KIND_kernel, NULL);
		pthread_mutex_unlock(&library->lock);
	}
	return found ? &found->object : NULL;
}

static struct pl_cuda_function *function_find(struct pl_session *session, uint64_t id)
{
	const uint64_t member = id >> PL_CUDA_MEMBER_SHIFT;
	struct pl_cuda_object *object;

	if (id & PL_CUDA_ID_SERVER)
		return pl_cuda_function_of(pl_cuda_object_of(session, PL_CUDA_KIND_function, id));
	if (member)
		object = member_find(id & ((1ull << PL_CUDA_MEMBER_SHIFT) - 1), member - 1);
	else
		object = pl_cuda_handle_find(id, PL_CUDA_KIND_function);
	return object && pl_cuda_object_is_on(object, session) ? (struct pl_cuda_function *)object : NULL;
}

static CUresult kernel_learn(struct pl_cuda_node *node, CUgraphNodeParams *params, struct pl_bytes from)
{
	CUDA_KERNEL_NODE_PARAMS_v3 *to = &params->kernel;
	const struct pl_cuda_facts *facts;
	struct pl_cuda_function *function;
	struct pl_cuda_node_kernel head;
	void **addresses;
	CUresult result;

	if (from.bytes < sizeof(head))
		return CUDA_ERROR_UNKNOWN;
	memcpy(&head, from.at, sizeof(head));
	function = function_find(node->object.session, head.function);
	if (!function || head.args_bytes != from.bytes - sizeof(head))
		return function ? CUDA_ERROR_UNKNOWN : CUDA_ERROR_NOT_SUPPORTED;
	result = pl_cuda_facts_get(function, &facts);
	if (result)
		return result;
	if (head.args_bytes < facts->args_bytes)
		return CUDA_ERROR_UNKNOWN;
	addresses = calloc(facts->params + 1, sizeof(*addresses));
	if (!addresses)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < facts->params; i++)
		addresses[i] = (uint8_t *)(uintptr_t)from.at + sizeof(head) + facts->param[i].offset;
	*to = (CUDA_KERNEL_NODE_PARAMS_v3){ .gridDimX = head.grid[0],
					    .gridDimY = head.grid[1],
					    .gridDimZ = head.grid[2],
					    .blockDimX = head.block[0],
					    .blockDimY = head.block[1],
					    .blockDimZ = head.block[2],
					    .sharedMemBytes = head.shared_bytes,
					    .kernelParams = addresses };
	if (function->object.kind == PL_CUDA_KIND_kernel)
		to->kern = function->object.handle;
	else
		to->func = function->object.handle;
	result = pl_cuda_params_keep(node, params) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	free(addresses);
	return result;
}

/* ---- the others ---- */

static CUresult fill_learn(CUgraphNodeParams *params, struct pl_bytes from)
{
	struct pl_cuda_node_fill fill;

	if (from.bytes != sizeof(fill))
		return CUDA_ERROR_UNKNOWN;
	memcpy(&fill, from.at, sizeof(fill));
	params->memset = (CUDA_MEMSET_NODE_PARAMS_v2){ .dst = fill.address,
						       .pitch = fill.pitch,
						       .value = fill.value,
						       .elementSize = fill.element_bytes,
						       .width = fill.width,
						       .height = fill.height };
	return CUDA_SUCCESS;
}

static CUmemLocation location_away(const struct pl_session *session, uint32_t type, int32_t id)
{
	bool device = type == CU_MEM_LOCATION_TYPE_DEVICE;

	return (CUmemLocation){ (CUmemLocationType)type, device ? pl_cuda_device_away(session, id) : id };
}

static CUresult alloc_learn(struct pl_cuda_node *node, CUgraphNodeParams *params, struct pl_bytes from)
{
	const struct pl_session *session = node->object.session;
	struct pl_cuda_node_access access;
	struct pl_cuda_node_alloc alloc;
	CUmemAccessDesc *list;

	if (from.bytes < sizeof(alloc))
		return CUDA_ERROR_UNKNOWN;
	memcpy(&alloc, from.at, sizeof(alloc));
	if (from.bytes - sizeof(alloc) != alloc.access_count * sizeof(access))
		return CUDA_ERROR_UNKNOWN;
	list = calloc(alloc.access_count + 1, sizeof(*list));
	if (!list)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < alloc.access_count; i++) {
		memcpy(&access, (const uint8_t *)from.at + sizeof(alloc) + i * sizeof(access), sizeof(access));
		list[i] = (CUmemAccessDesc){ location_away(session, access.location_type, access.location_id),
					     (CUmemAccess_flags)access.flags };
	}
	params->alloc.poolProps =
		(CUmemPoolProps){ .allocType = (CUmemAllocationType)alloc.type,
				  .handleTypes = (CUmemAllocationHandleType)alloc.handle_types,
				  .location = location_away(session, alloc.location_type, alloc.location_id),
				  .maxSize = alloc.max_size,
				  .usage = (unsigned short)alloc.usage };
	params->alloc.accessDescs = list;
	params->alloc.accessDescCount = alloc.access_count;
	params->alloc.bytesize = alloc.bytes;
	params->alloc.dptr = alloc.address;
	(void)pl_cuda_params_keep(node, params);
	free(list);
	return node->known ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

static CUresult memops_learn(struct pl_cuda_node *node, CUgraphNodeParams *params, struct pl_bytes from)
{
	struct pl_cuda_node_memops memops;

	if (from.bytes < sizeof(memops))
		return CUDA_ERROR_UNKNOWN;
	memcpy(&memops, from.at, sizeof(memops));
	if (from.bytes - sizeof(memops) != (uint64_t)memops.count * PL_CUDA_MEMOP_BYTES)
		return CUDA_ERROR_UNKNOWN;
	params->memOp = (CUDA_BATCH_MEM_OP_NODE_PARAMS_v2){
		.ctx = pl_cuda_object_of(node->object.session, PL_CUDA_KIND_context, memops.context),
		.count = memops.count,
		.paramArray = (CUstreamBatchMemOpParams *)((uintptr_t)from.at + sizeof(memops)),
		.flags = memops.flags,
	};
	return pl_cuda_params_keep(node, params) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* The program's memory behind a copy's token is the end that is the host's. */
static CUresult host_end_learn(const struct pl_session *session, CUDA_MEMCPY3D *copy, uint64_t token)
{
	struct pl_cuda_lines lines;

	if (!pl_cuda_host_copy_what(session, token, &lines))
		return CUDA_ERROR_NOT_SUPPORTED;
	if (copy->srcMemoryType == CU_MEMORYTYPE_HOST) {
		copy->srcHost = lines.at;
		copy->srcPitch = lines.pitch;
		copy->srcHeight = lines.pitch ? lines.slice / lines.pitch : 0;
	} else {
		copy->dstHost = lines.at;
		copy->dstPitch = lines.pitch;
		copy->dstHeight = lines.pitch ? lines.slice / lines.pitch : 0;
	}
	return CUDA_SUCCESS;
}

/* The program's memory that the device reaches at the program's address: captured as the device's own. */
static void end_learn(CUmemorytype *type, CUdeviceptr *device, const void **host)
{
	struct pl_cuda_memory memory;

	if (*type == CU_MEMORYTYPE_ARRAY || !pl_cuda_memory_find(*device, &memory) ||
	    !pl_cuda_memory_is_pinned(&memory))
		return;
	*type = CU_MEMORYTYPE_HOST;
	*host = (const void *)(uintptr_t)*device;
	*device = 0;
}

static void ends_learn(CUDA_MEMCPY3D *copy)
{
	const void *to = NULL;

	end_learn(&copy->srcMemoryType, &copy->srcDevice, &copy->srcHost);
	end_learn(&copy->dstMemoryType, &copy->dstDevice, &to);
	copy->dstHost = (void *)(uintptr_t)to;
}

static CUresult copy_learn(struct pl_session *session, CUgraphNodeParams *params, struct pl_bytes from)
{
	struct pl_cuda_copy3d_record record;
	struct pl_cuda_node_copy copy;

	if (from.bytes != sizeof(copy))
		return CUDA_ERROR_UNKNOWN;
	memcpy(&copy, from.at, sizeof(copy));
	if (!pl_cuda_copy3d_record_at((struct pl_u64s){ copy.copy, PL_CUDA_WORDS_copy3d }, 0, &record))
		return CUDA_ERROR_UNKNOWN;
	params->memcpy.copyParams = (CUDA_MEMCPY3D){
		.srcXInBytes = record.from_x,
		.srcY = record.from_y,
		.srcZ = record.from_z,
		.srcLOD = record.from_level,
		.srcMemoryType = (CUmemorytype)record.from_type,
		.srcDevice = record.from_address,
		.srcArray = pl_cuda_object_of(session, PL_CUDA_KIND_array, record.from_array),
		.srcPitch = record.from_pitch,
		.srcHeight = record.from_height,
		.dstXInBytes = record.to_x,
		.dstY = record.to_y,
		.dstZ = record.to_z,
		.dstLOD = record.to_level,
		.dstMemoryType = (CUmemorytype)record.to_type,
		.dstDevice = record.to_address,
		.dstArray = pl_cuda_object_of(session, PL_CUDA_KIND_array, record.to_array),
		.dstPitch = record.to_pitch,
		.dstHeight = record.to_height,
		.WidthInBytes = record.width,
		.Height = record.height,
		.Depth = record.depth,
	};
	if (copy.token)
		return host_end_learn(session, &params->memcpy.copyParams, copy.token);
	ends_learn(&params->memcpy.copyParams);
	return CUDA_SUCCESS;
}

static CUresult id_learn(struct pl_session *session, CUgraphNodeParams *params, struct pl_bytes from)
{
	struct pl_cuda_node_id id;

	if (from.bytes != sizeof(id))
		return CUDA_ERROR_UNKNOWN;
	memcpy(&id, from.at, sizeof(id));
	switch (params->type) {
	case CU_GRAPH_NODE_TYPE_HOST:
		return pl_cuda_hostfn_what(session, id.id, &params->host.fn, &params->host.userData)
			       ? CUDA_SUCCESS
			       : CUDA_ERROR_NOT_SUPPORTED;
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		params->free.dptr = id.id;
		return CUDA_SUCCESS;
	default:
		params->eventWait.event = pl_cuda_object_of(session, PL_CUDA_KIND_event, id.id);
		return params->eventWait.event ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
	}
}

static CUresult take(struct pl_cuda_node *node, CUgraphNodeType type, struct pl_bytes from)
{
	struct pl_session *session = node->object.session;
	CUgraphNodeParams params = { .type = type };
	CUresult result;

	switch (type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_learn(node, &params, from);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return alloc_learn(node, &params, from);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return memops_learn(node, &params, from);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		result = fill_learn(&params, from);
		break;
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		result = copy_learn(session, &params, from);
		break;
	case CU_GRAPH_NODE_TYPE_HOST:
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		result = id_learn(session, &params, from);
		break;
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	if (!result)
		(void)pl_cuda_params_keep(node, &params);
	return result;
}

CUresult pl_cuda_params_learn(struct pl_cuda_node *node, CUgraphNodeType type)
{
	struct pl_cuda_plNodeParams_args args = { .node = node->object.id, .kind = type };
	struct pl_cuda_plNodeParams_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_plNodeParams, PL_CUDA_KIND_node, node->object.handle, &session);
	uint8_t *params = NULL;
	int r;

	if (result)
		return result;
	r = PL_CUDA_ASK(session, plNodeParams, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plNodeParams_reply_get(&reply.dec, &got);
	if (pl_dec_whole(&reply.dec))
		params = malloc(got.params.bytes + 1); /* a function's facts may have to be asked for */
	if (!params)
		return CUDA_ERROR_UNKNOWN;
	memcpy(params, got.params.at, got.params.bytes);
	pthread_mutex_lock(&lock);
	result = node->known ? CUDA_SUCCESS : take(node, type, (struct pl_bytes){ params, got.params.bytes });
	pthread_mutex_unlock(&lock);
	free(params);
	return result;
}
