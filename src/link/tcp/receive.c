/* The receiving half of a tcp lane. */
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/err.h"
#include "link/tcp/lane.h"
#include "link/tcp/socket.h"

/* docs/adr/0011 */
#define WAKE_BYTES_MIN                                                                                                 \
	(64u << 10)               /* a payload's rest below this is waited for as a record is: looking, then asleep    \
				   */
#define WAKE_BYTES_MAX (1u << 20) /* how much of a payload comes before its sleeping receiver is woken */

#define SPIN_NS_MIN    10000u  /* an exchange of two awake threads over loopback takes 8 us */
#define SPIN_PAYS_NS   120000u /* a wait that lasts less, a wake-up included, is worth spinning for next time */
#define TOGETHER_WAITS 16u     /* so often a side that shares its core with the peer looks whether it still does */

static void spin_adapt(struct tcp_lane *lane, bool pays)
{
	uint32_t ns = pays ? lane->spin_ns * 2 : lane->spin_ns / 2;

	lane->spin_ns = ns < SPIN_NS_MIN ? SPIN_NS_MIN : ns > PL_TCP_SPIN_NS_MAX ? PL_TCP_SPIN_NS_MAX : ns;
}

/* One look at the socket.  Return: bytes > 0, 0 = nothing there, fatal. */
static ssize_t receive_now(struct tcp_lane *lane, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	ssize_t n;

	if (lane->resume)
		return pl_resume_receive(lane, parts, count);
	do
		n = count == 1 ? recv(lane->base.fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT)
			       : recvmsg(lane->base.fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n < 0 && errno == EAGAIN)
		return 0;
	return pl_tcp_break_errno(lane, n ? errno : EPIPE);
}

/* Who sleeps is woken when so many bytes are there, or the window is full, or the stream ends. */
static void wake_at(struct tcp_lane *lane, uint64_t bytes)
{
	if (!lane->wake_bytes || (uint64_t)lane->wake_bytes == bytes)
		return;
	lane->wake_bytes = (int)bytes;
	pl_tcp_option_set(lane->base.fd, SOL_SOCKET, SO_RCVLOWAT, lane->wake_bytes);
}

/* The core on which a segment of loopback is received is the one on which it was sent.  Spinning there keeps the peer
 * from sending; where it shares this core for good, nobody sleeps long: the core is given on, no idle one has to wake.
 */
static bool peer_is_here(struct tcp_lane *lane)
{
	socklen_t bytes = sizeof(int);
	int core = -1;

	if (!lane->base.near || (lane->together && ++lane->together_waits % TOGETHER_WAITS))
		return lane->together;
	lane->together = !getsockopt(lane->base.fd, SOL_SOCKET, SO_INCOMING_CPU, &core, &bytes) && core >= 0 &&
			 core == sched_getcpu();
	return lane->together;
}

/* Looks for a while.  Return: bytes > 0, 0 = nothing came, fatal. */
static ssize_t receive_spin(struct tcp_lane *lane, struct iovec *parts, int count, uint64_t begin_ns,
			    uint64_t deadline_ns)
{
	uint64_t end_ns = begin_ns + lane->spin_ns < deadline_ns ? begin_ns + lane->spin_ns : deadline_ns;
	ssize_t n = 0;

	while (!n && !tcp_halted(lane) && pl_now_ns() < end_ns) {
		sched_yield();
		n = receive_now(lane, parts, count);
	}
	if (n > 0) {
		pl_count(&lane->base.stats.spins, 1);
		spin_adapt(lane, true);
	}
	return n;
}

/* Return: bytes > 0, fatal. */
static ssize_t receive_asleep(struct tcp_lane *lane, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };

	atomic_fetch_add_explicit(&lane->base.stats.sleeps, 1, memory_order_relaxed);
	for (;;) {
		ssize_t n = recvmsg(lane->base.fd, &message, 0); /* with SO_RCVTIMEO */

		if (n > 0)
			return n;
		if (tcp_broken(lane))
			return tcp_broken(lane);
		if (!n || (errno != EAGAIN && errno != EINTR))
			return pl_tcp_break_errno(lane, n ? errno : EPIPE);
		if (errno == EAGAIN && pl_tcp_is_cut(lane->base.fd))
			return pl_tcp_break_errno(lane, ETIMEDOUT);
	}
}

/* As long as a record may take.  Return: bytes > 0, PL_LANE_E_TIMEOUT or _HALTED with *none_out, fatal. */
static ssize_t receive_until(struct tcp_lane *lane, struct iovec *parts, int count, uint64_t deadline_ns,
			     bool *none_out)
{
	ssize_t n = 0;
	int r;

	if (deadline_ns == UINT64_MAX && !lane->resume)
		return receive_asleep(lane, parts, count);
	while (!n) {
		r = pl_tcp_sleep_until(lane, POLLIN, deadline_ns);
		*none_out = r > 0;
		if (r)
			return r;
		n = receive_now(lane, parts, count);
	}
	return n;
}

/* Bytes into `parts`: looks, spins, sleeps.  Return: 0 and *bytes_out > 0, PL_LANE_E_TIMEOUT, _HALTED, fatal. */
static int receive(struct tcp_lane *lane, struct iovec *parts, int count, uint64_t deadline_ns, size_t *bytes_out)
{
	bool together = false, none = false;
	uint64_t begin_ns;
	ssize_t n = 0;

	if (tcp_broken(lane))
		return tcp_broken(lane);
	if (!lane->together || deadline_ns != UINT64_MAX || lane->resume) /* not all lies in the socket */
		n = receive_now(lane, parts, count);
	if (!n && !deadline_ns)
		return PL_LANE_E_TIMEOUT;
	if (!n) {
		together = peer_is_here(lane);
		begin_ns = together ? 0 : pl_now_ns();
		if (!together)
			n = receive_spin(lane, parts, count, begin_ns, deadline_ns);
		if (!n) {
			n = receive_until(lane, parts, count, deadline_ns, &none);
			if (!together)
				spin_adapt(lane, !none && pl_now_ns() - begin_ns < SPIN_PAYS_NS);
		}
	}
	if (none || n < 0)
		return pl_trace((int)n);
	*bytes_out = (size_t)n;
	return 0;
}

/* At least need_bytes in `in`, from in_begin, which is aligned. */
static int fill(struct tcp_lane *lane, uint32_t need_bytes, uint64_t deadline_ns)
{
	uint32_t have = lane->in_end - lane->in_begin;

	if (!have) {
		lane->in_begin = lane->in_end = 0;
	} else if (lane->in_begin % PL_WIRE_ALIGN || lane->in_begin + need_bytes > PL_TCP_IN_BYTES) {
		memmove(lane->in, lane->in + lane->in_begin, have); /* after a payload of odd size, or at the end */
		lane->in_begin = 0;
		lane->in_end = have;
	}
	while (lane->in_end - lane->in_begin < need_bytes) {
		uint32_t missing = need_bytes - (lane->in_end - lane->in_begin), room = PL_TCP_IN_BYTES - lane->in_end;
		uint32_t want = missing > PL_TCP_AHEAD_BYTES ? missing : PL_TCP_AHEAD_BYTES;
		struct iovec part = { lane->in + lane->in_end, want < room ? want : room };
		size_t got;
		int r = receive(lane, &part, 1, deadline_ns, &got);

		if (r)
			return pl_trace(r);
		lane->in_end += (uint32_t)got;
	}
	return 0;
}

/* A record's payload comes over several connections: whoever takes the record need not know. */
static int wide_expect(struct tcp_lane *lane, struct pl_wire_head *head)
{
	struct pl_wide *wide = tcp_wide(lane);

	if (!wide || !head->bulk_bytes)
		return pl_tcp_break(lane, -EPROTO);
	pl_wide_recv_begin(wide, head->bulk_bytes);
	head->flags &= (uint16_t)~PL_WIRE_WIDE;
	lane->in_wide = true;
	return 0;
}

int pl_tcp_recv(struct pl_lane *base, uint64_t timeout_ns, const struct pl_wire_head **head_out)
{
	struct tcp_lane *lane = tcp_lane(base);
	uint64_t now = timeout_ns && timeout_ns != UINT64_MAX ? pl_now_ns() : 0;
	uint64_t deadline_ns = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
	struct pl_wire_head *head;
	int r;

	if (tcp_broken(lane))
		return tcp_broken(lane);
	if (lane->in_bulk_left)
		return pl_err(-EINVAL); /* the last record's payload was not taken */
	if (tcp_halted(lane))
		return PL_LANE_E_HALTED;
	lane->in_last = 0;
	r = fill(lane, sizeof(*head), deadline_ns);
	if (r)
		return pl_trace(r);
	head = (struct pl_wire_head *)(lane->in + lane->in_begin);
	if (head->len_bytes < sizeof(*head) || head->len_bytes % PL_WIRE_ALIGN ||
	    head->len_bytes > PL_WIRE_RECORD_MAX || head->bulk_bytes > PL_WIRE_BULK_MAX)
		return pl_tcp_break(lane, -EPROTO);
	r = fill(lane, head->len_bytes, deadline_ns);
	if (r)
		return pl_trace(r);
	head = (struct pl_wire_head *)(lane->in + lane->in_begin);
	lane->in_wide = false;
	if (head->flags & PL_WIRE_WIDE && (r = wide_expect(lane, head)))
		return pl_trace(r);
	lane->in_begin += head->len_bytes;
	lane->in_last = head->len_bytes;
	lane->in_bulk_left = head->bulk_bytes;
	pl_count(&base->stats.records_in, 1);
	pl_count(&base->stats.bytes_in, head->len_bytes);
	*head_out = head;
	return 0;
}

/* The long part of a payload.  Nothing is looked for in between: while the receiver sleeps the sender is not disturbed,
 * and neither has to be woken for each segment.  Half of what is left, so that the rest is still under way then. */
static int receive_long(struct tcp_lane *lane, uint8_t *at, uint64_t bytes, size_t *bytes_out)
{
	struct iovec part = { at, bytes };
	ssize_t n;
	int r;

	if (tcp_broken(lane))
		return tcp_broken(lane);
	while (!(n = receive_now(lane, &part, 1))) {
		wake_at(lane, bytes / 2 < WAKE_BYTES_MAX ? bytes / 2 : WAKE_BYTES_MAX);
		r = pl_tcp_sleep_until(lane, POLLIN, UINT64_MAX);
		if (r)
			return pl_trace(r);
	}
	if (n < 0)
		return (int)n;
	*bytes_out = (size_t)n;
	return 0;
}

static int receive_wide(struct tcp_lane *lane, void *data, uint64_t bytes)
{
	int r = pl_wide_recv(tcp_wide(lane), data, bytes);

	return r ? pl_tcp_break(lane, r) : 0;
}

static int receive_narrow(struct tcp_lane *lane, uint8_t *at, uint64_t bytes)
{
	uint64_t left = bytes, buffered = lane->in_end - lane->in_begin;

	if (buffered > left)
		buffered = left;
	if (buffered)
		memcpy(at, lane->in + lane->in_begin, buffered);
	lane->in_begin += (uint32_t)buffered;
	at += buffered;
	left -= buffered;
	while (left) { /* nothing is buffered; what follows the payload is read ahead, behind the record at hand */
		uint32_t ahead = (lane->in_end + PL_WIRE_ALIGN - 1) / PL_WIRE_ALIGN * PL_WIRE_ALIGN;
		uint32_t room = bytes < lane->in_bulk_left ? 0 : PL_TCP_IN_BYTES - ahead;
		struct iovec parts[2] = { { at, left },
					  { lane->in + ahead, room < PL_TCP_AHEAD_BYTES ? room : PL_TCP_AHEAD_BYTES } };
		size_t got;
		int r;

		if (left >= WAKE_BYTES_MIN && lane->wake_bytes) {
			r = receive_long(lane, at, left, &got);
		} else {
			wake_at(lane, 1);
			r = receive(lane, parts, room ? 2 : 1, UINT64_MAX, &got);
		}
		if (r)
			return pl_trace(r);
		if (got > left) {
			lane->in_begin = ahead;
			lane->in_end = ahead + (uint32_t)(got - left);
			got = left;
		}
		at += got;
		left -= got;
	}
	wake_at(lane, 1);
	return 0;
}

int pl_tcp_recv_bulk(struct pl_lane *base, void *data, uint64_t bytes)
{
	struct tcp_lane *lane = tcp_lane(base);
	uint64_t begin_ns = pl_tcp_tunes(lane, bytes) ? pl_now_ns() : 0;
	int r;

	if (bytes > lane->in_bulk_left)
		return pl_err(-EINVAL);
	if (tcp_broken(lane))
		return tcp_broken(lane);
	if (bytes)
		lane->in_last = 0;
	r = lane->in_wide ? receive_wide(lane, data, bytes) : receive_narrow(lane, data, bytes);
	if (r)
		return pl_trace(r);
	if (begin_ns)
		pl_tcp_tune(lane, &lane->tune_in, bytes, begin_ns);
	lane->in_bulk_left -= bytes;
	pl_count(&base->stats.bytes_in, bytes);
	return 0;
}
