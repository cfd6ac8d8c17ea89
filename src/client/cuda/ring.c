#include "client/cuda/ring.h"

#include <errno.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/wait.h"
#include "client/cuda/carry.h"

#define LOOK_NS    (100u * 1000000u) /* how often a wait looks whether the session is lost */
#define BLOCK_STEP (64u << 10)
#define PAST_MIN   (8u << 20) /* of a copy from which on its end would push its beginning out of the cache */

static struct {
	pthread_mutex_t lock;
	struct pl_cuda_ring_own idle[PL_CUDA_RINGS_MAX]; /* under lock, here and below */
	uint32_t idle_count, count;
} rings = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Called with the lock held. */
static bool idle_take(const struct pl_session *session, bool waits, struct pl_cuda_ring_own *own)
{
	for (uint32_t i = rings.idle_count; i--;) {
		if (rings.idle[i].session != session || rings.idle[i].waited_for != waits)
			continue;
		*own = rings.idle[i];
		rings.idle[i] = rings.idle[--rings.idle_count];
		return true;
	}
	return false;
}

/* Called with the lock held. */
static bool ring_create(struct pl_session *session, bool waits, struct pl_cuda_ring_own *own)
{
	uint64_t at;

	if (rings.count == PL_CUDA_RINGS_MAX)
		return false;
	at = pl_arena_alloc(&session->arena, PL_CUDA_RING_BYTES);
	if (at == PL_ARENA_NONE)
		return false;
	*own = (struct pl_cuda_ring_own){ .session = session,
					  .ring = (struct pl_cuda_ring *)(session->arena.base + at),
					  .at = at,
					  .waited_for = waits };
	memset(own->ring, 0, sizeof(*own->ring));
	rings.count++;
	return true;
}

/* Four of a copy that fills no more, so that one side works while the other does. */
static uint32_t block_choose(uint64_t bytes)
{
	uint64_t block = (bytes / PL_CUDA_RING_BLOCKS + BLOCK_STEP - 1) / BLOCK_STEP * BLOCK_STEP;

	return (uint32_t)(block < PL_CUDA_RING_BLOCK_BYTES ? block : PL_CUDA_RING_BLOCK_BYTES);
}

uint64_t pl_cuda_ring_name(const struct pl_cuda_ring_own *own)
{
	return own->at + 1 + own->block / PL_CUDA_RING_PAGE_BYTES;
}

bool pl_cuda_ring_take(struct pl_session *session, bool waits, uint64_t bytes, struct pl_cuda_ring_own *own)
{
	bool taken;

	/* No futex reaches the other side of a guest; and what a ring had before may come behind what a carrier makes.
	 */
	if (!session->shares_memory || session->in_region || pl_cuda_carries())
		return false;
	pthread_mutex_lock(&rings.lock);
	taken = idle_take(session, waits, own) || ring_create(session, waits, own);
	pthread_mutex_unlock(&rings.lock);
	own->block = block_choose(bytes);
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

static uint64_t block_of(const struct pl_cuda_ring_own *own, uint64_t left)
{
	return left < own->block ? left : own->block;
}

int pl_cuda_ring_fill(struct pl_session *session, struct pl_cuda_ring_own *own, const void *data, uint64_t bytes)
{
	struct pl_cuda_ring *ring = own->ring;
	struct pl_wait wait = { 0 };
	int r = 0;

	for (uint64_t at = 0; !r && at < bytes; at += own->block) {
		struct until until = { &ring->taken, own->index - PL_CUDA_RING_BLOCKS + 1 };

		r = wait_for(session, &wait, &until, &ring->taken_sleeper);
		if (r)
			break;
		memcpy(pl_cuda_ring_block(ring, own->index), (const uint8_t *)data + at, block_of(own, bytes - at));
		atomic_store_explicit(&ring->made, ++own->index, memory_order_release);
		pl_wake_if(&ring->made_sleeper);
	}
	return r;
}

/* Without reading what is written over: half of a plain copy's traffic to memory that is not in the cache. */
static void copy_past_cache(uint8_t *to, const uint8_t *from, size_t bytes)
{
#ifdef __SSE2__
	size_t head = -(uintptr_t)to % 64, at;

	memcpy(to, from, head < bytes ? head : bytes);
	for (at = head; at + 64 <= bytes; at += 64)
		for (size_t i = 0; i < 64; i += 16)
			_mm_stream_si128((__m128i *)(void *)(to + at + i),
					 _mm_loadu_si128((const __m128i *)(const void *)(from + at + i)));
	_mm_sfence();
	if (at < bytes)
		memcpy(to + at, from + at, bytes - at);
#else
	memcpy(to, from, bytes);
#endif
}

int pl_cuda_ring_empty(struct pl_session *session, struct pl_cuda_ring_own *own, void *data, uint64_t bytes)
{
	struct pl_cuda_ring *ring = own->ring;
	struct pl_wait wait = { 0 };
	const uint8_t *block;
	int r = 0;

	for (uint64_t at = 0; !r && at < bytes; at += own->block) {
		struct until until = { &ring->made, own->index + 1 };

		r = wait_for(session, &wait, &until, &ring->made_sleeper);
		if (r)
			break;
		block = pl_cuda_ring_block(ring, own->index);
		if (bytes < PAST_MIN)
			memcpy((uint8_t *)data + at, block, block_of(own, bytes - at));
		else
			copy_past_cache((uint8_t *)data + at, block, block_of(own, bytes - at));
		atomic_store_explicit(&ring->taken, ++own->index, memory_order_release);
		pl_wake_if(&ring->taken_sleeper);
	}
	return r;
}
