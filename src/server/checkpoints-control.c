/* Control requests about sessions in files, and what `plenum ps` shows of them. */
#include "base/wait.h"
#include "server/checkpoints-internal.h"
#include "server/control.h"

static void state_answer(struct pl_conn *conn, const char *state, const char *why, uint64_t bytes)
{
	struct json_object *answer = pl_control_answer_new(true);

	pl_control_put_text(answer, "state", state);
	pl_control_put_text(answer, "why", why && *why ? why : NULL);
	pl_control_put_u64(answer, "bytes", bytes);
	pl_control_answer(conn, answer);
}

static bool looks_only(struct json_object *request)
{
	struct json_object *look = NULL;

	return json_object_object_get_ex(request, "look", &look) && json_object_get_boolean(look);
}

/* Return: it may go on, with *session_out. */
static bool request_good(struct pl_conn *conn, struct json_object *request, uint64_t *session_out)
{
	if (!pl_control_is_operator(conn)) {
		pl_control_refuse(conn, "only the server's own user and root may write sessions to checkpoints");
		return false;
	}
	if (conn->daemon->checkpoints.folder < 0) {
		pl_control_refuse(conn, "the server keeps no checkpoints: start it with --checkpoints=FOLDER");
		return false;
	}
	if (pl_control_number(request, "session", session_out) <= 0) {
		pl_control_refuse(conn, PL_CONTROL_NO_SESSION);
		return false;
	}
	return true;
}

void pl_control_checkpoint(struct pl_conn *conn, struct json_object *request)
{
	struct pl_daemon *daemon = conn->daemon;
	const struct pl_checkpoint_entry *entry;
	struct pl_pool_worker *worker;
	uint64_t session;

	if (!request_good(conn, request, &session))
		return;
	worker = pl_pool_find(daemon, session);
	entry = pl_checkpoints_find(daemon, session);
	if (entry) {
		state_answer(conn, "kept", entry->why, entry->bytes);
		return;
	}
	if (!worker) {
		pl_control_refuse(conn, PL_CONTROL_NO_SESSION);
		return;
	}
	if (!looks_only(request))
		pl_checkpoints_want(worker, pl_now_ns() + PL_CHECKPOINTS_REST_NS_MAX);
	if (worker->checkpoint.wanted)
		state_answer(conn, worker->checkpoint.fd ? "writes" : "leaves", NULL, 0);
	else
		state_answer(conn, "runs", worker->checkpoint.why, 0);
}

void pl_control_restore(struct pl_conn *conn, struct json_object *request)
{
	struct pl_checkpoint_entry *entry;
	uint64_t session;

	if (!request_good(conn, request, &session))
		return;
	entry = pl_checkpoints_find(conn->daemon, session);
	if (!entry && pl_pool_find(conn->daemon, session)) {
		state_answer(conn, "runs", NULL, 0);
		return;
	}
	if (!entry) {
		pl_control_refuse(conn, "no checkpoint of such a session: `plenum ps' lists those that there are");
		return;
	}
	if (!looks_only(request) && entry->api < PL_DAEMON_APIS_MAX) {
		entry->wanted = true;
		entry->why[0] = '\0';
	}
	state_answer(conn, entry->wanted ? "comes" : "kept", entry->why, entry->bytes);
}

void pl_control_put_checkpoints(struct json_object *answer, const struct pl_daemon *daemon)
{
	struct json_object *list = json_object_new_array();

	for (const struct pl_checkpoint_entry *entry = daemon->checkpoints.first; entry; entry = entry->next) {
		struct json_object *kept = json_object_new_object();

		pl_control_put_u64(kept, "id", entry->note.session);
		pl_control_put_text(kept, "program", entry->note.program);
		pl_control_put_u64(kept, "client_pid", entry->note.client_pid);
		pl_control_put_text(kept, "address", entry->note.address);
		pl_control_put_text(kept, "state", entry->wanted ? "comes" : "kept");
		pl_control_put_text(kept, "why", entry->why[0] ? entry->why : NULL);
		pl_control_put_u64(kept, "bytes", entry->bytes);
		pl_control_put_u64(kept, "written_s", entry->note.written_s);
		json_object_array_add(list, kept);
	}
	json_object_object_add(answer, "checkpoints", list);
}
