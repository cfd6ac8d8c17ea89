/* Kernels that do something wrong: each in a process of its own, as the error stays with its context. */
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cu.h"

struct fault {
	const char *kernel;
	CUresult want;
	const char *report; /* on stderr, of the reference GPU; NULL: nothing to be looked for */
	unsigned long long argument;
	bool pointer; /* the kernel's first argument is memory */
};

static void fault_run(const struct fault *fault)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	unsigned long long argument = fault->argument;
	CUdeviceptr at, more;
	void *params[] = { fault->pointer ? (void *)&at : (void *)&argument, &argument };
	CUfunction function;
	CUmodule module;
	CUevent event;
	int value;
	if (!cu_is_reference() && fault->argument == 4096)
		exit(0); /* hardware maps more than was asked for */
	cu_ok(cu(cuModuleLoadData)(&module, text));
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_ok(cu(cuEventCreate)(&event, 0));
	function = cu_function(module, fault->kernel);
	cu_ok(cu(cuLaunchKernel)(function, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
	cu_is(cu(cuCtxSynchronize)(), fault->want);
	/* And from then on everything that needs the context. */
	cu_is(cu(cuMemAlloc_v2)(&more, 4), fault->want);
	cu_is(cu(cuMemcpyDtoH_v2)(&value, at, 4), fault->want);
	cu_is(cu(cuLaunchKernel)(function, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL), fault->want);
	cu_is(cu(cuEventRecord)(event, NULL), fault->want);
	/* Another context is not concerned. */
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	if (cu_is_reference()) {
		cu_ok(cu(cuCtxCreate_v2)(&ctx, 0, 0));
		cu_ok(cu(cuMemAlloc_v2)(&more, 4));
		cu_ok(cu(cuMemsetD32_v2)(more, 5, 1));
		cu_ok(cu(cuMemcpyDtoH_v2)(&value, more, 4));
		check(value == 5);
		cu_ok(cu(cuCtxDestroy_v2)(ctx));
	}
	free(text);
}

/* Return: its exit status; its stderr in `text`. */
static int fault_child(const struct fault *fault, char *text, size_t bytes)
{
	int ends[2], status;
	ssize_t n = 0, got;
	pid_t pid;
	check(!pipe(ends));
	pid = fork();
	if (!pid) {
		dup2(ends[1], 2);
		fault_run(fault);
		exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + n, bytes - 1 - (size_t)n)) > 0)
		n += got;
	text[n] = 0;
	close(ends[0]);
	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void test_each_fault_has_its_error_and_its_report(void)
{
	static const struct fault faults[] = {
		{ "store", CUDA_ERROR_ILLEGAL_ADDRESS, "in store, block (0,0,0), thread (0,0,0)", 0, false },
		{ "store_far", CUDA_ERROR_ILLEGAL_ADDRESS, "bytes behind 4096 bytes of device memory", 4096, true },
		{ "store_far", CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned", 2, true },
		{ "check_that", CUDA_ERROR_ASSERT, "Assertion `condition` failed", 0, false },
		{ "stop", CUDA_ERROR_LAUNCH_FAILED, "in stop, block (0,0,0)", 0, false },
	};
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		char text[4096];
		int status = fault_child(&faults[i], text, sizeof(text));
		if (status == CU_SKIP)
			exit(CU_SKIP);
		if (status) {
			fprintf(stderr, "%s: status %d\n%s", faults[i].kernel, status, text);
			exit(1);
		}
		if (strstr(text, "plenum") && !strstr(text, faults[i].report)) {
			fprintf(stderr, "%s: no `%s' in\n%s", faults[i].kernel, faults[i].report, text);
			exit(1);
		}
	}
}

static void run_for_ever(void)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	CUmodule module;
	CUdeviceptr at;
	void *params[] = { &at };
	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 1));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "for_ever"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	(void)ctx;
}

static void watchdog_child(void *unused)
{
	(void)unused;
	setenv("PLENUM_REFGPU_WATCHDOG", "0.2", 1);
	run_for_ever();
	if (!cu_is_reference())
		exit(CU_SKIP);
	cu_is(cu(cuCtxSynchronize)(), CUDA_ERROR_LAUNCH_TIMEOUT);
}

static void interrupted_child(void *unused)
{
	(void)unused;
	run_for_ever();
	kill(getpid(), SIGINT); /* as Ctrl-C does, while the device works */
	cu(cuCtxSynchronize)();
	exit(1);
}

static void test_a_kernel_that_never_ends_is_ended_by_watchdog_and_by_interrupt(void)
{
	int status = cu_child(watchdog_child, NULL);
	check(status == 0 || status == CU_SKIP);
	check(cu_child(interrupted_child, NULL) == 128 + SIGINT);
}

int main(void)
{
	cu_run(test_each_fault_has_its_error_and_its_report);
	cu_run(test_a_kernel_that_never_ends_is_ended_by_watchdog_and_by_interrupt);
	return 0;
}
