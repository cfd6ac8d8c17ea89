/* A session out of a file: its calls are said again, its lanes wait for their client. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/checkpoint-parts.h"

#define UNREAD_MAX (2ull << 30) /* limit: bytes of a lane that nobody has taken yet */
#define STEP_BYTES (4ull << 20) /* memory grows with what the file really has */

/* ---- a lane that goes nowhere, for calls that are said again ---- */

struct again_lane {
	struct pl_lane base;
	const uint8_t *payload;
	uint64_t payload_bytes;
	int32_t status;
	bool answered;
	uint32_t reply_bytes; /* of the answer's fields, in room */
	uint8_t *room;
};

static struct again_lane *again_of(struct pl_lane *lane)
{
	return (struct again_lane *)lane;
}

static int again_reserve(struct pl_lane *lane, uint32_t len_bytes, void **room_out)
{
	if (len_bytes > PL_WIRE_RECORD_MAX)
		return pl_err(-EMSGSIZE);
	*room_out = again_of(lane)->room;
	return 0;
}

static int again_commit(struct pl_lane *lane, uint32_t len_bytes, enum pl_lane_how how)
{
	struct again_lane *again = again_of(lane);
	struct pl_wire_reply reply;

	(void)how;
	memcpy(&reply, again->room + sizeof(struct pl_wire_head), sizeof(reply));
	again->status = reply.status;
	again->answered = true;
	again->reply_bytes = len_bytes - (uint32_t)(sizeof(struct pl_wire_head) + sizeof(reply));
	return 0;
}

static int again_send_bulk(struct pl_lane *lane, const void *data, uint64_t bytes)
{
	(void)lane;
	(void)data;
	(void)bytes;
	return 0;
}

static int again_recv(struct pl_lane *lane, uint64_t timeout_ns, const struct pl_wire_head **head_out)
{
	(void)lane;
	(void)timeout_ns;
	(void)head_out;
	return pl_err(-EPIPE);
}

/* What was not needed again, as the backend has said, is nothing. */
static int again_recv_bulk(struct pl_lane *lane, void *data, uint64_t bytes)
{
	struct again_lane *again = again_of(lane);
	uint64_t part = bytes < again->payload_bytes ? bytes : again->payload_bytes;

	memcpy(data, again->payload, part);
	memset((uint8_t *)data + part, 0, bytes - part);
	again->payload += part;
	again->payload_bytes -= part;
	return 0;
}

static void again_nothing(struct pl_lane *lane)
{
	(void)lane;
}

static const struct pl_lane_ops again_ops = {
	.name = "again",
	.reserve = again_reserve,
	.commit = again_commit,
	.send_bulk = again_send_bulk,
	.recv = again_recv,
	.recv_bulk = again_recv_bulk,
	.shutdown = again_nothing,
	.destroy = again_nothing,
	.leave = again_nothing,
};

/* ---- calls that are said again ---- */

struct again {
	struct pl_session_worker *session;
	struct again_lane lane;
	uint8_t *record; /* room for the call's */
	char *why;
};

/* It came ahead of the call, or behind it.  What is not needed again was not noted: so many bytes are there, all 0. */
static int payload_give(struct again *again, struct pl_serve *serve, const struct pl_journal_record *record,
			uint64_t length)
{
	if (length > PL_SERVE_STREAM_MAX || record->payload_bytes > length)
		return pl_err(-EPROTO);
	again->lane.payload = record->payload;
	again->lane.payload_bytes = record->payload_bytes;
	serve->after_left_bytes = serve->stream_bytes = length;
	serve->stream = length ? calloc(1, length) : NULL;
	if (length && !serve->stream)
		return pl_err(-ENOMEM);
	if (record->payload_bytes)
		memcpy(serve->stream, record->payload, record->payload_bytes);
	return 0;
}

static int call_again(const struct pl_journal_record *record, void *arg)
{
	struct again *again = arg;
	struct pl_session_worker *session = again->session;
	const struct pl_checkpoint_ops *ops = session->checkpoint->ops;
	struct pl_wire_head *head = (struct pl_wire_head *)again->record;
	struct pl_serve serve = { .session = session, .lane = &again->lane.base, .head = head, .asked = true };
	uint64_t length, fields_bytes = record->body_bytes - sizeof(length);
	int r;

	if (record->body_bytes < sizeof(length) || fields_bytes > PL_WIRE_RECORD_MAX - sizeof(*head))
		return pl_err(-EPROTO);
	memcpy(&length, record->body, sizeof(length));
	*head = (struct pl_wire_head){ .len_bytes = (uint32_t)(sizeof(*head) + fields_bytes),
				       .op = record->op,
				       .flags = PL_WIRE_ASK,
				       .bulk_bytes = length };
	memcpy(head + 1, (const uint8_t *)record->body + sizeof(length), fields_bytes);
	again->lane.answered = false;
	r = payload_give(again, &serve, record, length);
	if (r)
		return pl_trace(r);
	serve.dec = (struct pl_dec){ .at = (const uint8_t *)(head + 1),
				     .end = again->record + head->len_bytes,
				     .stream = serve.stream,
				     .stream_bytes = serve.stream_bytes,
				     .after_bytes = head->bulk_bytes };
	r = ops->again(&serve, record);
	if (!r)
		session->backend->call(&serve);
	free(serve.stream);
	if (!r && !ops->same(&serve, record, again->lane.answered ? again->lane.status : serve.kept.status,
			     again->lane.room + sizeof(struct pl_wire_head) + sizeof(struct pl_wire_reply),
			     again->lane.answered ? again->lane.reply_bytes : 0)) {
		snprintf(again->why, PL_CHECKPOINT_WHY_MAX,
			 "%s gives something else here than it did (status %d, then %d)",
			 session->backend->op_name(record->op), again->lane.status, record->status);
		r = pl_err(-EOPNOTSUPP);
	}
	return pl_trace(r);
}

static int calls_again(struct pl_session_worker *session, char *why)
{
	struct again again = { .session = session,
			       .lane = { .base = { .ops = &again_ops, .fd = -1 }, .room = malloc(PL_WIRE_RECORD_MAX) },
			       .record = malloc(PL_WIRE_RECORD_MAX),
			       .why = why };
	int r = again.lane.room && again.record ? 0 : pl_err(-ENOMEM);

	if (!r)
		r = pl_journal_each(session->checkpoint->journal, call_again, &again);
	free(again.lane.room);
	free(again.record);
	return pl_trace(r);
}

/* ---- lanes ---- */

struct lane_read {
	struct pl_lane *lane; /* owned until it is given away */
	uint64_t number, note;
};

/* Return: 0 and *data_out, for free(). */
static int bytes_read(struct pl_checkpoint_file *file, uint64_t bytes, void **data_out)
{
	uint8_t *data = NULL, *larger;
	uint64_t have = 0;
	int r = 0;

	while (!r && have < bytes) {
		uint64_t step = bytes - have < STEP_BYTES + have ? bytes - have : STEP_BYTES + have;

		larger = realloc(data, have + step);
		if (!larger)
			r = pl_err(-ENOMEM);
		data = larger ? larger : data;
		if (!r)
			r = pl_checkpoint_get(file, data + have, step);
		have += step;
	}
	if (r)
		free(data);
	else
		*data_out = data;
	return pl_trace(r);
}

static int lane_read(struct pl_checkpoint_file *file, struct lane_read *read)
{
	struct pl_checkpoint_lane_head head;
	struct pl_lane_state state = { 0 };
	int r = pl_checkpoint_get(file, &head, sizeof(head));

	if (!r && (head.sent < head.kept_from || head.sent - head.kept_from > UNREAD_MAX))
		r = pl_err(-EPROTO);
	if (r)
		return pl_trace(r);
	state = (struct pl_lane_state){ .received = head.received, .kept_from = head.kept_from, .sent = head.sent };
	r = bytes_read(file, head.sent - head.kept_from, &state.kept);
	if (!r)
		r = pl_checkpoint_get_u64(file, UNREAD_MAX, &state.unread_bytes);
	if (!r)
		r = bytes_read(file, state.unread_bytes, &state.unread);
	if (!r)
		r = pl_link_restored_lane(&state, &read->lane);
	pl_lane_state_fini(&state);
	read->number = head.number;
	read->note = head.note;
	return pl_trace(r);
}

/* ---- all of it ---- */

struct reading {
	struct pl_session_worker *session;
	struct pl_lanes *lanes;
	struct pl_checkpoint_file *file;
	struct pl_checkpoint_head head;
	struct lane_read *lane; /* the reverse one first */
	uint64_t lanes_count;
	char *why;
};

static int say(const struct reading *reading, int code, const char *why)
{
	snprintf(reading->why, PL_CHECKPOINT_WHY_MAX, "%s", why);
	return pl_err(code);
}

static int head_read(struct reading *reading)
{
	struct pl_checkpoint_head *head = &reading->head;
	const struct pl_backend_ops *backend = reading->session->backend;
	int r = pl_checkpoint_get(reading->file, head, sizeof(*head));

	head->backend[sizeof(head->backend) - 1] = '\0';
	if (!r && head->magic != PL_CHECKPOINT_MAGIC)
		return say(reading, -EPROTO, "no checkpoint, or one of another release");
	if (!r && head->functions != backend->functions->hash)
		return say(reading, -EPROTO, "it is of a release with other functions: that one has to read it");
	if (!r && (strcmp(head->backend, backend->name) || head->session != reading->session->id))
		return say(reading, -EPROTO, "it is another session's");
	if (!r && head->lanes > reading->lanes->lanes_max)
		return say(reading, -EPROTO, "it has more lanes than a session may: plenum serve --lanes-limit");
	return pl_trace(r);
}

static int lanes_read(struct reading *reading)
{
	uint64_t count = reading->head.lanes + 1;
	int r = 0;

	reading->lane = calloc(count, sizeof(*reading->lane));
	if (!reading->lane)
		return pl_err(-ENOMEM);
	while (!r && reading->lanes_count < count) {
		r = lane_read(reading->file, &reading->lane[reading->lanes_count]);
		reading->lanes_count += !r;
	}
	if (!r && reading->lane[0].number != PL_HELLO_PLACE_REVERSE)
		r = pl_err(-EPROTO);
	return pl_trace(r);
}

static int session_read(struct reading *reading, uint64_t away_out[PL_SWAP_DEVICES_MAX])
{
	struct pl_session_worker *session = reading->session;
	const struct pl_checkpoint_ops *ops = session->backend->checkpoint;
	int r = head_read(reading);

	if (!r)
		r = lanes_read(reading);
	if (r)
		return pl_trace(r);
	atomic_store(&session->turn.next, reading->head.next_ticket);
	atomic_store(&session->reverse_sent, reading->head.reverse_sent);
	session->here = reading->head.here != 0;
	session->reverse = pl_steal(reading->lane[0].lane);
	r = session->backend->session(session->state, session);
	if (!r)
		r = pl_checkpoint_start(session, ops);
	if (!r) {
		pl_journal_destroy(pl_steal(session->checkpoint->journal));
		r = pl_journal_read(pl_checkpoint_get, reading->file, &session->checkpoint->journal, ops->key);
	}
	if (!r)
		r = ops->load(session, reading->file);
	if (!r)
		r = calls_again(session, reading->why);
	if (!r)
		r = ops->loaded(session, reading->file, away_out);
	if (!r && !pl_checkpoint_file_good(reading->file))
		return say(reading, -EPROTO, "it is damaged");
	return pl_trace(r);
}

static int lanes_start(struct reading *reading)
{
	int r = 0;

	for (uint64_t i = 1; !r && i < reading->lanes_count; i++)
		r = pl_lanes_restore(reading->lanes, pl_steal(reading->lane[i].lane), reading->lane[i].number,
				     reading->lane[i].note);
	return pl_trace(r);
}

int pl_checkpoint_read(struct pl_session_worker *session, struct pl_lanes *lanes, int fd,
		       uint64_t bytes_out[PL_SWAP_DEVICES_MAX], uint64_t away_out[PL_SWAP_DEVICES_MAX],
		       char why_out[PL_CHECKPOINT_WHY_MAX])
{
	struct reading reading = { .session = session, .lanes = lanes, .why = why_out };
	int r;

	why_out[0] = '\0';
	reading.file = pl_checkpoint_file_create(fd);
	pl_swap_loading(&session->swap);
	r = reading.file ? session_read(&reading, away_out) : pl_err(-ENOMEM);
	pl_swap_loaded(&session->swap, away_out, bytes_out);
	if (!r)
		r = lanes_start(&reading);
	if (r && !why_out[0])
		snprintf(why_out, PL_CHECKPOINT_WHY_MAX, "%s",
			 r == -EPROTO ? "it is damaged" : strerror(r < 0 ? -r : EPROTO));
	for (uint64_t i = 0; i < reading.lanes_count; i++)
		pl_lane_destroy(reading.lane[i].lane);
	free(reading.lane);
	pl_checkpoint_file_destroy(reading.file);
	return r;
}
