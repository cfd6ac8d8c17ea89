/* Graphs and nodes that end: the server says what goes with them, and is forgotten here, too. */
#include "client/cuda/graph.h"

static void node_or_graph_end(struct pl_session *session, uint64_t id)
{
	pl_cuda_end(session, PL_CUDA_KIND_node, id);
	pl_cuda_end(session, PL_CUDA_KIND_graph, id);
}

/* What a destroyed node answers has the same fields. */
static CUresult ended(struct pl_session *session, int r, struct pl_reply *reply, uint64_t id)
{
	struct pl_cuda_cuGraphDestroy_reply got;

	if (r || reply->status)
		return pl_cuda_answer(r, reply);
	pl_cuda_cuGraphDestroy_reply_get(&reply->dec, &got);
	for (uint64_t i = 0; pl_dec_whole(&reply->dec) && i < got.gone.count; i++)
		node_or_graph_end(session, got.gone.at[i]);
	node_or_graph_end(session, id);
	return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph)
{
	struct pl_cuda_cuGraphDestroy_args args;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphDestroy, PL_CUDA_KIND_graph, graph, &session);
	int r;

	if (result)
		return result;
	args.graph = pl_cuda_id(session, PL_CUDA_KIND_graph, graph);
	if (!args.graph)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuGraphDestroy, &args, &reply);
	return ended(session, r, &reply, args.graph);
}

CUresult cuGraphDestroyNode(CUgraphNode node)
{
	struct pl_cuda_cuGraphDestroyNode_args args;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphDestroyNode, PL_CUDA_KIND_node, node, &session);
	int r;

	if (result)
		return result;
	args.node = pl_cuda_id(session, PL_CUDA_KIND_node, node);
	if (!args.node)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuGraphDestroyNode, &args, &reply);
	return ended(session, r, &reply, args.node);
}
