// SPDX-License-Identifier: Apache-2.0
// The kernels of `plenum bench kernels` in CUDA; kernels.cl has the same ones in OpenCL, statement by statement.
// kernels.ptx is made from this file: nvcc -ptx -arch=compute_75 -O3 -o kernels.ptx kernels.cu

extern "C" __global__ void bench_copy(const float *in, const float *unused, float *out, unsigned n)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		out[i] = in[i];
}

extern "C" __global__ void bench_saxpy(const float *x, const float *y, float *out, unsigned n, float a)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n)
		out[i] = a * x[i] + y[i];
}

extern "C" __global__ void bench_reduction(const float *in, const float *unused, float *out, unsigned n)
{
	__shared__ float part[256];
	unsigned t = threadIdx.x;
	float sum = 0;

	for (unsigned i = blockIdx.x * blockDim.x + t; i < n; i += gridDim.x * blockDim.x)
		sum += in[i];
	part[t] = sum;
	__syncthreads();
	for (unsigned s = blockDim.x / 2; s > 0; s >>= 1) {
		if (t < s)
			part[t] += part[t + s];
		__syncthreads();
	}
	if (t == 0)
		out[blockIdx.x] = part[0];
}

extern "C" __global__ void bench_transpose(const float *in, const float *unused, float *out, unsigned n)
{
	__shared__ float tile[32][33];
	unsigned x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;

	for (unsigned j = 0; j < 32; j += 8)
		tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * n + x];
	__syncthreads();
	x = blockIdx.y * 32 + threadIdx.x;
	y = blockIdx.x * 32 + threadIdx.y;
	for (unsigned j = 0; j < 32; j += 8)
		out[(y + j) * n + x] = tile[threadIdx.x][threadIdx.y + j];
}

extern "C" __global__ void bench_stencil(const float *in, const float *unused, float *out, unsigned n)
{
	unsigned x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;

	if (x > 0 && y > 0 && x < n - 1 && y < n - 1)
		out[y * n + x] = 0.5f * in[y * n + x] + 0.125f * (in[y * n + x - 1] + in[y * n + x + 1] +
								 in[(y - 1) * n + x] + in[(y + 1) * n + x]);
}

extern "C" __global__ void bench_matmul(const float *a, const float *b, float *c, unsigned n)
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

// Cumulative normal distribution after Abramowitz and Stegun 26.2.17.
static __device__ float normal(float d)
{
	float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
	float poly = k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
	float tail = 0.39894228040143267794f * __expf(-0.5f * d * d) * poly;

	return d > 0 ? 1.0f - tail : tail;
}

extern "C" __global__ void bench_blackscholes(const float *price, const float *strike, float *call, unsigned n)
{
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;

	if (i < n) {
		float s = price[i], x = strike[i], t = 0.25f + 9.75f * ((i & 255) * (1.0f / 255.0f));
		float root = sqrtf(t);
		float d1 = (__logf(s / x) + (0.02f + 0.5f * 0.3f * 0.3f) * t) / (0.3f * root);
		float d2 = d1 - 0.3f * root;

		call[i] = s * normal(d1) - x * __expf(-0.02f * t) * normal(d2);
	}
}

extern "C" __global__ void bench_nbody(const float4 *bodies, const float *unused, float4 *out, unsigned n)
{
	__shared__ float4 tile[256];
	unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
	float4 me = bodies[i];
	float ax = 0, ay = 0, az = 0;

	for (unsigned base = 0; base < n; base += 256) {
		tile[threadIdx.x] = bodies[base + threadIdx.x];
		__syncthreads();
		for (unsigned j = 0; j < 256; j++) {
			float4 other = tile[j];
			float dx = other.x - me.x, dy = other.y - me.y, dz = other.z - me.z;
			float inv = rsqrtf(dx * dx + dy * dy + dz * dz + 0.01f);
			float s = other.w * inv * inv * inv;

			ax += dx * s;
			ay += dy * s;
			az += dz * s;
		}
		__syncthreads();
	}
	out[i] = make_float4(ax, ay, az, 0);
}

extern "C" __global__ void bench_histogram(const unsigned *in, const float *unused, unsigned *out, unsigned words)
{
	__shared__ unsigned bins[256];

	bins[threadIdx.x] = 0;
	__syncthreads();
	for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < words; i += gridDim.x * blockDim.x) {
		unsigned word = in[i];

		atomicAdd(&bins[word & 255], 1u);
		atomicAdd(&bins[word >> 8 & 255], 1u);
		atomicAdd(&bins[word >> 16 & 255], 1u);
		atomicAdd(&bins[word >> 24], 1u);
	}
	__syncthreads();
	atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}
