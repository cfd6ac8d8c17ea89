/* Random calls: launches with attributes and of before CUDA 4, streams, words in memory, functions of the program. */
#include "differ.h"

static _Atomic int called;

static void call_host(void *user)
{
	called += (int)(uintptr_t)user;
}

static void call_stream(CUstream stream, CUresult status, void *user)
{
	(void)stream;
	called += (int)(uintptr_t)user + 1000 * (int)status;
}

/* `store` writes its second argument, which is no address then: those may differ. */
static bool stores(CUfunction function)
{
	const char *name = "";
	return cu(cuFuncGetName)(&name, function) == CUDA_SUCCESS && !strcmp(name, "store");
}

/* ---- launches ---- */

static void set_attribute(CUlaunchAttribute *attribute, int *id, uint64_t *value, bool right)
{
	int e = any(EVENT);
	if (right && !slots[EVENT][e].live)
		e = 0; /* never destroyed */
	memset(attribute, 0, sizeof(*attribute));
	*id = (int)one_of(0, 1, 2, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 12, 13, 14, 15, 16, 17, 40, 1u << 31);
	*value = one_of(0, 1, 1, 2, 7);
	if (right && (*id == 11 || *id == 13 || *id >= 17 || *id < 0))
		*id = 0;
	if (right && *id == 4)
		*value = 1;
	attribute->id = (CUlaunchAttributeID)*id;
	switch (*id) {
	case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
		attribute->value.accessPolicyWindow.num_bytes = *value * 1024;
		attribute->value.accessPolicyWindow.hitRatio = (float)*value;
		break;
	case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
	case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
		attribute->value.clusterDim.x = attribute->value.clusterDim.y = attribute->value.clusterDim.z = 1;
		if (*value == 2 && !right)
			attribute->value.clusterDim.x = 2;
		else if (*value == 7 && !right)
			attribute->value.clusterDim.y = 2;
		else if (*value == 0)
			attribute->value.clusterDim.z = 0;
		break;
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
		attribute->value.programmaticEvent.event = handle_of(EVENT, e, CUevent);
		*value = (uint64_t)e;
		break;
	case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
		attribute->value.launchCompletionEvent.event = handle_of(EVENT, e, CUevent);
		*value = (uint64_t)e;
		break;
	default:
		attribute->value.priority = (int)*value;
	}
}

static void do_launch_ex(void)
{
	int f = any(FUNCTION), m = memory_of(65536), number, n = 64, ids[3] = { 0 };
	uint32_t wrong = pick(12); /* one thing at most */
	uint64_t values[3] = { 0 };
	CUlaunchAttribute attributes[3];
	CUlaunchConfig config = { .gridDimX = (unsigned int)one_of(1, 1, 2, 3),
				  .gridDimY = 1,
				  .gridDimZ = 1,
				  .blockDimX = (unsigned int)one_of(1, 32, 64, 256, 1024),
				  .blockDimY = 1,
				  .blockDimZ = 1,
				  .sharedMemBytes = (unsigned int)one_of(0, 0, 0, 4096) };
	CUdeviceptr at = m < 0 ? 0 : slots[MEMORY][m].handle, sum = m < 0 ? 0 : at + 32768;
	CUfunction function;
	void *params[] = { &at, &at, &sum, &n };
	CUresult r;
	if (m < 0)
		return;
	if (wrong && !slots[FUNCTION][f].live)
		return;
	function = handle_of(FUNCTION, f, CUfunction);
	if (stores(function))
		params[1] = &n;
	config.hStream = wrong == 1 ? any_stream(&number) : right_stream(&number);
	config.numAttrs = (unsigned int)one_of(0, 1, 1, 1, 2, 3);
	for (unsigned int i = 0; i < config.numAttrs; i++)
		set_attribute(&attributes[i], &ids[i], &values[i], wrong < 6 || i + 1 < config.numAttrs);
	config.attrs = attributes;
	if (wrong == 2)
		config.gridDimX = 0;
	if (wrong == 3)
		config.blockDimX = (unsigned int)one_of(0, 1025);
	if (wrong == 4)
		config.sharedMemBytes = 50000;
	if (wrong == 5 && one_in(2))
		config.attrs = NULL;
	else if (wrong == 5)
		config.numAttrs = (unsigned int)one_of(65, ~0u);
#define EX                                                                                                             \
	"f%d, %u, %u, %u, s%d, m%d, %u%s: %d %d, %d %d, %d %d", f, config.gridDimX, config.blockDimX,                  \
		config.sharedMemBytes, number, m, config.numAttrs, config.attrs ? "" : " NULL", ids[0],                \
		(int)values[0], ids[1], (int)values[1], ids[2], (int)values[2]
	/* Twice: what was taken before is sent without waiting. */
	r = CALL(cuLaunchKernelEx, (&config, function, params, NULL), EX);
	settle(config.hStream, m);
	if (r == CUDA_SUCCESS) {
		if (one_in(2) && config.numAttrs == 1 && config.attrs) {
			/* Often the same kind again with another value, as what is kept of it may be too little. */
			int id = ids[0];
			for (int i = 0; i < 8; i++) {
				set_attribute(&attributes[0], &ids[0], &values[0], false);
				if (ids[0] == id)
					break;
			}
		}
		CALL(cuLaunchKernelEx, (&config, function, params, NULL), EX);
		settle(config.hStream, m);
	}
	for (int e = 0; e < SLOTS; e++)
		if (slots[EVENT][e].live)
			CALL(cuEventQuery, (handle_of(EVENT, e, CUevent)), "e%d", e);
	if (one_in(10))
		CALL(cuLaunchKernelEx, (NULL, function, params, NULL), "NULL, f%d", f);
}

static void do_launch_old(void)
{
	int f = any(FUNCTION), m = memory_of(65536), number, value;
	CUfunction function = handle_of(FUNCTION, f, CUfunction);
	struct {
		CUdeviceptr at[3];
		int n;
	} packed;
	CUstream stream;
	/* Left out: functions of libraries, which a client keeps the arguments of by each of their handles. */
	if (slots[FUNCTION][f].bytes >= SLOTS)
		return;
	if (m < 0)
		return;
	packed.at[0] = packed.at[1] = slots[MEMORY][m].handle;
	packed.at[2] = packed.at[0] + 32768;
	packed.n = 64;
	if (stores(function))
		packed.at[1] = 64;
	value = (int)one_of(1, 32, 64, 0, (uint64_t)-1, 1025);
	CALL(cuFuncSetBlockShape, (function, value, 1, 1), "f%d, %d", f, value);
	if (one_in(3)) {
		value = (int)one_of(0, 4096, 50000);
		CALL(cuFuncSetSharedSize, (function, (unsigned int)value), "f%d, %d", f, value);
	}
	CALL(cuParamSetv, (function, 0, &packed, 28), "f%d, 28", f);
	CALL(cuParamSetSize, (function, 28), "f%d, 28", f);
	if (one_in(4))
		CALL(cuParamSeti, (function, 24, 32), "f%d, 24", f);
	if (one_in(6))
		CALL(cuParamSetf, (function, (int)one_of(28, 4092), 2.5f), "f%d", f);
	if (one_in(6)) {
		value = (int)one_of(4093, 4096, 8192, (uint64_t)-4);
		CALL(cuParamSeti, (function, value, 3), "f%d, %d", f, value);
		CALL(cuParamSetv, (function, 0, one_in(2) ? NULL : &packed, 0), "f%d, none", f);
		CALL(cuParamSetv, (function, 28, NULL, 8), "f%d, NULL", f);
	}
	if (one_in(6)) {
		value = (int)one_of(4096, 4097, 1u << 30);
		CALL(cuParamSetSize, (function, (unsigned int)value), "f%d, %d", f, value);
	}
	switch (pick(3)) {
	case 0:
		CALL(cuLaunch, (function), "f%d", f);
		stream = NULL;
		break;
	case 1:
		value = (int)one_of(1, 2, 0, (uint64_t)-1);
		CALL(cuLaunchGrid, (function, value, 1), "f%d, %d", f, value);
		stream = NULL;
		break;
	default:
		stream = any_stream(&number);
		value = (int)one_of(1, 2, 0, 65536);
		CALL(cuLaunchGridAsync, (function, 2, value, stream), "f%d, %d, s%d", f, value, number);
	}
	settle(stream, m);
}

static void do_host_function(void)
{
	int number, by = (int)pick(9) + 1;
	CUstream stream = any_stream(&number);
	void *user = (void *)(uintptr_t)(unsigned int)by;
	unsigned int flags = (unsigned int)one_of(0, 0, 0, 1, 0x1000);
	bool none = one_in(10) && current() >= 0;
	if (none || flags)
		stream = right_stream(&number);
	if (none)
		flags = 0;
	if (current() < 0)
		flags = 0;
	if (one_in(2))
		CALL(cuLaunchHostFunc, (stream, none ? NULL : call_host, user), "s%d, %d, %d", number, by, none);
	else
		CALL(cuStreamAddCallback, (stream, none ? NULL : call_stream, user, flags), "s%d, %d, %d, %u", number,
		     by, none, flags);
	CALL(cuStreamSynchronize, (stream), "s%d", number);
	out_number("called", called);
}

/* ---- streams ---- */

static void do_stream_said(void)
{
	int number, other, device = 0x5555;
	CUstream stream = any_stream(&number), second = any_stream(&other);
	unsigned long long id = 0x5555, of = 0x5555;
	CUcontext ctx = (CUcontext)(uintptr_t)1;
	CUgreenCtx green = (CUgreenCtx)(uintptr_t)1;
	CUresult r;
	switch (pick(5)) {
	case 0:
		r = CALL(cuStreamGetId, (stream, &id), "s%d", number);
		out_number("kept", id == 0x5555);
		if (CALL(cuStreamGetId, (second, &of), "s%d", other) == CUDA_SUCCESS && r == CUDA_SUCCESS)
			out_number("same", id == of);
		if (one_in(4) && current() >= 0)
			CALL(cuStreamGetId, (right_stream(&number), NULL), "s%d, NULL", number);
		return;
	case 1:
		CALL(cuStreamGetDevice, (stream, perhaps_null(&device, number < 0 || slots[STREAM][number].live, 6)),
		     "s%d", number);
		out_number("is", device);
		return;
	case 2: {
		bool right = current() >= 0 && (number < 0 || slots[STREAM][number].live), no_ctx = right && one_in(6);
		/* Left out: no place for the green context, of which nothing is documented. */
		CALL(cuStreamGetCtx_v2, (stream, no_ctx ? NULL : &ctx, &green), "s%d, %d", number, no_ctx);
		out_number("is", which(CONTEXT, (uint64_t)(uintptr_t)ctx));
		out_number("green", green == NULL);
		return;
	}
	case 3:
		CALL(cuStreamGetGreenCtx, (stream, perhaps_null(&green, number < 0 || slots[STREAM][number].live, 6)),
		     "s%d", number);
		out_number("green", green == NULL);
		return;
	default: {
		int m = any(MEMORY);
		size_t bytes = one_of(0, 4096, 1ull << 40);
		unsigned int flags = (unsigned int)one_of(1, 2, 4, 0, 3, 8);
		CALL(cuStreamAttachMemAsync, (stream, slots[MEMORY][m].handle, bytes, flags), "s%d, m%d, %zu, %u",
		     number, m, bytes, flags);
		CALL(cuStreamSynchronize, (stream), "s%d", number);
	}
	}
}

static void do_stream_attribute(void)
{
	static const int known[] = { CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW,
				     CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, CU_LAUNCH_ATTRIBUTE_PRIORITY,
				     CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP, CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN };
	int number, other, id = one_in(4) ? (int)one_of(0, 2, 4, 6, 14, 15, 16, 17, 99, 1u << 31) : known[pick(5)];
	CUstream stream = any_stream(&number), second = any_stream(&other);
	CUlaunchAttributeValue value;
	int what = (int)one_of(0, 1, 2, 3, 4, (uint64_t)-3, (uint64_t)-50, 9);
	unsigned int flags = 0x5555;
	switch (pick(3)) {
	case 0:
		memset(&value, 0, sizeof(value));
		value.priority = what;
		if (id == CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW) {
			memset(&value, 0, sizeof(value));
			value.accessPolicyWindow.num_bytes = (size_t)(unsigned int)what;
		}
		CALL(cuStreamSetAttribute,
		     (stream, (CUstreamAttrID)id,
		      perhaps_null(&value, (number < 0 || slots[STREAM][number].live) && (id == 3 || id == 8), 10)),
		     "s%d, %d, %d", number, id, what);
		break;
	case 1:
		CALL(cuStreamCopyAttributes, (stream, second), "s%d, s%d", number, other);
		break;
	default:
		break;
	}
	memset(&value, 0x55, sizeof(value));
	CALL(cuStreamGetAttribute,
	     (stream, (CUstreamAttrID)id,
	      perhaps_null(&value, (number < 0 || slots[STREAM][number].live) && (id == 3 || id == 8), 10)),
	     "s%d, %d", number, id);
	out(&value, sizeof(value));
	CALL(cuStreamGetPriority, (stream, &what), "s%d", number);
	out_number("is", what);
	CALL(cuStreamGetFlags, (stream, &flags), "s%d", number);
	out_number("is", flags);
}

/* Waits are for what is there already: the word was set and the stream waited for. */
static void do_words(void)
{
	int number, m = memory_of(4096);
	CUstream stream = any_stream(&number);
	CUdeviceptr at = m < 0 ? 0 : slots[MEMORY][m].handle + one_of(0, 0, 8, 64, 4, 2);
	unsigned int flags = (unsigned int)one_of(0, 1, 2, 3, 4, 1u << 30), write = (unsigned int)one_of(0, 0, 1, 2, 8);
	/* A wait that is right of 0x0f0f0f0f0f0f0f0f: greater or equal, equal, a bit in common, a bit not set in both.
	 */
	uint64_t word = 0x0f0f0f0f0f0f0f0full, value = flags == 0   ? 7
						       : flags == 1 ? word
						       : flags == 2 ? 1
						       : flags == 3 ? 0x10
								    : word;
	CUstreamBatchMemOpParams ops[4];
	unsigned int count = (unsigned int)one_of(1, 2, 3, 4, 0, 257, ~0u), kinds[4] = { 0 };
	if (m < 0)
		return;
	if (one_in(16))
		at = one_of(0, 8, 1ull << 46, slots[MEMORY][m].handle + slots[MEMORY][m].bytes);
	CALL(cuStreamWriteValue64_v2, (stream, at, word, write), "s%d, m%d + %lld, %u", number, m,
	     (long long)(at - slots[MEMORY][m].handle) % (1 << 20) * (at > 8 && at != 1ull << 46), write);
	settle(stream, m);
	/* Only where the word is known to be there. */
	if (at >= slots[MEMORY][m].handle && at + 8 <= slots[MEMORY][m].handle + slots[MEMORY][m].bytes) {
		CALL(cuMemcpyHtoD_v2, (at, &word, 8), "word");
		CALL(cuCtxSynchronize, (), " ");
	}
	switch (pick(4)) {
	case 0:
		CALL(cuStreamWaitValue32_v2, (stream, at, (uint32_t)value, flags), "s%d, m%d, %u", number, m, flags);
		break;
	case 1:
		CALL(cuStreamWaitValue64_v2, (stream, at, value, flags), "s%d, m%d, %u", number, m, flags);
		break;
	case 2:
		CALL(cuStreamWriteValue64, (stream, at, 99, write), "s%d, m%d, %u", number, m, write);
		break;
	default:
		memset(ops, 0, sizeof(ops));
		if (flags == 1u << 30 || count > 4 || !count)
			stream = right_stream(&number);
		for (int i = 0; i < 4; i++) {
			kinds[i] = (unsigned int)one_of(1, 2, 4, 5, 2, 5, 6, 3, 77);
			ops[i].operation = (CUstreamBatchMemOpType)kinds[i];
			if (kinds[i] == CU_STREAM_MEM_OP_BARRIER) {
				ops[i].memoryBarrier.flags = (unsigned int)one_of(0, 1, 2);
			} else if (kinds[i] == CU_STREAM_MEM_OP_WRITE_VALUE_32 ||
				   kinds[i] == CU_STREAM_MEM_OP_WRITE_VALUE_64) {
				ops[i].writeValue.address = (at & ~7ull) + 16;
				ops[i].writeValue.value64 = 0x1234567890ull + (uint64_t)i;
				ops[i].writeValue.flags = one_in(10) ? 7 : 0;
			} else {
				ops[i].waitValue.address = at;
				ops[i].waitValue.value64 = value;
				ops[i].waitValue.flags = flags;
			}
		}
		CALL(cuStreamBatchMemOp_v2,
		     (stream, count, perhaps_null(ops, number < 0 || slots[STREAM][number].live, 12),
		      (unsigned int)(flags == 1u << 30)),
		     "s%d, m%d, %u of %u %u %u %u, %u", number, m, count, kinds[0], kinds[1], kinds[2], kinds[3],
		     flags);
	}
	settle(stream, m);
}

static void do_event_more(void)
{
	int e = any(EVENT), c = any(CONTEXT), number;
	CUstream stream = any_stream(&number);
	CUevent event = handle_of(EVENT, e, CUevent);
	CUcontext ctx = one_in(6) ? NULL : handle_of(CONTEXT, c, CUcontext);
	unsigned int flags = (unsigned int)one_of(0, 0, 1, 2, 7);
	float ms = -5;
	switch (pick(4)) {
	case 0:
		CALL(cuEventRecordWithFlags, (event, stream, flags), "e%d, s%d, %u", e, number, flags);
		CALL(cuStreamSynchronize, (stream), "s%d", number);
		break;
	case 1:
		CALL(cuCtxRecordEvent, (ctx, event), "c%d%s, e%d", c, ctx ? "" : " NULL", e);
		CALL(cuCtxSynchronize_v2, (ctx), "c%d", c);
		break;
	case 2:
		CALL(cuCtxWaitEvent, (ctx, event), "c%d%s, e%d", c, ctx ? "" : " NULL", e);
		CALL(cuCtxSynchronize_v2, (ctx), "c%d", c);
		break;
	default:
		CALL(cuEventElapsedTime_v2, (perhaps_null(&ms, slots[EVENT][e].live, 6), event, event), "e%d", e);
		out_number("is", (int64_t)ms);
	}
	CALL(cuEventQuery, (event), "e%d", e);
}

static size_t shared_by(int threads)
{
	return (size_t)threads * 16;
}

static void do_occupancy(void)
{
	int f = any(FUNCTION), a = 0x5555, b = 0x5555, blocks = (int)one_of(1, 1, 2, 4, 32, 0, (uint64_t)-1, 1000);
	int size = (int)one_of(1, 32, 64, 128, 256, 512, 1024, 1025, 0, (uint64_t)-1);
	unsigned int flags = (unsigned int)one_of(0, 0, 1, 2);
	CUfunction function = handle_of(FUNCTION, f, CUfunction);
	size_t bytes = 0x5555, shared = one_of(0, 1024, 49152, 1ull << 20, 1ull << 40);
	CUlaunchAttribute attribute;
	int id = 0;
	uint64_t value = 0;
	CUlaunchConfig config = { 1,    1,    1, (unsigned int)size, 1, 1, (unsigned int)one_of(0, 1024, 49152, 60000),
				  NULL, NULL, 0 };
	switch (pick(5)) {
	case 0:
		CALL(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags,
		     (perhaps_null(&a, slots[FUNCTION][f].live, 10), function, size, shared, flags), "f%d, %d, %zu, %u",
		     f, size, shared, flags);
		break;
	case 1: {
		bool no_grid = one_in(10), by = one_in(2);
		CALL(cuOccupancyMaxPotentialBlockSizeWithFlags,
		     (no_grid ? NULL : &a, &b, function, by ? shared_by : NULL, shared, size, flags),
		     "%d, f%d, %d, %zu, %d, %u", no_grid, f, by, shared, size, flags);
		break;
	}
	case 2:
		CALL(cuOccupancyAvailableDynamicSMemPerBlock,
		     (perhaps_null(&bytes, slots[FUNCTION][f].live, 10), function, blocks, size), "f%d, %d, %d", f,
		     blocks, size);
		break;
	default:
		set_attribute(&attribute, &id, &value, true); /* left out: wrong ones */
		config.attrs = &attribute;
		config.numAttrs = (unsigned int)one_of(0, 1);
		/* Left out: events here (their handles) and more attributes than there are. */
		if (id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT || id == CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT)
			config.numAttrs = 0;
		if (one_in(2))
			CALL(cuOccupancyMaxPotentialClusterSize,
			     (perhaps_null(&a, slots[FUNCTION][f].live, 10), function,
			      perhaps_null(&config, slots[FUNCTION][f].live, 10)),
			     "f%d, %d, %u, %u: %d %d", f, size, config.sharedMemBytes, config.numAttrs, id, (int)value);
		else
			CALL(cuOccupancyMaxActiveClusters,
			     (perhaps_null(&a, slots[FUNCTION][f].live, 10), function,
			      perhaps_null(&config, slots[FUNCTION][f].live, 10)),
			     "f%d, %d, %u, %u: %d %d", f, size, config.sharedMemBytes, config.numAttrs, id, (int)value);
	}
	out_number("is", a);
	out_number("and", b);
	out_number("bytes", (int64_t)bytes);
}

const struct operation differ_streams[] = { { "launch-ex", 6, do_launch_ex },
					    { "launch-old", 3, do_launch_old },
					    { "host-function", 3, do_host_function },
					    { "stream-said", 3, do_stream_said },
					    { "stream-attribute", 4, do_stream_attribute },
					    { "words", 4, do_words },
					    { "event-more", 3, do_event_more },
					    { "occupancy", 3, do_occupancy },
					    { NULL, 0, NULL } };
