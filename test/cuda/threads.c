/*
 * Copies whose stream is held until another thread of the program calls, or is about to get them while another one
 * waits, and calls that a thread makes when it ends.  threads entering: with a driver that takes its time
 * (late-driver.c).
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "cu.h"

static void nap_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static CUstream stream_create(unsigned int flags)
{
	CUstream stream;

	cu_ok(cu(cuStreamCreate)(&stream, flags));
	return stream;
}

/* -- copies that natively wait for a call of another thread -------------------------------------------------------- */

#define PATIENCE_S 120 /* a program that waits for itself is ended */

struct freeing {
	CUcontext context;
	CUstream stream;
	CUdeviceptr word;
};

static void *free_later(void *arg)
{
	const struct freeing *freeing = arg;
	cu_ok(cu(cuCtxSetCurrent)(freeing->context));
	nap_ms(20);
	cu_ok(cu(cuStreamWriteValue32_v2)(freeing->stream, freeing->word, 1, 0));
	return NULL;
}

static bool all_are(const unsigned char *bytes, size_t from, size_t to, unsigned char value)
{
	while (from < to && bytes[from] == value)
		from++;
	return from == to;
}

/* `held` waits for the word, and with it `stream`; a copy that waits is of the legacy stream.  What comes behind the
 * copy, and what the program does with its memory then, finds it made. */
static void copy_held(struct freeing *freeing, CUstream held, CUstream stream, size_t bytes, bool waits)
{
	unsigned char *from = malloc(bytes), *to = malloc(bytes);
	pthread_t thread;
	CUdeviceptr at;
	memset(from, 7, bytes);
	cu_ok(cu(cuMemAlloc_v2)(&at, bytes));
	cu_ok(cu(cuMemsetD8_v2)(at, 0, bytes));
	cu_ok(cu(cuMemsetD32_v2)(freeing->word, 0, 1));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuStreamWaitValue32_v2)(held, freeing->word, 1, CU_STREAM_WAIT_VALUE_EQ));
	check(!pthread_create(&thread, NULL, free_later, freeing));
	cu_ok(waits ? cu(cuMemcpyHtoD_v2)(at, from, bytes) : cu(cuMemcpyHtoDAsync_v2)(at, from, bytes, stream));
	memset(from, 9, bytes);
	cu_ok(cu(cuMemsetD8Async)(at, 8, 100, waits ? freeing->stream : stream));
	check(!pthread_join(thread, NULL));
	cu_ok(cu(cuStreamSynchronize)(waits ? freeing->stream : stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(to, at, bytes));
	check(all_are(to, 0, 100, 8) && all_are(to, 100, bytes, 7));
	cu_ok(cu(cuMemFree_v2)(at));
	free(from);
	free(to);
}

static void test_a_copy_that_is_held_is_freed_by_another_threads_call(void)
{
	static const size_t sizes[] = { 100, 20 << 10, 200 << 10, 1 << 20, (9 << 20) + 5 };
	CUstream alone = stream_create(CU_STREAM_NON_BLOCKING), blocking = stream_create(CU_STREAM_DEFAULT);
	struct freeing freeing = { .stream = stream_create(CU_STREAM_NON_BLOCKING) };
	CUresult r;
	cu_ok(cu(cuCtxGetCurrent)(&freeing.context));
	cu_ok(cu(cuMemAlloc_v2)(&freeing.word, 4));
	cu_ok(cu(cuMemsetD32_v2)(freeing.word, 1, 1));
	r = cu(cuStreamWaitValue32_v2)(alone, freeing.word, 1, CU_STREAM_WAIT_VALUE_EQ);
	if (r == CUDA_ERROR_NOT_SUPPORTED)
		return;
	cu_ok(r);
	alarm(PATIENCE_S);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		copy_held(&freeing, alone, alone, sizes[i], false);
		copy_held(&freeing, blocking, blocking, sizes[i], false);
		copy_held(&freeing, CU_STREAM_LEGACY, blocking, sizes[i], false); /* which is empty itself */
		copy_held(&freeing, CU_STREAM_LEGACY, CU_STREAM_LEGACY, sizes[i], true);
		copy_held(&freeing, blocking, CU_STREAM_LEGACY, sizes[i], true);
	}
	copy_held(&freeing, alone, alone, 70 << 20, false);
	alarm(0);
	cu_ok(cu(cuMemFree_v2)(freeing.word));
	cu_ok(cu(cuStreamDestroy_v2)(alone));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
	cu_ok(cu(cuStreamDestroy_v2)(freeing.stream));
}

/* The copy is behind a blocking stream's work, and the other stream follows neither. */
static void test_a_copy_that_waits_is_made_before_what_any_stream_is_given_then(void)
{
	enum { FILLS = 160, FILL_BYTES = 4 << 20, MOST = 200 << 10 };
	static const size_t sizes[] = { 100, 20 << 10, MOST };
	static unsigned char from[MOST], to[MOST];
	CUstream blocking = stream_create(CU_STREAM_DEFAULT), alone = stream_create(CU_STREAM_NON_BLOCKING);
	CUdeviceptr at, filled;
	memset(from, 7, MOST);
	cu_ok(cu(cuMemAlloc_v2)(&at, MOST));
	cu_ok(cu(cuMemAlloc_v2)(&filled, FILL_BYTES));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		cu_ok(cu(cuMemsetD8_v2)(at, 0, MOST));
		cu_ok(cu(cuCtxSynchronize)());
		for (int n = 0; n < FILLS; n++)
			cu_ok(cu(cuMemsetD8Async)(filled, (unsigned char)n, FILL_BYTES, blocking));
		cu_ok(cu(cuMemcpyHtoD_v2)(at, from, sizes[i]));
		cu_ok(cu(cuMemsetD8Async)(at, 8, 50, alone));
		cu_ok(cu(cuCtxSynchronize)());
		cu_ok(cu(cuMemcpyDtoH_v2)(to, at, sizes[i]));
		check(all_are(to, 0, 50, 8) && all_are(to, 50, sizes[i], 7));
	}
	cu_ok(cu(cuMemFree_v2)(filled));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuStreamDestroy_v2)(alone));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
}

/* -- copies that are asked for while another thread waits ---------------------------------------------------------- */

#define ENTERING_BYTES ((size_t)64 << 20)

struct entering {
	CUcontext context;
	CUstream stream;
	CUdeviceptr to;
	unsigned char *host;
};

/* Its memory is its own again once the stream is waited for. */
static void *copy_and_write(void *arg)
{
	const struct entering *entering = arg;
	cu_ok(cu(cuCtxSetCurrent)(entering->context));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(entering->to, entering->host, ENTERING_BYTES, entering->stream));
	cu_ok(cu(cuStreamSynchronize)(entering->stream));
	memset(entering->host + ENTERING_BYTES - 4096, 9, 4096);
	return NULL;
}

/* With a driver that takes its time until it has put the copy into its stream (late-driver.c). */
static void entering(CUcontext context)
{
	struct entering entering = { .context = context, .stream = stream_create(CU_STREAM_NON_BLOCKING) };
	CUstream other = stream_create(CU_STREAM_NON_BLOCKING), captured = stream_create(CU_STREAM_NON_BLOCKING);
	unsigned char *back = malloc(ENTERING_BYTES);
	pthread_t thread;
	CUgraph graph;
	cu_ok(cu(cuMemAlloc_v2)(&entering.to, ENTERING_BYTES));
	cu_ok(cu(cuMemAllocHost_v2)((void **)&entering.host, ENTERING_BYTES));
	memset(entering.host, 7, ENTERING_BYTES);
	cu_ok(cu(cuCtxSynchronize)());
	/* What is called meanwhile is asked for. */
	cu_ok(cu(cuStreamBeginCapture_v2)(captured, CU_STREAM_CAPTURE_MODE_RELAXED));
	check(!pthread_create(&thread, NULL, copy_and_write, &entering));
	nap_ms(100);
	cu_ok(cu(cuStreamEndCapture)(captured, &graph));
	cu_ok(cu(cuStreamSynchronize)(other)); /* nothing was given to it */
	check(!pthread_join(thread, NULL));
	cu_ok(cu(cuStreamSynchronize)(entering.stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, entering.to, ENTERING_BYTES));
	check(all_are(back, 0, ENTERING_BYTES, 7));
	free(back);
}

/* ---- a thread's last calls ---- */

static CUcontext one, two;
static CUdeviceptr in_two;
static uint32_t seen_last;

/* Made later than what the driver has for its threads, so called behind its destructor. */
static void thread_last(void *unused)
{
	CUcontext current;
	CUdeviceptr more;

	(void)unused;
	cu_ok(cu(cuCtxPushCurrent_v2)(two));
	cu_ok(cu(cuMemcpyDtoH_v2)(&seen_last, in_two, sizeof(seen_last)));
	cu_ok(cu(cuMemFree_v2)(in_two));
	cu_ok(cu(cuCtxPopCurrent_v2)(&current));
	check(current == two);
	cu_ok(cu(cuCtxGetCurrent)(&current));
	check(current == one);
	cu_ok(cu(cuMemAlloc_v2)(&more, 4096));
	cu_ok(cu(cuMemsetD32_v2)(more, 1, 1024));
	cu_ok(cu(cuMemFree_v2)(more));
}

static pthread_key_t last_key;

static void *thread_with_last_calls(void *has_key)
{
	CUcontext current;

	cu_ok(cu(cuCtxSetCurrent)(one));
	cu_ok(cu(cuCtxPushCurrent_v2)(two));
	cu_ok(cu(cuMemAlloc_v2)(&in_two, 4096));
	cu_ok(cu(cuMemsetD32_v2)(in_two, 77, 1024));
	cu_ok(cu(cuCtxPopCurrent_v2)(&current));
	if (has_key)
		pthread_setspecific(last_key, has_key);
	return NULL;
}

static void test_destructors_of_a_thread_may_call(void)
{
	cu_ok(cu(cuCtxGetCurrent)(&one));
	cu_ok(cu(cuCtxCreate_v2)(&two, 0, 0));
	cu_ok(cu(cuCtxSetCurrent)(one));
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		if (i == 1)
			check(!pthread_key_create(&last_key, thread_last));
		pthread_create(&thread, NULL, thread_with_last_calls, i ? &last_key : NULL);
		pthread_join(thread, NULL);
		check(!i || seen_last == 77);
		seen_last = 0;
	}
	cu_ok(cu(cuCtxDestroy_v2)(two));
}

int main(int argc, char **argv)
{
	CUcontext ctx = cu_begin();

	if (argc > 1 && !strcmp(argv[1], "entering")) {
		entering(ctx);
		return 0;
	}
	/* The first one: what waits for the program later has copies asked for. */
	cu_run(test_a_copy_that_waits_is_made_before_what_any_stream_is_given_then);
	cu_run(test_a_copy_that_is_held_is_freed_by_another_threads_call);
	cu_run(test_destructors_of_a_thread_may_call);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
