/* The validator; see validate.h.  One pass over the image: each instruction against its operation and its function's
 * frame. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "refgpu/isa/texture.h"
#include "refgpu/isa/validate.h"
#include "refgpu/isa/values.h"

struct frame {               /* of the function at hand, as ENTRY declares it */
	uint32_t begin, end; /* instructions */
	uint32_t slots, preds, uniforms;
};

struct state {
	const struct pl_isa_insn *code;
	uint32_t count, at;
	struct frame frame;
	struct pl_isa_fields f;
	const struct pl_isa_op_info *info;
	struct pl_isa_refusal *refusal;
};

static int __attribute__((format(printf, 2, 3))) refuse(struct state *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->refusal->text, sizeof(s->refusal->text), format, args);
	va_end(args);
	s->refusal->insn = s->at;
	return PL_ISA_E_REFUSED;
}

static const uint8_t mma_shape[PL_ISA_MMA_COUNT][2] = { { 8, 8 },  { 16, 8 }, { 16, 8 }, { 16, 8 },
							{ 16, 8 }, { 16, 8 }, { 16, 8 }, { 16, 8 },
							{ 8, 8 },  { 8, 8 },  { 8, 8 } };
static const uint16_t mma_k[PL_ISA_MMA_COUNT] = { 4, 4, 8, 16, 32, 64, 128, 256, 16, 32, 128 };

static unsigned element_bits(unsigned type)
{
	switch (type) {
	case PL_ISA_U4:
	case PL_ISA_S4:
		return 4;
	case PL_ISA_B1:
		return 1;
	case PL_ISA_E4M3X2: /* in pairs elsewhere */
	case PL_ISA_E5M2X2:
		return 8;
	default:
		return pl_isa_type_bytes(type) * 8;
	}
}

static unsigned slots_for(unsigned elements, unsigned bits)
{
	return (elements * bits / PL_ISA_LANES + 31) / 32;
}

static unsigned mma_slots(const struct pl_isa_fields *f, unsigned field)
{
	unsigned m, n, k, c_bits = element_bits(f->type);

	if (f->sub >= PL_ISA_MMA_COUNT)
		return 0;
	if (f->sub == PL_ISA_MMA_M8N8K4 && f->type2 == PL_ISA_F16) /* four matrices side by side */
		return field == 1 || field == 2 ? 2
		       : (field == 3 ? (f->imm & PL_ISA_MMA_C_F16 ||
					(f->type == PL_ISA_F16 && !(f->imm & PL_ISA_MMA_C_F32)))
				     : f->type == PL_ISA_F16)
			       ? 4
			       : 8;
	m = mma_shape[f->sub][0], n = mma_shape[f->sub][1], k = mma_k[f->sub];
	if (field == 3 && f->imm & PL_ISA_MMA_C_F16)
		c_bits = 16;
	if (field == 3 && f->imm & PL_ISA_MMA_C_F32)
		c_bits = 32;
	return field == 1   ? slots_for(m * k, element_bits(f->type2))
	       : field == 2 ? slots_for(n * k, element_bits(f->cmp))
			    : slots_for(m * n, c_bits);
}

/* wmma fragments: PTX gives a and b of 16 bits twice the room that they need */
static unsigned wmma_slots(unsigned shape, unsigned which, unsigned type)
{
	static const uint8_t size[PL_ISA_WMMA_COUNT][3] = { { 16, 16, 16 }, { 32, 8, 16 }, { 8, 32, 16 }, { 16, 16, 8 },
							    { 8, 8, 4 },    { 8, 8, 32 },  { 8, 8, 128 } };
	const uint8_t *mnk;
	unsigned elements;

	if (shape >= PL_ISA_WMMA_COUNT)
		return 0;
	mnk = size[shape];
	elements = which == PL_ISA_WM_A ? mnk[0] * mnk[2] : which == PL_ISA_WM_B ? mnk[1] * mnk[2] : mnk[0] * mnk[1];
	if (which != PL_ISA_WM_C && type == PL_ISA_F16)
		return 8;
	return slots_for(elements, element_bits(type));
}

static unsigned texture_coords(const struct pl_isa_fields *f)
{
	unsigned dims = f->geometry == PL_ISA_GEOM_1D ? 1 : f->geometry == PL_ISA_GEOM_2D ? 2 : 3;

	return dims;
}

static unsigned tex_slots(const struct pl_isa_fields *f, unsigned field)
{
	unsigned vec = 1u << f->vec;

	switch (f->op) {
	case PL_ISA_TEX:
	case PL_ISA_TLD4:
		if (field == 2)
			return f->lod == PL_ISA_LOD_GRAD ? 2 * texture_coords(f) : f->lod == PL_ISA_LOD_LEVEL;
		return field == 0 ? 4 : texture_coords(f) + f->array;
	default:
		return field == 0 ? pl_isa_type_slots(f->type) * vec : texture_coords(f) + f->array;
	}
}

unsigned pl_isa_rx_slots(const struct pl_isa_fields *f, unsigned field)
{
	switch (f->op) {
	case PL_ISA_MMA:
		return mma_slots(f, field);
	case PL_ISA_WMLD:
	case PL_ISA_WMST:
		return wmma_slots(f->sub, f->imm & 3, f->type);
	case PL_ISA_WMMA:
		if (field == 1 || field == 2)
			return wmma_slots(f->sub, field == 1 ? PL_ISA_WM_A : PL_ISA_WM_B,
					  field == 1 ? f->type2 : f->cmp);
		return wmma_slots(f->sub, PL_ISA_WM_C,
				  field == 3 && f->imm & PL_ISA_MMA_C_F16   ? PL_ISA_F16
				  : field == 3 && f->imm & PL_ISA_MMA_C_F32 ? PL_ISA_F32
									    : f->type);
	case PL_ISA_LDMATRIX:
	case PL_ISA_STMATRIX:
		return 1u << (f->sub & 3);
	case PL_ISA_TEX:
	case PL_ISA_TLD4:
	case PL_ISA_SULD:
	case PL_ISA_SUST:
	case PL_ISA_SURED:
		return tex_slots(f, field);
	default:
		return 0;
	}
}

static int check_slots(struct state *s, const char *what, unsigned first, unsigned count)
{
	if (first + count > s->frame.slots)
		return refuse(s, "%s: R%u..R%u lies outside of the frame of %u", what, first, first + count - 1,
			      s->frame.slots);
	return 0;
}

static int check_pred(struct state *s, const char *what, unsigned p)
{
	if (p != PL_ISA_PT && p >= s->frame.preds)
		return refuse(s, "%s: P%u lies outside of the frame of %u", what, p, s->frame.preds);
	return 0;
}

static int check_uniform(struct state *s, const char *what, unsigned u)
{
	if (u >= s->frame.uniforms)
		return refuse(s, "%s: U%u lies outside of the frame of %u", what, u, s->frame.uniforms);
	return 0;
}

/* Slots of a plain register kind; 0: not one. */
static unsigned kind_slots(const struct pl_isa_fields *f, unsigned kind)
{
	switch (kind) {
	case PL_ISA_K_RT:
	case PL_ISA_K_BT:
		return pl_isa_type_slots(f->type);
	case PL_ISA_K_RS:
		return pl_isa_type_slots(f->type2);
	case PL_ISA_K_RW:
		return pl_isa_type_bytes(f->type) == 2 ? 1 : 2;
	case PL_ISA_K_R1:
	case PL_ISA_K_B1:
		return 1;
	case PL_ISA_K_R2:
		return 2;
	case PL_ISA_K_R4:
		return 4;
	case PL_ISA_K_RV:
		return pl_isa_type_slots(f->type) << f->vec;
	default:
		return 0;
	}
}

/* Fields whose register may be left out. */
static bool may_be_none(const struct pl_isa_fields *f, unsigned field, unsigned value)
{
	if (f->op == PL_ISA_CPASYNC)
		return field == 3 && value == PL_ISA_NONE;
	if (f->op == PL_ISA_SHFL)
		return field == 3 && !(f->sub & 4);
	if (f->op == PL_ISA_CVTPACK)
		return field == 3 && pl_isa_type_bytes(f->type) == 2;
	if (f->op == PL_ISA_VSIMD)
		return field == 3 && !(f->sub & 16);
	if (f->op == PL_ISA_ATOM || f->op == PL_ISA_RED)
		return field == 3 && f->atom != PL_ISA_ATOM_CAS;
	if (f->op == PL_ISA_BAR)
		return (field == 1 && !(f->sub & 8)) || (field == 2 && !(f->sub & 16));
	if (f->op == PL_ISA_TEX || f->op == PL_ISA_TLD4 || f->op == PL_ISA_TXQ || f->op == PL_ISA_SULD ||
	    f->op == PL_ISA_SUST || f->op == PL_ISA_SURED)
		return field == 3 && f->handle_u;
	if (f->op == PL_ISA_MBAR) {
		bool counted = f->sub != PL_ISA_MBAR_INVAL && f->sub != PL_ISA_MBAR_TEST && f->sub != PL_ISA_MBAR_TRY &&
			       f->sub != PL_ISA_MBAR_PENDING;
		return (field == 2 && !counted) || (field == 1 && f->sub == PL_ISA_MBAR_PENDING);
	}
	return false;
}

static int check_address(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	int r = 0;

	switch (f->form) {
	case PL_ISA_ADDR_R64:
		return f->space >= PL_ISA_SHARED ? refuse(s, "this space has 32-bit addresses")
						 : check_slots(s, "address", f->a, 2);
	case PL_ISA_ADDR_UR:
		r = check_slots(s, "offset", f->b, 1);
		return r ? r : check_uniform(s, "address", f->a);
	case PL_ISA_ADDR_U:
		return check_uniform(s, "address", f->a);
	case PL_ISA_ADDR_R32:
		return f->space < PL_ISA_SHARED ? refuse(s, "this space has 64-bit addresses")
						: check_slots(s, "address", f->a, 1);
	case PL_ISA_ADDR_ABS:
		return f->space < PL_ISA_SHARED ? refuse(s, "this space has no absolute form") : 0;
	default:
		return refuse(s, "address form %u does not exist", f->form);
	}
}

static int check_operand(struct state *s, const char *what, unsigned field, unsigned kind, unsigned value)
{
	const struct pl_isa_fields *f = &s->f;

	switch (kind) {
	case PL_ISA_K_N:
		return 0;
	case PL_ISA_K_P:
		return check_pred(s, what, value);
	case PL_ISA_K_U:
		return check_uniform(s, what, value);
	case PL_ISA_K_BU:
		return f->bkind == PL_ISA_B_IMM ? 0 : check_uniform(s, what, value);
	case PL_ISA_K_AD:
		return check_address(s);
	case PL_ISA_K_RX:
		if (pl_isa_rx_slots(f, field))
			return check_slots(s, what, value, pl_isa_rx_slots(f, field));
		return 0;
	case PL_ISA_K_BT:
	case PL_ISA_K_B1:
		if (f->bkind == PL_ISA_B_IMM)
			return s->info->mods & PL_ISA_M_EP ? refuse(s, "b: e takes the immediate's place") : 0;
		if (f->bkind == PL_ISA_B_UNIFORM)
			return check_uniform(s, what, value);
		break;
	default:
		break;
	}
	if (may_be_none(f, field, value))
		return 0;
	return check_slots(s, what, value, kind_slots(f, kind));
}

static int check_operands(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	const struct pl_isa_op_info *info = s->info;
	int r = check_operand(s, "d", 0, info->d, f->d);

	r = r ? r : check_operand(s, "a", 1, info->a, f->a);
	r = r ? r : check_operand(s, "b", 2, info->b, f->b);
	r = r ? r : check_operand(s, "c", 3, info->c, f->c);
	if (r == 0 && info->mods & PL_ISA_M_ER &&
	    !((f->op == PL_ISA_CPBULK || f->op == PL_ISA_CPRED) && (f->imm & 2047) == PL_ISA_NONE))
		r = check_slots(s, "e", f->imm & 2047, 1);
	if (r == 0 && info->mods & PL_ISA_M_EP)
		r = (f->imm & 2047) == PL_ISA_PT && f->op == PL_ISA_MADX ? refuse(s, "e: the carry needs a predicate")
									 : check_pred(s, "e", f->imm & 2047);
	if (r == 0 && info->mods & PL_ISA_M_SHFL)
		r = check_pred(s, "d", f->imm >> 24 & 127);
	return r;
}

/* Two 64-bit operands that share one slot only cannot be told apart while lanes are written. */
static int check_overlap(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	const struct pl_isa_op_info *info = s->info;
	unsigned kinds[3] = { info->a, info->b, info->c }, values[3] = { f->a, f->b, f->c };

	if (s->info->format != PL_ISA_FMT_ALU || kind_slots(f, info->d) != 2)
		return 0;
	for (unsigned k = 0; k < 3; k++)
		if (kind_slots(f, kinds[k]) == 2 && (values[k] + 1 == f->d || f->d + 1u == values[k]) &&
		    !(k == 1 && kinds[k] == PL_ISA_K_BT && f->bkind != PL_ISA_B_REG))
			return refuse(s, "R%u and R%u overlap by one slot", f->d, values[k]);
	return 0;
}

/* Largest SUB of operations that do not have 31. */
static const uint8_t sub_max[PL_ISA_OP_COUNT] = {
	[PL_ISA_CVT] = 7,      [PL_ISA_CVT2] = 3,
	[PL_ISA_PRMT] = 6,     [PL_ISA_HALF] = 1,
	[PL_ISA_MUL24] = 1,    [PL_ISA_MAD24] = 1,
	[PL_ISA_ADDX] = 3,     [PL_ISA_SUBX] = 3,
	[PL_ISA_MADX] = 7,     [PL_ISA_DIV] = 2,
	[PL_ISA_MIN] = 7,      [PL_ISA_MAX] = 7,
	[PL_ISA_FMA] = 7,      [PL_ISA_RCP] = 1,
	[PL_ISA_SQRT] = 1,     [PL_ISA_RSQRT] = 1,
	[PL_ISA_TESTP] = 5,    [PL_ISA_SHF] = 3,
	[PL_ISA_BFIND] = 1,    [PL_ISA_BMSK] = 1,
	[PL_ISA_SZEXT] = 1,    [PL_ISA_DP4A] = 3,
	[PL_ISA_DP2A] = 7,     [PL_ISA_SHFL] = 7,
	[PL_ISA_VOTE] = 2,     [PL_ISA_MATCH] = 1,
	[PL_ISA_FENCE] = 7,    [PL_ISA_LDMATRIX] = 7,
	[PL_ISA_STMATRIX] = 7, [PL_ISA_ISSPACE] = PL_ISA_PARAM,
	[PL_ISA_CPBULK] = 1,   [PL_ISA_CPRED] = PL_ISA_ATOM_DEC,
};

static int check_sub(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	uint32_t parts = PL_ISA_T_I8 | PL_ISA_T_I16;

	if (sub_max[f->op] && f->sub > sub_max[f->op])
		return refuse(s, "SUB %u does not exist", f->sub);
	if (f->op == PL_ISA_VSIMD && ((f->sub & 15) > 6 || !(parts >> f->type2 & 1) || f->cmp > PL_ISA_GE))
		return refuse(s, "no such operation on parts of a word");
	if (f->op == PL_ISA_SLCT && f->type2 != PL_ISA_S32 && f->type2 != PL_ISA_F32)
		return refuse(s, "the chooser is s32 or f32");
	return 0;
}

static int check_types(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	uint32_t mods = s->info->mods;

	if (s->info->types && (f->type >= PL_ISA_TYPE_COUNT || !(s->info->types >> f->type & 1)))
		return refuse(s, "type %u does not go with this operation", f->type);
	if (f->bkind > PL_ISA_B_UNIFORM)
		return refuse(s, "kind of b does not exist");
	if (mods & PL_ISA_M_T2 && f->type2 >= PL_ISA_TYPE_COUNT)
		return refuse(s, "second type %u does not exist", f->type2);
	if (mods & PL_ISA_M_RND && f->round > PL_ISA_RNA)
		return refuse(s, "rounding %u does not exist", f->round);
	if (mods & PL_ISA_M_RND && f->round == PL_ISA_RNA && f->op != PL_ISA_CVT && f->op != PL_ISA_CVT2)
		return refuse(s, "rounding to nearest away is for conversions");
	if (mods & PL_ISA_M_CMP && f->op != PL_ISA_MMA && f->op != PL_ISA_WMMA && f->cmp >= PL_ISA_CMP_COUNT)
		return refuse(s, "comparison %u does not exist", f->cmp);
	if (s->info->format == PL_ISA_FMT_MEM && (f->space > PL_ISA_PARAM || f->sem > PL_ISA_VOLATILE))
		return refuse(s, "space or order does not exist");
	return 0;
}

static int check_conversion(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	uint32_t one = PL_ISA_T_I8 | PL_ISA_T_INT | PL_ISA_T_FLT1 | PL_ISA_T(TF32);
	uint32_t pairs = PL_ISA_T_H2 | PL_ISA_T_SMALL;
	bool pair = pairs >> f->type & 1;

	if (f->op == PL_ISA_CVT && !((pair ? pairs : one) >> f->type2 & 1))
		return refuse(s, "no conversion between these types");
	return 0;
}

static int check_target(struct state *s, uint32_t target)
{
	if (target < s->frame.begin || target >= s->frame.end)
		return refuse(s, "target %u lies outside of the function (%u..%u)", target, s->frame.begin,
			      s->frame.end - 1);
	return 0;
}

static int check_call(struct state *s, unsigned r, unsigned p, unsigned u)
{
	struct pl_isa_fields callee;

	if (r > s->frame.slots || p > s->frame.preds || u > s->frame.uniforms)
		return refuse(s, "the callee's frame would begin outside of this one");
	if (s->f.op == PL_ISA_CALLI)
		return 0;
	if (s->f.imm >= s->count)
		return refuse(s, "target %u lies outside of the image", s->f.imm);
	pl_isa_unpack(&s->code[s->f.imm], &callee);
	if (callee.op != PL_ISA_ENTRY)
		return refuse(s, "target %u is no ENTRY", s->f.imm);
	return 0;
}

static int check_table(struct state *s)
{
	for (uint32_t i = 0; i < s->f.d; i++) {
		struct pl_isa_fields row;
		int r = check_target(s, s->f.imm + i);

		if (r)
			return r;
		pl_isa_unpack(&s->code[s->f.imm + i], &row);
		if (row.op != PL_ISA_BRA || row.guard != PL_ISA_PT || row.guard_not)
			return refuse(s, "row %u of the table is no BRA", i);
	}
	return s->f.d ? 0 : refuse(s, "the table has no rows");
}

static int check_barrier(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	unsigned kind = f->sub & 7;

	if (kind > PL_ISA_BAR_RED_OR)
		return refuse(s, "barrier operation %u does not exist", kind);
	if (!(f->sub & 16) && ((f->imm & ~PL_ISA_BAR_APART) >> 4) % PL_ISA_LANES)
		return refuse(s, "a barrier counts whole warps");
	if (kind == PL_ISA_BAR_RED_POPC)
		return check_slots(s, "d", f->d, 1);
	return kind >= PL_ISA_BAR_RED_AND ? check_pred(s, "d", f->d) : 0;
}

static int check_mbarrier(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	int r;

	if (f->sub >= PL_ISA_MBAR_COUNT)
		return refuse(s, "mbarrier operation %u does not exist", f->sub);
	switch (f->sub) {
	case PL_ISA_MBAR_TEST:
	case PL_ISA_MBAR_TRY:
		r = check_slots(s, "c", f->c, 2);
		return r ? r : check_pred(s, "d", f->d);
	case PL_ISA_MBAR_TEST_PARITY:
	case PL_ISA_MBAR_TRY_PARITY:
		return check_pred(s, "d", f->d);
	case PL_ISA_MBAR_PENDING:
		r = check_slots(s, "c", f->c, 2);
		return r ? r : check_slots(s, "d", f->d, 1);
	case PL_ISA_MBAR_ARRIVE:
	case PL_ISA_MBAR_ARRIVE_DROP:
	case PL_ISA_MBAR_ARRIVE_TX:
		return f->d == PL_ISA_NONE ? 0 : check_slots(s, "d", f->d, 2);
	default:
		return 0;
	}
}

static int check_matrix(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;

	uint32_t factors = PL_ISA_T_I8 | PL_ISA_T(U4) | PL_ISA_T(S4) | PL_ISA_T(B1) | PL_ISA_T(F16) | PL_ISA_T(BF16) |
			   PL_ISA_T(TF32) | PL_ISA_T(F64);

	if (f->op == PL_ISA_MMA)
		factors |= PL_ISA_T(E4M3X2) | PL_ISA_T(E5M2X2);
	if (f->op == PL_ISA_LDMATRIX || f->op == PL_ISA_STMATRIX)
		return (f->sub & 3) == 3 ? refuse(s, "one, two or four matrices") : 0;
	if (f->op == PL_ISA_MMA && (f->sub >= PL_ISA_MMA_COUNT || f->cmp >= PL_ISA_TYPE_COUNT))
		return refuse(s, "shape or type of b does not exist");
	if ((f->op == PL_ISA_MMA || f->op == PL_ISA_WMMA) && (!(factors >> f->type2 & 1) || !(factors >> f->cmp & 1)))
		return refuse(s, "no matrices of these types");
	if (f->op == PL_ISA_WMMA && (f->sub >= PL_ISA_WMMA_COUNT || f->cmp >= PL_ISA_TYPE_COUNT))
		return refuse(s, "shape or type of b does not exist");
	if ((f->op == PL_ISA_MMA || f->op == PL_ISA_WMMA) && f->round != PL_ISA_RN && f->type != PL_ISA_F64)
		return refuse(s, "only matrices of f64 have a rounding");
	if ((f->op == PL_ISA_WMLD || f->op == PL_ISA_WMST) && (f->sub >= PL_ISA_WMMA_COUNT || (f->imm & 3) == 3))
		return refuse(s, "shape or matrix does not exist");
	return 0;
}

static int check_texture(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;

	if (f->geometry > PL_ISA_GEOM_CUBE || f->lod > PL_ISA_LOD_GRAD || f->clamp > PL_ISA_CLAMP_ZERO)
		return refuse(s, "geometry, level or clamp mode does not exist");
	if (f->op == PL_ISA_TXQ && f->sub >= PL_ISA_TXQ_COUNT)
		return refuse(s, "query %u does not exist", f->sub);
	if (f->op == PL_ISA_SURED && f->sub > PL_ISA_ATOM_XOR)
		return refuse(s, "atomic operation %u does not exist", f->sub);
	return f->handle_u ? check_uniform(s, "c", f->c) : 0;
}

static int check_system(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;
	int r = check_slots(s, "a", f->a, 2);

	switch (f->imm & 255) {
	case PL_ISA_SYS_VPRINTF:
		r = r ? r : check_slots(s, "b", f->b, 2);
		return r ? r : check_slots(s, "d", f->d, 1);
	case PL_ISA_SYS_MALLOC:
		return r ? r : check_slots(s, "d", f->d, 2);
	case PL_ISA_SYS_FREE:
		return r;
	case PL_ISA_SYS_ASSERTFAIL:
		r = r ? r : check_slots(s, "b", f->b, 2);
		r = r ? r : check_slots(s, "c", f->c, 2);
		return r ? r : check_slots(s, "line", f->imm >> 8 & 2047, 1);
	default:
		return refuse(s, "system call %u does not exist", f->imm & 255);
	}
}

static int check_own(struct state *s)
{
	const struct pl_isa_fields *f = &s->f;

	switch (f->op) {
	case PL_ISA_BRA:
		return check_target(s, f->imm);
	case PL_ISA_BRX:
		return check_table(s);
	case PL_ISA_CALL:
		return check_call(s, f->a, f->b, f->c);
	case PL_ISA_CALLI:
		return check_call(s, f->d, f->b, f->c);
	case PL_ISA_ENTRY:
		return f->guard == PL_ISA_PT && !f->guard_not ? 0 : refuse(s, "ENTRY has no guard");
	case PL_ISA_CVT:
		return check_conversion(s);
	case PL_ISA_BAR:
		return check_barrier(s);
	case PL_ISA_MBAR:
		return check_mbarrier(s);
	case PL_ISA_S2R:
	case PL_ISA_S2U:
		return f->imm < PL_ISA_SR_COUNT ? 0 : refuse(s, "special register %u does not exist", f->imm);
	case PL_ISA_ULD:
		return f->form == PL_ISA_ADDR_U || f->form == PL_ISA_ADDR_ABS
			       ? 0
			       : refuse(s, "a uniform load has a uniform address");
	case PL_ISA_ATOM:
	case PL_ISA_RED:
		if (f->form == PL_ISA_ADDR_UR || f->atom >= PL_ISA_ATOM_COUNT || f->space >= PL_ISA_LOCAL)
			return refuse(s, "no such atomic operation");
		return 0;
	case PL_ISA_LD:
	case PL_ISA_ST:
		return pl_isa_type_bytes(f->type) << f->vec > 64 ? refuse(s, "more than 64 bytes at once") : 0;
	case PL_ISA_CPRED:
		return f->type == PL_ISA_B128 ? refuse(s, "elements have up to 64 bits") : 0;
	case PL_ISA_SYS:
		return check_system(s);
	case PL_ISA_SEL:
		return f->type == PL_ISA_B128 && f->bkind ? refuse(s, "128 bits come from registers") : 0;
	default:
		if (s->info->format == PL_ISA_FMT_TEX)
			return check_texture(s);
		return s->info->format == PL_ISA_FMT_MMA ? check_matrix(s) : 0;
	}
}

static uint32_t function_end(const struct state *s, uint32_t begin)
{
	uint32_t end = begin + 1;

	while (end < s->count && (s->code[end].word[0] & 0x3ff) != PL_ISA_ENTRY)
		end++;
	return end;
}

int pl_isa_validate(const struct pl_isa_insn *code, uint32_t count, struct pl_isa_refusal *refusal_out)
{
	struct state s = { .code = code, .count = count, .refusal = refusal_out };

	if (!count || count > PL_ISA_CODE_INSN_MAX)
		return refuse(&s, "%u instructions: 1 to %u are possible", count, PL_ISA_CODE_INSN_MAX);
	for (s.at = 0; s.at < count; s.at++) {
		int r = 0;

		pl_isa_unpack(&code[s.at], &s.f);
		if (s.f.op == PL_ISA_OP_COUNT)
			return refuse(&s, "operation %u does not exist", (unsigned)(code[s.at].word[0] & 0x3ff));
		s.info = &pl_isa_ops[s.f.op];
		if (s.f.op == PL_ISA_ENTRY)
			s.frame = (struct frame){ s.at, function_end(&s, s.at), s.f.imm & 0xfff, s.f.imm >> 12 & 0xff,
						  s.f.imm >> 20 };
		else if (s.at == 0)
			return refuse(&s, "an image begins with ENTRY");
		if (s.frame.slots > PL_ISA_SLOTS_MAX || s.frame.preds > PL_ISA_PREDS_MAX ||
		    s.frame.uniforms > PL_ISA_UNIFORMS_MAX)
			return refuse(&s, "a frame of that size does not exist");
		r = check_pred(&s, "guard", s.f.guard);
		r = r ? r : check_types(&s);
		r = r ? r : check_sub(&s);
		r = r ? r : check_operands(&s);
		r = r ? r : check_overlap(&s);
		r = r ? r : check_own(&s);
		if (r)
			return r;
	}
	return PL_ISA_VALID;
}
