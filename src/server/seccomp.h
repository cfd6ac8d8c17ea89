/*
 * System calls that no worker needs: they fail with EPERM, for the worker and all that it starts, and the kernel's
 * audit log says so.  What drivers may need is not listed: a driver is somebody else's code.
 */
#ifndef PL_SERVER_SECCOMP_H
#define PL_SERVER_SECCOMP_H

/** pl_seccomp_enter() - the calling thread, and whatever it starts from now on; PR_SET_NO_NEW_PRIVS must be set
 * Return: 0; fatal -errno: -ENOSYS: not on this machine (no filter was made). */
int pl_seccomp_enter(void);

#endif
