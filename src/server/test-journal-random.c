/*
 * Random sessions.  What is kept agrees with the rules of journal-prune.c, written down again as simply as possible;
 * and the calls that are kept, said again, find what they use in the state in which they found it, and leave what the
 * session had.
 */
#include "server/journal.h"

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/journal-internal.h"

#define STEPS   400u
#define USES    3u
#define WORDS   (USES + 1)
#define MADE    2u
#define ENDED   8u
#define OBJECTS (STEPS * MADE)
#define PENDING 4u
#define NOBODY  UINT32_MAX

struct object { /* that a session has or had */
	uint64_t from, bytes;
	uint32_t parent; /* it is a part of it, and ends with it; NOBODY */
	bool alive;
};

struct past { /* a call as it was, by objects, not by words */
	uint64_t seq;
	uint64_t words[WORDS], note, group;
	uint32_t uses[USES + 1], use_count, subjects; /* the first ones are those that it changes */
	uint32_t made[MADE], made_count, ended[ENDED], ended_count;
	uint32_t replaced[2 * MADE * 2], replaced_count;
	bool changes, more, committed;
	uint16_t op;
};

static struct pl_journal *journal;
static struct object objects[OBJECTS];
static struct past past[STEPS];
static uint32_t object_count, past_count;
static struct pl_journal_call calls[STEPS];
static bool with_keys;

static uint32_t below(uint32_t count)
{
	return (uint32_t)rand() % count;
}

static uint32_t key_of(uint16_t op, const uint64_t *words, uint32_t count, uint64_t key[PL_JOURNAL_KEY_MAX])
{
	for (uint32_t i = 0; i < op && i < count; i++)
		key[i] = words[i];
	return with_keys && op <= 2 ? op : 0;
}

/* ---- the rules again ---- */

struct told { /* a record, copied */
	uint64_t seq, note, group, words[WORDS], ended[ENDED];
	struct pl_journal_value made[MADE];
	uint32_t made_count, ended_count;
	bool changes, more;
	uint16_t op;
};

struct lived { /* a value */
	uint64_t from, last, made, gone;
	uint32_t maker, ender; /* records */
};

static struct told told[STEPS];
static struct lived lived[OBJECTS];
static uint32_t told_count, lived_count;
/* used[i][v]: 0, 1 = the record uses the value, 2 = it changes it if it changes anything */
static uint8_t used[STEPS][OBJECTS];
static bool gone_already[STEPS], changer[STEPS], misses[STEPS], needed[STEPS];

static int tell(const struct pl_journal_record *record, void *arg)
{
	struct told *at = &told[told_count++];

	(void)arg;
	*at = (struct told){ .seq = record->seq,
			     .note = record->note,
			     .group = record->group,
			     .op = record->op,
			     .changes = record->changes,
			     .more = record->more,
			     .made_count = record->made_count,
			     .ended_count = record->ended_count };
	assert(record->body_bytes == sizeof(at->words) && record->made_count <= MADE && record->ended_count <= ENDED);
	memcpy(at->words, record->body, sizeof(at->words));
	memcpy(at->made, record->made, record->made_count * sizeof(at->made[0]));
	memcpy(at->ended, record->ended, record->ended_count * sizeof(at->ended[0]));
	return 0;
}

static bool same_unit(uint32_t i, uint32_t k)
{
	return i == k || (told[i].group && told[i].group == told[k].group);
}

static bool unit_makes(uint32_t i)
{
	for (uint32_t k = 0; k < told_count; k++)
		if (same_unit(i, k) && told[k].made_count)
			return true;
	return false;
}

static bool unit_is_changer(uint32_t i)
{
	for (uint32_t k = 0; k < told_count; k++)
		if (same_unit(i, k) && told[k].ended_count)
			return false;
	return !unit_makes(i);
}

static uint32_t key_words(uint32_t i, uint64_t key[PL_JOURNAL_KEY_MAX])
{
	return !told[i].group && unit_is_changer(i) ? key_of(told[i].op, told[i].words, WORDS, key) : 0;
}

/* A record that has a key sets what that lies in, or where that is nothing all that it changes. */
static bool sets(uint32_t i, uint32_t v)
{
	uint64_t key[PL_JOURNAL_KEY_MAX];
	uint32_t words = key_words(i, key);
	bool any = false, this = false;

	for (uint32_t k = 0; k < words; k++)
		for (uint32_t w = 0; w < lived_count; w++) {
			bool lies = used[i][w] == 2 && lived[w].from <= key[k] && key[k] <= lived[w].last;

			any |= lies;
			this |= lies && v == w;
		}
	return words && (any ? this : used[i][v] == 2);
}

/* Does one that counts, or may come yet, take something from what the record sets? */
static bool is_taken_between(uint32_t i, uint32_t later)
{
	for (const struct pl_journal_call *call = journal->first; call; call = call->next)
		if (told[i].seq < call->seq && call->seq < told[later].seq)
			return true;
	for (uint32_t k = i + 1; k < later; k++)
		for (uint32_t v = 0; v < lived_count; v++)
			if (used[k][v] == 2 && !gone_already[k] && sets(i, v) && !sets(k, v))
				return true;
	return false;
}

static bool is_superseded(uint32_t i)
{
	uint64_t key[2][PL_JOURNAL_KEY_MAX];
	uint32_t words = key_words(i, key[0]);

	for (uint32_t k = i + 1; words && k < told_count; k++)
		if (told[i].op == told[k].op && key_words(k, key[1]) == words && !memcmp(key[0], key[1], words * 8))
			return !is_taken_between(i, k);
	return false;
}

static uint32_t value_at(uint64_t word, uint64_t seq)
{
	for (uint32_t v = 0; word && v < lived_count; v++)
		if (lived[v].from <= word && word <= lived[v].last && lived[v].gone >= seq)
			return v;
	return NOBODY;
}

static void rule_uses(uint32_t i)
{
	uint32_t v = value_at(told[i].note, told[i].seq), count = 0;

	for (uint32_t k = 0; k < WORDS; k++) {
		uint32_t w = value_at(told[i].words[k], told[i].seq);

		if (w == NOBODY)
			continue;
		used[i][w] = 2;
		count++;
	}
	if (v != NOBODY && !used[i][v])
		used[i][v] = count ? 1 : 2;
}

static void rule_ends_and_makes(uint32_t i)
{
	for (uint32_t k = 0; k < told[i].ended_count; k++) {
		uint32_t v = value_at(told[i].ended[k], told[i].seq);

		if (v == NOBODY || lived[v].from != told[i].ended[k]) {
			misses[i] = true;
			continue;
		}
		lived[v].gone = told[i].seq - 1; /* not for another one of this record */
		lived[v].ender = i;
	}
	for (uint32_t k = 0; k < told[i].made_count; k++) {
		const struct pl_journal_value *made = &told[i].made[k];
		uint64_t last = made->from + made->bytes - 1;

		for (uint32_t v = 0; v < lived_count; v++)
			if (lived[v].from <= last && made->from <= lived[v].last && lived[v].gone > told[i].seq)
				lived[v].gone = told[i].seq;
		lived[lived_count++] =
			(struct lived){ made->from, last,  told[i].seq, made->replaced ? made->replaced : UINT64_MAX,
					i,          NOBODY };
	}
}

static bool lives(uint32_t v)
{
	uint64_t gone = lived[v].ender == NOBODY ? lived[v].gone : told[lived[v].ender].seq;

	for (const struct pl_journal_call *call = journal->first; call; call = call->next)
		if (lived[v].made < call->seq && call->seq < gone)
			return true;
	return gone == UINT64_MAX;
}

static bool rule_root(uint32_t i, uint64_t pending)
{
	bool any = false, living = false;
	uint32_t last = i;

	if (gone_already[i])
		return false;
	for (uint32_t v = 0; v < lived_count; v++)
		if (same_unit(lived[v].maker, i) && lives(v))
			return true;
	for (uint32_t k = 0; k < told_count; k++) {
		if (!same_unit(i, k))
			continue;
		last = k;
		if (told[k].seq > pending && (told[k].group || changer[k] || misses[k]))
			return true;
		for (uint32_t v = 0; v < lived_count; v++) {
			any |= used[k][v] == 2;
			living |= used[k][v] == 2 && lives(v);
		}
	}
	return told[last].more || (unit_is_changer(i) && (!any || living));
}

static bool need(uint32_t i)
{
	bool is_new = false;

	for (uint32_t k = 0; k < told_count; k++)
		if (same_unit(i, k) && !needed[k])
			is_new = needed[k] = true;
	return is_new;
}

/* Return: something more is needed. */
static bool rule_need_with(uint32_t i)
{
	bool is_new = false;

	for (uint32_t v = 0; v < lived_count; v++) {
		if (same_unit(lived[v].maker, i) && lived[v].ender != NOBODY)
			is_new |= need(lived[v].ender);
		if (!used[i][v])
			continue;
		is_new |= need(lived[v].maker);
		for (uint32_t w = 0; w < lived_count; w++)
			for (uint32_t k = 0; same_unit(lived[v].maker, lived[w].maker) && k < i; k++)
				if (changer[k] && used[k][w] == 2)
					is_new |= need(k);
	}
	return is_new;
}

static void rules(uint64_t pending)
{
	bool again = true;

	lived_count = 0;
	memset(used, 0, sizeof(used));
	memset(misses, 0, sizeof(misses));
	memset(needed, 0, sizeof(needed));
	for (uint32_t i = 0; i < told_count; i++) {
		rule_uses(i);
		rule_ends_and_makes(i);
	}
	for (uint32_t i = told_count; i--;) {
		gone_already[i] = is_superseded(i);
		changer[i] = !gone_already[i] && (told[i].changes || unit_is_changer(i));
	}
	for (uint32_t i = 0; i < told_count; i++)
		if (rule_root(i, pending))
			need(i);
	while (again) {
		again = false;
		for (uint32_t i = 0; i < told_count; i++)
			again |= needed[i] && rule_need_with(i);
	}
}

static int is_needed(const struct pl_journal_record *record, void *arg)
{
	uint32_t *at = arg;

	while (*at < told_count && !needed[*at])
		(*at)++;
	assert(*at < told_count && told[(*at)++].seq == record->seq);
	return 0;
}

static void prune_and_compare(void)
{
	uint32_t at = 0, count = 0;

	told_count = 0;
	assert(pl_journal_each(journal, tell, NULL) == 0);
	rules(journal->first ? journal->first->seq : UINT64_MAX);
	assert(pl_journal_prune(journal) == 0);
	assert(pl_journal_each(journal, is_needed, &at) == 0);
	for (uint32_t i = 0; i < told_count; i++)
		count += needed[i];
	assert(count == pl_journal_count(journal));
}

/* ---- a session ---- */

static uint32_t some_object(void)
{
	for (int tries = 0; object_count && tries < 8; tries++) {
		uint32_t newest = object_count < 40 ? object_count : 40;
		uint32_t at = object_count - 1 - below(below(4) ? newest : object_count);

		if (objects[at].alive)
			return at;
	}
	return NOBODY;
}

static bool uses_it(const struct past *call, uint32_t object)
{
	for (uint32_t i = 0; i < call->use_count; i++)
		if (call->uses[i] == object)
			return true;
	return false;
}

static void use(struct past *call, uint32_t object)
{
	call->words[call->use_count] = objects[object].from + below((uint32_t)objects[object].bytes);
	call->uses[call->use_count++] = object;
}

static void call_uses(struct past *call)
{
	uint32_t object = some_object();

	for (uint32_t wanted = below(USES + 1), i = 0; i < wanted; i++) {
		uint32_t other = some_object();

		if (other != NOBODY && !uses_it(call, other))
			use(call, other);
	}
	call->words[USES] = below(100);
	call->subjects = call->use_count;
	if (object == NOBODY || below(2))
		return;
	call->note = objects[object].from;
	if (!uses_it(call, object))
		call->uses[call->use_count++] = object;
	if (!call->subjects)
		call->subjects = call->use_count;
}

static void call_makes(struct past *call)
{
	uint32_t at = object_count++;
	struct object *made = &objects[at];

	*made = (struct object){ 0x100000 + at, 1, NOBODY, true };
	if (!call->changes && !below(3)) /* an address of few */
		*made = (struct object){ 0x40000000 + below(8) * 0x1000, 0x1000 * (1 + below(2)), NOBODY, true };
	for (uint32_t i = 0; i < at; i++)
		if (objects[i].alive && objects[i].from < made->from + made->bytes &&
		    made->from < objects[i].from + objects[i].bytes) {
			objects[i].alive = false;
			call->replaced[call->replaced_count++] = i;
		}
	if (call->changes && call->subjects)
		made->parent = call->uses[0];
	call->made[call->made_count++] = at;
}

static void call_ends(struct past *call)
{
	uint32_t object = some_object();

	if (object == NOBODY)
		return;
	call->use_count = 0;
	memset(call->words, 0, sizeof(call->words));
	call->note = 0;
	use(call, object);
	call->subjects = 1;
	for (uint32_t i = 0; i < object_count; i++)
		if (objects[i].alive && (i == object || objects[i].parent == object) && call->ended_count < ENDED) {
			call->ended[call->ended_count++] = i;
			objects[i].alive = false;
		}
}

static void commit(uint32_t at)
{
	struct past *call = &past[at];

	for (uint32_t i = 0; i < call->made_count; i++)
		pl_journal_made(&calls[at], objects[call->made[i]].from, objects[call->made[i]].bytes);
	for (uint32_t i = 0; i < call->ended_count; i++)
		pl_journal_ended(&calls[at], objects[call->ended[i]].from);
	pl_journal_commit(journal, &calls[at],
			  &(const struct pl_journal_record){ .op = call->op,
							     .note = call->note,
							     .group = call->group,
							     .changes = call->changes,
							     .more = call->more,
							     .body = call->words,
							     .body_bytes = sizeof(call->words) });
	call->committed = true;
}

/* Some calls of the last ones are still pending after it. */
static void commit_some(bool all)
{
	uint32_t pending = 0;

	for (uint32_t at = past_count; at--;)
		if (!past[at].committed && (all || pending++ >= PENDING || !below(6)))
			commit(at);
}

static void step(uint64_t *group)
{
	uint32_t at = past_count++, what = below(10);
	struct past *call = &past[at];

	*call = (struct past){ .op = (uint16_t)(1 + below(4)) };
	pl_journal_begin(journal, &calls[at]);
	call->seq = calls[at].seq;
	call_uses(call);
	if (*group && below(2)) {
		call->group = *group;
		call->more = below(4) != 0;
		if (!call->more)
			*group = 0;
		if (what == 9)
			call_makes(call);
		return;
	}
	if (!*group && !below(10))
		*group = call->seq;
	if (what < 4) {
		call->changes = !below(3);
		for (uint32_t count = 1 + below(MADE); count; count--)
			call_makes(call);
	} else if (what < 7) {
		call_ends(call);
	}
}

/* ---- said again ---- */

static uint64_t mixed(uint64_t word)
{
	word = (word ^ (word >> 31)) * 0x9e3779b97f4a7c15u + 1;
	return word ^ (word >> 29);
}

enum { NEVER, THERE, ENDED_IT, REPLACED };

struct run {
	uint64_t found[STEPS];
	uint64_t state[OBJECTS]; /* what changed it, in order */
	uint64_t parts[OBJECTS]; /* what was added to it and has not ended, in any order */
	const struct past *maker[OBJECTS];
	uint8_t there[OBJECTS];
};

/* Neither it nor its group made or ended anything. */
static bool past_changes(const struct past *call)
{
	bool made = false;

	for (uint32_t i = 0; i < past_count; i++)
		if (call == &past[i] || (call->group && past[i].group == call->group))
			made |= past[i].made_count || past[i].ended_count;
	return !made;
}

static void run_part(struct run *run, uint32_t object)
{
	const struct past *maker = run->maker[object];

	for (uint32_t k = 0; maker->changes && k < maker->subjects; k++)
		run->parts[maker->uses[k]] ^= run->found[maker - past] + object;
}

static void run_call(struct run *run, const struct past *call)
{
	uint64_t *found = &run->found[call - past];

	*found = mixed(call->seq);
	for (uint32_t k = 0; k < call->use_count; k++) {
		assert(run->there[call->uses[k]] == THERE);
		*found = mixed(*found ^ run->state[call->uses[k]] ^ mixed(run->parts[call->uses[k]]));
	}
	for (uint32_t k = 0; k < call->subjects && past_changes(call); k++)
		run->state[call->uses[k]] = mixed(run->state[call->uses[k]] ^ *found);
	for (uint32_t k = 0; k < call->ended_count; k++)
		if (run->there[call->ended[k]] == THERE) {
			run->there[call->ended[k]] = ENDED_IT;
			run_part(run, call->ended[k]);
		}
	for (uint32_t k = 0; k < call->made_count; k++) {
		run->maker[call->made[k]] = call;
		run->state[call->made[k]] = mixed(*found + k);
		run->there[call->made[k]] = THERE;
		run_part(run, call->made[k]);
	}
	for (uint32_t k = 0; k < call->replaced_count; k++)
		if (run->there[call->replaced[k]] == THERE)
			run->there[call->replaced[k]] = REPLACED;
}

static void run(struct run *run, const bool *kept)
{
	memset(run, 0, sizeof(*run));
	for (uint32_t i = 0; i < past_count; i++)
		if (kept[i])
			run_call(run, &past[i]);
}

static int is_kept(const struct pl_journal_record *record, void *arg)
{
	for (uint32_t i = 0; i < past_count; i++)
		if (past[i].seq == record->seq)
			((bool *)arg)[i] = true;
	return 0;
}

static void say_again_and_compare(void)
{
	static struct run before, after;
	bool all[STEPS], kept[STEPS] = { false };

	memset(all, true, sizeof(all));
	assert(pl_journal_each(journal, is_kept, kept) == 0);
	run(&before, all);
	run(&after, kept);
	for (uint32_t i = 0; i < past_count; i++)
		assert(!kept[i] || before.found[i] == after.found[i]);
	for (uint32_t i = 0; i < object_count; i++) {
		if (before.there[i] == THERE)
			assert(after.there[i] == THERE && after.state[i] == before.state[i] &&
			       after.parts[i] == before.parts[i]);
		if (before.there[i] == ENDED_IT)
			assert(after.there[i] == NEVER || after.there[i] == ENDED_IT);
	}
}

static void session(unsigned int seed)
{
	uint64_t group = 0;

	srand(seed);
	with_keys = seed % 2;
	object_count = past_count = 0;
	assert(pl_journal_create(&journal, key_of) == 0);
	for (uint32_t steps = 20 + below(STEPS - 20); past_count < steps;) {
		step(&group);
		commit_some(false);
		if (!below(6))
			prune_and_compare();
	}
	commit_some(true);
	prune_and_compare();
	prune_and_compare();
	/* The first one had found all; but what stood between changers with the same key may have gone with it. */
	assert(with_keys || told_count == pl_journal_count(journal));
	if (!with_keys)
		say_again_and_compare();
	pl_journal_destroy(journal);
}

/* test-journal-random [FIRST LAST]: seeds */
int main(int argc, char **argv)
{
	unsigned int first = argc > 2 ? (unsigned int)atoi(argv[1]) : 1,
		     last = argc > 2 ? (unsigned int)atoi(argv[2]) : 40;

	for (unsigned int seed = first; seed <= last; seed++)
		session(seed);
	return 0;
}
