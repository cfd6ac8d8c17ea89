/*
 * The values of a kernel's arguments that travel with a launch, against a driver that takes eight bytes where a handle
 * belongs for one.  Input: the blob.
 */
#include "backend/opencl/kernel.h"
#include "fuzz.h"
#include "one-session.h"
#include "stub-driver.h"

static void put(uint64_t id, enum pl_cl_object_kind kind, void *object)
{
	pl_fuzz_check(!pl_handles_put(&pl_one_session()->handles, id, kind, object, 0, NULL));
}

/* One object of each kind that an argument may be, once. */
static cl_kernel objects_make(void)
{
	static cl_context context; /* kept: the others do not hold it */
	static cl_program program;
	cl_device_id device;
	const char *text = "";
	size_t none = 0;

	pl_one_session();
	pl_cl.clGetDeviceIDs((cl_platform_id)((struct pl_cl_host *)pl_one_session()->state)->platforms[0].platform,
			     CL_DEVICE_TYPE_CPU, 1, &device, NULL);
	context = pl_cl.clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
	program = pl_cl.clCreateProgramWithSource(context, 1, &text, &none, NULL);
	put(1, PL_CL_KIND_mem, pl_cl.clCreateBuffer(context, 0, 64, NULL, NULL));
	put(2, PL_CL_KIND_sampler, pl_cl.clCreateSampler(context, 0, 0, 0, NULL));
	put(3, PL_CL_KIND_queue, pl_cl.clCreateCommandQueue(context, device, 0, NULL));
	return pl_cl.clCreateKernel(program, "k", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static cl_kernel kernel;
	static struct pl_cl_kernel_note note;
	struct pl_serve serve = { .session = pl_one_session() };
	uint8_t *blob;

	if (!kernel)
		kernel = objects_make();
	if (size > PL_CL_LIMIT_ARGS_MAX)
		return 0;
	blob = malloc(size ? size : 1);
	pl_fuzz_check(blob != NULL);
	if (size)
		memcpy(blob, data, size);
	(void)pl_cl_args_set(&serve, kernel, &note, (struct pl_bytes){ size ? blob : NULL, size });
	free(blob);
	return 0;
}
