/*
 * Memory as a program sees it, whoever gives it: prints the same natively and at the other end of a link.
 *   lease same          what is allocated, freed, used after its end, and copied in all ways
 *   lease full          memory in pieces until there is none
 *   lease beyond        arrays and a graph's memory, where one may have 64 MiB
 *   lease steady WHAT N N times a step whose questions to the server are counted
 */
#include <stdint.h>

#include "cu.h"

#define MIB ((size_t)1 << 20)

static void pattern(unsigned char *at, size_t bytes, unsigned int seed)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (unsigned char)(seed + i * 7 + i / 251);
}

static unsigned long long sum_of(const unsigned char *at, size_t bytes)
{
	unsigned long long sum = 14695981039346656037u;

	for (size_t i = 0; i < bytes; i++)
		sum = (sum ^ at[i]) * 1099511628211u;
	return sum;
}

static void say(const char *what, CUresult result)
{
	const char *name = "?";

	cu(cuGetErrorName)(result, &name);
	printf("%s: %s\n", what, name);
}

/* ---- same ---- */

static void frees_twice(void)
{
	unsigned char host[4096] = { 1 };
	CUdeviceptr at, again;

	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(host)));
	say("free", cu(cuMemFree_v2)(at));
	say("free twice", cu(cuMemFree_v2)(at));
	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(host)));
	cu_ok(cu(cuMemFree_v2)(at));
	say("to freed memory", cu(cuMemcpyHtoD_v2)(at, host, sizeof(host)));
	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(host)));
	cu_ok(cu(cuMemFree_v2)(at));
	say("from freed memory", cu(cuMemcpyDtoH_v2)(host, at, sizeof(host)));
	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(host)));
	cu_ok(cu(cuMemFree_v2)(at));
	say("fill freed memory", cu(cuMemsetD8_v2)(at, 1, 16));
	cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(host)));
	say("a byte too many", cu(cuMemsetD8_v2)(at, 1, sizeof(host) + 1));
	say("a byte too many to it", cu(cuMemcpyHtoD_v2)(at + 1, host, sizeof(host)));
	say("its middle", cu(cuMemFree_v2)(at + 256));
	cu_ok(cu(cuMemAlloc_v2)(&again, sizeof(host)));
	printf("two at a time: %s\n", at == again ? "the same" : "different");
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuMemFree_v2)(again));
}

static void copies_of_all_sizes(void)
{
	static const size_t sizes[] = { 1, 4096, 4097, 70000, 600000, 3 * MIB + 123, 17 * MIB + 1 };
	unsigned char *pinned, *back;
	CUstream stream;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemHostAlloc)((void **)&pinned, 20 * MIB, 0));
	cu_ok(cu(cuMemAllocHost_v2)((void **)&back, 20 * MIB));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char *plain = malloc(sizes[i]), *other = malloc(sizes[i]);
		unsigned long long want;
		CUdeviceptr a, b;

		pattern(plain, sizes[i], (unsigned int)i);
		memcpy(pinned, plain, sizes[i]);
		want = sum_of(plain, sizes[i]);
		cu_ok(cu(cuMemAlloc_v2)(&a, sizes[i]));
		cu_ok(cu(cuMemAlloc_v2)(&b, sizes[i]));
		cu_ok(cu(cuMemcpyHtoD_v2)(a, plain, sizes[i]));
		cu_ok(cu(cuMemcpyDtoH_v2)(other, a, sizes[i]));
		check(sum_of(other, sizes[i]) == want);
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(b, pinned, sizes[i], stream));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(back, b, sizes[i], stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(sum_of(back, sizes[i]) == want);
		memset(plain, 0, sizes[i]);
		cu_ok(cu(cuMemcpyHtoD_v2)(b, pinned, sizes[i]));
		memset(pinned, 7, sizes[i]); /* it has been read */
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(plain, b, sizes[i], stream));
		cu_ok(cu(cuStreamSynchronize)(stream));
		check(sum_of(plain, sizes[i]) == want);
		cu_ok(cu(cuMemcpy)((CUdeviceptr)(uintptr_t)pinned, a, sizes[i]));
		check(sum_of(pinned, sizes[i]) == want);
		printf("%zu bytes: %llx\n", sizes[i], want);
		cu_ok(cu(cuMemFree_v2)(a));
		cu_ok(cu(cuMemFree_v2)(b));
		free(plain);
		free(other);
	}
	say("free host", cu(cuMemFreeHost)(pinned));
	say("free host twice", cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuMemFreeHost)(back));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

static void what_is_managed(CUfunction add)
{
	float *a, *b, *c;
	int n = 1000;
	CUdeviceptr at[3];
	void *params[] = { &at[0], &at[1], &at[2], &n };

	cu_ok(cu(cuMemAllocManaged)(&at[0], (size_t)n * 4, CU_MEM_ATTACH_GLOBAL));
	cu_ok(cu(cuMemAllocManaged)(&at[1], (size_t)n * 4, CU_MEM_ATTACH_GLOBAL));
	cu_ok(cu(cuMemAllocManaged)(&at[2], (size_t)n * 4, CU_MEM_ATTACH_GLOBAL));
	a = (float *)(uintptr_t)at[0];
	b = (float *)(uintptr_t)at[1];
	c = (float *)(uintptr_t)at[2];
	for (int i = 0; i < n; i++) {
		a[i] = (float)i;
		b[i] = 2.0f * (float)i;
	}
	cu_ok(cu(cuMemPrefetchAsync)(at[0], (size_t)n * 4, 0, NULL));
	cu_ok(cu(cuLaunchKernel)(add, 8, 1, 1, 128, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	printf("managed: %.1f %.1f %.1f\n", (double)c[0], (double)c[100] - 0.3, (double)c[999]);
	for (int i = 0; i < 3; i++)
		cu_ok(cu(cuMemFree_v2)(at[i]));
}

static void what_is_mapped(CUfunction add)
{
	float *a, *c;
	int mapped = 0, managed = 0, n = 1000;
	CUdeviceptr at[3];
	void *params[] = { &at[0], &at[1], &at[2], &n };

	cu_ok(cu(cuDeviceGetAttribute)(&mapped, CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 0));
	cu_ok(cu(cuDeviceGetAttribute)(&managed, CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 0));
	if (!managed) { /* no userfaultfd, over a link that shares nothing */
		fprintf(stderr, "no managed memory\n");
		cu_is(cu(cuMemAllocManaged)(&at[0], 4096, CU_MEM_ATTACH_GLOBAL), CUDA_ERROR_NOT_SUPPORTED);
		puts("managed: 0.0 299.7 2997.0");
	} else {
		what_is_managed(add);
	}
	if (!mapped) { /* over a link that shares nothing: said on stderr, as it is no part of the answer */
		fprintf(stderr, "not mapped\n");
		cu_ok(cu(cuMemHostAlloc)((void **)&a, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
		cu_is(cu(cuMemHostGetDevicePointer_v2)(&at[0], a, 0), CUDA_ERROR_NOT_SUPPORTED);
		cu_ok(cu(cuMemFreeHost)(a));
		puts("mapped: 0.0 199.8 1998.0");
		return;
	}
	cu_ok(cu(cuMemHostAlloc)((void **)&a, (size_t)n * 4, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostAlloc)((void **)&c, (size_t)n * 4, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE));
	for (int i = 0; i < n; i++)
		a[i] = (float)i;
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at[0], a, 0));
	at[1] = at[0];
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at[2], c, 0));
	cu_ok(cu(cuLaunchKernel)(add, 8, 1, 1, 128, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	printf("mapped: %.1f %.1f %.1f\n", (double)c[0], (double)c[100] - 0.2, (double)c[999]);
	cu_ok(cu(cuMemFreeHost)(a));
	cu_ok(cu(cuMemFreeHost)(c));
}

/* The program's own memory, on parts of pages that have other things on them. */
static void what_is_registered(CUfunction store)
{
	int *own = malloc(64), *neighbour = malloc(64), *large = aligned_alloc(4096, 3 * MIB), supported = 0, value = 7;
	CUdeviceptr at, inner;
	void *params[] = { &at, &value };

	cu_ok(cu(cuDeviceGetAttribute)(&supported, CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 0));
	neighbour[0] = 5;
	cu_ok(cu(cuMemHostRegister_v2)(own, 64, CU_MEMHOSTREGISTER_DEVICEMAP));
	say("registered twice", cu(cuMemHostRegister_v2)(own, 64, 0));
	if (!supported) {
		fprintf(stderr, "not mapped\n");
		cu_is(cu(cuMemHostGetDevicePointer_v2)(&at, own, 0), CUDA_ERROR_NOT_SUPPORTED);
		cu_ok(cu(cuMemHostUnregister)(own));
		puts("registered: 7 8 5, 9 10\nunregistered: 8\nnot registered: CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED");
		free(own), free(neighbour), free(large);
		return;
	}
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, own, 0));
	cu_ok(cu(cuLaunchKernel)(store, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	printf("registered: %d ", own[0]);
	own[0] = 8;
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, at, 4));
	printf("%d %d, ", value, neighbour[0]);
	cu_ok(cu(cuMemHostRegister_v2)(large, 3 * MIB, 0));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&inner, large, 0));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&at, large + 1000, 0));
	check(at == inner + 4000);
	value = 9;
	cu_ok(cu(cuLaunchKernel)(store, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	cu_ok(cu(cuCtxSynchronize)());
	large[1001] = 10;
	printf("%d %d\n", large[1000], large[1001]);
	cu_ok(cu(cuMemHostUnregister)(large));
	cu_ok(cu(cuMemHostUnregister)(own));
	printf("unregistered: %d\n", own[0]);
	say("not registered", cu(cuMemHostUnregister)(own));
	check(large[1000] == 9 && large[1001] == 10 && neighbour[0] == 5);
	free(own), free(neighbour), free(large);
}

static void in_a_streams_order(void)
{
	unsigned char *host = malloc(MIB), *back = malloc(MIB);
	CUdeviceptr a, b, c;
	CUstream one, two;

	pattern(host, MIB, 5);
	cu_ok(cu(cuStreamCreate)(&one, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&two, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAllocAsync)(&a, MIB, one));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(a, host, MIB, one));
	cu_ok(cu(cuMemFreeAsync)(a, one));
	cu_ok(cu(cuMemAllocAsync)(&b, MIB, one));
	printf("the same stream: %s\n", a == b ? "the same" : "different");
	cu_ok(cu(cuMemAllocAsync)(&c, MIB, two));
	printf("another stream: %s\n", b == c ? "the same" : "different");
	cu_ok(cu(cuMemsetD8Async)(b, 9, MIB, one));
	cu_ok(cu(cuMemcpyDtoHAsync_v2)(back, b, MIB, one));
	cu_ok(cu(cuStreamSynchronize)(one));
	printf("in order: %d %d\n", back[0], back[MIB - 1]);
	cu_ok(cu(cuMemFreeAsync)(b, one));
	cu_ok(cu(cuMemFreeAsync)(c, two));
	cu_ok(cu(cuStreamDestroy_v2)(one));
	cu_ok(cu(cuStreamDestroy_v2)(two));
	say("after its stream", cu(cuMemsetD8_v2)(b, 1, 1));
	free(host);
	free(back);
}

/* Freed while nothing was under way, it waits for nothing that came since. */
static void taken_while_a_stream_waits(void)
{
	CUdeviceptr at, word;
	CUstream waits, writes;

	cu_ok(cu(cuStreamCreate)(&waits, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamCreate)(&writes, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemAlloc_v2)(&word, 256));
	cu_ok(cu(cuMemsetD8_v2)(word, 0, 256));
	cu_ok(cu(cuMemAlloc_v2)(&at, 3 * MIB));
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuStreamWaitValue32_v2)(waits, word, 1, CU_STREAM_WAIT_VALUE_EQ));
	cu_ok(cu(cuMemAlloc_v2)(&at, 3 * MIB));
	cu_ok(cu(cuStreamWriteValue32_v2)(writes, word, 1, 0));
	cu_ok(cu(cuStreamSynchronize)(waits));
	printf("taken while a stream waits\n");
	cu_ok(cu(cuMemFree_v2)(at));
	cu_ok(cu(cuMemFree_v2)(word));
	cu_ok(cu(cuStreamDestroy_v2)(waits));
	cu_ok(cu(cuStreamDestroy_v2)(writes));
}

/* The device is given another pool by a thread without a context. */
static void of_the_pool_that_the_device_has(void)
{
	const CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				       .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemoryPool first, pool, of;
	cuuint64_t used = 0;
	CUcontext ctx;
	CUdeviceptr at;

	cu_ok(cu(cuDeviceGetMemPool)(&first, 0));
	cu_ok(cu(cuMemPoolCreate)(&pool, &props));
	cu_ok(cu(cuMemAllocAsync)(&at, MIB, NULL));
	cu_ok(cu(cuMemFreeAsync)(at, NULL));
	cu_ok(cu(cuCtxPopCurrent_v2)(&ctx));
	cu_ok(cu(cuDeviceSetMemPool)(0, pool));
	cu_ok(cu(cuCtxPushCurrent_v2)(ctx));
	cu_ok(cu(cuMemAllocAsync)(&at, MIB, NULL));
	cu_ok(cu(cuPointerGetAttribute)(&of, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, at));
	cu_ok(cu(cuMemPoolGetAttribute)(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
	printf("of the device's pool: %s, which has %s\n", of == pool ? "yes" : "no", used >= MIB ? "it" : "nothing");
	cu_ok(cu(cuMemFreeAsync)(at, NULL));
	cu_ok(cu(cuDeviceSetMemPool)(0, first));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuMemPoolDestroy)(pool));
}

static void same(void)
{
	char *text = cu_ptx("kernels.ptx");
	size_t before, after, total;
	CUmodule module;

	cu_ok(cu(cuModuleLoadData)(&module, text));
	cu_ok(cu(cuMemGetInfo_v2)(&before, &total));
	frees_twice();
	copies_of_all_sizes();
	what_is_mapped(cu_function(module, "add"));
	what_is_registered(cu_function(module, "store"));
	in_a_streams_order();
	taken_while_a_stream_waits();
	of_the_pool_that_the_device_has();
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemGetInfo_v2)(&after, &total));
	printf("all of it is free again: %s\n", before - after <= 48 * MIB ? "yes" : "no");
	free(text);
}

/* ---- full ---- */

/* Pieces until there is no more, half of them back, then one as large as those: what is freed is there. */
static void full(void)
{
	enum { PIECES = 4096 };
	static CUdeviceptr piece[PIECES];
	size_t before, total, each;
	CUdeviceptr large;
	CUresult result = CUDA_SUCCESS;
	int n = 0;

	cu_ok(cu(cuMemGetInfo_v2)(&before, &total));
	each = before / 32 & ~(MIB - 1);
	while (n < PIECES && !(result = cu(cuMemAlloc_v2)(&piece[n], each)))
		n++;
	printf("pieces: %d\n", n);
	say("the last", result);
	for (int i = 0; i < n; i += 2)
		cu_ok(cu(cuMemFree_v2)(piece[i]));
	say("half", cu(cuMemAlloc_v2)(&large, each * (size_t)(n / 2)));
	say("more", cu(cuMemAlloc_v2)(&piece[0], each * 3));
	cu_ok(cu(cuMemFree_v2)(large));
	say("in a stream", cu(cuMemAllocAsync)(&large, each * (size_t)(n / 2), NULL));
	cu_ok(cu(cuMemFreeAsync)(large, NULL));
	say("and not", cu(cuMemAlloc_v2)(&large, each * (size_t)(n / 2)));
}

/* ---- beyond ---- */

static CUresult array_of_40(CUarray *array)
{
	const CUDA_ARRAY_DESCRIPTOR desc = {
		.Width = 2560, .Height = 2048, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 2
	};

	return cu(cuArrayCreate_v2)(array, &desc);
}

/* 32 MiB, and a third of it on top. */
static CUresult levels_of_43(CUmipmappedArray *levels)
{
	const CUDA_ARRAY3D_DESCRIPTOR desc = {
		.Width = 2048, .Height = 2048, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = 2
	};

	return cu(cuMipmappedArrayCreate)(levels, &desc, 12);
}

/* at: where it is; NULL: it does not matter. */
static CUresult node_of_40(CUgraph graph, CUdeviceptr *at)
{
	CUDA_MEM_ALLOC_NODE_PARAMS params = { .poolProps = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
							     .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE } },
					      .bytesize = 40 * MIB };
	CUgraphNode node;
	CUresult result = cu(cuGraphAddMemAllocNode)(&node, graph, NULL, 0, &params);

	if (at)
		*at = params.dptr;
	return result;
}

/* What is freed here may be kept somewhere: who needs it gets it. */
static void alloc_and_free(void)
{
	CUdeviceptr at;

	cu_ok(cu(cuMemAlloc_v2)(&at, 32 * MIB));
	cu_ok(cu(cuMemFree_v2)(at));
}

static void beside(const char *what)
{
	CUdeviceptr at;
	CUresult result = cu(cuMemAlloc_v2)(&at, 32 * MIB);

	say(what, result);
	if (!result)
		cu_ok(cu(cuMemFree_v2)(at));
}

/* The graph goes before what was made of it. */
static void graph_that_is_ready(void)
{
	CUgraphExec exec;
	CUdeviceptr at;
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(node_of_40(graph, &at));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
	beside("beside a graph's that is ready");
	cu_ok(cu(cuGraphLaunch)(exec, NULL));
	cu_ok(cu(cuMemFree_v2)(at));
	beside("once that is freed");
	cu_ok(cu(cuGraphLaunch)(exec, NULL));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	beside("when it alone has gone");
	cu_ok(cu(cuMemFree_v2)(at));
	beside("and what it had");
}

static void captured(CUgraphExec *exec)
{
	CUstream stream;
	CUgraph graph;
	CUdeviceptr at;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	cu_ok(cu(cuMemAllocAsync)(&at, 40 * MIB, stream));
	cu_ok(cu(cuMemFreeAsync)(at, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphInstantiateWithFlags)(exec, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* What is freed in a graph comes with its next launch. */
static void graph_that_frees(void)
{
	CUgraphExec exec;

	captured(&exec);
	cu_ok(cu(cuGraphLaunch)(exec, NULL));
	beside("beside a graph's that is freed there");
	cu_ok(cu(cuGraphExecDestroy)(exec));
	beside("without it");
}

static void beyond(void)
{
	CUmipmappedArray levels, more_levels;
	CUcontext here, other;
	CUarray array, more;
	CUdeviceptr at;
	CUgraph graph;

	alloc_and_free();
	say("array", array_of_40(&array));
	say("another", array_of_40(&more));
	say("memory beside it", cu(cuMemAlloc_v2)(&at, 32 * MIB));
	cu_ok(cu(cuArrayDestroy)(array));
	alloc_and_free();
	say("levels", levels_of_43(&levels));
	say("more levels", levels_of_43(&more_levels));
	cu_ok(cu(cuMipmappedArrayDestroy)(levels));
	cu_ok(cu(cuCtxGetCurrent)(&here));
	cu_ok(cu(cuCtxCreate_v2)(&other, 0, 0));
	say("of another context", array_of_40(&array));
	say("and more", levels_of_43(&levels));
	cu_ok(cu(cuCtxDestroy_v2)(other));
	cu_ok(cu(cuCtxSetCurrent)(here));
	for (int i = 0; i < 2; i++) {
		alloc_and_free();
		cu_ok(cu(cuGraphCreate)(&graph, 0));
		say("a graph's", node_of_40(graph, NULL));
		say("its second", node_of_40(graph, NULL));
		cu_ok(cu(cuGraphDestroy)(graph));
		graph_that_is_ready();
		graph_that_frees();
	}
	say("after all", array_of_40(&array));
	cu_ok(cu(cuArrayDestroy)(array));
}

/* ---- steady ---- */

static void steady(const char *what, int count)
{
	static unsigned char host[65536];
	void *pinned;
	CUdeviceptr at[4];
	CUstream stream;

	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemHostAlloc)(&pinned, MIB, 0));
	for (int i = 0; i < count; i++) {
		if (!strcmp(what, "alloc") || !strcmp(what, "step"))
			for (int k = 0; k < 4; k++)
				cu_ok(cu(cuMemAlloc_v2)(&at[k], (size_t)(k + 1) * 65536));
		if (!strcmp(what, "async"))
			for (int k = 0; k < 4; k++)
				cu_ok(cu(cuMemAllocAsync)(&at[k], (size_t)(k + 1) * 65536, stream));
		if (!strcmp(what, "step")) {
			cu_ok(cu(cuMemcpyHtoDAsync_v2)(at[0], host, 4096, stream));
			cu_ok(cu(cuMemcpyHtoDAsync_v2)(at[1], host, sizeof(host), stream));
			cu_ok(cu(cuMemcpyHtoDAsync_v2)(at[2], pinned, 65536, stream));
			cu_ok(cu(cuMemcpyHtoD_v2)(at[3], host, 4096));
			cu_ok(cu(cuMemcpyDtoDAsync_v2)(at[3], at[2], 65536, stream));
			cu_ok(cu(cuMemsetD32Async)(at[0], 3, 1024, stream));
			cu_ok(cu(cuMemcpyDtoHAsync_v2)(pinned, at[3], 65536, stream));
			cu_ok(cu(cuStreamSynchronize)(stream));
		}
		if (!strcmp(what, "async"))
			for (int k = 0; k < 4; k++)
				cu_ok(cu(cuMemFreeAsync)(at[k], stream));
		else
			for (int k = 0; k < 4; k++)
				cu_ok(cu(cuMemFree_v2)(at[k]));
	}
	cu_ok(cu(cuCtxSynchronize)());
}

int main(int argc, char **argv)
{
	CUcontext ctx = cu_begin();

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "steady"))
		steady(argv[2], atoi(argv[3]));
	else if (argc == 2 && !strcmp(argv[1], "full"))
		full();
	else if (argc == 2 && !strcmp(argv[1], "beyond"))
		beyond();
	else
		same();
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
