/* What the parts of the stub driver share. */
#ifndef PL_TEST_FUZZ_STUB_H
#define PL_TEST_FUZZ_STUB_H

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/opencl/mem.h"
#include "fuzz.h"
#include "stub-driver.h"

#define PL_STUB_MAGIC      0x73747562u
#define PL_STUB_ARGS_COUNT 5u /* of every kernel: global memory, int, local memory, sampler, queue */

/* Each kind of object is one of these. */
struct stub {
	const void *dispatch; /* where real ones have their table */
	uint32_t magic;
	_Atomic uint32_t refs; /* the backend's pusher lets go of objects too */
	enum pl_cl_object_kind kind;
	struct stub *parent; /* retained: buffer of a sub-buffer, context of a program, program of a kernel */
	uint8_t *memory;     /* of a buffer or image */
	size_t bytes, dims[3], element;
	bool own; /* memory was allocated */
	void(CL_CALLBACK *gone)(cl_mem, void *);
	void *gone_data;
	/* events */
	_Atomic cl_int status;
	bool user;
	struct callback *callbacks;
};

extern struct stub pl_stub_platform, pl_stub_devices[2];
extern _Atomic unsigned pl_stub_living; /* objects, and blocks of shared virtual memory */

/* NULL is for the caller to answer; what is no object of this kind ends the program. */
struct stub *pl_stub_look(const void *handle, enum pl_cl_object_kind kind);
/* Never NULL; one below another holds it. */
void *pl_stub_new(enum pl_cl_object_kind kind, cl_int *status);
void *pl_stub_new_below(enum pl_cl_object_kind kind, const void *parent, cl_int *status);
void *pl_stub_refuse(cl_int *status, cl_int code);
/* All of a list are objects of a kind, or it ends at its 0: every word is read. */
void pl_stub_list_look(const void *handles, cl_uint count, enum pl_cl_object_kind kind);
void pl_stub_list_touch(const cl_context_properties *at);
/* Looks at what every command has, and runs it or queues it. */
cl_int pl_stub_command(cl_command_queue queue, cl_mem mem, cl_uint waits, const cl_event *list, cl_event *event_out,
		       void *to, const void *from, size_t bytes);
cl_int pl_stub_marker(cl_command_queue queue, cl_uint waits, const cl_event *list, cl_event *event);

/* Each part knows its functions of the driver's table. */
void pl_stub_fill_objects(struct pl_cl_driver *driver);
void pl_stub_fill_queries(struct pl_cl_driver *driver);
void pl_stub_fill_contexts(struct pl_cl_driver *driver);
void pl_stub_fill_memory(struct pl_cl_driver *driver);
void pl_stub_fill_programs(struct pl_cl_driver *driver);

#endif
