/*
 * Registers.  Live ranges are lists of segments; values that are copies of each other (phis, guarded results and their
 * old values, parts of tuples) become one web where their ranges do not meet, each at its offset; webs take the lowest
 * slots that are free.  There is no spilling.
 */
#include "ranges.h"

#include <stdlib.h>

#define WEB_SLOTS_MAX    64
#define WEB_SEGMENTS_MAX 4096

/*
 * A 64-bit value of lane 5 lies where 32-bit values of lanes 10 and 11 lie, and lanes that are apart use their
 * registers at the same time: so a slot holds values of one width only, all through a function.  Where functions call
 * each other their frames lie over each other; there the place of a slot alone says its width (pl_ptx_slot_is_wide()).
 */
enum { NARROW = 1, WIDE = 2 };

struct web {                     /* by value; a root has lanes */
	uint32_t parent, offset; /* offset inside the parent */
	uint32_t size;
	uint8_t *kinds;             /* by slot: NARROW, WIDE; 0 = free */
	struct pl_ptx_range *lanes; /* by slot; shared between the slots of one value */
	uint32_t from, to, reg, hint;
	bool hinted;
	uint8_t parity; /* + 1: of the offsets at which 64-bit values lie, which are even registers; 0: there are none
			 */
};

struct allocator {
	struct pl_ptx_build *b;
	struct web *webs;
	uint32_t n;
};

static bool is_immediate(const struct pl_ptx_build *b, uint32_t value)
{
	const struct pl_ptx_ins *def = pl_ptx_def_of(b, value);

	return def && (def->op == I_CONST || def->op == I_ADDR) && !def->hoisted;
}

static bool wants_register(const struct pl_ptx_build *b, uint32_t value)
{
	return value && !b->values[value].fixed && !is_immediate(b, value);
}

/* ---- ranges ---- */

static void number(struct pl_ptx_build *b)
{
	uint32_t position = 2;

	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i];
		const struct pl_ptx_ins *prev = NULL;

		block->position = position;
		position += 2;
		for (struct pl_ptx_ins *ins = block->first; ins; prev = ins, ins = ins->next) {
			if (ins->op == I_PHI || ins->op == I_ARG) {
				ins->position = block->position - 1; /* the definition is at the begin */
				continue;
			}
			if (prev && ins->op == I_EXTRACT && prev->op == I_EXTRACT && prev->v[A_A] == ins->v[A_A])
				ins->position = prev->position; /* at once */
			else if (prev && ins->op == I_RESULT && (prev->op == I_RESULT || prev->op == I_CALLF))
				ins->position = prev->position;
			else
				ins->position = position;
			position = ins->position + 2;
		}
		block->position_end = position;
		position += 2;
	}
}

static void range_add(struct allocator *s, uint32_t value, uint32_t from, uint32_t to)
{
	struct pl_ptx_range *range = s->webs[value].lanes;

	pl_ptx_work(s->b, 8);
	*pl_ptx_push(s->b->pool, range->at, range->n, range->room) = (struct pl_ptx_segment){ from, to };
}

/* `value` is read at `position` of `block`: live from there up to its definition. */
static void live_up(struct allocator *s, uint32_t value, struct pl_ptx_block *block, uint32_t position,
		    struct pl_ptx_block **work)
{
	struct pl_ptx_ins *def = s->b->values[value].def;
	uint32_t n = 0;

	if (def->block == block && def->position < position) {
		range_add(s, value, def->position + 1, position + 1);
		return;
	}
	range_add(s, value, block->position, position + 1);
	if (block->stamp == value)
		return;
	block->stamp = value; /* live at its begin */
	work[n++] = block;
	while (n) {
		struct pl_ptx_block *at = work[--n];

		for (uint32_t p = 0; p < at->pred_n; p++) {
			struct pl_ptx_block *pred = at->pred[p];

			if (pred == def->block && def->position < pred->position_end) {
				if (pred->mark != value) {
					pred->mark = value;
					range_add(s, value, def->position + 1, pred->position_end + 2);
				}
				continue;
			}
			if (pred->stamp == value && pred->mark == value)
				continue;
			if (pred->mark != value) {
				pred->mark = value;
				range_add(s, value, pred->position, pred->position_end + 2);
			}
			if (pred->stamp != value) {
				pred->stamp = value;
				work[n++] = pred;
			}
		}
	}
}

struct read {
	struct pl_ptx_block *block;
	uint32_t position;
	struct read *next;
};

static void read_add(struct allocator *s, struct read **reads, uint32_t value, struct pl_ptx_block *block,
		     uint32_t position)
{
	struct read *read;

	if (!wants_register(s->b, value) || !s->b->values[value].def)
		return;
	read = pl_ptx_alloc(s->b->pool, sizeof(*read));
	*read = (struct read){ block, position, reads[value] };
	reads[value] = read;
}

static int by_from(const void *x, const void *y)
{
	const struct pl_ptx_segment *a = x, *b = y;

	return a->from < b->from ? -1 : a->from > b->from;
}

static void range_sort(struct pl_ptx_range *range)
{
	uint32_t kept = 0;

	if (range->n < 2)
		return;
	qsort(range->at, range->n, sizeof(*range->at), by_from);
	for (uint32_t i = 1; i < range->n; i++) {
		if (range->at[i].from <= range->at[kept].to) {
			if (range->at[i].to > range->at[kept].to)
				range->at[kept].to = range->at[i].to;
		} else {
			range->at[++kept] = range->at[i];
		}
	}
	range->n = kept + 1;
}

static void collect_reads(struct allocator *s, struct read **reads)
{
	struct pl_ptx_build *b = s->b;

	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i];

		for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
			if (ins->op == I_PHI) {
				for (uint32_t p = 0; p < ins->many_n; p++)
					read_add(s, reads, ins->many[p], block->pred[p], block->pred[p]->position_end);
				continue;
			}
			for (unsigned k = 0; k < A_COUNT; k++)
				if (!pl_ptx_is_def(ins, k))
					read_add(s, reads, ins->v[k], block, ins->position);
			for (uint32_t k = 0; k < ins->many_n; k++)
				read_add(s, reads, ins->many[k], block, ins->position);
		}
		read_add(s, reads, block->cond, block, block->position_end);
	}
}

static bool is_wide(const struct pl_ptx_value *value)
{
	return value->class == V_R && (value->tuple ? value->wide : value->slots == 2);
}

static void make_ranges(struct allocator *s)
{
	struct pl_ptx_build *b = s->b;
	struct read **reads = pl_ptx_alloc_n(b->pool, s->n, sizeof(struct read *));
	struct pl_ptx_block **work = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*work));

	number(b);
	for (uint32_t i = 0; i < b->blocks_n; i++)
		b->blocks[i]->stamp = b->blocks[i]->mark = 0;
	collect_reads(s, reads);
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			for (unsigned k = 0; k < A_COUNT; k++) {
				uint32_t value = ins->v[k];
				struct web *web;

				if (!pl_ptx_is_def(ins, k) || !wants_register(b, value))
					continue;
				web = &s->webs[value];
				web->size = b->values[value].class == V_R ? b->values[value].slots : 1;
				web->parity = is_wide(&b->values[value]);
				web->kinds = pl_ptx_alloc_n(b->pool, web->size, 1);
				memset(web->kinds, is_wide(&b->values[value]) ? WIDE : NARROW, web->size);
				web->lanes = pl_ptx_alloc_n(b->pool, web->size, sizeof(*web->lanes));
				range_add(s, value, ins->position + 1, ins->position + 2);
				for (struct read *read = reads[value]; read; read = read->next)
					live_up(s, value, read->block, read->position, work);
				range_sort(web->lanes);
				for (uint32_t lane = 1; lane < web->size; lane++)
					web->lanes[lane] = web->lanes[0];
			}
		}
	}
}

/* ---- webs ---- */

static uint32_t root_of(struct allocator *s, uint32_t value, uint32_t *offset)
{
	uint32_t at = value, sum = 0;

	while (s->webs[at].parent) {
		sum += s->webs[at].offset;
		at = s->webs[at].parent;
	}
	if (at != value && s->webs[value].parent != at) { /* shorten the way */
		s->webs[value].offset = sum;
		s->webs[value].parent = at;
	}
	*offset = sum;
	return at;
}

static bool parity_fits(const struct web *x, const struct web *y, int64_t shift)
{
	return !x->parity || !y->parity || ((x->parity - 1 + shift) & 1) == y->parity - 1;
}

/* `x` shall lie `delta` slots behind the begin of `y`: they become one web, if nothing stands against it. */
static bool unite(struct allocator *s, uint32_t x, uint32_t y, uint32_t delta)
{
	uint32_t ox, oy, rx, ry;
	int64_t shift, low, high;
	struct web *wx, *wy;
	struct pl_ptx_range *lanes;
	uint8_t *kinds;

	if (!wants_register(s->b, x) || !wants_register(s->b, y) || s->b->values[x].class != s->b->values[y].class)
		return false;
	rx = root_of(s, x, &ox);
	ry = root_of(s, y, &oy);
	wx = &s->webs[rx];
	wy = &s->webs[ry];
	if (!wx->lanes || !wy->lanes)
		return false;
	shift = (int64_t)oy + delta - ox; /* of web x in web y */
	if (rx == ry)
		return shift == 0;
	low = shift < 0 ? shift : 0;
	high = shift + wx->size > wy->size ? shift + wx->size : wy->size;
	if (high - low > WEB_SLOTS_MAX || !parity_fits(wx, wy, shift))
		return false;
	for (uint32_t i = 0; i < wx->size; i++) {
		int64_t at = i + shift;

		if (at < 0 || at >= wy->size)
			continue;
		if (wx->kinds[i] && wy->kinds[at] && wx->kinds[i] != wy->kinds[at])
			return false;
		if (wx->lanes[i].n + wy->lanes[at].n > WEB_SEGMENTS_MAX ||
		    pl_ptx_ranges_meet(s->b, &wx->lanes[i], &wy->lanes[at]))
			return false;
	}
	lanes = pl_ptx_alloc_n(s->b->pool, (uint64_t)(high - low), sizeof(*lanes));
	kinds = pl_ptx_alloc_n(s->b->pool, (uint64_t)(high - low), 1);
	for (int64_t at = low; at < high; at++) {
		static const struct pl_ptx_range none;
		const struct pl_ptx_range *lx =
			at - shift >= 0 && at - shift < wx->size ? &wx->lanes[at - shift] : &none;
		const struct pl_ptx_range *ly = at >= 0 && at < wy->size ? &wy->lanes[at] : &none;

		lanes[at - low] = pl_ptx_ranges_merge(s->b, lx, ly);
		if (at >= 0 && at < wy->size)
			kinds[at - low] = wy->kinds[at];
		if (at - shift >= 0 && at - shift < wx->size && wx->kinds[at - shift])
			kinds[at - low] = wx->kinds[at - shift];
	}
	if (!wy->parity && wx->parity)
		wy->parity = (uint8_t)(((wx->parity - 1 + shift) & 1) + 1);
	if (shift >= 0) { /* y stays the root */
		wx->parent = ry;
		wx->offset = (uint32_t)shift;
		wx->lanes = NULL;
		wy->lanes = lanes;
		wy->kinds = kinds;
		wy->size = (uint32_t)(high - low);
	} else {
		wy->parent = rx;
		wy->offset = (uint32_t)-shift;
		wy->lanes = NULL;
		wx->lanes = lanes;
		wx->kinds = kinds;
		wx->size = (uint32_t)(high - low);
		if (wy->parity)
			wx->parity = (uint8_t)(((wy->parity - 1 - shift) & 1) + 1);
	}
	return true;
}

/* A guarded result starts as its old value: a copy of that, which goes away where the two become one web. */
static void copy_olds(struct pl_ptx_build *b)
{
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next) {
			struct pl_ptx_ins *copy;
			uint32_t value;

			if (!ins->v[A_OLD])
				continue;
			copy = pl_ptx_ins_new(b, I_COPY);
			value = pl_ptx_value_like(b, ins->v[A_D]);
			copy->line = ins->line;
			copy->v[A_A] = ins->v[A_OLD];
			pl_ptx_def(b, copy, A_D, value);
			b->values[value].def = copy;
			pl_ptx_insert_before(ins, copy);
			ins->v[A_OLD] = value;
		}
	}
}

/* The copy into a phi's register at the end of a predecessor takes that register there. */
static void claim_at_end(struct allocator *s, uint32_t value, const struct pl_ptx_block *pred)
{
	uint32_t offset, root = root_of(s, value, &offset);
	struct pl_ptx_segment at = { pred->position_end + 1, pred->position_end + 2 };
	struct pl_ptx_range extra = { &at, 1, 1, false };
	uint32_t slots = s->b->values[value].class == V_R ? s->b->values[value].slots : 1;

	for (uint32_t i = 0; i < slots; i++) {
		struct pl_ptx_range *lane = &s->webs[root].lanes[offset + i];

		if (!pl_ptx_ranges_meet(s->b, lane, &extra))
			*lane = pl_ptx_ranges_merge(s->b, lane, &extra);
	}
}

static void unite_all(struct allocator *s)
{
	struct pl_ptx_build *b = s->b;

	for (uint32_t i = 0; i < b->blocks_n; i++)
		for (struct pl_ptx_ins *ins = b->blocks[i]->first; ins; ins = ins->next)
			if (ins->v[A_OLD])
				(void)unite(s, ins->v[A_D], ins->v[A_OLD], 0);
	for (uint32_t depth = 8; depth-- > 0;) { /* inner loops first */
		for (uint32_t i = 0; i < b->blocks_n; i++) {
			struct pl_ptx_block *block = b->blocks[i];

			if ((block->loop_depth > 7 ? 7 : block->loop_depth) != depth)
				continue;
			for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
				uint32_t at = 0;

				switch (ins->op) {
				case I_PHI:
					for (uint32_t p = ins->many_n; p-- > 0;)
						if (ins->many[p] && !unite(s, ins->many[p], ins->v[A_D], 0))
							claim_at_end(s, ins->v[A_D], block->pred[p]);
					break;
				case I_EXTRACT:
					(void)unite(s, ins->v[A_D], ins->v[A_A], (uint32_t)ins->imm);
					break;
				case I_BUILD:
					for (uint32_t k = 0; k < ins->many_n; k++) {
						if (ins->many[k])
							(void)unite(s, ins->many[k], ins->v[A_D], at);
						at += b->values[ins->many[k]].slots;
					}
					break;
				case I_COPY:
					(void)unite(s, ins->v[A_A], ins->v[A_D], 0);
					break;
				default:
					break;
				}
			}
		}
	}
}

/* ---- allocation ---- */

struct slot { /* a physical register: the ranges that lie in it and are not over */
	struct pl_ptx_range *ranges;
	uint32_t n, room;
	uint8_t kind;
};

static int by_start(const void *x, const void *y)
{
	const struct web *a = *(struct web *const *)x, *b = *(struct web *const *)y;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a < b ? -1 : a > b;
}

static bool slot_free(struct pl_ptx_build *b, struct slot *slot, const struct pl_ptx_range *range, uint32_t now)
{
	for (uint32_t i = 0; i < slot->n;) {
		struct pl_ptx_range *old = &slot->ranges[i];

		while (old->n && old->at[0].to <= now) {
			old->at++;
			old->n--;
		}
		if (!old->n) {
			*old = slot->ranges[--slot->n];
			continue;
		}
		if (pl_ptx_ranges_meet(b, old, range))
			return false;
		i++;
	}
	return true;
}

static bool web_fits(struct pl_ptx_build *b, struct slot *slots, uint32_t room, const struct web *web, uint32_t reg)
{
	if (reg + web->size > room || (web->parity && ((reg + web->parity - 1u) & 1)))
		return false;
	for (uint32_t i = 0; i < web->size; i++)
		if (web->kinds[i] && slots[reg + i].kind && slots[reg + i].kind != web->kinds[i])
			return false;
		else if (web->lanes[i].n && !slot_free(b, &slots[reg + i], &web->lanes[i], web->from))
			return false;
	return true;
}

static uint32_t allocate_class(struct allocator *s, unsigned class, uint32_t first, uint32_t room)
{
	struct pl_ptx_build *b = s->b;
	struct slot *slots = pl_ptx_alloc_n(b->pool, room, sizeof(*slots));
	struct web **list = pl_ptx_alloc_n(b->pool, s->n, sizeof(*list));
	uint32_t n = 0, used = first;

	for (uint32_t i = 1; i < s->n; i++) {
		struct web *web = &s->webs[i];

		if (web->parent || !web->lanes || b->values[i].class != class)
			continue;
		web->from = UINT32_MAX;
		for (uint32_t k = 0; k < web->size; k++)
			if (web->lanes[k].n && web->lanes[k].at[0].from < web->from)
				web->from = web->lanes[k].at[0].from;
		list[n++] = web;
	}
	qsort(list, n, sizeof(*list), by_start);
	if (class == V_R && b->fixed_widths)
		for (uint32_t i = 0; i < room; i++)
			slots[i].kind = pl_ptx_slot_is_wide(i) ? WIDE : NARROW;
	for (uint32_t i = 0; i < n; i++) {
		struct web *web = list[i];
		uint32_t reg = first;

		if (web->hinted && web_fits(b, slots, room, web, web->hint))
			reg = web->hint;
		else
			while (reg + web->size <= room && !web_fits(b, slots, room, web, reg))
				reg++;
		if (reg + web->size > room)
			pl_ptx_fail(b->ctx, PL_PTX_E_LIMIT, b->line, 1,
				    "function '%s' keeps more than %u %s registers at once: make it smaller",
				    pl_ptx_text(b->ctx, b->func->sym->name), room,
				    class == V_R   ? "general"
				    : class == V_P ? "predicate"
						   : "uniform");
		web->reg = reg;
		for (uint32_t k = 0; k < web->size; k++) {
			if (web->kinds[k])
				slots[reg + k].kind = web->kinds[k];
			if (web->lanes[k].n)
				*pl_ptx_push(b->pool, slots[reg + k].ranges, slots[reg + k].n, slots[reg + k].room) =
					web->lanes[k];
		}
		if (reg + web->size > used)
			used = reg + web->size;
	}
	return used;
}

static void hint_arguments(struct allocator *s)
{
	for (struct pl_ptx_ins *ins = s->b->blocks[0]->first; ins && ins->op == I_ARG; ins = ins->next) {
		uint32_t offset, root;

		if (!wants_register(s->b, ins->v[A_D]) || !s->webs[ins->v[A_D]].lanes)
			continue;
		root = root_of(s, ins->v[A_D], &offset);
		if (ins->imm >= offset) {
			s->webs[root].hinted = true;
			s->webs[root].hint = (uint32_t)ins->imm - offset;
		}
	}
}

void pl_ptx_allocate(struct pl_ptx_build *b)
{
	struct allocator s = { .b = b };
	uint32_t room = PL_ISA_SLOTS_MAX - 256; /* above: what callees are given, moves that need a third register */

	copy_olds(b);
	s.n = b->values_n ? b->values_n : 1;
	s.webs = pl_ptx_alloc_n(b->pool, s.n, sizeof(*s.webs));
	make_ranges(&s);
	unite_all(&s);
	hint_arguments(&s);
	b->slots = allocate_class(&s, V_R, 0, room);
	b->slots = b->fixed_widths ? (b->slots + 31) & ~31u : (b->slots + 1) & ~1u;
	b->preds = allocate_class(&s, V_P, b->carry ? 1 : 0, PL_ISA_PREDS_MAX - 1);
	b->uniforms = allocate_class(&s, V_U, 0, PL_ISA_UNIFORMS_MAX - 1);
	for (uint32_t i = 1; i < s.n; i++) {
		uint32_t offset, root = root_of(&s, i, &offset);

		b->values[i].reg = (uint16_t)(s.webs[root].reg + offset);
	}
	if (b->carry)
		b->values[b->carry].reg = 0;
}
