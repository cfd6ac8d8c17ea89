/* The decode cache; see code.h. */
#include <stdlib.h>
#include <string.h>

#include "refgpu/compute/check.h"
#include "refgpu/compute/code.h"
#include "refgpu/isa/validate.h"

/* Immediates as the type wants them: sign-extended, upper half of a double, both halves of a float pair. */
static uint64_t immediate_of(const struct pl_isa_fields *f, unsigned kind)
{
	if (kind != PL_ISA_K_BT)
		return f->op == PL_ISA_MOV64 || f->op == PL_ISA_UMOV64
			       ? f->imm | (uint64_t)(f->a | (uint32_t)f->b << 11 | (uint32_t)f->c << 22) << 32
		       : kind == PL_ISA_K_B1 ? f->imm
					     : (uint64_t)(int64_t)(int32_t)f->imm;
	switch (f->type) {
	case PL_ISA_F64:
		return (uint64_t)f->imm << 32;
	case PL_ISA_F32X2:
		return (uint64_t)f->imm << 32 | f->imm;
	default:
		return (uint64_t)(int64_t)(int32_t)f->imm;
	}
}

static uint32_t operand_of(unsigned kind, uint16_t field)
{
	switch (kind) {
	case PL_ISA_K_P:
	case PL_ISA_K_U:
	case PL_ISA_K_BU:
		return field;
	case PL_ISA_K_N: /* not looked at by the validator */
		return 0;
	default:
		return field * PL_SM_SLOT_BYTES;
	}
}

static void decode_b(const struct pl_isa_fields *f, unsigned kind, struct pl_sm_op *op)
{
	bool scalar_kind = kind == PL_ISA_K_BT || kind == PL_ISA_K_B1 || kind == PL_ISA_K_BU;

	op->b = operand_of(kind, f->b);
	op->imm = immediate_of(f, kind);
	if (f->op == PL_ISA_MOV64 || f->op == PL_ISA_UMOV64)
		op->b = offsetof(struct pl_sm_op, imm);
	if (!scalar_kind)
		return;
	if (f->bkind == PL_ISA_B_IMM) {
		op->flags |= PL_SM_OP_B_SCALAR;
		op->b = offsetof(struct pl_sm_op, imm);
	} else if (f->bkind == PL_ISA_B_UNIFORM || kind == PL_ISA_K_BU) {
		op->flags |= PL_SM_OP_B_SCALAR | PL_SM_OP_B_UNIFORM;
		op->b = f->b * 8;
	}
}

static void decode_memory(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	union pl_sm_mem m = { .x = 0 };

	m.space = f->space;
	m.form = f->form;
	m.shift = f->shift;
	m.sx = f->sx;
	m.vec = f->vec;
	m.atom = f->atom;
	m.sem = f->sem;
	m.bytes = pl_isa_type_bytes(f->type);
	if (f->type == PL_ISA_B128 && (f->op == PL_ISA_LD || f->op == PL_ISA_ST)) { /* as it lies in registers */
		op->type = PL_ISA_U64;
		m.bytes = 8;
		m.vec++;
	}
	op->x = m.x;
	if (f->form == PL_ISA_ADDR_U || f->form == PL_ISA_ADDR_UR)
		op->a = f->a;
	else if (f->form == PL_ISA_ADDR_ABS)
		op->a = 0;
	if (f->form == PL_ISA_ADDR_UR)
		op->b = f->b * PL_SM_SLOT_BYTES;
	op->imm = (uint64_t)(int64_t)(int32_t)f->imm;
}

static void bind(const struct pl_sm_build *build, const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	struct pl_sm_op plain = *op;

	bool first = f->op == PL_ISA_SHFL || f->op == PL_ISA_S2R || f->op == PL_ISA_S2U || f->op == PL_ISA_MMA ||
		     f->op == PL_ISA_WMMA || f->op == PL_ISA_TEX;

	if (first && build->bind(f, op))
		return;
	if (pl_sm_bind_control(f, op) || pl_sm_bind_lanes(f, op) || pl_sm_bind_uniform(f, op))
		return;
	*op = plain;
	if (pl_sm_bind_atom(f, op) || pl_sm_bind_texture(f, op) || pl_sm_bind_matrix(f, op) || pl_sm_bind_sys(f, op))
		return;
	*op = plain;
	if (!build->bind(f, op))
		pl_sm_op_set_bad(op);
}

static void decode_operands(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	const struct pl_isa_op_info *info = &pl_isa_ops[f->op];

	*op = (struct pl_sm_op){ .type = f->type, .sub = f->sub };
	op->d = operand_of(info->d, f->d);
	op->a = operand_of(info->a, f->a);
	op->c = operand_of(info->c, f->c);
	decode_b(f, info->b, op);
	if (info->format == PL_ISA_FMT_MEM)
		decode_memory(f, op);
}

void pl_sm_op_decode(const struct pl_sm_build *build, const struct pl_isa_fields *fields, struct pl_sm_op *op)
{
	decode_operands(fields, op);
	bind(build, fields, op);
}

void pl_sm_code_decode(const struct pl_sm_build *build, const struct pl_isa_insn *insn, uint32_t number,
		       struct pl_sm_code *code, bool check)
{
	struct pl_sm_op *op = &code->ops[number];
	struct pl_isa_fields f;

	pl_isa_unpack(insn, &f);
	if (f.op == PL_ISA_OP_COUNT) {
		*op = (struct pl_sm_op){ .type = f.type, .sub = f.sub };
		pl_sm_op_set_bad(op);
		return;
	}
	decode_operands(&f, op);
	switch (f.op) {
	case PL_ISA_BRA:
	case PL_ISA_BRX:
	case PL_ISA_CALL:
		op->imm = (uintptr_t)&code->ops[f.imm < code->insns ? f.imm : code->insns];
		op->x = f.op == PL_ISA_BRX ? f.d : f.imm <= number;
		break;
	default:
		break;
	}
	if (f.op == PL_ISA_CALL)
		op->a = f.a, op->b = f.b, op->c = f.c;
	if (f.op == PL_ISA_CALLI)
		op->d = f.d, op->b = f.b, op->c = f.c;
	if (f.op == PL_ISA_TESTP || (f.op == PL_ISA_BAR && (f.sub & 7) >= PL_ISA_BAR_RED_AND) || f.op == PL_ISA_MBAR)
		op->d = f.op == PL_ISA_MBAR && f.sub < PL_ISA_MBAR_TEST ? f.d * PL_SM_SLOT_BYTES : f.d;
	bind(build, &f, op);
	if (check)
		pl_sm_check_wrap(&f, op, code->inner[number]);
	if (f.guard != PL_ISA_PT && f.op != PL_ISA_BRA)
		pl_sm_op_set_guard(op, f.guard, f.guard_not);
}

static void code_free(struct pl_sm_code *code)
{
	if (code)
		free(code->inner);
	free(code);
}

static int read_raw(struct pl_mmu_tlb *tlb, const struct pl_isa_launch *desc, struct pl_isa_insn *raw,
		    struct pl_rg_fault *fault_out)
{
	uint64_t left = (uint64_t)desc->code_insns * PL_ISA_INSN_BYTES, va = desc->code_va;
	char *to = (void *)raw;

	while (left) {
		uint64_t room;
		const void *at = pl_mmu_at(tlb, va, PL_RG_EXEC, &room);

		if (!at) {
			*fault_out = tlb->fault;
			fault_out->pc = va;
			return -1;
		}
		room = room < left ? room : left;
		memcpy(to, at, room);
		to += room, va += room, left -= room;
	}
	return 0;
}

static struct pl_sm_code *decode_all(const struct pl_sm_build *build, const struct pl_isa_launch *desc,
				     const struct pl_isa_insn *raw, struct pl_rg_fault *fault_out)
{
	struct pl_isa_refusal refusal;
	struct pl_sm_code *code;

	if (pl_isa_validate(raw, desc->code_insns, &refusal)) {
		*fault_out = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_CODE,
						   .access = PL_RG_EXEC,
						   .pc = desc->code_va + (uint64_t)refusal.insn * PL_ISA_INSN_BYTES };
		fault_out->address = fault_out->pc;
		return NULL;
	}
	code = aligned_alloc(64, (sizeof(*code) + (desc->code_insns + 1ull) * sizeof(*code->ops) + 63) / 64 * 64);
	if (!code) {
		*fault_out = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH, .address = desc->code_va };
		return NULL;
	}
	code->va = desc->code_va;
	code->insns = desc->code_insns;
	code->inner = desc->flags & PL_ISA_LAUNCH_CHECK ? calloc(code->insns, sizeof(*code->inner)) : NULL;
	if (desc->flags & PL_ISA_LAUNCH_CHECK && !code->inner) {
		free(code);
		*fault_out = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH, .address = desc->code_va };
		return NULL;
	}
	for (uint32_t i = 0; i < code->insns; i++)
		pl_sm_code_decode(build, &raw[i], i, code, desc->flags & PL_ISA_LAUNCH_CHECK);
	memset(&code->ops[code->insns], 0, sizeof(*code->ops));
	pl_sm_op_set_bad(&code->ops[code->insns]);
	return code;
}

const struct pl_sm_code *pl_sm_code_get(struct pl_sm_code_cache *cache, struct pl_mmu_tlb *tlb,
					const struct pl_isa_launch *desc, struct pl_rg_fault *fault_out)
{
	uint64_t generation = atomic_load_explicit(&pl_mmu_generation(tlb)->value, memory_order_acquire);
	size_t bytes = (size_t)desc->code_insns * PL_ISA_INSN_BYTES;
	bool check = desc->flags & PL_ISA_LAUNCH_CHECK;
	unsigned slot = 0;
	struct pl_isa_insn *raw;

	for (unsigned i = 0; i < PL_SM_CODE_ENTRIES; i++) {
		struct pl_sm_code *code = cache->entries[i].code;

		if (cache->entries[i].used < cache->entries[slot].used)
			slot = i;
		if (!code || code->va != desc->code_va || code->space_id != tlb->space_id ||
		    code->insns != desc->code_insns || cache->entries[i].check != check)
			continue;
		slot = i;
		if (cache->entries[i].generation == generation) {
			cache->entries[i].used = ++cache->clock;
			return code;
		}
		break;
	}
	raw = malloc(bytes);
	if (!raw || read_raw(tlb, desc, raw, fault_out)) {
		if (!raw)
			*fault_out = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH, .address = desc->code_va };
		free(raw);
		return NULL;
	}
	if (cache->entries[slot].code && cache->entries[slot].code->va == desc->code_va &&
	    cache->entries[slot].code->space_id == tlb->space_id &&
	    cache->entries[slot].code->insns == desc->code_insns && cache->entries[slot].check == check &&
	    memcmp(raw, cache->entries[slot].raw, bytes) == 0) {
		free(raw);
	} else {
		struct pl_sm_code *code = decode_all(cache->build, desc, raw, fault_out);

		if (!code) {
			free(raw);
			return NULL;
		}
		code_free(cache->entries[slot].code);
		free(cache->entries[slot].raw);
		code->space_id = tlb->space_id;
		cache->entries[slot].code = code;
		cache->entries[slot].raw = raw;
		cache->entries[slot].check = check;
	}
	cache->entries[slot].code->raw = cache->entries[slot].raw;
	cache->entries[slot].generation = generation;
	cache->entries[slot].used = ++cache->clock;
	return cache->entries[slot].code;
}

void pl_sm_code_cache_fini(struct pl_sm_code_cache *cache)
{
	for (unsigned i = 0; i < PL_SM_CODE_ENTRIES; i++) {
		code_free(cache->entries[i].code);
		free(cache->entries[i].raw);
	}
}
