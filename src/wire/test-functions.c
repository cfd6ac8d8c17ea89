#undef NDEBUG
#include "wire/functions.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static const struct pl_function our_rows[] = {
	{ "add", 11, 1, false },
	{ "ended", 12, 2, true },
	{ "read", 13, 3, false },
	{ "write", 14, 4, false },
};
static const struct pl_functions ours = { .version = 1, .count = 4, .hash = 1, .at = our_rows };

static uint8_t room[1u << 20];
static struct pl_agreement agreement;
static char what[PL_FUNCTION_NAME_MAX];

static struct pl_dec table_write(const struct pl_functions *functions)
{
	struct pl_enc enc = { room };

	pl_functions_put(&enc, functions);
	assert((uint64_t)(enc.at - room) == pl_functions_bytes(functions));
	return (struct pl_dec){ .at = room, .end = enc.at };
}

static int agree(const struct pl_function *rows, uint32_t count)
{
	struct pl_functions theirs = { .version = 1, .count = count, .at = rows };
	struct pl_dec dec = table_write(&theirs);

	return pl_functions_agree(&ours, &dec, &agreement, what);
}

static void test_numbers_follow_names(void)
{
	static const struct pl_function theirs[] = {
		{ "a new one", 99, 1, false },
		{ "add", 11, 30, false },
		{ "ended", 12, 4, true },
		{ "write", 14, 2, false },
	};

	assert(agree(theirs, 4) == 0);
	assert(agreement.call[1] == 30 && agreement.call[4] == 2);
	assert(agreement.call[3] == PL_FUNCTION_LACKS);
	assert(agreement.reverse[4] == 2 && agreement.reverse[2] == 0 && agreement.call[2] == 0);
}

static void test_another_layout_is_one_function_less(void)
{
	static const struct pl_function theirs[] = {
		{ "add", 77, 1, false },
		{ "ended", 12, 2, true },
		{ "read", 13, 3, false },
	};

	assert(agree(theirs, 3) == 0);
	assert(agreement.call[1] == PL_FUNCTION_DIFFERS && agreement.call[3] == 3);
	assert(agreement.call[4] == PL_FUNCTION_LACKS);
}

static void test_pushes_must_be_understood(void)
{
	static const struct pl_function other_layout[] = { { "ended", 13, 2, true } };
	static const struct pl_function other_way[] = { { "ended", 12, 2, false } };
	static const struct pl_function unknown[] = { { "future", 5, 9, true } };

	assert(agree(other_layout, 1) == PL_FUNCTIONS_E_REVERSE && !strcmp(what, "ended"));
	assert(agree(other_way, 1) == PL_FUNCTIONS_E_REVERSE);
	assert(agree(unknown, 1) == 0 && agreement.reverse[9] == 0);
}

static void test_another_meaning_is_refused(void)
{
	struct pl_functions theirs = ours;
	struct pl_dec dec;

	theirs.version = 2;
	dec = table_write(&theirs);
	assert(pl_functions_agree(&ours, &dec, &agreement, what) == PL_FUNCTIONS_E_VERSION);
}

static void test_tables_that_lie_are_refused(void)
{
	static const struct pl_function name_twice[] = { { "add", 11, 1, false }, { "add", 11, 2, false } };
	static const struct pl_function number_twice[] = { { "add", 11, 1, false }, { "read", 13, 1, false } };
	static const struct pl_function no_order[] = { { "read", 13, 3, false }, { "add", 11, 1, false } };
	static const struct pl_function no_name[] = { { "", 11, 1, false } };
	static const struct pl_function no_number[] = { { "add", 11, 0, false } };
	static const struct pl_function far_number[] = { { "add", 11, PL_FUNCTION_OP_MAX + 1, false } };
	char long_name[PL_FUNCTION_NAME_MAX + 1];
	struct pl_function long_row = { long_name, 1, 1, false };

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert(agree(name_twice, 2) == -EPROTO);
	assert(agree(number_twice, 2) == -EPROTO);
	assert(agree(no_order, 2) == -EPROTO);
	assert(agree(no_name, 1) == -EPROTO);
	assert(agree(no_number, 1) == -EPROTO);
	assert(agree(far_number, 1) == -EPROTO);
	assert(agree(&long_row, 1) == -EPROTO);
	long_name[PL_FUNCTION_NAME_MAX - 1] = '\0';
	assert(agree(&long_row, 1) == 0);
}

static void test_counts_are_not_believed(void)
{
	static const uint64_t counts[] = { PL_FUNCTIONS_MAX + 1, UINT32_MAX, UINT64_MAX, 5, 3 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct pl_dec dec = table_write(&ours); /* four rows */

		memcpy(room + 8, &counts[i], 8);
		assert(pl_functions_agree(&ours, &dec, &agreement, what) == -EPROTO);
	}
}

static void test_every_cut_is_refused(void)
{
	struct pl_dec whole = table_write(&ours);
	size_t bytes = (size_t)(whole.end - whole.at);

	for (size_t cut = 0; cut < bytes; cut++) {
		struct pl_dec dec = { .at = room, .end = room + cut };

		assert(pl_functions_agree(&ours, &dec, &agreement, what) == -EPROTO);
	}
	assert(pl_functions_agree(&ours, &whole, &agreement, what) == 0);
}

static void test_names_are_found(void)
{
	assert(!strcmp(pl_functions_name(&ours, 3), "read"));
	assert(!strcmp(pl_functions_name(&ours, 500), "?"));
}

int main(void)
{
	test_numbers_follow_names();
	test_another_layout_is_one_function_less();
	test_pushes_must_be_understood();
	test_another_meaning_is_refused();
	test_tables_that_lie_are_refused();
	test_counts_are_not_believed();
	test_every_cut_is_refused();
	test_names_are_found();
	return 0;
}
