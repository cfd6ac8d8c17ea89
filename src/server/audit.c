#include "server/audit.h"

#include <arpa/inet.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void pl_audit_address(const struct pl_conn *conn, char address_out[PL_AUDIT_ADDRESS_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_vm vm;
	} peer = { 0 };
	socklen_t len = sizeof(peer);

	if (getpeername(conn->source.fd, &peer.any, &len) < 0)
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
