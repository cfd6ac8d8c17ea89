/* Random calls: contexts, modules, functions and what they say of themselves, streams, events. */
#include "differ.h"

static uint32_t retained;

static void do_context(void)
{
	int i = any(CONTEXT);
	CUcontext ctx = handle_of(CONTEXT, i, CUcontext);
	unsigned int flags = (unsigned int)one_of(0, 0, 1, 2, 4, 8, 3, 0x1000);
	CUresult r;
	switch (pick(9)) {
	case 0:
		i = room(CONTEXT);
		if (i < 0)
			return;
		ctx = NULL;
		r = CALL(cuCtxCreate_v2, (&ctx, flags, one_in(10) ? 77 : 0), "c%d, %u", i, flags);
		made(CONTEXT, i, r, (uint64_t)(uintptr_t)ctx, 0);
		return;
	case 1:
		if (i == 0 || i == PRIMARY)
			return;
		if (CALL(cuCtxDestroy_v2, (ctx), "c%d", i) == CUDA_SUCCESS)
			context_gone(i);
		gone(CONTEXT, i);
		return;
	case 2:
		CALL(cuCtxPushCurrent_v2, (ctx), "c%d", i);
		return;
	case 3:
		ctx = NULL;
		CALL(cuCtxPopCurrent_v2, (&ctx), " ");
		out_number("popped", which(CONTEXT, (uint64_t)(uintptr_t)ctx));
		return;
	case 4:
		CALL(cuCtxSetCurrent, (one_in(6) ? NULL : ctx), "c%d", i);
		return;
	case 5:
		ctx = NULL;
		CALL(cuCtxGetCurrent, (&ctx), " ");
		out_number("is", which(CONTEXT, (uint64_t)(uintptr_t)ctx));
		return;
	case 6:
		flags = 0x5555;
		CALL(cuCtxGetFlags, (&flags), " ");
		out_number("flags", flags);
		return;
	case 7:
		CALL(cuCtxSynchronize, (), " ");
		return;
	default:
		flags = 0x5555;
		CALL(cuCtxGetApiVersion, (ctx, &flags), "c%d", i);
		out_number("version", flags);
	}
}

static void do_primary(void)
{
	CUcontext ctx = NULL;
	unsigned int flags = 0x5555;
	int active = 0x5555, device = one_in(10) ? 9 : 0;
	switch (pick(5)) {
	case 0:
		if (CALL(cuDevicePrimaryCtxRetain, (&ctx, device), "%d", device) != CUDA_SUCCESS)
			return;
		out_number("made", ctx != NULL);
		slots[CONTEXT][PRIMARY] =
			(struct slot){ .handle = (uint64_t)(uintptr_t)ctx, .owner = -1, .live = true };
		retained++;
		return;
	case 1:
		if (CALL(cuDevicePrimaryCtxRelease_v2, (device), "%d", device) == CUDA_SUCCESS && --retained == 0) {
			context_gone(PRIMARY);
			gone(CONTEXT, PRIMARY);
		}
		return;
	case 2:
		if (!one_in(4))
			return;
		if (CALL(cuDevicePrimaryCtxReset_v2, (device), "%d", device) == CUDA_SUCCESS)
			context_gone(PRIMARY);
		return;
	case 3:
		CALL(cuDevicePrimaryCtxGetState, (device, &flags, &active), "%d", device);
		out_number("flags", flags);
		out_number("active", active);
		return;
	default:
		flags = (unsigned int)one_of(0, 1, 4, 0x1000);
		CALL(cuDevicePrimaryCtxSetFlags_v2, (device, flags), "%d, %u", device, flags);
	}
}

static void do_limit(void)
{
	CUlimit what = (CUlimit)one_of(0, 1, 2, 3, 5, 6, 99);
	size_t value = one_of(0, 1024, 65536, 1ull << 60);
	CUfunc_cache cache = (CUfunc_cache)0x5555;
	switch (pick(4)) {
	case 0:
		CALL(cuCtxSetLimit, (what, value), "%d, %zu", (int)what, value);
		return;
	case 1:
		value = 0x5555;
		CALL(cuCtxGetLimit, (&value, what), "%d", (int)what);
		out_number("is", (int64_t)value);
		return;
	case 2:
		CALL(cuCtxGetCacheConfig, (&cache), " ");
		out_number("is", cache);
		return;
	default:
		CALL(cuCtxSetCacheConfig, ((CUfunc_cache)value), "%zu", value);
	}
}

static void do_device(void)
{
	int value = 0x5555, what = (int)pick(150), device = one_in(8) ? (int)one_of(1, 77) : 0;
	size_t bytes = 0x5555;
	char name[64];
	memset(name, 0x55, sizeof(name));
	switch (pick(4)) {
	case 0:
		CALL(cuDeviceGetName, (name, (int)one_of(64, 5, 1), device), "%d", device);
		out(name, sizeof(name));
		return;
	case 1:
		CALL(cuDeviceTotalMem_v2, (&bytes, device), "%d", device);
		out_number("bytes", (int64_t)bytes);
		return;
	case 2:
		CALL(cuDeviceGet, (&value, device), "%d", device);
		out_number("is", value);
		return;
	default:
		CALL(cuDeviceComputeCapability, (&value, &what, device), "%d", device);
		out_number("is", value);
	}
}

static char *texts[4];

static const char *const names[] = { "add",       "where",      "bounded",   "store", "count",
				     "sum_lanes", "walk_table", "none such", "" };

static void do_module(void)
{
	static const char *const files[] = { "kernels.ptx", "check.ptx", "textures.ptx", "first.ptx" };
	int i = any(MODULE), file = (int)pick(10);
	CUmodule module = handle_of(MODULE, i, CUmodule);
	CUresult r;
	if (slots[MODULE][i].live && one_in(2)) {
		CALL(cuModuleUnload, (module), "o%d", i);
		gone(MODULE, i);
		for (int f = 0; f < SLOTS; f++)
			if (slots[FUNCTION][f].bytes == (size_t)i)
				gone(FUNCTION, f);
		return;
	}
	i = room(MODULE);
	if (i < 0)
		return;
	module = NULL;
	if (file < 7) {
		file = file < 4 ? 0 : file - 3;
		if (!texts[file])
			texts[file] = cu_ptx(files[file]);
		r = CALL(cuModuleLoadData, (&module, texts[file]), "o%d, %s", i, files[file]);
	} else if (file == 7) {
		char log[512] = "";
		size_t bytes, half;
		char *text = cu_ptx(files[pick(4)]);
		CUjit_option options[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
		void *values[] = { log, (void *)sizeof(log) };
		bytes = strlen(text);
		half = pick((uint32_t)bytes);
		text[half] = '\0';
		r = CALL(cuModuleLoadDataEx, (&module, text, 2, options, values), "o%d, cut at %zu", i, half);
		out(log, sizeof(log));
		out_number("bytes", (int64_t)(uintptr_t)values[1]);
		free(text);
	} else if (file == 8) {
		r = CALL(cuModuleLoadData, (&module, one_in(2) ? "" : "this is no module"), "o%d, rubbish", i);
	} else {
		r = CALL(cuModuleLoadData, (&module, NULL), "o%d, NULL", i);
	}
	made(MODULE, i, r, (uint64_t)(uintptr_t)module, 0);
}

static void do_function(void)
{
	int i = any(FUNCTION), m = any(MODULE);
	const char *name = names[pick(sizeof(names) / sizeof(names[0]))];
	CUmodule module = handle_of(MODULE, m, CUmodule);
	CUfunction function = NULL;
	CUdeviceptr at = 0;
	size_t bytes = 0x5555;
	CUresult r;
	if (one_in(4)) {
		name = one_of(0, 1) ? "table" : one_of(0, 1) ? "counter" : "none such";
		CALL(cuModuleGetGlobal_v2, (one_in(6) ? NULL : &at, one_in(6) ? NULL : &bytes, module, name), "o%d, %s",
		     m, name);
		out_number("found", at != 0);
		out_number("bytes", (int64_t)bytes);
		return;
	}
	r = CALL(cuModuleGetFunction, (&function, module, name), "f%d, o%d, %s", i, m, name);
	if (r == CUDA_SUCCESS) {
		made(FUNCTION, i, r, (uint64_t)(uintptr_t)function, (size_t)m);
		slots[FUNCTION][i].owner = slots[MODULE][m].owner;
	}
}

static void do_attribute(void)
{
	int i = any(FUNCTION), value = 0x5555, blocks = 0x5555, size = (int)one_of(0, 1, 32, 256, 1024, 1025);
	CUfunction function = handle_of(FUNCTION, i, CUfunction);
	CUfunction_attribute what = (CUfunction_attribute)pick(18);
	size_t shared = one_of(0, 1024, 49152, 1ull << 20);
	switch (pick(5)) {
	case 0:
		CALL(cuFuncGetAttribute, (&value, what, function), "%d, f%d", (int)what, i);
		break;
	case 1:
		value = (int)one_of(0, 1024, 65536, 1 << 24, (uint64_t)-1, 100);
		CALL(cuFuncSetAttribute, (function, what, value), "f%d, %d, %d", i, (int)what, value);
		return;
	case 2:
		CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, (&value, function, size, shared), "f%d, %d, %zu", i,
		     size, shared);
		break;
	case 3:
		CALL(cuOccupancyMaxPotentialBlockSize, (&blocks, &value, function, NULL, shared, size), "f%d, %zu, %d",
		     i, shared, size);
		out_number("blocks", blocks);
		break;
	default:
		CALL(cuFuncSetCacheConfig, (function, (CUfunc_cache)pick(6)), "f%d", i);
		return;
	}
	out_number("is", value);
}

static void do_stream(void)
{
	int i = any(STREAM), number, e = any(EVENT), value = 0x5555;
	CUstream stream = handle_of(STREAM, i, CUstream);
	unsigned int flags = (unsigned int)one_of(0, 1, 1, 2);
	CUcontext ctx = NULL;
	CUresult r;
	if (one_in(3)) {
		i = room(STREAM);
		if (i < 0)
			return;
		stream = NULL;
		value = (int)one_of(0, (uint64_t)-1, 5, (uint64_t)-99);
		if (one_in(2))
			r = CALL(cuStreamCreate, (&stream, flags), "s%d, %u", i, flags);
		else
			r = CALL(cuStreamCreateWithPriority, (&stream, flags, value), "s%d, %u, %d", i, flags, value);
		made(STREAM, i, r, (uint64_t)(uintptr_t)stream, 0);
		return;
	}
	if (one_in(4)) {
		CALL(cuStreamDestroy_v2, (stream), "s%d", i);
		gone(STREAM, i);
		return;
	}
	stream = any_stream(&number);
	switch (pick(6)) {
	case 0:
		CALL(cuStreamSynchronize, (stream), "s%d", number);
		CALL(cuStreamQuery, (stream), "s%d", number);
		return;
	case 1:
		flags = 0x5555;
		CALL(cuStreamGetFlags, (stream, &flags), "s%d", number);
		out_number("is", flags);
		return;
	case 2:
		CALL(cuStreamGetPriority, (stream, &value), "s%d", number);
		out_number("is", value);
		return;
	case 3:
		CALL(cuStreamGetCtx, (stream, &ctx), "s%d", number);
		out_number("is", which(CONTEXT, (uint64_t)(uintptr_t)ctx));
		return;
	case 4:
		flags = (unsigned int)one_of(0, 0, 1, 7);
		CALL(cuStreamWaitEvent, (stream, handle_of(EVENT, e, CUevent), flags), "s%d, e%d, %u", number, e,
		     flags);
		break;
	default: {
		int m = any(MEMORY);
		flags = (unsigned int)one_of(0, 1, 7);
		CALL(cuStreamWriteValue32_v2,
		     (stream, slots[MEMORY][m].live ? slots[MEMORY][m].handle : 0, (uint32_t)m, flags), "s%d, m%d, %u",
		     number, m, flags);
		settle(stream, m);
		return;
	}
	}
	CALL(cuStreamSynchronize, (stream), "s%d", number);
}

static void do_event(void)
{
	int i = any(EVENT), other = any(EVENT), number;
	CUevent event = handle_of(EVENT, i, CUevent);
	unsigned int flags = (unsigned int)one_of(0, 0, 1, 2, 3, 4, 6, 8);
	CUstream stream;
	float ms = -5;
	CUresult r;
	switch (pick(6)) {
	case 0:
		i = room(EVENT);
		if (i < 0)
			return;
		event = NULL;
		r = CALL(cuEventCreate, (&event, flags), "e%d, %u", i, flags);
		made(EVENT, i, r, (uint64_t)(uintptr_t)event, 0);
		return;
	case 1:
		if (i == 0) /* graphs have it */
			return;
		CALL(cuEventDestroy_v2, (event), "e%d", i);
		gone(EVENT, i);
		return;
	case 2:
	case 3:
		stream = any_stream(&number);
		CALL(cuEventRecord, (event, stream), "e%d, s%d", i, number);
		CALL(cuStreamSynchronize, (stream), "s%d", number);
		CALL(cuEventQuery, (event), "e%d", i);
		return;
	case 4:
		CALL(cuEventSynchronize, (event), "e%d", i);
		CALL(cuEventQuery, (event), "e%d", i);
		return;
	default:
		CALL(cuEventElapsedTime, (&ms, event, handle_of(EVENT, other, CUevent)), "e%d, e%d", i, other);
		out_number("is", ms == -5 ? -5 : i == other ? 0 : 1); /* how long is nobody's business */
	}
}

const struct operation differ_objects[] = { { "context", 6, do_context },     { "primary", 2, do_primary },
					    { "limit", 2, do_limit },         { "device", 2, do_device },
					    { "module", 5, do_module },       { "function", 7, do_function },
					    { "attribute", 6, do_attribute }, { "stream", 8, do_stream },
					    { "event", 7, do_event },         { NULL, 0, NULL } };
