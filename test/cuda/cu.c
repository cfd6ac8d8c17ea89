#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cu.h"
#include "cuda/result.h"

#ifndef CU_PTX_DIR
#define CU_PTX_DIR "."
#endif

void *cu_symbol(const char *name)
{
	static void *library;
	const char *path = getenv("PLENUM_TEST_LIBCUDA");
	void *symbol;
	if (!library)
		library = dlopen(path ? path : "libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
	if (!library) {
		printf("skipped: %s\n", dlerror());
		exit(CU_SKIP);
	}
	symbol = dlsym(library, name);
	if (!symbol) {
		fprintf(stderr, "the library has no %s\n", name);
		exit(1);
	}
	return symbol;
}

void cu_nap_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

void cu_compare(CUresult got, CUresult want, const char *call, const char *file, int line)
{
	const char *got_name = "?", *want_name = "?";
	if (got == want)
		return;
	cu(cuGetErrorName)(got, &got_name);
	cu(cuGetErrorName)(want, &want_name);
	fprintf(stderr, "%s:%d: %s: got %s, want %s\n", file, line, call, got_name, want_name);
	exit(1);
}

void cu_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
	exit(1);
}

CUcontext cu_begin(void)
{
	CUcontext ctx;
	CUdevice device;
	CUresult r = cu(cuInit)(0);
	if (r == CUDA_ERROR_NO_DEVICE) {
		puts("skipped: no device");
		exit(CU_SKIP);
	}
	cu_ok(r);
	cu_ok(cu(cuDeviceGet)(&device, 0));
	cu_ok(cu(cuCtxCreate_v2)(&ctx, 0, device));
	return ctx;
}

bool cu_is_reference(void)
{
	char name[64] = "";
	cu_ok(cu(cuDeviceGetName)(name, sizeof(name), 0));
	return strstr(name, "Plenum");
}

char *cu_ptx(const char *name)
{
	const char *folder = getenv("PLENUM_TEST_PTX_DIR");
	char path[1024];
	char *text;
	FILE *file;
	long bytes;
	snprintf(path, sizeof(path), "%s/%s", folder ? folder : CU_PTX_DIR, name);
	file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) || (bytes = ftell(file)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(file);
	text = calloc(1, (size_t)bytes + 1);
	if (!text || fread(text, 1, (size_t)bytes, file) != (size_t)bytes)
		exit(1);
	fclose(file);
	return text;
}

CUfunction cu_function(CUmodule module, const char *name)
{
	CUfunction function;
	cu_ok(cu(cuModuleGetFunction)(&function, module, name));
	return function;
}

bool cu_wanted(const char *name)
{
	const char *skip = getenv("PLENUM_TEST_SKIP");
	size_t length = strlen(name);

	for (const char *at = skip; at && (at = strstr(at, name)); at += length)
		if ((at == skip || at[-1] == ',') && (!at[length] || at[length] == ',')) {
			printf("skipped %s\n", name);
			fflush(stdout);
			return false;
		}
	printf("%s\n", name);
	fflush(stdout);
	return true;
}

int cu_child(void (*fn)(void *arg), void *arg)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		fn(arg);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void forbid_userfaultfd(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(rules) / sizeof(rules[0]), rules };

	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

CUcontext cu_begin_mirrored(int argc, char **argv, CUdevice_attribute attribute, void (*refused)(bool has))
{
	bool forbidden = argc > 1 && !strcmp(argv[1], "forbidden");
	CUcontext context;
	int has = 0;

	if (forbidden)
		forbid_userfaultfd();
	context = cu_begin();
	cu_ok(cu(cuDeviceGetAttribute)(&has, attribute, 0));
	if (forbidden) {
		refused(has);
		exit(0);
	}
	if (!has) {
		fprintf(stderr, "SKIP: the device has no such memory, or the kernel no userfaultfd for it\n");
		exit(CU_SKIP);
	}
	return context;
}
