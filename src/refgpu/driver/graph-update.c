/* Changes of nodes: in a graph, and in an executable one, whose plan stays as it is. */
#include <stdlib.h>
#include <string.h>

#include "condition.h"
#include "cuda-api.h"

/* -- whether a node of an executable graph may become another ------------------------------------------------------ */

static bool one_line(const CUDA_MEMCPY3D *copy)
{
	return copy->Height == 1 && copy->Depth == 1;
}

static CUgraphExecUpdateResult kernel_change(const struct pl_cu_op_kernel *from, const struct pl_cu_op_kernel *to)
{
	if (!pl_cu_op_func(from) || !pl_cu_op_func(to) ||
	    from->launch.func->module->ctx != to->launch.func->module->ctx)
		return CU_GRAPH_EXEC_UPDATE_ERROR_UNSUPPORTED_FUNCTION_CHANGE;
	return from->launch.cooperative == to->launch.cooperative ? CU_GRAPH_EXEC_UPDATE_SUCCESS
								  : CU_GRAPH_EXEC_UPDATE_ERROR_ATTRIBUTES_CHANGED;
}

/* One line stays one, between the same kinds of memory. */
static CUgraphExecUpdateResult memcpy_change(const CUDA_MEMCPY3D *from, const CUDA_MEMCPY3D *to)
{
	struct pl_cu_copy old, new;
	if (!memcmp(from, to, sizeof(*from)))
		return CU_GRAPH_EXEC_UPDATE_SUCCESS;
	if (!one_line(from) || !one_line(to))
		return CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
	if (pl_cu_copy_resolve(&old, from)) /* freed meanwhile: nothing to compare with */
		return CU_GRAPH_EXEC_UPDATE_SUCCESS;
	if (pl_cu_copy_resolve(&new, to) || old.src.device != new.src.device || old.dst.device != new.dst.device)
		return CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
	return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

static CUgraphExecUpdateResult memset_change(const CUDA_MEMSET_NODE_PARAMS_v2 *from,
					     const CUDA_MEMSET_NODE_PARAMS_v2 *to)
{
	bool shape = from->height == to->height &&
		     (from->height == 1 ||
		      (from->pitch == to->pitch && from->width == to->width && from->elementSize == to->elementSize));
	return shape ? CU_GRAPH_EXEC_UPDATE_SUCCESS : CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
}

static CUgraphExecUpdateResult op_change(const struct pl_cu_op *from, const struct pl_cu_op *to)
{
	if (from->type != to->type)
		return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
	switch (from->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_change(from->kernel, to->kernel);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return memcpy_change(&from->memcpy.copyParams, &to->memcpy.copyParams);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return memset_change(&from->memset, &to->memset);
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return pl_cu_op_ctx(from) && pl_cu_op_ctx(to) && pl_cu_op_ctx(from) != pl_cu_op_ctx(to)
			       ? CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED
			       : CU_GRAPH_EXEC_UPDATE_SUCCESS;
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		return from->alloc.mem == to->alloc.mem ? CU_GRAPH_EXEC_UPDATE_SUCCESS
							: CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return from->memop.count == to->memop.count ? CU_GRAPH_EXEC_UPDATE_SUCCESS
							    : CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		return pl_cu_condition_alike(from->condition, to->condition)
			       ? CU_GRAPH_EXEC_UPDATE_SUCCESS
			       : CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
	default:
		return CU_GRAPH_EXEC_UPDATE_SUCCESS;
	}
}

/* -- whether a graph has the shape of another ---------------------------------------------------------------------- */

static void graph_number(const struct pl_cu_graph *graph, uint64_t mark)
{
	for (struct pl_cu_node *node = graph->first; node; node = node->next)
		node->mark = mark++;
}

/* The first node before `node` that has no partner before `partner`; NULL: all have one. */
static struct pl_cu_node *unmatched(const struct pl_cu_node *node, uint64_t mark, const struct pl_cu_node *partner,
				    uint64_t partner_mark)
{
	for (size_t i = 0; i < node->before.n; i++) {
		bool found = false;
		for (size_t k = 0; k < partner->before.n && !found; k++)
			found = partner->before.at[k]->mark - partner_mark == node->before.at[i]->mark - mark;
		if (!found)
			return node->before.at[i];
	}
	return NULL;
}

static void info_set(CUgraphExecUpdateResultInfo *info, CUgraphExecUpdateResult result, const struct pl_cu_node *node,
		     const struct pl_cu_node *from)
{
	info->result = result;
	info->errorNode = node ? node->handle : NULL;
	info->errorFromNode = from ? from->handle : NULL;
}

static bool graph_matches(const struct pl_cu_graph *have, const struct pl_cu_graph *want,
			  CUgraphExecUpdateResultInfo *info);

static bool node_matches(const struct pl_cu_node *have, uint64_t have_mark, const struct pl_cu_node *want,
			 uint64_t want_mark, CUgraphExecUpdateResultInfo *info)
{
	CUgraphExecUpdateResult result = op_change(&have->op, &want->op);
	struct pl_cu_node *odd = unmatched(want, want_mark, have, have_mark);
	if (have->before.n != want->before.n || odd) {
		info_set(info, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, want,
			 have->before.n == want->before.n ? odd : NULL);
		return false;
	}
	info_set(info, result, result ? want : NULL, NULL);
	return !result;
}

/* The graphs in two nodes of the same kind. */
static bool inner_match(const struct pl_cu_node *have, const struct pl_cu_node *want, CUgraphExecUpdateResultInfo *info)
{
	size_t n;
	struct pl_cu_graph *const *mine = pl_cu_op_graphs(&have->op, &n), *const *theirs =
										  pl_cu_op_graphs(&want->op, &n);
	for (size_t i = 0; i < n; i++)
		if (!graph_matches(mine[i], theirs[i], info))
			return false;
	return true;
}

static bool graph_matches(const struct pl_cu_graph *have, const struct pl_cu_graph *want,
			  CUgraphExecUpdateResultInfo *info)
{
	uint64_t have_mark = pl_cu_graph_mark(), want_mark = pl_cu_graph_mark();
	struct pl_cu_node *partner = want->first;
	info_set(info, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED, NULL, NULL);
	if (have->n != want->n)
		return false;
	graph_number(have, have_mark);
	graph_number(want, want_mark);
	info->result = CU_GRAPH_EXEC_UPDATE_SUCCESS;
	for (struct pl_cu_node *node = have->first; node; node = node->next, partner = partner->next)
		if (!node_matches(node, have_mark, partner, want_mark, info))
			return false;
	partner = want->first;
	for (struct pl_cu_node *node = have->first; node; node = node->next, partner = partner->next)
		if (!inner_match(node, partner, info))
			return false;
	return true;
}

/* `want` is a copy that is used up: its operations change places with those of the graph that it matches. */
static void graph_take(struct pl_cu_graph *have, struct pl_cu_graph *want)
{
	struct pl_cu_node *partner = want->first;
	struct pl_cu_word_ref *words = have->words;
	struct pl_cu_user_ref *users = have->users;
	have->words = want->words;
	want->words = words;
	have->users = want->users;
	want->users = users;
	for (struct pl_cu_node *node = have->first; node; node = node->next, partner = partner->next) {
		struct pl_cu_op op = node->op;
		size_t n;
		struct pl_cu_graph *const *mine = pl_cu_op_graphs(&node->op, &n);
		struct pl_cu_graph *const *theirs = pl_cu_op_graphs(&partner->op, &n);
		for (size_t i = 0; i < n; i++)
			graph_take(mine[i], theirs[i]);
		if (op.type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
			pl_cu_condition_take(op.condition, partner->op.condition);
		if (n)
			continue;
		node->op = partner->op;
		partner->op = op;
	}
}

static CUresult graph_update(struct pl_cu_exec *exec, struct pl_cu_graph *have, const struct pl_cu_graph *want,
			     CUgraphExecUpdateResultInfo *info)
{
	struct pl_cu_graph *copy;
	CUresult r = pl_cu_exec_lock(exec);
	if (r)
		return r;
	if (!graph_matches(have, want, info)) {
		pthread_mutex_unlock(&exec->lock);
		return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
	}
	r = pl_cu_graph_clone(&copy, want, false);
	if (!r) {
		graph_take(have, copy);
		pl_cu_exec_spend(exec, copy);
	}
	pthread_mutex_unlock(&exec->lock);
	if (r)
		info_set(info, CU_GRAPH_EXEC_UPDATE_ERROR, NULL, NULL);
	pl_cu_exec_sweep(exec);
	return r;
}

CUresult cuGraphExecUpdate_v2(CUgraphExec handle, CUgraph graph_handle, CUgraphExecUpdateResultInfo *info)
{
	struct pl_cu_graph *graph;
	struct pl_cu_exec *exec;
	CUresult r = pl_cu_exec_get(handle, &exec);
	if (!r)
		r = pl_cu_graph_get(graph_handle, &graph);
	if (!r && !info)
		r = CUDA_ERROR_INVALID_VALUE;
	return r ? r : graph_update(exec, exec->graph, graph, info);
}

CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *node_out, CUgraphExecUpdateResult *result_out)
{
	CUgraphExecUpdateResultInfo info = { 0 };
	CUresult r = cuGraphExecUpdate_v2(exec, graph, node_out && result_out ? &info : NULL);
	if (node_out && result_out) {
		*node_out = info.errorNode;
		*result_out = info.result;
	}
	return r;
}

/* -- single nodes -------------------------------------------------------------------------------------------------- */

struct pl_cu_node *pl_cu_exec_node(struct pl_cu_exec *exec, CUgraphNode handle)
{
	return handle ? pl_cu_node_of(exec->graph, handle) : NULL;
}

/* Called with exec->lock held, where it is one of an executable graph.  *op is used up. */
static void op_replace(struct pl_cu_node *node, struct pl_cu_op *op)
{
	struct pl_cu_op old = node->op;
	if (op->type == CU_GRAPH_NODE_TYPE_KERNEL) { /* attributes are not parameters */
		memcpy(op->kernel->attribute, old.kernel->attribute, sizeof(old.kernel->attribute));
		op->kernel->launch.cooperative = old.kernel->launch.cooperative;
	}
	node->op = *op;
	*op = old;
	pl_cu_op_clear(op);
}

/* A kernel keeps that it is cooperative, which asks more of its sizes. */
static CUresult kernel_keep(const struct pl_cu_node *node, struct pl_cu_op *op)
{
	if (op->type != CU_GRAPH_NODE_TYPE_KERNEL)
		return CUDA_SUCCESS;
	op->kernel->launch.cooperative = node->op.kernel->launch.cooperative;
	return pl_cu_launch_check(&op->kernel->launch);
}

static bool fixed(CUgraphNodeType type)
{
	return type == CU_GRAPH_NODE_TYPE_MEM_ALLOC || type == CU_GRAPH_NODE_TYPE_MEM_FREE ||
	       type == CU_GRAPH_NODE_TYPE_CONDITIONAL;
}

CUresult cuGraphNodeSetParams(CUgraphNode handle, CUgraphNodeParams *params)
{
	struct pl_cu_node *node;
	struct pl_cu_op op;
	CUresult r = pl_cu_node_get(handle, &node);
	if (!r && (!params || params->type != node->op.type))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && (fixed(params->type) || params->type == CU_GRAPH_NODE_TYPE_GRAPH))
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (!r)
		r = pl_cu_op_make(&op, params, node->graph);
	if (r)
		return r;
	r = kernel_keep(node, &op);
	if (r)
		pl_cu_op_clear(&op);
	else
		op_replace(node, &op);
	return r;
}

static CUresult exec_child_set(struct pl_cu_exec *exec, struct pl_cu_node *node, CUgraph handle)
{
	CUgraphExecUpdateResultInfo info;
	struct pl_cu_graph *graph;
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r)
		r = graph_update(exec, node->op.child, graph, &info);
	return r == CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE ? CUDA_ERROR_INVALID_VALUE : r;
}

static CUresult exec_node_get(CUgraphExec exec_handle, CUgraphNode handle, struct pl_cu_exec **exec_out,
			      struct pl_cu_node **node_out)
{
	CUresult r = pl_cu_exec_get(exec_handle, exec_out);
	if (r)
		return r;
	*node_out = pl_cu_exec_node(*exec_out, handle);
	return *node_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphExecNodeSetParams(CUgraphExec exec_handle, CUgraphNode handle, CUgraphNodeParams *params)
{
	struct pl_cu_exec *exec;
	struct pl_cu_node *node;
	struct pl_cu_op op;
	CUresult r = exec_node_get(exec_handle, handle, &exec, &node);
	if (!r && (!params || params->type != node->op.type))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && fixed(params->type))
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (!r && params->type == CU_GRAPH_NODE_TYPE_GRAPH)
		return exec_child_set(exec, node, params->graph.graph);
	if (!r)
		r = pl_cu_op_make(&op, params, node->graph);
	if (r)
		return r;
	r = pl_cu_exec_lock(exec);
	if (r) {
		pl_cu_op_clear(&op);
		return r;
	}
	r = kernel_keep(node, &op);
	if (!r && op_change(&node->op, &op))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		pl_cu_op_clear(&op);
	else
		op_replace(node, &op);
	pthread_mutex_unlock(&exec->lock);
	return r;
}

/* Those that can be switched off. */
static bool switchable(const struct pl_cu_node *node)
{
	return node->op.type == CU_GRAPH_NODE_TYPE_KERNEL || node->op.type == CU_GRAPH_NODE_TYPE_MEMCPY ||
	       node->op.type == CU_GRAPH_NODE_TYPE_MEMSET;
}

CUresult cuGraphNodeSetEnabled(CUgraphExec exec_handle, CUgraphNode handle, unsigned int enabled)
{
	struct pl_cu_exec *exec;
	struct pl_cu_node *node;
	CUresult r = exec_node_get(exec_handle, handle, &exec, &node);
	if (!r && !switchable(node))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = pl_cu_exec_lock(exec);
	if (r)
		return r;
	node->disabled = !enabled;
	pthread_mutex_unlock(&exec->lock);
	return CUDA_SUCCESS;
}

CUresult cuGraphNodeGetEnabled(CUgraphExec exec_handle, CUgraphNode handle, unsigned int *enabled_out)
{
	struct pl_cu_exec *exec;
	struct pl_cu_node *node;
	CUresult r = exec_node_get(exec_handle, handle, &exec, &node);
	if (!r && (!enabled_out || !switchable(node)))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*enabled_out = !node->disabled;
	return r;
}
