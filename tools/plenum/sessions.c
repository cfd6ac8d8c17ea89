#include "plenum/sessions.h"

#include <errno.h>
#include <json-c/json.h>

#include "plenum/tool.h"

int pl_sessions_ask(const char *address, struct json_object **answer_out, struct json_object **list_out, char *why_out)
{
	struct json_object *answer = NULL;
	int r = pl_tool_ask(address, "{\"do\":\"sessions\"}", &answer, why_out);

	if (r < 0)
		return r;
	if (!json_object_object_get_ex(answer, "sessions", list_out) ||
	    !json_object_is_type(*list_out, json_type_array)) {
		snprintf(why_out, 512, "%s: the server's answer has no sessions", address);
		json_object_put(answer);
		return -EPROTO;
	}
	*answer_out = answer;
	return 0;
}

void pl_sessions_print_json(struct json_object *answer, int flags)
{
	json_object_object_del(answer, "ok");
	printf("%s\n", json_object_to_json_string_ext(answer, flags));
	fflush(stdout);
}

bool pl_session_has(struct json_object *session, const char *key)
{
	struct json_object *field;

	return json_object_object_get_ex(session, key, &field) && field;
}

uint64_t pl_session_number(struct json_object *session, const char *key)
{
	struct json_object *field;

	return json_object_object_get_ex(session, key, &field) ? json_object_get_uint64(field) : 0;
}

const char *pl_session_text(struct json_object *session, const char *key)
{
	struct json_object *field;

	return json_object_object_get_ex(session, key, &field) && field ? json_object_get_string(field) : "";
}

const char *pl_session_age_text(struct json_object *session, char *room, size_t size)
{
	unsigned long long s = pl_session_number(session, "age_ms") / 1000;

	if (s < 3600)
		snprintf(room, size, "%llu:%02llu", s / 60, s % 60);
	else if (s < 100 * 3600)
		snprintf(room, size, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(room, size, "%llud", s / 86400);
	return room;
}
