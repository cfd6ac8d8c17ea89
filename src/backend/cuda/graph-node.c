/* Nodes of graphs: made, and changed.  All kinds go through CUgraphNodeParams; which function is called is the op's. */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/graph-memory.h"
#include "backend/cuda/hostfn.h"
#include "wire/cuda-node.h"

#define ACCESS_MAX 256u /* limit: devices of an allocation in a graph */
#define MEMOPS_MAX 256u /* limit: operations of one node, which is the driver's */

struct node {
	struct pl_serve *serve;
	struct pl_cuda_session *session;
	CUgraphNodeParams params;
	CUcontext context;             /* of copies and fills */
	uint64_t exec;                 /* id of whose node is changed; 0: of a graph's */
	struct pl_cuda_hostfn *hostfn; /* a host function's, or the shadow of a copy's end */
	bool to_host;
	void *extra[5];
	size_t args_bytes;
	CUmemAccessDesc access[ACCESS_MAX];
	CUstreamBatchMemOpParams memops[MEMOPS_MAX];
};

/* ---- what travelled becomes the driver's structure.  Return: success, or why not ---- */

static int32_t open_kernel(struct node *node, struct pl_bytes bytes)
{
	CUDA_KERNEL_NODE_PARAMS_v3 *to = &node->params.kernel;
	struct pl_cuda_node_kernel from;
	int32_t status = CUDA_SUCCESS;
	struct pl_handle handle;
	void *function;

	if (bytes.bytes < sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	if (from.args_bytes != bytes.bytes - sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_take(node->serve, from.function, PL_CUDA_KIND_function, &function, &status))
		return status;
	*to = (CUDA_KERNEL_NODE_PARAMS_v3){ .gridDimX = from.grid[0],
					    .gridDimY = from.grid[1],
					    .gridDimZ = from.grid[2],
					    .blockDimX = from.block[0],
					    .blockDimY = from.block[1],
					    .blockDimZ = from.block[2],
					    .sharedMemBytes = from.shared_bytes };
	if (pl_handles_get(&node->serve->session->handles, from.function, PL_CUDA_KIND_kernel, &handle))
		to->kern = function;
	else
		to->func = function;
	if (!from.args_bytes)
		return CUDA_SUCCESS;
	node->args_bytes = from.args_bytes;
	node->extra[0] = CU_LAUNCH_PARAM_BUFFER_POINTER;
	node->extra[1] = (uint8_t *)(uintptr_t)bytes.at + sizeof(from);
	node->extra[2] = CU_LAUNCH_PARAM_BUFFER_SIZE;
	node->extra[3] = &node->args_bytes;
	node->extra[4] = CU_LAUNCH_PARAM_END;
	to->extra = node->extra;
	return CUDA_SUCCESS;
}

/* An end in the client becomes its shadow's. */
static int32_t open_shadow(struct node *node, CUDA_MEMCPY3D *to, uint64_t token)
{
	bool from_host = to->srcMemoryType == CU_MEMORYTYPE_HOST, to_host = to->dstMemoryType == CU_MEMORYTYPE_HOST;
	uint64_t bytes;

	if (from_host == to_host || !token || __builtin_mul_overflow(to->WidthInBytes, to->Height, &bytes) ||
	    __builtin_mul_overflow(bytes, to->Depth, &bytes) || bytes > PL_CUDA_LIMIT_TRANSFER_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	node->hostfn = pl_cuda_shadow_new(node->session, token, bytes);
	if (!node->hostfn)
		return CUDA_ERROR_OUT_OF_MEMORY;
	node->to_host = to_host;
	if (from_host)
		to->srcHost = node->hostfn->data;
	else
		to->dstHost = node->hostfn->data;
	return CUDA_SUCCESS;
}

static int32_t open_copy(struct node *node, struct pl_bytes bytes)
{
	CUDA_MEMCPY3D *to = &node->params.memcpy.copyParams;
	struct pl_cuda_copy3d_record record;
	struct pl_cuda_node_copy from;
	CUDA_MEMCPY3D_PEER whole;
	void *src = NULL, *dst = NULL;
	int32_t status = CUDA_SUCCESS;

	if (bytes.bytes != sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	if (!pl_cuda_copy3d_record_at((struct pl_u64s){ from.copy, PL_CUDA_WORDS_copy3d }, 0, &record))
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_take(node->serve, record.from_array, PL_CUDA_KIND_array, &src, &status) ||
	    !pl_cuda_take(node->serve, record.to_array, PL_CUDA_KIND_array, &dst, &status))
		return status;
	if (!pl_cuda_copy_known(&record) || !pl_cuda_copy_packed(&record))
		return CUDA_ERROR_INVALID_VALUE;
	node->params.memcpy.copyCtx = node->context;
	whole = pl_cuda_copy_of(&record, src, dst);
	*to = pl_cuda_copy_local(&whole);
	if (to->srcMemoryType == CU_MEMORYTYPE_HOST || to->dstMemoryType == CU_MEMORYTYPE_HOST)
		return open_shadow(node, to, from.token);
	return CUDA_SUCCESS;
}

static int32_t open_fill(struct node *node, struct pl_bytes bytes)
{
	struct pl_cuda_node_fill from;

	if (bytes.bytes != sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	node->params.memset = (CUDA_MEMSET_NODE_PARAMS_v2){ .dst = from.address,
							    .pitch = from.pitch,
							    .value = from.value,
							    .elementSize = from.element_bytes,
							    .width = from.width,
							    .height = from.height,
							    .ctx = node->context };
	return CUDA_SUCCESS;
}

static int32_t open_alloc(struct node *node, struct pl_bytes bytes)
{
	struct pl_cuda_node_access access;
	struct pl_cuda_node_alloc from;

	if (bytes.bytes < sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	if (from.access_count > ACCESS_MAX || bytes.bytes - sizeof(from) != from.access_count * sizeof(access))
		return CUDA_ERROR_INVALID_VALUE;
	for (uint32_t i = 0; i < from.access_count; i++) {
		memcpy(&access, (const uint8_t *)bytes.at + sizeof(from) + i * sizeof(access), sizeof(access));
		node->access[i] = (CUmemAccessDesc){ .location = { .type = (CUmemLocationType)access.location_type,
								   .id = access.location_id },
						     .flags = (CUmemAccess_flags)access.flags };
	}
	node->params.alloc = (CUDA_MEM_ALLOC_NODE_PARAMS_v2){
		.poolProps = { .allocType = (CUmemAllocationType)from.type,
			       .handleTypes = (CUmemAllocationHandleType)from.handle_types,
			       .location = { .type = (CUmemLocationType)from.location_type, .id = from.location_id },
			       .maxSize = from.max_size,
			       .usage = (unsigned short)from.usage },
		.accessDescs = from.access_count ? node->access : NULL,
		.accessDescCount = from.access_count,
		.bytesize = from.bytes,
	};
	return CUDA_SUCCESS;
}

static int32_t open_memops(struct node *node, struct pl_bytes bytes)
{
	struct pl_cuda_node_memops from;

	_Static_assert(sizeof(node->memops[0]) == PL_CUDA_MEMOP_BYTES, "as on the wire");
	if (bytes.bytes < sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	if (from.count > MEMOPS_MAX || bytes.bytes - sizeof(from) != from.count * PL_CUDA_MEMOP_BYTES)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(node->memops, (const uint8_t *)bytes.at + sizeof(from), bytes.bytes - sizeof(from));
	node->params.memOp = (CUDA_BATCH_MEM_OP_NODE_PARAMS_v2){ node->context, from.count, node->memops, from.flags };
	return CUDA_SUCCESS;
}

static int32_t open_condition(struct node *node, struct pl_bytes bytes)
{
	struct pl_cuda_node_condition from;

	if (bytes.bytes != sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	if (from.size > PL_CUDA_LIMIT_BODIES_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	node->params.conditional = (CUDA_CONDITIONAL_NODE_PARAMS){ .handle = from.handle,
								   .type = (CUgraphConditionalNodeType)from.type,
								   .size = from.size,
								   .ctx = node->context };
	return CUDA_SUCCESS;
}

static int32_t open_id(struct node *node, struct pl_bytes bytes)
{
	struct pl_cuda_node_id from;
	int32_t status = CUDA_SUCCESS;
	void *object;

	if (bytes.bytes != sizeof(from))
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&from, bytes.at, sizeof(from));
	switch (node->params.type) {
	case CU_GRAPH_NODE_TYPE_HOST:
		node->hostfn = pl_cuda_hostfn_new(node->session, from.id);
		if (!node->hostfn)
			return CUDA_ERROR_OUT_OF_MEMORY;
		node->params.host = (CUDA_HOST_NODE_PARAMS_v2){ pl_cuda_hostfn_call, node->hostfn };
		return CUDA_SUCCESS;
	case CU_GRAPH_NODE_TYPE_GRAPH:
		if (!pl_cuda_take(node->serve, from.id, PL_CUDA_KIND_graph, &object, &status))
			return status;
		node->params.graph.graph = object;
		return CUDA_SUCCESS;
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		node->params.free.dptr = from.id;
		return CUDA_SUCCESS;
	default:
		if (!pl_cuda_take(node->serve, from.id, PL_CUDA_KIND_event, &object, &status))
			return status;
		node->params.eventWait.event = object; /* the same place as eventRecord.event */
		return CUDA_SUCCESS;
	}
}

static int32_t node_open(struct node *node, struct pl_serve *serve, uint32_t kind, uint64_t context,
			 struct pl_bytes params)
{
	int32_t status = CUDA_SUCCESS;
	void *object;

	memset(node, 0, offsetof(struct node, access));
	node->serve = serve;
	node->session = pl_cuda_session_of(serve);
	node->params.type = (CUgraphNodeType)kind;
	if (!pl_cuda_take(serve, context, PL_CUDA_KIND_context, &object, &status))
		return status;
	node->context = object;
	switch (node->params.type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return open_kernel(node, params);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return open_copy(node, params);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return open_fill(node, params);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return open_alloc(node, params);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return open_memops(node, params);
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		return open_condition(node, params);
	case CU_GRAPH_NODE_TYPE_EMPTY:
		return params.bytes ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
	case CU_GRAPH_NODE_TYPE_HOST:
	case CU_GRAPH_NODE_TYPE_GRAPH:
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return open_id(node, params);
	default: /* semaphores */
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

/* ---- making ---- */

struct place { /* where a node stands */
	CUgraph graph;
	CUgraphNode *after;
	CUgraphEdgeData *edges; /* NULL = all are plain */
	size_t count;
};

/* By the function of its kind: every driver has those. */
static int32_t add_kind(struct node *node, CUgraphNode *made, const struct place *at)
{
	CUgraphNodeParams *p = &node->params;
	CUDA_KERNEL_NODE_PARAMS kernel;

	switch (p->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		memcpy(&kernel, &p->kernel, sizeof(kernel)); /* the same fields under another name */
		return PL_CUDA_TRY(cuGraphAddKernelNode_v2, made, at->graph, at->after, at->count, &kernel);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return PL_CUDA_TRY(cuGraphAddMemcpyNode, made, at->graph, at->after, at->count, &p->memcpy.copyParams,
				   node->context);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return PL_CUDA_TRY(cuGraphAddMemsetNode, made, at->graph, at->after, at->count,
				   (CUDA_MEMSET_NODE_PARAMS *)&p->memset, node->context);
	case CU_GRAPH_NODE_TYPE_HOST:
		return PL_CUDA_TRY(cuGraphAddHostNode, made, at->graph, at->after, at->count,
				   (CUDA_HOST_NODE_PARAMS *)&p->host);
	case CU_GRAPH_NODE_TYPE_GRAPH:
		return PL_CUDA_TRY(cuGraphAddChildGraphNode, made, at->graph, at->after, at->count, p->graph.graph);
	case CU_GRAPH_NODE_TYPE_EMPTY:
		return PL_CUDA_TRY(cuGraphAddEmptyNode, made, at->graph, at->after, at->count);
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		return PL_CUDA_TRY(cuGraphAddEventWaitNode, made, at->graph, at->after, at->count, p->eventWait.event);
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return PL_CUDA_TRY(cuGraphAddEventRecordNode, made, at->graph, at->after, at->count,
				   p->eventRecord.event);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return PL_CUDA_TRY(cuGraphAddMemAllocNode, made, at->graph, at->after, at->count,
				   (CUDA_MEM_ALLOC_NODE_PARAMS *)&p->alloc);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return PL_CUDA_TRY(cuGraphAddBatchMemOpNode, made, at->graph, at->after, at->count,
				   (CUDA_BATCH_MEM_OP_NODE_PARAMS *)&p->memOp);
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		return PL_CUDA_TRY(cuGraphAddMemFreeNode, made, at->graph, at->after, at->count, p->free.dptr);
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

static int32_t add_one(struct node *node, CUgraphNode *made, const struct place *at)
{
	switch (node->serve->head->op) {
	case PL_CUDA_OP_cuGraphAddNode:
		return PL_CUDA_TRY(cuGraphAddNode, made, at->graph, at->after, at->count, &node->params);
	case PL_CUDA_OP_cuGraphAddNode_v2:
		return PL_CUDA_TRY(cuGraphAddNode_v2, made, at->graph, at->after, at->edges, at->count, &node->params);
	default:
		return add_kind(node, made, at);
	}
}

/* Does the driver take it?  Nodes of a graph that has memory of its own can't be removed, so it is tried in another. */
static int32_t try_one(struct node *node)
{
	struct place place = { 0 };
	CUgraphNode made;
	int32_t status = PL_CUDA_TRY(cuGraphCreate, &place.graph, 0);

	if (status)
		return status;
	status = add_one(node, &made, &place);
	(void)PL_CUDA_TRY(cuGraphDestroy, place.graph);
	return status;
}

/* Nobody has asked for it.  One that stays keeps what it calls. */
static void hidden_remove(struct node *node, CUgraph graph, CUgraphNode hidden)
{
	if (!PL_CUDA_TRY(cuGraphDestroyNode, hidden))
		return;
	pl_cuda_hostfn_owned(node->hostfn, graph);
	node->hostfn = NULL;
}

/* A copy from or to the client's memory, with the hidden node beside it. */
static int32_t add_shadowed(struct node *node, CUgraphNode *made, const struct place *at)
{
	CUDA_HOST_NODE_PARAMS carry = { node->to_host ? pl_cuda_shadow_push : pl_cuda_hostfn_call, node->hostfn };
	CUgraphNode hidden = NULL;
	struct place behind = *at;
	int32_t status;

	if (!node->to_host) {
		status = try_one(node);
		if (!status)
			status = PL_CUDA_TRY(cuGraphAddHostNode, &hidden, at->graph, at->after, at->count, &carry);
		behind = (struct place){ .graph = at->graph, .after = &hidden, .count = 1 };
	} else {
		status = CUDA_SUCCESS;
	}
	if (!status)
		status = add_one(node, made, &behind);
	if (!status && node->to_host) {
		status = PL_CUDA_TRY(cuGraphAddHostNode, &hidden, at->graph, made, 1, &carry);
		if (status)
			(void)PL_CUDA_TRY(cuGraphDestroyNode, *made);
	} else if (status && hidden) {
		hidden_remove(node, at->graph, hidden);
	}
	if (!status)
		pl_cuda_shadow_hide(node->hostfn, *made, hidden, node->to_host);
	return status;
}

/* Return: success with the place's lists, which are to be freed. */
static int32_t place_open(struct pl_serve *serve, struct place *place, const struct pl_cuda_cuGraphAddNode_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_SUCCESS;
	void *object;

	if (!pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &object, &status))
		return status;
	place->graph = object;
	place->count = args->dependencies.count;
	if (args->edges.count && args->edges.count != place->count)
		return CUDA_ERROR_INVALID_VALUE;
	place->after = calloc(place->count + 1, sizeof(*place->after));
	place->edges = args->edges.count ? calloc(place->count, sizeof(*place->edges)) : NULL;
	if (!place->after || (args->edges.count && !place->edges))
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (size_t i = 0; i < place->count; i++) {
		if (!pl_cuda_take(serve, args->dependencies.at[i], PL_CUDA_KIND_node, &object, &status))
			return status;
		place->after[i] = pl_cuda_node_exit(session, object);
		if (place->edges)
			memcpy(&place->edges[i], &args->edges.at[i], sizeof(place->edges[i]));
	}
	return CUDA_SUCCESS;
}

/* Which graphs are such a node's no function of the driver says. */
static void condition_note(struct pl_serve *serve, CUgraphNode node, const CUDA_CONDITIONAL_NODE_PARAMS *params)
{
	(void)pl_handles_put(&pl_cuda_session_of(serve)->conditions, (uintptr_t)node, PL_CUDA_KIND_node,
			     params->phGraph_out, 0, (void *)(uintptr_t)params->size);
}

static void add_reply(struct pl_serve *serve, CUgraphNode made, const struct node *node)
{
	const CUDA_CONDITIONAL_NODE_PARAMS *condition = &node->params.conditional;
	struct pl_cuda_cuGraphAddNode_reply reply = { 0 };
	uint64_t bodies[PL_CUDA_LIMIT_BODIES_MAX];

	if (node->params.type == CU_GRAPH_NODE_TYPE_MEM_ALLOC)
		reply.address = node->params.alloc.dptr;
	if (node->params.type == CU_GRAPH_NODE_TYPE_CONDITIONAL && condition->phGraph_out) {
		condition_note(serve, made, condition);
		for (unsigned int i = 0; i < condition->size; i++)
			bodies[i] = pl_cuda_id_of(serve, PL_CUDA_KIND_graph, condition->phGraph_out[i]);
		reply.bodies = (struct pl_u64s){ bodies, condition->size };
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuGraphAddNode_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuGraphAddNode_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* As for what a captured stream allocates: graph-memory.h.  Return: the status to answer with. */
static int32_t alloc_charge(const struct node *node)
{
	bool fits = node->params.type != CU_GRAPH_NODE_TYPE_MEM_ALLOC ||
		    pl_quota_charge(&node->serve->session->quota, PL_QUOTA_MEMORY, node->params.alloc.bytesize);

	return fits ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* After the driver's call.  What can not be noted stays charged. */
static void alloc_charged(const struct node *node, CUgraph graph, int32_t status)
{
	if (node->params.type != CU_GRAPH_NODE_TYPE_MEM_ALLOC)
		return;
	if (status) {
		pl_quota_return(&node->serve->session->quota, PL_QUOTA_MEMORY, node->params.alloc.bytesize);
		return;
	}
	(void)pl_cuda_memory_note(node->session, node->params.alloc.dptr, node->params.alloc.bytesize, 0);
	pl_cuda_captured_memory(node->session, graph, node->params.alloc.dptr);
	pl_cuda_graph_memory_made(node->session, node->params.alloc.dptr);
	atomic_store(&node->session->graphs_allocate, true);
}

/* The node has a graph of its own, copied from the one that it was made of. */
static void child_hide(const struct node *node, CUgraphNode made)
{
	CUgraph inside;

	if (!PL_CUDA_TRY(cuGraphChildGraphNodeGetGraph, made, &inside))
		pl_cuda_shadows_copy(node->session, node->params.graph.graph, inside);
}

/* One that got no id.  What can not be removed stays in the graph, and goes with it. */
static void made_remove(struct pl_cuda_session *session, CUgraphNode made)
{
	CUgraphNode hidden = pl_cuda_node_beside(session, made);

	if (PL_CUDA_TRY(cuGraphDestroyNode, made))
		return;
	pl_cuda_shadow_forget(session, made);
	if (hidden)
		(void)PL_CUDA_TRY(cuGraphDestroyNode, hidden);
}

void pl_cuda_serve_cuGraphAddNode(struct pl_serve *serve, const struct pl_cuda_cuGraphAddNode_args *args)
{
	struct place place = { 0 };
	CUgraphNode made = NULL;
	struct node node = { 0 };
	int32_t status = place_open(serve, &place, args);

	if (!status)
		status = node_open(&node, serve, args->kind, args->context, args->params);
	if (!status)
		status = alloc_charge(&node);
	if (!status) {
		status = node.hostfn && node.hostfn->data ? add_shadowed(&node, &made, &place)
							  : add_one(&node, &made, &place);
		alloc_charged(&node, place.graph, status);
	}
	if (!status && node.params.type == CU_GRAPH_NODE_TYPE_GRAPH)
		child_hide(&node, made);
	if (!status && node.hostfn)
		pl_cuda_hostfn_owned(node.hostfn, place.graph);
	else
		pl_cuda_hostfn_free(node.hostfn);
	free(place.after);
	free(place.edges);
	if (!status && !pl_cuda_put(serve, args->node, PL_CUDA_KIND_node, made, 0)) {
		made_remove(node.session, made);
		status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (!status)
		pl_cuda_captured_nodes(node.session, place.graph, &made, 1);
	if (status || !serve->asked)
		pl_cuda_result(serve, status, 0);
	else
		add_reply(serve, made, &node);
}

/* ---- changing, in a graph or in one that is ready to run ---- */

static int32_t set_in_graph(struct node *node, CUgraphNode at)
{
	CUgraphNodeParams *p = &node->params;
	CUDA_KERNEL_NODE_PARAMS kernel;

	switch (p->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		memcpy(&kernel, &p->kernel, sizeof(kernel));
		return PL_CUDA_TRY(cuGraphKernelNodeSetParams_v2, at, &kernel);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return PL_CUDA_TRY(cuGraphMemcpyNodeSetParams, at, &p->memcpy.copyParams);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return PL_CUDA_TRY(cuGraphMemsetNodeSetParams, at, (CUDA_MEMSET_NODE_PARAMS *)&p->memset);
	case CU_GRAPH_NODE_TYPE_HOST:
		return PL_CUDA_TRY(cuGraphHostNodeSetParams, at, (CUDA_HOST_NODE_PARAMS *)&p->host);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return PL_CUDA_TRY(cuGraphBatchMemOpNodeSetParams, at, (CUDA_BATCH_MEM_OP_NODE_PARAMS *)&p->memOp);
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		return PL_CUDA_TRY(cuGraphEventWaitNodeSetEvent, at, p->eventWait.event);
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return PL_CUDA_TRY(cuGraphEventRecordNodeSetEvent, at, p->eventRecord.event);
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

static int32_t set_in_exec(struct node *node, CUgraphExec exec, CUgraphNode at)
{
	CUgraphNodeParams *p = &node->params;
	CUDA_KERNEL_NODE_PARAMS kernel;

	switch (p->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		memcpy(&kernel, &p->kernel, sizeof(kernel));
		return PL_CUDA_TRY(cuGraphExecKernelNodeSetParams_v2, exec, at, &kernel);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return PL_CUDA_TRY(cuGraphExecMemcpyNodeSetParams, exec, at, &p->memcpy.copyParams, node->context);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return PL_CUDA_TRY(cuGraphExecMemsetNodeSetParams, exec, at, (CUDA_MEMSET_NODE_PARAMS *)&p->memset,
				   node->context);
	case CU_GRAPH_NODE_TYPE_HOST:
		return PL_CUDA_TRY(cuGraphExecHostNodeSetParams, exec, at, (CUDA_HOST_NODE_PARAMS *)&p->host);
	case CU_GRAPH_NODE_TYPE_GRAPH:
		return PL_CUDA_TRY(cuGraphExecChildGraphNodeSetParams, exec, at, p->graph.graph);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return PL_CUDA_TRY(cuGraphExecBatchMemOpNodeSetParams, exec, at,
				   (CUDA_BATCH_MEM_OP_NODE_PARAMS *)&p->memOp);
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		return PL_CUDA_TRY(cuGraphExecEventWaitNodeSetEvent, exec, at, p->eventWait.event);
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return PL_CUDA_TRY(cuGraphExecEventRecordNodeSetEvent, exec, at, p->eventRecord.event);
	default:
		return CUDA_ERROR_NOT_SUPPORTED;
	}
}

static int32_t set_one(struct node *node, CUgraphExec exec, CUgraphNode at)
{
	switch (node->serve->head->op) {
	case PL_CUDA_OP_cuGraphNodeSetParams:
		return PL_CUDA_TRY(cuGraphNodeSetParams, at, &node->params);
	case PL_CUDA_OP_cuGraphExecNodeSetParams:
		return PL_CUDA_TRY(cuGraphExecNodeSetParams, exec, at, &node->params);
	default:
		return exec ? set_in_exec(node, exec, at) : set_in_graph(node, at);
	}
}

/* The hidden node carries for the new shadow; what the copy's direction was stays. */
static int32_t set_shadowed(struct node *node, CUgraphExec exec, CUgraphNode at)
{
	CUDA_HOST_NODE_PARAMS carry = { node->to_host ? pl_cuda_shadow_push : pl_cuda_hostfn_call, node->hostfn };
	CUgraphNode beside = pl_cuda_node_beside(node->session, at);
	bool behind = pl_cuda_node_exit(node->session, at) != at;
	int32_t status;

	if (!beside || behind != node->to_host)
		return CUDA_ERROR_NOT_SUPPORTED;
	status = set_one(node, exec, at);
	if (status)
		return status;
	status = exec ? pl_cuda_carrier_set(node->session, node->exec, exec, at, &carry)
		      : PL_CUDA_TRY(cuGraphHostNodeSetParams, beside, &carry);
	if (status)
		node->hostfn = NULL; /* the copy uses it */
	else if (!exec)
		pl_cuda_shadow_replace(node->hostfn, at);
	return status;
}

static int32_t set_node(struct node *node, CUgraphExec exec, CUgraphNode at)
{
	bool inside = exec && node->params.type == CU_GRAPH_NODE_TYPE_GRAPH; /* all in it becomes another graph's */
	int32_t status;

	if (node->hostfn && node->hostfn->data)
		return set_shadowed(node, exec, at);
	if ((node->params.type == CU_GRAPH_NODE_TYPE_MEMCPY && pl_cuda_node_beside(node->session, at)) ||
	    (inside && pl_cuda_carriers_are_off(node->session, node->exec))) /* what is hidden there would carry on */
		return CUDA_ERROR_NOT_SUPPORTED;
	status = set_one(node, exec, at);
	if (!status && inside)
		pl_cuda_carriers_forget(node->session, node->exec);
	return status;
}

/* Of one that is ready to run. */
static bool op_is_of_exec(uint16_t op)
{
	return op >= PL_CUDA_OP_cuGraphExecNodeSetParams && op <= PL_CUDA_OP_cuGraphExecBatchMemOpNodeSetParams;
}

void pl_cuda_serve_cuGraphNodeSetParams(struct pl_serve *serve, const struct pl_cuda_cuGraphNodeSetParams_args *args)
{
	void *exec = NULL, *at = NULL;
	struct pl_cuda_hostfn *before = NULL;
	struct node node = { 0 };
	int32_t status = CUDA_SUCCESS;

	/* Who has what the node works with is told by the exec, and what is changed by the op. */
	if (op_is_of_exec(serve->head->op) != (args->exec != 0))
		status = CUDA_ERROR_INVALID_VALUE;
	if (!status && pl_cuda_take(serve, args->exec, PL_CUDA_KIND_exec, &exec, &status) &&
	    pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &at, &status))
		status = node_open(&node, serve, args->kind, args->context, args->params);
	node.exec = args->exec;
	if (!status && at && !exec && node.params.type == CU_GRAPH_NODE_TYPE_HOST)
		before = pl_cuda_hostfn_of_node(at);
	if (!status)
		status = set_node(&node, exec, at);
	if (status)
		pl_cuda_hostfn_free(node.hostfn);
	else if (node.hostfn && exec)
		pl_cuda_exec_set(serve, args->exec, at, node.hostfn);
	else if (node.hostfn && !node.hostfn->data) /* a shadow is the graph's already */
		pl_cuda_hostfn_replace(serve, at, before, node.hostfn);
	pl_cuda_result(serve, status, 0);
}
