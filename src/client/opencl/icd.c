/* What the ICD loader finds in the library by name; everything else it reaches through the dispatch table. */
#include <string.h>

#include "client/opencl/trace.h"
#include "client/opencl/types.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT cl_int clIcdGetPlatformIDsKHR(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
{
	cl_uint count = 0;

	if ((platforms && !num_entries) || (!platforms && !num_platforms))
		return CL_INVALID_VALUE;
	pl_cl_platform_list(num_entries, platforms, &count);
	if (num_platforms)
		*num_platforms = count;
	return count ? CL_SUCCESS : CL_PLATFORM_NOT_FOUND_KHR;
}

EXPORT cl_int clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
{
	return pl_cl_stub_clGetPlatformIDs(num_entries, platforms, num_platforms);
}

EXPORT cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name, size_t param_value_size,
				void *param_value, size_t *param_value_size_ret)
{
	return pl_cl_stub_clGetPlatformInfo(platform, param_name, param_value_size, param_value, param_value_size_ret);
}

EXPORT void *clGetExtensionFunctionAddress(const char *func_name)
{
	return pl_cl_stub_clGetExtensionFunctionAddress(func_name);
}

EXPORT void *clGetExtensionFunctionAddressForPlatform(cl_platform_id platform, const char *func_name)
{
	return pl_cl_stub_clGetExtensionFunctionAddressForPlatform(platform, func_name);
}

void *pl_cl_stub_clGetExtensionFunctionAddress(const char *func_name)
{
	if (!func_name)
		return NULL;
	if (!strcmp(func_name, "clIcdGetPlatformIDsKHR"))
		return (void *)clIcdGetPlatformIDsKHR;
	return pl_cl_function_find(func_name, pl_cl_tracing());
}

void *pl_cl_stub_clGetExtensionFunctionAddressForPlatform(cl_platform_id platform, const char *func_name)
{
	return pl_cl_get(platform, PL_CL_KIND_platform) ? pl_cl_stub_clGetExtensionFunctionAddress(func_name) : NULL;
}
