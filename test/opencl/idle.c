/* Opens a session, says "ready", and waits for the end of its input; each line of that is a new thread with calls, or
 * with PLENUM_TEST_TAKE=BYTES a buffer of so many bytes that is filled and kept: the result is said. */
#include <pthread.h>
#include <stdbool.h>

#include "ocl.h"

static cl_int fill(const struct ocl *o, size_t bytes, bool keep)
{
	cl_int code;
	cl_mem mem = clCreateBuffer(o->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
	char byte = 1;

	if (!code)
		code = clEnqueueFillBuffer(o->queue, mem, &byte, 1, 0, bytes, 0, NULL, NULL);
	if (!code)
		code = clFinish(o->queue);
	if (mem && !keep)
		clReleaseMemObject(mem);
	return code;
}

static void *call(void *arg)
{
	puts(fill(arg, 64, false) ? "failed" : "called");
	return NULL;
}

int main(void)
{
	const char *bytes = getenv("PLENUM_TEST_TAKE");
	struct ocl o = ocl_open(0);
	pthread_t thread;
	int c;

	CK(clFinish(o.queue));
	puts("ready");
	fflush(stdout);
	while ((c = getchar()) != EOF) {
		if (c != '\n')
			continue;
		if (bytes)
			printf("%d\n", fill(&o, strtoul(bytes, NULL, 0), true));
		else if (!pthread_create(&thread, NULL, call, &o))
			pthread_join(thread, NULL);
		fflush(stdout);
	}
	ocl_close(&o);
	return 0;
}
