#include "client/session.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "client/agree.h"
#include "link/shm/shm.h"

#define DIAL_NS_MAX   (30ull * 1000000000u) /* a server that does not answer a greeting for so long is not there */
#define PUMP_SLICE_NS (100u * 1000000u) /* how often a wait for the reverse lane looks whether the session is dead */

struct pl_client_lane {
	struct pl_lane *lane;
	struct pl_session *session;
	uint32_t epoch;
	uint64_t answered;                /* ticket of the last answer that came */
	bool ahead;                       /* payload of the next call has been sent; only its own thread looks */
	struct pl_client_lane *next;      /* session->lanes_free */
	struct pl_client_lane *next_all;  /* session->lanes_all; lanes live as long as the session's epoch */
	struct pl_client_lane *next_mine; /* this thread's, one a session */
};

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_session *sessions; /* under sessions_lock; never freed */

/* Few bytes, so a library that is loaded late finds room for them too. */
#define HOT_TLS static __thread __attribute__((tls_model("initial-exec")))
HOT_TLS struct pl_client_lane *lane_last;  /* the lane that this thread used last */
HOT_TLS struct pl_client_lane *lanes_mine; /* all of this thread's lanes */
static pthread_key_t thread_key;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

/* ---- lanes and threads ---- */

/* The thread ends: its lanes serve the next one. */
static void thread_ends(void *arg)
{
	struct pl_client_lane *lane = arg;

	lane_last = NULL;
	lanes_mine = NULL;
	while (lane) {
		struct pl_client_lane *next = lane->next_mine;
		struct pl_session *session = lane->session;

		pthread_mutex_lock(&session->lock);
		if (lane->epoch == session->epoch) {
			lane->next = session->lanes_free;
			session->lanes_free = lane;
		}
		pthread_mutex_unlock(&session->lock);
		lane = next;
	}
}

static void fork_child(void);

static void process_init(void)
{
	pthread_key_create(&thread_key, thread_ends);
	pthread_atfork(NULL, NULL, fork_child);
}

static void lanes_shutdown(struct pl_session *session)
{
	pthread_mutex_lock(&session->lock);
	for (struct pl_client_lane *lane = session->lanes_all; lane; lane = lane->next_all)
		pl_lane_shutdown(lane->lane);
	pthread_mutex_unlock(&session->lock);
}

/* The session is over for everybody.  Return: r, for the caller to pass on. */
static int session_dies(struct pl_session *session, int r)
{
	if (!atomic_exchange(&session->dead, true)) {
		pl_log_info("session with %s is lost: %s", session->address, strerrordesc_np(-r));
		pl_lane_shutdown(session->reverse); /* the receiver sees it and tells the shim */
		lanes_shutdown(session);
	}
	return r;
}

/* Called with session->lock held. */
static int lane_dial(struct pl_session *session, struct pl_client_lane **lane_out)
{
	struct pl_hello hello = { .kind = PL_HELLO_LANE,
				  .api = session->api,
				  .api_hash = session->functions->hash,
				  .session = session->id,
				  .pid = (uint32_t)getpid() };
	uint64_t memory = PL_ARENA_NONE;
	struct pl_link_opened opened;
	struct pl_client_lane *lane;
	int r;

	if (session->lanes_count >= PL_SESSION_LANES_MAX)
		return pl_err(-EMFILE);
	if (session->in_region) {
		memory = pl_arena_alloc(&session->arena, PL_SHM_LANE_BYTES);
		hello.place = memory == PL_ARENA_NONE ? 0 : session->arena.start + memory + 1;
	}
	memcpy(hello.secret, session->secret, sizeof(hello.secret));
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return pl_err(-ENOMEM);
	r = pl_link_dial(session->address, &hello, DIAL_NS_MAX, &opened);
	if (r) {
		if (r > 0)
			pl_log_warn("%s refused a lane: %s", session->address, opened.reply.text);
		free(lane);
		if (memory != PL_ARENA_NONE)
			pl_arena_free(&session->arena, memory, PL_SHM_LANE_BYTES, 0);
		return r < 0 ? pl_trace(r) : pl_err(-EMFILE);
	}
	*lane = (struct pl_client_lane){
		.lane = opened.lane, .session = session, .epoch = session->epoch, .next_all = session->lanes_all
	};
	session->lanes_all = lane;
	session->lanes_count++;
	*lane_out = lane;
	return 0;
}

/* This thread's first call on this session. */
static int lane_get(struct pl_session *session, struct pl_client_lane **lane_out)
{
	struct pl_client_lane *lane;
	int r = 0;

	for (lane = lanes_mine; lane; lane = lane->next_mine)
		if (lane->session == session && lane->epoch == session->epoch)
			goto found;
	pthread_mutex_lock(&session->lock);
	lane = session->lanes_free;
	if (lane)
		session->lanes_free = lane->next;
	else
		r = lane_dial(session, &lane);
	pthread_mutex_unlock(&session->lock);
	if (r)
		return pl_trace(r);
	lane->next_mine = lanes_mine;
	lanes_mine = lane;
	pthread_setspecific(thread_key, lane);
found:
	lane_last = lane;
	*lane_out = lane;
	return 0;
}

/* NULL: not known yet, or the session is dead. */
static inline struct pl_client_lane *lane_known(const struct pl_session *session)
{
	struct pl_client_lane *lane = lane_last;
	bool known = lane && lane->session == session &&
		     lane->epoch == atomic_load_explicit(&session->epoch, memory_order_relaxed) &&
		     !atomic_load_explicit(&session->dead, memory_order_relaxed);

	return __builtin_expect(known, 1) ? lane : NULL;
}

static int lane_of_thread(struct pl_session *session, struct pl_client_lane **lane_out)
{
	*lane_out = lane_known(session);
	if (*lane_out)
		return 0;
	if (atomic_load_explicit(&session->dead, memory_order_relaxed))
		return -EPIPE;
	return lane_get(session, lane_out);
}

/* ---- the reverse lane ---- */

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

	if (__builtin_expect(session->agreement != NULL, 0)) {
		ours.op = pl_session_reverse_op(session, head->op);
		head = &ours;
	}
	(void)atomic_load_explicit(&session->ticket, memory_order_acquire);
	session->reverse_fn(session, head, &dec);
	/* A record whose payload broke off has not been handled: no reply that needs it may count as complete. */
	if (!atomic_load(&session->dead))
		atomic_fetch_add_explicit(&session->reverse_seen, 1, memory_order_release);
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
		session_dies(session, r);
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

/* Until `after` records of the reverse lane have been handled, by this thread or another. */
static int pump_until(struct pl_session *session, uint64_t after)
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
	return r ? session_dies(session, r) : 0;
}

int pl_session_reverse_bulk(struct pl_session *session, void *data, uint64_t bytes)
{
	int r = pl_lane_recv_bulk(session->reverse, data, bytes);

	return r ? session_dies(session, r) : 0;
}

static void *receiver_run(void *arg)
{
	struct pl_session *session = arg;
	struct pollfd poll_fd = { .fd = session->reverse->fd, .events = POLLIN | POLLRDHUP };
	int r = 0;

	pthread_setname_np(pthread_self(), "plenum-receiver");
	while (!r && !session->dead) {
		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			r = pl_err(-errno);
		pthread_mutex_lock(&session->pump_lock);
		if (!r)
			r = reverse_drain(session, 0);
		pthread_mutex_unlock(&session->pump_lock);
	}
	session_dies(session, r ? r : -EPIPE);
	session->reverse_fn(session, NULL, NULL);
	return NULL;
}

/* ---- opening, fork ---- */

static void program_name(char *name, size_t room)
{
	snprintf(name, room, "%s", program_invocation_short_name);
}

/* Numbers of another release are translated; most often there is nothing to do. */
static int functions_compare(struct pl_session *session, const struct pl_hello_reply *reply)
{
	free(pl_steal(session->agreement));
	if (reply->api_hash == session->functions->hash || reply->minor < PL_HELLO_MINOR_FUNCTIONS)
		return 0;
	return pl_trace(pl_session_agree(session, DIAL_NS_MAX));
}

/* Called with session->lock held. */
static int session_dial(struct pl_session *session)
{
	struct pl_hello hello = { .kind = PL_HELLO_SESSION,
				  .api = session->api,
				  .api_hash = session->functions->hash,
				  .pid = (uint32_t)getpid() };
	const char *token = getenv("PLENUM_TOKEN");
	struct pl_link_opened opened;
	pthread_attr_t attr;
	int r;

	if (token && snprintf(hello.token, sizeof(hello.token), "%s", token) >= (int)sizeof(hello.token)) {
		pl_log_error("PLENUM_TOKEN is longer than %d bytes", PL_TOKEN_MAX - 1);
		return pl_err(-EINVAL);
	}
	program_name(hello.program, sizeof(hello.program));
	r = pl_link_dial(session->address, &hello, DIAL_NS_MAX, &opened);
	if (r > 0)
		pl_log_warn("%s refused the session: %s", session->address, opened.reply.text);
	if (r)
		return pl_trace(r);
	session->id = opened.reply.session;
	memcpy(session->secret, opened.reply.secret, sizeof(session->secret));
	session->memory_bytes = opened.reply.memory_bytes;
	session->reverse = opened.lane;
	session->shares_memory = session->in_region = false;
	r = functions_compare(session, &opened.reply);
	if (r) {
		pl_lane_destroy(pl_steal(session->reverse));
		if (opened.arena_fd >= 0)
			close(opened.arena_fd);
		return pl_trace(r);
	}
	if (opened.arena_fd >= 0) {
		session->in_region = opened.in_region;
		if (opened.in_region)
			r = pl_arena_init_part(&session->arena, opened.arena_fd, opened.reply.arena_offset,
					       opened.reply.arena_bytes, opened.reply.arena_base);
		else
			r = pl_arena_init(&session->arena, opened.arena_fd, opened.reply.arena_bytes,
					  opened.reply.arena_base);
		if (r)
			pl_log_warn("shared memory of %s can not be used: %s", session->address, strerrordesc_np(-r));
		session->shares_memory = !r;
		session->in_region &= !r;
	}
	atomic_store(&session->ticket, 0);
	atomic_store(&session->asks, 0);
	atomic_store(&session->idle, 0);
	atomic_store(&session->reverse_seen, 0);
	atomic_store(&session->dead, false);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&session->receiver, &attr, receiver_run, session);
	pthread_attr_destroy(&attr);
	if (r) {
		session->dead = true;
		pl_lane_destroy(session->reverse);
		session->reverse = NULL;
		return pl_err(-r);
	}
	session->closed = false;
	return 0;
}

/* Called with sessions_lock held. */
static struct pl_session *session_find(const char *address, enum pl_api api)
{
	for (struct pl_session *session = sessions; session; session = session->next)
		if (session->api == api && !session->left && !strcmp(session->address, address))
			return session;
	return NULL;
}

int pl_session_open(const char *address, enum pl_api api, const struct pl_functions *functions,
		    pl_reverse_fn reverse_fn, struct pl_session **session_out)
{
	struct pl_session *session;
	int r = 0;

	if (strlen(address) >= sizeof(session->address))
		return pl_err(-EINVAL);
	pthread_once(&process_once, process_init);
	pthread_mutex_lock(&sessions_lock);
	session = session_find(address, api);
	if (!session) {
		session = calloc(1, sizeof(*session));
		if (!session) {
			pthread_mutex_unlock(&sessions_lock);
			return pl_err(-ENOMEM);
		}
		strcpy(session->address, address);
		session->api = api;
		session->functions = functions;
		session->reverse_fn = reverse_fn;
		session->closed = true;
		session->dead = true;
		session->epoch = 1;
		session->arena.fd = -1;
		pthread_mutex_init(&session->lock, NULL);
		pthread_mutex_init(&session->pump_lock, NULL);
		session->next = sessions;
		sessions = session;
	}
	pthread_mutex_unlock(&sessions_lock);

	pthread_mutex_lock(&session->lock);
	if (session->closed)
		r = session_dial(session);
	else if (session->dead)
		r = -EPIPE; /* what it held is gone; the process has been told so */
	pthread_mutex_unlock(&session->lock);
	if (!r)
		*session_out = session;
	return r;
}

void pl_session_leave(struct pl_session *session)
{
	pthread_mutex_lock(&sessions_lock);
	session->left = true;
	pthread_mutex_unlock(&sessions_lock);
}

/* In the child after fork(): the parent's sessions are not ours.  Only this thread is left, so no lock is held by
 * anybody; whatever state a vanished thread was in the middle of is replaced.  Mapped arenas stay readable. */
static void fork_child(void)
{
	pthread_mutex_init(&sessions_lock, NULL);
	lane_last = NULL;
	lanes_mine = NULL;
	pthread_setspecific(thread_key, NULL);
	for (struct pl_session *session = sessions; session; session = session->next) {
		pthread_mutex_init(&session->lock, NULL);
		pthread_mutex_init(&session->pump_lock, NULL);
		for (struct pl_client_lane *lane = session->lanes_all; lane; lane = lane->next_all)
			close(lane->lane->fd);
		if (session->reverse && !session->closed)
			close(session->reverse->fd);
		if (session->arena.fd >= 0)
			close(session->arena.fd);
		session->arena = (struct pl_arena){ .fd = -1 };
		session->reverse = NULL;
		session->lanes_all = NULL;
		session->lanes_free = NULL;
		session->lanes_count = 0;
		session->shares_memory = session->in_region = false;
		session->closed = true;
		session->dead = true;
		session->epoch++;
	}
}

void pl_session_totals_get(struct pl_session_totals *totals)
{
	*totals = (struct pl_session_totals){ 0 };
	pthread_mutex_lock(&sessions_lock);
	for (struct pl_session *session = sessions; session; session = session->next) {
		totals->asks += session->asks;
		totals->posts += session->ticket - session->asks;
		for (struct pl_client_lane *lane = session->lanes_all; lane; lane = lane->next_all) {
			const struct pl_lane_stats *stats = &lane->lane->stats;
			totals->bytes_out += stats->bytes_out;
			totals->bytes_in += stats->bytes_in;
			totals->wakes += stats->wakes;
			totals->spins += stats->spins;
			totals->sleeps += stats->sleeps;
		}
		if (session->reverse) {
			totals->bytes_out += session->reverse->stats.bytes_out;
			totals->bytes_in += session->reverse->stats.bytes_in;
		}
	}
	pthread_mutex_unlock(&sessions_lock);
}

uint64_t pl_session_id_mint(struct pl_session *session)
{
	return atomic_fetch_add_explicit(&session->ids_last, 1, memory_order_relaxed) + 1;
}

/* ---- calls ---- */

static void call_before(struct pl_session *session, struct pl_client_lane *lane, uint16_t op)
{
	void (*before)(struct pl_session *, uint16_t) = atomic_load_explicit(&session->before, memory_order_relaxed);

	if (__builtin_expect(!before, 1))
		return;
	if (!lane->ahead)
		before(session, op);
	lane->ahead = false;
}

/* Writes what is known of the head; call_send() writes the rest. */
int pl_call_begin(struct pl_call *call, struct pl_session *session, uint16_t op, uint64_t body_bytes)
{
	struct pl_client_lane *lane = lane_known(session);
	struct pl_wire_head *head;
	void *room;
	int r = 0;

	if (__builtin_expect(!lane, 0)) {
		r = lane_of_thread(session, &call->lane);
		if (r)
			return pl_trace(r);
		lane = call->lane;
	}
	call_before(session, lane, op);
	op = pl_session_op(session, op);
	if (__builtin_expect(!op, 0))
		return -ENOSYS;
	if (body_bytes > PL_WIRE_RECORD_MAX - sizeof(*head))
		return pl_err(-EMSGSIZE);
	call->lane = lane;
	call->len_bytes = (uint32_t)(sizeof(*head) + body_bytes);
	r = pl_lane_reserve(lane->lane, call->len_bytes, &room);
	if (__builtin_expect(r, 0))
		return session_dies(session, r);
	head = room;
	head->len_bytes = call->len_bytes;
	head->op = op;
	call->session = session;
	call->room = room;
	call->enc.at = (uint8_t *)(head + 1);
	return 0;
}

/* The ticket is taken at the last moment: nobody else waits while the record is written. */
static inline int call_send(struct pl_call *call, uint16_t flags, uint64_t bulk_bytes)
{
	struct pl_wire_head *head = (struct pl_wire_head *)call->room;

	/* Release: what the program did before comes before what the server sends because of it; reverse_handle(). */
	call->ticket = atomic_fetch_add_explicit(&call->session->ticket, 1, memory_order_release) + 1;
	head->flags = flags;
	head->ticket = call->ticket;
	head->bulk_bytes = bulk_bytes;
	return pl_lane_commit(call->lane->lane, call->len_bytes,
			      bulk_bytes            ? PL_LANE_MORE
			      : flags & PL_WIRE_ASK ? PL_LANE_NOW
						    : PL_LANE_SOON);
}

int pl_call_post(struct pl_call *call)
{
	int r = call_send(call, 0, 0);

	return __builtin_expect(r, 0) ? session_dies(call->session, r) : 0;
}

int pl_call_post_free(struct pl_call *call)
{
	struct pl_wire_head *head = (struct pl_wire_head *)call->room;
	int r;

	atomic_fetch_add_explicit(&call->session->frees, 1, memory_order_release); /* as a ticket; call_wait() */
	head->flags = PL_WIRE_FREE;
	head->ticket = 0;
	head->bulk_bytes = 0;
	r = pl_lane_commit(call->lane->lane, call->len_bytes, PL_LANE_NOW);
	return r ? session_dies(call->session, r) : 0;
}

int pl_call_post_after(struct pl_call *call, const void *data, uint64_t bytes)
{
	int r = call_send(call, 0, bytes);

	if (!r)
		r = pl_lane_send_bulk(call->lane->lane, data, bytes);
	return r ? session_dies(call->session, r) : 0;
}

uint64_t pl_session_answered(const struct pl_session *session)
{
	const struct pl_client_lane *lane = lane_known(session);

	return lane ? lane->answered : 0;
}

static int call_wait(struct pl_call *call, struct pl_reply *reply)
{
	struct pl_session *session = call->session;
	const struct pl_wire_head *head;
	struct pl_wire_reply body;
	int r = pl_lane_recv(call->lane->lane, UINT64_MAX, &head);

	if (r)
		return session_dies(session, r < 0 ? r : -EPROTO);
	if (!(head->flags & PL_WIRE_REPLY) || head->ticket != call->ticket ||
	    head->len_bytes < sizeof(*head) + sizeof(body))
		return session_dies(session, pl_err(-EPROTO));
	memcpy(&body, head + 1, sizeof(body));
	(void)atomic_load_explicit(&session->frees, memory_order_acquire);
	call->lane->answered = head->ticket;
	if (!(body.flags & PL_WIRE_REPLY_AHEAD))
		atomic_fetch_add_explicit(&session->ends, 1, memory_order_relaxed);
	if (body.flags & PL_WIRE_REPLY_IDLE)
		atomic_store_explicit(&session->idle, head->ticket, memory_order_relaxed);
	*reply = (struct pl_reply){
		.status = body.status,
		.flags = body.flags,
		.bulk_bytes = head->bulk_bytes,
		.lane = call->lane,
		.dec = { .at = (const uint8_t *)(head + 1) + sizeof(body),
			 .end = (const uint8_t *)head + head->len_bytes,
			 .arena = session->arena.base,
			 .arena_bytes = session->arena.bytes,
			 .after_bytes = head->bulk_bytes },
	};
	if (atomic_load_explicit(&session->reverse_seen, memory_order_acquire) < body.after)
		return pl_trace(pump_until(session, body.after));
	return 0;
}

int pl_call_ask_after(struct pl_call *call, const void *data, uint64_t bytes, struct pl_reply *reply)
{
	int r = call_send(call, PL_WIRE_ASK, bytes);

	atomic_fetch_add_explicit(&call->session->asks, 1, memory_order_relaxed);
	if (!r && bytes)
		r = pl_lane_send_bulk(call->lane->lane, data, bytes);
	return r ? session_dies(call->session, r) : call_wait(call, reply);
}

int pl_call_ask_send(struct pl_call *call)
{
	int r = call_send(call, PL_WIRE_ASK, 0);

	atomic_fetch_add_explicit(&call->session->asks, 1, memory_order_relaxed);
	return r ? session_dies(call->session, r) : 0;
}

int pl_call_ask_wait(struct pl_call *call, struct pl_reply *reply)
{
	return call_wait(call, reply);
}

int pl_call_ask(struct pl_call *call, struct pl_reply *reply)
{
	return pl_call_ask_after(call, NULL, 0, reply);
}

int pl_call_bulk(struct pl_reply *reply, void *data, uint64_t bytes)
{
	int r;

	if (bytes > reply->bulk_bytes)
		return session_dies(reply->lane->session, pl_err(-EPROTO));
	r = pl_lane_recv_bulk(reply->lane->lane, data, bytes);
	if (r)
		return session_dies(reply->lane->session, r);
	reply->bulk_bytes -= bytes;
	return 0;
}

/* ---- bulk ---- */

/* Sent ahead of the call, without a ticket: other threads do not wait while it travels. */
static int bulk_stream(struct pl_session *session, const void *data, uint64_t bytes)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head), .flags = PL_WIRE_BULK, .bulk_bytes = bytes };
	struct pl_client_lane *lane;
	void *room;
	int r = lane_of_thread(session, &lane);

	if (r)
		return pl_trace(r);
	call_before(session, lane, 0);
	lane->ahead = atomic_load_explicit(&session->before, memory_order_relaxed);
	r = pl_lane_reserve(lane->lane, sizeof(head), &room);
	if (!r) {
		memcpy(room, &head, sizeof(head));
		r = pl_lane_commit(lane->lane, sizeof(head), PL_LANE_MORE);
	}
	if (!r)
		r = pl_lane_send_bulk(lane->lane, data, bytes);
	return r ? session_dies(session, r) : 0;
}

int pl_bulk_prepare(struct pl_session *session, struct pl_bulk *bulk, const void *data, uint64_t bytes)
{
	*bulk = (struct pl_bulk){ .kind = PL_BULK_INLINE, .data = data, .bytes = bytes };
	if (bytes <= PL_WIRE_INLINE_MAX)
		return 0;
	if (session->shares_memory) {
		bulk->offset = pl_arena_alloc(&session->arena, bytes);
		if (bulk->offset != PL_ARENA_NONE) {
			bulk->kind = PL_BULK_ARENA;
			memcpy(session->arena.base + bulk->offset, data, bytes);
			return 0;
		}
		bulk->offset = 0; /* the arena is full: the lane carries it */
	}
	bulk->kind = PL_BULK_STREAM;
	return pl_trace(bulk_stream(session, data, bytes));
}

void pl_bulk_done(struct pl_session *session, struct pl_bulk *bulk)
{
	if (bulk->kind == PL_BULK_ARENA)
		pl_arena_free(&session->arena, bulk->offset, bulk->bytes, atomic_load(&session->ticket));
	bulk->kind = PL_BULK_INLINE;
	bulk->bytes = 0;
}
