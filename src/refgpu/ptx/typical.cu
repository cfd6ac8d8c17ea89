/* Kernels as programs have them; typical.ptx is made of this: nvcc -ptx -arch=compute_75 -o typical.ptx typical.cu */
extern "C" __global__ void saxpy(int n, float a, const float *x, float *y)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i < n)
		y[i] = a * x[i] + y[i];
}
extern "C" __global__ void matmul(const float *A, const float *B, float *C, int n)
{
	__shared__ float As[16][16], Bs[16][16];
	int tx = threadIdx.x, ty = threadIdx.y;
	int row = blockIdx.y * 16 + ty, col = blockIdx.x * 16 + tx;
	float s = 0;
	for (int t = 0; t < n / 16; t++) {
		As[ty][tx] = A[row * n + t * 16 + tx];
		Bs[ty][tx] = B[(t * 16 + ty) * n + col];
		__syncthreads();
		for (int k = 0; k < 16; k++)
			s += As[ty][k] * Bs[k][tx];
		__syncthreads();
	}
	C[row * n + col] = s;
}
extern "C" __global__ void reduce(const float *in, float *out, int n)
{
	__shared__ float sm[256];
	int t = threadIdx.x;
	float s = 0;
	for (int i = blockIdx.x * 256 + t; i < n; i += gridDim.x * 256)
		s += in[i];
	sm[t] = s;
	__syncthreads();
	for (int k = 128; k > 0; k >>= 1) {
		if (t < k)
			sm[t] += sm[t + k];
		__syncthreads();
	}
	if (t == 0)
		out[blockIdx.x] = sm[0];
}
extern "C" __global__ void nbody(const float4 *p, float4 *a, int n)
{
	__shared__ float4 sp[256];
	int i = blockIdx.x * 256 + threadIdx.x;
	float4 me = p[i];
	float ax = 0, ay = 0, az = 0;
	for (int j = 0; j < n; j += 256) {
		sp[threadIdx.x] = p[j + threadIdx.x];
		__syncthreads();
		for (int k = 0; k < 256; k++) {
			float dx = sp[k].x - me.x, dy = sp[k].y - me.y, dz = sp[k].z - me.z;
			float d = dx * dx + dy * dy + dz * dz + 1e-6f;
			float inv = rsqrtf(d);
			float s = sp[k].w * inv * inv * inv;
			ax += dx * s;
			ay += dy * s;
			az += dz * s;
		}
		__syncthreads();
	}
	a[i] = make_float4(ax, ay, az, 0);
}
extern "C" __global__ void transpose(float *o, const float *in, int w, int h)
{
	__shared__ float t[32][33];
	int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
	for (int j = 0; j < 32; j += 8)
		t[threadIdx.y + j][threadIdx.x] = in[(y + j) * w + x];
	__syncthreads();
	x = blockIdx.y * 32 + threadIdx.x;
	y = blockIdx.x * 32 + threadIdx.y;
	for (int j = 0; j < 32; j += 8)
		o[(y + j) * h + x] = t[threadIdx.x][threadIdx.y + j];
}
extern "C" __global__ void stencil(const float *in, float *out, int w, int h)
{
	int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
	if (x > 0 && y > 0 && x < w - 1 && y < h - 1) {
		int i = y * w + x;
		out[i] = 0.2f * (in[i] + in[i - 1] + in[i + 1] + in[i - w] + in[i + w]);
	}
}
extern "C" __global__ void histo(const unsigned char *d, unsigned *h, int n)
{
	__shared__ unsigned s[256];
	s[threadIdx.x] = 0;
	__syncthreads();
	for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
		atomicAdd(&s[d[i]], 1);
	__syncthreads();
	atomicAdd(&h[threadIdx.x], s[threadIdx.x]);
}
__device__ float cnd(float d)
{
	const float A1 = 0.31938153f, A2 = -0.356563782f, A3 = 1.781477937f, A4 = -1.821255978f,
		    A5 = 1.330274429f;
	float K = __fdividef(1.0f, (1.0f + 0.2316419f * fabsf(d)));
	float c = 0.39894228f * __expf(-0.5f * d * d) *
		  (K * (A1 + K * (A2 + K * (A3 + K * (A4 + K * A5)))));
	if (d > 0)
		c = 1.0f - c;
	return c;
}
extern "C" __global__ void bs(float *c, float *p, const float *S, const float *X, const float *T, float R,
		   float V, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i < n) {
		float sq = sqrtf(T[i]);
		float d1 = __fdividef(__logf(S[i] / X[i]) + (R + 0.5f * V * V) * T[i], V * sq);
		float d2 = d1 - V * sq;
		float c1 = cnd(d1), c2 = cnd(d2);
		float e = __expf(-R * T[i]);
		c[i] = S[i] * c1 - X[i] * e * c2;
		p[i] = X[i] * e * (1.0f - c2) - S[i] * (1.0f - c1);
	}
}
