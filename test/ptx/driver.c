/* SPDX-License-Identifier: Apache-2.0 */
#include "driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int functions_find(struct pt_driver *cu)
{
	const struct {
		const char *name;
		void *to;
	} wanted[] = {
		{ "cuInit", &cu->f.cuInit },
		{ "cuDeviceGet", &cu->f.cuDeviceGet },
		{ "cuDeviceGetName", &cu->f.cuDeviceGetName },
		{ "cuDeviceGetAttribute", &cu->f.cuDeviceGetAttribute },
		{ "cuDriverGetVersion", &cu->f.cuDriverGetVersion },
		{ "cuCtxCreate_v2", &cu->f.cuCtxCreate },
		{ "cuCtxDestroy_v2", &cu->f.cuCtxDestroy },
		{ "cuCtxSynchronize", &cu->f.cuCtxSynchronize },
		{ "cuModuleLoadDataEx", &cu->f.cuModuleLoadDataEx },
		{ "cuModuleUnload", &cu->f.cuModuleUnload },
		{ "cuModuleGetFunction", &cu->f.cuModuleGetFunction },
		{ "cuModuleGetGlobal_v2", &cu->f.cuModuleGetGlobal },
		{ "cuMemAlloc_v2", &cu->f.cuMemAlloc },
		{ "cuMemFree_v2", &cu->f.cuMemFree },
		{ "cuMemcpyHtoD_v2", &cu->f.cuMemcpyHtoD },
		{ "cuMemcpyDtoH_v2", &cu->f.cuMemcpyDtoH },
		{ "cuLaunchKernel", &cu->f.cuLaunchKernel },
		{ "cuGetErrorName", &cu->f.cuGetErrorName },
		{ "cuArray3DCreate_v2", &cu->f.cuArray3DCreate },
		{ "cuArrayDestroy", &cu->f.cuArrayDestroy },
		{ "cuMemcpy3D_v2", &cu->f.cuMemcpy3D },
		{ "cuTexObjectCreate", &cu->f.cuTexObjectCreate },
		{ "cuTexObjectDestroy", &cu->f.cuTexObjectDestroy },
		{ "cuSurfObjectCreate", &cu->f.cuSurfObjectCreate },
		{ "cuSurfObjectDestroy", &cu->f.cuSurfObjectDestroy },
	};

	cu->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!cu->library) {
		snprintf(cu->error, sizeof(cu->error), "no CUDA driver: %.300s", dlerror());
		return -1;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *found = dlsym(cu->library, wanted[i].name);

		if (!found) {
			snprintf(cu->error, sizeof(cu->error), "the CUDA driver has no %s", wanted[i].name);
			return -1;
		}
		memcpy(wanted[i].to, &found, sizeof(found));
	}
	return 0;
}

const char *pt_error_name(struct pt_driver *cu, CUresult error)
{
	const char *name = NULL;

	if (cu->f.cuGetErrorName(error, &name) || !name)
		return "an error without a name";
	return name;
}

static int failed(struct pt_driver *cu, const char *what, CUresult error)
{
	snprintf(cu->error, sizeof(cu->error), "%s: %s", what, pt_error_name(cu, error));
	return -1;
}

/* CUDA 11.x takes PTX 7.x, 12.x 8.x, 13.x 9.x; the tables need nothing newer than 8.8. */
static int newest_ptx(int version)
{
	static const struct {
		int cuda, ptx;
	} known[] = { { 13000, 90 }, { 12090, 88 }, { 12080, 87 }, { 12070, 86 }, { 12050, 85 },
		      { 12040, 84 }, { 12030, 83 }, { 12020, 82 }, { 12010, 81 }, { 12000, 80 },
		      { 11080, 78 }, { 11070, 77 }, { 11060, 76 }, { 11050, 75 }, { 11040, 74 },
		      { 11030, 73 }, { 11020, 72 }, { 11010, 71 }, { 11000, 70 } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (version >= known[i].cuda)
			return known[i].ptx;
	}
	return 60;
}

int pt_driver_open(struct pt_driver *cu, int ordinal)
{
	int major = 0, minor = 0;
	CUdevice device;
	CUresult e;

	if (functions_find(cu))
		return -1;
	cu->ordinal = ordinal;
	e = cu->f.cuInit(0);
	if (e)
		return failed(cu, "cuInit", e);
	e = cu->f.cuDeviceGet(&device, ordinal);
	if (e)
		return failed(cu, "cuDeviceGet", e);
	e = cu->f.cuDeviceGetName(cu->name, sizeof(cu->name), device);
	if (!e)
		e = cu->f.cuDriverGetVersion(&cu->version);
	if (!e)
		e = cu->f.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device);
	if (!e)
		e = cu->f.cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device);
	if (e)
		return failed(cu, "cuDeviceGetAttribute", e);
	cu->sm = major * 10 + minor;
	cu->ptx = newest_ptx(cu->version);
	return pt_driver_renew(cu);
}

int pt_driver_renew(struct pt_driver *cu)
{
	CUdevice device;
	CUresult e;

	if (cu->context)
		cu->f.cuCtxDestroy(cu->context);
	cu->context = NULL;
	e = cu->f.cuDeviceGet(&device, cu->ordinal);
	if (!e)
		e = cu->f.cuCtxCreate(&cu->context, 0, device);
	return e ? failed(cu, "cuCtxCreate", e) : 0;
}

CUresult pt_launch(struct pt_driver *cu, CUfunction function, unsigned blocks, unsigned threads, CUdeviceptr in,
		   CUdeviceptr out, uint64_t aux)
{
	void *params[] = { &in, &out, &aux };
	CUresult e = cu->f.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, NULL, params, NULL);

	return e ? e : cu->f.cuCtxSynchronize();
}
