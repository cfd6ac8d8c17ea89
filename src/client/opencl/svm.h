/* What the commands on shared virtual memory need of its areas.  All but pl_cl_svm_none() take the context's lock. */
#ifndef PL_CL_SVM_H
#define PL_CL_SVM_H

#include "client/opencl/move.h"

/* Of a map that is not unmapped yet. */
struct pl_cl_svm_mapping {
	struct pl_cl_svm_mapping *next;
	const void *ptr;
	size_t size;
	cl_map_flags flags;
};

/* CL_INVALID_OPERATION for devices without any, else CL_SUCCESS. */
cl_int pl_cl_svm_none(const struct pl_cl_queue *queue);
enum pl_cl_svm_how pl_cl_svm_how_of(struct pl_cl_context *context, const void *ptr, size_t size);
/* Return: false = no memory. */
bool pl_cl_svm_mapping_add(struct pl_cl_context *context, const void *ptr, size_t size, cl_map_flags flags);
/* The latest that begins there, to be free()d; NULL = none. */
struct pl_cl_svm_mapping *pl_cl_svm_mapping_take(struct pl_cl_context *context, const void *ptr);

#endif
