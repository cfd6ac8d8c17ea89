/* What the journal keeps and lets go of, how it is written and read, and what damaged ones and missing memory do. */
#include "server/journal.h"

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/journal-internal.h"

#define WORDS  6
#define VALUES 4

enum { OP_MAKE = 1, OP_END, OP_CHANGE, OP_SET }; /* OP_SET: its first two words are its key */
enum { CONTEXT = 0x7001, STREAM, MODULE, FUNCTION, GRAPH, EXEC, NODE, EVENT };

struct say {
	uint64_t note, group;
	uint64_t words[WORDS], made[VALUES], ended[VALUES];
	uint64_t range_bytes; /* of each that is made; 0 = 1 */
	bool changes, more;
	uint16_t op;
};

static struct pl_journal *journal;

static uint32_t key_of(uint16_t op, const uint64_t *words, uint32_t count, uint64_t key[PL_JOURNAL_KEY_MAX])
{
	if (op != OP_SET || count < 2)
		return 0;
	key[0] = words[0];
	key[1] = words[1];
	return 2;
}

static void start(void)
{
	assert(pl_journal_create(&journal, key_of) == 0);
}

static void stop(void)
{
	pl_journal_destroy(journal);
	journal = NULL;
}

/* Return: the seq. */
static uint64_t finish(struct pl_journal_call *call, const struct say *say)
{
	const struct pl_journal_record record = { .note = say->note,
						  .group = say->group,
						  .op = say->op,
						  .changes = say->changes,
						  .more = say->more,
						  .body = say->words,
						  .body_bytes = sizeof(say->words),
						  .reply = "yes",
						  .reply_bytes = 3 };
	uint64_t seq = call->seq;

	for (uint32_t i = 0; i < VALUES; i++) {
		pl_journal_made(call, say->made[i], say->range_bytes ? say->range_bytes : 1);
		pl_journal_ended(call, say->ended[i]);
	}
	pl_journal_commit(journal, call, &record);
	return seq;
}

static uint64_t said(const struct say *say)
{
	struct pl_journal_call call;

	pl_journal_begin(journal, &call);
	return finish(&call, say);
}

#define SAY(...) said(&(const struct say){ __VA_ARGS__ })

static uint64_t make(uint64_t id, uint64_t uses)
{
	return SAY(.op = OP_MAKE, .words = { uses, 3 }, .made = { id });
}

static uint64_t end(uint64_t id)
{
	return SAY(.op = OP_END, .words = { id }, .ended = { id });
}

static uint64_t change(uint64_t id)
{
	return SAY(.op = OP_CHANGE, .words = { 5, id });
}

struct expected {
	const uint64_t *seqs;
	uint32_t count, at;
};

static int is_next(const struct pl_journal_record *record, void *arg)
{
	struct expected *expected = arg;

	assert(expected->at < expected->count && expected->seqs[expected->at] == record->seq);
	expected->at++;
	return 0;
}

/* After a prune, and after another one, there are these and no others. */
static void expect_of(const uint64_t *seqs, uint32_t count)
{
	for (int i = 0; i < 2; i++) {
		struct expected expected = { seqs, count, 0 };

		assert(pl_journal_prune(journal) == 0 && pl_journal_count(journal) == count);
		assert(pl_journal_each(journal, is_next, &expected) == 0 && expected.at == count);
	}
}

#define EXPECT(...)                                                                                                    \
	do {                                                                                                           \
		const uint64_t seqs_[] = { __VA_ARGS__ };                                                              \
		expect_of(seqs_, sizeof(seqs_) / sizeof(seqs_[0]));                                                    \
	} while (0)

static void expect_nothing(void)
{
	expect_of(NULL, 0);
	assert(pl_journal_bytes(journal) == 0 && pl_journal_is_whole(journal));
}

/* ---- what is needed ---- */

static void test_object_made_and_destroyed_leaves_nothing(void)
{
	start();
	make(STREAM, 0);
	end(STREAM);
	expect_nothing();
	end(EVENT); /* which nobody made */
	expect_nothing();
	stop();
}

static void test_what_lives_keeps_what_it_was_made_of(void)
{
	uint64_t context, module, function;

	start();
	context = make(CONTEXT, 0);
	module = SAY(.op = OP_MAKE, .note = CONTEXT, .made = { MODULE });
	make(EVENT, CONTEXT);
	function = make(FUNCTION, MODULE);
	end(EVENT);
	EXPECT(context, module, function);
	stop();
}

static void test_exec_keeps_the_destroyed_graphs_calls_and_its_destroy(void)
{
	uint64_t graph, node, more, exec, ended, late;

	start();
	graph = make(GRAPH, 0);
	node = SAY(.op = OP_MAKE, .words = { GRAPH }, .made = { NODE }, .changes = true);
	more = change(GRAPH);
	exec = make(EXEC, GRAPH);
	late = change(GRAPH); /* the end's words have the graph, too: it is said as it was said */
	ended = SAY(.op = OP_END, .words = { GRAPH }, .ended = { NODE, GRAPH });
	EXPECT(graph, node, more, exec, late, ended);
	end(EXEC);
	expect_nothing();
	stop();
}

static void test_node_that_was_destroyed_later_is_in_the_exec(void)
{
	uint64_t graph, node, exec, gone;

	start();
	graph = make(GRAPH, 0);
	node = SAY(.op = OP_MAKE, .words = { GRAPH }, .made = { NODE }, .changes = true);
	exec = make(EXEC, GRAPH);
	gone = end(NODE);
	SAY(.op = OP_MAKE, .words = { GRAPH }, .made = { NODE + 1 }, .changes = true);
	end(NODE + 1); /* not in the exec */
	EXPECT(graph, node, exec, gone);
	end(EXEC);
	EXPECT(graph);
	stop();
}

static void test_all_that_a_needed_call_made_ends_as_it_did(void)
{
	uint64_t both, user, first, second;

	start();
	both = SAY(.op = OP_MAKE, .made = { MODULE, FUNCTION });
	user = make(EXEC, FUNCTION);
	first = end(MODULE);
	EXPECT(both, user, first);
	second = end(FUNCTION);
	EXPECT(both, user, first, second);
	end(EXEC);
	expect_nothing();
	stop();
}

static void test_changer_follows_its_object(void)
{
	uint64_t stream, one, two;

	start();
	stream = make(STREAM, 0);
	one = change(STREAM);
	two = change(STREAM);
	EXPECT(stream, one, two);
	end(STREAM);
	expect_nothing();
	stop();
}

static void test_changer_of_what_is_only_used_is_needed_before_its_user(void)
{
	uint64_t module, function, before, graph, ended;

	start();
	module = make(MODULE, 0);
	function = make(FUNCTION, MODULE);
	before = change(FUNCTION);
	graph = make(GRAPH, FUNCTION);
	change(FUNCTION); /* later than any need of it */
	ended = SAY(.op = OP_END, .words = { MODULE }, .ended = { MODULE, FUNCTION });
	EXPECT(module, function, before, graph, ended);
	end(GRAPH);
	expect_nothing();
	stop();
}

static void test_changer_of_nothing_known_stays(void)
{
	uint64_t alone;

	start();
	alone = change(0x999);
	EXPECT(alone);
	stop();
}

static void test_context_of_a_changer_counts_only_where_nothing_else_does(void)
{
	uint64_t context, limit;

	start();
	context = make(CONTEXT, 0);
	limit = SAY(.op = OP_CHANGE, .note = CONTEXT, .words = { 1, 2 });
	make(FUNCTION, 0);
	SAY(.op = OP_CHANGE, .note = CONTEXT, .words = { FUNCTION, 2 });
	end(FUNCTION);
	EXPECT(context, limit);
	end(CONTEXT);
	expect_nothing();
	stop();
}

static void test_superseded_changers_go(void)
{
	uint64_t stream, other, last, grouped, before;

	start();
	stream = make(STREAM, 0);
	SAY(.op = OP_SET, .words = { STREAM, 1, 9 });
	before = SAY(.op = OP_SET, .words = { STREAM, 1, 10 });
	other = SAY(.op = OP_SET, .words = { STREAM, 2, 10 });
	grouped = SAY(.op = OP_SET, .group = 1, .words = { STREAM, 1, 11 });
	SAY(.op = OP_SET, .words = { STREAM, 1, 12 });
	last = SAY(.op = OP_SET, .words = { STREAM, 1, 13 });
	EXPECT(stream, before, other, grouped, last);
	stop();
}

/* What was made of a function as it was set then is made so again. */
static void test_changers_stay_for_what_used_them(void)
{
	uint64_t function, first, last, exec, other;

	start();
	function = make(FUNCTION, 0);
	SAY(.op = OP_SET, .words = { FUNCTION, 1, 5 });
	first = SAY(.op = OP_SET, .words = { FUNCTION, 1, 60 });
	exec = make(EXEC, FUNCTION);
	SAY(.op = OP_SET, .words = { FUNCTION, 1, 50 });
	other = make(EVENT, 0); /* uses nothing of it */
	last = SAY(.op = OP_SET, .words = { FUNCTION, 1, 10 });
	EXPECT(function, first, exec, other, last);
	end(EXEC);
	assert(pl_journal_prune(journal) == 0);
	EXPECT(function, other, last); /* now nothing is between them */
	stop();
}

/* Parameters of a node, which are checked against its function as it was set then: set again, they need that no more.
 */
static void test_changers_stay_for_those_that_set_something_else(void)
{
	uint64_t function, exec, first, params, last;

	start();
	function = make(FUNCTION, 0);
	exec = make(EXEC, 0);
	for (int i = 0; i < 3; i++) {
		first = SAY(.op = OP_SET, .words = { FUNCTION, 1, 60 });
		params = SAY(.op = OP_SET, .words = { EXEC, 7, FUNCTION });
		last = SAY(.op = OP_SET, .words = { FUNCTION, 1, 10 });
		EXPECT(function, exec, first, params, last);
	}
	SAY(.op = OP_SET, .words = { FUNCTION, 1, 11 });
	last = SAY(.op = OP_SET, .words = { FUNCTION, 1, 12 });
	EXPECT(function, exec, first, params, last);
	stop();
}

static void test_changers_stay_for_what_may_be_using_them(void)
{
	struct pl_journal_call pending;
	uint64_t function, first, last, exec;

	start();
	function = make(FUNCTION, 0);
	first = SAY(.op = OP_SET, .words = { FUNCTION, 1, 60 });
	pl_journal_begin(journal, &pending);
	last = SAY(.op = OP_SET, .words = { FUNCTION, 1, 10 });
	EXPECT(function, first, last);
	exec = finish(&pending, &(const struct say){ .op = OP_MAKE, .words = { FUNCTION }, .made = { EXEC } });
	EXPECT(function, first, exec, last);
	stop();
}

static void test_group_is_needed_as_a_whole(void)
{
	uint64_t stream, function, begin, launch, other, ended, exec, gone;

	start();
	stream = make(STREAM, 0);
	function = make(FUNCTION, 0);
	begin = SAY(.op = OP_CHANGE, .group = 9, .words = { STREAM }, .more = true);
	make(EVENT, 0);
	launch = SAY(.op = OP_CHANGE, .group = 9, .words = { FUNCTION, STREAM }, .more = true);
	other = make(EVENT + 1, 0);
	end(EVENT);
	ended = SAY(.op = OP_MAKE, .group = 9, .words = { STREAM }, .made = { GRAPH });
	exec = make(EXEC, GRAPH);
	gone = end(GRAPH);
	EXPECT(stream, function, begin, launch, other, ended, exec, gone);
	end(EXEC);
	EXPECT(stream, function, other);
	stop();
}

static void test_group_of_which_more_comes_is_not_let_go(void)
{
	uint64_t begin, made, ended;

	start();
	begin = SAY(.op = OP_CHANGE, .group = 9, .more = true);
	made = SAY(.op = OP_MAKE, .group = 9, .made = { NODE }, .more = true);
	ended = SAY(.op = OP_END, .group = 9, .words = { NODE }, .ended = { NODE }, .more = true);
	EXPECT(begin, made, ended);
	SAY(.op = OP_CHANGE, .group = 9);
	expect_nothing();
	stop();
}

static void test_address_inside_of_a_range_uses_it(void)
{
	uint64_t range, inside, last;

	start();
	range = SAY(.op = OP_MAKE, .made = { 0x10000 }, .range_bytes = 0x1000);
	inside = make(EXEC, 0x10008);
	last = make(GRAPH, 0x10fff);
	make(EVENT, 0x11000); /* behind it */
	end(EVENT);
	end(0x10008); /* no start of anything */
	EXPECT(range, inside, last);
	end(0x10000);
	end(GRAPH);
	assert(pl_journal_prune(journal) == 0 && pl_journal_count(journal) == 3);
	end(EXEC);
	expect_nothing();
	SAY(.op = OP_MAKE, .made = { UINT64_MAX - 1 }, .range_bytes = UINT64_MAX);
	make(EXEC, UINT64_MAX);
	end(EXEC);
	end(UINT64_MAX - 1);
	expect_nothing();
	stop();
}

static void test_reused_address_is_another_object(void)
{
	uint64_t first, exec, gone, second;

	start();
	first = make(0x2000, 0);
	exec = make(EXEC, 0x2000);
	gone = end(0x2000);
	second = make(0x2000, 0);
	change(0x2000);
	end(0x2000);
	EXPECT(first, exec, gone);
	second = make(0x2000, 0);
	end(EXEC);
	EXPECT(second);
	stop();
}

static void test_what_is_made_in_its_place_replaces_it(void)
{
	uint64_t first, exec, second;

	start();
	first = SAY(.op = OP_MAKE, .made = { 0x2000, 0x3000 }, .range_bytes = 0x1000);
	exec = make(EXEC, 0x3008);
	second = SAY(.op = OP_MAKE, .made = { 0x2800 }, .range_bytes = 0x1000); /* over both */
	EXPECT(first, exec, second);
	end(0x2800);
	EXPECT(first, exec); /* what replaced it is gone; it does not live again */
	make(GRAPH, 0x2000); /* nothing is there */
	end(0x2000);
	end(EXEC);
	end(GRAPH);
	expect_nothing();
	stop();
}

static void test_records_stand_in_the_order_in_which_they_began(void)
{
	struct pl_journal_call calls[4];
	uint64_t seqs[4];

	start();
	for (uint32_t i = 0; i < 4; i++) {
		pl_journal_begin(journal, &calls[i]);
		seqs[i] = calls[i].seq;
	}
	finish(&calls[2], &(const struct say){ .op = OP_MAKE, .words = { STREAM }, .made = { EXEC } });
	finish(&calls[0], &(const struct say){ .op = OP_MAKE, .made = { STREAM } });
	finish(&calls[3], &(const struct say){ .op = OP_CHANGE, .words = { EXEC } });
	pl_journal_drop(journal, &calls[1]);
	EXPECT(seqs[0], seqs[2], seqs[3]);
	stop();
}

static void test_call_that_is_pending_finds_what_lived_when_it_began(void)
{
	struct pl_journal_call early, late;
	uint64_t stream, set, ended, exec, unseen;

	start();
	stream = make(STREAM, 0);
	set = change(STREAM);
	pl_journal_begin(journal, &early);
	pl_journal_begin(journal, &late);
	ended = end(STREAM);
	unseen = end(EVENT); /* `early` makes it */
	make(NODE, 0);
	end(NODE); /* nothing that began before can know it */
	EXPECT(stream, set, ended, unseen);
	exec = finish(&late, &(const struct say){ .op = OP_MAKE, .words = { STREAM }, .made = { EXEC } });
	EXPECT(stream, set, exec, ended, unseen);
	finish(&early, &(const struct say){ .op = OP_MAKE, .made = { EVENT } });
	EXPECT(stream, set, exec, ended);
	end(EXEC);
	expect_nothing();
	stop();
}

static void test_each_pending_call_finds_what_lived_when_it_began(void)
{
	struct pl_journal_call early, late;
	uint64_t stream, ended, exec;

	start();
	pl_journal_begin(journal, &early);
	stream = make(STREAM, 0);
	pl_journal_begin(journal, &late);
	ended = end(STREAM);
	EXPECT(stream, ended);
	pl_journal_drop(journal, &early);
	EXPECT(stream, ended);
	exec = finish(&late, &(const struct say){ .op = OP_MAKE, .words = { STREAM }, .made = { EXEC } });
	EXPECT(stream, exec, ended);
	stop();
}

static void test_call_that_made_or_ended_something_matters(void)
{
	struct pl_journal_call call;

	start();
	pl_journal_begin(journal, &call);
	pl_journal_made(&call, 0, 1);
	pl_journal_made(&call, 1, 0);
	pl_journal_ended(&call, 0);
	assert(!pl_journal_call_matters(&call));
	pl_journal_ended(&call, 1);
	assert(pl_journal_call_matters(&call));
	pl_journal_drop(journal, &call);
	pl_journal_begin(journal, &call);
	pl_journal_made(&call, 1, 1);
	assert(pl_journal_call_matters(&call));
	pl_journal_drop(journal, &call);
	expect_nothing();
	stop();
}

/* ---- bounds ---- */

static void test_a_million_rounds_stay_within_bounds(void)
{
	uint64_t most = 0;

	start();
	make(CONTEXT, 0);
	for (uint64_t i = 0; i < 1000000; i++) {
		uint64_t id = 0x100000 + i, bytes;

		SAY(.op = OP_MAKE, .note = CONTEXT, .words = { 1, 2 }, .made = { id });
		if (i % 4 == 0)
			SAY(.op = OP_CHANGE, .note = CONTEXT, .words = { id });
		SAY(.op = OP_END, .note = CONTEXT, .words = { id }, .ended = { id });
		bytes = pl_journal_bytes(journal);
		most = bytes > most ? bytes : most;
	}
	assert(pl_journal_is_whole(journal) && most < (1u << 20));
	assert(pl_journal_prune(journal) == 0 && pl_journal_count(journal) == 1);
	stop();
}

/* All of them are needed; each has words to look up.  That it ends soon is seen by who waits for it. */
static void test_many_that_live_are_pruned(void)
{
	enum { COUNT = 100000, WIDE = 16 };

	start();
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t words[WIDE];
		struct pl_journal_call call;

		for (uint64_t k = 0; k < WIDE; k++)
			words[k] = 0x100000 + (i * 7919 + k * 104729) % (i + 1) * 16 + 8;
		pl_journal_begin(journal, &call);
		pl_journal_made(&call, 0x100000 + i * 16, 16);
		pl_journal_commit(journal, &call,
				  &(const struct pl_journal_record){ .body = words, .body_bytes = sizeof(words) });
	}
	assert(pl_journal_prune(journal) == 0 && pl_journal_count(journal) == COUNT);
	for (uint64_t i = 0; i < COUNT; i++)
		end(0x100000 + i * 16);
	expect_nothing();
	stop();
}

static void test_too_much_is_given_up_and_takes_nothing_more(void)
{
	static const uint8_t payload[4096];
	struct pl_journal_call call;

	start();
	journal->bytes_max = 64 * 1024;
	for (uint32_t i = 0; i < 100; i++) { /* room is made by a prune */
		pl_journal_begin(journal, &call);
		pl_journal_made(&call, STREAM, 1);
		pl_journal_commit(journal, &call,
				  &(const struct pl_journal_record){ .payload = payload, .payload_bytes = 4096 });
		assert(pl_journal_is_whole(journal));
	}
	for (uint32_t i = 0; i < 100; i++) {
		pl_journal_begin(journal, &call);
		pl_journal_made(&call, STREAM + i, 1);
		pl_journal_commit(journal, &call,
				  &(const struct pl_journal_record){ .payload = payload, .payload_bytes = 4096 });
		assert(pl_journal_is_whole(journal) == (i < 15));
	}
	assert(pl_journal_count(journal) == 0 && pl_journal_bytes(journal) == 0);
	assert(pl_journal_prune(journal) == 0 && pl_journal_each(journal, is_next, NULL) == -ENOMEM);
	assert(pl_journal_write(journal, NULL, NULL) == -ENOMEM);
	stop();
}

static void test_what_can_not_be_allocated_is_given_up(void)
{
	struct pl_journal_call call;

	start();
	make(STREAM, 0);
	pl_journal_begin(journal, &call);
	pl_journal_commit(journal, &call,
			  &(const struct pl_journal_record){ .payload = "", .payload_bytes = UINT64_MAX - 7 });
	assert(!pl_journal_is_whole(journal) && pl_journal_count(journal) == 0);
	stop();
	start();
	pl_journal_begin(journal, &call);
	call.failed = true; /* as if its list had not grown */
	assert(pl_journal_call_matters(&call));
	pl_journal_commit(journal, &call, &(const struct pl_journal_record){ .op = OP_MAKE });
	assert(!pl_journal_is_whole(journal));
	stop();
}

static void *lane(void *arg)
{
	uint64_t first = (uint64_t)(uintptr_t)arg << 32;

	for (uint64_t i = 1; i <= 20000; i++) {
		struct pl_journal_call call;

		SAY(.op = OP_MAKE, .words = { 1 }, .made = { first + i });
		change(first + i);
		pl_journal_begin(journal, &call);
		pl_journal_ended(&call, first + i);
		pl_journal_drop(journal, &call);
		if (i % 2000)
			SAY(.op = OP_END, .words = { first + i }, .ended = { first + i });
	}
	return NULL;
}

static void test_lanes_call_at_once(void)
{
	pthread_t threads[4];

	start();
	for (uintptr_t i = 0; i < 4; i++)
		assert(!pthread_create(&threads[i], NULL, lane, (void *)(i + 1)));
	for (uint32_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert(pl_journal_prune(journal) == 0 && pl_journal_count(journal) == 4 * 10 * 2);
	stop();
}

/* ---- written and read ---- */

struct file {
	uint8_t *bytes;
	uint64_t count, room, at;
};

static int file_put(void *arg, const void *data, uint64_t bytes)
{
	struct file *file = arg;

	if (file->count + bytes > file->room) {
		file->room = 2 * (file->count + bytes);
		file->bytes = realloc(file->bytes, file->room);
		assert(file->bytes);
	}
	memcpy(file->bytes + file->count, data, bytes);
	file->count += bytes;
	return 0;
}

static int file_get(void *arg, void *data, uint64_t bytes)
{
	struct file *file = arg;

	if (bytes > file->count - file->at)
		return -EPIPE;
	memcpy(data, file->bytes + file->at, bytes);
	file->at += bytes;
	return 0;
}

static int no_more(void *arg, const void *data, uint64_t bytes)
{
	uint32_t *left = arg;

	(void)data;
	(void)bytes;
	return (*left)-- ? 0 : -ENOSPC;
}

static int busy(void *arg, void *data, uint64_t bytes)
{
	(void)arg;
	(void)data;
	(void)bytes;
	return 5;
}

static void write_some(struct file *file)
{
	static const uint8_t payload[3] = "abc";
	struct pl_journal_call call;

	*file = (struct file){ 0 };
	make(CONTEXT, 0);
	SAY(.op = OP_MAKE, .made = { 0x10000, 0x20000 }, .range_bytes = 0x1000);
	SAY(.op = OP_CHANGE, .group = 9, .words = { 0x10080 }, .more = true);
	SAY(.op = OP_MAKE, .words = { GRAPH }, .note = CONTEXT, .made = { NODE, GRAPH }, .changes = true);
	end(NODE);
	pl_journal_begin(journal, &call);
	pl_journal_made(&call, EXEC, 1);
	pl_journal_commit(journal, &call,
			  &(const struct pl_journal_record){ .op = 0xffff,
							     .flags = 0x80000001,
							     .status = -7,
							     .ids = 77,
							     .payload = payload,
							     .payload_bytes = sizeof(payload) });
	pl_journal_begin(journal, &call); /* takes the last seq */
	pl_journal_drop(journal, &call);
	assert(pl_journal_write(journal, file_put, file) == 0);
}

static int is_seventh(const struct pl_journal_record *record, void *arg)
{
	(*(uint32_t *)arg)++;
	if (record->op != 0xffff)
		return 0;
	assert(record->flags == 0x80000001 && record->status == -7 && record->ids == 77 && record->made_count == 1);
	assert(record->payload_bytes == 3 && !memcmp(record->payload, "abc", 3) && record->made[0].from == EXEC);
	return 77;
}

static void test_written_journal_goes_on_where_it_was(void)
{
	struct file file, again = { 0 };
	uint64_t bytes, last;
	uint32_t seen = 0;

	start();
	write_some(&file);
	bytes = pl_journal_bytes(journal);
	last = journal->seq_last;
	stop();
	assert(pl_journal_read(file_get, &file, &journal, key_of) == 0);
	assert(file.at == file.count && pl_journal_bytes(journal) == bytes && pl_journal_count(journal) == 6);
	assert(pl_journal_write(journal, file_put, &again) == 0);
	assert(again.count == file.count && !memcmp(again.bytes, file.bytes, file.count));
	assert(pl_journal_each(journal, is_seventh, &seen) == 77 && seen == 6);
	assert(make(EVENT, 0x10000) == last + 1);
	end(0x10000); /* what was made before it was read */
	end(0x20000);
	end(CONTEXT);
	end(GRAPH);
	end(EXEC);
	end(EVENT);
	SAY(.op = OP_CHANGE, .group = 9);
	expect_nothing();
	stop();
	free(file.bytes);
	free(again.bytes);
}

static void test_writer_that_fails_is_reported(void)
{
	struct file file;
	uint32_t left = 3;

	start();
	write_some(&file);
	assert(pl_journal_write(journal, no_more, &left) == -ENOSPC);
	stop();
	free(file.bytes);
	assert(pl_journal_read(busy, NULL, &journal, key_of) == -EPROTO && !journal);
}

static void test_file_that_ends_early_is_reported(void)
{
	struct file file;

	start();
	write_some(&file);
	stop();
	for (uint64_t all = file.count; file.count--;) {
		file.at = 0;
		assert(all && pl_journal_read(file_get, &file, &journal, key_of) == -EPIPE && !journal);
	}
	free(file.bytes);
}

/* Of lengths: body's, payload's, reply's; then the lists' counts. */
static void test_lengths_that_lie_are_refused(void)
{
	static const uint64_t lies[] = { 1, PL_JOURNAL_BYTES_MAX, PL_JOURNAL_BYTES_MAX + 8ull, UINT64_MAX,
					 UINT64_MAX - 7 };
	const uint64_t first = 24;
	struct file file;

	start();
	make(STREAM, 0);
	file = (struct file){ 0 };
	assert(pl_journal_write(journal, file_put, &file) == 0);
	stop();
	for (uint32_t at = 32; at <= 64; at += 8)
		for (uint32_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			uint8_t kept[8];
			int r;

			memcpy(kept, file.bytes + first + at, 8);
			memcpy(file.bytes + first + at, &lies[i], 8);
			file.at = 0;
			r = pl_journal_read(file_get, &file, &journal, key_of);
			assert(r == -EPROTO || r == -EPIPE || !r);
			pl_journal_destroy(journal);
			journal = NULL;
			memcpy(file.bytes + first + at, kept, 8);
		}
	free(file.bytes);
}

static void test_damaged_journals_crash_nobody(void)
{
	struct file file, damaged;
	uint32_t read = 0;

	start();
	write_some(&file);
	stop();
	srand(3);
	damaged = file;
	damaged.bytes = malloc(file.count);
	assert(damaged.bytes);
	for (uint32_t round = 0; round < 100000; round++) {
		int r;

		memcpy(damaged.bytes, file.bytes, file.count);
		for (int flips = 1 + rand() % 4; flips; flips--)
			damaged.bytes[(uint64_t)rand() % file.count] ^= (uint8_t)(1 << rand() % 8);
		damaged.at = 0;
		r = pl_journal_read(file_get, &damaged, &journal, key_of);
		assert(r == 0 || r == -EPROTO || r == -EPIPE);
		if (r)
			continue;
		read++;
		make(EVENT, GRAPH);
		end(GRAPH);
		assert(pl_journal_prune(journal) == 0 && pl_journal_count(journal) >= 1);
		stop();
	}
	assert(read > 1000 && read < 99000);
	free(file.bytes);
	free(damaged.bytes);
}

int main(void)
{
	test_object_made_and_destroyed_leaves_nothing();
	test_what_lives_keeps_what_it_was_made_of();
	test_exec_keeps_the_destroyed_graphs_calls_and_its_destroy();
	test_node_that_was_destroyed_later_is_in_the_exec();
	test_all_that_a_needed_call_made_ends_as_it_did();
	test_changer_follows_its_object();
	test_changer_of_what_is_only_used_is_needed_before_its_user();
	test_changer_of_nothing_known_stays();
	test_context_of_a_changer_counts_only_where_nothing_else_does();
	test_superseded_changers_go();
	test_changers_stay_for_what_used_them();
	test_changers_stay_for_those_that_set_something_else();
	test_changers_stay_for_what_may_be_using_them();
	test_group_is_needed_as_a_whole();
	test_group_of_which_more_comes_is_not_let_go();
	test_address_inside_of_a_range_uses_it();
	test_reused_address_is_another_object();
	test_what_is_made_in_its_place_replaces_it();
	test_records_stand_in_the_order_in_which_they_began();
	test_call_that_is_pending_finds_what_lived_when_it_began();
	test_each_pending_call_finds_what_lived_when_it_began();
	test_call_that_made_or_ended_something_matters();
	test_a_million_rounds_stay_within_bounds();
	test_many_that_live_are_pruned();
	test_too_much_is_given_up_and_takes_nothing_more();
	test_what_can_not_be_allocated_is_given_up();
	test_lanes_call_at_once();
	test_written_journal_goes_on_where_it_was();
	test_writer_that_fails_is_reported();
	test_file_that_ends_early_is_reported();
	test_lengths_that_lie_are_refused();
	test_damaged_journals_crash_nobody();
	return 0;
}
