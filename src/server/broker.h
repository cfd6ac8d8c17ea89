/*
 * Things of a session that another session of the same server may have: a note and perhaps a descriptor, which the
 * daemon keeps under a random token (shares.c).  Whoever has the token has the thing; it ends with its session.
 * Any thread; waits for the daemon.
 */
#ifndef PL_SERVER_BROKER_H
#define PL_SERVER_BROKER_H

#include <stdbool.h>
#include <stdint.h>

#define PL_BROKER_TOKEN_BYTES 16
#define PL_BROKER_NOTE_BYTES  96

struct pl_session_worker;

/** pl_broker_put() - gives it
 * @note: PL_BROKER_NOTE_BYTES, for whoever takes it
 * @fd: stays the caller's; -1 = none
 * Return: 0 and the token; fatal -ENOSPC: this session, or all, have given too much; -ETIMEDOUT, -errno. */
int pl_broker_put(struct pl_session_worker *session, uint32_t type, const void *note, int fd,
		  uint8_t token_out[PL_BROKER_TOKEN_BYTES]);
/* Who has taken it keeps it. */
void pl_broker_drop(struct pl_session_worker *session, const uint8_t token[PL_BROKER_TOKEN_BYTES]);

/** pl_broker_take() - another session's, or this one's
 * @own_out: it is this session's
 * @fd_out: owned by the caller; -1 = none
 * Return: 0; fatal -ENOENT: there is none of this type; -ETIMEDOUT, -errno. */
int pl_broker_take(struct pl_session_worker *session, uint32_t type, const uint8_t token[PL_BROKER_TOKEN_BYTES],
		   void *note_out, bool *own_out, int *fd_out);

#endif
