/* Packing and unpacking of instructions: one table says which bits hold which field of which format. */
#include <string.h>

#include "refgpu/isa/isa.h"

enum {
	ALU = 1 << PL_ISA_FMT_ALU,
	MEM = 1 << PL_ISA_FMT_MEM,
	TEX = 1 << PL_ISA_FMT_TEX,
	MMA = 1 << PL_ISA_FMT_MMA,
	CTL = 1 << PL_ISA_FMT_CTL,
	CALC = ALU | MMA | CTL,
	ALL = CALC | MEM | TEX
};

struct place {
	uint16_t offset; /* in struct pl_isa_fields */
	uint8_t size, bit, bits, formats;
};

#define PLACE(field, bit, bits, formats)                                                                               \
	{                                                                                                              \
		offsetof(struct pl_isa_fields, field), sizeof(((struct pl_isa_fields *)0)->field), bit, bits, formats  \
	}

static const struct place places[] = {
	PLACE(guard, 10, 7, ALL),      PLACE(guard_not, 17, 1, ALL), PLACE(d, 18, 11, ALL),
	PLACE(a, 29, 11, ALL),         PLACE(b, 40, 11, ALL),        PLACE(c, 51, 11, ALL),
	PLACE(bkind, 62, 2, ALL),      PLACE(imm, 64, 32, ALL),      PLACE(type, 96, 5, ALL),
	PLACE(type2, 101, 5, CALC),    PLACE(round, 106, 3, CALC),   PLACE(ftz, 109, 1, CALC),
	PLACE(sat, 110, 1, CALC),      PLACE(na, 111, 1, CALC),      PLACE(nb, 112, 1, CALC),
	PLACE(nc, 113, 1, CALC),       PLACE(nd, 114, 1, CALC),      PLACE(aa, 115, 1, CALC),
	PLACE(cmp, 116, 5, CALC),      PLACE(boolop, 121, 2, CALC),  PLACE(sub, 123, 5, CALC | TEX),
	PLACE(space, 101, 3, MEM),     PLACE(vec, 104, 2, MEM),      PLACE(form, 106, 3, MEM),
	PLACE(shift, 109, 3, MEM),     PLACE(cache, 112, 3, MEM),    PLACE(scope, 115, 2, MEM),
	PLACE(sem, 117, 3, MEM),       PLACE(atom, 120, 4, MEM),     PLACE(sx, 124, 1, MEM),
	PLACE(geometry, 101, 3, TEX),  PLACE(array, 104, 1, TEX),    PLACE(lod, 105, 2, TEX),
	PLACE(coord_int, 107, 1, TEX), PLACE(handle_u, 108, 1, TEX), PLACE(vec, 109, 2, TEX),
	PLACE(clamp, 111, 2, TEX),     PLACE(offsets, 113, 1, TEX),
};

static uint64_t field_get(const struct pl_isa_fields *fields, const struct place *place)
{
	const char *at = (const char *)fields + place->offset;
	uint64_t value = 0;
	memcpy(&value, at, place->size);
	return value & ((1ull << place->bits) - 1);
}

struct pl_isa_insn pl_isa_pack(const struct pl_isa_fields *fields)
{
	struct pl_isa_insn insn = { { fields->op & 0x3ff, 0 } };
	unsigned format = fields->op < PL_ISA_OP_COUNT ? 1u << pl_isa_ops[fields->op].format : CALC;

	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (places[i].formats & format)
			insn.word[places[i].bit / 64] |= field_get(fields, &places[i]) << places[i].bit % 64;
	return insn;
}

void pl_isa_unpack(const struct pl_isa_insn *insn, struct pl_isa_fields *fields_out)
{
	unsigned op = insn->word[0] & 0x3ff, format;

	*fields_out = (struct pl_isa_fields){ .op = op < PL_ISA_OP_COUNT ? op : PL_ISA_OP_COUNT };
	format = op < PL_ISA_OP_COUNT ? 1u << pl_isa_ops[op].format : CALC;
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const struct place *place = &places[i];
		uint64_t value = insn->word[place->bit / 64] >> place->bit % 64 & ((1ull << place->bits) - 1);

		if (place->formats & format)
			memcpy((char *)fields_out + place->offset, &value, place->size);
	}
}
