/*
 * Addresses of links: text to structure, structure to socket.  Internal to link/; the tool's doctor uses it too.
 */
#ifndef PL_LINK_ADDRESS_H
#define PL_LINK_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/hook/hook.h"
#include "link/link.h"

#define PL_ADDRESS_PATH_MAX 108  /* limit: of the kernel, bytes of a unix socket's path with its NUL */
#define PL_ADDRESS_HOST_MAX 256  /* limit: of the DNS, bytes of a name with its NUL */
#define PL_ADDRESS_BACKLOG  1024 /* connections that wait to be accepted */

enum pl_address_kind {
	PL_ADDRESS_UNIX,
	PL_ADDRESS_TCP,
	PL_ADDRESS_VSOCK,
	PL_ADDRESS_VSOCK_UNIX, /* the host's end of a user-space vsock device: a unix socket, but the peer is a guest */
};

struct pl_address {
	enum pl_address_kind kind;
	bool hooked; /* "hook:" stood in front */
	struct pl_hook_options hook;
	bool in_region;                   /* "ivshmem:" stood in front */
	char region[PL_ADDRESS_PATH_MAX]; /* its file; "" = the first device */
	uint64_t region_bytes;            /* 0 = not said */
	char path[PL_ADDRESS_PATH_MAX];   /* UNIX, VSOCK_UNIX */
	char host[PL_ADDRESS_HOST_MAX];   /* TCP; an IPv6 address without its brackets */
	char port[6];                     /* TCP; decimal, 0..65535 */
	uint32_t cid, vsock_port;         /* VSOCK; UINT32_MAX = any */
};

/** pl_address_parse() - reads "unix:/path", "tcp://host:port", "vsock:CID:PORT", "vsock:/path",
 * "ivshmem:[file][,size=N];ADDRESS", "hook:key=value,...;ADDRESS"
 * Return: 0 and *address_out, or fatal -EINVAL (what is wrong is logged as a warning). */
int pl_address_parse(const char *text, struct pl_address *address_out);

/** pl_address_next() - takes the first address from a list as $PLENUM has it
 * A comma ends an address only where another one begins behind it: "hook:delay_us=5,seed=1;unix:/x" is one.
 * @list: in and out; ends up behind the address
 * @address_out: in the list, not ended by '\0'
 * Return: its length, or 0 at the list's end.  Empty ones are passed over. */
size_t pl_address_next(const char **list, const char **address_out);

/** pl_address_connect() - a connected, blocking, close-on-exec socket
 * @deadline_ns: by pl_now_ns().  Looking a name up is not bounded by it: the resolver has its own limits
 * Return: 0 and *fd_out, or fatal -ECONNREFUSED, -ENOENT, -ETIMEDOUT, -EHOSTUNREACH (unknown name), -errno. */
int pl_address_connect(const struct pl_address *address, uint64_t deadline_ns, int *fd_out);

/** pl_address_connect_as() - a connection of the same kind to where another one goes
 * Return: 0 and *fd_out, or fatal as pl_address_connect(). */
int pl_address_connect_as(int fd, uint64_t deadline_ns, int *fd_out);

/** pl_address_listen() - a listening, blocking, close-on-exec socket
 * A unix socket that nobody listens on is replaced; its mode is 0600 before the first client can connect.
 * @bound_out: PL_LINK_ADDRESS_MAX bytes, the address with the real port
 * Return: 0 and *fd_out, or fatal -EADDRINUSE, -errno. */
int pl_address_listen(const struct pl_address *address, int *fd_out, char *bound_out);

#endif
