/* The compute engine: threads, launches, faults. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "refgpu/compute/block.h"
#include "refgpu/compute/check.h"
#include "refgpu/compute/code.h"
#include "refgpu/compute/engine.h"
#include "refgpu/compute/prologue.h"

#define THREADS_MAX 256u

struct worker {
	struct pl_sm sm;
	struct pl_sm_line line;
	struct pl_rg_compute *engine;
	pthread_t thread;
	bool started;
	struct pl_wait wait;
	uint64_t seen;         /* jobs */
	int kept_off;          /* of the launching thread: a processor that it may not use; -1 = none */
	_Atomic int processor; /* where it ran last; -1 = nowhere yet */
	_Alignas(64) _Atomic uint32_t sleeper;
	_Atomic uint64_t job; /* counts up: there is a grid, or the end */
};

struct pl_rg_compute {
	struct pl_mmu *mmu;
	uint32_t threads;
	struct pl_sm_code_cache codes;
	struct pl_sm_grid grid;
	struct pl_sm_prologue prologue;
	_Alignas(64) uint8_t param[PL_ISA_PARAM_BYTES_MAX + 64];
	struct pl_mmu_space *space;
	struct pl_wait wait;
	cpu_set_t allowed; /* processors */
	bool ending;
	_Alignas(64) _Atomic uint32_t running; /* workers that have not come back */
	_Atomic uint32_t sleeper;
	struct worker *workers; /* [threads]; 0 is the launching thread */
	struct pl_sm_chunks *chunks;
};

static const struct pl_sm_build *const builds[] = {
#if defined(PL_SM_HAVE_VECTORS)
	&pl_sm_build_avx512,
	&pl_sm_build_avx2,
#endif
	&pl_sm_build_portable,
};

void pl_sm_grid_fault(struct pl_sm_grid *grid, const struct pl_rg_fault *fault)
{
	uint32_t none = 0;

	if (atomic_compare_exchange_strong(&grid->failed, &none, 1))
		grid->fault = *fault;
}

static void fault_at(struct pl_sm_warp *w, const struct pl_sm_op *op, struct pl_rg_fault *fault, uint32_t lane)
{
	fault->pc = w->sm->grid->desc.code_va + (uint64_t)(op - w->ops) * PL_ISA_INSN_BYTES;
	for (int k = 0; k < 3; k++) {
		fault->block[k] = w->block->index[k];
		fault->thread[k] = w->tid[k][lane];
	}
	pl_sm_grid_fault(w->sm->grid, fault);
	w->stop = PL_SM_STOP_FAULT;
}

void pl_sm_fault(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t code, uint32_t access, uint64_t address,
		 uint32_t lane)
{
	struct pl_rg_fault fault = { .code = code, .access = access, .address = address };

	fault_at(w, op, &fault, lane);
}

void pl_sm_fault_mmu(struct pl_sm_warp *w, const struct pl_sm_op *op, uint32_t lane)
{
	struct pl_rg_fault fault = w->sm->tlb.fault;

	fault_at(w, op, &fault, lane);
}

/* One SM's part of the grid. */
static void work(struct pl_sm *sm, struct pl_mmu_space *space)
{
	struct pl_sm_grid *grid = sm->grid;

	sm->bytes_read = sm->bytes_written = sm->insns = sm->insns_told = sm->warps_run = sm->blocks_run = 0;
	pl_mmu_tlb_enter(&sm->tlb, space);
	if (pl_sm_prepare(sm))
		pl_sm_grid_fault(grid, &(struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH });
	else
		pl_sm_run(sm);
	pl_mmu_tlb_leave(&sm->tlb);
	for (uint32_t k = 0; k < sm->blocks_placed; k++) /* what a fault has cut off counts too */
		for (uint32_t i = 0; i < sm->blocks[k].warps; i++)
			sm->insns += sm->blocks[k].resident ? sm->blocks[k].warp[i].insns : 0;
	atomic_fetch_add(&grid->insns, sm->insns - sm->insns_told);
	atomic_fetch_add(&grid->bytes_read, sm->bytes_read);
	atomic_fetch_add(&grid->bytes_written, sm->bytes_written);
	atomic_fetch_add(&grid->warps_run, sm->warps_run);
	atomic_fetch_add(&grid->blocks_run, sm->blocks_run);
}

static bool worker_ready(void *arg)
{
	struct worker *worker = arg;

	return atomic_load_explicit(&worker->job, memory_order_acquire) != worker->seen;
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct pl_rg_compute *engine = worker->engine;

	for (;;) {
		pl_wait_until(&worker->wait, &worker->sleeper, worker_ready, worker, UINT64_MAX);
		worker->seen = atomic_load_explicit(&worker->job, memory_order_acquire);
		if (engine->ending)
			return NULL;
		work(&worker->sm, engine->space);
		atomic_store_explicit(&worker->processor, sched_getcpu(), memory_order_relaxed);
		if (atomic_fetch_sub_explicit(&engine->running, 1, memory_order_acq_rel) == 1)
			pl_wake_if(&engine->sleeper);
	}
}

static void worker_call(struct worker *worker)
{
	atomic_fetch_add_explicit(&worker->job, 1, memory_order_release);
	pl_wake_if(&worker->sleeper);
}

/* A kernel that finds no idle processor at once, as a program looks for its answer on one, puts who is woken where it
 * ran before, and takes milliseconds to see that two share a processor and another is idle. */
static void worker_keep_off(struct worker *worker, const cpu_set_t *allowed)
{
	int here = sched_getcpu();
	cpu_set_t others = *allowed;

	if (here < 0 || here >= CPU_SETSIZE || here == worker->kept_off ||
	    here != atomic_load_explicit(&worker->processor, memory_order_relaxed))
		return;
	CPU_CLR(here, &others);
	if (CPU_COUNT(&others) && !pthread_setaffinity_np(worker->thread, sizeof(others), &others))
		worker->kept_off = here;
}

static uint32_t threads_wanted(uint32_t sm_count)
{
	const char *asked = getenv("PLENUM_REFGPU_THREADS");
	long n = asked ? strtol(asked, NULL, 10) : get_nprocs();

	n = n < 1 ? 1 : n > (long)THREADS_MAX ? (long)THREADS_MAX : n;
	return n > (long)sm_count && sm_count ? sm_count : (uint32_t)n;
}

static const struct pl_sm_build *build_wanted(void)
{
	const char *asked = getenv("PLENUM_REFGPU_VECTOR");

	for (unsigned pass = 0; pass < 2; pass++) /* what is asked for, then the best */
		for (unsigned i = 0; i < sizeof(builds) / sizeof(*builds); i++)
			if (builds[i]->usable() && (pass || (asked && strcmp(asked, builds[i]->name) == 0)))
				return builds[i];
	return &pl_sm_build_portable;
}

static void compute_destroy(struct pl_rg_compute *engine)
{
	if (!engine)
		return;
	engine->ending = true;
	for (uint32_t i = 0; engine->workers && i < engine->threads; i++) {
		struct worker *worker = &engine->workers[i];

		if (worker->started) {
			worker_call(worker);
			pthread_join(worker->thread, NULL);
		}
		pl_mmu_tlb_fini(&worker->sm.tlb);
		pl_sm_fini(&worker->sm);
	}
	pl_sm_code_cache_fini(&engine->codes);
	free(engine->workers);
	free(engine->chunks);
	free(engine);
}

static void compute_destroyp(struct pl_rg_compute **engine)
{
	compute_destroy(*engine);
}

static int compute_create(struct pl_rg_compute **compute_out, const struct pl_rg_compute_config *config)
{
	pl_cleanup(compute_destroyp) struct pl_rg_compute *engine = aligned_alloc(64, (sizeof(*engine) + 63) / 64 * 64);
	uint32_t threads = threads_wanted(config->sm_count);

	if (!engine)
		return pl_err(-ENOMEM);
	memset(engine, 0, sizeof(*engine));
	engine->mmu = config->mmu;
	engine->codes.build = build_wanted();
	engine->workers = aligned_alloc(64, threads * sizeof(*engine->workers));
	engine->chunks = aligned_alloc(64, threads * sizeof(*engine->chunks));
	if (!engine->workers || !engine->chunks)
		return pl_err(-ENOMEM);
	engine->grid.chunks = engine->chunks;
	memset(engine->workers, 0, threads * sizeof(*engine->workers));
	engine->threads = threads;
	if (sched_getaffinity(0, sizeof(engine->allowed), &engine->allowed))
		CPU_ZERO(&engine->allowed);
	for (uint32_t i = 0; i < threads; i++) {
		struct worker *worker = &engine->workers[i];
		int r = 0;

		worker->engine = engine;
		worker->kept_off = -1;
		atomic_init(&worker->processor, -1);
		worker->sm.engine = engine;
		worker->sm.index = i;
		worker->sm.line = &worker->line;
		pl_mmu_tlb_init(&worker->sm.tlb, config->mmu, false);
		if (i)
			r = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (r)
			return pl_err(-r);
		worker->started = i != 0;
	}
	*compute_out = pl_steal(engine);
	return 0;
}

/* What makes no sense is a fault of its own, with the descriptor's address. */
static bool desc_good(const struct pl_isa_launch *desc)
{
	uint64_t threads = (uint64_t)desc->block[0] * desc->block[1] * desc->block[2];
	bool grid = desc->grid[0] && desc->grid[1] && desc->grid[2] && desc->grid[0] <= PL_ISA_GRID_X_MAX &&
		    desc->grid[1] <= PL_ISA_GRID_YZ_MAX && desc->grid[2] <= PL_ISA_GRID_YZ_MAX;
	bool block = desc->block[0] <= PL_ISA_BLOCK_THREADS_MAX && desc->block[1] <= PL_ISA_BLOCK_THREADS_MAX &&
		     desc->block[2] <= PL_ISA_BLOCK_THREADS_MAX && threads && threads <= PL_ISA_BLOCK_THREADS_MAX;
	bool code = desc->code_va % PL_ISA_INSN_BYTES == 0 && desc->code_insns &&
		    desc->code_insns <= PL_ISA_CODE_INSN_MAX && desc->entry < desc->code_insns;
	bool memory = desc->shared_static <= PL_ISA_SHARED_BYTES_MAX &&
		      desc->shared_dynamic <= PL_ISA_SHARED_BYTES_MAX - desc->shared_static &&
		      desc->local_bytes <= PL_ISA_LOCAL_BYTES_MAX && desc->param_bytes <= PL_ISA_PARAM_BYTES_MAX;
	bool files = desc->slots <= PL_ISA_WARP_SLOTS_MAX && desc->preds <= PL_ISA_WARP_PREDS_MAX &&
		     desc->uniforms <= PL_ISA_WARP_UNIFORMS_MAX && desc->call_depth <= PL_ISA_CALL_DEPTH_MAX &&
		     desc->barriers <= PL_ISA_BARRIERS_MAX;
	bool tables = desc->image_count <= PL_ISA_IMAGES_MAX && desc->sampler_count <= PL_ISA_SAMPLERS_MAX;

	return desc->magic == PL_ISA_LAUNCH_MAGIC && !(desc->flags & ~3u) && grid && block && code && memory && files &&
	       tables;
}

static bool read_va(struct pl_mmu_tlb *tlb, uint64_t va, void *to, size_t bytes)
{
	while (bytes) {
		uint64_t room;
		const void *at = pl_mmu_at(tlb, va, PL_RG_READ, &room);

		if (!at)
			return false;
		room = room < bytes ? room : bytes;
		memcpy(to, at, room);
		to = (char *)to + room, va += room, bytes -= room;
	}
	return true;
}

/* Reads and checks all that the launch needs.  False: fault_out says why. */
static bool launch_read(struct pl_rg_compute *engine, const struct pl_rg_launch *launch, struct pl_rg_fault *fault_out)
{
	struct pl_mmu_tlb *tlb = &engine->workers[0].sm.tlb;
	struct pl_sm_grid *grid = &engine->grid;
	struct pl_isa_launch *desc = &grid->desc;

	*fault_out = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH, .address = launch->descriptor };
	if (!read_va(tlb, launch->descriptor, desc, sizeof(*desc))) {
		*fault_out = tlb->fault;
		return false;
	}
	if (!desc_good(desc))
		return false;
	grid->code = pl_sm_code_get(&engine->codes, tlb, desc, fault_out);
	if (!grid->code)
		return false;
	if (!(grid->code->ops[desc->entry].flags & PL_SM_OP_ENTRY)) {
		*fault_out = (struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_CODE,
						   .access = PL_RG_EXEC,
						   .pc = desc->code_va + (uint64_t)desc->entry * PL_ISA_INSN_BYTES };
		return false;
	}
	if (desc->param_bytes && !read_va(tlb, desc->param_va, engine->param, desc->param_bytes)) {
		*fault_out = tlb->fault;
		return false;
	}
	return true;
}

/* The grid's derived numbers.  False: a cooperative launch that does not fit. */
static bool grid_begin(struct pl_rg_compute *engine, const struct pl_rg_launch *launch)
{
	struct pl_sm_grid *grid = &engine->grid;
	const struct pl_isa_launch *desc = &grid->desc;
	uint64_t each;

	grid->launch = launch;
	grid->param = engine->param;
	grid->threads = desc->block[0] * desc->block[1] * desc->block[2];
	grid->warps = (grid->threads + PL_ISA_LANES - 1) / PL_ISA_LANES;
	grid->shared_bytes = desc->shared_static + desc->shared_dynamic;
	grid->blocks = (uint64_t)desc->grid[0] * desc->grid[1] * desc->grid[2];
	grid->sm_count = engine->threads;
	pl_sm_grid_measure(grid);
	if (desc->flags & PL_ISA_LAUNCH_COOPERATIVE) {
		each = (grid->blocks + engine->threads - 1) / engine->threads;
		if (each > PL_SM_COOPERATIVE_BLOCKS_MAX)
			return false;
		grid->resident_max = (uint32_t)each;
	}
	grid->prologue = pl_sm_prologue_make(&engine->prologue, grid, engine->codes.build) ? &engine->prologue : NULL;
	for (uint32_t i = 0; i < engine->threads; i++)
		atomic_store(&engine->chunks[i].taken, 0);
	atomic_store(&grid->insns, 0);
	atomic_store(&grid->failed, 0);
	atomic_store(&grid->bytes_read, 0);
	atomic_store(&grid->bytes_written, 0);
	atomic_store(&grid->warps_run, 0);
	atomic_store(&grid->blocks_run, 0);
	return true;
}

static bool all_back(void *arg)
{
	struct pl_rg_compute *engine = arg;

	return atomic_load_explicit(&engine->running, memory_order_acquire) == 0;
}

static void grid_run(struct pl_rg_compute *engine, struct pl_mmu_space *space)
{
	struct pl_sm_grid *grid = &engine->grid;
	uint32_t others = grid->blocks < engine->threads ? (uint32_t)grid->blocks - 1 : engine->threads - 1;

	engine->space = space;
	atomic_store_explicit(&engine->running, others, memory_order_release);
	for (uint32_t i = 0; i <= others; i++)
		engine->workers[i].sm.grid = grid;
	for (uint32_t i = 1; i <= others; i++) {
		worker_keep_off(&engine->workers[i], &engine->allowed);
		worker_call(&engine->workers[i]);
	}
	work(&engine->workers[0].sm, space);
	pl_wait_until(&engine->wait, &engine->sleeper, all_back, engine, UINT64_MAX);
}

static void compute_launch(struct pl_rg_compute *engine, const struct pl_rg_launch *launch,
			   struct pl_rg_launch_result *result_out)
{
	struct pl_sm_grid *grid = &engine->grid;
	bool good;

	engine->workers[0].sm.grid = grid;
	pl_mmu_tlb_enter(&engine->workers[0].sm.tlb, launch->space);
	good = launch_read(engine, launch, &result_out->fault);
	if (good && !pl_sm_check_prepare(&engine->workers[0].sm)) {
		result_out->fault = engine->workers[0].sm.tlb.fault;
		good = false;
	}
	pl_mmu_tlb_leave(&engine->workers[0].sm.tlb);
	if (!good)
		return;
	result_out->fault = (struct pl_rg_fault){ .code = PL_RG_FAULT_NONE };
	if (!grid_begin(engine, launch)) {
		result_out->fault =
			(struct pl_rg_fault){ .code = PL_RG_FAULT_BAD_LAUNCH, .address = launch->descriptor };
		return;
	}
	grid_run(engine, launch->space);
	if (atomic_load(&grid->failed))
		result_out->fault = grid->fault;
	result_out->instructions = atomic_load(&grid->insns);
	result_out->blocks = atomic_load(&grid->blocks_run);
	result_out->warps = atomic_load(&grid->warps_run);
	result_out->bytes_read = atomic_load(&grid->bytes_read);
	result_out->bytes_written = atomic_load(&grid->bytes_written);
}

const char *pl_sm_compute_vector(const struct pl_rg_compute *compute)
{
	return compute->codes.build->name;
}

uint32_t pl_sm_compute_threads(const struct pl_rg_compute *compute)
{
	return compute->threads;
}

uint32_t pl_sm_blocks_resident(uint32_t threads, uint32_t shared_bytes, uint32_t local_bytes, uint32_t slots)
{
	struct pl_sm_grid grid = { .warps = (threads + PL_ISA_LANES - 1) / PL_ISA_LANES, .shared_bytes = shared_bytes };

	grid.desc.local_bytes = local_bytes;
	grid.desc.slots = slots;
	pl_sm_grid_measure(&grid);
	return grid.resident_max;
}

const struct pl_rg_compute_ops pl_sm_compute = { compute_create, compute_destroy, compute_launch };
