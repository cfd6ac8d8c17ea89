/* Tokens: what a text is cut into, where, and what is said of text that is none. */
#include "lex.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pl_ptx_pool pool;
static struct pl_ptx_names names;
static struct pl_ptx_lexer lexer;
static jmp_buf leave;

static struct pl_ptx_token next(void)
{
	struct pl_ptx_token token = { 0 };

	pl_ptx_lexer_next(&lexer, &token);
	return token;
}

/* Exactly as many bytes as there are: one too far is seen by a sanitizer. */
static struct pl_ptx_token first_of(const char *text)
{
	static char *copy;
	size_t bytes = strlen(text);

	free(copy);
	copy = malloc(bytes ? bytes : 1);
	assert(copy);
	memcpy(copy, text, bytes);
	pl_ptx_lexer_init(&lexer, &names, copy, bytes);
	return next();
}

static void number_is(const char *text, uint64_t value, bool is_unsigned)
{
	struct pl_ptx_token token = first_of(text);

	if (token.kind != T_INT || token.value != value || token.is_unsigned != is_unsigned)
		fprintf(stderr, "%s: kind %d, %llx\n", text, token.kind, (unsigned long long)token.value);
	assert(token.kind == T_INT && token.value == value && token.is_unsigned == is_unsigned);
	assert(next().kind == T_END);
}

static void float_is(const char *text, uint64_t bits, bool single)
{
	struct pl_ptx_token token = first_of(text);

	assert(token.kind == T_FLOAT && token.value == bits && token.f32 == single);
	assert(next().kind == T_END);
}

static void bad_is(const char *text)
{
	struct pl_ptx_token token = first_of(text);

	if (token.kind != T_BAD || !lexer.bad || !lexer.bad[0])
		fprintf(stderr, "%s: kind %d\n", text, token.kind);
	assert(token.kind == T_BAD && lexer.bad && lexer.bad[0]);
}

static void test_numbers(void)
{
	number_is("0", 0, false);
	number_is("42", 42, false);
	number_is("0x1F", 31, false);
	number_is("0b101", 5, false);
	number_is("017", 15, false);
	number_is("7U", 7, true);
	number_is("0xffffffffffffffff", UINT64_MAX, true);
	number_is("9223372036854775807", INT64_MAX, false);
	bad_is("18446744073709551616");
}

static void test_floats(void)
{
	float_is("0f3F800000", 0x3f800000, true);
	float_is("0d3FF0000000000000", 0x3ff0000000000000, false);
	float_is("1.5", 0x3ff8000000000000, false);
	float_is("2e3", 0x409f400000000000, false);
	bad_is("0f3F80000");
	bad_is("0d3FF");
}

static void test_names_and_words(void)
{
	struct pl_ptx_token token = first_of("%tid $L__BB0_1 _a.x .L2::128B add");

	assert(token.kind == T_NAME && !strcmp(pl_ptx_name_text(&names, token.name), "%tid"));
	token = next();
	assert(token.kind == T_NAME && token.column == 6);
	assert(next().kind == T_NAME);
	token = next();
	assert(token.kind == T_DOT && !strcmp(pl_ptx_name_text(&names, token.name), "x"));
	token = next();
	assert(token.kind == T_DOT && !strcmp(pl_ptx_name_text(&names, token.name), "L2::128B"));
	token = next();
	assert(token.kind == T_NAME && token.name == W_add && next().kind == T_END && next().kind == T_END);
}

static void test_lines_and_comments(void)
{
	struct pl_ptx_token token = first_of("a // b\n/* c\n d */ e\n# 1 \"x\"\n  f");

	assert(token.line == 1 && token.column == 1);
	token = next();
	assert(token.kind == T_NAME && token.line == 3 && token.column == 7);
	token = next();
	assert(token.kind == T_NAME && token.line == 5 && token.column == 3);
	assert(next().kind == T_END);
	bad_is("/* never");
	bad_is("/*/");
}

static void test_signs_and_strings(void)
{
	static const int kinds[] = { T_SHL, T_SHR, T_LE, T_GE, T_EQ, T_NE, T_AND, T_OR, '<', '{', ';', T_STRING };
	struct pl_ptx_token token = first_of("<< >> <= >= == != && || < { ; \"a b\"");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++, token = next())
		assert(token.kind == kinds[i]);
	assert(token.kind == T_END);
	bad_is("\"no end");
	bad_is("\"no\nend\"");
	bad_is("\x01");
}

int main(void)
{
	pl_ptx_pool_init(&pool, 1 << 24, &leave);
	if (setjmp(leave))
		return 1;
	pl_ptx_names_init(&names, &pool);
	pl_ptx_words_init(&names);
	test_numbers();
	test_floats();
	test_names_and_words();
	test_lines_and_comments();
	test_signs_and_strings();
	pl_ptx_pool_fini(&pool);
	return 0;
}
