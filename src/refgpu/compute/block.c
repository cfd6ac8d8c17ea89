/* Blocks of one SM; see block.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "refgpu/compute/block.h"
#include "refgpu/compute/check.h"
#include "refgpu/compute/prologue.h"
#include "refgpu/compute/sampler.h"
#include "refgpu/compute/split.h"

#define ARENA_BYTES_MAX    (256ull << 20) /* of an SM, for what is not cooperative */
#define RESIDENT_MAX       16u            /* blocks of an SM; a cooperative launch may have more */
#define SLICES_BEFORE_MORE 64u       /* turns that end without a block's end, then one more block becomes resident */
#define PAD_SLOTS          (size_t)4 /* handlers read operands that an operation does not have, at the frame's begin */
#define HUGE_FROM          (4u << 20)
#define CHUNK_MAX          16u /* blocks that an SM takes from the grid at once */
#define CHUNKS_EACH        32u /* of an SM at least, where the grid has as many blocks */

static size_t round_up(size_t bytes, size_t to)
{
	return (bytes + to - 1) / to * to;
}

/* Parts of a warp's memory, one after the other. */
static size_t warp_bytes(const struct pl_isa_launch *desc)
{
	return round_up((desc->slots + PAD_SLOTS) * PL_SM_SLOT_BYTES, 64) + round_up((desc->preds + 1u) * 4u, 64) +
	       round_up((desc->uniforms + 1u) * 8u, 64) + (size_t)desc->call_depth * PL_ISA_LANES * 8 +
	       round_up((size_t)desc->local_bytes * PL_ISA_LANES, 64);
}

static size_t block_bytes(const struct pl_sm_grid *grid)
{
	return round_up(grid->shared_bytes + 64, 4096) +
	       grid->warps * (round_up(sizeof(struct pl_sm_warp), 64) + grid->warp_bytes);
}

void pl_sm_grid_measure(struct pl_sm_grid *grid)
{
	size_t bytes;

	grid->warp_bytes = warp_bytes(&grid->desc);
	bytes = block_bytes(grid);
	grid->resident_max = bytes > ARENA_BYTES_MAX ? 1 : (uint32_t)(ARENA_BYTES_MAX / bytes);
	grid->resident_max = grid->resident_max > RESIDENT_MAX ? RESIDENT_MAX : grid->resident_max;
	grid->chunk_blocks = grid->sm_count ? grid->blocks / ((uint64_t)CHUNKS_EACH * grid->sm_count) : 0;
	grid->chunk_blocks = grid->chunk_blocks < 1           ? 1
			     : grid->chunk_blocks > CHUNK_MAX ? CHUNK_MAX
							      : grid->chunk_blocks;
}

static void place_warp(const struct pl_sm_grid *grid, struct pl_sm_warp *w, uint8_t *at)
{
	const struct pl_isa_launch *desc = &grid->desc;

	w->bottom.R = (char *)at;
	w->end.R = w->bottom.R + (size_t)desc->slots * PL_SM_SLOT_BYTES;
	at += round_up((desc->slots + PAD_SLOTS) * PL_SM_SLOT_BYTES, 64);
	w->bottom.P = (void *)at;
	w->end.P = w->bottom.P + desc->preds;
	at += round_up((desc->preds + 1u) * 4u, 64);
	w->bottom.U = (void *)at;
	w->end.U = w->bottom.U + desc->uniforms;
	at += round_up((desc->uniforms + 1u) * 8u, 64);
	w->stack = (void *)at;
	at += (size_t)desc->call_depth * PL_ISA_LANES * 8;
	w->local = at;
	memset(w->depth, 0, sizeof(w->depth));
	w->copies = NULL;
}

/* Thread indices do not change from block to block. */
static void place_threads(const struct pl_sm_grid *grid, struct pl_sm_warp *w)
{
	const uint32_t *dim = grid->desc.block;
	uint32_t flat = w->index * PL_ISA_LANES, row = flat / dim[0];
	uint32_t x = flat - row * dim[0], y = row % dim[1], z = row / dim[1];

	for (uint32_t i = 0; i < PL_ISA_LANES; i++) {
		w->tid[0][i] = x;
		w->tid[1][i] = y;
		w->tid[2][i] = z;
		if (++x < dim[0])
			continue;
		x = 0;
		if (++y < dim[1])
			continue;
		y = 0;
		z++;
	}
	w->lanes = grid->threads - flat < PL_ISA_LANES ? (1u << (grid->threads - flat)) - 1 : PL_SM_ALL;
}

static void place_block(struct pl_sm *sm, struct pl_sm_block *block, uint8_t *at)
{
	const struct pl_sm_grid *grid = sm->grid;

	*block = (struct pl_sm_block){ .shared = at, .warps = grid->warps, .bar_count = grid->desc.barriers };
	at += round_up(grid->shared_bytes + 64, 4096);
	block->warp = (void *)at;
	at += grid->warps * round_up(sizeof(struct pl_sm_warp), 64);
	for (uint32_t k = 0; k < grid->warps; k++) {
		struct pl_sm_warp *w = &block->warp[k];

		w->index = k;
		w->sm = sm;
		w->block = block;
		place_warp(grid, w, at);
		place_threads(grid, w);
		at += grid->warp_bytes;
	}
}

int pl_sm_prepare(struct pl_sm *sm)
{
	struct pl_sm_grid *grid = sm->grid;
	size_t one = block_bytes(grid), bytes = one * grid->resident_max;

	if (bytes > sm->arena_bytes) {
		if (sm->arena)
			munmap(sm->arena, sm->arena_bytes);
		sm->arena_bytes = 0;
		sm->arena =
			mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (sm->arena == MAP_FAILED) {
			sm->arena = NULL;
			return -ENOMEM;
		}
		if (bytes >= HUGE_FROM)
			madvise(sm->arena, bytes, MADV_HUGEPAGE);
		sm->arena_bytes = bytes;
	} else if (sm->arena_space !=
		   sm->tlb.space_id) { /* registers of another space's grids are not shown to this one */
		madvise(sm->arena, sm->arena_bytes, MADV_DONTNEED);
	}
	sm->arena_space = sm->tlb.space_id;
	if (grid->resident_max > sm->block_room) {
		struct pl_sm_block *blocks = realloc(sm->blocks, grid->resident_max * sizeof(*blocks));

		if (!blocks)
			return -ENOMEM;
		sm->blocks = blocks;
		sm->block_room = grid->resident_max;
	}
	if (!sm->texture)
		sm->texture = calloc(1, sizeof(*sm->texture));
	if (!sm->texture)
		return -ENOMEM;
	sm->texture->loaded = false;
	sm->blocks_placed = 0;
	if (grid->prologue)
		pl_sm_prologue_enter(sm);
	return 0;
}

void pl_sm_fini(struct pl_sm *sm)
{
	if (sm->arena)
		munmap(sm->arena, sm->arena_bytes);
	free(sm->blocks);
	free(sm->texture);
	pl_sm_check_fini(sm);
}

static bool chunk_take(struct pl_sm *sm, uint32_t owner)
{
	struct pl_sm_grid *grid = sm->grid;
	struct pl_sm_chunks *chunks = &grid->chunks[owner];
	uint64_t begin = atomic_load_explicit(&chunks->taken, memory_order_relaxed), end;

	if ((begin * grid->sm_count + owner) * grid->chunk_blocks >= grid->blocks)
		return false;
	begin = atomic_fetch_add_explicit(&chunks->taken, 1, memory_order_relaxed);
	begin = (begin * grid->sm_count + owner) * grid->chunk_blocks;
	end = begin + grid->chunk_blocks;
	sm->share = begin;
	sm->share_end = end < grid->blocks ? end : grid->blocks;
	return begin < grid->blocks;
}

/* One of its own, else the next one of others. */
static bool share_take(struct pl_sm *sm)
{
	uint32_t n = sm->grid->sm_count;

	for (uint32_t i = 0; i < n; i++)
		if (chunk_take(sm, (sm->index + i) % n))
			return true;
	sm->share = sm->share_end = 0;
	return false;
}

/* The next block that this SM may take.  False: none. */
static bool block_take(struct pl_sm *sm, uint64_t *number_out)
{
	struct pl_sm_grid *grid = sm->grid;

	if (grid->desc.flags & PL_ISA_LAUNCH_COOPERATIVE) { /* all at once: each SM has its own */
		*number_out = sm->index + (uint64_t)sm->taken * grid->sm_count;
		if (*number_out >= grid->blocks)
			return false;
		sm->taken++;
		return true;
	}
	if (sm->share == sm->share_end && !share_take(sm))
		return false;
	*number_out = sm->share++;
	return true;
}

static void warp_begin(struct pl_sm_grid *grid, struct pl_sm_warp *w)
{
	w->frame = w->bottom;
	w->active = w->live = w->lanes;
	w->ops = grid->code->ops;
	w->pc = w->mark = grid->prologue ? w->sm->line->ops : w->ops + grid->desc.entry;
	w->budget = PL_SM_BUDGET;
	w->stop = PL_SM_RUN;
	w->current = 0;
	w->split_count = 1;
	w->polls_stuck = 0;
	w->apart = false;
	w->insns = 0;
	if (grid->desc.call_depth)
		memset(w->depth, 0, sizeof(w->depth));
	w->splits[0].state = PL_SM_READY; /* the rest lies in the warp while it runs */
}

static void block_index(const struct pl_sm_grid *grid, uint64_t number, uint32_t index_out[3])
{
	const uint32_t *dim = grid->desc.grid;
	uint64_t rest = number / dim[0];

	index_out[0] = (uint32_t)(number - rest * dim[0]);
	index_out[1] = (uint32_t)(dim[2] == 1 ? rest : rest % dim[1]);
	index_out[2] = (uint32_t)(dim[2] == 1 ? 0 : rest / dim[1]);
}

static bool block_begin(struct pl_sm *sm, uint32_t slot)
{
	struct pl_sm_grid *grid = sm->grid;
	struct pl_sm_block *block = &sm->blocks[slot];
	uint64_t number;

	if (!block_take(sm, &number))
		return false;
	if (slot == sm->blocks_placed) {
		place_block(sm, block, sm->arena + block_bytes(grid) * slot);
		sm->blocks_placed++;
	}
	block_index(grid, number, block->index);
	block->ready = block->warps == 32 ? PL_SM_ALL : (1u << block->warps) - 1;
	block->warps_left = block->warps;
	block->live_threads = grid->threads;
	block->slices = 0;
	block->resident = block->fresh = true;
	for (unsigned id = 0; id < block->bar_count; id++)
		block->bars[id] = (struct pl_sm_bar){ .all = 1 };
	for (uint32_t k = 0; k < block->warps; k++)
		warp_begin(grid, &block->warp[k]);
	if (grid->desc.flags & PL_ISA_LAUNCH_CHECK && pl_sm_check_begin(block, grid->shared_bytes)) {
		pl_sm_fault(&block->warp[0], block->warp[0].pc, PL_RG_FAULT_BAD_LAUNCH, PL_RG_EXEC, 0, 0);
		return false;
	}
	return true;
}

static void warp_run(struct pl_sm_warp *w)
{
	w->stop = PL_SM_RUN;
	w->polls_left = PL_SM_SLICE;
	w->mark = w->pc;
	do {
		const struct pl_sm_op *op = w->pc;
		op->fn[w->active != PL_SM_ALL](w, op, w->frame.R, w->active);
	} while (!w->stop);
}

/* A blocked warp's running split is stale: choose one when it is ready again. */
static void warp_turn(struct pl_sm_block *block, struct pl_sm_warp *w)
{
	if (w->splits[w->current].state != PL_SM_READY || w->stop == PL_SM_STOP_BLOCKED) {
		w->stop = PL_SM_RUN;
		pl_sm_split_pick(w);
	}
	if (!w->stop || w->stop == PL_SM_STOP_SLICE)
		warp_run(w);
	switch (w->stop) {
	case PL_SM_STOP_SLICE:
		w->splits[w->current].state = PL_SM_READY;
		pl_sm_split_save(w, w->pc);
		block->slices++;
		break;
	case PL_SM_STOP_DONE:
		if (w->copies)
			pl_sm_split_free(w);
		block->warps_left--;
		block->ready &= ~(1u << w->index);
		w->sm->insns += w->insns;
		w->insns = 0;
		break;
	default:
		block->ready &= ~(1u << w->index);
	}
}

/* Lanes at the block's barrier may be waited for at a meeting by those that would come to it next. */
static bool block_unstick(struct pl_sm_block *block)
{
	for (uint32_t k = 0; k < block->warps; k++)
		if (block->warp[k].split_count && pl_sm_split_unstick(&block->warp[k]))
			block->ready |= 1u << k;
	return block->ready;
}

static void block_deadlock(struct pl_sm_block *block)
{
	for (uint32_t k = 0; k < block->warps; k++) {
		struct pl_sm_warp *w = &block->warp[k];

		if (!w->split_count)
			continue;
		w->active = w->splits[0].mask;
		pl_sm_fault(w, w->splits[0].pc, PL_RG_FAULT_DEADLOCK, PL_RG_EXEC, 0,
			    (uint32_t)__builtin_ctz(w->active));
		return;
	}
}

/* One turn of each warp that is ready.  Return: the block has ended. */
static bool block_turn(struct pl_sm *sm, struct pl_sm_block *block)
{
	if (block->fresh && sm->grid->prologue)
		pl_sm_prologue_block(sm, block);
	block->fresh = false;
	for (uint32_t left = block->ready; left; left &= left - 1) {
		struct pl_sm_warp *w = &block->warp[__builtin_ctz(left)];

		warp_turn(block, w);
		if (w->stop == PL_SM_STOP_FAULT)
			return false;
	}
	if (!block->warps_left) {
		sm->blocks_run++;
		sm->warps_run += block->warps;
		block->resident = false;
		if (block->check)
			pl_sm_check_end(block);
		return true;
	}
	if (!block->ready && !block_unstick(block))
		block_deadlock(block);
	return false;
}

/* Looked at between blocks too, as a kernel of short blocks has no backward branch. */
static bool stopped(struct pl_sm *sm)
{
	struct pl_sm_grid *grid = sm->grid;
	uint32_t stop;

	if (atomic_load_explicit(&grid->failed, memory_order_relaxed))
		return true;
	stop = atomic_load_explicit(grid->launch->stop, memory_order_relaxed);
	if (stop) {
		pl_sm_grid_fault(grid, &(struct pl_rg_fault){ .code = stop == 1 ? PL_RG_FAULT_KILLED : stop });
		return true;
	}
	if (pl_mmu_tlb_sync(&sm->tlb))
		sm->flushed = true;
	return false;
}

void pl_sm_run(struct pl_sm *sm)
{
	struct pl_sm_grid *grid = sm->grid;
	bool cooperative = grid->desc.flags & PL_ISA_LAUNCH_COOPERATIVE, more = true;
	uint32_t resident = 0;

	sm->taken = 0;
	sm->share = sm->share_end = 0;
	while (!stopped(sm)) {
		bool spin = true;

		while (more && (resident == 0 || cooperative) && resident < grid->resident_max) {
			more = block_begin(sm, resident);
			resident += more;
		}
		if (!resident)
			break;
		for (uint32_t k = 0; k < resident && !atomic_load_explicit(&grid->failed, memory_order_relaxed); k++) {
			struct pl_sm_block *block = &sm->blocks[k];

			if (block->resident && block_turn(sm, block) && more && !cooperative)
				more = block_begin(sm, k);
			spin = spin && block->resident && block->slices > SLICES_BEFORE_MORE;
		}
		while (resident && !sm->blocks[resident - 1].resident)
			resident--;
		if (spin && more && resident < grid->resident_max) {
			more = block_begin(sm, resident);
			resident += more;
		}
	}
	for (uint32_t k = 0; k < resident; k++) {
		for (uint32_t i = 0; i < sm->blocks[k].warps; i++)
			pl_sm_split_free(&sm->blocks[k].warp[i]);
		if (sm->blocks[k].check)
			pl_sm_check_end(&sm->blocks[k]);
	}
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroupper");
#endif
}
