// SPDX-License-Identifier: Apache-2.0
/* The guest's first files, as a cpio archive in the kernel's "newc" format. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vm-internal.h"

#define FILE_BYTES_MAX    (64u << 20)   /* limit: busybox has 2 MB, a module far less */
#define MODULES_MAX       64            /* limit: 15 on Debian 12 */
#define BUSYBOX_PACKAGE   "busybox-static"

struct module_list {            /* in the order of loading, relative to the release's folder */
	char *paths[MODULES_MAX];
	size_t count;
};

struct archive {
	FILE *file;
	uint32_t inode;
};

static const struct {
	const char *name;
	bool optional;          /* the guest manages without */
	bool vsock;             /* wanted where the guest has such a device only */
} wanted[] = {
	{ "virtio_pci", false, false },
	{ "virtio_console", false, false },
	{ "9pnet_virtio", false, false },
	{ "9p", false, false },
	{ "overlay", true, false },
	{ "virtio_net", false, false },
	{ "vmw_vsock_virtio_transport", false, true },
};

static void module_list_fini(struct module_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->paths[i]);
	list->count = 0;
}

/* Does @path name the module @name?  '-' and '_' are one letter in module names. */
static bool module_matches(const char *path, size_t len, const char *name)
{
	const char *base = memrchr(path, '/', len);
	size_t at = 0;

	base = base ? base + 1 : path;
	len -= (size_t)(base - path);
	for (; name[at]; at++) {
		char c = at < len ? base[at] : '\0';

		if (c != name[at] && !(c == '-' && name[at] == '_'))
			return false;
	}
	return len - at >= 3 && strncmp(base + at, ".ko", 3) == 0;
}

static int module_add(struct module_list *list, const char *path, size_t len)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strlen(list->paths[i]) == len && memcmp(list->paths[i], path, len) == 0)
			return 0;
	}
	if (list->count == MODULES_MAX)
		return -E2BIG;
	list->paths[list->count] = strndup(path, len);
	if (!list->paths[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

/* One line "path: dependency dependency": load the last one first, then the path. */
static int module_add_line(struct module_list *list, const char *line, size_t path_len)
{
	const char *first = line + path_len + 1, *end = first + strcspn(first, "\n");
	int r;

	while (end > first) {
		const char *start;

		while (end > first && end[-1] == ' ')
			end--;
		for (start = end; start > first && start[-1] != ' ';)
			start--;
		if (start == end)
			break;
		r = module_add(list, start, (size_t)(end - start));
		if (r < 0)
			return r;
		end = start;
	}
	return module_add(list, line, path_len);
}

/* Return: 1 found, 0 not in this file, or -errno. */
static int module_resolve(struct module_list *list, const char *text, const char *name, bool add)
{
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t len = strcspn(line, ":\n");

		if (len == 0 || !module_matches(line, len, name))
			continue;
		if (add) {
			int r = module_add_line(list, line, len);

			if (r < 0)
				return r;
		}
		return 1;
	}
	return 0;
}

static int module_list_init(struct module_list *list, const char *folder, bool vsock)
{
	pl_cleanup(pl_freep) char *dep_path = pl_vm_format("%s/modules.dep", folder);
	pl_cleanup(pl_freep) char *builtin_path = pl_vm_format("%s/modules.builtin", folder);
	pl_cleanup(pl_freep) char *dep = NULL, *builtin = NULL;
	int r;

	list->count = 0;
	if (!dep_path || !builtin_path)
		return -ENOMEM;
	r = pl_vm_read_file(dep_path, FILE_BYTES_MAX, &dep, NULL);
	if (r == 0)
		r = pl_vm_read_file(builtin_path, FILE_BYTES_MAX, &builtin, NULL);
	if (r < 0) {
		pl_vm_say("cannot read the kernel's modules in %s: %s; the package "
			  "linux-image-amd64 brings kernel and modules", folder, strerror(-r));
		return PL_VM_E_SETUP;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i].vsock && !vsock)
			continue;
		r = module_resolve(list, dep, wanted[i].name, true);
		if (r == 0)
			r = module_resolve(list, builtin, wanted[i].name, false);
		if (r == 0 && !wanted[i].optional) {
			pl_vm_say("the kernel of %s has no module %s", folder, wanted[i].name);
			r = PL_VM_E_SETUP;
		} else if (r >= 0) {
			continue;
		}
		module_list_fini(list);
		return r;
	}
	return 0;
}

static void archive_pad(struct archive *archive, size_t len_bytes)
{
	static const char zeros[4];

	fwrite(zeros, 1, -len_bytes & 3, archive->file);
}

static void archive_put(struct archive *archive, const char *name, mode_t mode, const void *data,
			size_t len_bytes, unsigned int rdev_major, unsigned int rdev_minor)
{
	size_t name_bytes = strlen(name) + 1;

	fprintf(archive->file, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
		++archive->inode, (unsigned int)mode, 0, 0, 1, 0, len_bytes, 0, 0, rdev_major,
		rdev_minor, name_bytes, 0);
	fwrite(name, 1, name_bytes, archive->file);
	archive_pad(archive, 110 + name_bytes);
	if (len_bytes)
		fwrite(data, 1, len_bytes, archive->file);
	archive_pad(archive, len_bytes);
}

static int archive_copy(struct archive *archive, const char *name, mode_t mode, const char *source,
			const char *package)
{
	pl_cleanup(pl_freep) char *data = NULL;
	size_t len_bytes;
	int r = pl_vm_read_file(source, FILE_BYTES_MAX, &data, &len_bytes);

	if (r < 0) {
		pl_vm_say("cannot read %s: %s%s%s", source, strerror(-r),
			  package ? "; it belongs to the package " : "", package ? package : "");
		return r == -ENOMEM ? r : PL_VM_E_SETUP;
	}
	archive_put(archive, name, S_IFREG | mode, data, len_bytes, 0, 0);
	return 0;
}

/* A dynamic busybox could not start in an archive without libraries. */
static int find_busybox(char **path_out)
{
	pl_cleanup(pl_freep) char *path = pl_vm_find_program("busybox");
	pl_cleanup(pl_freep) char *data = NULL;
	size_t len_bytes;
	size_t head_bytes;

	if (!path || pl_vm_read_file(path, FILE_BYTES_MAX, &data, &len_bytes) < 0) {
		pl_vm_say("busybox is missing; install the package " BUSYBOX_PACKAGE);
		return PL_VM_E_SETUP;
	}
	head_bytes = len_bytes < 4096 ? len_bytes : 4096;
	if (head_bytes < 64 || memcmp(data, "\177ELF", 4) != 0 ||
	    memmem(data, head_bytes, "/ld-linux", 9)) {
		pl_vm_say("%s is not a static program; install the package " BUSYBOX_PACKAGE, path);
		return PL_VM_E_SETUP;
	}
	*path_out = path;
	path = NULL;
	return 0;
}

static int archive_modules(struct archive *archive, const struct module_list *list,
			   const char *folder)
{
	pl_cleanup(pl_freep) char *order = NULL;
	size_t order_bytes = 0;
	FILE *names = open_memstream(&order, &order_bytes);
	int r = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < list->count && r == 0; i++) {
		const char *base = strrchr(list->paths[i], '/');
		pl_cleanup(pl_freep) char *source = pl_vm_format("%s/%s", folder, list->paths[i]);
		pl_cleanup(pl_freep) char *name = NULL;

		base = base ? base + 1 : list->paths[i];
		name = pl_vm_format("modules/%s", base);
		if (!source || !name)
			r = -ENOMEM;
		else
			r = archive_copy(archive, name, 0644, source, "linux-image-amd64");
		fprintf(names, "%s\n", base);
	}
	if (fclose(names) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		archive_put(archive, "modules/order", S_IFREG | 0644, order, order_bytes, 0, 0);
	return r;
}

static int archive_fill(struct archive *archive, const struct module_list *list, const char *folder,
			const char *init, const char *agent_path)
{
	static const char *const folders[] = { "bin", "dev", "proc", "sys", "modules", "host", "rw",
					       "new" };
	pl_cleanup(pl_freep) char *busybox = NULL;
	int r = find_busybox(&busybox);

	if (r)
		return r;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		archive_put(archive, folders[i], S_IFDIR | 0755, NULL, 0, 0, 0);
	archive_put(archive, "dev/console", S_IFCHR | 0600, NULL, 0, 5, 1);
	archive_put(archive, "agent", S_IFREG | 0644, agent_path, strlen(agent_path), 0, 0);
	r = archive_copy(archive, "init", 0755, init, NULL);
	if (r == 0)
		r = archive_copy(archive, "bin/busybox", 0755, busybox, BUSYBOX_PACKAGE);
	if (r == 0)
		r = archive_modules(archive, list, folder);
	archive_put(archive, "TRAILER!!!", 0, NULL, 0, 0, 0);
	return r;
}

int pl_vm_initramfs_write(const char *path, const struct pl_vm_kernel *kernel, const char *init,
			  const char *agent_path, bool vsock)
{
	pl_cleanup(pl_freep) char *folder = pl_vm_format("/lib/modules/%s", kernel->release);
	struct module_list list;
	struct archive archive;
	int r;

	if (!folder)
		return -ENOMEM;
	r = module_list_init(&list, folder, vsock);
	if (r)
		return r;
	archive = (struct archive){ .file = fopen(path, "wxe") };
	r = archive.file ? archive_fill(&archive, &list, folder, init, agent_path) : -errno;
	module_list_fini(&list);
	if (archive.file) {
		bool failed = ferror(archive.file) != 0;

		if (fclose(archive.file) != 0 || failed)
			r = r ? r : -EIO;
	}
	if (r < 0)
		pl_vm_say("cannot write %s: %s", path, strerror(-r));
	return r;
}
