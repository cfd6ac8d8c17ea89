/*
 * Lane loops: what the vector handlers are made of.  This file and vec-*.c are compiled once for each vector extension;
 * V(name) gives names that do not meet.  Loops over 32 lanes with no dependence between lanes, which the compiler turns
 * into vector code of the extension's width.
 */
#ifndef PL_REFGPU_COMPUTE_VEC_H
#define PL_REFGPU_COMPUTE_VEC_H

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "refgpu/compute/next.h"

#define V_PASTE2(name, build) name##_##build
#define V_PASTE(name, build)  V_PASTE2(name, build)
#define V(name)               V_PASTE(name, PL_SM_BUILD)

#if defined(__clang__)
#define PL_SM_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define PL_SM_IVDEP _Pragma("GCC ivdep")
#endif
#define LANES_LOOP PL_SM_IVDEP for (int i = 0; i < 32; i++)

static const _Alignas(64) uint32_t lane_bit[32] = {
#define B(n)  1u << (n)
#define B4(n) B(n), B(n + 1), B(n + 2), B(n + 3)
	B4(0), B4(4), B4(8), B4(12), B4(16), B4(20), B4(24), B4(28)
#undef B4
#undef B
};
static const _Alignas(64) uint64_t lane_bit64[32] = {
#define B(n)  1ull << (n)
#define B4(n) B(n), B(n + 1), B(n + 2), B(n + 3)
	B4(0), B4(4), B4(8), B4(12), B4(16), B4(20), B4(24), B4(28)
#undef B4
#undef B
};
#define ON(type)             (sizeof(type) == 8 ? (lane_bit64[i] & mask) != 0 : (lane_bit[i] & mask) != 0)
#define KEEP(type, d, value) ((d)[i] = ON(type) ? (value) : (d)[i])

/*
 * How results reach d.  NARROW: d and the sources are equally wide, so each is stored as it comes.  WIDE: they differ,
 * so all is read before anything is written, as registers may overlap.
 */
#define NARROW_HOLD(TD)
#define NARROW_ALL(TD, value) d[i] = (TD)(value)
#define NARROW_SOME(TD, value)                                                                                         \
	TD r = (TD)(value);                                                                                            \
	KEEP(TD, d, r)
#define NARROW_END_ALL(TD)
#define NARROW_END_SOME(TD)
#define WIDE_HOLD(TD)        _Alignas(64) TD r[32];
#define WIDE_ALL(TD, value)  r[i] = (TD)(value)
#define WIDE_SOME(TD, value) r[i] = (TD)(value)
#define WIDE_END_ALL(TD)     LANES_LOOP d[i] = r[i];
#define WIDE_END_SOME(TD)    LANES_LOOP KEEP(TD, d, r[i]);

#define H_LANES(name, which, next, how, TD, take, read, expr)                                                          \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		how##_HOLD(TD) take;                                                                                   \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			read;                                                                                          \
			how##_##which(TD, expr);                                                                       \
		}                                                                                                      \
		how##_END_##which(TD) next;                                                                            \
	}
#define H_ONE(name, how, TD, take, read, expr)                                                                         \
	H_LANES(name##_f, ALL, PL_SM_NEXT_FULL, how, TD, take, read, expr)                                             \
	H_LANES(name##_p, SOME, PL_SM_NEXT, how, TD, take, read, expr)

/* x, y, z are the operands in `expr`; b is a register or a scalar. */
#define TAKE_A(TA) const TA *a = PL_SM_REG(TA, a)
#define TAKE_R(TB) const TB *b = PL_SM_REG(TB, b)
#define TAKE_S(TB) const TB s = *(const TB *)pl_sm_scalar(w, op)
#define TAKE_C(TC) const TC *c = PL_SM_REG(TC, c)
#define H1_AS(how, name, TD, TA, expr)                                                                                 \
	H_ONE(name, how, TD, TAKE_A(TA), TA x = a[i], expr)                                                            \
	static const pl_sm_fn name[4] = { name##_f, name##_p, name##_f, name##_p };
#define H2_AS(how, name, TD, TA, TB, expr)                                                                             \
	H_ONE(name##_r, how, TD, TAKE_A(TA); TAKE_R(TB), TA x = a[i]; TB y = b[i], expr)                               \
	H_ONE(name##_s, how, TD, TAKE_A(TA); TAKE_S(TB), TA x = a[i]; TB y = s, expr)                                  \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };
#define H3_AS(how, name, TD, TA, TB, TC, expr)                                                                         \
	H_ONE(name##_r, how, TD, TAKE_A(TA); TAKE_C(TC); TAKE_R(TB), TA x = a[i]; TB y = b[i]; TC z = c[i], expr)      \
	H_ONE(name##_s, how, TD, TAKE_A(TA); TAKE_C(TC); TAKE_S(TB), TA x = a[i]; TB y = s; TC z = c[i], expr)         \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };

#define H1(name, TD, TA, expr)          H1_AS(NARROW, name, TD, TA, (expr))
#define H2(name, TD, TA, TB, expr)      H2_AS(NARROW, name, TD, TA, TB, (expr))
#define H3(name, TD, TA, TB, TC, expr)  H3_AS(NARROW, name, TD, TA, TB, TC, (expr))
#define HW1(name, TD, TA, expr)         H1_AS(WIDE, name, TD, TA, (expr))
#define HW2(name, TD, TA, TB, expr)     H2_AS(WIDE, name, TD, TA, TB, (expr))
#define HW3(name, TD, TA, TB, TC, expr) H3_AS(WIDE, name, TD, TA, TB, TC, (expr))

/* One handler for all masks and both kinds of b, for what is seldom or costs much anyway: operands are copied, the
 * result goes through a copy, so widths may differ.  `body` works on x[], y[], z[] and leaves r[]. */
#define HSLOW(name, TD, TA, TB, TC, ...)                                                                               \
	static __attribute__((noinline)) void name##_do(PL_SM_ARGS)                                                    \
	{                                                                                                              \
		_Alignas(64) TD r[32];                                                                                 \
		_Alignas(64) TA x[32];                                                                                 \
		_Alignas(64) TB y[32];                                                                                 \
		_Alignas(64) TC z[32];                                                                                 \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		{                                                                                                      \
			const TA *a_ = PL_SM_REG(const TA, a);                                                         \
			LANES_LOOP x[i] = a_[i];                                                                       \
		}                                                                                                      \
		if (op->flags & PL_SM_OP_B_SCALAR) {                                                                   \
			TB s = *(const TB *)pl_sm_scalar(w, op);                                                       \
			LANES_LOOP y[i] = s;                                                                           \
		} else {                                                                                               \
			const TB *b_ = PL_SM_REG(const TB, b);                                                         \
			LANES_LOOP y[i] = b_[i];                                                                       \
		}                                                                                                      \
		{                                                                                                      \
			const TC *c_ = PL_SM_REG(const TC, c);                                                         \
			LANES_LOOP z[i] = c_[i];                                                                       \
		}                                                                                                      \
		__VA_ARGS__;                                                                                           \
		(void)x, (void)y, (void)z;                                                                             \
		if (mask == PL_SM_ALL)                                                                                 \
			LANES_LOOP d[i] = r[i];                                                                        \
		else                                                                                                   \
			LANES_LOOP KEEP(TD, d, r[i]);                                                                  \
	}                                                                                                              \
	static void name##_h(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		name##_do(w, op, R, mask);                                                                             \
		PL_SM_NEXT;                                                                                            \
	}                                                                                                              \
	static const pl_sm_fn name[4] = { name##_h, name##_h, name##_h, name##_h };

static inline bool set_handlers(struct pl_sm_op *op, const pl_sm_fn fn[4])
{
	unsigned scalar = op->flags & PL_SM_OP_B_SCALAR ? 2 : 0;

	op->fn[0] = fn[scalar];
	op->fn[1] = fn[scalar + 1];
	return true;
}

/* x86-64 has these in every extension; elsewhere rounding other than to nearest goes through fenv. */
static inline uint32_t round_begin(unsigned round)
{
#if defined(__x86_64__)
	static const uint16_t mode[8] = { 0x0000, 0x6000, 0x2000, 0x4000 };
	uint32_t saved = _mm_getcsr(), csr = (saved & ~0x6000u) | mode[round & 7];
	__asm__ volatile("ldmxcsr %0" : : "m"(csr) : "memory");
	return saved;
#else
#error "rounding modes: only x86-64 so far"
#endif
}

static inline void round_end(uint32_t saved)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(saved) : "memory");
}

#endif
