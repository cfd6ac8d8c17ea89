#include "wire/codec.h"

#include <assert.h>
#include <stdio.h>

static struct pl_dec reader(const void *bytes, size_t len)
{
	return (struct pl_dec){ .at = bytes, .end = (const uint8_t *)bytes + len };
}

static void test_what_is_written_is_read(void)
{
	uint8_t room[256];
	struct pl_enc enc = { room };
	uint64_t ids[3] = { 7, 8, 9 };
	struct pl_bulk bulk = { .kind = PL_BULK_INLINE, .data = "abcde", .bytes = 5 };

	pl_enc_u64(&enc, 42);
	pl_enc_u64(&enc, (uint64_t)(int64_t)-5);
	pl_enc_array(&enc, ids, 3, 8);
	pl_enc_array(&enc, "name", 5, 1);
	pl_enc_bulk(&enc, &bulk);
	assert((size_t)(enc.at - room) == 8 + 8 + pl_size_array(3, 8) + pl_size_array(5, 1) + pl_size_bulk(&bulk));

	struct pl_dec dec = reader(room, (size_t)(enc.at - room));
	assert(pl_dec_u32(&dec) == 42);
	assert(pl_dec_i32(&dec) == -5);
	struct pl_u64s list = pl_dec_u64s(&dec, 3);
	assert(list.count == 3 && list.at[2] == 9);
	assert(!strcmp(pl_dec_string(&dec, 100), "name"));
	struct pl_bulk got = pl_dec_bulk(&dec, 100);
	assert(got.bytes == 5 && !memcmp(got.data, "abcde", 5));
	assert(pl_dec_whole(&dec));
}

/* Every cut of a good record fails, stays failed and reads as zero. */
static void test_cut_record_fails_for_good(void)
{
	uint8_t room[256];
	struct pl_enc enc = { room };
	uint64_t ids[2] = { 1, 2 };

	pl_enc_array(&enc, ids, 2, 8);
	pl_enc_array(&enc, "x", 2, 1);
	for (size_t len = 0; len < (size_t)(enc.at - room); len++) {
		struct pl_dec dec = reader(room, len);
		pl_dec_u64s(&dec, 2);
		pl_dec_string(&dec, 10);
		assert(!pl_dec_whole(&dec));
		assert(pl_dec_u64(&dec) == 0 && pl_dec_u64s(&dec, 5).count == 0);
	}
}

static void test_counts_that_lie_are_refused(void)
{
	static const uint64_t lies[] = { 3, 1u << 20, UINT64_MAX / 8, UINT64_MAX / 8 + 1, UINT64_MAX };

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint64_t record[3] = { lies[i], 1, 2 };
		struct pl_dec dec = reader(record, sizeof(record));
		assert(pl_dec_u64s(&dec, UINT64_MAX).count == 0 && dec.failed);
		dec = reader(record, sizeof(record));
		assert(pl_dec_u64s(&dec, 2).count == 0 && dec.failed); /* over the limit */
	}
}

static void test_numbers_too_wide_are_refused(void)
{
	uint64_t record[1] = { 1ull << 32 };
	struct pl_dec dec = reader(record, sizeof(record));

	assert(pl_dec_u32(&dec) == 0 && dec.failed);
	dec = reader(record, sizeof(record));
	assert(pl_dec_i32(&dec) == 0 && dec.failed);
}

static void test_strings_without_their_nul_are_refused(void)
{
	uint64_t record[2] = { 4, 0 };
	struct pl_dec dec;

	memcpy(&record[1], "abcd", 4);
	dec = reader(record, sizeof(record));
	assert(!*pl_dec_string(&dec, 10) && dec.failed);
	memcpy(&record[1], "a\0b", 4); /* one inside */
	dec = reader(record, sizeof(record));
	assert(!*pl_dec_string(&dec, 10) && dec.failed);
	record[0] = 0;
	dec = reader(record, sizeof(record));
	assert(!*pl_dec_string(&dec, 10) && dec.failed);
}

static void test_bulk_outside_the_arena_is_refused(void)
{
	static uint8_t arena[4096];
	static const uint64_t ranges[][2] = {
		{ 4096, 1 }, { 4000, 97 }, { UINT64_MAX, 2 }, { 1, UINT64_MAX }, { 0, 4097 }
	};
	uint64_t good[3] = { PL_BULK_ARENA, 96, 4000 };
	struct pl_dec dec = reader(good, sizeof(good));

	dec.arena = arena;
	dec.arena_bytes = sizeof(arena);
	assert(pl_dec_bulk(&dec, UINT64_MAX).data == arena + 4000 && !dec.failed);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint64_t record[3] = { PL_BULK_ARENA, ranges[i][1], ranges[i][0] };
		dec = reader(record, sizeof(record));
		dec.arena = arena;
		dec.arena_bytes = sizeof(arena);
		assert(!pl_dec_bulk(&dec, UINT64_MAX).data && dec.failed);
	}
	dec = reader(good, sizeof(good)); /* no arena at all */
	assert(!pl_dec_bulk(&dec, UINT64_MAX).data && dec.failed);
}

static void test_bulk_of_unknown_kind_or_other_length_is_refused(void)
{
	uint64_t unknown[3] = { 17, 0, 0 }, stream[3] = { PL_BULK_STREAM, 10, 0 }, after[3] = { PL_BULK_AFTER, 10, 0 };
	struct pl_dec dec = reader(unknown, sizeof(unknown));

	pl_dec_bulk(&dec, UINT64_MAX);
	assert(dec.failed);
	dec = reader(stream, sizeof(stream)); /* nothing came ahead */
	pl_dec_bulk(&dec, UINT64_MAX);
	assert(dec.failed);
	dec = reader(after, sizeof(after));
	dec.after_bytes = 9;
	pl_dec_bulk(&dec, UINT64_MAX);
	assert(dec.failed);
}

static void test_floats_travel_bit_by_bit(void)
{
	static const uint32_t bits[] = { 0x80000000, 0x7fc00001, 0x7f800000, 1, 0x3f800000 };
	uint8_t room[8 * 5];
	struct pl_enc enc = { room };
	struct pl_dec dec = reader(room, sizeof(room));

	for (int i = 0; i < 5; i++) {
		float value;

		memcpy(&value, &bits[i], 4);
		pl_enc_f32(&enc, value);
	}
	for (int i = 0; i < 5; i++) {
		float value = pl_dec_f32(&dec);

		assert(!memcmp(&value, &bits[i], 4));
	}
	assert(pl_dec_whole(&dec));
	memset(room, 0xff, sizeof(room));
	dec = reader(room, 8);
	assert(pl_dec_f32(&dec) == 0 && dec.failed);
}

static void test_fixed_bytes_are_whole_or_zero(void)
{
	uint8_t room[16] = "0123456789abcde", out[12];
	struct pl_dec dec = reader(room, 16);

	pl_dec_raw(&dec, out, 12);
	assert(!memcmp(out, room, 12) && pl_dec_whole(&dec));
	dec = reader(room, 8);
	pl_dec_raw(&dec, out, 12);
	assert(dec.failed && !out[0] && !out[11]);
}

static void test_records_are_whole_and_not_too_many(void)
{
	uint64_t words[7] = { 6, 1, 2, 3, 4, 5, 6 };
	struct pl_dec dec = reader(words, sizeof(words));
	struct pl_u64s got = pl_dec_records(&dec, 3, 2);

	assert(got.count == 6 && got.at[5] == 6 && pl_dec_whole(&dec));
	dec = reader(words, sizeof(words));
	got = pl_dec_records(&dec, 3, 1);
	assert(dec.failed && !got.count);
	words[0] = 5;
	dec = reader(words, 48);
	got = pl_dec_records(&dec, 3, 2);
	assert(dec.failed && !got.count);
}

int main(void)
{
	test_floats_travel_bit_by_bit();
	test_fixed_bytes_are_whole_or_zero();
	test_records_are_whole_and_not_too_many();
	test_what_is_written_is_read();
	test_cut_record_fails_for_good();
	test_counts_that_lie_are_refused();
	test_numbers_too_wide_are_refused();
	test_strings_without_their_nul_are_refused();
	test_bulk_outside_the_arena_is_refused();
	test_bulk_of_unknown_kind_or_other_length_is_refused();
	puts("codec: 10 ok");
	return 0;
}
