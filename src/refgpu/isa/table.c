/* The table of operations and types, made from ops.def. */
#include "refgpu/isa/isa.h"

#define KIND(kind) PL_ISA_K_##kind
/* Names of ops.def without their prefixes, for this file alone. */
enum {
	T_NONE = PL_ISA_T_NONE,
	T_U8 = PL_ISA_T_U8,
	T_S8 = PL_ISA_T_S8,
	T_U16 = PL_ISA_T_U16,
	T_S16 = PL_ISA_T_S16,
	T_U32 = PL_ISA_T_U32,
	T_S32 = PL_ISA_T_S32,
	T_U64 = PL_ISA_T_U64,
	T_F16 = PL_ISA_T_F16,
	T_F32 = PL_ISA_T_F32,
	T_F64 = PL_ISA_T_F64,
	T_B128 = PL_ISA_T_B128,
	T_I8 = PL_ISA_T_I8,
	T_I16 = PL_ISA_T_I16,
	T_I32 = PL_ISA_T_I32,
	T_I64 = PL_ISA_T_I64,
	T_INT = PL_ISA_T_INT,
	T_I16X2 = PL_ISA_T_I16X2,
	T_H2 = PL_ISA_T_H2,
	T_H = PL_ISA_T_H,
	T_FLT1 = PL_ISA_T_FLT1,
	T_FLT = PL_ISA_T_FLT,
	T_MOV = PL_ISA_T_MOV,
	T_CVT = PL_ISA_T_CVT,
	T_CVT2 = PL_ISA_T_CVT2,
	T_MEM = PL_ISA_T_MEM,
	T_ATOM = PL_ISA_T_ATOM,
	T_WM = PL_ISA_T_WM,
	M_RND = PL_ISA_M_RND,
	M_FTZ = PL_ISA_M_FTZ,
	M_SAT = PL_ISA_M_SAT,
	M_NA = PL_ISA_M_NA,
	M_NB = PL_ISA_M_NB,
	M_NC = PL_ISA_M_NC,
	M_ND = PL_ISA_M_ND,
	M_CMP = PL_ISA_M_CMP,
	M_BOOL = PL_ISA_M_BOOL,
	M_SUB = PL_ISA_M_SUB,
	M_T2 = PL_ISA_M_T2,
	M_EI = PL_ISA_M_EI,
	M_ER = PL_ISA_M_ER,
	M_EP = PL_ISA_M_EP,
	M_SHFL = PL_ISA_M_SHFL,
};

const struct pl_isa_op_info pl_isa_ops[PL_ISA_OP_COUNT] = {
#define OP(name_, format_, d_, a_, b_, c_, types_, mods_, text_)                                                       \
	[PL_ISA_##name_] = { #name_, PL_ISA_FMT_##format_, KIND(d_), KIND(a_), KIND(b_), KIND(c_), types_, mods_ },
#include "refgpu/isa/ops.def"
#undef OP
};

const struct pl_isa_type_info pl_isa_types[PL_ISA_TYPE_COUNT] = {
	[PL_ISA_U8] = { "u8", 1, 1 },         [PL_ISA_S8] = { "s8", 1, 1 },
	[PL_ISA_U16] = { "u16", 2, 1 },       [PL_ISA_S16] = { "s16", 2, 1 },
	[PL_ISA_U32] = { "u32", 4, 1 },       [PL_ISA_S32] = { "s32", 4, 1 },
	[PL_ISA_U64] = { "u64", 8, 2 },       [PL_ISA_S64] = { "s64", 8, 2 },
	[PL_ISA_B128] = { "b128", 16, 4 },    [PL_ISA_F16] = { "f16", 2, 1 },
	[PL_ISA_BF16] = { "bf16", 2, 1 },     [PL_ISA_F16X2] = { "f16x2", 4, 1 },
	[PL_ISA_BF16X2] = { "bf16x2", 4, 1 }, [PL_ISA_F32] = { "f32", 4, 1 },
	[PL_ISA_F64] = { "f64", 8, 2 },       [PL_ISA_F32X2] = { "f32x2", 8, 2 },
	[PL_ISA_TF32] = { "tf32", 4, 1 },     [PL_ISA_E4M3X2] = { "e4m3x2", 2, 1 },
	[PL_ISA_E5M2X2] = { "e5m2x2", 2, 1 }, [PL_ISA_U4] = { "u4", 4, 1 },
	[PL_ISA_S4] = { "s4", 4, 1 },         [PL_ISA_B1] = { "b1", 4, 1 },
	[PL_ISA_U16X2] = { "u16x2", 4, 1 },   [PL_ISA_S16X2] = { "s16x2", 4, 1 },
	[PL_ISA_E2M3X2] = { "e2m3x2", 2, 1 }, [PL_ISA_E3M2X2] = { "e3m2x2", 2, 1 },
	[PL_ISA_E2M1X2] = { "e2m1x2", 1, 1 }, [PL_ISA_UE8M0X2] = { "ue8m0x2", 2, 1 },
};

unsigned pl_isa_type_bytes(unsigned type)
{
	return type < PL_ISA_TYPE_COUNT ? pl_isa_types[type].bytes : 0;
}

unsigned pl_isa_type_slots(unsigned type)
{
	return type < PL_ISA_TYPE_COUNT ? pl_isa_types[type].slots : 0;
}
