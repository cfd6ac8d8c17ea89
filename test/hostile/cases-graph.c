/* CUDA: what graphs work with, and when it goes: clients that lie of which graph is changed. */
#include "calls-cuda.h"
#include "cuda/graph.h"
#include "cuda/result.h"
#include "cuda/stream.h"
#include "wire/cuda-node.h"
#include "wire/cuda.h"

static struct peer peer;

enum { CTX = 0x900, STREAM, GRAPH, NODE, EXEC };

static void cuda_open(void)
{
	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM, .flags = CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
}

static void exec_make(uint64_t graph, uint64_t exec)
{
	struct pl_cuda_cuGraphInstantiate_reply got;

	expect_is(CU(cuGraphInstantiate, .graph = graph, .exec = exec), CUDA_SUCCESS);
	pl_cuda_cuGraphInstantiate_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	expect_is(got.result, CUDA_SUCCESS);
}

/* A graph whose one node calls the function with this token, and that is ready to run. */
static void graph_make(uint64_t token)
{
	const struct pl_cuda_node_id host = { token };

	expect_is(CU(cuGraphCreate, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(CU(cuGraphAddNode, .graph = GRAPH, .node = NODE, .kind = CU_GRAPH_NODE_TYPE_HOST,
		     .params = { &host, sizeof(host) }),
		  CUDA_SUCCESS);
	exec_make(GRAPH, EXEC);
}

#define SET(op, exec_id, node_id, host)                                                                                \
	CU_AS(op, cuGraphNodeSetParams, .exec = (exec_id), .node = (node_id), .kind = CU_GRAPH_NODE_TYPE_HOST,         \
	      .params = { &(host), sizeof(host) })

/* The next that the worker says of a function is this, of that token. */
static void expect_told(uint16_t op, uint64_t token)
{
	const struct pl_wire_head *head;
	uint64_t told;

	do
		expect_is(pl_lane_recv(peer.reverse, ANSWER_NS, &head), 0);
	while (head->op != PL_CUDA_OP_plHostFunc && head->op != PL_CUDA_OP_plHostForget);
	expect_is(head->op, op);
	memcpy(&told, head + 1, sizeof(told)); /* both begin with it */
	expect_is(told, token);
}

static void function_returns(uint64_t token)
{
	const struct pl_wire_head done = { .op = PL_CUDA_OP_plHostDone, .flags = PL_WIRE_FREE };

	expect_is(record_send(peer.lane, done, &token, sizeof(token)), 0);
}

/* ---- which graph is changed ---- */

static void changes_of_another_graph(void)
{
	const struct pl_cuda_node_id host = { 7 };

	cuda_open();
	graph_make(6);
	/* It would be the executable graph's, and go with that, while the graph calls it. */
	expect_is(SET(cuGraphNodeSetParams, EXEC, NODE, host), CUDA_ERROR_INVALID_VALUE);
	expect_is(SET(cuGraphHostNodeSetParams, EXEC, NODE, host), CUDA_ERROR_INVALID_VALUE);
	expect_is(SET(cuGraphExecNodeSetParams, 0, NODE, host), CUDA_ERROR_INVALID_VALUE);
	expect_is(SET(cuGraphExecHostNodeSetParams, 0, NODE, host), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuGraphExecDestroy, .exec = EXEC), CUDA_SUCCESS);
	exec_make(GRAPH, EXEC);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = STREAM), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostFunc, 6);
	function_returns(6);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	peer_close(&peer);
}

const struct hostile_case cases_graph[] = {
	{ "graph: changes of another graph than is said", changes_of_another_graph, false },
	{ NULL, NULL, false },
};
