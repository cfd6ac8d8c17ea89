/* Barriers, fences, and what lanes of a warp tell each other. */
#include "lower.h"

void pl_ptx_meet(struct pl_ptx_build *b, uint32_t mask)
{
	struct pl_ptx_ins *ins = pl_ptx_op(b, PL_ISA_WARPSYNC, 0, 0, 0, mask, 0);

	ins->effect = true;
}

static uint32_t mask_operand(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, bool sync)
{
	uint32_t mask;

	if (!sync)
		return pl_ptx_const(b, 0xffffffff, 1);
	mask = pl_ptx_src(b, st, i, pl_ptx_type_of(W_b32));
	pl_ptx_meet(b, mask);
	return mask;
}

/* Results of an operation with two: where it is guarded they are copied under the guard. */
static void second_result(struct pl_ptx_build *b, struct pl_ptx_ins *ins, unsigned operand, uint32_t to)
{
	if (!to)
		return;
	if (!b->guard) {
		pl_ptx_def(b, ins, operand, to);
		return;
	}
	pl_ptx_def(b, ins, operand, pl_ptx_pred_temp(b));
	pl_ptx_copy(b, to, ins->v[operand]);
}

static void lower_shfl(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool sync = pl_ptx_take(st, W_sync);
	uint32_t word = TAKE_OF(st, W_idx, W_up, W_down, W_bfly), a, lane, c = 0, d, p = 0;
	struct pl_ptx_type type = pl_ptx_take_type(b, st), u32 = pl_ptx_type_of(W_u32);
	struct pl_ptx_operand plain;
	struct pl_ptx_ins *ins;
	uint64_t clamp = 0;
	bool c_const;

	if (word == W_NONE || type.bits != 32)
		pl_ptx_bad(b, st, "it takes .idx, .up, .down or .bfly, and .b32: write both");
	pl_ptx_want(b, st, sync ? 5 : 4, sync ? 5 : 4);
	a = pl_ptx_src(b, st, 1, type);
	lane = pl_ptx_src(b, st, 2, u32);
	c_const = pl_ptx_is_const(&st->operands[3], &clamp);
	if (!c_const)
		c = pl_ptx_src(b, st, 3, u32);
	if (sync)
		(void)mask_operand(b, st, 4, true);
	plain = st->operands[0];
	plain.second = NULL;
	d = pl_ptx_dest(b, st, &plain, type, FIT_EXACT);
	if (st->operands[0].second)
		p = pl_ptx_pred_dest(b, st, st->operands[0].second);
	if (!d || (b->guard && p))
		ins = pl_ptx_op(b, PL_ISA_SHFL, 0, pl_ptx_temp(b, 1), a, lane, c);
	else
		ins = pl_ptx_op(b, PL_ISA_SHFL, 0, d, a, lane, c);
	ins->f.sub = (uint8_t)(word == W_idx ? 0 : word == W_up ? 1 : word == W_down ? 2 : 3);
	ins->f.sub |= c_const ? 0 : 4;
	ins->imm = (uint32_t)clamp & 0x1f1f;
	second_result(b, ins, A_E, p);
	if (d && ins->v[A_D] != d)
		pl_ptx_copy(b, d, ins->v[A_D]);
}

static void lower_vote(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool sync = pl_ptx_take(st, W_sync), na;
	uint32_t word = TAKE_OF(st, W_all, W_any, W_uni, W_ballot), a, mask, d;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	struct pl_ptx_ins *ins;

	if (word == W_NONE || (type.class == K_PRED) == (word == W_ballot))
		pl_ptx_bad(b, st, "it takes .all, .any or .uni with .pred, or .ballot with .b32: write both");
	pl_ptx_want(b, st, sync ? 3 : 2, sync ? 3 : 2);
	a = pl_ptx_pred(b, st, &st->operands[1], &na);
	mask = mask_operand(b, st, 2, sync);
	if (word == W_ballot) {
		ins = pl_ptx_op(b, PL_ISA_BALLOT, 0, pl_ptx_dst(b, st, 0, type), a, mask, 0);
	} else {
		d = pl_ptx_pred_dest(b, st, &st->operands[0]);
		ins = pl_ptx_op(b, PL_ISA_VOTE, 0, d ? d : pl_ptx_pred_temp(b), a, mask, 0);
		ins->f.sub = word == W_all ? 0 : word == W_any ? 1 : 2;
	}
	ins->f.na = na;
}

static void lower_match(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_any, W_all), a, mask, d, p = 0;
	bool sync = pl_ptx_take(st, W_sync);
	struct pl_ptx_type type = pl_ptx_take_type(b, st), b32 = pl_ptx_type_of(W_b32);
	struct pl_ptx_operand plain;
	struct pl_ptx_ins *ins;

	if (word == W_NONE || !sync || (type.word != W_b32 && type.word != W_b64))
		pl_ptx_bad(b, st, "it takes .any or .all, .sync, and .b32 or .b64: write all");
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	mask = mask_operand(b, st, 2, true);
	plain = st->operands[0];
	plain.second = NULL;
	d = pl_ptx_dest(b, st, &plain, b32, FIT_EXACT);
	if (st->operands[0].second)
		p = pl_ptx_pred_dest(b, st, st->operands[0].second);
	ins = pl_ptx_op(b, PL_ISA_MATCH, pl_ptx_int_type(type), !d || b->guard ? pl_ptx_temp(b, 1) : d, a, mask, 0);
	ins->f.sub = word == W_all;
	second_result(b, ins, A_C, p);
	if (d && ins->v[A_D] != d)
		pl_ptx_copy(b, d, ins->v[A_D]);
}

static void lower_activemask(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	if (!pl_ptx_take(st, W_b32))
		pl_ptx_bad(b, st, "it takes .b32: use that");
	pl_ptx_want(b, st, 1, 1);
	pl_ptx_op(b, PL_ISA_ACTIVEMASK, 0, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_b32)), 0, 0, 0)->effect = true;
}

static void lower_redux(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	static const uint16_t words[] = { W_add, W_min, W_max, W_and, W_or, W_xor };
	bool sync = pl_ptx_take(st, W_sync), has_abs, nan;
	uint32_t word = pl_ptx_take_of(st, words, 6), sub = 0, a, mask;
	struct pl_ptx_type type;
	struct pl_ptx_ins *ins;

	has_abs = pl_ptx_take(st, W_abs);
	nan = pl_ptx_take(st, W_NaN);
	type = pl_ptx_take_type(b, st);
	while (sub < 6 && words[sub] != word)
		sub++;
	if (sub == 6 || !sync || type.bits != 32 || type.lanes > 1 || (sub >= 3) != (type.class == K_B) ||
	    (type.class == K_F && sub == 0) || ((has_abs || nan) && type.class != K_F))
		pl_ptx_bad(b, st, "it takes .sync, an operation and a type that go together: .add.s32, .and.b32, ...");
	pl_ptx_want(b, st, 3, 3);
	a = pl_ptx_src(b, st, 1, type);
	mask = mask_operand(b, st, 2, true);
	ins = pl_ptx_op(b, PL_ISA_REDUX, pl_ptx_isa_type(type), pl_ptx_dst(b, st, 0, type), a, mask, 0);
	ins->f.sub = (uint8_t)(sub | (has_abs ? 8 : 0) | (nan ? 16 : 0));
}

static void lower_elect(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool sync = pl_ptx_take(st, W_sync);
	struct pl_ptx_operand plain;
	uint32_t mask, d, p = 0;
	struct pl_ptx_ins *ins;

	pl_ptx_want(b, st, 2, 2);
	if (!sync || !st->operands[0].second)
		pl_ptx_bad(b, st, "it takes .sync and d|p: write both");
	mask = mask_operand(b, st, 1, true);
	plain = st->operands[0];
	plain.second = NULL;
	d = pl_ptx_dest(b, st, &plain, pl_ptx_type_of(W_b32), FIT_EXACT);
	p = pl_ptx_pred_dest(b, st, st->operands[0].second);
	ins = pl_ptx_op(b, PL_ISA_ELECT, 0, !d || b->guard ? pl_ptx_temp(b, 1) : d, 0, mask, 0);
	second_result(b, ins, A_C, p);
	if (d && ins->v[A_D] != d)
		pl_ptx_copy(b, d, ins->v[A_D]);
}

/* ---- barriers of a block ---- */

static void note_barrier(struct pl_ptx_build *b, uint32_t n)
{
	if (b->named_barriers < n)
		b->named_barriers = n;
}

static void barrier(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned how, bool aligned, uint32_t first,
		    uint32_t last)
{
	uint64_t number = 0, threads = 0;
	uint32_t a = 0, bb = 0;
	struct pl_ptx_ins *ins;
	unsigned sub = how;

	if (pl_ptx_is_const(&st->operands[first], &number)) {
		if (number > 15)
			pl_ptx_bad(b, st, "barrier %llu does not exist: use 0 to 15", (unsigned long long)number);
		note_barrier(b, (uint32_t)number + 1);
	} else {
		a = pl_ptx_src(b, st, first, pl_ptx_type_of(W_u32));
		sub |= 8;
		note_barrier(b, 16);
	}
	if (first < last && !pl_ptx_is_const(&st->operands[first + 1], &threads)) {
		bb = pl_ptx_src(b, st, first + 1, pl_ptx_type_of(W_u32));
		sub |= 16;
	} else if (first < last && (threads % 32 || threads > 1024 || !threads)) {
		pl_ptx_bad(b, st, "%llu threads is not a multiple of 32 up to 1024", (unsigned long long)threads);
	}
	ins = pl_ptx_op(b, PL_ISA_BAR, 0, 0, a, bb, 0);
	ins->f.sub = (uint8_t)sub;
	ins->f.imm = (uint32_t)(number | threads << 4) | (st->op == W_barrier && !aligned ? PL_ISA_BAR_APART : 0);
	ins->effect = true;
}

static void barrier_red(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_popc, W_and, W_or), d, c;
	struct pl_ptx_type type = pl_ptx_take_type(b, st);
	struct pl_ptx_ins *ins;
	bool nc, aligned;

	aligned = pl_ptx_take(st, W_aligned);
	pl_ptx_want(b, st, 3, 4);
	if (word == W_NONE || (word == W_popc) != (type.word == W_u32))
		pl_ptx_bad(b, st, "it takes .popc.u32, .and.pred or .or.pred: write one of them");
	c = pl_ptx_pred(b, st, &st->operands[st->operands_n - 1], &nc);
	if (word == W_popc)
		d = pl_ptx_dst(b, st, 0, type);
	else
		d = pl_ptx_pred_dest(b, st, &st->operands[0]);
	barrier(b, st,
		word == W_popc  ? PL_ISA_BAR_RED_POPC
		: word == W_and ? PL_ISA_BAR_RED_AND
				: PL_ISA_BAR_RED_OR,
		aligned, 1, st->operands_n - 2);
	ins = b->at->last;
	pl_ptx_def(b, ins, A_D, d ? d : pl_ptx_pred_temp(b));
	ins->v[A_C] = c;
	ins->f.nc = nc;
}

/* One block is a cluster: its barrier is the block's, arrived at and waited for in one go by wait. */
static void cluster_barrier(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool arrive = pl_ptx_take(st, W_arrive), wait = pl_ptx_take(st, W_wait);
	struct pl_ptx_ins *ins;

	(void)TAKE_OF(st, W_release, W_acquire, W_relaxed);
	(void)pl_ptx_take(st, W_aligned);
	if (arrive == wait)
		pl_ptx_bad(b, st, "it takes .arrive or .wait: write one of them");
	pl_ptx_want(b, st, 0, 0);
	if (arrive) {
		ins = pl_ptx_op(b, PL_ISA_FENCE, 0, 0, 0, 0, 0);
		ins->f.sub = 1;
		ins->effect = true;
		return;
	}
	ins = pl_ptx_op(b, PL_ISA_BAR, 0, 0, 0, 0, 0);
	ins->f.imm = PL_ISA_BAR_APART;
	ins->effect = true;
	note_barrier(b, 1);
}

static void lower_bar(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word;
	bool aligned;

	if (pl_ptx_take(st, W_cluster)) {
		cluster_barrier(b, st);
		return;
	}
	if (pl_ptx_take(st, W_warp)) {
		if (!pl_ptx_take(st, W_sync))
			pl_ptx_bad(b, st, "bar.warp takes .sync: write it");
		pl_ptx_want(b, st, 1, 1);
		pl_ptx_meet(b, pl_ptx_src(b, st, 0, pl_ptx_type_of(W_b32)));
		return;
	}
	(void)pl_ptx_take(st, W_cta);
	word = TAKE_OF(st, W_sync, W_arrive, W_red);
	aligned = pl_ptx_take(st, W_aligned);
	switch (word) {
	case W_sync:
		pl_ptx_want(b, st, 1, 2);
		barrier(b, st, PL_ISA_BAR_SYNC, aligned, 0, st->operands_n - 1);
		break;
	case W_arrive:
		pl_ptx_want(b, st, 2, 2);
		barrier(b, st, PL_ISA_BAR_ARRIVE, aligned, 0, 1);
		break;
	case W_red:
		barrier_red(b, st);
		break;
	default:
		pl_ptx_bad(b, st, "it takes .sync, .arrive or .red: write one of them");
	}
}

static void lower_fence(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word, sem;
	struct pl_ptx_ins *ins;
	unsigned level = 2;

	if (pl_ptx_take(st, W_tensormap__generic))
		pl_ptx_unsupported(b, st, "a tensor map");
	if (pl_ptx_take(st, W_proxy)) { /* one path to memory here: proxies always agree */
		for (uint32_t i = 0; i < st->mods_n; i++)
			st->taken[i] = true;
		level = 1;
		sem = W_NONE;
	} else {
		sem = TAKE_OF(st, W_sc, W_acq_rel, W_acquire, W_release);
		(void)TAKE_OF(st, W_sync_restrict__shared__cta, W_sync_restrict__shared__cluster);
		(void)pl_ptx_take(st, W_mbarrier_init);
		word = TAKE_OF(st, W_cta, W_cluster, W_gpu, W_sys, W_gl);
		if (word == W_NONE)
			pl_ptx_bad(b, st, "a scope is missing: write .cta, .gpu or .sys");
		level = word == W_cta || word == W_cluster ? 0 : word == W_sys ? 2 : 1;
		pl_ptx_want(b, st, 0, 0);
	}
	ins = pl_ptx_op(b, PL_ISA_FENCE, 0, 0, 0, 0, 0);
	ins->f.sub = (uint8_t)(level | (sem == W_sc || st->op == W_membar ? 4 : 0));
	ins->effect = true;
}

/* ---- the rest ---- */

static void lower_nanosleep(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type = pl_ptx_take_type(b, st);

	if (type.word != W_u32)
		pl_ptx_bad(b, st, "it takes .u32: use that");
	pl_ptx_want(b, st, 1, 1);
	pl_ptx_op(b, PL_ISA_NANOSLEEP, 0, 0, 0, pl_ptx_src(b, st, 0, type), 0)->effect = true;
}

static void lower_trap(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	pl_ptx_want(b, st, 0, 0);
	pl_ptx_op(b, st->op == W_trap ? PL_ISA_TRAP : PL_ISA_BRKPT, 0, 0, 0, 0, 0)->effect = true;
}

static void lower_nothing(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	(void)b;
	for (uint32_t i = 0; i < st->mods_n; i++)
		st->taken[i] = true;
}

/* A cluster has one block: every address is its own, and its rank is 0. */
static void lower_mapa(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_type type;

	(void)pl_ptx_take_space(b, st);
	type = pl_ptx_take_type(b, st);
	if (st->op == W_getctarank) {
		pl_ptx_want(b, st, 2, 2);
		pl_ptx_copy(b, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_u32)), pl_ptx_const(b, 0, 1));
		return;
	}
	pl_ptx_want(b, st, 3, 3);
	pl_ptx_copy(b, pl_ptx_dst(b, st, 0, type), pl_ptx_src(b, st, 1, type));
}

pl_ptx_lower_fn pl_ptx_lower_sync(uint32_t op)
{
	static const pl_ptx_lower_fn table[W_COUNT] = {
		[W_shfl] = lower_shfl,
		[W_vote] = lower_vote,
		[W_match] = lower_match,
		[W_activemask] = lower_activemask,
		[W_redux] = lower_redux,
		[W_elect] = lower_elect,
		[W_bar] = lower_bar,
		[W_barrier] = lower_bar,
		[W_membar] = lower_fence,
		[W_fence] = lower_fence,
		[W_nanosleep] = lower_nanosleep,
		[W_trap] = lower_trap,
		[W_brkpt] = lower_trap,
		[W_pmevent] = lower_nothing,
		[W_griddepcontrol] = lower_nothing,
		[W_setmaxnreg] = lower_nothing,
		[W_mapa] = lower_mapa,
		[W_getctarank] = lower_mapa,
	};
	return table[op];
}
