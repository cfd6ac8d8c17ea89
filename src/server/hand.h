/*
 * What daemon and worker say to each other: fixed messages over a SEQPACKET socket pair, with at most two
 * file descriptors.  The worker trusts the daemon; the daemon checks what a worker says, since a driver in it may have
 * been turned against us by a client.
 */
#ifndef PL_SERVER_HAND_H
#define PL_SERVER_HAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "server/quota.h"
#include "wire/wire.h"

#define PL_HAND_TEXT_MAX    160 /* limit: bytes of a worker's reason, its NUL included */

#define PL_HAND_FDS         2

#define PL_SWAP_DEVICES_MAX 16 /* limit: devices of a server whose memory is oversubscribed (swap.h) */

enum pl_hand_kind {
	PL_HAND_READY = 1,  /* worker: the driver is loaded */
	PL_HAND_FAILED,     /* worker: it is not, `text` says why; the worker ends */
	PL_HAND_SESSION,    /* daemon: serve this client; with its connection */
	PL_HAND_LANE,       /* daemon: one more lane; with its connection */
	PL_HAND_MORE,       /* daemon: one more connection of a lane; with it */
	PL_HAND_AGAIN,      /* daemon: a connection in place of a lane's; with it */
	PL_HAND_COUNT,      /* daemon: write the counters to the shared page */
	PL_HAND_COUNTED,    /* worker: done */
	PL_HAND_DIAL,       /* worker: connect to the server at `text`; `session` is the number of the request */
	PL_HAND_DIALED,     /* daemon: the answer; with the connection, or `text` says why not */
	PL_HAND_PEER,       /* daemon: another server's worker, or one more of its; with its connection */
	PL_HAND_PUT,        /* worker: keep this for other sessions; a descriptor may come along */
	PL_HAND_DROP,       /* worker: no more; no answer */
	PL_HAND_TAKE,       /* worker: what was put under this token */
	PL_HAND_ANSWER,     /* daemon: to PUT, TAKE and FIND; with what was put or kept */
	PL_HAND_KEEP,       /* worker: keep this for sessions to come; with a sealed file; no answer */
	PL_HAND_FIND,       /* worker: what is kept under this digest */
	PL_HAND_LIMIT,      /* daemon: the session's limits from now on */
	PL_HAND_SPOILT,     /* worker: it is something else; no answer */
	PL_HAND_CLAIM,      /* worker: `type` is an enum pl_swap_claim, `swap` what it is about; answered with GRANT */
	PL_HAND_GRANT,      /* daemon: `result` */
	PL_HAND_UNCLAIM,    /* worker: so much was freed; no answer */
	PL_HAND_LEAVE,      /* daemon: move at least so much to host memory, `own`: and rest; answered with LEFT */
	PL_HAND_LEFT,       /* worker: so much was; `own`: it was asked to; `bytes`: ns that the last way back took;
			     * `result`: PL_SWAP_RESTS, or 0 */
	PL_HAND_CHECKPOINT, /* daemon: write the session, which rests, to this file; answered with WRITTEN */
	PL_HAND_WRITTEN,    /* worker: `result`, `text` says why not; it then waits for its end, or has gone on */
	PL_HAND_GO_ON,      /* daemon: the file has come to nothing, for `result`: go on as before */
	PL_HAND_RESTORE,    /* daemon: be the session of this file; answered with READ */
	PL_HAND_READ,       /* worker: `result`, `text` says why not; `swap`, `swap_out` */
};

#define PL_SWAP_RESTS 1 /* it enters no call before it has claimed BACK, whether it has memory or not */

enum pl_swap_claim {
	PL_SWAP_MORE = 1, /* so much more memory; with it goes all of the session's own */
	PL_SWAP_BACK,     /* all of the session's own, and no more */
	PL_SWAP_PRESS,    /* the driver has no room for this: others are to give up as much */
};

struct pl_hand {
	uint32_t kind;                        /* enum pl_hand_kind */
	bool local;                           /* SESSION: unix socket, memory can be shared */
	uint64_t region_offset, region_bytes; /* SESSION: its part of a region of ivshmem; 0 bytes = none */
	uint64_t session;                     /* SESSION, RESTORE; else the request and its answer */
	uint8_t secret[16];                   /* SESSION, RESTORE; PUT, DROP, TAKE: the token */
	uint32_t type;                        /* PUT, TAKE: the backend's; CLAIM */
	int32_t result;                       /* ANSWER, GRANT, WRITTEN, GO_ON, READ: 0, or -errno */
	bool own;                             /* ANSWER: the asking session put it; LEFT */
	uint8_t digest[PL_DIGEST_BYTES];      /* KEEP, FIND, SPOILT: of the content */
	uint64_t bytes;                       /* KEEP, FIND, SPOILT: of the content; LEFT */
	uint64_t limits[PL_QUOTA_KINDS];      /* LIMIT, RESTORE */
	uint64_t swap[PL_SWAP_DEVICES_MAX]; /* READY: what each device has; CLAIM, UNCLAIM, LEAVE, LEFT, READ: bytes */
	uint64_t swap_out[PL_SWAP_DEVICES_MAX]; /* READ: of them, in host memory */
	uint8_t peer_key[16];                   /* SESSION, RESTORE: what PL_HELLO_PEER and _MORE for it has to show */
	struct pl_hello hello;       /* SESSION, LANE, MORE, AGAIN; PEER: kind and place; without the token */
	char text[PL_HAND_TEXT_MAX]; /* FAILED, WRITTEN, READ, DIAL, DIALED; PUT, ANSWER: PL_BROKER_NOTE_BYTES */
};

/** pl_hand_send() - never blocks
 * @fd, @region_fd: go along (stay open here); -1 = none, and no region without a connection
 * Return: 0; fatal -EAGAIN: the other side does not read; -EPIPE: it is gone; -errno. */
int pl_hand_send(int socket, const struct pl_hand *hand, int fd, int region_fd);

/** pl_hand_recv() - never blocks
 * @fds_out: connection and region, close-on-exec, -1 = did not come; owned by the caller.  NULL: the kernel drops
 * whatever was sent along
 * Return: 0; -EAGAIN: nothing there (not logged); fatal -EPIPE: the other side is gone; -EPROTO: not a message. */
int pl_hand_recv(int socket, struct pl_hand *hand_out, int fds_out[PL_HAND_FDS]);

/* The same of any message of a fixed length, with one descriptor at most (-1 = none). */
int pl_hand_send_bytes(int socket, const void *bytes, size_t len, int fd);
int pl_hand_recv_bytes(int socket, void *bytes_out, size_t len, int *fd_out);

#endif
