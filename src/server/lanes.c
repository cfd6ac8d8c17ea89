#include "server/lanes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/err.h"
#include "link/connection.h"
#include "link/shm/shm.h"

/* A lane's thread runs the driver, whose compiler may run on the calling thread: it gets what a main thread would have.
 * Address space only; a lane that never compiles touches a few pages. */
#define STACK_BYTES (8u << 20)
#define MORE_MAX    128u /* limit: connections that a session adds to its lanes */

struct pl_lanes_thread {
	struct pl_lanes *lanes;
	struct pl_lanes_thread *next, **link; /* under lanes->lock */
	struct pl_lane *lane;                 /* under lanes->lock; NULL until its greeting is answered */
	int fd;
	struct pl_hello_reply reply;
	uint64_t place;  /* of the lane's memory in the session's region, where it has one */
	uint64_t number; /* the client's for this lane; 0 = none */
	uint64_t note;   /* of one that was written down (checkpoint.h) */
	uint32_t more;   /* under lanes->lock: connections that were added */
};

struct pl_hello_reply pl_lanes_reply(const struct pl_lanes *lanes)
{
	struct pl_hello_reply reply = {
		.magic = PL_HELLO_MAGIC,
		.major = PL_HELLO_MAJOR,
		.minor = PL_HELLO_MINOR,
		.status = PL_HELLO_OK,
		.api_hash = lanes->session->backend->functions->hash,
		.session = lanes->session->id,
		.arena_bytes = lanes->session->arena_bytes,
		.arena_base = (uintptr_t)lanes->session->arena,
		.worker_pid = (uint32_t)getpid(),
		.memory_bytes = lanes->session->quota.limit[PL_QUOTA_MEMORY],
		.arena_offset = lanes->session->arena_start,
		.grace_s = lanes->grace_s,
		.keeps_s = lanes->keeps_s,
		.reverse_sent = atomic_load(&lanes->session->reverse_sent),
	};

	memcpy(reply.secret, lanes->secret, sizeof(reply.secret));
	return reply;
}

void pl_lanes_outlive(const struct pl_lanes *lanes, struct pl_lane *lane)
{
	if (lanes->resumes && lanes->grace_s)
		pl_lane_resumable(lane, NULL, NULL, lanes->keeps_s != 0);
}

static void totals_add(struct pl_lanes_totals *totals, struct pl_lane_stats *stats)
{
	totals->bytes_in += atomic_load_explicit(&stats->bytes_in, memory_order_relaxed);
	totals->bytes_out += atomic_load_explicit(&stats->bytes_out, memory_order_relaxed);
	totals->wakes += atomic_load_explicit(&stats->wakes, memory_order_relaxed);
	totals->spins += atomic_load_explicit(&stats->spins, memory_order_relaxed);
	totals->sleeps += atomic_load_explicit(&stats->sleeps, memory_order_relaxed);
}

void pl_lanes_count(struct pl_lanes *lanes)
{
	struct pl_worker_shared *shared = lanes->session->shared;
	struct pl_session_worker *session = lanes->session;
	struct pl_lanes_totals totals;

	pthread_mutex_lock(&lanes->lock);
	totals = lanes->ended;
	for (struct pl_lanes_thread *thread = lanes->first; thread; thread = thread->next)
		if (thread->lane)
			totals_add(&totals, &thread->lane->stats);
	pthread_mutex_unlock(&lanes->lock);
	if (session->reverse)
		totals_add(&totals, &session->reverse->stats);
	atomic_store(&shared->bytes_in, totals.bytes_in);
	atomic_store(&shared->bytes_out, totals.bytes_out);
	atomic_store(&shared->wakes, totals.wakes);
	atomic_store(&shared->spins, totals.spins);
	atomic_store(&shared->sleeps, totals.sleeps);
	atomic_store(&shared->lanes, atomic_load(&session->lanes_count));
	atomic_store(&shared->memory_bytes, atomic_load(&session->quota.used[PL_QUOTA_MEMORY]));
	atomic_store(&shared->memory_peak_bytes, atomic_load(&session->quota.peak[PL_QUOTA_MEMORY]));
	atomic_store(&shared->host_bytes, atomic_load(&session->quota.used[PL_QUOTA_HOST]));
	atomic_store(&shared->inflight_bytes, atomic_load(&session->quota.used[PL_QUOTA_INFLIGHT]));
	atomic_store(&shared->objects, atomic_load(&session->quota.used[PL_QUOTA_OBJECTS]));
}

static void lane_enlist(struct pl_lanes_thread *thread)
{
	struct pl_lanes *lanes = thread->lanes;

	pthread_mutex_lock(&lanes->lock);
	thread->next = lanes->first;
	thread->link = &lanes->first;
	if (thread->next)
		thread->next->link = &thread->next;
	lanes->first = thread;
	pthread_mutex_unlock(&lanes->lock);
}

static void lane_delist(struct pl_lanes_thread *thread)
{
	struct pl_lanes *lanes = thread->lanes;

	pthread_mutex_lock(&lanes->lock);
	if (thread->lane)
		totals_add(&lanes->ended, &thread->lane->stats);
	lanes->more -= thread->more;
	*thread->link = thread->next;
	if (thread->next)
		thread->next->link = thread->link;
	pthread_cond_broadcast(&lanes->answered);
	pthread_mutex_unlock(&lanes->lock);
}

static void lane_answered(struct pl_lanes_thread *thread, struct pl_lane *lane)
{
	pthread_mutex_lock(&thread->lanes->lock);
	thread->lane = lane;
	pthread_cond_broadcast(&thread->lanes->answered);
	pthread_mutex_unlock(&thread->lanes->lock);
}

/* Takes over thread->fd. */
static int lane_accept(struct pl_lanes_thread *thread, struct pl_lane **lane_out)
{
	if (!thread->lanes->in_region)
		return pl_trace(pl_link_accept_lane(thread->fd, &thread->reply, -1, lane_out));
	return pl_trace(pl_link_accept_region_lane(thread->fd, &thread->reply, thread->lanes->session->arena_fd,
						   thread->place, lane_out));
}

/* note: of a lane that was written down; NULL: it is new. */
static void lane_serve(struct pl_lanes *lanes, struct pl_lane *lane, const uint64_t *note)
{
	int r = pl_serve_lane(lanes->session, lane, note);

	if (r == -EPIPE)
		return;
	pl_log_warn("session %llu can not go on: %s", (unsigned long long)lanes->session->id, strerror(-r));
	pl_lanes_count(lanes);
	_exit(1);
}

static void *lane_run(void *arg)
{
	struct pl_lanes_thread *thread = arg;
	struct pl_lanes *lanes = thread->lanes;
	struct pl_lane *lane = NULL;

	prctl(PR_SET_NAME, "plenum-lane");
	if (thread->lane) {
		lane = thread->lane;
		lane_serve(lanes, lane, &thread->note);
	} else if (!lane_accept(thread, &lane)) {
		pl_lanes_outlive(lanes, lane);
		lane_answered(thread, lane);
		lane_serve(lanes, lane, NULL);
	}
	lane_delist(thread);
	pl_lane_destroy(lane);
	atomic_fetch_sub(&lanes->session->lanes_count, 1);
	free(thread);
	return NULL;
}

/* Does the lane's memory lie in the session's part of the region?  The client cuts that alone: what it lays over each
 * other is its own harm. */
static bool place_fits(const struct pl_lanes *lanes, uint64_t place)
{
	const struct pl_session_worker *session = lanes->session;

	return place >= session->arena_start && !(place % 4096u) && session->arena_bytes >= PL_SHM_LANE_BYTES &&
	       place - session->arena_start <= session->arena_bytes - PL_SHM_LANE_BYTES;
}

/* Return: 0, or -errno: it is not listed. */
static int thread_start(struct pl_lanes_thread *thread)
{
	struct pl_lanes *lanes = thread->lanes;
	pthread_attr_t attr;
	pthread_t id;
	int r;

	atomic_fetch_add(&lanes->session->lanes_count, 1);
	lane_enlist(thread);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&id, &attr, lane_run, thread);
	pthread_attr_destroy(&attr);
	if (!r)
		return 0;
	pl_log_warn("session %llu: no thread for a lane: %s", (unsigned long long)lanes->session->id, strerror(r));
	lane_delist(thread);
	atomic_fetch_sub(&lanes->session->lanes_count, 1);
	return -r;
}

void pl_lanes_add(struct pl_lanes *lanes, int fd, const struct pl_hello *hello)
{
	bool placed = lanes->in_region && hello->place;
	struct pl_lanes_thread *thread = NULL;

	if (atomic_load(&lanes->session->lanes_count) >= lanes->lanes_max) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "too many threads: plenum serve --lanes-limit");
		return;
	}
	if (placed && !place_fits(lanes, hello->place - 1)) {
		pl_link_refuse(fd, PL_HELLO_E_SESSION, "a lane's memory outside of the session's");
		return;
	}
	thread = calloc(1, sizeof(*thread));
	if (!thread) {
		pl_link_refuse(fd, PL_HELLO_E_INTERNAL, "the worker is out of memory");
		return;
	}
	*thread = (struct pl_lanes_thread){ .lanes = lanes, .fd = fd, .reply = pl_lanes_reply(lanes) };
	thread->reply.arena_bytes = thread->reply.arena_base = thread->reply.arena_offset = 0;
	thread->reply.lane_bytes = (lanes->in_region ? placed : lanes->local) ? PL_SHM_RING_BYTES : 0;
	thread->place = placed ? hello->place - 1 : 0;
	thread->number = lanes->in_region || lanes->local ? 0 : hello->place;
	if (thread_start(thread)) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "the worker can not start a thread");
		free(thread);
	}
}

int pl_lanes_restore(struct pl_lanes *lanes, struct pl_lane *lane, uint64_t number, uint64_t note)
{
	struct pl_lanes_thread *thread = calloc(1, sizeof(*thread));
	int r = -ENOMEM;

	if (thread) {
		*thread = (struct pl_lanes_thread){
			.lanes = lanes, .lane = lane, .fd = -1, .number = number, .note = note
		};
		r = thread_start(thread);
	}
	if (r) {
		free(thread);
		pl_lane_destroy(lane);
	}
	return r ? pl_err(r) : 0;
}

int pl_lanes_each(struct pl_lanes *lanes, int (*fn)(struct pl_lane *lane, uint64_t number, void *arg), void *arg)
{
	int r = 0;

	pthread_mutex_lock(&lanes->lock);
	for (struct pl_lanes_thread *thread = lanes->first; thread && !r; thread = thread->next)
		if (thread->lane)
			r = fn(thread->lane, thread->number, arg);
	pthread_mutex_unlock(&lanes->lock);
	return r;
}

/* Called with lanes->lock held.  The client may have its answer before the lane's thread has told of it. */
static struct pl_lanes_thread *lane_find(struct pl_lanes *lanes, uint64_t number)
{
	struct pl_lanes_thread *thread;

	for (;;) {
		for (thread = number ? lanes->first : NULL; thread && thread->number != number; thread = thread->next)
			;
		if (!thread || thread->lane)
			return thread;
		pthread_cond_wait(&lanes->answered, &lanes->lock);
	}
}

/* Called with lanes->lock held, which keeps the lane from its end.  NULL: there is none of this number. */
static struct pl_lane *lane_numbered(struct pl_lanes *lanes, uint64_t number, struct pl_lanes_thread **thread_out)
{
	*thread_out = lane_find(lanes, number);
	if (lanes->local || lanes->in_region)
		return NULL;
	if (*thread_out)
		return (*thread_out)->lane;
	return number == PL_HELLO_PLACE_REVERSE ? lanes->session->reverse : NULL;
}

/* Called with lanes->lock held.  Takes over fd. */
static void lane_more(struct pl_lanes *lanes, int fd, const struct pl_hello_reply *reply, struct pl_lane *lane,
		      struct pl_lanes_thread *thread)
{
	if (lanes->more >= MORE_MAX) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "the session has as many connections as it may");
	} else if (!pl_link_accept_more(fd, reply, lane)) {
		lanes->more++;
		if (thread)
			thread->more++;
	}
}

void pl_lanes_connection(struct pl_lanes *lanes, int fd, const struct pl_hello *hello)
{
	struct pl_hello_reply reply = pl_lanes_reply(lanes);
	struct pl_lanes_thread *thread;
	struct pl_lane *lane;

	reply.arena_bytes = reply.arena_base = reply.arena_offset = 0;
	pthread_mutex_lock(&lanes->lock);
	lane = lane_numbered(lanes, hello->place, &thread);
	if (!lane)
		pl_link_refuse(fd, PL_HELLO_E_SESSION, "the session has no lane of this number");
	else if (hello->kind == PL_HELLO_MORE)
		lane_more(lanes, fd, &reply, lane, thread);
	else if (!pl_link_accept_again(fd, &reply, lane))
		pl_count(&lanes->session->shared->resumed, 1);
	pthread_mutex_unlock(&lanes->lock);
}
