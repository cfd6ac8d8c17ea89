/* What comes before every call that travels. */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/memory.h"

/* Graphs are made and changed without a context, but for what names one itself. */
static bool op_is_graphs(enum pl_cuda_op op)
{
	switch (op) {
	case PL_CUDA_OP_cuGraphAddBatchMemOpNode:
	case PL_CUDA_OP_cuGraphAddChildGraphNode:
	case PL_CUDA_OP_cuGraphAddDependencies:
	case PL_CUDA_OP_cuGraphAddDependencies_v2:
	case PL_CUDA_OP_cuGraphAddEmptyNode:
	case PL_CUDA_OP_cuGraphAddEventRecordNode:
	case PL_CUDA_OP_cuGraphAddEventWaitNode:
	case PL_CUDA_OP_cuGraphAddHostNode:
	case PL_CUDA_OP_cuGraphAddKernelNode:
	case PL_CUDA_OP_cuGraphAddKernelNode_v2:
	case PL_CUDA_OP_cuGraphAddMemAllocNode:
	case PL_CUDA_OP_cuGraphAddMemFreeNode:
	case PL_CUDA_OP_cuGraphAddMemcpyNode:
	case PL_CUDA_OP_cuGraphAddMemsetNode:
	case PL_CUDA_OP_cuGraphAddNode:
	case PL_CUDA_OP_cuGraphAddNode_v2:
	case PL_CUDA_OP_cuGraphBatchMemOpNodeGetParams:
	case PL_CUDA_OP_cuGraphBatchMemOpNodeSetParams:
	case PL_CUDA_OP_cuGraphChildGraphNodeGetGraph:
	case PL_CUDA_OP_cuGraphClone:
	case PL_CUDA_OP_cuGraphConditionalHandleCreate:
	case PL_CUDA_OP_cuGraphDestroyNode:
	case PL_CUDA_OP_cuGraphEventRecordNodeGetEvent:
	case PL_CUDA_OP_cuGraphEventRecordNodeSetEvent:
	case PL_CUDA_OP_cuGraphEventWaitNodeGetEvent:
	case PL_CUDA_OP_cuGraphEventWaitNodeSetEvent:
	case PL_CUDA_OP_cuGraphExecBatchMemOpNodeSetParams:
	case PL_CUDA_OP_cuGraphExecChildGraphNodeSetParams:
	case PL_CUDA_OP_cuGraphExecDestroy:
	case PL_CUDA_OP_cuGraphExecEventRecordNodeSetEvent:
	case PL_CUDA_OP_cuGraphExecEventWaitNodeSetEvent:
	case PL_CUDA_OP_cuGraphExecGetFlags:
	case PL_CUDA_OP_cuGraphExecHostNodeSetParams:
	case PL_CUDA_OP_cuGraphExecKernelNodeSetParams:
	case PL_CUDA_OP_cuGraphExecKernelNodeSetParams_v2:
	case PL_CUDA_OP_cuGraphExecMemcpyNodeSetParams:
	case PL_CUDA_OP_cuGraphExecMemsetNodeSetParams:
	case PL_CUDA_OP_cuGraphExecNodeSetParams:
	case PL_CUDA_OP_cuGraphExecUpdate:
	case PL_CUDA_OP_cuGraphExecUpdate_v2:
	case PL_CUDA_OP_cuGraphGetEdges:
	case PL_CUDA_OP_cuGraphGetEdges_v2:
	case PL_CUDA_OP_cuGraphGetNodes:
	case PL_CUDA_OP_cuGraphGetRootNodes:
	case PL_CUDA_OP_cuGraphHostNodeGetParams:
	case PL_CUDA_OP_cuGraphHostNodeSetParams:
	case PL_CUDA_OP_cuGraphInstantiate:
	case PL_CUDA_OP_cuGraphInstantiateWithFlags:
	case PL_CUDA_OP_cuGraphInstantiateWithParams:
	case PL_CUDA_OP_cuGraphInstantiate_v2:
	case PL_CUDA_OP_cuGraphKernelNodeCopyAttributes:
	case PL_CUDA_OP_cuGraphKernelNodeGetAttribute:
	case PL_CUDA_OP_cuGraphKernelNodeGetParams:
	case PL_CUDA_OP_cuGraphKernelNodeGetParams_v2:
	case PL_CUDA_OP_cuGraphKernelNodeSetAttribute:
	case PL_CUDA_OP_cuGraphKernelNodeSetParams:
	case PL_CUDA_OP_cuGraphKernelNodeSetParams_v2:
	case PL_CUDA_OP_cuGraphMemAllocNodeGetParams:
	case PL_CUDA_OP_cuGraphMemFreeNodeGetParams:
	case PL_CUDA_OP_cuGraphMemcpyNodeGetParams:
	case PL_CUDA_OP_cuGraphMemcpyNodeSetParams:
	case PL_CUDA_OP_cuGraphMemsetNodeGetParams:
	case PL_CUDA_OP_cuGraphMemsetNodeSetParams:
	case PL_CUDA_OP_cuGraphNodeFindInClone:
	case PL_CUDA_OP_cuGraphNodeGetDependencies:
	case PL_CUDA_OP_cuGraphNodeGetDependencies_v2:
	case PL_CUDA_OP_cuGraphNodeGetDependentNodes:
	case PL_CUDA_OP_cuGraphNodeGetDependentNodes_v2:
	case PL_CUDA_OP_cuGraphNodeGetEnabled:
	case PL_CUDA_OP_cuGraphNodeGetType:
	case PL_CUDA_OP_cuGraphNodeSetEnabled:
	case PL_CUDA_OP_cuGraphNodeSetParams:
	case PL_CUDA_OP_cuGraphReleaseUserObject:
	case PL_CUDA_OP_cuGraphRemoveDependencies:
	case PL_CUDA_OP_cuGraphRemoveDependencies_v2:
	case PL_CUDA_OP_cuGraphRetainUserObject:
	case PL_CUDA_OP_plNodeParams:
		return true;
	default:
		return false;
	}
}

/* Calls that need no context, nor mind one that has failed. */
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
	case PL_CUDA_OP_cuMemSetMemPool:
	case PL_CUDA_OP_cuMemPoolExportToShareableHandle:
	case PL_CUDA_OP_cuMemPoolImportFromShareableHandle:
	case PL_CUDA_OP_cuMemPoolExportPointer:
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
	case PL_CUDA_OP_cuStreamDestroy:
	case PL_CUDA_OP_cuStreamDestroy_v2:
	case PL_CUDA_OP_cuEventDestroy:
	case PL_CUDA_OP_cuEventDestroy_v2:
	case PL_CUDA_OP_cuEventQuery:
	case PL_CUDA_OP_cuPointerSetAttribute:
		return true;
	default:
		return op_is_graphs(op);
	}
}

/* ---- what each of the thread's lanes was told ---- */

static pthread_key_t told_key;
static pthread_once_t told_once = PTHREAD_ONCE_INIT;

/* Destructors of the program's that run later may call us, too, on lanes that other threads have had. */
static void told_end(void *told_by)
{
	pl_cuda_thread.told_by = NULL;
	pl_cuda_thread.told = PL_CUDA_TOLD_NOT;
	free(told_by);
}

void pl_cuda_lanes_went(void)
{
	if (pl_cuda_thread.told_by)
		memset(pl_cuda_thread.told_by, 0xff, pl_cuda_sessions_count * sizeof(*pl_cuda_thread.told_by));
	pl_cuda_thread.told = PL_CUDA_TOLD_NOT;
}

static void told_key_make(void)
{
	pthread_key_create(&told_key, told_end);
}

/* NULL: no memory. */
static uint64_t *told_of(struct pl_cuda_thread *thread, const struct pl_session *session)
{
	if (!thread->told_by) {
		thread->told_by = malloc(pl_cuda_sessions_count * sizeof(*thread->told_by));
		if (!thread->told_by)
			return NULL;
		memset(thread->told_by, 0xff, pl_cuda_sessions_count * sizeof(*thread->told_by));
		static_assert(PL_CUDA_TOLD_NOT == UINT64_MAX, "as memset() writes it");
		pthread_once(&told_once, told_key_make);
		pthread_setspecific(told_key, thread->told_by);
	}
	return &thread->told_by[pl_cuda_session_index(session)];
}

/* The context of the thread's lane of this session is this one from here on. */
static CUresult context_tell(struct pl_session *session, uint64_t id)
{
	struct pl_cuda_plCurrent_args args = { .context = id };
	struct pl_cuda_thread *thread = &pl_cuda_thread;
	uint64_t *told = told_of(thread, session);
	CUresult result = told ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;

	if (told && *told != id) {
		result = PL_CUDA_POST(session, plCurrent, &args);
		if (!result && *told == PL_CUDA_TOLD_NOT)
			result = pl_cuda_capture_mode_tell(session);
		if (!result)
			*told = id;
	}
	if (!result)
		thread->told = id;
	return result;
}

CUresult pl_cuda_enter_context(enum pl_cuda_op op, struct pl_cuda_context *context, struct pl_session **session_out)
{
	int error = atomic_load_explicit(&context->error, memory_order_acquire);

	*session_out = context->object.session;
	if (error == CUDA_ERROR_CONTEXT_IS_DESTROYED)
		return op_is_free(op) ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
	if (error && !op_is_free(op))
		return (CUresult)error;
	return context_tell(*session_out, context->object.id);
}

static CUresult enter_slowly(enum pl_cuda_op op, struct pl_session **session_out)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (pl_cuda_thread.top)
		return pl_cuda_enter_context(op, pl_cuda_thread.top, session_out);
	*session_out = pl_cuda_session();
	return op_is_free(op) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult pl_cuda_enter(enum pl_cuda_op op, struct pl_session **session_out)
{
	const struct pl_cuda_thread *thread = &pl_cuda_thread;
	const struct pl_cuda_context *top = thread->top;

	if (__builtin_expect(top && thread->told == top->object.id &&
				     !atomic_load_explicit(&top->error, memory_order_relaxed),
			     1)) {
		*session_out = top->object.session;
		return CUDA_SUCCESS;
	}
	return enter_slowly(op, session_out);
}

/* ---- where something is that the call names ---- */

/* Its own context where it has one that lives; else whatever the lane was told. */
static CUresult enter_there(enum pl_cuda_op op, struct pl_session *session, struct pl_cuda_context *context,
			    struct pl_session **session_out)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!session || session == pl_cuda_session())
		return pl_cuda_enter(op, session_out);
	if (!context || atomic_load(&context->error) == CUDA_ERROR_CONTEXT_IS_DESTROYED)
		context = pl_cuda_context_of(session);
	*session_out = session;
	return context ? pl_cuda_enter_context(op, context, session_out) : CUDA_SUCCESS;
}

/* No context means the current one, so there has to be one: the lane may still have what was current before. */
static CUresult enter_current(enum pl_cuda_op op, struct pl_session **session_out)
{
	const struct pl_cuda_context *top = pl_cuda_thread.top;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!top || atomic_load(&top->error) == CUDA_ERROR_CONTEXT_IS_DESTROYED)
		return CUDA_ERROR_INVALID_CONTEXT;
	return pl_cuda_enter(op, session_out);
}

CUresult pl_cuda_enter_of(enum pl_cuda_op op, enum pl_cuda_object_kind kind, const void *handle,
			  struct pl_session **session_out)
{
	struct pl_cuda_object *object;

	if (kind == PL_CUDA_KIND_context && !handle)
		return enter_current(op, session_out);
	if (pl_cuda_is_alone())
		return pl_cuda_enter(op, session_out);
	if (kind == PL_CUDA_KIND_device)
		return enter_there(op, pl_cuda_device_session((CUdevice)(uintptr_t)handle), NULL, session_out);
	object = pl_cuda_get(kind, handle);
	if (!object)
		return pl_cuda_enter(op, session_out);
	return enter_there(op, object->session,
			   kind == PL_CUDA_KIND_context ? (struct pl_cuda_context *)object : object->context,
			   session_out);
}

CUresult pl_cuda_enter_at(enum pl_cuda_op op, CUdeviceptr address, struct pl_session **session_out)
{
	struct pl_cuda_memory memory;

	if (pl_cuda_is_alone() || !pl_cuda_memory_find(address, &memory))
		return pl_cuda_enter(op, session_out);
	return enter_there(op, memory.session, memory.context, session_out);
}
