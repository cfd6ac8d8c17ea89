/* Host libraries for the linker: the grid barrier of the device's own runtime, and what has no PTX. */
#include <ar.h>

#include "cu.h"

#define BLOCKS  6u
#define THREADS 64u
#define ROUNDS  5

static const char text[] =
	".version 7.0\n.target sm_70\n.address_size 64\n"
	".extern .func (.param .b64 r) cudaCGGetIntrinsicHandle(.param .b32 a);\n"
	".extern .func (.param .b32 r) cudaCGSynchronize(.param .b64 a, .param .b32 b);\n"
	".extern .func (.param .b32 r) cudaCGGetSize(.param .b64 a, .param .b64 b, .param .b64 c);\n"
	".extern .func (.param .b32 r) cudaCGGetRank(.param .b64 a, .param .b64 b, .param .b64 c);\n"
	/* data[i] = i; ROUNDS times: all meet, each takes its mirror's value and adds 1, all meet before any writes */
	".visible .entry mirror(.param .u64 data, .param .u32 rounds)\n{\n"
	"	.local .align 4 .b8 both[8]; .reg .b64 %rd<12>; .reg .b32 %r<12>; .reg .pred %p;\n"
	"	.param .b32 scope; .param .b64 handle; .param .b64 a; .param .b64 b; .param .b64 c; .param .b32 r;\n"
	"	.param .b32 flags;\n"
	"	ld.param.u64 %rd1, [data];\n	ld.param.u32 %r1, [rounds];\n	mov.u32 %r2, 1;\n"
	"	st.param.b32 [scope], %r2;\n	call (handle), cudaCGGetIntrinsicHandle, (scope);\n"
	"	ld.param.b64 %rd2, [handle];\n	mov.u64 %rd3, both;\n	cvta.local.u64 %rd3, %rd3;\n"
	"	add.s64 %rd4, %rd3, 4;\n	mov.u64 %rd5, 0;\n"
	"	st.param.b64 [a], %rd3;\n	st.param.b64 [b], %rd5;\n	st.param.b64 [c], %rd2;\n"
	"	call (r), cudaCGGetRank, (a, b, c);\n"
	"	st.param.b64 [a], %rd4;\n	st.param.b64 [b], %rd5;\n	st.param.b64 [c], %rd2;\n"
	"	call (r), cudaCGGetSize, (a, b, c);\n"
	"	ld.u32 %r3, [%rd3];\n	ld.u32 %r4, [%rd4];\n	mul.wide.u32 %rd6, %r3, 4;\n	add.s64 %rd6, %rd1, "
	"%rd6;\n"
	"	sub.s32 %r4, %r4, %r3;\n	sub.s32 %r4, %r4, 1;\n	mul.wide.u32 %rd7, %r4, 4;\n	add.s64 %rd7, "
	"%rd1, %rd7;\n"
	"	st.global.u32 [%rd6], %r3;\n	mov.u32 %r5, 0;\n"
	"again:\n	st.param.b64 [handle], %rd2;\n	mov.u32 %r2, 0;\n	st.param.b32 [flags], %r2;\n"
	"	call (r), cudaCGSynchronize, (handle, flags);\n	ld.param.b32 %r6, [r];\n"
	"	ld.global.u32 %r7, [%rd7];\n	add.u32 %r7, %r7, 1;\n	add.u32 %r7, %r7, %r6;\n"
	"	st.param.b64 [handle], %rd2;\n	st.param.b32 [flags], %r2;\n"
	"	call (r), cudaCGSynchronize, (handle, flags);\n"
	"	st.global.u32 [%rd6], %r7;\n	add.u32 %r5, %r5, 1;\n	setp.lt.u32 %p, %r5, %r1;\n	@%p bra "
	"again;\n	ret;\n}\n";

/* An archive of one member, with its name in the table of long names. */
static size_t archive_make(char *to, size_t room, const char *member)
{
	size_t names = strlen(member) + 2;
	int n = snprintf(to, room, ARMAG "%-48s%-10zu`\n%s/\n%s%-48s%-10d`\nbody", "//", names, member,
			 names & 1 ? "\n" : "", "/0", 4);
	return (size_t)n;
}

static void test_a_grid_meets_by_the_runtime_s_functions(void)
{
	CUlinkState link;
	CUmodule module;
	CUfunction mirror;
	CUdeviceptr data;
	char library[512];
	unsigned int got[BLOCKS * THREADS], rounds = ROUNDS, last = BLOCKS * THREADS - 1;
	void *params[] = { &data, &rounds }, *image;
	size_t bytes = archive_make(library, sizeof(library), "cuda_device_runtime.o");

	cu_ok(cu(cuLinkCreate_v2)(0, NULL, NULL, &link));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, (void *)(uintptr_t)text, sizeof(text), "mirror", 0, NULL,
				   NULL));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_LIBRARY, library, bytes, "runtime", 0, NULL, NULL));
	cu_ok(cu(cuLinkComplete)(link, &image, &bytes));
	cu_ok(cu(cuModuleLoadData)(&module, image));
	cu_ok(cu(cuLinkDestroy)(link));
	cu_ok(cu(cuMemAlloc_v2)(&data, sizeof(got)));
	mirror = cu_function(module, "mirror");
	for (int pass = 0; pass < 3; pass++) {
		cu_ok(cu(cuLaunchCooperativeKernel)(mirror, BLOCKS, 1, 1, THREADS, 1, 1, 0, NULL, params));
		cu_ok(cu(cuMemcpyDtoH_v2)(got, data, sizeof(got)));
		for (unsigned int i = 0; i <= last; i++)
			check(got[i] == (ROUNDS & 1 ? last - i : i) + ROUNDS);
	}
	cu_ok(cu(cuMemFree_v2)(data));
	cu_ok(cu(cuModuleUnload)(module));
}

static void test_outside_of_a_cooperative_launch_the_barrier_fails(void)
{
	CUlinkState link;
	CUmodule module;
	CUdeviceptr data;
	char library[512];
	unsigned int got[THREADS], rounds = 1;
	void *params[] = { &data, &rounds }, *image;
	size_t bytes = archive_make(library, sizeof(library), "cuda_device_runtime.o");

	cu_ok(cu(cuLinkCreate_v2)(0, NULL, NULL, &link));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_LIBRARY, library, bytes, "runtime", 0, NULL, NULL));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, (void *)(uintptr_t)text, sizeof(text), "mirror", 0, NULL,
				   NULL));
	cu_ok(cu(cuLinkComplete)(link, &image, &bytes));
	cu_ok(cu(cuModuleLoadData)(&module, image));
	cu_ok(cu(cuLinkDestroy)(link));
	cu_ok(cu(cuMemAlloc_v2)(&data, sizeof(got)));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "mirror"), 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(got, data, 4));
	check(got[0] == 0 + 1 + 1); /* its own mirror's 0, 1, and what the barrier answered */
	cu_ok(cu(cuMemFree_v2)(data));
	cu_ok(cu(cuModuleUnload)(module));
}

static void test_libraries_without_ptx_are_refused(void)
{
	CUlinkState link;
	char library[512], log[256] = "";
	CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	void *values[] = { log, (void *)sizeof(log) };
	size_t bytes = archive_make(library, sizeof(library), "another_long_name.o");

	cu_ok(cu(cuLinkCreate_v2)(2, options, values, &link));
	cu_is(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_LIBRARY, library, bytes, "x", 0, NULL, NULL),
	      CUDA_ERROR_INVALID_IMAGE);
	check(strstr(log, "object"));
	cu_is(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_OBJECT, library, 3, "x", 0, NULL, NULL),
	      CUDA_ERROR_INVALID_IMAGE);
	cu_is(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_LIBRARY, library, bytes - 1, "x", 0, NULL, NULL),
	      CUDA_ERROR_INVALID_IMAGE);
	cu_ok(cu(cuLinkDestroy)(link));
}

int main(void)
{
	cu_begin();
	if (!cu_is_reference()) {
		puts("skipped: a vendor's driver needs the vendor's library");
		return CU_SKIP;
	}
	cu_run(test_a_grid_meets_by_the_runtime_s_functions);
	cu_run(test_outside_of_a_cooperative_launch_the_barrier_fails);
	cu_run(test_libraries_without_ptx_are_refused);
	return 0;
}
