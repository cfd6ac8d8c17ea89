/*
 * Checkpoints: a session that is written to a file and goes on in another worker (docs/adr/0039).  This is the worker's
 * side: what is noted while calls run, how the lanes' threads are brought to a stand, and the file.  Who is written and
 * when is the daemon's business (checkpoints.h).
 *
 * A call is noted when it has made, changed or ended something that outlives it (journal.h); in the other worker it is
 * said again, through the same handlers.  What memory contains is the backend's to write and to read.
 */
#ifndef PL_SERVER_CHECKPOINT_H
#define PL_SERVER_CHECKPOINT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/hand.h"
#include "server/journal.h"
#include "wire/wire.h"

#define PL_CHECKPOINT_WHY_MAX PL_HAND_TEXT_MAX /* limit: bytes of a reason, for people */

struct pl_serve;
struct pl_session_worker;
struct pl_lanes;
struct pl_checkpoint_file; /* checkpoint-file.h */

enum pl_checkpoint_records {
	PL_CHECKPOINT_NOT,     /* it leaves nothing behind but in memory, and begins no group */
	PL_CHECKPOINT_MAKES,   /* it makes or ends something, and says so by pl_checkpoint_made() and _ended() */
	PL_CHECKPOINT_CHANGES, /* it changes something that is there */
};

/* What a backend does for it.  But for the first five: while the session rests (swap.h), or before it has begun. */
struct pl_checkpoint_ops {
	enum pl_checkpoint_records (*records)(uint16_t op);
	/* A call that makes or ends something and changes something else, too: a graph that gets a node. */
	bool (*changes)(uint16_t op);
	/* journal.h: which calls take the place of earlier ones. */
	uint32_t (*key)(uint16_t op, const uint64_t *words, uint32_t count, uint64_t key_out[PL_JOURNAL_KEY_MAX]);
	/* The payload of such a call is needed, too. */
	bool (*payload)(uint16_t op);
	/* Not 0: each call belongs to what this number stands for, a capture: all or none of them are said again.
	 * Another one has another number. */
	uint64_t (*group)(struct pl_session_worker *session);
	/* How many ids the server has given: the next one follows from it. */
	uint64_t (*ids)(struct pl_session_worker *session);

	/* Why the session can not be written down; NULL: it can. */
	const char *(*hindrance)(struct pl_session_worker *session);
	/* What no call brings back.  Return: 0 or fatal -errno. */
	int (*save)(struct pl_session_worker *session, struct pl_checkpoint_file *file);
	/* The first part of that, ahead of the calls, and the rest, behind them; bytes_out: of each device, in host
	 * memory.  What it says in the log tells people why. */
	int (*load)(struct pl_session_worker *session, struct pl_checkpoint_file *file);
	int (*loaded)(struct pl_session_worker *session, struct pl_checkpoint_file *file,
		      uint64_t bytes_out[PL_SWAP_DEVICES_MAX]);
	/* Around a call that is said again.  Return of the latter: its answer is as good as the first one was. */
	int (*again)(struct pl_serve *serve, const struct pl_journal_record *record);
	bool (*same)(struct pl_serve *serve, const struct pl_journal_record *record, int32_t status, const void *reply,
		     uint64_t reply_bytes);
	/* A lane's thread begins whose client had this as its note when the session was written. */
	void (*lane)(struct pl_serve *serve, uint64_t note);
};

/* Where a lane's thread is. */
enum pl_checkpoint_stage {
	PL_CHECKPOINT_RECEIVES, /* or is about to answer */
	PL_CHECKPOINT_READY, /* has a call that it may not begin: behind others, or at the gate of a session at rest */
	PL_CHECKPOINT_RUNS,
	PL_CHECKPOINT_STANDS,
};

/* Of a lane, in its thread's struct pl_serve. */
struct pl_checkpoint_lane {
	struct pl_serve *next, **link; /* under the checkpoint's lock */
	_Atomic uint32_t stage;
	struct pl_wire_head stream_head; /* of the payload that has come ahead */
	uint64_t note;                   /* the backend's: what its client has said for the calls to come */
	struct pl_journal_call call;
	bool noted;     /* the call at hand is, or may be */
	int32_t status; /* that it ended with */
	uint64_t ids, group;
	uint64_t part_of; /* the backend's: the group of a call outside of captures; it is noted as if it had none */
	uint8_t *reply, *payload; /* of it, where it is noted; owned */
	uint64_t reply_bytes, payload_bytes;
	uint64_t payload_length; /* that it had, whether it is noted or not */
};

struct pl_checkpoint {
	const struct pl_checkpoint_ops *ops;
	struct pl_journal *journal;
	pthread_mutex_t lock;
	pthread_cond_t news;
	bool halted;             /* under lock */
	struct pl_serve *serves; /* as well: one a lane */
};

/** pl_checkpoint_start() - from now on calls are noted; before the session's first one
 * Return: 0, or fatal -ENOMEM. */
int pl_checkpoint_start(struct pl_session_worker *session, const struct pl_checkpoint_ops *ops);

/* ---- for the lane's loop (serve.c): nothing happens without a checkpoint ---- */

void pl_checkpoint_lane_begins(struct pl_serve *serve, const uint64_t *note); /* as pl_serve_lane() */
void pl_checkpoint_lane_ends(struct pl_serve *serve);
/* Its thread stands until the lanes go on; for good, if the session is written. */
void pl_checkpoint_stand(struct pl_serve *serve);
/* It has a call that may have to wait before it begins. */
void pl_checkpoint_ready(struct pl_serve *serve);
void pl_checkpoint_call_begins(struct pl_serve *serve, bool ordered);
void pl_checkpoint_call_ends(struct pl_serve *serve);
/* The answer to the call at hand, and what has come of its payload. */
void pl_checkpoint_reply(struct pl_serve *serve, const void *body, uint64_t bytes);
void pl_checkpoint_payload(struct pl_serve *serve, const void *data, uint64_t bytes);

/* ---- for backends: the call at hand has made this, or ended it ---- */

/* bytes: of a range of addresses; 1: an id.  Any thread: nothing happens where there is no such call. */
void pl_checkpoint_made(uint64_t from, uint64_t bytes);
void pl_checkpoint_ended(uint64_t from);
/* There was no room for what else is to be known of it: the session can not be written down any more. */
void pl_checkpoint_missed(void);

/* ---- for the worker's main thread ---- */

/** pl_checkpoint_write() - the session into a file, which begins where fd stands
 * The lanes stand afterwards, and their client asks for other connections, until pl_checkpoint_undo(), or the process
 * ends.  Return: 0, or -errno and why_out; then all goes on as before.  -EBUSY, -ETIMEDOUT: it may be possible later,
 * once its calls have gone on for a while. */
int pl_checkpoint_write(struct pl_session_worker *session, struct pl_lanes *lanes, int fd,
			char why_out[PL_CHECKPOINT_WHY_MAX]);
void pl_checkpoint_undo(struct pl_session_worker *session, struct pl_lanes *lanes);

/** pl_checkpoint_read() - the session of such a file, in a worker that has none
 * Its lanes wait for their client.
 * @bytes_out, @away_out: what it has of each device that can be moved, and what of it is in host memory
 * Return: 0; or -errno and why_out: the worker ends. */
int pl_checkpoint_read(struct pl_session_worker *session, struct pl_lanes *lanes, int fd,
		       uint64_t bytes_out[PL_SWAP_DEVICES_MAX], uint64_t away_out[PL_SWAP_DEVICES_MAX],
		       char why_out[PL_CHECKPOINT_WHY_MAX]);

#endif
