/*
 * Tokens of PTX, one at a time.  A word's number is its name in the compilation's names; the words of words.def come
 * first.  `.name` is one token, with `::` parts: `.L2::128B`.
 */
#ifndef PL_REFGPU_PTX_LEX_H
#define PL_REFGPU_PTX_LEX_H

#include "pool.h"

#include <stdbool.h>

enum pl_ptx_word {
#define WORD(symbol, text) W_##symbol,
#include "words.def"
#undef WORD
	W_COUNT,
	W_NONE = 0xffff,
};

enum pl_ptx_token_kind {
	T_END = 256, /* below: the character itself */
	T_NAME,
	T_DOT, /* .name */
	T_INT,
	T_FLOAT, /* bits in value: of an f64, or where f32 is set, of an f32 */
	T_STRING,
	T_SHL,
	T_SHR,
	T_LE,
	T_GE,
	T_EQ,
	T_NE,
	T_AND,
	T_OR,
	T_BAD,
};

struct pl_ptx_token {
	int kind;
	uint32_t name; /* T_NAME, T_DOT */
	uint32_t line, column;
	uint64_t value; /* T_INT, T_FLOAT */
	bool is_unsigned, f32;
	const char *text;
	uint32_t length;
};

struct pl_ptx_lexer {
	struct pl_ptx_names *names;
	const char *at, *end, *line_start;
	uint32_t line;
	const char *bad; /* what is wrong with a T_BAD */
};

void pl_ptx_lexer_init(struct pl_ptx_lexer *lexer, struct pl_ptx_names *names, const char *text, size_t bytes);
void pl_ptx_lexer_next(struct pl_ptx_lexer *lexer, struct pl_ptx_token *token);
/* Makes W_* the names of the words; first of all. */
void pl_ptx_words_init(struct pl_ptx_names *names);

#endif
