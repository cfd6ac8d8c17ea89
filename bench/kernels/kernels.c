/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_LINE    (4u << 20)
#define N_SIDE    2048u
#define N_MATRIX  512u
#define N_OPTIONS (1u << 20)
#define N_BODIES  4096u

/* The texts lie beside this file. */
#define TEXT(symbol, file)                                                                                             \
	__asm__(".section .rodata\n.global " symbol "\n" symbol ":\n.incbin \"" file "\"\n.byte 0\n.previous\n")
TEXT("pl_bench_kernels_cl", PL_BENCH_KERNELS_DIR "/kernels.cl");
TEXT("pl_bench_kernels_ptx", PL_BENCH_KERNELS_DIR "/kernels.ptx");

static uint32_t random_next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* 0 to below 1, in steps that float sums hold exactly enough. */
static float random_float(uint32_t *state)
{
	return (float)(random_next(state) >> 20) / 4096.0f;
}

static void fill_floats(const struct pl_bench_kernel *kernel, void *in0, void *in1)
{
	uint32_t state = 2463534242u;
	float *a = in0, *b = in1;

	for (size_t i = 0; i < kernel->in_bytes[0] / sizeof(*a); i++)
		a[i] = random_float(&state);
	for (size_t i = 0; i < kernel->in_bytes[1] / sizeof(*b); i++)
		b[i] = random_float(&state);
}

static void fill_options(const struct pl_bench_kernel *kernel, void *in0, void *in1)
{
	fill_floats(kernel, in0, in1);
	for (uint32_t i = 0; i < kernel->count; i++) {
		((float *)in0)[i] = 5 + 25 * ((float *)in0)[i];
		((float *)in1)[i] = 1 + 99 * ((float *)in1)[i];
	}
}

static bool near(double got, double want, double absolute, double relative)
{
	return fabs(got - want) <= absolute + relative * fabs(want);
}

static long check_copy(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const uint32_t *a = in0, *c = out;

	(void)in1;
	for (uint32_t i = 0; i < kernel->count; i++)
		if (a[i] != c[i])
			return (long)i;
	return -1;
}

static long check_saxpy(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *x = in0, *y = in1, *c = out;

	for (uint32_t i = 0; i < kernel->count; i++)
		if (!near(c[i], (double)PL_BENCH_KERNEL_FACTOR * x[i] + y[i], 1e-6, 1e-6))
			return (long)i;
	return -1;
}

static long check_reduction(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *a = in0, *c = out;
	double want = 0, got = 0;

	(void)in1;
	for (uint32_t i = 0; i < kernel->count; i++)
		want += a[i];
	for (size_t i = 0; i < kernel->out_bytes / sizeof(*c); i++)
		got += c[i];
	return near(got, want, 0, 1e-5) ? -1 : 0;
}

static long check_transpose(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *a = in0, *c = out;
	uint32_t n = kernel->count;

	(void)in1;
	for (uint32_t y = 0; y < n; y++)
		for (uint32_t x = 0; x < n; x++)
			if (a[y * n + x] != c[x * n + y])
				return (long)(x * n + y);
	return -1;
}

static long check_stencil(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *a = in0, *c = out;
	uint32_t n = kernel->count;

	(void)in1;
	for (uint32_t y = 1; y < n - 1; y++)
		for (uint32_t x = 1; x < n - 1; x++) {
			const float *at = a + y * n + x;
			double want = 0.5 * at[0] + 0.125 * ((double)at[-1] + at[1] + *(at - n) + at[n]);

			if (!near(c[y * n + x], want, 1e-6, 1e-6))
				return (long)(y * n + x);
		}
	return -1;
}

/* Every 61st row: the whole would take longer than what is measured. */
static long check_matmul(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *a = in0, *b = in1, *c = out;
	uint32_t n = kernel->count;

	for (uint32_t y = 0; y < n; y += 61)
		for (uint32_t x = 0; x < n; x++) {
			double want = 0;

			for (uint32_t k = 0; k < n; k++)
				want += (double)a[y * n + k] * b[k * n + x];
			if (!near(c[y * n + x], want, 1e-5, 1e-5))
				return (long)(y * n + x);
		}
	return -1;
}

static double normal(double d)
{
	return 0.5 * erfc(-d * M_SQRT1_2);
}

static long check_blackscholes(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *price = in0, *strike = in1, *call = out;

	for (uint32_t i = 0; i < kernel->count; i++) {
		double s = price[i], x = strike[i], t = 0.25 + 9.75 * ((i & 255) / 255.0), root = sqrt(t);
		double d1 = (log(s / x) + (0.02 + 0.5 * 0.3 * 0.3) * t) / (0.3 * root), d2 = d1 - 0.3 * root;
		double want = s * normal(d1) - x * exp(-0.02 * t) * normal(d2);

		if (!near(call[i], want, 1e-3, 1e-3))
			return (long)i;
	}
	return -1;
}

/* Every 127th body. */
static long check_nbody(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const float *b = in0, *c = out;

	(void)in1;
	for (uint32_t i = 0; i < kernel->count; i += 127) {
		double sum[3] = { 0 };

		for (uint32_t j = 0; j < kernel->count; j++) {
			double d[3], r2 = 0.01, s;

			for (int k = 0; k < 3; k++) {
				d[k] = (double)b[4 * j + k] - b[4 * i + k];
				r2 += d[k] * d[k];
			}
			s = b[4 * j + 3] / (r2 * sqrt(r2));
			for (int k = 0; k < 3; k++)
				sum[k] += d[k] * s;
		}
		for (int k = 0; k < 3; k++)
			if (!near(c[4 * i + k], sum[k], 1e-2, 1e-3))
				return (long)(4 * i + (uint32_t)k);
	}
	return -1;
}

static void fill_words(const struct pl_bench_kernel *kernel, void *in0, void *in1)
{
	uint32_t state = 88172645u, *a = in0;

	(void)in1;
	for (uint32_t i = 0; i < kernel->count; i++)
		a[i] = random_next(&state) & random_next(&state); /* not all bins alike */
}

static long check_histogram(const struct pl_bench_kernel *kernel, const void *in0, const void *in1, const void *out)
{
	const uint8_t *a = in0;
	uint32_t want[256] = { 0 };

	(void)in1;
	for (size_t i = 0; i < kernel->in_bytes[0]; i++)
		want[a[i]]++;
	for (int i = 0; i < 256; i++)
		if (want[i] != ((const uint32_t *)out)[i])
			return i;
	return -1;
}

#define FLOATS(n) ((size_t)(n) * sizeof(float))

static const struct pl_bench_kernel kernels[] = {
	{ "kernel_copy",
	  "bench_copy",
	  N_LINE,
	  false,
	  { N_LINE / 256, 1 },
	  { 256, 1 },
	  { FLOATS(N_LINE), 0 },
	  FLOATS(N_LINE),
	  fill_floats,
	  check_copy },
	{ "kernel_saxpy",
	  "bench_saxpy",
	  N_LINE,
	  true,
	  { N_LINE / 256, 1 },
	  { 256, 1 },
	  { FLOATS(N_LINE), FLOATS(N_LINE) },
	  FLOATS(N_LINE),
	  fill_floats,
	  check_saxpy },
	{ "kernel_reduction",
	  "bench_reduction",
	  N_LINE,
	  false,
	  { 64, 1 },
	  { 256, 1 },
	  { FLOATS(N_LINE), 0 },
	  FLOATS(64),
	  fill_floats,
	  check_reduction },
	{ "kernel_transpose",
	  "bench_transpose",
	  N_SIDE,
	  false,
	  { N_SIDE / 32, N_SIDE / 32 },
	  { 32, 8 },
	  { FLOATS(N_SIDE * N_SIDE), 0 },
	  FLOATS(N_SIDE *N_SIDE),
	  fill_floats,
	  check_transpose },
	{ "kernel_stencil",
	  "bench_stencil",
	  N_SIDE,
	  false,
	  { N_SIDE / 32, N_SIDE / 8 },
	  { 32, 8 },
	  { FLOATS(N_SIDE * N_SIDE), 0 },
	  FLOATS(N_SIDE *N_SIDE),
	  fill_floats,
	  check_stencil },
	{ "kernel_matmul",
	  "bench_matmul",
	  N_MATRIX,
	  false,
	  { N_MATRIX / 16, N_MATRIX / 16 },
	  { 16, 16 },
	  { FLOATS(N_MATRIX * N_MATRIX), FLOATS(N_MATRIX *N_MATRIX) },
	  FLOATS(N_MATRIX *N_MATRIX),
	  fill_floats,
	  check_matmul },
	{ "kernel_blackscholes",
	  "bench_blackscholes",
	  N_OPTIONS,
	  false,
	  { N_OPTIONS / 256, 1 },
	  { 256, 1 },
	  { FLOATS(N_OPTIONS), FLOATS(N_OPTIONS) },
	  FLOATS(N_OPTIONS),
	  fill_options,
	  check_blackscholes },
	{ "kernel_nbody",
	  "bench_nbody",
	  N_BODIES,
	  false,
	  { N_BODIES / 256, 1 },
	  { 256, 1 },
	  { FLOATS(4 * N_BODIES), 0 },
	  FLOATS(4 * N_BODIES),
	  fill_floats,
	  check_nbody },
	{ "kernel_histogram",
	  "bench_histogram",
	  N_LINE / 4,
	  false,
	  { 64, 1 },
	  { 256, 1 },
	  { FLOATS(N_LINE / 4), 0 },
	  FLOATS(256),
	  fill_words,
	  check_histogram },
};

const struct pl_bench_kernel *pl_bench_kernels(size_t *n_out)
{
	*n_out = sizeof(kernels) / sizeof(kernels[0]);
	return kernels;
}

const struct pl_bench_kernel *pl_bench_kernel_find(const char *figure)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (!strcmp(kernels[i].figure, figure))
			return &kernels[i];
	return NULL;
}
