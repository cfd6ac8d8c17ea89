/*
 * What takes memory with it that the client has pages of (managed.c): its right to them ends before the driver frees
 * them.
 */
#include "backend/cuda/session.h"

static int32_t release(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind, CUresult (*call)(void *))
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *object = NULL;

	if (!pl_cuda_take(serve, id, kind, &object, &status))
		return status;
	pl_cuda_pages_end(session, id, true);
	status = (int32_t)call(object);
	if (status)
		pl_cuda_pages_end(session, id, false);
	else
		pl_cuda_drop(serve, id, kind);
	return status;
}

#define RELEASES(function, field, kind)                                                                                \
	static CUresult call_##function(void *object)                                                                  \
	{                                                                                                              \
		return pl_cuda.function ? pl_cuda.function(object) : CUDA_ERROR_NOT_SUPPORTED;                         \
	}                                                                                                              \
	void pl_cuda_serve_##function(struct pl_serve *serve, const struct pl_cuda_##function##_args *args)            \
	{                                                                                                              \
		pl_cuda_result(serve, release(serve, args->field, kind, call_##function), 0);                          \
	}

RELEASES(cuCtxDestroy, context, PL_CUDA_KIND_context)
RELEASES(cuCtxDestroy_v2, context, PL_CUDA_KIND_context)
RELEASES(cuModuleUnload, module, PL_CUDA_KIND_module)
RELEASES(cuLibraryUnload, library, PL_CUDA_KIND_library)
