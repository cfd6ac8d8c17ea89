#include <stdio.h>
#include <stdlib.h>

#include "plenum/tool.h"

enum { KEY_KEEP_LOCAL = 256 };

struct arguments {
	struct pl_tool_servers servers;
	bool keep_local;
	char **program;
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0, "unix:/PATH or tcp://HOST:PORT; may be repeated: their devices make one list "
	  "(default: $PLENUM, else the server on this machine)", 0 },
	{ "keep-local", KEY_KEEP_LOCAL, NULL, 0, "keep this machine's own OpenCL platforms visible besides", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case KEY_KEEP_LOCAL:
		arguments->keep_local = true;
		return 0;
	case ARGP_KEY_ARG:
		arguments->program = &state->argv[state->next - 1];
		state->next = state->argc; /* the rest is the program's */
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which program?");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int pl_cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		"[--] PROGRAM [ARGUMENT...]",
		"Run a program with a server's devices.\v"
		"Sets PLENUM, OCL_ICD_VENDORS and LD_LIBRARY_PATH and becomes the program; nothing else.  For tcp "
		"servers set "
		"PLENUM_TOKEN.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };

	pl_tool_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	if (pl_tool_env_set(&arguments.servers, arguments.keep_local) < 0)
		return 1;
	if (pl_tool_libraries_set() < 0) {
		fprintf(stderr, "plenum run: LD_LIBRARY_PATH is too long\n");
		return 1;
	}
	return pl_tool_exec(arguments.program);
}
