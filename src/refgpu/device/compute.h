/*
 * What the device needs of a compute engine.  src/refgpu/compute implements it; who makes a device hands it in
 * (struct pl_rg_config), and tests hand in one of their own.  create() and destroy() are called once a device, launch()
 * by one thread at a time.
 */
#ifndef PL_REFGPU_DEVICE_COMPUTE_H
#define PL_REFGPU_DEVICE_COMPUTE_H

#include "refgpu/device/mmu.h"

struct pl_rg_compute;

struct pl_rg_compute_config {
	struct pl_mmu *mmu; /* the engine makes a TLB of it for each of its threads */
	uint32_t sm_count;
};

struct pl_rg_launch {
	struct pl_mmu_space *space;
	uint64_t descriptor; /* address of the launch descriptor, in `space` */
	uint32_t channel;
	/* Looked at at least every 100 us or so by each thread of the engine: not 0 = give up, and return
	 * PL_RG_FAULT_KILLED or what the flag holds: it is an enum pl_rg_fault_code then. */
	const _Atomic uint32_t *stop;
	/* Virtual clock: after so many warp instructions (over all SMs) PL_RG_FAULT_WATCHDOG; 0 = no limit. */
	uint64_t instructions_max;
	uint64_t begin_ns;              /* device time at the start */
	uint32_t instruction_ps;        /* virtual clock: what a warp instruction takes; 0 = host clock */
	uint64_t (*now)(void *now_arg); /* device time in host clock mode, ns; any thread */
	void *now_arg;
};

/* Device time within a launch, for kernels that ask; `instructions`: executed so far, used with the virtual clock. */
static inline uint64_t pl_rg_launch_now(const struct pl_rg_launch *launch, uint64_t instructions)
{
	if (launch->instruction_ps)
		return launch->begin_ns + instructions * launch->instruction_ps / 1000;
	return launch->now(launch->now_arg);
}

struct pl_rg_launch_result {
	struct pl_rg_fault fault; /* code PL_RG_FAULT_NONE: all went well.  Of several, the first */
	uint64_t instructions;    /* of warps */
	uint64_t blocks, warps;
	uint64_t bytes_read, bytes_written; /* global memory, as the lanes asked */
};

struct pl_rg_compute_ops {
	/* Return: 0, or fatal -ENOMEM / -errno. */
	int (*create)(struct pl_rg_compute **compute_out, const struct pl_rg_compute_config *config);
	void (*destroy)(struct pl_rg_compute *compute); /* NULL is fine; no launch runs */
	/* Runs a grid to its end; all its stores are visible to any thread that sees this call return.  Descriptor,
	 * code and arguments are hostile.  result_out is zeroed but for its fault code NONE. */
	void (*launch)(struct pl_rg_compute *compute, const struct pl_rg_launch *launch,
		       struct pl_rg_launch_result *result_out);
};

#endif
