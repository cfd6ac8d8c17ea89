/* Conversions: the common pairs in vector code, all others lane by lane (convert.c). */
#include "refgpu/compute/vec.h"
#include "refgpu/compute/convert.h"
#include "refgpu/compute/half.h"

/* integer to integer: a slot is read modulo the source's width and written extended as the destination's type wants it
 */
#define INT_PAIR(H, dname, TD, CD, sname, TA, CS) H(int_##dname##_##sname, TD, TA, (CD)(CS)x)
#define FROM_ALL(HN, HD, dname, TD, CD)                                                                                \
	INT_PAIR(HN, dname, TD, CD, u8, uint32_t, uint8_t)                                                             \
	INT_PAIR(HN, dname, TD, CD, s8, uint32_t, int8_t)                                                              \
	INT_PAIR(HN, dname, TD, CD, u16, uint32_t, uint16_t)                                                           \
	INT_PAIR(HN, dname, TD, CD, s16, uint32_t, int16_t)                                                            \
	INT_PAIR(HN, dname, TD, CD, u32, uint32_t, uint32_t)                                                           \
	INT_PAIR(HN, dname, TD, CD, s32, int32_t, int32_t)                                                             \
	INT_PAIR(HD, dname, TD, CD, u64, uint64_t, uint64_t)
FROM_ALL(H1, HW1, u8, uint32_t, uint8_t)
FROM_ALL(H1, HW1, s8, int32_t, int8_t)
FROM_ALL(H1, HW1, u16, uint32_t, uint16_t)
FROM_ALL(H1, HW1, s16, int32_t, int16_t)
FROM_ALL(H1, HW1, u32, uint32_t, uint32_t)
FROM_ALL(HW1, H1, u64, uint64_t, uint64_t)
#define ROW(d)                                                                                                         \
	{                                                                                                              \
		int_##d##_u8, int_##d##_s8, int_##d##_u16, int_##d##_s16, int_##d##_u32, int_##d##_s32, int_##d##_u64, \
			int_##d##_u64                                                                                  \
	}
static const pl_sm_fn *const int_int[8][8] = { ROW(u8),  ROW(s8),  ROW(u16), ROW(s16),
					       ROW(u32), ROW(u32), ROW(u64), ROW(u64) };

#define CANON(e)                                                                                                       \
	({                                                                                                             \
		float r_ = (e);                                                                                        \
		r_ == r_ ? r_ : bits_f32(0x7fffffff);                                                                  \
	})
H1(f32_s32, float, int32_t, (float)x)
H1(f32_u32, float, uint32_t, (float)x)
HW1(f64_s32, double, int32_t, (double)x)
HW1(f64_u32, double, uint32_t, (double)x)
HW1(f32_s64, float, int64_t, (float)x)
HW1(f32_u64, float, uint64_t, (float)x)
H1(f64_s64, double, int64_t, (double)x)
H1(f64_u64, double, uint64_t, (double)x)
HW1(f64_f32, double, float, x == x ? (double)x : bits_f64(0x7ff8000000000000ull))
HW1(f32_f64, float, double, CANON((float)x))
H1(f16_f32, uint32_t, float, f32_to_f16(x))
H1(f32_f16, float, uint32_t, CANON(f16_to_f32((uint16_t)x)))
/* of what is no number the bits are cut, too: convert.c */
H1(tf32_f32, uint32_t, uint32_t, ((x & 0x7f800000) == 0x7f800000 ? x : x + 0x1000) & 0xffffe000)
H1(bf16_f32, uint32_t, float, f32_to_bf16(x))
H1(f32_bf16, float, uint32_t, CANON(bf16_to_f32((uint16_t)x)))

/* float to integer: rounded by mode, clamped; NaN gives 0, or the highest bit where the source is f64 */
#define TO_S32(v, nan)                                                                                                 \
	({                                                                                                             \
		__typeof__(v) v_ = (v);                                                                                \
		v_ != v_ ? (nan) : v_ >= 0x1p31 ? INT32_MAX : v_ < -0x1p31 ? INT32_MIN : (int32_t)v_;                  \
	})
#define TO_U32(v, nan)                                                                                                 \
	({                                                                                                             \
		__typeof__(v) v_ = (v);                                                                                \
		v_ != v_ ? (nan) : !(v_ > 0) ? 0u : v_ >= 0x1p32 ? UINT32_MAX : (uint32_t)(int64_t)v_;                 \
	})
#define FLOAT_INT(round, fn32, fn64)                                                                                   \
	H1(s32_f32_##round, int32_t, float, TO_S32(fn32(x), 0))                                                        \
	H1(u32_f32_##round, uint32_t, float, TO_U32(fn32(x), 0u))                                                      \
	HW1(s32_f64_##round, int32_t, double, TO_S32(fn64(x), INT32_MIN))                                              \
	HW1(u32_f64_##round, uint32_t, double, TO_U32(fn64(x), 0x80000000u))                                           \
	H1(f32_f32_##round, float, float, CANON(fn32(x)))                                                              \
	H1(f64_f64_##round, double, double, fn64(x))
FLOAT_INT(rn, __builtin_rintf, __builtin_rint)
FLOAT_INT(rz, __builtin_truncf, __builtin_trunc)
FLOAT_INT(rm, __builtin_floorf, __builtin_floor)
FLOAT_INT(rp, __builtin_ceilf, __builtin_ceil)
#define MODES(name)                                                                                                    \
	{                                                                                                              \
		name##_rn, name##_rz, name##_rm, name##_rp                                                             \
	}
static const pl_sm_fn *const s32_f32[4] = MODES(s32_f32), *const u32_f32[4] = MODES(u32_f32),
			     *const s32_f64[4] = MODES(s32_f64), *const u32_f64[4] = MODES(u32_f64),
			     *const f32_f32[4] = MODES(f32_f32), *const f64_f64[4] = MODES(f64_f64);

static void any_h(PL_SM_ARGS)
{
	pl_sm_convert(w, op, R, mask);
	PL_SM_NEXT;
}

#define KEY(d, s) ((d)*32 + (s))
static const pl_sm_fn *fast_pair(const struct pl_isa_fields *f)
{
	unsigned round = f->round & 3;

	if (f->type <= PL_ISA_S64 && f->type2 <= PL_ISA_S64)
		return f->sat ? NULL : int_int[f->type][f->type2];
	if (f->type == PL_ISA_TF32 && f->type2 == PL_ISA_F32 && f->round == PL_ISA_RNA && !f->sub && !f->ftz && !f->sat)
		return tf32_f32;
	if (f->ftz || f->round > PL_ISA_RP || f->sub & 3)
		return NULL;
	switch (KEY(f->type, f->type2)) {
	case KEY(PL_ISA_S32, PL_ISA_F32):
		return s32_f32[round];
	case KEY(PL_ISA_U32, PL_ISA_F32):
		return u32_f32[round];
	case KEY(PL_ISA_S32, PL_ISA_F64):
		return s32_f64[round];
	case KEY(PL_ISA_U32, PL_ISA_F64):
		return u32_f64[round];
	default:
		break;
	}
	if (f->sat)
		return NULL;
	if (f->sub & 4)
		return f->type != f->type2     ? NULL
		       : f->type == PL_ISA_F32 ? f32_f32[round]
		       : f->type == PL_ISA_F64 ? f64_f64[round]
					       : NULL;
	if (f->round != PL_ISA_RN)
		return NULL;
	switch (KEY(f->type, f->type2)) {
	case KEY(PL_ISA_F32, PL_ISA_S32):
		return f32_s32;
	case KEY(PL_ISA_F32, PL_ISA_U32):
		return f32_u32;
	case KEY(PL_ISA_F64, PL_ISA_S32):
		return f64_s32;
	case KEY(PL_ISA_F64, PL_ISA_U32):
		return f64_u32;
	case KEY(PL_ISA_F32, PL_ISA_S64):
		return f32_s64;
	case KEY(PL_ISA_F32, PL_ISA_U64):
		return f32_u64;
	case KEY(PL_ISA_F64, PL_ISA_S64):
		return f64_s64;
	case KEY(PL_ISA_F64, PL_ISA_U64):
		return f64_u64;
	case KEY(PL_ISA_F64, PL_ISA_F32):
		return f64_f32;
	case KEY(PL_ISA_F32, PL_ISA_F64):
		return f32_f64;
	case KEY(PL_ISA_F16, PL_ISA_F32):
		return f16_f32;
	case KEY(PL_ISA_F32, PL_ISA_F16):
		return f32_f16;
	case KEY(PL_ISA_BF16, PL_ISA_F32):
		return bf16_f32;
	case KEY(PL_ISA_F32, PL_ISA_BF16):
		return f32_bf16;
	default:
		return NULL;
	}
}

bool V(pl_sm_bind_cvt)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_cvt)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	const pl_sm_fn *fast;

	if (f->op != PL_ISA_CVT && f->op != PL_ISA_CVT2 && f->op != PL_ISA_CVTPACK)
		return false;
	fast = f->op == PL_ISA_CVT ? fast_pair(f) : NULL;
	if (fast)
		return set_handlers(op, fast);
	pl_sm_convert_bind(f, op);
	op->fn[0] = op->fn[1] = any_h;
	return true;
}
