#include "link/tcp/wide.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "link/link.h"
#include "link/tcp/socket.h"

#define CHUNK_BYTES (128u << 10) /* what one connection is given at a time */
#define UNSENT_BYTES                                                                                                   \
	(256u << 10)     /* the kernel takes no more than this that it can not send yet: who is slow gets less */
#define CLAIMS_MAX 1024u /* ranges of a payload that have come, with holes between: chunks in slow sockets */
#define WATCH_MS   (PL_TCP_WATCH_S * 1000)

enum state {
	NEW,   /* the peer has not said that it looks here */
	ASKED, /* a thread looks whether it has */
	READY,
	USELESS, /* it ended before that, or said something else */
};

struct out { /* a chunk that is being sent */
	struct pl_wire_chunk head;
	uint32_t head_left, left; /* bytes */
	const uint8_t *at;
};

struct in { /* a chunk that is coming */
	struct pl_wire_chunk head;
	uint32_t head_have, left; /* bytes; a whole head and none left: it is of the payload that comes next */
	uint64_t offset;          /* of what is left, in the payload */
};

struct connection {
	int fd;
	int wake_bytes;         /* SO_RCVLOWAT; 0 = as it came */
	_Atomic uint32_t state; /* enum state */
	struct out out;
	struct in in;
};

struct claim {
	uint64_t begin, end;
};

struct pl_wide {
	struct connection all[PL_LANE_CONNECTIONS_MAX];
	_Atomic uint32_t count; /* of those that the others may look at */
	_Atomic bool over, used;

	uint32_t out_payload, out_turn; /* the sending half's */
	uint32_t out_over;              /* it uses so many; 0 = all */
	uint64_t out_at, out_bytes;     /* of the payload: given to a connection, in all */

	uint32_t in_payload; /* the receiving half's */
	uint64_t in_at, in_bytes;
	struct claim claims[CLAIMS_MAX]; /* in order, with holes between */
	uint32_t claims_count;
};

uint32_t pl_wide_count(struct pl_wide *wide)
{
	return atomic_load_explicit(&wide->count, memory_order_acquire);
}

bool pl_wide_is_used(const struct pl_wide *wide)
{
	return atomic_load(&wide->used);
}

static int ended(int error)
{
	pl_log_debug("a connection of a lane ends: %s", strerrordesc_np(error));
	return pl_err(-EPIPE);
}

/* ---- connections ---- */

struct pl_wide *pl_wide_create(void)
{
	return calloc(1, sizeof(struct pl_wide));
}

void pl_wide_leave(struct pl_wide *wide)
{
	for (uint32_t i = 0; i < pl_wide_count(wide); i++)
		close(wide->all[i].fd);
}

void pl_wide_destroy(struct pl_wide *wide)
{
	if (!wide)
		return;
	pl_wide_leave(wide);
	free(wide);
}

void pl_wide_shutdown(struct pl_wide *wide)
{
	atomic_store(&wide->over, true);
	for (uint32_t i = 0; i < pl_wide_count(wide); i++)
		shutdown(wide->all[i].fd, SHUT_RDWR);
}

int pl_wide_add(struct pl_wide *wide, int fd, bool opens)
{
	static const struct pl_wire_chunk word;
	uint32_t count = pl_wide_count(wide);

	if (count == PL_LANE_CONNECTIONS_MAX) {
		close(fd);
		return pl_err(-EMFILE);
	}
	pl_tcp_socket_prepare(fd, false);
	pl_tcp_option_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES);
	if (opens && send(fd, &word, sizeof(word), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(word)) {
		close(fd);
		return pl_err(-EPIPE);
	}
	wide->all[count].fd = fd;
	atomic_store_explicit(&wide->all[count].state, opens ? READY : NEW, memory_order_relaxed);
	atomic_store_explicit(&wide->count, count + 1, memory_order_release);
	if (atomic_load(&wide->over))
		shutdown(fd, SHUT_RDWR);
	return 0;
}

/* Both halves may look at the same time whether the peer has said its word. */
static void connection_ask(struct connection *one)
{
	static const struct pl_wire_chunk word;
	struct in *in = &one->in;
	uint32_t state = NEW;
	ssize_t n;

	if (!atomic_compare_exchange_strong(&one->state, &state, ASKED))
		return;
	n = recv(one->fd, (uint8_t *)&in->head + in->head_have, sizeof(in->head) - in->head_have, MSG_DONTWAIT);
	state = n < 0 && (errno == EAGAIN || errno == EINTR) ? NEW : USELESS;
	if (n > 0) {
		in->head_have += (uint32_t)n;
		state = NEW;
	}
	if (in->head_have == sizeof(in->head)) {
		state = memcmp(&in->head, &word, sizeof(word)) ? USELESS : READY;
		in->head_have = 0;
	}
	atomic_store(&one->state, state);
}

static bool connection_ready(struct connection *one)
{
	if (atomic_load_explicit(&one->state, memory_order_acquire) == NEW)
		connection_ask(one);
	return atomic_load_explicit(&one->state, memory_order_acquire) == READY;
}

/* Sleeps until one of them is ready, or has ended.  Return: 0 or fatal. */
static int connections_wait(struct pl_wide *wide, struct pollfd *fds, uint32_t count)
{
	int n = poll(fds, count, WATCH_MS);

	if (atomic_load(&wide->over))
		return pl_err(-EPIPE);
	if (n < 0 && errno != EINTR)
		return pl_err(-errno);
	for (uint32_t i = 0; i < count; i++) {
		if (fds[i].events & POLLOUT && fds[i].revents & (POLLRDHUP | POLLERR | POLLHUP))
			return ended(
				EPIPE); /* whoever sends may wait for room for ever; what came before an end is taken */
		if (!n && pl_tcp_is_cut(fds[i].fd))
			return ended(ETIMEDOUT);
	}
	return 0;
}

/* ---- sending ---- */

void pl_wide_send_over(struct pl_wide *wide, uint32_t connections)
{
	wide->out_over = connections;
}

static uint32_t out_count(struct pl_wide *wide)
{
	uint32_t count = pl_wide_count(wide);

	return wide->out_over && wide->out_over < count ? wide->out_over : count;
}

bool pl_wide_send_begin(struct pl_wide *wide, uint64_t bytes)
{
	uint32_t ready = 0;

	for (uint32_t i = 0; i < out_count(wide); i++)
		ready += connection_ready(&wide->all[i]);
	if (ready < 2)
		return false;
	atomic_store(&wide->used, true);
	wide->out_payload++;
	wide->out_at = 0;
	wide->out_bytes = bytes;
	return true;
}

static bool out_is_under_way(const struct out *out)
{
	return out->head_left || out->left;
}

/* What the kernel takes of the chunk.  Return: bytes, 0 = it takes none now, fatal. */
static int64_t out_push(struct connection *one)
{
	struct out *out = &one->out;
	struct iovec parts[2] = {
		{ (uint8_t *)&out->head + sizeof(out->head) - out->head_left, out->head_left },
		{ (void *)(uintptr_t)out->at, out->left },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t n = sendmsg(one->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	uint32_t head;

	if (n < 0)
		return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? 0 : ended(errno);
	head = (size_t)n < out->head_left ? (uint32_t)n : out->head_left;
	out->head_left -= head;
	out->at += (size_t)n - head;
	out->left -= (uint32_t)n - head;
	return n;
}

/* One turn: each connection gets what it takes, at most the rest of its chunk or a new one.  Return: bytes, or fatal.
 */
static int64_t out_turn(struct pl_wide *wide, const uint8_t *data, uint64_t begin, uint64_t end)
{
	uint32_t count = out_count(wide);
	int64_t moved = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct connection *one = &wide->all[(wide->out_turn + i) % count];
		int64_t n;

		if (!connection_ready(one))
			continue;
		if (!out_is_under_way(&one->out) && wide->out_at < end) {
			uint64_t bytes = end - wide->out_at < CHUNK_BYTES ? end - wide->out_at : CHUNK_BYTES;

			one->out = (struct out){ .head = { wide->out_at, (uint32_t)bytes, wide->out_payload },
						 .head_left = sizeof(one->out.head),
						 .left = (uint32_t)bytes,
						 .at = data + (wide->out_at - begin) };
			wide->out_at += bytes;
		}
		if (!out_is_under_way(&one->out))
			continue;
		n = out_push(one);
		if (n < 0)
			return n;
		moved += n;
	}
	wide->out_turn++;
	return moved;
}

/* Return: so many of them have to wait for room. */
static uint32_t out_waits(struct pl_wide *wide, struct pollfd fds[PL_LANE_CONNECTIONS_MAX])
{
	uint32_t waits = 0;

	for (uint32_t i = 0; i < pl_wide_count(wide); i++)
		if (out_is_under_way(&wide->all[i].out))
			fds[waits++] = (struct pollfd){ .fd = wide->all[i].fd, .events = POLLOUT | POLLRDHUP };
	return waits;
}

int pl_wide_send(struct pl_wide *wide, const void *data, uint64_t bytes)
{
	uint64_t begin = wide->out_at, end = begin + bytes;

	for (;;) {
		struct pollfd fds[PL_LANE_CONNECTIONS_MAX];
		int64_t moved = out_turn(wide, data, begin, end);
		uint32_t waits;
		int r;

		if (moved < 0)
			return (int)moved;
		waits = out_waits(wide, fds);
		if (!waits && wide->out_at == end)
			return 0;
		if (moved)
			continue;
		r = connections_wait(wide, fds, waits);
		if (r)
			return pl_trace(r);
	}
}

/* ---- receiving ---- */

void pl_wide_recv_begin(struct pl_wide *wide, uint64_t bytes)
{
	atomic_store(&wide->used, true);
	wide->in_payload++;
	wide->in_at = 0;
	wide->in_bytes = bytes;
	wide->claims_count = 0;
}

/* Bytes that come belong to one chunk.  Return: 0, or fatal: they have come before, or there are too many holes. */
static int claim(struct pl_wide *wide, uint64_t begin, uint64_t end)
{
	struct claim *claims = wide->claims;
	uint32_t low = 0, high = wide->claims_count;
	bool before, behind;

	while (low < high) { /* the first that ends behind `begin` */
		uint32_t middle = (low + high) / 2;

		if (claims[middle].end <= begin)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < wide->claims_count && claims[low].begin < end)
		return pl_err(-EPROTO);
	before = low && claims[low - 1].end == begin;
	behind = low < wide->claims_count && claims[low].begin == end;
	if (before && behind) {
		claims[low - 1].end = claims[low].end;
		memmove(&claims[low], &claims[low + 1], (--wide->claims_count - low) * sizeof(*claims));
	} else if (before) {
		claims[low - 1].end = end;
	} else if (behind) {
		claims[low].begin = begin;
	} else {
		if (wide->claims_count == CLAIMS_MAX)
			return pl_err(-EPROTO);
		memmove(&claims[low + 1], &claims[low], (wide->claims_count++ - low) * sizeof(*claims));
		claims[low] = (struct claim){ begin, end };
	}
	return 0;
}

/* Return: bytes, 0 = nothing there, fatal. */
static int64_t take(struct connection *one, void *to, size_t bytes)
{
	ssize_t n = recv(one->fd, to, bytes, MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return ended(n ? errno : EPIPE);
}

/* A chunk's head is whole.  One of a later payload stays as it is: other connections may be slower with this one, and
 * not each carries a part of every payload.  Return: 1 = its bytes may be taken, 0 = not yet, fatal. */
static int in_begin(struct pl_wide *wide, struct in *in)
{
	const struct pl_wire_chunk *head = &in->head;
	int r;

	if ((int32_t)(head->payload - wide->in_payload) > 0)
		return 0;
	if (head->payload != wide->in_payload || !head->bytes || head->offset > wide->in_bytes ||
	    head->bytes > wide->in_bytes - head->offset)
		return pl_err(-EPROTO);
	r = claim(wide, head->offset, head->offset + head->bytes);
	if (r)
		return pl_trace(r);
	in->offset = head->offset;
	in->left = head->bytes;
	in->head_have = 0;
	return 1;
}

/* Return: 1 = bytes of a chunk of this payload may be taken, 0 = not for now, fatal. */
static int in_head(struct pl_wide *wide, struct connection *one)
{
	struct in *in = &one->in;

	while (in->head_have < sizeof(in->head)) {
		int64_t n = take(one, (uint8_t *)&in->head + in->head_have, sizeof(in->head) - in->head_have);

		if (n <= 0)
			return (int)n;
		in->head_have += (uint32_t)n;
	}
	return in_begin(wide, in);
}

/* What has come on one connection, up to its chunk's end or `end`.  Return: bytes, 0 = nothing for now, fatal. */
static int64_t in_take(struct pl_wide *wide, struct connection *one, uint8_t *data, uint64_t end)
{
	struct in *in = &one->in;
	uint64_t bytes;
	int64_t n;

	if (!in->left) {
		int r = in_head(wide, one);

		if (r <= 0)
			return r;
	}
	if (in->offset >= end)
		return 0;
	bytes = end - in->offset < in->left ? end - in->offset : in->left;
	n = take(one, data + (in->offset - wide->in_at), bytes);
	if (n > 0) {
		in->offset += (uint64_t)n;
		in->left -= (uint32_t)n;
	}
	return n;
}

/* One turn over all connections.  Return: bytes, or fatal. */
static int64_t in_turn(struct pl_wide *wide, uint8_t *data, uint64_t end, uint64_t bytes)
{
	uint64_t moved = 0;

	for (uint32_t i = 0; i < pl_wide_count(wide) && moved < bytes; i++) {
		struct connection *one = &wide->all[i];
		int64_t n = connection_ready(one);

		while (n > 0 && moved < bytes) {
			n = in_take(wide, one, data, end);
			moved += n > 0 ? (uint64_t)n : 0;
		}
		if (n < 0)
			return n;
	}
	return (int64_t)moved;
}

/* As long payloads on one connection (docs/adr/0011): who sleeps is woken once for a chunk; the window grows with it.
 */
static void wake_at(struct connection *one, uint64_t end)
{
	const struct in *in = &one->in;
	uint64_t bytes = !in->left ? 1 : end - in->offset < in->left ? end - in->offset : in->left;

	if ((uint64_t)one->wake_bytes == bytes)
		return;
	one->wake_bytes = (int)bytes;
	pl_tcp_option_set(one->fd, SOL_SOCKET, SO_RCVLOWAT, one->wake_bytes);
}

/* Those on which something is awaited: not one whose next bytes are of a part, or a payload, that is not asked for yet.
 */
static uint32_t in_waits(struct pl_wide *wide, uint64_t end, struct pollfd fds[PL_LANE_CONNECTIONS_MAX])
{
	uint32_t waits = 0;

	for (uint32_t i = 0; i < pl_wide_count(wide); i++) {
		struct connection *one = &wide->all[i];
		bool later = one->in.left ? one->in.offset >= end : one->in.head_have == sizeof(one->in.head);
		uint32_t state = atomic_load(&one->state);

		if (state == USELESS || later)
			continue;
		if (state == READY)
			wake_at(one, end);
		fds[waits++] = (struct pollfd){ .fd = one->fd, .events = POLLIN };
	}
	return waits;
}

int pl_wide_recv(struct pl_wide *wide, void *data, uint64_t bytes)
{
	uint64_t left = bytes, end = wide->in_at + bytes;

	while (left) {
		struct pollfd fds[PL_LANE_CONNECTIONS_MAX];
		int64_t moved = in_turn(wide, data, end, left);
		uint32_t waits;
		int r;

		if (moved < 0)
			return (int)moved;
		left -= (uint64_t)moved;
		if (moved)
			continue;
		waits = in_waits(wide, end, fds);
		/* Each shows something that comes later: on each they come in order, so these bytes were never sent. */
		r = waits ? connections_wait(wide, fds, waits) : pl_err(-EPROTO);
		if (r)
			return pl_trace(r);
	}
	wide->in_at = end;
	return 0;
}
