/* Special registers that every kernel reads: indices of threads and blocks, and their counts. */
#include "refgpu/compute/vec.h"

/* prepare: what does not differ from lane to lane */
#define TO_LANES(name, prepare, value)                                                                                 \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		uint32_t *d = PL_SM_REG(uint32_t, d);                                                                  \
		prepare;                                                                                               \
		if (mask == PL_SM_ALL)                                                                                 \
			LANES_LOOP d[i] = (value);                                                                     \
		else                                                                                                   \
			LANES_LOOP KEEP(uint32_t, d, (value));                                                         \
		PL_SM_NEXT;                                                                                            \
	}
#define TO_UNIFORM(name, value)                                                                                        \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		(void)R, (void)mask;                                                                                   \
		w->frame.U[op->d] = (value);                                                                           \
		PL_SM_NEXT;                                                                                            \
	}
/* op->x: which of three */
TO_LANES(tid_r, const uint32_t *tid = w->tid[op->x], tid[i])
TO_LANES(laneid_r, , (uint32_t)i)
TO_LANES(ntid_r, const uint32_t v = w->sm->grid->desc.block[op->x], v)
TO_LANES(ctaid_r, const uint32_t v = w->block->index[op->x], v)
TO_LANES(nctaid_r, const uint32_t v = w->sm->grid->desc.grid[op->x], v)
TO_UNIFORM(ntid_u, w->sm->grid->desc.block[op->x])
TO_UNIFORM(ctaid_u, w->block->index[op->x])
TO_UNIFORM(nctaid_u, w->sm->grid->desc.grid[op->x])

bool V(pl_sm_bind_sreg)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_sreg)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	static const struct {
		uint32_t first, last;
		pl_sm_fn to[2]; /* R, U */
	} of[] = {
		{ PL_ISA_SR_TID_X, PL_ISA_SR_TID_Z, { tid_r, NULL } },
		{ PL_ISA_SR_LANEID, PL_ISA_SR_LANEID, { laneid_r, NULL } },
		{ PL_ISA_SR_NTID_X, PL_ISA_SR_NTID_Z, { ntid_r, ntid_u } },
		{ PL_ISA_SR_CTAID_X, PL_ISA_SR_CTAID_Z, { ctaid_r, ctaid_u } },
		{ PL_ISA_SR_NCTAID_X, PL_ISA_SR_NCTAID_Z, { nctaid_r, nctaid_u } },
	};

	if ((f->op != PL_ISA_S2R && f->op != PL_ISA_S2U) || f->type != PL_ISA_U32)
		return false;
	for (unsigned i = 0; i < sizeof(of) / sizeof(*of); i++) {
		pl_sm_fn fn = of[i].to[f->op == PL_ISA_S2U];

		if (f->imm < of[i].first || f->imm > of[i].last || !fn)
			continue;
		op->x = f->imm - of[i].first;
		op->fn[0] = op->fn[1] = fn;
		return true;
	}
	return false;
}
