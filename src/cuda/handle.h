/*
 * Handles: what the application holds is a number, dressed as a pointer, of which this table knows the object and its
 * type.  A number comes back into use only after 65535 others of its slot, so that a handle that was freed is known as
 * such.  Any thread; a lookup takes no lock.  Each library that exports the driver API has a table of its own.
 *
 * A lookup gives the object without a reference: who destroys an object while another thread uses it has to keep it
 * until that cannot be (CUDA leaves it to the application).
 */
#ifndef PL_CUDA_HANDLE_H
#define PL_CUDA_HANDLE_H

#include <stdint.h>

#define PL_CUDA_HANDLES_MAX (16u << 20) /* at a time, all types together */
#define PL_CUDA_HANDLE_BITS 48          /* a handle is smaller than 1 << that, and larger than any small number */
#define PL_CUDA_HANDLE_FREE 0u          /* no type */

/* type: 1 to 65535.  Return: the handle, or 0 where memory or numbers are used up. */
uint64_t pl_cuda_handle_create(unsigned int type, void *object);
void pl_cuda_handle_destroy(uint64_t handle); /* 0 is fine; a handle that is none changes nothing */

/* NULL = no handle, not of this type, or freed. */
void *pl_cuda_handle_find(uint64_t handle, unsigned int type);

/* The type that a handle has now; PL_CUDA_HANDLE_FREE = none. */
unsigned int pl_cuda_handle_type(uint64_t handle);

#define pl_cuda_handle_of(pointer, type) pl_cuda_handle_find((uint64_t)(uintptr_t)(pointer), (type))

#endif
