/*
 * What workers keep for sessions to come (kept.h): sealed files by their digest, as many bytes as the operator allows.
 * What was used longest ago goes first; a session that gives too much loses its own.  The daemon does not read them:
 * who takes one does.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "server/daemon-internal.h"
#include "server/kept.h"
#include "server/token.h"

struct pl_kept {
	uint64_t session; /* that gave it; 0 = free */
	uint8_t digest[PL_DIGEST_BYTES];
	struct pl_peer_name whose;
	uint64_t bytes, used; /* used: a count that grows with each use of any */
	int fd;
};

/* Who knows a digest has the content. */
static bool entries_make(struct pl_keeper *keeper)
{
	if (!keeper->entries)
		keeper->entries = pl_secret_room(PL_DAEMON_KEPT_MAX * sizeof(*keeper->entries));
	return keeper->entries != NULL;
}

static void entry_free(struct pl_keeper *keeper, struct pl_kept *entry)
{
	keeper->bytes -= entry->bytes;
	keeper->count--;
	close(entry->fd);
	explicit_bzero(entry, sizeof(*entry));
}

void pl_keeper_fini(struct pl_daemon *daemon)
{
	struct pl_keeper *keeper = &daemon->keeper;

	for (uint32_t i = 0; keeper->entries && i < PL_DAEMON_KEPT_MAX; i++)
		if (keeper->entries[i].session)
			entry_free(keeper, &keeper->entries[i]);
	if (keeper->entries)
		munmap(keeper->entries, PL_DAEMON_KEPT_MAX * sizeof(*keeper->entries));
	keeper->entries = NULL;
}

/* All are compared: how long it takes says nothing of a digest. */
static struct pl_kept *entry_find(struct pl_keeper *keeper, const struct pl_pool_worker *worker,
				  const struct pl_hand *hand)
{
	struct pl_kept *found = NULL;

	for (uint32_t i = 0; keeper->entries && i < PL_DAEMON_KEPT_MAX; i++) {
		struct pl_kept *entry = &keeper->entries[i];

		if (pl_secret_same(entry->digest, hand->digest, PL_DIGEST_BYTES) && entry->session &&
		    entry->bytes == hand->bytes && !memcmp(&entry->whose, &worker->name, sizeof(entry->whose)))
			found = entry;
	}
	return found;
}

/* The one that was used longest ago; session: of that one alone, 0 = of all. */
static struct pl_kept *entry_oldest(struct pl_keeper *keeper, uint64_t session)
{
	struct pl_kept *oldest = NULL;

	for (uint32_t i = 0; i < PL_DAEMON_KEPT_MAX; i++) {
		struct pl_kept *entry = &keeper->entries[i];

		if (entry->session && (!session || entry->session == session) &&
		    (!oldest || entry->used < oldest->used))
			oldest = entry;
	}
	return oldest;
}

static bool session_is_full(const struct pl_keeper *keeper, uint64_t session, uint64_t bytes, uint64_t bytes_max)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PL_DAEMON_KEPT_MAX; i++)
		if (keeper->entries[i].session == session) {
			bytes += keeper->entries[i].bytes;
			count++;
		}
	return bytes > bytes_max || count >= PL_DAEMON_KEPT_EACH;
}

/* Takes *fd where it is kept. */
static void entry_put(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand,
		      int *fd)
{
	const uint64_t bytes_max = daemon->options->kept_bytes;
	struct pl_keeper *keeper = &daemon->keeper;
	struct pl_kept *entry;

	if (!hand->bytes || hand->bytes > bytes_max / 2 || *fd < 0 || !pl_kept_is_sealed(*fd, hand->bytes) ||
	    !entries_make(keeper) || entry_find(keeper, worker, hand))
		return;
	while (session_is_full(keeper, worker->session, hand->bytes, bytes_max / 2))
		entry_free(keeper, entry_oldest(keeper, worker->session));
	while (keeper->count == PL_DAEMON_KEPT_MAX || hand->bytes > bytes_max - keeper->bytes)
		entry_free(keeper, entry_oldest(keeper, 0));
	for (entry = keeper->entries; entry->session; entry++)
		;
	*entry = (struct pl_kept){ .session = worker->session,
				   .whose = worker->name,
				   .bytes = hand->bytes,
				   .used = ++keeper->uses,
				   .fd = *fd };
	memcpy(entry->digest, hand->digest, sizeof(entry->digest));
	keeper->bytes += entry->bytes;
	keeper->count++;
	*fd = -1;
}

static void entry_give(struct pl_keeper *keeper, const struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	struct pl_hand answer = { .kind = PL_HAND_ANSWER, .session = hand->session, .result = -ENOENT };
	struct pl_kept *entry = entry_find(keeper, worker, hand);

	if (entry) {
		answer.result = 0;
		entry->used = ++keeper->uses;
	}
	(*(entry ? &keeper->found : &keeper->missed))++;
	(void)pl_hand_send(worker->source.fd, &answer, entry ? entry->fd : -1, -1);
}

void pl_keeper_handle(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand,
		      int *fd)
{
	struct pl_keeper *keeper = &daemon->keeper;
	struct pl_kept *entry;

	switch (hand->kind) {
	case PL_HAND_KEEP:
		entry_put(daemon, worker, hand, fd);
		return;
	case PL_HAND_FIND:
		entry_give(keeper, worker, hand);
		return;
	case PL_HAND_SPOILT:
		entry = entry_find(keeper, worker, hand);
		if (entry) {
			pl_log_warn("session %llu gave something else than it said: it is forgotten",
				    (unsigned long long)entry->session);
			keeper->spoilt++;
			entry_free(keeper, entry);
		}
		return;
	}
}
