/* Check mode: what is wanted, and the list of allocations that the engine reads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "check.h"
#include "refgpu/isa/check.h"

/* Freed ranges whose addresses are not used again yet: no more than 64 times VRAM, of a terabyte. */
#define KEPT_MAX 64u

static struct {
	struct pl_cu_hw *hw;
	struct pl_isa_check *shared; /* NULL: off */
	uint32_t wants;
	bool quiet;
	pid_t pid; /* whose driver this is */
	pthread_mutex_t lock;
	uint64_t numbers; /* under lock */
} check = { .lock = PTHREAD_MUTEX_INITIALIZER };

static const struct {
	const char *name;
	uint32_t bits;
} words[] = {
	{ "memcheck", PL_ISA_CHECK_BOUNDS | PL_CU_CHECK_API },
	{ "racecheck", PL_ISA_CHECK_RACES },
	{ "synccheck", PL_ISA_CHECK_BARRIERS },
	{ "initcheck", PL_ISA_CHECK_SHARED_INIT },
	{ "globalinit", PL_ISA_CHECK_GLOBAL_INIT },
	{ "leakcheck", PL_CU_CHECK_LEAKS },
	{ "all", PL_ISA_CHECK_BOUNDS | PL_CU_CHECK_API | PL_ISA_CHECK_RACES | PL_ISA_CHECK_BARRIERS |
			 PL_ISA_CHECK_SHARED_INIT | PL_CU_CHECK_LEAKS },
};

static void word_read(const char *word, size_t len)
{
	if (len == strlen("quiet") && !strncmp(word, "quiet", len)) {
		check.quiet = true;
		return;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) != len || strncmp(words[i].name, word, len))
			continue;
		check.wants |= words[i].bits;
		return;
	}
	if (len)
		fprintf(stderr, "plenum refgpu: PLENUM_REFGPU_CHECK: no check `%.*s'; it is left out\n", (int)len,
			word);
}

int pl_cu_check_init(struct pl_cu_hw *hw)
{
	const char *text = getenv("PLENUM_REFGPU_CHECK");
	uint64_t bytes = (sizeof(*check.shared) + PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1);
	while (text && *text) {
		size_t len = strcspn(text, ",");
		word_read(text, len);
		text += len + (text[len] == ',');
	}
	check.hw = hw;
	check.pid = getpid();
	if (!check.wants)
		return 0;
	check.shared = pl_cu_sys_alloc(hw, bytes);
	if (!check.shared)
		return pl_err(-ENOMEM);
	check.shared->what = check.wants & 0xffff;
	pl_cu_check_begin();
	return 0;
}

bool pl_cu_check_wants(uint32_t what)
{
	return check.wants & what && check.pid == getpid();
}

uint64_t pl_cu_check_va(void)
{
	return (uint64_t)(uintptr_t)check.shared;
}

bool pl_cu_check_quiet(void)
{
	return check.quiet;
}

bool pl_cu_check_take(struct pl_isa_check_record *record_out)
{
	struct pl_isa_check *shared = check.shared;
	uint32_t put, got;
	if (!shared)
		return false;
	pthread_mutex_lock(&check.lock);
	put = __atomic_load_n(&shared->put, __ATOMIC_ACQUIRE);
	got = shared->got;
	if (put != got) {
		*record_out = shared->record[got % PL_ISA_CHECK_RECORDS];
		record_out->count =
			__atomic_load_n(&shared->record[got % PL_ISA_CHECK_RECORDS].count, __ATOMIC_RELAXED);
		__atomic_store_n(&shared->got, got + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&check.lock);
	return put != got;
}

uint32_t pl_cu_check_dropped(void)
{
	return check.shared ? __atomic_load_n(&check.shared->dropped, __ATOMIC_RELAXED) : 0;
}

/* -- allocations --------------------------------------------------------------------------------------------------- */

/* Released: the sequence that was stored before is seen first. */
static void range_store(struct pl_isa_check_range *to, const struct pl_isa_check_range *from)
{
	__atomic_store_n(&to->va, from->va, __ATOMIC_RELEASE);
	__atomic_store_n(&to->bytes, from->bytes, __ATOMIC_RELEASE);
	__atomic_store_n(&to->pages_end, from->pages_end, __ATOMIC_RELEASE);
	__atomic_store_n(&to->written_va, from->written_va, __ATOMIC_RELEASE);
}

/* Called with check.lock held, here and below: where a range with this address is, or belongs. */
static uint32_t range_index(uint64_t va)
{
	uint32_t low = 0, high = check.shared->range_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (check.shared->range[middle].va < va)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void ranges_change(void)
{
	__atomic_store_n(&check.shared->sequence, check.shared->sequence + 1, __ATOMIC_RELEASE);
}

static void range_set(const struct pl_isa_check_range *range)
{
	struct pl_isa_check *shared = check.shared;
	uint32_t at = range_index(range->va), n = shared->range_count;
	bool there = at < n && shared->range[at].va == range->va;
	if (!there && n == PL_ISA_CHECK_RANGES) { /* what is not listed counts as nobody's slack */
		__atomic_fetch_and(&shared->what, ~(uint32_t)(PL_ISA_CHECK_BOUNDS | PL_ISA_CHECK_GLOBAL_INIT),
				   __ATOMIC_RELAXED);
		fprintf(stderr, "plenum refgpu: more than %u allocations: bounds within pages are not checked now\n",
			PL_ISA_CHECK_RANGES);
		return;
	}
	ranges_change();
	for (uint32_t i = n; !there && i > at; i--)
		range_store(&shared->range[i], &shared->range[i - 1]);
	range_store(&shared->range[at], range);
	__atomic_store_n(&shared->range_count, n + !there, __ATOMIC_RELEASE);
	ranges_change();
}

static void range_drop(uint64_t va)
{
	struct pl_isa_check *shared = check.shared;
	uint32_t at = range_index(va), n = shared->range_count;
	if (at == n || shared->range[at].va != va)
		return;
	ranges_change();
	for (uint32_t i = at; i + 1 < n; i++)
		range_store(&shared->range[i], &shared->range[i + 1]);
	__atomic_store_n(&shared->range_count, n - 1, __ATOMIC_RELEASE);
	ranges_change();
}

static bool watched(const struct pl_cu_mem *mem)
{
	return mem->kind == PL_CU_MEM_DEVICE || mem->kind == PL_CU_MEM_POOL || mem->kind == PL_CU_MEM_HOST ||
	       mem->kind == PL_CU_MEM_MANAGED || mem->kind == PL_CU_MEM_GRAPH;
}

static void written_free(struct pl_cu_check_mem *notes)
{
	pl_cu_sys_free(check.hw, notes->written, notes->written_bytes);
	notes->written = NULL;
}

void pl_cu_check_mem_made(struct pl_cu_mem *mem)
{
	struct pl_cu_check_mem *notes = mem->check;
	struct pl_isa_check_range range = { .va = mem->va, .bytes = mem->bytes };
	if (!check.shared || !watched(mem))
		return;
	if (!notes)
		notes = mem->check = calloc(1, sizeof(*notes));
	if (!notes)
		return;
	written_free(notes);
	pl_cu_check_frames(notes->frames);
	if (check.wants & PL_ISA_CHECK_GLOBAL_INIT && !mem->host) {
		notes->written_bytes = (mem->bytes / 8 + PL_CU_PAGE) & ~(uint64_t)(PL_CU_PAGE - 1);
		notes->written = pl_cu_sys_alloc(check.hw, notes->written_bytes);
	}
	range.pages_end = (mem->va & ~(uint64_t)(PL_CU_PAGE - 1)) + mem->mapped_bytes;
	range.written_va = (uint64_t)(uintptr_t)notes->written;
	pthread_mutex_lock(&check.lock);
	notes->number = ++check.numbers;
	range_set(&range);
	pthread_mutex_unlock(&check.lock);
}

void pl_cu_check_mem_gone(struct pl_cu_mem *mem)
{
	struct pl_cu_check_mem *notes = mem->check;
	if (!notes)
		return;
	pthread_mutex_lock(&check.lock);
	range_drop(mem->va);
	pthread_mutex_unlock(&check.lock);
	written_free(notes);
	free(notes);
	mem->check = NULL;
}

bool pl_cu_check_keeps(uint64_t *va, uint64_t *bytes)
{
	static struct {
		uint64_t va, bytes;
	} kept[KEPT_MAX];
	static uint32_t next;
	uint64_t old_va = kept[next].va, old_bytes = kept[next].bytes;
	if (!check.shared)
		return true;
	kept[next].va = *va;
	kept[next].bytes = *bytes;
	next = (next + 1) % KEPT_MAX;
	*va = old_va;
	*bytes = old_bytes;
	return old_bytes;
}

/* Called with check.lock held. */
static void written_set(uint8_t *map, uint64_t bit, uint64_t end)
{
	while (bit < end) {
		uint64_t in = bit % 8, part = 8 - in < end - bit ? 8 - in : end - bit;
		if (part == 8 && end - bit >= 64) {
			uint64_t bytes = (end - bit) / 8;
			for (uint64_t i = 0; i < bytes; i++)
				__atomic_store_n(&map[bit / 8 + i], 0xff, __ATOMIC_RELAXED);
			bit += 8 * bytes;
			continue;
		}
		__atomic_fetch_or(&map[bit / 8], (uint8_t)(((1u << part) - 1) << in), __ATOMIC_RELAXED);
		bit += part;
	}
}

void pl_cu_check_written(uint64_t va, uint64_t bytes)
{
	if (!(check.wants & PL_ISA_CHECK_GLOBAL_INIT) || !check.shared)
		return;
	pthread_mutex_lock(&check.lock);
	for (uint32_t i = range_index(va + 1); bytes && i; i = 0) {
		const struct pl_isa_check_range *range = &check.shared->range[i - 1];
		uint64_t begin = va - range->va, end = begin + bytes;
		if (!range->written_va || begin >= range->bytes)
			break;
		written_set((uint8_t *)(uintptr_t)range->written_va, begin, end < range->bytes ? end : range->bytes);
	}
	pthread_mutex_unlock(&check.lock);
}
