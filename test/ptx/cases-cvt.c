/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "ref.h"

#define INTS   "{u8,s8,u16,s16,u32,s32,u64,s64}"
#define FLOATS "{f16,f32,f64}"
#define ROUND  "{.rn,.rz,.rm,.rp}"
#define WHOLE  "{.rni,.rzi,.rmi,.rpi}"

const struct pt_family pt_cases_cvt[] = {
	{ .ops = "cvt.sat.u8.{s8,u16,s16,u32,s32,u64,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.s8.{u8,u16,s16,u32,s32,u64,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.u16.{s8,s16,u32,s32,u64,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.s16.{u16,u32,s32,u64,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.u32.{s8,s16,s32,u64,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.s32.{u32,u64,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.u64.{s8,s16,s32,s64}", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.sat.s64.u64", .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt." INTS "." INTS, .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt" ROUND "{,.sat}." FLOATS "." INTS, .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt.rn.ftz.f32." INTS, .sig = "T=U", .rows = 512, .want = want_cvt },
	{ .ops = "cvt" WHOLE "{,.sat}." INTS "." FLOATS, .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt" WHOLE ".ftz." INTS ".f32", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt" WHOLE "{,.ftz}{,.sat}.f32.f32", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt" WHOLE "{,.sat}.{f64.f64,f16.f16}", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt{,.ftz}{,.sat}.{f32.f16,f64.f32}", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt{,.sat}.{f64.f16}", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt.sat.{f16.f16,f32.f32,f64.f64}", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt.ftz{,.sat}.f32.f32", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt" ROUND "{,.ftz}{,.sat}.{f32.f64,f16.f32}", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt" ROUND "{,.sat}.f16.f64", .sig = "T=U", .want = want_cvt },
	{ .ops = "cvt.{rn,rz}.relu.f16.f32", .sig = "T=U", .want = want_cvt, .ptx = 70 },

	{ .ops = "cvt.{rn,rz}{,.relu}.bf16.f32", .sig = "T=U", .want = want_cvt, .ptx = 70 },
	{ .ops = "cvt.f32.bf16", .sig = "T=U", .want = want_cvt, .ptx = 71 },
	{ .ops = "cvt" ROUND ".bf16.{u16,s16,u32,s32,u64,s64,f16,f64}",
	  .sig = "T=U",
	  .want = want_cvt,
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "cvt" WHOLE ".{u16,s16,u32,s32,u64,s64}.bf16", .sig = "T=U", .want = want_cvt, .sm = 90, .ptx = 78 },
	{ .ops = "cvt" WHOLE ".bf16.bf16", .sig = "T=U", .want = want_cvt, .sm = 90, .ptx = 78 },
	{ .ops = "cvt.{rm,rp}.bf16.f32", .sig = "T=U", .want = want_cvt, .sm = 90, .ptx = 78 },
	{ .ops = "cvt" ROUND ".f16.bf16", .sig = "T=U", .want = want_cvt, .sm = 90, .ptx = 78 },
	{ .ops = "cvt.f64.bf16", .sig = "T=U", .want = want_cvt, .sm = 90, .ptx = 78 },

	{ .ops = "cvt.{rn,rz}{,.relu}.{f16x2,bf16x2}.f32", .sig = "T=UU", .want = want_cvt_pair, .ptx = 70 },
	{ .ops = "cvt.rna.tf32.f32", .sig = "T=U", .want = want_cvt, .ptx = 70 },
	{ .ops = "cvt.{rn,rz}{,.relu}.tf32.f32", .sig = "T=U", .want = want_cvt, .sm = 90, .ptx = 78 },
	{ .ops = "cvt.rn.satfinite{,.relu}.{e4m3x2,e5m2x2}.f32",
	  .sig = "T=UU",
	  .want = want_cvt_pair,
	  .sm = 89,
	  .ptx = 81 },
	{ .ops = "cvt.rn.satfinite{,.relu}.{e4m3x2,e5m2x2}.f16x2",
	  .sig = "T=U",
	  .want = want_cvt_unpair,
	  .sm = 89,
	  .ptx = 81 },
	{ .ops = "cvt.rn{,.relu}.f16x2.{e4m3x2,e5m2x2}", .sig = "T=U", .want = want_cvt_unpair, .sm = 89, .ptx = 81 },
	{ .ops = "cvt.pack.sat.{u16,s16}.s32", .sig = "r=rr", .want = want_cvt_pack, .ptx = 65 },
	{ .ops = "cvt.pack.sat.{u2,s2,u4,s4,u8,s8}.s32.b32", .sig = "r=rrr", .want = want_cvt_pack, .ptx = 65 },
	{ 0 },
};
