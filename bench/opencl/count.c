/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steady loops for counters.  Two runs with N and 2N iterations differ by N
 * iterations and nothing else, so everything outside the loop cancels out.
 */
#include "worker.h"

#include <stdio.h>
#include <string.h>

static const size_t one = 1;

/* One turn of what real programs do most: arguments, launch, ask how far it is. */
static cl_int turn_loop(struct pl_worker *w, cl_int i)
{
	cl_event event;
	cl_int status, e;

	e = clSetKernelArg(w->kernel_add, 0, sizeof(w->small), &w->small);
	if (!e)
		e = clSetKernelArg(w->kernel_add, 1, sizeof(i), &i);
	if (e)
		return e;
	e = clEnqueueNDRangeKernel(w->queue, w->kernel_add, 1, NULL, &one, &one, 0, NULL, &event);
	if (e)
		return e;
	e = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL);
	if (e)
		return e;
	return clReleaseEvent(event);
}

static cl_int turn_read(struct pl_worker *w, cl_int i)
{
	cl_int got;

	(void)i;
	return clEnqueueReadBuffer(
		w->queue, w->small, CL_TRUE, 0, sizeof(got), &got, 0, NULL, NULL);
}

static cl_int turn_post(struct pl_worker *w, cl_int i)
{
	(void)i;
	return clEnqueueNDRangeKernel(w->queue, w->kernel_null, 1, NULL, &one, &one, 0, NULL, NULL);
}

static cl_int turn_launch(struct pl_worker *w, cl_int i)
{
	cl_int e = turn_post(w, i);

	return e ? e : clFinish(w->queue);
}

/* Behind a launch of which nobody hears otherwise: whether clFinish() has to ask does not depend on what the client has
 * heard by then. */
static cl_int finish(struct pl_worker *w)
{
	cl_int e = turn_post(w, 0);

	return e ? e : clFinish(w->queue);
}

int pl_worker_count(struct pl_worker *w, const char *name, unsigned n)
{
	cl_int (*turn)(struct pl_worker * w, cl_int i) = NULL;
	cl_int e = CL_SUCCESS;

	if (!strcmp(name, "loop"))
		turn = turn_loop;
	else if (!strcmp(name, "read"))
		turn = turn_read;
	else if (!strcmp(name, "post"))
		turn = turn_post;
	else if (!strcmp(name, "launch"))
		turn = turn_launch;
	if (!turn) {
		snprintf(w->error, sizeof(w->error), "unknown loop: %.100s", name);
		return -1;
	}
	if (pl_worker_open(w))
		return -1;
	for (cl_int i = 0; i < 8 && !e; i++) /* the driver's own first times */
		e = turn(w, i);
	if (!e)
		e = finish(w);
	for (unsigned i = 0; i < n && !e; i++)
		e = turn(w, (cl_int)i);
	if (!e)
		e = finish(w);
	if (e)
		return pl_worker_fail(w, name, e);
	pl_worker_close(w);
	return 0;
}
