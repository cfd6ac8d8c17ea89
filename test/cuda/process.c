/* The process: before cuInit(), contexts of threads, children, handles of other processes. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cu.h"

static void before_init(void *unused)
{
	CUcontext ctx;
	CUdeviceptr at;
	int n;
	(void)unused;
	cu_is(cu(cuDeviceGetCount)(&n), CUDA_ERROR_NOT_INITIALIZED);
	cu_is(cu(cuMemAlloc_v2)(&at, 16), CUDA_ERROR_NOT_INITIALIZED);
	cu_is(cu(cuCtxGetCurrent)(&ctx), CUDA_ERROR_NOT_INITIALIZED);
	cu_is(cu(cuInit)(1), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuDriverGetVersion)(&n));
	check(n >= 12000);
}

static void without_context(void *unused)
{
	CUcontext ctx = (CUcontext)8;
	CUdeviceptr at;
	CUdevice device;
	CUresult r = cu(cuInit)(0);
	(void)unused;
	if (r)
		exit(CU_SKIP);
	cu_is(cu(cuDeviceGet)(&device, 1000), CUDA_ERROR_INVALID_DEVICE);
	cu_is(cu(cuDeviceGet)(NULL, 0), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxGetCurrent)(&ctx));
	check(!ctx);
	cu_is(cu(cuMemAlloc_v2)(&at, 16), CUDA_ERROR_INVALID_CONTEXT);
	cu_is(cu(cuCtxPopCurrent_v2)(&ctx), CUDA_ERROR_INVALID_CONTEXT);
}

static void contexts(void *unused)
{
	CUcontext a = cu_begin(), b, now;
	CUdeviceptr at;
	(void)unused;
	cu_ok(cu(cuCtxCreate_v2)(&b, 0, 0));
	cu_ok(cu(cuCtxGetCurrent)(&now));
	check(now == b);
	cu_ok(cu(cuCtxPopCurrent_v2)(&now));
	check(now == b);
	cu_ok(cu(cuCtxGetCurrent)(&now));
	check(now == a);
	cu_ok(cu(cuCtxPushCurrent_v2)(b));
	cu_ok(cu(cuCtxDestroy_v2)(b));
	cu_ok(cu(cuCtxGetCurrent)(&now));
	check(now == a);
	cu_ok(cu(cuMemAlloc_v2)(&at, 16));
	cu_ok(cu(cuCtxDestroy_v2)(a));
	cu_ok(cu(cuCtxGetCurrent)(&now));
	check(!now);
	cu_is(cu(cuMemAlloc_v2)(&at, 16), CUDA_ERROR_INVALID_CONTEXT);
	if (cu_is_reference()) { /* hardware's driver takes a handle for a pointer */
		check(cu(cuCtxDestroy_v2)(a) != CUDA_SUCCESS);
		check(cu(cuCtxSetCurrent)(a) != CUDA_SUCCESS);
	}
}

static void primary(void *unused)
{
	CUcontext a, b;
	unsigned int flags;
	int active;
	(void)unused;
	if (cu(cuInit)(0))
		exit(CU_SKIP);
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(!active);
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&a, 0));
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&b, 0));
	check(a == b);
	cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(active);
	cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(!active);
	cu_is(cu(cuDevicePrimaryCtxRelease_v2)(0), CUDA_ERROR_INVALID_CONTEXT);
}

/* What it had is gone, and can be had again: all of the memory, at the same addresses. */
static void primary_anew(void *unused)
{
	size_t free_bytes, total;
	CUdeviceptr at[4];
	CUcontext context;
	(void)unused;
	if (cu(cuInit)(0))
		exit(CU_SKIP);
	for (int i = 0; i < 6; i++) {
		cu_ok(cu(cuDevicePrimaryCtxRetain)(&context, 0));
		cu_ok(cu(cuCtxSetCurrent)(context));
		if (!i)
			cu_ok(cu(cuMemGetInfo_v2)(&free_bytes, &total));
		for (size_t k = 0; k < 4; k++)
			cu_ok(cu(cuMemAlloc_v2)(&at[k], free_bytes / 5));
		cu_ok(cu(cuMemsetD32_v2)(at[3], 7, 1024));
		cu_ok(cu(cuCtxSynchronize)());
		cu_ok(cu(cuMemFree_v2)(at[i % 4]));
		if (i % 2 == 0)
			cu_ok(cu(cuDevicePrimaryCtxReset_v2)(0));
		cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	}
}

/* A reset ends what is there, and releases nothing. */
static void primary_reset(void *unused)
{
	CUcontext context;
	unsigned int flags;
	int active;
	(void)unused;
	if (cu(cuInit)(0))
		exit(CU_SKIP);
	cu_ok(cu(cuDevicePrimaryCtxReset_v2)(0));
	cu_is(cu(cuDevicePrimaryCtxRelease_v2)(0), CUDA_ERROR_INVALID_CONTEXT);
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&context, 0));
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&context, 0));
	cu_ok(cu(cuDevicePrimaryCtxReset_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(!active);
	cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&context, 0));
	cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(active); /* the first is held once yet */
	cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(!active);
	cu_ok(cu(cuDevicePrimaryCtxRetain)(&context, 0));
	cu_ok(cu(cuDevicePrimaryCtxReset_v2)(0));
	cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(0));
	cu_is(cu(cuDevicePrimaryCtxRelease_v2)(0), CUDA_ERROR_INVALID_CONTEXT);
	cu_ok(cu(cuDevicePrimaryCtxGetState)(0, &flags, &active));
	check(!active);
}

static void *thread_main(void *ctx)
{
	unsigned int in[64], value = (unsigned int)(uintptr_t)pthread_self();
	CUstream stream;
	CUdeviceptr at;
	CUcontext now;
	cu_ok(cu(cuCtxGetCurrent)(&now));
	check(!now); /* a context is current where it was made so */
	cu_ok(cu(cuCtxSetCurrent)(ctx));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 50; i++) {
		cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(in)));
		cu_ok(cu(cuMemsetD32Async)(at, value + (unsigned int)i, 64, stream));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(in, at, sizeof(in), stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		for (int k = 0; k < 64; k++)
			check(in[k] == value + (unsigned int)i);
		cu_ok(cu(cuMemFree_v2)(at));
		cu_ok(cu(cuMemsetD32Async_ptsz)(at = 0, 0, 0, NULL));
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	return NULL;
}

static void threads(void *unused)
{
	CUcontext ctx = cu_begin();
	pthread_t thread[4];
	(void)unused;
	for (int i = 0; i < 4; i++)
		check(!pthread_create(&thread[i], NULL, thread_main, ctx));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

static unsigned char *shared_page; /* each thread registers a part of it */

static void *neighbour_main(void *ctx)
{
	static atomic_uint taken;
	const size_t bytes = 1024;
	unsigned char *own = shared_page + bytes * atomic_fetch_add(&taken, 1), value = own[0];
	CUstream stream;
	CUdeviceptr at;

	cu_ok(cu(cuCtxSetCurrent)(ctx));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 300; i++) {
		cu_ok(cu(cuMemHostRegister_v2)(own, bytes, CU_MEMHOSTREGISTER_DEVICEMAP));
		cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, own, 0));
		cu_ok(cu(cuMemsetD8Async)(at, ++value, bytes, stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		for (size_t k = 0; k < bytes; k++)
			check(own[k] == value);
		cu_ok(cu(cuMemHostUnregister)(own));
	}
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	return NULL;
}

static void neighbours(void *unused)
{
	CUcontext ctx = cu_begin();
	pthread_t thread[4];
	int by_address;
	(void)unused;
	cu_ok(cu(cuDeviceGetAttribute)(&by_address, CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, 0));
	if (!cu_is_reference() || !by_address) /* a page can be registered once; or is a program's own */
		return;
	shared_page = aligned_alloc(4096, 4096);
	memset(shared_page, 0, 4096);
	for (int i = 0; i < 4; i++)
		check(!pthread_create(&thread[i], NULL, neighbour_main, ctx));
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	free(shared_page);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

/* A library asks whether the context shares the device with graphics, and goes on only where that is answered. */
static void limits(void *unused)
{
	static const CUlimit graphics[] = { CU_LIMIT_CIG_ENABLED, CU_LIMIT_CIG_SHMEM_FALLBACK_ENABLED };
	CUcontext ctx = cu_begin();
	size_t value = 0;
	(void)unused;
	cu_ok(cu(cuCtxSetLimit)(CU_LIMIT_STACK_SIZE, 4096));
	cu_ok(cu(cuCtxGetLimit)(&value, CU_LIMIT_STACK_SIZE));
	check(value >= 4096);
	for (size_t i = 0; cu_is_reference() && i < sizeof(graphics) / sizeof(graphics[0]); i++) {
		value = 9;
		cu_ok(cu(cuCtxGetLimit)(&value, graphics[i]));
		check(!value);
		cu_is(cu(cuCtxSetLimit)(graphics[i], 1), CUDA_ERROR_UNSUPPORTED_LIMIT);
	}
	value = 9;
	check(cu(cuCtxGetLimit)(&value, CU_LIMIT_MAX) != CUDA_SUCCESS && value == 9);
	check(cu(cuCtxGetLimit)(NULL, CU_LIMIT_STACK_SIZE) == CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

/* A child has the parent's memory but not its driver: it is told so, and never waits for what cannot come. */
static void in_child(void *unused)
{
	CUdeviceptr at;
	int n;
	(void)unused;
	cu_is(cu(cuMemAlloc_v2)(&at, 16), CUDA_ERROR_NOT_INITIALIZED);
	cu_is(cu(cuDeviceGetCount)(&n), CUDA_ERROR_NOT_INITIALIZED);
	cu_is(cu(cuCtxSynchronize)(), CUDA_ERROR_NOT_INITIALIZED);
	check(cu(cuInit)(0) != CUDA_SUCCESS);
}

static void forks(void *unused)
{
	CUcontext ctx = cu_begin();
	CUdeviceptr at;
	(void)unused;
	cu_ok(cu(cuMemAlloc_v2)(&at, 16));
	if (cu_is_reference())
		check(cu_child(in_child, NULL) == 0);
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

/* To ask for the version is not to use the driver. */
static void version_forks(void *unused)
{
	int n;
	(void)unused;
	cu_ok(cu(cuDriverGetVersion)(&n));
	check(cu_child(primary, NULL) == 0);
	primary(NULL);
}

/* -- two processes, one memory ---------------------------------------------------------------------------------------
 */

struct passed {
	CUipcMemHandle mem;
	CUipcEventHandle event;
};

static void reader(int from, int to)
{
	CUcontext ctx = cu_begin();
	struct passed passed;
	CUdeviceptr at;
	CUevent event;
	unsigned int word;
	char byte = 1;
	check(read(from, &passed, sizeof(passed)) == sizeof(passed));
	cu_ok(cu(cuIpcOpenMemHandle_v2)(&at, passed.mem, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	cu_ok(cu(cuIpcOpenEventHandle)(&event, passed.event));
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at + 8, 4));
	check(word == 1234);
	cu_ok(cu(cuMemsetD32_v2)(at + 12, 4321, 1));
	cu_ok(cu(cuCtxSynchronize)());
	check(write(to, &byte, 1) == 1);
	cu_ok(cu(cuIpcCloseMemHandle)(at));
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	exit(0);
}

static void two_processes(void *unused)
{
	int there[2], back[2], status;
	struct passed passed;
	CUdeviceptr at, own;
	CUcontext ctx;
	CUevent event;
	unsigned int word;
	char byte;
	pid_t pid;
	(void)unused;
	check(!pipe(there) && !pipe(back));
	pid = fork();
	if (!pid)
		reader(there[0], back[1]);
	ctx = cu_begin();
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuMemsetD32_v2)(at, 1234, 1024));
	cu_ok(cu(cuEventRecord)(event, NULL));
	cu_ok(cu(cuIpcGetMemHandle)(&passed.mem, at));
	cu_ok(cu(cuIpcGetEventHandle)(&passed.event, event));
	check(cu(cuIpcOpenMemHandle_v2)(&own, passed.mem, 0) != CUDA_SUCCESS);
	check(write(there[1], &passed, sizeof(passed)) == sizeof(passed));
	check(read(back[0], &byte, 1) == 1);
	cu_ok(cu(cuMemcpyDtoH_v2)(&word, at + 12, 4));
	check(word == 4321);
	check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status));
	memset(&passed, 0x5a, sizeof(passed));
	cu_is(cu(cuIpcOpenMemHandle_v2)(&own, passed.mem, 0), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
}

/* -- CUDA_VISIBLE_DEVICES, which is read once -------------------------------------------------------------------- */

struct seen {
	const char *list;
	bool all; /* that there are; else none */
};

static void devices_seen(void *arg)
{
	const struct seen *seen = arg;
	int n = -1;
	CUresult r;
	setenv("CUDA_VISIBLE_DEVICES", seen->list, 1);
	r = cu(cuInit)(0);
	if (!seen->all) {
		cu_is(r, CUDA_ERROR_NO_DEVICE);
		cu_is(cu(cuInit)(0), CUDA_ERROR_NO_DEVICE);
		check(cu(cuDeviceGetCount)(&n) != CUDA_SUCCESS || !n);
		return;
	}
	cu_ok(r);
	cu_ok(cu(cuDeviceGetCount)(&n));
	check(n == 1);
}

/* The beginning of the first device's UUID, and all of it. */
static void uuid_texts(char prefix[16], char whole[64])
{
	CUuuid uuid;
	int pipes[2];
	check(!pipe(pipes));
	if (!fork()) {
		cu_ok(cu(cuInit)(0));
		cu_ok(cu(cuDeviceGetUuid_v2)(&uuid, 0));
		exit(write(pipes[1], &uuid, sizeof(uuid)) != sizeof(uuid));
	}
	close(pipes[1]);
	check(read(pipes[0], &uuid, sizeof(uuid)) == sizeof(uuid));
	close(pipes[0]);
	snprintf(prefix, 16, "GPU-%02x%02x%02x", (uint8_t)uuid.bytes[0], (uint8_t)uuid.bytes[1],
		 (uint8_t)uuid.bytes[2]);
	strcpy(whole, "GPU-");
	for (int i = 0; i < 16; i++)
		sprintf(whole + strlen(whole), i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			(uint8_t)uuid.bytes[i]);
}

static void visible(void *unused)
{
	char prefix[16], whole[64], twice[128];
	const struct seen lists[] = {
		{ "0", true },    { "0,77", true },        { "0,-1,0", true }, { prefix, true },  { whole, true },
		{ "", false },    { "-1", false },         { "77", false },    { "-1,0", false }, { "0,0", false },
		{ twice, false }, { "GPU-ffffff", false }, { "none", false },
	};
	(void)unused;
	uuid_texts(prefix, whole);
	snprintf(twice, sizeof(twice), "0,%s", prefix);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		int status = cu_child(devices_seen, (void *)(uintptr_t)&lists[i]);
		if (status)
			fprintf(stderr, "CUDA_VISIBLE_DEVICES=%s: status %d\n", lists[i].list, status);
		check(!status);
	}
}

int main(void)
{
	static const struct {
		const char *name;
		void (*fn)(void *arg);
	} cases[] = {
		{ "before cuInit() functions say so", before_init },
		{ "without a context functions say so", without_context },
		{ "contexts are a stack", contexts },
		{ "the primary context is counted", primary },
		{ "the primary context is made anew", primary_anew },
		{ "a reset of the primary context releases nothing", primary_reset },
		{ "limits of a context are told", limits },
		{ "threads share a context", threads },
		{ "threads register parts of one page", neighbours },
		{ "a child is told that it has no driver", forks },
		{ "a child of one that knows the version alone has a driver", version_forks },
		{ "two processes share memory and an event", two_processes },
		{ "CUDA_VISIBLE_DEVICES chooses, and hides", visible },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = cu_wanted(cases[i].name) ? cu_child(cases[i].fn, NULL) : 0;
		if (status == CU_SKIP)
			return CU_SKIP;
		if (status) {
			fprintf(stderr, "%s: status %d\n", cases[i].name, status);
			return 1;
		}
	}
	return 0;
}
