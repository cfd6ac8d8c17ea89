/* Random calls: contexts and devices, copies between contexts and in batches, arrays and fills of lines. */
#include "differ.h"

/* ---- contexts and devices ---- */

static void do_context_more(void)
{
	int c = any(CONTEXT), i, value = 0x5555, other = 0x5555, device;
	CUcontext ctx = one_in(6) ? NULL : handle_of(CONTEXT, c, CUcontext);
	unsigned int flags = (unsigned int)one_of(0, 1, 2, 4, 8, 3, 0x10, 0x80, 0x1000);
	unsigned long long id = 0x5555, of = 0x5555;
	CUexecAffinityParam affinity = { .type = CU_EXEC_AFFINITY_TYPE_SM_COUNT };
	CUctxCreateParams params = { 0 };
	CUsharedconfig config = (CUsharedconfig)0x5555;
	CUresult r;
#define WHOSE "c%d%s", c, ctx ? "" : " NULL"
	switch (pick(16)) {
	case 0:
		CALL(cuCtxGetDevice, (perhaps_null(&value, true, 6)), " ");
		out_number("is", value);
		return;
	case 1:
		CALL(cuCtxGetDevice_v2, (&value, ctx), WHOSE);
		out_number("is", value);
		return;
	case 2:
		r = CALL(cuCtxGetId, (ctx, &id), WHOSE);
		out_number("kept", id == 0x5555);
		if (CALL(cuCtxGetId, (NULL, &of), " ") == CUDA_SUCCESS && r == CUDA_SUCCESS)
			out_number("same", id == of);
		if (one_in(3) && slots[CONTEXT][c].live && current() >= 0)
			CALL(cuCtxGetId, (ctx, NULL), WHOSE);
		return;
	case 3: {
		bool one = one_in(3), two = one_in(3);
		CALL(cuCtxGetStreamPriorityRange, (one ? NULL : &value, two ? NULL : &other), "%d, %d", one, two);
		out_number("is", value);
		out_number("to", other);
		return;
	}
	case 4:
		CALL(cuCtxSetSharedMemConfig, ((CUsharedconfig)pick(5)), " ");
		return;
	case 5:
		CALL(cuCtxGetSharedMemConfig, (perhaps_null(&config, true, 6)), " ");
		out_number("is", config);
		return;
	case 6:
		CALL(cuCtxResetPersistingL2Cache, (), " ");
		return;
	case 7:
		value = (int)one_of(0, 0, 1, 99);
		memset(&affinity, 0x55, sizeof(affinity));
		CALL(cuCtxGetExecAffinity, (perhaps_null(&affinity, value == 0, 6), (CUexecAffinityType)value), "%d",
		     value);
		out(&affinity, sizeof(affinity));
		return;
	case 8:
		CALL(cuCtxSetFlags, (flags), "%u", flags);
		flags = 0x5555;
		CALL(cuCtxGetFlags, (&flags), " ");
		out_number("flags", flags);
		return;
	case 9:
	case 10:
		i = room(CONTEXT);
		if (i < 0)
			return;
		ctx = NULL;
		value = (int)one_of(0, 0, 0, 1, (uint64_t)-1, 1);
		affinity.type = (CUexecAffinityType)one_of(0, 0, 9);
		affinity.param.smCount.val = (unsigned int)one_of(0, 1, 1000);
		device = value || !one_in(10) ? 0 : 77;
		if (value || device)
			flags = 0; /* one thing wrong at most */
		params = (CUctxCreateParams){ value < 0 || one_in(3) ? NULL : &affinity, value, NULL };
		if (one_in(2))
			r = CALL(cuCtxCreate_v3, (&ctx, params.execAffinityParams, value, flags, device),
				 "c%d, %d, %d, %u", i, value, params.execAffinityParams != NULL, flags);
		else
			r = CALL(cuCtxCreate_v4, (&ctx, one_in(3) ? NULL : &params, flags, device), "c%d, %d, %d, %u",
				 i, value, params.execAffinityParams != NULL, flags);
		made(CONTEXT, i, r, (uint64_t)(uintptr_t)ctx, 0);
		return;
	case 11:
		ctx = NULL;
		flags = (unsigned int)one_of(0, 0, 1);
		CALL(cuCtxAttach, (one_in(6) ? NULL : &ctx, flags), "%u", flags);
		out_number("is", which(CONTEXT, (uint64_t)(uintptr_t)ctx));
		return;
	case 12:
		if (c == 0 || c == PRIMARY)
			return;
		ctx = handle_of(CONTEXT, c, CUcontext);
		if (CALL(cuCtxDetach, (ctx), "c%d", c) == CUDA_SUCCESS)
			context_gone(c);
		gone(CONTEXT, c);
		return;
	case 13:
		CALL(cuCtxSynchronize_v2, (ctx), WHOSE);
		return;
	case 14:
		flags = (unsigned int)(slots[CONTEXT][c].live && c != PRIMARY && ctx ? one_of(0, 0, 1) : 0);
		CALL(cuCtxEnablePeerAccess, (ctx, flags), "c%d%s, %u", c, ctx ? "" : " NULL", flags);
		return;
	default:
		CALL(cuCtxDisablePeerAccess, (ctx), WHOSE);
	}
}

static void do_device_more(void)
{
	int value = 0x5555, device = one_in(6) ? (int)one_of(1, 77, (uint64_t)-1) : 0,
	    peer = one_in(4) ? (int)one_of(1, 77, (uint64_t)-1) : 0, what;
	char text[32], luid[8];
	unsigned int mask = 0x5555, four = 0x5555;
	CUuuid uuid, again;
	size_t bytes = 0x5555;
	CUdevprop properties;
	unsigned int format, channels;
	switch (pick(13)) {
	case 0:
		memset(&uuid, 0x55, sizeof(uuid));
		memset(&again, 0x55, sizeof(again));
		CALL(cuDeviceGetUuid, (perhaps_null(&uuid, device == 0 && peer == 0, 6), device), "%d", device);
		CALL(cuDeviceGetUuid_v2, (&again, device), "%d", device);
		out(&again, sizeof(again));
		out_number("same", !memcmp(&uuid, &again, sizeof(uuid)));
		return;
	case 1:
		memset(text, 0x55, sizeof(text));
		value = (int)one_of(32, 13, 12, 0, (uint64_t)-1, 14);
		CALL(cuDeviceGetPCIBusId, (perhaps_null(text, device == 0 && peer == 0, 8), value, device), "%d, %d",
		     value, device);
		out(text, sizeof(text));
		return;
	case 2: {
		static const char *const places[] = { "0000:01:00.0",  "01:00.0",     "0000:01:00", "0000:01:00.1",
						      "0000:02:00.0",  "1:0.0",       "",           "rubbish",
						      "0000:01:00.0x", "0001:01:00.0" };
		unsigned int at = pick(10);
		CALL(cuDeviceGetByPCIBusId,
		     (perhaps_null(&value, device == 0 && peer == 0, 8), one_in(10) ? NULL : places[at]), "%s",
		     places[at]);
		out_number("is", value);
		if (CALL(cuDeviceGetPCIBusId, (text, 32, 0), "0") == CUDA_SUCCESS) {
			CALL(cuDeviceGetByPCIBusId, (&value, text), "own");
			out_number("is", value);
		}
		return;
	}
	case 3:
		format = (unsigned int)one_of(1, 2, 3, 8, 9, 10, 16, 32, 77, 0);
		channels = (unsigned int)one_of(1, 2, 4, 3, 0);
		CALL(cuDeviceGetTexture1DLinearMaxWidth,
		     (perhaps_null(&bytes, device == 0 && peer == 0, 8), (CUarray_format)format, channels, device),
		     "%u, %u, %d", format, channels, device);
		out_number("is", (int64_t)bytes);
		return;
	case 4:
		what = (int)one_of(0, 0, 1, 99);
		CALL(cuDeviceGetExecAffinitySupport,
		     (perhaps_null(&value, device == 0 && peer == 0, 8), (CUexecAffinityType)what, device), "%d, %d",
		     what, device);
		out_number("is", value);
		return;
	case 5:
		CALL(cuDeviceCanAccessPeer, (perhaps_null(&value, device == 0 && peer == 0, 8), device, peer), "%d, %d",
		     device, peer);
		out_number("is", value);
		return;
	case 6:
		what = (int)one_of(0, 1, 2, 3, 4, 5, 6, 99);
		CALL(cuDeviceGetP2PAttribute,
		     (perhaps_null(&value, device == 0 && peer == 0, 8), (CUdevice_P2PAttribute)what, device, peer),
		     "%d, %d, %d", what, device, peer);
		out_number("is", value);
		return;
	case 7:
		memset(luid, 0x55, sizeof(luid));
		CALL(cuDeviceGetLuid,
		     (perhaps_null(luid, device == 0 && peer == 0, 6), perhaps_null(&mask, device == 0 && peer == 0, 6),
		      device),
		     "%d", device);
		out(luid, sizeof(luid));
		out_number("mask", mask);
		return;
	case 8:
		memset(&properties, 0x55, sizeof(properties));
		CALL(cuDeviceGetProperties, (perhaps_null(&properties, device == 0 && peer == 0, 8), device), "%d",
		     device);
		out(&properties, sizeof(properties));
		return;
	case 9:
		CALL(cuDeviceTotalMem, (perhaps_null(&four, device == 0 && peer == 0, 8), device), "%d", device);
		out_number("is", four);
		return;
	case 10:
		CALL(cuDeviceGetCount, (perhaps_null(&value, device == 0 && peer == 0, 4)), " ");
		out_number("is", value);
		return;
	case 11:
		what = (int)one_of(0, 0, 1, 7);
		value = (int)one_of(0, 100, 200, 3);
		CALL(cuFlushGPUDirectRDMAWrites,
		     ((CUflushGPUDirectRDMAWritesTarget)what, (CUflushGPUDirectRDMAWritesScope)value), "%d, %d", what,
		     value);
		return;
	default:
		CALL(cuDevicePrimaryCtxSetFlags, (device, (unsigned int)one_of(0, 1, 2)), "%d", device);
		CALL(cuDevicePrimaryCtxGetState,
		     (device, perhaps_null(&mask, device == 0, 3), perhaps_null(&value, device == 0, 3)), "%d", device);
		out_number("flags", mask);
		out_number("active", value);
	}
}

static void do_said(void)
{
	static const char *const symbols[] = { "cuMemAlloc",         "cuCtxCreate",
					       "cuLaunchKernel",     "cuStreamSynchronize",
					       "cuGetProcAddress",   "cuMemcpyBatchAsync",
					       "cuNoSuch",           "",
					       "cuMemAlloc_v2",      "cuGraphInstantiate",
					       "cuEventElapsedTime", "cuStreamGetCaptureInfo",
					       "cuDeviceGetUuid",    "cuInit",
					       "cuLaunchGrid",       "cuMemcpyHtoD",
					       "cudaMalloc",         "cuGreenCtxCreate" };
	unsigned int at = pick(sizeof(symbols) / sizeof(symbols[0]));
	int error = one_in(3) ? (int)pick(1000) : (int)one_of(0, 1, 100, 201, 400, 700, 719, 999, 5000, (uint64_t)-1);
	const char *text = "kept";
	int version = 0x5555;
	void *function = (void *)(uintptr_t)1;
	CUdriverProcAddressQueryResult status = (CUdriverProcAddressQueryResult)0x55;
	uint64_t flags;
	bool value[64];
	size_t bytes = one_of(1, 64, 0, 4);
	bool no_status = one_in(6);
	switch (pick(6)) {
	case 0:
		CALL(cuGetErrorName, ((CUresult)error, one_in(10) ? NULL : &text), "%d", error);
		printf(" %s", text ? text : "NULL");
		return;
	case 1:
		CALL(cuGetErrorString, ((CUresult)error, one_in(10) ? NULL : &text), "%d", error);
		printf(" %s", text ? text : "NULL");
		return;
	case 2:
		CALL(cuDriverGetVersion, (one_in(4) ? NULL : &version), " ");
		out_number("is", version);
		return;
	case 3:
		CALL(cuProfilerStart, (), " ");
		CALL(cuProfilerStop, (), " ");
		return;
	case 4:
		/* Left out: dumps of a failed kernel are made where the driver runs (client/cuda/absent.c).
		 */
		(void)value, (void)bytes;
		return;
	default:
		version = (int)one_of(2000, 3010, 3020, 4000, 7000, 11040, 12000, 12080, 13000, 99000, 0, 1000,
				      (uint64_t)-1);
		flags = one_of(0, 0, 1, 2, 3, 4, 1ull << 40);
		CALL(cuGetProcAddress_v2, (symbols[at], &function, version, flags, no_status ? NULL : &status),
		     "%s, %d, %llu, %d", symbols[at], version, (unsigned long long)flags, no_status);
		out_number("kept", function == (void *)(uintptr_t)1);
		out_number("found", function != NULL);
		out_number("status", status);
		if (one_in(3)) {
			function = (void *)(uintptr_t)1;
			CALL(cuGetProcAddress, (symbols[at], one_in(4) ? NULL : &function, version, flags), "%s",
			     symbols[at]);
			out_number("found", function != NULL);
		}
		if (one_in(12))
			CALL(cuGetProcAddress_v2, (NULL, &function, version, flags, &status), "NULL");
	}
}

static void do_function_more(void)
{
	int f = any(FUNCTION), m = any(MODULE);
	CUfunction function = handle_of(FUNCTION, f, CUfunction);
	CUmodule module = NULL;
	const char *text = "kept";
	size_t offset = 0x5555, bytes = 0x5555, index = one_of(0, 1, 3, 4, 100, ~0ull);
	unsigned int count = 0x5555;
	CUfunctionLoadingState state = (CUfunctionLoadingState)0x55;
	CUfunction functions[64];
	CUresult r;
	switch (pick(7)) {
	case 0:
		CALL(cuFuncGetModule, (perhaps_null(&module, slots[FUNCTION][f].live, 8), function), "f%d", f);
		out_number("is", which(MODULE, (uint64_t)(uintptr_t)module));
		return;
	case 1:
		CALL(cuFuncGetName, (perhaps_null(&text, slots[FUNCTION][f].live, 8), function), "f%d", f);
		printf(" %s", text);
		return;
	case 2:
		CALL(cuFuncGetParamInfo,
		     (function, index, perhaps_null(&offset, slots[FUNCTION][f].live, 8),
		      perhaps_null(&bytes, slots[FUNCTION][f].live, 8)),
		     "f%d, %zu", f, index);
		out_number("is", (int64_t)offset);
		out_number("is", (int64_t)bytes);
		return;
	case 3:
		CALL(cuFuncIsLoaded, (perhaps_null(&state, slots[FUNCTION][f].live, 8), function), "f%d", f);
		CALL(cuFuncLoad, (function), "f%d", f);
		return;
	case 4:
		CALL(cuFuncSetSharedMemConfig, (function, (CUsharedconfig)pick(5)), "f%d", f);
		return;
	case 5:
		CALL(cuModuleGetFunctionCount,
		     (perhaps_null(&count, slots[MODULE][m].live, 8), handle_of(MODULE, m, CUmodule)), "o%d", m);
		out_number("is", count);
		return;
	default:
		memset(functions, 0, sizeof(functions));
		count = (unsigned int)one_of(0, 1, 5, 64);
		r = CALL(cuModuleEnumerateFunctions,
			 (perhaps_null(functions, slots[MODULE][m].live, 8), count, handle_of(MODULE, m, CUmodule)),
			 "o%d, %u", m, count);
		count = 0;
		while (count < 64 && functions[count])
			count++;
		out_number("got", count);
		for (unsigned int i = 0; i < count && r == CUDA_SUCCESS && i < 3; i++) {
			CALL(cuFuncGetName, (&text, functions[i]), "%u", i);
			printf(" %s", text);
		}
	}
}

/* ---- copies ---- */

static void do_peer(void)
{
	int from = any(MEMORY), to = any(MEMORY), a = any(CONTEXT), b = any(CONTEXT), number;
	size_t most, bytes;
	CUstream stream = any_stream(&number);
	CUdeviceptr src = slots[MEMORY][from].handle, dst = slots[MEMORY][to].handle;
	CUDA_MEMCPY3D_PEER copy = { 0 };
	if (from == to)
		return;
	if (!slots[CONTEXT][a].live || !slots[CONTEXT][b].live || a == PRIMARY || b == PRIMARY)
		stream = right_stream(&number);
	most = slots[MEMORY][from].bytes < slots[MEMORY][to].bytes ? slots[MEMORY][from].bytes
								   : slots[MEMORY][to].bytes;
	bytes = one_in(10) ? most + 1 : one_in(10) ? 0 : pick((uint32_t)most + 1);
	if (one_in(3)) {
		copy.srcMemoryType = copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
		copy.srcDevice = src;
		copy.dstDevice = dst;
		copy.srcContext = one_in(6) ? NULL : handle_of(CONTEXT, a, CUcontext);
		copy.dstContext = one_in(6) ? NULL : handle_of(CONTEXT, b, CUcontext);
		copy.srcPitch = copy.dstPitch = one_of(64, 128, 16, 0);
		copy.srcHeight = copy.dstHeight = one_of(4, 2, 0);
		copy.WidthInBytes = one_of(16, 64, 1, 0);
		copy.Height = one_of(1, 2, 4);
		copy.Depth = one_of(1, 2, 1000000);
#define PEER                                                                                                           \
	"m%d, c%d%s, m%d, c%d%s, %zu, %zu, %zu %zu %zu", to, b, copy.dstContext ? "" : " NULL", from, a,               \
		copy.srcContext ? "" : " NULL", copy.srcPitch, copy.srcHeight, copy.WidthInBytes, copy.Height,         \
		copy.Depth
		if (one_in(2)) {
			CALL(cuMemcpy3DPeer, (&copy), PEER);
			stream = NULL;
		} else {
			CALL(cuMemcpy3DPeerAsync, (&copy, stream), PEER);
		}
	} else if (one_in(2)) {
		CALL(cuMemcpyPeer,
		     (dst, handle_of(CONTEXT, b, CUcontext), src, handle_of(CONTEXT, a, CUcontext), bytes),
		     "m%d, c%d, m%d, c%d, %zu", to, b, from, a, bytes);
		stream = NULL;
		CALL(cuCtxSynchronize_v2, (handle_of(CONTEXT, b, CUcontext)), "c%d", b);
	} else {
		CALL(cuMemcpyPeerAsync,
		     (dst, handle_of(CONTEXT, b, CUcontext), src, handle_of(CONTEXT, a, CUcontext), bytes, stream),
		     "m%d, c%d, m%d, c%d, %zu, s%d", to, b, from, a, bytes, number);
	}
	settle(stream, to);
}

static void do_batch(void)
{
	int number, from[3], to = memory_of(65536);
	CUstream stream = any_stream(&number);
	CUdeviceptr dsts[3], srcs[3];
	size_t sizes[3], index[3] = { 0, 1, 2 }, failed = 0x5555, count = one_of(1, 2, 3, 0), n = one_of(1, 1, 2, 0, 9);
	CUmemcpyAttributes attributes[3];
	CUDA_MEMCPY3D_BATCH_OP ops[3];
	unsigned int order = (unsigned int)one_of(1, 2, 3, 1, 0, 4), flags = (unsigned int)one_of(0, 0, 0, 1);
	if (to < 0)
		return;
	memset(attributes, 0, sizeof(attributes));
	memset(ops, 0, sizeof(ops));
	for (int i = 0; i < 3; i++) {
		bool on_host = one_in(2);
		from[i] = on_host ? (int)pick(SLOTS) : any(MEMORY);
		if (!on_host && from[i] == to)
			on_host = true;
		srcs[i] = on_host ? (CUdeviceptr)(uintptr_t)host[from[i]] : slots[MEMORY][from[i]].handle;
		dsts[i] = slots[MEMORY][to].handle + (unsigned int)i * 16384;
		sizes[i] = one_of(0, 4, 100, 4096, 16384);
		if (!on_host && slots[MEMORY][from[i]].live && sizes[i] > slots[MEMORY][from[i]].bytes && !one_in(8))
			sizes[i] = 4;
		attributes[i].srcAccessOrder = (CUmemcpySrcAccessOrder)order;
		ops[i].src.type = ops[i].dst.type = CU_MEMCPY_OPERAND_TYPE_POINTER;
		ops[i].src.op.ptr.ptr = srcs[i];
		ops[i].dst.op.ptr.ptr = dsts[i];
		ops[i].src.op.ptr.rowLength = one_of(0, 64, 8);
		ops[i].dst.op.ptr.rowLength = one_of(0, 128);
		ops[i].extent = (CUextent3D){ one_of(4, 16, 64, 0), one_of(1, 2), one_of(1, 2) };
		ops[i].srcAccessOrder = (CUmemcpySrcAccessOrder)order;
		if (one_in(6)) {
			int a = any(ARRAY);
			ops[i].src.type = CU_MEMCPY_OPERAND_TYPE_ARRAY;
			ops[i].src.op.array.array = handle_of(ARRAY, a, CUarray);
			ops[i].src.op.array.offset = (CUoffset3D){ 0, 0, 0 };
			from[i] = 100 + a;
		}
		if (one_in(20))
			ops[i].dst.type = (CUmemcpy3DOperandType)7;
	}
#define BATCH                                                                                                          \
	"m%d, %d %d %d, %zu %zu %zu, %zu, order %u, n %zu, s%d, %u", to, from[0], from[1], from[2], sizes[0],          \
		sizes[1], sizes[2], count, order, n, number, flags
	switch (pick(4)) {
	case 0:
		CALL(cuMemcpyBatchAsync,
		     (one_in(12) ? NULL : dsts, srcs, sizes, count, attributes, index, n, one_in(6) ? NULL : &failed,
		      stream),
		     BATCH);
		break;
	case 1:
		CALL(cuMemcpyBatchAsync_v2,
		     (dsts, srcs, sizes, count, one_in(12) ? NULL : attributes, index, n, stream), BATCH);
		break;
	case 2:
		CALL(cuMemcpy3DBatchAsync, (count, one_in(12) ? NULL : ops, one_in(6) ? NULL : &failed, flags, stream),
		     BATCH);
		break;
	default:
		CALL(cuMemcpy3DBatchAsync_v2, (count, ops, flags, stream), BATCH);
	}
	out_number("failed", (int64_t)failed);
	settle(stream, to);
}

static void do_array_more(void)
{
	int a = any(ARRAY), b = any(ARRAY), m = memory_of(4096), h = (int)pick(SLOTS), number;
	CUarray one = handle_of(ARRAY, a, CUarray), two = handle_of(ARRAY, b, CUarray);
	size_t x = one_of(0, 0, 4, 3, 1ull << 30), y = one_of(0, 0, 4, 16), bytes = one_of(0, 4, 16, 64, 3, 4096);
	CUstream stream = any_stream(&number);
	if (m < 0)
		return;
	switch (pick(5)) {
	case 0:
		if (a == b)
			return;
		CALL(cuMemcpyAtoA_v2, (one, x, two, y, bytes), "a%d + %zu, a%d + %zu, %zu", a, x, b, y, bytes);
		CALL(cuCtxSynchronize, (), " ");
		return;
	case 1:
		CALL(cuMemcpyAtoD_v2, (slots[MEMORY][m].handle, one, x, bytes), "m%d, a%d + %zu, %zu", m, a, x, bytes);
		settle(NULL, m);
		return;
	case 2:
		CALL(cuMemcpyDtoA_v2, (one, x, slots[MEMORY][m].handle, bytes), "a%d + %zu, m%d, %zu", a, x, m, bytes);
		CALL(cuCtxSynchronize, (), " ");
		return;
	case 3:
		CALL(cuMemcpyHtoAAsync_v2, (one, x, host[h], bytes, stream), "a%d + %zu, h%d, %zu, s%d", a, x, h, bytes,
		     number);
		CALL(cuStreamSynchronize, (stream), "s%d", number);
		return;
	default:
		CALL(cuMemcpyAtoHAsync_v2, (host[h], one, x, bytes, stream), "h%d, a%d + %zu, %zu, s%d", h, a, x, bytes,
		     number);
		CALL(cuStreamSynchronize, (stream), "s%d", number);
		out(host[h], HOST_BYTES);
	}
}

static void do_fill_lines(void)
{
	int m = any(MEMORY), number;
	CUstream stream = any_stream(&number);
	CUdeviceptr at = slots[MEMORY][m].live ? slots[MEMORY][m].handle + one_of(0, 0, 4, 2, 1) : 0;
	size_t pitch = one_of(64, 128, 100, 30, 0), width = one_of(1, 8, 16, 0, 31),
	       height = one_of(1, 2, 4, 0, 1000000);
#define LINES                                                                                                          \
	"m%d + %llu, %zu, %zu x %zu", m, (unsigned long long)(at ? at - slots[MEMORY][m].handle : 0), pitch, width,    \
		height
	switch (pick(5)) {
	case 0:
		CALL(cuMemsetD2D16_v2, (at, pitch, 0x1234, width, height), LINES);
		stream = NULL;
		break;
	case 1:
		CALL(cuMemsetD2D32_v2, (at, pitch, 0x12345678, width, height), LINES);
		stream = NULL;
		break;
	case 2:
		CALL(cuMemsetD2D8Async, (at, pitch, 0x12, width, height, stream), LINES);
		break;
	case 3:
		CALL(cuMemsetD2D16Async, (at, pitch, 0x1234, width, height, stream), LINES);
		break;
	default:
		CALL(cuMemsetD2D32Async, (at, pitch, 0x12345678, width, height, stream), LINES);
	}
	settle(stream, m);
}

const struct operation differ_contexts[] = { { "context-more", 5, do_context_more },
					     { "device-more", 2, do_device_more },
					     { "said", 2, do_said },
					     { "function-more", 3, do_function_more },
					     { "peer", 3, do_peer },
					     { "batch", 4, do_batch },
					     { "array-more", 3, do_array_more },
					     { "fill-lines", 3, do_fill_lines },
					     { NULL, 0, NULL } };
