#include <signal.h>

#include "cuda/handle.h"
#include "later.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct pl_cu_hw *hw; /* under lock, here and below; NULL: there is no thread yet */
	pthread_t thread;
	struct pl_cu_later *first, **end;
	const struct pl_cu_ctx *running; /* whose the thread has taken */
} queue = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.more = PTHREAD_COND_INITIALIZER,
	.less = PTHREAD_COND_INITIALIZER,
	.end = &queue.first,
};

static bool is_due(const struct pl_cu_later *later)
{
	return !later->due || later->due(later->arg);
}

static bool any_due(void *unused)
{
	bool due = false;
	(void)unused;
	pthread_mutex_lock(&queue.lock);
	for (struct pl_cu_later *later = queue.first; later && !due; later = later->next)
		due = is_due(later);
	due |= !queue.first; /* somebody has drained it */
	pthread_mutex_unlock(&queue.lock);
	return due;
}

/* Called with queue.lock held: the first that is due, of this context or of any; NULL: none. */
static struct pl_cu_later *take(const struct pl_cu_ctx *ctx)
{
	struct pl_cu_later *later;
	struct pl_cu_later **at = &queue.first;
	while (*at && ((ctx && (*at)->ctx != ctx) || !is_due(*at)))
		at = &(*at)->next;
	later = *at;
	if (!later)
		return NULL;
	*at = later->next;
	if (!*at)
		queue.end = at;
	return later;
}

/* Called with queue.lock held, which is given up meanwhile. */
static void run(struct pl_cu_later *later)
{
	void (*fn)(void *arg) = later->fn;
	void *arg = later->arg;
	uint32_t call;
	pthread_mutex_unlock(&queue.lock);
	call = pl_cuda_call_begin();
	fn(arg);
	pl_cuda_call_end(call);
	pthread_mutex_lock(&queue.lock);
}

static void *thread_main(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		struct pl_cu_later *later;
		while (!queue.first)
			pthread_cond_wait(&queue.more, &queue.lock);
		later = take(NULL);
		if (later) {
			queue.running = later->ctx;
			run(later);
			queue.running = NULL;
			pthread_cond_broadcast(&queue.less);
			continue;
		}
		pthread_mutex_unlock(&queue.lock);
		pl_cu_hw_wait(queue.hw, any_due, NULL, PL_CU_FOREVER);
		pthread_mutex_lock(&queue.lock);
	}
	return NULL;
}

/* Called with queue.lock held.  The application's signals are not this thread's. */
static bool thread_start(struct pl_cu_hw *hw)
{
	sigset_t all, old;
	if (queue.hw)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&queue.thread, NULL, thread_main, NULL)) {
		queue.hw = hw;
		pthread_detach(queue.thread);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return queue.hw;
}

bool pl_cu_later_add(struct pl_cu_hw *hw, struct pl_cu_later *later)
{
	bool added;
	later->next = NULL;
	pthread_mutex_lock(&queue.lock);
	added = thread_start(hw);
	if (added) {
		*queue.end = later;
		queue.end = &later->next;
		pthread_cond_signal(&queue.more);
	}
	pthread_mutex_unlock(&queue.lock);
	if (added)
		pl_cu_hw_wake(hw); /* the thread may sleep for others' sake: it has to look at this one, too */
	return added;
}

void pl_cu_later_drain(const struct pl_cu_ctx *ctx)
{
	struct pl_cu_later *later;
	pthread_mutex_lock(&queue.lock);
	while ((later = take(ctx)))
		run(later);
	while (queue.running == ctx && !pthread_equal(queue.thread, pthread_self()))
		pthread_cond_wait(&queue.less, &queue.lock);
	pthread_mutex_unlock(&queue.lock);
}
