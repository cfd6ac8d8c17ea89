/* Lines and slices of the program's memory, which travel packed: one line behind the other. */
#ifndef PL_CLIENT_CUDA_LINES_H
#define PL_CLIENT_CUDA_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_cuda_lines {
	uint8_t *at;
	size_t columns, lines, slices; /* bytes of a line, lines of a slice, slices; none is 0 */
	size_t pitch, slice;           /* bytes from one to the next */
};

/* One end as the API describes it; columns, lines and slices are set.  A pitch or height of 0 stands for as much as is
 * copied.  Return: false: no address, a pitch that does not hold a line, a height that does not hold a slice, or more
 * than there are addresses. */
bool pl_cuda_lines_of(struct pl_cuda_lines *lines, const void *base, size_t x, size_t y, size_t z, size_t pitch,
		      size_t height);

/* They lie packed as they are. */
bool pl_cuda_lines_packed(const struct pl_cuda_lines *lines);
uint64_t pl_cuda_lines_bytes(const struct pl_cuda_lines *lines);
/* Bytes from the first to the last, with what lies between. */
uint64_t pl_cuda_lines_span(const struct pl_cuda_lines *lines);

/* Bytes `offset` to `offset + bytes` of them packed; the caller keeps within pl_cuda_lines_bytes(). */
void pl_cuda_lines_read(const struct pl_cuda_lines *lines, uint64_t offset, void *to, uint64_t bytes);
void pl_cuda_lines_write(const struct pl_cuda_lines *lines, uint64_t offset, const void *from, uint64_t bytes);

/* Both have the same extents, and may overlap. */
void pl_cuda_lines_copy(const struct pl_cuda_lines *to, const struct pl_cuda_lines *from);

#endif
