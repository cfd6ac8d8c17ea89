/* Graphs: what they compute is what plain streams compute; what they refuse. */
#include <stdatomic.h>
#include <stdint.h>

#include "cu.h"
#include "graphs.h"

struct graph_test graph_test;

static CUgraphNode kernel_node(CUgraph graph, const CUgraphNode *before, size_t n, CUfunction function, void **params)
{
	CUDA_KERNEL_NODE_PARAMS node = cu_kernel_node(function, N / 64, 64, params);
	CUgraphNode made;
	cu_ok(cu(cuGraphAddKernelNode_v2)(&made, graph, before, n, &node));
	return made;
}

static CUgraphNode add_node(CUgraph graph, const CUgraphNode *before, size_t n, CUdeviceptr a, CUdeviceptr b,
			    CUdeviceptr c)
{
	int count = N;
	return kernel_node(graph, before, n, graph_test.add, (void *[]){ &a, &b, &c, &count });
}

static CUgraphNode set_node(CUgraph graph, const CUgraphNode *before, size_t n, CUdeviceptr at, float value)
{
	CUDA_MEMSET_NODE_PARAMS node = { .dst = at, .elementSize = 4, .width = N, .height = 1 };
	CUgraphNode made;
	memcpy(&node.value, &value, 4);
	cu_ok(cu(cuGraphAddMemsetNode)(&made, graph, before, n, &node, graph_test.ctx));
	return made;
}

static CUDA_MEMCPY3D copy_out(void *host, CUdeviceptr from)
{
	return (CUDA_MEMCPY3D){ .srcMemoryType = CU_MEMORYTYPE_DEVICE,
				.srcDevice = from,
				.dstMemoryType = CU_MEMORYTYPE_HOST,
				.dstHost = host,
				.WidthInBytes = 4 * N,
				.Height = 1,
				.Depth = 1 };
}

static void launch_and_wait(CUgraphExec exec, CUstream stream)
{
	cu_ok(cu(cuGraphLaunch)(exec, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
}

static CUgraphExec instantiate(CUgraph graph)
{
	CUgraphExec exec;
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	return exec;
}

static bool all_are(const float *at, float value)
{
	for (int i = 0; i < N; i++)
		if (at[i] != value)
			return false;
	return true;
}

static void CUDA_CB double_it(void *at)
{
	for (int i = 0; i < N; i++)
		((float *)at)[i] *= 2;
}

/* Two fills, a sum of both, copied to pageable memory, doubled by the host. */
static void test_a_diamond_computes_what_a_stream_does(void)
{
	CUdeviceptr a = graph_test.at[0], b = graph_test.at[1], c = graph_test.at[2];
	float *host = calloc(N, 4);
	CUDA_MEMCPY3D copy = copy_out(host, c);
	CUDA_HOST_NODE_PARAMS host_params = { double_it, host };
	CUgraphNode root, left, right, sum, out, twice, found[8], from[8], to[8];
	CUgraphNodeType type;
	CUgraphExec exec;
	CUgraph graph;
	size_t n = 8;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddEmptyNode)(&root, graph, NULL, 0));
	left = set_node(graph, &root, 1, a, 1.5f);
	right = set_node(graph, &root, 1, b, 2.0f);
	sum = add_node(graph, (CUgraphNode[]){ left, right }, 2, a, b, c);
	cu_ok(cu(cuGraphAddMemcpyNode)(&out, graph, &sum, 1, &copy, graph_test.ctx));
	cu_ok(cu(cuGraphAddHostNode)(&twice, graph, &out, 1, &host_params));
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
	check(n == 6);
	n = 8;
	cu_ok(cu(cuGraphGetRootNodes)(graph, found, &n));
	check(n == 1 && found[0] == root);
	n = 8;
	cu_ok(cu(cuGraphGetEdges)(graph, from, to, &n));
	check(n == 6 && from[0] == root && to[0] == left);
	n = 8;
	cu_ok(cu(cuGraphNodeGetDependencies)(sum, found, &n));
	check(n == 2 && found[0] == left && found[1] == right);
	n = SIZE_MAX - 5; /* without a list it says nothing */
	cu_ok(cu(cuGraphNodeGetDependencies)(sum, NULL, &n));
	check(n == 2);
	n = SIZE_MAX - 5;
	cu_ok(cu(cuGraphNodeGetDependentNodes)(sum, NULL, &n));
	check(n == 1);
	n = SIZE_MAX - 5;
	cu_ok(cu(cuGraphGetEdges)(graph, NULL, NULL, &n));
	check(n == 6);
	n = SIZE_MAX - 5;
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
	check(n == 6);
	cu_ok(cu(cuGraphNodeGetType)(twice, &type));
	check(type == CU_GRAPH_NODE_TYPE_HOST);
	exec = instantiate(graph);
	cu_ok(cu(cuGraphDestroy)(graph));
	for (int i = 0; i < 5; i++) {
		memset(host, 0, 4 * N);
		launch_and_wait(exec, graph_test.stream);
		check(all_are(host, 7.0f));
	}
	launch_and_wait(exec, NULL);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	free(host);
}

static void test_a_chain_of_a_thousand_is_in_order(void)
{
	CUdeviceptr a = graph_test.at[0], b = graph_test.at[1];
	CUgraphNode last = NULL;
	CUgraphExec exec;
	CUgraph graph;
	cu_ok(cu(cuMemsetD32_v2)(a, 0, N));
	cu_ok(cu(cuMemsetD32_v2)(b, 0x3f800000, N));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	for (int i = 0; i < 1000; i++)
		last = add_node(graph, &last, i > 0, a, b, a);
	exec = instantiate(graph);
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	launch_and_wait(exec, graph_test.stream);
	cu_ok(cu(cuMemcpyDtoH_v2)(graph_test.host, a, 4 * N));
	check(all_are(graph_test.host, 2000.0f));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* Sixteen branches, each a chain, then one that needs all: more than there are
 * streams for. */
static void test_wide_graphs_keep_their_edges(void)
{
	CUdeviceptr sum = graph_test.at[0], one = graph_test.at[1], parts;
	CUgraphNode first, ends[16], last;
	CUgraphExec exec;
	CUgraph graph;
	cu_ok(cu(cuMemAlloc_v2)(&parts, 16 * 4 * N));
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	first = set_node(graph, NULL, 0, one, 1.0f);
	for (int i = 0; i < 16; i++) {
		CUdeviceptr part = parts + (CUdeviceptr)i * 4 * N;
		ends[i] = set_node(graph, &first, 1, part, (float)i);
		for (int k = 0; k < 3; k++)
			ends[i] = add_node(graph, &ends[i], 1, part, one, part);
	}
	last = set_node(graph, ends, 16, sum, 0);
	for (int i = 0; i < 16; i++)
		last = add_node(graph, &last, 1, sum, parts + (CUdeviceptr)i * 4 * N, sum);
	exec = instantiate(graph);
	for (int i = 0; i < 4; i++)
		cu_ok(cu(cuGraphLaunch)(exec, i & 1 ? graph_test.stream : graph_test.other));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyDtoH_v2)(graph_test.host, sum, 4 * N));
	check(all_are(graph_test.host, 120.0f + 48.0f));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFree_v2)(parts));
}

static void CUDA_CB raise_it(void *flag)
{
	atomic_fetch_add((atomic_int *)flag, 1);
}

static void test_child_graphs_run_in_their_place(void)
{
	CUdeviceptr a = graph_test.at[0], b = graph_test.at[1];
	CUgraph child, graph, inner, again;
	CUgraphNode in_child, before, node, after, found, found_again;
	CUgraphExec exec;
	cu_ok(cu(cuGraphCreate)(&child, 0));
	in_child = add_node(child, NULL, 0, a, b, a);
	add_node(child, &in_child, 1, a, b, a);
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	before = set_node(graph, NULL, 0, a, 3.0f);
	before = set_node(graph, &before, 1, b, 4.0f);
	cu_ok(cu(cuGraphAddChildGraphNode)(&node, graph, &before, 1, child));
	after = add_node(graph, &node, 1, a, a, a);
	cu_ok(cu(cuGraphDestroy)(child));
	cu_ok(cu(cuGraphChildGraphNodeGetGraph)(node, &inner));
	check(inner != child);
	cu_ok(cu(cuGraphChildGraphNodeGetGraph)(node, &again));
	check(again == inner);
	if (cu_is_reference()) /* it is the node's; of hardware's driver a handle is a pointer, used without a look */
		cu_is(cu(cuGraphDestroy)(inner), CUDA_ERROR_INVALID_VALUE);
	exec = instantiate(graph);
	launch_and_wait(exec, graph_test.stream);
	cu_ok(cu(cuMemcpyDtoH_v2)(graph_test.host, a, 4 * N));
	check(all_are(graph_test.host, 22.0f));
	cu_ok(cu(cuGraphClone)(&child, graph));
	cu_ok(cu(cuGraphNodeFindInClone)(&found, after, child));
	check(found != after);
	cu_ok(cu(cuGraphNodeFindInClone)(&found_again, after, child));
	check(found_again == found);
	cu_ok(cu(cuGraphDestroyNode)(after));
	if (cu_is_reference()) /* freed: likewise */
		cu_is(cu(cuGraphDestroyNode)(after), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	exec = instantiate(child);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphDestroy)(child));
	launch_and_wait(exec, graph_test.stream);
	cu_ok(cu(cuMemcpyDtoH_v2)(graph_test.host, a, 4 * N));
	check(all_are(graph_test.host, 22.0f));
	cu_ok(cu(cuGraphExecDestroy)(exec));
}

static void test_events_and_words_of_memory_are_nodes_too(void)
{
	CUdeviceptr a = graph_test.at[0];
	CUstreamBatchMemOpParams op = { .writeValue = { CU_STREAM_MEM_OP_WRITE_VALUE_32, .address = a, .value = 9 } };
	CUDA_BATCH_MEM_OP_NODE_PARAMS ops = { .ctx = graph_test.ctx, .count = 1, .paramArray = &op };
	CUgraphNode node, wait, record;
	unsigned int word = 0;
	CUgraphExec exec;
	CUgraph graph;
	CUevent event, got;
	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddEventWaitNode)(&wait, graph, NULL, 0, event));
	cu_ok(cu(cuGraphAddBatchMemOpNode)(&node, graph, &wait, 1, &ops));
	cu_ok(cu(cuGraphAddEventRecordNode)(&record, graph, &node, 1, event));
	cu_ok(cu(cuGraphEventRecordNodeGetEvent)(record, &got));
	check(got == event);
	exec = instantiate(graph);
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, a, 4));
	check(word == 9);
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

static void test_an_executable_graph_may_go_while_it_runs(void)
{
	atomic_int n = 0;
	CUDA_HOST_NODE_PARAMS params = { raise_it, &n };
	CUgraphNode node;
	CUgraphExec exec;
	CUgraph graph;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	for (int i = 0; i < 6; i++)
		cu_ok(cu(cuGraphAddHostNode)(&node, graph, NULL, 0, &params));
	exec = instantiate(graph);
	for (int i = 0; i < 10; i++)
		cu_ok(cu(cuGraphLaunch)(exec, i & 1 ? graph_test.stream : graph_test.other));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	if (cu_is_reference()) /* freed: nothing that hardware's driver has to know */
		cu_is(cu(cuGraphLaunch)(exec, graph_test.stream), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxSynchronize)());
	check(atomic_load(&n) == 60);
}

static void test_bad_graphs_are_refused(void)
{
	CUdeviceptr a = graph_test.at[0];
	int count = N;
	CUgraphNodeParams conditional = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL }; /* without a handle */
	CUDA_MEMSET_NODE_PARAMS set = { .dst = a, .elementSize = 3, .width = 4, .height = 1 };
	CUDA_KERNEL_NODE_PARAMS kernel = { .func = graph_test.add,
					   .gridDimX = 1,
					   .gridDimY = 1,
					   .gridDimZ = 1,
					   .blockDimX = 4096,
					   .blockDimY = 1,
					   .blockDimZ = 1,
					   .kernelParams = (void *[]){ &a, &a, &a, &count } };
	CUgraphNode one, two, other_node, made;
	CUgraph graph, other;
	CUgraphExec exec;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphCreate)(&other, 0));
	cu_is(cu(cuGraphCreate)(&graph, 1), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphAddEmptyNode)(&one, graph, NULL, 0));
	cu_ok(cu(cuGraphAddEmptyNode)(&two, graph, &one, 1));
	cu_ok(cu(cuGraphAddEmptyNode)(&other_node, other, NULL, 0));
	cu_is(cu(cuGraphAddEmptyNode)(&made, graph, &other_node, 1), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphAddEmptyNode)(&made, graph, (CUgraphNode[]){ one, one }, 2), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphAddDependencies)(graph, &one, &two, 1), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphRemoveDependencies)(graph, &two, &one, 1), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphAddMemsetNode)(&made, graph, NULL, 0, &set, graph_test.ctx), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphAddKernelNode_v2)(&made, graph, NULL, 0, &kernel), CUDA_ERROR_INVALID_VALUE);
	check(cu(cuGraphAddMemFreeNode)(&made, graph, NULL, 0, a) == CUDA_ERROR_INVALID_VALUE);
	if (cu_is_reference()) { /* no documentation says that NULL is looked for here */
		cu_is(cu(cuGraphAddEmptyNode)(&made, graph, NULL, 1), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphAddKernelNode_v2)(&made, graph, NULL, 0, NULL), CUDA_ERROR_INVALID_VALUE);
		check(cu(cuGraphAddEventRecordNode)(&made, graph, NULL, 0, NULL) != CUDA_SUCCESS);
		cu_is(cu(cuGraphCreate)(NULL, 0), CUDA_ERROR_INVALID_VALUE);
		kernel.kernelParams = NULL;
		kernel.blockDimX = 64;
		cu_is(cu(cuGraphAddKernelNode_v2)(&made, graph, NULL, 0, &kernel), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphAddNode)(&made, graph, NULL, 0, &conditional), CUDA_ERROR_INVALID_VALUE);
	}
	/* A circle is found at the latest when the graph is to run. */
	if (cu(cuGraphAddDependencies)(graph, &two, &one, 1) == CUDA_SUCCESS)
		check(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0) != CUDA_SUCCESS);
	cu_is(cu(cuGraphInstantiateWithFlags)(&exec, other, 1ull << 40), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphDestroy)(other));
	cu_ok(cu(cuGraphDestroy)(graph));
	if (cu_is_reference()) { /* what was freed, hardware need not know */
		cu_is(cu(cuGraphDestroy)(graph), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphAddEmptyNode)(&made, graph, NULL, 0), CUDA_ERROR_INVALID_VALUE);
	}
}

int main(int argc, char **argv)
{
	char *ptx;
	graph_test.ctx = cu_begin();
	ptx = cu_ptx("kernels.ptx");
	cu_ok(cu(cuModuleLoadData)(&graph_test.module, ptx));
	graph_test.add = cu_function(graph_test.module, "add");
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuMemAlloc_v2)(&graph_test.at[i], 4 * N));
	graph_test.host = calloc(N, 4);
	cu_ok(cu(cuStreamCreate)(&graph_test.stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&graph_test.other, CU_STREAM_DEFAULT));
	if (argc > 1 && !strcmp(argv[1], "many")) {
		graph_test_many();
		return 0;
	}
	cu_run(test_a_diamond_computes_what_a_stream_does);
	cu_run(test_a_chain_of_a_thousand_is_in_order);
	cu_run(test_wide_graphs_keep_their_edges);
	cu_run(test_child_graphs_run_in_their_place);
	cu_run(test_events_and_words_of_memory_are_nodes_too);
	cu_run(test_an_executable_graph_may_go_while_it_runs);
	cu_run(test_bad_graphs_are_refused);
	graph_tests_capture();
	graph_tests_rules();
	graph_tests_update();
	graph_tests_copies();
	graph_tests_enable();
	graph_tests_refused();
	graph_tests_conditions();
	cu_ok(cu(cuCtxDestroy_v2)(graph_test.ctx));
	free(graph_test.host);
	free(ptx);
	puts("graphs: ok");
	return 0;
}
