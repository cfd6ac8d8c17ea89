// Kernels of the driver's tests.  kernels.ptx is made from this file: see meson.build.
#include <cassert>
#include <cstdio>

struct pair {
	short a;
	double b;
};

extern "C" {

__device__ int counter = 7;
__constant__ int table[16];
__device__ __managed__ int shared_with_host = 11;

__global__ void add(const float *a, const float *b, float *c, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	if (i < n)
		c[i] = a[i] + b[i];
}

__global__ void arguments(char c, struct pair p, unsigned long long l, float f, double *out)
{
	out[0] = c;
	out[1] = p.a;
	out[2] = p.b;
	out[3] = (double)l;
	out[4] = f;
}

__global__ void where(unsigned int *out)
{
	unsigned int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
	unsigned int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
	out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = block << 16 | thread;
}

__global__ void reverse_shared(int *at)
{
	extern __shared__ int room[];
	room[threadIdx.x] = at[threadIdx.x];
	__syncthreads();
	at[threadIdx.x] = room[blockDim.x - 1 - threadIdx.x];
}

__global__ void globals(int *out)
{
	out[0] = counter;
	out[1] = table[3];
	out[2] = shared_with_host;
	counter = 70;
	shared_with_host = 110;
}

__global__ void __launch_bounds__(64) bounded(int *out)
{
	out[threadIdx.x] = threadIdx.x;
}

__global__ void store(int *at, int value)
{
	*at = value;
}

__global__ void store_far(char *at, unsigned long long offset)
{
	*(int *)(at + offset + threadIdx.x * 4) = 1;
}

__global__ void print(int n)
{
	if (threadIdx.x < n)
		printf("thread %d of %s: %5.2f %lld\n", threadIdx.x, "print", threadIdx.x * 1.5, 1ll << 40);
}

__global__ void check_that(int condition)
{
	assert(condition);
}

__global__ void stop(void)
{
	asm volatile("trap;");
}

__global__ void for_ever(volatile int *flag)
{
	while (!*flag)
		;
}

__global__ void from_heap(int *out)
{
	int *at = (int *)malloc(64 * sizeof(int));
	out[threadIdx.x] = at ? 1 : 0;
	if (!at)
		return;
	for (int i = 0; i < 64; i++)
		at[i] = i * threadIdx.x;
	for (int i = 0; i < 64; i++)
		if (at[i] != i * (int)threadIdx.x)
			out[threadIdx.x] = 2;
	free(at);
}

// An address that is the same in all threads and moves.
__global__ void walk_table(int *out)
{
	int sum = 0;
#pragma unroll 1
	for (int i = 0; i < 16; i++)
		sum += table[i] * (i + 1);
	*out = sum;
}

// A sum of the first lanes of a warp, as the samples' reduction has it: lanes that take no part count as 0.
__global__ void sum_lanes(int *out, int lanes)
{
	unsigned int mask = __ballot_sync(0xffffffff, threadIdx.x < lanes);
	int value = threadIdx.x + 1;
	int again = value;
	if (threadIdx.x < lanes) {
		for (int offset = warpSize / 2; offset > 0; offset /= 2)
			value += __shfl_down_sync(mask, value, offset);
		for (int offset = 16; offset > 0; offset /= 2)
			again += __shfl_down_sync(mask, again, offset);
	}
	if (threadIdx.x == 0)
		*out = value == again ? value : -1;
}

__global__ void count(int *at)
{
	atomicAdd(at, 1);
}

// What the driver has for kernels whose graph has conditions.
__device__ __cudart_builtin__ void cudaGraphSetConditional(unsigned long long handle, unsigned int value);

// Goes on as long as there is something left, and counts.
__global__ void count_down(unsigned long long handle, int *left, int *rounds)
{
	*rounds += 1;
	*left -= 1;
	cudaGraphSetConditional(handle, *left > 0);
}

__global__ void choose(unsigned long long handle, const unsigned int *value)
{
	cudaGraphSetConditional(handle, *value);
}
}
