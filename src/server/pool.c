/* Workers as the daemon sees them: started ahead of need, given a session each, watched, reaped, counted. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "link/ivshmem/region.h"
#include "server/audit.h"
#include "server/daemon-internal.h"
#include "server/token.h"

#define LIVED_WELL_NS 10000000000ull /* a spare that dies later than this was not a failed start */

static struct pl_pool_worker *worker_of(struct pl_source *source)
{
	return (struct pl_pool_worker *)((char *)source - offsetof(struct pl_pool_worker, source));
}

static uint32_t *phase_count(struct pl_pool_worker *worker)
{
	struct pl_pool *pool = &worker->daemon->pool;

	switch (worker->phase) {
	case PL_POOL_STARTING:
		return &pool->apis[worker->api].starting;
	case PL_POOL_READY:
		return &pool->apis[worker->api].ready;
	case PL_POOL_SERVING:
		return &pool->serving;
	default:
		return &pool->broken;
	}
}

static void phase_set(struct pl_pool_worker *worker, enum pl_pool_phase phase)
{
	--*phase_count(worker);
	worker->phase = phase;
	++*phase_count(worker);
	worker->since_ns = pl_now_ns();
}

const uint8_t *pl_pool_secret(const struct pl_pool_worker *worker)
{
	return worker->daemon->secrets->sessions[worker->slot].secret;
}

const uint8_t *pl_pool_peer_key(const struct pl_pool_worker *worker)
{
	return worker->daemon->secrets->sessions[worker->slot].peer_key;
}

struct pl_pool_worker *pl_pool_find(struct pl_daemon *daemon, uint64_t session)
{
	struct pl_pool_worker *worker = daemon->pool.first;

	while (worker && !(worker->phase == PL_POOL_SERVING && worker->session == session))
		worker = worker->next;
	return worker;
}

void pl_pool_kill(struct pl_pool_worker *worker, const char *why)
{
	if (!worker->why)
		worker->why = why;
	if (worker->phase != PL_POOL_BROKEN)
		phase_set(worker, PL_POOL_BROKEN);
	if (!worker->reaped)
		kill(worker->pid, SIGKILL);
}

void pl_pool_leaves(struct pl_pool_worker *worker, const char *why)
{
	worker->why = why;
	phase_set(worker, PL_POOL_BROKEN);
}

int pl_pool_init(struct pl_daemon *daemon)
{
	struct pl_pool *pool = &daemon->pool;

	pool->slots_count = daemon->options->sessions_max +
			    pl_daemon_apis(daemon) * (daemon->options->spares + PL_DAEMON_STARTING_MAX);
	pool->slots = calloc(pool->slots_count, sizeof(*pool->slots));
	daemon->secrets_bytes = sizeof(*daemon->secrets) + pool->slots_count * sizeof(daemon->secrets->sessions[0]);
	daemon->secrets = pl_secret_room(daemon->secrets_bytes);
	return pool->slots && daemon->secrets ? 0 : pl_err(-ENOMEM);
}

void pl_pool_fini(struct pl_daemon *daemon)
{
	free(daemon->pool.slots);
	daemon->pool.slots = NULL;
	if (daemon->secrets)
		munmap(daemon->secrets, daemon->secrets_bytes);
	daemon->secrets = NULL;
}

/* ---- starting ---- */

static void start_failed(struct pl_daemon *daemon, uint32_t at, const char *reason)
{
	struct pl_pool_api *api = &daemon->pool.apis[at];
	uint64_t wait_ms = PL_DAEMON_BACKOFF_MS_MIN;
	struct pl_conn *conn;
	bool news = strcmp(api->reason, reason) != 0 || !api->failures;

	for (uint32_t i = 0; i < api->failures && wait_ms < PL_DAEMON_BACKOFF_MS_MAX; i++)
		wait_ms *= 2;
	if (wait_ms > PL_DAEMON_BACKOFF_MS_MAX)
		wait_ms = PL_DAEMON_BACKOFF_MS_MAX;
	api->failures++;
	api->retry_ns = pl_now_ns() + wait_ms * 1000000u;
	if (reason != api->reason)
		snprintf(api->reason, sizeof(api->reason), "%s", reason);
	pl_log(news ? PL_LOG_ERROR : PL_LOG_INFO, "a worker did not start: %s; next try in %llu ms", api->reason,
	       (unsigned long long)wait_ms);
	pl_daemon_ready(daemon);
	conn = pl_conns_waiting(daemon, at); /* one failure, one refusal; all, when nobody is left to wait for */
	while (conn) {
		pl_conn_refuse(conn, PL_HELLO_E_INTERNAL, "%s", api->reason);
		conn = api->starting || api->ready ? NULL : pl_conns_waiting(daemon, at);
	}
}

static void hand_keep(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand,
		      int *fd)
{
	pl_shares_handle(daemon, worker, hand, fd);
	if (daemon->options->kept_bytes)
		pl_keeper_handle(daemon, worker, hand, fd);
}

/* Of memory that more sessions have than the device. */
static void hand_swap(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	if (pl_daemon_moves(daemon->options) && !pl_swapper_handle(daemon, worker, hand))
		pl_pool_kill(worker, "protocol");
}

/* SIGCHLD tells of the end: here only news. */
static void worker_ready(struct pl_source *source, uint32_t events)
{
	struct pl_pool_worker *worker = worker_of(source);
	struct pl_daemon *daemon = worker->daemon;
	struct pl_hand hand;

	(void)events;
	for (;;) {
		int fds[PL_HAND_FDS], r = pl_hand_recv(worker->source.fd, &hand, fds);

		if (r == -EAGAIN)
			return;
		if (r < 0) {
			pl_loop_mute(&daemon->loop, &worker->source);
			worker->deaf = true;
			if (r != -EPIPE)
				pl_pool_kill(worker, "protocol");
			return;
		}
		if (worker->phase == PL_POOL_SERVING)
			hand_keep(daemon, worker, &hand, &fds[0]);
		if (worker->phase == PL_POOL_SERVING)
			hand_swap(daemon, worker, &hand);
		if (worker->phase == PL_POOL_SERVING)
			pl_checkpoints_handle(daemon, worker, &hand);
		if (worker->trial_of)
			pl_checkpoints_tried(daemon, worker, &hand);
		for (int i = 0; i < PL_HAND_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		if (hand.kind == PL_HAND_READY && worker->phase == PL_POOL_STARTING) {
			pl_log_debug("worker %d is ready after %llu ms", (int)worker->pid,
				     (unsigned long long)((pl_now_ns() - worker->since_ns) / 1000000u));
			phase_set(worker, PL_POOL_READY);
			pl_swapper_capacity(daemon, worker, &hand);
			daemon->pool.apis[worker->api].progress_ns = worker->since_ns;
			pl_daemon_ready(daemon);
		} else if (hand.kind == PL_HAND_FAILED && worker->phase == PL_POOL_STARTING) {
			snprintf(worker->reason, sizeof(worker->reason), "%s", hand.text);
		} else if (hand.kind == PL_HAND_COUNTED && worker->counting) {
			worker->counting--;
			if (!--daemon->pool.counting)
				pl_control_counted(daemon);
		} else if (hand.kind == PL_HAND_DIAL && worker->phase == PL_POOL_SERVING) {
			pl_dial_start(daemon, worker, &hand);
		}
		explicit_bzero(&hand, sizeof(hand)); /* tokens and notes: workers are forked from this stack */
	}
}

static struct pl_worker_shared *shared_make(void)
{
	struct pl_worker_shared *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

/* What the child needs; on its stack, and no more of the daemon's heap than who may do what. */
__attribute__((noreturn)) static void worker_become(const struct pl_daemon *daemon, int control,
						    const struct pl_pool_worker *worker, pid_t parent)
{
	const struct pl_daemon_options *options = daemon->options;
	struct pl_worker_config config = {
		.backend = options->apis[worker->api].backend,
		.library = options->apis[worker->api].library,
		.arena_bytes = options->arena_bytes,
		.lanes_max = options->lanes_max,
		.grace_s = options->grace_s,
		.keeps = options->kept_bytes != 0,
		.oversubscribes = options->swap_bytes != 0,
		.keeps_s = options->checkpoints ? options->keeps_s : 0,
		.device_bytes = options->device_bytes,
		.log_level = options->log_level,
		.folder = daemon->folder.path,
		.parent = parent,
		.confine = &daemon->confine,
		.slot = worker->slot,
		.listeners = daemon->listeners,
		.listeners_count = daemon->listeners_count,
	};

	memcpy(config.quota, options->quota, sizeof(config.quota));
	pl_worker_main(&config, control, worker->shared);
}

static void worker_free(struct pl_source *source)
{
	struct pl_pool_worker *worker = worker_of(source);

	if (worker->source.fd >= 0)
		close(worker->source.fd);
	if (worker->shared)
		munmap(worker->shared, sizeof(*worker->shared));
	free(worker);
}

static uint32_t slot_take(struct pl_pool *pool)
{
	uint32_t slot = 0;

	while (slot < pool->slots_count && pool->slots[slot])
		slot++;
	if (slot < pool->slots_count)
		pool->slots[slot] = true;
	return slot;
}

static void worker_enlist(struct pl_pool_worker *worker)
{
	struct pl_pool *pool = &worker->daemon->pool;

	worker->prev = pool->last;
	*(pool->last ? &pool->last->next : &pool->first) = worker;
	pool->last = worker;
	++*phase_count(worker);
}

/* Return: 0; fatal: explained in `why`. */
static int worker_fork(struct pl_daemon *daemon, struct pl_pool_worker *worker, const char **why_out)
{
	pid_t parent = getpid();
	int ends[2];

	*why_out = "no socket pair for a worker (out of file descriptors?)";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return pl_err(-errno);
	worker->source.fd = ends[0];
	*why_out = "no process for a worker: see ulimit -u and the cgroup's limits";
	worker->pid = fork();
	if (!worker->pid)
		worker_become(daemon, ends[1], worker, parent);
	close(ends[1]);
	if (worker->pid < 0)
		return pl_err(-errno);
	madvise(worker->shared, sizeof(*worker->shared), MADV_DONTFORK); /* the next worker must not see it */
	return pl_trace(pl_loop_add(&daemon->loop, &worker->source, EPOLLIN));
}

static int worker_start(struct pl_daemon *daemon, uint32_t api)
{
	struct pl_pool_worker *worker = calloc(1, sizeof(*worker));
	const char *why = "no memory for another worker";
	int r = -ENOMEM;

	if (worker) {
		*worker = (struct pl_pool_worker){
			.source = { .fd = -1, .ready = worker_ready, .release = worker_free },
			.daemon = daemon,
			.phase = PL_POOL_STARTING,
			.api = api,
			.since_ns = pl_now_ns(),
			.shared = shared_make(),
			.slot = slot_take(&daemon->pool),
		};
		if (worker->shared && worker->slot < daemon->pool.slots_count)
			r = worker_fork(daemon, worker, &why);
	}
	if (!r) {
		worker_enlist(worker);
		return 0;
	}
	if (worker && worker->pid > 0)
		kill(worker->pid, SIGKILL); /* unknown to pl_pool_reap(), which collects it all the same */
	if (worker && worker->slot < daemon->pool.slots_count)
		daemon->pool.slots[worker->slot] = false;
	if (worker)
		worker_free(&worker->source);
	start_failed(daemon, api, why);
	return pl_trace(r);
}

/* ---- giving sessions ---- */

struct pl_pool_worker *pl_pool_ready(struct pl_daemon *daemon, uint32_t api)
{
	struct pl_pool_worker *worker = daemon->pool.first;

	while (worker && (worker->phase != PL_POOL_READY || worker->api != api))
		worker = worker->next;
	return worker;
}

void pl_pool_guest_booted(struct pl_daemon *daemon, const struct pl_region *region, uint64_t boot)
{
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		if (worker->region == region && worker->boot != boot) {
			pl_log_info("session %llu: its guest has started anew", (unsigned long long)worker->session);
			pl_pool_kill(worker, "reboot");
		}
}

/* A part of the guest's region for this session, where it asks for one. */
static void region_take(struct pl_pool_worker *worker, const struct pl_conn *conn, struct pl_hand *hand)
{
	if (!conn->in_region)
		return;
	if (pl_region_grant(conn->region, &hand->region_offset, &hand->region_bytes)) {
		pl_log_warn("no room is left in the memory of a guest: data of %s goes through its socket",
			    conn->hello.program);
		return;
	}
	worker->region = conn->region;
	worker->region_offset = hand->region_offset;
	worker->region_bytes = hand->region_bytes;
	worker->boot = conn->hello.place;
}

/* After its end, or where it never began. */
static void region_give(struct pl_pool_worker *worker)
{
	if (worker->region)
		pl_region_release(worker->region, worker->region_offset, worker->region_bytes);
	worker->region = NULL;
}

/* With whom it shares what is kept: a user of this machine with himself alone, whatever the operator says. */
static struct pl_peer_name peer_name(const struct pl_conn *conn, bool apart)
{
	struct pl_peer_name name = { .listener = apart ? conn->listener + 1 : 0, .number = conn->uid };
	union pl_peer_address peer;

	if (conn->local)
		name.family = AF_UNIX;
	else if (apart && pl_audit_peer(conn, &peer))
		name.family = peer.any.sa_family;
	if (name.family == AF_INET)
		memcpy(name.address, &peer.in.sin_addr, sizeof(peer.in.sin_addr));
	else if (name.family == AF_INET6)
		memcpy(name.address, &peer.in6.sin6_addr, sizeof(name.address));
	else if (name.family == AF_VSOCK)
		name.number = peer.vm.svm_cid;
	return name;
}

static void session_note(struct pl_pool_worker *worker, const struct pl_conn *conn, const struct pl_hand *hand)
{
	struct pl_worker_shared *shared = worker->shared;

	worker->session = hand->session;
	worker->local = conn->local;
	worker->uid = conn->uid;
	memcpy(worker->limits, worker->daemon->options->quota, sizeof(worker->limits));
	pl_audit_address(conn, worker->address);
	worker->name = peer_name(conn, worker->daemon->options->kept_apart);
	memcpy(shared->program, hand->hello.program, sizeof(shared->program));
	shared->client_pid = conn->local ? (uint32_t)conn->pid : hand->hello.pid;
	memcpy(worker->program, hand->hello.program, sizeof(worker->program));
	worker->client_pid = shared->client_pid;
	worker->began_ns = pl_now_ns();
	atomic_store(&shared->started_ns, worker->began_ns);
	phase_set(worker, PL_POOL_SERVING);
}

void pl_pool_restored(struct pl_pool_worker *worker, uint64_t session, const uint8_t secret[16],
		      const uint8_t peer_key[16], const char *program, uint32_t client_pid)
{
	__typeof__(worker->daemon->secrets->sessions[0]) *secrets = &worker->daemon->secrets->sessions[worker->slot];
	struct pl_worker_shared *shared = worker->shared;

	memcpy(secrets->secret, secret, sizeof(secrets->secret));
	memcpy(secrets->peer_key, peer_key, sizeof(secrets->peer_key));
	worker->session = session;
	worker->uid = (uid_t)-1;
	worker->client_pid = shared->client_pid = client_pid;
	snprintf(worker->program, sizeof(worker->program), "%s", program);
	snprintf(shared->program, sizeof(shared->program), "%s", program);
	worker->began_ns = pl_now_ns();
	atomic_store(&shared->started_ns, worker->began_ns);
	phase_set(worker, PL_POOL_SERVING);
}

static void session_give(struct pl_daemon *daemon, struct pl_conn *conn, struct pl_pool_worker *worker)
{
	struct pl_hand hand = { .kind = PL_HAND_SESSION, .local = conn->local, .hello = conn->hello };
	__typeof__(daemon->secrets->sessions[0]) *secrets = &daemon->secrets->sessions[worker->slot];

	if (getrandom(secrets, sizeof(*secrets), 0) != sizeof(*secrets)) {
		pl_conn_refuse(conn, PL_HELLO_E_INTERNAL, "the server has no randomness");
		return;
	}
	explicit_bzero(hand.hello.token, sizeof(hand.hello.token)); /* no worker's business */
	hand.session = ++daemon->pool.sessions_made;
	memcpy(hand.secret, secrets->secret, sizeof(hand.secret));
	memcpy(hand.peer_key, secrets->peer_key, sizeof(hand.peer_key));
	fcntl(conn->source.fd, F_SETFL, fcntl(conn->source.fd, F_GETFL) & ~O_NONBLOCK);
	region_take(worker, conn, &hand);
	if (pl_hand_send(worker->source.fd, &hand, conn->source.fd,
			 worker->region ? pl_region_fd(worker->region) : -1) < 0) {
		pl_pool_kill(worker, "deaf"); /* the connection waits for another one */
	} else {
		session_note(worker, conn, &hand);
		daemon->pool.apis[worker->api].failures = 0;
		pl_audit_began(worker);
		pl_conn_close(conn);
	}
	explicit_bzero(&hand, sizeof(hand)); /* the next workers are forked from this stack */
}

static uint64_t starting_expire(struct pl_daemon *daemon, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next) {
		uint64_t end_ns = worker->since_ns + PL_DAEMON_START_MS_MAX * 1000000ull;

		if (worker->phase != PL_POOL_STARTING)
			continue;
		if (end_ns <= now_ns) {
			snprintf(worker->reason, sizeof(worker->reason), "the driver did not load within %u s",
				 PL_DAEMON_START_MS_MAX / 1000);
			kill(worker->pid, SIGKILL);
		} else if (end_ns < next_ns) {
			next_ns = end_ns;
		}
	}
	return next_ns;
}

static uint64_t api_settle(struct pl_daemon *daemon, uint32_t at, uint64_t now_ns)
{
	struct pl_pool_api *api = &daemon->pool.apis[at];

	while (api->ready && api->waiting)
		session_give(daemon, pl_conns_waiting(daemon, at), pl_pool_ready(daemon, at));
	while (api->ready + api->starting <
	       daemon->options->spares + api->waiting + pl_checkpoints_waiting(daemon, at)) {
		if (api->starting >= PL_DAEMON_STARTING_MAX)
			break;
		if (now_ns < api->retry_ns || worker_start(daemon, at) < 0)
			return api->retry_ns;
	}
	return UINT64_MAX;
}

uint64_t pl_pool_settle(struct pl_daemon *daemon, uint64_t now_ns)
{
	uint64_t next_ns = starting_expire(daemon, now_ns);

	if (daemon->stopping || daemon->drain.on)
		return next_ns;
	for (uint32_t i = 0; i < pl_daemon_apis(daemon); i++) {
		uint64_t api_ns = api_settle(daemon, i, now_ns);

		if (api_ns < next_ns)
			next_ns = api_ns;
	}
	return next_ns;
}

static void count_ask(struct pl_pool_worker *worker)
{
	static const struct pl_hand hand = { .kind = PL_HAND_COUNT };

	if (worker->deaf || pl_hand_send(worker->source.fd, &hand, -1, -1) < 0)
		return;
	worker->counting++;
	worker->daemon->pool.counting++;
}

void pl_pool_count(struct pl_daemon *daemon, struct pl_pool_worker *one)
{
	if (one)
		count_ask(one);
	for (struct pl_pool_worker *worker = daemon->pool.first; worker && !one; worker = worker->next)
		if (worker->phase == PL_POOL_SERVING && !worker->counting)
			count_ask(worker);
}

/* ---- ends ---- */

static void session_ended(struct pl_pool_worker *worker, int status)
{
	struct pl_daemon *daemon = worker->daemon;
	char word[24];
	const char *why = worker->why;

	if (!why && daemon->stopping)
		why = daemon->drain.on && daemon->drain.end_ns <= pl_now_ns() ? "drained" : "stopped";
	if (!why && WIFSIGNALED(status)) {
		daemon->pool.crashes++;
		pl_log_error("session %llu: worker %d died of signal %d (%s) while it served %s (pid %u); "
			     "the client sees its device as lost",
			     (unsigned long long)worker->session, (int)worker->pid, WTERMSIG(status),
			     strsignal(WTERMSIG(status)), worker->program, worker->client_pid);
		snprintf(word, sizeof(word), "signal:%d", WTERMSIG(status));
		why = word;
	} else if (!why && WEXITSTATUS(status)) {
		pl_log_warn("session %llu: %s (pid %u) has ended, worker %d: exit status %d",
			    (unsigned long long)worker->session, worker->program, worker->client_pid, (int)worker->pid,
			    WEXITSTATUS(status));
		why = "fault";
	}
	pl_audit_ended(worker, why ? why : "client");
}

/* A worker that never had a session has ended. */
static void spare_ended(struct pl_pool_worker *worker, enum pl_pool_phase phase, int status)
{
	struct pl_daemon *daemon = worker->daemon;
	char reason[PL_HAND_TEXT_MAX];

	if (daemon->stopping || daemon->drain.on || (worker->why && !strcmp(worker->why, "trial")))
		return;
	if (phase == PL_POOL_READY && pl_now_ns() - worker->since_ns > LIVED_WELL_NS)
		daemon->pool.apis[worker->api].failures = 0;
	if (worker->reason[0])
		snprintf(reason, sizeof(reason), "%s", worker->reason);
	else if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "the driver killed its worker: signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(reason, sizeof(reason), "the driver ended its worker: exit status %d", WEXITSTATUS(status));
	start_failed(daemon, worker->api, reason);
}

static void worker_ended(struct pl_pool_worker *worker, int status)
{
	struct pl_daemon *daemon = worker->daemon;
	struct pl_pool *pool = &daemon->pool;
	enum pl_pool_phase phase;

	worker->reaped = true;
	region_give(worker);
	pl_folder_remove(&daemon->folder, worker->pid);
	if (!worker->deaf)
		worker_ready(&worker->source, EPOLLIN); /* its last words */
	pl_shares_forget(daemon, worker->session);      /* those of the last words, too */
	phase = worker->phase;
	--*phase_count(worker);
	*(worker->prev ? &worker->prev->next : &pool->first) = worker->next;
	*(worker->next ? &worker->next->prev : &pool->last) = worker->prev;
	pl_swapper_ended(daemon, worker);
	pl_checkpoints_ended(daemon, worker);
	explicit_bzero(&daemon->secrets->sessions[worker->slot], sizeof(daemon->secrets->sessions[0]));
	pool->slots[worker->slot] = false;
	if (worker->session)
		session_ended(worker, status);
	else
		spare_ended(worker, phase, status);
	pool->counting -= worker->counting;
	if (worker->counting && !pool->counting)
		pl_control_counted(daemon);
	pl_loop_remove(&daemon->loop, &worker->source);
}

void pl_pool_reap(struct pl_daemon *daemon)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct pl_pool_worker *worker = daemon->pool.first;

		pl_dial_reaped(daemon, pid);
		while (worker && worker->pid != pid)
			worker = worker->next;
		if (worker)
			worker_ended(worker, status);
	}
}

void pl_pool_stop(struct pl_daemon *daemon, int sig)
{
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		kill(worker->pid, sig);
}
