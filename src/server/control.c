/*
 * The control socket: after its greeting a local client sends one line of JSON and gets one back.
 *   {"do":"info"}                   about the daemon
 *   {"do":"sessions"}               one object a session
 *   {"do":"kill","session":NUMBER}  ends it
 *   {"do":"limit","session":NUMBER,"memory_bytes":BYTES,"objects":N,"host_bytes":BYTES,"inflight_bytes":BYTES}
 *                                   what it may hold; all but the session may be left out (limit.c)
 *   {"do":"suspend","session":NUMBER}, "resume"  its device memory goes to host memory, and it waits (suspend.c)
 *   {"do":"checkpoint","session":NUMBER,"look":true}, "restore"  into a file, and back; look: only says how far it is
 *                                   (checkpoints.c)
 *   {"do":"drain","for":SECONDS,"release":true}  no new sessions; both may be left out (drain.h)
 *   {"do":"release"}                its successor asks for its addresses: only if it is being drained
 * Users who are neither ours nor root see and end only their own sessions.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "server/audit.h"
#include "server/control.h"

#define JSON_DEPTH_MAX 4

void pl_control_put_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void pl_control_put_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

/* ---- answers ---- */

static void json_putp(struct json_object **object)
{
	json_object_put(*object);
}

/* Sends what is left; closes when all is out. */
static void answer_send(struct pl_conn *conn)
{
	while (conn->text_sent < conn->text_bytes) {
		ssize_t n = send(conn->source.fd, conn->text + conn->text_sent, conn->text_bytes - conn->text_sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			break;
		conn->text_sent += (size_t)n;
	}
	pl_conn_close(conn);
}

/* Takes over `answer`. */
void pl_control_answer(struct pl_conn *conn, struct json_object *answer)
{
	const char *text;
	size_t bytes = 0;

	if (conn->state != PL_CONN_ANSWER)
		pl_conn_state_set(conn, PL_CONN_ANSWER, PL_CONTROL_ANSWER_MS, EPOLLOUT);
	text = json_object_to_json_string_length(answer, JSON_C_TO_STRING_PLAIN, &bytes);
	free(conn->text);
	conn->text = text ? malloc(bytes + 1) : NULL;
	if (conn->text) {
		memcpy(conn->text, text, bytes);
		conn->text[bytes] = '\n';
		conn->text_bytes = bytes + 1;
		conn->text_sent = 0;
	}
	json_object_put(answer);
	if (conn->text)
		answer_send(conn);
	else
		pl_conn_close(conn);
}

struct json_object *pl_control_answer_new(bool ok)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "ok", json_object_new_boolean(ok));
	return answer;
}

void pl_control_refuse(struct pl_conn *conn, const char *text)
{
	struct json_object *answer = pl_control_answer_new(false);

	pl_control_put_text(answer, "error", text);
	pl_control_answer(conn, answer);
}

bool pl_control_is_operator(const struct pl_conn *conn)
{
	return conn->uid == 0 || conn->uid == geteuid();
}

bool pl_control_may_see(const struct pl_conn *conn, const struct pl_pool_worker *worker)
{
	return pl_control_is_operator(conn) || (worker->local && worker->uid == conn->uid);
}

int pl_control_number(struct json_object *request, const char *key, uint64_t *value_out)
{
	struct json_object *field = NULL;

	if (!json_object_object_get_ex(request, key, &field))
		return 0;
	if (!json_object_is_type(field, json_type_int) || json_object_get_int64(field) < 0)
		return -1;
	*value_out = json_object_get_uint64(field);
	return *value_out <= INT64_MAX ? 1 : -1;
}

static uint64_t rss_bytes(pid_t pid)
{
	unsigned long long size, resident;
	char path[64];
	FILE *file;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fscanf(file, "%llu %llu", &size, &resident);
	fclose(file);
	return n == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* The shared page is the worker's: a driver that was taken over may have written anything there. */
static struct json_object *session_describe(struct pl_pool_worker *worker, uint64_t now_ns)
{
	struct json_object *session = json_object_new_object();
	struct pl_worker_shared *shared = worker->shared;
	uint64_t cut_ns = atomic_load(&shared->cut_ns);
	char program[sizeof(shared->program)];

	memcpy(program, shared->program, sizeof(program));
	program[sizeof(program) - 1] = '\0';
	for (char *c = program; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	pl_control_put_u64(session, "id", worker->session);
	pl_control_put_u64(session, "client_pid", shared->client_pid);
	pl_control_put_text(session, "program", program);
	json_object_object_add(session, "uid", worker->local ? json_object_new_int64(worker->uid) : NULL);
	pl_control_put_text(session, "address", worker->address);
	pl_control_put_text(session, "api", pl_audit_api(worker->daemon, worker->api));
	pl_control_put_text(session, "link", worker->local ? "shm" : "tcp");
	pl_control_put_u64(session, "age_ms", (now_ns - worker->since_ns) / 1000000u);
	pl_control_put_u64(session, "lanes", atomic_load(&shared->lanes));
	pl_control_put_u64(session, "objects", atomic_load(&shared->objects));
	pl_control_put_u64(session, "memory_bytes", atomic_load(&shared->memory_bytes));
	pl_control_put_u64(session, "memory_peak_bytes", atomic_load(&shared->memory_peak_bytes));
	pl_control_put_u64(session, "swapped_bytes", atomic_load(&shared->swapped_bytes));
	pl_control_put_text(session, "state", pl_swapper_state(worker));
	pl_control_put_u64(session, "swap_out_bytes", atomic_load(&shared->swap_out_bytes));
	pl_control_put_u64(session, "swap_in_bytes", atomic_load(&shared->swap_in_bytes));
	pl_control_put_u64(session, "host_bytes", atomic_load(&shared->host_bytes));
	pl_control_put_u64(session, "inflight_bytes", atomic_load(&shared->inflight_bytes));
	pl_control_put_limits(session, worker);
	pl_control_put_u64(session, "asks", atomic_load(&shared->asks));
	pl_control_put_u64(session, "posts", atomic_load(&shared->posts));
	pl_control_put_u64(session, "refused", atomic_load(&shared->refused));
	pl_control_put_u64(session, "bytes_in", atomic_load(&shared->bytes_in));
	pl_control_put_u64(session, "bytes_out", atomic_load(&shared->bytes_out));
	pl_control_put_u64(session, "peer_bytes", atomic_load(&shared->peer_bytes));
	pl_control_put_u64(session, "resumed", atomic_load(&shared->resumed));
	pl_control_put_u64(session, "cut_ms", cut_ns && cut_ns < now_ns ? (now_ns - cut_ns) / 1000000u : 0);
	pl_control_put_u64(session, "wakes", atomic_load(&shared->wakes));
	pl_control_put_u64(session, "spins", atomic_load(&shared->spins));
	pl_control_put_u64(session, "sleeps", atomic_load(&shared->sleeps));
	pl_control_put_u64(session, "worker_pid", (uint64_t)worker->pid);
	pl_control_put_u64(session, "rss_bytes", rss_bytes(worker->pid));
	return session;
}

static void sessions_answer(struct pl_conn *conn)
{
	struct json_object *answer = pl_control_answer_new(true), *list = json_object_new_array();
	uint64_t now_ns = pl_now_ns();

	for (struct pl_pool_worker *worker = conn->daemon->pool.first; worker; worker = worker->next)
		if (worker->phase == PL_POOL_SERVING && pl_control_may_see(conn, worker))
			json_object_array_add(list, session_describe(worker, now_ns));
	json_object_object_add(answer, "sessions", list);
	if (pl_control_is_operator(conn))
		pl_control_put_checkpoints(answer, conn->daemon);
	pl_control_put_draining(answer, conn->daemon);
	pl_control_answer(conn, answer);
}

static struct json_object *limits_describe(const struct pl_daemon_options *options)
{
	struct json_object *limits = json_object_new_object();

	pl_control_put_u64(limits, "sessions", options->sessions_max);
	pl_control_put_u64(limits, "lanes", options->lanes_max);
	pl_control_put_u64(limits, "grace_s", options->grace_s);
	pl_control_put_u64(limits, "objects", options->quota[PL_QUOTA_OBJECTS]);
	pl_control_put_u64(limits, "memory_bytes", options->quota[PL_QUOTA_MEMORY]);
	pl_control_put_u64(limits, "host_bytes", options->quota[PL_QUOTA_HOST]);
	pl_control_put_u64(limits, "inflight_bytes", options->quota[PL_QUOTA_INFLIGHT]);
	pl_control_put_u64(limits, "arena_bytes", options->arena_bytes);
	return limits;
}

static struct json_object *apis_describe(const struct pl_daemon *daemon)
{
	struct json_object *apis = json_object_new_array();

	for (uint32_t i = 0; i < pl_daemon_apis(daemon); i++) {
		const struct pl_daemon_api *of = &daemon->options->apis[i];
		struct json_object *api = json_object_new_object();

		pl_control_put_text(api, "api", of->backend->name);
		pl_control_put_text(api, "library", of->library);
		pl_control_put_u64(api, "workers_ready", daemon->pool.apis[i].ready);
		pl_control_put_u64(api, "workers_starting", daemon->pool.apis[i].starting);
		pl_control_put_text(api, "start_failure",
				    daemon->pool.apis[i].failures ? daemon->pool.apis[i].reason : NULL);
		json_object_array_add(apis, api);
	}
	return apis;
}

static struct json_object *kept_describe(const struct pl_daemon *daemon)
{
	struct json_object *kept = json_object_new_object();
	const struct pl_keeper *keeper = &daemon->keeper;

	pl_control_put_u64(kept, "limit_bytes", daemon->options->kept_bytes);
	pl_control_put_u64(kept, "bytes", keeper->bytes);
	pl_control_put_u64(kept, "entries", keeper->count);
	pl_control_put_u64(kept, "found_total", keeper->found);
	pl_control_put_u64(kept, "missed_total", keeper->missed);
	pl_control_put_u64(kept, "spoilt_total", keeper->spoilt);
	return kept;
}

static struct json_object *swap_describe(const struct pl_daemon *daemon)
{
	struct json_object *swap = json_object_new_object(), *devices = json_object_new_array();

	pl_control_put_u64(swap, "limit_bytes", daemon->options->swap_bytes);
	for (int i = 0; i < PL_SWAP_DEVICES_MAX && daemon->swapper.capacity[i]; i++) {
		struct json_object *device = json_object_new_object();
		uint64_t claimed, resident = pl_swapper_resident(daemon, i, &claimed);

		pl_control_put_u64(device, "memory_bytes", daemon->swapper.capacity[i]);
		pl_control_put_u64(device, "claimed_bytes", claimed);
		pl_control_put_u64(device, "resident_bytes", resident);
		json_object_array_add(devices, device);
	}
	json_object_object_add(swap, "devices", devices);
	pl_control_put_u64(swap, "sessions_waiting", pl_swapper_waiting(daemon));
	return swap;
}

static void put_refused(struct json_object *answer, const struct pl_daemon *daemon)
{
	struct json_object *refused = json_object_new_object();
	uint64_t total = 0;

	for (uint32_t i = 0; i < PL_REFUSED_KINDS; i++) {
		pl_control_put_u64(refused, pl_audit_reason(i), daemon->refused[i]);
		total += daemon->refused[i];
	}
	json_object_object_add(answer, "refused", refused);
	pl_control_put_u64(answer, "refused_total", total);
}

static void info_answer(struct pl_conn *conn)
{
	struct json_object *answer = pl_control_answer_new(true), *listeners = json_object_new_array();
	const struct pl_daemon *daemon = conn->daemon;
	const struct pl_daemon_options *options = daemon->options;
	const struct pl_pool *pool = &daemon->pool;
	uint32_t ready = 0, starting = 0;
	const char *failure = NULL;
	char hash[32];

	for (uint32_t i = 0; i < pl_daemon_apis(daemon); i++) {
		ready += pool->apis[i].ready;
		starting += pool->apis[i].starting;
		if (!failure && pool->apis[i].failures)
			failure = pool->apis[i].reason;
	}
	for (uint32_t i = 0; i < daemon->listeners_count; i++)
		if (daemon->listeners[i].source.fd >= 0)
			json_object_array_add(listeners, json_object_new_string(daemon->listeners[i].address));
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)options->apis[0].backend->functions->hash);
	pl_control_put_text(answer, "version", options->version);
	pl_control_put_u64(answer, "pid", (uint64_t)getpid());
	pl_control_put_u64(answer, "uid", geteuid());
	pl_control_put_u64(answer, "uptime_ms", (pl_now_ns() - daemon->started_ns) / 1000000u);
	pl_control_put_text(answer, "api", options->apis[0].backend->name);
	pl_control_put_text(answer, "api_hash", hash);
	pl_control_put_text(answer, "library", options->apis[0].library);
	json_object_object_add(answer, "apis", apis_describe(daemon));
	json_object_object_add(answer, "listeners", listeners);
	pl_control_put_draining(answer, daemon);
	pl_control_put_u64(answer, "spares", options->spares);
	pl_control_put_u64(answer, "workers_ready", ready);
	pl_control_put_u64(answer, "workers_starting", starting);
	pl_control_put_u64(answer, "sessions", pool->serving);
	pl_control_put_u64(answer, "sessions_waiting", daemon->conns.waiting);
	pl_control_put_u64(answer, "sessions_total", pool->sessions_made);
	put_refused(answer, daemon);
	pl_control_put_u64(answer, "crashes_total", pool->crashes);
	json_object_object_add(answer, "kept", kept_describe(daemon));
	json_object_object_add(answer, "oversubscribe", swap_describe(daemon));
	pl_control_put_text(answer, "start_failure", failure);
	json_object_object_add(answer, "limits", limits_describe(options));
	pl_control_answer(conn, answer);
}

static void kill_answer(struct pl_conn *conn, struct json_object *request)
{
	struct json_object *id = NULL;
	struct pl_pool_worker *worker = NULL;

	if (json_object_object_get_ex(request, "session", &id) && json_object_is_type(id, json_type_int))
		worker = pl_pool_find(conn->daemon, json_object_get_uint64(id));
	if (!worker || !pl_control_may_see(conn, worker)) {
		pl_control_refuse(conn, PL_CONTROL_NO_SESSION);
		return;
	}
	pl_log_info("session %llu: ended at the request of uid %d", (unsigned long long)worker->session,
		    (int)conn->uid);
	pl_pool_kill(worker, "killed");
	pl_control_answer(conn, pl_control_answer_new(true));
}

/* ---- requests ---- */

void pl_control_counted(struct pl_daemon *daemon)
{
	daemon->pool.counting = 0;
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		worker->counting = 0;
	for (struct pl_conn *conn = daemon->conns.first, *next; conn; conn = next) {
		next = conn->next;
		if (conn->state != PL_CONN_COUNTING)
			continue;
		if (conn->answer)
			pl_control_answer(conn, pl_steal(conn->answer));
		else
			sessions_answer(conn);
	}
}

void pl_control_answer_counted(struct pl_conn *conn, struct json_object *answer)
{
	conn->answer = answer;
	pl_conn_state_set(conn, PL_CONN_COUNTING, PL_CONTROL_COUNT_MS, 0);
	if (!conn->daemon->pool.counting)
		pl_control_counted(conn->daemon);
}

static void request_handle(struct pl_conn *conn)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	pl_cleanup(json_putp) struct json_object *request = NULL;
	struct json_object *verb = NULL;
	const char *what = NULL;

	if (tokener)
		request = json_tokener_parse_ex(tokener, conn->text, (int)conn->text_bytes);
	json_tokener_free(tokener);
	if (json_object_is_type(request, json_type_object) && json_object_object_get_ex(request, "do", &verb) &&
	    json_object_is_type(verb, json_type_string))
		what = json_object_get_string(verb);
	if (!what) {
		pl_control_refuse(conn, "not a request: one line, "
					"{\"do\":\"info\"|\"sessions\"|\"kill\"|\"limit\"|\"suspend\"|"
					"\"resume\"|\"checkpoint\"|\"restore\"|\"drain\"|\"release\"}");
	} else if (!strcmp(what, "info")) {
		info_answer(conn);
	} else if (!strcmp(what, "sessions")) {
		pl_pool_count(conn->daemon, NULL);
		pl_control_answer_counted(conn, NULL);
	} else if (!strcmp(what, "kill")) {
		kill_answer(conn, request);
	} else if (!strcmp(what, "limit")) {
		pl_control_limit(conn, request);
	} else if (!strcmp(what, "suspend") || !strcmp(what, "resume")) {
		pl_control_suspend(conn, request, what[0] == 's');
	} else if (!strcmp(what, "checkpoint")) {
		pl_control_checkpoint(conn, request);
	} else if (!strcmp(what, "restore")) {
		pl_control_restore(conn, request);
	} else if (!strcmp(what, "release")) {
		pl_control_release(conn);
	} else if (!strcmp(what, "drain")) {
		pl_control_drain(conn, request);
	} else {
		pl_control_refuse(conn, "unknown request: the tool is newer than the server");
	}
}

static void request_read(struct pl_conn *conn)
{
	ssize_t n = recv(conn->source.fd, conn->text + conn->text_bytes, PL_CONTROL_REQUEST_MAX - conn->text_bytes,
			 MSG_DONTWAIT);
	char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		pl_conn_close(conn);
		return;
	}
	conn->text_bytes += (size_t)n;
	newline = memchr(conn->text, '\n', conn->text_bytes);
	if (newline) {
		conn->text_bytes = (size_t)(newline - conn->text);
		request_handle(conn);
	} else if (conn->text_bytes == PL_CONTROL_REQUEST_MAX) {
		pl_control_refuse(conn, "the request is too long");
	}
}

void pl_control_ready(struct pl_conn *conn, uint32_t events)
{
	switch (conn->state) {
	case PL_CONN_REQUEST:
		request_read(conn);
		return;
	case PL_CONN_ANSWER:
		if (events & (EPOLLERR | EPOLLHUP))
			pl_conn_close(conn);
		else
			answer_send(conn);
		return;
	default: /* counting: it hung up */
		pl_conn_close(conn);
	}
}

void pl_control_start(struct pl_conn *conn)
{
	struct pl_hello_reply reply = {
		.magic = PL_HELLO_MAGIC,
		.major = PL_HELLO_MAJOR,
		.minor = PL_HELLO_MINOR,
		.status = PL_HELLO_OK,
		.api_hash = conn->daemon->options->apis[0].backend->functions->hash,
	};

	conn->text = malloc(PL_CONTROL_REQUEST_MAX);
	if (!conn->text) {
		pl_conn_refuse(conn, PL_HELLO_E_INTERNAL, "the server is out of memory");
		return;
	}
	if (send(conn->source.fd, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)sizeof(reply)) {
		pl_conn_close(conn);
		return;
	}
	pl_conn_state_set(conn, PL_CONN_REQUEST, PL_CONTROL_ANSWER_MS, EPOLLIN);
}
