#include "link/tcp/still.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/tcp/lane.h"
#include "link/tcp/tcp.h"

#define SETTLE_NS 5000000 /* where the system can not tell */

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

/* ---- nothing is acknowledged ---- */

/* Segments that passed the filter's place before it was there have come to the socket when this returns: they are dealt
 * with by readers of RCU, for which the system waits. */
static void settle(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&(struct timespec){ .tv_nsec = SETTLE_NS }, NULL);
}

/* The system drops what comes before it is acknowledged, so that the peer's sends it again until it is heard. */
static int deafen(struct tcp_lane *lane)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &none };

	if (setsockopt(lane->base.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return pl_err(-errno);
	lane->resume->deaf = true;
	settle();
	return 0;
}

static void hear(struct tcp_lane *lane)
{
	int none = 0;

	if (lane->resume->deaf)
		setsockopt(lane->base.fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
	lane->resume->deaf = false;
}

static bool is_closed(struct tcp_lane *lane)
{
	char byte;

	return !recv(lane->base.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) && !pl_resume_is_cut(lane);
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
	if (!pl_resume_is_cut(lane))
		r = deafen(lane);
	if (!r)
		r = pl_resume_left_fill(lane);
	if (!r && !can_stand(lane))
		r = pl_err(-EOPNOTSUPP);
	if (!r && is_closed(lane))
		r = pl_err(-EPIPE);
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
	if (r)
		hear(lane);
	else
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
	hear(lane);
	atomic_store(&lane->resume->still, false);
	pl_unlock(&lane->resume->in);
	pl_unlock(&lane->soon.lock);
	halted_set(lane->resume, false);
}

/* The socket goes with its last descriptor, whose number stays taken until the lane is destroyed.  It is deaf until
 * then: nothing is acknowledged that would be lost. */
static void lane_reset(struct pl_lane *base)
{
	struct linger now = { .l_onoff = 1 };
	struct tcp_lane *lane = tcp_lane(base);
	struct pl_resume *resume = lane->resume;
	int none = 0;

	if (!resume)
		return;
	pl_lock(&lane->soon.lock);
	pl_lock(&resume->in);
	atomic_compare_exchange_strong(&lane->broken, &none, -EPIPE);
	setsockopt(base->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (dup3(resume->swapped_fd, base->fd, O_CLOEXEC) < 0)
		pl_log_warn("a connection can not be reset: %s", strerrordesc_np(errno));
	pl_unlock(&resume->in);
	pl_unlock(&lane->soon.lock);
	pl_resume_wake(resume);
	eventfd_write(resume->swapped_fd, 1);
}

const struct pl_still_ops pl_tcp_still_ops = {
	.halt = lane_halt,
	.go = lane_go,
	.still = lane_still,
	.reset = lane_reset,
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
