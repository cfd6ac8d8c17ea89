/*
 * Address translation of the reference GPU.  An address space is what an instance block says: page tables in guest
 * memory, which somebody may rewrite at any time.  Each engine thread has a TLB of its own; an entry is used until it
 * is flushed, whatever the tables say by then.  An entry is a run: pages whose host memory is contiguous and whose
 * rights are the same, up to PL_MMU_RUN_BYTES_MAX, so that one compare covers a warp's access and 32-bit offsets a
 * gather's.
 *
 * A TLB belongs to one thread.  Between pl_mmu_tlb_enter() and pl_mmu_tlb_leave() that thread may translate, and calls
 * pl_mmu_tlb_sync() at least every some 10 us of work: a flush is done only when all TLBs that are entered have seen
 * it.
 */
#ifndef PL_REFGPU_DEVICE_MMU_H
#define PL_REFGPU_DEVICE_MMU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "refgpu/device/fault.h"

#define PL_MMU_PAGE_BYTES    4096u
#define PL_MMU_LARGE_BYTES   (128u << 10)
#define PL_MMU_RUN_BYTES_MAX (1ull << 31) /* an offset into a run fits a signed 32-bit vector index */

#define PL_MMU_SLOT_SHIFT    18   /* a slot is chosen by the address in units of 256 KiB */
#define PL_MMU_SLOTS         128u /* first level: direct, copies of runs */
#define PL_MMU_NEAR_SHIFT    14   /* the same in units of 16 KiB, for small allocations that are neighbours: */
#define PL_MMU_NEAR          128u /* looked at where the slot has another run */
#define PL_MMU_RUNS          64u  /* second level: any run of any space, oldest replaced first */
#define PL_MMU_SPACES_MAX    520u /* one per channel and the apertures' */

struct pl_mmu_run {
	uint64_t begin;  /* first address */
	uint64_t bytes;  /* 0 = none */
	uint8_t *host;   /* of `begin` */
	uint32_t rights; /* bit 1 << enum pl_rg_access */
	uint32_t system; /* 1 = system memory, 0 = VRAM */
};

struct pl_mmu_counts {            /* written by the TLB's thread alone, read by anybody */
	_Atomic uint64_t hits;    /* first level; up to the last leave or flush */
	_Atomic uint64_t refills; /* first level missed, second level had it */
	_Atomic uint64_t walks;   /* both missed */
	_Atomic uint64_t entries; /* table entries read */
	_Atomic uint64_t fills;   /* walks that found a page */
	_Atomic uint64_t flushes; /* flushes seen */
};

struct pl_mmu;
struct pl_mmu_space;

struct pl_mmu_tlb {
	struct pl_mmu_run slots[PL_MMU_SLOTS];
	struct pl_mmu_run near[PL_MMU_NEAR];
	uint64_t hits;            /* since counts.hits */
	struct pl_rg_fault fault; /* code, access and address of the translation that failed last */
	struct pl_mmu *mmu;
	struct pl_mmu_space *space; /* of the last enter; NULL before the first */
	uint64_t space_id;          /* whose runs the slots hold */
	uint64_t seen;              /* flush generation */
	bool supervisor;            /* may use supervisor pages */
	uint32_t newest, oldest;    /* in runs[]: used last, replaced next */
	struct pl_mmu_run runs[PL_MMU_RUNS];
	uint64_t run_space[PL_MMU_RUNS]; /* id of the space of each */
	_Atomic uint64_t acked;          /* generation; UINT64_MAX = not entered: nothing stale can be used */
	struct pl_mmu_counts counts;
	struct pl_mmu_tlb *next; /* under mmu->lock */
};

/* The flush generation that all TLBs of a device compare with. */
struct pl_mmu_generation {
	_Alignas(64) _Atomic uint64_t value;
};

/* -- for engines ------------------------------------------------------------------------------------------------- */

/* A TLB of that device, empty and not entered.  A kernel's is not a supervisor.  tlb: zeroed or not; mmu keeps it until
 * fini, which takes a zeroed one too. */
void pl_mmu_tlb_init(struct pl_mmu_tlb *tlb, struct pl_mmu *mmu, bool supervisor);
void pl_mmu_tlb_fini(struct pl_mmu_tlb *tlb);

/* Translations are of `space` from here on.  What is cached of it from before is still used.  Not nested. */
void pl_mmu_tlb_enter(struct pl_mmu_tlb *tlb, struct pl_mmu_space *space);
void pl_mmu_tlb_leave(struct pl_mmu_tlb *tlb);

/* The slow way of the functions below: looks in the second level, then walks the tables.  Return: NULL = fault, which
 * is in tlb->fault. */
const struct pl_mmu_run *pl_mmu_miss(struct pl_mmu_tlb *tlb, uint64_t address, enum pl_rg_access access);
bool pl_mmu_tlb_flushed(struct pl_mmu_tlb *tlb);

static inline const struct pl_mmu_generation *pl_mmu_generation(const struct pl_mmu_tlb *tlb)
{
	return (const struct pl_mmu_generation *)(const void *)tlb->mmu; /* its first member */
}

/* Sees flushes.  Return: true = this TLB's space was flushed: pointers from before are stale, and so is whatever was
 * decoded from memory.  Two loads and a compare when nothing happened. */
static inline bool pl_mmu_tlb_sync(struct pl_mmu_tlb *tlb)
{
	if (__builtin_expect(atomic_load_explicit(&pl_mmu_generation(tlb)->value, memory_order_acquire) == tlb->seen,
			     1))
		return false;
	return pl_mmu_tlb_flushed(tlb);
}

static inline bool pl_mmu_run_serves(const struct pl_mmu_run *run, uint64_t address, enum pl_rg_access access)
{
	return address - run->begin < run->bytes && (run->rights >> access & 1);
}

/* The run of `address` where the first level has it.  NULL: perhaps a fault, perhaps not; ask pl_mmu_run_at(). */
static inline const struct pl_mmu_run *pl_mmu_run_cached(struct pl_mmu_tlb *tlb, uint64_t address,
							 enum pl_rg_access access)
{
	const struct pl_mmu_run *run = &tlb->slots[(address >> PL_MMU_SLOT_SHIFT) % PL_MMU_SLOTS];

	if (__builtin_expect(!pl_mmu_run_serves(run, address, access), 0)) {
		run = &tlb->near[(address >> PL_MMU_NEAR_SHIFT) % PL_MMU_NEAR];
		if (!pl_mmu_run_serves(run, address, access))
			return NULL;
	}
	tlb->hits++;
	return run;
}

/* The run in which `address` lies, with that right; valid until the next call for this TLB.  NULL: tlb->fault.
 * Host address: run->host + (address - run->begin); from there run->bytes - (address - run->begin) bytes are good. */
static inline const struct pl_mmu_run *pl_mmu_run_at(struct pl_mmu_tlb *tlb, uint64_t address, enum pl_rg_access access)
{
	const struct pl_mmu_run *run = pl_mmu_run_cached(tlb, address, access);

	return __builtin_expect(run != NULL, 1) ? run : pl_mmu_miss(tlb, address, access);
}

/* Host memory of `address` and how many bytes follow there; NULL: tlb->fault.  A naturally aligned access of up to 4096
 * bytes never needs more than there are; who needs more looks at room_out and goes on with another call. */
static inline void *pl_mmu_at(struct pl_mmu_tlb *tlb, uint64_t address, enum pl_rg_access access, uint64_t *room_out)
{
	const struct pl_mmu_run *run = pl_mmu_run_at(tlb, address, access);

	if (__builtin_expect(!run, 0))
		return NULL;
	*room_out = run->bytes - (address - run->begin);
	return run->host + (address - run->begin);
}

/* -- for the device ---------------------------------------------------------------------------------------------- */

enum pl_mmu_kind {
	PL_MMU_F2, /* profile F, directory: 40 bits */
	PL_MMU_F3, /* profile F, root above the directories: 48 bits */
	PL_MMU_G,  /* profile G: 31 bits */
};

/* Host memory behind a bus address, as struct pl_rg_host_ops has it (device.h). */
typedef void *(*pl_mmu_dma_fn)(void *arg, uint64_t bus, uint64_t bytes, bool write, uint64_t *bytes_out);

struct pl_mmu_root { /* what makes a space: two with the same root share what is cached */
	enum pl_mmu_kind kind;
	bool system;      /* the directory lies in system memory (G only) */
	uint64_t address; /* of the directory or root */
};

/** pl_mmu_create() - page tables and TLBs of one device
 * @vram, @vram_bytes: borrowed
 * Return: 0, or -ENOMEM. */
int pl_mmu_create(struct pl_mmu **mmu_out, uint8_t *vram, uint64_t vram_bytes, pl_mmu_dma_fn dma, void *dma_arg);
void pl_mmu_destroy(struct pl_mmu *mmu); /* NULL is fine; no TLB is left */

/** pl_mmu_space_ref() - the space of that root
 * @limit: last good address
 * Return: 0, or -ENOSPC (more than PL_MMU_SPACES_MAX in use). */
int pl_mmu_space_ref(struct pl_mmu_space **space_out, struct pl_mmu *mmu, const struct pl_mmu_root *root,
		     uint64_t limit);
void pl_mmu_space_unref(struct pl_mmu_space *space); /* NULL is fine */

/* Asks all TLBs to drop what they hold of the spaces with that directory (or of all).  Any thread; does not wait. */
void pl_mmu_flush(struct pl_mmu *mmu, uint64_t directory);
void pl_mmu_flush_all(struct pl_mmu *mmu);
bool pl_mmu_flush_done(struct pl_mmu *mmu); /* no TLB uses what was flushed any more */

/* Sum over all TLBs that there are and were. */
struct pl_mmu_stats {
	uint64_t hits, refills, walks, entries, fills, flushes;
};
void pl_mmu_stats(struct pl_mmu *mmu, struct pl_mmu_stats *stats_out);

#endif
