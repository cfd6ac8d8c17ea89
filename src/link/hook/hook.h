/*
 * A lane that behaves like a worse network than the one under it: "hook:key=value,...;ADDRESS".  Both directions get
 * the same treatment, each by its own: a record leaves when the line is free (bandwidth) and arrives `delay_us` later;
 * what follows it does not wait for its arrival.  Faults count the records (and bytes) of one direction.  For tests and
 * for looking at what a network would cost; two wake-ups of threads come on top of the delay.
 *
 *   delay_us=N         one way
 *   bandwidth=N        bytes a second
 *   drop_after=N       the record after N others vanishes, with its payload, once
 *   cut_after=N        after N records the link is cut
 *   cut_after_bytes=N  the same by bytes; cuts through payload, but not through a record
 *   corrupt_every=N    each Nth record arrives with random bits turned over (its payload as it was).  Where that
 *                      hits a length the lane ends: with -EPROTO for the one who wraps it, -EPIPE for the peer
 *   seed=N             of the random bits
 * 0 or absent = off.  N may end in K, M or G (powers of 1000).
 */
#ifndef PL_LINK_HOOK_HOOK_H
#define PL_LINK_HOOK_HOOK_H

#include <stdint.h>

#include "link/link.h"

struct pl_hook_options {
	uint64_t delay_us;
	uint64_t bandwidth;       /* bytes a second */
	uint64_t drop_after, cut_after, corrupt_every; /* records */
	uint64_t cut_after_bytes;
	uint64_t seed;
};

/* Reads "key=value,...", "" included.  Return: 0, or fatal -EINVAL. */
int pl_hook_options_parse(const char *text, struct pl_hook_options *options_out);

/** pl_hook_lane_wrap() - puts a hook in front of a lane
 * The result's `fd` is the hook's own: readable when something has arrived, HUP when the link has ended.  destroy
 * delivers what is still on its way (bounded by seconds), unless the lane was shut down.  A hook has four threads; a
 * fork()ed child can not use it.
 * @inner: taken over in any case
 * Return: 0, or fatal -errno (no threads, no memory). */
int pl_hook_lane_wrap(struct pl_lane *inner, const struct pl_hook_options *options, struct pl_lane **lane_out);

#endif
