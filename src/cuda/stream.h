/* Streams and events: flags, capture, and operations on memory in a stream's order. */
#ifndef PL_CUDA_STREAM_H
#define PL_CUDA_STREAM_H

#include "cuda/base.h"
#include "cuda/result.h"

typedef enum CUstream_flags {
	CU_STREAM_DEFAULT = 0,
	CU_STREAM_NON_BLOCKING = 1,
} CUstream_flags;

typedef enum CUevent_flags {
	CU_EVENT_DEFAULT = 0x00,
	CU_EVENT_BLOCKING_SYNC = 0x01,
	CU_EVENT_DISABLE_TIMING = 0x02,
	CU_EVENT_INTERPROCESS = 0x04,
} CUevent_flags;

typedef enum CUevent_record_flags {
	CU_EVENT_RECORD_DEFAULT = 0,
	CU_EVENT_RECORD_EXTERNAL = 1,
} CUevent_record_flags;

typedef enum CUevent_wait_flags {
	CU_EVENT_WAIT_DEFAULT = 0,
	CU_EVENT_WAIT_EXTERNAL = 1,
} CUevent_wait_flags;

typedef enum CUevent_sched_flags {
	CU_EVENT_SCHED_AUTO = 0x00,
	CU_EVENT_SCHED_SPIN = 0x01,
	CU_EVENT_SCHED_YIELD = 0x02,
	CU_EVENT_SCHED_BLOCKING_SYNC = 0x04,
} CUevent_sched_flags;

/* Called on the driver's thread when a stream gets there; must not call the driver. */
typedef void (*CUhostFn)(void *userData);
typedef void (*CUstreamCallback)(CUstream hStream, CUresult status, void *userData);

/* Capture into a graph. */
typedef enum CUstreamCaptureStatus {
	CU_STREAM_CAPTURE_STATUS_NONE = 0,
	CU_STREAM_CAPTURE_STATUS_ACTIVE = 1,
	CU_STREAM_CAPTURE_STATUS_INVALIDATED = 2,
} CUstreamCaptureStatus;

typedef enum CUstreamCaptureMode {
	CU_STREAM_CAPTURE_MODE_GLOBAL = 0,
	CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
	CU_STREAM_CAPTURE_MODE_RELAXED = 2,
} CUstreamCaptureMode;

typedef enum CUstreamUpdateCaptureDependencies_flags {
	CU_STREAM_ADD_CAPTURE_DEPENDENCIES = 0,
	CU_STREAM_SET_CAPTURE_DEPENDENCIES = 1,
} CUstreamUpdateCaptureDependencies_flags;

/* Wait for a value in memory, or write one. */
typedef enum CUstreamWaitValue_flags {
	CU_STREAM_WAIT_VALUE_GEQ = 0x00,
	CU_STREAM_WAIT_VALUE_EQ = 0x01,
	CU_STREAM_WAIT_VALUE_AND = 0x02,
	CU_STREAM_WAIT_VALUE_NOR = 0x03,
	CU_STREAM_WAIT_VALUE_FLUSH = 0x40000000,
} CUstreamWaitValue_flags;

typedef enum CUstreamWriteValue_flags {
	CU_STREAM_WRITE_VALUE_DEFAULT = 0,
	CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER = 1,
} CUstreamWriteValue_flags;

typedef enum CUstreamMemoryBarrier_flags {
	CU_STREAM_MEMORY_BARRIER_TYPE_SYS = 0,
	CU_STREAM_MEMORY_BARRIER_TYPE_GPU = 1,
} CUstreamMemoryBarrier_flags;

typedef enum CUstreamBatchMemOpType {
	CU_STREAM_MEM_OP_WAIT_VALUE_32 = 1,
	CU_STREAM_MEM_OP_WRITE_VALUE_32 = 2,
	CU_STREAM_MEM_OP_WAIT_VALUE_64 = 4,
	CU_STREAM_MEM_OP_WRITE_VALUE_64 = 5,
	CU_STREAM_MEM_OP_BARRIER = 6,
	CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES = 3,
} CUstreamBatchMemOpType;

typedef union CUstreamBatchMemOpParams {
	CUstreamBatchMemOpType operation;
	struct {
		CUstreamBatchMemOpType operation;
		CUdeviceptr address;
		union {
			cuuint32_t value;
			cuuint64_t value64;
		};
		unsigned int flags;
		CUdeviceptr alias;
	} waitValue;
	struct {
		CUstreamBatchMemOpType operation;
		CUdeviceptr address;
		union {
			cuuint32_t value;
			cuuint64_t value64;
		};
		unsigned int flags;
		CUdeviceptr alias;
	} writeValue;
	struct {
		CUstreamBatchMemOpType operation;
		unsigned int flags;
	} flushRemoteWrites;
	struct {
		CUstreamBatchMemOpType operation;
		unsigned int flags;
	} memoryBarrier;
	cuuint64_t pad[6];
} CUstreamBatchMemOpParams;
typedef CUstreamBatchMemOpParams CUstreamBatchMemOpParams_v1;

/* Flags of the vendor's OpenCL that cuda.h has too. */
typedef enum cl_event_flags {
	NVCL_EVENT_SCHED_AUTO = 0x00,
	NVCL_EVENT_SCHED_SPIN = 0x01,
	NVCL_EVENT_SCHED_YIELD = 0x02,
	NVCL_EVENT_SCHED_BLOCKING_SYNC = 0x04,
} cl_event_flags;

typedef enum cl_context_flags {
	NVCL_CTX_SCHED_AUTO = 0x00,
	NVCL_CTX_SCHED_SPIN = 0x01,
	NVCL_CTX_SCHED_YIELD = 0x02,
	NVCL_CTX_SCHED_BLOCKING_SYNC = 0x04,
} cl_context_flags;

#endif
