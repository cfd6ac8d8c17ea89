/* Order and waiting over threads: a thread that waits never stops another; callbacks may call the API; what a read
 * brings is there exactly when the API says so; a forked child has a device of its own. */
#include "ocl.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static const char source[] =
	"kernel void add(global int *a, int n) { a[get_global_id(0)] += n; }\n"
	"kernel void say(int n) { if (get_global_id(0) == 0) printf(\"kernel says %d\\n\", n); }";

static struct ocl o;
static cl_program program;

/* ---- one thread waits for a user event that another sets ---- */

static void *wait_for(void *arg)
{
	cl_event *event = arg;
	CK(clWaitForEvents(1, event));
	return NULL;
}

static void a_waiting_thread_stops_nobody(void)
{
	cl_int code;
	cl_event gate = clCreateUserEvent(o.context, &code), gated;
	pthread_t thread;
	int value = 0, got = -1;
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 4, &value);
	cl_command_queue other = clCreateCommandQueueWithProperties(o.context, o.device, NULL, &code);
	cl_kernel kernel = ocl_kernel(program, "add");
	size_t global = 1;
	int n = 5;

	CK(code);
	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 1, &gate, &gated));
	CK(clFlush(o.queue));
	pthread_create(&thread, NULL, wait_for, &gated);
	usleep(20000); /* it waits now, most likely */
	CK(clEnqueueReadBuffer(other, mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
	printf("while another thread waits: %d\n", got);
	CK(clSetUserEventStatus(gate, CL_COMPLETE));
	pthread_join(thread, NULL);
	CK(clEnqueueReadBuffer(o.queue, mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
	printf("after the gate opened: %d\n", got);
	CK(clReleaseEvent(gate));
	CK(clReleaseEvent(gated));
	CK(clReleaseKernel(kernel));
	CK(clReleaseMemObject(mem));
	CK(clReleaseCommandQueue(other));
}

/* ---- calls of several threads keep their order ---- */

#define THREADS 6
#define ROUNDS  300

static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static cl_mem order_mem;
static cl_kernel order_kernel;
static int order_next = 1;

static void *append(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		size_t global = 1;
		/* The program's own lock makes the order; set-arg and launch of different threads must not mix. */
		pthread_mutex_lock(&order_lock);
		int n = order_next++;
		CK(clSetKernelArg(order_kernel, 1, sizeof(n), &n));
		CK(clEnqueueNDRangeKernel(o.queue, order_kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
		pthread_mutex_unlock(&order_lock);
	}
	return NULL;
}

static void calls_of_threads_keep_their_order(void)
{
	pthread_t threads[THREADS];
	int value = 0, got = 0, total = THREADS * ROUNDS;

	order_mem = ocl_buffer(&o, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 4, &value);
	order_kernel = ocl_kernel(program, "add");
	CK(clSetKernelArg(order_kernel, 0, sizeof(order_mem), &order_mem));
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, append, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CK(clEnqueueReadBuffer(o.queue, order_mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
	printf("sum of all launches: %s\n", got == total * (total + 1) / 2 ? "right" : "wrong");
	CK(clReleaseKernel(order_kernel));
	CK(clReleaseMemObject(order_mem));
}

/* ---- callbacks ---- */

static atomic_int called;
static cl_mem callback_mem;

static void CL_CALLBACK on_complete(cl_event event, cl_int status, void *data)
{
	cl_command_type type = 0;

	(void)data;
	clGetEventInfo(event, CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL); /* a callback may call the API */
	printf("callback: status %d, type %x\n", status, type);
	atomic_fetch_add(&called, 1);
}

static void CL_CALLBACK on_destroy(cl_mem mem, void *data)
{
	(void)mem;
	printf("destructor %s\n", (const char *)data);
	atomic_fetch_add(&called, 1);
}

static void wait_called(int count)
{
	for (int i = 0; i < 2000 && atomic_load(&called) < count; i++)
		usleep(5000);
	if (atomic_load(&called) < count)
		puts("a callback is missing");
}

static void callbacks_come(void)
{
	cl_event event;
	size_t global = 64;
	int n = 1, got[64];
	cl_kernel kernel = ocl_kernel(program, "add");

	callback_mem = ocl_buffer(&o, CL_MEM_READ_WRITE, 256, NULL);
	CK(clSetMemObjectDestructorCallback(callback_mem, on_destroy, "first registered, called last"));
	CK(clSetMemObjectDestructorCallback(callback_mem, on_destroy, "last registered, called first"));
	CK(clEnqueueFillBuffer(o.queue, callback_mem, &n, 4, 0, 256, 0, NULL, NULL));
	CK(clSetKernelArg(kernel, 0, sizeof(callback_mem), &callback_mem));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, &event));
	CK(clSetEventCallback(event, CL_COMPLETE, on_complete, NULL));
	CK(clFlush(o.queue));
	wait_called(1);
	CK(clEnqueueReadBuffer(o.queue, callback_mem, CL_FALSE, 0, 256, got, 0, NULL, NULL));
	CK(clFinish(o.queue));
	printf("non-blocking read after finish: %d %d\n", got[0], got[63]);
	CK(clReleaseEvent(event));
	CK(clReleaseKernel(kernel));
	CK(clReleaseMemObject(callback_mem));
	CK(clFinish(o.queue));
	wait_called(3);
}

/* ---- what a kernel prints is there when the queue has finished ---- */

static void kernels_print(void)
{
	cl_kernel kernel = ocl_kernel(program, "say");
	size_t global = 4;

	for (int n = 0; n < 3; n++) {
		CK(clSetKernelArg(kernel, 0, sizeof(n), &n));
		CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
		CK(clFinish(o.queue));
		printf("finished %d\n", n);
		fflush(stdout);
	}
	CK(clReleaseKernel(kernel));
}

/* ---- polling an event ends ---- */

static void polling_sees_the_end(void)
{
	cl_kernel kernel = ocl_kernel(program, "add");
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE, 4, NULL);
	size_t global = 1;
	int n = 1;
	cl_int status = CL_QUEUED;
	cl_event event;

	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, &event));
	CK(clFlush(o.queue));
	for (long i = 0; status != CL_COMPLETE && i < 200000000; i++)
		CK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	printf("polled status: %d\n", status);
	CK(clReleaseEvent(event));
	CK(clReleaseMemObject(mem));
	CK(clReleaseKernel(kernel));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	o = ocl_open(0);
	program = ocl_build(&o, source, "");
	a_waiting_thread_stops_nobody();
	calls_of_threads_keep_their_order();
	callbacks_come();
	kernels_print();
	polling_sees_the_end();
	CK(clReleaseProgram(program));
	ocl_close(&o);
	return 0;
}
