#include "server/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wait.h"
#include "link/connection.h"
#include "link/widen.h"
#include "server/serve.h"

#define GREET_NS_MAX 5000000000ull
#define LOOK_S       1          /* how often the watchdog looks */
#define STACK_BYTES  (8u << 20) /* as a lane's thread: the driver runs on it */

static_assert(PL_PEER_WHY_MAX == PL_HAND_TEXT_MAX, "a reason travels in a hand");

void pl_peers_init(struct pl_peers *peers, int control)
{
	pthread_condattr_t attr;

	*peers = (struct pl_peers){ .control = control, .fd = -1, .stall_ns = PL_PEER_STALL_MS * 1000000ull };
	pthread_mutex_init(&peers->request_lock, NULL);
	pthread_mutex_init(&peers->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&peers->news, &attr);
	pthread_condattr_destroy(&attr);
}

void pl_peers_where_add(struct pl_peers *peers, const char *address)
{
	static const char *const any[] = { "tcp://0.0.0.0:", "tcp://[::]:", "tcp://*:", "tcp://:" };
	size_t used = strlen(peers->where);

	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
		if (!strncmp(address, any[i], strlen(any[i])))
			return;
	if ((strncmp(address, "unix:", 5) && strncmp(address, "tcp:", 4)) ||
	    used + strlen(address) + 2 > sizeof(peers->where))
		return;
	snprintf(peers->where + used, sizeof(peers->where) - used, "%s\n", address);
}

/* ---- lanes ---- */

static bool link_take(struct pl_peers *peers)
{
	bool taken;

	pthread_mutex_lock(&peers->lock);
	taken = peers->links < PL_PEER_LINKS_MAX;
	peers->links += taken;
	pthread_mutex_unlock(&peers->lock);
	return taken;
}

static void link_give(struct pl_peers *peers)
{
	pthread_mutex_lock(&peers->lock);
	peers->links--;
	pthread_mutex_unlock(&peers->lock);
}

bool pl_peers_any(struct pl_peers *peers)
{
	bool any;

	pthread_mutex_lock(&peers->lock);
	any = peers->links != 0;
	pthread_mutex_unlock(&peers->lock);
	return any;
}

void pl_peer_leave(struct pl_session_worker *session, struct pl_lane *lane)
{
	pl_lane_destroy(lane);
	link_give(&session->peers);
}

/* ---- others come here ---- */

struct accepted {
	struct pl_session_worker *session;
	uint64_t number;
	int fd;
};

/* A number that is taken stays whose it was. */
static void door_open(struct pl_peers *peers, uint64_t number, struct pl_lane *lane)
{
	struct pl_peer_door *free_one = NULL;

	pthread_mutex_lock(&peers->lock);
	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX && number; i++) {
		if (peers->doors[i].number == number)
			number = 0;
		else if (!peers->doors[i].number)
			free_one = &peers->doors[i];
	}
	if (number && free_one && lane->can_widen)
		*free_one = (struct pl_peer_door){ number, lane };
	pthread_mutex_unlock(&peers->lock);
}

static void door_close(struct pl_peers *peers, const struct pl_lane *lane)
{
	pthread_mutex_lock(&peers->lock);
	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX; i++)
		if (peers->doors[i].lane == lane)
			peers->doors[i] = (struct pl_peer_door){ 0 };
	pthread_mutex_unlock(&peers->lock);
}

/* The lane's thread may be in the middle of anything, but for its end.  Takes over fd. */
static void accept_more(struct pl_session_worker *session, int fd, uint64_t number)
{
	struct pl_hello_reply reply = { .status = PL_HELLO_OK, .session = session->id };
	struct pl_peers *peers = &session->peers;
	struct pl_lane *lane = NULL;

	pthread_mutex_lock(&peers->lock);
	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX && number && !lane; i++)
		if (peers->doors[i].number == number)
			lane = peers->doors[i].lane;
	if (lane)
		(void)pl_link_accept_more(fd, &reply, lane);
	else
		pl_link_refuse(fd, PL_HELLO_E_SESSION, "the session has no lane of this number");
	pthread_mutex_unlock(&peers->lock);
}

static void *accepted_run(void *arg)
{
	struct pl_hello_reply reply = { .status = PL_HELLO_OK };
	struct accepted accepted = *(struct accepted *)arg;
	struct pl_session_worker *session = accepted.session;
	struct pl_lane *lane = NULL;

	free(arg);
	prctl(PR_SET_NAME, "plenum-peer");
	reply.session = session->id;
	if (!pl_link_accept_lane(accepted.fd, &reply, -1, &lane)) {
		door_open(&session->peers, accepted.number, lane);
		session->backend->peer(session, lane);
		door_close(&session->peers, lane);
	}
	pl_peer_leave(session, lane);
	return NULL;
}

static int thread_start(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t id;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(&id, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return r ? pl_err(-r) : 0;
}

void pl_peers_accept(struct pl_session_worker *session, int fd, const struct pl_hello *hello)
{
	struct accepted *accepted = NULL;

	if (hello->kind == PL_HELLO_PEER_MORE) {
		accept_more(session, fd, hello->place);
		return;
	}
	if (!session->backend->peer) {
		pl_link_refuse(fd, PL_HELLO_E_API, "nothing is copied between servers here");
		return;
	}
	if (!link_take(&session->peers)) {
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "too many connections of other servers");
		return;
	}
	accepted = malloc(sizeof(*accepted));
	if (accepted)
		*accepted = (struct accepted){ session, hello->place, fd };
	if (!accepted || thread_start(accepted_run, accepted)) {
		free(accepted);
		pl_link_refuse(fd, PL_HELLO_E_BUSY, "the worker can not start a thread");
		link_give(&session->peers);
	}
}

/* ---- to others ---- */

void pl_peers_answered(struct pl_peers *peers, const struct pl_hand *answer, int fd)
{
	pthread_mutex_lock(&peers->lock);
	if (peers->request == answer->session && !peers->answered) {
		peers->answered = true;
		peers->answer = *answer;
		peers->fd = fd;
		fd = -1;
		pthread_cond_broadcast(&peers->news);
	}
	pthread_mutex_unlock(&peers->lock);
	if (fd >= 0)
		close(fd); /* nobody waits any more */
}

static struct timespec after_ms(uint64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	return t;
}

int pl_peers_request(struct pl_peers *peers, struct pl_hand *request, int fd, struct pl_hand *answer_out, int *fd_out)
{
	static uint64_t requests; /* under request_lock: a worker has one session */
	struct timespec end;
	int r;

	pthread_mutex_lock(&peers->request_lock);
	request->session = ++requests;
	end = after_ms(PL_PEER_DIAL_MS);
	pthread_mutex_lock(&peers->lock);
	peers->request = request->session;
	peers->answered = false;
	r = pl_hand_send(peers->control, request, fd, -1);
	while (!r && !peers->answered)
		r = pthread_cond_timedwait(&peers->news, &peers->lock, &end);
	peers->request = 0;
	if (peers->answered) {
		*answer_out = peers->answer;
		*fd_out = peers->fd;
		r = 0;
	}
	pthread_mutex_unlock(&peers->lock);
	pthread_mutex_unlock(&peers->request_lock);
	return r ? pl_err(r < 0 ? r : -r) : 0;
}

/* Return: a socket, or -1. */
static int dial(struct pl_peers *peers, const char *address, char why_out[PL_PEER_WHY_MAX])
{
	struct pl_hand hand = { .kind = PL_HAND_DIAL }, answer;
	int fd = -1;

	snprintf(hand.text, sizeof(hand.text), "%s", address);
	if (pl_peers_request(peers, &hand, -1, &answer, &fd))
		snprintf(why_out, PL_PEER_WHY_MAX, "no connection in time");
	else
		snprintf(why_out, PL_PEER_WHY_MAX, "%s", answer.text);
	return fd;
}

static struct pl_hello hello_of(const struct pl_peer_place *place, enum pl_hello_kind kind)
{
	struct pl_hello hello = { .kind = kind, .session = place->session, .place = place->number };

	memcpy(hello.secret, place->key, sizeof(hello.secret));
	return hello;
}

int pl_peer_connect(struct pl_session_worker *session, const char *address, struct pl_peer_place *place,
		    struct pl_lane **lane_out, char why_out[PL_PEER_WHY_MAX])
{
	struct pl_peers *peers = &session->peers;
	struct pl_link_opened opened;
	struct pl_hello hello;
	int fd, r;

	if (strlen(address) >= sizeof(place->address)) {
		snprintf(why_out, PL_PEER_WHY_MAX, "its address is too long");
		return pl_err(-EHOSTUNREACH);
	}
	strcpy(place->address, address);
	if (getrandom(&place->number, sizeof(place->number), 0) != sizeof(place->number))
		place->number = 0;
	if (!link_take(peers)) {
		snprintf(why_out, PL_PEER_WHY_MAX, "connected to too many servers");
		return pl_err(-EMFILE);
	}
	fd = dial(peers, place->address, why_out);
	if (fd < 0) {
		link_give(peers);
		return pl_err(-EHOSTUNREACH);
	}
	hello = hello_of(place, PL_HELLO_PEER);
	r = pl_link_greet(fd, &hello, GREET_NS_MAX, &opened);
	if (!r) {
		if (place->number && opened.reply.minor >= PL_HELLO_MINOR_PEER_MORE)
			pl_lane_widens(opened.lane);
		*lane_out = opened.lane;
		return 0;
	}
	link_give(peers);
	snprintf(why_out, PL_PEER_WHY_MAX, "refused: %s", r > 0 ? opened.reply.text : strerrordesc_np(-r));
	return pl_err(-EHOSTUNREACH);
}

struct more {
	struct pl_peers *peers;
	const struct pl_peer_place *place;
};

static int more(void *arg, int *fd_out)
{
	const struct more *of = arg;
	struct pl_hello hello = hello_of(of->place, PL_HELLO_PEER_MORE);
	char why[PL_PEER_WHY_MAX] = "";
	int fd = dial(of->peers, of->place->address, why), r;

	if (fd < 0) {
		pl_log_info("no further connection: %s", why);
		return pl_err(-EHOSTUNREACH);
	}
	r = pl_link_greet_more(fd, &hello, GREET_NS_MAX);
	if (r)
		close(fd);
	else
		*fd_out = fd;
	return r;
}

void pl_peer_widen(struct pl_session_worker *session, const struct pl_peer_place *place, struct pl_lane *lane)
{
	struct more of = { &session->peers, place };

	if (pl_lane_wants(lane))
		pl_lane_widen(lane, more, &of, place->address);
}

/* ---- who stalls ---- */

static uint64_t lane_bytes(const struct pl_lane *lane)
{
	return atomic_load_explicit(&lane->stats.bytes_in, memory_order_relaxed) +
	       atomic_load_explicit(&lane->stats.bytes_out, memory_order_relaxed);
}

static void watch_look(const struct pl_peers *peers, struct pl_peer_watch *watch)
{
	uint64_t bytes = lane_bytes(watch->lane), now_ns = pl_now_ns();

	if (bytes != watch->seen_bytes) {
		watch->seen_bytes = bytes;
		watch->since_ns = now_ns;
	} else if (now_ns - watch->since_ns >= peers->stall_ns) {
		pl_log_warn("a copy between servers stands still: it is given up");
		pl_lane_shutdown(watch->lane);
	}
}

/* Lives as long as the session. */
static void *watchdog_run(void *arg)
{
	struct pl_peers *peers = arg;

	prctl(PR_SET_NAME, "plenum-watch");
	pthread_mutex_lock(&peers->lock);
	for (;;) {
		struct timespec next = after_ms(LOOK_S * 1000);

		if (!peers->watched)
			pthread_cond_wait(&peers->news, &peers->lock);
		else
			pthread_cond_timedwait(&peers->news, &peers->lock, &next);
		for (struct pl_peer_watch *watch = peers->watched; watch; watch = watch->next)
			watch_look(peers, watch);
	}
	return NULL;
}

void pl_peer_watch_begin(struct pl_session_worker *session, struct pl_peer_watch *watch, struct pl_lane *lane)
{
	struct pl_peers *peers = &session->peers;
	bool first;

	*watch = (struct pl_peer_watch){ .lane = lane, .bytes = lane_bytes(lane), .since_ns = pl_now_ns() };
	watch->seen_bytes = watch->bytes;
	pthread_mutex_lock(&peers->lock);
	watch->next = peers->watched;
	peers->watched = watch;
	first = !watch->next;
	if (!peers->watching)
		peers->watching = !thread_start(watchdog_run, peers);
	if (!peers->watching)
		pl_lane_shutdown(lane); /* nobody would end its waiting */
	if (first)
		pthread_cond_broadcast(&peers->news);
	pthread_mutex_unlock(&peers->lock);
}

void pl_peer_watch_end(struct pl_session_worker *session, struct pl_peer_watch *watch)
{
	struct pl_peers *peers = &session->peers;
	struct pl_peer_watch **at = &peers->watched;

	pthread_mutex_lock(&peers->lock);
	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	pthread_mutex_unlock(&peers->lock);
	atomic_fetch_add_explicit(&session->shared->peer_bytes, lane_bytes(watch->lane) - watch->bytes,
				  memory_order_relaxed);
}
