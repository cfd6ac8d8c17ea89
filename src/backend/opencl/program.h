/* Programs. */
#ifndef PL_BACKEND_OPENCL_PROGRAM_H
#define PL_BACKEND_OPENCL_PROGRAM_H

#include "backend/opencl/session.h"

/* Enters a program; host_bytes of PL_QUOTA_HOST are returned with it.  Under the turn or not.
 * Return: CL_SUCCESS or the code to answer with (the program is released then, the charge is not returned). */
int32_t pl_cl_program_enter(struct pl_serve *serve, uint64_t id, cl_program program, uint64_t host_bytes,
			    bool hides_params);

/*
 * What a kernel's parameters are some drivers say only of programs built with this option.  Sources are built with it
 * where the driver takes it, so that a value is never taken for a handle; the program is told nothing of it.
 */
#define PL_CL_PARAMS_OPTION "-cl-kernel-arg-info"

/* Whether all devices of the context know PL_CL_PARAMS_OPTION.  Any time. */
bool pl_cl_params_take_option(cl_context context);
/* Whether the driver describes parameters without it, too.  The first time for a device it compiles.  Any time. */
bool pl_cl_params_described(cl_kernel kernel);

/* pl_cl_program_note.hides_params of a program; false for an id that is none.  Under the turn. */
bool pl_cl_program_hides(struct pl_cl_session *session, uint64_t id);

/* The note's options, strip and hides_params where the turn is not held; before it is freed, too. */
extern pthread_mutex_t pl_cl_programs_lock;

#endif
