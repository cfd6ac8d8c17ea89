/*
 * Kernels as programs have them (typical.cu), by what they compute and by how many warp instructions that takes: the
 * figure that the compiler is for.  A bound is the count of today and a little; who lowers it lowers the bound.
 */
#include "run.h"

#include <math.h>

#define MB (1ull << 20)

static struct run run;

static float *floats(uint64_t offset)
{
	return (float *)(void *)(run.kit.memory + offset);
}

static uint64_t float_arg(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, 4);
	return bits;
}

static void fill(uint64_t offset, uint32_t n, uint32_t salt)
{
	for (uint32_t i = 0; i < n; i++)
		floats(offset)[i] = 0.25f + (float)((i * 2654435761u + salt) >> 20) / 4096.0f;
}

static void launch(const char *name, uint32_t gx, uint32_t gy, uint32_t bx, uint32_t by, const uint64_t *args,
		   double most)
{
	const uint32_t grid[3] = { gx, gy, 1 }, block[3] = { bx, by, 1 };
	double each;

	assert(run_kernel(&run, name, grid, block, args) == PL_RG_FAULT_NONE);
	each = (double)run.kit.result.instructions / (double)run.kit.result.warps;
	printf("%-10s %8.1f instructions of a warp\n", name, each);
	if (each > most)
		fprintf(stderr, "%s: %.1f instructions a warp, not %.1f\n", name, each, most);
	assert(each <= most);
}

static bool near(double got, double want, double error)
{
	return fabs(got - want) <= error * (fabs(want) + 1);
}

static void test_saxpy(void)
{
	static float before[5000];

	fill(0, 5000, 1);
	fill(4 * MB, 5000, 2);
	memcpy(before, floats(4 * MB), sizeof(before));
	launch("saxpy", 20, 1, 256, 1, (uint64_t[]){ 5000, float_arg(2.5f), run_va(0), run_va(4 * MB) }, 17);
	for (int i = 0; i < 5000; i++)
		assert(floats(4 * MB)[i] == fmaf(2.5f, floats(0)[i], before[i]));
}

static void test_matrix_product(void)
{
	const int n = 64;

	fill(0, 4096, 1);
	fill(4 * MB, 4096, 2);
	launch("matmul", 4, 4, 16, 16, (uint64_t[]){ run_va(0), run_va(4 * MB), run_va(12 * MB), 64 }, 270);
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < n; k++) {
			double sum = 0;

			for (int j = 0; j < n; j++)
				sum += (double)floats(0)[i * n + j] * floats(4 * MB)[j * n + k];
			assert(near(floats(12 * MB)[i * n + k], sum, 1e-4));
		}
	}
}

static void test_reduction(void)
{
	double want = 0, got = 0;

	fill(0, 10000, 3);
	launch("reduce", 8, 1, 256, 1, (uint64_t[]){ run_va(0), run_va(12 * MB), 10000 }, 87);
	for (int i = 0; i < 10000; i++)
		want += floats(0)[i];
	for (int i = 0; i < 8; i++)
		got += floats(12 * MB)[i];
	assert(near(got, want, 1e-5));
}

static void test_bodies(void)
{
	const int n = 512;
	const float *p = floats(0);

	fill(0, 2048, 4);
	launch("nbody", 2, 1, 256, 1, (uint64_t[]){ run_va(0), run_va(12 * MB), 512 }, 16.1 * 512);
	for (int i = 0; i < n; i++) {
		double x = 0;

		for (int k = 0; k < n; k++) {
			double dx = p[k * 4] - p[i * 4], dy = p[k * 4 + 1] - p[i * 4 + 1],
			       dz = p[k * 4 + 2] - p[i * 4 + 2];
			double d = dx * dx + dy * dy + dz * dz + 1e-6;

			x += dx * p[k * 4 + 3] / sqrt(d) / d;
		}
		assert(near(floats(12 * MB)[i * 4], x, 2e-3));
	}
}

static void test_transpose(void)
{
	const int w = 96, h = 64;

	fill(0, 96 * 64, 5);
	launch("transpose", 3, 2, 32, 8, (uint64_t[]){ run_va(12 * MB), run_va(0), 96, 64 }, 52);
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			assert(floats(12 * MB)[x * h + y] == floats(0)[y * w + x]);
}

static void test_stencil(void)
{
	const int w = 100, h = 50;
	const float *p = floats(0);

	fill(0, 5000, 6);
	launch("stencil", 7, 7, 16, 8, (uint64_t[]){ run_va(0), run_va(12 * MB), 100, 50 }, 38);
	for (int y = 1; y < h - 1; y++)
		for (int x = 1; x < w - 1; x++) {
			int i = y * w + x;

			assert(near(floats(12 * MB)[i], 0.2 * (p[i] + p[i - 1] + p[i + 1] + p[i - w] + p[i + w]),
				    1e-5));
		}
}

static void test_histogram(void)
{
	uint8_t *data = run.kit.memory + 8 * MB;
	uint32_t want[256] = { 0 };

	for (uint32_t i = 0; i < 20000; i++) {
		data[i] = (uint8_t)(i * 2654435761u >> 21);
		want[data[i]]++;
	}
	memset(run.kit.memory + 12 * MB, 0, sizeof(want));
	launch("histo", 4, 1, 256, 1, (uint64_t[]){ run_va(8 * MB), run_va(12 * MB), 20000 }, 141);
	assert(!memcmp(run.kit.memory + 12 * MB, want, sizeof(want)));
}

static void test_black_scholes(void)
{
	const double rate = 0.02, volatility = 0.3;

	for (int i = 0; i < 4000; i++) {
		floats(0)[i] = (float)(5 + i % 25);
		floats(4 * MB)[i] = (float)(1 + i % 99);
		floats(8 * MB)[i] = 0.25f + (float)(i % 10);
	}
	launch("bs", 16, 1, 256, 1,
	       (uint64_t[]){ run_va(12 * MB), run_va(16 * MB), run_va(0), run_va(4 * MB), run_va(8 * MB),
			     float_arg(0.02f), float_arg(0.3f), 4000 },
	       83);
	for (int i = 0; i < 4000; i++) {
		double s = floats(0)[i], x = floats(4 * MB)[i], t = floats(8 * MB)[i];
		double d1 = (log(s / x) + (rate + 0.5 * volatility * volatility) * t) / (volatility * sqrt(t));
		double d2 = d1 - volatility * sqrt(t);
		double call = s * 0.5 * erfc(-d1 / sqrt(2)) - x * exp(-rate * t) * 0.5 * erfc(-d2 / sqrt(2));

		assert(near(floats(12 * MB)[i], call, 1e-3));
	}
}

int main(int argc, char **argv)
{
	static char text[1 << 17];
	FILE *file = fopen(argc > 1 ? argv[1] : "typical.ptx", "r");

	assert(file && fread(text, 1, sizeof(text) - 1, file) > 1000);
	fclose(file);
	run_begin(&run);
	run_compile(&run, text);
	test_saxpy();
	test_matrix_product();
	test_reduction();
	test_bodies();
	test_transpose();
	test_stencil();
	test_histogram();
	test_black_scholes();
	run_end(&run);
	return 0;
}
