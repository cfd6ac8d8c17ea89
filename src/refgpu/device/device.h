/*
 * The reference GPU as its embedder sees it: configuration space, BARs, interrupts.  The embedder is the CUDA driver in
 * the same process, or a virtual machine's monitor.  What comes through registers, tables and rings is hostile: it may
 * kill the channel that it belongs to, and nothing else.
 *
 * All calls from any thread, until destroy.  regs.h has the registers; stats.h the counters.
 */
#ifndef PL_REFGPU_DEVICE_DEVICE_H
#define PL_REFGPU_DEVICE_DEVICE_H

#include "refgpu/device/compute.h"
#include "refgpu/device/stats.h"

#define PL_RG_VRAM_BYTES_MIN (16ull << 20)
#define PL_RG_VRAM_BYTES_MAX (1ull << 40)
#define PL_RG_SMS_MAX        256u

struct pl_rg; /* a device */

/* Called by engine threads and by whoever accesses a register.  No member is NULL. */
struct pl_rg_host_ops {
	/* Host memory of system memory at a bus address.  Does not call back.  Sets *bytes_out, 1..bytes, to how much
	 * of it lies there in one piece.  Called seldom: what it gives is kept and used until the driver flushes the
	 * TLB, so it has to stay mapped until then.  Return: NULL = no such memory (faults the channel). */
	void *(*dma_map)(void *arg, uint64_t bus, uint64_t bytes, bool write, uint64_t *bytes_out);
	/* MSI-X enabled: vector 0..PL_RG_VECTORS-1 is signalled, level is true.  Else: vector PL_RG_VECTOR_LINE, and
	 * the level of the line has changed.  May access registers; no lock is held. */
	void (*interrupt)(void *arg, uint32_t vector, bool level);
	/* ns, monotonic: device time of a device with the host clock.  Does not call back. */
	uint64_t (*now)(void *arg);
};

enum pl_rg_clock {
	PL_RG_CLOCK_HOST,
	/* Time moves by fixed costs, and engines run within the doorbell's write, on the caller's thread, until nothing
	 * can go on: a driver of one thread sees the same each time.  A channel that waits for memory which the CPU has
	 * changed is looked at again at any doorbell or read of BAR0. */
	PL_RG_CLOCK_VIRTUAL,
};

struct pl_rg_config {
	uint64_t vram_bytes; /* multiple of 1 MiB */
	uint64_t bar1_bytes; /* power of two, 16 MiB or more; 0: as large as VRAM needs */
	bool vram_shared;    /* memfd, which others can map; else private memory in huge pages */
	uint32_t sm_count;
	enum pl_rg_clock clock;
	uint32_t virtual_instruction_ps; /* costs with the virtual clock; 0: the default */
	uint32_t virtual_byte_ps, virtual_submission_ns;
	uint64_t watchdog_ns;                    /* what the register holds after reset; 0: none */
	const struct pl_rg_compute_ops *compute; /* NULL: a device that refuses launches */
	const struct pl_rg_host_ops *host;
	void *host_arg;
	_Atomic uint64_t *busy_ns; /* the engines' time in submissions is added here too; NULL: it is not */
};

/** pl_rg_create() - make a device, in its reset state
 * @config: copied; what its pointers point at stays
 * Return: 0, or fatal -EINVAL / -ENOMEM / -errno of memfd_create(), mmap(), pthread_create() or the compute engine. */
int pl_rg_create(struct pl_rg **rg_out, const struct pl_rg_config *config);
/* Stops what runs.  NULL is fine.  The caller's threads have left the other calls. */
void pl_rg_destroy(struct pl_rg *rg);

/* PCI configuration space, 256 bytes; bytes: 1, 2 or 4, aligned. */
uint32_t pl_rg_pci_read(struct pl_rg *rg, uint32_t offset, uint32_t bytes);
void pl_rg_pci_write(struct pl_rg *rg, uint32_t offset, uint32_t bytes, uint32_t value);

/* BAR 0 (registers, 4 bytes), 1 and 3 (apertures; 1, 2, 4 or 8), aligned.  What is out of range, or not translated,
 * reads all ones and writes nothing, and counts.  A doorbell is a write of PL_RG_USER_RING_PUT in the user area of
 * BAR 1. */
uint64_t pl_rg_bar_read(struct pl_rg *rg, uint32_t bar, uint64_t offset, uint32_t bytes);
void pl_rg_bar_write(struct pl_rg *rg, uint32_t bar, uint64_t offset, uint32_t bytes, uint64_t value);
uint64_t pl_rg_bar_bytes(const struct pl_rg *rg, uint32_t bar);

enum {
	PL_RG_OK,
	PL_RG_E_TRAPS,   /* has to go through pl_rg_bar_read() and pl_rg_bar_write() */
	PL_RG_E_NO_PAGE, /* not translated now */
};

/** pl_rg_bar_map() - the memory that an aperture shows at an offset, as a driver maps a BAR
 * @bytes_out: how much lies there in one piece, up to the end of the aperture or the user area
 * Good until the page tables below change and are flushed.
 * Return: PL_RG_OK, PL_RG_E_TRAPS (BAR 0, user area), PL_RG_E_NO_PAGE. */
int pl_rg_bar_map(struct pl_rg *rg, uint32_t bar, uint64_t offset, void **host_out, uint64_t *bytes_out);

/* Of vram_shared, borrowed; else -1. */
int pl_rg_vram_fd(const struct pl_rg *rg);

/* Device time, ns, as register PL_RG_TIME_LOW has it. */
uint64_t pl_rg_now(struct pl_rg *rg);

#endif
