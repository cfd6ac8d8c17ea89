/* Functions and variables of all units become one image: places, calls, frames, shared memory, relocations. */
#include "ir.h"

#include <stdlib.h>

#define RECURSIVE_SLOTS    16384u /* R slots of a warp where the depth of calls is not known */
#define RECURSIVE_PREDS    2048u
#define RECURSIVE_UNIFORMS 1024u
#define SECTION_ALIGN      256u

struct image_box {
	struct pl_ptx_image image;
	struct pl_ptx_pool pool;
	uint32_t *func_slots, *var_slots; /* hash tables by name: index + 1 */
	uint32_t mask;
};

struct linker {
	struct pl_ptx_ctx *ctx;
	struct pl_ptx_pool *pool; /* the image's */
	struct pl_ptx_image *image;
	struct pl_ptx_func_info **by_name; /* visible functions with bodies */
	struct pl_ptx_func_info **funcs;   /* placed */
	uint32_t funcs_n, code_n;
	uint32_t common_shared, common_align;
	struct pl_ptx_reloc *relocs;
	uint32_t relocs_n, relocs_room;
	struct pl_ptx_line *lines;
	uint32_t lines_n, lines_room;
	uint32_t kernel; /* whose shared memory is laid out; counts from 1 */
};

static void fail_link(struct linker *l, uint32_t unit, uint32_t line, const char *what, uint32_t name, const char *how)
{
	l->ctx->unit = unit;
	pl_ptx_complain(l->ctx, PL_PTX_E_LINK, line, 1, "%s '%s' %s", what, pl_ptx_text(l->ctx, name), how);
}

/* ---- who is meant ---- */

static void index_functions(struct linker *l)
{
	struct pl_ptx_ctx *ctx = l->ctx;

	l->by_name = pl_ptx_alloc_n(&ctx->pool, ctx->names.n + 1u, sizeof(*l->by_name));
	for (uint32_t i = 0; i < ctx->funcs_n; i++) {
		struct pl_ptx_func_info *func = ctx->funcs[i]->func, **slot = &l->by_name[ctx->funcs[i]->name];

		if (!func->has_body || (func->linkage == L_STATIC && !func->entry))
			continue;
		if (!*slot || ((*slot)->linkage == L_WEAK && func->linkage != L_WEAK))
			*slot = func;
		else if (func->linkage != L_WEAK && (*slot)->linkage != L_WEAK)
			fail_link(l, func->unit, ctx->funcs[i]->line, "function", ctx->funcs[i]->name,
				  "is defined twice: remove one definition or make it .weak");
	}
}

static struct pl_ptx_func_info *resolve_func(struct linker *l, struct pl_ptx_func_info *func)
{
	for (int i = 0; i < 64 && func->alias; i++)
		func = func->alias;
	if (func->has_body && func->linkage != L_WEAK)
		return func;
	if (l->by_name[func->sym->name])
		return l->by_name[func->sym->name];
	if (!func->has_body && !func->resolved) {
		fail_link(l, func->unit, func->sym->line, "function", func->sym->name,
			  "is not defined in any unit: link the unit that defines it");
		func->resolved = func; /* once is enough */
	}
	return func->has_body ? func : NULL;
}

static struct pl_ptx_sym *resolve_var(struct pl_ptx_sym *sym)
{
	for (int i = 0; i < 4096 && sym->var->resolved; i++)
		sym = sym->var->resolved;
	return sym;
}

/* ---- which functions are there ---- */

static void reach(struct linker *l, struct pl_ptx_func_info *func, struct pl_ptx_func_info **work, uint32_t *n)
{
	if (!func || func->reached || !func->code)
		return;
	func->reached = true;
	work[(*n)++] = func;
	(void)l;
}

static void place_functions(struct linker *l)
{
	struct pl_ptx_ctx *ctx = l->ctx;
	struct pl_ptx_func_info **work = pl_ptx_alloc_n(&ctx->pool, ctx->funcs_n + 1u, sizeof(*work));
	uint32_t n = 0;

	l->funcs = work;
	for (uint32_t i = 0; i < ctx->funcs_n; i++) {
		struct pl_ptx_func_info *func = ctx->funcs[i]->func;
		bool wanted = func->entry || func->address_taken || !ctx->options.entry_only;

		if (func->has_body && wanted && resolve_func(l, func) == func)
			reach(l, func, work, &n);
		else if (func->address_taken && !func->has_body)
			reach(l, resolve_func(l, func), work, &n);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct pl_ptx_code *code = work[i]->code;

		for (uint32_t k = 0; k < code->refs_n; k++)
			if (code->refs[k].sym && code->refs[k].sym->kind == S_FUNC)
				reach(l, resolve_func(l, code->refs[k].sym->func), work, &n);
	}
	l->funcs_n = n;
	for (uint32_t i = 0; i < n; i++) {
		work[i]->code->base = l->code_n;
		l->code_n += work[i]->code->insns_n;
		if (l->code_n > PL_ISA_CODE_INSN_MAX) {
			pl_ptx_complain(ctx, PL_PTX_E_LIMIT, 0, 0, "more than %u instructions: split the module",
					PL_ISA_CODE_INSN_MAX);
			return;
		}
	}
}

/* ---- frames of all nested calls ---- */

static void sum_frames(struct linker *l, struct pl_ptx_code *code, uint32_t depth)
{
	if (code->summed)
		return;
	if (code->visiting || depth > 512) {
		code->recursive = true;
		return;
	}
	code->visiting = true;
	code->all_slots = code->slots;
	code->all_preds = code->preds;
	code->all_uniforms = code->uniforms;
	code->all_local = code->local_bytes;
	code->recursive |= code->alloca_used;
	for (uint32_t i = 0; i < code->calls_n; i++) {
		const struct pl_ptx_call *call = &code->calls[i];
		struct pl_ptx_func_info *func = call->func ? resolve_func(l, call->func) : NULL;
		struct pl_ptx_code *to = func ? func->code : NULL;

		if (!to) {
			code->recursive |= !call->func;
			continue;
		}
		sum_frames(l, to, depth + 1);
		code->recursive |= to->recursive;
		if (!to->summed)
			continue;
#define ATLEAST(field, value)                                                                                          \
	if (code->field < (value))                                                                                     \
	code->field = (value)
		ATLEAST(all_slots, call->shift_slots + to->all_slots);
		ATLEAST(all_preds, call->shift_preds + to->all_preds);
		ATLEAST(all_uniforms, call->shift_uniforms + to->all_uniforms);
		ATLEAST(all_local, call->local_bytes + to->all_local);
		ATLEAST(depth, to->depth + 1);
		ATLEAST(named_barriers, to->named_barriers);
	}
	code->visiting = false;
	code->summed = true;
}

/* ---- variables ---- */

static uint64_t align_up(uint64_t value, uint64_t align)
{
	return align ? (value + align - 1) & ~(align - 1) : value;
}

static void place_vars(struct linker *l, enum pl_ptx_state_space space, enum pl_ptx_section section)
{
	struct pl_ptx_bytes *out = &l->image->sections[section];
	struct pl_ptx_ctx *ctx = l->ctx;
	uint64_t at = 0;

	out->align = SECTION_ALIGN;
	for (int with_data = 1; with_data >= 0; with_data--) {
		for (uint32_t i = 0; i < ctx->vars_n; i++) {
			struct pl_ptx_sym *sym = ctx->vars[i];

			if (sym->space != space || resolve_var(sym) != sym || sym->var->linkage == L_EXTERN ||
			    (sym->var->init_bytes != 0) != with_data)
				continue;
			if (out->align < sym->align)
				out->align = sym->align;
			at = align_up(at, sym->align > 16 ? sym->align : 16);
			sym->var->place = at;
			at += sym->bytes ? sym->bytes : 1;
			if (with_data)
				out->data_bytes = at;
			if (at > PL_PTX_VAR_BYTES_MAX)
				pl_ptx_fail(ctx, PL_PTX_E_LIMIT, sym->line, 1,
					    "variables take more than %llu bytes: make them smaller",
					    PL_PTX_VAR_BYTES_MAX);
		}
	}
	out->bytes = at;
	out->data = pl_ptx_alloc_n(l->pool, out->data_bytes + 1, 1);
	for (uint32_t i = 0; i < ctx->vars_n; i++) {
		struct pl_ptx_sym *sym = ctx->vars[i];

		if (sym->space == space && resolve_var(sym) == sym && sym->var->linkage != L_EXTERN &&
		    sym->var->init_bytes)
			memcpy(out->data + sym->var->place, sym->var->init, sym->var->init_bytes);
	}
}

static enum pl_ptx_section section_of(const struct pl_ptx_sym *sym)
{
	return sym->kind == S_FUNC ? PL_PTX_CODE : sym->space == SP_CONST ? PL_PTX_CONST : PL_PTX_GLOBAL;
}

/* Return: false = it is not defined; said so. */
static bool address_of(struct linker *l, struct pl_ptx_sym *sym, uint32_t unit, enum pl_ptx_section *section,
		       uint64_t *place)
{
	struct pl_ptx_func_info *func;

	if (sym->kind == S_FUNC) {
		func = resolve_func(l, sym->func);
		if (!func || !func->code)
			return false;
		*section = PL_PTX_CODE;
		*place = (uint64_t)func->code->base * PL_ISA_INSN_BYTES;
		return true;
	}
	sym = resolve_var(sym);
	if (sym->var->linkage == L_EXTERN) {
		fail_link(l, unit, sym->line, "variable", sym->name,
			  "is not defined in any unit: link the unit that defines it");
		return false;
	}
	*section = section_of(sym);
	*place = sym->var->place;
	return true;
}

static void reloc_vars(struct linker *l)
{
	struct pl_ptx_ctx *ctx = l->ctx;

	for (uint32_t i = 0; i < ctx->vars_n; i++) {
		struct pl_ptx_sym *sym = ctx->vars[i];
		struct pl_ptx_var_info *var = sym->var;

		if (resolve_var(sym) != sym)
			continue;
		for (uint32_t k = 0; k < var->refs_n; k++) {
			enum pl_ptx_section target;
			uint64_t place;

			if (!address_of(l, var->refs[k].target, 0, &target, &place))
				continue;
			*pl_ptx_push(l->pool, l->relocs, l->relocs_n, l->relocs_room) =
				(struct pl_ptx_reloc){ .offset = var->place + var->refs[k].offset,
						       .addend = place + var->refs[k].addend,
						       .kind = PL_PTX_RELOC_BYTES,
						       .section = (uint8_t)section_of(sym),
						       .target = (uint8_t)target,
						       .bytes = (uint8_t)var->refs[k].bytes,
						       .shift = (uint8_t)var->refs[k].shift };
		}
	}
}

/* ---- shared memory ---- */

static uint32_t place_shared(struct pl_ptx_sym *sym, uint32_t *at, uint32_t *align)
{
	uint32_t place = (uint32_t)align_up(*at, sym->align);

	if (*align < sym->align)
		*align = sym->align;
	if (sym->bytes > PL_PTX_SHARED_STATIC_MAX || place + sym->bytes > PL_PTX_SHARED_STATIC_MAX)
		return UINT32_MAX;
	*at = place + (uint32_t)sym->bytes;
	return place;
}

/* What functions use lies at the same place in every kernel that calls any. */
static void common_shared(struct linker *l)
{
	for (uint32_t i = 0; i < l->funcs_n; i++) {
		struct pl_ptx_code *code = l->funcs[i]->code;

		if (l->funcs[i]->entry)
			continue;
		for (uint32_t k = 0; k < code->refs_n; k++) {
			struct pl_ptx_sym *sym;

			if (code->refs[k].kind != F_IMM_SHARED)
				continue;
			sym = resolve_var(code->refs[k].sym);
			if (sym->var->owner == UINT32_MAX)
				continue;
			sym->var->owner = UINT32_MAX; /* common */
			sym->var->local_place = place_shared(sym, &l->common_shared, &l->common_align);
			if (sym->var->local_place == UINT32_MAX)
				fail_link(l, l->funcs[i]->unit, sym->line, "shared variable", sym->name,
					  "does not fit: use less shared memory");
		}
	}
}

/* Return: bytes, rounded to where dynamic shared memory begins. */
static uint32_t kernel_shared(struct linker *l, struct pl_ptx_func_info *func)
{
	struct pl_ptx_code *code = func->code;
	uint32_t at = code->calls_n ? l->common_shared : 0, align = 16, kernel = ++l->kernel;
	bool full = false;

	for (uint32_t k = 0; k < code->refs_n; k++) {
		struct pl_ptx_sym *sym;

		if (code->refs[k].kind != F_IMM_SHARED)
			continue;
		sym = resolve_var(code->refs[k].sym);
		if (sym->var->unsized) {
			if (align < sym->align)
				align = sym->align;
			continue;
		}
		if ((sym->var->owner == UINT32_MAX && code->calls_n) || sym->var->owner == kernel)
			continue;
		if (sym->var->owner != UINT32_MAX)
			sym->var->owner = kernel;
		sym->var->local_place = place_shared(sym, &at, &align);
		full |= sym->var->local_place == UINT32_MAX;
	}
	if (full)
		fail_link(l, func->unit, func->sym->line, "kernel", func->sym->name,
			  "has more static shared memory than there is: use less");
	return code->uses_dynamic || at ? (uint32_t)align_up(at, align) : 0;
}

/* ---- code ---- */

static void put_refs(struct linker *l, struct pl_ptx_func_info *func, struct pl_isa_insn *insns, uint32_t dynamic)
{
	struct pl_ptx_code *code = func->code;

	for (uint32_t k = 0; k < code->refs_n; k++) {
		struct pl_ptx_code_ref *ref = &code->refs[k];
		struct pl_isa_insn *insn = &insns[ref->at];
		enum pl_ptx_section target;
		struct pl_ptx_func_info *to;
		struct pl_ptx_sym *sym;
		uint64_t place;

		switch (ref->kind) {
		case F_BRANCH:
			insn->word[1] += code->base;
			break;
		case F_CALL:
			to = resolve_func(l, ref->sym->func);
			if (to && to->code)
				insn->word[1] |= to->code->base;
			break;
		case F_IMM_SHARED:
			sym = resolve_var(ref->sym);
			place = sym->var->unsized ? dynamic : sym->var->local_place;
			insn->word[1] = (insn->word[1] & ~0xffffffffull) | (uint32_t)(place + ref->addend);
			break;
		default:
			if (!address_of(l, ref->sym, func->unit, &target, &place))
				break;
			*pl_ptx_push(l->pool, l->relocs, l->relocs_n, l->relocs_room) =
				(struct pl_ptx_reloc){ .offset = ((uint64_t)code->base + ref->at) * PL_ISA_INSN_BYTES,
						       .addend = place + ref->addend,
						       .kind = PL_PTX_RELOC_MOV64,
						       .section = PL_PTX_CODE,
						       .target = (uint8_t)target };
			break;
		}
	}
}

static const char *keep_text(struct linker *l, uint32_t name)
{
	return pl_ptx_strdup(l->pool, pl_ptx_text(l->ctx, name), l->ctx->names.lengths[name]);
}

static void describe_params(struct linker *l, const struct pl_ptx_func_info *func, struct pl_ptx_func *out)
{
	struct pl_ptx_param *params = pl_ptx_alloc_n(l->pool, func->params_n + 1u, sizeof(*params));

	for (uint32_t i = 0; i < func->params_n; i++)
		params[i] = (struct pl_ptx_param){ func->params[i]->offset, (uint32_t)func->params[i]->bytes,
						   func->params[i]->align, func->params[i]->ptr };
	out->params = params;
	out->params_n = func->params_n;
	out->param_bytes = func->param_bytes;
}

static void describe(struct linker *l, struct pl_ptx_func_info *func, struct pl_ptx_func *out, uint32_t shared)
{
	struct pl_ptx_code *code = func->code;

	sum_frames(l, code, 0);
	*out = (struct pl_ptx_func){ .name = keep_text(l, func->sym->name),
				     .entry = func->entry,
				     .visible = func->linkage != L_STATIC,
				     .offset = (uint64_t)code->base * PL_ISA_INSN_BYTES,
				     .bytes = (uint64_t)code->insns_n * PL_ISA_INSN_BYTES,
				     .slots = code->recursive ? RECURSIVE_SLOTS : code->all_slots,
				     .predicates = code->recursive ? RECURSIVE_PREDS : code->all_preds,
				     .uniforms = code->recursive ? RECURSIVE_UNIFORMS : code->all_uniforms,
				     .own_slots = code->slots,
				     .call_depth = code->recursive ? PL_PTX_CALL_DEPTH : code->depth,
				     .named_barriers = code->recursive ? 16 : code->named_barriers,
				     .shared_bytes = shared,
				     .local_bytes = code->all_local,
				     .own_local_bytes = code->local_bytes,
				     .recursive = code->recursive,
				     .minnctapersm = func->minnctapersm,
				     .maxnreg = func->maxnreg,
				     .maxclusterrank = func->maxclusterrank,
				     .explicit_cluster = func->explicit_cluster,
				     .instructions = code->insns_n };
	memcpy(out->maxntid, func->maxntid, sizeof(out->maxntid));
	memcpy(out->reqntid, func->reqntid, sizeof(out->reqntid));
	memcpy(out->cluster, func->cluster, sizeof(out->cluster));
	describe_params(l, func, out);
	if (l->ctx->options.verbose)
		pl_ptx_note(
			l->ctx,
			"%s: %u instructions, %u slots, %u predicates, %u uniforms, %u bytes shared, %u bytes local",
			out->name, out->instructions, out->own_slots, code->preds, code->uniforms, shared,
			out->own_local_bytes);
}

static void put_lines(struct linker *l, const struct pl_ptx_func_info *func)
{
	for (uint32_t i = 0; i < func->code->lines_n; i++) {
		const struct pl_ptx_code_line *line = &func->code->lines[i];

		*pl_ptx_push(l->pool, l->lines, l->lines_n, l->lines_room) =
			(struct pl_ptx_line){ .code_offset = (func->code->base + line->at) * PL_ISA_INSN_BYTES,
					      .unit = func->unit,
					      .ptx_line = line->line,
					      .file = l->ctx->options.line_info ? line->loc_file : UINT32_MAX,
					      .line = l->ctx->options.line_info ? line->loc_line : 0 };
	}
}

static void put_functions(struct linker *l)
{
	struct pl_isa_insn *insns = pl_ptx_alloc_n(l->pool, l->code_n + 1u, sizeof(*insns));
	struct pl_ptx_func *funcs = pl_ptx_alloc_n(l->pool, l->funcs_n + 1u, sizeof(*funcs));
	struct pl_ptx_bytes *out = &l->image->sections[PL_PTX_CODE];

	common_shared(l);
	for (uint32_t i = 0; i < l->funcs_n; i++) {
		struct pl_ptx_func_info *func = l->funcs[i];
		uint32_t shared = func->entry ? kernel_shared(l, func) : 0;

		memcpy(insns + func->code->base, func->code->insns, func->code->insns_n * sizeof(*insns));
		put_refs(l, func, insns + func->code->base, shared);
		describe(l, func, &funcs[i], shared);
		put_lines(l, func);
	}
	out->data = (uint8_t *)insns;
	out->data_bytes = out->bytes = (uint64_t)l->code_n * PL_ISA_INSN_BYTES;
	out->align = SECTION_ALIGN;
	l->image->funcs = funcs;
	l->image->funcs_n = l->funcs_n;
}

static void put_vars(struct linker *l)
{
	struct pl_ptx_ctx *ctx = l->ctx;
	struct pl_ptx_var *vars = pl_ptx_alloc_n(l->pool, ctx->vars_n + 1u, sizeof(*vars));
	uint32_t n = 0;

	for (uint32_t i = 0; i < ctx->vars_n; i++) {
		struct pl_ptx_sym *sym = ctx->vars[i];
		struct pl_ptx_var *out;

		if (resolve_var(sym) != sym || sym->var->linkage == L_EXTERN)
			continue;
		out = &vars[n++];
		out->name = keep_text(l, sym->name);
		out->space = sym->space == SP_CONST    ? PL_PTX_SPACE_CONST
			     : sym->space == SP_SHARED ? PL_PTX_SPACE_SHARED
						       : PL_PTX_SPACE_GLOBAL;
		out->ref = sym->type.word == W_texref       ? PL_PTX_REF_TEX
			   : sym->type.word == W_samplerref ? PL_PTX_REF_SAMPLER
			   : sym->type.word == W_surfref    ? PL_PTX_REF_SURF
							    : PL_PTX_REF_NONE;
		out->offset = sym->space == SP_SHARED ? sym->var->local_place : sym->var->place;
		out->bytes = sym->bytes;
		out->align = sym->align;
		out->visible = sym->var->linkage != L_STATIC;
		out->managed = sym->var->managed;
		out->sampler_bits = sym->var->sampler_bits;
	}
	l->image->vars = vars;
	l->image->vars_n = n;
}

static void put_files(struct linker *l)
{
	const char **files = pl_ptx_alloc_n(l->pool, l->ctx->files_n + 1u, sizeof(*files));

	for (uint32_t i = 0; i < l->ctx->files_n; i++)
		files[i] = pl_ptx_strdup(l->pool, l->ctx->files[i], strlen(l->ctx->files[i]));
	l->image->files = files;
	l->image->files_n = l->ctx->files_n;
}

/* Called with ctx->leave set; *image_out is owned by the caller from the first moment on. */
void pl_ptx_link(struct pl_ptx_ctx *ctx, struct pl_ptx_image **image_out)
{
	struct image_box *box = calloc(1, sizeof(*box));
	struct linker l = { .ctx = ctx };

	if (!box)
		longjmp(ctx->leave, PL_PTX_LEAVE_MEMORY);
	*image_out = &box->image;
	pl_ptx_pool_init(&box->pool, PL_PTX_POOL_BYTES_MAX, &ctx->leave);
	l.pool = &box->pool;
	l.image = &box->image;
	index_functions(&l);
	place_functions(&l);
	place_vars(&l, SP_GLOBAL, PL_PTX_GLOBAL);
	place_vars(&l, SP_CONST, PL_PTX_CONST);
	put_functions(&l);
	reloc_vars(&l);
	put_vars(&l);
	put_files(&l);
	box->image.relocs = l.relocs;
	box->image.relocs_n = l.relocs_n;
	box->image.lines = l.lines;
	box->image.lines_n = l.lines_n;
	box->image.version = ctx->version_max;
	box->image.target = ctx->target_max;
	box->image.debug = ctx->debug;
	if (ctx->errors_n)
		longjmp(ctx->leave, PL_PTX_LEAVE_ERRORS);
}

void pl_ptx_image_destroy(struct pl_ptx_image *image)
{
	struct image_box *box = (struct image_box *)image;

	if (!box)
		return;
	pl_ptx_pool_fini(&box->pool);
	free(box);
}
