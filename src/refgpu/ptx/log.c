/* The log, errors, and the token that the parser stands at. */
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>

static void append(char *buffer, size_t room, size_t *used, const char *text)
{
	size_t length = strlen(text);

	if (!buffer || *used + length + 1 > room)
		return;
	memcpy(buffer + *used, text, length + 1);
	*used += length;
}

void pl_ptx_note(struct pl_ptx_ctx *ctx, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	strcat(text, "\n");
	if (ctx->log)
		append(ctx->log->info, ctx->log->info_bytes, &ctx->log->info_used, text);
}

static void complain(struct pl_ptx_ctx *ctx, int result, uint32_t line, uint32_t column, const char *format,
		     va_list args)
{
	const char *name = ctx->sources[ctx->unit].name;
	char text[768];
	int n;

	if (!ctx->first_result) {
		ctx->first_result = (uint32_t)result;
		if (ctx->log) {
			ctx->log->line = line;
			ctx->log->column = column;
		}
	}
	ctx->errors_n++;
	if (!ctx->log)
		return;
	n = snprintf(text, sizeof(text), "%.200s:%u: ", name ? name : "ptx", line);
	vsnprintf(text + n, sizeof(text) - (size_t)n - 1, format, args);
	strcat(text, "\n");
	append(ctx->log->error, ctx->log->error_bytes, &ctx->log->error_used, text);
}

void pl_ptx_complain(struct pl_ptx_ctx *ctx, int result, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(ctx, result, line, column, format, args);
	va_end(args);
}

_Noreturn void pl_ptx_fail(struct pl_ptx_ctx *ctx, int result, uint32_t line, uint32_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(ctx, result, line, column, format, args);
	va_end(args);
	if (ctx->retry && ctx->errors_n < PL_PTX_ERRORS_MAX)
		longjmp(*ctx->retry, PL_PTX_LEAVE_ERRORS);
	longjmp(ctx->leave, PL_PTX_LEAVE_ERRORS);
}

void pl_ptx_advance(struct pl_ptx_ctx *ctx)
{
	pl_ptx_lexer_next(&ctx->lexer, &ctx->token);
	if (ctx->token.kind == T_BAD)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "%s: correct the text", ctx->lexer.bad);
}

bool pl_ptx_accept(struct pl_ptx_ctx *ctx, int kind)
{
	if (ctx->token.kind != kind)
		return false;
	pl_ptx_advance(ctx);
	return true;
}

bool pl_ptx_at_dot(const struct pl_ptx_ctx *ctx, uint32_t word)
{
	return ctx->token.kind == T_DOT && ctx->token.name == word;
}

bool pl_ptx_accept_dot(struct pl_ptx_ctx *ctx, uint32_t word)
{
	if (!pl_ptx_at_dot(ctx, word))
		return false;
	pl_ptx_advance(ctx);
	return true;
}

void pl_ptx_expect(struct pl_ptx_ctx *ctx, int kind, const char *after)
{
	if (ctx->token.kind != kind) {
		if (ctx->token.kind == T_END)
			pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "the text ends: '%c' is expected after %s", kind,
					 after);
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%.*s' is not expected here: '%c' comes after %s",
				 ctx->token.length > 60 ? 60 : (int)ctx->token.length, ctx->token.text, kind, after);
	}
	pl_ptx_advance(ctx);
}

uint32_t pl_ptx_expect_name(struct pl_ptx_ctx *ctx, const char *what)
{
	uint32_t name = ctx->token.name;

	if (ctx->token.kind != T_NAME)
		pl_ptx_fail_here(ctx, PL_PTX_E_INVALID, "'%.*s' is not expected here: the name of %s is",
				 ctx->token.length > 60 ? 60 : (int)ctx->token.length, ctx->token.text, what);
	pl_ptx_advance(ctx);
	return name;
}

uint64_t pl_ptx_expect_int(struct pl_ptx_ctx *ctx, const char *what, uint64_t max)
{
	uint32_t line = ctx->token.line, column = ctx->token.column;
	struct pl_ptx_number number = pl_ptx_expression(ctx);

	if (number.is_float || number.value > max)
		pl_ptx_fail(ctx, PL_PTX_E_INVALID, line, column, "%s is out of range: give 0 to %llu", what,
			    (unsigned long long)max);
	return number.value;
}
