/* A session whose connections are cut: they are made again, and its lanes go on (docs/adr/0032). */
#include "client/session-parts.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/threads.h"
#include "link/connection.h"

#define DIAL_NS_MAX    (5ull * 1000000000u)
#define NAP_NS_MIN     (50u * 1000000u)
#define NAP_NS_MAX     (1000u * 1000000u)
#define REFUSED_NS_MAX (3ull * 1000000000u) /* nobody listens there: the server is gone, or restarts without us */

static int lane_again(struct pl_session *session, struct pl_lane *lane, uint64_t number)
{
	struct pl_hello hello = { .kind = PL_HELLO_AGAIN,
				  .api = session->api,
				  .api_hash = session->functions->hash,
				  .session = session->id,
				  .place = number,
				  .pid = (uint32_t)getpid() };
	struct pl_hello_reply reply;
	int fd, r;

	memcpy(hello.secret, session->secret, sizeof(hello.secret));
	r = pl_link_dial_again(session->address, &hello, DIAL_NS_MAX, &fd, &reply);
	if (r)
		return r == -EPIPE ? -EAGAIN : r; /* in the middle of the greeting */
	pl_client_parted(session, &reply);
	r = lane->ops->resume(lane, fd, NULL, reply.received);
	if (!r)
		pl_log_info("%s: lane %llu goes on over another connection", session->address,
			    (unsigned long long)number);
	return r;
}

/* One try for each lane that is cut.  Return: 0: none is; what the first that still is said. */
static int lanes_again(struct pl_session *session)
{
	int r = pl_lane_is_cut(session->reverse) ? lane_again(session, session->reverse, PL_HELLO_PLACE_REVERSE) : 0;

	for (struct pl_client_lane *lane = session->lanes_all; !r && lane; lane = lane->next_all)
		if (pl_lane_is_cut(lane->lane))
			r = lane_again(session, lane->lane, lane->number);
	return r;
}

/* What the network or a busy server says may pass; that the session is not there does not. */
static bool passes(const struct pl_session *session, int r, uint64_t since_ns)
{
	if (r == -ECONNREFUSED && !session->keeps)
		return pl_now_ns() - since_ns < REFUSED_NS_MAX;
	return r > 0 ? r == PL_HELLO_E_BUSY : r != -EPROTO && r != -EPIPE && r != -ENOMEM && r != -EMFILE;
}

/* Return: there was something to tell. */
static bool tell(const struct pl_session *session, int r)
{
	if (!session->keeps || (r != -ECONNREFUSED && r != PL_HELLO_E_BUSY))
		return false;
	pl_log_info("%s is not there with the session: it is waited for, at most %llu s", session->address,
		    (unsigned long long)(session->grace_ns / 1000000000u));
	return true;
}

static void session_again(struct pl_session *session)
{
	uint64_t since_ns = pl_now_ns();
	long nap_ns = NAP_NS_MIN;
	bool told = false;
	int r;

	while (!session->dead && (r = lanes_again(session))) {
		if (!passes(session, r, since_ns) || pl_now_ns() - since_ns > session->grace_ns) {
			pl_session_dies(session, -EPIPE);
			return;
		}
		told = told || tell(session, r);
		nanosleep(&(struct timespec){ .tv_nsec = nap_ns }, NULL);
		nap_ns = nap_ns * 2 < NAP_NS_MAX ? nap_ns * 2 : NAP_NS_MAX - 1;
	}
}

static void *again_run(void *arg)
{
	struct pl_session *session = arg;

	pthread_setname_np(pthread_self(), "plenum-again");
	pthread_mutex_lock(&session->again.lock);
	for (;;) {
		while (!session->again.wanted)
			pthread_cond_wait(&session->again.some, &session->again.lock);
		session->again.wanted = false;
		pthread_mutex_unlock(&session->again.lock);
		session_again(session);
		pthread_mutex_lock(&session->again.lock);
	}
	return NULL;
}

/* The program's signals are not for this thread.  Called with again.lock held. */
static int thread_start(struct pl_session *session)
{
	pthread_t thread;
	sigset_t every, kept;
	int r;

	if (session->again.runs)
		return 0;
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &kept);
	r = pthread_create(&thread, NULL, again_run, session);
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
	if (r)
		return pl_err(-r);
	atomic_fetch_add(&pl_threads_own, 1);
	pthread_detach(thread);
	session->again.runs = true;
	return 0;
}

static void cut(void *arg)
{
	struct pl_session *session = arg;
	int r;

	pthread_mutex_lock(&session->again.lock);
	session->again.wanted = true;
	r = thread_start(session);
	pthread_cond_signal(&session->again.some);
	pthread_mutex_unlock(&session->again.lock);
	if (r)
		pl_session_dies(session, -EPIPE);
}

void pl_client_parted(struct pl_session *session, const struct pl_hello_reply *reply)
{
	uint64_t before = atomic_load(&session->parted);

	while (session->keeps && before < reply->reverse_sent &&
	       !atomic_compare_exchange_weak(&session->parted, &before, reply->reverse_sent))
		;
}

void pl_client_lane_outlives(struct pl_session *session, struct pl_lane *lane)
{
	if (session->grace_ns)
		pl_lane_resumable(lane, cut, session, session->keeps);
}

/* A server that is there says that it is busy where the session has as many lanes as it may; a worker that writes or
 * reads the session does not answer for as long as that takes. */
bool pl_client_dials_again(struct pl_session *session, int r, uint64_t since_ns)
{
	bool away = r == -ECONNREFUSED || r == -EPIPE ||
		    ((r == PL_HELLO_E_BUSY || r == -ETIMEDOUT) && pl_lane_is_cut(session->reverse));

	if (!session->keeps || !away || session->dead || pl_now_ns() - since_ns > session->grace_ns)
		return false;
	nanosleep(&(struct timespec){ .tv_nsec = NAP_NS_MIN }, NULL);
	return true;
}

void pl_client_again_init(struct pl_session *session)
{
	pthread_mutex_init(&session->again.lock, NULL);
	pthread_cond_init(&session->again.some, NULL);
	session->again.runs = session->again.wanted = false;
}
