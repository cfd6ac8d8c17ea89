/* Arrays with levels and layers, textures and surfaces of those and of linear memory. */
#include "lasting-kinds.h"

#define WIDTH  32u
#define HEIGHT 16u
#define LEVELS 3u
#define LAYERS 3u

static struct {
	CUmipmappedArray levels;
	CUarray layers, line;
	CUtexObject texture, linear;
	CUsurfObject surface; /* of the second level */
	CUdeviceptr linear_at;
	CUmodule module;
} of_arrays;

static CUarray level_of(unsigned int level)
{
	CUarray array;

	cu_ok(cu(cuMipmappedArrayGetLevel)(&array, of_arrays.levels, level));
	return array;
}

static void array_copy(CUarray array, float *texels, uint32_t width, uint32_t height, uint32_t depth, bool in)
{
	CUDA_MEMCPY3D copy = { .WidthInBytes = width * sizeof(float), .Height = height, .Depth = depth };

	copy.srcMemoryType = in ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_ARRAY;
	copy.dstMemoryType = in ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_HOST;
	copy.srcArray = copy.dstArray = array;
	copy.srcHost = copy.dstHost = texels;
	copy.srcPitch = copy.dstPitch = width * sizeof(float);
	copy.srcHeight = copy.dstHeight = height;
	cu_ok(cu(cuMemcpy3D_v2)(&copy));
}

/* What it contains, which is something else afterwards. */
static uint32_t array_turn(CUarray array, uint32_t width, uint32_t height, uint32_t depth, uint32_t number)
{
	float texels[WIDTH * HEIGHT * LAYERS];
	uint32_t count = width * height * depth, seen;

	array_copy(array, texels, width, height, depth, false);
	seen = hash(texels, count * sizeof(float));
	for (uint32_t i = 0; i < count; i++)
		texels[i] += (float)(number + i);
	array_copy(array, texels, width, height, depth, true);
	return seen;
}

static void array_zero(CUarray array, uint32_t width, uint32_t height, uint32_t depth)
{
	float texels[WIDTH * HEIGHT * LAYERS] = { 0 };

	array_copy(array, texels, width, height, depth, true);
}

static void linear_make(void)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_PITCH2D };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	size_t pitch;

	cu_ok(cu(cuMemAllocPitch_v2)(&of_arrays.linear_at, &pitch, 16 * sizeof(float), 8, 4));
	check(pitch * 8 >= WORDS * 4); /* for grow() */
	cu_ok(cu(cuMemsetD32_v2)(of_arrays.linear_at, 0x3f800000, pitch / 4 * 8));
	resource.res.pitch2D.devPtr = of_arrays.linear_at;
	resource.res.pitch2D.format = CU_AD_FORMAT_FLOAT;
	resource.res.pitch2D.numChannels = 1;
	resource.res.pitch2D.width = 16;
	resource.res.pitch2D.height = 8;
	resource.res.pitch2D.pitchInBytes = pitch;
	cu_ok(cu(cuTexObjectCreate)(&of_arrays.linear, &resource, &sampling, NULL));
}

static void arrays_make(void)
{
	CUDA_ARRAY3D_DESCRIPTOR form = { .Width = WIDTH,
					 .Height = HEIGHT,
					 .Format = CU_AD_FORMAT_FLOAT,
					 .NumChannels = 1,
					 .Flags = CUDA_ARRAY3D_SURFACE_LDST };
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY };
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT,
				       .minMipmapLevelClamp = 1,
				       .maxMipmapLevelClamp = 1 };
	char *ptx = cu_ptx("textures.ptx");

	cu_ok(cu(cuModuleLoadData)(&of_arrays.module, ptx));
	free(ptx);
	cu_ok(cu(cuMipmappedArrayCreate)(&of_arrays.levels, &form, LEVELS));
	for (unsigned int i = 0; i < LEVELS; i++)
		array_zero(level_of(i), WIDTH >> i, HEIGHT >> i, 1);
	resource.res.mipmap.hMipmappedArray = of_arrays.levels;
	cu_ok(cu(cuTexObjectCreate)(&of_arrays.texture, &resource, &sampling, NULL));
	resource = (CUDA_RESOURCE_DESC){ .resType = CU_RESOURCE_TYPE_ARRAY, .res.array.hArray = level_of(1) };
	cu_ok(cu(cuSurfObjectCreate)(&of_arrays.surface, &resource));
	form.Flags = CUDA_ARRAY3D_LAYERED;
	form.Depth = LAYERS;
	cu_ok(cu(cuArray3DCreate_v2)(&of_arrays.layers, &form));
	array_zero(of_arrays.layers, WIDTH, HEIGHT, LAYERS);
	form = (CUDA_ARRAY3D_DESCRIPTOR){ .Width = WIDTH, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 1 };
	cu_ok(cu(cuArray3DCreate_v2)(&of_arrays.line, &form));
	array_zero(of_arrays.line, WIDTH, 1, 1);
	linear_make();
}

static uint32_t texture_hash(CUtexObject texture)
{
	CUdeviceptr out = words_make(0);
	int width = 16;
	void *params[] = { &texture, &out, &width };
	uint32_t all;

	cu_ok(cu(cuLaunchKernel)(cu_function(of_arrays.module, "read_texture"), 1, 1, 1, 16, 8, 1, 0, NULL, params,
				 NULL));
	all = hash_of(out);
	cu_ok(cu(cuMemFree_v2)(out));
	return all;
}

static void arrays_use(uint32_t number)
{
	void *params[] = { &of_arrays.surface };

	for (unsigned int i = 0; i < LEVELS; i++)
		printf("%08x ", array_turn(level_of(i), WIDTH >> i, HEIGHT >> i, 1, number));
	printf("%08x %08x %08x", texture_hash(of_arrays.texture),
	       array_turn(of_arrays.layers, WIDTH, HEIGHT, LAYERS, number),
	       array_turn(of_arrays.line, WIDTH, 1, 1, number));
	if (number % 3 == 0)
		cu_ok(cu(cuLaunchKernel)(cu_function(of_arrays.module, "write_surface"), 1, 1, 1, 16, 8, 1, 0, NULL,
					 params, NULL));
	printf(" %08x", texture_hash(of_arrays.linear));
	grow(has.grow, of_arrays.linear_at, 1 << 20, NULL);
}

const struct kind kind_arrays = { "arrays", arrays_make, arrays_use };
