/* The functions that change the nodes of one kind, in a graph and in an executable one: each is that of all kinds. */
#include <string.h>

#include "cuda-api.h"
#include "graph.h"

/* exec NULL: the graph's own node. */
static CUresult set(bool of_exec, CUgraphExec exec, CUgraphNode node, CUgraphNodeParams *all, bool given)
{
	return of_exec ? cuGraphExecNodeSetParams(exec, node, given ? all : NULL)
		       : cuGraphNodeSetParams(node, given ? all : NULL);
}

/* Parameters whose structure begins as the newest of its kind does. */
#define SET(of_exec, exec, node, kind, member, params)                                                                 \
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_##kind };                                                 \
	if (params)                                                                                                    \
		memcpy(&all.member, params, sizeof(*(params)));                                                        \
	return set(of_exec, exec, node, &all, params)

CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
	SET(false, NULL, node, KERNEL, kernel, params);
}

CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params)
{
	SET(false, NULL, node, KERNEL, kernel, params);
}

CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
	SET(true, exec, node, KERNEL, kernel, params);
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *params)
{
	SET(true, exec, node, KERNEL, kernel, params);
}

CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D *copy)
{
	SET(false, NULL, node, MEMCPY, memcpy.copyParams, copy);
}

CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D *copy, CUcontext ctx)
{
	if (!pl_cu_ctx_of(ctx))
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_CONTEXT;
	SET(true, exec, node, MEMCPY, memcpy.copyParams, copy);
}

CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *params)
{
	SET(false, NULL, node, MEMSET, memset, params);
}

CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS *params,
					CUcontext ctx)
{
	if (!pl_cu_ctx_of(ctx))
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_CONTEXT;
	SET(true, exec, node, MEMSET, memset, params);
}

CUresult cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS *params)
{
	SET(false, NULL, node, HOST, host, params);
}

CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_HOST_NODE_PARAMS *params)
{
	SET(true, exec, node, HOST, host, params);
}

CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph child)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_GRAPH, .graph = { .graph = child } };
	return set(true, exec, node, &all, true);
}

CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .eventRecord = { event } };
	return set(false, NULL, node, &all, true);
}

CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .eventRecord = { event } };
	return set(true, exec, node, &all, true);
}

CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .eventWait = { event } };
	return set(false, NULL, node, &all, true);
}

CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .eventWait = { event } };
	return set(true, exec, node, &all, true);
}

CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
	SET(false, NULL, node, BATCH_MEM_OP, memOp, params);
}

CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node,
					    const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
	SET(true, exec, node, BATCH_MEM_OP, memOp, params);
}

/* -- what the device has not: semaphores of other APIs ------------------------------------------------------------- */

static CUresult no_semaphores(const void *params)
{
	CUresult r = pl_cu_enter();
	return r ? r : params ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE;
}

#define SIGNAL const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *params
#define WAIT   const CUDA_EXT_SEM_WAIT_NODE_PARAMS *params
#define ADD    CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n

CUresult cuGraphAddExternalSemaphoresSignalNode(ADD, SIGNAL)
{
	(void)node_out, (void)graph, (void)before, (void)n;
	return no_semaphores(params);
}

CUresult cuGraphAddExternalSemaphoresWaitNode(ADD, WAIT)
{
	(void)node_out, (void)graph, (void)before, (void)n;
	return no_semaphores(params);
}

/* No node is of such a kind. */
static CUresult no_node(CUgraphNode handle, const void *params)
{
	struct pl_cu_node *node;
	CUresult r = pl_cu_node_get(handle, &node);
	(void)params;
	return r ? r : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphExternalSemaphoresSignalNodeSetParams(CUgraphNode node, SIGNAL)
{
	return no_node(node, params);
}

CUresult cuGraphExternalSemaphoresWaitNodeSetParams(CUgraphNode node, WAIT)
{
	return no_node(node, params);
}

CUresult cuGraphExternalSemaphoresSignalNodeGetParams(CUgraphNode node, CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *params)
{
	return no_node(node, params);
}

CUresult cuGraphExternalSemaphoresWaitNodeGetParams(CUgraphNode node, CUDA_EXT_SEM_WAIT_NODE_PARAMS *params)
{
	return no_node(node, params);
}

CUresult cuGraphExecExternalSemaphoresSignalNodeSetParams(CUgraphExec exec, CUgraphNode node, SIGNAL)
{
	(void)exec;
	return no_node(node, params);
}

CUresult cuGraphExecExternalSemaphoresWaitNodeSetParams(CUgraphExec exec, CUgraphNode node, WAIT)
{
	(void)exec;
	return no_node(node, params);
}
