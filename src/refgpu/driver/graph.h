/*
 * Graphs: nodes with what they do and what they follow.  As with CUDA, one thread at a time uses a graph; an executable
 * graph is a copy that nobody else reaches, and may be launched from several threads.
 */
#ifndef PL_REFGPU_DRIVER_GRAPH_H
#define PL_REFGPU_DRIVER_GRAPH_H

#include "refgpu/driver/copy.h"
#include "refgpu/driver/event.h"
#include "refgpu/driver/launch.h"
#include "refgpu/driver/module.h"
#include "refgpu/driver/stream.h"

#define PL_CU_GRAPH_EDGES_MAX (1u << 20) /* of one node, that one call gives or has */
#define PL_CU_GRAPH_LANES     4u         /* streams that the branches of one launch run on */

/* -- memory of a graph: it has its address from the node's creation on --------------------------------------------- */

struct pl_cu_graph_mem {
	struct pl_cu_mem *mem;
	struct pl_cu_dev *dev;
	atomic_uint refs; /* nodes, and one while it is live */
	bool live;        /* allocated by a launch, not freed yet; under the lock of graph-mem.c, here and below */
	struct pl_cu_line *line; /* who freed it outside of a graph: a launch follows it */
	uint64_t value;
	struct pl_cu_graph_mem *next;
};

CUresult pl_cu_graph_mem_create(struct pl_cu_graph_mem **mem_out, CUDA_MEM_ALLOC_NODE_PARAMS *params);
struct pl_cu_graph_mem *pl_cu_graph_mem_ref(struct pl_cu_graph_mem *mem);
void pl_cu_graph_mem_unref(struct pl_cu_graph_mem *mem); /* NULL is fine */
/* Whether an address begins such memory that is live. */
struct pl_cu_graph_mem *pl_cu_graph_mem_find(uint64_t address);
/* A launch allocates or frees it.  CUDA_ERROR_INVALID_VALUE: it is, or is not, live already. */
CUresult pl_cu_graph_mem_begin(struct pl_cu_graph_mem *mem);
CUresult pl_cu_graph_mem_end(struct pl_cu_graph_mem *mem);
bool pl_cu_graph_mem_live(struct pl_cu_graph_mem *mem);
/* The application frees it in a stream's order.  CUDA_ERROR_INVALID_VALUE: no such memory, or not live. */
CUresult pl_cu_graph_mem_free(struct pl_cu_stream *stream, uint64_t address);

/* -- what a node does ---------------------------------------------------------------------------------------------- */

struct pl_cu_graph;
struct pl_cu_condition;
struct pl_cu_word_ref;

struct pl_cu_op_kernel {
	struct pl_cu_launch launch; /* .params: owned */
	CUfunction func;            /* its own handle: that it still exists is looked at before a launch */
	CUkernel kernel;            /* where it was named so */
	void **args;                /* into .params, for who asks */
	CUlaunchAttributeValue attribute[CU_LAUNCH_ATTRIBUTE_MAX];
};

struct pl_cu_op {
	CUgraphNodeType type;
	bool src_pageable, dst_pageable; /* of a copy: memory that the device did not reach when the node was made */
	union {
		struct pl_cu_op_kernel *kernel; /* owned */
		CUDA_MEMCPY_NODE_PARAMS memcpy;
		CUDA_MEMSET_NODE_PARAMS_v2 memset;
		CUDA_HOST_NODE_PARAMS host;
		struct pl_cu_graph *child; /* owned */
		CUevent event;
		struct {
			CUDA_MEM_ALLOC_NODE_PARAMS params; /* without access descriptors */
			struct pl_cu_graph_mem *mem;       /* a reference */
		} alloc;                                   /* of FREE: .params.dptr and .mem */
		CUDA_BATCH_MEM_OP_NODE_PARAMS memop;       /* .paramArray: owned */
		struct pl_cu_condition *condition;         /* a reference; condition.h */
	};
};

/* From the API's structure, checked, for a node of `graph`; *op is only written on success and then owns what it points
 * at.  A child graph is cloned, or moved where `params` says so. */
CUresult pl_cu_op_make(struct pl_cu_op *op, CUgraphNodeParams *params, const struct pl_cu_graph *graph);
/* From what a stream was given while it is captured. */
CUresult pl_cu_op_of_launch(struct pl_cu_op *op, const struct pl_cu_launch *launch);
void pl_cu_op_of_copy(struct pl_cu_op *op, const struct pl_cu_copy *copy, CUcontext ctx);
void pl_cu_op_of_fill(struct pl_cu_op *op, const struct pl_cu_fill *fill, CUcontext ctx);
CUresult pl_cu_op_of_memops(struct pl_cu_op *op, CUcontext ctx, unsigned int n, const CUstreamBatchMemOpParams *ops);
/* handles: nodes of a child graph get handles of their own. */
CUresult pl_cu_op_copy(struct pl_cu_op *to, const struct pl_cu_op *from, bool handles);
void pl_cu_op_clear(struct pl_cu_op *op);
/* The graphs that are in it: a child, those of a condition.  *n_out 0: none. */
struct pl_cu_graph *const *pl_cu_op_graphs(const struct pl_cu_op *op, size_t *n_out);
/* Gives it to a stream; a child graph is not run by this. */
CUresult pl_cu_op_run(const struct pl_cu_op *op, struct pl_cu_stream *stream);
/* The function of a kernel; NULL: its module was unloaded, and nothing that .launch.func says is there. */
struct pl_cu_func *pl_cu_op_func(const struct pl_cu_op_kernel *kernel);
/* The context that it has to run in; NULL: any. */
struct pl_cu_ctx *pl_cu_op_ctx(const struct pl_cu_op *op);

/* -- graphs -------------------------------------------------------------------------------------------------------- */

struct pl_cu_node_list {
	struct pl_cu_node **at;
	size_t n, room;
};

struct pl_cu_node {
	CUgraphNode handle; /* NULL in an executable graph */
	CUgraph graph_handle;
	CUgraphNode origin; /* of what it was cloned */
	struct pl_cu_graph *graph;
	struct pl_cu_op op;
	struct pl_cu_node_list before, after;
	bool disabled;
	uint64_t mark; /* scratch of who walks the graph */
	struct pl_cu_node *next, *prev;
};

struct pl_cu_user_object;
struct pl_cu_user_ref {
	struct pl_cu_user_object *object;
	unsigned int n;
	struct pl_cu_user_ref *next;
};

struct pl_cu_graph {
	CUgraph handle;
	CUgraph origin;
	struct pl_cu_node *parent; /* whose child it is */
	CUgraphNode parent_handle; /* for who keeps this graph alone: the node may go */
	struct pl_cu_node *first, *last;
	size_t n;
	bool has_conditions;      /* itself or a child of its: not cloned */
	bool has_memory;          /* nodes that allocate or free: neither cloned nor instantiated twice */
	CUgraphExec instantiated; /* with has_memory */
	struct pl_cu_user_ref *users;
	struct pl_cu_graph *next;     /* of those that an exec has spent */
	struct pl_cu_word_ref *words; /* of conditions */
};

CUresult pl_cu_graph_create(struct pl_cu_graph **graph_out, bool handle);
bool pl_cu_graph_destroy(struct pl_cu_graph *graph); /* NULL is fine.  false: another thread has destroyed it */
CUresult pl_cu_graph_clone(struct pl_cu_graph **graph_out, const struct pl_cu_graph *from, bool handles);
CUresult pl_cu_graph_get(CUgraph handle, struct pl_cu_graph **graph_out); /* with pl_cu_enter() */
CUresult pl_cu_node_get(CUgraphNode handle, struct pl_cu_node **node_out);

/* Of a copy: the node that was made of that one, however deep; NULL: none. */
struct pl_cu_node *pl_cu_node_of(const struct pl_cu_graph *graph, CUgraphNode origin);

/* The node owns *op, also where it fails. */
CUresult pl_cu_node_add(struct pl_cu_node **node_out, struct pl_cu_graph *graph, const struct pl_cu_op *op,
			struct pl_cu_node *const *before, size_t n, bool handle);
void pl_cu_node_destroy(struct pl_cu_node *node);
CUresult pl_cu_edge_add(struct pl_cu_node *from, struct pl_cu_node *to); /* CUDA_ERROR_INVALID_VALUE: there is one */
/* Edges of another kind than a full dependency are refused. */
CUresult pl_cu_edges_check(const CUgraphEdgeData *edges, size_t n);
/* The nodes of handles, all of `graph`, none twice.  *nodes_out: malloc(), NULL where n is 0. */
CUresult pl_cu_nodes_get(struct pl_cu_graph *graph, const CUgraphNode *handles, size_t n,
			 struct pl_cu_node ***nodes_out);
CUresult pl_cu_list_push(struct pl_cu_node_list *list, struct pl_cu_node *node);
/* Walkers number their marks apart: what is written by none is smaller than this. */
uint64_t pl_cu_graph_mark(void);
/* Whether all of `nodes` are, or come before, one of `ends`. */
bool pl_cu_graph_covers(const struct pl_cu_node_list *ends, struct pl_cu_node *const *nodes, size_t n);

/* User objects that a graph holds. */
void pl_cu_users_drop(struct pl_cu_graph *graph);
CUresult pl_cu_users_copy(struct pl_cu_graph *to, const struct pl_cu_graph *from);

/* -- executable graphs --------------------------------------------------------------------------------------------- */

/* Where what a step frees was allocated. */
enum pl_cu_freed {
	PL_CU_FREED_OTHERS, /* by another graph; of a step that frees nothing, too */
	PL_CU_FREED_AHEAD,  /* in an earlier step */
	PL_CU_FREED_BEHIND, /* in a later one: it can not be */
};

struct pl_cu_step { /* one node, or the end of a child graph */
	struct pl_cu_node *node;
	uint32_t *before, before_n; /* earlier steps */
	enum pl_cu_freed freed;
	uint32_t lane;
	uint64_t value; /* of its lane's line, in the launch that is being given */
};

struct pl_cu_exec {
	CUgraphExec handle;
	CUgraph of; /* what it was made of */
	struct pl_cu_graph *graph;
	struct pl_cu_ctx *ctx; /* of its kernels; NULL: that of the stream */
	CUcontext ctx_handle;
	unsigned long long flags;
	atomic_uint refs; /* the handle's or the condition's, and one of each launch that is not done */
	bool alone;       /* a condition's: its lanes share no channel */
	pthread_mutex_t lock;
	/* under lock */
	struct pl_cu_step *steps;
	uint32_t steps_n, lanes_n;
	CUstream lanes[PL_CU_GRAPH_LANES]; /* 0: instead of the launching stream, where that has another context */
	struct pl_cu_line *last_line;      /* the newest launch */
	uint64_t last_value;
	atomic_uint running;                 /* launches that are not done; more of them under lock alone */
	_Atomic(struct pl_cu_graph *) spent; /* what an update has left, for those; more of it under lock alone */
};

CUresult pl_cu_exec_get(CUgraphExec handle, struct pl_cu_exec **exec_out);
/* A condition's, without a handle; `graph` is its own, also where it fails. */
CUresult pl_cu_exec_create(struct pl_cu_exec **exec_out, struct pl_cu_graph *graph);
void pl_cu_exec_unref(void *exec);
/* For who changes nodes: a launch that is under way reads those that a condition may run yet, so it ends first. */
CUresult pl_cu_exec_lock(struct pl_cu_exec *exec);
/* Called with exec->lock held: what launches may still use.  It goes by the next pl_cu_exec_sweep() after them. */
void pl_cu_exec_spend(struct pl_cu_exec *exec, struct pl_cu_graph *graph);
void pl_cu_exec_sweep(struct pl_cu_exec *exec);
/* Steps and lanes of a graph.  CUDA_ERROR_INVALID_VALUE: it has a circle. */
CUresult pl_cu_exec_plan(struct pl_cu_exec *exec, struct pl_cu_graph *graph);
CUresult pl_cu_exec_launch(struct pl_cu_exec *exec, struct pl_cu_stream *stream);
/* The exec's own of a node; NULL: none. */
struct pl_cu_node *pl_cu_exec_node(struct pl_cu_exec *exec, CUgraphNode handle);

#endif
