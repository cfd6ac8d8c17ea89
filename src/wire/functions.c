#include "wire/functions.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

uint64_t pl_functions_bytes(const struct pl_functions *functions)
{
	uint64_t bytes = 16;

	for (uint32_t i = 0; i < functions->count; i++)
		bytes += 24 + pl_size_array(strlen(functions->at[i].name) + 1, 1);
	return bytes;
}

void pl_functions_put(struct pl_enc *enc, const struct pl_functions *functions)
{
	pl_enc_u64(enc, functions->version);
	pl_enc_u64(enc, functions->count);
	for (uint32_t i = 0; i < functions->count; i++) {
		const struct pl_function *function = &functions->at[i];

		pl_enc_u64(enc, function->op);
		pl_enc_u64(enc, function->reverse);
		pl_enc_u64(enc, function->layout);
		pl_enc_array(enc, function->name, strlen(function->name) + 1, 1);
	}
}

/* Return: the next row is whole and keeps to the rules.  Names come in order, so no name comes twice. */
static bool row_get(struct pl_dec *dec, const char *before, struct pl_function *row_out)
{
	uint64_t op = pl_dec_u64(dec), reverse = pl_dec_u64(dec);

	row_out->layout = pl_dec_u64(dec);
	row_out->name = pl_dec_string(dec, PL_FUNCTION_NAME_MAX);
	row_out->op = (uint16_t)op;
	row_out->reverse = reverse;
	return !dec->failed && op && op <= PL_FUNCTION_OP_MAX && reverse <= 1 && strcmp(before, row_out->name) < 0;
}

/* Return: ours of that name, at *next or behind it; NULL = we have none. */
static const struct pl_function *ours_find(const struct pl_functions *ours, const char *name, uint32_t *next)
{
	for (; *next < ours->count; (*next)++) {
		int order = strcmp(ours->at[*next].name, name);

		if (order >= 0)
			return order ? NULL : &ours->at[*next];
	}
	return NULL;
}

/* Return: 0 or PL_FUNCTIONS_E_REVERSE. */
static int row_enter(const struct pl_function *mine, const struct pl_function *row, struct pl_agreement *agreement)
{
	bool same = mine->layout == row->layout && mine->reverse == row->reverse;

	if (mine->reverse && !same)
		return PL_FUNCTIONS_E_REVERSE;
	if (mine->reverse)
		agreement->reverse[row->op] = mine->op;
	else
		agreement->call[mine->op] = same ? row->op : PL_FUNCTION_DIFFERS;
	return 0;
}

int pl_functions_agree(const struct pl_functions *ours, struct pl_dec *dec, struct pl_agreement *agreement,
		       char *what_out)
{
	bool taken[PL_FUNCTION_OP_MAX + 1] = { 0 };
	uint64_t version = pl_dec_u64(dec), count = pl_dec_u64(dec);
	struct pl_function row;
	const char *before = "";
	uint32_t next = 0;

	*agreement = (struct pl_agreement){ 0 };
	if (dec->failed || count > PL_FUNCTIONS_MAX)
		return pl_err(-EPROTO);
	if (version != ours->version)
		return PL_FUNCTIONS_E_VERSION;
	for (uint64_t i = 0; i < count; i++, before = row.name) {
		const struct pl_function *mine;

		if (!row_get(dec, before, &row) || taken[row.op])
			return pl_err(-EPROTO);
		taken[row.op] = true;
		mine = ours_find(ours, row.name, &next);
		if (mine && row_enter(mine, &row, agreement)) {
			snprintf(what_out, PL_FUNCTION_NAME_MAX, "%s", row.name);
			return PL_FUNCTIONS_E_REVERSE;
		}
	}
	return pl_dec_whole(dec) ? 0 : pl_err(-EPROTO);
}

const char *pl_functions_name(const struct pl_functions *functions, uint16_t op)
{
	for (uint32_t i = 0; i < functions->count; i++)
		if (functions->at[i].op == op)
			return functions->at[i].name;
	return "?";
}
