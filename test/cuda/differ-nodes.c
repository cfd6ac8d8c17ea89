/* Random calls: graphs and their nodes of every kind, with parameters, attributes and edges. */
#include "differ-nodes.h"

static void do_add(void)
{
	int i = (int)pick(SLOTS), g = a_graph(), before[2] = { any(MADE_NODE), any(MADE_NODE) }, k, e, a;
	CUgraphNode node = NULL, *place = &node, from[2];
	size_t count = one_of(0, 0, 1, 1, 2);
	uint32_t way = 0;
	CUgraphNodeType type = a_kind();
	CUDA_MEM_ALLOC_NODE_PARAMS alloc;
	CUDA_KERNEL_NODE_PARAMS kernel;
	CUDA_MEMSET_NODE_PARAMS fill;
	struct kernel_args args;
	CUDA_MEMCPY3D copy;
	const char *what;
	CUdeviceptr address;
	CUcontext ctx;
	CUevent event;
	CUgraph graph;
	CUresult r;
	if (!begin())
		return;
	graph = graph_of(g);
	wrong = !slots[MADE_GRAPH][g].live;
	if (fault(20))
		place = NULL;
	ctx = (type == CU_GRAPH_NODE_TYPE_MEMCPY || type == CU_GRAPH_NODE_TYPE_MEMSET) && fault(10) ? NULL : context0();
	for (int d = 0; d < 2; d++) {
		if (!one_in(6)) /* one of the same graph, where it is found at once */
			for (int n = 0; n < SLOTS; n++)
				if (slots[MADE_NODE][n].live && slots[MADE_NODE][n].bytes == (size_t)g &&
				    n != before[1 - d])
					before[d] = n;
		from[d] = node_of(before[d]);
		if ((size_t)d >= count)
			continue;
		if (!slots[MADE_NODE][before[d]].live || slots[MADE_NODE][before[d]].bytes != (size_t)g ||
		    (d && before[0] == before[1])) {
			if (wrong)
				return;
			wrong = true;
		}
	}
	if (fault(30))
		count = 1ull << 60;
	else if (count && fault(30))
		from[0] = NULL;
	printf("\n      N%d, G%d, N%d N%d, %zu%s%s", i, g, before[0], before[1], count, from[0] ? "" : ", null",
	       ctx ? "" : ", no context");
	switch (type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		k = make_kernel(&kernel, &args);
		r = CALL(cuGraphAddKernelNode_v2, (place, graph, from, count, fault(20) ? NULL : &kernel),
			 KERNEL_TEXT(k, kernel));
		break;
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		way = pick(4);
		what = make_copy(&copy, way);
		r = CALL(cuGraphAddMemcpyNode, (place, graph, from, count, fault(20) ? NULL : &copy, ctx), "%s, %zu",
			 what, copy.WidthInBytes);
		break;
	case CU_GRAPH_NODE_TYPE_MEMSET:
		make_memset(&fill);
		r = CALL(cuGraphAddMemsetNode, (place, graph, from, count, fault(20) ? NULL : &fill, ctx),
			 MEMSET_TEXT(fill));
		break;
	case CU_GRAPH_NODE_TYPE_GRAPH:
		a = a_graph();
		if (wrong && (!slots[MADE_GRAPH][a].live || a == g))
			return;
		shadowed[g] |= shadowed[a];
		r = CALL(cuGraphAddChildGraphNode, (place, graph, from, count, graph_of(a)), "G%d", a);
		break;
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		e = make_event(&event);
		r = CALL(cuGraphAddEventRecordNode, (place, graph, from, count, event), "E%d", e);
		break;
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		e = make_event(&event);
		r = CALL(cuGraphAddEventWaitNode, (place, graph, from, count, event), "E%d", e);
		break;
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		make_alloc(&alloc);
		r = CALL(cuGraphAddMemAllocNode, (place, graph, from, count, fault(20) ? NULL : &alloc), "%zu",
			 alloc.bytesize);
		out_number("address", alloc.dptr == 0x55 ? -1 : alloc.dptr != 0);
		if (!r)
			allocated[i] = alloc.dptr;
		break;
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		a = a_node(CU_GRAPH_NODE_TYPE_MEM_ALLOC);
		address = types[a] == CU_GRAPH_NODE_TYPE_MEM_ALLOC && slots[MADE_NODE][a].live ? allocated[a]
											       : one_of(0, 16);
		if (wrong && address < 4096)
			return;
		r = CALL(cuGraphAddMemFreeNode, (place, graph, from, count, address), "of N%d", a);
		break;
	default:
		r = CALL(cuGraphAddEmptyNode, (place, graph, from, count), " ");
	}
	if (r == CUDA_SUCCESS) {
		types[i] = type;
		ways[i] = way;
		if (way == 1 || way == 2)
			shadowed[g] = true;
	}
	made(MADE_NODE, i, r, (uint64_t)(uintptr_t)node, (size_t)g);
	/* a slot that had another node: that goes on, without a name */
	if (r == CUDA_SUCCESS && type != CU_GRAPH_NODE_TYPE_MEM_ALLOC)
		allocated[i] = 0;
}

static void out_kernel(const CUDA_KERNEL_NODE_PARAMS *p)
{
	int k = -1;
	CUdeviceptr at = 0;
	for (int i = 0; i < KERNELS; i++)
		if (p->func == own.kernel[i])
			k = i;
	out_number("kernel", k);
	out_number("func", p->func != NULL);
	printf(" %u %u %u %u %u %u %u", p->gridDimX, p->gridDimY, p->gridDimZ, p->blockDimX, p->blockDimY, p->blockDimZ,
	       p->sharedMemBytes);
	out_number("extra", p->extra != NULL);
	out_number("kern", p->kern != NULL);
	if (k < 0 || !p->kernelParams || p->kernelParams == (void **)0x5555)
		return;
	memcpy(&at, p->kernelParams[k == 2 ? 2 : 0], 8);
	out_address("at", at);
	if (k != 1)
		out_number("value", *(int *)p->kernelParams[k == 2 ? 3 : 1]);
}

static void out_copy(const CUDA_MEMCPY3D *p)
{
	printf(" %d %d", (int)p->srcMemoryType, (int)p->dstMemoryType);
	/* What lies in the fields of the other kinds of memory is nobody's. */
	if (p->srcMemoryType == CU_MEMORYTYPE_HOST)
		out_address("from", (uint64_t)(uintptr_t)p->srcHost);
	else
		out_address("from", p->srcDevice);
	if (p->dstMemoryType == CU_MEMORYTYPE_HOST)
		out_address("to", (uint64_t)(uintptr_t)p->dstHost);
	else
		out_address("to", p->dstDevice);
	printf(" %zu %zu %zu", p->WidthInBytes, p->Height, p->Depth);
	if (p->Height > 1 || p->Depth > 1) /* the pitch of one line is nobody's */
		printf(" %zu %zu", p->srcPitch, p->dstPitch);
}

static void type_settle(CUmemorytype *type)
{
	if (*type == CU_MEMORYTYPE_UNIFIED)
		*type = CU_MEMORYTYPE_DEVICE;
}

static void do_get(void)
{
	CUgraphNodeType type = a_kind(), is = (CUgraphNodeType)0x5555;
	int i = a_node(type), null = one_in(20);
	CUDA_MEM_ALLOC_NODE_PARAMS alloc = { .bytesize = 0x5555, .dptr = 0x55 };
	CUDA_KERNEL_NODE_PARAMS kernel = { .gridDimX = 0x5555 };
	CUDA_MEMSET_NODE_PARAMS fill = { .value = 0x5555 };
	CUDA_MEMCPY3D copy = { .WidthInBytes = 0x5555 };
	CUgraphNode node = node_of(i), list[MANY];
	CUdeviceptr address = 0x55;
	CUevent event = NULL;
	CUgraph graph = NULL;
	size_t count = MANY;
	if (!begin())
		return;
	switch (type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		CALL(cuGraphKernelNodeGetParams_v2, (node, null ? NULL : &kernel), "N%d", i);
		out_kernel(&kernel);
		return;
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		CALL(cuGraphMemcpyNodeGetParams, (node, null ? NULL : &copy), "N%d", i);
		if (ways[i] == WAY_UNKNOWN) { /* a clone's: remoted, where it lies is all that is known of it */
			type_settle(&copy.srcMemoryType);
			type_settle(&copy.dstMemoryType);
		}
		out_copy(&copy);
		return;
	case CU_GRAPH_NODE_TYPE_MEMSET:
		CALL(cuGraphMemsetNodeGetParams, (node, null ? NULL : &fill), "N%d", i);
		out_address("to", fill.dst);
		printf(" %zu %#x %u %zu %zu", fill.pitch, fill.value, fill.elementSize, fill.width, fill.height);
		return;
	case CU_GRAPH_NODE_TYPE_GRAPH:
		CALL(cuGraphChildGraphNodeGetGraph, (node, null ? NULL : &graph), "N%d", i);
		out_number("is", graph != NULL);
		out_number("of ours", which(MADE_GRAPH, (uint64_t)(uintptr_t)graph));
		if (!graph)
			return;
		CALL(cuGraphGetNodes, (graph, list, &count), "child");
		out_number("nodes", (int64_t)count);
		for (size_t n = 0; n < count && n < MANY; n++) {
			CALL(cuGraphNodeGetType, (list[n], &is), "child, %zu", n);
			out_number("is", is);
		}
		return;
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		CALL(cuGraphEventRecordNodeGetEvent, (node, null ? NULL : &event), "N%d", i);
		out_event(event);
		return;
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		CALL(cuGraphEventWaitNodeGetEvent, (node, null ? NULL : &event), "N%d", i);
		out_event(event);
		return;
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		CALL(cuGraphMemAllocNodeGetParams, (node, null ? NULL : &alloc), "N%d", i);
		printf(" %zu %d %d %d %zu", alloc.bytesize, (int)alloc.poolProps.allocType,
		       (int)alloc.poolProps.location.type, alloc.poolProps.location.id, alloc.accessDescCount);
		out_number("same", alloc.dptr == allocated[i]);
		return;
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		CALL(cuGraphMemFreeNodeGetParams, (node, null ? NULL : &address), "N%d", i);
		for (int n = 0; n < SLOTS; n++)
			if (allocated[n] == address)
				out_number("of", n);
		return;
	default:
		CALL(cuGraphNodeGetType, (node, null ? NULL : &is), "N%d", i);
		out_number("is", is);
	}
}

void change(int x, int i, CUgraphNodeType type)
{
	CUgraphExec exec = x < 0 ? NULL : handle_of(MADE_EXEC, x, CUgraphExec);
	CUgraphNode node = node_of(i);
	CUDA_KERNEL_NODE_PARAMS kernel;
	CUDA_MEMSET_NODE_PARAMS fill;
	struct kernel_args args;
	CUDA_MEMCPY3D copy;
	const char *what;
	CUevent event;
	CUcontext ctx = context0();
	uint32_t way;
	int k, e, g, null;
	wrong = !slots[MADE_NODE][i].live || types[i] != type || (x >= 0 && !slots[MADE_EXEC][x].live);
	null = x < 0 && fault(20);
	if (x >= 0 && !slots[MADE_NODE][i].live) /* what an executable graph says of what its graph has not is open */
		node = NULL;
	if (x >= 0 && !wrong) { /* so that a node that is not the graph's is the only fault */
		unsigned int enabled;
		if (type == CU_GRAPH_NODE_TYPE_EVENT_RECORD)
			wrong = CALL(cuGraphExecEventRecordNodeSetEvent, (exec, node, own.event[0]), "X%d, N%d, E0", x,
				     i) != CUDA_SUCCESS;
		else if (type == CU_GRAPH_NODE_TYPE_WAIT_EVENT)
			wrong = CALL(cuGraphExecEventWaitNodeSetEvent, (exec, node, own.event[0]), "X%d, N%d, E0", x,
				     i) != CUDA_SUCCESS;
		else if (type != CU_GRAPH_NODE_TYPE_GRAPH)
			wrong = cu(cuGraphNodeGetEnabled)(exec, node, &enabled) != CUDA_SUCCESS;
		null = fault(20);
		if (fault(10))
			ctx = NULL;
	}
	printf("\n      X%d, N%d%s%s", x, i, null ? ", null" : "", ctx ? "" : ", no context");
	switch (type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		k = make_kernel(&kernel, &args);
		if (x < 0)
			CALL(cuGraphKernelNodeSetParams_v2, (node, null ? NULL : &kernel), KERNEL_TEXT(k, kernel));
		else
			CALL(cuGraphExecKernelNodeSetParams_v2, (exec, node, null ? NULL : &kernel),
			     KERNEL_TEXT(k, kernel));
		return;
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		/* Left out: another direction, where the program's memory is an end, before or now: remoted, the node
		 * that carries the bytes has its place on one side of the copy, and the call is refused. */
		way = ways[i];
		if (way == WAY_UNKNOWN)
			return;
		what = make_copy(&copy, way == 0 || way == 3 ? one_of(0, 3) : way);
		if (x < 0)
			CALL(cuGraphMemcpyNodeSetParams, (node, null ? NULL : &copy), "%s, %zu", what,
			     copy.WidthInBytes);
		else
			CALL(cuGraphExecMemcpyNodeSetParams, (exec, node, null ? NULL : &copy, ctx), "%s, %zu", what,
			     copy.WidthInBytes);
		return;
	case CU_GRAPH_NODE_TYPE_MEMSET:
		make_memset(&fill);
		if (x < 0)
			CALL(cuGraphMemsetNodeSetParams, (node, null ? NULL : &fill), MEMSET_TEXT(fill));
		else
			CALL(cuGraphExecMemsetNodeSetParams, (exec, node, null ? NULL : &fill, ctx), MEMSET_TEXT(fill));
		return;
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		e = make_event(&event);
		if (x < 0)
			CALL(cuGraphEventRecordNodeSetEvent, (node, event), "E%d", e);
		else
			CALL(cuGraphExecEventRecordNodeSetEvent, (exec, node, event), "E%d", e);
		return;
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		e = make_event(&event);
		if (x < 0)
			CALL(cuGraphEventWaitNodeSetEvent, (node, event), "E%d", e);
		else
			CALL(cuGraphExecEventWaitNodeSetEvent, (exec, node, event), "E%d", e);
		return;
	case CU_GRAPH_NODE_TYPE_GRAPH:
		if (x < 0)
			return;
		g = a_graph();
		if (wrong && !slots[MADE_GRAPH][g].live)
			return;
		CALL(cuGraphExecChildGraphNodeSetParams, (exec, node, graph_of(g)), "G%d", g);
		return;
	default:
		return;
	}
}

static void do_set(void)
{
	CUgraphNodeType type = a_kind();
	int i = a_node(type);
	if (begin())
		change(-1, i, type);
}

static void do_attribute(void)
{
	int i = a_node(CU_GRAPH_NODE_TYPE_KERNEL), from = a_node(CU_GRAPH_NODE_TYPE_KERNEL), null = one_in(20);
	CUkernelNodeAttrID what = (CUkernelNodeAttrID)one_of(1, 2, 4, 5, 8, 9, 10, 14, 0, 3, 13, 16, 99);
	CUkernelNodeAttrValue value;
	if (!begin())
		return;
	switch (pick(3)) {
	case 0:
		memset(&value, 0x55, sizeof(value));
		CALL(cuGraphKernelNodeGetAttribute, (node_of(i), what, null ? NULL : &value), "N%d, %d", i, (int)what);
		out(&value, sizeof(value));
		return;
	case 1:
		memset(&value, 0, sizeof(value));
		*(unsigned int *)&value = (unsigned int)one_of(0, 1, 2, 1);
		if (what == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION)
			((unsigned int *)&value)[1] = ((unsigned int *)&value)[2] = 1;
		CALL(cuGraphKernelNodeSetAttribute, (node_of(i), what, null ? NULL : &value), "N%d, %d, %u", i,
		     (int)what, *(unsigned int *)&value);
		return;
	default:
		CALL(cuGraphKernelNodeCopyAttributes, (node_of(i), node_of(from)), "N%d, N%d", i, from);
	}
}

void out_nodes(const CUgraphNode *list, size_t count)
{
	printf(" [");
	for (size_t i = 0; i < count && i < MANY; i++) {
		int n = -1;
		for (int k = 0; k < SLOTS; k++)
			if (list[i] && slots[MADE_NODE][k].live && node_of(k) == list[i])
				n = k;
		printf("%s%d", i ? " " : "", list[i] == NULL ? -3 : list[i] == (CUgraphNode)0x5555 ? -2 : n);
	}
	printf("]");
}

static int slot_of(CUgraphNode node)
{
	for (int i = 0; i < SLOTS; i++)
		if (node && slots[MADE_NODE][i].live && node_of(i) == node)
			return i;
	return node == NULL ? 9 : node == (CUgraphNode)0x5555 ? 8 : 7;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void out_pairs(const CUgraphNode *from, const CUgraphNode *to, size_t count)
{
	int pairs[MANY];
	for (size_t i = 0; i < count; i++)
		pairs[i] = slot_of(from[i]) * 10 + slot_of(to[i]);
	qsort(pairs, count, sizeof(pairs[0]), compare);
	printf(" [");
	for (size_t i = 0; i < count; i++)
		printf("%s%02d", i ? " " : "", pairs[i]);
	printf("]");
}

static void do_edges(void)
{
	int g = a_graph(), n[2] = { any(MADE_NODE), any(MADE_NODE) }, m[2] = { any(MADE_NODE), any(MADE_NODE) };
	CUgraphNode from[2] = { node_of(n[0]), node_of(n[1]) }, to[2] = { node_of(m[0]), node_of(m[1]) };
	size_t count = one_of(0, 1, 2, 3, MANY), pairs = one_of(0, 1, 1, 1, 2), asked = count;
	CUgraphNode list[MANY], others[MANY];
	CUgraphEdgeData edges[MANY];
	bool null, plain, lists = !one_in(4), dead[2], alike;
	uint32_t way = pick(8);
	if (!begin())
		return;
	plain = one_in(2);
	for (int i = 0; i < 2; i++)
		dead[i] = !slots[MADE_NODE][n[i]].live || !slots[MADE_NODE][m[i]].live ||
			  slots[MADE_NODE][n[i]].bytes != (size_t)g || slots[MADE_NODE][m[i]].bytes != (size_t)g;
	alike = n[0] == m[0] || (pairs == 2 && (n[1] == m[1] || (n[0] == n[1] && m[0] == m[1])));
	if (way < 3)
		wrong = !slots[MADE_NODE][n[0]].live;
	else if (way < 6)
		wrong = !slots[MADE_GRAPH][g].live;
	else if (dead[0] + (pairs == 2 && dead[1]) + alike + !slots[MADE_GRAPH][g].live > 1)
		return;
	else if (pairs == 2 && dead[1]) /* whether the first edge stays where the second is refused is open */
		return;
	else
		wrong = pairs && (dead[0] || (pairs == 2 && dead[1]) || alike || !slots[MADE_GRAPH][g].live);
	null = fault(20);
	for (int i = 0; i < MANY; i++)
		list[i] = others[i] = (CUgraphNode)0x5555;
	memset(edges, 0x55, sizeof(edges));
	switch (way) {
	case 0:
		CALL(cuGraphNodeGetDependencies, (from[0], lists ? list : NULL, null ? NULL : &count), "N%d, %zu%s%s",
		     n[0], asked, lists ? "" : ", no list", null ? ", null" : "");
		break;
	case 1:
		CALL(cuGraphNodeGetDependencies_v2,
		     (from[0], lists ? list : NULL, plain ? NULL : edges, null ? NULL : &count), "N%d, %zu%s%s%s", n[0],
		     asked, lists ? "" : ", no list", plain ? "" : ", edges", null ? ", null" : "");
		break;
	case 2:
		CALL(cuGraphNodeGetDependentNodes_v2,
		     (from[0], lists ? list : NULL, plain ? NULL : edges, null ? NULL : &count), "N%d, %zu%s%s%s", n[0],
		     asked, lists ? "" : ", no list", plain ? "" : ", edges", null ? ", null" : "");
		break;
	case 3:
		CALL(cuGraphGetNodes, (graph_of(g), lists ? list : NULL, null ? NULL : &count), "G%d, %zu%s%s", g,
		     asked, lists ? "" : ", no list", null ? ", null" : "");
		break;
	case 4:
		CALL(cuGraphGetRootNodes, (graph_of(g), lists ? list : NULL, null ? NULL : &count), "G%d, %zu%s%s", g,
		     asked, lists ? "" : ", no list", null ? ", null" : "");
		break;
	case 5:
		CALL(cuGraphGetEdges_v2,
		     (graph_of(g), lists ? list : NULL, lists ? others : NULL, plain ? NULL : edges,
		      null ? NULL : &count),
		     "G%d, %zu%s%s%s", g, asked, lists ? "" : ", no list", plain ? "" : ", edges",
		     null ? ", null" : "");
		break;
	case 6:
		memset(edges, 0, sizeof(edges));
		edges[0].type = (unsigned char)(!plain && pairs && fault(4) ? one_of(1, 7) : 0);
		CALL(cuGraphAddDependencies_v2,
		     (graph_of(g), null ? NULL : from, to, plain ? NULL : edges,
		      plain && fault(20) ? 1ull << 60 : pairs),
		     "G%d, N%d N%d, N%d N%d, %zu%s%s, %d", g, n[0], n[1], m[0], m[1], pairs, plain ? "" : ", edges",
		     null ? ", null" : "", edges[0].type);
		return;
	default:
		memset(edges, 0, sizeof(edges));
		edges[0].type = (unsigned char)(!plain && pairs && fault(4) ? one_of(1, 7) : 0);
		CALL(cuGraphRemoveDependencies_v2,
		     (graph_of(g), null ? NULL : from, to, plain ? NULL : edges,
		      plain && fault(20) ? 1ull << 60 : pairs),
		     "G%d, N%d N%d, N%d N%d, %zu%s%s, %d", g, n[0], n[1], m[0], m[1], pairs, plain ? "" : ", edges",
		     null ? ", null" : "", edges[0].type);
		return;
	}
	out_number("count", (int64_t)count);
	if (lists && !null && count == asked) /* which of more is open, and so is the order */
		return;
	out_pairs(list, others, MANY);
	/* What is behind the edges that there are is nobody's. */
	if (!null && count <= MANY && lists)
		out(edges, count * sizeof(edges[0]));
}

static void do_made_graph(void)
{
	int g = a_graph(), room_at = graph_room(), i = any(MADE_NODE);
	CUgraph graph = graph_of(g), clone = NULL;
	CUgraphNode found = NULL;
	CUgraphNodeType type = (CUgraphNodeType)0x5555;
	CUresult r;
	if (!begin())
		return;
	switch (pick(6)) {
	case 0:
	case 1:
		if (room_at < 0)
			return;
		r = CALL(cuGraphCreate, (one_in(20) ? NULL : &clone, one_in(20) ? 7 : 0), "G%d", room_at);
		made(MADE_GRAPH, room_at, r, (uint64_t)(uintptr_t)clone, 0);
		shadowed[room_at] = false;
		return;
	case 2:
		if (!one_in(2))
			return;
		CALL(cuGraphDestroy, (graph), "G%d", g);
		graph_gone(g);
		return;
	case 3:
		if (!one_in(3))
			return;
		CALL(cuGraphDestroyNode, (node_of(i)), "N%d", i);
		gone(MADE_NODE, i);
		return;
	default:
		r = CALL(cuGraphClone, (one_in(20) ? NULL : &clone, graph), "own, G%d", g);
		out_number("made", clone != NULL);
		for (int n = 0; n < SLOTS; n++) {
			found = (CUgraphNode)0x5555;
			CALL(cuGraphNodeFindInClone,
			     (one_in(20) ? NULL : &found, node_of(n), one_in(8) ? graph : clone), "N%d, own", n);
			out_number("found", found == (CUgraphNode)0x5555 ? -1 : found != NULL);
			if (found && found != (CUgraphNode)0x5555) {
				CALL(cuGraphNodeGetType, (found, &type), "found");
				out_number("is", type);
			}
		}
		if (r != CUDA_SUCCESS)
			return;
		if (room_at < 0 || one_in(2)) {
			CALL(cuGraphDestroy, (clone), "own");
			return;
		}
		printf(" is G%d", room_at);
		made(MADE_GRAPH, room_at, r, (uint64_t)(uintptr_t)clone, 0);
		shadowed[room_at] = shadowed[g];
	}
}

/* -- executable ---------------------------------------------------------------------------------------------------- */

int an_exec(void)
{
	int x = (int)pick(GRAPHS);
	if (one_in(8))
		return x;
	for (int k = 0; k < GRAPHS; k++, x = (x + 1) % GRAPHS)
		if (slots[MADE_EXEC][x].live)
			break;
	return x;
}

void launch(CUgraphExec exec, int x)
{
	CUstream stream = own.stream[pick(STREAMS)];
	CUresult r;
	/* What was freed since is found by the launch, or, where that is not waited for, behind it: one result. */
	say("cuGraphLaunch", "X%d, and wait", x);
	r = cu(cuGraphLaunch)(exec, stream);
	gave(r ? r : cu(cuStreamSynchronize)(stream));
	settled(stream);
}

const struct operation differ_nodes[] = { { "add", 24, do_add },    { "get", 10, do_get },
					  { "set", 8, do_set },     { "attribute", 4, do_attribute },
					  { "edges", 8, do_edges }, { "made graph", 10, do_made_graph },
					  { NULL, 0, NULL } };
