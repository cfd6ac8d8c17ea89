/*
 * The calls that made what a session has, in order, so that they can be said again in another worker (ADR 0039).  It
 * does not grow without bound: calls whose objects have ended go away (journal-prune.c has the rules).
 *
 * A call that is kept is a record.  What it made and ended is told apart from it, as values: an id, or a range of
 * addresses.  What it uses is not told but found: a word of its body, or its note, that lies in what an earlier record
 * made and none has ended.  Words that are so by chance keep what nobody needs: no harm but room.
 *
 * Any thread, but that a `struct pl_journal_call` belongs to one thread, stays where it is from begin() on, and has to
 * be committed or dropped.  A lock inside; begin() and drop() are short, commit() prunes now and then.  Sizes are
 * bytes.
 */
#ifndef PL_SERVER_JOURNAL_H
#define PL_SERVER_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#define PL_JOURNAL_BYTES_MAX (1u << 30) /* limit: all of a journal, in memory and written */
#define PL_JOURNAL_KEY_MAX   4u         /* words of a key */

struct pl_journal;

struct pl_journal_value { /* that a call made */
	uint64_t from;
	uint64_t bytes;    /* 1 for an id, more for a range of addresses */
	uint64_t replaced; /* the journal's own: seq of the record that made something in its place; 0 = none */
};

struct pl_journal_call { /* while it is made; all of it the journal's own */
	uint64_t seq;
	struct pl_journal_value *made;
	uint64_t *ended;
	uint32_t made_count, made_room, ended_count, ended_room;
	bool failed;                         /* there was no memory for what it made or ended */
	struct pl_journal_call *next, *prev; /* calls that have begun, oldest first; under the journal's lock */
};

struct pl_journal_record {
	uint64_t seq;  /* order of begin(), from 1; commit() takes the call's */
	uint64_t note; /* the backend's: the current context; used as a word of the body is */
	uint64_t ids;  /* the backend's: a counter's value before the call */
	/* 0 = none; records of one group are needed all or none. */
	uint64_t group;
	uint32_t flags; /* the backend's */
	int32_t status;
	uint16_t op;
	/* It changes what its body uses although it made or ended something: a node that is added to a graph.  Records
	 * that neither made nor ended anything always do. */
	bool changes;
	bool more; /* more of its group is to come: all of it is needed until a later record of the group says no more
		    */
	uint64_t body_bytes; /* a multiple of 8 */
	uint64_t payload_bytes, reply_bytes;
	const void *body, *payload, *reply; /* payload and reply are not searched for words */
	/* For pl_journal_each(); commit() takes the call's. */
	const struct pl_journal_value *made;
	const uint64_t *ended;
	uint32_t made_count, ended_count;
};

/* For what a later call with the same op and key makes an earlier one needless, where neither made or ended anything or
 * is in a group: words of the body, which say what is set.  Called under the lock.  Return: words of key_out, 0 = it
 * has no key. */
typedef uint32_t pl_journal_key(uint16_t op, const uint64_t *words, uint32_t count,
				uint64_t key_out[PL_JOURNAL_KEY_MAX]);

/* key: NULL is fine.  Return: 0, or -ENOMEM. */
int pl_journal_create(struct pl_journal **journal_out, pl_journal_key *key);
void pl_journal_destroy(struct pl_journal *journal); /* NULL is fine; no call is begun and not ended */

/* Takes the call's place in the order.  It allocates nothing. */
void pl_journal_begin(struct pl_journal *journal, struct pl_journal_call *call);
/* It made [from, from + bytes), from now on not what was there before, if anything was.  Of 0 nothing is noted. */
void pl_journal_made(struct pl_journal_call *call, uint64_t from, uint64_t bytes);
/* It ended what was made with this `from`; what nobody made is no fault. */
void pl_journal_ended(struct pl_journal_call *call, uint64_t from);
/* It has made or ended something. */
bool pl_journal_call_matters(const struct pl_journal_call *call);
/* Keeps the call: a copy of the record.  Where there is no room, the journal is not whole any more. */
void pl_journal_commit(struct pl_journal *journal, struct pl_journal_call *call,
		       const struct pl_journal_record *record);
/* The call failed, or need not be said again. */
void pl_journal_drop(struct pl_journal *journal, struct pl_journal_call *call);

/* Lets go of what is not needed.  commit() does so itself when there is twice as much as the last time left.
 * Return: 0, or -ENOMEM: nothing was let go. */
int pl_journal_prune(struct pl_journal *journal);

/** pl_journal_each() - the records in order
 * @fn: may begin and drop calls; nothing is committed or pruned meanwhile.  What it gets is the journal's
 * Return: 0; what fn returned, if not 0: the rest is left out; -ENOMEM: the journal is not whole. */
int pl_journal_each(struct pl_journal *journal, int (*fn)(const struct pl_journal_record *record, void *arg),
		    void *arg);

uint64_t pl_journal_bytes(struct pl_journal *journal);
uint64_t pl_journal_count(struct pl_journal *journal);
/* False once an allocation failed or PL_JOURNAL_BYTES_MAX was not enough: it is empty then and takes nothing more. */
bool pl_journal_is_whole(struct pl_journal *journal);

/** pl_journal_write() - all of it, so that pl_journal_read() makes one that goes on
 * @put: under the lock; what it returns, if not 0, is returned
 * Return: 0, or -ENOMEM: the journal is not whole. */
int pl_journal_write(struct pl_journal *journal, int (*put)(void *arg, const void *data, uint64_t bytes), void *arg);
/** pl_journal_read() - a journal that was written
 * @get: all the bytes, or else a result that is not 0; what is read may be damaged
 * Return: 0; fatal -EPROTO: it is damaged; -ENOMEM; what get returned, a result >0 as -EPROTO. */
int pl_journal_read(int (*get)(void *arg, void *data, uint64_t bytes), void *arg, struct pl_journal **journal_out,
		    pl_journal_key *key);

#endif
