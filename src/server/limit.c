/* What a running session may hold, changed through the control socket.  The worker enforces it (quota.h). */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "server/control.h"

static const struct {
	const char *key;       /* of the request, and in the answer */
	const char *limit_key; /* of a session */
} names[PL_QUOTA_KINDS] = {
	[PL_QUOTA_OBJECTS] = { "objects", "objects_limit" },
	[PL_QUOTA_MEMORY] = { "memory_bytes", "memory_limit_bytes" },
	[PL_QUOTA_HOST] = { "host_bytes", "host_limit_bytes" },
	[PL_QUOTA_INFLIGHT] = { "inflight_bytes", "inflight_limit_bytes" },
};

static void put_limit(struct json_object *object, const char *key, uint64_t limit)
{
	if (limit == UINT64_MAX)
		pl_control_put_text(object, key, NULL);
	else
		pl_control_put_u64(object, key, limit);
}

void pl_control_put_limits(struct json_object *session, const struct pl_pool_worker *worker)
{
	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		put_limit(session, names[i].limit_key, worker->limits[i]);
}

static struct json_object *limits_describe(const uint64_t limits[PL_QUOTA_KINDS])
{
	struct json_object *object = json_object_new_object();

	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		put_limit(object, names[i].key, limits[i]);
	return object;
}

/* Return: all that is there makes sense; false: it was answered. */
static bool limits_read(struct pl_conn *conn, struct json_object *request, uint64_t limits[PL_QUOTA_KINDS])
{
	char why[96];

	for (int i = 0; i < PL_QUOTA_KINDS; i++) {
		uint64_t value = 0;
		int r = pl_control_number(request, names[i].key, &value);

		if (r < 0 || (r && (!value || (i == PL_QUOTA_OBJECTS && value > PL_HANDLES_MAX)))) {
			snprintf(why, sizeof(why), "%s: a number from 1 to %llu", names[i].key,
				 i == PL_QUOTA_OBJECTS ? (unsigned long long)PL_HANDLES_MAX
						       : (unsigned long long)INT64_MAX);
			pl_control_refuse(conn, why);
			return false;
		}
		if (r)
			limits[i] = value;
	}
	return true;
}

void pl_control_limit(struct pl_conn *conn, struct json_object *request)
{
	struct pl_hand hand = { .kind = PL_HAND_LIMIT };
	struct pl_pool_worker *worker = NULL;
	struct json_object *answer;
	uint64_t session = 0;

	if (!pl_control_is_operator(conn)) {
		pl_control_refuse(conn, "only the server's own user and root may change limits");
		return;
	}
	if (pl_control_number(request, "session", &session) > 0)
		worker = pl_pool_find(conn->daemon, session);
	if (!worker) {
		pl_control_refuse(conn, PL_CONTROL_NO_SESSION);
		return;
	}
	memcpy(hand.limits, worker->limits, sizeof(hand.limits));
	if (!limits_read(conn, request, hand.limits))
		return;
	if (memcmp(hand.limits, worker->limits, sizeof(hand.limits)) &&
	    pl_hand_send(worker->source.fd, &hand, -1, -1) < 0) {
		pl_control_refuse(conn, "the session's worker takes no message; try again");
		return;
	}
	pl_pool_count(conn->daemon, worker);
	answer = pl_control_answer_new(true);
	json_object_object_add(answer, "old", limits_describe(worker->limits));
	json_object_object_add(answer, "new", limits_describe(hand.limits));
	memcpy(worker->limits, hand.limits, sizeof(worker->limits));
	pl_control_answer_counted(conn, answer); /* once they hold */
}
