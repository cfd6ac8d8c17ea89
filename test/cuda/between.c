/*
 * Copies between devices of two servers.  `cuda-between BYTES`: large ones, checked at few places so that what the
 * client itself sends and takes stays small; then what a copy comes after and before.
 * test/integration/test_between.py gives it two servers and counts.
 */
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

#include "cu.h"

static CUcontext contexts[2];
static size_t bytes;

static void current(int device)
{
	cu_ok(cu(cuCtxSetCurrent)(contexts[device]));
}

static CUdeviceptr allocate(int device)
{
	CUdeviceptr at;

	current(device);
	cu_ok(cu(cuMemAlloc_v2)(&at, bytes));
	return at;
}

/* A word for each part, and others at both ends. */
#define PARTS 16u

static size_t part_at(unsigned part)
{
	return bytes / 4 * part / PARTS * 4;
}

static void fill(CUdeviceptr at, uint32_t seed)
{
	for (unsigned i = 0; i < PARTS; i++)
		cu_ok(cu(cuMemsetD32_v2)(at + part_at(i), seed + i, (part_at(i + 1) - part_at(i)) / 4));
	cu_ok(cu(cuMemsetD8_v2)(at, (uint8_t)seed, 1));
	cu_ok(cu(cuMemsetD8_v2)(at + bytes - 1, (uint8_t)(seed + 1), 1));
}

static void word_is(CUdeviceptr at, uint32_t want)
{
	uint32_t got = ~want;

	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, sizeof(got)));
	if (got != want)
		fprintf(stderr, "%#llx has %#x, not %#x\n", (unsigned long long)at, got, want);
	check(got == want);
}

static void holds(int device, CUdeviceptr at, uint32_t seed)
{
	uint8_t end[2];

	current(device);
	for (unsigned i = 0; i < PARTS; i++) {
		if (i)
			word_is(at + part_at(i), seed + i);
		word_is(at + part_at(i + 1) - 8, seed + i);
	}
	cu_ok(cu(cuMemcpyDtoH_v2)(&end[0], at, 1));
	cu_ok(cu(cuMemcpyDtoH_v2)(&end[1], at + bytes - 1, 1));
	check(end[0] == (uint8_t)seed && end[1] == (uint8_t)(seed + 1));
}

static void test_large_copies_both_ways(void)
{
	CUdeviceptr a = allocate(0), b = allocate(1);

	current(0);
	fill(a, 0x1000);
	cu_ok(cu(cuMemcpyPeer)(b, contexts[1], a, contexts[0], bytes));
	holds(1, b, 0x1000);
	fill(b, 0x2000);
	cu_ok(cu(cuMemcpyPeer)(a, contexts[0], b, contexts[1], bytes));
	holds(0, a, 0x2000);
	fill(a, 0x3000);
	cu_ok(cu(cuMemcpyDtoD_v2)(b, a, bytes));
	holds(1, b, 0x3000);
	fill(b, 0x4000);
	cu_ok(cu(cuMemcpyAsync)(a, b, bytes, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL)); /* b's: that one is current */
	holds(0, a, 0x4000);
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuMemFree_v2)(b));
}

static void CUDA_CB dawdle(void *user)
{
	(void)user;
	usleep(30000);
}

/* In a stream of either server: after what it holds, before what comes then. */
static void test_a_stream_keeps_its_order(void)
{
	for (int device = 0; device < 2; device++) {
		CUdeviceptr from = allocate(device), to = allocate(!device);
		CUstream stream;

		current(!device);
		cu_ok(cu(cuMemsetD8_v2)(to, 1, bytes));
		cu_ok(cu(cuCtxSynchronize)());
		current(device);
		cu_ok(cu(cuMemsetD8_v2)(from, 2, bytes));
		cu_ok(cu(cuCtxSynchronize)());
		cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
		cu_ok(cu(cuLaunchHostFunc)(stream, dawdle, NULL));
		cu_ok(cu(cuMemsetD8Async)(from, 3, bytes, stream));
		cu_ok(cu(cuMemcpyPeerAsync)(to, contexts[!device], from, contexts[device], bytes, stream));
		cu_ok(cu(cuMemsetD8Async)(from, 4, bytes, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		current(!device);
		word_is(to, 0x03030303);
		word_is(to + (bytes - 4) / 4 * 4, 0x03030303);
		current(device);
		word_is(from, 0x04040404);
		cu_ok(cu(cuStreamDestroy_v2)(stream));
		cu_ok(cu(cuMemFree_v2)(from));
		cu_ok(cu(cuMemFree_v2)(to));
	}
}

/* cuMemcpyPeer() waits for all streams of both contexts, cuMemcpyDtoD() for those that the default stream waits for. */
static void test_a_copy_that_waits_comes_after_the_contexts(void)
{
	CUdeviceptr from = allocate(0), to = allocate(1);

	for (int device = 0; device < 2; device++) {
		for (int free = 0; free < 2; free++) {
			CUstream stream;

			current(device);
			cu_ok(cu(cuStreamCreate)(&stream, free ? CU_STREAM_NON_BLOCKING : CU_STREAM_DEFAULT));
			current(0);
			cu_ok(cu(cuMemsetD8_v2)(from, 5, bytes));
			cu_ok(cu(cuCtxSynchronize)());
			current(device);
			cu_ok(cu(cuLaunchHostFunc)(stream, dawdle, NULL));
			cu_ok(cu(cuMemsetD8Async)(device ? to : from, 6, bytes, stream));
			if (free)
				cu_ok(cu(cuMemcpyPeer)(to, contexts[1], from, contexts[0], bytes));
			else
				cu_ok(cu(cuMemcpyDtoD_v2)(to, from, bytes));
			current(1);
			word_is(to, device ? 0x05050505 : 0x06060606);
			current(device);
			cu_ok(cu(cuStreamDestroy_v2)(stream));
		}
	}
	cu_ok(cu(cuMemFree_v2)(from));
	cu_ok(cu(cuMemFree_v2)(to));
}

/* Many at one time, each thread with memory of its own, in both directions. */
#define THREADS 4
#define TIMES   12

static void *thread_run(void *arg)
{
	int device = (int)(intptr_t)arg % 2;
	CUdeviceptr from = allocate(device), to = allocate(!device);

	for (uint32_t i = 0; i < TIMES; i++) {
		size_t part = bytes / (i + 1) + i;

		part = part < bytes ? part : bytes;
		current(device);
		cu_ok(cu(cuMemsetD8_v2)(from, (uint8_t)(i + 1), bytes));
		cu_ok(cu(cuMemcpyPeer)(to, contexts[!device], from, contexts[device], part));
		current(!device);
		word_is(to + (part - 4) / 4 * 4, 0x01010101u * (i + 1));
	}
	current(device);
	cu_ok(cu(cuMemFree_v2)(from));
	cu_ok(cu(cuMemFree_v2)(to));
	return NULL;
}

static void test_threads_copy_at_one_time(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&threads[i], NULL, thread_run, (void *)(intptr_t)i));
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL));
}

static void word_copied(CUcontext to_context, CUdeviceptr to, CUcontext from_context, CUdeviceptr from, uint32_t word)
{
	uint32_t got = ~word;

	cu_ok(cu(cuCtxSetCurrent)(from_context));
	cu_ok(cu(cuMemsetD32_v2)(from, word, 1));
	cu_ok(cu(cuMemcpyPeer)(to, to_context, from, from_context, sizeof(word)));
	cu_ok(cu(cuCtxSetCurrent)(to_context));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, to, sizeof(got)));
	check(got == word);
}

/* More of them than the servers keep anything for: some at one time, others one after the other. */
#define CONTEXTS 11

static void test_contexts_come_and_go_between_copies(void)
{
	CUcontext made[CONTEXTS];
	CUdeviceptr from = allocate(0), to[CONTEXTS];

	for (uint32_t i = 0; i < CONTEXTS; i++) {
		cu_ok(cu(cuCtxCreate_v2)(&made[i], 0, 1));
		cu_ok(cu(cuMemAlloc_v2)(&to[i], 4096));
		word_copied(made[i], to[i], contexts[0], from, i + 1);
	}
	for (uint32_t i = 0; i < 3 * CONTEXTS; i++)
		word_copied(made[i % CONTEXTS], to[i % CONTEXTS], contexts[0], from, i + 100);
	for (uint32_t i = 0; i < CONTEXTS; i++)
		cu_ok(cu(cuCtxDestroy_v2)(made[i]));
	for (uint32_t i = 0; i < CONTEXTS; i++) {
		cu_ok(cu(cuCtxCreate_v2)(&made[0], 0, 1));
		cu_ok(cu(cuMemAlloc_v2)(&to[0], 4096));
		word_copied(made[0], to[0], contexts[0], from, i + 200);
		word_copied(contexts[0], from, made[0], to[0], i + 300);
		cu_ok(cu(cuCtxDestroy_v2)(made[0]));
	}
	cu_ok(cu(cuDevicePrimaryCtxReset_v2)(1));
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&contexts[1], 1));
	to[0] = allocate(1);
	word_copied(contexts[1], to[0], contexts[0], from, 400);
	cu_ok(cu(cuMemFree_v2)(to[0]));
	current(0);
	cu_ok(cu(cuMemFree_v2)(from));
}

/* What the program captures meanwhile is no affair of a copy's; nor does it come into the capture. */
static void test_a_capture_goes_on_beside_copies(void)
{
	CUdeviceptr from = allocate(0), to = allocate(1), own = allocate(0);
	CUstream stream;
	CUgraph graph;
	size_t nodes = 0;

	word_copied(contexts[1], to, contexts[0], from, 1);
	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemsetD8Async)(own, 1, 64, stream));
	cu_ok(cu(cuMemcpyPeerAsync)(to, contexts[1], from, contexts[0], 4, CU_STREAM_PER_THREAD));
	cu_ok(cu(cuStreamSynchronize)(CU_STREAM_PER_THREAD));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &nodes));
	check(nodes == 1);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(own));
	cu_ok(cu(cuMemFree_v2)(from));
	cu_ok(cu(cuMemFree_v2)(to));
}

static void test_what_is_wrong_is_the_drivers_to_say(void)
{
	CUdeviceptr a = allocate(0), b = allocate(1);
	int value = 7;

	current(0);
	cu_is(cu(cuMemcpyPeer)(b, contexts[1], a, contexts[0], bytes + (8u << 20)), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpyDtoD_v2)(b + bytes - 4, a, 64u << 20), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemcpyPeer)(b, contexts[1], a, contexts[0], 0));
	cu_ok(cu(cuMemcpyPeer)(b, contexts[1], a, contexts[0], 1));
	cu_ok(cu(cuDeviceCanAccessPeer)(&value, 0, 1));
	check(!value);
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuMemFree_v2)(b));
}

int main(int argc, char **argv)
{
	bytes = argc > 1 ? strtoull(argv[1], NULL, 0) : (5u << 20) + 3;
	cu_ok(cu(cuInit)(0));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuDevicePrimaryCtxRetain)(&contexts[i], i));
	if (argc > 3 && !strcmp(argv[2], "small")) { /* for counting */
		CUdeviceptr from = allocate(0), to = allocate(1);

		for (int i = 0; i < atoi(argv[3]); i++)
			word_copied(contexts[1], to, contexts[0], from, (uint32_t)i);
		return 0;
	}
	cu_run(test_large_copies_both_ways);
	bytes = bytes < (5u << 20) + 3 ? bytes : (5u << 20) + 3;
	cu_run(test_a_stream_keeps_its_order);
	cu_run(test_a_copy_that_waits_comes_after_the_contexts);
	cu_run(test_threads_copy_at_one_time);
	cu_run(test_contexts_come_and_go_between_copies);
	cu_run(test_a_capture_goes_on_beside_copies);
	cu_run(test_what_is_wrong_is_the_drivers_to_say);
	return 0;
}
