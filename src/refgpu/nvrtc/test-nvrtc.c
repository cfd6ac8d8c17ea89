/* The library over a stub of NVIDIA's: usage test-nvrtc LIBRARY STUB. */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refgpu/nvrtc/nvrtc.h"

struct rtc {
	int (*version)(int *major, int *minor);
	int (*create)(void **program, const char *source, const char *name, int n, const char *const *headers,
		      const char *const *includes);
	int (*destroy)(void **program);
	int (*compile)(void *program, int n, const char *const *options);
	int (*code_size)(void *program, size_t *bytes);
	int (*code)(void *program, char *to);
	int (*callback)(void *program, int (*callback)(void *, void *), void *payload);
	const char *(*error)(int result);
};

static void rtc_open(struct rtc *rtc, const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	assert(library);
	*(void **)&rtc->version = dlsym(library, "nvrtcVersion");
	*(void **)&rtc->create = dlsym(library, "nvrtcCreateProgram");
	*(void **)&rtc->destroy = dlsym(library, "nvrtcDestroyProgram");
	*(void **)&rtc->compile = dlsym(library, "nvrtcCompileProgram");
	*(void **)&rtc->code_size = dlsym(library, "nvrtcGetCUBINSize");
	*(void **)&rtc->code = dlsym(library, "nvrtcGetCUBIN");
	*(void **)&rtc->callback = dlsym(library, "nvrtcSetFlowCallback");
	*(void **)&rtc->error = dlsym(library, "nvrtcGetErrorString");
	assert(rtc->version && rtc->create && rtc->destroy && rtc->compile && rtc->code_size && rtc->code &&
	       rtc->callback && rtc->error);
}

static void code_is(struct rtc *rtc, void *program, const char *want)
{
	char code[512];
	size_t bytes = 0;

	assert(rtc->code_size(program, &bytes) == PL_RTC_SUCCESS && bytes == strlen(want) + 1);
	assert(rtc->code(program, code) == PL_RTC_SUCCESS);
	if (strcmp(code, want))
		fprintf(stderr, "'%s', not '%s'\n", code, want);
	assert(!strcmp(code, want));
}

static void test_machine_code_becomes_ptx(struct rtc *rtc)
{
	void *program = NULL;

	assert(rtc->create(&program, "", "a.cu", 0, NULL, NULL) == 0);
	assert(rtc->compile(program, 2, (const char *const[]){ "--gpu-architecture=sm_90", "-G" }) == 0);
	code_is(rtc, program, "PTX --gpu-architecture=compute_90 -G");
	assert(rtc->compile(program, 2, (const char *const[]){ "-arch", "sm_90a" }) == 0);
	code_is(rtc, program, "PTX -arch compute_90a");
	assert(rtc->compile(program, 1, (const char *const[]){ "-arch=sm_75" }) == 0);
	code_is(rtc, program, "PTX -arch=compute_75");
	assert(rtc->destroy(&program) == 0 && !program);
}

static void test_what_the_compiler_does_not_know_becomes_the_newest_that_it_knows(struct rtc *rtc)
{
	void *program = NULL;

	assert(rtc->create(&program, "", "a.cu", 0, NULL, NULL) == 0);
	assert(rtc->compile(program, 1, (const char *const[]){ "-arch=sm_100" }) == 0);
	code_is(rtc, program, "PTX -arch=compute_90");
	assert(rtc->compile(program, 2, (const char *const[]){ "--gpu-architecture", "sm_121a" }) == 0);
	code_is(rtc, program, "PTX --gpu-architecture compute_90");
	assert(rtc->compile(program, 1, (const char *const[]){ "-arch=compute_999999999999999999" }) == 0);
	code_is(rtc, program, "PTX -arch=compute_90");
	assert(rtc->compile(program, 1, (const char *const[]){ "-arch=sm_" }) == 0);
	code_is(rtc, program, "PTX -arch=compute_");
	rtc->destroy(&program);
}

static void test_what_asks_for_ptx_is_left_alone(struct rtc *rtc)
{
	void *program = NULL;

	assert(rtc->create(&program, "", "a.cu", 0, NULL, NULL) == 0);
	assert(rtc->compile(program, 1, (const char *const[]){ "-arch=sm_90" }) == 0);
	assert(rtc->compile(program, 3, (const char *const[]){ "-arch=compute_90", "-DX=sm_90", "-I" }) == 0);
	code_is(rtc, program, "CUBIN");
	assert(rtc->compile(program, 0, NULL) == 0);
	code_is(rtc, program, "CUBIN");
	rtc->destroy(&program);
}

static void test_errors_are_those_of_the_library(struct rtc *rtc)
{
	void *program = NULL;
	int major = 0, minor = 0;

	assert(rtc->version(&major, &minor) == 0 && major == 77);
	assert(rtc->create(&program, "", "a.cu", 0, NULL, NULL) == 0);
	assert(rtc->compile(program, 2, (const char *const[]){ "-arch=sm_90", "wrong" }) == 6);
	assert(!strcmp(rtc->error(6), "stub: wrong"));
	assert(rtc->compile(program, -1, NULL) == PL_RTC_ERROR_INVALID_INPUT);
	assert(rtc->compile(program, PL_RTC_OPTIONS_MAX + 1, (const char *const[]){ "" }) ==
	       PL_RTC_ERROR_INVALID_INPUT);
	/* the stub is older than this function */
	assert(rtc->callback(program, NULL, NULL) == PL_RTC_ERROR_INTERNAL);
	rtc->destroy(&program);
}

/* ---- a driver, which this program is for the library ---- */

static const char *device_name; /* NULL: no device */

__attribute__((visibility("default"))) int cuInit(unsigned int flags);
int cuInit(unsigned int flags)
{
	return flags ? 1 : device_name ? 0 : 100;
}

__attribute__((visibility("default"))) int cuDeviceGetCount(int *count);
int cuDeviceGetCount(int *count)
{
	*count = 1;
	return 0;
}

__attribute__((visibility("default"))) int cuDeviceGet(int *device, int ordinal);
int cuDeviceGet(int *device, int ordinal)
{
	*device = ordinal;
	return ordinal ? 101 : 0;
}

__attribute__((visibility("default"))) int cuDeviceGetName(char *name, int bytes, int device);
int cuDeviceGetName(char *name, int bytes, int device)
{
	snprintf(name, (size_t)bytes, "%s", device_name ? device_name : "");
	return device ? 101 : 0;
}

/* In a process of its own, as a library is looked for once. */
static int elsewhere(const char *library, const char *variable, const char *value, int (*check)(const char *library))
{
	int status;
	pid_t child = fork();

	assert(child >= 0);
	if (!child) {
		unsetenv("PLENUM_NVRTC");
		unsetenv("LD_LIBRARY_PATH");
		setenv(variable, value, 1);
		_exit(check(library));
	}
	assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int check_missing(const char *library)
{
	struct rtc rtc;
	void *program = NULL;
	int major, minor;

	rtc_open(&rtc, library);
	return rtc.version(&major, &minor) == PL_RTC_ERROR_INTERNAL &&
			       rtc.create(&program, "", "a.cu", 0, NULL, NULL) == PL_RTC_ERROR_INTERNAL &&
			       rtc.destroy(&program) == PL_RTC_ERROR_INTERNAL &&
			       strstr(rtc.error(PL_RTC_ERROR_INTERNAL), "PLENUM_NVRTC")
		       ? 0
		       : 1;
}

static void test_a_missing_library_is_an_error_that_says_so(const char *library)
{
	assert(elsewhere(library, "PLENUM_NVRTC", "/nowhere/libnvrtc.so", check_missing) == 0);
	/* itself is no NVRTC */
	assert(elsewhere(library, "PLENUM_NVRTC", library, check_missing) == 0);
}

static int check_77(const char *library)
{
	struct rtc rtc;
	int major = 0, minor;

	rtc_open(&rtc, library);
	return rtc.version(&major, &minor) || major != 77;
}

static void test_the_next_in_the_path_is_taken(const char *library, const char *stub)
{
	char folder[] = "/tmp/plenum-nvrtc-XXXXXX", link[PATH_MAX], path[2 * PATH_MAX], own[PATH_MAX], *slash;

	assert(mkdtemp(folder));
	snprintf(link, sizeof(link), "%s/libnvrtc.so.13", folder);
	assert(symlink(stub, link) == 0);
	snprintf(own, sizeof(own), "%s", library);
	slash = strrchr(own, '/');
	assert(slash);
	*slash = '\0';
	snprintf(path, sizeof(path), "%s:/nowhere:%s", own, folder);
	assert(elsewhere(library, "LD_LIBRARY_PATH", path, check_77) == 0);
	assert(elsewhere(library, "PLENUM_NVRTC", folder, check_77) == 0);
	unlink(link);
	rmdir(folder);
}

/* A path that names two installations of ours. */
static void test_a_copy_is_passed_over(const char *library, const char *stub)
{
	char folder[] = "/tmp/plenum-nvrtc-XXXXXX", other[] = "/tmp/plenum-nvrtc-XXXXXX", copy[PATH_MAX],
	     link[PATH_MAX];
	char path[2 * PATH_MAX], command[3 * PATH_MAX];

	assert(mkdtemp(folder) && mkdtemp(other));
	snprintf(copy, sizeof(copy), "%s/libnvrtc.so.13", folder);
	snprintf(command, sizeof(command), "cp '%s' '%s'", library, copy);
	assert(system(command) == 0);
	snprintf(link, sizeof(link), "%s/libnvrtc.so.13", other);
	assert(symlink(stub, link) == 0);
	snprintf(path, sizeof(path), "%s:%s", folder, other);
	assert(elsewhere(library, "LD_LIBRARY_PATH", path, check_77) == 0);
	unlink(copy);
	unlink(link);
	rmdir(folder);
	rmdir(other);
}

static int compiled_for(const char *library, const char *name, const char *want)
{
	struct rtc rtc;
	void *program = NULL;

	device_name = name;
	rtc_open(&rtc, library);
	assert(rtc.create(&program, "", "a.cu", 0, NULL, NULL) == 0);
	assert(rtc.compile(program, 1, (const char *const[]){ "-arch=sm_90" }) == 0);
	code_is(&rtc, program, want);
	assert(rtc.destroy(&program) == 0);
	return 0;
}

static int check_hardware(const char *library)
{
	return compiled_for(library, "NVIDIA H100", "CUBIN");
}

static int check_reference(const char *library)
{
	return compiled_for(library, "Plenum reference GPU", "PTX -arch=compute_90");
}

static void test_hardware_gets_its_machine_code(const char *library, const char *stub)
{
	assert(elsewhere(library, "PLENUM_NVRTC", stub, check_hardware) == 0);
	assert(elsewhere(library, "PLENUM_NVRTC", stub, check_reference) == 0);
}

static void test_programs_are_forgotten(void)
{
	int a = 0, b = 0;

	assert(pl_rtc_program_note(&a, true) && pl_rtc_program_note(&b, true) && pl_rtc_program_note(&a, true));
	assert(pl_rtc_program_rewritten(&a) && pl_rtc_program_rewritten(&b));
	assert(pl_rtc_program_note(&a, false));
	assert(!pl_rtc_program_rewritten(&a) && pl_rtc_program_rewritten(&b));
	assert(pl_rtc_program_note(&b, false) && pl_rtc_program_note(&b, false));
	assert(!pl_rtc_program_rewritten(&b));
}

int main(int argc, char **argv)
{
	struct rtc rtc;

	assert(argc == 3);
	test_programs_are_forgotten();
	test_a_missing_library_is_an_error_that_says_so(argv[1]);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	puts("SKIP: a sanitizer ends programs that open a library with RTLD_DEEPBIND, as NVRTC is opened");
	fflush(stdout);
	_exit(77);
#endif
	test_the_next_in_the_path_is_taken(argv[1], argv[2]);
	test_a_copy_is_passed_over(argv[1], argv[2]);
	test_hardware_gets_its_machine_code(argv[1], argv[2]);
	setenv("PLENUM_NVRTC", argv[2], 1);
	rtc_open(&rtc, argv[1]);
	test_machine_code_becomes_ptx(&rtc);
	test_what_the_compiler_does_not_know_becomes_the_newest_that_it_knows(&rtc);
	test_what_asks_for_ptx_is_left_alone(&rtc);
	test_errors_are_those_of_the_library(&rtc);
	return 0;
}
