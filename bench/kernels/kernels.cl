/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of `plenum bench kernels` in OpenCL; kernels.cu has the same ones in CUDA, statement by statement. */

__kernel void bench_copy(__global const float *in, __global const float *unused, __global float *out, uint n)
{
	uint i = get_global_id(0);

	if (i < n)
		out[i] = in[i];
}

__kernel void bench_saxpy(__global const float *x, __global const float *y, __global float *out, uint n, float a)
{
	uint i = get_global_id(0);

	if (i < n)
		out[i] = a * x[i] + y[i];
}

__kernel void bench_reduction(__global const float *in, __global const float *unused, __global float *out, uint n)
{
	__local float part[256];
	uint t = get_local_id(0);
	float sum = 0;

	for (uint i = get_global_id(0); i < n; i += get_global_size(0))
		sum += in[i];
	part[t] = sum;
	barrier(CLK_LOCAL_MEM_FENCE);
	for (uint s = get_local_size(0) / 2; s > 0; s >>= 1) {
		if (t < s)
			part[t] += part[t + s];
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	if (t == 0)
		out[get_group_id(0)] = part[0];
}

__kernel void bench_transpose(__global const float *in, __global const float *unused, __global float *out, uint n)
{
	__local float tile[32][33];
	uint tx = get_local_id(0), ty = get_local_id(1);
	uint x = get_group_id(0) * 32 + tx, y = get_group_id(1) * 32 + ty;

	for (uint j = 0; j < 32; j += 8)
		tile[ty + j][tx] = in[(y + j) * n + x];
	barrier(CLK_LOCAL_MEM_FENCE);
	x = get_group_id(1) * 32 + tx;
	y = get_group_id(0) * 32 + ty;
	for (uint j = 0; j < 32; j += 8)
		out[(y + j) * n + x] = tile[tx][ty + j];
}

__kernel void bench_stencil(__global const float *in, __global const float *unused, __global float *out, uint n)
{
	uint x = get_global_id(0), y = get_global_id(1);

	if (x > 0 && y > 0 && x < n - 1 && y < n - 1)
		out[y * n + x] = 0.5f * in[y * n + x] + 0.125f * (in[y * n + x - 1] + in[y * n + x + 1] +
								 in[(y - 1) * n + x] + in[(y + 1) * n + x]);
}

__kernel void bench_matmul(__global const float *a, __global const float *b, __global float *c, uint n)
{
	__local float as[16][16], bs[16][16];
	uint tx = get_local_id(0), ty = get_local_id(1);
	uint col = get_global_id(0), row = get_global_id(1);
	float sum = 0;

	for (uint m = 0; m < n; m += 16) {
		as[ty][tx] = a[row * n + m + tx];
		bs[ty][tx] = b[(m + ty) * n + col];
		barrier(CLK_LOCAL_MEM_FENCE);
		for (uint k = 0; k < 16; k++)
			sum += as[ty][k] * bs[k][tx];
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	c[row * n + col] = sum;
}

/* Cumulative normal distribution after Abramowitz and Stegun 26.2.17. */
static float normal(float d)
{
	float k = 1.0f / (1.0f + 0.2316419f * fabs(d));
	float poly = k * (0.31938153f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
	float tail = 0.39894228040143267794f * native_exp(-0.5f * d * d) * poly;

	return d > 0 ? 1.0f - tail : tail;
}

__kernel void bench_blackscholes(__global const float *price, __global const float *strike, __global float *call, uint n)
{
	uint i = get_global_id(0);

	if (i < n) {
		float s = price[i], x = strike[i], t = 0.25f + 9.75f * ((i & 255) * (1.0f / 255.0f));
		float root = sqrt(t);
		float d1 = (native_log(s / x) + (0.02f + 0.5f * 0.3f * 0.3f) * t) / (0.3f * root);
		float d2 = d1 - 0.3f * root;

		call[i] = s * normal(d1) - x * native_exp(-0.02f * t) * normal(d2);
	}
}

__kernel void bench_nbody(__global const float4 *bodies, __global const float *unused, __global float4 *out, uint n)
{
	__local float4 tile[256];
	uint i = get_global_id(0), t = get_local_id(0);
	float4 me = bodies[i];
	float ax = 0, ay = 0, az = 0;

	for (uint base = 0; base < n; base += 256) {
		tile[t] = bodies[base + t];
		barrier(CLK_LOCAL_MEM_FENCE);
		for (uint j = 0; j < 256; j++) {
			float4 other = tile[j];
			float dx = other.x - me.x, dy = other.y - me.y, dz = other.z - me.z;
			float inv = native_rsqrt(dx * dx + dy * dy + dz * dz + 0.01f);
			float s = other.w * inv * inv * inv;

			ax += dx * s;
			ay += dy * s;
			az += dz * s;
		}
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	out[i] = (float4)(ax, ay, az, 0);
}

__kernel void bench_histogram(__global const uint *in, __global const float *unused, __global uint *out, uint words)
{
	__local uint bins[256];
	uint t = get_local_id(0);

	bins[t] = 0;
	barrier(CLK_LOCAL_MEM_FENCE);
	for (uint i = get_global_id(0); i < words; i += get_global_size(0)) {
		uint word = in[i];

		atomic_inc(&bins[word & 255]);
		atomic_inc(&bins[word >> 8 & 255]);
		atomic_inc(&bins[word >> 16 & 255]);
		atomic_inc(&bins[word >> 24]);
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	atomic_add(&out[t], bins[t]);
}
