/*
 * Accesses that are wrong in each space of addresses, and handles that are not (any more): the error, the report, and
 * that other contexts go on.  The kernels are PTX in the text below, as no compiler writes them.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "cu.h"

#define KERNEL(name, body)                                                                                             \
	".visible .entry " name                                                                                        \
	"(.param .u64 p)\n{\n.reg .b64 a;\n.reg .b32 r;\n.reg .pred q;\nld.param.u64 a, [p];\n" body "ret;\n}\n"

static const char text[] =
	".version 7.8\n.target sm_75\n.address_size 64\n"
	".shared .align 4 .b8 room[64];\n"
	".func down(.param .u64 n)\n{\n.local .align 8 .b8 frame[1024];\n.reg .b64 m, f;\nld.param.u64 m, [n];\n"
	"mov.u64 f, frame;\nst.local.u64 [f], m;\nadd.u64 m, m, 1;\n{\n.param .u64 more;\nst.param.u64 [more], m;\n"
	"call down, (more);\n}\nret;\n}\n"
	".func fall(.param .u64 n)\n{\n.reg .b64 m;\nld.param.u64 m, [n];\nadd.u64 m, m, 1;\n{\n.param .u64 more;\n"
	"st.param.u64 [more], m;\ncall fall, (more);\n}\nst.global.u64 [m], m;\nret;\n}\n"
	/* clang-format off */
	KERNEL("global_read", "ld.global.u32 r, [a];\nst.global.u32 [a], r;\n")
	KERNEL("global_write", "st.global.u32 [a], 1;\n")
	KERNEL("global_atomic", "red.global.add.u32 [a], 1;\n")
	KERNEL("generic_write", "st.u32 [a], 1;\n")
	KERNEL("shared_read", "mov.u32 r, room;\nadd.u32 r, r, 64;\nld.shared.u32 r, [r];\nst.global.u32 [a], r;\n")
	KERNEL("shared_write", "mov.u32 r, room;\nadd.u32 r, r, 4096;\nst.shared.u32 [r], 1;\n")
	KERNEL("shared_odd", "mov.u32 r, room;\nadd.u32 r, r, 2;\nst.shared.u32 [r], 1;\n")
	KERNEL("shared_generic", "mov.u64 a, room;\ncvta.shared.u64 a, a;\nst.u32 [a + 65536], 1;\n")
	KERNEL("local_write", ".local .b8 mine[16];\nmov.u64 a, mine;\nadd.u64 a, a, 1000000;\nst.local.u32 [a], 1;\n")
	KERNEL("local_odd", ".local .align 8 .b8 mine[16];\nmov.u64 a, mine;\nadd.u64 a, a, 1;\nst.local.u32 [a], 1;\n")
	KERNEL("frames", "{\n.param .u64 n;\nst.param.u64 [n], a;\ncall down, (n);\n}\n")
	KERNEL("calls", "{\n.param .u64 n;\nst.param.u64 [n], a;\ncall fall, (n);\n}\n")
	KERNEL("wide_odd", "add.u64 a, a, 4;\nst.global.v2.u32 [a], {r, r};\n")
	/* clang-format on */
	;

struct fault {
	const char *kernel, *report; /* of the reference GPU */
	CUresult want;
	CUdeviceptr (*address)(void);
};

static CUdeviceptr null(void)
{
	return 0;
}

static CUdeviceptr freed(void)
{
	CUdeviceptr at;
	cu_ok(cu(cuMemAlloc_v2)(&at, 1 << 20));
	cu_ok(cu(cuMemFree_v2)(at));
	return at;
}

static CUdeviceptr of_the_host(void)
{
	static int plain;
	return (CUdeviceptr)(size_t)&plain;
}

static CUdeviceptr device(void)
{
	CUdeviceptr at;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	return at;
}

static CUdeviceptr read_only(void)
{
	static char page[8192] __attribute__((aligned(4096)));
	cu_ok(cu(cuMemHostRegister_v2)(page, sizeof(page), CU_MEMHOSTREGISTER_READ_ONLY));
	return (CUdeviceptr)(size_t)page;
}

static CUdeviceptr unmapped(void)
{
	CUdeviceptr at;
	cu_ok(cu(cuMemAddressReserve)(&at, 2 << 20, 0, 0, 0));
	return at;
}

static const struct fault faults[] = {
	{ "global_read", "read at 0x0", CUDA_ERROR_ILLEGAL_ADDRESS, null },
	{ "global_write", "write at 0x0", CUDA_ERROR_ILLEGAL_ADDRESS, null },
	{ "global_atomic", "atomic at 0x0", CUDA_ERROR_ILLEGAL_ADDRESS, null },
	{ "generic_write", "write at 0x0", CUDA_ERROR_ILLEGAL_ADDRESS, null },
	{ "global_write", "write at", CUDA_ERROR_ILLEGAL_ADDRESS, freed },
	{ "global_write", "page not present", CUDA_ERROR_ILLEGAL_ADDRESS, unmapped },
	{ "global_write", "read-only", CUDA_ERROR_ILLEGAL_ADDRESS, read_only },
	{ "generic_write", "not present", CUDA_ERROR_ILLEGAL_ADDRESS, of_the_host },
	{ "shared_read", "outside of shared memory: read at 0x40", CUDA_ERROR_ILLEGAL_ADDRESS, device },
	{ "shared_write", "outside of shared memory: write at 0x1000", CUDA_ERROR_ILLEGAL_ADDRESS, device },
	{ "shared_odd", "misaligned address", CUDA_ERROR_MISALIGNED_ADDRESS, device },
	{ "shared_generic", "outside of shared memory", CUDA_ERROR_ILLEGAL_ADDRESS, device },
	{ "local_write", "outside of local memory", CUDA_ERROR_ILLEGAL_ADDRESS, device },
	{ "local_odd", "misaligned address", CUDA_ERROR_MISALIGNED_ADDRESS, device },
	{ "frames", "in down", CUDA_ERROR_ILLEGAL_ADDRESS, device },
	{ "calls", "in fall", CUDA_ERROR_HARDWARE_STACK_ERROR, device },
	{ "wide_odd", "misaligned address", CUDA_ERROR_MISALIGNED_ADDRESS, device },
};

static void fault_run(void *arg)
{
	const struct fault *fault = arg;
	CUcontext bad = cu_begin(), good;
	CUmodule module, other;
	CUdeviceptr at;
	void *params[] = { &at };
	if (!cu_is_reference())
		exit(CU_SKIP);
	cu_ok(cu(cuModuleLoadData)(&module, text));
	at = device(); /* what a context makes at its first launch must not come to lie at the address */
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "global_write"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	at = fault->address();
	cu_ok(cu(cuLaunchKernel)(cu_function(module, fault->kernel), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_is(cu(cuCtxSynchronize)(), fault->want);
	/* Where one context has failed the others work, with their memory. */
	cu_ok(cu(cuCtxCreate_v2)(&good, 0, 0));
	cu_ok(cu(cuModuleLoadData)(&other, text));
	at = device();
	cu_ok(cu(cuLaunchKernel)(cu_function(other, "global_write"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuCtxSetCurrent)(bad));
	cu_is(cu(cuCtxSynchronize)(), fault->want);
	cu_ok(cu(cuCtxDestroy_v2)(bad));
	cu_ok(cu(cuCtxDestroy_v2)(good));
}

static void test_each_space_has_its_fault(void)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		char report[4096];
		ssize_t n = 0, got;
		int ends[2], status;
		pid_t pid;
		check(!pipe(ends));
		pid = fork();
		if (!pid) {
			dup2(ends[1], 2);
			fault_run((void *)(size_t)&faults[i]);
			exit(0);
		}
		close(ends[1]);
		while ((got = read(ends[0], report + n, sizeof(report) - 1 - (size_t)n)) > 0)
			n += got;
		report[n] = 0;
		close(ends[0]);
		check(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == CU_SKIP) {
			puts("skipped: hardware finds these faults by pages, or not");
			exit(CU_SKIP);
		}
		if (!status && strstr(report, faults[i].report) && strstr(report, "PTX line"))
			continue;
		fprintf(stderr, "%s: status %d, no `%s' in\n%s\n", faults[i].kernel, status, faults[i].report, report);
		exit(1);
	}
}

/* -- handles ------------------------------------------------------------------------------------------------------- */

static void handles_run(void *unused)
{
	CUcontext ctx = cu_begin(), extra;
	CUfunction function;
	CUlibrary library;
	CUkernel kernel;
	CUmodule module;
	CUstream stream;
	CUarray array;
	CUevent event;
	CUDA_ARRAY_DESCRIPTOR shape = { 16, 16, CU_AD_FORMAT_FLOAT, 1 };
	CUdeviceptr at = 0;
	void *params[] = { &at };
	(void)unused;
	cu_ok(cu(cuModuleLoadData)(&module, text));
	function = cu_function(module, "global_write");
	cu_ok(cu(cuModuleUnload)(module));
	cu_is(cu(cuModuleUnload)(module), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuModuleGetFunction)(&function, module, "global_write"), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "global_write"));
	cu_ok(cu(cuLibraryUnload)(library));
	cu_is(cu(cuLibraryUnload)(library), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuLaunchKernel)((CUfunction)kernel, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL),
	      CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuStreamCreate)(&stream, 0));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	check(cu(cuStreamDestroy_v2)(stream) != CUDA_SUCCESS);
	check(cu(cuStreamSynchronize)(stream) != CUDA_SUCCESS);
	check(cu(cuMemsetD8Async)(0, 0, 1, stream) != CUDA_SUCCESS);
	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_is(cu(cuEventDestroy_v2)(event), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuEventRecord)(event, NULL), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuEventRecord)((CUevent)module, NULL), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuArrayCreate_v2)(&array, &shape));
	cu_ok(cu(cuArrayDestroy)(array));
	cu_is(cu(cuArrayDestroy)(array), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuCtxCreate_v2)(&extra, 0, 0));
	cu_ok(cu(cuCtxDestroy_v2)(extra));
	check(cu(cuCtxDestroy_v2)(extra) != CUDA_SUCCESS);
	check(cu(cuCtxSetCurrent)((CUcontext)(size_t)0x1234) != CUDA_SUCCESS || cu(cuCtxSynchronize)() != CUDA_SUCCESS);
	cu_ok(cu(cuCtxSetCurrent)(ctx));
	cu_ok(cu(cuCtxSynchronize)());
}

static void test_handles_that_are_gone_are_known_as_gone(void)
{
	check(cu_child(handles_run, NULL) == 0);
}

/* -- memory that is all taken
 * ------------------------------------------------------------------------------------------ */

static void full_run(void *unused)
{
	CUdeviceptr at[4096], more;
	size_t n = 0, free_before, free_after, total, heap;
	CUmodule module;
	CUstream stream;
	int value;
	void *params[] = { &at[0] };
	cu_begin();
	(void)unused;
	cu_ok(cu(cuModuleLoadData)(&module, text));
	cu_ok(cu(cuMemGetInfo_v2)(&free_before, &total));
	while (n < 4096 && !cu(cuMemAlloc_v2)(&at[n], 16 << 20))
		n++;
	check(n > 2 && n < 4096);
	cu_is(cu(cuMemAlloc_v2)(&more, 16 << 20), CUDA_ERROR_OUT_OF_MEMORY);
	cu_is(cu(cuMemAllocAsync)(&more, 1 << 30, NULL), CUDA_ERROR_OUT_OF_MEMORY);
	/* What there is works on. */
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "global_write"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, at[0], 4));
	check(value == 1);
	while (n)
		cu_ok(cu(cuMemFree_v2)(at[--n]));
	cu_ok(cu(cuMemGetInfo_v2)(&free_after, &total));
	/* The first launch takes the heap of malloc() in kernels if there is still room for it. */
	cu_ok(cu(cuCtxGetLimit)(&heap, CU_LIMIT_MALLOC_HEAP_SIZE));
	check(free_after + heap + (4 << 20) > free_before);
	cu_ok(cu(cuStreamCreate)(&stream, 0));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_a_full_device_says_so_and_works_on(void)
{
	check(cu_child(full_run, NULL) == 0);
}

int main(void)
{
	cu_run(test_each_space_has_its_fault);
	cu_run(test_handles_that_are_gone_are_known_as_gone);
	cu_run(test_a_full_device_says_so_and_works_on);
	return 0;
}
