#include "client/cuda/reach.h"

#include <string.h>

#include "base/log.h"
#include "client/cuda/later.h"
#include "client/cuda/mark.h"
#include "client/cuda/mirrored.h"

_Atomic uint32_t pl_cuda_plains;

/* Wherever one was: what is not within is none. */
static _Atomic uint64_t lowest = UINT64_MAX, highest;

static struct {
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct pl_cuda_plain_use *uses; /* under lock, here and below */
	uint64_t address, bytes;        /* what becomes the device's just now; 0 bytes: nothing */
} state = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

void pl_cuda_plain_came(uint64_t address, uint64_t bytes)
{
	uint64_t low = atomic_load(&lowest), high = atomic_load(&highest);

	while (address < low && !atomic_compare_exchange_weak(&lowest, &low, address))
		continue;
	while (address + bytes > high && !atomic_compare_exchange_weak(&highest, &high, address + bytes))
		continue;
	atomic_fetch_add(&pl_cuda_plains, 1);
}

void pl_cuda_plain_went(void)
{
	atomic_fetch_sub(&pl_cuda_plains, 1);
}

/* ---- copies ---- */

static bool is_within(uint64_t at, uint64_t address, uint64_t bytes)
{
	return at - address < bytes;
}

/* Called with the lock held. */
static bool is_used(uint64_t address, uint64_t bytes)
{
	const struct pl_cuda_plain_use *use = state.uses;

	while (use && !is_within(use->address[0], address, bytes) && !is_within(use->address[1], address, bytes))
		use = use->next;
	return use;
}

static bool is_plain(uint64_t address)
{
	struct pl_cuda_memory memory;

	return address && pl_cuda_memory_find(address, &memory) && memory.plain;
}

void pl_cuda_plain_use_slow(struct pl_cuda_plain_use *use, const void *one, const void *other)
{
	use->address[0] = (uintptr_t)one;
	use->address[1] = (uintptr_t)other;
	pthread_mutex_lock(&state.lock);
	while (is_within(use->address[0], state.address, state.bytes) ||
	       is_within(use->address[1], state.address, state.bytes))
		pthread_cond_wait(&state.change, &state.lock);
	use->is_listed = is_plain(use->address[0]) || is_plain(use->address[1]);
	if (use->is_listed) {
		use->next = state.uses;
		state.uses = use;
	}
	pthread_mutex_unlock(&state.lock);
}

void pl_cuda_plain_done_slow(struct pl_cuda_plain_use *use)
{
	struct pl_cuda_plain_use **at = &state.uses;

	pthread_mutex_lock(&state.lock);
	while (*at != use)
		at = &(*at)->next;
	*at = use->next;
	pthread_cond_broadcast(&state.change);
	pthread_mutex_unlock(&state.lock);
}

/* ---- it becomes the device's ---- */

static void reached(struct pl_cuda_memory *memory, void *arg)
{
	const struct pl_cuda_memory *now = arg;

	memory->plain = false;
	memory->mirrored = now->mirrored;
	memory->device = now->device;
}

/* What can not be done now may be at another time; what can not be done at all is not tried again. */
static void reach(struct pl_cuda_memory *memory)
{
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_plHostPlace, &session);

	if (result || session != memory->session)
		return;
	if (pl_cuda_captures_none()) {
		pl_cuda_later_settle(session, memory->address, memory->bytes);
	} else if (pl_cuda_later_comes(memory->address, memory->bytes)) {
		pl_log_warn("a launch that is captured has the address of pinned memory at %#lx, to which a copy is "
			    "still on its way: the device does not reach it yet",
			    (unsigned long)memory->address);
		return;
	}
	result = pl_cuda_mirrored_adopt(session, memory);
	if (result)
		pl_log_warn("a device is given the address of pinned memory at %#lx, which it does not reach: error %d",
			    (unsigned long)memory->address, (int)result);
	pl_cuda_memory_change(memory, reached, memory);
}

/* Called with the lock held, and lets go of it meanwhile. */
static void reach_alone(struct pl_cuda_memory *memory)
{
	state.address = memory->address;
	state.bytes = memory->bytes;
	while (is_used(memory->address, memory->bytes))
		pthread_cond_wait(&state.change, &state.lock);
	pthread_mutex_unlock(&state.lock);
	reach(memory);
	pthread_mutex_lock(&state.lock);
	state.bytes = 0;
	pthread_cond_broadcast(&state.change);
}

void pl_cuda_reach_slow(CUdeviceptr address)
{
	struct pl_cuda_memory memory;

	if (address < atomic_load_explicit(&lowest, memory_order_relaxed) ||
	    address >= atomic_load_explicit(&highest, memory_order_relaxed))
		return;
	pthread_mutex_lock(&state.lock);
	while (state.bytes)
		pthread_cond_wait(&state.change, &state.lock);
	if (pl_cuda_memory_find(address, &memory) && memory.plain)
		reach_alone(&memory);
	pthread_mutex_unlock(&state.lock);
}

void pl_cuda_reach_all_slow(const uint8_t *args, uint64_t bytes)
{
	uint64_t word;

	for (uint64_t at = 0; at + sizeof(word) <= bytes; at += sizeof(word)) {
		memcpy(&word, args + at, sizeof(word));
		pl_cuda_reach_slow(word);
	}
}
