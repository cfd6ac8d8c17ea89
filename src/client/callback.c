/* The thread that runs the application's callbacks: they may call the API and block, so no thread of ours does it. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/threads.h"
#include "client/session.h"

struct callback {
	void (*fn)(void *arg);
	void *arg;
	struct callback *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct callback *first, **last = &first; /* under lock */
static bool running;                            /* under lock */
static _Thread_local bool here;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The thread does not exist in a fork()ed child; the parent's pending callbacks are the parent's. */
static void fork_child(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&more, NULL);
	first = NULL;
	last = &first;
	running = false;
}

static void callback_init(void)
{
	pthread_atfork(NULL, NULL, fork_child);
}

static void *callback_thread(void *unused)
{
	(void)unused;
	pthread_setname_np(pthread_self(), "plenum-callback");
	here = true;
	pthread_mutex_lock(&lock);
	for (;;) {
		struct callback *callback = first;

		if (!callback) {
			pthread_cond_wait(&more, &lock);
			continue;
		}
		first = callback->next;
		if (!first)
			last = &first;
		pthread_mutex_unlock(&lock);
		callback->fn(callback->arg);
		free(callback);
		pthread_mutex_lock(&lock);
	}
	return NULL;
}

bool pl_callback_here(void)
{
	return here;
}

bool pl_callback_run(void (*fn)(void *arg), void *arg)
{
	struct callback *callback = malloc(sizeof(*callback));
	pthread_attr_t attr;
	pthread_t thread;

	pthread_once(&once, callback_init);
	if (!callback) {
		pl_log_error("no memory: a callback is lost");
		return false;
	}
	*callback = (struct callback){ .fn = fn, .arg = arg };
	pthread_mutex_lock(&lock);
	*last = callback;
	last = &callback->next;
	if (!running) {
		pthread_attr_init(&attr);
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		running = !pthread_create(&thread, &attr, callback_thread, NULL);
		pthread_attr_destroy(&attr);
		atomic_fetch_add(&pl_threads_own, running);
		if (!running)
			pl_log_error("no thread: callbacks wait");
	}
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
	return true;
}
