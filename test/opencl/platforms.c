/* Lists platforms and devices; says "no platform" where there is none. */
#include "ocl.h"

int main(void)
{
	cl_platform_id platforms[16];
	cl_uint count = 0;
	cl_int code = clGetPlatformIDs(16, platforms, &count);

	if (code || !count) {
		puts("no platform");
		return code == -1001 || code == CL_SUCCESS ? 0 : 1;
	}
	for (cl_uint i = 0; i < count; i++) {
		char name[256];
		cl_device_id devices[16];
		cl_uint n = 0;
		CK(clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof(name), name, NULL));
		printf("platform %s\n", name);
		CK(clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 16, devices, &n));
		for (cl_uint j = 0; j < n; j++) {
			CK(clGetDeviceInfo(devices[j], CL_DEVICE_NAME, sizeof(name), name, NULL));
			printf("device %s\n", name);
		}
	}
	return 0;
}
