/* Graphs: objects of the program's that they hold, functions of the program's that they run, nodes of all kinds. */
#include <stdatomic.h>

#include "lasting-kinds.h"

static void CUDA_CB count_up(void *counter)
{
	++*(_Atomic uint32_t *)counter;
}

/* What has no order of its own comes soon. */
static uint32_t counted(_Atomic uint32_t *counter, uint32_t least)
{
	for (int i = 0; *counter < least && i < 5000; i++)
		cu_nap_ms(1);
	return *counter;
}

/* ---- objects of the program's ---- */

static struct {
	CUuserObject held, moved, late;
	CUgraph graph;
	CUgraphExec exec;
	_Atomic uint32_t held_gone, moved_gone, late_gone, ended_gone;
} of_objects;

static void objects_make(void)
{
	CUuserObject ended;
	CUgraph graph = graph_make();
	CUgraphNode node;

	cu_ok(cu(cuUserObjectCreate)(&of_objects.held, &of_objects.held_gone, count_up, 2,
				     CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	cu_ok(cu(cuUserObjectCreate)(&of_objects.moved, &of_objects.moved_gone, count_up, 1,
				     CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	cu_ok(cu(cuUserObjectCreate)(&of_objects.late, &of_objects.late_gone, count_up, 1,
				     CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	cu_ok(cu(cuUserObjectCreate)(&ended, &of_objects.ended_gone, count_up, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	cu_ok(cu(cuUserObjectRetain)(of_objects.late, 1));
	cu_ok(cu(cuUserObjectRelease)(ended, 1));
	check(counted(&of_objects.ended_gone, 1) == 1);
	cu_ok(cu(cuGraphAddEmptyNode)(&node, graph, NULL, 0));
	cu_ok(cu(cuGraphRetainUserObject)(graph, of_objects.held, 1, 0));
	cu_ok(cu(cuGraphRetainUserObject)(graph, of_objects.moved, 1, CU_GRAPH_USER_OBJECT_MOVE));
	of_objects.exec = exec_make(graph);
	of_objects.graph = graph;
}

/* Each ends once, and only when the last one has let go of it: the graph, what was made of it, the program. */
static void objects_use(uint32_t number)
{
	if (number == 3) {
		exec_run(of_objects.exec);
		cu_ok(cu(cuGraphDestroy)(of_objects.graph));
		cu_ok(cu(cuUserObjectRelease)(of_objects.late, 1));
	} else if (number == 4) {
		check(!of_objects.moved_gone);
		cu_ok(cu(cuGraphExecDestroy)(of_objects.exec));
		check(counted(&of_objects.moved_gone, 1) == 1);
		cu_ok(cu(cuUserObjectRelease)(of_objects.held, 1));
	} else if (number == 5) {
		check(!of_objects.held_gone && !of_objects.late_gone);
		cu_ok(cu(cuUserObjectRelease)(of_objects.held, 1));
		cu_ok(cu(cuUserObjectRelease)(of_objects.late, 1));
		check(counted(&of_objects.held_gone, 1) == 1 && counted(&of_objects.late_gone, 1) == 1);
	}
	printf("%u %u %u %u", of_objects.held_gone, of_objects.moved_gone, of_objects.late_gone, of_objects.ended_gone);
}

/* ---- functions of the program's ---- */

static struct {
	CUgraphExec made, captured;
	CUgraphNode node; /* of the first one, whose graph stays */
	_Atomic uint32_t in_made, in_captured, changed, launched, called;
} of_functions;

static void CUDA_CB called_back(CUstream stream, CUresult status, void *counter)
{
	(void)stream;
	check(!status);
	count_up(counter);
}

static void functions_make(void)
{
	CUDA_HOST_NODE_PARAMS host = { .fn = count_up, .userData = &of_functions.in_made };
	CUgraph graph = graph_make();

	cu_ok(cu(cuGraphAddHostNode)(&of_functions.node, graph, NULL, 0, &host));
	of_functions.made = exec_make(graph);
	cu_ok(cu(cuStreamBeginCapture_v2)(has.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuLaunchHostFunc)(has.stream, count_up, &of_functions.in_captured));
	cu_ok(cu(cuStreamEndCapture)(has.stream, &graph));
	of_functions.captured = exec_make(graph);
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void functions_use(uint32_t number)
{
	CUDA_HOST_NODE_PARAMS host = { .fn = count_up, .userData = &of_functions.changed }, seen;

	if (number == 3)
		cu_ok(cu(cuGraphExecHostNodeSetParams)(of_functions.made, of_functions.node, &host));
	cu_ok(cu(cuGraphHostNodeGetParams)(of_functions.node, &seen));
	check(seen.fn == count_up && seen.userData == &of_functions.in_made);
	exec_run(of_functions.made);
	exec_run(of_functions.captured);
	cu_ok(cu(cuLaunchHostFunc)(has.stream, count_up, &of_functions.launched));
	cu_ok(cu(cuStreamAddCallback)(has.stream, called_back, &of_functions.called, 0));
	cu_ok(cu(cuStreamSynchronize)(has.stream));
	printf("%u %u %u %u %u", of_functions.in_made, of_functions.in_captured, of_functions.changed,
	       of_functions.launched, of_functions.called);
}

/* ---- nodes ---- */

static struct {
	CUdeviceptr words[4];
	CUgraphExec exec, wide;
	CUgraph wide_graph; /* stays */
	CUgraphNode wide_node;
	CUevent event;
} of_nodes;

static CUDA_KERNEL_NODE_PARAMS grow_node(void *params[2], unsigned int shared_bytes)
{
	CUDA_KERNEL_NODE_PARAMS node = cu_kernel_node(has.grow, WORDS / 128, 128, params);

	node.sharedMemBytes = shared_bytes;
	return node;
}

/* Parameters that are set need more shared memory than the function has leave for afterwards. */
static void wide_make(void)
{
	uint32_t by = 3;
	void *params[] = { &of_nodes.words[3], &by };
	CUDA_KERNEL_NODE_PARAMS node = grow_node(params, 0);

	of_nodes.wide_graph = graph_make();
	cu_ok(cu(cuGraphAddKernelNode_v2)(&of_nodes.wide_node, of_nodes.wide_graph, NULL, 0, &node));
	of_nodes.wide = exec_make(of_nodes.wide_graph);
	cu_ok(cu(cuFuncSetAttribute)(has.grow, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 60000));
	by = 5;
	node = grow_node(params, 60000);
	cu_ok(cu(cuGraphExecKernelNodeSetParams_v2)(of_nodes.wide, of_nodes.wide_node, &node));
	cu_ok(cu(cuFuncSetAttribute)(has.grow, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1000));
}

static void nodes_make(void)
{
	CUDA_MEMSET_NODE_PARAMS set = { .value = 5, .elementSize = 4, .width = 8, .height = 1 };
	CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
			       .dstMemoryType = CU_MEMORYTYPE_DEVICE,
			       .WidthInBytes = 64,
			       .Height = 1,
			       .Depth = 1 };
	CUgraph graph = graph_make(), child = graph_make(), clone;
	CUgraphNode node[6];

	for (uint32_t i = 0; i < 4; i++)
		of_nodes.words[i] = words_make(i);
	cu_ok(cu(cuEventCreate)(&of_nodes.event, CU_EVENT_BLOCKING_SYNC));
	set.dst = of_nodes.words[0];
	copy.srcDevice = of_nodes.words[0];
	copy.dstDevice = of_nodes.words[1] + 256;
	cu_ok(cu(cuGraphAddMemsetNode)(&node[0], graph, NULL, 0, &set, has.context));
	cu_ok(cu(cuGraphAddMemcpyNode)(&node[1], graph, &node[0], 1, &copy, has.context));
	cu_ok(cu(cuGraphAddEventRecordNode)(&node[2], graph, &node[1], 1, of_nodes.event));
	cu_ok(cu(cuGraphAddEventWaitNode)(&node[3], graph, &node[2], 1, of_nodes.event));
	set.dst = of_nodes.words[2] + 128;
	cu_ok(cu(cuGraphAddMemsetNode)(&node[4], child, NULL, 0, &set, has.context));
	cu_ok(cu(cuGraphAddChildGraphNode)(&node[5], graph, &node[3], 1, child));
	cu_ok(cu(cuGraphDestroy)(child));
	cu_ok(cu(cuGraphClone)(&clone, graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	of_nodes.exec = exec_make(clone);
	cu_ok(cu(cuGraphDestroy)(clone));
	wide_make();
}

static void nodes_use(uint32_t number)
{
	CUDA_KERNEL_NODE_PARAMS seen;

	for (uint32_t i = 0; i < 4; i++)
		grow(has.grow, of_nodes.words[i], number, NULL);
	exec_run(of_nodes.exec);
	cu_ok(cu(cuEventSynchronize)(of_nodes.event));
	exec_run(of_nodes.wide);
	cu_ok(cu(cuGraphKernelNodeGetParams_v2)(of_nodes.wide_node, &seen));
	check(seen.func == has.grow && !seen.sharedMemBytes);
	for (uint32_t i = 0; i < 4; i++)
		printf("%s%08x", i ? " " : "", hash_of(of_nodes.words[i]));
}

const struct kind kind_objects = { "objects", objects_make, objects_use };
const struct kind kind_functions = { "functions", functions_make, functions_use };
const struct kind kind_nodes = { "nodes", nodes_make, nodes_use };
