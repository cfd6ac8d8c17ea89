/* Conversions of any type to any.  Floats go through double, which holds each of them exactly; integers through 64
 * bits. */
#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "refgpu/compute/convert.h"
#include "refgpu/compute/half.h"

const struct pl_sm_small pl_sm_f16 = { 5, 10, .has_inf = true }, pl_sm_bf16 = { 8, 7, .has_inf = true },
			 pl_sm_tf32 = { 8, 10, .has_inf = true }, pl_sm_e4m3 = { 4, 3, .has_inf = false },
			 pl_sm_e5m2 = { 5, 2, .has_inf = true }, pl_sm_e2m3 = { 2, 3, .no_nan = true },
			 pl_sm_e3m2 = { 3, 2, .no_nan = true }, pl_sm_e2m1 = { 2, 1, .no_nan = true };
static const struct pl_sm_small ue8m0 = { 8, 0, .scale = true };

/* x: type | type2 << 5 | round << 10 | ftz << 13 | sat << 14 | sub << 16 | operation << 24 */
#define X_TYPE(x)  ((x)&31)
#define X_TYPE2(x) ((x) >> 5 & 31)
#define X_ROUND(x) ((x) >> 10 & 7)
#define X_FTZ(x)   ((x) >> 13 & 1)
#define X_SAT(x)   ((x) >> 14 & 1)
#define X_RELU(x)  ((x) >> 16 & 1)
#define X_FIN(x)   ((x) >> 17 & 1)
#define X_WHOLE(x) ((x) >> 18 & 1)
enum { CVT, CVT2, CVTPACK };
#define X_OP(x) ((x) >> 24)

void pl_sm_convert_bind(const struct pl_isa_fields *f, struct pl_sm_op *op)
{
	unsigned kind = f->op == PL_ISA_CVT ? CVT : f->op == PL_ISA_CVT2 ? CVT2 : CVTPACK;

	op->x = f->type | (uint32_t)f->type2 << 5 | (uint32_t)f->round << 10 | (uint32_t)f->ftz << 13 |
		(uint32_t)f->sat << 14 | (uint32_t)(f->sub & 7) << 16 | kind << 24;
}

/* Rounds a non-negative finite number to an integer. */
static double round_whole(double v, unsigned round, bool negative)
{
	double down = floor(v), rest = v - down;
	bool up = false;

	switch (round) {
	case PL_ISA_RN:
		up = rest > 0.5 || (rest == 0.5 && fmod(down, 2) != 0);
		break;
	case PL_ISA_RNA:
		up = rest >= 0.5;
		break;
	case PL_ISA_RM:
		up = negative && rest > 0;
		break;
	case PL_ISA_RP:
		up = !negative && rest > 0;
		break;
	default:
		break;
	}
	return up ? down + 1 : down;
}

/* A power of two: that below, or with RP that above; zero and what is smaller than all is the smallest. */
static uint32_t scale_pack(double v, unsigned round, bool satfinite)
{
	double a = fabs(v);
	int exponent;

	if (v != v)
		return 0xff;
	if (a <= 0x1p-127)
		return 0;
	(void)frexp(a, &exponent); /* a < 2^exponent */
	exponent += 126 + (round == PL_ISA_RP && a > ldexp(1, exponent - 1));
	if (isinf(v) || exponent >= 0xff)
		return satfinite ? 0xfe : 0xff;
	return exponent < 0 ? 0 : (uint32_t)exponent;
}

uint32_t pl_sm_small_pack(double v, const struct pl_sm_small *format, unsigned round, bool satfinite)
{
	int bias = (1 << (format->ebits - 1)) - 1, emin = 1 - bias, exponent;
	uint32_t sign = (uint32_t)signbit(v) << (format->ebits + format->mbits), mantissa_max = 1u << format->mbits;
	uint32_t infinity = ((1u << format->ebits) - 1) << format->mbits;
	uint32_t largest = format->has_inf  ? infinity - 1
			   : format->no_nan ? infinity + mantissa_max - 1
					    : infinity + mantissa_max - 2;
	double a = fabs(v), whole;
	bool away;
	uint32_t bits;

	if (format->scale)
		return scale_pack(v, round, satfinite);
	if (v != v && format->no_nan)
		return largest;
	satfinite |= format->no_nan;
	if (v != v)
		return format->has_inf && format->ebits + format->mbits != 7 ? infinity | (mantissa_max - 1) : 0x7f;
	if (isinf(v))
		return sign | (satfinite || !format->has_inf ? (satfinite ? largest : 0x7f) : infinity);
	if (a == 0)
		return sign;
	frexp(a, &exponent);
	exponent = exponent - 1 < emin ? emin : exponent - 1;
	whole = round_whole(ldexp(a, format->mbits - exponent), round, signbit(v));
	/* the mantissa with its leading one carries into the exponent by itself */
	bits = (uint32_t)whole + ((uint32_t)(exponent - emin) << format->mbits);
	if (exponent > bias + 1 || bits > largest) {
		away = round == PL_ISA_RN || round == PL_ISA_RNA || (round == PL_ISA_RP && !sign) ||
		       (round == PL_ISA_RM && sign);
		bits = satfinite || !away ? largest : format->has_inf ? infinity : 0x7f;
	}
	return sign | bits;
}

double pl_sm_small_unpack(uint32_t bits, const struct pl_sm_small *format)
{
	int bias = (1 << (format->ebits - 1)) - 1;
	uint32_t exponent = bits >> format->mbits & ((1u << format->ebits) - 1),
		 mantissa = bits & ((1u << format->mbits) - 1);
	double v;

	if (format->scale)
		return exponent == 0xff ? NAN : ldexp(1, (int)exponent - 127);
	if (format->has_inf && exponent == (1u << format->ebits) - 1)
		v = mantissa ? NAN : INFINITY;
	else if (!format->has_inf && !format->no_nan && exponent == (1u << format->ebits) - 1 &&
		 mantissa == (1u << format->mbits) - 1)
		v = NAN;
	else if (exponent)
		v = ldexp(1.0 + ldexp(mantissa, -format->mbits), (int)exponent - bias);
	else
		v = ldexp(mantissa, 1 - bias - format->mbits);
	return bits >> (format->ebits + format->mbits) & 1 ? -v : v;
}

static bool is_int(unsigned type)
{
	return type <= PL_ISA_S64;
}
static bool is_signed(unsigned type)
{
	return type == PL_ISA_S8 || type == PL_ISA_S16 || type == PL_ISA_S32 || type == PL_ISA_S64;
}

/* The number in a register, as it is: floats as doubles, integers extended to 64 bits. */
struct number {
	bool integer, negative, wide; /* wide: f64 */
	uint64_t bits;                /* two's complement */
	double v;
};

static struct number number_read(unsigned type, const char *at, bool ftz)
{
	struct number n = { .integer = is_int(type) };
	uint64_t wide = 0;

	memcpy(&wide, at, pl_isa_type_slots(type) * 4);
	switch (type) {
	case PL_ISA_U8:
		wide = (uint8_t)wide;
		break;
	case PL_ISA_S8:
		wide = (uint64_t)(int8_t)wide;
		break;
	case PL_ISA_U16:
		wide = (uint16_t)wide;
		break;
	case PL_ISA_S16:
		wide = (uint64_t)(int16_t)wide;
		break;
	case PL_ISA_S32:
		wide = (uint64_t)(int32_t)wide;
		break;
	case PL_ISA_F16:
		n.v = f16_to_f32((uint16_t)wide);
		break;
	case PL_ISA_BF16:
		n.v = bf16_to_f32((uint16_t)wide);
		break;
	case PL_ISA_F32:
	case PL_ISA_TF32:
		n.v = bits_f32((uint32_t)wide);
		if (ftz && fabs(n.v) < 0x1p-126)
			n.v = copysign(0, n.v);
		break;
	case PL_ISA_F64:
		n.v = bits_f64(wide);
		n.wide = true;
		break;
	default:
		break;
	}
	n.bits = wide;
	n.negative = n.integer ? is_signed(type) && (int64_t)wide < 0 : signbit(n.v);
	return n;
}

static uint64_t to_int(const struct number *n, unsigned type, unsigned round, bool saturate)
{
	unsigned width = pl_isa_type_bytes(type) * 8;
	uint64_t max = is_signed(type) ? (1ull << (width - 1)) - 1 : width == 64 ? ~0ull : (1ull << width) - 1;
	uint64_t min = is_signed(type) ? ~max : 0, r;
	double whole;

	if (n->integer) {
		r = n->bits;
		if (saturate && n->negative)
			r = is_signed(type) ? ((int64_t)r < (int64_t)min ? min : r) : 0;
		else if (saturate)
			r = r > max ? max : r;
		return r;
	}
	if (n->v != n->v) /* PTX: 0, or the highest bit where one side has 64 */
		return width == 64 || n->wide ? 1ull << (width - 1) : 0;
	if (isinf(n->v))
		return n->negative ? min : max;
	whole = round_whole(fabs(n->v), round, n->negative);
	if (n->negative)
		return !is_signed(type) ? 0 : whole >= ldexp(1, (int)width - 1) ? min : (uint64_t) - (int64_t)whole;
	return whole >= ldexp(1, (int)width - (is_signed(type) ? 1 : 0)) ? max : (uint64_t)whole;
}

/* An integer as a double that rounds once more without harm: what does not fit sticks to the lowest bit. */
static double int_odd(const struct number *n)
{
	uint64_t a = n->negative ? 0 - n->bits : n->bits;

	if (a >> 53)
		a = (a & ~0x7ffull) | (a & 0x7ff ? 0x800 : 0);
	return n->negative ? -(double)a : (double)a;
}

static uint32_t round_f32(double v, unsigned round)
{
	float f = (float)v;
	uint32_t u = f32_bits(f);

	if (v != v)
		return 0x7fffffff;
	if (round == PL_ISA_RN || (double)f == v)
		return u;
	/* one step back where the nearest lies on the wrong side */
	if (fabs((double)f) > fabs(v) && (round == PL_ISA_RZ || (round == PL_ISA_RM) == (v > 0)))
		return u - 1;
	if (fabs((double)f) < fabs(v) && round != PL_ISA_RZ && (round == PL_ISA_RP) == (v > 0))
		return u + 1;
	return u;
}

static double round_f64(const struct number *n, unsigned round)
{
	uint64_t a = n->negative ? 0 - n->bits : n->bits;
	double nearest = (double)a, v;
	int64_t diff = nearest >= 0x1p64 ? (int64_t)(a - UINT64_MAX) - 1 : (int64_t)(a - (uint64_t)nearest);

	v = nearest;
	if (diff < 0 &&
	    (round == PL_ISA_RZ || (round == PL_ISA_RM && !n->negative) || (round == PL_ISA_RP && n->negative)))
		v = nextafter(nearest, 0);
	if (diff > 0 && ((round == PL_ISA_RP && !n->negative) || (round == PL_ISA_RM && n->negative)))
		v = nextafter(nearest, INFINITY);
	return n->negative ? -v : v;
}

/* .rna to tf32 cuts the bits of a NaN as of any number: what is left may be an infinity. */
static uint32_t cut_nan(uint64_t bits, bool satfinite)
{
	uint32_t u = (uint32_t)bits & 0xffffe000;

	return satfinite && (u & 0x7fffffff) == 0x7f800000 ? u - 0x2000 : u;
}

/* A float result as its bits. */
static uint64_t to_float(const struct number *n, uint32_t x, unsigned type)
{
	unsigned round = X_ROUND(x);
	double v = n->integer ? (type == PL_ISA_F64 ? round_f64(n, round) : int_odd(n)) : n->v;
	uint32_t u;

	if (X_WHOLE(x) && !n->integer && v - v == 0)
		v = copysign(round_whole(fabs(v), round, n->negative), v);
	if (X_SAT(x))
		v = v > 0 ? (v < 1 ? v : 1) : 0;
	if (X_RELU(x) && !(v > 0) && v == v)
		v = 0;
	switch (type) {
	case PL_ISA_F64:
		return v == v ? f64_bits(v) : n->integer ? 0 : f64_bits(v) | 1ull << 51;
	case PL_ISA_F32:
		u = round_f32(v, round);
		return X_FTZ(x) && (u & 0x7f800000) == 0 ? u & 0x80000000 : u;
	case PL_ISA_TF32:
		if (v != v)
			return round == PL_ISA_RNA ? cut_nan(n->bits, X_FIN(x)) : 0x7fffffff;
		return pl_sm_small_pack(v, &pl_sm_tf32, round, X_FIN(x)) << 13;
	case PL_ISA_F16:
		return pl_sm_small_pack(v, &pl_sm_f16, round, X_FIN(x));
	case PL_ISA_BF16:
		return pl_sm_small_pack(v, &pl_sm_bf16, round, X_FIN(x));
	default:
		return 0;
	}
}

static void write_int(char *at, unsigned type, uint64_t value)
{
	uint32_t slot;

	if (pl_isa_type_bytes(type) == 8) {
		memcpy(at, &value, 8);
		return;
	}
	slot = (uint32_t)value;
	if (pl_isa_type_bytes(type) == 1)
		slot = is_signed(type) ? (uint32_t)(int8_t)value : (uint8_t)value;
	if (pl_isa_type_bytes(type) == 2)
		slot = is_signed(type) ? (uint32_t)(int16_t)value : (uint16_t)value;
	memcpy(at, &slot, 4);
}

static const struct pl_sm_small *small_of(unsigned type)
{
	switch (type) {
	case PL_ISA_F16X2:
		return &pl_sm_f16;
	case PL_ISA_BF16X2:
		return &pl_sm_bf16;
	case PL_ISA_E4M3X2:
		return &pl_sm_e4m3;
	case PL_ISA_E5M2X2:
		return &pl_sm_e5m2;
	case PL_ISA_E2M3X2:
		return &pl_sm_e2m3;
	case PL_ISA_E3M2X2:
		return &pl_sm_e3m2;
	case PL_ISA_E2M1X2:
		return &pl_sm_e2m1;
	case PL_ISA_UE8M0X2:
		return &ue8m0;
	default:
		return NULL;
	}
}

/* How far the two of a pair lie apart. */
static uint32_t pair_step(const struct pl_sm_small *format)
{
	unsigned bits = (unsigned)(1 + format->ebits + format->mbits);

	return bits == 4 ? 4 : bits <= 9 ? 8 : 16;
}

/* Two numbers from a pair, or a and b, into a pair. */
static uint32_t pack_pair(double high, double low, uint32_t x)
{
	const struct pl_sm_small *format = small_of(X_TYPE(x));
	double v[2] = { low, high };
	uint32_t r = 0;

	for (unsigned k = 0; k < 2; k++) {
		if (X_RELU(x) && !(v[k] > 0) && v[k] == v[k])
			v[k] = 0;
		r |= pl_sm_small_pack(v[k], format, X_ROUND(x), X_FIN(x)) << k * pair_step(format);
	}
	return r;
}

static void lane_pair(char *d, const char *a, uint32_t x)
{
	const struct pl_sm_small *from = small_of(X_TYPE2(x));
	uint32_t in, out;

	memcpy(&in, a, 4);
	out = pack_pair(pl_sm_small_unpack(in >> pair_step(from), from), pl_sm_small_unpack(in, from), x);
	memcpy(d, &out, 4);
}

static void lane_pack_ints(char *d, const char *a, const char *b, const char *c, uint32_t x)
{
	unsigned type = X_TYPE(x), width = pl_isa_type_bytes(type) * 8;
	uint32_t field = width == 16 ? 0xffff : 0xff, out = 0, old;
	const char *from[2] = { b, a };

	for (unsigned k = 0; k < 2; k++) {
		struct number n = number_read(PL_ISA_S32, from[k], false);
		out |= ((uint32_t)to_int(&n, type, 0, X_SAT(x)) & field) << width * k;
	}
	if (width == 8) {
		memcpy(&old, c, 4);
		out |= old << 16;
	}
	memcpy(d, &out, 4);
}

static void lane_one(char *d, const char *a, const char *b, const char *c, uint32_t x)
{
	unsigned type = X_TYPE(x);
	struct number n;
	uint64_t bits;

	if (X_OP(x) == CVT2) {
		float high, low;
		uint32_t out;

		memcpy(&high, a, 4), memcpy(&low, b, 4);
		out = pack_pair(high, low, x);
		memcpy(d, &out, 4);
		return;
	}
	if (X_OP(x) == CVTPACK) {
		lane_pack_ints(d, a, b, c, x);
		return;
	}
	if (small_of(type)) {
		lane_pair(d, a, x);
		return;
	}
	/* hardware takes denormals as they are where the result is half precision */
	n = number_read(X_TYPE2(x), a, X_FTZ(x) && type != PL_ISA_F16);
	if (is_int(type)) {
		write_int(d, type, to_int(&n, type, X_ROUND(x), X_SAT(x)));
		return;
	}
	bits = to_float(&n, x, type);
	memcpy(d, &bits, pl_isa_type_slots(type) * 4);
}

void pl_sm_convert(struct pl_sm_warp *w, const struct pl_sm_op *op, char *R, uint32_t mask)
{
	unsigned da = pl_isa_type_slots(X_OP(op->x) == CVT ? X_TYPE2(op->x) : PL_ISA_F32) * 4;
	unsigned dd = pl_isa_type_slots(X_OP(op->x) == CVTPACK ? PL_ISA_U32 : X_TYPE(op->x)) * 4;
	bool scalar = op->flags & PL_SM_OP_B_SCALAR;
	char a[32 * 8];

	memcpy(a, R + op->a, 32 * da);
	for (unsigned i = 0; i < 32; i++)
		if (mask >> i & 1)
			lane_one(R + op->d + i * dd, a + i * da, scalar ? pl_sm_scalar(w, op) : R + op->b + i * 4,
				 R + op->c + i * 4, op->x);
}
