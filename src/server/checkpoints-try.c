/*
 * Whether a session comes out of its file as it was is tried in a worker that is spare, and ends with that: a driver
 * may put something elsewhere in another worker, which is found out while the session can still go on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/checkpoints-internal.h"

bool pl_checkpoints_restore_ask(struct pl_daemon *daemon, const struct pl_checkpoint_note *note, const char *name,
				struct pl_pool_worker *worker, const char **why_out)
{
	struct pl_hand hand = { .kind = PL_HAND_RESTORE, .session = note->session };
	pl_cleanup(pl_closep) int fd = openat(daemon->checkpoints.folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct pl_checkpoint_note found;
	bool sent;

	*why_out = fd < 0 ? strerror(errno) : "its file has changed";
	if (fd < 0 || !pl_checkpoints_note_read(fd, &found))
		return false;
	*why_out = NULL;
	memcpy(hand.secret, note->secret, sizeof(hand.secret));
	memcpy(hand.peer_key, note->peer_key, sizeof(hand.peer_key));
	memcpy(hand.limits, note->limits, sizeof(hand.limits));
	sent = pl_hand_send(worker->source.fd, &hand, fd, -1) >= 0;
	if (!sent)
		pl_pool_kill(worker, "deaf");
	explicit_bzero(&found, sizeof(found));
	explicit_bzero(&hand, sizeof(hand));
	return sent;
}

void pl_checkpoints_trial_end(struct pl_pool_worker *trial)
{
	trial->trial_of->checkpoint.trial = NULL;
	trial->trial_of = NULL;
	pl_pool_kill(trial, "trial");
}

void pl_checkpoints_trial_failed(struct pl_pool_worker *worker, const char *why)
{
	const struct pl_hand go_on = { .kind = PL_HAND_GO_ON, .result = -EOPNOTSUPP };
	char text[PL_HAND_TEXT_MAX];

	snprintf(text, sizeof(text), "it could not come back: %.120s", why);
	pl_checkpoints_want_failed(worker, text);
	if (pl_hand_send(worker->source.fd, &go_on, -1, -1) < 0)
		pl_pool_kill(worker, "deaf");
}

void pl_checkpoints_trial_begin(struct pl_pool_worker *worker)
{
	struct pl_pool_worker *trial = pl_pool_ready(worker->daemon, worker->api);
	struct pl_checkpoint_note note;
	char name[PL_CHECKPOINTS_NAME_MAX];
	const char *why;

	if (!trial)
		return;
	note = pl_checkpoints_note_of(worker);
	pl_checkpoints_name(name, worker->session, false);
	if (pl_checkpoints_restore_ask(worker->daemon, &note, name, trial, &why)) {
		pl_pool_leaves(trial, "trial");
		trial->trial_of = worker;
		worker->checkpoint.trial = trial;
	} else if (why) {
		pl_checkpoints_trial_failed(worker, why);
	}
	explicit_bzero(&note, sizeof(note));
}

void pl_checkpoints_tried(struct pl_daemon *daemon, struct pl_pool_worker *trial, const struct pl_hand *hand)
{
	struct pl_pool_worker *worker = trial->trial_of;

	if (hand->kind != PL_HAND_READ)
		return;
	pl_checkpoints_trial_end(trial);
	if (hand->result)
		pl_checkpoints_trial_failed(worker, hand->text);
	else
		pl_checkpoints_written_finish(daemon, worker);
}
