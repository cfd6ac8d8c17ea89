/* What a server tells Prometheus: OpenMetrics text of its answers on the control socket, and an HTTP server for it. */
#ifndef PL_TOOLS_METRICS_H
#define PL_TOOLS_METRICS_H

#include <stdio.h>

#define PL_METRICS_TYPE            "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define PL_METRICS_CONNECTIONS_MAX 32 /* limit: of the HTTP server */
#define PL_METRICS_IDLE_SECONDS    30 /* limit: a connection that says nothing */
#define PL_METRICS_WHY_MAX         512

struct json_object;

/* @info, @sessions: the answers to these requests. */
void pl_metrics_print(FILE *out, struct json_object *info, struct json_object *sessions);

/** pl_metrics_text() - asks the server at this unix socket
 * @text_out: to be free()d
 * @why_out:  set on failure
 * Return: 0 or -errno. */
int pl_metrics_text(const char *address, char **text_out, size_t *len_out, char why_out[PL_METRICS_WHY_MAX]);

/** pl_metrics_serve() - answers GET /metrics at http://HOST:PORT until SIGTERM or SIGINT
 * Says where on stdout; the server is asked anew each time.  Call it while there is one thread.
 * Return: exit status, said on stderr. */
int pl_metrics_serve(const char *url, const char *address);

#endif
