/* What a kernel's parameter is, as far as the driver says. */
#include <pthread.h>
#include <string.h>

#include "backend/opencl/kernel.h"
#include "backend/opencl/program.h"

#define TYPE_NAME_MAX 256u
#define TRIED_MAX     64u
#define VERSION_MAX   128u

/* Built-in scalar types.  size_t and its like are left out: their size is the device's. */
static const struct {
	const char *name;
	uint8_t bytes;
} scalars[] = {
	{ "char", 1 },         { "uchar", 1 },          { "unsigned char", 1 }, { "short", 2 },
	{ "ushort", 2 },       { "unsigned short", 2 }, { "int", 4 },           { "uint", 4 },
	{ "unsigned int", 4 }, { "long", 8 },           { "ulong", 8 },         { "unsigned long", 8 },
	{ "float", 4 },        { "double", 8 },         { "half", 2 },          { "unsigned", 4 },
};

/* Bytes of a built-in scalar or vector type, 0 = another type. */
static uint64_t type_bytes(const char *name)
{
	size_t length = strlen(name), digits = 0;
	uint64_t lanes = 1;

	while (digits < length && name[length - digits - 1] >= '0' && name[length - digits - 1] <= '9')
		digits++;
	if (digits) {
		const char *number = name + length - digits;

		lanes = !strcmp(number, "2")                           ? 2
			: !strcmp(number, "3") || !strcmp(number, "4") ? 4
			: !strcmp(number, "8")                         ? 8
			: !strcmp(number, "16")                        ? 16
								       : 0;
	}
	for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
		if (strlen(scalars[i].name) == length - digits && !strncmp(scalars[i].name, name, length - digits))
			return scalars[i].bytes * lanes;
	return 0;
}

static const char *type_bare(const char *name)
{
	static const char *const words[] = { "__read_only ", "__write_only ", "__read_write ", "read_only ",
					     "write_only ",  "read_write ",   "const " };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(name, words[i], strlen(words[i])))
			return name + strlen(words[i]);
	return name;
}

static void kind_set(struct pl_cl_param *param, const char *type, cl_kernel_arg_type_qualifier qualifier)
{
	if (qualifier & CL_KERNEL_ARG_TYPE_PIPE) {
		param->kind = PL_CL_PARAM_PIPE;
	} else if (!strcmp(type, "sampler_t")) { /* some drivers give it an access qualifier */
		param->kind = PL_CL_PARAM_SAMPLER;
	} else if (!strncmp(type, "image", 5) || param->access_qualifier != CL_KERNEL_ARG_ACCESS_NONE) {
		param->kind = PL_CL_PARAM_IMAGE;
	} else if (!strcmp(type, "queue_t")) {
		param->kind = PL_CL_PARAM_QUEUE;
	} else if (param->address_qualifier == CL_KERNEL_ARG_ADDRESS_LOCAL) {
		param->kind = PL_CL_PARAM_LOCAL;
	} else if (param->address_qualifier == CL_KERNEL_ARG_ADDRESS_GLOBAL ||
		   param->address_qualifier == CL_KERNEL_ARG_ADDRESS_CONSTANT) {
		param->kind = PL_CL_PARAM_MEM;
	} else {
		/* The program's own name may stand for anything, a sampler among them. */
		param->bytes = type_bytes(type);
		param->kind = param->bytes ? PL_CL_PARAM_VALUE : PL_CL_PARAM_UNKNOWN;
	}
}

bool pl_cl_param_get(cl_kernel kernel, cl_uint index, struct pl_cl_param *param_out)
{
	cl_kernel_arg_address_qualifier address = 0;
	cl_kernel_arg_access_qualifier access = CL_KERNEL_ARG_ACCESS_NONE;
	cl_kernel_arg_type_qualifier qualifier = 0;
	char type[TYPE_NAME_MAX] = "";

	*param_out = (struct pl_cl_param){ 0 };
	if (!pl_cl.clGetKernelArgInfo ||
	    pl_cl.clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(address), &address, NULL) ||
	    pl_cl.clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_ACCESS_QUALIFIER, sizeof(access), &access, NULL))
		return false;
	pl_cl.clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof(qualifier), &qualifier, NULL);
	if (pl_cl.clGetKernelArgInfo(kernel, index, CL_KERNEL_ARG_TYPE_NAME, sizeof(type) - 1, type, NULL))
		type[0] = '\0';
	param_out->address_qualifier = address;
	param_out->access_qualifier = access;
	kind_set(param_out, type_bare(type), qualifier);
	return true;
}

/* ---- the option for that ---- */

/* Only from 1.2 on is the option one: its version is a digit, a point and a digit behind the name. */
static bool device_knows_option(cl_device_id device)
{
	char version[VERSION_MAX] = "";

	if (pl_cl.clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof(version) - 1, version, NULL))
		return false;
	return strncmp(version, "OpenCL 1.0", 10) && strncmp(version, "OpenCL 1.1", 10);
}

bool pl_cl_params_take_option(cl_context context)
{
	cl_device_id devices[PL_CL_LIMIT_DEVICES_MAX];
	size_t bytes = 0;
	bool take;

	if (!pl_cl.clGetKernelArgInfo ||
	    pl_cl.clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof(devices), devices, &bytes))
		return false;
	take = bytes > 0;
	for (uint32_t i = 0; i < bytes / sizeof(devices[0]) && take; i++)
		take = device_knows_option(devices[i]);
	return take;
}

static pthread_mutex_t tried_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	cl_device_id device;
	bool describes;
} tried[TRIED_MAX];
static uint32_t tried_count;

/* Return: the parameter of a kernel that was built without the option is described. */
static bool describes(cl_context context, cl_device_id device)
{
	static const char *source = "__kernel void plenum(int a) {}\n";
	cl_program program = pl_cl.clCreateProgramWithSource(context, 1, &source, NULL, NULL);
	struct pl_cl_param param;
	cl_kernel kernel = NULL;
	bool good;

	if (program && !pl_cl.clBuildProgram(program, 1, &device, "", NULL, NULL))
		kernel = pl_cl.clCreateKernel(program, "plenum", NULL);
	good = kernel && pl_cl_param_get(kernel, 0, &param);
	if (kernel)
		pl_cl.clReleaseKernel(kernel);
	if (program)
		pl_cl.clReleaseProgram(program);
	return good;
}

/* Called with tried_lock held. */
static bool device_describes(cl_context context, cl_device_id device)
{
	cl_device_id root = device, parent = NULL;
	bool good;

	while (!pl_cl.clGetDeviceInfo(root, CL_DEVICE_PARENT_DEVICE, sizeof(parent), &parent, NULL) && parent)
		root = parent;
	for (uint32_t i = 0; i < tried_count; i++)
		if (tried[i].device == root)
			return tried[i].describes;
	good = describes(context, device);
	if (tried_count < TRIED_MAX) {
		tried[tried_count].device = root;
		tried[tried_count++].describes = good;
	}
	return good;
}

bool pl_cl_params_described(cl_kernel kernel)
{
	cl_device_id devices[PL_CL_LIMIT_DEVICES_MAX];
	cl_context context = NULL;
	size_t bytes = 0;
	bool good;

	if (pl_cl.clGetKernelInfo(kernel, CL_KERNEL_CONTEXT, sizeof(context), &context, NULL) ||
	    pl_cl.clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof(devices), devices, &bytes))
		return false;
	good = bytes > 0;
	pthread_mutex_lock(&tried_lock);
	for (uint32_t i = 0; i < bytes / sizeof(devices[0]) && good; i++)
		good = device_describes(context, devices[i]);
	pthread_mutex_unlock(&tried_lock);
	return good;
}
