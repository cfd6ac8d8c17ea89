#include "link/tcp/resume.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/greet.h"
#include "link/still.h"
#include "link/tcp/lane.h"
#include "link/tcp/socket.h"

#define RING_BYTES_MIN (64u << 10)
#define LEFT_STEP      (256u << 10)
#define MEET_NS        (20ull * 1000000000u) /* a peer whose sending half sleeps looks every PL_TCP_WATCH_S */
#define AGAIN_NS       (30ull * 1000000000u) /* for what is sent again */

struct pl_resume *pl_resume_create(void (*cut_fn)(void *arg), void *cut_arg)
{
	struct pl_resume *resume = calloc(1, sizeof(*resume));

	if (resume)
		*resume = (struct pl_resume){ .cut_fn = cut_fn,
					      .cut_arg = cut_arg,
					      .lock = PTHREAD_MUTEX_INITIALIZER,
					      .back = PTHREAD_COND_INITIALIZER,
					      .swapped_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
					      .ring = malloc(RING_BYTES_MIN),
					      .ring_bytes = RING_BYTES_MIN };
	if (resume && (!resume->ring || resume->swapped_fd < 0)) {
		pl_resume_destroy(resume);
		return NULL;
	}
	return resume;
}

void pl_resume_destroy(struct pl_resume *resume)
{
	if (!resume)
		return;
	if (resume->swapped_fd >= 0)
		close(resume->swapped_fd);
	free(resume->ring);
	free(resume->left);
	free(resume);
}

void pl_resume_wake(struct pl_resume *resume)
{
	pthread_mutex_lock(&resume->lock);
	pthread_cond_broadcast(&resume->back);
	pthread_mutex_unlock(&resume->lock);
}

/* Reset, timed out, without a route: a connection that the peer has closed is in another state.  The system tells of
 * the error before it changes the state. */
static bool is_lost(int fd)
{
	struct pollfd error = { .fd = fd };
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	return (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) && info.tcpi_state == TCP_CLOSE) ||
	       (poll(&error, 1, 0) > 0 && error.revents & POLLERR);
}

static bool has_ended(int fd)
{
	struct pollfd end = { .fd = fd, .events = POLLRDHUP };

	return poll(&end, 1, 0) > 0 && end.revents & POLLRDHUP;
}

/* What travels over several connections is not counted: such a lane ends with the first of them. */
bool pl_resume_is_cut(struct tcp_lane *lane)
{
	return lane->resume && !tcp_is_wide(lane) && !tcp_broken(lane) &&
	       (atomic_load(&lane->resume->cut) || is_lost(lane->base.fd) ||
		(atomic_load(&lane->resume->peer_parts) && has_ended(lane->base.fd)));
}

/* Unless there is another connection by now. */
static void cut_set(struct pl_resume *resume, uint32_t turn)
{
	pthread_mutex_lock(&resume->lock);
	if (resume->turn == turn)
		resume->cut = true;
	pthread_mutex_unlock(&resume->lock);
	if (resume->cut_fn)
		resume->cut_fn(resume->cut_arg);
}

void pl_resume_cut(struct tcp_lane *lane)
{
	if (pl_resume_is_cut(lane))
		cut_set(lane->resume, lane->resume->turn);
}

int pl_resume_wait(struct tcp_lane *lane, uint32_t turn, bool sends)
{
	struct pl_resume *resume = lane->resume;
	bool halted = false;

	cut_set(resume, turn);
	if (sends)
		pl_unlock(&lane->soon.lock);
	pthread_mutex_lock(&resume->lock);
	while (resume->turn == turn && !tcp_broken(lane) && !(halted = !sends && tcp_halted(lane)))
		pthread_cond_wait(&resume->back, &resume->lock);
	pthread_mutex_unlock(&resume->lock);
	if (sends)
		pl_lock(&lane->soon.lock);
	return tcp_broken(lane) || !halted ? tcp_broken(lane) : PL_LANE_E_HALTED;
}

/* ---- the sending half ---- */

/* Bytes that the peer's system has not acknowledged. */
static uint64_t unacknowledged(int fd, uint64_t bytes)
{
	int queued = 0;

	if (ioctl(fd, SIOCOUTQ, &queued) || queued < 0 || (uint64_t)queued > bytes)
		return bytes;
	return (uint64_t)queued;
}

static void ring_put(struct pl_resume *resume, uint64_t position, const uint8_t *data, uint64_t bytes)
{
	while (bytes) {
		uint32_t at = (uint32_t)position & (resume->ring_bytes - 1);
		uint64_t part = resume->ring_bytes - at < bytes ? resume->ring_bytes - at : bytes;

		memcpy(resume->ring + at, data, part);
		position += part;
		data += part;
		bytes -= part;
	}
}

/* The ring's bytes from `position` on that lie together. */
static struct iovec ring_part(const struct pl_resume *resume, uint64_t position)
{
	uint32_t at = (uint32_t)position & (resume->ring_bytes - 1);
	uint64_t left = resume->sent - position;

	return (struct iovec){ resume->ring + at, left < resume->ring_bytes - at ? left : resume->ring_bytes - at };
}

/* Return: there is room for so many. */
static bool ring_grow(struct pl_resume *resume, uint64_t bytes)
{
	struct pl_resume larger = *resume;

	while (larger.ring_bytes < bytes && larger.ring_bytes < PL_RESUME_KEPT_MAX)
		larger.ring_bytes *= 2;
	larger.ring = larger.ring_bytes < bytes ? NULL : malloc(larger.ring_bytes);
	if (!larger.ring)
		return false;
	for (uint64_t at = resume->kept_from; at < resume->sent;) {
		struct iovec part = ring_part(resume, at);

		ring_put(&larger, at, part.iov_base, part.iov_len);
		at += part.iov_len;
	}
	free(resume->ring);
	resume->ring = larger.ring;
	resume->ring_bytes = larger.ring_bytes;
	return true;
}

void pl_resume_keep(struct tcp_lane *lane, const struct iovec parts[2])
{
	struct pl_resume *resume = lane->resume;
	uint64_t position = resume->sent, end = position + parts[0].iov_len + parts[1].iov_len;

	if (end - resume->kept_from > resume->ring_bytes) {
		uint64_t need = unacknowledged(lane->base.fd, end - resume->kept_from);

		if (end - need > resume->kept_from)
			resume->kept_from = end - need < position ? end - need : position;
		if (need > resume->ring_bytes && !ring_grow(resume, need)) {
			resume->kept_from = resume->sent = end; /* if this one is cut the lane ends */
			return;
		}
		resume->kept_from = end - need;
	}
	for (int i = 0; i < 2; i++) {
		uint64_t bytes = parts[i].iov_len;
		uint64_t skip = position < resume->kept_from ? resume->kept_from - position : 0;

		if (skip < bytes)
			ring_put(resume, position + skip, (const uint8_t *)parts[i].iov_base + skip, bytes - skip);
		position += bytes;
	}
	resume->sent = end;
}

void *pl_resume_kept(const struct pl_resume *resume, const void *more, uint64_t more_bytes)
{
	uint64_t bytes = resume->sent - resume->kept_from;
	uint8_t *kept = malloc(bytes + more_bytes + 1); /* of nothing, too */

	if (!kept)
		return NULL;
	for (uint64_t at = resume->kept_from; at < resume->sent;) {
		struct iovec part = ring_part(resume, at);

		memcpy(kept + (at - resume->kept_from), part.iov_base, part.iov_len);
		at += part.iov_len;
	}
	memcpy(kept + bytes, more, more_bytes);
	return kept;
}

int pl_resume_load(struct pl_resume *resume, const struct pl_lane_state *state)
{
	uint64_t kept_bytes = state->sent - state->kept_from;

	if (state->unread_bytes) {
		resume->left = malloc(state->unread_bytes);
		if (!resume->left)
			return pl_err(-ENOMEM);
		memcpy(resume->left, state->unread, state->unread_bytes);
		resume->left_end = resume->left_room = state->unread_bytes;
	}
	if (kept_bytes > resume->ring_bytes && !ring_grow(resume, kept_bytes))
		return pl_err(-ENOMEM);
	if (kept_bytes)
		ring_put(resume, state->kept_from, state->kept, kept_bytes);
	resume->kept_from = state->kept_from;
	resume->sent = state->sent;
	resume->received = state->received;
	resume->cut = resume->placeholder = true;
	return 0;
}

/* One look.  Return: bytes that the socket took; 0: it is full; -errno. */
static ssize_t send_now(struct tcp_lane *lane, const struct iovec parts[2], uint64_t skip)
{
	struct iovec left[2] = { parts[0], parts[1] };
	struct msghdr message = { .msg_iov = left, .msg_iovlen = 2 };
	ssize_t n;

	for (int i = 0; i < 2; i++) {
		size_t part = skip < left[i].iov_len ? skip : left[i].iov_len;

		left[i].iov_base = (uint8_t *)left[i].iov_base + part;
		left[i].iov_len -= part;
		skip -= part;
	}
	do
		n = sendmsg(lane->base.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	atomic_fetch_add_explicit(&lane->base.stats.wakes, 1, memory_order_relaxed);
	return n >= 0 ? n : errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

int pl_resume_send(struct tcp_lane *lane, const struct iovec parts[2])
{
	struct pl_resume *resume = lane->resume;
	uint64_t whole = parts[0].iov_len + parts[1].iov_len;
	int r = tcp_broken(lane);

	resume->going = 0;
	resume->sends = true;
	while (!r && resume->going < whole) {
		uint32_t turn = resume->turn;
		ssize_t n = send_now(lane, parts, resume->going);

		if (n > 0)
			resume->going += (uint64_t)n;
		if (!n)
			r = pl_tcp_sleep_until(lane, POLLOUT, UINT64_MAX);
		if (n < 0 && !pl_resume_is_cut(lane)) {
			r = pl_tcp_break_errno(lane, (int)-n);
		} else if (n < 0 || r == PL_TCP_E_CUT) {
			r = pl_resume_wait(lane, turn, true); /* what was kept has been sent again */
			resume->going = resume->peer_has > resume->sent ? resume->peer_has - resume->sent : 0;
		}
	}
	resume->going = 0;
	resume->sends = false;
	if (!r)
		pl_resume_keep(lane, parts);
	return pl_trace(r);
}

/* ---- the receiving half ---- */

static ssize_t left_take(struct pl_resume *resume, const struct iovec *parts, int count)
{
	size_t taken = 0;

	for (int i = 0; i < count; i++) {
		size_t left = resume->left_end - resume->left_at;
		size_t part = left < parts[i].iov_len ? left : parts[i].iov_len;

		memcpy(parts[i].iov_base, resume->left + resume->left_at, part);
		resume->left_at += part;
		taken += part;
	}
	if (resume->left_at == resume->left_end) {
		free(pl_steal(resume->left));
		resume->left_at = resume->left_end = resume->left_room = 0;
	}
	return (ssize_t)taken;
}

static ssize_t receive_now(struct tcp_lane *lane, const struct iovec *parts, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count };
	struct pl_resume *resume = lane->resume;
	ssize_t n;

	if (resume->left)
		return left_take(resume, parts, count);
	do
		n = recvmsg(lane->base.fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		resume->received += (uint64_t)n;
	return n < 0 ? -errno : n;
}

ssize_t pl_resume_receive(struct tcp_lane *lane, const struct iovec *parts, int count)
{
	struct pl_resume *resume = lane->resume;

	for (;;) {
		uint32_t turn;
		bool cut;
		ssize_t n;
		int r;

		pl_lock(&resume->in);
		turn = resume->turn;
		n = receive_now(lane, parts, count);
		cut = n <= 0 && n != -EAGAIN && pl_resume_is_cut(lane);
		pl_unlock(&resume->in);
		if (n > 0)
			return n;
		if (n == -EAGAIN)
			return 0;
		if (!cut)
			return pl_tcp_break_errno(lane, n ? (int)-n : EPIPE);
		r = pl_resume_wait(lane, turn, false);
		if (r)
			return r == PL_LANE_E_HALTED ? 0 : pl_trace(r);
	}
}

/* Return: there is room for some more. */
static bool left_grow(struct pl_resume *resume)
{
	size_t room = resume->left_room * 2 + LEFT_STEP;
	uint8_t *larger;

	if (room > PL_RESUME_LEFT_MAX + LEFT_STEP)
		room = PL_RESUME_LEFT_MAX + LEFT_STEP;
	if (resume->left_room - resume->left_end >= LEFT_STEP || room == resume->left_room)
		return resume->left_room > resume->left_end;
	larger = realloc(resume->left, room);
	if (!larger)
		return false;
	resume->left = larger;
	resume->left_room = room;
	return true;
}

int pl_resume_left_fill(struct tcp_lane *lane)
{
	struct pl_resume *resume = lane->resume;
	ssize_t n;

	do {
		if (!left_grow(resume))
			return pl_err(-ENOMEM);
		n = recv(lane->base.fd, resume->left + resume->left_end, resume->left_room - resume->left_end,
			 MSG_DONTWAIT);
		if (n > 0) {
			resume->left_end += (size_t)n;
			resume->received += (uint64_t)n;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (resume->left_at == resume->left_end) {
		free(pl_steal(resume->left));
		resume->left_at = resume->left_end = resume->left_room = 0;
	}
	return 0;
}

/* ---- another connection ---- */

/* Called with both halves still: positions are exchanged.  Return: 0, or -EAGAIN. */
static int meet(struct pl_resume *resume, int fd, const struct pl_hello_reply *reply, uint64_t *peer_has)
{
	struct pl_wire_again again = { .received = resume->received };
	uint64_t deadline_ns = pl_now_ns() + MEET_NS;
	struct pl_hello_reply answer;
	int r;

	if (!reply) {
		r = pl_greet_again_send(fd, &again, deadline_ns);
	} else {
		answer = *reply;
		answer.received = resume->received;
		r = pl_greet_reply_send(fd, &answer, NULL, deadline_ns);
		if (!r)
			r = pl_greet_again_recv(fd, &again, deadline_ns);
		*peer_has = again.received;
	}
	return r ? -EAGAIN : 0;
}

/* What was kept and has not arrived.  Called with the sending half's lock held. */
static int send_again(struct tcp_lane *lane)
{
	struct pl_resume *resume = lane->resume;
	uint64_t deadline_ns = pl_now_ns() + AGAIN_NS;

	for (uint64_t at = resume->peer_has; at < resume->sent;) {
		struct iovec parts[2] = { ring_part(resume, at) };
		ssize_t n = send_now(lane, parts, 0);
		int r = n ? 0 : pl_tcp_sleep_until(lane, POLLOUT, deadline_ns);

		if (n < 0 || (r == PL_TCP_E_CUT && is_lost(lane->base.fd)))
			return -EAGAIN;
		if (r) /* it may still live: what came behind this would be taken for it */
			return r < 0 ? pl_trace(r) : pl_err(-EPIPE);
		at += (uint64_t)n;
	}
	return 0;
}

/* Called with both halves still.  The descriptor keeps its number: others poll it. */
static int swap(struct tcp_lane *lane, int fd)
{
	struct pl_resume *resume = lane->resume;

	if (resume->placeholder)
		lane->base.near = pl_tcp_is_near(fd);
	resume->placeholder = false;
	pl_tcp_socket_prepare(fd, lane->base.near);
	if (dup3(fd, lane->base.fd, O_CLOEXEC) < 0)
		return pl_err(-errno);
	pthread_mutex_lock(&resume->lock);
	resume->turn++;
	resume->cut = resume->peer_parts = false;
	if (tcp_wide(lane)) /* nor will any: they may be cut, too */
		pl_wide_send_over(tcp_wide(lane), 1);
	pthread_cond_broadcast(&resume->back);
	pthread_mutex_unlock(&resume->lock);
	eventfd_write(resume->swapped_fd, 1);
	return 0;
}

/* Called with the sending half's lock held. */
static int run(struct tcp_lane *lane, int fd, const struct pl_hello_reply *reply, uint64_t peer_has)
{
	struct pl_resume *resume = lane->resume;
	int r;

	pl_lock(&resume->in);
	r = tcp_broken(lane);
	if (!r && resume->still)
		r = -EAGAIN;
	if (!r)
		r = pl_resume_left_fill(lane);
	if (!r)
		r = meet(resume, fd, reply, &peer_has);
	if (!r && (peer_has < resume->kept_from || peer_has > resume->sent + resume->going)) {
		pl_log_info("a cut connection can not be resumed: the peer has %llu bytes, kept are %llu to %llu",
			    (unsigned long long)peer_has, (unsigned long long)resume->kept_from,
			    (unsigned long long)(resume->sent + resume->going));
		r = pl_err(-EPROTO);
	}
	if (!r) {
		resume->peer_has = peer_has;
		r = swap(lane, fd);
	}
	pl_unlock(&resume->in);
	return r ? r : send_again(lane);
}

int pl_resume_run(struct tcp_lane *lane, int fd_given, const struct pl_hello_reply *reply, uint64_t peer_has)
{
	pl_cleanup(pl_closep) int fd = fd_given;
	struct pl_resume *resume = lane->resume;
	int r;

	if (atomic_load(&resume->still))
		return -EAGAIN; /* the client asks again */
	atomic_store(&resume->cut, true);
	if (reply) /* the client has given that one up: nobody need wait in it */
		shutdown(lane->base.fd, SHUT_RDWR);
	pl_lock(&lane->soon.lock);
	r = run(lane, fd, reply, peer_has);
	if (r == -EAGAIN)
		cut_set(resume, resume->turn);
	pl_unlock(&lane->soon.lock);
	if (r && r != -EAGAIN)
		r = pl_tcp_break(lane, r == -EPROTO ? -EPIPE : r);
	return pl_trace(r);
}
