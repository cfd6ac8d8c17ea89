/* Between checkpoints.c and checkpoints-control.c: a session in a file. */
#ifndef PL_SERVER_CHECKPOINTS_ENTRY_H
#define PL_SERVER_CHECKPOINTS_ENTRY_H

#include "server/daemon-internal.h"

/* In front of what the worker writes: what the daemon knows of the session. */
struct pl_checkpoint_note {
	uint64_t magic, session;
	uint8_t secret[16], peer_key[16];
	uint32_t api, client_pid; /* enum pl_api */
	uint64_t limits[PL_QUOTA_KINDS];
	struct pl_peer_name name;
	char program[64], address[PL_AUDIT_ADDRESS_MAX];
	uint64_t written_s; /* since the epoch */
};

struct pl_checkpoint_entry {
	struct pl_checkpoint_entry *next;
	struct pl_checkpoint_note note;
	uint32_t api; /* place in options->apis; PL_DAEMON_APIS_MAX: this server has none such */
	uint64_t bytes;
	uint32_t tries;                /* that came out differently */
	bool wanted;                   /* back */
	struct pl_pool_worker *comes;  /* reads it */
	struct pl_pool_worker *writer; /* has written it, and has not ended yet; NULL = it has */
	char why[PL_HAND_TEXT_MAX];    /* the last try failed; "" = it did not */
};

/* NULL: it is in no file. */
struct pl_checkpoint_entry *pl_checkpoints_find(const struct pl_daemon *daemon, uint64_t session);
/* The session is to be written, if it comes to rest by then. */
void pl_checkpoints_want(struct pl_pool_worker *worker, uint64_t end_ns);

#endif
