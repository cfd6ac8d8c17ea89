#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "plenum/tool.h"
#include "plenum/sessions.h"

enum { KEY_KILL = 256 };

struct arguments {
	struct pl_tool_servers servers;
	bool json;
	uint64_t kill;
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ "kill", KEY_KILL, "ID", 0, "end this session: its program sees the device as lost", 0 },
	{ "json", 'j', NULL, 0, "for scripts", 0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 's':
		pl_tool_servers_add(state, &arguments->servers, text);
		return 0;
	case 'j':
		arguments->json = true;
		return 0;
	case KEY_KILL:
		arguments->kill = pl_tool_number(state, "kill", text, 1, INT64_MAX);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static void session_print(struct json_object *session)
{
	char memory[16], rss[16], age[16], uid[16] = "-";
	bool runs = !pl_session_has(session, "state") || !strcmp(pl_session_text(session, "state"), "runs");

	if (pl_session_has(session, "uid"))
		snprintf(uid, sizeof(uid), "%llu", (unsigned long long)pl_session_number(session, "uid"));
	printf("%6llu %8llu %-20.20s %6s %-4s %8s %6llu %8llu %8s %10llu %10llu %8llu %8s%s%s\n",
	       (unsigned long long)pl_session_number(session, "id"),
	       (unsigned long long)pl_session_number(session, "client_pid"), pl_session_text(session, "program"), uid,
	       pl_session_text(session, "link"), pl_session_age_text(session, age, sizeof(age)),
	       (unsigned long long)pl_session_number(session, "lanes"),
	       (unsigned long long)pl_session_number(session, "objects"),
	       pl_tool_size_text(pl_session_number(session, "memory_bytes"), memory, sizeof(memory)),
	       (unsigned long long)pl_session_number(session, "asks"),
	       (unsigned long long)pl_session_number(session, "posts"),
	       (unsigned long long)pl_session_number(session, "worker_pid"),
	       pl_tool_size_text(pl_session_number(session, "rss_bytes"), rss, sizeof(rss)), runs ? "" : "  ",
	       runs ? "" : pl_session_text(session, "state"));
}

static void draining_print(struct json_object *answer)
{
	struct json_object *draining;

	if (!json_object_object_get_ex(answer, "draining", &draining) || !json_object_get_boolean(draining))
		return;
	printf("being drained: no new sessions, the server ends with the last of these");
	if (pl_session_has(answer, "ends_in_ms"))
		printf(", or in %llu s", (unsigned long long)(pl_session_number(answer, "ends_in_ms") + 999) / 1000);
	printf("\n");
}

static void checkpoint_print(struct json_object *kept)
{
	const char *why = pl_session_text(kept, "why");
	char size[24];

	printf("%6llu %8llu %-20.20s in a checkpoint of %s%s%s%s\n", (unsigned long long)pl_session_number(kept, "id"),
	       (unsigned long long)pl_session_number(kept, "client_pid"), pl_session_text(kept, "program"),
	       pl_tool_size_text(pl_session_number(kept, "bytes"), size, sizeof(size)),
	       strcmp(pl_session_text(kept, "state"), "comes") ? "" : ", about to come back", *why ? ": " : "", why);
}

static void checkpoints_print(struct json_object *answer)
{
	struct json_object *list;

	if (!json_object_object_get_ex(answer, "checkpoints", &list) || !json_object_is_type(list, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		checkpoint_print(json_object_array_get_idx(list, i));
}

static int session_kill(const char *address, uint64_t id)
{
	struct json_object *answer = NULL;
	char request[96], why[512];

	snprintf(request, sizeof(request), "{\"do\":\"kill\",\"session\":%llu}", (unsigned long long)id);
	if (pl_tool_ask(address, request, &answer, why) < 0) {
		fprintf(stderr, "plenum ps: %s\n", why);
		return 1;
	}
	json_object_put(answer);
	return 0;
}

int pl_cmd_ps(int argc, char **argv)
{
	static const struct argp argp = { options, option_parse, NULL, "List a server's sessions, or end one.",
					  NULL,    NULL,         NULL };
	struct arguments arguments = { 0 };
	char address[PL_LINK_ADDRESS_MAX], why[512];
	struct json_object *answer = NULL, *list;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	if (arguments.kill)
		return session_kill(address, arguments.kill);
	if (pl_sessions_ask(address, &answer, &list, why) < 0) {
		fprintf(stderr, "plenum ps: %s\n", why);
		return 1;
	}
	if (arguments.json) {
		pl_sessions_print_json(answer, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	} else {
		printf("%6s %8s %-20s %6s %-4s %8s %6s %8s %8s %10s %10s %8s %8s\n", "ID", "PID", "PROGRAM", "UID",
		       "LINK", "AGE", "LANES", "OBJECTS", "MEMORY", "ASKS", "POSTS", "WORKER", "RSS");
		for (size_t i = 0; i < json_object_array_length(list); i++)
			session_print(json_object_array_get_idx(list, i));
		checkpoints_print(answer);
		draining_print(answer);
	}
	json_object_put(answer);
	return 0;
}
