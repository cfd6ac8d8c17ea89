/* The functions of NVRTC: compilation and machine code here, all else to NVIDIA's library. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "refgpu/nvrtc/nvrtc.h"

#define ARCHS_MAX 256 /* that NVIDIA's library knows */
#define EXPORT    __attribute__((visibility("default")))

EXPORT extern const char nvrtcPlenumMark[];
const char nvrtcPlenumMark[] = "Plenum";

static void *library; /* set once */
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static void library_open(void)
{
	const char *told = getenv("PLENUM_NVRTC");
	char path[PATH_MAX];

	if (!pl_rtc_find(PL_RTC_NAME, told, path)) {
		fprintf(stderr,
			"plenum refgpu: this program compiles CUDA at run time and needs NVIDIA's " PL_RTC_NAME
			", which was not found%s%s: install it, or name it in PLENUM_NVRTC\n",
			told && *told ? " at " : "", told && *told ? told : "");
		return;
	}
	/* its own functions, not the ones of this library, are what it shall call */
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (!library)
		fprintf(stderr, "plenum refgpu: %s\n", dlerror());
}

void *pl_rtc_symbol(const char *name)
{
	pthread_once(&opened, library_open);
	return library ? dlsym(library, name) : NULL;
}

/* In NVIDIA's library, as it is. */
#define PASS(name, parameters, arguments)                                                                              \
	EXPORT int name parameters;                                                                                    \
	EXPORT int name parameters                                                                                     \
	{                                                                                                              \
		int(*there) parameters = (int(*) parameters)(uintptr_t)pl_rtc_symbol(#name);                           \
		return there ? there arguments : PL_RTC_ERROR_INTERNAL;                                                \
	}

PASS(nvrtcVersion, (int *major, int *minor), (major, minor))
PASS(nvrtcGetNumSupportedArchs, (int *n), (n))
PASS(nvrtcGetSupportedArchs, (int *list), (list))
PASS(nvrtcCreateProgram,
     (void **program, const char *source, const char *name, int n, const char *const *headers,
      const char *const *includes),
     (program, source, name, n, headers, includes))
PASS(nvrtcGetPTXSize, (void *program, size_t *bytes), (program, bytes))
PASS(nvrtcGetPTX, (void *program, char *to), (program, to))
PASS(nvrtcGetNVVMSize, (void *program, size_t *bytes), (program, bytes))
PASS(nvrtcGetNVVM, (void *program, char *to), (program, to))
PASS(nvrtcGetLTOIRSize, (void *program, size_t *bytes), (program, bytes))
PASS(nvrtcGetLTOIR, (void *program, char *to), (program, to))
PASS(nvrtcGetOptiXIRSize, (void *program, size_t *bytes), (program, bytes))
PASS(nvrtcGetOptiXIR, (void *program, char *to), (program, to))
PASS(nvrtcGetProgramLogSize, (void *program, size_t *bytes), (program, bytes))
PASS(nvrtcGetProgramLog, (void *program, char *to), (program, to))
PASS(nvrtcAddNameExpression, (void *program, const char *name), (program, name))
PASS(nvrtcGetLoweredName, (void *program, const char *name, const char **lowered), (program, name, lowered))
PASS(nvrtcGetPCHHeapSize, (size_t * bytes), (bytes))
PASS(nvrtcSetPCHHeapSize, (size_t bytes), (bytes))
PASS(nvrtcGetPCHCreateStatus, (void *program), (program))
PASS(nvrtcGetPCHHeapSizeRequired, (void *program, size_t *bytes), (program, bytes))
PASS(nvrtcSetFlowCallback, (void *program, int (*callback)(void *, void *), void *payload),
     (program, callback, payload))

EXPORT const char *nvrtcGetErrorString(int result);
EXPORT const char *nvrtcGetErrorString(int result)
{
	const char *(*there)(int) = (const char *(*)(int))(uintptr_t)pl_rtc_symbol("nvrtcGetErrorString");

	if (there)
		return there(result);
	return result ? "NVIDIA's " PL_RTC_NAME " was not found: install it, or name it in PLENUM_NVRTC"
		      : "NVRTC_SUCCESS";
}

EXPORT int nvrtcDestroyProgram(void **program);
EXPORT int nvrtcDestroyProgram(void **program)
{
	int (*there)(void **) = (int (*)(void **))(uintptr_t)pl_rtc_symbol("nvrtcDestroyProgram");

	if (!there)
		return PL_RTC_ERROR_INTERNAL;
	if (program)
		(void)pl_rtc_program_note(*program, false);
	return there(program);
}

/* The device may claim to be newer than NVIDIA's library; what that makes for an older one, it takes. */
static int newest_known(void)
{
	int (*count)(int *) = (int (*)(int *))(uintptr_t)pl_rtc_symbol("nvrtcGetNumSupportedArchs");
	int (*get)(int *) = (int (*)(int *))(uintptr_t)pl_rtc_symbol("nvrtcGetSupportedArchs");
	int list[ARCHS_MAX] = { 0 }, n, newest = 0;

	if (!count || !get || count(&n) || n < 1 || n > ARCHS_MAX || get(list))
		return 0;
	for (int i = 0; i < n; i++)
		newest = list[i] > newest ? list[i] : newest;
	return newest;
}

typedef int compile_fn(void *program, int n, const char *const *options);

EXPORT int nvrtcCompileProgram(void *program, int n, const char *const *options);
EXPORT int nvrtcCompileProgram(void *program, int n, const char *const *options)
{
	compile_fn *there = (compile_fn *)(uintptr_t)pl_rtc_symbol("nvrtcCompileProgram");
	struct pl_rtc_options rewritten;
	int r;

	if (!there)
		return PL_RTC_ERROR_INTERNAL;
	if (pl_rtc_hardware_alone())
		return there(program, n, options);
	r = pl_rtc_options_rewrite(&rewritten, n, options, newest_known());
	if (r)
		return r == -ENOMEM ? PL_RTC_ERROR_OUT_OF_MEMORY : PL_RTC_ERROR_INVALID_INPUT;
	r = PL_RTC_ERROR_OUT_OF_MEMORY;
	if (pl_rtc_program_note(program, rewritten.made_n > 0))
		r = there(program, n, rewritten.list);
	pl_rtc_options_fini(&rewritten);
	return r;
}

/* Machine code that was asked for: the PTX that was made instead, with the 0 at its end. */
#define CODE(name, instead, type)                                                                                      \
	EXPORT int name(void *program, type to);                                                                       \
	EXPORT int name(void *program, type to)                                                                        \
	{                                                                                                              \
		const char *which = pl_rtc_program_rewritten(program) ? #instead : #name;                              \
		int (*there)(void *, type) = (int (*)(void *, type))(uintptr_t)pl_rtc_symbol(which);                   \
		return there ? there(program, to) : PL_RTC_ERROR_INTERNAL;                                             \
	}

CODE(nvrtcGetCUBINSize, nvrtcGetPTXSize, size_t *)
CODE(nvrtcGetCUBIN, nvrtcGetPTX, char *)
