/* How programs find functions and the names of results; for any library that exports the API. */
#include "cuda-api.h"
#include "cuda/proc.h"
#include "cuda/refuse.h"

#define VERSION_MIN 2000

CUresult cuGetProcAddress_v2(const char *name, void **function_out, int version, cuuint64_t flags,
			     CUdriverProcAddressQueryResult *status_out)
{
	const cuuint64_t known = CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
	const struct pl_cuda_proc *proc;
	bool newer = false;
	if (!name || !function_out || flags & ~known || flags == known || version < VERSION_MIN)
		return CUDA_ERROR_INVALID_VALUE;
	/* Itself in the form that has a status, as the runtime asks for it by its plain name. */
	proc = pl_cuda_proc_find(pl_cuda_procs, pl_cuda_procs_count, name, version,
				 flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, &newer);
	*function_out = proc ? (void *)(uintptr_t)proc->at : NULL;
	if (status_out)
		*status_out = proc    ? CU_GET_PROC_ADDRESS_SUCCESS
			      : newer ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
				      : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	if (!proc)
		pl_cuda_lacks(name, version);
	return proc || status_out ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult cuGetProcAddress(const char *name, void **function_out, int version, cuuint64_t flags)
{
	return cuGetProcAddress_v2(name, function_out, version, flags, NULL);
}

CUresult cuGetErrorName(CUresult error, const char **text)
{
	if (!text)
		return CUDA_ERROR_INVALID_VALUE;
	*text = pl_cuda_result_name(error);
	return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text)
{
	if (!text)
		return CUDA_ERROR_INVALID_VALUE;
	*text = pl_cuda_result_text(error);
	return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
