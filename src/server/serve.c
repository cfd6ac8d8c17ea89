#include "server/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

#define STREAM_KEEP_BYTES (1u << 20) /* a lane keeps a buffer up to this size for the next payload */
#define STREAM_STEP_BYTES (4u << 20) /* memory for a payload grows with what has really come */

void pl_serve_give_turn(struct pl_serve *serve)
{
	if (!serve->turn_held)
		return;
	serve->turn_held = false;
	if (serve->asked && !serve->replied)
		pl_lane_answer_slow(serve->lane, true); /* it may block: the client should not spin for it */
	pl_turn_give(&serve->session->turn, serve->head->ticket);
}

/* ---- replies ---- */

/* head: op and ticket of the call. */
static int record_begin(struct pl_serve *serve, struct pl_wire_head head, int32_t status, uint32_t flags,
			uint64_t body_bytes)
{
	struct pl_wire_reply body = { .status = status, .flags = flags | serve->reply_flags };
	int r;

	head.flags = PL_WIRE_REPLY;
	if (body_bytes > PL_WIRE_RECORD_MAX - sizeof(head) - sizeof(body))
		return pl_err(-EMSGSIZE);
	head.len_bytes = (uint32_t)(sizeof(head) + sizeof(body) + body_bytes);
	r = pl_lane_reserve(serve->lane, head.len_bytes, &serve->reply_room);
	if (r)
		return pl_trace(r);
	memcpy(serve->reply_room, &head, sizeof(head));
	memcpy((uint8_t *)serve->reply_room + sizeof(head), &body, sizeof(body));
	serve->reply_enc.at = (uint8_t *)serve->reply_room + sizeof(head) + sizeof(body);
	serve->reply_len_bytes = head.len_bytes;
	serve->reply_bulk = head.bulk_bytes != 0;
	return 0;
}

static int reply_begin(struct pl_serve *serve, int32_t status, uint32_t flags, uint64_t body_bytes, uint64_t bulk_bytes)
{
	struct pl_wire_head head = { .op = serve->head->op, .ticket = serve->head->ticket, .bulk_bytes = bulk_bytes };
	int r;

	if (serve->session->backend->replying)
		serve->session->backend->replying(serve);
	r = record_begin(serve, head, status, flags, body_bytes);
	serve->kept.status = status;
	serve->replied |= !r;
	return pl_trace(r);
}

int pl_serve_reply_begin(struct pl_serve *serve, int32_t status, uint64_t body_bytes, uint64_t bulk_bytes)
{
	return pl_trace(reply_begin(serve, status, 0, body_bytes, bulk_bytes));
}

static void reply_note(struct pl_serve *serve)
{
	const uint32_t front = sizeof(struct pl_wire_head) + sizeof(struct pl_wire_reply);

	pl_checkpoint_reply(serve, (uint8_t *)serve->reply_room + front, serve->reply_len_bytes - front);
}

int pl_serve_reply_end(struct pl_serve *serve)
{
	struct pl_session_worker *session = serve->session;
	uint64_t after = atomic_load_explicit(&session->reverse_sent, memory_order_acquire);

	memcpy((uint8_t *)serve->reply_room + sizeof(struct pl_wire_head) + offsetof(struct pl_wire_reply, after),
	       &after, sizeof(after));
	if (session->checkpoint)
		reply_note(serve);
	pl_lane_answer_slow(serve->lane, false);
	return pl_trace(
		pl_lane_commit(serve->lane, serve->reply_len_bytes, serve->reply_bulk ? PL_LANE_MORE : PL_LANE_NOW));
}

int pl_serve_reply_bulk(struct pl_serve *serve, const void *data, uint64_t bytes)
{
	return pl_trace(pl_lane_send_bulk(serve->lane, data, bytes));
}

static void reply_plain(struct pl_serve *serve, int32_t status, uint32_t flags)
{
	if (serve->replied)
		return;
	if (!serve->asked) {
		serve->kept.status = status;
		if (status)
			pl_log_info("posted %s failed: %d", serve->session->backend->op_name(serve->head->op), status);
		return;
	}
	if (!reply_begin(serve, status, flags, 0, 0))
		pl_serve_reply_end(serve);
}

void pl_serve_reply(struct pl_serve *serve, int32_t status)
{
	reply_plain(serve, status, 0);
}

void pl_serve_reply_late(struct pl_serve *serve, int32_t status)
{
	reply_plain(serve, status, PL_WIRE_REPLY_LATE);
}

void pl_serve_refuse(struct pl_serve *serve, int32_t status)
{
	const char *name = serve->session->backend->op_name(serve->head->op);

	pl_log_warn("session %llu: call %u (%s) refused", (unsigned long long)serve->session->id, serve->head->op,
		    name ? name : "unknown");
	pl_count(&serve->session->shared->refused, 1);
	reply_plain(serve, status, PL_WIRE_REPLY_REFUSED);
}

/* ---- answers by others ---- */

void pl_serve_defer(struct pl_serve *serve)
{
	serve->later.ticket = serve->head->ticket;
	serve->later.op = serve->head->op;
	serve->replied = true;
	atomic_store_explicit(&serve->later.pending, 1, memory_order_release);
}

void pl_serve_answer(struct pl_serve *serve, int32_t status)
{
	struct pl_wire_head head = { .op = serve->later.op, .ticket = serve->later.ticket };
	struct pl_session_worker *session = serve->session;

	if (!record_begin(serve, head, status, 0, 0))
		pl_serve_reply_end(serve);
	atomic_store_explicit(&serve->later.pending, 0, memory_order_release);
	pl_wake_if(&session->later_sleepers); /* serve may be gone */
}

static bool later_ready(void *arg)
{
	const struct pl_serve_later *later = arg;

	return !atomic_load_explicit(&later->pending, memory_order_acquire);
}

/* A client that calls again before it has its answer breaks no rule of the lane, but has to wait. */
static void later_settle(struct pl_serve *serve)
{
	struct pl_wait wait = { 0 };

	if (!later_ready(&serve->later))
		pl_wait_until(&wait, &serve->session->later_sleepers, later_ready, &serve->later, UINT64_MAX);
}

/* ---- payload ---- */

int pl_serve_take_bulk(struct pl_serve *serve, void *data, uint64_t bytes)
{
	int r;

	if (bytes > serve->after_left_bytes)
		return pl_err(-EPROTO);
	r = pl_lane_recv_bulk(serve->lane, data, bytes);
	if (!r)
		serve->after_left_bytes -= bytes;
	if (!r && serve->session->checkpoint)
		pl_checkpoint_payload(serve, data, bytes);
	return pl_trace(r);
}

void *pl_serve_steal_stream(struct pl_serve *serve)
{
	void *stream = serve->stream;

	pl_quota_return(&serve->session->quota, PL_QUOTA_INFLIGHT, serve->stream_room_bytes);
	serve->stream = NULL;
	serve->stream_bytes = 0;
	serve->stream_room_bytes = 0;
	return stream;
}

/* Room for `bytes`, charged.  Return: there is. */
static bool stream_grow(struct pl_serve *serve, uint64_t bytes)
{
	struct pl_quota *quota = &serve->session->quota;
	uint64_t more = bytes - serve->stream_room_bytes;
	void *larger;

	if (!pl_quota_charge(quota, PL_QUOTA_INFLIGHT, more))
		return false;
	larger = realloc(serve->stream, bytes);
	if (!larger) {
		pl_quota_return(quota, PL_QUOTA_INFLIGHT, more);
		return false;
	}
	serve->stream = larger;
	serve->stream_room_bytes = bytes;
	return true;
}

/* A payload that comes ahead of its call.  What the peer announces is not believed: the buffer grows as it comes.  One
 * for which there is no room is dropped: the call that names it is then refused as not whole, the order stays intact.
 */
static int stream_take(struct pl_serve *serve, uint64_t bytes)
{
	uint64_t have = 0;

	serve->stream_bytes = 0;
	if (bytes > PL_SERVE_STREAM_MAX)
		return pl_err(-EPROTO);
	while (have < bytes) {
		uint64_t step = bytes - have < STREAM_STEP_BYTES + have ? bytes - have : STREAM_STEP_BYTES + have;
		int r;

		if (have + step > serve->stream_room_bytes && !stream_grow(serve, have + step))
			return pl_trace(pl_lane_drop_bulk(serve->lane, bytes - have));
		r = pl_lane_recv_bulk(serve->lane, (uint8_t *)serve->stream + have, step);
		if (r)
			return pl_trace(r);
		have += step;
	}
	serve->stream_bytes = bytes;
	return 0;
}

static int payload_take(struct pl_serve *serve)
{
	serve->kept.stream_head = *serve->head;
	return pl_trace(stream_take(serve, serve->head->bulk_bytes));
}

static void stream_drop(struct pl_serve *serve)
{
	serve->stream_bytes = 0;
	if (serve->stream_room_bytes > STREAM_KEEP_BYTES)
		free(pl_serve_steal_stream(serve));
}

/* ---- the lane's loop ---- */

static void inside_ends(struct pl_session_worker *session)
{
	struct timespec now;

	pl_swap_leave(&session->swap);
	if (!session->swap.ops)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	atomic_store_explicit(&session->shared->used_ns, (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
			      memory_order_relaxed);
}

static int call_run(struct pl_serve *serve, struct pl_wait *wait)
{
	struct pl_session_worker *session = serve->session;
	const struct pl_wire_head *head = serve->head;
	bool ordered = !(head->flags & PL_WIRE_FREE), inside;
	int r = 0;

	if (ordered && session->checkpoint)
		pl_checkpoint_ready(serve);
	if (ordered)
		r = pl_turn_take(&session->turn, wait, head->ticket);
	else if (!session->backend->runs_free || !session->backend->runs_free(head->op))
		r = pl_err(-EPROTO);
	if (r)
		return pl_trace(r);
	serve->turn_held = ordered;
	serve->replied = false;
	serve->asked = head->flags & PL_WIRE_ASK;
	serve->reply_flags = 0;
	serve->after_left_bytes = head->bulk_bytes;
	serve->dec = (struct pl_dec){
		.at = (const uint8_t *)(head + 1),
		.end = (const uint8_t *)head + head->len_bytes,
		.arena = session->arena,
		.arena_bytes = session->arena_bytes,
		.stream = serve->stream,
		.stream_bytes = serve->stream_bytes,
		.after_bytes = head->bulk_bytes,
	};
	inside = ordered || (session->backend->uses_memory && session->backend->uses_memory(head->op));
	if (inside)
		pl_swap_enter(&session->swap);
	pl_checkpoint_call_begins(serve, ordered);
	session->backend->call(serve);
	pl_checkpoint_call_ends(serve);
	if (inside)
		inside_ends(session);
	pl_serve_give_turn(serve);
	if (serve->asked && !serve->replied)
		pl_serve_refuse(serve, session->backend->status_internal);
	r = pl_lane_drop_bulk(serve->lane, serve->after_left_bytes);
	stream_drop(serve);
	atomic_fetch_add_explicit(serve->asked ? &session->shared->asks : &session->shared->posts, 1,
				  memory_order_relaxed);
	return pl_trace(r);
}

int pl_serve_lane(struct pl_session_worker *session, struct pl_lane *lane, const uint64_t *note)
{
	struct pl_serve serve = { .session = session, .lane = lane };
	struct pl_wait wait = { 0 };
	int r;

	pl_checkpoint_lane_begins(&serve, note);
	for (;;) {
		r = pl_lane_recv(lane, UINT64_MAX, &serve.head);
		later_settle(&serve);
		if (r == PL_LANE_E_HALTED) {
			pl_checkpoint_stand(&serve);
			continue;
		}
		if (r)
			break;
		if (serve.head->flags & PL_WIRE_BULK)
			r = payload_take(&serve);
		else
			r = call_run(&serve, &wait);
		if (r)
			break;
	}
	pl_checkpoint_lane_ends(&serve);
	free(pl_serve_steal_stream(&serve));
	return r < 0 ? r : pl_err(-EPROTO);
}

/* ---- the reverse lane ---- */

int pl_reverse_begin(struct pl_session_worker *session, uint16_t op, uint64_t body_bytes, uint64_t bulk_bytes,
		     struct pl_enc *enc_out)
{
	struct pl_wire_head head = { .op = op, .bulk_bytes = bulk_bytes };
	void *room;
	int r;

	if (body_bytes > PL_WIRE_RECORD_MAX - sizeof(head))
		return pl_err(-EMSGSIZE);
	head.len_bytes = (uint32_t)(sizeof(head) + body_bytes);
	pthread_mutex_lock(&session->reverse_lock);
	r = pl_lane_reserve(session->reverse, head.len_bytes, &room);
	if (r) {
		pthread_mutex_unlock(&session->reverse_lock);
		return pl_trace(r);
	}
	memcpy(room, &head, sizeof(head));
	session->reverse_len_bytes = head.len_bytes;
	enc_out->at = (uint8_t *)room + sizeof(head);
	return 0;
}

int pl_reverse_end(struct pl_session_worker *session, const void *bulk, uint64_t bulk_bytes)
{
	int r = pl_lane_commit(session->reverse, session->reverse_len_bytes, bulk_bytes ? PL_LANE_MORE : PL_LANE_NOW);

	if (!r && bulk_bytes)
		r = pl_lane_send_bulk(session->reverse, bulk, bulk_bytes);
	if (!r)
		atomic_fetch_add_explicit(&session->reverse_sent, 1, memory_order_release);
	pthread_mutex_unlock(&session->reverse_lock);
	return pl_trace(r);
}
