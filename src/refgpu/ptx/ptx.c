/* The compiler's front door, and what can be asked of an image. */
#include "ir.h"

#include <stdlib.h>

static int result_of(const struct pl_ptx_ctx *ctx, int left)
{
	switch (left) {
	case PL_PTX_LEAVE_MEMORY:
		return -12; /* -ENOMEM */
	case PL_PTX_LEAVE_LIMIT:
		return PL_PTX_E_LIMIT;
	default:
		return ctx->first_result ? (int)ctx->first_result : PL_PTX_E_INVALID;
	}
}

static void compile_all(struct pl_ptx_ctx *ctx, uint32_t n, struct pl_ptx_image **image_out)
{
	pl_ptx_names_init(&ctx->names, &ctx->pool);
	pl_ptx_words_init(&ctx->names);
	for (ctx->unit = 0; ctx->unit < n; ctx->unit++) {
		const struct pl_ptx_source *source = &ctx->sources[ctx->unit];

		if (source->bytes > PL_PTX_TEXT_BYTES_MAX)
			pl_ptx_fail(ctx, PL_PTX_E_LIMIT, 1, 1, "the text has more than %u bytes: split it",
				    PL_PTX_TEXT_BYTES_MAX);
		pl_ptx_lexer_init(&ctx->lexer, &ctx->names, source->text, source->bytes);
		pl_ptx_parse_unit(ctx);
	}
	ctx->unit = 0;
	if (ctx->errors_n)
		longjmp(ctx->leave, PL_PTX_LEAVE_ERRORS);
	pl_ptx_link(ctx, image_out);
}

int pl_ptx_compile(struct pl_ptx_image **image_out, const struct pl_ptx_source *sources, uint32_t sources_n,
		   const struct pl_ptx_options *options, struct pl_ptx_log *log)
{
	struct pl_ptx_ctx *ctx;
	struct pl_ptx_image *volatile image = NULL;
	struct pl_ptx_image *made = NULL;
	volatile int result = 0;
	int left;

	if (log) {
		log->info_used = log->error_used = log->line = log->column = 0;
		if (log->info && log->info_bytes)
			log->info[0] = 0;
		if (log->error && log->error_bytes)
			log->error[0] = 0;
	}
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return -12;
	ctx->sources = sources;
	ctx->log = log;
	if (options)
		ctx->options = *options;
	pl_ptx_pool_init(&ctx->pool, PL_PTX_POOL_BYTES_MAX, &ctx->leave);
	pl_ptx_pool_init(&ctx->scratch, PL_PTX_POOL_BYTES_MAX, &ctx->leave);
	left = setjmp(ctx->leave);
	if (!left) {
		if (!sources_n || sources_n > PL_PTX_UNITS_MAX)
			longjmp(ctx->leave, PL_PTX_LEAVE_LIMIT);
		compile_all(ctx, sources_n, &ctx->image);
		image = ctx->image;
	} else {
		result = result_of(ctx, left);
		pl_ptx_image_destroy(ctx->image);
		if (left == PL_PTX_LEAVE_LIMIT && !ctx->errors_n)
			pl_ptx_complain(ctx, PL_PTX_E_LIMIT, ctx->token.line, ctx->token.column,
					"the text is too large to compile: split it");
	}
	if (log)
		log->work = ctx->work;
	pl_ptx_pool_fini(&ctx->scratch);
	pl_ptx_pool_fini(&ctx->pool);
	free(ctx);
	made = image;
	if (!result)
		*image_out = made;
	return result;
}

const struct pl_ptx_func *pl_ptx_image_func(const struct pl_ptx_image *image, const char *name)
{
	for (uint32_t i = 0; i < image->funcs_n; i++)
		if (!strcmp(image->funcs[i].name, name))
			return &image->funcs[i];
	return NULL;
}

const struct pl_ptx_var *pl_ptx_image_var(const struct pl_ptx_image *image, const char *name)
{
	for (uint32_t i = 0; i < image->vars_n; i++)
		if (!strcmp(image->vars[i].name, name))
			return &image->vars[i];
	return NULL;
}

const struct pl_ptx_line *pl_ptx_image_line(const struct pl_ptx_image *image, uint64_t code_offset)
{
	uint32_t low = 0, high = image->lines_n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (image->lines[mid].code_offset <= code_offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &image->lines[low - 1] : NULL;
}

static void place_reloc(const struct pl_ptx_reloc *reloc, uint64_t value, uint8_t *at)
{
	uint64_t word;

	if (reloc->kind == PL_PTX_RELOC_BYTES) {
		value >>= reloc->shift;
		memcpy(at, &value, reloc->bytes > 8 ? 8 : reloc->bytes);
		return;
	}
	memcpy(&word, at, 8);
	word = (word & ((1ull << 29) - 1)) | value >> 32 << 29 | (word & 3ull << 62);
	memcpy(at, &word, 8);
	memcpy(&word, at + 8, 8);
	word = (word & ~0xffffffffull) | (uint32_t)value;
	memcpy(at + 8, &word, 8);
}

void pl_ptx_image_place(const struct pl_ptx_image *image, const uint64_t bases[PL_PTX_SECTIONS],
			uint8_t *const out[PL_PTX_SECTIONS])
{
	for (int i = 0; i < PL_PTX_SECTIONS; i++)
		if (image->sections[i].data_bytes)
			memcpy(out[i], image->sections[i].data, image->sections[i].data_bytes);
	for (uint32_t i = 0; i < image->relocs_n; i++) {
		const struct pl_ptx_reloc *reloc = &image->relocs[i];

		place_reloc(reloc, bases[reloc->target] + reloc->addend, out[reloc->section] + reloc->offset);
	}
}

bool pl_ptx_peek(const struct pl_ptx_source *source, uint32_t *version_out, uint32_t *target_out)
{
	const char *at = source->text, *end = at + source->bytes;
	unsigned major = 0, minor = 0, target = 0, n = 0;
	char head[4096];
	const char *version, *sm;
	size_t bytes = (size_t)(end - at) < sizeof(head) - 1 ? (size_t)(end - at) : sizeof(head) - 1;

	memcpy(head, at, bytes);
	head[bytes] = 0;
	version = strstr(head, ".version");
	sm = version ? strstr(version, ".target") : NULL;
	if (!version || !sm)
		return false;
	for (version += 8; *version == ' ' || *version == '\t'; version++)
		;
	for (; *version >= '0' && *version <= '9' && major < 1000; version++, n++)
		major = major * 10 + (unsigned)(*version - '0');
	if (*version == '.')
		for (version++; *version >= '0' && *version <= '9' && minor < 10; version++)
			minor = minor * 10 + (unsigned)(*version - '0');
	sm = strstr(sm, "sm_");
	for (sm = sm ? sm + 3 : ""; *sm >= '0' && *sm <= '9' && target < 1000; sm++)
		target = target * 10 + (unsigned)(*sm - '0');
	if (!n)
		return false;
	*version_out = major * 10 + minor;
	*target_out = target;
	return true;
}
