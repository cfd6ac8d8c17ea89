/*
 * CL_MEM_USE_HOST_PTR without copies: while the buffer lives, the whole pages inside the application's range *are* the
 * arena pages that the device uses.  What lies on pages at the edges, which are not all the application's to share, is
 * still copied at map and unmap.  See docs/adr/0009-host-memory.md.
 */
#ifndef PL_CL_ADOPT_H
#define PL_CL_ADOPT_H

#include "client/opencl/types.h"

#define PL_CL_ADOPT_BYTES_MIN (256u << 10) /* below, two copies cost less than two changes of the address space */
#define PL_CL_ADOPT_MAX       1024u        /* limit: ranges at one time; further buffers are copied */

/* How far behind a page's beginning a buffer's store has to begin, so that its pages can be the application's. */
size_t pl_cl_adopt_lead(const struct pl_cl_mem *mem);

/** pl_cl_adopt() - copy the contents of mem->host_ptr into mem->store, and make the application's pages that store
 * Only private, anonymous, writable memory that is not locked in place and not a stack.
 * Return: true: done, mem->adopted is set.  false: nothing has changed. */
bool pl_cl_adopt(struct pl_cl_mem *mem);

/** pl_cl_adopt_end() - the application's pages become private again, with the contents that they have
 * Only what is still mapped from the store is touched, wherever it lies now.  Idempotent.
 * Return: false: some could not be changed (no memory): the store must never be used again. */
bool pl_cl_adopt_end(struct pl_cl_mem *mem);

/* Bytes [offset, offset + bytes) of the buffer between the application's memory and the store: those that lie on pages
 * which are not shared; for a buffer that is not adopted all of them. */
void pl_cl_host_fill(struct pl_cl_mem *mem, size_t offset, size_t bytes);  /* the store to the application */
void pl_cl_host_drain(struct pl_cl_mem *mem, size_t offset, size_t bytes); /* the other way */
/* Return: none have to be copied. */
bool pl_cl_host_shared(const struct pl_cl_mem *mem, size_t offset, size_t bytes);

/* Bytes that were copied for buffers with CL_MEM_USE_HOST_PTR between application and store, creation and end included.
 */
uint64_t pl_cl_host_copied(void);

#endif
