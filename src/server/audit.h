/* Who came, and what became of it: names for people and for programs that read logs. */
#ifndef PL_SERVER_AUDIT_H
#define PL_SERVER_AUDIT_H

#include "server/daemon-internal.h"

/* "unix", or the address and port of the other side ("192.0.2.7:4711", "[2001:db8::7]:4711", "vsock:3:1024"). */
void pl_audit_address(const struct pl_conn *conn, char address_out[PL_AUDIT_ADDRESS_MAX]);
/* "opencl", "cuda" or "nvml". */
const char *pl_audit_api(const struct pl_daemon *daemon, uint32_t api);
/* One word for each kind of refusal. */
const char *pl_audit_reason(enum pl_refused reason);

#endif
