/* Functions that a remote device does not have; each gives the documented error and says why in the log.  spec/cuda.api
 * has those that can never be had (cuda-refused.c). */
#include "cuda-api.h"
#include "cuda/refuse.h"

#define ABSENT(function, code, why, params, unused)                                                                    \
	CUresult function params                                                                                       \
	{                                                                                                              \
		unused;                                                                                                \
		return pl_cuda_refuse(#function, code, why);                                                           \
	}

/* Dumps of a failed kernel are files of the worker's, which has no place for them. */
#define DUMPS "a dump is made where the driver runs, and the server does not hand it out"
ABSENT(cuCoredumpGetAttribute, CUDA_ERROR_NOT_SUPPORTED, DUMPS,
       (CUcoredumpSettings attribute, void *value, size_t *bytes), (void)attribute;
       (void)value; (void)bytes)
ABSENT(cuCoredumpGetAttributeGlobal, CUDA_ERROR_NOT_SUPPORTED, DUMPS,
       (CUcoredumpSettings attribute, void *value, size_t *bytes), (void)attribute;
       (void)value; (void)bytes)
ABSENT(cuCoredumpSetAttribute, CUDA_ERROR_NOT_SUPPORTED, DUMPS,
       (CUcoredumpSettings attribute, void *value, size_t *bytes), (void)attribute;
       (void)value; (void)bytes)
ABSENT(cuCoredumpSetAttributeGlobal, CUDA_ERROR_NOT_SUPPORTED, DUMPS,
       (CUcoredumpSettings attribute, void *value, size_t *bytes), (void)attribute;
       (void)value; (void)bytes)

/* The driver's notes of its memory's state. */
#define NOTES "a remote device does not notify"
ABSENT(cuDeviceRegisterAsyncNotification, CUDA_ERROR_NOT_SUPPORTED, NOTES,
       (CUdevice device, CUasyncCallback callback, void *user, CUasyncCallbackHandle *callback_handle), (void)device;
       (void)callback; (void)user; (void)callback_handle)

/* Semaphores of Vulkan and the like: none can be imported, so no node is of such a kind. */
#define SEMAPHORES "semaphores of other interfaces do not leave their machine"
ABSENT(cuGraphAddExternalSemaphoresSignalNode, params ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphNode * node, CUgraph graph, const CUgraphNode *dependencies, size_t dependencies_count,
	const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *params),
       (void)node;
       (void)graph; (void)dependencies; (void)dependencies_count)
ABSENT(cuGraphAddExternalSemaphoresWaitNode, params ? CUDA_ERROR_NOT_SUPPORTED : CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphNode * node, CUgraph graph, const CUgraphNode *dependencies, size_t dependencies_count,
	const CUDA_EXT_SEM_WAIT_NODE_PARAMS *params),
       (void)node;
       (void)graph; (void)dependencies; (void)dependencies_count)
ABSENT(cuGraphExternalSemaphoresSignalNodeSetParams, CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphNode node, const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *params), (void)node;
       (void)params)
ABSENT(cuGraphExternalSemaphoresWaitNodeSetParams, CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphNode node, const CUDA_EXT_SEM_WAIT_NODE_PARAMS *params), (void)node;
       (void)params)
ABSENT(cuGraphExternalSemaphoresSignalNodeGetParams, CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphNode node, CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *params), (void)node;
       (void)params)
ABSENT(cuGraphExternalSemaphoresWaitNodeGetParams, CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphNode node, CUDA_EXT_SEM_WAIT_NODE_PARAMS *params), (void)node;
       (void)params)
ABSENT(cuGraphExecExternalSemaphoresSignalNodeSetParams, CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphExec exec, CUgraphNode node, const CUDA_EXT_SEM_SIGNAL_NODE_PARAMS *params), (void)exec;
       (void)node; (void)params)
ABSENT(cuGraphExecExternalSemaphoresWaitNodeSetParams, CUDA_ERROR_INVALID_VALUE, SEMAPHORES,
       (CUgraphExec exec, CUgraphNode node, const CUDA_EXT_SEM_WAIT_NODE_PARAMS *params), (void)exec;
       (void)node; (void)params)

/* Decompression: its attributes are 0. */
#define UNPACKS "no remote device unpacks"
ABSENT(cuMemBatchDecompressAsync, CUDA_ERROR_NOT_SUPPORTED, UNPACKS,
       (CUmemDecompressParams * params, size_t count, unsigned int flags, size_t *error_index, CUstream stream),
       (void)params;
       (void)count; (void)flags; (void)error_index; (void)stream)
ABSENT(cuMemBatchDecompressAsync_ptsz, CUDA_ERROR_NOT_SUPPORTED, UNPACKS,
       (CUmemDecompressParams * params, size_t count, unsigned int flags, size_t *error_index, CUstream stream),
       (void)params;
       (void)count; (void)flags; (void)error_index; (void)stream)

/* Sparse arrays: CU_DEVICE_ATTRIBUTE_SPARSE_CUDA_ARRAY_SUPPORTED is 0. */
#define SPARSE "parts of arrays are not mapped"
ABSENT(cuMemMapArrayAsync, CUDA_ERROR_NOT_SUPPORTED, SPARSE,
       (CUarrayMapInfo * maps, unsigned int count, CUstream stream), (void)maps;
       (void)count; (void)stream)
ABSENT(cuMemMapArrayAsync_ptsz, CUDA_ERROR_NOT_SUPPORTED, SPARSE,
       (CUarrayMapInfo * maps, unsigned int count, CUstream stream), (void)maps;
       (void)count; (void)stream)
