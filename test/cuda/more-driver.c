/*
 * The reference GPU's driver with what it refuses, for a test that it is carried: conditional nodes hold what they were
 * given, and have graphs of their own that nothing runs; multiprocessors can be put into groups that nothing uses.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"

#define NODES  64u
#define HANDLE 0x7700000000ull /* and the number of the graph that a condition is of, and its first value */
#define BODIES 8u

struct condition {
	CUgraphNode node;
	CUgraph bodies[BODIES];
};

static struct condition conditions[NODES];
static unsigned int count;
static CUgraph graphs[NODES];
static unsigned int graphs_count;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#pragma GCC visibility push(default)

CUresult cuGraphConditionalHandleCreate(CUgraphConditionalHandle *handle, CUgraph graph, CUcontext context,
					unsigned int value, unsigned int flags)
{
	size_t nodes;
	CUresult result = cuGraphGetNodes(graph, NULL, &nodes);

	if (result)
		return result;
	if (!handle || flags & ~(unsigned int)CU_GRAPH_COND_ASSIGN_DEFAULT || graphs_count == NODES || !context)
		return CUDA_ERROR_INVALID_VALUE;
	graphs[graphs_count] = graph;
	*handle = HANDLE + (graphs_count++ << 16) + value;
	return CUDA_SUCCESS;
}

static bool is_right(CUgraph graph, const CUDA_CONDITIONAL_NODE_PARAMS *params)
{
	unsigned int number = (unsigned int)((params->handle - HANDLE) >> 16);

	if (params->handle < HANDLE || number >= graphs_count || graphs[number] != graph || !params->size ||
	    params->size > BODIES || count == NODES || !params->ctx)
		return false;
	return params->type == CU_GRAPH_COND_TYPE_SWITCH ||
	       (params->type <= CU_GRAPH_COND_TYPE_SWITCH &&
		params->size <= (params->type == CU_GRAPH_COND_TYPE_IF ? 2 : 1));
}

static CUresult condition_add(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
			      CUDA_CONDITIONAL_NODE_PARAMS *params)
{
	struct condition *made = &conditions[count];
	CUresult result;

	if (!is_right(graph, params))
		return CUDA_ERROR_INVALID_VALUE;
	result = cuGraphAddEmptyNode(node, graph, after, after_count);
	for (unsigned int i = 0; i < params->size && !result; i++)
		result = cuGraphCreate(&made->bodies[i], 0);
	if (result)
		return result;
	made->node = *node;
	params->phGraph_out = made->bodies;
	count++;
	return CUDA_SUCCESS;
}

CUresult cuGraphAddNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, size_t after_count,
			CUgraphNodeParams *params)
{
	if (params && params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		return condition_add(node, graph, after, after_count, &params->conditional);
	return REAL(cuGraphAddNode)(node, graph, after, after_count, params);
}

CUresult cuGraphAddNode_v2(CUgraphNode *node, CUgraph graph, const CUgraphNode *after, const CUgraphEdgeData *edges,
			   size_t after_count, CUgraphNodeParams *params)
{
	if (params && params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		return condition_add(node, graph, after, after_count, &params->conditional);
	return REAL(cuGraphAddNode_v2)(node, graph, after, edges, after_count, params);
}

CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type)
{
	CUresult result = REAL(cuGraphNodeGetType)(node, type);

	for (unsigned int i = 0; i < count && !result; i++)
		if (conditions[i].node == node)
			*type = CU_GRAPH_NODE_TYPE_CONDITIONAL;
	return result;
}

#define SMS 16u

static CUdevResource sms(unsigned int number)
{
	CUdevResource resource;

	memset(&resource, 0x5a, sizeof(resource)); /* what is the driver's own has to come back */
	resource.type = CU_DEV_RESOURCE_TYPE_SM;
	resource.sm.smCount = number;
	return resource;
}

CUresult cuDeviceGetDevResource(CUdevice device, CUdevResource *resource, CUdevResourceType type)
{
	if (device || !resource || type != CU_DEV_RESOURCE_TYPE_SM)
		return CUDA_ERROR_INVALID_VALUE;
	*resource = sms(SMS);
	return CUDA_SUCCESS;
}

CUresult cuDevSmResourceSplitByCount(CUdevResource *result, unsigned int *groups, const CUdevResource *input,
				     CUdevResource *remaining, unsigned int flags, unsigned int min_count)
{
	CUdevResource mine = sms(SMS);
	unsigned int each = (min_count + 1) & ~1u, fits;

	if (!groups || !input || flags > 3 || !each || each > SMS || memcmp(input, &mine, sizeof(mine)))
		return CUDA_ERROR_INVALID_VALUE;
	fits = SMS / each;
	if (result && *groups < fits)
		fits = *groups;
	for (unsigned int i = 0; result && i < fits; i++)
		result[i] = sms(each);
	if (remaining)
		*remaining = sms(SMS - fits * each);
	*groups = fits;
	return CUDA_SUCCESS;
}

#pragma GCC visibility pop
