/* PLENUM_STATS: counts of all sessions of this process, written when it ends. */
#ifndef PL_CLIENT_STATS_H
#define PL_CLIENT_STATS_H

#include <stdint.h>

/* Once.  host_copied: bytes that a shim copied in the program's memory; NULL: it does not count them. */
void pl_client_stats_start(uint64_t (*host_copied)(void));

#endif
