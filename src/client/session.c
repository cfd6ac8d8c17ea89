/* Sessions and their lanes: opening, the threads that use them, fork(). */
#include "client/session-parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/machine.h"
#include "base/threads.h"
#include "client/agree.h"
#include "link/shm/shm.h"

#define DIAL_NS_MAX (30ull * 1000000000u) /* a server that does not answer a greeting for so long is not there */

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pl_session *sessions; /* under sessions_lock; never freed */

__thread struct pl_client_lane *pl_client_lane_last PL_CLIENT_HOT_TLS;
static __thread struct pl_client_lane *lanes_mine PL_CLIENT_HOT_TLS; /* all of this thread's lanes */
static __thread bool (*ops_outside)(uint16_t op) PL_CLIENT_HOT_TLS;
void (*_Atomic pl_client_thread_left)(void);
static pthread_key_t thread_key;
static pthread_once_t process_once = PTHREAD_ONCE_INIT;

/* ---- lanes and threads ---- */

/* The thread ends: its lanes serve the next one. */
static void thread_ends(void *arg)
{
	struct pl_client_lane *lane = arg;
	void (*left)(void) = atomic_load(&pl_client_thread_left);

	pl_client_lane_last = NULL;
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
	if (left)
		left();
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

int pl_session_dies(struct pl_session *session, int r)
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
				  .place = session->lanes_count + PL_HELLO_PLACE_REVERSE + 1,
				  .pid = (uint32_t)getpid() };
	uint64_t memory = PL_ARENA_NONE, since_ns = pl_now_ns();
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
	do
		r = pl_link_dial(session->address, &hello, DIAL_NS_MAX, &opened);
	while (r && pl_client_dials_again(session, r, since_ns));
	if (r) {
		if (r > 0)
			pl_log_warn("%s refused a lane: %s", session->address, opened.reply.text);
		free(lane);
		if (memory != PL_ARENA_NONE)
			pl_arena_free(&session->arena, memory, PL_SHM_LANE_BYTES, 0);
		return r < 0 ? pl_trace(r) : pl_err(-EMFILE);
	}
	*lane = (struct pl_client_lane){ .lane = opened.lane,
					 .session = session,
					 .epoch = session->epoch,
					 .number = hello.place,
					 .next_all = session->lanes_all };
	pl_client_parted(session, &opened.reply);
	pl_client_lane_outlives(session, lane->lane);
	pl_client_lane_widens(session, lane->lane);
	session->lanes_all = lane;
	session->lanes_count++;
	*lane_out = lane;
	return 0;
}

void pl_session_thread_outside(bool (*op_outside)(uint16_t op))
{
	ops_outside = op_outside;
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
	lane->outside = ops_outside;
	pl_client_lane_last = lane;
	*lane_out = lane;
	return 0;
}

enum pl_thread_owed pl_session_thread_owed(const struct pl_session *session)
{
	const struct pl_client_lane *lane = lanes_mine;

	while (lane && (lane->session != session || lane->epoch != session->epoch))
		lane = lane->next_mine;
	if (!lane || lane->sent == lane->taken)
		return PL_THREAD_OWED_NOTHING;
	return lane->asks_out ? PL_THREAD_OWED_ANSWERS : PL_THREAD_OWED_POSTS;
}

int pl_client_lane_of_thread(struct pl_session *session, struct pl_client_lane **lane_out)
{
	*lane_out = pl_client_lane_known(session);
	if (*lane_out)
		return 0;
	if (atomic_load_explicit(&session->dead, memory_order_relaxed))
		return -EPIPE;
	return lane_get(session, lane_out);
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
				  .pid = (uint32_t)getpid(),
				  .place = pl_machine() };
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
	session->takes_more = opened.reply.minor >= PL_HELLO_MINOR_MORE;
	session->grace_ns = opened.reply.minor >= PL_HELLO_MINOR_AGAIN ? opened.reply.grace_s * 1000000000ull : 0;
	session->keeps = session->grace_ns && opened.reply.minor >= PL_HELLO_MINOR_KEEPS && opened.reply.keeps_s;
	if (session->keeps && opened.reply.keeps_s > opened.reply.grace_s)
		session->grace_ns = opened.reply.keeps_s * 1000000000ull;
	pl_client_lane_outlives(session, session->reverse);
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
	pl_client_lane_widens(session, session->reverse);
	atomic_store(&session->ticket, 0);
	atomic_store(&session->asks, 0);
	atomic_store(&session->idle, 0);
	atomic_store(&session->pages, 0);
	atomic_store(&session->reverse_seen, 0);
	atomic_store(&session->parted, 0);
	atomic_store(&session->dead, false);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&session->receiver, &attr, pl_session_receiver_run, session);
	atomic_fetch_add(&pl_threads_own, !r);
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
		pl_client_again_init(session);
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
	atomic_store(&pl_threads_own, 0);
	pl_client_lane_last = NULL;
	lanes_mine = NULL;
	pthread_setspecific(thread_key, NULL);
	for (struct pl_session *session = sessions; session; session = session->next) {
		pthread_mutex_init(&session->lock, NULL);
		pthread_mutex_init(&session->pump_lock, NULL);
		pl_client_again_init(session);
		for (struct pl_client_lane *lane = session->lanes_all; lane; lane = lane->next_all)
			pl_lane_leave(lane->lane);
		if (session->reverse && !session->closed)
			pl_lane_leave(session->reverse);
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
