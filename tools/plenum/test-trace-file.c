/* Trace files: whole, damaged, foreign. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plenum/trace-file.h"

static int trace_from(struct pl_trace *trace, const char *text)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	int r;

	assert(file);
	r = pl_trace_read(trace, file);
	fclose(file);
	return r;
}

static const char sample[] = "# plenum-trace 1\n"
			     "3000\t5500\t7\tclFinish\task\t24\t40\t0\n"
			     "1000\t1500\t7\tclSetKernelArg\tpost\t64\t0\t0\n"
			     "2000\t2250\t8\tclSetKernelArg\tpost\t64\t0\t-49\n";

static void test_calls_are_sorted_and_summed(void)
{
	struct pl_trace trace;

	assert(trace_from(&trace, sample) == 0);
	assert(trace.calls_count == 3 && trace.ops_count == 2 && trace.lost == 0);
	assert(trace.calls[0].begin_ns == 1000 && trace.calls[2].begin_ns == 3000);
	assert(!strcmp(trace.ops[1].name, "clSetKernelArg") && !strcmp(trace.ops[1].class, "post"));
	assert(trace.ops[1].calls == 2 && trace.ops[1].failed == 1 && trace.ops[1].ns == 750 &&
	       trace.ops[1].ns_max == 500);
	assert(trace.ops[1].bytes_out == 128);
	pl_trace_fini(&trace);
}

static void test_questions_sizes_and_names_may_follow(void)
{
	struct pl_trace trace;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert(trace_from(&trace, "# plenum-trace 1\n"
				  "1\t2\t1\tcuLaunchKernel\tpost\t9\t0\t0\t2\t0\tadd\n"
				  "3\t4\t1\tcuLaunchKernel\tpost\t9\t0\t700\t0\t0\tadd\n"
				  "5\t6\t1\tcuEventQuery\tlocal\t0\t0\t600\t0\t0\t\n"
				  "7\t8\t1\tcuMemAlloc_v2\task\t0\t0\t0\t1\t4096\t\n"
				  "9\t9\t1\tcuMemAlloc_v2\task\t0\t0\t0\t1\t4096\t\"};alert(\n") == 0);
	assert(trace.calls_count == 4 && trace.lost == 1 && trace.whats_count == 2);
	assert(trace.ops[0].asks == 2 && trace.ops[0].failed == 1);
	assert(!trace.ops[1].failed); /* "not ready" is an answer */
	assert(trace.calls[3].size == 4096 && trace.calls[3].asks == 1);
	pl_trace_write_calls(&trace, out);
	fclose(out);
	assert(strstr(text, " 0 add\n") && strstr(text, " 4096 "));
	free(text);
	pl_trace_fini(&trace);
}

static void test_damaged_lines_are_counted_and_left_out(void)
{
	struct pl_trace trace;

	assert(trace_from(&trace, "# plenum-trace 1\n"
				  "5\t4\t1\tclFinish\task\t0\t0\t0\n"         /* ends before it begins */
				  "1\t2\t1\t\"};alert(\task\t0\t0\t0\n"       /* no name */
				  "# plenum-trace 1\n"                        /* a child that appended */
				  "1\t2\t1\tclFlush\tpost\t0\t0\t0\n"
				  "9\t10\t1\tclFl") == 0);                    /* cut off */
	assert(trace.calls_count == 1 && trace.lost == 3);
	pl_trace_fini(&trace);
}

static void test_other_files_are_no_traces(void)
{
	struct pl_trace trace;

	assert(trace_from(&trace, "hello\n") == -ENOMSG);
	assert(trace_from(&trace, "# plenum-trac") == -ENOMSG);
}

static void test_chrome_output_is_json(void)
{
	struct json_object *answer, *events;
	struct pl_trace trace;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	assert(out && trace_from(&trace, sample) == 0);
	pl_trace_write_chrome(&trace, "a \"name\"", 42, out);
	fclose(out);
	answer = json_tokener_parse(text);
	assert(answer && json_object_object_get_ex(answer, "traceEvents", &events));
	assert(json_object_array_length(events) == 4); /* the process's name first */
	assert(json_object_get_double(json_object_object_get(json_object_array_get_idx(events, 3), "dur")) == 2.5);
	json_object_put(answer);
	free(text);
	pl_trace_fini(&trace);
}

int main(void)
{
	test_calls_are_sorted_and_summed();
	test_questions_sizes_and_names_may_follow();
	test_damaged_lines_are_counted_and_left_out();
	test_other_files_are_no_traces();
	test_chrome_output_is_json();
	return 0;
}
