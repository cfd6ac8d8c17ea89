#include "server/loop.h"

#include <unistd.h>

#include "base/err.h"

#define EVENTS_MAX 64

int pl_loop_init(struct pl_loop *loop)
{
	*loop = (struct pl_loop){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	return loop->epoll_fd < 0 ? pl_err(-errno) : 0;
}

static void removed_release(struct pl_loop *loop)
{
	while (loop->removed) {
		struct pl_source *source = loop->removed;

		loop->removed = source->removed_next;
		if (source->release)
			source->release(source);
	}
}

void pl_loop_fini(struct pl_loop *loop)
{
	removed_release(loop);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	loop->epoll_fd = -1;
}

int pl_loop_add(struct pl_loop *loop, struct pl_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	source->removed = false;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0 ? pl_err(-errno) : 0;
}

void pl_loop_change(struct pl_loop *loop, struct pl_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source->removed)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);
}

void pl_loop_mute(struct pl_loop *loop, struct pl_source *source)
{
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

void pl_loop_remove(struct pl_loop *loop, struct pl_source *source)
{
	if (source->removed)
		return;
	source->removed = true;
	if (source->fd >= 0)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->removed_next = loop->removed;
	loop->removed = source;
}

int pl_loop_round(struct pl_loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);

	if (n < 0 && errno != EINTR)
		return pl_err(-errno);
	for (int i = 0; i < n; i++) {
		struct pl_source *source = events[i].data.ptr;

		if (!source->removed)
			source->ready(source, events[i].events);
	}
	removed_release(loop);
	return 0;
}
