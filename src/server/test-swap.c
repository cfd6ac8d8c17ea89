/*
 * Oversubscribed memory: who is asked to leave, and what a daemon says to workers that lie; then several workers with
 * several threads each and the daemon in one process, all of them at random, with memory that is only counted.
 */
#include "server/swap.h"

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/daemon-internal.h"

#define WORKERS  3
#define THREADS  3
#define CAPACITY 100u
#define SWAP     150u
#define MS       1000000u
#define FAR      10000000000ull /* ns */

/* A worker and what the daemon knows of it. */
struct end {
	struct pl_session_worker session;
	struct pl_worker_shared shared;
	struct pl_pool_worker worker;
	pthread_mutex_t turn;
	uint32_t have, out;     /* bytes; under the turn, or while nobody is inside */
	_Atomic uint32_t calls; /* that are inside */
	unsigned int looks;
};

static const struct pl_backend_ops backend = { .swap = (const struct pl_swap_ops *)&(const int){ 0 } };
static struct pl_daemon_options options = { .swap_bytes = SWAP, .apis = { { .backend = &backend } } };
static struct pl_daemon daemon_of_all = { .options = &options };
static struct end ends[WORKERS];

static void ends_open(void)
{
	memset(ends, 0, sizeof(ends));
	memset(&daemon_of_all, 0, sizeof(daemon_of_all));
	daemon_of_all.options = &options;
	for (uint32_t i = 0; i < WORKERS; i++) {
		struct end *end = &ends[i];
		int pair[2];

		assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
		end->worker.source.fd = pair[0];
		end->session.peers.control = pair[1];
		end->session.shared = end->worker.shared = &end->shared;
		end->session.id = end->worker.session = i + 1;
		end->worker.phase = PL_POOL_SERVING;
		end->worker.next = i + 1 < WORKERS ? &ends[i + 1].worker : NULL;
		pthread_mutex_init(&end->turn, NULL);
	}
	daemon_of_all.pool.first = &ends[0].worker;
	pl_swapper_capacity(&daemon_of_all, &ends[0].worker, &(struct pl_hand){ .swap = { CAPACITY } });
}

static void ends_close(void)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		close(ends[i].worker.source.fd);
		close(ends[i].session.peers.control);
	}
}

/* ---- the daemon alone ---- */

static bool say(uint32_t i, enum pl_hand_kind kind, uint32_t type, uint64_t bytes)
{
	const struct pl_hand hand = { .kind = kind, .type = type, .own = type, .swap = { bytes } };

	return pl_swapper_handle(&daemon_of_all, &ends[i].worker, &hand);
}

/* What the daemon has sent to the worker.  Return: its kind, 0 = nothing. */
static uint32_t heard(uint32_t i, struct pl_hand *hand)
{
	int r = pl_hand_recv(ends[i].session.peers.control, hand, NULL);

	assert(!r || r == -EAGAIN);
	return r ? 0 : hand->kind;
}

static void expect_grant(uint32_t i, int32_t result)
{
	struct pl_hand hand;

	assert(heard(i, &hand) == PL_HAND_GRANT && hand.result == result);
}

static void expect_leave(uint32_t i, uint64_t bytes)
{
	struct pl_hand hand;

	assert(heard(i, &hand) == PL_HAND_LEAVE && hand.swap[0] == bytes);
}

static void expect_nothing(void)
{
	struct pl_hand hand;

	for (uint32_t i = 0; i < WORKERS; i++)
		assert(!heard(i, &hand));
}

static uint64_t settle(uint64_t later_ns)
{
	return pl_swapper_settle(&daemon_of_all, pl_now_ns() + later_ns);
}

static void claim_granted(uint32_t i, uint64_t bytes)
{
	assert(say(i, PL_HAND_CLAIM, PL_SWAP_MORE, bytes));
	settle(0);
	expect_grant(i, 0);
}

static void test_what_never_fits_is_refused_at_once(void)
{
	ends_open();
	assert(say(0, PL_HAND_CLAIM, PL_SWAP_MORE, CAPACITY + 1));
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_MORE, UINT64_MAX));
	settle(0);
	expect_grant(0, -ENOMEM);
	expect_grant(1, -ENOMEM);
	claim_granted(0, 60);
	assert(say(0, PL_HAND_CLAIM, PL_SWAP_MORE, CAPACITY - 59));
	settle(0);
	expect_grant(0, -ENOMEM); /* one session's has to fit into the device */
	expect_nothing();
	ends_close();
}

static void test_the_idle_leave_first_and_no_more_than_is_wanted(void)
{
	uint64_t claimed;

	ends_open();
	claim_granted(0, 50);
	claim_granted(1, 50);
	options.swap_stay_ns = FAR;
	atomic_store(&ends[0].shared.used_ns, pl_now_ns() + FAR); /* it works */
	atomic_store(&ends[1].shared.used_ns, pl_now_ns());
	assert(say(2, PL_HAND_CLAIM, PL_SWAP_MORE, 30));
	assert(settle(0) != UINT64_MAX);
	expect_nothing(); /* not idle for long enough */
	settle(200 * MS);
	expect_leave(1, 30);
	assert(say(1, PL_HAND_LEFT, true, 40)); /* a part is what it is */
	settle(200 * MS);
	expect_grant(2, 0);
	assert(pl_swapper_resident(&daemon_of_all, 0, &claimed) == 90 && claimed == 130);
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_BACK, 0)); /* it needs 30 more than there is, and the others work */
	atomic_store(&ends[2].shared.used_ns, pl_now_ns() + FAR);
	settle(200 * MS);
	expect_nothing();
	assert(pl_swapper_waiting(&daemon_of_all) == 1);
	settle(2 * FAR); /* their time is over: the first that came in */
	expect_leave(0, 30);
	assert(say(0, PL_HAND_LEFT, true, 30));
	settle(0);
	expect_grant(1, 0);
	options.swap_stay_ns = 0;
	ends_close();
}

static void test_who_waits_makes_room_and_who_refuses_is_left_alone(void)
{
	ends_open();
	options.swap_stay_ns = FAR;
	claim_granted(0, 100);
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_MORE, 40));
	settle(2 * FAR);
	expect_leave(0, 40);
	assert(say(0, PL_HAND_LEFT, true, 0)); /* its device works */
	settle(0);
	expect_nothing();
	settle(2 * FAR); /* it is asked again, later */
	expect_leave(0, 40);
	assert(say(0, PL_HAND_LEFT, true, 50));
	settle(0);
	expect_grant(1, 0);
	atomic_store(&ends[1].shared.used_ns, pl_now_ns() + FAR); /* it works */
	assert(say(0, PL_HAND_CLAIM, PL_SWAP_BACK, 0));
	assert(say(2, PL_HAND_CLAIM, PL_SWAP_MORE, 30));
	settle(0);
	expect_leave(0, 20); /* it can do nothing but wait */
	assert(say(0, PL_HAND_LEFT, true, 20));
	settle(0);
	expect_grant(2, 0);
	expect_nothing();
	options.swap_stay_ns = 0;
	ends_close();
}

static void test_who_has_just_come_in_is_not_idle(void)
{
	ends_open();
	options.swap_stay_ns = FAR;
	claim_granted(0, 100);
	atomic_store(&ends[0].shared.used_ns, pl_now_ns() - FAR);
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_MORE, 100));
	settle(FAR / 2);
	expect_leave(0, 100);
	assert(say(0, PL_HAND_LEFT, true, 100));
	assert(say(0, PL_HAND_CLAIM, PL_SWAP_BACK, 0)); /* it begins a call, whose end is its last one */
	settle(FAR / 2);
	expect_grant(1, 0);
	settle(FAR / 2 + 50 * MS);
	expect_nothing(); /* nor has the other one had time for a call */
	settle(FAR / 2 + 200 * MS);
	expect_leave(1, 100);
	options.swap_stay_ns = 0;
	ends_close();
}

static void test_who_is_suspended_leaves_and_waits(void)
{
	struct pl_hand left = { .kind = PL_HAND_LEFT, .own = true, .result = PL_SWAP_RESTS, .swap = { 30 } }, hand;

	ends_open();
	options.swap_stay_ns = FAR;
	claim_granted(0, 30);
	ends[0].worker.swap.held = true;
	settle(0);
	assert(heard(0, &hand) == PL_HAND_LEAVE && hand.own && hand.swap[0] == 30);
	assert(!strcmp(pl_swapper_state(&ends[0].worker), "leaves"));
	assert(say(0, PL_HAND_LEFT, true, 0)); /* its device works */
	assert(settle(0) != UINT64_MAX);
	expect_nothing();
	settle(FAR);
	assert(heard(0, &hand) == PL_HAND_LEAVE && hand.own);
	assert(pl_swapper_handle(&daemon_of_all, &ends[0].worker, &left));
	assert(!strcmp(pl_swapper_state(&ends[0].worker), "suspended"));
	ends[0].worker.checkpoint.wanted = true;
	ends[0].worker.checkpoint.was_held = true; /* by an operator, before */
	assert(!strcmp(pl_swapper_state(&ends[0].worker), "suspended"));
	ends[0].worker.checkpoint.was_held = false;
	assert(!strcmp(pl_swapper_state(&ends[0].worker), "writes"));
	ends[0].worker.checkpoint.wanted = false;
	assert(say(0, PL_HAND_CLAIM, PL_SWAP_BACK, 0));
	assert(settle(2 * FAR) == UINT64_MAX);
	expect_nothing();
	claim_granted(1, 60); /* nobody waits behind it */
	ends[0].worker.swap.held = false;
	settle(0);
	expect_grant(0, 0);
	assert(!strcmp(pl_swapper_state(&ends[0].worker), "runs"));
	options.swap_stay_ns = 0;
	ends_close();
}

static void test_a_driver_without_room_presses(void)
{
	ends_open();
	claim_granted(0, 50);
	claim_granted(1, 20);
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_PRESS, 10));
	settle(FAR / 2);
	expect_leave(0, 10);
	assert(say(0, PL_HAND_LEFT, true, 10));
	expect_grant(1, 0);
	assert(say(0, PL_HAND_LEFT, false, 0)); /* of itself, when it came in again in part */
	pl_swapper_ended(&daemon_of_all, &ends[0].worker);
	ends[0].worker.phase = PL_POOL_BROKEN;
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_PRESS, 10));
	settle(FAR / 2);
	expect_grant(1, -ENOMEM); /* nobody has any */
	ends_close();
}

static void test_nobody_waits_for_ever_for_more(void)
{
	ends_open();
	claim_granted(0, 100);
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_MORE, 10));
	atomic_store(&ends[0].shared.used_ns, pl_now_ns() + 10 * FAR);
	options.swap_stay_ns = 10 * FAR;
	settle(0);
	expect_nothing();
	settle(4 * FAR);
	expect_grant(1, -ENOMEM);
	options.swap_stay_ns = 0;
	ends_close();
}

static void test_who_never_answers_keeps_nobody_else(void)
{
	ends_open();
	claim_granted(0, 50);
	claim_granted(1, 50);
	assert(say(2, PL_HAND_CLAIM, PL_SWAP_BACK, 0));
	settle(FAR);
	expect_grant(2, 0);
	assert(say(2, PL_HAND_CLAIM, PL_SWAP_MORE, 30));
	atomic_store(&ends[1].shared.used_ns, pl_now_ns() + MS);
	settle(FAR / 2);
	expect_leave(0, 30);
	assert(settle(FAR) != UINT64_MAX);
	expect_nothing();
	settle(FAR * 5 / 2);
	expect_leave(1, 30);
	assert(say(1, PL_HAND_LEFT, true, 30));
	settle(FAR * 5 / 2);
	expect_grant(2, 0);
	assert(say(0, PL_HAND_LEFT, true, 30)); /* late */
	assert(!say(0, PL_HAND_LEFT, true, 1));
	ends_close();
}

/* As long as it likes, it does not stay; nor does it press for what the device does not have. */
static void test_liars_have_no_more_than_others(void)
{
	struct pl_hand left = { .kind = PL_HAND_LEFT, .own = true, .bytes = UINT64_MAX, .swap = { 10 } };

	ends_open();
	claim_granted(0, 100);
	ends[0].worker.swap.leaving = true;
	assert(pl_swapper_handle(&daemon_of_all, &ends[0].worker, &left));
	assert(say(1, PL_HAND_CLAIM, PL_SWAP_MORE, 60));
	settle(0);
	assert(settle(2 * FAR) != UINT64_MAX);
	settle(29 * (uint64_t)1000 * MS);
	expect_leave(0, 50);
	assert(say(0, PL_HAND_LEFT, true, 50));
	settle(0);
	expect_grant(1, 0);
	assert(say(2, PL_HAND_CLAIM, PL_SWAP_PRESS, UINT64_MAX));
	settle(FAR);
	expect_grant(2, -ENOMEM);
	assert(say(2, PL_HAND_CLAIM, PL_SWAP_PRESS, CAPACITY + 1));
	settle(FAR);
	expect_grant(2, -ENOMEM);
	expect_nothing();
	ends_close();
}

static void test_liars_are_found(void)
{
	ends_open();
	claim_granted(0, 10);
	assert(!say(0, PL_HAND_UNCLAIM, 0, 11));
	assert(!say(0, PL_HAND_LEFT, true, 1)); /* nobody has asked */
	assert(!say(0, PL_HAND_LEFT, false, 11));
	assert(!say(0, PL_HAND_CLAIM, 0, 1));
	assert(!say(0, PL_HAND_CLAIM, PL_SWAP_PRESS + 1, 1));
	assert(say(0, PL_HAND_CLAIM, PL_SWAP_MORE, CAPACITY));
	assert(!say(0, PL_HAND_CLAIM, PL_SWAP_MORE, 1)); /* one at a time */
	ends_close();
}

/* ---- all of it ---- */

static _Atomic uint32_t resident;      /* of all */
static _Atomic uint64_t moves, denied; /* bytes that came in; claims */
static bool over;

static struct end *end_of(struct pl_session_worker *session)
{
	return (struct end *)((char *)session - offsetof(struct end, session));
}

static bool idle(struct pl_session_worker *session, uint64_t ns)
{
	(void)ns;
	return ++end_of(session)->looks % 5; /* once in a while it is not */
}

static void move_out(struct pl_session_worker *session, const uint64_t wanted[PL_SWAP_DEVICES_MAX],
		     uint64_t moved_io[PL_SWAP_DEVICES_MAX])
{
	struct end *end = end_of(session);

	assert(!atomic_load(&end->calls));
	while (moved_io[0] < wanted[0] && end->out < end->have) {
		end->out++;
		moved_io[0]++;
		atomic_fetch_sub(&resident, 1);
	}
}

static int move_in(struct pl_session_worker *session, uint64_t moved_io[PL_SWAP_DEVICES_MAX])
{
	struct end *end = end_of(session);

	assert(!atomic_load(&end->calls));
	if (end->looks % 7 == 3) { /* the driver says that there is no room, once */
		end->looks++;
		return -ENOMEM;
	}
	moved_io[0] += end->out;
	atomic_fetch_add(&moves, end->out);
	assert(atomic_fetch_add(&resident, end->out) + end->out <= CAPACITY);
	end->out = 0;
	return 0;
}

static const struct pl_swap_ops ops = { .idle = idle, .out = move_out, .in = move_in };

static void hand_take(struct end *end, bool of_daemon)
{
	int got[PL_HAND_FDS];
	struct pl_hand hand;

	assert(!pl_hand_recv(of_daemon ? end->worker.source.fd : end->session.peers.control, &hand, got));
	if (of_daemon)
		assert(pl_swapper_handle(&daemon_of_all, &end->worker, &hand));
	else
		pl_swap_hand(&end->session.swap, &hand);
}

/* The daemon's thread, and the main threads of all workers. */
static void *serve(void *arg)
{
	struct pollfd fds[2 * WORKERS];

	for (uint32_t i = 0; i < 2 * WORKERS; i++)
		fds[i] =
			(struct pollfd){ .fd = i % 2 ? ends[i / 2].session.peers.control : ends[i / 2].worker.source.fd,
					 .events = POLLIN };
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		uint64_t now_ns = pl_now_ns();

		(void)pl_swapper_settle(&daemon_of_all, now_ns);
		assert(poll(fds, 2 * WORKERS, 1) >= 0);
		for (uint32_t i = 0; i < 2 * WORKERS; i++)
			if (fds[i].revents)
				hand_take(&ends[i / 2], i % 2 == 0);
	}
	return arg;
}

/* A call that allocates or frees, with the turn; it is outside while it waits. */
static void change(struct end *end, uint32_t bytes, bool more)
{
	struct pl_swap *swap = &end->session.swap;

	if (more) {
		atomic_fetch_sub(&end->calls, 1);
		if (pl_swap_claim(swap, 0, bytes)) {
			atomic_fetch_add(&denied, 1);
			bytes = 0;
		}
		atomic_fetch_add(&end->calls, 1);
		assert(!end->out);
		assert(atomic_fetch_add(&resident, bytes) + bytes <= CAPACITY);
		end->have += bytes;
		return;
	}
	bytes = bytes < end->have ? bytes : end->have;
	end->have -= bytes;
	atomic_fetch_sub(&resident, bytes);
	pl_swap_unclaim(swap, 0, bytes);
}

static void *work(void *arg)
{
	struct end *end = arg;
	unsigned int seed = (unsigned int)(uintptr_t)&seed;

	for (int i = 0; i < 300; i++) {
		bool changes = rand_r(&seed) % 4 == 0;

		if (changes)
			pthread_mutex_lock(&end->turn);
		pl_swap_enter(&end->session.swap);
		atomic_fetch_add(&end->calls, 1);
		assert(!end->out);
		if (changes)
			change(end, 1 + (uint32_t)rand_r(&seed) % 30, rand_r(&seed) % 3 != 0);
		nanosleep(&(struct timespec){ .tv_nsec = rand_r(&seed) % 100000 }, NULL);
		assert(!end->out);
		atomic_fetch_sub(&end->calls, 1);
		pl_swap_leave(&end->session.swap);
		atomic_store(&end->shared.used_ns, pl_now_ns());
		if (changes)
			pthread_mutex_unlock(&end->turn);
		if (rand_r(&seed) % 8 == 0)
			nanosleep(&(struct timespec){ .tv_nsec = rand_r(&seed) % 3000000 }, NULL);
	}
	return arg;
}

static void test_sessions_share_a_device_that_is_too_small(void)
{
	pthread_t server, threads[WORKERS * THREADS];
	uint64_t claimed, in;
	uint32_t have = 0;

	ends_open();
	for (uint32_t i = 0; i < WORKERS; i++) {
		pl_swap_init(&ends[i].session.swap, &ends[i].session);
		pl_swap_start(&ends[i].session.swap, &ops, 0, false);
	}
	assert(!pthread_create(&server, NULL, serve, NULL));
	for (uint32_t i = 0; i < WORKERS * THREADS; i++)
		assert(!pthread_create(&threads[i], NULL, work, &ends[i % WORKERS]));
	for (uint32_t i = 0; i < WORKERS * THREADS; i++)
		assert(!pthread_join(threads[i], NULL));
	nanosleep(&(struct timespec){ .tv_sec = 5 }, NULL); /* whoever was asked to leave has left */
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	assert(!pthread_join(server, NULL));
	in = pl_swapper_resident(&daemon_of_all, 0, &claimed);
	for (uint32_t i = 0; i < WORKERS; i++)
		have += ends[i].have;
	assert(claimed == have && in == atomic_load(&resident));
	assert(atomic_load(&moves) > CAPACITY && atomic_load(&denied));
	/* the workers' threads that move memory stay, as in a worker: sockets are left to the process' end */
}

int main(void)
{
	test_what_never_fits_is_refused_at_once();
	test_the_idle_leave_first_and_no_more_than_is_wanted();
	test_who_waits_makes_room_and_who_refuses_is_left_alone();
	test_who_has_just_come_in_is_not_idle();
	test_who_is_suspended_leaves_and_waits();
	test_a_driver_without_room_presses();
	test_nobody_waits_for_ever_for_more();
	test_who_never_answers_keeps_nobody_else();
	test_liars_have_no_more_than_others();
	test_liars_are_found();
	test_sessions_share_a_device_that_is_too_small();
	return 0;
}
