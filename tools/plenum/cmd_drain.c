#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "plenum/sessions.h"
#include "plenum/tool.h"

#define FOR_SECONDS_MAX 31536000
#define POLL_MS         250
#define TRIES_MAX       8 /* answers that do not come one after the other: it is about to end, or it hangs */

enum { KEY_FOR = 256, KEY_RELEASE };

struct arguments {
	struct pl_tool_servers servers;
	bool wait, release, timed;
	uint64_t seconds;
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ "for", KEY_FOR, "SECONDS", 0,
	  "then end the sessions that are left (default: wait for them as long as it takes)", 0 },
	{ "release", KEY_RELEASE, NULL, 0, "give up its addresses now, not when a new server asks for them", 0 },
	{ "wait", 'w', NULL, 0, "show how many sessions are left, until the server has ended", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case 'w':
		arguments->wait = true;
		return 0;
	case KEY_FOR:
		arguments->seconds = pl_tool_number(state, "for", text, 0, FOR_SECONDS_MAX);
		arguments->timed = true;
		return 0;
	case KEY_RELEASE:
		arguments->release = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const char *sessions_text(uint64_t count, char *room, size_t size)
{
	if (!count)
		return "no session is left";
	snprintf(room, size, "%llu session%s left", (unsigned long long)count, count == 1 ? "" : "s");
	return room;
}

static void answer_print(const char *address, struct json_object *answer, bool release)
{
	struct json_object *listeners;
	char room[48];

	printf("%s: being drained, no new sessions; %s\n", address,
	       sessions_text(pl_session_number(answer, "sessions"), room, sizeof(room)));
	if (release && json_object_object_get_ex(answer, "listeners", &listeners))
		for (size_t i = 0; i < json_object_array_length(listeners); i++)
			printf("still listens on %s\n",
			       json_object_get_string(json_object_array_get_idx(listeners, i)));
	fflush(stdout);
}

/* Where it is asked from now on: the first unix socket that it still has. */
static void address_take(struct json_object *answer, char address[PL_LINK_ADDRESS_MAX])
{
	struct json_object *listeners;

	if (!json_object_object_get_ex(answer, "listeners", &listeners))
		return;
	for (size_t i = 0; i < json_object_array_length(listeners); i++) {
		const char *at = json_object_get_string(json_object_array_get_idx(listeners, i));

		if (at && !strncmp(at, "unix:", 5)) {
			snprintf(address, PL_LINK_ADDRESS_MAX, "%s", at);
			return;
		}
	}
}

/* How many are left, in one line on a terminal, else a line for each change. */
static void progress_print(uint64_t count, uint64_t *last)
{
	bool terminal = isatty(STDOUT_FILENO);
	char room[48];

	if (count == *last)
		return;
	*last = count;
	printf(terminal ? "\r%s\033[K" : "%s\n", sessions_text(count, room, sizeof(room)));
	fflush(stdout);
}

/* Another server has its socket now, or nobody: it may go on under the other name.  Return: that is new. */
static bool drained_address(char address[PL_LINK_ADDRESS_MAX], uint64_t pid)
{
	char tail[48];

	snprintf(tail, sizeof(tail), ".drained-%llu", (unsigned long long)pid);
	if (strstr(address, tail) || strlen(address) + strlen(tail) >= PL_LINK_ADDRESS_MAX)
		return false;
	strcat(address, tail);
	return true;
}

/* Return: exit status. */
static int drained_wait(char address[PL_LINK_ADDRESS_MAX], uint64_t pid, uint64_t last)
{
	uint32_t tries = 0;

	for (;;) {
		struct json_object *info = NULL;
		char why[512];
		int r = pl_tool_ask(address, "{\"do\":\"info\"}", &info, why);

		if (r == -ENOENT || r == -ECONNREFUSED || (!r && pl_session_number(info, "pid") != pid)) {
			json_object_put(info);
			if (drained_address(address, pid))
				continue;
			break;
		}
		if (!r) {
			progress_print(pl_session_number(info, "sessions"), &last);
			tries = 0;
		} else if (++tries == TRIES_MAX) {
			fprintf(stderr, "plenum drain: %s\n", why);
			return 1;
		}
		json_object_put(info);
		poll(NULL, 0, POLL_MS);
	}
	printf("%sthe server has ended\n", isatty(STDOUT_FILENO) ? "\r\033[K" : "");
	return 0;
}

int pl_cmd_drain(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		NULL,
		"Let a server end without ending anybody: it takes no new sessions, and ends with its last one.\v"
		"A new server that begins on the same unix socket meanwhile takes all addresses over and hands on to "
		"the "
		"old one what is for its sessions.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };
	char address[PL_LINK_ADDRESS_MAX], request[128], timed[48] = "", why[512];
	struct json_object *answer = NULL;
	uint64_t pid, sessions;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	if (arguments.timed)
		snprintf(timed, sizeof(timed), ",\"for\":%llu", (unsigned long long)arguments.seconds);
	snprintf(request, sizeof(request), "{\"do\":\"drain\"%s%s}", timed,
		 arguments.release ? ",\"release\":true" : "");
	if (pl_tool_ask(address, request, &answer, why) < 0) {
		fprintf(stderr, "plenum drain: %s\n", why);
		return 1;
	}
	answer_print(address, answer, arguments.release);
	address_take(answer, address);
	pid = pl_session_number(answer, "pid");
	sessions = pl_session_number(answer, "sessions");
	json_object_put(answer);
	return arguments.wait ? drained_wait(address, pid, sessions) : 0;
}
