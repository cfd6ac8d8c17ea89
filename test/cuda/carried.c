/*
 * Copies between devices of two servers that are put into a stream: the call returns, the copy comes when the stream
 * has come to it.  `cuda-carried`: all; `cuda-carried count N`: N copies, for whoever counts; `cuda-carried dies`: the
 * second device's server ends in the middle.  test/integration/test_between.py gives it two servers.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "cu.h"

#define BYTES   ((3u << 20) + 8)
#define GATE_MS 8000

static CUcontext contexts[2];

static void current(int device)
{
	cu_ok(cu(cuCtxSetCurrent)(contexts[device]));
}

static CUdeviceptr allocate(int device, size_t bytes)
{
	CUdeviceptr at;

	current(device);
	cu_ok(cu(cuMemAlloc_v2)(&at, bytes));
	return at;
}

static void release(int device, CUdeviceptr at)
{
	current(device);
	cu_ok(cu(cuMemFree_v2)(at));
}

static void fill(int device, CUdeviceptr at, uint8_t value)
{
	current(device);
	cu_ok(cu(cuMemsetD8_v2)(at, value, BYTES));
	cu_ok(cu(cuCtxSynchronize)());
}

static void holds(int device, CUdeviceptr at, uint8_t value)
{
	const size_t places[] = { 0, 1u << 20, BYTES - 4 };
	uint32_t got;

	current(device);
	for (size_t i = 0; i < 3; i++) {
		cu_ok(cu(cuMemcpyDtoH_v2)(&got, at + places[i], sizeof(got)));
		if (got != 0x01010101u * value)
			fprintf(stderr, "at %zu: %#x, not %#x\n", places[i], got, 0x01010101u * value);
		check(got == 0x01010101u * value);
	}
}

/* ---- a stream is held until the program lets it go ---- */

static atomic_bool gate_open, gate_late;

static void CUDA_CB gate(void *user)
{
	(void)user;
	for (int ms = 0; !atomic_load(&gate_open); ms++) {
		if (ms == GATE_MS) {
			atomic_store(&gate_late, true);
			return;
		}
		usleep(1000);
	}
}

static void gate_close(CUstream stream)
{
	atomic_store(&gate_open, false);
	cu_ok(cu(cuLaunchHostFunc)(stream, gate, NULL));
}

/* ---- the calls ---- */

enum { PEER, ANY, DEVICE, LINES, CALLS };

static CUresult copy(int call, int device, CUdeviceptr to, CUdeviceptr from, CUstream stream)
{
	CUDA_MEMCPY3D_PEER lines = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
				     .srcDevice = from,
				     .srcContext = contexts[device],
				     .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				     .dstDevice = to,
				     .dstContext = contexts[!device],
				     .WidthInBytes = BYTES,
				     .Height = 1,
				     .Depth = 1 };

	switch (call) {
	case PEER:
		return cu(cuMemcpyPeerAsync)(to, contexts[!device], from, contexts[device], BYTES, stream);
	case ANY:
		return cu(cuMemcpyAsync)(to, from, BYTES, stream);
	case DEVICE:
		return cu(cuMemcpyDtoDAsync_v2)(to, from, BYTES, stream);
	default:
		return cu(cuMemcpy3DPeerAsync)(&lines, stream);
	}
}

static void held_copy(int call, int device, CUstream stream, CUdeviceptr from, CUdeviceptr to)
{
	CUevent event;

	fill(!device, to, 1);
	fill(device, from, 2);
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	gate_close(stream);
	cu_ok(cu(cuMemsetD8Async)(from, 3, BYTES, stream));
	cu_ok(copy(call, device, to, from, stream));
	cu_ok(cu(cuMemsetD8Async)(from, 4, BYTES, stream));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
	cu_is(cu(cuStreamQuery)(stream), CUDA_ERROR_NOT_READY);
	atomic_store(&gate_open, true);
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuEventQuery)(event));
	check(!atomic_load(&gate_late));
	holds(!device, to, 3);
	holds(device, from, 4);
	cu_ok(cu(cuEventDestroy_v2)(event));
}

static void test_a_call_returns_while_its_stream_is_held(void)
{
	for (int device = 0; device < 2; device++) {
		CUdeviceptr from = allocate(device, BYTES), to = allocate(!device, BYTES);
		CUstream free, plain;

		current(device);
		cu_ok(cu(cuStreamCreate)(&free, CU_STREAM_NON_BLOCKING));
		cu_ok(cu(cuStreamCreate)(&plain, CU_STREAM_DEFAULT));
		for (int call = 0; call < CALLS; call++) {
			held_copy(call, device, free, from, to);
			held_copy(call, device, plain, from, to);
			held_copy(call, device, NULL, from, to);
			held_copy(call, device, CU_STREAM_PER_THREAD, from, to);
		}
		cu_ok(cu(cuStreamDestroy_v2)(free));
		cu_ok(cu(cuStreamDestroy_v2)(plain));
		release(device, from);
		release(!device, to);
	}
}

static void test_lines_go_where_they_belong(void)
{
	CUdeviceptr from = allocate(0, 64 * 16), to = allocate(1, 128 * 20);
	CUDA_MEMCPY3D_PEER lines = { .srcMemoryType = CU_MEMORYTYPE_DEVICE,
				     .srcDevice = from,
				     .srcPitch = 64,
				     .srcHeight = 8,
				     .srcXInBytes = 4,
				     .srcY = 1,
				     .srcZ = 1,
				     .srcContext = contexts[0],
				     .dstMemoryType = CU_MEMORYTYPE_DEVICE,
				     .dstDevice = to,
				     .dstPitch = 128,
				     .dstHeight = 10,
				     .dstXInBytes = 8,
				     .dstY = 2,
				     .dstContext = contexts[1],
				     .WidthInBytes = 16,
				     .Height = 3,
				     .Depth = 1 };
	uint8_t there[64 * 16], here[128 * 20];
	CUstream stream;

	for (size_t i = 0; i < sizeof(there); i++)
		there[i] = (uint8_t)(i * 7 + i / 64);
	current(1);
	cu_ok(cu(cuMemsetD8_v2)(to, 0xee, sizeof(here)));
	cu_ok(cu(cuCtxSynchronize)()); /* nothing else orders it before the copy, whose stream is another context's */
	current(0);
	cu_ok(cu(cuMemcpyHtoD_v2)(from, there, sizeof(there)));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	gate_close(stream);
	cu_ok(cu(cuMemcpy3DPeerAsync)(&lines, stream));
	lines.WidthInBytes = 64; /* with what is skipped that is more than a line has */
	check(cu(cuMemcpy3DPeerAsync)(&lines, NULL));
	atomic_store(&gate_open, true);
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(!atomic_load(&gate_late));
	current(1);
	cu_ok(cu(cuMemcpyDtoH_v2)(here, to, sizeof(here)));
	for (size_t y = 0; y < 20; y++)
		for (size_t x = 0; x < 128; x++) {
			bool in = x >= 8 && x < 24 && y >= 2 && y < 5;

			check(here[y * 128 + x] == (in ? there[(8 + y - 1) * 64 + x - 4] : 0xee));
		}
	current(0);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	release(0, from);
	release(1, to);
}

/* What the program did to the other server before is there, though that was only posted. */
static void test_a_copy_comes_after_what_was_done_there(void)
{
	CUdeviceptr from = allocate(1, BYTES), to = allocate(0, BYTES);
	uint8_t *bytes = malloc(BYTES);
	CUstream stream;

	check(bytes);
	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (int i = 1; i <= 60; i++) {
		memset(bytes, i, BYTES);
		current(1);
		cu_ok(cu(cuMemcpyHtoD_v2)(from, bytes, BYTES));
		current(0);
		cu_ok(cu(cuMemcpyPeerAsync)(to, contexts[0], from, contexts[1], BYTES, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		holds(0, to, (uint8_t)i);
	}
	free(bytes);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	release(1, from);
	release(0, to);
}

/* ---- many at one time ---- */

#define STREAMS 3
#define TIMES   6

static void CUDA_CB touch(void *user)
{
	atomic_fetch_add((atomic_int *)user, 1);
}

static void *both_run(void *arg)
{
	int device = (int)(intptr_t)arg % 2;
	CUdeviceptr from[STREAMS], to[STREAMS], more;
	CUstream streams[STREAMS];
	atomic_int touched = 0;

	for (int i = 0; i < STREAMS; i++) {
		from[i] = allocate(device, BYTES);
		to[i] = allocate(!device, BYTES);
		current(device);
		cu_ok(cu(cuStreamCreate)(&streams[i], i ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING));
	}
	for (int n = 1; n <= TIMES; n++)
		for (int i = 0; i < STREAMS; i++) {
			cu_ok(cu(cuMemsetD8Async)(from[i], (uint8_t)(n * 16 + i), BYTES, streams[i]));
			cu_ok(copy((n + i) % CALLS, device, to[i], from[i], streams[i]));
			cu_ok(cu(cuLaunchHostFunc)(streams[i], touch, &touched));
			cu_ok(cu(cuMemcpyAsync)(from[i], to[i], BYTES / 2, streams[i])); /* and back */
			cu_ok(cu(cuMemAlloc_v2)(&more, (size_t)n << 16));
			cu_ok(cu(cuMemFree_v2)(more));
		}
	cu_ok(copy(PEER, device, to[0], from[0], NULL));
	cu_ok(cu(cuCtxSynchronize)());
	check(touched == TIMES * STREAMS);
	for (int i = 0; i < STREAMS; i++) {
		holds(!device, to[i], (uint8_t)(TIMES * 16 + i));
		holds(device, from[i], (uint8_t)(TIMES * 16 + i));
		current(device);
		cu_ok(cu(cuStreamDestroy_v2)(streams[i]));
		release(device, from[i]);
		release(!device, to[i]);
	}
	return NULL;
}

static void test_both_directions_go_on_at_once(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		check(!pthread_create(&threads[i], NULL, both_run, (void *)(intptr_t)i));
	for (int i = 0; i < 4; i++)
		check(!pthread_join(threads[i], NULL));
}

/* Calls that wait, while the legacy stream is held by a copy that waits for its turn on the same connection. */
static void *waits_run(void *arg)
{
	CUdeviceptr from = allocate(0, BYTES), to = allocate(1, BYTES);

	(void)arg;
	current(0);
	for (int i = 0; i < 20; i++)
		cu_ok(cu(cuMemcpyDtoD_v2)(to, from, BYTES));
	release(0, from);
	release(1, to);
	return NULL;
}

static void test_copies_that_wait_and_that_do_not_go_on_at_once(void)
{
	CUdeviceptr from = allocate(0, BYTES), to = allocate(1, BYTES);
	pthread_t thread;

	check(!pthread_create(&thread, NULL, waits_run, NULL));
	current(0);
	for (int i = 0; i < 20; i++)
		cu_ok(copy(i % CALLS, 0, to, from, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	check(!pthread_join(thread, NULL));
	release(0, from);
	release(1, to);
}

/* ---- ends ---- */

static void *opens_run(void *arg)
{
	(void)arg;
	usleep(50000);
	atomic_store(&gate_open, true);
	return NULL;
}

static void test_what_a_copy_uses_may_end_before_it(void)
{
	CUdeviceptr from = allocate(0, BYTES), to = allocate(1, BYTES), keeps = allocate(1, BYTES);
	pthread_t thread;
	CUstream stream;

	fill(0, from, 5);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	gate_close(stream);
	cu_ok(copy(PEER, 0, to, from, stream));
	cu_ok(copy(PEER, 0, keeps, from, stream));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	check(!pthread_create(&thread, NULL, opens_run, NULL));
	release(1, to); /* waits, as a driver does */
	check(atomic_load(&gate_open));
	release(0, from);
	cu_ok(cu(cuCtxSynchronize)());
	holds(1, keeps, 5);
	check(!pthread_join(thread, NULL) && !atomic_load(&gate_late));
	release(1, keeps);
}

static void test_a_context_may_end_before_its_copies(void)
{
	CUdeviceptr to = allocate(1, BYTES), from;
	CUcontext context;
	pthread_t thread;
	CUstream stream;

	cu_ok(cu(cuCtxCreate_v2)(&context, 0, 0));
	cu_ok(cu(cuMemAlloc_v2)(&from, BYTES));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	gate_close(stream);
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuMemcpyPeerAsync)(to, contexts[1], from, context, BYTES, stream));
	check(!pthread_create(&thread, NULL, opens_run, NULL));
	cu_ok(cu(cuCtxDestroy_v2)(context));
	check(!pthread_join(thread, NULL) && !atomic_load(&gate_late));
	fill(1, to, 6);
	holds(1, to, 6);
	release(1, to);
}

static void test_a_captured_stream_takes_none(void)
{
	CUdeviceptr from = allocate(0, BYTES), to = allocate(1, BYTES);
	CUstream stream, other;
	CUgraph graph;

	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&other, CU_STREAM_NON_BLOCKING));
	fill(0, from, 7);
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	for (int call = 0; call < CALLS; call++)
		cu_is(copy(call, 0, to, from, stream), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	cu_ok(copy(PEER, 0, to, from, other));
	cu_ok(cu(cuStreamSynchronize)(other));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphDestroy)(graph));
	holds(1, to, 7);
	current(0);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(other));
	release(0, from);
	release(1, to);
}

/* ---- for whoever counts, or kills ---- */

static void count(int n)
{
	CUdeviceptr from = allocate(0, BYTES), to = allocate(1, BYTES);
	CUstream stream;

	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < n; i++)
		cu_ok(copy(PEER, 0, to, from, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
}

static void dies(void)
{
	CUdeviceptr from = allocate(0, BYTES), to = allocate(1, BYTES);
	CUstream stream, other;
	char line[8];

	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&other, CU_STREAM_NON_BLOCKING));
	gate_close(stream);
	for (int i = 0; i < 4; i++)
		cu_ok(copy(i, 0, to, from, stream));
	cu_ok(cu(cuMemsetD8Async)(from, 8, BYTES, stream));
	puts("held");
	fflush(stdout);
	check(fgets(line, sizeof(line), stdin));
	atomic_store(&gate_open, true);
	cu_ok(cu(cuStreamSynchronize)(other)); /* of that one nothing has failed */
	check(cu(cuStreamSynchronize)(stream));
	for (int i = 0; i < 3; i++)
		check(cu(cuStreamSynchronize)(stream)); /* each failed by itself */
	cu_ok(cu(cuStreamSynchronize)(stream));
	holds(0, from, 8);
	cu_ok(cu(cuMemFree_v2)(from));
}

int main(int argc, char **argv)
{
	cu_ok(cu(cuInit)(0));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuDevicePrimaryCtxRetain)(&contexts[i], i));
	if (argc > 1) {
		argc > 2 ? count(atoi(argv[2])) : dies();
		return 0;
	}
	cu_run(test_a_call_returns_while_its_stream_is_held);
	cu_run(test_lines_go_where_they_belong);
	cu_run(test_a_copy_comes_after_what_was_done_there);
	cu_run(test_both_directions_go_on_at_once);
	cu_run(test_copies_that_wait_and_that_do_not_go_on_at_once);
	cu_run(test_what_a_copy_uses_may_end_before_it);
	cu_run(test_a_context_may_end_before_its_copies);
	cu_run(test_a_captured_stream_takes_none);
	return 0;
}
