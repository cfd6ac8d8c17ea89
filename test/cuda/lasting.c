/*
 * A program that has one of everything and uses it, again and again: it prints a line a round, which says what came of
 * each, and goes on when it is told to (a line on standard input).  What it has outlives whatever happens to its server
 * between two rounds: contexts, modules and their variables, attributes, streams, events, memory of several kinds,
 * arrays, textures, surfaces, graphs whose templates are gone, a captured one among them, host memory that the device
 * writes by itself.
 *
 *   one more argument: what it has besides, which a checkpoint can not hold ("managed", "pool", "heap",
 *   "own", "condition"), or which the reference GPU puts somewhere else when it is made again ("moved")
 */
#include <stdint.h>

#include "cu.h"

#define WORDS 1024u

static const char image[] =
	".version 7.5\n"
	".target sm_75\n"
	".address_size 64\n"
	".visible .global .align 4 .u32 counter = 7;\n"
	".visible .global .align 8 .u64 place = counter;\n" /* an address, in memory */
	".visible .const .align 4 .b8 table[64];\n"
	/* each of its words grows by `by`; the variable counts launches; out of the table comes [3] */
	".visible .entry grow(.param .u64 at, .param .u32 by)\n"
	"{\n"
	".reg .pred %p<2>;\n"
	".reg .b32 %r<10>;\n"
	".reg .b64 %rd<8>;\n"
	"ld.param.u64 %rd1, [at];\n"
	"ld.param.u32 %r1, [by];\n"
	"cvta.to.global.u64 %rd2, %rd1;\n"
	"mov.u32 %r2, %ctaid.x;\n"
	"mov.u32 %r3, %ntid.x;\n"
	"mov.u32 %r4, %tid.x;\n"
	"mad.lo.s32 %r5, %r2, %r3, %r4;\n"
	"mul.wide.u32 %rd3, %r5, 4;\n"
	"add.s64 %rd4, %rd2, %rd3;\n"
	"ld.global.u32 %r6, [%rd4];\n"
	"ld.const.u32 %r7, [table+12];\n"
	"add.s32 %r6, %r6, %r1;\n"
	"add.s32 %r6, %r6, %r7;\n"
	"st.global.u32 [%rd4], %r6;\n"
	"setp.ne.s32 %p1, %r5, 0;\n"
	"@%p1 bra done;\n"
	"ld.global.u64 %rd5, [place];\n"
	"atom.add.u32 %r8, [%rd5], 1;\n"
	"done:\n"
	"ret;\n"
	"}\n";

static struct {
	CUmodule module;
	CUfunction grow;
	CUdeviceptr table;
	CUstream stream, other;
	CUevent began, ended;
	CUdeviceptr large, small[40], pitched, mapped;
	size_t pitch;
	CUmemGenericAllocationHandle part;
	size_t part_bytes;
	CUarray array;
	CUtexObject texture;
	CUsurfObject surface;
	CUmodule textures;
	CUgraphExec made, captured, moved, wide;
	uint32_t *pinned, *shared; /* the latter is mapped for the device, too */
	CUdeviceptr shared_at;
} has;

static void grow_params(CUDA_KERNEL_NODE_PARAMS *node, CUdeviceptr *at, uint32_t *by, void *params[2])
{
	params[0] = at;
	params[1] = by;
	*node = cu_kernel_node(has.grow, WORDS / 128, 128, params);
}

static void grow(CUdeviceptr at, uint32_t by, CUstream stream)
{
	void *params[] = { &at, &by };

	cu_ok(cu(cuLaunchKernel)(has.grow, WORDS / 128, 1, 1, 128, 1, 1, 0, stream, params, NULL));
}

static void modules_make(void)
{
	uint32_t table[16];
	char *ptx = cu_ptx("textures.ptx");
	size_t bytes;

	cu_ok(cu(cuModuleLoadData)(&has.module, image));
	has.grow = cu_function(has.module, "grow");
	cu_ok(cu(cuModuleGetGlobal_v2)(&has.table, &bytes, has.module, "table"));
	check(bytes == sizeof(table));
	for (unsigned int i = 0; i < 16; i++)
		table[i] = 100 * i;
	cu_ok(cu(cuMemcpyHtoD_v2)(has.table, table, sizeof(table)));
	cu_ok(cu(cuFuncSetAttribute)(has.grow, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 30));
	cu_ok(cu(cuFuncSetAttribute)(has.grow, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 40));
	cu_ok(cu(cuCtxSetLimit)(CU_LIMIT_STACK_SIZE, 2048));
	cu_ok(cu(cuModuleLoadData)(&has.textures, ptx));
	free(ptx);
}

static void memory_make(void)
{
	CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
					   .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE } };
	CUmemAccessDesc access = { .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE },
				   .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CUdeviceptr gone[40];

	cu_ok(cu(cuMemAlloc_v2)(&has.large, 5u << 20));
	cu_ok(cu(cuMemsetD32_v2)(has.large, 1, (5u << 20) / 4));
	for (unsigned int i = 0; i < 40; i++) { /* with holes */
		cu_ok(cu(cuMemAlloc_v2)(&has.small[i], WORDS * 4 + i * 1000));
		cu_ok(cu(cuMemAlloc_v2)(&gone[i], 5000 * (i + 1)));
		cu_ok(cu(cuMemsetD32_v2)(has.small[i], i, WORDS));
	}
	for (unsigned int i = 0; i < 40; i++)
		cu_ok(cu(cuMemFree_v2)(gone[i]));
	cu_ok(cu(cuMemAllocPitch_v2)(&has.pitched, &has.pitch, 1000, 7, 4));
	cu_ok(cu(cuMemsetD2D8_v2)(has.pitched, has.pitch, 5, 1000, 7));
	cu_ok(cu(cuMemGetAllocationGranularity)(&has.part_bytes, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
	cu_ok(cu(cuMemCreate)(&has.part, has.part_bytes, &properties, 0));
	cu_ok(cu(cuMemAddressReserve)(&has.mapped, has.part_bytes, 0, 0, 0));
	cu_ok(cu(cuMemMap)(has.mapped, has.part_bytes, 0, has.part, 0));
	cu_ok(cu(cuMemSetAccess)(has.mapped, has.part_bytes, &access, 1));
	cu_ok(cu(cuMemsetD32_v2)(has.mapped, 9, WORDS));
	cu_ok(cu(cuMemAllocHost_v2)((void **)&has.pinned, WORDS * 4));
	cu_ok(cu(cuMemHostAlloc)((void **)&has.shared, WORDS * 4, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&has.shared_at, has.shared, 0));
	memset(has.shared, 0, WORDS * 4);
}

static void textures_make(void)
{
	CUDA_ARRAY3D_DESCRIPTOR form = { .Width = 16,
					 .Height = 8,
					 .Format = CU_AD_FORMAT_FLOAT,
					 .NumChannels = 1,
					 .Flags = CUDA_ARRAY3D_SURFACE_LDST };
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	void *params[] = { &has.surface };

	cu_ok(cu(cuArray3DCreate_v2)(&has.array, &form));
	resource.res.array.hArray = has.array;
	cu_ok(cu(cuSurfObjectCreate)(&has.surface, &resource));
	cu_ok(cu(cuTexObjectCreate)(&has.texture, &resource, &sampling, NULL));
	cu_ok(cu(cuLaunchKernel)(cu_function(has.textures, "write_surface"), 1, 1, 1, 16, 8, 1, 0, NULL, params, NULL));
}

/* The graph that it is made of is gone afterwards, and one of its nodes was changed. */
static void graph_make(void)
{
	CUdeviceptr at = has.small[0];
	uint32_t by = 1000;
	CUDA_KERNEL_NODE_PARAMS node;
	CUgraphNode first, second;
	void *params[2];
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	grow_params(&node, &at, &by, params);
	cu_ok(cu(cuGraphAddKernelNode_v2)(&first, graph, NULL, 0, &node));
	cu_ok(cu(cuGraphAddKernelNode_v2)(&second, graph, &first, 1, &node));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&has.made, graph, 0));
	by = 1;
	for (unsigned int i = 0; i < 5; i++) /* changed often: the last counts */
		cu_ok(cu(cuGraphExecKernelNodeSetParams_v2)(has.made, second, &node));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* Its node needs more shared memory than its function has leave for now. */
static void wide_make(void)
{
	CUdeviceptr at = has.small[0];
	uint32_t by = 0;
	CUDA_KERNEL_NODE_PARAMS node;
	CUgraphNode made;
	void *params[2];
	CUgraph graph;

	cu_ok(cu(cuFuncSetAttribute)(has.grow, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 60000));
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	grow_params(&node, &at, &by, params);
	node.sharedMemBytes = 60000;
	cu_ok(cu(cuGraphAddKernelNode_v2)(&made, graph, NULL, 0, &node));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&has.wide, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuFuncSetAttribute)(has.grow, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1000));
}

static void capture_make(void)
{
	CUevent fork, join;
	CUgraph graph;

	cu_ok(cu(cuEventCreate)(&fork, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventCreate)(&join, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuStreamBeginCapture_v2)(has.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	grow(has.small[1], 10, has.stream);
	cu_ok(cu(cuEventRecord)(fork, has.stream));
	cu_ok(cu(cuStreamWaitEvent)(has.other, fork, 0));
	grow(has.small[2], 20, has.other);
	cu_ok(cu(cuMemsetD32Async)(has.small[3], 77, WORDS, has.other));
	cu_ok(cu(cuEventRecord)(join, has.other));
	cu_ok(cu(cuStreamWaitEvent)(has.stream, join, 0));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(has.small[4], has.small[1], WORDS * 4, has.stream));
	cu_ok(cu(cuStreamEndCapture)(has.stream, &graph));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&has.captured, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuEventDestroy_v2)(fork));
	cu_ok(cu(cuEventDestroy_v2)(join));
}

static void streams_make(void)
{
	cu_ok(cu(cuStreamCreate)(&has.stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreateWithPriority)(&has.other, CU_STREAM_NON_BLOCKING, 0));
	cu_ok(cu(cuEventCreate)(&has.began, 0));
	cu_ok(cu(cuEventCreate)(&has.ended, 0));
	cu_ok(cu(cuEventRecord)(has.began, has.stream));
}

/* What it had and has no more leaves nothing behind. */
static void rubbish_make(void)
{
	for (unsigned int i = 0; i < 50; i++) {
		CUstream stream;
		CUmodule module;
		CUdeviceptr at;

		cu_ok(cu(cuStreamCreate)(&stream, 0));
		cu_ok(cu(cuStreamDestroy_v2)(stream));
		cu_ok(cu(cuModuleLoadData)(&module, image));
		cu_ok(cu(cuModuleUnload)(module));
		cu_ok(cu(cuMemAlloc_v2)(&at, 100 << i % 16));
		cu_ok(cu(cuMemFree_v2)(at));
	}
}

/* A kernel takes memory that stays, and its module goes. */
static void heap_make(void)
{
	static const char text[] = ".version 7.5\n"
				   ".target sm_75\n"
				   ".address_size 64\n"
				   ".extern .func (.param .b64 result) malloc (.param .b64 bytes);\n"
				   ".visible .entry take(.param .u64 at)\n"
				   "{\n"
				   ".reg .b64 %rd<4>;\n"
				   "ld.param.u64 %rd1, [at];\n"
				   "mov.u64 %rd2, 1024;\n"
				   "{\n"
				   ".param .b64 param0;\n"
				   "st.param.b64 [param0+0], %rd2;\n"
				   ".param .b64 retval0;\n"
				   "call.uni (retval0), malloc, (param0);\n"
				   "ld.param.b64 %rd3, [retval0+0];\n"
				   "}\n"
				   "st.global.u64 [%rd1], %rd3;\n"
				   "ret;\n"
				   "}\n";
	void *params[] = { &has.large };
	CUdeviceptr taken;
	CUmodule module;

	cu_ok(cu(cuModuleLoadData)(&module, text));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "take"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(&taken, has.large, sizeof(taken)));
	check(taken);
	cu_ok(cu(cuModuleUnload)(module));
}

/* What is set of a stream that is this thread's own. */
static void own_make(void)
{
	CUstreamAttrValue value = { .syncPolicy = CU_SYNC_POLICY_YIELD };

	cu_ok(cu(cuStreamSetAttribute)(CU_STREAM_PER_THREAD, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value));
}

/* What is in the graph would run by a word whose number the driver gives. */
static void condition_make(void)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL };
	CUgraphNode node;
	CUgraphExec exec;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuCtxGetCurrent)(&params.conditional.ctx));
	cu_ok(cu(cuGraphConditionalHandleCreate)(&params.conditional.handle, graph, params.conditional.ctx, 1,
						 CU_GRAPH_COND_ASSIGN_DEFAULT));
	params.conditional.type = CU_GRAPH_COND_TYPE_IF;
	params.conditional.size = 1;
	cu_ok(cu(cuGraphAddNode)(&node, graph, NULL, 0, &params));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
}

/* A variable behind that of a module which is gone. */
static void moved_make(void)
{
	CUmodule gone, stays;

	cu_ok(cu(cuModuleLoadData)(&gone, image));
	cu_ok(cu(cuModuleLoadData)(&stays, image));
	cu_ok(cu(cuModuleUnload)(gone));
}

static void besides_make(const char *what)
{
	CUdeviceptr at = 0;

	if (!what)
		return;
	if (!strcmp(what, "managed"))
		cu_ok(cu(cuMemAllocManaged)(&at, 1 << 20, CU_MEM_ATTACH_GLOBAL));
	else if (!strcmp(what, "pool"))
		cu_ok(cu(cuMemAllocAsync)(&at, 1 << 20, NULL));
	else if (!strcmp(what, "heap"))
		heap_make();
	else if (!strcmp(what, "own"))
		own_make();
	else if (!strcmp(what, "condition"))
		condition_make();
	else if (!strcmp(what, "moved"))
		moved_make();
	cu_ok(cu(cuStreamSynchronize)(NULL));
}

/* One number that all of the words make. */
static uint32_t sum(CUdeviceptr at, size_t words)
{
	uint32_t *seen = malloc(words * 4), all = 2166136261u;

	check(seen != NULL);
	cu_ok(cu(cuMemcpyDtoH_v2)(seen, at, words * 4));
	for (size_t i = 0; i < words; i++)
		all = (all ^ seen[i]) * 16777619u;
	free(seen);
	return all;
}

static uint32_t texture_sum(void)
{
	CUdeviceptr out;
	int width = 16;
	void *params[] = { &has.texture, &out, &width };
	uint32_t all;

	cu_ok(cu(cuMemAlloc_v2)(&out, 16 * 8 * 4));
	cu_ok(cu(cuLaunchKernel)(cu_function(has.textures, "read_texture"), 1, 1, 1, 16, 8, 1, 0, NULL, params, NULL));
	all = sum(out, 16 * 8);
	cu_ok(cu(cuMemFree_v2)(out));
	return all;
}

static void settings_print(void)
{
	size_t stack, bytes;
	CUdeviceptr counter;
	uint32_t launches;
	float ms;
	int carve;

	cu_ok(cu(cuFuncGetAttribute)(&carve, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, has.grow));
	cu_ok(cu(cuCtxGetLimit)(&stack, CU_LIMIT_STACK_SIZE));
	cu_ok(cu(cuModuleGetGlobal_v2)(&counter, &bytes, has.module, "counter"));
	cu_ok(cu(cuMemcpyDtoH_v2)(&launches, counter, 4));
	cu_ok(cu(cuEventElapsedTime)(&ms, has.began, has.ended));
	check(ms >= 0);
	printf(" set %d %zu launches %u", carve, stack, launches);
}

static void round_print(unsigned int number)
{
	uint32_t *seen = has.pinned;

	grow(has.large, number, has.stream);
	for (unsigned int i = 5; i < 40; i++)
		grow(has.small[i], number + i, i % 2 ? has.stream : has.other);
	grow(has.mapped, 3, NULL);
	has.shared[7] += 5; /* the program's own share */
	grow(has.shared_at, number, NULL);
	cu_ok(cu(cuGraphLaunch)(has.made, has.stream));
	cu_ok(cu(cuStreamSynchronize)(has.other));
	cu_ok(cu(cuGraphLaunch)(has.captured, has.stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(seen, has.small[0], WORDS * 4, has.stream));
	cu_ok(cu(cuEventRecord)(has.ended, has.stream));
	cu_ok(cu(cuEventSynchronize)(has.ended));
	cu_ok(cu(cuCtxSynchronize)());
	printf("round %u: large %08x pinned %08x shared %u %u mapped %08x pitched %08x texture %08x small", number,
	       sum(has.large, (5u << 20) / 4), seen[WORDS - 1], has.shared[7], has.shared[8], sum(has.mapped, WORDS),
	       sum(has.pitched, 7 * has.pitch / 4 - (has.pitch - 1000) / 4), texture_sum());
	for (unsigned int i = 0; i < 40; i++)
		printf(" %x", sum(has.small[i], WORDS) >> 20);
	settings_print();
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[64];

	cu_begin();
	modules_make();
	streams_make();
	memory_make();
	textures_make();
	rubbish_make();
	graph_make();
	wide_make();
	capture_make();
	besides_make(argc > 1 ? argv[1] : NULL);
	for (unsigned int round = 1;; round++) {
		round_print(round);
		if (!fgets(line, sizeof(line), stdin))
			break;
		if (round == 2) /* later, something more */
			capture_make();
		rubbish_make();
	}
	return 0;
}
