/* Integer operations, bits, compares: what they have to give. */
#include "refgpu/compute/cases.h"

#define R(name, e)                                                                                                     \
	static uint64_t name(uint64_t a, uint64_t b, uint64_t c)                                                       \
	{                                                                                                              \
		(void)a, (void)b, (void)c;                                                                             \
		return (uint64_t)(e);                                                                                  \
	}
typedef int8_t s8;
typedef uint8_t u8;
typedef int16_t s16;
typedef uint16_t u16;
typedef int32_t s32;
typedef uint32_t u32;
typedef int64_t s64;
typedef uint64_t u64;
typedef unsigned __int128 u128;
typedef __int128 s128;

static s64 clamp(s64 v, s64 low, s64 high)
{
	return v < low ? low : v > high ? high : v;
}
#define SAT(v) clamp(v, INT32_MIN, INT32_MAX)

R(add32, a + b)
R(add16u, (u16)(a + b))
R(add16s, (u32)(s16)(a + b))
R(sub32, a - b)
R(rsub, b - a)
R(adds, SAT((s64)(s32)a + (s32)b))
R(subs, SAT((s64)(s32)a - (s32)b))
R(mul, a *b)
R(mul16u, (u16)(a *b))
R(mul16s, (u32)(s16)(a *b))
R(hi16u, (u32)(u16)a *(u16)b >> 16)
R(hi16s, (u32)((s32)(s16)a *(s16)b >> 16))
R(hi32u, a *b >> 32)
R(hi32s, (s64)(s32)a *(s32)b >> 32)
R(hi64u, (u128)a *b >> 64)
R(hi64s, (s128)(s64)a *(s64)b >> 64)
R(w16u, (u32)(u16)a *(u16)b)
R(w16s, (u32)((s32)(s16)a *(s16)b))
R(w32u, a *b)
R(w32s, (s64)(s32)a *(s32)b)
R(mad, a *b + c)
R(mad16s, (u32)(s16)(a *b + c))
R(madhi32u, (a * b >> 32) + c)
R(madhi64s, ((u64)((s128)(s64)a * (s64)b >> 64)) + c)
R(madhis, SAT(((s64)(s32)a * (s32)b >> 32) + (s32)c))
R(madw32s, (u64)((s64)(s32)a *(s32)b) + c)
R(madw16u, (u32)(u16)a *(u16)b + c)
R(m24lo_u, (a & 0xffffff) * (b & 0xffffff))
R(m24hi_u, (a & 0xffffff) * (b & 0xffffff) >> 16)
R(m24hi_s, (u64)((s64)((s32)((u32)a << 8) >> 8) * ((s32)((u32)b << 8) >> 8) >> 16))
R(m24lo_s, (u64)((s64)((s32)((u32)a << 8) >> 8) * ((s32)((u32)b << 8) >> 8)))
R(mad24, ((a & 0xffffff) * (b & 0xffffff)) + c)
R(sad_u, c + (a > b ? a - b : b - a))
R(sad_s, c + ((s32)a > (s32)b ? (u32)a - (u32)b : (u32)b - (u32)a))
R(div32u, b ? a / b : ~0ull)
R(div32s, (s32)b == 0 ? -1 : (s64)(s32)a / (s32)b)
R(div64u, b ? a / b : ~0ull)
R(div64s, b == 0 ? -1 : b == ~0ull ? (s64)(0 - a) : (s64)a / (s64)b)
R(div16u, (u16)b ? (u16)a / (u16)b : 0xffff)
R(div16s, (s16)b ? (u32)(s16)((s16)a / (s16)b) : (u32)-1)
R(rem32u, b ? a % b : a)
R(rem32s, (s32)b == 0 ? (s32)a : (s32)((s64)(s32)a % (s32)b))
R(rem64s, b == 0 ? (s64)a : b == ~0ull ? 0 : (s64)a % (s64)b)
R(rem64u, b ? a % b : a)
R(rem16s, (s16)b ? (u32)(s16)((s16)a % (s16)b) : (u32)(s16)a)
R(abs32, (s32)a < 0 ? 0 - a : a)
R(abs64, (s64)a < 0 ? 0 - a : a)
R(abs16, (u32)(s16)((s16)a < 0 ? -(s16)a : (s16)a))
R(neg, 0 - a)
R(not16, (u16)~a)
R(not_, ~a)
R(cnot, (u32)a == 0)
R(min32u, a < b ? a : b)
R(min32s, (s32)a < (s32)b ? a : b)
R(max64s, (s64)a > (s64)b ? a : b)
R(max64u, a > b ? a : b)
R(min16s, (u32)((s16)a < (s16)b ? (s16)a : (s16)b))
R(max16u, (u16)a > (u16)b ? (u16)a : (u16)b)
R(min16x2,
  ((s16)a < (s16)b ? (u16)a : (u16)b) | (u32)((s16)(a >> 16) < (s16)(b >> 16) ? (u16)(a >> 16) : (u16)(b >> 16)) << 16)
R(maxu16x2,
  ((u16)a > (u16)b ? (u16)a : (u16)b) | (u32)((u16)(a >> 16) > (u16)(b >> 16) ? (u16)(a >> 16) : (u16)(b >> 16)) << 16)
R(add16x2, (u16)(a + b) | (u32)(u16)((a >> 16) + (b >> 16)) << 16)
R(minrelu, (s32)a < 0 || (s32)b < 0 ? 0 : min32u(a, b, 0))
R(and_, a &b)
R(andn, ~a &b)
R(or_, a | b)
R(xor_, a ^ b)
R(shl32, b > 31 ? 0 : a << b)
R(shl64, b > 63 ? 0 : a << b)
R(shl16, b > 15 ? 0 : (u16)(a << b))
R(shr32u, b > 31 ? 0 : a >> b)
R(shr32s, (s32)a >> (b > 31 ? 31 : b))
R(shr64u, b > 63 ? 0 : a >> b)
R(shr64s, (s64)a >> (b > 63 ? 63 : b))
R(shr16s, (u32)((s16)a >> (b > 15 ? 15 : b)))
R(shf_lc, (c << 32 | a) << (b > 32 ? 32 : b) >> 32)
R(shf_lw, (c << 32 | a) << (b & 31) >> 32)
R(shf_rc, (c << 32 | a) >> (b > 32 ? 32 : b))
R(shf_rw, (c << 32 | a) >> (b & 31))
static u64 bit_by_bit_bfe(u64 a, u64 b, u64 c, unsigned width, int is_signed)
{
	/* PTX's own definition */
	unsigned pos = b & 255, len = c & 255, top = pos + len - 1;
	u64 sign, d = 0;

	top = top < width - 1 ? top : width - 1;
	sign = !is_signed || len == 0 ? 0 : a >> top & 1;
	for (unsigned i = 0; i < width; i++)
		d |= (i < len && pos + i < width ? a >> (pos + i) & 1 : sign) << i;
	return d;
}
static u64 bit_by_bit_bfi(u64 a, u64 b, unsigned pos, unsigned len, unsigned width)
{
	u64 f = b;

	for (unsigned i = 0; i < len && pos + i < width; i++)
		f = (f & ~(1ull << (pos + i))) | (a >> i & 1) << (pos + i);
	return f;
}
R(bfe_u, bit_by_bit_bfe(a, b, c, 32, 0))
R(bfe_s, bit_by_bit_bfe(a, b, c, 32, 1))
R(bfe_u64, bit_by_bit_bfe(a, b, c, 64, 0))
R(bfe_s64, bit_by_bit_bfe(a, b, c, 64, 1))
R(bfei_5_9, bit_by_bit_bfe(a, 5, 9, 32, 0))
R(bfei_30_9s, bit_by_bit_bfe(a, 30, 9, 32, 1))
R(bfei_3_7s, bit_by_bit_bfe(a, 3, 7, 32, 1))
R(bfi_cc, bit_by_bit_bfi(a, b, c & 255, c & 255, 32))
R(bfi_64, bit_by_bit_bfi(a, b, c & 255, c & 255, 64))
R(bfii_4_8, bit_by_bit_bfi(a, b, 4, 8, 32))
R(bfii_40_12, bit_by_bit_bfi(a, b, 40, 12, 64))
static u64 highest(u64 v, unsigned width)
{
	for (unsigned i = width; i-- > 0;)
		if (v >> i & 1)
			return i;
	return 0xffffffffu;
}
R(bfind_u, highest(a, 32))
R(bfind_s, highest((s32)a < 0 ? (u32)~a : a, 32))
R(bfind_u64, highest(a, 64))
R(bfind_sa, highest((s64)a < 0 ? ~a : a, 64) == 0xffffffffu ? 0xffffffffu : 63 - highest((s64)a < 0 ? ~a : a, 64))
static u64 reversed(u64 v, unsigned width)
{
	u64 r = 0;

	for (unsigned i = 0; i < width; i++)
		r |= (v >> i & 1) << (width - 1 - i);
	return r;
}
R(brev, reversed(a, 32))
R(brev64, reversed(a, 64))
R(clz, 31 - (s64)(s32)highest(a, 32))
R(clz64, 63 - (s64)(s32)highest(a, 64))
R(popc, __builtin_popcount((u32)a))
R(popc64, __builtin_popcountll(a))
R(bmsk_c, (u32)a > 31 ? 0 : (b > 31 ? ~0ull : (1ull << b) - 1) << a)
R(bmsk_w, ((1ull << (b & 31)) - 1) << (a & 31))
R(szext_u, b > 31 ? a : a & ((1ull << b) - 1))
R(szext_s, b > 31 ? a : b == 0 ? 0 : (u64)((s64)(a << (64 - b)) >> (64 - b)))
static u64 prmt_by_byte(u64 a, u64 b, u64 c)
{
	u64 pool = b << 32 | a, d = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned sel = c >> 4 * i & 15, byte = pool >> (sel & 7) * 8 & 255;
		d |= (u64)(sel & 8 ? (byte & 128 ? 255 : 0) : byte) << 8 * i;
	}
	return d;
}
R(prmt, prmt_by_byte(a, b, c))
R(prmt_f4e, (b << 32 | a) >> (c & 3) * 8)
R(prmt_rc8, (a >> (c & 3) * 8 & 255) * 0x01010101)
R(prmt_rc16, (a >> (c & 1) * 16 & 65535) * 0x10001)
static u64 lop3_bits(u64 a, u64 b, u64 c, unsigned t)
{
	u64 d = 0;

	for (unsigned i = 0; i < 32; i++)
		d |= (u64)(t >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1)) & 1) << i;
	return d;
}
R(lop3_96, lop3_bits(a, b, c, 0x96))
R(lop3_ca, lop3_bits(a, b, c, 0xca))
R(lop3_3b, lop3_bits(a, b, c, 0x3b))
R(lop3_71, lop3_bits(a, b, c, 0x71))
R(dp4a_uu, c + (a & 255) * (b & 255) + (a >> 8 & 255) * (b >> 8 & 255) + (a >> 16 & 255) * (b >> 16 & 255) +
		   (a >> 24) * (b >> 24))
R(dp4a_ss,
  c + (s8)a * (s8)b + (s8)(a >> 8) * (s8)(b >> 8) + (s8)(a >> 16) * (s8)(b >> 16) + (s8)(a >> 24) * (s8)(b >> 24))
R(dp4a_su,
  c + (s8)a * (u8)b + (s8)(a >> 8) * (u8)(b >> 8) + (s8)(a >> 16) * (u8)(b >> 16) + (s8)(a >> 24) * (u8)(b >> 24))
R(dp2a_uu, c + (u64)(u16)a * (u8)b + (u64)(u16)(a >> 16) * (u8)(b >> 8))
R(dp2a_ss_hi, c + (s16)a * (s8)(b >> 16) + (s16)(a >> 16) * (s8)(b >> 24))
R(addx, a + b + (c & 1))
R(subx, a - b - (c & 1))
R(sel, c & 1 ? a : b)
R(seln, c & 1 ? b : a)
R(slct, (s32)c >= 0 ? a : b)
R(second, b)
R(second16s, (u32)(s16)b)
R(second8u, (u8)b)
R(pack16, (a & 0xffff) | b << 16)
R(pack32, a | b << 32)
R(half16s, (u32)(s16)(a >> 16))
R(half32, a >> 32)
R(eq, (u32)a == (u32)b)
R(ne64, a != b)
R(lt_s, (s32)a < (s32)b)
R(lt_u, (u32)a < (u32)b)
R(le_s64, (s64)a <= (s64)b)
R(ge_u64, a >= b)
R(gt_s16, (s16)a > (s16)b)
R(lt_and, (s32)a < (s32)b && c & 1)
R(nlt_or_not, !((u32)a < (u32)b) || !(c & 1))
R(gt_xor, ((u32)a > (u32)b) ^ (c & 1))
R(set_lt, (s32)a < (s32)b ? ~0ull : 0)
R(set_f, (s32)a < (s32)b ? 0x3f800000 : 0)

const struct ops_case ops_int[] = {
	{ "add.u32 D4, A4, B4", add32, 0 },
	{ "add.u64 D8, A8, B8", add32, 0 },
	{ "add.u16 D4, A4, B4", add16u, 0 },
	{ "add.s16 D4, A4, B4", add16s, 0 },
	{ "sub.s32 D4, A4, B4", sub32, 0 },
	{ "sub.u64 D8, A8, B8", sub32, 0 },
	{ "rsub.u32 D4, A4, B4", rsub, 0 },
	{ "rsub.s64 D8, A8, B8", rsub, 0 },
	{ "add.s32.sat D4, A4, B4", adds, 0 },
	{ "sub.s32.sat D4, A4, B4", subs, 0 },
	{ "mul.u32 D4, A4, B4", mul, 0 },
	{ "mul.s64 D8, A8, B8", mul, 0 },
	{ "mul.u16 D4, A4, B4", mul16u, 0 },
	{ "mul.s16 D4, A4, B4", mul16s, 0 },
	{ "mulhi.u16 D4, A4, B4", hi16u, 0 },
	{ "mulhi.s16 D4, A4, B4", hi16s, 0 },
	{ "mulhi.u32 D4, A4, B4", hi32u, 0 },
	{ "mulhi.s32 D4, A4, B4", hi32s, 0 },
	{ "mulhi.u64 D8, A8, B8", hi64u, 0 },
	{ "mulhi.s64 D8, A8, B8", hi64s, 0 },
	{ "mulw.u16 D4, A4, B4", w16u, 0 },
	{ "mulw.s16 D4, A4, B4", w16s, 0 },
	{ "mulw.u32 D8, A4, B4", w32u, 0 },
	{ "mulw.s32 D8, A4, B4", w32s, 0 },
	{ "mad.u32 D4, A4, B4, C4", mad, 0 },
	{ "mad.u64 D8, A8, B8, C8", mad, 0 },
	{ "mad.s16 D4, A4, B4, C4", mad16s, 0 },
	{ "madhi.u32 D4, A4, B4, C4", madhi32u, 0 },
	{ "madhi.s64 D8, A8, B8, C8", madhi64s, 0 },
	{ "madhi.s32.sat D4, A4, B4, C4", madhis, 0 },
	{ "madw.s32 D8, A4, B4, C8", madw32s, 0 },
	{ "madw.u16 D4, A4, B4, C4", madw16u, 0 },
	{ "mul24.u32 D4, A4, B4", m24lo_u, 0 },
	{ "mul24.u32.sub1 D4, A4, B4", m24hi_u, 0 },
	{ "mul24.s32.sub1 D4, A4, B4", m24hi_s, 0 },
	{ "mul24.s32 D4, A4, B4", m24lo_s, 0 },
	{ "mad24.u32 D4, A4, B4, C4", mad24, 0 },
	{ "sad.u32 D4, A4, B4, C4", sad_u, 0 },
	{ "sad.s32 D4, A4, B4, C4", sad_s, 0 },
	{ "sad.u64 D8, A8, B8, C8", sad_u, 0 },
	{ "div.u32 D4, A4, B4", div32u, 0 },
	{ "div.s32 D4, A4, B4", div32s, 0 },
	{ "div.u64 D8, A8, B8", div64u, 0 },
	{ "div.s64 D8, A8, B8", div64s, 0 },
	{ "div.u16 D4, A4, B4", div16u, 0 },
	{ "div.s16 D4, A4, B4", div16s, 0 },
	{ "rem.u32 D4, A4, B4", rem32u, 0 },
	{ "rem.s32 D4, A4, B4", rem32s, 0 },
	{ "rem.s64 D8, A8, B8", rem64s, 0 },
	{ "rem.u64 D8, A8, B8", rem64u, 0 },
	{ "rem.s16 D4, A4, B4", rem16s, 0 },
	{ "abs.s32 D4, A4", abs32, 0 },
	{ "abs.s64 D8, A8", abs64, 0 },
	{ "abs.s16 D4, A4", abs16, 0 },
	{ "neg.s32 D4, A4", neg, 0 },
	{ "neg.s64 D8, A8", neg, 0 },
	{ "not.u16 D4, A4", not16, 0 },
	{ "not.u32 D4, A4", not_, 0 },
	{ "not.u64 D8, A8", not_, 0 },
	{ "cnot.u32 D4, A4", cnot, 0 },
	{ "min.u32 D4, A4, B4", min32u, 0 },
	{ "min.s32 D4, A4, B4", min32s, 0 },
	{ "max.s64 D8, A8, B8", max64s, 0 },
	{ "max.u64 D8, A8, B8", max64u, 0 },
	{ "min.s16 D4, A4, B4", min16s, 0 },
	{ "max.u16 D4, A4, B4", max16u, 0 },
	{ "min.s16x2 D4, A4, B4", min16x2, 0 },
	{ "max.u16x2 D4, A4, B4", maxu16x2, 0 },
	{ "add.u16x2 D4, A4, B4", add16x2, 0 },
	{ "min.s32.sub4 D4, A4, B4", minrelu, 0 },
	{ "and.u32 D4, A4, B4", and_, 0 },
	{ "and.u64 D8, -A8, B8", andn, 0 },
	{ "or.u64 D8, A8, B8", or_, 0 },
	{ "xor.u32 D4, A4, B4", xor_, 0 },
	{ "shl.u32 D4, A4, B4", shl32, 0 },
	{ "shl.u64 D8, A8, B4", shl64, 0 },
	{ "shl.u16 D4, A4, B4", shl16, 0 },
	{ "shr.u32 D4, A4, B4", shr32u, 0 },
	{ "shr.s32 D4, A4, B4", shr32s, 0 },
	{ "shr.u64 D8, A8, B4", shr64u, 0 },
	{ "shr.s64 D8, A8, B4", shr64s, 0 },
	{ "shr.s16 D4, A4, B4", shr16s, 0 },
	{ "shf D4, A4, B4, C4", shf_lc, 0 },
	{ "shf.sub2 D4, A4, B4, C4", shf_lw, 0 },
	{ "shf.sub1 D4, A4, B4, C4", shf_rc, 0 },
	{ "shf.sub3 D4, A4, B4, C4", shf_rw, 0 },
	{ "bfe.u32 D4, A4, B4, C4", bfe_u, 0 },
	{ "bfe.s32 D4, A4, B4, C4", bfe_s, 0 },
	{ "bfe.u64 D8, A8, B4, C4", bfe_u64, 0 },
	{ "bfe.s64 D8, A8, B4, C4", bfe_s64, 0 },
	{ "bfei.u32 D4, A4, $0x905", bfei_5_9, 0 },
	{ "bfei.s32 D4, A4, $0x91e", bfei_30_9s, 0 },
	{ "bfei.s32 D4, A4, $0x703", bfei_3_7s, 0 },
	{ "bfi.u32 D4, A4, B4, C4, C4", bfi_cc, 0 },
	{ "bfi.u64 D8, A8, B8, C4, C4", bfi_64, 0 },
	{ "bfii.u32 D4, A4, B4, $0x804", bfii_4_8, 0 },
	{ "bfii.u64 D8, A8, B8, $0xc28", bfii_40_12, 0 },
	{ "bfind.u32 D4, A4", bfind_u, 0 },
	{ "bfind.s32 D4, A4", bfind_s, 0 },
	{ "bfind.u64 D4, A8", bfind_u64, 0 },
	{ "bfind.s64.sub1 D4, A8", bfind_sa, 0 },
	{ "brev.u32 D4, A4", brev, 0 },
	{ "brev.u64 D8, A8", brev64, 0 },
	{ "clz.u32 D4, A4", clz, 0 },
	{ "clz.u64 D4, A8", clz64, 0 },
	{ "popc.u32 D4, A4", popc, 0 },
	{ "popc.u64 D4, A8", popc64, 0 },
	{ "bmsk D4, A4, B4", bmsk_c, 0 },
	{ "bmsk.sub1 D4, A4, B4", bmsk_w, 0 },
	{ "szext.u32 D4, A4, B4", szext_u, 0 },
	{ "szext.s32 D4, A4, B4", szext_s, 0 },
	{ "prmt D4, A4, B4, C4", prmt, 0 },
	{ "prmt.sub1 D4, A4, B4, C4", prmt_f4e, 0 },
	{ "prmt.sub3 D4, A4, B4, C4", prmt_rc8, 0 },
	{ "prmt.sub6 D4, A4, B4, C4", prmt_rc16, 0 },
	{ "lop3 D4, A4, B4, C4, $0x96", lop3_96, 0 },
	{ "lop3 D4, A4, B4, C4, $0xca", lop3_ca, 0 },
	{ "lop3 D4, A4, B4, C4, $0x3b", lop3_3b, 0 },
	{ "lop3 D4, A4, B4, C4, $0x71", lop3_71, 0 },
	{ "dp4a D4, A4, B4, C4", dp4a_uu, 0 },
	{ "dp4a.sub3 D4, A4, B4, C4", dp4a_ss, 0 },
	{ "dp4a.sub1 D4, A4, B4, C4", dp4a_su, 0 },
	{ "dp2a D4, A4, B4, C4", dp2a_uu, 0 },
	{ "dp2a.sub7 D4, A4, B4, C4", dp2a_ss_hi, 0 },
	{ "addx.u32.sub1 D4, A4, B4, CP", addx, 0 },
	{ "addx.u64.sub1 D8, A8, B8, CP", addx, 0 },
	{ "subx.u32.sub1 D4, A4, B4, CP", subx, 0 },
	{ "sel.u32 D4, A4, B4, CP", sel, 0 },
	{ "sel.u64 D8, A8, B8, CP", sel, 0 },
	{ "sel.u32 D4, A4, B4, !CP", seln, 0 },
	{ "slct.u32.s32 D4, A4, B4, C4", slct, 0 },
	{ "slct.u64.s32 D8, A8, B8, C4", slct, 0 },
	{ "mov.u32 D4, B4", second, 0 },
	{ "mov.u64 D8, B8", second, 0 },
	{ "mov.s16 D4, B4", second16s, 0 },
	{ "mov.u8 D4, B4", second8u, 0 },
	{ "pack.u16 D4, A4, B4", pack16, 0 },
	{ "pack.u32 D8, A4, B4", pack32, 0 },
	{ "half.s16.sub1 D4, A4", half16s, 0 },
	{ "half.u32.sub1 D4, A8", half32, 0 },
	{ "setp.u32.eq DP, A4, B4, PT", eq, 0 },
	{ "setp.u64.ne DP, A8, B8, PT", ne64, 0 },
	{ "setp.s32.lt DP, A4, B4, PT", lt_s, 0 },
	{ "setp.u32.lt DP, A4, B4, PT", lt_u, 0 },
	{ "setp.s64.le DP, A8, B8, PT", le_s64, 0 },
	{ "setp.u64.ge DP, A8, B8, PT", ge_u64, 0 },
	{ "setp.s16.gt DP, A4, B4, PT", gt_s16, 0 },
	{ "setp.s32.lt.and DP, A4, B4, CP", lt_and, 0 },
	{ "setp.u32.lt.or !DP, A4, B4, !CP", nlt_or_not, 0 },
	{ "setp.u32.gt.xor DP, A4, B4, CP", gt_xor, 0 },
	{ "set.s32.u32.lt D4, A4, B4, PT", set_lt, 0 },
	{ "set.s32.f32.lt D4, A4, B4, PT", set_f, 0 },
};
const unsigned ops_int_count = sizeof(ops_int) / sizeof(*ops_int);
