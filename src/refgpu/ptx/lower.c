/* Operands and modifiers of instructions; which file knows which instruction. */
#include "lower.h"
#include "sreg.h"

#include <stdarg.h>
#include <stdio.h>

_Noreturn void pl_ptx_bad(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, st->line, st->column, "%s: %s", pl_ptx_text(b->ctx, st->op), text);
}

_Noreturn void pl_ptx_unsupported(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const char *what)
{
	pl_ptx_fail(b->ctx, PL_PTX_E_UNSUPPORTED, st->line, st->column,
		    "%s: %s is not supported by this GPU: compile for another target or use another way",
		    pl_ptx_text(b->ctx, st->op), what);
}

/* ---- modifiers ---- */

bool pl_ptx_take(struct pl_ptx_statement *st, uint32_t word)
{
	for (uint32_t i = 0; i < st->mods_n; i++) {
		if (st->mods[i] == word && !st->taken[i]) {
			st->taken[i] = true;
			return true;
		}
	}
	return false;
}

uint32_t pl_ptx_take_of(struct pl_ptx_statement *st, const uint16_t *words, uint32_t n)
{
	for (uint32_t i = 0; i < st->mods_n; i++) {
		if (st->taken[i])
			continue;
		for (uint32_t k = 0; k < n; k++) {
			if (st->mods[i] == words[k]) {
				st->taken[i] = true;
				return words[k];
			}
		}
	}
	return W_NONE;
}

struct pl_ptx_type pl_ptx_take_type(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++) {
		struct pl_ptx_type type = pl_ptx_type_of(st->mods[i]);

		if (type.bits && !st->taken[i]) {
			if (b->ctx->maps_f64 && st->mods[i] == W_f64)
				pl_ptx_unsupported(b, st, ".f64 under the target map_f64_to_f32");
			st->taken[i] = true;
			return type;
		}
	}
	pl_ptx_bad(b, st, "a type is missing: write one, as .u32");
}

bool pl_ptx_has_type(const struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++)
		if (!st->taken[i] && pl_ptx_type_of(st->mods[i]).bits)
			return true;
	return false;
}

unsigned pl_ptx_take_round(struct pl_ptx_statement *st, bool *given_out)
{
	uint32_t word = TAKE_OF(st, W_rn, W_rz, W_rm, W_rp, W_rna);

	*given_out = word != W_NONE;
	switch (word) {
	case W_rz:
		return PL_ISA_RZ;
	case W_rm:
		return PL_ISA_RM;
	case W_rp:
		return PL_ISA_RP;
	case W_rna:
		return PL_ISA_RNA;
	default:
		return PL_ISA_RN;
	}
}

void pl_ptx_all_taken(struct pl_ptx_build *b, const struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++)
		if (!st->taken[i])
			pl_ptx_bad(b, st, "modifier .%s does not go with this instruction: remove it",
				   pl_ptx_text(b->ctx, st->mods[i]));
}

unsigned pl_ptx_int_type(struct pl_ptx_type type)
{
	bool is_signed = type.class == K_S;

	switch (type.bits) {
	case 8:
		return is_signed ? PL_ISA_S8 : PL_ISA_U8;
	case 16:
		return is_signed ? PL_ISA_S16 : PL_ISA_U16;
	case 32:
		return is_signed ? PL_ISA_S32 : PL_ISA_U32;
	case 64:
		return is_signed ? PL_ISA_S64 : PL_ISA_U64;
	case 128:
		return PL_ISA_B128;
	default:
		return NO_TYPE;
	}
}

unsigned pl_ptx_isa_type(struct pl_ptx_type type)
{
	switch (type.word) {
	case W_f16:
		return PL_ISA_F16;
	case W_f16x2:
		return PL_ISA_F16X2;
	case W_bf16:
		return PL_ISA_BF16;
	case W_bf16x2:
		return PL_ISA_BF16X2;
	case W_f32:
		return PL_ISA_F32;
	case W_f64:
		return PL_ISA_F64;
	case W_f32x2:
		return PL_ISA_F32X2;
	case W_u16x2:
		return PL_ISA_U16X2;
	case W_s16x2:
		return PL_ISA_S16X2;
	case W_tf32:
		return PL_ISA_TF32;
	case W_e4m3x2:
		return PL_ISA_E4M3X2;
	case W_e5m2x2:
		return PL_ISA_E5M2X2;
	case W_e2m3x2:
		return PL_ISA_E2M3X2;
	case W_e3m2x2:
		return PL_ISA_E3M2X2;
	case W_e2m1x2:
		return PL_ISA_E2M1X2;
	case W_ue8m0x2:
		return PL_ISA_UE8M0X2;
	default:
		return type.class == K_ODD || type.class == K_REF || type.class == K_PRED ? NO_TYPE
											  : pl_ptx_int_type(type);
	}
}

/* ---- values ---- */

uint32_t pl_ptx_temp(struct pl_ptx_build *b, unsigned slots)
{
	return pl_ptx_tuple_new(b, 1, slots);
}

uint32_t pl_ptx_pred_temp(struct pl_ptx_build *b)
{
	return pl_ptx_value_new(b, V_P, 1);
}

uint32_t pl_ptx_un(struct pl_ptx_build *b, unsigned op, unsigned type, unsigned slots, uint32_t a)
{
	uint32_t d = pl_ptx_temp(b, slots);

	(void)pl_ptx_op(b, op, type, d, a, 0, 0);
	return d;
}

uint32_t pl_ptx_bi(struct pl_ptx_build *b, unsigned op, unsigned type, unsigned slots, uint32_t a, uint32_t bb)
{
	uint32_t d = pl_ptx_temp(b, slots);

	(void)pl_ptx_op(b, op, type, d, a, bb, 0);
	return d;
}

uint32_t pl_ptx_convert(struct pl_ptx_build *b, unsigned to, unsigned from, uint32_t a)
{
	uint32_t d = pl_ptx_temp(b, pl_isa_type_slots(to));

	pl_ptx_op(b, PL_ISA_CVT, to, d, a, 0, 0)->f.type2 = (uint8_t)from;
	return d;
}

void pl_ptx_copy(struct pl_ptx_build *b, uint32_t d, uint32_t a)
{
	if (d)
		(void)pl_ptx_op(b, I_COPY, 0, d, a, 0, 0);
}

uint32_t pl_ptx_fit(struct pl_ptx_build *b, uint32_t value, unsigned slots)
{
	if (b->values[value].slots == slots)
		return value;
	return slots == 2 ? pl_ptx_convert(b, PL_ISA_U64, PL_ISA_U32, value)
			  : pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U64, value);
}

uint32_t pl_ptx_sr(struct pl_ptx_build *b, unsigned sr, unsigned slots)
{
	uint32_t d = pl_ptx_temp(b, slots);
	struct pl_ptx_ins *ins = pl_ptx_op(b, PL_ISA_S2R, slots == 2 ? PL_ISA_U64 : PL_ISA_U32, d, 0, 0, 0);

	ins->f.imm = sr;
	ins->effect = sr == PL_ISA_SR_CLOCK || sr == PL_ISA_SR_CLOCK_HI || sr == PL_ISA_SR_GLOBALTIMER ||
		      sr == PL_ISA_SR_GLOBALTIMER_HI;
	return d;
}

uint32_t pl_ptx_reg_of(struct pl_ptx_build *b, struct pl_ptx_sym *sym)
{
	if (!sym->reg) {
		if (sym->type.class == K_PRED)
			sym->reg = pl_ptx_value_new(b, V_P, 1);
		else
			sym->reg = pl_ptx_temp(b, pl_ptx_slots_of(sym->type));
	}
	return sym->reg;
}

uint32_t pl_ptx_component(struct pl_ptx_build *b, struct pl_ptx_sym *sym, uint32_t i)
{
	if (!sym->reg_parts) {
		sym->reg_parts = pl_ptx_alloc_n(b->pool, sym->lanes_v, sizeof(*sym->reg_parts));
		for (uint32_t k = 0; k < sym->lanes_v; k++)
			sym->reg_parts[k] = pl_ptx_value_new(b, V_R, pl_ptx_slots_of(sym->type));
	}
	return sym->reg_parts[i];
}

static uint32_t component_index(uint32_t word)
{
	switch (word) {
	case W_x:
	case W_r:
		return 0;
	case W_y:
	case W_g:
		return 1;
	case W_z:
	case W_b:
		return 2;
	default:
		return 3;
	}
}

uint32_t pl_ptx_sreg_read(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, unsigned slots)
{
	const struct pl_ptx_sreg *sreg = pl_ptx_sreg_at(operand->sreg);
	unsigned own = sreg->bits == 64 ? 2 : 1;
	uint32_t i = operand->select == W_NONE ? 0 : component_index(operand->select), value;

	switch (sreg->kind) {
	case SREG_XYZ:
		if (i == 3)
			return pl_ptx_const(b, 0, slots);
		value = pl_ptx_sr(b, sreg->value + i, 1);
		break;
	case SREG_XYZ_CONST:
		return pl_ptx_const(b, i == 3 ? 0 : sreg->value, slots);
	case SREG_RESERVED:
		return pl_ptx_fit(b, pl_ptx_reserved_shared(b, sreg->value), slots);
	case SREG_CONST:
		return pl_ptx_const(b, sreg->value, slots);
	default:
		value = pl_ptx_sr(b, sreg->value, own);
		break;
	}
	return pl_ptx_fit(b, value, slots);
}

/* ---- operands ---- */

void pl_ptx_want(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t least, uint32_t most)
{
	if (st->operands_n < least || st->operands_n > most)
		pl_ptx_bad(b, st, "%u operands do not fit: it takes %u%s", st->operands_n, least,
			   least == most ? "" : " or more");
}

static bool class_fits(struct pl_ptx_type reg, struct pl_ptx_type type)
{
	if (reg.class == K_B || type.class == K_B || reg.class == type.class || type.lanes > 1 || reg.lanes > 1)
		return true;
	if (type.class == K_ODD || type.class == K_BF)
		return true;
	return (reg.class == K_U || reg.class == K_S) && (type.class == K_U || type.class == K_S);
}

static void check_reg(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		      struct pl_ptx_type type, int fit)
{
	const struct pl_ptx_sym *sym = operand->sym;

	if (sym->type.class == K_PRED ||
	    (fit == FIT_EXACT || sym->type.bits > 64 ? sym->type.bits != type.bits : sym->type.bits < type.bits) ||
	    !class_fits(sym->type, type))
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, operand->line, operand->column,
			    "%s: '%s' is .%s, which does not fit .%s: use a register of that type",
			    pl_ptx_text(b->ctx, st->op), pl_ptx_text(b->ctx, sym->name),
			    pl_ptx_text(b->ctx, sym->type.word), pl_ptx_text(b->ctx, type.word));
}

static uint64_t float_bits(const struct pl_ptx_operand *operand, struct pl_ptx_type type)
{
	uint64_t bits = operand->value;
	uint32_t low = (uint32_t)bits;
	double value;
	float single;

	if (type.bits == 64 && operand->f32) {
		memcpy(&single, &low, 4);
		value = single;
		memcpy(&bits, &value, 8);
	} else if (type.bits == 32 && !operand->f32) {
		memcpy(&value, &bits, 8);
		single = (float)value;
		memcpy(&low, &single, 4);
		bits = low;
	}
	return bits;
}

bool pl_ptx_is_const(const struct pl_ptx_operand *operand, uint64_t *value_out)
{
	if (operand->kind != O_INT)
		return false;
	*value_out = operand->value;
	return true;
}

static uint32_t const_value(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			    const struct pl_ptx_operand *operand, struct pl_ptx_type type)
{
	uint64_t value = operand->value;
	bool is_float = type.class == K_F || type.class == K_BF;

	if (operand->kind == O_FLOAT) {
		if (!is_float && type.class != K_B)
			pl_ptx_bad(b, st, "a floating-point constant does not fit .%s: use an integer",
				   pl_ptx_text(b->ctx, type.word));
		if (type.bits < 32)
			pl_ptx_bad(b, st, "a constant of 16 bits is written as an integer, 0x3C00");
		value = float_bits(operand, type);
	} else if (is_float && type.bits >= 32 && type.lanes == 1) {
		double wide = (double)(int64_t)value;
		float single = (float)(int64_t)value;
		uint32_t low;

		memcpy(&low, &single, 4);
		memcpy(&value, &wide, 8);
		if (type.bits == 32)
			value = low;
	}
	if (type.bits < 32 && type.bits >= 8) {
		value &= (1u << type.bits) - 1;
		if (type.class == K_S)
			value = (uint64_t)((int64_t)(value << (64 - type.bits)) >> (64 - type.bits));
	}
	return pl_ptx_const(b, value, pl_ptx_slots_of(type));
}

static uint32_t constant_source(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
				const struct pl_ptx_operand *operand, struct pl_ptx_type type)
{
	if (operand->kind == O_SREG)
		return pl_ptx_sreg_read(b, operand, pl_ptx_slots_of(type));
	if (operand->kind == O_SYM)
		return pl_ptx_fit(b, pl_ptx_symbol_value(b, st, operand), pl_ptx_slots_of(type));
	return const_value(b, st, operand, type);
}

uint32_t pl_ptx_source(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		       struct pl_ptx_type type, int fit)
{
	if (operand->negated && operand->kind != O_INT && operand->kind != O_FLOAT)
		pl_ptx_bad(b, st, "a negated operand does not go here: negate it with neg or not first");
	if (operand->second)
		pl_ptx_bad(b, st, "'|' or an offset does not go here: use one register");
	switch (operand->kind) {
	case O_REG:
		check_reg(b, st, operand, type, fit);
		if (operand->sym->lanes_v == 1 && operand->select != W_NONE)
			pl_ptx_bad(b, st, "a part of a register does not go here: use the whole");
		if (operand->sym->lanes_v > 1) {
			if (operand->select == W_NONE)
				pl_ptx_bad(b, st, "a vector does not go here: name a component, as .x");
			return pl_ptx_component(b, operand->sym,
						component_index(operand->select) % operand->sym->lanes_v);
		}
		return pl_ptx_reg_of(b, operand->sym);
	case O_SREG:
	case O_SYM:
	case O_INT:
	case O_FLOAT:
		if (type.bits > 64)
			pl_ptx_bad(b, st, "128 bits come from a register: use mov with two of .b64");
		return constant_source(b, st, operand, type);
	default:
		pl_ptx_bad(b, st, "an operand in this form does not go here: use a register or a constant");
	}
}

uint32_t pl_ptx_src(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t i, struct pl_ptx_type type)
{
	return pl_ptx_source(b, st, &st->operands[i], type, FIT_EXACT);
}

uint32_t pl_ptx_dest(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		     struct pl_ptx_type type, int fit)
{
	if (operand->kind == O_SINK)
		return 0;
	if (operand->kind != O_REG || operand->negated || operand->second)
		pl_ptx_bad(b, st, "the result goes to a register: name one");
	check_reg(b, st, operand, type, fit);
	if (operand->sym->lanes_v > 1) {
		if (operand->select == W_NONE)
			pl_ptx_bad(b, st, "a vector does not go here: name a component, as .x");
		return pl_ptx_component(b, operand->sym, component_index(operand->select) % operand->sym->lanes_v);
	}
	return pl_ptx_reg_of(b, operand->sym);
}

uint32_t pl_ptx_dst(struct pl_ptx_build *b, const struct pl_ptx_statement *st, uint32_t i, struct pl_ptx_type type)
{
	uint32_t d = pl_ptx_dest(b, st, &st->operands[i], type, FIT_EXACT);

	return d ? d : pl_ptx_temp(b, pl_ptx_slots_of(type));
}

uint32_t pl_ptx_pred(struct pl_ptx_build *b, const struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		     bool *not_out)
{
	*not_out = operand->negated;
	if ((operand->kind == O_SREG && pl_ptx_sreg_at(operand->sreg)->bits == 1) || operand->kind == O_INT) {
		uint32_t d = pl_ptx_pred_temp(b);

		(void)pl_ptx_op(b, operand->kind == O_INT && operand->value ? I_TRUE : I_FALSE, 0, d, 0, 0, 0);
		return d;
	}
	if (operand->kind != O_REG || operand->sym->type.class != K_PRED || operand->second)
		pl_ptx_bad(b, st, "a predicate is expected here: name a .pred register");
	return pl_ptx_reg_of(b, operand->sym);
}

uint32_t pl_ptx_pred_dest(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			  const struct pl_ptx_operand *operand)
{
	if (operand->kind == O_SINK)
		return 0;
	if (operand->kind != O_REG || operand->sym->type.class != K_PRED || operand->negated)
		pl_ptx_bad(b, st, "a predicate is expected here: name a .pred register");
	return pl_ptx_reg_of(b, operand->sym);
}

uint32_t pl_ptx_vector_n(const struct pl_ptx_operand *operand)
{
	if (operand->kind == O_VECTOR)
		return operand->parts_n;
	if (operand->kind == O_REG && operand->sym->lanes_v > 1 && operand->select == W_NONE)
		return operand->sym->lanes_v;
	return 1;
}

const struct pl_ptx_operand *pl_ptx_vector_at(struct pl_ptx_build *b, const struct pl_ptx_operand *operand, uint32_t i)
{
	static const uint16_t names[] = { W_x, W_y, W_z, W_w };
	struct pl_ptx_operand *part;

	if (operand->kind == O_VECTOR)
		return &operand->parts[i];
	if (operand->kind != O_REG || operand->sym->lanes_v == 1 || operand->select != W_NONE)
		return operand;
	part = pl_ptx_alloc(b->pool, sizeof(*part));
	*part = *operand;
	part->select = names[i % 4];
	return part;
}

static pl_ptx_lower_fn lower_of(uint32_t op)
{
	static pl_ptx_lower_fn (*const areas[])(uint32_t) = {
		pl_ptx_lower_arith, pl_ptx_lower_bits,    pl_ptx_lower_move,   pl_ptx_lower_memory, pl_ptx_lower_sync,
		pl_ptx_lower_async, pl_ptx_lower_texture, pl_ptx_lower_matrix, pl_ptx_lower_video,
	};
	pl_ptx_lower_fn lower = NULL;

	for (size_t i = 0; op < W_COUNT && !lower && i < sizeof(areas) / sizeof(areas[0]); i++)
		lower = areas[i](op);
	return lower;
}

static _Noreturn void refuse(struct pl_ptx_build *b, const struct pl_ptx_statement *st)
{
	pl_ptx_fail(b->ctx, st->op < W_COUNT ? PL_PTX_E_UNSUPPORTED : PL_PTX_E_INVALID, st->line, st->column,
		    "instruction '%s' is not %s: use another way", pl_ptx_text(b->ctx, st->op),
		    st->op < W_COUNT ? "supported by this GPU" : "known");
}

void pl_ptx_check_known(struct pl_ptx_build *b, const struct pl_ptx_statement *st)
{
	bool flow = st->op == W_bra || st->op == W_brx || st->op == W_ret || st->op == W_exit || st->op == W_call;

	if (!flow && !lower_of(st->op))
		refuse(b, st);
}

void pl_ptx_lower(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	pl_ptx_lower_fn lower = lower_of(st->op);

	if (!lower)
		refuse(b, st);
	lower(b, st);
	pl_ptx_all_taken(b, st);
}
