/*
 * Check mode of the reference GPU: programs with exactly one fault are told of that one, programs without are left
 * alone.  Each runs in a process of its own, and what the driver writes to PLENUM_REFGPU_CHECK_LOG is read.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cu.h"

#define BLOCK     64
#define OUT_BYTES (1000 * 4) /* ends within a page */
#define ALL       "all,globalinit"

struct program {
	const char *kernel;
	const char *tools;
	const char *want; /* kinds in the log, in order, each with a blank behind */
	const char *text; /* in the log; NULL: not looked for */
	long long index;
	CUresult end; /* of the synchronisation */
	void (*instead)(CUmodule module);
};

#define FOUND(kernel_, tools_, want_, text_) .kernel = (kernel_), .tools = (tools_), .want = (want_), .text = (text_)

static char log_path[] = "/tmp/plenum-test-check-XXXXXX";

static void launch(CUmodule module, const char *kernel, CUdeviceptr out, long long second, CUresult end)
{
	void *params[] = { &out, &second };
	cu_ok(cu(cuLaunchKernel)(cu_function(module, kernel), 2, 1, 1, BLOCK, 1, 1, 0, NULL, params, NULL));
	cu_is(cu(cuCtxSynchronize)(), end);
}

static void kernel_run(const struct program *program, CUmodule module)
{
	CUdeviceptr out;
	cu_ok(cu(cuMemAlloc_v2)(&out, OUT_BYTES));
	cu_ok(cu(cuMemsetD32_v2)(out, 0, OUT_BYTES / 4));
	launch(module, program->kernel, out, program->index, program->end);
	if (!program->end)
		cu_ok(cu(cuMemFree_v2)(out));
}

static void program_run(void *arg)
{
	const struct program *program = arg;
	char *text = cu_ptx("check.ptx");
	CUcontext ctx;
	CUmodule module;
	setenv("PLENUM_REFGPU_CHECK", program->tools, 1);
	setenv("PLENUM_REFGPU_CHECK_LOG", log_path, 1);
	dup2(open("/dev/null", O_WRONLY), 2);
	ctx = cu_begin();
	if (!cu_is_reference())
		exit(CU_SKIP);
	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	if (program->instead)
		program->instead(module);
	else
		kernel_run(program, module);
	cu(cuModuleUnload)(module);
	cu(cuCtxDestroy_v2)(ctx);
}

/* Return: the whole log; kinds_out: of its findings. */
static char *log_read(char *kinds_out, size_t bytes)
{
	static char text[65536];
	FILE *from = fopen(log_path, "re");
	size_t n = from ? fread(text, 1, sizeof(text) - 1, from) : 0;
	text[n] = 0;
	kinds_out[0] = 0;
	for (const char *at = text; (at = strstr(at, "{\"kind\":\"")); at++) {
		const char *kind = at + strlen("{\"kind\":\"");
		int len = (int)strcspn(kind, "\"");
		size_t used = strlen(kinds_out);
		if (strncmp(kind, "begin", 5) && strncmp(kind, "count", 5))
			snprintf(kinds_out + used, bytes - used, "%.*s ", len, kind);
	}
	if (from)
		fclose(from);
	return text;
}

static void program_check(const struct program *program)
{
	char kinds[1024], *text;
	int status;
	check(!truncate(log_path, 0));
	status = cu_child(program_run, (void *)(size_t)program);
	if (status == CU_SKIP) {
		puts("skipped: check mode is the reference GPU's");
		exit(CU_SKIP);
	}
	text = log_read(kinds, sizeof(kinds));
	if (!status && !strcmp(kinds, program->want) && (!program->text || strstr(text, program->text)))
		return;
	fprintf(stderr, "%s with %s: status %d, found `%s', want `%s' with `%s', in\n%s\n", program->kernel,
		program->tools, status, kinds, program->want, program->text ? program->text : "", text);
	exit(1);
}

static void test_one_fault_is_one_finding(void)
{
	static const struct program programs[] = {
		{ FOUND("race_read", ALL, "race ", "{\"access\":\"read\",\"kernel\":\"race_read\"") },
		{ FOUND("race_read", ALL, "race ", "{\"access\":\"write\",\"kernel\":\"race_read\"") },
		{ FOUND("race_write", ALL, "race ", "\"at\":{\"access\":\"write\"") },
		{ FOUND("race_after_read", ALL, "race ", "{\"access\":\"read\"") },
		{ FOUND("race_atomic", ALL, "race ", "{\"access\":\"atomic\"") },
		{ FOUND("race_bytes", ALL, "race ", "\"address\":1,\"bytes\":1") },
		{ FOUND("divergent", ALL, "divergent-barrier divergent-barrier ", "\"kernel\":\"divergent\"") },
		{ FOUND("shared_unwritten", ALL, "shared-uninitialised ", "\"thread\":[5,0,0]") },
		{ FOUND("shared_unwritten", ALL, "shared-uninitialised ", "\"ptx_line\":") },
		{ FOUND("store_at", ALL, "fault ", "0 bytes behind 4000 bytes of device memory"), .index = 1000,
		  .end = CUDA_ERROR_ILLEGAL_ADDRESS },
		{ FOUND("load_at", ALL, "fault ", ",0,0), thread (33,0,0)"), .index = 1000,
		  .end = CUDA_ERROR_ILLEGAL_ADDRESS },
		{ FOUND("add_at", ALL, "fault ", "outside of an allocation: atomic"), .index = 1001,
		  .end = CUDA_ERROR_ILLEGAL_ADDRESS },
	};
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		program_check(&programs[i]);
}

static void test_what_has_no_fault_is_left_alone(void)
{
	static const char *const kernels[] = { "clean_barrier", "clean_atomics",       "clean_same_value",
					       "clean_bytes",   "clean_named_barrier", "clean_unaligned_barrier",
					       "clean_exit" };
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		struct program program = { FOUND(kernels[i], ALL, "", NULL) };
		/* clean_exit reads what the lanes that have gone never wrote */
		if (!strcmp(kernels[i], "clean_exit"))
			program.tools = "racecheck,synccheck,memcheck";
		program_check(&program);
	}
}

static void test_only_what_is_asked_for_is_looked_for(void)
{
	static const struct program programs[] = {
		{ FOUND("race_read", "memcheck,synccheck,initcheck,globalinit,leakcheck", "", NULL) },
		{ FOUND("divergent", "memcheck,racecheck,initcheck,globalinit,leakcheck", "", NULL) },
		{ FOUND("shared_unwritten", "memcheck,racecheck,synccheck,globalinit,leakcheck", "", NULL) },
		{ FOUND("store_at", "racecheck,synccheck,initcheck,globalinit,leakcheck", "", NULL), .index = 1000 },
	};
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		program_check(&programs[i]);
}

/* -- of the program ------------------------------------------------------------------------------------------------ */

static void copies(CUmodule module, unsigned int written)
{
	CUdeviceptr out, in;
	cu_ok(cu(cuMemAlloc_v2)(&out, OUT_BYTES));
	cu_ok(cu(cuMemAlloc_v2)(&in, OUT_BYTES));
	if (written)
		cu_ok(cu(cuMemsetD32_v2)(in, 1, written));
	launch(module, "copy", out, (long long)in, CUDA_SUCCESS);
	launch(module, "copy", in, (long long)out, CUDA_SUCCESS); /* a kernel has written these */
	cu_ok(cu(cuMemFree_v2)(out));
	cu_ok(cu(cuMemFree_v2)(in));
}

static void copies_all(CUmodule module)
{
	copies(module, BLOCK);
}

static void copies_all_but_one(CUmodule module)
{
	copies(module, BLOCK - 1);
}

static void copies_what_the_host_wrote(CUmodule module)
{
	static int values[BLOCK];
	CUdeviceptr out, in;
	cu_ok(cu(cuMemAlloc_v2)(&out, OUT_BYTES));
	cu_ok(cu(cuMemAlloc_v2)(&in, OUT_BYTES));
	cu_ok(cu(cuMemcpyHtoD_v2)(in, values, sizeof(values)));
	cu_ok(cu(cuMemcpyDtoD_v2)(out, in, sizeof(values)));
	launch(module, "copy", in, (long long)out, CUDA_SUCCESS);
	cu_ok(cu(cuMemFree_v2)(out));
	cu_ok(cu(cuMemFree_v2)(in));
}

static void leaks(CUmodule module)
{
	CUdeviceptr first, second, third;
	(void)module;
	cu_ok(cu(cuMemAlloc_v2)(&first, 4096));
	cu_ok(cu(cuMemAlloc_v2)(&second, 1234));
	cu_ok(cu(cuMemAlloc_v2)(&third, 4096));
	cu_ok(cu(cuMemFree_v2)(first));
	cu_ok(cu(cuMemFree_v2)(third));
}

static void leaks_nothing_of_the_others(CUmodule module)
{
	CUdeviceptr managed, pooled;
	void *host;
	(void)module;
	cu_ok(cu(cuMemAllocManaged)(&managed, 100, CU_MEM_ATTACH_GLOBAL));
	cu_ok(cu(cuMemAllocAsync)(&pooled, 100, NULL));
	cu_ok(cu(cuMemHostAlloc)(&host, 100, 0));
	cu_ok(cu(cuMemFree_v2)(managed));
	cu_ok(cu(cuMemFreeAsync)(pooled, NULL));
	cu_ok(cu(cuMemFreeHost)(host));
}

static void leaks_at_the_end(CUmodule module)
{
	CUdeviceptr at;
	(void)module;
	cu_ok(cu(cuMemAllocAsync)(&at, 77, NULL));
	exit(0); /* the context is never destroyed */
}

static void frees_the_middle(CUmodule module)
{
	CUdeviceptr at;
	(void)module;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_is(cu(cuMemFree_v2)(at + 16), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(at));
}

/* The addresses are not those of the next allocation. */
static void uses_what_it_freed(CUmodule module)
{
	CUdeviceptr at, next;
	cu_ok(cu(cuMemAlloc_v2)(&at, 1 << 20));
	launch(module, "store_at", at, 0, CUDA_SUCCESS);
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuMemAlloc_v2)(&next, 1 << 20));
	launch(module, "store_at", at, 0, CUDA_ERROR_ILLEGAL_ADDRESS);
}

static void frees_twice(CUmodule module)
{
	CUdeviceptr at;
	(void)module;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_is(cu(cuMemFree_v2)(at), CUDA_ERROR_INVALID_VALUE);
}

static void launches_too_much(CUmodule module)
{
	CUdeviceptr at = 0;
	long long second = 0;
	void *params[] = { &at, &second };
	cu_is(cu(cuLaunchKernel)(cu_function(module, "copy"), 1, 1, 1, 2048, 1, 1, 0, NULL, params, NULL),
	      CUDA_ERROR_INVALID_VALUE);
}

static void CUDA_CB wait_for(void *flag)
{
	while (!atomic_load((atomic_int *)flag))
		usleep(1000);
}

/* Memory of a pool may come again with another size while a kernel of before has not run yet. */
static void takes_from_the_pool_again(CUmodule module)
{
	static atomic_int go;
	CUdeviceptr first, second;
	CUstream stream;
	long long last = 999;
	void *params[] = { &first, &last };
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuLaunchHostFunc)(stream, wait_for, &go));
	cu_ok(cu(cuMemAllocAsync)(&first, 4000, stream));
	cu_ok(cu(cuMemsetD32Async)(first, 0, 1000, stream));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "add_at"), 2, 1, 1, BLOCK, 1, 1, 0, stream, params, NULL));
	cu_ok(cu(cuMemFreeAsync)(first, stream));
	cu_ok(cu(cuMemAllocAsync)(&second, 3000, stream));
	atomic_store(&go, 1);
	cu_ok(cu(cuMemFreeAsync)(second, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_memory_and_calls(void)
{
	static const struct program programs[] = {
		{ FOUND("(all written)", ALL, "", NULL), .instead = copies_all },
		{ FOUND("(one not written)", ALL, "global-uninitialised ", "\"thread\":[63,0,0]"),
		  .instead = copies_all_but_one },
		{ FOUND("(one not written)", "all", "", NULL), .instead = copies_all_but_one },
		{ FOUND("(the host wrote)", ALL, "", NULL), .instead = copies_what_the_host_wrote },
		{ FOUND("(leak)", ALL, "leak ", "\"bytes\":1234"), .instead = leaks },
		{ FOUND("(leak)", ALL, "leak ", "\"allocation\":2"), .instead = leaks },
		{ FOUND("(no leak)", ALL, "", NULL), .instead = leaks_nothing_of_the_others },
		{ FOUND("(leak at exit)", ALL, "leak ", "\"bytes\":77"), .instead = leaks_at_the_end },
		{ FOUND("(leak)", "memcheck", "", NULL), .instead = leaks },
		{ FOUND("(bad free)", ALL, "failed-call ", "no allocation begins there"), .instead = frees_the_middle },
		{ FOUND("(use after free)", ALL, "fault ", "page not present"), .instead = uses_what_it_freed },
		{ FOUND("(double free)", ALL, "failed-call ", "CUDA_ERROR_INVALID_VALUE"), .instead = frees_twice },
		{ FOUND("(bad launch)", ALL, "failed-call ", "block (2048,1,1)"), .instead = launches_too_much },
		{ FOUND("(pool)", ALL, "", NULL), .instead = takes_from_the_pool_again },
	};
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		program_check(&programs[i]);
}

int main(void)
{
	int fd = mkstemp(log_path);
	check(fd >= 0);
	close(fd);
	cu_run(test_one_fault_is_one_finding);
	cu_run(test_what_has_no_fault_is_left_alone);
	cu_run(test_only_what_is_asked_for_is_looked_for);
	cu_run(test_memory_and_calls);
	unlink(log_path);
	return 0;
}
