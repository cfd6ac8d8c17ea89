/*
 * plenumd: listens, identifies clients, keeps workers ready, hands each session to one, and keeps the books.  One
 * thread, no driver: all device state lives in the workers (worker.h), each a process of its own.
 */
#ifndef PL_SERVER_DAEMON_H
#define PL_SERVER_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "link/link.h"
#include "server/confine.h"
#include "server/serve.h"

#define PL_DAEMON_LISTENERS_MAX   16          /* limit: addresses of one daemon */
#define PL_DAEMON_APIS_MAX        3           /* limit: APIs of one daemon; each worker has one of them */
#define PL_DAEMON_UIDS_MAX        64          /* limit: --allow-uid */
#define PL_DAEMON_HALF_OPEN_MAX   256         /* limit: connections that have not greeted yet; the oldest goes first */
#define PL_DAEMON_GREETING_MS_MAX 5000        /* limit: from connect to the end of the greeting */
#define PL_DAEMON_SESSIONS_MAX    65536       /* limit: of --sessions-limit */
#define PL_DAEMON_SPARES_MAX      64          /* limit: of --spare */
#define PL_DAEMON_STARTING_MAX    16          /* limit: workers that load their driver at one time */
#define PL_DAEMON_START_MS_MAX    60000       /* limit: a worker that has not loaded its driver by then has failed */
#define PL_DAEMON_BACKOFF_MS_MIN  100         /* after a failed start; doubles with each further one */
#define PL_DAEMON_BACKOFF_MS_MAX  10000
#define PL_DAEMON_DIALS_MAX       16          /* limit: connections to other servers that are being made at one time */
#define PL_DAEMON_DIAL_MS_MAX     5000        /* limit: for one of them, their greeting included */
#define PL_DAEMON_PEERS_MAX       64          /* limit: --peer */
#define PL_DAEMON_SHARES_MAX      8192        /* limit: what sessions keep for others at one time */
#define PL_DAEMON_SHARES_EACH     2048        /* limit: of one session */
#define PL_DAEMON_KEPT_MAX        1024        /* limit: modules that are kept for sessions to come */
#define PL_DAEMON_KEPT_EACH       256         /* limit: of one session; and half of the bytes */
#define PL_DAEMON_STOP_MS         2000        /* workers get this long to end before they are killed */

struct pl_daemon_api {
	const struct pl_backend_ops *backend; /* NULL = none */
	const char *library;        /* the driver's; NULL = the backend's default */
};

struct pl_daemon_options {          /* strings are borrowed for the time of the call */
	struct pl_daemon_api apis[PL_DAEMON_APIS_MAX]; /* the first has to be there */
	const char *version;        /* for people */
	const char *const *listen;  /* addresses; none = pl_daemon_default_address() */
	uint32_t listen_count;
	const char *token_file;     /* NULL = $PLENUM_TOKEN */
	uid_t allow_uids[PL_DAEMON_UIDS_MAX]; /* besides our own and root */
	uint32_t allow_uids_count;
	bool allow_all_users;
	const char *const *peers;   /* addresses of servers that workers may be connected to, with * and ? */
	uint32_t peers_count;
	bool peers_off;             /* and no unix socket of our own user's either */
	uint32_t spares;            /* workers kept ready */
	uint32_t sessions_max, lanes_max;
	uint32_t grace_s;           /* tcp: so long a session outlives its connections; 0 = it does not */
	uint64_t quota[PL_QUOTA_KINDS];
	uint64_t arena_bytes;       /* shared memory of one session; address space only until used */
	uint64_t kept_bytes;        /* of content that is kept for sessions to come (kept.h); 0 = nothing is */
	uint64_t swap_bytes;        /* sessions may have so much more device memory than the devices; 0 = none */
	uint64_t device_bytes;      /* of each device, for what can be moved; 0 = what the driver says */
	uint64_t swap_stay_ns;      /* a session that works stays in for at least so long */
	const char *checkpoints;    /* folder of sessions that are in files; NULL = none */
	uint32_t keeps_s;           /* with it: so long their programs wait for them; not 0 */
	bool kept_apart;            /* for those of the same guest or address alone; of users always */
	int ready_fd;               /* -1 = none; each bound address, then closed.  Closed empty if no worker starts */
	enum pl_log_level log_level;
	struct pl_confine_options confine;
};

#define PL_DAEMON_SWAP_STAY_MS 1000 /* by default */

#define PL_DAEMON_GRACE_S     30   /* by default */
#define PL_DAEMON_GRACE_S_MAX 3600 /* limit */

#define PL_DAEMON_KEEPS_S     86400  /* by default */
#define PL_DAEMON_KEEPS_S_MAX 604800 /* limit */

/* Sessions' device memory moves: more is given than there is, or sessions are written down. */
static inline bool pl_daemon_moves(const struct pl_daemon_options *options)
{
	return options->swap_bytes || options->checkpoints;
}

/* Defaults that fit this machine.  apis and version stay NULL. */
void pl_daemon_options_init(struct pl_daemon_options *options);

/** pl_daemon_run() - serves until SIGTERM or SIGINT
 * The calling process must have one thread and no children of its own: the daemon forks from it and reaps all.
 * Blocks the signals that it handles and leaves them blocked; ignores SIGHUP and SIGPIPE.
 * Return: 0 after a clean end; fatal -errno, explained through the log at level error. */
int pl_daemon_run(const struct pl_daemon_options *options);

/** pl_daemon_default_address() - where a server listens, and where programs look for one, when nobody says otherwise
 * "unix:" and $XDG_RUNTIME_DIR/plenum.sock, else /run/plenum.sock for root, else /tmp/plenum-UID.sock. */
void pl_daemon_default_address(char address_out[PL_LINK_ADDRESS_MAX]);

#endif
