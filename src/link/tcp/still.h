/* Lanes over tcp that stand still and are restored (link/still.h): what the rest of the link needs of them. */
#ifndef PL_LINK_TCP_STILL_H
#define PL_LINK_TCP_STILL_H

#include "link/still.h"

extern const struct pl_still_ops pl_tcp_still_ops;

/* As pl_link_restored_lane(). */
int pl_tcp_lane_restore(const struct pl_lane_state *state, struct pl_lane **lane_out);

#endif
