/* A queue that is released goes on with what it has: memory of such commands is not another buffer's before they end.
 */
#include "ocl.h"

#include <time.h>

#define TURNS 20
#define INTS  4096

static const char *const source = "kernel void work(global int *a, int n) { int i = get_global_id(0), x = a[i];"
				  " for (int k = 0; k < n; k++) x = x * 3 + k; a[i] = x | 1; }";

static cl_command_queue queue_new(struct ocl *o, cl_command_queue_properties properties)
{
	cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, properties, 0 };
	cl_int code;
	cl_command_queue queue = clCreateCommandQueueWithProperties(o->context, o->device, list, &code);

	CK(code);
	return queue;
}

/* Everything that it has is given up while it works. */
static void leave(struct ocl *o, cl_kernel kernel, cl_command_queue_properties properties)
{
	static const int n = 10000;
	static int ones[INTS];
	cl_command_queue queue = queue_new(o, properties);
	cl_mem mem = ocl_buffer(o, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof(ones), ones);
	size_t size = INTS;

	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &size, NULL, 0, NULL, NULL));
	CK(clReleaseMemObject(mem));
	CK(clReleaseCommandQueue(queue));
}

/* A buffer of zeroes stays one.  Return: whether it did not. */
static int others(struct ocl *o, cl_kernel kernel)
{
	static int zeroes[INTS], got[INTS];
	static const struct timespec pause = { .tv_nsec = 1000000 };
	static const int n = 1;
	size_t size = 1;
	cl_mem one = ocl_buffer(o, CL_MEM_READ_WRITE, sizeof(int), NULL), mem;
	int wrong = 0;

	CK(clSetKernelArg(kernel, 0, sizeof(one), &one));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &size, NULL, 0, NULL, NULL));
	CK(clFinish(o->queue));
	mem = ocl_buffer(o, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof(zeroes), zeroes);
	for (int i = 0; i < 40; i++) {
		nanosleep(&pause, NULL);
		CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
		wrong |= memcmp(got, zeroes, sizeof(got)) != 0;
	}
	CK(clReleaseMemObject(mem));
	CK(clReleaseMemObject(one));
	return wrong;
}

int main(void)
{
	static const cl_command_queue_properties kinds[] = { 0, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE };
	struct ocl o = ocl_open(0);
	cl_program program = ocl_build(&o, source, "");
	cl_kernel kernel = ocl_kernel(program, "work");

	for (int kind = 0; kind < 2; kind++) {
		int wrong = 0;

		for (int i = 0; i < TURNS; i++) {
			leave(&o, kernel, kinds[kind]);
			wrong += others(&o, kernel);
		}
		printf("%s: %d wrong\n", kind ? "out of order" : "in order", wrong);
	}
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
	ocl_close(&o);
	return 0;
}
