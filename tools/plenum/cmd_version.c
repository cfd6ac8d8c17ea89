#include <json-c/json.h>

#include "plenum/tool.h"
#include "server/serve.h"

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	(void)text;
	if (key == 'j') {
		*(bool *)state->input = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int pl_cmd_version(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "for scripts", 0 },
		{ 0 },
	};
	static const struct argp argp = { options, option_parse, NULL, "Show versions.", NULL, NULL, NULL };
	const struct pl_backend_ops *backend = pl_tool_backend();
	bool json = false;
	char hash[32];

	pl_tool_parse(&argp, argc, argv, 0, &json);
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)backend->functions->hash);
	if (json) {
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "version", json_object_new_string(PL_VERSION));
		json_object_object_add(object, "protocol_major", json_object_new_int(PL_HELLO_MAJOR));
		json_object_object_add(object, "protocol_minor", json_object_new_int(PL_HELLO_MINOR));
		json_object_object_add(object, backend->name, json_object_new_string(hash));
		printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
									      JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(object);
		return 0;
	}
	printf("plenum %s (protocol %d.%d, %s functions %s)\n", PL_VERSION, PL_HELLO_MAJOR, PL_HELLO_MINOR,
	       backend->name, hash);
	return 0;
}
