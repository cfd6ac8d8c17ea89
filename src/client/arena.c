#include "client/arena.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

/* Free memory that is kept for reuse, as touching new pages is slow; above this, freed pages go back to the system. */
#define KEEP_BYTES (256ull << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

struct pl_extent {
	uint64_t offset, bytes;
	uint64_t fence;
	struct pl_extent *next;
};

int pl_arena_init(struct pl_arena *arena, int fd, uint64_t bytes, uint64_t base_wanted)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	*arena = (struct pl_arena){ .fd = -1 };
	if (fstat(fd, &st) < 0 || st.st_size < 0 || (uint64_t)st.st_size != bytes || seals < 0 ||
	    !(seals & F_SEAL_SHRINK)) {
		close(fd);
		return pl_err(-EPROTO);
	}
	return pl_trace(pl_arena_init_part(arena, fd, 0, bytes, base_wanted));
}

int pl_arena_init_part(struct pl_arena *arena, int fd, uint64_t start, uint64_t bytes, uint64_t base_wanted)
{
	pl_cleanup(pl_closep) int owned = fd;
	void *base;

	*arena = (struct pl_arena){ .fd = -1 };
	/* A hint only: where the place is taken, the kernel chooses another. */
	base = mmap((void *)(uintptr_t)base_wanted, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		    (off_t)start);
	if (base == MAP_FAILED)
		return pl_err(-errno);
	arena->base = base;
	arena->bytes = bytes;
	arena->start = start;
	arena->same_address = (uintptr_t)base == base_wanted;
	arena->fd = pl_steal_fd(&owned);
	pthread_mutex_init(&arena->lock, NULL);
	return 0;
}

static void extents_free(struct pl_extent *extent)
{
	while (extent) {
		struct pl_extent *next = extent->next;
		free(extent);
		extent = next;
	}
}

void pl_arena_fini(struct pl_arena *arena)
{
	if (!arena->base)
		return;
	extents_free(arena->free_by_offset);
	extents_free(arena->held);
	free(arena->huge);
	munmap(arena->base, arena->bytes);
	close(arena->fd);
	pthread_mutex_destroy(&arena->lock);
	*arena = (struct pl_arena){ .fd = -1 };
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + PL_ARENA_GRAIN_BYTES - 1) & ~(uint64_t)(PL_ARENA_GRAIN_BYTES - 1);
}

/* Called with the lock held. */
static uint64_t alloc_from_free(struct pl_arena *arena, uint64_t bytes)
{
	for (struct pl_extent **link = &arena->free_by_offset; *link; link = &(*link)->next) {
		struct pl_extent *extent = *link;
		uint64_t offset = extent->offset;

		if (extent->bytes < bytes)
			continue;
		extent->offset += bytes;
		extent->bytes -= bytes;
		if (!extent->bytes) {
			*link = extent->next;
			free(extent);
		}
		return offset;
	}
	return PL_ARENA_NONE;
}

uint64_t pl_arena_alloc(struct pl_arena *arena, uint64_t bytes)
{
	uint64_t offset;

	if (!arena->base || !bytes || bytes > arena->bytes)
		return PL_ARENA_NONE;
	bytes = round_up(bytes);
	pthread_mutex_lock(&arena->lock);
	offset = alloc_from_free(arena, bytes);
	if (offset == PL_ARENA_NONE && bytes <= arena->bytes - arena->top_bytes) {
		offset = arena->top_bytes;
		arena->top_bytes += bytes;
	}
	if (offset != PL_ARENA_NONE)
		arena->used_bytes += bytes;
	pthread_mutex_unlock(&arena->lock);
	return offset;
}

/* ---- huge pages ---- */

static bool is_huge(const struct pl_arena *arena, uint64_t block)
{
	return arena->huge[block / 8] & 1u << block % 8;
}

/* Shared memory gets none by itself where the system says so (shmem_enabled), but on demand.  The first page of each
 * has to be there; the others need not be touched one by one.  All in one call: the kernel's preparations are for all.
 * Called with the lock held. */
static bool blocks_collapse(struct pl_arena *arena, uint64_t first, uint64_t blocks)
{
	uint8_t *at = arena->base + first * PL_ARENA_HUGE_BYTES;

	for (uint64_t i = 0; i < blocks; i++)
		*(volatile uint8_t *)(at + i * PL_ARENA_HUGE_BYTES) = 0;
	if (madvise(at, blocks * PL_ARENA_HUGE_BYTES, MADV_COLLAPSE)) {
		pl_log_debug("no huge pages in shared memory: %s", strerrordesc_np(errno));
		arena->huge_never = errno == EINVAL || errno == ENOSYS;
		return false;
	}
	for (uint64_t block = first; block < first + blocks; block++)
		arena->huge[block / 8] |= (uint8_t)(1u << block % 8);
	return true;
}

bool pl_arena_huge(struct pl_arena *arena, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset / PL_ARENA_HUGE_BYTES, end = first + bytes / PL_ARENA_HUGE_BYTES, run;
	bool all;

	if (!arena->base || ((uintptr_t)arena->base | arena->start) % PL_ARENA_HUGE_BYTES)
		return false;
	pthread_mutex_lock(&arena->lock);
	if (!arena->huge)
		arena->huge = calloc(arena->bytes / PL_ARENA_HUGE_BYTES / 8 + 1, 1);
	all = arena->huge && !arena->huge_never;
	for (uint64_t block = first; all && block < end; block += run) {
		for (run = 1; block + run < end && is_huge(arena, block + run) == is_huge(arena, block);)
			run++;
		all = is_huge(arena, block) || blocks_collapse(arena, block, run);
	}
	pthread_mutex_unlock(&arena->lock);
	return all;
}

/* Pages of it have gone back to the system.  Called with the lock held. */
static void huge_forget(struct pl_arena *arena, const struct pl_extent *extent)
{
	uint64_t last = (extent->offset + extent->bytes - 1) / PL_ARENA_HUGE_BYTES;

	for (uint64_t block = extent->offset / PL_ARENA_HUGE_BYTES; arena->huge && block <= last; block++)
		arena->huge[block / 8] &= (uint8_t) ~(1u << block % 8);
}

/* Puts the extent among the free ones and joins it with its neighbours.  Called with the lock held. */
static void insert_free(struct pl_arena *arena, struct pl_extent *extent)
{
	struct pl_extent **link = &arena->free_by_offset, *before = NULL;

	if (arena->top_bytes - arena->used_bytes > KEEP_BYTES) {
		fallocate(arena->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(arena->start + extent->offset),
			  (off_t)extent->bytes);
		huge_forget(arena, extent);
	}
	while (*link && (*link)->offset < extent->offset) {
		before = *link;
		link = &before->next;
	}
	extent->next = *link;
	*link = extent;
	if (extent->next && extent->offset + extent->bytes == extent->next->offset) {
		struct pl_extent *after = extent->next;
		extent->bytes += after->bytes;
		extent->next = after->next;
		free(after);
	}
	if (before && before->offset + before->bytes == extent->offset) {
		before->bytes += extent->bytes;
		before->next = extent->next;
		free(extent);
	}
}

void pl_arena_free(struct pl_arena *arena, uint64_t offset, uint64_t bytes, uint64_t fence)
{
	struct pl_extent *extent = malloc(sizeof(*extent));

	if (!extent)
		return; /* the extent stays used: memory is short anyway */
	*extent = (struct pl_extent){ .offset = offset, .bytes = round_up(bytes), .fence = fence };
	pthread_mutex_lock(&arena->lock);
	arena->used_bytes -= extent->bytes;
	if (!fence) {
		insert_free(arena, extent);
	} else {
		arena->held_bytes += extent->bytes;
		if (arena->held)
			arena->held_last->next = extent;
		else
			arena->held = extent;
		arena->held_last = extent;
	}
	pthread_mutex_unlock(&arena->lock);
}

/* More than is needed, and what lies before and behind goes back at once. */
uint64_t pl_arena_alloc_aligned(struct pl_arena *arena, uint64_t bytes, uint64_t align)
{
	uint64_t whole, offset, at;

	if (bytes > arena->bytes || align > arena->bytes)
		return PL_ARENA_NONE;
	whole = round_up(bytes) + align;
	offset = pl_arena_alloc(arena, whole);
	if (offset == PL_ARENA_NONE)
		return offset;
	at = (offset + align - 1) & ~(align - 1);
	if (at > offset)
		pl_arena_free(arena, offset, at - offset, 0);
	pl_arena_free(arena, at + round_up(bytes), offset + align - at, 0);
	return at;
}

void pl_arena_passed(struct pl_arena *arena, uint64_t fence)
{
	pl_arena_passed_if(arena, fence, NULL, NULL);
}

void pl_arena_passed_if(struct pl_arena *arena, uint64_t fence, bool (*idle)(void *arg), void *arg)
{
	bool may;

	if (!arena->base)
		return;
	pthread_mutex_lock(&arena->lock);
	may = !idle || idle(arg);
	while (may && arena->held && arena->held->fence <= fence) {
		struct pl_extent *extent = arena->held;
		arena->held = extent->next;
		arena->held_bytes -= extent->bytes;
		insert_free(arena, extent);
	}
	pthread_mutex_unlock(&arena->lock);
}

uint64_t pl_arena_held(struct pl_arena *arena)
{
	uint64_t held;

	if (!arena->base)
		return 0;
	pthread_mutex_lock(&arena->lock);
	held = arena->held_bytes;
	pthread_mutex_unlock(&arena->lock);
	return held;
}
