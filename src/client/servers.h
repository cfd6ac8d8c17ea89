/* Which servers a program uses: $PLENUM, or what listens on this machine where that is not set. */
#ifndef PL_CLIENT_SERVERS_H
#define PL_CLIENT_SERVERS_H

#include <stdint.h>

#define PL_CLIENT_SERVERS_MAX 64 /* limit: addresses in $PLENUM */

/* The index-th address, each once; NULL = there are no more.  Read once, when it is first asked for. */
const char *pl_client_server(uint32_t index);

#endif
