/* Connections from accept() to the hand-over: the greeting is read without blocking, checked, and decided here. */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"
#include "link/greet.h"
#include "link/ivshmem/region.h"
#include "server/audit.h"
#include "server/daemon-internal.h"
#include "server/token.h"

#define START_NS (PL_DAEMON_START_MS_MAX * 1000000ull)

static bool counts_as_half_open(const struct pl_conn *conn)
{
	return conn->state != PL_CONN_WAITING;
}

static void conn_count(struct pl_conn *conn, int by)
{
	if (counts_as_half_open(conn)) {
		conn->daemon->conns.half_open += (uint32_t)by;
	} else {
		conn->daemon->conns.waiting += (uint32_t)by;
		conn->daemon->pool.apis[conn->api].waiting += (uint32_t)by;
	}
}

void pl_conn_state_set(struct pl_conn *conn, enum pl_conn_state state, uint64_t ms_max, uint32_t events)
{
	conn_count(conn, -1);
	conn->state = state;
	conn_count(conn, 1);
	conn->deadline_ns = pl_now_ns() + ms_max * 1000000u;
	pl_loop_change(&conn->daemon->loop, &conn->source, events);
}

static struct pl_conn *conn_of(struct pl_source *source)
{
	return (struct pl_conn *)((char *)source - offsetof(struct pl_conn, source));
}

static void conn_release(struct pl_source *source)
{
	struct pl_conn *conn = conn_of(source);

	free(conn->text);
	json_object_put(conn->answer);
	explicit_bzero(conn, sizeof(*conn)); /* workers are forked from this heap */
	free(conn);
}

/* Out of the list and the loop; the fd stays open and is the caller's. */
static int conn_detach(struct pl_conn *conn)
{
	struct pl_conns *conns = &conn->daemon->conns;
	int fd = conn->source.fd;

	conn_count(conn, -1);
	*(conn->prev ? &conn->prev->next : &conns->first) = conn->next;
	*(conn->next ? &conn->next->prev : &conns->last) = conn->prev;
	pl_loop_remove(&conn->daemon->loop, &conn->source);
	conn->source.fd = -1;
	return fd;
}

void pl_conn_close(struct pl_conn *conn)
{
	close(conn_detach(conn));
}

static void conn_refuse(struct pl_conn *conn, enum pl_hello_status status, enum pl_refused reason, const char *text)
{
	conn->daemon->refused[reason]++;
	pl_audit_refused(conn, reason, text);
	pl_link_refuse(conn_detach(conn), status, text);
}

void pl_conn_refuse_draining(struct pl_conn *conn)
{
	conn_refuse(conn, PL_HELLO_E_BUSY, PL_REFUSED_DRAINING, "being drained: no new sessions here");
}

void pl_conn_refuse(struct pl_conn *conn, enum pl_hello_status status, const char *format, ...)
{
	char text[sizeof(((struct pl_hello_reply *)0)->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conn_refuse(conn, status, (enum pl_refused)status, text);
}

struct pl_conn *pl_conns_waiting(struct pl_daemon *daemon, uint32_t api)
{
	struct pl_conn *conn = daemon->pool.apis[api].waiting ? daemon->conns.first : NULL;

	while (conn && (conn->state != PL_CONN_WAITING || conn->api != api))
		conn = conn->next;
	return conn;
}

uint64_t pl_conns_expire(struct pl_daemon *daemon, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;
	bool counted = false;

	for (struct pl_conn *conn = daemon->conns.first, *next; conn; conn = next) {
		uint64_t deadline_ns = conn->deadline_ns;

		next = conn->next;
		uint64_t progress_ns = daemon->pool.apis[conn->api].progress_ns;

		if (conn->state == PL_CONN_WAITING && progress_ns > deadline_ns - START_NS)
			deadline_ns = progress_ns + START_NS; /* the queue moves: stay in it */
		if (deadline_ns > now_ns) {
			if (deadline_ns < next_ns)
				next_ns = deadline_ns;
			continue;
		}
		if (conn->state == PL_CONN_COUNTING)
			counted = true;
		else if (conn->state == PL_CONN_WAITING)
			pl_conn_refuse(conn, PL_HELLO_E_INTERNAL,
				       "no worker became ready in time; see the server's log");
		else
			pl_conn_close(conn);
	}
	if (counted)
		pl_control_counted(daemon);
	return counted ? now_ns : next_ns;
}

/* ---- deciding ---- */

/* What a client says of itself ends up in logs and tables: plain characters only. */
static void program_clean(char *program, size_t room)
{
	program[room - 1] = '\0';
	for (char *c = program; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static bool uid_allowed(const struct pl_daemon_options *options, uid_t uid)
{
	if (options->allow_all_users || uid == geteuid() || uid == 0)
		return true;
	for (uint32_t i = 0; i < options->allow_uids_count; i++)
		if (options->allow_uids[i] == uid)
			return true;
	return false;
}

/* Is this client one of ours?  False: refused. */
static bool peer_checked(struct pl_conn *conn)
{
	struct pl_daemon *daemon = conn->daemon;
	bool good;

	if (conn->local) {
		if (conn->uid != (uid_t)-1 && uid_allowed(daemon->options, conn->uid))
			return true;
		pl_conn_refuse(conn, PL_HELLO_E_TOKEN, "user %d not allowed: plenum serve --allow-uid", (int)conn->uid);
		return false;
	}
	if (conn->hello.kind == PL_HELLO_LANE || conn->hello.kind == PL_HELLO_MORE ||
	    conn->hello.kind == PL_HELLO_AGAIN || conn->hello.kind == PL_HELLO_PEER ||
	    conn->hello.kind == PL_HELLO_PEER_MORE)
		return true; /* the session's secret or key proves more */
	good = daemon->secrets->token[0] && pl_secret_same(conn->hello.token, daemon->secrets->token, PL_TOKEN_MAX);
	if (!good)
		pl_conn_refuse(conn, PL_HELLO_E_TOKEN,
			       conn->hello.token[0] ? "wrong token: check PLENUM_TOKEN"
						    : "this server wants a token: set PLENUM_TOKEN");
	return good;
}

/* The key of the region is proof that this is its guest.  False: refused. */
static bool region_checked(struct pl_conn *conn)
{
	static const uint8_t none[PL_REGION_KEY_BYTES];

	if (!memcmp(conn->hello.secret, none, sizeof(none)))
		return true;
	if (!conn->region || !pl_region_key_is(conn->region, conn->hello.secret)) {
		pl_conn_refuse(conn, PL_HELLO_E_SESSION, "its ivshmem device is not this server's");
		return false;
	}
	explicit_bzero(conn->hello.secret, sizeof(conn->hello.secret));
	conn->in_region = true;
	pl_pool_guest_booted(conn->daemon, conn->region, conn->hello.place);
	return true;
}

/* Return: one of ours carries it. */
static bool api_find(const struct pl_daemon *daemon, uint32_t api, uint32_t *place_out)
{
	for (uint32_t i = 0; i < pl_daemon_apis(daemon); i++)
		if (daemon->options->apis[i].backend->api == api) {
			*place_out = i;
			return true;
		}
	return false;
}

static void refuse_api(struct pl_conn *conn)
{
	const struct pl_daemon *daemon = conn->daemon;
	char names[64] = "";

	for (uint32_t i = 0; i < pl_daemon_apis(daemon); i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? ", " : "",
			 daemon->options->apis[i].backend->name);
	pl_conn_refuse(conn, PL_HELLO_E_API, "this server carries %s only", names);
}

static void session_greeted(struct pl_conn *conn)
{
	struct pl_daemon *daemon = conn->daemon;
	const struct pl_daemon_options *options = daemon->options;
	struct pl_pool *pool = &daemon->pool;
	struct pl_pool_api *api;

	if (!region_checked(conn))
		return;
	if (daemon->drain.on) {
		pl_conn_refuse_draining(conn);
		return;
	}
	if (daemon->checkpoints.part_ns) {
		pl_conn_refuse(conn, PL_HELLO_E_BUSY, "the server is ending");
		return;
	}
	if (!api_find(daemon, conn->hello.api, &conn->api)) {
		refuse_api(conn);
		return;
	}
	api = &pool->apis[conn->api];
	if (pool->serving + daemon->conns.waiting >= options->sessions_max) {
		pl_conn_refuse(conn, PL_HELLO_E_BUSY, "full (%u): plenum serve --sessions-limit",
			       options->sessions_max);
		return;
	}
	if (!api->ready && !api->starting && pl_now_ns() < api->retry_ns) {
		pl_conn_refuse(conn, PL_HELLO_E_INTERNAL, "%s", api->reason);
		return;
	}
	pl_conn_state_set(conn, PL_CONN_WAITING, PL_DAEMON_START_MS_MAX, EPOLLRDHUP);
}

static void session_unknown(struct pl_conn *conn)
{
	if (pl_checkpoints_keep(conn->daemon, &conn->hello)) {
		pl_conn_refuse(conn, PL_HELLO_E_BUSY, "the session is in a checkpoint");
		return;
	}
	if (pl_handed_on(conn))
		return;
	if (conn->handed && !conn->handed_alone)
		pl_conn_close(conn); /* another drained server may have it */
	else
		pl_conn_refuse(conn, PL_HELLO_E_SESSION, "no such session: it has ended, or was not yours");
}

/* A lane, or another connection of one. */
static void lane_greeted(struct pl_conn *conn, enum pl_hand_kind kind)
{
	struct pl_pool_worker *worker = pl_pool_find(conn->daemon, conn->hello.session);
	struct pl_hand hand = { .kind = kind, .hello = conn->hello };
	int fd, r;

	if (!worker || !pl_secret_same(conn->hello.secret, pl_pool_secret(worker), sizeof(conn->hello.secret)) ||
	    worker->local != conn->local || (worker->region && worker->region != conn->region)) {
		session_unknown(conn);
		return;
	}
	explicit_bzero(hand.hello.secret, sizeof(hand.hello.secret));
	explicit_bzero(hand.hello.token, sizeof(hand.hello.token));
	fcntl(conn->source.fd, F_SETFL, fcntl(conn->source.fd, F_GETFL) & ~O_NONBLOCK);
	r = pl_hand_send(worker->source.fd, &hand, conn->source.fd, -1);
	if (r < 0) {
		pl_conn_refuse(conn, r == -EAGAIN ? PL_HELLO_E_BUSY : PL_HELLO_E_SESSION, "the session's worker %s",
			       r == -EAGAIN ? "is too busy; try again" : "is gone");
		return;
	}
	fd = conn_detach(conn);
	close(fd);
}

/* The first greeting of another server says nothing, so that it can be sent to anybody; the second names the
 * session. */
static void peer_knocked(struct pl_conn *conn)
{
	static const struct pl_hello_reply reply = { .status = PL_HELLO_OK };

	if (conn->knocked || pl_greet_reply_send(conn->source.fd, &reply, NULL, pl_now_ns())) {
		pl_conn_close(conn);
		return;
	}
	conn->knocked = true;
	conn->hello_bytes = 0;
}

static void peer_greeted(struct pl_conn *conn)
{
	struct pl_pool_worker *worker = pl_pool_find(conn->daemon, conn->hello.session);
	struct pl_hand hand = { .kind = PL_HAND_PEER,
				.hello = { .kind = conn->hello.kind, .place = conn->hello.place } };
	int r;

	if (!conn->hello.session && conn->hello.kind == PL_HELLO_PEER) {
		peer_knocked(conn);
		return;
	}
	if (!worker || !pl_secret_same(conn->hello.secret, pl_pool_peer_key(worker), sizeof(conn->hello.secret))) {
		session_unknown(conn);
		return;
	}
	fcntl(conn->source.fd, F_SETFL, fcntl(conn->source.fd, F_GETFL) & ~O_NONBLOCK);
	r = pl_hand_send(worker->source.fd, &hand, conn->source.fd, -1);
	if (r < 0)
		pl_conn_refuse(conn, PL_HELLO_E_BUSY, "the session's worker takes no connection");
	else
		pl_conn_close(conn);
}

static void conn_greeted(struct pl_conn *conn)
{
	struct pl_hello *hello = &conn->hello;

	program_clean(hello->program, sizeof(hello->program));
	if (hello->magic != PL_HELLO_MAGIC) {
		pl_conn_refuse(conn, PL_HELLO_E_VERSION, "that was no greeting of Plenum");
		return;
	}
	if (hello->major != PL_HELLO_MAJOR) {
		pl_conn_refuse(conn, PL_HELLO_E_VERSION, "server speaks version %d, client %u: update the %s",
			       PL_HELLO_MAJOR, hello->major, hello->major < PL_HELLO_MAJOR ? "client" : "server");
		return;
	}
	if (!peer_checked(conn))
		return;
	explicit_bzero(hello->token, sizeof(hello->token));
	switch (hello->kind) {
	case PL_HELLO_SESSION:
		session_greeted(conn);
		return;
	case PL_HELLO_LANE:
		lane_greeted(conn, PL_HAND_LANE);
		return;
	case PL_HELLO_MORE:
		lane_greeted(conn, PL_HAND_MORE);
		return;
	case PL_HELLO_AGAIN:
		lane_greeted(conn, PL_HAND_AGAIN);
		return;
	case PL_HELLO_PEER:
	case PL_HELLO_PEER_MORE:
		peer_greeted(conn);
		return;
	case PL_HELLO_CONTROL:
		if (conn->local)
			pl_control_start(conn);
		else
			pl_conn_refuse(conn, PL_HELLO_E_API, "control: only on the server's unix socket");
		return;
	}
	pl_conn_refuse(conn, PL_HELLO_E_VERSION, "unknown kind of greeting %u: update the server", hello->kind);
}

/* ---- reading ---- */

static void greeting_ready(struct pl_conn *conn)
{
	uint32_t left = (uint32_t)sizeof(conn->hello) - conn->hello_bytes;
	ssize_t n = recv(conn->source.fd, (char *)&conn->hello + conn->hello_bytes, left, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		pl_conn_close(conn);
		return;
	}
	conn->hello_bytes += (uint32_t)n;
	if (conn->hello_bytes == sizeof(conn->hello))
		conn_greeted(conn);
}

static void conn_ready(struct pl_source *source, uint32_t events)
{
	struct pl_conn *conn = conn_of(source);

	switch (conn->state) {
	case PL_CONN_GREETING:
		greeting_ready(conn);
		return;
	case PL_CONN_WAITING: /* it asked for nothing but hang-ups */
		pl_conn_close(conn);
		return;
	default:
		pl_control_ready(conn, events);
	}
}

static void oldest_drop(struct pl_daemon *daemon)
{
	struct pl_conn *conn = daemon->conns.first;

	while (conn && !counts_as_half_open(conn))
		conn = conn->next;
	if (!conn)
		return;
	pl_log_info("too many connections that do not greet: the oldest is dropped");
	pl_conn_close(conn);
}

/* No descriptor is left: make room with the one that was kept for this, and say so to one client. */
static void accept_refusing(struct pl_daemon *daemon, struct pl_listener *listener)
{
	uid_t uid;
	pid_t pid;
	int fd;

	pl_log_warn("out of file descriptors: raise the limit (ulimit -n)");
	if (daemon->conns.half_open) {
		oldest_drop(daemon);
		return;
	}
	close(daemon->spare_fd);
	fd = pl_listener_accept(listener, &uid, &pid);
	if (fd >= 0)
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "the server is out of file descriptors");
	daemon->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Takes over fd.  Return: NULL = there is no memory. */
static struct pl_conn *conn_add(struct pl_daemon *daemon, int fd)
{
	struct pl_conns *conns = &daemon->conns;
	struct pl_conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		close(fd);
		return NULL;
	}
	*conn = (struct pl_conn){
		.source = { .fd = fd, .ready = conn_ready, .release = conn_release },
		.daemon = daemon,
		.state = PL_CONN_GREETING,
		.deadline_ns = pl_now_ns() + PL_DAEMON_GREETING_MS_MAX * 1000000ull,
		.uid = (uid_t)-1,
	};
	if (pl_loop_add(&daemon->loop, &conn->source, EPOLLIN) < 0) {
		close(fd);
		free(conn);
		return NULL;
	}
	if (conns->half_open >= PL_DAEMON_HALF_OPEN_MAX)
		oldest_drop(daemon);
	conn->prev = conns->last;
	*(conns->last ? &conns->last->next : &conns->first) = conn;
	conns->last = conn;
	conn_count(conn, 1);
	return conn;
}

void pl_conns_adopt(struct pl_daemon *daemon, int fd, const struct pl_handed *handed)
{
	struct pl_conn *conn = conn_add(daemon, fd);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (!conn)
		return;
	conn->handed = true;
	conn->handed_alone = handed->alone;
	conn->local = handed->local;
	if (conn->local && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
		conn->uid = peer.uid;
		conn->pid = peer.pid;
	}
	conn->hello = handed->hello;
	conn->hello_bytes = sizeof(conn->hello);
	conn_greeted(conn);
}

void pl_conns_accept(struct pl_daemon *daemon, struct pl_listener *listener)
{
	for (int i = 0; i < 64; i++) { /* then the others' turn */
		struct pl_conn *conn;
		uid_t uid;
		pid_t pid;
		int fd = pl_listener_accept(listener, &uid, &pid);

		if (fd == -EMFILE || fd == -ENFILE) {
			accept_refusing(daemon, listener);
			return;
		}
		if (fd < 0)
			return;
		conn = conn_add(daemon, fd);
		if (!conn)
			continue;
		conn->local = listener->local;
		conn->region = listener->region;
		conn->listener = (uint32_t)(listener - daemon->listeners);
		conn->uid = uid;
		conn->pid = pid;
	}
}
