// Copies from global to shared memory that do not wait: compute capability 8.0.
extern "C" __global__ void copy_async(const char *in, int4 *out, int bytes)
{
	__shared__ int4 room[32];
	unsigned int to = (unsigned int)__cvta_generic_to_shared(&room[threadIdx.x]);
	asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" : : "r"(to), "l"(in + threadIdx.x * 16), "r"(bytes));
	asm volatile("cp.async.commit_group;");
	asm volatile("cp.async.wait_group 0;");
	__syncthreads();
	out[threadIdx.x] = room[threadIdx.x];
}
