#include "plenum/session-command.h"

#include <json-c/json.h>
#include <stdio.h>

#define WAIT_S_MAX 86400

error_t pl_session_command_parse(int key, char *text, struct argp_state *state)
{
	struct pl_session_command *command = state->input;

	if (pl_tool_session_parse(key, text, state, &command->servers, &command->session))
		return 0;
	if (key != PL_SESSION_KEY_WAIT)
		return ARGP_ERR_UNKNOWN;
	command->wait_s = pl_tool_number(state, "wait", text, 0, WAIT_S_MAX);
	return 0;
}

int pl_session_ask(const char *verb, const char *address, uint64_t session, bool look, struct json_object **answer_out)
{
	char text[128], why[512];

	snprintf(text, sizeof(text), "{\"do\":\"%s\",\"session\":%llu,\"look\":%s}", verb, (unsigned long long)session,
		 look ? "true" : "false");
	if (pl_tool_ask(address, text, answer_out, why) < 0) {
		fprintf(stderr, "plenum %s: %s\n", verb, why);
		return 1;
	}
	return 0;
}
