#include "link/ivshmem/region.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

#define HEAD_BYTES   4096u
#define HEAD_MAGIC   0x6e6f69676572706cu /* "lpregion" */
#define HEAD_VERSION 1u
#define PCI_FOLDER   "/sys/bus/pci/devices"
#define PCI_VENDOR   0x1af4u
#define PCI_DEVICE   0x1110u

struct region_head { /* the region's first page; for the client */
	uint64_t magic;
	uint32_t version, pad;
	uint64_t bytes;
	uint8_t key[PL_REGION_KEY_BYTES];
};
static_assert(sizeof(struct region_head) == 40, "shared layout");

struct pl_region {
	int fd;
	uint64_t bytes;
	uint32_t units;
	struct region_head head; /* what is believed */
	bool used[];             /* by unit */
};

/* ---- server ---- */

static void region_destroyp(struct pl_region **region)
{
	pl_region_destroy(*region);
}

static void pages_drop(const struct pl_region *region, uint64_t offset, uint64_t bytes)
{
	if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) < 0)
		pl_log_debug("shared memory of a guest keeps its pages: %s", strerror(errno));
}

void pl_region_destroy(struct pl_region *region)
{
	if (!region)
		return;
	if (region->fd >= 0) {
		pages_drop(region, 0, region->bytes);
		close(region->fd);
	}
	free(region);
}

static bool size_fits(uint64_t bytes)
{
	return bytes >= PL_REGION_BYTES_MIN && bytes <= PL_REGION_BYTES_MAX && !(bytes & (bytes - 1));
}

/* Return: 0 and the size that the file has now, or fatal, explained. */
static int file_prepare(int fd, const char *path, uint64_t wanted, uint64_t *bytes_out)
{
	struct stat st;
	uint64_t bytes;

	if (fstat(fd, &st) < 0)
		return pl_err(-errno);
	if (!S_ISREG(st.st_mode) || (geteuid() && st.st_uid && st.st_uid != geteuid()) ||
	    (st.st_nlink && st.st_mode & S_IWOTH)) { /* without a name, its mode says nothing */
		pl_log_error("%s: a guest's memory is a file of this server's user that not everybody may write to",
			     path);
		return pl_err(-EACCES);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		pl_log_error("%s: another server uses it; each guest's memory belongs to one", path);
		return pl_err(-EBUSY);
	}
	bytes = wanted ? wanted : st.st_size ? (uint64_t)st.st_size : PL_REGION_BYTES_DEFAULT;
	if (!size_fits(bytes) || (uint64_t)st.st_size > bytes) {
		pl_log_error("%s: %llu bytes, file %llu: a power of two from 16M to 64G is needed, the same that QEMU "
			     "is told",
			     path, (unsigned long long)bytes, (unsigned long long)st.st_size);
		return pl_err(-EINVAL);
	}
	if ((uint64_t)st.st_size < bytes && ftruncate(fd, (off_t)bytes) < 0) {
		pl_log_error("%s: %s", path, strerror(errno));
		return pl_err(-errno);
	}
	*bytes_out = bytes;
	return 0;
}

static int head_write(struct pl_region *region)
{
	region->head = (struct region_head){ .magic = HEAD_MAGIC, .version = HEAD_VERSION, .bytes = region->bytes };
	if (getrandom(region->head.key, sizeof(region->head.key), 0) != sizeof(region->head.key))
		return pl_err(-EIO);
	if (pwrite(region->fd, &region->head, sizeof(region->head), 0) != sizeof(region->head))
		return pl_err(-EIO);
	return 0;
}

int pl_region_create(const char *path, uint64_t bytes, struct pl_region **region_out)
{
	pl_cleanup(region_destroyp) struct pl_region *region = NULL;
	pl_cleanup(pl_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	uint32_t units;
	int r;

	if (fd < 0) {
		pl_log_error("%s: %s", path, strerror(errno));
		return pl_err(-errno);
	}
	r = file_prepare(fd, path, bytes, &bytes);
	if (r)
		return pl_trace(r);
	units = (uint32_t)(bytes / PL_REGION_UNIT_BYTES);
	region = calloc(1, sizeof(*region) + units * sizeof(region->used[0]));
	if (!region)
		return pl_err(-ENOMEM);
	region->fd = pl_steal_fd(&fd);
	region->bytes = bytes;
	region->units = units;
	region->used[0] = true;
	pages_drop(region, 0, bytes);
	r = head_write(region);
	if (r)
		return pl_trace(r);
	*region_out = pl_steal(region);
	return 0;
}

int pl_region_fd(const struct pl_region *region)
{
	return region->fd;
}

bool pl_region_key_is(const struct pl_region *region, const uint8_t key[PL_REGION_KEY_BYTES])
{
	uint8_t other = 0;

	for (unsigned i = 0; i < PL_REGION_KEY_BYTES; i++)
		other |= key[i] ^ region->head.key[i];
	return !other;
}

int pl_region_grant(struct pl_region *region, uint64_t *offset_out, uint64_t *bytes_out)
{
	const uint32_t least = PL_REGION_GRANT_MIN / PL_REGION_UNIT_BYTES;
	uint32_t best = 0, best_units = 0, units;

	for (uint32_t at = 0, end; at < region->units; at = end + 1) {
		for (end = at; end < region->units && !region->used[end];)
			end++;
		if (end - at > best_units) {
			best = at;
			best_units = end - at;
		}
	}
	if (best_units < least)
		return -ENOSPC;
	units = best_units / 2 > least ? best_units / 2 : least;
	memset(region->used + best, true, units);
	*offset_out = best * PL_REGION_UNIT_BYTES;
	*bytes_out = units * PL_REGION_UNIT_BYTES;
	return 0;
}

void pl_region_release(struct pl_region *region, uint64_t offset, uint64_t bytes)
{
	if (!bytes)
		return;
	memset(region->used + offset / PL_REGION_UNIT_BYTES, false, bytes / PL_REGION_UNIT_BYTES);
	pages_drop(region, offset, bytes);
}

/* ---- client ---- */

static int head_read(int fd, uint64_t *bytes_out, uint8_t *key_out)
{
	const volatile struct region_head *at;
	struct region_head head;
	struct stat st;
	void *page;

	if (fstat(fd, &st) < 0)
		return pl_err(-errno);
	if (st.st_size < (off_t)PL_REGION_BYTES_MIN)
		return pl_err(-EPROTO);
	page = mmap(NULL, HEAD_BYTES, PROT_READ, MAP_SHARED, fd, 0); /* a BAR can not be read() */
	if (page == MAP_FAILED)
		return pl_err(-errno);
	at = page;
	head.magic = at->magic;
	head.version = at->version;
	head.bytes = at->bytes;
	for (unsigned i = 0; i < PL_REGION_KEY_BYTES; i++)
		head.key[i] = at->key[i];
	munmap(page, HEAD_BYTES);
	if (head.magic != HEAD_MAGIC || head.version != HEAD_VERSION || head.bytes != (uint64_t)st.st_size)
		return pl_err(-EPROTO);
	*bytes_out = head.bytes;
	memcpy(key_out, head.key, sizeof(head.key));
	return 0;
}

static int open_one(const char *path, int *fd_out, uint64_t *bytes_out, uint8_t *key_out)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = head_read(fd, bytes_out, key_out);
	if (r)
		return pl_trace(r);
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

static unsigned long number_read(const char *device, const char *name)
{
	char path[PATH_MAX], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), PCI_FOLDER "/%s/%s", device, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strtoul(text, NULL, 16);
}

/* The first device that can be opened and has a server's head; else why the last one could not. */
static int open_device(int *fd_out, uint64_t *bytes_out, uint8_t *key_out)
{
	DIR *folder = opendir(PCI_FOLDER);
	struct dirent *entry;
	int r = -ENODEV;

	while (folder && r && (entry = readdir(folder))) {
		char path[PATH_MAX];

		if (entry->d_name[0] == '.' || number_read(entry->d_name, "vendor") != PCI_VENDOR ||
		    number_read(entry->d_name, "device") != PCI_DEVICE)
			continue;
		snprintf(path, sizeof(path), PCI_FOLDER "/%s/resource2", entry->d_name);
		r = open_one(path, fd_out, bytes_out, key_out);
	}
	if (folder)
		closedir(folder);
	return r;
}

int pl_region_open(const char *path, int *fd_out, uint64_t *bytes_out, uint8_t key_out[PL_REGION_KEY_BYTES])
{
	int r = path[0] ? open_one(path, fd_out, bytes_out, key_out) : open_device(fd_out, bytes_out, key_out);

	if (!r)
		return 0;
	pl_log_warn("%s: %s", path[0] ? path : "ivshmem",
		    r == -ENODEV   ? "this machine has no such device; start it with -device ivshmem-plain"
		    : r == -EACCES ? "its resource2 may not be opened: root has to allow it (chown, chmod)"
		    : r == -EPROTO
			    ? "no server of Plenum has written to it: is it the one that the server listens with?"
			    : strerrordesc_np(-r));
	return pl_err(r);
}

uint64_t pl_region_boot(void)
{
	char text[40] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	uint64_t boot = 0;

	if (!file)
		return 0;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (const char *c = text; *c; c++) /* all of its 128 random bits take part */
		boot = boot * 31 + (uint8_t)*c;
	return boot;
}
