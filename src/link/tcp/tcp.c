#include "link/tcp/tcp.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "link/tcp/lane.h"
#include "link/tcp/socket.h"
#include "link/tcp/still.h"

#define WATCH_NS (PL_TCP_WATCH_S * 1000000000ull)

static void lane_close(struct tcp_lane *lane)
{
	struct pl_wide *wide = tcp_wide(lane);

	shutdown(lane->base.fd, SHUT_RDWR);
	if (wide)
		pl_wide_shutdown(wide);
	if (lane->resume)
		pl_resume_wake(lane->resume);
}

int pl_tcp_break(struct tcp_lane *lane, int code)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&lane->broken, &none, code))
		return none;
	lane_close(lane);
	return pl_err(code);
}

int pl_tcp_break_errno(struct tcp_lane *lane, int error)
{
	if (!tcp_broken(lane))
		pl_log_debug("connection ends: %s", strerrordesc_np(error));
	return pl_tcp_break(lane, -EPIPE);
}

/* Whoever is about to sleep for bytes may have looked before the connection was another one, and these lie elsewhere.
 * Return: as ppoll(). */
static int sleep_once(struct tcp_lane *lane, short events, uint64_t ns, short *found_out)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
	struct pollfd fds[2] = {
		{ .fd = lane->base.fd, .events = events | POLLRDHUP },
		{ .fd = lane->resume && events == POLLIN ? lane->resume->swapped_fd : -1, .events = POLLIN },
	};
	int n = ppoll(fds, 2, &t, NULL);
	eventfd_t swaps;

	if (n > 0 && fds[1].revents)
		eventfd_read(fds[1].fd, &swaps);
	*found_out = fds[0].revents;
	return n;
}

/* Nothing has come for long, or there is no room.  Return: as pl_tcp_sleep_until(), 0: go on waiting. */
static int watch(struct tcp_lane *lane, short events, uint32_t turn)
{
	bool cut = pl_tcp_is_cut(lane->base.fd);

	if (lane->resume && !tcp_is_wide(lane) && (cut || lane->resume->cut))
		return events == POLLOUT ? PL_TCP_E_CUT : pl_resume_wait(lane, turn, false);
	return cut ? pl_tcp_break_errno(lane, ETIMEDOUT) : 0;
}

int pl_tcp_sleep_until(struct tcp_lane *lane, short events, uint64_t deadline_ns)
{
	atomic_fetch_add_explicit(&lane->base.stats.sleeps, 1, memory_order_relaxed); /* both threads come here */
	for (;;) {
		uint32_t turn = lane->resume ? lane->resume->turn : 0;
		uint64_t now = pl_now_ns(), ns = WATCH_NS;
		short found;
		int n, r;

		if (events == POLLIN && tcp_halted(lane))
			return PL_LANE_E_HALTED;
		if (now >= deadline_ns)
			return PL_LANE_E_TIMEOUT;
		if (ns > deadline_ns - now)
			ns = deadline_ns - now;
		n = sleep_once(lane, events, ns, &found);
		if (tcp_broken(lane))
			return tcp_broken(lane);
		if (n > 0 && events == POLLOUT && (found & (POLLRDHUP | POLLERR | POLLHUP)))
			return pl_resume_is_cut(lane) ? PL_TCP_E_CUT : pl_tcp_break_errno(lane, EPIPE);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return pl_tcp_break_errno(lane, errno);
		r = n ? 0 : watch(lane, events, turn);
		if (r)
			return pl_trace(r);
	}
}

/* Loopback has never been faster by them (docs/adr/0011); and where connections are cut, to outlive that is worth more
 * (docs/adr/0032). */
bool pl_tcp_tunes(const struct tcp_lane *lane, uint64_t bytes)
{
	return lane->base.widens == PL_LANE_WIDENS && !lane->base.near && bytes >= PL_WIDE_PAYLOAD_MIN / 2 &&
	       !(lane->resume && lane->resume->turn);
}

void pl_tcp_tune(struct tcp_lane *lane, struct pl_tune *tune, uint64_t bytes, uint64_t begin_ns)
{
	struct pl_lane *base = &lane->base;
	bool out = tune == &lane->tune_out;
	uint64_t now = pl_now_ns();
	uint32_t uses = base->connections ? base->connections : 1, wanted;

	if (lane->resume && lane->resume->turn)
		return; /* meanwhile it was cut */

	if (out && lane->out_uses && lane->out_uses < uses)
		uses = lane->out_uses;
	wanted = pl_tune_add(tune, uses, bytes, now - begin_ns, now);
	if (wanted > base->connections_wanted)
		base->connections_wanted = wanted;
	if (!out || wanted == lane->out_uses) /* how many it sends over is the peer's affair */
		return;
	lane->out_uses = wanted;
	if (tcp_wide(lane))
		pl_wide_send_over(tcp_wide(lane), wanted);
}

/* ---- life ---- */

static void lane_shutdown(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);
	int none = 0;

	if (atomic_compare_exchange_strong(&lane->broken, &none, -EPIPE))
		lane_close(lane);
}

static int lane_more(struct pl_lane *base, int fd, bool opens)
{
	struct tcp_lane *lane = tcp_lane(base);
	struct pl_wide *wide = tcp_wide(lane);
	int r;

	if (!wide) {
		wide = pl_wide_create();
		if (!wide) {
			close(fd);
			return pl_err(-ENOMEM);
		}
		atomic_store_explicit(&lane->wide, wide, memory_order_release);
	}
	r = pl_wide_add(wide, fd, opens);
	if (!r && tcp_broken(lane))
		pl_wide_shutdown(wide);
	if (!r && opens)
		base->connections = pl_wide_count(wide);
	return pl_trace(r);
}

static bool lane_resumable(struct pl_lane *base, void (*cut_fn)(void *arg), void *arg, bool near_too)
{
	struct tcp_lane *lane = tcp_lane(base);

	if ((!base->near || near_too) && lane->wake_bytes && !lane->resume)
		lane->resume = pl_resume_create(cut_fn, arg);
	base->resumes = lane->resume;
	base->swapped_fd = lane->resume ? lane->resume->swapped_fd : -1;
	return base->resumes;
}

static bool lane_is_cut(struct pl_lane *base)
{
	return pl_resume_is_cut(tcp_lane(base));
}

static int lane_resume(struct pl_lane *base, int fd, const struct pl_hello_reply *reply, uint64_t peer_has)
{
	return pl_trace(pl_resume_run(tcp_lane(base), fd, reply, peer_has));
}

static void lane_leave(struct pl_lane *base)
{
	struct pl_wide *wide = tcp_wide(tcp_lane(base));

	close(base->fd);
	if (wide)
		pl_wide_leave(wide);
}

static void lane_destroy(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);

	pl_soon_remove(&lane->soon);
	close(base->fd);
	pl_wide_destroy(tcp_wide(lane));
	pl_resume_destroy(lane->resume);
	free(lane->out);
	free(lane->in);
	free(lane);
}

static const struct pl_lane_ops tcp_ops = {
	.name = "tcp",
	.reserve = pl_tcp_reserve,
	.commit = pl_tcp_commit,
	.send_bulk = pl_tcp_send_bulk,
	.recv = pl_tcp_recv,
	.recv_bulk = pl_tcp_recv_bulk,
	.shutdown = lane_shutdown,
	.destroy = lane_destroy,
	.more = lane_more,
	.leave = lane_leave,
	.resumable = lane_resumable,
	.is_cut = lane_is_cut,
	.resume = lane_resume,
	.still = &pl_tcp_still_ops,
};

int pl_tcp_lane_create(int fd, struct pl_lane **lane_out)
{
	struct tcp_lane *lane = aligned_alloc(_Alignof(struct tcp_lane), sizeof(*lane));

	if (lane)
		*lane = (struct tcp_lane){ .base = { .ops = &tcp_ops, .fd = fd },
					   .out = malloc(PL_TCP_OUT_BYTES),
					   .in = malloc(PL_TCP_IN_BYTES),
					   .soon = { .send = pl_tcp_soon_send },
					   .spin_ns = PL_TCP_SPIN_NS_MAX };
	if (!lane || !lane->out || !lane->in) {
		if (lane)
			lane_destroy(&lane->base);
		else
			close(fd);
		return pl_err(-ENOMEM);
	}
	lane->wake_bytes = pl_tcp_is_tcp(fd);
	lane->base.can_widen = lane->wake_bytes;
	lane->base.near = lane->wake_bytes && pl_tcp_is_near(fd);
	pl_tcp_socket_prepare(fd, lane->base.near);
	*lane_out = &lane->base;
	return 0;
}
