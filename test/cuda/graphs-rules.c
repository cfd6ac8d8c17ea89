/* Stream capture: what breaks its rules, and what goes on beside it. */
#include <pthread.h>
#include <stdatomic.h>

#include "graphs.h"

/* Ends a capture that was broken; the stream is usable after it. */
static void ends_with(CUstream stream, CUresult want)
{
	CUgraph graph = (CUgraph)1;
	cu_is(cu(cuStreamEndCapture)(stream, &graph), want);
	check(!graph);
	cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], 0, N, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
}

static void ends_with_nothing(CUstream stream)
{
	CUgraph graph;

	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void *in_thread(void *result)
{
	CUdeviceptr at;
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	CUresult *r = result;
	cu_ok(cu(cuCtxSetCurrent)(graph_test.ctx));
	r[0] = cu(cuMemAlloc_v2)(&at, 256);
	if (!r[0])
		cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuThreadExchangeStreamCaptureMode)(&mode));
	r[1] = cu(cuMemAlloc_v2)(&at, 256);
	if (!r[1])
		cu_ok(cu(cuMemFree_v2)(at));
	return NULL;
}

static void thread_allocs(CUresult results[2])
{
	pthread_t thread;
	check(!pthread_create(&thread, NULL, in_thread, results));
	pthread_join(thread, NULL);
}

/* Those of memory that a server does not allocate itself are no less forbidden. */
static void forbidden_host_calls(CUstream stream)
{
	CUdeviceptr managed;
	void *host, *more;

	cu_ok(cu(cuMemHostAlloc)(&host, 4096, 0));
	cu_ok(cu(cuMemAllocManaged)(&managed, 4096, CU_MEM_ATTACH_GLOBAL));
	for (int i = 0; i < 4; i++) {
		CUresult r;

		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
		r = i == 0   ? cu(cuMemHostAlloc)(&more, 4096, CU_MEMHOSTALLOC_DEVICEMAP)
		    : i == 1 ? cu(cuMemAllocHost_v2)(&more, 4096)
		    : i == 2 ? cu(cuMemFreeHost)(host)
			     : cu(cuMemFree_v2)(managed);
		cu_is(r, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	}
	*(uint32_t *)host = *(uint32_t *)(uintptr_t)managed = 5;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemHostAlloc)(&more, 4096, 0));
	cu_ok(cu(cuMemFreeHost)(more));
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(managed));
	ends_with_nothing(stream);
}

static void test_forbidden_calls_make_a_capture_invalid(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING), blocking = graph_stream(CU_STREAM_DEFAULT);
	CUdeviceptr a = graph_test.at[0], at;
	CUstreamCaptureStatus status;
	CUresult results[2];
	CUgraph graph;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_is(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_ILLEGAL_STATE);
	cu_is(cu(cuStreamSynchronize)(stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	cu_ok(cu(cuStreamIsCapturing)(stream, &status));
	check(status == CU_STREAM_CAPTURE_STATUS_INVALIDATED);
	cu_is(cu(cuMemsetD32Async)(a, 0, N, stream), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
	cu_is(cu(cuMemAlloc_v2)(&at, 256), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	forbidden_host_calls(stream);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAlloc_v2)(&at, 256));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuGraphDestroy)(graph));
	/* Another thread's calls matter to a global capture, unless that thread is
	 * relaxed. */
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
	thread_allocs(results);
	check(results[0] == CUDA_SUCCESS && results[1] == CUDA_SUCCESS);
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	thread_allocs(results);
	check(results[0] == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED && results[1] == CUDA_SUCCESS);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	/* The legacy stream would wait for the captured one. */
	cu_is(cu(cuStreamBeginCapture_v2)(NULL, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	cu_ok(cu(cuStreamBeginCapture_v2)(blocking, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuMemsetD32Async)(a, 0, N, NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
	ends_with(blocking, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
}

static void test_copies_in_another_stream_are_no_affair_of_a_capture(void)
{
	static unsigned char from[300 << 10], to[300 << 10];
	CUstreamCaptureStatus status;
	CUdeviceptr at;
	CUstream own;
	CUgraph graph;
	memset(from, 0x5a, sizeof(from));
	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(from)));
	cu_ok(cu(cuStreamCreate)(&own, CU_STREAM_NON_BLOCKING));
	for (int mode = CU_STREAM_CAPTURE_MODE_GLOBAL; mode <= CU_STREAM_CAPTURE_MODE_RELAXED; mode++) {
		size_t bytes[] = { 4, 4096, sizeof(from) };
		cu_ok(cu(cuStreamBeginCapture_v2)(graph_test.stream, (CUstreamCaptureMode)mode));
		for (int i = 0; i < 3; i++) {
			cu_ok(cu(cuMemcpyHtoDAsync_v2)(at, from, bytes[i], own));
			cu_ok(cu(cuMemcpyDtoHAsync_v2)(to, at, bytes[i], own));
		}
		cu_ok(cu(cuStreamIsCapturing)(graph_test.stream, &status));
		check(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
		cu_ok(cu(cuStreamEndCapture)(graph_test.stream, &graph));
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuStreamSynchronize)(own));
		check(!memcmp(from, to, sizeof(from)));
		memset(to, 0, sizeof(to));
	}
	cu_ok(cu(cuStreamDestroy_v2)(own));
	cu_ok(cu(cuMemFree_v2)(at));
}

struct copies {
	CUstream stream;
	CUdeviceptr at;
	atomic_bool ended;
};

#define COPIES_MOST (300u << 10)

static void *copies_run(void *arg)
{
	static unsigned char from[COPIES_MOST], to[COPIES_MOST];
	const size_t bytes[] = { 64, 8192, COPIES_MOST };
	struct copies *copies = arg;
	CUdeviceptr more;

	cu_ok(cu(cuCtxSetCurrent)(graph_test.ctx));
	for (int i = 0; i < 150; i++) {
		memset(from, i, bytes[i % 3]);
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(copies->at, from, bytes[i % 3], copies->stream));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(to, copies->at, bytes[i % 3], copies->stream));
		check(!memcmp(from, to, bytes[i % 3])); /* of pageable memory it has ended */
		cu_ok(cu(cuMemAlloc_v2)(&more, 1 << 20));
		cu_ok(cu(cuMemFree_v2)(more));
	}
	atomic_store(&copies->ended, true);
	return NULL;
}

/* Captures that begin and end meanwhile, of another thread's. */
static void test_copies_of_other_threads_go_on_beside_captures(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING);
	struct copies copies = { .stream = graph_stream(CU_STREAM_NON_BLOCKING) };
	pthread_t thread;

	cu_ok(cu(cuMemAlloc_v2)(&copies.at, COPIES_MOST));
	check(!pthread_create(&thread, NULL, copies_run, &copies));
	while (!atomic_load(&copies.ended)) {
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuMemsetD8Async)(graph_test.at[0], 0, 16, stream));
		ends_with_nothing(stream);
	}
	pthread_join(thread, NULL);
	cu_ok(cu(cuMemFree_v2)(copies.at));
	cu_ok(cu(cuStreamDestroy_v2)(copies.stream));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* Also of memory that is plainly the device's, so that copies of it are not waited for else. */
static void test_copies_that_a_capture_forbids_fail_at_their_call(void)
{
	static unsigned char plain[4096];
	CUstream stream = graph_stream(CU_STREAM_DEFAULT), apart = graph_stream(CU_STREAM_NON_BLOCKING);
	CUdeviceptr a = graph_test.at[0];
	void *pinned;

	cu_ok(cu(cuMemHostAlloc)(&pinned, sizeof(plain), 0));
	for (int i = 0; i < 2; i++) {
		void *host = i ? pinned : plain;

		cu_ok(cu(cuStreamBeginCapture_v2)(apart, CU_STREAM_CAPTURE_MODE_GLOBAL));
		cu_is(cu(cuMemcpyHtoD_v2)(a, host, sizeof(plain)), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		ends_with(apart, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_is(cu(cuMemcpyHtoDAsync_v2)(a, host, sizeof(plain), NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
		ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_is(cu(cuMemcpyDtoHAsync_v2)(host, a, sizeof(plain), NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
		ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	}
	cu_ok(cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(apart));
}

/* In the very stream, too: each thread's own can be captured. */
static void test_copies_that_wait_are_in_no_capture(void)
{
	static unsigned char plain[300 << 10];
	const CUDA_MEMCPY2D lines = { .srcMemoryType = CU_MEMORYTYPE_HOST,
				      .srcHost = plain,
				      .srcPitch = 64,
				      .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				      .dstDevice = graph_test.at[0],
				      .dstPitch = 64,
				      .WidthInBytes = 16,
				      .Height = 4 };
	CUstream own = CU_STREAM_PER_THREAD;
	CUdeviceptr at;

	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(plain)));
	for (int i = 0; i < 5; i++) {
		size_t bytes = i & 1 ? sizeof(plain) : 64;

		cu_ok(cu(cuStreamBeginCapture_v2)(own, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_is(i == 4  ? cu(cuMemcpy2D_v2_ptds)(&lines)
		      : i & 2 ? cu(cuMemcpyHtoD_v2_ptds)(at, plain, bytes)
			      : cu(cuMemcpyDtoH_v2_ptds)(plain, at, bytes),
		      CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		ends_with(own, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	}
	cu_ok(cu(cuMemFree_v2)(at));
}

static void CUDA_CB never(void *user)
{
	(void)user;
	check(!"a function that was refused is called");
}

static void CUDA_CB never_in(CUstream stream, CUresult status, void *user)
{
	(void)stream, (void)status;
	never(user);
}

static void test_functions_and_events_that_a_capture_forbids_fail_at_their_call(void)
{
	CUstream stream = graph_stream(CU_STREAM_DEFAULT);
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuStreamAddCallback)(stream, never_in, NULL, 0), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuLaunchHostFunc)(NULL, never, NULL), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	for (int waits = 0; waits < 2 && cu_is_reference(); waits++) { /* since CUDA 12.5 */
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_is(waits ? cu(cuCtxWaitEvent)(graph_test.ctx, event) : cu(cuCtxRecordEvent)(graph_test.ctx, event),
		      CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	}
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_streams_and_events_cannot_cross_a_capture(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING), branch = graph_stream(CU_STREAM_NON_BLOCKING);
	CUstream gone;
	CUdeviceptr a = graph_test.at[0];
	CUevent event, outside;
	CUgraph graph;
	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuEventCreate)(&outside, 0));
	cu_ok(cu(cuEventRecord)(outside, branch));
	cu_is(cu(cuStreamEndCapture)(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
	/* Not joined. */
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuStreamWaitEvent)(branch, event, 0));
	cu_ok(cu(cuMemsetD32Async)(a, 0, N, branch));
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
	/* A stream may go once it has joined. */
	gone = graph_stream(CU_STREAM_NON_BLOCKING);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuStreamWaitEvent)(gone, event, 0));
	cu_ok(cu(cuMemsetD32Async)(a, 0, N, gone));
	cu_ok(cu(cuEventRecord)(event, gone));
	cu_ok(cu(cuStreamWaitEvent)(stream, event, 0));
	cu_ok(cu(cuStreamDestroy_v2)(gone));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	/* An event from outside; an event from inside that is asked about. */
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_is(cu(cuStreamWaitEvent)(stream, outside, 0), CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_CAPTURED_EVENT);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	/* Two captures in one. */
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuStreamBeginCapture_v2)(branch, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_is(cu(cuStreamWaitEvent)(branch, event, 0), CUDA_ERROR_STREAM_CAPTURE_MERGE);
	ends_with(branch, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	ends_with(stream, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuEventDestroy_v2)(outside));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(branch));
}

static void test_nobody_waits_for_events_of_a_capture_that_has_ended(void)
{
	CUstream stream = graph_stream(CU_STREAM_NON_BLOCKING), other = graph_stream(CU_STREAM_NON_BLOCKING);
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuEventRecord)(event, stream));
	ends_with_nothing(stream);
	cu_is(cu(cuStreamWaitEvent)(other, event, 0), CUDA_ERROR_CAPTURED_EVENT);
	cu_ok(cu(cuCtxSynchronize)()); /* a session that has nothing to do */
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_CAPTURED_EVENT);
	cu_is(cu(cuEventSynchronize)(event), CUDA_ERROR_CAPTURED_EVENT);
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuStreamWaitEvent)(other, event, 0));
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuEventQuery)(event));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(other));
}

/* What is allowed to a thread is so for memory that was there before, and no less so in a graph that was. */
static void test_memory_beside_a_capture_to_a_graph(void)
{
	CUstream stream = graph_test.stream;
	CUdeviceptr before, at;
	CUgraph graph, ended;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	for (int relaxed = 1; relaxed >= 0; relaxed--) {
		CUstreamCaptureMode mode =
			relaxed ? CU_STREAM_CAPTURE_MODE_RELAXED : CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;

		cu_ok(cu(cuMemAlloc_v2)(&before, 4096));
		cu_ok(cu(cuStreamBeginCaptureToGraph)(stream, graph, NULL, NULL, 0, CU_STREAM_CAPTURE_MODE_GLOBAL));
		cu_ok(cu(cuThreadExchangeStreamCaptureMode)(&mode));
		cu_is(cu(cuMemAlloc_v2)(&at, 4096), relaxed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		if (relaxed) {
			cu_ok(cu(cuMemFree_v2)(at));
			cu_ok(cu(cuMemFree_v2)(before));
		}
		cu_ok(cu(cuThreadExchangeStreamCaptureMode)(&mode));
		cu_is(cu(cuStreamEndCapture)(stream, &ended),
		      relaxed ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
		check(ended == (relaxed ? graph : NULL));
		if (!relaxed)
			cu_ok(cu(cuMemFree_v2)(before));
	}
}

void graph_tests_rules(void)
{
	cu_run(test_forbidden_calls_make_a_capture_invalid);
	cu_run(test_memory_beside_a_capture_to_a_graph);
	cu_run(test_copies_in_another_stream_are_no_affair_of_a_capture);
	cu_run(test_copies_of_other_threads_go_on_beside_captures);
	cu_run(test_copies_that_a_capture_forbids_fail_at_their_call);
	cu_run(test_copies_that_wait_are_in_no_capture);
	cu_run(test_functions_and_events_that_a_capture_forbids_fail_at_their_call);
	cu_run(test_streams_and_events_cannot_cross_a_capture);
	cu_run(test_nobody_waits_for_events_of_a_capture_that_has_ended);
}
