/*
 * Executable graphs: a plan of steps in an order that respects the edges, spread over a few streams, and its launches.
 * The first lane is the stream of the launch itself, so that a chain is nothing but work in a stream.
 */
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "condition.h"
#include "cuda-api.h"

#define NO_STEP   UINT32_MAX
#define FLAGS_ALL 15u

/* -- the plan ------------------------------------------------------------------------------------------------------ */

struct plan {
	struct pl_cu_step *steps;
	uint32_t n, room;
};

struct ends { /* steps */
	uint32_t *at, n;
};

static CUresult plan_add(struct plan *plan, struct pl_cu_node *node, const uint32_t *before, uint32_t n)
{
	struct pl_cu_step *step;
	if (plan->n == plan->room) {
		uint32_t room = plan->room ? 2 * plan->room : 64;
		struct pl_cu_step *steps = realloc(plan->steps, room * sizeof(*steps));
		if (!steps)
			return CUDA_ERROR_OUT_OF_MEMORY;
		plan->steps = steps;
		plan->room = room;
	}
	step = &plan->steps[plan->n];
	*step = (struct pl_cu_step){ .node = node, .before = calloc(n + 1, sizeof(uint32_t)), .before_n = n };
	if (!step->before)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (n)
		memcpy(step->before, before, n * sizeof(uint32_t));
	plan->n++;
	return CUDA_SUCCESS;
}

static void plan_clear(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n; i++)
		free(plan->steps[i].before);
	free(plan->steps);
	*plan = (struct plan){ 0 };
}

static CUresult graph_plan(struct plan *plan, struct pl_cu_graph *graph, const struct ends *begin, struct ends *end);

/* The steps behind which a node comes: those of the nodes before it, or those of the child graph that it begins. */
static CUresult node_plan(struct plan *plan, struct pl_cu_node *node, const uint32_t *step_of, uint64_t mark,
			  const struct ends *begin)
{
	uint32_t n = node->before.n ? (uint32_t)node->before.n : begin->n;
	struct ends before = { calloc(n + 1, sizeof(uint32_t)), n }, inner = { NULL, 0 };
	CUresult r = before.at ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	for (uint32_t i = 0; !r && i < n; i++)
		before.at[i] = node->before.n ? step_of[node->before.at[i]->mark - mark] : begin->at[i];
	if (!r && node->op.type == CU_GRAPH_NODE_TYPE_GRAPH) {
		r = graph_plan(plan, node->op.child, &before, &inner);
		if (!r)
			r = plan_add(plan, node, inner.at, inner.n);
	} else if (!r) {
		r = plan_add(plan, node, before.at, before.n);
	}
	free(inner.at);
	free(before.at);
	return r;
}

/* Nodes in the order in which they were made, as far as the edges let them. */
static CUresult nodes_plan(struct plan *plan, struct pl_cu_graph *graph, struct pl_cu_node **queue, uint32_t *step_of,
			   uint32_t *waits, const struct ends *begin)
{
	uint64_t mark = pl_cu_graph_mark(), i = 0;
	size_t put = 0, taken = 0;
	CUresult r = CUDA_SUCCESS;
	for (struct pl_cu_node *node = graph->first; node; node = node->next) {
		waits[i] = (uint32_t)node->before.n;
		node->mark = mark + i++;
		if (!node->before.n)
			queue[put++] = node;
	}
	while (taken < put && !r) {
		struct pl_cu_node *node = queue[taken++];
		r = node_plan(plan, node, step_of, mark, begin);
		step_of[node->mark - mark] = plan->n - 1;
		for (size_t k = 0; k < node->after.n; k++)
			if (!--waits[node->after.at[k]->mark - mark])
				queue[put++] = node->after.at[k];
	}
	return r ? r : taken == graph->n ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static CUresult ends_find(const struct pl_cu_graph *graph, const uint32_t *step_of, const struct ends *begin,
			  struct ends *end)
{
	uint32_t i = 0;
	end->at = calloc(graph->n + begin->n + 1, sizeof(uint32_t));
	if (!end->at)
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (struct pl_cu_node *node = graph->first; node; node = node->next, i++)
		if (!node->after.n)
			end->at[end->n++] = step_of[i];
	if (!graph->n && begin->n) {
		memcpy(end->at, begin->at, begin->n * sizeof(uint32_t));
		end->n = begin->n;
	}
	return CUDA_SUCCESS;
}

static CUresult graph_plan(struct plan *plan, struct pl_cu_graph *graph, const struct ends *begin, struct ends *end)
{
	struct pl_cu_node **queue = calloc(graph->n + 1, sizeof(*queue));
	uint32_t *step_of = calloc(graph->n + 1, sizeof(*step_of)), *waits = calloc(graph->n + 1, sizeof(*waits));
	CUresult r = CUDA_ERROR_OUT_OF_MEMORY;
	if (queue && step_of && waits)
		r = nodes_plan(plan, graph, queue, step_of, waits, begin);
	if (!r)
		r = ends_find(graph, step_of, begin, end);
	free(queue);
	free(step_of);
	free(waits);
	return r;
}

/* A step goes on in the lane of one that it follows, if that is the lane's last; else it begins a lane, while there are
 * some; else it goes to the lane with the fewest steps. */
static uint32_t lanes_set(struct plan *plan)
{
	uint32_t last[PL_CU_GRAPH_LANES], count[PL_CU_GRAPH_LANES] = { 0 }, lanes = 0;
	for (uint32_t i = 0; i < plan->n; i++) {
		struct pl_cu_step *step = &plan->steps[i];
		uint32_t lane = PL_CU_GRAPH_LANES;
		for (uint32_t k = 0; k < step->before_n && lane == PL_CU_GRAPH_LANES; k++)
			if (last[plan->steps[step->before[k]].lane] == step->before[k])
				lane = plan->steps[step->before[k]].lane;
		if (lane == PL_CU_GRAPH_LANES && lanes < PL_CU_GRAPH_LANES)
			lane = lanes++;
		if (lane == PL_CU_GRAPH_LANES) {
			lane = 0;
			for (uint32_t k = 1; k < PL_CU_GRAPH_LANES; k++)
				if (count[k] < count[lane])
					lane = k;
		}
		step->lane = lane;
		last[lane] = i;
		count[lane]++;
	}
	return lanes;
}

/* All kernels and recorded events of a graph are of one context here. */
static CUresult context_find(const struct plan *plan, struct pl_cu_ctx **ctx_out)
{
	*ctx_out = NULL;
	for (uint32_t i = 0; i < plan->n; i++) {
		struct pl_cu_ctx *ctx = pl_cu_op_ctx(&plan->steps[i].node->op);
		if (ctx && *ctx_out && ctx != *ctx_out)
			return CUDA_ERROR_NOT_SUPPORTED;
		if (ctx)
			*ctx_out = ctx;
	}
	return CUDA_SUCCESS;
}

static enum pl_cu_freed freed_find(const struct plan *plan, uint32_t at)
{
	const struct pl_cu_graph_mem *mem = plan->steps[at].node->op.alloc.mem;
	for (uint32_t i = 0; i < plan->n; i++) {
		const struct pl_cu_op *op = &plan->steps[i].node->op;
		if (op->type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && op->alloc.mem == mem)
			return i < at ? PL_CU_FREED_AHEAD : PL_CU_FREED_BEHIND;
	}
	return PL_CU_FREED_OTHERS;
}

CUresult pl_cu_exec_plan(struct pl_cu_exec *exec, struct pl_cu_graph *graph)
{
	struct plan plan = { 0 };
	struct ends none = { NULL, 0 }, end = { NULL, 0 };
	struct pl_cu_ctx *ctx;
	CUresult r = graph_plan(&plan, graph, &none, &end);
	free(end.at);
	if (!r)
		r = context_find(&plan, &ctx);
	if (r) {
		plan_clear(&plan);
		return r;
	}
	for (uint32_t i = 0; i < plan.n; i++)
		if (plan.steps[i].node->op.type == CU_GRAPH_NODE_TYPE_MEM_FREE)
			plan.steps[i].freed = freed_find(&plan, i);
	exec->lanes_n = lanes_set(&plan);
	exec->steps = plan.steps;
	exec->steps_n = plan.n;
	exec->ctx = ctx;
	exec->ctx_handle = ctx ? ctx->handle : NULL;
	return CUDA_SUCCESS;
}

/* -- life ---------------------------------------------------------------------------------------------------------- */

CUresult pl_cu_exec_get(CUgraphExec handle, struct pl_cu_exec **exec_out)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	*exec_out = pl_cuda_handle_held(handle, PL_CU_GRAPH_EXEC);
	return *exec_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void pl_cu_exec_spend(struct pl_cu_exec *exec, struct pl_cu_graph *graph)
{
	graph->next = atomic_load(&exec->spent);
	while (!atomic_compare_exchange_weak(&exec->spent, &graph->next, graph))
		;
}

void pl_cu_exec_sweep(struct pl_cu_exec *exec)
{
	struct pl_cu_graph *next;
	if (atomic_load(&exec->running))
		return;
	for (struct pl_cu_graph *graph = atomic_exchange(&exec->spent, NULL); graph; graph = next) {
		next = graph->next;
		pl_cu_graph_destroy(graph);
	}
}

static void exec_free(struct pl_cu_exec *exec)
{
	struct plan plan = { .steps = exec->steps, .n = exec->steps_n };
	for (uint32_t i = 0; i < PL_CU_GRAPH_LANES; i++) {
		struct pl_cu_stream *lane = pl_cuda_handle_held(exec->lanes[i], PL_CU_STREAM);
		if (lane)
			pl_cu_stream_destroy(lane);
	}
	plan_clear(&plan);
	pl_cu_exec_sweep(exec);
	pl_cu_graph_destroy(exec->graph);
	pl_cu_line_unref(exec->last_line);
	pthread_mutex_destroy(&exec->lock);
	free(exec);
}

void pl_cu_exec_unref(void *arg)
{
	struct pl_cu_exec *exec = arg;
	if (atomic_fetch_sub(&exec->refs, 1) == 1)
		exec_free(exec);
}

/* One reference.  `graph` is its own, also where there is no memory. */
static struct pl_cu_exec *exec_new(struct pl_cu_graph *graph)
{
	struct pl_cu_exec *exec = calloc(1, sizeof(*exec));
	if (!exec) {
		pl_cu_graph_destroy(graph);
		return NULL;
	}
	exec->graph = graph;
	atomic_store(&exec->refs, 1);
	pthread_mutex_init(&exec->lock, NULL);
	return exec;
}

static bool all_allowed(const struct pl_cu_graph *graph)
{
	bool all = true;
	for (const struct pl_cu_node *node = graph->first; node && all; node = node->next)
		all = pl_cu_condition_allows(node->op.type) &&
		      (node->op.type != CU_GRAPH_NODE_TYPE_GRAPH || all_allowed(node->op.child));
	return all;
}

CUresult pl_cu_exec_create(struct pl_cu_exec **exec_out, struct pl_cu_graph *graph)
{
	struct pl_cu_exec *exec = exec_new(graph);
	CUresult r = !exec ? CUDA_ERROR_OUT_OF_MEMORY : all_allowed(graph) ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
	if (!r)
		r = pl_cu_exec_plan(exec, graph);
	if (r) {
		if (exec)
			exec_free(exec);
		return r;
	}
	exec->alone = true;
	*exec_out = exec;
	return CUDA_SUCCESS;
}

CUresult pl_cu_exec_lock(struct pl_cu_exec *exec)
{
	struct pl_cu_ctx *ctx;
	CUresult r = CUDA_SUCCESS;
	pthread_mutex_lock(&exec->lock);
	ctx = pl_cu_ctx_of(exec->ctx_handle);
	if (exec->graph->has_conditions && exec->last_line && ctx)
		r = pl_cu_line_wait(ctx, exec->last_line, exec->last_value);
	if (r)
		pthread_mutex_unlock(&exec->lock);
	return r;
}

/* A launch is done: what its kernels printed in other lanes is printed. */
static void launch_done(void *arg)
{
	struct pl_cu_exec *exec = arg;
	for (uint32_t i = 0; i < PL_CU_GRAPH_LANES; i++) {
		struct pl_cu_stream *lane = pl_cuda_handle_held(exec->lanes[i], PL_CU_STREAM);
		if (lane)
			pl_cu_stream_print(lane);
	}
	atomic_fetch_sub(&exec->running, 1);
	pl_cu_exec_sweep(exec);
	pl_cu_exec_unref(exec);
}

/* Conditions that no node looks at: a handle was made for nothing, or for the wrong graph. */
static bool all_used(const struct pl_cu_graph *graph)
{
	bool all = pl_cu_words_used(graph);
	for (const struct pl_cu_node *node = graph->first; node && all; node = node->next) {
		size_t n;
		struct pl_cu_graph *const *graphs = pl_cu_op_graphs(&node->op, &n);
		for (size_t i = 0; i < n && all; i++)
			all = all_used(graphs[i]);
	}
	return all;
}

static CUresult instantiate(CUgraphExec *exec_out, CUgraph handle, unsigned long long flags)
{
	struct pl_cu_graph *graph, *copy;
	struct pl_cu_exec *exec;
	CUresult r = pl_cu_graph_get(handle, &graph);
	if (!r && (!exec_out || flags > FLAGS_ALL))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH)
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (!r && pl_cuda_handle_held(graph->instantiated, PL_CU_GRAPH_EXEC))
		r = CUDA_ERROR_NOT_SUPPORTED;
	if (!r && !all_used(graph))
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		r = pl_cu_graph_clone(&copy, graph, false);
	if (r)
		return r;
	exec = exec_new(copy);
	if (!exec)
		return CUDA_ERROR_OUT_OF_MEMORY;
	exec->of = handle;
	exec->flags = flags;
	r = pl_cu_exec_plan(exec, copy);
	if (!r)
		exec->handle = (CUgraphExec)(uintptr_t)pl_cuda_handle_create(PL_CU_GRAPH_EXEC, exec);
	if (!exec->handle) {
		exec_free(exec);
		return r ? r : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (graph->has_memory)
		graph->instantiated = exec->handle;
	*exec_out = exec->handle;
	return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec_out, CUgraph graph, unsigned long long flags)
{
	if (flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE; /* it has no stream for it */
	return instantiate(exec_out, graph, flags);
}

CUresult cuGraphInstantiate_v2(CUgraphExec *exec_out, CUgraph graph, CUgraphNode *error_node, char *log, size_t bytes)
{
	if (error_node)
		*error_node = NULL;
	if (log && bytes)
		*log = 0;
	return instantiate(exec_out, graph, 0);
}

CUresult cuGraphInstantiate(CUgraphExec *exec_out, CUgraph graph, CUgraphNode *error_node, char *log, size_t bytes)
{
	return cuGraphInstantiate_v2(exec_out, graph, error_node, log, bytes);
}

static bool has_unused(CUgraph handle)
{
	const struct pl_cu_graph *graph = pl_cuda_handle_held(handle, PL_CU_GRAPH);
	return graph && !all_used(graph);
}

CUresult cuGraphInstantiateWithParams(CUgraphExec *exec_out, CUgraph handle, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!params)
		return CUDA_ERROR_INVALID_VALUE;
	params->hErrNode_out = NULL;
	r = instantiate(exec_out, handle, params->flags);
	if (!r && params->flags & CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD) {
		r = cuGraphUpload(*exec_out, params->hUploadStream);
		if (r)
			cuGraphExecDestroy(*exec_out);
	}
	params->result_out = r == CUDA_SUCCESS               ? CUDA_GRAPH_INSTANTIATE_SUCCESS
			     : r == CUDA_ERROR_NOT_SUPPORTED ? CUDA_GRAPH_INSTANTIATE_NODE_OPERATION_NOT_SUPPORTED
			     : r != CUDA_ERROR_INVALID_VALUE ? CUDA_GRAPH_INSTANTIATE_ERROR
			     : has_unused(handle)            ? CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED
							     : CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE;
	return r;
}

CUresult cuGraphExecDestroy(CUgraphExec handle)
{
	struct pl_cu_exec *exec;
	CUresult r = pl_cu_exec_get(handle, &exec);
	if (r)
		return r;
	return pl_cuda_handle_retire((uint64_t)(uintptr_t)handle, pl_cu_exec_unref) ? CUDA_SUCCESS
										    : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphExecGetFlags(CUgraphExec handle, cuuint64_t *flags_out)
{
	struct pl_cu_exec *exec;
	CUresult r = pl_cu_exec_get(handle, &exec);
	if (!r && !flags_out)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r)
		*flags_out = exec->flags & ~(cuuint64_t)CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD;
	return r;
}

/* -- launch -------------------------------------------------------------------------------------------------------- */

struct launch {
	struct pl_cu_exec *exec;
	struct pl_cu_stream *stream, *lanes[PL_CU_GRAPH_LANES]; /* NULL: not used so far */
	uint64_t fork;                                          /* of the stream's line */
	uint64_t seen[PL_CU_GRAPH_LANES][PL_CU_GRAPH_LANES];    /* the values of the second that the first follows */
};

static CUresult lane_get(struct launch *launch, uint32_t lane)
{
	struct pl_cu_exec *exec = launch->exec;
	struct pl_cu_ctx *ctx = exec->ctx ? exec->ctx : launch->stream->ctx;
	struct pl_cu_stream *stream;
	CUresult r;
	if (launch->lanes[lane])
		return CUDA_SUCCESS;
	if (!lane && launch->stream->ctx == ctx) {
		launch->lanes[0] = launch->stream;
		return CUDA_SUCCESS;
	}
	stream = pl_cuda_handle_held(exec->lanes[lane], PL_CU_STREAM);
	if (stream && stream->ctx != ctx) { /* a graph without kernels goes where it is launched */
		pl_cu_stream_destroy(stream);
		stream = NULL;
	}
	if (!stream) {
		int priority = launch->stream->priority;
		r = exec->alone ? pl_cu_stream_create_alone(&stream, ctx, priority)
				: pl_cu_stream_create(&stream, ctx, CU_STREAM_NON_BLOCKING, priority);
		if (r)
			return r;
		exec->lanes[lane] = stream->handle;
	}
	launch->lanes[lane] = stream;
	return pl_cu_stream_follow(stream, launch->stream->line, launch->fork);
}

static CUresult step_run(struct launch *launch, struct pl_cu_step *step)
{
	struct pl_cu_stream *stream;
	CUresult r = lane_get(launch, step->lane);
	if (r)
		return r;
	stream = launch->lanes[step->lane];
	for (uint32_t i = 0; i < step->before_n && !r; i++) {
		const struct pl_cu_step *before = &launch->exec->steps[step->before[i]];
		uint64_t *seen = &launch->seen[step->lane][before->lane];
		if (before->lane == step->lane || *seen >= before->value)
			continue;
		*seen = before->value;
		r = pl_cu_stream_follow(stream, launch->lanes[before->lane]->line, before->value);
	}
	if (!r && !step->node->disabled)
		r = pl_cu_op_run(&step->node->op, stream);
	step->value = atomic_load(&stream->line->last);
	return r;
}

/* What is freed has to be there by then. */
static bool frees_good(const struct pl_cu_exec *exec)
{
	for (uint32_t i = 0; i < exec->steps_n; i++) {
		const struct pl_cu_step *step = &exec->steps[i];
		if (step->node->op.type == CU_GRAPH_NODE_TYPE_MEM_FREE && step->freed != PL_CU_FREED_AHEAD &&
		    (step->freed == PL_CU_FREED_BEHIND || !pl_cu_graph_mem_live(step->node->op.alloc.mem)))
			return false;
	}
	return true;
}

/* Ahead of all steps: a launch that is refused does nothing.  Memory that the last one has left allocated: freed where
 * the graph says so. */
static CUresult memory_check(struct pl_cu_exec *exec)
{
	CUresult r = frees_good(exec) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	for (uint32_t i = 0; i < exec->steps_n && !r; i++) {
		const struct pl_cu_op *op = &exec->steps[i].node->op;
		if (op->type != CU_GRAPH_NODE_TYPE_MEM_ALLOC || !pl_cu_graph_mem_live(op->alloc.mem))
			continue;
		r = exec->flags & CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH ? pl_cu_graph_mem_end(op->alloc.mem)
										  : CUDA_ERROR_INVALID_VALUE;
	}
	return r;
}

/* An empty piece of work: the stream's order, legacy rules too, has it behind all that was given before. */
static CUresult fork_mark(struct launch *launch)
{
	struct pl_cu_work work;
	CUresult r = pl_cu_work_open(&work, launch->stream, pl_cu_stream_engine(launch->stream));
	if (!r)
		launch->fork = pl_cu_work_close(&work);
	return r;
}

static CUresult steps_run(struct launch *launch)
{
	struct pl_cu_exec *exec = launch->exec;
	CUresult r = CUDA_SUCCESS, joined = CUDA_SUCCESS;
	if (exec->last_line)
		r = pl_cu_stream_follow(launch->stream, exec->last_line, exec->last_value);
	if (!r)
		r = pl_cu_words_begin(exec->graph, launch->stream);
	if (!r && (exec->lanes_n > 1 || (exec->ctx && exec->ctx != launch->stream->ctx)))
		r = fork_mark(launch);
	for (uint32_t i = 0; i < exec->steps_n && !r; i++)
		r = step_run(launch, &exec->steps[i]);
	for (uint32_t i = 0; i < PL_CU_GRAPH_LANES; i++) {
		struct pl_cu_stream *lane = launch->lanes[i];
		if (lane && lane != launch->stream && !joined)
			joined = pl_cu_stream_follow(launch->stream, lane->line, atomic_load(&lane->line->last));
	}
	return r ? r : joined;
}

CUresult pl_cu_exec_launch(struct pl_cu_exec *exec, struct pl_cu_stream *stream)
{
	struct launch launch = { .exec = exec, .stream = stream };
	CUresult r = CUDA_SUCCESS;
	atomic_fetch_add(&exec->refs, 1);
	pthread_mutex_lock(&exec->lock);
	atomic_fetch_add(&exec->running, 1);
	if (exec->ctx && pl_cu_ctx_of(exec->ctx_handle) != exec->ctx)
		r = CUDA_ERROR_CONTEXT_IS_DESTROYED;
	if (!r)
		r = memory_check(exec);
	if (!r)
		r = steps_run(&launch);
	pl_cu_line_unref(exec->last_line);
	exec->last_line = pl_cu_line_ref(stream->line);
	exec->last_value = atomic_load(&stream->line->last);
	pthread_mutex_unlock(&exec->lock);
	pl_cu_stream_retire(stream, launch_done, exec);
	return r;
}

static CUresult launch_captured(const struct pl_cu_exec *exec, struct pl_cu_stream *stream)
{
	struct pl_cu_graph *child;
	struct pl_cu_op op;
	bool fixed = exec->graph->has_memory || exec->graph->has_conditions;
	CUresult r = fixed ? CUDA_ERROR_NOT_SUPPORTED : pl_cu_graph_clone(&child, exec->graph, true);
	if (r)
		return r;
	op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_GRAPH, .child = child };
	return pl_cu_capture_add(stream, &op);
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream_handle)
{
	struct pl_cu_stream *stream;
	struct pl_cu_exec *exec;
	bool captured;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = pl_cu_exec_get(handle, &exec);
	if (!r)
		r = pl_cu_capture_gate(stream, &captured);
	if (r)
		return r;
	return captured ? launch_captured(exec, stream) : pl_cu_exec_launch(exec, stream);
}

/* There is nothing to bring to the device before a launch does. */
CUresult cuGraphUpload(CUgraphExec handle, CUstream stream_handle)
{
	struct pl_cu_stream *stream;
	struct pl_cu_exec *exec;
	bool captured;
	CUresult r = pl_cu_enter_stream(stream_handle, &stream);
	if (!r)
		r = pl_cu_exec_get(handle, &exec);
	if (!r)
		r = pl_cu_capture_gate(stream, &captured);
	return r ? r : captured ? pl_cu_capture_forbid(stream) : CUDA_SUCCESS;
}
