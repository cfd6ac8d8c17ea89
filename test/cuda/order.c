/* Streams, events, host functions, words in memory: order, and what is told of it. */
#include <stdatomic.h>
#include <stdint.h>

#include "cu.h"

static CUstream stream_create(unsigned int flags)
{
	CUstream stream;
	cu_ok(cu(cuStreamCreate)(&stream, flags));
	return stream;
}

static _Atomic int step;

static void CUDA_CB step_is(void *want)
{
	if (atomic_fetch_add(&step, 1) != (int)(intptr_t)want)
		atomic_store(&step, 1000);
}

static void test_host_functions_run_in_order(void)
{
	CUstream stream = stream_create(CU_STREAM_NON_BLOCKING);
	CUdeviceptr a;
	cu_ok(cu(cuMemAlloc_v2)(&a, 1 << 20));
	atomic_store(&step, 0);
	for (int i = 0; i < 50; i++) {
		cu_ok(cu(cuLaunchHostFunc)(stream, step_is, (void *)(intptr_t)i));
		cu_ok(cu(cuMemsetD8Async)(a, (unsigned char)i, 1 << 20, stream));
	}
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(atomic_load(&step) == 50);
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void CUDA_CB callback(CUstream stream, CUresult status, void *user)
{
	(void)stream;
	if (!status)
		atomic_fetch_add((atomic_int *)user, 1);
}

static void test_callbacks_are_called_once_each(void)
{
	CUstream stream = stream_create(CU_STREAM_DEFAULT);
	atomic_int n = 0;
	for (int i = 0; i < 10; i++)
		cu_ok(cu(cuStreamAddCallback)(stream, callback, &n, 0));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(atomic_load(&n) == 10);
	cu_is(cu(cuStreamAddCallback)(stream, NULL, &n, 0), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static atomic_int holds; /* begun so far */

static void CUDA_CB hold(void *gate)
{
	atomic_fetch_add(&holds, 1);
	while (!atomic_load((atomic_int *)gate))
		cu_nap_ms(1);
}

static void test_a_stream_that_is_held_is_not_ready_and_others_go_on(void)
{
	CUstream held = stream_create(CU_STREAM_NON_BLOCKING), other = stream_create(CU_STREAM_NON_BLOCKING);
	atomic_int gate = 0;
	CUcontext kept;
	CUdeviceptr a;
	CUevent event;
	cu_ok(cu(cuCtxGetCurrent)(&kept));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuMemAlloc_v2)(&a, 4096));
	cu_ok(cu(cuLaunchHostFunc)(held, hold, &gate));
	cu_ok(cu(cuMemsetD8Async)(a, 1, 4096, held));
	cu_ok(cu(cuEventRecord)(event, held));
	cu_is(cu(cuStreamQuery)(held), CUDA_ERROR_NOT_READY);
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
	cu_ok(cu(cuMemsetD8Async)(a, 2, 4096, other));
	cu_ok(cu(cuStreamSynchronize)(other));
	cu_is(cu(cuStreamQuery)(held), CUDA_ERROR_NOT_READY);
	atomic_store(&gate, 1);
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuCtxSetCurrent)(NULL)); /* PyTorch's thread that pins memory has none */
	cu_ok(cu(cuEventQuery)(event));
	cu_ok(cu(cuCtxSetCurrent)(kept));
	cu_ok(cu(cuEventQuery)(event));
	cu_ok(cu(cuStreamSynchronize)(held));
	cu_ok(cu(cuStreamQuery)(held));
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(held));
	cu_ok(cu(cuStreamDestroy_v2)(other));
}

static void test_a_stream_waits_for_anothers_event(void)
{
	CUstream a = stream_create(CU_STREAM_NON_BLOCKING), b = stream_create(CU_STREAM_NON_BLOCKING);
	unsigned int *host, in = 0;
	atomic_int gate = 0;
	CUdeviceptr at;
	CUevent event;
	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	cu_ok(cu(cuMemHostAlloc)((void **)&host, 4, 0));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 1));
	cu_ok(cu(cuLaunchHostFunc)(a, hold, &gate));
	cu_ok(cu(cuMemsetD32Async)(at, 42, 1, a));
	cu_ok(cu(cuEventRecord)(event, a));
	cu_ok(cu(cuStreamWaitEvent)(b, event, 0));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, at, 4, b));
	cu_nap_ms(5);
	cu_is(cu(cuStreamQuery)(b), CUDA_ERROR_NOT_READY);
	atomic_store(&gate, 1);
	cu_ok(cu(cuStreamSynchronize)(b));
	in = *host;
	check(in == 42);
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(a));
	cu_ok(cu(cuStreamDestroy_v2)(b));
}

/* The legacy stream comes after all that blocking streams were given before, and before what they are given later. */
static void test_the_legacy_stream_keeps_its_place(void)
{
	CUstream blocking = stream_create(CU_STREAM_DEFAULT), apart = stream_create(CU_STREAM_NON_BLOCKING);
	unsigned int *host;
	atomic_int gate = 0;
	CUdeviceptr a;
	cu_ok(cu(cuMemAlloc_v2)(&a, 16));
	cu_ok(cu(cuMemHostAlloc)((void **)&host, 16, 0));
	cu_ok(cu(cuMemsetD32_v2)(a, 0, 4));
	cu_ok(cu(cuStreamSynchronize)(NULL)); /* `apart` does not wait for it */
	cu_ok(cu(cuLaunchHostFunc)(blocking, hold, &gate));
	cu_ok(cu(cuMemsetD32Async)(a, 5, 1, blocking));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(a + 4, a, 4, NULL));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(a + 8, a + 4, 4, blocking));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, a, 16, apart));
	cu_ok(cu(cuStreamSynchronize)(apart));
	check(host[0] == 0 && host[1] == 0 && host[2] == 0);
	cu_is(cu(cuStreamQuery)(NULL), CUDA_ERROR_NOT_READY);
	atomic_store(&gate, 1);
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuStreamSynchronize)(blocking));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, a, 16));
	check(host[0] == 5 && host[1] == 5 && host[2] == 5);
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
	cu_ok(cu(cuStreamDestroy_v2)(apart));
}

/* Freeing in one of the two comes behind what the other was given, so nobody else has the memory meanwhile. */
static void legacy_frees(CUstream works, CUstream frees, CUstream other)
{
	const size_t bytes = 3 << 20;
	atomic_int gate = 0;
	CUdeviceptr at, next;

	cu_ok(cu(cuMemAllocAsync)(&at, bytes, works));
	cu_ok(cu(cuStreamSynchronize)(works));
	cu_ok(cu(cuLaunchHostFunc)(works, hold, &gate));
	cu_ok(cu(cuMemsetD8Async)(at, 1, bytes, works));
	cu_ok(cu(cuMemFreeAsync)(at, frees));
	cu_ok(cu(cuMemAllocAsync)(&next, bytes, other));
	check(next != at);
	atomic_store(&gate, 1);
	cu_ok(cu(cuStreamSynchronize)(works));
	cu_ok(cu(cuMemFreeAsync)(next, other));
	cu_ok(cu(cuStreamSynchronize)(other));
}

static void test_memory_that_is_freed_by_legacy_rules_is_not_given_too_early(void)
{
	CUstream blocking = stream_create(CU_STREAM_DEFAULT), other = stream_create(CU_STREAM_NON_BLOCKING);

	legacy_frees(blocking, NULL, other);
	legacy_frees(NULL, blocking, other);
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
	cu_ok(cu(cuStreamDestroy_v2)(other));
}

/* Freed in another stream than the one that is late with it, and the pool with it: cuda-python's tests of shared pools
 * do so.  What is written is nobody's, but nothing fails. */
static void test_a_pool_that_is_destroyed_waits_for_streams_that_are_late(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUstream late = stream_create(CU_STREAM_NON_BLOCKING), own = stream_create(CU_STREAM_NON_BLOCKING);
	atomic_int gate = 0;
	CUmemoryPool pool;
	CUdeviceptr at;

	for (int sync = 0; sync < 2; sync++) {
		atomic_store(&gate, 0);
		cu_ok(cu(cuMemPoolCreate)(&pool, &props));
		cu_ok(cu(cuMemAllocFromPoolAsync)(&at, 1 << 20, pool, own));
		cu_ok(cu(cuStreamSynchronize)(own));
		cu_ok(cu(cuLaunchHostFunc)(late, hold, &gate));
		cu_ok(cu(cuMemsetD8Async)(at, 7, 1 << 20, late));
		cu_ok(cu(cuMemFreeAsync)(at, own));
		if (sync)
			cu_ok(cu(cuStreamSynchronize)(own));
		cu_ok(cu(cuMemPoolDestroy)(pool));
		atomic_store(&gate, 1);
		cu_ok(cu(cuStreamSynchronize)(late));
		cu_ok(cu(cuCtxSynchronize)());
	}
	cu_ok(cu(cuStreamDestroy_v2)(late));
	cu_ok(cu(cuStreamDestroy_v2)(own));
}

/* Its last allocation is freed while an earlier one is not free yet: nobody waits, and both come back. */
static void test_a_destroyed_pool_gives_back_all_that_was_freed_in_streams_of_two_contexts(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUstream late = stream_create(CU_STREAM_NON_BLOCKING), frees;
	size_t left[6], all;
	CUcontext first, second;
	CUmemoryPool pool;
	CUdeviceptr at[2];

	cu_ok(cu(cuCtxGetCurrent)(&first));
	cu_ok(cu(cuCtxCreate_v2)(&second, 0, 0));
	frees = stream_create(CU_STREAM_NON_BLOCKING);
	for (int i = 0; i < 6; i++) {
		atomic_int gate = 0;
		cu_ok(cu(cuCtxSetCurrent)(first));
		cu_ok(cu(cuMemPoolCreate)(&pool, &props));
		for (int k = 0; k < 2; k++)
			cu_ok(cu(cuMemAllocFromPoolAsync)(&at[k], 8 << 20, pool, late));
		cu_ok(cu(cuLaunchHostFunc)(late, hold, &gate));
		cu_ok(cu(cuMemFreeAsync)(at[0], late));
		cu_ok(cu(cuMemPoolDestroy)(pool));
		cu_ok(cu(cuCtxSetCurrent)(i % 2 ? first : second));
		cu_ok(cu(cuMemFreeAsync)(at[1], i % 2 ? late : frees));
		atomic_store(&gate, 1);
		cu_ok(cu(cuCtxSynchronize)());
		cu_ok(cu(cuCtxSetCurrent)(first));
		cu_ok(cu(cuCtxSynchronize)());
		cu_ok(cu(cuMemGetInfo_v2)(&left[i], &all));
	}
	check(left[4] == left[2] && left[5] == left[3]);
	cu_ok(cu(cuCtxDestroy_v2)(second));
	cu_ok(cu(cuStreamDestroy_v2)(late));
}

static void test_an_event_of_a_context_comes_after_all_of_its_streams(void)
{
	CUstream held = stream_create(CU_STREAM_NON_BLOCKING), later = stream_create(CU_STREAM_NON_BLOCKING);
	atomic_int gate = 0, next = 0;
	CUcontext ctx, other;
	CUevent event;

	cu_ok(cu(cuCtxGetCurrent)(&ctx));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	for (int named = 0; named < 2; named++) {
		atomic_store(&gate, 0);
		atomic_store(&next, 0);
		atomic_store(&holds, 0);
		cu_ok(cu(cuLaunchHostFunc)(held, hold, &gate));
		while (!atomic_load(&holds)) /* one thread may run the functions of all streams */
			cu_nap_ms(1);
		cu_ok(cu(cuCtxRecordEvent)(named ? ctx : NULL, event));
		cu_ok(cu(cuLaunchHostFunc)(later, hold, &next));
		cu_nap_ms(2);
		cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
		atomic_store(&gate, 1);
		cu_ok(cu(cuEventSynchronize)(event)); /* what came later is not in it */
		cu_ok(cu(cuStreamQuery)(held));
		cu_is(cu(cuStreamQuery)(later), CUDA_ERROR_NOT_READY);
		atomic_store(&next, 1);
		cu_ok(cu(cuCtxSynchronize)());
	}
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	cu_is(cu(cuCtxRecordEvent)(other, event), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuCtxDestroy_v2)(other));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(held));
	cu_ok(cu(cuStreamDestroy_v2)(later));
}

/* Those that were made before and after, and the two that nobody makes; of two events, the second is over first. */
static void test_a_context_waits_for_an_event_in_all_of_its_streams(void)
{
	CUstream held[2], stream[5] = { NULL, NULL, NULL, NULL, CU_STREAM_PER_THREAD };
	CUcontext first, second;
	atomic_int gate[2] = { 0, 0 };
	CUevent event[2];
	CUdeviceptr at;
	int got[5];

	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(got)));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 5));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuCtxGetCurrent)(&first));
	for (int i = 0; i < 2; i++) {
		held[i] = stream_create(CU_STREAM_NON_BLOCKING);
		cu_ok(cu(cuEventCreate)(&event[i], CU_EVENT_DISABLE_TIMING));
		cu_ok(cu(cuLaunchHostFunc)(held[i], hold, &gate[i]));
		cu_ok(cu(cuEventRecord)(event[i], held[i]));
	}
	cu_ok(cu(cuCtxCreate_v2)(&second, 0, 0));
	stream[0] = stream_create(CU_STREAM_NON_BLOCKING);
	stream[1] = stream_create(CU_STREAM_DEFAULT);
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuCtxWaitEvent)(second, event[i]));
	stream[2] = stream_create(CU_STREAM_NON_BLOCKING);
	for (int i = 0; i < 5; i++)
		cu_ok(cu(cuMemsetD32Async)(at + 4 * (CUdeviceptr)i, 7, 1, stream[i]));
	atomic_store(&gate[1], 1);
	cu_nap_ms(5);
	for (int i = 0; i < 5; i++)
		cu_is(cu(cuStreamQuery)(stream[i]), CUDA_ERROR_NOT_READY);
	cu_ok(cu(cuCtxSetCurrent)(first)); /* which waits for nothing */
	cu_ok(cu(cuMemcpyDtoH_v2)(got, at, sizeof(got)));
	for (int i = 0; i < 5; i++)
		check(got[i] == 0);
	atomic_store(&gate[0], 1);
	cu_ok(cu(cuCtxSetCurrent)(second));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyDtoH_v2)(got, at, sizeof(got)));
	for (int i = 0; i < 5; i++)
		check(got[i] == 7);
	cu_ok(cu(cuCtxWaitEvent)(second, event[0])); /* over by now */
	cu_ok(cu(cuStreamQuery)(stream[0]));
	cu_ok(cu(cuCtxDestroy_v2)(second));
	cu_ok(cu(cuCtxSetCurrent)(first));
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuEventDestroy_v2)(event[i]));
		cu_ok(cu(cuStreamDestroy_v2)(held[i]));
	}
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_events_of_a_context_end_its_captures(void)
{
	CUstream stream = stream_create(CU_STREAM_NON_BLOCKING);
	CUevent event, inside;
	CUcontext ctx;
	CUgraph graph;

	cu_ok(cu(cuCtxGetCurrent)(&ctx));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventCreate)(&inside, CU_EVENT_DISABLE_TIMING));
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
		cu_ok(cu(cuEventRecord)(inside, stream));
		if (i == 0)
			cu_is(cu(cuCtxRecordEvent)(ctx, event), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		else
			cu_is(cu(cuCtxWaitEvent)(ctx, i == 1 ? event : inside), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		cu_is(cu(cuStreamEndCapture)(stream, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
		check(!graph);
	}
	cu_ok(cu(cuCtxRecordEvent)(ctx, event));
	cu_ok(cu(cuCtxWaitEvent)(ctx, event));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuEventDestroy_v2)(inside));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_time_between_events_is_told(void)
{
	CUevent begin, end, untimed;
	float ms = -1;
	cu_ok(cu(cuEventCreate)(&begin, 0));
	cu_ok(cu(cuEventCreate)(&end, CU_EVENT_BLOCKING_SYNC));
	cu_ok(cu(cuEventCreate)(&untimed, CU_EVENT_DISABLE_TIMING));
	cu_is(cu(cuEventElapsedTime)(&ms, begin, end), CUDA_ERROR_INVALID_HANDLE);
	cu_ok(cu(cuEventRecord)(begin, NULL));
	cu_ok(cu(cuEventRecord)(untimed, NULL));
	cu_ok(cu(cuEventRecord)(end, NULL));
	cu_ok(cu(cuEventSynchronize)(end));
	cu_ok(cu(cuEventElapsedTime)(&ms, begin, end));
	check(ms >= 0);
	cu_is(cu(cuEventElapsedTime)(&ms, begin, untimed), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuEventElapsedTime)(NULL, begin, end), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuEventCreate)(&begin, 0x100), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuEventDestroy_v2)(end));
	if (cu_is_reference()) { /* hardware's driver takes a handle for a pointer */
		cu_is(cu(cuEventDestroy_v2)(end), CUDA_ERROR_INVALID_HANDLE);
		cu_is(cu(cuEventQuery)(end), CUDA_ERROR_INVALID_HANDLE);
		cu_is(cu(cuEventRecord)(end, NULL), CUDA_ERROR_INVALID_HANDLE);
	}
	cu_ok(cu(cuEventDestroy_v2)(untimed));
	cu_ok(cu(cuEventDestroy_v2)(begin));
}

static void test_streams_wait_for_words_in_memory(void)
{
	CUstream stream = stream_create(CU_STREAM_NON_BLOCKING);
	volatile unsigned int *host;
	CUresult r;
	cu_ok(cu(cuMemHostAlloc)((void **)&host, 64, CU_MEMHOSTALLOC_DEVICEMAP));
	memset((void *)host, 0, 64);
	r = cu(cuStreamWaitValue32_v2)(stream, (CUdeviceptr)(uintptr_t)host, 3, CU_STREAM_WAIT_VALUE_GEQ);
	if (r == CUDA_ERROR_NOT_SUPPORTED)
		return;
	cu_ok(r);
	cu_ok(cu(cuStreamWriteValue32_v2)(stream, (CUdeviceptr)(uintptr_t)(host + 4), 77, 0));
	cu_nap_ms(5);
	check(host[4] == 0);
	cu_is(cu(cuStreamQuery)(stream), CUDA_ERROR_NOT_READY);
	__atomic_store_n(&host[0], 5, __ATOMIC_RELEASE);
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(host[4] == 77);
	cu_is(cu(cuStreamWaitValue32_v2)(stream, 3, 0, 0), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuStreamWaitValue32_v2)(stream, (CUdeviceptr)(uintptr_t)host, 0, 0x99), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFreeHost)((void *)host));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* Destruction waits for nothing, and what was given is done, whatever the stream waits for. */
static void test_a_stream_that_is_destroyed_does_its_work(void)
{
	CUstream stream, other = stream_create(CU_STREAM_NON_BLOCKING);
	atomic_int gate = 0;
	unsigned int got;
	CUdeviceptr at;
	CUevent event;
	CUresult r;
	cu_ok(cu(cuMemAlloc_v2)(&at, 8));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, 2));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	for (unsigned int by_word = 0; by_word < 2; by_word++) {
		stream = stream_create(CU_STREAM_NON_BLOCKING);
		r = by_word ? cu(cuStreamWaitValue32_v2)(stream, at, 1, CU_STREAM_WAIT_VALUE_EQ)
			    : cu(cuLaunchHostFunc)(stream, hold, &gate);
		if (by_word && r == CUDA_ERROR_NOT_SUPPORTED)
			break;
		cu_ok(r);
		cu_ok(cu(cuMemsetD32Async)(at + 4, 5 + by_word, 1, stream));
		cu_ok(cu(cuEventRecord)(event, stream));
		cu_ok(cu(cuStreamDestroy_v2)(stream));
		cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
		cu_is_by_reference(cu(cuStreamQuery)(stream), CUDA_ERROR_INVALID_HANDLE);
		if (by_word)
			cu_ok(cu(cuStreamWriteValue32_v2)(other, at, 1, 0));
		atomic_store(&gate, 1);
		cu_ok(cu(cuCtxSynchronize)());
		cu_ok(cu(cuEventQuery)(event));
		cu_ok(cu(cuMemcpyDtoH_v2)(&got, at + 4, 4));
		check(got == 5 + by_word);
	}
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(other));
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_streams_say_what_they_are(void)
{
	unsigned long long id_a, id_b;
	int least, greatest, priority;
	unsigned int flags;
	CUcontext current, of;
	CUstream stream;
	cu_ok(cu(cuCtxGetStreamPriorityRange)(&least, &greatest));
	check(least >= greatest);
	cu_ok(cu(cuStreamCreateWithPriority)(&stream, CU_STREAM_NON_BLOCKING, greatest - 100));
	cu_ok(cu(cuStreamGetPriority)(stream, &priority));
	check(priority == greatest);
	cu_ok(cu(cuStreamGetFlags)(stream, &flags));
	check(flags == CU_STREAM_NON_BLOCKING);
	cu_ok(cu(cuCtxGetCurrent)(&current));
	cu_ok(cu(cuStreamGetCtx)(stream, &of));
	check(of == current);
	cu_ok(cu(cuStreamGetId)(stream, &id_a));
	cu_ok(cu(cuStreamGetId)(NULL, &id_b));
	check(id_a != id_b);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_is(cu(cuStreamCreate)(&stream, 0x10), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuStreamCreate)(NULL, 0), CUDA_ERROR_INVALID_VALUE);
}

/* More streams than the device has channels. */
static void test_many_streams_work_side_by_side(void)
{
	enum { STREAMS = 300 };
	CUstream stream[STREAMS];
	unsigned int in[STREAMS];
	CUdeviceptr a;
	cu_ok(cu(cuMemAlloc_v2)(&a, sizeof(in)));
	for (int i = 0; i < STREAMS; i++)
		stream[i] = stream_create(CU_STREAM_NON_BLOCKING);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < STREAMS; i++)
			cu_ok(cu(cuMemsetD32Async)(a + 4 * (CUdeviceptr)i, (unsigned int)(i + round), 1, stream[i]));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyDtoH_v2)(in, a, sizeof(in)));
	for (int i = 0; i < STREAMS; i++) {
		check(in[i] == (unsigned int)i + 2);
		cu_ok(cu(cuStreamDestroy_v2)(stream[i]));
	}
	cu_ok(cu(cuMemFree_v2)(a));
}

/* ---- many copies in one call ---- */

static void test_batches_copy_in_all_directions(void)
{
	enum { N = 3, BYTES = 70000 };
	unsigned char *from = malloc(BYTES), *to = calloc(1, BYTES);
	CUmemcpyAttributes attribute = { .srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM };
	size_t sizes[N] = { BYTES, BYTES, BYTES }, first = 0, failed = 5;
	CUdeviceptr a, b, dsts[N], srcs[N];
	CUstream stream;

	for (int i = 0; i < BYTES; i++)
		from[i] = (unsigned char)(i * 11 + (i >> 8));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&a, BYTES));
	cu_ok(cu(cuMemAlloc_v2)(&b, BYTES));
	memcpy(dsts, (CUdeviceptr[]){ a, b, (uintptr_t)to }, sizeof(dsts));
	memcpy(srcs, (CUdeviceptr[]){ (uintptr_t)from, a, b }, sizeof(srcs));
	for (size_t i = 0; i < N; i++) /* each alone: a batch has no order */
		cu_ok(cu(cuMemcpyBatchAsync)(&dsts[i], &srcs[i], &sizes[i], 1, &attribute, &first, 1, &failed, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(failed == SIZE_MAX && !memcmp(from, to, BYTES));
	memset(to, 0, BYTES);
	srcs[1] = (uintptr_t)from;
	cu_ok(cu(cuMemcpyBatchAsync_v2)(dsts, srcs, sizes, 2, &attribute, &first, 1, stream));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(to, b, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(!memcmp(from, to, BYTES));
	cu_is(cu(cuMemcpyBatchAsync)(dsts, srcs, sizes, 0, &attribute, &first, 1, &failed, stream),
	      CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpyBatchAsync_v2)(dsts, srcs, sizes, 2, &attribute, &first, 1, NULL), CUDA_ERROR_INVALID_VALUE);
	first = 1;
	cu_is(cu(cuMemcpyBatchAsync_v2)(dsts, srcs, sizes, 2, &attribute, &first, 1, stream), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuMemFree_v2)(b));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	free(from), free(to);
}

static void test_batches_of_blocks_copy_lines_and_arrays(void)
{
	CUDA_ARRAY3D_DESCRIPTOR shape = { .Width = 16, .Height = 8, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 2 };
	CUDA_MEMCPY3D_BATCH_OP ops[2] = { { .extent = { 16, 8, 1 },
					    .srcAccessOrder = CU_MEMCPY_SRC_ACCESS_ORDER_STREAM } };
	float from[8][40], to[8][32];
	size_t failed = 5;
	CUstream stream;
	CUarray array;

	for (int y = 0; y < 8; y++)
		for (int x = 0; x < 40; x++)
			from[y][x] = (float)(y * 100 + x);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuArray3DCreate_v2)(&array, &shape));
	ops[1] = ops[0];
	ops[0].src.type = ops[1].dst.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
	ops[0].dst.type = ops[1].src.type = CU_MEMCPY_OPERAND_TYPE_ARRAY;
	ops[0].src.op.ptr.ptr = (uintptr_t)from;
	ops[0].src.op.ptr.rowLength = 20; /* elements of two floats */
	ops[0].dst.op.array.array = ops[1].src.op.array.array = array;
	ops[1].dst.op.ptr.ptr = (uintptr_t)to;
	cu_ok(cu(cuMemcpy3DBatchAsync)(1, ops, &failed, 0, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuMemcpy3DBatchAsync_v2)(1, &ops[1], 0, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(failed == SIZE_MAX);
	for (int y = 0; y < 8; y++)
		check(!memcmp(to[y], from[y], sizeof(to[y])));
	for (int i = 0; i < 3; i++) { /* of 8 bytes each: they wrap to what is right */
		CUDA_MEMCPY3D_BATCH_OP wraps = ops[0];
		wraps.extent.width += i == 0 ? 1ull << 61 : 0;
		wraps.src.op.ptr.rowLength += i == 1 ? 1ull << 61 : 0;
		wraps.dst.op.array.offset.x += i == 2 ? 1ull << 61 : 0;
		cu_is(cu(cuMemcpy3DBatchAsync_v2)(1, &wraps, 0, stream), CUDA_ERROR_INVALID_VALUE);
	}
	ops[1].src.type = (CUmemcpy3DOperandType)9;
	cu_is(cu(cuMemcpy3DBatchAsync)(2, ops, &failed, 0, stream), CUDA_ERROR_INVALID_VALUE);
	check(failed == 1);
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_is(cu(cuMemcpy3DBatchAsync_v2)(1, ops, 1, stream), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuArrayDestroy)(array));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* One block writes pairs of equal numbers, the other reads them meanwhile. */
static const char pairs[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
			    ".visible .entry pairs(.param .u64 at, .param .u64 torn) {\n"
			    ".reg .pred %p<3>; .reg .b64 %rd<9>; .reg .b32 %r<4>;\n"
			    "ld.param.u64 %rd1, [at]; ld.param.u64 %rd2, [torn];\n"
			    "mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 16; add.u64 %rd1, %rd1, %rd3;\n"
			    "mov.u32 %r1, %ctaid.x; setp.ne.u32 %p1, %r1, 0; mov.u32 %r2, 0;\n"
			    "@%p1 bra READ;\n"
			    "WRITE: add.u32 %r2, %r2, 1; cvt.u64.u32 %rd4, %r2;\n"
			    "st.relaxed.gpu.global.v2.u64 [%rd1], {%rd4, %rd4};\n"
			    "setp.lt.u32 %p2, %r2, 200000; @%p2 bra WRITE; ret;\n"
			    "READ: add.u32 %r2, %r2, 1; ld.relaxed.gpu.global.v2.u64 {%rd4, %rd5}, [%rd1];\n"
			    "setp.ne.u64 %p1, %rd4, %rd5; @%p1 red.global.add.u32 [%rd2], 1;\n"
			    "setp.lt.u32 %p2, %r2, 200000; @%p2 bra READ; ret; }\n";

static void test_vectors_of_16_bytes_are_whole_for_other_blocks(void)
{
	CUdeviceptr at, torn;
	void *params[] = { &at, &torn };
	CUmodule module;
	int count;
	cu_ok(cu(cuModuleLoadData)(&module, pairs));
	cu_ok(cu(cuMemAlloc_v2)(&at, 32 * 16));
	cu_ok(cu(cuMemAlloc_v2)(&torn, 4));
	cu_ok(cu(cuMemsetD8_v2)(at, 0, 32 * 16));
	cu_ok(cu(cuMemsetD8_v2)(torn, 0, 4));
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "pairs"), 2, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(&count, torn, 4));
	check(count == 0);
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuMemFree_v2)(torn));
	cu_ok(cu(cuModuleUnload)(module));
}

int main(void)
{
	CUcontext ctx = cu_begin();
	cu_run(test_batches_copy_in_all_directions);
	cu_run(test_batches_of_blocks_copy_lines_and_arrays);
	cu_run(test_host_functions_run_in_order);
	cu_run(test_callbacks_are_called_once_each);
	cu_run(test_vectors_of_16_bytes_are_whole_for_other_blocks);
	cu_run(test_a_stream_that_is_held_is_not_ready_and_others_go_on);
	cu_run(test_a_stream_waits_for_anothers_event);
	cu_run(test_the_legacy_stream_keeps_its_place);
	if (cu_is_reference()) { /* CUDA promises nothing there */
		cu_run(test_a_pool_that_is_destroyed_waits_for_streams_that_are_late);
		cu_run(test_a_destroyed_pool_gives_back_all_that_was_freed_in_streams_of_two_contexts);
	}
	cu_run(test_memory_that_is_freed_by_legacy_rules_is_not_given_too_early);
	cu_run(test_an_event_of_a_context_comes_after_all_of_its_streams);
	cu_run(test_a_context_waits_for_an_event_in_all_of_its_streams);
	cu_run(test_events_of_a_context_end_its_captures);
	cu_run(test_time_between_events_is_told);
	cu_run(test_streams_wait_for_words_in_memory);
	cu_run(test_a_stream_that_is_destroyed_does_its_work);
	cu_run(test_streams_say_what_they_are);
	cu_run(test_many_streams_work_side_by_side);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
