/*
 * Handles: what the application holds is a number, dressed as a pointer, of which this table knows the object and its
 * type.  A number comes back into use only after 65535 others of its slot, so that a handle that was freed is known as
 * such.  Any thread; a lookup takes no lock.
 *
 * A lookup gives the object without a reference: who destroys an object while another thread uses it has to keep it
 * until that cannot be (CUDA leaves it to the application; objects here are kept until their stream's work is done).
 */
#ifndef PL_REFGPU_DRIVER_HANDLE_H
#define PL_REFGPU_DRIVER_HANDLE_H

#include <stdint.h>

#define PL_CU_HANDLES_MAX (16u << 20) /* at a time, all types together */

enum pl_cu_type {
	PL_CU_FREE,
	PL_CU_CTX,
	PL_CU_GREEN_CTX,
	PL_CU_MODULE,
	PL_CU_FUNC,
	PL_CU_LIBRARY,
	PL_CU_KERNEL,
	PL_CU_LINK,
	PL_CU_STREAM,
	PL_CU_EVENT,
	PL_CU_ARRAY,
	PL_CU_MIPMAP,
	PL_CU_TEXREF,
	PL_CU_SURFREF,
	PL_CU_POOL,
	PL_CU_PHYSICAL, /* cuMemCreate() */
	PL_CU_TEXTURE,
	PL_CU_SURFACE,
	PL_CU_GRAPH,
	PL_CU_GRAPH_NODE,
	PL_CU_GRAPH_EXEC,
	PL_CU_USER_OBJECT,
	PL_CU_DEV_RESOURCE,
};

/* Return: the handle, or 0 where memory or numbers are used up. */
uint64_t pl_cu_handle_create(enum pl_cu_type type, void *object);
void pl_cu_handle_destroy(uint64_t handle); /* 0 is fine; a handle that is none changes nothing */

/* NULL = no handle, not of this type, or freed. */
void *pl_cu_handle_find(uint64_t handle, enum pl_cu_type type);

/* The type that a handle has now; PL_CU_FREE = none. */
enum pl_cu_type pl_cu_handle_type(uint64_t handle);

#define pl_cu_handle_of(pointer, type) pl_cu_handle_find((uint64_t)(uintptr_t)(pointer), (type))

#endif
