#include "client/agree.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"

static int table_read(struct pl_session *session, const struct pl_wire_head *head, struct pl_agreement *agreement)
{
	struct pl_dec dec = { .at = (const uint8_t *)(head + 1), .end = (const uint8_t *)head + head->len_bytes };
	char what[PL_FUNCTION_NAME_MAX] = "";
	int r;

	if (head->op != PL_WIRE_OP_FUNCTIONS || head->flags || head->bulk_bytes)
		return pl_err(-EPROTO);
	r = pl_functions_agree(session->functions, &dec, agreement, what);
	if (r == PL_FUNCTIONS_E_VERSION)
		pl_log_error("%s is of a release that can not talk to this one: update the older side",
			     session->address);
	if (r == PL_FUNCTIONS_E_REVERSE)
		pl_log_error("%s sends another %s than this release understands: update the older side",
			     session->address, what);
	return r > 0 ? pl_err(-EPROTONOSUPPORT) : pl_trace(r);
}

int pl_session_agree(struct pl_session *session, uint64_t timeout_ns)
{
	pl_cleanup(pl_freep) struct pl_agreement *agreement = malloc(sizeof(*agreement));
	const struct pl_wire_head *head;
	int r;

	if (!agreement)
		return pl_err(-ENOMEM);
	r = pl_lane_recv(session->reverse, timeout_ns, &head);
	if (r)
		return pl_err(r == PL_LANE_E_TIMEOUT ? -ETIMEDOUT : r);
	r = table_read(session, head, agreement);
	if (r)
		return pl_trace(r);
	pl_log_info("%s is of another release: functions are agreed by name", session->address);
	session->agreement = pl_steal(agreement);
	return 0;
}

/* Several threads may say it at one time: then it is said twice. */
static void refusal_say(struct pl_session *session, uint16_t op, bool differs)
{
	_Atomic uint8_t *said = &session->refusals_said[op / 8];
	uint8_t bit = (uint8_t)(1u << op % 8);

	if (atomic_fetch_or(said, bit) & bit)
		return;
	pl_log_warn("%s: %s is refused: the server, of another release, %s", session->address,
		    pl_functions_name(session->functions, op),
		    differs ? "has another layout of it" : "does not have it");
}

uint16_t pl_session_op_agreed(struct pl_session *session, uint16_t op)
{
	uint16_t agreed = op <= PL_FUNCTION_OP_MAX ? session->agreement->call[op] : PL_FUNCTION_LACKS;

	if (agreed != PL_FUNCTION_LACKS && agreed != PL_FUNCTION_DIFFERS)
		return agreed;
	if (op <= PL_FUNCTION_OP_MAX)
		refusal_say(session, op, agreed == PL_FUNCTION_DIFFERS);
	return 0;
}
