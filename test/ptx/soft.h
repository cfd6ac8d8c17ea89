/* Binary floating point in software, for any format up to double: every operation is exact, then rounded once. */
#ifndef PL_TEST_PTX_SOFT_H
#define PL_TEST_PTX_SOFT_H

#include <stdbool.h>
#include <stdint.h>

struct sf_format {
	int exp_bits, man_bits;
	bool finite_only; /* e4m3: no infinity, one NaN */
	bool no_nan;      /* nor that: it becomes the largest */
};

extern const struct sf_format sf_f16, sf_bf16, sf_f32, sf_f64, sf_tf32, sf_e4m3, sf_e5m2, sf_e2m3, sf_e3m2, sf_e2m1;

enum sf_round {
	SF_NEAREST, /* ties to even */
	SF_ZERO,
	SF_DOWN,
	SF_UP,
	SF_AWAY, /* to nearest, ties away from zero */
};

enum sf_class {
	SF_NOUGHT,
	SF_FINITE,
	SF_INFINITE,
	SF_NAN,
};

/* A value: man has its top bit at 125 and may end in a sticky bit; [1, 2) * 2^exp. */
struct sf {
	enum sf_class class;
	bool neg;
	int exp;
	unsigned __int128 man;
};

enum {
	SF_FTZ = 1,       /* a subnormal result becomes zero of its sign */
	SF_SAT = 2,       /* clamp to [0, 1], NaN is +0 */
	SF_SATFINITE = 4, /* the largest finite number instead of infinity */
	SF_RELU = 8,      /* negative is +0 */
};

/* The value of BITS; with SF_FTZ a subnormal is zero of its sign. */
struct sf sf_unpack(const struct sf_format *format, uint64_t bits, unsigned flags);
uint64_t sf_pack(const struct sf_format *format, struct sf value, enum sf_round round, unsigned flags);
uint64_t sf_nan(const struct sf_format *format); /* what the architecture calls canonical */
bool sf_is_nan(const struct sf_format *format, uint64_t bits);

/* ROUND decides the sign of an exact zero only. */
struct sf sf_add(struct sf a, struct sf b, enum sf_round round);
struct sf sf_mul(struct sf a, struct sf b);
struct sf sf_div(struct sf a, struct sf b);
struct sf sf_sqrt(struct sf a);
struct sf sf_negate(struct sf a);
/* -1, 0, 1, or 2 when one is NaN. */
int sf_compare(struct sf a, struct sf b);

struct sf sf_from_int(uint64_t magnitude, bool neg);
/* To an integral value. */
struct sf sf_integral(struct sf a, enum sf_round round);
/* An integral value clamped to an integer of BITS bits; NaN gives NAN_BITS. */
uint64_t sf_to_int(struct sf a, int bits, bool is_signed, uint64_t nan_bits);
double sf_to_double(struct sf a);
struct sf sf_from_double(double d);

#endif
