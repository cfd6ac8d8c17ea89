#include "link/tcp/tcp.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/tcp/socket.h"
#include "link/tcp/soon.h"

#define HOLD_BYTES  (64u << 10) /* what PL_LANE_MORE may hold back */
#define OUT_BYTES   (HOLD_BYTES + PL_WIRE_RECORD_MAX)
#define SOON_BYTES  (16u << 10) /* and PL_LANE_SOON: two hundred launches */
#define SOON_NS     10000u      /* what comes so soon behind a post is of its burst */
#define AHEAD_BYTES (32u << 10) /* read ahead at most so much: payload in it is copied twice */
#define IN_BYTES    (PL_WIRE_RECORD_MAX + AHEAD_BYTES)

/* docs/adr/0008 */
#define WAKE_BYTES_MIN                                                                                                 \
	(64u << 10)                  /* a payload's rest below this is waited for as a record is: looking, then asleep \
				      */
#define WAKE_BYTES_MAX  (1u << 20)   /* how much of a payload comes before its sleeping receiver is woken */
#define NEAR_SEND_BYTES (512u << 10) /* SO_SNDBUF to a peer on this host: what is under way stays in a core's cache */

#define SPIN_NS_MIN     10000u /* an exchange of two awake threads over loopback takes 8 us */
#define SPIN_NS_MAX     PL_SPIN_NS_MAX
#define SPIN_PAYS_NS    120000u /* a wait that lasts less, a wake-up included, is worth spinning for next time */
#define TOGETHER_WAITS  16u     /* so often a side that shares its core with the peer looks whether it still does */
#define WATCH_NS        (PL_TCP_WATCH_S * 1000000000ull)

struct tcp_lane {
	struct pl_lane base;
	_Atomic int broken; /* 0, or why the lane is over: -errno */

	_Alignas(64) uint8_t *out; /* the sending thread's */
	uint32_t out_bytes;        /* committed, held back */
	uint64_t out_bulk_left;    /* payload that the last record still owes */
	struct pl_soon soon;       /* its lock is for the three above, once posts may be held back */
	bool holds_posts, locked;  /* some were committed as PL_LANE_SOON; the sending thread has the lock */
	bool bursts;               /* what followed the last post came soon */
	bool post_last;
	uint64_t commit_ns;

	_Alignas(64) uint8_t *in; /* the receiving thread's */
	uint32_t in_begin, in_end;
	uint64_t in_bulk_left;
	uint32_t spin_ns;
	int wake_bytes; /* SO_RCVLOWAT as it is; 0 = no TCP socket: it stays as it is */
	bool near;      /* the peer is on this host */
	bool together;  /* it ran on this thread's core when it sent last, or seemed to */
	uint32_t together_waits;
};

static struct tcp_lane *tcp_lane(struct pl_lane *base)
{
	return (struct tcp_lane *)base;
}

static int broken(struct tcp_lane *lane)
{
	return atomic_load_explicit(&lane->broken, memory_order_relaxed);
}

/* The first reason stays. */
static int break_lane(struct tcp_lane *lane, int code)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&lane->broken, &none, code))
		return none;
	shutdown(lane->base.fd, SHUT_RDWR);
	return pl_err(code);
}

/* After a failed call on the socket: whatever the network's reason is, the peer is gone. */
static int break_errno(struct tcp_lane *lane, int error)
{
	if (!broken(lane))
		pl_log_debug("connection ends: %s", strerrordesc_np(error));
	return break_lane(lane, -EPIPE);
}

/* Sleeps until the socket has `events`, its end has come, or the deadline.  Return: 0, PL_LANE_E_TIMEOUT, fatal. */
static int sleep_until(struct tcp_lane *lane, short events, uint64_t deadline_ns)
{
	atomic_fetch_add_explicit(&lane->base.stats.sleeps, 1, memory_order_relaxed); /* both threads come here */
	for (;;) {
		struct pollfd poll_fd = { .fd = lane->base.fd, .events = events | POLLRDHUP };
		uint64_t now = pl_now_ns(), ns = WATCH_NS;
		struct timespec t;
		int n;

		if (now >= deadline_ns)
			return PL_LANE_E_TIMEOUT;
		if (ns > deadline_ns - now)
			ns = deadline_ns - now;
		t = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
		n = ppoll(&poll_fd, 1, &t, NULL);
		if (broken(lane))
			return broken(lane);
		if (n > 0 && events == POLLOUT && (poll_fd.revents & (POLLRDHUP | POLLERR | POLLHUP)))
			return break_errno(lane, EPIPE);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return break_errno(lane, errno);
		if (!n && pl_tcp_is_cut(lane->base.fd))
			return break_errno(lane, ETIMEDOUT);
	}
}

/* ---- sending ---- */

/* Hands what is held back from `skip` on, then `data`, to the kernel. */
static int send_all(struct tcp_lane *lane, uint32_t skip, const void *data, uint64_t bytes)
{
	struct iovec parts[2] = { { lane->out + skip, lane->out_bytes - skip }, { (void *)(uintptr_t)data, bytes } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	if (broken(lane))
		return broken(lane);
	while (parts[0].iov_len || parts[1].iov_len) {
		ssize_t n = sendmsg(lane->base.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		pl_count(&lane->base.stats.wakes, 1);
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			int r = sleep_until(lane, POLLOUT, UINT64_MAX);
			if (r)
				return pl_trace(r);
		}
		if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			return break_errno(lane, errno);
		for (int i = 0; n > 0 && i < 2; i++) {
			size_t done = (size_t)n < parts[i].iov_len ? (size_t)n : parts[i].iov_len;
			parts[i].iov_base = (uint8_t *)parts[i].iov_base + done;
			parts[i].iov_len -= done;
			n -= (ssize_t)done;
		}
	}
	lane->out_bytes = 0;
	pl_soon_sent(&lane->soon);
	return 0;
}

/* What is held back.  The usual case is that the socket takes all. */
static int send_records(struct tcp_lane *lane)
{
	long n = syscall(SYS_sendto, lane->base.fd, lane->out, (size_t)lane->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
			 NULL, 0); /* send() also deals with the cancellation of threads, a tenth of a post */

	pl_count(&lane->base.stats.wakes, 1);
	if (n != lane->out_bytes)
		return pl_trace(send_all(lane, n < 0 ? 0 : (uint32_t)n, NULL, 0));
	lane->out_bytes = 0;
	pl_soon_sent(&lane->soon);
	return 0;
}

/* By the thread that looks after lanes. */
static bool soon_send(struct pl_soon *soon)
{
	struct tcp_lane *lane = (struct tcp_lane *)((char *)soon - offsetof(struct tcp_lane, soon));
	ssize_t n;

	if (!soon->holds || broken(lane))
		return false;
	n = send(lane->base.fd, lane->out, lane->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	pl_count(&lane->base.stats.wakes, 1);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
		break_errno(lane, errno);
		return false;
	}
	if (n <= 0)
		return true; /* the socket is full: later */
	lane->out_bytes -= (uint32_t)n;
	memmove(lane->out, lane->out + n, lane->out_bytes);
	if (!lane->out_bytes)
		pl_soon_sent(soon);
	return true;
}

/* A post of a burst waits for the next call, which is expected within 10 us. */
static bool post_waits(struct tcp_lane *lane, bool post)
{
	uint64_t now;

	/* Behind others that wait: what it costs to look at the clock is a fifth of a post. */
	if (post && lane->bursts && lane->soon.holds && lane->out_bytes < SOON_BYTES)
		return true;
	now = pl_now_ns();
	if (post && lane->bursts && lane->soon.holds) { /* enough for one send, the burst goes on */
		lane->commit_ns = now;
		return false;
	}
	if (lane->post_last)
		lane->bursts = now - lane->commit_ns < SOON_NS;
	lane->post_last = post;
	lane->commit_ns = now;
	return post && lane->locked && lane->bursts && lane->out_bytes < SOON_BYTES && pl_soon_hold(&lane->soon);
}

static void out_lock(struct tcp_lane *lane)
{
	if (lane->holds_posts && !lane->locked) {
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

static int lane_reserve(struct pl_lane *base, uint32_t len_bytes, void **room_out)
{
	struct tcp_lane *lane = tcp_lane(base);

	if (len_bytes % PL_WIRE_ALIGN || len_bytes > PL_WIRE_RECORD_MAX)
		return pl_err(-EMSGSIZE);
	if (lane->out_bulk_left)
		return pl_err(-EINVAL); /* the last record's payload was not sent */
	if (broken(lane))
		return broken(lane);
	out_lock(lane);
	*room_out = lane->out + lane->out_bytes; /* out_bytes < HOLD_BYTES here */
	return 0;
}

static int record_commit(struct tcp_lane *lane, uint32_t len_bytes, enum pl_lane_how how)
{
	const struct pl_wire_head *head = (const struct pl_wire_head *)(lane->out + lane->out_bytes);
	int r;

	if (len_bytes - sizeof(*head) > PL_WIRE_RECORD_MAX - sizeof(*head) || head->len_bytes != len_bytes ||
	    head->bulk_bytes > PL_WIRE_BULK_MAX)
		return pl_err(-EINVAL);
	lane->out_bytes += len_bytes;
	lane->out_bulk_left = head->bulk_bytes;
	pl_count(&lane->base.stats.records_out, 1);
	pl_count(&lane->base.stats.bytes_out, len_bytes);
	if (head->bulk_bytes || (how == PL_LANE_MORE && lane->out_bytes < HOLD_BYTES))
		return 0;
	if ((how == PL_LANE_SOON || lane->holds_posts) && post_waits(lane, how == PL_LANE_SOON))
		return 0;
	lane->holds_posts |= how == PL_LANE_SOON;
	r = send_records(lane);
	if (!r && how == PL_LANE_NOW)
		pl_lanes_flush(); /* the peer takes this one behind what was sent before it */
	return pl_trace(r);
}

static int lane_commit(struct pl_lane *base, uint32_t len_bytes, enum pl_lane_how how)
{
	struct tcp_lane *lane = tcp_lane(base);
	int r = record_commit(lane, len_bytes, how);

	out_unlock(lane);
	return r;
}

static int lane_send_bulk(struct pl_lane *base, const void *data, uint64_t bytes)
{
	struct tcp_lane *lane = tcp_lane(base);
	int r;

	if (bytes > lane->out_bulk_left)
		return pl_err(-EINVAL);
	out_lock(lane);
	r = send_all(lane, 0, data, bytes);
	out_unlock(lane);
	if (r)
		return pl_trace(r);
	lane->out_bulk_left -= bytes;
	pl_count(&base->stats.bytes_out, bytes);
	return 0;
}

/* ---- receiving ---- */

static void spin_adapt(struct tcp_lane *lane, bool pays)
{
	uint32_t ns = pays ? lane->spin_ns * 2 : lane->spin_ns / 2;

	lane->spin_ns = ns < SPIN_NS_MIN ? SPIN_NS_MIN : ns > SPIN_NS_MAX ? SPIN_NS_MAX : ns;
}

/* One look at the socket.  Return: bytes > 0, 0 = nothing there, fatal. */
static ssize_t receive_now(struct tcp_lane *lane, struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (size_t)count };
	ssize_t n;

	do
		n = count == 1 ? recv(lane->base.fd, parts->iov_base, parts->iov_len, MSG_DONTWAIT)
			       : recvmsg(lane->base.fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n < 0 && errno == EAGAIN)
		return 0;
	return break_errno(lane, n ? errno : EPIPE);
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

	if (!lane->near || (lane->together && ++lane->together_waits % TOGETHER_WAITS))
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

	while (!n && pl_now_ns() < end_ns) {
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
		if (broken(lane))
			return broken(lane);
		if (!n || (errno != EAGAIN && errno != EINTR))
			return break_errno(lane, n ? errno : EPIPE);
		if (errno == EAGAIN && pl_tcp_is_cut(lane->base.fd))
			return break_errno(lane, ETIMEDOUT);
	}
}

/* As long as a record may take.  Return: bytes > 0, PL_LANE_E_TIMEOUT with *timeout_out, fatal. */
static ssize_t receive_until(struct tcp_lane *lane, struct iovec *parts, int count, uint64_t deadline_ns,
			     bool *timeout_out)
{
	ssize_t n = 0;
	int r;

	if (deadline_ns == UINT64_MAX)
		return receive_asleep(lane, parts, count);
	while (!n) {
		r = sleep_until(lane, POLLIN, deadline_ns);
		*timeout_out = r > 0;
		if (r)
			return r;
		n = receive_now(lane, parts, count);
	}
	return n;
}

/* Bytes into `parts`: looks, spins, sleeps.  Return: 0 and *bytes_out > 0, PL_LANE_E_TIMEOUT, fatal. */
static int receive(struct tcp_lane *lane, struct iovec *parts, int count, uint64_t deadline_ns, size_t *bytes_out)
{
	bool together = false, timeout = false;
	uint64_t begin_ns;
	ssize_t n = 0;

	if (broken(lane))
		return broken(lane);
	if (!lane->together || deadline_ns != UINT64_MAX)
		n = receive_now(lane, parts, count);
	if (!n && !deadline_ns)
		return PL_LANE_E_TIMEOUT;
	if (!n) {
		together = peer_is_here(lane);
		begin_ns = together ? 0 : pl_now_ns();
		if (!together)
			n = receive_spin(lane, parts, count, begin_ns, deadline_ns);
		if (!n) {
			n = receive_until(lane, parts, count, deadline_ns, &timeout);
			if (!together)
				spin_adapt(lane, !timeout && pl_now_ns() - begin_ns < SPIN_PAYS_NS);
		}
	}
	if (timeout || n < 0)
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
	} else if (lane->in_begin % PL_WIRE_ALIGN || lane->in_begin + need_bytes > IN_BYTES) {
		memmove(lane->in, lane->in + lane->in_begin, have); /* after a payload of odd size, or at the end */
		lane->in_begin = 0;
		lane->in_end = have;
	}
	while (lane->in_end - lane->in_begin < need_bytes) {
		uint32_t missing = need_bytes - (lane->in_end - lane->in_begin), room = IN_BYTES - lane->in_end;
		uint32_t want = missing > AHEAD_BYTES ? missing : AHEAD_BYTES;
		struct iovec part = { lane->in + lane->in_end, want < room ? want : room };
		size_t got;
		int r = receive(lane, &part, 1, deadline_ns, &got);

		if (r)
			return pl_trace(r);
		lane->in_end += (uint32_t)got;
	}
	return 0;
}

static int lane_recv(struct pl_lane *base, uint64_t timeout_ns, const struct pl_wire_head **head_out)
{
	struct tcp_lane *lane = tcp_lane(base);
	uint64_t now = timeout_ns && timeout_ns != UINT64_MAX ? pl_now_ns() : 0;
	uint64_t deadline_ns = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
	const struct pl_wire_head *head;
	int r;

	if (broken(lane))
		return broken(lane);
	if (lane->in_bulk_left)
		return pl_err(-EINVAL); /* the last record's payload was not taken */
	r = fill(lane, sizeof(*head), deadline_ns);
	if (r)
		return pl_trace(r);
	head = (const struct pl_wire_head *)(lane->in + lane->in_begin);
	if (head->len_bytes < sizeof(*head) || head->len_bytes % PL_WIRE_ALIGN ||
	    head->len_bytes > PL_WIRE_RECORD_MAX || head->bulk_bytes > PL_WIRE_BULK_MAX)
		return break_lane(lane, -EPROTO);
	r = fill(lane, head->len_bytes, deadline_ns);
	if (r)
		return pl_trace(r);
	head = (const struct pl_wire_head *)(lane->in + lane->in_begin);
	lane->in_begin += head->len_bytes;
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

	if (broken(lane))
		return broken(lane);
	while (!(n = receive_now(lane, &part, 1))) {
		wake_at(lane, bytes / 2 < WAKE_BYTES_MAX ? bytes / 2 : WAKE_BYTES_MAX);
		r = sleep_until(lane, POLLIN, UINT64_MAX);
		if (r)
			return pl_trace(r);
	}
	if (n < 0)
		return (int)n;
	*bytes_out = (size_t)n;
	return 0;
}

static int lane_recv_bulk(struct pl_lane *base, void *data, uint64_t bytes)
{
	struct tcp_lane *lane = tcp_lane(base);
	uint64_t left = bytes, buffered = lane->in_end - lane->in_begin;
	uint8_t *at = data;

	if (bytes > lane->in_bulk_left)
		return pl_err(-EINVAL);
	if (broken(lane))
		return broken(lane);
	if (buffered > left)
		buffered = left;
	if (buffered)
		memcpy(at, lane->in + lane->in_begin, buffered);
	lane->in_begin += (uint32_t)buffered;
	at += buffered;
	left -= buffered;
	while (left) { /* nothing is buffered; what follows the payload is read ahead, behind the record at hand */
		uint32_t ahead = (lane->in_end + PL_WIRE_ALIGN - 1) / PL_WIRE_ALIGN * PL_WIRE_ALIGN;
		uint32_t room = bytes < lane->in_bulk_left ? 0 : IN_BYTES - ahead;
		struct iovec parts[2] = { { at, left }, { lane->in + ahead, room < AHEAD_BYTES ? room : AHEAD_BYTES } };
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
	lane->in_bulk_left -= bytes;
	pl_count(&base->stats.bytes_in, bytes);
	return 0;
}

/* ---- life ---- */

static void lane_shutdown(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);
	int none = 0;

	if (atomic_compare_exchange_strong(&lane->broken, &none, -EPIPE))
		shutdown(base->fd, SHUT_RDWR);
}

static void lane_destroy(struct pl_lane *base)
{
	struct tcp_lane *lane = tcp_lane(base);

	pl_soon_remove(&lane->soon);
	close(base->fd);
	free(lane->out);
	free(lane->in);
	free(lane);
}

static const struct pl_lane_ops tcp_ops = {
	.name = "tcp",
	.reserve = lane_reserve,
	.commit = lane_commit,
	.send_bulk = lane_send_bulk,
	.recv = lane_recv,
	.recv_bulk = lane_recv_bulk,
	.shutdown = lane_shutdown,
	.destroy = lane_destroy,
};

int pl_tcp_lane_create(int fd, struct pl_lane **lane_out)
{
	struct tcp_lane *lane = aligned_alloc(_Alignof(struct tcp_lane), sizeof(*lane));

	if (lane)
		*lane = (struct tcp_lane){ .base = { .ops = &tcp_ops, .fd = fd },
					   .out = malloc(OUT_BYTES),
					   .in = malloc(IN_BYTES),
					   .soon = { .send = soon_send },
					   .spin_ns = SPIN_NS_MAX };
	if (!lane || !lane->out || !lane->in) {
		if (lane)
			lane_destroy(&lane->base);
		else
			close(fd);
		return pl_err(-ENOMEM);
	}
	lane->wake_bytes = pl_tcp_is_tcp(fd);
	lane->near = lane->wake_bytes && pl_tcp_is_near(fd);
	if (lane->near)
		pl_tcp_option_set(fd, SOL_SOCKET, SO_SNDBUF, NEAR_SEND_BYTES);
	pl_tcp_socket_prepare(fd);
	*lane_out = &lane->base;
	return 0;
}
