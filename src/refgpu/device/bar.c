/* BAR 1 and 3: VRAM as the CPU sees it, linear or through page tables; the user area of BAR 1 has the doorbells. */
#include <stdlib.h>

#include "base/err.h"
#include "refgpu/device/rg.h"

#define USER_AREA_BYTES ((uint64_t)PL_RG_CHANNELS * PL_RG_USER_BYTES)

static const uint64_t bar3_bytes = PL_RG_BAR3_BYTES;

static uint64_t bar1_bytes(const struct pl_rg_config *config)
{
	uint64_t bytes = PL_RG_VRAM_BYTES_MIN;

	while (bytes < config->vram_bytes)
		bytes *= 2;
	return config->bar1_bytes ? config->bar1_bytes : bytes;
}

int pl_rg_apertures_init(struct pl_rg *rg)
{
	for (uint32_t i = 0; i < PL_RG_APERTURES; i++) {
		struct pl_rg_aperture *aperture = &rg->apertures[i];
		pthread_mutex_init(&aperture->lock, NULL);
		pl_mmu_tlb_init(&aperture->tlb, rg->mmu, true);
		aperture->bytes = i ? bar3_bytes : bar1_bytes(&rg->config);
	}
	return 0;
}

void pl_rg_apertures_fini(struct pl_rg *rg)
{
	for (uint32_t i = 0; i < PL_RG_APERTURES; i++) {
		struct pl_rg_aperture *aperture = &rg->apertures[i];
		pl_mmu_tlb_fini(&aperture->tlb);
		pl_mmu_space_unref(aperture->space);
		pthread_mutex_destroy(&aperture->lock);
	}
}

uint64_t pl_rg_bar_bytes(const struct pl_rg *rg, uint32_t bar)
{
	if (bar == 0)
		return PL_RG_BAR0_BYTES;
	return bar == 1 ? rg->apertures[0].bytes : bar == 3 ? rg->apertures[1].bytes : 0;
}

uint32_t pl_rg_aperture_get(struct pl_rg *rg, uint32_t which)
{
	struct pl_rg_aperture *aperture = &rg->apertures[which];
	uint32_t value;

	pthread_mutex_lock(&aperture->lock);
	value = aperture->value;
	pthread_mutex_unlock(&aperture->lock);
	return value;
}

void pl_rg_aperture_set(struct pl_rg *rg, uint32_t which, uint32_t value)
{
	struct pl_rg_aperture *aperture = &rg->apertures[which];
	struct pl_rg_instance instance;
	uint32_t fault;

	pthread_mutex_lock(&aperture->lock);
	pl_mmu_space_unref(aperture->space);
	aperture->space = NULL;
	aperture->value = value;
	atomic_store(&aperture->on, value & PL_RG_APERTURE_ON);
	if (value & PL_RG_APERTURE_ON) {
		fault = pl_rg_instance_load(rg, (uint64_t)(value & 0x0fffffffu) << 12, &instance);
		if (fault == PL_RG_FAULT_NONE &&
		    pl_mmu_space_ref(&aperture->space, rg->mmu, &instance.root, instance.limit))
			aperture->space = NULL;
	}
	pthread_mutex_unlock(&aperture->lock);
}

/* The memory that an aperture shows; NULL = none. */
static uint8_t *aperture_at(struct pl_rg *rg, uint32_t which, uint64_t offset, enum pl_rg_access access,
			    uint64_t *room_out)
{
	struct pl_rg_aperture *aperture = &rg->apertures[which];
	uint8_t *host = NULL;

	if (!atomic_load_explicit(&aperture->on, memory_order_acquire)) {
		if (offset >= rg->config.vram_bytes)
			return NULL;
		*room_out = rg->config.vram_bytes - offset;
		return rg->vram + offset;
	}
	pthread_mutex_lock(&aperture->lock);
	if (aperture->space) {
		pl_mmu_tlb_enter(&aperture->tlb, aperture->space);
		host = pl_mmu_at(&aperture->tlb, offset, access, room_out);
		pl_mmu_tlb_leave(&aperture->tlb);
	}
	pthread_mutex_unlock(&aperture->lock);
	return host;
}

static uint64_t memory_load(const uint8_t *at, uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return __atomic_load_n(at, __ATOMIC_ACQUIRE);
	case 2:
		return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
	case 4:
		return __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
	default:
		return __atomic_load_n((const uint64_t *)(const void *)at, __ATOMIC_ACQUIRE);
	}
}

static void memory_store(uint8_t *at, uint32_t bytes, uint64_t value)
{
	switch (bytes) {
	case 1:
		__atomic_store_n(at, (uint8_t)value, __ATOMIC_RELEASE);
		break;
	case 2:
		__atomic_store_n((uint16_t *)(void *)at, (uint16_t)value, __ATOMIC_RELEASE);
		break;
	case 4:
		__atomic_store_n((uint32_t *)(void *)at, (uint32_t)value, __ATOMIC_RELEASE);
		break;
	default:
		__atomic_store_n((uint64_t *)(void *)at, value, __ATOMIC_RELEASE);
	}
}

static bool is_good(const struct pl_rg *rg, uint32_t bar, uint64_t offset, uint32_t bytes)
{
	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return false;
	if (bar == 0 && bytes != 4)
		return false;
	return offset % bytes == 0 && offset < pl_rg_bar_bytes(rg, bar);
}

uint64_t pl_rg_bar_read(struct pl_rg *rg, uint32_t bar, uint64_t offset, uint32_t bytes)
{
	uint64_t room, value = UINT64_MAX;
	const uint8_t *host = NULL;

	if (bar == 1 || bar == 3)
		pl_rg_count(rg, bar == 1 ? PL_RG_C_reads_bar1 : PL_RG_C_reads_bar3, 1);
	if (!is_good(rg, bar, offset, bytes)) {
		pl_rg_count(rg, bar ? PL_RG_C_bar_faults : PL_RG_C_reads_unknown, 1);
	} else if (bar == 0) {
		value = pl_rg_bar0_read(rg, (uint32_t)offset);
	} else {
		host = aperture_at(rg, bar == 3, offset, PL_RG_READ, &room);
		if (host)
			value = memory_load(host, bytes);
		else
			pl_rg_count(rg, PL_RG_C_bar_faults, 1);
	}
	return bytes < 8 ? value & ((1ull << 8 * bytes) - 1) : value;
}

/* Offset within the user area; UINT64_MAX = outside. */
static uint64_t user_offset(struct pl_rg *rg, uint32_t bar, uint64_t offset)
{
	uint32_t area = atomic_load_explicit(&rg->user_area, memory_order_acquire);
	uint64_t begin = (uint64_t)(area & (PL_RG_USER_AREA_ON - 1)) << 12;

	if (bar != 1 || !(area & PL_RG_USER_AREA_ON) || offset < begin || offset - begin >= USER_AREA_BYTES)
		return UINT64_MAX;
	return offset - begin;
}

static void aperture_write(struct pl_rg *rg, uint32_t bar, uint64_t offset, uint32_t bytes, uint64_t value)
{
	uint64_t user = user_offset(rg, bar, offset), room;
	uint8_t *host = aperture_at(rg, bar == 3, offset, PL_RG_WRITE, &room);

	if (!host) {
		pl_rg_count(rg, PL_RG_C_bar_faults, 1);
		return;
	}
	memory_store(host, bytes, value);
	if (user == UINT64_MAX || user % PL_RG_USER_BYTES != PL_RG_USER_RING_PUT)
		return;
	pl_rg_channel_doorbell(rg, (uint32_t)(user / PL_RG_USER_BYTES));
	if (pl_rg_virtual(rg))
		pl_rg_pump(rg);
}

void pl_rg_bar_write(struct pl_rg *rg, uint32_t bar, uint64_t offset, uint32_t bytes, uint64_t value)
{
	if (bar == 1 || bar == 3)
		pl_rg_count(rg, bar == 1 ? PL_RG_C_writes_bar1 : PL_RG_C_writes_bar3, 1);
	if (!is_good(rg, bar, offset, bytes))
		pl_rg_count(rg, bar ? PL_RG_C_bar_faults : PL_RG_C_writes_unknown, 1);
	else if (bar == 0)
		pl_rg_bar0_write(rg, (uint32_t)offset, (uint32_t)value);
	else
		aperture_write(rg, bar, offset, bytes, value);
}

int pl_rg_bar_map(struct pl_rg *rg, uint32_t bar, uint64_t offset, void **host_out, uint64_t *bytes_out)
{
	uint32_t area = atomic_load_explicit(&rg->user_area, memory_order_acquire);
	uint64_t begin = (uint64_t)(area & (PL_RG_USER_AREA_ON - 1)) << 12, room, left;
	uint8_t *host;

	if ((bar != 1 && bar != 3) || user_offset(rg, bar, offset) != UINT64_MAX)
		return PL_RG_E_TRAPS;
	if (offset >= pl_rg_bar_bytes(rg, bar))
		return PL_RG_E_NO_PAGE;
	host = aperture_at(rg, bar == 3, offset, PL_RG_READ, &room);
	if (!host)
		return PL_RG_E_NO_PAGE;
	left = pl_rg_bar_bytes(rg, bar) - offset;
	if (bar == 1 && area & PL_RG_USER_AREA_ON && begin > offset && begin - offset < left)
		left = begin - offset;
	*host_out = host;
	*bytes_out = room < left ? room : left;
	return PL_RG_OK;
}
