/* Platforms, devices, contexts. */
#ifndef PL_BACKEND_OPENCL_CONTEXT_H
#define PL_BACKEND_OPENCL_CONTEXT_H

#include "backend/opencl/session.h"

/* Finds the driver's platforms and root devices.  Return: 0 or fatal. */
int pl_cl_host_init(struct pl_cl_host *host);
/* Tries what sessions will ask for, so that they need not wait for it. */
void pl_cl_host_try(const struct pl_cl_host *host);
/* Enters platforms and devices, with the ids that every session of this server has for them.  Return: 0 or fatal. */
int pl_cl_host_enter(struct pl_cl_session *session);

/* Whether the devices of the context use host memory in place: tried once.  Under the turn. */
bool pl_cl_context_direct(struct pl_cl_context_note *note, cl_context context);

/* Devices of a context.  Return: count; 0 = the driver gives none.  *devices_out is free()d by the caller. */
uint32_t pl_cl_context_devices(cl_context context, cl_device_id **devices_out);

/* The root device that a device is part of; itself mostly.  Any time. */
cl_device_id pl_cl_device_root(cl_device_id device);
/* store.c: the trial itself. */
bool pl_cl_store_direct(const cl_device_id *devices, uint32_t count);

#endif
