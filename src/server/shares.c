/*
 * What a session's worker keeps for other sessions of this server: a note and perhaps a descriptor, under a random
 * token of the worker's.  Workers reach nothing of each other's; here it changes hands.  It ends with the session that
 * put it; a descriptor that somebody has taken is his.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "server/broker.h"
#include "server/daemon-internal.h"
#include "server/token.h"

struct pl_share {
	uint64_t session; /* that put it; 0 = free */
	uint8_t token[PL_BROKER_TOKEN_BYTES];
	uint32_t type;
	uint8_t note[PL_BROKER_NOTE_BYTES];
	int fd;
};

static void share_free(struct pl_share *share)
{
	if (share->fd >= 0)
		close(share->fd);
	explicit_bzero(share, sizeof(*share));
}

void pl_shares_forget(struct pl_daemon *daemon, uint64_t session)
{
	for (uint32_t i = 0; i < daemon->shares_top; i++)
		if (daemon->shares[i].session && daemon->shares[i].session == session)
			share_free(&daemon->shares[i]);
}

void pl_shares_fini(struct pl_daemon *daemon)
{
	for (uint32_t i = 0; i < daemon->shares_top; i++)
		if (daemon->shares[i].session)
			share_free(&daemon->shares[i]);
	if (daemon->shares)
		munmap(daemon->shares, PL_DAEMON_SHARES_MAX * sizeof(*daemon->shares));
	daemon->shares = NULL;
}

/* All are compared: how long it takes says nothing of a token. */
static struct pl_share *share_find(struct pl_daemon *daemon, const uint8_t *token)
{
	struct pl_share *found = NULL;

	for (uint32_t i = 0; i < daemon->shares_top; i++)
		if (pl_secret_same(daemon->shares[i].token, token, PL_BROKER_TOKEN_BYTES) && daemon->shares[i].session)
			found = &daemon->shares[i];
	return found;
}

static int share_put(struct pl_daemon *daemon, uint64_t session, const struct pl_hand *hand, int *fd)
{
	struct pl_share *room = NULL;
	uint32_t mine = 0;

	if (!daemon->shares)
		daemon->shares = pl_secret_room(PL_DAEMON_SHARES_MAX * sizeof(*daemon->shares));
	if (!daemon->shares)
		return -ENOMEM;
	for (uint32_t i = 0; i < daemon->shares_top; i++) {
		if (!daemon->shares[i].session)
			room = &daemon->shares[i];
		mine += daemon->shares[i].session == session;
	}
	if (!room && daemon->shares_top < PL_DAEMON_SHARES_MAX)
		room = &daemon->shares[daemon->shares_top++];
	if (!room || mine >= PL_DAEMON_SHARES_EACH)
		return -ENOSPC;
	if (share_find(daemon, hand->secret))
		return -EEXIST;
	*room = (struct pl_share){ .type = hand->type, .session = session, .fd = *fd };
	memcpy(room->token, hand->secret, sizeof(room->token));
	memcpy(room->note, hand->text, sizeof(room->note));
	*fd = -1;
	return 0;
}

void pl_shares_handle(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand,
		      int *fd)
{
	struct pl_hand answer = { .kind = PL_HAND_ANSWER, .session = hand->session };
	struct pl_share *share;
	int given = -1;

	if (hand->kind != PL_HAND_PUT && hand->kind != PL_HAND_DROP && hand->kind != PL_HAND_TAKE)
		return;
	share = hand->kind == PL_HAND_PUT ? NULL : share_find(daemon, hand->secret);
	if (hand->kind == PL_HAND_DROP) {
		if (share && share->session == worker->session)
			share_free(share);
		return;
	}
	if (hand->kind == PL_HAND_PUT) {
		answer.result = share_put(daemon, worker->session, hand, fd);
	} else if (!share || share->type != hand->type) {
		answer.result = -ENOENT;
	} else {
		memcpy(answer.text, share->note, sizeof(share->note));
		answer.own = share->session == worker->session;
		given = share->fd;
	}
	(void)pl_hand_send(worker->source.fd, &answer, given, -1);
	explicit_bzero(&answer, sizeof(answer)); /* workers are forked from this stack */
}
