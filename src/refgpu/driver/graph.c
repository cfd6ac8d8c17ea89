/* Graphs as such: their nodes and edges, and copies of them. */
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "condition.h"
#include "cuda-api.h"

static _Atomic uint64_t marks = 1;

uint64_t pl_cu_graph_mark(void)
{
	return atomic_fetch_add(&marks, 1u << 31);
}

CUresult pl_cu_list_push(struct pl_cu_node_list *list, struct pl_cu_node *node)
{
	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 2;
		struct pl_cu_node **at = realloc(list->at, room * sizeof(struct pl_cu_node *));
		if (!at)
			return CUDA_ERROR_OUT_OF_MEMORY;
		list->at = at;
		list->room = room;
	}
	list->at[list->n++] = node;
	return CUDA_SUCCESS;
}

static bool list_has(const struct pl_cu_node_list *list, const struct pl_cu_node *node)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->at[i] == node)
			return true;
	return false;
}

static bool list_drop(struct pl_cu_node_list *list, const struct pl_cu_node *node)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->at[i] != node)
			continue;
		memmove(&list->at[i], &list->at[i + 1], (list->n - i - 1) * sizeof(struct pl_cu_node *));
		list->n--;
		return true;
	}
	return false;
}

/* -- graphs -------------------------------------------------------------------------------------------------------- */

CUresult pl_cu_graph_create(struct pl_cu_graph **graph_out, bool handle)
{
	struct pl_cu_graph *graph = calloc(1, sizeof(*graph));
	if (graph && handle) {
		graph->handle = (CUgraph)(uintptr_t)pl_cuda_handle_create(PL_CU_GRAPH, graph);
		if (!graph->handle) {
			free(graph);
			graph = NULL;
		}
	}
	if (!graph)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*graph_out = graph;
	return CUDA_SUCCESS;
}

static void node_free(void *arg)
{
	struct pl_cu_node *node = arg;
	pl_cu_op_clear(&node->op);
	free(node->before.at);
	free(node->after.at);
	free(node);
}

static void node_retire(struct pl_cu_node *node)
{
	if (node->handle)
		(void)pl_cuda_handle_retire((uint64_t)(uintptr_t)node->handle, node_free);
	else
		node_free(node);
}

static void graph_free(void *arg)
{
	struct pl_cu_graph *graph = arg;
	struct pl_cu_node *next;
	for (struct pl_cu_node *node = graph->first; node; node = next) {
		next = node->next;
		node_retire(node);
	}
	pl_cu_users_drop(graph);
	pl_cu_words_drop(graph);
	free(graph);
}

bool pl_cu_graph_destroy(struct pl_cu_graph *graph)
{
	if (graph && graph->handle)
		return pl_cuda_handle_retire((uint64_t)(uintptr_t)graph->handle, graph_free);
	if (graph)
		graph_free(graph);
	return graph;
}

static CUresult node_copy(struct pl_cu_graph *to, struct pl_cu_node *from, struct pl_cu_node **node_out, bool handles)
{
	struct pl_cu_node *node;
	struct pl_cu_op op;
	CUresult r = pl_cu_op_copy(&op, &from->op, handles);
	if (!r)
		r = pl_cu_node_add(&node, to, &op, NULL, 0, handles);
	if (r)
		return r;
	node->origin = from->handle;
	node->disabled = from->disabled;
	*node_out = node;
	return CUDA_SUCCESS;
}

CUresult pl_cu_graph_clone(struct pl_cu_graph **graph_out, const struct pl_cu_graph *from, bool handles)
{
	struct pl_cu_node **nodes = calloc(from->n + 1, sizeof(*nodes));
	struct pl_cu_graph *graph = NULL;
	uint64_t mark = pl_cu_graph_mark(), i = 0;
	CUresult r = nodes ? pl_cu_graph_create(&graph, handles) : CUDA_ERROR_OUT_OF_MEMORY;
	for (struct pl_cu_node *node = from->first; node && !r; node = node->next) {
		node->mark = mark + i;
		r = node_copy(graph, node, &nodes[i++], handles);
	}
	for (struct pl_cu_node *node = from->first; node && !r; node = node->next)
		for (size_t k = 0; k < node->before.n && !r; k++)
			r = pl_cu_edge_add(nodes[node->before.at[k]->mark - mark], nodes[node->mark - mark]);
	if (!r)
		r = pl_cu_users_copy(graph, from);
	if (!r)
		r = pl_cu_words_copy(graph, from);
	free(nodes);
	if (r) {
		pl_cu_graph_destroy(graph);
		return r;
	}
	graph->origin = from->handle;
	graph->has_memory = from->has_memory;
	graph->has_conditions = from->has_conditions;
	*graph_out = graph;
	return CUDA_SUCCESS;
}

CUresult pl_cu_graph_get(CUgraph handle, struct pl_cu_graph **graph_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*graph_out = pl_cuda_handle_held(handle, PL_CU_GRAPH);
	return *graph_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult pl_cu_node_get(CUgraphNode handle, struct pl_cu_node **node_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*node_out = pl_cuda_handle_held(handle, PL_CU_GRAPH_NODE);
	if (*node_out && !pl_cuda_handle_held((*node_out)->graph_handle, PL_CU_GRAPH))
		*node_out = NULL; /* it goes with its graph */
	return *node_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* -- nodes and edges ----------------------------------------------------------------------------------------------- */

CUresult pl_cu_edge_add(struct pl_cu_node *from, struct pl_cu_node *to)
{
	CUresult r;
	if (from == to || from->graph != to->graph)
		return CUDA_ERROR_INVALID_VALUE;
	if (from->after.n < to->before.n ? list_has(&from->after, to) : list_has(&to->before, from))
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_list_push(&to->before, from);
	if (!r && pl_cu_list_push(&from->after, to)) {
		to->before.n--;
		r = CUDA_ERROR_OUT_OF_MEMORY;
	}
	return r;
}

static void node_unlink(struct pl_cu_node *node)
{
	struct pl_cu_graph *graph = node->graph;
	for (size_t i = 0; i < node->before.n; i++)
		list_drop(&node->before.at[i]->after, node);
	for (size_t i = 0; i < node->after.n; i++)
		list_drop(&node->after.at[i]->before, node);
	*(node->prev ? &node->prev->next : &graph->first) = node->next;
	*(node->next ? &node->next->prev : &graph->last) = node->prev;
	graph->n--;
}

void pl_cu_node_destroy(struct pl_cu_node *node)
{
	node_unlink(node);
	node_retire(node);
}

static bool is_memory(const struct pl_cu_op *op)
{
	return op->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || op->type == CU_GRAPH_NODE_TYPE_MEM_FREE;
}

/* All graphs around it, too, can be neither cloned nor instantiated twice. */
static void mark_memory(struct pl_cu_graph *graph)
{
	for (; graph; graph = graph->parent ? graph->parent->graph : NULL)
		graph->has_memory = true;
}

CUresult pl_cu_node_add(struct pl_cu_node **node_out, struct pl_cu_graph *graph, const struct pl_cu_op *op,
			struct pl_cu_node *const *before, size_t n, bool handle)
{
	struct pl_cu_node *node = calloc(1, sizeof(*node));
	struct pl_cu_op owned = *op;
	struct pl_cu_graph *const *graphs;
	size_t graphs_n;
	CUresult r = CUDA_SUCCESS;
	if (is_memory(op) && graph->parent && graph->parent->op.type == CU_GRAPH_NODE_TYPE_GRAPH) {
		pl_cu_op_clear(&owned);
		free(node);
		return CUDA_ERROR_NOT_SUPPORTED; /* a child graph has what came with it */
	}
	if (node && handle)
		node->handle = (CUgraphNode)(uintptr_t)pl_cuda_handle_create(PL_CU_GRAPH_NODE, node);
	if (!node || (handle && !node->handle)) {
		pl_cu_op_clear(&owned);
		free(node);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	node->graph = graph;
	node->graph_handle = graph->handle;
	node->op = owned;
	node->prev = graph->last;
	*(graph->last ? &graph->last->next : &graph->first) = node;
	graph->last = node;
	graph->n++;
	for (size_t i = 0; i < n && !r; i++)
		r = pl_cu_edge_add(before[i], node);
	if (r) {
		pl_cu_node_destroy(node);
		return r;
	}
	graphs = pl_cu_op_graphs(op, &graphs_n);
	for (size_t i = 0; i < graphs_n; i++) {
		graphs[i]->parent = node;
		graphs[i]->parent_handle = node->handle;
		if (graphs[i]->has_memory)
			mark_memory(graph);
	}
	if (op->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		for (struct pl_cu_graph *around = graph; around; around = around->parent ? around->parent->graph : NULL)
			around->has_conditions = true;
	if (is_memory(op))
		mark_memory(graph);
	*node_out = node;
	return CUDA_SUCCESS;
}

CUresult pl_cu_edges_check(const CUgraphEdgeData *edges, size_t n)
{
	static const CUgraphEdgeData none;
	for (size_t i = 0; edges && i < n; i++) {
		if (memcmp(edges[i].reserved, none.reserved, sizeof(none.reserved)) ||
		    edges[i].type > CU_GRAPH_DEPENDENCY_TYPE_PROGRAMMATIC)
			return CUDA_ERROR_INVALID_VALUE;
		if (memcmp(&edges[i], &none, sizeof(none)))
			return CUDA_ERROR_NOT_SUPPORTED;
	}
	return CUDA_SUCCESS;
}

CUresult pl_cu_nodes_get(struct pl_cu_graph *graph, const CUgraphNode *handles, size_t n,
			 struct pl_cu_node ***nodes_out)
{
	uint64_t mark = pl_cu_graph_mark();
	struct pl_cu_node **nodes;
	*nodes_out = NULL;
	if (!n)
		return CUDA_SUCCESS;
	if (!handles || n > PL_CU_GRAPH_EDGES_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	nodes = calloc(n, sizeof(*nodes));
	if (!nodes)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (size_t i = 0; i < n; i++) {
		nodes[i] = pl_cuda_handle_held(handles[i], PL_CU_GRAPH_NODE);
		if (!nodes[i] || nodes[i]->graph != graph || nodes[i]->mark == mark) {
			free(nodes);
			return CUDA_ERROR_INVALID_VALUE;
		}
		nodes[i]->mark = mark;
	}
	*nodes_out = nodes;
	return CUDA_SUCCESS;
}

bool pl_cu_graph_covers(const struct pl_cu_node_list *ends, struct pl_cu_node *const *nodes, size_t n)
{
	uint64_t mark = pl_cu_graph_mark();
	struct pl_cu_node_list open = { 0 };
	bool covers = true;
	for (size_t i = 0; i < ends->n && covers; i++)
		covers = !pl_cu_list_push(&open, ends->at[i]);
	while (open.n && covers) {
		struct pl_cu_node *node = open.at[--open.n];
		if (node->mark == mark)
			continue;
		node->mark = mark;
		for (size_t i = 0; i < node->before.n && covers; i++)
			covers = node->before.at[i]->mark == mark || !pl_cu_list_push(&open, node->before.at[i]);
	}
	for (size_t i = 0; i < n && covers; i++)
		covers = nodes[i]->mark == mark;
	free(open.at);
	return covers;
}

/* -- the API ------------------------------------------------------------------------------------------------------- */

CUresult cuGraphCreate(CUgraph *graph_out, unsigned int flags)
{
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_enter();
	if (!r && (!graph_out || flags))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = pl_cu_graph_create(&graph, true);
	if (!r)
		*graph_out = graph->handle;
	return r;
}

CUresult cuGraphDestroy(CUgraph handle)
{
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && graph->parent)
		r = CUDA_ERROR_INVALID_VALUE; /* it goes with its node */
	return r ? r : pl_cu_capture_end_graph(graph);
}

CUresult cuGraphClone(CUgraph *clone_out, CUgraph original)
{
	struct pl_cu_graph *graph, *clone;
	CUresult r = pl_cu_graph_get(original, &graph);
	if (!r && !clone_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && (graph->has_memory || graph->has_conditions))
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (!r)
		r = pl_cu_graph_clone(&clone, graph, true);
	if (!r)
		*clone_out = clone->handle;
	return r;
}

struct pl_cu_node *pl_cu_node_of(const struct pl_cu_graph *graph, CUgraphNode origin)
{
	struct pl_cu_node *found = NULL;
	for (struct pl_cu_node *node = graph->first; node && !found; node = node->next) {
		size_t n;
		struct pl_cu_graph *const *graphs = pl_cu_op_graphs(&node->op, &n);
		if (node->origin == origin)
			found = node;
		for (size_t i = 0; i < n && !found; i++)
			found = pl_cu_node_of(graphs[i], origin);
	}
	return found;
}

CUresult cuGraphNodeFindInClone(CUgraphNode *node_out, CUgraphNode original, CUgraph clone)
{
	struct pl_cu_node *node, *found;
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_graph_get(clone, &graph);
	if (!r)
		r = pl_cu_node_get(original, &node);
	if (r)
		return r;
	found = pl_cu_node_of(graph, original);
	if (!node_out || !found)
		return CUDA_ERROR_INVALID_VALUE;
	*node_out = found->handle;
	return CUDA_SUCCESS;
}

static CUresult edges_change(CUgraph handle, const CUgraphNode *from, const CUgraphNode *to,
			     const CUgraphEdgeData *edges, size_t n, bool add)
{
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && n && (!from || !to))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && !add && graph->has_memory)
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (!r)
		r = pl_cu_edges_check(edges, n);
	for (size_t i = 0; i < n && !r; i++) {
		struct pl_cu_node *a = pl_cuda_handle_held(from[i], PL_CU_GRAPH_NODE);
		struct pl_cu_node *b = pl_cuda_handle_held(to[i], PL_CU_GRAPH_NODE);
		if (!a || !b || a->graph != graph || b->graph != graph)
			r = CUDA_ERROR_INVALID_VALUE;
		else if (add)
			r = pl_cu_edge_add(a, b);
		else if (!list_drop(&a->after, b) || !list_drop(&b->before, a))
			r = CUDA_ERROR_INVALID_VALUE;
	}
	return r;
}

CUresult cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
				   const CUgraphEdgeData *edges, size_t n)
{
	return edges_change(graph, from, to, edges, n, true);
}

CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n)
{
	return edges_change(graph, from, to, NULL, n, true);
}

CUresult cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to,
				      const CUgraphEdgeData *edges, size_t n)
{
	return edges_change(graph, from, to, edges, n, false);
}

CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t n)
{
	return edges_change(graph, from, to, NULL, n, false);
}

CUresult cuGraphDestroyNode(CUgraphNode handle)
{
	struct pl_cu_node *node;
	CUresult r = pl_cu_node_get(handle, &node);
	if (!r && node->graph->has_memory)
		r = CUDA_ERROR_NOT_SUPPORTED;
	return r ? r : pl_cu_capture_end_node(node);
}
