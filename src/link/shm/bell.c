#include "link/shm/bell.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_BYTES 64 /* rings that came together are taken together */

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
}

static uint32_t bell_mark(struct pl_sleep *sleep)
{
	struct pl_bell *bell = (struct pl_bell *)sleep;

	return atomic_load_explicit(&bell->rung, memory_order_acquire);
}

void pl_bell_wake_here(struct pl_bell *bell)
{
	atomic_fetch_add(&bell->rung, 1);
	syscall(SYS_futex, &bell->rung, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Takes what has come. */
static void drain(struct pl_bell *bell)
{
	char bytes[DRAIN_BYTES];
	ssize_t n = recv(bell->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		atomic_store(&bell->over, true);
}

static void bell_sleep(struct pl_sleep *sleep, uint32_t mark, uint64_t ns)
{
	struct pl_bell *bell = (struct pl_bell *)sleep;
	struct timespec t = time_of(ns), *limit = ns == UINT64_MAX ? NULL : &t;

	if (atomic_exchange(&bell->polling, 1)) { /* the other thread will say so */
		syscall(SYS_futex, &bell->rung, FUTEX_WAIT_PRIVATE, mark, limit, NULL, 0);
		return;
	}
	if (bell_mark(sleep) == mark) {
		struct pollfd poll_fd = { .fd = bell->fd, .events = POLLIN | POLLRDHUP };

		if (ppoll(&poll_fd, 1, limit, NULL) > 0)
			drain(bell);
	}
	/* What was taken may have been for the other thread, which has looked before and takes the socket next: it
	 * finds its mark gone.  Once more below, for the one that looked since and found the socket taken. */
	atomic_fetch_add(&bell->rung, 1);
	atomic_store(&bell->polling, 0);
	pl_bell_wake_here(bell);
}

void pl_bell_ring(struct pl_bell *bell)
{
	static const char byte = 1;

	(void)!send(bell->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void pl_bell_init(struct pl_bell *bell, int fd)
{
	*bell = (struct pl_bell){ .sleep = { .mark = bell_mark, .sleep = bell_sleep }, .fd = fd };
}
