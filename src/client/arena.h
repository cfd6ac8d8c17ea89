/*
 * The client's half of a session's arena: memory that client and worker both map, cut into extents by the client
 * alone.  The server only checks that a range lies inside.  An extent that commands may still use when it is freed is
 * kept back until the session knows that they have ended (`fence`, see pl_arena_free()).
 */
#ifndef PL_CLIENT_ARENA_H
#define PL_CLIENT_ARENA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PL_ARENA_GRAIN_BYTES 4096u
#define PL_ARENA_NONE        UINT64_MAX
#define PL_ARENA_HUGE_BYTES  (2u << 20)

struct pl_extent;

struct pl_arena {
	uint8_t *base; /* NULL = none */
	uint64_t bytes;
	int fd;
	uint64_t start;                   /* where it lies in fd's file: not 0 where that is a region of ivshmem */
	bool same_address;                /* the worker has it at the same address: shared virtual memory is possible */
	pthread_mutex_t lock;             /* all below */
	struct pl_extent *free_by_offset; /* sorted, coalesced */
	struct pl_extent *held;           /* freed, but commands may still use them; oldest first */
	struct pl_extent *held_last;
	uint64_t used_bytes, held_bytes; /* used: held ones not counted */
	uint64_t top_bytes;              /* nothing above was ever used */
	uint8_t *huge;                   /* a bit for each PL_ARENA_HUGE_BYTES that are one page now; NULL: none is */
	bool huge_never;                 /* the system makes none */
};

/* Takes over fd, a sealed file of `bytes`.  base_wanted: the worker's address, tried first.  Return: 0 or fatal -errno.
 */
int pl_arena_init(struct pl_arena *arena, int fd, uint64_t bytes, uint64_t base_wanted);
/* As well, of a region that can not be sealed and has other things in front and behind: the caller has checked that. */
int pl_arena_init_part(struct pl_arena *arena, int fd, uint64_t start, uint64_t bytes, uint64_t base_wanted);
void pl_arena_fini(struct pl_arena *arena);

/* Return: offset of `bytes` (rounded up to the grain), or PL_ARENA_NONE when there is no room. */
uint64_t pl_arena_alloc(struct pl_arena *arena, uint64_t bytes);
/* As well, at a multiple of `align` in the arena, a power of two. */
uint64_t pl_arena_alloc_aligned(struct pl_arena *arena, uint64_t bytes, uint64_t align);

/** pl_arena_huge() - makes huge pages of an extent that nobody uses yet, for both sides
 * @offset, @bytes: multiples of PL_ARENA_HUGE_BYTES.  What lies there is undefined afterwards.
 * Return: all of it lies in huge pages. */
bool pl_arena_huge(struct pl_arena *arena, uint64_t offset, uint64_t bytes);

/** pl_arena_free() - gives an extent back
 * @fence: the extent is used again once pl_arena_passed() was told a fence >= this one; 0 = at once */
void pl_arena_free(struct pl_arena *arena, uint64_t offset, uint64_t bytes, uint64_t fence);
void pl_arena_passed(struct pl_arena *arena, uint64_t fence);
/* As well, if `idle`: asked while nobody can free an extent, so it knows of all commands that use those held so far. */
void pl_arena_passed_if(struct pl_arena *arena, uint64_t fence, bool (*idle)(void *arg), void *arg);
/* Bytes that wait for a fence. */
uint64_t pl_arena_held(struct pl_arena *arena);

#endif
