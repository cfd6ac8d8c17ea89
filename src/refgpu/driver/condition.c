#include "condition.h"

#include <stdlib.h>
#include <string.h>

#include "cuda-api.h"
#include "hostfn.h"

/* -- words --------------------------------------------------------------------------------------------------------- */

struct pl_cu_word {
	struct pl_cu_sem *sem; /* its first 32 bits; system memory, at the same address for both */
	CUcontext ctx;
	uint32_t value; /* at the beginning of each launch, where it has one */
	bool has_value;
	atomic_bool used; /* by a node */
	atomic_uint refs; /* graphs and nodes */
};

static struct pl_cu_word *word_ref(struct pl_cu_word *word)
{
	atomic_fetch_add(&word->refs, 1);
	return word;
}

static void word_unref(struct pl_cu_word *word)
{
	if (!word || atomic_fetch_sub(&word->refs, 1) != 1)
		return;
	pl_cu_sem_give(word->sem);
	free(word);
}

static uint64_t word_address(const struct pl_cu_word *word)
{
	return (uint64_t)(uintptr_t)word->sem;
}

static uint32_t word_read(const struct pl_cu_word *word)
{
	return (uint32_t)atomic_load_explicit(&word->sem->value, memory_order_acquire);
}

/* The graph has it from here on, also where there is no memory. */
static CUresult word_add(struct pl_cu_graph *graph, struct pl_cu_word *word)
{
	struct pl_cu_word_ref *ref = malloc(sizeof(*ref));
	if (!ref) {
		word_unref(word);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*ref = (struct pl_cu_word_ref){ word, graph->words };
	graph->words = ref;
	return CUDA_SUCCESS;
}

CUresult pl_cu_words_copy(struct pl_cu_graph *to, const struct pl_cu_graph *from)
{
	CUresult r = CUDA_SUCCESS;
	for (const struct pl_cu_word_ref *ref = from->words; ref && !r; ref = ref->next)
		r = word_add(to, word_ref(ref->word));
	return r;
}

void pl_cu_words_drop(struct pl_cu_graph *graph)
{
	while (graph->words) {
		struct pl_cu_word_ref *ref = graph->words;
		graph->words = ref->next;
		word_unref(ref->word);
		free(ref);
	}
}

bool pl_cu_words_used(const struct pl_cu_graph *graph)
{
	bool used = true;
	for (const struct pl_cu_word_ref *ref = graph->words; ref && used; ref = ref->next)
		used = atomic_load(&ref->word->used);
	return used;
}

static CUresult word_begin(const struct pl_cu_word *word, struct pl_cu_stream *stream)
{
	struct pl_cu_work work;
	CUresult r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	r = pl_cu_work_room(&work, PL_CU_WORK_SEM_WORDS);
	if (r) {
		pl_cu_work_cancel(&work);
		return r;
	}
	pl_cu_work_release(&work, word_address(word), word->value, 0);
	(void)pl_cu_work_close(&work);
	return CUDA_SUCCESS;
}

CUresult pl_cu_words_begin(const struct pl_cu_graph *graph, struct pl_cu_stream *stream)
{
	CUresult r = CUDA_SUCCESS;
	for (const struct pl_cu_word_ref *ref = graph->words; ref && !r; ref = ref->next)
		if (ref->word->has_value)
			r = word_begin(ref->word, stream);
	for (const struct pl_cu_node *node = graph->has_conditions ? graph->first : NULL; node && !r; node = node->next)
		if (node->op.type == CU_GRAPH_NODE_TYPE_GRAPH)
			r = pl_cu_words_begin(node->op.child, stream);
	return r;
}

CUresult cuGraphConditionalHandleCreate(CUgraphConditionalHandle *handle_out, CUgraph graph_handle,
					CUcontext ctx_handle, unsigned int value, unsigned int flags)
{
	struct pl_cu_graph *graph;
	struct pl_cu_word *word;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_graph_get(graph_handle, &graph);
	if (!r && (!handle_out || flags & ~(unsigned int)CU_GRAPH_COND_ASSIGN_DEFAULT))
		r = CUDA_ERROR_INVALID_VALUE;
	if (r)
		return r;
	ctx = ctx_handle ? pl_cu_ctx_of(ctx_handle) : pl_cu_ctx_current();
	if (!ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	word = calloc(1, sizeof(*word));
	if (!word)
		return CUDA_ERROR_OUT_OF_MEMORY;
	word->sem = pl_cu_sem_take(ctx->dev->hw);
	if (!word->sem) {
		free(word);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	word->ctx = ctx->handle;
	word->value = value;
	word->has_value = flags & CU_GRAPH_COND_ASSIGN_DEFAULT;
	atomic_store(&word->refs, 1);
	r = word_add(graph, word);
	if (!r)
		*handle_out = word_address(word);
	return r;
}

/* A handle is of the graph that has the node, or of one around that. */
static struct pl_cu_word *word_find(const struct pl_cu_graph *graph, CUgraphConditionalHandle handle)
{
	for (; graph; graph = graph->parent ? graph->parent->graph : NULL)
		for (struct pl_cu_word_ref *ref = graph->words; ref; ref = ref->next)
			if (word_address(ref->word) == handle)
				return ref->word;
	return NULL;
}

/* -- nodes --------------------------------------------------------------------------------------------------------- */

struct pl_cu_condition {
	struct pl_cu_word *word; /* a reference */
	CUgraphConditionalNodeType type;
	CUcontext ctx;
	uint32_t level; /* there: 0, or above all that are in its graphs */
	atomic_uint refs;
	size_t n;
	struct pl_cu_graph **bodies; /* owned, but those of executable graphs, which own them */
	CUgraph *handles;            /* as the API tells them; NULL in an executable graph */
	struct pl_cu_exec **execs;   /* in an executable graph */
	CUstream stream;             /* there; 0 once it was destroyed with its context */
};

static void condition_free(struct pl_cu_condition *condition)
{
	struct pl_cu_stream *stream = pl_cuda_handle_held(condition->stream, PL_CU_STREAM);
	if (stream)
		pl_cu_stream_destroy(stream);
	for (size_t i = 0; i < condition->n; i++) {
		if (condition->execs && condition->execs[i])
			pl_cu_exec_unref(condition->execs[i]);
		else if (condition->bodies)
			pl_cu_graph_destroy(condition->bodies[i]);
	}
	word_unref(condition->word);
	free(condition->bodies);
	free(condition->handles);
	free(condition->execs);
	free(condition);
}

void pl_cu_condition_unref(struct pl_cu_condition *condition)
{
	if (condition && atomic_fetch_sub(&condition->refs, 1) == 1)
		condition_free(condition);
}

static struct pl_cu_condition *condition_create(struct pl_cu_word *word, CUgraphConditionalNodeType type, size_t n)
{
	struct pl_cu_condition *condition = calloc(1, sizeof(*condition));
	if (!condition)
		return NULL;
	*condition = (struct pl_cu_condition){ .word = word_ref(word), .type = type, .ctx = word->ctx, .n = n };
	atomic_store(&condition->refs, 1);
	condition->bodies = calloc(n, sizeof(struct pl_cu_graph *));
	if (condition->bodies)
		return condition;
	condition_free(condition);
	return NULL;
}

static bool size_fits(CUgraphConditionalNodeType type, unsigned int size)
{
	unsigned int most = type == CU_GRAPH_COND_TYPE_IF ? 2 : type == CU_GRAPH_COND_TYPE_WHILE ? 1 : PL_CU_BODIES_MAX;
	return type <= CU_GRAPH_COND_TYPE_SWITCH && size && size <= most;
}

CUresult pl_cu_condition_make(struct pl_cu_op *op, CUDA_CONDITIONAL_NODE_PARAMS *params,
			      const struct pl_cu_graph *graph)
{
	struct pl_cu_word *word = word_find(graph, params->handle);
	struct pl_cu_ctx *ctx = params->ctx ? pl_cu_ctx_of(params->ctx) : pl_cu_ctx_current();
	struct pl_cu_condition *condition;
	CUresult r = CUDA_SUCCESS;
	if (!word || !size_fits(params->type, params->size) || !ctx || ctx->handle != word->ctx)
		return CUDA_ERROR_INVALID_VALUE;
	condition = condition_create(word, params->type, params->size);
	if (!condition)
		return CUDA_ERROR_OUT_OF_MEMORY;
	condition->handles = calloc(condition->n, sizeof(CUgraph));
	if (!condition->handles)
		r = CUDA_ERROR_OUT_OF_MEMORY;
	for (size_t i = 0; i < condition->n && !r; i++) {
		r = pl_cu_graph_create(&condition->bodies[i], true);
		if (!r)
			condition->handles[i] = condition->bodies[i]->handle;
	}
	if (r) {
		pl_cu_condition_unref(condition);
		return r;
	}
	atomic_store(&word->used, true);
	params->phGraph_out = condition->handles;
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_CONDITIONAL, .condition = condition };
	return CUDA_SUCCESS;
}

/* Above all conditions of a graph and its children. */
static uint32_t level_above(const struct pl_cu_graph *graph)
{
	uint32_t level = 0;
	for (const struct pl_cu_node *node = graph->first; node; node = node->next) {
		uint32_t own = 0;
		if (node->op.type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
			own = node->op.condition->level + 1;
		else if (node->op.type == CU_GRAPH_NODE_TYPE_GRAPH)
			own = level_above(node->op.child);
		level = own > level ? own : level;
	}
	return level;
}

static CUresult body_copy(struct pl_cu_condition *to, const struct pl_cu_graph *from, size_t i)
{
	struct pl_cu_graph *body;
	CUresult r = pl_cu_graph_clone(&body, from, false);
	if (!r)
		r = pl_cu_exec_create(&to->execs[i], body);
	if (r)
		return r;
	to->bodies[i] = body;
	if (level_above(body) > to->level)
		to->level = level_above(body);
	return to->level < PL_CU_TURN_LEVELS ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
}

CUresult pl_cu_condition_copy(struct pl_cu_op *to, const struct pl_cu_op *from)
{
	const struct pl_cu_condition *old = from->condition;
	struct pl_cu_ctx *ctx = pl_cu_ctx_of(old->ctx);
	struct pl_cu_condition *condition;
	struct pl_cu_stream *stream;
	CUresult r;
	if (!ctx)
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	condition = condition_create(old->word, old->type, old->n);
	if (!condition)
		return CUDA_ERROR_OUT_OF_MEMORY;
	condition->execs = calloc(condition->n, sizeof(struct pl_cu_exec *));
	r = condition->execs ? pl_cu_stream_create_alone(&stream, ctx, 0) : CUDA_ERROR_OUT_OF_MEMORY;
	if (!r)
		condition->stream = stream->handle;
	for (size_t i = 0; i < condition->n && !r; i++)
		r = body_copy(condition, old->bodies[i], i);
	if (r) {
		pl_cu_condition_unref(condition);
		return r;
	}
	*to = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_CONDITIONAL, .condition = condition };
	return CUDA_SUCCESS;
}

struct pl_cu_ctx *pl_cu_condition_ctx(const struct pl_cu_condition *condition)
{
	return pl_cu_ctx_of(condition->ctx);
}

struct pl_cu_graph *const *pl_cu_condition_bodies(const struct pl_cu_condition *condition, size_t *n_out)
{
	*n_out = condition->n;
	return condition->bodies;
}

bool pl_cu_condition_allows(CUgraphNodeType type)
{
	return type == CU_GRAPH_NODE_TYPE_KERNEL || type == CU_GRAPH_NODE_TYPE_MEMCPY ||
	       type == CU_GRAPH_NODE_TYPE_MEMSET || type == CU_GRAPH_NODE_TYPE_GRAPH ||
	       type == CU_GRAPH_NODE_TYPE_EMPTY || type == CU_GRAPH_NODE_TYPE_CONDITIONAL;
}

bool pl_cu_condition_alike(const struct pl_cu_condition *a, const struct pl_cu_condition *b)
{
	return a->type == b->type && a->n == b->n && a->ctx == b->ctx;
}

void pl_cu_condition_take(struct pl_cu_condition *to, struct pl_cu_condition *from)
{
	struct pl_cu_word *word = to->word;
	to->word = from->word;
	from->word = word;
}

/* -- a node's turn ------------------------------------------------------------------------------------------------- */

struct turn {
	struct pl_cu_condition *condition; /* a reference */
	bool launched;
};

/* Which graph is to run now; NULL: none any more. */
static struct pl_cu_exec *choose(const struct turn *turn)
{
	const struct pl_cu_condition *condition = turn->condition;
	uint32_t value = word_read(condition->word);
	switch (condition->type) {
	case CU_GRAPH_COND_TYPE_WHILE:
		return value ? condition->execs[0] : NULL;
	case CU_GRAPH_COND_TYPE_IF:
		return turn->launched     ? NULL
		       : value            ? condition->execs[0]
		       : condition->n > 1 ? condition->execs[1]
					  : NULL;
	default:
		return turn->launched || value >= condition->n ? NULL : condition->execs[value];
	}
}

/* Return: a graph was launched, and *line comes to *value with its end. */
static bool launch(struct turn *turn, struct pl_cu_line **line, uint64_t *value)
{
	struct pl_cu_stream *stream = pl_cuda_handle_held(turn->condition->stream, PL_CU_STREAM);
	struct pl_cu_exec *exec = stream ? choose(turn) : NULL;
	CUresult r;
	if (!exec)
		return false;
	turn->launched = true;
	r = pl_cu_exec_launch(exec, stream);
	if (r) { /* nobody is there to be told, as with a kernel that fails */
		pl_cu_ctx_fail(stream->ctx, r);
		return false;
	}
	*line = pl_cu_line_ref(stream->line);
	*value = atomic_load(&stream->line->last);
	return true;
}

static bool take_turn(void *arg, CUresult error, struct pl_cu_line **line, uint64_t *value)
{
	struct turn *turn = arg;
	uint32_t call = pl_cuda_call_begin();
	bool more = !error && launch(turn, line, value);
	if (!more) {
		pl_cu_condition_unref(turn->condition);
		free(turn);
	}
	pl_cuda_call_end(call);
	return more;
}

CUresult pl_cu_condition_run(struct pl_cu_condition *condition, struct pl_cu_stream *stream)
{
	struct turn *turn = malloc(sizeof(*turn));
	CUresult r;
	if (!turn)
		return CUDA_ERROR_OUT_OF_MEMORY;
	atomic_fetch_add(&condition->refs, 1);
	*turn = (struct turn){ .condition = condition };
	r = pl_cu_hostfn_run(stream,
			     &(struct pl_cu_hostfn){ .turn = take_turn, .level = condition->level, .user = turn });
	if (r) {
		pl_cu_condition_unref(condition);
		free(turn);
	}
	return r;
}
