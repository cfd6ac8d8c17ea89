/*
 * Device memory that the program has freed and the driver has not: docs/adr/0014.  What cuMemFree() gave is taken again
 * once all that was sent before has ended (plSettle, which is only sent when memory is taken that may still be in use);
 * what cuMemFreeAsync() gave is taken again in the same stream, whose order is enough.
 */
#include <string.h>

#include "client/cuda/memory.h"

struct item {
	struct pl_cuda_memory memory;
	uint64_t stream; /* 0: of no stream */
	bool settled;    /* nothing that was sent before it was freed is under way */
	uint32_t pools;  /* how often devices had been given another pool when it was freed */
};

static _Atomic uint32_t pools_changed;

static struct {
	pthread_mutex_t lock;
	struct item items[PL_CUDA_LEASE_ITEMS_MAX]; /* under lock, here and below; oldest first */
	size_t count;
	uint64_t bytes;
} lease = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Called with the lock held. */
static void item_remove(size_t at)
{
	lease.bytes -= lease.items[at].memory.bytes;
	lease.count--;
	memmove(&lease.items[at], &lease.items[at + 1], (lease.count - at) * sizeof(lease.items[0]));
}

/* The driver's own free.  A stream may have ended, so what was freed in one waits for all that there is. */
static void give_back(const struct pl_cuda_memory *memory)
{
	struct pl_cuda_cuMemFree_v2_args args = { .address = memory->address };
	struct pl_session *session = memory->session;

	if (session == pl_cuda_session() || !pl_cuda_enter_context(PL_CUDA_OP_cuMemFree_v2, memory->context, &session))
		(void)PL_CUDA_POST(session, cuMemFree_v2, &args);
	pl_cuda_direct_give_back(memory->session, memory);
}

/* What is oldest makes room.  Called with the lock held. */
static void make_room(uint64_t bytes)
{
	while (lease.count &&
	       (lease.count == PL_CUDA_LEASE_ITEMS_MAX || lease.bytes + bytes > PL_CUDA_LEASE_BYTES_MAX)) {
		give_back(&lease.items[0].memory);
		item_remove(0);
	}
}

bool pl_cuda_lease_keep(const struct pl_cuda_memory *memory, uint64_t stream)
{
	bool keeps;

	if (memory->bytes > PL_CUDA_LEASE_BYTES_MAX || atomic_load(&pl_cuda_captures))
		return false;
	pthread_mutex_lock(&lease.lock);
	keeps = !atomic_load(&pl_cuda_captures); /* what is given back would end one that has begun since */
	if (keeps) {
		make_room(memory->bytes);
		lease.items[lease.count++] = (struct item){ .memory = *memory,
							    .stream = stream,
							    .settled = pl_session_is_idle(memory->session),
							    .pools = atomic_load(&pools_changed) };
		lease.bytes += memory->bytes;
	}
	pthread_mutex_unlock(&lease.lock);
	return keeps;
}

static bool item_fits(const struct item *item, const struct pl_cuda_memory *like, uint64_t stream)
{
	return item->memory.bytes == like->bytes && item->memory.context == like->context &&
	       item->memory.kind == like->kind && item->memory.pool == like->pool && item->stream == stream &&
	       (like->pool || like->kind != PL_CUDA_MEMORY_POOL || item->pools == atomic_load(&pools_changed));
}

void pl_cuda_lease_pool_changes(void)
{
	atomic_fetch_add(&pools_changed, 1);
}

/* Called with the lock held. */
static bool settle(struct pl_session *session, const struct pl_cuda_context *context)
{
	struct pl_cuda_plSettle_args args = { 0 };

	if (PL_CUDA_POST(session, plSettle, &args))
		return false;
	for (size_t i = 0; i < lease.count; i++)
		lease.items[i].settled |= lease.items[i].memory.context == context;
	return true;
}

bool pl_cuda_lease_take(struct pl_session *session, struct pl_cuda_memory *memory, uint64_t stream)
{
	size_t best = PL_CUDA_LEASE_ITEMS_MAX;
	bool taken = false;

	if (atomic_load(&pl_cuda_captures))
		return false;
	pthread_mutex_lock(&lease.lock);
	for (size_t i = 0; i < lease.count && !atomic_load(&pl_cuda_captures); i++) {
		if (!item_fits(&lease.items[i], memory, stream))
			continue;
		if (best == PL_CUDA_LEASE_ITEMS_MAX || lease.items[i].settled)
			best = i;
		if (lease.items[best].settled)
			break;
	}
	if (best < PL_CUDA_LEASE_ITEMS_MAX &&
	    (stream || lease.items[best].settled || settle(session, memory->context))) {
		memory->address = lease.items[best].memory.address;
		memory->store = lease.items[best].memory.store;
		item_remove(best);
		taken = true;
	}
	pthread_mutex_unlock(&lease.lock);
	return taken;
}

void pl_cuda_lease_pass(void)
{
	pthread_mutex_lock(&lease.lock);
	pthread_mutex_unlock(&lease.lock);
}

bool pl_cuda_reclaim(struct pl_session *session)
{
	const struct pl_cuda_context *top = pl_cuda_thread.top;
	bool any = false;

	if (!top || atomic_load(&top->error)) /* a free needs a context */
		return false;
	pthread_mutex_lock(&lease.lock);
	for (size_t i = lease.count; i--;) {
		if (lease.items[i].memory.session != session)
			continue;
		give_back(&lease.items[i].memory);
		item_remove(i);
		any = true;
	}
	pthread_mutex_unlock(&lease.lock);
	return any;
}

void pl_cuda_lease_touch(uint64_t address)
{
	pthread_mutex_lock(&lease.lock);
	for (size_t i = 0; i < lease.count; i++) {
		const struct pl_cuda_memory *memory = &lease.items[i].memory;

		if (address - memory->address >= memory->bytes)
			continue;
		give_back(memory);
		item_remove(i);
		break;
	}
	pthread_mutex_unlock(&lease.lock);
}

/* Its memory went with it; a pool's has to be given back. */
void pl_cuda_lease_context_gone(const struct pl_cuda_context *context)
{
	pthread_mutex_lock(&lease.lock);
	for (size_t i = lease.count; i--;) {
		struct pl_cuda_memory *memory = &lease.items[i].memory;

		if (memory->context != context)
			continue;
		if (memory->kind == PL_CUDA_MEMORY_POOL && pl_cuda_thread.top)
			give_back(memory);
		else
			pl_cuda_direct_give_back(memory->session, memory);
		item_remove(i);
	}
	pthread_mutex_unlock(&lease.lock);
}
