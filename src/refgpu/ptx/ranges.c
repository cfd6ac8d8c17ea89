/* Ranges of positions: whether they meet, and both as one. */
#include "ranges.h"

/* The first segment that ends behind `position`. */
static uint32_t range_find(const struct pl_ptx_range *x, uint32_t position)
{
	uint32_t low = 0, high = x->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (x->at[mid].to <= position)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool pl_ptx_ranges_meet(struct pl_ptx_build *b, const struct pl_ptx_range *x, const struct pl_ptx_range *y)
{
	uint32_t i, k = 0;

	if (!x->n || !y->n)
		return false;
	i = range_find(x, y->at[0].from);
	if (i < x->n)
		k = range_find(y, x->at[i].from);
	pl_ptx_work(b, 4);
	while (i < x->n && k < y->n) {
		b->work++;
		if (x->at[i].to <= y->at[k].from)
			i++;
		else if (y->at[k].to <= x->at[i].from)
			k++;
		else
			return true;
	}
	return false;
}

static void insert(struct pl_ptx_build *b, struct pl_ptx_range *x, struct pl_ptx_segment new)
{
	uint32_t at = range_find(x, new.from);

	if (at && x->at[at - 1].to == new.from) {
		x->at[at - 1].to = new.to;
		return;
	}
	pl_ptx_work(b, 4 + (x->n - at) / 16);
	(void)pl_ptx_push(b->pool, x->at, x->n, x->room);
	memmove(x->at + at + 1, x->at + at, (x->n - 1 - at) * sizeof(*x->at));
	x->at[at] = new;
}

/* A few segments more, where the range may grow in place. */
static bool inserted(struct pl_ptx_build *b, struct pl_ptx_range *x, const struct pl_ptx_range *y)
{
	if (!x->own || y->n > 8 || y->n > x->n)
		return false;
	for (uint32_t k = 0; k < y->n; k++)
		insert(b, x, y->at[k]);
	return true;
}

struct pl_ptx_range pl_ptx_ranges_merge(struct pl_ptx_build *b, const struct pl_ptx_range *x,
					const struct pl_ptx_range *y)
{
	struct pl_ptx_range range = { .own = true };
	uint32_t i = 0, k = 0;

	if (!x->n || !y->n)
		return x->n ? *x : *y;
	range = *x;
	if (inserted(b, &range, y))
		return range;
	range = *y;
	if (inserted(b, &range, x))
		return range;
	pl_ptx_work(b, x->n + y->n);
	range = (struct pl_ptx_range){ .room = (x->n + y->n) * 3 / 2, .own = true };
	range.at = pl_ptx_alloc_n(b->pool, range.room, sizeof(*range.at));
	while (i < x->n || k < y->n) {
		struct pl_ptx_segment next;

		if (k == y->n || (i < x->n && x->at[i].from < y->at[k].from))
			next = x->at[i++];
		else
			next = y->at[k++];
		if (range.n && range.at[range.n - 1].to == next.from)
			range.at[range.n - 1].to = next.to;
		else
			range.at[range.n++] = next;
	}
	return range;
}
