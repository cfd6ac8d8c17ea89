/* A session that is to be written: it rests, its worker writes, the file gets its name, and only then the worker ends.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"
#include "server/checkpoints-internal.h"

#define AGAIN_NS 200000000u /* a session that could not be written goes on for so long */

void pl_checkpoints_want(struct pl_pool_worker *worker, uint64_t end_ns)
{
	struct pl_checkpoint_want *want = &worker->checkpoint;

	if (want->wanted)
		return;
	want->wanted = true;
	want->was_held = worker->swap.held;
	want->why[0] = '\0';
	want->end_ns = end_ns;
	want->again_ns = 0;
	worker->swap.held = true;
}

/* It goes on as before. */
static void file_drop(struct pl_pool_worker *worker)
{
	struct pl_checkpoint_want *want = &worker->checkpoint;
	char name[PL_CHECKPOINTS_NAME_MAX];

	want->tried = false;
	worker->swap.held = want->was_held;
	if (!want->fd)
		return;
	close(want->fd);
	want->fd = 0;
	pl_checkpoints_name(name, worker->session, false);
	(void)unlinkat(worker->daemon->checkpoints.folder, name, 0);
}

void pl_checkpoints_want_failed(struct pl_pool_worker *worker, const char *why)
{
	struct pl_checkpoint_want *want = &worker->checkpoint;

	snprintf(want->why, sizeof(want->why), "%s", why);
	pl_log_warn("session %llu can not be written to a checkpoint: %s", (unsigned long long)worker->session,
		    want->why);
	want->wanted = false;
	file_drop(worker);
}

/* What it waits for may be a call that has to go on. */
static void want_again(struct pl_pool_worker *worker, const char *why)
{
	const uint64_t now_ns = pl_now_ns();

	if (now_ns >= worker->checkpoint.end_ns) {
		pl_checkpoints_want_failed(worker, why);
		return;
	}
	pl_log_debug("session %llu: %s; it is tried again", (unsigned long long)worker->session, why);
	worker->checkpoint.again_ns = now_ns + AGAIN_NS;
	file_drop(worker);
}

struct pl_checkpoint_note pl_checkpoints_note_of(const struct pl_pool_worker *worker)
{
	struct timespec now;
	struct pl_checkpoint_note note = {
		.magic = PL_CHECKPOINT_NOTE_MAGIC,
		.session = worker->session,
		.api = worker->daemon->options->apis[worker->api].backend->api,
		.client_pid = worker->client_pid,
		.name = worker->name,
	};

	clock_gettime(CLOCK_REALTIME, &now);
	note.written_s = (uint64_t)now.tv_sec;
	memcpy(note.secret, pl_pool_secret(worker), sizeof(note.secret));
	memcpy(note.peer_key, pl_pool_peer_key(worker), sizeof(note.peer_key));
	memcpy(note.limits, worker->limits, sizeof(note.limits));
	memcpy(note.program, worker->program, sizeof(note.program));
	memcpy(note.address, worker->address, sizeof(note.address));
	return note;
}

static void write_begin(struct pl_pool_worker *worker)
{
	const struct pl_hand hand = { .kind = PL_HAND_CHECKPOINT };
	struct pl_checkpoint_want *want = &worker->checkpoint;
	struct pl_checkpoints *checkpoints = &worker->daemon->checkpoints;
	struct pl_checkpoint_note note = pl_checkpoints_note_of(worker);
	char name[PL_CHECKPOINTS_NAME_MAX];
	int fd;

	pl_checkpoints_name(name, worker->session, false);
	(void)unlinkat(checkpoints->folder, name, 0);
	fd = openat(checkpoints->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	want->fd = fd < 0 ? 0 : fd;
	if (fd < 0 || write(fd, &note, sizeof(note)) != (ssize_t)sizeof(note))
		pl_checkpoints_want_failed(worker, strerror(errno));
	else if (pl_hand_send(worker->source.fd, &hand, fd, -1) < 0)
		pl_checkpoints_want_failed(worker, "its worker does not listen");
	explicit_bzero(&note, sizeof(note));
}

/* The file gets its name.  Return: 0 or -errno. */
static int file_finish(struct pl_daemon *daemon, struct pl_pool_worker *worker)
{
	char from[PL_CHECKPOINTS_NAME_MAX], to[PL_CHECKPOINTS_NAME_MAX];
	struct pl_checkpoint_entry *entry;
	struct pl_checkpoint_note note;
	struct stat stat = { 0 };
	int folder = daemon->checkpoints.folder, r = 0;

	pl_checkpoints_name(from, worker->session, false);
	pl_checkpoints_name(to, worker->session, true);
	if (!faccessat(folder, to, F_OK, 0))
		return pl_err(-EEXIST); /* of another server's, which has taken over from this one */
	note = pl_checkpoints_note_of(worker);
	if (renameat(folder, from, folder, to) < 0)
		r = pl_err(-errno);
	else if (fsync(folder) < 0)
		r = pl_err(-errno);
	(void)fstat(worker->checkpoint.fd, &stat);
	entry = r ? NULL : pl_checkpoints_add(daemon, &note, (uint64_t)stat.st_size);
	if (entry)
		entry->writer = worker;
	else if (!r)
		r = pl_err(-ENOMEM);
	if (r) /* the session goes on: nobody is to find it as it was */
		(void)unlinkat(folder, to, 0);
	explicit_bzero(&note, sizeof(note));
	return r;
}

void pl_checkpoints_written_finish(struct pl_daemon *daemon, struct pl_pool_worker *worker)
{
	struct pl_hand go_on = { .kind = PL_HAND_GO_ON };

	go_on.result = file_finish(daemon, worker);
	if (go_on.result) {
		pl_checkpoints_want_failed(worker, strerror(-go_on.result));
		if (pl_hand_send(worker->source.fd, &go_on, -1, -1) < 0)
			pl_pool_kill(worker, "deaf");
		return;
	}
	close(worker->checkpoint.fd);
	worker->checkpoint.fd = 0;
	worker->checkpoint.wanted = worker->checkpoint.tried = false;
	pl_log_info("session %llu is in a checkpoint", (unsigned long long)worker->session);
	pl_pool_kill(worker, "checkpoint"); /* not left to the worker: it could go on, beside the file */
}

void pl_checkpoints_written(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	if (!worker->checkpoint.fd || worker->checkpoint.tried) {
		pl_pool_kill(worker, "protocol");
		return;
	}
	if (hand->result == -EBUSY || hand->result == -ETIMEDOUT) {
		want_again(worker, hand->text);
		return;
	}
	if (hand->result) {
		pl_checkpoints_want_failed(worker, hand->text);
		return;
	}
	if (daemon->checkpoints.part_ns)
		pl_checkpoints_written_finish(daemon,
					      worker); /* whether it can come back or not: here it can not stay */
	else
		worker->checkpoint.tried = true; /* by the next settling */
}

void pl_checkpoints_write_settle(struct pl_pool_worker *worker, uint64_t now_ns)
{
	struct pl_checkpoint_want *want = &worker->checkpoint;

	if (want->tried && !want->trial)
		pl_checkpoints_trial_begin(worker);
	if (want->fd || now_ns < want->again_ns)
		return;
	worker->swap.held = true;
	if (!worker->daemon->options->apis[worker->api].backend->checkpoint)
		pl_checkpoints_want_failed(worker, "sessions of its API can not be, only CUDA's");
	else if (worker->local)
		pl_checkpoints_want_failed(worker, "its client shares memory with it: only what comes over tcp can be");
	else if (worker->swap.rests)
		write_begin(worker);
	else if (now_ns >= want->end_ns)
		pl_checkpoints_want_failed(worker, "its calls, or its device, do not come to rest");
}
