#include "client/cuda/ring.h"

#include <errno.h>
#include <string.h>

#include "base/wait.h"
#include "client/cuda/carry.h"

#define LOOK_NS (100u * 1000000u) /* how often a wait looks whether the session is lost */

static struct {
	pthread_mutex_t lock;
	struct pl_cuda_ring_own idle[PL_CUDA_RINGS_MAX]; /* under lock, here and below */
	uint32_t idle_count, count;
} rings = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Called with the lock held. */
static bool idle_take(const struct pl_session *session, struct pl_cuda_ring_own *own)
{
	for (uint32_t i = rings.idle_count; i--;) {
		if (rings.idle[i].session != session)
			continue;
		*own = rings.idle[i];
		rings.idle[i] = rings.idle[--rings.idle_count];
		return true;
	}
	return false;
}

/* Called with the lock held. */
static bool ring_create(struct pl_session *session, struct pl_cuda_ring_own *own)
{
	uint64_t at;

	if (rings.count == PL_CUDA_RINGS_MAX)
		return false;
	at = pl_arena_alloc(&session->arena, PL_CUDA_RING_BYTES);
	if (at == PL_ARENA_NONE)
		return false;
	*own = (struct pl_cuda_ring_own){ .session = session,
					  .ring = (struct pl_cuda_ring *)(session->arena.base + at),
					  .name = at + 1 };
	memset(own->ring, 0, sizeof(*own->ring));
	rings.count++;
	return true;
}

bool pl_cuda_ring_take(struct pl_session *session, struct pl_cuda_ring_own *own)
{
	bool taken;

	/* No futex reaches the other side of a guest; and what a ring had before may come behind what a carrier makes.
	 */
	if (!session->shares_memory || session->in_region || pl_cuda_carries())
		return false;
	pthread_mutex_lock(&rings.lock);
	taken = idle_take(session, own) || ring_create(session, own);
	pthread_mutex_unlock(&rings.lock);
	return taken;
}

void pl_cuda_ring_give(const struct pl_cuda_ring_own *own)
{
	pthread_mutex_lock(&rings.lock);
	rings.idle[rings.idle_count++] = *own;
	pthread_mutex_unlock(&rings.lock);
}

struct until {
	_Atomic uint32_t *word;
	uint32_t count;
};

static bool reached(void *arg)
{
	const struct until *until = arg;

	return (int32_t)(atomic_load_explicit(until->word, memory_order_acquire) - until->count) >= 0;
}

static int wait_for(struct pl_session *session, struct pl_wait *wait, struct until *until, _Atomic uint32_t *sleeper)
{
	while (!pl_wait_until(wait, sleeper, reached, until, LOOK_NS))
		if (atomic_load_explicit(&session->dead, memory_order_relaxed))
			return -EPIPE;
	return 0;
}

static uint64_t block_of(uint64_t left)
{
	return left < PL_CUDA_RING_BLOCK_BYTES ? left : PL_CUDA_RING_BLOCK_BYTES;
}

int pl_cuda_ring_fill(struct pl_session *session, struct pl_cuda_ring_own *own, const void *data, uint64_t bytes)
{
	struct pl_cuda_ring *ring = own->ring;
	struct pl_wait wait = { 0 };
	int r = 0;

	for (uint64_t at = 0; !r && at < bytes; at += PL_CUDA_RING_BLOCK_BYTES) {
		struct until until = { &ring->taken, own->index - PL_CUDA_RING_BLOCKS + 1 };

		r = wait_for(session, &wait, &until, &ring->taken_sleeper);
		if (r)
			break;
		memcpy(pl_cuda_ring_block(ring, own->index), (const uint8_t *)data + at, block_of(bytes - at));
		atomic_store_explicit(&ring->made, ++own->index, memory_order_release);
		pl_wake_if(&ring->made_sleeper);
	}
	return r;
}

int pl_cuda_ring_empty(struct pl_session *session, struct pl_cuda_ring_own *own, void *data, uint64_t bytes)
{
	struct pl_cuda_ring *ring = own->ring;
	struct pl_wait wait = { 0 };
	int r = 0;

	for (uint64_t at = 0; !r && at < bytes; at += PL_CUDA_RING_BLOCK_BYTES) {
		struct until until = { &ring->made, own->index + 1 };

		r = wait_for(session, &wait, &until, &ring->made_sleeper);
		if (r)
			break;
		memcpy((uint8_t *)data + at, pl_cuda_ring_block(ring, own->index), block_of(bytes - at));
		atomic_store_explicit(&ring->taken, ++own->index, memory_order_release);
		pl_wake_if(&ring->taken_sleeper);
	}
	return r;
}
