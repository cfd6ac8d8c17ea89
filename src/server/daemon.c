#include "server/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "server/daemon-internal.h"
#include "server/token.h"

#define HOST_BYTES_DEFAULT (4ull << 30) /* room for many programs of the largest size */
#define KEPT_BYTES_DEFAULT (1ull << 30)

void pl_daemon_options_init(struct pl_daemon_options *options)
{
	struct sysinfo info = { .totalram = 1ul << 30, .mem_unit = 1 };
	uint64_t memory_bytes;

	sysinfo(&info);
	memory_bytes = (uint64_t)info.totalram * info.mem_unit & ~((1ull << 20) - 1);
	*options = (struct pl_daemon_options){
		.spares = 1,
		.sessions_max = 1024,
		.lanes_max = PL_SERVE_LANES_MAX,
		.grace_s = PL_DAEMON_GRACE_S,
		.keeps_s = PL_DAEMON_KEEPS_S,
		.arena_bytes = memory_bytes,
		.kept_bytes = memory_bytes / 16 < KEPT_BYTES_DEFAULT ? memory_bytes / 16 : KEPT_BYTES_DEFAULT,
		.swap_stay_ns = PL_DAEMON_SWAP_STAY_MS * 1000000ull,
		.ready_fd = -1,
		.log_level = PL_LOG_WARN,
	};
	options->quota[PL_QUOTA_OBJECTS] = PL_HANDLES_MAX;
	options->quota[PL_QUOTA_MEMORY] = UINT64_MAX; /* the device's own limit holds */
	options->quota[PL_QUOTA_HOST] = HOST_BYTES_DEFAULT;
	options->quota[PL_QUOTA_INFLIGHT] = memory_bytes;
}

uint32_t pl_daemon_apis(const struct pl_daemon *daemon)
{
	uint32_t count = 0;

	while (count < PL_DAEMON_APIS_MAX && daemon->options->apis[count].backend)
		count++;
	return count;
}

/* ---- set-up ---- */

/* Descriptors 0 to 2 exist: nothing that we open may be taken for them. */
static void stdio_fill(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void files_raise(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static void signal_ready(struct pl_source *source, uint32_t events)
{
	struct pl_daemon *daemon = (struct pl_daemon *)((char *)source - offsetof(struct pl_daemon, signals));
	struct signalfd_siginfo info;

	(void)events;
	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		pl_log_info("signal %u: the server ends", info.ssi_signo);
		if (!pl_checkpoints_part(daemon))
			daemon->stopping = true;
	}
	pl_pool_reap(daemon); /* signals of one kind merge */
}

static int signals_take(struct pl_daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would hide how workers end */
	sigprocmask(SIG_BLOCK, &set, NULL);
	daemon->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon->signals.fd < 0)
		return pl_err(-errno);
	daemon->signals.ready = signal_ready;
	return pl_trace(pl_loop_add(&daemon->loop, &daemon->signals, EPOLLIN));
}

static int token_take(struct pl_daemon *daemon)
{
	const char *file = daemon->options->token_file, *word = getenv("PLENUM_TOKEN");
	char *token = daemon->secrets->token;
	char why[PL_LINK_ADDRESS_MAX];
	int r = 0;

	if (file) {
		r = pl_token_read(file, token, why, sizeof(why));
		if (r < 0)
			pl_log_error("%s", why);
	} else if (word && *word) {
		r = pl_token_set(word, token);
		if (r < 0)
			pl_log_error("PLENUM_TOKEN: at most %d characters", PL_TOKEN_MAX - 1);
	}
	if (!r && token[0] && strlen(token) < PL_TOKEN_SHORT)
		pl_log_warn("the token is short and can be guessed: plenum serve --generate-token makes a good one");
	return pl_trace(r);
}

static void listener_ready(struct pl_source *source, uint32_t events)
{
	struct pl_listener *listener = (struct pl_listener *)((char *)source - offsetof(struct pl_listener, source));

	(void)events;
	pl_conns_accept(listener->daemon, listener);
}

static int listener_add(struct pl_daemon *daemon, const char *address)
{
	const struct pl_daemon_options *options = daemon->options;
	struct pl_listener *listener = &daemon->listeners[daemon->listeners_count];
	int r;

	if (pl_listener_needs_token(address) && !daemon->secrets->token[0]) {
		pl_log_error("%s: a server on the network wants a token: --token-file FILE (with --generate-token the "
			     "file is made), or PLENUM_TOKEN",
			     address);
		return pl_err(-EPERM);
	}
	r = pl_listener_open(listener, address, options->allow_all_users || options->allow_uids_count);
	daemon->listeners_count++; /* half-open ones are closed at the end, too */
	if (r < 0)
		return pl_trace(r);
	if (!listener->local && !daemon->secrets->token[0])
		return pl_err(-EPERM);
	listener->daemon = daemon;
	listener->source.ready = listener_ready;
	pl_log_info("listening on %s", listener->address);
	return pl_trace(pl_loop_add(&daemon->loop, &listener->source, EPOLLIN));
}

static int listeners_open(struct pl_daemon *daemon)
{
	const struct pl_daemon_options *options = daemon->options;
	char address[PL_LINK_ADDRESS_MAX];
	int r = 0;

	if (options->listen_count > PL_DAEMON_LISTENERS_MAX) {
		pl_log_error("too many addresses (at most %d)", PL_DAEMON_LISTENERS_MAX);
		return pl_err(-E2BIG);
	}
	if (!options->listen_count) {
		pl_daemon_default_address(address);
		pl_drain_succeed(address);
		return pl_trace(listener_add(daemon, address));
	}
	for (uint32_t i = 0; i < options->listen_count; i++)
		pl_drain_succeed(options->listen[i]);
	for (uint32_t i = 0; !r && i < options->listen_count; i++)
		r = listener_add(daemon, options->listen[i]);
	return pl_trace(r);
}

static void ready_tell(struct pl_daemon *daemon, bool usable)
{
	if (daemon->ready_fd < 0)
		return;
	for (uint32_t i = 0; usable && i < daemon->listeners_count; i++)
		dprintf(daemon->ready_fd, "%s\n", daemon->listeners[i].address);
	if (daemon->ready_fd > STDERR_FILENO)
		close(daemon->ready_fd);
	daemon->ready_fd = -1;
}

void pl_daemon_ready(struct pl_daemon *daemon)
{
	bool usable = false;

	for (uint32_t i = 0; i < pl_daemon_apis(daemon); i++) {
		const struct pl_pool_api *api = &daemon->pool.apis[i];

		if (!api->progress_ns && !api->failures)
			return;
		usable |= api->progress_ns != 0;
	}
	ready_tell(daemon, usable);
}

/* ---- running ---- */

static int timeout_ms(uint64_t next_ns, uint64_t now_ns)
{
	if (next_ns == UINT64_MAX)
		return -1;
	if (next_ns <= now_ns)
		return 0;
	return (next_ns - now_ns) / 1000000u >= 60000u ? 60000 : (int)((next_ns - now_ns) / 1000000u) + 1;
}

static int daemon_serve(struct pl_daemon *daemon)
{
	if (!daemon->options->spares)
		ready_tell(daemon, true);
	while (!daemon->stopping) {
		uint64_t now_ns = pl_now_ns();
		uint64_t conns_ns = pl_conns_expire(daemon, now_ns);
		uint64_t pool_ns = pl_pool_settle(daemon, now_ns);
		uint64_t drain_ns = pl_drain_settle(daemon, now_ns);
		uint64_t checkpoints_ns = pl_checkpoints_settle(daemon, now_ns);
		uint64_t swap_ns = pl_swapper_settle(daemon, now_ns);
		uint64_t next_ns = conns_ns < pool_ns ? conns_ns : pool_ns;
		int r = 0;

		if (swap_ns < next_ns)
			next_ns = swap_ns;
		if (checkpoints_ns < next_ns)
			next_ns = checkpoints_ns;
		if (!daemon->stopping)
			r = pl_loop_round(&daemon->loop, timeout_ms(drain_ns < next_ns ? drain_ns : next_ns, now_ns));
		if (r < 0)
			return pl_trace(r);
	}
	return 0;
}

static uint32_t workers_alive(const struct pl_daemon *daemon)
{
	const struct pl_pool *pool = &daemon->pool;

	uint32_t alive = pool->serving + pool->broken;

	for (uint32_t i = 0; i < PL_DAEMON_APIS_MAX; i++)
		alive += pool->apis[i].starting + pool->apis[i].ready;
	return alive;
}

/* Everybody is told, nobody is waited for longer than PL_DAEMON_STOP_MS. */
static void daemon_stop(struct pl_daemon *daemon)
{
	uint64_t end_ns = pl_now_ns() + PL_DAEMON_STOP_MS * 1000000ull;
	bool killed = false;

	daemon->stopping = true;
	for (uint32_t i = 0; i < daemon->listeners_count; i++) {
		if (daemon->listeners[i].source.ready)
			pl_loop_remove(&daemon->loop, &daemon->listeners[i].source);
		pl_listener_close(&daemon->listeners[i]);
	}
	while (daemon->conns.first)
		if (daemon->conns.first->state == PL_CONN_WAITING)
			pl_conn_refuse(daemon->conns.first, PL_HELLO_E_BUSY, "the server is ending");
		else
			pl_conn_close(daemon->conns.first);
	pl_pool_stop(daemon, SIGTERM);
	while (workers_alive(daemon)) {
		uint64_t now_ns = pl_now_ns();

		if (now_ns >= end_ns && !killed) {
			pl_pool_stop(daemon, SIGKILL);
			killed = true;
		}
		if (pl_loop_round(&daemon->loop, killed ? 100 : timeout_ms(end_ns, now_ns)) < 0)
			break;
		pl_pool_reap(daemon);
	}
}

static void daemon_fini(struct pl_daemon *daemon)
{
	ready_tell(daemon, false);
	pl_drain_fini(daemon);
	pl_loop_fini(&daemon->loop);
	if (daemon->signals.fd >= 0)
		close(daemon->signals.fd);
	if (daemon->spare_fd >= 0)
		close(daemon->spare_fd);
	pl_checkpoints_fini(daemon);
	pl_shares_fini(daemon);
	pl_keeper_fini(daemon);
	pl_pool_fini(daemon);
	for (uint32_t i = 0; i < daemon->listeners_count; i++)
		pl_listener_fini(&daemon->listeners[i]);
	pl_folder_fini(&daemon->folder);
	pl_confine_fini(&daemon->confine);
	free(daemon);
}

int pl_daemon_run(const struct pl_daemon_options *options)
{
	struct pl_daemon *daemon = calloc(1, sizeof(*daemon));
	const char *libraries[PL_DAEMON_APIS_MAX];
	int r;

	if (!daemon)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; i < PL_DAEMON_APIS_MAX; i++)
		libraries[i] = options->apis[i].library;
	stdio_fill();
	daemon->options = options;
	daemon->signals.fd = -1;
	pl_drain_init(&daemon->drain);
	pl_checkpoints_init(&daemon->checkpoints);
	daemon->loop.epoll_fd = -1;
	daemon->ready_fd = options->ready_fd;
	daemon->started_ns = pl_now_ns();
	files_raise();
	daemon->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (daemon->ready_fd > STDERR_FILENO)
		fcntl(daemon->ready_fd, F_SETFD, FD_CLOEXEC);
	pl_folder_init(&daemon->folder, options->confine.uids_count);
	r = pl_loop_init(&daemon->loop);
	if (!r)
		r = pl_confine_prepare(&daemon->confine, &options->confine, libraries, PL_DAEMON_APIS_MAX);
	if (!r)
		r = pl_pool_init(daemon);
	if (!r)
		r = token_take(daemon);
	if (!r)
		r = signals_take(daemon);
	if (!r)
		r = pl_checkpoints_open(daemon, options->checkpoints);
	if (!r)
		r = listeners_open(daemon);
	if (!r)
		pl_handed_find(daemon);
	if (!r)
		r = daemon_serve(daemon);
	daemon_stop(daemon);
	daemon_fini(daemon);
	return pl_trace(r);
}
