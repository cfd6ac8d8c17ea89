// Kernels that read textures and write surfaces.
extern "C" {

__global__ void read_texture(cudaTextureObject_t texture, float *out, int width)
{
	out[threadIdx.y * width + threadIdx.x] = tex2D<float>(texture, threadIdx.x + 0.5f, threadIdx.y + 0.5f);
}

__global__ void write_surface(cudaSurfaceObject_t surface)
{
	surf2Dwrite((float)(threadIdx.y * 100 + threadIdx.x), surface, threadIdx.x * 4, threadIdx.y);
}
}
