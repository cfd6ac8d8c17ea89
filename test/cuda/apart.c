/*
 * Devices of several servers in one program: it wants two devices that are not each other's peers, and prints what it
 * finds of each.  test/integration/test_apart.py gives it two servers.
 */
#include <pthread.h>
#include <stdint.h>

#include "cu.h"

#define DEVICES 2
#define BYTES   ((9u << 20) + 12345u) /* more than two blocks of a copy, and not whole */

static CUcontext contexts[DEVICES];

static void current(int device)
{
	cu_ok(cu(cuCtxSetCurrent)(contexts[device]));
}

static CUdeviceptr allocate(int device, size_t bytes)
{
	CUdeviceptr at;

	current(device);
	cu_ok(cu(cuMemAlloc_v2)(&at, bytes));
	return at;
}

/* ---- the list ---- */

static void test_the_list_has_each_servers_devices(void)
{
	int count = 0;

	cu_ok(cu(cuInit)(0));
	cu_ok(cu(cuDeviceGetCount)(&count));
	check(count >= DEVICES);
	for (int i = 0; i < count; i++) {
		char name[64], bus[32];
		CUdevice device, found;
		CUuuid uuid;

		cu_ok(cu(cuDeviceGet)(&device, i));
		cu_ok(cu(cuDeviceGetName)(name, sizeof(name), device));
		cu_ok(cu(cuDeviceGetUuid_v2)(&uuid, device));
		cu_ok(cu(cuDeviceGetPCIBusId)(bus, sizeof(bus), device));
		cu_ok(cu(cuDeviceGetByPCIBusId)(&found, bus));
		check(found == device);
		printf("device %d: %s, number %c, %s\n", i, name, uuid.bytes[15], bus);
	}
	for (int i = 0; i < DEVICES; i++) {
		CUdevice device;

		cu_ok(cu(cuDevicePrimaryCtxRetain)(&contexts[i], i));
		current(i);
		cu_ok(cu(cuCtxGetDevice)(&device));
		check(device == i);
	}
}

static void test_devices_of_two_servers_are_no_peers(void)
{
	const CUatomicOperation operation = CU_ATOMIC_OPERATION_INTEGER_ADD;
	unsigned int capabilities = 7;
	int value = 7;

	cu_ok(cu(cuDeviceCanAccessPeer)(&value, 0, 1));
	check(!value);
	value = 7;
	cu_ok(cu(cuDeviceGetP2PAttribute)(&value, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, 1, 0));
	check(!value);
	cu_ok(cu(cuDeviceGetP2PAtomicCapabilities)(&capabilities, &operation, 1, 0, 1));
	check(!capabilities);
	cu_is(cu(cuDeviceCanAccessPeer)(&value, 0, 77), CUDA_ERROR_INVALID_DEVICE);
	current(0);
	cu_is(cu(cuCtxEnablePeerAccess)(contexts[1], 0), CUDA_ERROR_PEER_ACCESS_UNSUPPORTED);
	cu_is(cu(cuCtxDisablePeerAccess)(contexts[1]), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
}

/* ---- memory ---- */

static void test_addresses_are_one_space(void)
{
	CUdeviceptr at[DEVICES][16];

	for (int i = 0; i < 16; i++)
		for (int device = 0; device < DEVICES; device++)
			at[device][i] = allocate(device, (size_t)(i + 1) << 16);
	for (int i = 0; i < 16; i++)
		for (int device = 0; device < DEVICES; device++) {
			int found = -1;
			CUcontext context;

			for (int k = 0; k < 16; k++)
				check(at[0][i] + ((uint64_t)(i + 1) << 16) <= at[1][k] ||
				      at[1][k] + ((uint64_t)(k + 1) << 16) <= at[0][i]);
			cu_ok(cu(cuPointerGetAttribute)(&found, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL,
							at[device][i] + 5));
			check(found == device);
			cu_ok(cu(cuPointerGetAttribute)(&context, CU_POINTER_ATTRIBUTE_CONTEXT, at[device][i]));
			check(context == contexts[device]);
		}
	current(0); /* memory may be freed wherever the thread is */
	for (int i = 0; i < 16; i++)
		for (int device = 0; device < DEVICES; device++)
			cu_ok(cu(cuMemFree_v2)(at[device][i]));
}

static uint8_t *pattern(uint8_t seed)
{
	uint8_t *bytes = malloc(BYTES);

	check(bytes);
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(seed + i * 7 + (i >> 12));
	return bytes;
}

static void holds(CUdeviceptr at, const uint8_t *want, int device)
{
	uint8_t *got = calloc(1, BYTES);

	check(got);
	current(device);
	cu_ok(cu(cuMemcpyDtoH_v2)(got, at, BYTES));
	check(!memcmp(got, want, BYTES));
	free(got);
}

/* Memory of one device put where the other's driver will give some. */
static void test_an_address_is_never_given_twice(void)
{
	CUmemAllocationProp prop = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUdeviceptr next = allocate(1, 65536), mapped, at[12];
	CUmemGenericAllocationHandle handle;
	const size_t granule = 2u << 20;

	cu_ok(cu(cuMemFree_v2)(next));
	next &= ~(CUdeviceptr)(granule - 1);
	current(0);
	cu_ok(cu(cuMemAddressReserve)(&mapped, granule, 0, next, 0));
	cu_ok(cu(cuMemCreate)(&handle, granule, &prop, 0));
	cu_ok(cu(cuMemMap)(mapped, granule, 0, handle, 0)); /* or elsewhere: a driver may have set that aside */
	for (int i = 0; i < 12; i++) {
		at[i] = allocate(1, 65536u << (i % 3));
		check(at[i] >= mapped + granule || at[i] + (65536u << (i % 3)) <= mapped);
	}
	for (int i = 0; i < 12; i++)
		cu_ok(cu(cuMemFree_v2)(at[i]));
	current(0);
	cu_ok(cu(cuMemUnmap)(mapped, granule));
	cu_ok(cu(cuMemRelease)(handle));
	cu_ok(cu(cuMemAddressFree)(mapped, granule));
}

static void test_copies_go_between_servers(void)
{
	CUdeviceptr a = allocate(0, BYTES), b = allocate(1, BYTES);
	uint8_t *one = pattern(1), *two = pattern(2), *three = pattern(3), *four = pattern(4);
	CUstream stream;

	current(0);
	cu_ok(cu(cuMemcpyHtoD_v2)(a, one, BYTES));
	cu_ok(cu(cuMemcpy)(b, a, BYTES));
	holds(b, one, 1);
	cu_ok(cu(cuMemcpyHtoD_v2)(b, two, BYTES)); /* device 1 is current */
	cu_ok(cu(cuMemcpyDtoD_v2)(a, b, BYTES));
	holds(a, two, 0);
	cu_ok(cu(cuMemcpyHtoD_v2)(a, three, BYTES));
	cu_ok(cu(cuMemcpyPeer)(b, contexts[1], a, contexts[0], BYTES));
	holds(b, three, 1);
	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(a, four, BYTES, stream));
	cu_ok(cu(cuMemcpyPeerAsync)(b, contexts[1], a, contexts[0], BYTES, stream));
	cu_ok(cu(cuMemsetD8Async)(a, 9, BYTES, stream)); /* what comes later does not come first */
	cu_ok(cu(cuStreamSynchronize)(stream));
	holds(b, four, 1);
	current(0);
	cu_ok(cu(cuMemcpyHtoD_v2)(a, one, BYTES));
	cu_ok(cu(cuMemcpyAsync)(b, a, BYTES, stream));
	cu_ok(cu(cuMemcpyDtoDAsync_v2)(a, b, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	holds(a, one, 0);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(b));
	cu_ok(cu(cuMemFree_v2)(a));
	free(one), free(two), free(three), free(four);
}

static void test_lines_and_arrays_go_between_servers(void)
{
	enum { WIDE = 64, HIGH = 16, PITCH = 256 };
	CUDA_ARRAY_DESCRIPTOR shape = {
		.Width = WIDE, .Height = HIGH, .Format = CU_AD_FORMAT_UNSIGNED_INT8, .NumChannels = 1
	};
	CUdeviceptr a = allocate(0, PITCH * HIGH), b = allocate(1, PITCH * HIGH);
	uint8_t from[HIGH][WIDE], to[HIGH][WIDE];
	CUDA_MEMCPY2D copy = { .WidthInBytes = WIDE, .Height = HIGH };
	CUstream stream;
	CUarray array;

	for (int y = 0; y < HIGH; y++)
		for (int x = 0; x < WIDE; x++)
			from[y][x] = (uint8_t)(y * 13 + x);
	current(1);
	cu_ok(cu(cuArrayCreate_v2)(&array, &shape));
	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	copy.srcMemoryType = CU_MEMORYTYPE_HOST;
	copy.srcHost = from;
	copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.dstDevice = a + 32;
	copy.dstPitch = PITCH;
	cu_ok(cu(cuMemcpy2D_v2)(&copy));
	copy.srcMemoryType = CU_MEMORYTYPE_DEVICE; /* to lines of the other server's */
	copy.srcDevice = a + 32;
	copy.srcPitch = PITCH;
	copy.dstDevice = b;
	cu_ok(cu(cuMemcpy2D_v2)(&copy));
	copy.srcMemoryType = CU_MEMORYTYPE_UNIFIED; /* there, to an array */
	copy.srcDevice = b;
	copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
	copy.dstArray = array;
	cu_ok(cu(cuMemcpy2DAsync_v2)(&copy, stream));
	cu_ok(cu(cuMemsetD8_v2)(a, 0, PITCH * HIGH));
	copy.srcMemoryType = CU_MEMORYTYPE_ARRAY; /* and back from that */
	copy.srcArray = array;
	copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.dstDevice = a;
	cu_ok(cu(cuMemcpy2D_v2)(&copy));
	copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.srcDevice = a;
	copy.dstMemoryType = CU_MEMORYTYPE_HOST;
	copy.dstHost = to;
	copy.dstPitch = 0;
	cu_ok(cu(cuMemcpy2D_v2)(&copy));
	check(!memcmp(from, to, sizeof(to)));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuArrayDestroy)(array));
	cu_ok(cu(cuMemFree_v2)(a));
	cu_ok(cu(cuMemFree_v2)(b));
}

static void test_memory_elsewhere_is_reached_from_any_context(void)
{
	CUdeviceptr b = allocate(1, BYTES), c = allocate(1, BYTES);
	uint8_t *one = pattern(11), *pinned;
	CUstream stream;

	current(0);
	cu_ok(cu(cuStreamCreate)(&stream, 0));
	cu_ok(cu(cuMemAllocHost_v2)((void **)&pinned, BYTES)); /* shared with the first server alone */
	memcpy(pinned, one, BYTES);
	cu_ok(cu(cuMemcpyHtoD_v2)(b, pinned, BYTES));
	memset(pinned, 0, BYTES);
	cu_ok(cu(cuMemcpyDtoH_v2)(pinned, b, BYTES));
	check(!memcmp(pinned, one, BYTES));
	memset(pinned, 0, BYTES);
	cu_ok(cu(cuMemcpyAsync)((CUdeviceptr)(uintptr_t)pinned, b, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	check(!memcmp(pinned, one, BYTES));
	cu_ok(cu(cuMemcpyDtoD_v2)(c, b, BYTES)); /* both of the second server's */
	holds(c, one, 1);
	current(0);
	cu_ok(cu(cuMemsetD8_v2)(b, 0x5a, BYTES));
	memset(one, 0x5a, BYTES);
	holds(b, one, 1);
	current(0);
	cu_ok(cu(cuMemcpyHtoDAsync_v2)(c, one, BYTES, stream));
	cu_ok(cu(cuStreamSynchronize)(stream));
	holds(c, one, 1);
	current(0);
	cu_is(cu(cuMemcpyHtoD_v2)(b, NULL, 8), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuMemFreeHost)(pinned));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuMemFree_v2)(b));
	cu_ok(cu(cuMemFree_v2)(c));
	free(one);
}

/* ---- objects ---- */

static void test_objects_are_one_servers(void)
{
	CUdeviceptr at = allocate(0, 64);
	CUevent event[DEVICES];
	CUstream stream[DEVICES];
	float milliseconds;

	for (int i = 0; i < DEVICES; i++) {
		current(i);
		cu_ok(cu(cuStreamCreate)(&stream[i], CU_STREAM_NON_BLOCKING));
		cu_ok(cu(cuEventCreate)(&event[i], CU_EVENT_DEFAULT));
		cu_ok(cu(cuEventRecord)(event[i], stream[i]));
	}
	current(0); /* they may be waited for and ended wherever the thread is */
	for (int i = 0; i < DEVICES; i++) {
		cu_ok(cu(cuStreamSynchronize)(stream[i]));
		cu_ok(cu(cuEventSynchronize)(event[i]));
		cu_ok(cu(cuEventQuery)(event[i]));
	}
	cu_is(cu(cuStreamWaitEvent)(stream[0], event[1], 0), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuEventRecord)(event[0], stream[1]), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuEventElapsedTime)(&milliseconds, event[0], event[1]), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuMemsetD8Async)(at, 1, 64, stream[1]), CUDA_ERROR_INVALID_VALUE);
	for (int i = 0; i < DEVICES; i++) {
		cu_ok(cu(cuEventDestroy_v2)(event[i]));
		cu_ok(cu(cuStreamDestroy_v2)(stream[i]));
	}
	cu_ok(cu(cuMemFree_v2)(at));
}

/* add_one(int *numbers) in each of `count` threads, on a device. */
static void add_one(CUfunction function, CUdeviceptr numbers, int count)
{
	void *params[] = { &numbers, &count };

	cu_ok(cu(cuLaunchKernel)(function, 1, 1, 1, (unsigned int)count, 1, 1, 0, NULL, params, NULL));
}

static void numbers_hold(CUdeviceptr at, int want)
{
	int got[32];

	cu_ok(cu(cuMemcpyDtoH_v2)(got, at, sizeof(got)));
	for (int i = 0; i < 32; i++)
		check(got[i] == want);
}

static const char ptx[] =
	".version 7.0\n.target sm_70\n.address_size 64\n.visible .global .align 4 .u32 step = 1;\n"
	".visible .entry add_step(.param .u64 numbers, .param .u32 count) {\n"
	".reg .u64 %a, %b; .reg .u32 %i, %v, %s;\n"
	"ld.param.u64 %a, [numbers]; mov.u32 %i, %tid.x; mul.wide.u32 %b, %i, 4; add.u64 %a, %a, %b;\n"
	"ld.global.u32 %s, [step]; ld.global.u32 %v, [%a]; add.u32 %v, %v, %s;\n"
	"st.global.u32 [%a], %v; ret; }\n";

static void test_a_librarys_kernels_run_on_all_servers(void)
{
	CUfunction function[DEVICES];
	CUdeviceptr at[DEVICES], step;
	CUlibrary library;
	CUkernel kernel;
	size_t bytes;
	int two = 2;

	current(0);
	cu_ok(cu(cuLibraryLoadData)(&library, ptx, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "add_step"));
	for (int i = 0; i < DEVICES; i++) {
		at[i] = allocate(i, 128);
		cu_ok(cu(cuMemsetD32_v2)(at[i], 0, 32));
		cu_ok(cu(cuKernelGetFunction)(&function[i], kernel));
		add_one((CUfunction)kernel, at[i], 32);
		add_one(function[i], at[i], 32);
		numbers_hold(at[i], 2);
	}
	current(1); /* its variable is another on each server */
	cu_ok(cu(cuLibraryGetGlobal)(&step, &bytes, library, "step"));
	check(bytes == 4);
	cu_ok(cu(cuMemcpyHtoD_v2)(step, &two, sizeof(two)));
	for (int i = 0; i < DEVICES; i++) {
		current(i);
		add_one((CUfunction)kernel, at[i], 32);
		numbers_hold(at[i], 3 + i);
	}
	current(0);
	{
		void *params[] = { &at[0], &two };

		cu_is(cu(cuLaunchKernel)(function[1], 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL),
		      CUDA_ERROR_INVALID_HANDLE);
	}
	cu_ok(cu(cuLibraryUnload)(library));
	for (int i = 0; i < DEVICES; i++)
		cu_ok(cu(cuMemFree_v2)(at[i]));
}

/* What a kernel was allowed on one device, and was launched with there, another one does not know. */
static void test_a_kernel_is_set_for_each_device(void)
{
	const CUfunction_attribute most = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
	int before[DEVICES], value, one = 1, more;
	CUdeviceptr at[DEVICES];
	CUfunction function;
	CUlibrary library;
	CUkernel kernel;

	current(0);
	cu_ok(cu(cuLibraryLoadData)(&library, ptx, NULL, NULL, 0, NULL, NULL, 0));
	cu_ok(cu(cuLibraryGetKernel)(&kernel, library, "add_step"));
	for (int i = 0; i < DEVICES; i++) {
		at[i] = allocate(i, 128);
		cu_ok(cu(cuKernelGetAttribute)(&before[i], most, kernel, i));
	}
	more = before[0] + 8192;
	cu_ok(cu(cuKernelSetAttribute)(most, more, kernel, 0));
	cu_ok(cu(cuKernelGetAttribute)(&value, most, kernel, 0));
	check(value == more);
	cu_ok(cu(cuKernelGetAttribute)(&value, most, kernel, 1));
	check(value == before[1]);
	for (int i = 0; i < DEVICES; i++) {
		current(i);
		cu_ok(cu(cuKernelGetFunction)(&function, kernel));
		cu_ok(cu(cuFuncGetAttribute)(&value, most, function));
		check(value == (i ? before[1] : more));
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < DEVICES; i++) {
			void *params[] = { &at[i], &one };

			current(i);
			cu_is(cu(cuLaunchKernel)((CUfunction)kernel, 1, 1, 1, 1, 1, 1, (unsigned int)more, NULL, params,
						 NULL),
			      i ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS);
			cu_ok(cu(cuCtxSynchronize)());
		}
	cu_ok(cu(cuKernelSetAttribute)(most, before[1] + 4096, kernel, 1));
	cu_ok(cu(cuKernelGetAttribute)(&value, most, kernel, 0));
	check(value == more);
	cu_ok(cu(cuLibraryUnload)(library));
	for (int i = 0; i < DEVICES; i++)
		cu_ok(cu(cuMemFree_v2)(at[i]));
}

static void test_graphs_are_where_they_were_made(void)
{
	CUDA_MEMSET_NODE_PARAMS params = { .elementSize = 4, .width = 32, .height = 1, .value = 77 };
	CUdeviceptr at = allocate(1, 128);
	CUgraphNode node;
	CUgraphExec exec;
	CUgraph graph;

	params.dst = at;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemsetNode)(&node, graph, NULL, 0, &params, contexts[1]));
	current(0);
	cu_is(cu(cuGraphAddMemsetNode)(&node, graph, NULL, 0, &params, contexts[0]), CUDA_ERROR_INVALID_CONTEXT);
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	current(1);
	cu_ok(cu(cuGraphLaunch)(exec, NULL));
	numbers_hold(at, 77);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFree_v2)(at));
}

/* ---- what names a device by its number ---- */

static void test_numbers_of_devices_are_the_lists(void)
{
	CUmemAllocationProp prop = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = { CU_MEM_LOCATION_TYPE_DEVICE, 1 } },
			    told;
	CUmemAccessDesc access = { { CU_MEM_LOCATION_TYPE_DEVICE, 1 }, CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
	CUmemPoolProps pool_prop = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				     .location = { CU_MEM_LOCATION_TYPE_DEVICE, 1 } };
	CUmemGenericAllocationHandle handle;
	unsigned long long flags = 0;
	CUmemAccess_flags pool_flags;
	CUmemoryPool pool, first;
	size_t granule = 0;
	CUdeviceptr at;
	int value = 5;

	current(1);
	cu_ok(cu(cuMemGetAllocationGranularity)(&granule, &prop, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
	cu_ok(cu(cuMemCreate)(&handle, granule, &prop, 0));
	cu_ok(cu(cuMemGetAllocationPropertiesFromHandle)(&told, handle));
	check(told.location.id == 1);
	cu_ok(cu(cuMemAddressReserve)(&at, granule, 0, 0, 0));
	cu_ok(cu(cuMemMap)(at, granule, 0, handle, 0));
	cu_ok(cu(cuMemSetAccess)(at, granule, &access, 1));
	cu_ok(cu(cuMemGetAccess)(&flags, &access.location, at));
	check(flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
	access.location.id = 0;
	check(cu(cuMemSetAccess)(at, granule, &access, 1) != CUDA_SUCCESS);
	current(0);
	cu_ok(cu(cuMemsetD8_v2)(at, 3, granule));
	cu_ok(cu(cuPointerGetAttribute)(&value, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at));
	check(value == 1);
	current(1);
	cu_ok(cu(cuCtxSynchronize)());
	current(0);
	cu_ok(cu(cuMemUnmap)(at, granule));
	cu_ok(cu(cuMemRelease)(handle));
	current(1);
	cu_ok(cu(cuMemAddressFree)(at, granule));
	current(0);
	cu_ok(cu(cuMemPoolCreate)(&pool, &pool_prop)); /* for the other device */
	cu_ok(cu(cuMemPoolGetAccess)(&pool_flags, pool, &pool_prop.location));
	check(pool_flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
	current(1);
	cu_ok(cu(cuMemAllocFromPoolAsync)(&at, 4096, pool, NULL));
	cu_ok(cu(cuMemFreeAsync)(at, NULL));
	cu_ok(cu(cuDeviceGetDefaultMemPool)(&first, 1));
	cu_ok(cu(cuMemPoolTrimTo)(first, 0));
	cu_ok(cu(cuMemPoolDestroy)(pool));
	prop.location.id = 55;
	check(cu(cuMemCreate)(&handle, granule, &prop, 0) != CUDA_SUCCESS);
}

/* The second server has no context but the stream's own: this comes before its primary one is made. */
static void test_memory_of_a_stream_is_its_devices(void)
{
	CUcontext own, first;
	int value = 5;
	CUstream stream;
	CUdeviceptr at;

	cu_ok(cu(cuInit)(0));
	cu_ok(cu(cuCtxCreate_v2)(&own, 0, 1));
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuCtxCreate_v2)(&first, 0, 0));
	for (int round = 0; round < 3; round++) {
		cu_ok(cu(cuMemAllocAsync)(&at, 4096, stream));
		cu_ok(cu(cuPointerGetAttribute)(&value, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, at));
		check(value == 1);
		cu_ok(cu(cuMemFreeAsync)(at, stream));
	}
	cu_ok(cu(cuStreamSynchronize)(stream));
	cu_ok(cu(cuStreamDestroy_v2)(stream));
	cu_ok(cu(cuCtxDestroy_v2)(first));
	cu_ok(cu(cuCtxDestroy_v2)(own));
}

static void *thread_main(void *arg)
{
	int device = (int)(intptr_t)arg, in[32];
	CUdeviceptr at;

	current(device);
	for (int i = 0; i < 200; i++) {
		cu_ok(cu(cuMemAlloc_v2)(&at, sizeof(in)));
		cu_ok(cu(cuMemsetD32_v2)(at, (unsigned int)(device * 1000 + i), 32));
		cu_ok(cu(cuMemcpyDtoH_v2)(in, at, sizeof(in)));
		check(in[0] == device * 1000 + i && in[31] == in[0]);
		cu_ok(cu(cuMemFree_v2)(at));
		if (i % 50 == 49)
			current(device = !device);
	}
	return NULL;
}

static void test_each_thread_has_its_own_device(void)
{
	pthread_t thread[4];

	for (int i = 0; i < 4; i++)
		check(!pthread_create(&thread[i], NULL, thread_main, (void *)(intptr_t)(i % DEVICES)));
	for (int i = 0; i < 4; i++)
		check(!pthread_join(thread[i], NULL));
}

static void test_contexts_end_wherever_the_thread_is(void)
{
	CUcontext own;
	CUdeviceptr at;

	cu_ok(cu(cuCtxCreate_v2)(&own, 0, 1));
	cu_ok(cu(cuMemAlloc_v2)(&at, 4096));
	current(0);
	cu_ok(cu(cuCtxDestroy_v2)(own));
	check(cu(cuMemFree_v2)(at) != CUDA_SUCCESS);
	at = allocate(0, 64);
	cu_ok(cu(cuMemFree_v2)(at));
	for (int i = 0; i < DEVICES; i++)
		cu_ok(cu(cuDevicePrimaryCtxRelease_v2)(i));
}

int main(void)
{
	cu_run(test_memory_of_a_stream_is_its_devices);
	test_the_list_has_each_servers_devices();
	cu_run(test_devices_of_two_servers_are_no_peers);
	cu_run(test_addresses_are_one_space);
	cu_run(test_an_address_is_never_given_twice);
	cu_run(test_copies_go_between_servers);
	cu_run(test_lines_and_arrays_go_between_servers);
	cu_run(test_memory_elsewhere_is_reached_from_any_context);
	cu_run(test_objects_are_one_servers);
	cu_run(test_a_librarys_kernels_run_on_all_servers);
	cu_run(test_a_kernel_is_set_for_each_device);
	cu_run(test_graphs_are_where_they_were_made);
	cu_run(test_numbers_of_devices_are_the_lists);
	cu_run(test_each_thread_has_its_own_device);
	cu_run(test_contexts_end_wherever_the_thread_is);
	return 0;
}
