#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plenum/tool.h"
#include "plenum/trace-file.h"

enum { KEY_KEEP_LOCAL = 256, KEY_RAW, KEY_CUDA };

struct arguments {
	struct pl_tool_servers servers;
	bool keep_local, text, json;
	const char *file; /* where the result goes */
	const char *raw;  /* convert this instead of running something */
	const char *cuda; /* the driver whose calls are traced; NULL: a server's */
	char **program;
};

static const struct argp_option options[] = {
	{ "text", 't', NULL, 0, "every call, then the totals (default: the totals alone)", 0 },
	{ "json", 'j', "FILE", 0, "Chrome's trace format instead, for ui.perfetto.dev", 0 },
	{ "output", 'o', "FILE", 0, "where text goes (default: stderr; -: stdout)", 0 },
	{ "from", KEY_RAW, "FILE", 0, "convert what a program wrote with PLENUM_TRACE=FILE; runs nothing", 0 },
	{ "server", 's', "ADDRESS", 0, "as for `plenum run'", 0 },
	{ "cuda", KEY_CUDA, "LIBRARY", 0,
	  "CUDA calls of this driver instead of a server's: its libcuda.so.1, or `refgpu'", 0 },
	{ "keep-local", KEY_KEEP_LOCAL, NULL, 0, "as for `plenum run'", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 't':
		arguments->text = true;
		return 0;
	case 'j':
		arguments->json = true;
		arguments->file = text;
		return 0;
	case 'o':
		arguments->file = text;
		return 0;
	case KEY_RAW:
		arguments->raw = text;
		return 0;
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case KEY_CUDA:
		arguments->cuda = text;
		return 0;
	case KEY_KEEP_LOCAL:
		arguments->keep_local = true;
		return 0;
	case ARGP_KEY_ARG:
		arguments->program = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (arguments->text && arguments->json)
			argp_error(state, "--text or --json, not both");
		if (!arguments->program == !arguments->raw)
			argp_error(state, "a program, or --from FILE");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const char *program_name(const struct arguments *arguments)
{
	const char *name = arguments->program ? arguments->program[0] : arguments->raw;
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

static int result_write(const struct arguments *arguments, const struct pl_trace *trace, uint32_t pid)
{
	const char *path = arguments->file;
	FILE *out = !path ? stderr : strcmp(path, "-") ? fopen(path, "we") : stdout;
	bool failed;

	if (!out) {
		fprintf(stderr, "plenum trace: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (arguments->json) {
		pl_trace_write_chrome(trace, program_name(arguments), pid, out);
	} else {
		if (arguments->text)
			pl_trace_write_calls(trace, out);
		pl_trace_write_totals(trace, out);
	}
	failed = fflush(out) || ferror(out);
	if (out != stderr && out != stdout)
		failed = fclose(out) || failed;
	if (failed)
		fprintf(stderr, "plenum trace: %s: %s\n", path ? path : "stderr", strerror(errno));
	else if (arguments->json && out != stdout)
		fprintf(stderr, "plenum trace: %llu calls in %s\n", (unsigned long long)trace->calls_count, path);
	return failed;
}

static int convert(const struct arguments *arguments, const char *path, uint32_t pid)
{
	FILE *file = fopen(path, "re");
	struct pl_trace trace;
	int r = file ? pl_trace_read(&trace, file) : -errno;

	if (file)
		fclose(file);
	if (r < 0 && arguments->raw) {
		fprintf(stderr, "plenum trace: %s: %s\n", path,
			r == -ENOMSG ? "no calls that a program wrote with PLENUM_TRACE" : strerror(-r));
		return 1;
	}
	if (r < 0) {
		fprintf(stderr, "plenum trace: %s\n",
			r == -ENOENT || r == -ENOMSG ? "the program made no call of OpenCL or CUDA that could be traced"
						     : strerror(-r));
		return 1;
	}
	r = result_write(arguments, &trace, pid);
	pl_trace_fini(&trace);
	return r;
}

/* Return: the program's exit status, 128 + signal. */
static int program_run(char **argv, pid_t *pid_out)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
	int status = 0;

	sigaction(SIGINT, &ignore, &interrupt); /* the terminal's are the program's; we still tell what it did */
	sigaction(SIGQUIT, &ignore, &quit);
	*pid_out = fork();
	if (!*pid_out) {
		sigaction(SIGINT, &interrupt, NULL);
		sigaction(SIGQUIT, &quit, NULL);
		_exit(pl_tool_exec(argv));
	}
	if (*pid_out < 0) {
		fprintf(stderr, "plenum trace: %s\n", strerror(errno));
		return 1;
	}
	while (waitpid(*pid_out, &status, 0) < 0 && errno == EINTR)
		;
	sigaction(SIGINT, &interrupt, NULL);
	sigaction(SIGQUIT, &quit, NULL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_traced(const struct arguments *arguments)
{
	const char *temporary = getenv("TMPDIR");
	char folder[512], path[600];
	int status, r;
	pid_t pid;

	if (pl_tool_env_set(&arguments->servers, arguments->keep_local) < 0)
		return 1;
	r = pl_tool_libraries_trace(arguments->cuda);
	if (r < 0) {
		fprintf(stderr, "plenum trace: %s: %s\n", arguments->cuda ? arguments->cuda : "CUDA's libraries",
			r == -ENOENT ? "not found" : strerror(-r));
		return 1;
	}
	snprintf(folder, sizeof(folder), "%s/plenum-trace-XXXXXX", temporary && *temporary ? temporary : "/tmp");
	if (!mkdtemp(folder)) {
		fprintf(stderr, "plenum trace: %s: %s\n", folder, strerror(errno));
		return 1;
	}
	snprintf(path, sizeof(path), "%s/calls", folder);
	setenv("PLENUM_TRACE", path, 1);
	status = program_run(arguments->program, &pid);
	r = convert(arguments, path, (uint32_t)pid);
	unlink(path);
	rmdir(folder);
	return status ? status : r;
}

int pl_cmd_trace(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		"[--] PROGRAM [ARGUMENT...]",
		"Run a program as `plenum run' does and show each call of OpenCL and CUDA: its class, time, bytes, and "
		"what "
		"it asked the server.\v"
		"Classes: local (answered in the program's own process), post and mint (sent, not waited for), ask "
		"and info "
		"(waited for); native: of a driver's own.  Exit status: the program's.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };

	pl_tool_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	return arguments.raw ? convert(&arguments, arguments.raw, 1) : run_traced(&arguments);
}
