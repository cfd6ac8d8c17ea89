/* Nodes of graphs are changed, in a graph or in one that is ready to run; and asked what they are. */
#include <string.h>

#include "client/cuda/graph.h"

static CUresult set_send(enum pl_cuda_op op, struct pl_session *session,
			 const struct pl_cuda_cuGraphNodeSetParams_args *args)
{
	struct pl_reply reply;
	int r = PL_CUDA_ASK_AS(session, op, cuGraphNodeSetParams, args, &reply);

	return pl_cuda_answer(r, &reply);
}

/* What of a node is known here; NULL = nothing. */
static const struct pl_cuda_node *known(CUgraphNode node)
{
	const struct pl_cuda_node *kept = pl_cuda_get(PL_CUDA_KIND_node, node);

	return kept && kept->known ? kept : NULL;
}

/* A node stays of its kind. */
static bool is_another(CUgraphNode node, CUgraphNodeType type)
{
	const struct pl_cuda_node *kept = known(node);

	return kept && kept->params.type != type;
}

/* of_exec: of one that is ready to run; the node's own parameters stay. */
static CUresult set(enum pl_cuda_op op, bool of_exec, CUgraphExec exec, CUgraphNode node,
		    const CUgraphNodeParams *params)
{
	struct pl_cuda_cuGraphNodeSetParams_args args = { .kind = params->type };
	struct pl_cuda_packed packed;
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_node, node, &session);

	if (result)
		return result;
	args.exec = pl_cuda_id(session, PL_CUDA_KIND_exec, exec);
	args.node = pl_cuda_id(session, PL_CUDA_KIND_node, node);
	if (!args.node || (of_exec && !args.exec) || is_another(node, params->type))
		return CUDA_ERROR_INVALID_VALUE;
	result = pl_cuda_params_pack(&packed, session, params);
	args.context = packed.context;
	args.params = (struct pl_bytes){ packed.bytes, packed.count };
	if (!result)
		result = set_send(op, session, &args);
	if (result) {
		pl_cuda_packed_undo(&packed);
		return result;
	}
	pl_cuda_packed_fini(&packed);
	if (!of_exec)
		(void)pl_cuda_params_keep(pl_cuda_get(PL_CUDA_KIND_node, node), params);
	return CUDA_SUCCESS;
}

/* ---- all kinds ---- */

static CUresult nothing(void)
{
	CUresult result = pl_cuda_ready();

	return result ? result : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams *params)
{
	return params ? set(PL_CUDA_OP_cuGraphNodeSetParams, false, NULL, node, params) : nothing();
}

CUresult cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraphNodeParams *params)
{
	return params ? set(PL_CUDA_OP_cuGraphExecNodeSetParams, true, exec, node, params) : nothing();
}

/* ---- one kind ---- */

#define SET(name, of_exec, exec, kind, member, from)                                                                   \
	CUgraphNodeParams params = { .type = (kind) };                                                                 \
	if (!(from))                                                                                                   \
		return nothing();                                                                                      \
	memcpy(&params.member, (from), sizeof(*(from)));                                                               \
	return set(PL_CUDA_OP_##name, of_exec, exec, node, &params)

CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *from)
{
	SET(cuGraphKernelNodeSetParams, false, NULL, CU_GRAPH_NODE_TYPE_KERNEL, kernel, from);
}

CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *from)
{
	SET(cuGraphKernelNodeSetParams_v2, false, NULL, CU_GRAPH_NODE_TYPE_KERNEL, kernel, from);
}

CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *from)
{
	SET(cuGraphExecKernelNodeSetParams, true, exec, CU_GRAPH_NODE_TYPE_KERNEL, kernel, from);
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *from)
{
	SET(cuGraphExecKernelNodeSetParams_v2, true, exec, CU_GRAPH_NODE_TYPE_KERNEL, kernel, from);
}

CUresult cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS *from)
{
	SET(cuGraphHostNodeSetParams, false, NULL, CU_GRAPH_NODE_TYPE_HOST, host, from);
}

CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS *from)
{
	SET(cuGraphExecHostNodeSetParams, true, exec, CU_GRAPH_NODE_TYPE_HOST, host, from);
}

CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS *from)
{
	SET(cuGraphBatchMemOpNodeSetParams, false, NULL, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, memOp, from);
}

CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node,
					    const CUDA_BATCH_MEM_OP_NODE_PARAMS *from)
{
	SET(cuGraphExecBatchMemOpNodeSetParams, true, exec, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, memOp, from);
}

CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D *copy)
{
	const struct pl_cuda_node *kept = known(node);
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEMCPY };

	if (!copy)
		return nothing();
	params.memcpy.copyParams = *copy;
	if (kept && kept->params.type == CU_GRAPH_NODE_TYPE_MEMCPY)
		params.memcpy.copyCtx = kept->params.memcpy.copyCtx;
	return set(PL_CUDA_OP_cuGraphMemcpyNodeSetParams, false, NULL, node, &params);
}

CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D *copy,
					CUcontext context)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEMCPY };

	if (!copy)
		return nothing();
	params.memcpy.copyParams = *copy;
	params.memcpy.copyCtx = context;
	return set(PL_CUDA_OP_cuGraphExecMemcpyNodeSetParams, true, exec, node, &params);
}

CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *fill)
{
	const struct pl_cuda_node *kept = known(node);
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEMSET };

	if (!fill)
		return nothing();
	memcpy(&params.memset, fill, sizeof(*fill));
	if (kept && kept->params.type == CU_GRAPH_NODE_TYPE_MEMSET)
		params.memset.ctx = kept->params.memset.ctx;
	return set(PL_CUDA_OP_cuGraphMemsetNodeSetParams, false, NULL, node, &params);
}

CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *fill,
					CUcontext context)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEMSET };

	if (!fill)
		return nothing();
	memcpy(&params.memset, fill, sizeof(*fill));
	params.memset.ctx = context;
	return set(PL_CUDA_OP_cuGraphExecMemsetNodeSetParams, true, exec, node, &params);
}

CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph child)
{
	const CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_GRAPH, .graph.graph = child };

	return set(PL_CUDA_OP_cuGraphExecChildGraphNodeSetParams, true, exec, node, &params);
}

static CUresult event_set(enum pl_cuda_op op, bool of_exec, CUgraphExec exec, CUgraphNode node, CUgraphNodeType type,
			  CUevent event)
{
	const CUgraphNodeParams params = { .type = type, .eventWait.event = event }; /* as eventRecord.event */

	return set(op, of_exec, exec, node, &params);
}

CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event)
{
	return event_set(PL_CUDA_OP_cuGraphEventRecordNodeSetEvent, false, NULL, node, CU_GRAPH_NODE_TYPE_EVENT_RECORD,
			 event);
}

CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event)
{
	return event_set(PL_CUDA_OP_cuGraphExecEventRecordNodeSetEvent, true, exec, node,
			 CU_GRAPH_NODE_TYPE_EVENT_RECORD, event);
}

CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event)
{
	return event_set(PL_CUDA_OP_cuGraphEventWaitNodeSetEvent, false, NULL, node, CU_GRAPH_NODE_TYPE_WAIT_EVENT,
			 event);
}

CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event)
{
	return event_set(PL_CUDA_OP_cuGraphExecEventWaitNodeSetEvent, true, exec, node, CU_GRAPH_NODE_TYPE_WAIT_EVENT,
			 event);
}

/* ---- what they are ---- */

static CUresult get(CUgraphNode node, CUgraphNodeType type, const void *place, const CUgraphNodeParams **params_out)
{
	struct pl_cuda_node *kept;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	kept = pl_cuda_get(PL_CUDA_KIND_node, node);
	if (!kept || !place)
		return CUDA_ERROR_INVALID_VALUE;
	if (!kept->known)
		result = pl_cuda_params_learn(kept, type);
	if (result)
		return result;
	*params_out = &kept->params;
	return kept->params.type == type ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

#define GET(kind, member, to)                                                                                          \
	const CUgraphNodeParams *params;                                                                               \
	CUresult result = get(node, (kind), (to), &params);                                                            \
	if (!result)                                                                                                   \
		memcpy((to), &params->member, sizeof(*(to)));                                                          \
	return result

CUresult cuGraphKernelNodeGetParams(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS_v1 *to)
{
	GET(CU_GRAPH_NODE_TYPE_KERNEL, kernel, to);
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *to)
{
	GET(CU_GRAPH_NODE_TYPE_KERNEL, kernel, to);
}

CUresult cuGraphMemcpyNodeGetParams(CUgraphNode node, CUDA_MEMCPY3D *to)
{
	GET(CU_GRAPH_NODE_TYPE_MEMCPY, memcpy.copyParams, to);
}

CUresult cuGraphMemsetNodeGetParams(CUgraphNode node, CUDA_MEMSET_NODE_PARAMS *to)
{
	GET(CU_GRAPH_NODE_TYPE_MEMSET, memset, to);
}

CUresult cuGraphHostNodeGetParams(CUgraphNode node, CUDA_HOST_NODE_PARAMS *to)
{
	GET(CU_GRAPH_NODE_TYPE_HOST, host, to);
}

CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent *to)
{
	GET(CU_GRAPH_NODE_TYPE_EVENT_RECORD, eventRecord.event, to);
}

CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent *to)
{
	GET(CU_GRAPH_NODE_TYPE_WAIT_EVENT, eventWait.event, to);
}

CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode node, CUDA_BATCH_MEM_OP_NODE_PARAMS *to)
{
	GET(CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, memOp, to);
}

CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, CUDA_MEM_ALLOC_NODE_PARAMS *to)
{
	GET(CU_GRAPH_NODE_TYPE_MEM_ALLOC, alloc, to);
}

CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr *to)
{
	GET(CU_GRAPH_NODE_TYPE_MEM_FREE, free.dptr, to);
}
