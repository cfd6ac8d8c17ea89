/* Parameters of which the driver tells nothing (a program from a binary), given nothing first and then something: a
 * buffer after no buffer, a number after 0. */
#include "ocl.h"

static const char *const source =
	"kernel void k(global int *to, global const int *from, long add)\n"
	"{ to[0] = (from ? from[0] : 1000) + (int)add; }";

static cl_program from_binary(struct ocl *o)
{
	cl_program program = ocl_build(o, source, ""), copy;
	cl_int code, status;
	unsigned char *binary;
	size_t size;

	CK(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL));
	binary = malloc(size);
	CK(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL));
	copy = clCreateProgramWithBinary(o->context, 1, &o->device, &size, (const unsigned char **)&binary, &status,
					 &code);
	CK(code);
	CK(status);
	CK(clBuildProgram(copy, 1, &o->device, "", NULL, NULL));
	CK(clReleaseProgram(program));
	free(binary);
	return copy;
}

static void run(struct ocl *o, cl_kernel kernel, cl_mem to, const void *from, cl_long add)
{
	size_t one = 1;
	cl_int got = 0;

	CK(clSetKernelArg(kernel, 0, sizeof(to), &to));
	CK(clSetKernelArg(kernel, 1, sizeof(cl_mem), from));
	CK(clSetKernelArg(kernel, 2, sizeof(add), &add));
	CK(clEnqueueNDRangeKernel(o->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
	CK(clEnqueueReadBuffer(o->queue, to, CL_TRUE, 0, sizeof(got), &got, 0, NULL, NULL));
	printf("%d\n", got);
}

int main(void)
{
	struct ocl o = ocl_open(0);
	cl_program program = from_binary(&o);
	cl_kernel kernel = ocl_kernel(program, "k");
	cl_int seven = 7;
	cl_mem to = ocl_buffer(&o, CL_MEM_READ_WRITE, sizeof(seven), NULL), none = NULL,
	       from = ocl_buffer(&o, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof(seven), &seven);

	for (int i = 0; i < 3; i++) {
		run(&o, kernel, to, &none, 0);
		run(&o, kernel, to, &from, 30);
		run(&o, kernel, to, &from, 0);
		run(&o, kernel, to, NULL, -5);
	}
	CK(clReleaseMemObject(from));
	CK(clReleaseMemObject(to));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
	ocl_close(&o);
	return 0;
}
