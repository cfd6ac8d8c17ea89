/* Pairs of connected lanes over every link, made as clients and servers make them: listen, dial, greet, accept. */
#ifndef PL_TEST_LIB_LANES_H
#define PL_TEST_LIB_LANES_H

#include <pthread.h>
#include <stdbool.h>

#include "link/link.h"

struct pl_test_link {
	const char *name;
	bool tcp;    /* else a unix socket in a temporary folder */
	bool shm;    /* the lane lies in shared memory */
	bool hooked; /* the client's end is wrapped (delay only) */
	bool region; /* that shared memory is a part of a region of ivshmem */
	bool vsock;  /* else by vsock, within this machine */
	bool wide;   /* tcp: the lane has more connections than its own */
	bool far;    /* tcp: as between two hosts, so that the lane outlives its connection */
};

extern const struct pl_test_link pl_test_links[];
extern const unsigned pl_test_links_count;

/* Why this machine can not carry the link, or NULL. */
const char *pl_test_link_missing(const struct pl_test_link *link);

struct pl_test_pair {
	const struct pl_test_link *link;
	struct pl_lane *client, *server;
	struct pl_lane *under;  /* of a hooked client: what the hook wraps */
	struct pl_region *region;
};

/* A connection over loopback, both its ends. */
void pl_test_tcp_pair(int fds[2]);

/* This end of a tcp lane believes that its peer is on another host, and outlives its connection. */
void pl_test_lane_far(struct pl_lane *lane, void (*cut_fn)(void *arg));

/* Plain at first; pl_test_pair_ready() does the rest, after a fork() for example. */
void pl_test_pair_create(struct pl_test_pair *pair, const struct pl_test_link *link);
void pl_test_pair_ready(struct pl_test_pair *pair);
void pl_test_pair_destroy(struct pl_test_pair *pair);

/* Shared memory does not tell of a peer's death: its socket does, to a thread that every session has.  This is it. */
struct pl_test_watch {
	pthread_t thread;
	struct pl_lane *lane;
};
void pl_test_watch_start(struct pl_test_watch *watch, struct pl_lane *lane);
void pl_test_watch_end(struct pl_test_watch *watch); /* after the lane was shut down */

/* One record: `len_bytes` with head, filled with bytes that follow from `number`; it announces bulk_bytes. */
int pl_test_record_send(struct pl_lane *lane, uint64_t number, uint32_t len_bytes, uint64_t bulk_bytes,
			enum pl_lane_how how);
/* Takes a record and checks that it is that one. */
void pl_test_record_expect(struct pl_lane *lane, uint64_t number, uint32_t len_bytes, uint64_t bulk_bytes);
void pl_test_record_check(const struct pl_wire_head *head, uint64_t number, uint32_t len_bytes, uint64_t bulk_bytes);

/* Bytes that follow from `seed`; check asserts. */
void pl_test_bytes_fill(void *data, uint64_t bytes, uint64_t seed);
void pl_test_bytes_check(const void *data, uint64_t bytes, uint64_t seed);

#endif
