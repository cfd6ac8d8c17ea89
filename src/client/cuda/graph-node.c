/* Nodes of graphs are made. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/cuda/graph.h"
#include "client/cuda/memory.h"

struct place { /* where a node stands, as the program says */
	CUgraph graph;
	const CUgraphNode *after;
	const CUgraphEdgeData *edges; /* NULL = all are plain */
	size_t count;
};

/* Ids of the place; `words` has room for them.  Return: success, or what is wrong. */
static CUresult place_pack(const struct pl_session *session, struct pl_cuda_cuGraphAddNode_args *args,
			   const struct place *place, uint64_t *words)
{
	args->graph = pl_cuda_id(session, PL_CUDA_KIND_graph, place->graph);
	if (!args->graph)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < place->count; i++) {
		words[i] = pl_cuda_id(session, PL_CUDA_KIND_node, place->after[i]);
		if (!words[i])
			return CUDA_ERROR_INVALID_VALUE;
		if (place->edges)
			memcpy(&words[place->count + i], &place->edges[i], sizeof(words[0]));
	}
	args->dependencies = (struct pl_u64s){ words, place->count };
	if (place->edges)
		args->edges = (struct pl_u64s){ words + place->count, place->count };
	return CUDA_SUCCESS;
}

/* An allocation of a graph's has its address from the start.  It is the graph's: nothing here takes it away. */
static void address_note(CUgraphNodeParams *params, uint64_t address)
{
	const CUmemLocation *location = &params->alloc.poolProps.location;
	struct pl_cuda_memory memory = { .address = address,
					 .bytes = params->alloc.bytesize,
					 .kind = PL_CUDA_MEMORY_GRAPH,
					 .store = PL_ARENA_NONE,
					 .context = pl_cuda_thread.top };

	if (location->type == CU_MEM_LOCATION_TYPE_DEVICE)
		memory.of_device = location->id;
	else if (memory.context)
		memory.of_device = memory.context->device;

	params->alloc.dptr = address;
	atomic_store(&pl_cuda_graphs_allocate, true);
	if (address)
		(void)pl_cuda_memory_enter(&memory);
}

/* The graphs that a condition runs: the node's, as long as it lives. */
static CUresult bodies_note(struct pl_session *session, CUDA_CONDITIONAL_NODE_PARAMS *params, struct pl_u64s ids)
{
	CUgraph *bodies;

	if (ids.count != params->size)
		return CUDA_ERROR_UNKNOWN;
	bodies = calloc(ids.count + 1, sizeof(*bodies));
	if (!bodies)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint64_t i = 0; i < ids.count; i++)
		bodies[i] = pl_cuda_object_of(session, PL_CUDA_KIND_graph, ids.at[i]);
	params->phGraph_out = bodies;
	return CUDA_SUCCESS;
}

static CUresult node_send(enum pl_cuda_op op, struct pl_session *session, struct pl_cuda_cuGraphAddNode_args *args,
			  CUgraphNodeParams *params)
{
	struct pl_cuda_cuGraphAddNode_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK_AS(session, op, cuGraphAddNode, args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuGraphAddNode_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	if (params->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC)
		address_note(params, got.address);
	return params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL ? bodies_note(session, &params->conditional, got.bodies)
							      : CUDA_SUCCESS;
}

static CUresult node_add(enum pl_cuda_op op, CUgraphNode *node, const struct place *place, CUgraphNodeParams *params)
{
	pl_cleanup(pl_freep) uint64_t *words = NULL;
	struct pl_cuda_cuGraphAddNode_args args = { .kind = params->type };
	struct pl_cuda_packed packed;
	struct pl_cuda_node *kept;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_graph, place->graph, &session);
	void *made;

	if (result)
		return result;
	if (!node || (place->count && !place->after) || place->count > PL_CUDA_LIMIT_NODES_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	words = calloc(2 * place->count + 1, sizeof(*words));
	if (!words)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = place_pack(session, &args, place, words);
	if (result)
		return result;
	result = pl_cuda_params_pack(&packed, session, params);
	made = result ? NULL : pl_cuda_new(session, PL_CUDA_KIND_node, &args.node);
	if (!result && !made)
		result = CUDA_ERROR_OUT_OF_MEMORY;
	args.context = packed.context;
	args.params = (struct pl_bytes){ packed.bytes, packed.count };
	if (!result)
		result = node_send(op, session, &args, params);
	if (made && result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session))
		result = node_send(op, session, &args, params);
	if (result) {
		pl_cuda_packed_undo(&packed);
		if (made)
			pl_cuda_undo(session, PL_CUDA_KIND_node, made);
		return result;
	}
	pl_cuda_packed_fini(&packed);
	kept = pl_cuda_get(PL_CUDA_KIND_node, made);
	if (params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		kept->room = (uint8_t *)params->conditional.phGraph_out;
	(void)pl_cuda_params_keep(kept, params);
	*node = made;
	return CUDA_SUCCESS;
}

/* ---- all kinds ---- */

CUresult cuGraphAddNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies, size_t dependencies_count,
			CUgraphNodeParams *params)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };

	if (!params)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	return node_add(PL_CUDA_OP_cuGraphAddNode, node, &place, params);
}

CUresult cuGraphAddNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			   const CUgraphEdgeData *edges, size_t dependencies_count, CUgraphNodeParams *params)
{
	const struct place place = { graph, dependencies, edges, dependencies_count };

	if (!params)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	return node_add(PL_CUDA_OP_cuGraphAddNode_v2, node, &place, params);
}

/* ---- one kind ---- */

/* For the structures of one kind, which are the head of those that all kinds have. */
#define ADD(name, kind, member, from, bytes)                                                                           \
	const struct place place = { graph, dependencies, NULL, dependencies_count };                                  \
	CUgraphNodeParams params = { .type = (kind) };                                                                 \
	if (!(from))                                                                                                   \
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;                                   \
	memcpy(&params.member, (from), (bytes));                                                                       \
	return node_add(PL_CUDA_OP_##name, node, &place, &params)

CUresult cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			      size_t dependencies_count, const CUDA_KERNEL_NODE_PARAMS_v1 *from)
{
	ADD(cuGraphAddKernelNode, CU_GRAPH_NODE_TYPE_KERNEL, kernel, from, sizeof(*from));
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				 size_t dependencies_count, const CUDA_KERNEL_NODE_PARAMS *from)
{
	ADD(cuGraphAddKernelNode_v2, CU_GRAPH_NODE_TYPE_KERNEL, kernel, from, sizeof(*from));
}

CUresult cuGraphAddHostNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			    size_t dependencies_count, const CUDA_HOST_NODE_PARAMS *from)
{
	ADD(cuGraphAddHostNode, CU_GRAPH_NODE_TYPE_HOST, host, from, sizeof(*from));
}

CUresult cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			      size_t dependencies_count, const CUDA_MEMCPY3D *copy, CUcontext context)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEMCPY };

	if (!copy)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	params.memcpy.copyParams = *copy;
	params.memcpy.copyCtx = context;
	return node_add(PL_CUDA_OP_cuGraphAddMemcpyNode, node, &place, &params);
}

CUresult cuGraphAddMemsetNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			      size_t dependencies_count, const CUDA_MEMSET_NODE_PARAMS *fill, CUcontext context)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEMSET };

	if (!fill)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	memcpy(&params.memset, fill, sizeof(*fill));
	params.memset.ctx = context;
	return node_add(PL_CUDA_OP_cuGraphAddMemsetNode, node, &place, &params);
}

CUresult cuGraphAddChildGraphNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				  size_t dependencies_count, CUgraph child)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_GRAPH, .graph.graph = child };

	return node_add(PL_CUDA_OP_cuGraphAddChildGraphNode, node, &place, &params);
}

CUresult cuGraphAddEmptyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			     size_t dependencies_count)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_EMPTY };

	return node_add(PL_CUDA_OP_cuGraphAddEmptyNode, node, &place, &params);
}

CUresult cuGraphAddEventRecordNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				   size_t dependencies_count, CUevent event)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .eventRecord.event = event };

	return node_add(PL_CUDA_OP_cuGraphAddEventRecordNode, node, &place, &params);
}

CUresult cuGraphAddEventWaitNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				 size_t dependencies_count, CUevent event)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .eventWait.event = event };

	return node_add(PL_CUDA_OP_cuGraphAddEventWaitNode, node, &place, &params);
}

CUresult cuGraphAddMemAllocNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				size_t dependencies_count, CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_MEM_ALLOC };
	CUresult result;

	if (!params)
		return pl_cuda_ready() ? pl_cuda_ready() : CUDA_ERROR_INVALID_VALUE;
	memcpy(&all.alloc, params, sizeof(*params));
	result = node_add(PL_CUDA_OP_cuGraphAddMemAllocNode, node, &place, &all);
	params->dptr = result ? params->dptr : all.alloc.dptr;
	return result;
}

CUresult cuGraphAddBatchMemOpNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
				  size_t dependencies_count, const CUDA_BATCH_MEM_OP_NODE_PARAMS *from)
{
	ADD(cuGraphAddBatchMemOpNode, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, memOp, from, sizeof(*from));
}

CUresult cuGraphAddMemFreeNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *dependencies,
			       size_t dependencies_count, CUdeviceptr address)
{
	const struct place place = { graph, dependencies, NULL, dependencies_count };
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEM_FREE, .free.dptr = address };

	return node_add(PL_CUDA_OP_cuGraphAddMemFreeNode, node, &place, &params);
}
