#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/ranges.h"

void pl_cuda_ranges_fini(struct pl_cuda_ranges *ranges)
{
	free(ranges->range);
	*ranges = (struct pl_cuda_ranges){ 0 };
}

/* The index of the first range that ends above `at`. */
static size_t lower(const struct pl_cuda_ranges *ranges, uint64_t at)
{
	size_t low = 0, high = ranges->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct pl_cuda_range *range = &ranges->range[middle];
		if (range->start + (range->size - 1) < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct pl_cuda_range *pl_cuda_ranges_next(const struct pl_cuda_ranges *ranges, uint64_t at)
{
	size_t i = lower(ranges, at);
	return i < ranges->n ? &ranges->range[i] : NULL;
}

struct pl_cuda_range *pl_cuda_ranges_find(const struct pl_cuda_ranges *ranges, uint64_t at)
{
	struct pl_cuda_range *range = pl_cuda_ranges_next(ranges, at);
	return range && range->start <= at ? range : NULL;
}

int pl_cuda_ranges_insert(struct pl_cuda_ranges *ranges, uint64_t start, uint64_t size, void *value)
{
	size_t i;
	if (!size || start + (size - 1) < start)
		return -EINVAL;
	i = lower(ranges, start);
	if (i < ranges->n && ranges->range[i].start <= start + (size - 1))
		return -EEXIST;
	if (ranges->n == ranges->room) {
		size_t room = ranges->room ? 2 * ranges->room : 16;
		struct pl_cuda_range *more = realloc(ranges->range, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		ranges->range = more;
		ranges->room = room;
	}
	memmove(&ranges->range[i + 1], &ranges->range[i], (ranges->n - i) * sizeof(*ranges->range));
	ranges->range[i] = (struct pl_cuda_range){ .start = start, .size = size, .value = value };
	ranges->n++;
	return 0;
}

void pl_cuda_ranges_remove(struct pl_cuda_ranges *ranges, struct pl_cuda_range *range)
{
	size_t i = (size_t)(range - ranges->range);
	assert(i < ranges->n);
	memmove(range, range + 1, (ranges->n - i - 1) * sizeof(*range));
	ranges->n--;
}

void pl_cuda_space_fini(struct pl_cuda_space *space)
{
	pl_cuda_ranges_fini(&space->ranges);
	*space = (struct pl_cuda_space){ 0 };
}

int pl_cuda_space_give(struct pl_cuda_space *space, uint64_t start, uint64_t size)
{
	struct pl_cuda_range *before = start ? pl_cuda_ranges_find(&space->ranges, start - 1) : NULL;
	struct pl_cuda_range *after = pl_cuda_ranges_find(&space->ranges, start + size);
	uint64_t whole = size;
	int r = 0;

	assert(!pl_cuda_ranges_find(&space->ranges, start));
	if (before) {
		before->size += size;
		if (after) {
			before->size += after->size;
			pl_cuda_ranges_remove(&space->ranges, after);
		}
		whole = before->size;
	} else if (after) {
		after->start = start;
		after->size += size;
		whole = after->size;
	} else {
		r = pl_cuda_ranges_insert(&space->ranges, start, size, NULL);
	}
	if (r)
		return r;
	space->free_bytes += size;
	if (whole > space->largest_hint)
		space->largest_hint = whole;
	return 0;
}

/* Cuts [start, start + size) out of a free range.  What is cut in the middle needs one range more. */
static int cut(struct pl_cuda_space *space, struct pl_cuda_range *range, uint64_t start, uint64_t size)
{
	uint64_t head = start - range->start, tail = range->size - head - size;
	if (head && tail) {
		uint64_t whole = range->size;
		range->size = head;
		if (pl_cuda_ranges_insert(&space->ranges, start + size, tail, NULL)) {
			range->size = whole;
			return -ENOSPC;
		}
	} else if (head) {
		range->size = head;
	} else if (tail) {
		range->start = start + size;
		range->size = tail;
	} else {
		pl_cuda_ranges_remove(&space->ranges, range);
	}
	space->free_bytes -= size;
	return 0;
}

int pl_cuda_space_take(struct pl_cuda_space *space, uint64_t size, uint64_t align, uint64_t *start_out)
{
	uint64_t largest = 0;
	if (!size || size > space->largest_hint)
		return -ENOSPC;
	for (size_t i = 0; i < space->ranges.n; i++) {
		struct pl_cuda_range *range = &space->ranges.range[i];
		uint64_t start = (range->start + align - 1) & ~(align - 1);
		if (range->size > largest)
			largest = range->size;
		if (start < range->start || start - range->start >= range->size ||
		    range->size - (start - range->start) < size)
			continue;
		*start_out = start;
		return cut(space, range, start, size);
	}
	space->largest_hint = largest;
	return -ENOSPC;
}

int pl_cuda_space_take_some(struct pl_cuda_space *space, uint64_t size, uint64_t align, uint64_t *start_out,
			  uint64_t *size_out)
{
	struct pl_cuda_range *best = NULL;
	uint64_t best_start = 0, best_size = 0;
	for (size_t i = 0; i < space->ranges.n; i++) {
		struct pl_cuda_range *range = &space->ranges.range[i];
		uint64_t start = (range->start + align - 1) & ~(align - 1);
		uint64_t room;
		if (start < range->start || start - range->start >= range->size)
			continue;
		room = (range->size - (start - range->start)) & ~(align - 1);
		if (room > best_size) {
			best = range;
			best_start = start;
			best_size = room;
		}
	}
	if (!best)
		return -ENOSPC;
	if (best_size > size)
		best_size = size;
	*start_out = best_start;
	*size_out = best_size;
	return cut(space, best, best_start, best_size);
}

int pl_cuda_space_take_at(struct pl_cuda_space *space, uint64_t start, uint64_t size)
{
	struct pl_cuda_range *range = pl_cuda_ranges_find(&space->ranges, start);
	if (!size || !range || range->size - (start - range->start) < size)
		return -ENOSPC;
	return cut(space, range, start, size);
}
