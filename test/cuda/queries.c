/* Programs that ask how far the device is, again and again: what they see, and what they must not. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "cu.h"

#define ASKS     300 /* more than a client may answer by itself without a look */
#define TRIES_MS 20000

static CUstream held, other;
static atomic_int gate;

static void CUDA_CB hold(void *user)
{
	(void)user;
	while (!atomic_load(&gate))
		cu_nap_ms(1);
}

static void stream_hold(void)
{
	atomic_store(&gate, 0);
	cu_ok(cu(cuLaunchHostFunc)(held, hold, NULL));
}

static void stream_let_go(void)
{
	atomic_store(&gate, 1);
}

static CUevent event_create(void)
{
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	return event;
}

/* Not ready is all that may be said before the end: it must come by itself. */
static CUresult event_end(CUevent event)
{
	CUresult result = cu(cuEventQuery)(event);

	for (int i = 0; result == CUDA_ERROR_NOT_READY && i < TRIES_MS; i++) {
		cu_nap_ms(1);
		result = cu(cuEventQuery)(event);
	}
	return result;
}

static CUresult stream_end(CUstream stream)
{
	CUresult result = cu(cuStreamQuery)(stream);

	for (int i = 0; result == CUDA_ERROR_NOT_READY && i < TRIES_MS; i++) {
		cu_nap_ms(1);
		result = cu(cuStreamQuery)(stream);
	}
	return result;
}

/* The client has learnt that somebody asks of this event. */
static CUevent event_asked_of(void)
{
	CUevent event = event_create();

	for (int i = 0; i < 3; i++) {
		stream_hold();
		cu_ok(cu(cuEventRecord)(event, held));
		cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
		stream_let_go();
		cu_ok(event_end(event));
	}
	return event;
}

static void test_an_event_is_ready_when_what_was_recorded_last_is(void)
{
	CUevent event = event_asked_of();

	for (int round = 0; round < 20; round++) {
		stream_hold();
		cu_ok(cu(cuEventRecord)(event, held));
		for (int i = 0; i < ASKS; i++)
			cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
		stream_let_go();
		cu_ok(event_end(event));
		cu_ok(cu(cuEventQuery)(event));
	}
	/* Recorded elsewhere meanwhile. */
	stream_hold();
	cu_ok(cu(cuEventRecord)(event, other));
	cu_ok(event_end(event));
	cu_ok(cu(cuEventRecord)(event, held));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
	cu_ok(cu(cuEventRecord)(event, other));
	cu_ok(event_end(event));
	stream_let_go();
	cu_ok(cu(cuStreamSynchronize)(held));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* Each event is asked of in one round only; many more than have words of their own are alive. */
static void test_events_of_one_use_are_ready_in_the_end(void)
{
	enum { EVENTS = 1500 };
	static CUevent events[EVENTS];

	for (int i = 0; i < EVENTS; i++) {
		events[i] = event_create();
		if (!(i % 100))
			stream_hold();
		cu_ok(cu(cuEventRecord)(events[i], held));
		if (!(i % 3))
			cu_is(cu(cuEventQuery)(events[i]), CUDA_ERROR_NOT_READY);
		if (i % 100 == 99) {
			stream_let_go();
			cu_ok(event_end(events[i]));
		}
	}
	for (int i = 0; i < EVENTS; i++) {
		cu_ok(cu(cuEventQuery)(events[i]));
		cu_ok(cu(cuEventDestroy_v2)(events[i]));
	}
}

static void test_a_stream_is_ready_when_all_of_it_has_ended(void)
{
	CUdeviceptr at;

	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	for (int round = 0; round < 10; round++) {
		stream_hold();
		for (int i = 0; i < ASKS; i++)
			cu_is(cu(cuStreamQuery)(held), CUDA_ERROR_NOT_READY);
		cu_ok(cu(cuStreamQuery)(other));
		stream_let_go();
		cu_ok(stream_end(held));
		cu_ok(cu(cuStreamQuery)(held));
		/* What comes behind the last answer counts, too. */
		stream_hold();
		cu_ok(cu(cuMemsetD8Async)(at, 1, 4096, held));
		cu_is(cu(cuStreamQuery)(held), CUDA_ERROR_NOT_READY);
		cu_is(cu(cuStreamQuery)(held), CUDA_ERROR_NOT_READY);
		stream_let_go();
		cu_ok(stream_end(held));
	}
	cu_ok(cu(cuMemFree_v2)(at));
}

/* Who has heard, in whatever way, that the end of something has come is not told that it has not. */
static void CUDA_CB say(void *user)
{
	atomic_store((atomic_int *)user, 1);
}

static void test_nobody_hears_not_ready_of_what_he_knows_has_ended(void)
{
	CUevent event = event_asked_of(), behind = event_asked_of();
	CUdeviceptr at;
	atomic_int said;

	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	for (int round = 0; round < 200; round++) {
		atomic_store(&said, 0);
		cu_ok(cu(cuMemsetD8Async)(at, 1, 4096, held));
		cu_ok(cu(cuEventRecord)(event, held));
		cu_ok(cu(cuStreamWaitEvent)(other, event, 0));
		switch (round % 5) {
		case 0:
			cu_ok(cu(cuStreamSynchronize)(held));
			break;
		case 1:
			cu_ok(cu(cuEventSynchronize)(event));
			break;
		case 2:
			cu_ok(cu(cuLaunchHostFunc)(other, say, &said));
			while (!atomic_load(&said))
				cu_nap_ms(0);
			break;
		case 3:
			cu_ok(cu(cuEventRecord)(behind, other));
			cu_ok(event_end(behind));
			break;
		default:
			cu_ok(cu(cuMemsetD8Async)(at, 1, 4096, other));
			cu_ok(stream_end(other));
		}
		cu_ok(cu(cuEventQuery)(event));
		cu_ok(stream_end(other));
		cu_ok(stream_end(held));
	}
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuEventDestroy_v2)(behind));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* Another thread asks while this one records. */
static void *ask_on(void *arg)
{
	CUevent event = arg;
	CUcontext context;

	(void)cu(cuDevicePrimaryCtxRetain)(&context, 0);
	cu_ok(cu(cuCtxSetCurrent)(context));
	while (atomic_load(&gate) != 2) {
		CUresult result = cu(cuEventQuery)(event);

		check(!result || result == CUDA_ERROR_NOT_READY);
	}
	(void)cu(cuDevicePrimaryCtxRelease)(0);
	return NULL;
}

static void test_a_thread_asks_while_another_records(void)
{
	CUcontext kept, primary;
	pthread_t thread;
	CUstream stream;
	CUevent event;

	cu_ok(cu(cuCtxGetCurrent)(&kept));
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&primary, 0));
	cu_ok(cu(cuCtxSetCurrent)(primary));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	event = event_create();
	atomic_store(&gate, 1);
	check(!pthread_create(&thread, NULL, ask_on, event));
	for (int i = 0; i < 2000; i++)
		cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(event_end(event));
	atomic_store(&gate, 2);
	pthread_join(thread, NULL);
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuDevicePrimaryCtxRelease)(0));
	cu_ok(cu(cuCtxSetCurrent)(kept));
}

/* Nobody but the graph records it then. */
static void test_an_event_that_a_graph_records_is_not_ready_before_it(void)
{
	CUevent event = event_asked_of();
	CUgraphExec exec;
	CUgraphNode node;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddEventRecordNode)(&node, graph, NULL, 0, event));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuEventRecord)(event, other));
		cu_ok(event_end(event));
		stream_hold();
		cu_ok(cu(cuGraphLaunch)(exec, held));
		cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
		stream_let_go();
		cu_ok(event_end(event));
		cu_ok(cu(cuStreamSynchronize)(held));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

static void test_an_event_of_a_capture_is_none_to_ask_of(void)
{
	CUevent event = event_asked_of();
	CUgraph graph;

	cu_ok(cu(cuEventRecord)(event, other));
	cu_ok(event_end(event));
	cu_ok(cu(cuStreamBeginCapture_v2)(held, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuEventRecord)(event, held));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_CAPTURED_EVENT);
	cu_is(cu(cuStreamEndCapture)(held, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED); /* by the question */
	cu_ok(cu(cuEventRecord)(event, other));
	cu_ok(event_end(event));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* Whoever sees that it is ready has the bytes. */
static void test_what_was_copied_ahead_of_an_event_is_there(void)
{
	enum { WORDS = 16384 };
	CUevent event = event_asked_of();
	CUdeviceptr at;
	uint32_t *host;

	cu_ok(cu(cuMemAlloc_v2)(&at, WORDS * 4));
	cu_ok(cu(cuMemHostAlloc)((void **)&host, WORDS * 4, 0));
	for (uint32_t round = 1; round < 100; round++) {
		cu_ok(cu(cuMemsetD32Async)(at, round, WORDS, held));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, at, WORDS * 4, held));
		cu_ok(cu(cuEventRecord)(event, held));
		while (cu(cuEventQuery)(event) == CUDA_ERROR_NOT_READY)
			;
		check(host[0] == round && host[WORDS / 2] == round && host[WORDS - 1] == round);
	}
	cu_ok(cu(cuMemFreeHost)(host));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* The words are registered in one context: others go on when that has ended. */
static void test_a_context_ends_and_another_asks_on(void)
{
	CUcontext first, second;
	CUevent event;

	cu_ok(cu(cuCtxGetCurrent)(&first));
	event = event_asked_of();
	cu_ok(cu(cuCtxCreate_v2)(&second, 0, 0));
	cu_ok(cu(cuCtxDestroy_v2)(first));
	cu_ok(cu(cuStreamCreate)(&held, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 3; i++) {
		event = event_asked_of();
		cu_ok(cu(cuEventRecord)(event, held));
		cu_ok(event_end(event));
	}
}

/* Return: an event behind a kernel that will fail once the stream is let go. */
static CUevent event_that_will_fail(void)
{
	unsigned long long argument = 0;
	void *params[] = { &argument, &argument };
	char *text = cu_ptx("kernels.ptx");
	CUmodule module;
	CUevent event;

	cu_ok(cu(cuModuleLoadData)(&module, text));
	event = event_asked_of();
	stream_hold();
	cu_ok(cu(cuLaunchKernel)(cu_function(module, "store"), 1, 1, 1, 32, 1, 1, 0, held, params, NULL));
	cu_ok(cu(cuEventRecord)(event, held));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
	free(text);
	return event;
}

/* The error comes to whoever only asks. */
static void test_a_kernel_that_fails_is_heard_of(void)
{
	CUevent event = event_that_will_fail();

	stream_let_go();
	cu_is(event_end(event), CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* ---- many ask at the moment when it fails: none hears that all has gone well ---- */

static CUcontext failing;
static CUevent failing_event;
static atomic_int asking;

static void *ask_until_it_fails(void *of_event)
{
	CUresult result;

	cu_ok(cu(cuCtxSetCurrent)(failing));
	atomic_fetch_add(&asking, 1);
	do
		result = of_event ? cu(cuEventQuery)(failing_event) : cu(cuStreamQuery)(held);
	while (result == CUDA_ERROR_NOT_READY);
	cu_is(result, CUDA_ERROR_ILLEGAL_ADDRESS);
	return NULL;
}

static void fail_while_many_ask(void *unused)
{
	enum { ASKERS = 8 };
	pthread_t askers[ASKERS];

	(void)unused;
	failing = cu_begin();
	cu_ok(cu(cuStreamCreate)(&held, CU_STREAM_NON_BLOCKING));
	failing_event = event_that_will_fail();
	for (size_t i = 0; i < ASKERS; i++)
		check(!pthread_create(&askers[i], NULL, ask_until_it_fails, (void *)(i % 2)));
	while (atomic_load(&asking) < ASKERS)
		cu_nap_ms(1);
	stream_let_go();
	for (int i = 0; i < ASKERS; i++)
		check(!pthread_join(askers[i], NULL));
}

/* Each in a process of its own, for what a kernel breaks stays broken. */
static void test_nobody_hears_that_a_kernel_that_fails_has_ended_well(void)
{
	int status = 0;

	for (int i = 0; i < 20 && !status; i++)
		status = cu_child(fail_while_many_ask, NULL);
	if (status == CU_SKIP)
		exit(CU_SKIP);
	check(!status);
}

/* ---- one thread asks, another ends what it asks of: the handle is told to be none at the worst ---- */

static _Atomic(CUevent) passing_event;
static _Atomic(CUstream) passing_stream;
static atomic_bool passing_over;

static void *ask_of_what_passes(void *context)
{
	cu_ok(cu(cuCtxSetCurrent)(context));
	while (!atomic_load(&passing_over)) {
		CUresult results[] = { cu(cuEventQuery)(atomic_load(&passing_event)),
				       cu(cuStreamQuery)(atomic_load(&passing_stream)) };

		for (int i = 0; i < 2; i++)
			if (results[i] != CUDA_ERROR_NOT_READY && results[i] != CUDA_ERROR_INVALID_HANDLE)
				cu_ok(results[i]);
	}
	return NULL;
}

static void test_what_ends_while_somebody_asks_of_it_harms_nobody(void)
{
	enum { ASKERS = 3, ENDS = 3000 };
	pthread_t askers[ASKERS];
	CUcontext context;
	CUstream first;

	cu_ok(cu(cuCtxGetCurrent)(&context));
	atomic_store(&passing_event, event_create());
	cu_ok(cu(cuStreamCreate)(&first, CU_STREAM_NON_BLOCKING));
	atomic_store(&passing_stream, first);
	for (int i = 0; i < ASKERS; i++)
		pthread_create(&askers[i], NULL, ask_of_what_passes, context);
	for (int i = 0; i < ENDS; i++) {
		CUevent event = atomic_load(&passing_event), next = event_create();

		cu_ok(cu(cuEventRecord)(event, NULL));
		if (i % 2)
			cu_ok(cu(cuEventRecord)(next, NULL));
		cu_ok(cu(cuEventDestroy_v2)(event));
		atomic_store(&passing_event, next);
		if (i % 16 == 0) {
			CUstream stream = atomic_load(&passing_stream), after;

			cu_ok(cu(cuStreamCreate)(&after, CU_STREAM_NON_BLOCKING));
			cu_ok(cu(cuStreamDestroy_v2)(stream));
			atomic_store(&passing_stream, after);
		}
	}
	atomic_store(&passing_over, true);
	for (int i = 0; i < ASKERS; i++)
		pthread_join(askers[i], NULL);
	cu_ok(cu(cuEventDestroy_v2)(atomic_load(&passing_event)));
	cu_ok(cu(cuStreamDestroy_v2)(atomic_load(&passing_stream)));
}

int main(int argc, char **argv)
{
	if (argc == 1)
		cu_run(test_nobody_hears_that_a_kernel_that_fails_has_ended_well);
	(void)cu_begin();
	if (argc > 1 && !strcmp(argv[1], "passing")) { /* more than drivers promise */
		test_what_ends_while_somebody_asks_of_it_harms_nobody();
		return 0;
	}
	cu_ok(cu(cuStreamCreate)(&held, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&other, CU_STREAM_NON_BLOCKING));
	cu_run(test_an_event_is_ready_when_what_was_recorded_last_is);
	cu_run(test_events_of_one_use_are_ready_in_the_end);
	cu_run(test_a_stream_is_ready_when_all_of_it_has_ended);
	cu_run(test_nobody_hears_not_ready_of_what_he_knows_has_ended);
	cu_run(test_a_thread_asks_while_another_records);
	cu_run(test_an_event_that_a_graph_records_is_not_ready_before_it);
	cu_run(test_an_event_of_a_capture_is_none_to_ask_of);
	cu_run(test_what_was_copied_ahead_of_an_event_is_there);
	cu_run(test_a_context_ends_and_another_asks_on);
	cu_run(test_a_kernel_that_fails_is_heard_of);
	return 0;
}
