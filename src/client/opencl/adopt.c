#include "client/opencl/adopt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

#define PAGE_BYTES     4096u
#define TEXT_BYTES     (64u << 10) /* of /proc/self/maps, at first */
#define TEXT_BYTES_MAX (64u << 20)

/* Pages that are the application's and the store's. */
struct pl_cl_adopted {
	struct pl_cl_adopted *next;
	uintptr_t from, to;
	uint64_t offset; /* of `from` in the arena */
	dev_t device;    /* the arena's file, as /proc/self/maps names it */
	ino_t inode;
	const uint8_t *arena; /* where all of it is mapped: not the application's */
	uint64_t arena_bytes;
};

/* A piece of an address space that shows a store; and its contents, where they are taken away. */
struct piece {
	struct piece *next;
	uint8_t *at;
	size_t bytes;
	void *copy;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct pl_cl_adopted *adopted_all; /* under lock */
static uint32_t adopted_count;            /* under lock */
static struct piece *forking;             /* under lock, from before a fork() until behind it */
static _Atomic uint64_t copied_bytes;

uint64_t pl_cl_host_copied(void)
{
	return copied_bytes;
}

/* ---- /proc/self/maps ---- */

struct mapping {
	uintptr_t from, to;
	uint64_t offset;
	dev_t device;
	ino_t inode;
	bool plain; /* rw-p, no file, no stack */
};

/* All of it; free() it.  NULL = it can not be read. */
static char *maps_read(void)
{
	pl_cleanup(pl_closep) int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	pl_cleanup(pl_freep) char *text = NULL;
	size_t room = 0, length = 0;

	while (fd >= 0) {
		ssize_t n;

		if (length + 1 >= room) {
			char *larger;

			room = room ? 2 * room : TEXT_BYTES;
			larger = room <= TEXT_BYTES_MAX ? realloc(text, room) : NULL;
			if (!larger)
				return NULL;
			text = larger;
		}
		n = read(fd, text + length, room - 1 - length);
		if (n < 0 && errno != EINTR)
			return NULL;
		if (n > 0)
			length += (size_t)n;
		if (!n) {
			text[length] = '\0';
			return pl_steal(text);
		}
	}
	return NULL;
}

/* Return: behind the line; NULL = there is none. */
static const char *mapping_next(const char *text, struct mapping *mapping)
{
	unsigned long long from, to, offset, inode;
	unsigned major, minor;
	const char *end = strchr(text, '\n');
	char rights[8];
	int name = 0;

	if (!end || sscanf(text, "%llx-%llx %7s %llx %x:%x %llu %n", &from, &to, rights, &offset, &major, &minor,
			   &inode, &name) < 7)
		return NULL;
	*mapping = (struct mapping){ .from = from,
				     .to = to,
				     .offset = offset,
				     .device = makedev(major, minor),
				     .inode = (ino_t)inode,
				     .plain = !strcmp(rights, "rw-p") && !inode };
	if (name && text + name < end && text[name] == '[' && strncmp(text + name, "[heap]", 6) &&
	    strncmp(text + name, "[anon:", 6))
		mapping->plain = false;
	return end + 1;
}

/* Locked memory is meant to stay where it is. */
static bool nothing_locked(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long locked = 1;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmLck: %lu", &locked) == 1)
			break;
	if (file)
		fclose(file);
	return !locked;
}

static bool own_stack(uintptr_t from, uintptr_t to)
{
	pthread_attr_t attr;
	void *base = NULL;
	size_t bytes = 0;

	if (pthread_getattr_np(pthread_self(), &attr))
		return true;
	pthread_attr_getstack(&attr, &base, &bytes);
	pthread_attr_destroy(&attr);
	return from < (uintptr_t)base + bytes && (uintptr_t)base < to;
}

/* May these pages be replaced? */
static bool range_plain(uintptr_t from, uintptr_t to)
{
	pl_cleanup(pl_freep) char *text = maps_read();
	struct mapping mapping;
	const char *at = text;

	while (at && (at = mapping_next(at, &mapping))) {
		if (mapping.to <= from)
			continue;
		if (mapping.from > from || !mapping.plain)
			return false;
		from = mapping.to;
		if (from >= to)
			return true;
	}
	return false;
}

/* ---- the end ---- */

static void pieces_free(struct piece *piece)
{
	while (piece) {
		struct piece *next = piece->next;

		if (piece->copy)
			munmap(piece->copy, piece->bytes);
		free(piece);
		piece = next;
	}
}

static bool piece_add(struct piece **list, uintptr_t at, size_t bytes)
{
	struct piece *piece = malloc(sizeof(*piece));

	if (!piece)
		return false;
	*piece = (struct piece){ .next = *list, .at = (uint8_t *)at, .bytes = bytes };
	*list = piece;
	return true;
}

/* Where the application's address space shows these pages: most often where they were put, in one piece. */
static bool pieces_find(const struct pl_cl_adopted *adopted, struct piece **list)
{
	pl_cleanup(pl_freep) char *text = maps_read();
	uint64_t first = adopted->offset, last = first + (adopted->to - adopted->from);
	struct mapping mapping;
	const char *at = text;

	if (!text)
		return false;
	while ((at = mapping_next(at, &mapping))) {
		uint64_t end = mapping.offset + (mapping.to - mapping.from), from, to;

		if (mapping.inode != adopted->inode || mapping.device != adopted->device || mapping.offset >= last ||
		    end <= first)
			continue;
		if (mapping.from >= (uintptr_t)adopted->arena &&
		    mapping.to <= (uintptr_t)adopted->arena + adopted->arena_bytes)
			continue;
		from = mapping.offset < first ? first : mapping.offset;
		to = end < last ? end : last;
		if (!piece_add(list, mapping.from + (from - mapping.offset), to - from))
			return false;
	}
	return true;
}

static bool pieces_copy(struct piece *list)
{
	for (struct piece *piece = list; piece; piece = piece->next) {
		void *copy = mmap(NULL, piece->bytes, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (copy == MAP_FAILED)
			return false;
		memcpy(copy, piece->at, piece->bytes);
		atomic_fetch_add(&copied_bytes, piece->bytes);
		piece->copy = copy;
	}
	return true;
}

/* The copies take the place of what they were made from. */
static bool pieces_settle(struct piece *list)
{
	for (struct piece *piece = list; piece; piece = piece->next) {
		if (!piece->copy)
			continue;
		if (mremap(piece->copy, piece->bytes, piece->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, piece->at) ==
		    MAP_FAILED)
			return false;
		piece->copy = NULL;
	}
	return true;
}

/* Called with the lock held. */
static bool adopted_delist(struct pl_cl_adopted *adopted)
{
	struct pl_cl_adopted **link = &adopted_all;

	while (*link && *link != adopted)
		link = &(*link)->next;
	if (!*link)
		return false;
	*link = adopted->next;
	adopted_count--;
	return true;
}

bool pl_cl_adopt_end(struct pl_cl_mem *mem)
{
	struct pl_cl_adopted *adopted = mem->adopted;
	struct piece *list = NULL;
	bool good = true;

	if (!adopted)
		return true;
	mem->adopted = NULL;
	pthread_mutex_lock(&lock);
	if (adopted_delist(adopted)) { /* else: in the child of a fork(), which has its own memory already */
		good = pieces_find(adopted, &list) && pieces_copy(list) && pieces_settle(list);
		free(adopted);
	}
	pthread_mutex_unlock(&lock);
	pieces_free(list);
	if (!good)
		pl_log_warn("memory of a released buffer stays shared: no memory for a copy");
	return good;
}

/* ---- fork() ---- */

/* The child is to see the contents of this moment, and nothing that happens in the parent's buffers later. */
static void fork_prepare(void)
{
	pthread_mutex_lock(&lock);
	for (struct pl_cl_adopted *adopted = adopted_all; adopted; adopted = adopted->next)
		if (!pieces_find(adopted, &forking))
			break;
	if (!pieces_copy(forking))
		pl_log_warn("fork: no memory for what the child must not share");
}

static void fork_parent(void)
{
	pieces_free(forking);
	forking = NULL;
	pthread_mutex_unlock(&lock);
}

static void fork_child(void)
{
	pieces_settle(forking);
	forking = NULL; /* and their memory stays: this process may have no working malloc() yet */
	adopted_all = NULL;
	adopted_count = 0;
	pthread_mutex_init(&lock, NULL);
}

static void fork_watch(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* ---- the beginning ---- */

size_t pl_cl_adopt_lead(const struct pl_cl_mem *mem)
{
	return mem->host_ptr && mem->size >= PL_CL_ADOPT_BYTES_MIN ? (uintptr_t)mem->host_ptr % PAGE_BYTES : 0;
}

/* Called with the lock held. */
static bool pages_map(const struct pl_cl_mem *mem, const struct pl_cl_adopted *adopted)
{
	uint8_t *store = pl_cl_mem_store(mem);
	size_t lead = (uintptr_t)store % PAGE_BYTES;

	/* All at once is cheaper than a fault for each page; where the kernel can not, the faults come. */
	madvise(store - lead, lead + mem->size, MADV_POPULATE_WRITE);
	memcpy(store, mem->host_ptr, mem->size);
	return mmap((void *)adopted->from, adopted->to - adopted->from, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED | MAP_POPULATE, mem->object.session->arena.fd,
		    (off_t)adopted->offset) != MAP_FAILED;
}

static struct pl_cl_adopted *adopted_new(const struct pl_cl_mem *mem)
{
	const struct pl_arena *arena = &mem->object.session->arena;
	uintptr_t at = (uintptr_t)mem->host_ptr, from = (at + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
	struct pl_cl_adopted *adopted = malloc(sizeof(*adopted));
	struct stat stat_of;

	if (!adopted || fstat(arena->fd, &stat_of) < 0) {
		free(adopted);
		return NULL;
	}
	*adopted = (struct pl_cl_adopted){ .from = from,
					   .to = (at + mem->size) & ~(uintptr_t)(PAGE_BYTES - 1),
					   .offset = mem->store + (from - at),
					   .device = stat_of.st_dev,
					   .inode = stat_of.st_ino,
					   .arena = arena->base,
					   .arena_bytes = arena->bytes };
	return adopted;
}

bool pl_cl_adopt(struct pl_cl_mem *mem)
{
	uintptr_t at = (uintptr_t)mem->host_ptr;
	struct pl_cl_adopted *adopted;
	bool good;

	if (mem->object.session->arena.start) /* a device's pages: system calls refuse some of what other pages do */
		return false;
	if (mem->size < PL_CL_ADOPT_BYTES_MIN || at + mem->size < at || (at - mem->store) % PAGE_BYTES)
		return false;
	adopted = adopted_new(mem);
	if (!adopted)
		return false;
	pthread_once(&once, fork_watch);
	pthread_mutex_lock(&lock);
	good = adopted_count < PL_CL_ADOPT_MAX && nothing_locked() && !own_stack(adopted->from, adopted->to) &&
	       range_plain(adopted->from, adopted->to) && pages_map(mem, adopted);
	if (good) {
		adopted->next = adopted_all;
		adopted_all = adopted;
		adopted_count++;
		mem->adopted = adopted;
		atomic_fetch_add(&copied_bytes, mem->size);
	}
	pthread_mutex_unlock(&lock);
	if (!good)
		free(adopted);
	return good;
}

/* ---- edges ---- */

/* What lies before and behind the shared pages, as offsets from `offset`: [0, head) and [tail, bytes). */
static void edges(const struct pl_cl_mem *mem, size_t offset, size_t bytes, size_t *head_out, size_t *tail_out)
{
	const struct pl_cl_adopted *adopted = mem->root->adopted;
	uintptr_t from = (uintptr_t)mem->host_ptr + offset, to = from + bytes;

	*head_out = *tail_out = bytes;
	if (!adopted || from >= adopted->to || to <= adopted->from)
		return;
	*head_out = from < adopted->from ? adopted->from - from : 0;
	*tail_out = to > adopted->to ? adopted->to - from : bytes;
}

bool pl_cl_host_shared(const struct pl_cl_mem *mem, size_t offset, size_t bytes)
{
	size_t head, tail;

	edges(mem, offset, bytes, &head, &tail);
	return !head && tail == bytes;
}

static void host_copy(const struct pl_cl_mem *mem, size_t offset, size_t bytes, bool fill)
{
	uint8_t *host = (uint8_t *)mem->host_ptr + offset, *store = pl_cl_mem_store(mem) + offset;
	size_t head, tail;

	edges(mem, offset, bytes, &head, &tail);
	memcpy(fill ? host : store, fill ? store : host, head);
	memcpy((fill ? host : store) + tail, (fill ? store : host) + tail, bytes - tail);
	atomic_fetch_add(&copied_bytes, head + (bytes - tail));
}

void pl_cl_host_fill(struct pl_cl_mem *mem, size_t offset, size_t bytes)
{
	host_copy(mem, offset, bytes, true);
}

void pl_cl_host_drain(struct pl_cl_mem *mem, size_t offset, size_t bytes)
{
	host_copy(mem, offset, bytes, false);
}
