#include "link/tcp/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define NEAR_SEND_BYTES (512u << 10) /* SO_SNDBUF to a peer on this host: what is under way stays in a core's cache */
#define KEEP_IDLE_S     15
#define KEEP_EACH_S     5
#define KEEP_COUNT      3
#define UNANSWERED_DEAD 7     /* retransmissions or window probes in a row without an answer: at least 25 s */
#define SILENT_DEAD_MS  60000 /* or two probes and so long no word; probes are up to two minutes apart */

/* Fails on AF_UNIX, which needs nothing of what is set here. */
void pl_tcp_option_set(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

void pl_tcp_socket_prepare(int fd, bool near)
{
	if (near)
		pl_tcp_option_set(fd, SOL_SOCKET, SO_SNDBUF, NEAR_SEND_BYTES);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = PL_TCP_WATCH_S }, sizeof(struct timeval));
	pl_tcp_option_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	pl_tcp_option_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	pl_tcp_option_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	pl_tcp_option_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EACH_S);
	pl_tcp_option_set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
}

/* Nobody at the other end answers.  A full window of a living peer does not count: its probes are answered. */
bool pl_tcp_is_cut(int fd)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes))
		return false;
	return info.tcpi_retransmits >= UNANSWERED_DEAD || info.tcpi_probes >= UNANSWERED_DEAD ||
	       (info.tcpi_probes >= 2 && info.tcpi_last_ack_recv >= SILENT_DEAD_MS);
}

bool pl_tcp_is_tcp(int fd)
{
	int protocol = 0;
	socklen_t bytes = sizeof(protocol);

	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &bytes) && protocol == IPPROTO_TCP;
}

/* Both ends have one address: nothing but memory is between them. */
bool pl_tcp_is_near(int fd)
{
	struct sockaddr_in6 own = { 0 }, peer = { 0 }; /* sockaddr_in is smaller */
	socklen_t own_bytes = sizeof(own), peer_bytes = sizeof(peer);

	if (getsockname(fd, (struct sockaddr *)&own, &own_bytes) ||
	    getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) || own.sin6_family != peer.sin6_family)
		return false;
	if (own.sin6_family == AF_INET6)
		return !memcmp(&own.sin6_addr, &peer.sin6_addr, sizeof(own.sin6_addr));
	return own.sin6_family == AF_INET && !memcmp(&((struct sockaddr_in *)&own)->sin_addr,
						     &((struct sockaddr_in *)&peer)->sin_addr, sizeof(struct in_addr));
}
