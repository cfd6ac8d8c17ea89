/*
 * Modules, libraries, and their functions, as the client knows them.  A table of functions comes with a module, and
 * with a library when it is first looked into; what launching one takes (its facts) comes along, or when it is first
 * needed.
 */
#ifndef PL_CLIENT_CUDA_MODULE_H
#define PL_CLIENT_CUDA_MODULE_H

#include "client/cuda/state.h"

#define PL_CUDA_SHAPES 8u /* launches of a function that the driver has taken, remembered */

struct pl_cuda_shape {
	uint32_t block[3], shared_bytes;
	uint64_t more; /* what else it depends on, mixed: launch.c; 0 = nothing */
};

struct pl_cuda_facts {
	_Atomic(struct pl_cuda_facts *) next; /* a kernel's, of another device */
	CUdevice device;                      /* a kernel's: that they are of; CU_DEVICE_INVALID: not known */
	uint32_t params, args_bytes;          /* the packed arguments */
	bool knows_params, has_gaps;          /* gaps: bytes that belong to no parameter */
	uint32_t has;
	int32_t attribute[PL_CUDA_FUNCTION_ATTRIBUTES];
	struct pl_cuda_param_facts param[];
};

struct pl_cuda_function { /* also a kernel of a library */
	struct pl_cuda_object object;
	struct pl_cuda_object *owner;          /* its module or library; NULL for one that cuKernelGetFunction() gave */
	struct pl_cuda_function *kernel;       /* for such a one */
	const char *name;                      /* its owner's */
	_Atomic(struct pl_cuda_facts *) facts; /* NULL: not known yet; the first of several devices' */
	struct pl_cuda_shape shape[PL_CUDA_SHAPES]; /* racing writers may lose one, which costs a question */
	uint32_t shapes_next;
	struct pl_cuda_function *made, *next; /* of a kernel: its functions, one a context; under owner's lock */
	_Atomic bool differs;                 /* of a kernel: one of its functions was set by itself */
	struct pl_cuda_launch_state *legacy;  /* cuFuncSetBlockShape() and the like */
};

struct pl_cuda_members { /* functions of a module, kernels of a library */
	uint64_t *words; /* the table as it came; names point into it */
	uint32_t count;
	struct pl_cuda_function **function; /* in the driver's order; made when they are asked for */
	const char **name;
	const uint64_t **facts; /* in the table: a length in front; NULL: none */
	uint32_t *sorted;       /* by name */
};

struct pl_cuda_library;
struct pl_cuda_reference;
struct pl_cuda_module {
	struct pl_cuda_object object;
	pthread_mutex_t lock;
	struct pl_cuda_members members;  /* under lock: function[] */
	struct pl_cuda_library *library; /* whose it is in its context, and whose list it is in; NULL: it was loaded */
	struct pl_cuda_module *next;     /* of the same library, under the library's lock */
	bool asked;                      /* of a library's: its functions, when they are first needed; under lock */
	CUresult result;                 /* of asking */
	struct pl_cuda_reference *references; /* those that were asked for; under lock */
};

struct pl_cuda_reference { /* to a texture or a surface */
	struct pl_cuda_object object;
	struct pl_cuda_module *module; /* it goes with that; NULL: the program made it */
	struct pl_cuda_reference *next;
	char *name;
};

struct pl_cuda_library {
	struct pl_cuda_object object;
	pthread_mutex_t lock;
	bool asked;
	CUresult result; /* of asking; under lock */
	uint64_t on;     /* a bit for each session that has it; its kernels, too, under the same ids */
	struct pl_cuda_members members;
	struct pl_cuda_module *modules; /* one a context */
};

void pl_cuda_module_fini(struct pl_cuda_module *module);
void pl_cuda_library_fini(struct pl_cuda_library *library);
void pl_cuda_library_leave(struct pl_cuda_module *module); /* one that is no library's, too */
void pl_cuda_function_fini(struct pl_cuda_function *function);
void pl_cuda_reference_fini(struct pl_cuda_reference *reference);
void pl_cuda_references_forget(struct pl_cuda_module *module);

/* Takes the table off a reply: `bytes` of bulk.  Return: success, or CUDA_ERROR_UNKNOWN for what is none. */
CUresult pl_cuda_members_take(struct pl_cuda_members *members, struct pl_reply *reply, uint64_t bytes);
void pl_cuda_members_fini(struct pl_cuda_members *members);
/* The place of a name; UINT32_MAX = none. */
uint32_t pl_cuda_members_find(const struct pl_cuda_members *members, const char *name);
/* The function at a place, made where it is new; NULL: no memory.  Called with the owner's lock held. */
struct pl_cuda_function *pl_cuda_members_get(struct pl_cuda_members *members, struct pl_cuda_object *owner, uint32_t at,
					     enum pl_cuda_object_kind kind, struct pl_cuda_context *context);

/* Whose members they are; the lock is the owner's, not held. */
struct pl_cuda_owner {
	struct pl_cuda_members *members;
	pthread_mutex_t *lock;
	struct pl_cuda_object *object;
	enum pl_cuda_object_kind kind;   /* of its members */
	struct pl_cuda_context *context; /* theirs; NULL = none */
};
/* The function at a place.  Return: success or CUDA_ERROR_OUT_OF_MEMORY. */
CUresult pl_cuda_members_at(const struct pl_cuda_owner *owner, uint32_t at, struct pl_cuda_function **function_out);
/* The one with this name.  Return: also CUDA_ERROR_NOT_FOUND. */
CUresult pl_cuda_members_named(const struct pl_cuda_owner *owner, const char *name,
			       struct pl_cuda_function **function_out);

/* From a server's bytes.  NULL: no memory, or they are none. */
struct pl_cuda_facts *pl_cuda_facts_make(const void *data, uint64_t bytes);

/* A library, or one of its kernels. */
bool pl_cuda_library_is_on(const struct pl_cuda_object *object, const struct pl_session *session);

static inline int pl_cuda_facts_attribute(const struct pl_cuda_facts *facts, CUfunction_attribute attribute)
{
	return __atomic_load_n(&facts->attribute[attribute], __ATOMIC_RELAXED);
}

/* A CUfunction, or a CUkernel in its place; NULL: neither. */
struct pl_cuda_function *pl_cuda_function_of(const void *handle);
/* Launches of it are asked about again. */
void pl_cuda_shapes_forget(struct pl_cuda_function *function);
/* Its facts on a device, asked for where they are not known.  Borrowed for as long as it lives. */
CUresult pl_cuda_facts_of(struct pl_cuda_function *function, CUdevice device, const struct pl_cuda_facts **facts_out);
CUresult pl_cuda_facts_learn(struct pl_cuda_function *function, const struct pl_cuda_facts **facts_out);
/* On any device: a kernel's attributes may be another one's, its parameters are the same on all. */
static inline CUresult pl_cuda_facts_get(struct pl_cuda_function *function, const struct pl_cuda_facts **facts_out)
{
	const struct pl_cuda_facts *facts = atomic_load_explicit(&function->facts, memory_order_acquire);

	if (__builtin_expect(!facts, 0))
		return pl_cuda_facts_learn(function, facts_out);
	*facts_out = facts;
	return CUDA_SUCCESS;
}

#endif
