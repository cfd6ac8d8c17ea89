/* hoard memory BYTES COUNT | kernels 0 COUNT: takes until it is refused; says how much it got and that the rest of the
 * session still works. */
#include "ocl.h"

static const char source[] = "kernel void k(global int *a) { a[0] = 1; }";

int main(int argc, char **argv)
{
	struct ocl o = ocl_open(0);
	cl_program program = ocl_build(&o, source, "");
	size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	long count = argc > 3 ? atol(argv[3]) : 0, made = 0;
	void **objects = calloc((size_t)count, sizeof(*objects));
	char *data = calloc(1, bytes + 1);
	int memory = argc > 1 && !strcmp(argv[1], "memory");
	cl_int code = CL_SUCCESS;

	for (; made < count; made++) {
		if (memory) {
			objects[made] = clCreateBuffer(o.context, CL_MEM_READ_WRITE, bytes, NULL, &code);
			if (!code)
				code = clEnqueueWriteBuffer(o.queue, objects[made], CL_TRUE, 0, bytes, data, 0, NULL,
							    NULL);
			if (!code)
				code = clFinish(o.queue);
		} else {
			objects[made] = clCreateKernel(program, "k", &code);
			if (!code)
				code = clSetKernelArg(objects[made], 0, sizeof(cl_mem), NULL);
			if (!code) { /* a posted creation that failed shows when the object is asked about */
				cl_uint n;
				code = clGetKernelInfo(objects[made], CL_KERNEL_REFERENCE_COUNT, sizeof(n), &n, NULL);
			}
		}
		if (code)
			break;
	}
	printf("made %ld code %d\n", made, code);
	for (long i = 0; i < made; i++) {
		if (memory)
			CK(clReleaseMemObject(objects[i]));
		else
			CK(clReleaseKernel(objects[i]));
	}
	CK(clFinish(o.queue));
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE, 4096, NULL);
	CK(clEnqueueWriteBuffer(o.queue, mem, CL_TRUE, 0, bytes < 4096 ? bytes : 4096, data, 0, NULL, NULL));
	return 0;
}
