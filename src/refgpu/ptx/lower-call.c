/*
 * Calls.  The frame of a callee: where its local memory begins, then results, then arguments, 1 or 2 slots each;
 * arrays (structures by value) are passed as the local address of the caller's copy.  The system's own functions
 * (vprintf, malloc, free, __assertfail) are operations; cudaGraphSetConditional() is a store: a condition's handle is
 * the address of its word.
 */
#include "lower.h"

static bool by_address(const struct pl_ptx_sym *param)
{
	return param->is_array || param->lanes_v > 1 || param->bytes > 8;
}

static uint32_t param_slots(const struct pl_ptx_sym *param)
{
	return !by_address(param) && param->bytes > 4 ? 2 : 1;
}

/* Slots are given out in two rows: 64-bit values and 32-bit ones (pl_ptx_slot_is_wide()).  `end` is behind the last. */
struct places {
	uint32_t narrow, wide, end;
};

static uint32_t place_for(const struct pl_ptx_sym *param, struct places *places)
{
	bool wide = param_slots(param) == 2;
	uint32_t at = wide ? pl_ptx_slot_of(places->wide++, true) : pl_ptx_slot_of(places->narrow++, false);

	if (at + 2 > places->end)
		places->end = at + 2;
	return at;
}

/* What is returned has places of its own, where arguments are, too: a declaration that says something else of what is
 * returned than the definition in another module finds the arguments all the same, as on hardware. */
static uint32_t place_for_return(const struct pl_ptx_sym *param, struct places *args, struct places *returned)
{
	return place_for(param, by_address(param) ? args : returned);
}

#define STACK_PLACE 16 /* pl_ptx_slot_of(0, false) */
#define FIRST_PLACES                                                                                                   \
	{                                                                                                              \
		1, 0, STACK_PLACE + 1                                                                                  \
	}

static void check_param(struct pl_ptx_build *b, const struct pl_ptx_sym *param)
{
	if (param->type.class == K_PRED)
		pl_ptx_fail(b->ctx, PL_PTX_E_UNSUPPORTED, param->line ? param->line : b->line, 1,
			    "a predicate as a parameter: pass it as .u32");
}

/* ---- the callee's side ---- */

static uint32_t arg_at(struct pl_ptx_build *b, uint32_t place, uint32_t value)
{
	pl_ptx_op(b, I_ARG, 0, value, 0, 0, 0)->imm = place;
	return value;
}

void pl_ptx_lower_begin(struct pl_ptx_build *b)
{
	struct pl_ptx_func_info *func = b->func;
	struct places next = FIRST_PLACES, returned = FIRST_PLACES;

	if (func->entry)
		return;
	b->stack = arg_at(b, STACK_PLACE, pl_ptx_temp(b, 1));
	for (uint32_t i = 0; i < func->returns_n + func->params_n; i++) {
		bool is_return = i < func->returns_n;
		struct pl_ptx_sym *param = is_return ? func->returns[i] : func->params[i - func->returns_n];
		struct pl_ptx_sym *sym = param->lowered;
		uint32_t slots = param_slots(param), place;

		check_param(b, param);
		place = is_return ? place_for_return(param, &next, &returned) : place_for(param, &next);
		if (sym && !sym->reg)
			sym->reg = pl_ptx_temp(b, slots);
		if (sym && (!is_return || by_address(param)))
			(void)arg_at(b, place, sym->reg);
	}
	b->exit = pl_ptx_block_new(b);
	b->exit->end = E_RET;
}

void pl_ptx_lower_return(struct pl_ptx_build *b)
{
	b->at->end = E_JUMP;
	b->at->succ[0] = b->exit;
	b->at->succ_n = 1;
}

static void exit_block(struct pl_ptx_build *b)
{
	struct pl_ptx_func_info *func = b->func;
	struct pl_ptx_ins *ins;
	struct places next = FIRST_PLACES, returned = FIRST_PLACES;

	*pl_ptx_push(b->pool, b->blocks, b->blocks_n, b->blocks_room) = b->exit;
	b->at = b->exit;
	ins = pl_ptx_emit(b, I_RETF);
	ins->effect = true;
	ins->many = pl_ptx_alloc_n(b->pool, func->returns_n + 1, sizeof(*ins->many));
	ins->places = pl_ptx_alloc_n(b->pool, func->returns_n + 1, sizeof(*ins->places));
	for (uint32_t i = 0; i < func->returns_n; i++) {
		struct pl_ptx_sym *sym = func->returns[i]->lowered;
		uint32_t place = place_for_return(func->returns[i], &next, &returned);

		if (sym && !by_address(func->returns[i])) {
			ins->many[ins->many_n] = sym->reg;
			ins->places[ins->many_n++] = place;
		}
	}
}

/* Local memory is complete now: where callees and alloca begin is known. */
void pl_ptx_lower_end(struct pl_ptx_build *b)
{
	b->local_bytes = (b->local_bytes + 15) & ~15u;
	if (!b->func->entry)
		exit_block(b);
	for (uint32_t i = 0; i < b->tops_n; i++)
		b->tops[i]->imm = b->local_bytes;
	if (b->alloca_used && b->stack_top) {
		struct pl_ptx_ins *first = pl_ptx_ins_new(b, I_CONST), *copy = pl_ptx_ins_new(b, I_COPY);
		uint32_t top = pl_ptx_temp(b, 1);

		first->imm = b->local_bytes;
		pl_ptx_def(b, first, A_D, top);
		if (b->stack) {
			copy->op = PL_ISA_ADD;
			copy->f.op = PL_ISA_ADD;
			copy->f.type = PL_ISA_U32;
			copy->v[A_A] = b->stack;
			copy->v[A_B] = top;
		} else {
			copy->v[A_A] = top;
		}
		pl_ptx_def(b, copy, A_D, b->stack_top);
		pl_ptx_insert_first(b->blocks[0], copy);
		pl_ptx_insert_before(copy, first);
		for (uint32_t i = 0; i < b->call_list_n; i++)
			b->call_list[i]->many[0] = b->stack_top;
	}
}

/* ---- the caller's side ---- */

static uint32_t stack_for_callee(struct pl_ptx_build *b)
{
	uint32_t top = pl_ptx_const(b, 0, 1);

	*pl_ptx_push(b->pool, b->tops, b->tops_n, b->tops_room) = b->at->last;
	return b->stack ? pl_ptx_bi(b, PL_ISA_ADD, PL_ISA_U32, 1, b->stack, top) : top;
}

static uint32_t argument(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
			 const struct pl_ptx_sym *param)
{
	uint32_t slots = param_slots(param);
	struct pl_ptx_sym *sym = operand->sym;

	if (operand->kind == O_SYM && sym->kind == S_PARAM && (sym->outgoing || !b->func->entry)) {
		if (sym->bytes != param->bytes && param->bytes)
			pl_ptx_bad(b, st, "argument '%s' has %llu bytes, the parameter %llu: make them agree",
				   pl_ptx_text(b->ctx, sym->name), (unsigned long long)sym->bytes,
				   (unsigned long long)param->bytes);
		if (by_address(sym))
			return pl_ptx_symbol_value(b, st, operand);
		if (!sym->reg)
			sym->reg = pl_ptx_temp(b, slots);
		return sym->reg;
	}
	if (by_address(param))
		pl_ptx_bad(b, st, "a structure is passed as .param: declare one");
	return pl_ptx_source(b, st, operand, param->type, FIT_EXACT);
}

static uint32_t result(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct pl_ptx_operand *operand,
		       const struct pl_ptx_sym *param)
{
	struct pl_ptx_sym *sym = operand->sym;

	if (operand->kind == O_SYM && sym->kind == S_PARAM && (sym->outgoing || !b->func->entry)) {
		if (by_address(sym) != by_address(param) || sym->bytes != param->bytes)
			pl_ptx_bad(b, st, "result '%s' has another size than the function's: make them agree",
				   pl_ptx_text(b->ctx, sym->name));
		if (!sym->reg)
			sym->reg = pl_ptx_temp(b, param_slots(param));
		return sym->reg;
	}
	if (by_address(param))
		pl_ptx_bad(b, st, "a structure is returned as .param: declare one");
	return pl_ptx_dest(b, st, operand, param->type, FIT_EXACT);
}

struct call {
	const struct pl_ptx_operand *rets, *target, *args, *proto;
};

static struct call split_call(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	static const struct pl_ptx_operand none = { .kind = O_LIST };
	struct call call = { &none, NULL, &none, NULL };
	uint32_t i = 0;

	(void)pl_ptx_take(st, W_uni);
	pl_ptx_all_taken(b, st);
	if (i < st->operands_n && st->operands[i].kind == O_LIST)
		call.rets = &st->operands[i++];
	if (i < st->operands_n)
		call.target = &st->operands[i++];
	if (i < st->operands_n && st->operands[i].kind == O_LIST)
		call.args = &st->operands[i++];
	if (i < st->operands_n)
		call.proto = &st->operands[i++];
	if (!call.target || i != st->operands_n || (call.target->kind != O_SYM && call.target->kind != O_REG))
		pl_ptx_bad(b, st, "it takes (result), function, (arguments): write them so");
	return call;
}

static void check_n(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct call *call,
		    const struct pl_ptx_func_info *func)
{
	if (call->rets->parts_n != func->returns_n || call->args->parts_n != func->params_n)
		pl_ptx_bad(b, st, "%u results and %u arguments do not fit the function's %u and %u: make them agree",
			   call->rets->parts_n, call->args->parts_n, func->returns_n, func->params_n);
}

#define SET_CONDITIONAL PL_ISA_SYS_COUNT /* no operation of the device's */

/* What the system declares: results and arguments, and of these those of 32 bits. */
static const struct {
	const char *name;
	uint8_t returns_n, params_n, narrow;
} system_functions[] = {
	[PL_ISA_SYS_VPRINTF] = { "vprintf", 1, 2, 0 },
	[PL_ISA_SYS_MALLOC] = { "malloc", 1, 1, 0 },
	[PL_ISA_SYS_FREE] = { "free", 0, 1, 0 },
	[PL_ISA_SYS_ASSERTFAIL] = { "__assertfail", 0, 5, 1 << 2 },
	[SET_CONDITIONAL] = { "cudaGraphSetConditional", 0, 2, 1 << 1 },
};

static void condition_set(struct pl_ptx_build *b, uint32_t word, uint32_t value)
{
	struct pl_ptx_ins *ins = pl_ptx_op(b, PL_ISA_ST, PL_ISA_U32, 0, word, 0, 0);

	ins->v[A_D] = value;
	ins->f.space = PL_ISA_GLOBAL;
	ins->f.scope = PL_ISA_SYSTEM;
	ins->f.sem = PL_ISA_RELAXED;
	ins->effect = true;
}

static void system_call(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct call *call,
			const struct pl_ptx_func_info *func, unsigned which)
{
	uint32_t args[5] = { 0 }, d = 0;
	struct pl_ptx_ins *ins;

	check_n(b, st, call, func);
	if (func->returns_n != system_functions[which].returns_n || func->params_n != system_functions[which].params_n)
		pl_ptx_bad(b, st, "the function is declared differently from the system's: correct its declaration");
	for (uint32_t i = 0; i < func->params_n; i++)
		args[i] = argument(b, st, &call->args->parts[i], func->params[i]);
	if (func->returns_n)
		d = result(b, st, &call->rets->parts[0], func->returns[0]);
	for (uint32_t i = 0; i < func->params_n; i++)
		if (b->values[args[i]].slots != (system_functions[which].narrow >> i & 1 ? 1 : 2))
			pl_ptx_bad(b, st,
				   "the function is declared differently from the system's: correct its declaration");
	if (which == SET_CONDITIONAL) {
		condition_set(b, args[0], args[1]);
		return;
	}
	ins = pl_ptx_op(b, PL_ISA_SYS, 0, d, args[0], args[1], which == PL_ISA_SYS_ASSERTFAIL ? args[3] : 0);
	if (which == PL_ISA_SYS_ASSERTFAIL)
		ins->v[A_E] = args[2];
	ins->f.imm = which;
	ins->effect = true;
}

static int system_function(const char *name)
{
	for (size_t i = 0; i < sizeof(system_functions) / sizeof(*system_functions); i++)
		if (!strcmp(system_functions[i].name, name))
			return (int)i;
	return -1;
}

static struct pl_ptx_func_info *prototype(struct pl_ptx_build *b, struct pl_ptx_statement *st, const struct call *call)
{
	if (call->target->kind == O_SYM) {
		if (call->target->sym->kind != S_FUNC)
			pl_ptx_bad(b, st, "'%s' is not a function: declare it first",
				   pl_ptx_text(b->ctx, call->target->sym->name));
		if (call->target->sym->func->entry)
			pl_ptx_unsupported(b, st, "a call of a kernel");
		return call->target->sym->func;
	}
	if (!call->proto || call->proto->kind != O_SYM ||
	    (call->proto->sym->kind != S_PROTO && call->proto->sym->kind != S_TARGETS))
		pl_ptx_bad(b, st, "a call through a register names a .callprototype or .calltargets: add one");
	if (call->target->sym->type.bits != 64)
		pl_ptx_bad(b, st, "a function's address has 64 bits: use such a register");
	if (call->proto->sym->kind == S_PROTO)
		return call->proto->sym->func;
	if (!call->proto->sym->targets_n)
		pl_ptx_bad(b, st, "the list of targets is empty: name one");
	return call->proto->sym->targets[0]->func;
}

void pl_ptx_lower_call(struct pl_ptx_build *b, struct pl_ptx_statement *st)
{
	struct call call = split_call(b, st);
	struct pl_ptx_func_info *func = prototype(b, st, &call);
	uint32_t place, n = 0, *many, *places, target = 0, results_n = 0;
	struct places next = FIRST_PLACES, returned = FIRST_PLACES;
	struct pl_ptx_ins *ins, **results;

	if (call.target->kind == O_SYM && !func->has_body &&
	    system_function(pl_ptx_text(b->ctx, call.target->sym->name)) >= 0) {
		system_call(b, st, &call, func, (unsigned)system_function(pl_ptx_text(b->ctx, call.target->sym->name)));
		return;
	}
	check_n(b, st, &call, func);
	many = pl_ptx_alloc_n(b->pool, func->returns_n + func->params_n + 1, sizeof(*many));
	places = pl_ptx_alloc_n(b->pool, func->returns_n + func->params_n + 1, sizeof(*places));
	results = pl_ptx_alloc_n(b->pool, func->returns_n + 1, sizeof(struct pl_ptx_ins *));
	places[n] = STACK_PLACE;
	many[n++] = stack_for_callee(b);
	for (uint32_t i = 0; i < func->returns_n; i++) {
		check_param(b, func->returns[i]);
		place = place_for_return(func->returns[i], &next, &returned);
		if (by_address(func->returns[i])) {
			places[n] = place;
			many[n++] = pl_ptx_symbol_value(b, st, &call.rets->parts[i]);
			if (call.rets->parts[i].kind != O_SYM)
				pl_ptx_bad(b, st, "a structure is returned as .param: declare one");
		} else {
			uint32_t d = result(b, st, &call.rets->parts[i], func->returns[i]);

			if (d) {
				struct pl_ptx_ins *got = results[results_n++] = pl_ptx_ins_new(b, I_RESULT);

				got->imm = place;
				pl_ptx_def(b, got, A_D, d);
			}
		}
	}
	for (uint32_t i = 0; i < func->params_n; i++) {
		check_param(b, func->params[i]);
		place = place_for(func->params[i], &next);
		places[n] = place;
		many[n++] = argument(b, st, &call.args->parts[i], func->params[i]);
	}
	if (call.target->kind == O_REG)
		target = pl_ptx_src(b, st, (uint32_t)(call.target - st->operands), pl_ptx_type_of(W_u64));
	ins = pl_ptx_emit(b, I_CALLF);
	ins->sym = target ? NULL : call.target->sym;
	ins->v[A_A] = target;
	ins->many = many;
	ins->places = places;
	ins->many_n = n;
	ins->imm = next.end > returned.end ? next.end : returned.end;
	ins->effect = true;
	b->calls = true;
	*pl_ptx_push(b->pool, b->call_list, b->call_list_n, b->call_list_room) = ins;
	for (uint32_t i = 0; i < results_n; i++) {
		results[i]->effect = true;
		pl_ptx_append(b->at, results[i]);
	}
}
