// SPDX-License-Identifier: Apache-2.0
/*
 * Which kernel the guest boots.  A bzImage unpacks itself, which costs 2-3 s
 * of emulated xz under TCG; so its payload is unpacked once by the host's own
 * tool and kept in the user's cache, and QEMU enters it through its PVH note.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "vm-internal.h"

#define KERNEL_BYTES_MAX  (256u << 20)  /* limit: a kernel image; Debian's are 8 and 66 MB */
#define CACHE_PREFIX      "vmlinux-"

struct image {                  /* a mapped kernel file */
	const unsigned char *data;
	size_t len_bytes;
	struct stat stat;
};

static void image_fini(struct image *image)
{
	if (image->data)
		munmap((void *)image->data, image->len_bytes);
	image->data = NULL;
}

static int image_init(struct image *image, const char *path)
{
	pl_cleanup(pl_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	void *data;

	*image = (struct image){ .data = NULL };
	if (fd < 0 || fstat(fd, &image->stat) < 0)
		return -errno;
	if (!S_ISREG(image->stat.st_mode) || image->stat.st_size < 4096 ||
	    image->stat.st_size > KERNEL_BYTES_MAX)
		return -ENOEXEC;
	image->len_bytes = (size_t)image->stat.st_size;
	data = mmap(NULL, image->len_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	image->data = data;
	return 0;
}

static uint32_t image_u32(const struct image *image, size_t at)
{
	uint32_t value;

	memcpy(&value, image->data + at, sizeof(value));
	return value;
}

static bool image_is_elf(const struct image *image)
{
	return memcmp(image->data, "\177ELF", 4) == 0;
}

static bool image_is_bzimage(const struct image *image)
{
	return memcmp(image->data + 0x202, "HdrS", 4) == 0;
}

/* The release is the first word of the version text, in both kinds of file. */
static int image_release(const struct image *image, char *release, size_t size_bytes)
{
	static const char banner[] = "Linux version ";
	size_t at, len = 0;

	if (image_is_bzimage(image)) {
		at = (size_t)(image->data[0x20e] | image->data[0x20f] << 8) + 0x200;
	} else if (image_is_elf(image)) {
		const unsigned char *p = memmem(image->data, image->len_bytes, banner,
						sizeof(banner) - 1);

		if (!p)
			return -ENOEXEC;
		at = (size_t)(p - image->data) + sizeof(banner) - 1;
	} else {
		return -ENOEXEC;
	}
	while (at + len < image->len_bytes && image->data[at + len] > ' ' &&
	       image->data[at + len] < 0x7f && image->data[at + len] != '/')
		len++;
	if (len == 0 || len >= size_bytes)
		return -ENOEXEC;
	memcpy(release, image->data + at, len);
	release[len] = '\0';
	return 0;
}

/* Where the compressed vmlinux lies, and which tool reads it; NULL: none does. */
static const char *image_payload(const struct image *image, size_t *at_out, size_t *len_bytes_out)
{
	static const struct {
		const char magic[7];
		uint8_t len_bytes;
		uint8_t tail_bytes;     /* the unpacked size, which only gzip carries itself */
		const char *tool;
	} packers[] = {
		{ "\xfd" "7zXZ\0", 6, 4, "xz" },
		{ "\x28\xb5\x2f\xfd", 4, 4, "zstd" },
		{ "\x1f\x8b\x08", 3, 0, "gzip" },
	};
	size_t setup_sectors = image->data[0x1f1] ? image->data[0x1f1] : 4;
	size_t at, len;

	if (!image_is_bzimage(image) || image->data[0x207] < 2 || image->data[0x206] < 8)
		return NULL;            /* the payload fields came with protocol 2.08 */
	at = (setup_sectors + 1) * 512 + image_u32(image, 0x248);
	len = image_u32(image, 0x24c);
	if (len < 16 || at > image->len_bytes || len > image->len_bytes - at)
		return NULL;
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		if (memcmp(image->data + at, packers[i].magic, packers[i].len_bytes) == 0) {
			*at_out = at;
			*len_bytes_out = len - packers[i].tail_bytes;
			return packers[i].tool;
		}
	}
	return NULL;
}

/* Feed @data to `@program -dc` and let it write to @out_fd. */
static int unpack(const char *program, const unsigned char *data, size_t len_bytes, int out_fd)
{
	pl_cleanup(pl_closep) int source = memfd_create("plenum-kernel", MFD_CLOEXEC);
	pid_t parent = getpid(), pid;
	int status, r;

	if (source < 0)
		return -errno;
	r = pl_vm_write_all(source, data, len_bytes);
	if (r < 0)
		return r;
	if (lseek(source, 0, SEEK_SET) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (pl_vm_child_begin(parent, source, out_fd, -1) == 0)
			execl(program, program, "-dc", (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* One unpacked kernel is enough: they are 66 MB each. */
static void drop_older(const char *kept_path)
{
	pl_cleanup(pl_freep) char *pattern = pl_vm_cache_path(CACHE_PREFIX "*");
	glob_t found;

	if (!pattern || glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct stat st;

		/* a fresh one may be another process's, about to be renamed */
		if (strcmp(found.gl_pathv[i], kept_path) != 0 &&
		    stat(found.gl_pathv[i], &st) == 0 && st.st_mtime + 600 < time(NULL))
			(void)unlink(found.gl_pathv[i]);
	}
	globfree(&found);
}

/* The unpacked kernel's path, from the cache or fresh; NULL: boot the packed one. */
static char *unpacked_path(const struct image *image, const char *release)
{
	size_t at, len_bytes;
	const char *tool = image_payload(image, &at, &len_bytes);
	pl_cleanup(pl_freep) char *program = tool ? pl_vm_find_program(tool) : NULL;
	pl_cleanup(pl_freep) char *name = NULL, *path = NULL, *partial = NULL;
	struct image result;
	bool good;
	int fd, r;

	if (!program)
		return NULL;
	name = pl_vm_format(CACHE_PREFIX "%s-%llx-%llx-%lx", release,
			    (unsigned long long)image->stat.st_size,
			    (unsigned long long)image->stat.st_mtim.tv_sec,
			    (unsigned long)image->stat.st_mtim.tv_nsec);
	path = name ? pl_vm_cache_path(name) : NULL;
	partial = path ? pl_vm_format("%s.XXXXXX", path) : NULL;
	if (!partial)
		return NULL;
	if (access(path, R_OK) != 0) {
		fd = mkostemp(partial, O_CLOEXEC);
		if (fd < 0)
			return NULL;
		r = unpack(program, image->data + at, len_bytes, fd);
		close(fd);
		good = r == 0 && image_init(&result, partial) == 0;
		if (good) {
			good = image_is_elf(&result);
			image_fini(&result);
		}
		if (!good || rename(partial, path) < 0) {
			(void)unlink(partial);
			return NULL;
		}
		drop_older(path);
	}
	return strdup(path);
}

static int newest_kernel(char **path_out)
{
	const char *best = NULL;
	glob_t found;
	int r;

	if (glob("/boot/vmlinuz-*", GLOB_NOSORT, NULL, &found) != 0) {
		pl_vm_say("no kernel for the guest: /boot/vmlinuz-* is missing; install the "
			  "package linux-image-amd64, or name one with --kernel");
		return PL_VM_E_SETUP;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		pl_cleanup(pl_freep) char *modules = pl_vm_format("/lib/modules/%s/modules.dep",
				found.gl_pathv[i] + strlen("/boot/vmlinuz-"));

		if (!modules || access(modules, R_OK) < 0 || access(found.gl_pathv[i], R_OK) < 0)
			continue;
		if (!best || strverscmp(found.gl_pathv[i], best) > 0)
			best = found.gl_pathv[i];
	}
	if (best) {
		*path_out = strdup(best);
		r = *path_out ? 0 : -ENOMEM;
	} else {
		pl_vm_say("no usable kernel for the guest: %s is there, but it or its modules "
			  "cannot be read; install the package linux-image-amd64, or name one with "
			  "--kernel", found.gl_pathv[0]);
		r = PL_VM_E_SETUP;
	}
	globfree(&found);
	return r;
}

void pl_vm_kernel_fini(struct pl_vm_kernel *kernel)
{
	free(kernel->path);
	free(kernel->boot_path);
	*kernel = (struct pl_vm_kernel){ .path = NULL };
}

int pl_vm_kernel_init(struct pl_vm_kernel *kernel, const char *path)
{
	struct image image;
	int r = 0;

	*kernel = (struct pl_vm_kernel){ .path = path ? strdup(path) : NULL };
	if (path && !kernel->path)
		return -ENOMEM;
	if (!path)
		r = newest_kernel(&kernel->path);
	if (r)
		return r;
	r = image_init(&image, kernel->path);
	if (r == 0)
		r = image_release(&image, kernel->release, sizeof(kernel->release));
	if (r < 0) {
		pl_vm_say("cannot use the kernel %s: %s", kernel->path,
			  r == -ENOEXEC ? "neither a bzImage nor a vmlinux" : strerror(-r));
		image_fini(&image);
		pl_vm_kernel_fini(kernel);
		return PL_VM_E_SETUP;
	}
	kernel->boot_path = unpacked_path(&image, kernel->release);
	if (!kernel->boot_path)
		kernel->boot_path = strdup(kernel->path);
	image_fini(&image);
	if (!kernel->boot_path) {
		pl_vm_kernel_fini(kernel);
		return -ENOMEM;
	}
	return 0;
}
