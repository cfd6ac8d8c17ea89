#include <stdlib.h>

#include "plenum/metrics.h"
#include "plenum/tool.h"

struct arguments {
	struct pl_tool_servers servers;
	const char *listen;
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ "listen", 'l', "http://HOST:PORT", 0, "answer GET /metrics there until SIGTERM (port 0: a free one)", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case 'l':
		arguments->listen = text;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int pl_cmd_metrics(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		NULL,
		"Print a server's figures, and those of its sessions, as OpenMetrics text; or "
		"serve them to Prometheus.",
		NULL,
		NULL,
		NULL
	};
	struct arguments arguments = { 0 };
	char address[PL_LINK_ADDRESS_MAX], why[PL_METRICS_WHY_MAX], *text;
	size_t len;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	if (arguments.listen)
		return pl_metrics_serve(arguments.listen, address);
	if (pl_metrics_text(address, &text, &len, why)) {
		fprintf(stderr, "plenum metrics: %s\n", why);
		return 1;
	}
	fwrite(text, 1, len, stdout);
	free(text);
	return fflush(stdout) ? 1 : 0;
}
