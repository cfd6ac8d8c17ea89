#include "client/cuda/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE PL_PLACE_PAGE_BYTES

struct placed {
	struct placed *next;
	uint8_t *address;
	uint64_t bytes, offset; /* in the file of fd */
	int fd;
	ino_t inode;             /* of fd */
	bool gone;               /* when a fork began something else was there, or nothing */
	uint8_t edges[2 * PAGE]; /* the first and the last page, while a fork is under way */
};

/* Whole pages, with whatever lies on them: not by memcpy(), which a program that is built with a sanitizer has watched.
 */
__attribute__((no_sanitize("address", "thread"))) static void pages_copy(uint8_t *to, const uint8_t *from,
									 uint64_t bytes)
{
#if defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
	for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t))
		*(volatile uint64_t *)(void *)(to + at) = *(const volatile uint64_t *)(const void *)(from + at);
#endif
}

/* By the system call: a sanitizer of the program takes mmap() for a write to all of the pages, by this thread, and the
 * kernel keeps apart who writes there (struct still). */
static bool pages_map(uint8_t *at, uint64_t bytes, int flags, int fd, uint64_t offset)
{
	return syscall(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, (off_t)offset) != -1;
}

static struct {
	pthread_mutex_t lock;
	struct placed *all; /* under lock */
} places = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- what is mapped there ---- */

struct wanted {
	uint64_t start, end;
	bool anonymous; /* else: of this file, `offset` at start */
	ino_t inode;
	uint64_t offset;
};

static bool line_fits(const struct wanted *wanted, const char *line, uint64_t *at)
{
	unsigned long start, end, offset, inode;
	unsigned int major, minor;
	char rights[8], name[32] = "";
	uint64_t stack = (uintptr_t)&start;

	if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %31s", &start, &end, rights, &offset, &major, &minor, &inode,
		   name) < 7 ||
	    start > *at || end <= *at)
		return true; /* of another place */
	if (stack - start < end - start || strncmp(rights, "rw", 2))
		return false;
	if (wanted->anonymous && (rights[3] != 'p' || inode || !strncmp(name, "[stack", 6)))
		return false;
	if (!wanted->anonymous && (rights[3] != 's' || inode != wanted->inode ||
				   offset + (*at - start) != wanted->offset + (*at - wanted->start)))
		return false;
	*at = end;
	return true;
}

static bool maps_fit(const struct wanted *wanted)
{
	FILE *file = fopen("/proc/self/maps", "re");
	uint64_t at = wanted->start;
	char *line = NULL;
	size_t room = 0;
	bool fits = true;

	if (!file)
		return false;
	while (fits && at < wanted->end && getline(&line, &room, file) > 0)
		fits = line_fits(wanted, line, &at);
	free(line);
	fclose(file);
	return fits && at >= wanted->end;
}

/* ---- fork() ---- */

/* The program may have unmapped it, though it should not have yet. */
static bool is_there(const struct placed *placed)
{
	const struct wanted wanted = { .start = (uintptr_t)placed->address,
				       .end = (uintptr_t)placed->address + placed->bytes,
				       .inode = placed->inode,
				       .offset = placed->offset };

	return maps_fit(&wanted);
}

static void fork_prepare(void)
{
	pthread_mutex_lock(&places.lock);
	for (struct placed *at = places.all; at; at = at->next) {
		at->gone = !is_there(at);
		if (at->gone)
			continue;
		pages_copy(at->edges, at->address, PAGE);
		pages_copy(at->edges + PAGE, at->address + at->bytes - PAGE, PAGE);
	}
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&places.lock);
}

static void fork_child(void)
{
	for (struct placed *at = places.all; at; at = at->next) {
		if (at->gone || !pages_map(at->address, at->bytes, MAP_PRIVATE, at->fd, at->offset)) {
			close(at->fd);
			continue;
		}
		pages_copy(at->address, at->edges, PAGE);
		pages_copy(at->address + at->bytes - PAGE, at->edges + PAGE, PAGE);
		close(at->fd);
	}
	places.all = NULL; /* they are private from here on */
	pthread_mutex_init(&places.lock, NULL);
}

static void once_run(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* ---- while pages move, nobody writes to them ---- */

struct still {
	int fd;
	struct uffdio_range range;
};

static void still_end(struct still *still)
{
	if (still->fd < 0)
		return;
	(void)ioctl(still->fd, UFFDIO_WAKE, &still->range);
	close(still->fd); /* what it protected is free again */
	still->fd = -1;
}

/* Only what is there can be protected. */
__attribute__((no_sanitize("address", "thread"))) static void pages_touch(const volatile uint8_t *pages, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += PAGE)
		(void)pages[at];
}

static int still_begin(struct still *still, uint64_t address, uint64_t bytes, uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register registration = { .range = { address, bytes }, .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect protect = { .range = { address, bytes }, .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	still->range = registration.range;
	still->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (still->fd < 0)
		return -errno;
	if (ioctl(still->fd, UFFDIO_API, &api) || ioctl(still->fd, UFFDIO_REGISTER, &registration))
		return -errno;
	pages_touch((const uint8_t *)(uintptr_t)address, bytes);
	return ioctl(still->fd, UFFDIO_WRITEPROTECT, &protect) ? -errno : 0;
}

/* ---- moving ---- */

static struct placed *placed_create(const struct pl_arena *arena, uint64_t address, uint64_t bytes, uint64_t store)
{
	struct placed *placed = malloc(sizeof(*placed));
	struct stat st;

	if (!placed)
		return NULL;
	*placed = (struct placed){ .address = (uint8_t *)(uintptr_t)address,
				   .bytes = bytes,
				   .offset = arena->start + store,
				   .fd = fcntl(arena->fd, F_DUPFD_CLOEXEC, 0) };
	if (placed->fd >= 0 && !fstat(placed->fd, &st)) {
		placed->inode = st.st_ino;
		return placed;
	}
	if (placed->fd >= 0)
		close(placed->fd);
	free(placed);
	return NULL;
}

/* Called with the lock held, and the pages still. */
static int in(const struct pl_arena *arena, const struct placed *placed, uint64_t store)
{
	pages_copy(arena->base + store, placed->address, placed->bytes);
	return pages_map(placed->address, placed->bytes, MAP_SHARED, placed->fd, placed->offset) ? 0 : -errno;
}

int pl_place_in(const struct pl_arena *arena, uint64_t address, uint64_t bytes, uint64_t store)
{
	const struct wanted wanted = { .start = address, .end = address + bytes, .anonymous = true };
	struct still still = { .fd = -1 };
	struct placed *placed;
	int r;

	pthread_once(&once, once_run);
	placed = placed_create(arena, address, bytes, store);
	if (!placed)
		return -ENOMEM;
	pthread_mutex_lock(&places.lock);
	r = maps_fit(&wanted) ? still_begin(&still, address, bytes, UFFD_FEATURE_PAGEFAULT_FLAG_WP) : -EINVAL;
	if (!r)
		r = in(arena, placed, store);
	still_end(&still); /* before anything is written that may lie there */
	if (!r) {
		placed->next = places.all;
		places.all = placed;
	}
	pthread_mutex_unlock(&places.lock);
	if (r) {
		close(placed->fd);
		free(placed);
	}
	return r;
}

/* Called with the pages still. */
static int out(uint64_t address, uint64_t bytes)
{
	void *own = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (own == MAP_FAILED)
		return -errno;
	pages_copy(own, (const uint8_t *)(uintptr_t)address, bytes);
	if (mremap(own, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(uintptr_t)address) != MAP_FAILED)
		return 0;
	munmap(own, bytes);
	return -ENOMEM;
}

/* Called with the lock held. */
static void placed_remove(uint64_t address)
{
	struct placed **at = &places.all, *gone;

	while (*at && (uintptr_t)(*at)->address != address)
		at = &(*at)->next;
	gone = *at;
	if (!gone)
		return;
	*at = gone->next;
	close(gone->fd);
	free(gone);
}

int pl_place_out(const struct pl_arena *arena, uint64_t address, uint64_t bytes, uint64_t store)
{
	struct wanted wanted = { .start = address, .end = address + bytes, .offset = arena->start + store };
	struct still still = { .fd = -1 };
	struct stat st;
	int r = 0;

	if (fstat(arena->fd, &st) < 0)
		return -errno;
	wanted.inode = st.st_ino;
	pthread_mutex_lock(&places.lock);
	if (maps_fit(&wanted)) {
		r = still_begin(&still, address, bytes,
				UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM);
		if (!r)
			r = out(address, bytes);
		still_end(&still);
	} /* else the program has unmapped it, and may have something else there */
	if (!r)
		placed_remove(address);
	pthread_mutex_unlock(&places.lock);
	return r;
}
