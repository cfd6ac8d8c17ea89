/* Sessions in files: the folder, their way back out of it, and what the daemon asks of all. */
#include "server/checkpoints.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "server/audit.h"
#include "server/checkpoints-internal.h"
#include "server/token.h"

#define LOOK_NS    100000000u  /* workers become ready, sessions rest */
#define LOCK_NS    3000000000u /* for one that has just been killed */
#define READ_TRIES 3

void pl_checkpoints_name(char name_out[PL_CHECKPOINTS_NAME_MAX], uint64_t session, bool whole)
{
	snprintf(name_out, PL_CHECKPOINTS_NAME_MAX, "%llu.%s", (unsigned long long)session,
		 whole ? "checkpoint" : "unfinished");
}

struct pl_checkpoint_entry *pl_checkpoints_find(const struct pl_daemon *daemon, uint64_t session)
{
	struct pl_checkpoint_entry *entry = daemon->checkpoints.first;

	while (entry && entry->note.session != session)
		entry = entry->next;
	return entry;
}

static void entry_free(struct pl_checkpoint_entry *entry)
{
	explicit_bzero(&entry->note, sizeof(entry->note));
	free(entry);
}

static void entry_remove(struct pl_daemon *daemon, struct pl_checkpoint_entry *entry)
{
	struct pl_checkpoint_entry **at = &daemon->checkpoints.first;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	entry_free(entry);
}

static uint32_t api_place(const struct pl_daemon *daemon, uint32_t api)
{
	uint32_t place = 0;

	while (place < pl_daemon_apis(daemon) && daemon->options->apis[place].backend->api != api)
		place++;
	return place < pl_daemon_apis(daemon) ? place : PL_DAEMON_APIS_MAX;
}

/* ---- the folder ---- */

bool pl_checkpoints_note_read(int fd, struct pl_checkpoint_note *note)
{
	ssize_t n = read(fd, note, sizeof(*note));

	note->program[sizeof(note->program) - 1] = note->address[sizeof(note->address) - 1] = '\0';
	return n == (ssize_t)sizeof(*note) && note->magic == PL_CHECKPOINT_NOTE_MAGIC;
}

struct pl_checkpoint_entry *pl_checkpoints_add(struct pl_daemon *daemon, const struct pl_checkpoint_note *note,
					       uint64_t bytes)
{
	struct pl_checkpoint_entry *entry = calloc(1, sizeof(*entry)), **at = &daemon->checkpoints.first;

	if (!entry)
		return NULL;
	entry->note = *note;
	entry->api = api_place(daemon, note->api);
	entry->bytes = bytes;
	if (entry->api == PL_DAEMON_APIS_MAX)
		snprintf(entry->why, sizeof(entry->why), "this server does not carry its API");
	while (*at)
		at = &(*at)->next;
	*at = entry;
	return entry;
}

static void file_find(struct pl_daemon *daemon, const char *name)
{
	pl_cleanup(pl_closep) int fd = openat(daemon->checkpoints.folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct pl_checkpoint_entry *entry;
	char expected[PL_CHECKPOINTS_NAME_MAX];
	struct pl_checkpoint_note note;
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) || !S_ISREG(stat.st_mode) || !pl_checkpoints_note_read(fd, &note)) {
		pl_log_warn("%s: no checkpoint, or of another release: it is left alone", name);
		return;
	}
	pl_checkpoints_name(expected, note.session, true);
	if (strcmp(name, expected) || pl_checkpoints_find(daemon, note.session)) {
		pl_log_warn("%s: it is that of session %llu: it is left alone", name, (unsigned long long)note.session);
		return;
	}
	entry = pl_checkpoints_add(daemon, &note, (uint64_t)stat.st_size);
	if (entry)
		entry->wanted = entry->api < PL_DAEMON_APIS_MAX;
	if (daemon->pool.sessions_made < note.session)
		daemon->pool.sessions_made = note.session;
	explicit_bzero(&note, sizeof(note));
}

static bool ends_with(const char *name, const char *end)
{
	size_t bytes = strlen(name), end_bytes = strlen(end);

	return bytes > end_bytes && !strcmp(name + bytes - end_bytes, end);
}

void pl_checkpoints_init(struct pl_checkpoints *checkpoints)
{
	*checkpoints = (struct pl_checkpoints){ .folder = -1 };
}

/* Two servers would both bring back what lies there.  One that has just been killed may still have workers. */
static bool folder_lock(int folder)
{
	uint64_t end_ns = pl_now_ns() + LOCK_NS;
	int r;

	while ((r = flock(folder, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK && pl_now_ns() < end_ns)
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
	return !r || errno != EWOULDBLOCK; /* file systems without locks */
}

void pl_checkpoints_drain(struct pl_daemon *daemon)
{
	if (daemon->checkpoints.folder >= 0)
		(void)flock(daemon->checkpoints.folder, LOCK_UN);
}

int pl_checkpoints_open(struct pl_daemon *daemon, const char *folder)
{
	struct pl_checkpoints *checkpoints = &daemon->checkpoints;
	struct dirent *file;
	DIR *files;
	int fd;

	if (!folder)
		return 0;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		pl_log_error("%s: can not be made: %s", folder, strerror(errno));
		return pl_err(-errno);
	}
	checkpoints->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (checkpoints->folder >= 0 && !folder_lock(checkpoints->folder)) {
		pl_log_error("%s: another server keeps its sessions there", folder);
		return pl_err(-EBUSY);
	}
	fd = checkpoints->folder < 0 ? -1 : fcntl(checkpoints->folder, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	files = fd < 0 ? NULL : fdopendir(fd);
	if (!files) {
		pl_log_error("%s: %s", folder, strerror(errno));
		return pl_err(-errno);
	}
	while ((file = readdir(files))) {
		if (ends_with(file->d_name, ".unfinished"))
			(void)unlinkat(checkpoints->folder, file->d_name, 0);
		else if (ends_with(file->d_name, ".checkpoint"))
			file_find(daemon, file->d_name);
	}
	closedir(files);
	return 0;
}

/* The worker that wrote the file has ended, and had all of it open: what others believe of it is written once more. */
static void note_again(struct pl_daemon *daemon, const struct pl_checkpoint_entry *entry)
{
	pl_cleanup(pl_closep) int fd = -1;
	char name[PL_CHECKPOINTS_NAME_MAX];

	pl_checkpoints_name(name, entry->note.session, true);
	fd = openat(daemon->checkpoints.folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || pwrite(fd, &entry->note, sizeof(entry->note), 0) != (ssize_t)sizeof(entry->note) || fsync(fd))
		pl_log_warn("%s: %s", name, strerror(errno));
}

void pl_checkpoints_fini(struct pl_daemon *daemon)
{
	while (daemon->checkpoints.first)
		entry_remove(daemon, daemon->checkpoints.first);
	if (daemon->checkpoints.folder >= 0)
		close(daemon->checkpoints.folder);
}

/* ---- reading ---- */

static void entry_failed(struct pl_checkpoint_entry *entry, const char *why)
{
	snprintf(entry->why, sizeof(entry->why), "%s", why);
	entry->wanted = false;
	entry->comes = NULL;
	entry->tries = 0;
	pl_log_error("session %llu can not come back from its checkpoint: %s; `plenum restore %llu' tries again",
		     (unsigned long long)entry->note.session, entry->why, (unsigned long long)entry->note.session);
}

static void read_begin(struct pl_daemon *daemon, struct pl_checkpoint_entry *entry, struct pl_pool_worker *worker)
{
	char name[PL_CHECKPOINTS_NAME_MAX];
	const char *why;

	pl_checkpoints_name(name, entry->note.session, true);
	if (!pl_checkpoints_restore_ask(daemon, &entry->note, name, worker, &why)) {
		if (why)
			entry_failed(entry, why);
		return;
	}
	entry->comes = worker;
	memcpy(worker->limits, entry->note.limits, sizeof(worker->limits));
	memcpy(worker->address, entry->note.address, sizeof(worker->address));
	worker->name = entry->note.name;
	pl_pool_restored(worker, entry->note.session, entry->note.secret, entry->note.peer_key, entry->note.program,
			 entry->note.client_pid);
	pl_audit_began(worker);
}

/* An address may be taken in one worker, and free in the next one. */
static void read_failed(struct pl_checkpoint_entry *entry, const struct pl_hand *hand)
{
	if (hand->result != -EOPNOTSUPP || ++entry->tries >= READ_TRIES) {
		entry_failed(entry, hand->text);
		return;
	}
	pl_log_info("session %llu: %s; another worker tries", (unsigned long long)entry->note.session, hand->text);
	entry->comes = NULL;
}

static void read_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	struct pl_checkpoint_entry *entry = pl_checkpoints_find(daemon, worker->session);
	char name[PL_CHECKPOINTS_NAME_MAX];

	if (!entry || entry->comes != worker) {
		pl_pool_kill(worker, "protocol");
		return;
	}
	if (daemon->stopping || worker->reaped)
		return; /* the worker is not to stay: the file is all there is */
	if (hand->result) {
		read_failed(entry, hand);
		pl_pool_kill(worker, "checkpoint");
		return;
	}
	pl_swapper_restored(daemon, worker, hand);
	pl_checkpoints_name(name, worker->session, true);
	(void)unlinkat(daemon->checkpoints.folder, name, 0);
	pl_log_info("session %llu is back from its checkpoint", (unsigned long long)worker->session);
	entry_remove(daemon, entry);
}

uint32_t pl_checkpoints_waiting(const struct pl_daemon *daemon, uint32_t api)
{
	uint32_t count = 0;

	for (const struct pl_checkpoint_entry *entry = daemon->checkpoints.first; entry; entry = entry->next)
		count += entry->wanted && !entry->comes && entry->api == api;
	for (const struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		count += worker->checkpoint.tried && !worker->checkpoint.trial && worker->api == api;
	return count;
}

bool pl_checkpoints_keep(const struct pl_daemon *daemon, const struct pl_hello *hello)
{
	const struct pl_checkpoint_entry *entry = pl_checkpoints_find(daemon, hello->session);

	return entry && (hello->kind == PL_HELLO_AGAIN || hello->kind == PL_HELLO_LANE) &&
	       pl_secret_same((const char *)hello->secret, (const char *)entry->note.secret, sizeof(hello->secret));
}

/* ---- all ---- */

/* Return: what the worker reads; NULL: nothing. */
static struct pl_checkpoint_entry *comes_by(struct pl_daemon *daemon, const struct pl_pool_worker *worker)
{
	struct pl_checkpoint_entry *entry = worker->session ? pl_checkpoints_find(daemon, worker->session) : NULL;

	return entry && entry->comes == worker ? entry : NULL;
}

/* Who is on the way back stays in its file: it might not be written again in time. */
static void reads_end(struct pl_daemon *daemon)
{
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next) {
		struct pl_checkpoint_entry *entry = comes_by(daemon, worker);

		if (entry && !worker->deaf)
			worker->source.ready(&worker->source, EPOLLIN); /* it may have come already */
		entry = comes_by(daemon, worker);
		if (!entry)
			continue;
		entry->comes = NULL;
		pl_pool_kill(worker, "stopped");
	}
}

bool pl_checkpoints_part(struct pl_daemon *daemon)
{
	const uint64_t now_ns = pl_now_ns();
	bool any = false;

	if (daemon->checkpoints.folder < 0 || daemon->checkpoints.part_ns)
		return false; /* the second signal */
	reads_end(daemon);
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next) {
		if (worker->phase != PL_POOL_SERVING)
			continue;
		if (worker->checkpoint.trial)
			pl_checkpoints_trial_end(worker->checkpoint.trial);
		if (worker->checkpoint.tried)
			pl_checkpoints_written_finish(daemon, worker);
		else
			pl_checkpoints_want(worker, now_ns + PL_CHECKPOINTS_LAST_NS_MAX);
		any = true;
	}
	daemon->checkpoints.part_ns = any ? now_ns + PL_CHECKPOINTS_PART_NS_MAX : 0;
	return any;
}

uint64_t pl_checkpoints_settle(struct pl_daemon *daemon, uint64_t now_ns)
{
	struct pl_checkpoints *checkpoints = &daemon->checkpoints;
	bool some = false;

	if (checkpoints->folder < 0)
		return UINT64_MAX;
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next) {
		if (!worker->checkpoint.wanted || worker->phase != PL_POOL_SERVING)
			continue;
		pl_checkpoints_write_settle(worker, now_ns);
		some |= worker->checkpoint.wanted;
	}
	if (checkpoints->part_ns) {
		if (!some || now_ns >= checkpoints->part_ns)
			daemon->stopping = true;
		return now_ns + LOOK_NS;
	}
	for (struct pl_checkpoint_entry *entry = checkpoints->first; entry; entry = entry->next) {
		struct pl_pool_worker *worker;

		if (!entry->wanted || entry->comes)
			continue;
		some = true;
		worker = entry->writer ? NULL : pl_pool_ready(daemon, entry->api);
		if (worker)
			read_begin(daemon, entry, worker);
	}
	return some ? now_ns + LOOK_NS : UINT64_MAX;
}

void pl_checkpoints_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	if (hand->kind == PL_HAND_WRITTEN)
		pl_checkpoints_written(daemon, worker, hand);
	else if (hand->kind == PL_HAND_READ)
		read_handle(daemon, worker, hand);
}

void pl_checkpoints_ended(struct pl_daemon *daemon, struct pl_pool_worker *worker)
{
	struct pl_checkpoint_entry *entry = worker->session ? pl_checkpoints_find(daemon, worker->session) : NULL;
	struct pl_pool_worker *of = worker->trial_of;

	if (of) {
		pl_checkpoints_trial_end(worker);
		pl_checkpoints_trial_failed(of, "the worker that tried it ended");
	}
	if (worker->checkpoint.trial)
		pl_checkpoints_trial_end(worker->checkpoint.trial);
	if (worker->checkpoint.fd)
		pl_checkpoints_want_failed(worker, "its worker ended");
	if (entry && entry->comes == worker)
		entry_failed(entry, "its worker ended");
	if (entry && entry->writer == worker) {
		entry->writer = NULL;
		note_again(daemon, entry);
	}
}
