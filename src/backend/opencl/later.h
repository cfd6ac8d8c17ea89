/*
 * Answers that the driver's own thread gives.  A call that waits for the device can be answered from the driver's
 * completion callback: that saves waking the lane's thread only to let it wake the client (docs/adr/0010).  It is done
 * where the device computes in threads of this process and a trial has shown that its callbacks come by themselves.
 */
#ifndef PL_BACKEND_OPENCL_LATER_H
#define PL_BACKEND_OPENCL_LATER_H

#include "backend/opencl/session.h"

/* The device's commands end with a callback on a thread of the driver.  Tried once a device; any time. */
bool pl_cl_device_answers(cl_device_id device);

/** pl_cl_later() - answers the call at hand, an ask that has given its turn up, when the events have ended
 * @queue:  of the events, which answers; flushed here
 * @finish: where an event does not end well the call's code is clFinish()'s, else clWaitForEvents()'s
 * @events: 1 .. PL_CL_LATER_MAX; the caller keeps its references
 * Return: true: the handler is done; false: it has to wait itself. */
#define PL_CL_LATER_MAX 16u
bool pl_cl_later(struct pl_serve *serve, cl_command_queue queue, bool finish, const cl_event *events, uint32_t count);

#endif
