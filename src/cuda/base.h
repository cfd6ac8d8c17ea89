/*
 * Scalars and handles of CUDA's driver API.
 * This folder holds facts of that ABI up to CUDA 13.0 (names, values, layouts) and nothing else: no function of ours is
 * needed to use it, and it includes only itself.  test/abi compares it with the vendor's header where one is installed.
 */
#ifndef PL_CUDA_BASE_H
#define PL_CUDA_BASE_H

#include <stddef.h>
#include <stdint.h>

#define CUDA_VERSION 13000

/* An address in device memory; it means the same in every process of a session.  _v1 is the address of the 32-bit API
 * of before CUDA 3.2, whose functions are still exported. */
typedef uint32_t cuuint32_t;
typedef uint64_t cuuint64_t;
typedef unsigned long long CUdeviceptr;
typedef CUdeviceptr CUdeviceptr_v2;
typedef unsigned int CUdeviceptr_v1;

/* A device is its number in this process' list. */
typedef int CUdevice;
typedef CUdevice CUdevice_v1;

#define CU_DEVICE_CPU     ((CUdevice)-1)
#define CU_DEVICE_INVALID ((CUdevice)-2)

/* Objects.  A handle is opaque: what it points to is the driver's own. */
typedef struct CUctx_st *CUcontext;
typedef struct CUgreenCtx_st *CUgreenCtx;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUlib_st *CUlibrary;
typedef struct CUkern_st *CUkernel;
typedef struct CUlinkState_st *CUlinkState;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUarray_st *CUarray;
typedef struct CUmipmappedArray_st *CUmipmappedArray;
typedef struct CUtexref_st *CUtexref;
typedef struct CUsurfref_st *CUsurfref;
typedef struct CUmemPoolHandle_st *CUmemoryPool;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraphExec_st *CUgraphExec;
typedef struct CUgraphDeviceUpdatableNode_st *CUgraphDeviceNode;
typedef struct CUuserObject_st *CUuserObject;
typedef struct CUextMemory_st *CUexternalMemory;
typedef struct CUextSemaphore_st *CUexternalSemaphore;
typedef struct CUgraphicsResource_st *CUgraphicsResource;
typedef struct CUdevResourceDesc_st *CUdevResourceDesc;
typedef struct CUasyncCallbackEntry_st *CUasyncCallbackHandle;
typedef struct CUlogsCallbackEntry_st *CUlogsCallbackHandle;

/* Objects that are numbers. */
typedef unsigned long long CUtexObject;
typedef CUtexObject CUtexObject_v1;
typedef unsigned long long CUsurfObject;
typedef CUsurfObject CUsurfObject_v1;
typedef unsigned long long CUmemGenericAllocationHandle;
typedef CUmemGenericAllocationHandle CUmemGenericAllocationHandle_v1;
typedef cuuint64_t CUgraphConditionalHandle;
typedef unsigned int CUlogIterator;

/* The two streams that exist without being made; 0 is one of them, by the flavour of the function that is called. */
#define CU_STREAM_LEGACY     ((CUstream)0x1)
#define CU_STREAM_PER_THREAD ((CUstream)0x2)

typedef struct CUuuid {
	char bytes[16];
} CUuuid;

/* Calling conventions: none on Linux. */
#define CUDAAPI
#define CUDA_CB

#endif
