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
#define REGISTERS                                                                                                      \
	"{ .reg .b32 a0,a1,a2,a3,a4,a5,a6,a7,b0,b1,b2,b3,b4,b5,b6,b7,c0,c1,c2,c3,c4,c5,c6,c7,d0,d1,d2,d3,d4,d5,d6,d7;" \
	" .reg .b64 %base, %to; .reg .b32 %first; and.b32 %first, %gid, -32; mad.wide.u32 %to, %first, 32, %out;"      \
	" mad.wide.u32 %base, %first, 96, %in; "
/* Loads of A, B and C with their strides in elements, the product, D's store. */
#define WMMA(as, bs, cs, ds, la, lb, lc, sd)                                                                           \
	WARP, .sig = "dddd=xxxxxxyyyyyy", .want = want_wmma,                                                           \
	      .text = REGISTERS la " " as ", [%base], 96/~; " lb " " bs ", [%base+1536], 96/~; " lc " " cs             \
				   ", [%base+32], "                                                                    \
				   "24; # " ds ", " as ", " bs ", " cs "; " sd " [%to], " ds ", 16;"                   \
				   " bar.warp.sync 0xffffffff; } ld.global.v2.b64 {%o0, %o1}, [%oa]; "                 \
				   "ld.global.v2.b64 {%o2, %o3}, [%oa+16];"

const struct pt_family pt_cases_matrix[] = {
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

	{ .ops = "ldmatrix.sync.aligned.m8n8.x1{,.trans}.shared.b16", LDMATRIX("r=dd", "%o0") },
	{ .ops = "ldmatrix.sync.aligned.m8n8.x2{,.trans}.shared.b16", LDMATRIX("rr=dd", "%o0,%o1") },
	{ .ops = "ldmatrix.sync.aligned.m8n8.x4{,.trans}.shared.b16", LDMATRIX("rrrr=dd", "%o0,%o1,%o2,%o3") },
	{ .ops = "stmatrix.sync.aligned.m8n8.x1{,.trans}.shared.b16", STMATRIX("dd=r", "%i0") },
	{ .ops = "stmatrix.sync.aligned.m8n8.x2{,.trans}.shared.b16", STMATRIX("dd=rr", "%i0,%i1") },
	{ .ops = "stmatrix.sync.aligned.m8n8.x4{,.trans}.shared.b16", STMATRIX("dd=rrrr", "%i0,%i1,%i2,%i3") },
	{ .ops = "movmatrix.sync.aligned.m8n8.trans.b16", WARP, .sig = "r=r", .want = want_movmatrix, .ptx = 78 },
	{ NULL },
};
