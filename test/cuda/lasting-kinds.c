/*
 * As lasting.c, with kinds of objects that programs have less often: libraries and their kernels, contexts, objects of
 * the program's own that graphs hold, functions of the program's in graphs, mipmapped and layered arrays, textures of
 * linear memory, streams with attributes, nodes of all kinds, a link that goes on, and a second device.  A line a round
 * says what came of each; it goes on when it is told to (a line on standard input).
 *
 *   arguments: which of them (by the names in `kinds` below); none: all
 */
#include "lasting-kinds.h"

/* Each word grows by `by`; the variable counts launches. */
static const char image[] = ".version 7.5\n"
			    ".target sm_75\n"
			    ".address_size 64\n"
			    ".visible .global .align 4 .u32 counter = 7;\n"
			    ".visible .entry grow(.param .u64 at, .param .u32 by)\n"
			    "{\n"
			    ".reg .pred %p<2>;\n"
			    ".reg .b32 %r<8>;\n"
			    ".reg .b64 %rd<6>;\n"
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
			    "add.s32 %r6, %r6, %r1;\n"
			    "st.global.u32 [%rd4], %r6;\n"
			    "setp.ne.s32 %p1, %r5, 0;\n"
			    "@%p1 bra done;\n"
			    "atom.global.add.u32 %r7, [counter], 1;\n"
			    "done:\n"
			    "ret;\n"
			    "}\n";

struct has has;

/* ---- helpers ---- */

uint32_t hash(const void *data, size_t bytes)
{
	uint32_t all = 2166136261u;

	for (size_t i = 0; i < bytes; i++)
		all = (all ^ ((const uint8_t *)data)[i]) * 16777619u;
	return all;
}

uint32_t hash_of(CUdeviceptr at)
{
	uint32_t seen[WORDS];

	cu_ok(cu(cuMemcpyDtoH_v2)(seen, at, sizeof(seen)));
	return hash(seen, sizeof(seen));
}

CUdeviceptr words_make(uint32_t value)
{
	CUdeviceptr at;

	cu_ok(cu(cuMemAlloc_v2)(&at, WORDS * 4));
	cu_ok(cu(cuMemsetD32_v2)(at, value, WORDS));
	return at;
}

void grow(CUfunction function, CUdeviceptr at, uint32_t by, CUstream stream)
{
	void *params[] = { &at, &by };

	cu_ok(cu(cuLaunchKernel)(function, WORDS / 128, 1, 1, 128, 1, 1, 0, stream, params, NULL));
	cu_ok(cu(cuStreamSynchronize)(stream));
}

static uint32_t word_of(CUdeviceptr at)
{
	uint32_t word;

	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at, sizeof(word)));
	return word;
}

void exec_run(CUgraphExec exec)
{
	cu_ok(cu(cuGraphLaunch)(exec, has.stream));
	cu_ok(cu(cuStreamSynchronize)(has.stream));
}

CUgraphExec exec_make(CUgraph graph)
{
	CUgraphExec exec;

	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	return exec;
}

CUgraph graph_make(void)
{
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	return graph;
}

/* ---- libraries ---- */

static struct {
	CUlibrary library, other; /* loaded first, and used last */
	CUkernel kernel;
	CUfunction function;
	CUdeviceptr words, counter;
	CUgraphExec exec; /* of its kernel */
} of_library;

static void library_make(void)
{
	CUDA_KERNEL_NODE_PARAMS node = {
		.gridDimX = WORDS / 128, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 128, .blockDimY = 1, .blockDimZ = 1
	};
	uint32_t by = 100;
	void *params[] = { &of_library.words, &by };
	CUgraph graph = graph_make();
	CUgraphNode made;
	size_t bytes;

	cu_ok(cu(cuLibraryLoadData)(&of_library.other, image, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryLoadData)(&of_library.library, image, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&of_library.kernel, of_library.library, "grow"));
	cu_ok(cu(cuKernelSetAttribute)(CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 25, of_library.kernel, 0));
	cu_ok(cu(cuKernelGetFunction)(&of_library.function, of_library.kernel));
	cu_ok(cu(cuLibraryGetGlobal)(&of_library.counter, &bytes, of_library.library, "counter"));
	check(bytes == 4);
	of_library.words = words_make(1);
	node.kern = of_library.kernel;
	node.kernelParams = params;
	cu_ok(cu(cuGraphAddKernelNode_v2)(&made, graph, NULL, 0, &node));
	of_library.exec = exec_make(graph);
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void library_use(uint32_t number)
{
	const char *name = NULL;
	CUfunction function;
	CUkernel other;
	CUdeviceptr counter;
	CUmodule module;
	size_t bytes;
	int carve;

	grow((CUfunction)of_library.kernel, of_library.words, number, has.stream);
	grow(of_library.function, of_library.words, number, NULL);
	exec_run(of_library.exec);
	cu_ok(cu(cuKernelGetFunction)(&function, of_library.kernel));
	check(function == of_library.function);
	cu_ok(cu(cuFuncGetName)(&name, function));
	check(!strcmp(name, "grow"));
	cu_ok(cu(cuKernelGetAttribute)(&carve, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, of_library.kernel,
				       0));
	cu_ok(cu(cuLibraryGetModule)(&module, of_library.library));
	cu_ok(cu(cuModuleGetGlobal_v2)(&counter, &bytes, module, "counter"));
	check(counter == of_library.counter);
	printf("%08x %u %d", hash_of(of_library.words), word_of(counter), carve);
	cu_ok(cu(cuLibraryGetKernel)(&other, of_library.other, "grow"));
	grow((CUfunction)other, of_library.words, 1, has.stream);
	cu_ok(cu(cuLibraryGetGlobal)(&counter, &bytes, of_library.other, "counter"));
	printf(" %u", word_of(counter));
}

/* ---- contexts ---- */

static struct {
	CUcontext own, primary;
	CUmodule module[2];
	CUfunction grow[2];
	CUstream stream[2];
	CUevent event;
	CUdeviceptr words[2];
} of_contexts;

static void context_fill(int i)
{
	cu_ok(cu(cuModuleLoadData)(&of_contexts.module[i], image));
	of_contexts.grow[i] = cu_function(of_contexts.module[i], "grow");
	cu_ok(cu(cuStreamCreate)(&of_contexts.stream[i], 0));
	of_contexts.words[i] = words_make(4);
}

static void contexts_make(void)
{
	CUcontext gone;

	cu_ok(cu(cuCtxCreate_v2)(&gone, 0, 0));
	of_contexts.words[1] = words_make(3);
	cu_ok(cu(cuCtxDestroy_v2)(gone));
	cu_ok(cu(cuCtxCreate_v2)(&of_contexts.own, CU_CTX_SCHED_BLOCKING_SYNC, 0));
	context_fill(0);
	cu_ok(cu(cuEventCreate)(&of_contexts.event, CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuCtxSetLimit)(CU_LIMIT_PRINTF_FIFO_SIZE, 2 << 20));
	cu_ok(cu(cuCtxSetCacheConfig)(CU_FUNC_CACHE_PREFER_L1));
	cu_ok(cu(cuDevicePrimaryCtxSetFlags_v2)(0, CU_CTX_SCHED_YIELD));
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&of_contexts.primary, 0));
	cu_ok(cu(cuCtxSetCurrent)(of_contexts.primary));
	context_fill(1);
	cu_ok(cu(cuCtxSetCurrent)(has.context));
}

static void contexts_use(uint32_t number)
{
	CUcontext contexts[] = { of_contexts.own, of_contexts.primary }, popped;
	unsigned int flags;
	CUfunc_cache cache;
	size_t fifo, bytes;
	CUdeviceptr counter;
	int active;

	cu_ok(cu(cuCtxGetCurrent)(&popped));
	check(popped == has.context);
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuCtxPushCurrent_v2)(contexts[i]));
		grow(of_contexts.grow[i], of_contexts.words[i], number, of_contexts.stream[i]);
		cu_ok(cu(cuModuleGetGlobal_v2)(&counter, &bytes, of_contexts.module[i], "counter"));
		cu_ok(cu(cuCtxGetLimit)(&fifo, CU_LIMIT_PRINTF_FIFO_SIZE));
		cu_ok(cu(cuCtxGetCacheConfig)(&cache));
		cu_ok(cu(cuCtxGetFlags)(&flags));
		printf("%s%08x %u %zu %d %u", i ? ", " : "", hash_of(of_contexts.words[i]), word_of(counter), fifo,
		       (int)cache, flags);
		cu_ok(cu(cuCtxPopCurrent_v2)(&popped));
		check(popped == contexts[i]);
	}
	cu_ok(cu(cuEventRecord)(of_contexts.event, of_contexts.stream[0]));
	cu_ok(cu(cuEventSynchronize)(of_contexts.event));
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	printf(" %u %d", flags, active);
}

/* ---- streams ---- */

static struct {
	CUstream urgent, copied, other;
} of_streams;

static void policy_set(CUstream stream, CUsynchronizationPolicy policy)
{
	CUstreamAttrValue value = { .syncPolicy = policy };

	cu_ok(cu(cuStreamSetAttribute)(stream, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value));
}

static int policy_of(CUstream stream)
{
	CUstreamAttrValue value = { .syncPolicy = 0 };

	cu_ok(cu(cuStreamGetAttribute)(stream, CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value));
	return (int)value.syncPolicy;
}

static void streams_make(void)
{
	int least, greatest;

	cu_ok(cu(cuCtxGetStreamPriorityRange)(&least, &greatest));
	cu_ok(cu(cuStreamCreateWithPriority)(&of_streams.urgent, CU_STREAM_NON_BLOCKING, greatest));
	cu_ok(cu(cuStreamCreate)(&of_streams.copied, 0));
	cu_ok(cu(cuStreamCreate)(&of_streams.other, 0));
	policy_set(of_streams.urgent, CU_SYNC_POLICY_YIELD);
	policy_set(of_streams.other, CU_SYNC_POLICY_YIELD);
	cu_ok(cu(cuStreamCopyAttributes)(of_streams.copied, of_streams.other));
	policy_set(of_streams.other, CU_SYNC_POLICY_SPIN); /* of this one alone */
	policy_set(CU_STREAM_LEGACY, CU_SYNC_POLICY_BLOCKING_SYNC);
}

static void streams_use(uint32_t number)
{
	CUlaunchAttribute attribute = { .id = CU_LAUNCH_ATTRIBUTE_PRIORITY, .value.priority = 0 };
	CUlaunchConfig config = { .gridDimX = WORDS / 128,
				  .gridDimY = 1,
				  .gridDimZ = 1,
				  .blockDimX = 128,
				  .blockDimY = 1,
				  .blockDimZ = 1,
				  .hStream = of_streams.urgent,
				  .attrs = &attribute,
				  .numAttrs = 1 };
	void *params[] = { &has.words, &number };
	unsigned int flags;
	int priority;

	cu_ok(cu(cuLaunchKernelEx)(&config, has.grow, params, NULL));
	cu_ok(cu(cuStreamSynchronize)(of_streams.urgent));
	grow(has.grow, has.words, 1, CU_STREAM_PER_THREAD);
	cu_ok(cu(cuStreamGetPriority)(of_streams.urgent, &priority));
	cu_ok(cu(cuStreamGetFlags)(of_streams.urgent, &flags));
	printf("%d %u, %d %d %d %d, %08x", priority, flags, policy_of(of_streams.urgent), policy_of(of_streams.copied),
	       policy_of(of_streams.other), policy_of(CU_STREAM_LEGACY), hash_of(has.words));
}

/* ---- a link ---- */

static struct {
	CUlinkState state;
	CUmodule module;
} of_link;

static void link_make(void)
{
	cu_ok(cu(cuLinkCreate_v2)(0, NULL, NULL, &of_link.state));
	cu_ok(cu(cuLinkAddData_v2)(of_link.state, CU_JIT_INPUT_PTX, (void *)(uintptr_t)image, sizeof(image), "image", 0,
				   NULL, NULL));
}

static void link_use(uint32_t number)
{
	CUdeviceptr counter;
	size_t bytes;
	void *made;

	if (number == 3) {
		cu_ok(cu(cuLinkComplete)(of_link.state, &made, &bytes));
		cu_ok(cu(cuModuleLoadData)(&of_link.module, made));
		cu_ok(cu(cuLinkDestroy)(of_link.state));
	}
	if (number < 3)
		return;
	grow(cu_function(of_link.module, "grow"), has.words, number, NULL);
	cu_ok(cu(cuModuleGetGlobal_v2)(&counter, &bytes, of_link.module, "counter"));
	printf("%u", word_of(counter));
}

/* ---- devices ---- */

#define DEVICES 2

static struct {
	int count;
	CUcontext contexts[DEVICES];
	CUdeviceptr words[DEVICES];
	CUmodule modules[DEVICES];
	CUstream streams[DEVICES];
} of_devices;

static void devices_make(void)
{
	CUdevice device;

	cu_ok(cu(cuDeviceGetCount)(&of_devices.count));
	if (of_devices.count > DEVICES)
		of_devices.count = DEVICES;
	for (int i = 0; i < of_devices.count; i++) {
		cu_ok(cu(cuDeviceGet)(&device, i));
		cu_ok(cu(cuCtxCreate_v2)(&of_devices.contexts[i], 0, device));
		cu_ok(cu(cuModuleLoadData)(&of_devices.modules[i], image));
		cu_ok(cu(cuStreamCreate)(&of_devices.streams[i], CU_STREAM_NON_BLOCKING));
		of_devices.words[i] = words_make((uint32_t)i + 1);
	}
	cu_ok(cu(cuCtxSetCurrent)(has.context));
}

/* What the last one has goes to the first one. */
static void devices_use(uint32_t number)
{
	int last = of_devices.count - 1;

	for (int i = 0; i <= last; i++) {
		cu_ok(cu(cuCtxSetCurrent)(of_devices.contexts[i]));
		grow(cu_function(of_devices.modules[i], "grow"), of_devices.words[i], number, of_devices.streams[i]);
		printf("%s%08x", i ? " " : "", hash_of(of_devices.words[i]));
	}
	cu_ok(cu(cuMemcpyPeerAsync)(of_devices.words[0], of_devices.contexts[0], of_devices.words[last],
				    of_devices.contexts[last], WORDS * 2, of_devices.streams[last]));
	cu_ok(cu(cuStreamSynchronize)(of_devices.streams[last]));
	cu_ok(cu(cuCtxSetCurrent)(has.context));
}

/* ---- all ---- */

static const struct kind own[] = {
	{ "library", library_make, library_use }, { "contexts", contexts_make, contexts_use },
	{ "streams", streams_make, streams_use }, { "link", link_make, link_use },
	{ "devices", devices_make, devices_use },
};

static const struct kind *const kinds[] = { &own[0],       &own[1],         &own[2],     &own[3],     &own[4],
					    &kind_objects, &kind_functions, &kind_nodes, &kind_arrays };

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool is_wanted(const struct kind *kind, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], kind->name))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	char line[64];

	has.context = cu_begin();
	cu_ok(cu(cuModuleLoadData)(&has.module, image));
	has.grow = cu_function(has.module, "grow");
	cu_ok(cu(cuStreamCreate)(&has.stream, CU_STREAM_NON_BLOCKING));
	has.words = words_make(0);
	for (size_t i = 0; i < KINDS; i++)
		if (is_wanted(kinds[i], argc, argv))
			kinds[i]->make();
	for (uint32_t number = 1;; number++) {
		printf("round %u:", number);
		for (size_t i = 0; i < KINDS; i++) {
			if (!is_wanted(kinds[i], argc, argv))
				continue;
			printf(" %s ", kinds[i]->name);
			kinds[i]->use(number);
		}
		printf("\n");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return 0;
	}
}
