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

#define KEY_SHIFT      32
#define HOLDS_MASK     0xffffffffull
#define HELD_KEPT      32u /* by one call, without memory of their own */
#define HELD_LOOK      3u  /* the last ones, which may be the one that is wanted */

struct slot {
	_Atomic(void *) object;
	_Atomic uint64_t state; /* generation << 48 | type << 32 | how often calls hold it */
	void (*free_object)(void *object);
	uint32_t next;
};

static struct {
	pthread_mutex_t lock;
	_Atomic(struct slot *) chunk[CHUNKS];
	uint32_t used, free_n, free_first, free_last; /* under lock */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct held {
	uint32_t calls, n, room;
	uint32_t kept[HELD_KEPT], *more;
};

static __thread struct held held_here; /* what the thread's calls hold, by slot; its address costs a call */

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

static uint32_t key_of(uint64_t state)
{
	return (uint32_t)(state >> KEY_SHIFT);
}

uint64_t pl_cuda_handle_create(unsigned int type, void *object)
{
	uint64_t handle = 0;
	struct slot *slot;
	uint32_t index;
	pthread_mutex_lock(&table.lock);
	slot = slot_take(&index);
	if (slot) {
		uint64_t gen = ((key_of(atomic_load(&slot->state)) >> 16) + 1) & GEN_MASK;
		if (!gen)
			gen = 1;
		atomic_store(&slot->object, object);
		atomic_store(&slot->state, (gen << 16 | type) << KEY_SHIFT);
		handle = MARK << MARK_SHIFT | gen << GEN_SHIFT | (uint64_t)index << SLOT_SHIFT;
	}
	pthread_mutex_unlock(&table.lock);
	return handle;
}

static uint32_t index_of(uint64_t handle)
{
	return (uint32_t)(handle >> SLOT_SHIFT & SLOT_MASK);
}

static struct slot *slot_of(uint64_t handle)
{
	if (handle >> MARK_SHIFT != MARK || handle & 0xf)
		return NULL;
	return slot_at(index_of(handle));
}

static uint32_t key_wanted(uint64_t handle, unsigned int type)
{
	return (uint32_t)((handle >> GEN_SHIFT & GEN_MASK) << 16 | type);
}

/* Called with the lock held: nobody knows it or holds it. */
static void slot_give(struct slot *slot, uint32_t index)
{
	atomic_store(&slot->object, NULL);
	if (table.free_n)
		slot_at(table.free_last)->next = index;
	else
		table.free_first = index;
	table.free_last = index;
	table.free_n++;
}

bool pl_cuda_handle_retire(uint64_t handle, void (*free_object)(void *object))
{
	struct slot *slot = slot_of(handle);
	bool was, last = false;
	void *object = NULL;
	uint32_t key;
	if (!slot)
		return false;
	pthread_mutex_lock(&table.lock);
	key = key_of(atomic_load(&slot->state));
	was = key >> 16 == (handle >> GEN_SHIFT & GEN_MASK) && (key & 0xffff) != PL_CUDA_HANDLE_FREE;
	if (was) {
		slot->free_object = free_object;
		object = atomic_load(&slot->object);
		last = !(atomic_fetch_and(&slot->state, ~(0xffffull << KEY_SHIFT)) & HOLDS_MASK);
	}
	if (last)
		slot_give(slot, index_of(handle));
	pthread_mutex_unlock(&table.lock);
	if (last && free_object)
		free_object(object);
	return was;
}

void pl_cuda_handle_destroy(uint64_t handle)
{
	(void)pl_cuda_handle_retire(handle, NULL);
}

void *pl_cuda_handle_find(uint64_t handle, unsigned int type)
{
	struct slot *slot = slot_of(handle);
	uint32_t want = key_wanted(handle, type);
	void *object;
	if (!slot || key_of(atomic_load_explicit(&slot->state, memory_order_acquire)) != want)
		return NULL;
	object = atomic_load_explicit(&slot->object, memory_order_acquire);
	return key_of(atomic_load_explicit(&slot->state, memory_order_acquire)) == want ? object : NULL;
}

unsigned int pl_cuda_handle_type(uint64_t handle)
{
	struct slot *slot = slot_of(handle);
	uint32_t key = slot ? key_of(atomic_load(&slot->state)) : 0;
	return key >> 16 == (handle >> GEN_SHIFT & GEN_MASK) ? (key & 0xffff) : PL_CUDA_HANDLE_FREE;
}

/* -- what calls hold ----------------------------------------------------------------------------------------------- */

static uint32_t *held_at(struct held *held, uint32_t i)
{
	return i < HELD_KEPT ? &held->kept[i] : &held->more[i - HELD_KEPT];
}

static bool held_room(struct held *held)
{
	uint32_t room = held->room ? 2 * held->room : HELD_KEPT;
	uint32_t *more;
	if (held->n < HELD_KEPT + held->room)
		return true;
	more = realloc(held->more, room * sizeof(*more));
	if (!more)
		return false;
	held->more = more;
	held->room = room;
	return true;
}

/* A call looks the same up again soon: its context, mostly. */
static bool held_lately(struct held *held, uint32_t index)
{
	for (uint32_t i = 1; i <= HELD_LOOK && i <= held->n; i++)
		if (*held_at(held, held->n - i) == index)
			return true;
	return false;
}

void *pl_cuda_handle_hold(uint64_t handle, unsigned int type)
{
	struct held *held = &held_here;
	struct slot *slot = slot_of(handle);
	uint64_t state = slot ? atomic_load_explicit(&slot->state, memory_order_acquire) : 0;
	if (!held->calls)
		return pl_cuda_handle_find(handle, type);
	if (!slot || !held_room(held))
		return NULL;
	if (key_of(state) == key_wanted(handle, type) && held_lately(held, index_of(handle)))
		return atomic_load_explicit(&slot->object, memory_order_acquire);
	do {
		if (key_of(state) != key_wanted(handle, type))
			return NULL;
	} while (!atomic_compare_exchange_weak(&slot->state, &state, state + 1));
	*held_at(held, held->n++) = index_of(handle);
	return atomic_load_explicit(&slot->object, memory_order_acquire);
}

/* The last who holds what was retired frees it. */
static void slot_drop(uint32_t index)
{
	struct slot *slot = slot_at(index);
	uint64_t state = atomic_fetch_sub(&slot->state, 1);
	void (*free_object)(void *object);
	void *object;
	if ((state & HOLDS_MASK) != 1 || (key_of(state) & 0xffff) != PL_CUDA_HANDLE_FREE)
		return;
	pthread_mutex_lock(&table.lock);
	free_object = slot->free_object;
	object = atomic_load(&slot->object);
	slot_give(slot, index);
	pthread_mutex_unlock(&table.lock);
	if (free_object)
		free_object(object);
}

uint32_t pl_cuda_call_begin(void)
{
	struct held *held = &held_here;
	held->calls++;
	return held->n;
}

void pl_cuda_call_end(uint32_t mark)
{
	struct held *held = &held_here;
	while (held->n > mark)
		slot_drop(*held_at(held, --held->n)); /* which may hold others, and drop them */
	held->calls--;
	if (!held->calls && held->room) {
		free(held->more);
		held->more = NULL;
		held->room = 0;
	}
}
