/* Integer arithmetic and moves. */
#include "refgpu/compute/vec.h"

/* `e` in X, Y, Z of the operation's own type; 16 bits lie in a slot. */
#define NARROW1(T, e)                                                                                                  \
	({                                                                                                             \
		T X = (T)x;                                                                                            \
		(T)(e);                                                                                                \
	})
#define NARROW2(T, e)                                                                                                  \
	({                                                                                                             \
		T X = (T)x, Y = (T)y;                                                                                  \
		(void)X, (void)Y;                                                                                      \
		(T)(e);                                                                                                \
	})
#define NARROW3(T, e)                                                                                                  \
	({                                                                                                             \
		T X = (T)x, Y = (T)y, Z = (T)z;                                                                        \
		(void)X, (void)Y, (void)Z;                                                                             \
		(T)(e);                                                                                                \
	})

#define INT1N(name, e)                                                                                                 \
	H1(name##_u16, uint32_t, uint32_t, NARROW1(uint16_t, e))                                                       \
	H1(name##_s16, int32_t, int32_t, NARROW1(int16_t, e))                                                          \
	H1(name##_u32, uint32_t, uint32_t, NARROW1(uint32_t, e))                                                       \
	H1(name##_u64, uint64_t, uint64_t, NARROW1(uint64_t, e))
#define INT1S(name, e)                                                                                                 \
	INT1N(name, e)                                                                                                 \
	H1(name##_s32, int32_t, int32_t, NARROW1(int32_t, e)) H1(name##_s64, int64_t, int64_t, NARROW1(int64_t, e))
#define INT2N(name, e)                                                                                                 \
	H2(name##_u16, uint32_t, uint32_t, uint32_t, NARROW2(uint16_t, e))                                             \
	H2(name##_s16, int32_t, int32_t, int32_t, NARROW2(int16_t, e))                                                 \
	H2(name##_u32, uint32_t, uint32_t, uint32_t, NARROW2(uint32_t, e))                                             \
	H2(name##_u64, uint64_t, uint64_t, uint64_t, NARROW2(uint64_t, e))
#define INT2S(name, e)                                                                                                 \
	INT2N(name, e)                                                                                                 \
	H2(name##_s32, int32_t, int32_t, int32_t, NARROW2(int32_t, e))                                                 \
	H2(name##_s64, int64_t, int64_t, int64_t, NARROW2(int64_t, e))
#define INT3N(name, e)                                                                                                 \
	H3(name##_u16, uint32_t, uint32_t, uint32_t, uint32_t, NARROW3(uint16_t, e))                                   \
	H3(name##_s16, int32_t, int32_t, int32_t, int32_t, NARROW3(int16_t, e))                                        \
	H3(name##_u32, uint32_t, uint32_t, uint32_t, uint32_t, NARROW3(uint32_t, e))                                   \
	H3(name##_u64, uint64_t, uint64_t, uint64_t, uint64_t, NARROW3(uint64_t, e))
#define INT3S(name, e)                                                                                                 \
	INT3N(name, e)                                                                                                 \
	H3(name##_s32, int32_t, int32_t, int32_t, int32_t, NARROW3(int32_t, e))                                        \
	H3(name##_s64, int64_t, int64_t, int64_t, int64_t, NARROW3(int64_t, e))

INT2N(add, X + Y)
INT2N(sub, X - Y)
H2(rsub_u32, uint32_t, uint32_t, uint32_t, y - x)
H2(rsub_u64, uint64_t, uint64_t, uint64_t, y - x)
INT2N(mul, (uint64_t)X *(uint64_t)Y)
INT3N(mad, (uint64_t)X *(uint64_t)Y + (uint64_t)Z)
INT2S(min, X < Y ? X : Y)
INT2S(max, X > Y ? X : Y)
INT1N(abs, X > 0 ? X : -X)
H1(abs_s32, int32_t, int32_t, x < 0 ? -x : x)
H1(abs_s64, int64_t, int64_t, x < 0 ? -x : x)
INT1N(neg, -X)
INT1N(not, ~X)
INT1N(cnot, X == 0)
INT3S(sad, Z + (X > Y ? X - Y : Y - X))

static inline uint32_t add_half(uint32_t x, uint32_t y)
{
	return ((x + y) & 0xffff) | ((x & 0xffff0000) + (y & 0xffff0000));
}
H2(add_u16x2, uint32_t, uint32_t, uint32_t, add_half(x, y))
#define PAIR(T, e)                                                                                                     \
	({                                                                                                             \
		T X = (T)x, Y = (T)y;                                                                                  \
		uint32_t low_ = (uint16_t)(e);                                                                         \
		X = (T)(x >> 16), Y = (T)(y >> 16);                                                                    \
		low_ | (uint32_t)(uint16_t)(e) << 16;                                                                  \
	})
H2(min_u16x2, uint32_t, uint32_t, uint32_t, PAIR(uint16_t, X < Y ? X : Y))
H2(max_u16x2, uint32_t, uint32_t, uint32_t, PAIR(uint16_t, X > Y ? X : Y))
H2(min_s16x2, uint32_t, uint32_t, uint32_t, PAIR(int16_t, X < Y ? X : Y))
H2(max_s16x2, uint32_t, uint32_t, uint32_t, PAIR(int16_t, X > Y ? X : Y))
/* relu of the s16x2 minimum and maximum, and of s32 */
#define RELU(T, v)                                                                                                     \
	({                                                                                                             \
		T v_ = (T)(v);                                                                                         \
		(T)(v_ < 0 ? 0 : v_);                                                                                  \
	})
H2(minr_s16x2, uint32_t, uint32_t, uint32_t, PAIR(int16_t, RELU(int16_t, X < Y ? X : Y)))
H2(maxr_s16x2, uint32_t, uint32_t, uint32_t, PAIR(int16_t, RELU(int16_t, X > Y ? X : Y)))
H2(minr_s32, int32_t, int32_t, int32_t, RELU(int32_t, x < y ? x : y))
H2(maxr_s32, int32_t, int32_t, int32_t, RELU(int32_t, x > y ? x : y))

/* saturation: to s32 */
#define SAT32(v)                                                                                                       \
	({                                                                                                             \
		int64_t v_ = (v);                                                                                      \
		(int32_t)(v_ > INT32_MAX ? INT32_MAX : v_ < INT32_MIN ? INT32_MIN : v_);                               \
	})
H2(adds_s32, int32_t, int32_t, int32_t, SAT32((int64_t)x + y))
H2(subs_s32, int32_t, int32_t, int32_t, SAT32((int64_t)x - y))
H2(rsubs_s32, int32_t, int32_t, int32_t, SAT32((int64_t)y - x))
/* of the low half of the product, as PTX has it only for .hi; kept for mad.lo all the same */
H3(mads_s32, int32_t, int32_t, int32_t, int32_t, SAT32((int64_t)(int32_t)((int64_t)x *y) + z))
H3(madhis_s32, int32_t, int32_t, int32_t, int32_t, SAT32(((int64_t)x * y >> 32) + z))

/* high halves */
static inline uint64_t mulhi_u64_of(uint64_t x, uint64_t y)
{
	return (uint64_t)((unsigned __int128)x * y >> 64);
}
static inline int64_t mulhi_s64_of(int64_t x, int64_t y)
{
	return (int64_t)((__int128)x * y >> 64);
}
H2(mulhi_u16, uint32_t, uint32_t, uint32_t, (uint32_t)(uint16_t)x *(uint16_t)y >> 16)
H2(mulhi_s16, int32_t, int32_t, int32_t, (int32_t)(int16_t)x *(int16_t)y >> 16)
H2(mulhi_u32, uint32_t, uint32_t, uint32_t, (uint64_t)x *y >> 32)
H2(mulhi_s32, int32_t, int32_t, int32_t, (int64_t)x *y >> 32)
H2(mulhi_u64, uint64_t, uint64_t, uint64_t, mulhi_u64_of(x, y))
H2(mulhi_s64, int64_t, int64_t, int64_t, mulhi_s64_of(x, y))
H3(madhi_u16, uint32_t, uint32_t, uint32_t, uint32_t, (uint16_t)(((uint32_t)(uint16_t)x * (uint16_t)y >> 16) + z))
H3(madhi_s16, int32_t, int32_t, int32_t, int32_t, (int16_t)(((int32_t)(int16_t)x * (int16_t)y >> 16) + z))
H3(madhi_u32, uint32_t, uint32_t, uint32_t, uint32_t, ((uint64_t)x * y >> 32) + z)
H3(madhi_s32, int32_t, int32_t, int32_t, int32_t, ((int64_t)x * y >> 32) + z)
H3(madhi_u64, uint64_t, uint64_t, uint64_t, uint64_t, mulhi_u64_of(x, y) + z)
H3(madhi_s64, int64_t, int64_t, int64_t, int64_t, mulhi_s64_of(x, y) + z)

/* products twice as wide; c is as wide as d, but b is not, so a scalar c does not exist */
H2(mulw_u16, uint32_t, uint32_t, uint32_t, (uint32_t)(uint16_t)x *(uint16_t)y)
H2(mulw_s16, int32_t, int32_t, int32_t, (int32_t)(int16_t)x *(int16_t)y)
HW2(mulw_u32, uint64_t, uint32_t, uint32_t, (uint64_t)x *y)
HW2(mulw_s32, int64_t, int32_t, int32_t, (int64_t)x *y)
H3(madw_u16, uint32_t, uint32_t, uint32_t, uint32_t, (uint32_t)(uint16_t)x *(uint16_t)y + z)
H3(madw_s16, int32_t, int32_t, int32_t, int32_t, (int32_t)(int16_t)x *(int16_t)y + z)
HW3(madw_u32, uint64_t, uint32_t, uint32_t, uint64_t, (uint64_t)x *y + z)
HW3(madw_s32, int64_t, int32_t, int32_t, int64_t, (int64_t)x *y + z)

/* halves of registers */
H2(pack_16, uint32_t, uint32_t, uint32_t, (x & 0xffff) | y << 16)
HW2(pack_32, uint64_t, uint32_t, uint32_t, (uint64_t)y << 32 | x)
H1(half_u16, uint32_t, uint32_t, (uint16_t)(x >> ox))
H1(half_s16, int32_t, uint32_t, (int16_t)(x >> ox))
HW1(half_32, uint32_t, uint64_t, (uint32_t)(x >> ox))

#define S24(v) ((int32_t)((uint32_t)(v) << 8) >> 8)
#define U24(v) ((uint32_t)(v)&0xffffff)
H2(mul24lo_u32, uint32_t, uint32_t, uint32_t, U24(x) * U24(y))
H2(mul24lo_s32, int32_t, int32_t, int32_t, S24(x) * S24(y))
H2(mul24hi_u32, uint32_t, uint32_t, uint32_t, (uint64_t)U24(x) * U24(y) >> 16)
H2(mul24hi_s32, int32_t, int32_t, int32_t, (int64_t)S24(x) * S24(y) >> 16)
H3(mad24lo_u32, uint32_t, uint32_t, uint32_t, uint32_t, U24(x) * U24(y) + z)
H3(mad24lo_s32, int32_t, int32_t, int32_t, int32_t, S24(x) * S24(y) + z)
H3(mad24hi_u32, uint32_t, uint32_t, uint32_t, uint32_t, ((uint64_t)U24(x) * U24(y) >> 16) + z)
H3(mad24hi_s32, int32_t, int32_t, int32_t, int32_t, ((int64_t)S24(x) * S24(y) >> 16) + z)
H3(mad24his_s32, int32_t, int32_t, int32_t, int32_t, SAT32((int64_t)(int32_t)((int64_t)S24(x) * S24(y) >> 16) + z))

/* division: 0 and the one overflow are taken out before the machine sees them */
#define DIV_U(T, X, Y) ((Y) ? (T)((X) / (Y)) : (T)-1)
#define REM_U(T, X, Y) ((Y) ? (T)((X) % (Y)) : (T)(X))
#define DIV_S(T, X, Y) ((Y) == 0 ? (T)-1 : (Y) == -1 ? (T) - (X) : (T)((X) / (Y)))
#define REM_S(T, X, Y) ((Y) == 0 ? (T)(X) : (Y) == -1 ? (T)0 : (T)((X) % (Y)))
/* 32-bit quotients are exact in double */
static inline uint32_t div_u32_of(uint32_t x, uint32_t y)
{
	uint32_t divisor = y ? y : 1;
	uint32_t q = (uint32_t)(int64_t)((double)x / (double)divisor);
	return y ? q : 0xffffffffu;
}
static inline int32_t div_s32_of(int32_t x, int32_t y)
{
	int32_t divisor = y ? y : 1;
	int32_t q = (int32_t)(int64_t)((double)x / (double)divisor);
	return y ? q : -1;
}
H2(div_u16, uint32_t, uint32_t, uint32_t, (uint16_t)div_u32_of((uint16_t)x, (uint16_t)y))
H2(div_s16, int32_t, int32_t, int32_t, (int16_t)div_s32_of((int16_t)x, (int16_t)y))
H2(div_u32, uint32_t, uint32_t, uint32_t, div_u32_of(x, y))
H2(div_s32, int32_t, int32_t, int32_t, div_s32_of(x, y))
H2(rem_u16, uint32_t, uint32_t, uint32_t,
   (uint16_t)y ? (uint16_t)x - div_u32_of((uint16_t)x, (uint16_t)y) * (uint16_t)y : (uint16_t)x)
H2(rem_s16, int32_t, int32_t, int32_t,
   (int16_t)y ? (int16_t)((int16_t)x - div_s32_of((int16_t)x, (int16_t)y) * (int16_t)y) : (int16_t)x)
H2(rem_u32, uint32_t, uint32_t, uint32_t, y ? x - div_u32_of(x, y) * y : x)
H2(rem_s32, int32_t, int32_t, int32_t, y ? x - div_s32_of(x, y) * y : x)
HSLOW(div_u64, uint64_t, uint64_t, uint64_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = DIV_U(uint64_t, x[i], y[i]))
HSLOW(div_s64, int64_t, int64_t, int64_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = DIV_S(int64_t, x[i], y[i]))
HSLOW(rem_u64, uint64_t, uint64_t, uint64_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = REM_U(uint64_t, x[i], y[i]))
HSLOW(rem_s64, int64_t, int64_t, int64_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = REM_S(int64_t, x[i], y[i]))

/* moves and choices */
H2(mov_u8, uint32_t, uint32_t, uint32_t, ((void)x, (uint8_t)y))
H2(mov_s8, int32_t, int32_t, int32_t, ((void)x, (int8_t)y))
H2(mov_u16, uint32_t, uint32_t, uint32_t, ((void)x, (uint16_t)y))
H2(mov_s16, int32_t, int32_t, int32_t, ((void)x, (int16_t)y))
H2(mov_u32, uint32_t, uint32_t, uint32_t, ((void)x, y))
H2(mov_u64, uint64_t, uint64_t, uint64_t, ((void)x, y))

/* 128 bits: two rows of 64.  The rows of the operands may be those of the result, in another order. */
static void mov_b128_h(PL_SM_ARGS)
{
	const uint64_t *from = PL_SM_REG(const uint64_t, b);
	uint64_t *d = PL_SM_REG(uint64_t, d), r[64];

	memcpy(r, from, sizeof(r));
	LANES_LOOP KEEP(uint64_t, d, r[i]);
	d += 32;
	LANES_LOOP KEEP(uint64_t, d, r[32 + i]);
	PL_SM_NEXT;
}

#define SEL_ONE(name, T, bits, take_b, read_b)                                                                         \
	static inline void name##_do(PL_SM_ARGS, bool all)                                                             \
	{                                                                                                              \
		uint32_t p = op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c];                                       \
		uint32_t choose = op->x & 1 ? ~p : p;                                                                  \
		T *d = PL_SM_REG(T, d);                                                                                \
		const T *a = PL_SM_REG(T, a);                                                                          \
		take_b;                                                                                                \
		if (all) {                                                                                             \
			LANES_LOOP d[i] = (bits[i] & choose) ? a[i] : read_b;                                          \
			return;                                                                                        \
		}                                                                                                      \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			T r = (bits[i] & choose) ? a[i] : read_b;                                                      \
			KEEP(T, d, r);                                                                                 \
		}                                                                                                      \
	}                                                                                                              \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		name##_do(w, op, R, mask, true);                                                                       \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		name##_do(w, op, R, mask, false);                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
#define SEL(name, T, bits)                                                                                             \
	SEL_ONE(name##_r, T, bits, TAKE_R(T), b[i])                                                                    \
	SEL_ONE(name##_s, T, bits, TAKE_S(T), s)                                                                       \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };
SEL(sel_32, uint32_t, lane_bit)
SEL(sel_64, uint64_t, lane_bit64)

static void sel_b128_h(PL_SM_ARGS)
{
	uint32_t p = (op->c == PL_ISA_PT ? PL_SM_ALL : w->frame.P[op->c]) ^ (op->x & 1 ? PL_SM_ALL : 0);
	const uint64_t *a = PL_SM_REG(const uint64_t, a), *b = PL_SM_REG(const uint64_t, b);
	uint64_t *d = PL_SM_REG(uint64_t, d), r[64];

	for (int k = 0; k < 64; k += 32)
		LANES_LOOP r[k + i] = p >> i & 1 ? a[k + i] : b[k + i];
	LANES_LOOP KEEP(uint64_t, d, r[i]);
	d += 32;
	LANES_LOOP KEEP(uint64_t, d, r[32 + i]);
	PL_SM_NEXT;
}

H3(slct_32s, uint32_t, uint32_t, uint32_t, int32_t, z >= 0 ? x : y)
HW3(slct_64s, uint64_t, uint64_t, uint64_t, int32_t, z >= 0 ? x : y)
/* -0 counts as 0; NaN chooses b; ftz turns small negatives into -0 */
#define SLCT_F(z) ((z) >= 0.0f || ((ox & 1) && __builtin_fabsf(z) < 0x1p-126f))
H3(slct_32f, uint32_t, uint32_t, uint32_t, float, SLCT_F(z) ? x : y)
HW3(slct_64f, uint64_t, uint64_t, uint64_t, float, SLCT_F(z) ? x : y)

#define PICK6(name)                                                                                                    \
	switch (f->type) {                                                                                             \
	case PL_ISA_U16:                                                                                               \
		return set_handlers(op, name##_u16);                                                                   \
	case PL_ISA_S16:                                                                                               \
		return set_handlers(op, name##_s16);                                                                   \
	case PL_ISA_U32:                                                                                               \
		return set_handlers(op, name##_u32);                                                                   \
	case PL_ISA_S32:                                                                                               \
		return set_handlers(op, name##_s32);                                                                   \
	case PL_ISA_U64:                                                                                               \
		return set_handlers(op, name##_u64);                                                                   \
	case PL_ISA_S64:                                                                                               \
		return set_handlers(op, name##_s64);                                                                   \
	default:                                                                                                       \
		return false;                                                                                          \
	}
#define add_s32  add_u32
#define add_s64  add_u64
#define sub_s32  sub_u32
#define sub_s64  sub_u64
#define mul_s32  mul_u32
#define mul_s64  mul_u64
#define mad_s32  mad_u32
#define mad_s64  mad_u64
#define neg_s32  neg_u32
#define neg_s64  neg_u64
#define not_s32  not_u32
#define not_s64  not_u64
#define cnot_s32 cnot_u32
#define cnot_s64 cnot_u64

static bool bind_move(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	unsigned bytes = pl_isa_type_bytes(f->type);

	switch (f->op) {
	case PL_ISA_MOV:
		op->a = op->flags & PL_SM_OP_B_SCALAR ? op->d : op->b; /* read for form's sake */
		switch (f->type) {
		case PL_ISA_U8:
			return set_handlers(op, mov_u8);
		case PL_ISA_S8:
			return set_handlers(op, mov_s8);
		case PL_ISA_U16:
			return set_handlers(op, mov_u16);
		case PL_ISA_S16:
			return set_handlers(op, mov_s16);
		case PL_ISA_B128:
			op->fn[0] = op->fn[1] = mov_b128_h;
			return !(op->flags & PL_SM_OP_B_SCALAR);
		default:
			return set_handlers(op, bytes == 8 ? mov_u64 : mov_u32);
		}
	case PL_ISA_PACK:
		return set_handlers(op, bytes == 2 ? pack_16 : pack_32);
	case PL_ISA_HALF:
		op->x = f->sub & 1 ? bytes * 8 : 0;
		return set_handlers(op, bytes == 4 ? half_32 : f->type == PL_ISA_S16 ? half_s16 : half_u16);
	case PL_ISA_MOV64:
		op->flags |= PL_SM_OP_B_SCALAR;
		op->a = op->d;
		return set_handlers(op, mov_u64);
	case PL_ISA_SEL:
		op->x = f->nc;
		if (f->type == PL_ISA_B128) {
			op->fn[0] = op->fn[1] = sel_b128_h;
			return !(op->flags & PL_SM_OP_B_SCALAR);
		}
		return set_handlers(op, bytes == 8 ? sel_64 : sel_32);
	case PL_ISA_SLCT:
		op->x = f->ftz;
		if (f->type2 == PL_ISA_F32)
			return set_handlers(op, bytes == 8 ? slct_64f : slct_32f);
		return set_handlers(op, bytes == 8 ? slct_64s : slct_32s);
	default:
		return false;
	}
}

static bool bind_product(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	bool is_signed = f->type == PL_ISA_S32 || f->type == PL_ISA_S16;

	switch (f->op) {
	case PL_ISA_MUL:
		PICK6(mul)
	case PL_ISA_MULHI:
		PICK6(mulhi)
	case PL_ISA_MAD:
		if (f->sat)
			return set_handlers(op, mads_s32);
		PICK6(mad)
	case PL_ISA_MADHI:
		if (f->sat)
			return set_handlers(op, madhis_s32);
		PICK6(madhi)
	case PL_ISA_MULW:
		if (pl_isa_type_bytes(f->type) == 2)
			return set_handlers(op, is_signed ? mulw_s16 : mulw_u16);
		return set_handlers(op, is_signed ? mulw_s32 : mulw_u32);
	case PL_ISA_MADW:
		if (pl_isa_type_bytes(f->type) == 2)
			return set_handlers(op, is_signed ? madw_s16 : madw_u16);
		return set_handlers(op, is_signed ? madw_s32 : madw_u32);
	case PL_ISA_MUL24:
		if (f->sub & 1)
			return set_handlers(op, is_signed ? mul24hi_s32 : mul24hi_u32);
		return set_handlers(op, is_signed ? mul24lo_s32 : mul24lo_u32);
	case PL_ISA_MAD24:
		if (f->sat)
			return set_handlers(op, mad24his_s32);
		if (f->sub & 1)
			return set_handlers(op, is_signed ? mad24hi_s32 : mad24hi_u32);
		return set_handlers(op, is_signed ? mad24lo_s32 : mad24lo_u32);
	default:
		return false;
	}
}

static bool bind_minmax(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	bool min = f->op == PL_ISA_MIN, relu = f->sub & 4;

	if (f->type == PL_ISA_U16X2)
		return set_handlers(op, min ? min_u16x2 : max_u16x2);
	if (f->type == PL_ISA_S16X2)
		return set_handlers(op, relu ? (min ? minr_s16x2 : maxr_s16x2) : (min ? min_s16x2 : max_s16x2));
	if (f->type == PL_ISA_S32 && relu)
		return set_handlers(op, min ? minr_s32 : maxr_s32);
	if (min)
		PICK6(min)
	PICK6(max)
}

bool V(pl_sm_bind_int)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_int)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	switch (f->op) {
	case PL_ISA_ADD:
		if (f->type == PL_ISA_U16X2 || f->type == PL_ISA_S16X2)
			return set_handlers(op, add_u16x2);
		if (f->sat && f->type == PL_ISA_S32)
			return set_handlers(op, adds_s32);
		PICK6(add)
	case PL_ISA_SUB:
		if (f->sat && f->type == PL_ISA_S32)
			return set_handlers(op, subs_s32);
		PICK6(sub)
	case PL_ISA_RSUB:
		if (f->sat && f->type == PL_ISA_S32)
			return set_handlers(op, rsubs_s32);
		if (f->type == PL_ISA_F32 || f->type == PL_ISA_F64)
			return false;
		return set_handlers(op, pl_isa_type_bytes(f->type) == 8 ? rsub_u64 : rsub_u32);
	case PL_ISA_SAD:
		PICK6(sad)
	case PL_ISA_DIV:
		PICK6(div)
	case PL_ISA_REM:
		PICK6(rem)
	case PL_ISA_ABS:
		PICK6(abs)
	case PL_ISA_NEG:
		PICK6(neg)
	case PL_ISA_NOT:
		PICK6(not )
	case PL_ISA_CNOT:
		PICK6(cnot)
	case PL_ISA_MIN:
	case PL_ISA_MAX:
		return bind_minmax(f, op);
	default:
		return bind_product(f, op) || bind_move(f, op);
	}
}
