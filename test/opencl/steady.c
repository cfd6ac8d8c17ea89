/* steady WHAT COUNT: a loop whose round trips are counted from outside (difference of two counts). */
#include "ocl.h"

static const char source[] = "kernel void inc(global int *a, int n) { a[0] += n; }";

#define SIDE 1024 /* of an image of 4 MiB */

static cl_mem image(struct ocl *o, cl_mem_flags flags, void *host)
{
	static const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	static const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D,
					    .image_width = SIDE,
					    .image_height = SIDE };
	cl_int code;
	cl_mem mem = clCreateImage(o->context, flags, &format, &desc, host, &code);

	CK(code);
	return mem;
}

/* KiB of shared memory that this process has touched. */
static void shared_tell(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kib;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssShmem: %ld", &kib) == 1)
			printf("%ld\n", kib);
	if (file)
		fclose(file);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	long count = argc > 2 ? atol(argv[2]) : 0;
	struct ocl o = ocl_open(0);
	cl_program program = ocl_build(&o, source, "");
	cl_kernel kernel = ocl_kernel(program, "inc");
	static uint8_t pixels[4 * SIDE * SIDE];
	cl_mem whole = NULL;
	int zero = 0, one = 1, got = 0;
	size_t global = 1;
	cl_mem mem = ocl_buffer(&o, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 4, &zero);

	CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CK(clSetKernelArg(kernel, 1, sizeof(one), &one));
	CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
	CK(clFinish(o.queue));
	for (long i = 0; i < count; i++) {
		if (!strcmp(what, "launch")) { /* set-args, enqueue, event query */
			cl_event event;
			cl_int status;
			CK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
			CK(clSetKernelArg(kernel, 1, sizeof(one), &one));
			CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, &event));
			CK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
			CK(clReleaseEvent(event));
		} else if (!strcmp(what, "post")) {
			CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
		} else if (!strcmp(what, "sync")) {
			CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
			CK(clFinish(o.queue));
		} else if (!strcmp(what, "read")) { /* a kernel, then a blocking read */
			CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
			CK(clEnqueueReadBuffer(o.queue, mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
			if (got != i + 2) {
				fprintf(stderr, "read %d, expected %ld\n", got, i + 2);
				return 1;
			}
		} else if (!strcmp(what, "write")) { /* write, kernel, blocking read */
			int value = (int)i;
			CK(clEnqueueWriteBuffer(o.queue, mem, CL_FALSE, 0, 4, &value, 0, NULL, NULL));
			CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
			CK(clEnqueueReadBuffer(o.queue, mem, CL_TRUE, 0, 4, &got, 0, NULL, NULL));
			if (got != value + 1) {
				fprintf(stderr, "read %d, expected %d\n", got, value + 1);
				return 1;
			}
		} else if (!strcmp(what, "finish")) {
			CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
			CK(clFinish(o.queue));
		} else if (!strcmp(what, "buffer")) { /* objects come and go */
			cl_mem more = ocl_buffer(&o, CL_MEM_READ_WRITE, 4096, NULL);
			CK(clReleaseMemObject(more));
		} else if (!strcmp(what, "image")) { /* as well, with contents, and nothing is ever enqueued */
			CK(clReleaseMemObject(image(&o, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, pixels)));
		} else if (!strcmp(what, "image-write")) { /* nothing but blocking commands */
			static const size_t origin[3], region[] = { SIDE, SIDE, 1 };
			whole = whole ? whole : image(&o, CL_MEM_READ_ONLY, NULL);
			CK(clEnqueueWriteImage(o.queue, whole, CL_TRUE, origin, region, 0, 0, pixels, 0, NULL, NULL));
		} else {
			fprintf(stderr, "usage: steady launch|post|read|write|finish|buffer|image|image-write COUNT\n");
			return 2;
		}
	}
	if (!strncmp(what, "image", 5))
		shared_tell();
	/* Else it depends on the machine whether the last one still has something to ask. */
	CK(clEnqueueNDRangeKernel(o.queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL));
	CK(clFinish(o.queue));
	if (whole)
		CK(clReleaseMemObject(whole));
	CK(clReleaseMemObject(mem));
	CK(clReleaseKernel(kernel));
	CK(clReleaseProgram(program));
	ocl_close(&o);
	return 0;
}
