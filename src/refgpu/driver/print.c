#include <stdbool.h>
#include <string.h>

#include "print.h"

#define SPEC_BYTES_MAX 64 /* of one conversion */

struct cursor {
	const struct pl_isa_printf_record *record;
	uint32_t arg;
};

static uint64_t arg_take(struct cursor *cursor)
{
	uint64_t value = 0;
	if (cursor->arg < cursor->record->arg_count)
		memcpy(&value, &cursor->record->args[cursor->arg++], sizeof(value));
	return value;
}

/* A text of the record, if its offset lies in it. */
static const char *text_at(const struct pl_isa_printf_record *record, uint64_t offset)
{
	if (offset >= record->bytes || !memchr((const char *)record + offset, 0, record->bytes - offset))
		return NULL;
	return (const char *)record + offset;
}

static void print_integer(FILE *to, const char *spec, char conversion, int longs, int shorts, uint64_t value)
{
	char full[SPEC_BYTES_MAX + 8];
	bool is_signed = conversion == 'd' || conversion == 'i';
	if (!longs)
		value = is_signed ? (uint64_t)(int64_t)(int32_t)value : (uint32_t)value;
	if (shorts == 1)
		value = is_signed ? (uint64_t)(int64_t)(int16_t)value : (uint16_t)value;
	if (shorts >= 2)
		value = is_signed ? (uint64_t)(int64_t)(int8_t)value : (uint8_t)value;
	snprintf(full, sizeof(full), "%sll%c", spec, conversion);
	fprintf(to, full, (unsigned long long)value);
}

/* `spec` is "%", flags, width and precision, without length. */
static void print_one(FILE *to, struct cursor *cursor, const char *spec, char conversion, int longs, int shorts)
{
	char full[SPEC_BYTES_MAX + 8];
	uint64_t value = arg_take(cursor);
	double real;
	const char *text;
	switch (conversion) {
	case 'd':
	case 'i':
	case 'u':
	case 'o':
	case 'x':
	case 'X':
		print_integer(to, spec, conversion, longs, shorts, value);
		return;
	case 'c':
		snprintf(full, sizeof(full), "%sc", spec);
		fprintf(to, full, (int)value);
		return;
	case 'p':
		snprintf(full, sizeof(full), "%sp", spec);
		fprintf(to, full, (void *)(uintptr_t)value);
		return;
	case 's':
		text = value ? text_at(cursor->record, value) : "(null)";
		snprintf(full, sizeof(full), "%ss", spec);
		fprintf(to, full, text ? text : "");
		return;
	default: /* a, A, e, E, f, F, g, G */
		memcpy(&real, &value, sizeof(real));
		snprintf(full, sizeof(full), "%s%c", spec, conversion);
		fprintf(to, full, real);
	}
}

/* Reads one conversion behind `%`; a `*` takes its number from the arguments.  Return: where the text goes on, or NULL
 * where it is none. */
static const char *print_conversion(FILE *to, struct cursor *cursor, const char *at)
{
	char spec[SPEC_BYTES_MAX] = "%";
	size_t len = 1;
	int longs = 0, shorts = 0;
	while (*at && strchr("-+ #0123456789.*", *at)) {
		char part[16] = { *at, 0 };
		if (*at == '*')
			snprintf(part, sizeof(part), "%d", (int)arg_take(cursor));
		if (len + strlen(part) + 1 > sizeof(spec))
			return NULL;
		len += (size_t)snprintf(spec + len, sizeof(spec) - len, "%s", part);
		at++;
	}
	for (; *at && strchr("hlLzjtq", *at); at++) {
		longs += *at != 'h';
		shorts += *at == 'h';
	}
	if (!*at || !strchr("diuoxXcpsaAeEfFgG", *at))
		return NULL;
	print_one(to, cursor, spec, *at, longs, shorts);
	return at + 1;
}

int pl_cu_print_record(FILE *to, const struct pl_isa_printf_record *record, size_t room_bytes)
{
	struct cursor cursor = { .record = record };
	const char *at;
	if (room_bytes < sizeof(*record) || record->bytes < sizeof(*record) || record->bytes > room_bytes ||
	    record->bytes % 8 || record->arg_count > (record->bytes - sizeof(*record)) / 8)
		return 0;
	at = text_at(record, record->format_offset);
	if (!at)
		return 0;
	while (*at) {
		const char *next;
		size_t plain = strcspn(at, "%");
		fwrite(at, 1, plain, to);
		at += plain;
		if (!*at)
			break;
		if (at[1] == '%') {
			fputc('%', to);
			at += 2;
			continue;
		}
		next = print_conversion(to, &cursor, at + 1);
		if (!next)
			fputc('%', to);
		at = next ? next : at + 1;
	}
	return 1;
}

void pl_cu_print(struct pl_isa_printf *buffer)
{
	const char *records = (const char *)(buffer + 1);
	uint64_t used = buffer->used, room = buffer->bytes - sizeof(*buffer);
	if (used > room)
		used = room;
	for (uint64_t at = 0; at + sizeof(struct pl_isa_printf_record) <= used;) {
		const struct pl_isa_printf_record *record = (const void *)(records + at);
		if (!pl_cu_print_record(stdout, record, used - at))
			break;
		at += record->bytes;
	}
	fflush(stdout);
	buffer->used = 0;
	buffer->dropped = 0;
}
