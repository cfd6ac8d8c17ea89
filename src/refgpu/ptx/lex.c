#include "lex.h"

#include <stdlib.h>

enum { C_NAME = 1, C_DIGIT = 2, C_BLANK = 4, C_START = 8 };

static const uint8_t classes[256] = {
	['0' ... '9'] = C_NAME | C_DIGIT,
	['a' ... 'z'] = C_NAME | C_START,
	['A' ... 'Z'] = C_NAME | C_START,
	['_'] = C_NAME | C_START,
	['$'] = C_NAME | C_START,
	['%'] = C_START,
	[' '] = C_BLANK,
	['\t'] = C_BLANK,
	['\r'] = C_BLANK,
	['\f'] = C_BLANK,
	['\v'] = C_BLANK,
};

void pl_ptx_words_init(struct pl_ptx_names *names)
{
	static const char *const words[] = {
#define WORD(symbol, text) text,
#include "words.def"
#undef WORD
	};
	for (uint32_t i = 0; i < W_COUNT; i++)
		(void)pl_ptx_name(names, words[i], strlen(words[i]));
}

void pl_ptx_lexer_init(struct pl_ptx_lexer *lexer, struct pl_ptx_names *names, const char *text, size_t bytes)
{
	const char *zero = memchr(text, 0, bytes);

	*lexer = (struct pl_ptx_lexer){
		.names = names, .at = text, .end = zero ? zero : text + bytes, .line_start = text, .line = 1
	};
}

static bool is(const struct pl_ptx_lexer *lexer, const char *at, int class)
{
	return at < lexer->end && (classes[(uint8_t)*at] & class);
}

static bool comment_skip(struct pl_ptx_lexer *lexer)
{
	const char *at = lexer->at + 2;

	if (lexer->at[1] == '/') {
		while (at < lexer->end && *at != '\n')
			at++;
		lexer->at = at;
		return true;
	}
	for (; at + 1 < lexer->end; at++) {
		if (*at == '\n') {
			lexer->line++;
			lexer->line_start = at + 1;
		}
		if (at[0] == '*' && at[1] == '/') {
			lexer->at = at + 2;
			return true;
		}
	}
	lexer->at = lexer->end;
	lexer->bad = "a comment does not end";
	return false;
}

/* Blanks, comments, and lines that begin with '#'. */
static bool blanks_skip(struct pl_ptx_lexer *lexer)
{
	while (lexer->at < lexer->end) {
		char c = *lexer->at;

		if (c == '\n') {
			lexer->line++;
			lexer->line_start = ++lexer->at;
		} else if (classes[(uint8_t)c] & C_BLANK) {
			lexer->at++;
		} else if (c == '/' && lexer->at + 1 < lexer->end && (lexer->at[1] == '/' || lexer->at[1] == '*')) {
			if (!comment_skip(lexer))
				return false;
		} else if (c == '#') {
			while (lexer->at < lexer->end && *lexer->at != '\n')
				lexer->at++;
		} else {
			return true;
		}
	}
	return true;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

static void bad(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token, const char *why)
{
	lexer->bad = why;
	token->kind = T_BAD;
}

static void lex_digits(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token, unsigned base)
{
	const char *at = lexer->at, *start = at;
	uint64_t value = 0;
	bool over = false;

	for (; at < lexer->end && (unsigned)digit_of(*at) < base; at++) {
		over |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		over |= __builtin_add_overflow(value, (uint64_t)digit_of(*at), &value);
	}
	token->is_unsigned = value >> 63;
	if (at < lexer->end && (*at == 'U' || *at == 'u')) {
		at++;
		token->is_unsigned = true;
	}
	lexer->at = at;
	token->kind = T_INT;
	token->value = value;
	if (over)
		bad(lexer, token, "a number has more than 64 bits");
	else if (at == start || is(lexer, at, C_NAME))
		bad(lexer, token, "a number is malformed");
}

static void lex_hex_float(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token, int digits)
{
	lexer->at += 2;
	token->kind = T_FLOAT;
	token->f32 = digits == 8;
	for (int i = 0; i < digits; i++, lexer->at++) {
		if (lexer->at >= lexer->end || digit_of(*lexer->at) > 15) {
			bad(lexer, token, "0f takes 8 and 0d 16 hexadecimal digits");
			return;
		}
		token->value = token->value << 4 | (uint64_t)digit_of(*lexer->at);
	}
	if (is(lexer, lexer->at, C_NAME))
		bad(lexer, token, "0f takes 8 and 0d 16 hexadecimal digits");
}

static bool looks_decimal_float(const struct pl_ptx_lexer *lexer)
{
	const char *at = lexer->at;

	while (is(lexer, at, C_DIGIT))
		at++;
	return at < lexer->end && (*at == '.' || ((*at | 0x20) == 'e' && at > lexer->at));
}

static void lex_decimal_float(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token)
{
	char text[64], *stop;
	size_t n = 0;
	const char *at = lexer->at;
	double value;

	while (at < lexer->end && n < sizeof(text) - 1 &&
	       ((classes[(uint8_t)*at] & C_DIGIT) || *at == '.' || (*at | 0x20) == 'e' ||
		((*at == '+' || *at == '-') && n && (text[n - 1] | 0x20) == 'e')))
		text[n++] = *at++;
	text[n] = 0;
	value = strtod(text, &stop);
	memcpy(&token->value, &value, 8);
	token->kind = T_FLOAT;
	lexer->at = at;
	if (*stop || is(lexer, at, C_NAME))
		bad(lexer, token, "a number is malformed");
}

static void lex_number(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token)
{
	char next = lexer->at + 1 < lexer->end ? lexer->at[1] : 0;

	if (*lexer->at == '0' && next) {
		switch (next) {
		case 'x':
		case 'X':
			lexer->at += 2;
			lex_digits(lexer, token, 16);
			return;
		case 'b':
		case 'B':
			lexer->at += 2;
			lex_digits(lexer, token, 2);
			return;
		case 'f':
		case 'F':
			lex_hex_float(lexer, token, 8);
			return;
		case 'd':
		case 'D':
			lex_hex_float(lexer, token, 16);
			return;
		default:
			break;
		}
	}
	if (looks_decimal_float(lexer))
		lex_decimal_float(lexer, token);
	else
		lex_digits(lexer, token, *lexer->at == '0' && is(lexer, lexer->at + 1, C_DIGIT) ? 8 : 10);
}

static void lex_dot(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token)
{
	const char *start = ++lexer->at;

	for (;;) {
		while (is(lexer, lexer->at, C_NAME))
			lexer->at++;
		if (lexer->at + 2 < lexer->end && lexer->at[0] == ':' && lexer->at[1] == ':' &&
		    is(lexer, lexer->at + 2, C_NAME))
			lexer->at += 2;
		else
			break;
	}
	if (lexer->at == start) {
		bad(lexer, token, "a name is missing after '.'");
		return;
	}
	token->kind = T_DOT;
	token->name = pl_ptx_name(lexer->names, start, (size_t)(lexer->at - start));
}

static void lex_string(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token)
{
	const char *start = ++lexer->at;

	while (lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != '\n')
		lexer->at += *lexer->at == '\\' && lexer->at + 1 < lexer->end && lexer->at[1] != '\n' ? 2 : 1;
	if (lexer->at >= lexer->end || *lexer->at != '"') {
		if (lexer->at > lexer->end)
			lexer->at = lexer->end;
		bad(lexer, token, "a string does not end");
		return;
	}
	token->kind = T_STRING;
	token->text = start;
	token->length = (uint32_t)(lexer->at++ - start);
}

static void lex_operator(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token)
{
	static const struct {
		char text[3];
		int kind;
	} pairs[] = { { "<<", T_SHL }, { ">>", T_SHR }, { "<=", T_LE },  { ">=", T_GE },
		      { "==", T_EQ },  { "!=", T_NE },  { "&&", T_AND }, { "||", T_OR } };
	char c = *lexer->at;

	if (lexer->at + 1 < lexer->end) {
		for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
			if (c == pairs[i].text[0] && lexer->at[1] == pairs[i].text[1]) {
				token->kind = pairs[i].kind;
				lexer->at += 2;
				return;
			}
		}
	}
	lexer->at++;
	token->kind = (uint8_t)c;
	if (!memchr("{}()[]<>,;:+-*/%=?@!~&|^", c, 24)) /* "%" alone; names are taken before */
		bad(lexer, token, "a character that PTX does not have");
}

void pl_ptx_lexer_next(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token)
{
	bool good = blanks_skip(lexer);
	const char *start = lexer->at;

	*token = (struct pl_ptx_token){ .line = lexer->line, .column = (uint32_t)(start - lexer->line_start) + 1 };
	token->text = start;
	if (!good) {
		token->kind = T_BAD;
	} else if (start >= lexer->end) {
		token->kind = T_END;
	} else if ((classes[(uint8_t)*start] & C_START) && (*start != '%' || is(lexer, start + 1, C_NAME))) {
		do
			lexer->at++;
		while (is(lexer, lexer->at, C_NAME));
		token->kind = T_NAME;
		token->name = pl_ptx_name(lexer->names, start, (size_t)(lexer->at - start));
	} else if (classes[(uint8_t)*start] & C_DIGIT) {
		lex_number(lexer, token);
	} else if (*start == '.') {
		lex_dot(lexer, token);
	} else if (*start == '"') {
		lex_string(lexer, token);
		return;
	} else {
		lex_operator(lexer, token);
	}
	token->length = (uint32_t)(lexer->at - start);
}
