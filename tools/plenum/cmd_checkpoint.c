#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/wait.h"
#include "plenum/session-command.h"
#include "plenum/sessions.h"

#define WAIT_S_DEFAULT 90
#define TELL_NS        1000000000u /* on a terminal: how far it is */

static const struct argp_option options[] = {
	{ "wait", PL_SESSION_KEY_WAIT, "SECONDS", 0, "until it is done (default: 90; 0: only ask)", 0 },
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ 0 },
};

static bool is_state(struct json_object *answer, const char *state)
{
	return !strcmp(pl_session_text(answer, "state"), state);
}

static const char *state_words(struct json_object *answer)
{
	if (is_state(answer, "leaves"))
		return "its calls and its device come to rest";
	return is_state(answer, "writes") ? "it is being written" : "it is being read";
}

static void progress_print(const struct pl_session_command *arguments, struct json_object *answer, uint64_t began_ns)
{
	if (isatty(STDERR_FILENO) && pl_now_ns() - began_ns > TELL_NS)
		fprintf(stderr, "\rsession %llu: %s (%llu s)\033[K", (unsigned long long)arguments->session,
			state_words(answer), (unsigned long long)((pl_now_ns() - began_ns) / 1000000000u));
}

/* Asks, and looks until it is one of the two states in which nothing is under way.  Return: 0 and the last answer. */
static int follow(const char *verb, const char *address, const struct pl_session_command *arguments,
		  struct json_object **answer_out)
{
	const uint64_t began_ns = pl_now_ns(), end_ns = began_ns + arguments->wait_s * 1000000000u;
	bool look = false;

	for (;;) {
		struct json_object *answer = NULL;

		if (pl_session_ask(verb, address, arguments->session, look, &answer))
			return 1;
		look = true;
		if (is_state(answer, "kept") || is_state(answer, "runs") || pl_now_ns() >= end_ns) {
			if (isatty(STDERR_FILENO) && pl_now_ns() - began_ns > TELL_NS)
				fprintf(stderr, "\r\033[K");
			*answer_out = answer;
			return 0;
		}
		progress_print(arguments, answer, began_ns);
		json_object_put(answer);
		nanosleep(&(struct timespec){ .tv_nsec = PL_SESSION_LOOK_MS * 1000000 }, NULL);
	}
}

/* Return: the exit status. */
static int outcome(const char *verb, const struct pl_session_command *arguments, struct json_object *answer,
		   const char *wanted)
{
	const char *why = pl_session_text(answer, "why");
	int status = 0;

	if (is_state(answer, wanted) && !*why)
		return 0;
	if (*why) {
		fprintf(stderr, "plenum %s: session %llu: %s\n", verb, (unsigned long long)arguments->session, why);
		status = 1;
	} else if (arguments->wait_s) {
		fprintf(stderr, "plenum %s: session %llu: %s; that goes on\n", verb,
			(unsigned long long)arguments->session, state_words(answer));
		status = 1;
	}
	return status;
}

int pl_cmd_checkpoint(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		pl_session_command_parse,
		"SESSION",
		"Write a session to a file of its server's; its program waits until it is restored.\v"
		"For a server with --checkpoints=FOLDER, and CUDA programs that reached it over tcp.  The device, and "
		"the "
		"server, can be stopped meanwhile: a server that starts with the same FOLDER goes on with what is "
		"there.",
		NULL,
		NULL,
		NULL,
	};
	struct pl_session_command arguments = { .wait_s = WAIT_S_DEFAULT };
	char address[PL_LINK_ADDRESS_MAX], size[24];
	struct json_object *answer = NULL;
	int status;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	if (follow("checkpoint", address, &arguments, &answer))
		return 1;
	if (is_state(answer, "kept"))
		printf("session %llu: in a checkpoint of %s\n", (unsigned long long)arguments.session,
		       pl_tool_size_text(pl_session_number(answer, "bytes"), size, sizeof(size)));
	status = outcome("checkpoint", &arguments, answer, "kept");
	json_object_put(answer);
	return status;
}

int pl_cmd_restore(int argc, char **argv)
{
	static const struct argp argp = {
		options, pl_session_command_parse, "SESSION", "Let a session go on that was written to a checkpoint.",
		NULL,    NULL,         NULL,
	};
	struct pl_session_command arguments = { .wait_s = WAIT_S_DEFAULT };
	char address[PL_LINK_ADDRESS_MAX];
	struct json_object *answer = NULL;
	int status;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	if (follow("restore", address, &arguments, &answer))
		return 1;
	status = outcome("restore", &arguments, answer, "runs");
	json_object_put(answer);
	return status;
}
