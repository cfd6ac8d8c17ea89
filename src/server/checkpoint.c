/* While calls run: what they have made is noted; and lanes' threads are brought to a stand. */
#include "server/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "server/serve.h"

/* NULL: there is none that could be noted. */
static _Thread_local struct pl_serve *at_hand;

int pl_checkpoint_start(struct pl_session_worker *session, const struct pl_checkpoint_ops *ops)
{
	struct pl_checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
	int r = checkpoint ? 0 : pl_err(-ENOMEM);

	if (!r) {
		checkpoint->ops = ops;
		pthread_mutex_init(&checkpoint->lock, NULL);
		pthread_cond_init(&checkpoint->news, NULL);
		r = pl_journal_create(&checkpoint->journal, ops->key);
	}
	if (r) {
		free(checkpoint);
		return pl_trace(r);
	}
	session->checkpoint = checkpoint;
	return 0;
}

/* ---- lanes ---- */

static void stage_set(struct pl_serve *serve, enum pl_checkpoint_stage stage)
{
	atomic_store_explicit(&serve->kept.stage, stage, memory_order_release);
}

void pl_checkpoint_lane_begins(struct pl_serve *serve, const uint64_t *note)
{
	struct pl_checkpoint *checkpoint = serve->session->checkpoint;

	if (!checkpoint)
		return;
	if (note) {
		serve->kept.note = *note;
		checkpoint->ops->lane(serve, *note);
	}
	pthread_mutex_lock(&checkpoint->lock);
	serve->kept.next = checkpoint->serves;
	serve->kept.link = &checkpoint->serves;
	if (serve->kept.next)
		serve->kept.next->kept.link = &serve->kept.next;
	checkpoint->serves = serve;
	pthread_cond_broadcast(&checkpoint->news);
	pthread_mutex_unlock(&checkpoint->lock);
}

void pl_checkpoint_lane_ends(struct pl_serve *serve)
{
	struct pl_checkpoint *checkpoint = serve->session->checkpoint;

	if (!checkpoint)
		return;
	pthread_mutex_lock(&checkpoint->lock);
	*serve->kept.link = serve->kept.next;
	if (serve->kept.next)
		serve->kept.next->kept.link = serve->kept.link;
	pthread_cond_broadcast(&checkpoint->news);
	pthread_mutex_unlock(&checkpoint->lock);
}

void pl_checkpoint_stand(struct pl_serve *serve)
{
	struct pl_checkpoint *checkpoint = serve->session->checkpoint;

	pthread_mutex_lock(&checkpoint->lock);
	stage_set(serve, PL_CHECKPOINT_STANDS);
	pthread_cond_broadcast(&checkpoint->news);
	while (checkpoint->halted)
		pthread_cond_wait(&checkpoint->news, &checkpoint->lock);
	stage_set(serve, PL_CHECKPOINT_RECEIVES);
	pthread_mutex_unlock(&checkpoint->lock);
}

/* ---- calls ---- */

/* What has come ahead of its call may be given away by the handler. */
static void payload_ahead(struct pl_serve *serve)
{
	if (serve->stream_bytes)
		pl_checkpoint_payload(serve, serve->stream, serve->stream_bytes);
}

void pl_checkpoint_ready(struct pl_serve *serve)
{
	stage_set(serve, PL_CHECKPOINT_READY);
}

/* How much payload there was stands in front of the call's fields: without its content, too, the call is to be said so.
 */
static void commit(struct pl_serve *serve, uint64_t group)
{
	const struct pl_checkpoint_ops *ops = serve->session->checkpoint->ops;
	struct pl_checkpoint_lane *kept = &serve->kept;
	const struct pl_wire_head *head = serve->head;
	uint64_t fields_bytes = head->len_bytes - sizeof(*head);
	uint64_t *body = malloc(sizeof(*body) + fields_bytes);

	if (!body) {
		kept->call.failed = true;
		pl_journal_commit(serve->session->checkpoint->journal, &kept->call, &(struct pl_journal_record){ 0 });
		return;
	}
	body[0] = kept->payload_length;
	memcpy(body + 1, head + 1, fields_bytes);
	pl_journal_commit(serve->session->checkpoint->journal, &kept->call,
			  &(struct pl_journal_record){ .op = head->op,
						       .flags = head->flags,
						       .note = kept->note,
						       .ids = kept->ids,
						       .group = group,
						       .changes = ops->changes(head->op),
						       .more = ops->group(serve->session) != 0,
						       .status = kept->status,
						       .body = body,
						       .body_bytes = sizeof(*body) + fields_bytes,
						       .payload = kept->payload,
						       .payload_bytes = kept->payload_bytes,
						       .reply = kept->reply,
						       .reply_bytes = kept->reply_bytes });
	free(body);
}

static void note_begin(struct pl_serve *serve)
{
	struct pl_checkpoint *checkpoint = serve->session->checkpoint;
	struct pl_checkpoint_lane *kept = &serve->kept;

	kept->reply_bytes = kept->payload_bytes = 0;
	kept->payload_length = serve->stream_bytes ? serve->stream_bytes : serve->head->bulk_bytes;
	pl_journal_begin(checkpoint->journal, &kept->call);
	payload_ahead(serve);
}

/* With the turn held: the order in which calls begin is that in which they are said again.  One of a class that leaves
 * nothing behind is not begun in the journal at all: most are such, launches and copies among them. */
void pl_checkpoint_call_begins(struct pl_serve *serve, bool ordered)
{
	struct pl_checkpoint *checkpoint = serve->session->checkpoint;
	struct pl_checkpoint_lane *kept = &serve->kept;

	if (!checkpoint)
		return;
	stage_set(serve, PL_CHECKPOINT_RUNS);
	kept->noted = false;
	if (!ordered)
		return;
	kept->status = 0;
	kept->part_of = 0;
	kept->call.seq = 0; /* not begun */
	kept->ids = checkpoint->ops->ids(serve->session);
	kept->group = checkpoint->ops->group(serve->session);
	kept->noted = kept->group || checkpoint->ops->records(serve->head->op) != PL_CHECKPOINT_NOT;
	at_hand = serve;
	if (kept->noted)
		note_begin(serve);
}

/* Return: it is said again. */
static bool is_noted(struct pl_serve *serve, enum pl_checkpoint_records records, bool grouped)
{
	struct pl_checkpoint_lane *kept = &serve->kept;

	if (pl_journal_call_matters(&kept->call))
		return true;
	if (kept->status)
		return kept->group; /* it may have ended a capture */
	return grouped || records == PL_CHECKPOINT_CHANGES ||
	       kept->ids != serve->session->checkpoint->ops->ids(serve->session);
}

void pl_checkpoint_call_ends(struct pl_serve *serve)
{
	struct pl_checkpoint *checkpoint = serve->session->checkpoint;
	struct pl_checkpoint_lane *kept = &serve->kept;
	uint64_t group;

	if (!checkpoint)
		return;
	at_hand = NULL;
	if (!kept->call.seq) {
		stage_set(serve, PL_CHECKPOINT_RECEIVES);
		return;
	}
	group = kept->group ? kept->group : checkpoint->ops->group(serve->session);
	if (is_noted(serve, checkpoint->ops->records(serve->head->op), group != 0))
		commit(serve, group ? group : kept->part_of);
	else
		pl_journal_drop(checkpoint->journal, &kept->call);
	stage_set(serve, PL_CHECKPOINT_RECEIVES);
}

/* Return: so much more has been added; without memory the call is not noted whole, and said again it fails. */
static void add(uint8_t **data_io, uint64_t *bytes_io, const void *data, uint64_t bytes)
{
	uint8_t *larger = bytes ? realloc(*data_io, *bytes_io + bytes) : NULL;

	if (!larger)
		return;
	*data_io = larger;
	memcpy(larger + *bytes_io, data, bytes);
	*bytes_io += bytes;
}

static bool is_wanted(const struct pl_serve *serve)
{
	const struct pl_checkpoint *checkpoint = serve->session->checkpoint;

	return checkpoint && serve->kept.noted &&
	       (serve->kept.group || checkpoint->ops->records(serve->head->op) != PL_CHECKPOINT_NOT);
}

void pl_checkpoint_reply(struct pl_serve *serve, const void *body, uint64_t bytes)
{
	if (!is_wanted(serve))
		return;
	serve->kept.reply_bytes = 0;
	add(&serve->kept.reply, &serve->kept.reply_bytes, body, bytes);
}

void pl_checkpoint_payload(struct pl_serve *serve, const void *data, uint64_t bytes)
{
	if (is_wanted(serve) && serve->session->checkpoint->ops->payload(serve->head->op))
		add(&serve->kept.payload, &serve->kept.payload_bytes, data, bytes);
}

/* One whose class says that it leaves nothing behind begins only here; where ids are given the turn is still held. */
static struct pl_journal_call *call_of(struct pl_serve *serve)
{
	if (!serve->kept.call.seq) {
		pl_log_debug("%s has made or ended something", serve->session->backend->op_name(serve->head->op));
		serve->kept.noted = true;
		note_begin(serve);
	}
	return &serve->kept.call;
}

void pl_checkpoint_made(uint64_t from, uint64_t bytes)
{
	if (at_hand)
		pl_journal_made(call_of(at_hand), from, bytes);
}

void pl_checkpoint_ended(uint64_t from)
{
	if (at_hand)
		pl_journal_ended(call_of(at_hand), from);
}

void pl_checkpoint_missed(void)
{
	if (at_hand)
		call_of(at_hand)->failed = true;
}
