/* Loads, stores, atomics, and what only hints at the caches. */
#include "lower.h"

unsigned pl_ptx_take_space(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = TAKE_OF(st, W_global, W_shared, W_local, W_const, W_param, W_shared__cta, W_shared__cluster,
				W_param__entry, W_param__func);

	switch (word) {
	case W_global:
		return SP_GLOBAL;
	case W_const:
		return SP_CONST;
	case W_shared:
	case W_shared__cta:
	case W_shared__cluster: /* a block is a cluster of its own */
		return SP_SHARED;
	case W_local:
		return SP_LOCAL;
	case W_param:
	case W_param__entry:
	case W_param__func:
		return SP_PARAM;
	default:
		(void)b;
		return SP_GENERIC;
	}
}

struct access {
	unsigned sem, scope, cache, space;
	bool hint;
	uint32_t n;
	struct pl_ptx_type type;
};

static unsigned scope_code(uint32_t word)
{
	return word == W_cta || word == W_cluster ? PL_ISA_CTA : word == W_gpu ? PL_ISA_GPU : PL_ISA_SYSTEM;
}

static void take_hints(struct pl_ptx_statement *st, struct access *access)
{
	(void)TAKE_OF(st, W_L1__evict_first, W_L1__evict_last, W_L1__evict_normal, W_L1__evict_unchanged,
		      W_L1__no_allocate, W_evict_first, W_evict_last, W_evict_normal, W_evict_unchanged, W_no_allocate);
	(void)TAKE_OF(st, W_L2__evict_first, W_L2__evict_last, W_L2__evict_normal);
	access->hint |= pl_ptx_take(st, W_L2__cache_hint);
	(void)TAKE_OF(st, W_L2__64B, W_L2__128B, W_L2__256B);
}

static struct access take_access(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool store)
{
	struct access access = { .sem = PL_ISA_WEAK, .scope = PL_ISA_SYSTEM, .n = 1 };
	uint32_t word = TAKE_OF(st, W_weak, W_volatile, W_relaxed, W_acquire, W_release), scope;
	bool mmio = pl_ptx_take(st, W_mmio);

	if (mmio && word == W_NONE)
		word = W_relaxed;
	access.sem = word == W_volatile  ? PL_ISA_VOLATILE
		     : word == W_relaxed ? PL_ISA_RELAXED
		     : word == W_acquire ? PL_ISA_ACQUIRE
		     : word == W_release ? PL_ISA_RELEASE
					 : PL_ISA_WEAK;
	scope = TAKE_OF(st, W_cta, W_cluster, W_gpu, W_sys);
	access.scope = scope_code(scope);
	if ((word == W_relaxed || word == W_acquire || word == W_release) && scope == W_NONE)
		pl_ptx_bad(b, st, "a scope is missing: write .cta, .gpu or .sys");
	if ((store && word == W_acquire) || (!store && word == W_release))
		pl_ptx_bad(b, st, ".acquire goes with loads and .release with stores: exchange them");
	access.space = pl_ptx_take_space(b, st);
	(void)pl_ptx_take(st, W_nc);
	word = TAKE_OF(st, W_ca, W_cg, W_cs, W_lu, W_cv, W_wb, W_wt);
	access.cache = word == W_cg   ? PL_ISA_CG
		       : word == W_cs ? PL_ISA_CS
		       : word == W_lu ? PL_ISA_LU
		       : word == W_cv ? PL_ISA_CV
		       : word == W_wb ? PL_ISA_WB
		       : word == W_wt ? PL_ISA_WT
				      : PL_ISA_CA;
	take_hints(st, &access);
	word = TAKE_OF(st, W_v2, W_v4, W_v8);
	access.n = word == W_v2 ? 2 : word == W_v4 ? 4 : word == W_v8 ? 8 : 1;
	access.type = pl_ptx_take_type(b, st);
	take_hints(st, &access);
	if (access.type.class == K_PRED || access.type.class == K_ODD || access.type.bits < 8)
		pl_ptx_bad(b, st, "type .%s does not go with memory: use another",
			   pl_ptx_text(b->ctx, access.type.word));
	if (access.type.bits / 8 * access.n > 32)
		pl_ptx_bad(b, st, "a vector of more than 32 bytes: use a smaller one");
	return access;
}

static unsigned isa_space(struct pl_ptx_build *b, unsigned space)
{
	switch (space) {
	case SP_GLOBAL:
	case SP_CONST:
		return PL_ISA_GLOBAL;
	case SP_SHARED:
		return PL_ISA_SHARED;
	case SP_LOCAL:
		return PL_ISA_LOCAL;
	case SP_PARAM:
		return b->func->entry ? PL_ISA_PARAM : PL_ISA_LOCAL;
	default:
		return PL_ISA_GENERIC;
	}
}

static void check_symbol_space(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			       const struct pl_ptx_operand *operand, unsigned *space)
{
	unsigned own = operand->sym->space;

	if (operand->sym->kind != S_VAR && operand->sym->kind != S_PARAM)
		return;
	if (*space == SP_GENERIC) /* a variable's name without a space: its own */
		*space = own;
	if (*space == SP_PARAM && own == SP_PARAM && operand->sym->outgoing)
		*space = SP_LOCAL;
	else if (own != *space)
		pl_ptx_fail(b->ctx, PL_PTX_E_INVALID, operand->line, operand->column,
			    "%s: '%s' does not lie in this state space: use its own", pl_ptx_text(b->ctx, st->op),
			    pl_ptx_text(b->ctx, operand->sym->name));
}

/* [base + offset] in `space`. */
struct pl_ptx_address pl_ptx_address_of(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
					const struct pl_ptx_operand *operand, unsigned space)
{
	struct pl_ptx_address address = { .space = (uint8_t)space };
	const struct pl_ptx_operand *base;
	struct pl_ptx_operand plain;

	if (operand->kind != O_ADDRESS || operand->parts_n != 1)
		pl_ptx_bad(b, st, "an address in brackets is expected here: write [register + offset]");
	base = &operand->parts[0];
	if (base->negated)
		pl_ptx_bad(b, st, "an address can not be negated");
	switch (base->kind) {
	case O_INT:
		address.offset = base->value;
		break;
	case O_REG:
		plain = *base;
		plain.second = NULL;
		if (base->sym->type.class == K_F || base->sym->type.bits < 32 || base->sym->type.bits > 64)
			pl_ptx_bad(b, st, "an address is a register of 32 or 64 bits, not '%s'",
				   pl_ptx_text(b->ctx, base->sym->name));
		address.base = pl_ptx_source(b, st, &plain, base->sym->type, FIT_EXACT);
		address.offset = base->value;
		break;
	case O_SYM:
		check_symbol_space(b, st, base, &space);
		address.space = (uint8_t)space;
		plain = *base;
		plain.value = 0;
		address.base = pl_ptx_symbol_value(b, st, &plain);
		address.offset = base->value;
		break;
	default:
		pl_ptx_bad(b, st, "an address is a register, a variable or a constant: use one of them");
	}
	return address;
}

uint32_t pl_ptx_address_value(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			      const struct pl_ptx_operand *operand, unsigned space, unsigned slots)
{
	struct pl_ptx_address address = pl_ptx_address_of(b, st, operand, space);
	uint32_t base = address.base ? pl_ptx_fit(b, address.base, slots) : 0;
	unsigned type = slots == 2 ? PL_ISA_U64 : PL_ISA_U32;

	if (!base)
		return pl_ptx_const(b, address.offset, slots);
	if (!address.offset)
		return base;
	return pl_ptx_bi(b, PL_ISA_ADD, type, slots, base, pl_ptx_const(b, address.offset, slots));
}

static void set_access(struct pl_ptx_build *b, struct pl_ptx_ins *ins, const struct access *access,
		       const struct pl_ptx_address *address, uint32_t n)
{
	unsigned type = pl_ptx_int_type(access->type);
	bool narrow;

	ins->f.type = (uint8_t)type;
	ins->f.space = (uint8_t)isa_space(b, address->space);
	ins->f.vec = (uint8_t)(n == 8 ? 3 : n == 4 ? 2 : n == 2 ? 1 : 0);
	ins->f.cache = (uint8_t)access->cache;
	ins->f.scope = (uint8_t)access->scope;
	ins->f.sem = (uint8_t)access->sem;
	narrow = ins->f.space == PL_ISA_SHARED || ins->f.space == PL_ISA_LOCAL || ins->f.space == PL_ISA_PARAM;
	ins->v[A_A] = address->base;
	if (address->base && b->values[address->base].slots != (narrow ? 1 : 2)) {
		struct pl_ptx_ins *at = ins;

		pl_ptx_remove(at); /* the conversion comes first */
		ins->v[A_A] = pl_ptx_fit(b, address->base, narrow ? 1 : 2);
		ins->dead = false;
		pl_ptx_append(b->at, ins);
	}
	ins->imm = address->offset;
	ins->effect |= access->sem != PL_ISA_WEAK;
}

/* A loaded value of `type` for a register that may be wider. */
static void give(struct pl_ptx_build *b, uint32_t d, uint32_t value, struct pl_ptx_type type)
{
	if (!d)
		return;
	if (b->values[d].slots == b->values[value].slots)
		pl_ptx_copy(b, d, value);
	else
		pl_ptx_op(b, PL_ISA_CVT, type.class == K_S ? PL_ISA_S64 : PL_ISA_U64, d, value, 0, 0)->f.type2 =
			(uint8_t)pl_ptx_int_type(type);
}

static void load(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct access *access,
		 const struct pl_ptx_address *address)
{
	const struct pl_ptx_operand *to = &st->operands[0];
	unsigned slots = pl_ptx_slots_of(access->type);
	uint32_t n = access->n, dests[8], tuple;
	struct pl_ptx_ins *ins;

	for (uint32_t i = 0; i < n; i++)
		dests[i] = pl_ptx_dest(b, st, pl_ptx_vector_at(b, to, i), access->type, FIT_WIDER);
	if (n == 1) {
		uint32_t d = dests[0] && b->values[dests[0]].slots == slots ? dests[0] : pl_ptx_temp(b, slots);

		ins = pl_ptx_op(b, PL_ISA_LD, 0, d, 0, 0, 0);
		set_access(b, ins, access, address, 1);
		if (d != dests[0])
			give(b, dests[0], d, access->type);
		return;
	}
	tuple = pl_ptx_tuple_new(b, n, slots);
	ins = pl_ptx_op(b, PL_ISA_LD, 0, tuple, 0, 0, 0);
	set_access(b, ins, access, address, n);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t part;

		if (!dests[i])
			continue;
		part = pl_ptx_temp(b, slots);
		pl_ptx_op(b, I_EXTRACT, 0, part, tuple, 0, 0)->imm = i * slots;
		give(b, dests[i], part, access->type);
	}
}

static uint32_t build_tuple(struct pl_ptx_build *b, const uint32_t *parts, uint32_t n, unsigned slots)
{
	uint32_t tuple = pl_ptx_tuple_new(b, n, slots);
	struct pl_ptx_ins *ins = pl_ptx_op(b, I_BUILD, 0, tuple, 0, 0, 0);

	ins->many = pl_ptx_alloc_n(b->pool, n, sizeof(*ins->many));
	memcpy(ins->many, parts, n * sizeof(*parts));
	ins->many_n = n;
	return tuple;
}

static void store(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct access *access,
		  const struct pl_ptx_address *address)
{
	const struct pl_ptx_operand *from = &st->operands[1];
	unsigned slots = pl_ptx_slots_of(access->type);
	uint32_t n = access->n, parts[8];
	struct pl_ptx_ins *ins;

	for (uint32_t i = 0; i < n; i++) {
		parts[i] = pl_ptx_source(b, st, pl_ptx_vector_at(b, from, i), access->type, FIT_WIDER);
		if (b->values[parts[i]].slots > slots)
			parts[i] = pl_ptx_convert(b, PL_ISA_U32, PL_ISA_U64, parts[i]);
	}
	if (n > 1)
		parts[0] = build_tuple(b, parts, n, slots);
	ins = pl_ptx_op(b, PL_ISA_ST, 0, 0, 0, 0, 0);
	ins->v[A_D] = parts[0];
	ins->effect = true;
	set_access(b, ins, access, address, n);
}

/* A scalar parameter of a function or a call is a register.  Return: it was one, and it is done. */
static bool param_register(struct pl_ptx_build *b, struct pl_ptx_statement *st, bool is_store,
			   const struct access *access)
{
	const struct pl_ptx_operand *at = &st->operands[is_store ? 0 : 1], *base, *data = &st->operands[is_store];
	struct pl_ptx_sym *sym;
	uint32_t value, d;
	unsigned slots;

	if (access->space != SP_PARAM || at->kind != O_ADDRESS || at->parts_n != 1 || at->parts[0].kind != O_SYM)
		return false;
	base = &at->parts[0];
	sym = base->sym;
	if (sym->kind != S_PARAM || sym->is_array || sym->lanes_v > 1 || (b->func->entry && !sym->outgoing))
		return false;
	if (!sym->reg)
		sym->reg = pl_ptx_temp(b, sym->bytes > 4 ? 2 : 1);
	slots = b->values[sym->reg].slots;
	if (access->n > 1 || base->value || access->type.bits / 8 > sym->bytes ||
	    (is_store && access->type.bits / 8 != sym->bytes))
		pl_ptx_unsupported(b, st, "a part of a scalar parameter");
	if (is_store) {
		value = pl_ptx_source(b, st, pl_ptx_vector_at(b, data, 0), access->type, FIT_WIDER);
		pl_ptx_copy(b, sym->reg, pl_ptx_fit(b, value, slots));
		return true;
	}
	d = pl_ptx_dest(b, st, pl_ptx_vector_at(b, data, 0), access->type, FIT_WIDER);
	if (!d)
		return true;
	if (access->type.bits < 32)
		value = pl_ptx_convert(b, pl_ptx_int_type(access->type), pl_ptx_int_type(access->type), sym->reg);
	else
		value = pl_ptx_fit(b, sym->reg, pl_ptx_slots_of(access->type));
	give(b, d, value, access->type);
	return true;
}

static void check_vector(struct pl_ptx_build *b, const struct pl_ptx_statement *st,
			 const struct pl_ptx_operand *operand, uint32_t n)
{
	if (pl_ptx_vector_n(operand) != n)
		pl_ptx_bad(b, st, "%u registers do not fit the vector of %u: give %u", pl_ptx_vector_n(operand), n, n);
}

static void lower_ld(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct access access = take_access(b, st, false);
	struct pl_ptx_address address;

	pl_ptx_want(b, st, 2, access.hint ? 3 : 2);
	check_vector(b, st, &st->operands[0], access.n);
	if (param_register(b, st, false, &access))
		return;
	address = pl_ptx_address_of(b, st, &st->operands[1], access.space);
	load(b, st, &access, &address);
}

/* What st.async and red.async say: an mbarrier in this block's shared memory, which is the cluster's. */
static void take_async(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++)
		if (st->mods[i] == W_mmio || st->mods[i] == W_global)
			pl_ptx_unsupported(b, st, "an asynchronous access of global memory");
	if (!pl_ptx_take(st, W_mbarrier__complete_tx__bytes))
		pl_ptx_bad(b, st, ".mbarrier::complete_tx::bytes is missing: write it");
}

/* It is done when its instruction is, as all copies are. */
static void store_async(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct access access;
	struct pl_ptx_address address;

	take_async(b, st);
	access = take_access(b, st, true);
	pl_ptx_want(b, st, 3, 3);
	if ((access.space != SP_SHARED && access.space != SP_GENERIC) || access.type.bits < 32 || access.hint ||
	    access.sem != PL_ISA_WEAK)
		pl_ptx_bad(b, st, "st.async stores 32 or 64 bits, or a vector of them, in .shared::cluster");
	check_vector(b, st, &st->operands[1], access.n);
	address = pl_ptx_address_of(b, st, &st->operands[0], SP_SHARED);
	store(b, st, &access, &address);
	pl_ptx_bytes_arrived(b, st, 2, access.n * access.type.bits / 8);
}

static void lower_st(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct access access;
	struct pl_ptx_address address;

	if (pl_ptx_take(st, W_bulk)) {
		pl_ptx_store_bulk(b, st);
		return;
	}
	if (pl_ptx_take(st, W_async)) {
		store_async(b, st);
		return;
	}
	access = take_access(b, st, true);
	pl_ptx_want(b, st, 2, access.hint ? 3 : 2);
	if (access.space == SP_CONST)
		pl_ptx_bad(b, st, "constant memory can not be written: use .global");
	check_vector(b, st, &st->operands[1], access.n);
	if (param_register(b, st, true, &access))
		return;
	address = pl_ptx_address_of(b, st, &st->operands[0], access.space);
	if (address.space == SP_PARAM && b->func->entry)
		pl_ptx_bad(b, st, "a kernel's parameters can not be written: copy them to local memory");
	store(b, st, &access, &address);
}

/* ---- atomics ---- */

static const uint16_t atom_words[] = { W_add, W_min, W_max, W_and, W_or, W_xor, W_inc, W_dec, W_exch, W_cas };

void pl_ptx_check_atom(struct pl_ptx_build *b, const struct pl_ptx_statement *st, unsigned op, struct pl_ptx_type type)
{
	bool is_float = type.class == K_F || type.class == K_BF, good;

	switch (op) {
	case PL_ISA_ATOM_ADD:
		good = is_float || type.word == W_u32 || type.word == W_s32 || type.word == W_u64;
		break;
	case PL_ISA_ATOM_MIN:
	case PL_ISA_ATOM_MAX:
		good = (is_float && type.bits < 64) || ((type.class == K_U || type.class == K_S) && type.bits >= 32);
		break;
	case PL_ISA_ATOM_INC:
	case PL_ISA_ATOM_DEC:
		good = type.word == W_u32;
		break;
	case PL_ISA_ATOM_CAS:
	case PL_ISA_ATOM_EXCH:
		good = !is_float && type.bits >= (op == PL_ISA_ATOM_CAS ? 16 : 32);
		break;
	default:
		good = !is_float && type.bits >= 32 && type.bits <= 64;
		break;
	}
	if (!good || pl_ptx_isa_type(type) == NO_TYPE)
		pl_ptx_bad(b, st, "type .%s does not go with this operation: use another",
			   pl_ptx_text(b->ctx, type.word));
}

unsigned pl_ptx_take_atom(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	uint32_t word = pl_ptx_take_of(st, atom_words, 10);

	for (unsigned op = 0; op < 10; op++)
		if (atom_words[op] == word)
			return op;
	pl_ptx_bad(b, st, "an operation is missing: write one, as .add");
}

static struct access take_atom(struct pl_ptx_build *b, struct pl_ptx_statement *st, unsigned *op)
{
	struct access access = { .n = 1 };
	uint32_t word = TAKE_OF(st, W_relaxed, W_acquire, W_release, W_acq_rel), scope, vec;

	access.sem = word == W_acquire   ? PL_ISA_ACQUIRE
		     : word == W_release ? PL_ISA_RELEASE
		     : word == W_acq_rel ? PL_ISA_ACQ_REL
					 : PL_ISA_RELAXED;
	scope = TAKE_OF(st, W_cta, W_cluster, W_gpu, W_sys);
	access.scope = scope == W_NONE ? PL_ISA_GPU : scope_code(scope);
	access.space = pl_ptx_take_space(b, st);
	*op = pl_ptx_take_atom(b, st);
	(void)pl_ptx_take(st, W_noftz);
	take_hints(st, &access);
	vec = TAKE_OF(st, W_v2, W_v4, W_v8);
	access.n = vec == W_v2 ? 2 : vec == W_v4 ? 4 : vec == W_v8 ? 8 : 1;
	access.type = pl_ptx_take_type(b, st);
	take_hints(st, &access);
	if (access.space != SP_GLOBAL && access.space != SP_SHARED && access.space != SP_GENERIC)
		pl_ptx_bad(b, st, "atomics go to global and shared memory: use one of them");
	pl_ptx_check_atom(b, st, *op, access.type);
	return access;
}

static uint32_t atom_data(struct pl_ptx_build *b, struct pl_ptx_statement *st, uint32_t i, const struct access *access)
{
	uint32_t parts[8];

	check_vector(b, st, &st->operands[i], access->n);
	for (uint32_t k = 0; k < access->n; k++)
		parts[k] = pl_ptx_source(b, st, pl_ptx_vector_at(b, &st->operands[i], k), access->type, FIT_EXACT);
	return access->n == 1 ? parts[0] : build_tuple(b, parts, access->n, pl_ptx_slots_of(access->type));
}

static void atom_results(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct access *access,
			 uint32_t tuple)
{
	for (uint32_t i = 0; i < access->n; i++) {
		uint32_t d = pl_ptx_dest(b, st, pl_ptx_vector_at(b, &st->operands[0], i), access->type, FIT_EXACT);
		uint32_t part = pl_ptx_temp(b, pl_ptx_slots_of(access->type));

		pl_ptx_op(b, I_EXTRACT, 0, part, tuple, 0, 0)->imm = i * pl_ptx_slots_of(access->type);
		pl_ptx_copy(b, d, part);
	}
}

static void lower_atom(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	bool red = st->op == W_red, async = red && pl_ptx_take(st, W_async);
	uint32_t first = red ? 1 : 2, d = 0, data, second = 0, want;
	struct pl_ptx_address address;
	struct access access;
	struct pl_ptx_ins *ins;
	unsigned op, slots;

	if (async)
		take_async(b, st);
	access = take_atom(b, st, &op);
	if (async && (access.n > 1 || access.type.class == K_F || access.type.class == K_BF || access.hint ||
		      (access.space != SP_SHARED && access.space != SP_GENERIC)))
		pl_ptx_bad(b, st, "red.async takes integers in .shared::cluster");
	want = first + (op == PL_ISA_ATOM_CAS ? 2 : 1) + async;
	pl_ptx_want(b, st, want, want + access.hint);
	if (red && (op == PL_ISA_ATOM_CAS || op == PL_ISA_ATOM_EXCH))
		pl_ptx_bad(b, st, ".cas and .exch go with atom: use that");
	address = pl_ptx_address_of(b, st, &st->operands[first - 1], access.space);
	if (address.space == SP_CONST || address.space == SP_PARAM || address.space == SP_LOCAL)
		pl_ptx_bad(b, st, "atomics go to global and shared memory: use one of them");
	data = atom_data(b, st, first, &access);
	if (op == PL_ISA_ATOM_CAS)
		second = atom_data(b, st, first + 1, &access);
	slots = pl_ptx_slots_of(access.type) * access.n;
	if (!red && access.n == 1)
		d = pl_ptx_dest(b, st, &st->operands[0], access.type, FIT_EXACT);
	else if (!red)
		d = pl_ptx_tuple_new(b, access.n, pl_ptx_slots_of(access.type));
	if (!d && (op == PL_ISA_ATOM_CAS || op == PL_ISA_ATOM_EXCH))
		d = pl_ptx_temp(b, slots);
	ins = pl_ptx_op(b, d ? PL_ISA_ATOM : PL_ISA_RED, 0, d, 0, data, second);
	ins->effect = true;
	set_access(b, ins, &access, &address, access.n);
	ins->f.type = (uint8_t)pl_ptx_isa_type(access.type);
	ins->f.atom = (uint8_t)op;
	if (async)
		pl_ptx_bytes_arrived(b, st, 2, access.type.bits / 8);
	if (!red && access.n > 1)
		atom_results(b, st, &access, d);
}

/* ---- hints: checked, then nothing ---- */

static void lower_hint(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct access access = { 0 };

	if (pl_ptx_take(st, W_tensormap))
		pl_ptx_unsupported(b, st, "a tensor map");
	(void)pl_ptx_take_space(b, st);
	take_hints(st, &access);
	(void)TAKE_OF(st, W_L1, W_L2);
	for (uint32_t i = 0; i < st->mods_n; i++) /* .global.L2, level::eviction_priority */
		if (!strncmp(pl_ptx_text(b->ctx, st->mods[i]), "L", 1))
			st->taken[i] = true;
}

/* createpolicy gives a number that only cache hints read. */
static void lower_createpolicy(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	for (uint32_t i = 0; i < st->mods_n; i++)
		st->taken[i] = true;
	pl_ptx_want(b, st, 1, 6);
	pl_ptx_copy(b, pl_ptx_dst(b, st, 0, pl_ptx_type_of(W_b64)), pl_ptx_const(b, 0, 2));
}

pl_ptx_lower_fn pl_ptx_lower_memory(uint32_t op)
{
	static const pl_ptx_lower_fn table[W_COUNT] = {
		[W_ld] = lower_ld,
		[W_ldu] = lower_ld,
		[W_st] = lower_st,
		[W_atom] = lower_atom,
		[W_red] = lower_atom,
		[W_prefetch] = lower_hint,
		[W_prefetchu] = lower_hint,
		[W_discard] = lower_hint,
		[W_applypriority] = lower_hint,
		[W_createpolicy] = lower_createpolicy,
	};
	return table[op];
}
