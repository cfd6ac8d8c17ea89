/* Who knows that a command has ended is not told that one which it waited for goes on: queues in order and out of
 * order, an end that is waited for, asked for, called back or comes with a blocking read. */
#include "ocl.h"

#include <stdatomic.h>

#define TURNS 400

static const char *const source =
	"kernel void work(global int *a, int n) { int x = a[0]; for (int i = 0; i < n; i++) x = x * 3 + i; a[0] = x; }";

static struct {
	cl_event first;
	atomic_int done, status;
} called;

static cl_int status_of(cl_event event)
{
	cl_int status;

	CK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	return status;
}

static void CL_CALLBACK heard(cl_event event, cl_int status, void *arg)
{
	(void)event;
	(void)status;
	(void)arg;
	called.status = status_of(called.first);
	called.done = 1;
}

/* How the end of `second` is learnt.  Return: what `first`, for which it waited, is said to be then. */
static cl_int learn(int way, cl_command_queue queue, cl_mem mem, cl_event first, cl_event second)
{
	int got;

	switch (way) {
	case 0:
		CK(clWaitForEvents(1, &second));
		break;
	case 1:
		while (status_of(second) != CL_COMPLETE)
			status_of(first);
		break;
	case 2:
		CK(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, sizeof(got), &got, 1, &second, NULL));
		break;
	case 3:
		CK(clFinish(queue));
		break;
	default:
		called.first = first;
		called.done = 0;
		CK(clSetEventCallback(second, CL_COMPLETE, heard, NULL));
		CK(clFlush(queue));
		while (!called.done)
			;
		return called.status;
	}
	return status_of(first);
}

static void ways(struct ocl *o, const char *name, cl_command_queue one, cl_command_queue two)
{
	static const char *const names[] = { "waited for", "asked for", "read behind", "finished", "called back" };
	cl_program program = ocl_build(o, source, "");
	cl_kernel kernel = ocl_kernel(program, "work");
	cl_mem mems[] = { ocl_buffer(o, CL_MEM_READ_WRITE, 4, NULL), ocl_buffer(o, CL_MEM_READ_WRITE, 4, NULL) };
	size_t size = 1;

	for (int way = 0; way < 5; way++) {
		int wrong = 0;

		for (int i = 0; i < TURNS; i++) {
			cl_event first, second;
			cl_int n = i % 4 * 5000;

			CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
			CK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &mems[0]));
			CK(clEnqueueNDRangeKernel(one, kernel, 1, NULL, &size, NULL, 0, NULL, &first));
			CK(clSetKernelArg(kernel, 0, sizeof(cl_mem), &mems[1]));
			CK(clEnqueueNDRangeKernel(two, kernel, 1, NULL, &size, NULL, 1, &first, &second));
			CK(clFlush(one));
			if (i & 1)
				status_of(first);
			wrong += learn(way, two, mems[1], first, second) != CL_COMPLETE;
			CK(clReleaseEvent(first));
			CK(clReleaseEvent(second));
		}
		printf("%s, %s: %d wrong\n", name, names[way], wrong);
	}
	for (int i = 0; i < 2; i++)
		CK(clReleaseMemObject(mems[i]));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
}

int main(void)
{
	struct ocl in_order = ocl_open(0), free_order = ocl_open(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	cl_int code;
	cl_command_queue other = clCreateCommandQueueWithProperties(in_order.context, in_order.device, NULL, &code);

	CK(code);
	ways(&in_order, "two queues", in_order.queue, other);
	ways(&in_order, "one queue", in_order.queue, in_order.queue);
	ways(&free_order, "out of order", free_order.queue, free_order.queue);
	CK(clReleaseCommandQueue(other));
	ocl_close(&free_order);
	ocl_close(&in_order);
	return 0;
}
