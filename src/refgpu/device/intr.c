/* Interrupts: a vector is signalled when its pending bit rises while it is enabled; MSI-X may hold it back. */
#include "refgpu/device/rg.h"

#define ALL ((1u << PL_RG_VECTORS) - 1)

void pl_rg_intr_init(struct pl_rg_intr *intr)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&intr->line_lock, &attr);
	pthread_mutexattr_destroy(&attr);
	pthread_mutex_init(&intr->lock, NULL);
	for (uint32_t i = 0; i < PL_RG_VECTORS; i++)
		intr->table[i][3] = 1;
}

void pl_rg_intr_fini(struct pl_rg_intr *intr)
{
	pthread_mutex_destroy(&intr->line_lock);
	pthread_mutex_destroy(&intr->lock);
}

/* Called with intr->lock held.  Return: vectors of `rising` that go out now; the others are kept back. */
static uint32_t vectors_pass(struct pl_rg_intr *intr, uint32_t rising)
{
	uint32_t out = 0;

	if (!intr->msix)
		return 0;
	intr->table_pending |= rising;
	for (uint32_t i = 0; i < PL_RG_VECTORS && !intr->masked; i++) {
		if (intr->table_pending >> i & 1 && !(intr->table[i][3] & 1))
			out |= 1u << i;
	}
	intr->table_pending &= ~out;
	return out;
}

static void line_tell(struct pl_rg *rg)
{
	struct pl_rg_intr *intr = &rg->intr;
	bool level;

	pthread_mutex_lock(&intr->line_lock); /* the embedder hears of levels in the order in which they changed */
	pthread_mutex_lock(&intr->lock);
	level = !intr->msix && !intr->line_off && intr->pending & intr->enable;
	pthread_mutex_unlock(&intr->lock);
	if (level != intr->line_told) {
		intr->line_told = level;
		if (level)
			pl_rg_count(rg, PL_RG_C_interrupts, 1);
		rg->config.host->interrupt(rg->config.host_arg, PL_RG_VECTOR_LINE, level);
	}
	pthread_mutex_unlock(&intr->line_lock);
}

static void vectors_tell(struct pl_rg *rg, uint32_t vectors)
{
	for (uint32_t i = 0; i < PL_RG_VECTORS; i++) {
		if (!(vectors >> i & 1))
			continue;
		pl_rg_count(rg, PL_RG_C_interrupts, 1);
		rg->config.host->interrupt(rg->config.host_arg, i, true);
	}
}

/* Sets and clears pending bits, and the enable register; tells the embedder what comes of it. */
static void change(struct pl_rg *rg, uint32_t set, uint32_t clear, const uint32_t *enable)
{
	struct pl_rg_intr *intr = &rg->intr;
	uint32_t before, vectors;
	bool msix;

	pthread_mutex_lock(&intr->lock);
	before = intr->pending & intr->enable;
	intr->pending = (intr->pending & ~clear) | set;
	if (enable)
		intr->enable = *enable & ALL;
	vectors = vectors_pass(intr, intr->pending & intr->enable & ~before);
	msix = intr->msix;
	pthread_mutex_unlock(&intr->lock);
	vectors_tell(rg, vectors);
	if (!msix)
		line_tell(rg);
}

void pl_rg_intr_raise(struct pl_rg *rg, uint32_t vector)
{
	change(rg, 1u << vector, 0, NULL);
}

uint32_t pl_rg_intr_get(struct pl_rg *rg, uint32_t offset)
{
	uint32_t value;

	pthread_mutex_lock(&rg->intr.lock);
	value = offset == PL_RG_INTR ? rg->intr.pending : rg->intr.enable;
	pthread_mutex_unlock(&rg->intr.lock);
	return value;
}

void pl_rg_intr_set(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	if (offset == PL_RG_INTR)
		change(rg, 0, value, NULL);
	else
		change(rg, 0, 0, &value);
}

void pl_rg_intr_mode(struct pl_rg *rg, bool msix, bool masked, bool line_off)
{
	struct pl_rg_intr *intr = &rg->intr;
	uint32_t vectors;

	pthread_mutex_lock(&intr->lock);
	intr->msix = msix;
	intr->masked = masked;
	intr->line_off = line_off;
	vectors = vectors_pass(intr, 0);
	pthread_mutex_unlock(&intr->lock);
	vectors_tell(rg, vectors);
	line_tell(rg);
}

bool pl_rg_msix_read(struct pl_rg *rg, uint32_t offset, uint32_t *value_out)
{
	struct pl_rg_intr *intr = &rg->intr;
	uint32_t word = (offset - PL_RG_MSIX_TABLE) / 4;

	if (word >= PL_RG_VECTORS * 4 && offset != PL_RG_MSIX_PENDING)
		return false;
	pthread_mutex_lock(&intr->lock);
	*value_out = offset == PL_RG_MSIX_PENDING ? intr->table_pending : intr->table[word / 4][word % 4];
	pthread_mutex_unlock(&intr->lock);
	return true;
}

bool pl_rg_msix_write(struct pl_rg *rg, uint32_t offset, uint32_t value)
{
	struct pl_rg_intr *intr = &rg->intr;
	uint32_t word = (offset - PL_RG_MSIX_TABLE) / 4, vectors;

	if (word >= PL_RG_VECTORS * 4)
		return offset == PL_RG_MSIX_PENDING; /* read-only */
	pthread_mutex_lock(&intr->lock);
	intr->table[word / 4][word % 4] = word % 4 == 3 ? value & 1 : value;
	vectors = vectors_pass(intr, 0);
	pthread_mutex_unlock(&intr->lock);
	vectors_tell(rg, vectors);
	return true;
}
