/* More connections for a session's lanes. */
#include "client/session-parts.h"

#include <string.h>
#include <unistd.h>

#include "link/connection.h"
#include "link/widen.h"

#define MORE_NS_MAX (5ull * 1000000000u) /* whoever is in the call waits meanwhile */

void pl_client_lane_widens(const struct pl_session *session, struct pl_lane *lane)
{
	if (session->takes_more && !session->in_region)
		pl_lane_widens(lane);
	if (session->keeps) /* a lane that does it by itself could not be kept: docs/adr/0030 */
		lane->widens = PL_LANE_NARROW;
}

struct more {
	const struct pl_session *session;
	const struct pl_lane *lane;
	uint64_t number;
};

static int more(void *arg, int *fd_out)
{
	const struct more *of = arg;
	struct pl_hello hello = { .kind = PL_HELLO_MORE,
				  .api = of->session->api,
				  .api_hash = of->session->functions->hash,
				  .session = of->session->id,
				  .place = of->number,
				  .pid = (uint32_t)getpid() };

	memcpy(hello.secret, of->session->secret, sizeof(hello.secret));
	return pl_link_dial_more(of->lane, &hello, MORE_NS_MAX, fd_out);
}

void pl_client_lane_widen(struct pl_session *session, struct pl_lane *lane, uint64_t number)
{
	struct more of = { session, lane, number };

	pl_lane_widen(lane, more, &of, session->address);
}
