#include "backend/cuda/checkpoint.h"

#include <string.h>

#include "backend/cuda/hostfn.h"
#include "backend/cuda/stand-in.h"
#include "backend/cuda/swap-save.h"
#include "backend/cuda/swap.h"
#include "base/err.h"
#include "wire/cuda-kinds.h"

#define PROMISED 1u /* the only kind in session->kept.promised */

/* While a session comes out of a file; one a process. */
static struct {
	CUstreamCaptureMode mode; /* of the thread, before */
} loading;

/* ---- helpers ---- */

bool pl_cuda_context_push(struct pl_cuda_session *session, uint64_t context)
{
	struct pl_handle handle;

	return pl_handles_get(&session->worker->handles, context, PL_CUDA_KIND_context, &handle) && !handle.failed &&
	       pl_cuda.cuCtxPushCurrent_v2 && pl_cuda.cuCtxPopCurrent_v2 && !pl_cuda.cuCtxPushCurrent_v2(handle.object);
}

void pl_cuda_context_pop(void)
{
	CUcontext popped;

	(void)pl_cuda.cuCtxPopCurrent_v2(&popped);
}

/* As plCurrent does it. */
static void context_enter(struct pl_serve *serve, uint64_t context)
{
	int32_t status = CUDA_SUCCESS;
	void *object = NULL;

	if (!pl_cuda_take(serve, context, PL_CUDA_KIND_context, &object, &status))
		object = NULL;
	(void)pl_cuda.cuCtxSetCurrent(object);
	pl_cuda_current = context;
}

/* ---- calls as they are made ---- */

uint64_t pl_cuda_again_address(const struct pl_cuda_session *session)
{
	const struct pl_journal_record *record = session->kept.again;
	uint64_t address = 0;

	if (record && record->reply_bytes >= sizeof(address))
		memcpy(&address, record->reply, sizeof(address));
	return address;
}

static uint64_t ids(struct pl_session_worker *worker)
{
	return atomic_load(&((struct pl_cuda_session *)worker->api)->ids_made);
}

static void lane(struct pl_serve *serve, uint64_t note)
{
	context_enter(serve, note);
}

/* ---- memory that is promised ---- */

bool pl_cuda_promised(struct pl_serve *serve)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	const struct pl_journal_record *record = session->kept.again;
	uint64_t address;

	if (!record || record->reply_bytes < sizeof(address))
		return false;
	memcpy(&address, record->reply, sizeof(address));
	if (record->made_count)
		pl_cuda_stand_in_add(record->made[0].from, record->made[0].bytes);
	/* It may be there from a call whose memory went with its context. */
	(void)pl_handles_put(&session->kept.promised, address, PROMISED, session, 0, NULL);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, record->reply_bytes, 0))
		return true;
	memcpy(serve->reply_enc.at, record->reply, record->reply_bytes);
	(void)pl_serve_reply_end(serve);
	return true;
}

bool pl_cuda_promise_ends(struct pl_cuda_session *session, uint64_t address)
{
	struct pl_handle handle;

	return session->kept.again && pl_handles_take(&session->kept.promised, address, PROMISED, &handle);
}

/* What calls have made by themselves is in the device, and they have claimed it. */
static void memory_out(struct pl_cuda_session *session, uint64_t bytes_io[PL_SWAP_DEVICES_MAX])
{
	uint64_t all[PL_SWAP_DEVICES_MAX], moved[PL_SWAP_DEVICES_MAX] = { 0 };

	for (uint32_t i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		all[i] = UINT64_MAX;
	pl_cuda_swap_ops.out(session->worker, all, moved);
	for (uint32_t i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		pl_swap_unclaim(&session->worker->swap, i, moved[i]);
		bytes_io[i] += moved[i];
	}
}

/* ---- calls as they are said again ---- */

static int again(struct pl_serve *serve, const struct pl_journal_record *record)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);

	session->kept.again = record;
	atomic_store(&session->ids_made, record->ids);
	context_enter(serve, record->note);
	if (record->group || pl_cuda_checkpoint_looks(record->op))
		pl_cuda_stand_ins_map();
	return 0;
}

/* Of what came while a stream was captured, that which made nothing is said again where it is part of the capture: what
 * went to other streams has run, and must not again. */
static bool is_captured_call(struct pl_serve *serve)
{
	const uint64_t *fields = (const uint64_t *)(serve->head + 1);
	uint64_t count = (serve->head->len_bytes - sizeof(*serve->head)) / sizeof(*fields);
	uint32_t per_thread, at = pl_cuda_op_stream(serve->head->op, &per_thread);
	int32_t status;
	void *stream;

	if (serve->head->op == PL_CUDA_OP_plMark || !at || at > count || per_thread > count ||
	    !pl_cuda_take(serve, fields[at - 1], PL_CUDA_KIND_stream, &stream, &status))
		return false;
	return pl_cuda_capture_graph(stream, per_thread && fields[per_thread - 1]);
}

static bool is_left_out(struct pl_serve *serve, const struct pl_journal_record *record)
{
	uint16_t op = record->op;

	if (!record->group || record->status || pl_cuda_op_records(op) != PL_CHECKPOINT_NOT)
		return false; /* what failed may have ended the capture */
	switch (op) {
	case PL_CUDA_OP_cuStreamBeginCapture:
	case PL_CUDA_OP_cuStreamBeginCapture_v2:
	case PL_CUDA_OP_cuStreamBeginCaptureToGraph:
	case PL_CUDA_OP_cuStreamWaitEvent: /* the stream becomes part of it by this */
		return false;
	default:
		return !is_captured_call(serve);
	}
}

/* Its answer is the one that it had. */
static void left_out(struct pl_serve *serve, const struct pl_journal_record *record)
{
	if (pl_serve_reply_begin(serve, record->status, record->reply_bytes, 0))
		return;
	if (record->reply_bytes)
		memcpy(serve->reply_enc.at, record->reply, record->reply_bytes);
	(void)pl_serve_reply_end(serve);
}

static void call_again(struct pl_serve *serve, const struct pl_journal_record *record)
{
	if (pl_cuda_numbered(record->op))
		pl_cuda_number_again(serve);
	else if (is_left_out(serve, record))
		left_out(serve, record);
	else
		pl_cuda_serve_call(serve);
}

void pl_cuda_checkpoint_call(struct pl_serve *serve)
{
	const struct pl_journal_record *again_of = pl_cuda_session_of(serve)->kept.again;

	if (again_of) {
		call_again(serve, again_of);
		return;
	}
	if (!serve->session->checkpoint || !serve->kept.noted) {
		pl_cuda_serve_call(serve);
		return;
	}
	pl_cuda_group_begin(serve);
	pl_cuda_serve_call(serve);
	if (!serve->kept.status)
		pl_cuda_checkpoint_called(serve);
	pl_cuda_group_end(serve);
}

/* How many bytes of the answer have to be the same: behind them are logs, times, or lists in any order. */
static uint64_t bytes_compared(uint16_t op, uint64_t bytes)
{
	switch (op) {
	case PL_CUDA_OP_cuModuleLoad:
	case PL_CUDA_OP_cuModuleLoadData:
	case PL_CUDA_OP_cuModuleLoadDataEx:
	case PL_CUDA_OP_cuModuleLoadFatBinary:
	case PL_CUDA_OP_cuLibraryLoadData:
	case PL_CUDA_OP_cuLibraryLoadFromFile:
		return 16; /* result, image_wanted */
	case PL_CUDA_OP_cuLinkAddData:
	case PL_CUDA_OP_cuLinkAddData_v2:
	case PL_CUDA_OP_cuLinkAddFile:
	case PL_CUDA_OP_cuLinkAddFile_v2:
	case PL_CUDA_OP_cuLinkComplete:
		return 8; /* result */
	case PL_CUDA_OP_plLibraryKernels:
	case PL_CUDA_OP_plModuleFunctions:
	case PL_CUDA_OP_cuGraphInstantiate:
	case PL_CUDA_OP_cuGraphInstantiate_v2:
	case PL_CUDA_OP_cuGraphInstantiateWithFlags:
	case PL_CUDA_OP_cuGraphInstantiateWithParams:
	case PL_CUDA_OP_cuGraphDestroy:
	case PL_CUDA_OP_cuGraphDestroyNode:
	case PL_CUDA_OP_plNodeParams:
		return 0;
	default:
		return bytes;
	}
}

/* A capture's number is the driver's own. */
static bool capture_info_same(const struct pl_journal_record *record, const void *reply, uint64_t bytes)
{
	const uint64_t *was = record->reply, *is = reply;

	if (bytes != record->reply_bytes || bytes < 24)
		return false;
	return was[0] == is[0] && !memcmp(was + 2, is + 2, bytes - 16);
}

static bool reply_same(const struct pl_journal_record *record, const void *reply, uint64_t bytes)
{
	uint64_t compared = bytes_compared(record->op, record->reply_bytes);

	if (!record->reply_bytes)
		return true; /* it was not noted, or there was none */
	switch (record->op) {
	case PL_CUDA_OP_cuStreamGetCaptureInfo:
	case PL_CUDA_OP_cuStreamGetCaptureInfo_v2:
	case PL_CUDA_OP_cuStreamGetCaptureInfo_v3:
		return capture_info_same(record, reply, bytes);
	default:
		break;
	}
	if (compared == record->reply_bytes && bytes != compared)
		return false;
	return bytes >= compared && record->reply_bytes >= compared && !memcmp(record->reply, reply, compared);
}

static void difference_log(const struct pl_journal_record *record, int32_t status, const void *reply, uint64_t bytes)
{
	const uint64_t *was = record->reply, *is = reply;
	uint64_t at = 0, least = (bytes < record->reply_bytes ? bytes : record->reply_bytes) / 8;

	while (at < least && was[at] == is[at])
		at++;
	pl_log_info("%s, call %llu: status %d, was %d; answer of %llu bytes, was %llu; word %llu: 0x%llx, was 0x%llx",
		    pl_cuda_op_name(record->op), (unsigned long long)record->seq, status, record->status,
		    (unsigned long long)bytes, (unsigned long long)record->reply_bytes, (unsigned long long)at,
		    at < least ? (unsigned long long)is[at] : 0ull, at < least ? (unsigned long long)was[at] : 0ull);
}

static bool same(struct pl_serve *serve, const struct pl_journal_record *record, int32_t status, const void *reply,
		 uint64_t reply_bytes)
{
	bool good = status == record->status && reply_same(record, reply, reply_bytes);

	if (!good)
		difference_log(record, status, reply, reply_bytes);
	pl_cuda_session_of(serve)->kept.again = NULL;
	return good;
}

/* ---- the file ---- */

static int save(struct pl_session_worker *worker, struct pl_checkpoint_file *file)
{
	struct pl_cuda_session *session = worker->api;
	int r = pl_cuda_images_save(session, file);

	if (!r)
		r = pl_cuda_groups_save(session, file);
	if (!r)
		r = pl_cuda_stand_ins_save(session, file);
	if (!r)
		r = pl_cuda_movables_save(session, pl_checkpoint_put, file);
	if (!r)
		r = pl_cuda_parts_save(session, pl_checkpoint_put, file);
	if (!r)
		r = pl_cuda_state_save(session, file);
	if (!r)
		r = pl_cuda_content_save(session, file);
	return r ? pl_trace(r) : pl_trace(pl_cuda_variables_save(session, file));
}

static int load(struct pl_session_worker *worker, struct pl_checkpoint_file *file)
{
	struct pl_cuda_session *session = worker->api;
	int r;

	atomic_store(&session->kept.loads, true);
	loading.mode = CU_STREAM_CAPTURE_MODE_RELAXED; /* one thread says what several have said */
	if (pl_cuda.cuThreadExchangeStreamCaptureMode)
		(void)pl_cuda.cuThreadExchangeStreamCaptureMode(&loading.mode);
	r = pl_cuda_images_load(session, file);
	if (!r)
		r = pl_cuda_numbers_load(worker->checkpoint->journal);
	if (!r)
		r = pl_cuda_groups_load(session, file);
	return r ? pl_trace(r) : pl_trace(pl_cuda_stand_ins_load(file));
}

static int loaded(struct pl_session_worker *worker, struct pl_checkpoint_file *file,
		  uint64_t bytes_out[PL_SWAP_DEVICES_MAX])
{
	struct pl_cuda_session *session = worker->api;
	int r;

	session->kept.again = NULL;
	pl_cuda_stand_ins_end();
	r = pl_cuda_movables_load(session, pl_checkpoint_get, file, bytes_out);
	if (!r)
		r = pl_cuda_parts_load(session, pl_checkpoint_get, file);
	if (r)
		return pl_trace(r);
	memory_out(session, bytes_out);
	r = pl_cuda_state_load(session, file);
	if (!r)
		r = pl_cuda_content_load(session, file);
	if (!r)
		r = pl_cuda_variables_load(session, file);
	if (r)
		return pl_trace(r);
	if (pl_cuda.cuThreadExchangeStreamCaptureMode)
		(void)pl_cuda.cuThreadExchangeStreamCaptureMode(&loading.mode);
	(void)pl_cuda.cuCtxSetCurrent(NULL);
	pl_cuda_current = 0;
	atomic_store(&session->kept.loads, false);
	return 0;
}

const struct pl_checkpoint_ops pl_cuda_checkpoint_ops = {
	.records = pl_cuda_checkpoint_records,
	.key = pl_cuda_checkpoint_key,
	.payload = pl_cuda_checkpoint_payload,
	.group = pl_cuda_checkpoint_group,
	.changes = pl_cuda_checkpoint_changes,
	.ids = ids,
	.hindrance = pl_cuda_checkpoint_hindrance,
	.save = save,
	.load = load,
	.loaded = loaded,
	.again = again,
	.same = same,
	.lane = lane,
};
