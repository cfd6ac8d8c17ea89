/* The sending half of a tcp lane. */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "link/tcp/lane.h"

#define SOON_BYTES (16u << 10) /* what PL_LANE_SOON may hold back: two hundred launches */
#define SOON_NS    10000u      /* what comes so soon behind a post is of its burst */

static int send_parts(struct tcp_lane *lane, struct iovec parts[2])
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	while (parts[0].iov_len || parts[1].iov_len) {
		ssize_t n = sendmsg(lane->base.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		pl_count(&lane->base.stats.wakes, 1);
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			int r = pl_tcp_sleep_until(lane, POLLOUT, UINT64_MAX);
			if (r)
				return pl_trace(r);
		}
		if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			return pl_tcp_break_errno(lane, errno);
		for (int i = 0; n > 0 && i < 2; i++) {
			size_t done = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
			parts[i].iov_base = (uint8_t *)parts[i].iov_base + done;
			parts[i].iov_len -= done;
			n -= (ssize_t)done;
		}
	}
	return 0;
}

/* Hands what is held back from `skip` on, then `data`, to the kernel. */
static int send_all(struct tcp_lane *lane, uint32_t skip, const void *data, uint64_t bytes)
{
	struct iovec parts[2] = { { lane->out + skip, lane->out_bytes - skip }, { (void *)(uintptr_t)data, bytes } };
	int r = tcp_broken(lane);

	if (!r)
		r = lane->resume ? pl_resume_send(lane, parts) : send_parts(lane, parts);
	if (r)
		return pl_trace(r);
	lane->out_bytes = 0;
	pl_soon_sent(&lane->soon);
	return 0;
}

/* What is held back.  The usual case is that the socket takes all. */
static int send_records(struct tcp_lane *lane)
{
	long n;

	if (lane->resume)
		return pl_trace(send_all(lane, 0, NULL, 0));
	n = syscall(SYS_sendto, lane->base.fd, lane->out, (size_t)lane->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
		    0); /* send() also deals with the cancellation of threads, a tenth of a post */

	pl_count(&lane->base.stats.wakes, 1);
	if (n != lane->out_bytes)
		return pl_trace(send_all(lane, n < 0 ? 0 : (uint32_t)n, NULL, 0));
	lane->out_bytes = 0;
	if (lane->soon.holds)
		pl_soon_sent(&lane->soon);
	return 0;
}

/* By the thread that looks after lanes. */
bool pl_tcp_soon_send(struct pl_soon *soon)
{
	struct tcp_lane *lane = (struct tcp_lane *)((char *)soon - offsetof(struct tcp_lane, soon));
	ssize_t n;

	if (!soon->holds || tcp_broken(lane))
		return false;
	if (lane->resume && lane->resume->sends)
		return true; /* its thread is at it, and waits */
	n = send(lane->base.fd, lane->out, lane->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	pl_count(&lane->base.stats.wakes, 1);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR && !pl_resume_is_cut(lane)) {
		pl_tcp_break_errno(lane, errno);
		return false;
	}
	if (n < 0 && lane->resume)
		pl_resume_cut(lane);
	if (n <= 0)
		return true; /* the socket is full, or there will be another one: later */
	if (lane->resume)
		pl_resume_keep(lane, (struct iovec[2]){ { lane->out, (size_t)n } });
	lane->out_bytes -= (uint32_t)n;
	memmove(lane->out, lane->out + n, lane->out_bytes);
	if (!lane->out_bytes)
		pl_soon_sent(soon);
	return true;
}

/* Behind others that wait: what it costs to look at the clock is a fifth of a post. */
static inline bool post_joins(const struct tcp_lane *lane)
{
	return lane->soon.holds && lane->bursts && lane->out_bytes < SOON_BYTES;
}

/* A post of a burst waits for the next call, which is expected within 10 us. */
static bool post_waits(struct tcp_lane *lane, bool post)
{
	uint64_t before_ns = lane->commit_ns;

	lane->commit_ns = pl_now_ns();
	if (post && lane->bursts && lane->soon.holds) /* enough for one send, the burst goes on */
		return false;
	if (lane->post_last)
		lane->bursts = lane->commit_ns - before_ns < SOON_NS;
	lane->post_last = post;
	return post && lane->bursts && lane->locked && lane->out_bytes < SOON_BYTES && pl_soon_hold(&lane->soon);
}

static void out_lock(struct tcp_lane *lane)
{
	if ((lane->holds_posts || lane->resume) && !lane->locked) {
		pl_lock(&lane->soon.lock);
		lane->locked = true;
	}
}

static void out_unlock(struct tcp_lane *lane)
{
	if (lane->locked)
		pl_unlock(&lane->soon.lock);
	lane->locked = false;
}

int pl_tcp_reserve(struct pl_lane *base, uint32_t len_bytes, void **room_out)
{
	struct tcp_lane *lane = tcp_lane(base);

	if (len_bytes % PL_WIRE_ALIGN || len_bytes > PL_WIRE_RECORD_MAX)
		return pl_err(-EMSGSIZE);
	if (lane->out_bulk_left)
		return pl_err(-EINVAL); /* the last record's payload was not sent */
	if (tcp_broken(lane))
		return tcp_broken(lane);
	out_lock(lane);
	*room_out = lane->out + lane->out_bytes; /* out_bytes < PL_TCP_HOLD_BYTES here */
	return 0;
}

/* The record's payload comes next, and the record with it. */
static void bulk_announce(struct tcp_lane *lane, struct pl_wire_head *head)
{
	struct pl_wide *wide = head->bulk_bytes >= PL_WIDE_PAYLOAD_MIN ? tcp_wide(lane) : NULL;

	lane->out_bulk_left = head->bulk_bytes;
	lane->out_wide = wide && pl_wide_send_begin(wide, head->bulk_bytes);
	if (lane->out_wide)
		head->flags |= PL_WIRE_WIDE;
}

static int record_commit(struct tcp_lane *lane, uint32_t len_bytes, enum pl_lane_how how)
{
	struct pl_wire_head *head = (struct pl_wire_head *)(lane->out + lane->out_bytes);
	uint64_t bulk_bytes = head->bulk_bytes;
	int r;

	if (len_bytes - sizeof(*head) > PL_WIRE_RECORD_MAX - sizeof(*head) || head->len_bytes != len_bytes ||
	    bulk_bytes > PL_WIRE_BULK_MAX)
		return pl_err(-EINVAL);
	lane->out_bytes += len_bytes;
	pl_count(&lane->base.stats.records_out, 1);
	pl_count(&lane->base.stats.bytes_out, len_bytes);
	if (bulk_bytes) {
		bulk_announce(lane, head);
		return 0;
	}
	if (how == PL_LANE_SOON ? post_joins(lane) : how == PL_LANE_MORE && lane->out_bytes < PL_TCP_HOLD_BYTES)
		return 0;
	if ((how == PL_LANE_SOON || lane->holds_posts) && post_waits(lane, how == PL_LANE_SOON))
		return 0;
	lane->holds_posts |= how == PL_LANE_SOON;
	r = send_records(lane);
	if (!r && how == PL_LANE_NOW)
		pl_lanes_flush(); /* the peer takes this one behind what was sent before it */
	return pl_trace(r);
}

int pl_tcp_commit(struct pl_lane *base, uint32_t len_bytes, enum pl_lane_how how)
{
	struct tcp_lane *lane = tcp_lane(base);
	int r = record_commit(lane, len_bytes, how);

	out_unlock(lane);
	return r;
}

/* The record first, which waits for its payload. */
static int send_wide(struct tcp_lane *lane, const void *data, uint64_t bytes)
{
	int r = lane->out_bytes ? send_all(lane, 0, NULL, 0) : 0;

	if (!r) {
		r = pl_wide_send(tcp_wide(lane), data, bytes);
		r = r ? pl_tcp_break(lane, r) : 0;
	}
	return pl_trace(r);
}

int pl_tcp_send_bulk(struct pl_lane *base, const void *data, uint64_t bytes)
{
	struct tcp_lane *lane = tcp_lane(base);
	uint64_t begin_ns = pl_tcp_tunes(lane, bytes) ? pl_now_ns() : 0;
	int r;

	if (bytes > lane->out_bulk_left)
		return pl_err(-EINVAL);
	out_lock(lane);
	r = lane->out_wide ? send_wide(lane, data, bytes) : send_all(lane, 0, data, bytes);
	out_unlock(lane);
	if (r)
		return pl_trace(r);
	if (begin_ns)
		pl_tcp_tune(lane, &lane->tune_out, bytes, begin_ns);
	lane->out_bulk_left -= bytes;
	lane->out_wide &= lane->out_bulk_left != 0;
	pl_count(&base->stats.bytes_out, bytes);
	return 0;
}
