/* Random calls: levels of arrays, and surfaces. */
#include "differ.h"

static CUarray any_array(int *i_out, char *name_out)
{
	enum slot_kind kind = one_in(12) ? MIPMAP : one_in(2) ? LEVEL : ARRAY;
	*i_out = any(kind);
	*name_out = kind == MIPMAP ? 'i' : kind == LEVEL ? 'l' : 'a';
	return handle_of(kind, *i_out, CUarray);
}

static CUmipmappedArray any_mipmap(int *i_out)
{
	enum slot_kind kind = one_in(12) ? ARRAY : MIPMAP;
	*i_out = any(kind);
	return handle_of(kind, *i_out, CUmipmappedArray);
}

/* All of an array to the program's memory, or from it. */
static void level_copy(CUarray array, unsigned char *at, bool fill)
{
	CUDA_ARRAY3D_DESCRIPTOR desc;
	CUDA_MEMCPY3D copy = { 0 };
	size_t element;
	CUresult r;
	memset(&desc, 0x55, sizeof(desc));
	r = CALL(cuArray3DGetDescriptor_v2, (&desc, array), "level");
	out(&desc, r ? 0 : sizeof(desc) - 4);
	if (r)
		return;
	element = desc.NumChannels * (desc.Format == CU_AD_FORMAT_UNSIGNED_INT8  ? 1
				      : desc.Format == CU_AD_FORMAT_SIGNED_INT16 ? 2
										 : 4);
	copy.srcMemoryType = fill ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_ARRAY;
	copy.dstMemoryType = fill ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_HOST;
	copy.srcHost = copy.dstHost = at;
	copy.srcArray = copy.dstArray = array;
	copy.WidthInBytes = desc.Width * element;
	copy.Height = desc.Height ? desc.Height : 1;
	copy.Depth = desc.Depth ? desc.Depth : 1;
	if (copy.WidthInBytes * copy.Height * copy.Depth > HOST_BYTES)
		return;
	CALL(cuMemcpy3D_v2, (&copy), "level, %d", fill);
}

static void do_mipmap(void)
{
	CUDA_ARRAY3D_DESCRIPTOR desc = { .Width = one_of(1, 16, 17, 32),
					 .Height = one_of(0, 1, 8, 16),
					 .Format =
						 (CUarray_format)one_of(CU_AD_FORMAT_FLOAT, CU_AD_FORMAT_UNSIGNED_INT8,
									CU_AD_FORMAT_SIGNED_INT16),
					 .NumChannels = (unsigned int)one_of(1, 2, 4, 4),
					 .Flags = (unsigned int)one_of(0, 0, 0, 1, 2, 4, 6) };
	unsigned int levels = (unsigned int)one_of(1, 2, 3, 5, 6, 20);
	CUmipmappedArray mipmap = (CUmipmappedArray)0x55;
	int i = room(MIPMAP);
	bool none = false, nowhere = false;
	CUresult r;
	if (i < 0)
		return;
	desc.Depth = desc.Height ? one_of(0, 0, 3, 4) : 0;
	if (desc.Flags & CUDA_ARRAY3D_CUBEMAP)
		desc.Height = desc.Width, desc.Depth = 6;
	else if (desc.Flags & CUDA_ARRAY3D_LAYERED)
		desc.Depth = 3;
	switch (pick(12)) {
	case 0:
		desc.Flags = (unsigned int)one_of(0x40, 0x80, 0x100, 0x80000);
		break;
	case 1:
		desc.Format = (CUarray_format)one_of(0, 77, 0xb0);
		break;
	case 2:
		desc.NumChannels = (unsigned int)one_of(0, 3, 5);
		break;
	case 3:
		levels = 0;
		break;
	case 4:
		desc.Width = one_of(0, 1ull << 40, 1ull << 20, ~0ull);
		break;
	case 5:
		desc.Depth = one_of(1ull << 40, 5000000);
		break;
	case 6:
		none = true;
		break;
	case 7:
		nowhere = true;
	}
	r = CALL(cuMipmappedArrayCreate, (nowhere ? NULL : &mipmap, none ? NULL : &desc, levels),
		 "i%d, %zu x %zu x %zu, format %d, %u, flags %u, %u, %d", i, desc.Width, desc.Height, desc.Depth,
		 (int)desc.Format, desc.NumChannels, desc.Flags, levels, none + 2 * nowhere);
	if (r != CUDA_SUCCESS)
		out_number("is", mipmap == (CUmipmappedArray)0x55);
	made(MIPMAP, i, r, (uint64_t)(uintptr_t)mipmap, 0);
	for (unsigned int level = 0; level < 8 && r == CUDA_SUCCESS; level++) {
		CUarray array = (CUarray)0x55;
		r = CALL(cuMipmappedArrayGetLevel, (&array, mipmap, level), "i%d, %u", i, level);
		if (r == CUDA_SUCCESS)
			level_copy(array, host[level % SLOTS], true);
		else
			out_number("is", array == (CUarray)0x55);
	}
}

static void do_level(void)
{
	static unsigned char back[HOST_BYTES];
	CUarray array = (CUarray)0x55, again = NULL;
	unsigned int level = (unsigned int)one_of(0, 0, 1, 1, 2, 3, 4, 5, 20, 0xffffffff);
	int i, to = room(LEVEL);
	CUmipmappedArray mipmap = any_mipmap(&i);
	CUresult r;
	if (one_in(20) && slots[MIPMAP][i].live && mipmap == handle_of(MIPMAP, i, CUmipmappedArray)) {
		level = 0;
		CALL(cuMipmappedArrayGetLevel, (NULL, mipmap, level), "NULL, i%d, %u", i, level);
		return;
	}
	r = CALL(cuMipmappedArrayGetLevel, (&array, mipmap, level), "i%d, %u", i, level);
	if (r != CUDA_SUCCESS) {
		out_number("is", array == (CUarray)0x55);
		return;
	}
	if (one_in(4)) {
		CALL(cuMipmappedArrayGetLevel, (&again, mipmap, level), "i%d, %u", i, level);
		out_number("same", again == array);
	}
	if (one_in(3))
		level_copy(array, host[pick(SLOTS)], true);
	memset(back, 0xcc, sizeof(back));
	level_copy(array, back, false);
	out(back, sizeof(back));
	if (to < 0)
		to = any(LEVEL);
	made(LEVEL, to, r, (uint64_t)(uintptr_t)array, (size_t)i);
	slots[LEVEL][to].owner = slots[MIPMAP][i].owner;
}

static void do_mipmap_destroy(void)
{
	int i, a;
	char name;
	CUmipmappedArray mipmap;
	CUarray array;
	CUDA_ARRAY3D_DESCRIPTOR desc;
	if (one_in(3)) { /* a level is not destroyed by itself */
		i = any(LEVEL);
		CALL(cuArrayDestroy, (handle_of(LEVEL, i, CUarray)), "l%d", i);
		level_copy(handle_of(LEVEL, i, CUarray), host[0], true);
		return;
	}
	if (one_in(4)) {
		memset(&desc, 0x55, sizeof(desc));
		array = any_array(&a, &name);
		CALL(cuArray3DGetDescriptor_v2, (&desc, array), "%c%d", name, a);
		out(&desc, sizeof(desc) - 4);
		return;
	}
	i = any(MIPMAP);
	mipmap = handle_of(MIPMAP, i, CUmipmappedArray);
	if (one_in(10)) {
		CALL(cuMipmappedArrayDestroy, (handle_of(ARRAY, i, CUmipmappedArray)), "a%d", i);
		return;
	}
	if (CALL(cuMipmappedArrayDestroy, (mipmap), "i%d", i) != CUDA_SUCCESS)
		return;
	gone(MIPMAP, i);
	for (int l = 0; l < SLOTS; l++)
		if (slots[LEVEL][l].bytes == (size_t)i)
			gone(LEVEL, l);
	if (one_in(3))
		CALL(cuMipmappedArrayDestroy, (mipmap), "i%d again", i);
}

static void do_array_facts(void)
{
	CUDA_ARRAY_SPARSE_PROPERTIES sparse;
	CUDA_ARRAY_MEMORY_REQUIREMENTS needs;
	CUarray array, plane = (CUarray)0x55;
	unsigned int index = (unsigned int)one_of(0, 1, 2, 99);
	bool nowhere = false;
	CUdevice device = 0;
	char name;
	int i;
	memset(&sparse, 0x55, sizeof(sparse));
	memset(&needs, 0x55, sizeof(needs));
	switch (pick(5)) {
	case 0:
		array = any_array(&i, &name);
		CALL(cuArrayGetPlane, (nowhere ? NULL : &plane, array, index), "%c%d, %u, %d", name, i, index, nowhere);
		out_number("is", plane == (CUarray)0x55);
		return;
	case 1:
		array = any_array(&i, &name);
		CALL(cuArrayGetSparseProperties, (nowhere ? NULL : &sparse, array), "%c%d, %d", name, i, nowhere);
		break;
	case 2:
		array = any_array(&i, &name);
		CALL(cuArrayGetMemoryRequirements, (nowhere ? NULL : &needs, array, device), "%c%d, %d, %d", name, i,
		     device, nowhere);
		break;
	case 3: {
		CUmipmappedArray mipmap = any_mipmap(&i);
		CALL(cuMipmappedArrayGetSparseProperties, (nowhere ? NULL : &sparse, mipmap), "i%d, %d", i, nowhere);
		break;
	}
	default: {
		CUmipmappedArray mipmap = any_mipmap(&i);
		CALL(cuMipmappedArrayGetMemoryRequirements, (nowhere ? NULL : &needs, mipmap, device), "i%d, %d, %d", i,
		     device, nowhere);
	}
	}
	out(&sparse, sizeof(sparse));
	out(&needs, sizeof(needs));
}

static void do_surface(void)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUsurfObject surface = 0x55;
	int i = room(SURFACE), a;
	bool none = one_in(15), nowhere = one_in(15);
	char name;
	CUresult r;
	if (i < 0)
		return;
	resource.res.array.hArray = any_array(&a, &name);
	if (one_in(10)) {
		resource.resType = (CUresourcetype)one_of(1, 2, 3, 9);
		memset(&resource.res, 0, sizeof(resource.res));
		if (resource.resType == CU_RESOURCE_TYPE_MIPMAPPED_ARRAY)
			resource.res.mipmap.hMipmappedArray = any_mipmap(&a);
		else
			resource.res.linear.devPtr = slots[MEMORY][0].handle;
	} else if (one_in(15)) {
		resource.flags = 1;
	}
	r = CALL(cuSurfObjectCreate, (nowhere ? NULL : &surface, none ? NULL : &resource), "u%d, %c%d, %d, %u, %d", i,
		 name, a, (int)resource.resType, resource.flags, none + 2 * nowhere);
	if (r != CUDA_SUCCESS)
		out_number("is", (int64_t)surface);
	made(SURFACE, i, r, surface, 0);
}

static void do_surface_ask(void)
{
	CUDA_RESOURCE_DESC got;
	int i = any(SURFACE), a;
	CUsurfObject surface = slots[SURFACE][i].handle;
	bool nowhere = one_in(12);
	CUresult r;
	if (one_in(12))
		i = any(TEXTURE), surface = slots[TEXTURE][i].handle;
	if (one_in(20))
		surface = one_of(0, 12345, 1ull << 40);
	memset(&got, 0x55, sizeof(got));
	r = CALL(cuSurfObjectGetResourceDesc, (nowhere ? NULL : &got, surface), "u%d, %d", i, nowhere);
	out_number("type", (int64_t)got.resType);
	out_number("flags", (int64_t)got.flags);
	if (r != CUDA_SUCCESS)
		return;
	a = which(ARRAY, (uint64_t)(uintptr_t)got.res.array.hArray);
	out_number("array", a >= 0 && slots[ARRAY][a].live ? a : -1); /* one that is gone has no name */
}

static void do_surface_destroy(void)
{
	int i = any(SURFACE);
	CUsurfObject surface = slots[SURFACE][i].handle;
	if (one_in(12)) {
		i = any(TEXTURE);
		CALL(cuSurfObjectDestroy, (slots[TEXTURE][i].handle), "t%d", i);
		return;
	}
	if (one_in(20)) {
		CALL(cuTexObjectDestroy, (surface), "u%d", i);
		return;
	}
	if (CALL(cuSurfObjectDestroy, (surface), "u%d", i) != CUDA_SUCCESS)
		return;
	gone(SURFACE, i);
	if (one_in(3))
		CALL(cuSurfObjectDestroy, (surface), "u%d again", i);
}

const struct operation differ_levels[] = { { "mipmap", 4, do_mipmap },
					   { "level", 6, do_level },
					   { "mipmap-destroy", 2, do_mipmap_destroy },
					   { "array-facts", 4, do_array_facts },
					   { "surface", 5, do_surface },
					   { "surface-ask", 4, do_surface_ask },
					   { "surface-destroy", 2, do_surface_destroy },
					   { NULL, 0, NULL } };
