/* SPDX-License-Identifier: Apache-2.0 */
/* Atomics: alone on a cell, and a block's worth of them on one, whose old values must tell one order. */
#include "cases.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHARED    ".shared .align 16 .b8 $_m[4096];"
#define SHARED_AT ".reg .b32 %sa; mov.u32 %sa, $_m; mad.lo.u32 %sa, %tx, 16, %sa; "
#define GENERIC_AT                                                                                                     \
	".reg .b64 %sa; .reg .b32 %sb; mov.u32 %sb, $_m; mad.lo.u32 %sb, %tx, 16, %sb; cvt.u64.u32 %sa, %sb;"          \
	"cvta.shared.u64 %sa, %sa; "
#define BLOCK 128

static uint64_t integer_apply(const struct pt_op *op, enum pt_type type, uint64_t old, const uint64_t *by)
{
	int bits = pt_types[type].bits;
	bool is_signed = pt_types[type].is_signed;
	uint64_t b = by[0] & pt_mask(bits);
	bool less = is_signed ? pt_signed(b, bits) < pt_signed(old, bits) : b < old;

	if (pt_op_has(op, "add"))
		return old + b;
	if (pt_op_has(op, "exch"))
		return b;
	if (pt_op_has(op, "cas"))
		return old == b ? by[1] : old;
	if (pt_op_has(op, "and"))
		return old & b;
	if (pt_op_has(op, "or"))
		return old | b;
	if (pt_op_has(op, "xor"))
		return old ^ b;
	if (pt_op_has(op, "inc"))
		return old >= b ? 0 : old + 1;
	if (pt_op_has(op, "dec"))
		return old == 0 || old > b ? b : old - 1;
	return less == pt_op_has(op, "min") ? b : old;
}

/* Additions of floats: f32 in global memory flushes subnormals, the others do not. */
static uint64_t float_add(enum pt_type type, bool flush, uint64_t a, uint64_t b)
{
	const struct pt_type_info *t = &pt_types[type];
	int bits = t->bits / t->lanes;
	unsigned flags = flush && type == PT_F32 ? SF_FTZ : 0;
	uint64_t r = 0;

	for (int lane = 0; lane < t->lanes; lane++) {
		struct sf x = sf_unpack(t->format, a >> lane * bits & pt_mask(bits), flags);
		struct sf y = sf_unpack(t->format, b >> lane * bits & pt_mask(bits), flags);

		r |= sf_pack(t->format, sf_add(x, y, SF_NEAREST), SF_NEAREST, flags) << lane * bits;
	}
	return r;
}

static uint64_t apply(const struct pt_op *op, uint64_t old, const uint64_t *by)
{
	enum pt_type type = op->type[0];
	uint64_t r = pt_types[type].format ? float_add(type, pt_op_has(op, "global"), old, by[0])
					   : integer_apply(op, type, old, by);

	return r & pt_mask(pt_types[type].bits);
}

/* Old and new: the cell held i0. */
static bool want_atom(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	out[0] = in[0];
	out[1] = apply(op, in[0], in + 1);
	return true;
}

static bool want_cas(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	/* Half of them must compare equal. */
	const uint64_t by[2] = { in[3] & 1 ? in[0] : in[1], in[2] };

	out[0] = in[0];
	out[1] = apply(op, in[0], by);
	return true;
}

static bool want_red(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	out[0] = apply(op, in[0], in + 1);
	return true;
}

/* 16 bytes of elements, on as many. */
static bool want_reduced(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	unsigned n = 128 / (unsigned)pt_types[op->type[0]].bits;

	for (unsigned i = 0; i < n; i++)
		out[i] = apply(op, in[i], in + n + i);
	return true;
}

static bool want_wide_cas(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	bool equal = pt_op_has(op, "exch") || in[2] & 1;

	out[0] = in[0];
	out[1] = in[1];
	out[2] = equal ? in[3] : in[0];
	out[3] = equal ? in[4] : in[1];
	return true;
}

/* Some order in which every thread saw what the one before it left. */
static bool judge_order(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	uint64_t mask = pt_mask(pt_types[op->type[0]].bits), value = in[0] & mask;
	bool seen[BLOCK] = { false };

	for (int done = 0; done < BLOCK; done++) {
		int next = -1;

		/* Those that change nothing go first. */
		for (int i = 0; i < BLOCK; i++) {
			if (seen[i] || (got[i * 2] & mask) != value)
				continue;
			next = i;
			if (apply(op, value, in + i * 2 + 1) == value)
				break;
		}
		if (next < 0) {
			snprintf(why, 160, "an order: after %d of them nobody saw %" PRIx64, done, value);
			return false;
		}
		seen[next] = true;
		value = apply(op, value, in + next * 2 + 1);
	}
	if ((got[1] & mask) == value)
		return true;
	snprintf(why, 160, "%" PRIx64 " in the end", value);
	return false;
}

/* Additions of small whole numbers are exact in any order. */
static bool judge_float_sum(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	const struct pt_type_info *t = &pt_types[op->type[0]];
	int bits = t->bits / t->lanes;

	for (int lane = 0; lane < t->lanes; lane++) {
		uint64_t sum = 0;

		for (int i = 0; i < BLOCK; i++)
			sum += in[i] & 15;
		sum = sf_pack(t->format, sf_from_int(sum, false), SF_NEAREST, 0);
		if ((got[0] >> lane * bits & pt_mask(bits)) == sum)
			continue;
		snprintf(why, 160, "%" PRIx64 " in lane %d", sum, lane);
		return false;
	}
	return true;
}

static bool judge_cas_loop(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	uint64_t sum = 0, mask = pt_mask(pt_types[op->type[0]].bits);

	for (int i = 0; i < BLOCK; i++)
		sum += in[i];
	if ((got[0] & mask) == (sum & mask))
		return true;
	snprintf(why, 160, "%" PRIx64, sum & mask);
	return false;
}

static bool judge_wide_loop(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	uint64_t sum = 0;

	(void)op;
	for (int i = 0; i < BLOCK; i++)
		sum += in[i];
	if (got[0] == sum && got[1] == -sum)
		return true;
	snprintf(why, 160, "%" PRIx64 " and its negation", sum);
	return false;
}

static bool want_none(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	(void)in;
	out[0] = 0;
	return true;
}

#define INTEGERS                                                                                                       \
	"{add.u32,add.s32,add.u64,exch.b32,exch.b64,and.b32,and.b64,or.b32,or.b64,xor.b32,xor.b64,inc.u32,dec.u32,"    \
	"min.u32,min.s32,min.u64,min.s64,max.u32,max.s32,max.u64,max.s64}"
#define REDS                                                                                                           \
	"{add.u32,add.s32,add.u64,and.b32,and.b64,or.b32,or.b64,xor.b32,xor.b64,inc.u32,dec.u32,"                      \
	"min.u32,min.s32,min.u64,min.s64,max.u32,max.s32,max.u64,max.s64,add.f32,add.f64}"
#define FLOATS "{add.f32,add.f64,add.noftz.f16x2,add.noftz.f16,add.noftz.bf16,add.noftz.bf16x2}"

#define ALONE(space, declared, at, a)                                                                                  \
	{ .ops = "atom" space "." INTEGERS,                                                                            \
	  .sig = "TT=TT",                                                                                              \
	  .rows = 512,                                                                                                 \
	  .want = want_atom,                                                                                           \
	  .decl = declared,                                                                                            \
	  .text = at "st" space ".&B " a ", %i0; # %o0, " a ", %i1; ld" space ".&B %o1, " a ";" },                     \
		{ .ops = "atom" space "." FLOATS,                                                                      \
		  .sig = "TT=TT",                                                                                      \
		  .rows = 512,                                                                                         \
		  .want = want_atom,                                                                                   \
		  .decl = declared,                                                                                    \
		  .text = at "st" space ".&B " a ", %i0; # %o0, " a ", %i1; ld" space ".&B %o1, " a ";" },             \
		{ .ops = "atom" space ".cas.{b16,b32,b64}",                                                            \
		  .sig = "TT=TTTr",                                                                                    \
		  .rows = 512,                                                                                         \
		  .want = want_cas,                                                                                    \
		  .decl = declared,                                                                                    \
		  .text = at                                                                                           \
		  ".reg .pred %q; and.b32 %i3, %i3, 1; setp.ne.u32 %q, %i3, 0; selp.&B %i1, %i0, %i1, %q; st" space    \
		  ".&B " a ", %i0; # %o0, " a ", %i1, %i2; ld" space ".&B %o1, " a ";" },                              \
	{                                                                                                              \
		.ops = "red" space "." REDS, .sig = "T=TT", .rows = 512, .want = want_red, .decl = declared,           \
		.text = at "st" space ".&B " a ", %i0; # " a ", %i1; ld" space ".&B %o0, " a ";"                       \
	}

#define WIDE_OF(op, space, declared, at, a, operands)                                                                  \
	{                                                                                                              \
		.ops = "atom" space "." op ".b128", .sig = "dddd=ddddd", .rows = 256, .want = want_wide_cas,           \
		.decl = declared, .sm = 90, .ptx = 84,                                                                 \
		.text = at ".reg .b128 %x, %y, %z; .reg .b64 %w; .reg .pred %q; and.b64 %w, %i2, 1; setp.ne.u64 %q, "  \
			   "%w, 0;"                                                                                    \
			   "not.b64 %w, %i0; selp.b64 %w, %i0, %w, %q; st" space ".v2.b64 " a                          \
			   ", {%i0, %i1}; mov.b128 %x, "                                                               \
			   "{%w, %i1}; mov.b128 %y, {%i3, %i4}; # %z, " a ", " operands "; mov.b128 {%o0, %o1}, %z; "  \
			   "ld" space ".v2.b64 {%o2, %o3}, " a ";"                                                     \
	}
#define WIDE(space, declared, at, a)                                                                                   \
	WIDE_OF("cas", space, declared, at, a, "%x, %y"), WIDE_OF("exch", space, declared, at, a, "%y")

/* The block's cell is that of its first row, in o1. */
#define TOGETHER(space, declared, at)                                                                                  \
	{                                                                                                              \
		.ops = "atom" space "." INTEGERS " together", .sig = "TT=RR", .rows = 512, .group = BLOCK,             \
		.judge = judge_order, .decl = declared,                                                                \
		.text = at ".reg .pred %q; setp.ne.u32 %q, %tx, 0; @!%q st" space ".&B [%ca], %i0; bar.sync 0;"        \
			   "# %o0, [%ca], %i1; bar.sync 0; ld.volatile" space ".&B %o1, [%ca]; bar.sync 0;"            \
	}

#define GLOBAL_CELL                                                                                                    \
	".reg .b64 %ca; .reg .b32 %cb; and.b32 %cb, %gid, -128; mad.wide.u32 %ca, %cb, 16, %out; add.u64 %ca, %ca, "   \
	"8; "
#define SHARED_CELL  ".reg .b32 %ca; mov.u32 %ca, $_m; "
#define GENERIC_CELL ".reg .b64 %ca; .reg .b32 %cb; mov.u32 %cb, $_m; cvt.u64.u32 %ca, %cb; cvta.shared.u64 %ca, %ca; "

#define REDUCE(ops_, s, puts, gets)                                                                                    \
	{                                                                                                              \
		.ops = "cp.reduce.async.bulk.global.shared::cta.bulk_group." ops_, .sig = s, .rows = 256,              \
		.want = want_reduced, .decl = SHARED, .sm = 90, .ptx = 80,                                             \
		.text = SHARED_AT puts "fence.proxy.async; # [%oa], [%sa], 16; cp.async.bulk.commit_group; "           \
				       "cp.async.bulk.wait_group 0; " gets                                             \
	}

/* An mbarrier of the thread's own, which waits for itself and for bytes. */
#define OWN                                                                                                            \
	".reg .b32 %wb; .reg .b64 %st; .reg .pred %w; mov.u32 %wb, $_own; mad.lo.u32 %wb, %tx, 8, %wb; "               \
	"mbarrier.init.shared.b64 [%wb], 1; fence.mbarrier_init.release.cluster; "
#define OWN_WAIT "$_wait: mbarrier.try_wait.parity.shared.b64 %w, [%wb], 0; @!%w bra $_wait; "

const struct pt_family pt_cases_atomic[] = {
	REDUCE("{add.u32,add.s32,inc.u32,dec.u32,min.u32,min.s32,max.u32,max.s32,and.b32,or.b32,xor.b32,add.f32}",
	       "TTTT=TTTTTTTT",
	       "st.global.v4.&B [%oa], {%i0, %i1, %i2, %i3}; st.shared.v4.&B [%sa], {%i4, %i5, %i6, %i7}; ",
	       "ld.global.v4.&B {%o0, %o1, %o2, %o3}, [%oa];"),
	REDUCE("{add.u64,min.u64,min.s64,max.u64,max.s64,and.b64,or.b64,xor.b64,add.f64}", "TT=TTTT",
	       "st.global.v2.&B [%oa], {%i0, %i1}; st.shared.v2.&B [%sa], {%i2, %i3}; ",
	       "ld.global.v2.&B {%o0, %o1}, [%oa];"),
	{ .ops = "cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.{add.u32,max.s32,and."
		 "b32}",
	  .sig = "TTTT=TTTTTTTT",
	  .rows = 256,
	  .want = want_reduced,
	  .decl = SHARED ".shared .align 8 .b64 $_own[128]; .shared .align 16 .b8 $_n[4096];",
	  .sm = 90,
	  .ptx = 80,
	  .text = SHARED_AT OWN
	  ".reg .b32 %sb; mov.u32 %sb, $_n; mad.lo.u32 %sb, %tx, 16, %sb; st.shared.v4.&B [%sa], {%i0, "
	  "%i1, %i2, %i3}; st.shared.v4.&B [%sb], {%i4, %i5, %i6, %i7}; fence.proxy.async; "
	  "mbarrier.arrive.expect_tx.shared.b64 %st, [%wb], 16; # [%sa], [%sb], 16, [%wb]; " OWN_WAIT
	  "ld.shared.v4.&B {%o0, %o1, %o2, %o3}, [%sa];" },
	{ .ops = "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.{add.u32,add.s32,inc.u32,dec."
		 "u32,min.u32,min.s32,max.u32,max.s32,and.b32,or.b32,xor.b32}",
	  .sig = "T=TT",
	  .rows = 256,
	  .want = want_red,
	  .decl = SHARED ".shared .align 8 .b64 $_own[128];",
	  .sm = 90,
	  .ptx = 81,
	  .text = SHARED_AT OWN
	  "st.shared.&B [%sa], %i0; mbarrier.arrive.expect_tx.shared.b64 %st, [%wb], 4; # [%sa], %i1, [%wb]; " OWN_WAIT
	  "ld.shared.&B %o0, [%sa];" },
	{ .ops = "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u64",
	  .sig = "T=TT",
	  .rows = 256,
	  .want = want_red,
	  .decl = SHARED ".shared .align 8 .b64 $_own[128];",
	  .sm = 90,
	  .ptx = 81,
	  .text = SHARED_AT OWN
	  "st.shared.&B [%sa], %i0; mbarrier.arrive.expect_tx.shared.b64 %st, [%wb], 8; # [%sa], %i1, [%wb]; " OWN_WAIT
	  "ld.shared.&B %o0, [%sa];" },
	ALONE(".global", NULL, "", "[%oa]"),
	ALONE(".shared", SHARED, SHARED_AT, "[%sa]"),
	ALONE("", SHARED, GENERIC_AT, "[%sa]"),
	{ .ops = "atom{.relaxed,.acquire,.release,.acq_rel}{.cta,.gpu,.sys}.global.{add.u32,exch.b64,min.s32}",
	  .sig = "TT=TT",
	  .rows = 256,
	  .want = want_atom,
	  .text = "st.global.&B [%oa], %i0; # %o0, [%oa], %i1; ld.global.&B %o1, [%oa];" },
	{ .ops = "red{.relaxed,.release}{.cta,.gpu,.sys}.global.{add.u32,or.b64,max.s32}",
	  .sig = "T=TT",
	  .rows = 256,
	  .want = want_red,
	  .text = "st.global.&B [%oa], %i0; # [%oa], %i1; ld.global.&B %o0, [%oa];" },
	{ .ops = "atom{.cta,.gpu,.sys}.global.{inc.u32,and.b64}",
	  .sig = "TT=TT",
	  .rows = 256,
	  .want = want_atom,
	  .text = "st.global.&B [%oa], %i0; # %o0, [%oa], %i1; ld.global.&B %o1, [%oa];" },
	WIDE(".global", NULL, "", "[%oa]"),
	WIDE(".shared", SHARED, SHARED_AT, "[%sa]"),
	WIDE("", SHARED, GENERIC_AT, "[%sa]"),
	/* Both halves are counted in one loop: none is lost, and none seen without the other. */
	{ .ops = "atom.global.cas.b128 loop",
	  .sig = "dd=d",
	  .rows = 512,
	  .group = BLOCK,
	  .judge = judge_wide_loop,
	  .sm = 90,
	  .ptx = 84,
	  .text = ".reg .b64 %ca, %l, %h, %m, %n; .reg .b32 %cb; .reg .pred %q, %p; .reg .b128 %v, %w, %x; and.b32 "
		  "%cb, %gid, -128;"
		  "mad.wide.u32 %ca, %cb, 16, %out; setp.ne.u32 %q, %tx, 0; mov.b64 %l, 0; @!%q st.global.v2.u64 "
		  "[%ca], {%l, "
		  "%l}; bar.sync 0; ld.relaxed.gpu.global.b128 %v, [%ca];"
		  "$_again: mov.b128 {%l, %h}, %v; add.u64 %m, %l, %i0; sub.u64 %n, %h, %i0; mov.b128 %w, {%m, %n};"
		  "# %x, [%ca], %v, %w; mov.b128 %v, %x; mov.b128 {%m, %n}, %x; setp.ne.u64 %q, %m, %l; setp.ne.u64 "
		  "%p, %n, %h; or.pred %q, %q, "
		  "%p; @%q bra $_again; bar.sync 0; ld.relaxed.gpu.global.b128 %v, [%ca]; mov.b128 {%o0, %o1}, %v; "
		  "bar.sync 0;" },
	/* What blocks store and load at one address is one of the stored, not halves of two. */
	{ .ops = "st.relaxed.gpu.global.b128 seen",
	  .sig = "r=r",
	  .rows = 4096,
	  .want = want_none,
	  .decl = ".global .align 16 .b64 $_cell[2];",
	  .sm = 70,
	  .ptx = 84,
	  .text = ".reg .b64 %ca, %l, %h; .reg .b32 %n, %k, %bad; .reg .pred %q; .reg .b128 %v; mov.u64 %ca, $_cell; "
		  "mov.b32 %n, 0; mov.b32 %bad, 0;"
		  "$_again: mad.lo.u32 %k, %gid, 256, %n; cvt.u64.u32 %l, %k; neg.s64 %h, %l; mov.b128 %v, {%l, %h}; #"
		  " [%ca], %v; ld.relaxed.gpu.global.b128 %v, [%ca]; mov.b128 {%l, %h}, %v; add.u64 %l, %l, %h;"
		  "setp.ne.u64 %q, %l, 0; @%q add.u32 %bad, %bad, 1; add.u32 %n, %n, 1; setp.lt.u32 %q, %n, 200; @%q "
		  "bra "
		  "$_again; mov.b32 %o0, %bad;" },
	TOGETHER(".global", NULL, GLOBAL_CELL),
	TOGETHER(".shared", SHARED, SHARED_CELL),
	TOGETHER("", SHARED, GENERIC_CELL),
	{ .ops = "red.global.{add.f32,add.f64} together",
	  .sig = "T=r",
	  .rows = 512,
	  .group = BLOCK,
	  .judge = judge_float_sum,
	  .text = ".reg .b64 %ca; .reg .b32 %cb; .reg .pred %q; .reg .&B %v; and.b32 %cb, %gid, -128; mad.wide.u32 "
		  "%ca, %cb, 8, %out;"
		  "setp.ne.u32 %q, %tx, 0; mov.b64 %oa, 0; @!%q st.global.u64 [%ca], %oa; bar.sync 0; and.b32 %i0, "
		  "%i0, 15;"
		  "cvt.rn.&T.u32 %v, %i0; # [%ca], %v; bar.sync 0; ld.volatile.global.&B %o0, [%ca]; bar.sync 0;"
		  "mad.wide.u32 %oa, %gid, 8, %out;" },
	{ .ops = "atom.shared.add.{f32,f64} together",
	  .sig = "T=r",
	  .rows = 512,
	  .group = BLOCK,
	  .judge = judge_float_sum,
	  .decl = SHARED,
	  .text = ".reg .pred %q; .reg .&B %v, %w; setp.ne.u32 %q, %tx, 0; mov.b64 %ia, 0; @!%q st.shared.u64 [$_m], "
		  "%ia; bar.sync 0;"
		  "and.b32 %i0, %i0, 15; cvt.rn.&T.u32 %v, %i0; # %w, [$_m], %v; bar.sync 0; ld.volatile.shared.&B "
		  "%o0, [$_m];" },
	{ .ops = "atom.global.cas.{b16,b32,b64} loop",
	  .sig = "T=T",
	  .rows = 512,
	  .group = BLOCK,
	  .judge = judge_cas_loop,
	  .sm = 70,
	  .text = ".reg .b64 %ca; .reg .b32 %cb; .reg .pred %q; .reg .&B %v, %w, %x; and.b32 %cb, %gid, -128;"
		  "mad.wide.u32 %ca, %cb, 8, %out; setp.ne.u32 %q, %tx, 0; mov.b64 %ia, 0; @!%q st.global.u64 [%ca], "
		  "%ia; bar.sync 0;"
		  "ld.volatile.global.&B %v, [%ca]; $_again: add.&U %w, %v, %i0; # %x, [%ca], %v, %w; setp.ne.&B %q, "
		  "%x, %v;"
		  "mov.&B %v, %x; @%q bra $_again; bar.sync 0; ld.volatile.global.&B %o0, [%ca]; bar.sync 0;" },
	{ .ops = "atom.shared.cas.{b32,b64} loop",
	  .sig = "T=T",
	  .rows = 512,
	  .group = BLOCK,
	  .judge = judge_cas_loop,
	  .decl = SHARED,
	  .text = ".reg .pred %q; .reg .&B %v, %w, %x; setp.ne.u32 %q, %tx, 0; mov.b64 %ia, 0;"
		  "@!%q st.shared.u64 [$_m], %ia; bar.sync 0; ld.volatile.shared.&B %v, [$_m]; $_again: add.&U %w, %v, "
		  "%i0;"
		  "# %x, [$_m], %v, %w; setp.ne.&B %q, %x, %v; mov.&B %v, %x; @%q bra $_again; bar.sync 0;"
		  "ld.volatile.shared.&B %o0, [$_m];" },
	{ 0 },
};
