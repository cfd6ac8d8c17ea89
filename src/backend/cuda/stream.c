/* Streams: attributes, and operations on words of memory in a stream's order. */
#include <string.h>

#include "backend/cuda/session.h"

void pl_cuda_serve_cuStreamGetAttribute(struct pl_serve *serve, const struct pl_cuda_cuStreamGetAttribute_args *args)
{
	__typeof__(&cuStreamGetAttribute) call =
		args->per_thread ? pl_cuda.cuStreamGetAttribute_ptsz : pl_cuda.cuStreamGetAttribute;
	struct pl_cuda_cuStreamGetAttribute_reply reply = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUstreamAttrValue value = { { 0 } };
	void *stream;

	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = call ? (int32_t)call(stream, (CUstreamAttrID)args->attribute, &value)
			      : CUDA_ERROR_NOT_SUPPORTED;
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.value = (struct pl_bytes){ &value, sizeof(value) };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuStreamGetAttribute_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuStreamGetAttribute_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuStreamSetAttribute(struct pl_serve *serve, const struct pl_cuda_cuStreamSetAttribute_args *args)
{
	__typeof__(&cuStreamSetAttribute) call =
		args->per_thread ? pl_cuda.cuStreamSetAttribute_ptsz : pl_cuda.cuStreamSetAttribute;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUstreamAttrValue value = { { 0 } };
	void *stream;

	if (args->value.bytes != sizeof(value)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	memcpy(&value, args->value.at, sizeof(value));
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = call ? (int32_t)call(stream, (CUstreamAttrID)args->attribute, &value)
			      : CUDA_ERROR_NOT_SUPPORTED;
	pl_cuda_result(serve, status, args->stream);
}

/* Each operation travels as six words: its structure has no pointer, and the same layout everywhere. */
void pl_cuda_serve_cuStreamBatchMemOp(struct pl_serve *serve, const struct pl_cuda_cuStreamBatchMemOp_args *args)
{
	bool second = serve->head->op == PL_CUDA_OP_cuStreamBatchMemOp_v2;
	__typeof__(&cuStreamBatchMemOp) first_call =
		args->per_thread ? pl_cuda.cuStreamBatchMemOp_ptsz : pl_cuda.cuStreamBatchMemOp;
	__typeof__(&cuStreamBatchMemOp_v2) second_call =
		args->per_thread ? pl_cuda.cuStreamBatchMemOp_v2_ptsz : pl_cuda.cuStreamBatchMemOp_v2;
	unsigned int count = (unsigned int)(args->operations.bytes / sizeof(CUstreamBatchMemOpParams));
	CUstreamBatchMemOpParams *operations = (CUstreamBatchMemOpParams *)(uintptr_t)args->operations.at;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *stream;

	if (args->operations.bytes % sizeof(CUstreamBatchMemOpParams)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		status = CUDA_ERROR_NOT_SUPPORTED;
		if (second ? second_call != NULL : first_call != NULL)
			status = (int32_t)(second ? second_call(stream, count, operations, args->flags)
						  : first_call(stream, count, operations, args->flags));
	}
	pl_cuda_result(serve, status, args->stream);
}
