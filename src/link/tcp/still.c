#include "link/tcp/still.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/tcp/lane.h"
#include "link/tcp/tcp.h"

/* What has gone over more than its own connection is not counted; and where there are more the peer may use them. */
static bool can_stand(struct tcp_lane *lane)
{
	return lane->resume && !tcp_wide(lane);
}

static void halted_set(struct pl_resume *resume, bool halted)
{
	pthread_mutex_lock(&resume->lock);
	atomic_store(&resume->halted, halted);
	pthread_cond_broadcast(&resume->back);
	pthread_mutex_unlock(&resume->lock);
	eventfd_write(resume->swapped_fd, 1); /* who sleeps looks again, at the flag and at what is left */
}

static int lane_halt(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);

	if (!can_stand(lane))
		return -EOPNOTSUPP;
	halted_set(lane->resume, true);
	return 0;
}

/* ---- the peer parts ---- */

/* The client's end.  Whoever is in the middle of sending finds out, and goes on over the next connection. */
static void lane_part(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);
	struct pl_resume *resume = lane->resume;

	if (!resume || pl_resume_is_cut(lane))
		return;
	pthread_mutex_lock(&resume->lock);
	resume->cut = true;
	shutdown(base->fd, SHUT_WR);
	pthread_mutex_unlock(&resume->lock);
	if (resume->cut_fn)
		resume->cut_fn(resume->cut_arg);
}

static void lane_peer_parts(struct pl_lane *base)
{
	struct pl_resume *resume = tcp_lane(base)->resume;

	if (!resume)
		return;
	pthread_mutex_lock(&resume->lock);
	resume->peer_parts = true;
	pthread_mutex_unlock(&resume->lock);
}

/* Called with the locks of both halves held: all that the peer has sent, which it ends.  Return: 0; fatal -ETIMEDOUT:
 * it does not; -ENOMEM. */
static int drain(struct tcp_lane *lane)
{
	uint64_t end_ns = pl_now_ns() + PL_STILL_NS_MAX;
	struct pollfd news = { .fd = lane->base.fd, .events = POLLIN | POLLRDHUP };
	int r = 0;

	while (!r) {
		uint64_t now_ns = pl_now_ns();
		char byte;
		ssize_t n;

		r = pl_resume_left_fill(lane);
		n = r ? 0 : recv(lane->base.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			break; /* it has ended, or was cut meanwhile */
		if (n > 0)
			continue;
		if (now_ns >= end_ns)
			r = -ETIMEDOUT;
		else
			(void)poll(&news, 1, (int)((end_ns - now_ns) / 1000000u) + 1);
	}
	return r;
}

/* ---- the state ---- */

/* The last record, if it counts, and what was read ahead lie together; what the socket had comes behind them. */
static int unread_copy(struct tcp_lane *lane, bool again, struct pl_lane_state *state)
{
	struct pl_resume *resume = lane->resume;
	uint32_t begin = lane->in_begin - (again ? lane->in_last : 0), in_bytes = lane->in_end - begin;
	size_t left_bytes = resume->left_end - resume->left_at;
	uint8_t *unread;

	if (in_bytes + left_bytes > PL_RESUME_LEFT_MAX)
		return pl_err(-ENOMEM);
	unread = malloc(in_bytes + left_bytes + 1); /* of nothing, too */
	if (!unread)
		return pl_err(-ENOMEM);
	memcpy(unread, lane->in + begin, in_bytes);
	if (left_bytes)
		memcpy(unread + in_bytes, resume->left + resume->left_at, left_bytes);
	state->unread = unread;
	state->unread_bytes = in_bytes + left_bytes;
	return 0;
}

static int state_copy(struct tcp_lane *lane, bool again, struct pl_lane_state *state)
{
	struct pl_resume *resume = lane->resume;

	state->received = resume->received;
	state->kept_from = resume->kept_from;
	state->sent =
		resume->sent + lane->out_bytes; /* nobody need wait for room: the peer gets it from what is kept */
	if (state->sent - state->kept_from > PL_RESUME_KEPT_MAX)
		return pl_err(-ENOMEM);
	state->kept = pl_resume_kept(resume, lane->out, lane->out_bytes);
	if (!state->kept)
		return pl_err(-ENOMEM);
	return pl_trace(unread_copy(lane, again, state));
}

/* Called with the locks of both halves held. */
static int stand(struct tcp_lane *lane, bool again, struct pl_lane_state *state)
{
	struct pl_resume *resume = lane->resume;
	int r = 0;

	if (!atomic_load(&resume->halted) || resume->still || resume->sends || lane->out_bulk_left ||
	    (again ? !lane->in_last : lane->in_bulk_left != 0))
		return pl_err(-EINVAL);
	if (!resume->peer_parts)
		return pl_err(-EINVAL);
	r = pl_resume_is_cut(lane) ? pl_resume_left_fill(lane) : drain(lane);
	if (!r && !can_stand(lane))
		r = pl_err(-EOPNOTSUPP);
	if (!r)
		r = state_copy(lane, again, state);
	return pl_trace(r);
}

static void state_finip(struct pl_lane_state *state)
{
	pl_lane_state_fini(state);
}

static int lane_still(struct pl_lane *base, bool again, struct pl_lane_state *state_out)
{
	pl_cleanup(state_finip) struct pl_lane_state state = { 0 };
	struct tcp_lane *lane = tcp_lane(base);
	int r;

	if (!can_stand(lane))
		return -EOPNOTSUPP;
	pl_lock(&lane->soon.lock);
	pl_lock(&lane->resume->in);
	r = tcp_broken(lane) ? pl_err(-EPIPE) : stand(lane, again, &state);
	if (!r)
		atomic_store(&lane->resume->still, true);
	pl_unlock(&lane->resume->in);
	pl_unlock(&lane->soon.lock);
	if (r)
		return pl_trace(r);
	*state_out = state;
	state = (struct pl_lane_state){ 0 };
	return 0;
}

/* ---- after it ---- */

static void lane_go(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);

	if (!lane->resume)
		return;
	pl_lock(&lane->soon.lock);
	pl_lock(&lane->resume->in);
	atomic_store(&lane->resume->still, false);
	pl_unlock(&lane->resume->in);
	pl_unlock(&lane->soon.lock);
	halted_set(lane->resume, false);
}

const struct pl_still_ops pl_tcp_still_ops = {
	.halt = lane_halt,
	.go = lane_go,
	.still = lane_still,
	.part = lane_part,
	.peer_parts = lane_peer_parts,
};

/* ---- a lane of a state ---- */

static bool is_state(const struct pl_lane_state *state)
{
	return state->kept_from <= state->sent && state->sent - state->kept_from <= PL_RESUME_KEPT_MAX &&
	       state->unread_bytes <= state->received && state->unread_bytes <= PL_RESUME_LEFT_MAX &&
	       (state->unread || !state->unread_bytes) && (state->kept || state->sent == state->kept_from);
}

static void lane_destroyp(struct pl_lane **lane)
{
	pl_lane_destroy(*lane);
}

int pl_tcp_lane_restore(const struct pl_lane_state *state, struct pl_lane **lane_out)
{
	pl_cleanup(lane_destroyp) struct pl_lane *lane = NULL;
	int fd, r;

	if (!is_state(state))
		return pl_err(-EINVAL);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* in its place; a worker may make no other kind */
	if (fd < 0)
		return pl_err(-errno);
	r = pl_tcp_lane_create(fd, &lane);
	if (r)
		return pl_trace(r);
	tcp_lane(lane)->wake_bytes = 1; /* as that of a fresh connection, which it will have */
	lane->can_widen = true;
	if (!pl_lane_resumable(lane, NULL, NULL, true))
		return pl_err(-ENOMEM);
	r = pl_resume_load(tcp_lane(lane)->resume, state);
	if (r)
		return pl_trace(r);
	*lane_out = pl_steal(lane);
	return 0;
}
