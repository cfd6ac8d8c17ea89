#include <json-c/json.h>
#include <string.h>

#include "plenum/sessions.h"
#include "plenum/tool.h"
#include "server/handles.h"

enum { KEY_MEMORY = 256, KEY_OBJECTS, KEY_HOST, KEY_INFLIGHT, KEYS_END };

static const struct {
	const char *option, *key, *text;
} limits[KEYS_END - KEY_MEMORY] = {
	{ "memory", "memory_bytes", "device memory" },
	{ "objects", "objects", "objects" },
	{ "host", "host_bytes", "host memory" },
	{ "inflight", "inflight_bytes", "transfers in flight" },
};
#define LIMITS (sizeof(limits) / sizeof(limits[0]))

struct arguments {
	struct pl_tool_servers servers;
	uint64_t session, values[KEYS_END - KEY_MEMORY]; /* 0 = as it is */
};

static const struct argp_option options[] = {
	{ "memory", KEY_MEMORY, "SIZE", 0, "device memory", 0 },
	{ "objects", KEY_OBJECTS, "N", 0, "buffers, kernels, events ...", 0 },
	{ "host", KEY_HOST, "SIZE", 0, "the worker's own memory: sources, binaries", 0 },
	{ "inflight", KEY_INFLIGHT, "SIZE", 0, "transfers that have not ended", 0 },
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ 0 },
};

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	if (pl_tool_session_parse(key, text, state, &arguments->servers, &arguments->session))
		return 0;
	switch (key) {
	case KEY_OBJECTS:
		arguments->values[key - KEY_MEMORY] = pl_tool_number(state, "objects", text, 1, PL_HANDLES_MAX);
		return 0;
	case KEY_MEMORY:
	case KEY_HOST:
	case KEY_INFLIGHT:
		arguments->values[key - KEY_MEMORY] = pl_tool_size(state, limits[key - KEY_MEMORY].option, text);
		if (arguments->values[key - KEY_MEMORY] > INT64_MAX)
			argp_error(state, "--%s: `%s' is too much", limits[key - KEY_MEMORY].option, text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const char *limit_text(struct json_object *from, const char *key, char *room, size_t size)
{
	uint64_t value = pl_session_number(from, key);

	if (!pl_session_has(from, key))
		return "no limit";
	if (strcmp(key, "objects"))
		return pl_tool_size_text(value, room, size);
	snprintf(room, size, "%llu", (unsigned long long)value);
	return room;
}

static void answer_print(struct json_object *answer)
{
	struct json_object *before = NULL, *now = NULL;

	json_object_object_get_ex(answer, "old", &before);
	json_object_object_get_ex(answer, "new", &now);
	for (size_t i = 0; i < LIMITS; i++) {
		char old_room[24], new_room[24];
		const char *was = limit_text(before, limits[i].key, old_room, sizeof(old_room));
		const char *is = limit_text(now, limits[i].key, new_room, sizeof(new_room));

		if (pl_session_has(before, limits[i].key) == pl_session_has(now, limits[i].key) &&
		    pl_session_number(before, limits[i].key) == pl_session_number(now, limits[i].key))
			printf("%-20s %s\n", limits[i].text, is);
		else
			printf("%-20s %s, before %s\n", limits[i].text, is, was);
	}
}

int pl_cmd_limit(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		"SESSION",
		"Change what a session that is running may hold, and show it.\v"
		"What it holds already stays; beyond its limit it gets nothing more.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };
	char address[PL_LINK_ADDRESS_MAX], text[512], why[512];
	struct json_object *request = json_object_new_object(), *answer = NULL;
	int r;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	json_object_object_add(request, "do", json_object_new_string("limit"));
	json_object_object_add(request, "session", json_object_new_uint64(arguments.session));
	for (size_t i = 0; i < LIMITS; i++)
		if (arguments.values[i])
			json_object_object_add(request, limits[i].key, json_object_new_uint64(arguments.values[i]));
	snprintf(text, sizeof(text), "%s", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
	json_object_put(request);
	r = pl_tool_ask(address, text, &answer, why);
	if (r < 0) {
		fprintf(stderr, "plenum limit: %s\n", why);
		return 1;
	}
	answer_print(answer);
	json_object_put(answer);
	return 0;
}
