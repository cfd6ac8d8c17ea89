/* libcuda.so.1, found as any program would find it. */
#ifndef PL_TEST_PTX_DRIVER_H
#define PL_TEST_PTX_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "cuda/api.h"

struct pt_driver {
	void *library;
	char error[400];               /* what went wrong last */
	int ordinal, sm, version, ptx; /* of the device and the driver; the newest PTX that it takes */
	char name[128];
	CUcontext context;
	uint64_t seed;
	struct {
		CUresult (*cuInit)(unsigned flags);
		CUresult (*cuDeviceGet)(CUdevice *device, int ordinal);
		CUresult (*cuDeviceGetName)(char *name, int length, CUdevice device);
		CUresult (*cuDeviceGetAttribute)(int *value, CUdevice_attribute attribute, CUdevice device);
		CUresult (*cuDriverGetVersion)(int *version);
		CUresult (*cuCtxCreate)(CUcontext *context, unsigned flags, CUdevice device);
		CUresult (*cuCtxDestroy)(CUcontext context);
		CUresult (*cuCtxSynchronize)(void);
		CUresult (*cuModuleLoadDataEx)(CUmodule *module, const void *image, unsigned count,
					       CUjit_option *options, void **values);
		CUresult (*cuModuleUnload)(CUmodule module);
		CUresult (*cuModuleGetFunction)(CUfunction *function, CUmodule module, const char *name);
		CUresult (*cuModuleGetGlobal)(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name);
		CUresult (*cuMemAlloc)(CUdeviceptr *address, size_t bytes);
		CUresult (*cuMemFree)(CUdeviceptr address);
		CUresult (*cuMemcpyHtoD)(CUdeviceptr to, const void *from, size_t bytes);
		CUresult (*cuMemcpyDtoH)(void *to, CUdeviceptr from, size_t bytes);
		CUresult (*cuLaunchKernel)(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
					   unsigned by, unsigned bz, unsigned shared, CUstream stream, void **params,
					   void **extra);
		CUresult (*cuGetErrorName)(CUresult error, const char **name);
		CUresult (*cuArray3DCreate)(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR *descriptor);
		CUresult (*cuArrayDestroy)(CUarray array);
		CUresult (*cuMemcpy3D)(const CUDA_MEMCPY3D *copy);
		CUresult (*cuTexObjectCreate)(CUtexObject *object, const CUDA_RESOURCE_DESC *resource,
					      const CUDA_TEXTURE_DESC *texture, const CUDA_RESOURCE_VIEW_DESC *view);
		CUresult (*cuTexObjectDestroy)(CUtexObject object);
		CUresult (*cuSurfObjectCreate)(CUsurfObject *object, const CUDA_RESOURCE_DESC *resource);
		CUresult (*cuSurfObjectDestroy)(CUsurfObject object);
	} f;
};

/* 0; -1: no driver or device (cu->error). */
int pt_driver_open(struct pt_driver *cu, int ordinal);
/* A context instead of one that a fault took. */
int pt_driver_renew(struct pt_driver *cu);
const char *pt_error_name(struct pt_driver *cu, CUresult error);
/* Launches and waits; the arguments are in, out and aux. */
CUresult pt_launch(struct pt_driver *cu, CUfunction function, unsigned blocks, unsigned threads, CUdeviceptr in,
		   CUdeviceptr out, uint64_t aux);

#endif
