#include "server/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/machine.h"
#include "server/become.h"
#include "server/hand.h"
#include "server/lanes.h"
#include "server/listener.h"

/* Where arenas go, if nothing is there (a hint to mmap(), no more): far from where programs, heaps, libraries and
 * sanitizers live, so that the client finds the same place free; a random GiB keeps the sessions of one client apart.
 */
#define ARENA_BASE_FIRST 0x680000000000u
#define ARENA_BASE_STEP  (1ull << 30)
#define ARENA_BASE_STEPS 8192u

struct worker {
	const struct pl_worker_config *config;
	int control;
	struct pl_session_worker session;
	struct pl_lanes lanes;
	bool written; /* to a file: whether it ends or goes on, the daemon is to say */
};

/* ---- the session ---- */

static void *arena_map(uint64_t bytes, int fd, uint64_t start)
{
	uint32_t random = 0;
	uintptr_t base;
	void *at;

	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint32_t)getpid();
	base = ARENA_BASE_FIRST + random % ARENA_BASE_STEPS * ARENA_BASE_STEP;
	at = mmap((void *)base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)start);
	if (at == MAP_FAILED) {
		pl_log_warn("shared memory of %llu bytes can not be mapped: %s", (unsigned long long)bytes,
			    strerror(errno));
		return NULL;
	}
	madvise(at, bytes, MADV_DONTDUMP);
	return at;
}

/* The session's part of its guest's region.  Takes over fd.  Return: 0 or fatal. */
static int arena_in_region(struct pl_session_worker *session, const struct pl_hand *hand, int fd)
{
	session->arena = arena_map(hand->region_bytes, fd, hand->region_offset);
	if (!session->arena) {
		close(fd);
		return pl_err(-ENOMEM);
	}
	session->arena_bytes = hand->region_bytes;
	session->arena_start = hand->region_offset;
	session->arena_fd = fd;
	return 0;
}

/* Return: 0 (also without an arena, where the system gives none: data then travels in the lanes). */
static void arena_make(struct pl_session_worker *session, uint64_t bytes)
{
	pl_cleanup(pl_closep) int fd = memfd_create("plenum-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *at;

	bytes &= ~4095ull;
	if (!bytes)
		return;
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		pl_log_warn("no shared memory of %llu bytes: %s; data is copied through the lanes",
			    (unsigned long long)bytes, strerror(errno));
		return;
	}
	at = arena_map(bytes, fd, 0);
	if (!at)
		return;
	session->arena = at;
	session->arena_bytes = bytes;
	session->arena_fd = pl_steal_fd(&fd);
}

/* A client of another release learns our functions from the first record of its reverse lane; it is not counted. */
static int functions_send(struct worker *worker, const struct pl_hello *hello)
{
	const struct pl_functions *functions = worker->config->backend->functions;
	struct pl_session_worker *session = &worker->session;
	struct pl_wire_head head = { .op = PL_WIRE_OP_FUNCTIONS };
	struct pl_enc enc;
	void *room;
	int r;

	if (hello->api_hash == functions->hash || hello->minor < PL_HELLO_MINOR_FUNCTIONS)
		return 0;
	pl_log_info("session %llu: its client is of another release: functions are agreed by name",
		    (unsigned long long)session->id);
	head.len_bytes = (uint32_t)(sizeof(head) + pl_functions_bytes(functions));
	r = pl_lane_reserve(session->reverse, head.len_bytes, &room);
	if (r)
		return pl_trace(r);
	memcpy(room, &head, sizeof(head));
	enc.at = (uint8_t *)room + sizeof(head);
	pl_functions_put(&enc, functions);
	return pl_trace(pl_lane_commit(session->reverse, head.len_bytes, PL_LANE_NOW));
}

static void limits_set_session(struct pl_session_worker *session, const uint64_t limits[PL_QUOTA_KINDS])
{
	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		atomic_store(&session->quota.limit[i], limits[i]);
}

/* What a session has, however it begins.  Return: 0 or fatal. */
static int session_init(struct worker *worker, const struct pl_hand *hand)
{
	const struct pl_worker_config *config = worker->config;
	struct pl_session_worker *session = &worker->session;

	session->id = hand->session;
	memcpy(session->peers.key, hand->peer_key, sizeof(session->peers.key));
	memcpy(worker->lanes.secret, hand->secret, sizeof(worker->lanes.secret));
	if (config->oversubscribes || worker->lanes.keeps_s)
		pl_swap_start(&session->swap, config->backend->swap, config->device_bytes, worker->lanes.keeps_s != 0);
	pthread_mutex_init(&session->reverse_lock, NULL);
	pl_turn_init(&session->turn);
	return pl_trace(pl_handles_init(&session->handles));
}

/* Calls are noted where the session could be written down: its client knows how to come back. */
static int session_keeps(struct worker *worker)
{
	const struct pl_backend_ops *backend = worker->config->backend;
	struct pl_session_worker *session = &worker->session;

	if (!worker->lanes.keeps_s || !session->reverse->resumes)
		return 0;
	return pl_trace(pl_checkpoint_start(session, backend->checkpoint));
}

/* Answers the client.  Return: 0, or fatal: the worker ends. */
static int session_start(struct worker *worker, const struct pl_hand *hand, int fd, int region_fd)
{
	const struct pl_worker_config *config = worker->config;
	struct pl_session_worker *session = &worker->session;
	struct pl_lanes *lanes = &worker->lanes;
	struct pl_hello_reply reply;
	int r;

	lanes->local = hand->local;
	lanes->resumes = hand->hello.minor >= PL_HELLO_MINOR_AGAIN;
	if (config->backend->checkpoint && !hand->local && region_fd < 0 && hand->hello.minor >= PL_HELLO_MINOR_KEEPS)
		lanes->keeps_s = config->keeps_s;
	r = session_init(worker, hand);
	limits_set_session(session, config->quota);
	if (r) {
		pl_link_refuse(fd, PL_HELLO_E_INTERNAL, "the worker has no memory for its tables");
		return pl_fold(r);
	}
	lanes->in_region = region_fd >= 0;
	if (lanes->in_region)
		r = arena_in_region(session, hand, region_fd);
	else if (hand->local)
		arena_make(session, config->arena_bytes);
	if (r) {
		pl_link_refuse(fd, PL_HELLO_E_INTERNAL, "the worker can not map the guest's memory");
		return pl_trace(r);
	}
	reply = pl_lanes_reply(lanes);
	if (lanes->in_region)
		r = pl_link_accept_region_lane(fd, &reply, -1, 0, &session->reverse);
	else
		r = pl_link_accept_lane(fd, &reply, session->arena_fd, &session->reverse);
	session->here = !r && session->reverse->near && hand->hello.place && hand->hello.place == pl_machine();
	if (!r)
		pl_lanes_outlive(lanes, session->reverse);
	if (!r)
		r = session_keeps(worker);
	if (!r)
		r = functions_send(worker, &hand->hello);
	if (r)
		return pl_fold(r);
	r = config->backend->session(session->state, session);
	if (r)
		pl_log_error("session %llu can not start: %s", (unsigned long long)session->id,
			     strerror(r < 0 ? -r : EPROTO));
	return pl_fold(r);
}

/* ---- checkpoints ---- */

/* Until now its client was told to come back later. */
static void grace_begin(struct worker *worker)
{
	worker->session.shared->cut_ns = 0;
}

/* Takes over fd. */
static int checkpoint_write(struct worker *worker, int fd)
{
	struct pl_hand hand = { .kind = PL_HAND_WRITTEN };

	hand.result = pl_checkpoint_write(&worker->session, &worker->lanes, fd, hand.text);
	close(fd);
	worker->written = !hand.result;
	if (worker->written)
		pl_lanes_count(&worker->lanes); /* for what is told of its end, which may come at any moment */
	else
		grace_begin(worker);
	return pl_trace(pl_hand_send(worker->control, &hand, -1, -1));
}

static void checkpoint_undo(struct worker *worker)
{
	if (!worker->written)
		return;
	worker->written = false;
	pl_checkpoint_undo(&worker->session, &worker->lanes);
	grace_begin(worker);
}

/* Takes over fd.  Return: 0, or the worker ends, and has said why. */
static int session_restore(struct worker *worker, const struct pl_hand *from, int fd)
{
	struct pl_session_worker *session = &worker->session;
	struct pl_hand hand = { .kind = PL_HAND_READ };

	limits_set_session(session, from->limits);
	worker->lanes.resumes = true;
	worker->lanes.keeps_s = worker->config->keeps_s;
	hand.result = session_init(worker, from);
	if (hand.result)
		snprintf(hand.text, sizeof(hand.text), "the worker has no memory for its tables");
	else
		hand.result = pl_checkpoint_read(session, &worker->lanes, fd, hand.swap, hand.swap_out, hand.text);
	close(fd);
	pl_hand_send(worker->control, &hand, -1, -1);
	if (!hand.result)
		pl_swap_told(&session->swap);
	return hand.result;
}

/* ---- the main thread ---- */

/* Takes over both fds.  Return: 0, or the worker ends. */
static int hand_handle(struct worker *worker, const struct pl_hand *hand, int fd, int region_fd)
{
	int r;

	switch (hand->kind) {
	case PL_HAND_SESSION:
		if (fd < 0 || worker->session.reverse)
			break;
		return pl_trace(session_start(worker, hand, fd, region_fd));
	case PL_HAND_LANE:
		if (fd < 0 || !worker->session.reverse)
			break;
		if (worker->written)
			close(fd); /* it tries again */
		else
			pl_lanes_add(&worker->lanes, fd, &hand->hello);
		return 0;
	case PL_HAND_MORE:
	case PL_HAND_AGAIN:
		if (fd < 0 || !worker->session.reverse)
			break;
		pl_lanes_connection(&worker->lanes, fd, &hand->hello);
		return 0;
	case PL_HAND_PEER:
		if (fd < 0 || !worker->session.reverse)
			break;
		pl_peers_accept(&worker->session, fd, &hand->hello);
		return 0;
	case PL_HAND_DIALED:
	case PL_HAND_ANSWER:
		pl_peers_answered(&worker->session.peers, hand, fd);
		return 0;
	case PL_HAND_CHECKPOINT:
		if (fd < 0 || !worker->session.reverse)
			break;
		return pl_trace(checkpoint_write(worker, fd));
	case PL_HAND_GO_ON:
		checkpoint_undo(worker);
		return 0;
	case PL_HAND_RESTORE:
		if (fd < 0 || worker->session.reverse)
			break;
		return pl_trace(session_restore(worker, hand, fd));
	case PL_HAND_LEAVE:
	case PL_HAND_GRANT:
		pl_swap_hand(&worker->session.swap, hand);
		return 0;
	case PL_HAND_LIMIT:
		limits_set_session(&worker->session, hand->limits);
		return 0;
	case PL_HAND_COUNT:
		pl_lanes_count(&worker->lanes);
		r = pl_hand_send(worker->control, &(struct pl_hand){ .kind = PL_HAND_COUNTED }, -1, -1);
		return r == -EAGAIN ? 0 : pl_trace(r);
	}
	if (fd >= 0)
		close(fd);
	if (region_fd >= 0)
		close(region_fd);
	return pl_err(-EPROTO);
}

static int control_ready(struct worker *worker)
{
	for (;;) {
		struct pl_hand hand;
		int fds[PL_HAND_FDS], r = pl_hand_recv(worker->control, &hand, fds);

		if (r == -EAGAIN)
			return 0;
		if (r >= 0)
			r = hand_handle(worker, &hand, fds[0], fds[1]);
		if (r < 0)
			return pl_trace(r);
	}
}

/* Milliseconds that a session whose connection is cut still has for its client to come back; -1: it is not cut. */
static int grace_left_ms(struct worker *worker)
{
	uint64_t cut_ns = worker->session.shared->cut_ns, now = pl_now_ns();
	uint64_t grace_ns = worker->config->grace_s * 1000000000ull;

	if (!worker->session.reverse || !pl_lane_is_cut(worker->session.reverse)) {
		worker->session.shared->cut_ns = 0;
		return -1;
	}
	if (!cut_ns) {
		pl_log_info("session %llu: its connection is cut; it waits %u s for its client",
			    (unsigned long long)worker->session.id, worker->config->grace_s);
		worker->session.shared->cut_ns = cut_ns = now;
	}
	return now - cut_ns >= grace_ns ? 0 : (int)((grace_ns - (now - cut_ns)) / 1000000u) + 1;
}

/* Return: exit status. */
static int worker_wait(struct worker *worker)
{
	for (;;) {
		struct pl_lane *reverse = worker->session.reverse;
		int left_ms = grace_left_ms(worker);
		struct pollfd fds[] = {
			{ .fd = worker->control, .events = POLLIN },
			{ .fd = reverse && left_ms < 0 ? reverse->fd : -1, .events = POLLRDHUP },
		};

		if (!left_ms) {
			pl_log_info("session %llu: its client has not come back",
				    (unsigned long long)worker->session.id);
			return 0;
		}
		if (poll(fds, 2, left_ms) < 0 && errno != EINTR)
			return 1;
		if (fds[1].revents && !pl_lane_is_cut(reverse)) {
			pl_log_debug("session %llu: its client is gone", (unsigned long long)worker->session.id);
			return 0;
		}
		if (fds[0].revents && control_ready(worker) < 0)
			return worker->session.reverse ? 1 : 0;
	}
}

static int driver_load(struct worker *worker)
{
	const struct pl_worker_config *config = worker->config;
	struct pl_hand hand = { .kind = PL_HAND_READY };
	int r = pl_become_confined(config);

	if (r) {
		hand.kind = PL_HAND_FAILED;
		snprintf(hand.text, sizeof(hand.text), "a worker can not be confined: %s (plenum serve --confine=off)",
			 strerror(-r));
		pl_hand_send(worker->control, &hand, -1, -1);
		return pl_fold(r);
	}
	r = config->backend->open(&worker->session.state, config->library);
	if (chdir("/")) /* only now: the driver may be named relative to where the server was started */
		pl_log_warn("can not leave the current folder: %s", strerror(errno));
	if (r) {
		hand.kind = PL_HAND_FAILED;
		snprintf(hand.text, sizeof(hand.text), "no %s driver: %s%s%s", config->backend->name,
			 strerror(r < 0 ? -r : EPROTO), config->library ? ": " : "",
			 config->library ? config->library : "");
	}
	if (!r && config->backend->swap)
		config->backend->swap->capacity(worker->session.state, hand.swap);
	pl_hand_send(worker->control, &hand, -1, -1);
	return pl_fold(r);
}

void pl_worker_main(const struct pl_worker_config *config, int control, struct pl_worker_shared *shared)
{
	struct worker worker = {
		.config = config,
		.control = pl_become_worker(config, control),
		.session = { .backend = config->backend, .arena_fd = -1, .shared = shared, .keeps = config->keeps },
		.lanes = { .lanes_max = config->lanes_max,
			   .grace_s = config->grace_s,
			   .lock = PTHREAD_MUTEX_INITIALIZER,
			   .answered = PTHREAD_COND_INITIALIZER },
	};
	int status;

	worker.lanes.session = &worker.session;
	pl_swap_init(&worker.session.swap, &worker.session);
	pl_peers_init(&worker.session.peers, worker.control);
	for (uint32_t i = 0; i < config->listeners_count; i++)
		pl_peers_where_add(&worker.session.peers, config->listeners[i].address);
	if (driver_load(&worker) < 0)
		_exit(1);
	status = worker_wait(&worker);
	pl_lanes_count(&worker.lanes); /* for what is told of the session's end */
	_exit(status);
}
