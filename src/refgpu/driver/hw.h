/*
 * The driver's lowest layer: one device, driven through its registers and memory alone.  VRAM is handed out here, page
 * tables are written here, faults and interrupts arrive here.  One address space serves the whole process.
 *
 * Any thread.  Nothing here waits with a lock held but for a TLB flush, which takes microseconds.
 */
#ifndef PL_REFGPU_DRIVER_HW_H
#define PL_REFGPU_DRIVER_HW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/wait.h"
#include "refgpu/device/device.h"
#include "refgpu/device/regs.h"
#include "cuda/ranges.h"

#define PL_CU_PAGE            4096u
#define PL_CU_LARGE_PAGE      (128u << 10)
#define PL_CU_USER_AREA_BYTES (PL_RG_CHANNELS * PL_RG_USER_BYTES)
#define PL_CU_FOREVER         UINT64_MAX

struct pl_cu_vm {      /* shadow of the page tables; under hw->lock */
	uint64_t root; /* VRAM addresses, here and below */
	uint64_t directory[256];
	struct pl_cu_vm_tables {
		uint64_t small, large;
	} * tables[256]; /* of each directory: 8192 */
};

struct pl_cu_fault_record {
	struct pl_rg_fault fault;
	uint32_t channel, engine;
};

struct pl_cu_chan;
struct pl_cu_ctx;
struct pl_cu_usage;

struct pl_cu_waiter;
struct pl_cu_waiters { /* threads that wait for the device: hw-wait.c */
	struct pl_lock lock;
	struct pl_cu_waiter *first; /* under lock */
	_Atomic uint32_t count;
};

struct pl_cu_hw {
	struct pl_rg *rg;
	uint8_t *vram; /* through BAR1 */
	uint64_t vram_bytes, user_area, watchdog_ns;
	uint32_t sm_count;
	pthread_mutex_t lock;
	struct pl_cuda_space vram_space; /* under lock */
	struct pl_cu_vm vm;
	struct pl_cu_chan *channels[PL_RG_CHANNELS]; /* changed under lock and channels_lock, read under either */
	uint64_t runlists;                           /* VRAM address; one page per engine */
	pthread_mutex_t kill_lock;                   /* the register tells of the channel that was killed last */
	/* Interrupts take the next two: with a virtual clock they come from within any write to a register. */
	pthread_mutex_t channels_lock; /* held over no register */
	pthread_mutex_t fault_lock;    /* the fault queue's registers go together */
	pthread_mutex_t tlb_lock;      /* as do those of the TLB */
	struct pl_cu_usage *usage;     /* what others may know */
	struct pl_cu_waiters waiters;
	/* Called from an engine's thread when a channel of this context has died, no lock held. */
	void (*on_fault)(void *arg, const struct pl_cu_fault_record *record, struct pl_cu_ctx *owner);
	void *on_fault_arg;
};

struct pl_cu_hw_config {
	uint64_t vram_bytes;
	uint32_t sm_count;
	uint64_t watchdog_ns;
	bool virtual_clock;
};

/* Return: 0, or fatal -ENOMEM / -errno of pl_rg_create(). */
int pl_cu_hw_create(struct pl_cu_hw **hw_out, const struct pl_cu_hw_config *config);
void pl_cu_hw_destroy(struct pl_cu_hw *hw); /* NULL is fine; no channel is left */

/* A piece of VRAM.  An allocation is one, or several where VRAM is in pieces. */
struct pl_cu_extent {
	uint64_t address, bytes;
};
struct pl_cu_extents {
	struct pl_cu_extent *extent;
	uint32_t n;
};

/* `bytes` is a multiple of PL_CU_PAGE.  Return: 0, -ENOSPC (not logged), or -ENOMEM. */
int pl_cu_vram_take(struct pl_cu_hw *hw, uint64_t bytes, struct pl_cu_extents *extents_out);
/* Gives it back, to the host too. */
void pl_cu_vram_give(struct pl_cu_hw *hw, struct pl_cu_extents *extents);
uint64_t pl_cu_vram_free_bytes(struct pl_cu_hw *hw);

static inline void *pl_cu_vram_at(struct pl_cu_hw *hw, uint64_t address)
{
	return hw->vram + address;
}

/* Page tables; va, bytes, address and host are multiples of PL_CU_PAGE.  What is mapped there is replaced: then, and
 * where rights change, a flush has to follow.  Return: 0, or -ENOSPC where VRAM has no room for tables. */
int pl_cu_vm_map_vram(struct pl_cu_hw *hw, uint64_t va, uint64_t address, uint64_t bytes, bool read_only);
int pl_cu_vm_map_host(struct pl_cu_hw *hw, uint64_t va, void *host, uint64_t bytes, bool read_only);
/* Without the flush that has to follow. */
void pl_cu_vm_clear(struct pl_cu_hw *hw, uint64_t va, uint64_t bytes);
/* Unmaps and flushes: when it returns no engine reaches the memory any more. */
void pl_cu_vm_unmap(struct pl_cu_hw *hw, uint64_t va, uint64_t bytes);
void pl_cu_vm_flush(struct pl_cu_hw *hw);

/* System memory for the driver and the device, at the same address for both.  NULL: none left. */
void *pl_cu_sys_alloc(struct pl_cu_hw *hw, uint64_t bytes);
void pl_cu_sys_free(struct pl_cu_hw *hw, void *memory, uint64_t bytes);

static inline uint32_t pl_cu_reg_read(struct pl_cu_hw *hw, uint32_t offset)
{
	return (uint32_t)pl_rg_bar_read(hw->rg, 0, offset, 4);
}

static inline void pl_cu_reg_write(struct pl_cu_hw *hw, uint32_t offset, uint32_t value)
{
	pl_rg_bar_write(hw->rg, 0, offset, 4, value);
}

/* Waits until ready(arg), which is looked at whenever the device has done something: by the device's threads, too, so
 * that a thread is woken only when what it waits for is there.  It takes no lock that somebody holds who calls
 * pl_cu_hw_wake().  Return: true when ready. */
bool pl_cu_hw_wait(struct pl_cu_hw *hw, pl_wait_ready_fn ready, void *arg, uint64_t timeout_ns);
/* For who makes something ready that is not the device. */
void pl_cu_hw_wake(struct pl_cu_hw *hw);

#endif
