/*
 * The process that holds one session's device state.  Forked from the daemon with nothing of it but the socket to talk
 * to it and the shared page of counters; loads the driver at once, then waits for its session, serves it, and ends with
 * its client: _exit() gives back everything that the driver held.
 */
#ifndef PL_SERVER_WORKER_H
#define PL_SERVER_WORKER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "server/confine.h"
#include "server/serve.h"

struct pl_listener; /* listener.h */

struct pl_worker_config {
	const struct pl_backend_ops *backend;
	const char *library;
	uint64_t quota[PL_QUOTA_KINDS];
	uint64_t arena_bytes;
	uint32_t lanes_max;
	uint32_t grace_s;      /* as pl_daemon_options */
	bool oversubscribes;   /* device memory (swap.h) */
	uint64_t device_bytes; /* as pl_daemon_options */
	uint32_t keeps_s;      /* sessions can be written down (checkpoint.h), clients wait so long; 0 = not */
	bool keeps;            /* the daemon keeps content for sessions to come (kept.h) */
	enum pl_log_level log_level;
	const char *folder; /* of the server's workers (folder.h); "" = none */
	const struct pl_confine *confine;
	uint32_t slot; /* no other worker that lives has it */
	pid_t parent;
	const struct pl_listener *listeners; /* the daemon's */
	uint32_t listeners_count;
};

/** pl_worker_main() - the whole life of a worker; call it in a fresh child
 * @control: socket to the daemon (hand.h)
 * @shared:  mapped by both */
__attribute__((noreturn)) void pl_worker_main(const struct pl_worker_config *config, int control,
					      struct pl_worker_shared *shared);

#endif
