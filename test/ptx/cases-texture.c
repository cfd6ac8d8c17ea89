/* SPDX-License-Identifier: Apache-2.0 */
/* Textures and surfaces: the argument is how out-of-range coordinates are taken, the filter, and "n" for normalised. */
#include "cases.h"
#include "driver.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define W        13
#define H        7
#define D        5
#define POINTS   512
#define CHANNELS 4

struct shape {
	int dims, layers; /* spatial ones; 0: not layered */
	int rows;
};

static float texels[D][H][W][CHANNELS]; /* as read */
static uint8_t stored[sizeof(texels)];

static struct shape shape_of(const struct pt_op *op)
{
	if (pt_op_has(op, "a1d"))
		return (struct shape){ 1, D, 1 };
	if (pt_op_has(op, "a2d"))
		return (struct shape){ 2, D, H };
	if (pt_op_has(op, "1d"))
		return (struct shape){ 1, 0, 1 };
	return (struct shape){ pt_op_has(op, "3d") ? 3 : 2, 0, H };
}

/* What an array of the argument's format holds of small whole numbers, and what is read of it. */
static CUarray_format texels_make(const struct pt_op *op, size_t *bytes_out)
{
	float *to = (float *)texels;

	for (int i = 0; i < D * H * W * CHANNELS; i++) {
		int v = i * 7 % 64;
		uint16_t half = (uint16_t)sf_pack(&sf_f16, sf_from_double(v), SF_NEAREST, 0);
		int16_t whole = (int16_t)(v * 500 - 16000);

		to[i] = (float)v;
		if (strstr(op->arg, "u8")) {
			stored[i] = (uint8_t)(v * 4);
			to[i] = (float)(v * 4) / 255;
		} else if (strstr(op->arg, "s16")) {
			memcpy(stored + (size_t)i * 2, &whole, 2);
			to[i] = (float)whole / 32767;
		} else if (strstr(op->arg, "half")) {
			memcpy(stored + (size_t)i * 2, &half, 2);
		} else {
			memcpy(stored + (size_t)i * 4, &to[i], 4);
		}
	}
	*bytes_out = strstr(op->arg, "u8") ? 1 : strstr(op->arg, "s16") || strstr(op->arg, "half") ? 2 : 4;
	return strstr(op->arg, "u8")     ? CU_AD_FORMAT_UNSIGNED_INT8
	       : strstr(op->arg, "s16")  ? CU_AD_FORMAT_SIGNED_INT16
	       : strstr(op->arg, "half") ? CU_AD_FORMAT_HALF
					 : CU_AD_FORMAT_FLOAT;
}

static int array_make(struct pt_driver *cu, const struct pt_op *op, CUarray *array)
{
	struct shape s = shape_of(op);
	size_t height = s.dims > 1 ? H : 0, depth = s.dims > 2 || s.layers ? D : 0, bytes;
	CUarray_format format = texels_make(op, &bytes);
	const CUDA_ARRAY3D_DESCRIPTOR how = {
		W,
		height,
		depth,
		format,
		CHANNELS,
		(s.layers ? CUDA_ARRAY3D_LAYERED : 0) | (s.dims == 2 && !s.layers ? CUDA_ARRAY3D_TEXTURE_GATHER : 0)
	};
	CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_HOST,
			       .srcHost = stored,
			       .dstMemoryType = CU_MEMORYTYPE_ARRAY };
	CUresult e;

	e = cu->f.cuArray3DCreate(array, &how);
	if (e)
		return (int)e;
	copy.dstArray = *array;
	copy.srcPitch = W * CHANNELS * bytes;
	copy.srcHeight = H;
	copy.WidthInBytes = W * CHANNELS * bytes;
	copy.Height = height ? height : 1;
	copy.Depth = depth ? depth : 1;
	return (int)cu->f.cuMemcpy3D(&copy);
}

/* The index of a texel, or -1: the border's. */
static int index_of(const struct pt_op *op, int i, int size)
{
	if (strstr(op->arg, "clamp"))
		return i < 0 ? 0 : i >= size ? size - 1 : i;
	if (strstr(op->arg, "wrap"))
		return (i % size + size) % size;
	if (strstr(op->arg, "mirror")) {
		i = (i % (2 * size) + 2 * size) % (2 * size);
		return i < size ? i : 2 * size - 1 - i;
	}
	return i < 0 || i >= size ? -1 : i;
}

static double texel(const struct pt_op *op, const int at[3], struct shape s, int layer, int channel)
{
	const int sizes[3] = { W, s.rows, D };
	int i[3] = { 0, 0, 0 };

	for (int k = 0; k < s.dims; k++) {
		/* Integer coordinates outside read 0 in any mode. */
		i[k] = pt_op_has(op, "s32") && (at[k] < 0 || at[k] >= sizes[k]) ? -1 : index_of(op, at[k], sizes[k]);
		if (i[k] < 0)
			return 0;
	}
	return (double)texels[s.layers ? layer : i[2]][i[1]][i[0]][channel];
}

struct answer {
	double value[4], room[4];
	bool open; /* too near to a boundary between texels */
};

static void point_read(const struct pt_op *op, const double x[3], struct shape s, int layer, struct answer *a)
{
	int at[3];

	for (int k = 0; k < s.dims; k++) {
		at[k] = (int)floor(x[k]);
		a->open = a->open || fabs(x[k] - rint(x[k])) < 1. / 64;
	}
	for (int c = 0; c < 4; c++)
		a->value[c] = texel(op, at, s, layer, c);
}

/* Weights have 8 bits of fraction: the room is one of their units for each dimension, of what the texels span. */
static void linear_read(const struct pt_op *op, const double x[3], struct shape s, int layer, struct answer *a)
{
	double weight[3];
	int low[3];

	for (int k = 0; k < s.dims; k++) {
		low[k] = (int)floor(x[k] - 0.5);
		weight[k] = x[k] - 0.5 - low[k];
	}
	for (int c = 0; c < 4; c++) {
		double least = 1e30, most = -1e30;

		for (int corner = 0; corner < 1 << s.dims; corner++) {
			double part = 1, v;
			int at[3];

			for (int k = 0; k < s.dims; k++) {
				at[k] = low[k] + (corner >> k & 1);
				part *= corner >> k & 1 ? weight[k] : 1 - weight[k];
			}
			v = texel(op, at, s, layer, c);
			least = v < least ? v : least;
			most = v > most ? v : most;
			a->value[c] += part * v;
		}
		a->room[c] = (most - least) * s.dims / 256 + 1e-4;
	}
}

/* One channel of the four texels around: (0,1), (1,1), (1,0), (0,0). */
static void gather_read(const struct pt_op *op, const double x[3], struct shape s, struct answer *a)
{
	static const int order[4][2] = { { 0, 1 }, { 1, 1 }, { 1, 0 }, { 0, 0 } };
	int channel = pt_op_has(op, "r") ? 0 : pt_op_has(op, "g") ? 1 : pt_op_has(op, "b") ? 2 : 3;

	for (int k = 0; k < 2; k++)
		a->open = a->open || fabs(x[k] - 0.5 - rint(x[k] - 0.5)) < 1. / 64;
	for (int i = 0; i < 4; i++) {
		int at[3] = { (int)floor(x[0] - 0.5) + order[i][0], (int)floor(x[1] - 0.5) + order[i][1], 0 };

		a->value[i] = texel(op, at, s, 0, channel);
	}
}

static struct answer answer_of(const struct pt_op *op, const float in[4])
{
	const int sizes[3] = { W, H, D };
	struct shape s = shape_of(op);
	struct answer a = { { 0 }, { 0 }, false };
	int layer = (int)in[3];
	double x[3] = { 0, 0, 0 };

	for (int k = 0; k < s.dims; k++)
		x[k] = (double)in[k] * (strstr(op->arg, " n") ? sizes[k] : 1);
	if (!strcmp(op->word[0], "tld4")) {
		gather_read(op, x, s, &a);
	} else if (strstr(op->arg, "linear")) {
		/* A line is a plane of one row, read at y = 0: the border beside it counts. */
		s.dims += s.dims == 1 && !s.layers;
		linear_read(op, x, s, layer, &a);
	} else {
		point_read(op, x, s, layer, &a);
	}
	return a;
}

static int points_compare(const struct pt_case *c, const float (*in)[4], const float (*out)[4], char *why)
{
	for (int i = 0; i < POINTS; i++) {
		struct answer a = answer_of(&c->op, in[i]);

		for (int k = 0; k < 4 && !a.open; k++) {
			if (fabs((double)out[i][k] - a.value[k]) <= a.room[k] + 1e-6)
				continue;
			snprintf(why, 400, "at (%g, %g, %g, %g) channel %d got %g want %g (within %g)",
				 (double)in[i][0], (double)in[i][1], (double)in[i][2], (double)in[i][3], k,
				 (double)out[i][k], a.value[k], a.room[k]);
			return -1;
		}
	}
	return 0;
}

static void points_make(const struct pt_op *op, float (*in)[4], uint64_t seed)
{
	const int sizes[4] = { W, H, D, D };

	for (int i = 0; i < POINTS; i++) {
		for (int k = 0; k < 4; k++) {
			double r = (double)(pt_random(&seed) >> 40) / (1 << 24);

			/* From well below to well above. */
			r = k == 3 ? floor(r * D) : (r * 3 - 1) * (strstr(op->arg, " n") ? 1 : sizes[k]);
			in[i][k] = (float)r;
		}
		if (pt_op_has(op, "s32")) {
			for (int k = 0; k < 3; k++)
				in[i][k] = floorf(in[i][k]) + 0.5f;
		}
	}
}

static CUtexObject texture_make(struct pt_driver *cu, const struct pt_op *op, CUarray array, CUresult *e)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	CUDA_TEXTURE_DESC how = { .filterMode = strstr(op->arg, "linear") ? CU_TR_FILTER_MODE_LINEAR
									  : CU_TR_FILTER_MODE_POINT };
	CUtexObject object = 0;

	resource.res.array.hArray = array;
	for (int k = 0; k < 3; k++)
		how.addressMode[k] = strstr(op->arg, "clamp")    ? CU_TR_ADDRESS_MODE_CLAMP
				     : strstr(op->arg, "wrap")   ? CU_TR_ADDRESS_MODE_WRAP
				     : strstr(op->arg, "mirror") ? CU_TR_ADDRESS_MODE_MIRROR
								 : CU_TR_ADDRESS_MODE_BORDER;
	how.flags = strstr(op->arg, " n") ? CU_TRSF_NORMALIZED_COORDINATES : 0;
	*e = cu->f.cuTexObjectCreate(&object, &resource, &how, NULL);
	return object;
}

static int run_texture(struct pt_driver *cu, const struct pt_case *c, void *function, void *module, char *why)
{
	static float in[POINTS][4], out[POINTS][4];
	CUarray array = NULL;
	CUdeviceptr from = 0, to = 0;
	CUtexObject object = 0;
	CUresult e = (CUresult)array_make(cu, &c->op, &array);

	(void)module;
	points_make(&c->op, in, cu->seed);
	if (!e)
		object = texture_make(cu, &c->op, array, &e);
	if (!e)
		e = cu->f.cuMemAlloc(&from, sizeof(in));
	if (!e)
		e = cu->f.cuMemAlloc(&to, sizeof(out));
	if (!e)
		e = cu->f.cuMemcpyHtoD(from, in, sizeof(in));
	if (!e)
		e = pt_launch(cu, function, POINTS / 128, 128, from, to, object);
	if (!e)
		e = cu->f.cuMemcpyDtoH(out, to, sizeof(out));
	if (object)
		cu->f.cuTexObjectDestroy(object);
	if (array)
		cu->f.cuArrayDestroy(array);
	cu->f.cuMemFree(from);
	cu->f.cuMemFree(to);
	if (!e)
		return points_compare(c, in, out, why);
	snprintf(why, 400, "%s", pt_error_name(cu, e));
	return -1;
}

#define READ_BY(instruction)                                                                                           \
	.sig = "=", .run = run_texture,                                                                                \
	.text = ".reg .b64 %sa, %da; .reg .f32 %x, %y, %z, %w, %r0, %r1, %r2, %r3; .reg .b32 %l, %ix, %iy, %iz;"       \
		"mad.wide.u32 %sa, %gid, 16, %in; mad.wide.u32 %da, %gid, 16, %out; ld.global.v4.f32 {%x, %y, %z, "    \
		"%w}, [%sa];"                                                                                          \
		"cvt.rzi.u32.f32 %l, %w; cvt.rmi.s32.f32 %ix, %x; cvt.rmi.s32.f32 %iy, %y; cvt.rmi.s32.f32 %iz, "      \
		"%z;" instruction "; st.global.v4.f32 [%da], {%r0, %r1, %r2, %r3};"
#define READ_AT(coordinates, tail) READ_BY("# {%r0, %r1, %r2, %r3}, [%aux, " coordinates "]" tail)
#define READ(coordinates)          READ_AT(coordinates, "")
#define MODES                                                                                                          \
	"{clamp point,clamp linear,border point,border linear,clamp point n,clamp linear n,border linear n,"           \
	"wrap point n,wrap linear n,mirror point n,mirror linear n}"

const struct pt_family pt_cases_texture[] = {
	{ .ops = "tex.1d.v4.f32.f32 " MODES, READ("{%x}") },
	{ .ops = "tex.2d.v4.f32.f32 " MODES, READ("{%x, %y}") },
	{ .ops = "tex.3d.v4.f32.f32 " MODES, READ("{%x, %y, %z, %z}") },
	{ .ops = "tex.a1d.v4.f32.f32 " MODES, READ("{%l, %x}") },
	{ .ops = "tex.a2d.v4.f32.f32 " MODES, READ("{%l, %x, %y, %y}") },
	{ .ops = "tex.{2d}.v4.f32.f32 {clamp point,clamp linear,border linear,wrap linear n} {u8,s16,half}",
	  READ("{%x, %y}") },
	{ .ops = "tex.3d.v4.f32.f32 {clamp linear,mirror linear n} {u8,half}", READ("{%x, %y, %z, %z}") },
	{ .ops = "tex.level.2d.v4.f32.f32 {clamp point n,clamp linear n}", READ_AT("{%x, %y}", ", 0f00000000") },
	{ .ops = "tex.level.3d.v4.f32.f32 {clamp point n,wrap linear n}", READ_AT("{%x, %y, %z, %z}", ", 0f00000000") },
	{ .ops = "tex.grad.2d.v4.f32.f32 {clamp point n,clamp linear n}",
	  READ_AT("{%x, %y}", ", {0f00000000, 0f00000000}, {0f00000000, 0f00000000}") },
	{ .ops = "tex.1d.v4.f32.s32 {clamp point,border point}", READ("{%ix}") },
	{ .ops = "tex.2d.v4.f32.s32 {clamp point,border point}", READ("{%ix, %iy}") },
	{ .ops = "tex.3d.v4.f32.s32 {clamp point,border point}", READ("{%ix, %iy, %iz, %iz}") },
	/* Whether a texel is resident is said too: it is. */
	{ .ops = "tex.2d.v4.f32.f32 {clamp point,border linear} resident",
	  READ_BY(".reg .pred %q; setp.ne.u32 %q, %gid, %gid; # {%r0, %r1, %r2, %r3}|%q, [%aux, {%x, %y}]; @!%q "
		  "mov.f32 %r0, 0f7fffffff"),
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "tex.{2d}.v4.f16.f32 {clamp point,border point} half",
	  READ_BY(".reg .b16 %h<4>; # {%h0, %h1, %h2, %h3}, [%aux, {%x, %y}]; cvt.f32.f16 %r0, %h0; cvt.f32.f16 %r1, "
		  "%h1; cvt.f32.f16 %r2, %h2; cvt.f32.f16 %r3, %h3") },
	{ .ops = "tex.{2d}.v2.f16x2.f32 {clamp point,border point} half",
	  READ_BY(".reg .b16 %h<4>; .reg .b32 %p<2>; # {%p0, %p1}, [%aux, {%x, %y}]; mov.b32 {%h0, %h1}, %p0; mov.b32 "
		  "{%h2, %h3}, %p1; cvt.f32.f16 %r0, %h0; cvt.f32.f16 %r1, %h1; cvt.f32.f16 %r2, %h2; cvt.f32.f16 "
		  "%r3, %h3") },
	{ .ops = "tld4.{r,g,b,a}.2d.v4.f32.f32 {clamp point,border point,clamp point n,wrap point n}",
	  READ("{%x, %y}") },
	{ 0 },
};
