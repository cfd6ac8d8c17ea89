/*
 * What a worker is kept from, and every compiler that it starts: files that no driver needs, system calls that no
 * driver needs, other processes, capabilities, and with a range of user ids the server's own user.  docs/security.md
 * says what holds.  A worker loads its driver inside: threads that a driver starts are confined as well.
 */
#ifndef PL_SERVER_CONFINE_H
#define PL_SERVER_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PL_CONFINE_PATHS_MAX  64  /* limit: paths that the operator names */
#define PL_CONFINE_RULES_MAX  256 /* limit: paths in all */
#define PL_CONFINE_GROUPS_MAX 16  /* limit: groups of devices that a worker with its own user id keeps */

struct pl_confine_options { /* strings are borrowed */
	bool off;
	const char *read[PL_CONFINE_PATHS_MAX]; /* besides what drivers are known to need; programs there may be run */
	const char *write[PL_CONFINE_PATHS_MAX];
	uint32_t read_count, write_count;
	uid_t uid_first; /* 0 = workers stay the server's user */
	uint32_t uids_count;
};

struct pl_confine {
	bool off;
	int landlock_abi; /* 0 = files are not confined */
	uid_t uid_first;
	uint32_t uids_count;
	gid_t groups[PL_CONFINE_GROUPS_MAX];
	uint32_t groups_count, rules_count;
	struct pl_confine_rule {
		char *path;
		unsigned rights; /* enum pl_landlock_right */
	} rules[PL_CONFINE_RULES_MAX];
};

/** pl_confine_prepare() - in the daemon, before the first worker: find out what there is to allow
 * Logs one line where the kernel can not confine files.  Makes the drivers' cache folders, if they are missing.
 * @libraries: of the drivers, of which any may be NULL
 * Return: 0 and *confine_out (release with pl_confine_fini()); fatal, explained in the log. */
int pl_confine_prepare(struct pl_confine *confine_out, const struct pl_confine_options *options,
		       const char *const *libraries, uint32_t libraries_count);
void pl_confine_fini(struct pl_confine *confine);

/** pl_confine_user() - in a fresh worker, as root: become user uid_first + slot, with the devices' groups
 * @folder: the worker's own; becomes that user's, and its home
 * Return: 0, also where none is configured; fatal -errno: the worker must end. */
int pl_confine_user(const struct pl_confine *confine, uint32_t slot, const char *folder);

/** pl_confine_enter() - in a worker that has one thread: everything else; there is no way back
 * @folder: where it may write; NULL = TMPDIR or /tmp
 * Return: 0; fatal -errno: the worker must end. */
int pl_confine_enter(const struct pl_confine *confine, const char *folder);

#endif
