/*
 * Memory of one compilation: bump allocation that is freed at once, growing arrays in it, and names as small numbers.
 * Running out of memory or over the limit leaves through the pool's jump buffer, so callers check nothing.
 */
#ifndef PL_REFGPU_PTX_POOL_H
#define PL_REFGPU_PTX_POOL_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PL_PTX_POOL_BYTES_MAX (6ull << 30) /* limit: bounds what one compilation takes */

enum { PL_PTX_LEAVE_MEMORY = 1, PL_PTX_LEAVE_LIMIT, PL_PTX_LEAVE_ERRORS };

struct pl_ptx_chunk;

struct pl_ptx_pool {
	struct pl_ptx_chunk *chunks;
	char *at, *end;
	uint64_t bytes, bytes_max;
	jmp_buf *leave; /* longjmp(*leave, PL_PTX_LEAVE_*) */
};

struct pl_ptx_names {
	struct pl_ptx_pool *pool;
	const char **texts; /* by number */
	uint32_t *lengths;
	uint32_t *slots; /* open addressing; number + 1 */
	uint32_t *hashes;
	uint32_t n, room, mask;
};

void pl_ptx_pool_init(struct pl_ptx_pool *pool, uint64_t bytes_max, jmp_buf *leave);
void pl_ptx_pool_fini(struct pl_ptx_pool *pool);
/* Everything that was allocated since the mark is given back. */
struct pl_ptx_pool_mark {
	struct pl_ptx_chunk *chunk;
	char *at;
};
struct pl_ptx_pool_mark pl_ptx_pool_mark(const struct pl_ptx_pool *pool);
void pl_ptx_pool_reset(struct pl_ptx_pool *pool, struct pl_ptx_pool_mark mark);

void *pl_ptx_pool_slow(struct pl_ptx_pool *pool, size_t bytes);

/* Zeroed, aligned to 16. */
static inline void *pl_ptx_alloc(struct pl_ptx_pool *pool, size_t bytes)
{
	size_t take = (bytes + 15) & ~(size_t)15;
	void *at = pool->at;

	if (take < bytes || take > (size_t)(pool->end - pool->at))
		return pl_ptx_pool_slow(pool, bytes);
	pool->at += take;
	return memset(at, 0, take);
}

void *pl_ptx_alloc_n(struct pl_ptx_pool *pool, uint64_t n, size_t each); /* checks the product */
char *pl_ptx_strdup(struct pl_ptx_pool *pool, const char *text, size_t bytes);
void *pl_ptx_grown(struct pl_ptx_pool *pool, void *old, uint32_t *room, uint32_t want, size_t each);

/* Room for one more element at the end of `array`; n is counted up.  Gives its address. */
#define pl_ptx_push(pool, array, n, room)                                                                              \
	(__extension__({                                                                                               \
		if ((n) == (room))                                                                                     \
			(array) = pl_ptx_grown((pool), (array), &(room), (n) + 1, sizeof(*(array)));                   \
		&(array)[(n)++];                                                                                       \
	}))

void pl_ptx_names_init(struct pl_ptx_names *names, struct pl_ptx_pool *pool);
uint32_t pl_ptx_name(struct pl_ptx_names *names, const char *text, size_t length);

static inline const char *pl_ptx_name_text(const struct pl_ptx_names *names, uint32_t name)
{
	return names->texts[name];
}

#endif
