/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
#include "cuda-client.h"

#include <stdlib.h>
#include <string.h>

#include "cuda-records.h"
#include "base/cleanup.h"

#define OK CUDA_SUCCESS
#define MEMORY CUDA_ERROR_OUT_OF_MEMORY
#define TOO_LARGE CUDA_ERROR_INVALID_VALUE
#define NO_PLACE CUDA_ERROR_INVALID_VALUE /* NULL where an answer must go */
#define PEER CUDA_ERROR_UNKNOWN

/* Memory of one call. */
#define SCRATCH_BLOCKS 8

struct scratch {
	void *blocks[SCRATCH_BLOCKS];
	unsigned count;
	bool failed;
};

static void scratch_fini(struct scratch *scratch)
{
	while (scratch->count)
		free(scratch->blocks[--scratch->count]);
}

static void *room_for(struct scratch *scratch, uint64_t count, size_t each)
{
	void *room = scratch->count < SCRATCH_BLOCKS ? calloc(count ? count : 1, each) : NULL;

	if (room)
		scratch->blocks[scratch->count++] = room;
	else
		scratch->failed = true;
	return room;
}

/* What a server sends is not more than the program has room for. */
static void copy_back(void *to, uint64_t room, const void *from, uint64_t bytes)
{
	if (from && bytes)
		memcpy(to, from, bytes < room ? bytes : room);
}

static void ids_back(struct pl_session *session, enum pl_cuda_object_kind kind, void **objects, uint64_t room,
		     struct pl_u64s ids)
{
	for (uint64_t i = 0; i < ids.count && i < room; i++)
		objects[i] = pl_cuda_object_of(session, kind, ids.at[i]);
}

static struct pl_u64s records_pack_access(const struct pl_session *session, struct scratch *scratch, const CUmemAccessDesc *list,
	uint64_t count)
{
	uint64_t *words = room_for(scratch, count * PL_CUDA_WORDS_access, sizeof(*words));
	struct pl_enc enc = { (uint8_t *)words };

	for (uint64_t i = 0; words && i < count; i++) {
		struct pl_cuda_access_record one;

		pl_cuda_access_record_take(&one, &list[i]);
		pl_cuda_access_record_home(session, &one);
		pl_cuda_access_record_put(&enc, &one);
	}
	return (struct pl_u64s){ words, words ? count * PL_CUDA_WORDS_access : 0 };
}

CUresult cuDeviceGetName(char *name, int len, CUdevice device)
{
	struct pl_cuda_cuDeviceGetName_args a = { 0 };
	struct pl_cuda_cuDeviceGetName_reply r;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_of(PL_CUDA_OP_cuDeviceGetName, PL_CUDA_KIND_device,
					   (const void *)(uintptr_t)device, &session);
	int fault;

	if (status != OK)
		return status;
	if (!name)
		return NO_PLACE;
	a.len = len;
	a.device = pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
	if (device && !a.device)
		return CUDA_ERROR_INVALID_DEVICE;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuDeviceGetName,
			      pl_cuda_cuDeviceGetName_bytes(&a));
	if (!fault) {
		pl_cuda_cuDeviceGetName_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status != OK)
		return status;
	pl_cuda_cuDeviceGetName_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	copy_back(name, (uint64_t)(len > 0 ? len : 0), r.name.at, r.name.bytes);
	return status;
}

CUresult cuCtxGetLimit(size_t *value, CUlimit limit)
{
	struct pl_cuda_cuCtxGetLimit_args a = { 0 };
	struct pl_cuda_cuCtxGetLimit_reply r;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter(PL_CUDA_OP_cuCtxGetLimit, &session);
	int fault;

	if (status != OK)
		return status;
	if (!value)
		return NO_PLACE;
	a.limit = limit;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuCtxGetLimit,
			      pl_cuda_cuCtxGetLimit_bytes(&a));
	if (!fault) {
		pl_cuda_cuCtxGetLimit_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status != OK)
		return status;
	pl_cuda_cuCtxGetLimit_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	*value = (size_t)r.value;
	return status;
}

CUresult cuCtxCreate(CUcontext *context, unsigned int flags, CUdevice device)
{
	struct pl_cuda_cuCtxCreate_args a = { 0 };
	void *made;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_of(PL_CUDA_OP_cuCtxCreate, PL_CUDA_KIND_device,
					   (const void *)(uintptr_t)device, &session);
	int fault;

	if (status != OK)
		return status;
	if (!context)
		return NO_PLACE;
	a.flags = flags;
	a.device = pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
	if (device && !a.device)
		return CUDA_ERROR_INVALID_DEVICE;
	made = pl_cuda_new(session, PL_CUDA_KIND_context, &a.context);
	if (!made)
		return MEMORY;
again:
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuCtxCreate,
			      pl_cuda_cuCtxCreate_bytes(&a));
	if (!fault) {
		pl_cuda_cuCtxCreate_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status == MEMORY && pl_cuda_reclaim(session))
		goto again;
	if (status != OK) {
		pl_cuda_undo(session, PL_CUDA_KIND_context, made);
		return status;
	}
	*context = (CUcontext)(uintptr_t)made;
	return status;
}

static CUresult both_cuMemsetD8_v2(bool per_thread, CUdeviceptr dst, unsigned char value, size_t count)
{
	struct pl_cuda_cuMemsetD8_v2_args a = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	bool plain;
	CUresult status = pl_cuda_enter_at(PL_CUDA_OP_cuMemsetD8_v2, dst, &session);
	int fault;

	if (status != OK)
		return status;
	a.dst = dst;
	a.value = value;
	a.count = count;
	a.per_thread = per_thread;
	plain = pl_cuda_check_address(dst, count);
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuMemsetD8_v2,
			      pl_cuda_cuMemsetD8_v2_bytes(&a));
	if (!fault) {
		pl_cuda_cuMemsetD8_v2_put(&call.enc, &a);
		fault = plain ? pl_call_post(&call) : pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(plain ? OK : reply.status);
	return status;
}

CUresult cuMemsetD8_v2(CUdeviceptr dst, unsigned char value, size_t count)
{
	return both_cuMemsetD8_v2(false, dst, value, count);
}

CUresult cuMemsetD8_v2_ptds(CUdeviceptr dst, unsigned char value, size_t count)
{
	return both_cuMemsetD8_v2(true, dst, value, count);
}

static CUresult both_cuMemsetD8Async(bool per_thread, CUdeviceptr dst, unsigned char value, size_t count,
				     CUstream stream)
{
	struct pl_cuda_cuMemsetD8Async_args a = { 0 };
	struct pl_session *session;
	struct pl_call call;
	CUresult status = pl_cuda_enter_of(PL_CUDA_OP_cuMemsetD8Async, PL_CUDA_KIND_stream,
					   (const void *)(uintptr_t)stream, &session);
	int fault;

	if (status != OK)
		return status;
	a.dst = dst;
	a.value = value;
	a.count = count;
	a.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, (const void *)(uintptr_t)stream);
	if (stream && !a.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	a.per_thread = per_thread;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuMemsetD8Async,
			      pl_cuda_cuMemsetD8Async_bytes(&a));
	if (!fault) {
		pl_cuda_cuMemsetD8Async_put(&call.enc, &a);
		fault = pl_call_post(&call);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(OK);
	return status;
}

CUresult cuMemsetD8Async(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	return both_cuMemsetD8Async(false, dst, value, count, stream);
}

CUresult cuMemsetD8Async_ptsz(CUdeviceptr dst, unsigned char value, size_t count, CUstream stream)
{
	return both_cuMemsetD8Async(true, dst, value, count, stream);
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *accesses,
			size_t count)
{
	struct pl_cuda_cuMemSetAccess_args a = { 0 };
	pl_cleanup(scratch_fini) struct scratch scratch = { .count = 0 };
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_at(PL_CUDA_OP_cuMemSetAccess, address, &session);
	int fault;

	if (status != OK)
		return status;
	a.address = address;
	a.bytes = bytes;
	if (accesses)
		a.given |= 1u << 0;
	if (accesses && count > PL_CUDA_LIMIT_LIST_MAX)
		return TOO_LARGE;
	if (accesses)
		a.accesses = records_pack_access(session, &scratch, accesses, count);
	a.count = count;
	if (scratch.failed)
		return MEMORY;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuMemSetAccess,
			      pl_cuda_cuMemSetAccess_bytes(&a));
	if (!fault) {
		pl_cuda_cuMemSetAccess_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	return status;
}

CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location,
			CUdeviceptr address)
{
	struct pl_cuda_cuMemGetAccess_args a = { 0 };
	struct pl_cuda_cuMemGetAccess_reply r;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_at(PL_CUDA_OP_cuMemGetAccess, address, &session);
	int fault;

	if (status != OK)
		return status;
	if (!flags)
		return NO_PLACE;
	if (location)
		a.given |= 1u << 0;
	if (location)
		pl_cuda_location_record_take(&a.location, location);
	pl_cuda_location_record_home(session, &a.location);
	a.address = address;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuMemGetAccess,
			      pl_cuda_cuMemGetAccess_bytes(&a));
	if (!fault) {
		pl_cuda_cuMemGetAccess_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status != OK)
		return status;
	pl_cuda_cuMemGetAccess_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	*flags = (unsigned long long)r.flags;
	return status;
}

CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
	struct pl_cuda_cuGraphGetNodes_args a = { 0 };
	struct pl_cuda_cuGraphGetNodes_reply r;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_of(PL_CUDA_OP_cuGraphGetNodes, PL_CUDA_KIND_graph,
					   (const void *)(uintptr_t)graph, &session);
	int fault;

	if (status != OK)
		return status;
	if (!count)
		return NO_PLACE;
	a.graph = pl_cuda_id(session, PL_CUDA_KIND_graph, (const void *)(uintptr_t)graph);
	if (graph && !a.graph)
		return CUDA_ERROR_INVALID_VALUE;
	if (nodes)
		a.given |= 1u << 0;
	a.count = *count;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuGraphGetNodes,
			      pl_cuda_cuGraphGetNodes_bytes(&a));
	if (!fault) {
		pl_cuda_cuGraphGetNodes_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status != OK)
		return status;
	pl_cuda_cuGraphGetNodes_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	if (nodes)
		ids_back(session, PL_CUDA_KIND_node, (void **)nodes, a.count, r.nodes);
	*count = (size_t)r.count;
	return status;
}

CUresult cuIpcGetMemHandle(CUipcMemHandle *handle, CUdeviceptr address)
{
	struct pl_cuda_cuIpcGetMemHandle_args a = { 0 };
	struct pl_cuda_cuIpcGetMemHandle_reply r;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_at(PL_CUDA_OP_cuIpcGetMemHandle, address, &session);
	int fault;

	if (status != OK)
		return status;
	if (!handle)
		return NO_PLACE;
	a.address = address;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuIpcGetMemHandle,
			      pl_cuda_cuIpcGetMemHandle_bytes(&a));
	if (!fault) {
		pl_cuda_cuIpcGetMemHandle_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status != OK)
		return status;
	pl_cuda_cuIpcGetMemHandle_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	pl_cuda_ipc_record_give(handle, &r.handle);
	return status;
}

CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUlimit advice, CUmemLocation location)
{
	struct pl_cuda_cuMemAdvise_v2_args a = { 0 };
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter_at(PL_CUDA_OP_cuMemAdvise_v2, address, &session);
	int fault;

	if (status != OK)
		return status;
	a.address = address;
	a.bytes = bytes;
	a.advice = advice;
	pl_cuda_location_record_take(&a.location, &location);
	pl_cuda_location_record_home(session, &a.location);
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuMemAdvise_v2,
			      pl_cuda_cuMemAdvise_v2_bytes(&a));
	if (!fault) {
		pl_cuda_cuMemAdvise_v2_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	return status;
}

CUresult cuGraphLoad(const char *path, const void *data, size_t bytes, CUgraph *graph, float ratio)
{
	struct pl_cuda_cuGraphLoad_args a = { 0 };
	struct pl_cuda_cuGraphLoad_reply r;
	struct pl_session *session;
	struct pl_reply reply;
	struct pl_call call;
	CUresult status = pl_cuda_enter(PL_CUDA_OP_cuGraphLoad, &session);
	int fault;

	if (status != OK)
		return status;
	if (!graph)
		return NO_PLACE;
	if (path)
		a.given |= 1u << 0;
	a.path = path ? path : "";
	if (strlen(a.path) >= PL_CUDA_LIMIT_NAME_MAX)
		return TOO_LARGE;
	if (data)
		a.given |= 1u << 1;
	if (data && bytes > PL_CUDA_LIMIT_BYTES_MAX)
		return TOO_LARGE;
	if (data)
		a.data = (struct pl_bytes){ data, bytes };
	a.bytes = bytes;
	a.ratio = ratio;
	fault = pl_call_begin(&call, session, PL_CUDA_OP_cuGraphLoad,
			      pl_cuda_cuGraphLoad_bytes(&a));
	if (!fault) {
		pl_cuda_cuGraphLoad_put(&call.enc, &a);
		fault = pl_call_ask(&call, &reply);
	}
	status = fault ? pl_cuda_fault(fault) : (CUresult)(reply.status);
	if (status != OK)
		return status;
	pl_cuda_cuGraphLoad_reply_get(&reply.dec, &r);
	if (!pl_dec_whole(&reply.dec))
		return PEER;
	*graph = (CUgraph)(uintptr_t)pl_cuda_object_of(session, PL_CUDA_KIND_graph, r.graph);
	return status;
}
