/* Copies between addresses of the device; the client knows which are its own. */
#include "backend/cuda/session.h"

void pl_cuda_serve_cuMemcpyAsync(struct pl_serve *serve, const struct pl_cuda_cuMemcpyAsync_args *args)
{
	bool waits = serve->head->op == PL_CUDA_OP_cuMemcpy;
	__typeof__(&cuMemcpy) now = args->per_thread ? pl_cuda.cuMemcpy_ptds : pl_cuda.cuMemcpy;
	__typeof__(&cuMemcpyAsync) later = args->per_thread ? pl_cuda.cuMemcpyAsync_ptsz : pl_cuda.cuMemcpyAsync;
	struct pl_cuda_cuMemcpyAsync_reply reply = { 0 };
	int32_t status;
	void *stream;

	if (args->data.bytes) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		status = CUDA_ERROR_NOT_SUPPORTED;
		if (!pl_cuda_address_known(args->to, args->size) || !pl_cuda_address_known(args->from, args->size))
			status = CUDA_ERROR_INVALID_VALUE;
		else if (waits ? now != NULL : later != NULL)
			status = (int32_t)(waits ? now(args->to, args->from, args->size)
						 : later(args->to, args->from, args->size, stream));
	}
	if (status || !serve->asked) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemcpyAsync_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemcpyAsync_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
