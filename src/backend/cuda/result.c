/* How calls end: replies, errors of posted calls (ADR 0013), contexts that have failed. */
#include <string.h>

#include "backend/cuda/place.h"
#include "backend/cuda/session.h"
#include "base/err.h"

bool pl_cuda_is_sticky(int32_t status)
{
	switch ((CUresult)status) {
	case CUDA_ERROR_ECC_UNCORRECTABLE:
	case CUDA_ERROR_NVLINK_UNCORRECTABLE:
	case CUDA_ERROR_CONTAINED:
	case CUDA_ERROR_ILLEGAL_ADDRESS:
	case CUDA_ERROR_LAUNCH_TIMEOUT:
	case CUDA_ERROR_ASSERT:
	case CUDA_ERROR_HARDWARE_STACK_ERROR:
	case CUDA_ERROR_ILLEGAL_INSTRUCTION:
	case CUDA_ERROR_MISALIGNED_ADDRESS:
	case CUDA_ERROR_INVALID_ADDRESS_SPACE:
	case CUDA_ERROR_INVALID_PC:
	case CUDA_ERROR_LAUNCH_FAILED:
	case CUDA_ERROR_TENSOR_MEMORY_LEAK:
		return true;
	default:
		return false;
	}
}

void pl_cuda_context_failed(struct pl_cuda_session *session, int32_t status)
{
	struct pl_cuda_plContextFailed_args args = { .context = pl_cuda_current, .status = status };
	struct pl_enc enc;

	if (!pl_cuda_current || pl_reverse_begin(session->worker, PL_CUDA_OP_plContextFailed,
						 pl_cuda_plContextFailed_bytes(&args), 0, &enc))
		return;
	pl_cuda_plContextFailed_put(&enc, &args);
	pl_reverse_end(session->worker, NULL, 0);
}

void pl_cuda_late_keep(struct pl_cuda_session *session, int32_t status, uint64_t stream)
{
	pthread_mutex_lock(&session->late_lock);
	if (session->late_count < PL_CUDA_LATE_MAX)
		session->late[session->late_count++] = (struct pl_cuda_late){ status, stream };
	pl_cuda_marks_late(session, session->late_count);
	pthread_mutex_unlock(&session->late_lock);
}

int32_t pl_cuda_late_take(struct pl_cuda_session *session, uint64_t stream)
{
	int32_t status = 0;

	pthread_mutex_lock(&session->late_lock);
	for (uint32_t i = 0; i < session->late_count; i++) {
		if (stream && session->late[i].stream != stream)
			continue;
		status = session->late[i].status;
		session->late_count--;
		memmove(&session->late[i], &session->late[i + 1], (session->late_count - i) * sizeof(session->late[0]));
		pl_cuda_marks_late(session, session->late_count);
		break;
	}
	pthread_mutex_unlock(&session->late_lock);
	return status;
}

void pl_cuda_late_forget(struct pl_cuda_session *session)
{
	pthread_mutex_lock(&session->late_lock);
	session->late_count = 0;
	pl_cuda_marks_late(session, 0);
	pthread_mutex_unlock(&session->late_lock);
}

int32_t pl_cuda_waited(struct pl_cuda_session *session, int32_t status, uint64_t stream)
{
	int32_t late = 0;

	pl_cuda_print_flush(session);
	if (!status)
		late = pl_cuda_late_take(session, stream);
	return late ? late : status;
}

/* Nothing is under way in the only context, and no print is to come: its driver says so, or all of it was just waited
 * for.  Nor is a call about to put something there whose turn came before: that is looked at first, for its work is in
 * the stream once it is not counted any more. */
static bool is_idle(const struct pl_serve *serve, const struct pl_cuda_session *session)
{
	if (atomic_load(&session->contexts_many) || atomic_load(&session->entering))
		return false;
	if (session->host->idle)
		return session->host->idle() && !(session->host->prints && session->host->prints());
	return (serve->head->op == PL_CUDA_OP_cuCtxSynchronize || serve->head->op == PL_CUDA_OP_cuCtxSynchronize_v2) &&
	       atomic_load(&session->entered) <= serve->head->ticket;
}

void pl_cuda_idle_tell(struct pl_serve *serve)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	bool late;

	pl_cuda_marks_tell(session);
	if (!is_idle(serve, session))
		return;
	pthread_mutex_lock(&session->late_lock);
	late = session->late_count;
	pthread_mutex_unlock(&session->late_lock);
	if (!late)
		serve->reply_flags |= PL_WIRE_REPLY_IDLE | (pl_cuda_place_can(session) ? PL_WIRE_REPLY_PLACE : 0);
}

/* Calls that wait for the device, or ask how far it is. */
static bool op_waits(uint16_t op)
{
	switch (op) {
	case PL_CUDA_OP_cuCtxSynchronize:
	case PL_CUDA_OP_cuCtxSynchronize_v2:
	case PL_CUDA_OP_cuStreamSynchronize:
	case PL_CUDA_OP_cuStreamQuery:
	case PL_CUDA_OP_cuEventSynchronize:
	case PL_CUDA_OP_cuEventQuery:
		return true;
	default:
		return false;
	}
}

void pl_cuda_result(struct pl_serve *serve, int32_t status, uint64_t stream)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);

	if (pl_cuda_is_sticky(status))
		pl_cuda_context_failed(session, status);
	if (serve->asked) {
		bool waits = op_waits(serve->head->op);
		int32_t said = waits ? pl_cuda_waited(session, status, stream) : status;

		if (status && !waits)
			pl_cuda_print_flush(session); /* why the driver refuses it */
		if (waits && !said)
			pl_cuda_idle_tell(serve);
		if (waits && said == CUDA_ERROR_NOT_READY)
			serve->reply_flags |= PL_WIRE_REPLY_AHEAD;
		if (said != status)
			pl_serve_reply_late(serve, said);
		else
			pl_serve_reply(serve, status);
		return;
	}
	if (!status)
		return;
	pl_serve_reply(serve, status);  /* logs it */
	if (!pl_cuda_is_sticky(status)) /* the driver repeats those itself */
		pl_cuda_late_keep(session, status, stream);
}
