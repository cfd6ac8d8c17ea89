/*
 * What a warp instruction costs, by class: loops of one kind of instruction, one warp, one thread.  Prints a table; no
 * figure is asserted.  Usage: bench-refgpu-engine [avx512|avx2|portable [PART OF A NAME]]
 */
#include "base/wait.h"
#include "refgpu/compute/kit.h"

#define UNROLL 64
#define LOOPS  1000
#define RUNS   25 /* the best counts: other programs only ever make it slower */

struct class_of {
	const char *name, *setup, *body;
};

/* Images: 0 floats, 1 bytes, 2 floats of two levels.  Samplers: 0 point, 1 linear.  Lanes side by side: R14, R15. */
#define COORDS        "mov.u32 R17, #0x3fe00000\ncvt.f32.u32 R14, R8\nadd.f32 R14, R14, R17\nmov.u32 R15, R14\n"
#define POINT         COORDS "umov.u64 U8, #0\n"
#define LINEAR        COORDS "umov.u64 U8, #0x100000\numov.u64 U9, #0x100001\numov.u64 U10, #0x100002\n"

/* Shared offset or address in R16, stride in R14; rows of 16 bytes in R8; shared offset in R8, address in R6. */
#define MATRIX        "mov.u32 R14, #72\nmov.u64 R16, #64\n"
#define GLOBAL_MATRIX "mov.u32 R14, #72\nmov.u64 R16, U4\n"
#define ROWS          "mul.u32 R8, R8, #80\n"
#define INDEX_ROWS                                                                                                     \
	"shr.u32 R14, R8, #3\nshl.u32 R8, R8, #4\nmad.u32 R15, R14, #4000, R8\nshr.u32 R15, R15, #2\n"                 \
	"mad.u32 R8, R14, #16, R8\n"
#define COPY "shl.u32 R8, R8, #4\nmulw.u32 R20, R8, #1\nmov.u64 R6, U4\nadd.u64 R6, R6, R20\n"
#define COPY_ROWS                                                                                                      \
	"shr.u32 R14, R8, #3\nshl.u32 R8, R8, #4\nmad.u32 R15, R14, #4000, R8\nmad.u32 R8, R14, #16, R8\n"             \
	"mulw.u32 R20, R15, #1\nmov.u64 R6, U4\nadd.u64 R6, R6, R20\n"

static const struct class_of classes[] = {
	{ "integer add, register", "", "add.u32 R10, R11, R12\n" },
	{ "integer add, immediate", "", "add.u32 R10, R10, #1\n" },
	{ "64-bit add", "", "add.u64 R10, R12, R14\n" },
	{ "integer multiply-add", "", "mad.u32 R10, R11, R12, R13\n" },
	{ "mul.wide.s32", "", "mulw.s32 R10, R12, #4\n" },
	{ "lop3", "", "lop3 R10, R11, R12, R13, $0x96\n" },
	{ "shift, immediate", "", "shl.u32 R10, R11, #3\n" },
	{ "f32 add", "", "add.f32 R10, R11, R12\n" },
	{ "f32 fma", "", "fma.f32 R10, R11, R12, R13\n" },
	{ "f32 fma, ftz", "", "fma.f32.ftz R10, R11, R12, R13\n" },
	{ "f32 fma, rz", "", "fma.f32.rz R10, R11, R12, R13\n" },
	{ "f32 divide", "", "div.f32 R10, R11, R12\n" },
	{ "f32 ex2", "", "ex2.f32 R10, R11\n" },
	{ "f32 sin", "", "sin.f32 R10, R11\n" },
	{ "f64 fma", "", "fma.f64 R10, R12, R14, R16\n" },
	{ "f16x2 fma", "", "fma.f16x2 R10, R11, R12, R13\n" },
	{ "u32 divide", "", "div.u32 R10, R11, R12\n" },
	{ "setp.lt.s32", "", "setp.s32.lt P0, R11, R12, PT\n" },
	{ "sel", "", "sel.u32 R10, R11, R12, P0\n" },
	{ "guarded add, some lanes", "r2p P0, R9\n", "@P0 add.u32 R10, R11, R12\n" },
	{ "uniform add", "", "uadd.u64 U8, U9, #1\n" },
	{ "shfl.bfly", "", "shfl.sub3 R10, R11, #, R0, $0x7f001f10\n" },
	{ "vote.ballot", "", "ballot R10, P0, #0xffffffff\n" },
	{ "ld.global consecutive", "", "ld.u32.global R10, [U4 + R8 << 2]\n" },
	{ "ld.global consecutive, R64", "", "ld.u32.global R10, [R6]\n" },
	{ "ld.global stride 2", "add.u32 R8, R8, R8\n", "ld.u32.global R10, [U4 + R8 << 2]\n" },
	{ "ld.global.v4 consecutive", "shl.u32 R8, R8, #2\n", "ld.u32.global.v4 R10, [U4 + R8 << 2]\n" },
	{ "ld.global.v4, rows of 8 lanes", INDEX_ROWS, "ld.u32.global.v4 R10, [U4 + R15 << 2]\n" },
	{ "st.global consecutive", "", "st.u32.global R10, [U4 + R8 << 2]\n" },
	{ "ld.shared consecutive", "shl.u32 R8, R8, #2\n", "ld.u32.shared R10, [R8]\n" },
	{ "ld.shared stride 33", "mul.u32 R8, R8, #132\n", "ld.u32.shared R10, [R8]\n" },
	{ "ld.shared broadcast", "mov.u32 R8, #16\n", "ld.u32.shared R10, [R8]\n" },
	{ "ld.shared.v4, rows of 8 lanes", INDEX_ROWS, "ld.u32.shared.v4 R20, [R8]\n" },
	{ "ld.shared.v4, two rows", "shr.u32 R8, R8, #4\nmul.u32 R8, R8, #80\n", "ld.u32.shared.v4 R20, [R8]\n" },
	{ "st.shared.v4, rows of 8 lanes", INDEX_ROWS, "st.u32.shared.v4 R20, [R8]\n" },
	{ "st.shared consecutive", "shl.u32 R8, R8, #2\n", "st.u32.shared R10, [R8]\n" },
	{ "atom.shared.add, 32 words", "shl.u32 R8, R8, #2\n", "atom.u32.shared.add R10, [R8], R11, R2047\n" },
	{ "atom.shared.add, one word", "mov.u32 R8, #16\n", "atom.u32.shared.add R10, [R8], R11, R2047\n" },
	{ "warpsync, all there", "", "warpsync #0xffffffff\n" },
	{ "mma m16n8k16 f16, f32 sums", "", "mma.f32.f16.f16.sub3 R20, R24, R28, R20, $0\n" },
	{ "mma m16n8k8 tf32", "", "mma.f32.tf32.tf32.sub2 R20, R24, R28, R20, $0\n" },
	{ "mma m16n8k32 s8", "", "mma.s32.s8.s8.sub4 R20, R24, R28, R20, $0\n" },
	{ "mma m8n8k4 f64", "", "mma.f64.f64.f64.sub0 R20, R24, R28, R20, $0\n" },
	{ "mma m16n8k32 e4m3", "", "mma.f32.e4m3x2.e4m3x2.sub4 R20, R24, R28, R20, $0\n" },
	{ "mma m16n8k256 b1", "", "mma.s32.b1.b1.sub7 R20, R24, R28, R20, $0\n" },
	{ "wmma m16n16k16 f16, f32 sums", "", "wmma.f32.f16.f16.sub0 R20, R30, R40, R20, $0\n" },
	{ "wmma m16n16k16 f16, f16 sums", "", "wmma.f16.f16.f16.sub0 R20, R30, R40, R20, $0\n" },
	{ "wmma m16n16k16 bf16", "", "wmma.f32.bf16.bf16.sub0 R20, R30, R40, R20, $0\n" },
	{ "wmma m16n16k8 tf32", "", "wmma.f32.tf32.tf32.sub3 R20, R30, R40, R20, $0\n" },
	{ "wmma m16n16k16 s8", "", "wmma.s32.s8.s8.sub0 R20, R30, R40, R20, $0\n" },
	{ "wmma m8n8k4 f64", "", "wmma.f64.f64.f64.sub4 R20, R30, R40, R20, $0\n" },
	{ "wmma.load 16x16 f16, rows", MATRIX, "wmld.f16 R20, R16, R14, $8\n" },
	{ "wmma.load 16x16 f16, columns", MATRIX, "wmld.f16 R20, R16, R14, $12\n" },
	{ "wmma.load 16x16 s8, columns", MATRIX, "wmld.s8 R20, R16, R14, $12\n" },
	{ "wmma.load 8x4 f64, columns", MATRIX, "wmld.f64.sub4 R20, R16, R14, $12\n" },
	{ "wmma.load 16x16 f16, rows, global", GLOBAL_MATRIX, "wmld.f16 R20, R16, R14, $0\n" },
	{ "wmma.store 16x16 f32, rows", MATRIX, "wmst.f32 R20, R16, R14, $10\n" },
	{ "ldmatrix x4", ROWS, "ldmatrix.sub2 R20, R8, $0\n" },
	{ "ldmatrix x4, transposed", ROWS, "ldmatrix.sub6 R20, R8, $0\n" },
	{ "cp.async 16 bytes, consecutive", COPY, "cpasync.b128 R8, R6, R2047, $0\n" },
	{ "cp.async 16 bytes, rows of 8 lanes", COPY_ROWS, "cpasync.b128 R8, R6, R2047, $0\n" },
	{ "tex.2d f32, point", POINT, "tex.f32.2d R20, R14, R0, U8, $0\n" },
	{ "tex.2d f32, linear", LINEAR, "tex.f32.2d R20, R14, R0, U8, $0\n" },
	{ "tex.2d four of 8 bits, linear", LINEAR, "tex.f32.2d R20, R14, R0, U9, $0\n" },
	{ "tex.2d f32, linear, two levels: lane by lane", LINEAR, "tex.f32.2d R20, R14, R0, U10, $0\n" },
	{ "ld.param, uniform", "", "uld.u64.param U8, [8]\n" },
};

static double measure(struct kit *kit, const struct class_of *class)
{
	static char text[1 << 16];
	char *at = text;
	uint64_t begin, took, best = UINT64_MAX;

	at += sprintf(at,
		      "entry $0x%x\nuld.u64.param U4, [0]\nnop\ns2r.u32 R8, $0x%x\nand.u32 R9, R8, #1\n"
		      "mov.u64 R6, U4\nmulw.u32 R20, R8, #4\nadd.u64 R6, R6, R20\nmov.u32 R11, #0x3f800000\nmov.u32 "
		      "R12, #0x3f000000\n"
		      "mov.u32 R13, #7\n%sumov.u32 U6, #%u\nloop: nop\n",
		      pl_isa_entry_imm(64, 16, 16), PL_ISA_SR_LANEID, class->setup, LOOPS);
	for (int i = 0; i < UNROLL; i++)
		at += sprintf(at, "%s", class->body);
	sprintf(at, "usub.u32 U6, U6, #1\nusetp.u32.ne P1, U6, #0, PT\n@P1 bra loop\nexit\n");
	kit_code(kit, text);
	kit->param[0] = KIT_VA + (1 << 20);
	kit->desc.shared_static = 16384;
	for (int i = 0; i < RUNS; i++) {
		begin = pl_now_ns();
		assert(kit_run(kit, 1, 32) == PL_RG_FAULT_NONE);
		took = pl_now_ns() - begin;
		best = took < best ? took : best;
	}
	return (double)best / ((double)UNROLL * LOOPS);
}

static void textures_make(struct kit *kit)
{
	struct pl_isa_image *image = (void *)(kit->memory + (8 << 20));
	struct pl_isa_image_level *levels = (void *)(kit->memory + (9 << 20) + 4096);
	struct pl_isa_sampler *sampler = (void *)(kit->memory + (9 << 20));

	for (int i = 0; i < 3; i++) {
		image[i] = (struct pl_isa_image){ .va = KIT_VA + (10 << 20),
						  .pitch_bytes = 256,
						  .slice_bytes = 256 * 64,
						  .width = 64,
						  .height = 64,
						  .depth = 1,
						  .channels = i == 1 ? 4 : 1,
						  .channel_bits = i == 1 ? 8 : 32,
						  .texel = i == 1 ? PL_ISA_TEXEL_UNSIGNED : PL_ISA_TEXEL_FLOAT,
						  .levels = i == 2 ? 2 : 1,
						  .levels_va = KIT_VA + (9 << 20) + 4096 };
		levels[i] = (struct pl_isa_image_level){ image[0].va, 256, 256 * 64, 64, 64, 1, 0 };
	}
	for (int i = 0; i < 2; i++)
		sampler[i] = (struct pl_isa_sampler){ .wrap = { PL_ISA_CLAMP, PL_ISA_CLAMP, PL_ISA_CLAMP },
						      .filter = i ? PL_ISA_LINEAR : PL_ISA_POINT };
	kit->desc.image_va = KIT_VA + (8 << 20);
	kit->desc.image_count = 3;
	kit->desc.sampler_va = KIT_VA + (9 << 20);
	kit->desc.sampler_count = 2;
}

int main(int argc, char **argv)
{
	struct kit kit;

	kit_begin(&kit, argc > 1 ? argv[1] : NULL, 1);
	textures_make(&kit);
	printf("| class (%s) | ns |\n| --- | --- |\n", pl_sm_compute_vector(kit.engine));
	for (unsigned i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (argc < 3 || strstr(classes[i].name, argv[2]))
			printf("| %s | %.2f |\n", classes[i].name, measure(&kit, &classes[i]));
	kit_end(&kit);
	return 0;
}
