/*
 * Threads that share streams and channels, contexts that fail, streams that go: nobody waits for ever.  Each test is a
 * process of its own, with a limit, and a context of which nothing is left.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "cu.h"

#define LIMIT_S 60u

/* `spin` takes its time and stores what it was given; `stray` waits for a word and then stores where nothing is. */
static const char text[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
			   ".visible .entry spin(.param .u64 at, .param .u32 value, .param .u32 rounds)\n{\n"
			   ".reg .u64 %a;\n.reg .u32 %n, %v;\n.reg .pred %p;\n"
			   "ld.param.u64 %a, [at]; ld.param.u32 %v, [value]; ld.param.u32 %n, [rounds];\n"
			   "AGAIN: sub.u32 %n, %n, 1; setp.gt.s32 %p, %n, 0; @%p bra AGAIN;\n"
			   "st.global.u32 [%a], %v; ret;\n}\n"
			   ".visible .entry stray(.param .u64 flag)\n{\n"
			   ".reg .u64 %a;\n.reg .u32 %v;\n.reg .pred %p;\n"
			   "ld.param.u64 %a, [flag];\n"
			   "AGAIN: ld.volatile.global.u32 %v, [%a]; setp.eq.u32 %p, %v, 0; @%p bra AGAIN;\n"
			   "mov.u64 %a, 16; st.global.u32 [%a], %v; ret;\n}\n";

static CUcontext context;
static CUfunction spin, stray;
static CUmodule module;

static void begin(void)
{
	alarm(LIMIT_S);
	context = cu_begin();
	cu_ok(cu(cuModuleLoadData)(&module, text));
	spin = cu_function(module, "spin");
	stray = cu_function(module, "stray");
}

/* In a process of its own: the limit ends it. */
static void apart(void (*fn)(void *arg), void *arg)
{
	int status = cu_child(fn, arg);
	if (status == CU_SKIP)
		exit(CU_SKIP);
	check(status == 0);
}

static CUresult spin_run(CUstream stream, CUdeviceptr at, unsigned int value, unsigned int rounds)
{
	void *params[] = { &at, &value, &rounds };
	return cu(cuLaunchKernel)(spin, 1, 1, 1, 1, 1, 1, 0, stream, params, NULL);
}

static CUdeviceptr words(size_t n)
{
	CUdeviceptr at;
	cu_ok(cu(cuMemAlloc_v2)(&at, 4 * n));
	cu_ok(cu(cuMemsetD32_v2)(at, 0, n));
	cu_ok(cu(cuCtxSynchronize)()); /* no stream here waits for it by itself */
	return at;
}

/* -- a stream that threads share ----------------------------------------------------------------------------------- */

#define COPY_BYTES  65536u /* as much as a copy takes with it: a few fill what a stream has for that */
#define COPY_ROUNDS 300u

static CUstream shared;
static atomic_bool over;

static void *copier_main(void *unused)
{
	static unsigned char host[64];
	CUdeviceptr at;
	(void)unused;
	cu_ok(cu(cuCtxSetCurrent)(context));
	at = words(16);
	while (!atomic_load(&over))
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(at, host, sizeof(host), shared));
	return NULL;
}

static void *launcher_main(void *unused)
{
	CUdeviceptr at;
	(void)unused;
	cu_ok(cu(cuCtxSetCurrent)(context));
	at = words(1);
	while (!atomic_load(&over))
		cu_ok(spin_run(shared, at, 1, 1));
	return NULL;
}

static void sharing_child(void *unused)
{
	void *(*mains[])(void *) = { copier_main, copier_main, launcher_main };
	enum { THREADS = sizeof(mains) / sizeof(mains[0]) };
	static unsigned char host[COPY_BYTES];
	pthread_t threads[THREADS];
	CUdeviceptr at, word;
	CUevent event;
	unsigned int got;
	(void)unused;
	begin();
	at = words(COPY_BYTES / 4);
	word = words(1);
	cu_ok(cu(cuStreamCreate)(&shared, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuEventCreate)(&event, 0));
	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&threads[i], NULL, mains[i], NULL));
	for (unsigned int i = 1; i <= COPY_ROUNDS; i++) {
		memset(host, (int)i, sizeof(host));
		cu_ok(spin_run(shared, word, i, 1000));
		cu_ok(cu(cuEventRecord)(event, shared));
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(at, host, sizeof(host), shared));
	}
	atomic_store(&over, true);
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL));
	cu_ok(cu(cuStreamSynchronize)(shared));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, word, 4));
	check(got == COPY_ROUNDS);
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check((got & 0xff) == (COPY_ROUNDS & 0xff));
	cu_ok(cu(cuCtxDestroy_v2)(context));
}

static void test_threads_fill_one_stream(void)
{
	apart(sharing_child, NULL);
}

/* -- channels that streams share ----------------------------------------------------------------------------------- */

#define STREAMS      520u /* more than there are channels */
#define STREAMS_MORE 400u

static _Atomic(CUstream) newest;

static void *newest_main(void *unused)
{
	CUdeviceptr at;
	(void)unused;
	cu_ok(cu(cuCtxSetCurrent)(context));
	at = words(1);
	while (!atomic_load(&over))
		cu_ok(spin_run(atomic_load(&newest), at, 1, 1));
	return NULL;
}

static void crowd_child(void *unused)
{
	static CUstream streams[STREAMS + STREAMS_MORE];
	pthread_t thread;
	CUdeviceptr at;
	unsigned int got;
	(void)unused;
	begin();
	at = words(1);
	for (unsigned int i = 0; i < STREAMS + STREAMS_MORE; i++) {
		cu_ok(cu(cuStreamCreate)(&streams[i], i % 2 ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING));
		if (i == STREAMS)
			check(!pthread_create(&thread, NULL, newest_main, NULL));
		cu_ok(spin_run(streams[i], at, i, 1));
		atomic_store(&newest, streams[i]);
		if (i % 100 == 99) /* which all blocking streams come before */
			cu_ok(spin_run(CU_STREAM_LEGACY, at, i, 1));
	}
	atomic_store(&over, true);
	check(!pthread_join(thread, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check(got == STREAMS + STREAMS_MORE - 1);
	for (unsigned int i = 0; i < STREAMS + STREAMS_MORE; i++)
		cu_ok(cu(cuStreamDestroy_v2)(streams[i]));
	cu_ok(cu(cuCtxDestroy_v2)(context));
}

static void test_more_streams_than_channels_are_used_while_more_are_made(void)
{
	apart(crowd_child, NULL);
}

/* -- contexts that fail -------------------------------------------------------------------------------------------- */

#define COPIES 3000u /* more than wait in a channel */

static unsigned int *word_of_host(void)
{
	unsigned int *word;
	cu_ok(cu(cuMemHostAlloc)((void **)&word, sizeof(*word), CU_MEMHOSTALLOC_PORTABLE));
	*word = 0;
	return word;
}

static void stray_run(CUstream stream, unsigned int *flag)
{
	CUdeviceptr at = (CUdeviceptr)(uintptr_t)flag;
	cu_ok(cu(cuLaunchKernel)(stray, 1, 1, 1, 1, 1, 1, 0, stream, (void *[]){ &at }, NULL));
}

static void *set_later_main(void *flag)
{
	cu_nap_ms(300);
	atomic_store((atomic_uint *)flag, 1);
	return NULL;
}

static void full_child(void *unused)
{
	CUresult result = CUDA_SUCCESS;
	unsigned int *flag;
	pthread_t thread;
	CUstream stream;
	CUdeviceptr at;
	(void)unused;
	begin();
	at = words(2);
	flag = word_of_host();
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	stray_run(stream, flag);
	check(!pthread_create(&thread, NULL, set_later_main, flag));
	for (unsigned int i = 0; i < COPIES && !result; i++)
		result = cu(cuMemcpyDtoDAsync_v2)(at, at + 4, 4, stream);
	cu_is(result ? result : cu(cuStreamSynchronize)(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
	check(!pthread_join(thread, NULL));
	cu_ok(cu(cuCtxDestroy_v2)(context));
}

static void test_who_waits_for_room_in_a_stream_is_told_that_it_has_failed(void)
{
	apart(full_child, NULL);
}

/* What the second context waits for: events of the first, one of them recorded again, and a graph's last launch. */
static void others_child(void *unused)
{
	enum { WAITERS = 3 };
	CUDA_MEMSET_NODE_PARAMS set = { .elementSize = 4, .width = 1, .height = 1, .value = 5 };
	CUstream failing, waiting[WAITERS];
	CUevent events[2];
	CUgraphExec exec;
	CUgraphNode node;
	CUcontext other;
	CUgraph graph;
	unsigned int *flag, got;
	(void)unused;
	begin();
	flag = word_of_host();
	cu_ok(cu(cuStreamCreate)(&failing, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	set.dst = words(1);
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemsetNode)(&node, graph, NULL, 0, &set, other));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuCtxSetCurrent)(context));
	stray_run(failing, flag);
	for (int i = 0; i < 2; i++) {
		cu_ok(cu(cuEventCreate)(&events[i], 0));
		cu_ok(cu(cuEventRecord)(events[i], failing));
	}
	cu_ok(cu(cuGraphLaunch)(exec, failing));
	cu_ok(cu(cuCtxSetCurrent)(other));
	for (int i = 0; i < WAITERS; i++)
		cu_ok(cu(cuStreamCreate)(&waiting[i], CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamWaitEvent)(waiting[0], events[0], 0));
	cu_ok(cu(cuStreamWaitEvent)(waiting[1], events[1], 0));
	cu_ok(cu(cuGraphLaunch)(exec, waiting[2]));
	cu_ok(cu(cuCtxSetCurrent)(context));
	cu_ok(cu(cuEventRecord)(events[1], failing));
	cu_ok(cu(cuCtxSetCurrent)(other));
	cu_nap_ms(20);
	for (int i = 0; i < WAITERS; i++)
		cu_is(cu(cuStreamQuery)(waiting[i]), CUDA_ERROR_NOT_READY);
	atomic_store((atomic_uint *)flag, 1);
	for (int i = 0; i < WAITERS; i++)
		cu_ok(cu(cuStreamSynchronize)(waiting[i]));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, set.dst, 4));
	check(got == 5);
	cu_is(cu(cuStreamWaitEvent)(waiting[0], events[1], 0), CUDA_ERROR_ILLEGAL_ADDRESS);
	cu_ok(cu(cuCtxDestroy_v2)(context));
	for (int i = 0; i < WAITERS; i++)
		cu_ok(cu(cuStreamSynchronize)(waiting[i]));
	cu_ok(cu(cuGraphLaunch)(exec, waiting[0]));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuCtxDestroy_v2)(other));
}

static void test_contexts_that_wait_for_one_that_fails_go_on(void)
{
	apart(others_child, NULL);
}

#define CROWD   10000u
#define WAITERS 8u

/* So many streams that stopping them takes time. */
static void crowd_make(void)
{
	CUstream stream;
	for (unsigned int i = 0; i < CROWD; i++)
		cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
}

/* What waits for the failed work in its own context is not done: nothing is stored in the other's memory. */
static void own_child(void *destroys)
{
	CUstream failing, waiting[2 * WAITERS];
	unsigned int *flag, got;
	CUdeviceptr told;
	CUcontext other;
	CUevent event;
	begin();
	flag = word_of_host();
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	told = words(1);
	cu_ok(cu(cuCtxSetCurrent)(context));
	cu_ok(cu(cuEventCreate)(&event, 0));
	for (unsigned int i = 0; i < WAITERS; i++)
		cu_ok(cu(cuStreamCreate)(&waiting[i], CU_STREAM_NON_BLOCKING));
	crowd_make();
	cu_ok(cu(cuStreamCreate)(&failing, CU_STREAM_NON_BLOCKING));
	for (unsigned int i = WAITERS; i < 2 * WAITERS; i++)
		cu_ok(cu(cuStreamCreate)(&waiting[i], CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuCtxSynchronize)());
	stray_run(failing, flag);
	cu_ok(cu(cuEventRecord)(event, failing));
	for (unsigned int i = 0; i < 2 * WAITERS; i++) {
		cu_ok(cu(cuStreamWaitEvent)(waiting[i], event, 0));
		cu_ok(spin_run(waiting[i], told, 1, 1));
	}
	if (destroys)
		cu_ok(cu(cuStreamDestroy_v2)(failing));
	atomic_store((atomic_uint *)flag, 1);
	cu_is(cu(cuCtxSynchronize)(), CUDA_ERROR_ILLEGAL_ADDRESS);
	cu_ok(cu(cuCtxDestroy_v2)(context));
	cu_ok(cu(cuCtxSetCurrent)(other));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, told, 4));
	check(got == 0);
	cu_ok(cu(cuCtxDestroy_v2)(other));
}

static void test_what_waits_for_failed_work_in_its_context_is_not_done(void)
{
	bool destroys = false;
	apart(own_child, NULL);
	apart(own_child, &destroys);
}

/* Not called; its step in the stream comes all the same. */
static void unused_fn(void *called)
{
	atomic_store((atomic_uint *)called, 1);
}

static void function_child(void *unused)
{
	static unsigned int called;
	CUstream failing;
	unsigned int *flag, got;
	CUdeviceptr told, from;
	CUcontext other;
	(void)unused;
	begin();
	flag = word_of_host();
	from = words(1);
	cu_ok(cu(cuMemsetD32_v2)(from, 1, 1));
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	told = words(1);
	cu_ok(cu(cuCtxSetCurrent)(context));
	cu_ok(cu(cuStreamCreate)(&failing, CU_STREAM_NON_BLOCKING));
	crowd_make();
	stray_run(failing, flag);
	cu_ok(cu(cuLaunchHostFunc)(failing, unused_fn, &called));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(told, from, 4, failing));
	atomic_store((atomic_uint *)flag, 1);
	cu_is(cu(cuCtxSynchronize)(), CUDA_ERROR_ILLEGAL_ADDRESS);
	cu_ok(cu(cuCtxDestroy_v2)(context));
	cu_ok(cu(cuCtxSetCurrent)(other));
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, told, 4));
	check(got == 0 && !called);
	cu_ok(cu(cuCtxDestroy_v2)(other));
}

static void test_what_follows_a_function_behind_failed_work_is_not_done(void)
{
	apart(function_child, NULL);
}

/* The reference GPU's engines run in who touches a register then: the kernel fails within the allocation. */
static void virtual_child(void *unused)
{
	unsigned int *flag;
	CUstream stream;
	CUdeviceptr at;
	(void)unused;
	check(!setenv("PLENUM_REFGPU_CLOCK", "virtual", 1));
	begin();
	flag = word_of_host();
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamWaitValue32_v2)(stream, (CUdeviceptr)(uintptr_t)flag, 1, CU_STREAM_WAIT_VALUE_EQ));
	stray_run(stream, flag);
	atomic_store((atomic_uint *)flag, 1);
	(void)cu(cuMemAlloc_v2)(&at, 1u << 20);
	cu_is(cu(cuStreamSynchronize)(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
	cu_ok(cu(cuCtxDestroy_v2)(context));
}

static void test_a_kernel_may_fail_within_an_allocation(void)
{
	apart(virtual_child, NULL);
}

int main(void)
{
	cu_run(test_threads_fill_one_stream);
	cu_run(test_more_streams_than_channels_are_used_while_more_are_made);
	cu_run(test_who_waits_for_room_in_a_stream_is_told_that_it_has_failed);
	cu_run(test_contexts_that_wait_for_one_that_fails_go_on);
	cu_run(test_what_waits_for_failed_work_in_its_context_is_not_done);
	cu_run(test_what_follows_a_function_behind_failed_work_is_not_done);
	cu_run(test_a_kernel_may_fail_within_an_allocation);
	return 0;
}
