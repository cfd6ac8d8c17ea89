/* When a lane asks for another connection: paths on which they add up, and on which they do not. */
#include "link/tcp/tune.h"

#include <assert.h>
#include <stddef.h>

#define MIB (1ull << 20)

/* A path that gives each connection `each` bytes a millisecond, and `all` at most; of those there are, `lost` percent
 * are lost with each one more.  Return: the connections that are used in the end. */
static uint32_t settle_lossy(struct pl_tune *tune, uint64_t each, uint64_t all, uint64_t lost, uint32_t *most_out,
			     uint64_t *bytes_out)
{
	uint64_t now = 1, bytes = 0;
	uint32_t connections = 1, most = 1;

	while (bytes < 2048 * MIB) {
		uint64_t rate = each * connections < all ? each * connections : all, ns;
		uint32_t wanted;

		rate -= rate * lost * (connections - 1) / 100;
		ns = MIB * 1000000u / rate;
		now += ns;
		wanted = pl_tune_add(tune, connections, MIB, ns, now);
		bytes += MIB;
		assert(wanted && wanted <= 8);
		if (wanted > connections && bytes_out)
			*bytes_out = bytes;
		connections = wanted;
		most = wanted > most ? wanted : most;
	}
	if (most_out)
		*most_out = most;
	return connections;
}

static uint32_t settle(struct pl_tune *tune, uint64_t each, uint64_t all, uint64_t *bytes_out)
{
	return settle_lossy(tune, each, all, 0, NULL, bytes_out);
}

static void test_where_each_connection_is_limited_there_are_as_many_as_can_be(void)
{
	uint64_t bytes = 0;

	assert(settle(&(struct pl_tune){ 0 }, 60000, UINT64_MAX, &bytes) == 8);
	assert(bytes <= 64 * MIB);
	assert(settle(&(struct pl_tune){ 0 }, 150000, UINT64_MAX, NULL) == 8);
}

static void test_one_that_fills_the_path_gets_one_to_compare_with_and_goes_on_alone(void)
{
	uint32_t most;

	assert(settle_lossy(&(struct pl_tune){ 0 }, 100000, 100000, 0, &most, NULL) == 1 && most == 2);
	assert(settle_lossy(&(struct pl_tune){ 0 }, 100000, 110000, 0, &most, NULL) == 1 && most == 2);
}

static void test_it_ends_where_the_path_is_full(void)
{
	assert(settle(&(struct pl_tune){ 0 }, 100000, 220000, NULL) == 2);
	assert(settle(&(struct pl_tune){ 0 }, 100000, 500000, NULL) == 8);
}

/* A fast path on which flows overrun each other: what the next ones give they lose again. */
static void test_where_more_only_lose_more_there_are_fewer(void)
{
	uint32_t most;

	assert(settle_lossy(&(struct pl_tune){ 0 }, 500000, 1100000, 5, &most, NULL) == 2 && most == 4);
	assert(settle_lossy(&(struct pl_tune){ 0 }, 700000, 800000, 10, &most, NULL) == 1 && most == 2);
}

static void test_a_fast_path_is_left_alone(void)
{
	assert(settle(&(struct pl_tune){ 0 }, 1300000, UINT64_MAX, NULL) == 1);
	assert(settle(&(struct pl_tune){ 0 }, 600000, UINT64_MAX, NULL) == 4); /* two are not yet enough */
}

static void test_little_says_nothing(void)
{
	struct pl_tune tune = { 0 };

	for (int i = 0; i < 7; i++)
		assert(pl_tune_add(&tune, 1, MIB, 100000000, 1) == 1);
	tune = (struct pl_tune){ 0 };
	for (int i = 0; i < 1000; i++) /* too quick to be measured */
		assert(pl_tune_add(&tune, 1, 256 << 10, 10, 1) == 1);
}

static void test_much_later_it_is_looked_at_again(void)
{
	struct pl_tune tune = { 0 };
	uint64_t minutes = 60ull * 1000000000u;

	assert(settle(&tune, 100000, 100000, NULL) == 1);
	for (int i = 0; i < 100; i++)
		assert(pl_tune_add(&tune, 1, MIB, 10000000, 30ull * 1000000000u) == 1);
	for (int i = 0; i < 16; i++)
		if (pl_tune_add(&tune, 1, MIB, 10000000, 10 * minutes) == 2)
			return;
	assert(!"not looked at again");
}

/* Of what comes, the other end says over how many. */
static void test_who_can_not_use_fewer_does_not_get_more_and_more(void)
{
	uint64_t now = 1;
	struct pl_tune tune = { 0 };
	uint32_t open = 1, wanted;

	for (int i = 0; i < 100000; i++) {
		now += 10000000;
		wanted = pl_tune_add(&tune, open, MIB, 10000000, now);
		open = wanted > open ? wanted : open;
	}
	assert(open == 2);
}

int main(void)
{
	test_where_each_connection_is_limited_there_are_as_many_as_can_be();
	test_one_that_fills_the_path_gets_one_to_compare_with_and_goes_on_alone();
	test_it_ends_where_the_path_is_full();
	test_where_more_only_lose_more_there_are_fewer();
	test_a_fast_path_is_left_alone();
	test_little_says_nothing();
	test_much_later_it_is_looked_at_again();
	test_who_can_not_use_fewer_does_not_get_more_and_more();
	return 0;
}
