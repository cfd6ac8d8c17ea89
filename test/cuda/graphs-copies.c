/* Copies of the program's memory in graphs are one node each, whoever has to bring the bytes. */
#include "graphs.h"

static char program[64];

static CUDA_MEMCPY3D line(bool to_program)
{
	CUDA_MEMCPY3D copy = { .WidthInBytes = sizeof(program), .Height = 1, .Depth = 1 };

	copy.srcMemoryType = to_program ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
	copy.dstMemoryType = to_program ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	if (to_program) {
		copy.srcDevice = graph_test.at[0];
		copy.dstHost = program;
	} else {
		copy.srcHost = program;
		copy.dstDevice = graph_test.at[0];
	}
	return copy;
}

static CUgraph graph_of(bool to_program, CUgraphNode *node)
{
	CUDA_MEMCPY3D copy = line(to_program);
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemcpyNode)(node, graph, NULL, 0, &copy, graph_test.ctx));
	return graph;
}

static void test_a_capture_tells_the_copy_itself(void)
{
	CUstreamCaptureStatus status;
	const CUgraphNode *nodes;
	CUgraphNodeType type;
	CUgraphNode found[4];
	CUstream stream;
	CUgraph graph;
	size_t count;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (int to_program = 0; to_program < 2; to_program++) {
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		if (to_program)
			cu_ok(cu(cuMemcpyDtoHAsync_v2)(program, graph_test.at[0], sizeof(program), stream));
		else
			cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], program, sizeof(program), stream));
		cu_ok(cu(cuStreamGetCaptureInfo_v2)(stream, &status, NULL, &graph, &nodes, &count));
		check(count == 1);
		cu_ok(cu(cuGraphNodeGetType)(nodes[0], &type));
		check(type == CU_GRAPH_NODE_TYPE_MEMCPY);
		cu_ok(cu(cuGraphAddEmptyNode)(&found[0], graph, nodes, count));
		cu_ok(cu(cuStreamUpdateCaptureDependencies)(stream, found, 1, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		count = 4;
		cu_ok(cu(cuGraphGetNodes)(graph, found, &count));
		check(count == 2);
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_an_update_that_fails_tells_the_copy_itself(void)
{
	CUgraphNode to_node, from_node;
	CUgraph to = graph_of(true, &to_node), from = graph_of(false, &from_node);
	CUgraphExecUpdateResultInfo info;
	CUgraphExec exec;

	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, i ? from : to, 0));
		memset(&info, 0, sizeof(info));
		cu_is(cu(cuGraphExecUpdate_v2)(exec, i ? to : from, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
		check(info.result != CU_GRAPH_EXEC_UPDATE_SUCCESS && info.errorNode == (i ? to_node : from_node));
		cu_ok(cu(cuGraphExecDestroy)(exec));
	}
	cu_ok(cu(cuGraphDestroy)(to));
	cu_ok(cu(cuGraphDestroy)(from));
}

/* Hardware's driver finds a circle when the graph is to run. */
static void test_a_copy_does_not_follow_itself(void)
{
	if (!cu_is_reference())
		return;
	for (int to_program = 0; to_program < 2; to_program++) {
		CUgraphNode node, from[2], to[2];
		CUgraph graph = graph_of(to_program, &node);
		CUgraphExec exec;
		size_t count;

		cu_is(cu(cuGraphAddDependencies)(graph, &node, &node, 1), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphRemoveDependencies)(graph, &node, &node, 1), CUDA_ERROR_INVALID_VALUE);
		count = 2;
		cu_ok(cu(cuGraphGetEdges)(graph, from, to, &count));
		check(count == 0);
		cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
}

static void run(CUgraph graph)
{
	CUgraphExec exec;

	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
}

static void has(CUgraph graph, size_t nodes, size_t roots, size_t edges)
{
	size_t count;

	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &count));
	check(count == nodes);
	cu_ok(cu(cuGraphGetRootNodes)(graph, NULL, &count));
	check(count == roots);
	cu_ok(cu(cuGraphGetEdges)(graph, NULL, NULL, &count));
	check(count == edges);
}

/* The bytes that a copy brings, to the program or from it. */
static void brings(CUgraph graph, bool to_program)
{
	char device[sizeof(program)];

	memset(program, 'p', sizeof(program));
	cu_ok(cu(cuMemsetD8_v2)(graph_test.at[0], 'd', sizeof(program)));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	run(graph);
	cu_ok(cu(cuMemcpyDtoH_v2)(device, graph_test.at[0], sizeof(device)));
	check(!memcmp(device, program, sizeof(program)) && device[9] == (to_program ? 'd' : 'p'));
}

static void test_copies_of_graphs_have_as_many_nodes(void)
{
	for (int to_program = 0; to_program < 2; to_program++) {
		CUgraphNode first, node, last, child, found, list[2], after;
		CUgraph graph = graph_of(to_program, &node), clone, outer, inside;
		size_t count = 2;

		cu_ok(cu(cuGraphAddEmptyNode)(&first, graph, NULL, 0));
		cu_ok(cu(cuGraphAddDependencies)(graph, &first, &node, 1));
		cu_ok(cu(cuGraphAddEmptyNode)(&last, graph, &node, 1));
		cu_ok(cu(cuGraphClone)(&clone, graph));
		has(clone, 3, 1, 2);
		cu_ok(cu(cuGraphNodeFindInClone)(&found, node, clone));
		cu_ok(cu(cuGraphNodeFindInClone)(&after, last, clone));
		cu_ok(cu(cuGraphNodeGetDependentNodes)(found, list, &count));
		check(count == 1 && list[0] == after);
		cu_ok(cu(cuGraphNodeGetDependencies)(after, list, &count));
		check(count == 1 && list[0] == found);
		cu_ok(cu(cuGraphCreate)(&outer, 0));
		cu_ok(cu(cuGraphAddChildGraphNode)(&child, outer, NULL, 0, clone));
		cu_ok(cu(cuGraphChildGraphNodeGetGraph)(child, &inside));
		has(inside, 3, 1, 2);
		cu_ok(cu(cuGraphDestroy)(graph));
		brings(clone, to_program);
		cu_ok(cu(cuGraphDestroy)(clone));
		brings(outer, to_program);
		cu_ok(cu(cuGraphClone)(&clone, outer));
		cu_ok(cu(cuGraphNodeFindInClone)(&child, child, clone));
		cu_ok(cu(cuGraphChildGraphNodeGetGraph)(child, &inside));
		has(inside, 3, 1, 2);
		cu_ok(cu(cuGraphDestroy)(outer));
		brings(clone, to_program);
		cu_ok(cu(cuGraphDestroy)(clone));
	}
}

/* Of a copy that is gone nothing stays, also of one that was captured. */
static void test_a_copy_goes_whole(void)
{
	for (int i = 0; i < 4; i++) {
		bool to_program = i & 1;
		CUgraphNode first, node, found;
		CUgraph graph, clone;
		size_t count = 1;

		if (i < 2) {
			graph = graph_of(to_program, &node);
		} else {
			cu_ok(cu(cuStreamBeginCapture_v2)(graph_test.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
			if (to_program)
				cu_ok(cu(cuMemcpyDtoHAsync_v2)(program, graph_test.at[0], 64, graph_test.stream));
			else
				cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], program, 64, graph_test.stream));
			cu_ok(cu(cuStreamEndCapture)(graph_test.stream, &graph));
			cu_ok(cu(cuGraphGetNodes)(graph, &node, &count));
		}
		cu_ok(cu(cuGraphAddEmptyNode)(&first, graph, NULL, 0));
		cu_ok(cu(cuGraphAddDependencies)(graph, &first, &node, 1));
		cu_ok(cu(cuGraphClone)(&clone, graph));
		cu_ok(cu(cuGraphNodeFindInClone)(&found, node, clone));
		cu_ok(cu(cuGraphDestroyNode)(node));
		has(graph, 1, 1, 0);
		memset(program, 'p', sizeof(program));
		run(graph);
		check(program[0] == 'p');
		brings(clone, to_program);
		cu_ok(cu(cuGraphDestroyNode)(found));
		has(clone, 1, 1, 0);
		memset(program, 'p', sizeof(program));
		run(clone);
		check(program[0] == 'p');
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuGraphDestroy)(clone));
	}
}

/* A graph that allocates lets no node go, so nothing may have been made.  Hardware's driver may take no context. */
static void test_a_copy_that_is_refused_leaves_nothing(void)
{
	CUDA_MEM_ALLOC_NODE_PARAMS memory = { .poolProps = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
							     .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } },
					      .bytesize = 4096 };
	CUgraphNode allocates, node;
	CUgraph graph;

	if (!cu_is_reference())
		return;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemAllocNode)(&allocates, graph, NULL, 0, &memory));
	for (int to_program = 0; to_program < 2; to_program++) {
		CUDA_MEMCPY3D copy = line(to_program);

		cu_is(cu(cuGraphAddMemcpyNode)(&node, graph, NULL, 0, &copy, NULL), CUDA_ERROR_INVALID_CONTEXT);
		has(graph, 1, 1, 0);
	}
	cu_ok(cu(cuGraphAddMemFreeNode)(&node, graph, &allocates, 1, memory.dptr));
	run(graph);
	cu_ok(cu(cuGraphDestroy)(graph));
}

void graph_tests_copies(void)
{
	cu_run(test_a_capture_tells_the_copy_itself);
	cu_run(test_an_update_that_fails_tells_the_copy_itself);
	cu_run(test_a_copy_does_not_follow_itself);
	cu_run(test_copies_of_graphs_have_as_many_nodes);
	cu_run(test_a_copy_goes_whole);
	cu_run(test_a_copy_that_is_refused_leaves_nothing);
}
