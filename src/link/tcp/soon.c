#include "link/tcp/soon.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/threads.h"
#include "link/link.h"

#define NAP_NS     50000u /* the system adds as much again */
#define ROUNDS_MAX 20u    /* looks in vain before a lane is left alone */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct pl_soon *lanes; /* under lock, here and below */
	bool runs;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER };

static _Atomic uint32_t holding; /* lanes that hold something */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Called with all.lock held.  A lane whose thread is at it sends by itself. */
static void lanes_send(bool counts)
{
	for (struct pl_soon **at = &all.lanes; *at;) {
		struct pl_soon *soon = *at;

		if (!pl_lock_try(&soon->lock)) {
			soon->rounds = 0;
			at = &soon->next;
			continue;
		}
		soon->rounds = soon->send(soon) ? 0 : soon->rounds + counts;
		if (soon->rounds > ROUNDS_MAX) {
			*at = soon->next;
			atomic_store(&soon->armed, false);
		} else {
			at = &soon->next;
		}
		pl_unlock(&soon->lock);
	}
}

static void *look_after(void *arg)
{
	(void)arg;
	pthread_setname_np(pthread_self(), "plenum-sender");
	pthread_mutex_lock(&all.lock);
	for (;;) {
		while (!all.lanes)
			pthread_cond_wait(&all.some, &all.lock);
		pthread_mutex_unlock(&all.lock);
		nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
		pthread_mutex_lock(&all.lock);
		lanes_send(true);
	}
	return NULL;
}

/* The thread is then not in the middle of the list, and has no lane's lock. */
static void fork_prepare(void)
{
	pthread_mutex_lock(&all.lock);
}

static void fork_parent(void)
{
	pthread_mutex_unlock(&all.lock);
}

/* The child has one thread, and its parent's lanes are not its own: what they hold back the parent sends. */
static void fork_child(void)
{
	pthread_mutex_init(&all.lock, NULL);
	pthread_cond_init(&all.some, NULL);
	for (struct pl_soon *soon = all.lanes; soon; soon = soon->next) {
		soon->holds = false;
		atomic_store(&soon->armed, false);
	}
	all.lanes = NULL;
	all.runs = false;
	atomic_store(&holding, 0);
}

static void first(void)
{
	pthread_atfork(fork_prepare, fork_parent, fork_child);
}

/* Called with all.lock held.  The program's signals are not for this thread. */
static bool thread_start(void)
{
	pthread_t thread;
	sigset_t every, kept;

	if (all.runs)
		return true;
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &kept);
	all.runs = !pthread_create(&thread, NULL, look_after, NULL);
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
	atomic_fetch_add(&pl_threads_own, all.runs);
	if (all.runs)
		pthread_detach(thread);
	return all.runs;
}

static bool arm(struct pl_soon *soon)
{
	bool runs;

	pthread_once(&once, first);
	pthread_mutex_lock(&all.lock);
	runs = thread_start();
	if (runs) {
		soon->next = all.lanes;
		soon->rounds = 0;
		all.lanes = soon;
		atomic_store(&soon->armed, true);
		if (!soon->next)
			pthread_cond_signal(&all.some);
	}
	pthread_mutex_unlock(&all.lock);
	return runs;
}

bool pl_soon_hold(struct pl_soon *soon)
{
	if (!atomic_load_explicit(&soon->armed, memory_order_relaxed) && !arm(soon))
		return false;
	if (!soon->holds)
		atomic_fetch_add(&holding, 1);
	soon->holds = true;
	return true;
}

void pl_soon_sent(struct pl_soon *soon)
{
	if (soon->holds)
		atomic_fetch_sub(&holding, 1);
	soon->holds = false;
}

/* A lane whose lock the caller has is left out. */
void pl_lanes_flush(void)
{
	if (!atomic_load_explicit(&holding, memory_order_relaxed))
		return;
	pthread_mutex_lock(&all.lock);
	lanes_send(false);
	pthread_mutex_unlock(&all.lock);
}

void pl_soon_remove(struct pl_soon *soon)
{
	pthread_mutex_lock(&all.lock);
	for (struct pl_soon **at = &all.lanes; *at; at = &(*at)->next)
		if (*at == soon) {
			*at = soon->next;
			break;
		}
	pthread_mutex_unlock(&all.lock);
	pl_soon_sent(soon);
}
