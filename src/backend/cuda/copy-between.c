/* Copies between addresses of the device; the client knows which are its own. */
#include "backend/cuda/copy.h"

/* It waits where host memory is an end, which a device reaches: others go on meanwhile. */
static int32_t copy_now(struct pl_serve *serve, const struct pl_cuda_cuMemcpyAsync_args *args,
			__typeof__(&cuMemcpy) now)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status;

	pl_cuda_entering(session);
	if (serve->asked)
		pl_serve_give_turn(serve);
	status = (int32_t)now(args->to, args->from, args->size);
	pl_cuda_entered(session);
	return status;
}

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
		else if (waits)
			status = now ? copy_now(serve, args, now) : CUDA_ERROR_NOT_SUPPORTED;
		else if (later)
			status = (int32_t)later(args->to, args->from, args->size, stream);
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
