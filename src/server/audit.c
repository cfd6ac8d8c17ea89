#include "server/audit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/wait.h"

bool pl_audit_peer(const struct pl_conn *conn, union pl_peer_address *peer_out)
{
	socklen_t len = sizeof(*peer_out);

	*peer_out = (union pl_peer_address){ 0 };
	return !getpeername(conn->source.fd, &peer_out->any, &len);
}

void pl_audit_address(const struct pl_conn *conn, char address_out[PL_AUDIT_ADDRESS_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";
	union pl_peer_address peer;

	if (!pl_audit_peer(conn, &peer))
		snprintf(address_out, PL_AUDIT_ADDRESS_MAX, "unknown");
	else if (peer.any.sa_family == AF_INET)
		snprintf(address_out, PL_AUDIT_ADDRESS_MAX, "%s:%u",
			 inet_ntop(AF_INET, &peer.in.sin_addr, host, sizeof(host)), ntohs(peer.in.sin_port));
	else if (peer.any.sa_family == AF_INET6)
		snprintf(address_out, PL_AUDIT_ADDRESS_MAX, "[%s]:%u",
			 inet_ntop(AF_INET6, &peer.in6.sin6_addr, host, sizeof(host)), ntohs(peer.in6.sin6_port));
	else if (peer.any.sa_family == AF_VSOCK)
		snprintf(address_out, PL_AUDIT_ADDRESS_MAX, "vsock:%u:%u", peer.vm.svm_cid, peer.vm.svm_port);
	else
		snprintf(address_out, PL_AUDIT_ADDRESS_MAX, "unix");
}

const char *pl_audit_api(const struct pl_daemon *daemon, uint32_t api)
{
	switch (daemon->options->apis[api].backend->api) {
	case PL_API_CUDA:
		return "cuda";
	case PL_API_NVML:
		return "nvml";
	default:
		return "opencl";
	}
}

const char *pl_audit_reason(enum pl_refused reason)
{
	static const char *const words[PL_REFUSED_KINDS] = {
		[PL_REFUSED_DRAINING] = "draining", [PL_HELLO_E_VERSION] = "version", [PL_HELLO_E_TOKEN] = "token",
		[PL_HELLO_E_SESSION] = "session",   [PL_HELLO_E_BUSY] = "busy",       [PL_HELLO_E_API] = "api",
		[PL_HELLO_E_INTERNAL] = "internal",
	};

	return words[reason];
}

/* ---- lines ---- */

#define QUOTED_MAX 160 /* twice what a hello has, and more */

/* In quotes, so that a name neither ends its value nor its line; what is no plain character is a question mark. */
static const char *quote(char room[QUOTED_MAX], const char *text)
{
	size_t at = 0;

	room[at++] = '"';
	for (const char *c = text; *c && at < QUOTED_MAX - 3; c++) {
		if (*c == '"' || *c == '\\')
			room[at++] = '\\';
		room[at++] = *c < ' ' || *c > '~' ? '?' : *c;
	}
	room[at++] = '"';
	room[at] = '\0';
	return room;
}

static const char *who(char room[32], bool local, uid_t uid, const char *other)
{
	if (!local)
		return other;
	snprintf(room, 32, "uid:%lld", uid == (uid_t)-1 ? -1ll : (long long)uid);
	return room;
}

void pl_audit_began(const struct pl_pool_worker *worker)
{
	char program[QUOTED_MAX], user[32];

	pl_log_info("begin session=%llu api=%s who=%s pid=%u program=%s address=%s worker=%d",
		    (unsigned long long)worker->session, pl_audit_api(worker->daemon, worker->api),
		    who(user, worker->local, worker->uid, "token"), worker->client_pid, quote(program, worker->program),
		    worker->address, (int)worker->pid);
}

/* The shared page is the worker's: its figures are what it says. */
void pl_audit_ended(const struct pl_pool_worker *worker, const char *why)
{
	const struct pl_worker_shared *shared = worker->shared;
	uint64_t ms = (pl_now_ns() - worker->began_ns) / 1000000u;
	char program[QUOTED_MAX], user[32];

	pl_log_info(
		"end session=%llu api=%s who=%s pid=%u program=%s address=%s seconds=%llu.%03u posts=%llu asks=%llu "
		"bytes_in=%llu bytes_out=%llu memory_peak_bytes=%llu why=%s",
		(unsigned long long)worker->session, pl_audit_api(worker->daemon, worker->api),
		who(user, worker->local, worker->uid, "token"), worker->client_pid, quote(program, worker->program),
		worker->address, (unsigned long long)(ms / 1000), (unsigned)(ms % 1000),
		(unsigned long long)atomic_load(&shared->posts), (unsigned long long)atomic_load(&shared->asks),
		(unsigned long long)atomic_load(&shared->bytes_in), (unsigned long long)atomic_load(&shared->bytes_out),
		(unsigned long long)atomic_load(&shared->memory_peak_bytes), why);
}

void pl_audit_refused(const struct pl_conn *conn, enum pl_refused reason, const char *text)
{
	static const char *const kinds[] = {
		[PL_HELLO_SESSION] = "session", [PL_HELLO_LANE] = "lane", [PL_HELLO_CONTROL] = "control",
		[PL_HELLO_PEER] = "peer",       [PL_HELLO_MORE] = "more", [PL_HELLO_PEER_MORE] = "more",
		[PL_HELLO_AGAIN] = "again",
	};
	const bool known = conn->hello.magic == PL_HELLO_MAGIC && conn->hello.kind < sizeof(kinds) / sizeof(kinds[0]);
	const char *kind = known ? kinds[conn->hello.kind] : NULL;
	char program[QUOTED_MAX], said[QUOTED_MAX], address[PL_AUDIT_ADDRESS_MAX], user[32];

	pl_audit_address(conn, address);
	pl_log_info("refused kind=%s reason=%s who=%s pid=%d program=%s address=%s text=%s", kind ? kind : "unknown",
		    pl_audit_reason(reason), who(user, conn->local, conn->uid, "unknown"), (int)conn->pid,
		    quote(program, conn->hello.program), address, quote(said, text));
}
