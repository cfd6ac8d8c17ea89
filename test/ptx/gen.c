/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tables become cases, cases become kernels. */
#include "ptx.h"

#include <assert.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum pt_type wide_of(enum pt_type type)
{
	switch (type) {
	case PT_U16:
		return PT_U32;
	case PT_S16:
		return PT_S32;
	case PT_U32:
		return PT_U64;
	case PT_S32:
		return PT_S64;
	default:
		return type;
	}
}

static struct pt_operand element_of(const struct pt_op *op, char kind)
{
	bool wmma = !strcmp(op->word[0], "wmma");
	/* Halves name only D and C; what memory holds comes in words of 64 bits. */
	const char *name = kind == 'y' ? op->word[op->words - 1] : op->word[op->words - 3];
	const struct sf_format *format;
	int bits;

	if (!wmma)
		name = pt_op_matrix_type(op, kind == 'x' ? 1 : 3);
	else if (kind == 'x' && strcmp(name, "bf16"))
		name = "f16";
	format = pt_format_named(name, &bits);
	return (struct pt_operand){ bits == 64 || wmma ? PT_B64 : PT_B32, kind, format };
}

static struct pt_operand operand_of(const struct pt_op *op, char kind)
{
	static const struct {
		char kind;
		enum pt_type type;
	} fixed[] = { { 'h', PT_B16 },  { 'r', PT_B32 }, { 'd', PT_B64 }, { 'f', PT_F32 }, { 'D', PT_F64 },
		      { 'p', PT_PRED }, { 's', PT_B32 }, { 'n', PT_B32 }, { 'g', PT_B64 } };

	switch (kind) {
	case 'x':
	case 'y':
		return element_of(op, kind);
	case 'T':
	case 'R':
		return (struct pt_operand){ op->type[0], kind, NULL };
	case 'U':
		return (struct pt_operand){ op->type[1], kind, NULL };
	case 'V':
		return (struct pt_operand){ op->type[2], kind, NULL };
	case 'W':
		return (struct pt_operand){ wide_of(op->type[0]), kind, NULL };
	}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (fixed[i].kind == kind)
			return (struct pt_operand){ fixed[i].type, kind, NULL };
	}
	return (struct pt_operand){ PT_NONE, kind, NULL };
}

static void case_push(struct pt_cases *cases, const struct pt_case *c)
{
	if (cases->count == cases->room) {
		cases->room = cases->room ? cases->room * 2 : 256;
		cases->list = realloc(cases->list, cases->room * sizeof(*c));
		assert(cases->list);
	}
	cases->list[cases->count++] = *c;
}

/* Constants as an assembler takes them in an instruction: whole numbers, floats as 0f and 0d. */
static bool is_writable(enum pt_type type)
{
	return (type >= PT_U16 && type <= PT_B64) || type == PT_F32 || type == PT_F64;
}

static uint64_t name_hash(const char *name)
{
	uint64_t hash = 14695981039346656037u;

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 1099511628211u;
	return hash;
}

/* The same instruction with constants, if it is one that any operands do for. */
static void variant_add(struct pt_cases *cases, const struct pt_case *plain, enum pt_how how, const char *glob)
{
	uint64_t rows[16 * PT_CONSTANT_INS_MAX];
	struct pt_case c = *plain;
	char name[160];

	if (plain->family->text || !plain->family->want || plain->group > 1 || plain->outs != 1 ||
	    plain->ins > PT_CONSTANT_INS_MAX)
		return;
	for (unsigned i = 0; i < plain->ins; i++) {
		if (plain->in[i].type == PT_PRED)
			return;
	}
	if (how == PT_IMMEDIATE && (plain->ins < 2 || !is_writable(plain->in[plain->ins - 1].type)))
		return;
	snprintf(name, sizeof(name), "%s %s", plain->name, how == PT_FOLDED ? "folded" : "immediate");
	if (glob && fnmatch(glob, name, 0))
		return;
	c.name = strdup(name);
	c.how = how;
	/* Enough rows for every second one to be of edges. */
	c.rows = 16;
	pt_operands_fill(&c, rows, name_hash(name));
	for (unsigned k = 0; k < PT_CONSTANTS; k++)
		memcpy(c.constant[k], rows + (size_t)k * 2 * c.ins, c.ins * sizeof(*rows));
	c.outs = PT_CONSTANTS;
	for (unsigned k = 1; k < PT_CONSTANTS; k++)
		c.out[k] = c.out[0];
	c.rows = how == PT_FOLDED ? 32 : 256;
	c.threads = 32;
	case_push(cases, &c);
}

static void case_add(struct pt_cases *cases, const struct pt_family *family, const char *name, const char *glob)
{
	struct pt_case c = { .family = family };
	const char *s = family->sig;

	if (!pt_op_parse(&c.op, name) || strcspn(s, "=") > PT_OUTS_MAX ||
	    strlen(s) - strcspn(s, "=") > PT_INS_MAX + 1) {
		fprintf(stderr, "%s: not an opcode that the tables can hold\n", name);
		abort();
	}
	for (; *s && *s != '='; s++)
		c.out[c.outs++] = operand_of(&c.op, *s);
	for (s += *s == '='; *s; s++)
		c.in[c.ins++] = operand_of(&c.op, *s);
	for (unsigned i = 0; i < c.outs; i++)
		assert(c.out[i].type != PT_NONE);
	for (unsigned i = 0; i < c.ins; i++)
		assert(c.in[i].type != PT_NONE);
	c.name = strdup(name);
	c.rows = family->rows ? family->rows : 1024;
	c.threads = family->threads ? family->threads : 128;
	c.group = family->group ? family->group : 1;
	variant_add(cases, &c, PT_FOLDED, glob);
	variant_add(cases, &c, PT_IMMEDIATE, glob);
	if (glob && fnmatch(glob, name, 0))
		free(c.name);
	else
		case_push(cases, &c);
}

/* Each alternative of the first braces in turn. */
static void family_expand(struct pt_cases *cases, const struct pt_family *family, const char *ops, const char *glob)
{
	const char *open = strchr(ops, '{'), *close = open ? strchr(open, '}') : NULL, *at;
	char name[512];

	if (!close) {
		case_add(cases, family, ops, glob);
		return;
	}
	for (at = open; at < close;) {
		const char *end = at + 1 + strcspn(at + 1, ",}");

		snprintf(name, sizeof(name), "%.*s%.*s%s", (int)(open - ops), ops, (int)(end - at - 1), at + 1,
			 close + 1);
		family_expand(cases, family, name, glob);
		at = end;
	}
}

void pt_cases_make(struct pt_cases *cases, const char *glob)
{
	for (size_t g = 0; pt_groups[g]; g++) {
		for (const struct pt_family *f = pt_groups[g]; f->ops; f++)
			family_expand(cases, f, f->ops, glob);
	}
	/* The list may have moved: cut the words again, in place. */
	for (size_t i = 0; i < cases->count; i++)
		pt_op_parse(&cases->list[i].op, cases->list[i].name);
}

void pt_cases_free(struct pt_cases *cases)
{
	for (size_t i = 0; i < cases->count; i++)
		free(cases->list[i].name);
	free(cases->list);
	*cases = (struct pt_cases){ 0 };
}

static const char *register_type(enum pt_type type)
{
	int bits = pt_types[type].bits;

	return bits == 1 ? "pred" : bits == 16 ? "b16" : bits == 64 ? "b64" : "b32";
}

/* &T: the opcode's type itself; &B, &U: as many bits, as many bits unsigned; &R, &N: so, in a register. */
static void type_put(FILE *out, enum pt_type type, char how)
{
	int bits = pt_types[type].bits;

	if (how == 'T')
		fputs(pt_types[type].name, out);
	else
		fprintf(out, "%c%d", how == 'U' || how == 'N' ? 'u' : 'b',
			bits == 8 && (how == 'R' || how == 'N') ? 16 : bits);
}

static void text_put(FILE *out, const char *text, const struct pt_case *c, unsigned number)
{
	for (; *text; text++) {
		if (*text == '#')
			fputs(c->op.name, out);
		else if (*text == '~')
			fputs(c->op.arg, out);
		else if (*text == '&')
			type_put(out, c->op.type[0], *++text);
		else if (*text == '$')
			fprintf(out, "k%u", number);
		else
			fputc(*text, out);
	}
	fputc('\n', out);
}

static void literal_put(FILE *out, enum pt_type type, uint64_t value)
{
	int bits = pt_types[type].bits;

	if (type == PT_F32)
		fprintf(out, "0f%08llx", (unsigned long long)(value & 0xffffffff));
	else if (type == PT_F64)
		fprintf(out, "0d%016llx", (unsigned long long)value);
	else if (pt_types[type].is_signed)
		fprintf(out, "%lld", (long long)pt_signed(value, bits));
	else
		fprintf(out, "0x%llx", (unsigned long long)(value & pt_mask(bits)));
}

/* One instruction for each set of constants. */
static void constants_put(FILE *out, const struct pt_case *c)
{
	for (unsigned k = 0; k < PT_CONSTANTS; k++) {
		for (unsigned i = 0; i < c->ins && c->how == PT_FOLDED; i++) {
			const char *type = register_type(c->in[i].type);

			fprintf(out, "\t.reg .%s %%c%u_%u;\n\tmov.%s %%c%u_%u, 0x%llx;\n", type, k, i, type, k, i,
				(unsigned long long)(c->constant[k][i] & pt_mask(type[1] == '1'   ? 16
										 : type[1] == '3' ? 32
												  : 64)));
		}
		fprintf(out, "\t%s %%o%u", c->op.name, k);
		for (unsigned i = 0; i < c->ins; i++) {
			if (c->how == PT_FOLDED) {
				fprintf(out, ", %%c%u_%u", k, i);
			} else if (i + 1 < c->ins) {
				fprintf(out, ", %%i%u", i);
			} else {
				fputs(", ", out);
				literal_put(out, c->in[i].type, c->constant[k][i]);
			}
		}
		fputs(";\n", out);
	}
}

static void plain_put(FILE *out, const struct pt_case *c)
{
	if (c->how != PT_PLAIN) {
		constants_put(out, c);
		return;
	}
	fprintf(out, "\t%s ", c->op.name);
	for (unsigned i = 0; i < c->outs; i++)
		fprintf(out, "%s%%o%u", i ? ", " : "", i);
	for (unsigned i = 0; i < c->ins; i++)
		fprintf(out, ", %%i%u", i);
	fputs(";\n", out);
}

static void loads_put(FILE *out, const struct pt_case *c)
{
	fprintf(out, "\tmad.wide.u32 %%ia, %%gid, %u, %%in;\n\tmad.wide.u32 %%oa, %%gid, %u, %%out;\n", c->ins * 8,
		c->outs * 8);
	for (unsigned i = 0; i < c->ins; i++) {
		const char *type = register_type(c->in[i].type);

		fprintf(out, "\t.reg .%s %%i%u;\n", type, i);
		if (c->in[i].type == PT_PRED)
			fprintf(out, "\tld.global.u32 %%t0, [%%ia+%u];\n\tsetp.ne.u32 %%i%u, %%t0, 0;\n", i * 8, i);
		else
			fprintf(out, "\tld.global.%s %%i%u, [%%ia+%u];\n", type, i, i * 8);
	}
	for (unsigned i = 0; i < c->outs; i++)
		fprintf(out, "\t.reg .%s %%o%u;\n", register_type(c->out[i].type), i);
}

static void stores_put(FILE *out, const struct pt_case *c)
{
	for (unsigned i = 0; i < c->outs; i++) {
		const char *type = register_type(c->out[i].type);

		if (c->out[i].type == PT_PRED)
			fprintf(out, "\tselp.u32 %%t0, 1, 0, %%o%u;\n\tst.global.u32 [%%oa+%u], %%t0;\n", i, i * 8);
		else
			fprintf(out, "\tst.global.%s [%%oa+%u], %%o%u;\n", type, i * 8, i);
	}
}

static void kernel_put(FILE *out, const struct pt_case *c, unsigned number)
{
	const struct pt_family *f = c->family;

	fprintf(out, "\n// %s\n", c->name);
	if (f->decl)
		text_put(out, f->decl, c, number);
	fprintf(out,
		".visible .entry k%u(.param .u64 k%u_in, .param .u64 k%u_out, .param .u64 k%u_aux)\n{\n"
		"\t.reg .b64 %%in, %%out, %%aux, %%ia, %%oa;\n\t.reg .b32 %%tx, %%nt, %%ct, %%gid, %%lane, %%t0;\n"
		"\tld.param.u64 %%in, [k%u_in];\n\tld.param.u64 %%out, [k%u_out];\n\tld.param.u64 %%aux, [k%u_aux];\n"
		"\tmov.u32 %%tx, %%tid.x;\n\tmov.u32 %%nt, %%ntid.x;\n\tmov.u32 %%ct, %%ctaid.x;\n"
		"\tmad.lo.u32 %%gid, %%ct, %%nt, %%tx;\n\tand.b32 %%lane, %%tx, 31;\n",
		number, number, number, number, number, number, number);
	loads_put(out, c);
	if (f->text)
		text_put(out, f->text, c, number);
	else
		plain_put(out, c);
	stores_put(out, c);
	fputs("\tret;\n}\n", out);
}

char *pt_module_text(const struct pt_case *const *cases, size_t count, unsigned ptx, unsigned sm)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert(out);
	fprintf(out, ".version %u.%u\n.target sm_%u%s\n.address_size 64\n", ptx / 10, ptx % 10, sm,
		cases[0]->family->specific ? "a" : "");
	for (size_t i = 0; i < count; i++)
		kernel_put(out, cases[i], (unsigned)i);
	fclose(out);
	return text;
}
