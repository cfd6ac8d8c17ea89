/* What the files checkpoints*.c share: a session in a file, its writing and the trial. */
#ifndef PL_SERVER_CHECKPOINTS_INTERNAL_H
#define PL_SERVER_CHECKPOINTS_INTERNAL_H

#include "server/daemon-internal.h"

#define PL_CHECKPOINT_NOTE_MAGIC 0x31304e4f4953534dull /* changes with the layout */
#define PL_CHECKPOINTS_NAME_MAX  64u

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

/* ---- checkpoints.c: the folder and what lies in it ---- */

/* NULL: it is in no file. */
struct pl_checkpoint_entry *pl_checkpoints_find(const struct pl_daemon *daemon, uint64_t session);
/* Return: NULL: there is no memory. */
struct pl_checkpoint_entry *pl_checkpoints_add(struct pl_daemon *daemon, const struct pl_checkpoint_note *note,
					       uint64_t bytes);
/* Of a session's file; while it is being written it has another one. */
void pl_checkpoints_name(char name_out[PL_CHECKPOINTS_NAME_MAX], uint64_t session, bool whole);
/* Return: it is one. */
bool pl_checkpoints_note_read(int fd, struct pl_checkpoint_note *note);

/* ---- checkpoints-write.c ---- */

/* The session is to be written, if it comes to rest by then. */
void pl_checkpoints_want(struct pl_pool_worker *worker, uint64_t end_ns);
void pl_checkpoints_want_failed(struct pl_pool_worker *worker, const char *why);
/* It has a secret in it. */
struct pl_checkpoint_note pl_checkpoints_note_of(const struct pl_pool_worker *worker);
/* Of a session that is wanted. */
void pl_checkpoints_write_settle(struct pl_pool_worker *worker, uint64_t now_ns);
void pl_checkpoints_written(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand);
/* The file is whole, and the session is in it from now on. */
void pl_checkpoints_written_finish(struct pl_daemon *daemon, struct pl_pool_worker *worker);

/* ---- checkpoints-try.c: whether it comes back, before its worker ends ---- */

/* Sends a worker the file under this name.  Return: it has it; false: *why_out says why not; NULL: that one does not
 * listen, another one may. */
bool pl_checkpoints_restore_ask(struct pl_daemon *daemon, const struct pl_checkpoint_note *note, const char *name,
				struct pl_pool_worker *worker, const char **why_out);
/* Of a session whose file is written; nothing happens while no worker is spare. */
void pl_checkpoints_trial_begin(struct pl_pool_worker *worker);
void pl_checkpoints_trial_end(struct pl_pool_worker *trial);
/* The session goes on. */
void pl_checkpoints_trial_failed(struct pl_pool_worker *worker, const char *why);

#endif
