/* What is kept for later sessions: workers' ends of it and the daemon's, in one process; honest ones and liars. */
#include "server/kept.h"

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/daemon-internal.h"

#define BYTES    100000u
#define KEPT_MAX (1u << 20)
#define WORKERS  3

/* A worker and what the daemon knows of it. */
struct end {
	struct pl_session_worker session;
	struct pl_pool_worker worker;
};

static struct pl_daemon_options options = { .kept_bytes = KEPT_MAX };
static struct pl_daemon daemon_of_all = { .options = &options };
static struct end ends[WORKERS];

/* The daemon's thread, and the main threads of all workers. */
static void *serve(void *arg)
{
	struct pollfd fds[2 * WORKERS];

	for (uint32_t i = 0; i < WORKERS; i++) {
		fds[2 * i] = (struct pollfd){ .fd = ends[i].worker.source.fd, .events = POLLIN };
		fds[2 * i + 1] = (struct pollfd){ .fd = ends[i].session.peers.control, .events = POLLIN };
	}
	for (;;) {
		assert(poll(fds, 2 * WORKERS, -1) > 0);
		for (uint32_t i = 0; i < 2 * WORKERS; i++) {
			struct end *end = &ends[i / 2];
			int got[PL_HAND_FDS], r;
			struct pl_hand hand;

			if (!fds[i].revents)
				continue;
			r = pl_hand_recv(fds[i].fd, &hand, got);
			if (r == -EPIPE)
				return arg;
			assert(!r);
			if (i % 2) {
				pl_peers_answered(&end->session.peers, &hand, got[0]);
				continue;
			}
			pl_keeper_handle(&daemon_of_all, &end->worker, &hand, &got[0]);
			if (got[0] >= 0)
				close(got[0]);
		}
	}
}

static void ends_open(void)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		int pair[2];

		assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
		pl_peers_init(&ends[i].session.peers, pair[0]);
		ends[i].worker.source.fd = pair[1];
		ends[i].worker.session = i + 1;
	}
}

static uint8_t byte_at(uint32_t seed, uint64_t i)
{
	return (uint8_t)(i * (2 * seed + 1) + (i >> 8) + (seed >> 7));
}

static void fill(uint8_t *at, uint32_t seed, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i++)
		at[i] = byte_at(seed, i);
}

static void digest_of(uint32_t seed, uint64_t bytes, uint8_t *digest_out)
{
	uint8_t *at = malloc(bytes);

	assert(at);
	fill(at, seed, bytes);
	pl_digest(at, bytes, digest_out);
	free(at);
}

/* A file with this content; sealed, and ours to change in private memory only, as a worker has it. */
static int content_make(uint32_t seed, uint64_t bytes)
{
	uint8_t *at, *sealed;
	int fd;

	assert(!pl_kept_make(bytes, &at, &fd));
	fill(at, seed, bytes);
	sealed = pl_kept_seal(at, bytes, fd);
	assert(sealed);
	memset(sealed, 0xff, bytes + PL_KEPT_ROOM_BYTES); /* what a worker does there is its own */
	pl_kept_unmap(sealed, bytes);
	return fd;
}

/* Under the digest of one content, another one's file. */
static void give(struct end *end, uint32_t as, uint32_t seed, uint64_t bytes)
{
	uint8_t digest[PL_DIGEST_BYTES];
	int fd = content_make(seed, bytes);

	digest_of(as, bytes, digest);
	pl_kept_give(&end->session, digest, bytes, fd);
	close(fd);
}

static bool has(struct end *end, uint32_t seed, uint64_t bytes)
{
	uint8_t digest[PL_DIGEST_BYTES], *at;

	digest_of(seed, bytes, digest);
	at = pl_kept_find(&end->session, digest, bytes);
	if (!at)
		return false;
	for (uint64_t i = 0; i < bytes; i++)
		assert(at[i] == byte_at(seed, i));
	for (uint64_t i = 0; i < PL_KEPT_ROOM_BYTES; i++)
		assert(!at[bytes + i]);
	memset(at, 0xee, bytes + PL_KEPT_ROOM_BYTES);
	pl_kept_unmap(at, bytes);
	return true;
}

static void test_what_one_gives_the_others_have(void)
{
	assert(!has(&ends[0], 1, BYTES));
	give(&ends[0], 1, 1, BYTES);
	for (uint32_t i = 0; i < WORKERS; i++)
		assert(has(&ends[i], 1, BYTES)); /* again and again, whatever the last one wrote there */
	assert(!has(&ends[1], 1, BYTES - 1));
	assert(!has(&ends[1], 2, BYTES));
}

static void test_a_liars_content_is_not_believed_and_forgotten(void)
{
	uint64_t spoilt = daemon_of_all.keeper.spoilt;

	give(&ends[0], 3, 4, BYTES);
	assert(!has(&ends[1], 3, BYTES));
	assert(!has(&ends[1], 4, BYTES));
	give(&ends[1], 3, 3, BYTES); /* in its place */
	assert(has(&ends[2], 3, BYTES));
	assert(daemon_of_all.keeper.spoilt == spoilt + 1);
}

/* Raw messages of a worker that was taken over: nothing of them is kept. */
static void raw_give(uint32_t seed, int fd, uint64_t bytes)
{
	struct pl_hand hand = { .kind = PL_HAND_KEEP, .bytes = bytes };

	digest_of(seed, BYTES, hand.digest);
	assert(!pl_hand_send(ends[0].session.peers.control, &hand, fd, -1));
	assert(!has(&ends[1], seed, BYTES));
}

static void test_files_that_could_still_change_are_not_kept(void)
{
	static const int too_few[] = { 0, F_SEAL_WRITE, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_WRITE | F_SEAL_SHRINK,
				       F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };
	char path[] = "/tmp/plenum-test-kept-XXXXXX";
	uint32_t before = daemon_of_all.keeper.count;
	int fd, pipes[2];

	for (size_t i = 0; i < sizeof(too_few) / sizeof(too_few[0]); i++) {
		uint8_t *at;

		assert(!pl_kept_make(BYTES, &at, &fd));
		fill(at, 5, BYTES);
		pl_kept_unmap(at, BYTES);
		assert(!fcntl(fd, F_ADD_SEALS, too_few[i]));
		raw_give(5, fd, BYTES);
		close(fd);
	}
	fd = content_make(5, BYTES);
	raw_give(5, fd, BYTES - 1);
	raw_give(5, fd, BYTES + 1);
	raw_give(5, fd, 0);
	raw_give(5, fd, UINT64_MAX);
	raw_give(5, fd, UINT64_MAX - PL_KEPT_ROOM_BYTES + 1);
	close(fd);
	raw_give(5, -1, BYTES);
	fd = mkstemp(path); /* a file has no seals */
	assert(fd >= 0 && !unlink(path) && !ftruncate(fd, BYTES + PL_KEPT_ROOM_BYTES));
	raw_give(5, fd, BYTES);
	close(fd);
	assert(!pipe(pipes));
	raw_give(5, pipes[0], BYTES);
	close(pipes[0]);
	close(pipes[1]);
	assert(daemon_of_all.keeper.count == before);
}

static void test_what_was_used_longest_ago_goes_first(void)
{
	const uint64_t third = KEPT_MAX / 3 - 100;

	give(&ends[0], 10, 10, third);
	give(&ends[1], 11, 11, third);
	give(&ends[2], 12, 12, third);
	assert(has(&ends[0], 10, third) && has(&ends[0], 11, third) && has(&ends[0], 12, third));
	assert(!has(&ends[0], 1, BYTES)); /* all that was there before */
	assert(has(&ends[0], 10, third));
	give(&ends[0], 13, 13, third); /* half is more than one: its own goes, used or not */
	assert(!has(&ends[1], 10, third) && has(&ends[1], 11, third) && has(&ends[1], 12, third));
	assert(has(&ends[1], 13, third));
	assert(daemon_of_all.keeper.bytes <= KEPT_MAX);
	give(&ends[2], 14, 14, KEPT_MAX / 2 + 1);
	assert(!has(&ends[2], 14, KEPT_MAX / 2 + 1) && has(&ends[1], 11, third));
}

static void test_a_session_has_so_many_and_no_more(void)
{
	for (uint32_t i = 0; i <= PL_DAEMON_KEPT_EACH; i++) {
		give(&ends[0], 100 + i, 100 + i, 64);
		if (!(i % 4))
			assert(!has(&ends[0], 99, 64)); /* so that the daemon has read what was sent */
	}
	assert(!has(&ends[1], 100, 64) && has(&ends[1], 101, 64));
	assert(has(&ends[1], 100 + PL_DAEMON_KEPT_EACH, 64));
}

static void test_others_names_are_others_contents(void)
{
	ends[2].worker.name = (struct pl_peer_name){ .listener = 1, .number = 7 };
	give(&ends[0], 20, 20, BYTES);
	assert(has(&ends[1], 20, BYTES) && !has(&ends[2], 20, BYTES));
	give(&ends[2], 20, 20, BYTES);
	assert(has(&ends[1], 20, BYTES) && has(&ends[2], 20, BYTES));
	ends[2].worker.name = (struct pl_peer_name){ 0 };
}

int main(void)
{
	pthread_t thread;

	ends_open();
	assert(!pthread_create(&thread, NULL, serve, NULL));
	test_what_one_gives_the_others_have();
	test_a_liars_content_is_not_believed_and_forgotten();
	test_files_that_could_still_change_are_not_kept();
	test_what_was_used_longest_ago_goes_first();
	test_a_session_has_so_many_and_no_more();
	test_others_names_are_others_contents();
	for (uint32_t i = 0; i < WORKERS; i++)
		shutdown(ends[i].session.peers.control, SHUT_RDWR);
	assert(!pthread_join(thread, NULL));
	pl_keeper_fini(&daemon_of_all);
	assert(!daemon_of_all.keeper.bytes && !daemon_of_all.keeper.count);
	puts("kept: ok");
	return 0;
}
