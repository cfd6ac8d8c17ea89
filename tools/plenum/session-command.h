/* Commands about one session of a server, which may wait for it: suspend, resume, checkpoint, restore. */
#ifndef PL_TOOLS_SESSION_COMMAND_H
#define PL_TOOLS_SESSION_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "plenum/tool.h"

struct json_object;

/* What a command about one session is told, where it may wait for that. */
struct pl_session_command {
	struct pl_tool_servers servers;
	uint64_t session, wait_s;
};

#define PL_SESSION_KEY_WAIT 256 /* of argp_option: --wait */
#define PL_SESSION_LOOK_MS  50  /* how often such a command looks */

/* argp_parser_t, whose input that is. */
error_t pl_session_command_parse(int key, char *text, struct argp_state *state);
/** pl_session_ask() - {"do":VERB,"session":NUMBER,"look":LOOK}
 * @answer_out: to be json_object_put()
 * Return: 0; 1: stderr says why not. */
int pl_session_ask(const char *verb, const char *address, uint64_t session, bool look, struct json_object **answer_out);

#endif
