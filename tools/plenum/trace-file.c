#include "plenum/trace-file.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define HEADER         "# plenum-trace 1"
#define CUDA_NOT_READY 600

/* Makes room for one more element.  Return: the array, or NULL. */
static void *room_make(void *array, uint64_t count, uint64_t *room, size_t size)
{
	void *more;

	if (count < *room)
		return array;
	more = realloc(array, (*room ? 2 * *room : 256) * size);
	if (more)
		*room = *room ? 2 * *room : 256;
	return more;
}

/* Calls come in runs of few functions: what was found last is tried first by walking back from it. */
static int op_find(struct pl_trace *trace, const char *name, const char *class, uint32_t *op_out)
{
	uint64_t room = trace->ops_room;
	struct pl_trace_op *ops;

	for (uint32_t i = 0; i < trace->ops_count; i++)
		if (!strcmp(trace->ops[i].name, name)) {
			*op_out = i;
			return 0;
		}
	if (trace->ops_count == UINT16_MAX)
		return -ENOSPC; /* no API has so many: the file is damaged */
	ops = room_make(trace->ops, trace->ops_count, &room, sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	trace->ops = ops;
	trace->ops_room = (uint32_t)room;
	*op_out = trace->ops_count++;
	ops[*op_out] = (struct pl_trace_op){ 0 };
	snprintf(ops[*op_out].name, sizeof(ops->name), "%s", name);
	snprintf(ops[*op_out].class, sizeof(ops->class), "%s", class);
	return 0;
}

/* OpenCL's errors are negative.  CUDA's are all but 0 and "not ready", which is an answer. */
static bool has_failed(const char *name, int64_t result)
{
	return strncmp(name, "cu", 2) ? result < 0 : result != 0 && result != CUDA_NOT_READY;
}

static void op_sum(struct pl_trace_op *op, const struct pl_trace_call *call)
{
	uint64_t ns = call->end_ns - call->begin_ns;

	op->calls++;
	op->failed += has_failed(op->name, call->result);
	op->ns += ns;
	op->ns_max = ns > op->ns_max ? ns : op->ns_max;
	op->bytes_out += call->bytes_out;
	op->bytes_in += call->bytes_in;
	op->asks += call->asks;
}

/* As ops.  What is one too many is none. */
static int what_find(struct pl_trace *trace, const char *what, uint32_t *what_out)
{
	uint64_t room = trace->whats_room;
	char(*whats)[PL_TRACE_WHAT_MAX];

	for (uint32_t i = 0; i < trace->whats_count; i++)
		if (!strcmp(trace->whats[i], what)) {
			*what_out = i;
			return 0;
		}
	*what_out = 0;
	if (trace->whats_count == PL_TRACE_WHATS_MAX)
		return 0;
	whats = room_make(trace->whats, trace->whats_count, &room, sizeof(*whats));
	if (!whats)
		return -ENOMEM;
	trace->whats = whats;
	trace->whats_room = (uint32_t)room;
	snprintf(whats[trace->whats_count], sizeof(*whats), "%s", what);
	*what_out = trace->whats_count++;
	return 0;
}

static bool is_plain(const char *what)
{
	for (; *what; what++)
		if (*what <= ' ' || *what > '~' || *what == '"' || *what == '\\')
			return false;
	return true;
}

/* Return: 0; 1: the line is damaged; -errno. */
static int line_take(struct pl_trace *trace, const char *line)
{
	char name[PL_TRACE_NAME_MAX], class[16], what[PL_TRACE_WHAT_MAX] = "";
	struct pl_trace_call call = { 0 }, *calls;
	int got, r;

	got = sscanf(line,
		     "%" SCNu64 "\t%" SCNu64 "\t%" SCNu32 "\t%63[A-Za-z0-9_]\t%15[a-z]\t%" SCNu64 "\t%" SCNu64
		     "\t%" SCNd64 "\t%" SCNu64 "\t%" SCNu64 "\t%127[^\n]",
		     &call.begin_ns, &call.end_ns, &call.tid, name, class, &call.bytes_out, &call.bytes_in,
		     &call.result, &call.asks, &call.size, what);
	if (got < 8 || call.end_ns < call.begin_ns || trace->calls_count >= PL_TRACE_CALLS_MAX || !is_plain(what))
		return 1;
	r = op_find(trace, name, class, &call.op);
	if (!r)
		r = what_find(trace, what, &call.what);
	if (r < 0)
		return r == -ENOSPC ? 1 : r;
	calls = room_make(trace->calls, trace->calls_count, &trace->calls_room, sizeof(*calls));
	if (!calls)
		return -ENOMEM;
	trace->calls = calls;
	calls[trace->calls_count++] = call;
	op_sum(&trace->ops[call.op], &call);
	return 0;
}

static int call_compare(const void *a, const void *b)
{
	const struct pl_trace_call *x = a, *y = b;

	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

int pl_trace_read(struct pl_trace *trace, FILE *file)
{
	pl_cleanup(pl_freep) char *line = NULL;
	size_t room = 0;

	uint32_t none;

	*trace = (struct pl_trace){ 0 };
	if (what_find(trace, "", &none) < 0)
		return -ENOMEM;
	if (getline(&line, &room, file) < 0 || strncmp(line, HEADER, strlen(HEADER)))
		goto foreign;
	while (getline(&line, &room, file) >= 0) {
		int r = *line == '#' ? 0 : line_take(trace, line);

		if (r < 0) {
			pl_trace_fini(trace);
			return r;
		}
		trace->lost += r;
	}
	if (trace->calls_count)
		qsort(trace->calls, trace->calls_count, sizeof(*trace->calls), call_compare);
	return 0;
foreign:
	pl_trace_fini(trace);
	return -ENOMSG;
}

void pl_trace_fini(struct pl_trace *trace)
{
	free(trace->calls);
	free(trace->ops);
	free(trace->whats);
	*trace = (struct pl_trace){ 0 };
}

void pl_trace_write_calls(const struct pl_trace *trace, FILE *out)
{
	fprintf(out, "%12s %10s %8s %-7s %-40s %10s %10s %5s %12s %6s %s\n", "AT_MS", "US", "THREAD", "CLASS",
		"FUNCTION", "OUT", "IN", "ASKS", "SIZE", "RESULT", "WHAT");
	for (uint64_t i = 0; i < trace->calls_count; i++) {
		const struct pl_trace_call *call = &trace->calls[i];
		const struct pl_trace_op *op = &trace->ops[call->op];

		fprintf(out,
			"%12.3f %10.2f %8u %-7s %-40s %10" PRIu64 " %10" PRIu64 " %5" PRIu64 " %12" PRIu64 " %6" PRId64
			" %s\n",
			(double)(call->begin_ns - trace->calls[0].begin_ns) / 1e6,
			(double)(call->end_ns - call->begin_ns) / 1e3, call->tid, op->class, op->name, call->bytes_out,
			call->bytes_in, call->asks, call->size, call->result, trace->whats[call->what]);
	}
}

static int op_compare(const void *a, const void *b)
{
	const struct pl_trace_op *x = *(const struct pl_trace_op *const *)a, *y = *(const struct pl_trace_op *const *)b;

	return x->ns > y->ns ? -1 : x->ns < y->ns;
}

void pl_trace_write_totals(const struct pl_trace *trace, FILE *out)
{
	const struct pl_trace_op **order = calloc(trace->ops_count + 1, sizeof(*order));
	struct pl_trace_op all = { .name = "all" };

	fprintf(out, "%-40s %-7s %9s %7s %12s %10s %10s %10s %9s %12s %12s\n", "FUNCTION", "CLASS", "CALLS", "FAILED",
		"TOTAL_MS", "MEAN_US", "MAX_US", "SHARE", "ASKS", "OUT", "IN");
	for (uint32_t i = 0; order && i < trace->ops_count; i++) {
		const struct pl_trace_op *op = &trace->ops[i];

		order[i] = op;
		all.calls += op->calls;
		all.failed += op->failed;
		all.ns += op->ns;
		all.ns_max = op->ns_max > all.ns_max ? op->ns_max : all.ns_max;
		all.bytes_out += op->bytes_out;
		all.bytes_in += op->bytes_in;
		all.asks += op->asks;
	}
	if (!order)
		return;
	qsort(order, trace->ops_count, sizeof(*order), op_compare);
	order[trace->ops_count] = &all;
	for (uint32_t i = 0; i <= trace->ops_count; i++) {
		const struct pl_trace_op *op = order[i];

		fprintf(out,
			"%-40s %-7s %9" PRIu64 " %7" PRIu64 " %12.3f %10.2f %10.2f %9.1f%% %9" PRIu64 " %12" PRIu64
			" %12" PRIu64 "\n",
			op->name, op->class, op->calls, op->failed, (double)op->ns / 1e6,
			op->calls ? (double)op->ns / 1e3 / (double)op->calls : 0, (double)op->ns_max / 1e3,
			all.ns ? 100.0 * (double)op->ns / (double)all.ns : 0, op->asks, op->bytes_out, op->bytes_in);
	}
	if (trace->lost)
		fprintf(out, "%" PRIu64 " lines were damaged or too many and are left out\n", trace->lost);
	free(order);
}

void pl_trace_write_chrome(const struct pl_trace *trace, const char *program, uint32_t pid, FILE *out)
{
	struct json_object *name = json_object_new_string(program);

	fprintf(out,
		"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
		"{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%u,\"args\":{\"name\":%s}}",
		pid, json_object_to_json_string(name));
	json_object_put(name);
	for (uint64_t i = 0; i < trace->calls_count; i++) {
		const struct pl_trace_call *call = &trace->calls[i];
		const struct pl_trace_op *op = &trace->ops[call->op];
		uint64_t at_ns = call->begin_ns - trace->calls[0].begin_ns, ns = call->end_ns - call->begin_ns;

		const char *what = trace->whats[call->what];

		fprintf(out,
			",\n{\"name\":\"%s%s%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%" PRIu64 ".%03u,\"dur\":%" PRIu64
			".%03u,\"pid\":%u,\"tid\":%u,\"args\":{\"bytes_out\":%" PRIu64 ",\"bytes_in\":%" PRIu64
			",\"asks\":%" PRIu64 ",\"size\":%" PRIu64 ",\"result\":%" PRId64 "}}",
			op->name, *what ? " " : "", what, op->class, at_ns / 1000, (unsigned)(at_ns % 1000), ns / 1000,
			(unsigned)(ns % 1000), pid, call->tid, call->bytes_out, call->bytes_in, call->asks, call->size,
			call->result);
	}
	fprintf(out, "\n]}\n");
}
