/*
 * Which values and blocks are the warp's and which are the lanes'.
 *
 * A block varies where, between a branch that varies and the block at which the lanes meet again, not all lanes of the
 * warp need be there.  A value varies if it may differ between the lanes that execute together, or is made in a block
 * that varies; only the others may live in U registers, as those are written once for the warp (docs/refgpu.md).
 */
#include "opt.h"

/*
 * Steps of the analysis of one function: beyond, all of it varies and lanes that part do not meet, which is right, but
 * slow.  It is reached by functions of thousands of branches to one place.
 */
#define REGION_WORK_MIN  4000000ull
#define REGION_WORK_EACH 100u /* for each block, besides */
#define REGION_MEETS_MAX 8    /* blocks behind a branch that are tried */
#define REGION_NOTES_MAX 32   /* blocks in front of it */

struct spread {
	struct pl_ptx_build *b;
	uint32_t *work, n;           /* values that were found to vary */
	struct pl_ptx_block **apart; /* reached from branches whose lanes never meet; by index: followed */
	bool *followed;
	bool lost; /* the analysis became too long: everything varies */
	struct use {
		struct pl_ptx_ins *ins;
		struct pl_ptx_block *block; /* its condition */
		struct use *next;
	} * *uses;
};

static void use_add(struct spread *s, uint32_t value, struct pl_ptx_ins *ins, struct pl_ptx_block *block)
{
	struct use *use;

	if (!value)
		return;
	use = pl_ptx_alloc(s->b->pool, sizeof(*use));
	use->ins = ins;
	use->block = block;
	use->next = s->uses[value];
	s->uses[value] = use;
}

static void vary(struct spread *s, uint32_t value)
{
	if (!value || s->b->values[value].varying)
		return;
	s->b->values[value].varying = true;
	s->work[s->n++] = value;
}

static void vary_ins(struct spread *s, struct pl_ptx_ins *ins)
{
	for (unsigned k = 0; k < A_COUNT; k++)
		if (pl_ptx_is_def(ins, k))
			vary(s, ins->v[k]);
}

static void vary_block(struct spread *s, struct pl_ptx_block *block)
{
	if (block->varying)
		return;
	block->varying = true;
	for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next)
		vary_ins(s, ins);
}

/* Sources of difference, whatever their operands. */
static bool is_source(const struct pl_ptx_build *b, const struct pl_ptx_ins *ins)
{
	switch (ins->op) {
	case PL_ISA_S2R:
		switch (ins->f.imm) {
		case PL_ISA_SR_TID_X:
		case PL_ISA_SR_TID_Y:
		case PL_ISA_SR_TID_Z:
		case PL_ISA_SR_TID_FLAT:
		case PL_ISA_SR_LANEID:
		case PL_ISA_SR_LANEMASK_EQ:
		case PL_ISA_SR_LANEMASK_LE:
		case PL_ISA_SR_LANEMASK_LT:
		case PL_ISA_SR_LANEMASK_GE:
		case PL_ISA_SR_LANEMASK_GT:
			return true;
		default:
			return false;
		}
	case PL_ISA_LD:
		return ins->f.space == PL_ISA_LOCAL || ins->f.space == PL_ISA_GENERIC;
	case PL_ISA_ATOM:
	case PL_ISA_SHFL:
	case PL_ISA_MATCH:
	case PL_ISA_SYS:
	case PL_ISA_ELECT:
	case PL_ISA_ADDX:
	case PL_ISA_SUBX:
	case PL_ISA_MADX:
	case I_ARG:
	case I_RESULT:
	case PL_ISA_LDMATRIX:
	case PL_ISA_MOVMATRIX:
	case PL_ISA_MMA:
	case PL_ISA_WMMA:
	case PL_ISA_WMLD:
	case PL_ISA_MBAR:
	case PL_ISA_FNS:
		return true;
	case PL_ISA_REDUX:
	case PL_ISA_VOTE:
	case PL_ISA_BALLOT: { /* the same for all, where the mask is everybody */
		uint64_t mask;

		return !pl_ptx_const_of(b, ins->v[A_B], &mask) || (uint32_t)mask != UINT32_MAX;
	}
	default:
		return ins->v[A_OLD] != 0;
	}
}

static bool always_same(const struct pl_ptx_ins *ins)
{
	return ins->op == PL_ISA_REDUX || ins->op == PL_ISA_VOTE || ins->op == PL_ISA_BALLOT ||
	       ins->op == PL_ISA_ACTIVEMASK || ins->op == PL_ISA_BAR;
}

/* What is reached from `branch` without passing `meet`.  Return: whether `branch` itself is. */
bool pl_ptx_reach(struct pl_ptx_build *b, struct pl_ptx_block *branch, struct pl_ptx_block *meet,
		  struct pl_ptx_region *region)
{
	uint32_t stamp = ++b->mark, done = 0;

	region->blocks_n = 0;
	if (region->room < b->blocks_n + b->between_n) {
		region->room = b->blocks_n + b->between_n + 64;
		region->blocks = pl_ptx_alloc_n(b->pool, region->room, sizeof(*region->blocks));
	}
	for (uint32_t i = 0; i < branch->succ_n; i++) {
		if (branch->succ[i] != meet && branch->succ[i]->stamp != stamp) {
			branch->succ[i]->stamp = stamp;
			region->blocks[region->blocks_n++] = branch->succ[i];
		}
	}
	while (done < region->blocks_n) {
		struct pl_ptx_block *block = region->blocks[done++];

		b->region_work += 4;
		for (uint32_t i = 0; i < block->succ_n; i++) {
			if (block->succ[i] != meet && block->succ[i]->stamp != stamp) {
				block->succ[i]->stamp = stamp;
				region->blocks[region->blocks_n++] = block->succ[i];
			}
		}
	}
	return branch->stamp == stamp;
}

static bool post_dominates(struct pl_ptx_block *a, struct pl_ptx_block *of, uint64_t *work)
{
	for (; of && of != a; of = of->ipdom)
		*work += 1;
	return of == a;
}

/* In front of the outermost loop around `branch` that does not hold `meet`: its only entry. NULL: there is none. */
static struct pl_ptx_block *loop_entry(struct pl_ptx_block *branch, struct pl_ptx_block *meet, uint64_t *work)
{
	struct pl_ptx_block *header = NULL, *entry = NULL;

	for (struct pl_ptx_block *at = pl_ptx_loop_of(branch); at; at = at->loop) {
		struct pl_ptx_block *in = pl_ptx_loop_of(meet);

		while (in && in != at)
			in = in->loop;
		if (in)
			break;
		header = at;
	}
	if (!header || !post_dominates(meet, header, work))
		return NULL;
	for (uint32_t p = 0; p < header->pred_n; p++) {
		if (pl_ptx_dominates(header, header->pred[p]))
			continue;
		if (entry)
			return NULL;
		entry = header->pred[p];
	}
	return entry && entry->succ_n == 1 ? entry : NULL;
}

static struct pl_ptx_block *common_dominator(struct pl_ptx_block *x, struct pl_ptx_block *y)
{
	while (x != y) {
		while (x->rpo > y->rpo)
			x = x->idom;
		while (y->rpo > x->rpo)
			y = y->idom;
	}
	return x;
}

/*
 * The block at whose end lanes are noted that part at `branch` and meet at `meet`: all that can be on its way between
 * the two came through it, once.  NULL: there is none.
 */
static struct pl_ptx_block *note_at(struct pl_ptx_build *b, struct pl_ptx_block *branch, struct pl_ptx_block *meet,
				    struct pl_ptx_region *region)
{
	struct pl_ptx_block *before = branch;

	for (int i = 0; i < REGION_NOTES_MAX; i++) {
		struct pl_ptx_block *above = before;

		if (b->region_work > b->region_work_max)
			return NULL;
		if (pl_ptx_reach(b, before, meet, region)) {
			above = loop_entry(before, meet, &b->region_work);
			if (!above)
				return NULL;
		} else {
			for (uint32_t k = 0; k < region->blocks_n; k++)
				if (!pl_ptx_dominates(above, region->blocks[k]))
					above = common_dominator(above, region->blocks[k]);
			if (above == before)
				return before;
		}
		if (above == meet || !post_dominates(meet, above, &b->region_work))
			return NULL;
		before = above;
	}
	return NULL;
}

/* Where the lanes that part at `branch` meet again, and what may be executed until then. */
struct pl_ptx_region *pl_ptx_region_of(struct pl_ptx_build *b, struct pl_ptx_block *branch)
{
	struct pl_ptx_region *region = b->region;
	struct pl_ptx_block *meet = b->irreducible ? NULL : branch->ipdom;

	if (!region)
		region = b->region = pl_ptx_alloc(b->pool, sizeof(*region));
	region->meet = region->before = NULL;
	region->blocks_n = 0;
	if (b->region_work > b->region_work_max)
		return region;
	for (int i = 0; meet && i < REGION_MEETS_MAX; meet = meet->ipdom, i++) {
		struct pl_ptx_block *before = note_at(b, branch, meet, region);

		if (before) {
			(void)pl_ptx_reach(b, branch, meet, region);
			region->meet = meet;
			region->before = before;
			return region;
		}
	}
	region->meet = region->before = NULL;
	region->blocks_n = 0;
	return region;
}

/* Lanes that part at `branch` never meet: whatever is reached from there varies, and has been followed once for all. */
static void part_for_good(struct spread *s, struct pl_ptx_block *branch)
{
	uint32_t n = 0, done = 0;

	for (struct pl_ptx_block *block = branch;; block = s->apart[done++]) {
		for (uint32_t i = 0; i < block->succ_n; i++) {
			struct pl_ptx_block *succ = block->succ[i];

			if (s->followed[succ->index])
				continue;
			s->followed[succ->index] = true;
			vary_block(s, succ);
			s->apart[n++] = succ;
		}
		if (done == n)
			return;
	}
}

static void part(struct spread *s, struct pl_ptx_block *branch)
{
	struct pl_ptx_region *region;

	if (s->lost)
		return;
	region = pl_ptx_region_of(s->b, branch);
	if (s->b->region_work > s->b->region_work_max) {
		s->lost = true;
		for (uint32_t i = 0; i < s->b->blocks_n; i++)
			vary_block(s, s->b->blocks[i]);
		return;
	}
	if (!region->meet) {
		part_for_good(s, branch);
		return;
	}
	for (uint32_t i = 0; i < region->blocks_n; i++)
		vary_block(s, region->blocks[i]);
	for (struct pl_ptx_ins *ins = region->meet->first; ins && ins->op == I_PHI; ins = ins->next)
		vary_ins(s, ins);
}

static void visit_uses(struct spread *s, uint32_t value)
{
	for (struct use *use = s->uses[value]; use; use = use->next) {
		if (use->ins && !always_same(use->ins))
			vary_ins(s, use->ins);
		if (use->block && !use->block->mark) {
			use->block->mark = 1;
			part(s, use->block);
		}
	}
}

void pl_ptx_region_begin(struct pl_ptx_build *b)
{
	b->region_work_all += b->region_work;
	b->region_work = 0;
	b->region_work_max = REGION_WORK_MIN + (uint64_t)b->blocks_n * REGION_WORK_EACH;
}

void pl_ptx_uniform(struct pl_ptx_build *b)
{
	struct spread s = { .b = b };

	s.work = pl_ptx_alloc_n(b->pool, b->values_n + 1u, sizeof(*s.work));
	s.uses = pl_ptx_alloc_n(b->pool, b->values_n + 1u, sizeof(*s.uses));
	s.apart = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*s.apart));
	s.followed = pl_ptx_alloc_n(b->pool, b->blocks_n + 1u, sizeof(*s.followed));
	for (uint32_t i = 0; i < b->values_n; i++)
		b->values[i].varying = false;
	for (uint32_t i = 0; i < b->blocks_n; i++) {
		struct pl_ptx_block *block = b->blocks[i];

		block->mark = 0;
		block->stamp = 0;
		block->varying = false;
		for (struct pl_ptx_ins *ins = block->first; ins; ins = ins->next) {
			for (unsigned k = 0; k < A_COUNT; k++)
				if (!pl_ptx_is_def(ins, k))
					use_add(&s, ins->v[k], ins, NULL);
			for (uint32_t k = 0; k < ins->many_n; k++)
				use_add(&s, ins->many[k], ins, NULL);
			if (is_source(b, ins))
				vary_ins(&s, ins);
		}
		use_add(&s, block->cond, NULL, block);
	}
	b->mark = 0;
	pl_ptx_region_begin(b);
	if (!b->func->entry) /* who calls it is not known: not the whole warp */
		for (uint32_t i = 0; i < b->blocks_n; i++)
			vary_block(&s, b->blocks[i]);
	while (s.n)
		visit_uses(&s, s.work[--s.n]);
}
