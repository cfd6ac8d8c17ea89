/* What comes before every call that travels. */
#include "client/cuda/state.h"

/* Calls that need no context. */
static bool op_is_free(enum pl_cuda_op op)
{
	switch (op) {
	case PL_CUDA_OP_cuDeviceGetTexture1DLinearMaxWidth:
	case PL_CUDA_OP_cuDeviceGetExecAffinitySupport:
	case PL_CUDA_OP_cuDeviceGetHostAtomicCapabilities:
	case PL_CUDA_OP_cuDeviceCanAccessPeer:
	case PL_CUDA_OP_cuDeviceGetP2PAttribute:
	case PL_CUDA_OP_cuDeviceGetP2PAtomicCapabilities:
	case PL_CUDA_OP_cuDeviceRegisterAsyncNotification:
	case PL_CUDA_OP_cuDeviceUnregisterAsyncNotification:
	case PL_CUDA_OP_cuCtxCreate:
	case PL_CUDA_OP_cuCtxCreate_v2:
	case PL_CUDA_OP_cuCtxCreate_v3:
	case PL_CUDA_OP_cuCtxCreate_v4:
	case PL_CUDA_OP_cuCtxDestroy:
	case PL_CUDA_OP_cuCtxDestroy_v2:
	case PL_CUDA_OP_cuCtxGetId:
	case PL_CUDA_OP_cuCtxGetApiVersion:
	case PL_CUDA_OP_cuCtxSynchronize_v2:
	case PL_CUDA_OP_cuCtxRecordEvent:
	case PL_CUDA_OP_cuCtxWaitEvent:
	case PL_CUDA_OP_cuCtxGetDevResource:
	case PL_CUDA_OP_cuDevicePrimaryCtxRetain:
	case PL_CUDA_OP_cuDevicePrimaryCtxRelease:
	case PL_CUDA_OP_cuDevicePrimaryCtxRelease_v2:
	case PL_CUDA_OP_cuDevicePrimaryCtxSetFlags:
	case PL_CUDA_OP_cuDevicePrimaryCtxSetFlags_v2:
	case PL_CUDA_OP_cuDevicePrimaryCtxReset:
	case PL_CUDA_OP_cuDevicePrimaryCtxReset_v2:
	case PL_CUDA_OP_cuDeviceGetDevResource:
	case PL_CUDA_OP_cuDevSmResourceSplitByCount:
	case PL_CUDA_OP_cuDevResourceGenerateDesc:
	case PL_CUDA_OP_cuGreenCtxCreate:
	case PL_CUDA_OP_cuGreenCtxDestroy:
	case PL_CUDA_OP_cuGreenCtxGetDevResource:
	case PL_CUDA_OP_cuGreenCtxGetId:
	case PL_CUDA_OP_cuCtxFromGreenCtx:
	case PL_CUDA_OP_cuLibraryLoadData:
	case PL_CUDA_OP_cuLibraryLoadFromFile:
	case PL_CUDA_OP_cuLibraryUnload:
	case PL_CUDA_OP_plLibraryKernels:
	case PL_CUDA_OP_cuKernelGetAttribute:
	case PL_CUDA_OP_cuKernelSetAttribute:
	case PL_CUDA_OP_cuKernelSetCacheConfig:
	case PL_CUDA_OP_plFunctionFacts:
	case PL_CUDA_OP_cuMemAddressReserve:
	case PL_CUDA_OP_cuMemAddressFree:
	case PL_CUDA_OP_cuMemCreate:
	case PL_CUDA_OP_cuMemRelease:
	case PL_CUDA_OP_cuMemMap:
	case PL_CUDA_OP_cuMemUnmap:
	case PL_CUDA_OP_cuMemSetAccess:
	case PL_CUDA_OP_cuMemGetAccess:
	case PL_CUDA_OP_cuMemExportToShareableHandle:
	case PL_CUDA_OP_cuMemImportFromShareableHandle:
	case PL_CUDA_OP_cuMemGetAllocationGranularity:
	case PL_CUDA_OP_cuMemGetAllocationPropertiesFromHandle:
	case PL_CUDA_OP_cuMemRetainAllocationHandle:
	case PL_CUDA_OP_cuMulticastGetGranularity:
	case PL_CUDA_OP_cuMemPoolCreate:
	case PL_CUDA_OP_cuMemPoolDestroy:
	case PL_CUDA_OP_cuMemPoolTrimTo:
	case PL_CUDA_OP_cuMemPoolSetAttribute:
	case PL_CUDA_OP_cuMemPoolGetAttribute:
	case PL_CUDA_OP_cuMemPoolSetAccess:
	case PL_CUDA_OP_cuMemPoolGetAccess:
	case PL_CUDA_OP_cuDeviceSetMemPool:
	case PL_CUDA_OP_cuDeviceGraphMemTrim:
	case PL_CUDA_OP_cuDeviceGetGraphMemAttribute:
	case PL_CUDA_OP_cuDeviceSetGraphMemAttribute:
	case PL_CUDA_OP_cuTensorMapEncodeTiled:
	case PL_CUDA_OP_cuTensorMapEncodeIm2col:
	case PL_CUDA_OP_cuTensorMapReplaceAddress:
	case PL_CUDA_OP_cuThreadExchangeStreamCaptureMode:
	case PL_CUDA_OP_cuGraphCreate:
	case PL_CUDA_OP_cuGraphDestroy:
	case PL_CUDA_OP_cuUserObjectCreate:
	case PL_CUDA_OP_cuUserObjectRetain:
	case PL_CUDA_OP_cuUserObjectRelease:
		return true;
	default:
		return false;
	}
}

/* Calls that end something work in a context that has failed, too. */
static bool op_ends(enum pl_cuda_op op)
{
	switch (op) {
	case PL_CUDA_OP_cuModuleUnload:
	case PL_CUDA_OP_cuStreamDestroy:
	case PL_CUDA_OP_cuStreamDestroy_v2:
	case PL_CUDA_OP_cuEventDestroy:
	case PL_CUDA_OP_cuEventDestroy_v2:
		return true;
	default:
		return false;
	}
}

/* The lane's context is this thread's from here on. */
static CUresult context_tell(struct pl_session *session, struct pl_cuda_thread *thread, uint64_t id)
{
	struct pl_cuda_plCurrent_args args = { .context = id };
	CUresult result = PL_CUDA_POST(session, plCurrent, &args);

	if (!result && thread->told == PL_CUDA_TOLD_NOT)
		result = pl_cuda_capture_mode_tell(session);
	if (!result)
		thread->told = id;
	return result;
}

static CUresult enter_slowly(enum pl_cuda_op op, struct pl_session **session_out)
{
	struct pl_cuda_thread *thread = &pl_cuda_thread;
	struct pl_cuda_context *top = thread->top;
	CUresult result = pl_cuda_ready();
	int error;

	if (result)
		return result;
	*session_out = pl_cuda_session();
	if (!top)
		return op_is_free(op) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
	error = atomic_load_explicit(&top->error, memory_order_acquire);
	if (error == CUDA_ERROR_CONTEXT_IS_DESTROYED)
		return op_is_free(op) ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
	if (error && !op_is_free(op) && !op_ends(op))
		return (CUresult)error;
	return thread->told == top->object.id ? CUDA_SUCCESS : context_tell(*session_out, thread, top->object.id);
}

CUresult pl_cuda_enter(enum pl_cuda_op op, struct pl_session **session_out)
{
	const struct pl_cuda_thread *thread = &pl_cuda_thread;
	const struct pl_cuda_context *top = thread->top;

	if (__builtin_expect(top && thread->told == top->object.id &&
				     !atomic_load_explicit(&top->error, memory_order_relaxed),
			     1)) {
		*session_out = pl_cuda_session();
		return CUDA_SUCCESS;
	}
	return enter_slowly(op, session_out);
}
