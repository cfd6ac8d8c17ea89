/* A program that compiles at run time for the device it found, and takes what NVRTC calls machine code of it. */
#include <dlfcn.h>

#include "cu.h"

#define N 1000

static const char source[] = "extern \"C\" __global__ void twice(int *to, const int *from, int n)\n"
			     "{ int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) to[i] = 2 * from[i] + 1; }\n";

struct rtc {
	int (*version)(int *major, int *minor);
	int (*create)(void **program, const char *text, const char *name, int n, const char *const *headers,
		      const char *const *includes);
	int (*compile)(void *program, int n, const char *const *options);
	int (*code_size)(void *program, size_t *bytes);
	int (*code)(void *program, char *to);
	int (*destroy)(void **program);
};

/* Skips the program where NVIDIA's library, which this one stands in front of, is missing. */
static struct rtc rtc_open(void)
{
	const char *path = getenv("PLENUM_TEST_NVRTC");
	void *library = dlopen(path ? path : "libnvrtc.so.13", RTLD_NOW | RTLD_LOCAL);
	struct rtc rtc;
	int major, minor;

	if (!library) {
		printf("skipped: %s\n", dlerror());
		exit(CU_SKIP);
	}
	*(void **)&rtc.version = dlsym(library, "nvrtcVersion");
	*(void **)&rtc.create = dlsym(library, "nvrtcCreateProgram");
	*(void **)&rtc.compile = dlsym(library, "nvrtcCompileProgram");
	*(void **)&rtc.code_size = dlsym(library, "nvrtcGetCUBINSize");
	*(void **)&rtc.code = dlsym(library, "nvrtcGetCUBIN");
	*(void **)&rtc.destroy = dlsym(library, "nvrtcDestroyProgram");
	check(rtc.version && rtc.create && rtc.compile && rtc.code_size && rtc.code && rtc.destroy);
	if (rtc.version(&major, &minor)) {
		printf("skipped: NVIDIA's NVRTC is not installed\n");
		exit(CU_SKIP);
	}
	printf("NVRTC %d.%d\n", major, minor);
	return rtc;
}

static char *code_make(const struct rtc *rtc)
{
	int major, minor;
	char option[32], *code;
	void *program;
	size_t bytes = 0;

	cu_ok(cu(cuDeviceGetAttribute)(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
	cu_ok(cu(cuDeviceGetAttribute)(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0));
	snprintf(option, sizeof(option), "--gpu-architecture=sm_%d%d", major, minor);
	check(rtc->create(&program, source, "twice.cu", 0, NULL, NULL) == 0);
	check(rtc->compile(program, 1, (const char *const[]){ option }) == 0);
	check(rtc->code_size(program, &bytes) == 0 && bytes > 0);
	code = malloc(bytes);
	check(code && rtc->code(program, code) == 0 && rtc->destroy(&program) == 0);
	return code;
}

static void test_what_is_compiled_for_the_device_runs(const struct rtc *rtc)
{
	static int from[N], to[N];
	char *code = code_make(rtc);
	CUdeviceptr in, out;
	CUmodule module;
	int n = N;

	cu_ok(cu(cuModuleLoadData)(&module, code));
	for (int i = 0; i < N; i++)
		from[i] = i * 7;
	cu_ok(cu(cuMemAlloc_v2)(&in, sizeof(from)));
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(to)));
	cu_ok(cu(cuMemcpyHtoD_v2)(in, from, sizeof(from)));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "twice"), (N + 127) / 128, 1, 1, 128, 1, 1, 0, NULL,
				 (void *[]){ &out, &in, &n }, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(to, out, sizeof(to)));
	for (int i = 0; i < N; i++)
		check(to[i] == 2 * from[i] + 1);
	cu_ok(cu(cuModuleUnload)(module));
	free(code);
}

/* Real machine code is refused with a word about what to do. */
static void test_machine_code_is_refused_with_advice(void)
{
	static const char elf[64] = "\177ELF\2\1\1";
	char log[512] = "";
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)sizeof(log) };
	CUmodule module;

	if (!cu_is_reference())
		return;
	cu_is(cu(cuModuleLoadDataEx)(&module, elf, 2, options, values), CUDA_ERROR_NO_BINARY_FOR_GPU);
	check(strstr(log, "compute_XX"));
}

int main(void)
{
	struct rtc rtc;

	cu_begin();
	cu_run(test_machine_code_is_refused_with_advice);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	puts("SKIP: a sanitizer ends programs that open a library with RTLD_DEEPBIND, as NVRTC is opened");
	exit(CU_SKIP);
#endif
	rtc = rtc_open();
	test_what_is_compiled_for_the_device_runs(&rtc);
	return 0;
}
