/*
 * Conditional nodes: a word of memory, which kernels write, says which of a node's graphs runs, and how often.  A
 * handle is its word's address, and cudaGraphSetConditional() a store there.
 *
 * The device does not decide: when a node's turn comes, a thread of the driver (hostfn.h) reads the word and launches
 * the graph on a stream that is the node's own; what follows waits until there is nothing more to launch.
 */
#ifndef PL_REFGPU_DRIVER_CONDITION_H
#define PL_REFGPU_DRIVER_CONDITION_H

#include "refgpu/driver/graph.h"

#define PL_CU_BODIES_MAX 256u /* of one node */

/* -- words: a graph and the executable ones that were made of it have them ----------------------------------------- */

struct pl_cu_word;
struct pl_cu_word_ref {
	struct pl_cu_word *word;
	struct pl_cu_word_ref *next;
};

CUresult pl_cu_words_copy(struct pl_cu_graph *to, const struct pl_cu_graph *from);
void pl_cu_words_drop(struct pl_cu_graph *graph);
/* The words that have a value at the beginning of each launch get it, in the stream's order; its child graphs' too. */
CUresult pl_cu_words_begin(const struct pl_cu_graph *graph, struct pl_cu_stream *stream);
/* Whether each word is some node's. */
bool pl_cu_words_used(const struct pl_cu_graph *graph);

/* -- nodes --------------------------------------------------------------------------------------------------------- */

/* Counted: an executable graph's may be about to run when the graph goes. */
struct pl_cu_condition;

/* A node of `graph`, its graphs empty; params->phGraph_out is written. */
CUresult pl_cu_condition_make(struct pl_cu_op *op, CUDA_CONDITIONAL_NODE_PARAMS *params,
			      const struct pl_cu_graph *graph);
/* For an executable graph: its graphs are executable, too. */
CUresult pl_cu_condition_copy(struct pl_cu_op *to, const struct pl_cu_op *from);
void pl_cu_condition_unref(struct pl_cu_condition *condition);
CUresult pl_cu_condition_run(struct pl_cu_condition *condition, struct pl_cu_stream *stream);
struct pl_cu_ctx *pl_cu_condition_ctx(const struct pl_cu_condition *condition); /* NULL: destroyed */
struct pl_cu_graph *const *pl_cu_condition_bodies(const struct pl_cu_condition *condition, size_t *n_out);
/* Whether a node may be such a graph's, however deep in it. */
bool pl_cu_condition_allows(CUgraphNodeType type);
/* Same kind and number of graphs: one can become the other. */
bool pl_cu_condition_alike(const struct pl_cu_condition *a, const struct pl_cu_condition *b);
/* `to` looks at the word of `from` from here on. */
void pl_cu_condition_take(struct pl_cu_condition *to, struct pl_cu_condition *from);

#endif
