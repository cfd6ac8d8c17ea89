/*
 * What a runtime keeps by context (a private table of cuGetExportTable(), export.c).  A library that links export.c
 * has a list in each context, and ends it with the context.
 */
#ifndef PL_CUDA_STORAGE_H
#define PL_CUDA_STORAGE_H

#include <pthread.h>

#include "cuda/base.h"

struct pl_cuda_storage;

struct pl_cuda_storages {
	pthread_mutex_t lock;
	struct pl_cuda_storage *first; /* under lock */
};

/* By the library: the list of a context, of the current one for NULL.  NULL: there is none. */
struct pl_cuda_storages *pl_cuda_storages_of(CUcontext context);

void pl_cuda_storages_init(struct pl_cuda_storages *storages);
/* Tells the owner of each, then frees them; the context's handle is still good. */
void pl_cuda_storages_fini(struct pl_cuda_storages *storages, CUcontext context);

#endif
