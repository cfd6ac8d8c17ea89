/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "ref.h"

#define SIGNED    "{eq,ne,lt,le,gt,ge}"
#define UNSIGNED  "{eq,ne,lt,le,gt,ge,lo,ls,hi,hs}"
#define ORDERED   "{eq,ne,lt,le,gt,ge,equ,neu,ltu,leu,gtu,geu,num,nan}"
#define BOOL      ".{and,or,xor}"
#define BOTH      .sig = "pp=TTp", .rows = 512, .want = want_setp
#define SINGLE    .sig = "p=TTp", .rows = 512, .want = want_setp
#define PLAIN     .text = "# %o0|%o1, %i0, %i1;"
#define JOINED    .text = "# %o0|%o1, %i0, %i1, %i2;"
#define ONE       .sig = "T=UUp", .rows = 512, .want = want_set
#define ONE_PLAIN .text = "# %o0, %i0, %i1;"

const struct pt_family pt_cases_compare[] = {
	{ .ops = "setp.{eq,ne}.{b16,b32,b64}", BOTH, PLAIN },
	{ .ops = "setp." UNSIGNED ".{u16,u32,u64}", BOTH, PLAIN },
	{ .ops = "setp." SIGNED ".{s16,s32,s64}", BOTH, PLAIN },
	{ .ops = "setp." ORDERED "{,.ftz}.f32", BOTH, PLAIN },
	{ .ops = "setp." ORDERED ".f64", BOTH, PLAIN },
	{ .ops = "setp.{eq,ne}" BOOL ".{b16,b32,b64}", BOTH, JOINED },
	{ .ops = "setp." UNSIGNED BOOL ".{u16,u32,u64}", BOTH, JOINED },
	{ .ops = "setp." SIGNED BOOL ".{s16,s32,s64}", BOTH, JOINED },
	{ .ops = "setp." ORDERED BOOL "{,.ftz}.f32", BOTH, JOINED },
	{ .ops = "setp." ORDERED BOOL ".f64", BOTH, JOINED },
	{ .ops = "setp." ORDERED "{,.ftz}.f16x2", BOTH, PLAIN },
	{ .ops = "setp." ORDERED "{,.ftz}.f16", SINGLE, .text = "# %o0, %i0, %i1;" },
	{ .ops = "setp." ORDERED BOOL "{,.ftz}.f16x2", BOTH, JOINED },
	{ .ops = "setp." ORDERED BOOL "{,.ftz}.f16", SINGLE },
	{ .ops = "setp." ORDERED ".bf16x2", BOTH, PLAIN, .sm = 90, .ptx = 78 },
	{ .ops = "setp." ORDERED ".bf16", SINGLE, .text = "# %o0, %i0, %i1;", .sm = 90, .ptx = 78 },
	{ .ops = "setp." ORDERED BOOL ".bf16x2", BOTH, JOINED, .sm = 90, .ptx = 78 },
	{ .ops = "setp." ORDERED BOOL ".bf16", SINGLE, .sm = 90, .ptx = 78 },

	{ .ops = "set.{eq,ne}.{u32,s32,f32}.{b16,b32,b64}", ONE, ONE_PLAIN },
	{ .ops = "set." UNSIGNED ".{u32,s32,f32}.{u16,u32,u64}", ONE, ONE_PLAIN },
	{ .ops = "set." SIGNED ".{u32,s32,f32}.{s16,s32,s64}", ONE, ONE_PLAIN },
	{ .ops = "set." ORDERED "{,.ftz}.{u32,s32,f32}.f32", ONE, ONE_PLAIN },
	{ .ops = "set." ORDERED ".{u32,s32,f32}.f64", ONE, ONE_PLAIN },
	{ .ops = "set.{eq,ne}" BOOL ".{u32,s32,f32}.{b16,b32,b64}", ONE },
	{ .ops = "set." UNSIGNED BOOL ".{u32,f32}.{u16,u32,u64}", ONE },
	{ .ops = "set." SIGNED BOOL ".{s32,f32}.{s16,s32,s64}", ONE },
	{ .ops = "set." ORDERED BOOL "{,.ftz}.{u32,f32}.f32", ONE },
	{ .ops = "set." ORDERED BOOL ".{s32,f32}.f64", ONE },
	{ .ops = "set.{lt,ne}.f16.{u16,s16,u32,s32,u64,s64,f32,f64}", ONE, ONE_PLAIN, .ptx = 65 },
	{ .ops = "set.{lt,ne}" BOOL ".f16.{u16,s64,f32,f64}", ONE, .ptx = 65 },
	{ .ops = "set.{eq,ne}.f16.{b16,b32,b64}", ONE, ONE_PLAIN, .ptx = 65 },
	{ .ops = "set.{lt,ne}.bf16.{u16,s16,u32,s32,u64,s64,f32,f64}", ONE, ONE_PLAIN, .sm = 90, .ptx = 78 },
	{ .ops = "set." ORDERED "{,.ftz}.{f16,u16,s16,u32,s32}.f16", ONE, ONE_PLAIN, .ptx = 65 },
	{ .ops = "set." ORDERED "{,.ftz}.{f16x2,u32,s32}.f16x2", ONE, ONE_PLAIN, .ptx = 65 },
	{ .ops = "set.{gt,neu,nan}" BOOL "{,.ftz}.{f16.f16,f16x2.f16x2,u16.f16,s16.f16,u32.f16,s32.f16,u32.f16x2}",
	  ONE,
	  .ptx = 65 },
	{ .ops = "set." ORDERED ".{bf16,u16,s16,u32,s32}.bf16", ONE, ONE_PLAIN, .sm = 90, .ptx = 78 },
	{ .ops = "set.{gt,neu,nan}" BOOL ".{bf16.bf16,bf16x2.bf16x2,u16.bf16,u32.bf16,s32.bf16x2}",
	  ONE,
	  .sm = 90,
	  .ptx = 78 },
	{ .ops = "set." ORDERED ".{bf16x2,u32,s32}.bf16x2", ONE, ONE_PLAIN, .sm = 90, .ptx = 78 },

	{ .ops = "selp.{b16,b32,b64,u16,s16,u32,s32,u64,s64,f32,f64}", .sig = "T=TTp", .want = want_selp },
	{ .ops = "slct.{b16,b32,b64,u16,s16,u32,s32,u64,s64,f32,f64}.s32", .sig = "T=TTU", .want = want_slct },
	{ .ops = "slct{,.ftz}.{b16,b32,b64,u16,s16,u32,s32,u64,s64,f32,f64}.f32", .sig = "T=TTU", .want = want_slct },
	{ 0 },
};
