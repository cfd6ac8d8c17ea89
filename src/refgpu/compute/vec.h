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

/* d and the sources are equally wide: stored as it goes.  x, y, z are the operands in `expr`. */
#define H1(name, TD, TA, expr)                                                                                         \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			d[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TD r = (TD)(expr);                                                                             \
			KEEP(TD, d, r);                                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}                                                                                                              \
	static const pl_sm_fn name[4] = { name##_f, name##_p, name##_f, name##_p };

#define H2_ONE(name, TD, TA, TB, take_b, read_b, expr)                                                                 \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			d[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			TD r = (TD)(expr);                                                                             \
			KEEP(TD, d, r);                                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
#define TAKE_R(TB) const TB *b = PL_SM_REG(TB, b)
#define TAKE_S(TB) const TB s = *(const TB *)pl_sm_scalar(w, op)
#define H2(name, TD, TA, TB, expr)                                                                                     \
	H2_ONE(name##_r, TD, TA, TB, TAKE_R(TB), b[i], expr)                                                           \
	H2_ONE(name##_s, TD, TA, TB, TAKE_S(TB), s, expr)                                                              \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };

#define H3_ONE(name, TD, TA, TB, TC, take_b, read_b, expr)                                                             \
	static void name##_f(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		const TC *c = PL_SM_REG(TC, c);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			TC z = c[i];                                                                                   \
			d[i] = (TD)(expr);                                                                             \
		}                                                                                                      \
		PL_SM_NEXT_FULL;                                                                                       \
	}                                                                                                              \
	static void name##_p(PL_SM_ARGS)                                                                               \
	{                                                                                                              \
		TD *d = PL_SM_REG(TD, d);                                                                              \
		const uint32_t ox = op->x;                                                                             \
		(void)ox;                                                                                              \
		const TA *a = PL_SM_REG(TA, a);                                                                        \
		const TC *c = PL_SM_REG(TC, c);                                                                        \
		take_b;                                                                                                \
		LANES_LOOP                                                                                             \
		{                                                                                                      \
			TA x = a[i];                                                                                   \
			TB y = read_b;                                                                                 \
			TC z = c[i];                                                                                   \
			TD r = (TD)(expr);                                                                             \
			KEEP(TD, d, r);                                                                                \
		}                                                                                                      \
		PL_SM_NEXT;                                                                                            \
	}
#define H3(name, TD, TA, TB, TC, expr)                                                                                 \
	H3_ONE(name##_r, TD, TA, TB, TC, TAKE_R(TB), b[i], expr)                                                       \
	H3_ONE(name##_s, TD, TA, TB, TC, TAKE_S(TB), s, expr)                                                          \
	static const pl_sm_fn name[4] = { name##_r_f, name##_r_p, name##_s_f, name##_s_p };

#include "refgpu/compute/vec-wide.h"

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
