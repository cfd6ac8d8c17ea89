/*
 * Talking to a server of another release: its numbers for our functions (wire/functions.h).  Where both releases know
 * the same functions there is no agreement, and nothing is translated.
 */
#ifndef PL_CLIENT_AGREE_H
#define PL_CLIENT_AGREE_H

#include "client/session.h"

/** pl_session_agree() - take the table that the server sends first on the reverse lane
 * Called while the session is opened, before anybody else receives.
 * Return: 0 and session->agreement; fatal -EPROTO: what came is no table; -EPROTONOSUPPORT: the releases can not talk
 * (explained through the log); -ETIMEDOUT, -EPIPE, -ENOMEM. */
int pl_session_agree(struct pl_session *session, uint64_t timeout_ns);

/* The server's number for one of our functions.  Return: 0 = refused; the first time the log says so. */
uint16_t pl_session_op_agreed(struct pl_session *session, uint16_t op);

static inline uint16_t pl_session_op(struct pl_session *session, uint16_t op)
{
	return __builtin_expect(session->agreement != NULL, 0) ? pl_session_op_agreed(session, op) : op;
}

/* Our number for what the server sent.  Return: 0 = nothing that we know. */
static inline uint16_t pl_session_reverse_op(const struct pl_session *session, uint16_t op)
{
	if (__builtin_expect(!session->agreement, 1))
		return op;
	return op <= PL_FUNCTION_OP_MAX ? session->agreement->reverse[op] : 0;
}

#endif
