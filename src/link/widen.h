/*
 * More connections for a lane whose long payloads one does not carry fast enough (docs/adr/0030), by the end that has
 * opened it.  For whoever uses the lane, between payloads.
 */
#ifndef PL_LINK_WIDEN_H
#define PL_LINK_WIDEN_H

#include "link/link.h"

/* From here on it has as many as $PLENUM_CONNECTIONS says, or finds out; the other end has to know of them. */
void pl_lane_widens(struct pl_lane *lane);

static inline bool pl_lane_wants(const struct pl_lane *lane)
{
	return __builtin_expect(lane->connections_wanted > lane->connections, 0);
}

/** pl_lane_widen() - gets what it wants, or says in the log that it stays as it is
 * @more: gives *fd_out, greeted and for the caller to own.  Return: 0, or it has failed
 * @name: of where it goes */
void pl_lane_widen(struct pl_lane *lane, int (*more)(void *arg, int *fd_out), void *arg, const char *name);

#endif
