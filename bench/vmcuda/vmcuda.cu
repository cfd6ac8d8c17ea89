// SPDX-License-Identifier: Apache-2.0
// The kernels of `plenum bench vmcuda`: programs of the five kinds of the vmCUDA paper, and the tiny ones of `plenum bench
// micro --api cuda`.
// vmcuda.ptx is made from this file: nvcc -ptx -arch=compute_75 -O3 -o vmcuda.ptx vmcuda.cu

struct option {
	float price, strike, years, rate, volatility;
};

// One block prices one option; the two newest levels of the tree lie in shared memory, one barrier a level.
extern "C" __global__ void vm_binomial(const option *in, float *out, unsigned steps)
{
	extern __shared__ float level[];
	float *from = level, *to = level + steps + 1;
	option o = in[blockIdx.x];
	float dt = o.years / steps, up = o.volatility * sqrtf(dt);
	float grow = expf(o.rate * dt), shrink = expf(-o.rate * dt);
	float u = expf(up), d = expf(-up), pu = (grow - d) / (u - d);
	float a = pu * shrink, b = (1.0f - pu) * shrink;

	for (unsigned i = threadIdx.x; i <= steps; i += blockDim.x) {
		float at = o.price * expf(up * (2.0f * i - steps)) - o.strike;

		from[i] = at > 0.0f ? at : 0.0f;
	}
	__syncthreads();
	for (unsigned n = steps; n > 0; n--) {
		for (unsigned i = threadIdx.x; i < n; i += blockDim.x)
			to[i] = a * from[i + 1] + b * from[i];
		__syncthreads();
		float *swap = from;
		from = to;
		to = swap;
	}
	if (threadIdx.x == 0)
		out[blockIdx.x] = from[0];
}

// Cumulative normal distribution after Abramowitz and Stegun 26.2.17.
static __device__ float normal(float d)
{
	float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
	float poly = k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
	float tail = 0.39894228040143267794f * __expf(-0.5f * d * d) * poly;

	return d > 0 ? 1.0f - tail : tail;
}

extern "C" __global__ void vm_blackscholes(const float *price, const float *strike, const float *years, float *call,
					   float *put, unsigned n)
{
	const float rate = 0.02f, volatility = 0.3f;

	for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
		float s = price[i], x = strike[i], t = years[i], root = sqrtf(t);
		float d1 = (__logf(s / x) + (rate + 0.5f * volatility * volatility) * t) / (volatility * root);
		float d2 = d1 - volatility * root, cash = x * __expf(-rate * t), n1 = normal(d1), n2 = normal(d2);

		call[i] = s * n1 - cash * n2;
		put[i] = cash * (1.0f - n2) - s * (1.0f - n1);
	}
}

extern "C" __global__ void vm_matmul(const float *a, const float *b, float *c, unsigned n)
{
	__shared__ float as[16][16], bs[16][16];
	unsigned tx = threadIdx.x, ty = threadIdx.y;
	unsigned col = blockIdx.x * 16 + tx, row = blockIdx.y * 16 + ty;
	float sum = 0;

	for (unsigned m = 0; m < n; m += 16) {
		as[ty][tx] = a[row * n + m + tx];
		bs[ty][tx] = b[(m + ty) * n + col];
		__syncthreads();
		for (unsigned k = 0; k < 16; k++)
			sum += as[ty][k] * bs[k][tx];
		__syncthreads();
	}
	c[row * n + col] = sum;
}

static __device__ unsigned sad4(unsigned a, unsigned b, unsigned sum)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		sum = __usad(a >> shift & 255, b >> shift & 255, sum);
	return sum;
}

// For each pixel the shift of 0 to shifts - 1 whose 3 x 3 neighbourhood differs least; the edges stay as they were sent.
extern "C" __global__ void vm_stereo(const unsigned *left, const unsigned *right, unsigned *out, unsigned width,
				     unsigned height, unsigned shifts)
{
	unsigned x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
	unsigned best = ~0u, best_at = 0;

	if (x < shifts || y < 1 || x >= width - 1 || y >= height - 1)
		return;
	for (unsigned s = 0; s < shifts; s++) {
		unsigned sum = 0;

		for (unsigned dy = 0; dy < 3; dy++)
			for (unsigned dx = 0; dx < 3; dx++) {
				size_t at = (size_t)(y + dy - 1) * width + x + dx - 1;

				sum = sad4(left[at], right[at - s], sum);
			}
		if (sum < best) {
			best = sum;
			best_at = s;
		}
	}
	out[(size_t)y * width + x] = best_at;
}

// Radix sort, 4 bits a pass, tiles of 1024 keys: digits of a tile are counted, the counts summed up, the keys moved.
#define TILE   1024
#define WARPS  8
#define DIGITS 16

extern "C" __global__ void vm_radix_count(const unsigned *keys, unsigned *counts, unsigned shift)
{
	__shared__ unsigned bins[DIGITS];
	unsigned t = threadIdx.x;

	if (t < DIGITS)
		bins[t] = 0;
	__syncthreads();
	for (unsigned i = 0; i < TILE; i += WARPS * 32)
		atomicAdd(&bins[keys[blockIdx.x * TILE + i + t] >> shift & (DIGITS - 1)], 1);
	__syncthreads();
	if (t < DIGITS)
		counts[t * gridDim.x + blockIdx.x] = bins[t];
}

// One block of 256; each thread sums a part, then the parts are summed up, then each part is written.
extern "C" __global__ void vm_radix_scan(unsigned *counts, unsigned n)
{
	__shared__ unsigned sums[256];
	unsigned t = threadIdx.x, part = (n + 255) / 256, begin = t * part, end = min(begin + part, n), sum = 0;

	for (unsigned i = begin; i < end; i++)
		sum += counts[i];
	sums[t] = sum;
	__syncthreads();
	for (unsigned d = 1; d < 256; d <<= 1) {
		unsigned other = t >= d ? sums[t - d] : 0;

		__syncthreads();
		sums[t] += other;
		__syncthreads();
	}
	sum = sums[t] - sum;
	for (unsigned i = begin; i < end; i++) {
		unsigned count = counts[i];

		counts[i] = sum;
		sum += count;
	}
}

extern "C" __global__ void vm_radix_move(const unsigned *keys, unsigned *out, const unsigned *counts, unsigned shift)
{
	__shared__ unsigned base[DIGITS], of_warp[WARPS][DIGITS];
	unsigned t = threadIdx.x, lane = t & 31, warp = t >> 5;

	if (t < DIGITS)
		base[t] = counts[t * gridDim.x + blockIdx.x];
	for (unsigned i = 0; i < TILE; i += WARPS * 32) {
		unsigned key = keys[blockIdx.x * TILE + i + t], digit = key >> shift & (DIGITS - 1);
		unsigned same = __match_any_sync(~0u, digit), before = __popc(same & ((1u << lane) - 1));

		if (t < WARPS * DIGITS)
			of_warp[t / DIGITS][t % DIGITS] = 0;
		__syncthreads();
		if (!before)
			of_warp[warp][digit] = __popc(same);
		__syncthreads();
		if (t < DIGITS) {
			unsigned sum = base[t];

			for (unsigned w = 0; w < WARPS; w++) {
				unsigned count = of_warp[w][t];

				of_warp[w][t] = sum;
				sum += count;
			}
			base[t] = sum;
		}
		__syncthreads();
		out[of_warp[warp][digit] + before] = key;
		__syncthreads();
	}
}

extern "C" __global__ void vm_empty(unsigned *unused)
{
}

extern "C" __global__ void vm_add(unsigned *p, unsigned n)
{
	if (blockIdx.x == 0 && threadIdx.x == 0)
		p[0] += n;
}

// One of the small kernels of a training step: out = a x + out.
extern "C" __global__ void vm_axpy(const float *x, float *out, float a, unsigned n)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		out[i] += a * x[i];
}
