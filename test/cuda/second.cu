// The other half of a program that is linked by the driver.
extern "C" __device__ int other(int value)
{
	return value * 3 + 1;
}
