/* SPDX-License-Identifier: Apache-2.0 */
#include "talk.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Copy up to the line end, keeping printable bytes only. */
static void text_copy(char *to, size_t to_bytes, const char *from)
{
	size_t n = 0;

	while (*from && *from != '\n' && *from != '\r' && n + 1 < to_bytes) {
		to[n++] = isprint((unsigned char)*from) ? *from : '?';
		from++;
	}
	to[n] = '\0';
}

/* "@word" at the start of @text: its rest behind the blanks, or NULL. */
static const char *rest_after(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(text, word, n) || (text[n] && !isspace((unsigned char)text[n])))
		return NULL;
	text += n;
	while (*text == ' ')
		text++;
	return text;
}

static int seconds_parse(const char *text, char **end_out, double *seconds_out)
{
	double s = strtod(text, end_out);

	if (*end_out == text || !isfinite(s) || s < 0 || s > PL_BENCH_TALK_SECONDS_MAX)
		return -1;
	*seconds_out = s;
	return 0;
}

static int at_line_end(const char *text)
{
	return text[strspn(text, " \r\n")] == '\0';
}

static enum pl_bench_talk_kind exec_parse(const char *rest, struct pl_bench_talk_line *line)
{
	char *end;
	long rc, fails;

	rc = strtol(rest, &end, 10);
	if (end == rest || rc < 0 || rc > 255)
		return PL_BENCH_TALK_LIE;
	rest = end;
	if (seconds_parse(rest, &end, &line->seconds))
		return PL_BENCH_TALK_LIE;
	rest = end;
	fails = strtol(rest, &end, 10);
	if (end == rest || fails < 0 || fails > 1000000 || !at_line_end(end))
		return PL_BENCH_TALK_LIE;
	line->rc = (int)rc;
	line->fails = (unsigned)fails;
	return PL_BENCH_TALK_EXEC;
}

static enum pl_bench_talk_kind info_parse(const char *rest, struct pl_bench_talk_line *line)
{
	size_t n = strcspn(rest, " \r\n");

	if (!n || n >= sizeof(line->key))
		return PL_BENCH_TALK_LIE;
	memcpy(line->key, rest, n);
	text_copy(line->text, sizeof(line->text), rest + n + (rest[n] == ' '));
	return PL_BENCH_TALK_INFO;
}

static enum pl_bench_talk_kind part_parse(const char *rest, struct pl_bench_talk_line *line)
{
	size_t n = strcspn(rest, " \r\n");
	char *end;

	if (!n || n >= sizeof(line->key) || seconds_parse(rest + n, &end, &line->seconds) || !at_line_end(end))
		return PL_BENCH_TALK_LIE;
	memcpy(line->key, rest, n);
	return PL_BENCH_TALK_PART;
}

static enum pl_bench_talk_kind kind_of(const char *text, struct pl_bench_talk_line *line)
{
	const char *rest;
	char *end;

	rest = rest_after(text, "@sample");
	if (rest) {
		if (seconds_parse(rest, &end, &line->seconds) || !at_line_end(end))
			return PL_BENCH_TALK_LIE;
		return PL_BENCH_TALK_SAMPLE;
	}
	rest = rest_after(text, "@exec");
	if (rest)
		return exec_parse(rest, line);
	rest = rest_after(text, "@part");
	if (rest)
		return part_parse(rest, line);
	rest = rest_after(text, "@info");
	if (rest)
		return info_parse(rest, line);
	rest = rest_after(text, "@error");
	if (rest) {
		text_copy(line->text, sizeof(line->text), rest);
		return PL_BENCH_TALK_ERROR;
	}
	rest = rest_after(text, "@hello");
	if (rest) {
		text_copy(line->text, sizeof(line->text), rest);
		return PL_BENCH_TALK_HELLO;
	}
	if (rest_after(text, "@end"))
		return PL_BENCH_TALK_END;
	return PL_BENCH_TALK_NOISE;
}

void pl_bench_talk_parse(const char *text, struct pl_bench_talk_line *line_out)
{
	*line_out = (struct pl_bench_talk_line){ .kind = PL_BENCH_TALK_NOISE };
	if (text[0] == '@')
		line_out->kind = kind_of(text, line_out);
}

void pl_bench_talk_samples(FILE *to, const double *seconds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(to, "@sample %.9g\n", seconds[i]);
	fprintf(to, "@end\n");
	fflush(to);
}

void pl_bench_talk_error(FILE *to, const char *text)
{
	fprintf(to, "@error %s\n", text);
	fflush(to);
}
