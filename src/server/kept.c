#include "server/kept.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "server/serve.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

int pl_kept_make(uint64_t bytes, uint8_t **at_out, int *fd_out)
{
	pl_cleanup(pl_closep) int fd = memfd_create("plenum-kept", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const uint64_t all = bytes + PL_KEPT_ROOM_BYTES;
	void *at;

	if (fd < 0 || ftruncate(fd, (off_t)all) < 0)
		return -errno;
	at = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*at_out = at;
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

void pl_kept_unmap(uint8_t *at, uint64_t bytes)
{
	munmap(at, bytes + PL_KEPT_ROOM_BYTES);
}

/* What is written there is this process's alone. */
static uint8_t *map_private(int fd, uint64_t bytes)
{
	void *at = mmap(NULL, bytes + PL_KEPT_ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

uint8_t *pl_kept_seal(uint8_t *at, uint64_t bytes, int fd)
{
	pl_kept_unmap(at, bytes); /* while anybody can write through a mapping it can not be sealed */
	return fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0 ? NULL : map_private(fd, bytes);
}

bool pl_kept_is_sealed(int fd, uint64_t bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & SEALS) == SEALS && !fstat(fd, &st) && st.st_size >= 0 &&
	       (uint64_t)st.st_size == bytes + PL_KEPT_ROOM_BYTES;
}

static struct pl_hand hand_make(enum pl_hand_kind kind, const uint8_t *digest, uint64_t bytes)
{
	struct pl_hand hand = { .kind = kind, .bytes = bytes };

	memcpy(hand.digest, digest, sizeof(hand.digest));
	return hand;
}

void pl_kept_give(struct pl_session_worker *session, const uint8_t digest[PL_DIGEST_BYTES], uint64_t bytes, int fd)
{
	struct pl_hand hand = hand_make(PL_HAND_KEEP, digest, bytes);

	(void)pl_hand_send(session->peers.control, &hand, fd, -1);
}

static bool is_the_content(const uint8_t *at, uint64_t bytes, const uint8_t *digest)
{
	uint8_t found[PL_DIGEST_BYTES];

	pl_digest(at, bytes, found);
	return !memcmp(found, digest, sizeof(found));
}

uint8_t *pl_kept_find(struct pl_session_worker *session, const uint8_t digest[PL_DIGEST_BYTES], uint64_t bytes)
{
	struct pl_hand hand = hand_make(PL_HAND_FIND, digest, bytes), answer;
	pl_cleanup(pl_closep) int fd = -1;
	uint8_t *at = NULL;

	if (pl_peers_request(&session->peers, &hand, -1, &answer, &fd) || answer.result || fd < 0)
		return NULL;
	if (pl_kept_is_sealed(fd, bytes)) {
		at = map_private(fd, bytes);
		if (!at || is_the_content(at, bytes, digest))
			return at;
		pl_kept_unmap(at, bytes);
	}
	pl_log_warn("a session has given something else than it said: it is sent again");
	hand.kind = PL_HAND_SPOILT;
	(void)pl_hand_send(session->peers.control, &hand, -1, -1);
	return NULL;
}
