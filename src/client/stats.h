/* PLENUM_STATS: counts of all sessions of this process, written when it ends. */
#ifndef PL_CLIENT_STATS_H
#define PL_CLIENT_STATS_H

#include <stdint.h>

#define PL_CLIENT_STATS_MAX 4 /* limit: further numbers */

/* Once.  host_copied: bytes that a shim copied in the program's memory; NULL: it does not count them. */
void pl_client_stats_start(uint64_t (*host_copied)(void));

/* One more number for the same file; `name` and `counter` of static life. */
void pl_client_stats_also(const char *name, const _Atomic uint64_t *counter);

#endif
