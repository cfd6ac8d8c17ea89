/* Managed memory: variables of modules and allocations that the program reads and writes by itself. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "cu.h"

#ifdef __SANITIZE_THREAD__ /* over a server the kernel keeps apart who writes and who sends: no sanitizer sees that */
#define UNSEEN true
#else
#define UNSEEN false
#endif
#define WORDS 40960u /* of the variable `many`: 160 KiB */

static const char text[] = ".version 7.0\n"
			   ".target sm_70\n"
			   ".address_size 64\n"
			   ".visible .global .attribute(.managed) .align 8 .b32 many[40960];\n"
			   ".visible .global .attribute(.managed) .align 4 .u32 one = 5;\n"
			   ".visible .entry bump(.param .u64 at, .param .u32 n)\n"
			   "{\n"
			   "	.reg .pred %p;\n"
			   "	.reg .b32 %r<8>;\n"
			   "	.reg .b64 %a<4>;\n"
			   "	ld.param.u64 %a0, [at];\n"
			   "	ld.param.u32 %r0, [n];\n"
			   "	mov.u32 %r1, %ctaid.x;\n"
			   "	mov.u32 %r2, %ntid.x;\n"
			   "	mov.u32 %r3, %tid.x;\n"
			   "	mad.lo.u32 %r4, %r1, %r2, %r3;\n"
			   "	setp.ge.u32 %p, %r4, %r0;\n"
			   "	@%p bra done;\n"
			   "	mul.wide.u32 %a1, %r4, 4;\n"
			   "	add.u64 %a2, %a0, %a1;\n"
			   "	ld.global.u32 %r5, [%a2];\n"
			   "	ld.global.u32 %r6, [one];\n"
			   "	add.u32 %r5, %r5, %r6;\n"
			   "	st.global.u32 [%a2], %r5;\n"
			   "done:\n"
			   "	ret;\n"
			   "}\n"
			   /* Each thread adds to each of the words of a page, round by round. */
			   ".visible .entry add(.param .u64 at, .param .u32 rounds)\n"
			   "{\n"
			   "	.reg .pred %p;\n"
			   "	.reg .b32 %r<6>;\n"
			   "	.reg .b64 %a<4>;\n"
			   "	ld.param.u64 %a0, [at];\n"
			   "	ld.param.u32 %r0, [rounds];\n"
			   "again:\n"
			   "	and.b32 %r1, %r0, 1023;\n"
			   "	mul.wide.u32 %a1, %r1, 4;\n"
			   "	add.u64 %a2, %a0, %a1;\n"
			   "	red.global.sys.add.u32 [%a2], 1;\n"
			   "	sub.u32 %r0, %r0, 1;\n"
			   "	setp.ne.u32 %p, %r0, 0;\n"
			   "	@%p bra again;\n"
			   "	ret;\n"
			   "}\n";

static CUmodule module;
static CUfunction bump;

static void launch(CUdeviceptr at, uint32_t words)
{
	void *params[] = { &at, &words };

	cu_ok(cu(cuLaunchKernel)(bump, (words + 255) / 256, 1, 1, 256, 1, 1, 0, NULL, params, NULL));
}

static uint32_t *variable(const char *name, CUdeviceptr *at)
{
	size_t bytes;

	cu_ok(cu(cuModuleGetGlobal_v2)(at, &bytes, module, name));
	return (uint32_t *)(uintptr_t)*at;
}

static void test_the_program_and_kernels_see_the_same_bytes(void)
{
	CUdeviceptr at;
	uint32_t *many = variable("many", &at), *one = variable("one", &at);

	check(*one == 5 && many[0] == 0 && many[WORDS - 1] == 0);
	variable("many", &at);
	for (uint32_t i = 0; i < WORDS; i += 1000)
		many[i] = i;
	for (uint32_t round = 1; round <= 5; round++) {
		*one = round;
		launch(at, WORDS);
		cu_ok(cu(cuCtxSynchronize)());
		for (uint32_t i = 0; i < WORDS; i++)
			check(many[i] == (i % 1000 ? 0 : i) + round * (round + 1) / 2);
	}
	*one = 5;
}

static void test_copies_take_it_from_either_side(void)
{
	static uint32_t back[WORDS];
	CUDA_MEMCPY2D lines = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				.dstMemoryType = CU_MEMORYTYPE_DEVICE,
				.WidthInBytes = 4096,
				.Height = 16 };
	CUdeviceptr at, device;
	uint32_t *many = variable("many", &at);

	cu_ok(cu(cuMemAlloc_v2)(&device, WORDS * 4));
	for (uint32_t i = 0; i < WORDS; i++)
		many[i] = i ^ 0x55;
	cu_ok(cu(cuMemcpyHtoD_v2)(device, many, WORDS * 4)); /* as if it were the program's own */
	memset(many, 0, WORDS * 4);
	cu_ok(cu(cuMemcpyDtoH_v2)(back, device, WORDS * 4));
	for (uint32_t i = 0; i < WORDS; i++)
		check(back[i] == (i ^ 0x55));
	cu_ok(cu(cuMemcpyDtoH_v2)(many, device, WORDS * 4));
	check(!memcmp(many, back, sizeof(back)));
	cu_ok(cu(cuMemsetD32_v2)(at, 0x01020304, WORDS));
	cu_ok(cu(cuCtxSynchronize)());
	check(many[0] == 0x01020304 && many[WORDS - 1] == 0x01020304);
	cu_ok(cu(cuMemcpy)(at, device, WORDS * 4));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, at, WORDS * 4));
	check(!memcmp(many, back, sizeof(back)));
	many[1] = 77;
	lines.srcHost = many;
	lines.srcPitch = 8192;
	lines.dstDevice = device;
	lines.dstPitch = 4096;
	cu_ok(cu(cuMemcpy2D_v2)(&lines));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, device, 8192));
	check(back[1] == 77 && back[1024] == many[2048]);
	cu_ok(cu(cuMemFree_v2)(device));
}

struct shared {
	uint32_t *many, seen;
};

static void look(void *arg)
{
	struct shared *shared = arg;

	shared->seen = shared->many[3];
	shared->many[3] = 1000;
}

static void test_a_host_function_between_kernels_sees_and_is_seen(void)
{
	CUdeviceptr at;
	struct shared shared = { .many = variable("many", &at) };
	CUstream stream;
	uint32_t words = 8;
	void *params[] = { &at, &words };

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	shared.many[3] = 40;
	cu_ok(cu(cuLaunchKernel)(bump, 1, 1, 1, 32, 1, 1, 0, stream, params, NULL));
	cu_ok(cu(cuLaunchHostFunc)(stream, look, &shared));
	cu_ok(cu(cuLaunchKernel)(bump, 1, 1, 1, 32, 1, 1, 0, stream, params, NULL));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(shared.seen == 45 && shared.many[3] == 1005);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_attributes_say_that_it_is_managed(void)
{
	CUdeviceptr at;
	uint32_t *many = variable("many", &at);
	unsigned int managed = 0;
	void *host = NULL;
	int advised = 9;

	cu_ok(cu(cuPointerGetAttribute)(&managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, at + 4));
	cu_ok(cu(cuPointerGetAttribute)(&host, CU_POINTER_ATTRIBUTE_HOST_POINTER, at + 4));
	check(managed == 1 && host == many + 1);
	cu_ok(cu(cuMemAdvise)(at, WORDS * 4, CU_MEM_ADVISE_SET_READ_MOSTLY, 0));
	cu_ok(cu(cuMemRangeGetAttribute)(&advised, 4, CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, at, WORDS * 4));
	check(advised == 1);
	cu_is(cu(cuMemFree_v2)(at), CUDA_ERROR_INVALID_VALUE);
}

static void test_a_library_gives_its_managed_variables(void)
{
	CUlibrary library;
	CUdeviceptr at, again;
	size_t bytes = 0;

	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetManaged)(&at, &bytes, library, "one"));
	check(bytes == 4 && *(uint32_t *)(uintptr_t)at == 5);
	*(uint32_t *)(uintptr_t)at = 6;
	cu_ok(cu(cuLibraryGetGlobal)(&again, &bytes, library, "one"));
	check(again == at && *(uint32_t *)(uintptr_t)at == 6);
	cu_is(cu(cuLibraryGetManaged)(&at, &bytes, library, "none"), CUDA_ERROR_NOT_FOUND);
	cu_ok(cu(cuLibraryUnload)(library));
}

static void *write_all(void *arg)
{
	uint32_t *at = arg;

	for (uint32_t i = 1; i < 1u << 20; i += 2)
		at[i] = i;
	return NULL;
}

static void test_allocations_of_many_pages_go_to_and_fro(void)
{
	const uint32_t words = 1u << 20;
	CUdeviceptr at;
	pthread_t thread;
	uint32_t *host;

	cu_ok(cu(cuMemAllocManaged)(&at, (size_t)words * 4, CU_MEM_ATTACH_GLOBAL));
	host = (uint32_t *)(uintptr_t)at;
	check(!pthread_create(&thread, NULL, write_all, host));
	for (uint32_t i = 0; i < words; i += 2)
		host[i] = i;
	check(!pthread_join(thread, NULL));
	launch(at, words);
	cu_ok(cu(cuCtxSynchronize)());
	for (uint32_t i = 0; i < words; i++)
		check(host[i] == i + 5);
	cu_ok(cu(cuMemFree_v2)(at));
	cu_is(cu(cuMemAllocManaged)(&at, 0, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_INVALID_VALUE);
}

/* Over a link that shares nothing a thread that uses it while calls are made loses nothing that it wrote. */
static atomic_bool ends;

static void *count(void *arg)
{
	uint32_t *at = arg, n = 0;

	while (!atomic_load(&ends))
		*(volatile uint32_t *)at = ++n;
	return (void *)(uintptr_t)n;
}

static void wait_for_it(void *arg)
{
	while (!atomic_load((atomic_bool *)arg))
		;
}

/* Its pages cannot be moved then: they come some other way. */
static void test_a_variable_is_asked_for_while_the_device_works(void)
{
	uint32_t words = 64;
	atomic_bool go = false;
	CUfunction own;
	CUmodule other;
	CUdeviceptr at;
	size_t bytes;
	void *params[] = { &at, &words };

	cu_ok(cu(cuModuleLoadData)(&other, text));
	own = cu_function(other, "bump");
	cu_ok(cu(cuLaunchHostFunc)(NULL, wait_for_it, &go));
	cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, other, "many"));
	cu_ok(cu(cuLaunchKernel)(own, 1, 1, 1, 64, 1, 1, 0, NULL, params, NULL));
	atomic_store(&go, true);
	cu_ok(cu(cuCtxSynchronize)());
	for (uint32_t i = 0; i < WORDS; i++)
		check(((uint32_t *)(uintptr_t)at)[i] == (i < words ? 5 : 0));
	cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, other, "one")); /* and stay there */
	check(*(uint32_t *)(uintptr_t)at == 5);
	cu_ok(cu(cuModuleUnload)(other));
}

/* As the sample systemWideAtomics does, which does not ask whether it may. */
static void test_the_program_and_a_kernel_add_to_one_page_at_one_time(void)
{
	const uint32_t rounds = 1024 * 200;
	uint32_t kernel_rounds = rounds;
	CUfunction add = cu_function(module, "add");
	CUdeviceptr at;
	void *params[] = { &at, &kernel_rounds };
	uint32_t *host;

	cu_ok(cu(cuMemAllocManaged)(&at, 4096, CU_MEM_ATTACH_GLOBAL));
	host = (uint32_t *)(uintptr_t)at;
	memset(host, 0, 4096);
	cu_ok(cu(cuLaunchKernel)(add, 1, 1, 1, 64, 1, 1, 0, NULL, params, NULL));
	for (uint32_t i = 0; i < rounds; i++)
		__atomic_fetch_add(host + i % 1024, 1, __ATOMIC_RELAXED);
	cu_ok(cu(cuCtxSynchronize)());
	for (uint32_t i = 0; i < 1024; i++)
		check(host[i] == rounds / 1024 * 65);
	cu_ok(cu(cuMemFree_v2)(at));
}

struct hand {
	atomic_bool runs, done;
	uint32_t *at;
};

static void hand_over(void *arg)
{
	struct hand *hand = arg;

	atomic_store(&hand->runs, true);
	while (!atomic_load(&hand->done))
		;
	check(*hand->at == 8);
}

/* The stream waits for the function, and that for the program. */
static void test_the_program_touches_what_a_host_function_waits_for(void)
{
	struct hand hand = { .at = NULL };
	CUdeviceptr at;

	cu_ok(cu(cuMemAllocManaged)(&at, 4096, CU_MEM_ATTACH_GLOBAL));
	hand.at = (uint32_t *)(uintptr_t)at;
	*hand.at = 2;
	launch(at, 1);
	cu_ok(cu(cuLaunchHostFunc)(NULL, hand_over, &hand));
	while (!atomic_load(&hand.runs))
		;
	check(*hand.at == 7);
	*hand.at = 8;
	atomic_store(&hand.done, true);
	launch(at, 1);
	cu_ok(cu(cuCtxSynchronize)());
	check(*hand.at == 13);
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_nothing_that_a_thread_writes_meanwhile_is_lost(void)
{
	CUdeviceptr at;
	uint32_t *many = variable("many", &at);
	pthread_t thread;
	void *n;

	many[8192] = 0;
	check(!pthread_create(&thread, NULL, count, many + 8192));
	for (int i = 0; i < 200; i++) {
		launch(at, 16); /* other words */
		cu_ok(cu(cuCtxSynchronize)());
	}
	atomic_store(&ends, true);
	check(!pthread_join(thread, &n));
	check(many[8192] == (uint32_t)(uintptr_t)n);
	launch(at + 8192 * 4, 1);
	cu_ok(cu(cuCtxSynchronize)());
	check(many[8192] == (uint32_t)(uintptr_t)n + 5);
}

static void test_what_ends_with_its_module_comes_back_with_the_next(void)
{
	for (int i = 0; i < 20; i++) {
		CUdeviceptr at;
		size_t bytes;
		CUmodule next;

		cu_ok(cu(cuModuleLoadData)(&next, text));
		cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, next, "one"));
		check(*(uint32_t *)(uintptr_t)at == 5);
		*(uint32_t *)(uintptr_t)at = 50;
		cu_ok(cu(cuModuleUnload)(next));
	}
}

/* Each with the module's and a library's variables, which go with it. */
static void test_what_ends_with_its_context_comes_back_with_the_next(void)
{
	CUcontext before, next;
	CUlibrary library;
	CUmodule own;
	CUdeviceptr at;
	size_t bytes;

	cu_ok(cu(cuCtxGetCurrent)(&before));
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	for (int i = 0; i < 5; i++) {
		cu_ok(cu(cuCtxCreate_v2)(&next, 0, 0));
		cu_ok(cu(cuModuleLoadData)(&own, text));
		cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, own, "one"));
		check(*(uint32_t *)(uintptr_t)at == 5);
		*(uint32_t *)(uintptr_t)at = 50;
		cu_ok(cu(cuLibraryGetManaged)(&at, &bytes, library, "one"));
		if (!i || cu_is_reference()) /* a library's is all contexts' on an H200 */
			check(*(uint32_t *)(uintptr_t)at == 5);
		*(uint32_t *)(uintptr_t)at = 50;
		cu_ok(cu(cuCtxDestroy_v2)(next));
	}
	cu_ok(cu(cuLibraryUnload)(library));
	cu_ok(cu(cuCtxSetCurrent)(before));
}

/* As a program that left a capture open does, and goes on. */
static void test_it_comes_and_goes_while_a_stream_is_captured(void)
{
	CUdeviceptr before, meanwhile;
	CUstream stream;
	CUgraph graph;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAllocManaged)(&before, 5000, CU_MEM_ATTACH_GLOBAL));
	*(uint32_t *)(uintptr_t)before = 7;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAllocManaged)(&meanwhile, 5000, CU_MEM_ATTACH_GLOBAL));
	*(uint32_t *)(uintptr_t)meanwhile = 8;
	check(*(uint32_t *)(uintptr_t)before == 7);
	cu_ok(cu(cuMemFree_v2)(before));
	cu_ok(cu(cuMemFree_v2)(meanwhile));
	cu_is_by_reference(cu(cuMemFree_v2)(before), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemAllocManaged)(&before, 5000, CU_MEM_ATTACH_GLOBAL));
	*(uint32_t *)(uintptr_t)before = 9;
	cu_ok(cu(cuMemFree_v2)(before));
}

/* Over a server: nothing is given that cannot be reached, and other variables are. */
struct advised {
	CUdeviceptr at;
	CUcontext context;
	atomic_bool ends;
};

static void *prefetch_main(void *arg)
{
	struct advised *advised = arg;

	cu_ok(cu(cuCtxSetCurrent)(advised->context));
	while (!atomic_load(&advised->ends))
		cu_ok(cu(cuMemPrefetchAsync)(advised->at, 4096, 0, NULL));
	return NULL;
}

/* One thread advises of an allocation what another one does not. */
static void test_what_threads_advise_at_one_time_is_all_kept(void)
{
	struct advised advised = { 0 };
	pthread_t thread;

	cu_ok(cu(cuCtxGetCurrent)(&advised.context));
	cu_ok(cu(cuMemAllocManaged)(&advised.at, 4096, CU_MEM_ATTACH_GLOBAL));
	check(!pthread_create(&thread, NULL, prefetch_main, &advised));
	for (int i = 0; i < 100000; i++) {
		CUmem_advise advice = i % 2 ? CU_MEM_ADVISE_SET_READ_MOSTLY : CU_MEM_ADVISE_UNSET_READ_MOSTLY;
		int told = 5;

		cu_ok(cu(cuMemAdvise)(advised.at, 4096, advice, 0));
		cu_ok(cu(cuMemRangeGetAttribute)(&told, sizeof(told), CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY, advised.at,
						 4096));
		check(told == i % 2);
	}
	atomic_store(&advised.ends, true);
	check(!pthread_join(thread, NULL));
	cu_ok(cu(cuMemFree_v2)(advised.at));
}

static void refused(bool in_place)
{
	CUdeviceptr at;
	size_t bytes;

	cu_ok(cu(cuModuleLoadData)(&module, text));
	cu_is(cu(cuModuleGetGlobal_v2)(&at, &bytes, module, "one"), in_place ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED);
	if (in_place)
		check(*(uint32_t *)(uintptr_t)at == 5);
	cu_is(cu(cuModuleGetGlobal_v2)(&at, &bytes, module, "none"), CUDA_ERROR_NOT_FOUND);
	cu_is(cu(cuMemAllocManaged)(&at, 4096, CU_MEM_ATTACH_GLOBAL),
	      in_place ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED);
	cu_ok(cu(cuModuleUnload)(module));
}

/* For counting what is sent: the program and a kernel use all of the variable, again and again. */
static void use(uint32_t rounds)
{
	CUdeviceptr at;
	uint32_t *many = variable("many", &at);

	for (uint32_t round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < WORDS; i++)
			many[i] = i + round;
		launch(at, WORDS);
		cu_ok(cu(cuCtxSynchronize)());
		for (uint32_t i = 0; i < WORDS; i++)
			check(many[i] == i + round + 5);
	}
}

int main(int argc, char **argv)
{
	CUcontext context = cu_begin_mirrored(argc, argv, CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, refused);

	cu_ok(cu(cuModuleLoadData)(&module, text));
	bump = cu_function(module, "bump");
	if (argc > 2 && !strcmp(argv[1], "use")) {
		use((uint32_t)atoi(argv[2]));
		return 0;
	}
	cu_run(test_the_program_and_kernels_see_the_same_bytes);
	cu_run(test_copies_take_it_from_either_side);
	cu_run(test_a_host_function_between_kernels_sees_and_is_seen);
	cu_run(test_attributes_say_that_it_is_managed);
	cu_run(test_a_library_gives_its_managed_variables);
	cu_run(test_allocations_of_many_pages_go_to_and_fro);
	cu_run(test_the_program_touches_what_a_host_function_waits_for);
	if (!UNSEEN)
		cu_run(test_the_program_and_a_kernel_add_to_one_page_at_one_time);
	if (!UNSEEN)
		cu_run(test_nothing_that_a_thread_writes_meanwhile_is_lost);
	cu_run(test_what_threads_advise_at_one_time_is_all_kept);
	cu_run(test_a_variable_is_asked_for_while_the_device_works);
	cu_run(test_what_ends_with_its_module_comes_back_with_the_next);
	cu_run(test_it_comes_and_goes_while_a_stream_is_captured);
	cu_run(test_what_ends_with_its_context_comes_back_with_the_next);
	cu_ok(cu(cuModuleUnload)(module));
	cu_ok(cu(cuCtxDestroy_v2)(context));
	return 0;
}
