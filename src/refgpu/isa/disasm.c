/* Instructions to text; see text.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "refgpu/isa/text.h"

struct out {
	char *at;
	size_t room;
};

static void __attribute__((format(printf, 2, 3))) put(struct out *out, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(out->at, out->room, format, args);
	va_end(args);
	if (n < 0 || !out->room)
		return;
	if ((size_t)n >= out->room)
		n = (int)out->room - 1;
	out->at += n;
	out->room -= (size_t)n;
}

static void put_name(struct out *out, const char *upper)
{
	for (; *upper; upper++)
		put(out, "%c", *upper >= 'A' && *upper <= 'Z' ? *upper + 32 : *upper);
}

static void put_type(struct out *out, unsigned type)
{
	if (type < PL_ISA_TYPE_COUNT)
		put(out, ".%s", pl_isa_types[type].name);
	else
		put(out, ".?%u", type);
}

static void put_modifiers(struct out *out, const struct pl_isa_fields *f, const struct pl_isa_op_info *info)
{
	if (info->types)
		put_type(out, f->type);
	if (info->mods & PL_ISA_M_T2)
		put_type(out, f->type2);
	if (info->mods & PL_ISA_M_CMP && info->format == PL_ISA_FMT_MMA)
		put_type(out, f->cmp);
	for (unsigned i = 0; i < pl_isa_word_count; i++) {
		const struct pl_isa_word *word = &pl_isa_words[i];
		uint8_t value;

		memcpy(&value, (const char *)f + word->offset, 1);
		if (value == word->value && pl_isa_word_applies(word, info))
			put(out, ".%s", word->word);
	}
	if (f->sub && (info->mods & PL_ISA_M_SUB || info->format == PL_ISA_FMT_TEX))
		put(out, ".sub%u", f->sub);
}

static void put_number(struct out *out, const struct pl_isa_fields *f)
{
	put(out, f->imm < 0x80000000u ? " + %u" : " - %u", f->imm < 0x80000000u ? f->imm : 0 - f->imm);
}

static void put_address(struct out *out, const struct pl_isa_fields *f)
{
	switch (f->form) {
	case PL_ISA_ADDR_R64:
	case PL_ISA_ADDR_R32:
		put(out, "[R%u", f->a);
		break;
	case PL_ISA_ADDR_UR:
		put(out, "[U%u + %sR%u << %u", f->a, f->sx ? "s" : "", f->b, f->shift);
		break;
	case PL_ISA_ADDR_U:
		put(out, "[U%u", f->a);
		break;
	default:
		put(out, "[%u]", f->imm);
		return;
	}
	if (f->imm)
		put_number(out, f);
	put(out, "]");
}

static void put_pred(struct out *out, const char *sign, unsigned p)
{
	if (p == PL_ISA_PT)
		put(out, "%sPT", sign);
	else
		put(out, "%sP%u", sign, p);
}

static void put_operand(struct out *out, const struct pl_isa_fields *f, const struct pl_isa_op_info *info,
			unsigned field)
{
	unsigned value[4] = { f->d, f->a, f->b, f->c };
	bool minus[4] = { f->nd && info->mods & PL_ISA_M_ND, f->na && info->mods & PL_ISA_M_NA,
			  f->nb && info->mods & PL_ISA_M_NB, f->nc && info->mods & PL_ISA_M_NC };

	switch (pl_isa_operand_letter(f, info, field)) {
	case 'P':
		put_pred(out, minus[field] ? "!" : "", value[field]);
		break;
	case 'R':
		put(out, "%sR%u", minus[field] ? "-" : "", value[field]);
		break;
	case 'U':
		put(out, "U%u", value[field]);
		break;
	case 'B':
	case 'V':
		if (f->bkind == PL_ISA_B_IMM)
			put(out, "#0x%x", f->imm);
		else
			put(out, "%s%u", f->bkind == PL_ISA_B_UNIFORM || info->b == PL_ISA_K_BU ? "U" : "R",
			    value[field]);
		break;
	case 'S':
		put(out, "#");
		break;
	case 'A':
		put_address(out, f);
		break;
	default:
		put(out, "%u", value[field]);
	}
}

void pl_isa_disassemble(const struct pl_isa_insn *insn, char *text, size_t bytes)
{
	struct out out = { text, bytes };
	const struct pl_isa_op_info *info;
	struct pl_isa_fields f;
	const char *comma = " ";

	if (!bytes)
		return;
	text[0] = 0;
	pl_isa_unpack(insn, &f);
	if (f.op == PL_ISA_OP_COUNT) {
		put(&out, "?%u", (unsigned)(insn->word[0] & 0x3ff));
		return;
	}
	info = &pl_isa_ops[f.op];
	if (f.guard != PL_ISA_PT || f.guard_not) {
		put_pred(&out, f.guard_not ? "@!" : "@", f.guard);
		put(&out, " ");
	}
	put_name(&out, info->name);
	put_modifiers(&out, &f, info);
	for (unsigned field = 0; field < 4; field++)
		if (pl_isa_operand_letter(&f, info, field)) {
			put(&out, "%s", comma);
			put_operand(&out, &f, info, field);
			comma = ", ";
		}
	switch (pl_isa_tail_of(f.op)) {
	case PL_ISA_TAIL_NUMBER:
	case PL_ISA_TAIL_TARGET:
		put(&out, "%s$0x%x", comma, f.imm);
		break;
	case PL_ISA_TAIL_R:
		put(&out, "%sR%u", comma, f.imm & 2047);
		break;
	case PL_ISA_TAIL_P:
		put(&out, "%s", comma);
		put_pred(&out, "", f.imm & 127);
		break;
	default:
		break;
	}
}
