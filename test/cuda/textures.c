/* Textures and surfaces over arrays. */
#include <stdint.h>

#include "cu.h"

static CUmodule module;

static void test_textures_and_surfaces_reach_their_array(void)
{
	CUDA_ARRAY3D_DESCRIPTOR desc = { .Width = 16,
					 .Height = 8,
					 .Format = CU_AD_FORMAT_FLOAT,
					 .NumChannels = 1,
					 .Flags = CUDA_ARRAY3D_SURFACE_LDST };
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	float host[8][16];
	CUtexObject texture;
	CUsurfObject surface;
	CUdeviceptr out;
	CUarray array;
	int width = 16;
	void *write_params[] = { &surface }, *read_params[] = { &texture, &out, &width };
	cu_ok(cu(cuArray3DCreate_v2)(&array, &desc));
	resource.res.array.hArray = array;
	cu_ok(cu(cuSurfObjectCreate)(&surface, &resource));
	cu_ok(cu(cuTexObjectCreate)(&texture, &resource, &sampling, NULL));
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(host)));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "write_surface"), 1, 1, 1, 16, 8, 1, 0, NULL, write_params, NULL));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "read_texture"), 1, 1, 1, 16, 8, 1, 0, NULL, read_params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, out, sizeof(host)));
	for (int y = 0; y < 8; y++)
		for (int x = 0; x < 16; x++)
			check(host[y][x] == (float)(y * 100 + x));
	cu_ok(cu(cuTexObjectDestroy)(texture));
	cu_is(cu(cuTexObjectDestroy)(texture), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuSurfObjectDestroy)(surface));
	cu_ok(cu(cuArrayDestroy)(array));
	cu_is(cu(cuArrayDestroy)(array), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuMemFree_v2)(out));
}

/* As NV12toBGRandResize of the CUDA samples does. */
static void test_what_a_kernel_still_reads_may_be_destroyed(void)
{
	CUDA_ARRAY_DESCRIPTOR desc = { .Width = 16, .Height = 8, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 1 };
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	float host[8][16];
	CUtexObject texture;
	CUsurfObject surface;
	CUdeviceptr out;
	CUarray array;
	int width = 16;
	void *write_params[] = { &surface }, *read_params[] = { &texture, &out, &width };
	cu_ok(cu(cuArrayCreate_v2)(&array, &desc));
	resource.res.array.hArray = array;
	cu_ok(cu(cuMemAlloc_v2)(&out, sizeof(host)));
	for (int round = 0; round < 3; round++) {
		cu_ok(cu(cuSurfObjectCreate)(&surface, &resource));
		cu_ok(cu(cuTexObjectCreate)(&texture, &resource, &sampling, NULL));
		cu_ok(cu(cuLaunchKernel)(cu_function(module, "write_surface"), 2000, 1, 1, 16, 8, 1, 0, NULL,
					 write_params, NULL));
		cu_ok(cu(cuSurfObjectDestroy)(surface));
		cu_ok(cu(cuLaunchKernel)(cu_function(module, "read_texture"), 2000, 1, 1, 16, 8, 1, 0, NULL,
					 read_params,
					 NULL));
		cu_ok(cu(cuTexObjectDestroy)(texture));
	}
	cu_ok(cu(cuMemcpyDtoH_v2)(host, out, sizeof(host)));
	check(host[7][15] == 715);
	cu_ok(cu(cuArrayDestroy)(array));
	cu_ok(cu(cuMemFree_v2)(out));
}

static void test_bad_descriptions_are_refused(void)
{
	CUDA_ARRAY_DESCRIPTOR desc = { .Width = 16, .Height = 8, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 3 };
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	CUDA_ARRAY3D_DESCRIPTOR got;
	CUtexObject texture;
	CUsurfObject surface;
	CUarray array;
	cu_is(cu(cuArrayCreate_v2)(&array, &desc), CUDA_ERROR_INVALID_VALUE);
	desc.NumChannels = 1;
	desc.Width = 0;
	cu_is(cu(cuArrayCreate_v2)(&array, &desc), CUDA_ERROR_INVALID_VALUE);
	desc.Width = 16;
	cu_ok(cu(cuArrayCreate_v2)(&array, &desc));
	cu_ok(cu(cuArray3DGetDescriptor_v2)(&got, array));
	check(got.Width == 16 && got.Height == 8 && got.Depth == 0 && got.NumChannels == 1);
	resource.res.array.hArray = array;
	cu_ok(cu(cuSurfObjectCreate)(&surface, &resource)); /* also without CUDA_ARRAY3D_SURFACE_LDST */
	cu_ok(cu(cuSurfObjectDestroy)(surface));
	cu_is(cu(cuTexObjectCreate)(NULL, &resource, &sampling, NULL), CUDA_ERROR_INVALID_VALUE);
	sampling.maxAnisotropy = 99;
	cu_is(cu(cuTexObjectCreate)(&texture, &resource, &sampling, NULL), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuArrayDestroy)(array));
}

int main(void)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("textures.ptx");
	CUresult r = cu(cuModuleLoadData)(&module, text);
	cu_run(test_bad_descriptions_are_refused);
	if (r == CUDA_ERROR_NOT_SUPPORTED) {
		puts("skipped: this driver does not compile texture instructions");
		return CU_SKIP;
	}
	cu_ok(r);
	free(text);
	cu_run(test_textures_and_surfaces_reach_their_array);
	cu_run(test_what_a_kernel_still_reads_may_be_destroyed);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
