#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "check.h"
#include "mem.h"

#define MANAGED_ADDRESSES  0x7ea000000000ull /* below all that the kernel chooses itself */
#define MANAGED_BYTES      (256ull << 30)
#define ARENA_BYTES_MAX    (1ull << 40)
#define ARENA_BYTES_MIN    (4ull << 30)
#define GUARD_BYTES        PL_CU_PAGE /* after each allocation: what runs over its end is found */
#define USER_ADDRESSES_END (1ull << 47)

/* Where it begins, if nothing is there: far from where programs, heaps and libraries live, so that these addresses are
 * also free in a program that uses the device through a server. */
#define ARENA_WANTED       0x400000000000ull

static struct {
	pthread_rwlock_t lock;
	struct pl_cu_hw *hw;
	struct pl_cuda_ranges all; /* under lock */
	pthread_mutex_t va_lock;
	struct pl_cuda_space arena; /* under va_lock */
	uint64_t arena_va, arena_bytes;
	_Atomic uint64_t ids;
} table = { .lock = PTHREAD_RWLOCK_INITIALIZER, .va_lock = PTHREAD_MUTEX_INITIALIZER };

const char *pl_cu_mem_kind_name(const struct pl_cu_mem *mem)
{
	static const char *const names[] = {
		[PL_CU_MEM_DEVICE] = "device memory",
		[PL_CU_MEM_POOL] = "device memory of a pool",
		[PL_CU_MEM_HOST] = "host memory",
		[PL_CU_MEM_REGISTERED] = "registered host memory",
		[PL_CU_MEM_MANAGED] = "managed memory",
		[PL_CU_MEM_MAPPED] = "mapped memory",
		[PL_CU_MEM_IPC] = "another process' memory",
		[PL_CU_MEM_MODULE] = "module's",
		[PL_CU_MEM_GRAPH] = "memory of a graph",
		[PL_CU_MEM_DRIVER] = "driver's",
	};
	return names[mem->kind];
}

uint64_t pl_cu_mem_next_id(void)
{
	return atomic_fetch_add(&table.ids, 1) + 1;
}

/* Addresses that the host does not use: a program that reads device memory directly faults, as with hardware. */
int pl_cu_mem_init(struct pl_cu_hw *hw)
{
	table.hw = hw;
	for (uint64_t bytes = ARENA_BYTES_MAX; bytes >= ARENA_BYTES_MIN; bytes /= 2) {
		void *arena = mmap((void *)ARENA_WANTED, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				   -1, 0);
		uint64_t skip;
		if (arena == MAP_FAILED)
			continue;
		table.arena_va = (uint64_t)(uintptr_t)arena;
		table.arena_bytes = bytes;
		skip = -table.arena_va & (PL_CU_LARGE_PAGE - 1);
		return pl_cuda_space_give(&table.arena, table.arena_va + skip, bytes - skip);
	}
	return pl_err(-ENOMEM);
}

void pl_cu_va_begin(void)
{
	struct pl_cuda_range *first;
	pthread_mutex_lock(&table.va_lock);
	first = pl_cuda_ranges_next(&table.arena.ranges, 0);
	if (first && first->start % PL_CU_VA_GRANULE)
		(void)pl_cuda_space_take_at(&table.arena, first->start, -first->start & (PL_CU_VA_GRANULE - 1));
	pthread_mutex_unlock(&table.va_lock);
}

int pl_cu_va_take(uint64_t bytes, uint64_t align, uint64_t *va_out)
{
	int r;
	pthread_mutex_lock(&table.va_lock);
	r = pl_cuda_space_take(&table.arena, bytes, align, va_out);
	pthread_mutex_unlock(&table.va_lock);
	return r;
}

int pl_cu_va_take_at(uint64_t va, uint64_t bytes)
{
	int r;
	pthread_mutex_lock(&table.va_lock);
	r = pl_cuda_space_take_at(&table.arena, va, bytes);
	pthread_mutex_unlock(&table.va_lock);
	return r;
}

void pl_cu_va_give(uint64_t va, uint64_t bytes)
{
	pthread_mutex_lock(&table.va_lock);
	if (pl_cu_check_keeps(&va, &bytes))
		(void)pl_cuda_space_give(&table.arena, va, bytes);
	pthread_mutex_unlock(&table.va_lock);
}

bool pl_cu_mem_is_device_address(uint64_t va)
{
	return va - table.arena_va < table.arena_bytes;
}

int pl_cu_mem_insert(struct pl_cu_mem *mem)
{
	int r;
	pthread_rwlock_wrlock(&table.lock);
	r = pl_cuda_ranges_insert(&table.all, mem->va, mem->bytes, mem);
	pthread_rwlock_unlock(&table.lock);
	if (!r)
		pl_cu_check_mem_made(mem);
	return r;
}

void pl_cu_mem_remove(struct pl_cu_mem *mem)
{
	struct pl_cuda_range *range;
	pthread_rwlock_wrlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, mem->va);
	if (range && range->value == mem)
		pl_cuda_ranges_remove(&table.all, range);
	pthread_rwlock_unlock(&table.lock);
}

struct pl_cu_mem *pl_cu_mem_find(uint64_t va)
{
	struct pl_cuda_range *range;
	struct pl_cu_mem *mem;
	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, va);
	mem = range ? range->value : NULL;
	pthread_rwlock_unlock(&table.lock);
	return mem;
}

/* Called with the table locked. */
static struct pl_cu_mem *mem_near(uint64_t va)
{
	struct pl_cuda_range *after;
	struct pl_cu_mem *mem = NULL;
	after = pl_cuda_ranges_next(&table.all, va);
	if (after && (after->start <= va || after == table.all.range))
		mem = after->value;
	else if (table.all.n) {
		struct pl_cuda_range *before = after ? after - 1 : &table.all.range[table.all.n - 1];
		bool closer = after && after->start - va < va - (before->start + before->size);
		mem = closer ? after->value : before->value;
	}
	return mem;
}

bool pl_cu_mem_near(uint64_t va, struct pl_cu_mem *mem_out)
{
	const struct pl_cu_mem *mem;
	pthread_rwlock_rdlock(&table.lock);
	mem = mem_near(va);
	if (mem)
		*mem_out = *mem;
	pthread_rwlock_unlock(&table.lock);
	return mem;
}

bool pl_cu_mem_is_any(uint64_t va, uint64_t bytes)
{
	const struct pl_cuda_range *range;
	bool is;
	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_next(&table.all, va);
	is = range && (range->start <= va || range->start - va < bytes);
	pthread_rwlock_unlock(&table.lock);
	return is;
}

struct pl_cu_mem *pl_cu_mem_claim(uint64_t va, enum pl_cu_mem_kind kind)
{
	struct pl_cuda_range *range;
	struct pl_cu_mem *mem = NULL;
	pthread_rwlock_wrlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, va);
	if (range && range->start == va && ((struct pl_cu_mem *)range->value)->kind == kind) {
		mem = range->value;
		pl_cuda_ranges_remove(&table.all, range);
	}
	pthread_rwlock_unlock(&table.lock);
	return mem;
}

void pl_cu_mem_each(bool (*fn)(struct pl_cu_mem *mem, void *arg), void *arg)
{
	pthread_rwlock_rdlock(&table.lock);
	for (size_t i = 0; i < table.all.n; i++)
		if (!fn(table.all.range[i].value, arg))
			break;
	pthread_rwlock_unlock(&table.lock);
}

static bool mem_reached(const struct pl_cu_mem *mem)
{
	return mem->kind != PL_CU_MEM_MAPPED || mem->access != CU_MEM_ACCESS_FLAGS_PROT_NONE;
}

static bool is_mapped(const struct pl_cuda_range *range)
{
	return range && ((const struct pl_cu_mem *)range->value)->kind == PL_CU_MEM_MAPPED;
}

/* Mappings side by side are one range; any other allocation ends where it ends, also where a next one begins. */
bool pl_cu_mem_reaches(uint64_t va, uint64_t bytes)
{
	uint64_t end = va + bytes;
	bool goes_on = true;
	if (end < va)
		return false;
	pthread_rwlock_rdlock(&table.lock);
	while (va < end && goes_on) {
		struct pl_cuda_range *range = pl_cuda_ranges_find(&table.all, va);
		if (!range || !mem_reached(range->value))
			break;
		va = range->start + range->size;
		goes_on = is_mapped(range) && is_mapped(pl_cuda_ranges_find(&table.all, va));
	}
	pthread_rwlock_unlock(&table.lock);
	return va >= end;
}

static void *extents_host(const struct pl_cu_extents *extents, uint64_t offset, uint64_t *room_out)
{
	for (uint32_t i = 0; i < extents->n; i++) {
		const struct pl_cu_extent *extent = &extents->extent[i];
		if (offset < extent->bytes) {
			*room_out = extent->bytes - offset;
			return pl_cu_vram_at(table.hw, extent->address + offset);
		}
		offset -= extent->bytes;
	}
	return NULL;
}

void *pl_cu_mem_used_at(const struct pl_cu_mem *mem, uint64_t va, uint64_t *room_out)
{
	uint64_t offset = va - mem->va, left = mem->bytes - offset;
	void *host;
	*room_out = left;
	if (mem->host)
		host = mem->host + offset;
	else
		host = extents_host(&mem->extents, mem->physical_offset + offset, room_out);
	if (*room_out > left)
		*room_out = left;
	return host;
}

void *pl_cu_mem_host(uint64_t va, uint64_t *room_out)
{
	struct pl_cuda_range *range;
	void *host = NULL;
	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, va);
	if (range)
		host = pl_cu_mem_used_at(range->value, va, room_out);
	pthread_rwlock_unlock(&table.lock);
	return host;
}

/* -- in use by the host -------------------------------------------------------------------------------------------- */

static void while_short(void)
{
	const struct timespec while_ns = { .tv_nsec = 20000 };
	nanosleep(&while_ns, NULL);
}

/* *moving_out: it is to be tried again. */
static void *use_try(uint64_t va, uint64_t *room_out, struct pl_cu_mem **mem_out, bool *moving_out)
{
	struct pl_cuda_range *range;
	void *host = NULL;
	pthread_rwlock_rdlock(&table.lock);
	range = pl_cuda_ranges_find(&table.all, va);
	*moving_out = range && ((struct pl_cu_mem *)range->value)->moving;
	if (range && !*moving_out)
		host = pl_cu_mem_used_at(range->value, va, room_out);
	if (host) {
		*mem_out = range->value;
		atomic_fetch_add(&(*mem_out)->uses, 1);
	}
	pthread_rwlock_unlock(&table.lock);
	return host;
}

void *pl_cu_mem_use(uint64_t va, uint64_t *room_out, struct pl_cu_mem **mem_out)
{
	bool moving;
	void *host;
	*mem_out = NULL;
	while (!(host = use_try(va, room_out, mem_out, &moving)) && moving)
		while_short();
	return host;
}

void pl_cu_mem_unuse(struct pl_cu_mem *mem)
{
	if (mem)
		atomic_fetch_sub(&mem->uses, 1);
}

/* It is in the table no more: those that use it end, and none begins. */
static void uses_wait(struct pl_cu_mem *mem)
{
	while (atomic_load(&mem->uses))
		while_short();
}

void pl_cu_mem_move_begin(struct pl_cu_mem *mem)
{
	bool moving = false;
	while (!moving) {
		uses_wait(mem);
		pthread_rwlock_wrlock(&table.lock);
		moving = mem->moving = !atomic_load(&mem->uses);
		pthread_rwlock_unlock(&table.lock);
	}
}

void pl_cu_mem_move_end(struct pl_cu_mem *mem)
{
	pthread_rwlock_wrlock(&table.lock);
	mem->moving = false;
	pthread_rwlock_unlock(&table.lock);
}

/* -- making ------------------------------------------------------------------------------------------------------- */

static struct pl_cu_mem *mem_new(enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, uint64_t bytes)
{
	struct pl_cu_mem *mem = calloc(1, sizeof(*mem));
	if (!mem)
		return NULL;
	*mem = (struct pl_cu_mem){
		.kind = kind,
		.bytes = bytes,
		.id = pl_cu_mem_next_id(),
		.ctx = ctx ? ctx->handle : NULL,
		.dev = ctx ? ctx->dev : NULL,
		.fd = -1,
		.advice = PL_CUDA_ADVICE_NONE,
	};
	return mem;
}

int pl_cu_mem_extents_map(struct pl_cu_mem *mem)
{
	uint64_t va = mem->va;
	int r = 0;
	for (uint32_t i = 0; i < mem->extents.n && !r; i++) {
		const struct pl_cu_extent *extent = &mem->extents.extent[i];
		r = pl_cu_vm_map_vram(table.hw, va, extent->address, extent->bytes, mem->read_only);
		va += extent->bytes;
	}
	return r;
}

/* With addresses of the arena.  Return: 0, -ENOSPC or -ENOMEM. */
static int mem_place(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, uint64_t bytes)
{
	uint64_t align = bytes >= PL_CU_LARGE_PAGE ? PL_CU_LARGE_PAGE : PL_CU_PAGE;
	struct pl_cu_mem *mem = mem_new(kind, ctx, bytes);
	int r;
	if (!mem)
		return pl_err(-ENOMEM);
	mem->mapped_bytes = (bytes + PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1);
	mem->space = mem->mapped_bytes + GUARD_BYTES;
	r = pl_cu_va_take(mem->space, align, &mem->space_va);
	if (r) {
		free(mem);
		return r;
	}
	mem->va = mem->space_va;
	*mem_out = mem;
	return 0;
}

/* What could not be made (r) or entered is given back. */
static int mem_enter(struct pl_cu_mem **mem_out, struct pl_cu_mem *mem, int r)
{
	if (!r)
		r = pl_cu_mem_insert(mem);
	if (r)
		pl_cu_mem_destroy(mem);
	else
		*mem_out = mem;
	return r;
}

int pl_cu_mem_create(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, uint64_t bytes)
{
	struct pl_cu_mem *mem;
	int r;
	if (!bytes || bytes > table.hw->vram_bytes)
		return -ENOSPC;
	r = mem_place(&mem, kind, ctx, bytes);
	if (r)
		return r;
	r = pl_cu_vram_take(table.hw, mem->mapped_bytes, &mem->extents);
	if (!r)
		r = pl_cu_mem_extents_map(mem);
	return mem_enter(mem_out, mem, r);
}

int pl_cu_mem_create_over(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, void *host,
			  uint64_t bytes)
{
	struct pl_cu_mem *mem;
	int r = mem_place(&mem, kind, ctx, bytes);
	if (r) {
		munmap(host, (bytes + PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1));
		return r;
	}
	mem->host = host;
	mem->host_bytes = mem->mapped_bytes;
	mem->host_owned = true;
	r = pl_cu_vm_map_host(table.hw, mem->va, host, mem->mapped_bytes, false);
	return mem_enter(mem_out, mem, r);
}

/* What a program may have to have at the same addresses behind a server lies apart from where the kernel puts what has
 * no address: in each of two processes without randomisation that is the same place.  A wish: what is there stays. */
static void *managed_hint(enum pl_cu_mem_kind kind, uint64_t bytes)
{
	static _Atomic uint64_t next;
	uint64_t at;
	if (kind != PL_CU_MEM_MANAGED && kind != PL_CU_MEM_MODULE)
		return NULL;
	at = atomic_fetch_add(&next, (bytes + 2 * PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1));
	return (void *)(uintptr_t)(MANAGED_ADDRESSES + at % MANAGED_BYTES);
}

int pl_cu_mem_create_host(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, void *host,
			  uint64_t bytes, bool read_only)
{
	struct pl_cu_mem *mem = mem_new(kind, ctx, bytes);
	uint64_t page;
	int r;
	if (!mem)
		return pl_err(-ENOMEM);
	mem->host_owned = !host;
	if (!host) {
		host = mmap(managed_hint(kind, bytes), bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (host == MAP_FAILED) {
			free(mem);
			return -ENOSPC;
		}
	}
	mem->va = (uint64_t)(uintptr_t)host;
	mem->host = host;
	mem->host_bytes = bytes;
	mem->read_only = read_only;
	page = mem->va & ~(uint64_t)(PL_CU_PAGE - 1);
	mem->mapped_bytes = (mem->va + bytes - page + PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1);
	r = mem->va + bytes > USER_ADDRESSES_END ? -EINVAL : pl_cu_mem_insert(mem);
	if (r) {
		mem->mapped_bytes = 0; /* another's pages stay mapped */
		if (mem->host_owned)
			munmap(host, bytes);
		free(mem);
		return r;
	}
	r = pl_cu_vm_map_host(table.hw, page, (void *)(uintptr_t)page, mem->mapped_bytes, read_only);
	if (r) {
		pl_cu_mem_destroy(mem);
		return r;
	}
	*mem_out = mem;
	return 0;
}

/* Pages at either end of registered memory may hold the end of another's.  Whoever is about to free that is kept out
 * meanwhile, and whoever enters such memory, which is mapped only then. */
static void unmap_shared(const struct pl_cu_mem *mem)
{
	uint64_t first = mem->va & ~(uint64_t)(PL_CU_PAGE - 1), end = first + mem->mapped_bytes;
	struct pl_cu_mem *before, *after;
	pthread_rwlock_rdlock(&table.lock);
	before = mem_near(first);
	after = mem_near(end - 1);
	if (before && before != mem && before->va < first + PL_CU_PAGE && before->va + before->bytes > first)
		first += PL_CU_PAGE;
	if (after && after != mem && after->va < end && after->va + after->bytes > end - PL_CU_PAGE && end > first)
		end -= PL_CU_PAGE;
	if (end > first)
		pl_cu_vm_clear(table.hw, first, end - first);
	pthread_rwlock_unlock(&table.lock);
	pl_cu_vm_flush(table.hw);
}

void pl_cu_mem_destroy(struct pl_cu_mem *mem)
{
	if (!mem)
		return;
	pl_cu_mem_remove(mem);
	uses_wait(mem);
	pl_cu_check_mem_gone(mem);
	if (mem->mapped_bytes && mem->va)
		unmap_shared(mem);
	pl_cu_vram_give(table.hw, &mem->extents);
	if (mem->host && mem->host_owned)
		munmap(mem->host, mem->host_bytes);
	if (mem->fd >= 0)
		close(mem->fd);
	if (mem->space)
		pl_cu_va_give(mem->space_va, mem->space);
	free(mem);
}

bool pl_cu_host_mapped(const void *host, uint64_t bytes)
{
	uint64_t at = (uint64_t)(uintptr_t)host & ~(uint64_t)(PL_CU_PAGE - 1), end = (uint64_t)(uintptr_t)host + bytes;
	unsigned char present[1024];
	while (at < end) { /* which pages are resident does not matter; an error says that some are not mapped */
		uint64_t part = end - at < sizeof(present) * PL_CU_PAGE ? end - at : sizeof(present) * PL_CU_PAGE;
		if (mincore((void *)(uintptr_t)at, part, present))
			return false;
		at += sizeof(present) * PL_CU_PAGE;
	}
	return true;
}

static struct pl_cu_mem *mem_of(const struct pl_cu_ctx *ctx)
{
	struct pl_cu_mem *found = NULL;
	pthread_rwlock_rdlock(&table.lock);
	for (size_t i = 0; i < table.all.n && !found; i++) {
		struct pl_cu_mem *mem = table.all.range[i].value;
		if (mem->ctx == ctx->handle && mem->kind != PL_CU_MEM_POOL && mem->kind != PL_CU_MEM_MAPPED &&
		    mem->kind != PL_CU_MEM_MODULE && mem->kind != PL_CU_MEM_DRIVER) /* go with what has them */
			found = mem;
	}
	pthread_rwlock_unlock(&table.lock);
	return found;
}

void pl_cu_mem_free_all(struct pl_cu_ctx *ctx)
{
	struct pl_cu_mem *mem;
	while ((mem = mem_of(ctx)))
		pl_cu_mem_destroy(mem);
}
