/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#include "cuda-serve.h"

#include <stdlib.h>
#include <string.h>

#include "cuda-records.h"
#include "base/cleanup.h"

#define OK CUDA_SUCCESS
#define LACKS CUDA_ERROR_NOT_SUPPORTED
#define MEMORY CUDA_ERROR_OUT_OF_MEMORY
#define QUOTA CUDA_ERROR_OUT_OF_MEMORY
#define TOO_LARGE CUDA_ERROR_INVALID_VALUE

struct pl_cuda_driver pl_cuda;

/* Memory of one call, for lists on their way to the driver and back.  Few calls need any. */
#define SCRATCH_BLOCKS 8

struct scratch {
	void *blocks[SCRATCH_BLOCKS];
	unsigned count;
	bool failed; /* once there was no room */
};

static void scratch_fini(struct scratch *scratch)
{
	while (scratch->count)
		free(scratch->blocks[--scratch->count]);
}

/* Zeroed room for `count` elements, at least one; NULL: out of memory. */
static void *room_for(struct scratch *scratch, uint64_t count, size_t each)
{
	void *room = scratch->count < SCRATCH_BLOCKS ? calloc(count ? count : 1, each) : NULL;

	if (room)
		scratch->blocks[scratch->count++] = room;
	else
		scratch->failed = true;
	return room;
}

static inline uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A peer may send another number of elements than it says to the driver. */
static inline bool length_fits(bool given, uint64_t sent, uint64_t said)
{
	return sent == (given ? said : 0);
}

/* One lane is one thread, and has one call at a time. */
static _Thread_local bool charge_kept;

void pl_cuda_charge_keep(void)
{
	charge_kept = true;
}

/* And back. */
static struct pl_u64s ids_give(struct pl_serve *serve, struct scratch *scratch, enum pl_cuda_object_kind kind,
			       void *const *objects, uint64_t count)
{
	uint64_t *ids = room_for(scratch, count, sizeof(*ids));

	for (uint64_t i = 0; ids && i < count; i++)
		ids[i] = pl_cuda_id_of(serve, kind, objects[i]);
	return (struct pl_u64s){ ids, ids ? count : 0 };
}

static bool records_take_access(struct pl_serve *serve, struct scratch *scratch,
	struct pl_u64s words, CUmemAccessDesc **out, int32_t *status_out)
{
	uint64_t count = words.count / PL_CUDA_WORDS_access;
	CUmemAccessDesc *list = room_for(scratch, count, sizeof(*list));

	(void)serve;
	*status_out = list ? TOO_LARGE : MEMORY;
	for (uint64_t i = 0; list && i < count; i++) {
		struct pl_cuda_access_record one;

		if (!pl_cuda_access_record_at(words, i, &one))
			return false;
		pl_cuda_access_record_give(&list[i], &one);
	}
	*out = list;
	return list != NULL;
}

static void serve_cuDeviceGetName(struct pl_serve *serve)
{
	struct pl_cuda_cuDeviceGetName_args a;
	struct pl_cuda_cuDeviceGetName_reply r = { 0 };
	pl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };
	char *name = NULL;
	void *device = NULL;
	int32_t status = LACKS;

	pl_cuda_cuDeviceGetName_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    (uint64_t)(a.len > 0 ? a.len : 0) > PL_CUDA_LIMIT_NAME_MAX) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuDeviceGetName != NULL &&
	    (name = room_for(&scratch, (uint64_t)(a.len > 0 ? a.len : 0), sizeof(*name))) != NULL &&
	    pl_cuda_take(serve, a.device, PL_CUDA_KIND_device, &device, &status))
		status = pl_cuda.cuDeviceGetName(name, (int)a.len, (CUdevice)(uintptr_t)device);
	else if (scratch.failed)
		status = MEMORY;
	if (status != OK) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	r.name = (struct pl_bytes){ name, (uint64_t)(a.len > 0 ? a.len : 0) };
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuDeviceGetName_reply_bytes(&r), 0))
		return;
	pl_cuda_cuDeviceGetName_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_cuCtxGetLimit(struct pl_serve *serve)
{
	struct pl_cuda_cuCtxGetLimit_args a;
	struct pl_cuda_cuCtxGetLimit_reply r = { 0 };
	size_t value = 0;
	int32_t status = LACKS;

	pl_cuda_cuCtxGetLimit_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuCtxGetLimit != NULL)
		status = pl_cuda.cuCtxGetLimit(&value, (CUlimit)a.limit);
	if (status != OK) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	r.value = value;
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuCtxGetLimit_reply_bytes(&r), 0))
		return;
	pl_cuda_cuCtxGetLimit_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_cuCtxCreate(struct pl_serve *serve)
{
	struct pl_cuda_cuCtxCreate_args a;
	CUcontext context = 0;
	void *device = NULL;
	int32_t status = LACKS;

	pl_cuda_cuCtxCreate_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuCtxCreate != NULL &&
	    pl_cuda_take(serve, a.device, PL_CUDA_KIND_device, &device, &status))
		status = pl_cuda.cuCtxCreate(&context, (unsigned int)a.flags,
					     (CUdevice)(uintptr_t)device);
	if ((!serve->asked || status == OK) &&
	    !pl_cuda_put(serve, a.context, PL_CUDA_KIND_context, (void *)(uintptr_t)context,
			 status) &&
	    status == OK)
		status = QUOTA;
	pl_cuda_result(serve, status, 0);
}

static void serve_cuCtxDestroy_v2(struct pl_serve *serve)
{
	struct pl_cuda_cuCtxDestroy_v2_args a;
	void *context = NULL;
	int32_t status = LACKS;

	pl_cuda_cuCtxDestroy_v2_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuCtxDestroy_v2 != NULL &&
	    pl_cuda_take(serve, a.context, PL_CUDA_KIND_context, &context, &status))
		status = pl_cuda.cuCtxDestroy_v2((CUcontext)(uintptr_t)context);
	if (status == OK)
		pl_cuda_drop(serve, a.context, PL_CUDA_KIND_context);
	pl_cuda_result(serve, status, 0);
}

static void serve_cuMemsetD8_v2(struct pl_serve *serve)
{
	struct pl_cuda_cuMemsetD8_v2_args a;
	int32_t status = LACKS;

	pl_cuda_cuMemsetD8_v2_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if ((a.per_thread ? pl_cuda.cuMemsetD8_v2_ptds != NULL : pl_cuda.cuMemsetD8_v2 != NULL))
		status = (a.per_thread ? pl_cuda.cuMemsetD8_v2_ptds : pl_cuda.cuMemsetD8_v2)(
			(CUdeviceptr)a.dst, (unsigned char)a.value, (size_t)a.count);
	pl_cuda_result(serve, status, 0);
}

static void serve_cuMemsetD8Async(struct pl_serve *serve)
{
	struct pl_cuda_cuMemsetD8Async_args a;
	void *stream = NULL;
	int32_t status = LACKS;

	pl_cuda_cuMemsetD8Async_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if ((a.per_thread ? pl_cuda.cuMemsetD8Async_ptsz != NULL : pl_cuda.cuMemsetD8Async != NULL) &&
	    pl_cuda_take(serve, a.stream, PL_CUDA_KIND_stream, &stream, &status))
		status = (a.per_thread ? pl_cuda.cuMemsetD8Async_ptsz : pl_cuda.cuMemsetD8Async)(
			(CUdeviceptr)a.dst,
			(unsigned char)a.value,
			(size_t)a.count,
			(CUstream)(uintptr_t)stream);
	pl_cuda_result(serve, status, a.stream);
}

static void serve_cuMemSetAccess(struct pl_serve *serve)
{
	struct pl_cuda_cuMemSetAccess_args a;
	pl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };
	CUmemAccessDesc *accesses = NULL;
	int32_t status = LACKS;

	pl_cuda_cuMemSetAccess_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    !length_fits((a.given >> 0 & 1), a.accesses.count / PL_CUDA_WORDS_access, a.count)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuMemSetAccess != NULL &&
	    (!(a.given >> 0 & 1) || records_take_access(serve, &scratch, a.accesses, &accesses, &status)))
		status = pl_cuda.cuMemSetAccess((CUdeviceptr)a.address, (size_t)a.bytes, accesses,
						(size_t)a.count);
	else if (scratch.failed)
		status = MEMORY;
	pl_cuda_result(serve, status, 0);
}

static void serve_cuMemGetAccess(struct pl_serve *serve)
{
	struct pl_cuda_cuMemGetAccess_args a;
	struct pl_cuda_cuMemGetAccess_reply r = { 0 };
	unsigned long long flags = 0;
	CUmemLocation location;
	int32_t status = LACKS;

	pl_cuda_cuMemGetAccess_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuMemGetAccess != NULL &&
	    (pl_cuda_location_record_give(&location, &a.location), true))
		status = pl_cuda.cuMemGetAccess(&flags, (a.given >> 0 & 1) ? &location : NULL,
						(CUdeviceptr)a.address);
	if (status != OK) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	r.flags = flags;
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuMemGetAccess_reply_bytes(&r), 0))
		return;
	pl_cuda_cuMemGetAccess_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_cuGraphGetNodes(struct pl_serve *serve)
{
	struct pl_cuda_cuGraphGetNodes_args a;
	struct pl_cuda_cuGraphGetNodes_reply r = { 0 };
	pl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };
	void *graph = NULL;
	CUgraphNode *nodes = NULL;
	size_t count;
	int32_t status = LACKS;

	pl_cuda_cuGraphGetNodes_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    a.count > PL_CUDA_LIMIT_LIST_MAX) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuGraphGetNodes != NULL &&
	    pl_cuda_take(serve, a.graph, PL_CUDA_KIND_graph, &graph, &status) &&
	    (nodes = room_for(&scratch, a.count, sizeof(*nodes))) != NULL &&
	    (count = a.count, true))
		status = pl_cuda.cuGraphGetNodes((CUgraph)(uintptr_t)graph,
						 (a.given >> 0 & 1) ? nodes : NULL, &count);
	else if (scratch.failed)
		status = MEMORY;
	if (status != OK) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	r.nodes = ids_give(serve, &scratch, PL_CUDA_KIND_node, (void **)nodes,
				(a.given >> 0 & 1) ? lesser(count, a.count) : 0);
	r.count = count;
	if (scratch.failed) {
		pl_cuda_result(serve, MEMORY, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuGraphGetNodes_reply_bytes(&r), 0))
		return;
	pl_cuda_cuGraphGetNodes_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_cuIpcGetMemHandle(struct pl_serve *serve)
{
	struct pl_cuda_cuIpcGetMemHandle_args a;
	struct pl_cuda_cuIpcGetMemHandle_reply r = { 0 };
	CUipcMemHandle handle = { 0 };
	int32_t status = LACKS;

	pl_cuda_cuIpcGetMemHandle_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuIpcGetMemHandle != NULL)
		status = pl_cuda.cuIpcGetMemHandle(&handle, (CUdeviceptr)a.address);
	if (status != OK) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	pl_cuda_ipc_record_take(&r.handle, &handle);
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuIpcGetMemHandle_reply_bytes(&r), 0))
		return;
	pl_cuda_cuIpcGetMemHandle_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_cuMemAdvise_v2(struct pl_serve *serve)
{
	struct pl_cuda_cuMemAdvise_v2_args a;
	CUmemLocation location;
	int32_t status = LACKS;

	pl_cuda_cuMemAdvise_v2_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuMemAdvise_v2 != NULL &&
	    (pl_cuda_location_record_give(&location, &a.location), true))
		status = pl_cuda.cuMemAdvise_v2((CUdeviceptr)a.address, (size_t)a.bytes,
						(CUlimit)a.advice, location);
	pl_cuda_result(serve, status, 0);
}

static void serve_cuLaunchHostFunc(struct pl_serve *serve)
{
	struct pl_cuda_cuLaunchHostFunc_args a;

	pl_cuda_cuLaunchHostFunc_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	pl_cuda_serve_cuLaunchHostFunc(serve, &a);
}

static void serve_cuStreamGetWindow(struct pl_serve *serve)
{
	struct pl_cuda_cuStreamGetWindow_args a;

	pl_cuda_cuStreamGetWindow_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	pl_cuda_serve_cuStreamGetWindow(serve, &a);
}

static void serve_cuGraphLoad(struct pl_serve *serve)
{
	struct pl_cuda_cuGraphLoad_args a;
	struct pl_cuda_cuGraphLoad_reply r = { 0 };
	CUgraph graph = 0;
	int32_t status = LACKS;

	pl_cuda_cuGraphLoad_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec) ||
	    !length_fits((a.given >> 1 & 1), a.data.bytes, a.bytes)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	if (pl_cuda.cuGraphLoad != NULL)
		status = pl_cuda.cuGraphLoad((a.given >> 0 & 1) ? a.path : NULL,
					     (a.given >> 1 & 1) ? (const void *)a.data.at : NULL,
					     (size_t)a.bytes, &graph, a.ratio);
	if (status != OK) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	r.graph = pl_cuda_id_of(serve, PL_CUDA_KIND_graph, (void *)(uintptr_t)graph);
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuGraphLoad_reply_bytes(&r), 0))
		return;
	pl_cuda_cuGraphLoad_reply_put(&serve->reply_enc, &r);
	(void)pl_serve_reply_end(serve);
}

static void serve_plCurrent(struct pl_serve *serve)
{
	struct pl_cuda_plCurrent_args a;

	pl_cuda_plCurrent_get(&serve->dec, &a);
	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, TOO_LARGE);
		return;
	}
	pl_cuda_serve_plCurrent(serve, &a);
}

static void (*const calls[PL_CUDA_OP_COUNT])(struct pl_serve *serve) = {
	[PL_CUDA_OP_cuDeviceGetName] = serve_cuDeviceGetName,
	[PL_CUDA_OP_cuCtxGetLimit] = serve_cuCtxGetLimit,
	[PL_CUDA_OP_cuCtxCreate] = serve_cuCtxCreate,
	[PL_CUDA_OP_cuCtxDestroy_v2] = serve_cuCtxDestroy_v2,
	[PL_CUDA_OP_cuMemsetD8_v2] = serve_cuMemsetD8_v2,
	[PL_CUDA_OP_cuMemsetD8Async] = serve_cuMemsetD8Async,
	[PL_CUDA_OP_cuMemSetAccess] = serve_cuMemSetAccess,
	[PL_CUDA_OP_cuMemGetAccess] = serve_cuMemGetAccess,
	[PL_CUDA_OP_cuGraphGetNodes] = serve_cuGraphGetNodes,
	[PL_CUDA_OP_cuIpcGetMemHandle] = serve_cuIpcGetMemHandle,
	[PL_CUDA_OP_cuMemAdvise_v2] = serve_cuMemAdvise_v2,
	[PL_CUDA_OP_cuLaunchHostFunc] = serve_cuLaunchHostFunc,
	[PL_CUDA_OP_cuStreamGetWindow] = serve_cuStreamGetWindow,
	[PL_CUDA_OP_cuGraphLoad] = serve_cuGraphLoad,
	[PL_CUDA_OP_plCurrent] = serve_plCurrent,
};

void pl_cuda_serve_call(struct pl_serve *serve)
{
	uint16_t op = serve->head->op;

	if (op >= PL_CUDA_OP_COUNT || !calls[op]) {
		pl_serve_refuse(serve, LACKS);
		return;
	}
	calls[op](serve);
}

#define FUNCTION(symbol) { #symbol, offsetof(struct pl_cuda_driver, symbol) }
static const struct {
	const char *symbol;
	size_t offset;
} functions[] = {
	FUNCTION(cuInit),
	FUNCTION(cuDeviceGetName),
	FUNCTION(cuCtxGetLimit),
	FUNCTION(cuCtxCreate),
	FUNCTION(cuCtxDestroy_v2),
	FUNCTION(cuMemsetD8_v2),
	FUNCTION(cuMemsetD8_v2_ptds),
	FUNCTION(cuMemsetD8Async),
	FUNCTION(cuMemsetD8Async_ptsz),
	FUNCTION(cuMemSetAccess),
	FUNCTION(cuMemGetAccess),
	FUNCTION(cuGraphGetNodes),
	FUNCTION(cuIpcGetMemHandle),
	FUNCTION(cuMemAdvise_v2),
	FUNCTION(cuLaunchHostFunc),
	FUNCTION(cuLaunchHostFunc_ptsz),
	FUNCTION(cuStreamGetWindow),
	FUNCTION(cuMemFreeHost),
	FUNCTION(cuGraphLoad),
};

void pl_cuda_driver_load(struct pl_cuda_driver *driver, void *(*find)(void *arg, const char *symbol), void *arg)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *at = find(arg, functions[i].symbol);

		memcpy((char *)driver + functions[i].offset, &at, sizeof(at));
	}
}
