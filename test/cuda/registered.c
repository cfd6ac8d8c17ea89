/* Registered memory of the program's own that kernels use by its address on the device: anywhere in a page, of any
 * kind. */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cu.h"

#define BESIDE 777.0f

static CUfunction add;

/* at[i] += at[i] */
static void twice(CUdeviceptr at, int n, CUstream stream)
{
	void *params[] = { &at, &at, &at, &n };

	cu_ok(cu(cuLaunchKernel)(add, (unsigned int)(n + 255) / 256, 1, 1, 256, 1, 1, 0, stream, params, NULL));
}

static CUdeviceptr enter(float *own, size_t n)
{
	CUdeviceptr at;

	cu_ok(cu(cuMemHostRegister_v2)(own, n * sizeof(*own), CU_MEMHOSTREGISTER_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, own, 0));
	return at;
}

static void leave(float *own)
{
	cu_ok(cu(cuMemHostUnregister)(own));
}

/* Wherever it begins and ends; what lies beside it is the program's. */
static void test_kernels_see_what_was_written_and_are_seen(void)
{
	static const struct {
		size_t from, count;
	} parts[] = { { 0, 1024 }, { 3, 20 }, { 1000, 60 }, { 5, 200000 } };
	float *own = malloc(300000 * sizeof(*own));

	check(own);
	for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
		float *part = own + parts[k].from;
		size_t n = parts[k].count;
		CUdeviceptr at;

		for (size_t i = 0; i < 300000; i++)
			own[i] = BESIDE;
		at = enter(part, n);
		for (int round = 0; round < 4; round++) {
			for (size_t i = 0; i < n; i++)
				part[i] = (float)i + (float)round;
			twice(at, (int)n, NULL);
			twice(at, (int)n, NULL);
			cu_ok(cu(cuCtxSynchronize)());
			for (size_t i = 0; i < n; i++)
				check(part[i] == 4 * ((float)i + (float)round));
		}
		leave(part);
		for (size_t i = 0; i < 300000; i++)
			check((i >= parts[k].from && i < parts[k].from + n) || own[i] == BESIDE);
	}
	free(own);
}

static void wait_event(CUstream stream)
{
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuEventDestroy_v2)(event));
}

static void poll_event(CUstream stream)
{
	CUevent event;

	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuEventRecord)(event, stream));
	while (cu(cuEventQuery)(event) == CUDA_ERROR_NOT_READY)
		;
	cu_ok(cu(cuEventDestroy_v2)(event));
}

static void wait_stream(CUstream stream)
{
	cu_ok(cu(cuStreamSynchronize)(stream));
}

static void poll_stream(CUstream stream)
{
	while (cu(cuStreamQuery)(stream) == CUDA_ERROR_NOT_READY)
		;
}

static void wait_contexts(CUstream stream)
{
	(void)stream;
	cu_ok(cu(cuCtxSynchronize_v2)(NULL));
}

static void test_every_way_to_wait_brings_it(void)
{
	static void (*const waits[])(CUstream) = { wait_event, poll_event, wait_stream, poll_stream, wait_contexts };
	float *own = malloc(500 * sizeof(*own));
	CUstream stream;
	CUdeviceptr at;

	check(own);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	at = enter(own, 500);
	for (size_t k = 0; k < sizeof(waits) / sizeof(waits[0]); k++) {
		for (int i = 0; i < 500; i++)
			own[i] = (float)i;
		twice(at, 500, stream);
		waits[k](stream);
		for (int i = 0; i < 500; i++)
			check(own[i] == 2.0f * (float)i);
	}
	leave(own);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	free(own);
}

/* In the stream's order, by the address that the program knows. */
static void test_copies_come_in_their_place(void)
{
	float *own = malloc(3000 * sizeof(*own)), back[1000];
	CUstream stream;
	CUdeviceptr at, other;

	check(own);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&other, sizeof(back)));
	at = enter(own, 3000);
	for (int i = 0; i < 3000; i++)
		own[i] = (float)i;
	twice(at, 3000, stream);
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(other, own + 100, sizeof(back), stream)); /* of what the kernel has written */
	twice(other, 1000, stream);
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(own + 2000, other, sizeof(back), stream));
	twice(at, 3000, stream);
	cu_ok(cu(cuStreamSynchronize)(stream));
	for (int i = 0; i < 3000; i++)
		check(own[i] == (i < 2000 ? 4.0f * (float)i : 8.0f * (float)(i - 1900)));
	cu_ok(cu(cuMemcpyDtoH_v2)(own + 7, other, sizeof(back)));
	cu_ok(cu(cuMemcpyHtoD_v2)(other, own + 6, sizeof(back)));
	cu_ok(cu(cuMemcpyDtoH_v2)(back, other, sizeof(back)));
	for (int i = 0; i < 1000; i++)
		check(own[7 + i] == 4.0f * (float)(i + 100) && back[i] == own[6 + i]);
	cu_ok(cu(cuMemcpy)((uintptr_t)own, (uintptr_t)(own + 1500), 400));
	check(!memcmp(own, own + 1500, 400));
	leave(own);
	cu_ok(cu(cuMemFree_v2)(other));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	free(own);
}

static float seen;

static void look(void *own)
{
	float *at = own;

	seen = at[10];
	at[10] = 5;
}

static void test_a_host_function_between_kernels_sees_and_is_seen(void)
{
	float *own = malloc(100 * sizeof(*own));
	CUstream stream;
	CUdeviceptr at;

	check(own);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	for (int i = 0; i < 100; i++)
		own[i] = (float)i;
	at = enter(own, 100);
	twice(at, 100, stream);
	cu_ok(cu(cuLaunchHostFunc)(stream, look, own));
	twice(at, 100, stream);
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(seen == 20 && own[10] == 10 && own[11] == 44);
	leave(own);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	free(own);
}

struct late {
	volatile float *own;
	atomic_bool begun;
	bool twice; /* it writes */
};

static void CUDA_CB write_late(void *arg)
{
	struct late *late = arg;

	atomic_store(&late->begun, true);
	cu_nap_ms(100);
	late->own[10]++;
	if (!late->twice)
		return;
	cu_nap_ms(100);
	late->own[10]++;
}

/* More than a queue has room for: what is launched last waits for what is ahead of it. */
static void fill(CUdeviceptr at, CUstream stream)
{
	for (int i = 0; i < 2500; i++)
		twice(at, 1, stream);
}

/* twice: another thread's calls see what it has written before it has written all. */
static void launch_behind_a_host_function(bool waits, bool writes_twice)
{
	float *own = malloc(200 * sizeof(*own));
	struct late late = { .own = own, .twice = writes_twice };
	CUdeviceptr at, device;
	CUstream stream;

	check(own);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&device, 4096));
	at = enter(own, 200);
	for (int round = 0; round < 3; round++) {
		atomic_store(&late.begun, false);
		for (int i = 0; i < 200; i++)
			own[i] = (float)i;
		twice(at, 100, stream);
		cu_ok(cu(cuLaunchHostFunc)(stream, write_late, &late));
		while (waits && !atomic_load(&late.begun))
			;
		fill(device, stream);
		if (waits)
			cu_nap_ms(150);
		own[150] = 7; /* beside what the kernels write */
		twice(at, 100, stream);
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(own[10] == 2 * (writes_twice ? 22.0f : 21.0f) && own[12] == 48 && own[150] == 7);
	}
	leave(own);
	cu_ok(cu(cuMemFree_v2)(device));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	free(own);
}

static void test_a_full_queue_behind_a_host_function_keeps_none_of_it(void)
{
	launch_behind_a_host_function(false, false);
}

static void test_what_a_host_function_writes_last_is_what_stays(void)
{
	launch_behind_a_host_function(true, true);
}

/* The program writes the second half while the device may still be at work in the first. */
static void test_neither_side_loses_what_it_writes_beside_the_other(void)
{
	float *own = malloc(2048 * sizeof(*own));
	CUdeviceptr at;

	check(own);
	for (int i = 0; i < 2048; i++)
		own[i] = 1;
	at = enter(own, 2048);
	for (int round = 1; round <= 20; round++) {
		twice(at, 1001, NULL);
		for (int i = 1001; i < 2048; i++)
			own[i] = (float)(round * i);
	}
	cu_ok(cu(cuCtxSynchronize)());
	for (int i = 0; i < 2048; i++)
		check(own[i] == (i < 1001 ? 1048576.0f : 20.0f * (float)i));
	leave(own);
	free(own);
}

static void test_what_was_not_waited_for_is_there_when_it_is_unregistered(void)
{
	float *own = malloc(70000 * sizeof(*own));
	CUdeviceptr at;

	check(own);
	for (int i = 0; i < 70000; i++)
		own[i] = (float)i;
	at = enter(own, 70000);
	twice(at, 70000, NULL);
	leave(own);
	for (int i = 0; i < 70000; i++)
		check(own[i] == 2.0f * (float)i);
	free(own);
}

/* Of a file, shared with others. */
static void test_shared_pages_are_the_devices_too(void)
{
	int fd = memfd_create("plenum-test", MFD_CLOEXEC);
	float *own, *other;
	CUdeviceptr at;

	check(fd >= 0 && !ftruncate(fd, 8192));
	own = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	other = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	check(own != MAP_FAILED && other != MAP_FAILED);
	for (int i = 0; i < 2048; i++)
		own[i] = (float)i;
	at = enter(own, 2048);
	twice(at, 2048, NULL);
	cu_ok(cu(cuCtxSynchronize)());
	for (int i = 0; i < 2048; i++)
		check(other[i] == 2.0f * (float)i);
	leave(own);
	munmap(own, 8192);
	munmap(other, 8192);
	close(fd);
}

static void test_its_addresses_are_told(void)
{
	float *own = malloc(100 * sizeof(*own));
	CUdeviceptr at = enter(own, 100), again;
	unsigned int flags, type = 0;

	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&again, own + 7, 0));
	check(again == at + 7 * sizeof(*own));
	cu_ok(cu(cuMemHostGetFlags)(&flags, own));
	check(flags & CU_MEMHOSTREGISTER_DEVICEMAP);
	cu_ok(cu(cuPointerGetAttribute)(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (uintptr_t)own));
	check(type == CU_MEMORYTYPE_HOST);
	cu_ok(cu(cuPointerGetAttribute)(&again, CU_POINTER_ATTRIBUTE_DEVICE_POINTER, (uintptr_t)own));
	check(again == at);
	leave(own);
	free(own);
}

/* Unmapped too early, by a program's mistake: a child of it has what the program has there now, or nothing. */
static void test_a_fork_behind_memory_that_was_unmapped(void)
{
	for (int again = 0; again < 2; again++) {
		size_t bytes = 16384;
		float *own = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int status;
		pid_t pid;

		check(own != MAP_FAILED);
		(void)enter(own, bytes / sizeof(*own));
		munmap(own, bytes);
		if (again) {
			check(mmap(own, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0) == own);
			for (size_t i = 0; i < bytes / sizeof(*own); i++)
				own[i] = BESIDE;
		}
		pid = fork();
		if (!pid) {
			for (size_t i = 0; again && i < bytes / sizeof(*own); i++)
				if (own[i] != BESIDE)
					_exit(1);
			_exit(0);
		}
		check(waitpid(pid, &status, 0) == pid && !status);
		leave(own);
		if (again)
			munmap(own, bytes);
	}
}

/* What the driver says to so much of it. */
static void large(size_t bytes)
{
	void *own = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *name = "?";
	CUdeviceptr at;

	check(own != MAP_FAILED);
	cu_ok(cu(cuMemHostRegister_v2)(own, bytes, CU_MEMHOSTREGISTER_DEVICEMAP));
	cu(cuGetErrorName)(cu(cuMemHostGetDevicePointer_v2)(&at, own, 0), &name);
	puts(name);
	cu_ok(cu(cuMemHostUnregister)(own));
	munmap(own, bytes);
}

/* Of more, where a part is registered already, and memory was freed that the driver could have back for it. */
static void large_beside(size_t bytes)
{
	float *own = malloc(8192);
	CUdeviceptr at;

	check(own);
	(void)enter(own, 2048);
	cu_ok(cu(cuMemAlloc_v2)(&at, 65536));
	cu_ok(cu(cuMemFree_v2)(at));
	large(bytes);
	leave(own);
	free(own);
}

int main(int argc, char **argv)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	CUmodule module;

	if (argc > 2 && !strcmp(argv[1], "large")) {
		large((size_t)atoi(argv[2]) << 10);
		return 0;
	}
	if (argc > 2 && !strcmp(argv[1], "beside")) {
		large_beside((size_t)atoi(argv[2]) << 10);
		return 0;
	}

	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	add = cu_function(module, "add");
	cu_run(test_kernels_see_what_was_written_and_are_seen);
	cu_run(test_every_way_to_wait_brings_it);
	cu_run(test_copies_come_in_their_place);
	cu_run(test_a_host_function_between_kernels_sees_and_is_seen);
	cu_run(test_a_full_queue_behind_a_host_function_keeps_none_of_it);
	cu_run(test_what_a_host_function_writes_last_is_what_stays);
	cu_run(test_neither_side_loses_what_it_writes_beside_the_other);
	cu_run(test_what_was_not_waited_for_is_there_when_it_is_unregistered);
	cu_run(test_shared_pages_are_the_devices_too);
	cu_run(test_its_addresses_are_told);
	cu_run(test_a_fork_behind_memory_that_was_unmapped);
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
