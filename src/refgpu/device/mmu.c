#include "refgpu/device/mmu.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "refgpu/device/walk.h"

#define SLOT_SHIFT    10 /* a space's id is its slot, plus a multiple of this for each time that the slot was taken */
#define NOT_ENTERED   UINT64_MAX
#define RIGHT(access) (1u << (access))

_Static_assert(PL_MMU_SPACES_MAX <= 1u << SLOT_SHIFT, "an id names its slot");

struct pl_mmu_space {
	struct pl_mmu *mmu;
	struct pl_mmu_root root; /* these: under mmu->lock until there is a reference */
	uint64_t limit;
	uint32_t refs;            /* under mmu->lock */
	_Atomic uint64_t id;      /* 0: never used */
	_Atomic uint64_t flushed; /* generation of its last flush */
};

struct pl_mmu {
	struct pl_mmu_generation generation; /* first: pl_mmu_generation() */
	struct pl_mmu_memory memory;
	pthread_mutex_t lock;
	struct pl_mmu_tlb *tlbs;     /* under lock */
	struct pl_mmu_stats retired; /* under lock: of TLBs that are gone */
	uint32_t spaces_used;        /* under lock: slots that were ever taken */
	struct pl_mmu_space spaces[PL_MMU_SPACES_MAX];
};

_Static_assert(offsetof(struct pl_mmu, generation) == 0, "pl_mmu_generation() looks there");

static inline void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

int pl_mmu_create(struct pl_mmu **mmu_out, uint8_t *vram, uint64_t vram_bytes, pl_mmu_dma_fn dma, void *dma_arg)
{
	struct pl_mmu *mmu = aligned_alloc(64, (sizeof(*mmu) + 63) / 64 * 64);

	if (!mmu)
		return pl_err(-ENOMEM);
	memset(mmu, 0, sizeof(*mmu));
	mmu->memory = (struct pl_mmu_memory){ vram, vram_bytes, dma, dma_arg };
	pthread_mutex_init(&mmu->lock, NULL);
	*mmu_out = mmu;
	return 0;
}

void pl_mmu_destroy(struct pl_mmu *mmu)
{
	if (!mmu)
		return;
	pthread_mutex_destroy(&mmu->lock);
	free(mmu);
}

/* -- spaces ------------------------------------------------------------------------------------------------------ */

static bool space_is(const struct pl_mmu_space *space, const struct pl_mmu_root *root, uint64_t limit)
{
	return atomic_load_explicit(&space->id, memory_order_relaxed) && space->root.kind == root->kind &&
	       space->root.system == root->system && space->root.address == root->address && space->limit == limit;
}

int pl_mmu_space_ref(struct pl_mmu_space **space_out, struct pl_mmu *mmu, const struct pl_mmu_root *root,
		     uint64_t limit)
{
	struct pl_mmu_space *space = NULL, *free_one = NULL;
	uint64_t id;

	pthread_mutex_lock(&mmu->lock);
	for (uint32_t i = 0; i < PL_MMU_SPACES_MAX && !space; i++) {
		struct pl_mmu_space *at = &mmu->spaces[i];
		if (space_is(at, root, limit))
			space = at;
		else if (!at->refs && (!free_one || at->id < free_one->id))
			free_one = at; /* longest unused, more or less: caches of old ones stay */
	}
	if (!space && free_one) {
		space = free_one;
		id = atomic_load_explicit(&space->id, memory_order_relaxed);
		id = id ? id + (1u << SLOT_SHIFT) : (1u << SLOT_SHIFT) + (uint64_t)(space - mmu->spaces);
		if ((uint32_t)(space - mmu->spaces) >= mmu->spaces_used)
			mmu->spaces_used = (uint32_t)(space - mmu->spaces) + 1;
		space->mmu = mmu;
		space->root = *root;
		space->limit = limit;
		atomic_store_explicit(&space->id, id, memory_order_relaxed);
	}
	if (space)
		space->refs++;
	pthread_mutex_unlock(&mmu->lock);
	if (!space)
		return pl_err(-ENOSPC);
	*space_out = space;
	return 0;
}

void pl_mmu_space_unref(struct pl_mmu_space *space)
{
	if (!space)
		return;
	pthread_mutex_lock(&space->mmu->lock);
	space->refs--;
	pthread_mutex_unlock(&space->mmu->lock);
}

static void flush(struct pl_mmu *mmu, bool all, uint64_t directory)
{
	uint64_t generation;

	pthread_mutex_lock(&mmu->lock);
	generation = atomic_load_explicit(&mmu->generation.value, memory_order_relaxed) + 1;
	for (uint32_t i = 0; i < mmu->spaces_used; i++) {
		struct pl_mmu_space *space = &mmu->spaces[i];
		if (space->id && (all || space->root.address >> 8 == directory >> 8))
			atomic_store_explicit(&space->flushed, generation, memory_order_relaxed);
	}
	atomic_store(&mmu->generation.value, generation);
	pthread_mutex_unlock(&mmu->lock);
}

void pl_mmu_flush(struct pl_mmu *mmu, uint64_t directory)
{
	flush(mmu, false, directory);
}

void pl_mmu_flush_all(struct pl_mmu *mmu)
{
	flush(mmu, true, 0);
}

bool pl_mmu_flush_done(struct pl_mmu *mmu)
{
	uint64_t generation = atomic_load(&mmu->generation.value);
	bool done = true;

	pthread_mutex_lock(&mmu->lock);
	for (struct pl_mmu_tlb *tlb = mmu->tlbs; tlb && done; tlb = tlb->next)
		done = atomic_load(&tlb->acked) >= generation;
	pthread_mutex_unlock(&mmu->lock);
	return done;
}

/* -- TLBs -------------------------------------------------------------------------------------------------------- */

void pl_mmu_tlb_init(struct pl_mmu_tlb *tlb, struct pl_mmu *mmu, bool supervisor)
{
	memset(tlb, 0, sizeof(*tlb));
	tlb->mmu = mmu;
	tlb->supervisor = supervisor;
	atomic_store(&tlb->acked, NOT_ENTERED);
	pthread_mutex_lock(&mmu->lock);
	tlb->seen = atomic_load(&mmu->generation.value);
	tlb->next = mmu->tlbs;
	mmu->tlbs = tlb;
	pthread_mutex_unlock(&mmu->lock);
}

static void stats_add(struct pl_mmu_stats *stats, const struct pl_mmu_tlb *tlb)
{
	stats->hits += atomic_load_explicit(&tlb->counts.hits, memory_order_relaxed);
	stats->refills += atomic_load_explicit(&tlb->counts.refills, memory_order_relaxed);
	stats->walks += atomic_load_explicit(&tlb->counts.walks, memory_order_relaxed);
	stats->entries += atomic_load_explicit(&tlb->counts.entries, memory_order_relaxed);
	stats->fills += atomic_load_explicit(&tlb->counts.fills, memory_order_relaxed);
	stats->flushes += atomic_load_explicit(&tlb->counts.flushes, memory_order_relaxed);
}

void pl_mmu_tlb_fini(struct pl_mmu_tlb *tlb)
{
	struct pl_mmu *mmu = tlb->mmu;

	if (!mmu)
		return;
	pthread_mutex_lock(&mmu->lock);
	for (struct pl_mmu_tlb **at = &mmu->tlbs; *at; at = &(*at)->next) {
		if (*at == tlb) {
			*at = tlb->next;
			break;
		}
	}
	stats_add(&mmu->retired, tlb);
	pthread_mutex_unlock(&mmu->lock);
	tlb->mmu = NULL;
}

void pl_mmu_stats(struct pl_mmu *mmu, struct pl_mmu_stats *stats_out)
{
	pthread_mutex_lock(&mmu->lock);
	*stats_out = mmu->retired;
	for (const struct pl_mmu_tlb *tlb = mmu->tlbs; tlb; tlb = tlb->next)
		stats_add(stats_out, tlb);
	pthread_mutex_unlock(&mmu->lock);
}

static void hits_publish(struct pl_mmu_tlb *tlb)
{
	count(&tlb->counts.hits, tlb->hits);
	tlb->hits = 0;
}

static void first_level_drop(struct pl_mmu_tlb *tlb)
{
	memset(tlb->slots, 0, sizeof(tlb->slots));
	memset(tlb->near, 0, sizeof(tlb->near));
}

/* Drops what was flushed since `seen`.  Return: something of the space that is entered. */
static bool runs_drop(struct pl_mmu_tlb *tlb)
{
	struct pl_mmu *mmu = tlb->mmu;
	uint64_t generation = atomic_load(&mmu->generation.value);
	bool mine = tlb->space_id && atomic_load_explicit(&tlb->space->flushed, memory_order_relaxed) > tlb->seen;

	for (uint32_t i = 0; i < PL_MMU_RUNS; i++) {
		const struct pl_mmu_space *space = &mmu->spaces[tlb->run_space[i] & ((1u << SLOT_SHIFT) - 1)];
		if (atomic_load_explicit(&space->id, memory_order_relaxed) != tlb->run_space[i] ||
		    atomic_load_explicit(&space->flushed, memory_order_relaxed) > tlb->seen)
			tlb->runs[i].bytes = 0;
	}
	if (mine)
		first_level_drop(tlb);
	tlb->seen = generation;
	count(&tlb->counts.flushes, 1);
	hits_publish(tlb);
	return mine;
}

bool pl_mmu_tlb_flushed(struct pl_mmu_tlb *tlb)
{
	bool mine = runs_drop(tlb);

	atomic_store(&tlb->acked, tlb->seen);
	return mine;
}

void pl_mmu_tlb_enter(struct pl_mmu_tlb *tlb, struct pl_mmu_space *space)
{
	uint64_t id = atomic_load_explicit(&space->id, memory_order_relaxed);

	atomic_store(&tlb->acked, 0); /* from here on a flush waits for us */
	if (atomic_load(&tlb->mmu->generation.value) != tlb->seen)
		runs_drop(tlb);
	if (tlb->space_id != id) {
		first_level_drop(tlb);
		tlb->space = space;
		tlb->space_id = id;
	}
	atomic_store_explicit(&tlb->acked, tlb->seen, memory_order_release);
}

void pl_mmu_tlb_leave(struct pl_mmu_tlb *tlb)
{
	hits_publish(tlb);
	atomic_store_explicit(&tlb->acked, NOT_ENTERED, memory_order_release);
}

/* -- misses ------------------------------------------------------------------------------------------------------ */

static const struct pl_mmu_run *fault(struct pl_mmu_tlb *tlb, uint32_t code, uint64_t address, uint32_t access)
{
	tlb->fault = (struct pl_rg_fault){ .code = code, .address = address, .access = access };
	return NULL;
}

/* Index of the cached run that holds the address; PL_MMU_RUNS = none. */
static uint32_t run_find(const struct pl_mmu_tlb *tlb, uint64_t address)
{
	uint32_t i = tlb->newest;

	if (address - tlb->runs[i].begin < tlb->runs[i].bytes && tlb->run_space[i] == tlb->space_id)
		return i;
	for (i = 0; i < PL_MMU_RUNS; i++) {
		if (address - tlb->runs[i].begin < tlb->runs[i].bytes && tlb->run_space[i] == tlb->space_id)
			break;
	}
	return i;
}

static bool runs_touch(const struct pl_mmu_run *low, const struct pl_mmu_run *high)
{
	return low->begin + low->bytes == high->begin && low->host + low->bytes == high->host &&
	       low->rights == high->rights && low->system == high->system &&
	       low->bytes + high->bytes <= PL_MMU_RUN_BYTES_MAX;
}

/* What is cached already stays as it is, stale or not; a new run is cut to what lies between, and joins its
 * neighbours where they fit. */
static uint32_t run_add(struct pl_mmu_tlb *tlb, struct pl_mmu_run run, uint64_t address)
{
	uint32_t place = PL_MMU_RUNS;

	for (uint32_t i = 0; i < PL_MMU_RUNS; i++) {
		const struct pl_mmu_run *other = &tlb->runs[i];
		if (!other->bytes || tlb->run_space[i] != tlb->space_id)
			continue;
		if (other->begin > address && other->begin - run.begin < run.bytes) {
			run.bytes = other->begin - run.begin;
		} else if (other->begin < address && other->begin + other->bytes > run.begin) {
			uint64_t cut = other->begin + other->bytes - run.begin;
			run.begin += cut;
			run.host += cut;
			run.bytes -= cut;
		}
	}
	for (uint32_t i = 0; i < PL_MMU_RUNS; i++) {
		struct pl_mmu_run *other = &tlb->runs[i];
		if (!other->bytes) {
			place = i;
		} else if (tlb->run_space[i] != tlb->space_id) {
			continue;
		} else if (runs_touch(other, &run)) {
			run.begin = other->begin;
			run.host = other->host;
		} else if (!runs_touch(&run, other)) {
			continue;
		}
		run.bytes += other->bytes;
		other->bytes = 0;
		place = i;
	}
	if (place == PL_MMU_RUNS)
		place = tlb->oldest++ % PL_MMU_RUNS;
	tlb->runs[place] = run;
	tlb->run_space[place] = tlb->space_id;
	return place;
}

const struct pl_mmu_run *pl_mmu_miss(struct pl_mmu_tlb *tlb, uint64_t address, enum pl_rg_access access)
{
	struct pl_mmu_run *slot = &tlb->slots[(address >> PL_MMU_SLOT_SHIFT) % PL_MMU_SLOTS];
	uint32_t at = run_find(tlb, address);

	if (at < PL_MMU_RUNS) {
		count(&tlb->counts.refills, 1);
	} else {
		struct pl_mmu_walk walk = { .memory = &tlb->mmu->memory,
					    .root = tlb->space->root,
					    .limit = tlb->space->limit,
					    .supervisor = tlb->supervisor };
		struct pl_mmu_run run;
		uint32_t code = pl_mmu_walk(&walk, address, &run);

		count(&tlb->counts.walks, 1);
		count(&tlb->counts.entries, walk.entries);
		if (code != PL_RG_FAULT_NONE)
			return fault(tlb, code, address, access);
		count(&tlb->counts.fills, 1);
		at = run_add(tlb, run, address);
	}
	tlb->newest = at;
	*slot = tlb->runs[at];
	tlb->near[(address >> PL_MMU_NEAR_SHIFT) % PL_MMU_NEAR] = *slot;
	if (!(slot->rights & RIGHT(access)))
		return fault(tlb, PL_RG_FAULT_READ_ONLY, address, access);
	return slot;
}
