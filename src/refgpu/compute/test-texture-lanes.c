/*
 * Textures that go 32 lanes at a time give, bit for bit, what they give lane by lane: random images, samplers and
 * coordinates, once with one handle for all lanes and once with two handles of equal descriptors, which go lane by
 * lane. Usage: test-refgpu-texture-lanes BUILD
 */
#include <math.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/kit.h"

#define IMAGES   (8u << 20) /* offsets in device memory */
#define SAMPLERS ((8u << 20) + 4096)
#define TEXELS   (9u << 20)
#define INPUT    (1u << 20) /* four words of each thread: layer or x, y, z, guard */
#define OUT      (2u << 20)
#define THREADS  250 /* the last warp is not whole */
#define ROUNDS   900
#define WIDTH    37
#define HEIGHT   19
#define DEPTH    6

static uint32_t state = 12345;

static uint32_t pick(uint32_t below)
{
	state = state * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

struct shape {
	const char *words;
	unsigned dims;
	bool array;
};
static const struct shape shapes[] = {
	{ "", 1, false }, { ".2d", 2, false }, { ".3d", 3, false }, { ".array", 1, true }, { ".2d.array", 2, true },
};

static void image_make(struct kit *kit, const struct shape *shape, bool buffer)
{
	static const uint8_t counts[] = { 1, 2, 4 }, widths[] = { 8, 16, 32 };
	struct pl_isa_image *image = (void *)(kit->memory + IMAGES), one = { .levels = 1 };
	uint32_t bytes;

	one.channels = counts[pick(3)];
	one.channel_bits = widths[pick(3)];
	one.texel = (uint8_t)pick(one.channel_bits == 8 ? 2 : 3);
	bytes = one.channels * one.channel_bits / 8u;
	one.va = KIT_VA + TEXELS + bytes * pick(5);
	one.width = 1 + pick(WIDTH);
	one.height = shape->dims > 1 ? 1 + pick(HEIGHT) : 1;
	one.depth = shape->dims > 2 || shape->array ? 1 + pick(DEPTH) : 1;
	one.pitch_bytes = (one.width + pick(3)) * bytes;
	one.slice_bytes = one.pitch_bytes * (one.height + pick(2));
	one.flags = shape->array ? PL_ISA_IMAGE_LAYERED : buffer ? PL_ISA_IMAGE_BUFFER : 0;
	image[0] = image[1] = one;
	for (uint32_t i = 0; i < (WIDTH + 3) * (HEIGHT + 2) * (DEPTH + 1) * 4; i++)
		((uint32_t *)(void *)(kit->memory + TEXELS))[i] = pick(1u << 24) << 8 ^ pick(1u << 16);
}

static void sampler_make(struct kit *kit)
{
	struct pl_isa_sampler *sampler = (void *)(kit->memory + SAMPLERS), one = { .filter = (uint8_t)pick(2) };

	for (int k = 0; k < 3; k++)
		one.wrap[k] = (uint8_t)pick(4);
	for (int k = 0; k < 4; k++)
		one.border[k] = (float)pick(1000) / 8 - 50;
	one.flags = pick(2) ? PL_ISA_SAMPLER_NORMALIZED_COORDS : 0;
	sampler[0] = sampler[1] = one;
}

static float coordinate(uint32_t size, bool normalized)
{
	static const float odd[] = { -0.0f, 1e-30f, -1e-30f, 3e4f, -3e4f, 2097151.75f, -2097152.0f };
	float v = (float)pick(4001) / 1000.0f * (float)(size + 1) - 1.5f * (float)size;

	switch (pick(8)) {
	case 0: /* at an edge of a texel, or its middle */
		v = floorf(v * 2) / 2;
		break;
	case 1:
		v = floorf(v * 512) / 512;
		break;
	case 2:
		return pick(4) ? v : odd[pick(sizeof(odd) / sizeof(odd[0]))];
	default:
		break;
	}
	return normalized ? v / (float)size : v;
}

/* Once in a while one that is too far away for the vector code. */
static float far_away(float v)
{
	static const float far[] = { NAN, INFINITY, -INFINITY, 3e38f, -1e12f, 4e6f, 2097153.0f };

	return pick(4000) ? v : far[pick(sizeof(far) / sizeof(far[0]))];
}

static void input_make(struct kit *kit, const struct shape *shape, bool whole)
{
	const struct pl_isa_image *image = (void *)(kit->memory + IMAGES);
	const struct pl_isa_sampler *sampler = (void *)(kit->memory + SAMPLERS);
	uint32_t *input = (void *)(kit->memory + INPUT), size[3] = { image->width, image->height, image->depth };

	for (uint32_t i = 0; i < 256; i++) {
		unsigned at = 0;

		if (shape->array)
			input[256 * at++ + i] = pick(DEPTH + 4) - 2;
		for (unsigned k = 0; k < shape->dims; k++)
			input[256 * at++ + i] =
				whole ? pick(size[k] + 8) - 4
				      : f32_bits(far_away(coordinate(
						size[k], sampler->flags & PL_ISA_SAMPLER_NORMALIZED_COORDS)));
		input[256 * 3 + i] = pick(8);
	}
}

static void run(struct kit *kit, const char *tex, bool two_handles, uint32_t *to)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "entry $0x1008040\nuld.u64.param U4, [0]\nuld.u64.param U5, [8]\nuld.u64.param U6, [16]\n"
		 "s2r.u32 R1, $33\nld.u32.global R8, [U4 + R1 << 2]\nld.u32.global R9, [U4 + R1 << 2 + 1024]\n"
		 "ld.u32.global R10, [U4 + R1 << 2 + 2048]\nld.u32.global R2, [U4 + R1 << 2 + 3072]\nr2p P0, R2\n"
		 "and.u32 R3, R1, #1\nmulw.u32 R30, R3, #0x100001\n"
		 "mov.u32 R20, #7\nmov.u32 R21, #7\nmov.u32 R22, #7\nmov.u32 R23, #7\n"
		 "%s, %s, $0x%x\n"
		 "st.u32.global R20, [U5 + R1 << 2]\nst.u32.global R21, [U5 + R1 << 2 + 1024]\n"
		 "st.u32.global R22, [U5 + R1 << 2 + 2048]\nst.u32.global R23, [U5 + R1 << 2 + 3072]\nexit\n",
		 tex, two_handles ? "R30" : "U6", strstr(tex, "offsets") ? 0x02ff01 : 0);
	memset(kit->memory + OUT, 0, 4096);
	kit_code(kit, text);
	kit->param[0] = KIT_VA + INPUT;
	kit->param[1] = KIT_VA + OUT;
	kit->param[2] = 0;
	if (kit_run(kit, 1, THREADS) != PL_RG_FAULT_NONE)
		fprintf(stderr, "fault %x\n%s", kit->result.fault.code, text);
	assert(kit->result.fault.code == PL_RG_FAULT_NONE);
	memcpy(to, kit->memory + OUT, 4096);
}

static bool same(uint32_t x, uint32_t y, bool floats)
{
	return x == y || (floats && isnan(bits_f32(x)) && isnan(bits_f32(y)));
}

static void test_lanes_together_get_what_each_gets_alone(struct kit *kit)
{
	static uint32_t together[1024], alone[1024];

	kit->desc.image_va = KIT_VA + IMAGES;
	kit->desc.image_count = 2;
	kit->desc.sampler_va = KIT_VA + SAMPLERS;
	kit->desc.sampler_count = 2;
	for (int round = 0; round < ROUNDS; round++) {
		const struct shape *shape = &shapes[pick(5)];
		bool buffer = shape->dims == 1 && !shape->array && !pick(3), whole = !pick(4), floats = pick(3);
		bool offsets = !pick(6);
		char tex[128];

		image_make(kit, shape, buffer);
		sampler_make(kit);
		input_make(kit, shape, whole);
		snprintf(tex, sizeof(tex), "%stex.%s%s%s%s R20, R8, R0", pick(3) ? "" : "@P0 ", floats ? "f32" : "u32",
			 shape->words, whole ? ".int" : "", offsets ? ".offsets" : "");
		run(kit, tex, false, together);
		run(kit, tex, true, alone);
		for (unsigned i = 0; i < 1024; i++) {
			const struct pl_isa_image *im = (void *)(kit->memory + IMAGES);
			const struct pl_isa_sampler *sa = (void *)(kit->memory + SAMPLERS);

			if (!same(together[i], alone[i], floats))
				fprintf(stderr,
					"%s: thread %u, register %u: %08x, alone %08x (%u x %u bits, kind %u, flags "
					"%u, "
					"wrap %u %u %u, filter %u, flags %u)\n",
					tex, i % 256, i / 256, together[i], alone[i], im->channels, im->channel_bits,
					im->texel, im->flags, sa->wrap[0], sa->wrap[1], sa->wrap[2], sa->filter,
					sa->flags);
			assert(same(together[i], alone[i], floats));
		}
	}
}

static void test_what_is_not_there_faults_either_way(struct kit *kit)
{
	struct pl_isa_image *image = (void *)(kit->memory + IMAGES);
	uint32_t code[2];

	image_make(kit, &shapes[1], false);
	image[0].va = image[1].va = KIT_VA + (1ull << 40);
	for (int two = 0; two < 2; two++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "entry $0x1008040\ns2r.u32 R1, $33\nand.u32 R3, R1, #1\nmulw.u32 R30, R3, #0x100001\n"
			 "umov.u64 U6, #0\nmov.u32 R8, #0\nmov.u32 R9, #0\ntex.f32.2d R20, R8, R0, %s, $0\nexit\n",
			 two ? "R30" : "U6");
		kit_code(kit, text);
		code[two] = kit_run(kit, 1, 32);
		assert(code[two] != PL_RG_FAULT_NONE && code[two] == code[0]);
		assert(kit->result.fault.address == image->va);
	}
	kit_code(kit, "entry $0x1008040\numov.u64 U6, #2\nmov.u32 R8, #0\nmov.u32 R9, #0\n"
		      "tex.f32.2d R20, R8, R0, U6, $0\nexit\n");
	assert(kit_run(kit, 1, 32) == PL_RG_FAULT_BAD_TEXTURE); /* beyond the table */
}

int main(int argc, char **argv)
{
	static struct kit kit;

	assert(argc == 2);
	kit_begin(&kit, argv[1], 1);
	test_lanes_together_get_what_each_gets_alone(&kit);
	test_what_is_not_there_faults_either_way(&kit);
	kit_end(&kit);
	return 0;
}
