/*
 * Disjoint ranges of numbers, each with something attached; and on top of it an allocator of space.
 * No lock: the owner has one.
 */
#ifndef PL_CUDA_RANGES_H
#define PL_CUDA_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_cuda_range {
	uint64_t start, size;
	void *value;
};

struct pl_cuda_ranges { /* zero is empty */
	struct pl_cuda_range *range;
	size_t n, room;
};

void pl_cuda_ranges_fini(struct pl_cuda_ranges *ranges);

/* The range that holds `at`; NULL = none.  Valid until the next change. */
struct pl_cuda_range *pl_cuda_ranges_find(const struct pl_cuda_ranges *ranges, uint64_t at);

/* The range with the lowest end above `at`, which may begin after it; NULL = none. */
struct pl_cuda_range *pl_cuda_ranges_next(const struct pl_cuda_ranges *ranges, uint64_t at);

/* Return: 0, -EEXIST where it overlaps, -EINVAL for nothing or past the end of numbers, or -ENOMEM. */
int pl_cuda_ranges_insert(struct pl_cuda_ranges *ranges, uint64_t start, uint64_t size, void *value);

void pl_cuda_ranges_remove(struct pl_cuda_ranges *ranges, struct pl_cuda_range *range);

/* Space to hand out: the ranges are what is free, neighbours grown together. */
struct pl_cuda_space { /* zero is empty */
	struct pl_cuda_ranges ranges;
	uint64_t free_bytes, largest_hint; /* no free range is larger than the hint */
};

void pl_cuda_space_fini(struct pl_cuda_space *space);

/* Gives space; what is free already must not be given.  Return: 0 or -ENOMEM, and then the space is lost. */
int pl_cuda_space_give(struct pl_cuda_space *space, uint64_t start, uint64_t size);

/* Takes the first fit; `align` is a power of two.  Return: 0, or -ENOSPC, which is not logged. */
int pl_cuda_space_take(struct pl_cuda_space *space, uint64_t size, uint64_t align, uint64_t *start_out);

/* Takes from the largest free range, up to `size`; both are multiples of `align`.  Return: 0 or -ENOSPC. */
int pl_cuda_space_take_some(struct pl_cuda_space *space, uint64_t size, uint64_t align, uint64_t *start_out,
			  uint64_t *size_out);

/* Takes exactly this.  Return: 0 or -ENOSPC where not all of it is free. */
int pl_cuda_space_take_at(struct pl_cuda_space *space, uint64_t start, uint64_t size);

#endif
