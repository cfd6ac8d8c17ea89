/* Modules, functions and launches: arguments of all shapes, memory spaces, what is printed, and bad input. */
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "cu.h"

static CUmodule module;

static CUresult launch1(CUfunction function, unsigned int grid, unsigned int block, unsigned int shared, void **params)
{
	return cu(cuLaunchKernel)(function, grid, 1, 1, block, 1, 1, shared, NULL, params, NULL);
}

static void test_a_kernel_adds(void)
{
	enum { N = 5000 };
	static float host[3 * N];
	CUdeviceptr a, b, c;
	int n = N;
	void *params[] = { &a, &b, &c, &n };
	for (int i = 0; i < 2 * N; i++)
		host[i] = (float)i * 0.5f;
	cu_ok(cu(cuMemAlloc_v2)(&a, sizeof(host)));
	b = a + N * 4;
	c = b + N * 4;
	cu_ok(cu(cuMemcpyHtoD_v2)(a, host, 2 * N * 4));
	cu_ok(launch1(cu_function(module, "add"), (N + 127) / 128, 128, 0, params));
	cu_ok(cu(cuMemcpyDtoH_v2)(host + 2 * N, c, N * 4));
	for (int i = 0; i < N; i++)
		check(host[2 * N + i] == host[i] + host[N + i]);
	cu_ok(cu(cuMemFree_v2)(a));
}

struct pair {
	short a;
	double b;
};

static void test_arguments_arrive_whole_both_ways(void)
{
	struct {
		char c;
		struct pair p;
		unsigned long long l;
		float f;
		CUdeviceptr out;
	} packed = { -3, { 300, 2.25 }, 1ull << 50, 0.125f, 0 };
	size_t bytes = sizeof(packed), offset, size;
	void *params[] = { &packed.c, &packed.p, &packed.l, &packed.f, &packed.out };
	void *extra[] = { CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
			  CU_LAUNCH_PARAM_END };
	CUfunction function = cu_function(module, "arguments");
	double out[5];
	cu_ok(cu(cuMemAlloc_v2)(&packed.out, sizeof(out)));
	for (int way = 0; way < 2; way++) {
		cu_ok(cu(cuMemsetD8_v2)(packed.out, 0, sizeof(out)));
		cu_ok(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, NULL, way ? NULL : params, way ? extra : NULL));
		cu_ok(cu(cuMemcpyDtoH_v2)(out, packed.out, sizeof(out)));
		check(out[0] == -3 && out[1] == 300 && out[2] == 2.25 && out[3] == (double)(1ull << 50) &&
		      out[4] == 0.125);
	}
	cu_ok(cu(cuFuncGetParamInfo)(function, 1, &offset, &size));
	check(offset == offsetof(__typeof__(packed), p) && size == sizeof(struct pair));
	cu_is(cu(cuFuncGetParamInfo)(function, 5, &offset, &size), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(packed.out));
}

static void test_every_thread_knows_its_place(void)
{
	enum { THREADS = 5 * 3 * 2, BLOCKS = 4 * 3 * 2 };
	unsigned int host[BLOCKS * THREADS];
	CUdeviceptr out;
	void *params[] = { &out };
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(host)));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "where"), 4, 3, 2, 5, 3, 2, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, out, sizeof(host)));
	for (unsigned int i = 0; i < BLOCKS * THREADS; i++)
		check(host[i] == (i / THREADS << 16 | i % THREADS));
	cu_ok(cu(cuMemFree_v2)(out));
}

static void test_shared_memory_is_as_large_as_asked(void)
{
	CUfunction function = cu_function(module, "reverse_shared");
	int host[256], value;
	CUdeviceptr at;
	void *params[] = { &at };
	for (int i = 0; i < 256; i++)
		host[i] = i;
	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(host)));
	cu_ok(cu(cuMemcpyHtoD_v2)(at, host, sizeof(host)));
	cu_ok(launch1(function, 1, 256, sizeof(host), params));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, at, sizeof(host)));
	for (int i = 0; i < 256; i++)
		check(host[i] == 255 - i);
	cu_is(launch1(function, 1, 256, 60 << 10, params), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuDeviceGetAttribute)(&value, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 0));
	if (value >= 60 << 10) {
		cu_ok(cu(cuFuncSetAttribute)(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 60 << 10));
		cu_ok(launch1(function, 1, 256, 60 << 10, params));
	}
	cu_is(cu(cuFuncSetAttribute)(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1 << 30),
	      CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_variables_of_a_module_are_found_by_name(void)
{
	int table[16] = { 0, 0, 0, 33 }, host[3], value = 0;
	CUdeviceptr at, out, managed;
	void *params[] = { &out };
	size_t bytes;
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(host)));
	cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, module, "table"));
	check(bytes == sizeof(table));
	cu_ok(cu(cuMemcpyHtoD_v2)(at, table, sizeof(table)));
	cu_ok(cu(cuModuleGetGlobal_v2)(&managed, NULL, module, "shared_with_host"));
	check(*(int *)(uintptr_t)managed == 11);
	cu_ok(launch1(cu_function(module, "globals"), 1, 1, 0, params));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, out, sizeof(host)));
	check(host[0] == 7 && host[1] == 33 && host[2] == 11);
	check(*(int *)(uintptr_t)managed == 110);
	cu_ok(cu(cuModuleGetGlobal_v2)(&at, &bytes, module, "counter"));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, at, 4));
	check(bytes == 4 && value == 70);
	cu_is(cu(cuModuleGetGlobal_v2)(&at, &bytes, module, "nothing"), CUDA_ERROR_NOT_FOUND);
	cu_ok(cu(cuMemFree_v2)(out));
}

static void test_a_copy_of_any_direction_knows_the_variables_of_a_module(void)
{
	int table[16], back[16] = { 0 };
	CUdeviceptr at, copy;
	CUmemorytype type = 0;
	size_t bytes;

	for (int i = 0; i < 16; i++)
		table[i] = 100 + i;
	cu_ok(cu(cuMemAlloc_v2)(&copy, sizeof(table)));
	cu_ok(cu(cuModuleGetGlobal_v2)(&at, NULL, module, "table"));
	cu_ok(cu(cuModuleGetGlobal_v2)(NULL, &bytes, module, "table"));
	check(bytes == sizeof(table));
	cu_ok(cu(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, at));
	check(type == CU_MEMORYTYPE_DEVICE);
	cu_ok(cu(cuMemcpy)(at, (CUdeviceptr)(uintptr_t)table, sizeof(table)));
	cu_ok(cu(cuMemcpyAsync)(copy, at, sizeof(table), NULL));
	cu_ok(cu(cuMemsetD8_v2)(at, 0, sizeof(table)));
	cu_ok(cu(cuMemcpyAsync)(at, copy, sizeof(table), NULL));
	cu_ok(cu(cuMemcpy)((CUdeviceptr)(uintptr_t)back, at, sizeof(back)));
	check(!memcmp(back, table, sizeof(back)));
	cu_is(cu(cuMemcpy)(copy, at, 1 << 20), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(copy));
}

static void test_shapes_that_cannot_be_are_refused(void)
{
	CUfunction function = cu_function(module, "store"), bounded = cu_function(module, "bounded");
	CUdeviceptr at;
	int value = 1, most;
	void *params[] = { &at, &value }, *none[] = { NULL, NULL };
	CUfunction lie = (CUfunction)&value;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_is(launch1(function, 0, 1, 0, params), CUDA_ERROR_INVALID_VALUE);
	cu_is(launch1(function, 1, 0, 0, params), CUDA_ERROR_INVALID_VALUE);
	cu_is(launch1(function, 1, 1025, 0, params), CUDA_ERROR_INVALID_VALUE);
	cu_is(launch1(function, 0x80000000u, 1, 0, params), CUDA_ERROR_INVALID_VALUE);
	cu_is(launch1(function, 1, 1, 1 << 30, params), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLaunchKernel)(function, 1, 65536, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 65, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLaunchKernel)(function, 1, 1, 1, 32, 32, 2, 0, NULL, params, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLaunchKernel)(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_HANDLE);
	if (cu_is_reference()) { /* hardware's driver takes a handle for a pointer */
		cu_is(launch1(lie, 1, 1, 0, params), CUDA_ERROR_INVALID_HANDLE);
		cu_is(launch1(function, 1, 1, 0, none), CUDA_ERROR_INVALID_VALUE);
	}
	cu_ok(cu(cuFuncGetAttribute)(&most, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, bounded));
	check(most == 64);
	params[0] = &at;
	cu_ok(launch1(bounded, 1, 64, 0, params));
	cu_is(launch1(bounded, 1, 65, 0, params), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemFree_v2)(at));
}

/* What goes to stdout while fn runs. */
static void stdout_of(void (*fn)(void), char *text, size_t bytes)
{
	int ends[2], old = dup(1);
	ssize_t n;
	fflush(stdout);
	check(old >= 0 && !pipe(ends) && dup2(ends[1], 1) == 1);
	fn();
	fflush(stdout);
	dup2(old, 1);
	close(ends[1]);
	n = read(ends[0], text, bytes - 1);
	text[n > 0 ? n : 0] = 0;
	close(ends[0]);
	close(old);
}

static void print_three(void)
{
	int n = 3;
	void *params[] = { &n };
	cu_ok(launch1(cu_function(module, "print"), 1, 32, 0, params));
	cu_ok(cu(cuCtxSynchronize)());
}

/* In a stream that is destroyed before it has begun. */
static void print_three_late(void)
{
	CUstream stream, other;
	CUdeviceptr at;
	int n = 3;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 1));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&other, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamWaitValue32_v2)(stream, at, 1, CU_STREAM_WAIT_VALUE_EQ));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "print"), 1, 1, 1, 32, 1, 1, 0, stream, (void *[]){ &n }, NULL));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamWriteValue32_v2)(other, at, 1, 0));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuStreamDestroy_v2)(other));
	cu_ok(cu(cuMemFree_v2)(at));
}

/* It fails at its call, also when the same launch was right in another stream before. */
static void test_streams_of_another_context_are_refused(void)
{
	CUfunction function = cu_function(module, "count");
	CUcontext ctx, other;
	CUdeviceptr at;
	CUstream away;
	int n;
	cu_ok(cu(cuCtxGetCurrent)(&ctx));
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 1));
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	cu_ok(cu(cuStreamCreate)(&away, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuCtxSetCurrent)(ctx));
		cu_ok(launch1(function, 1, 1, 0, (void *[]){ &at }));
		cu_ok(cu(cuCtxSynchronize)());
		cu_is(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, away, (void *[]){ &at }, NULL),
		      CUDA_ERROR_INVALID_HANDLE);
		cu_ok(cu(cuCtxSetCurrent)(other));
		cu_is(launch1(function, 1, 1, 0, (void *[]){ &at }), CUDA_ERROR_INVALID_HANDLE);
	}
	cu_ok(cu(cuCtxDestroy_v2)(other));
	cu_ok(cu(cuCtxSetCurrent)(ctx));
	cu_ok(cu(cuMemcpyDtoH_v2)(&n, at, 4));
	check(n == 2);
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_what_kernels_print_comes_out_when_one_waits(void)
{
	void (*const prints[])(void) = { print_three, print_three_late };
	for (int i = 0; i < (cu_is_reference() ? 2 : 1); i++) {
		char text[1024];
		stdout_of(prints[i], text, sizeof(text));
		check(!strcmp(text, "thread 0 of print:  0.00 1099511627776\n"
				    "thread 1 of print:  1.50 1099511627776\n"
				    "thread 2 of print:  3.00 1099511627776\n"));
	}
}

static void test_kernels_have_a_heap(void)
{
	int host[64];
	CUdeviceptr out;
	void *params[] = { &out };
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(host)));
	for (int round = 0; round < 3; round++) {
		cu_ok(launch1(cu_function(module, "from_heap"), 1, 64, 0, params));
		cu_ok(cu(cuMemcpyDtoH_v2)(host, out, sizeof(host)));
		for (int i = 0; i < 64; i++)
			check(host[i] == 1);
	}
	cu_ok(cu(cuMemFree_v2)(out));
}

static void test_atomic_additions_all_count(void)
{
	CUdeviceptr at;
	void *params[] = { &at };
	int value;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 1));
	cu_ok(launch1(cu_function(module, "count"), 100, 100, 0, params));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, at, 4));
	check(value == 10000);
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_addresses_that_are_the_same_in_all_threads_may_move(void)
{
	int table[16], sum = 0, value;
	CUdeviceptr at, out;
	void *params[] = { &out };
	for (int i = 0; i < 16; i++)
		sum += (table[i] = i * i + 3) * (i + 1);
	cu_ok(cu(cuModuleGetGlobal_v2)(&at, NULL, module, "table"));
	cu_ok(cu(cuMemcpyHtoD_v2)(at, table, sizeof(table)));
	cu_ok(cu(cuMemAlloc_v2)(&out, 4));
	cu_ok(launch1(cu_function(module, "walk_table"), 1, 1, 0, params));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, out, 4));
	check(value == sum);
	cu_ok(cu(cuMemFree_v2)(out));
}

static void test_lanes_that_take_no_part_in_a_shuffle_give_zero(void)
{
	CUdeviceptr out;
	int lanes, value;
	void *params[] = { &out, &lanes };
	cu_ok(cu(cuMemAlloc_v2)(&out, 4));
	for (lanes = 1; lanes <= 32; lanes *= 2) {
		cu_ok(launch1(cu_function(module, "sum_lanes"), 1, 32, 0, params));
		cu_ok(cu(cuMemcpyDtoH_v2)(&value, out, 4));
		check(value == lanes * (lanes + 1) / 2);
	}
	cu_ok(cu(cuMemFree_v2)(out));
}

/* Each thread copies 16 bytes; of those only `bytes`, and zeros behind. */
static void test_a_kernels_asynchronous_copies_are_whole(void)
{
	char *text = cu_ptx("async.ptx");
	unsigned char host[32 * 16], back[32 * 16];
	CUdeviceptr in, out;
	CUmodule async;
	int bytes, major;
	void *params[] = { &in, &out, &bytes };
	cu_ok(cu(cuDeviceGetAttribute)(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
	if (major < 8) {
		free(text);
		return;
	}
	for (unsigned int i = 0; i < sizeof(host); i++)
		host[i] = (unsigned char)(i * 5 + 1);
	cu_ok(cu(cuModuleLoadData)(&async, text));
	cu_ok(cu(cuMemAlloc_v2)(&in, sizeof(host)));
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(host)));
	cu_ok(cu(cuMemcpyHtoD_v2)(in, host, sizeof(host)));
	for (bytes = 16; bytes >= 0; bytes -= 4) {
		cu_ok(launch1(cu_function(async, "copy_async"), 1, 32, 0, params));
		cu_ok(cu(cuMemcpyDtoH_v2)(back, out, sizeof(back)));
		for (unsigned int i = 0; i < sizeof(host); i++)
			check(back[i] == (i % 16 < (unsigned int)bytes ? host[i] : 0));
	}
	cu_ok(cu(cuModuleUnload)(async));
	cu_ok(cu(cuMemFree_v2)(in));
	cu_ok(cu(cuMemFree_v2)(out));
	free(text);
}

static void test_occupancy_is_plausible(void)
{
	CUfunction function = cu_function(module, "add");
	int blocks, grid, block, allowed;
	size_t shared;
	cu_ok(cu(cuOccupancyMaxActiveBlocksPerMultiprocessor)(&blocks, function, 1024, 0));
	check(blocks >= 1);
	cu_ok(cu(cuOccupancyMaxPotentialBlockSize)(&grid, &block, function, NULL, 0, 0));
	check(grid >= 1 && block >= 32 && block <= 1024);
	cu_ok(cu(cuOccupancyMaxPotentialBlockSize)(&grid, &block, function, NULL, 0, 96));
	check(block <= 96);
	/* Not more than a launch may have. */
	cu_ok(cu(cuFuncGetAttribute)(&allowed, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function));
	cu_ok(cu(cuOccupancyAvailableDynamicSMemPerBlock)(&shared, function, 1, 32));
	check(shared && shared <= (size_t)allowed);
	cu_ok(cu(cuFuncSetAttribute)(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024));
	cu_ok(cu(cuOccupancyAvailableDynamicSMemPerBlock)(&shared, function, 1, 32));
	check(shared <= 1024);
	cu_ok(cu(cuFuncSetAttribute)(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, allowed));
}

/* A device may not let one be set; what it lets be set is read, and a value that it refuses changes nothing. */
static void test_what_is_set_of_a_function_is_read(void)
{
	static const CUfunction_attribute attributes[] = {
		CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT,
		CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED,
		CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE,
	};
	CUfunction function = cu_function(module, "add");
	for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
		int before, value, set = 0;
		cu_ok(cu(cuFuncGetAttribute)(&before, attributes[i], function));
		if (!cu(cuFuncSetAttribute)(function, attributes[i], 1))
			set++;
		cu_ok(cu(cuFuncGetAttribute)(&value, attributes[i], function));
		check(value == (set ? 1 : before));
		if (!cu(cuFuncSetAttribute)(function, attributes[i], 1000))
			set = 1000;
		cu_ok(cu(cuFuncGetAttribute)(&value, attributes[i], function));
		check(value == (set ? set : before));
		(void)cu(cuFuncSetAttribute)(function, attributes[i], before);
	}
}

/* Launches that were taken before are refused when less is allowed since, whichever handle says so. */
static void test_launches_go_by_what_is_set_since(void)
{
	const CUfunction_attribute most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
	char *text = cu_ptx("kernels.ptx");
	CUfunction function = cu_function(module, "store");
	int value = 9, allowed, before;
	CUdeviceptr at;
	void *params[] = { &at, &value };
	CUlibrary library;
	CUkernel kernel;
	CUmodule of_library;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuFuncGetAttribute)(&before, most, function));
	for (int i = 0; i < 2; i++)
		cu_ok(launch1(function, 1, 1, 256, params));
	cu_ok(cu(cuFuncSetAttribute)(function, most, 100));
	cu_is(launch1(function, 1, 1, 256, params), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuFuncSetAttribute)(function, most, 256));
	cu_ok(launch1(function, 1, 1, 256, params));
	cu_ok(cu(cuFuncSetAttribute)(function, most, before));

	/* A kernel of a library, its function, and its module's; whether the latter follow is the driver's affair. */
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "store"));
	cu_ok(cu(cuLibraryGetModule)(&of_library, library));
	for (int turn = 0; turn < 3; turn++) {
		CUfunction each[3] = { (CUfunction)kernel };
		cu_ok(cu(cuKernelGetFunction)(&each[1], kernel));
		each[2] = cu_function(of_library, "store");
		for (int i = 0; i < 3; i++)
			cu_ok(launch1(each[i], 1, 1, 256, params));
		cu_ok(cu(cuKernelSetAttribute)(most, 100 + turn, kernel, 0));
		cu_ok(cu(cuKernelGetAttribute)(&allowed, most, kernel, 0));
		check(allowed == 100 + turn);
		for (int i = 0; i < 3; i++) {
			cu_ok(cu(cuFuncGetAttribute)(&allowed, most, each[i]));
			check(i || allowed == 100 + turn);
			cu_is(launch1(each[i], 1, 1, 256, params),
			      allowed < 256 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS);
		}
		cu_ok(cu(cuFuncSetAttribute)(each[turn], most, 512));
		cu_ok(launch1(each[turn], 1, 1, 256, params));
		cu_ok(cu(cuKernelSetAttribute)(most, before, kernel, 0));
	}
	cu_ok(cu(cuLibraryUnload)(library));
	cu_ok(cu(cuMemFree_v2)(at));
	free(text);
}

struct setter {
	CUcontext context;
	CUfunction function;
	int value;
};

static void *set_main(void *arg)
{
	const struct setter *setter = arg;
	cu_ok(cu(cuCtxSetCurrent)(setter->context));
	for (int i = 0; i < 20; i++) {
		cu_ok(cu(cuFuncSetAttribute)(setter->function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
					     setter->value + i % 2));
	}
	return NULL;
}

/* Whichever was the last is what a launch may use, and what setting it once more makes sure of. */
static void test_threads_set_a_function_at_one_time(void)
{
	const CUfunction_attribute most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
	CUfunction function = cu_function(module, "store");
	struct setter setters[2];
	pthread_t thread[2];
	CUdeviceptr at;
	int value = 1, before, told;
	void *params[] = { &at, &value };

	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuFuncGetAttribute)(&before, most, function));
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 2; i++) {
			setters[i] = (struct setter){ NULL, function, i ? 512 : 128 };
			cu_ok(cu(cuCtxGetCurrent)(&setters[i].context));
			check(!pthread_create(&thread[i], NULL, set_main, &setters[i]));
		}
		for (int i = 0; i < 2; i++)
			check(!pthread_join(thread[i], NULL));
		cu_ok(cu(cuFuncGetAttribute)(&told, most, function));
		cu_ok(cu(cuFuncSetAttribute)(function, most, told));
		cu_is(launch1(function, 1, 1, 256, params), told < 256 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS);
	}
	cu_ok(cu(cuFuncSetAttribute)(function, most, before));
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_parts_are_linked_by_the_driver(void)
{
	char *first = cu_ptx("first.ptx"), *second = cu_ptx("second.ptx"), log[1024] = "";
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)sizeof(log) }, *image;
	CUlinkState link;
	CUmodule linked;
	CUdeviceptr out;
	int value = 5;
	void *params[] = { &out, &value };
	size_t bytes;
	cu_ok(cu(cuMemAlloc_v2)(&out, 4));
	cu_ok(cu(cuLinkCreate_v2)(2, options, values, &link));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, first, strlen(first) + 1, "first", 0, NULL, NULL));
	check(cu(cuLinkComplete)(link, &image, &bytes) != CUDA_SUCCESS); /* `other` is missing */
	cu_ok(cu(cuLinkDestroy)(link));
	cu_ok(cu(cuLinkCreate_v2)(2, options, values, &link));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, first, strlen(first) + 1, "first", 0, NULL, NULL));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, second, strlen(second) + 1, "second", 0, NULL, NULL));
	cu_ok(cu(cuLinkComplete)(link, &image, &bytes));
	cu_ok(cu(cuModuleLoadData)(&linked, image));
	cu_ok(cu(cuLinkDestroy)(link));
	cu_ok(launch1(cu_function(linked, "call_other"), 1, 1, 0, params));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, out, 4));
	check(value == 16);
	cu_ok(cu(cuModuleUnload)(linked));
	cu_ok(cu(cuMemFree_v2)(out));
	free(first);
	free(second);
}

static void test_bad_images_are_refused_with_a_reason(void)
{
	static const unsigned int cubin[16] = { 0x464c457f };
	char log[1024] = "", *text = cu_ptx("kernels.ptx"), *middle;
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)sizeof(log) };
	CUfunction function;
	CUmodule bad;
	CUresult r;
	cu_is(cu(cuModuleLoadData)(&bad, NULL), CUDA_ERROR_INVALID_VALUE);
	middle = strstr(text, "add.");
	memcpy(middle, "xdd.", 4);
	r = cu(cuModuleLoadDataEx)(&bad, text, 2, options, values);
	cu_is(r, CUDA_ERROR_INVALID_PTX);
	check(strstr(log, "xdd") && (size_t)values[1] > 0 && (size_t)values[1] <= sizeof(log));
	r = cu(cuModuleLoadData)(&bad, "not a program at all");
	check(r == CUDA_ERROR_INVALID_PTX || r == CUDA_ERROR_INVALID_IMAGE);
	r = cu(cuModuleLoadData)(&bad, cubin);
	check(r == CUDA_ERROR_NO_BINARY_FOR_GPU || r == CUDA_ERROR_INVALID_IMAGE);
	cu_is(cu(cuModuleLoad)(&bad, "/nowhere/at.all"), CUDA_ERROR_FILE_NOT_FOUND);
	cu_is(cu(cuModuleGetFunction)(&function, module, "nothing"), CUDA_ERROR_NOT_FOUND);
	free(text);
}

static void test_a_library_is_placed_where_it_is_used(void)
{
	char *text = cu_ptx("kernels.ptx");
	CUlibrary library;
	CUfunction function;
	CUkernel kernel;
	CUdeviceptr at;
	unsigned int n;
	int value = 9, got;
	void *params[] = { &at, &value };
	size_t offset, bytes;
	const char *name;
	CUcontext own;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	memset(text, ' ', strlen(text)); /* the text is the application's again */
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "store"));
	cu_is(cu(cuLibraryGetKernel)(&kernel, library, "nothing"), CUDA_ERROR_NOT_FOUND);
	cu_ok(cu(cuLibraryGetKernelCount)(&n, library));
	check(n > 10);
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "store"));
	cu_ok(cu(cuLaunchKernel)((CUfunction)kernel, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check(got == 9);
	cu_ok(cu(cuKernelGetFunction)(&function, kernel));
	cu_ok(cu(cuKernelGetName)(&name, kernel));
	check(!strcmp(name, "store"));
	cu_is(cu(cuKernelGetName)(&name, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuFuncGetName)(&name, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuKernelGetParamInfo)(kernel, 1, &offset, &bytes));
	check(offset == 8 && bytes == 4);
	cu_ok(cu(cuCtxPopCurrent_v2)(&own)); /* what the parameters are depends on the context */
	cu_is(cu(cuKernelGetParamInfo)(kernel, 1, &offset, &bytes), CUDA_ERROR_INVALID_CONTEXT);
	cu_ok(cu(cuCtxPushCurrent_v2)(own));
	cu_ok(cu(cuLibraryUnload)(library));
	cu_ok(cu(cuMemFree_v2)(at));
	free(text);
}

/* Its stream says where a kernel of a library is launched, not the current context; and its module goes with it alone.
 */
static void test_a_librarys_kernel_is_launched_where_its_stream_is(void)
{
	char *text = cu_ptx("kernels.ptx");
	int value = 9, got = 0;
	CUcontext here, other;
	CUmodule of_library;
	CUlibrary library;
	CUkernel kernel;
	CUstream stream;
	CUdeviceptr at;
	void *params[] = { &at, &value };
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "store"));
	cu_ok(cu(cuCtxGetCurrent)(&here));
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuLaunchKernel)((CUfunction)kernel, 1, 1, 1, 1, 1, 1, 0, stream, params, NULL));
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check(got == 9);
	cu_ok(cu(cuLibraryGetModule)(&of_library, library));
	cu_is(cu(cuModuleUnload)(of_library), CUDA_ERROR_NOT_PERMITTED);
	(void)cu_function(of_library, "store");
	cu_ok(cu(cuCtxDestroy_v2)(other));
	cu_ok(cu(cuCtxSetCurrent)(here));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuLibraryUnload)(library));
	free(text);
}

/* It outlives a context that was current when it was asked for. */
static void test_a_function_is_of_its_modules_context_whichever_is_current(void)
{
	char *text = cu_ptx("kernels.ptx");
	CUcontext here, other;
	CUmodule modules[2];
	CUfunction functions[2];
	CUlibrary library;
	CUdeviceptr at;
	int value, got;
	void *params[] = { &at, &value };
	cu_ok(cu(cuCtxGetCurrent)(&here));
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetModule)(&modules[0], library));
	cu_ok(cu(cuModuleLoadData)(&modules[1], text));
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	for (int i = 0; i < 2; i++)
		functions[i] = cu_function(modules[i], "store");
	cu_ok(cu(cuCtxDestroy_v2)(other));
	cu_ok(cu(cuCtxSetCurrent)(here));
	for (int i = 0; i < 2; i++) {
		value = 21 + i;
		cu_ok(cu(cuLaunchKernel)(functions[i], 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
		cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
		check(got == 21 + i);
	}
	cu_ok(cu(cuModuleUnload)(modules[1]));
	cu_ok(cu(cuLibraryUnload)(library));
	cu_ok(cu(cuMemFree_v2)(at));
	free(text);
}

/* Of the options one has a value; cuBLAS gives no list for the other. */
static void test_options_of_a_library_have_values_where_they_have_one(void)
{
	CUlibraryOption kept[] = { CU_LIBRARY_BINARY_IS_PRESERVED },
			table[] = { CU_LIBRARY_HOST_UNIVERSAL_FUNCTION_AND_DATA_TABLE },
			unknown[] = { CU_LIBRARY_NUM_OPTIONS };
	char *text = cu_ptx("kernels.ptx");
	CUlibrary library;
	CUkernel kernel;
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, kept, NULL, 1));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "store"));
	cu_ok(cu(cuLibraryUnload)(library));
	cu_is(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 1), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, table, NULL, 1), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, unknown, (void *[]){ NULL }, 1),
	      CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuLibraryLoadFromFile)(&library, "/dev/null", NULL, NULL, 0, kept, NULL, 1), CUDA_ERROR_INVALID_VALUE);
	free(text);
}

/* As the runtimes of CUDA 12.0 to 12.5 find kernels. */
static void test_the_module_of_a_library_has_its_functions(void)
{
	char *text = cu_ptx("kernels.ptx");
	CUmodule of_library, again;
	CUfunction function, functions[2];
	CUlibrary library;
	CUdeviceptr at;
	unsigned int n;
	int value = 11, got;
	void *params[] = { &at, &value };
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_is(cu(cuLibraryGetModule)(NULL, library), CUDA_ERROR_INVALID_VALUE);
	if (cu_is_reference()) /* hardware's driver looks there */
		cu_is(cu(cuLibraryGetModule)(&of_library, (CUlibrary)(uintptr_t)0x1234), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuLibraryGetModule)(&of_library, library));
	cu_ok(cu(cuLibraryGetModule)(&again, library));
	check(again == of_library);
	cu_is(cu(cuModuleGetFunction)(&function, of_library, "nothing"), CUDA_ERROR_NOT_FOUND);
	cu_ok(cu(cuModuleGetFunction)(&function, of_library, "store"));
	cu_ok(cu(cuModuleGetFunctionCount)(&n, of_library));
	check(n > 10);
	cu_ok(cu(cuModuleEnumerateFunctions)(functions, 2, of_library));
	cu_ok(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check(got == 11);
	cu_ok(cu(cuLibraryUnload)(library));
	cu_ok(cu(cuMemFree_v2)(at));
	free(text);
}

/* A container as nvcc makes it, of one text that is long enough to be compiled kernel by kernel. */
static uint64_t *fatbin_make(const char *text, const char *more)
{
	static const size_t room = 256 << 10, head_bytes = 16 + 64;
	size_t bytes = head_bytes + room;
	uint64_t *image = calloc(1, bytes);
	char *to = (char *)image + head_bytes;
	check(image && strlen(text) + strlen(more) < room);
	memset(to, ' ', room - 1);
	memcpy(to, text, strlen(text));
	memcpy(to + room - 1 - strlen(more), more, strlen(more));
	image[0] = 0xba55ed50 | 1ull << 32 | 16ull << 48;
	image[1] = bytes - 16;
	image[2] = 1 | 1ull << 16 | 64ull << 32; /* PTX, version, bytes of the entry's head */
	image[3] = room;                         /* bytes behind it */
	image[5] = 80ull << 32;                  /* for devices from 8.0 on; flags: as it is */
	return image;
}

/* What is wrong with one kernel of many is said when it is used, and no other one's business. */
static void test_kernels_of_a_large_image_are_compiled_when_they_are_used(void)
{
	char *text = cu_ptx("kernels.ptx");
	uint64_t *image = fatbin_make(text, "\n.visible .entry unknown (.param .u32 a) { frob.u32; ret; }\n");
	CUfunctionLoadingState state;
	CUfunction store, unknown, listed;
	size_t offset, bytes;
	CUmodule large;
	CUdeviceptr at;
	int value = 21, got, attribute;
	void *params[] = { &at, &value };
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuModuleLoadData)(&large, image));
	memset(image, 0, 16); /* it is the application's again */
	cu_ok(cu(cuModuleEnumerateFunctions)(&listed, 1, large));
	cu_ok(cu(cuFuncIsLoaded)(&state, listed));
	check(state == CU_FUNCTION_LOADING_STATE_UNLOADED);
	cu_is(cu(cuFuncGetAttribute)(&attribute, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, listed),
	      CUDA_ERROR_FUNCTION_NOT_LOADED);
	cu_ok(cu(cuFuncLoad)(listed));
	cu_ok(cu(cuFuncGetAttribute)(&attribute, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, listed));
	check(attribute > 0);
	cu_ok(cu(cuModuleGetFunction)(&store, large, "store"));
	cu_ok(cu(cuModuleGetFunction)(&unknown, large, "unknown"));
	cu_ok(cu(cuFuncGetParamInfo)(store, 1, &offset, &bytes));
	check(offset == 8 && bytes == 4);
	cu_ok(launch1(store, 1, 1, 0, params));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check(got == 21);
	cu_ok(cu(cuFuncIsLoaded)(&state, store));
	check(state == CU_FUNCTION_LOADING_STATE_LOADED);
	cu_is(cu(cuFuncGetAttribute)(&attribute, CU_FUNC_ATTRIBUTE_NUM_REGS, unknown), CUDA_ERROR_INVALID_PTX);
	cu_is(launch1(unknown, 1, 1, 0, params), CUDA_ERROR_INVALID_PTX);
	cu_ok(launch1(store, 1, 1, 0, params));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuModuleUnload)(large));
	cu_ok(cu(cuMemFree_v2)(at));
	free(image);
	free(text);
}

int main(int argc, char **argv)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	(void)argc, (void)argv;
	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	cu_run(test_a_kernel_adds);
	cu_run(test_arguments_arrive_whole_both_ways);
	cu_run(test_every_thread_knows_its_place);
	cu_run(test_shared_memory_is_as_large_as_asked);
	cu_run(test_variables_of_a_module_are_found_by_name);
	cu_run(test_a_copy_of_any_direction_knows_the_variables_of_a_module);
	cu_run(test_shapes_that_cannot_be_are_refused);
	cu_run(test_streams_of_another_context_are_refused);
	cu_run(test_what_kernels_print_comes_out_when_one_waits);
	cu_run(test_kernels_have_a_heap);
	cu_run(test_atomic_additions_all_count);
	cu_run(test_addresses_that_are_the_same_in_all_threads_may_move);
	cu_run(test_lanes_that_take_no_part_in_a_shuffle_give_zero);
	cu_run(test_a_kernels_asynchronous_copies_are_whole);
	cu_run(test_occupancy_is_plausible);
	cu_run(test_what_is_set_of_a_function_is_read);
	cu_run(test_launches_go_by_what_is_set_since);
	cu_run(test_threads_set_a_function_at_one_time);
	cu_run(test_parts_are_linked_by_the_driver);
	cu_run(test_bad_images_are_refused_with_a_reason);
	cu_run(test_a_library_is_placed_where_it_is_used);
	cu_run(test_the_module_of_a_library_has_its_functions);
	if (cu_is_reference())
		cu_run(test_a_librarys_kernel_is_launched_where_its_stream_is);
	cu_run(test_a_function_is_of_its_modules_context_whichever_is_current);
	cu_run(test_options_of_a_library_have_values_where_they_have_one);
	if (cu_is_reference())
		cu_run(test_kernels_of_a_large_image_are_compiled_when_they_are_used);
	cu_ok(cu(cuModuleUnload)(module));
	cu_is(cu(cuModuleUnload)(module), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
