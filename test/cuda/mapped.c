/* Mapped host memory: the program and kernels use it at one time. */
#include <stdint.h>
#include <time.h>

#include "cu.h"

#ifdef __SANITIZE_THREAD__ /* both at one time is what a thread sanitizer looks for */
#define UNSEEN true
#else
#define UNSEEN false
#endif
#define WORDS	   40960u /* 160 KiB */
#define PAGE_WORDS 1024u

static const char text[] = ".version 7.0\n"
			   ".target sm_70\n"
			   ".address_size 64\n"
			   ".visible .entry bump(.param .u64 at, .param .u32 step)\n"
			   "{\n"
			   "	.reg .b32 %r<8>;\n"
			   "	.reg .b64 %a<4>;\n"
			   "	ld.param.u64 %a0, [at];\n"
			   "	ld.param.u32 %r0, [step];\n"
			   "	mov.u32 %r1, %ctaid.x;\n"
			   "	mov.u32 %r2, %ntid.x;\n"
			   "	mov.u32 %r3, %tid.x;\n"
			   "	mad.lo.u32 %r4, %r1, %r2, %r3;\n"
			   "	mul.lo.u32 %r4, %r4, %r0;\n"
			   "	mul.wide.u32 %a1, %r4, 4;\n"
			   "	add.u64 %a2, %a0, %a1;\n"
			   "	ld.volatile.global.u32 %r5, [%a2];\n"
			   "	add.u32 %r5, %r5, 1;\n"
			   "	st.volatile.global.u32 [%a2], %r5;\n"
			   "	ret;\n"
			   "}\n"
			   /* Waits for at[0] to count up to each number, and answers in at[1]; at[2] is not its own. */
			   ".visible .entry answer(.param .u64 at, .param .u32 times)\n"
			   "{\n"
			   "	.reg .pred %p;\n"
			   "	.reg .b32 %r<8>;\n"
			   "	.reg .b64 %a<4>;\n"
			   "	ld.param.u64 %a0, [at];\n"
			   "	ld.param.u32 %r0, [times];\n"
			   "	mov.u32 %r1, 1;\n"
			   "next:\n"
			   "	ld.volatile.global.u32 %r2, [%a0];\n"
			   "	setp.ne.u32 %p, %r2, %r1;\n"
			   "	@%p bra next;\n"
			   "	st.volatile.global.u32 [%a0+4], %r1;\n"
			   "	membar.sys;\n"
			   "	add.u32 %r1, %r1, 1;\n"
			   "	setp.le.u32 %p, %r1, %r0;\n"
			   "	@%p bra next;\n"
			   "	ret;\n"
			   "}\n";

static CUmodule module;
static CUfunction bump, answer;

static void launch(CUfunction function, CUdeviceptr at, uint32_t value, uint32_t blocks, uint32_t threads)
{
	void *params[] = { &at, &value };

	cu_ok(cu(cuLaunchKernel)(function, blocks, 1, 1, threads, 1, 1, 0, NULL, params, NULL));
}

static uint32_t *mapped(uint32_t words, CUdeviceptr *at)
{
	void *host;

	cu_ok(cu(cuMemHostAlloc)(&host, (size_t)words * 4, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(at, host, 0));
	return host;
}

static void test_the_program_and_kernels_see_the_same_bytes(void)
{
	CUdeviceptr at;
	uint32_t *host = mapped(WORDS, &at);

	for (uint32_t i = 0; i < WORDS; i++)
		host[i] = i;
	for (uint32_t round = 1; round <= 4; round++) {
		launch(bump, at, 1, WORDS / 256, 256);
		cu_ok(cu(cuCtxSynchronize)());
		for (uint32_t i = 0; i < WORDS; i++)
			check(host[i] == i + round);
	}
	cu_ok(cu(cuMemFreeHost)(host));
}

/* Odd words are the program's, even words the kernels', in the same pages and meanwhile. */
static void test_neither_side_loses_what_it_writes_beside_the_other(void)
{
	const uint32_t kernels = 300;
	CUdeviceptr at;
	uint32_t *host = mapped(4096, &at), rounds = 0;
	CUevent end;

	memset(host, 0, 4096 * 4);
	cu_ok(cu(cuEventCreate)(&end, CU_EVENT_DISABLE_TIMING));
	for (uint32_t i = 0; i < kernels; i++)
		launch(bump, at, 2, 8, 256);
	cu_ok(cu(cuEventRecord)(end, NULL));
	do {
		rounds++;
		for (uint32_t i = 1; i < 4096; i += 2)
			((volatile uint32_t *)host)[i] = rounds;
	} while (cu(cuEventQuery)(end) == CUDA_ERROR_NOT_READY || rounds < 3);
	cu_ok(cu(cuEventSynchronize)(end));
	for (uint32_t i = 0; i < 4096; i++)
		check(host[i] == (i % 2 ? rounds : kernels));
	cu_ok(cu(cuEventDestroy_v2)(end));
	cu_ok(cu(cuMemFreeHost)(host));
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A kernel that waits for the program, which waits for the kernel; no call between. */
static void test_they_wait_for_each_other_without_a_call(void)
{
	const uint32_t times = 20;
	CUdeviceptr at;
	volatile uint32_t *host = mapped(1024, &at);
	double end = now_s() + 60;

	for (uint32_t i = 0; i < 1024; i++)
		host[i] = 0;
	launch(answer, at, times, 1, 1);
	for (uint32_t i = 1; i <= times; i++) {
		host[2] = i * 10;
		host[0] = i;
		while (host[1] != i)
			check(now_s() < end);
	}
	cu_ok(cu(cuCtxSynchronize)());
	check(host[0] == times && host[1] == times && host[2] == times * 10 && host[3] == 0);
	cu_ok(cu(cuMemFreeHost)((void *)(uintptr_t)host));
}

static void test_copies_and_sets_take_it_from_either_side(void)
{
	static uint32_t back[WORDS];
	CUDA_MEMCPY2D lines = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				.dstMemoryType = CU_MEMORYTYPE_DEVICE,
				.WidthInBytes = 4096,
				.Height = 16 };
	CUdeviceptr at, device;
	uint32_t *host = mapped(WORDS, &at);
	CUstream stream;

	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (uint32_t i = 0; i < WORDS; i++)
		host[i] = i ^ 0x55;
	cu_ok(cu(cuMemcpyHtoD_v2)(device, host, WORDS * 4));
	memset(host, 0, WORDS * 4);
	cu_ok(cu(cuMemcpyDtoH_v2)(back, device, WORDS * 4));
	for (uint32_t i = 0; i < WORDS; i++)
		check(back[i] == (i ^ 0x55));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, device, WORDS * 4, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(!memcmp(host, back, sizeof(back)));
	cu_ok(cu(cuMemsetD32_v2)(at, 0x01020304, WORDS));
	cu_ok(cu(cuCtxSynchronize)());
	check(host[0] == 0x01020304 && host[WORDS - 1] == 0x01020304);
	host[5] = 99;
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(device, host, WORDS * 4, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuMemcpy)(at, device, WORDS * 4));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, at, WORDS * 4));
	check(back[5] == 99 && !memcmp(host, back, sizeof(back)));
	host[1] = 77;
	lines.srcHost = host;
	lines.srcPitch = 8192;
	lines.dstDevice = device;
	lines.dstPitch = 4096;
	cu_ok(cu(cuMemcpy2D_v2)(&lines));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, device, 8192));
	check(back[1] == 77 && back[1024] == host[2048]);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuMemFreeHost)(host));
}

struct stay {
	volatile uint32_t *host;
	uint32_t round;
};

static void CUDA_CB write_and_stay(void *arg)
{
	const struct stay *stay = arg;
	struct timespec nap = { 0, 5000000 };

	for (uint32_t i = 0; i < PAGE_WORDS; i++)
		stay->host[i] = stay->round + i;
	nanosleep(&nap, NULL);
}

/* Over a link its pages go by themselves while it stays; test_cuda.py has a slow one, too. */
static void test_what_a_host_function_writes_is_there_behind_it(void)
{
	static uint32_t back[PAGE_WORDS];
	struct stay stay;
	CUdeviceptr at, device;
	CUstream stream;

	stay.host = mapped(PAGE_WORDS, &at);
	cu_ok(cu(cuMemAlloc_v2)(&device, PAGE_WORDS * 4));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (stay.round = 1; stay.round <= 5; stay.round++) {
		cu_ok(cu(cuLaunchHostFunc)(stream, write_and_stay, &stay));
		cu_ok(cu(cuMemcpyDtoDAsync_v2)(device, at, PAGE_WORDS * 4, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, device, PAGE_WORDS * 4));
		for (uint32_t i = 0; i < PAGE_WORDS; i++)
			check(back[i] == stay.round + i);
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuMemFreeHost)((void *)(uintptr_t)stay.host));
}

struct late {
	volatile uint32_t *host;
	uint32_t seen;
};

static void CUDA_CB touch_late(void *arg)
{
	struct late *late = arg;

	cu_nap_ms(100);
	late->seen = late->host[PAGE_WORDS];
	late->host[2 * PAGE_WORDS]++;
	cu_nap_ms(20);
	late->host[3 * PAGE_WORDS]++;
}

/* Behind a host function the device's queue gets full, so that a launch waits for the function; meanwhile both sides
 * touch memory. */
static void test_a_full_queue_behind_a_host_function_keeps_no_page(void)
{
	const uint32_t launches = 3000, rounds = 3;
	struct late late = { .seen = 1 };
	CUdeviceptr at;

	late.host = mapped(4 * PAGE_WORDS, &at);
	for (uint32_t i = 0; i < 4 * PAGE_WORDS; i++)
		late.host[i] = 0;
	for (uint32_t round = 1; round <= rounds; round++) {
		cu_ok(cu(cuLaunchHostFunc)(NULL, touch_late, &late));
		for (uint32_t i = 1; i <= launches; i++) {
			launch(bump, at, 1, 1, 1);
			if (i % 500 == 0)
				late.host[PAGE_WORDS + 1] += late.host[PAGE_WORDS + 2] + 1;
		}
		late.host[PAGE_WORDS + 1]++;
		cu_ok(cu(cuCtxSynchronize)());
		check(late.host[0] == round * launches && late.host[PAGE_WORDS + 1] == round * (launches / 500 + 1));
		check(!late.seen && late.host[2 * PAGE_WORDS] == round && late.host[3 * PAGE_WORDS] == round);
	}
	cu_ok(cu(cuMemFreeHost)((void *)(uintptr_t)late.host));
}

/* As well, where a call waits for all that is under way. */
static void test_a_call_that_waits_for_a_host_function_keeps_no_page(void)
{
	struct late late = { .seen = 1 };
	CUdeviceptr at, device;

	late.host = mapped(4 * PAGE_WORDS, &at);
	for (uint32_t i = 0; i < 4 * PAGE_WORDS; i++)
		late.host[i] = 0;
	for (uint32_t round = 1; round <= 3; round++) {
		cu_ok(cu(cuMemAlloc_v2)(&device, 64u << 20));
		launch(bump, at, 1, 1, 1);
		cu_ok(cu(cuLaunchHostFunc)(NULL, touch_late, &late));
		late.host[PAGE_WORDS + 1]++;
		cu_ok(cu(cuMemFree_v2)(device));
		late.host[PAGE_WORDS + 2]++;
		launch(bump, at, 1, 1, 1);
		late.host[PAGE_WORDS + 3]++;
		cu_ok(cu(cuCtxSynchronize)());
		check(late.host[0] == 2 * round && !late.seen);
		for (uint32_t i = 1; i <= 3; i++)
			check(late.host[PAGE_WORDS + i] == round);
		check(late.host[2 * PAGE_WORDS] == round && late.host[3 * PAGE_WORDS] == round);
	}
	cu_ok(cu(cuMemFreeHost)((void *)(uintptr_t)late.host));
}

static void CUDA_CB wait_for_it(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_ACQUIRE))
		;
}

/* A host function that ends meanwhile lets it go. */
static void test_the_program_reads_what_it_wrote(void)
{
	CUdeviceptr at;
	volatile uint32_t *host = mapped(PAGE_WORDS, &at);
	CUstream stream;
	double end;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (uint32_t round = 1; round <= 20; round++) {
		bool goes = false;

		cu_ok(cu(cuLaunchHostFunc)(stream, wait_for_it, &goes));
		end = now_s() + 1e-3;
		while (now_s() < end)
			;
		host[0] = round;
		__atomic_store_n(&goes, true, __ATOMIC_RELEASE);
		end = now_s() + 5e-3;
		while (now_s() < end)
			check(host[0] == round);
		cu_ok(cu(cuStreamSynchronize)(stream));
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFreeHost)((void *)(uintptr_t)host));
}

static void test_attributes_say_that_it_is_host_memory(void)
{
	unsigned int flags = 0, managed = 9;
	CUmemorytype type = 0;
	CUdeviceptr at;
	void *host = mapped(2000, &at), *same = NULL;

	check(at == (uintptr_t)host);
	cu_ok(cu(cuMemHostGetFlags)(&flags, host));
	check(flags & CU_MEMHOSTALLOC_DEVICEMAP);
	cu_ok(cu(cuPointerGetAttribute)(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, at + 4));
	cu_ok(cu(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at + 4));
	cu_ok(cu(cuPointerGetAttribute)(&same, CU_POINTER_ATTRIBUTE_HOST_POINTER, at + 4));
	check(!managed && type == CU_MEMORYTYPE_HOST && same == (char *)host + 4);
	cu_is(cu(cuMemFree_v2)(at), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemFreeHost)((char *)host + 4), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFreeHost)(host));
	cu_is(cu(cuMemFreeHost)(host), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemHostGetDevicePointer_v2)(&at, host, 0), CUDA_ERROR_INVALID_VALUE);
}

static void test_it_comes_and_goes(void)
{
	CUcontext before, next;
	CUdeviceptr at;

	for (int i = 0; i < 50; i++) {
		uint32_t *host = mapped(3000 + 500 * (uint32_t)i, &at);

		host[2999] = 1;
		launch(bump, at + 2999 * 4, 1, 1, 1);
		cu_ok(cu(cuCtxSynchronize)());
		check(host[2999] == 2);
		cu_ok(cu(cuMemFreeHost)(host));
	}
	cu_ok(cu(cuCtxGetCurrent)(&before));
	for (int i = 0; i < 5; i++) {
		cu_ok(cu(cuCtxCreate_v2)(&next, CU_CTX_MAP_HOST, 0));
		*mapped(3000, &at) = 1;
		cu_ok(cu(cuCtxDestroy_v2)(next)); /* and it with it */
	}
	cu_ok(cu(cuCtxSetCurrent)(before));
}

/* The program has its memory, and hears that no device has it. */
static void refused(bool in_place)
{
	CUdeviceptr at;
	void *host;

	cu_ok(cu(cuMemHostAlloc)(&host, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	memset(host, 1, 4096);
	cu_is(cu(cuMemHostGetDevicePointer_v2)(&at, host, 0), in_place ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED);
	cu_ok(cu(cuMemFreeHost)(host));
}

/* For counting what is asked: kernels have written to it, and then the program alone reads it. */
static void read_for(double seconds)
{
	CUdeviceptr at;
	uint32_t *host = mapped(WORDS, &at);
	double end;

	memset(host, 0, WORDS * 4);
	launch(bump, at, 1, WORDS / 256, 256);
	cu_ok(cu(cuCtxSynchronize)());
	end = now_s() + seconds;
	do
		for (uint32_t i = 0; i < WORDS; i += 64)
			check(host[i] == 1);
	while (now_s() < end);
	cu_ok(cu(cuMemFreeHost)(host));
}

int main(int argc, char **argv)
{
	CUcontext context = cu_begin_mirrored(argc, argv, CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, refused);

	cu_ok(cu(cuModuleLoadData)(&module, text));
	bump = cu_function(module, "bump");
	answer = cu_function(module, "answer");
	if (argc > 2 && !strcmp(argv[1], "read")) {
		read_for(1e-3 * atof(argv[2]));
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "host-function")) {
		cu_run(test_what_a_host_function_writes_is_there_behind_it);
		return 0;
	}
	cu_run(test_the_program_and_kernels_see_the_same_bytes);
	if (!UNSEEN) {
		cu_run(test_neither_side_loses_what_it_writes_beside_the_other);
		cu_run(test_they_wait_for_each_other_without_a_call);
	}
	cu_run(test_copies_and_sets_take_it_from_either_side);
	cu_run(test_what_a_host_function_writes_is_there_behind_it);
	if (!UNSEEN) {
		cu_run(test_a_full_queue_behind_a_host_function_keeps_no_page);
		cu_run(test_a_call_that_waits_for_a_host_function_keeps_no_page);
	}
	cu_run(test_the_program_reads_what_it_wrote);
	cu_run(test_attributes_say_that_it_is_host_memory);
	cu_run(test_it_comes_and_goes);
	cu_ok(cu(cuModuleUnload)(module));
	cu_ok(cu(cuCtxDestroy_v2)(context));
	return 0;
}
