/*
 * Random calls: nodes of every kind with their parameters, executable graphs and what is changed of them, captures that
 * branch, objects that graphs keep.
 *
 * Nodes without an edge between them have no order, and a node may run in several copies of its graph at once: so all
 * parameters that a node is ever given write bytes of their own, which they share with no others, and read only what
 * no node writes.
 */
#include <stdatomic.h>
#include <unistd.h>

#include "differ.h"

enum {
	GRAPHS = 3, /* few, so that each gets several nodes */
	KERNELS = 3,
	EVENTS = 3,
	STREAMS = 2,
	CELL = 64,
	SOURCE = 4096, /* at the head of the area: written once */
	AREA = 256 * 1024,
	MANY = 12,
	WAY_UNKNOWN = 9
};

static struct {
	bool ready;
	CUmodule module;
	CUfunction kernel[KERNELS];
	CUevent event[EVENTS];
	CUstream stream[STREAMS];
	CUdeviceptr area;
	uint32_t cells, host_cells;
} own;
static const char *const kernel_names[KERNELS] = { "store", "count", "add" };
static unsigned char source[SOURCE], target[AREA], back[AREA];
static CUgraphNodeType types[SLOTS]; /* of the nodes in the slots */
static uint32_t ways[SLOTS];         /* of copies: as make_copy() has them */
/* Graphs with copies of the program's memory: remoted, the server has a node more for each, which nobody sees. */
static bool shadowed[GRAPHS], shadowed_exec[GRAPHS];
static CUdeviceptr allocated[SLOTS]; /* what a node in that slot allocates */

/* A call gets one fault at most: which of two is told is open. */
static bool wrong;

static bool fault(uint32_t count)
{
	if (wrong || !one_in(count))
		return false;
	wrong = true;
	return true;
}

static CUcontext context0(void)
{
	return handle_of(CONTEXT, 0, CUcontext);
}

/* All here is of the first context: a graph outlives a context, and who is the worse for it is open. */
static bool begin(void)
{
	char *text;
	wrong = false;
	if (current() != 0)
		CALL(cuCtxSetCurrent, (context0()), "c0");
	if (own.ready)
		return true;
	own.ready = true;
	memset(target, 0x77, sizeof(target)); /* what no copy brings */
	text = cu_ptx("kernels.ptx");
	CALL(cuModuleLoadData, (&own.module, text), "own");
	free(text);
	for (int i = 0; i < KERNELS; i++)
		CALL(cuModuleGetFunction, (&own.kernel[i], own.module, kernel_names[i]), "%s", kernel_names[i]);
	for (int i = 0; i < EVENTS; i++)
		CALL(cuEventCreate, (&own.event[i], 0), "E%d", i);
	for (int i = 0; i < STREAMS; i++)
		CALL(cuStreamCreate, (&own.stream[i], 1), "S%d", i);
	CALL(cuMemAlloc_v2, (&own.area, AREA), "area");
	for (int i = 0; i < SOURCE; i++)
		source[i] = (unsigned char)(i * 13 + i / 256);
	CALL(cuMemsetD8_v2, (own.area, 0, AREA), "area");
	CALL(cuMemcpyHtoD_v2, (own.area, source, SOURCE), "area");
	CALL(cuCtxSynchronize, (), " ");
	return true;
}

static CUdeviceptr cell(void)
{
	return own.area + SOURCE + CELL * (own.cells++ % ((AREA - SOURCE) / CELL));
}

static void *host_cell(void)
{
	return target + CELL * (own.host_cells++ % (AREA / CELL));
}

static void settled(CUstream stream)
{
	CALL(cuStreamSynchronize, (stream), "own");
	memset(back, 0xcc, sizeof(back));
	CALL(cuMemcpyDtoH_v2, (back, own.area, AREA), "area");
	out(back, AREA);
	out(target, AREA);
}

/* An address by what it is of ours. */
static void out_address(const char *what, uint64_t address)
{
	uint64_t from_host = (uint64_t)(uintptr_t)source, to_host = (uint64_t)(uintptr_t)target;
	if (address >= own.area && address < own.area + AREA)
		printf(" %s area+%llu", what, (unsigned long long)(address - own.area));
	else if (address >= from_host && address < from_host + SOURCE)
		printf(" %s source+%llu", what, (unsigned long long)(address - from_host));
	else if (address >= to_host && address < to_host + AREA)
		printf(" %s target+%llu", what, (unsigned long long)(address - to_host));
	else if (address < 4096)
		printf(" %s %llu", what, (unsigned long long)address);
	else
		printf(" %s other", what);
}

static void out_event(CUevent event)
{
	for (int i = 0; i < EVENTS; i++)
		if (event == own.event[i]) {
			out_number("E", i);
			return;
		}
	out_number("e", which(EVENT, (uint64_t)(uintptr_t)event));
}

static int a_graph(void)
{
	int i = (int)pick(GRAPHS);
	if (one_in(8))
		return i;
	for (int k = 0; k < GRAPHS; k++, i = (i + 1) % GRAPHS)
		if (slots[MADE_GRAPH][i].live)
			break;
	return i;
}

static int graph_room(void)
{
	for (int i = 0; i < GRAPHS; i++)
		if (!slots[MADE_GRAPH][i].live)
			return i;
	return -1;
}

static CUgraph graph_of(int i)
{
	return i < 0 ? NULL : handle_of(MADE_GRAPH, i, CUgraph);
}

static CUgraphNode node_of(int i)
{
	return i < 0 ? NULL : handle_of(MADE_NODE, i, CUgraphNode);
}

/* A node of the kind, where there is one; now and then any. */
static int a_node(CUgraphNodeType type)
{
	int at = (int)pick(SLOTS);
	if (one_in(6))
		return any(MADE_NODE);
	for (int i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS)
		if (slots[MADE_NODE][at].live && types[at] == type)
			return at;
	return any(MADE_NODE);
}

static void graph_gone(int g)
{
	gone(MADE_GRAPH, g);
	for (int i = 0; i < SLOTS; i++)
		if (slots[MADE_NODE][i].live && slots[MADE_NODE][i].bytes == (size_t)g)
			gone(MADE_NODE, i);
}

/* -- parameters ---------------------------------------------------------------------------------------------------- */

struct kernel_args {
	CUdeviceptr at[3];
	int value;
	void *params[4];
	void *extra[5];
	size_t bytes;
	unsigned char packed[32];
};

static int make_kernel(CUDA_KERNEL_NODE_PARAMS *to, struct kernel_args *args)
{
	int k = (int)pick(KERNELS);
	uint32_t dead = pick(SLOTS);
	*args = (struct kernel_args){ .at = { own.area, own.area + 64, cell() }, .value = 16 };
	if (k == 2) {
		args->params[0] = &args->at[0];
		args->params[1] = &args->at[1];
		args->params[2] = &args->at[2];
		args->params[3] = &args->value;
		args->bytes = 28;
		memcpy(args->packed, args->at, 24);
		memcpy(args->packed + 24, &args->value, 4);
	} else {
		args->value = (int)pick(1000);
		args->params[0] = &args->at[2];
		args->params[1] = &args->value;
		args->bytes = 12;
		memcpy(args->packed, &args->at[2], 8);
		memcpy(args->packed + 8, &args->value, 4);
	}
	args->extra[0] = CU_LAUNCH_PARAM_BUFFER_POINTER;
	args->extra[1] = args->packed;
	args->extra[2] = CU_LAUNCH_PARAM_BUFFER_SIZE;
	args->extra[3] = &args->bytes;
	args->extra[4] = CU_LAUNCH_PARAM_END;
	*to = (CUDA_KERNEL_NODE_PARAMS){ .func = own.kernel[k],
					 .gridDimX = (unsigned int)one_of(1, 1, 2),
					 .gridDimY = 1,
					 .gridDimZ = 1,
					 .blockDimX = (unsigned int)one_of(1, 16, 32),
					 .blockDimY = 1,
					 .blockDimZ = (unsigned int)one_of(1, 1, 1, 2),
					 .sharedMemBytes = (unsigned int)one_of(0, 0, 256),
					 .kernelParams = args->params };
	if (k == 2) /* each sum once: threads beyond are none */
		to->gridDimX = to->blockDimZ = 1;
	if (one_in(4)) {
		to->kernelParams = NULL;
		to->extra = args->extra;
	}
	if (!fault(4))
		return k;
	switch (pick(8)) {
	case 0:
		to->func = NULL;
		break;
	case 1:
		if (!slots[FUNCTION][dead].live && slots[FUNCTION][dead].handle)
			to->func = handle_of(FUNCTION, dead, CUfunction);
		break;
	case 2:
		to->gridDimY = 0;
		break;
	case 3:
		to->blockDimX = (unsigned int)one_of(0, 1025, 1u << 31);
		break;
	case 4:
		to->sharedMemBytes = (unsigned int)one_of(50000, 1u << 31);
		break;
	case 5:
		to->kernelParams = args->params;
		to->extra = args->extra;
		break;
	case 6:
		to->kernelParams = NULL;
		to->extra = NULL;
		break;
	default:
		to->ctx = context0();
	}
	return k;
}

#define KERNEL_TEXT(k, p)                                                                                              \
	"%s%s, %u %u %u, %u %u %u, %u, %s%s", (p).func ? kernel_names[k] : "none",                                     \
		(p).func && (p).func != own.kernel[k] ? " gone" : "", (p).gridDimX, (p).gridDimY, (p).gridDimZ,        \
		(p).blockDimX, (p).blockDimY, (p).blockDimZ, (p).sharedMemBytes, (p).kernelParams ? "params" : "",     \
		(p).extra ? "extra" : ""

static void make_memset(CUDA_MEMSET_NODE_PARAMS *to)
{
	*to = (CUDA_MEMSET_NODE_PARAMS){ .dst = cell(),
					 .value = pick(256),
					 .elementSize = (unsigned int)one_of(1, 1, 2, 4),
					 .width = one_of(1, 4, 7, 16),
					 .height = 1,
					 .pitch = one_of(0, 0, 16, 64) };
	if (one_in(5)) { /* a few short lines */
		to->height = 3;
		to->width = 2;
		to->pitch = 16;
	}
	if (!fault(4))
		return;
	switch (pick(8)) {
	case 0:
		to->dst = one_of(0, 16, 1ull << 46);
		break;
	case 1:
		to->elementSize = (unsigned int)one_of(0, 3, 8);
		break;
	case 2:
		to->width = one_of(0, AREA, 1ull << 40, UINT64_MAX);
		to->dst = to->width == AREA ? own.area + AREA - 64 : to->dst;
		break;
	case 3:
		to->height = one_of(0, 1ull << 40);
		break;
	case 4:
		to->pitch = 1;
		break;
	case 5:
		to->dst += 1;
		break;
	case 6:
		to->value = 0x12345678;
		break;
	default:
		to->dst = own.area + AREA;
	}
}

#define MEMSET_TEXT(p)                                                                                                 \
	"area+%lld, %zu, %#x, %u, %zu, %zu", (long long)((p).dst - own.area), (p).pitch, (p).value, (p).elementSize,   \
		(p).width, (p).height

static const char *make_copy(CUDA_MEMCPY3D *to, uint32_t way)
{
	*to = (CUDA_MEMCPY3D){ .WidthInBytes = one_of(4, 16, 64), .Height = 1, .Depth = 1 };
	if (one_in(5)) {
		to->Height = 2;
		to->WidthInBytes = 8;
		to->srcPitch = 32;
		to->dstPitch = 16;
	}
	to->srcMemoryType = way == 1 ? CU_MEMORYTYPE_HOST : way == 3 ? CU_MEMORYTYPE_UNIFIED : CU_MEMORYTYPE_DEVICE;
	to->dstMemoryType = way == 2 ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	to->srcHost = source + 64 * pick(8);
	to->srcDevice = own.area + 64 * pick(8);
	to->dstDevice = cell();
	to->dstHost = host_cell();
	if (way != 1)
		to->srcHost = NULL;
	else
		to->srcDevice = 0;
	if (way != 2)
		to->dstHost = NULL;
	else
		to->dstDevice = 0;
	if (!fault(4))
		return way == 1 ? "HtoD" : way == 2 ? "DtoH" : way == 3 ? "UtoD" : "DtoD";
	switch (pick(8)) {
	case 0:
		to->dstMemoryType = (CUmemorytype)one_of(0, 7);
		return "wrong kind";
	case 1:
		to->WidthInBytes = 0;
		return "no width";
	case 2:
		to->Height = 0;
		return "no height";
	case 3:
		to->Depth = 0;
		return "no depth";
	case 4:
		to->WidthInBytes = one_of(AREA, 1ull << 40);
		to->srcMemoryType = to->dstMemoryType = CU_MEMORYTYPE_DEVICE;
		to->srcDevice = own.area + AREA - 64;
		return "too wide";
	case 5:
		to->srcMemoryType = CU_MEMORYTYPE_DEVICE;
		to->srcDevice = one_of(0, 16, 1ull << 46);
		return "nowhere";
	case 6:
		to->Height = 4;
		to->WidthInBytes = 16;
		to->srcPitch = to->dstPitch = 8;
		return "pitch too small";
	default:
		to->srcMemoryType = CU_MEMORYTYPE_ARRAY;
		to->srcArray = NULL;
		return "no array";
	}
}

static int make_event(CUevent *to)
{
	int e = (int)pick(EVENTS);
	*to = own.event[e];
	if (!fault(5))
		return e;
	e = (int)pick(SLOTS);
	if (slots[EVENT][e].live) {
		*to = NULL;
		return -1;
	}
	*to = handle_of(EVENT, e, CUevent);
	return -2 - e;
}

static void make_alloc(CUDA_MEM_ALLOC_NODE_PARAMS *to)
{
	*to = (CUDA_MEM_ALLOC_NODE_PARAMS){ .poolProps = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
							   .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } },
					    .bytesize = one_of(4, 100, 65536, 1 << 20),
					    .dptr = 0x55 };
	if (!fault(3))
		return;
	switch (pick(6)) {
	case 0:
		to->bytesize = one_of(0, 1ull << 50, UINT64_MAX);
		break;
	case 1:
		to->poolProps.allocType = (CUmemAllocationType)0;
		break;
	case 2:
		to->poolProps.location.id = 9;
		break;
	case 3:
		to->poolProps.location.type = (CUmemLocationType)one_of(0, 2, 77);
		break;
	case 4:
		to->accessDescCount = 1;
		break;
	default:
		to->poolProps.handleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
	}
}

/* -- nodes --------------------------------------------------------------------------------------------------------- */

static const CUgraphNodeType kinds[] = {
	CU_GRAPH_NODE_TYPE_KERNEL,    CU_GRAPH_NODE_TYPE_KERNEL,       CU_GRAPH_NODE_TYPE_MEMCPY,
	CU_GRAPH_NODE_TYPE_MEMCPY,    CU_GRAPH_NODE_TYPE_MEMSET,       CU_GRAPH_NODE_TYPE_MEMSET,
	CU_GRAPH_NODE_TYPE_GRAPH,     CU_GRAPH_NODE_TYPE_EVENT_RECORD, CU_GRAPH_NODE_TYPE_WAIT_EVENT,
	CU_GRAPH_NODE_TYPE_MEM_ALLOC, CU_GRAPH_NODE_TYPE_MEM_FREE,     CU_GRAPH_NODE_TYPE_EMPTY,
};

static CUgraphNodeType a_kind(void)
{
	return kinds[pick(sizeof(kinds) / sizeof(kinds[0]))];
}

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

/* x < 0: the node itself. */
static void change(int x, int i, CUgraphNodeType type)
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
		/* LEFT OUT: another direction, where the program's memory is an end, before or now: remoted, the node
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
		if (shadowed[g]) /* LEFT OUT: as of cuGraphExecUpdate_v2() */
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

/* Nodes that came out: by their slots. */
static void out_nodes(const CUgraphNode *list, size_t count)
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

static int an_exec(void)
{
	int x = (int)pick(GRAPHS);
	if (one_in(8))
		return x;
	for (int k = 0; k < GRAPHS; k++, x = (x + 1) % GRAPHS)
		if (slots[MADE_EXEC][x].live)
			break;
	return x;
}

static void launch(CUgraphExec exec, int x)
{
	CUstream stream = own.stream[pick(STREAMS)];
	CUresult r;
	/* What was freed since is found by the launch, or, where that is not waited for, behind it: one result. */
	say("cuGraphLaunch", "X%d, and wait", x);
	r = cu(cuGraphLaunch)(exec, stream);
	gave(r ? r : cu(cuStreamSynchronize)(stream));
	settled(stream);
}

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
		/* LEFT OUT: an update from a graph with copies of the program's memory: the executable graph does not
		 * take along the user objects by which, remoted, a graph keeps what carries the bytes. */
		if (shadowed[g])
			return;
		r = CALL(cuGraphExecUpdate_v2, (exec, graph_of(g), null ? NULL : &info), "X%d, G%d%s", x, g,
			 null ? ", null" : "");
		/* LEFT OUT: what is told of an update that fails, where a graph has copies of the program's memory:
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
	/* LEFT OUT: a copy of the program's memory in a stream that is not captured, while another one is: remoted,
	 * it goes by what a capture allows. */
	if ((way == 3 || way == 4) && status == CU_STREAM_CAPTURE_STATUS_NONE)
		return;
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

const struct operation differ_nodes[] = { { "add", 24, do_add },
					  { "get", 10, do_get },
					  { "set", 8, do_set },
					  { "attribute", 4, do_attribute },
					  { "edges", 8, do_edges },
					  { "made graph", 10, do_made_graph },
					  { "exec", 24, do_exec },
					  { "object", 1, do_object },
					  { "graph memory", 3, do_graph_memory },
					  { "chain", 2, do_chain },
					  { "branches", 6, do_branches },
					  { "name", 4, do_name },
					  { NULL, 0, NULL } };
