/* Nodes as the API adds them, and what it tells and changes of them. */
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "graph.h"

static bool frees_twice(const struct pl_cu_graph *graph, const struct pl_cu_op *op)
{
	if (op->type != CU_GRAPH_NODE_TYPE_MEM_FREE)
		return false;
	for (struct pl_cu_node *node = graph->first; node; node = node->next)
		if (node->op.type == CU_GRAPH_NODE_TYPE_MEM_FREE && node->op.alloc.mem == op->alloc.mem)
			return true;
	return false;
}

/* A graph cannot be moved into itself, however deep. */
static bool contains(CUgraph outer, struct pl_cu_graph *graph)
{
	for (;;) {
		if (graph->handle == outer)
			return true;
		if (!graph->parent)
			return false;
		graph = graph->parent->graph;
	}
}

static CUresult params_check(const CUgraphNodeParams *params, struct pl_cu_graph *graph)
{
	if (!params || params->reserved0[0] || params->reserved0[1] || params->reserved0[2] || params->reserved2)
		return CUDA_ERROR_INVALID_VALUE;
	if (params->type == CU_GRAPH_NODE_TYPE_GRAPH &&
	    params->graph.ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE && contains(params->graph.graph, graph))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

CUresult cuGraphAddNode_v2(CUgraphNode *node_out, CUgraph handle, const CUgraphNode *before,
			   const CUgraphEdgeData *edges, size_t n, CUgraphNodeParams *params)
{
	struct pl_cu_node **nodes = NULL, *node;
	struct pl_cu_graph *graph;
	struct pl_cu_op op;
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && !node_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = params_check(params, graph);
	if (!r)
		r = pl_cu_edges_check(edges, n);
	if (!r)
		r = pl_cu_nodes_get(graph, before, n, &nodes);
	if (!r)
		r = pl_cu_op_make(&op, params, graph);
	if (!r && frees_twice(graph, &op)) {
		pl_cu_op_clear(&op);
		r = CUDA_ERROR_INVALID_VALUE;
	}
	if (!r)
		r = pl_cu_node_add(&node, graph, &op, nodes, n, true);
	free(nodes);
	if (!r)
		*node_out = node->handle;
	return r;
}

CUresult cuGraphAddNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
			CUgraphNodeParams *params)
{
	return cuGraphAddNode_v2(node_out, graph, before, NULL, n, params);
}

CUresult cuGraphAddKernelNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
			      const CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_KERNEL };
	if (params)
		memcpy(&all.kernel, params, sizeof(*params));
	return cuGraphAddNode(node_out, graph, before, n, params ? &all : NULL);
}

CUresult cuGraphAddKernelNode_v2(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
				 const CUDA_KERNEL_NODE_PARAMS *params)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_KERNEL };
	if (params)
		memcpy(&all.kernel, params, sizeof(*params));
	return cuGraphAddNode(node_out, graph, before, n, params ? &all : NULL);
}

/* The context has to be one; which, does not matter to a device whose contexts share addresses. */
static CUresult context_check(CUcontext ctx)
{
	CUresult r = pl_cu_enter();
	return r ? r : pl_cu_ctx_of(ctx) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuGraphAddMemcpyNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
			      const CUDA_MEMCPY3D *copy, CUcontext ctx)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_MEMCPY };
	CUresult r = context_check(ctx);
	if (copy)
		all.memcpy = (CUDA_MEMCPY_NODE_PARAMS){ .copyCtx = ctx, .copyParams = *copy };
	return r ? r : cuGraphAddNode(node_out, graph, before, n, copy ? &all : NULL);
}

static CUDA_MEMSET_NODE_PARAMS_v2 memset_v2(const CUDA_MEMSET_NODE_PARAMS *params, CUcontext ctx)
{
	return (CUDA_MEMSET_NODE_PARAMS_v2){ .dst = params->dst,
					     .pitch = params->pitch,
					     .value = params->value,
					     .elementSize = params->elementSize,
					     .width = params->width,
					     .height = params->height,
					     .ctx = ctx };
}

CUresult cuGraphAddMemsetNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
			      const CUDA_MEMSET_NODE_PARAMS *params, CUcontext ctx)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_MEMSET };
	CUresult r = context_check(ctx);
	if (params)
		all.memset = memset_v2(params, ctx);
	return r ? r : cuGraphAddNode(node_out, graph, before, n, params ? &all : NULL);
}

CUresult cuGraphAddHostNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
			    const CUDA_HOST_NODE_PARAMS *params)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_HOST };
	if (params)
		all.host = (CUDA_HOST_NODE_PARAMS_v2){ params->fn, params->userData };
	return cuGraphAddNode(node_out, graph, before, n, params ? &all : NULL);
}

CUresult cuGraphAddChildGraphNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
				  CUgraph child)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_GRAPH, .graph = { .graph = child } };
	return cuGraphAddNode(node_out, graph, before, n, &all);
}

CUresult cuGraphAddEmptyNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_EMPTY };
	return cuGraphAddNode(node_out, graph, before, n, &all);
}

CUresult cuGraphAddEventRecordNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
				   CUevent event)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_EVENT_RECORD, .eventRecord = { event } };
	return cuGraphAddNode(node_out, graph, before, n, &all);
}

CUresult cuGraphAddEventWaitNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
				 CUevent event)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .eventWait = { event } };
	return cuGraphAddNode(node_out, graph, before, n, &all);
}

CUresult cuGraphAddBatchMemOpNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
				  const CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_BATCH_MEM_OP };
	if (params)
		memcpy(&all.memOp, params, sizeof(*params));
	return cuGraphAddNode(node_out, graph, before, n, params ? &all : NULL);
}

CUresult cuGraphAddMemAllocNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
				CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_MEM_ALLOC };
	CUresult r;
	if (params)
		memcpy(&all.alloc, params, sizeof(*params));
	r = cuGraphAddNode(node_out, graph, before, n, params ? &all : NULL);
	if (!r)
		params->dptr = all.alloc.dptr;
	return r;
}

CUresult cuGraphAddMemFreeNode(CUgraphNode *node_out, CUgraph graph, const CUgraphNode *before, size_t n,
			       CUdeviceptr address)
{
	CUgraphNodeParams all = { .type = CU_GRAPH_NODE_TYPE_MEM_FREE, .free = { address } };
	return cuGraphAddNode(node_out, graph, before, n, &all);
}

/* -- what is told -------------------------------------------------------------------------------------------------- */

/* A node of that type, where there is somewhere to tell it. */
static CUresult typed_get(CUgraphNode handle, CUgraphNodeType type, const void *out, struct pl_cu_node **node_out)
{
	CUresult r = pl_cu_node_get(handle, node_out);
	return r ? r : !out || (*node_out)->op.type != type ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS *params)
{
	const struct pl_cu_launch *launch;
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_KERNEL, params, &node);
	if (r)
		return r;
	launch = &node->op.kernel->launch;
	*params = (CUDA_KERNEL_NODE_PARAMS){
		.func = node->op.kernel->func,
		.gridDimX = launch->grid[0],
		.gridDimY = launch->grid[1],
		.gridDimZ = launch->grid[2],
		.blockDimX = launch->block[0],
		.blockDimY = launch->block[1],
		.blockDimZ = launch->block[2],
		.sharedMemBytes = launch->shared_bytes,
		.kernelParams = node->op.kernel->args,
		.kern = node->op.kernel->kernel,
	};
	return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeGetParams(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS_v1 *params)
{
	CUDA_KERNEL_NODE_PARAMS all;
	CUresult r = cuGraphKernelNodeGetParams_v2(handle, params ? &all : NULL);
	if (!r)
		memcpy(params, &all, sizeof(*params));
	return r;
}

CUresult cuGraphMemcpyNodeGetParams(CUgraphNode handle, CUDA_MEMCPY3D *params)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_MEMCPY, params, &node);
	if (!r)
		*params = node->op.memcpy.copyParams;
	return r;
}

CUresult cuGraphMemsetNodeGetParams(CUgraphNode handle, CUDA_MEMSET_NODE_PARAMS *params)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_MEMSET, params, &node);
	if (!r)
		memcpy(params, &node->op.memset, sizeof(*params));
	return r;
}

CUresult cuGraphHostNodeGetParams(CUgraphNode handle, CUDA_HOST_NODE_PARAMS *params)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_HOST, params, &node);
	if (!r)
		*params = node->op.host;
	return r;
}

CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode handle, CUevent *event_out)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_EVENT_RECORD, event_out, &node);
	if (!r)
		*event_out = node->op.event;
	return r;
}

CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode handle, CUevent *event_out)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_WAIT_EVENT, event_out, &node);
	if (!r)
		*event_out = node->op.event;
	return r;
}

CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode handle, CUDA_BATCH_MEM_OP_NODE_PARAMS *params)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, params, &node);
	if (!r)
		*params = node->op.memop;
	return r;
}

CUresult cuGraphMemAllocNodeGetParams(CUgraphNode handle, CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_MEM_ALLOC, params, &node);
	if (!r)
		*params = node->op.alloc.params;
	return r;
}

CUresult cuGraphMemFreeNodeGetParams(CUgraphNode handle, CUdeviceptr *address_out)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_MEM_FREE, address_out, &node);
	if (!r)
		*address_out = node->op.alloc.params.dptr;
	return r;
}

CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode handle, CUgraph *graph_out)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_GRAPH, graph_out, &node);
	if (!r)
		*graph_out = node->op.child->handle;
	return r;
}

/* -- attributes of kernels ----------------------------------------------------------------------------------------- */

static bool attribute_known(CUkernelNodeAttrID attribute)
{
	switch (attribute) {
	case CU_KERNEL_NODE_ATTRIBUTE_ACCESS_POLICY_WINDOW:
	case CU_KERNEL_NODE_ATTRIBUTE_COOPERATIVE:
	case CU_KERNEL_NODE_ATTRIBUTE_CLUSTER_DIMENSION:
	case CU_KERNEL_NODE_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
	case CU_KERNEL_NODE_ATTRIBUTE_PRIORITY:
	case CU_KERNEL_NODE_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
	case CU_KERNEL_NODE_ATTRIBUTE_MEM_SYNC_DOMAIN:
	case CU_KERNEL_NODE_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
	case CU_KERNEL_NODE_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
	case CU_KERNEL_NODE_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
		return true;
	default:
		return false;
	}
}

CUresult cuGraphKernelNodeGetAttribute(CUgraphNode handle, CUkernelNodeAttrID attribute, CUkernelNodeAttrValue *value)
{
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_KERNEL, value, &node);
	if (!r && !attribute_known(attribute))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*value = node->op.kernel->attribute[attribute];
	return r;
}

static CUresult attribute_check(CUkernelNodeAttrID attribute, const CUkernelNodeAttrValue *value)
{
	if (!attribute_known(attribute))
		return CUDA_ERROR_INVALID_VALUE;
	if (attribute == CU_KERNEL_NODE_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE &&
	    value->deviceUpdatableKernelNode.deviceUpdatable)
		return CUDA_ERROR_NOT_SUPPORTED;
	if ((attribute == CU_KERNEL_NODE_ATTRIBUTE_CLUSTER_DIMENSION ||
	     attribute == CU_KERNEL_NODE_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION) &&
	    (uint64_t)value->clusterDim.x * value->clusterDim.y * value->clusterDim.z > 1)
		return CUDA_ERROR_NOT_SUPPORTED;
	return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeSetAttribute(CUgraphNode handle, CUkernelNodeAttrID attribute,
				       const CUkernelNodeAttrValue *value)
{
	struct pl_cu_launch launch;
	struct pl_cu_node *node;
	CUresult r = typed_get(handle, CU_GRAPH_NODE_TYPE_KERNEL, value, &node);
	if (!r)
		r = attribute_check(attribute, value);
	if (r)
		return r;
	launch = node->op.kernel->launch;
	if (attribute == CU_KERNEL_NODE_ATTRIBUTE_COOPERATIVE) {
		launch.cooperative = value->cooperative != 0;
		r = pl_cu_op_func(node->op.kernel) ? pl_cu_launch_check(&launch) : CUDA_ERROR_INVALID_HANDLE;
	}
	if (r)
		return r;
	node->op.kernel->launch.cooperative = launch.cooperative;
	node->op.kernel->attribute[attribute] = *value;
	return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeCopyAttributes(CUgraphNode dst_handle, CUgraphNode src_handle)
{
	struct pl_cu_node *dst, *src;
	struct pl_cu_launch launch;
	CUresult r = typed_get(dst_handle, CU_GRAPH_NODE_TYPE_KERNEL, dst_handle, &dst);
	if (!r)
		r = typed_get(src_handle, CU_GRAPH_NODE_TYPE_KERNEL, src_handle, &src);
	if (r)
		return r;
	launch = dst->op.kernel->launch;
	launch.cooperative = src->op.kernel->launch.cooperative;
	r = pl_cu_op_func(dst->op.kernel) ? pl_cu_launch_check(&launch) : CUDA_ERROR_INVALID_HANDLE;
	if (r)
		return r;
	dst->op.kernel->launch.cooperative = launch.cooperative;
	memcpy(dst->op.kernel->attribute, src->op.kernel->attribute, sizeof(src->op.kernel->attribute));
	return CUDA_SUCCESS;
}
