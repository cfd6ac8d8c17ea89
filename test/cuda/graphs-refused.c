/* What the functions of graphs refuse, at the call, and what they tell then. */
#include "graphs.h"

static const CUgraphNode untold = (CUgraphNode)0x5555;

static CUgraphNode fill_node(CUgraph graph)
{
	const CUDA_MEMSET_NODE_PARAMS fill = { .dst = graph_test.at[0], .elementSize = 4, .width = N, .height = 1 };
	CUgraphNode node;

	cu_ok(cu(cuGraphAddMemsetNode)(&node, graph, NULL, 0, &fill, graph_test.ctx));
	return node;
}

static CUgraphNode kernel_node(CUgraph graph)
{
	CUdeviceptr at = graph_test.at[0];
	int count = 64;
	const CUDA_KERNEL_NODE_PARAMS params =
		cu_kernel_node(graph_test.add, 1, 64, (void *[]){ &at, &at, &at, &count });
	CUgraphNode node;

	cu_ok(cu(cuGraphAddKernelNode_v2)(&node, graph, NULL, 0, &params));
	return node;
}

static void test_the_upload_is_no_flag_of_an_executable_graph(void)
{
	CUDA_GRAPH_INSTANTIATE_PARAMS params = { .flags = CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD |
							  CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH,
						 .hUploadStream = graph_test.stream };
	CUgraphExec exec;
	cuuint64_t flags;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	fill_node(graph);
	cu_ok(cu(cuGraphInstantiateWithParams)(&exec, graph, &params));
	check(params.result_out == CUDA_GRAPH_INSTANTIATE_SUCCESS && !params.hErrNode_out);
	cu_ok(cu(cuGraphExecGetFlags)(exec, &flags));
	check(flags == CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* Of hardware's driver a handle is a pointer, used without a look: what is gone is asked of the reference alone. */
static void test_what_is_refused_at_once_is_told(void)
{
	CUgraphExecUpdateResultInfo info = { (CUgraphExecUpdateResult)0x5555, untold, untold };
	CUDA_GRAPH_INSTANTIATE_PARAMS params = { .hErrNode_out = untold };
	CUgraph graph, gone;
	CUgraphExec exec;

	if (!cu_is_reference())
		return;
	params.result_out = (CUgraphInstantiateResult)0x5555;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphCreate)(&gone, 0));
	fill_node(graph);
	cu_ok(cu(cuGraphDestroy)(gone));
	cu_is(cu(cuGraphInstantiateWithParams)(&exec, gone, &params), CUDA_ERROR_INVALID_VALUE);
	check(params.result_out == CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE && !params.hErrNode_out);
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_is(cu(cuGraphExecUpdate_v2)(exec, gone, &info), CUDA_ERROR_INVALID_VALUE);
	check(info.result == (CUgraphExecUpdateResult)0x5555 && info.errorNode == untold);
	check(info.errorFromNode == untold);
	cu_is(cu(cuGraphExecUpdate_v2)(exec, graph, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void test_a_node_stays_of_its_kind(void)
{
	const CUDA_MEMSET_NODE_PARAMS fill = { .dst = graph_test.at[0], .elementSize = 4, .width = N, .height = 1 };
	const CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
				     .srcDevice = graph_test.at[0],
				     .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				     .dstDevice = graph_test.at[1],
				     .WidthInBytes = 4,
				     .Height = 1,
				     .Depth = 1 };
	CUgraphNode kernel, filled;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	kernel = kernel_node(graph);
	filled = fill_node(graph);
	cu_is(cu(cuGraphMemsetNodeSetParams)(kernel, &fill), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphMemcpyNodeSetParams)(kernel, &copy), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphMemcpyNodeSetParams)(filled, &copy), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphMemsetNodeSetParams)(filled, &fill));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* One that was the program's keeps its end: nothing is known of another. */
static void test_a_copy_has_ends_of_some_kind(void)
{
	CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
			       .srcDevice = graph_test.at[0],
			       .dstMemoryType = CU_MEMORYTYPE_HOST,
			       .dstHost = graph_test.host,
			       .WidthInBytes = 4,
			       .Height = 1,
			       .Depth = 1 };
	CUgraphNode node, made;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemcpyNode)(&node, graph, NULL, 0, &copy, graph_test.ctx));
	copy.dstMemoryType = (CUmemorytype)7;
	cu_is(cu(cuGraphAddMemcpyNode)(&made, graph, NULL, 0, &copy, graph_test.ctx), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphMemcpyNodeSetParams)(node, &copy), CUDA_ERROR_INVALID_VALUE);
	copy.srcMemoryType = (CUmemorytype)0;
	cu_is(cu(cuGraphMemcpyNodeSetParams)(node, &copy), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* No documentation says that hardware's driver looks for one. */
static void test_a_kernel_node_needs_a_function(void)
{
	CUdeviceptr at = graph_test.at[0];
	int count = 64;
	CUDA_KERNEL_NODE_PARAMS params = cu_kernel_node(graph_test.add, 1, 64, (void *[]){ &at, &at, &at, &count });
	CUgraphNode node;
	CUgraph graph;

	if (!cu_is_reference())
		return;
	params.func = NULL;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_is(cu(cuGraphAddKernelNode_v2)(&node, graph, NULL, 0, &params), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void test_attributes_are_of_kernels(void)
{
	CUgraphNode kernel, filled;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	kernel = kernel_node(graph);
	filled = fill_node(graph);
	cu_is(cu(cuGraphKernelNodeCopyAttributes)(kernel, filled), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphKernelNodeCopyAttributes)(filled, kernel), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphKernelNodeCopyAttributes)(kernel, kernel));
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void CUDA_CB nothing(void *data)
{
	(void)data;
}

static void test_bad_counts_and_flags_of_user_objects_are_refused(void)
{
	static const unsigned int bad[] = { 0, 1u << 31, UINT32_MAX };
	CUuserObject object;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuUserObjectCreate)(&object, NULL, nothing, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cu_is(cu(cuUserObjectRetain)(object, bad[i]), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuUserObjectRelease)(object, bad[i]), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphRetainUserObject)(graph, object, bad[i], 0), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphReleaseUserObject)(graph, object, bad[i]), CUDA_ERROR_INVALID_VALUE);
	}
	cu_is(cu(cuGraphRetainUserObject)(graph, object, 1, 2), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphRetainUserObject)(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* No documentation says what of edges hardware's driver looks at. */
static void test_data_of_edges_come_with_the_edges(void)
{
	CUgraphNode first, second, list[2], more[2];
	CUgraphEdgeData data[2];
	size_t count = 2;
	CUgraph graph;

	if (!cu_is_reference())
		return;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddEmptyNode)(&first, graph, NULL, 0));
	cu_ok(cu(cuGraphAddEmptyNode)(&second, graph, &first, 1));
	cu_is(cu(cuGraphGetEdges_v2)(graph, NULL, NULL, data, &count), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphGetEdges_v2)(graph, list, NULL, NULL, &count), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphGetEdges_v2)(graph, NULL, list, NULL, &count), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphGetEdges)(graph, list, NULL, &count), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphNodeGetDependencies_v2)(second, NULL, data, &count), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphNodeGetDependentNodes_v2)(first, NULL, data, &count), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphGetEdges_v2)(graph, list, more, data, &count));
	check(count == 1 && list[0] == first && more[0] == second);
	cu_ok(cu(cuGraphNodeGetDependencies_v2)(second, list, data, &count));
	check(count == 1 && list[0] == first);
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* A kernel is a function in a context alone: the one that the parameters name, else the current one. */
static void test_a_librarys_kernel_needs_a_context(void)
{
	CUdeviceptr at = graph_test.at[0];
	int count = 64;
	CUDA_KERNEL_NODE_PARAMS params = cu_kernel_node(NULL, 1, 64, (void *[]){ &at, &at, &at, &count });
	char *text = cu_ptx("kernels.ptx");
	CUlibrary library;
	CUgraphNode node;
	CUgraphExec exec;
	CUkernel kernel;
	CUgraph graph;

	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "add"));
	params.func = (CUfunction)kernel;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuCtxSetCurrent)(NULL));
	cu_is_by_reference(cu(cuGraphAddKernelNode_v2)(&node, graph, NULL, 0, &params), CUDA_ERROR_INVALID_CONTEXT);
	params.ctx = graph_test.ctx;
	if (!cu_is_reference())
		cu_ok(cu(cuCtxSetCurrent)(graph_test.ctx));
	cu_ok(cu(cuGraphAddKernelNode_v2)(&node, graph, NULL, 0, &params));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphKernelNodeSetParams_v2)(node, &params));
	cu_ok(cu(cuGraphExecKernelNodeSetParams_v2)(exec, node, &params));
	params.ctx = NULL;
	cu_is_by_reference(cu(cuGraphKernelNodeSetParams_v2)(node, &params), CUDA_ERROR_INVALID_CONTEXT);
	cu_is_by_reference(cu(cuGraphExecKernelNodeSetParams_v2)(exec, node, &params), CUDA_ERROR_INVALID_CONTEXT);
	cu_ok(cu(cuCtxSetCurrent)(graph_test.ctx));
	cu_ok(cu(cuGraphKernelNodeSetParams_v2)(node, &params));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuLibraryUnload)(library));
	free(text);
}

void graph_tests_refused(void)
{
	cu_run(test_the_upload_is_no_flag_of_an_executable_graph);
	cu_run(test_what_is_refused_at_once_is_told);
	cu_run(test_a_node_stays_of_its_kind);
	cu_run(test_a_copy_has_ends_of_some_kind);
	cu_run(test_a_kernel_node_needs_a_function);
	if (!getenv("PLENUM_TEST_REMOTE")) /* there a thread without a context has the session's */
		cu_run(test_a_librarys_kernel_needs_a_context);
	cu_run(test_attributes_are_of_kernels);
	cu_run(test_bad_counts_and_flags_of_user_objects_are_refused);
	cu_run(test_data_of_edges_come_with_the_edges);
}
