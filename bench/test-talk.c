/* SPDX-License-Identifier: Apache-2.0 */
#undef NDEBUG
#include "talk.h"

#include <assert.h>
#include <string.h>

static struct pl_bench_talk_line parse(const char *text)
{
	struct pl_bench_talk_line line;

	memset(&line, 0xa5, sizeof(line));
	pl_bench_talk_parse(text, &line);
	return line;
}

static void test_every_kind_is_understood(void)
{
	struct pl_bench_talk_line l;

	l = parse("@sample 1.5e-05\r\n");
	assert(l.kind == PL_BENCH_TALK_SAMPLE && l.seconds == 1.5e-05);
	l = parse("@exec 1 2.5 3\n");
	assert(l.kind == PL_BENCH_TALK_EXEC && l.rc == 1 && l.seconds == 2.5 && l.fails == 3);
	l = parse("@part kernel 0.25\n");
	assert(l.kind == PL_BENCH_TALK_PART && !strcmp(l.key, "kernel") && l.seconds == 0.25);
	l = parse("@info device some device (x)\r\n");
	assert(l.kind == PL_BENCH_TALK_INFO && !strcmp(l.key, "device"));
	assert(!strcmp(l.text, "some device (x)"));
	l = parse("@error clBuildProgram: CL error -11\n");
	assert(l.kind == PL_BENCH_TALK_ERROR && !strcmp(l.text, "clBuildProgram: CL error -11"));
	assert(parse("@end\n").kind == PL_BENCH_TALK_END);
	assert(parse("@hello plenum-bench-opencl 1\n").kind == PL_BENCH_TALK_HELLO);
}

static void test_other_output_is_noise(void)
{
	assert(parse("").kind == PL_BENCH_TALK_NOISE);
	assert(parse("[    0.10] booting\n").kind == PL_BENCH_TALK_NOISE);
	assert(parse("sample 1\n").kind == PL_BENCH_TALK_NOISE);
	assert(parse("@samples 1\n").kind == PL_BENCH_TALK_NOISE);
}

static void test_worker_that_lies_is_reported(void)
{
	static const char *const lies[] = {
		"@sample",
		"@sample nan",
		"@sample inf",
		"@sample -1",
		"@sample 1e9",
		"@sample 1 2",
		"@exec 0",
		"@exec 0 1",
		"@exec -1 1 0",
		"@exec 0 1 -1",
		"@exec 0 nan 1",
		"@info",
		"@part",
		"@part kernel",
		"@part kernel x",
		"@part kernel 1 2",
		"@part averyveryverylongkey 1",
		"@info averyveryverylongkey x",
	};

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		assert(parse(lies[i]).kind == PL_BENCH_TALK_LIE);
}

static void test_text_is_cut_and_made_printable(void)
{
	struct pl_bench_talk_line l;
	char big[2000];

	memset(big, 'x', sizeof(big));
	memcpy(big, "@error \033[2J", 11);
	big[sizeof(big) - 1] = '\0';
	l = parse(big);
	assert(l.kind == PL_BENCH_TALK_ERROR && strlen(l.text) == sizeof(l.text) - 1);
	assert(l.text[0] == '?' && l.text[1] == '[');
}

int main(void)
{
	test_every_kind_is_understood();
	test_other_output_is_noise();
	test_worker_that_lies_is_reported();
	test_text_is_cut_and_made_printable();
	return 0;
}
