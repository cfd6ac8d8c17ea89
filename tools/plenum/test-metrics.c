/* OpenMetrics text of answers that say anything. */
#undef NDEBUG
#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "plenum/metrics.h"
#include "plenum/tool.h"

int pl_tool_ask(const char *address, const char *request, struct json_object **answer_out, char *why_out)
{
	(void)address;
	(void)request;
	(void)answer_out;
	snprintf(why_out, PL_METRICS_WHY_MAX, "nobody is there");
	return -2;
}

static char *print(const char *info_text, const char *sessions_text)
{
	struct json_object *info = json_tokener_parse(info_text), *sessions = json_tokener_parse(sessions_text);
	size_t len = 0;
	char *text;
	FILE *out = open_memstream(&text, &len);

	assert(out && info && sessions);
	pl_metrics_print(out, info, sessions);
	assert(!fclose(out));
	json_object_put(info);
	json_object_put(sessions);
	return text;
}

static void test_figures_come_with_their_type_unit_and_help(void)
{
	char *text =
		print("{\"sessions\":1,\"crashes_total\":2,\"uptime_ms\":61005,\"draining\":true,\"version\":\"1\","
		      "\"refused\":{\"token\":4}}",
		      "{\"sessions\":[{\"id\":7,\"program\":\"a\",\"uid\":0,\"address\":\"unix\",\"api\":\"cuda\","
		      "\"bytes_in\":18446744073709551615,\"memory_limit_bytes\":null}]}");

	assert(strstr(text,
		      "\n# TYPE plenum_session_received_bytes counter\n# UNIT plenum_session_received_bytes bytes\n"
		      "# HELP plenum_session_received_bytes "));
	assert(strstr(text,
		      "\nplenum_session_received_bytes_total{session=\"7\",program=\"a\",user=\"0\",address=\"unix\","
		      "api=\"cuda\"} 18446744073709551615\n"));
	assert(!strstr(text, "plenum_session_device_memory_limit_bytes{"));
	assert(strstr(text, "\nplenum_worker_crashes_total 2\n") && strstr(text, "\nplenum_sessions 1\n"));
	assert(strstr(text, "\nplenum_uptime_seconds 61.005\n") && strstr(text, "\nplenum_draining 1\n"));
	assert(strstr(text, "\nplenum_refused_greetings_total{reason=\"token\"} 4\n"));
	assert(!strcmp(text + strlen(text) - 7, "\n# EOF\n"));
	free(text);
}

static void test_names_do_not_leave_their_label(void)
{
	char *text = print("{}", "{\"sessions\":[{\"id\":1,\"program\":\"a\\\"} 1\\n# EOF\\n\\\\\\u0007\\u00e9\","
				 "\"api\":\"x\",\"asks\":3,\"uid\":null,\"address\":\"\\\\\\\"\"}]}");

	assert(strstr(text,
		      "\nplenum_session_asks_total{session=\"1\",program=\"a\\\"} 1\\n# EOF\\n\\\\\?\?\?\",user=\"\","
		      "address=\"\\\\\\\"\",api=\"x\"} 3\n"));
	assert(strstr(text, "\n# EOF\n") == text + strlen(text) - 7);
	free(text);
}

static void test_answers_of_another_shape_give_what_is_there(void)
{
	static const char *const odd[] = { "{}", "{\"sessions\":null}", "{\"sessions\":7}",
					   "{\"sessions\":[null,7,[],\"x\"]}",
					   "{\"sessions\":[{\"asks\":\"many\",\"id\":[]}]}" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char *text = print("{\"refused\":[1],\"draining\":\"x\",\"version\":5}", odd[i]);

		assert(strstr(text, "\n# EOF\n"));
		free(text);
	}
}

static void test_no_server_is_told(void)
{
	char why[PL_METRICS_WHY_MAX], *text = why;
	size_t len;

	assert(pl_metrics_text("unix:/nowhere", &text, &len, why) == -2);
	assert(!strcmp(why, "nobody is there") && !text);
}

int main(void)
{
	test_figures_come_with_their_type_unit_and_help();
	test_names_do_not_leave_their_label();
	test_answers_of_another_shape_give_what_is_there();
	test_no_server_is_told();
	return 0;
}
