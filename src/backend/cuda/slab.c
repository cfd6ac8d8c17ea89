#include "backend/cuda/slab.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/cuda/swap.h"
#include "base/err.h"

#define KIND_SMALL 1u         /* session->smalls: by address, struct pl_cuda_slab; `extra` is how many units it has */
#define NOWHERE    UINT32_MAX /* no unit */

struct pl_cuda_slab {
	struct pl_cuda_slab *next;
	struct pl_cuda_movable *movable;
	uint32_t units, used;
	uint32_t misses; /* so many units in a row were looked for in vain since some were given back */
	uint64_t taken[];
};

/* ---- units ---- */

static bool is_taken(const struct pl_cuda_slab *slab, uint32_t at)
{
	return slab->taken[at / 64] >> at % 64 & 1;
}

static void units_set(struct pl_cuda_slab *slab, uint32_t first, uint32_t count, bool taken)
{
	for (uint32_t at = first; at < first + count; at++) {
		if (taken)
			slab->taken[at / 64] |= 1ull << at % 64;
		else
			slab->taken[at / 64] &= ~(1ull << at % 64);
	}
	slab->used = taken ? slab->used + count : slab->used - count;
	if (!taken)
		slab->misses = UINT32_MAX;
}

/* Return: the first of so many free ones; NOWHERE. */
static uint32_t units_find(struct pl_cuda_slab *slab, uint32_t count)
{
	uint32_t run = 0;

	if (count >= slab->misses || count > slab->units - slab->used)
		return NOWHERE;
	for (uint32_t at = 0; at < slab->units; at++) {
		if (!(at % 64) && slab->taken[at / 64] == UINT64_MAX) {
			run = 0;
			at += 63;
			continue;
		}
		run = is_taken(slab, at) ? 0 : run + 1;
		if (run == count)
			return at + 1 - count;
	}
	slab->misses = count;
	return NOWHERE;
}

static uint32_t units_of(uint64_t bytes)
{
	return (uint32_t)((bytes + PL_CUDA_SLAB_UNIT - 1) / PL_CUDA_SLAB_UNIT);
}

/* ---- slabs ---- */

/* At the list's end: older ones fill up first, so that newer ones become empty. */
static struct pl_cuda_slab *slab_enter(struct pl_cuda_session *session, struct pl_cuda_movable *movable)
{
	const uint32_t units = (uint32_t)(movable->bytes / PL_CUDA_SLAB_UNIT);
	struct pl_cuda_slab *slab = calloc(1, sizeof(*slab) + (units + 63) / 64 * sizeof(slab->taken[0]));
	struct pl_cuda_slab **end = &session->slabs;

	if (!slab)
		return NULL;
	*slab = (struct pl_cuda_slab){ .movable = movable, .units = units, .misses = UINT32_MAX };
	movable->slab = slab;
	while (*end)
		end = &(*end)->next;
	*end = slab;
	return slab;
}

static int32_t slab_make(struct pl_serve *serve, struct pl_cuda_slab **slab_out)
{
	struct pl_cuda_movable *movable;
	int32_t status = pl_cuda_movable_make(serve, PL_CUDA_MOVABLE_MIN, &movable);

	if (status)
		return status;
	*slab_out = slab_enter(pl_cuda_session_of(serve), movable);
	if (*slab_out)
		return CUDA_SUCCESS;
	pl_cuda_movable_drop(pl_cuda_session_of(serve), movable);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

static void slab_end(struct pl_cuda_session *session, struct pl_cuda_slab *slab)
{
	struct pl_cuda_slab **at = &session->slabs;

	while (*at != slab)
		at = &(*at)->next;
	*at = slab->next;
	pl_cuda_movable_drop(session, slab->movable);
	free(slab);
}

/* Slabs of one context, 0 = of any, that have no allocation. */
static bool empty_end(struct pl_cuda_session *session, uint64_t context)
{
	struct pl_cuda_slab *slab = session->slabs, *next;
	bool any = false;

	for (; slab; slab = next) {
		next = slab->next;
		if (slab->used || (context && slab->movable->context_id != context))
			continue;
		slab_end(session, slab);
		any = true;
	}
	return any;
}

bool pl_cuda_slabs_trim(struct pl_cuda_session *session)
{
	return empty_end(session, 0);
}

void pl_cuda_slabs_context_left(struct pl_cuda_session *session, uint64_t context)
{
	if (context)
		(void)empty_end(session, context);
}

/* ---- allocations ---- */

static struct pl_cuda_slab *room_find(struct pl_cuda_session *session, CUcontext context, uint32_t count,
				      uint32_t *first_out)
{
	struct pl_cuda_slab *slab = session->slabs;

	for (; slab; slab = slab->next) {
		if (slab->movable->context != context || slab->movable->context_id != pl_cuda_current)
			continue;
		*first_out = units_find(slab, count);
		if (*first_out != NOWHERE)
			break;
	}
	return slab;
}

static CUdeviceptr unit_address(const struct pl_cuda_slab *slab, uint32_t at)
{
	return slab->movable->address + (uint64_t)at * PL_CUDA_SLAB_UNIT;
}

static int small_enter(struct pl_cuda_session *session, struct pl_cuda_slab *slab, uint32_t first, uint32_t count)
{
	int r = pl_handles_put(&session->smalls, unit_address(slab, first), KIND_SMALL, slab, 0,
			       (void *)(uintptr_t)count);

	if (!r)
		units_set(slab, first, count, true);
	return r;
}

int32_t pl_cuda_slab_alloc(struct pl_serve *serve, uint64_t bytes, CUdeviceptr *address_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	const uint32_t count = units_of(bytes);
	struct pl_cuda_slab *slab;
	CUcontext context;
	uint32_t first;
	int32_t status = (int32_t)pl_cuda.cuCtxGetCurrent(&context);

	if (status)
		return status;
	slab = room_find(session, context, count, &first);
	if (!slab) {
		first = 0;
		status = slab_make(serve, &slab);
	}
	if (status)
		return status;
	if (small_enter(session, slab, first, count))
		return CUDA_ERROR_OUT_OF_MEMORY;
	*address_out = unit_address(slab, first);
	return CUDA_SUCCESS;
}

struct pl_cuda_movable *pl_cuda_slab_of(struct pl_cuda_session *session, CUdeviceptr address)
{
	struct pl_handle small;

	return pl_handles_get(&session->smalls, address, KIND_SMALL, &small)
		       ? ((struct pl_cuda_slab *)small.object)->movable
		       : NULL;
}

static bool has_other_empty(const struct pl_cuda_session *session, const struct pl_cuda_slab *than)
{
	const struct pl_cuda_slab *slab = session->slabs;

	while (slab && (slab == than || slab->used || slab->movable->context_id != than->movable->context_id))
		slab = slab->next;
	return slab;
}

/* A slab that is empty stays while there is no other, so that who allocates and frees in turn makes none each time. */
bool pl_cuda_slab_forget(struct pl_cuda_session *session, CUdeviceptr address)
{
	struct pl_cuda_slab *slab;
	struct pl_handle small;

	if (!pl_handles_take(&session->smalls, address, KIND_SMALL, &small))
		return false;
	slab = small.object;
	units_set(slab, (uint32_t)((address - slab->movable->address) / PL_CUDA_SLAB_UNIT),
		  (uint32_t)(uintptr_t)small.extra, false);
	if (!slab->used && has_other_empty(session, slab))
		slab_end(session, slab);
	return true;
}

/* ---- restoring ---- */

int pl_cuda_slab_restore(struct pl_cuda_session *session, struct pl_cuda_movable *movable)
{
	return slab_enter(session, movable) ? 0 : pl_err(-ENOMEM);
}

static bool units_free(const struct pl_cuda_slab *slab, uint32_t first, uint32_t count)
{
	while (count && !is_taken(slab, first)) {
		first++;
		count--;
	}
	return !count;
}

int pl_cuda_slab_restore_small(struct pl_cuda_session *session, CUdeviceptr address, uint64_t bytes)
{
	struct pl_cuda_slab *slab = session->slabs;
	uint64_t offset;

	while (slab && address - slab->movable->address >= slab->movable->bytes)
		slab = slab->next;
	if (!slab)
		return pl_err(-EPROTO);
	offset = address - slab->movable->address;
	if (offset % PL_CUDA_SLAB_UNIT || !bytes || bytes > slab->movable->bytes - offset ||
	    !units_free(slab, (uint32_t)(offset / PL_CUDA_SLAB_UNIT), units_of(bytes)))
		return pl_err(-EPROTO);
	if (small_enter(session, slab, (uint32_t)(offset / PL_CUDA_SLAB_UNIT), units_of(bytes)))
		return pl_err(-ENOMEM);
	return 0;
}
