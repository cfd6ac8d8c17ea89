/* Tensor maps: 128 bytes that only the driver knows to write. */
#include <string.h>

#include "backend/cuda/session.h"

#define RANK_MAX 5u

struct encoding {
	CUtensorMap map __attribute__((aligned(64)));
	cuuint64_t dims[RANK_MAX], strides[RANK_MAX];
	cuuint32_t box[RANK_MAX], elements[RANK_MAX];
	int lower[RANK_MAX], upper[RANK_MAX];
	uint64_t mode[8];
	uint32_t rank;
};

/* Lists are as long as the rank says; strides are one fewer; the corners of im2col lie one behind the other. */
static bool encoding_open(struct encoding *e, const struct pl_cuda_cuTensorMapEncodeTiled_args *args, bool im2col)
{
	e->rank = (uint32_t)args->dims.count;
	if (!e->rank || e->rank > RANK_MAX || args->strides.count != e->rank - 1 ||
	    args->element_strides.count != e->rank || args->modes.count != sizeof(e->mode) / sizeof(e->mode[0]) ||
	    (im2col ? args->box.count > 2 * RANK_MAX || args->box.count % 2 : args->box.count != e->rank))
		return false;
	memcpy(e->dims, args->dims.at, e->rank * sizeof(e->dims[0]));
	if (e->rank > 1)
		memcpy(e->strides, args->strides.at, (e->rank - 1) * sizeof(e->strides[0]));
	memcpy(e->elements, args->element_strides.at, e->rank * sizeof(e->elements[0]));
	memcpy(e->mode, args->modes.at, sizeof(e->mode));
	if (!im2col) {
		memcpy(e->box, args->box.at, e->rank * sizeof(e->box[0]));
		return true;
	}
	for (uint64_t i = 0; i < args->box.count / 2; i++) {
		e->lower[i] = (int)args->box.at[i];
		e->upper[i] = (int)args->box.at[args->box.count / 2 + i];
	}
	return true;
}

static CUresult encode(uint16_t op, struct encoding *e, CUtensorMapDataType type, void *address)
{
	CUtensorMapInterleave interleave = (CUtensorMapInterleave)e->mode[0];
	CUtensorMapSwizzle swizzle = (CUtensorMapSwizzle)e->mode[1];
	CUtensorMapL2promotion promotion = (CUtensorMapL2promotion)e->mode[2];
	CUtensorMapFloatOOBfill fill = (CUtensorMapFloatOOBfill)e->mode[3];
	cuuint32_t channels = (cuuint32_t)e->mode[4], pixels = (cuuint32_t)e->mode[5];

	if (op == PL_CUDA_OP_cuTensorMapEncodeTiled && pl_cuda.cuTensorMapEncodeTiled)
		return pl_cuda.cuTensorMapEncodeTiled(&e->map, type, e->rank, address, e->dims, e->strides, e->box,
						      e->elements, interleave, swizzle, promotion, fill);
	if (op == PL_CUDA_OP_cuTensorMapEncodeIm2col && pl_cuda.cuTensorMapEncodeIm2col)
		return pl_cuda.cuTensorMapEncodeIm2col(&e->map, type, e->rank, address, e->dims, e->strides, e->lower,
						       e->upper, channels, pixels, e->elements, interleave, swizzle,
						       promotion, fill);
	if (op == PL_CUDA_OP_cuTensorMapEncodeIm2colWide && pl_cuda.cuTensorMapEncodeIm2colWide)
		return pl_cuda.cuTensorMapEncodeIm2colWide(&e->map, type, e->rank, address, e->dims, e->strides,
							   e->lower[0], e->upper[0], channels, pixels, e->elements,
							   interleave, (CUtensorMapIm2ColWideMode)e->mode[6], swizzle,
							   promotion, fill);
	return CUDA_ERROR_NOT_SUPPORTED;
}

void pl_cuda_serve_cuTensorMapEncodeTiled(struct pl_serve *serve,
					  const struct pl_cuda_cuTensorMapEncodeTiled_args *args)
{
	struct pl_cuda_cuTensorMapEncodeTiled_reply reply = { 0 };
	uint16_t op = serve->head->op;
	struct encoding e = { .rank = 0 };
	int32_t status;

	if (!encoding_open(&e, args, op != PL_CUDA_OP_cuTensorMapEncodeTiled)) {
		pl_cuda_result(serve, CUDA_ERROR_INVALID_VALUE, 0);
		return;
	}
	status = (int32_t)encode(op, &e, (CUtensorMapDataType)args->data_type, (void *)(uintptr_t)args->address);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.map = (struct pl_bytes){ &e.map, sizeof(e.map) };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuTensorMapEncodeTiled_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuTensorMapEncodeTiled_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuTensorMapReplaceAddress(struct pl_serve *serve,
					     const struct pl_cuda_cuTensorMapReplaceAddress_args *args)
{
	struct pl_cuda_cuTensorMapReplaceAddress_reply reply = { 0 };
	CUtensorMap map __attribute__((aligned(64)));
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (args->map.bytes != sizeof(map)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	memcpy(&map, args->map.at, sizeof(map));
	if (pl_cuda.cuTensorMapReplaceAddress)
		status = (int32_t)pl_cuda.cuTensorMapReplaceAddress(&map, (void *)(uintptr_t)args->address);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.map = (struct pl_bytes){ &map, sizeof(map) };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuTensorMapReplaceAddress_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuTensorMapReplaceAddress_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
