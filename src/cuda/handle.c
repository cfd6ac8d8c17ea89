#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cuda/handle.h"

/* A handle: 0101 | generation (16 bits) | slot (24 bits) | 0000, so that it looks like an address and no address of a
 * program looks like it. */
#define MARK           0x5ull
#define MARK_SHIFT     44
#define GEN_SHIFT      28
#define GEN_MASK       0xffffull
#define SLOT_SHIFT     4
#define SLOT_MASK      0xffffffull
#define CHUNK_SLOTS    4096u
#define CHUNKS         (PL_CUDA_HANDLES_MAX / CHUNK_SLOTS)
#define SLOTS_KEPT_MIN 1024u /* freed slots that rest before the first is used again */

struct slot {
	_Atomic(void *) object;
	atomic_uint key; /* generation << 16 | type */
	uint32_t next;
};

static struct {
	pthread_mutex_t lock;
	_Atomic(struct slot *) chunk[CHUNKS];
	uint32_t used, free_n, free_first, free_last; /* under lock */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct slot *slot_at(uint32_t index)
{
	struct slot *chunk = atomic_load_explicit(&table.chunk[index / CHUNK_SLOTS], memory_order_acquire);
	return chunk ? &chunk[index % CHUNK_SLOTS] : NULL;
}

/* Called with the lock held. */
static struct slot *slot_take(uint32_t *index_out)
{
	struct slot *slot;
	if (table.free_n > SLOTS_KEPT_MIN || (table.free_n && table.used == PL_CUDA_HANDLES_MAX)) {
		*index_out = table.free_first;
		slot = slot_at(table.free_first);
		table.free_first = slot->next;
		table.free_n--;
		return slot;
	}
	if (table.used == PL_CUDA_HANDLES_MAX)
		return NULL;
	if (!slot_at(table.used)) {
		struct slot *chunk = calloc(CHUNK_SLOTS, sizeof(*chunk));
		if (!chunk)
			return NULL;
		atomic_store_explicit(&table.chunk[table.used / CHUNK_SLOTS], chunk, memory_order_release);
	}
	*index_out = table.used++;
	return slot_at(*index_out);
}

uint64_t pl_cuda_handle_create(unsigned int type, void *object)
{
	uint64_t handle = 0;
	struct slot *slot;
	uint32_t index;
	pthread_mutex_lock(&table.lock);
	slot = slot_take(&index);
	if (slot) {
		uint64_t gen = ((atomic_load(&slot->key) >> 16) + 1) & GEN_MASK;
		if (!gen)
			gen = 1;
		atomic_store(&slot->object, object);
		atomic_store(&slot->key, (unsigned int)(gen << 16 | type));
		handle = MARK << MARK_SHIFT | gen << GEN_SHIFT | (uint64_t)index << SLOT_SHIFT;
	}
	pthread_mutex_unlock(&table.lock);
	return handle;
}

static struct slot *slot_of(uint64_t handle)
{
	if (handle >> MARK_SHIFT != MARK || handle & 0xf)
		return NULL;
	return slot_at((uint32_t)(handle >> SLOT_SHIFT & SLOT_MASK));
}

void pl_cuda_handle_destroy(uint64_t handle)
{
	struct slot *slot = slot_of(handle);
	unsigned int key;
	if (!slot)
		return;
	pthread_mutex_lock(&table.lock);
	key = atomic_load(&slot->key);
	if (key >> 16 == (handle >> GEN_SHIFT & GEN_MASK) && (key & 0xffff) != PL_CUDA_HANDLE_FREE) {
		uint32_t index = (uint32_t)(handle >> SLOT_SHIFT & SLOT_MASK);
		atomic_store(&slot->key, key & ~0xffffu);
		atomic_store(&slot->object, NULL);
		if (table.free_n)
			slot_at(table.free_last)->next = index;
		else
			table.free_first = index;
		table.free_last = index;
		table.free_n++;
	}
	pthread_mutex_unlock(&table.lock);
}

void *pl_cuda_handle_find(uint64_t handle, unsigned int type)
{
	struct slot *slot = slot_of(handle);
	unsigned int want = (unsigned int)((handle >> GEN_SHIFT & GEN_MASK) << 16 | type);
	void *object;
	if (!slot || atomic_load_explicit(&slot->key, memory_order_acquire) != want)
		return NULL;
	object = atomic_load_explicit(&slot->object, memory_order_acquire);
	return atomic_load_explicit(&slot->key, memory_order_acquire) == want ? object : NULL;
}

unsigned int pl_cuda_handle_type(uint64_t handle)
{
	struct slot *slot = slot_of(handle);
	unsigned int key = slot ? atomic_load(&slot->key) : 0;
	return key >> 16 == (handle >> GEN_SHIFT & GEN_MASK) ? (key & 0xffff) : PL_CUDA_HANDLE_FREE;
}
