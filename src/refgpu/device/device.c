#include "refgpu/device/device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "refgpu/device/rg.h"

/* Costs with the virtual clock: near what a middling card takes. */
#define VIRTUAL_INSTRUCTION_PS 1000u
#define VIRTUAL_BYTE_PS        100u
#define VIRTUAL_SUBMISSION_NS  2000u

static bool config_is_good(const struct pl_rg_config *config)
{
	uint64_t bar1 = config->bar1_bytes;

	return config->vram_bytes >= PL_RG_VRAM_BYTES_MIN && config->vram_bytes <= PL_RG_VRAM_BYTES_MAX &&
	       config->vram_bytes % (1u << 20) == 0 && config->sm_count <= PL_RG_SMS_MAX &&
	       (!bar1 || (bar1 >= (16u << 20) && bar1 <= PL_RG_VRAM_BYTES_MAX && !(bar1 & (bar1 - 1)))) &&
	       config->host && config->clock <= PL_RG_CLOCK_VIRTUAL;
}

static int vram_make(struct pl_rg *rg)
{
	int flags = MAP_NORESERVE | (rg->config.vram_shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS);
	void *vram;

	if (rg->config.vram_shared) {
		rg->vram_fd = memfd_create("plenum-refgpu-vram", MFD_CLOEXEC);
		if (rg->vram_fd < 0 || ftruncate(rg->vram_fd, (off_t)rg->config.vram_bytes) < 0)
			return pl_err(-errno);
	}
	vram = mmap(NULL, rg->config.vram_bytes, PROT_READ | PROT_WRITE, flags, rg->vram_fd, 0);
	if (vram == MAP_FAILED)
		return pl_err(-errno);
	rg->vram = vram;
	madvise(rg->vram, rg->config.vram_bytes, MADV_HUGEPAGE); /* where the host has them */
	return 0;
}

static void locks_init(struct pl_rg *rg)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&rg->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&rg->watchdog.change, &attr);
	pthread_condattr_destroy(&attr);
	pl_rg_intr_init(&rg->intr);
}

static void rg_reset(struct pl_rg *rg)
{
	struct pl_rg_config *config = &rg->config;

	if (!config->virtual_instruction_ps)
		config->virtual_instruction_ps = VIRTUAL_INSTRUCTION_PS;
	if (!config->virtual_byte_ps)
		config->virtual_byte_ps = VIRTUAL_BYTE_PS;
	if (!config->virtual_submission_ns)
		config->virtual_submission_ns = VIRTUAL_SUBMISSION_NS;
	rg->enable = PL_RG_ENABLE_RESET;
	atomic_store(&rg->watchdog.limit_ns, config->watchdog_ns);
	for (uint32_t id = 0; id < PL_RG_CHANNELS; id++)
		rg->channels[id].id = id;
	pl_rg_pci_init(rg);
}

static int rg_start(struct pl_rg *rg)
{
	const struct pl_rg_config *config = &rg->config;
	struct pl_rg_compute_config compute = { .sm_count = config->sm_count };
	int r;

	r = vram_make(rg);
	if (r)
		return pl_trace(r);
	r = pl_mmu_create(&rg->mmu, rg->vram, config->vram_bytes, config->host->dma_map, config->host_arg);
	if (r)
		return pl_trace(r);
	r = pl_rg_apertures_init(rg);
	if (r)
		return pl_trace(r);
	rg_reset(rg);
	compute.mmu = rg->mmu;
	if (config->compute) {
		r = config->compute->create(&rg->compute, &compute);
		if (r)
			return pl_trace(r);
	}
	r = pl_rg_units_start(rg);
	if (r)
		return pl_trace(r);
	return pl_trace(pl_rg_watchdog_start(rg));
}

int pl_rg_create(struct pl_rg **rg_out, const struct pl_rg_config *config)
{
	struct pl_rg *rg;
	int r;

	if (!config_is_good(config))
		return pl_err(-EINVAL);
	rg = aligned_alloc(64, (sizeof(*rg) + 63) / 64 * 64);
	if (!rg)
		return pl_err(-ENOMEM);
	memset(rg, 0, sizeof(*rg));
	rg->config = *config;
	rg->vram_fd = -1;
	locks_init(rg);
	r = rg_start(rg);
	if (r) {
		pl_rg_destroy(rg);
		return pl_trace(r);
	}
	*rg_out = rg;
	return 0;
}

void pl_rg_destroy(struct pl_rg *rg)
{
	if (!rg)
		return;
	pl_rg_units_stop(rg);
	pl_rg_watchdog_stop(rg);
	if (rg->config.compute)
		rg->config.compute->destroy(rg->compute);
	pl_rg_channels_close(rg);
	if (rg->mmu)
		pl_rg_apertures_fini(rg);
	pl_mmu_destroy(rg->mmu);
	if (rg->vram)
		munmap(rg->vram, rg->config.vram_bytes);
	pl_closep(&rg->vram_fd);
	pl_rg_intr_fini(&rg->intr);
	pthread_cond_destroy(&rg->watchdog.change);
	pthread_mutex_destroy(&rg->lock);
	free(rg);
}

int pl_rg_vram_fd(const struct pl_rg *rg)
{
	return rg->vram_fd;
}
