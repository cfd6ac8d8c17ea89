/*
 * Which records are needed.  The unit is a record, or all records of one group.  In order of seq:
 *
 * - A record uses the values that its words lie in, then ends some, then makes some.  What is made in the place of
 *   something that lives replaces it: that is gone, but nobody ended it.
 * - A maker made something.  A changer neither made nor ended anything.  What a changer changes is what its body uses;
 *   its note's only if the body uses nothing, or each change to an object would be one to its context, for ever.
 * - Needed from the start: makers of what lives at the end; changers of what lives at the end, or of nothing that is
 *   known here; groups of which more is to come.
 * - Needed with a needed unit: the makers of what it uses; whoever ended something that it made, so that it is not
 * there at the end; whatever changed a maker that it uses before it did.
 * - Of changers with the same op and key one does not count where a later one comes and nothing between them that
 * counts takes something from what it sets: what was made of that has what was set then.  Who has a key sets what the
 * key's words lie in (where that is nothing: all that it changes), and takes something from the rest: parameters of a
 * node are checked against the attributes of their function.  Others take something from all that their body uses.
 *
 * Calls that have begun and not been committed may use whatever lived when they began, and may have made what later
 * records change or have ended already, or be of the same group: those are needed as well.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "server/journal-internal.h"

#define NONE PL_JOURNAL_NONE

struct value {
	struct pl_journal_value *stored;
	uint64_t last;        /* address */
	uint64_t made, gone;  /* seq; UINT64_MAX: it lives at the end */
	uint32_t unit, ender; /* NONE: nobody ended it */
	uint32_t next;        /* of its unit */
	uint32_t seen;        /* record that used it last, from 1 */
	uint32_t taken;       /* record that takes something from it and counts, the first one so far, from 1 */
};

struct unit {
	uint32_t first, last;           /* records */
	uint32_t values;                /* the first one, or NONE */
	uint32_t changes, changes_last; /* that nobody needed so far, in order */
	bool made, ended, needed;
};

struct step {                /* what a record is to this pass */
	uint32_t unit, next; /* record of the unit, or NONE */
	uint32_t uses;       /* the first one; the next record's is behind the last one */
	uint32_t subjects;   /* so many of them are what it changes, if it changes anything */
	uint32_t sets;       /* so many of these are what it sets, if it has a key */
	uint32_t after;      /* the next record with the same key, from 1; 0 = none */
	bool changes, misses, keyed, superseded;
};

struct change {
	uint32_t record, next; /* change of the same unit's */
};

struct pass {
	struct pl_journal_entry **entries;
	uint32_t count;
	uint64_t *pending; /* seqs of calls that have begun, oldest first; behind them UINT64_MAX */
	struct step *steps;
	struct unit *units;
	uint32_t unit_count;
	struct value *values;
	uint32_t value_count;
	struct pl_journal_living living;
	uint32_t *uses; /* values */
	uint64_t use_count, use_room;
	struct change *changes;
	uint64_t change_count, change_room;
	uint32_t *needed; /* units whose own needs are not looked at yet */
	uint32_t needed_count;
};

struct grouped {
	uint64_t group;
	uint32_t record;
};

struct keyed {
	uint64_t key[PL_JOURNAL_KEY_MAX];
	uint32_t words, record;
	uint16_t op;
};

static void pass_fini(struct pass *pass)
{
	pl_journal_living_fini(&pass->living);
	free(pass->pending);
	free(pass->steps);
	free(pass->units);
	free(pass->values);
	free(pass->uses);
	free(pass->changes);
	free(pass->needed);
}

/* Room for one more.  Return: 0, or -ENOMEM. */
static int more(void **array, uint64_t count, uint64_t *room, uint64_t each_bytes)
{
	uint64_t larger = *room ? *room * 2 : 1024;
	void *at;

	if (count < *room)
		return 0;
	if (count >= NONE - 1)
		return pl_err(-ENOMEM);
	at = reallocarray(*array, larger, each_bytes);
	if (!at)
		return pl_err(-ENOMEM);
	*array = at;
	*room = larger;
	return 0;
}

/* ---- units ---- */

static int by_group(const void *left, const void *right)
{
	const struct grouped *a = left, *b = right;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return (a->record > b->record) - (a->record < b->record);
}

static void unit_add(struct pass *pass, uint32_t record, bool joins)
{
	const struct pl_journal_record *of = &pass->entries[record]->record;
	struct unit *unit;

	if (joins) {
		unit = &pass->units[pass->unit_count - 1];
		pass->steps[unit->last].next = record;
	} else {
		unit = &pass->units[pass->unit_count++];
		*unit = (struct unit){ .first = record, .values = NONE, .changes = NONE };
	}
	unit->last = record;
	unit->made |= of->made_count != 0;
	unit->ended |= of->ended_count != 0;
	pass->steps[record] = (struct step){ .unit = pass->unit_count - 1, .next = NONE };
}

static int units_make(struct pass *pass)
{
	struct grouped *grouped = malloc(pass->count * sizeof(*grouped));
	uint32_t n = 0;

	if (!grouped)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; i < pass->count; i++)
		if (pass->entries[i]->record.group)
			grouped[n++] = (struct grouped){ pass->entries[i]->record.group, i };
		else
			unit_add(pass, i, false);
	qsort(grouped, n, sizeof(*grouped), by_group);
	for (uint32_t i = 0; i < n; i++)
		unit_add(pass, grouped[i].record, i && grouped[i].group == grouped[i - 1].group);
	free(grouped);
	return 0;
}

static bool unit_is_changer(const struct unit *unit)
{
	return !unit->made && !unit->ended;
}

/* ---- keys ---- */

static int by_key(const void *left, const void *right)
{
	const struct keyed *a = left, *b = right;

	if (a->op != b->op)
		return a->op < b->op ? -1 : 1;
	if (a->words != b->words)
		return a->words < b->words ? -1 : 1;
	for (uint32_t i = 0; i < a->words; i++)
		if (a->key[i] != b->key[i])
			return a->key[i] < b->key[i] ? -1 : 1;
	return (a->record > b->record) - (a->record < b->record);
}

static bool same_key(const struct keyed *a, const struct keyed *b)
{
	return a->op == b->op && a->words == b->words && !memcmp(a->key, b->key, a->words * sizeof(a->key[0]));
}

static int keys_find(struct pass *pass, pl_journal_key *key)
{
	struct keyed *keyed;
	uint32_t n = 0;

	if (!key)
		return 0;
	keyed = malloc(pass->count * sizeof(*keyed));
	if (!keyed)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; i < pass->count; i++) {
		const struct pl_journal_record *record = &pass->entries[i]->record;
		struct keyed *at = &keyed[n];

		if (record->group || record->made_count || record->ended_count)
			continue;
		*at = (struct keyed){ .op = record->op, .record = i };
		at->words = key(record->op, record->body, (uint32_t)(record->body_bytes / 8), at->key);
		pass->steps[i].keyed = at->words && at->words <= PL_JOURNAL_KEY_MAX;
		n += pass->steps[i].keyed;
	}
	qsort(keyed, n, sizeof(*keyed), by_key);
	for (uint32_t i = 1; i < n; i++)
		if (same_key(&keyed[i - 1], &keyed[i]))
			pass->steps[keyed[i - 1].record].after = keyed[i].record + 1;
	free(keyed);
	return 0;
}

/* ---- what uses, ends and makes what ---- */

/* Room for all values, and the map of those that will live at some time. */
static int values_prepare(struct pass *pass)
{
	uint64_t count = 0, *starts;
	uint32_t n = 0;

	for (uint32_t i = 0; i < pass->count; i++)
		count += pass->entries[i]->record.made_count;
	if (count >= NONE)
		return pl_err(-ENOMEM);
	pass->values = malloc((count + 1) * sizeof(*pass->values));
	starts = pass->values ? malloc((count + 1) * sizeof(*starts)) : NULL;
	if (!starts)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; i < pass->count; i++)
		for (uint32_t k = 0; k < pass->entries[i]->record.made_count; k++)
			starts[n++] = pass->entries[i]->record.made[k].from;
	return pl_journal_living_init(&pass->living, starts, n);
}

/* The value that the word lies in at this time.  One that was replaced may be here without what replaced it, which is
 * not needed any more: from then on it is not found. */
static struct value *value_at(struct pass *pass, uint64_t word, uint64_t seq)
{
	for (;;) {
		uint32_t at = pl_journal_living_find(&pass->living, word);
		struct value *value = &pass->values[at == NONE ? 0 : at];

		if (at == NONE)
			return NULL;
		if (value->gone >= seq)
			return word <= value->last ? value : NULL;
		pl_journal_living_take(&pass->living, value->stored->from);
	}
}

/* Return: 1: the record uses something by this word that it used by none before; 0; -ENOMEM. */
static int word_use(struct pass *pass, uint32_t record, uint64_t word)
{
	struct value *value = word ? value_at(pass, word, pass->entries[record]->record.seq) : NULL;
	int r;

	if (!value || value->seen == record + 1)
		return 0;
	r = more((void **)&pass->uses, pass->use_count, &pass->use_room, sizeof(*pass->uses));
	if (r)
		return pl_trace(r);
	value->seen = record + 1;
	pass->uses[pass->use_count++] = (uint32_t)(value - pass->values);
	return 1;
}

static int change_add(struct pass *pass, struct unit *maker, uint32_t record)
{
	int r = more((void **)&pass->changes, pass->change_count, &pass->change_room, sizeof(*pass->changes));

	if (r)
		return pl_trace(r);
	pass->changes[pass->change_count] = (struct change){ record, NONE };
	if (maker->changes == NONE)
		maker->changes = (uint32_t)pass->change_count;
	else
		pass->changes[maker->changes_last].next = (uint32_t)pass->change_count;
	maker->changes_last = (uint32_t)pass->change_count++;
	return 0;
}

static int words_use(struct pass *pass, uint32_t i, const uint64_t *words, uint64_t count)
{
	for (uint64_t k = 0; k < count; k++) {
		int r = word_use(pass, i, words[k]);

		if (r < 0)
			return pl_trace(r);
		pass->steps[i].subjects += r != 0;
	}
	return 0;
}

static int step_use(struct pass *pass, uint32_t i, pl_journal_key *key)
{
	const struct pl_journal_record *record = &pass->entries[i]->record;
	uint64_t words = record->body_bytes / 8, set[PL_JOURNAL_KEY_MAX];
	struct step *step = &pass->steps[i];
	int r = 0;

	if (step->keyed)
		r = words_use(pass, i, set, key(record->op, record->body, (uint32_t)words, set));
	step->sets = step->subjects;
	if (!r)
		r = words_use(pass, i, record->body, words);
	if (r)
		return pl_trace(r);
	r = word_use(pass, i, record->note);
	if (r < 0)
		return pl_trace(r);
	if (!step->subjects)
		step->subjects = r != 0;
	if (step->keyed && !step->sets)
		step->sets = step->subjects;
	step->changes = record->changes || unit_is_changer(&pass->units[step->unit]);
	for (uint32_t k = 0; step->changes && k < step->subjects; k++) {
		r = change_add(pass, &pass->units[pass->values[pass->uses[step->uses + k]].unit], i);
		if (r)
			return pl_trace(r);
	}
	return 0;
}

static void step_end(struct pass *pass, uint32_t i)
{
	const struct pl_journal_record *record = &pass->entries[i]->record;

	for (uint32_t k = 0; k < record->ended_count; k++) {
		struct value *value = value_at(pass, record->ended[k], record->seq);

		if (!value || value->stored->from != record->ended[k]) {
			pass->steps[i].misses = true;
			continue;
		}
		value->gone = record->seq;
		value->ender = pass->steps[i].unit;
		pl_journal_living_take(&pass->living, value->stored->from);
	}
}

static void step_make(struct pass *pass, uint32_t i)
{
	struct pl_journal_entry *entry = pass->entries[i];
	struct unit *unit = &pass->units[pass->steps[i].unit];
	uint64_t seq = entry->record.seq;

	for (uint32_t k = 0; k < entry->record.made_count; k++) {
		struct pl_journal_value *stored = &pl_journal_entry_made(entry)[k];
		struct value *value = &pass->values[pass->value_count];
		uint64_t last = stored->from + (stored->bytes - 1);
		uint32_t old;

		if (last < stored->from)
			last = UINT64_MAX;
		while ((old = pl_journal_living_find(&pass->living, last)) != NONE &&
		       pass->values[old].last >= stored->from) {
			struct value *gone = &pass->values[old];

			if (gone->gone > seq)
				gone->gone = gone->stored->replaced = seq;
			pl_journal_living_take(&pass->living, gone->stored->from);
		}
		*value = (struct value){ .stored = stored,
					 .last = last,
					 .made = seq,
					 .gone = UINT64_MAX,
					 .ender = NONE,
					 .unit = pass->steps[i].unit,
					 .next = unit->values };
		if (stored->replaced)
			value->gone = stored->replaced;
		unit->values = pass->value_count++;
		pl_journal_living_put(&pass->living, stored->from, unit->values);
	}
}

static int steps_go(struct pass *pass, pl_journal_key *key)
{
	for (uint32_t i = 0; i < pass->count; i++) {
		int r;

		pass->steps[i].uses = (uint32_t)pass->use_count;
		r = step_use(pass, i, key);
		if (r)
			return pl_trace(r);
		step_end(pass, i);
		step_make(pass, i);
	}
	pass->steps[pass->count].uses = (uint32_t)pass->use_count;
	return 0;
}

/* ---- superseding ---- */

/* A call that began in between is pending. */
static bool pending_between(const struct pass *pass, uint64_t from, uint64_t to)
{
	const uint64_t *pending = pass->pending;

	while (*pending < from)
		pending++;
	return *pending < to;
}

static bool is_superseded(const struct pass *pass, const struct step *step)
{
	const uint32_t *uses = pass->uses + step->uses;

	if (!step->after || pending_between(pass, pass->entries[step - pass->steps]->record.seq,
					    pass->entries[step->after - 1]->record.seq))
		return false;
	for (uint32_t k = 0; k < step->sets; k++) {
		uint32_t taken = pass->values[uses[k]].taken;

		if (taken && taken < step->after)
			return false;
	}
	return true;
}

/* From the end on: who is superseded takes nothing. */
static void supersede(struct pass *pass)
{
	for (uint32_t i = pass->count; i--;) {
		struct step *step = &pass->steps[i];

		step->superseded = is_superseded(pass, step);
		for (uint32_t k = step->sets; k < step->subjects && !step->superseded; k++)
			pass->values[pass->uses[step->uses + k]].taken = i + 1;
	}
}

/* ---- what is needed ---- */

static void need(struct pass *pass, uint32_t unit)
{
	if (pass->units[unit].needed)
		return;
	pass->units[unit].needed = true;
	pass->needed[pass->needed_count++] = unit;
}

/* At the end, or when a call began that is pending. */
static bool lives(const struct pass *pass, const struct value *value)
{
	const uint64_t *pending = pass->pending;

	while (*pending < value->made) /* a few, one of a lane */
		pending++;
	return value->gone == UINT64_MAX || value->gone > *pending;
}

static bool changes_what_lives(const struct pass *pass, const struct unit *unit)
{
	bool any = false;

	for (uint32_t i = unit->first; i != NONE; i = pass->steps[i].next) {
		const uint32_t *uses = pass->uses + pass->steps[i].uses;

		for (uint32_t k = 0; k < pass->steps[i].subjects; k++)
			if (lives(pass, &pass->values[uses[k]]))
				return true;
		any |= pass->steps[i].subjects != 0;
	}
	return !any;
}

static bool concerns_pending(const struct pass *pass, const struct unit *unit)
{
	for (uint32_t i = unit->first; i != NONE; i = pass->steps[i].next)
		if (pass->entries[i]->record.seq > pass->pending[0] &&
		    (pass->entries[i]->record.group || pass->steps[i].changes || pass->steps[i].misses))
			return true;
	return false;
}

static bool needed_from_the_start(const struct pass *pass, const struct unit *unit)
{
	if (pass->steps[unit->first].superseded)
		return false;
	for (uint32_t v = unit->values; v != NONE; v = pass->values[v].next)
		if (lives(pass, &pass->values[v]))
			return true;
	return pass->entries[unit->last]->record.more || concerns_pending(pass, unit) ||
	       (unit_is_changer(unit) && changes_what_lives(pass, unit));
}

static void need_with(struct pass *pass, const struct unit *unit)
{
	for (uint32_t v = unit->values; v != NONE; v = pass->values[v].next)
		if (pass->values[v].ender != NONE)
			need(pass, pass->values[v].ender);
	for (uint32_t i = unit->first; i != NONE; i = pass->steps[i].next)
		for (uint32_t k = pass->steps[i].uses; k < pass->steps[i + 1].uses; k++) {
			struct unit *maker = &pass->units[pass->values[pass->uses[k]].unit];

			need(pass, (uint32_t)(maker - pass->units));
			while (maker->changes != NONE && pass->changes[maker->changes].record < i) {
				const struct step *change = &pass->steps[pass->changes[maker->changes].record];

				if (!change->superseded)
					need(pass, change->unit);
				maker->changes = pass->changes[maker->changes].next;
			}
		}
}

static int pending_collect(struct pass *pass, const struct pl_journal_call *first)
{
	uint64_t count = 0;

	for (const struct pl_journal_call *call = first; call; call = call->next)
		count++;
	pass->pending = malloc((count + 1) * sizeof(*pass->pending));
	if (!pass->pending)
		return pl_err(-ENOMEM);
	pass->pending[count] = UINT64_MAX;
	for (count = 0; first; first = first->next)
		pass->pending[count++] = first->seq;
	return 0;
}

static int choose(struct pass *pass, pl_journal_key *key, bool *needed_out)
{
	int r;

	pass->steps = calloc(pass->count + 1, sizeof(*pass->steps));
	pass->units = calloc(pass->count, sizeof(*pass->units));
	pass->needed = calloc(pass->count, sizeof(*pass->needed));
	if (!pass->steps || !pass->units || !pass->needed)
		return pl_err(-ENOMEM);
	r = units_make(pass);
	if (!r)
		r = keys_find(pass, key);
	if (!r)
		r = values_prepare(pass);
	if (!r)
		r = steps_go(pass, key);
	if (r)
		return pl_trace(r);
	supersede(pass);
	for (uint32_t u = 0; u < pass->unit_count; u++)
		if (needed_from_the_start(pass, &pass->units[u]))
			need(pass, u);
	while (pass->needed_count)
		need_with(pass, &pass->units[pass->needed[--pass->needed_count]]);
	for (uint32_t i = 0; i < pass->count; i++)
		needed_out[i] = pass->units[pass->steps[i].unit].needed;
	return 0;
}

int pl_journal_choose(struct pl_journal *journal, bool *needed_out)
{
	struct pass pass = { .entries = journal->entries, .count = (uint32_t)journal->count };
	int r;

	if (!journal->count)
		return 0;
	r = pending_collect(&pass, journal->first);
	if (!r)
		r = choose(&pass, journal->key, needed_out);
	pass_fini(&pass);
	return r ? pl_trace(r) : 0;
}
