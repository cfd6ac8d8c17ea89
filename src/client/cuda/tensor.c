/* Tensor maps: the driver writes them. */
#include <string.h>

#include "client/cuda/state.h"

#define RANK_MAX 5u

static CUresult encode(enum pl_cuda_op op, CUtensorMap *map, const struct pl_cuda_cuTensorMapEncodeTiled_args *args)
{
	struct pl_cuda_cuTensorMapEncodeTiled_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(op, &session);
	int r;

	if (result)
		return result;
	if (!map || !args->dims.at || !args->element_strides.at || !args->box.at || args->dims.count > RANK_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK_AS(session, op, cuTensorMapEncodeTiled, args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuTensorMapEncodeTiled_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.map.bytes != sizeof(*map))
		return CUDA_ERROR_UNKNOWN;
	memcpy(map, got.map.at, sizeof(*map));
	return CUDA_SUCCESS;
}

static struct pl_cuda_cuTensorMapEncodeTiled_args args_of(CUtensorMapDataType type, cuuint32_t rank, void *address,
							  const cuuint64_t *dims, const cuuint64_t *strides,
							  const cuuint32_t *elements, const uint64_t modes[8])
{
	return (struct pl_cuda_cuTensorMapEncodeTiled_args){
		.data_type = type,
		.address = (uintptr_t)address,
		.dims = { dims, rank },
		.strides = { strides, strides && rank ? rank - 1 : 0 },
		.element_strides = { elements, rank },
		.modes = { modes, 8 },
	};
}

CUresult cuTensorMapEncodeTiled(CUtensorMap *tensor_map, CUtensorMapDataType tensor_data_type, cuuint32_t tensor_rank,
				void *global_address, const cuuint64_t *global_dim, const cuuint64_t *global_strides,
				const cuuint32_t *box_dim, const cuuint32_t *element_strides,
				CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
				CUtensorMapL2promotion l2_promotion, CUtensorMapFloatOOBfill oob_fill)
{
	const uint64_t modes[8] = { interleave, swizzle, l2_promotion, oob_fill };
	struct pl_cuda_cuTensorMapEncodeTiled_args args = args_of(tensor_data_type, tensor_rank, global_address,
								  global_dim, global_strides, element_strides, modes);

	args.box = (struct pl_u32s){ box_dim, tensor_rank };
	return encode(PL_CUDA_OP_cuTensorMapEncodeTiled, tensor_map, &args);
}

CUresult cuTensorMapEncodeIm2col(CUtensorMap *tensor_map, CUtensorMapDataType tensor_data_type, cuuint32_t tensor_rank,
				 void *global_address, const cuuint64_t *global_dim, const cuuint64_t *global_strides,
				 const int *pixel_box_lower_corner, const int *pixel_box_upper_corner,
				 cuuint32_t channels_per_pixel, cuuint32_t pixels_per_column,
				 const cuuint32_t *element_strides, CUtensorMapInterleave interleave,
				 CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2_promotion,
				 CUtensorMapFloatOOBfill oob_fill)
{
	const uint64_t modes[8] = {
		interleave, swizzle, l2_promotion, oob_fill, channels_per_pixel, pixels_per_column
	};
	struct pl_cuda_cuTensorMapEncodeTiled_args args = args_of(tensor_data_type, tensor_rank, global_address,
								  global_dim, global_strides, element_strides, modes);
	cuuint32_t corners = tensor_rank > 2 && tensor_rank <= RANK_MAX ? tensor_rank - 2 : 0;
	uint32_t box[2 * RANK_MAX] = { 0 };

	if (corners && pixel_box_lower_corner && pixel_box_upper_corner) {
		memcpy(box, pixel_box_lower_corner, corners * sizeof(box[0]));
		memcpy(box + corners, pixel_box_upper_corner, corners * sizeof(box[0]));
		args.box = (struct pl_u32s){ box, 2 * corners };
	}
	return encode(PL_CUDA_OP_cuTensorMapEncodeIm2col, tensor_map, &args);
}

CUresult cuTensorMapEncodeIm2colWide(CUtensorMap *tensor_map, CUtensorMapDataType tensor_data_type,
				     cuuint32_t tensor_rank, void *global_address, const cuuint64_t *global_dim,
				     const cuuint64_t *global_strides, int pixel_box_lower_corner_width,
				     int pixel_box_upper_corner_width, cuuint32_t channels_per_pixel,
				     cuuint32_t pixels_per_column, const cuuint32_t *element_strides,
				     CUtensorMapInterleave interleave, CUtensorMapIm2ColWideMode mode,
				     CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2_promotion,
				     CUtensorMapFloatOOBfill oob_fill)
{
	const uint64_t modes[8] = { interleave,         swizzle,           l2_promotion, oob_fill,
				    channels_per_pixel, pixels_per_column, mode };
	const uint32_t box[2] = { (uint32_t)pixel_box_lower_corner_width, (uint32_t)pixel_box_upper_corner_width };
	struct pl_cuda_cuTensorMapEncodeTiled_args args = args_of(tensor_data_type, tensor_rank, global_address,
								  global_dim, global_strides, element_strides, modes);

	args.box = (struct pl_u32s){ box, 2 };
	return encode(PL_CUDA_OP_cuTensorMapEncodeIm2colWide, tensor_map, &args);
}

CUresult cuTensorMapReplaceAddress(CUtensorMap *tensor_map, void *global_address)
{
	struct pl_cuda_cuTensorMapReplaceAddress_args args = { .address = (uintptr_t)global_address };
	struct pl_cuda_cuTensorMapReplaceAddress_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuTensorMapReplaceAddress, &session);
	int r;

	if (result)
		return result;
	if (!tensor_map)
		return CUDA_ERROR_INVALID_VALUE;
	args.map = (struct pl_bytes){ tensor_map, sizeof(*tensor_map) };
	r = PL_CUDA_ASK(session, cuTensorMapReplaceAddress, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuTensorMapReplaceAddress_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.map.bytes != sizeof(*tensor_map))
		return CUDA_ERROR_UNKNOWN;
	memcpy(tensor_map, got.map.at, sizeof(*tensor_map));
	return CUDA_SUCCESS;
}
