/*
 * What kernels print.  Drivers write it to the process's standard output: the worker's is a pipe, which a thread
 * empties onto the reverse lane.
 */
#ifndef PL_BACKEND_OPENCL_PRINT_H
#define PL_BACKEND_OPENCL_PRINT_H

#include "backend/opencl/session.h"

/* Puts the pipe in the place of fd 1.  Return: 0, or fatal. */
int pl_cl_print_start(struct pl_cl_session *session);
/* A program of this source may print; NULL = its source is not known. */
void pl_cl_print_expect(struct pl_cl_session *session, const char *source, uint64_t bytes);
/* Everything printed so far is on the reverse lane afterwards.  Any thread, not under the turn; may block. */
void pl_cl_print_flush(struct pl_cl_session *session);

#endif
