/*
 * Who of the sessions that have more device memory together than the device has theirs in it (docs/adr/0038).  Workers
 * claim memory that can be moved before they allocate it, and before they move it back; a claim that does not fit
 * waits, oldest first, while one session after the other is asked to leave: one that waits itself, else one that has
 * been idle for longer than its memory takes to move, else the one that has been in for the longest, once its time is
 * over. A worker may lie: its claims then count for what it says, and a driver that has no room after all says so
 * (PRESS).
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "server/daemon-internal.h"

#define MORE_NS_MAX   30000000000ull /* limit: a new allocation waits so long, then there is no memory */
#define PRESS_NS_MAX  10000000000ull
#define TELL_NS       60000000000ull /* who waits so long for what it has is told of in the log */
#define IDLE_NS_MIN   100000000u     /* no call for so long: idle */
#define LEAVE_NS_MIN  10000000000ull /* who has not left after that, and STAY_TIMES its way, is not waited for */
#define TOOK_NS_MIN   1000000000u    /* what a worker says of its last way in is believed up to that, and per byte */
#define TOOK_PER_BYTE 4u             /* so much */
#define BUSY_NS       200000000u     /* who would not leave is asked again after that */
#define STAY_TIMES    4u             /* as long as it took to come in, times this, a session stays */
#define BYTES_PER_NS  4u             /* guessed, where nothing was moved yet */

void pl_swapper_capacity(struct pl_daemon *daemon, const struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	const uint64_t limit = daemon->options->device_bytes;
	struct pl_swapper *swapper = &daemon->swapper;

	if (!pl_daemon_moves(daemon->options) || swapper->known || !daemon->options->apis[worker->api].backend->swap)
		return;
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		swapper->capacity[i] = limit && limit < hand->swap[i] ? limit : hand->swap[i];
	swapper->known = true;
}

/* ---- the books ---- */

static uint64_t resident(const struct pl_pool_worker *worker, int device)
{
	return worker->swap.claimed[device] - worker->swap.out[device];
}

static uint64_t resident_all(const struct pl_daemon *daemon, int device)
{
	uint64_t bytes = 0;

	for (const struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		bytes += resident(worker, device);
	return bytes;
}

static uint64_t claimed_all(const struct pl_daemon *daemon, int device)
{
	uint64_t bytes = 0;

	for (const struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next)
		bytes += worker->swap.claimed[device];
	return bytes;
}

uint64_t pl_swapper_resident(const struct pl_daemon *daemon, int device, uint64_t *claimed_out)
{
	*claimed_out = claimed_all(daemon, device);
	return resident_all(daemon, device);
}

const char *pl_swapper_state(const struct pl_pool_worker *worker)
{
	if (worker->checkpoint.wanted && !worker->checkpoint.was_held)
		return "writes";
	if (worker->swap.held)
		return worker->swap.rests ? "suspended" : "leaves";
	return worker->swap.waits ? "waits" : "runs";
}

uint32_t pl_swapper_waiting(const struct pl_daemon *daemon)
{
	uint32_t count = 0;

	for (const struct pl_pool_worker *worker = daemon->swapper.waiting; worker; worker = worker->swap.next)
		count++;
	return count;
}

/* Alone in the device it fits, and host memory has room for what the others have then. */
static bool may_ever(const struct pl_daemon *daemon, const struct pl_pool_worker *worker)
{
	const struct pl_swapper *swapper = &daemon->swapper;
	uint64_t over = 0;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		const uint64_t room = swapper->capacity[i], want = worker->swap.wants[i];
		uint64_t all;

		if (worker->swap.claimed[i] > room || want > room - worker->swap.claimed[i])
			return false;
		all = claimed_all(daemon, i) + want;
		over += all > room ? all - room : 0;
	}
	return over <= daemon->options->swap_bytes;
}

static bool may_press(const struct pl_daemon *daemon, const struct pl_pool_worker *worker)
{
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		if (worker->swap.wants[i] > daemon->swapper.capacity[i])
			return false;
	return true;
}

/* What the claim is short of, beside what older ones are being made room for.  Return: nothing. */
static bool fits(const struct pl_daemon *daemon, const struct pl_pool_worker *worker,
		 const uint64_t reserved[PL_SWAP_DEVICES_MAX], uint64_t short_out[PL_SWAP_DEVICES_MAX])
{
	bool all = true;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		uint64_t need = worker->swap.wants[i] + worker->swap.out[i], used;

		used = need ? resident_all(daemon, i) + reserved[i] + need : 0;
		short_out[i] = used > daemon->swapper.capacity[i] ? used - daemon->swapper.capacity[i] : 0;
		all &= !short_out[i];
	}
	return all;
}

static uint64_t move_ns(const struct pl_pool_worker *worker)
{
	uint64_t bytes = 0;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		bytes += resident(worker, i);
	return worker->swap.took_ns > bytes / BYTES_PER_NS ? worker->swap.took_ns : bytes / BYTES_PER_NS;
}

/* ---- who waits ---- */

static void wait_begin(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	struct pl_pool_worker **at = &daemon->swapper.waiting;

	worker->swap.waits = (enum pl_swap_claim)hand->type;
	memset(worker->swap.wants, 0, sizeof(worker->swap.wants));
	if (hand->type != PL_SWAP_BACK)
		memcpy(worker->swap.wants, hand->swap, sizeof(worker->swap.wants));
	worker->swap.since_ns = pl_now_ns();
	worker->swap.told = false;
	worker->swap.next = NULL;
	while (*at)
		at = &(*at)->swap.next;
	*at = worker;
}

static void wait_end(struct pl_daemon *daemon, struct pl_pool_worker *worker)
{
	struct pl_pool_worker **at = &daemon->swapper.waiting;

	while (*at && *at != worker)
		at = &(*at)->swap.next;
	if (*at)
		*at = worker->swap.next;
	worker->swap.waits = 0;
}

static void answer(struct pl_daemon *daemon, struct pl_pool_worker *worker, int32_t result)
{
	const struct pl_hand hand = { .kind = PL_HAND_GRANT, .result = result };

	wait_end(daemon, worker);
	if (pl_hand_send(worker->source.fd, &hand, -1, -1) < 0)
		pl_pool_kill(worker, "deaf");
}

static void grant(struct pl_daemon *daemon, struct pl_pool_worker *worker, uint64_t now_ns)
{
	struct pl_swap_books *books = &worker->swap;
	uint64_t moves = 0;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		books->claimed[i] += books->wants[i];
		moves += books->out[i];
		books->out[i] = 0;
	}
	if (moves || !books->in_ns) /* it begins to stay once it has come in, which is not told */
		books->in_ns = now_ns + (books->took_ns > moves / BYTES_PER_NS ? books->took_ns : moves / BYTES_PER_NS);
	books->rests = false;
	answer(daemon, worker, 0);
}

/* ---- who leaves ---- */

static bool has_any(const struct pl_pool_worker *worker, const uint64_t wanted[PL_SWAP_DEVICES_MAX])
{
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		if (wanted[i] && resident(worker, i))
			return true;
	return false;
}

/* When the session can be asked to leave; 0: at once, as it can do nothing anyway. */
static uint64_t leaves_ns(const struct pl_daemon *daemon, const struct pl_pool_worker *worker)
{
	const struct pl_swap_books *books = &worker->swap;
	uint64_t used_ns = atomic_load_explicit(&worker->shared->used_ns, memory_order_relaxed);
	uint64_t took_ns = move_ns(worker), stay_ns = daemon->options->swap_stay_ns, idle_ns, over_ns, at_ns;

	if (books->waits)
		return books->busy_ns;
	if (took_ns * STAY_TIMES > stay_ns)
		stay_ns = took_ns * STAY_TIMES;
	over_ns = books->in_ns + stay_ns;
	idle_ns = used_ns > books->in_ns ? used_ns : books->in_ns; /* it came in for a call */
	idle_ns += took_ns > IDLE_NS_MIN ? took_ns : IDLE_NS_MIN;
	at_ns = idle_ns < over_ns ? idle_ns : over_ns;
	return at_ns > books->busy_ns ? at_ns : books->busy_ns;
}

/* Return: who leaves now; NULL: *next_ns says when somebody can, UINT64_MAX = nobody has anything. */
static struct pl_pool_worker *victim_find(const struct pl_daemon *daemon, const struct pl_pool_worker *whose,
					  const uint64_t wanted[PL_SWAP_DEVICES_MAX], uint64_t now_ns,
					  uint64_t *next_ns)
{
	struct pl_pool_worker *found = NULL;
	uint64_t first_ns = UINT64_MAX;

	*next_ns = UINT64_MAX;
	for (struct pl_pool_worker *worker = daemon->pool.first; worker; worker = worker->next) {
		uint64_t at_ns;

		if (worker == whose || worker->swap.leaving || worker->phase != PL_POOL_SERVING ||
		    !has_any(worker, wanted))
			continue;
		at_ns = leaves_ns(daemon, worker);
		if (at_ns < *next_ns)
			*next_ns = at_ns;
		if (at_ns <= now_ns && at_ns < first_ns) {
			first_ns = at_ns;
			found = worker;
		}
	}
	return found;
}

static void leave_ask(struct pl_daemon *daemon, struct pl_pool_worker *worker,
		      const uint64_t wanted[PL_SWAP_DEVICES_MAX], uint64_t now_ns)
{
	struct pl_hand hand = { .kind = PL_HAND_LEAVE, .own = worker->swap.held };

	memcpy(hand.swap, wanted, sizeof(hand.swap));
	if (pl_hand_send(worker->source.fd, &hand, -1, -1) < 0) {
		pl_pool_kill(worker, "deaf");
		return;
	}
	worker->swap.leaving = true;
	daemon->swapper.leaving = worker;
	daemon->swapper.leaves_ns = now_ns + LEAVE_NS_MIN + STAY_TIMES * move_ns(worker);
}

/* Return: somebody was asked, and is to answer; *next_ns is when he is not waited for any longer. */
static bool is_any_leaving(const struct pl_daemon *daemon, uint64_t now_ns, uint64_t *next_ns)
{
	if (!daemon->swapper.leaving || now_ns >= daemon->swapper.leaves_ns)
		return false;
	if (daemon->swapper.leaves_ns < *next_ns)
		*next_ns = daemon->swapper.leaves_ns;
	return true;
}

/* Room for who waits.  Return: it is being made; *next_ns is when to look again, if that is before. */
static bool room_make(struct pl_daemon *daemon, struct pl_pool_worker *whose,
		      const uint64_t wanted[PL_SWAP_DEVICES_MAX], uint64_t now_ns, uint64_t *next_ns)
{
	struct pl_pool_worker *victim;
	uint64_t at_ns;

	if (is_any_leaving(daemon, now_ns, next_ns))
		return true;
	victim = victim_find(daemon, whose, wanted, now_ns, &at_ns);
	if (victim)
		leave_ask(daemon, victim, wanted, now_ns);
	else if (at_ns == UINT64_MAX && whose->swap.waits == PL_SWAP_PRESS)
		answer(daemon, whose, -ENOMEM);
	else if (at_ns < *next_ns)
		*next_ns = at_ns;
	return victim;
}

/* Nobody waits for ever for new memory.  Return: the claim was answered. */
static bool wait_expire(struct pl_daemon *daemon, struct pl_pool_worker *worker, uint64_t now_ns, uint64_t *next_ns)
{
	const uint64_t since_ns = worker->swap.since_ns;
	uint64_t end_ns = since_ns + (worker->swap.waits == PL_SWAP_MORE ? MORE_NS_MAX : PRESS_NS_MAX);

	if (worker->swap.waits == PL_SWAP_BACK) {
		if (!worker->swap.told && now_ns - since_ns > TELL_NS) {
			pl_log_warn("session %llu: it waits for its device memory, which others do not give up",
				    (unsigned long long)worker->session);
			worker->swap.told = true;
		}
		return false;
	}
	if (now_ns >= end_ns) {
		pl_log_info("session %llu: others did not give up device memory in time",
			    (unsigned long long)worker->session);
		answer(daemon, worker, -ENOMEM);
		return true;
	}
	if (end_ns < *next_ns)
		*next_ns = end_ns;
	return false;
}

static void wait_settle(struct pl_daemon *daemon, struct pl_pool_worker *worker,
			uint64_t reserved_io[PL_SWAP_DEVICES_MAX], uint64_t now_ns, uint64_t *next_ns)
{
	uint64_t wanted[PL_SWAP_DEVICES_MAX];

	if (worker->swap.leaving)
		return; /* what it has is known once it has answered */
	if (worker->swap.held && worker->swap.waits != PL_SWAP_PRESS)
		return;
	if (wait_expire(daemon, worker, now_ns, next_ns))
		return;
	if (worker->swap.waits == PL_SWAP_MORE && !may_ever(daemon, worker)) {
		answer(daemon, worker, -ENOMEM);
		return;
	}
	if (worker->swap.waits == PL_SWAP_PRESS && !may_press(daemon, worker)) {
		answer(daemon, worker, -ENOMEM);
		return;
	}
	if (worker->swap.waits == PL_SWAP_PRESS) {
		memcpy(wanted, worker->swap.wants, sizeof(wanted));
	} else if (fits(daemon, worker, reserved_io, wanted)) {
		grant(daemon, worker, now_ns);
		return;
	}
	/* Nobody who came later takes the room that is being made; where none can be at present, he need not wait. */
	if (room_make(daemon, worker, wanted, now_ns, next_ns))
		for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
			reserved_io[i] += worker->swap.wants[i] + worker->swap.out[i];
}

/* Who is suspended leaves, all of it, whoever needs the room. */
static void held_settle(struct pl_daemon *daemon, struct pl_pool_worker *worker, uint64_t now_ns, uint64_t *next_ns)
{
	uint64_t all[PL_SWAP_DEVICES_MAX];

	if (worker->swap.leaving || is_any_leaving(daemon, now_ns, next_ns))
		return;
	if (worker->swap.busy_ns > now_ns) {
		*next_ns = worker->swap.busy_ns < *next_ns ? worker->swap.busy_ns : *next_ns;
		return;
	}
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		all[i] = resident(worker, i);
	leave_ask(daemon, worker, all, now_ns);
}

uint64_t pl_swapper_settle(struct pl_daemon *daemon, uint64_t now_ns)
{
	uint64_t reserved[PL_SWAP_DEVICES_MAX] = { 0 }, next_ns = UINT64_MAX;
	struct pl_pool_worker *worker, *next;

	for (worker = daemon->swapper.waiting; worker; worker = next) {
		next = worker->swap.next;
		wait_settle(daemon, worker, reserved, now_ns, &next_ns);
	}
	for (worker = daemon->pool.first; worker; worker = worker->next)
		if (worker->swap.held && !worker->swap.rests && worker->phase == PL_POOL_SERVING)
			held_settle(daemon, worker, now_ns, &next_ns);
	return next_ns;
}

/* ---- what workers say ---- */

static bool left_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	struct pl_pool_worker *waiting = daemon->swapper.waiting;
	uint64_t took_ns = TOOK_NS_MIN;
	bool any = false;

	if (hand->own && !worker->swap.leaving)
		return false;
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		if (hand->swap[i] > resident(worker, i))
			return false;
		worker->swap.out[i] += hand->swap[i];
		any |= hand->swap[i] != 0;
		took_ns += worker->swap.claimed[i] * TOOK_PER_BYTE;
	}
	worker->swap.took_ns = hand->bytes < took_ns ? hand->bytes : took_ns;
	if (!hand->own)
		return true;
	worker->swap.leaving = false;
	if (daemon->swapper.leaving == worker)
		daemon->swapper.leaving = NULL;
	worker->swap.rests = hand->result == PL_SWAP_RESTS;
	worker->swap.busy_ns = any || worker->swap.rests ? 0 : pl_now_ns() + BUSY_NS;
	while (any && waiting && waiting->swap.waits != PL_SWAP_PRESS)
		waiting = waiting->swap.next;
	if (any && waiting)
		answer(daemon, waiting, 0); /* the driver may have room now */
	return true;
}

static bool claim_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	if (worker->swap.waits || hand->type < PL_SWAP_MORE || hand->type > PL_SWAP_PRESS)
		return false;
	wait_begin(daemon, worker, hand);
	return true; /* answered by the next pl_swapper_settle() */
}

static bool unclaim_handle(struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		if (hand->swap[i] > resident(worker, i))
			return false;
		worker->swap.claimed[i] -= hand->swap[i];
	}
	return true;
}

bool pl_swapper_handle(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	switch (hand->kind) {
	case PL_HAND_CLAIM:
		return claim_handle(daemon, worker, hand);
	case PL_HAND_UNCLAIM:
		return unclaim_handle(worker, hand);
	case PL_HAND_LEFT:
		return left_handle(daemon, worker, hand);
	default:
		return true;
	}
}

void pl_swapper_restored(struct pl_daemon *daemon, struct pl_pool_worker *worker, const struct pl_hand *hand)
{
	(void)daemon;
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		worker->swap.claimed[i] += hand->swap[i];
		worker->swap.out[i] += hand->swap_out[i] < hand->swap[i] ? hand->swap_out[i] : hand->swap[i];
	}
}

void pl_swapper_ended(struct pl_daemon *daemon, struct pl_pool_worker *worker)
{
	wait_end(daemon, worker);
	if (daemon->swapper.leaving == worker)
		daemon->swapper.leaving = NULL;
}
