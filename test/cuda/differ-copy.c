/* Random calls: copies of every shape and direction, arrays, textures. */
#include "differ.h"

struct side {
	uint64_t at;
	size_t bytes;
	char name[32];
	enum slot_kind kind;
	int slot;
	bool is_host, pinned;
};

static void side_of(struct side *side, bool on_host)
{
	size_t offset = one_of(0, 0, 0, 1, 4, 100, 4096);
	int i;
	if (on_host && one_in(3) && (i = living(PINNED)) >= 0) {
		*side = (struct side){ slots[PINNED][i].handle, slots[PINNED][i].bytes, "", PINNED, i, true, true };
	} else if (on_host) {
		i = (int)pick(SLOTS);
		*side = (struct side){ (uint64_t)(uintptr_t)host[i], HOST_BYTES, "", KINDS, i, true, false };
	} else {
		i = any(MEMORY);
		*side = (struct side){ slots[MEMORY][i].live ? slots[MEMORY][i].handle : 0,
				       slots[MEMORY][i].bytes,
				       "",
				       MEMORY,
				       i,
				       false,
				       false };
	}
	if (offset < side->bytes) {
		side->at += side->at ? offset : 0;
		side->bytes -= offset;
	}
	snprintf(side->name, sizeof(side->name), "%s%d + %zu",
		 side->kind == PINNED  ? "p"
		 : side->kind == KINDS ? "h"
				       : "m",
		 i, offset);
}

/* A copy from the program's memory into what it overlaps has no one result: `to` goes elsewhere. */
static void keep_apart(const struct side *from, struct side *to)
{
	int i = (to->slot + 1) % SLOTS;
	if (!from->is_host || !to->is_host || from->kind != to->kind || from->slot != to->slot)
		return;
	*to = (struct side){ (uint64_t)(uintptr_t)host[i], HOST_BYTES, "", KINDS, i, true, false };
	snprintf(to->name, sizeof(to->name), "h%d", i);
}

static void show(const struct side *side, CUstream stream)
{
	if (side->kind == PINNED) {
		CALL(cuStreamSynchronize, (stream), "same");
		out(handle_of(PINNED, side->slot, void *), slots[PINNED][side->slot].bytes);
	} else if (side->kind == KINDS) {
		CALL(cuStreamSynchronize, (stream), "same");
		out(host[side->slot], HOST_BYTES);
	} else {
		settle(stream, side->slot);
	}
}

static void do_linear(void)
{
	struct side from, to;
	uint32_t way = pick(8), plain = way % 4;
	size_t count, most;
	CUstream stream = NULL;
	int number = 0;
	side_of(&from, plain == 0 || (plain == 3 && one_in(2)));
	side_of(&to, plain == 1 || (plain == 3 && one_in(2)));
	keep_apart(&from, &to);
	most = from.bytes < to.bytes ? from.bytes : to.bytes;
	count = one_in(8) ? 0 : one_in(3) ? most : pick((uint32_t)most + 1);
	/* Past the end of device memory only: past that of its own memory the program itself would fault. */
	if (one_in(10) && !from.is_host && !to.is_host)
		count = one_of(most + 1, 1ull << 40, ~0ull);
	if (one_in(20) && !to.is_host && plain == 0)
		from.at = 0, strcpy(from.name, "NULL"), count = one_of(0, 1, 100);
	if (one_in(20) && !from.is_host && plain == 1)
		to.at = 0, strcpy(to.name, "NULL"), count = one_of(0, 1, 100);
	if (way >= 4)
		stream = any_stream(&number);
#define LINE       "%s, %s, %zu", to.name, from.name, count
#define LINE_ASYNC "%s, %s, %zu, s%d", to.name, from.name, count, number
	switch (way) {
	case 0:
		CALL(cuMemcpyHtoD_v2, (to.at, (void *)(uintptr_t)from.at, count), LINE);
		break;
	case 1:
		CALL(cuMemcpyDtoH_v2, ((void *)(uintptr_t)to.at, from.at, count), LINE);
		break;
	case 2:
		CALL(cuMemcpyDtoD_v2, (to.at, from.at, count), LINE);
		break;
	case 3:
		CALL(cuMemcpy, (to.at, from.at, count), LINE);
		break;
	case 4:
		CALL(cuMemcpyHtoDAsync_v2, (to.at, (void *)(uintptr_t)from.at, count, stream), LINE_ASYNC);
		break;
	case 5:
		CALL(cuMemcpyDtoHAsync_v2, ((void *)(uintptr_t)to.at, from.at, count, stream), LINE_ASYNC);
		break;
	case 6:
		CALL(cuMemcpyDtoDAsync_v2, (to.at, from.at, count, stream), LINE_ASYNC);
		break;
	default:
		CALL(cuMemcpyAsync, (to.at, from.at, count, stream), LINE_ASYNC);
	}
	if (to.at || to.kind == MEMORY)
		show(&to, stream);
}

/* One side of a copy of lines: within what it has, or past the end of device memory. */
static void shape_side(struct side *side, CUmemorytype *type, CUarray *array, size_t *pitch)
{
	uint32_t what = pick(4);
	*array = NULL;
	*pitch = one_of(0, 64, 128, 128, 256, 100);
	if (what == 0) {
		int i = any(ARRAY);
		*side = (struct side){ 0, 0, "", ARRAY, i, false, false };
		*type = CU_MEMORYTYPE_ARRAY;
		*array = handle_of(ARRAY, i, CUarray);
		snprintf(side->name, sizeof(side->name), "a%d", i);
		return;
	}
	side_of(side, what == 1);
	if (side->pinned) /* not large enough for every shape */
		side_of(side, false);
	*type = side->is_host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	if (one_in(6) && !side->is_host)
		*type = CU_MEMORYTYPE_UNIFIED;
	if (one_in(30))
		*type = (CUmemorytype)0;
}

static void show_shape(const struct side *to)
{
	if (to->kind == ARRAY)
		CALL(cuCtxSynchronize, (), " ");
	else
		show(to, NULL);
}

static void do_lines(void)
{
	CUDA_MEMCPY2D copy = { 0 };
	struct side from, to;
	int number = 0;
	CUstream stream = any_stream(&number);
	shape_side(&from, &copy.srcMemoryType, &copy.srcArray, &copy.srcPitch);
	shape_side(&to, &copy.dstMemoryType, &copy.dstArray, &copy.dstPitch);
	keep_apart(&from, &to);
	if (from.is_host)
		copy.srcHost = (void *)(uintptr_t)from.at;
	copy.srcDevice = from.at;
	if (to.is_host)
		copy.dstHost = (void *)(uintptr_t)to.at;
	copy.dstDevice = to.at;
	copy.srcXInBytes = one_of(0, 0, 4, 8, 3);
	copy.srcY = one_of(0, 0, 1, 2);
	copy.dstXInBytes = one_of(0, 0, 4, 8, 3);
	copy.dstY = one_of(0, 0, 1, 2);
	copy.WidthInBytes = one_of(0, 4, 16, 32, 60, 64, 120);
	copy.Height = one_of(0, 1, 2, 4, 7);
#define SHAPE                                                                                                          \
	"%s type %d pitch %zu x %zu y %zu, %s type %d pitch %zu x %zu y %zu, %zu x %zu, s%d", to.name,                 \
		(int)copy.dstMemoryType, copy.dstPitch, copy.dstXInBytes, copy.dstY, from.name,                        \
		(int)copy.srcMemoryType, copy.srcPitch, copy.srcXInBytes, copy.srcY, copy.WidthInBytes, copy.Height,   \
		number
	switch (pick(3)) {
	case 0:
		CALL(cuMemcpy2D_v2, (&copy), SHAPE);
		break;
	case 1:
		CALL(cuMemcpy2DUnaligned_v2, (&copy), SHAPE);
		break;
	default:
		CALL(cuMemcpy2DAsync_v2, (&copy, stream), SHAPE);
		CALL(cuStreamSynchronize, (stream), "same");
	}
	show_shape(&to);
}

static void do_slices(void)
{
	CUDA_MEMCPY3D copy = { 0 };
	struct side from, to;
	int number = 0;
	CUstream stream = any_stream(&number);
	shape_side(&from, &copy.srcMemoryType, &copy.srcArray, &copy.srcPitch);
	shape_side(&to, &copy.dstMemoryType, &copy.dstArray, &copy.dstPitch);
	keep_apart(&from, &to);
	if (from.is_host)
		copy.srcHost = (void *)(uintptr_t)from.at;
	copy.srcDevice = from.at;
	if (to.is_host)
		copy.dstHost = (void *)(uintptr_t)to.at;
	copy.dstDevice = to.at;
	copy.srcHeight = one_of(0, 4, 8);
	copy.dstHeight = one_of(0, 4, 8);
	copy.srcXInBytes = one_of(0, 0, 4);
	copy.srcZ = one_of(0, 0, 1);
	copy.dstXInBytes = one_of(0, 0, 4);
	copy.dstZ = one_of(0, 0, 1);
	copy.srcLOD = one_in(30);
	copy.WidthInBytes = one_of(0, 4, 16, 32, 64);
	copy.Height = one_of(0, 1, 2, 4, 7);
	copy.Depth = one_of(0, 1, 1, 2, 3);
#define BOX                                                                                                            \
	"%s type %d pitch %zu height %zu x %zu z %zu, %s type %d pitch %zu height %zu x %zu z %zu lod %zu, %zu x %zu " \
	"x %zu, s%d",                                                                                                  \
		to.name, (int)copy.dstMemoryType, copy.dstPitch, copy.dstHeight, copy.dstXInBytes, copy.dstZ,          \
		from.name, (int)copy.srcMemoryType, copy.srcPitch, copy.srcHeight, copy.srcXInBytes, copy.srcZ,        \
		copy.srcLOD, copy.WidthInBytes, copy.Height, copy.Depth, number
	if (one_in(2)) {
		CALL(cuMemcpy3D_v2, (&copy), BOX);
	} else {
		CALL(cuMemcpy3DAsync_v2, (&copy, stream), BOX);
		CALL(cuStreamSynchronize, (stream), "same");
	}
	show_shape(&to);
}

static void fill_array(int i, const CUDA_ARRAY3D_DESCRIPTOR *desc, size_t element)
{
	CUDA_MEMCPY3D copy = { 0 };
	copy.srcMemoryType = CU_MEMORYTYPE_HOST;
	copy.srcHost = host[i];
	copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
	copy.dstArray = handle_of(ARRAY, i, CUarray);
	copy.WidthInBytes = desc->Width * element;
	copy.Height = desc->Height ? desc->Height : 1;
	copy.Depth = desc->Depth ? desc->Depth : 1;
	CALL(cuMemcpy3D_v2, (&copy), "a%d, h%d", i, i);
}

static void do_array(void)
{
	CUDA_ARRAY3D_DESCRIPTOR desc = { .Width = one_of(1, 16, 16, 30, 0),
					 .Height = one_of(0, 1, 8),
					 .Depth = one_of(0, 0, 3) };
	CUDA_ARRAY_DESCRIPTOR flat;
	int i = any(ARRAY);
	CUarray array = handle_of(ARRAY, i, CUarray);
	uint32_t kind = pick(4);
	CUresult r;
	if (one_in(4)) {
		memset(&desc, 0x55, sizeof(desc));
		r = CALL(cuArray3DGetDescriptor_v2, (&desc, array), "a%d", i);
		out(&desc, r == CUDA_SUCCESS ? sizeof(desc) - 4 : 0);
		memset(&flat, 0x55, sizeof(flat));
		CALL(cuArrayGetDescriptor_v2, (&flat, array), "a%d", i);
		out(&flat, sizeof(flat));
		return;
	}
	if (slots[ARRAY][i].live) {
		CALL(cuArrayDestroy, (array), "a%d", i);
		gone(ARRAY, i);
		return;
	}
	desc.Format = (CUarray_format[]){ CU_AD_FORMAT_FLOAT, CU_AD_FORMAT_UNSIGNED_INT8, CU_AD_FORMAT_SIGNED_INT16,
					  (CUarray_format)77 }[kind];
	desc.NumChannels = (unsigned int)one_of(1, 2, 4, 4, 3);
	desc.Flags = (unsigned int)one_of(0, 0, CUDA_ARRAY3D_SURFACE_LDST, 0x80000);
	array = NULL;
	if (one_in(3)) {
		flat = (CUDA_ARRAY_DESCRIPTOR){ desc.Width, desc.Height, desc.Format, desc.NumChannels };
		desc.Depth = 0;
		r = CALL(cuArrayCreate_v2, (&array, &flat), "a%d, %zu x %zu, format %d, %u", i, desc.Width, desc.Height,
			 (int)desc.Format, desc.NumChannels);
	} else {
		r = CALL(cuArray3DCreate_v2, (&array, &desc), "a%d, %zu x %zu x %zu, format %d, %u, flags %u", i,
			 desc.Width, desc.Height, desc.Depth, (int)desc.Format, desc.NumChannels, desc.Flags);
	}
	made(ARRAY, i, r, (uint64_t)(uintptr_t)array, 0);
	if (r == CUDA_SUCCESS)
		fill_array(i, &desc, (size_t[]){ 4, 1, 2, 1 }[kind] * desc.NumChannels);
}

static void do_texture(void)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY }, got_resource;
	CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT }, got;
	int i = any(TEXTURE), a = any(ARRAY);
	CUtexObject texture = slots[TEXTURE][i].handle;
	CUresult r;
	if (slots[TEXTURE][i].live && one_in(2)) {
		memset(&got, 0x55, sizeof(got));
		CALL(cuTexObjectGetTextureDesc, (&got, texture), "t%d", i);
		out(&got, sizeof(got));
		memset(&got_resource, 0, sizeof(got_resource));
		CALL(cuTexObjectGetResourceDesc, (&got_resource, texture), "t%d", i);
		a = which(ARRAY, (uint64_t)(uintptr_t)got_resource.res.array.hArray);
		out_number("array", a >= 0 && slots[ARRAY][a].live ? a : -1); /* one that is gone has no name */
		return;
	}
	if (slots[TEXTURE][i].live) {
		CALL(cuTexObjectDestroy, (texture), "t%d", i);
		gone(TEXTURE, i);
		return;
	}
	resource.res.array.hArray = handle_of(ARRAY, a, CUarray);
	sampling.filterMode = (CUfilter_mode)one_of(0, 1, 7);
	sampling.addressMode[0] = (CUaddress_mode)one_of(0, 1, 2, 3, 9);
	sampling.flags = (unsigned int)one_of(0, 1, 2, 0x100);
	sampling.maxAnisotropy = (unsigned int)one_of(0, 1, 16, 99);
	if (one_in(8) &&
	    slots[ARRAY][a].live) /* what is looked at first is nobody's business: one thing may be wrong */
		resource.resType = (CUresourcetype)9;
	texture = 0;
	r = CALL(cuTexObjectCreate, (&texture, &resource, &sampling, NULL), "t%d, a%d, %d, %d, %d, %u, %u", i, a,
		 (int)resource.resType, (int)sampling.filterMode, (int)sampling.addressMode[0], sampling.flags,
		 sampling.maxAnisotropy);
	made(TEXTURE, i, r, texture, 0);
}

static void do_array_linear(void)
{
	int a = any(ARRAY), h = (int)pick(SLOTS);
	size_t offset = one_of(0, 4, 1ull << 30), bytes = one_of(0, 4, 16, 64);
	if (one_in(2)) {
		CALL(cuMemcpyHtoA_v2, (handle_of(ARRAY, a, CUarray), offset, host[h], bytes), "a%d + %zu, h%d, %zu", a,
		     offset, h, bytes);
	} else {
		CALL(cuMemcpyAtoH_v2, (host[h], handle_of(ARRAY, a, CUarray), offset, bytes), "h%d, a%d + %zu, %zu", h,
		     a, offset, bytes);
		out(host[h], HOST_BYTES);
	}
}

const struct operation differ_copy[] = { { "linear", 20, do_linear },
					 { "lines", 8, do_lines },
					 { "slices", 6, do_slices },
					 { "array", 5, do_array },
					 { "texture", 4, do_texture },
					 { "array-linear", 2, do_array_linear },
					 { NULL, 0, NULL } };
