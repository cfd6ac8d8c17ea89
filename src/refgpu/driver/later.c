#include <signal.h>

#include "cuda/handle.h"
#include "later.h"

struct running { /* on the stack of who does it */
	const struct pl_cu_ctx *ctx;
	pthread_t thread;
	struct running *next;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, less;
	struct pl_cu_hw *hw; /* under lock, here and below; NULL: there is no thread yet */
	struct pl_cu_later *first, **end;
	struct running *running; /* what threads have taken and do */
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

static void running_drop(const struct running *running)
{
	struct running **at = &queue.running;
	while (*at != running)
		at = &(*at)->next;
	*at = running->next;
}

/* Called with queue.lock held, which is given up meanwhile. */
static void run(struct pl_cu_later *later)
{
	struct running running = { .ctx = later->ctx, .thread = pthread_self(), .next = queue.running };
	void (*fn)(void *arg) = later->fn;
	void *arg = later->arg;
	uint32_t call;
	queue.running = &running;
	pthread_mutex_unlock(&queue.lock);
	call = pl_cuda_call_begin();
	fn(arg);
	pl_cuda_call_end(call);
	pthread_mutex_lock(&queue.lock);
	running_drop(&running);
	pthread_cond_broadcast(&queue.less);
}

/* Called with queue.lock held: something of the context is being done, by another thread than this one. */
static bool others_run(const struct pl_cu_ctx *ctx)
{
	const struct running *running = queue.running;
	while (running && (running->ctx != ctx || pthread_equal(running->thread, pthread_self())))
		running = running->next;
	return running;
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
			run(later);
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
	pthread_t thread;
	if (queue.hw)
		return true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!pthread_create(&thread, NULL, thread_main, NULL)) {
		queue.hw = hw;
		pthread_detach(thread);
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
	while (others_run(ctx))
		pthread_cond_wait(&queue.less, &queue.lock);
	pthread_mutex_unlock(&queue.lock);
}
