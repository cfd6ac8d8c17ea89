/*
 * The reference GPU's driver without what only it has (src/refgpu/driver/share.h, ipc.h): to a server it is as any
 * other driver of a device that has its own memory.  The linker gives those names the address 0.
 */
#include "cuda-api.h"

CUresult pl_plain_version(int *version_out);

__attribute__((visibility("default"))) CUresult pl_plain_version(int *version_out)
{
	return cuDriverGetVersion(version_out); /* so that the driver is needed */
}
