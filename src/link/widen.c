#include "link/widen.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* $PLENUM_CONNECTIONS: how many each lane has; 0: the lane finds out. */
static uint32_t chosen(void)
{
	static _Atomic uint32_t known; /* 1 + it */
	const char *text = getenv("PLENUM_CONNECTIONS");
	uint32_t count = atomic_load(&known);
	char *end = NULL;
	unsigned long number;

	if (count)
		return count - 1;
	number = text && *text ? strtoul(text, &end, 10) : 0;
	if (text && *text && strcmp(text, "auto") && (*end || !number || number > PL_LANE_CONNECTIONS_MAX)) {
		pl_log_warn("PLENUM_CONNECTIONS=%s: a number from 1 to %u, or auto", text, PL_LANE_CONNECTIONS_MAX);
		number = 0;
	}
	atomic_store(&known, (uint32_t)number + 1);
	return (uint32_t)number;
}

void pl_lane_widens(struct pl_lane *lane)
{
	uint32_t count = chosen();

	if (!lane->can_widen || count == 1)
		return;
	lane->connections = 1;
	lane->connections_wanted = count;
	lane->widens = count ? PL_LANE_NARROW : PL_LANE_WIDENS;
}

void pl_lane_widen(struct pl_lane *lane, int (*more)(void *arg, int *fd_out), void *arg, const char *name)
{
	while (pl_lane_wants(lane)) {
		int fd, r = more(arg, &fd);

		if (r || lane->ops->more(lane, fd, true)) {
			pl_log_info("%s: %u connections, no more", name, lane->connections);
			lane->widens = PL_LANE_NARROW;
			lane->connections_wanted = lane->connections;
			return;
		}
	}
	pl_log_debug("%s: a lane has %u connections", name, lane->connections);
}
