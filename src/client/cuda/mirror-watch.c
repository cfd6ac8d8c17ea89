#include "client/cuda/mirror-watch.h"

#include <pthread.h>
#include <signal.h>

#include "base/log.h"
#include "base/threads.h"
#include "base/wait.h"
#include "client/cuda/mirror.h"

#define TICK_MS      1  /* while the device works: as late as either side may see what the other has written */
#define TICK_IDLE_MS 20 /* else: how soon it is noticed that it works */

#define HELD_MAX     256u /* limit: touches that wait for the end of the device's work; more do not */
#define RETRY_MS     1    /* how soon it is asked whether it has ended, at first */
#define RETRY_MAX    8    /* milliseconds: and later on */
#define TIRED        6u   /* times as long as was waited in vain nobody waits */

struct held {
	struct pl_userfault touch;
	uint64_t since_ns;
};

static struct {
	uint64_t tick_ns, retry_ns; /* when the next one is due */
	uint64_t tired_ns;          /* until then no touch waits for the end of the device's work */
	struct held held[HELD_MAX];
	uint32_t held_count;
	int retry_ms;
} watched;

static void retry_in(int ms)
{
	watched.retry_ms = ms < RETRY_MAX ? ms : RETRY_MAX;
	watched.retry_ns = pl_now_ns() + (uint64_t)watched.retry_ms * 1000000u;
}

static void touched_first(const struct pl_userfault *touch)
{
	uint64_t now_ns = pl_now_ns();
	bool patient = watched.held_count < HELD_MAX && now_ns >= watched.tired_ns;

	if (!pl_mirror_touched(touch, patient))
		return;
	watched.held[watched.held_count++] = (struct held){ *touch, now_ns };
	retry_in(RETRY_MS);
}

/* A program that has several threads may never let the device end; one that waits for itself never will. */
static void tire(const struct pl_userfault *touch, uint64_t now_ns)
{
	pl_log_warn("managed memory at %#lx was touched %u ms ago, and the device still works: what is read there may "
		    "be old, what is written there may be lost",
		    (unsigned long)touch->address, pl_mirror_patience_ms);
	watched.tired_ns = now_ns + TIRED * pl_mirror_patience_ms * 1000000ull;
}

static void touched_again(void)
{
	uint64_t now_ns = pl_now_ns();
	uint32_t left = 0;

	for (uint32_t i = 0; i < watched.held_count; i++) {
		const struct held held = watched.held[i];

		if (now_ns >= watched.tired_ns && now_ns - held.since_ns >= pl_mirror_patience_ms * 1000000ull)
			tire(&held.touch, now_ns);
		if (pl_mirror_touched(&held.touch, now_ns >= watched.tired_ns))
			watched.held[left++] = held;
	}
	watched.held_count = left;
	retry_in(2 * watched.retry_ms);
}

/* Return: milliseconds to wait for a touch; -1: there is nothing to do before. */
static int wait_ms(void)
{
	enum pl_mirror_due due = pl_mirror_due();

	if (due == PL_MIRROR_TICK)
		return TICK_MS;
	if (watched.held_count)
		return watched.retry_ms;
	return due == PL_MIRROR_LOOK ? TICK_IDLE_MS : -1;
}

static void *watch(void *arg)
{
	struct pl_userfault touch;
	int r;

	(void)arg;
	while ((r = pl_userfault_next(&touch)) >= 0) {
		if (r)
			touched_first(&touch);
		else
			pl_userfault_wait(wait_ms());
		if (watched.held_count && pl_now_ns() >= watched.retry_ns)
			touched_again();
		if (pl_now_ns() < watched.tick_ns)
			continue;
		pl_mirror_tick();
		watched.tick_ns = pl_now_ns() + TICK_MS * 1000000ull;
	}
	atomic_fetch_sub(&pl_threads_own, 1);
	return NULL;
}

int pl_mirror_watch(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, watch, NULL);
	atomic_fetch_add(&pl_threads_own, !r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}
