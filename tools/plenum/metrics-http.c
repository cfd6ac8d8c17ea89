#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "plenum/metrics.h"

union where {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, char *text,
			      size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, text, mode);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status, const char *words)
{
	char text[PL_METRICS_WHY_MAX + 2];

	snprintf(text, sizeof(text), "%s\n", words);
	return answer(connection, status, "text/plain; charset=utf-8", text, strlen(text), MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result request(void *context, struct MHD_Connection *connection, const char *path, const char *method,
			       const char *version, const char *body, size_t *body_len, void **state)
{
	char why[PL_METRICS_WHY_MAX], *text;
	size_t len;

	(void)version;
	(void)body;
	if (!*state) { /* the head alone; again when all is there */
		*state = context;
		return MHD_YES;
	}
	if (*body_len) {
		*body_len = 0; /* of no use */
		return MHD_YES;
	}
	if (strcmp(path, "/metrics"))
		return answer_words(connection, MHD_HTTP_NOT_FOUND, "nothing here: metrics are at /metrics");
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "metrics can be got, no more");
	if (pl_metrics_text(context, &text, &len, why))
		return answer_words(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
	return answer(connection, MHD_HTTP_OK, PL_METRICS_TYPE, text, len, MHD_RESPMEM_MUST_FREE);
}

/* ---- where ---- */

static bool port_read(const char *text, in_port_t *port_out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	*port_out = htons((uint16_t)port);
	return *text >= '0' && *text <= '9' && (!*end || !strcmp(end, "/") || !strcmp(end, "/metrics")) &&
	       port <= 65535;
}

/* http://HOST:PORT, HOST a number or "localhost". */
static bool where_read(const char *url, union where *where_out)
{
	const char *host = url + strlen("http://"), *colon = strrchr(url, ':');
	char text[INET6_ADDRSTRLEN + 2] = "";
	in_port_t port;

	*where_out = (union where){ 0 };
	if (strncmp(url, "http://", strlen("http://")) || colon < host || (size_t)(colon - host) >= sizeof(text) ||
	    !port_read(colon + 1, &port))
		return false;
	memcpy(text, host, (size_t)(colon - host));
	if (text[0] == '[' && text[strlen(text) - 1] == ']') {
		text[strlen(text) - 1] = '\0';
		where_out->in6.sin6_family = AF_INET6;
		where_out->in6.sin6_port = port;
		return inet_pton(AF_INET6, text + 1, &where_out->in6.sin6_addr) == 1;
	}
	where_out->in.sin_family = AF_INET;
	where_out->in.sin_port = port;
	return inet_pton(AF_INET, strcmp(text, "localhost") ? text : "127.0.0.1", &where_out->in.sin_addr) == 1;
}

static void where_print(const union where *where, unsigned port)
{
	char host[INET6_ADDRSTRLEN] = "";
	bool six = where->any.sa_family == AF_INET6;

	inet_ntop(where->any.sa_family, six ? (const void *)&where->in6.sin6_addr : &where->in.sin_addr, host,
		  sizeof(host));
	printf(six ? "http://[%s]:%u/metrics\n" : "http://%s:%u/metrics\n", host, port);
	fflush(stdout);
}

int pl_metrics_serve(const char *url, const char *address)
{
	struct MHD_Daemon *daemon;
	union where where;
	sigset_t ends;
	int sig;

	if (!where_read(url, &where)) {
		fprintf(stderr,
			"plenum metrics: --listen: http://HOST:PORT with a number or localhost for HOST, not `%s'\n",
			url);
		return 2;
	}
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL); /* before there are threads */
	signal(SIGPIPE, SIG_IGN);
	errno = 0;
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD |
					  (where.any.sa_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0u),
				  0, NULL, NULL, request, (void *)address, MHD_OPTION_SOCK_ADDR, &where.any,
				  MHD_OPTION_CONNECTION_LIMIT, (unsigned)PL_METRICS_CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)PL_METRICS_IDLE_SECONDS, MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "plenum metrics: can not listen on %s: %s\n", url,
			strerror(errno ? errno : EADDRNOTAVAIL));
		return 1;
	}
	where_print(&where, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	sigwait(&ends, &sig);
	MHD_stop_daemon(daemon);
	return 0;
}
