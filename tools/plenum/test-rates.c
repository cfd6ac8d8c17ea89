/* Rates of sessions that come, go, stand still and lie. */
#undef NDEBUG
#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "plenum/rates.h"
#include "plenum/tool.h"

int pl_tool_ask(const char *address, const char *request, struct json_object **answer_out, char *why_out)
{
	(void)address;
	(void)request;
	(void)answer_out;
	why_out[0] = '\0';
	return -1;
}

static void test_busiest_come_first_and_rates_are_differences_a_second(void)
{
	struct json_object *before =
		json_tokener_parse("[{\"id\":1,\"asks\":10,\"posts\":10,\"bytes_in\":0,\"bytes_out\":5},"
				   "{\"id\":2,\"asks\":0,\"posts\":0},{\"id\":9,\"asks\":99}]");
	struct json_object *now =
		json_tokener_parse("[{\"id\":1,\"asks\":12,\"posts\":14,\"bytes_in\":100,\"bytes_out\":5},"
				   "{\"id\":2,\"asks\":50,\"posts\":50},{\"id\":4,\"bytes_in\":7},"
				   "{\"id\":3,\"asks\":1},{\"id\":5}]");
	struct pl_rate *rates;

	assert(pl_rates_make(before, now, 2.0, &rates) == 5);
	assert(rates[0].id == 2 && rates[0].calls == 50 && rates[0].asks == 25);
	assert(rates[1].id == 1 && rates[1].calls == 3 && rates[1].asks == 1);
	assert(rates[1].in_bytes == 50 && rates[1].out_bytes == 0);
	assert(rates[2].id == 3 && rates[2].asks == 0.5); /* it began in between */
	assert(rates[3].id == 4 && rates[3].in_bytes == 3.5);
	assert(rates[4].id == 5 && rates[4].calls == 0);
	free(rates);
	json_object_put(before);
	json_object_put(now);
}

static void test_counts_that_go_back_and_no_time_give_nothing(void)
{
	struct json_object *before = json_tokener_parse("[{\"id\":1,\"asks\":18446744073709551615,\"posts\":\"x\"}]");
	struct json_object *now = json_tokener_parse("[{\"id\":1,\"asks\":5,\"posts\":[]},null,7]");
	struct pl_rate *rates;

	assert(pl_rates_make(before, now, 1.0, &rates) == 3);
	for (int i = 0; i < 3; i++)
		assert(rates[i].calls == 0);
	free(rates);
	assert(pl_rates_make(NULL, now, 0.0, &rates) == 3);
	assert(rates[0].calls == 0 && rates[2].calls == 0);
	free(rates);
	json_object_put(before);
	json_object_put(now);
	now = json_object_new_array();
	assert(pl_rates_make(NULL, now, 1.0, &rates) == 0);
	free(rates);
	json_object_put(now);
}

int main(void)
{
	test_busiest_come_first_and_rates_are_differences_a_second();
	test_counts_that_go_back_and_no_time_give_nothing();
	return 0;
}
