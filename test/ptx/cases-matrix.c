/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "ref.h"

#define WARP               .group = 32, .rows = 256, .threads = 32
#define MMA(s, a, b, c, d) WARP, .sig = s, .want = want_mma, .text = "# {" d "}, {" a "}, {" b "}, {" c "};"
/* Registers of A, B, C. */
#define MMA_1_1_1(s)       MMA(s, "%i0", "%i1", "%i2", "%o0")
#define MMA_1_1_2(s)       MMA(s, "%i0", "%i1", "%i2,%i3", "%o0,%o1")
#define MMA_2_1_2(s)       MMA(s, "%i0,%i1", "%i2", "%i3,%i4", "%o0,%o1")
#define MMA_2_1_4(s)       MMA(s, "%i0,%i1", "%i2", "%i3,%i4,%i5,%i6", "%o0,%o1,%o2,%o3")
#define MMA_4_2_2(s)       MMA(s, "%i0,%i1,%i2,%i3", "%i4,%i5", "%i6,%i7", "%o0,%o1")
#define MMA_4_2_4(s)       MMA(s, "%i0,%i1,%i2,%i3", "%i4,%i5", "%i6,%i7,%i8,%i9", "%o0,%o1,%o2,%o3")
#define MMA_8_4_4(s)                                                                                                   \
	MMA(s, "%i0,%i1,%i2,%i3,%i4,%i5,%i6,%i7", "%i8,%i9,%i10,%i11", "%i12,%i13,%i14,%i15", "%o0,%o1,%o2,%o3")

#define MATRIX ".shared .align 16 .b8 $_m[512];"
#define ROWS   ".reg .b32 %sa; mov.u32 %sa, $_m; mad.lo.u32 %sa, %lane, 16, %sa; "
#define LDMATRIX(s, regs)                                                                                              \
	WARP, .sig = s, .want = want_ldmatrix, .decl = MATRIX,                                                         \
	      .text = ROWS "st.shared.v2.b64 [%sa], {%i0, %i1}; bar.warp.sync 0xffffffff; # {" regs "}, [%sa];"
#define STMATRIX(s, regs)                                                                                              \
	WARP, .sig = s, .want = want_stmatrix, .decl = MATRIX, .sm = 90, .ptx = 78,                                    \
	      .text = ROWS ".reg .b64 %f; mov.b64 %f, 0xcdcdcdcdcdcdcdcd; st.shared.v2.b64 [%sa], {%f, %f};"           \
			   "bar.warp.sync 0xffffffff; # [%sa], {" regs "}; bar.warp.sync 0xffffffff;"                  \
			   "ld.shared.v2.b64 {%o0, %o1}, [%sa];"

#define A8 "{a0,a1,a2,a3,a4,a5,a6,a7}"
#define B8 "{b0,b1,b2,b3,b4,b5,b6,b7}"
#define C8 "{c0,c1,c2,c3,c4,c5,c6,c7}"
#define D8 "{d0,d1,d2,d3,d4,d5,d6,d7}"
#define A4 "{a0,a1,a2,a3}"
#define B4 "{b0,b1,b2,b3}"
#define C4 "{c0,c1,c2,c3}"
#define D4 "{d0,d1,d2,d3}"
#define A2 "{a0,a1}"
#define B2 "{b0,b1}"
#define REGISTERS                                                                                                      \
	"{ .reg .b32 a0,a1,a2,a3,a4,a5,a6,a7,b0,b1,b2,b3,b4,b5,b6,b7,c0,c1,c2,c3,c4,c5,c6,c7,d0,d1,d2,d3,d4,d5,d6,d7;" \
	" .reg .b64 %base, %to; .reg .b32 %first; and.b32 %first, %gid, -32; mad.wide.u32 %to, %first, 32, %out;"      \
	" mad.wide.u32 %base, %first, 96, %in; "
/* Loads with their strides, the product, D's store; A and B are in rows of 96 bytes, C is beside them. */
#define WMMA(s, loads, product, store)                                                                                 \
	WARP, .sig = s, .want = want_wmma,                                                                             \
	      .text = REGISTERS loads " # " product "; " store " bar.warp.sync 0xffffffff; }"                          \
				      " ld.global.v2.b64 {%o0, %o1}, [%oa]; ld.global.v2.b64 {%o2, %o3}, [%oa+16];"
#define LOAD(what, shape, order, type, regs, from, stride)                                                             \
	"wmma.load." what ".sync.aligned." order "." shape ".global." type " " regs ", [%base" from "], " stride "; "
#define STORE(shape, type, regs) "wmma.store.d.sync.aligned.row." shape ".global." type " [%to], " regs ", 16;"
#define HALF_LOADS(a, b)                                                                                               \
	LOAD("a", "m16n16k16", a, "f16", A8, "", "48") LOAD("b", "m16n16k16", b, "f16", B8, "+1536", "48")
#define C_SINGLE LOAD("c", "m16n16k16", "row", "f32", C8, "+32", "24")
#define C_HALF   LOAD("c", "m16n16k16", "row", "f16", C4, "+32", "48")
#define HALF(a, b)                                                                                                     \
	{ .ops = "wmma.mma.sync.aligned." a "." b ".m16n16k16.f32.f32",                                                \
	  WMMA("dddd=xxxxyyyyyyyy", HALF_LOADS(a, b) C_SINGLE, D8 "," A8 "," B8 "," C8,                                \
	       STORE("m16n16k16", "f32", D8)) },                                                                       \
		{ .ops = "wmma.mma.sync.aligned." a "." b ".m16n16k16.f16.f16",                                        \
		  WMMA("dddd=xxxxyyyyyyyy", HALF_LOADS(a, b) C_HALF, D4 "," A8 "," B8 "," C4,                          \
		       STORE("m16n16k16", "f16", D4)) },                                                               \
		{ .ops = "wmma.mma.sync.aligned." a "." b ".m16n16k16.f32.f16",                                        \
		  WMMA("dddd=xxxxyyyyyyyy", HALF_LOADS(a, b) C_HALF, D8 "," A8 "," B8 "," C4,                          \
		       STORE("m16n16k16", "f32", D8)) },                                                               \
	{                                                                                                              \
		.ops = "wmma.mma.sync.aligned." a "." b ".m16n16k16.f16.f32",                                          \
		WMMA("dddd=xxxxyyyyyyyy", HALF_LOADS(a, b) C_SINGLE, D4 "," A8 "," B8 "," C8,                          \
		     STORE("m16n16k16", "f16", D4))                                                                    \
	}
#define BF16(a, b)                                                                                                     \
	{                                                                                                              \
		.ops = "wmma.mma.sync.aligned." a "." b ".m16n16k16.f32.bf16.bf16.f32",                                \
		WMMA("dddd=xxxxyyyyyyyy",                                                                              \
		     LOAD("a", "m16n16k16", a, "bf16", A4, "", "48")                                                   \
			     LOAD("b", "m16n16k16", b, "bf16", B4, "+1536", "48") C_SINGLE,                            \
		     D8 "," A4 "," B4 "," C8, STORE("m16n16k16", "f32", D8))                                           \
	}
#define BYTES(a, b, type)                                                                                              \
	{                                                                                                              \
		.ops = "wmma.mma.sync.aligned." a "." b ".m16n16k16.s32." type "." type ".s32",                        \
		WMMA("dddd=dddddddddddd",                                                                              \
		     LOAD("a", "m16n16k16", a, type, A2, "", "96") LOAD("b", "m16n16k16", b, type, B2, "+1536", "96")  \
			     LOAD("c", "m16n16k16", "row", "s32", C8, "+32", "24"),                                    \
		     D8 "," A2 "," B2 "," C8, STORE("m16n16k16", "s32", D8))                                           \
	}

/* One product for each sum, so that it is rounded once: A has its first column alone, B its first row. */
static bool want_rounded(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (int lane = 0; lane < 32; lane++) {
		for (int i = 0; i < 2; i++) {
			uint64_t a = in[lane / 4 * 4 * 4], b = in[(lane % 4 * 2 + i) * 4 * 4 + 1];
			struct sf sum = sf_mul(sf_unpack(&sf_f64, a, 0), sf_unpack(&sf_f64, b, 0));

			sum = sf_add(sum, sf_unpack(&sf_f64, in[lane * 4 + 2 + i], 0), op->round);
			sum = sf_unpack(&sf_f64, sf_pack(&sf_f64, sum, op->round, 0), 0);
			sum = sf_add(sum, sf_from_int(0, false), op->round);
			out[lane * 2 + i] = sf_pack(&sf_f64, sum, op->round, 0);
		}
	}
	return true;
}

const struct pt_family pt_cases_matrix[] = {
	{ .ops = "mma.sync.aligned.m8n8k4.row.col{.rn,.rz,.rm,.rp}.f64.f64.f64.f64",
	  WARP,
	  .sig = "DD=DDDD",
	  .want = want_rounded,
	  .text = ".reg .b32 %n; .reg .pred %q; and.b32 %n, %lane, 3; setp.ne.u32 %q, %n, 0; @%q mov.b64 %i0, 0; @%q "
		  "mov.b64 %i1, 0; # {%o0,%o1}, {%i0}, {%i1}, {%i2,%i3};" },
	{ .ops = "mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", MMA_2_1_2("yy=xxxyy") },
	{ .ops = "mma.sync.aligned.m16n8k8.row.col.f32.{f16.f16,bf16.bf16}.f32", MMA_2_1_4("yyyy=xxxyyyy") },
	{ .ops = "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", MMA_4_2_2("yy=xxxxxxyy") },
	{ .ops = "mma.sync.aligned.m16n8k16.row.col.f32.{f16.f16,bf16.bf16}.f32", MMA_4_2_4("yyyy=xxxxxxyyyy") },
	{ .ops = "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", MMA_2_1_4("yyyy=xxxyyyy") },
	{ .ops = "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", MMA_4_2_4("yyyy=xxxxxxyyyy") },
	{ .ops = "mma.sync.aligned.m16n8k32.row.col.f32.{e4m3,e5m2}.{e4m3,e5m2}.f32",
	  MMA_4_2_4("yyyy=xxxxxxyyyy"),
	  .sm = 89,
	  .ptx = 84 },
	{ .ops = "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64", MMA_1_1_2("yy=xxyy") },
	{ .ops = "mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64", MMA_2_1_4("yyyy=xxxyyyy"), .sm = 90, .ptx = 78 },
	{ .ops = "mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64",
	  MMA_4_2_4("yyyy=xxxxxxyyyy"),
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "mma.sync.aligned.m16n8k16.row.col.f64.f64.f64.f64",
	  MMA_8_4_4("yyyy=xxxxxxxxxxxxyyyy"),
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "mma.sync.aligned.m8n8k16.row.col{,.satfinite}.s32.{s8,u8}.{s8,u8}.s32", MMA_1_1_2("rr=rrrr") },
	{ .ops = "mma.sync.aligned.m16n8k16.row.col{,.satfinite}.s32.{s8,u8}.{s8,u8}.s32", MMA_2_1_4("rrrr=rrrrrrr") },
	{ .ops = "mma.sync.aligned.m16n8k32.row.col{,.satfinite}.s32.{s8,u8}.{s8,u8}.s32",
	  MMA_4_2_4("rrrr=rrrrrrrrrr") },
	{ .ops = "mma.sync.aligned.m8n8k32.row.col{,.satfinite}.s32.{s4,u4}.{s4,u4}.s32", MMA_1_1_2("rr=rrrr") },
	{ .ops = "mma.sync.aligned.m16n8k32.row.col{,.satfinite}.s32.{s4,u4}.{s4,u4}.s32", MMA_2_1_4("rrrr=rrrrrrr") },
	{ .ops = "mma.sync.aligned.m16n8k64.row.col{,.satfinite}.s32.{s4,u4}.{s4,u4}.s32",
	  MMA_4_2_4("rrrr=rrrrrrrrrr") },
	{ .ops = "mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.{xor,and}.popc", MMA_1_1_2("rr=rrrr"), .ptx = 71 },
	{ .ops = "mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.{xor,and}.popc",
	  MMA_2_1_4("rrrr=rrrrrrr"),
	  .ptx = 71 },
	{ .ops = "mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.{xor,and}.popc",
	  MMA_4_2_4("rrrr=rrrrrrrrrr"),
	  .ptx = 71 },

	HALF("row", "col"),
	HALF("col", "row"),
	HALF("row", "row"),
	BF16("row", "col"),
	BF16("col", "col"),
	BYTES("row", "col", "s8"),
	BYTES("col", "row", "u8"),

	{ .ops = "ldmatrix.sync.aligned.m8n8.x1{,.trans}.shared.b16", LDMATRIX("r=dd", "%o0") },
	{ .ops = "ldmatrix.sync.aligned.m8n8.x2{,.trans}.shared.b16", LDMATRIX("rr=dd", "%o0,%o1") },
	{ .ops = "ldmatrix.sync.aligned.m8n8.x4{,.trans}.shared.b16", LDMATRIX("rrrr=dd", "%o0,%o1,%o2,%o3") },
	{ .ops = "stmatrix.sync.aligned.m8n8.x1{,.trans}.shared.b16", STMATRIX("dd=r", "%i0") },
	{ .ops = "stmatrix.sync.aligned.m8n8.x2{,.trans}.shared.b16", STMATRIX("dd=rr", "%i0,%i1") },
	{ .ops = "stmatrix.sync.aligned.m8n8.x4{,.trans}.shared.b16", STMATRIX("dd=rrrr", "%i0,%i1,%i2,%i3") },
	{ .ops = "movmatrix.sync.aligned.m8n8.trans.b16", WARP, .sig = "r=r", .want = want_movmatrix, .ptx = 78 },
	{ 0 },
};
