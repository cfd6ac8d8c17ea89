/*
 * The session's order: calls run in the order of their tickets, whichever lane brought them.  A thread takes the turn
 * of its ticket, runs the call, and gives the turn on; it may give it on early when the call is going to block.
 */
#ifndef PL_SERVER_TURN_H
#define PL_SERVER_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wait.h"

struct pl_turn {
	_Atomic uint64_t next;     /* ticket whose turn it is */
	_Atomic uint32_t sleepers; /* futex */
	_Atomic bool closed;
};

void pl_turn_init(struct pl_turn *turn); /* first ticket is 1 */
/* Waits for the ticket's turn.  Return: 0; -EPROTO: the ticket was used before; -EPIPE: closed. */
int pl_turn_take(struct pl_turn *turn, struct pl_wait *wait, uint64_t ticket);
/* Waits until that ticket's turn and all before it have been given on.  Return: 0; -EPROTO: no ticket; -EPIPE: closed.
 */
int pl_turn_behind(struct pl_turn *turn, uint64_t ticket);
void pl_turn_give(struct pl_turn *turn, uint64_t ticket);
void pl_turn_close(struct pl_turn *turn); /* wakes everybody */

#endif
