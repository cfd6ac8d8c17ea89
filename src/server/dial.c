/*
 * Connections to other servers, for workers, which may not make any themselves.  What a client names may be anything,
 * so: only addresses that the operator has named, and unix sockets of our own user's; and the bytes that go there are
 * always the same, until what is there has answered as a server of Plenum does.
 */
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "link/address.h"
#include "link/greet.h"
#include "server/daemon-internal.h"

#define WORKER_DIALS_MAX 2 /* limit: of one worker at one time */

/* Return: whether anybody is to be connected to it; a unix socket's owner is seen to later. */
static bool address_allowed(const struct pl_daemon_options *options, const char *address, bool *named_out)
{
	*named_out = false;
	if (options->peers_off)
		return false;
	for (uint32_t i = 0; i < options->peers_count && !*named_out; i++)
		*named_out = !fnmatch(options->peers[i], address, 0);
	return *named_out || !strncmp(address, "unix:/", 6);
}

/* ---- in the child ---- */

static bool owner_is_ours(int fd)
{
	struct ucred owner;
	socklen_t bytes = sizeof(owner);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &bytes) && (owner.uid == geteuid() || !owner.uid);
}

/* Is it a server of Plenum that knows of peers? */
static int knock(int fd, uint64_t deadline_ns)
{
	static const struct pl_hello hello = { .kind = PL_HELLO_PEER };
	struct pl_greet_fds fds = { 0 };
	struct pl_hello_reply reply;
	int r = pl_greet_hello_send(fd, &hello, deadline_ns);

	if (!r)
		r = pl_greet_reply_recv(fd, &reply, &fds, deadline_ns);
	if (r)
		return pl_trace(r);
	pl_greet_fds_close(&fds);
	return reply.status == PL_HELLO_OK ? 0 : pl_err(-EPROTO);
}

/* Return: a socket, or -1 and the reason.  Of unix sockets none is told: a client could look for files with it. */
static int connected(const char *text, bool named, char why_out[PL_HAND_TEXT_MAX])
{
	uint64_t deadline_ns = pl_now_ns() + PL_DAEMON_DIAL_MS_MAX * 1000000ull;
	pl_cleanup(pl_closep) int fd = -1;
	struct pl_address address;
	int r = pl_address_parse(text, &address);

	if (!r && (address.hooked || address.in_region))
		r = -EINVAL;
	if (!r)
		r = pl_address_connect(&address, deadline_ns, &fd);
	if (!r && address.kind == PL_ADDRESS_UNIX && !named && !owner_is_ours(fd))
		r = -EACCES;
	if (!r)
		r = knock(fd, deadline_ns);
	if (!r)
		return pl_steal_fd(&fd);
	snprintf(why_out, PL_HAND_TEXT_MAX, "%s",
		 !strncmp(text, "unix:", 5) ? "no server of this user there" : strerrordesc_np(-r));
	return -1;
}

__attribute__((noreturn)) static void dial_child(int control, const struct pl_hand *request, bool named, pid_t parent)
{
	struct pl_hand answer = { .kind = PL_HAND_DIALED, .session = request->session };
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "plenum-dial");
	if (getppid() != parent)
		_exit(0);
	/* What the daemon closes is closed. */
	control = dup2(control, STDERR_FILENO + 1);
	if (close_range(STDERR_FILENO + 2, ~0u, 0) < 0)
		_exit(1);
	signal(SIGALRM, SIG_DFL); /* a name may be looked for longer than that */
	alarm(2 * PL_DAEMON_DIAL_MS_MAX / 1000);
	fd = connected(request->text, named, answer.text);
	(void)pl_hand_send(control, &answer, fd, -1);
	_exit(0);
}

/* ---- in the daemon ---- */

static int slot_find(const struct pl_dials *dials, pid_t worker)
{
	uint32_t mine = 0;
	int found = -1;

	for (int i = 0; i < PL_DAEMON_DIALS_MAX; i++) {
		if (!dials->at[i].pid)
			found = i;
		else if (dials->at[i].worker == worker)
			mine++;
	}
	return mine < WORKER_DIALS_MAX ? found : -1;
}

static void answer_no(const struct pl_pool_worker *worker, const struct pl_hand *request, const char *why)
{
	struct pl_hand answer = { .kind = PL_HAND_DIALED, .session = request->session };

	snprintf(answer.text, sizeof(answer.text), "%s", why);
	(void)pl_hand_send(worker->source.fd, &answer, -1, -1);
}

void pl_dial_start(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *request)
{
	int slot = slot_find(&daemon->dials, worker->pid);
	pid_t parent = getpid(), pid;
	bool named;

	if (!address_allowed(daemon->options, request->text, &named)) {
		answer_no(worker, request, "not among the servers that it may connect to: plenum serve --peer");
		return;
	}
	if (slot < 0) {
		answer_no(worker, request, "it is connecting to too many servers");
		return;
	}
	pid = fork();
	if (!pid)
		dial_child(worker->source.fd, request, named, parent);
	if (pid < 0) {
		answer_no(worker, request, "it can not start a process");
		return;
	}
	daemon->dials.at[slot].pid = pid;
	daemon->dials.at[slot].worker = worker->pid;
}

void pl_dial_reaped(struct pl_daemon *daemon, pid_t pid)
{
	for (int i = 0; i < PL_DAEMON_DIALS_MAX; i++)
		if (daemon->dials.at[i].pid == pid)
			daemon->dials.at[i].pid = 0;
}
