#include "plenum/metrics.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "plenum/sessions.h"
#include "plenum/tool.h"

enum kind { COUNTER, GAUGE };

struct family {
	const char *name, *unit; /* a unit is the name's end, too */
	enum kind kind;
	const char *key, *help;
};

static const struct family of_server[] = {
	{ "plenum_sessions", NULL, GAUGE, "sessions", "Sessions that are being served." },
	{ "plenum_sessions_started", NULL, COUNTER, "sessions_total", "Sessions since the server began." },
	{ "plenum_worker_crashes", NULL, COUNTER, "crashes_total", "Workers that died of a signal in a session." },
	{ "plenum_uptime_seconds", "seconds", GAUGE, "uptime_ms", "Since the server began." },
};

static const struct family of_session[] = {
	{ "plenum_session_asks", NULL, COUNTER, "asks", "Calls that the program waited for." },
	{ "plenum_session_posts", NULL, COUNTER, "posts", "Calls that the program did not wait for." },
	{ "plenum_session_refused_calls", NULL, COUNTER, "refused",
	  "Calls that the server could not decode or did not know." },
	{ "plenum_session_received_bytes", "bytes", COUNTER, "bytes_in",
	  "From the program, without what lies in shared memory." },
	{ "plenum_session_sent_bytes", "bytes", COUNTER, "bytes_out",
	  "To the program, without what lies in shared memory." },
	{ "plenum_session_peer_bytes", "bytes", COUNTER, "peer_bytes", "From and to other servers." },
	{ "plenum_session_resumed_connections", NULL, COUNTER, "resumed",
	  "Connections that came in place of others that were cut." },
	{ "plenum_session_cut_seconds", "seconds", GAUGE, "cut_ms", "How long it has had no connection." },
	{ "plenum_session_wakeups", NULL, COUNTER, "wakes", "How often the server woke the program." },
	{ "plenum_session_device_memory_bytes", "bytes", GAUGE, "memory_bytes", "Device memory that it holds." },
	{ "plenum_session_device_memory_peak_bytes", "bytes", GAUGE, "memory_peak_bytes",
	  "The most device memory that it ever held." },
	{ "plenum_session_device_memory_limit_bytes", "bytes", GAUGE, "memory_limit_bytes",
	  "Device memory that it may hold; absent without a limit." },
	{ "plenum_session_swapped_bytes", "bytes", GAUGE, "swapped_bytes",
	  "Of its device memory, in host memory while others use the device (--oversubscribe)." },
	{ "plenum_session_swapped_out_bytes", "bytes", COUNTER, "swap_out_bytes", "That went there so far." },
	{ "plenum_session_swapped_in_bytes", "bytes", COUNTER, "swap_in_bytes", "That came back so far." },
	{ "plenum_session_objects", NULL, GAUGE, "objects", "Objects that it holds." },
	{ "plenum_session_objects_limit", NULL, GAUGE, "objects_limit", "Objects that it may hold." },
	{ "plenum_session_host_memory_bytes", "bytes", GAUGE, "host_bytes",
	  "The worker's own memory that is charged to it: sources, binaries." },
	{ "plenum_session_host_memory_limit_bytes", "bytes", GAUGE, "host_limit_bytes",
	  "The worker's own memory that may be charged to it." },
	{ "plenum_session_inflight_bytes", "bytes", GAUGE, "inflight_bytes", "Transfers that have not ended." },
	{ "plenum_session_lanes", NULL, GAUGE, "lanes", "Threads of the program that have made calls." },
	{ "plenum_session_age_seconds", "seconds", GAUGE, "age_ms", "Since it began." },
	{ "plenum_session_worker_resident_bytes", "bytes", GAUGE, "rss_bytes",
	  "Resident memory of the process that serves it." },
};
#define FAMILIES(of) (sizeof(of) / sizeof(of[0]))

static void head_print(FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

static void family_print(FILE *out, const struct family *family)
{
	head_print(out, family->name, family->kind == COUNTER ? "counter" : "gauge", family->unit, family->help);
}

/* A label's value: plain characters only, whatever a program says that it is called. */
static void label_print(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (const char *c = value; *c; c++) {
		if (*c == '\\' || *c == '"')
			fputc('\\', out);
		if (*c == '\n')
			fputs("\\n", out);
		else
			fputc(*c < ' ' || *c > '~' ? '?' : *c, out);
	}
	fputc('"', out);
}

static void value_print(FILE *out, const struct family *family, uint64_t value)
{
	if (family->unit && family->unit[0] == 's') /* it comes in milliseconds */
		fprintf(out, " %llu.%03u\n", (unsigned long long)(value / 1000), (unsigned)(value % 1000));
	else
		fprintf(out, " %llu\n", (unsigned long long)value);
}

static void sample_print(FILE *out, const struct family *family, struct json_object *session)
{
	char text[32];

	fprintf(out, "%s%s{", family->name, family->kind == COUNTER ? "_total" : "");
	snprintf(text, sizeof(text), "%llu", (unsigned long long)pl_session_number(session, "id"));
	label_print(out, "session", text);
	fputc(',', out);
	label_print(out, "program", pl_session_text(session, "program"));
	fputc(',', out);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)pl_session_number(session, "uid"));
	label_print(out, "user", pl_session_has(session, "uid") ? text : "");
	fputc(',', out);
	label_print(out, "address", pl_session_text(session, "address"));
	fputc(',', out);
	label_print(out, "api", pl_session_text(session, "api"));
	fputc('}', out);
	value_print(out, family, pl_session_number(session, family->key));
}

static void server_print(FILE *out, struct json_object *info)
{
	struct json_object *refused = NULL, *draining = NULL;

	head_print(out, "plenum_server", "gauge", NULL, "1; the label is the release that answers.");
	fputs("plenum_server{", out);
	label_print(out, "version", pl_session_text(info, "version"));
	fputs("} 1\n", out);
	for (size_t i = 0; i < FAMILIES(of_server); i++) {
		family_print(out, &of_server[i]);
		fprintf(out, "%s%s", of_server[i].name, of_server[i].kind == COUNTER ? "_total" : "");
		value_print(out, &of_server[i], pl_session_number(info, of_server[i].key));
	}
	head_print(out, "plenum_draining", "gauge", NULL, "1 where it takes no new sessions.");
	json_object_object_get_ex(info, "draining", &draining);
	fprintf(out, "plenum_draining %d\n", json_object_get_boolean(draining) ? 1 : 0);
	head_print(out, "plenum_refused_greetings", "counter", NULL, "Connections that were turned away, and why.");
	if (!json_object_object_get_ex(info, "refused", &refused) || !json_object_is_type(refused, json_type_object))
		return;
	json_object_object_foreach(refused, reason, count)
	{
		fputs("plenum_refused_greetings_total{", out);
		label_print(out, "reason", reason);
		fprintf(out, "} %llu\n", (unsigned long long)json_object_get_uint64(count));
	}
}

void pl_metrics_print(FILE *out, struct json_object *info, struct json_object *sessions)
{
	struct json_object *list = NULL;

	server_print(out, info);
	json_object_object_get_ex(sessions, "sessions", &list);
	for (size_t i = 0; i < FAMILIES(of_session); i++) {
		family_print(out, &of_session[i]);
		for (size_t s = 0; json_object_is_type(list, json_type_array) && s < json_object_array_length(list);
		     s++) {
			struct json_object *session = json_object_array_get_idx(list, s);

			if (pl_session_has(session, of_session[i].key))
				sample_print(out, &of_session[i], session);
		}
	}
	fputs("# EOF\n", out);
}

int pl_metrics_text(const char *address, char **text_out, size_t *len_out, char why_out[PL_METRICS_WHY_MAX])
{
	struct json_object *info = NULL, *sessions = NULL;
	char *text = NULL;
	FILE *out = NULL;
	int r = pl_tool_ask(address, "{\"do\":\"info\"}", &info, why_out);

	if (!r)
		r = pl_tool_ask(address, "{\"do\":\"sessions\"}", &sessions, why_out);
	if (!r) {
		out = open_memstream(&text, len_out);
		r = out ? 0 : -ENOMEM;
		snprintf(why_out, PL_METRICS_WHY_MAX, "no memory");
	}
	if (!r) {
		pl_metrics_print(out, info, sessions);
		if (fclose(out)) {
			free(text);
			text = NULL;
			r = -ENOMEM;
		}
	}
	json_object_put(info);
	json_object_put(sessions);
	*text_out = text;
	return r;
}
