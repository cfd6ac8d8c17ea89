/* Stream capture: what becomes a graph, and what is told of it. */
#include <malloc.h>

#include "graphs.h"

static void add_run(CUstream stream, CUdeviceptr a, CUdeviceptr b, CUdeviceptr c)
{
	int n = N;
	cu_ok(cu(cuLaunchKernel)(graph_test.add, N / 64, 1, 1, 64, 1, 1, 0, stream, (void *[]){ &a, &b, &c, &n },
				 NULL));
}

static void CUDA_CB third(void *at)
{
	((float *)at)[3] = 33;
}

/* The same work, given to whatever stream: on two branches, joined. */
static void work(CUstream stream, CUstream branch, float *host, CUevent fork, CUevent join)
{
	CUdeviceptr a = graph_test.at[0], b = graph_test.at[1], c = graph_test.at[2];
	cu_ok(cu(cuMemsetD32Async)(a, 0x40000000, N, stream));
	cu_ok(cu(cuEventRecord)(fork, stream));
	cu_ok(cu(cuStreamWaitEvent)(branch, fork, 0));
	cu_ok(cu(cuMemsetD32Async)(b, 0x3f800000, N, branch));
	add_run(branch, b, b, b);
	cu_ok(cu(cuEventRecord)(join, branch));
	add_run(stream, a, a, a);
	cu_ok(cu(cuStreamWaitEvent)(stream, join, 0));
	add_run(stream, a, b, c);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, c, 4 * N, stream));
	cu_ok(cu(cuLaunchHostFunc)(stream, third, host));
}

static void test_a_captured_graph_does_what_the_stream_would(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING), branch = graph_stream(CU_STREAM_NON_BLOCKING);
	float *want, *got;
	CUstreamCaptureStatus status;
	CUevent fork, join;
	CUgraphExec exec;
	CUgraph graph;
	cuuint64_t id;
	size_t n;
	cu_ok(cu(cuMemHostAlloc)((void **)&want, 4 * N, 0));
	cu_ok(cu(cuMemHostAlloc)((void **)&got, 4 * N, 0));
	cu_ok(cu(cuEventCreate)(&fork, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventCreate)(&join, CU_EVENT_DISABLE_TIMING));
	work(stream, branch, want, fork, join);
	cu_ok(cu(cuStreamSynchronize)(stream));
	memset(got, 0, 4 * N);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	work(stream, branch, got, fork, join);
	cu_ok(cu(cuStreamGetCaptureInfo_v2)(branch, &status, &id, NULL, NULL, NULL));
	check(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuStreamIsCapturing)(branch, &status));
	check(status == CU_STREAM_CAPTURE_STATUS_NONE);
	check(got[0] == 0);
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
	check(n == 7);
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphUpload)(exec, stream));
	for (int i = 0; i < 3; i++) {
		memset(got, 0, 4 * N);
		cu_ok(cu(cuGraphLaunch)(exec, i == 1 ? branch : stream));
		cu_ok(cu(cuStreamSynchronize)(i == 1 ? branch : stream));
		check(!memcmp(got, want, 4 * N) && got[0] == 6 && got[3] == 33);
	}
	/* A launch in a captured stream becomes a child graph. */
	cu_ok(cu(cuGraphDestroy)(graph));
	if (cu_is_reference()) { /* an H200's driver says CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED */
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
		memset(got, 0, 4 * N);
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(!memcmp(got, want, 4 * N));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(branch));
	cu_ok(cu(cuEventDestroy_v2)(fork));
	cu_ok(cu(cuEventDestroy_v2)(join));
	cu_ok(cu(cuMemFreeHost)(want));
	cu_ok(cu(cuMemFreeHost)(got));
}

static void test_memory_of_a_captured_graph_stays_in_its_place(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at, c = graph_test.at[2];
	CUgraphExec exec, second;
	CUgraph graph, clone;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemAllocAsync)(&at, 4 * N, stream));
	cu_ok(cu(cuMemsetD32Async)(at, 0x40400000, N, stream));
	add_run(stream, at, at, c);
	cu_ok(cu(cuMemFreeAsync)(at, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	check(cu(cuGraphInstantiateWithFlags)(&second, graph, 0) != CUDA_SUCCESS);
	check(cu(cuGraphClone)(&clone, graph) != CUDA_SUCCESS);
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuMemsetD32_v2)(c, 0, N));
		cu_ok(cu(cuStreamSynchronize)(NULL));
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(graph_test.host, c, 4 * N));
		check(graph_test.host[N - 1] == 6);
	}
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_only_what_a_captured_stream_allocates_is_the_graphs(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING), other = graph_stream(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at, captured, base;
	CUgraph graph;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAllocAsync)(&at, 1 << 20, other));
	cu_ok(cu(cuMemAllocAsync)(&captured, 1 << 20, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_is_by_reference(cu(cuMemsetD8_v2)(captured, 0, 16), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemsetD8Async)(at, 1, 16, other));
	cu_ok(cu(cuMemFreeAsync)(at, other));
	cu_ok(cu(cuStreamSynchronize)(other));
	cu_is_by_reference(cu(cuMemGetAddressRange_v2)(&base, NULL, at), CUDA_ERROR_NOT_FOUND);
	cu_is_by_reference(cu(cuMemsetD8_v2)(at, 0, 16), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(other));
}

/* A node with two graphs, each with a node. */
static void condition_add(CUgraph graph, CUgraphNode after)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL,
				     .conditional = {
					     .type = CU_GRAPH_COND_TYPE_SWITCH, .size = 2, .ctx = graph_test.ctx } };
	CUgraphNode node, inside;

	cu_ok(cu(cuGraphConditionalHandleCreate)(&params.conditional.handle, graph, graph_test.ctx, 0, 0));
	cu_ok(cu(cuGraphAddNode)(&node, graph, &after, 1, &params));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuGraphAddEmptyNode)(&inside, params.conditional.phGraph_out[i], NULL, 0));
}

/* What the program has heard of a graph that comes to nothing, in one way or another, is forgotten. */
static void capture_fails(CUstream stream, CUstream branch, CUevent event, int how)
{
	CUstream gone = how == 2 ? graph_stream(CU_STREAM_NON_BLOCKING) : stream;
	CUstreamCaptureStatus status;
	const CUgraphNode *last;
	CUgraphNode nodes[4], more;
	CUgraph graph;
	CUdeviceptr at;
	size_t count;

	cu_ok(cu(cuStreamBeginCapture_v2)(gone, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAllocAsync)(&at, 64 << 20, gone));
	cu_ok(cu(cuMemsetD8Async)(at, 1, 64, gone));
	cu_ok(cu(cuStreamGetCaptureInfo_v2)(gone, &status, NULL, &graph, &last, &count));
	check(count == 1);
	cu_ok(cu(cuGraphAddEmptyNode)(&more, graph, last, 1));
	count = 4;
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	check(count == 3);
	if (how == 0) {
		cu_is(cu(cuStreamSynchronize)(gone), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		cu_is(cu(cuStreamEndCapture)(gone, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	} else if (how == 1) {
		cu_ok(cu(cuEventRecord)(event, gone));
		cu_ok(cu(cuStreamWaitEvent)(branch, event, 0));
		cu_ok(cu(cuMemsetD8Async)(at, 2, 64, branch));
		cu_is(cu(cuStreamEndCapture)(gone, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
	} else {
		cu_ok(cu(cuStreamDestroy_v2)(gone));
	}
}

static void captures_fail(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING), branch = graph_stream(CU_STREAM_NON_BLOCKING);
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	for (int i = 0; i < 150; i++)
		capture_fails(stream, branch, event, i % 3);
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(branch));
}

/* A captured graph, what its nodes say, and it inside another one, of which a node is taken out. */
void graph_test_many(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	size_t used = 0;

	for (int i = 0; i < 300; i++) {
		CUgraphNode nodes[2], inside[2], child, empty;
		CUDA_MEMSET_NODE_PARAMS fill = { 0 };
		CUgraphNodeType type;
		CUgraph graph, outer, copy;
		size_t count = 2;

		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
		if (i % 2)
			cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], (unsigned int)i, N, stream));
		add_run(stream, graph_test.at[0], graph_test.at[0], graph_test.at[2]);
		if (i % 2 == 0)
			cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], (unsigned int)i, N, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
		check(count == 2);
		for (size_t k = 0; k < count; k++) {
			cu_ok(cu(cuGraphNodeGetType)(nodes[k], &type));
			if (type != CU_GRAPH_NODE_TYPE_MEMSET)
				continue;
			cu_ok(cu(cuGraphMemsetNodeGetParams)(nodes[k], &fill));
			check(fill.value == (unsigned int)i);
		}
		cu_ok(cu(cuGraphCreate)(&outer, 0));
		cu_ok(cu(cuGraphAddChildGraphNode)(&child, outer, NULL, 0, graph));
		cu_ok(cu(cuGraphAddEmptyNode)(&empty, outer, &child, 1));
		cu_ok(cu(cuGraphChildGraphNodeGetGraph)(child, &copy));
		cu_ok(cu(cuGraphGetNodes)(copy, inside, &count));
		condition_add(outer, child);
		cu_ok(cu(cuGraphDestroyNode)(empty));
		if (i % 2)
			cu_ok(cu(cuGraphDestroyNode)(child));
		cu_ok(cu(cuGraphDestroy)(outer));
		cu_ok(cu(cuGraphDestroy)(graph));
		if (i == 100)
			used = mallinfo2().uordblks;
	}
	check(mallinfo2().uordblks < used + 32768); /* 0 of both where the allocator is a sanitizer's */
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	captures_fail();
}

/* What the nodes of a graph say that the program did not add itself. */
static void parameters_hold(CUgraph graph, CUfunction function, int value)
{
	int kernels = 0, fills = 0, hosts = 0;
	CUgraphNode nodes[8];
	size_t count = 8;

	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	for (size_t i = 0; i < count; i++) {
		CUDA_KERNEL_NODE_PARAMS kernel = { 0 };
		CUDA_MEMSET_NODE_PARAMS fill = { 0 };
		CUDA_HOST_NODE_PARAMS host = { 0 };
		CUgraphNodeType type;

		cu_ok(cu(cuGraphNodeGetType)(nodes[i], &type));
		if (type == CU_GRAPH_NODE_TYPE_KERNEL) {
			cu_ok(cu(cuGraphKernelNodeGetParams_v2)(nodes[i], &kernel));
			check(kernel.func == function && kernel.gridDimX == N / 64 && kernel.blockDimX == 64);
			check(*(CUdeviceptr *)kernel.kernelParams[2] == graph_test.at[2]);
			check(*(int *)kernel.kernelParams[3] == value);
			cu_is(cu(cuGraphMemsetNodeGetParams)(nodes[i], &fill), CUDA_ERROR_INVALID_VALUE);
			kernels++;
		} else if (type == CU_GRAPH_NODE_TYPE_MEMSET) {
			cu_ok(cu(cuGraphMemsetNodeGetParams)(nodes[i], &fill));
			check(fill.dst == graph_test.at[0] && fill.value == 0x40000000 && fill.width == N);
			fills++;
		} else if (type == CU_GRAPH_NODE_TYPE_HOST) {
			cu_ok(cu(cuGraphHostNodeGetParams)(nodes[i], &host));
			check(host.fn == third && host.userData == graph_test.at);
			hosts++;
		}
	}
	check(kernels == 1 && fills == 1 && hosts == 1);
}

static void test_nodes_of_captures_and_clones_tell_their_parameters(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	CUDA_KERNEL_NODE_PARAMS kernel;
	CUgraph graph, clone;
	CUgraphNode nodes[8];
	size_t count = 8;
	int less = N - 1;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], 0x40000000, N, stream));
	add_run(stream, graph_test.at[0], graph_test.at[0], graph_test.at[2]);
	cu_ok(cu(cuLaunchHostFunc)(stream, third, graph_test.at));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	parameters_hold(graph, graph_test.add, N);
	cu_ok(cu(cuGraphClone)(&clone, graph));
	parameters_hold(clone, graph_test.add, N);
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	for (size_t i = 0; i < count; i++) {
		CUgraphNodeType type;

		cu_ok(cu(cuGraphNodeGetType)(nodes[i], &type));
		if (type != CU_GRAPH_NODE_TYPE_KERNEL)
			continue;
		cu_ok(cu(cuGraphKernelNodeGetParams_v2)(nodes[i], &kernel));
		kernel.kernelParams[3] = &less;
		cu_ok(cu(cuGraphKernelNodeSetParams_v2)(nodes[i], &kernel));
	}
	parameters_hold(graph, graph_test.add, less);
	parameters_hold(clone, graph_test.add, N); /* its own */
	cu_ok(cu(cuGraphDestroy)(clone));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void copy_holds(CUgraphNode node, const void *to, const void *from)
{
	CUDA_MEMCPY3D copy = { 0 };

	cu_ok(cu(cuGraphMemcpyNodeGetParams)(node, &copy));
	check(copy.WidthInBytes == 64 && copy.Height == 1);
	if (copy.srcMemoryType == CU_MEMORYTYPE_HOST)
		check(copy.srcHost == from && copy.dstDevice == graph_test.at[0]);
	else
		check(copy.dstHost == to && copy.srcDevice == graph_test.at[0]);
}

/* Never launched, so nothing of it is in use: the address and what it was charged are free again. */
static void test_what_a_captured_graph_allocates_goes_with_it(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	size_t free_bytes, total;
	CUdeviceptr at;
	CUgraph graph;

	cu_ok(cu(cuMemGetInfo_v2)(&free_bytes, &total));
	for (int round = 0; round < 6; round++) {
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuMemAllocAsync)(&at, free_bytes / 3, stream));
		cu_ok(cu(cuMemsetD8Async)(at, 1, 64, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuMemAllocAsync)(&at, 4 << 20, stream));
		cu_ok(cu(cuMemFreeAsync)(at, stream));
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_captured_copies_of_pinned_memory_are_the_programs(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	CUgraphNode nodes[2];
	size_t count = 2;
	CUgraph graph;
	uint8_t *host;
	void *got;

	cu_ok(cu(cuMemAllocHost_v2)(&got, 4096));
	host = got;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], host + 64, 64, stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host + 128, graph_test.at[0], 64, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	check(count == 2);
	copy_holds(nodes[0], host + 128, host + 64);
	copy_holds(nodes[1], host + 128, host + 64);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFreeHost)(got));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_captured_allocations_words_and_copies_tell_their_parameters(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	CUDA_BATCH_MEM_OP_NODE_PARAMS words = { 0 };
	CUDA_MEM_ALLOC_NODE_PARAMS memory = { 0 };
	char from[64] = "from", to[64];
	CUgraphNodeType type;
	CUgraphNode nodes[8];
	int copies = 0, others = 0;
	size_t count = 8;
	CUdeviceptr at;
	CUgraph graph;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemAllocAsync)(&at, 4096, stream));
	cu_ok(cu(cuStreamWriteValue32_v2)(stream, graph_test.at[1], 77, 0));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], from, sizeof(from), stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(to, graph_test.at[0], sizeof(to), stream));
	cu_ok(cu(cuMemFreeAsync)(at, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	for (size_t i = 0; i < count; i++) {
		cu_ok(cu(cuGraphNodeGetType)(nodes[i], &type));
		if (type == CU_GRAPH_NODE_TYPE_MEMCPY) {
			copy_holds(nodes[i], to, from);
			copies++;
		} else if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) {
			cu_ok(cu(cuGraphMemAllocNodeGetParams)(nodes[i], &memory));
			check(memory.dptr == at && memory.bytesize == 4096 &&
			      memory.poolProps.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
			      !memory.poolProps.location.id);
			others++;
		} else if (type == CU_GRAPH_NODE_TYPE_BATCH_MEM_OP) {
			cu_ok(cu(cuGraphBatchMemOpNodeGetParams)(nodes[i], &words));
			check(words.ctx == graph_test.ctx && words.count == 1 &&
			      words.paramArray[0].operation == CU_STREAM_MEM_OP_WRITE_VALUE_32 &&
			      words.paramArray[0].writeValue.address == graph_test.at[1] &&
			      words.paramArray[0].writeValue.value == 77);
			others++;
		}
	}
	check(count == 5 && copies == 2 && others == 2);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* All but its end and that of its nodes is allowed; hardware's driver takes the program's word for that. */
static void test_what_a_capture_adds_to_stays_until_its_end(void)
{
	CUgraphNodeParams child = { .type = CU_GRAPH_NODE_TYPE_GRAPH,
				    .graph = { .ownership = CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE } };
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at = graph_test.at[0];
	CUstreamCaptureStatus status;
	CUgraph graph, ended, other;
	const CUgraphNode *last;
	CUgraphNode node, made;
	size_t n;
	cu_ok(cu(cuGraphCreate)(&other, 0));
	for (int own = 0; own < 2; own++) {
		cu_ok(cu(cuGraphCreate)(&graph, 0));
		if (own)
			cu_ok(cu(cuGraphDestroy)(graph));
		if (own)
			cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		else
			cu_ok(cu(cuStreamBeginCaptureToGraph)(stream, graph, NULL, NULL, 0,
							      CU_STREAM_CAPTURE_MODE_RELAXED));
		add_run(stream, at, at, at);
		cu_ok(cu(cuStreamGetCaptureInfo_v2)(stream, &status, NULL, &graph, &last, &n));
		check(n == 1);
		node = last[0];
		cu_is(cu(cuGraphDestroy)(graph), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphDestroyNode)(node), CUDA_ERROR_INVALID_VALUE);
		child.graph.graph = graph;
		if (!getenv("PLENUM_TEST_REMOTE")) /* there it is copied */
			cu_is(cu(cuGraphAddNode)(&made, other, NULL, 0, &child), CUDA_ERROR_INVALID_VALUE);
		add_run(stream, at, at, at);
		cu_ok(cu(cuStreamEndCapture)(stream, &ended));
		check(ended == graph);
		cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
		check(n == 2);
		cu_ok(cu(cuGraphDestroyNode)(node));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	cu_ok(cu(cuGraphDestroy)(other));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

void graph_tests_capture(void)
{
	cu_run(test_a_captured_graph_does_what_the_stream_would);
	cu_run(test_memory_of_a_captured_graph_stays_in_its_place);
	cu_run(test_only_what_a_captured_stream_allocates_is_the_graphs);
	cu_run(test_nodes_of_captures_and_clones_tell_their_parameters);
	cu_run(test_what_a_captured_graph_allocates_goes_with_it);
	cu_run(test_captured_copies_of_pinned_memory_are_the_programs);
	cu_run(test_captured_allocations_words_and_copies_tell_their_parameters);
	if (cu_is_reference())
		cu_run(test_what_a_capture_adds_to_stays_until_its_end);
}
