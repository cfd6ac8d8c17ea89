/* Textures against a sampling in double precision, surfaces, matrices.  Usage: test-refgpu-texture BUILD */
#include <math.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/kit.h"

#define IMAGES   (8u << 20) /* offsets in device memory */
#define SAMPLERS ((8u << 20) + 4096)
#define TEXELS   (9u << 20)
#define COORDS   (1u << 20)
#define OUT      (2u << 20)
#define LANES    256
#define BEGIN                                                                                                          \
	"entry $0x1008040\nuld.u64.param U4, [0]\nuld.u64.param U5, [8]\nuld.u64.param U6, [16]\numov.u32 U7, "        \
	"#0\ns2r.u32 R1, $33\n"                                                                                        \
	"ld.f32.global R8, [U4 + R1 << 2]\n"

static struct pl_isa_image *image(struct kit *kit)
{
	return (void *)(kit->memory + IMAGES);
}
static struct pl_isa_sampler *sampler(struct kit *kit)
{
	return (void *)(kit->memory + SAMPLERS);
}

static void set_up(struct kit *kit, uint32_t width, uint32_t height, uint32_t depth)
{
	float *texel = (void *)(kit->memory + TEXELS);

	*image(kit) = (struct pl_isa_image){ .va = KIT_VA + TEXELS,
					     .pitch_bytes = width * 4,
					     .slice_bytes = width * 4ull * height,
					     .width = width,
					     .height = height,
					     .depth = depth,
					     .channels = 1,
					     .channel_bits = 32,
					     .texel = PL_ISA_TEXEL_FLOAT,
					     .levels = 1,
					     .flags = PL_ISA_IMAGE_SURFACE };
	*sampler(kit) =
		(struct pl_isa_sampler){ .wrap = { PL_ISA_CLAMP, PL_ISA_CLAMP, PL_ISA_CLAMP }, .filter = PL_ISA_POINT };
	for (uint32_t i = 0; i < width * height * depth; i++)
		texel[i] = (float)(rand() % 1000);
	kit->desc.image_va = KIT_VA + IMAGES;
	kit->desc.image_count = 4;
	kit->desc.sampler_va = KIT_VA + SAMPLERS;
	kit->desc.sampler_count = 4;
}

static void run(struct kit *kit, const char *text)
{
	kit_code(kit, text);
	kit->param[0] = KIT_VA + COORDS;
	kit->param[1] = KIT_VA + OUT;
	if (kit_run(kit, 1, LANES) != PL_RG_FAULT_NONE)
		fprintf(stderr, "fault %x\n%s", kit->result.fault.code, text);
	assert(kit->result.fault.code == PL_RG_FAULT_NONE);
}

static int wrapped(unsigned mode, int i, int n)
{
	switch (mode) {
	case PL_ISA_WRAP:
		return ((i % n) + n) % n;
	case PL_ISA_MIRROR:
		i = ((i % (2 * n)) + 2 * n) % (2 * n);
		return i < n ? i : 2 * n - 1 - i;
	case PL_ISA_CLAMP:
		return i < 0 ? 0 : i >= n ? n - 1 : i;
	default:
		return i < 0 || i >= n ? -1 : i;
	}
}

static double texel_of(struct kit *kit, int x, int y, int z)
{
	const struct pl_isa_image *im = image(kit);
	const struct pl_isa_sampler *sa = sampler(kit);
	const float *texels = (void *)(kit->memory + TEXELS);

	x = wrapped(sa->wrap[0], x, (int)im->width), y = wrapped(sa->wrap[1], y, (int)im->height),
	z = wrapped(sa->wrap[2], z, (int)im->depth);
	return x < 0 || y < 0 || z < 0 ? sa->border[0]
				       : texels[((uint32_t)z * im->height + (uint32_t)y) * im->width + (uint32_t)x];
}

/* By the formula; weights exact, so a filtered value may differ by a 512th of what neighbours differ. */
static double expected(struct kit *kit, unsigned dims, const double at[3])
{
	const struct pl_isa_image *im = image(kit);
	const struct pl_isa_sampler *sa = sampler(kit);
	double size[3] = { im->width, im->height, im->depth }, c[3], sum = 0;

	for (unsigned k = 0; k < 3; k++)
		c[k] = k < dims ? (sa->flags & PL_ISA_SAMPLER_NORMALIZED_COORDS ? at[k] * size[k] : at[k]) : 0.5;
	if (sa->filter == PL_ISA_POINT)
		return texel_of(kit, (int)floor(c[0]), (int)floor(c[1]), (int)floor(c[2]));
	for (unsigned corner = 0; corner < 8; corner++) {
		double part = 1;
		int i[3];

		for (unsigned k = 0; k < 3; k++) {
			double v = c[k] - 0.5, low = floor(v);
			i[k] = (int)low + (int)(corner >> k & 1);
			part *= corner >> k & 1 ? v - low : 1 - (v - low);
		}
		sum += part * texel_of(kit, i[0], i[1], i[2]);
	}
	return sum;
}

static void sample_all(struct kit *kit, unsigned dims, const char *geometry)
{
	float *coords = (void *)(kit->memory + COORDS), *out = (void *)(kit->memory + OUT);
	char text[1024];

	for (int i = 0; i < LANES * 3; i++)
		coords[i] = (float)(rand() % 4001 - 1500) /
			    (sampler(kit)->flags & PL_ISA_SAMPLER_NORMALIZED_COORDS ? 1024.0f : 64.0f);
	snprintf(text, sizeof(text),
		 BEGIN "ld.f32.global R9, [U4 + R1 << 2 + 1024]\nld.f32.global R10, [U4 + R1 << 2 + 2048]\n"
		       "tex.f32%s R20, R8, R0, U6, $0\nst.u32.global R20, [U5 + R1 << 2]\nexit\n",
		 geometry);
	for (char *at; (at = strstr(text, "ld.f32"));)
		memcpy(at, "ld.u32", 6);
	run(kit, text);
	for (int i = 0; i < LANES; i++) {
		double at[3] = { coords[i], coords[LANES + i], coords[2 * LANES + i] }, want = expected(kit, dims, at);
		double off = sampler(kit)->filter == PL_ISA_LINEAR ? 1000.0 * dims / 512 + 0.5 : 0;

		if (fabs(out[i] - want) > off)
			fprintf(stderr, "%s %g %g %g: %g, not %g\n", geometry, at[0], at[1], at[2], out[i], want);
		assert(fabs(out[i] - want) <= off);
	}
}

static void test_sampling_follows_the_formula(struct kit *kit)
{
	static const char *const geometry[] = { "", ".2d", ".3d" };

	for (unsigned dims = 1; dims <= 3; dims++)
		for (unsigned normalized = 0; normalized < 2; normalized++)
			for (unsigned mode = normalized ? 0 : 1; mode < 4; mode++)
				for (unsigned filter = 0; filter < 2; filter++) {
					if (!normalized && mode == PL_ISA_MIRROR)
						continue;
					set_up(kit, 13, dims > 1 ? 7 : 1, dims > 2 ? 5 : 1);
					for (unsigned k = 0; k < 3; k++)
						sampler(kit)->wrap[k] = k < dims ? (uint8_t)mode : PL_ISA_CLAMP;
					sampler(kit)->filter = (uint8_t)filter;
					sampler(kit)->border[0] = 17;
					sampler(kit)->flags = normalized ? PL_ISA_SAMPLER_NORMALIZED_COORDS : 0;
					sample_all(kit, dims, geometry[dims - 1]);
				}
}

static void test_integer_fetch_and_formats(struct kit *kit)
{
	uint8_t *bytes = kit->memory + TEXELS;
	const uint32_t *out = (void *)(kit->memory + OUT);
	const float *fout = (const void *)out;
	uint32_t *coords = (void *)(kit->memory + COORDS);

	set_up(kit, 64, 1, 1);
	image(kit)->channels = 4, image(kit)->channel_bits = 8, image(kit)->texel = PL_ISA_TEXEL_UNSIGNED;
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)(i * 5);
	for (uint32_t i = 0; i < LANES; i++)
		coords[i] = i % 64;
#define FETCH(type)                                                                                                    \
	"entry $0x1008040\nuld.u64.param U4, [0]\nuld.u64.param U5, [8]\nuld.u64.param U6, [16]\ns2r.u32 R1, "         \
	"$33\nld.u32.global R8, [U4 + R1 << 2]\n"                                                                      \
	"tex." type ".int R20, R8, R0, U6, $0\nst.u32.global R20, [U5 + R1 << 2]\nst.u32.global R23, [U5 + R1 << 2 + " \
	"1024]\nexit\n"
	run(kit, FETCH("u32"));
	for (int i = 0; i < LANES; i++)
		assert(out[i] == bytes[i % 64 * 4] && out[LANES + i] == bytes[i % 64 * 4 + 3]);
	run(kit, FETCH("f32"));
	for (int i = 0; i < LANES; i++)
		assert(fabsf(fout[i] - (float)bytes[i % 64 * 4] / 255.0f) < 1e-6f);
	image(kit)->texel = PL_ISA_TEXEL_SIGNED;
	run(kit, FETCH("s32"));
	for (int i = 0; i < LANES; i++)
		assert((int32_t)out[i] == (int8_t)bytes[i % 64 * 4]);
	image(kit)->flags = PL_ISA_IMAGE_BUFFER; /* beyond the end: 0 */
	for (uint32_t i = 0; i < LANES; i++)
		coords[i] = i;
	run(kit, FETCH("s32"));
	for (int i = 64; i < LANES; i++)
		assert(out[i] == 0);
}

static void test_layers_cubes_and_levels(struct kit *kit)
{
	uint32_t *coords = (void *)(kit->memory + COORDS);
	float *fcoords = (void *)coords, *texels = (void *)(kit->memory + TEXELS), *out = (void *)(kit->memory + OUT);
	struct pl_isa_image_level *levels = (void *)(kit->memory + IMAGES + 1024);

	set_up(kit, 4, 4, 5);
	image(kit)->flags |= PL_ISA_IMAGE_LAYERED;
	for (uint32_t i = 0; i < LANES; i++)
		coords[i] = i % 7, fcoords[LANES + i] = (float)(i % 4) + 0.5f,
		fcoords[2 * LANES + i] = (float)(i / 4 % 4) + 0.5f;
#define SAMPLE(words)                                                                                                  \
	"entry $0x1008040\nuld.u64.param U4, [0]\nuld.u64.param U5, [8]\nuld.u64.param U6, [16]\ns2r.u32 R1, "         \
	"$33\nld.u32.global R8, [U4 + R1 << 2]\n"                                                                      \
	"ld.u32.global R9, [U4 + R1 << 2 + 1024]\nld.u32.global R10, [U4 + R1 << 2 + 2048]\n" words                    \
	"\nst.u32.global R20, [U5 + R1 << 2]\nexit\n"
	run(kit, SAMPLE("tex.f32.2d.array R20, R8, R0, U6, $0"));
	for (uint32_t i = 0; i < LANES; i++)
		assert(out[i] == texels[(i % 7 < 5 ? i % 7 : 4) * 16 + i / 4 % 4 * 4 + i % 4]);
	set_up(kit, 1, 1, 6);
	image(kit)->flags |= PL_ISA_IMAGE_CUBE;
	for (uint32_t i = 0; i < LANES; i++)
		for (uint32_t k = 0; k < 3; k++)
			fcoords[k * LANES + i] = i % 6 / 2 == k ? (i & 1 ? -3.0f : 3.0f) : 0.25f;
	run(kit, SAMPLE("tex.f32.cube R20, R8, R0, U6, $0"));
	for (uint32_t i = 0; i < LANES; i++)
		assert(out[i] == texels[i % 6]);
	set_up(kit, 4, 4, 1);
	image(kit)->levels = 3;
	image(kit)->levels_va = KIT_VA + IMAGES + 1024;
	sampler(kit)->lod_max = 10, sampler(kit)->mip_filter = PL_ISA_LINEAR;
	for (uint32_t k = 0; k < 3; k++) {
		levels[k] = (struct pl_isa_image_level){ .va = KIT_VA + TEXELS + 256 * k,
							 .pitch_bytes = 16,
							 .slice_bytes = 64,
							 .width = 4 >> k,
							 .height = 4 >> k,
							 .depth = 1 };
		for (int i = 0; i < 16; i++)
			texels[64 * k + (uint32_t)i] = (float)(100 * k);
	}
	for (uint32_t i = 0; i < LANES; i++)
		fcoords[i] = fcoords[LANES + i] = 0.5f, fcoords[2 * LANES + i] = (float)i / 100;
	run(kit, SAMPLE("tex.f32.2d.level R20, R8, R10, U6, $0"));
	for (uint32_t i = 0; i < LANES; i++)
		assert(fabs(out[i] - fmin(i, 200)) < 0.5);
}

static void test_surfaces(struct kit *kit)
{
	float *texels = (void *)(kit->memory + TEXELS);
	uint32_t *out = (void *)(kit->memory + OUT);

	set_up(kit, 16, 16, 1);
	run(kit, "entry $0x1008040\nuld.u64.param U5, [8]\nuld.u64.param U6, [16]\ns2r.u32 R1, $33\nand.u32 R8, R1, "
		 "#15\nshl.u32 R8, R8, #2\nshr.u32 R9, R1, #4\n"
		 "suld.u32.2d R20, R8, U6\nst.u32.global R20, [U5 + R1 << 2]\nadd.u32 R21, R1, #5\nsust.u32.2d R21, "
		 "R8, U6\nmov.u32 R8, #-4\n"
		 "suld.u32.2d.zero R22, R8, U6\nst.u32.global R22, [U5 + R1 << 2 + 1024]\nsust.u32.2d.zero R21, R8, "
		 "U6\nexit\n");
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t now;

		memcpy(&now, &texels[i], 4);
		assert(now == i + 5 && out[256 + i] == 0 && out[i] != 0x7fffffff);
	}
	kit_code(kit, "entry $0x1008040\nuld.u64.param U6, [16]\nmov.u32 R8, #64\nmov.u32 R9, #0\nsuld.u32.2d R20, R8, "
		      "U6\nexit\n");
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_BAD_TEXTURE);
	kit->param[2] = 99; /* no such image */
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_BAD_TEXTURE);
	kit->param[2] = 0;
	image(kit)->channels = 3;
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_BAD_TEXTURE);
}

/* Fragments as PTX draws them: m16n8k16 of halves into f32. */
static void test_mma_m16n8k16(struct kit *kit)
{
	uint32_t *in = (void *)(kit->memory + COORDS);
	float *out = (void *)(kit->memory + OUT), a[16][16], b[16][8], c[16][8];

	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 16; k++)
			a[i][k] = (float)(rand() % 17 - 8) / 4;
	for (int k = 0; k < 16; k++)
		for (int j = 0; j < 8; j++)
			b[k][j] = (float)(rand() % 17 - 8) / 8, c[k][j] = (float)(rand() % 100);
	for (int lane = 0; lane < 32; lane++) {
		int g = lane / 4, t = lane % 4;

		for (int r = 0; r < 4; r++) { /* a0..a7 in pairs */
			int row = g + (r & 1 ? 8 : 0), col = t * 2 + (r & 2 ? 8 : 0);
			in[r * 32 + lane] = f32_to_f16(a[row][col]) | (uint32_t)f32_to_f16(a[row][col + 1]) << 16;
		}
		for (int r = 0; r < 2; r++)
			in[(4 + r) * 32 + lane] =
				f32_to_f16(b[t * 2 + r * 8][g]) | (uint32_t)f32_to_f16(b[t * 2 + r * 8 + 1][g]) << 16;
		for (int r = 0; r < 4; r++)
			memcpy(&in[(6 + r) * 32 + lane], &c[g + (r & 2 ? 8 : 0)][t * 2 + (r & 1)], 4);
	}
	kit_code(kit, "entry $0x1008040\nuld.u64.param U4, [0]\nuld.u64.param U5, [8]\ns2r.u32 R1, $12\n"
		      "ld.u32.global R10, [U4 + R1 << 2]\nld.u32.global R11, [U4 + R1 << 2 + 128]\nld.u32.global R12, "
		      "[U4 + R1 << 2 + 256]\n"
		      "ld.u32.global R13, [U4 + R1 << 2 + 384]\nld.u32.global R14, [U4 + R1 << 2 + 512]\nld.u32.global "
		      "R15, [U4 + R1 << 2 + 640]\n"
		      "ld.u32.global R16, [U4 + R1 << 2 + 768]\nld.u32.global R17, [U4 + R1 << 2 + 896]\nld.u32.global "
		      "R18, [U4 + R1 << 2 + 1024]\n"
		      "ld.u32.global R19, [U4 + R1 << 2 + 1152]\nmma.f32.f16.f16.sub3 R20, R10, R14, R16, "
		      "$0\nst.u32.global R20, [U5 + R1 << 2]\n"
		      "st.u32.global R21, [U5 + R1 << 2 + 128]\nst.u32.global R22, [U5 + R1 << 2 + 256]\nst.u32.global "
		      "R23, [U5 + R1 << 2 + 384]\nexit\n");
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_NONE);
	for (int lane = 0; lane < 32; lane++)
		for (int r = 0; r < 4; r++) {
			int row = lane / 4 + (r & 2 ? 8 : 0), col = lane % 4 * 2 + (r & 1);
			float want = c[row][col];

			for (int k = 0; k < 16; k++)
				want += a[row][k] * b[k][col];
			assert(out[r * 32 + lane] == want);
		}
}

/* wmma: whatever the fragments look like, what is loaded, multiplied and stored is the product. */
static void wmma(struct kit *kit, unsigned shape, int m, int n, int k, bool a_col, bool b_col, const char *type,
		 const char *acc)
{
	bool half = strcmp(type, "f16") == 0;
	uint8_t *bytes = kit->memory + COORDS;
	uint16_t *halves = (void *)bytes;
	int32_t *c = (void *)(kit->memory + COORDS + 65536), *out = (void *)(kit->memory + OUT);
	float *fc = (void *)c, *fout = (void *)out;
	char text[2048];

	for (int i = 0; i < m * k + k * n; i++) {
		if (half)
			halves[i] = f32_to_f16((float)(rand() % 9 - 4));
		else
			bytes[i] = (uint8_t)rand();
	}
	for (int i = 0; i < m * n; i++) {
		if (half)
			fc[i] = (float)(rand() % 50);
		else
			c[i] = rand() % 1000;
	}
	snprintf(text, sizeof(text),
		 "entry $0x1008040\nuld.u64.param U4, [0]\nuld.u64.param U5, [8]\nmov.u64 R40, U4\nadd.u64 R42, R40, "
		 "#%d\nadd.u64 R44, R40, #65536\nmov.u64 R46, U5\n"
		 "mov.u32 R50, #%d\nmov.u32 R51, #%d\nmov.u32 R52, #%d\nwmld.%s.sub%u R0, R40, R50, $%d\nwmld.%s.sub%u "
		 "R8, R42, R51, $%d\nwmld.%s.sub%u R16, R44, R52, $2\n"
		 "wmma.%s.%s.%s.sub%u R24, R0, R8, R16, $0\nwmst.%s.sub%u R24, R46, R52, $2\nexit\n",
		 m * k * (half ? 2 : 1), a_col ? m : k, b_col ? k : n, n, type, shape, a_col ? 4 : 0, type, shape,
		 b_col ? 5 : 1, acc, shape, acc, type, type, shape, acc, shape);
	kit_code(kit, text);
	if (kit_run(kit, 1, 32) != PL_RG_FAULT_NONE)
		fprintf(stderr, "%x\n%s", kit->result.fault.code, text);
	assert(kit->result.fault.code == PL_RG_FAULT_NONE);
	for (int i = 0; i < m; i++)
		for (int j = 0; j < n; j++) {
			double sum = half ? (double)fc[i * n + j] : c[i * n + j];

			for (int p = 0; p < k; p++) {
				int ia = a_col ? p * m + i : i * k + p, ib = m * k + (b_col ? j * k + p : p * n + j);
				sum += half ? (double)f16_to_f32(halves[ia]) * f16_to_f32(halves[ib])
					    : (double)(int8_t)bytes[ia] * (int8_t)bytes[ib];
			}
			assert((half ? (double)fout[i * n + j] : out[i * n + j]) == sum);
		}
}

static void test_wmma_is_a_matrix_product(struct kit *kit)
{
	wmma(kit, PL_ISA_WMMA_M16N16K16, 16, 16, 16, false, false, "f16", "f32");
	wmma(kit, PL_ISA_WMMA_M16N16K16, 16, 16, 16, true, true, "f16", "f32");
	wmma(kit, PL_ISA_WMMA_M32N8K16, 32, 8, 16, false, true, "f16", "f32");
	wmma(kit, PL_ISA_WMMA_M8N32K16, 8, 32, 16, true, false, "f16", "f32");
	wmma(kit, PL_ISA_WMMA_M16N16K16, 16, 16, 16, false, true, "s8", "s32");
	wmma(kit, PL_ISA_WMMA_M32N8K16, 32, 8, 16, true, false, "s8", "s32");
}

static void test_ldmatrix_and_its_transpose(struct kit *kit)
{
	uint32_t *out = (void *)(kit->memory + OUT);

	kit->desc.shared_static = 1024;
	run(kit, "entry $0x1008040\nuld.u64.param U5, [8]\ns2r.u32 R1, $33\nshl.u32 R2, R1, #1\nst.u16.shared R1, "
		 "[R2]\nbar 0, R0, R0, PT, $0\n"
		 "shl.u32 R3, R1, #4\nand.u32 R3, R3, #511\nldmatrix.sub2 R8, R3, $0\nldmatrix.sub4 R12, R3, "
		 "$0\nmovmatrix R13, R8\nst.u32.global R8, [U5 + R1 << 2]\n"
		 "st.u32.global R11, [U5 + R1 << 2 + 1024]\nst.u32.global R12, [U5 + R1 << 2 + 2048]\nst.u32.global "
		 "R13, [U5 + R1 << 2 + 3072]\nexit\n");
	kit->desc.shared_static = 0;
	for (uint32_t lane = 0; lane < 32; lane++) {
		uint32_t row = lane / 4, col = lane % 4 * 2;

		assert(out[lane] == (row * 8 + col) + ((row * 8 + col + 1) << 16));
		assert(out[256 + lane] == (192 + row * 8 + col) + ((192 + row * 8 + col + 1) << 16));
		assert(out[512 + lane] == (col * 8 + row) + (((col + 1) * 8 + row) << 16) &&
		       out[768 + lane] == out[512 + lane]);
	}
}

int main(int argc, char **argv)
{
	static struct kit kit;

	assert(argc == 2);
	kit_begin(&kit, argv[1], 1);
	srand(5);
	test_sampling_follows_the_formula(&kit);
	test_integer_fetch_and_formats(&kit);
	test_layers_cubes_and_levels(&kit);
	test_surfaces(&kit);
	test_mma_m16n8k16(&kit);
	test_wmma_is_a_matrix_product(&kit);
	test_ldmatrix_and_its_transpose(&kit);
	kit_end(&kit);
	return 0;
}
