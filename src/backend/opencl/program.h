/* Programs. */
#ifndef PL_BACKEND_OPENCL_PROGRAM_H
#define PL_BACKEND_OPENCL_PROGRAM_H

#include "backend/opencl/session.h"

/* Enters a program; host_bytes of PL_QUOTA_HOST are returned with it.  Under the turn or not.
 * Return: CL_SUCCESS or the code to answer with (the program is released then, the charge is not returned). */
int32_t pl_cl_program_enter(struct pl_serve *serve, uint64_t id, cl_program program, uint64_t host_bytes);

#endif
