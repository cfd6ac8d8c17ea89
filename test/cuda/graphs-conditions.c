/* Conditional nodes: graphs that kernels run, again, or not at all, by a word that they set. */
#include <stdatomic.h>
#include <unistd.h>

#include "graphs.h"

/* What the kernels of count_down and choose work on; zeroed by clear(). */
enum { LEFT, ROUNDS, VALUE, RESULT, INNER_LEFT, INNER_ROUNDS, WORDS };

static CUdeviceptr words;
static CUfunction count_down, choose, count_one;

static CUdeviceptr word(int i)
{
	return words + 4 * (CUdeviceptr)i;
}

static int value_of(int i)
{
	int value;
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, word(i), 4));
	return value;
}

static void set(int i, int value)
{
	cu_ok(cu(cuMemsetD32_v2)(word(i), (unsigned int)value, 1));
	cu_ok(cu(cuCtxSynchronize)()); /* the streams do not wait for it */
}

static void clear(void)
{
	cu_ok(cu(cuMemsetD32_v2)(words, 0, WORDS));
	cu_ok(cu(cuCtxSynchronize)());
}

static CUgraph graph_new(void)
{
	CUgraph graph;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	return graph;
}

static CUgraphConditionalHandle handle_new(CUgraph graph, unsigned int value)
{
	CUgraphConditionalHandle handle;
	cu_ok(cu(cuGraphConditionalHandleCreate)(&handle, graph, graph_test.ctx, value, CU_GRAPH_COND_ASSIGN_DEFAULT));
	return handle;
}

static CUgraphNodeParams condition_params(CUgraphConditionalHandle handle, CUgraphConditionalNodeType type,
					  unsigned int size)
{
	return (CUgraphNodeParams){ .type = CU_GRAPH_NODE_TYPE_CONDITIONAL,
				    .conditional = {
					    .handle = handle, .type = type, .size = size, .ctx = graph_test.ctx } };
}

/* Return: its graphs, the node's. */
static CUgraph *condition(CUgraph graph, CUgraphNode after, CUgraphConditionalHandle handle,
			  CUgraphConditionalNodeType type, unsigned int size, CUgraphNode *node_out)
{
	CUgraphNodeParams params = condition_params(handle, type, size);
	CUgraphNode node;
	cu_ok(cu(cuGraphAddNode)(node_out ? node_out : &node, graph, after ? &after : NULL, after != NULL, &params));
	check(params.conditional.phGraph_out);
	return params.conditional.phGraph_out;
}

static CUgraphNode kernel(CUgraph graph, CUgraphNode after, CUfunction function, void **params)
{
	CUDA_KERNEL_NODE_PARAMS all = cu_kernel_node(function, 1, 1, params);
	CUgraphNode node;
	cu_ok(cu(cuGraphAddKernelNode_v2)(&node, graph, after ? &after : NULL, after != NULL, &all));
	return node;
}

static CUgraphNode fill(CUgraph graph, CUgraphNode after, int i, unsigned int value)
{
	CUDA_MEMSET_NODE_PARAMS params = { .dst = word(i), .elementSize = 4, .width = 1, .height = 1, .value = value };
	CUgraphNode node;
	cu_ok(cu(cuGraphAddMemsetNode)(&node, graph, after ? &after : NULL, after != NULL, &params, graph_test.ctx));
	return node;
}

static CUgraphNode counting(CUgraph graph, CUgraphNode after, CUgraphConditionalHandle handle, int left)
{
	CUdeviceptr at = word(left), rounds = word(left + 1);
	return kernel(graph, after, count_down, (void *[]){ &handle, &at, &rounds });
}

static CUgraphNode choosing(CUgraph graph, CUgraphConditionalHandle handle)
{
	CUdeviceptr at = word(VALUE);
	return kernel(graph, NULL, choose, (void *[]){ &handle, &at });
}

static CUgraphExec instantiate(CUgraph graph)
{
	CUgraphExec exec;
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	return exec;
}

static void run(CUgraphExec exec)
{
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
}

static void end(CUgraphExec exec, CUgraph graph)
{
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* left = `left`; while (handle) { rounds++; left--; } */
static CUgraph while_graph(unsigned int left, CUgraphNode *body_node_out)
{
	CUgraph graph = graph_new();
	CUgraphConditionalHandle handle = handle_new(graph, 1);
	CUgraph *body = condition(graph, fill(graph, NULL, LEFT, left), handle, CU_GRAPH_COND_TYPE_WHILE, 1, NULL);
	CUgraphNode node = counting(body[0], NULL, handle, LEFT);
	if (body_node_out)
		*body_node_out = node;
	return graph;
}

static void test_a_loop_runs_as_often_as_its_kernel_says(void)
{
	CUgraph graph = while_graph(7, NULL);
	CUgraphExec exec = instantiate(graph);
	clear();
	run(exec);
	check(value_of(ROUNDS) == 7);
	run(exec); /* the condition is what it was at first, again */
	check(value_of(ROUNDS) == 14 && value_of(LEFT) == 0);
	for (int i = 0; i < 20; i++) /* one after the other, in two streams, and what follows sees them all */
		cu_ok(cu(cuGraphLaunch)(exec, i & 1 ? graph_test.other : graph_test.stream));
	cu_ok(cu(cuCtxSynchronize)());
	check(value_of(ROUNDS) == 14 + 20 * 7);
	end(exec, graph);
}

static void test_one_of_two_graphs_is_chosen_or_none(void)
{
	for (unsigned int size = 1; size <= 2; size++) {
		CUgraph graph = graph_new();
		CUgraphConditionalHandle handle = handle_new(graph, 1);
		CUgraph *body = condition(graph, choosing(graph, handle), handle, CU_GRAPH_COND_TYPE_IF, size, NULL);
		CUgraphExec exec;
		for (unsigned int i = 0; i < size; i++)
			fill(body[i], NULL, RESULT, 100 + i);
		exec = instantiate(graph);
		clear();
		set(VALUE, 1 << 31);
		run(exec);
		check(value_of(RESULT) == 100);
		clear();
		run(exec);
		check(value_of(RESULT) == (size == 1 ? 0 : 101));
		end(exec, graph);
	}
}

static void test_a_switch_runs_the_graph_of_its_number(void)
{
	CUgraph graph = graph_new();
	CUgraphConditionalHandle handle = handle_new(graph, 0);
	CUgraph *body = condition(graph, choosing(graph, handle), handle, CU_GRAPH_COND_TYPE_SWITCH, 5, NULL);
	CUgraphExec exec;
	for (unsigned int i = 0; i < 5; i++)
		if (i != 3) /* may be empty */
			fill(body[i], NULL, RESULT, 200 + i);
	exec = instantiate(graph);
	for (int i = 0; i < 8; i++) {
		clear();
		set(VALUE, i);
		run(exec);
		check(value_of(RESULT) == (i < 5 && i != 3 ? 200 + i : 0));
	}
	end(exec, graph);
}

/* What follows a condition waits for it, and what does not, does not matter to it. */
static void test_conditions_keep_the_edges_of_their_graph(void)
{
	CUgraph graph = graph_new();
	CUgraphConditionalHandle handle = handle_new(graph, 1);
	CUgraphNode begin = fill(graph, NULL, LEFT, 30), beside = fill(graph, NULL, RESULT, 5), loop;
	CUgraph *body = condition(graph, begin, handle, CU_GRAPH_COND_TYPE_WHILE, 1, &loop);
	CUdeviceptr rounds = word(ROUNDS), copy = word(VALUE);
	CUDA_MEMCPY3D params = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
				 .srcDevice = rounds,
				 .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				 .dstDevice = copy,
				 .WidthInBytes = 4,
				 .Height = 1,
				 .Depth = 1 };
	CUgraphNode behind[2] = { NULL, beside }, node;
	CUgraphExec exec;
	counting(body[0], NULL, handle, LEFT);
	behind[0] = loop;
	cu_ok(cu(cuGraphAddMemcpyNode)(&node, graph, behind, 2, &params, graph_test.ctx));
	kernel(graph, node, count_one, (void *[]){ &copy });
	exec = instantiate(graph);
	clear();
	run(exec);
	check(value_of(ROUNDS) == 30 && value_of(VALUE) == 31 && value_of(RESULT) == 5);
	end(exec, graph);
}

/* Neither an if nor a loop has a kernel that sets its word first. */
static void test_conditions_in_child_graphs_begin_as_they_say(void)
{
	CUgraph graph = graph_new(), empty = graph_new(), child[2], *body;
	CUgraphConditionalHandle handle, loop;
	CUgraphNode node;
	CUgraphExec exec;
	cu_ok(cu(cuGraphAddChildGraphNode)(&node, graph, NULL, 0, empty));
	cu_ok(cu(cuGraphChildGraphNodeGetGraph)(node, &child[0]));
	cu_ok(cu(cuGraphAddChildGraphNode)(&node, child[0], NULL, 0, empty));
	cu_ok(cu(cuGraphChildGraphNodeGetGraph)(node, &child[1]));
	handle = handle_new(child[0], 1);
	body = condition(child[0], NULL, handle, CU_GRAPH_COND_TYPE_IF, 1, NULL);
	fill(body[0], NULL, RESULT, 9);
	loop = handle_new(child[1], 1);
	body = condition(child[1], fill(child[1], NULL, LEFT, 5), loop, CU_GRAPH_COND_TYPE_WHILE, 1, NULL);
	counting(body[0], NULL, loop, LEFT);
	exec = instantiate(graph);
	for (int i = 0; i < 2; i++) {
		clear();
		run(exec);
		check(value_of(RESULT) == 9 && value_of(ROUNDS) == 5);
	}
	cu_ok(cu(cuGraphDestroy)(empty));
	end(exec, graph);
}

/* for (left = `left`; left; left--) { for (inner = 3; inner; inner--) ...; `more` times result++; }; an inner condition
 * begins anew each time. */
static CUgraph loop_in_loop(unsigned int left, int more)
{
	CUgraph graph = graph_new(), *outer, *inner;
	CUgraphConditionalHandle handle = handle_new(graph, 1), inner_handle;
	CUdeviceptr result = word(RESULT);
	CUgraphNode loop;
	outer = condition(graph, fill(graph, NULL, LEFT, left), handle, CU_GRAPH_COND_TYPE_WHILE, 1, NULL);
	inner_handle = handle_new(outer[0], 1);
	inner = condition(outer[0], fill(outer[0], NULL, INNER_LEFT, 3), inner_handle, CU_GRAPH_COND_TYPE_WHILE, 1,
			  &loop);
	counting(inner[0], NULL, inner_handle, INNER_LEFT);
	for (int i = 0; i < more; i++)
		loop = kernel(outer[0], loop, count_one, (void *[]){ &result });
	counting(outer[0], loop, handle, LEFT);
	return graph;
}

static void test_conditions_in_conditions(void)
{
	CUgraph graph = loop_in_loop(4, 0);
	CUgraphExec exec = instantiate(graph);
	clear();
	run(exec);
	run(exec);
	check(value_of(ROUNDS) == 8 && value_of(INNER_ROUNDS) == 24);
	end(exec, graph);
}

/* More work than a stream takes at a time, behind an inner condition: giving it waits for that one's end. */
static void test_much_work_behind_a_condition_in_a_condition(void)
{
	enum { MANY = 6000 };
	CUgraph graph = loop_in_loop(2, MANY);
	CUgraphExec exec = instantiate(graph);
	clear();
	run(exec);
	check(value_of(ROUNDS) == 2 && value_of(INNER_ROUNDS) == 6 && value_of(RESULT) == 2 * MANY);
	end(exec, graph);
}

static CUgraph deep_graph(int levels)
{
	CUgraph graph = graph_new(), at = graph;
	for (int i = 0; i < levels; i++)
		at = condition(at, NULL, handle_new(at, 1), CU_GRAPH_COND_TYPE_IF, 1, NULL)[0];
	fill(at, NULL, RESULT, 42);
	return graph;
}

static void test_conditions_are_as_deep_as_they_may(void)
{
	CUgraph graph = deep_graph(8);
	CUgraphExec exec = instantiate(graph);
	clear();
	run(exec);
	check(value_of(RESULT) == 42);
	end(exec, graph);
	graph = deep_graph(9); /* how deep hardware goes is not said */
	cu_is_by_reference(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0), CUDA_ERROR_NOT_SUPPORTED);
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void test_a_captured_loop(void)
{
	CUstream stream = graph_test.stream, inner = graph_test.other;
	CUstreamCaptureStatus status;
	CUgraph graph, *body, ended;
	CUgraphConditionalHandle handle;
	CUgraphNodeParams params;
	const CUgraphNode *before;
	CUgraphNode loop;
	CUgraphExec exec;
	CUdeviceptr left = word(LEFT), rounds = word(ROUNDS), result = word(RESULT);
	size_t n;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemsetD32Async)(left, 9, 1, stream));
	cu_ok(cu(cuStreamGetCaptureInfo_v2)(stream, &status, NULL, &graph, &before, &n));
	check(status == CU_STREAM_CAPTURE_STATUS_ACTIVE && n == 1);
	handle = handle_new(graph, 1);
	params = condition_params(handle, CU_GRAPH_COND_TYPE_WHILE, 1);
	cu_ok(cu(cuGraphAddNode)(&loop, graph, before, n, &params));
	body = params.conditional.phGraph_out;
	cu_ok(cu(cuStreamUpdateCaptureDependencies)(stream, &loop, 1, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
	cu_ok(cu(cuStreamBeginCaptureToGraph)(inner, body[0], NULL, NULL, 0, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuLaunchKernel)(count_down, 1, 1, 1, 1, 1, 1, 0, inner, (void *[]){ &handle, &left, &rounds }, NULL));
	cu_ok(cu(cuStreamEndCapture)(inner, &ended));
	check(ended == body[0]);
	cu_ok(cu(cuLaunchKernel)(count_one, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &result }, NULL));
	cu_ok(cu(cuStreamEndCapture)(stream, &ended));
	exec = instantiate(ended);
	clear();
	run(exec);
	run(exec);
	check(value_of(ROUNDS) == 18 && value_of(RESULT) == 2);
	end(exec, ended);
}

/* The program has the graph that it captures into: it may end the capture without asking for it. */
static void test_a_capture_into_a_graph_needs_no_other(void)
{
	CUstream stream = graph_test.stream;
	CUgraph graph = graph_new(), ended;
	size_t n = 0;
	for (size_t i = 1; i <= 2; i++) {
		cu_ok(cu(cuStreamBeginCaptureToGraph)(stream, graph, NULL, NULL, 0, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuMemsetD32Async)(word(VALUE), 5, 1, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, i == 1 ? NULL : &ended));
		cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
		check(n == i);
	}
	check(ended == graph);
	cu_ok(cu(cuGraphDestroy)(graph));
	if (!cu_is_reference())
		return;
	cu_is(cu(cuStreamEndCapture)(stream, NULL), CUDA_ERROR_ILLEGAL_STATE);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuStreamEndCapture)(stream, NULL), CUDA_ERROR_INVALID_VALUE); /* it would be nobody's */
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* As of any graph that a capture adds to. */
static void test_a_condition_stays_while_a_capture_fills_its_graph(void)
{
	CUgraph graph = graph_new(), *body, ended;
	CUdeviceptr result = word(RESULT);
	CUgraphNode node, other;
	CUgraphExec exec;
	body = condition(graph, NULL, handle_new(graph, 1), CU_GRAPH_COND_TYPE_IF, 1, &node);
	other = fill(graph, NULL, VALUE, 1);
	cu_ok(cu(cuStreamBeginCaptureToGraph)(graph_test.stream, body[0], NULL, NULL, 0,
					      CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuGraphDestroyNode)(node), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphDestroy)(graph), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphDestroyNode)(other));
	cu_ok(cu(cuLaunchKernel)(count_one, 1, 1, 1, 1, 1, 1, 0, graph_test.stream, (void *[]){ &result }, NULL));
	cu_ok(cu(cuStreamEndCapture)(graph_test.stream, &ended));
	check(ended == body[0]);
	exec = instantiate(graph);
	clear();
	run(exec);
	check(value_of(RESULT) == 1);
	cu_ok(cu(cuGraphDestroyNode)(node));
	end(exec, graph);
}

static void test_nodes_in_a_condition_change(void)
{
	CUgraphNode node;
	CUgraph graph = while_graph(5, &node), other = while_graph(3, NULL);
	CUgraphExec exec = instantiate(graph);
	CUgraphExecUpdateResultInfo info;
	CUdeviceptr result = word(RESULT);
	CUDA_KERNEL_NODE_PARAMS params = cu_kernel_node(count_one, 1, 1, (void *[]){ &result });
	clear();
	for (int i = 0; i < 10; i++)
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	/* From the next launch on: those before it end as they were. */
	cu_ok(cu(cuGraphExecUpdate_v2)(exec, other, &info));
	check(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS);
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	check(value_of(ROUNDS) == 10 * 5 + 3);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(other));

	other = graph_new();
	fill(other, NULL, LEFT, 1);
	condition(other, NULL, handle_new(other, 1), CU_GRAPH_COND_TYPE_IF, 1, NULL);
	exec = instantiate(graph);
	cu_is(cu(cuGraphExecUpdate_v2)(exec, other, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
	check(info.result != CU_GRAPH_EXEC_UPDATE_SUCCESS);
	cu_ok(cu(cuGraphDestroy)(other));
	cu_ok(cu(cuGraphExecDestroy)(exec));

	/* A node of its graph, while nothing runs: an IF, so that it ends without setting the condition. */
	other = graph_new();
	node = kernel(condition(other, NULL, handle_new(other, 1), CU_GRAPH_COND_TYPE_IF, 1, NULL)[0], NULL, count_one,
		      (void *[]){ &result });
	exec = instantiate(other);
	clear();
	run(exec);
	result = word(VALUE);
	cu_ok(cu(cuGraphExecKernelNodeSetParams_v2)(exec, node, &params));
	run(exec);
	check(value_of(RESULT) == 1 && value_of(VALUE) == 1);
	end(exec, other);
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void test_a_loop_goes_on_when_its_graph_is_gone(void)
{
	CUgraph graph = while_graph(200, NULL);
	CUgraphExec exec = instantiate(graph);
	clear();
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	end(exec, graph);
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	check(value_of(ROUNDS) == 200);
}

static void CUDA_CB hold(void *gate)
{
	while (!atomic_load((atomic_int *)gate))
		usleep(1000);
}

/* The event comes behind a loop that has not begun: what it runs, in two branches, is work from before. */
static void test_a_context_waits_for_a_loop_that_goes_on(void)
{
	CUgraph graph = graph_new();
	CUgraphConditionalHandle handle = handle_new(graph, 1);
	CUgraph *body = condition(graph, fill(graph, NULL, LEFT, 3), handle, CU_GRAPH_COND_TYPE_WHILE, 1, NULL);
	CUdeviceptr result = word(RESULT);
	atomic_int gate = 0;
	CUgraphExec exec;
	CUevent event;
	counting(body[0], NULL, handle, LEFT);
	kernel(body[0], NULL, count_one, (void *[]){ &result });
	exec = instantiate(graph);
	clear();
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuLaunchHostFunc)(graph_test.stream, hold, &gate));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuCtxRecordEvent)(NULL, event));
	cu_ok(cu(cuCtxWaitEvent)(NULL, event));
	atomic_store(&gate, 1);
	cu_ok(cu(cuCtxSynchronize)());
	check(value_of(ROUNDS) == 3 && value_of(RESULT) == 3);
	cu_ok(cu(cuEventDestroy_v2)(event));
	end(exec, graph);
}

static void test_bad_conditions_are_refused(void)
{
	CUgraph graph = while_graph(1, NULL), other = graph_new(), clone;
	CUgraphConditionalHandle handle = handle_new(other, 0), bad;
	CUgraphNodeParams params = condition_params(handle, CU_GRAPH_COND_TYPE_WHILE, 1);
	CUDA_GRAPH_INSTANTIATE_PARAMS instantiation = { 0 };
	CUgraphNode node;
	CUgraphExec exec;
	cu_is(cu(cuGraphConditionalHandleCreate)(&bad, other, graph_test.ctx, 0, 2), CUDA_ERROR_INVALID_VALUE);
	check(cu(cuGraphClone)(&clone, graph) != CUDA_SUCCESS);
	check(cu(cuGraphAddChildGraphNode)(&node, other, NULL, 0, graph) != CUDA_SUCCESS);
	/* A handle that no node has. */
	if (cu_is_reference()) {
		cu_is(cu(cuGraphInstantiateWithParams)(&exec, other, &instantiation), CUDA_ERROR_INVALID_VALUE);
		check(instantiation.result_out == CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED);
		cu_is(cu(cuGraphAddNode)(&node, graph, NULL, 0, &params), CUDA_ERROR_INVALID_VALUE); /* another's */
	}
	params.conditional.size = 2;
	check(cu(cuGraphAddNode)(&node, other, NULL, 0, &params) != CUDA_SUCCESS);
	params.conditional.size = 0;
	check(cu(cuGraphAddNode)(&node, other, NULL, 0, &params) != CUDA_SUCCESS);
	params = condition_params(0x1234560, CU_GRAPH_COND_TYPE_IF, 1);
	cu_is_by_reference(cu(cuGraphAddNode)(&node, other, NULL, 0, &params), CUDA_ERROR_INVALID_VALUE);
	params = condition_params(handle, CU_GRAPH_COND_TYPE_IF, 1);
	cu_ok(cu(cuGraphAddNode)(&node, other, NULL, 0, &params));
	check(cu(cuGraphDestroy)(params.conditional.phGraph_out[0]) != CUDA_SUCCESS);
	if (cu_is_reference()) { /* only so much may be in such a graph; when that is said is the driver's affair */
		CUevent event;
		cu_ok(cu(cuEventCreate)(&event, 0));
		cu_ok(cu(cuGraphAddEventRecordNode)(&node, params.conditional.phGraph_out[0], NULL, 0, event));
		check(cu(cuGraphInstantiateWithFlags)(&exec, other, 0) != CUDA_SUCCESS);
		cu_ok(cu(cuEventDestroy_v2)(event));
	}
	cu_ok(cu(cuGraphDestroy)(other));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* A kernel of a loop fails: nobody waits for ever, and the context says so.  The last test: of a context of its own. */
static void test_a_loop_whose_kernel_fails_ends(void)
{
	CUcontext ctx = graph_test.ctx, own;
	CUstream stream;
	CUmodule module;
	CUfunction function;
	CUgraph graph = graph_new();
	CUgraphConditionalHandle handle;
	CUdeviceptr nowhere = 0x10;
	CUgraphExec exec;
	char *ptx = cu_ptx("kernels.ptx");
	if (!cu_is_reference()) /* hardware fails as a whole */
		goto out;
	cu_ok(cu(cuCtxCreate_v2)(&own, 0, 0));
	graph_test.ctx = own;
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuModuleLoadData)(&module, ptx));
	function = cu_function(module, "count_down");
	handle = handle_new(graph, 1);
	kernel(condition(graph, NULL, handle, CU_GRAPH_COND_TYPE_WHILE, 1, NULL)[0], NULL, function,
	       (void *[]){ &handle, &nowhere, &nowhere });
	exec = instantiate(graph);
	cu_ok(cu(cuGraphLaunch)(exec, stream));
	cu_is(cu(cuStreamSynchronize)(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
	cu_is(cu(cuStreamQuery)(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuCtxDestroy_v2)(own));
	graph_test.ctx = ctx;
	cu_ok(cu(cuCtxSetCurrent)(ctx));
	clear(); /* the others are unharmed */
	check(value_of(ROUNDS) == 0);
out:
	cu_ok(cu(cuGraphDestroy)(graph));
	free(ptx);
}

void graph_tests_conditions(void)
{
	count_down = cu_function(graph_test.module, "count_down");
	choose = cu_function(graph_test.module, "choose");
	count_one = cu_function(graph_test.module, "count");
	cu_ok(cu(cuMemAlloc_v2)(&words, 4 * WORDS));
	cu_run(test_a_loop_runs_as_often_as_its_kernel_says);
	cu_run(test_one_of_two_graphs_is_chosen_or_none);
	cu_run(test_a_switch_runs_the_graph_of_its_number);
	cu_run(test_conditions_keep_the_edges_of_their_graph);
	cu_run(test_conditions_in_child_graphs_begin_as_they_say);
	cu_run(test_conditions_in_conditions);
	cu_run(test_much_work_behind_a_condition_in_a_condition);
	cu_run(test_conditions_are_as_deep_as_they_may);
	cu_run(test_a_captured_loop);
	cu_run(test_a_capture_into_a_graph_needs_no_other);
	if (cu_is_reference())
		cu_run(test_a_condition_stays_while_a_capture_fills_its_graph);
	cu_run(test_nodes_in_a_condition_change);
	cu_run(test_a_loop_goes_on_when_its_graph_is_gone);
	cu_run(test_a_context_waits_for_a_loop_that_goes_on);
	cu_run(test_bad_conditions_are_refused);
	cu_run(test_a_loop_whose_kernel_fails_ends);
	cu_ok(cu(cuMemFree_v2)(words));
}
