/*
 * Where workers keep temporary files: a folder for each, inside one of this server's own, so that nothing stays of a
 * worker that was killed.  A server that was killed itself holds no lock on its folder any more: the next one that
 * starts takes it away.
 */
#ifndef PL_SERVER_FOLDER_H
#define PL_SERVER_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#define PL_FOLDER_PATH_MAX 64 /* bytes of any path here, NUL included */

struct pl_folder {
	int lock_fd;                   /* the folder itself, locked; not for workers */
	char path[PL_FOLDER_PATH_MAX]; /* "" = there is none: workers use what the environment says */
};

/* Makes it in TMPDIR or /tmp.  Without one the server goes on, and says so.
 * @users: workers are other users: they may pass through it */
void pl_folder_init(struct pl_folder *folder, bool users);
void pl_folder_fini(struct pl_folder *folder);

/* In a fresh worker: makes its folder, and TMPDIR lead there.  Return: false = it has none. */
bool pl_folder_enter(const char *path, char own_out[PL_FOLDER_PATH_MAX]);
/* The worker has ended. */
void pl_folder_remove(const struct pl_folder *folder, pid_t worker);

#endif
