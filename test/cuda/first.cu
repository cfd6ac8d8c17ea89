extern "C" __device__ int other(int value);

extern "C" __global__ void call_other(int *out, int value)
{
	*out = other(value);
}
