// Kernels with one fault each, and some that look like it and have none; for check.c.  Blocks of two warps.
extern "C" {

__device__ __forceinline__ int other(int t)
{
	return t ^ 32;
}

__global__ void race_read(int *out)
{
	__shared__ volatile int s[64];
	int t = threadIdx.x;
	s[t] = 0;
	__syncthreads();
	if (t < 32)
		s[t] = t;
	else
		out[t] = s[other(t)];
}

__global__ void race_write(int *out)
{
	__shared__ volatile int s[1];
	s[0] = threadIdx.x / 32;
	__syncthreads();
	out[threadIdx.x] = s[0];
}

__global__ void race_after_read(int *out)
{
	__shared__ volatile int s[64];
	int t = threadIdx.x;
	s[t] = 0;
	__syncthreads();
	if (t < 32)
		out[t] = s[other(t)];
	else
		s[t] = t;
}

__global__ void race_atomic(int *out)
{
	__shared__ int s[1];
	if (!threadIdx.x)
		s[0] = 0;
	__syncthreads();
	if (threadIdx.x < 32)
		atomicAdd(&s[0], 1);
	else
		*(volatile int *)&s[0] = 5;
	__syncthreads();
	out[threadIdx.x] = s[0];
}

__global__ void race_bytes(int *out)
{
	__shared__ volatile char s[8];
	int t = threadIdx.x;
	if (t == 0)
		s[1] = 1;
	if (t == 32)
		s[1] = 2;
	__syncthreads();
	out[t] = s[1];
}

__global__ void divergent(int *out)
{
	if (threadIdx.x & 1)
		asm volatile("bar.sync 0;" ::: "memory");
	else
		asm volatile("bar.sync 0; // here too" ::: "memory");
	out[threadIdx.x] = 1;
}

__global__ void shared_unwritten(int *out)
{
	__shared__ volatile int s[64];
	if (threadIdx.x != 5)
		s[threadIdx.x] = 1;
	__syncthreads();
	out[threadIdx.x] = s[threadIdx.x];
}

__global__ void copy(int *out, const int *in)
{
	out[threadIdx.x] = in[threadIdx.x];
}

__global__ void store_at(int *out, long long index)
{
	if (threadIdx.x == 33)
		out[index] = 1;
}

__global__ void load_at(int *out, long long index)
{
	if (threadIdx.x == 33)
		out[0] = *(volatile int *)&out[index];
}

__global__ void add_at(int *out, long long index)
{
	if (threadIdx.x == 33)
		atomicAdd(&out[index], 1);
}

// -- nothing wrong with these

__global__ void clean_barrier(int *out)
{
	__shared__ volatile int s[64];
	int t = threadIdx.x;
	s[t] = t;
	__syncthreads();
	out[t] = s[other(t)];
	__syncthreads();
	s[other(t)] = t;
	__syncthreads();
	out[t] += s[t];
}

__global__ void clean_atomics(int *out)
{
	__shared__ int s[64];
	int t = threadIdx.x;
	s[t] = 0;
	__syncthreads();
	atomicAdd(&s[t & 3], 1);
	atomicMax(&s[t & 3], t);
	__syncthreads();
	out[t] = s[t];
}

__global__ void clean_same_value(int *out)
{
	__shared__ volatile int s[1];
	if (!threadIdx.x)
		s[0] = 7;
	__syncthreads();
	s[0] = 7;
	__syncthreads();
	out[threadIdx.x] = s[0];
}

__global__ void clean_bytes(int *out)
{
	__shared__ volatile char s[64];
	int t = threadIdx.x;
	s[(t % 32) * 2 + t / 32] = t;
	__syncthreads();
	out[t] = s[t];
}

__global__ void clean_named_barrier(int *out)
{
	__shared__ volatile int s[32];
	int t = threadIdx.x;
	if (t < 32) {
		s[t] = t;
		asm volatile("bar.arrive 1, 64;" ::: "memory");
		out[t] = 0;
	} else {
		asm volatile("bar.sync 1, 64;" ::: "memory");
		out[t] = s[t - 32];
	}
}

__global__ void clean_unaligned_barrier(int *out)
{
	__shared__ volatile int s[64];
	int t = threadIdx.x;
	s[t] = t;
	if (t & 1)
		asm volatile("barrier.sync 0;" ::: "memory");
	else
		asm volatile("barrier.sync 0; // here too" ::: "memory");
	out[t] = s[other(t)];
}

__global__ void clean_exit(int *out)
{
	__shared__ volatile int s[64];
	int t = threadIdx.x;
	if (t & 1)
		return;
	s[t] = t;
	__syncthreads();
	out[t] = s[other(t)];
}
}
