/*
 * Shared virtual memory.  The driver allocates; the pages that lie wholly inside its allocation are given to the client
 * at the same address: as memory that both map (the arena), or as a copy that maps and unmaps keep in step.
 */
#ifndef PL_BACKEND_OPENCL_SVM_H
#define PL_BACKEND_OPENCL_SVM_H

#include "backend/opencl/session.h"

struct pl_cl_svm_block {
	_Atomic uint32_t refs; /* the list, commands that will free it, calls that send from it */
	struct pl_cl_svm_block *next;
	cl_context context;      /* retained */
	void *base;              /* what the driver gave */
	uint64_t address, bytes; /* what the client has; bytes is a multiple of a page */
	uint64_t driver_bytes;	 /* of the driver's allocation */
	uint64_t charged_bytes;	 /* what the client asked for */
	bool shared;		 /* its pages are the arena's */
};

/* The range lies in one allocation.  Any time. */
bool pl_cl_svm_holds(struct pl_cl_session *session, uint64_t address, uint64_t bytes);
/* The block around the range, referenced; NULL = none. */
struct pl_cl_svm_block *pl_cl_svm_ref(struct pl_cl_session *session, uint64_t address, uint64_t bytes);
void pl_cl_svm_unref(struct pl_cl_session *session, struct pl_cl_svm_block *block); /* NULL is fine */
/* Tells the client of all clEnqueueSVMFree commands that have come so far. */
void pl_cl_svm_settle(struct pl_cl_session *session);

#endif
