#include "one-daemon.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fuzz.h"
#include "server/daemon-internal.h"
#include "server/token.h"

#define ROUNDS 8

static const struct pl_functions functions = { .version = 1, .hash = 1 };
static struct pl_backend_ops backend = { .name = "fuzz", .api = PL_API_OPENCL, .functions = &functions };
static struct pl_daemon_options options;
static struct pl_daemon the_daemon;
static struct pl_worker_shared shared;
static struct pl_pool_worker worker;
static int worker_end; /* the other end of the worker's socket */

static void no_news(struct pl_source *source, uint32_t events)
{
	(void)source;
	(void)events;
}

/* A listener on a name that only this process knows (the abstract name space: no file). */
static void listener_make(struct pl_listener *listener)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t bytes = (socklen_t)offsetof(struct sockaddr_un, sun_path);

	listener->source.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	listener->daemon = &the_daemon;
	pl_fuzz_check(!bind(listener->source.fd, (struct sockaddr *)&at, bytes) && !listen(listener->source.fd, 8));
}

static void daemon_make(void)
{
	int pair[2];

	pl_daemon_options_init(&options);
	options.apis[0].backend = &backend;
	options.version = "fuzz";
	options.sessions_max = 2;
	options.spares = 0;
	the_daemon.options = &options;
	the_daemon.spare_fd = -1;
	the_daemon.ready_fd = -1;
	pl_fuzz_check(!pl_loop_init(&the_daemon.loop) && !pl_pool_init(&the_daemon));
	pl_token_set(PL_ONE_TOKEN, the_daemon.secrets->token);
	memcpy(the_daemon.secrets->sessions[0].secret, PL_ONE_SECRET, 16);
	memcpy(the_daemon.secrets->sessions[0].peer_key, PL_ONE_SECRET, 16);
	listener_make(&the_daemon.listeners[0]);
	the_daemon.listeners_count = 1;
	pl_fuzz_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	worker_end = pair[1];
	worker = (struct pl_pool_worker){ .source = { .fd = pair[0], .ready = no_news },
					  .daemon = &the_daemon,
					  .pid = getpid(),
					  .shared = &shared,
					  .reaped = true,
					  .session = PL_ONE_SESSION };
}

/* As it was before the last input; nothing is ever killed, as its worker is said to have ended. */
static void session_renew(int local)
{
	struct pl_pool *pool = &the_daemon.pool;

	worker.phase = PL_POOL_SERVING;
	worker.local = local;
	worker.counting = false;
	pool->first = pool->last = &worker;
	pool->serving = pool->apis[0].ready = 1;
	pool->apis[0].starting = pool->broken = pool->counting = 0;
	memset(&shared, 'x', sizeof(shared)); /* a worker may write anything there */
	the_daemon.listeners[0].local = local;
}

static void worker_drain(void)
{
	struct pl_hand hand;
	int fds[PL_HAND_FDS];

	while (!pl_hand_recv(worker_end, &hand, fds)) {
		pl_fuzz_check(hand.kind == PL_HAND_LANE || hand.kind == PL_HAND_COUNT);
		pl_fuzz_check(!memcmp(hand.hello.secret, (uint8_t[16]){ 0 }, 16) && !hand.hello.token[0]);
		for (int i = 0; i < PL_HAND_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at;
	socklen_t bytes = sizeof(at);

	pl_fuzz_check(fd >= 0 && !getsockname(the_daemon.listeners[0].source.fd, (struct sockaddr *)&at, &bytes) &&
		      !connect(fd, (struct sockaddr *)&at, bytes));
	return fd;
}

static void rounds(void)
{
	for (int i = 0; i < ROUNDS; i++)
		pl_loop_round(&the_daemon.loop, 0);
	worker_drain();
}

size_t pl_one_daemon_feed(const uint8_t *data, size_t size, size_t first, int local, uint8_t *answer_out, size_t room)
{
	size_t got = 0;
	ssize_t n;
	int fd;

	if (!the_daemon.options)
		daemon_make();
	session_renew(local);
	if (first > size)
		first = size;
	fd = dial();
	pl_conns_accept(&the_daemon, &the_daemon.listeners[0]);
	if (first)
		(void)!send(fd, data, first, MSG_NOSIGNAL | MSG_DONTWAIT);
	rounds();
	if (size > first)
		(void)!send(fd, data + first, size - first, MSG_NOSIGNAL | MSG_DONTWAIT);
	rounds();
	pl_conns_expire(&the_daemon, pl_now_ns() + PL_CONTROL_COUNT_MS * 1000000u); /* who counts has counted */
	rounds();
	while (got < room && (n = recv(fd, answer_out + got, room - got, MSG_DONTWAIT)) > 0)
		got += (size_t)n;
	close(fd);
	rounds();
	pl_conns_expire(&the_daemon, UINT64_MAX - 1);
	rounds();
	pl_fuzz_check(!the_daemon.conns.first && !the_daemon.conns.last && !the_daemon.conns.half_open &&
		      !the_daemon.conns.waiting);
	return got;
}
