/* SPDX-License-Identifier: Apache-2.0 */
/* Barriers of a block: of all its threads, of some, arrivals, reductions. */
#include "cases.h"

#define BLOCK  128
#define SHARED ".shared .align 8 .b32 $_m[256];"
/* A value to a neighbour: written before, read after. */
#define SWAP(barrier)                                                                                                  \
	".reg .b32 %at, %to; mov.u32 %at, $_m; mad.lo.u32 %to, %tx, 4, %at; st.shared.b32 [%to], %i0; " barrier        \
	" xor.b32 %to, %tx, 95; mad.lo.u32 %to, %to, 4, %at; ld.shared.b32 %o0, [%to]; bar.sync 15;"

static bool want_swap(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int i = 0; i < BLOCK; i++)
		out[i] = in[i ^ 95];
	return true;
}

/* Threads of the lower half swap among themselves, the upper ones do not come. */
static bool want_half(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int i = 0; i < BLOCK; i++)
		out[i] = i < BLOCK / 2 ? in[i ^ 63] : in[i];
	return true;
}

/* The upper half reads what the lower half, which only arrived, wrote. */
static bool want_handed(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int i = 0; i < BLOCK; i++)
		out[i] = i < BLOCK / 2 ? in[i] : in[i ^ 127];
	return true;
}

static bool want_reduced(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	unsigned count = 0;

	for (int i = 0; i < BLOCK; i++)
		count += in[i] != 0;
	for (int i = 0; i < BLOCK; i++)
		out[i] = pt_op_has(op, "popc") ? count : pt_op_has(op, "and") ? count == BLOCK : count > 0;
	return true;
}

/* Rare or frequent enough that all three results occur. */
static bool want_reduced_often(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t holds[BLOCK];

	for (int i = 0; i < BLOCK; i++)
		holds[i] = pt_op_has(op, "and") ? in[i] % 64 != 0 : in[i] % 64 == 0;
	return want_reduced(op, holds, out);
}

static bool want_rounds(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint32_t value[BLOCK], next[BLOCK];

	(void)op;
	for (int i = 0; i < BLOCK; i++)
		value[i] = (uint32_t)in[i];
	for (int step = 1; step < BLOCK; step *= 2) {
		for (int i = 0; i < BLOCK; i++)
			next[i] = value[i] + (i >= step ? value[i - step] : 0);
		for (int i = 0; i < BLOCK; i++)
			value[i] = next[i];
	}
	for (int i = 0; i < BLOCK; i++)
		out[i] = value[i];
	return true;
}

#define BLOCKS .group = BLOCK, .rows = 512

const struct pt_family pt_cases_barrier[] = {
	{ .ops = "{bar.sync,barrier.sync,barrier.sync.aligned,barrier.cta.sync,barrier.cta.sync.aligned} {0,7,15}",
	  BLOCKS,
	  .sig = "r=r",
	  .want = want_swap,
	  .decl = SHARED,
	  .text = SWAP("# ~;"),
	  .ptx = 78 },
	{ .ops = "{bar.sync,barrier.sync} {4,9}",
	  BLOCKS,
	  .sig = "r=r",
	  .want = want_swap,
	  .decl = SHARED,
	  .text = SWAP("# ~, 128;"),
	  .ptx = 78 },
	{ .ops = "{bar.sync,barrier.cta.sync} register",
	  BLOCKS,
	  .sig = "r=r",
	  .want = want_swap,
	  .decl = SHARED,
	  .text = ".reg .b32 %id, %n; mov.b32 %id, 5; mov.b32 %n, %ntid.x;" SWAP("# %id, %n;"),
	  .ptx = 78 },
	{ .ops = "{bar.sync,barrier.sync} 3, 64",
	  BLOCKS,
	  .sig = "r=r",
	  .want = want_half,
	  .decl = SHARED,
	  .text = ".reg .b32 %at, %to; .reg .pred %q; mov.b32 %o0, %i0; setp.ge.u32 %q, %tx, 64; @%q bra $_end;"
		  "mov.u32 %at, $_m; mad.lo.u32 %to, %tx, 4, %at; st.shared.b32 [%to], %i0; # ~; xor.b32 %to, %tx, 63;"
		  "mad.lo.u32 %to, %to, 4, %at; ld.shared.b32 %o0, [%to]; $_end: bar.sync 0;" },
	{ .ops = "{bar.arrive,barrier.arrive,barrier.cta.arrive} 2, 128",
	  BLOCKS,
	  .sig = "r=r",
	  .want = want_handed,
	  .decl = SHARED,
	  .text = ".reg .b32 %at, %to; .reg .pred %q; mov.b32 %o0, %i0; mov.u32 %at, $_m; mad.lo.u32 %to, %tx, 4, %at;"
		  "st.shared.b32 [%to], %i0; setp.ge.u32 %q, %tx, 64; @%q bra $_take; membar.cta; # ~; bra $_end; "
		  "$_take: bar.sync 2, 128;"
		  "xor.b32 %to, %tx, 127; mad.lo.u32 %to, %to, 4, %at; ld.shared.b32 %o0, [%to]; $_end: bar.sync 0;",
	  .ptx = 78 },
	{ .ops = "{bar,barrier,barrier.cta}.red.popc.u32",
	  BLOCKS,
	  .sig = "r=p",
	  .want = want_reduced,
	  .text = "# %o0, 1, %i0;",
	  .ptx = 78 },
	{ .ops = "{bar,barrier}.red.popc.u32 128",
	  BLOCKS,
	  .sig = "r=p",
	  .want = want_reduced,
	  .text = "# %o0, 1, ~, %i0;" },
	{ .ops = "{bar,barrier,barrier.cta}.red.and.pred",
	  BLOCKS,
	  .sig = "p=r",
	  .want = want_reduced_often,
	  .text = ".reg .pred %q; and.b32 %i0, %i0, 63; setp.ne.u32 %q, %i0, 0; # %o0, 1, %q;",
	  .ptx = 78 },
	{ .ops = "bar.red.and.pred inverted",
	  BLOCKS,
	  .sig = "p=r",
	  .want = want_reduced_often,
	  .text = ".reg .pred %q; and.b32 %i0, %i0, 63; setp.eq.u32 %q, %i0, 0; # %o0, 1, 128, !%q;" },
	{ .ops = "{bar,barrier,barrier.cta}.red.or.pred",
	  BLOCKS,
	  .sig = "p=r",
	  .want = want_reduced_often,
	  .text = ".reg .pred %q; and.b32 %i0, %i0, 63; setp.eq.u32 %q, %i0, 0; # %o0, 1, %q;",
	  .ptx = 78 },
	{ .ops = "bar.red.or.pred inverted",
	  BLOCKS,
	  .sig = "p=r",
	  .want = want_reduced_often,
	  .text = ".reg .pred %q; and.b32 %i0, %i0, 63; setp.ne.u32 %q, %i0, 0; # %o0, 1, 128, !%q;" },
	{ .ops = "bar.sync a scan in rounds",
	  BLOCKS,
	  .sig = "r=r",
	  .want = want_rounds,
	  .decl = SHARED,
	  .text = ".reg .b32 %at, %to, %k, %v; .reg .pred %q; mov.u32 %at, $_m; mad.lo.u32 %to, %tx, 4, %at; mov.b32 "
		  "%o0, %i0; mov.b32 %k, 1;"
		  "$_top: st.shared.b32 [%to], %o0; bar.sync 0; setp.ge.u32 %q, %tx, %k; mov.b32 %v, 0; @!%q bra "
		  "$_skip;"
		  "shl.b32 %v, %k, 2; sub.u32 %v, %to, %v; ld.shared.b32 %v, [%v]; $_skip: add.u32 %o0, %o0, %v; "
		  "bar.sync 0;"
		  "shl.b32 %k, %k, 1; setp.lt.u32 %q, %k, 128; @%q bra $_top;" },
	{ 0 },
};
