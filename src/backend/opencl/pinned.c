#include "backend/opencl/pinned.h"

#include <pthread.h>

#include "backend/opencl/transfer.h"
#include "base/cleanup.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_cl_pinned kept; /* under lock */

static void let_go(struct pl_cl_pinned *pinned)
{
	if (pinned->mem)
		pl_cl.clReleaseMemObject(pinned->mem); /* mapped to the end: the mapping goes with it */
	*pinned = (struct pl_cl_pinned){ .at = NULL };
}

static struct pl_cl_pinned kept_take(void)
{
	struct pl_cl_pinned pinned;

	pthread_mutex_lock(&lock);
	pinned = kept;
	kept = (struct pl_cl_pinned){ .at = NULL };
	pthread_mutex_unlock(&lock);
	return pinned;
}

/* Does the queue's device copy by itself? */
static bool copies_itself(cl_command_queue queue, cl_context *context_out)
{
	cl_device_type type = 0;
	cl_device_id device = NULL;

	return !pl_cl.clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof(device), &device, NULL) &&
	       !pl_cl.clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) &&
	       !(type & CL_DEVICE_TYPE_CPU) &&
	       !pl_cl.clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof(*context_out), context_out, NULL);
}

bool pl_cl_pinned_take(cl_command_queue queue, struct pl_cl_pinned *pinned_out)
{
	const size_t bytes = PL_CL_BLOCKS * PL_CL_BLOCK_BYTES;
	struct pl_cl_pinned pinned;
	cl_context context = NULL;
	cl_int status = CL_SUCCESS;

	if (!copies_itself(queue, &context))
		return false;
	pinned = kept_take();
	if (!pinned.at || pinned.context != context) {
		let_go(&pinned);
		pinned.mem =
			pl_cl.clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &status);
		if (status)
			return false;
		pinned.context = context;
		pinned.at = pl_cl.clEnqueueMapBuffer(queue, pinned.mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes,
						     0, NULL, NULL, &status);
		if (status || !pinned.at) {
			let_go(&pinned);
			return false;
		}
	}
	*pinned_out = pinned;
	return true;
}

void pl_cl_pinned_give(struct pl_cl_pinned *pinned)
{
	struct pl_cl_pinned spare = { .at = NULL };

	pthread_mutex_lock(&lock);
	spare = kept;
	kept = *pinned;
	pthread_mutex_unlock(&lock);
	let_go(&spare);
}

void pl_cl_pinned_forget(cl_context context)
{
	struct pl_cl_pinned pinned = kept_take();

	if (pinned.context == context)
		let_go(&pinned);
	else if (pinned.at)
		pl_cl_pinned_give(&pinned);
}
