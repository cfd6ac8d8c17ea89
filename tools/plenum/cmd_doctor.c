#include <json-c/json.h>
#include <stdarg.h>
#include <string.h>
#include <stdlib.h>
#include <unistd.h>

#include "link/address.h"
#include "plenum/check.h"
#include "plenum/tool.h"

struct arguments {
	struct pl_tool_servers servers;
	bool json;
};

static const struct argp_option options[] = {
	{"server", 's', "ADDRESS", 0,
	 "unix:/PATH or tcp://HOST:PORT; may be repeated (default: $PLENUM, else the server "
	 "on this machine)",
	 0},
	{"json", 'j', NULL, 0, "for scripts", 0},
	{0},
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
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

void pl_check_say(struct pl_checks *checks, enum pl_check_level level, const char *what, const char *advice,
		  const char *format, ...)
{
	static const char *const names[] = { "ok", "warn", "fail" }, *const marks[] = { "OK  ", "WARN", "FAIL" };
	struct json_object *finding = json_object_new_object();
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	checks->warned += level == PL_CHECK_WARN;
	checks->failed += level == PL_CHECK_FAIL;
	json_object_object_add(finding, "level", json_object_new_string(names[level]));
	json_object_object_add(finding, "what", json_object_new_string(what));
	json_object_object_add(finding, "text", json_object_new_string(text));
	json_object_object_add(finding, "advice", advice ? json_object_new_string(advice) : NULL);
	json_object_array_add(checks->list, finding);
	if (checks->json)
		return;
	printf("%s %-9s %s\n", marks[level], what, text);
	if (advice)
		printf("               -> %s\n", advice);
	fflush(stdout);
}

/* The servers that programs would use. */
static void servers_check(struct pl_checks *checks, const struct pl_tool_servers *servers)
{
	const char *list = getenv("PLENUM"), *start;
	char address[PL_LINK_ADDRESS_MAX];
	size_t length;

	for (uint32_t i = 0; i < servers->count; i++)
		pl_checks_server(checks, servers->at[i]);
	if (servers->count)
		return;
	if (!list || !*list) {
		pl_tool_server_default(address);
		pl_checks_server(checks, address);
		return;
	}
	while ((length = pl_address_next(&list, &start))) {
		snprintf(address, sizeof(address), "%.*s", (int)length, start);
		pl_checks_server(checks, address);
	}
}

int pl_cmd_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		options, option_parse, NULL,
		"Find what keeps this from working, and say what to do.\v"
		"Exit status: 0 when nothing failed (warnings are for what is slower or missing), else 1.",
		NULL, NULL, NULL,
	};
	struct arguments arguments = { 0 };
	struct pl_checks checks = { .list = json_object_new_array() };
	struct json_object *answer = json_object_new_object();

	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	checks.json = arguments.json;
	pl_checks_client(&checks);
	servers_check(&checks, &arguments.servers);
	pl_checks_host(&checks);
	json_object_object_add(answer, "failed", json_object_new_int((int)checks.failed));
	json_object_object_add(answer, "warned", json_object_new_int((int)checks.warned));
	json_object_object_add(answer, "checks", checks.list);
	if (checks.json)
		printf("%s\n", json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY |
									      JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (checks.failed)
		printf("%u failed: start with the first one.\n", checks.failed);
	else
		printf("Nothing failed%s.\n", checks.warned ? "; the warnings may stay" : "");
	json_object_put(answer);
	return checks.failed ? 1 : 0;
}
