/* Functions of the client's program that the driver reaches, and memory of the client's that graphs copy. */
#ifndef PL_BACKEND_CUDA_HOSTFN_H
#define PL_BACKEND_CUDA_HOSTFN_H

#include "backend/cuda/session.h"

struct pl_cuda_hostfn {
	struct pl_cuda_session *session;
	uint64_t token;
	bool again; /* of a graph: it runs with each launch */

	/* of memory that a graph copies, see graph-copy.c; else NULL */
	uint8_t *data;
	uint64_t bytes;
	bool idle;                /* no copy uses it: nobody is to be asked */
	CUgraphNode node, hidden; /* the node that the client knows of, and the one that carries the bytes */

	CUgraph graph; /* that was given it, by the user object, and may be gone by now; NULL: none */
	CUuserObject object;
	CUgraphNode set_node; /* of one that is no graph's: graph-exec.c */
	uint64_t set_at;
	struct pl_cuda_hostfn *next_set;
};

/* One run of it that waits for the client; graphs made of the same one may run it at the same time. */
struct pl_cuda_waiter {
	struct pl_cuda_hostfn *hostfn;
	pthread_cond_t done;
	bool returned;
	struct pl_cuda_waiter *next;
};

/* A function of a graph's.  It goes with the graph once pl_cuda_hostfn_owned() has said so; NULL: no memory. */
struct pl_cuda_hostfn *pl_cuda_hostfn_new(struct pl_cuda_session *session, uint64_t token);
void pl_cuda_hostfn_free(struct pl_cuda_hostfn *hostfn); /* one that no graph has */
/* The graph, and what is made of it, keeps it alive: the client is told when all that is gone.  Where the driver does
 * not know of such things it lives as long as the session. */
void pl_cuda_hostfn_owned(struct pl_cuda_hostfn *hostfn, CUgraph graph);
/* The graph, whose it is or that was made of such a one, works with another one; what was made of it may have it still.
 */
void pl_cuda_hostfn_disowned(struct pl_cuda_hostfn *hostfn, CUgraph graph);
/* Nothing runs it any more: the client is told, and it is freed.  For the driver, with the hostfn as `user`. */
void CUDA_CB pl_cuda_hostfn_ended(void *user);
/* Calls it, and waits until the client says that it has returned.  For the driver, with the hostfn as `user`. */
void CUDA_CB pl_cuda_hostfn_call(void *user);
/* Tells the client to call it for the last time, waits for nothing, and frees it. */
void CUDA_CB pl_cuda_hostfn_last(void *user);

/* Memory that some write to while they wait for the client ends: they do no more. */
void pl_cuda_hostfn_data_gone(struct pl_cuda_session *session, const void *data);

/* ---- graph-host.c: with the turn held ---- */

/* What a graph's host node calls.  NULL: it is none. */
struct pl_cuda_hostfn *pl_cuda_hostfn_of_node(CUgraphNode node);
/* The node calls `hostfn` instead of `before` (NULL: not known): that is its graph's from now on. */
void pl_cuda_hostfn_replace(struct pl_serve *serve, CUgraphNode node, struct pl_cuda_hostfn *before,
			    struct pl_cuda_hostfn *hostfn);

/* ---- graph-end.c: captures, with the turn held ---- */

/* The stream has begun to be captured, into a graph that is the driver's until it ends, or (stays) into one that was
 * there before and stays if it fails; and has ended. */
void pl_cuda_captured_begin(struct pl_serve *serve, CUstream stream, bool per_thread, bool stays);
void pl_cuda_captured_end(struct pl_serve *serve, CUstream stream, bool fails);
/* Of such a graph the client has heard of these nodes, of others in the neighbourhood of one, or of memory: their ids,
 * and what it is charged, go where the capture fails.  Other graphs are not noted. */
void pl_cuda_captured_nodes(struct pl_cuda_session *session, CUgraph graph, const CUgraphNode *nodes, size_t count);
void pl_cuda_captured_neighbours(struct pl_cuda_session *session, CUgraphNode node, const CUgraphNode *nodes,
				 size_t count);
void pl_cuda_captured_memory(struct pl_cuda_session *session, CUgraph graph, CUdeviceptr address);

/* ---- graph-exec.c: with the turn held ---- */

/* A node of a graph that is ready to run works with it from the next launch on; what it worked with before goes. */
void pl_cuda_exec_set(struct pl_serve *serve, uint64_t exec, CUgraphNode node, struct pl_cuda_hostfn *hostfn);
/* None of its nodes does any more. */
void pl_cuda_exec_sets_end(struct pl_serve *serve, uint64_t exec);
/* The id of a stream, or of a context, is no one's any more; launches may still run there. */
void pl_cuda_exec_stream_gone(struct pl_cuda_session *session, uint64_t id);

/* ---- graph-enable.c: with the turn held ---- */

/* The graph is ready to run, under this id: what the hidden nodes in it do. */
void pl_cuda_carriers_note(struct pl_cuda_session *session, uint64_t exec, CUgraph graph);
/* The hidden node beside `node`, which has one, does this from the next launch on, or from when it is switched on. */
int32_t pl_cuda_carrier_set(struct pl_cuda_session *session, uint64_t id, CUgraphExec exec, CUgraphNode node,
			    const CUDA_HOST_NODE_PARAMS *carries);
/* Some copies with hidden nodes are switched off.  A change of the whole graph would switch the hidden ones on. */
bool pl_cuda_carriers_are_off(struct pl_cuda_session *session, uint64_t exec);
/* It is gone, or they do something else now. */
void pl_cuda_carriers_forget(struct pl_cuda_session *session, uint64_t exec);

/* ---- graph-copy.c ---- */

/* The graph that a stream is captured into; NULL = it is not. */
CUgraph pl_cuda_capture_graph(CUstream stream, bool per_thread);

/* Memory of this process that stands for the client's behind the token.  Return: NULL = no memory. */
struct pl_cuda_hostfn *pl_cuda_shadow_new(struct pl_cuda_session *session, uint64_t token, uint64_t bytes);
/* For the driver, with the shadow as `user`: sends what is there to the client. */
void CUDA_CB pl_cuda_shadow_push(void *user);
/* The client does not see `hidden`; what comes ahead of `node` comes ahead of pl_cuda_node_entry(), and what follows on
 * it follows on pl_cuda_node_exit(). */
void pl_cuda_shadow_hide(struct pl_cuda_hostfn *shadow, CUgraphNode node, CUgraphNode hidden, bool behind);
/* The shadow takes the place of the one that the node had, and belongs to the node's graph. */
void pl_cuda_shadow_replace(struct pl_cuda_hostfn *shadow, CUgraphNode node);
void pl_cuda_shadow_show(struct pl_cuda_hostfn *shadow);                       /* nothing has it any more */
void pl_cuda_shadow_forget(struct pl_cuda_session *session, CUgraphNode node); /* a node is gone, hidden or not */
/* What is hidden of the original is hidden of its copy, too: a clone, or what a node has of it. */
void pl_cuda_shadows_copy(struct pl_cuda_session *session, CUgraph original, CUgraph copy);
CUgraphNode pl_cuda_node_entry(struct pl_cuda_session *session, CUgraphNode node);
CUgraphNode pl_cuda_node_exit(struct pl_cuda_session *session, CUgraphNode node);
bool pl_cuda_node_is_hidden(struct pl_cuda_session *session, CUgraphNode node);
/* The hidden node beside one with a shadow; NULL = none. */
CUgraphNode pl_cuda_node_beside(struct pl_cuda_session *session, CUgraphNode node);
/* The node that a hidden one stands beside. */
CUgraphNode pl_cuda_node_beside_hidden(struct pl_cuda_session *session, CUgraphNode hidden);
/* The graph that a node has inside; NULL = none. */
CUgraph pl_cuda_node_inside(CUgraphNode node);
/* All nodes of a graph, hidden ones too; the caller frees them.  NULL: none, or it can not be told. */
CUgraphNode *pl_cuda_nodes_of(CUgraph graph, size_t *count_out);
/* A function that older drivers may lack. */
#define PL_CUDA_TRY(name, ...) (pl_cuda.name ? (int32_t)pl_cuda.name(__VA_ARGS__) : CUDA_ERROR_NOT_SUPPORTED)
/* The client's id for one of the driver's nodes: of a hidden one, that of the node that it stands beside. */
uint64_t pl_cuda_node_id_seen(struct pl_serve *serve, CUgraphNode node);

#endif
