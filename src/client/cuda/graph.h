/* Graphs and their nodes, as the client knows them. */
#ifndef PL_CLIENT_CUDA_GRAPH_H
#define PL_CLIENT_CUDA_GRAPH_H

#include "client/cuda/lines.h"
#include "client/cuda/state.h"

struct pl_cuda_node {
	struct pl_cuda_object object;
	bool known;               /* made here, so that its parameters are */
	CUgraphNodeParams params; /* what it points to is `room` */
	uint8_t *room; /* a kernel's arguments and the addresses of them, who has access, or a condition's graphs */
};

struct pl_cuda_exec {
	struct pl_cuda_object object;
	cuuint64_t flags;
};

void pl_cuda_node_fini(struct pl_cuda_node *node);

/* ---- graph-params.c: the parameters of a node, packed for the way (wire/cuda-node.h) ---- */

struct pl_cuda_packed {
	struct pl_session *session;
	uint8_t *bytes; /* ours until pl_cuda_packed_fini() */
	uint64_t count, room;
	uint64_t context; /* id of a copy's or fill's context, 0 = none */
	uint64_t token;   /* of a function or memory that the node works with; 0 = none */
};

/* Return: success, or what is wrong with the parameters. */
CUresult pl_cuda_params_pack(struct pl_cuda_packed *packed, struct pl_session *session,
			     const CUgraphNodeParams *params);
void pl_cuda_packed_fini(struct pl_cuda_packed *packed);
/* The node was not made, or not changed: nothing has the token. */
void pl_cuda_packed_undo(struct pl_cuda_packed *packed);
/* Keeps a copy, for whoever asks what a node's parameters are.  Return: false = no memory: they are not known. */
bool pl_cuda_params_keep(struct pl_cuda_node *node, const CUgraphNodeParams *params);

/* Of a node that somebody else has made, the parameters that it has as one of this kind: known from then on. */
CUresult pl_cuda_params_learn(struct pl_cuda_node *node, CUgraphNodeType type);

/* ---- capture.c ---- */

/* The stream is being captured.  Costs a question only while the process captures at all. */
bool pl_cuda_is_captured(CUstream stream, bool per_thread);
/* A copy from or to the program's memory in a captured stream: the graph makes it in each launch. */
CUresult pl_cuda_copy_captured(CUstream stream, bool per_thread, bool to_host, CUdeviceptr device, void *host,
			       size_t bytes);
/* As well, of lines and slices, or of an array: `copy` has one end in the program's memory, `lines`. */
CUresult pl_cuda_shape_captured(CUstream stream, bool per_thread, const struct pl_cuda_copy3d_record *copy,
				const struct pl_cuda_lines *lines);
/* As well, from the program's memory to the program's; both have the same extents. */
CUresult pl_cuda_lines_captured(CUstream stream, bool per_thread, const struct pl_cuda_lines *to,
				const struct pl_cuda_lines *from);

#endif
