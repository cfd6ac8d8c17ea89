#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/wait.h"
#include "plenum/session-command.h"
#include "plenum/sessions.h"

#define WAIT_S_DEFAULT 30

static const struct argp_option options[] = {
	{ "wait", PL_SESSION_KEY_WAIT, "SECONDS", 0, "for its calls and its device to rest (default: 30; 0: only ask)",
	  0 },
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ 0 },
};

/* Return: what the exit status is to be. */
static int answer_print(const struct pl_session_command *arguments, struct json_object *answer, bool is_there)
{
	const unsigned long long session = arguments->session;
	uint64_t memory = pl_session_number(answer, "memory_bytes"),
		 movable = pl_session_number(answer, "movable_bytes");
	char out[24], all[24];

	if (memory < movable) /* which comes in whole granules */
		memory = movable;
	printf("session %llu: %s of %s device memory in host memory\n", session,
	       pl_tool_size_text(pl_session_number(answer, "swapped_bytes"), out, sizeof(out)),
	       pl_tool_size_text(memory, all, sizeof(all)));
	if (is_there || !arguments->wait_s)
		return 0;
	fprintf(stderr,
		"plenum suspend: session %llu still works, or its device does; it is suspended as soon as it rests "
		"(`plenum resume %llu' lets it be)\n",
		session, session);
	return 1;
}

static int suspend(const struct pl_session_command *arguments, const char *address)
{
	const uint64_t end_ns = pl_now_ns() + arguments->wait_s * 1000000000u;
	struct json_object *answer = NULL;
	bool is_there = false;
	int status;

	for (;;) {
		if (pl_session_ask("suspend", address, arguments->session, false, &answer))
			return 1;
		is_there = !strcmp(pl_session_text(answer, "state"), "suspended");
		if (is_there || pl_now_ns() >= end_ns)
			break;
		json_object_put(answer);
		nanosleep(&(struct timespec){ .tv_nsec = PL_SESSION_LOOK_MS * 1000000 }, NULL);
	}
	status = answer_print(arguments, answer, is_there);
	json_object_put(answer);
	return status;
}

int pl_cmd_suspend(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		pl_session_command_parse,
		"SESSION",
		"Move a session's device memory to host memory; its program waits in its next call.\v"
		"For a server with --oversubscribe or --checkpoints.  What stays in the device: pools, arrays, "
		"contexts and modules, and without --checkpoints allocations below 2 MiB and pitched ones.  `plenum "
		"resume SESSION' lets it go on.",
		NULL,
		NULL,
		NULL,
	};
	struct pl_session_command arguments = { .wait_s = WAIT_S_DEFAULT };
	char address[PL_LINK_ADDRESS_MAX];

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	return suspend(&arguments, address);
}

int pl_cmd_resume(int argc, char **argv)
{
	static const struct argp argp = {
		options + 1,
		pl_session_command_parse,
		"SESSION",
		"Let a suspended session go on.\v"
		"Its device memory comes back with its program's next call, when there is room.",
		NULL,
		NULL,
		NULL,
	};
	struct pl_session_command arguments = { 0 };
	struct json_object *answer = NULL;
	char address[PL_LINK_ADDRESS_MAX];

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	if (pl_session_ask("resume", address, arguments.session, false, &answer))
		return 1;
	json_object_put(answer);
	return 0;
}
