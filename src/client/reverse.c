/* The reverse lane: what the server sends by itself, taken by whoever waits for it and by a thread of its own. */
#include "client/session-parts.h"

#include <poll.h>
#include <sys/eventfd.h>

#include "base/err.h"
#include "base/threads.h"
#include "client/agree.h"
#include "link/still.h"
#include "link/widen.h"

#define PUMP_SLICE_NS (100u * 1000000u) /* how often a wait for the reverse lane looks whether the session is dead */

/* Called with pump_lock held: no payload is on its way to somebody else. */
static void reverse_widen(struct pl_session *session)
{
	struct pl_lane *lane = session->reverse;

	if (pl_lane_wants(lane) && !atomic_load(&session->dead))
		pl_client_lane_widen(session, lane, PL_HELLO_PLACE_REVERSE);
}

/* Called with pump_lock held.  As if the network had cut them all, but that nothing is lost on the way.  A request that
 * is read late may find connections that the server has accepted since: to it their end would be the session's. */
static void connections_part(struct pl_session *session)
{
	if (atomic_load(&session->reverse_seen) < atomic_load(&session->parted))
		return;
	pl_log_debug("%s asks for a pause", session->address);
	for (struct pl_client_lane *lane = session->lanes_all; lane; lane = lane->next_all)
		pl_lane_part(lane->lane);
	pl_lane_part(session->reverse);
}

static void reverse_handle(struct pl_session *session, const struct pl_wire_head *head)
{
	struct pl_dec dec = {
		.at = (const uint8_t *)(head + 1),
		.end = (const uint8_t *)head + head->len_bytes,
		.arena = session->arena.base,
		.arena_bytes = session->arena.bytes,
		.after_bytes = head->bulk_bytes,
	};
	struct pl_wire_head ours = *head;

	if (__builtin_expect(session->agreement != NULL, 0) && head->op != PL_WIRE_OP_PART) {
		ours.op = pl_session_reverse_op(session, head->op);
		head = &ours;
	}
	(void)atomic_load_explicit(&session->ticket, memory_order_acquire);
	if (head->op == PL_WIRE_OP_PART)
		connections_part(session);
	else
		session->reverse_fn(session, head, &dec);
	/* A record whose payload broke off has not been handled: no reply that needs it may count as complete. */
	if (!atomic_load(&session->dead))
		atomic_fetch_add_explicit(&session->reverse_seen, 1, memory_order_release);
	if (ours.bulk_bytes)
		reverse_widen(session);
}

/* Takes all that is there; waits up to timeout_ns for the first.  Called with pump_lock held. */
static int reverse_drain(struct pl_session *session, uint64_t timeout_ns)
{
	const struct pl_wire_head *head;
	int r;

	while (!(r = pl_lane_recv(session->reverse, timeout_ns, &head))) {
		reverse_handle(session, head);
		timeout_ns = 0;
	}
	return r == PL_LANE_E_TIMEOUT ? 0 : r;
}

/* Called with pump_lock held, which it gives up. */
static void pump_locked(struct pl_session *session)
{
	int r = session->dead ? 0 : reverse_drain(session, 0);

	pthread_mutex_unlock(&session->pump_lock);
	if (r)
		pl_session_dies(session, r);
}

void pl_session_pump(struct pl_session *session)
{
	pl_lanes_flush();
	if (!session->dead && !pthread_mutex_trylock(&session->pump_lock))
		pump_locked(session);
}

void pl_session_pump_whole(struct pl_session *session)
{
	pthread_mutex_lock(&session->pump_lock);
	pump_locked(session);
}

int pl_session_pump_until(struct pl_session *session, uint64_t after)
{
	int r = 0;

	while (!r && atomic_load_explicit(&session->reverse_seen, memory_order_acquire) < after) {
		if (session->dead)
			return -EPIPE;
		pthread_mutex_lock(&session->pump_lock);
		if (atomic_load(&session->reverse_seen) < after)
			r = reverse_drain(session, PUMP_SLICE_NS);
		pthread_mutex_unlock(&session->pump_lock);
	}
	return r ? pl_session_dies(session, r) : 0;
}

int pl_session_reverse_bulk(struct pl_session *session, void *data, uint64_t bytes)
{
	int r = pl_lane_recv_bulk(session->reverse, data, bytes);

	return r ? pl_session_dies(session, r) : 0;
}

void *pl_session_receiver_run(void *arg)
{
	struct pl_session *session = arg;
	struct pl_lane *lane = session->reverse;
	struct pollfd fds[2] = { { .fd = lane->fd, .events = POLLIN | POLLRDHUP },
				 { .fd = lane->resumes ? lane->swapped_fd : -1, .events = POLLIN } };
	eventfd_t swaps;
	int r = 0;

	pthread_setname_np(pthread_self(), "plenum-receiver");
	while (!r && !session->dead) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			r = pl_err(-errno);
		if (!r && fds[1].revents)
			eventfd_read(lane->swapped_fd, &swaps);
		pthread_mutex_lock(&session->pump_lock);
		if (!r)
			r = reverse_drain(session, 0);
		pthread_mutex_unlock(&session->pump_lock);
	}
	pl_session_dies(session, r ? r : -EPIPE);
	session->reverse_fn(session, NULL, NULL);
	atomic_fetch_sub(&pl_threads_own, 1);
	return NULL;
}
