/* The daemon's list of sessions, as `plenum ps` and `plenum stats` show it. */
#ifndef PL_TOOLS_SESSIONS_H
#define PL_TOOLS_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/** pl_sessions_ask() - all sessions of the server at this unix socket
 * @answer_out: to be json_object_put()
 * @list_out:   an array of objects, borrowed from the answer
 * @why_out:    512 bytes, set on failure.  Return: 0 or -errno. */
int pl_sessions_ask(const char *address, struct json_object **answer_out, struct json_object **list_out, char *why_out);
/* {"sessions": [...], "draining": false} of such an answer */
void pl_sessions_print_json(struct json_object *answer, int flags);

/* Fields; 0 and "" where there is none. */
bool pl_session_has(struct json_object *session, const char *key);
uint64_t pl_session_number(struct json_object *session, const char *key);
const char *pl_session_text(struct json_object *session, const char *key);
const char *pl_session_age_text(struct json_object *session, char *room, size_t size);

#endif
