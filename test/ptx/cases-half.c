/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "ref.h"

const struct pt_family pt_cases_half[] = {
	{ .ops = "{add,sub}{,.rn}{,.ftz}{,.sat}.{f16,f16x2}", .sig = "T=TT", .want = want_fadd },
	{ .ops = "mul{,.rn}{,.ftz}{,.sat}.{f16,f16x2}", .sig = "T=TT", .want = want_fmul },
	{ .ops = "fma.rn{,.ftz}{,.sat}.{f16,f16x2}", .sig = "T=TTT", .want = want_fma },
	{ .ops = "fma.rn{,.ftz}.relu.{f16,f16x2}", .sig = "T=TTT", .want = want_fma, .ptx = 70 },
	{ .ops = "{abs,neg}{,.ftz}.{f16,f16x2}", .sig = "T=T", .want = want_fsign, .ptx = 65 },
	{ .ops = "{min,max}{,.ftz}{,.NaN}{,.xorsign.abs}.{f16,f16x2}", .sig = "T=TT", .want = want_fminmax, .ptx = 72 },

	{ .ops = "{add,sub}{,.rn}.{bf16,bf16x2}", .sig = "T=TT", .want = want_fadd, .sm = 90, .ptx = 78 },
	{ .ops = "mul{,.rn}.{bf16,bf16x2}", .sig = "T=TT", .want = want_fmul, .sm = 90, .ptx = 78 },
	{ .ops = "fma.rn{,.relu}.{bf16,bf16x2}", .sig = "T=TTT", .want = want_fma, .ptx = 70 },
	{ .ops = "{abs,neg}.{bf16,bf16x2}", .sig = "T=T", .want = want_fsign, .ptx = 70 },
	{ .ops = "{min,max}{,.NaN}{,.xorsign.abs}.{bf16,bf16x2}", .sig = "T=TT", .want = want_fminmax, .ptx = 72 },

	{ .ops = "ex2.approx.{f16,f16x2}", .sig = "T=T", .judge = judge_half, .ptx = 70 },
	{ .ops = "ex2.approx.ftz.{bf16,bf16x2}", .sig = "T=T", .judge = judge_half, .sm = 90, .ptx = 78 },
	{ .ops = "tanh.approx.{f16,f16x2}", .sig = "T=T", .judge = judge_half, .ptx = 70 },
	{ .ops = "tanh.approx.{bf16,bf16x2}", .sig = "T=T", .judge = judge_half, .sm = 90, .ptx = 78 },
	{ 0 },
};
