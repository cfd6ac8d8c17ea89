#include "link/hook/hook.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "link/tcp/tcp.h"

/*
 * user -> near ==socket pair== far -> [queue: out] -> inner -> network
 *         near ==socket pair== far <- [queue: in ] <- inner
 *
 * The user holds `near`, a stream lane with this hook's destroy: waiting, polling and shutting down are the stream's
 * own.  Each direction has a thread that reads and notes when a piece is due, and one that delivers it then.
 */
#define CHUNK_BYTES	 (64u << 10) /* payload travels in pieces, as on a network */
#define QUEUE_BYTES	 (1u << 20)  /* what waits for the line, beyond what is on it */
#define QUEUE_BYTES_FREE (16u << 20) /* without a limit on bandwidth */
#define QUEUE_BYTES_MAX	 (64u << 20)
#define DRAIN_NS	 2000000000u /* limit: destroy waits so long for a peer that does not read */
#define FLIPS_MAX	 4

enum piece_kind { RECORD, PAYLOAD, END };

struct piece {
	struct piece *next;
	enum piece_kind kind;
	int why; /* END: what the reader saw */
	uint64_t due_ns;
	uint32_t bytes;
	uint64_t data[];
};

struct pump { /* one direction */
	struct pl_lane *from, *to;
	const struct pl_hook_options *options;
	bool inward; /* `to` is a stream of ours: a broken rule can be passed on */
	pthread_t reader, writer;

	uint64_t records, bytes, line_free_ns, random; /* the reader's */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct piece *first, **last; /* under lock, as all below */
	uint64_t queued_bytes;
	_Atomic bool deaf; /* `to` is broken: what is read is thrown away; set under lock */
	_Atomic bool over; /* the writer has ended; set under lock */
};

struct hook {
	struct pl_lane_ops ops; /* near's, with our name and destroy; near->ops points here */
	void (*near_shutdown)(struct pl_lane *near);
	void (*near_destroy)(struct pl_lane *near);
	_Atomic bool shut; /* by the user: nothing is owed to the peer any more */
	struct pl_lane *near, *far, *inner;
	struct pl_hook_options options;
	struct pump out, in;
};

/* ---- reading ---- */

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static struct piece *piece_create(enum piece_kind kind, uint32_t bytes)
{
	struct piece *piece = malloc(sizeof(*piece) + bytes);

	if (piece)
		*piece = (struct piece){.kind = kind, .bytes = bytes};
	return piece;
}

static uint64_t queue_bytes_max(const struct pl_hook_options *options)
{
	double on_line = (double)options->bandwidth * (double)options->delay_us / 1e6;

	if (!options->bandwidth)
		return QUEUE_BYTES_FREE;
	return on_line < QUEUE_BYTES_MAX - QUEUE_BYTES ? QUEUE_BYTES + (uint64_t)on_line : QUEUE_BYTES_MAX;
}

/* Notes when the piece is due and queues it; waits while the queue is full. */
static void push(struct pump *pump, struct piece *piece)
{
	uint64_t now = pl_now_ns();

	if (pump->line_free_ns < now)
		pump->line_free_ns = now;
	if (pump->options->bandwidth)
		pump->line_free_ns += (uint64_t)((double)piece->bytes * 1e9 / (double)pump->options->bandwidth);
	piece->due_ns = pump->line_free_ns + pump->options->delay_us * 1000;
	pthread_mutex_lock(&pump->lock);
	while (!pump->deaf && pump->queued_bytes && piece->kind != END &&
	       pump->queued_bytes + piece->bytes > queue_bytes_max(pump->options))
		pthread_cond_wait(&pump->changed, &pump->lock);
	pump->queued_bytes += piece->bytes;
	*pump->last = piece;
	pump->last = &piece->next;
	pthread_cond_broadcast(&pump->changed);
	pthread_mutex_unlock(&pump->lock);
}

/* Turns bits over.  Return: false when the lane can not go on after that. */
static bool corrupt(struct pump *pump, struct piece *piece)
{
	struct pl_wire_head before, after;
	uint64_t flips = 1 + random_next(&pump->random) % FLIPS_MAX;

	memcpy(&before, piece->data, sizeof(before));
	while (flips--) {
		uint64_t bit = random_next(&pump->random) % (piece->bytes * 8);
		((uint8_t *)piece->data)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	memcpy(&after, piece->data, sizeof(after));
	return before.len_bytes == after.len_bytes && before.bulk_bytes == after.bulk_bytes;
}

/* The payload of the record at hand, in pieces; `lost` = it is thrown away.  Return: 0, or why the link ends. */
static int read_payload(struct pump *pump, uint64_t bytes, bool lost)
{
	uint64_t cut = pump->options->cut_after_bytes;

	while (bytes) {
		uint32_t part = bytes < CHUNK_BYTES ? (uint32_t)bytes : CHUNK_BYTES;
		struct piece *piece = piece_create(PAYLOAD, part);
		int r;

		if (!piece)
			return pl_err(-ENOMEM);
		r = pl_lane_recv_bulk(pump->from, piece->data, part);
		if (cut && pump->bytes + part > cut)
			piece->bytes = (uint32_t)(cut - pump->bytes); /* no more gets through */
		pump->bytes += piece->bytes;
		if (r || lost || !piece->bytes)
			free(piece);
		else
			push(pump, piece);
		if (r)
			return pl_trace(r);
		if (cut && pump->bytes >= cut)
			return pl_err(-EPIPE);
		bytes -= part;
	}
	return 0;
}

/* One record with its payload.  Return: 0, or why the link ends. */
static int read_record(struct pump *pump)
{
	const struct pl_hook_options *options = pump->options;
	const struct pl_wire_head *head;
	struct piece *piece;
	bool lost;
	int r = pl_lane_recv(pump->from, UINT64_MAX, &head);

	if (r)
		return pl_trace(r);
	if ((options->cut_after && pump->records >= options->cut_after) ||
	    (options->cut_after_bytes && pump->bytes + head->len_bytes > options->cut_after_bytes))
		return pl_err(-EPIPE);
	pump->bytes += head->len_bytes;
	pump->records++;
	lost = options->drop_after && pump->records == options->drop_after + 1;
	if (!lost) {
		piece = piece_create(RECORD, head->len_bytes);
		if (!piece)
			return pl_err(-ENOMEM);
		memcpy(piece->data, head, head->len_bytes);
		if (options->corrupt_every && pump->records % options->corrupt_every == 0 && !corrupt(pump, piece)) {
			free(piece);
			return pl_err(-EPROTO);
		}
		push(pump, piece);
	}
	return pl_trace(read_payload(pump, head->bulk_bytes, lost));
}

static void *reader_run(void *arg)
{
	static const char *const names[] = {"plenum-hook-ro", "plenum-hook-ri"};
	struct pump *pump = arg;
	struct piece *end = piece_create(END, 0); /* made first: the end must come through */
	int r = end ? 0 : pl_err(-ENOMEM);

	pthread_setname_np(pthread_self(), names[pump->inward]);
	while (!r)
		r = read_record(pump);
	if (end) {
		end->why = r;
		push(pump, end);
	} else {
		pl_lane_shutdown(pump->from);
		pl_lane_shutdown(pump->to);
	}
	return NULL;
}

/* ---- delivering ---- */

/* The next piece, at its time. */
static struct piece *pop(struct pump *pump)
{
	struct piece *piece;

	pthread_mutex_lock(&pump->lock);
	for (;;) {
		struct timespec due;

		piece = pump->first;
		if (piece && (pump->deaf || piece->due_ns <= pl_now_ns()))
			break;
		if (!piece) {
			pthread_cond_wait(&pump->changed, &pump->lock);
			continue;
		}
		due = (struct timespec){.tv_sec = (time_t)(piece->due_ns / 1000000000u),
					.tv_nsec = (long)(piece->due_ns % 1000000000u)};
		pthread_cond_timedwait(&pump->changed, &pump->lock, &due);
	}
	pump->first = piece->next;
	if (!pump->first)
		pump->last = &pump->first;
	pump->queued_bytes -= piece->bytes;
	pthread_cond_broadcast(&pump->changed);
	pthread_mutex_unlock(&pump->lock);
	return piece;
}

static int deliver(struct pump *pump, const struct piece *piece)
{
	void *room;
	int r;

	if (piece->kind == PAYLOAD)
		return pl_trace(pl_lane_send_bulk(pump->to, piece->data, piece->bytes));
	r = pl_lane_reserve(pump->to, piece->bytes, &room);
	if (r)
		return pl_trace(r);
	memcpy(room, piece->data, piece->bytes);
	return pl_trace(pl_lane_commit(pump->to, piece->bytes, PL_LANE_NOW));
}

static void tell(struct pump *pump, _Atomic bool *flag)
{
	pthread_mutex_lock(&pump->lock);
	*flag = true;
	pthread_cond_broadcast(&pump->changed);
	pthread_mutex_unlock(&pump->lock);
}

static void *writer_run(void *arg)
{
	static const char *const names[] = {"plenum-hook-wo", "plenum-hook-wi"};
	static const struct pl_wire_head lie = {0};
	struct pump *pump = arg;
	bool end = false;

	pthread_setname_np(pthread_self(), names[pump->inward]);
	prctl(PR_SET_TIMERSLACK, 1ul);
	while (!end) {
		struct piece *piece = pop(pump);

		end = piece->kind == END;
		if (end && piece->why == -EPROTO && pump->inward && /* the user's end finds the rule broken, too */
		    send(pump->to->fd, &lie, sizeof(lie), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			pl_log_debug("hook: nobody hears that the peer broke the rules");
		if (!end && !pump->deaf && deliver(pump, piece)) {
			tell(pump, &pump->deaf);
			if (!pump->inward) /* not inward: a user who closed may still have records on their way */
				pl_lane_shutdown(pump->from);
		}
		free(piece);
	}
	pl_lane_shutdown(pump->to);
	tell(pump, &pump->over);
	return NULL;
}

/* ---- life ---- */

static int pump_init(struct pump *pump, struct pl_lane *from, struct pl_lane *to, const struct pl_hook_options *options,
		     bool inward)
{
	pthread_condattr_t attr;

	*pump = (struct pump){.from = from,
			      .to = to,
			      .options = options,
			      .inward = inward,
			      .last = &pump->first,
			      .random = options->seed * 2 + inward};
	pthread_mutex_init(&pump->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pump->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&pump->reader, NULL, reader_run, pump))
		return pl_err(-EAGAIN);
	if (pthread_create(&pump->writer, NULL, writer_run, pump)) {
		pl_lane_shutdown(from);
		pthread_join(pump->reader, NULL);
		return pl_err(-EAGAIN);
	}
	return 0;
}

static void pump_fini(struct pump *pump)
{
	pthread_join(pump->reader, NULL);
	pthread_join(pump->writer, NULL);
	while (pump->first) {
		struct piece *piece = pump->first;
		pump->first = piece->next;
		free(piece);
	}
	pthread_cond_destroy(&pump->changed);
	pthread_mutex_destroy(&pump->lock);
}

/* Waits until all that was sent has left, or it is clear that nobody takes it. */
static void drain(struct pump *pump)
{
	uint64_t end = pl_now_ns() + DRAIN_NS + pump->options->delay_us * 1000;
	struct timespec t = {.tv_sec = (time_t)(end / 1000000000u), .tv_nsec = (long)(end % 1000000000u)};
	int r = 0;

	pthread_mutex_lock(&pump->lock);
	while (!pump->over && !r)
		r = pthread_cond_timedwait(&pump->changed, &pump->lock, &t);
	pthread_mutex_unlock(&pump->lock);
}

static struct hook *hook_of(struct pl_lane *near)
{
	return (struct hook *)(uintptr_t)near->ops; /* ops is its first member */
}

static void hook_shutdown(struct pl_lane *near)
{
	struct hook *hook = hook_of(near);

	atomic_store(&hook->shut, true);
	hook->near_shutdown(near);
}

static void hook_destroy(struct pl_lane *near)
{
	struct hook *hook = hook_of(near);

	hook->near_destroy(near); /* far sees the end */
	if (!atomic_load(&hook->shut))
		drain(&hook->out);
	tell(&hook->out, &hook->out.deaf);
	pl_lane_shutdown(hook->inner);
	pl_lane_shutdown(hook->far);
	pump_fini(&hook->out);
	pump_fini(&hook->in);
	pl_lane_destroy(hook->far);
	pl_lane_destroy(hook->inner);
	free(hook);
}

/* The threads run no handler of the program's signals. */
static int pumps_init(struct hook *hook)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pump_init(&hook->out, hook->far, hook->inner, &hook->options, false);
	if (!r) {
		r = pump_init(&hook->in, hook->inner, hook->far, &hook->options, true);
		if (r) {
			pl_lane_shutdown(hook->far);
			pump_fini(&hook->out);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

static void lane_destroyp(struct pl_lane **lane)
{
	pl_lane_destroy(*lane);
}

int pl_hook_lane_wrap(struct pl_lane *inner_given, const struct pl_hook_options *options, struct pl_lane **lane_out)
{
	pl_cleanup(lane_destroyp) struct pl_lane *inner = inner_given, *near = NULL, *far = NULL;
	pl_cleanup(pl_freep) struct hook *hook = calloc(1, sizeof(*hook));
	int fds[2], r;

	if (!hook)
		return pl_err(-ENOMEM);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return pl_err(-errno);
	r = pl_tcp_lane_create(fds[0], &near);
	if (r) {
		close(fds[1]);
		return pl_trace(r);
	}
	r = pl_tcp_lane_create(fds[1], &far);
	if (r)
		return pl_trace(r);
	*hook = (struct hook){.ops = *near->ops,
			      .near_shutdown = near->ops->shutdown,
			      .near_destroy = near->ops->destroy,
			      .near = near,
			      .far = far,
			      .inner = inner,
			      .options = *options};
	hook->ops.name = "hook";
	hook->ops.more = NULL;
	hook->ops.shutdown = hook_shutdown;
	hook->ops.destroy = hook_destroy;
	r = pumps_init(hook);
	if (r)
		return pl_trace(r);
	near->ops = &pl_steal(hook)->ops;
	inner = far = NULL;
	*lane_out = pl_steal(near);
	return 0;
}
