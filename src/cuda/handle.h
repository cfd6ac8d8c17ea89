/*
 * Handles: what the application holds is a number, dressed as a pointer, of which this table knows the object and its
 * type.  A number comes back into use only after 65535 others of its slot, so that a handle that was freed is known as
 * such.  Any thread; a lookup takes no lock.  Each library that exports the driver API has a table of its own.
 *
 * A lookup gives the object without a reference.  A library that keeps an object for the calls that use it has each
 * call begin and end here: what one has held is released at its end, and what was retired meanwhile is freed then.
 */
#ifndef PL_CUDA_HANDLE_H
#define PL_CUDA_HANDLE_H

#include <stdbool.h>
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

/* A call of the API by this thread.  Calls nest; each end gives the mark of its begin. */
uint32_t pl_cuda_call_begin(void);
void pl_cuda_call_end(uint32_t mark);

/* As find, and the object stays until the call ends.  Outside of a call it is find. */
void *pl_cuda_handle_hold(uint64_t handle, unsigned int type);

/* Destroys the handle; free_object(object) when no call holds it, which may be at once, or in another thread.
 * Return: false = it was none any more: another thread has destroyed it. */
bool pl_cuda_handle_retire(uint64_t handle, void (*free_object)(void *object));

#define pl_cuda_handle_held(pointer, type) pl_cuda_handle_hold((uint64_t)(uintptr_t)(pointer), (type))
#define pl_cuda_handle_of(pointer, type)   pl_cuda_handle_find((uint64_t)(uintptr_t)(pointer), (type))

#endif
