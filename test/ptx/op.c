/* SPDX-License-Identifier: Apache-2.0 */
#include "ptx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct pt_type_info pt_types[PT_COUNT] = {
	[PT_NONE] = { "", 0, 0, false, NULL },
	[PT_PRED] = { "pred", 1, 1, false, NULL },
	[PT_U8] = { "u8", 8, 1, false, NULL },
	[PT_S8] = { "s8", 8, 1, true, NULL },
	[PT_B8] = { "b8", 8, 1, false, NULL },
	[PT_U16] = { "u16", 16, 1, false, NULL },
	[PT_S16] = { "s16", 16, 1, true, NULL },
	[PT_B16] = { "b16", 16, 1, false, NULL },
	[PT_U32] = { "u32", 32, 1, false, NULL },
	[PT_S32] = { "s32", 32, 1, true, NULL },
	[PT_B32] = { "b32", 32, 1, false, NULL },
	[PT_U64] = { "u64", 64, 1, false, NULL },
	[PT_S64] = { "s64", 64, 1, true, NULL },
	[PT_B64] = { "b64", 64, 1, false, NULL },
	[PT_F16] = { "f16", 16, 1, true, &sf_f16 },
	[PT_BF16] = { "bf16", 16, 1, true, &sf_bf16 },
	[PT_F32] = { "f32", 32, 1, true, &sf_f32 },
	[PT_F64] = { "f64", 64, 1, true, &sf_f64 },
	[PT_TF32] = { "tf32", 32, 1, true, &sf_f32 },
	[PT_U16X2] = { "u16x2", 32, 2, false, NULL },
	[PT_S16X2] = { "s16x2", 32, 2, true, NULL },
	[PT_F16X2] = { "f16x2", 32, 2, true, &sf_f16 },
	[PT_BF16X2] = { "bf16x2", 32, 2, true, &sf_bf16 },
	[PT_E4M3X2] = { "e4m3x2", 16, 2, true, &sf_e4m3 },
	[PT_E5M2X2] = { "e5m2x2", 16, 2, true, &sf_e5m2 },
	[PT_E2M3X2] = { "e2m3x2", 16, 2, true, &sf_e2m3 },
	[PT_E3M2X2] = { "e3m2x2", 16, 2, true, &sf_e3m2 },
	[PT_E2M1X2] = { "e2m1x2", 8, 2, true, &sf_e2m1 },
	[PT_F32X2] = { "f32x2", 64, 2, true, &sf_f32 },
	[PT_UE8M0X2] = { "ue8m0x2", 16, 2, false, NULL },
};

bool pt_op_has(const struct pt_op *op, const char *word)
{
	for (unsigned i = 1; i < op->words; i++) {
		if (!strcmp(op->word[i], word))
			return true;
	}
	return false;
}

const char *pt_op_matrix_type(const struct pt_op *op, unsigned n)
{
	unsigned last = 0;

	for (unsigned i = 1; i < op->words; i++) {
		if (!strcmp(op->word[i], "col") || !strcmp(op->word[i], "row") || !strcmp(op->word[i], "satfinite"))
			last = i;
	}
	return last && last + n + 1 < op->words ? op->word[last + n + 1] : "";
}

const struct sf_format *pt_format_named(const char *name, int *bits_out)
{
	static const struct {
		const char *name;
		const struct sf_format *format;
		int bits;
	} known[] = { { "f16", &sf_f16, 16 }, { "bf16", &sf_bf16, 16 }, { "f32", &sf_f32, 32 }, { "tf32", &sf_f32, 32 },
		      { "f64", &sf_f64, 64 }, { "e4m3", &sf_e4m3, 8 },  { "e5m2", &sf_e5m2, 8 } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(name, known[i].name)) {
			*bits_out = known[i].bits;
			return known[i].format;
		}
	}
	*bits_out = !strcmp(name, "b1") ? 1 : name[0] && name[1] == '4' ? 4 : name[0] && name[1] == '8' ? 8 : 32;
	return NULL;
}

static void word_note(struct pt_op *op, const char *word)
{
	static const struct {
		const char *word;
		enum sf_round round;
	} rounds[] = { { "rn", SF_NEAREST }, { "rz", SF_ZERO },  { "rm", SF_DOWN },
		       { "rp", SF_UP },      { "rna", SF_AWAY }, { "rni", SF_NEAREST },
		       { "rzi", SF_ZERO },   { "rmi", SF_DOWN }, { "rpi", SF_UP } };
	static const struct {
		const char *word;
		unsigned flag;
	} flags[] = { { "ftz", SF_FTZ }, { "sat", SF_SAT }, { "satfinite", SF_SATFINITE }, { "relu", SF_RELU } };

	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		if (!strcmp(word, rounds[i].word))
			op->round = rounds[i].round;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!strcmp(word, flags[i].word))
			op->flags |= flags[i].flag;
	}
	for (int t = PT_PRED; t < PT_COUNT; t++) {
		if (!strcmp(word, pt_types[t].name) && op->types < 4)
			op->type[op->types++] = (enum pt_type)t;
	}
}

bool pt_op_parse(struct pt_op *op, const char *name)
{
	char *rest, *word;
	const char *blank = strchr(name, ' ');
	size_t length = blank ? (size_t)(blank - name) : strlen(name);

	memset(op, 0, sizeof(*op));
	if (length >= sizeof(op->name) || (blank && strlen(blank + 1) >= sizeof(op->arg)))
		return false;
	memcpy(op->name, name, length);
	strcpy(op->text, op->name);
	if (blank) {
		strcpy(op->arg, blank + 1);
		op->number = strtoull(op->arg, NULL, 0);
	}
	rest = op->text;
	while ((word = strsep(&rest, "."))) {
		if (op->words == PT_WORDS_MAX)
			return false;
		op->word[op->words++] = word;
		if (op->words > 1)
			word_note(op, word);
	}
	return true;
}

uint64_t pt_extended(enum pt_type type, uint64_t value)
{
	int bits = pt_types[type].bits;

	if (bits != 8)
		return value & pt_mask(bits);
	return (pt_types[type].is_signed ? (uint64_t)pt_signed(value, 8) : value & 0xff) & 0xffffffff;
}
