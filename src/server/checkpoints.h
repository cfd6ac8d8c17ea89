/*
 * Sessions that are written to files, and come back out of them: the daemon's side (docs/adr/0039; the worker's is
 * checkpoint.h).  A file is NUMBER.checkpoint in the folder that the server was given; while it is being written it has
 * another name.  Everything here belongs to the daemon's thread.
 *
 * A session is asked to be written by an operator, or by the server's end; it is suspended first, as `plenum suspend`
 * does.  Its client finds the server busy until it is back.
 */
#ifndef PL_SERVER_CHECKPOINTS_H
#define PL_SERVER_CHECKPOINTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/hand.h"

#define PL_CHECKPOINTS_REST_NS_MAX 60000000000ull /* limit: for a session's calls and its device to rest */
#define PL_CHECKPOINTS_LAST_NS_MAX 30000000000ull /* limit: the same when the server ends */
#define PL_CHECKPOINTS_PART_NS_MAX 40000000000ull /* limit: for all of a server that ends */

struct pl_conn;
struct pl_daemon;
struct pl_hello;
struct pl_pool_worker;

struct pl_checkpoint_want { /* of a session: it is to be written */
	bool wanted, was_held;
	int fd;                       /* it is being; 0 = not (yet) */
	uint64_t end_ns;              /* for it to rest */
	uint64_t again_ns;            /* it goes on until then, and is tried again */
	bool tried;                   /* it is written, and a worker tries, or is to try, whether it can come back */
	struct pl_pool_worker *trial; /* that one; NULL = none is ready yet */
	char why[PL_HAND_TEXT_MAX];   /* the last try failed; "" = it did not */
};

struct pl_checkpoint_entry; /* a session in a file: checkpoints-internal.h */

struct pl_checkpoints {
	int folder; /* -1 = none */
	struct pl_checkpoint_entry *first;
	uint64_t part_ns; /* the server ends, once what can be written is, or by then; 0 = it does not */
};

void pl_checkpoints_init(struct pl_checkpoints *checkpoints);
/** pl_checkpoints_open() - the folder, made where there is none, and what lies in it, which is to come back
 * Return: 0 or fatal -errno, explained. */
int pl_checkpoints_open(struct pl_daemon *daemon, const char *folder);
/* It takes no new sessions: the server that takes over may use the same folder. */
void pl_checkpoints_drain(struct pl_daemon *daemon);
void pl_checkpoints_fini(struct pl_daemon *daemon);

/* The server is to end: what can be written is, first.  Return: it waits for that; false: it may end. */
bool pl_checkpoints_part(struct pl_daemon *daemon);
/* Writes who is wanted and rests, reads who is to come back.  Return: when to call again. */
uint64_t pl_checkpoints_settle(struct pl_daemon *daemon, uint64_t now_ns);
/* WRITTEN or READ of a worker; others are passed over. */
void pl_checkpoints_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand);
/* READ of a worker that tries a file whose session still waits; others are passed over. */
void pl_checkpoints_tried(struct pl_daemon *daemon, struct pl_pool_worker *trial, const struct pl_hand *hand);
void pl_checkpoints_ended(struct pl_daemon *daemon, struct pl_pool_worker *worker);

/* A client comes back, or wants another lane, whose session is in a file. */
bool pl_checkpoints_keep(const struct pl_daemon *daemon, const struct pl_hello *hello);
/* So many workers of this API are needed for sessions that are to come back. */
uint32_t pl_checkpoints_waiting(const struct pl_daemon *daemon, uint32_t api);

#endif
