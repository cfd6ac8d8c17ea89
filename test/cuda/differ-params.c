/* What nodes of graphs are made of, right and wrong. */
#include "differ-nodes.h"

struct made_parts own;
const char *const kernel_names[KERNELS] = { "store", "count", "add" };
unsigned char source[SOURCE];
static unsigned char target[AREA], back[AREA];
CUgraphNodeType types[SLOTS];
uint32_t ways[SLOTS];
bool shadowed[GRAPHS], shadowed_exec[GRAPHS];
CUdeviceptr allocated[SLOTS];
bool wrong;

bool fault(uint32_t count)
{
	if (wrong || !one_in(count))
		return false;
	wrong = true;
	return true;
}

CUcontext context0(void)
{
	return handle_of(CONTEXT, 0, CUcontext);
}

bool begin(void)
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

CUdeviceptr cell(void)
{
	return own.area + SOURCE + CELL * (own.cells++ % ((AREA - SOURCE) / CELL));
}

void *host_cell(void)
{
	return target + CELL * (own.host_cells++ % (AREA / CELL));
}

void settled(CUstream stream)
{
	CALL(cuStreamSynchronize, (stream), "own");
	memset(back, 0xcc, sizeof(back));
	CALL(cuMemcpyDtoH_v2, (back, own.area, AREA), "area");
	out(back, AREA);
	out(target, AREA);
}

void out_address(const char *what, uint64_t address)
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

void out_event(CUevent event)
{
	for (int i = 0; i < EVENTS; i++)
		if (event == own.event[i]) {
			out_number("E", i);
			return;
		}
	out_number("e", which(EVENT, (uint64_t)(uintptr_t)event));
}

int a_graph(void)
{
	int i = (int)pick(GRAPHS);
	if (one_in(8))
		return i;
	for (int k = 0; k < GRAPHS; k++, i = (i + 1) % GRAPHS)
		if (slots[MADE_GRAPH][i].live)
			break;
	return i;
}

int graph_room(void)
{
	for (int i = 0; i < GRAPHS; i++)
		if (!slots[MADE_GRAPH][i].live)
			return i;
	return -1;
}

CUgraph graph_of(int i)
{
	return i < 0 ? NULL : handle_of(MADE_GRAPH, i, CUgraph);
}

CUgraphNode node_of(int i)
{
	return i < 0 ? NULL : handle_of(MADE_NODE, i, CUgraphNode);
}

int a_node(CUgraphNodeType type)
{
	int at = (int)pick(SLOTS);
	if (one_in(6))
		return any(MADE_NODE);
	for (int i = 0; i < SLOTS; i++, at = (at + 1) % SLOTS)
		if (slots[MADE_NODE][at].live && types[at] == type)
			return at;
	return any(MADE_NODE);
}

void graph_gone(int g)
{
	gone(MADE_GRAPH, g);
	for (int i = 0; i < SLOTS; i++)
		if (slots[MADE_NODE][i].live && slots[MADE_NODE][i].bytes == (size_t)g)
			gone(MADE_NODE, i);
}

/* -- parameters ---------------------------------------------------------------------------------------------------- */

int make_kernel(CUDA_KERNEL_NODE_PARAMS *to, struct kernel_args *args)
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

void make_memset(CUDA_MEMSET_NODE_PARAMS *to)
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

const char *make_copy(CUDA_MEMCPY3D *to, uint32_t way)
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

int make_event(CUevent *to)
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

void make_alloc(CUDA_MEM_ALLOC_NODE_PARAMS *to)
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

CUgraphNodeType a_kind(void)
{
	return kinds[pick(sizeof(kinds) / sizeof(kinds[0]))];
}
