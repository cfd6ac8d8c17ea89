/*
 * Memory, events, descriptors and pools of another process: what it sees, what ends when, and handles that are none.
 * Natively and over a server the same, but for what only a server can promise ($PLENUM).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cu.h"

#define BYTES   (1u << 20) /* over shared memory such an allocation lies in it at first */
#define GRANULE (2u << 20)

static int ours, theirs;

struct passed {
	CUipcMemHandle memory;
	CUipcEventHandle event;
};

/* ---- the two processes in step ---- */

static void step_say(int fd)
{
	check(write(fd, "x", 1) == 1);
}

static void step_wait(int fd)
{
	char byte;

	check(read(fd, &byte, 1) == 1);
}

static void fd_pass(int to, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec byte = { "f", 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	check(sendmsg(to, &message, 0) == 1);
}

static int fd_take(int from)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec room = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &room, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int fd;

	check(recvmsg(from, &message, 0) == 1 && CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static void word_is(CUdeviceptr at, uint32_t want)
{
	uint32_t got = ~want;

	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, sizeof(got)));
	if (got != want)
		fprintf(stderr, "%#x, not %#x\n", got, want);
	check(got == want);
}

/* ---- the other process ---- */

static void other_sees_and_outlives(void)
{
	struct passed passed;
	CUdeviceptr at, again;
	CUevent event;

	check(read(theirs, &passed, sizeof(passed)) == sizeof(passed));
	cu_ok(cu(cuIpcOpenMemHandle_v2)(&at, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	cu_ok(cu(cuIpcOpenEventHandle)(&event, passed.event));
	cu_is_by_reference(
		cu(cuIpcOpenMemHandle_v2)(&again, *(CUipcMemHandle *)&passed.event, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
		CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuEventSynchronize)(event));
	word_is(at, 0x11111111);
	word_is(at + BYTES - 4, 0x22222222); /* what the first process wrote itself, before */
	cu_ok(cu(cuMemsetD32_v2)(at + 8, 0x33333333, 1));
	cu_ok(cu(cuCtxSynchronize)());
	step_say(theirs);
	step_wait(theirs); /* it has written */
	word_is(at + 12, 0x44444444);
	step_say(theirs);
	step_wait(theirs); /* it has freed its memory, and has other of this size */
	word_is(at + 12, 0x44444444);
	cu_is_by_reference(cu(cuIpcOpenMemHandle_v2)(&again, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
			   CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuIpcCloseMemHandle)(at));
	cu_is_by_reference(cu(cuIpcCloseMemHandle)(at), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuEventDestroy_v2)(event));
}

/* At one address or at two; it is there until it has been closed as often. */
static void other_opens_twice(void)
{
	struct passed passed;
	CUdeviceptr at[2];
	uint32_t got = 0;

	check(read(theirs, &passed, sizeof(passed)) == sizeof(passed));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuIpcOpenMemHandle_v2)(&at[i], passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	word_is(at[0], 0x11111111);
	word_is(at[1], 0x11111111);
	cu_ok(cu(cuIpcCloseMemHandle)(at[1]));
	cu_ok(cu(cuMemcpy)((uintptr_t)&got, at[0], 4)); /* it is known as a device's */
	check(got == 0x11111111);
	cu_ok(cu(cuMemcpyDtoD_v2)(at[0] + 4, at[0], 4));
	word_is(at[0] + 4, 0x11111111);
	cu_ok(cu(cuIpcCloseMemHandle)(at[0]));
	cu_is_by_reference(cu(cuIpcCloseMemHandle)(at[0]), CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(cu(cuMemsetD32_v2)(at[0], 1, 1), CUDA_ERROR_INVALID_VALUE);
	step_say(theirs);
	step_wait(theirs);
}

static atomic_int gate;

static void CUDA_CB hold(void *user)
{
	(void)user;
	while (!atomic_load(&gate))
		usleep(1000);
}

/* Nothing of one's own is under way, and the event was ready before. */
static void other_hears_of_what_is_recorded_again(void)
{
	struct passed passed;
	CUevent event;

	check(read(theirs, &passed, sizeof(passed)) == sizeof(passed));
	cu_ok(cu(cuIpcOpenEventHandle)(&event, passed.event));
	cu_ok(cu(cuEventSynchronize)(event));
	cu_ok(cu(cuEventQuery)(event));
	cu_ok(cu(cuCtxSynchronize)());
	step_say(theirs);
	step_wait(theirs); /* it has recorded it behind what it holds */
	for (int i = 0; i < 3; i++)
		cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
	step_say(theirs);
	cu_ok(cu(cuEventSynchronize)(event)); /* it lets go */
	cu_ok(cu(cuEventQuery)(event));
	step_wait(theirs);
	cu_ok(cu(cuEventDestroy_v2)(event));
}

static void test_an_event_that_another_process_records_again(void)
{
	struct passed passed = { 0 };
	CUstream stream;
	CUevent event;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuIpcGetEventHandle)(&passed.event, event));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(write(ours, &passed, sizeof(passed)) == sizeof(passed));
	step_wait(ours);
	cu_ok(cu(cuLaunchHostFunc)(stream, hold, NULL));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_NOT_READY);
	step_say(ours);
	step_wait(ours);
	atomic_store(&gate, 1);
	cu_ok(cu(cuStreamSynchronize)(stream));
	step_say(ours);
	step_wait(ours);
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void test_memory_and_event_of_another_process(void)
{
	uint32_t word = 0x22222222, *all = malloc(BYTES);
	struct passed passed, same;
	CUdeviceptr at, next;
	CUevent event;

	check(all);
	memset(all, 0x11, BYTES);
	cu_ok(cu(cuMemAlloc_v2)(&at, BYTES));
	cu_ok(cu(cuMemcpyHtoD_v2)(at, all, BYTES));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyHtoD_v2)(at + BYTES - 4, &word, 4)); /* nothing is under way */
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_INTERPROCESS | CU_EVENT_DISABLE_TIMING));
	cu_ok(cu(cuIpcGetMemHandle)(&passed.memory, at + 4096)); /* of what it lies in */
	cu_ok(cu(cuIpcGetMemHandle)(&same.memory, at));
	check(!memcmp(&same.memory, &passed.memory, sizeof(same.memory)));
	cu_ok(cu(cuIpcGetEventHandle)(&passed.event, event));
	cu_ok(cu(cuEventRecord)(event, NULL));
	check(cu(cuIpcOpenMemHandle_v2)(&next, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS) != CUDA_SUCCESS);
	check(write(ours, &passed, sizeof(passed)) == sizeof(passed));
	step_wait(ours);
	word_is(at + 8, 0x33333333);
	word = 0x44444444;
	cu_ok(cu(cuMemcpyHtoD_v2)(at + 12, &word, 4));
	cu_ok(cu(cuCtxSynchronize)());
	step_say(ours);
	step_wait(ours);
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuMemAlloc_v2)(&next, BYTES)); /* not what the other still has */
	cu_ok(cu(cuMemsetD32_v2)(next, 0x55555555, BYTES / 4));
	cu_ok(cu(cuCtxSynchronize)());
	step_say(ours);
	step_wait(ours);
	cu_ok(cu(cuMemFree_v2)(next));
	cu_ok(cu(cuEventDestroy_v2)(event));
	free(all);
}

static void test_memory_that_is_opened_twice(void)
{
	struct passed passed = { 0 };
	CUdeviceptr at;

	cu_ok(cu(cuMemAlloc_v2)(&at, BYTES));
	cu_ok(cu(cuMemsetD32_v2)(at, 0x11111111, 1));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuIpcGetMemHandle)(&passed.memory, at));
	check(write(ours, &passed, sizeof(passed)) == sizeof(passed));
	step_wait(ours);
	step_say(ours);
	step_wait(ours);
	cu_ok(cu(cuMemFree_v2)(at));
}

/* ---- descriptors ---- */

static CUdeviceptr map(CUmemGenericAllocationHandle allocation)
{
	CUmemAccessDesc access = { .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 },
				   .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CUdeviceptr at;

	cu_ok(cu(cuMemAddressReserve)(&at, GRANULE, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at, GRANULE, 0, allocation, 0));
	cu_ok(cu(cuMemSetAccess)(at, GRANULE, &access, 1));
	return at;
}

static void unmap(CUdeviceptr at)
{
	cu_ok(cu(cuMemUnmap)(at, GRANULE));
	cu_ok(cu(cuMemAddressFree)(at, GRANULE));
}

static CUresult import(CUmemGenericAllocationHandle *allocation, int fd)
{
	return cu(cuMemImportFromShareableHandle)(allocation, (void *)(intptr_t)fd,
						  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
}

static void other_maps_a_descriptor(void)
{
	CUmemGenericAllocationHandle allocation;
	int fd = fd_take(theirs);
	CUdeviceptr at;

	cu_ok(import(&allocation, fd));
	check(!close(fd)); /* the program's own */
	at = map(allocation);
	cu_ok(cu(cuMemRelease)(allocation));
	word_is(at + 4, 0x66666666);
	cu_ok(cu(cuMemsetD32_v2)(at + 8, 0x77777777, 1));
	cu_ok(cu(cuCtxSynchronize)());
	step_say(theirs);
	step_wait(theirs); /* the first process has let go of it */
	word_is(at + 8, 0x77777777);
	unmap(at);
}

static void test_a_descriptor_is_passed_on(void)
{
	CUmemAllocationProp prop = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
				     .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemGenericAllocationHandle allocation, plain;
	CUdeviceptr at;
	int fd = -1;

	cu_ok(cu(cuMemCreate)(&allocation, GRANULE, &prop, 0));
	at = map(allocation);
	cu_ok(cu(cuMemsetD32_v2)(at, 0x66666666, GRANULE / 4));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemExportToShareableHandle)(&fd, allocation, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
	fd_pass(ours, fd);
	check(!close(fd));
	step_wait(ours);
	word_is(at + 8, 0x77777777);
	cu_ok(cu(cuMemRelease)(allocation));
	unmap(at);
	step_say(ours);
	step_wait(ours);
	prop.requestedHandleTypes = CU_MEM_HANDLE_TYPE_NONE;
	cu_ok(cu(cuMemCreate)(&plain, GRANULE, &prop, 0));
	cu_is_by_reference(cu(cuMemExportToShareableHandle)(&fd, plain, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
			   CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(
		cu(cuMemExportToShareableHandle)(&fd, allocation, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
		CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemRelease)(plain));
}

/* ---- pools ---- */

struct pointers {
	CUmemPoolPtrExportData shared, freed, others; /* `others` is of another pool */
};

static CUmemoryPool pool_make(CUmemAllocationHandleType types)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .handleTypes = types,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemoryPool pool;

	cu_ok(cu(cuMemPoolCreate)(&pool, &props));
	return pool;
}

static CUdeviceptr pool_fill(CUmemoryPool pool, uint32_t word)
{
	CUdeviceptr at;

	cu_ok(cu(cuMemAllocFromPoolAsync)(&at, BYTES, pool, NULL));
	cu_ok(cu(cuMemsetD32Async)(at, word, BYTES / 4, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	return at;
}

static CUresult pool_export(CUmemoryPool pool, int *fd)
{
	return cu(cuMemPoolExportToShareableHandle)(fd, pool, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
}

static CUresult pool_import(CUmemoryPool *pool, int fd)
{
	return cu(cuMemPoolImportFromShareableHandle)(pool, (void *)(intptr_t)fd,
						      CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
}

static void pointers_that_are_none(CUmemoryPool pool, const struct pointers *pointers)
{
	CUmemPoolPtrExportData wrong = pointers->others;
	CUdeviceptr at;

	cu_is_by_reference(cu(cuMemPoolImportPointer)(&at, pool, &wrong), CUDA_ERROR_INVALID_VALUE);
	memset(&wrong, 0, sizeof(wrong));
	cu_is_by_reference(cu(cuMemPoolImportPointer)(&at, pool, &wrong), CUDA_ERROR_INVALID_VALUE);
	memset(&wrong, 0x5a, sizeof(wrong));
	cu_is_by_reference(cu(cuMemPoolImportPointer)(&at, pool, &wrong), CUDA_ERROR_INVALID_VALUE);
	for (size_t i = 0; i < 32; i++) {
		wrong = pointers->shared;
		((uint8_t *)&wrong)[i] ^= 0x40;
		cu_is_by_reference(cu(cuMemPoolImportPointer)(&at, pool, &wrong), CUDA_ERROR_INVALID_VALUE);
	}
}

static void other_uses_a_pool(void)
{
	int fd = fd_take(theirs), again;
	struct pointers pointers;
	CUdeviceptr at, late;
	CUmemoryPool pool;

	cu_ok(pool_import(&pool, fd));
	check(!close(fd));
	check(read(theirs, &pointers, sizeof(pointers)) == sizeof(pointers));
	pointers_that_are_none(pool, &pointers);
	cu_ok(cu(cuMemPoolImportPointer)(&at, pool, &pointers.shared));
	cu_ok(cu(cuMemPoolImportPointer)(&late, pool, &pointers.freed));
	word_is(at, 0x11111111);
	word_is(at + BYTES - 4, 0x11111111);
	word_is(late, 0x22222222);
	cu_ok(cu(cuMemsetD32_v2)(at + 8, 0x33333333, 1));
	cu_ok(cu(cuCtxSynchronize)());
	cu_is_by_reference(cu(cuMemAllocFromPoolAsync)(&late, BYTES, pool, NULL),
			   CUDA_ERROR_INVALID_VALUE); /* it can not allocate */
	cu_is_by_reference(cu(cuDeviceSetMemPool)(0, pool), CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(pool_export(pool, &again), CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(cu(cuMemPoolExportPointer)(&pointers.others, at), CUDA_ERROR_INVALID_VALUE);
	step_say(theirs);
	step_wait(theirs); /* it has freed the second allocation, which is still open here */
	cu_is_by_reference(cu(cuMemPoolImportPointer)(&late, pool, &pointers.freed), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFreeAsync)(late, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_is_by_reference(cu(cuMemFreeAsync)(late, NULL), CUDA_ERROR_INVALID_VALUE);
	step_say(theirs);
	step_wait(theirs); /* its pool has been destroyed */
	word_is(at + 8, 0x33333333);
	cu_ok(cu(cuMemPoolDestroy)(pool)); /* it goes with what came from it */
	word_is(at + 8, 0x33333333);
	cu_ok(cu(cuMemFree_v2)(at));
	cu_is_by_reference(cu(cuMemFree_v2)(at), CUDA_ERROR_INVALID_VALUE);
}

static void pools_that_can_not_be_had(void)
{
	CUmemoryPool plain = pool_make(CU_MEM_HANDLE_TYPE_NONE), pool;
	CUdeviceptr at = pool_fill(plain, 0);
	CUmemPoolPtrExportData data;
	int fd = -1, none[] = { -1, open("/dev/null", O_RDWR | O_CLOEXEC), memfd_create("none", MFD_CLOEXEC) };

	cu_is_by_reference(pool_export(plain, &fd), CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(cu(cuMemPoolExportPointer)(&data, at), CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(cu(cuMemPoolExportPointer)(&data, 4096), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFreeAsync)(at, NULL));
	cu_ok(cu(cuMemPoolDestroy)(plain));
	check(!ftruncate(none[2], 64 << 20));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cu_is_by_reference(pool_import(&pool, none[i]), CUDA_ERROR_INVALID_VALUE);
	close(none[1]), close(none[2]);
}

static void test_a_pool_of_another_process(void)
{
	CUmemoryPool pool = pool_make(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR),
		     second = pool_make(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
	CUdeviceptr at = pool_fill(pool, 0x11111111), freed = pool_fill(pool, 0x22222222),
		    others = pool_fill(second, 0x77777777);
	CUmemGenericAllocationHandle allocation;
	struct pointers pointers;
	int fd = -1, types = 0;

	cu_ok(cu(cuDeviceGetAttribute)(&types, CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES, 0));
	check(types & CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
	pools_that_can_not_be_had();
	cu_is_by_reference(cu(cuMemPoolExportToShareableHandle)(&fd, pool, CU_MEM_HANDLE_TYPE_FABRIC, 0),
			   CUDA_ERROR_INVALID_VALUE);
	cu_ok(pool_export(pool, &fd));
	cu_is_by_reference(import(&allocation, fd), CUDA_ERROR_INVALID_VALUE);
	fd_pass(ours, fd);
	check(!close(fd));
	cu_ok(cu(cuMemPoolExportPointer)(&pointers.shared, at));
	cu_ok(cu(cuMemPoolExportPointer)(&pointers.freed, freed));
	cu_is_by_reference(cu(cuMemPoolExportPointer)(&pointers.others, others), CUDA_SUCCESS);
	check(write(ours, &pointers, sizeof(pointers)) == sizeof(pointers));
	step_wait(ours);
	word_is(at + 8, 0x33333333);
	cu_ok(cu(cuMemFreeAsync)(freed, NULL)); /* before the other process: its bytes are nobody's */
	cu_ok(cu(cuStreamSynchronize)(NULL));
	freed = pool_fill(pool, 0x44444444);
	step_say(ours);
	step_wait(ours);
	word_is(freed, 0x44444444);
	cu_ok(cu(cuMemFreeAsync)(freed, NULL));
	cu_ok(cu(cuMemFreeAsync)(others, NULL));
	cu_ok(cu(cuMemPoolDestroy)(pool));
	cu_ok(cu(cuMemPoolDestroy)(second));
	cu_ok(cu(cuCtxSynchronize)());
	step_say(ours);
	step_wait(ours);
	cu_ok(cu(cuMemFreeAsync)(at, NULL));
	cu_ok(cu(cuCtxSynchronize)());
}

/* ---- handles that are none ---- */

/* ---- one handle, whoever asks ---- */

#define ASKERS 4

struct asker {
	pthread_barrier_t *together;
	CUcontext ctx;
	CUdeviceptr at;
	CUmemPoolPtrExportData data;
};

static void *asker_main(void *arg)
{
	struct asker *asker = arg;

	cu_ok(cu(cuCtxSetCurrent)(asker->ctx));
	pthread_barrier_wait(asker->together);
	cu_ok(cu(cuMemPoolExportPointer)(&asker->data, asker->at));
	return NULL;
}

/* Threads that export memory at once get the same, and what comes to its address later is something else. */
static void test_threads_that_export_memory_get_one_handle(void)
{
	CUmemoryPool pool = pool_make(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
	CUmemPoolPtrExportData before = { 0 };
	pthread_barrier_t together;
	CUcontext ctx;

	cu_ok(cu(cuCtxGetCurrent)(&ctx));
	check(!pthread_barrier_init(&together, NULL, ASKERS));
	for (int round = 0; round < 50; round++) {
		CUdeviceptr at = pool_fill(pool, 1);
		struct asker askers[ASKERS];
		pthread_t threads[ASKERS];

		for (int i = 0; i < ASKERS; i++) {
			askers[i] = (struct asker){ .together = &together, .ctx = ctx, .at = at };
			check(!pthread_create(&threads[i], NULL, asker_main, &askers[i]));
		}
		for (int i = 0; i < ASKERS; i++)
			pthread_join(threads[i], NULL);
		for (int i = 1; i < ASKERS; i++)
			check(!memcmp(&askers[i].data, &askers[0].data, sizeof(before)));
		check(memcmp(&askers[0].data, &before, sizeof(before)));
		before = askers[0].data;
		cu_ok(cu(cuMemFreeAsync)(at, NULL));
		cu_ok(cu(cuStreamSynchronize)(NULL));
	}
	pthread_barrier_destroy(&together);
	cu_ok(cu(cuMemPoolDestroy)(pool));
}

static void other_tries(void)
{
	CUmemGenericAllocationHandle allocation;
	struct passed passed, wrong;
	CUdeviceptr at;
	CUevent event;
	int fd, none[2] = { -1, open("/dev/null", O_RDWR | O_CLOEXEC) };

	check(read(theirs, &passed, sizeof(passed)) == sizeof(passed));
	memset(&wrong, 0x5a, sizeof(wrong));
	cu_is_by_reference(cu(cuIpcOpenMemHandle_v2)(&at, wrong.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
			   CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(cu(cuIpcOpenEventHandle)(&event, wrong.event), CUDA_ERROR_INVALID_VALUE);
	memset(&wrong, 0, sizeof(wrong));
	cu_is_by_reference(cu(cuIpcOpenMemHandle_v2)(&at, wrong.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
			   CUDA_ERROR_INVALID_VALUE);
	cu_is_by_reference(cu(cuIpcOpenEventHandle)(&event, *(CUipcEventHandle *)&passed.memory),
			   CUDA_ERROR_INVALID_VALUE);
	for (size_t i = 0; i < sizeof(wrong.memory) && getenv("PLENUM"); i++) {
		wrong = passed; /* a token has no neighbours */
		((uint8_t *)&wrong.memory)[i] ^= 1;
		cu_is_by_reference(cu(cuIpcOpenMemHandle_v2)(&at, wrong.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
				   CUDA_ERROR_INVALID_VALUE);
	}
	cu_is_by_reference(cu(cuIpcOpenMemHandle_v2)(&at, passed.memory, ~0u), CUDA_ERROR_INVALID_VALUE);
	fd = memfd_create("none", MFD_CLOEXEC);
	check(fd >= 0 && pwrite(fd, &passed.memory, sizeof(passed.memory), 0) == sizeof(passed.memory));
	cu_is_by_reference(import(&allocation, fd), CUDA_ERROR_INVALID_VALUE);
	for (int i = 0; i < 2; i++)
		cu_is_by_reference(import(&allocation, none[i]), CUDA_ERROR_INVALID_VALUE);
	close(fd), close(none[1]);
	cu_ok(cu(cuIpcOpenMemHandle_v2)(&at, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS)); /* all the same */
	cu_ok(cu(cuIpcCloseMemHandle)(at));
}

static void test_handles_that_are_none(void)
{
	struct passed passed = { 0 };
	CUipcEventHandle handle;
	CUdeviceptr at;
	CUevent event;

	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	cu_ok(cu(cuIpcGetMemHandle)(&passed.memory, at));
	cu_is_by_reference(cu(cuIpcGetMemHandle)(&passed.memory, 4096), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING)); /* of this process alone */
	cu_is_by_reference(cu(cuIpcGetEventHandle)(&handle, event), CUDA_ERROR_INVALID_VALUE);
	check(write(ours, &passed, sizeof(passed)) == sizeof(passed));
	step_wait(ours);
	cu_ok(cu(cuEventDestroy_v2)(event));
	cu_ok(cu(cuMemFree_v2)(at));
}

/* ---- who ends first ---- */

static void other_stays(void)
{
	int fd = fd_take(theirs);
	CUdeviceptr at, again, kept;
	struct pointers pointers;
	struct passed passed;
	CUmemoryPool pool;
	char byte;

	check(read(theirs, &passed, sizeof(passed)) == sizeof(passed));
	check(read(theirs, &pointers, sizeof(pointers)) == sizeof(pointers));
	cu_ok(cu(cuIpcOpenMemHandle_v2)(&at, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	cu_ok(pool_import(&pool, fd));
	cu_ok(cu(cuMemPoolImportPointer)(&kept, pool, &pointers.shared));
	step_say(theirs);
	while (read(theirs, &byte, 1) > 0) /* until the first process has ended */
		;
	for (int i = 0; i < 500; i++) { /* a server sees that a little later */
		if (cu(cuIpcOpenMemHandle_v2)(&again, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS))
			break;
		cu_ok(cu(cuIpcCloseMemHandle)(again));
		usleep(10000);
	}
	cu_is_by_reference(cu(cuIpcOpenMemHandle_v2)(&again, passed.memory, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
			   CUDA_ERROR_INVALID_VALUE);
	word_is(at + 16, 0x66666666);
	cu_ok(cu(cuMemsetD32_v2)(at, 1, 1));
	word_is(at, 1);
	cu_ok(cu(cuIpcCloseMemHandle)(at));
	word_is(kept + BYTES - 4, 0x88888888);
	if (getenv("PLENUM")) { /* a server's tokens end with the session */
		cu_is_by_reference(cu(cuMemPoolImportPointer)(&again, pool, &pointers.others),
				   CUDA_ERROR_INVALID_VALUE);
		cu_is_by_reference(pool_import(&pool, fd), CUDA_ERROR_INVALID_VALUE);
	}
	check(!close(fd));
	cu_ok(cu(cuMemFreeAsync)(kept, NULL));
	cu_ok(cu(cuStreamSynchronize)(NULL));
}

/* In a process of its own, which ends without a word. */
static void first_ends(void)
{
	struct pointers pointers = { 0 };
	struct passed passed = { 0 };
	CUmemoryPool pool;
	CUdeviceptr at;
	int fd = -1;

	cu_begin();
	pool = pool_make(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
	cu_ok(cu(cuMemPoolExportPointer)(&pointers.shared, pool_fill(pool, 0x88888888)));
	cu_ok(cu(cuMemPoolExportPointer)(&pointers.others, pool_fill(pool, 0x99999999)));
	cu_ok(pool_export(pool, &fd));
	cu_ok(cu(cuMemAlloc_v2)(&at, BYTES));
	cu_ok(cu(cuMemsetD32_v2)(at, 0x66666666, BYTES / 4));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuIpcGetMemHandle)(&passed.memory, at));
	fd_pass(ours, fd);
	check(write(ours, &passed, sizeof(passed)) == sizeof(passed));
	check(write(ours, &pointers, sizeof(pointers)) == sizeof(pointers));
	step_wait(ours);
	_exit(0);
}

/* ---- all ---- */

int main(void)
{
	void (*const others[])(
		void) = { other_sees_and_outlives, other_opens_twice, other_hears_of_what_is_recorded_again,
			  other_maps_a_descriptor, other_uses_a_pool, other_tries };
	int ends[2], status;
	pid_t pid;

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ours = ends[0], theirs = ends[1];
	pid = fork();
	if (!pid) {
		close(ours);
		if (getenv("PLENUM_TEST_OTHER")) /* the same server, by another link */
			setenv("PLENUM", getenv("PLENUM_TEST_OTHER"), 1);
		cu_begin();
		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			others[i]();
			step_say(theirs);
		}
		other_stays();
		_exit(0);
	}
	close(theirs);
	if (!fork()) { /* it has no driver yet, and will end while the other process goes on */
		cu_begin();
		cu_run(test_memory_and_event_of_another_process);
		cu_run(test_memory_that_is_opened_twice);
		cu_run(test_an_event_that_another_process_records_again);
		cu_run(test_a_descriptor_is_passed_on);
		cu_run(test_a_pool_of_another_process);
		cu_run(test_threads_that_export_memory_get_one_handle);
		cu_run(test_handles_that_are_none);
		fflush(stdout);
		_exit(0);
	}
	check(wait(&status) > 0 && WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		return 77; /* no device */
	check(!WEXITSTATUS(status));
	if (!fork())
		first_ends();
	close(ours);
	for (int i = 0; i < 2; i++) {
		check(wait(&status) > 0);
		check(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	puts("who has it open keeps it when the other process ends");
	return 0;
}
