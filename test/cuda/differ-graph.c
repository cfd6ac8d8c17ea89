/* Random calls: graphs made by hand, captured, launched. */
#include "differ.h"

#define CAPTURED 1 /* in a graph's `bytes` */

/* What graphs work on is not freed, or is no memory at all: nobody says what a graph does with what was freed since. */
static int lasting(void)
{
	int i = one_in(6) ? (int)pick(SLOTS) : 0;
	return slots[MEMORY][i].live ? 0 : i;
}

static void do_graph(void)
{
	int i = any(GRAPH), x = any(EXEC), number, old;
	CUgraph graph = handle_of(GRAPH, i, CUgraph), made_graph = NULL;
	CUgraphExec exec = NULL;
	CUstream stream;
	size_t count = 0x5555;
	unsigned int flags;
	CUresult r;
	switch (pick(8)) {
	case 0:
	case 1:
		i = room(GRAPH);
		if (i < 0)
			return;
		r = CALL(cuGraphCreate, (&made_graph, one_in(8) ? 7 : 0), "g%d", i);
		made(GRAPH, i, r, (uint64_t)(uintptr_t)made_graph, 0);
		return;
	case 2:
		CALL(cuGraphDestroy, (graph), "g%d", i);
		gone(GRAPH, i);
		for (int at = 0; at < SLOTS; at++)
			if (slots[NODE][at].bytes == (size_t)i)
				gone(NODE, at);
		return;
	case 3:
		old = i;
		i = room(GRAPH);
		/* Left out: a clone of a captured graph shows the node behind a copy of the program's memory. */
		if (i < 0 || slots[GRAPH][old].bytes == CAPTURED)
			return;
		r = CALL(cuGraphClone, (&made_graph, graph), "g%d, g%d", i, old);
		made(GRAPH, i, r, (uint64_t)(uintptr_t)made_graph, 0);
		return;
	case 4:
		CALL(cuGraphGetNodes, (graph, NULL, &count), "g%d", i);
		out_number("nodes", (int64_t)count);
		CALL(cuGraphGetRootNodes, (graph, NULL, &count), "g%d", i);
		out_number("roots", (int64_t)count);
		return;
	case 5:
		if (slots[EXEC][x].live) {
			CALL(cuGraphExecDestroy, (handle_of(EXEC, x, CUgraphExec)), "x%d", x);
			gone(EXEC, x);
			return;
		}
		flags = one_in(8) ? 0x8000 : 0;
		r = CALL(cuGraphInstantiateWithFlags, (&exec, graph, flags), "x%d, g%d, %#x", x, i, flags);
		made(EXEC, x, r, (uint64_t)(uintptr_t)exec, 0);
		return;
	default:
		stream = any_stream(&number);
		if (!slots[EXEC][x].live && number >= 0 && !slots[STREAM][number].live)
			return; /* which of two faults is told is open */
		/* What was freed since is found by the launch, or, where that is not waited for, behind it: one result.
		 */
		say("cuGraphLaunch", "x%d, s%d, and wait", x, number);
		r = cu(cuGraphLaunch)(handle_of(EXEC, x, CUgraphExec), stream);
		gave(r ? r : cu(cuStreamSynchronize)(stream));
		settle(stream, any(MEMORY));
	}
}

/* A condition whose value is there at the launch, and a fill in one of its graphs. */
static CUresult condition(int i, int g, int d, size_t dependencies, const CUDA_MEMSET_NODE_PARAMS *set,
			  CUgraphNode *node)
{
	CUgraph graph = handle_of(GRAPH, g, CUgraph);
	CUgraphNode from = handle_of(NODE, d, CUgraphNode), inside = NULL;
	CUcontext ctx = handle_of(CONTEXT, 0, CUcontext);
	CUgraphConditionalHandle handle = 0;
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL };
	CUgraphConditionalNodeType type = (CUgraphConditionalNodeType)one_of(0, 0, 1, 2, 3);
	unsigned int value = type == CU_GRAPH_COND_TYPE_WHILE ? 0 : pick(3), size = (unsigned int)one_of(1, 2, 3, 0);
	CUresult r =
		CALL(cuGraphConditionalHandleCreate,
		     (&handle, graph, ctx, value, one_in(8) ? 6 : CU_GRAPH_COND_ASSIGN_DEFAULT), "g%d, %u", g, value);
	params.conditional.handle = r ? 0x5550 : handle;
	params.conditional.type = type;
	params.conditional.size = size;
	params.conditional.ctx = one_in(8) ? NULL : ctx;
	r = CALL(cuGraphAddNode, (node, graph, &from, dependencies, &params), "n%d, g%d, n%d, %zu, condition %d of %u",
		 i, g, d, dependencies, (int)type, size);
	if (r || one_in(4))
		return r;
	CALL(cuGraphAddMemsetNode, (&inside, params.conditional.phGraph_out[pick(size)], NULL, 0, set, ctx),
	     "inside n%d, %u", i, set->value);
	return r;
}

static void do_node(void)
{
	int i = room(NODE), g = any(GRAPH), d = any(NODE), m = lasting();
	CUgraph graph = handle_of(GRAPH, g, CUgraph);
	CUgraphNode node = NULL, from = handle_of(NODE, d, CUgraphNode);
	/* Nodes with no edge between them have no order, so each slot of a node has its own bytes, behind those that
	 * captured nodes have. */
	size_t dependencies = one_of(0, 0, 1), count = 0x5555, apart = i < 0 ? 0 : (size_t)(i + 1) * 1024;
	CUDA_MEMSET_NODE_PARAMS set = { .dst = slots[MEMORY][m].live ? slots[MEMORY][m].handle + apart : 0,
					.value = pick(256),
					.elementSize = (unsigned int)one_of(1, 1, 2, 4, 3),
					.width = one_of(1, 4, 100, 0),
					.height = 1 };
	CUgraphNodeType type = (CUgraphNodeType)0x5555;
	CUresult r;
	if (i < 0 || one_in(4) ||
	    current() != 0) { /* a graph outlives a context, and who is the worse for it is open */
		i = any(NODE);
		CALL(cuGraphNodeGetType, (handle_of(NODE, i, CUgraphNode), &type), "n%d", i);
		out_number("is", type);
		CALL(cuGraphNodeGetDependentNodes, (handle_of(NODE, i, CUgraphNode), NULL, &count), "n%d", i);
		out_number("behind", (int64_t)count);
		if (one_in(2)) {
			CALL(cuGraphDestroyNode, (handle_of(NODE, i, CUgraphNode)), "n%d", i);
			gone(NODE, i);
		}
		return;
	}
	switch (pick(5)) {
	case 4:
		r = condition(i, g, d, dependencies, &set, &node);
		break;
	case 0:
		r = CALL(cuGraphAddEmptyNode, (&node, graph, &from, dependencies), "n%d, g%d, n%d, %zu", i, g, d,
			 dependencies);
		break;
	case 1: {
		int e = 0; /* the one that lasts: a launch that finds an event gone has done some of its work, or none
			    */
		r = CALL(cuGraphAddEventRecordNode, (&node, graph, &from, dependencies, handle_of(EVENT, e, CUevent)),
			 "n%d, g%d, n%d, %zu, e%d", i, g, d, dependencies, e);
		break;
	}
	default:
		r = CALL(cuGraphAddMemsetNode,
			 (&node, graph, &from, dependencies, &set, handle_of(CONTEXT, 0, CUcontext)),
			 "n%d, g%d, n%d, %zu, m%d, %u, %u, %zu", i, g, d, dependencies, m, set.value, set.elementSize,
			 set.width);
	}
	made(NODE, i, r, (uint64_t)(uintptr_t)node, (size_t)g);
}

static void do_edge(void)
{
	int g = any(GRAPH), a = any(NODE), b = any(NODE);
	CUgraphNode from = handle_of(NODE, a, CUgraphNode), to = handle_of(NODE, b, CUgraphNode);
	size_t count = 0x5555;
	switch (pick(3)) {
	case 0:
		CALL(cuGraphAddDependencies, (handle_of(GRAPH, g, CUgraph), &from, &to, 1), "g%d, n%d, n%d", g, a, b);
		return;
	case 1:
		CALL(cuGraphRemoveDependencies, (handle_of(GRAPH, g, CUgraph), &from, &to, 1), "g%d, n%d, n%d", g, a,
		     b);
		return;
	default:
		CALL(cuGraphGetEdges, (handle_of(GRAPH, g, CUgraph), NULL, NULL, &count), "g%d", g);
		out_number("edges", (int64_t)count);
	}
}

/* Lines of the program's memory, to the device or from it. */
static void captured_lines(CUstream stream, int number, int m, CUdeviceptr at)
{
	bool back = one_in(2);
	CUDA_MEMCPY2D copy = {
		.WidthInBytes = one_of(0, 4, 32, 60), .Height = one_of(0, 1, 2, 3), .srcPitch = 64, .dstPitch = 64
	};
	size_t far = one_of(64, 64, 72, 128, 3);

	copy.srcMemoryType = back ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
	copy.dstMemoryType = back ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	copy.srcHost = copy.dstHost = host[m];
	copy.srcDevice = copy.dstDevice = at;
	*(back ? &copy.srcPitch : &copy.dstPitch) = far;
	*(back ? &copy.dstXInBytes : &copy.srcXInBytes) = one_of(0, 4);
	CALL(cuMemcpy2DAsync_v2, (&copy, stream), "%s m%d pitch %zu, h%d, %zu x %zu, s%d", back ? "back" : "to", m, far,
	     m, copy.WidthInBytes, copy.Height, number);
}

static void do_capture(void)
{
	int number, m = lasting(), g = room(GRAPH), e = 1 + (int)pick(SLOTS - 1);
	CUstream stream = any_stream(&number);
	CUdeviceptr at = slots[MEMORY][m].live ? slots[MEMORY][m].handle : 0;
	CUstreamCaptureMode mode = (CUstreamCaptureMode)one_of(0, 1, 2, 5);
	CUstreamCaptureStatus status = (CUstreamCaptureStatus)0x55;
	CUgraph graph = NULL;
	CUresult r;
	if (g < 0 || current() != 0) /* a graph outlives a context, and who is the worse for it is open */
		return;
	if (CALL(cuStreamBeginCapture_v2, (stream, mode), "s%d, %d", number, (int)mode) != CUDA_SUCCESS)
		return; /* what comes now would run, and who asks for it comes early or late */
	for (int i = (int)pick(4); i >= 0; i--)
		switch (pick(9)) {
		case 0:
			CALL(cuMemsetD8Async, (at, 5, 4, stream), "m%d, 5, 4, s%d", m, number);
			break;
		case 1:
			CALL(cuEventRecord, (handle_of(EVENT, e, CUevent), stream), "e%d, s%d", e, number);
			break;
		case 2:
			CALL(cuStreamIsCapturing, (stream, &status), "s%d", number);
			out_number("is", status);
			break;
		case 3:
			CALL(cuStreamSynchronize, (stream), "s%d", number);
			break;
		case 4:
			CALL(cuMemcpyHtoDAsync_v2, (at, host[m], 100, stream), "m%d, h%d, 100, s%d", m, m, number);
			break;
		case 5:
			CALL(cuStreamQuery, (stream), "s%d", number);
			break;
		case 6:
		case 7:
			captured_lines(stream, number, m, at);
			break;
		default:
			CALL(cuMemcpyDtoHAsync_v2, (host[m], at, 100, stream), "h%d, m%d, 100, s%d", m, m, number);
		}
	r = CALL(cuStreamEndCapture, (stream, &graph), "s%d, g%d", number, g);
	made(GRAPH, g, r, (uint64_t)(uintptr_t)graph, CAPTURED);
	CALL(cuStreamSynchronize, (stream), "s%d", number);
}

const struct operation differ_graph[] = { { "graph", 8, do_graph },
					  { "node", 8, do_node },
					  { "edge", 3, do_edge },
					  { "capture", 5, do_capture },
					  { NULL, 0, NULL } };
