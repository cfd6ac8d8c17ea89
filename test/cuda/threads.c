/*
 * Copies whose stream is held until another thread of the program calls, or is about to get them while another one
 * waits, and calls that a thread makes when it ends.  threads entering: with a driver that takes its time
 * (late-driver.c).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "cu.h"

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
	enum { BY_WORD, BY_FUNCTION, BY_COPY } by;
	_Atomic bool returns; /* the function that holds it */
};

static void CUDA_CB function_held(void *arg)
{
	struct freeing *freeing = arg;
	while (!atomic_load(&freeing->returns))
		cu_nap_ms(1);
}

static void hold(struct freeing *freeing, CUstream held)
{
	atomic_store(&freeing->returns, false);
	if (freeing->by == BY_FUNCTION)
		cu_ok(cu(cuLaunchHostFunc)(held, function_held, freeing));
	else
		cu_ok(cu(cuStreamWaitValue32_v2)(held, freeing->word, 1, CU_STREAM_WAIT_VALUE_EQ));
}

static void *free_later(void *arg)
{
	struct freeing *freeing = arg;
	const uint32_t one_word = 1;
	cu_ok(cu(cuCtxSetCurrent)(freeing->context));
	cu_nap_ms(20);
	if (freeing->by == BY_COPY)
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(freeing->word, &one_word, sizeof(one_word), freeing->stream));
	else
		cu_ok(cu(cuStreamWriteValue32_v2)(freeing->stream, freeing->word, 1, 0));
	if (freeing->by == BY_FUNCTION)
		cu_ok(cu(cuStreamSynchronize)(freeing->stream));
	atomic_store(&freeing->returns, true);
	return NULL;
}

static bool all_are(const unsigned char *bytes, size_t from, size_t to, unsigned char value)
{
	while (from < to && bytes[from] == value)
		from++;
	return from == to;
}

/* What is to be copied, memory for it, and a word that holds the copy. */
static CUdeviceptr held_begin(struct freeing *freeing, unsigned char *from, size_t bytes)
{
	CUdeviceptr at;
	memset(from, 7, bytes);
	cu_ok(cu(cuMemAlloc_v2)(&at, bytes));
	cu_ok(cu(cuMemsetD8_v2)(at, 0, bytes));
	cu_ok(cu(cuMemsetD32_v2)(freeing->word, 0, 1));
	cu_ok(cu(cuCtxSynchronize)());
	return at;
}

/* `held` waits for the word, and with it `stream`; a copy that waits is of the legacy stream.  What comes behind the
 * copy, and what the program does with its memory then, finds it made. */
static void copy_held(struct freeing *freeing, CUstream held, CUstream stream, size_t bytes, bool waits)
{
	unsigned char *from = malloc(bytes), *to = malloc(bytes);
	pthread_t thread;
	CUdeviceptr at;
	at = held_begin(freeing, from, bytes);
	hold(freeing, held);
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

/* Return: false: the device waits for no words. */
static bool freeing_begin(struct freeing *freeing)
{
	CUresult r;
	*freeing = (struct freeing){ .stream = stream_create(CU_STREAM_NON_BLOCKING) };
	cu_ok(cu(cuCtxGetCurrent)(&freeing->context));
	cu_ok(cu(cuMemAlloc_v2)(&freeing->word, 4));
	cu_ok(cu(cuMemsetD32_v2)(freeing->word, 1, 1));
	cu_ok(cu(cuCtxSynchronize)());
	r = cu(cuStreamWriteValue32_v2)(freeing->stream, freeing->word, 1, 0);
	if (r == CUDA_ERROR_NOT_SUPPORTED)
		return false;
	cu_ok(r);
	alarm(PATIENCE_S);
	return true;
}

static void freeing_end(struct freeing *freeing)
{
	alarm(0);
	cu_ok(cu(cuMemFree_v2)(freeing->word));
	cu_ok(cu(cuStreamDestroy_v2)(freeing->stream));
}

static void test_a_copy_that_is_held_is_freed_by_another_threads_call(void)
{
	static const size_t sizes[] = { 100, 20 << 10, 200 << 10, 1 << 20, (9 << 20) + 5 };
	CUstream alone = stream_create(CU_STREAM_NON_BLOCKING), blocking = stream_create(CU_STREAM_DEFAULT);
	struct freeing freeing;
	if (!freeing_begin(&freeing))
		return;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		copy_held(&freeing, alone, alone, sizes[i], false);
		copy_held(&freeing, blocking, blocking, sizes[i], false);
		copy_held(&freeing, CU_STREAM_LEGACY, blocking, sizes[i], false); /* which is empty itself */
		copy_held(&freeing, CU_STREAM_LEGACY, CU_STREAM_LEGACY, sizes[i], true);
		copy_held(&freeing, blocking, CU_STREAM_LEGACY, sizes[i], true);
	}
	copy_held(&freeing, alone, alone, 70 << 20, false);
	freeing_end(&freeing);
	cu_ok(cu(cuStreamDestroy_v2)(alone));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
}

/* -- as well, to and from the program's memory, of bytes, lines, slices and arrays -- */

enum way { TO_BYTES, FROM_BYTES, TO_LINES, FROM_LINES, TO_SLICES, FROM_SLICES, TO_ARRAY, FROM_ARRAY, WAYS };

/* Lines with a pitch on the device, and what a line of an array takes. */
enum { COLUMNS = 1000, PITCH = 1024, LINES = 300, SHAPE_BYTES = COLUMNS * LINES, ELEMENT_BYTES = 16 };

struct shaped {
	CUdeviceptr at;
	CUarray array;
	unsigned char *host;
};

static CUresult copy_of_bytes(const struct shaped *shaped, bool to, bool waits, CUstream stream)
{
	CUdeviceptr host = (uintptr_t)shaped->host;
	if (waits)
		return cu(cuMemcpy)(to ? shaped->at : host, to ? host : shaped->at, SHAPE_BYTES);
	return cu(cuMemcpyAsync)(to ? shaped->at : host, to ? host : shaped->at, SHAPE_BYTES, stream);
}

static CUresult copy_of_lines(const struct shaped *shaped, bool to, bool waits, CUstream stream)
{
	CUDA_MEMCPY2D lines = { .WidthInBytes = COLUMNS, .Height = LINES };
	lines.srcMemoryType = to ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	lines.dstMemoryType = to ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
	lines.srcHost = lines.dstHost = shaped->host;
	lines.srcDevice = lines.dstDevice = shaped->at;
	lines.srcPitch = to ? COLUMNS : PITCH;
	lines.dstPitch = to ? PITCH : COLUMNS;
	return waits ? cu(cuMemcpy2D_v2)(&lines) : cu(cuMemcpy2DAsync_v2)(&lines, stream);
}

/* The same lines, in slices of three. */
static CUresult copy_of_slices(const struct shaped *shaped, bool to, bool waits, CUstream stream)
{
	CUDA_MEMCPY3D slices = { .WidthInBytes = COLUMNS, .Height = 3, .Depth = LINES / 3 };
	slices.srcMemoryType = to ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
	slices.dstMemoryType = to ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
	slices.srcHost = slices.dstHost = shaped->host;
	slices.srcDevice = slices.dstDevice = shaped->at;
	slices.srcHeight = slices.dstHeight = 3;
	slices.srcPitch = to ? COLUMNS : PITCH;
	slices.dstPitch = to ? PITCH : COLUMNS;
	return waits ? cu(cuMemcpy3D_v2)(&slices) : cu(cuMemcpy3DAsync_v2)(&slices, stream);
}

static CUresult copy_of_array(const struct shaped *shaped, bool to, bool waits, CUstream stream)
{
	if (to && waits)
		return cu(cuMemcpyHtoA_v2)(shaped->array, 0, shaped->host, SHAPE_BYTES);
	if (to)
		return cu(cuMemcpyHtoAAsync_v2)(shaped->array, 0, shaped->host, SHAPE_BYTES, stream);
	if (waits)
		return cu(cuMemcpyAtoH_v2)(shaped->host, shaped->array, 0, SHAPE_BYTES);
	return cu(cuMemcpyAtoHAsync_v2)(shaped->host, shaped->array, 0, SHAPE_BYTES, stream);
}

static bool is_to(enum way way)
{
	return way % 2 == 0;
}

static CUresult shaped_copy(const struct shaped *shaped, enum way way, bool waits, CUstream stream)
{
	static CUresult (*const copies[])(const struct shaped *, bool, bool,
					  CUstream) = { copy_of_bytes, copy_of_lines, copy_of_slices, copy_of_array };
	return copies[way / 2](shaped, is_to(way), waits, stream);
}

/* A copy to the program finds what the held stream was given before; behind one to the device the program's memory is
 * its own, and what the stream is given next comes over it.  Arrays can not be filled. */
static void shape_held(struct freeing *freeing, CUstream held, CUstream stream, struct shaped *shaped, enum way way,
		       bool waits)
{
	bool array = way == TO_ARRAY || way == FROM_ARRAY;
	CUstream behind = waits ? freeing->stream : stream;
	pthread_t thread;
	memset(shaped->host, is_to(way) || !array ? 1 : 7, SHAPE_BYTES);
	cu_ok(copy_of_lines(shaped, true, true, NULL));
	cu_ok(copy_of_array(shaped, true, true, NULL));
	cu_ok(cu(cuMemsetD32_v2)(freeing->word, 0, 1));
	cu_ok(cu(cuCtxSynchronize)());
	memset(shaped->host, 7, SHAPE_BYTES);
	hold(freeing, held);
	if (!is_to(way))
		cu_ok(cu(cuMemsetD8Async)(shaped->at, 7, PITCH * LINES, held));
	check(!pthread_create(&thread, NULL, free_later, freeing));
	if (!is_to(way))
		memset(shaped->host, 9, SHAPE_BYTES);
	cu_ok(shaped_copy(shaped, way, waits, stream));
	if (is_to(way))
		memset(shaped->host, 9, SHAPE_BYTES);
	cu_ok(cu(cuMemsetD8Async)(shaped->at, 8, COLUMNS, behind));
	cu_ok(cu(cuStreamSynchronize)(behind));
	check(!pthread_join(thread, NULL));
	if (is_to(way))
		cu_ok(shaped_copy(shaped, way + 1, true, NULL));
	if (is_to(way) && !array)
		check(all_are(shaped->host, 0, COLUMNS, 8));
	check(all_are(shaped->host, is_to(way) && !array ? COLUMNS : 0, SHAPE_BYTES, 7));
}

static void shapes_held(struct freeing *freeing, struct shaped *shaped, bool pinned)
{
	CUstream alone = stream_create(CU_STREAM_NON_BLOCKING), blocking = stream_create(CU_STREAM_DEFAULT);
	for (enum way way = 0; way < WAYS; way++) {
		/* Copies of pinned memory wait for nothing, but where they are told to. */
		if (!pinned) {
			shape_held(freeing, alone, alone, shaped, way, false);
			shape_held(freeing, blocking, blocking, shaped, way, false);
			shape_held(freeing, CU_STREAM_LEGACY, blocking, shaped, way, false);
		}
		shape_held(freeing, CU_STREAM_LEGACY, CU_STREAM_LEGACY, shaped, way, true);
		shape_held(freeing, blocking, CU_STREAM_LEGACY, shaped, way, true);
	}
	cu_ok(cu(cuStreamDestroy_v2)(alone));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
}

static void test_copies_of_all_shapes_are_freed_by_another_threads_call(void)
{
	const CUDA_ARRAY_DESCRIPTOR form = { .Width = SHAPE_BYTES / ELEMENT_BYTES,
					     .Format = CU_AD_FORMAT_FLOAT,
					     .NumChannels = 4 };
	struct shaped shaped = { .host = malloc(SHAPE_BYTES) };
	void *pageable = shaped.host, *pinned;
	CUdeviceptr there;
	struct freeing freeing;
	if (!freeing_begin(&freeing))
		return;
	cu_ok(cu(cuMemAlloc_v2)(&shaped.at, PITCH * LINES));
	cu_ok(cu(cuArrayCreate_v2)(&shaped.array, &form));
	cu_ok(cu(cuMemHostAlloc)(&pinned, SHAPE_BYTES, CU_MEMHOSTALLOC_DEVICEMAP));
	(void)cu(cuMemHostGetDevicePointer_v2)(&there, pinned, 0); /* a device reaches it, if it can */
	for (int i = 0; i < 2; i++) {
		freeing.by = i ? BY_FUNCTION : BY_WORD;
		shaped.host = pageable;
		shapes_held(&freeing, &shaped, false);
		shaped.host = pinned;
		shapes_held(&freeing, &shaped, true);
	}
	free(pageable);
	cu_ok(cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuArrayDestroy)(shaped.array));
	cu_ok(cu(cuMemFree_v2)(shaped.at));
	freeing_end(&freeing);
}

/* -- as well, behind a kernel that looks at a word until it is there.  By a copy: the reference GPU's kernel has the
 * engine that writes words -- */

static const char looks_text[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
				 ".visible .entry looks(.param .u64 word)\n{\n"
				 ".reg .u64 %a;\n.reg .u32 %v;\n.reg .pred %p;\n"
				 "ld.param.u64 %a, [word];\n"
				 "AGAIN: ld.volatile.global.u32 %v, [%a]; setp.eq.u32 %p, %v, 0; @%p bra AGAIN;\n"
				 "ret;\n}\n";

static void copy_behind_kernel(struct freeing *freeing, CUfunction looks, CUstream held, size_t bytes)
{
	void *params[] = { &freeing->word };
	unsigned char *from = malloc(bytes), *to = malloc(bytes);
	pthread_t thread;
	CUdeviceptr at;
	at = held_begin(freeing, from, bytes);
	check(!pthread_create(&thread, NULL, free_later, freeing));
	cu_ok(cu(cuLaunchKernel)(looks, 1, 1, 1, 1, 1, 1, 0, held, params, NULL));
	cu_ok(cu(cuMemcpyHtoD_v2)(at, from, bytes));
	memset(from, 9, bytes);
	cu_ok(cu(cuMemsetD8Async)(at, 8, 100, freeing->stream));
	cu_ok(cu(cuStreamSynchronize)(freeing->stream));
	check(!pthread_join(thread, NULL));
	cu_ok(cu(cuMemcpyDtoH_v2)(to, at, bytes));
	check(all_are(to, 0, 100, 8) && all_are(to, 100, bytes, 7));
	cu_ok(cu(cuMemFree_v2)(at));
	free(from);
	free(to);
}

static void test_a_copy_behind_a_kernel_that_looks_is_freed_by_another_threads_call(void)
{
	static const size_t sizes[] = { 100, 20 << 10, 200 << 10, 1 << 20, (9 << 20) + 5 };
	CUstream blocking = stream_create(CU_STREAM_DEFAULT);
	struct freeing freeing;
	pthread_t thread;
	CUfunction looks;
	CUmodule module;
	if (!freeing_begin(&freeing))
		return;
	cu_ok(cu(cuModuleLoadData)(&module, looks_text));
	looks = cu_function(module, "looks");
	/* One that has called, and whose connection the next ones have. */
	check(!pthread_create(&thread, NULL, free_later, &freeing) && !pthread_join(thread, NULL));
	freeing.by = BY_COPY;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		copy_behind_kernel(&freeing, looks, blocking, sizes[i]);
		copy_behind_kernel(&freeing, looks, CU_STREAM_LEGACY, sizes[i]);
	}
	cu_ok(cu(cuModuleUnload)(module));
	cu_ok(cu(cuStreamDestroy_v2)(blocking));
	freeing_end(&freeing);
}

/* The thread is there, and has called nothing yet. */
static void first_call_child(void *bytes)
{
	CUcontext context = cu_begin();
	CUstream blocking = stream_create(CU_STREAM_DEFAULT);
	struct freeing freeing;
	CUmodule module;

	if (freeing_begin(&freeing)) {
		cu_ok(cu(cuModuleLoadData)(&module, looks_text));
		freeing.by = BY_COPY;
		copy_behind_kernel(&freeing, cu_function(module, "looks"), blocking, *(const size_t *)bytes);
		freeing_end(&freeing);
	}
	cu_ok(cu(cuCtxDestroy_v2)(context));
}

/* In processes without threads that have called. */
static void test_a_copy_behind_a_kernel_that_looks_is_freed_by_a_threads_first_call(void)
{
	size_t sizes[] = { 100, 20 << 10, 1 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int status = cu_child(first_call_child, &sizes[i]);

		if (status == CU_SKIP)
			exit(CU_SKIP);
		check(status == 0);
	}
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
	cu_nap_ms(100);
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
	bool enters = argc > 1 && !strcmp(argv[1], "entering");
	CUcontext ctx;

	if (!enters)
		cu_run(test_a_copy_behind_a_kernel_that_looks_is_freed_by_a_threads_first_call);
	ctx = cu_begin();
	if (enters) {
		entering(ctx);
		return 0;
	}
	/* The first ones: what waits for the program later has copies asked for. */
	cu_run(test_a_copy_that_waits_is_made_before_what_any_stream_is_given_then);
	cu_run(test_a_copy_behind_a_kernel_that_looks_is_freed_by_another_threads_call);
	cu_run(test_a_copy_that_is_held_is_freed_by_another_threads_call);
	cu_run(test_copies_of_all_shapes_are_freed_by_another_threads_call);
	cu_run(test_destructors_of_a_thread_may_call);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
