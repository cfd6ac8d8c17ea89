/* Pinned memory without CU_MEMHOSTALLOC_DEVICEMAP: a device may use it all the same, at the program's own address. */
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "cu.h"

#ifdef __SANITIZE_THREAD__ /* both at one time is what a thread sanitizer looks for */
#define UNSEEN true
#else
#define UNSEEN false
#endif
#define WORDS  40960u /* 160 KiB */
#define ROUNDS 50

static const char text[] = ".version 7.0\n"
			   ".target sm_70\n"
			   ".address_size 64\n"
			   /* to[i] = from[i] + 1 */
			   ".visible .entry next(.param .u32 nothing, .param .u64 to, .param .u64 from)\n"
			   "{\n"
			   "	.reg .b32 %r<8>;\n"
			   "	.reg .b64 %a<8>;\n"
			   "	ld.param.u64 %a0, [to];\n"
			   "	ld.param.u64 %a1, [from];\n"
			   "	mov.u32 %r1, %ctaid.x;\n"
			   "	mov.u32 %r2, %ntid.x;\n"
			   "	mov.u32 %r3, %tid.x;\n"
			   "	mad.lo.u32 %r4, %r1, %r2, %r3;\n"
			   "	mul.wide.u32 %a2, %r4, 4;\n"
			   "	add.u64 %a3, %a0, %a2;\n"
			   "	add.u64 %a4, %a1, %a2;\n"
			   "	ld.global.u32 %r5, [%a4];\n"
			   "	add.u32 %r5, %r5, 1;\n"
			   "	st.global.u32 [%a3], %r5;\n"
			   "	ret;\n"
			   "}\n"
			   ".visible .entry fetch(.param .u64 tex, .param .u32 at, .param .u64 to) {\n"
			   "	.reg .b64 t, p;\n"
			   "	.reg .b32 i, a, b, c, d;\n"
			   "	ld.param.u64 t, [tex];\n"
			   "	ld.param.u32 i, [at];\n"
			   "	ld.param.u64 p, [to];\n"
			   "	tex.1d.v4.u32.s32 {a, b, c, d}, [t, {i}];\n"
			   "	st.global.u32 [p], a;\n"
			   "	ret;\n"
			   "}\n";

static CUmodule module;
static CUfunction next, fetch;

static uint32_t *pinned(uint32_t words)
{
	void *host;

	cu_ok(cu(cuMemAllocHost_v2)(&host, (size_t)words * 4));
	return host;
}

static CUdeviceptr of(const void *host)
{
	return (uintptr_t)host;
}

static void launch(CUdeviceptr to, CUdeviceptr from, uint32_t words, CUstream stream)
{
	uint32_t nothing = 0;
	void *params[] = { &nothing, &to, &from };

	cu_ok(cu(cuLaunchKernel)(next, words / 256, 1, 1, 256, 1, 1, 0, stream, params, NULL));
}

static void numbers(uint32_t *words, uint32_t count, uint32_t first)
{
	for (uint32_t i = 0; i < count; i++)
		words[i] = first + i;
}

static bool are_numbers(const uint32_t *words, uint32_t count, uint32_t first)
{
	for (uint32_t i = 0; i < count; i++)
		if (words[i] != first + i)
			return false;
	return true;
}

/* What was in it before, what is written to it later; beside memory that no device was given. */
static void test_kernels_take_the_programs_address(void)
{
	uint32_t *in = pinned(WORDS), *out = pinned(WORDS), *other = pinned(WORDS);

	numbers(other, WORDS, 9);
	for (uint32_t round = 0; round < 4; round++) {
		numbers(in, WORDS, round);
		launch(of(out), of(in), WORDS, NULL);
		cu_ok(cu(cuCtxSynchronize)());
		check(are_numbers(out, WORDS, round + 1) && are_numbers(in, WORDS, round));
	}
	launch(of(out + 256), of(in + 512), 1024, NULL); /* from the middle of them */
	cu_ok(cu(cuCtxSynchronize)());
	check(are_numbers(out + 256, 1024, 3 + 512 + 1) && out[255] == 4 + 255 && out[256 + 1024] == 4 + 256 + 1024);
	check(are_numbers(other, WORDS, 9));
	cu_ok(cu(cuMemFreeHost)(in));
	cu_ok(cu(cuMemFreeHost)(out));
	cu_ok(cu(cuMemFreeHost)(other));
}

/* It was written to by a copy that was still under way when a device was given the address. */
static void test_a_copy_into_it_comes_before_the_kernel(void)
{
	uint32_t *host = pinned(WORDS), *out = pinned(WORDS);
	CUdeviceptr device;
	CUstream stream;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	numbers(out, WORDS, 5);
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, out, WORDS * 4, stream));
	launch(device, device, WORDS, stream);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, device, WORDS * 4, stream));
	launch(of(out), of(host), WORDS, stream);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, of(out), WORDS * 4, stream));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, host, WORDS * 4, stream));
	launch(of(host), device, WORDS, stream);
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(are_numbers(host, WORDS, 8) && are_numbers(out, WORDS, 7));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFreeHost)(out));
}

/* Without a wait between; no device is given its address. */
static void test_copies_from_it_come_behind_copies_into_it(void)
{
	static uint32_t back[WORDS];
	uint32_t *host = pinned(WORDS);
	CUDA_MEMCPY2D lines = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				.srcPitch = 8192,
				.dstMemoryType = CU_MEMORYTYPE_DEVICE,
				.dstPitch = 4096,
				.WidthInBytes = 4096,
				.Height = 16 };
	CUdeviceptr from, to;
	CUstream stream, other;
	CUgraph graph;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&other, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&from, WORDS * 4));
	cu_ok(cu(cuMemAlloc_v2)(&to, WORDS * 4));
	lines.srcHost = host;
	lines.dstDevice = to;
	for (uint32_t round = 0; round < 20; round++) {
		numbers(back, WORDS, round);
		cu_ok(cu(cuMemcpyHtoD_v2)(from, back, WORDS * 4));
		memset(host, 0, WORDS * 4);
		launch(from, from, WORDS, stream);
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, from, WORDS * 4, stream));
		if (round == 5) /* what another stream's capture has to bear */
			cu_ok(cu(cuStreamBeginCapture_v2)(other, CU_STREAM_CAPTURE_MODE_GLOBAL));
		if (round % 2)
			cu_ok(cu(cuMemcpy2DAsync_v2)(&lines, stream));
		else
			cu_ok(cu(cuMemcpyHtoDAsync_v2)(to, host, WORDS * 4, stream));
		if (round == 5) {
			cu_ok(cu(cuStreamEndCapture)(other, &graph));
			cu_ok(cu(cuGraphDestroy)(graph));
		}
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, to, 8192));
		check(are_numbers(back, 1024, round + 1));
		check(are_numbers(back + 1024, 1024, round + 1 + (round % 2 ? 2048 : 1024)));
	}
	cu_ok(cu(cuMemFree_v2)(from));
	cu_ok(cu(cuMemFree_v2)(to));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(other));
	cu_ok(cu(cuMemFreeHost)(host));
}

static void CUDA_CB fill(void *user)
{
	struct timespec nap = { 0, 2000000 };

	nanosleep(&nap, NULL);
	numbers(user, WORDS, 7);
}

/* When a copy is called for is not when it is made: a host function ahead of it writes what is copied. */
static void test_what_is_written_ahead_of_a_copy_in_its_stream_is_copied(void)
{
	static uint32_t back[WORDS];
	uint32_t *host = pinned(WORDS);
	volatile uint32_t *word;
	CUdeviceptr device, at;
	CUstream stream;
	void *got;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	for (int round = 0; round < 5; round++) {
		numbers(host, WORDS, 0);
		cu_ok(cu(cuLaunchHostFunc)(stream, fill, host));
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, host, WORDS * 4, stream));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, device, WORDS * 4, stream)); /* nor does this come ahead */
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, device, WORDS * 4));
		check(are_numbers(back, WORDS, 7) && are_numbers(host, WORDS, 7));
	}
	cu_ok(cu(cuMemHostAlloc)(&got, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, got, 0));
	word = got;
	for (uint32_t round = 1; round < 5; round++) {
		*word = 0;
		cu_ok(cu(cuStreamWaitValue32_v2)(stream, at, round, CU_STREAM_WAIT_VALUE_EQ));
		numbers(host, WORDS, round);
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, host, WORDS * 4,
					       stream)); /* returns, though the stream is held */
		*word = round;
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, device, WORDS * 4));
		check(are_numbers(back, WORDS, round));
	}
	cu_ok(cu(cuMemFreeHost)(got));
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void CUDA_CB count(void *user)
{
	(*(uint32_t *)user)++;
}

/* Memory that is mapped and not open to the device: the copy says so itself, and what is in the stream goes on. */
static void test_a_copy_that_is_refused_leaves_the_stream_as_it_was(void)
{
	const CUmemAllocationProp of_device = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
						.location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	uint32_t *host = pinned(1024), counted = 0;
	CUmemGenericAllocationHandle memory;
	CUstream stream;
	CUdeviceptr at;
	size_t unit;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemGetAllocationGranularity)(&unit, &of_device, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
	cu_ok(cu(cuMemAddressReserve)(&at, unit, 0, 0, 0));
	cu_ok(cu(cuMemCreate)(&memory, unit, &of_device, 0));
	cu_ok(cu(cuMemMap)(at, unit, 0, memory, 0));
	alarm(30); /* what is lost is waited for for ever */
	for (uint32_t round = 1; round <= 20; round++) {
		cu_ok(cu(cuLaunchHostFunc)(stream, count, &counted));
		cu_is_by_reference(cu(cuMemcpyHtoDAsync_v2)(at, host, 4096, stream), CUDA_ERROR_INVALID_VALUE);
		cu_ok(cu(cuLaunchHostFunc)(stream, count, &counted));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(counted == 2 * round);
	}
	alarm(0);
	cu_ok(cu(cuMemUnmap)(at, unit));
	cu_ok(cu(cuMemRelease)(memory));
	cu_ok(cu(cuMemAddressFree)(at, unit));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFreeHost)(host));
}

enum way {
	WAY_LINE,
	WAY_LINES,
	WAY_ARRAY,
};

/* To `device`, of 64 lines. */
static void copy_some_way(enum way way, CUdeviceptr device, CUarray array, const uint32_t *host, CUstream stream)
{
	const CUDA_MEMCPY2D lines = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				      .srcHost = host,
				      .srcPitch = WORDS / 64 * 4,
				      .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				      .dstDevice = device,
				      .dstPitch = WORDS / 64 * 4,
				      .WidthInBytes = WORDS / 64 * 4,
				      .Height = 64 };

	if (way == WAY_LINE)
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, host, WORDS * 4, stream));
	if (way == WAY_LINES)
		cu_ok(cu(cuMemcpy2DAsync_v2)(&lines, stream));
	if (way != WAY_ARRAY)
		return;
	cu_ok(cu(cuMemcpyHtoAAsync_v2)(array, 0, host, WORDS * 4, stream));
	cu_ok(cu(cuStreamSynchronize)(stream)); /* the next is no asynchronous one */
	cu_ok(cu(cuMemcpyAtoD_v2)(device, array, 0, WORDS * 4));
}

struct late {
	CUstream stream, other;
	CUevent event;
	CUdeviceptr word; /* of `host_word`, or of memory of the device's */
	uint32_t *host, *host_word;
	uint32_t round;
};

static void *write_late(void *arg)
{
	const struct late *late = arg;
	struct timespec nap = { 0, 2000000 };

	nanosleep(&nap, NULL);
	numbers(late->host, WORDS, late->round);
	__atomic_store_n(late->host_word, late->round, __ATOMIC_RELEASE);
	return NULL;
}

static void CUDA_CB write_late_there(void *arg)
{
	write_late(arg);
}

static CUgraph graph_of(const CUDA_HOST_NODE_PARAMS *params, CUgraphExec *exec)
{
	CUgraphNode node;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddHostNode)(&node, graph, NULL, 0, params));
	cu_ok(cu(cuGraphInstantiateWithFlags)(exec, graph, 0));
	return graph;
}

/* What the copy's stream waits for is a function in another stream, a word that a thread writes, or a graph. */
static void test_what_is_written_before_the_stream_comes_to_a_copy_is_copied(void)
{
	static uint32_t back[WORDS];
	struct late late = { .host = pinned(WORDS) };
	CUDA_ARRAY_DESCRIPTOR what = { .Width = WORDS, .Format = CU_AD_FORMAT_UNSIGNED_INT32, .NumChannels = 1 };
	const CUDA_HOST_NODE_PARAMS params = { write_late_there, &late };
	CUdeviceptr device;
	CUgraphExec exec;
	CUgraph graph = graph_of(&params, &exec);
	CUarray array;
	pthread_t thread;
	void *got;

	cu_ok(cu(cuStreamCreate)(&late.stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&late.other, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuEventCreate)(&late.event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	cu_ok(cu(cuArrayCreate_v2)(&array, &what));
	cu_ok(cu(cuMemHostAlloc)(&got, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&late.word, got, 0));
	late.host_word = got;
	for (int kind = 0; kind < 3 * 3; kind++) {
		int how = kind % 3;

		late.round = 100 + (uint32_t)kind;
		numbers(late.host, WORDS, 0);
		if (how == 0) {
			cu_ok(cu(cuLaunchHostFunc)(late.other, write_late_there, &late));
			cu_ok(cu(cuEventRecord)(late.event, late.other));
			cu_ok(cu(cuStreamWaitEvent)(late.stream, late.event, 0));
		}
		if (how == 1) {
			cu_ok(cu(cuStreamWaitValue32_v2)(late.stream, late.word, late.round, CU_STREAM_WAIT_VALUE_EQ));
			check(!pthread_create(&thread, NULL, write_late, &late));
		}
		if (how == 2)
			cu_ok(cu(cuGraphLaunch)(exec, late.stream));
		copy_some_way((enum way)(kind / 3), device, array, late.host, late.stream);
		cu_ok(cu(cuStreamSynchronize)(late.stream));
		if (how == 1)
			check(!pthread_join(thread, NULL));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, device, WORDS * 4));
		check(are_numbers(back, WORDS, late.round));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFreeHost)(got));
	cu_ok(cu(cuMemFreeHost)(late.host));
	cu_ok(cu(cuArrayDestroy)(array));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuEventDestroy_v2)(late.event));
	cu_ok(cu(cuStreamDestroy_v2)(late.stream));
	cu_ok(cu(cuStreamDestroy_v2)(late.other));
}

/* A graph that was captured writes it each time. */
static void test_what_a_graph_writes_ahead_of_a_copy_is_copied(void)
{
	static uint32_t back[WORDS];
	uint32_t *host = pinned(WORDS);
	CUdeviceptr from, device;
	CUstream stream;
	CUgraph graph;
	CUgraphExec exec;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&from, WORDS * 4));
	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, from, WORDS * 4, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	for (uint32_t round = 1; round < 5; round++) {
		numbers(back, WORDS, round);
		cu_ok(cu(cuMemcpyHtoD_v2)(from, back, WORDS * 4));
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, host, WORDS * 4, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, device, WORDS * 4));
		check(are_numbers(back, WORDS, round));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(from));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* The program calls nothing meanwhile: it looks at a word that the device writes behind the copy. */
static void test_a_word_that_is_written_behind_a_copy_comes_behind_it(void)
{
	uint32_t *host = pinned(WORDS);
	volatile uint32_t *word;
	CUdeviceptr device, at;
	CUstream stream;
	void *got;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	cu_ok(cu(cuMemHostAlloc)(&got, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, got, 0));
	word = got;
	*word = 0;
	numbers(host, WORDS, 0);
	cu_ok(cu(cuMemcpyHtoD_v2)(device, host, WORDS * 4));
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		launch(device, device, WORDS, stream);
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, device, WORDS * 4, stream));
		cu_ok(cu(cuStreamWriteValue32_v2)(stream, at, round, 0));
		while (*word != round)
			;
		check(are_numbers(host, WORDS, round));
	}
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuMemFreeHost)(got));
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_fills_words_and_copies_of_the_devices_take_it(void)
{
	uint32_t *a = pinned(4096), *b = pinned(4096), *c = pinned(4096), *d = pinned(3000);
	CUdeviceptr device;
	CUstream stream;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&device, 4096 * 4));
	numbers(a, 4096, 1);
	numbers(b, 4096, 2);
	cu_ok(cu(cuMemsetD32Async)(of(a + 1), 77, 4094, stream));
	cu_ok(cu(cuStreamWriteValue32_v2)(stream, of(b), 55, 0));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(device, of(b), 4096 * 4, stream));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(of(c), device, 4096 * 4, stream));
	cu_ok(cu(cuMemsetD2D8Async)(of(d), 100, 3, 10, 20, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(a[0] == 1 && a[1] == 77 && a[4094] == 77 && a[4095] == 4096);
	check(b[0] == 55 && c[0] == 55 && are_numbers(c + 1, 4095, 3));
	check(((uint8_t *)d)[1909] == 3 && !((uint8_t *)d)[1910]);
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFreeHost)(a));
	cu_ok(cu(cuMemFreeHost)(b));
	cu_ok(cu(cuMemFreeHost)(c));
	cu_ok(cu(cuMemFreeHost)(d));
}

static void test_textures_and_lists_of_words_take_it(void)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_LINEAR };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT, .flags = CU_TRSF_READ_AS_INTEGER };
	uint32_t *from = pinned(4096), *to = pinned(4096), *words = pinned(4096), at = 4000;
	CUdeviceptr out = of(to + 7);
	CUstreamBatchMemOpParams write[2] = {
		{ .writeValue = { .operation = CU_STREAM_MEM_OP_WRITE_VALUE_32, .address = of(words), .value = 5 } },
		{ .writeValue = { .operation = CU_STREAM_MEM_OP_WRITE_VALUE_32,
				  .address = of(words + 1),
				  .value = 6 } },
	};
	CUtexObject texture;
	void *params[] = { &texture, &at, &out };

	numbers(from, 4096, 3);
	resource.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT32;
	resource.res.linear.numChannels = 1;
	resource.res.linear.devPtr = of(from);
	resource.res.linear.sizeInBytes = 4096 * 4;
	cu_ok(cu(cuTexObjectCreate)(&texture, &resource, &sampling, NULL));
	cu_ok(cu(cuLaunchKernel)(fetch, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuStreamBatchMemOp_v2)(NULL, 2, write, 0));
	cu_ok(cu(cuCtxSynchronize)());
	check(to[7] == 4003 && words[0] == 5 && words[1] == 6);
	cu_ok(cu(cuTexObjectDestroy)(texture));
	cu_ok(cu(cuMemFreeHost)(from));
	cu_ok(cu(cuMemFreeHost)(to));
	cu_ok(cu(cuMemFreeHost)(words));
}

/* The first that the device hears of it is a launch that is captured, and a node. */
static void test_graphs_take_it(void)
{
	uint32_t *a = pinned(WORDS), *b = pinned(WORDS), *c = pinned(WORDS), nothing = 0;
	CUdeviceptr to = of(c), from = of(b);
	void *params[] = { &nothing, &to, &from };
	CUDA_KERNEL_NODE_PARAMS kernel = cu_kernel_node(next, WORDS / 256, 256, params);
	CUgraphNode first, node;
	CUgraphExec exec;
	CUstream stream;
	CUgraph graph;
	size_t count = 1;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	launch(of(b), of(a), WORDS, stream);
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, &first, &count));
	cu_ok(cu(cuGraphAddKernelNode_v2)(&node, graph, &first, 1, &kernel));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	for (uint32_t round = 0; round < 3; round++) {
		numbers(a, WORDS, round);
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(are_numbers(b, WORDS, round + 1) && are_numbers(c, WORDS, round + 2));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFreeHost)(a));
	cu_ok(cu(cuMemFreeHost)(b));
	cu_ok(cu(cuMemFreeHost)(c));
}

/* It is plain memory when the copy is captured, and the device's when the graph comes to write it. */
static void test_what_a_graph_writes_arrives_though_a_device_was_given_it_since(void)
{
	uint32_t *host = pinned(WORDS);
	CUdeviceptr device, at;
	CUgraphExec exec;
	CUstream stream;
	CUgraph graph;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, device, WORDS * 4, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	numbers(host, WORDS, 1);
	cu_ok(cu(cuMemcpyHtoD_v2)(device, host, WORDS * 4));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, host, 0));
	for (uint32_t round = 1; round <= ROUNDS; round++) {
		launch(device, device, WORDS, stream);
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(are_numbers(host, WORDS, 1 + round));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuMemFreeHost)(host));
}

/* One end of a copy of an array, which comes in its stream's order. */
static void test_arrays_take_it(void)
{
	const CUDA_ARRAY_DESCRIPTOR descriptor = { .Width = 4096,
						   .Format = CU_AD_FORMAT_UNSIGNED_INT32,
						   .NumChannels = 1 };
	uint32_t *a = pinned(4096), *b = pinned(4096);
	CUstream stream;
	CUarray array;

	cu_ok(cu(cuArrayCreate_v2)(&array, &descriptor));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	numbers(a, 4096, 1);
	launch(of(b), of(a), 4096, stream);
	cu_ok(cu(cuMemcpyHtoAAsync_v2)(array, 0, b, 4096 * 4, stream));
	cu_ok(cu(cuMemcpyAtoHAsync_v2)(a, array, 0, 4096 * 4, stream));
	launch(of(b), of(a), 4096, stream);
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(are_numbers(a, 4096, 2) && are_numbers(b, 4096, 3));
	cu_ok(cu(cuMemcpyHtoA_v2)(array, 40, b, 80));
	cu_ok(cu(cuMemcpyAtoH_v2)(a, array, 0, 120));
	check(are_numbers(a, 10, 2) && are_numbers(a + 10, 20, 3));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuArrayDestroy)(array));
	cu_ok(cu(cuMemFreeHost)(a));
	cu_ok(cu(cuMemFreeHost)(b));
}

/* ---- two threads ---- */

struct half {
	uint32_t *host;
	CUdeviceptr device;
	CUcontext context;
};

static void *copy_all_the_time(void *arg)
{
	const struct half *half = arg;

	cu_ok(cu(cuCtxSetCurrent)(half->context));
	for (uint32_t i = 0; i < 8; i++) {
		numbers(half->host, WORDS / 2, i);
		cu_ok(cu(cuMemcpyHtoD_v2)(half->device, half->host, WORDS * 2));
		memset(half->host, 0, WORDS * 2);
		cu_ok(cu(cuMemcpyDtoH_v2)(half->host, half->device, WORDS * 2));
		check(are_numbers(half->host, WORDS / 2, i));
	}
	return NULL;
}

/* Copies from and to one half of it while the device is first given the other one. */
static void test_threads_go_on_copying_meanwhile(void)
{
	struct half half;

	cu_ok(cu(cuCtxGetCurrent)(&half.context));
	cu_ok(cu(cuMemAlloc_v2)(&half.device, WORDS * 2));
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t *host = pinned(WORDS), *mine = host + WORDS / 2;
		pthread_t thread;

		half.host = host;
		numbers(mine, WORDS / 2, 1);
		pthread_create(&thread, NULL, copy_all_the_time, &half);
		for (int round = 0; round < 3; round++)
			launch(of(mine), of(mine), WORDS / 2, NULL);
		cu_ok(cu(cuStreamSynchronize)(NULL));
		check(are_numbers(mine, WORDS / 2, 4));
		pthread_join(thread, NULL);
		cu_ok(cu(cuMemFreeHost)(host));
	}
	cu_ok(cu(cuMemFree_v2)(half.device));
}

/* ---- */

static void test_it_has_an_address_on_the_device(void)
{
	uint32_t *host = pinned(3000);
	CUdeviceptr at = 0;

	numbers(host, 3000, 4);
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, host + 100, 0));
	check(at == of(host + 100));
	launch(at, at, 256, NULL);
	cu_ok(cu(cuCtxSynchronize)());
	check(host[99] == 103 && are_numbers(host + 100, 256, 105) && host[356] == 360);
	cu_ok(cu(cuMemFreeHost)(host));
	cu_is(cu(cuMemHostGetDevicePointer_v2)(&at, host, 0), CUDA_ERROR_INVALID_VALUE);
}

static void test_it_comes_and_goes(void)
{
	CUcontext before, other;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t *host = pinned(3000 + 500 * i);

		host[2999] = i;
		launch(of(host + 2744), of(host + 2744), 256, NULL);
		cu_ok(cu(cuCtxSynchronize)());
		check(host[2999] == i + 1);
		cu_ok(cu(cuMemFreeHost)(host));
		cu_is(cu(cuMemFreeHost)(host), CUDA_ERROR_INVALID_VALUE);
	}
	cu_ok(cu(cuCtxGetCurrent)(&before));
	for (int i = 0; i < 5; i++) {
		uint32_t *host;

		cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
		host = pinned(3000);
		cu_ok(cu(cuMemsetD32_v2)(of(host), 7, 3000));
		cu_ok(cu(cuCtxSynchronize)());
		check(host[0] == 7 && host[2999] == 7);
		cu_ok(cu(cuCtxDestroy_v2)(other)); /* and it with it */
	}
	cu_ok(cu(cuCtxSetCurrent)(before));
}

/* A device that is given memory it does not reach finds nothing there; copies from and to it go as before. */
static void refused(bool in_place)
{
	uint32_t *host = pinned(WORDS);
	CUdeviceptr device;

	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	for (uint32_t round = 0; round < 3; round++) {
		numbers(host, WORDS, round);
		cu_ok(cu(cuMemcpyHtoD_v2)(device, host, WORDS * 4));
		memset(host, 0, WORDS * 4);
		cu_ok(cu(cuMemcpyDtoH_v2)(host, device, WORDS * 4));
		check(are_numbers(host, WORDS, round));
		cu_is(cu(cuMemsetD32_v2)(of(host), 1, 1), in_place ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
	}
}

static void CUDA_CB rest(void *unused)
{
	struct timespec nap = { 0, 2000000 };

	(void)unused;
	nanosleep(&nap, NULL);
}

/* Of a server that lets a session have little memory: the copy fails behind its call, and its stream tells so, whatever
 * has become of the memory since. */
static void late_is_told(void)
{
	uint32_t *host = pinned(WORDS);
	const char *name = "?";
	CUdeviceptr device;
	CUstream stream;

	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuLaunchHostFunc)(stream, rest, NULL));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, device, WORDS * 4, stream));
	cu_ok(cu(cuMemFreeHost)(host));
	cu(cuGetErrorName)(cu(cuStreamSynchronize)(stream), &name);
	puts(name);
}

int main(int argc, char **argv)
{
	CUcontext context;

	if (argc > 1 && !strcmp(argv[1], "forbidden"))
		cu_begin_mirrored(argc, argv, CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, refused);
	context = cu_begin();
	if (argc > 1 && !strcmp(argv[1], "late")) {
		late_is_told();
		return 0;
	}
	if (argc > 1) { /* "copies" */
		refused(false);
		return 0;
	}
	cu_ok(cu(cuModuleLoadData)(&module, text));
	next = cu_function(module, "next");
	fetch = cu_function(module, "fetch");
	cu_run(test_kernels_take_the_programs_address);
	cu_run(test_a_copy_into_it_comes_before_the_kernel);
	cu_run(test_copies_from_it_come_behind_copies_into_it);
	cu_run(test_a_copy_that_is_refused_leaves_the_stream_as_it_was);
	cu_run(test_what_is_written_ahead_of_a_copy_in_its_stream_is_copied);
	cu_run(test_what_a_graph_writes_ahead_of_a_copy_is_copied);
	if (!UNSEEN)
		cu_run(test_what_is_written_before_the_stream_comes_to_a_copy_is_copied);
	if (!UNSEEN)
		cu_run(test_a_word_that_is_written_behind_a_copy_comes_behind_it);
	cu_run(test_fills_words_and_copies_of_the_devices_take_it);
	cu_run(test_textures_and_lists_of_words_take_it);
	cu_run(test_graphs_take_it);
	cu_run(test_what_a_graph_writes_arrives_though_a_device_was_given_it_since);
	cu_run(test_arrays_take_it);
	cu_run(test_threads_go_on_copying_meanwhile);
	cu_run(test_it_has_an_address_on_the_device);
	cu_run(test_it_comes_and_goes);
	cu_ok(cu(cuModuleUnload)(module));
	cu_ok(cu(cuCtxDestroy_v2)(context));
	return 0;
}
