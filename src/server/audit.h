/*
 * Who came, and what became of it: a line in the log at level info for each session's begin and end, and for each
 * greeting that was refused.  The format is fixed (man plenumd): programs read it.
 */
#ifndef PL_SERVER_AUDIT_H
#define PL_SERVER_AUDIT_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h> /* newer ones need <sys/socket.h> before */

#include "server/daemon-internal.h"

union pl_peer_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_vm vm;
};

/* The other side of a connection.  Return: known. */
bool pl_audit_peer(const struct pl_conn *conn, union pl_peer_address *peer_out);
/* "unix", or the address and port of the other side ("192.0.2.7:4711", "[2001:db8::7]:4711", "vsock:3:1024"). */
void pl_audit_address(const struct pl_conn *conn, char address_out[PL_AUDIT_ADDRESS_MAX]);
/* "opencl", "cuda" or "nvml". */
const char *pl_audit_api(const struct pl_daemon *daemon, uint32_t api);
/* One word for each kind of refusal. */
const char *pl_audit_reason(enum pl_refused reason);

/* The session has begun: session_note() of the worker is done. */
void pl_audit_began(const struct pl_pool_worker *worker);
/* Its worker has ended; why: one word. */
void pl_audit_ended(const struct pl_pool_worker *worker, const char *why);
/* text: what the client was told */
void pl_audit_refused(const struct pl_conn *conn, enum pl_refused reason, const char *text);

#endif
