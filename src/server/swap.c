#include "server/swap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"
#include "server/serve.h"

/* For so long calls are kept waiting for the device to become idle; then they go on, and it is tried for longer. */
#define WINDOW_NS_MIN 50000000u
#define WINDOW_NS_MAX 1600000000u
#define BETWEEN_NS    2000000u
/* For so long a session tries to come back in that the driver has no room for. */
#define BACK_NS_MAX   60000000000ull
#define BACK_PAUSE_NS 50000000u

void pl_swap_init(struct pl_swap *swap, struct pl_session_worker *session)
{
	*swap = (struct pl_swap){ .session = session };
	pthread_mutex_init(&swap->lock, NULL);
	pthread_mutex_init(&swap->claim_lock, NULL);
	pthread_cond_init(&swap->news, NULL);
}

void pl_swap_start(struct pl_swap *swap, const struct pl_swap_ops *ops, uint64_t device_bytes, bool all)
{
	const char *told = getenv("PLENUM_MOVABLE_SMALL");

	swap->device_bytes = device_bytes;
	swap->all = all || (told && !strcmp(told, "1"));
	swap->ops = ops;
}

static bool is_any(const uint64_t bytes[PL_SWAP_DEVICES_MAX])
{
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		if (bytes[i])
			return true;
	return false;
}

static uint64_t sum(const uint64_t bytes[PL_SWAP_DEVICES_MAX])
{
	uint64_t all = 0;

	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		all += bytes[i];
	return all;
}

/* Called with the lock held. */
static void barred_set(struct pl_swap *swap)
{
	atomic_store(&swap->barred, swap->closed || swap->moving || swap->is_out);
	pthread_cond_broadcast(&swap->news);
}

static void out_set(struct pl_swap *swap)
{
	swap->is_out = is_any(swap->out) || swap->rests;
	atomic_store(&swap->session->shared->swapped_bytes, sum(swap->out));
	barred_set(swap);
}

static void sleep_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) }, NULL);
}

/* With the lock held: until something has changed, or that time.  Return: it was not over before. */
static bool news_wait(struct pl_swap *swap, uint64_t end_ns)
{
	uint64_t now = pl_now_ns();
	struct timespec at;

	if (now >= end_ns)
		return false;
	clock_gettime(CLOCK_REALTIME, &at);
	end_ns -= now;
	at.tv_sec += (time_t)(end_ns / 1000000000u);
	at.tv_nsec += (long)(end_ns % 1000000000u);
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&swap->news, &swap->lock, &at);
	return true;
}

/* ---- to the daemon ---- */

/* A daemon that does not read for a moment is told again: what it believes has to be right. */
static int tell(struct pl_swap *swap, const struct pl_hand *hand)
{
	int r;

	while ((r = pl_hand_send(swap->session->peers.control, hand, -1, -1)) == -EAGAIN)
		sleep_ns(BETWEEN_NS);
	return pl_trace(r);
}

/* Waits for what the daemon says of the claim.  Called with claim_lock held.  Return: its result; 0: the caller has to
 * enter by come_in(), unless it was PRESS. */
static int32_t claim(struct pl_swap *swap, enum pl_swap_claim kind, uint32_t device, uint64_t bytes)
{
	struct pl_hand hand = { .kind = PL_HAND_CLAIM, .type = kind };
	int32_t result;

	if (bytes)
		hand.swap[device] = bytes;
	pthread_mutex_lock(&swap->lock);
	swap->answered = false;
	swap->claims = kind;
	pthread_mutex_unlock(&swap->lock);
	if (tell(swap, &hand))
		return -EIO;
	pthread_mutex_lock(&swap->lock);
	while (!swap->answered)
		pthread_cond_wait(&swap->news, &swap->lock);
	result = swap->result;
	pthread_mutex_unlock(&swap->lock);
	return result;
}

/* rested: it was asked to rest, and does. */
static void left_tell(struct pl_swap *swap, const uint64_t moved[PL_SWAP_DEVICES_MAX], bool asked, bool rested)
{
	struct pl_hand hand = { .kind = PL_HAND_LEFT, .own = asked, .bytes = swap->took_ns };

	hand.result = rested ? PL_SWAP_RESTS : 0;
	memcpy(hand.swap, moved, sizeof(hand.swap));
	(void)tell(swap, &hand);
}

void pl_swap_unclaim(struct pl_swap *swap, uint32_t device, uint64_t bytes)
{
	struct pl_hand hand = { .kind = PL_HAND_UNCLAIM };

	if (!swap->ops)
		return;
	if (swap->loading) {
		swap->loaded[device] -= bytes;
		return;
	}
	hand.swap[device] = bytes;
	(void)tell(swap, &hand);
}

/* ---- out ---- */

/* With the lock held: nobody is inside, nor about to be, nor moves anything.  Return: so it is, by then. */
static bool nobody_inside(struct pl_swap *swap, uint64_t end_ns)
{
	while (atomic_load(&swap->inside) || swap->moving || swap->coming)
		if (!news_wait(swap, end_ns))
			return false;
	return true;
}

/* Calls have to wait while this tries for so long.  Return: it was possible. */
static bool out_try(struct pl_swap *swap, uint64_t window_ns, uint64_t moved[PL_SWAP_DEVICES_MAX])
{
	struct pl_worker_shared *shared = swap->session->shared;
	uint64_t end_ns = pl_now_ns() + window_ns, now;
	bool can;

	pthread_mutex_lock(&swap->lock);
	swap->closed = true;
	barred_set(swap);
	can = nobody_inside(swap, end_ns);
	swap->moving = can;
	pthread_mutex_unlock(&swap->lock);
	if (!can) {
		pl_log_debug("session %llu: its memory stays: %u calls are inside",
			     (unsigned long long)swap->session->id, atomic_load(&swap->inside));
	} else {
		now = pl_now_ns();
		can = swap->ops->idle(swap->session, now < end_ns ? end_ns - now : 0);
		if (can)
			swap->ops->out(swap->session, swap->leaves, moved);
		else
			pl_log_debug("session %llu: its memory stays: the device works",
				     (unsigned long long)swap->session->id);
	}
	pthread_mutex_lock(&swap->lock);
	swap->closed = swap->moving = false;
	swap->rests |= can && swap->leaves_rest;
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		swap->out[i] += moved[i];
	atomic_fetch_add_explicit(&shared->swap_out_bytes, sum(moved), memory_order_relaxed);
	out_set(swap);
	pthread_mutex_unlock(&swap->lock);
	return can;
}

static void leave_handle(struct pl_swap *swap)
{
	uint64_t moved[PL_SWAP_DEVICES_MAX] = { 0 }, began_ns = pl_now_ns();
	uint64_t window_ns = WINDOW_NS_MIN;
	bool did;

	/* Between two tries calls go on: what the device waits for may be one of them. */
	while (!(did = out_try(swap, window_ns, moved)) && window_ns < WINDOW_NS_MAX) {
		sleep_ns(window_ns / 2);
		window_ns *= 2;
	}
	pl_log_debug("session %llu: %llu bytes of device memory went to host memory in %llu us",
		     (unsigned long long)swap->session->id, (unsigned long long)sum(moved),
		     (unsigned long long)((pl_now_ns() - began_ns) / 1000u));
	left_tell(swap, moved, true, did && swap->leaves_rest);
}

static void *leave_run(void *arg)
{
	struct pl_swap *swap = arg;

	pthread_setname_np(pthread_self(), "plenum-swap");
	for (;;) {
		pthread_mutex_lock(&swap->lock);
		while (!swap->leave)
			pthread_cond_wait(&swap->news, &swap->lock);
		swap->leave = false;
		pthread_mutex_unlock(&swap->lock);
		leave_handle(swap);
	}
	return NULL;
}

void pl_swap_hand(struct pl_swap *swap, const struct pl_hand *hand)
{
	static const uint64_t nothing[PL_SWAP_DEVICES_MAX];
	pthread_t thread;

	pthread_mutex_lock(&swap->lock);
	if (hand->kind == PL_HAND_LEAVE) {
		if (swap->ops && !swap->thread && !pthread_create(&thread, NULL, leave_run, swap)) {
			pthread_detach(thread);
			swap->thread = true;
		}
		memcpy(swap->leaves, hand->swap, sizeof(swap->leaves));
		swap->leaves_rest = hand->own;
		swap->leave = swap->thread;
	} else {
		swap->result = hand->result;
		swap->answered = true;
		swap->coming = !hand->result && swap->claims != PL_SWAP_PRESS;
	}
	pthread_cond_broadcast(&swap->news);
	pthread_mutex_unlock(&swap->lock);
	if (hand->kind == PL_HAND_LEAVE && !swap->thread)
		left_tell(swap, nothing, true, false);
}

/* ---- out of a checkpoint ---- */

bool pl_swap_rests(struct pl_swap *swap)
{
	bool rests;

	pthread_mutex_lock(&swap->lock);
	rests = swap->rests && !atomic_load(&swap->inside);
	pthread_mutex_unlock(&swap->lock);
	return rests;
}

void pl_swap_loading(struct pl_swap *swap)
{
	swap->loading = true;
}

void pl_swap_loaded(struct pl_swap *swap, const uint64_t away[PL_SWAP_DEVICES_MAX],
		    uint64_t claimed_out[PL_SWAP_DEVICES_MAX])
{
	pthread_mutex_lock(&swap->lock);
	swap->loading = false;
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++) {
		claimed_out[i] = swap->loaded[i] + away[i];
		swap->out[i] = away[i];
	}
	swap->closed = swap->ops;
	out_set(swap);
	pthread_mutex_unlock(&swap->lock);
}

void pl_swap_told(struct pl_swap *swap)
{
	pthread_mutex_lock(&swap->lock);
	swap->closed = false;
	barred_set(swap);
	pthread_mutex_unlock(&swap->lock);
}

/* ---- in ---- */

/* After a claim was granted: all comes in, and the caller is inside.  Return: 0; -errno of in(): it is not. */
static int come_in(struct pl_swap *swap)
{
	uint64_t moved[PL_SWAP_DEVICES_MAX] = { 0 }, rest[PL_SWAP_DEVICES_MAX], began_ns = pl_now_ns();
	struct pl_worker_shared *shared = swap->session->shared;
	int r = 0;

	pthread_mutex_lock(&swap->lock);
	if (swap->is_out) {
		swap->moving = true;
		barred_set(swap);
		pthread_mutex_unlock(&swap->lock);
		r = swap->ops->in(swap->session, moved);
		pthread_mutex_lock(&swap->lock);
		swap->moving = false;
		swap->took_ns = pl_now_ns() - began_ns;
		atomic_fetch_add_explicit(&shared->swap_in_bytes, sum(moved), memory_order_relaxed);
	}
	for (int i = 0; i < PL_SWAP_DEVICES_MAX; i++)
		rest[i] = swap->out[i] -= moved[i] < swap->out[i] ? moved[i] : swap->out[i];
	swap->coming = swap->rests = false;
	if (!r)
		atomic_fetch_add(&swap->inside, 1);
	out_set(swap);
	pthread_mutex_unlock(&swap->lock);
	if (r)
		left_tell(swap, rest, false, false);
	return r;
}

/* A device that some is to come back to, and how much. */
static uint32_t first_out(struct pl_swap *swap, uint64_t *bytes_out)
{
	uint32_t device = 0;

	pthread_mutex_lock(&swap->lock);
	while (device < PL_SWAP_DEVICES_MAX - 1 && !swap->out[device])
		device++;
	*bytes_out = swap->out[device];
	pthread_mutex_unlock(&swap->lock);
	return device;
}

/* The driver's room may be less than the daemon believes: others give up more.  A session that finds none at all ends,
 * since its memory is nowhere that a call could find it.  The caller is inside afterwards. */
static void in_or_end(struct pl_swap *swap)
{
	uint64_t bytes, end_ns = 0; /* 0: it has found room so far; who waits for others, or is suspended, has time */
	uint32_t device;
	int r;

	for (;;) {
		r = claim(swap, PL_SWAP_BACK, 0, 0);
		if (!r)
			r = come_in(swap);
		if (!r)
			return;
		if (!end_ns)
			end_ns = pl_now_ns() + BACK_NS_MAX;
		if (r != -ENOMEM || pl_now_ns() > end_ns)
			break;
		device = first_out(swap, &bytes);
		if (claim(swap, PL_SWAP_PRESS, device, bytes))
			sleep_ns(BACK_PAUSE_NS);
	}
	(void)first_out(swap, &bytes);
	pl_log_error("session %llu: device memory (%llu bytes and more) is in host memory and can not come back (%s): "
		     "it ends",
		     (unsigned long long)swap->session->id, (unsigned long long)bytes, strerror(r < 0 ? -r : EIO));
	_exit(1);
}

/* Return: it was out, and the caller is inside; false: somebody else has brought it in. */
static bool in_wanted(struct pl_swap *swap)
{
	bool is_out;

	pthread_mutex_lock(&swap->claim_lock);
	pthread_mutex_lock(&swap->lock);
	is_out = swap->is_out;
	pthread_mutex_unlock(&swap->lock);
	if (is_out)
		in_or_end(swap);
	pthread_mutex_unlock(&swap->claim_lock);
	return is_out;
}

/* ---- the gate ---- */

void pl_swap_left_slow(struct pl_swap *swap)
{
	pthread_mutex_lock(&swap->lock);
	pthread_cond_broadcast(&swap->news);
	pthread_mutex_unlock(&swap->lock);
}

/* It counts as inside, and is not. */
void pl_swap_enter_slow(struct pl_swap *swap)
{
	bool inside = false;

	atomic_fetch_sub(&swap->inside, 1);
	while (!inside) {
		pthread_mutex_lock(&swap->lock);
		pthread_cond_broadcast(&swap->news);
		while (swap->closed || swap->moving)
			pthread_cond_wait(&swap->news, &swap->lock);
		inside = !swap->is_out;
		if (inside)
			atomic_fetch_add(&swap->inside, 1);
		pthread_mutex_unlock(&swap->lock);
		inside = inside || in_wanted(swap);
	}
}

static int outside_claim(struct pl_swap *swap, enum pl_swap_claim kind, uint32_t device, uint64_t bytes)
{
	bool inside = false;
	int r;

	pl_swap_leave(swap);
	pthread_mutex_lock(&swap->claim_lock);
	r = claim(swap, kind, device, bytes);
	if (!r && kind == PL_SWAP_MORE) {
		r = come_in(swap);
		inside = !r;
		if (r)
			pl_swap_unclaim(swap, device, bytes); /* nobody waits for his own with room for more in hand */
	}
	pthread_mutex_unlock(&swap->claim_lock);
	if (!inside)
		pl_swap_enter(swap);
	return r;
}

int pl_swap_claim(struct pl_swap *swap, uint32_t device, uint64_t bytes)
{
	if (!swap->ops)
		return 0;
	if (swap->loading && device < PL_SWAP_DEVICES_MAX) {
		swap->loaded[device] += bytes;
		return 0;
	}
	return device < PL_SWAP_DEVICES_MAX ? outside_claim(swap, PL_SWAP_MORE, device, bytes) : -ENOMEM;
}

bool pl_swap_press(struct pl_swap *swap, uint32_t device, uint64_t bytes)
{
	if (!swap->ops || swap->loading || device >= PL_SWAP_DEVICES_MAX)
		return false;
	return !outside_claim(swap, PL_SWAP_PRESS, device, bytes);
}
