/* Arrays, and arrays in levels with their levels.  Any thread may call these. */
#ifndef PL_CLIENT_CUDA_MIPMAP_H
#define PL_CLIENT_CUDA_MIPMAP_H

#include "client/cuda/state.h"

struct pl_cuda_mipmap;

struct pl_cuda_array {
	struct pl_cuda_object object;
	struct pl_cuda_mipmap *mipmap;    /* that it is a level of; NULL: of none */
	struct pl_cuda_array *next_level; /* of the same, under mipmap.c's lock */
	unsigned int level;
};

struct pl_cuda_mipmap {
	struct pl_cuda_object object;
	struct pl_cuda_array *levels; /* that were asked for, under mipmap.c's lock */
};

/* It ends: a level is none any more; levels end with what they are of. */
void pl_cuda_array_fini(struct pl_cuda_array *array);
void pl_cuda_mipmap_fini(struct pl_cuda_mipmap *mipmap);

#endif
