/* SPDX-License-Identifier: Apache-2.0 */
/* What lanes do together: by a whole warp, and by its two parts when a branch has split it. */
#include "cases.h"

#include <string.h>

#define LANES       32

/* The instruction by all lanes. */
#define WHOLE(text) ".reg .b32 %m; mov.b32 %m, 0xffffffff; " text
/* By those whose predicate holds, then by the others; %q tells them apart. */
#define SPLIT(pred, text)                                                                                              \
	".reg .b32 %m; .reg .pred %q; mov.pred %q, " pred "; vote.sync.ballot.b32 %m, %q, 0xffffffff; @%q bra $_yes;"  \
	"not.b32 %m, %m; " text " bra $_end; $_yes: " text " $_end: bar.warp.sync 0xffffffff;"

/* Who takes part with LANE: in split cases the last operand's equals. */
static uint32_t members(const struct pt_op *op, const uint64_t *in, unsigned ins, int lane)
{
	uint32_t mask = 0;

	if (strcmp(op->arg, "split"))
		return 0xffffffff;
	for (int i = 0; i < LANES; i++)
		mask |= (uint32_t)(in[i * ins + ins - 1] == in[lane * ins + ins - 1]) << i;
	return mask;
}

/* value, lane operand, clamp operand, part */
static bool want_shfl(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (int lane = 0; lane < LANES; lane++) {
		int b = (int)(in[lane * 4 + 1] & 31), clamp = (int)(in[lane * 4 + 2] & 31),
		    seg = (int)(in[lane * 4 + 2] >> 8 & 31);
		int most = (lane & seg) | (clamp & ~seg), least = lane & seg, from;
		bool inside;

		if (pt_op_has(op, "up")) {
			from = lane - b;
			inside = from >= most;
		} else if (pt_op_has(op, "idx")) {
			from = least | (b & ~seg & 31);
			inside = from <= most;
		} else {
			from = pt_op_has(op, "down") ? lane + b : lane ^ b;
			inside = from <= most;
		}
		if (!inside)
			from = lane;
		out[lane * 2] = members(op, in, 4, lane) >> from & 1 ? in[from * 4] & 0xffffffff : PT_ANY;
		out[lane * 2 + 1] = inside;
	}
	return true;
}

/* predicate, part */
static bool want_vote(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (int lane = 0; lane < LANES; lane++) {
		uint32_t mask = members(op, in, 2, lane), ballot = 0;

		for (int i = 0; i < LANES; i++)
			ballot |= (uint32_t)(mask >> i & in[i * 2]) << i;
		if (pt_op_has(op, "ballot"))
			out[lane] = ballot;
		else if (pt_op_has(op, "all"))
			out[lane] = ballot == mask;
		else if (pt_op_has(op, "any"))
			out[lane] = ballot != 0;
		else
			out[lane] = ballot == mask || !ballot;
	}
	return true;
}

/* value of two bits, part */
static bool want_match(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	unsigned outs = pt_op_has(op, "all") ? 2 : 1;

	for (int lane = 0; lane < LANES; lane++) {
		uint32_t mask = members(op, in, 2, lane), equal = 0;

		for (int i = 0; i < LANES; i++)
			equal |= (uint32_t)(mask >> i & ((in[i * 2] ^ in[lane * 2]) % 4 == 0)) << i;
		out[lane * outs] = outs == 1 || equal == mask ? equal : 0;
		if (outs == 2)
			out[lane * outs + 1] = equal == mask;
	}
	return true;
}

static uint64_t reduced(const struct pt_op *op, uint64_t a, uint64_t b)
{
	bool less = op->type[0] == PT_S32 ? (int32_t)a < (int32_t)b : (uint32_t)a < (uint32_t)b;

	if (pt_op_has(op, "add"))
		return a + b;
	if (pt_op_has(op, "and"))
		return a & b;
	if (pt_op_has(op, "or"))
		return a | b;
	if (pt_op_has(op, "xor"))
		return a ^ b;
	return less == pt_op_has(op, "min") ? a : b;
}

static bool want_redux(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (int lane = 0; lane < LANES; lane++) {
		uint32_t mask = members(op, in, 2, lane);
		bool first = true;

		for (int i = 0; i < LANES; i++) {
			if (!(mask >> i & 1))
				continue;
			out[lane] = first ? in[i * 2] : reduced(op, out[lane], in[i * 2]);
			first = false;
		}
	}
	return true;
}

/* -0 is less than +0; what is no number counts with .NaN only, or where there is nothing else. */
static bool want_redux_float(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (int lane = 0; lane < LANES; lane++) {
		uint32_t mask = members(op, in, 2, lane);
		bool any = false, nan = false;

		for (int i = 0; i < LANES; i++) {
			uint32_t v = (uint32_t)in[i * 2] & (pt_op_has(op, "abs") ? 0x7fffffff : 0xffffffff);
			int32_t key = (int32_t)(v >> 31 ? v ^ 0x7fffffff : v), best = (int32_t)out[lane];

			if (!(mask >> i & 1))
				continue;
			best = best < 0 ? best ^ 0x7fffffff : best;
			if (sf_is_nan(&sf_f32, v)) {
				nan = true;
				continue;
			}
			if (!any || (pt_op_has(op, "min") ? key < best : key > best))
				out[lane] = v;
			any = true;
		}
		if (!any || (nan && pt_op_has(op, "NaN")))
			out[lane] = 0x7fffffff;
	}
	return true;
}

static bool want_members(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	for (int lane = 0; lane < LANES; lane++)
		out[lane] = members(op, in, 1, lane);
	return true;
}

/* One lane of each part, and all know which. */
static bool judge_elect(const struct pt_op *op, const uint64_t *in, const uint64_t *got, char *why)
{
	for (int lane = 0; lane < LANES; lane++) {
		uint32_t mask = members(op, in, 1, lane), chosen = 0;

		for (int i = 0; i < LANES; i++)
			chosen |= (uint32_t)(mask >> i & got[i * 2 + 1] & 1) << i;
		if (chosen && !(chosen & (chosen - 1)) &&
		    (got[lane * 2] & 0xffffffff) == (uint64_t)__builtin_ctz(chosen))
			continue;
		strcpy(why, "one lane of those that take part");
		return false;
	}
	return true;
}

/* A tree over the warp, by shuffles, in code that every lane leaves at its own time. */
static bool want_loop(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	(void)op;
	for (int lane = 0; lane < LANES; lane++) {
		uint64_t n = in[lane] & 63, x = lane;

		for (uint64_t i = 0; i < n; i++)
			x = x & 1 ? x * 3 + 1 : x / 2 + i;
		out[lane] = x & 0xffffffff;
	}
	return true;
}

#define SHFL            "# %o0|%o1, %i0, %i1, %i2, %m;"
#define TURN(s, w, ...) .group = LANES, .sig = s, .want = w, __VA_ARGS__

const struct pt_family pt_cases_warp[] = {
	{ .ops = "shfl.sync.{up,down,bfly,idx}.b32",
	  TURN("rp=rsrp", want_shfl, .text = WHOLE("and.b32 %i2, %i2, 0x1f1f;" SHFL)) },
	{ .ops = "shfl.sync.{up,down,bfly,idx}.b32 split",
	  TURN("rp=rsrp", want_shfl, .text = "and.b32 %i2, %i2, 0x1f1f;" SPLIT("%i3", SHFL)) },
	{ .ops = "vote.sync.{all,any,uni}.pred", TURN("p=pp", want_vote, .text = WHOLE("# %o0, %i0, %m;")) },
	{ .ops = "vote.sync.{all,any,uni}.pred split",
	  TURN("p=pp", want_vote, .text = SPLIT("%i1", "# %o0, %i0, %m;")) },
	{ .ops = "vote.sync.ballot.b32", TURN("r=pp", want_vote, .text = WHOLE("# %o0, %i0, %m;")) },
	{ .ops = "vote.sync.ballot.b32 split", TURN("r=pp", want_vote, .text = SPLIT("%i1", "# %o0, %i0, %m;")) },
	{ .ops = "match.any.sync.{b32,b64}",
	  TURN("r=Tp", want_match, .text = WHOLE("and.&B %i0, %i0, 3; # %o0, %i0, %m;")) },
	{ .ops = "match.any.sync.{b32,b64} split",
	  TURN("r=Tp", want_match, .text = "and.&B %i0, %i0, 3;" SPLIT("%i1", "# %o0, %i0, %m;")) },
	{ .ops = "match.all.sync.{b32,b64}",
	  TURN("rp=Tp", want_match, .text = WHOLE("and.&B %i0, %i0, 3; # %o0|%o1, %i0, %m;")) },
	{ .ops = "match.all.sync.{b32,b64} split",
	  TURN("rp=Tp", want_match, .text = "and.&B %i0, %i0, 3;" SPLIT("%i1", "# %o0|%o1, %i0, %m;")) },
	{ .ops = "redux.sync.{add,min,max}.{u32,s32}", TURN("r=rp", want_redux, .text = WHOLE("# %o0, %i0, %m;")) },
	{ .ops = "redux.sync.{and,or,xor}.b32", TURN("r=rp", want_redux, .text = WHOLE("# %o0, %i0, %m;")) },
	{ .ops = "redux.sync.{min,max}{,.abs}{,.NaN}.f32",
	  TURN("T=Tp", want_redux_float, .sm = 100, .ptx = 86, .specific = true, .text = WHOLE("# %o0, %i0, %m;")) },
	{ .ops = "redux.sync.{min,max}{,.abs}{,.NaN}.f32 split",
	  TURN("T=Tp", want_redux_float, .sm = 100, .ptx = 86, .specific = true,
	       .text = SPLIT("%i1", "# %o0, %i0, %m;")) },
	{ .ops = "redux.sync.{add,min,max}.{u32,s32} split",
	  TURN("r=rp", want_redux, .text = SPLIT("%i1", "# %o0, %i0, %m;")) },
	{ .ops = "redux.sync.{and,or,xor}.b32 split",
	  TURN("r=rp", want_redux, .text = SPLIT("%i1", "# %o0, %i0, %m;")) },
	{ .ops = "elect.sync",
	  TURN("rp=p", NULL, .judge = judge_elect, .text = WHOLE("# %o0|%o1, %m;"), .sm = 90, .ptx = 80) },
	{ .ops = "elect.sync split",
	  TURN("rp=p", NULL, .judge = judge_elect, .text = SPLIT("%i0", "# %o0|%o1, %m;"), .sm = 90, .ptx = 80) },
	{ .ops = "activemask.b32", TURN("r=p", want_members, .text = "# %o0;") },
	{ .ops = "bar.warp.sync split", TURN("r=p", want_members, .text = SPLIT("%i0", "# %m; mov.b32 %o0, %m;")) },
	{ .ops = "bra loops of every lane's own length",
	  TURN("r=r", want_loop,
	       .text = ".reg .b32 %n, %k, %j; .reg .pred %q; and.b32 %n, %i0, 63; mov.u32 %k, 0; mov.u32 %o0, %lane; "
		       "setp.eq.u32 %q, %n, 0;"
		       "@%q bra $_end; $_top: and.b32 %j, %o0, 1; setp.eq.u32 %q, %j, 0; @%q bra $_even; mad.lo.u32 "
		       "%o0, %o0, 3, 1;"
		       "bra $_next; $_even: shr.u32 %o0, %o0, 1; add.u32 %o0, %o0, %k; $_next: add.u32 %k, %k, 1; "
		       "setp.lt.u32 %q, %k, %n;"
		       "@%q bra $_top; $_end: bar.warp.sync 0xffffffff;") },
	{ .ops = "brx.idx every lane its own way",
	  TURN("r=r", want_loop,
	       .text = ".reg .b32 %n, %k, %j; .reg .pred %q; and.b32 %n, %i0, 63; mov.u32 %k, 0; mov.u32 %o0, %lane;"
		       "$_top: setp.ge.u32 %q, %k, %n; @%q bra $_end; and.b32 %j, %o0, 1; $_ways: .branchtargets "
		       "$_even, $_odd;"
		       "brx.idx %j, $_ways; $_odd: mad.lo.u32 %o0, %o0, 3, 1; bra $_next;"
		       "$_even: shr.u32 %o0, %o0, 1; add.u32 %o0, %o0, %k; $_next: add.u32 %k, %k, 1; bra $_top; "
		       "$_end: ") },
	{ 0 },
};

/* What a spinning lane waits for comes from another lane of its warp. */
static bool want_chain(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t sum = 0;

	(void)op;
	for (int lane = 0; lane < LANES; lane++)
		out[lane] = sum += in[lane];
	return true;
}

static bool want_total(const struct pt_op *op, const uint64_t *in, uint64_t *out)
{
	uint64_t sum = 0;

	(void)op;
	for (int lane = 0; lane < LANES; lane++)
		sum += in[lane];
	for (int lane = 0; lane < LANES; lane++)
		out[lane] = sum;
	return true;
}

/* A lock in shared memory at %at and the total behind it; each lane adds its input to the total under the lock. */
#define LOCK_BEGIN                                                                                                     \
	".reg .b32 %at, %v, %j, %m; .reg .pred %q; mov.u32 %at, $_l; mov.b32 %j, 0; st.volatile.shared.u32 [%at], "    \
	"%j; st.volatile.shared.u32 [%at+4], %j; bar.warp.sync 0xffffffff;"                                            \
	"$_take: atom.shared.cas.b32 %j, [%at], 0, 1; setp.ne.u32 %q, %j, 0; @%q bra $_take;"
#define LOCK_END                                                                                                       \
	"ld.volatile.shared.u32 %v, [%at+4]; add.u32 %v, %v, %i0; st.volatile.shared.u32 [%at+4], %v; membar.cta;"     \
	"atom.shared.exch.b32 %j, [%at], 0;"
#define LOCK_DECL ".shared .align 8 .b32 $_l[2];"

/* Last of all: where one fails it does not end. */
const struct pt_family pt_cases_last[] = {
	{ .ops = "bra a lock goes from lane to lane",
	  TURN("r=r", want_total, .threads = LANES, .decl = LOCK_DECL,
	       .text = LOCK_BEGIN LOCK_END "bar.warp.sync 0xffffffff; ld.volatile.shared.u32 %o0, [%at+4];") },
	{ .ops = "bra a shuffle behind a lock has all lanes",
	  TURN("r=r", want_total, .threads = LANES, .decl = LOCK_DECL,
	       .text = LOCK_BEGIN LOCK_END
	       "mov.b32 %o0, %i0; mov.b32 %m, 16; $_sum: shfl.sync.bfly.b32 %v, %o0, %m, 31, 0xffffffff; add.u32 %o0, "
	       "%o0, %v; shr.u32 %m, %m, 1; setp.ne.u32 %q, %m, 0; @%q bra $_sum;") },
	{ .ops = "bra a lane waits for the lane below",
	  TURN("r=r", want_chain, .threads = LANES, .decl = ".shared .align 8 .b32 $_v[64];",
	       .text = ".reg .b32 %at, %below, %v, %j; .reg .pred %q; mov.u32 %at, $_v; mad.lo.u32 %at, %lane, 8, %at; "
		       "sub.u32 %below, %at, 8;"
		       "mov.b32 %j, 0; st.volatile.shared.u32 [%at], %j; mov.b32 %o0, %i0; bar.warp.sync 0xffffffff; "
		       "setp.eq.u32 %q, %lane, 0;"
		       "@%q bra $_go; $_wait: ld.volatile.shared.u32 %j, [%below]; setp.eq.u32 %q, %j, 0; @%q bra "
		       "$_wait;"
		       "ld.volatile.shared.u32 %v, [%below+4]; add.u32 %o0, %o0, %v; $_go: st.volatile.shared.u32 "
		       "[%at+4], %o0; membar.cta;"
		       "mov.b32 %j, 1; st.volatile.shared.u32 [%at], %j; bar.warp.sync 0xffffffff;") },
	{ 0 },
};
