#include <stdlib.h>

#include "base/err.h"
#include "server/journal-internal.h"

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

int pl_journal_living_init(struct pl_journal_living *living, uint64_t *starts, uint32_t count)
{
	uint64_t n, words = 0, *bits;
	uint32_t unique = 0;

	qsort(starts, count, sizeof(*starts), by_value);
	for (uint32_t i = 0; i < count; i++)
		if (!i || starts[i] != starts[unique - 1])
			starts[unique++] = starts[i];
	*living = (struct pl_journal_living){ .starts = starts, .count = unique };
	n = unique ? unique : 1;
	do {
		n = (n + 63) / 64;
		words += n;
	} while (n > 1);
	bits = calloc(words, sizeof(*bits));
	living->bits[0] = bits;
	living->values = calloc(unique ? unique : 1, sizeof(*living->values));
	if (!bits || !living->values) {
		pl_journal_living_fini(living);
		return pl_err(-ENOMEM);
	}
	n = unique ? unique : 1;
	do {
		n = (n + 63) / 64;
		living->bits[living->levels++] = bits;
		bits += n;
	} while (n > 1);
	return 0;
}

void pl_journal_living_fini(struct pl_journal_living *living)
{
	free(living->starts);
	free(living->values);
	free(living->bits[0]);
	*living = (struct pl_journal_living){ 0 };
}

/* How many starts are at or before the word. */
static uint32_t starts_until(const struct pl_journal_living *living, uint64_t word)
{
	uint32_t low = 0, high = living->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (living->starts[middle] <= word)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void pl_journal_living_put(struct pl_journal_living *living, uint64_t start, uint32_t value)
{
	uint32_t at = starts_until(living, start) - 1;

	living->values[at] = value;
	for (uint32_t level = 0; level < living->levels; level++, at /= 64)
		living->bits[level][at / 64] |= 1ull << at % 64;
}

void pl_journal_living_take(struct pl_journal_living *living, uint64_t start)
{
	uint32_t at = starts_until(living, start) - 1;

	for (uint32_t level = 0; level < living->levels; level++, at /= 64) {
		living->bits[level][at / 64] &= ~(1ull << at % 64);
		if (living->bits[level][at / 64])
			break;
	}
}

static uint32_t highest(uint64_t bits)
{
	return 63 - (uint32_t)__builtin_clzll(bits);
}

uint32_t pl_journal_living_find(const struct pl_journal_living *living, uint64_t word)
{
	uint32_t at = starts_until(living, word), level = 0;
	uint64_t bits;

	if (!at--)
		return PL_JOURNAL_NONE;
	/* Up to where there is one at or before `at`, then down along the last ones. */
	while (!(bits = living->bits[level][at / 64] & (UINT64_MAX >> (63 - at % 64)))) {
		at /= 64;
		if (!at-- || ++level == living->levels)
			return PL_JOURNAL_NONE;
	}
	at = at / 64 * 64 + highest(bits);
	while (level--)
		at = at * 64 + highest(living->bits[level][at]);
	return living->values[at];
}
