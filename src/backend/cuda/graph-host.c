/*
 * Host functions of a graph's nodes that are changed: the new one is the graph's, which lets go of the one before.
 * Which graph a node is of no function of the driver tells (before CUDA 13): it is looked for.
 */
#include <stdlib.h>

#include "backend/cuda/hostfn.h"
#include "base/cleanup.h"
#include "base/err.h"

struct graphs {
	CUgraph *at;
	size_t count, room;
};

static bool has_node(CUgraph graph, CUgraphNode node)
{
	size_t count, i = 0;
	pl_cleanup(pl_freep) CUgraphNode *nodes = pl_cuda_nodes_of(graph, &count);

	while (i < count && nodes[i] != node)
		i++;
	return i < count;
}

static void graph_look(struct pl_handle *handle, void *arg)
{
	struct graphs *graphs = arg;

	if (handle->kind == PL_CUDA_KIND_graph && handle->object && graphs->count < graphs->room)
		graphs->at[graphs->count++] = handle->object;
}

/* likely: tried first, where it is there yet.  NULL = none of those that the client knows. */
static CUgraph graph_of(struct pl_serve *serve, CUgraphNode node, CUgraph likely)
{
	struct pl_handles *handles = &serve->session->handles;
	struct graphs graphs = { .room = handles->count };
	CUgraph found = NULL;

	if (pl_handles_find(handles, PL_CUDA_KIND_graph, likely) && has_node(likely, node))
		return likely;
	graphs.at = calloc(graphs.room + 1, sizeof(*graphs.at));
	if (!graphs.at)
		return NULL;
	pl_handles_each(handles, graph_look, &graphs);
	for (size_t i = 0; i < graphs.count && !found; i++)
		if (has_node(graphs.at[i], node))
			found = graphs.at[i];
	free(graphs.at);
	return found;
}

struct pl_cuda_hostfn *pl_cuda_hostfn_of_node(CUgraphNode node)
{
	CUDA_HOST_NODE_PARAMS has;

	if (PL_CUDA_TRY(cuGraphHostNodeGetParams, node, &has) || has.fn != pl_cuda_hostfn_call)
		return NULL;
	return has.userData;
}

void pl_cuda_hostfn_replace(struct pl_serve *serve, CUgraphNode node, struct pl_cuda_hostfn *before,
			    struct pl_cuda_hostfn *hostfn)
{
	CUgraph graph = graph_of(serve, node, before ? before->graph : NULL);

	if (!graph) {
		pl_log_debug("what a graph's node was changed to call stays until the session ends");
		return;
	}
	pl_cuda_hostfn_owned(hostfn, graph);
	if (before)
		pl_cuda_hostfn_disowned(before, graph);
}
