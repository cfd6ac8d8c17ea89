/* Operations between the lanes of a warp, predicates, special registers. */
#include <string.h>

#include "refgpu/compute/half.h"
#include "refgpu/compute/next.h"

static inline uint32_t pred_read(const struct pl_sm_warp *w, uint32_t index)
{
	return index == PL_ISA_PT ? PL_SM_ALL : w->frame.P[index];
}

static inline void pred_write(struct pl_sm_warp *w, uint32_t index, uint32_t mask, uint32_t value)
{
	if (index != PL_ISA_PT)
		w->frame.P[index] = (w->frame.P[index] & ~mask) | (value & mask);
}

/* op->x: BOOL | NA << 2 | NB << 3 | ND << 4 */
static void plop_h(PL_SM_ARGS)
{
	uint32_t a = pred_read(w, op->a), b = pred_read(w, op->b);

	a = op->x & 4 ? ~a : a;
	b = op->x & 8 ? ~b : b;
	switch (op->x & 3) {
	case PL_ISA_BAND:
		a &= b;
		break;
	case PL_ISA_BOR:
		a |= b;
		break;
	case PL_ISA_BXOR:
		a ^= b;
		break;
	}
	(void)R;
	pred_write(w, op->d, mask, op->x & 16 ? ~a : a);
	PL_SM_NEXT;
}

static void p2r_h(PL_SM_ARGS)
{
	uint32_t p = pred_read(w, op->a) ^ (op->x & 1 ? PL_SM_ALL : 0), *d = PL_SM_REG(uint32_t, d);

	for (int i = 0; i < PL_ISA_LANES; i++)
		d[i] = mask >> i & 1 ? p >> i & 1 : d[i];
	PL_SM_NEXT;
}

static void r2p_h(PL_SM_ARGS)
{
	const uint32_t *a = PL_SM_REG(const uint32_t, a);
	uint32_t p = 0;

	for (int i = 0; i < PL_ISA_LANES; i++)
		p |= (uint32_t)(a[i] != 0) << i;
	pred_write(w, op->d, mask, op->x & 1 ? ~p : p);
	PL_SM_NEXT;
}

/* op->sub: the space */
static void isspace_h(PL_SM_ARGS)
{
	const struct pl_isa_launch *desc = &w->sm->grid->desc;
	const uint64_t *a = PL_SM_REG(const uint64_t, a);
	uint32_t p = 0;

	for (int i = 0; i < PL_ISA_LANES; i++) {
		bool shared = a[i] - PL_ISA_SHARED_BASE < PL_ISA_WINDOW_BYTES,
		     local = a[i] - PL_ISA_LOCAL_BASE < PL_ISA_WINDOW_BYTES;
		bool is[PL_ISA_PARAM + 1] = { true, !shared && !local, shared, local,
					      a[i] - desc->param_va < desc->param_bytes };

		p |= (uint32_t)is[op->sub] << i;
	}
	pred_write(w, op->d, mask, p);
	PL_SM_NEXT;
}

/* Operand b of 32 bits in a lane. */
static inline uint32_t b_of(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t lane)
{
	if (op->flags & PL_SM_OP_B_SCALAR)
		return *(const uint32_t *)pl_sm_scalar(w, op);
	return ((const uint32_t *)(const void *)(R + op->b))[lane];
}

/* Source lane and whether it lies within the segment, as PTX has it; c: clamp | mask << 8. */
static inline uint32_t shfl_source(unsigned mode, uint32_t lane, uint32_t b, uint32_t c, bool *inside)
{
	uint32_t segment = c >> 8 & 31, clamp = c & 31, value = b & 31, low = lane & segment;
	uint32_t high = low | (clamp & ~segment), j;

	switch (mode) {
	case 0:
		j = low | (value & ~segment);
		*inside = j <= high;
		break;
	case 1:
		j = lane - value;
		*inside = (int32_t)j >= (int32_t)high;
		break;
	case 2:
		j = lane + value;
		*inside = j <= high;
		break;
	default:
		j = lane ^ value;
		*inside = j <= high;
	}
	return *inside ? j & 31 : lane;
}

/* op->x: the immediate, b | c << 8 | predicate << 24 */
static __attribute__((noinline)) uint32_t shfl_do(PL_SM_ARGS)
{
	const uint32_t *c = op->sub & 4 ? PL_SM_REG(const uint32_t, c) : NULL;
	uint32_t in[PL_ISA_LANES], *d = PL_SM_REG(uint32_t, d), valid = 0;
	bool scalar = op->flags & PL_SM_OP_B_SCALAR;

	for (int i = 0; i < PL_ISA_LANES; i++) /* a lane that takes no part gives 0, as hardware does */
		in[i] = mask >> i & 1 ? PL_SM_REG(const uint32_t, a)[i] : 0;
	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		bool inside;
		uint32_t b =
			scalar ? (op->flags & PL_SM_OP_B_UNIFORM ? b_of(w, op, R, i) : op->x & 255) : b_of(w, op, R, i);
		uint32_t from = shfl_source(op->sub & 3, i, b, c ? c[i] : op->x >> 8 & 0x1f1f, &inside);

		d[i] = in[from];
		valid |= (uint32_t)inside << i;
	}
	return valid;
}

static void shfl_h(PL_SM_ARGS)
{
	uint32_t valid = shfl_do(w, op, R, mask);

	if (op->x >> 24 != PL_ISA_PT)
		pred_write(w, op->x >> 24 & 127, mask, valid);
	PL_SM_NEXT;
}

/* Members that are here, lane by lane; the mask operand is mostly the same in all. */
static inline uint32_t members(const struct pl_sm_warp *w, const struct pl_sm_op *op, const char *R, uint32_t lane,
			       uint32_t mask)
{
	return b_of(w, op, R, lane) & mask;
}

static void vote_h(PL_SM_ARGS)
{
	uint32_t p = pred_read(w, op->a) ^ (op->x & 1 ? PL_SM_ALL : 0), result = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left), here = members(w, op, R, i, mask), on = p & here;
		bool holds = op->sub == 0 ? on == here : op->sub == 1 ? on != 0 : on == 0 || on == here;
		result |= (uint32_t)holds << i;
	}
	pred_write(w, op->d, mask, result);
	PL_SM_NEXT;
}

static void ballot_h(PL_SM_ARGS)
{
	uint32_t p = pred_read(w, op->a) ^ (op->x & 1 ? PL_SM_ALL : 0), *d = PL_SM_REG(uint32_t, d);

	if (op->flags & PL_SM_OP_B_SCALAR) {
		p &= b_of(w, op, R, 0) & mask;
		pl_sm_fill(d, p, mask);
	} else {
		for (uint32_t left = mask; left; left &= left - 1)
			d[__builtin_ctz(left)] = p & members(w, op, R, (uint32_t)__builtin_ctz(left), mask);
	}
	PL_SM_NEXT;
}

static void uballot_h(PL_SM_ARGS)
{
	(void)R;
	w->frame.U[op->d] = (pred_read(w, op->a) ^ (op->x & 1 ? PL_SM_ALL : 0)) & mask;
	PL_SM_NEXT;
}

static void match_h(PL_SM_ARGS)
{
	uint32_t result[PL_ISA_LANES], *d = PL_SM_REG(uint32_t, d), all = 0;
	bool wide = pl_isa_type_bytes(op->type) == 8;

	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left), same = 0, here = members(w, op, R, i, mask);

		for (uint32_t k = 0; k < PL_ISA_LANES; k++) {
			bool equal = wide ? PL_SM_REG(const uint64_t, a)[k] == PL_SM_REG(const uint64_t, a)[i]
					  : PL_SM_REG(const uint32_t, a)[k] == PL_SM_REG(const uint32_t, a)[i];
			same |= (uint32_t)equal << k;
		}
		same &= here;
		result[i] = op->sub == 0 ? same : same == here ? here : 0;
		all |= (uint32_t)(same == here) << i;
	}
	for (uint32_t left = mask; left; left &= left - 1)
		d[__builtin_ctz(left)] = result[__builtin_ctz(left)];
	if (op->sub)
		pred_write(w, op->c, mask, all);
	PL_SM_NEXT;
}

static void activemask_h(PL_SM_ARGS)
{
	pl_sm_fill(PL_SM_REG(uint32_t, d), mask, mask);
	PL_SM_NEXT;
}

static uint32_t redux_float(uint32_t x, uint32_t y, unsigned sub)
{
	float a = bits_f32(x), b = bits_f32(y);

	if (a != a || b != b) {
		if (sub & 16)
			return 0x7fffffff;
		return a != a ? (b != b ? 0x7fffffff : y) : x;
	}
	if (a == b)
		return (sub & 7) == 1 ? x | y : x & y; /* signs of zeros */
	return ((sub & 7) == 1) == (a < b) ? x : y;
}

static uint32_t redux_two(uint32_t x, uint32_t y, unsigned sub, unsigned type)
{
	if (type == PL_ISA_F32)
		return redux_float(x, y, sub);
	switch (sub & 7) {
	case 0:
		return x + y;
	case 1:
		return (type == PL_ISA_S32 ? (int32_t)x < (int32_t)y : x < y) ? x : y;
	case 2:
		return (type == PL_ISA_S32 ? (int32_t)x > (int32_t)y : x > y) ? x : y;
	case 3:
		return x & y;
	case 4:
		return x | y;
	default:
		return x ^ y;
	}
}

static void redux_h(PL_SM_ARGS)
{
	uint32_t *d = PL_SM_REG(uint32_t, d), in[PL_ISA_LANES];
	uint32_t done = 0;

	memcpy(in, R + op->a, sizeof(in));
	if (op->type == PL_ISA_F32 && op->sub & 8)
		for (int i = 0; i < PL_ISA_LANES; i++)
			in[i] &= 0x7fffffff;
	while (mask & ~done) {
		uint32_t first = (uint32_t)__builtin_ctz(mask & ~done), here = members(w, op, R, first, mask), r;

		here |= 1u << first;
		r = in[__builtin_ctz(here)];
		for (uint32_t left = here & (here - 1); left; left &= left - 1)
			r = redux_two(r, in[__builtin_ctz(left)], op->sub, op->type);
		for (uint32_t left = here; left; left &= left - 1)
			d[__builtin_ctz(left)] = r;
		done |= here;
	}
	PL_SM_NEXT;
}

static void elect_h(PL_SM_ARGS)
{
	uint32_t *d = PL_SM_REG(uint32_t, d), leaders = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left), here = members(w, op, R, i, mask) | 1u << i;

		d[i] = (uint32_t)__builtin_ctz(here);
		leaders |= (uint32_t)(d[i] == i) << i;
	}
	pred_write(w, op->c, mask, leaders);
	PL_SM_NEXT;
}

/* -- special registers -- */

static uint64_t sr_scalar(const struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned sr)
{
	const struct pl_sm_grid *grid = w->sm->grid;
	const struct pl_isa_launch *desc = &grid->desc;
	uint64_t insns = pl_sm_insns_now(w, op);

	if (sr >= PL_ISA_SR_NTID_X && sr <= PL_ISA_SR_NTID_Z)
		return desc->block[sr - PL_ISA_SR_NTID_X];
	if (sr >= PL_ISA_SR_CTAID_X && sr <= PL_ISA_SR_CTAID_Z)
		return w->block->index[sr - PL_ISA_SR_CTAID_X];
	if (sr >= PL_ISA_SR_NCTAID_X && sr <= PL_ISA_SR_NCTAID_Z)
		return desc->grid[sr - PL_ISA_SR_NCTAID_X];
	if (sr >= PL_ISA_SR_ENVREG0 && sr <= PL_ISA_SR_ENVREG3)
		return desc->env[sr - PL_ISA_SR_ENVREG0];
	switch (sr) {
	case PL_ISA_SR_WARPID:
		return w->index;
	case PL_ISA_SR_NWARPID:
		return PL_SM_WARPS_MAX;
	case PL_ISA_SR_SMID:
		return w->sm->index;
	case PL_ISA_SR_NSMID:
		return grid->sm_count;
	case PL_ISA_SR_GRIDID:
		return desc->grid_id;
	case PL_ISA_SR_CLOCK:
		return pl_sm_clock(w, op);
	case PL_ISA_SR_CLOCK_HI:
		return pl_sm_clock(w, op) >> 32;
	case PL_ISA_SR_GLOBALTIMER:
		return pl_rg_launch_now(grid->launch, insns);
	case PL_ISA_SR_GLOBALTIMER_HI:
		return pl_rg_launch_now(grid->launch, insns) >> 32;
	case PL_ISA_SR_TOTAL_SMEM:
	case PL_ISA_SR_AGGR_SMEM:
		return grid->shared_bytes;
	case PL_ISA_SR_DYNAMIC_SMEM:
		return desc->shared_dynamic;
	case PL_ISA_SR_LOCAL_BYTES:
		return desc->local_bytes;
	case PL_ISA_SR_PARAM_VA:
		return desc->param_va;
	case PL_ISA_SR_CODE_VA:
		return desc->code_va;
	default:
		return 0;
	}
}

/* Cycles: of a 1 GHz clock, or instructions where time is virtual. */
uint64_t pl_sm_clock(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	const struct pl_rg_launch *launch = w->sm->grid->launch;
	uint64_t insns = pl_sm_insns_now(w, op);

	return launch->instruction_ps ? insns : launch->now(launch->now_arg);
}

static bool sr_by_lane(unsigned sr)
{
	return sr <= PL_ISA_SR_TID_Z || sr == PL_ISA_SR_LANEID || sr == PL_ISA_SR_TID_FLAT ||
	       (sr >= PL_ISA_SR_LANEMASK_EQ && sr <= PL_ISA_SR_LANEMASK_GT);
}

static uint32_t sr_lane(const struct pl_sm_warp *w, unsigned sr, uint32_t i)
{
	switch (sr) {
	case PL_ISA_SR_TID_X:
	case PL_ISA_SR_TID_Y:
	case PL_ISA_SR_TID_Z:
		return w->tid[sr][i];
	case PL_ISA_SR_LANEID:
		return i;
	case PL_ISA_SR_TID_FLAT:
		return w->index * PL_ISA_LANES + i;
	case PL_ISA_SR_LANEMASK_EQ:
		return 1u << i;
	case PL_ISA_SR_LANEMASK_LT:
		return (1u << i) - 1;
	case PL_ISA_SR_LANEMASK_LE:
		return (2u << i) - 1;
	case PL_ISA_SR_LANEMASK_GE:
		return ~((1u << i) - 1);
	default:
		return ~((2u << i) - 1);
	}
}

static void s2r_h(PL_SM_ARGS)
{
	uint32_t sr = op->x;

	if (op->type == PL_ISA_U64) {
		uint64_t v = sr_scalar(w, op, sr), *d = PL_SM_REG(uint64_t, d);
		for (int i = 0; i < PL_ISA_LANES; i++)
			d[i] = mask >> i & 1 ? v : d[i];
	} else if (sr_by_lane(sr)) {
		uint32_t *d = PL_SM_REG(uint32_t, d);
		for (uint32_t i = 0; i < PL_ISA_LANES; i++)
			d[i] = mask >> i & 1 ? sr_lane(w, sr, i) : d[i];
	} else {
		pl_sm_fill(PL_SM_REG(uint32_t, d), (uint32_t)sr_scalar(w, op, sr), mask);
	}
	PL_SM_NEXT;
}

static void s2u_h(PL_SM_ARGS)
{
	uint64_t v = sr_by_lane(op->x) ? sr_lane(w, op->x, (uint32_t)__builtin_ctz(mask)) : sr_scalar(w, op, op->x);

	(void)R;
	w->frame.U[op->d] = op->type == PL_ISA_U64 ? v : (uint32_t)v;
	PL_SM_NEXT;
}

static bool set_both(struct pl_sm_op *op, pl_sm_fn fn)
{
	op->fn[0] = op->fn[1] = fn;
	return true;
}

bool pl_sm_bind_lanes(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const pl_sm_fn handlers[PL_ISA_OP_COUNT] = {
		[PL_ISA_PLOP] = plop_h,
		[PL_ISA_P2R] = p2r_h,
		[PL_ISA_R2P] = r2p_h,
		[PL_ISA_SHFL] = shfl_h,
		[PL_ISA_VOTE] = vote_h,
		[PL_ISA_BALLOT] = ballot_h,
		[PL_ISA_UBALLOT] = uballot_h,
		[PL_ISA_MATCH] = match_h,
		[PL_ISA_REDUX] = redux_h,
		[PL_ISA_ELECT] = elect_h,
		[PL_ISA_ACTIVEMASK] = activemask_h,
		[PL_ISA_S2R] = s2r_h,
		[PL_ISA_S2U] = s2u_h,
		[PL_ISA_ISSPACE] = isspace_h,
	};

	if (!handlers[f->op])
		return false;
	switch (f->op) {
	case PL_ISA_PLOP:
		op->x = f->boolop | f->na << 2 | f->nb << 3 | f->nd << 4;
		break;
	case PL_ISA_P2R:
	case PL_ISA_VOTE:
	case PL_ISA_BALLOT:
	case PL_ISA_UBALLOT:
		op->x = f->na;
		break;
	case PL_ISA_R2P:
		op->x = f->nd;
		break;
	case PL_ISA_SHFL:
	case PL_ISA_S2R:
	case PL_ISA_S2U:
		op->x = f->imm;
		break;
	default:
		break;
	}
	return set_both(op, handlers[f->op]);
}
