/* Fails when there is no OpenCL device. */
#include "ocl.h"

int main(void)
{
	struct ocl o = ocl_open(0);
	char name[256];

	CK(clGetDeviceInfo(o.device, CL_DEVICE_NAME, sizeof(name), name, NULL));
	puts(name);
	ocl_close(&o);
	return 0;
}
