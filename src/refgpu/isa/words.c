/* What the assembler and the disassembler agree on. */
#include "refgpu/isa/text.h"
#include "refgpu/isa/texture.h"
#include "refgpu/isa/values.h"

#define AT(field) offsetof(struct pl_isa_fields, field)
#define MEM       (1 << PL_ISA_FMT_MEM)
#define TEX       (1 << PL_ISA_FMT_TEX)

const struct pl_isa_word pl_isa_words[] = {
	{ "rz", AT(round), PL_ISA_RZ, 0, PL_ISA_M_RND },
	{ "rm", AT(round), PL_ISA_RM, 0, PL_ISA_M_RND },
	{ "rp", AT(round), PL_ISA_RP, 0, PL_ISA_M_RND },
	{ "rna", AT(round), PL_ISA_RNA, 0, PL_ISA_M_RND },
	{ "ftz", AT(ftz), 1, 0, PL_ISA_M_FTZ },
	{ "sat", AT(sat), 1, 0, PL_ISA_M_SAT },
	{ "and", AT(boolop), PL_ISA_BAND, 0, PL_ISA_M_BOOL },
	{ "or", AT(boolop), PL_ISA_BOR, 0, PL_ISA_M_BOOL },
	{ "xor", AT(boolop), PL_ISA_BXOR, 0, PL_ISA_M_BOOL },
	{ "ne", AT(cmp), PL_ISA_NE, 0, PL_ISA_M_CMP },
	{ "lt", AT(cmp), PL_ISA_LT, 0, PL_ISA_M_CMP },
	{ "le", AT(cmp), PL_ISA_LE, 0, PL_ISA_M_CMP },
	{ "gt", AT(cmp), PL_ISA_GT, 0, PL_ISA_M_CMP },
	{ "ge", AT(cmp), PL_ISA_GE, 0, PL_ISA_M_CMP },
	{ "equ", AT(cmp), PL_ISA_EQU, 0, PL_ISA_M_CMP },
	{ "neu", AT(cmp), PL_ISA_NEU, 0, PL_ISA_M_CMP },
	{ "ltu", AT(cmp), PL_ISA_LTU, 0, PL_ISA_M_CMP },
	{ "leu", AT(cmp), PL_ISA_LEU, 0, PL_ISA_M_CMP },
	{ "gtu", AT(cmp), PL_ISA_GTU, 0, PL_ISA_M_CMP },
	{ "geu", AT(cmp), PL_ISA_GEU, 0, PL_ISA_M_CMP },
	{ "num", AT(cmp), PL_ISA_NUM, 0, PL_ISA_M_CMP },
	{ "nan", AT(cmp), PL_ISA_NAN, 0, PL_ISA_M_CMP },
	{ "global", AT(space), PL_ISA_GLOBAL, MEM, 0 },
	{ "shared", AT(space), PL_ISA_SHARED, MEM, 0 },
	{ "local", AT(space), PL_ISA_LOCAL, MEM, 0 },
	{ "param", AT(space), PL_ISA_PARAM, MEM, 0 },
	{ "v2", AT(vec), 1, MEM | TEX, 0 },
	{ "v4", AT(vec), 2, MEM | TEX, 0 },
	{ "v8", AT(vec), 3, MEM | TEX, 0 },
	{ "cg", AT(cache), PL_ISA_CG, MEM, 0 },
	{ "cs", AT(cache), PL_ISA_CS, MEM, 0 },
	{ "lu", AT(cache), PL_ISA_LU, MEM, 0 },
	{ "cv", AT(cache), PL_ISA_CV, MEM, 0 },
	{ "wb", AT(cache), PL_ISA_WB, MEM, 0 },
	{ "wt", AT(cache), PL_ISA_WT, MEM, 0 },
	{ "gpu", AT(scope), PL_ISA_GPU, MEM, 0 },
	{ "sys", AT(scope), PL_ISA_SYSTEM, MEM, 0 },
	{ "relaxed", AT(sem), PL_ISA_RELAXED, MEM, 0 },
	{ "acquire", AT(sem), PL_ISA_ACQUIRE, MEM, 0 },
	{ "release", AT(sem), PL_ISA_RELEASE, MEM, 0 },
	{ "acq_rel", AT(sem), PL_ISA_ACQ_REL, MEM, 0 },
	{ "volatile", AT(sem), PL_ISA_VOLATILE, MEM, 0 },
	{ "min", AT(atom), PL_ISA_ATOM_MIN, MEM, 0 },
	{ "max", AT(atom), PL_ISA_ATOM_MAX, MEM, 0 },
	{ "band", AT(atom), PL_ISA_ATOM_AND, MEM, 0 },
	{ "bor", AT(atom), PL_ISA_ATOM_OR, MEM, 0 },
	{ "bxor", AT(atom), PL_ISA_ATOM_XOR, MEM, 0 },
	{ "inc", AT(atom), PL_ISA_ATOM_INC, MEM, 0 },
	{ "dec", AT(atom), PL_ISA_ATOM_DEC, MEM, 0 },
	{ "exch", AT(atom), PL_ISA_ATOM_EXCH, MEM, 0 },
	{ "cas", AT(atom), PL_ISA_ATOM_CAS, MEM, 0 },
	{ "2d", AT(geometry), PL_ISA_GEOM_2D, TEX, 0 },
	{ "3d", AT(geometry), PL_ISA_GEOM_3D, TEX, 0 },
	{ "cube", AT(geometry), PL_ISA_GEOM_CUBE, TEX, 0 },
	{ "array", AT(array), 1, TEX, 0 },
	{ "level", AT(lod), PL_ISA_LOD_LEVEL, TEX, 0 },
	{ "grad", AT(lod), PL_ISA_LOD_GRAD, TEX, 0 },
	{ "int", AT(coord_int), 1, TEX, 0 },
	{ "edge", AT(clamp), PL_ISA_CLAMP_EDGE, TEX, 0 },
	{ "zero", AT(clamp), PL_ISA_CLAMP_ZERO, TEX, 0 },
	{ "offsets", AT(offsets), 1, TEX, 0 },
};
const unsigned pl_isa_word_count = sizeof(pl_isa_words) / sizeof(pl_isa_words[0]);

bool pl_isa_word_applies(const struct pl_isa_word *word, const struct pl_isa_op_info *info)
{
	if (word->formats)
		return word->formats >> info->format & 1;
	return info->format != PL_ISA_FMT_MEM && info->format != PL_ISA_FMT_TEX && info->mods & word->mods &&
	       !(word->mods == PL_ISA_M_CMP && info->format == PL_ISA_FMT_MMA);
}

enum pl_isa_tail pl_isa_tail_of(unsigned op)
{
	uint32_t mods = pl_isa_ops[op].mods;

	switch (op) {
	case PL_ISA_BRA:
	case PL_ISA_BRX:
	case PL_ISA_CALL:
		return PL_ISA_TAIL_TARGET;
	case PL_ISA_TEX:
	case PL_ISA_TLD4:
	case PL_ISA_CPASYNC:
		return PL_ISA_TAIL_NUMBER;
	default:
		return mods & (PL_ISA_M_EI | PL_ISA_M_SHFL)        ? PL_ISA_TAIL_NUMBER
		       : mods & PL_ISA_M_ER                        ? PL_ISA_TAIL_R
		       : mods & PL_ISA_M_EP                        ? PL_ISA_TAIL_P
		       : op == PL_ISA_MOV64 || op == PL_ISA_UMOV64 ? PL_ISA_TAIL_NUMBER
								   : PL_ISA_TAIL_NONE;
	}
}

/* CALL, CALLI, MOV64 and the predicates of BAR and MBAR are numbers in register fields. */
char pl_isa_operand_letter(const struct pl_isa_fields *f, const struct pl_isa_op_info *info, unsigned field)
{
	unsigned kind = field == 0 ? info->d : field == 1 ? info->a : field == 2 ? info->b : info->c;

	if (f->op == PL_ISA_CALL || f->op == PL_ISA_MOV64 || f->op == PL_ISA_UMOV64)
		return field ? 'N' : f->op == PL_ISA_CALL ? 0 : f->op == PL_ISA_MOV64 ? 'R' : 'U';
	if ((f->op == PL_ISA_CALLI && field != 1) || (f->op == PL_ISA_BRX && field == 0) ||
	    ((f->op == PL_ISA_BAR || f->op == PL_ISA_MBAR) && field == 0))
		return 'N';
	if (info->format == PL_ISA_FMT_TEX && field == 3)
		return f->handle_u ? 'U' : 'R';
	switch (kind) {
	case PL_ISA_K_N:
		return 0;
	case PL_ISA_K_P:
		return 'P';
	case PL_ISA_K_U:
		return 'U';
	case PL_ISA_K_BU:
		return 'V';
	case PL_ISA_K_BT:
	case PL_ISA_K_B1:
		return info->mods & PL_ISA_M_SHFL && f->bkind == PL_ISA_B_IMM ? 'S' : 'B';
	case PL_ISA_K_AD:
		return 'A';
	default:
		return 'R';
	}
}
