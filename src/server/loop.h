/*
 * The daemon's event loop: one thread, epoll.  A source is embedded in what owns it.  A source that was removed gets no
 * more events, also not those that were fetched already, and is freed at the end of the round.
 */
#ifndef PL_SERVER_LOOP_H
#define PL_SERVER_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct pl_source {
	int fd;                                       /* borrowed from the owner */
	bool removed;
	void (*ready)(struct pl_source *source, uint32_t events); /* EPOLL* */
	void (*release)(struct pl_source *source);    /* frees the owner; NULL = nothing to free */
	struct pl_source *removed_next;
};

struct pl_loop {
	int epoll_fd;
	struct pl_source *removed;
};

int pl_loop_init(struct pl_loop *loop);               /* Return: 0, or fatal -errno */
void pl_loop_fini(struct pl_loop *loop);
int pl_loop_add(struct pl_loop *loop, struct pl_source *source, uint32_t events);
void pl_loop_change(struct pl_loop *loop, struct pl_source *source, uint32_t events);
/* No more events of a source that stays: its peer hung up, which epoll would report for ever. */
void pl_loop_mute(struct pl_loop *loop, struct pl_source *source);
/* Idempotent.  The fd stays open: the owner closes it in release() or before. */
void pl_loop_remove(struct pl_loop *loop, struct pl_source *source);

/** pl_loop_round() - waits, runs what is ready, frees what was removed
 * @timeout_ms: -1 = no limit
 * Return: 0, or fatal -errno of epoll_wait(). */
int pl_loop_round(struct pl_loop *loop, int timeout_ms);

#endif
