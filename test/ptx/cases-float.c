/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "ref.h"

const struct pt_family pt_cases_float[] = {
	{ .ops = "{add,sub}{,.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32", .sig = "T=TT", .want = want_fadd },
	{ .ops = "{add,sub}{,.rn,.rz,.rm,.rp}.f64", .sig = "T=TT", .want = want_fadd },
	{ .ops = "mul{,.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32", .sig = "T=TT", .want = want_fmul },
	{ .ops = "mul{,.rn,.rz,.rm,.rp}.f64", .sig = "T=TT", .want = want_fmul },
	{ .ops = "{fma,mad}{.rn,.rz,.rm,.rp}{,.ftz}{,.sat}.f32", .sig = "T=TTT", .want = want_fma },
	{ .ops = "{fma,mad}{.rn,.rz,.rm,.rp}.f64", .sig = "T=TTT", .want = want_fma },
	{ .ops = "div{.rn,.rz,.rm,.rp}{,.ftz}.f32", .sig = "T=TT", .want = want_fdiv },
	{ .ops = "div{.rn,.rz,.rm,.rp}.f64", .sig = "T=TT", .want = want_fdiv },
	{ .ops = "rcp{.rn,.rz,.rm,.rp}{,.ftz}.f32", .sig = "T=T", .want = want_frcp },
	{ .ops = "rcp{.rn,.rz,.rm,.rp}.f64", .sig = "T=T", .want = want_frcp },
	{ .ops = "sqrt{.rn,.rz,.rm,.rp}{,.ftz}.f32", .sig = "T=T", .want = want_fsqrt },
	{ .ops = "sqrt{.rn,.rz,.rm,.rp}.f64", .sig = "T=T", .want = want_fsqrt },
	{ .ops = "{abs,neg}{,.ftz}.f32", .sig = "T=T", .want = want_fsign },
	{ .ops = "{abs,neg}.f64", .sig = "T=T", .want = want_fsign },
	{ .ops = "{min,max}{,.ftz}{,.NaN}{,.xorsign.abs}.f32", .sig = "T=TT", .want = want_fminmax, .ptx = 72 },
	{ .ops = "{min,max}.f64", .sig = "T=TT", .want = want_fminmax },
	{ .ops = "copysign.{f32,f64}", .sig = "T=TT", .want = want_copysign, .exact_nan = true },
	{ .ops = "testp.{finite,infinite,number,notanumber,normal,subnormal}.{f32,f64}",
	  .sig = "p=T",
	  .want = want_testp },

	{ .ops = "div.{approx,full}{,.ftz}.f32", .sig = "T=TT", .judge = judge_approx },
	{ .ops = "{rcp,sqrt,rsqrt,sin,cos,lg2,ex2}.approx{,.ftz}.f32", .sig = "T=T", .judge = judge_approx },
	{ .ops = "tanh.approx.f32", .sig = "T=T", .judge = judge_approx, .ptx = 70 },
	{ .ops = "{rcp,rsqrt}.approx.ftz.f64", .sig = "T=T", .judge = judge_approx },
	{ .ops = "rsqrt.approx.f64", .sig = "T=T", .judge = judge_approx },
	{ 0 },
};
