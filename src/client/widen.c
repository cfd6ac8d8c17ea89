/* More connections for a lane whose long payloads one connection does not carry fast enough (docs/adr/0030). */
#include "client/session-parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define MORE_NS_MAX (5ull * 1000000000u) /* whoever is in the call waits meanwhile */

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

void pl_client_lane_widens(const struct pl_session *session, struct pl_lane *lane)
{
	uint32_t count = chosen();

	if (!session->takes_more || session->in_region || !lane->can_widen || count == 1)
		return;
	lane->connections = 1;
	lane->connections_wanted = count;
	lane->widens = count ? PL_LANE_NARROW : PL_LANE_WIDENS;
}

static int more(struct pl_session *session, struct pl_lane *lane, uint64_t number)
{
	struct pl_hello hello = { .kind = PL_HELLO_MORE,
				  .api = session->api,
				  .api_hash = session->functions->hash,
				  .session = session->id,
				  .place = number,
				  .pid = (uint32_t)getpid() };
	int fd, r;

	memcpy(hello.secret, session->secret, sizeof(hello.secret));
	r = pl_link_dial_more(lane, &hello, MORE_NS_MAX, &fd);
	return r ? r : lane->ops->more(lane, fd, true);
}

void pl_client_lane_widen(struct pl_session *session, struct pl_lane *lane, uint64_t number)
{
	while (lane->connections < lane->connections_wanted) {
		if (more(session, lane, number)) {
			pl_log_info("%s: %u connections, no more", session->address, lane->connections);
			lane->widens = PL_LANE_NARROW;
			lane->connections_wanted = lane->connections;
			return;
		}
	}
	pl_log_debug("%s: lane %llu has %u connections", session->address, (unsigned long long)number,
		     lane->connections);
}
