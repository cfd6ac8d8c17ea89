/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#undef PL_CUDA_INSIDE /* the table has what is exported */
#include "cuda/proc.h"

#include "cuda-api.h"

/* Weak: what a library does not define is NULL in its table. */
#pragma weak cuCtxCreate
#pragma weak cuCtxDestroy_v2
#pragma weak cuCtxGetLimit
#pragma weak cuDeviceGetName
#pragma weak cuGraphGetNodes
#pragma weak cuGraphLoad
#pragma weak cuInit
#pragma weak cuIpcGetMemHandle
#pragma weak cuLaunchHostFunc
#pragma weak cuLaunchHostFunc_ptsz
#pragma weak cuMemAdvise_v2
#pragma weak cuMemFreeHost
#pragma weak cuMemGetAccess
#pragma weak cuMemSetAccess
#pragma weak cuMemsetD8
#pragma weak cuMemsetD8_v2
#pragma weak cuMemsetD8_v2_ptds
#pragma weak cuMemsetD8Async
#pragma weak cuMemsetD8Async_ptsz
#pragma weak cuStreamGetWindow

#define ROW(name, per_thread, version, symbol) \
	{ name, #symbol, version, per_thread, (void (*)(void))symbol }
const struct pl_cuda_proc pl_cuda_procs[] = {
	ROW("cuCtxCreate", false, 2000, cuCtxCreate),
	ROW("cuCtxDestroy", false, 4000, cuCtxDestroy_v2),
	ROW("cuCtxGetLimit", false, 2000, cuCtxGetLimit),
	ROW("cuDeviceGetName", false, 2000, cuDeviceGetName),
	ROW("cuGraphGetNodes", false, 10000, cuGraphGetNodes),
	ROW("cuGraphLoad", false, 2000, cuGraphLoad),
	ROW("cuInit", false, 2000, cuInit),
	ROW("cuIpcGetMemHandle", false, 4010, cuIpcGetMemHandle),
	ROW("cuLaunchHostFunc", false, 10000, cuLaunchHostFunc),
	ROW("cuLaunchHostFunc", true, 10000, cuLaunchHostFunc_ptsz),
	ROW("cuMemAdvise", false, 12020, cuMemAdvise_v2),
	ROW("cuMemFreeHost", false, 4000, cuMemFreeHost),
	ROW("cuMemGetAccess", false, 11020, cuMemGetAccess),
	ROW("cuMemSetAccess", false, 11020, cuMemSetAccess),
	ROW("cuMemsetD8", false, 2000, cuMemsetD8),
	ROW("cuMemsetD8", false, 3020, cuMemsetD8_v2),
	ROW("cuMemsetD8", true, 7000, cuMemsetD8_v2_ptds),
	ROW("cuMemsetD8Async", false, 3020, cuMemsetD8Async),
	ROW("cuMemsetD8Async", true, 7000, cuMemsetD8Async_ptsz),
	ROW("cuStreamGetWindow", false, 11000, cuStreamGetWindow),
};
const size_t pl_cuda_procs_count = 20;
#undef ROW
