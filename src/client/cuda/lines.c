#include "client/cuda/lines.h"

#include <string.h>

/* Whether an address can count what lies from the base to behind the last byte; the parts were looked at alone. */
static bool span_fits(const struct pl_cuda_lines *lines, const void *base, size_t x, size_t y, size_t z)
{
	uint64_t to_slice, to_line, end;

	if (!lines->columns || !lines->lines || !lines->slices)
		return true;
	return !__builtin_mul_overflow(z + lines->slices - 1, lines->slice, &to_slice) &&
	       !__builtin_mul_overflow(y + lines->lines - 1, lines->pitch, &to_line) &&
	       !__builtin_add_overflow(to_slice, to_line, &end) &&
	       !__builtin_add_overflow(end, x + lines->columns, &end) &&
	       !__builtin_add_overflow(end, (uint64_t)(uintptr_t)base, &end);
}

bool pl_cuda_lines_of(struct pl_cuda_lines *lines, const void *base, size_t x, size_t y, size_t z, size_t pitch,
		      size_t height)
{
	uint64_t whole;

	if (!base || __builtin_add_overflow(x, lines->columns, &whole) ||
	    (pitch && pitch < whole && (lines->lines > 1 || lines->slices > 1)))
		return false;
	lines->pitch = pitch ? pitch : whole;
	if (__builtin_add_overflow(y, lines->lines, &whole) || (height && height < whole && lines->slices > 1) ||
	    __builtin_mul_overflow(lines->pitch, height ? height : whole, &lines->slice) ||
	    __builtin_add_overflow(z, lines->slices, &whole) || !span_fits(lines, base, x, y, z))
		return false;
	lines->at = (uint8_t *)(uintptr_t)base + z * lines->slice + y * lines->pitch + x;
	return true;
}

bool pl_cuda_lines_packed(const struct pl_cuda_lines *lines)
{
	return (lines->lines == 1 || lines->pitch == lines->columns) &&
	       (lines->slices == 1 || lines->slice == lines->columns * lines->lines);
}

uint64_t pl_cuda_lines_bytes(const struct pl_cuda_lines *lines)
{
	return (uint64_t)lines->columns * lines->lines * lines->slices;
}

uint64_t pl_cuda_lines_span(const struct pl_cuda_lines *lines)
{
	return (lines->slices - 1) * lines->slice + (lines->lines - 1) * lines->pitch + lines->columns;
}

/* The place of a packed offset, and how many bytes of its line are left. */
static uint8_t *place(const struct pl_cuda_lines *lines, uint64_t offset, uint64_t *left_out)
{
	uint64_t line = offset / lines->columns, column = offset % lines->columns;

	*left_out = lines->columns - column;
	return lines->at + line / lines->lines * lines->slice + line % lines->lines * lines->pitch + column;
}

void pl_cuda_lines_read(const struct pl_cuda_lines *lines, uint64_t offset, void *to, uint64_t bytes)
{
	uint8_t *at = to;

	if (pl_cuda_lines_packed(lines)) {
		memcpy(to, lines->at + offset, bytes);
		return;
	}
	while (bytes) {
		uint64_t part;
		const uint8_t *from = place(lines, offset, &part);

		if (part > bytes)
			part = bytes;
		memcpy(at, from, part);
		at += part;
		offset += part;
		bytes -= part;
	}
}

void pl_cuda_lines_write(const struct pl_cuda_lines *lines, uint64_t offset, const void *from, uint64_t bytes)
{
	const uint8_t *at = from;

	if (pl_cuda_lines_packed(lines)) {
		memcpy(lines->at + offset, from, bytes);
		return;
	}
	while (bytes) {
		uint64_t part;
		uint8_t *to = place(lines, offset, &part);

		if (part > bytes)
			part = bytes;
		memcpy(to, at, part);
		at += part;
		offset += part;
		bytes -= part;
	}
}

void pl_cuda_lines_copy(const struct pl_cuda_lines *to, const struct pl_cuda_lines *from)
{
	for (size_t z = 0; z < to->slices; z++)
		for (size_t y = 0; y < to->lines; y++)
			memmove(to->at + z * to->slice + y * to->pitch, from->at + z * from->slice + y * from->pitch,
				to->columns);
}
