#include "server/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/journal-internal.h"

#define PRUNE_COUNT_MIN 1024u
#define PRUNE_BYTES_MIN (4u << 20)
#define COME_BYTES      (1u << 20) /* read at once: a length that lies costs no more room than twice what came */
#define MAGIC           0x316c6e72756f6a70u /* "pjournl1" */
#define SEQ_MAX         (UINT64_MAX >> 1)

struct written { /* stands in front of what a journal has, native byte order */
	uint64_t magic, seq_last, count;
};

struct written_record { /* in front of made, ended, body, payload and reply of each record */
	uint64_t seq, note, ids, group, body_bytes, payload_bytes, reply_bytes;
	uint32_t flags, made_count, ended_count;
	int32_t status;
	uint16_t op, changes, more, zero;
};

static_assert(sizeof(struct written_record) == 80, "no holes, of which the content is not known");

int pl_journal_create(struct pl_journal **journal_out, pl_journal_key *key)
{
	struct pl_journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return pl_err(-ENOMEM);
	pthread_mutex_init(&journal->lock, NULL);
	journal->key = key;
	journal->bytes_max = PL_JOURNAL_BYTES_MAX;
	*journal_out = journal;
	return 0;
}

static void entries_free(struct pl_journal *journal)
{
	for (uint64_t i = 0; i < journal->count; i++)
		free(journal->entries[i]);
	free(journal->entries);
	journal->entries = NULL;
	journal->count = journal->room = journal->bytes = 0;
}

/* Called with the lock held. */
static void give_up(struct pl_journal *journal)
{
	if (!journal->broken)
		pl_log_debug("journal: given up with %llu records of %llu bytes", (unsigned long long)journal->count,
			     (unsigned long long)journal->bytes);
	journal->broken = true;
	entries_free(journal);
}

void pl_journal_destroy(struct pl_journal *journal)
{
	if (!journal)
		return;
	entries_free(journal);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}

static void destroyp(struct pl_journal **journal)
{
	pl_journal_destroy(*journal);
}

/* ---- calls ---- */

void pl_journal_begin(struct pl_journal *journal, struct pl_journal_call *call)
{
	*call = (struct pl_journal_call){ 0 };
	pthread_mutex_lock(&journal->lock);
	call->seq = ++journal->seq_last;
	call->prev = journal->last;
	if (call->prev)
		call->prev->next = call;
	else
		journal->first = call;
	journal->last = call;
	pthread_mutex_unlock(&journal->lock);
}

/* Room for one more in a list of the call. */
static bool call_more(struct pl_journal_call *call, void **list, uint32_t count, uint32_t *room, uint64_t each_bytes)
{
	uint32_t larger = *room ? *room * 2 : 4;
	void *at;

	if (count < *room)
		return true;
	at = larger > *room ? reallocarray(*list, larger, each_bytes) : NULL;
	if (!at) {
		call->failed = true;
		return false;
	}
	*list = at;
	*room = larger;
	return true;
}

void pl_journal_made(struct pl_journal_call *call, uint64_t from, uint64_t bytes)
{
	if (!from || !bytes)
		return;
	if (call_more(call, (void **)&call->made, call->made_count, &call->made_room, sizeof(*call->made)))
		call->made[call->made_count++] = (struct pl_journal_value){ .from = from, .bytes = bytes };
}

void pl_journal_ended(struct pl_journal_call *call, uint64_t from)
{
	if (!from)
		return;
	if (call_more(call, (void **)&call->ended, call->ended_count, &call->ended_room, sizeof(*call->ended)))
		call->ended[call->ended_count++] = from;
}

bool pl_journal_call_matters(const struct pl_journal_call *call)
{
	return call->made_count || call->ended_count || call->failed;
}

/* It is not pending any more.  Called with the lock held. */
static void call_unlink(struct pl_journal *journal, struct pl_journal_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		journal->first = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		journal->last = call->prev;
}

static void call_free(struct pl_journal_call *call)
{
	free(call->made);
	free(call->ended);
	*call = (struct pl_journal_call){ 0 };
}

void pl_journal_drop(struct pl_journal *journal, struct pl_journal_call *call)
{
	pthread_mutex_lock(&journal->lock);
	call_unlink(journal, call);
	pthread_mutex_unlock(&journal->lock);
	call_free(call);
}

/* ---- records ---- */

/* Bytes behind the entry; more than bytes_max if that is what it comes to. */
static uint64_t tail_bytes(const struct pl_journal_record *record, uint64_t bytes_max)
{
	uint64_t lists = record->made_count * sizeof(*record->made) + record->ended_count * sizeof(*record->ended);

	if (record->body_bytes > bytes_max || record->payload_bytes > bytes_max || record->reply_bytes > bytes_max)
		return bytes_max + 1;
	return lists + record->body_bytes + record->payload_bytes + record->reply_bytes;
}

static uint64_t entry_bytes(const struct pl_journal_entry *entry)
{
	return sizeof(*entry) + sizeof(struct pl_journal_entry *) + entry->tail_bytes;
}

/* Where the record's parts lie in the tail. */
static void entry_point(struct pl_journal_entry *entry)
{
	struct pl_journal_record *record = &entry->record;

	record->made = pl_journal_entry_made(entry);
	record->ended = (const uint64_t *)(record->made + record->made_count);
	record->body = record->ended + record->ended_count;
	record->payload = (const uint8_t *)record->body + record->body_bytes;
	record->reply = (const uint8_t *)record->payload + record->payload_bytes;
}

static uint8_t *put(uint8_t *at, const void *data, uint64_t bytes)
{
	if (bytes)
		memcpy(at, data, bytes);
	return at + bytes;
}

/* Return: NULL: there is no room. */
static struct pl_journal_entry *entry_make(const struct pl_journal *journal, const struct pl_journal_call *call,
					   const struct pl_journal_record *record)
{
	struct pl_journal_record own = *record;
	struct pl_journal_entry *entry;
	uint64_t bytes;
	uint8_t *at;

	own.seq = call->seq;
	own.made_count = call->made_count;
	own.ended_count = call->ended_count;
	bytes = tail_bytes(&own, journal->bytes_max);
	if (call->failed || bytes > journal->bytes_max)
		return NULL;
	entry = malloc(sizeof(*entry) + bytes);
	if (!entry)
		return NULL;
	entry->record = own;
	entry->tail_bytes = bytes;
	at = put((uint8_t *)entry->tail, call->made, call->made_count * sizeof(*call->made));
	at = put(at, call->ended, call->ended_count * sizeof(*call->ended));
	at = put(at, record->body, record->body_bytes);
	at = put(at, record->payload, record->payload_bytes);
	put(at, record->reply, record->reply_bytes);
	entry_point(entry);
	return entry;
}

/* Into its place by seq, which is at or near the end.  Called with the lock held.  Return: false: there was no memory.
 */
static bool entry_insert(struct pl_journal *journal, struct pl_journal_entry *entry)
{
	uint64_t at = journal->count;

	if (journal->count == journal->room) {
		uint64_t room = journal->room ? journal->room * 2 : 256;
		void *larger = reallocarray(journal->entries, room, sizeof(struct pl_journal_entry *));

		if (!larger)
			return false;
		journal->entries = larger;
		journal->room = room;
	}
	while (at && journal->entries[at - 1]->record.seq > entry->record.seq)
		at--;
	memmove(journal->entries + at + 1, journal->entries + at,
		(journal->count - at) * sizeof(struct pl_journal_entry *));
	journal->entries[at] = entry;
	journal->count++;
	journal->bytes += entry_bytes(entry);
	return true;
}

/* Called with the lock held. */
static int prune(struct pl_journal *journal)
{
	bool *needed = calloc(journal->count + 1, sizeof(*needed));
	uint64_t kept = 0;
	int r = needed ? pl_journal_choose(journal, needed) : pl_err(-ENOMEM);

	for (uint64_t i = 0; !r && i < journal->count; i++) {
		struct pl_journal_entry *entry = journal->entries[i];

		if (needed[i]) {
			journal->entries[kept++] = entry;
		} else {
			journal->bytes -= entry_bytes(entry);
			free(entry);
		}
	}
	free(needed);
	if (r)
		return pl_trace(r);
	journal->pruned_count = journal->count = kept;
	journal->pruned_bytes = journal->bytes;
	return 0;
}

static bool has_doubled(const struct pl_journal *journal)
{
	return (journal->count > PRUNE_COUNT_MIN && journal->count >= 2 * journal->pruned_count) ||
	       (journal->bytes > PRUNE_BYTES_MIN && journal->bytes >= 2 * journal->pruned_bytes);
}

void pl_journal_commit(struct pl_journal *journal, struct pl_journal_call *call, const struct pl_journal_record *record)
{
	struct pl_journal_entry *entry = NULL;

	assert(record->body_bytes % 8 == 0);
	if (!journal->broken)
		entry = entry_make(journal, call, record);
	pthread_mutex_lock(&journal->lock);
	call_unlink(journal, call);
	if (!journal->broken && entry && entry_insert(journal, entry)) {
		entry = NULL;
		if (journal->bytes > journal->bytes_max || has_doubled(journal))
			(void)prune(journal); /* where there is no memory to look, all stays */
		if (journal->bytes > journal->bytes_max)
			give_up(journal);
	} else {
		give_up(journal);
	}
	pthread_mutex_unlock(&journal->lock);
	free(entry);
	call_free(call);
}

int pl_journal_prune(struct pl_journal *journal)
{
	int r;

	pthread_mutex_lock(&journal->lock);
	r = prune(journal);
	pthread_mutex_unlock(&journal->lock);
	return r ? pl_trace(r) : 0;
}

int pl_journal_each(struct pl_journal *journal, int (*fn)(const struct pl_journal_record *record, void *arg), void *arg)
{
	for (uint64_t i = 0;; i++) {
		struct pl_journal_entry *entry = NULL;
		int r;

		if (!pl_journal_is_whole(journal))
			return pl_err(-ENOMEM);
		pthread_mutex_lock(&journal->lock);
		if (i < journal->count)
			entry = journal->entries[i];
		pthread_mutex_unlock(&journal->lock);
		r = entry ? fn(&entry->record, arg) : 0;
		if (r || !entry)
			return r;
	}
}

uint64_t pl_journal_bytes(struct pl_journal *journal)
{
	uint64_t bytes;

	pthread_mutex_lock(&journal->lock);
	bytes = journal->bytes;
	pthread_mutex_unlock(&journal->lock);
	return bytes;
}

uint64_t pl_journal_count(struct pl_journal *journal)
{
	uint64_t count;

	pthread_mutex_lock(&journal->lock);
	count = journal->count;
	pthread_mutex_unlock(&journal->lock);
	return count;
}

bool pl_journal_is_whole(struct pl_journal *journal)
{
	return !journal->broken;
}

/* ---- written and read ---- */

int pl_journal_write(struct pl_journal *journal, int (*put_to)(void *arg, const void *data, uint64_t bytes), void *arg)
{
	struct written head = { .magic = MAGIC };
	int r;

	pthread_mutex_lock(&journal->lock);
	head.seq_last = journal->seq_last;
	head.count = journal->count;
	r = journal->broken ? pl_err(-ENOMEM) : put_to(arg, &head, sizeof(head));
	for (uint64_t i = 0; !r && i < journal->count; i++) {
		const struct pl_journal_entry *entry = journal->entries[i];
		const struct pl_journal_record *from = &entry->record;
		const struct written_record record = {
			.seq = from->seq,
			.note = from->note,
			.ids = from->ids,
			.group = from->group,
			.body_bytes = from->body_bytes,
			.payload_bytes = from->payload_bytes,
			.reply_bytes = from->reply_bytes,
			.flags = from->flags,
			.made_count = from->made_count,
			.ended_count = from->ended_count,
			.status = from->status,
			.op = from->op,
			.changes = from->changes,
			.more = from->more,
		};

		r = put_to(arg, &record, sizeof(record));
		if (!r && entry->tail_bytes)
			r = put_to(arg, entry->tail, entry->tail_bytes);
	}
	pthread_mutex_unlock(&journal->lock);
	return r;
}

struct source {
	int (*get)(void *arg, void *data, uint64_t bytes);
	void *arg;
};

static int take(const struct source *source, void *data, uint64_t bytes)
{
	int r = source->get(source->arg, data, bytes);

	return pl_fold(r);
}

/* Return: it could have been written after one with the seq `before`. */
static bool is_sound(const struct written_record *record, uint64_t before, uint64_t last)
{
	return record->seq > before && record->seq <= last && !(record->body_bytes % 8) && record->changes <= 1 &&
	       record->more <= 1 && !record->zero;
}

static bool lists_are_sound(const struct pl_journal_record *record)
{
	for (uint32_t i = 0; i < record->made_count; i++)
		if (!record->made[i].from || !record->made[i].bytes || record->made[i].replaced > SEQ_MAX)
			return false;
	for (uint32_t i = 0; i < record->ended_count; i++)
		if (!record->ended[i])
			return false;
	return true;
}

/* The tail, allocated as it comes. */
static int tail_read(const struct source *source, struct pl_journal_entry **entry)
{
	uint64_t bytes = (*entry)->tail_bytes, have = 0;
	int r;

	while (have < bytes) {
		uint64_t more = have > COME_BYTES ? have : COME_BYTES;
		struct pl_journal_entry *larger;

		if (more > bytes - have)
			more = bytes - have;
		larger = realloc(*entry, sizeof(**entry) + have + more);
		if (!larger)
			return pl_err(-ENOMEM);
		*entry = larger;
		r = take(source, (uint8_t *)larger->tail + have, more);
		if (r)
			return pl_trace(r);
		have += more;
	}
	return 0;
}

static int record_read(struct pl_journal *journal, const struct source *source)
{
	pl_cleanup(pl_freep) struct pl_journal_entry *entry = NULL;
	struct written_record from;
	uint64_t before = journal->count ? journal->entries[journal->count - 1]->record.seq : 0;
	int r = take(source, &from, sizeof(from));

	if (r)
		return pl_trace(r);
	if (!is_sound(&from, before, journal->seq_last))
		return pl_err(-EPROTO);
	entry = malloc(sizeof(*entry));
	if (!entry)
		return pl_err(-ENOMEM);
	entry->record = (struct pl_journal_record){
		.seq = from.seq,
		.note = from.note,
		.ids = from.ids,
		.group = from.group,
		.flags = from.flags,
		.status = from.status,
		.op = from.op,
		.changes = from.changes,
		.more = from.more,
		.body_bytes = from.body_bytes,
		.payload_bytes = from.payload_bytes,
		.reply_bytes = from.reply_bytes,
		.made_count = from.made_count,
		.ended_count = from.ended_count,
	};
	entry->tail_bytes = tail_bytes(&entry->record, journal->bytes_max);
	if (entry_bytes(entry) > journal->bytes_max || journal->bytes > journal->bytes_max - entry_bytes(entry))
		return pl_err(-EPROTO);
	r = tail_read(source, &entry);
	if (r)
		return pl_trace(r);
	entry_point(entry);
	if (!lists_are_sound(&entry->record))
		return pl_err(-EPROTO);
	if (!entry_insert(journal, entry))
		return pl_err(-ENOMEM);
	entry = NULL; /* the journal's */
	return 0;
}

int pl_journal_read(int (*get)(void *arg, void *data, uint64_t bytes), void *arg, struct pl_journal **journal_out,
		    pl_journal_key *key)
{
	pl_cleanup(destroyp) struct pl_journal *journal = NULL;
	const struct source source = { get, arg };
	struct written head;
	int r = pl_journal_create(&journal, key);

	if (!r)
		r = take(&source, &head, sizeof(head));
	if (r)
		return pl_trace(r);
	if (head.magic != MAGIC || head.seq_last > SEQ_MAX)
		return pl_err(-EPROTO);
	journal->seq_last = head.seq_last;
	for (uint64_t i = 0; i < head.count; i++) {
		r = record_read(journal, &source);
		if (r)
			return pl_trace(r);
	}
	journal->pruned_count = journal->count;
	journal->pruned_bytes = journal->bytes;
	*journal_out = pl_steal(journal);
	return 0;
}
