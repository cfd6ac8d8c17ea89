/* Text to instructions; see text.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "refgpu/isa/text.h"

#define NAME_MAX_BYTES 40u

struct label {
	char name[NAME_MAX_BYTES];
	uint32_t insn;
};

struct fixup { /* a target by name */
	char name[NAME_MAX_BYTES];
	uint32_t insn, line;
};

struct assembler {
	const char *at, *end;
	uint32_t line;
	struct pl_isa_insn *insns;
	uint32_t room, count;
	struct label *labels;
	struct fixup *fixups;
	uint32_t label_count, fixup_count, label_room, fixup_room;
	struct pl_isa_text_error *error;
};

static int __attribute__((format(printf, 2, 3))) wrong(struct assembler *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->error->text, sizeof(s->error->text), format, args);
	va_end(args);
	s->error->line = s->line;
	return PL_ISA_TEXT_E_SYNTAX;
}

static void skip(struct assembler *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
	if (s->at < s->end && *s->at == ';')
		while (s->at < s->end && *s->at != '\n')
			s->at++;
}

static bool take(struct assembler *s, char c)
{
	skip(s);
	if (s->at >= s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static bool letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A name of letters, digits and _; empty where there is none. */
static void name_read(struct assembler *s, char name[NAME_MAX_BYTES])
{
	unsigned n = 0;

	skip(s);
	while (s->at < s->end && letter(*s->at)) {
		if (n < NAME_MAX_BYTES - 1)
			name[n++] = *s->at;
		s->at++;
	}
	name[n] = 0;
}

static bool number_read(struct assembler *s, uint64_t *value_out)
{
	bool minus = take(s, '-');
	uint64_t v = 0;
	unsigned base = 10, digits = 0;

	skip(s);
	if (s->end - s->at > 2 && s->at[0] == '0' && s->at[1] == 'x') {
		base = 16;
		s->at += 2;
	}
	for (; s->at < s->end; s->at++, digits++) {
		char c = *s->at;
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
						    : 99;

		if (d >= base)
			break;
		v = v * base + d;
	}
	*value_out = minus ? 0 - v : v;
	return digits > 0;
}

static int register_read(struct assembler *s, char file, uint16_t *value_out)
{
	uint64_t v;

	if (!take(s, file))
		return wrong(s, "a register of file %c is wanted", file);
	if (file == 'P' && s->at < s->end && *s->at == 'T') {
		s->at++;
		*value_out = PL_ISA_PT;
		return 0;
	}
	if (!number_read(s, &v) || v > (file == 'P' ? 126 : 2047))
		return wrong(s, "register %c%llu does not exist", file, (unsigned long long)v);
	*value_out = (uint16_t)v;
	return 0;
}

static int address_read(struct assembler *s, struct pl_isa_fields *f)
{
	uint64_t v;
	int r = 0;

	if (!take(s, '['))
		return wrong(s, "an address is wanted");
	skip(s);
	f->form = f->space >= PL_ISA_SHARED ? PL_ISA_ADDR_R32 : PL_ISA_ADDR_R64;
	if (s->at < s->end && *s->at == 'R') {
		r = register_read(s, 'R', &f->a);
	} else if (s->at < s->end && *s->at == 'U') {
		f->form = PL_ISA_ADDR_U;
		r = register_read(s, 'U', &f->a);
	} else {
		f->form = PL_ISA_ADDR_ABS;
		if (!number_read(s, &v))
			return wrong(s, "an address is wanted");
		f->imm = (uint32_t)v;
	}
	while (r == 0 && !take(s, ']')) {
		bool minus = false, sx;

		if (!take(s, '+') && !(minus = take(s, '-')))
			return wrong(s, "the address does not end");
		sx = take(s, 's');
		skip(s);
		if (s->at < s->end && *s->at == 'R') {
			if (f->form != PL_ISA_ADDR_U)
				return wrong(s, "an offset register goes with a U register");
			f->form = PL_ISA_ADDR_UR;
			f->sx = sx;
			r = register_read(s, 'R', &f->b);
			if (r == 0 && take(s, '<') && take(s, '<')) {
				if (!number_read(s, &v) || v > 7)
					return wrong(s, "shifts go from 0 to 7");
				f->shift = (uint8_t)v;
			}
		} else {
			if (!number_read(s, &v))
				return wrong(s, "a number is wanted");
			f->imm = (uint32_t)(minus ? 0 - v : v);
		}
	}
	return r;
}

static int operand_read(struct assembler *s, struct pl_isa_fields *f, const struct pl_isa_op_info *info, unsigned field)
{
	uint16_t *place[4] = { &f->d, &f->a, &f->b, &f->c };
	bool *sign[4] = { &f->nd, &f->na, &f->nb, &f->nc };
	char kind = pl_isa_operand_letter(f, info, field);
	uint64_t v;

	if (kind == 'A')
		return address_read(s, f);
	if (take(s, '!') || (kind == 'R' && take(s, '-')))
		*sign[field] = true;
	skip(s);
	if ((kind == 'B' || kind == 'V') && take(s, '#')) {
		f->bkind = PL_ISA_B_IMM;
		if (info->mods & PL_ISA_M_SHFL)
			return 0;
		if (info->mods & PL_ISA_M_EP)
			return wrong(s, "a register is wanted: e takes the number's place");
		if (!number_read(s, &v))
			return wrong(s, "a number is wanted");
		f->imm = (uint32_t)v;
		return 0;
	}
	if (kind == 'B' && s->at < s->end && *s->at == 'U') {
		f->bkind = PL_ISA_B_UNIFORM;
		kind = 'U';
	}
	if (info->format == PL_ISA_FMT_TEX && field == 3 && s->at < s->end && *s->at == 'U') {
		f->handle_u = true;
		kind = 'U';
	}
	if (kind == 'N') {
		if (!number_read(s, &v) || v > 2047)
			return wrong(s, "a number from 0 to 2047 is wanted");
		*place[field] = (uint16_t)v;
		return 0;
	}
	return register_read(s, kind == 'P' ? 'P' : kind == 'U' || kind == 'V' ? 'U' : 'R', place[field]);
}

static int type_set(struct assembler *s, struct pl_isa_fields *f, const struct pl_isa_op_info *info, unsigned type,
		    unsigned *seen)
{
	unsigned which = (*seen)++ + (info->types ? 0 : 1);

	if (which == 0)
		f->type = (uint8_t)type;
	else if (which == 1 && info->mods & PL_ISA_M_T2)
		f->type2 = (uint8_t)type;
	else if (which == 2 && info->format == PL_ISA_FMT_MMA)
		f->cmp = (uint8_t)type;
	else
		return wrong(s, "one type too many");
	return 0;
}

static int modifier_read(struct assembler *s, struct pl_isa_fields *f, const struct pl_isa_op_info *info,
			 unsigned *types_seen)
{
	char name[NAME_MAX_BYTES];

	name_read(s, name);
	for (unsigned type = 0; type < PL_ISA_TYPE_COUNT; type++)
		if (strcmp(name, pl_isa_types[type].name) == 0)
			return type_set(s, f, info, type, types_seen);
	for (unsigned i = 0; i < pl_isa_word_count; i++)
		if (strcmp(name, pl_isa_words[i].word) == 0 && pl_isa_word_applies(&pl_isa_words[i], info)) {
			memcpy((char *)f + pl_isa_words[i].offset, &pl_isa_words[i].value, 1);
			return 0;
		}
	if (strncmp(name, "sub", 3) == 0 && name[3] >= '0' && name[3] <= '9' && atoi(name + 3) < 32) {
		f->sub = (uint8_t)atoi(name + 3);
		return 0;
	}
	if (strcmp(name, "eq") == 0 || strcmp(name, "rn") == 0 || strcmp(name, "add") == 0 || strcmp(name, "1d") == 0)
		return 0; /* what 0 means, spelt out */
	return wrong(s, "modifier .%s does not go with %s", name, info->name);
}

static int grow(void **array, uint32_t count, uint32_t *room, size_t size)
{
	void *more;

	if (count < *room)
		return 0;
	more = realloc(*array, (*room + 64) * size);
	if (!more)
		return -1;
	*array = more;
	*room += 64;
	return 0;
}

static int tail_read(struct assembler *s, struct pl_isa_fields *f)
{
	enum pl_isa_tail tail = pl_isa_tail_of(f->op);
	uint16_t reg;
	uint64_t v;
	int r;

	if (tail == PL_ISA_TAIL_R || tail == PL_ISA_TAIL_P) {
		r = register_read(s, tail == PL_ISA_TAIL_R ? 'R' : 'P', &reg);
		f->imm = r ? 0 : reg;
		return r;
	}
	if (take(s, '$')) {
		if (!number_read(s, &v))
			return wrong(s, "a number is wanted");
		f->imm = (uint32_t)v;
		return 0;
	}
	if (tail != PL_ISA_TAIL_TARGET)
		return wrong(s, "$ and a number are wanted");
	if (grow((void **)&s->fixups, s->fixup_count, &s->fixup_room, sizeof(*s->fixups)))
		return wrong(s, "out of memory");
	name_read(s, s->fixups[s->fixup_count].name);
	if (!s->fixups[s->fixup_count].name[0])
		return wrong(s, "a label is wanted");
	s->fixups[s->fixup_count].insn = s->count;
	s->fixups[s->fixup_count++].line = s->line;
	return 0;
}

static int operation_find(const char *name)
{
	for (unsigned op = 0; op < PL_ISA_OP_COUNT; op++) {
		const char *upper = pl_isa_ops[op].name;
		unsigned i = 0;

		while (upper[i] &&
		       (upper[i] == name[i] || (upper[i] >= 'A' && upper[i] <= 'Z' && upper[i] + 32 == name[i])))
			i++;
		if (!upper[i] && !name[i])
			return (int)op;
	}
	return -1;
}

static int insn_read(struct assembler *s, const char *name, struct pl_isa_fields *f)
{
	const struct pl_isa_op_info *info;
	unsigned types_seen = 0;
	bool first = true;
	int op = operation_find(name), r = 0;

	if (op < 0)
		return wrong(s, "operation %s does not exist", name);
	f->op = (uint16_t)op;
	info = &pl_isa_ops[op];
	while (r == 0 && take(s, '.'))
		r = modifier_read(s, f, info, &types_seen);
	for (unsigned field = 0; field < 4 && r == 0; field++) {
		if (!pl_isa_operand_letter(f, info, field))
			continue;
		if (!first && !take(s, ','))
			return wrong(s, "%s wants more operands", info->name);
		first = false;
		r = operand_read(s, f, info, field);
	}
	if (r == 0 && pl_isa_tail_of(f->op)) {
		if (!first && !take(s, ','))
			return wrong(s, "%s wants one more operand", info->name);
		r = tail_read(s, f);
	}
	return r;
}

static int line_read(struct assembler *s)
{
	struct pl_isa_fields f = { .guard = PL_ISA_PT };
	char name[NAME_MAX_BYTES];
	uint16_t guard;
	int r = 0;

	for (;;) {
		if (take(s, '@')) {
			f.guard_not = take(s, '!');
			r = register_read(s, 'P', &guard);
			if (r)
				return r;
			f.guard = (uint8_t)guard;
		}
		name_read(s, name);
		if (!name[0])
			break;
		if (!take(s, ':')) {
			r = insn_read(s, name, &f);
			if (r)
				return r;
			if (s->count >= s->room)
				return PL_ISA_TEXT_E_FULL;
			s->insns[s->count++] = pl_isa_pack(&f);
			break;
		}
		if (grow((void **)&s->labels, s->label_count, &s->label_room, sizeof(*s->labels)))
			return wrong(s, "out of memory");
		memcpy(s->labels[s->label_count].name, name, sizeof(name));
		s->labels[s->label_count++].insn = s->count;
	}
	skip(s);
	if (s->at < s->end && *s->at != '\n')
		return wrong(s, "something is left over: %.20s", s->end - s->at > 20 ? "..." : "at the end");
	return 0;
}

static int fix_targets(struct assembler *s)
{
	for (uint32_t i = 0; i < s->fixup_count; i++) {
		uint32_t k = 0;

		while (k < s->label_count && strcmp(s->labels[k].name, s->fixups[i].name) != 0)
			k++;
		s->line = s->fixups[i].line;
		if (k == s->label_count)
			return wrong(s, "label %s does not exist", s->fixups[i].name);
		s->insns[s->fixups[i].insn].word[1] |= s->labels[k].insn;
	}
	return 0;
}

int pl_isa_assemble(const char *text, size_t bytes, struct pl_isa_insn *insns, uint32_t room, uint32_t *count_out,
		    struct pl_isa_text_error *error_out)
{
	struct assembler s = { .at = text, .end = text + bytes, .insns = insns, .room = room, .error = error_out };
	int r = 0;

	while (r == 0 && s.at < s.end) {
		s.line++;
		r = line_read(&s);
		if (s.at < s.end)
			s.at++;
	}
	r = r ? r : fix_targets(&s);
	free(s.labels);
	free(s.fixups);
	if (r == 0)
		*count_out = s.count;
	return r;
}
