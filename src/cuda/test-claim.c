/* What a reference GPU claims: `test-claim STUB`, a shared library that may have any name. */
#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/claim.h"

static char folder[] = "/tmp/plenum-claim-XXXXXX";

static void library_open(const char *stub, const char *name)
{
	char path[128], data[4096];
	FILE *from = fopen(stub, "rb"), *to;
	size_t bytes;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	to = fopen(path, "wb");
	assert(from && to);
	while ((bytes = fread(data, 1, sizeof(data), from)))
		assert(fwrite(data, 1, bytes, to) == bytes);
	assert(!fclose(from) && !fclose(to));
	assert(dlopen(path, RTLD_NOW));
	unlink(path);
}

/* In a process of its own: it is asked once. */
static unsigned int claim_with(const char *stub, const char *name)
{
	pid_t child = fork();
	int status;

	assert(child >= 0);
	if (!child) {
		if (name)
			library_open(stub, name);
		_exit((int)pl_cuda_claim());
	}
	assert(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return (unsigned int)WEXITSTATUS(status);
}

static void test_libraries_that_know_devices_are_told_of_none_that_they_know(const char *stub)
{
	assert(claim_with(stub, "libcublas.so.13") == PL_CUDA_CLAIM_UNKNOWN);
	assert(claim_with(stub, "libcublasLt.so.12") == PL_CUDA_CLAIM_UNKNOWN);
	assert(claim_with(stub, "libcudnn.so.9") == PL_CUDA_CLAIM_UNKNOWN);
}

static void test_others_change_nothing(const char *stub)
{
	assert(claim_with(stub, NULL) == PL_CUDA_CLAIM);
	assert(claim_with(stub, "libcublasting.so") == PL_CUDA_CLAIM);
	assert(claim_with(stub, "mylibcublas.so") == PL_CUDA_CLAIM);
}

static void test_what_was_said_stays(const char *stub)
{
	assert(pl_cuda_claim() == PL_CUDA_CLAIM);
	library_open(stub, "libcublas.so.13");
	assert(pl_cuda_claim() == PL_CUDA_CLAIM);
}

int main(int argc, char **argv)
{
	assert(argc == 2 && mkdtemp(folder));
	test_libraries_that_know_devices_are_told_of_none_that_they_know(argv[1]);
	test_others_change_nothing(argv[1]);
	test_what_was_said_stays(argv[1]);
	rmdir(folder);
	return 0;
}
