/*
 * Copies while nothing is under way, and while something is: over shared memory the program's own thread makes the
 * former.  Prints what it saw, which is the same natively and over any link.  direct steady|many|later|idle|busy|prints
 * COUNT: loops whose round trips are counted, or lines compared, from outside.
 */
#include <pthread.h>

#include "cu.h"

#define BYTES  ((size_t)1 << 20)
#define FLOATS ((int)(BYTES / sizeof(float)))
#define LARGE  ((size_t)5 << 18) /* with all that is added, still one that lies in shared memory */
#define PIECES 8

static CUfunction add, count_up, print;
static CUstream stream, other;
static CUdeviceptr a, b;
static float *host, *pinned;

static float sum_of(const float *at)
{
	float sum = 0;

	for (int i = 0; i < FLOATS; i++)
		sum += at[i];
	return sum;
}

static void fill(float *at, float value)
{
	for (int i = 0; i < FLOATS; i++)
		at[i] = value;
}

/* b += a, so often; it takes a while. */
static void add_up(CUstream in, int times)
{
	int n = FLOATS;
	void *params[] = { &a, &b, &b, &n };

	for (int i = 0; i < times; i++)
		cu_ok(cu(cuLaunchKernel)(add, (unsigned)n / 256, 1, 1, 256, 1, 1, 0, in, params, NULL));
}

static void begin_with(float first, float second)
{
	fill(host, first);
	cu_ok(cu(cuMemcpyHtoD_v2)(a, host, BYTES));
	fill(host, second);
	cu_ok(cu(cuMemcpyHtoD_v2)(b, host, BYTES));
	cu_ok(cu(cuCtxSynchronize)());
}

static void test_a_copy_comes_behind_what_is_under_way(void)
{
	begin_with(1, 0);
	add_up(stream, 20);
	cu_ok(cu(cuMemcpyDtoH_v2)(host, b, BYTES));
	printf("read behind kernels: %.0f\n", sum_of(host) / FLOATS);
	begin_with(2, 0);
	add_up(stream, 20);
	fill(host, 100);
	cu_ok(cu(cuMemcpyHtoD_v2)(a, host, BYTES));
	add_up(NULL, 1);
	cu_ok(cu(cuMemcpyDtoH_v2)(host, b, BYTES));
	printf("written behind kernels: %.0f\n", sum_of(host) / FLOATS);
}

static void test_copies_in_a_stream_keep_its_order(void)
{
	begin_with(1, 0);
	fill(pinned, 3);
	add_up(stream, 5);
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(a, pinned, BYTES, stream));
	add_up(stream, 5);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, b, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	printf("in a stream: %.0f\n", sum_of(pinned) / FLOATS);
	add_up(stream, 5);
	cu_ok(cu(cuStreamSynchronize)(other)); /* says nothing of `stream` */
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, b, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	printf("in a stream, another was waited for: %.0f\n", sum_of(pinned) / FLOATS);
}

static void test_a_stream_that_waits_for_nobody_is_not_idle(void)
{
	begin_with(1, 0);
	add_up(other, 10);
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, b, BYTES, other));
	cu_ok(cu(cuStreamSynchronize)(other));
	printf("in a stream of its own: %.0f\n", sum_of(pinned) / FLOATS);
}

static void test_fills_and_copies_between_are_seen(void)
{
	begin_with(1, 0);
	cu_ok(cu(cuMemsetD32_v2)(a, 0x40000000, (size_t)FLOATS));
	cu_ok(cu(cuMemcpyDtoD_v2)(b + BYTES / 2, a, BYTES / 2));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, b, BYTES));
	printf("fill and copy: %.1f\n", sum_of(host) / FLOATS);
}

static void test_ranges_end_where_the_memory_ends(void)
{
	CUdeviceptr odd;
	char bytes[16] = "fifteen letters";

	cu_ok(cu(cuMemAlloc_v2)(&odd, 70001));
	cu_ok(cu(cuMemcpyHtoD_v2)(odd + 70001 - 16, bytes, 16));
	memset(bytes, 0, sizeof(bytes));
	cu_ok(cu(cuMemcpyDtoH_v2)(bytes, odd + 70001 - 16, 16));
	printf("the end: %s\n", bytes);
	cu_is(cu(cuMemcpyHtoD_v2)(odd + 70001 - 15, bytes, 16), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuMemcpyDtoH_v2)(bytes, odd + 70001 - 15, 16), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFree_v2)(odd));
	cu_is(cu(cuMemcpyDtoH_v2)(bytes, odd, 16), CUDA_ERROR_INVALID_VALUE);
}

static void test_pieces_keep_apart(void)
{
	CUdeviceptr piece[PIECES];
	uint32_t value, sum = 0;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < PIECES; i++) {
			cu_ok(cu(cuMemAlloc_v2)(&piece[i], 65536u * (unsigned)(i + 1)));
			cu_ok(cu(cuMemsetD32_v2)(piece[i], (unsigned)(round * PIECES + i), 16384u * (unsigned)(i + 1)));
		}
		cu_ok(cu(cuCtxSynchronize)());
		for (int i = 0; i < PIECES; i++) {
			cu_ok(cu(cuMemcpyDtoH_v2)(&value, piece[i] + 65536u * (unsigned)(i + 1) - 4, 4));
			check(value == (unsigned)(round * PIECES + i));
			value += 1000;
			cu_ok(cu(cuMemcpyHtoD_v2)(piece[i], &value, 4));
		}
		for (int i = 0; i < PIECES; i++) {
			void *params[] = { &piece[i] };

			cu_ok(cu(cuLaunchKernel)(count_up, 1, 1, 1, 32, 1, 1, 0, stream, params, NULL));
			cu_ok(cu(cuMemcpyDtoH_v2)(&value, piece[i], 4));
			sum += value;
			cu_ok(cu(cuMemFree_v2)(piece[i]));
		}
	}
	printf("pieces: %u\n", sum);
}

/* Pinned memory has what was copied when the stream, or an event behind the copy, is said to have come there. */
static void test_copies_that_come_later_are_there_when_they_are_waited_for(void)
{
	CUevent event;
	int ready = 0;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	for (int how = 0; how < 5; how++) {
		begin_with(1, 0);
		fill(pinned, -1);
		add_up(stream, 10 + how);
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, b, BYTES, stream));
		cu_ok(cu(cuEventRecord)(event, stream));
		if (how == 0)
			cu_ok(cu(cuEventSynchronize)(event));
		while (how == 1 && cu(cuEventQuery)(event))
			;
		while (how == 2 && cu(cuStreamQuery)(stream))
			;
		if (how == 3) {
			cu_ok(cu(cuStreamWaitEvent)(other, event, 0));
			cu_ok(cu(cuStreamSynchronize)(other));
		}
		if (how == 4)
			cu_ok(cu(cuMemcpyDtoH_v2)(host, a, 4));
		ready += (int)(sum_of(pinned) / FLOATS);
	}
	cu_ok(cu(cuEventDestroy_v2)(event));
	printf("later: %d\n", ready);
}

static void test_more_copies_under_way_than_are_kept(void)
{
	size_t piece = BYTES / 128;
	float sum = 0;

	begin_with(1, 0);
	fill(pinned, -1);
	add_up(stream, 3);
	for (size_t i = 0; i < 128; i++)
		cu_ok(cu(cuMemcpyDtoHAsync_v2)((char *)pinned + i * piece, b + (127 - i) * piece, piece, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	sum = sum_of(pinned);
	printf("many pieces: %.0f\n", sum / FLOATS);
}

/* What the copy goes to is given back while it is under way. */
static void test_memory_that_goes_while_a_copy_comes(void)
{
	void *given, *own = aligned_alloc(4096, BYTES);

	for (int i = 0; i < 3; i++) {
		begin_with(1, 0);
		cu_ok(cu(cuMemAllocHost_v2)(&given, BYTES));
		cu_ok(cu(cuMemHostRegister_v2)(own, BYTES, 0));
		add_up(stream, 10);
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(given, b, BYTES, stream));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(own, b, BYTES, stream));
		cu_ok(cu(cuMemFreeHost)(given));
		cu_ok(cu(cuMemHostUnregister)(own));
		memset(own, 0, BYTES);
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(((float *)own)[0] == 0);
	}
	free(own);
	printf("memory that goes: as if nothing were\n");
}

static void test_a_context_that_goes_while_a_copy_comes(void)
{
	CUcontext first, second;
	CUdeviceptr there;
	void *given;

	cu_ok(cu(cuCtxGetCurrent)(&first));
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuCtxCreate_v2)(&second, 0, 0));
		cu_ok(cu(cuMemAlloc_v2)(&there, BYTES));
		cu_ok(cu(cuMemAllocHost_v2)(&given, BYTES));
		cu_ok(cu(cuMemsetD32Async)(there, 7, BYTES / 4, NULL));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(given, there, BYTES, NULL));
		cu_ok(cu(cuCtxDestroy_v2)(second));
		cu_ok(cu(cuCtxSetCurrent)(first));
	}
	begin_with(3, 4);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, b, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	printf("a context that goes: %.0f\n", sum_of(pinned) / FLOATS);
}

struct worker {
	CUcontext ctx;
	pthread_t thread;
	float value;
	int wrong;
};

/* Its own memory and stream, again and again: whether anything is under way is the others' affair. */
static void *copies_run(void *arg)
{
	struct worker *worker = arg;
	float *there = malloc(BYTES), *back = malloc(BYTES);
	CUdeviceptr at;
	CUstream own;

	cu_ok(cu(cuCtxSetCurrent)(worker->ctx));
	cu_ok(cu(cuStreamCreate)(&own, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&at, BYTES));
	for (int i = 0; i < 30; i++) {
		int n = FLOATS;
		void *params[] = { &at, &at, &at, &n };

		fill(there, worker->value + (float)i);
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(at, there, BYTES, own));
		if (i % 2)
			cu_ok(cu(cuLaunchKernel)(add, (unsigned)n / 256, 1, 1, 256, 1, 1, 0, own, params, NULL));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(back, at, BYTES, own));
		cu_ok(cu(cuStreamSynchronize)(own));
		for (int k = 0; k < FLOATS; k++)
			worker->wrong += back[k] != (worker->value + (float)i) * (i % 2 ? 2 : 1);
	}
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuStreamDestroy_v2)(own));
	free(there);
	free(back);
	return NULL;
}

static void test_copies_of_several_threads_keep_apart(void)
{
	struct worker workers[3] = { { .value = 100 }, { .value = 200 }, { .value = 300 } };

	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuCtxGetCurrent)(&workers[i].ctx));
		check(!pthread_create(&workers[i].thread, NULL, copies_run, &workers[i]));
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(workers[i].thread, NULL);
		printf("thread %d: %d wrong\n", i, workers[i].wrong);
	}
}

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	int copied, added;
	CUcontext ctx;
} relay = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, NULL };

static void relay_until(const int *count, int value)
{
	pthread_mutex_lock(&relay.lock);
	while (*count < value)
		pthread_cond_wait(&relay.more, &relay.lock);
	pthread_mutex_unlock(&relay.lock);
}

static void relay_on(int *count)
{
	pthread_mutex_lock(&relay.lock);
	++*count;
	pthread_cond_broadcast(&relay.more);
	pthread_mutex_unlock(&relay.lock);
}

static void *relay_run(void *unused)
{
	(void)unused;
	cu_ok(cu(cuCtxSetCurrent)(relay.ctx));
	for (int i = 1; i <= 20; i++) {
		relay_until(&relay.copied, i);
		add_up(stream, 1); /* it follows the default stream's copy */
		cu_ok(cu(cuStreamSynchronize)(stream));
		relay_on(&relay.added);
	}
	return NULL;
}

/* The bytes may be on their way yet when the call that copies returns. */
static void test_a_kernel_of_another_thread_comes_behind_a_copy(void)
{
	pthread_t thread;

	cu_ok(cu(cuCtxGetCurrent)(&relay.ctx));
	begin_with(0, 0);
	check(!pthread_create(&thread, NULL, relay_run, NULL));
	for (int i = 1; i <= 20; i++) {
		fill(host, (float)i);
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(a, host, BYTES, NULL));
		relay_on(&relay.copied);
		relay_until(&relay.added, i);
	}
	pthread_join(thread, NULL);
	cu_ok(cu(cuMemcpyDtoH_v2)(host, b, BYTES));
	printf("added behind copies: %.0f\n", host[FLOATS - 1]);
}

static void test_memory_of_two_contexts(void)
{
	CUcontext second, first;
	CUdeviceptr there;

	cu_ok(cu(cuCtxGetCurrent)(&first));
	begin_with(1, 0);
	cu_ok(cu(cuCtxCreate_v2)(&second, 0, 0));
	cu_ok(cu(cuMemAlloc_v2)(&there, BYTES));
	cu_ok(cu(cuCtxSetCurrent)(first));
	add_up(NULL, 20);
	cu_ok(cu(cuCtxSetCurrent)(second));
	fill(host, 7);
	cu_ok(cu(cuMemcpyHtoD_v2)(there, host, BYTES));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuCtxSetCurrent)(first));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, b, BYTES));
	printf("two contexts: %.0f\n", sum_of(host) / FLOATS);
	cu_ok(cu(cuCtxDestroy_v2)(second));
}

static void steady(void)
{
	cu_ok(cu(cuMemcpyHtoD_v2)(a, host, BYTES));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, a, BYTES));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(b, pinned, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_is(cu(cuStreamQuery)(other), CUDA_SUCCESS);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, b, BYTES, stream));
	cu_ok(cu(cuCtxSynchronize)());
}

/* What a kernel has printed is out when a copy that waits for it is there. */
static void prints(void)
{
	void *params[] = { &(int){ 2 } };

	cu_ok(cu(cuLaunchKernel)(print, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
	while (cu(cuStreamQuery)(NULL))
		;
	cu_ok(cu(cuMemcpyDtoH_v2)(host, a, BYTES));
	printf("behind what it printed\n");
	fflush(stdout);
}

/* Nothing works any more, although not all that was printed is out: the host has managed memory. */
static void prints_pending(void)
{
	void *params[] = { &(int){ 1 } };
	CUdeviceptr managed;
	CUevent event;

	if (cu(cuMemAllocManaged)(&managed, 4096, CU_MEM_ATTACH_GLOBAL))
		return; /* over sockets, where the kernel forbids userfaultfd */
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuMemsetD32Async)(managed, 7, 1024, stream));
	cu_ok(cu(cuLaunchKernel)(print, 1, 1, 1, 32, 1, 1, 0, stream, params, NULL));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuEventSynchronize)(event));
	check(*(int *)managed == 7);
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuMemFree_v2)(managed));
}

/* Over a socket: in one piece where nothing is under way, in several where a kernel is. */
static void whole(bool idle)
{
	static CUdeviceptr large;
	static char *from;

	if (!large) {
		CUgraph graph;

		cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_GLOBAL)); /* is over, and forgotten */
		cu_ok(cu(cuStreamEndCapture)(stream, &graph));
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuMemAlloc_v2)(&large, 4 * BYTES));
		from = calloc(4, BYTES);
	}
	if (!idle)
		add_up(stream, 1);
	cu_ok(cu(cuMemcpyHtoD_v2)(large, from, 4 * BYTES));
	cu_ok(cu(cuCtxSynchronize)());
}

/* In all more than the shared memory has, and each of a size that no other has had: what is freed is used again. */
static void many(long round)
{
	size_t bytes = LARGE + (size_t)round * 512;
	CUdeviceptr large;

	cu_ok(cu(cuMemAlloc_v2)(&large, bytes));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyHtoD_v2)(large, host, BYTES));
	cu_ok(cu(cuMemcpyDtoH_v2)(host, large + bytes - BYTES, BYTES));
	cu_ok(cu(cuMemFree_v2)(large));
}

/* Kernels and copies to pinned memory, waited for once. */
static void later(void)
{
	size_t quarter = BYTES / 4;

	for (size_t i = 0; i < 4; i++) {
		add_up(stream, 1);
		cu_ok(cu(cuMemcpyDtoHAsync_v2)((char *)pinned + i * quarter, b + i * quarter, quarter, stream));
	}
	cu_ok(cu(cuStreamSynchronize)(stream));
}

/* One call each way while nothing is under way, and behind a fill. */
static void long_copies(long round)
{
	enum { BYTES_LONG = 60 << 20 };
	uint8_t *from = malloc(BYTES_LONG), *to = malloc(BYTES_LONG);
	CUdeviceptr at;

	memset(from, (int)round + 1, BYTES_LONG);
	cu_ok(cu(cuMemAlloc_v2)(&at, BYTES_LONG));
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuCtxSynchronize)());
		if (i)
			cu_ok(cu(cuMemsetD8Async)(at, 0, BYTES_LONG, stream));
		cu_ok(cu(cuMemcpyHtoD_v2)(at, from, BYTES_LONG));
		cu_ok(cu(cuCtxSynchronize)());
		if (i)
			cu_ok(cu(cuMemsetD8Async)(at, (unsigned char)(round + 1), 1, stream));
		memset(to, 0, BYTES_LONG);
		cu_ok(cu(cuMemcpyDtoH_v2)(to, at, BYTES_LONG));
		check(!memcmp(from, to, BYTES_LONG));
	}
	cu_ok(cu(cuMemFree_v2)(at));
	free(from);
	free(to);
}

static void loop(const char *what, long rounds)
{
	fill(host, 0);
	fill(pinned, 0);
	add_up(stream, 1); /* its shape is known from here on */
	cu_ok(cu(cuCtxSynchronize)());
	for (long i = 0; i < rounds; i++) {
		if (!strcmp(what, "steady"))
			steady();
		else if (!strcmp(what, "later"))
			later();
		else if (!strcmp(what, "prints"))
			prints(), prints_pending();
		else if (!strcmp(what, "idle") || !strcmp(what, "busy"))
			whole(!strcmp(what, "idle"));
		else if (!strcmp(what, "long"))
			long_copies(i);
		else
			many(i);
	}
}

/* More of them than are kept in shared memory, and more than once. */
static void test_long_allocations_hold_what_was_copied(void)
{
	enum { MANY = 10, WORDS = 15 << 20 };
	const size_t bytes = WORDS * sizeof(uint32_t) + 20;
	uint32_t *words = malloc(bytes), *back = malloc(bytes);
	CUdeviceptr at[MANY];

	for (uint32_t n = 0; n < WORDS + 5; n++)
		words[n] = n * 2654435761u;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < MANY; i++) {
			words[1024] = words[WORDS + 4] = i;
			cu_ok(cu(cuMemAlloc_v2)(&at[i], bytes));
			cu_ok(cu(cuMemcpyHtoD_v2)(at[i], words, bytes));
			cu_ok(cu(cuMemsetD32Async)(at[i] + 4096, i + 1, 1, stream));
		}
		for (uint32_t i = 0; i < MANY; i++) {
			cu_ok(cu(cuMemcpyDtoH_v2)(back, at[i], bytes));
			words[1024] = i + 1;
			words[WORDS + 4] = i;
			check(!memcmp(words, back, bytes));
			cu_ok(cu(cuMemFree_v2)(at[i]));
		}
	}
	free(words);
	free(back);
}

/* ---- memory that moves, and goes in other ways ---- */

struct written {
	CUcontext context;
	CUdeviceptr at;
	const float *from;
	size_t bytes;
};

static void *write_all(void *arg)
{
	const struct written *written = arg;

	cu_ok(cu(cuCtxSetCurrent)(written->context));
	cu_ok(cu(cuMemcpyHtoD_v2)(written->at, written->from, written->bytes));
	return NULL;
}

/* To have a handle of an allocation is no use of what it holds. */
static void test_memory_that_is_exported_while_a_thread_copies_to_it(void)
{
	struct written written = { .bytes = 32 * BYTES };
	float *from = malloc(written.bytes), *back = malloc(written.bytes);

	check(from && back);
	written.from = from;
	cu_ok(cu(cuCtxGetCurrent)(&written.context));
	for (int round = 0; round < 12; round++) {
		CUipcMemHandle handle;
		pthread_t thread;

		for (size_t i = 0; i < written.bytes / sizeof(*from); i++)
			from[i] = (float)(i % 4096) + (float)round;
		cu_ok(cu(cuMemAlloc_v2)(&written.at, written.bytes));
		cu_ok(cu(cuMemsetD8_v2)(written.at, 0, written.bytes));
		cu_ok(cu(cuCtxSynchronize)());
		pthread_create(&thread, NULL, write_all, &written);
		for (volatile int spin = 0; spin < 300000 * (round % 4 + 1); spin++)
			;
		cu_ok(cu(cuIpcGetMemHandle)(&handle, written.at));
		pthread_join(thread, NULL);
		cu_ok(cu(cuMemcpyDtoH_v2)(back, written.at, written.bytes));
		check(!memcmp(from, back, written.bytes));
		cu_ok(cu(cuMemFree_v2)(written.at));
	}
	free(from);
	free(back);
	printf("exported meanwhile: whole\n");
}

/* In all 31 GiB: more than there is room for in memory that is shared with a server on most machines. */
static void test_memory_that_is_freed_in_a_stream_leaves_room(void)
{
	void *more;

	for (int i = 0; i < 16000; i++) {
		CUdeviceptr at;

		cu_ok(cu(cuMemAlloc_v2)(&at, 2 * BYTES));
		cu_ok(cu(cuMemFreeAsync)(at, stream));
		if (i % 100 == 99)
			cu_ok(cu(cuStreamSynchronize)(stream));
	}
	cu_ok(cu(cuMemAllocHost_v2)(&more, 4 * BYTES));
	cu_ok(cu(cuMemFreeHost)(more));
	printf("freed in a stream: there is room\n");
}

int main(int argc, char **argv)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	CUmodule module;

	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	add = cu_function(module, "add");
	count_up = cu_function(module, "count");
	print = cu_function(module, "print");
	cu_ok(cu(cuStreamCreate)(&stream, 0));
	cu_ok(cu(cuStreamCreate)(&other, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&a, BYTES));
	cu_ok(cu(cuMemAlloc_v2)(&b, BYTES));
	host = malloc(BYTES);
	cu_ok(cu(cuMemAllocHost_v2)((void **)&pinned, BYTES));
	if (argc > 2) {
		loop(argv[1], atol(argv[2]));
	} else {
		cu_run(test_a_copy_comes_behind_what_is_under_way);
		cu_run(test_copies_in_a_stream_keep_its_order);
		cu_run(test_a_stream_that_waits_for_nobody_is_not_idle);
		cu_run(test_fills_and_copies_between_are_seen);
		cu_run(test_ranges_end_where_the_memory_ends);
		cu_run(test_pieces_keep_apart);
		cu_run(test_copies_that_come_later_are_there_when_they_are_waited_for);
		cu_run(test_more_copies_under_way_than_are_kept);
		cu_run(test_memory_that_goes_while_a_copy_comes);
		cu_run(test_long_allocations_hold_what_was_copied);
		cu_run(test_copies_of_several_threads_keep_apart);
		cu_run(test_a_kernel_of_another_thread_comes_behind_a_copy);
		cu_run(test_memory_that_is_exported_while_a_thread_copies_to_it);
		cu_run(test_memory_that_is_freed_in_a_stream_leaves_room);
		cu_run(test_memory_of_two_contexts);
		cu_run(test_a_context_that_goes_while_a_copy_comes);
	}
	cu_ok(cu(cuMemFreeHost)(pinned));
	free(host);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
