/* Check mode: a shadow word for each word of shared memory; see check.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "refgpu/compute/check.h"
#include "refgpu/compute/mem.h"
#include "refgpu/compute/next.h"

#define MBARS   64u /* mbarriers whose order is kept: chosen by offset, the newest stays */
#define READERS 2u  /* of a word that nobody has ordered yet: a writer races with one of two if it does with many */

struct touch { /* an access; clock 0: none */
	uint32_t clock, insn;
	uint8_t warp, lane, bytes; /* a bit each */
	bool atomic;
};

struct shadow {
	uint32_t block;  /* whose: counts up, older is nobody's */
	uint8_t written; /* bytes, a bit each */
	struct touch write, read[READERS];
};

typedef uint32_t clocks[PL_SM_WARPS_MAX];

struct pl_sm_check {
	uint32_t words, block;
	clocks of[PL_SM_WARPS_MAX];          /* what each warp knows of each */
	clocks barrier[PL_ISA_BARRIERS_MAX]; /* what those who have come know together */
	struct {
		uint32_t offset;
		clocks known;
	} mbar[MBARS];
	struct shadow shadow[];
};

int pl_sm_check_begin(struct pl_sm_block *block, uint32_t shared_bytes)
{
	uint32_t words = (shared_bytes + 3) / 4;
	struct pl_sm *sm = block->warp[0].sm;
	struct pl_sm_check *check = sm->check_spare;

	sm->check_spare = NULL;
	if (!check || check->words < words || check->block == UINT32_MAX) {
		free(check);
		check = calloc(1, sizeof(*check) + words * sizeof(struct shadow));
		if (!check)
			return -ENOMEM;
		check->words = words;
	}
	check->block++;
	memset(check->of, 0, sizeof(check->of));
	memset(check->barrier, 0, sizeof(check->barrier));
	memset(check->mbar, 0, sizeof(check->mbar));
	for (uint32_t i = 0; i < PL_SM_WARPS_MAX; i++)
		check->of[i][i] = 1;
	block->check = check;
	return 0;
}

void pl_sm_check_end(struct pl_sm_block *block)
{
	struct pl_sm *sm = block->warp[0].sm;

	if (sm->check_spare)
		free(block->check);
	else
		sm->check_spare = block->check;
	block->check = NULL;
}

void pl_sm_check_fini(struct pl_sm *sm)
{
	free(sm->check_spare);
}

/* -- order --------------------------------------------------------------------------------------------------------- */

static void join(clocks to, const clocks from)
{
	for (uint32_t i = 0; i < PL_SM_WARPS_MAX; i++)
		to[i] = from[i] > to[i] ? from[i] : to[i];
}

void pl_sm_check_arrive(struct pl_sm_warp *w, unsigned barrier)
{
	struct pl_sm_check *check = w->block->check;

	if (!check)
		return;
	join(check->barrier[barrier], check->of[w->index]);
	check->of[w->index][w->index]++; /* what it does from here on is not covered */
}

void pl_sm_check_release(struct pl_sm_block *block, unsigned barrier, uint32_t warps)
{
	struct pl_sm_check *check = block->check;

	if (!check)
		return;
	for (uint32_t left = warps; left; left &= left - 1)
		join(check->of[__builtin_ctz(left)], check->barrier[barrier]);
	memset(check->barrier[barrier], 0, sizeof(clocks));
}

void pl_sm_check_mbar(struct pl_sm_warp *w, uint32_t offset, bool arrives)
{
	struct pl_sm_check *check = w->block->check;
	uint32_t slot = offset / 8 % MBARS;

	if (!check)
		return;
	if (check->mbar[slot].offset != offset) {
		check->mbar[slot].offset = offset;
		memset(check->mbar[slot].known, 0, sizeof(clocks));
	}
	if (arrives) {
		join(check->mbar[slot].known, check->of[w->index]);
		check->of[w->index][w->index]++;
	} else {
		join(check->of[w->index], check->mbar[slot].known);
	}
}

/* -- accesses of shared memory --------------------------------------------------------------------------------------
 */

struct access {
	const struct pl_sm_op *op;
	uint32_t offset, lane;
	enum pl_rg_access kind;
	uint8_t touched; /* bytes of the word */
	bool same;       /* a write of what is there already */
};

static bool ordered(const struct pl_sm_check *check, const struct touch *before, const struct pl_sm_warp *w)
{
	return before->warp == w->index || check->of[w->index][before->warp] >= before->clock;
}

static bool found(struct pl_sm_warp *w, const struct access *a, uint32_t kind, const struct touch *before,
		  enum pl_rg_access before_kind)
{
	struct pl_isa_check_record what = { .kind = kind,
					    .address = a->offset + (uint32_t)__builtin_ctz(a->touched),
					    .bytes = (uint32_t)__builtin_popcount(a->touched),
					    .access = { a->kind, before_kind } };

	if (before) {
		const struct pl_sm_warp *other = &w->block->warp[before->warp];

		what.others = 1;
		what.pc[1] = w->sm->grid->desc.code_va + (uint64_t)before->insn * PL_ISA_INSN_BYTES;
		for (int k = 0; k < 3; k++)
			what.thread[1][k] = other->tid[k][before->lane];
	}
	return pl_sm_check_found(w, a->op, a->lane, &what);
}

static bool races_looked(struct pl_sm_warp *w, const struct access *a, const struct shadow *s)
{
	const struct pl_sm_check *check = w->block->check;
	bool both = a->kind == PL_RG_ATOMIC && s->write.atomic;

	if (s->write.clock && s->write.bytes & a->touched && !both && !a->same && !ordered(check, &s->write, w) &&
	    !found(w, a, PL_ISA_FOUND_RACE, &s->write, s->write.atomic ? PL_RG_ATOMIC : PL_RG_WRITE))
		return false;
	for (uint32_t i = 0; a->kind != PL_RG_READ && !a->same && i < READERS; i++)
		if (s->read[i].clock && s->read[i].bytes & a->touched && !ordered(check, &s->read[i], w))
			return found(w, a, PL_ISA_FOUND_RACE, &s->read[i], PL_RG_READ);
	return true;
}

/* Where a read is noted: in its warp's place, a free one, or that of one that is ordered before it. */
static struct touch *reader_place(struct pl_sm_warp *w, struct shadow *s)
{
	for (uint32_t i = 0; i < READERS; i++)
		if (!s->read[i].clock || ordered(w->block->check, &s->read[i], w))
			return &s->read[i];
	return &s->read[READERS - 1];
}

static void note(struct pl_sm_warp *w, const struct access *a, struct shadow *s)
{
	struct touch *at = a->kind == PL_RG_READ ? reader_place(w, s) : &s->write;
	uint32_t clock = w->block->check->of[w->index][w->index];
	uint8_t before =
		at->clock == clock && at->warp == w->index && at->atomic == (a->kind == PL_RG_ATOMIC) ? at->bytes : 0;

	*at = (struct touch){ .clock = clock,
			      .insn = (uint32_t)(a->op - w->ops),
			      .warp = (uint8_t)w->index,
			      .lane = (uint8_t)a->lane,
			      .bytes = before | a->touched,
			      .atomic = a->kind == PL_RG_ATOMIC };
	if (a->kind != PL_RG_READ)
		s->written |= a->touched;
}

static bool word_access(struct pl_sm_warp *w, struct access *a)
{
	struct pl_sm_check *check = w->block->check;
	struct shadow *s = &check->shadow[a->offset / 4];
	uint32_t wanted = w->sm->grid->check.what;

	if (s->block != check->block)
		*s = (struct shadow){ .block = check->block };
	a->same = a->same && !(a->touched & ~s->written);
	if (wanted & PL_ISA_CHECK_SHARED_INIT && a->kind != PL_RG_WRITE && a->touched & ~s->written &&
	    !found(w, a, PL_ISA_FOUND_SHARED_UNINIT, NULL, PL_RG_READ))
		return false;
	if (wanted & PL_ISA_CHECK_RACES && !races_looked(w, a, s))
		return false;
	note(w, a, s);
	return true;
}

/* value: what is written, or NULL */
static bool shared_access(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t offset, uint64_t bytes,
			  enum pl_rg_access access, uint32_t lane, const uint8_t *value)
{
	while (bytes) {
		uint32_t in = offset % 4, part = 4 - in < bytes ? 4 - in : (uint32_t)bytes;
		struct access a = { .op = op, .offset = offset - in, .lane = lane, .kind = access };

		a.touched = (uint8_t)(((1u << part) - 1) << in);
		a.same = value && !memcmp(value, w->block->shared + offset, part);
		if (!word_access(w, &a))
			return false;
		offset += part, bytes -= part;
		value = value ? value + part : NULL;
	}
	return true;
}

bool pl_sm_check_access(struct pl_sm_warp *w, const struct pl_sm_op *op, unsigned space, uint64_t addr, uint64_t bytes,
			enum pl_rg_access access, uint32_t lane)
{
	uint64_t shared = w->sm->grid->shared_bytes;

	if (space == PL_ISA_GENERIC && addr - PL_ISA_SHARED_BASE < PL_ISA_WINDOW_BYTES) {
		addr -= PL_ISA_SHARED_BASE;
		space = PL_ISA_SHARED;
	}
	if (space == PL_ISA_SHARED) /* what is not inside the operation itself reports */
		return addr >= shared || shared - addr < bytes ||
		       shared_access(w, op, (uint32_t)addr, bytes, access, lane, NULL);
	if (space > PL_ISA_GLOBAL || addr - PL_ISA_LOCAL_BASE < 2 * PL_ISA_WINDOW_BYTES)
		return true;
	return pl_sm_check_global(w, op, addr, bytes, access, lane);
}

/* -- handlers in front ----------------------------------------------------------------------------------------------
 */

static const pl_sm_fn *inner_of(const struct pl_sm_warp *w, const struct pl_sm_op *op)
{
	return w->sm->grid->code->inner[op - w->ops];
}

/* What a lane's store writes, as it will lie in memory. */
static void value_of(const struct pl_sm_op *op, const char *R, uint32_t lane, uint8_t value[16])
{
	union pl_sm_mem m = { .x = op->x };
	uint32_t reg = m.bytes == 8 ? 8 : 4;

	for (uint32_t k = 0; k < 1u << m.vec; k++)
		memcpy(value + k * m.bytes, R + op->d + k * (reg / 4) * PL_SM_SLOT_BYTES + lane * reg, m.bytes);
}

static __attribute__((noinline)) bool memory_good(PL_SM_ARGS, enum pl_rg_access access)
{
	union pl_sm_mem m = { .x = op->x };
	unsigned bytes = (unsigned)m.bytes << m.vec;
	uint64_t addr[PL_ISA_LANES], shared_bytes = w->sm->grid->shared_bytes;

	pl_sm_mem_addresses(w, op, R, addr);
	for (uint32_t left = mask; left; left &= left - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(left);
		uint64_t offset = m.space == PL_ISA_SHARED ? addr[i] : addr[i] - PL_ISA_SHARED_BASE;
		bool shared = m.space == PL_ISA_SHARED || (m.space == PL_ISA_GENERIC && offset < PL_ISA_WINDOW_BYTES);
		uint8_t value[16];

		if (addr[i] % bytes)
			continue; /* the operation itself reports it */
		if (!shared || access != PL_RG_WRITE || bytes > sizeof(value) || m.bytes > 8) {
			if (!pl_sm_check_access(w, op, m.space, addr[i], bytes, access, i))
				return false;
			continue;
		}
		value_of(op, R, i, value);
		if (offset < shared_bytes && shared_bytes - offset >= bytes &&
		    !shared_access(w, op, (uint32_t)offset, bytes, access, i, value))
			return false;
	}
	return true;
}

#define CHECKED(name, access)                                                                                          \
	static void name(PL_SM_ARGS)                                                                                   \
	{                                                                                                              \
		if (!memory_good(w, op, R, mask, access))                                                              \
			return;                                                                                        \
		inner_of(w, op)[mask != PL_SM_ALL](w, op, R, mask);                                                    \
	}
CHECKED(checked_load, PL_RG_READ)
CHECKED(checked_store, PL_RG_WRITE)
CHECKED(checked_atomic, PL_RG_ATOMIC)

/* An aligned barrier that only a part of a warp has come to. */
static void checked_barrier(PL_SM_ARGS)
{
	if (w->sm->grid->check.what & PL_ISA_CHECK_BARRIERS && !(op->x & PL_ISA_BAR_APART) && mask != w->live &&
	    !w->apart) {
		struct pl_isa_check_record what = { .kind = PL_ISA_FOUND_DIVERGENT_BARRIER,
						    .address = mask | (uint64_t)w->live << 32,
						    .access = { PL_RG_EXEC } };

		if (!pl_sm_check_found(w, op, (uint32_t)__builtin_ctz(mask), &what))
			return;
	}
	inner_of(w, op)[mask != PL_SM_ALL](w, op, R, mask);
}

void pl_sm_check_wrap(const struct pl_isa_fields *f, struct pl_sm_op *op, pl_sm_fn inner[2])
{
	bool memory = f->space == PL_ISA_SHARED || f->space == PL_ISA_GENERIC || f->space == PL_ISA_GLOBAL;
	pl_sm_fn front = NULL;

	if (f->op == PL_ISA_LD && memory)
		front = checked_load;
	else if (f->op == PL_ISA_ST && memory)
		front = checked_store;
	else if ((f->op == PL_ISA_ATOM || f->op == PL_ISA_RED) && memory)
		front = checked_atomic;
	else if (f->op == PL_ISA_BAR)
		front = checked_barrier;
	if (!front)
		return;
	inner[0] = op->fn[0];
	inner[1] = op->fn[1];
	op->fn[0] = op->fn[1] = front;
}
