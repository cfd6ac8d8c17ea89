/* Random calls: executable graphs and what is changed of them, captures that branch, objects that graphs keep. */
#include <stdatomic.h>
#include <unistd.h>

#include "differ-nodes.h"

static void do_exec(void)
{
	int x = an_exec(), g = a_graph(), i;
	CUgraphExec exec, made_exec = NULL;
	CUDA_GRAPH_INSTANTIATE_PARAMS params = { .flags = one_of(0, 0, 0, 1, 2, 4, 8, 9, 16, 0x8000),
						 .hErrNode_out = (CUgraphNode)0x5555,
						 .result_out = (CUgraphInstantiateResult)0x5555 };
	CUgraphExecUpdateResultInfo info = { (CUgraphExecUpdateResult)0x5555, (CUgraphNode)0x5555,
					     (CUgraphNode)0x5555 };
	cuuint64_t flags = 0x5555;
	unsigned int enabled = 0x5555;
	CUgraphNodeType type;
	CUgraphNode node;
	CUresult r;
	bool null = one_in(20);
	if (!begin())
		return;
	exec = handle_of(MADE_EXEC, x, CUgraphExec);
	switch (pick(12)) {
	case 0:
	case 1:
		if (slots[MADE_EXEC][x].live) {
			if (one_in(2))
				return;
			CALL(cuGraphExecDestroy, (exec), "X%d", x);
			gone(MADE_EXEC, x);
			return;
		}
		params.hUploadStream = one_in(2) ? own.stream[0] : NULL;
		r = CALL(cuGraphInstantiateWithParams,
			 (null ? NULL : &made_exec, graph_of(g), one_in(20) ? NULL : &params), "X%d, G%d, %#llx%s", x,
			 g, (unsigned long long)params.flags, null ? ", null" : "");
		out_number("result", params.result_out);
		out_nodes(&params.hErrNode_out, 1);
		made(MADE_EXEC, x, r, (uint64_t)(uintptr_t)made_exec, 0);
		shadowed_exec[x] = shadowed[g];
		return;
	case 2:
		CALL(cuGraphExecGetFlags, (exec, null ? NULL : &flags), "X%d", x);
		out_number("flags", (int64_t)flags);
		return;
	case 3:
	case 4:
		r = CALL(cuGraphExecUpdate_v2, (exec, graph_of(g), null ? NULL : &info), "X%d, G%d%s", x, g,
			 null ? ", null" : "");
		/* Left out: what is told of an update that fails, where a graph has copies of the program's memory:
		 * remoted, the nodes that carry the bytes are compared too, so another difference may come first. */
		if (r != CUDA_SUCCESS && (shadowed[g] || shadowed_exec[x]))
			return;
		out_number("result", info.result);
		out_nodes(&info.errorNode, 1);
		out_nodes(&info.errorFromNode, 1);
		return;
	case 5:
		CALL(cuGraphUpload, (exec, own.stream[0]), "X%d, S0", x);
		CALL(cuStreamSynchronize, (own.stream[0]), "S0");
		return;
	case 6:
		type = a_kind();
		i = a_node(type);
		/* What an executable graph says of a node whose graph has it no longer is open. */
		node = slots[MADE_NODE][i].live ? node_of(i) : NULL;
		if (one_in(2))
			CALL(cuGraphNodeSetEnabled, (exec, node, pick(3)), "X%d, N%d", x, i);
		CALL(cuGraphNodeGetEnabled, (exec, node, null ? NULL : &enabled), "X%d, N%d", x, i);
		out_number("enabled", enabled);
		return;
	case 7:
	case 8:
	case 9:
		type = a_kind();
		change(x, a_node(type), type);
		return;
	default:
		launch(exec, x);
	}
}

/* -- objects of the program's, and what graphs allocate ------------------------------------------------------------ */

static _Atomic int destroyed;

static void CUDA_CB object_destroy(void *data)
{
	atomic_fetch_add(&destroyed, *(int *)data);
}

/* The last reference goes at the end, whatever the way; how soon the destructor runs is open. */
static void do_object(void)
{
	static int one = 1;
	unsigned int bad = (unsigned int)one_of(0, 1u << 31, UINT32_MAX);
	int before = atomic_load(&destroyed);
	CUuserObject object = NULL;
	CUgraph graph = NULL, clone = NULL;
	CUgraphExec exec = NULL;
	CUresult r;
	if (!begin())
		return;
	CALL(cuUserObjectCreate, (&object, &one, NULL, 1, 1), "no destructor");
	CALL(cuUserObjectCreate, (&object, &one, object_destroy, (unsigned int)one_of(0, 1u << 31, UINT32_MAX), 1),
	     "bad count");
	CALL(cuUserObjectCreate, (&object, &one, object_destroy, 1, (unsigned int)one_of(0, 2, 3)), "bad flags");
	CALL(cuUserObjectCreate, (NULL, &one, object_destroy, 1, 1), "nowhere");
	out_number("made", object != NULL);
	r = CALL(cuUserObjectCreate, (&object, &one, object_destroy, 3, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC), "own, 3");
	if (r != CUDA_SUCCESS)
		return;
	CALL(cuUserObjectRetain, (object, 2), "own, 2");
	/* Of what the caller does not own CUDA says nothing. */
	CALL(cuUserObjectRetain, (object, bad), "own, bad");
	CALL(cuUserObjectRelease, (object, bad), "own, bad");
	CALL(cuGraphCreate, (&graph, 0), "own");
	CALL(cuGraphRetainUserObject, (graph, object, bad, 0), "own, bad count");
	CALL(cuGraphRetainUserObject, (graph, object, 1, (unsigned int)one_of(2, 3, UINT32_MAX)), "own, bad flags");
	CALL(cuGraphRetainUserObject, (graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE), "own, 1, move"); /* 4 left */
	CALL(cuGraphRetainUserObject, (graph, object, 2, 0), "own, 2");
	CALL(cuGraphReleaseUserObject, (graph, object, bad), "own, bad");
	CALL(cuGraphReleaseUserObject, (graph, object, 1), "own, 1");
	CALL(cuGraphReleaseUserObject, (graph, NULL, 1), "own, none");
	if (one_in(2))
		CALL(cuGraphClone, (&clone, graph), "own");
	if (one_in(2))
		CALL(cuGraphInstantiateWithFlags, (&exec, graph, 0), "own");
	CALL(cuUserObjectRelease, (object, 4), "own, 4");
	if (one_in(2))
		CALL(cuGraphReleaseUserObject, (graph, object, 2), "own, 2");
	if (clone || exec)
		out_number("early", atomic_load(&destroyed) - before);
	if (graph)
		CALL(cuGraphDestroy, (graph), "own");
	if (clone)
		CALL(cuGraphDestroy, (clone), "clone");
	if (exec) {
		CALL(cuGraphLaunch, (exec, own.stream[0]), "own");
		CALL(cuGraphExecDestroy, (exec), "own");
	}
	CALL(cuStreamSynchronize, (own.stream[0]), "S0");
	for (int i = 0; i < 2000 && atomic_load(&destroyed) == before; i++)
		usleep(1000);
	out_number("destroyed", atomic_load(&destroyed) - before);
}

static void do_graph_memory(void)
{
	CUgraphMem_attribute what = (CUgraphMem_attribute)one_of(0, 1, 2, 3, 9);
	int device = one_in(10) ? 9 : 0;
	cuuint64_t value = 0x5555;
	if (!begin())
		return;
	switch (pick(4)) {
	case 0:
	case 1:
		CALL(cuDeviceGetGraphMemAttribute, (device, what, one_in(20) ? NULL : &value), "%d, %d", device,
		     (int)what);
		out_number("is", (int64_t)value);
		return;
	case 2:
		value = one_of(0, 0, 1);
		CALL(cuDeviceSetGraphMemAttribute, (device, what, one_in(20) ? NULL : &value), "%d, %d, %d", device,
		     (int)what, (int)value);
		return;
	default:
		CALL(cuDeviceGraphMemTrim, (device), "%d", device);
	}
}

/* A graph whose nodes follow one another, so that each may read what the one before it wrote. */
static void chain(void)
{
	CUDA_MEM_ALLOC_NODE_PARAMS alloc = { .poolProps = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
							    .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } },
					     .bytesize = 4096 };
	CUdeviceptr at = cell(), sum = cell();
	int value = (int)pick(1000), n = 16;
	void *host_at = host_cell(), *store[] = { &at, &value }, *add[] = { &at, &at, &sum, &n };
	CUDA_KERNEL_NODE_PARAMS kernel = { .gridDimX = 1,
					   .gridDimY = 1,
					   .gridDimZ = 1,
					   .blockDimX = 1,
					   .blockDimY = 1,
					   .blockDimZ = 1,
					   .kernelParams = store };
	CUDA_MEMSET_NODE_PARAMS fill = { .value = pick(256), .elementSize = 1, .width = 64, .height = 1 };
	CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
			       .dstMemoryType = CU_MEMORYTYPE_HOST,
			       .WidthInBytes = 64,
			       .Height = 1,
			       .Depth = 1 };
	CUgraphNode node[7] = { 0 };
	CUgraph graph = NULL;
	CUgraphExec exec = NULL;
	CUdeviceptr more = 0;
	bool frees = !one_in(3), taken = one_in(2);
	CALL(cuGraphCreate, (&graph, 0), "chain");
	if (taken) {
		CALL(cuGraphAddMemAllocNode, (&node[0], graph, NULL, 0, &alloc), "chain");
		at = alloc.dptr;
	} else {
		CALL(cuGraphAddEmptyNode, (&node[0], graph, NULL, 0), "chain");
	}
	fill.dst = at;
	CALL(cuGraphAddMemsetNode, (&node[1], graph, &node[0], 1, &fill, context0()), "chain");
	kernel.func = own.kernel[0];
	CALL(cuGraphAddKernelNode_v2, (&node[2], graph, &node[1], 1, &kernel), "chain, store");
	kernel.func = own.kernel[2];
	kernel.blockDimX = 16;
	kernel.kernelParams = add;
	CALL(cuGraphAddKernelNode_v2, (&node[3], graph, &node[2], 1, &kernel), "chain, add");
	copy.srcDevice = sum;
	copy.dstHost = host_at;
	CALL(cuGraphAddMemcpyNode, (&node[4], graph, &node[3], 1, &copy, context0()), "chain");
	if (taken && frees)
		CALL(cuGraphAddMemFreeNode, (&node[5], graph, &node[4], 1, at), "chain");
	CALL(cuGraphInstantiateWithFlags, (&exec, graph, frees ? 0 : one_of(0, 1)), "chain");
	for (int i = 0; i < 3; i++) {
		launch(exec, -1);
		switch (pick(6)) {
		case 0:
			fill.value = pick(256);
			CALL(cuGraphExecMemsetNodeSetParams, (exec, node[1], &fill, context0()), "chain");
			break;
		case 1:
			value++;
			kernel.func = own.kernel[0];
			kernel.kernelParams = store;
			CALL(cuGraphExecKernelNodeSetParams_v2, (exec, node[2], &kernel), "chain");
			break;
		case 2:
			copy.dstHost = host_cell();
			CALL(cuGraphExecMemcpyNodeSetParams, (exec, node[4], &copy, context0()), "chain");
			break;
		case 3:
			CALL(cuGraphNodeSetEnabled, (exec, node[2], 0), "chain");
			break;
		case 4:
			CALL(cuGraphInstantiateWithFlags, (&exec, graph, 0), "chain, again");
			break;
		default:
			if (!taken || frees)
				break;
			if (one_in(2))
				CALL(cuMemFree_v2, (at), "chain");
			else
				CALL(cuMemFreeAsync, (at, own.stream[0]), "chain");
			CALL(cuStreamSynchronize, (own.stream[0]), "S0");
		}
	}
	CALL(cuGraphDestroy, (graph), "chain");
	if (one_in(2))
		launch(exec, -1);
	CALL(cuGraphExecDestroy, (exec), "chain");
	if (taken && !frees) {
		CALL(cuMemFree_v2, (at), "chain");
		CALL(cuMemFree_v2, (at), "chain, again");
	}
	CALL(cuMemAlloc_v2, (&more, 64), "own");
	CALL(cuMemFree_v2, (more), "own");
	/* What it leaves is the last launch's; the next one with the cells may come much later. */
}

static void do_chain(void)
{
	if (begin())
		chain();
}

/* -- captures ------------------------------------------------------------------------------------------------------ */

static void out_capture(CUstream stream, const char *name)
{
	CUstreamCaptureStatus status = (CUstreamCaptureStatus)0x5555;
	const CUgraphNode *nodes = (const CUgraphNode *)0x5555;
	const CUgraphEdgeData *edges = (const CUgraphEdgeData *)0x5555;
	cuuint64_t id = 0x5555;
	CUgraph graph = (CUgraph)0x5555;
	size_t count = 0x5555;
	CUgraphNodeType type;
	bool third = one_in(2), null = one_in(20);
	if (third)
		CALL(cuStreamGetCaptureInfo_v3,
		     (stream, null ? NULL : &status, &id, &graph, &nodes, one_in(2) ? &edges : NULL, &count), "%s",
		     name);
	else
		CALL(cuStreamGetCaptureInfo_v2,
		     (stream, null ? NULL : &status, &id, one_in(2) ? NULL : &graph, &nodes, one_in(4) ? NULL : &count),
		     "%s", name);
	out_number("status", status);
	out_number("id", id == 0x5555 ? -1 : id != 0);
	out_number("graph", graph == (CUgraph)0x5555 ? -1 : graph != NULL);
	out_number("count", (int64_t)count);
	out_number("edges", edges == (const CUgraphEdgeData *)0x5555 ? -1 : 0);
	if (nodes == (const CUgraphNode *)0x5555 || count == 0x5555)
		return;
	for (size_t i = 0; i < count; i++) {
		type = (CUgraphNodeType)0x5555;
		CALL(cuGraphNodeGetType, (nodes[i], &type), "%s, %zu", name, i);
		out_number("is", type);
	}
}

static void update_capture(CUstream stream, const char *name)
{
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	const CUgraphNode *told = NULL;
	CUgraphNode nodes[MANY], made_node = NULL;
	CUgraphEdgeData edges[MANY] = { 0 };
	CUgraph graph = NULL;
	size_t count = 0;
	unsigned int flags = (unsigned int)one_of(0, 0, 1, 1);
	uint32_t way = pick(6);
	cu(cuStreamGetCaptureInfo_v2)(stream, &status, NULL, &graph, &told, &count);
	for (size_t i = 0; i < count && i < MANY; i++)
		nodes[i] = told[i];
	count = count < MANY ? count : MANY - 1;
	wrong = status != CU_STREAM_CAPTURE_STATUS_ACTIVE;
	if (wrong)
		way = 5;
	else
		flags = (unsigned int)(fault(6) ? 2 : flags);
	if (wrong && way == 3)
		way = 5;
	if (graph && way < 3) {
		CALL(cuGraphAddEmptyNode, (&made_node, graph, nodes, count), "%s", name);
		nodes[0] = made_node;
		count = 1;
	} else if (way == 3) {
		nodes[0] = node_of(any(MADE_NODE)); /* of another graph, or gone */
		count = 1;
		wrong = true;
	} else if (way == 4 && count) {
		nodes[count++] = nodes[0]; /* twice */
	}
	edges[0].type = (unsigned char)(count && fault(4) ? 7 : 0);
	if (edges[0].type || one_in(3))
		CALL(cuStreamUpdateCaptureDependencies_v2,
		     (stream, nodes, !edges[0].type && one_in(2) ? NULL : edges, count, flags),
		     "%s, way %u, %zu, %u, %d", name, way, count, flags, edges[0].type);
	else
		CALL(cuStreamUpdateCaptureDependencies, (stream, nodes, fault(20) ? 1ull << 60 : count, flags),
		     "%s, way %u, %zu, %u", name, way, count, flags);
}

static void captured_call(CUstream stream, const char *name, CUstream other)
{
	CUDA_KERNEL_NODE_PARAMS kernel;
	struct kernel_args args;
	CUdeviceptr memory = 0;
	CUstreamCaptureMode mode;
	CUresult r;
	int k, e = (int)pick(EVENTS);
	uint32_t way = pick(14);
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	cu(cuStreamIsCapturing)(stream, &status);
	switch (way) {
	case 0:
	case 1:
		k = make_kernel(&kernel, &args);
		CALL(cuLaunchKernel,
		     (kernel.func, kernel.gridDimX, kernel.gridDimY, kernel.gridDimZ, kernel.blockDimX,
		      kernel.blockDimY, kernel.blockDimZ, kernel.sharedMemBytes, stream, kernel.kernelParams,
		      kernel.extra),
		     KERNEL_TEXT(k, kernel));
		return;
	case 2:
		CALL(cuMemsetD8Async, (one_in(8) ? 16 : cell(), (unsigned char)pick(256), 16, stream), "%s", name);
		return;
	case 3:
		CALL(cuMemcpyHtoDAsync_v2, (cell(), source + 64 * pick(8), 48, stream), "%s", name);
		return;
	case 4:
		CALL(cuMemcpyDtoHAsync_v2, (host_cell(), own.area + 64 * pick(8), 48, stream), "%s", name);
		return;
	case 5:
		CALL(cuMemcpyDtoDAsync_v2, (cell(), own.area + 64 * pick(8), 48, stream), "%s", name);
		return;
	case 6:
	case 7: /* a branch: joined by the next of its kind, or not */
		CALL(cuEventRecord, (own.event[e], stream), "E%d, %s", e, name);
		CALL(cuStreamWaitEvent, (other, own.event[e], one_in(8) ? 7 : 0), "other, E%d", e);
		return;
	case 8:
		out_capture(stream, name);
		return;
	case 9:
		update_capture(stream, name);
		return;
	case 10:
		mode = (CUstreamCaptureMode)one_of(0, 1, 2, 7);
		CALL(cuThreadExchangeStreamCaptureMode, (one_in(8) ? NULL : &mode), "%d", (int)mode);
		out_number("was", mode);
		return;
	case 11: /* what a mode forbids */
		r = CALL(cuMemAlloc_v2, (&memory, 64), "in a capture");
		if (r == CUDA_SUCCESS) {
			r = CALL(cuMemFree_v2, (memory), "in a capture");
			if (r != CUDA_SUCCESS) {
				mode = CU_STREAM_CAPTURE_MODE_RELAXED;
				cu(cuThreadExchangeStreamCaptureMode)(&mode);
				cu(cuMemFree_v2)(memory);
				cu(cuThreadExchangeStreamCaptureMode)(&mode);
			}
		}
		return;
	case 12:
		if (one_in(3) && status != CU_STREAM_CAPTURE_STATUS_NONE) /* else: whether it has run by now is open */
			CALL(cuStreamQuery, (stream), "%s", name);
		return;
	default: /* whether what it is of has run by now is open */
		say("cuEventQuery", "E%d", e);
		r = cu(cuEventQuery)(own.event[e]);
		gave(r == CUDA_ERROR_NOT_READY ? CUDA_SUCCESS : r);
	}
}

static void do_branches(void)
{
	static const char *const names[] = { "S0", "S1" };
	int g = graph_room(), into = a_graph(), i = any(MADE_NODE), s;
	CUstreamCaptureMode mode = (CUstreamCaptureMode)one_of(0, 1, 2, 2, 5), back_to = CU_STREAM_CAPTURE_MODE_GLOBAL;
	CUgraphNode from = node_of(i);
	CUgraph graph = NULL;
	bool existing = one_in(3);
	size_t dependencies = one_of(0, 0, 1);
	CUresult r;
	if (!begin())
		return;
	out_capture(own.stream[0], "S0");
	if (existing)
		r = CALL(cuStreamBeginCaptureToGraph,
			 (own.stream[0], graph_of(into), &from, NULL, one_in(20) ? 1ull << 60 : dependencies, mode),
			 "S0, G%d, N%d, %zu, %d", into, i, dependencies, (int)mode);
	else
		r = CALL(cuStreamBeginCapture_v2, (own.stream[0], mode), "S0, %d", (int)mode);
	if (existing)
		shadowed[into] = true;
	if (r == CUDA_SUCCESS)
		for (int n = (int)pick(10); n >= 0; n--) {
			s = one_in(3);
			captured_call(own.stream[s], names[s], own.stream[1 - s]);
		}
	if (r == CUDA_SUCCESS && one_in(2)) { /* joined */
		CALL(cuEventRecord, (own.event[0], own.stream[1]), "E0, S1");
		CALL(cuStreamWaitEvent, (own.stream[0], own.event[0], 0), "S0, E0");
	}
	if (one_in(8))
		CALL(cuStreamEndCapture, (own.stream[1], &graph), "S1");
	if (one_in(20))
		CALL(cuStreamEndCapture, (own.stream[0], NULL), "S0, null");
	r = CALL(cuStreamEndCapture, (own.stream[0], &graph), "S0");
	CALL(cuThreadExchangeStreamCaptureMode, (&back_to), "0");
	out_number("was", back_to);
	out_number("made", graph != NULL);
	out_capture(own.stream[1], "S1");
	CALL(cuStreamSynchronize, (own.stream[0]), "S0");
	CALL(cuStreamSynchronize, (own.stream[1]), "S1");
	/* Events that a capture had may not be waited for: they are new. */
	for (int e = 0; e < EVENTS; e++)
		CALL(cuEventRecord, (own.event[e], own.stream[0]), "E%d, S0", e);
	CALL(cuStreamSynchronize, (own.stream[0]), "S0");
	if (r != CUDA_SUCCESS || !graph || which(MADE_GRAPH, (uint64_t)(uintptr_t)graph) >= 0)
		return;
	if (g < 0) {
		CALL(cuGraphDestroy, (graph), "own");
		return;
	}
	printf(" is G%d", g);
	made(MADE_GRAPH, g, r, (uint64_t)(uintptr_t)graph, 0);
	shadowed[g] = true;
}

/* The first nodes of a graph get names: those of captures and clones have none yet. */
static void do_name(void)
{
	int g = a_graph();
	CUgraphNode list[4] = { 0 };
	size_t count = 4;
	if (!begin())
		return;
	if (CALL(cuGraphGetNodes, (graph_of(g), list, &count), "G%d", g) != CUDA_SUCCESS)
		return;
	out_number("count", (int64_t)count);
	for (size_t n = 0; n < count && n < 4; n++) {
		CUgraphNodeType type = (CUgraphNodeType)0x5555;
		int i = -1, free_slot = -1;
		for (int k = 0; k < SLOTS; k++) {
			if (slots[MADE_NODE][k].live && node_of(k) == list[n])
				i = k;
			if (!slots[MADE_NODE][k].live)
				free_slot = k;
		}
		if (i >= 0 || free_slot < 0)
			continue;
		CALL(cuGraphNodeGetType, (list[n], &type), "G%d, %zu, N%d", g, n, free_slot);
		out_number("is", type);
		made(MADE_NODE, free_slot, CUDA_SUCCESS, (uint64_t)(uintptr_t)list[n], (size_t)g);
		types[free_slot] = type;
		ways[free_slot] = WAY_UNKNOWN;
		allocated[free_slot] = 0;
	}
}

const struct operation differ_execs[] = {
	{ "exec", 24, do_exec },  { "object", 1, do_object },     { "graph memory", 3, do_graph_memory },
	{ "chain", 2, do_chain }, { "branches", 6, do_branches }, { "name", 4, do_name },
	{ NULL, 0, NULL }
};
