#include "pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define CHUNK_BYTES (256u << 10)
#define CHUNKS_KEPT 32u /* for the next compilation: what goes back to the system comes from it a page at a time */

struct pl_ptx_chunk {
	struct pl_ptx_chunk *next;
	char *end;
	uint64_t bytes, unused;
};

static struct {
	pthread_mutex_t lock;
	struct pl_ptx_chunk *first; /* under lock: of the usual size */
	uint32_t count;
} kept = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct pl_ptx_chunk *chunk_new(uint64_t bytes)
{
	struct pl_ptx_chunk *chunk = NULL;

	if (bytes == CHUNK_BYTES + sizeof(*chunk)) {
		pthread_mutex_lock(&kept.lock);
		chunk = kept.first;
		if (chunk) {
			kept.first = chunk->next;
			kept.count--;
		}
		pthread_mutex_unlock(&kept.lock);
	}
	return chunk ? chunk : malloc(bytes);
}

static void chunk_free(struct pl_ptx_chunk *chunk)
{
	bool keep = chunk->bytes == CHUNK_BYTES + sizeof(*chunk);

	if (keep) {
		pthread_mutex_lock(&kept.lock);
		keep = kept.count < CHUNKS_KEPT;
		if (keep) {
			chunk->next = kept.first;
			kept.first = chunk;
			kept.count++;
		}
		pthread_mutex_unlock(&kept.lock);
	}
	if (!keep)
		free(chunk);
}

void pl_ptx_pool_init(struct pl_ptx_pool *pool, uint64_t bytes_max, jmp_buf *leave)
{
	*pool = (struct pl_ptx_pool){ .bytes_max = bytes_max, .leave = leave };
}

void pl_ptx_pool_fini(struct pl_ptx_pool *pool)
{
	pl_ptx_pool_reset(pool, (struct pl_ptx_pool_mark){ 0 });
}

struct pl_ptx_pool_mark pl_ptx_pool_mark(const struct pl_ptx_pool *pool)
{
	return (struct pl_ptx_pool_mark){ pool->chunks, pool->at };
}

void pl_ptx_pool_reset(struct pl_ptx_pool *pool, struct pl_ptx_pool_mark mark)
{
	while (pool->chunks != mark.chunk) {
		struct pl_ptx_chunk *gone = pool->chunks;

		pool->chunks = gone->next;
		pool->bytes -= gone->bytes;
		chunk_free(gone);
	}
	pool->at = mark.at;
	pool->end = mark.chunk ? mark.chunk->end : mark.at;
}

void *pl_ptx_pool_slow(struct pl_ptx_pool *pool, size_t bytes)
{
	uint64_t want = bytes > CHUNK_BYTES / 4 ? (uint64_t)bytes + 64 : CHUNK_BYTES;
	struct pl_ptx_chunk *chunk;

	if (bytes > pool->bytes_max || pool->bytes + want > pool->bytes_max)
		longjmp(*pool->leave, PL_PTX_LEAVE_LIMIT);
	want += sizeof(*chunk);
	chunk = chunk_new(want);
	if (!chunk)
		longjmp(*pool->leave, PL_PTX_LEAVE_MEMORY);
	chunk->next = pool->chunks;
	chunk->end = (char *)chunk + want;
	chunk->bytes = want;
	pool->chunks = chunk;
	pool->bytes += want;
	pool->at = (char *)(((uintptr_t)chunk + sizeof(*chunk) + 15) & ~(uintptr_t)15);
	pool->end = chunk->end;
	return pl_ptx_alloc(pool, bytes);
}

void *pl_ptx_alloc_n(struct pl_ptx_pool *pool, uint64_t n, size_t each)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(n, (uint64_t)each, &bytes) || bytes > pool->bytes_max)
		longjmp(*pool->leave, PL_PTX_LEAVE_LIMIT);
	return pl_ptx_alloc(pool, bytes);
}

char *pl_ptx_strdup(struct pl_ptx_pool *pool, const char *text, size_t bytes)
{
	char *copy = pl_ptx_alloc(pool, bytes + 1);

	if (bytes)
		memcpy(copy, text, bytes);
	return copy;
}

void *pl_ptx_grown(struct pl_ptx_pool *pool, void *old, uint32_t *room, uint32_t want, size_t each)
{
	uint64_t more = *room ? (uint64_t)*room * 2 : 8;
	void *grown;

	if (more < want)
		more = want;
	if (more > UINT32_MAX / 2)
		longjmp(*pool->leave, PL_PTX_LEAVE_LIMIT);
	grown = pl_ptx_alloc_n(pool, more, each);
	if (*room)
		memcpy(grown, old, (size_t)*room * each);
	*room = (uint32_t)more;
	return grown;
}

static uint32_t hash_of(const char *text, size_t length)
{
	uint64_t hash = 0x9e3779b97f4a7c15ull ^ length;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	hash ^= hash >> 29;
	return (uint32_t)(hash ^ (hash >> 32));
}

static void names_rehash(struct pl_ptx_names *names)
{
	uint32_t mask = names->mask * 2 + 1;
	uint32_t *slots = pl_ptx_alloc_n(names->pool, (uint64_t)mask + 1, sizeof(*slots));

	for (uint32_t i = 0; i < names->n; i++) {
		uint32_t at = names->hashes[i] & mask;

		while (slots[at])
			at = (at + 1) & mask;
		slots[at] = i + 1;
	}
	names->slots = slots;
	names->mask = mask;
}

void pl_ptx_names_init(struct pl_ptx_names *names, struct pl_ptx_pool *pool)
{
	*names = (struct pl_ptx_names){ .pool = pool, .mask = 4095 };
	names->slots = pl_ptx_alloc_n(pool, names->mask + 1, sizeof(*names->slots));
}

static uint32_t name_add(struct pl_ptx_names *names, const char *text, size_t length, uint32_t hash)
{
	uint32_t room = names->room;

	if (names->n == room) {
		names->texts = pl_ptx_grown(names->pool, names->texts, &room, names->n + 1, sizeof(*names->texts));
		room = names->room;
		names->lengths =
			pl_ptx_grown(names->pool, names->lengths, &room, names->n + 1, sizeof(*names->lengths));
		room = names->room;
		names->hashes = pl_ptx_grown(names->pool, names->hashes, &room, names->n + 1, sizeof(*names->hashes));
		names->room = room;
	}
	names->texts[names->n] = pl_ptx_strdup(names->pool, text, length);
	names->lengths[names->n] = (uint32_t)length;
	names->hashes[names->n] = hash;
	return names->n++;
}

uint32_t pl_ptx_name(struct pl_ptx_names *names, const char *text, size_t length)
{
	uint32_t hash = hash_of(text, length), at = hash & names->mask;

	for (; names->slots[at]; at = (at + 1) & names->mask) {
		uint32_t i = names->slots[at] - 1;

		if (names->hashes[i] == hash && names->lengths[i] == length && !memcmp(names->texts[i], text, length))
			return i;
	}
	names->slots[at] = names->n + 1;
	(void)name_add(names, text, length, hash);
	if (names->n * 2 > names->mask)
		names_rehash(names);
	return names->n - 1;
}
