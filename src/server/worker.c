#include "server/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/connection.h"
#include "link/shm/shm.h"
#include "server/folder.h"
#include "server/hand.h"
#include "server/listener.h"

/* Where arenas go, if nothing is there (a hint to mmap(), no more): far from where programs, heaps, libraries and
 * sanitizers live, so that the client finds the same place free; a random GiB keeps the sessions of one client apart.
 */
#define ARENA_BASE_FIRST 0x680000000000u
#define ARENA_BASE_STEP  (1ull << 30)
#define ARENA_BASE_STEPS 8192u

struct lane_thread {
	struct worker *worker;
	struct lane_thread *next, **link; /* under worker->lock */
	struct pl_lane *lane;             /* under worker->lock; NULL until its greeting is answered */
	int fd;
	struct pl_hello_reply reply;
	uint64_t place;  /* of the lane's memory in the session's region, where it has one */
	uint64_t number; /* the client's for this lane; 0 = none */
	uint32_t more;   /* under worker->lock: connections that were added */
};

struct totals {
	uint64_t bytes_in, bytes_out, wakes, spins, sleeps;
};

struct worker {
	const struct pl_worker_config *config;
	int control;
	struct pl_worker_shared *shared;
	struct pl_session_worker session;
	uint8_t secret[16];
	bool local;     /* unix socket: lanes are shared memory */
	bool resumes;   /* its client knows how to come back */
	bool in_region; /* ivshmem: the arena and the memory of lanes lie in the guest's region */
	pthread_mutex_t lock;
	pthread_cond_t answered;   /* some lane's greeting is, or never will be */
	struct lane_thread *lanes; /* under lock */
	struct totals ended;       /* under lock: of lanes that are gone */
	uint32_t more;             /* under lock: connections that were added, of all lanes */
};

/* ---- becoming a worker ---- */

static void limits_set(void)
{
	struct rlimit none = { 0, 0 }, files;

	setrlimit(RLIMIT_CORE, &none);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* PLENUM="" and not unset: our own ICD, where the loader finds it, must not lead the driver back to this server. */
static void environment_clean(void)
{
	static const char *const ours[] = { "PLENUM_TOKEN", "PLENUM_TRACE", "PLENUM_STATS" };

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		unsetenv(ours[i]);
	setenv("PLENUM", "", 1);
}

/* /proc/self/environ shows where the environment was when the process began: a source can include that file. */
static void environment_hide(void)
{
	extern char **environ;

	for (char **entry = environ; *entry; entry++) {
		char *copy = strdup(*entry);

		if (!copy)
			return;
		explicit_bzero(*entry, strlen(*entry));
		*entry = copy;
	}
}

/* Return: the control socket's number from now on. */
static int files_close(int control)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0 && null >= 0)
		dup2(null, STDERR_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (control != STDERR_FILENO + 1)
		control = dup3(control, STDERR_FILENO + 1, O_CLOEXEC);
	if (close_range(STDERR_FILENO + 2, ~0u, 0) < 0)
		for (long fd = STDERR_FILENO + 2; fd < sysconf(_SC_OPEN_MAX); fd++)
			close((int)fd);
	return control;
}

static void signals_reset(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void parent_follow(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0); /* the daemon died before we could be told */
}

/* Before the driver is loaded: its threads are to be confined as well.  Return: 0 or fatal. */
static int worker_confine(const struct pl_worker_config *config)
{
	char own[PL_FOLDER_PATH_MAX];
	const char *folder = config->folder && pl_folder_enter(config->folder, own) ? own : NULL;
	int r = pl_confine_user(config->confine, config->slot, folder);

	parent_follow(config->parent); /* another user id forgets it */
	return r ? pl_trace(r) : pl_trace(pl_confine_enter(config->confine, folder));
}

static int process_become(const struct pl_worker_config *config, int control)
{
	static char name[32];

	parent_follow(config->parent);
	signals_reset();
	setsid();
	prctl(PR_SET_NAME, "plenum-worker");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limits_set();
	control = files_close(control);
	snprintf(name, sizeof(name), "plenum-worker %d", (int)getpid());
	pl_log_init(name, config->log_level);
	environment_hide();
	environment_clean();
	return control;
}

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

static struct pl_hello_reply reply_make(const struct worker *worker)
{
	struct pl_hello_reply reply = {
		.magic = PL_HELLO_MAGIC,
		.major = PL_HELLO_MAJOR,
		.minor = PL_HELLO_MINOR,
		.status = PL_HELLO_OK,
		.api_hash = worker->config->backend->functions->hash,
		.session = worker->session.id,
		.arena_bytes = worker->session.arena_bytes,
		.arena_base = (uintptr_t)worker->session.arena,
		.worker_pid = (uint32_t)getpid(),
		.memory_bytes = worker->session.quota.limit[PL_QUOTA_MEMORY],
		.arena_offset = worker->session.arena_start,
		.grace_s = worker->config->grace_s,
	};

	memcpy(reply.secret, worker->secret, sizeof(reply.secret));
	return reply;
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

static void lane_outlives(const struct worker *worker, struct pl_lane *lane)
{
	if (worker->resumes && worker->config->grace_s)
		pl_lane_resumable(lane, NULL, NULL);
}

/* Answers the client.  Return: 0, or fatal: the worker ends. */
static int session_start(struct worker *worker, const struct pl_hand *hand, int fd, int region_fd)
{
	const struct pl_worker_config *config = worker->config;
	struct pl_session_worker *session = &worker->session;
	struct pl_hello_reply reply;
	int r;

	session->id = hand->session;
	memcpy(session->peers.key, hand->peer_key, sizeof(session->peers.key));
	worker->local = hand->local;
	worker->resumes = hand->hello.minor >= PL_HELLO_MINOR_AGAIN;
	memcpy(worker->secret, hand->secret, sizeof(worker->secret));
	limits_set_session(session, config->quota);
	pthread_mutex_init(&session->reverse_lock, NULL);
	pl_turn_init(&session->turn);
	r = pl_handles_init(&session->handles);
	if (r) {
		pl_link_refuse(fd, PL_HELLO_E_INTERNAL, "the worker has no memory for its tables");
		return pl_fold(r);
	}
	worker->in_region = region_fd >= 0;
	if (worker->in_region)
		r = arena_in_region(session, hand, region_fd);
	else if (hand->local)
		arena_make(session, config->arena_bytes);
	if (r) {
		pl_link_refuse(fd, PL_HELLO_E_INTERNAL, "the worker can not map the guest's memory");
		return pl_trace(r);
	}
	reply = reply_make(worker);
	if (worker->in_region)
		r = pl_link_accept_region_lane(fd, &reply, -1, 0, &session->reverse);
	else
		r = pl_link_accept_lane(fd, &reply, session->arena_fd, &session->reverse);
	if (!r)
		lane_outlives(worker, session->reverse);
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

/* ---- lanes ---- */

static void totals_add(struct totals *totals, struct pl_lane_stats *stats)
{
	totals->bytes_in += atomic_load_explicit(&stats->bytes_in, memory_order_relaxed);
	totals->bytes_out += atomic_load_explicit(&stats->bytes_out, memory_order_relaxed);
	totals->wakes += atomic_load_explicit(&stats->wakes, memory_order_relaxed);
	totals->spins += atomic_load_explicit(&stats->spins, memory_order_relaxed);
	totals->sleeps += atomic_load_explicit(&stats->sleeps, memory_order_relaxed);
}

static void counters_write(struct worker *worker);

static void lane_enlist(struct lane_thread *thread)
{
	struct worker *worker = thread->worker;

	pthread_mutex_lock(&worker->lock);
	thread->next = worker->lanes;
	thread->link = &worker->lanes;
	if (thread->next)
		thread->next->link = &thread->next;
	worker->lanes = thread;
	pthread_mutex_unlock(&worker->lock);
}

static void lane_delist(struct lane_thread *thread)
{
	struct worker *worker = thread->worker;

	pthread_mutex_lock(&worker->lock);
	if (thread->lane)
		totals_add(&worker->ended, &thread->lane->stats);
	worker->more -= thread->more;
	*thread->link = thread->next;
	if (thread->next)
		thread->next->link = thread->link;
	pthread_cond_broadcast(&worker->answered);
	pthread_mutex_unlock(&worker->lock);
}

static void lane_answered(struct lane_thread *thread, struct pl_lane *lane)
{
	pthread_mutex_lock(&thread->worker->lock);
	thread->lane = lane;
	pthread_cond_broadcast(&thread->worker->answered);
	pthread_mutex_unlock(&thread->worker->lock);
}

/* Takes over thread->fd. */
static int lane_accept(struct lane_thread *thread, struct pl_lane **lane_out)
{
	if (!thread->worker->in_region)
		return pl_trace(pl_link_accept_lane(thread->fd, &thread->reply, -1, lane_out));
	return pl_trace(pl_link_accept_region_lane(thread->fd, &thread->reply, thread->worker->session.arena_fd,
						   thread->place, lane_out));
}

static void *lane_run(void *arg)
{
	struct lane_thread *thread = arg;
	struct worker *worker = thread->worker;
	struct pl_lane *lane = NULL;

	prctl(PR_SET_NAME, "plenum-lane");
	if (!lane_accept(thread, &lane)) {
		int r;

		lane_outlives(worker, lane);
		lane_answered(thread, lane);
		r = pl_serve_lane(&worker->session, lane);
		if (r != -EPIPE) {
			pl_log_warn("session %llu can not go on: %s", (unsigned long long)worker->session.id,
				    strerror(-r));
			counters_write(worker);
			_exit(1);
		}
	}
	lane_delist(thread);
	pl_lane_destroy(lane);
	atomic_fetch_sub(&worker->session.lanes_count, 1);
	free(thread);
	return NULL;
}

/* Does the lane's memory lie in the session's part of the region?  The client cuts that alone: what it lays over each
 * other is its own harm. */
static bool place_fits(const struct worker *worker, uint64_t place)
{
	const struct pl_session_worker *session = &worker->session;

	return place >= session->arena_start && !(place % 4096u) && session->arena_bytes >= PL_SHM_LANE_BYTES &&
	       place - session->arena_start <= session->arena_bytes - PL_SHM_LANE_BYTES;
}

static void lane_start(struct worker *worker, int fd, const struct pl_hello *hello)
{
	bool placed = worker->in_region && hello->place;
	struct lane_thread *thread = NULL;
	pthread_attr_t attr;
	pthread_t id;
	int r;

	if (atomic_load(&worker->session.lanes_count) >= worker->config->lanes_max) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "too many threads: plenum serve --lanes-limit");
		return;
	}
	if (placed && !place_fits(worker, hello->place - 1)) {
		pl_link_refuse(fd, PL_HELLO_E_SESSION, "a lane's memory outside of the session's");
		return;
	}
	thread = calloc(1, sizeof(*thread));
	if (!thread) {
		pl_link_refuse(fd, PL_HELLO_E_INTERNAL, "the worker is out of memory");
		return;
	}
	*thread = (struct lane_thread){ .worker = worker, .fd = fd, .reply = reply_make(worker) };
	thread->reply.arena_bytes = thread->reply.arena_base = thread->reply.arena_offset = 0;
	thread->reply.lane_bytes = (worker->in_region ? placed : worker->local) ? PL_SHM_RING_BYTES : 0;
	thread->place = placed ? hello->place - 1 : 0;
	thread->number = worker->in_region || worker->local ? 0 : hello->place;
	atomic_fetch_add(&worker->session.lanes_count, 1);
	lane_enlist(thread);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, PL_WORKER_STACK_BYTES);
	r = pthread_create(&id, &attr, lane_run, thread);
	pthread_attr_destroy(&attr);
	if (r) {
		pl_log_warn("session %llu: no thread for a lane: %s", (unsigned long long)worker->session.id,
			    strerror(r));
		lane_delist(thread);
		atomic_fetch_sub(&worker->session.lanes_count, 1);
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "the worker can not start a thread");
		free(thread);
	}
}

/* Called with worker->lock held.  The client may have its answer before the lane's thread has told of it. */
static struct lane_thread *lane_find(struct worker *worker, uint64_t number)
{
	struct lane_thread *thread;

	for (;;) {
		for (thread = number ? worker->lanes : NULL; thread && thread->number != number; thread = thread->next)
			;
		if (!thread || thread->lane)
			return thread;
		pthread_cond_wait(&worker->answered, &worker->lock);
	}
}

/* Called with worker->lock held, which keeps the lane from its end.  NULL: there is none of this number. */
static struct pl_lane *lane_numbered(struct worker *worker, uint64_t number, struct lane_thread **thread_out)
{
	*thread_out = lane_find(worker, number);
	if (worker->local || worker->in_region)
		return NULL;
	if (*thread_out)
		return (*thread_out)->lane;
	return number == PL_HELLO_PLACE_REVERSE ? worker->session.reverse : NULL;
}

/* Called with worker->lock held.  Takes over fd. */
static void lane_more(struct worker *worker, int fd, const struct pl_hello_reply *reply, struct pl_lane *lane,
		      struct lane_thread *thread)
{
	if (worker->more >= PL_WORKER_MORE_MAX) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "the session has as many connections as it may");
	} else if (!pl_link_accept_more(fd, reply, lane)) {
		worker->more++;
		if (thread)
			thread->more++;
	}
}

/* One more for a lane, or one in place of its own: then the client waits with all that it has for this lane, and this
 * thread for the client.  The lane's thread may be in the middle of anything, but for its end.  Takes over fd. */
static void lane_connection(struct worker *worker, int fd, const struct pl_hello *hello)
{
	struct pl_hello_reply reply = reply_make(worker);
	struct lane_thread *thread;
	struct pl_lane *lane;

	reply.arena_bytes = reply.arena_base = reply.arena_offset = 0;
	pthread_mutex_lock(&worker->lock);
	lane = lane_numbered(worker, hello->place, &thread);
	if (!lane)
		pl_link_refuse(fd, PL_HELLO_E_SESSION, "the session has no lane of this number");
	else if (hello->kind == PL_HELLO_MORE)
		lane_more(worker, fd, &reply, lane, thread);
	else if (!pl_link_accept_again(fd, &reply, lane))
		pl_count(&worker->shared->resumed, 1);
	pthread_mutex_unlock(&worker->lock);
}

/* ---- the main thread ---- */

static void counters_write(struct worker *worker)
{
	struct pl_worker_shared *shared = worker->shared;
	struct pl_session_worker *session = &worker->session;
	struct totals totals;

	pthread_mutex_lock(&worker->lock);
	totals = worker->ended;
	for (struct lane_thread *thread = worker->lanes; thread; thread = thread->next)
		if (thread->lane)
			totals_add(&totals, &thread->lane->stats);
	pthread_mutex_unlock(&worker->lock);
	if (session->reverse)
		totals_add(&totals, &session->reverse->stats);
	atomic_store(&shared->bytes_in, totals.bytes_in);
	atomic_store(&shared->bytes_out, totals.bytes_out);
	atomic_store(&shared->wakes, totals.wakes);
	atomic_store(&shared->spins, totals.spins);
	atomic_store(&shared->sleeps, totals.sleeps);
	atomic_store(&shared->lanes, atomic_load(&session->lanes_count));
	atomic_store(&shared->memory_bytes, atomic_load(&session->quota.used[PL_QUOTA_MEMORY]));
	atomic_store(&shared->memory_peak_bytes, atomic_load(&session->quota.peak[PL_QUOTA_MEMORY]));
	atomic_store(&shared->host_bytes, atomic_load(&session->quota.used[PL_QUOTA_HOST]));
	atomic_store(&shared->inflight_bytes, atomic_load(&session->quota.used[PL_QUOTA_INFLIGHT]));
	atomic_store(&shared->objects, atomic_load(&session->quota.used[PL_QUOTA_OBJECTS]));
}

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
		lane_start(worker, fd, &hand->hello);
		return 0;
	case PL_HAND_MORE:
	case PL_HAND_AGAIN:
		if (fd < 0 || !worker->session.reverse)
			break;
		lane_connection(worker, fd, &hand->hello);
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
	case PL_HAND_LIMIT:
		limits_set_session(&worker->session, hand->limits);
		return 0;
	case PL_HAND_COUNT:
		counters_write(worker);
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
	uint64_t cut_ns = worker->shared->cut_ns, now = pl_now_ns();
	uint64_t grace_ns = worker->config->grace_s * 1000000000ull;

	if (!worker->session.reverse || !pl_lane_is_cut(worker->session.reverse)) {
		worker->shared->cut_ns = 0;
		return -1;
	}
	if (!cut_ns) {
		pl_log_info("session %llu: its connection is cut; it waits %u s for its client",
			    (unsigned long long)worker->session.id, worker->config->grace_s);
		worker->shared->cut_ns = cut_ns = now;
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
	int r = worker_confine(config);

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
	pl_hand_send(worker->control, &hand, -1, -1);
	return pl_fold(r);
}

void pl_worker_main(const struct pl_worker_config *config, int control, struct pl_worker_shared *shared)
{
	struct worker worker = {
		.config = config,
		.control = process_become(config, control),
		.shared = shared,
		.session = { .backend = config->backend, .arena_fd = -1, .shared = shared, .keeps = config->keeps },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.answered = PTHREAD_COND_INITIALIZER,
	};
	int status;

	pl_peers_init(&worker.session.peers, worker.control);
	for (uint32_t i = 0; i < config->listeners_count; i++)
		pl_peers_where_add(&worker.session.peers, config->listeners[i].address);
	if (driver_load(&worker) < 0)
		_exit(1);
	status = worker_wait(&worker);
	counters_write(&worker); /* for what is told of the session's end */
	_exit(status);
}
