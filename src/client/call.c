/* Calls: heads, tickets, answers, and the data that goes with them. */
#include "client/session-parts.h"

#include <string.h>

#include "base/err.h"
#include "client/agree.h"
#include "link/widen.h"

/* Return: the device may work for it, and somebody wants to know. */
static bool call_before(struct pl_session *session, struct pl_client_lane *lane, uint16_t op)
{
	bool (*before)(struct pl_session *, uint16_t) = atomic_load_explicit(&session->before, memory_order_relaxed);
	bool works = true;

	if (__builtin_expect(!before, 1))
		return false;
	if (!lane->ahead)
		works = before(session, op);
	lane->ahead = false;
	return works;
}

static void worked_note(struct pl_session *session, uint64_t ticket)
{
	uint64_t last = atomic_load(&session->worked);

	while (last < ticket && !atomic_compare_exchange_weak(&session->worked, &last, ticket))
		continue;
}

/* Writes what is known of the head; call_send() writes the rest. */
int pl_call_begin(struct pl_call *call, struct pl_session *session, uint16_t op, uint64_t body_bytes)
{
	struct pl_client_lane *lane = pl_client_lane_known(session);
	struct pl_wire_head *head;
	void *room;
	int r = 0;

	if (__builtin_expect(!lane, 0)) {
		r = pl_client_lane_of_thread(session, &call->lane);
		if (r)
			return pl_trace(r);
		lane = call->lane;
	}
	call->works = call_before(session, lane, op);
	op = pl_session_op(session, op);
	if (__builtin_expect(!op, 0))
		return -ENOSYS;
	if (body_bytes > PL_WIRE_RECORD_MAX - sizeof(*head))
		return pl_err(-EMSGSIZE);
	call->lane = lane;
	call->len_bytes = (uint32_t)(sizeof(*head) + body_bytes);
	r = pl_lane_reserve(lane->lane, call->len_bytes, &room);
	if (__builtin_expect(r, 0))
		return pl_session_dies(session, r);
	head = room;
	head->len_bytes = call->len_bytes;
	head->op = op;
	call->session = session;
	call->room = room;
	call->enc.at = (uint8_t *)(head + 1);
	return 0;
}

/* Nothing is held back, either: somebody waits for it. */
static int call_send_free(struct pl_call *call, uint16_t flags, uint64_t bulk_bytes)
{
	struct pl_wire_head *head = (struct pl_wire_head *)call->room;

	atomic_fetch_add_explicit(&call->session->frees, 1, memory_order_release); /* as a ticket; call_wait() */
	call->ticket = 0;
	head->flags = flags | PL_WIRE_FREE;
	head->ticket = 0;
	head->bulk_bytes = bulk_bytes;
	return pl_lane_commit(call->lane->lane, call->len_bytes, bulk_bytes ? PL_LANE_MORE : PL_LANE_NOW);
}

/* The ticket is taken at the last moment: nobody else waits while the record is written. */
static inline int call_send(struct pl_call *call, uint16_t flags, uint64_t bulk_bytes)
{
	struct pl_wire_head *head = (struct pl_wire_head *)call->room;

	if (__builtin_expect(call->lane->outside != NULL, 0) && call->lane->outside(head->op))
		return call_send_free(call, flags, bulk_bytes);
	/* Release: what the program did before comes before what the server sends because of it; reverse_handle(). */
	call->ticket = atomic_fetch_add_explicit(&call->session->ticket, 1, memory_order_release) + 1;
	call->lane->sent = call->ticket;
	head->flags = flags;
	head->ticket = call->ticket;
	head->bulk_bytes = bulk_bytes;
	if (__builtin_expect(call->works, 0))
		worked_note(call->session, call->ticket);
	return pl_lane_commit(call->lane->lane, call->len_bytes,
			      bulk_bytes            ? PL_LANE_MORE
			      : flags & PL_WIRE_ASK ? PL_LANE_NOW
						    : PL_LANE_SOON);
}

int pl_call_post(struct pl_call *call)
{
	int r = call_send(call, 0, 0);

	return __builtin_expect(r, 0) ? pl_session_dies(call->session, r) : 0;
}

int pl_call_post_free(struct pl_call *call)
{
	int r = call_send_free(call, 0, 0);

	return r ? pl_session_dies(call->session, r) : 0;
}

/* After a payload: the lane knows by then whether another connection would help. */
static void call_widen(struct pl_client_lane *lane)
{
	if (pl_lane_wants(lane->lane))
		pl_client_lane_widen(lane->session, lane->lane, lane->number);
}

int pl_call_post_after(struct pl_call *call, const void *data, uint64_t bytes)
{
	int r = call_send(call, 0, bytes);

	if (!r)
		r = pl_lane_send_bulk(call->lane->lane, data, bytes);
	if (r)
		return pl_session_dies(call->session, r);
	call_widen(call->lane);
	return 0;
}

uint64_t pl_session_answered(const struct pl_session *session)
{
	const struct pl_client_lane *lane = pl_client_lane_known(session);

	return lane ? lane->answered : 0;
}

/* A lane's calls are taken one after the other. */
static void answer_note(struct pl_client_lane *lane, uint64_t ticket)
{
	if (!ticket) {
		lane->taken = lane->sent;
		return;
	}
	lane->answered = lane->taken = ticket;
	lane->asks_out--;
}

static int answer_wait(struct pl_call *call, struct pl_reply *reply)
{
	struct pl_session *session = call->session;
	const struct pl_wire_head *head;
	struct pl_wire_reply body;
	int r = pl_lane_recv(call->lane->lane, UINT64_MAX, &head);

	if (r)
		return pl_session_dies(session, r < 0 ? r : -EPROTO);
	if (!(head->flags & PL_WIRE_REPLY) || head->ticket != call->ticket ||
	    head->len_bytes < sizeof(*head) + sizeof(body))
		return pl_session_dies(session, pl_err(-EPROTO));
	memcpy(&body, head + 1, sizeof(body));
	(void)atomic_load_explicit(&session->frees, memory_order_acquire);
	answer_note(call->lane, head->ticket);
	if (!(body.flags & PL_WIRE_REPLY_AHEAD))
		atomic_fetch_add_explicit(&session->ends, 1, memory_order_relaxed);
	*reply = (struct pl_reply){
		.status = body.status,
		.flags = body.flags,
		.after = body.after,
		.bulk_bytes = head->bulk_bytes,
		.lane = call->lane,
		.dec = { .at = (const uint8_t *)(head + 1) + sizeof(body),
			 .end = (const uint8_t *)head + head->len_bytes,
			 .arena = session->arena.base,
			 .arena_bytes = session->arena.bytes,
			 .after_bytes = head->bulk_bytes },
	};
	return 0;
}

static void idle_store(struct pl_session *session, const struct pl_reply *reply, uint64_t ticket)
{
	atomic_store_explicit(&session->places, reply->flags & PL_WIRE_REPLY_PLACE, memory_order_relaxed);
	atomic_store_explicit(&session->idle, ticket, memory_order_relaxed);
}

/* Whoever finds that all has ended finds what was pushed before, too. */
bool pl_call_is_whole(const struct pl_call *call, struct pl_reply *reply)
{
	struct pl_session *session = call->session;

	if (atomic_load_explicit(&session->reverse_seen, memory_order_acquire) < reply->after)
		return false;
	if (reply->flags & PL_WIRE_REPLY_IDLE && call->ticket) {
		if (reply->bulk_bytes)
			reply->idle = call->ticket; /* when it has come */
		else
			idle_store(session, reply, call->ticket);
	}
	return true;
}

static int call_wait(struct pl_call *call, struct pl_reply *reply)
{
	int r = answer_wait(call, reply);

	while (!r && !pl_call_is_whole(call, reply))
		r = pl_trace(pl_session_pump_until(call->session, reply->after));
	return r;
}

static void ask_count(struct pl_call *call)
{
	atomic_fetch_add_explicit(&call->session->asks, call->ticket != 0, memory_order_relaxed);
	call->lane->asks_out += call->ticket != 0;
}

int pl_call_ask_after(struct pl_call *call, const void *data, uint64_t bytes, struct pl_reply *reply)
{
	int r = call_send(call, PL_WIRE_ASK, bytes);

	ask_count(call);
	if (!r && bytes)
		r = pl_lane_send_bulk(call->lane->lane, data, bytes);
	return r ? pl_session_dies(call->session, r) : call_wait(call, reply);
}

int pl_call_ask_send(struct pl_call *call)
{
	int r = call_send(call, PL_WIRE_ASK, 0);

	ask_count(call);
	return r ? pl_session_dies(call->session, r) : 0;
}

int pl_call_ask_wait(struct pl_call *call, struct pl_reply *reply)
{
	return call_wait(call, reply);
}

int pl_call_ask_alone(struct pl_call *call, struct pl_reply *reply)
{
	int r = pl_call_ask_send(call);

	return r ? r : answer_wait(call, reply);
}

int pl_call_ask_free(struct pl_call *call, struct pl_reply *reply)
{
	int r = call_send_free(call, PL_WIRE_ASK, 0);

	return r ? pl_session_dies(call->session, r) : answer_wait(call, reply);
}

int pl_call_ask(struct pl_call *call, struct pl_reply *reply)
{
	return pl_call_ask_after(call, NULL, 0, reply);
}

int pl_call_bulk(struct pl_reply *reply, void *data, uint64_t bytes)
{
	int r;

	if (bytes > reply->bulk_bytes)
		return pl_session_dies(reply->lane->session, pl_err(-EPROTO));
	r = pl_lane_recv_bulk(reply->lane->lane, data, bytes);
	if (r)
		return pl_session_dies(reply->lane->session, r);
	reply->bulk_bytes -= bytes;
	if (!reply->bulk_bytes && reply->idle)
		idle_store(reply->lane->session, reply, reply->idle);
	if (!reply->bulk_bytes)
		call_widen(reply->lane);
	return 0;
}

/* ---- bulk ---- */

/* Sent ahead of the call, without a ticket: other threads do not wait while it travels. */
static int bulk_stream(struct pl_session *session, const void *data, uint64_t bytes)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head), .flags = PL_WIRE_BULK, .bulk_bytes = bytes };
	struct pl_client_lane *lane;
	void *room;
	int r = pl_client_lane_of_thread(session, &lane);

	if (r)
		return pl_trace(r);
	(void)call_before(session, lane, 0);
	lane->ahead = atomic_load_explicit(&session->before, memory_order_relaxed);
	r = pl_lane_reserve(lane->lane, sizeof(head), &room);
	if (!r) {
		memcpy(room, &head, sizeof(head));
		r = pl_lane_commit(lane->lane, sizeof(head), PL_LANE_MORE);
	}
	if (!r)
		r = pl_lane_send_bulk(lane->lane, data, bytes);
	if (r)
		return pl_session_dies(session, r);
	call_widen(lane);
	return 0;
}

int pl_bulk_prepare(struct pl_session *session, struct pl_bulk *bulk, const void *data, uint64_t bytes)
{
	*bulk = (struct pl_bulk){ .kind = PL_BULK_INLINE, .data = data, .bytes = bytes };
	if (bytes <= PL_WIRE_INLINE_MAX)
		return 0;
	if (session->shares_memory) {
		bulk->offset = pl_arena_alloc(&session->arena, bytes);
		if (bulk->offset != PL_ARENA_NONE) {
			bulk->kind = PL_BULK_ARENA;
			memcpy(session->arena.base + bulk->offset, data, bytes);
			return 0;
		}
		bulk->offset = 0; /* the arena is full: the lane carries it */
	}
	bulk->kind = PL_BULK_STREAM;
	return pl_trace(bulk_stream(session, data, bytes));
}

static void bulk_end(struct pl_session *session, struct pl_bulk *bulk, uint64_t fence)
{
	if (bulk->kind == PL_BULK_ARENA)
		pl_arena_free(&session->arena, bulk->offset, bulk->bytes, fence);
	bulk->kind = PL_BULK_INLINE;
	bulk->bytes = 0;
}

void pl_bulk_done(struct pl_session *session, struct pl_bulk *bulk)
{
	bulk_end(session, bulk, atomic_load(&session->ticket));
}

void pl_bulk_taken(struct pl_session *session, struct pl_bulk *bulk)
{
	bulk_end(session, bulk, 0);
}
