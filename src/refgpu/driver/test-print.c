#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/driver/print.h"

struct record {
	_Alignas(8) uint8_t at[1024];
	uint32_t bytes, args;
};

static void record_begin(struct record *record, uint32_t args)
{
	memset(record, 0, sizeof(*record));
	record->bytes = (uint32_t)(sizeof(struct pl_isa_printf_record) + 8 * args);
	((struct pl_isa_printf_record *)record->at)->arg_count = args;
}

static uint32_t record_text(struct record *record, const char *text)
{
	uint32_t at = record->bytes;
	strcpy((char *)record->at + at, text);
	record->bytes += (uint32_t)strlen(text) + 1;
	return at;
}

static void record_arg(struct record *record, uint64_t value)
{
	memcpy(record->at + sizeof(struct pl_isa_printf_record) + 8 * record->args++, &value, 8);
}

static void record_end(struct record *record, uint32_t format)
{
	struct pl_isa_printf_record *head = (struct pl_isa_printf_record *)record->at;
	record->bytes = (record->bytes + 7) & ~7u;
	head->bytes = record->bytes;
	head->format_offset = format;
}

static int printed(const struct record *record, size_t room, char *out, size_t out_bytes)
{
	FILE *to = fmemopen(out, out_bytes, "w");
	int r = pl_cu_print_record(to, (const struct pl_isa_printf_record *)record->at, room);
	fclose(to);
	return r;
}

static uint64_t bits(double value)
{
	uint64_t as;
	memcpy(&as, &value, 8);
	return as;
}

static void test_a_record_prints_as_c_does(void)
{
	struct record record;
	char out[256] = "";
	uint32_t format;
	record_begin(&record, 7);
	record_arg(&record, (uint64_t)(int64_t)-7);
	record_arg(&record, 0xffffffffull);
	record_arg(&record, bits(1.5));
	record_arg(&record, record_text(&record, "text"));
	record_arg(&record, 12);
	record_arg(&record, 3);
	record_arg(&record, UINT64_MAX);
	format = record_text(&record, "%d %u %.2f [%6s] %% %*d %llu");
	record_end(&record, format);
	assert(printed(&record, record.bytes, out, sizeof(out)));
	assert(!strcmp(out, "-7 4294967295 1.50 [  text] %            3 18446744073709551615"));
}

static void test_short_lengths_cut_their_value(void)
{
	struct record record;
	char out[256] = "";
	uint32_t format;
	record_begin(&record, 4);
	record_arg(&record, 0x12345);
	record_arg(&record, 0x1ff);
	record_arg(&record, 'c');
	record_arg(&record, 0x1000);
	format = record_text(&record, "%hx %hhd %c %p");
	record_end(&record, format);
	assert(printed(&record, record.bytes, out, sizeof(out)));
	assert(!strcmp(out, "2345 -1 c 0x1000"));
}

static void test_what_is_no_conversion_is_printed_as_it_is(void)
{
	struct record record;
	char out[256] = "";
	uint32_t format;
	record_begin(&record, 0);
	format = record_text(&record, "100% %n %k %");
	record_end(&record, format);
	assert(printed(&record, record.bytes, out, sizeof(out)));
	assert(!strcmp(out, "100% %n %k %"));
}

/* The memory is a kernel's: anything can stand there. */
static void test_broken_records_print_nothing(void)
{
	struct record record;
	struct pl_isa_printf_record *head = (struct pl_isa_printf_record *)record.at;
	char out[256] = "";
	uint32_t format;
	record_begin(&record, 1);
	record_arg(&record, 5);
	format = record_text(&record, "%s");
	record_end(&record, format);
	assert(!printed(&record, record.bytes - 1, out, sizeof(out)));
	head->bytes = 0;
	assert(!printed(&record, sizeof(record.at), out, sizeof(out)));
	head->bytes = record.bytes;
	head->arg_count = UINT32_MAX;
	assert(!printed(&record, record.bytes, out, sizeof(out)));
	head->arg_count = 1;
	head->format_offset = record.bytes;
	assert(!printed(&record, record.bytes, out, sizeof(out)));
	head->format_offset = format;
	memset(record.at + format, 'x', record.bytes - format);
	assert(!printed(&record, record.bytes, out, sizeof(out)));
}

static void test_a_text_outside_of_its_record_is_left_out(void)
{
	struct record record;
	char out[256] = "";
	uint32_t format;
	record_begin(&record, 2);
	record_arg(&record, 1ull << 40);
	record_arg(&record, 0);
	format = record_text(&record, "[%s][%s]");
	record_end(&record, format);
	assert(printed(&record, record.bytes, out, sizeof(out)));
	assert(!strcmp(out, "[][(null)]"));
}

static void test_random_bytes_do_no_harm(void)
{
	char *out = malloc(1 << 20);
	srand(3);
	for (int i = 0; i < 20000; i++) {
		struct record record;
		uint32_t format;
		record_begin(&record, 4);
		for (int k = 0; k < 4; k++)
			record_arg(&record, (uint64_t)rand() << (rand() % 34));
		format = record.bytes;
		for (int k = 0; k < 40; k++)
			record.at[record.bytes++] = (uint8_t) "%%%%dsxcpfl.*h-+0123 9zq"[rand() % 24];
		record.bytes++;
		for (uint32_t k = format; k < record.bytes;
		     k++) /* widths of gigabytes are the application's own affair */
			if (record.at[k] >= '1' && record.at[k] <= '9' && rand() % 4)
				record.at[k] = ' ';
		for (uint32_t k = format; k + 2 < record.bytes; k++)
			if (record.at[k] == '*')
				record.at[k] = ' ';
		for (uint32_t k = format; k + 5 < record.bytes; k += 5)
			record.at[k] = 'd';
		record_end(&record, format);
		(void)printed(&record, record.bytes, out, 1 << 20);
	}
	free(out);
}

int main(void)
{
	test_a_record_prints_as_c_does();
	test_short_lengths_cut_their_value();
	test_what_is_no_conversion_is_printed_as_it_is();
	test_broken_records_print_nothing();
	test_a_text_outside_of_its_record_is_left_out();
	test_random_bytes_do_no_harm();
	return 0;
}
