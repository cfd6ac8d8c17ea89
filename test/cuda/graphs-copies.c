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

/* ---- lines and slices, and arrays, in captured streams ---- */

#define COLUMNS 48u /* bytes of a line */
#define LINES   5u
#define SLICES  3u
#define PITCH   64u
#define ROOM    (SLICES * LINES * PITCH)
#define FAR     96u /* pitch in device memory */

struct lines {
	CUarray array;
	uint8_t *host, *other; /* ROOM bytes each */
};

enum { TWO, TWO_FROM, THREE, THREE_FROM, PEER, PEER_FROM, ARRAY, ARRAY_FROM, FLAT, FLAT_FROM, HERE, HERE_FLAT, KINDS };

static bool is_from(int kind)
{
	return kind < HERE && kind & 1;
}

static CUDA_MEMCPY3D slices_of(const struct lines *lines, bool from)
{
	CUDA_MEMCPY3D copy = { .WidthInBytes = COLUMNS, .Height = LINES, .Depth = SLICES };

	if (from) {
		copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
		copy.srcDevice = graph_test.at[0];
		copy.srcPitch = FAR;
		copy.srcHeight = LINES;
		copy.dstMemoryType = CU_MEMORYTYPE_HOST;
		copy.dstHost = lines->host;
		copy.dstPitch = PITCH;
		copy.dstHeight = LINES;
	} else {
		copy.srcMemoryType = CU_MEMORYTYPE_HOST;
		copy.srcHost = lines->host;
		copy.srcPitch = PITCH;
		copy.srcHeight = LINES;
		copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
		copy.dstDevice = graph_test.at[0];
		copy.dstPitch = FAR;
		copy.dstHeight = LINES;
	}
	return copy;
}

/* Of the first slice; the one at the other end is in device memory, or an array. */
static CUDA_MEMCPY2D lines_of(const struct lines *lines, bool from, bool array)
{
	CUDA_MEMCPY2D copy = { .WidthInBytes = COLUMNS, .Height = LINES };

	if (from) {
		copy.srcMemoryType = array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE;
		copy.srcArray = array ? lines->array : NULL;
		copy.srcDevice = array ? 0 : graph_test.at[0];
		copy.srcPitch = FAR;
		copy.dstMemoryType = CU_MEMORYTYPE_HOST;
		copy.dstHost = lines->host;
		copy.dstPitch = PITCH;
	} else {
		copy.srcMemoryType = CU_MEMORYTYPE_HOST;
		copy.srcHost = lines->host;
		copy.srcPitch = PITCH;
		copy.dstMemoryType = array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE;
		copy.dstArray = array ? lines->array : NULL;
		copy.dstDevice = array ? 0 : graph_test.at[0];
		copy.dstPitch = FAR;
	}
	return copy;
}

static CUresult lines_copy(const struct lines *lines, int kind, CUstream stream)
{
	bool from = is_from(kind);
	CUDA_MEMCPY3D slices = slices_of(lines, from);
	CUDA_MEMCPY2D two = lines_of(lines, from, kind == ARRAY || kind == ARRAY_FROM);
	CUDA_MEMCPY3D_PEER peer;

	switch (kind) {
	case THREE:
	case THREE_FROM:
		return cu(cuMemcpy3DAsync_v2)(&slices, stream);
	case PEER:
	case PEER_FROM:
		memcpy(&peer, &slices, sizeof(peer));
		peer.srcContext = peer.dstContext = graph_test.ctx;
		return cu(cuMemcpy3DPeerAsync)(&peer, stream);
	case FLAT:
		return cu(cuMemcpyHtoAAsync_v2)(lines->array, 8, lines->host, COLUMNS, stream);
	case FLAT_FROM:
		return cu(cuMemcpyAtoHAsync_v2)(lines->host, lines->array, 8, COLUMNS, stream);
	case HERE_FLAT:
		return cu(cuMemcpyAsync)((uintptr_t)lines->other, (uintptr_t)lines->host, ROOM, stream);
	case HERE:
		two.dstMemoryType = CU_MEMORYTYPE_HOST;
		two.dstHost = lines->other;
		two.dstPitch = PITCH;
		return cu(cuMemcpy2DAsync_v2)(&two, stream);
	default:
		return cu(cuMemcpy2DAsync_v2)(&two, stream);
	}
}

/* The other end becomes `value` all over, or is so where the copy went. */
static void far_set(const struct lines *lines, unsigned char value)
{
	unsigned char line[128];

	memset(line, value, sizeof(line));
	cu_ok(cu(cuMemsetD8_v2)(graph_test.at[0], value, SLICES * LINES * FAR));
	for (unsigned int y = 0; y < LINES; y++) {
		CUDA_MEMCPY2D copy = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				       .srcHost = line,
				       .dstMemoryType = CU_MEMORYTYPE_ARRAY,
				       .dstArray = lines->array,
				       .dstY = y,
				       .WidthInBytes = sizeof(line),
				       .Height = 1 };

		cu_ok(cu(cuMemcpy2D_v2)(&copy));
	}
	cu_ok(cu(cuStreamSynchronize)(NULL));
}

static bool lines_are(const uint8_t *at, size_t pitch, unsigned int lines, unsigned char value)
{
	for (unsigned int y = 0; y < lines; y++)
		for (unsigned int x = 0; x < COLUMNS; x++)
			if (at[y * pitch + x] != value)
				return false;
	return true;
}

static bool far_is(const struct lines *lines, int kind, unsigned char value)
{
	bool array = kind == ARRAY || kind == FLAT;
	unsigned int count = kind == FLAT ? 1 : kind == THREE || kind == PEER ? LINES * SLICES : LINES;
	uint8_t got[ROOM];
	CUDA_MEMCPY2D copy = { .srcMemoryType = array ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE,
			       .srcArray = array ? lines->array : NULL,
			       .srcDevice = array ? 0 : graph_test.at[0],
			       .srcXInBytes = kind == FLAT ? 8 : 0,
			       .srcPitch = FAR,
			       .dstMemoryType = CU_MEMORYTYPE_HOST,
			       .dstHost = got,
			       .dstPitch = COLUMNS,
			       .WidthInBytes = COLUMNS,
			       .Height = count };

	if (kind >= HERE)
		return lines_are(lines->other, PITCH, LINES, value);
	cu_ok(cu(cuMemcpy2D_v2)(&copy));
	return lines_are(got, COLUMNS, count, value);
}

static void lines_launch(const struct lines *lines, int kind, CUgraphExec exec)
{
	unsigned int count = kind == FLAT_FROM ? 1 : kind == THREE_FROM || kind == PEER_FROM ? LINES * SLICES : LINES;

	for (unsigned char value = 10; value < 13; value++) {
		memset(lines->host, is_from(kind) ? 99 : value, ROOM);
		far_set(lines, is_from(kind) ? value : 99);
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
		cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
		if (!is_from(kind)) {
			check(far_is(lines, kind, value));
			continue;
		}
		check(lines_are(lines->host, PITCH, count, value));
		for (unsigned int at = COLUMNS; at < ROOM; at += PITCH)
			check(lines->host[at] == 99 && lines->host[at + PITCH - COLUMNS - 1] == 99);
	}
}

static void lines_tell(const struct lines *lines, int kind, CUgraphNode node)
{
	CUDA_MEMCPY3D told = { 0 };

	cu_ok(cu(cuGraphMemcpyNodeGetParams)(node, &told));
	check(told.WidthInBytes == COLUMNS);
	if (is_from(kind))
		check(told.dstMemoryType == CU_MEMORYTYPE_HOST && told.dstHost == lines->host);
	else
		check(told.srcMemoryType == CU_MEMORYTYPE_HOST && told.srcHost == lines->host);
	if (kind != FLAT && kind != FLAT_FROM)
		check((is_from(kind) ? told.dstPitch : told.srcPitch) == PITCH && told.Height == LINES);
}

static void lines_run(const struct lines *lines, int kind)
{
	CUgraphNode node;
	size_t count = 1;
	CUgraphExec exec;
	CUgraph graph;

	memset(lines->host, 1, ROOM);
	memset(lines->other, 1, ROOM);
	cu_ok(cu(cuStreamBeginCapture_v2)(graph_test.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(lines_copy(lines, kind, graph_test.stream));
	cu_ok(cu(cuStreamEndCapture)(graph_test.stream, &graph));
	has(graph, 1, 1, 0);
	cu_ok(cu(cuGraphGetNodes)(graph, &node, &count));
	if (kind < HERE)
		lines_tell(lines, kind, node);
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
	lines_launch(lines, kind, exec);
	cu_ok(cu(cuGraphExecDestroy)(exec));
}

static void test_captured_copies_of_lines_and_arrays_are_made_in_each_launch(void)
{
	const CUDA_ARRAY3D_DESCRIPTOR of = {
		.Width = 128, .Height = LINES, .Format = CU_AD_FORMAT_UNSIGNED_INT8, .NumChannels = 1
	};
	static uint8_t plain[2][ROOM];
	struct lines lines = { .host = plain[0], .other = plain[1] };
	void *pinned;

	cu_ok(cu(cuArray3DCreate_v2)(&lines.array, &of));
	cu_ok(cu(cuMemHostAlloc)(&pinned, 2 * ROOM, 0));
	for (int i = 0; i < 2; i++) {
		for (int kind = 0; kind < KINDS; kind++)
			lines_run(&lines, kind);
		lines.host = pinned;
		lines.other = lines.host + ROOM;
	}
	cu_ok(cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuArrayDestroy)(lines.array));
}

/* The capture goes on, and what it made waits for nothing. */
static void test_captured_copies_of_lines_that_are_refused_leave_nothing(void)
{
	const CUDA_ARRAY3D_DESCRIPTOR of = {
		.Width = 16, .Height = 2, .Format = CU_AD_FORMAT_UNSIGNED_INT8, .NumChannels = 1
	};
	static uint8_t host[2][ROOM];
	struct lines lines = { .host = host[0], .other = host[1] };
	CUDA_MEMCPY2D narrow = lines_of(&lines, false, false);
	CUgraph graph;

	if (!cu_is_reference())
		return;
	cu_ok(cu(cuArray3DCreate_v2)(&lines.array, &of));
	narrow.dstPitch = COLUMNS - 1;
	cu_ok(cu(cuStreamBeginCapture_v2)(graph_test.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	for (int kind = ARRAY; kind <= FLAT_FROM; kind++)
		cu_is(lines_copy(&lines, kind, graph_test.stream), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpy2DAsync_v2)(&narrow, graph_test.stream), CUDA_ERROR_INVALID_VALUE);
	cu_ok(lines_copy(&lines, TWO, graph_test.stream));
	cu_ok(cu(cuStreamEndCapture)(graph_test.stream, &graph));
	has(graph, 1, 1, 0);
	memset(host, 7, sizeof(host));
	run(graph);
	check(far_is(&lines, TWO, 7));
	cu_ok(cu(cuGraphDestroy)(graph));
	/* What is wrong with a copy is said ahead of what is with the capture. */
	cu_ok(cu(cuStreamBeginCapture_v2)(graph_test.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuStreamSynchronize)(graph_test.stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	cu_is(cu(cuMemcpy2DAsync_v2)(&narrow, graph_test.stream), CUDA_ERROR_INVALID_VALUE);
	cu_is(lines_copy(&lines, TWO, graph_test.stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_is(lines_copy(&lines, TWO_FROM, graph_test.stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_is(cu(cuStreamEndCapture)(graph_test.stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_ok(cu(cuArrayDestroy)(lines.array));
}

void graph_tests_copies(void)
{
	cu_run(test_a_capture_tells_the_copy_itself);
	cu_run(test_an_update_that_fails_tells_the_copy_itself);
	cu_run(test_a_copy_does_not_follow_itself);
	cu_run(test_copies_of_graphs_have_as_many_nodes);
	cu_run(test_a_copy_goes_whole);
	cu_run(test_a_copy_that_is_refused_leaves_nothing);
	cu_run(test_captured_copies_of_lines_and_arrays_are_made_in_each_launch);
	cu_run(test_captured_copies_of_lines_that_are_refused_leave_nothing);
}
