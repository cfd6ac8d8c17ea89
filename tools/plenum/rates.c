#include "plenum/rates.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "plenum/sessions.h"

static struct json_object *find(struct json_object *list, uint64_t id)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *session = json_object_array_get_idx(list, i);

		if (pl_session_number(session, "id") == id)
			return session;
	}
	return NULL;
}

static double rate(struct json_object *before, struct json_object *now, const char *key, double seconds)
{
	uint64_t was = before ? pl_session_number(before, key) : 0, is = pl_session_number(now, key);

	return is > was && seconds > 0 ? (double)(is - was) / seconds : 0;
}

static int busiest_first(const void *a, const void *b)
{
	const struct pl_rate *x = a, *y = b;

	if (x->calls != y->calls)
		return x->calls > y->calls ? -1 : 1;
	if (x->in_bytes + x->out_bytes != y->in_bytes + y->out_bytes)
		return x->in_bytes + x->out_bytes > y->in_bytes + y->out_bytes ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

long pl_rates_make(struct json_object *before, struct json_object *now, double seconds, struct pl_rate **rates_out)
{
	size_t count = json_object_array_length(now);
	struct pl_rate *rates = calloc(count + 1, sizeof(*rates));

	if (!rates)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct json_object *session = json_object_array_get_idx(now, i);
		uint64_t id = pl_session_number(session, "id");
		struct json_object *was = find(before, id);
		double asks = rate(was, session, "asks", seconds);

		rates[i] = (struct pl_rate){
			.session = session,
			.id = id,
			.asks = asks,
			.calls = asks + rate(was, session, "posts", seconds),
			.in_bytes = rate(was, session, "bytes_in", seconds),
			.out_bytes = rate(was, session, "bytes_out", seconds),
		};
	}
	qsort(rates, count, sizeof(*rates), busiest_first);
	*rates_out = rates;
	return (long)count;
}
