/*
 * Counters of a device.  The same numbers stand in the register window PL_RG_COUNTERS: counter i is the 64-bit word i.
 * Only added to; a number keeps its meaning for ever.
 */
#ifndef PL_REFGPU_DEVICE_STATS_H
#define PL_REFGPU_DEVICE_STATS_H

#include <stdint.h>

/* X(name, what) */
#define PL_RG_COUNTERS_LIST(X)                                                                                         \
	X(tlb_hits, "translations by the first level")                                                                 \
	X(tlb_refills, "translations by the second level")                                                             \
	X(tlb_walks, "table walks")                                                                                    \
	X(tlb_entries, "table entries read")                                                                           \
	X(tlb_fills, "walks that found a page")                                                                        \
	X(tlb_flushes, "flushes that a TLB has seen")                                                                  \
	X(flush_requests, "flushes asked for, by register or method")                                                  \
	X(reads_master, "reads of identity, interrupt and reset registers")                                            \
	X(writes_master, "writes of them")                                                                             \
	X(reads_fifo, "reads of runlist, fault and kill registers")                                                    \
	X(writes_fifo, "writes of them")                                                                               \
	X(reads_channel, "reads of the channel table")                                                                 \
	X(writes_channel, "writes of it")                                                                              \
	X(reads_mmu, "reads of TLB and aperture registers")                                                            \
	X(writes_mmu, "writes of them")                                                                                \
	X(reads_engine, "reads of engine, timer, size and watchdog registers")                                         \
	X(writes_engine, "writes of them")                                                                             \
	X(reads_window, "reads of VRAM through the BAR0 window")                                                       \
	X(writes_window, "writes of it")                                                                               \
	X(reads_counter, "reads of counters")                                                                          \
	X(writes_counter, "writes of them")                                                                            \
	X(reads_vector, "reads of the MSI-X table")                                                                    \
	X(writes_vector, "writes of it")                                                                               \
	X(reads_unknown, "reads of registers that do not exist")                                                       \
	X(writes_unknown, "writes of them")                                                                            \
	X(reads_bar1, "reads of BAR1 that trapped")                                                                    \
	X(writes_bar1, "writes of it")                                                                                 \
	X(reads_bar3, "reads of BAR3 that trapped")                                                                    \
	X(writes_bar3, "writes of it")                                                                                 \
	X(bar_faults, "accesses of an aperture that were not translated")                                              \
	X(reads_pci, "reads of configuration space")                                                                   \
	X(writes_pci, "writes of it")                                                                                  \
	X(doorbells, "doorbells")                                                                                      \
	X(submissions_compute, "ring entries done by the compute engine")                                              \
	X(submissions_copy1, "by copy engine 1")                                                                       \
	X(submissions_copy2, "by copy engine 2")                                                                       \
	X(methods, "methods done")                                                                                     \
	X(launches, "kernel launches")                                                                                 \
	X(blocks, "blocks of them")                                                                                    \
	X(warps, "warps of them")                                                                                      \
	X(instructions, "warp instructions of them")                                                                   \
	X(launch_bytes_read, "bytes of global memory read by kernels")                                                 \
	X(launch_bytes_written, "bytes of global memory written by kernels")                                           \
	X(copies, "copy methods")                                                                                      \
	X(copy_bytes, "bytes copied")                                                                                  \
	X(fills, "fill methods")                                                                                       \
	X(fill_bytes, "bytes filled")                                                                                  \
	X(releases, "semaphore releases")                                                                              \
	X(acquires, "semaphore acquires")                                                                              \
	X(acquire_waits, "acquires that put their channel aside")                                                      \
	X(acquire_looks, "looks at a semaphore that a channel waits for")                                              \
	X(interrupts, "interrupts signalled")                                                                          \
	X(faults, "channels that faulted")                                                                             \
	X(faults_lost, "fault records that found the queue full")                                                      \
	X(kills, "channels killed")                                                                                    \
	X(wakes, "engines woken by a system call")                                                                     \
	X(busy_compute_ns, "time in submissions, compute engine")                                                      \
	X(busy_copy1_ns, "copy engine 1")                                                                              \
	X(busy_copy2_ns, "copy engine 2")

#define PL_RG_STATS_MEMBER(name, what) uint64_t name;
struct pl_rg_stats {
	PL_RG_COUNTERS_LIST(PL_RG_STATS_MEMBER)
};

#define PL_RG_COUNTER_COUNT (sizeof(struct pl_rg_stats) / sizeof(uint64_t))

struct pl_rg;
/* A snapshot: each counter is whole, all together are of about the same time. */
void pl_rg_stats(struct pl_rg *rg, struct pl_rg_stats *stats_out);
/* Of counter i < PL_RG_COUNTER_COUNT: its name, and what it counts. */
const char *pl_rg_counter_name(uint32_t i);
const char *pl_rg_counter_what(uint32_t i);

#endif
