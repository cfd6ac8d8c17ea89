#include <json-c/json.h>
#include <poll.h>
#include <unistd.h>

#include "plenum/sessions.h"
#include "plenum/tool.h"

#define WATCH_SECONDS_MAX 86400

struct arguments {
	struct pl_tool_servers servers;
	bool json;
	uint64_t watch_s; /* 0 = once */
};

static const struct argp_option options[] = {
	{ "server", 's', "ADDRESS", 0, "the server's unix socket (default: $PLENUM, else the server on this machine)",
	  0 },
	{ "watch", 'w', "SECONDS", OPTION_ARG_OPTIONAL, "again and again (default: each second), until interrupted",
	  0 },
	{ "json", 'j', NULL, 0, "for scripts; with --watch one object a line", 0 },
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
	case 'w':
		arguments->watch_s = text ? pl_tool_number(state, "watch", text, 1, WATCH_SECONDS_MAX) : 1;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const char *const columns[] = { "asks", "posts", "refused", "wakes", "spins", "sleeps" };
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void session_print(struct json_object *session)
{
	char in[16], out[16], memory[16], age[16];

	printf("%6llu %-20.20s %8s", (unsigned long long)pl_session_number(session, "id"),
	       pl_session_text(session, "program"), pl_session_age_text(session, age, sizeof(age)));
	for (size_t i = 0; i < COLUMNS; i++)
		printf(" %10llu", (unsigned long long)pl_session_number(session, columns[i]));
	printf(" %8s %8s %8s\n", pl_tool_size_text(pl_session_number(session, "bytes_in"), in, sizeof(in)),
	       pl_tool_size_text(pl_session_number(session, "bytes_out"), out, sizeof(out)),
	       pl_tool_size_text(pl_session_number(session, "memory_bytes"), memory, sizeof(memory)));
}

static void list_print(struct json_object *list)
{
	uint64_t sums[COLUMNS] = { 0 };
	size_t count = json_object_array_length(list);

	printf("%6s %-20s %8s %10s %10s %10s %10s %10s %10s %8s %8s %8s\n", "ID", "PROGRAM", "AGE", "ASKS", "POSTS",
	       "REFUSED", "WAKES", "SPINS", "SLEEPS", "IN", "OUT", "MEMORY");
	for (size_t i = 0; i < count; i++) {
		struct json_object *session = json_object_array_get_idx(list, i);

		session_print(session);
		for (size_t c = 0; c < COLUMNS; c++)
			sums[c] += pl_session_number(session, columns[c]);
	}
	if (count > 1) {
		printf("%6s %-20s %8s", "", "all", "");
		for (size_t c = 0; c < COLUMNS; c++)
			printf(" %10llu", (unsigned long long)sums[c]);
		printf("\n");
	}
	fflush(stdout);
}

/* Modules for later sessions, where the server keeps them and has been asked for one. */
static void kept_print(struct json_object *kept)
{
	unsigned long long found = pl_session_number(kept, "found_total");
	unsigned long long missed = pl_session_number(kept, "missed_total");

	if (found + missed)
		printf("modules kept: %llu, %llu of %llu bytes; found %llu times, not found %llu, spoilt %llu\n",
		       (unsigned long long)pl_session_number(kept, "entries"),
		       (unsigned long long)pl_session_number(kept, "bytes"),
		       (unsigned long long)pl_session_number(kept, "limit_bytes"), found, missed,
		       (unsigned long long)pl_session_number(kept, "spoilt_total"));
}

static void swap_print(struct json_object *swap)
{
	struct json_object *devices = NULL;

	if (!pl_session_number(swap, "limit_bytes") || !json_object_object_get_ex(swap, "devices", &devices))
		return;
	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		printf("device %zu: %llu of %llu bytes in use, %llu with what is in host memory; %llu sessions wait\n",
		       i, (unsigned long long)pl_session_number(device, "resident_bytes"),
		       (unsigned long long)pl_session_number(device, "memory_bytes"),
		       (unsigned long long)pl_session_number(device, "claimed_bytes"),
		       (unsigned long long)pl_session_number(swap, "sessions_waiting"));
	}
}

static void info_print(const char *address)
{
	struct json_object *info = NULL, *kept = NULL, *swap = NULL;
	char why[512];

	if (pl_tool_ask(address, "{\"do\":\"info\"}", &info, why) < 0)
		return;
	printf("%s: %llu sessions now, %llu in all, %llu refused, %llu workers crashed\n", address,
	       (unsigned long long)pl_session_number(info, "sessions"),
	       (unsigned long long)pl_session_number(info, "sessions_total"),
	       (unsigned long long)pl_session_number(info, "refused_total"),
	       (unsigned long long)pl_session_number(info, "crashes_total"));
	if (json_object_object_get_ex(info, "kept", &kept))
		kept_print(kept);
	if (json_object_object_get_ex(info, "oversubscribe", &swap))
		swap_print(swap);
	json_object_put(info);
}

static int stats_once(const struct arguments *arguments, const char *address)
{
	struct json_object *answer = NULL, *list;
	char why[512];

	if (pl_sessions_ask(address, &answer, &list, why) < 0) {
		fprintf(stderr, "plenum stats: %s\n", why);
		return 1;
	}
	if (arguments->json) {
		pl_sessions_print_json(answer, arguments->watch_s
						       ? JSON_C_TO_STRING_PLAIN
						       : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	} else {
		if (arguments->watch_s && isatty(STDOUT_FILENO))
			printf("\033[H\033[2J");
		info_print(address);
		list_print(list);
	}
	json_object_put(answer);
	return ferror(stdout) ? 1 : 0;
}

int pl_cmd_stats(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		NULL,
		"Show what sessions send, wait for and hold.\v"
		"ASKS: calls that the program waited for.  POSTS: calls sent without waiting.  WAKES, SPINS, SLEEPS: "
		"how the "
		"server's side waited.  IN and OUT: bytes from and to the program, without what lies in shared "
		"memory.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };
	char address[PL_LINK_ADDRESS_MAX];
	int status;

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	pl_tool_server_first(&arguments.servers, address);
	while (!(status = stats_once(&arguments, address)) && arguments.watch_s)
		poll(NULL, 0, (int)(arguments.watch_s * 1000));
	return status;
}
