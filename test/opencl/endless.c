/* endless SEED: random commands from two threads until somebody ends it; checks what it reads.  When the device is lost
 * it says with which code and exits with 3; a wrong value exits with 1.  For the tests that kill things. */
#include "ocl.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char source[] = "kernel void fill(global uint *a, uint v) { a[get_global_id(0)] = v + get_global_id(0); }";

#define WORDS 65536u

static struct ocl o;
static cl_program program;

static void lost(const char *where, cl_int code)
{
	printf("lost: %s %d\n", where, code);
	fflush(stdout);
	_exit(3);
}

#define TRY(call)                                                                                  \
	do {                                                                                       \
		cl_int code_ = (call);                                                             \
		if (code_)                                                                         \
			lost(#call, code_);                                                        \
	} while (0)

static void *work(void *arg)
{
	unsigned seed = *(unsigned *)arg;
	unsigned *got = malloc(WORDS * 4);
	cl_int code;
	cl_command_queue queue = clCreateCommandQueueWithProperties(o.context, o.device, NULL, &code);
	if (code)
		lost("queue", code);
	cl_kernel kernel = clCreateKernel(program, "fill", &code);
	if (code)
		lost("kernel", code);
	cl_mem mem = clCreateBuffer(o.context, CL_MEM_READ_WRITE, WORDS * 4, NULL, &code);
	if (code)
		lost("buffer", code);
	TRY(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	for (unsigned round = 0;; round++) {
		unsigned value = rand_r(&seed);
		size_t global = WORDS;
		cl_event event;

		TRY(clSetKernelArg(kernel, 1, 4, &value));
		TRY(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, NULL, 0, NULL, &event));
		switch (rand_r(&seed) % 4) {
		case 0:
			TRY(clWaitForEvents(1, &event));
			TRY(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, WORDS * 4, got, 0, NULL, NULL));
			break;
		case 1:
			TRY(clEnqueueReadBuffer(queue, mem, CL_FALSE, 0, WORDS * 4, got, 1, &event, NULL));
			TRY(clFinish(queue));
			break;
		case 2: {
			unsigned *at = clEnqueueMapBuffer(queue, mem, CL_TRUE, CL_MAP_READ, 0, WORDS * 4, 0, NULL, NULL,
							  &code);
			if (code)
				lost("map", code);
			memcpy(got, at, WORDS * 4);
			TRY(clEnqueueUnmapMemObject(queue, mem, at, 0, NULL, NULL));
			break;
		}
		default:
			TRY(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, WORDS * 4, got, 0, NULL, NULL));
		}
		TRY(clReleaseEvent(event));
		for (unsigned i = 0; i < WORDS; i += 997)
			if (got[i] != value + i) {
				printf("wrong: %u at %u, expected %u\n", got[i], i, value + i);
				fflush(stdout);
				_exit(1);
			}
		if (round == 2) {
			puts("running");
			fflush(stdout);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned seeds[2] = { argc > 1 ? (unsigned)atoi(argv[1]) : 1, 77 };
	pthread_t threads[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(900); /* a witness runs as long as the whole of test_faults.py */
	o = ocl_open(0);
	program = ocl_build(&o, source, "");
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, work, &seeds[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
