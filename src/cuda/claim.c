#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "cuda/claim.h"

static const char *const libraries[] = { "libcublas.so", "libcublasLt.so", "libcudnn.so" };

static bool loaded;
static pthread_once_t looked = PTHREAD_ONCE_INIT;

static int library_look(struct dl_phdr_info *info, size_t bytes, void *unused)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;

	(void)bytes, (void)unused;
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		loaded |= !strncmp(name, libraries[i], strlen(libraries[i]));
	return loaded;
}

static void libraries_look(void)
{
	dl_iterate_phdr(library_look, NULL);
}

unsigned int pl_cuda_claim(void)
{
	pthread_once(&looked, libraries_look);
	return loaded ? PL_CUDA_CLAIM_UNKNOWN : PL_CUDA_CLAIM;
}
