/* Guards, branches, calls, convergence, the end. */
#include <time.h>

#include "base/wait.h"
#include "refgpu/compute/next.h"
#include "refgpu/compute/split.h"

#define SLEEP_MIN_NS 20000u /* what the system takes for one is more than that */
#define SLEEP_MAX_NS 1000000u

static const struct pl_sm_op *target_of(const struct pl_sm_op *op)
{
	return (const struct pl_sm_op *)(uintptr_t)op->imm;
}

static inline uint32_t guard_of(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	uint32_t p = w->frame.P[op->guard];
	return op->flags & PL_SM_OP_GUARD_NOT ? ~p : p;
}

static void guard_full(PL_SM_ARGS)
{
	uint32_t m = guard_of(w, op);

	(void)mask;
	if (!m)
		PL_SM_NEXT;
	op->body[m != PL_SM_ALL](w, op, R, m);
}

static void guard_part(PL_SM_ARGS)
{
	uint32_t m = guard_of(w, op) & w->active;

	(void)mask;
	if (!m)
		PL_SM_NEXT;
	op->body[m != PL_SM_ALL](w, op, R, m);
}

/* op->x: the branch goes backward */
#define JUMP(w, op, to, mask)                                                                                          \
	do {                                                                                                           \
		(w)->insns += (uint64_t)((op) + 1 - (w)->mark);                                                        \
		(w)->mark = (to);                                                                                      \
		if ((op)->x && --(w)->budget < 0) {                                                                    \
			(w)->pc = (to);                                                                                \
			pl_sm_split_poll(w);                                                                           \
			return;                                                                                        \
		}                                                                                                      \
		PL_SM_GO(to, mask);                                                                                    \
	} while (0)

static void bra_always(PL_SM_ARGS)
{
	const struct pl_sm_op *to = target_of(op);

	(void)R;
	JUMP(w, op, to, mask);
}

static __attribute__((noinline)) void diverge(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t taken)
{
	w->insns += (uint64_t)(op + 1 - w->mark);
	w->mark = op + 1;
	pl_sm_split_off(w, taken, target_of(op));
	w->pc = op + 1;
	if (op->x && --w->budget < 0)
		pl_sm_split_poll(w);
}

static void bra_if(PL_SM_ARGS)
{
	uint32_t taken = guard_of(w, op) & mask;
	const struct pl_sm_op *to = target_of(op);

	(void)R;
	if (taken == mask)
		JUMP(w, op, to, mask);
	if (!taken)
		PL_SM_GO(op + 1, mask);
	diverge(w, op, taken);
}

/* Keeps the lanes of `same` in the running split; the others come back to this operation later. */
static void keep(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t same)
{
	if (w->active & ~same)
		pl_sm_split_off(w, w->active & ~same, op);
}

/* Lanes of the mask that hold the same value as its first lane. */
static uint32_t same32(const uint32_t *values, uint32_t mask)
{
	uint32_t same = 0, first = values[__builtin_ctz(mask)];

	for (int i = 0; i < PL_ISA_LANES; i++)
		same |= (uint32_t)(values[i] == first) << i;
	return same & mask;
}

static uint32_t same64(const uint64_t *values, uint32_t mask)
{
	uint64_t first = values[__builtin_ctz(mask)];
	uint32_t same = 0;

	for (int i = 0; i < PL_ISA_LANES; i++)
		same |= (uint32_t)(values[i] == first) << i;
	return same & mask;
}

/* Guarded-off lanes go on behind the operation, by themselves. */
static void leave_behind(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t mask)
{
	if (w->active & ~mask)
		pl_sm_split_off(w, w->active & ~mask, op + 1);
}

static void arrive(struct pl_sm_warp *w, const struct pl_sm_op *op, const struct pl_sm_op *to)
{
	w->insns += (uint64_t)(op + 1 - w->mark);
	w->mark = to;
	w->pc = to;
	if (--w->budget < 0)
		pl_sm_split_poll(w);
}

static void brx_h(PL_SM_ARGS)
{
	const uint32_t *index = PL_SM_REG(const uint32_t, a);
	uint32_t first = (uint32_t)__builtin_ctz(mask);

	leave_behind(w, op, mask);
	keep(w, op, same32(index, mask));
	if (index[first] >= op->x) {
		pl_sm_fault(w, op, PL_RG_FAULT_BAD_CODE, PL_RG_EXEC, index[first], first);
		return;
	}
	arrive(w, op, target_of(op) + index[first]);
}

/* -- calls: the frame moves up by a, b, c; where to go back, and how far down, lies per lane in the stack -- */

#define RETURN_OF(pc, r, p, u) ((uint64_t)(pc) | (uint64_t)(r) << 24 | (uint64_t)(p) << 36 | (uint64_t)(u) << 44)
#define RETURN_PC(v)           ((uint32_t)(v)&0xffffff)
#define RETURN_R(v)            ((uint32_t)((v) >> 24) & 0xfff)
#define RETURN_P(v)            ((uint32_t)((v) >> 36) & 0xff)
#define RETURN_U(v)            ((uint32_t)((v) >> 44) & 0xfff)

static void call(struct pl_sm_warp *w, const struct pl_sm_op *op, const struct pl_sm_op *to, uint64_t back)
{
	for (uint32_t left = w->active; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);

		if (w->depth[i] >= w->sm->grid->desc.call_depth) {
			pl_sm_fault(w, op, PL_RG_FAULT_STACK, PL_RG_EXEC, w->depth[i], i);
			return;
		}
		w->stack[(size_t)w->depth[i]++ * PL_ISA_LANES + i] = back;
	}
	w->frame.R += (size_t)RETURN_R(back) * PL_SM_SLOT_BYTES;
	w->frame.P += RETURN_P(back);
	w->frame.U += RETURN_U(back);
	arrive(w, op, to);
}

static void call_h(PL_SM_ARGS)
{
	(void)R;
	leave_behind(w, op, mask);
	call(w, op, target_of(op), RETURN_OF(op + 1 - w->ops, op->a, op->b, op->c));
}

static void calli_h(PL_SM_ARGS)
{
	const uint64_t *va = PL_SM_REG(const uint64_t, a);
	uint32_t first = (uint32_t)__builtin_ctz(mask);
	uint64_t offset = va[first] - w->sm->grid->desc.code_va;

	leave_behind(w, op, mask);
	keep(w, op, same64(va, mask));
	if (offset % PL_ISA_INSN_BYTES || offset / PL_ISA_INSN_BYTES >= w->sm->grid->code->insns ||
	    !(w->ops[offset / PL_ISA_INSN_BYTES].flags & PL_SM_OP_ENTRY)) {
		pl_sm_fault(w, op, PL_RG_FAULT_BAD_CODE, PL_RG_EXEC, va[first], first);
		return;
	}
	call(w, op, w->ops + offset / PL_ISA_INSN_BYTES, RETURN_OF(op + 1 - w->ops, op->d, op->b, op->c));
}

static void ret_h(PL_SM_ARGS)
{
	uint64_t key[PL_ISA_LANES];
	uint32_t out = 0;

	(void)R;
	for (uint32_t i = 0; i < PL_ISA_LANES; i++) {
		uint32_t depth = w->depth[i];
		key[i] = depth ? w->stack[(size_t)(depth - 1) * PL_ISA_LANES + i] : 0;
		out |= (uint32_t)(depth == 0) << i;
	}
	if (out & mask) {
		pl_sm_split_exit(w, op - 1, out & mask); /* counts as nothing; the rest comes here again */
		return;
	}
	leave_behind(w, op, mask);
	mask = same64(key, mask);
	keep(w, op, mask);
	for (uint32_t left = mask; left; left &= left - 1)
		w->depth[__builtin_ctz(left)]--;
	key[0] = key[__builtin_ctz(mask)];
	w->frame.R -= (size_t)RETURN_R(key[0]) * PL_SM_SLOT_BYTES;
	w->frame.P -= RETURN_P(key[0]);
	w->frame.U -= RETURN_U(key[0]);
	w->insns += (uint64_t)(op + 1 - w->mark);
	w->pc = w->ops + RETURN_PC(key[0]);
	w->mark = w->pc;
}

/* imm: R slots | P << 12 | U << 20 */
static void entry_h(PL_SM_ARGS)
{
	uint32_t imm = (uint32_t)op->imm, slots = imm & 0xfff, preds = imm >> 12 & 0xff, uniforms = imm >> 20;

	if (w->frame.R + (size_t)slots * PL_SM_SLOT_BYTES > w->end.R || w->frame.P + preds > w->end.P ||
	    pl_sm_uniform_offset(w, w->frame.U) + uniforms >= pl_sm_uniform_stride(w)) {
		pl_sm_fault(w, op, PL_RG_FAULT_STACK, PL_RG_EXEC, 0, (uint32_t)__builtin_ctz(mask));
		return;
	}
	(void)R;
	PL_SM_NEXT;
}

/* -- convergence -- */

static void bssy_h(PL_SM_ARGS)
{
	pl_sm_fill(PL_SM_REG(uint32_t, d), mask, mask);
	PL_SM_NEXT;
}

static void bsync_h(PL_SM_ARGS)
{
	uint32_t lanes = PL_SM_REG(const uint32_t, a)[__builtin_ctz(mask)] & w->live;

	if (!(lanes & ~w->active))
		PL_SM_NEXT;
	pl_sm_split_sync(w, op, lanes);
}

static void bbreak_h(PL_SM_ARGS)
{
	uint32_t *d = PL_SM_REG(uint32_t, d), lanes = d[__builtin_ctz(mask)];

	for (int i = 0; i < PL_ISA_LANES; i++)
		d[i] = lanes >> i & 1 ? d[i] & ~mask : d[i];
	for (uint32_t k = 0; k < w->split_count; k++) /* those that wait already noted the old set */
		if (k != w->current && w->splits[k].state == PL_SM_WAIT_SYNC && w->splits[k].frame.R == w->frame.R &&
		    w->splits[k].pc->a == op->d)
			w->splits[k].wait_mask &= ~mask;
	pl_sm_split_save(w, op + 1);
	mask = w->active;
	pl_sm_split_recheck(w);
	for (uint32_t k = 0; k < w->split_count; k++)
		if (w->splits[k].mask == mask)
			w->current = k;
	w->pc = op + 1;
}

static void warpsync_h(PL_SM_ARGS)
{
	const uint32_t *b = op->flags & PL_SM_OP_B_SCALAR ? NULL : PL_SM_REG(const uint32_t, b);
	uint32_t lanes = b ? b[__builtin_ctz(mask)] : *(const uint32_t *)pl_sm_scalar(w, op), missing = 0;

	if (!b) {
		missing = lanes & w->live & ~w->active;
	} else {
		for (uint32_t left = mask; left; left &= left - 1)
			missing |= b[__builtin_ctz(left)] & w->live & ~w->active;
	}
	if (!missing)
		PL_SM_NEXT;
	leave_behind(w, op, mask);
	if (b)
		keep(w, op, same32(b, mask));
	pl_sm_split_warpsync(w, op, lanes);
}

/* -- the end, and what stops for a while -- */

static void exit_h(PL_SM_ARGS)
{
	(void)R;
	if (mask == w->live && w->split_count == 1)
		pl_sm_split_end(w, op);
	else
		pl_sm_split_exit(w, op, mask);
}

static void bar_h(PL_SM_ARGS)
{
	(void)R;
	pl_sm_barrier(w, op, mask);
}

/* The longest that a lane asks for; a sleep ends after 1 ms at the latest (PTX ISA, nanosleep). */
static uint32_t sleep_ns(const struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask)
{
	const uint32_t *b = op->flags & PL_SM_OP_B_SCALAR ? NULL : PL_SM_REG(const uint32_t, b);
	uint32_t longest = b ? 0 : *(const uint32_t *)pl_sm_scalar(w, op);

	for (uint32_t left = b ? mask : 0; left; left &= left - 1)
		if (b[__builtin_ctz(left)] > longest)
			longest = b[__builtin_ctz(left)];
	return longest < SLEEP_MAX_NS ? longest : SLEEP_MAX_NS;
}

/* Nothing else on this processor can go on. */
static bool is_alone(const struct pl_sm_warp *w)
{
	uint32_t resident = 0;

	for (uint32_t k = 0; k < w->sm->blocks_placed; k++)
		resident += w->sm->blocks[k].resident;
	return resident == 1 && w->split_count == 1 && w->block->ready == 1u << w->index;
}

/* Gives way, or sleeps where there is nobody to give way to: a kernel that waits for the program takes no processor. */
static void nanosleep_h(PL_SM_ARGS)
{
	uint32_t ns = sleep_ns(w, op, R, mask);

	if (ns >= SLEEP_MIN_NS && is_alone(w))
		nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
	w->insns += (uint64_t)(op + 1 - w->mark);
	w->mark = w->pc = op + 1;
	w->polls_left = 1;
	pl_sm_split_poll(w);
}

static void trap_h(PL_SM_ARGS)
{
	(void)R;
	pl_sm_fault(w, op, PL_RG_FAULT_TRAP, PL_RG_EXEC, op->x, (uint32_t)__builtin_ctz(mask));
}

static void fence_h(PL_SM_ARGS)
{
	(void)R, (void)mask;
	if (op->x)
		pl_barrier();
	PL_SM_NEXT;
}

static void nop_h(PL_SM_ARGS)
{
	(void)R, (void)mask;
	PL_SM_NEXT;
}

static void bad_h(PL_SM_ARGS)
{
	(void)R;
	pl_sm_fault(w, op, PL_RG_FAULT_BAD_CODE, PL_RG_EXEC, 0, (uint32_t)__builtin_ctz(mask));
}

void pl_sm_op_set_guard(struct pl_sm_op *op, unsigned guard, bool guard_not)
{
	op->body[0] = op->fn[0];
	op->body[1] = op->fn[1];
	op->guard = (uint8_t)guard;
	op->flags |= guard_not ? PL_SM_OP_GUARD_NOT : 0;
	op->fn[0] = guard_full;
	op->fn[1] = guard_part;
}

void pl_sm_op_set_bad(struct pl_sm_op *op)
{
	op->fn[0] = op->fn[1] = bad_h;
}

static bool set_both(struct pl_sm_op *op, pl_sm_fn fn)
{
	op->fn[0] = op->fn[1] = fn;
	return true;
}

bool pl_sm_bind_control(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const pl_sm_fn handlers[PL_ISA_OP_COUNT] = {
		[PL_ISA_BRX] = brx_h,           [PL_ISA_CALL] = call_h,
		[PL_ISA_CALLI] = calli_h,       [PL_ISA_RET] = ret_h,
		[PL_ISA_EXIT] = exit_h,         [PL_ISA_BSSY] = bssy_h,
		[PL_ISA_BSYNC] = bsync_h,       [PL_ISA_BBREAK] = bbreak_h,
		[PL_ISA_WARPSYNC] = warpsync_h, [PL_ISA_NANOSLEEP] = nanosleep_h,
		[PL_ISA_NOP] = nop_h,           [PL_ISA_BAR] = bar_h,
	};

	switch (f->op) {
	case PL_ISA_BRA:
		op->guard = f->guard;
		op->flags |= f->guard_not ? PL_SM_OP_GUARD_NOT : 0;
		return set_both(op, f->guard == PL_ISA_PT ? (f->guard_not ? nop_h : bra_always) : bra_if);
	case PL_ISA_ENTRY:
		op->flags |= PL_SM_OP_ENTRY;
		return set_both(op, entry_h);
	case PL_ISA_BAR:
		op->x = f->imm;
		op->flags |= f->nc ? PL_SM_OP_C_NOT : 0;
		return set_both(op, bar_h);
	case PL_ISA_FENCE:
		op->x = f->sub & 4 || f->sub > 0;
		return set_both(op, fence_h);
	case PL_ISA_TRAP:
	case PL_ISA_BRKPT:
		op->x = f->op == PL_ISA_BRKPT;
		return set_both(op, trap_h);
	default:
		return handlers[f->op] && set_both(op, handlers[f->op]);
	}
}
