/* Copies into shared memory, and mbarriers.  A copy is done when its instruction is: groups have nothing to wait for.
 */
#include "lower.h"

static void take_all(struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++)
		st->taken[i] = true;
}

static uint32_t shared_address(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i)
{
	return pl_ptx_address_value(b, st, &st->operands[i], SP_SHARED, 1);
}

static uint32_t bytes_operand(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i)
{
	return pl_ptx_src(b, st, i, pl_ptx_type_of(W_u32));
}

/* cp.async [dst], [src], size {, source size} {, policy} */
static void copy_small(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t cache = TAKE_OF(st, W_ca, W_cg), a, bb, c = 0, want = 3;
	bool hint;
	struct pl_ptx_ins *ins;
	uint64_t size;

	if (!pl_ptx_take(st, W_shared) && !pl_ptx_take(st, W_shared__cta))
		pl_ptx_bad(b, st, "it copies to .shared: write it");
	if (!pl_ptx_take(st, W_global) || cache == W_NONE)
		pl_ptx_bad(b, st, "it takes .ca or .cg, and .global: write both");
	hint = pl_ptx_take(st, W_L2__cache_hint);
	(void)TAKE_OF(st, W_L2__64B, W_L2__128B, W_L2__256B);
	want += hint;
	pl_ptx_want(b, st, want, want + 1);
	if (!pl_ptx_is_const(&st->operands[2], &size) || (size != 4 && size != 8 && size != 16) ||
	    (cache == W_cg && size != 16))
		pl_ptx_bad(b, st, "it copies 4, 8 or 16 bytes, with .cg 16: use one of them");
	a = shared_address(b, st, 0);
	bb = pl_ptx_address_value(b, st, &st->operands[1], SP_GLOBAL, 2);
	if (st->operands_n > want) {
		if (st->operands[3].kind == O_REG && st->operands[3].sym->type.class == K_PRED) {
			bool not ;
			uint32_t p = pl_ptx_pred(b, st, &st->operands[3], &not );

			c = pl_ptx_temp(b, 1);
			ins = pl_ptx_op(b, PL_ISA_SEL, PL_ISA_U32, c, pl_ptx_const(b, 0, 1), pl_ptx_const(b, size, 1),
					p);
			ins->f.nc = not ;
		} else {
			c = bytes_operand(b, st, 3);
		}
	}
	ins = pl_ptx_op(b, PL_ISA_CPASYNC, size == 4 ? PL_ISA_U32 : size == 8 ? PL_ISA_U64 : PL_ISA_B128, 0, a, bb, c);
	ins->effect = true;
}

static void mbar(struct pl_ptx_build *b, unsigned sub, uint32_t d, uint32_t a, uint32_t bb, uint32_t c)
{
	struct pl_ptx_ins *ins = pl_ptx_op(b, PL_ISA_MBAR, 0, d, a, bb, c);

	ins->f.sub = (uint8_t)sub;
	ins->effect = true;
}

void pl_ptx_bytes_arrived(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, uint32_t bytes)
{
	mbar(b, PL_ISA_MBAR_COMPLETE_TX, 0, shared_address(b, st, i), pl_ptx_const(b, bytes, 1), 0);
}

/* st.bulk [a], bytes, 0 */
void pl_ptx_store_bulk(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct pl_ptx_ins *ins;
	uint64_t value = 1;
	uint32_t a, c;

	(void)pl_ptx_take(st, W_weak);
	(void)TAKE_OF(st, W_shared, W_shared__cta);
	pl_ptx_want(b, st, 3, 3);
	if (!pl_ptx_is_const(&st->operands[2], &value) || value)
		pl_ptx_bad(b, st, "st.bulk stores zeros: write 0");
	a = pl_ptx_generic(b, shared_address(b, st, 0), SP_SHARED);
	c = pl_ptx_fit(b, pl_ptx_src(b, st, 1, pl_ptx_type_of(W_u64)), 1);
	ins = pl_ptx_op(b, PL_ISA_CPBULK, 0, 0, a, a, c);
	ins->f.sub = 1;
	ins->effect = true;
}

/* The operation and type of cp.reduce.async.bulk */
static unsigned take_reduction(struct pl_ptx_build *b, struct pl_ptx_statement *st, struct pl_ptx_type *type_out)
{
	unsigned op = pl_ptx_take_atom(b, st);

	(void)pl_ptx_take(st, W_noftz);
	*type_out = pl_ptx_take_type(b, st);
	pl_ptx_check_atom(b, st, op, *type_out);
	if (op > PL_ISA_ATOM_DEC || type_out->bits > 64)
		pl_ptx_bad(b, st,
			   "this operation does not go with it: use .add, .min, .max, .inc, .dec, .and, .or or "
			   ".xor");
	return op;
}

/* cp.async.bulk and cp.reduce.async.bulk between global and shared memory, without tensors */
static void copy_bulk(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool reduces)
{
	struct pl_ptx_type type = { 0 };
	unsigned reduction = 0;
	bool to_shared, from_shared, from_global, hint;
	uint32_t a, bb, c, e = 0, n;
	struct pl_ptx_ins *ins;

	if (TAKE_OF(st, W_tensor, W_multicast__cluster, W_cp_mask) != W_NONE)
		pl_ptx_unsupported(b, st, "a copy with tensor maps, multicast or masks");
	if (TAKE_OF(st, W_commit_group, W_wait_group, W_prefetch) != W_NONE) {
		take_all(st);
		return;
	}
	to_shared = st->mods[2 + reduces] == W_shared__cluster || st->mods[2 + reduces] == W_shared__cta;
	from_global = pl_ptx_take(st, W_global);
	(void)pl_ptx_take(st, W_shared__cluster);
	(void)pl_ptx_take(st, W_shared__cta);
	if (!from_global && !to_shared)
		pl_ptx_bad(b, st, "one side is .global, or both are shared: write them");
	from_shared = !to_shared || !from_global;
	hint = pl_ptx_take(st, W_L2__cache_hint);
	if (reduces)
		reduction = take_reduction(b, st, &type);
	n = 3 + to_shared + hint;
	pl_ptx_want(b, st, n, n);
	a = pl_ptx_generic(
		b, pl_ptx_address_value(b, st, &st->operands[0], to_shared ? SP_SHARED : SP_GLOBAL, to_shared ? 1 : 2),
		to_shared ? SP_SHARED : SP_GLOBAL);
	bb = pl_ptx_generic(
		b,
		pl_ptx_address_value(b, st, &st->operands[1], from_shared ? SP_SHARED : SP_GLOBAL, from_shared ? 1 : 2),
		from_shared ? SP_SHARED : SP_GLOBAL);
	c = bytes_operand(b, st, 2);
	if (to_shared) {
		if (!pl_ptx_take(st, W_mbarrier__complete_tx__bytes))
			pl_ptx_bad(b, st, ".mbarrier::complete_tx::bytes is missing: write it");
		e = shared_address(b, st, 3);
	} else if (!pl_ptx_take(st, W_bulk_group)) {
		pl_ptx_bad(b, st, ".bulk_group is missing: write it");
	}
	ins = pl_ptx_op(b, reduces ? PL_ISA_CPRED : PL_ISA_CPBULK, 0, 0, a, bb, c);
	ins->f.type = reduces ? (uint8_t)pl_ptx_isa_type(type) : 0;
	ins->f.sub = (uint8_t)reduction;
	ins->v[A_E] = e;
	ins->effect = true;
}

static void lower_cp(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool reduces = pl_ptx_take(st, W_reduce);

	if (!pl_ptx_take(st, W_async))
		pl_ptx_bad(b, st, ".async is missing: write it");
	if (pl_ptx_take(st, W_bulk)) {
		copy_bulk(b, st, reduces);
	} else if (reduces) {
		pl_ptx_bad(b, st, "cp.reduce.async takes .bulk: write it");
	} else if (TAKE_OF(st, W_commit_group, W_wait_group, W_wait_all) != W_NONE) {
		take_all(st);
	} else if (pl_ptx_take(st, W_mbarrier)) { /* the copies in front are done */
		bool noinc;

		if (!pl_ptx_take(st, W_arrive))
			pl_ptx_bad(b, st, ".arrive is missing: write it");
		noinc = pl_ptx_take(st, W_noinc);
		take_all(st);
		pl_ptx_want(b, st, 1, 1);
		if (noinc)
			mbar(b, PL_ISA_MBAR_ARRIVE, 0, shared_address(b, st, 0), pl_ptx_const(b, 1, 1), 0);
	} else {
		copy_small(b, st);
	}
}

static void arrive(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool drop)
{
	bool tx = pl_ptx_take(st, W_expect_tx);
	uint32_t d = 0, a, count;

	(void)pl_ptx_take(st, W_noComplete);
	pl_ptx_want(b, st, 1, 3);
	if (st->operands[0].kind == O_ADDRESS) { /* without state: on a barrier of the cluster, which is the block */
		a = shared_address(b, st, 0);
		count = st->operands_n > 1 ? bytes_operand(b, st, 1) : pl_ptx_const(b, 1, 1);
	} else {
		pl_ptx_want(b, st, 2, 3);
		a = shared_address(b, st, 1);
		count = st->operands_n > 2 ? bytes_operand(b, st, 2) : pl_ptx_const(b, 1, 1);
		d = pl_ptx_dest(b, st, &st->operands[0], pl_ptx_type_of(W_b64), FIT_EXACT);
	}
	if (tx && drop) { /* the phase can not end in between, as this arrival is still to come */
		mbar(b, PL_ISA_MBAR_EXPECT_TX, 0, a, count, 0);
		count = pl_ptx_const(b, 1, 1);
	}
	mbar(b, drop ? PL_ISA_MBAR_ARRIVE_DROP : tx ? PL_ISA_MBAR_ARRIVE_TX : PL_ISA_MBAR_ARRIVE, d, a, count, 0);
}

static void wait(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool try)
{
	bool parity = pl_ptx_take(st, W_parity);
	uint32_t d, a, what;

	pl_ptx_want(b, st, 3, try ? 4 : 3);
	d = pl_ptx_pred_dest(b, st, &st->operands[0]);
	a = shared_address(b, st, 1);
	what = pl_ptx_src(b, st, 2, pl_ptx_type_of(parity ? W_u32 : W_b64));
	if (parity)
		mbar(b, try ? PL_ISA_MBAR_TRY_PARITY : PL_ISA_MBAR_TEST_PARITY, d ? d : pl_ptx_pred_temp(b), a, what,
		     0);
	else
		mbar(b, try ? PL_ISA_MBAR_TRY : PL_ISA_MBAR_TEST, d ? d : pl_ptx_pred_temp(b), a, 0, what);
}

static void lower_mbarrier(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_init, W_inval, W_arrive, W_arrive_drop, W_expect_tx, W_complete_tx, W_test_wait,
				W_try_wait, W_pending_count);

	(void)pl_ptx_take_space(b, st);
	(void)TAKE_OF(st, W_release, W_acquire, W_relaxed);
	(void)TAKE_OF(st, W_cta, W_cluster);
	switch (word) {
	case W_init:
		pl_ptx_want(b, st, 2, 2);
		mbar(b, PL_ISA_MBAR_INIT, 0, shared_address(b, st, 0), bytes_operand(b, st, 1), 0);
		break;
	case W_inval:
		pl_ptx_want(b, st, 1, 1);
		mbar(b, PL_ISA_MBAR_INVAL, 0, shared_address(b, st, 0), 0, 0);
		break;
	case W_arrive:
	case W_arrive_drop:
		arrive(b, st, word == W_arrive_drop);
		break;
	case W_expect_tx:
	case W_complete_tx:
		pl_ptx_want(b, st, 2, 2);
		mbar(b, word == W_expect_tx ? PL_ISA_MBAR_EXPECT_TX : PL_ISA_MBAR_COMPLETE_TX, 0,
		     shared_address(b, st, 0), bytes_operand(b, st, 1), 0);
		break;
	case W_test_wait:
	case W_try_wait:
		wait(b, st, word == W_try_wait);
		break;
	case W_pending_count: {
		uint32_t state;

		pl_ptx_want(b, st, 2, 2);
		state = pl_ptx_src(b, st, 1, pl_ptx_type_of(W_b64));
		mbar(b, PL_ISA_MBAR_PENDING, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_u32)), 0, 0, state);
		break;
	}
	default:
		pl_ptx_bad(b, st, "an operation is missing: write one, as .init");
	}
	if (!pl_ptx_take(st, W_b64))
		pl_ptx_bad(b, st, "it takes .b64: write it");
}

pl_ptx_lower_fn pl_ptx_lower_async(uint32_t op)
{
	switch (op) {
	case W_cp:
		return lower_cp;
	case W_mbarrier:
		return lower_mbarrier;
	default:
		return NULL;
	}
}
