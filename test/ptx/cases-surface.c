/* SPDX-License-Identifier: Apache-2.0 */
/* Surfaces: the argument is the size of an element and its channels; each thread has one element and steps past the
 * edges. */
#include "cases.h"
#include "driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define W         16
#define H         8
#define D         4
#define POINTS    512
#define BYTES_MAX 16

struct extent {
	int w, h, d; /* 1 where there is no such dimension */
	bool layered;
};

/* At most 16 bytes an element; three coordinates in elements, and what is written. */
struct point {
	int32_t x, y, z, unused;
	uint32_t value[4];
};

static uint8_t memory[W * H * D * BYTES_MAX], after[sizeof(memory)];

static struct extent extent_of(const struct pt_op *op)
{
	if (pt_op_has(op, "3d"))
		return (struct extent){ W, H, D, false };
	if (pt_op_has(op, "a2d"))
		return (struct extent){ W, H, D, true };
	if (pt_op_has(op, "a1d"))
		return (struct extent){ W, 1, D, true };
	return (struct extent){ W, pt_op_has(op, "2d") ? H : 1, 1, false };
}

static unsigned channels_of(const struct pt_op *op)
{
	return pt_op_has(op, "v4") ? 4 : pt_op_has(op, "v2") ? 2 : 1;
}

/* Eight-byte channels are two of four. */
static CUresult array_make(struct pt_driver *cu, const struct pt_op *op, CUarray *array)
{
	struct extent x = extent_of(op);
	int bits = pt_types[op->type[0]].bits;
	const CUDA_ARRAY3D_DESCRIPTOR how = {
		(size_t)x.w,
		x.h > 1 ? (size_t)x.h : 0,
		x.d > 1 ? (size_t)x.d : 0,
		bits == 8    ? CU_AD_FORMAT_UNSIGNED_INT8
		: bits == 16 ? CU_AD_FORMAT_UNSIGNED_INT16
			     : CU_AD_FORMAT_UNSIGNED_INT32,
		channels_of(op) * (bits == 64 ? 2 : 1),
		CUDA_ARRAY3D_SURFACE_LDST | (x.layered ? CUDA_ARRAY3D_LAYERED : 0),
	};

	return cu->f.cuArray3DCreate(array, &how);
}

static CUresult array_copy(struct pt_driver *cu, const struct pt_op *op, CUarray array, void *host, bool out)
{
	struct extent x = extent_of(op);
	size_t row = (size_t)x.w * channels_of(op) * (size_t)pt_types[op->type[0]].bits / 8;
	CUDA_MEMCPY3D copy = { .WidthInBytes = row, .Height = (size_t)x.h, .Depth = (size_t)x.d };

	copy.srcMemoryType = out ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_HOST;
	copy.dstMemoryType = out ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_ARRAY;
	copy.srcPitch = copy.dstPitch = row;
	copy.srcHeight = copy.dstHeight = (size_t)x.h;
	if (out) {
		copy.srcArray = array;
		copy.dstHost = host;
	} else {
		copy.srcHost = host;
		copy.dstArray = array;
	}
	return cu->f.cuMemcpy3D(&copy);
}

/* Every element once and some outside, so that no two writes meet: but clamped ones do, and stay inside. */
static void points_make(const struct pt_op *op, struct point *points, uint64_t seed)
{
	struct extent x = extent_of(op);
	int whole = x.w * x.h * x.d;

	for (int i = 0; i < POINTS; i++) {
		int at = i % (whole + whole / 4 + 1);

		points[i] = (struct point){ at % x.w, at / x.w % x.h, at / x.w / x.h % x.d, 0, { 0 } };
		if (at >= whole && !pt_op_has(op, "clamp"))
			points[i].x = i & 1 ? -1 - i % 7 : x.w + i % 5;
		else if (at >= whole && !strcmp(op->word[0], "suld"))
			points[i].x = i & 1 ? -1 - i % 7 : x.w + i % 5;
		for (int k = 0; k < 4; k++)
			points[i].value[k] = (uint32_t)((points[i].x * 2654435761u) ^
							(points[i].y * 97u + points[i].z * 12289u + (unsigned)k * 77u));
	}
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(pt_random(&seed) >> 9);
}

static uint8_t *element(const struct pt_op *op, uint8_t *base, int x, int y, int z)
{
	struct extent e = extent_of(op);

	return base + (size_t)((z * e.h + y) * e.w + x) * channels_of(op) * (size_t)pt_types[op->type[0]].bits / 8;
}

static int compare_loads(const struct pt_op *op, const struct point *points, const uint8_t *got, char *why)
{
	struct extent e = extent_of(op);
	size_t bytes = channels_of(op) * (size_t)pt_types[op->type[0]].bits / 8;

	for (int i = 0; i < POINTS; i++) {
		static const uint8_t zero[BYTES_MAX];
		int x = points[i].x;
		bool outside = x < 0 || x >= e.w;
		const uint8_t *want;

		if (pt_op_has(op, "clamp"))
			x = x < 0 ? 0 : x >= e.w ? e.w - 1 : x;
		want = outside && !pt_op_has(op, "clamp") ? zero : element(op, memory, x, points[i].y, points[i].z);
		if (!memcmp(got + (size_t)i * BYTES_MAX, want, bytes))
			continue;
		snprintf(why, 400, "at (%d, %d, %d) byte 0 got %02x want %02x", points[i].x, points[i].y, points[i].z,
			 got[(size_t)i * BYTES_MAX], want[0]);
		return -1;
	}
	return 0;
}

static int compare_stores(const struct pt_op *op, const struct point *points, char *why)
{
	struct extent e = extent_of(op);
	size_t bytes = channels_of(op) * (size_t)pt_types[op->type[0]].bits / 8, each = bytes / channels_of(op);

	for (int i = 0; i < POINTS; i++) {
		uint8_t *to;

		if (points[i].x < 0 || points[i].x >= e.w)
			continue;
		to = element(op, memory, points[i].x, points[i].y, points[i].z);
		for (unsigned k = 0; k < channels_of(op); k++)
			memcpy(to + k * each, (const uint8_t *)&points[i].value[each == 8 ? k * 2 : k], each);
	}
	for (size_t at = 0; at < (size_t)(e.w * e.h * e.d) * bytes; at++) {
		if (memory[at] == after[at])
			continue;
		snprintf(why, 400, "byte %zu of the array is %02x, not %02x", at, after[at], memory[at]);
		return -1;
	}
	return 0;
}

static int run_surface(struct pt_driver *cu, const struct pt_case *c, void *function, void *module, char *why)
{
	static struct point points[POINTS];
	static uint8_t got[POINTS * BYTES_MAX];
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUdeviceptr from = 0, to = 0;
	CUsurfObject object = 0;
	CUarray array = NULL;
	CUresult e = array_make(cu, &c->op, &array);

	(void)module;
	points_make(&c->op, points, cu->seed);
	resource.res.array.hArray = array;
	if (!e)
		e = array_copy(cu, &c->op, array, memory, false);
	if (!e)
		e = cu->f.cuSurfObjectCreate(&object, &resource);
	if (!e)
		e = cu->f.cuMemAlloc(&from, sizeof(points));
	if (!e)
		e = cu->f.cuMemAlloc(&to, sizeof(got));
	if (!e)
		e = cu->f.cuMemcpyHtoD(from, points, sizeof(points));
	if (!e)
		e = pt_launch(cu, function, POINTS / 128, 128, from, to, object);
	if (!e)
		e = cu->f.cuMemcpyDtoH(got, to, sizeof(got));
	if (!e)
		e = array_copy(cu, &c->op, array, after, true);
	if (object)
		cu->f.cuSurfObjectDestroy(object);
	if (array)
		cu->f.cuArrayDestroy(array);
	cu->f.cuMemFree(from);
	cu->f.cuMemFree(to);
	if (!e)
		return strcmp(c->op.word[0], "suld") ? compare_stores(&c->op, points, why)
						     : compare_loads(&c->op, points, got, why);
	snprintf(why, 400, "%s", pt_error_name(cu, e));
	return -1;
}

/* The first coordinate is in bytes. */
#define START                                                                                                          \
	".reg .b64 %sa, %da; .reg .b32 %x, %y, %z, %u, %n; mad.wide.u32 %sa, %gid, 32, %in; mad.wide.u32 %da, %gid, "  \
	"16, %out;"                                                                                                    \
	"ld.global.v4.b32 {%x, %y, %z, %u}, [%sa]; mul.lo.s32 %x, %x, ~; "
#define V1   "%r0"
#define V2   "{%r0, %r1}"
#define V4   "{%r0, %r1, %r2, %r3}"
#define REGS ".reg .&R %r0, %r1, %r2, %r3; "
#define NARROW_VALUES                                                                                                  \
	"ld.global.b32 %n, [%sa+16]; cvt.&N.u32 %r0, %n; ld.global.b32 %n, [%sa+20]; cvt.&N.u32 %r1, %n;"              \
	"ld.global.b32 %n, [%sa+24]; cvt.&N.u32 %r2, %n; ld.global.b32 %n, [%sa+28]; cvt.&N.u32 %r3, %n; "
#define LOADS(vec, v, at)                                                                                              \
	.sig = "=", .run = run_surface, .text = START REGS "# " v ", [%aux, " at "]; st.global" vec ".&B [%da], " v ";"
#define STORES(v, at) .sig = "=", .run = run_surface, .text = START REGS NARROW_VALUES "# [%aux, " at "], " v ";"
#define WIDE_STORES(v, at)                                                                                             \
	.sig = "=", .run = run_surface,                                                                                \
	.text = START REGS "ld.global.v2.b64 {%r0, %r1}, [%sa+16]; # [%aux, " at "], " v ";"
#define AT_1D  "{%x}"
#define AT_2D  "{%x, %y}"
#define AT_3D  "{%x, %y, %z, %z}"
#define AT_A1D "{%z, %x}"
#define AT_A2D "{%z, %x, %y, %y}"
#define SHAPES(vec, v, type, size)                                                                                     \
	{ .ops = "suld.b.1d" vec "." type ".{clamp,zero} " size, LOADS(vec, v, AT_1D) },                               \
		{ .ops = "suld.b.2d" vec "." type ".{clamp,zero} " size, LOADS(vec, v, AT_2D) },                       \
		{ .ops = "suld.b.3d" vec "." type ".{clamp,zero} " size, LOADS(vec, v, AT_3D) },                       \
		{ .ops = "suld.b.a1d" vec "." type ".{clamp,zero} " size, LOADS(vec, v, AT_A1D) },                     \
	{                                                                                                              \
		.ops = "suld.b.a2d" vec "." type ".{clamp,zero} " size, LOADS(vec, v, AT_A2D)                          \
	}
#define STORE_SHAPES(vec, v, type, size, how)                                                                          \
	{ .ops = "sust.b.1d" vec "." type ".zero " size, how(v, AT_1D) },                                              \
		{ .ops = "sust.b.2d" vec "." type ".zero " size, how(v, AT_2D) },                                      \
		{ .ops = "sust.b.3d" vec "." type ".zero " size, how(v, AT_3D) },                                      \
	{                                                                                                              \
		.ops = "sust.b.a2d" vec "." type ".zero " size, how(v, AT_A2D)                                         \
	}

const struct pt_family pt_cases_surface[] = {
	SHAPES("", V1, "b8", "1"),
	SHAPES("", V1, "b32", "4"),
	SHAPES("", V1, "b64", "8"),
	SHAPES(".v2", V2, "b16", "4"),
	SHAPES(".v4", V4, "b8", "4"),
	SHAPES(".v4", V4, "b32", "16"),
	SHAPES(".v2", V2, "b64", "16"),
	STORE_SHAPES("", V1, "b8", "1", STORES),
	STORE_SHAPES("", V1, "b16", "2", STORES),
	STORE_SHAPES("", V1, "b32", "4", STORES),
	STORE_SHAPES(".v2", V2, "b32", "8", STORES),
	STORE_SHAPES(".v4", V4, "b16", "8", STORES),
	STORE_SHAPES(".v4", V4, "b32", "16", STORES),
	STORE_SHAPES("", V1, "b64", "8", WIDE_STORES),
	STORE_SHAPES(".v2", V2, "b64", "16", WIDE_STORES),
	{ 0 },
};
