#include "cuda/result.h"

#include <stddef.h>

/* Ascending, as the search wants it; the texts are ours. */
#define RESULT(code, text)                                                                                             \
	{                                                                                                              \
		code, #code, text                                                                                      \
	}
static const struct {
	int code;
	const char *name, *text;
} results[] = {
	RESULT(CUDA_SUCCESS, "no error"),
	RESULT(CUDA_ERROR_INVALID_VALUE, "an argument is not valid"),
	RESULT(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
	RESULT(CUDA_ERROR_NOT_INITIALIZED, "the driver is not initialised: call cuInit() first"),
	RESULT(CUDA_ERROR_DEINITIALIZED, "the driver is shutting down"),
	RESULT(CUDA_ERROR_PROFILER_DISABLED, "profiling is disabled"),
	RESULT(CUDA_ERROR_PROFILER_NOT_INITIALIZED, "the profiler was not initialised"),
	RESULT(CUDA_ERROR_PROFILER_ALREADY_STARTED, "the profiler has been started already"),
	RESULT(CUDA_ERROR_PROFILER_ALREADY_STOPPED, "the profiler has been stopped already"),
	RESULT(CUDA_ERROR_STUB_LIBRARY, "this libcuda is a stub for linking, not a driver"),
	RESULT(CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER, "the call needs a newer driver"),
	RESULT(CUDA_ERROR_DEVICE_UNAVAILABLE, "the device is busy or reserved"),
	RESULT(CUDA_ERROR_NO_DEVICE, "no CUDA device found"),
	RESULT(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
	RESULT(CUDA_ERROR_DEVICE_NOT_LICENSED, "the device has no licence"),
	RESULT(CUDA_ERROR_INVALID_IMAGE, "the image of the device code is not valid"),
	RESULT(CUDA_ERROR_INVALID_CONTEXT, "no valid context is current"),
	RESULT(CUDA_ERROR_CONTEXT_ALREADY_CURRENT, "the context is current already"),
	RESULT(CUDA_ERROR_MAP_FAILED, "mapping failed"),
	RESULT(CUDA_ERROR_UNMAP_FAILED, "unmapping failed"),
	RESULT(CUDA_ERROR_ARRAY_IS_MAPPED, "the array is mapped"),
	RESULT(CUDA_ERROR_ALREADY_MAPPED, "the resource is mapped already"),
	RESULT(CUDA_ERROR_NO_BINARY_FOR_GPU, "the image has no code for this device"),
	RESULT(CUDA_ERROR_ALREADY_ACQUIRED, "the resource has been acquired already"),
	RESULT(CUDA_ERROR_NOT_MAPPED, "the resource is not mapped"),
	RESULT(CUDA_ERROR_NOT_MAPPED_AS_ARRAY, "the resource is not mapped as an array"),
	RESULT(CUDA_ERROR_NOT_MAPPED_AS_POINTER, "the resource is not mapped as a pointer"),
	RESULT(CUDA_ERROR_ECC_UNCORRECTABLE, "an ECC error that cannot be corrected"),
	RESULT(CUDA_ERROR_UNSUPPORTED_LIMIT, "the device does not have this limit"),
	RESULT(CUDA_ERROR_CONTEXT_ALREADY_IN_USE, "the context is in use by another thread"),
	RESULT(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "these devices cannot reach each other's memory"),
	RESULT(CUDA_ERROR_INVALID_PTX, "the PTX did not compile"),
	RESULT(CUDA_ERROR_INVALID_GRAPHICS_CONTEXT, "the graphics context is not valid"),
	RESULT(CUDA_ERROR_NVLINK_UNCORRECTABLE, "an NVLink error that cannot be corrected"),
	RESULT(CUDA_ERROR_JIT_COMPILER_NOT_FOUND, "the PTX compiler was not found"),
	RESULT(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the PTX is of a newer version than the driver compiles"),
	RESULT(CUDA_ERROR_JIT_COMPILATION_DISABLED, "compiling PTX is disabled"),
	RESULT(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY, "this kind of affinity is not supported"),
	RESULT(CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC,
	       "a kernel synchronises on the device, which this device does not do"),
	RESULT(CUDA_ERROR_CONTAINED, "an error in memory was contained; the process must end"),
	RESULT(CUDA_ERROR_INVALID_SOURCE, "the source of the device code is not valid"),
	RESULT(CUDA_ERROR_FILE_NOT_FOUND, "file not found"),
	RESULT(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND, "a symbol of a shared object was not found"),
	RESULT(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, "a shared object could not be initialised"),
	RESULT(CUDA_ERROR_OPERATING_SYSTEM, "a call of the operating system failed"),
	RESULT(CUDA_ERROR_INVALID_HANDLE, "not a valid handle"),
	RESULT(CUDA_ERROR_ILLEGAL_STATE, "the object's state does not allow this"),
	RESULT(CUDA_ERROR_LOSSY_QUERY, "the question would be answered with a loss"),
	RESULT(CUDA_ERROR_NOT_FOUND, "no such symbol"),
	RESULT(CUDA_ERROR_NOT_READY, "not finished yet"),
	RESULT(CUDA_ERROR_ILLEGAL_ADDRESS, "a kernel accessed memory that it does not have"),
	RESULT(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "the launch needs more than the device has"),
	RESULT(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch took too long and was ended"),
	RESULT(CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING, "the launch uses a texturing mode that does not fit"),
	RESULT(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "access to the peer is enabled already"),
	RESULT(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "access to the peer is not enabled"),
	RESULT(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE, "the primary context is active"),
	RESULT(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the context was destroyed"),
	RESULT(CUDA_ERROR_ASSERT, "an assertion in a kernel failed"),
	RESULT(CUDA_ERROR_TOO_MANY_PEERS, "too many peers"),
	RESULT(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "the host memory is registered already"),
	RESULT(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "the host memory is not registered"),
	RESULT(CUDA_ERROR_HARDWARE_STACK_ERROR, "a stack error on the device"),
	RESULT(CUDA_ERROR_ILLEGAL_INSTRUCTION, "an illegal instruction on the device"),
	RESULT(CUDA_ERROR_MISALIGNED_ADDRESS, "a misaligned access on the device"),
	RESULT(CUDA_ERROR_INVALID_ADDRESS_SPACE, "an operation on the wrong address space"),
	RESULT(CUDA_ERROR_INVALID_PC, "the program counter is not valid"),
	RESULT(CUDA_ERROR_LAUNCH_FAILED, "the launch failed"),
	RESULT(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "the grid is too large for a cooperative launch"),
	RESULT(CUDA_ERROR_TENSOR_MEMORY_LEAK, "a kernel ended without freeing its tensor memory"),
	RESULT(CUDA_ERROR_NOT_PERMITTED, "not permitted"),
	RESULT(CUDA_ERROR_NOT_SUPPORTED, "not supported"),
	RESULT(CUDA_ERROR_SYSTEM_NOT_READY, "the system is not ready"),
	RESULT(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "driver and libraries are of different versions"),
	RESULT(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, "compatibility mode does not work on this device"),
	RESULT(CUDA_ERROR_MPS_CONNECTION_FAILED, "no connection to the MPS control daemon"),
	RESULT(CUDA_ERROR_MPS_RPC_FAILURE, "the MPS server did not answer as it must"),
	RESULT(CUDA_ERROR_MPS_SERVER_NOT_READY, "the MPS server is not ready"),
	RESULT(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED, "the MPS server has no room for more clients"),
	RESULT(CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED, "the MPS server has no room for more connections"),
	RESULT(CUDA_ERROR_MPS_CLIENT_TERMINATED, "the MPS client was ended"),
	RESULT(CUDA_ERROR_CDP_NOT_SUPPORTED, "device-side launches are not supported"),
	RESULT(CUDA_ERROR_CDP_VERSION_MISMATCH, "the version of device-side launches does not fit"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "not allowed while the stream is captured"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "an earlier error broke off the capture"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_MERGE, "two captures would be merged"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "this stream did not begin the capture"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "a captured stream was not joined to the one that began"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "the capture would depend on work outside it"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "implicit dependency of a capture on the legacy stream"),
	RESULT(CUDA_ERROR_CAPTURED_EVENT, "the event was recorded in a capture"),
	RESULT(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "another thread began the capture"),
	RESULT(CUDA_ERROR_TIMEOUT, "the time is over"),
	RESULT(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "the graph cannot be updated in this way"),
	RESULT(CUDA_ERROR_EXTERNAL_DEVICE, "an external device reported an error"),
	RESULT(CUDA_ERROR_INVALID_CLUSTER_SIZE, "the cluster's size is not valid"),
	RESULT(CUDA_ERROR_FUNCTION_NOT_LOADED, "the function is not loaded"),
	RESULT(CUDA_ERROR_INVALID_RESOURCE_TYPE, "a resource is of the wrong type"),
	RESULT(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION, "a resource is not split as it must be"),
	RESULT(CUDA_ERROR_KEY_ROTATION, "the key is being rotated"),
	RESULT(CUDA_ERROR_UNKNOWN, "unknown error"),
};
#define RESULTS (sizeof(results) / sizeof(results[0]))

static size_t place_of(int result)
{
	size_t low = 0, high = RESULTS;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (results[middle].code == result)
			return middle;
		if (results[middle].code < result)
			low = middle + 1;
		else
			high = middle;
	}
	return RESULTS;
}

const char *pl_cuda_result_name(int result)
{
	size_t place = place_of(result);

	return place < RESULTS ? results[place].name : NULL;
}

const char *pl_cuda_result_text(int result)
{
	size_t place = place_of(result);

	return place < RESULTS ? results[place].text : NULL;
}
