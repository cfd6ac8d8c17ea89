/* CUDA: what graphs work with, and when it goes: clients that lie of which graph is changed, and of where it ran. */
#include "calls-cuda.h"
#include "cuda/graph.h"
#include "cuda/result.h"
#include "cuda/stream.h"
#include "wire/cuda-node.h"
#include "wire/cuda.h"

static struct peer peer;

enum { CTX = 0x900, STREAM, BLOCKED, GRAPH, OTHER, CHILD, NODE, COPIED, EXEC, INSIDE };

static void cuda_open(void)
{
	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM, .flags = CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
}

/* A graph whose one node calls the function with this token, and that is ready to run. */
static void graph_make(uint64_t token)
{
	const struct pl_cuda_node_id host = { token };

	expect_is(CU(cuGraphCreate, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(CU(cuGraphAddNode, .graph = GRAPH, .node = NODE, .kind = CU_GRAPH_NODE_TYPE_HOST,
		     .params = { &host, sizeof(host) }),
		  CUDA_SUCCESS);
	CU_EXEC(GRAPH, EXEC);
}

#define SET(op, exec_id, node_id, host)                                                                                \
	CU_AS(op, cuGraphNodeSetParams, .exec = (exec_id), .node = (node_id), .kind = CU_GRAPH_NODE_TYPE_HOST,         \
	      .params = { &(host), sizeof(host) })

static void token_set(uint64_t exec, uint64_t node, uint64_t token)
{
	const struct pl_cuda_node_id host = { token };

	if (exec)
		expect_is(SET(cuGraphExecHostNodeSetParams, exec, node, host), CUDA_SUCCESS);
	else
		expect_is(SET(cuGraphHostNodeSetParams, 0, node, host), CUDA_SUCCESS);
}

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

/* It has said nothing of any, though what there was to say by now has been said. */
static void expect_not_told(void)
{
	const struct pl_wire_head *head;

	while (!pl_lane_recv(peer.reverse, 100000000, &head)) {
		assert(head->op != PL_CUDA_OP_plHostFunc);
		assert(head->op != PL_CUDA_OP_plHostForget);
	}
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
	CU_EXEC(GRAPH, EXEC);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = STREAM), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostFunc, 6);
	function_returns(6);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	peer_close(&peer);
}

/* ---- where it ran ---- */

static uint64_t word; /* in device memory */

/* A launch that does not come to its function, as the stream waits for the word.  What the graph was made with is
 * changed: token 2 is the executable graph's own. */
static void launch_blocked(uint64_t stream)
{
	struct pl_cuda_cuMemAlloc_v2_reply got;

	expect_is(CU(cuMemAlloc_v2, .bytes = 4, .store = UINT64_MAX), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	word = got.address;
	expect_is(CU(cuMemsetD32_v2, .dst = word, .count = 1), CUDA_SUCCESS);
	graph_make(1);
	token_set(EXEC, NODE, 2);
	expect_is(CU(cuStreamWaitValue32_v2, .stream = stream, .address = word, .value = 1), CUDA_SUCCESS);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = stream), CUDA_SUCCESS);
}

/* It does come to it, and finds it. */
static void launch_unblocked(void)
{
	expect_is(CU(cuStreamWriteValue32_v2, .stream = STREAM, .address = word, .value = 1), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostFunc, 2);
	function_returns(2);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	peer_close(&peer);
}

static void streams_of_a_name(void)
{
	cuda_open();
	expect_is(CU(cuStreamCreate, .stream = BLOCKED, .flags = CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
	launch_blocked(BLOCKED);
	expect_is(CU_AS(cuStreamDestroy_v2, cuStreamDestroy_v2, .stream = BLOCKED), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = BLOCKED, .flags = CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
	token_set(EXEC, NODE, 3);
	expect_is(CU(cuStreamSynchronize, .stream = BLOCKED), CUDA_SUCCESS);
	expect_not_told();
	launch_unblocked();
}

/* ---- when it goes ---- */

/* Each as soon as nothing has it: the graph, or what was made of the graph. */
static void functions_that_are_changed(void)
{
	cuda_open();
	graph_make(1);
	token_set(0, NODE, 2);
	token_set(0, NODE, 3);
	expect_told(PL_CUDA_OP_plHostForget, 2);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = STREAM), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostFunc, 1);
	function_returns(1);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuGraphExecDestroy, .exec = EXEC), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostForget, 1);
	/* A clone has the graph's, until it has one of its own. */
	expect_is(CU(cuGraphClone, .original = GRAPH, .clone = OTHER), CUDA_SUCCESS);
	expect_is(CU(cuGraphNodeFindInClone, .original = NODE, .clone = OTHER, .node = COPIED), CUDA_SUCCESS);
	token_set(0, COPIED, 4);
	token_set(0, COPIED, 5);
	expect_told(PL_CUDA_OP_plHostForget, 4);
	expect_is(CU(cuGraphDestroy, .graph = GRAPH), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostForget, 3);
	token_set(0, COPIED, 6);
	expect_told(PL_CUDA_OP_plHostForget, 5);
	CU_EXEC(OTHER, EXEC);
	expect_is(CU(cuGraphDestroy, .graph = OTHER), CUDA_SUCCESS);
	expect_is(CU(cuGraphLaunch, .exec = EXEC, .stream = STREAM), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostFunc, 6);
	function_returns(6);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuGraphExecDestroy, .exec = EXEC), CUDA_SUCCESS);
	expect_told(PL_CUDA_OP_plHostForget, 6);
	peer_close(&peer);
}

/* ---- names of what is inside ---- */

static void graphs_of_many_names(void)
{
	struct pl_cuda_cuGraphChildGraphNodeGetGraph_reply inside;
	const struct pl_cuda_node_id child = { CHILD };
	struct pl_cuda_cuGraphDestroy_reply ended;

	cuda_open();
	expect_is(CU(cuGraphCreate, .graph = CHILD), CUDA_SUCCESS);
	expect_is(CU(cuGraphCreate, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(CU(cuGraphAddNode, .graph = GRAPH, .node = NODE, .kind = CU_GRAPH_NODE_TYPE_GRAPH,
		     .params = { &child, sizeof(child) }),
		  CUDA_SUCCESS);
	for (uint64_t i = 0; i < 8; i++) {
		expect_is(CU(cuGraphChildGraphNodeGetGraph, .node = NODE, .graph = INSIDE + i), CUDA_SUCCESS);
		pl_cuda_cuGraphChildGraphNodeGetGraph_reply_get(&peer.dec, &inside);
		assert(pl_dec_whole(&peer.dec));
		expect_is(inside.graph, INSIDE); /* it has a name */
	}
	expect_is(CU(cuGraphDestroy, .graph = GRAPH), CUDA_SUCCESS);
	pl_cuda_cuGraphDestroy_reply_get(&peer.dec, &ended);
	assert(pl_dec_whole(&peer.dec));
	expect_is(ended.gone.count, 2);
	for (uint64_t i = 0; i < 8; i++) { /* and names are free for others */
		expect_is(CU(cuGraphCreate, .graph = INSIDE + i), CUDA_SUCCESS);
		expect_is(CU(cuGraphGetNodes, .graph = INSIDE + i), CUDA_SUCCESS);
	}
	peer_close(&peer);
}

const struct hostile_case cases_graph[] = {
	{ "graph: changes of another graph than is said", changes_of_another_graph, false },
	{ "graph: launches in streams of one name", streams_of_a_name, false },
	{ "graph: functions that are changed", functions_that_are_changed, false },
	{ "graph: graphs of many names", graphs_of_many_names, false },
	{ NULL, NULL, false },
};
