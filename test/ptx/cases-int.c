/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "ref.h"

#define INTS "{u16,s16,u32,s32,u64,s64}"

const struct pt_family pt_cases_int[] = {
	{ .ops = "{add,sub}." INTS, .sig = "T=TT", .want = want_add },
	{ .ops = "{add,sub}.sat.s32", .sig = "T=TT", .want = want_add },
	{ .ops = "add.{u16x2,s16x2}", .sig = "T=TT", .want = want_add, .sm = 90, .ptx = 80 },
	{ .ops = "mul.{lo,hi}." INTS, .sig = "T=TT", .want = want_mul },
	{ .ops = "mul.wide.{u16,s16,u32,s32}", .sig = "W=TT", .want = want_mul },
	{ .ops = "mad.{lo,hi}." INTS, .sig = "T=TTT", .want = want_mad },
	{ .ops = "mad.hi.sat.s32", .sig = "T=TTT", .want = want_mad },
	{ .ops = "mad.wide.{u16,s16,u32,s32}", .sig = "W=TTW", .want = want_mad },
	{ .ops = "mul24.{lo,hi}.{u32,s32}", .sig = "T=TT", .want = want_mul24 },
	{ .ops = "mad24.{lo,hi}.{u32,s32}", .sig = "T=TTT", .want = want_mad24 },
	{ .ops = "mad24.hi.sat.s32", .sig = "T=TTT", .want = want_mad24 },
	{ .ops = "sad." INTS, .sig = "T=TTT", .want = want_sad },
	{ .ops = "{div,rem}." INTS, .sig = "T=TT", .want = want_div },
	{ .ops = "abs.{s16,s32,s64}", .sig = "T=T", .want = want_abs },
	{ .ops = "neg.{s16,s32,s64}", .sig = "T=T", .want = want_neg },
	{ .ops = "{min,max}." INTS, .sig = "T=TT", .want = want_minmax },
	{ .ops = "{min,max}.{u16x2,s16x2}", .sig = "T=TT", .want = want_minmax, .sm = 90, .ptx = 80 },
	{ .ops = "{min,max}.relu.{s16x2,s32}", .sig = "T=TT", .want = want_minmax, .sm = 90, .ptx = 80 },

	{ .ops = "{and,or,xor}.{pred,b16,b32,b64}", .sig = "T=TT", .want = want_logic },
	{ .ops = "not.{pred,b16,b32,b64}", .sig = "T=T", .want = want_logic },
	{ .ops = "cnot.{b16,b32,b64}", .sig = "T=T", .want = want_logic },
	{ .ops = "lop3.b32 {0x00,0x10,0x20,0x30,0x40,0x50,0x60,0x70,0x80,0x90,0xa0,0xb0,0xc0,0xd0,0xe0,0xf0}",
	  .sig = "rrrrrrrrrrrrrrrr=rrr",
	  .want = want_lop3,
	  .rows = 256,
	  .text = "# %o0,%i0,%i1,%i2,~+0;# %o1,%i0,%i1,%i2,~+1;# %o2,%i0,%i1,%i2,~+2;# %o3,%i0,%i1,%i2,~+3;"
		  "# %o4,%i0,%i1,%i2,~+4;# %o5,%i0,%i1,%i2,~+5;# %o6,%i0,%i1,%i2,~+6;# %o7,%i0,%i1,%i2,~+7;"
		  "# %o8,%i0,%i1,%i2,~+8;# %o9,%i0,%i1,%i2,~+9;# %o10,%i0,%i1,%i2,~+10;# %o11,%i0,%i1,%i2,~+11;"
		  "# %o12,%i0,%i1,%i2,~+12;# %o13,%i0,%i1,%i2,~+13;# %o14,%i0,%i1,%i2,~+14;# %o15,%i0,%i1,%i2,~+15;" },
	{ .ops = "lop3.{and,or}.b32 {0x80,0x96,0x00,0xfe}",
	  .sig = "rp=rrrp",
	  .want = want_lop3_bool,
	  .ptx = 82,
	  .text = "# %o0|%o1, %i0, %i1, %i2, ~, %i3;" },
	{ .ops = "shl.{b16,b32,b64}", .sig = "T=Ts", .want = want_shift },
	{ .ops = "shr.{b16,b32,b64,u16,s16,u32,s32,u64,s64}", .sig = "T=Ts", .want = want_shift },
	{ .ops = "shf.{l,r}.{clamp,wrap}.b32", .sig = "r=rrs", .want = want_shf },
	{ .ops = "prmt.b32{,.f4e,.b4e,.rc8,.ecl,.ecr,.rc16}", .sig = "r=rrr", .want = want_prmt },
	{ .ops = "bfe.{u32,s32,u64,s64}", .sig = "T=Tnn", .want = want_bfe },
	{ .ops = "bfi.{b32,b64}", .sig = "T=TTnn", .want = want_bfi },
	{ .ops = "brev.{b32,b64}", .sig = "T=T", .want = want_brev },
	{ .ops = "{popc,clz}.{b32,b64}", .sig = "r=T", .want = want_count },
	{ .ops = "bfind{,.shiftamt}.{u32,s32,u64,s64}", .sig = "r=T", .want = want_bfind },
	{ .ops = "fns.b32", .sig = "r=rsn", .want = want_fns },
	{ .ops = "fns.b32 back",
	  .sig = "r=rsn",
	  .want = want_fns_back,
	  .text = "neg.s32 %i2, %i2; # %o0, %i0, %i1, %i2;" },
	{ .ops = "szext.{clamp,wrap}.{u32,s32}", .sig = "r=rs", .want = want_szext, .ptx = 76 },
	{ .ops = "bmsk.{clamp,wrap}.b32", .sig = "r=ss", .want = want_bmsk, .ptx = 76 },
	{ .ops = "dp4a.{u32,s32}.{u32,s32}", .sig = "r=rrr", .want = want_dp4a },
	{ .ops = "dp2a.{lo,hi}.{u32,s32}.{u32,s32}", .sig = "r=rrr", .want = want_dp2a },

#define CARRY(op, next, type)                                                                                          \
	{                                                                                                              \
		.ops = op ".cc." type " " type, .sig = "TTT=TTTT", .want = want_carry,                                 \
		.text = "# %o0, %i0, %i1; " next ".cc.~ %o1, %i2, %i3; " next ".~ %o2, 0, 0;"                          \
	}
	CARRY("add", "addc", "u32"),
	CARRY("add", "addc", "s32"),
	CARRY("add", "addc", "u64"),
	CARRY("add", "addc", "s64"),
	CARRY("sub", "subc", "u32"),
	CARRY("sub", "subc", "s32"),
	CARRY("sub", "subc", "u64"),
	CARRY("sub", "subc", "s64"),
	{ .ops = "mad.lo.cc.u32",
	  .sig = "TTT=TTTT",
	  .want = want_carry_mad,
	  .text = "# %o0, %i0, %i1, %i2; madc.hi.cc.u32 %o1, %i0, %i1, %i3; addc.u32 %o2, 0, 0;" },
	{ .ops = "mad.lo.cc.u64",
	  .sig = "TTT=TTTT",
	  .want = want_carry_mad,
	  .text = "# %o0, %i0, %i1, %i2; madc.hi.cc.u64 %o1, %i0, %i1, %i3; addc.u64 %o2, 0, 0;" },
	{ .ops = "mad.hi.cc.u32",
	  .sig = "TTT=TTTT",
	  .want = want_carry_mad,
	  .text = ".reg .pred %p; mul.lo.u32 %o0, %i0, %i1; add.cc.u32 %o0, %o0, %i2; mov.b32 %o2, 0; addc.u32 %o2, "
		  "%o2, 0;"
		  "add.u32 %o1, %i3, %o2; setp.lt.u32 %p, %o1, %o2; selp.u32 %o2, 1, 0, %p; # %o1, %i0, %i1, %o1;"
		  "addc.u32 %o2, %o2, 0;" },
	{ 0 },
};
