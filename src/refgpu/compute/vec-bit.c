/* Bit operations, shifts, carries, byte-wise operations. */
#include "refgpu/compute/vec.h"

#define BITS2(name, e)                                                                                                 \
	H2(name##_32, uint32_t, uint32_t, uint32_t, e)                                                                 \
	H2(name##_64, uint64_t, uint64_t, uint64_t, e)
BITS2(and, x &y)
BITS2(or, x | y)
BITS2(xor, x ^ y)
BITS2(andn, ~x &y)
BITS2(orn, ~x | y)

H2(shl_u16, uint32_t, uint32_t, uint32_t, y > 15 ? 0 : (uint16_t)(x << (y & 15)))
H2(shl_s16, int32_t, int32_t, uint32_t, y > 15 ? 0 : (int16_t)(x << (y & 15)))
H2(shl_32, uint32_t, uint32_t, uint32_t, y > 31 ? 0 : x << (y & 31))
HW2(shl_64, uint64_t, uint64_t, uint32_t, y > 63 ? 0 : x << (y & 63))
H2(shr_u16, uint32_t, uint32_t, uint32_t, y > 15 ? 0 : (uint16_t)x >> (y & 15))
H2(shr_s16, int32_t, int32_t, uint32_t, (int16_t)x >> (y > 15 ? 15 : y))
H2(shr_u32, uint32_t, uint32_t, uint32_t, y > 31 ? 0 : x >> (y & 31))
H2(shr_s32, int32_t, int32_t, uint32_t, x >> (y > 31 ? 31 : y))
HW2(shr_u64, uint64_t, uint64_t, uint32_t, y > 63 ? 0 : x >> (y & 63))
HW2(shr_s64, int64_t, int64_t, uint32_t, x >> (y > 63 ? 63 : y))

/* funnel: x low, z high */
#define WIDE(hi, lo) ((uint64_t)(hi) << 32 | (lo))
H3(shf_l_clamp, uint32_t, uint32_t, uint32_t, uint32_t, WIDE(z, x) << (y > 32 ? 32 : y) >> 32)
H3(shf_l_wrap, uint32_t, uint32_t, uint32_t, uint32_t, WIDE(z, x) << (y & 31) >> 32)
H3(shf_r_clamp, uint32_t, uint32_t, uint32_t, uint32_t, WIDE(z, x) >> (y > 32 ? 32 : y))
H3(shf_r_wrap, uint32_t, uint32_t, uint32_t, uint32_t, WIDE(z, x) >> (y & 31))

#define BREV32(v)                                                                                                      \
	({                                                                                                             \
		uint32_t v_ = (v);                                                                                     \
		v_ = (v_ >> 1 & 0x55555555) | (v_ & 0x55555555) << 1;                                                  \
		v_ = (v_ >> 2 & 0x33333333) | (v_ & 0x33333333) << 2;                                                  \
		v_ = (v_ >> 4 & 0x0f0f0f0f) | (v_ & 0x0f0f0f0f) << 4;                                                  \
		v_ = (v_ >> 8 & 0x00ff00ff) | (v_ & 0x00ff00ff) << 8;                                                  \
		v_ >> 16 | v_ << 16;                                                                                   \
	})
#define CLZ32(v)                                                                                                       \
	({                                                                                                             \
		uint32_t c_ = (v);                                                                                     \
		c_ ? (uint32_t)__builtin_clz(c_) : 32u;                                                                \
	})
#define CLZ64(v)                                                                                                       \
	({                                                                                                             \
		uint64_t c_ = (v);                                                                                     \
		c_ ? (uint32_t)__builtin_clzll(c_) : 64u;                                                              \
	})
H1(brev_32, uint32_t, uint32_t, BREV32(x))
H1(brev_64, uint64_t, uint64_t, WIDE(BREV32((uint32_t)x), BREV32((uint32_t)(x >> 32))))
H1(clz_32, uint32_t, uint32_t, CLZ32(x))
HW1(clz_64, uint32_t, uint64_t, CLZ64(x))
H1(popc_32, uint32_t, uint32_t, __builtin_popcount(x))
HW1(popc_64, uint32_t, uint64_t, __builtin_popcountll(x))
/* op->x & 1: the shift amount */
#define BFIND(width, clz)                                                                                              \
	({                                                                                                             \
		uint32_t n_ = (clz);                                                                                   \
		n_ == (width) ? 0xffffffffu : ox & 1 ? n_ : (width)-1 - n_;                                            \
	})
H1(bfind_u32, uint32_t, uint32_t, BFIND(32u, CLZ32(x)))
H1(bfind_s32, uint32_t, int32_t, BFIND(32u, CLZ32((uint32_t)(x ^ x >> 31))))
HW1(bfind_u64, uint32_t, uint64_t, BFIND(64u, CLZ64(x)))
HW1(bfind_s64, uint32_t, int64_t, BFIND(64u, CLZ64((uint64_t)(x ^ x >> 63))))

/* fields: position and length are taken modulo 256, what sticks out above reads as 0 or the sign */
static inline uint64_t bfe_u(uint64_t x, uint32_t pos, uint32_t len, uint32_t width)
{
	uint64_t v = (pos &= 255) >= width ? 0 : x >> pos;
	len &= 255;
	return len > 63 ? v : v & ((1ull << len) - 1);
}
static inline int64_t bfe_s(int64_t x, uint32_t pos, uint32_t len, uint32_t width)
{
	uint32_t room, n, top;
	uint64_t field, v;

	pos &= 255, len &= 255;
	room = pos < width ? width - pos : 0;
	n = len < room ? len : room; /* bits that x has there; all others are the sign */
	top = pos + len - 1 < width - 1 ? pos + len - 1 : width - 1;
	field = n > 63 ? ~0ull : (1ull << n) - 1;
	v = pos < width ? (uint64_t)x >> pos & field : 0;
	return len == 0 ? 0 : (int64_t)(x >> top & 1 ? v | ~field : v);
}
static inline uint64_t bfi_of(uint64_t insert, uint64_t base, uint32_t pos, uint32_t len, uint32_t width)
{
	uint64_t field;

	pos &= 255, len &= 255;
	if (len == 0 || pos >= width)
		return base;
	field = (len > 63 ? ~0ull : (1ull << len) - 1) << pos;
	return (base & ~field) | (insert << pos & field);
}
H3(bfe_u32, uint32_t, uint32_t, uint32_t, uint32_t, bfe_u(x, y, z, 32))
H3(bfe_s32, int32_t, int32_t, uint32_t, uint32_t, bfe_s(x, y, z, 32))
HSLOW(bfe_u64, uint64_t, uint64_t, uint32_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = bfe_u(x[i], y[i], z[i], 64))
HSLOW(bfe_s64, int64_t, int64_t, uint32_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = bfe_s(x[i], y[i], z[i], 64))
/* constants: op->x = position | length << 8, bound only where the field lies within */
H1(bfei_u32, uint32_t, uint32_t, x << (32 - (ox & 255) - (ox >> 8)) >> (32 - (ox >> 8)))
H1(bfei_s32, int32_t, int32_t, (int32_t)((uint32_t)x << (32 - (ox & 255) - (ox >> 8))) >> (32 - (ox >> 8)))
H1(bfei_slow_u32, uint32_t, uint32_t, bfe_u(x, ox & 255, ox >> 8, 32))
H1(bfei_slow_s32, int32_t, int32_t, bfe_s(x, ox & 255, ox >> 8, 32))
H1(bfei_u64, uint64_t, uint64_t, bfe_u(x, ox & 255, ox >> 8, 64))
H1(bfei_s64, int64_t, int64_t, bfe_s(x, ox & 255, ox >> 8, 64))
H2(bfii_32, uint32_t, uint32_t, uint32_t, bfi_of(x, y, ox & 255, ox >> 8, 32))
H2(bfii_64, uint64_t, uint64_t, uint64_t, bfi_of(x, y, ox & 255, ox >> 8, 64))
/* op->x: offset of e */
#define E_LANES                                                                                                        \
	uint32_t e[32];                                                                                                \
	memcpy(e, R + op->x, sizeof(e))
HSLOW(bfi_32, uint32_t, uint32_t, uint32_t, uint32_t, E_LANES;
      for (int i = 0; i < 32; i++) r[i] = (uint32_t)bfi_of(x[i], y[i], z[i], e[i], 32))
HSLOW(bfi_64, uint64_t, uint64_t, uint64_t, uint32_t, E_LANES;
      for (int i = 0; i < 32; i++) r[i] = bfi_of(x[i], y[i], z[i], e[i], 64))

static inline uint32_t fns_of(uint32_t mask, uint32_t base, int32_t n)
{
	if (n == 0)
		return base < 32 && (mask >> base & 1) ? base : 0xffffffffu;
	for (int32_t at = (int32_t)base, left = n < 0 ? -n : n; at >= 0 && at < 32; at += n < 0 ? -1 : 1)
		if ((mask >> at & 1) && --left == 0)
			return (uint32_t)at;
	return 0xffffffffu;
}
HSLOW(fns, uint32_t, uint32_t, uint32_t, int32_t, for (int i = 0; i < 32; i++) r[i] = fns_of(x[i], y[i], z[i]))
H2(bmsk_clamp, uint32_t, uint32_t, uint32_t, ({
	   uint32_t p = x, n = y;
	   p > 31 ? 0 : (n > 31 ? ~0u : (1u << (n & 31)) - 1) << (p & 31);
   }))
H2(bmsk_wrap, uint32_t, uint32_t, uint32_t, ((1u << (y & 31)) - 1) << (x & 31))
#define SZ_U(n) ((n) > 31 ? x : x & ((1u << ((n)&31)) - 1))
#define SZ_S(n)                                                                                                        \
	({                                                                                                             \
		uint32_t n_ = (n);                                                                                     \
		n_ > 31 ? x : n_ == 0 ? 0 : (int32_t)((uint32_t)x << ((32 - n_) & 31)) >> ((32 - n_) & 31);            \
	})
H2(szext_clamp_u32, uint32_t, uint32_t, uint32_t, SZ_U(y))
H2(szext_clamp_s32, int32_t, int32_t, uint32_t, SZ_S(y))
H2(szext_wrap_u32, uint32_t, uint32_t, uint32_t, SZ_U(y & 31))
H2(szext_wrap_s32, int32_t, int32_t, uint32_t, SZ_S(y & 31))

static inline uint32_t prmt_of(uint32_t a, uint32_t b, uint32_t c, unsigned mode)
{
	static const uint16_t sel[7][4] = {
		{ 0 },
		{ 0x3210, 0x4321, 0x5432, 0x6543 }, /* f4e */
		{ 0x5670, 0x6701, 0x7012, 0x0123 }, /* b4e */
		{ 0x0000, 0x1111, 0x2222, 0x3333 }, /* rc8 */
		{ 0x3210, 0x3211, 0x3222, 0x3333 }, /* ecl */
		{ 0x0000, 0x1110, 0x2210, 0x3210 }, /* ecr */
		{ 0x1010, 0x3232, 0x1010, 0x3232 }, /* rc16 */
	};
	uint64_t bytes = WIDE(b, a);
	uint32_t r = 0;

	if (mode)
		c = sel[mode][c & 3];
	for (int k = 0; k < 4; k++) {
		uint32_t s = c >> 4 * k, byte = (uint32_t)(bytes >> (s & 7) * 8) & 255;
		if (s & 8)
			byte = byte & 0x80 ? 0xff : 0;
		r |= byte << 8 * k;
	}
	return r;
}
H3(prmt_default, uint32_t, uint32_t, uint32_t, uint32_t, prmt_of(x, y, z, 0))
HSLOW(prmt_mode, uint32_t, uint32_t, uint32_t, uint32_t,
      for (int i = 0; i < 32; i++) r[i] = prmt_of(x[i], y[i], z[i], op->sub))

/* any function of three bits: op->x is the table */
#define LOP3(t)                                                                                                        \
	(((t)&1 ? ~x & ~y & ~z : 0) | ((t)&2 ? ~x & ~y & z : 0) | ((t)&4 ? ~x & y & ~z : 0) |                          \
	 ((t)&8 ? ~x & y & z : 0) | ((t)&16 ? x & ~y & ~z : 0) | ((t)&32 ? x & ~y & z : 0) |                           \
	 ((t)&64 ? x & y & ~z : 0) | ((t)&128 ? x & y & z : 0))
#define LOP3_AS(t)    H3(lop3_##t, uint32_t, uint32_t, uint32_t, uint32_t, LOP3(t))
#define LOP3_USUAL(M) /* what compilers make most */                                                                   \
	M(0x96)                                                                                                        \
	M(0xe8)                                                                                                        \
	M(0xca) M(0xd8) M(0x80) M(0xfe) M(0xf8) M(0xe0) M(0x78) M(0x6a) M(0xea) M(0xb8) M(0xac) M(0x1e) M(0x40) M(0x2d)
LOP3_USUAL(LOP3_AS)
H3(lop3_any, uint32_t, uint32_t, uint32_t, uint32_t, ({
	   uint32_t m0 = -(ox & 1), m1 = -(ox >> 1 & 1), m2 = -(ox >> 2 & 1), m3 = -(ox >> 3 & 1);
	   uint32_t m4 = -(ox >> 4 & 1), m5 = -(ox >> 5 & 1), m6 = -(ox >> 6 & 1), m7 = -(ox >> 7 & 1);
	   (~x & ((~y & ((~z & m0) | (z & m1))) | (y & ((~z & m2) | (z & m3))))) |
		   (x & ((~y & ((~z & m4) | (z & m5))) | (y & ((~z & m6) | (z & m7)))));
   }))

/* products of bytes and halves; op->x: SUB */
#define BYTE(v, k, is_signed) ((is_signed) ? (int32_t)(int8_t)((v) >> 8 * (k)) : (int32_t)(uint8_t)((v) >> 8 * (k)))
#define HALF(v, k, is_signed) ((is_signed) ? (int32_t)(int16_t)((v) >> 16 * (k)) : (int32_t)(uint16_t)((v) >> 16 * (k)))
#define DP4(sa, sb)                                                                                                    \
	z + (uint32_t)(BYTE(x, 0, sa) * BYTE(y, 0, sb) + BYTE(x, 1, sa) * BYTE(y, 1, sb) +                             \
		       BYTE(x, 2, sa) * BYTE(y, 2, sb) + BYTE(x, 3, sa) * BYTE(y, 3, sb))
#define DP2(sa, sb, k)                                                                                                 \
	z + (uint32_t)HALF(x, 0, sa) * (uint32_t)BYTE(y, k, sb) +                                                      \
		(uint32_t)HALF(x, 1, sa) * (uint32_t)BYTE(y, k + 1, sb)
H3(dp4a_uu, uint32_t, uint32_t, uint32_t, uint32_t, DP4(0, 0))
H3(dp4a_su, uint32_t, uint32_t, uint32_t, uint32_t, DP4(1, 0))
H3(dp4a_us, uint32_t, uint32_t, uint32_t, uint32_t, DP4(0, 1))
H3(dp4a_ss, uint32_t, uint32_t, uint32_t, uint32_t, DP4(1, 1))
H3(dp2a, uint32_t, uint32_t, uint32_t, uint32_t, ({
	   int k = ox & 4 ? 2 : 0;
	   bool sa = ox & 1, sb = ox & 2;
	   DP2(sa, sb, k);
   }))

/* bytes or halves of a word; op->x: type | type2 << 5 | SUB << 10 | sat << 15 | CMP << 16 */
static inline int32_t part_of(uint32_t v, unsigned at, unsigned type)
{
	v >>= at;
	return type == PL_ISA_U8    ? (uint8_t)v
	       : type == PL_ISA_S8  ? (int8_t)v
	       : type == PL_ISA_U16 ? (uint16_t)v
				    : (int16_t)v;
}
static int32_t part_result(uint32_t ox, int32_t a, int32_t b)
{
	bool is[6] = { a == b, a != b, a<b, a <= b, a> b, a >= b };

	switch (ox >> 10 & 15) {
	case 0:
		return a + b;
	case 1:
		return a - b;
	case 2: /* rounded away from zero */
		return (a + b + (a + b < 0 ? -1 : 1)) / 2;
	case 3:
		return a > b ? a - b : b - a;
	case 4:
		return a < b ? a : b;
	case 5:
		return a > b ? a : b;
	default:
		return is[(ox >> 16 & 31) % 6];
	}
}
static uint32_t vsimd_of(uint32_t x, uint32_t y, uint32_t z, uint32_t ox)
{
	unsigned type = ox & 31, type2 = ox >> 5 & 31, width = type2 <= PL_ISA_S8 ? 8 : 16;
	bool is_signed = type == PL_ISA_S8 || type == PL_ISA_S16;
	int32_t max = (1 << (width - is_signed)) - 1, min = is_signed ? -max - 1 : 0, sum = (int32_t)z;
	uint32_t d = 0;

	for (unsigned at = 0; at < 32; at += width) {
		int32_t r = part_result(ox, part_of(x, at, type2), part_of(y, at, type2));

		if (ox >> 15 & 1)
			r = r < min ? min : r > max ? max : r;
		sum += r;
		d |= ((uint32_t)r & ((1u << width) - 1)) << at;
	}
	return ox >> 14 & 1 ? (uint32_t)sum : d;
}
HSLOW(vsimd, uint32_t, uint32_t, uint32_t, uint32_t, for (int i = 0; i < 32; i++) r[i] = vsimd_of(x[i], y[i], z[i], ox))

/* carries: one mask from lanes */
static inline uint32_t carries(const uint32_t out[32])
{
	uint32_t m = 0;
	for (int i = 0; i < 32; i++)
		m |= (out[i] & 1) << i;
	return m;
}
#define CARRY(name, T, wide, body)                                                                                     \
	static __attribute__((noinline)) void name##_do(PL_SM_ARGS, uint32_t pred)                                     \
	{                                                                                                              \
		uint32_t in = op->x & 1 ? w->frame.P[pred] : 0, out[32];                                               \
		T *d = PL_SM_REG(T, d), *a = PL_SM_REG(T, a), *c = PL_SM_REG(T, c);                                    \
		bool scalar = op->flags & PL_SM_OP_B_SCALAR;                                                           \
		T s = scalar ? *(const T *)pl_sm_scalar(w, op) : 0;                                                    \
		for (int i = 0; i < 32; i++) {                                                                         \
			T x = a[i], y = scalar ? s : PL_SM_REG(T, b)[i], r;                                            \
			uint32_t cin = in >> i & 1, cout;                                                              \
			(void)c;                                                                                       \
			body;                                                                                          \
			out[i] = cout;                                                                                 \
			if (mask >> i & 1)                                                                             \
				d[i] = r;                                                                              \
		}                                                                                                      \
		if (op->x & 2)                                                                                         \
			w->frame.P[pred] = (w->frame.P[pred] & ~mask) | (carries(out) & mask);                         \
	}                                                                                                              \
	static void name##_h(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		name##_do(w, op, R, mask, wide);                                                                       \
		PL_SM_NEXT;                                                                                            \
	}
#define ADDX_BODY(W)                                                                                                   \
	W sum = (W)x + y + cin;                                                                                        \
	r = (__typeof__(r))sum;                                                                                        \
	cout = (uint32_t)(sum >> (sizeof(r) * 8)) & 1
#define SUBX_BODY(W)                                                                                                   \
	W sum = (W)x - y - cin;                                                                                        \
	r = (__typeof__(r))sum;                                                                                        \
	cout = (uint32_t)(sum >> (sizeof(r) * 8)) & 1
#define MADX_BODY(W)                                                                                                   \
	W product = (W)x * y;                                                                                          \
	W sum = (W)(__typeof__(r))(op->x & 4 ? product >> (sizeof(r) * 8) : product) + c[i] + cin;                     \
	r = (__typeof__(r))sum;                                                                                        \
	cout = (uint32_t)(sum >> (sizeof(r) * 8)) & 1
CARRY(addx_32, uint32_t, op->c, ADDX_BODY(uint64_t))
CARRY(addx_64, uint64_t, op->c, ADDX_BODY(unsigned __int128))
CARRY(subx_32, uint32_t, op->c, SUBX_BODY(uint64_t))
CARRY(subx_64, uint64_t, op->c, SUBX_BODY(unsigned __int128))
CARRY(madx_32, uint32_t, (uint32_t)op->imm, MADX_BODY(uint64_t))
CARRY(madx_64, uint64_t, (uint32_t)op->imm, MADX_BODY(unsigned __int128))

static bool set_both(struct pl_sm_op *op, pl_sm_fn fn)
{
	op->fn[0] = op->fn[1] = fn;
	return true;
}

static bool bind_shift(const struct pl_isa_fields *f, struct pl_sm_op *op, bool wide)
{
	switch (f->op) {
	case PL_ISA_SHL:
		if (f->type == PL_ISA_U16 || f->type == PL_ISA_S16)
			return set_handlers(op, f->type == PL_ISA_U16 ? shl_u16 : shl_s16);
		return set_handlers(op, wide ? shl_64 : shl_32);
	case PL_ISA_SHR:
		if (f->type == PL_ISA_U16 || f->type == PL_ISA_S16)
			return set_handlers(op, f->type == PL_ISA_U16 ? shr_u16 : shr_s16);
		if (f->type == PL_ISA_S32 || f->type == PL_ISA_S64)
			return set_handlers(op, wide ? shr_s64 : shr_s32);
		return set_handlers(op, wide ? shr_u64 : shr_u32);
	case PL_ISA_SHF:
		if (f->sub & 1)
			return set_handlers(op, f->sub & 2 ? shf_r_wrap : shf_r_clamp);
		return set_handlers(op, f->sub & 2 ? shf_l_wrap : shf_l_clamp);
	default:
		return false;
	}
}

static bool bind_field(const struct pl_isa_fields *f, struct pl_sm_op *op, bool wide)
{
	bool is_signed = f->type == PL_ISA_S32 || f->type == PL_ISA_S64;
	uint32_t pos = f->imm & 255, len = f->imm >> 8 & 255;

	switch (f->op) {
	case PL_ISA_BFE:
		if (wide)
			return set_handlers(op, is_signed ? bfe_s64 : bfe_u64);
		return set_handlers(op, is_signed ? bfe_s32 : bfe_u32);
	case PL_ISA_BFEI:
		op->x = pos | len << 8;
		if (wide)
			return set_handlers(op, is_signed ? bfei_s64 : bfei_u64);
		if (len && pos + len <= 32)
			return set_handlers(op, is_signed ? bfei_s32 : bfei_u32);
		return set_handlers(op, is_signed ? bfei_slow_s32 : bfei_slow_u32);
	case PL_ISA_BFI:
		op->x = (f->imm & 2047) * PL_SM_SLOT_BYTES;
		return set_handlers(op, wide ? bfi_64 : bfi_32);
	case PL_ISA_BFII:
		op->x = pos | len << 8;
		return set_handlers(op, wide ? bfii_64 : bfii_32);
	case PL_ISA_BFIND:
		op->x = f->sub & 1;
		if (wide)
			return set_handlers(op, is_signed ? bfind_s64 : bfind_u64);
		return set_handlers(op, is_signed ? bfind_s32 : bfind_u32);
	case PL_ISA_BMSK:
		return set_handlers(op, f->sub & 1 ? bmsk_wrap : bmsk_clamp);
	case PL_ISA_SZEXT:
		if (f->sub & 1)
			return set_handlers(op, is_signed ? szext_wrap_s32 : szext_wrap_u32);
		return set_handlers(op, is_signed ? szext_clamp_s32 : szext_clamp_u32);
	default:
		return false;
	}
}

static bool bind_lop3(struct pl_sm_op *op)
{
	switch (op->x) {
#define LOP3_CASE(t)                                                                                                   \
	case t:                                                                                                        \
		return set_handlers(op, lop3_##t);
		LOP3_USUAL(LOP3_CASE)
	default:
		return set_handlers(op, lop3_any);
	}
}

static bool bind_carry(const struct pl_isa_fields *f, struct pl_sm_op *op, bool wide)
{
	op->x = f->sub;
	op->imm = f->op == PL_ISA_MADX ? f->imm & 2047 : op->imm;
	switch (f->op) {
	case PL_ISA_ADDX:
		return set_both(op, wide ? addx_64_h : addx_32_h);
	case PL_ISA_SUBX:
		return set_both(op, wide ? subx_64_h : subx_32_h);
	default:
		return set_both(op, wide ? madx_64_h : madx_32_h);
	}
}

bool V(pl_sm_bind_bit)(const struct pl_isa_fields *f, struct pl_sm_op *op);
bool V(pl_sm_bind_bit)(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	bool wide = pl_isa_type_bytes(f->type) == 8 && pl_isa_ops[f->op].types;

	switch (f->op) {
	case PL_ISA_AND:
		if (f->na)
			return set_handlers(op, wide ? andn_64 : andn_32);
		return set_handlers(op, wide ? and_64 : and_32);
	case PL_ISA_OR:
		if (f->na)
			return set_handlers(op, wide ? orn_64 : orn_32);
		return set_handlers(op, wide ? or_64 : or_32);
	case PL_ISA_XOR:
		return set_handlers(op, wide ? xor_64 : xor_32);
	case PL_ISA_BREV:
		return set_handlers(op, wide ? brev_64 : brev_32);
	case PL_ISA_CLZ:
		return set_handlers(op, wide ? clz_64 : clz_32);
	case PL_ISA_POPC:
		return set_handlers(op, wide ? popc_64 : popc_32);
	case PL_ISA_FNS:
		return set_handlers(op, fns);
	case PL_ISA_PRMT:
		return set_handlers(op, f->sub ? prmt_mode : prmt_default);
	case PL_ISA_LOP3:
		op->x = f->imm & 255;
		return bind_lop3(op);
	case PL_ISA_DP4A:
		if (f->sub & 2)
			return set_handlers(op, f->sub & 1 ? dp4a_ss : dp4a_us);
		return set_handlers(op, f->sub & 1 ? dp4a_su : dp4a_uu);
	case PL_ISA_VSIMD:
		op->x = f->type | (uint32_t)f->type2 << 5 | (uint32_t)f->sub << 10 | (uint32_t)f->sat << 15 |
			(uint32_t)f->cmp << 16;
		op->c = f->sub & 16 ? op->c : 0;
		return set_handlers(op, vsimd);
	case PL_ISA_DP2A:
		op->x = f->sub;
		return set_handlers(op, dp2a);
	case PL_ISA_ADDX:
	case PL_ISA_SUBX:
	case PL_ISA_MADX:
		return bind_carry(f, op, wide);
	default:
		return bind_shift(f, op, wide) || bind_field(f, op, wide);
	}
}
