#include "server/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

#define NAME        "plenum-work-"
#define TMP_LEN_MAX 32u /* a longer TMPDIR is not used: paths below must stay short */
#define TREE_FDS    16

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
	(void)stat;
	(void)kind;
	(void)where;
	remove(path);
	return 0;
}

static void tree_remove(const char *path)
{
	nftw(path, remove_one, TREE_FDS, FTW_DEPTH | FTW_PHYS);
}

static const char *tmp_path(void)
{
	const char *tmp = getenv("TMPDIR");

	return tmp && tmp[0] == '/' && strlen(tmp) <= TMP_LEN_MAX ? tmp : "/tmp";
}

/* Return: the folder, opened and locked; -1: it is in use, or not ours. */
static int folder_lock(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat stat;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &stat) && stat.st_uid == geteuid() && !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	close(fd);
	return -1;
}

/* What killed servers left. */
static void stale_remove(const char *tmp)
{
	DIR *dir = opendir(tmp);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PL_FOLDER_PATH_MAX];
		int fd;

		if (strncmp(entry->d_name, NAME, strlen(NAME)) ||
		    snprintf(path, sizeof(path), "%s/%s", tmp, entry->d_name) >= (int)sizeof(path))
			continue;
		fd = folder_lock(path);
		if (fd < 0)
			continue;
		tree_remove(path);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

void pl_folder_init(struct pl_folder *folder, bool users)
{
	const char *tmp = tmp_path();

	*folder = (struct pl_folder){ .lock_fd = -1 };
	stale_remove(tmp);
	snprintf(folder->path, sizeof(folder->path), "%s/%sXXXXXX", tmp, NAME);
	if (mkdtemp(folder->path))
		folder->lock_fd = folder_lock(folder->path);
	if (folder->lock_fd >= 0 && (!users || !fchmod(folder->lock_fd, 0711)))
		return; /* no lock: another server that starts just now took it for a stale one */
	pl_log_warn("no folder in %s: temporary files of workers that are killed stay there", tmp);
	folder->path[0] = '\0';
}

void pl_folder_fini(struct pl_folder *folder)
{
	if (!folder->path[0])
		return;
	tree_remove(folder->path);
	close(folder->lock_fd);
	folder->path[0] = '\0';
}

static int worker_path(char *out, const char *path, pid_t worker)
{
	return path[0] ? snprintf(out, PL_FOLDER_PATH_MAX, "%s/%d", path, (int)worker) : -1;
}

bool pl_folder_enter(const char *path, char own_out[PL_FOLDER_PATH_MAX])
{
	int length = worker_path(own_out, path, getpid());

	return length > 0 && length < PL_FOLDER_PATH_MAX && !mkdir(own_out, 0700) && !setenv("TMPDIR", own_out, 1);
}

void pl_folder_remove(const struct pl_folder *folder, pid_t worker)
{
	char own[PL_FOLDER_PATH_MAX];
	int length = worker_path(own, folder->path, worker);

	if (length > 0 && length < PL_FOLDER_PATH_MAX && rmdir(own) < 0 && errno != ENOENT)
		tree_remove(own);
}
