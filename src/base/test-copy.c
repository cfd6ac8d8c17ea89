#include "base/copy.h"

#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AROUND 256u /* bytes before and behind that stay as they are */

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) + (i >> 16));
}

static void copy_is_right(size_t bytes, size_t to_shift, size_t from_shift)
{
	uint8_t *from = malloc(bytes + AROUND), *to = malloc(bytes + 2 * AROUND), *at = to + AROUND / 2 + to_shift;

	assert(from && to);
	for (size_t i = 0; i < bytes + from_shift; i++)
		from[i] = byte_at(i);
	memset(to, 0x5a, bytes + 2 * AROUND);
	pl_copy(at, from + from_shift, bytes);
	assert(!memcmp(at, from + from_shift, bytes));
	for (const uint8_t *outside = to; outside < at; outside++)
		assert(*outside == 0x5a);
	for (const uint8_t *outside = at + bytes; outside < to + bytes + 2 * AROUND; outside++)
		assert(*outside == 0x5a);
	free(from);
	free(to);
}

static void test_all_bytes_and_no_others_are_copied(void)
{
	static const size_t lengths[] = { 0, 1, 4096, PL_COPY_LONG_BYTES - 1 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		copy_is_right(lengths[i], 3, 5);
	for (size_t shift = 0; shift < 64; shift += 7)
		copy_is_right(PL_COPY_LONG_BYTES + shift % 5 * 13, shift, 63 - shift);
}

int main(void)
{
	test_all_bytes_and_no_others_are_copied();
	printf("ok   copies\n");
	return 0;
}
