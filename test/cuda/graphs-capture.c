/* Stream capture: what becomes a graph, and what breaks the rules. */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "graphs.h"

static CUstream stream_new(unsigned int flags)
{
	CUstream stream;
	cu_ok(cu(cuStreamCreate)(&stream, flags));
	return stream;
}

static void add_run(CUstream stream, CUdeviceptr a, CUdeviceptr b, CUdeviceptr c)
{
	int n = N;
	cu_ok(cu(cuLaunchKernel)(graph_test.add, N / 64, 1, 1, 64, 1, 1, 0, stream, (void *[]){ &a, &b, &c, &n },
				 NULL));
}

static void CUDA_CB third(void *at)
{
	((float *)at)[3] = 33;
}

/* The same work, given to whatever stream: on two branches, joined. */
static void work(CUstream stream, CUstream branch, float *host, CUevent fork, CUevent join)
{
	CUdeviceptr a = graph_test.at[0], b = graph_test.at[1], c = graph_test.at[2];
	cu_ok(cu(cuMemsetD32Async)(a, 0x40000000, N, stream));
	cu_ok(cu(cuEventRecord)(fork, stream));
	cu_ok(cu(cuStreamWaitEvent)(branch, fork, 0));
	cu_ok(cu(cuMemsetD32Async)(b, 0x3f800000, N, branch));
	add_run(branch, b, b, b);
	cu_ok(cu(cuEventRecord)(join, branch));
	add_run(stream, a, a, a);
	cu_ok(cu(cuStreamWaitEvent)(stream, join, 0));
	add_run(stream, a, b, c);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, c, 4 * N, stream));
	cu_ok(cu(cuLaunchHostFunc)(stream, third, host));
}

static void test_a_captured_graph_does_what_the_stream_would(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING), branch = stream_new(CU_STREAM_NON_BLOCKING);
	float *want, *got;
	CUstreamCaptureStatus status;
	CUevent fork, join;
	CUgraphExec exec;
	CUgraph graph;
	cuuint64_t id;
	size_t n;
	cu_ok(cu(cuMemHostAlloc)((void **)&want, 4 * N, 0));
	cu_ok(cu(cuMemHostAlloc)((void **)&got, 4 * N, 0));
	cu_ok(cu(cuEventCreate)(&fork, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventCreate)(&join, CU_EVENT_DISABLE_TIMING));
	work(stream, branch, want, fork, join);
	cu_ok(cu(cuStreamSynchronize)(stream));
	memset(got, 0, 4 * N);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	work(stream, branch, got, fork, join);
	cu_ok(cu(cuStreamGetCaptureInfo_v2)(branch, &status, &id, NULL, NULL, NULL));
	check(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuStreamIsCapturing)(branch, &status));
	check(status == CU_STREAM_CAPTURE_STATUS_NONE);
	check(got[0] == 0);
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
	check(n == 7);
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphUpload)(exec, stream));
	for (int i = 0; i < 3; i++) {
		memset(got, 0, 4 * N);
		cu_ok(cu(cuGraphLaunch)(exec, i == 1 ? branch : stream));
		cu_ok(cu(cuStreamSynchronize)(i == 1 ? branch : stream));
		check(!memcmp(got, want, 4 * N) && got[0] == 6 && got[3] == 33);
	}
	/* A launch in a captured stream becomes a child graph. */
	cu_ok(cu(cuGraphDestroy)(graph));
	if (cu_is_reference()) { /* an H200's driver says CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED */
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
		memset(got, 0, 4 * N);
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(!memcmp(got, want, 4 * N));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(branch));
	cu_ok(cu(cuEventDestroy_v2)(fork));
	cu_ok(cu(cuEventDestroy_v2)(join));
	cu_ok(cu(cuMemFreeHost)(want));
	cu_ok(cu(cuMemFreeHost)(got));
}

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
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING), blocking = stream_new(CU_STREAM_DEFAULT);
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
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	struct copies copies = { .stream = stream_new(CU_STREAM_NON_BLOCKING) };
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
	CUstream stream = stream_new(CU_STREAM_DEFAULT), apart = stream_new(CU_STREAM_NON_BLOCKING);
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
	CUstream stream = stream_new(CU_STREAM_DEFAULT);
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
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING), branch = stream_new(CU_STREAM_NON_BLOCKING);
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
	gone = stream_new(CU_STREAM_NON_BLOCKING);
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
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING), other = stream_new(CU_STREAM_NON_BLOCKING);
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

static void test_memory_of_a_captured_graph_stays_in_its_place(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at, c = graph_test.at[2];
	CUgraphExec exec, second;
	CUgraph graph, clone;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemAllocAsync)(&at, 4 * N, stream));
	cu_ok(cu(cuMemsetD32Async)(at, 0x40400000, N, stream));
	add_run(stream, at, at, c);
	cu_ok(cu(cuMemFreeAsync)(at, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	check(cu(cuGraphInstantiateWithFlags)(&second, graph, 0) != CUDA_SUCCESS);
	check(cu(cuGraphClone)(&clone, graph) != CUDA_SUCCESS);
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuMemsetD32_v2)(c, 0, N));
		cu_ok(cu(cuStreamSynchronize)(NULL));
		cu_ok(cu(cuGraphLaunch)(exec, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(graph_test.host, c, 4 * N));
		check(graph_test.host[N - 1] == 6);
	}
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_only_what_a_captured_stream_allocates_is_the_graphs(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING), other = stream_new(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at, captured, base;
	CUgraph graph;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAllocAsync)(&at, 1 << 20, other));
	cu_ok(cu(cuMemAllocAsync)(&captured, 1 << 20, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_is_by_reference(cu(cuMemsetD8_v2)(captured, 0, 16), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemsetD8Async)(at, 1, 16, other));
	cu_ok(cu(cuMemFreeAsync)(at, other));
	cu_ok(cu(cuStreamSynchronize)(other));
	cu_is_by_reference(cu(cuMemGetAddressRange_v2)(&base, NULL, at), CUDA_ERROR_NOT_FOUND);
	cu_is_by_reference(cu(cuMemsetD8_v2)(at, 0, 16), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(other));
}

/* A node with two graphs, each with a node. */
static void condition_add(CUgraph graph, CUgraphNode after)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL,
				     .conditional = {
					     .type = CU_GRAPH_COND_TYPE_SWITCH, .size = 2, .ctx = graph_test.ctx } };
	CUgraphNode node, inside;

	cu_ok(cu(cuGraphConditionalHandleCreate)(&params.conditional.handle, graph, graph_test.ctx, 0, 0));
	cu_ok(cu(cuGraphAddNode)(&node, graph, &after, 1, &params));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuGraphAddEmptyNode)(&inside, params.conditional.phGraph_out[i], NULL, 0));
}

/* What the program has heard of a graph that comes to nothing, in one way or another, is forgotten. */
static void capture_fails(CUstream stream, CUstream branch, CUevent event, int how)
{
	CUstream gone = how == 2 ? stream_new(CU_STREAM_NON_BLOCKING) : stream;
	CUstreamCaptureStatus status;
	const CUgraphNode *last;
	CUgraphNode nodes[4], more;
	CUgraph graph;
	CUdeviceptr at;
	size_t count;

	cu_ok(cu(cuStreamBeginCapture_v2)(gone, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAllocAsync)(&at, 64 << 20, gone));
	cu_ok(cu(cuMemsetD8Async)(at, 1, 64, gone));
	cu_ok(cu(cuStreamGetCaptureInfo_v2)(gone, &status, NULL, &graph, &last, &count));
	check(count == 1);
	cu_ok(cu(cuGraphAddEmptyNode)(&more, graph, last, 1));
	count = 4;
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	check(count == 3);
	if (how == 0) {
		cu_is(cu(cuStreamSynchronize)(gone), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		cu_is(cu(cuStreamEndCapture)(gone, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
	} else if (how == 1) {
		cu_ok(cu(cuEventRecord)(event, gone));
		cu_ok(cu(cuStreamWaitEvent)(branch, event, 0));
		cu_ok(cu(cuMemsetD8Async)(at, 2, 64, branch));
		cu_is(cu(cuStreamEndCapture)(gone, &graph), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
	} else {
		cu_ok(cu(cuStreamDestroy_v2)(gone));
	}
}

static void captures_fail(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING), branch = stream_new(CU_STREAM_NON_BLOCKING);
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	for (int i = 0; i < 150; i++)
		capture_fails(stream, branch, event, i % 3);
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(branch));
}

/* A captured graph, what its nodes say, and it inside another one, of which a node is taken out. */
void graph_test_many(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	size_t used = 0;

	for (int i = 0; i < 300; i++) {
		CUgraphNode nodes[2], inside[2], child, empty;
		CUDA_MEMSET_NODE_PARAMS fill = { 0 };
		CUgraphNodeType type;
		CUgraph graph, outer, copy;
		size_t count = 2;

		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
		if (i % 2)
			cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], (unsigned int)i, N, stream));
		add_run(stream, graph_test.at[0], graph_test.at[0], graph_test.at[2]);
		if (i % 2 == 0)
			cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], (unsigned int)i, N, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
		check(count == 2);
		for (size_t k = 0; k < count; k++) {
			cu_ok(cu(cuGraphNodeGetType)(nodes[k], &type));
			if (type != CU_GRAPH_NODE_TYPE_MEMSET)
				continue;
			cu_ok(cu(cuGraphMemsetNodeGetParams)(nodes[k], &fill));
			check(fill.value == (unsigned int)i);
		}
		cu_ok(cu(cuGraphCreate)(&outer, 0));
		cu_ok(cu(cuGraphAddChildGraphNode)(&child, outer, NULL, 0, graph));
		cu_ok(cu(cuGraphAddEmptyNode)(&empty, outer, &child, 1));
		cu_ok(cu(cuGraphChildGraphNodeGetGraph)(child, &copy));
		cu_ok(cu(cuGraphGetNodes)(copy, inside, &count));
		condition_add(outer, child);
		cu_ok(cu(cuGraphDestroyNode)(empty));
		if (i % 2)
			cu_ok(cu(cuGraphDestroyNode)(child));
		cu_ok(cu(cuGraphDestroy)(outer));
		cu_ok(cu(cuGraphDestroy)(graph));
		if (i == 100)
			used = mallinfo2().uordblks;
	}
	check(mallinfo2().uordblks < used + 32768); /* 0 of both where the allocator is a sanitizer's */
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	captures_fail();
}

/* What the nodes of a graph say that the program did not add itself. */
static void parameters_hold(CUgraph graph, CUfunction function, int value)
{
	int kernels = 0, fills = 0, hosts = 0;
	CUgraphNode nodes[8];
	size_t count = 8;

	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	for (size_t i = 0; i < count; i++) {
		CUDA_KERNEL_NODE_PARAMS kernel = { 0 };
		CUDA_MEMSET_NODE_PARAMS fill = { 0 };
		CUDA_HOST_NODE_PARAMS host = { 0 };
		CUgraphNodeType type;

		cu_ok(cu(cuGraphNodeGetType)(nodes[i], &type));
		if (type == CU_GRAPH_NODE_TYPE_KERNEL) {
			cu_ok(cu(cuGraphKernelNodeGetParams_v2)(nodes[i], &kernel));
			check(kernel.func == function && kernel.gridDimX == N / 64 && kernel.blockDimX == 64);
			check(*(CUdeviceptr *)kernel.kernelParams[2] == graph_test.at[2]);
			check(*(int *)kernel.kernelParams[3] == value);
			cu_is(cu(cuGraphMemsetNodeGetParams)(nodes[i], &fill), CUDA_ERROR_INVALID_VALUE);
			kernels++;
		} else if (type == CU_GRAPH_NODE_TYPE_MEMSET) {
			cu_ok(cu(cuGraphMemsetNodeGetParams)(nodes[i], &fill));
			check(fill.dst == graph_test.at[0] && fill.value == 0x40000000 && fill.width == N);
			fills++;
		} else if (type == CU_GRAPH_NODE_TYPE_HOST) {
			cu_ok(cu(cuGraphHostNodeGetParams)(nodes[i], &host));
			check(host.fn == third && host.userData == graph_test.at);
			hosts++;
		}
	}
	check(kernels == 1 && fills == 1 && hosts == 1);
}

static void test_nodes_of_captures_and_clones_tell_their_parameters(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	CUDA_KERNEL_NODE_PARAMS kernel;
	CUgraph graph, clone;
	CUgraphNode nodes[8];
	size_t count = 8;
	int less = N - 1;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemsetD32Async)(graph_test.at[0], 0x40000000, N, stream));
	add_run(stream, graph_test.at[0], graph_test.at[0], graph_test.at[2]);
	cu_ok(cu(cuLaunchHostFunc)(stream, third, graph_test.at));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	parameters_hold(graph, graph_test.add, N);
	cu_ok(cu(cuGraphClone)(&clone, graph));
	parameters_hold(clone, graph_test.add, N);
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	for (size_t i = 0; i < count; i++) {
		CUgraphNodeType type;

		cu_ok(cu(cuGraphNodeGetType)(nodes[i], &type));
		if (type != CU_GRAPH_NODE_TYPE_KERNEL)
			continue;
		cu_ok(cu(cuGraphKernelNodeGetParams_v2)(nodes[i], &kernel));
		kernel.kernelParams[3] = &less;
		cu_ok(cu(cuGraphKernelNodeSetParams_v2)(nodes[i], &kernel));
	}
	parameters_hold(graph, graph_test.add, less);
	parameters_hold(clone, graph_test.add, N); /* its own */
	cu_ok(cu(cuGraphDestroy)(clone));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void copy_holds(CUgraphNode node, const void *to, const void *from)
{
	CUDA_MEMCPY3D copy = { 0 };

	cu_ok(cu(cuGraphMemcpyNodeGetParams)(node, &copy));
	check(copy.WidthInBytes == 64 && copy.Height == 1);
	if (copy.srcMemoryType == CU_MEMORYTYPE_HOST)
		check(copy.srcHost == from && copy.dstDevice == graph_test.at[0]);
	else
		check(copy.dstHost == to && copy.srcDevice == graph_test.at[0]);
}

/* Never launched, so nothing of it is in use: the address and what it was charged are free again. */
static void test_what_a_captured_graph_allocates_goes_with_it(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	size_t free_bytes, total;
	CUdeviceptr at;
	CUgraph graph;

	cu_ok(cu(cuMemGetInfo_v2)(&free_bytes, &total));
	for (int round = 0; round < 6; round++) {
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuMemAllocAsync)(&at, free_bytes / 3, stream));
		cu_ok(cu(cuMemsetD8Async)(at, 1, 64, stream));
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuMemAllocAsync)(&at, 4 << 20, stream));
		cu_ok(cu(cuMemFreeAsync)(at, stream));
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_captured_copies_of_pinned_memory_are_the_programs(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	CUgraphNode nodes[2];
	size_t count = 2;
	CUgraph graph;
	uint8_t *host;
	void *got;

	cu_ok(cu(cuMemAllocHost_v2)(&got, 4096));
	host = got;
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], host + 64, 64, stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host + 128, graph_test.at[0], 64, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	check(count == 2);
	copy_holds(nodes[0], host + 128, host + 64);
	copy_holds(nodes[1], host + 128, host + 64);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFreeHost)(got));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_captured_allocations_words_and_copies_tell_their_parameters(void)
{
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	CUDA_BATCH_MEM_OP_NODE_PARAMS words = { 0 };
	CUDA_MEM_ALLOC_NODE_PARAMS memory = { 0 };
	char from[64] = "from", to[64];
	CUgraphNodeType type;
	CUgraphNode nodes[8];
	int copies = 0, others = 0;
	size_t count = 8;
	CUdeviceptr at;
	CUgraph graph;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
	cu_ok(cu(cuMemAllocAsync)(&at, 4096, stream));
	cu_ok(cu(cuStreamWriteValue32_v2)(stream, graph_test.at[1], 77, 0));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], from, sizeof(from), stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(to, graph_test.at[0], sizeof(to), stream));
	cu_ok(cu(cuMemFreeAsync)(at, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, nodes, &count));
	for (size_t i = 0; i < count; i++) {
		cu_ok(cu(cuGraphNodeGetType)(nodes[i], &type));
		if (type == CU_GRAPH_NODE_TYPE_MEMCPY) {
			copy_holds(nodes[i], to, from);
			copies++;
		} else if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC) {
			cu_ok(cu(cuGraphMemAllocNodeGetParams)(nodes[i], &memory));
			check(memory.dptr == at && memory.bytesize == 4096 &&
			      memory.poolProps.location.type == CU_MEM_LOCATION_TYPE_DEVICE &&
			      !memory.poolProps.location.id);
			others++;
		} else if (type == CU_GRAPH_NODE_TYPE_BATCH_MEM_OP) {
			cu_ok(cu(cuGraphBatchMemOpNodeGetParams)(nodes[i], &words));
			check(words.ctx == graph_test.ctx && words.count == 1 &&
			      words.paramArray[0].operation == CU_STREAM_MEM_OP_WRITE_VALUE_32 &&
			      words.paramArray[0].writeValue.address == graph_test.at[1] &&
			      words.paramArray[0].writeValue.value == 77);
			others++;
		}
	}
	check(count == 5 && copies == 2 && others == 2);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* All but its end and that of its nodes is allowed; hardware's driver takes the program's word for that. */
static void test_what_a_capture_adds_to_stays_until_its_end(void)
{
	CUgraphNodeParams child = { .type = CU_GRAPH_NODE_TYPE_GRAPH,
				    .graph = { .ownership = CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE } };
	CUstream stream = stream_new(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at = graph_test.at[0];
	CUstreamCaptureStatus status;
	CUgraph graph, ended, other;
	const CUgraphNode *last;
	CUgraphNode node, made;
	size_t n;
	cu_ok(cu(cuGraphCreate)(&other, 0));
	for (int own = 0; own < 2; own++) {
		cu_ok(cu(cuGraphCreate)(&graph, 0));
		if (own)
			cu_ok(cu(cuGraphDestroy)(graph));
		if (own)
			cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		else
			cu_ok(cu(cuStreamBeginCaptureToGraph)(stream, graph, NULL, NULL, 0,
							      CU_STREAM_CAPTURE_MODE_RELAXED));
		add_run(stream, at, at, at);
		cu_ok(cu(cuStreamGetCaptureInfo_v2)(stream, &status, NULL, &graph, &last, &n));
		check(n == 1);
		node = last[0];
		cu_is(cu(cuGraphDestroy)(graph), CUDA_ERROR_INVALID_VALUE);
		cu_is(cu(cuGraphDestroyNode)(node), CUDA_ERROR_INVALID_VALUE);
		child.graph.graph = graph;
		if (!getenv("PLENUM_TEST_REMOTE")) /* there it is copied */
			cu_is(cu(cuGraphAddNode)(&made, other, NULL, 0, &child), CUDA_ERROR_INVALID_VALUE);
		add_run(stream, at, at, at);
		cu_ok(cu(cuStreamEndCapture)(stream, &ended));
		check(ended == graph);
		cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
		check(n == 2);
		cu_ok(cu(cuGraphDestroyNode)(node));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	cu_ok(cu(cuGraphDestroy)(other));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

void graph_tests_capture(void)
{
	cu_run(test_a_captured_graph_does_what_the_stream_would);
	cu_run(test_forbidden_calls_make_a_capture_invalid);
	cu_run(test_copies_in_another_stream_are_no_affair_of_a_capture);
	cu_run(test_copies_of_other_threads_go_on_beside_captures);
	cu_run(test_copies_that_a_capture_forbids_fail_at_their_call);
	cu_run(test_copies_that_wait_are_in_no_capture);
	cu_run(test_functions_and_events_that_a_capture_forbids_fail_at_their_call);
	cu_run(test_streams_and_events_cannot_cross_a_capture);
	cu_run(test_nobody_waits_for_events_of_a_capture_that_has_ended);
	cu_run(test_memory_of_a_captured_graph_stays_in_its_place);
	cu_run(test_only_what_a_captured_stream_allocates_is_the_graphs);
	cu_run(test_nodes_of_captures_and_clones_tell_their_parameters);
	cu_run(test_what_a_captured_graph_allocates_goes_with_it);
	cu_run(test_captured_copies_of_pinned_memory_are_the_programs);
	cu_run(test_captured_allocations_words_and_copies_tell_their_parameters);
	if (cu_is_reference())
		cu_run(test_what_a_capture_adds_to_stays_until_its_end);
}
