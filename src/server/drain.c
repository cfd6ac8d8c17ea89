#include "server/drain.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"
#include "server/control.h"

void pl_drain_init(struct pl_drain *drain)
{
	*drain = (struct pl_drain){ .end_ns = UINT64_MAX, .successors.fd = -1 };
}

void pl_drain_fini(struct pl_daemon *daemon)
{
	pl_handed_fini(daemon);
}

void pl_drain_begin(struct pl_daemon *daemon)
{
	if (daemon->drain.on)
		return;
	daemon->drain.on = true;
	pl_checkpoints_drain(daemon);
	pl_log_warn("being drained: no new sessions; %u left", daemon->pool.serving);
	for (struct pl_conn *conn = daemon->conns.first, *next; conn; conn = next) {
		next = conn->next;
		if (conn->state == PL_CONN_WAITING)
			pl_conn_refuse_draining(conn);
	}
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		if (worker->phase == PL_POOL_STARTING || worker->phase == PL_POOL_READY)
			pl_pool_kill(worker, "drained");
}

/* ---- addresses ---- */

static bool is_renamed(const struct pl_listener *listener)
{
	return listener->source.fd >= 0 && listener->local && listener->path[0];
}

static bool path_beside(char path_out[PL_DRAIN_PATH_MAX], const char *path, const char *what)
{
	int len = snprintf(path_out, PL_DRAIN_PATH_MAX, "%s.%s-%d", path, what, (int)getpid());

	return len > 0 && len < (int)sizeof(((struct sockaddr_un *)0)->sun_path);
}

static void listener_release(struct pl_daemon *daemon, struct pl_listener *listener)
{
	char path[PL_DRAIN_PATH_MAX];

	if (listener->source.fd < 0 || listener->region)
		return;
	pl_log_info("%s is given up", listener->address);
	if (!is_renamed(listener) || !path_beside(path, listener->path, "drained") ||
	    pl_listener_rename(listener, path)) {
		pl_conns_accept(daemon, listener); /* who is waiting there already */
		pl_loop_remove(&daemon->loop, &listener->source);
		pl_listener_close(listener);
	}
}

int pl_drain_release(struct pl_daemon *daemon, char why_out[PL_DRAIN_WHY_MAX])
{
	const struct pl_listener *first = NULL;
	char path[PL_DRAIN_PATH_MAX];
	int r;

	if (daemon->drain.released)
		return 0;
	for (uint32_t i = 0; i < daemon->listeners_count; i++) {
		if (!is_renamed(&daemon->listeners[i]))
			continue;
		if (!path_beside(path, daemon->listeners[i].path, "drained")) {
			snprintf(why_out, PL_DRAIN_WHY_MAX, "%.100s: too long to be given up",
				 daemon->listeners[i].path);
			return -ENAMETOOLONG;
		}
		if (!first)
			first = &daemon->listeners[i];
	}
	if (!first) {
		snprintf(why_out, PL_DRAIN_WHY_MAX, "a server without a unix socket can not be asked afterwards");
		return -EINVAL;
	}
	r = path_beside(path, first->path, "handed") ? pl_handed_listen(daemon, path) : -ENAMETOOLONG;
	if (r) {
		snprintf(why_out, PL_DRAIN_WHY_MAX, "%.100s: %s", path, strerror(-r));
		return r;
	}
	daemon->drain.released = true;
	for (uint32_t i = 0; i < daemon->listeners_count; i++)
		listener_release(daemon, &daemon->listeners[i]);
	return 0;
}

/* ---- the end ---- */

/* Somebody still reads an answer. */
static bool answers_are_left(const struct pl_daemon *daemon)
{
	const struct pl_conn *conn = daemon->conns.first;

	while (conn && conn->state != PL_CONN_ANSWER && conn->state != PL_CONN_COUNTING)
		conn = conn->next;
	return conn != NULL;
}

uint64_t pl_drain_settle(struct pl_daemon *daemon, uint64_t now_ns)
{
	const struct pl_drain *drain = &daemon->drain;

	if (!drain->on || daemon->stopping)
		return UINT64_MAX;
	if (!daemon->pool.first) {
		if (answers_are_left(daemon))
			return UINT64_MAX;
		pl_log_warn("drained: the server ends");
		daemon->stopping = true;
	} else if (now_ns >= drain->end_ns) {
		pl_log_warn("being drained: the time is over, %u sessions are ended", daemon->pool.serving);
		daemon->stopping = true;
	}
	return drain->end_ns;
}

/* ---- control ---- */

void pl_control_put_draining(struct json_object *answer, const struct pl_daemon *daemon)
{
	const struct pl_drain *drain = &daemon->drain;
	uint64_t now_ns = pl_now_ns();

	json_object_object_add(answer, "draining", json_object_new_boolean(drain->on));
	if (!drain->on)
		return;
	json_object_object_add(answer, "released", json_object_new_boolean(drain->released));
	if (drain->end_ns != UINT64_MAX)
		pl_control_put_u64(answer, "ends_in_ms",
				   drain->end_ns > now_ns ? (drain->end_ns - now_ns) / 1000000u : 0);
}

static struct json_object *addresses_describe(const struct pl_daemon *daemon)
{
	struct json_object *addresses = json_object_new_array();

	for (uint32_t i = 0; i < daemon->listeners_count; i++)
		if (daemon->listeners[i].source.fd >= 0)
			json_object_array_add(addresses, json_object_new_string(daemon->listeners[i].address));
	return addresses;
}

void pl_control_release(struct pl_conn *conn)
{
	char why[PL_DRAIN_WHY_MAX];

	if (!pl_control_is_operator(conn))
		pl_control_refuse(conn, "only the server's own user and root may take its addresses");
	else if (!conn->daemon->drain.on)
		pl_control_refuse(conn, "it is not being drained");
	else if (pl_drain_release(conn->daemon, why))
		pl_control_refuse(conn, why);
	else
		pl_control_answer(conn, pl_control_answer_new(true));
}

void pl_control_drain(struct pl_conn *conn, struct json_object *request)
{
	struct pl_daemon *daemon = conn->daemon;
	struct json_object *release = NULL, *answer;
	char why[PL_DRAIN_WHY_MAX];
	uint64_t seconds = 0;
	int timed = pl_control_number(request, "for", &seconds);

	if (!pl_control_is_operator(conn)) {
		pl_control_refuse(conn, "only the server's own user and root may drain it");
		return;
	}
	if (timed < 0 || seconds > PL_DRAIN_SECONDS_MAX) {
		pl_control_refuse(conn, "for: no number of seconds");
		return;
	}
	if (json_object_object_get_ex(request, "release", &release) && json_object_get_boolean(release) &&
	    pl_drain_release(daemon, why)) {
		pl_control_refuse(conn, why);
		return;
	}
	pl_drain_begin(daemon);
	if (timed)
		daemon->drain.end_ns = pl_now_ns() + seconds * 1000000000ull;
	answer = pl_control_answer_new(true);
	pl_control_put_draining(answer, daemon);
	pl_control_put_u64(answer, "pid", (uint64_t)getpid());
	pl_control_put_u64(answer, "sessions", daemon->pool.serving);
	json_object_object_add(answer, "listeners", addresses_describe(daemon));
	pl_control_answer(conn, answer);
}
