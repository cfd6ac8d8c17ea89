/* steady WHAT COUNT: a loop whose round trips and instructions are counted from outside (difference of two counts). */
#include <stdatomic.h>
#include <time.h>

#include "cu.h"

static CUfunction add;
static CUstream streams[3];
static CUdeviceptr a, b, c;

static void launch(CUstream stream, int n)
{
	void *params[] = { &a, &b, &c, &n };

	cu_ok(cu(cuLaunchKernel)(add, 1, 1, 1, 64, 1, 1, 0, stream, params, NULL));
}

static void event_there_and_back(void)
{
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventRecord)(event, streams[0]));
	cu_ok(cu(cuStreamWaitEvent)(streams[1], event, 0));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* The first answer says that all is done, and what is asked behind it is known: as PyTorch with cuBLAS asks. */
static void ask_when_done(void)
{
	unsigned long long number;
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	launch(NULL, 64);
	cu_ok(cu(cuEventRecord)(event, NULL));
	cu_ok(cu(cuEventSynchronize)(event));
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuEventQuery)(event));
		cu_ok(cu(cuEventSynchronize)(event));
		cu_ok(cu(cuCtxGetId)(NULL, &number));
	}
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* Whoever has waited for the context knows of all its streams. */
static void wait_for_all(void)
{
	launch(streams[0], 64);
	launch(streams[1], 64);
	cu_ok(cu(cuCtxSynchronize)());
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuStreamQuery)(streams[i]));
	cu_ok(cu(cuStreamSynchronize)(NULL));
}

/* As PyTorch's pinned memory does: each event is asked of once or twice while it may be under way. */
static void ask_in_vain(void)
{
	static CUevent events[4];
	static unsigned int at;
	CUevent *event = &events[at++ % 4];
	CUresult result = CUDA_SUCCESS;

	if (*event)
		result = cu(cuEventQuery)(*event);
	else
		cu_ok(cu(cuEventCreate)(event, CU_EVENT_DISABLE_TIMING));
	if (result == CUDA_ERROR_NOT_READY)
		result = cu(cuEventQuery)(*event);
	launch(streams[0], 64);
	cu_ok(cu(cuEventRecord)(*event, streams[0]));
	if (result != CUDA_ERROR_NOT_READY)
		cu_ok(result);
}

/* The same with an event of its own in each turn. */
static void ask_once(void)
{
	static CUevent before;
	CUevent event;
	CUresult result = before ? cu(cuEventQuery)(before) : CUDA_SUCCESS;

	if (result != CUDA_ERROR_NOT_READY)
		cu_ok(result);
	if (before)
		cu_ok(cu(cuEventDestroy_v2)(before));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	launch(streams[0], 64);
	cu_ok(cu(cuEventRecord)(event, streams[0]));
	before = event;
}

static atomic_int gate;

static void CUDA_CB hold(void *user)
{
	(void)user;
	while (!atomic_load(&gate))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* Questions one behind the other, of a stream that is held all the time. */
static void ask_of_stream(void)
{
	static bool held;

	if (!held)
		cu_ok(cu(cuLaunchHostFunc)(streams[0], hold, NULL));
	held = true;
	for (int i = 0; i < 20; i++)
		cu_is(cu(cuStreamQuery)(streams[0]), CUDA_ERROR_NOT_READY);
}

/* As libraries do that need more shared memory than there is by default: it is said before each launch. */
static void set_and_launch(void)
{
	const CUfunction_attribute most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
	static CUkernel kernel;
	int n = 64;
	void *params[] = { &a, &b, &c, &n };

	if (!kernel) {
		char *text = cu_ptx("kernels.ptx");
		CUlibrary library;

		cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
		cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "add"));
		free(text);
	}
	cu_ok(cu(cuFuncSetAttribute)(add, most, 50000));
	cu_ok(cu(cuLaunchKernel)(add, 1, 1, 1, 64, 1, 1, 50000, streams[0], params, NULL));
	cu_ok(cu(cuKernelSetAttribute)(most, 50000, kernel, 0));
	cu_ok(cu(cuLaunchKernel)((CUfunction)kernel, 1, 1, 1, 64, 1, 1, 50000, streams[0], params, NULL));
}

static void turn(const char *what)
{
	float value = 0;

	if (!strcmp(what, "launch")) {
		launch(streams[0], 64);
	} else if (!strcmp(what, "event")) {
		event_there_and_back();
	} else if (!strcmp(what, "set")) {
		set_and_launch();
	} else if (!strcmp(what, "fill")) {
		cu_ok(cu(cuMemsetD32Async)(a, 1, 64, streams[2]));
	} else if (!strcmp(what, "finish")) {
		launch(NULL, 64);
		cu_ok(cu(cuCtxSynchronize)());
	} else if (!strcmp(what, "rest")) {
		wait_for_all();
	} else if (!strcmp(what, "read")) {
		cu_ok(cu(cuMemcpyHtoD_v2)(a, &value, sizeof(value)));
		launch(NULL, 64);
		cu_ok(cu(cuMemcpyDtoH_v2)(&value, c, sizeof(value)));
	} else if (!strcmp(what, "done")) {
		ask_when_done();
	} else if (!strcmp(what, "query")) {
		ask_in_vain();
	} else if (!strcmp(what, "fresh")) {
		ask_once();
	} else if (!strcmp(what, "poll")) {
		ask_of_stream();
	} else {
		fprintf(stderr, "usage: steady launch|event|set|fill|finish|rest|read|done|query|fresh|poll COUNT\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	CUmodule module;

	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	add = cu_function(module, "add");
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuStreamCreate)(&streams[i], CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&a, 256));
	cu_ok(cu(cuMemAlloc_v2)(&b, 256));
	cu_ok(cu(cuMemAlloc_v2)(&c, 256));
	launch(streams[0], 64); /* its shape is known from here on */
	cu_ok(cu(cuCtxSynchronize)());
	for (long i = 0; i < count; i++)
		turn(argc > 1 ? argv[1] : "");
	atomic_store(&gate, 1);
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
