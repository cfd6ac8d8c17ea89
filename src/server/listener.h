/* One address that the daemon listens on. */
#ifndef PL_SERVER_LISTENER_H
#define PL_SERVER_LISTENER_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>

#include "link/link.h"
#include "server/loop.h"

struct pl_listener {
	struct pl_source source;
	struct pl_daemon *daemon;
	bool local;                        /* unix socket: peers are known by uid, memory can be shared */
	struct pl_region *region;          /* of ivshmem: those who can read its key get a part of it; NULL = none */
	char address[PL_LINK_ADDRESS_MAX]; /* as bound */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; /* of our socket file; "" = none */
	dev_t path_device; /* which file it was: another daemon's is not removed */
	ino_t path_inode;
};

/** pl_listener_open() - binds
 * A socket file that nobody listens on any more is replaced; one in use is reported.
 * @others: users other than the daemon's own may connect (the greeting decides who): mode 0666, else 0600
 * Return: 0, or fatal -errno, explained through the log; source.fd is ready to be polled (non-blocking). */
int pl_listener_open(struct pl_listener *listener, const char *address, bool others);
/* Closes and removes our socket file.  Half-built is fine. */
void pl_listener_close(struct pl_listener *listener);
/** pl_listener_rename() - our socket file gets another name; whoever is connected, or about to be, stays so
 * Return: 0, or fatal -errno (the file is another daemon's: -ENOENT). */
int pl_listener_rename(struct pl_listener *listener, const char *path);
/* Also drops its region: no worker that has a part of it may be left. */
void pl_listener_fini(struct pl_listener *listener);

/* True for addresses whose peers are not known by uid. */
bool pl_listener_needs_token(const char *address);

/** pl_listener_accept() - the next connection, non-blocking and close-on-exec, with keep-alive on tcp
 * @uid_out, @pid_out: of a local peer, else -1 and 0
 * Return: fd; -EAGAIN: none is waiting (not logged); fatal -errno, -EMFILE among them. */
int pl_listener_accept(struct pl_listener *listener, uid_t *uid_out, pid_t *pid_out);

#endif
