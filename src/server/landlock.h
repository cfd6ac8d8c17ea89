/*
 * Landlock by its system calls (no library has them): what a process and everything that it starts may do with files.
 * A domain can only become narrower.  The facts of the kernel's interface stand in landlock.c.
 */
#ifndef PL_SERVER_LANDLOCK_H
#define PL_SERVER_LANDLOCK_H

#include <stdint.h>

enum pl_landlock_right {
	PL_LANDLOCK_READ = 1, /* files and folders below; with EXEC programs may be started */
	PL_LANDLOCK_EXEC = 2,
	PL_LANDLOCK_WRITE = 4,   /* make, change and remove files and folders */
	PL_LANDLOCK_DEVICE = 8,  /* read, write and ioctl device files */
	PL_LANDLOCK_LIST = 16,   /* names in a folder, not what is in the files */
	PL_LANDLOCK_CHANGE = 32, /* what is in files that are there */
};

#define PL_LANDLOCK_ABI_MIN 2 /* the first that lets files be renamed from one folder into another */

/* Return: the kernel's version of the interface; 0 = none, or switched off. */
int pl_landlock_abi(void);

/** pl_landlock_begin() - a set of rules that allows nothing yet
 * Also covers new tcp connections, abstract unix sockets and signals to processes outside, where `abi` has them.
 * Return: 0 and *rules_out (a descriptor); fatal -errno. */
int pl_landlock_begin(int abi, int *rules_out);
/** pl_landlock_allow() - the path and all below it
 * @rights: enum pl_landlock_right
 * Return: 0, also where there is no such path; fatal -errno. */
int pl_landlock_allow(int rules, int abi, const char *path, unsigned rights);
/* The calling thread, and whatever it starts from now on; PR_SET_NO_NEW_PRIVS must be set.  Closes `rules`. */
int pl_landlock_enter(int rules);

#endif
