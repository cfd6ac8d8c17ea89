/* include FILE: builds a source that includes FILE as well as one that does not, and prints what the driver says. */
#include "ocl.h"

#include <unistd.h>

static void build(struct ocl *o, const char *source)
{
	cl_int code;
	cl_program program = clCreateProgramWithSource(o->context, 1, &source, NULL, &code);
	char log[16384] = "";

	CK(code);
	code = clBuildProgram(program, 1, &o->device, "", NULL, NULL);
	CK(clGetProgramBuildInfo(program, o->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL));
	printf("build: %d\n%s\n", code, code ? log : "");
	CK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	struct ocl o = ocl_open(0);
	char source[4352];

	snprintf(source, sizeof(source), "#include \"%.4000s\"\nkernel void k(global int *a) { a[0] = %d; }\n",
		 argc > 1 ? argv[1] : "", (int)getpid());
	build(&o, source);
	snprintf(source, sizeof(source), "kernel void k(global int *a) { a[0] = %d; }\n", (int)getpid());
	build(&o, source);
	ocl_close(&o);
	return 0;
}
