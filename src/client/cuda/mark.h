/*
 * Marks: points of streams that the client sees passed by itself (docs/adr/0025).  A mark's owner has a lock of its
 * own, under which all functions here are called that take one.
 */
#ifndef PL_CLIENT_CUDA_MARK_H
#define PL_CLIENT_CUDA_MARK_H

#include "client/cuda/state.h"

/* What the program could know at some time: how often it has heard that something has ended. */
struct pl_cuda_heard {
	uint64_t ends;   /* from the server */
	uint64_t passed; /* from marks */
};

struct pl_cuda_mark {
	uint32_t slot;     /* 0 = none */
	uint32_t value;    /* that its word has once the stream has come there */
	uint32_t looks;    /* since it was last known how far the stream is */
	uint64_t known_ns; /* when that was */
	uint64_t ticket;   /* of what it marks: ends of what was sent before are no reason to ask */
	struct pl_cuda_heard heard;
	bool put, passed;
	bool asked; /* the server has been asked of it: any end since is a reason to ask again */
};

enum pl_cuda_mark_state {
	PL_CUDA_MARK_PASSED,
	PL_CUDA_MARK_AHEAD,
	PL_CUDA_MARK_UNKNOWN, /* the server has to be asked, if only because nobody did for long */
};

/* Return: it has a slot; the first one asks the server whether marks are possible. */
bool pl_cuda_mark_take(struct pl_session *session, struct pl_cuda_mark *mark);
void pl_cuda_mark_give(const struct pl_session *session, struct pl_cuda_mark *mark);

struct pl_cuda_heard pl_cuda_marks_heard(const struct pl_session *session);

/** pl_cuda_mark_put() - puts it behind all that the stream has got
 * @heard: before what it marks was sent, or before the server was last asked of it
 * @ticket: of what it marks; 0: of all that was sent to the stream, about which the server has been asked
 * Return: the call's ticket; 0: it was not put. */
uint64_t pl_cuda_mark_put(struct pl_session *session, struct pl_cuda_mark *mark, uint64_t stream, bool per_thread,
			  struct pl_cuda_heard heard, uint64_t ticket);
enum pl_cuda_mark_state pl_cuda_mark_look(struct pl_session *session, struct pl_cuda_mark *mark);
/* What the server has once said to have ended needs no question: errors that come late are told without one, and there
 * is none.  The first time the server is asked whether it does so. */
bool pl_cuda_marks_are_clean(struct pl_session *session);
/* What a query returns.  Return: false: the server has to be asked, and *result_out is as it was. */
static inline bool pl_cuda_mark_tells(enum pl_cuda_mark_state state, CUresult *result_out)
{
	if (state == PL_CUDA_MARK_UNKNOWN)
		return false;
	*result_out = state == PL_CUDA_MARK_PASSED ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
	return true;
}
/* The server has said that it is not passed. */
void pl_cuda_mark_ahead(struct pl_cuda_mark *mark, struct pl_cuda_heard heard);

/* A session's credit for marks of events of which it is not known whether the program will ask of them. */
void pl_cuda_marks_credit_add(const struct pl_session *session, uint32_t credit);
bool pl_cuda_marks_credit_take(const struct pl_session *session);

/* reverse.c: what the server says of marks.  Return: it can be so. */
bool pl_cuda_marks_told(const struct pl_session *session, struct pl_bytes told);

/* ---- event.c, stream.c ---- */

struct pl_cuda_event {
	struct pl_cuda_object object;
	pthread_mutex_t lock;
	struct pl_cuda_mark mark; /* under lock, here and below */
	uint64_t records;
	uint32_t credit;       /* records that are marked though nobody asks */
	bool ended;            /* the server has said that what was recorded last has */
	bool shared;           /* another process may record it, too: the server is asked always */
	bool elsewhere;        /* something else than cuEventRecord() may record it, too: only the server knows of it */
	_Atomic bool captured; /* it may be a capture's, of which no more can be asked; written under lock */
};

struct pl_cuda_stream {
	struct pl_cuda_object object;
	pthread_mutex_t lock;
	struct pl_cuda_mark mark; /* under lock, here and below */
	uint64_t ticket;          /* of the mark: it says nothing once anything was sent behind it */
	uint64_t asked;           /* ticket of the question before, which had no other call behind it */
};

/* Memory of events and streams stays one of theirs: init once, fini for each that ends, after which it is as new. */
void pl_cuda_event_init(struct pl_cuda_event *event);
void pl_cuda_event_fini(struct pl_cuda_event *event);
/* Something else than cuEventRecord() may record it; another process may. */
void pl_cuda_event_elsewhere(CUevent event);
void pl_cuda_event_shared(CUevent event);
bool pl_cuda_event_may_be_captured(CUevent event);
void pl_cuda_stream_init(struct pl_cuda_stream *stream);
void pl_cuda_stream_fini(struct pl_cuda_stream *stream);

#endif
