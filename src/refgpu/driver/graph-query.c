/* What a graph consists of, told to the application. */
#include <stdio.h>

#include "cuda-api.h"
#include "graph.h"

/* The API's form: without an array the number; with one as many as there is room for, and the rest of it zeroed. */
struct answer {
	CUgraphNode *nodes, *others;
	CUgraphEdgeData *edges;
	size_t room, n;
};

static void answer_add(struct answer *answer, CUgraphNode node, CUgraphNode other)
{
	size_t i = answer->n++;
	if (i >= answer->room)
		return;
	if (answer->nodes)
		answer->nodes[i] = node;
	if (answer->others)
		answer->others[i] = other;
	if (answer->edges)
		answer->edges[i] = (CUgraphEdgeData){ 0 };
}

static void answer_end(const struct answer *answer, size_t *n)
{
	if (!answer->nodes && !answer->others) {
		*n = answer->n;
		return;
	}
	for (size_t i = answer->n; i < answer->room; i++) {
		if (answer->nodes)
			answer->nodes[i] = NULL;
		if (answer->others)
			answer->others[i] = NULL;
	}
	*n = answer->n < answer->room ? answer->n : answer->room;
}

static CUresult nodes_get(CUgraph handle, CUgraphNode *nodes, size_t *n, bool roots)
{
	struct pl_cu_graph *graph;
	struct answer answer = { .nodes = nodes, .room = nodes && n ? *n : 0 };
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && !n)
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	for (struct pl_cu_node *node = graph->first; node; node = node->next)
		if (!roots || !node->before.n)
			answer_add(&answer, node->handle, NULL);
	answer_end(&answer, n);
	return CUDA_SUCCESS;
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *n)
{
	return nodes_get(graph, nodes, n, false);
}

CUresult cuGraphGetRootNodes(CUgraph graph, CUgraphNode *nodes, size_t *n)
{
	return nodes_get(graph, nodes, n, true);
}

CUresult cuGraphGetEdges_v2(CUgraph handle, CUgraphNode *from, CUgraphNode *to, CUgraphEdgeData *edges, size_t *n)
{
	struct pl_cu_graph *graph;
	struct answer answer = { .nodes = from, .others = to, .edges = edges, .room = from && n ? *n : 0 };
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && (!n || !from != !to || (edges && !from)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	for (struct pl_cu_node *node = graph->first; node; node = node->next)
		for (size_t i = 0; i < node->after.n; i++)
			answer_add(&answer, node->handle, node->after.at[i]->handle);
	answer_end(&answer, n);
	return CUDA_SUCCESS;
}

CUresult cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *n)
{
	return cuGraphGetEdges_v2(graph, from, to, NULL, n);
}

static CUresult neighbours_get(CUgraphNode handle, CUgraphNode *nodes, CUgraphEdgeData *edges, size_t *n, bool before)
{
	struct pl_cu_node *node;
	struct answer answer = { .nodes = nodes, .edges = edges, .room = nodes && n ? *n : 0 };
	const struct pl_cu_node_list *list;
	CUresult r = pl_cu_node_get(handle, &node);
	if (!r && (!n || (edges && !nodes)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	list = before ? &node->before : &node->after;
	for (size_t i = 0; i < list->n; i++)
		answer_add(&answer, list->at[i]->handle, NULL);
	answer_end(&answer, n);
	return CUDA_SUCCESS;
}

CUresult cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *edges, size_t *n)
{
	return neighbours_get(node, nodes, edges, n, true);
}

CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *nodes, size_t *n)
{
	return neighbours_get(node, nodes, NULL, n, true);
}

CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode *nodes, CUgraphEdgeData *edges, size_t *n)
{
	return neighbours_get(node, nodes, edges, n, false);
}

CUresult cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *nodes, size_t *n)
{
	return neighbours_get(node, nodes, NULL, n, false);
}

CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType *type_out)
{
	struct pl_cu_node *node;
	CUresult r = pl_cu_node_get(handle, &node);
	if (!r && !type_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*type_out = node->op.type;
	return r;
}

/* -- as a picture -------------------------------------------------------------------------------------------------- */

#define VERBOSE(flags, flag) ((flags) & (CU_GRAPH_DEBUG_DOT_FLAGS_VERBOSE | (flag)))

static void label_print(FILE *file, const struct pl_cu_node *node, unsigned int flags)
{
	static const char *const names[] = { "KERNEL",    "MEMCPY",     "MEMSET",       "HOST",       "GRAPH",
					     "EMPTY",     "WAIT_EVENT", "EVENT_RECORD", "SIGNAL",     "WAIT",
					     "MEM_ALLOC", "MEM_FREE",   "BATCH_MEM_OP", "CONDITIONAL" };
	const struct pl_cu_op *op = &node->op;
	fprintf(file, "%s", names[op->type]);
	if (VERBOSE(flags, CU_GRAPH_DEBUG_DOT_FLAGS_HANDLES))
		fprintf(file, "\\n%p", (void *)node->handle);
	if (op->type == CU_GRAPH_NODE_TYPE_KERNEL) {
		const struct pl_cu_launch *launch = &op->kernel->launch;
		fprintf(file, "\\n%s", pl_cu_op_func(op->kernel) ? launch->func->info->name : "unloaded");
		if (VERBOSE(flags, CU_GRAPH_DEBUG_DOT_FLAGS_KERNEL_NODE_PARAMS))
			fprintf(file, "\\n<<<(%u,%u,%u),(%u,%u,%u),%u>>>", launch->grid[0], launch->grid[1],
				launch->grid[2], launch->block[0], launch->block[1], launch->block[2],
				launch->shared_bytes);
	} else if (op->type == CU_GRAPH_NODE_TYPE_MEMCPY &&
		   VERBOSE(flags, CU_GRAPH_DEBUG_DOT_FLAGS_MEMCPY_NODE_PARAMS)) {
		fprintf(file, "\\n%zux%zux%zu", op->memcpy.copyParams.WidthInBytes, op->memcpy.copyParams.Height,
			op->memcpy.copyParams.Depth);
	} else if (op->type == CU_GRAPH_NODE_TYPE_MEMSET &&
		   VERBOSE(flags, CU_GRAPH_DEBUG_DOT_FLAGS_MEMSET_NODE_PARAMS)) {
		fprintf(file, "\\n%#llx: %zux%zu of %u", (unsigned long long)op->memset.dst, op->memset.width,
			op->memset.height, op->memset.value);
	}
}

static void graph_print(FILE *file, const struct pl_cu_graph *graph, unsigned int flags, uint64_t mark,
			uint32_t *numbers)
{
	fprintf(file, "subgraph cluster_%u {\nlabel=\"graph_%u\"\n", *numbers, *numbers);
	++*numbers;
	for (struct pl_cu_node *node = graph->first; node; node = node->next) {
		node->mark = mark + (*numbers)++;
		fprintf(file, "n%llu [label=\"", (unsigned long long)(node->mark - mark));
		label_print(file, node, flags);
		fprintf(file, "\"]\n");
	}
	for (struct pl_cu_node *node = graph->first; node; node = node->next)
		for (size_t i = 0; i < node->after.n; i++)
			fprintf(file, "n%llu -> n%llu\n", (unsigned long long)(node->mark - mark),
				(unsigned long long)(node->after.at[i]->mark - mark));
	fprintf(file, "}\n");
	for (struct pl_cu_node *node = graph->first; node; node = node->next) {
		size_t n;
		struct pl_cu_graph *const *graphs = pl_cu_op_graphs(&node->op, &n);
		for (size_t i = 0; i < n; i++)
			graph_print(file, graphs[i], flags, mark, numbers);
	}
}

CUresult cuGraphDebugDotPrint(CUgraph handle, const char *path, unsigned int flags)
{
	struct pl_cu_graph *graph;
	uint32_t numbers = 0;
	FILE *file;
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && (!path || flags >= 2 * CU_GRAPH_DEBUG_DOT_FLAGS_CONDITIONAL_NODE_PARAMS))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	file = fopen(path, "w");
	if (!file)
		return CUDA_ERROR_OPERATING_SYSTEM;
	fprintf(file, "digraph dot {\n");
	graph_print(file, graph, flags, pl_cu_graph_mark(), &numbers);
	fprintf(file, "}\n");
	return fclose(file) ? CUDA_ERROR_OPERATING_SYSTEM : CUDA_SUCCESS;
}
