#include "link/address.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* newer ones need <sys/socket.h> before */

#include "base/cleanup.h"
#include "base/err.h"

/* ---- text ---- */

static int wrong(const char *text, const char *why)
{
	pl_log_warn("address \"%s\": %s", text, why);
	return pl_err(-EINVAL);
}

static int parse_port(const char *text, char port_out[6])
{
	unsigned long port = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9' && port <= UINT16_MAX; at++)
		port = port * 10 + (unsigned long)(*at - '0');
	if (at == text || *at || port > UINT16_MAX)
		return -EINVAL;
	snprintf(port_out, 6, "%lu", port);
	return 0;
}

static int parse_tcp(const char *text, const char *at, struct pl_address *address)
{
	const char *host = at, *end, *colon;

	if (*at == '[') {
		host = at + 1;
		end = strchr(host, ']');
		if (!end)
			return wrong(text, "\"]\" is missing");
		colon = end + 1;
	} else {
		colon = end = strrchr(at, ':');
		if (end && memchr(at, ':', (size_t)(end - at)))
			return wrong(text, "an IPv6 address stands in brackets: tcp://[::1]:port");
	}
	if (!colon || *colon != ':')
		return wrong(text, "a port is missing: tcp://host:port");
	if (end == host || end - host >= PL_ADDRESS_HOST_MAX)
		return wrong(text,
			     "a host of 1 to 255 characters is needed; 0.0.0.0 or [::] stand for every interface");
	memcpy(address->host, host, (size_t)(end - host));
	if (parse_port(colon + 1, address->port))
		return wrong(text, "the port is a number from 0 to 65535");
	address->kind = PL_ADDRESS_TCP;
	return 0;
}

static int parse_path(const char *text, const char *at, enum pl_address_kind kind, struct pl_address *address)
{
	if (*at != '/' || strlen(at) >= PL_ADDRESS_PATH_MAX)
		return wrong(text, "a unix socket has an absolute path of at most 107 bytes");
	memcpy(address->path, at, strlen(at));
	address->kind = kind;
	return 0;
}

/* Decimal, below UINT32_MAX, up to `end`. */
static bool parse_number(const char *at, const char *end, uint32_t *value_out)
{
	uint64_t value = 0;

	for (const char *c = at; c < end; c++) {
		if (*c < '0' || *c > '9' || value > UINT32_MAX)
			return false;
		value = value * 10 + (uint64_t)(*c - '0');
	}
	*value_out = (uint32_t)value;
	return at < end && value < UINT32_MAX;
}

static int parse_vsock(const char *text, const char *at, struct pl_address *address)
{
	static const struct {
		const char *name;
		uint32_t cid;
	} names[] = { { "any", VMADDR_CID_ANY }, { "host", VMADDR_CID_HOST }, { "local", VMADDR_CID_LOCAL } };
	const char *colon = strchr(at, ':'), *port = colon ? colon + 1 : at;
	bool known = false;

	if (*at == '/')
		return pl_trace(parse_path(text, at, PL_ADDRESS_VSOCK_UNIX, address));
	for (size_t i = 0; colon && i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i].name) == (size_t)(colon - at) &&
		    !strncmp(at, names[i].name, (size_t)(colon - at))) {
			address->cid = names[i].cid;
			known = true;
		}
	if (!colon || (!known && !parse_number(at, colon, &address->cid)))
		return wrong(text, "vsock:CID:PORT, where CID is a number, host, local or any");
	if (!strcmp(port, "any"))
		address->vsock_port = VMADDR_PORT_ANY;
	else if (!parse_number(port, port + strlen(port), &address->vsock_port))
		return wrong(text, "a port of vsock is a number below 4294967295");
	address->kind = PL_ADDRESS_VSOCK;
	return 0;
}

static int parse_plain(const char *text, const char *at, struct pl_address *address)
{
	if (!strncmp(at, "tcp://", 6))
		return pl_trace(parse_tcp(text, at + 6, address));
	if (!strncmp(at, "vsock:", 6))
		return pl_trace(parse_vsock(text, at + 6, address));
	if (strncmp(at, "unix:", 5))
		return wrong(text, "it begins with unix:, tcp://, vsock:, ivshmem: or hook:");
	return pl_trace(parse_path(text, at + 5, PL_ADDRESS_UNIX, address));
}

/* "256M": a number, then nothing, K, M or G (powers of 1024).  0 = wrong. */
static uint64_t parse_size(const char *at, const char *end)
{
	unsigned shift = 0;
	uint32_t value;

	if (at < end) {
		char unit = end[-1];
		shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
	}
	if (!parse_number(at, end - !!shift, &value))
		return 0;
	return (uint64_t)value << shift;
}

/* What stands between "ivshmem:" and the semicolon at `end`. */
static int parse_region(const char *text, const char *at, const char *end, struct pl_address *address)
{
	const char *comma = memchr(at, ',', (size_t)(end - at)), *path_end = comma ? comma : end;

	if (path_end - at >= PL_ADDRESS_PATH_MAX || (path_end != at && *at != '/'))
		return wrong(text, "a guest's memory is a file with an absolute path of at most 107 bytes");
	memcpy(address->region, at, (size_t)(path_end - at));
	address->in_region = true;
	if (!comma)
		return 0;
	if (strncmp(comma, ",size=", 6))
		return wrong(text, "behind the file only size= is known");
	address->region_bytes = parse_size(comma + 6, end);
	return address->region_bytes ? 0 : wrong(text, "size= is a number of bytes, or with K, M or G");
}

int pl_address_parse(const char *text, struct pl_address *address_out)
{
	struct pl_address address = { 0 };
	const char *at = text;
	int r;

	if (strlen(text) >= PL_LINK_ADDRESS_MAX)
		return pl_err(-EINVAL);
	if (!strncmp(at, "hook:", 5)) {
		char options[PL_LINK_ADDRESS_MAX];
		const char *end = strchr(at, ';');

		if (!end)
			return wrong(text, "hook:key=value,...;ADDRESS");
		snprintf(options, sizeof(options), "%.*s", (int)(end - at - 5), at + 5);
		if (pl_hook_options_parse(options, &address.hook))
			return wrong(text, "unknown hook option, or a bad value");
		address.hooked = true;
		at = end + 1;
	}
	if (!strncmp(at, "ivshmem:", 8)) {
		const char *end = strchr(at, ';');

		if (!end)
			return wrong(text, "ivshmem:FILE;ADDRESS, where ADDRESS is how the two get to know each other");
		r = parse_region(text, at + 8, end, &address);
		if (r)
			return pl_trace(r);
		at = end + 1;
	}
	r = parse_plain(text, at, &address);
	if (r)
		return pl_trace(r);
	*address_out = address;
	return 0;
}

/* ---- connecting ---- */

static struct sockaddr_un unix_address(const struct pl_address *address)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	memcpy(at.sun_path, address->path, sizeof(at.sun_path));
	return at;
}

/* A full backlog makes the kernel wait; the send timeout bounds that. */
static int connect_unix(const struct pl_address *address, uint64_t deadline_ns, int *fd_out)
{
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = unix_address(address);
	struct timeval none = { 0 };

	if (fd < 0)
		return pl_err(-errno);
	for (;;) {
		uint64_t now = pl_now_ns(), left_us = now < deadline_ns ? (deadline_ns - now) / 1000 : 0;
		struct timeval left = { .tv_sec = (time_t)(left_us / 1000000),
					.tv_usec = (suseconds_t)(left_us % 1000000) };

		if (!left_us)
			return pl_err(-ETIMEDOUT);
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
		if (!connect(fd, (struct sockaddr *)&at, sizeof(at)))
			break;
		if (errno != EINTR && errno != EAGAIN)
			return pl_err(-errno);
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

static int connect_one(const struct sockaddr *at, socklen_t at_bytes, uint64_t deadline_ns, int *fd_out)
{
	pl_cleanup(pl_closep) int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int error = 0, n = 0;
	socklen_t bytes = sizeof(error);

	if (fd < 0)
		return -errno;
	if (connect(fd, at, at_bytes) < 0 && errno != EINPROGRESS && errno != EINTR)
		return -errno;
	while (n <= 0) {
		uint64_t now = pl_now_ns(), left_ms = now < deadline_ns ? (deadline_ns - now) / 1000000 : 0;

		if (!left_ms)
			return -ETIMEDOUT;
		n = poll(&poll_fd, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX);
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
		error = errno;
	if (error)
		return -error;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
		return -errno;
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

static void addrinfo_freep(struct addrinfo **info)
{
	if (*info)
		freeaddrinfo(*info);
}

static int look_up(const struct pl_address *address, int flags, struct addrinfo **info_out)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = flags | AI_NUMERICSERV };
	int r = getaddrinfo(address->host, address->port, &hints, info_out);

	if (!r)
		return 0;
	*info_out = NULL;
	pl_log_warn("host %s: %s", address->host, gai_strerror(r));
	return pl_err(r == EAI_MEMORY ? -ENOMEM : r == EAI_SYSTEM ? -errno : -EHOSTUNREACH);
}

/* Each of a name's addresses in turn, with an even share of the time that is left. */
static int connect_tcp(const struct pl_address *address, uint64_t deadline_ns, int *fd_out)
{
	pl_cleanup(addrinfo_freep) struct addrinfo *first = NULL;
	unsigned left = 0;
	int r = look_up(address, 0, &first);

	if (r)
		return pl_trace(r);
	for (struct addrinfo *info = first; info; info = info->ai_next)
		left++;
	for (struct addrinfo *info = first; info; info = info->ai_next, left--) {
		uint64_t now = pl_now_ns();

		r = connect_one(info->ai_addr, info->ai_addrlen,
				now < deadline_ns ? now + (deadline_ns - now) / left : now, fd_out);
		if (!r)
			return 0;
	}
	return pl_err(r);
}

static struct sockaddr_vm vsock_address(const struct pl_address *address)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = address->cid, .svm_port = address->vsock_port };
}

static int connect_vsock(const struct pl_address *address, uint64_t deadline_ns, int *fd_out)
{
	struct sockaddr_vm at = vsock_address(address);
	int r = connect_one((struct sockaddr *)&at, sizeof(at), deadline_ns, fd_out);

	if (r == -EAFNOSUPPORT || r == -ENODEV || r == -EADDRNOTAVAIL)
		pl_log_warn("vsock: this machine has no way to CID %u (%s)", address->cid, strerrordesc_np(-r));
	return r == -ECONNRESET ? pl_err(-ECONNREFUSED) : r ? pl_err(r) : 0; /* how vsock says that nobody listens */
}

int pl_address_connect(const struct pl_address *address, uint64_t deadline_ns, int *fd_out)
{
	switch (address->kind) {
	case PL_ADDRESS_UNIX:
	case PL_ADDRESS_VSOCK_UNIX:
		return pl_trace(connect_unix(address, deadline_ns, fd_out));
	case PL_ADDRESS_TCP:
		return pl_trace(connect_tcp(address, deadline_ns, fd_out));
	case PL_ADDRESS_VSOCK:
		return pl_trace(connect_vsock(address, deadline_ns, fd_out));
	}
	return pl_err(-EINVAL);
}

int pl_address_connect_as(int fd, uint64_t deadline_ns, int *fd_out)
{
	struct sockaddr_storage peer;
	socklen_t bytes = sizeof(peer);
	int r;

	if (getpeername(fd, (struct sockaddr *)&peer, &bytes) < 0)
		return pl_err(-errno);
	r = connect_one((struct sockaddr *)&peer, bytes, deadline_ns, fd_out);
	return r ? pl_err(r) : 0;
}

/* ---- listening ---- */

/* A socket that a server left behind when it died refuses connections; a living server's does not. */
static bool unix_is_stale(const struct sockaddr_un *at)
{
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	return fd >= 0 && !lstat(at->sun_path, &st) && S_ISSOCK(st.st_mode) &&
	       connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 && errno == ECONNREFUSED;
}

static int listen_unix(const struct pl_address *address, int *fd_out, char *bound_out)
{
	pl_cleanup(pl_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = unix_address(address);
	int r;

	if (fd < 0)
		return pl_err(-errno);
	r = bind(fd, (struct sockaddr *)&at, sizeof(at));
	if (r < 0 && errno == EADDRINUSE && unix_is_stale(&at)) {
		unlink(at.sun_path);
		r = bind(fd, (struct sockaddr *)&at, sizeof(at));
	}
	if (r < 0)
		return pl_err(-errno);
	if (chmod(at.sun_path, 0600) < 0 || listen(fd, PL_ADDRESS_BACKLOG) < 0) {
		r = pl_err(-errno);
		unlink(at.sun_path);
		return r;
	}
	snprintf(bound_out, PL_LINK_ADDRESS_MAX, "%s:%s", address->kind == PL_ADDRESS_UNIX ? "unix" : "vsock",
		 address->path);
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

static int listen_one(const struct addrinfo *info, int *fd_out, char *bound_out)
{
	pl_cleanup(pl_closep) int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage at;
	socklen_t bytes = sizeof(at);
	char host[PL_ADDRESS_HOST_MAX], port[6];
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, PL_ADDRESS_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &bytes) < 0)
		return -errno;
	if (getnameinfo((struct sockaddr *)&at, bytes, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return -EADDRNOTAVAIL;
	snprintf(bound_out, PL_LINK_ADDRESS_MAX, at.ss_family == AF_INET6 ? "tcp://[%s]:%s" : "tcp://%s:%s", host,
		 port);
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

static int listen_tcp(const struct pl_address *address, int *fd_out, char *bound_out)
{
	pl_cleanup(addrinfo_freep) struct addrinfo *first = NULL;
	int r = look_up(address, AI_PASSIVE, &first);

	if (r)
		return pl_trace(r);
	for (struct addrinfo *info = first; info; info = info->ai_next) {
		r = listen_one(info, fd_out, bound_out);
		if (!r)
			return 0;
	}
	return pl_err(r);
}

static int listen_vsock(const struct pl_address *address, int *fd_out, char *bound_out)
{
	pl_cleanup(pl_closep) int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_vm at = vsock_address(address);
	socklen_t bytes = sizeof(at);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, bytes) < 0 || listen(fd, PL_ADDRESS_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &bytes) < 0)
		return pl_err(-errno);
	if (at.svm_cid == VMADDR_CID_ANY)
		snprintf(bound_out, PL_LINK_ADDRESS_MAX, "vsock:any:%u", at.svm_port);
	else
		snprintf(bound_out, PL_LINK_ADDRESS_MAX, "vsock:%u:%u", at.svm_cid, at.svm_port);
	*fd_out = pl_steal_fd(&fd);
	return 0;
}

static int listen_plain(const struct pl_address *address, int *fd_out, char *bound_out)
{
	switch (address->kind) {
	case PL_ADDRESS_UNIX:
	case PL_ADDRESS_VSOCK_UNIX:
		return pl_trace(listen_unix(address, fd_out, bound_out));
	case PL_ADDRESS_TCP:
		return pl_trace(listen_tcp(address, fd_out, bound_out));
	case PL_ADDRESS_VSOCK:
		return pl_trace(listen_vsock(address, fd_out, bound_out));
	}
	return pl_err(-EINVAL);
}

int pl_address_listen(const struct pl_address *address, int *fd_out, char *bound_out)
{
	char plain[PL_LINK_ADDRESS_MAX], size[32] = "";
	int r = listen_plain(address, fd_out, plain);

	if (r)
		return pl_trace(r);
	if (address->region_bytes)
		snprintf(size, sizeof(size), ",size=%llu", (unsigned long long)address->region_bytes);
	if (snprintf(bound_out, PL_LINK_ADDRESS_MAX, "%s%s%s%s%s", address->in_region ? "ivshmem:" : "",
		     address->region, size, address->in_region ? ";" : "", plain) >= PL_LINK_ADDRESS_MAX) {
		close(*fd_out);
		return pl_err(-ENAMETOOLONG);
	}
	return 0;
}

/* ---- lists ---- */

static bool address_starts(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789");

	return length && text[length] == ':';
}

size_t pl_address_next(const char **list, const char **address_out)
{
	const char *start = *list + strspn(*list, ","), *at = start;

	while (*at && !(*at == ',' && (!at[1] || at[1] == ',' || address_starts(at + 1))))
		at++;
	*address_out = start;
	*list = at;
	return (size_t)(at - start);
}
