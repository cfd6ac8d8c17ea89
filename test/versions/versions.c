/* versions: what must work with a server of another release, and what it says of each function that may not. */
#include "../opencl/ocl.h"

#include <pthread.h>

#define COUNT 1000u

static const char source[] = "kernel void twice(global int *a) { a[get_global_id(0)] *= 2; }";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t called = PTHREAD_COND_INITIALIZER;
static int calls;

static void CL_CALLBACK ended(cl_event event, cl_int status, void *data)
{
	(void)event;
	(void)data;
	pthread_mutex_lock(&lock);
	calls += status == CL_COMPLETE;
	pthread_cond_signal(&called);
	pthread_mutex_unlock(&lock);
}

/* Fill, launch with a callback, wait for the callback and then by asking the event, read. */
static void work(struct ocl *o, cl_mem mem)
{
	cl_program program = ocl_build(o, source, "");
	cl_kernel kernel = ocl_kernel(program, "twice");
	size_t global = COUNT, bytes = 0;
	int pattern = 21, got[COUNT], good = 0;
	cl_int status = CL_QUEUED;
	cl_event event;

	CK(clEnqueueFillBuffer(o->queue, mem, &pattern, sizeof(pattern), 0, sizeof(got), 0, NULL, NULL));
	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &global, NULL, 0, NULL, &event));
	CK(clSetEventCallback(event, CL_COMPLETE, ended, NULL));
	CK(clFlush(o->queue));
	pthread_mutex_lock(&lock);
	while (!calls)
		pthread_cond_wait(&called, &lock);
	pthread_mutex_unlock(&lock);
	while (status != CL_COMPLETE)
		CK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	CK(clEnqueueReadBuffer(o->queue, mem, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (unsigned i = 0; i < COUNT; i++)
		good += got[i] == 42;
	CK(clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof(bytes), &bytes, NULL));
	printf("work: %d of %u, %zu bytes\n", good, COUNT, bytes);
	CK(clReleaseEvent(event));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
}

int main(void)
{
	struct ocl o = ocl_open(0);
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE, COUNT * sizeof(int), NULL);
	cl_int code;
	cl_sampler sampler;
	cl_event event = NULL;

	for (int i = 0; i < 2; i++)
		printf("migrate: %d\n", clEnqueueMigrateMemObjects(o.queue, 1, &mem, 0, 0, NULL, NULL));
	code = clEnqueueMigrateMemObjects(o.queue, 1, &mem, 0, 0, NULL, &event);
	printf("migrate with an event: %d, %s\n", code, event ? "event" : "no event");
	if (event)
		CK(clReleaseEvent(event));
	sampler = clCreateSampler(o.context, CL_TRUE, CL_ADDRESS_CLAMP, CL_FILTER_LINEAR, &code);
	printf("sampler: %d\n", sampler ? CL_SUCCESS : code);
	code = sampler ? clReleaseSampler(sampler) : CL_SUCCESS;
	work(&o, mem);
	CK(clReleaseMemObject(mem));
	ocl_close(&o);
	return code;
}
