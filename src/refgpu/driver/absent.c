/* Functions of what this device does not have; each gives the documented error.  spec/cuda.api has those that can never
 * be had (cuda-refused.c). */
#include "cuda-api.h"
#include "cuda/refuse.h"

#define ABSENT(function, code, why, params, unused)                                                                    \
	CUresult function params                                                                                       \
	{                                                                                                              \
		unused;                                                                                                \
		return pl_cuda_refuse(#function, code, why);                                                           \
	}

/* Green contexts: the device is not divided, so none exists. */
#define WHOLE "the multiprocessors of this device are not divided"
ABSENT(cuDeviceGetDevResource, CUDA_ERROR_NOT_SUPPORTED, WHOLE,
       (CUdevice device, CUdevResource *resource, CUdevResourceType type), (void)device;
       (void)resource; (void)type)
ABSENT(cuCtxGetDevResource, CUDA_ERROR_NOT_SUPPORTED, WHOLE,
       (CUcontext context, CUdevResource *resource, CUdevResourceType type), (void)context;
       (void)resource; (void)type)
ABSENT(cuGreenCtxGetDevResource, CUDA_ERROR_INVALID_HANDLE, WHOLE,
       (CUgreenCtx context, CUdevResource *resource, CUdevResourceType type), (void)context;
       (void)resource; (void)type)
ABSENT(cuDevSmResourceSplitByCount, CUDA_ERROR_NOT_SUPPORTED, WHOLE,
       (CUdevResource * result, unsigned int *groups, const CUdevResource *input, CUdevResource *remaining,
	unsigned int flags, unsigned int min_count),
       (void)result;
       (void)groups; (void)input; (void)remaining; (void)flags; (void)min_count)
ABSENT(cuDevResourceGenerateDesc, CUDA_ERROR_NOT_SUPPORTED, WHOLE,
       (CUdevResourceDesc * description, CUdevResource *resources, unsigned int count), (void)description;
       (void)resources; (void)count)
ABSENT(cuGreenCtxCreate, CUDA_ERROR_NOT_SUPPORTED, WHOLE,
       (CUgreenCtx * context, CUdevResourceDesc descriptor, CUdevice device, unsigned int flags), (void)context;
       (void)descriptor; (void)device; (void)flags)
ABSENT(cuGreenCtxDestroy, CUDA_ERROR_INVALID_HANDLE, WHOLE, (CUgreenCtx context), (void)context)
ABSENT(cuCtxFromGreenCtx, CUDA_ERROR_INVALID_HANDLE, WHOLE, (CUcontext * context, CUgreenCtx green), (void)context;
       (void)green)
ABSENT(cuGreenCtxRecordEvent, CUDA_ERROR_INVALID_HANDLE, WHOLE, (CUgreenCtx context, CUevent event), (void)context;
       (void)event)
ABSENT(cuGreenCtxWaitEvent, CUDA_ERROR_INVALID_HANDLE, WHOLE, (CUgreenCtx context, CUevent event), (void)context;
       (void)event)
ABSENT(cuGreenCtxGetId, CUDA_ERROR_INVALID_HANDLE, WHOLE, (CUgreenCtx green, unsigned long long *id), (void)green;
       (void)id)
ABSENT(cuGreenCtxStreamCreate, CUDA_ERROR_INVALID_HANDLE, WHOLE,
       (CUstream * stream, CUgreenCtx green, unsigned int flags, int priority), (void)stream;
       (void)green; (void)flags; (void)priority)

/* Multicast: its attribute is 0. */
#define ALONE "a multicast needs several devices that are linked"
ABSENT(cuMulticastCreate, CUDA_ERROR_NOT_SUPPORTED, ALONE,
       (CUmemGenericAllocationHandle * multicast, const CUmulticastObjectProp *properties), (void)multicast;
       (void)properties)
ABSENT(cuMulticastAddDevice, CUDA_ERROR_NOT_SUPPORTED, ALONE, (CUmemGenericAllocationHandle multicast, CUdevice device),
       (void)multicast;
       (void)device)
ABSENT(cuMulticastBindMem, CUDA_ERROR_NOT_SUPPORTED, ALONE,
       (CUmemGenericAllocationHandle multicast, size_t multicast_offset, CUmemGenericAllocationHandle allocation,
	size_t mem_offset, size_t bytes, unsigned long long flags),
       (void)multicast;
       (void)multicast_offset; (void)allocation; (void)mem_offset; (void)bytes; (void)flags)
ABSENT(cuMulticastBindAddr, CUDA_ERROR_NOT_SUPPORTED, ALONE,
       (CUmemGenericAllocationHandle multicast, size_t multicast_offset, CUdeviceptr address, size_t bytes,
	unsigned long long flags),
       (void)multicast;
       (void)multicast_offset; (void)address; (void)bytes; (void)flags)
ABSENT(cuMulticastUnbind, CUDA_ERROR_NOT_SUPPORTED, ALONE,
       (CUmemGenericAllocationHandle multicast, CUdevice device, size_t multicast_offset, size_t bytes),
       (void)multicast;
       (void)device; (void)multicast_offset; (void)bytes)
ABSENT(cuMulticastGetGranularity, CUDA_ERROR_NOT_SUPPORTED, ALONE,
       (size_t * granularity, const CUmulticastObjectProp *properties, CUmulticastGranularity_flags option),
       (void)granularity;
       (void)properties; (void)option)

/* Tensor maps and decompression: their attributes are 0. */
#define NO_UNIT "the device has no such unit"
ABSENT(cuTensorMapEncodeTiled, CUDA_ERROR_NOT_SUPPORTED, NO_UNIT,
       (CUtensorMap * tensor_map, CUtensorMapDataType tensor_data_type, cuuint32_t tensor_rank, void *global_address,
	const cuuint64_t *global_dim, const cuuint64_t *global_strides, const cuuint32_t *box_dim,
	const cuuint32_t *element_strides, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
	CUtensorMapL2promotion l2_promotion, CUtensorMapFloatOOBfill oob_fill),
       (void)tensor_map;
       (void)tensor_data_type; (void)tensor_rank; (void)global_address; (void)global_dim; (void)global_strides;
       (void)box_dim; (void)element_strides; (void)interleave; (void)swizzle; (void)l2_promotion; (void)oob_fill)
ABSENT(cuTensorMapEncodeIm2col, CUDA_ERROR_NOT_SUPPORTED, NO_UNIT,
       (CUtensorMap * tensor_map, CUtensorMapDataType tensor_data_type, cuuint32_t tensor_rank, void *global_address,
	const cuuint64_t *global_dim, const cuuint64_t *global_strides, const int *pixel_box_lower_corner,
	const int *pixel_box_upper_corner, cuuint32_t channels_per_pixel, cuuint32_t pixels_per_column,
	const cuuint32_t *element_strides, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
	CUtensorMapL2promotion l2_promotion, CUtensorMapFloatOOBfill oob_fill),
       (void)tensor_map;
       (void)tensor_data_type; (void)tensor_rank; (void)global_address; (void)global_dim; (void)global_strides;
       (void)pixel_box_lower_corner; (void)pixel_box_upper_corner; (void)channels_per_pixel; (void)pixels_per_column;
       (void)element_strides; (void)interleave; (void)swizzle; (void)l2_promotion; (void)oob_fill)
ABSENT(cuTensorMapEncodeIm2colWide, CUDA_ERROR_NOT_SUPPORTED, NO_UNIT,
       (CUtensorMap * tensor_map, CUtensorMapDataType tensor_data_type, cuuint32_t tensor_rank, void *global_address,
	const cuuint64_t *global_dim, const cuuint64_t *global_strides, int pixel_box_lower_corner_width,
	int pixel_box_upper_corner_width, cuuint32_t channels_per_pixel, cuuint32_t pixels_per_column,
	const cuuint32_t *element_strides, CUtensorMapInterleave interleave, CUtensorMapIm2ColWideMode mode,
	CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2_promotion, CUtensorMapFloatOOBfill oob_fill),
       (void)tensor_map;
       (void)tensor_data_type; (void)tensor_rank; (void)global_address; (void)global_dim; (void)global_strides;
       (void)pixel_box_lower_corner_width; (void)pixel_box_upper_corner_width; (void)channels_per_pixel;
       (void)pixels_per_column; (void)element_strides; (void)interleave; (void)mode; (void)swizzle; (void)l2_promotion;
       (void)oob_fill)
ABSENT(cuTensorMapReplaceAddress, CUDA_ERROR_NOT_SUPPORTED, NO_UNIT, (CUtensorMap * tensor_map, void *global_address),
       (void)tensor_map;
       (void)global_address)
ABSENT(cuMemBatchDecompressAsync, CUDA_ERROR_NOT_SUPPORTED, NO_UNIT,
       (CUmemDecompressParams * params, size_t count, unsigned int flags, size_t *error_index, CUstream stream),
       (void)params;
       (void)count; (void)flags; (void)error_index; (void)stream)
