/* What the files of the journal share: its records, the choice of those that are needed, and the map of what lives. */
#ifndef PL_SERVER_JOURNAL_INTERNAL_H
#define PL_SERVER_JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/journal.h"

#define PL_JOURNAL_NONE UINT32_MAX

struct pl_journal_entry {
	struct pl_journal_record record; /* points into `tail` */
	uint64_t tail_bytes;
	uint64_t tail[]; /* made, ended, body, payload, reply */
};

struct pl_journal {
	pthread_mutex_t lock;
	pl_journal_key *key;
	_Atomic bool broken;
	uint64_t bytes_max;
	/* All under the lock. */
	struct pl_journal_entry **entries; /* by seq */
	uint64_t count, room, bytes;
	uint64_t pruned_count, pruned_bytes; /* what the last prune left */
	uint64_t seq_last;
	struct pl_journal_call *first, *last; /* begun and neither committed nor dropped, oldest first */
};

static inline struct pl_journal_value *pl_journal_entry_made(struct pl_journal_entry *entry)
{
	return (struct pl_journal_value *)entry->tail;
}

/** pl_journal_choose() - which records are needed (journal-prune.c)
 * @needed_out: one for each of journal->entries
 * Called with the lock held.  Return: 0, or -ENOMEM. */
int pl_journal_choose(struct pl_journal *journal, bool *needed_out);

#define PL_JOURNAL_LEVELS 6u /* of 64 each: 2^36 starts */

/* Which ranges live, of many whose starts are known ahead: the one that begins last at or before a word is found in
 * O(log n).  Bits of the sorted starts, over them a tree of bits that say where there are any (journal-living.c). */
struct pl_journal_living {
	uint64_t *starts;
	uint32_t *values; /* what the caller keeps with each start that lives */
	uint32_t count, levels;
	uint64_t *bits[PL_JOURNAL_LEVELS];
};

/* starts: count of them in any order, taken over and freed in any case.  Return: 0, or -ENOMEM. */
int pl_journal_living_init(struct pl_journal_living *living, uint64_t *starts, uint32_t count);
void pl_journal_living_fini(struct pl_journal_living *living);
/* start: one of those given. */
void pl_journal_living_put(struct pl_journal_living *living, uint64_t start, uint32_t value);
void pl_journal_living_take(struct pl_journal_living *living, uint64_t start);
/* Return: the value of the start that is the last at or before the word; PL_JOURNAL_NONE. */
uint32_t pl_journal_living_find(const struct pl_journal_living *living, uint64_t word);

#endif
