/* fork(): the child has a session of its own; the parent's goes on.  Not comparable natively (drivers with threads do
 * not survive a fork), so this program checks itself. */
#include "ocl.h"

#include <sys/wait.h>
#include <unistd.h>

static const char source[] = "kernel void add(global int *a, int n) { a[0] += n; }";

static int compute(int n)
{
	struct ocl o = ocl_open(0);
	cl_program program = ocl_build(&o, source, "");
	cl_kernel kernel = ocl_kernel(program, "add");
	size_t global = 1;
	int value = 1;
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 4, &value);

	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
	CK(clEnqueueReadBuffer(o.queue, mem, CL_TRUE, 0, 4, &value, 0, NULL, NULL));
	CK(clReleaseMemObject(mem));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
	ocl_close(&o);
	return value;
}

int main(void)
{
	struct ocl before;
	int status = 0, value = 3;
	cl_mem mem;
	pid_t child;

	alarm(60);
	before = ocl_open(0);
	mem = ocl_buffer(&before, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 4, &value);
	if (compute(4) != 5)
		return 1;
	child = fork();
	if (!child) {
		char bytes[4];
		/* The parent's objects are not the child's. */
		if (clEnqueueReadBuffer(before.queue, mem, CL_TRUE, 0, 4, bytes, 0, NULL, NULL) == CL_SUCCESS)
			_exit(10);
		_exit(compute(40) == 41 ? 0 : 11);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "child: %x\n", status);
		return 2;
	}
	value = 0;
	CK(clEnqueueReadBuffer(before.queue, mem, CL_TRUE, 0, 4, &value, 0, NULL, NULL));
	if (value != 3 || compute(6) != 7)
		return 3;
	CK(clReleaseMemObject(mem));
	ocl_close(&before);
	puts("parent and child: right");
	return 0;
}
