/* The table of what has an address. */
#include "client/cuda/memory.h"

#include <stdlib.h>

#include "client/cuda/reach.h"
#include "client/servers.h"
#include "cuda/ranges.h"

static struct {
	pthread_rwlock_t lock;
	struct pl_cuda_ranges all; /* under lock; of struct pl_cuda_memory, owned */
	_Atomic uint64_t ids, used[PL_CLIENT_SERVERS_MAX];
} table = { .lock = PTHREAD_RWLOCK_INITIALIZER };

atomic_bool pl_cuda_mirrors;

static bool on_device(const struct pl_cuda_memory *memory)
{
	return memory->kind <= PL_CUDA_MEMORY_IMPORTED || memory->mirrored;
}

/* Whether it lives is not known here. */
static bool is_unsure(const struct pl_cuda_memory *memory)
{
	return memory->kind == PL_CUDA_MEMORY_GRAPH || memory->kind == PL_CUDA_MEMORY_VARIABLE;
}

static void count(const struct pl_cuda_memory *memory, uint64_t bytes)
{
	if (memory->imported)
		return; /* who allocated it is charged */
	if (memory->kind == PL_CUDA_MEMORY_DEVICE || memory->kind == PL_CUDA_MEMORY_POOL ||
	    (memory->kind == PL_CUDA_MEMORY_MANAGED && memory->mirrored))
		atomic_fetch_add(&table.used[pl_cuda_session_index(memory->session)], bytes);
}

uint64_t pl_cuda_memory_used(const struct pl_session *session)
{
	return atomic_load(&table.used[pl_cuda_session_index(session)]);
}

/* Another one has these addresses now.  Called with the lock held. */
static void unsure_evict(uint64_t address, uint64_t bytes)
{
	for (size_t i = table.all.n; i--;) {
		struct pl_cuda_memory *memory = table.all.range[i].value;

		if (!is_unsure(memory) || memory->address >= address + bytes ||
		    address >= memory->address + memory->bytes)
			continue;
		pl_cuda_ranges_remove(&table.all, &table.all.range[i]);
		free(memory);
	}
}

void pl_cuda_memory_taken(uint64_t address, uint64_t bytes)
{
	pthread_rwlock_wrlock(&table.lock);
	unsure_evict(address, bytes);
	pthread_rwlock_unlock(&table.lock);
}

bool pl_cuda_memory_enter(const struct pl_cuda_memory *memory)
{
	struct pl_cuda_memory *copy = malloc(sizeof(*copy));
	struct pl_cuda_memory entered;
	int r;

	if (!copy)
		return false;
	*copy = *memory;
	if (!copy->session)
		copy->session = copy->context ? copy->context->object.session : pl_cuda_session();
	copy->id = atomic_fetch_add(&table.ids, 1) + 1;
	entered = *copy;
	if (copy->mirrored)
		atomic_store(&pl_cuda_mirrors, true);
	pthread_rwlock_wrlock(&table.lock);
	r = pl_cuda_ranges_insert(&table.all, copy->address, copy->bytes, copy);
	if (r) {
		unsure_evict(copy->address, copy->bytes);
		r = pl_cuda_ranges_insert(&table.all, copy->address, copy->bytes, copy);
	}
	pthread_rwlock_unlock(&table.lock);
	if (r)
		free(copy);
	else
		count(&entered, entered.bytes);
	if (!r && entered.plain)
		pl_cuda_plain_came(entered.address, entered.bytes);
	return !r;
}

bool pl_cuda_memory_find(uint64_t address, struct pl_cuda_memory *memory_out)
{
	struct pl_cuda_range *range;

	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, address);
	if (range)
		*memory_out = *(struct pl_cuda_memory *)range->value;
	pthread_rwlock_unlock(&table.lock);
	return range != NULL;
}

bool pl_cuda_memory_next(uint64_t address, struct pl_cuda_memory *memory_out)
{
	struct pl_cuda_range *range;

	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_next(&table.all, address);
	if (range)
		*memory_out = *(struct pl_cuda_memory *)range->value;
	pthread_rwlock_unlock(&table.lock);
	return range != NULL;
}

bool pl_cuda_memory_take(uint64_t address, struct pl_cuda_memory *memory_out)
{
	struct pl_cuda_memory *memory = NULL;
	struct pl_cuda_range *range;

	pthread_rwlock_wrlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, address);
	if (range && range->start == address) {
		memory = range->value;
		pl_cuda_ranges_remove(&table.all, range);
	}
	pthread_rwlock_unlock(&table.lock);
	if (!memory)
		return false;
	*memory_out = *memory;
	free(memory);
	count(memory_out, -memory_out->bytes);
	if (memory_out->plain)
		pl_cuda_plain_went();
	return true;
}

void pl_cuda_memory_change(const struct pl_cuda_memory *memory, void (*change)(struct pl_cuda_memory *it, void *arg),
			   void *arg)
{
	struct pl_cuda_range *range;
	struct pl_cuda_memory *it;

	pthread_rwlock_wrlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, memory->address);
	it = range ? range->value : NULL;
	if (it && it->id == memory->id) {
		bool plain = it->plain;

		change(it, arg);
		if (plain && !it->plain)
			pl_cuda_plain_went();
		if (it->mirrored)
			atomic_store(&pl_cuda_mirrors, true);
	}
	pthread_rwlock_unlock(&table.lock);
}

/* The call at hand is of the current context and this session: where it went elsewhere, that lane was told another. */
static bool is_entered(const struct pl_session *session)
{
	const struct pl_cuda_thread *thread = &pl_cuda_thread;

	return pl_cuda_is_alone() ||
	       (thread->top && thread->top->object.session == session && thread->told == thread->top->object.id);
}

CUmemAccess_flags pl_cuda_memory_access(const struct pl_cuda_memory *memory)
{
	const struct pl_cuda_context *top = pl_cuda_thread.top;
	CUdevice device;

	if (memory->kind != PL_CUDA_MEMORY_MAPPED)
		return CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
	device = top ? top->device : pl_cuda_device_first(memory->session);
	if (device < 0 || device > 63 || !(memory->readers >> device & 1))
		return CU_MEM_ACCESS_FLAGS_PROT_NONE;
	return memory->writers >> device & 1 ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE : CU_MEM_ACCESS_FLAGS_PROT_READ;
}

bool pl_cuda_memory_is_device(uint64_t address, uint64_t bytes)
{
	struct pl_cuda_memory memory;

	if (pl_cuda_memory_find(address, &memory))
		return on_device(&memory) && is_entered(memory.session) && !is_unsure(&memory) &&
		       bytes <= memory.bytes - (address - memory.address) &&
		       pl_cuda_memory_access(&memory) == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
	pl_cuda_lease_touch(address);
	return false;
}

uint64_t pl_cuda_memory_store(const struct pl_session *session, const void *host, uint64_t bytes)
{
	uint64_t address = (uintptr_t)host;
	struct pl_cuda_memory memory;

	if (!pl_cuda_memory_find(address, &memory) || on_device(&memory) || memory.store == PL_ARENA_NONE ||
	    memory.session != session || bytes > memory.bytes - (address - memory.address))
		return PL_ARENA_NONE;
	return memory.store + (address - memory.address);
}

bool pl_cuda_memory_on_device(uint64_t address)
{
	struct pl_cuda_memory memory;

	if (address < PL_CUDA_PROGRAM_LOWEST)
		return true; /* NULL, and offsets from it: the driver's to refuse */
	return pl_cuda_memory_find(address, &memory) ? on_device(&memory) : pl_cuda_is_reserved(address);
}

/* What is a device's goes with the context, and host memory that was given in it. */
static bool goes(const struct pl_cuda_memory *memory, const struct pl_cuda_context *context)
{
	return memory->context == context && memory->kind != PL_CUDA_MEMORY_POOL &&
	       memory->kind != PL_CUDA_MEMORY_MAPPED;
}

void pl_cuda_memory_context_gone(struct pl_cuda_context *context)
{
	pl_cuda_lease_context_gone(context);
	pthread_rwlock_wrlock(&table.lock);
	for (size_t i = table.all.n; i--;) {
		struct pl_cuda_memory *memory = table.all.range[i].value;

		if (!goes(memory, context))
			continue;
		pl_cuda_ranges_remove(&table.all, &table.all.range[i]);
		count(memory, -memory->bytes);
		if (memory->plain)
			pl_cuda_plain_went();
		pl_cuda_host_forget(memory);
		pl_cuda_direct_give_back(memory->session, memory);
		free(memory);
	}
	pthread_rwlock_unlock(&table.lock);
}
