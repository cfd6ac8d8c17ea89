/*
 * The instruction set of the reference GPU: encoding, fields and their values.  Operations: ops.def; prose:
 * docs/refgpu.md. An instruction has 16 bytes, little-endian:
 *
 *   bits 0..9 operation   10..16 guard predicate (127: always)   17 guard negated
 *        18..28 d   29..39 a   40..50 b   51..61 c   62..63 kind of b
 *        64..95 immediate      96..127 modifiers, laid out by the operation's format
 */
#ifndef PL_REFGPU_ISA_ISA_H
#define PL_REFGPU_ISA_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_ISA_LANES         32
#define PL_ISA_INSN_BYTES    16
#define PL_ISA_SLOTS_MAX     2048 /* R slots that one frame can name */
#define PL_ISA_PREDS_MAX     127  /* P registers of a frame; 127 is PT */
#define PL_ISA_UNIFORMS_MAX  1024
#define PL_ISA_PT            127
#define PL_ISA_NONE          2047 /* e and c where an operand is left out */
#define PL_ISA_BARRIERS_MAX  16
#define PL_ISA_CODE_INSN_MAX (1u << 22)
#define PL_ISA_SHARED_BASE   0xff0000000000ull /* generic addresses of the two windows */
#define PL_ISA_LOCAL_BASE    0xfe0000000000ull
#define PL_ISA_WINDOW_BYTES  0x010000000000ull

struct pl_isa_insn {
	uint64_t word[2];
};

enum pl_isa_op {
#define OP(name, ...) PL_ISA_##name,
#include "refgpu/isa/ops.def"
#undef OP
	PL_ISA_OP_COUNT
};

enum pl_isa_format { PL_ISA_FMT_ALU, PL_ISA_FMT_MEM, PL_ISA_FMT_TEX, PL_ISA_FMT_MMA, PL_ISA_FMT_CTL };

enum pl_isa_type {
	PL_ISA_U8,
	PL_ISA_S8,
	PL_ISA_U16,
	PL_ISA_S16,
	PL_ISA_U32,
	PL_ISA_S32,
	PL_ISA_U64,
	PL_ISA_S64,
	PL_ISA_B128,
	PL_ISA_F16,
	PL_ISA_BF16,
	PL_ISA_F16X2,
	PL_ISA_BF16X2,
	PL_ISA_F32,
	PL_ISA_F64,
	PL_ISA_F32X2,
	PL_ISA_TF32,
	PL_ISA_E4M3X2,
	PL_ISA_E5M2X2,
	PL_ISA_U4,
	PL_ISA_S4,
	PL_ISA_B1,
	PL_ISA_U16X2,
	PL_ISA_S16X2,
	PL_ISA_E2M3X2, /* each in a byte */
	PL_ISA_E3M2X2,
	PL_ISA_E2M1X2,
	PL_ISA_UE8M0X2,
	PL_ISA_TYPE_COUNT
};

/* Sets of types, as ops.def names them. */
#define PL_ISA_T(type) (1u << PL_ISA_##type)
enum {
	PL_ISA_T_NONE = 0,
	PL_ISA_T_U8 = PL_ISA_T(U8),
	PL_ISA_T_S8 = PL_ISA_T(S8),
	PL_ISA_T_U16 = PL_ISA_T(U16),
	PL_ISA_T_S16 = PL_ISA_T(S16),
	PL_ISA_T_U32 = PL_ISA_T(U32),
	PL_ISA_T_S32 = PL_ISA_T(S32),
	PL_ISA_T_U64 = PL_ISA_T(U64),
	PL_ISA_T_S64 = PL_ISA_T(S64),
	PL_ISA_T_B128 = PL_ISA_T(B128),
	PL_ISA_T_F16 = PL_ISA_T(F16),
	PL_ISA_T_F32 = PL_ISA_T(F32),
	PL_ISA_T_F64 = PL_ISA_T(F64),
	PL_ISA_T_I8 = PL_ISA_T(U8) | PL_ISA_T(S8),
	PL_ISA_T_I16 = PL_ISA_T(U16) | PL_ISA_T(S16),
	PL_ISA_T_I32 = PL_ISA_T(U32) | PL_ISA_T(S32),
	PL_ISA_T_I64 = PL_ISA_T(U64) | PL_ISA_T(S64),
	PL_ISA_T_INT = PL_ISA_T_I16 | PL_ISA_T_I32 | PL_ISA_T_I64,
	PL_ISA_T_I16X2 = PL_ISA_T(U16X2) | PL_ISA_T(S16X2),
	PL_ISA_T_H2 = PL_ISA_T(F16X2) | PL_ISA_T(BF16X2),
	PL_ISA_T_H = PL_ISA_T(F16) | PL_ISA_T(BF16) | PL_ISA_T_H2,
	PL_ISA_T_FLT1 = PL_ISA_T(F16) | PL_ISA_T(BF16) | PL_ISA_T(F32) | PL_ISA_T(F64),
	PL_ISA_T_FLT = PL_ISA_T_FLT1 | PL_ISA_T_H2 | PL_ISA_T(F32X2),
	PL_ISA_T_MOV = PL_ISA_T_I8 | PL_ISA_T_INT | PL_ISA_T_F32 | PL_ISA_T_F64 | PL_ISA_T_B128,
	PL_ISA_T_CVT = PL_ISA_T_I8 | PL_ISA_T_INT | PL_ISA_T_FLT1 | PL_ISA_T_H2 | PL_ISA_T(TF32),
	PL_ISA_T_SMALL = PL_ISA_T(E4M3X2) | PL_ISA_T(E5M2X2) | PL_ISA_T(E2M3X2) | PL_ISA_T(E3M2X2) | PL_ISA_T(E2M1X2) |
			 PL_ISA_T(UE8M0X2),
	PL_ISA_T_CVT2 = PL_ISA_T_H2 | PL_ISA_T_SMALL,
	PL_ISA_T_MEM = PL_ISA_T_I8 | PL_ISA_T_INT | PL_ISA_T_B128,
	PL_ISA_T_ATOM =
		PL_ISA_T_I16 | PL_ISA_T_I32 | PL_ISA_T_I64 | PL_ISA_T_B128 | PL_ISA_T_H | PL_ISA_T_F32 | PL_ISA_T_F64,
	PL_ISA_T_WM = PL_ISA_T_I8 | PL_ISA_T(U4) | PL_ISA_T(S4) | PL_ISA_T(B1) | PL_ISA_T(F16) | PL_ISA_T(BF16) |
		      PL_ISA_T(TF32) | PL_ISA_T_F32 | PL_ISA_T_F64 | PL_ISA_T_S32,
};

enum pl_isa_bkind { PL_ISA_B_REG, PL_ISA_B_IMM, PL_ISA_B_UNIFORM };
enum pl_isa_round { PL_ISA_RN, PL_ISA_RZ, PL_ISA_RM, PL_ISA_RP, PL_ISA_RNA };
enum pl_isa_bool { PL_ISA_PASS, PL_ISA_BAND, PL_ISA_BOR, PL_ISA_BXOR };
enum pl_isa_cmp { /* U: also true for NaN; unsigned compares follow from the type */
		  PL_ISA_EQ,
		  PL_ISA_NE,
		  PL_ISA_LT,
		  PL_ISA_LE,
		  PL_ISA_GT,
		  PL_ISA_GE,
		  PL_ISA_EQU,
		  PL_ISA_NEU,
		  PL_ISA_LTU,
		  PL_ISA_LEU,
		  PL_ISA_GTU,
		  PL_ISA_GEU,
		  PL_ISA_NUM,
		  PL_ISA_NAN,
		  PL_ISA_CMP_COUNT
};
enum pl_isa_space { PL_ISA_GENERIC, PL_ISA_GLOBAL, PL_ISA_SHARED, PL_ISA_LOCAL, PL_ISA_PARAM }; /* const: global */
enum pl_isa_form {                  /* addresses; imm is signed */
		   PL_ISA_ADDR_R64, /* [R64 a + imm] */
		   PL_ISA_ADDR_UR,  /* [U a + (R32 b << shift) + imm]; sx: b is signed */
		   PL_ISA_ADDR_U,   /* [U a + imm] */
		   PL_ISA_ADDR_R32, /* [R32 a + imm]: shared, local, param */
		   PL_ISA_ADDR_ABS, /* [imm]: shared, local, param */
		   PL_ISA_ADDR_FORM_COUNT
};
enum pl_isa_cache { PL_ISA_CA, PL_ISA_CG, PL_ISA_CS, PL_ISA_LU, PL_ISA_CV, PL_ISA_WB, PL_ISA_WT };
enum pl_isa_scope { PL_ISA_CTA, PL_ISA_GPU, PL_ISA_SYSTEM };
enum pl_isa_sem { PL_ISA_WEAK, PL_ISA_RELAXED, PL_ISA_ACQUIRE, PL_ISA_RELEASE, PL_ISA_ACQ_REL, PL_ISA_VOLATILE };
enum pl_isa_atom {
	PL_ISA_ATOM_ADD,
	PL_ISA_ATOM_MIN,
	PL_ISA_ATOM_MAX,
	PL_ISA_ATOM_AND,
	PL_ISA_ATOM_OR,
	PL_ISA_ATOM_XOR,
	PL_ISA_ATOM_INC,
	PL_ISA_ATOM_DEC,
	PL_ISA_ATOM_EXCH,
	PL_ISA_ATOM_CAS,
	PL_ISA_ATOM_COUNT
};

/* One instruction, unpacked; what the format does not have is 0.  imm, sub and the rest: ops.def. */
struct pl_isa_fields {
	uint16_t op, d, a, b, c;
	uint8_t guard;
	bool guard_not;
	uint8_t bkind;
	uint32_t imm;
	uint8_t type, sub;
	/* ALU, MMA, CTL */
	uint8_t type2, round, cmp, boolop;
	bool ftz, sat, na, nb, nc, nd, aa;
	/* MEM */
	uint8_t space, vec /* log2: 1, 2, 4, 8 */, form, shift, cache, scope, sem, atom;
	bool sx;
	/* TEX: see texture.h; vec too */
	uint8_t geometry, lod, clamp;
	bool array, coord_int, handle_u, offsets;
};

/* What ops.def says about one operation; kinds are PL_ISA_K_*. */
enum pl_isa_kind {
	PL_ISA_K_N,
	PL_ISA_K_RT,
	PL_ISA_K_RS,
	PL_ISA_K_RW,
	PL_ISA_K_R1,
	PL_ISA_K_R2,
	PL_ISA_K_R4,
	PL_ISA_K_RV,
	PL_ISA_K_RX,
	PL_ISA_K_BT,
	PL_ISA_K_B1,
	PL_ISA_K_P,
	PL_ISA_K_U,
	PL_ISA_K_BU,
	PL_ISA_K_AD
};
enum pl_isa_mods {
	PL_ISA_M_RND = 1 << 0,
	PL_ISA_M_FTZ = 1 << 1,
	PL_ISA_M_SAT = 1 << 2,
	PL_ISA_M_NA = 1 << 3,
	PL_ISA_M_NB = 1 << 4,
	PL_ISA_M_NC = 1 << 5,
	PL_ISA_M_ND = 1 << 6,
	PL_ISA_M_AA = 1 << 7,
	PL_ISA_M_CMP = 1 << 8,
	PL_ISA_M_BOOL = 1 << 9,
	PL_ISA_M_SUB = 1 << 10,
	PL_ISA_M_T2 = 1 << 11,
	PL_ISA_M_EI = 1 << 12,   /* the immediate is the operation's own */
	PL_ISA_M_ER = 1 << 13,   /* e is an R slot */
	PL_ISA_M_EP = 1 << 14,   /* e is a predicate */
	PL_ISA_M_SHFL = 1 << 15, /* immediate of SHFL */
};
struct pl_isa_op_info {
	const char *name; /* upper case; text is in lower case */
	uint8_t format, d, a, b, c;
	uint32_t types;
	uint32_t mods;
};
extern const struct pl_isa_op_info pl_isa_ops[PL_ISA_OP_COUNT];

struct pl_isa_type_info {
	const char *name;
	uint8_t bytes, slots;
};
extern const struct pl_isa_type_info pl_isa_types[PL_ISA_TYPE_COUNT];

unsigned pl_isa_type_bytes(unsigned type); /* in memory; 0 = no such type */
unsigned pl_isa_type_slots(unsigned type); /* in registers */
struct pl_isa_insn pl_isa_pack(const struct pl_isa_fields *fields);
/* Unpacks anything; an operation that does not exist gives op = PL_ISA_OP_COUNT. */
void pl_isa_unpack(const struct pl_isa_insn *insn, struct pl_isa_fields *fields_out);
/* One register frame, as ENTRY declares it. */
static inline uint32_t pl_isa_entry_imm(unsigned slots, unsigned preds, unsigned uniforms)
{
	return slots | preds << 12 | uniforms << 20;
}

#endif
