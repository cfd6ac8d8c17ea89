/*
 * One of several programs that share a device whose memory is too small for all of them; it does what it is told on
 * standard input, a line each, and answers with a line:
 *
 *   alloc N MIB    N allocations more of so many MiB, each with content of its own: "made" and how many there are
 *   parts N MIB    the same, each of two parts that it maps itself; the second one twice, and keeps its handle
 *   work N         N rounds: a kernel counts in each allocation, and the program waits: "worked" and rounds so far
 *   check          all that is there is what it should be: "right"
 *   hold MS        a kernel runs until the program says that it may end, so much later: "held"
 *   info           what the device has, and how much of it is free, in MiB: "info FREE ALL"
 *   free           all allocations, in both ways: "freed"
 *   smalls N       N steps at random: an allocation of some size below 3 MiB more, or one is looked at and freed; what
 *                  ends no allocation of ours is refused: "smalls", how many there are and how many bytes they have
 *   pairs N        N allocations, each freed before the next: "paired"
 *   pitch W H E    one more of smalls: H rows of W bytes, for elements of E: "pitch" and how far apart rows are, or the
 *                  error
 */
#include <stdint.h>

#include "cu.h"

#define ALLOCATIONS_MAX 256
#define MIB             (1u << 20)
#define STEP_WORDS      (MIB / 4)
#define SMALLS_MAX      1024

static struct {
	CUdeviceptr at;
	size_t words;
	uint32_t key, rounds;
	CUdeviceptr twin; /* of the second half, read only; 0: it has no parts */
	CUmemGenericAllocationHandle half;
} made[ALLOCATIONS_MAX];
static unsigned int made_count;
static struct {
	CUdeviceptr at; /* 0: none */
	uint32_t bytes, key;
} smalls[SMALLS_MAX];
static uint32_t keys, chance = 1;
static CUfunction count, for_ever;
static CUmodule module;

static uint32_t word_of(uint32_t key, size_t at)
{
	return (uint32_t)at * 2654435761u ^ key * 40503u;
}

/* The first word of each MiB is counted in. */
static void fill(uint32_t *words, unsigned int which, uint32_t counted)
{
	for (size_t i = 0; i < made[which].words; i++)
		words[i] = i % STEP_WORDS ? word_of(made[which].key, i) : counted;
}

static void access_set(CUdeviceptr at, size_t bytes, CUmemAccess_flags flags)
{
	const CUmemAccessDesc access = { .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE }, .flags = flags };

	cu_ok(cu(cuMemSetAccess)(at, bytes, &access, 1));
}

static CUresult parts_make(unsigned int which, size_t bytes)
{
	const CUmemAllocationProp properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
						 .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE } };
	CUmemGenericAllocationHandle first, again;
	CUresult r = cu(cuMemCreate)(&first, bytes / 2, &properties, 0);

	if (r)
		return r;
	r = cu(cuMemCreate)(&made[which].half, bytes / 2, &properties, 0);
	if (r) {
		cu_ok(cu(cuMemRelease)(first));
		return r;
	}
	cu_ok(cu(cuMemAddressReserve)(&made[which].at, bytes, 0, 0, 0));
	cu_ok(cu(cuMemAddressReserve)(&made[which].twin, bytes / 2, 0, 0, 0));
	cu_ok(cu(cuMemMap)(made[which].at, bytes / 2, 0, first, 0));
	cu_ok(cu(cuMemMap)(made[which].at + bytes / 2, bytes / 2, 0, made[which].half, 0));
	cu_ok(cu(cuMemMap)(made[which].twin, bytes / 2, 0, made[which].half, 0));
	access_set(made[which].at, bytes, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
	access_set(made[which].twin, bytes / 2, CU_MEM_ACCESS_FLAGS_PROT_READ);
	cu_ok(cu(cuMemRelease)(first));
	cu_ok(cu(cuMemRetainAllocationHandle)(&again, (void *)(uintptr_t)made[which].twin));
	cu_ok(cu(cuMemRelease)(again));
	return CUDA_SUCCESS;
}

/* What was noted of its parts is still true. */
static void parts_check(unsigned int which, const uint32_t *words)
{
	const CUmemLocation location = { .type = CU_MEM_LOCATION_TYPE_DEVICE };
	const size_t half = made[which].words / 2;
	uint32_t *seen = malloc(half * 4);
	unsigned long long flags;
	CUmemAllocationProp properties;

	check(seen != NULL);
	cu_ok(cu(cuMemcpyDtoH_v2)(seen, made[which].twin, half * 4));
	check(!memcmp(seen, words + half, half * 4));
	free(seen);
	cu_ok(cu(cuMemGetAccess)(&flags, &location, made[which].twin));
	check(flags == CU_MEM_ACCESS_FLAGS_PROT_READ);
	cu_ok(cu(cuMemGetAllocationPropertiesFromHandle)(&properties, made[which].half));
	check(properties.location.type == CU_MEM_LOCATION_TYPE_DEVICE);
}

static void parts_end(unsigned int which)
{
	const size_t bytes = made[which].words * 4;

	cu_ok(cu(cuMemUnmap)(made[which].twin, bytes / 2));
	cu_ok(cu(cuMemUnmap)(made[which].at, bytes));
	cu_ok(cu(cuMemRelease)(made[which].half));
	cu_ok(cu(cuMemAddressFree)(made[which].twin, bytes / 2));
	cu_ok(cu(cuMemAddressFree)(made[which].at, bytes));
}

static void alloc(unsigned int n, unsigned int mib, bool parts)
{
	uint32_t *words = malloc((size_t)mib * MIB);
	unsigned int on = 1;
	CUresult r = CUDA_SUCCESS;

	check(words && made_count + n <= ALLOCATIONS_MAX);
	for (; n && !r; n--) {
		made[made_count].twin = 0;
		r = parts ? parts_make(made_count, (size_t)mib * MIB)
			  : cu(cuMemAlloc_v2)(&made[made_count].at, (size_t)mib * MIB);
		if (r == CUDA_ERROR_OUT_OF_MEMORY)
			break;
		cu_ok(r);
		if (!parts)
			cu_ok(cu(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, made[made_count].at));
		made[made_count].words = (size_t)mib * STEP_WORDS;
		made[made_count].key = ++keys;
		made[made_count].rounds = 0;
		fill(words, made_count, 0);
		cu_ok(cu(cuMemcpyHtoD_v2)(made[made_count].at, words, (size_t)mib * MIB));
		made_count++;
	}
	free(words);
	printf("made %u\n", made_count);
}

static void work(unsigned int rounds)
{
	static unsigned int all;

	for (unsigned int i = 0; i < rounds; i++) {
		for (unsigned int j = 0; j < made_count; j++) {
			for (size_t at = 0; at < made[j].words; at += STEP_WORDS) {
				CUdeviceptr word = made[j].at + 4 * at;
				void *params[] = { &word };
				cu_ok(cu(cuLaunchKernel)(count, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL));
			}
			made[j].rounds++;
		}
		cu_ok(cu(cuCtxSynchronize)());
	}
	all += rounds;
	printf("worked %u\n", all);
}

static uint32_t random_below(uint32_t end)
{
	chance = chance * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)chance * end >> 32);
}

static void small_fill(uint8_t *bytes, unsigned int which)
{
	for (uint32_t i = 0; i < smalls[which].bytes; i++)
		bytes[i] = (uint8_t)(word_of(smalls[which].key, i) >> 16);
}

static void small_make(unsigned int which)
{
	static const uint32_t below[] = { 16, 513, 4096, 70000, 300000, 3 * MIB };
	uint8_t *bytes;

	smalls[which].bytes = 1 + random_below(below[random_below(random_below(6) + 1)]);
	smalls[which].key = ++keys;
	bytes = malloc(smalls[which].bytes);
	check(bytes != NULL);
	small_fill(bytes, which);
	cu_ok(cu(cuMemAlloc_v2)(&smalls[which].at, smalls[which].bytes));
	check(smalls[which].at && !(smalls[which].at % 256));
	cu_ok(cu(cuMemcpyHtoD_v2)(smalls[which].at, bytes, smalls[which].bytes));
	free(bytes);
}

static void small_check(unsigned int which)
{
	uint8_t *seen = malloc(smalls[which].bytes), *want = malloc(smalls[which].bytes);

	check(seen && want);
	small_fill(want, which);
	cu_ok(cu(cuMemcpyDtoH_v2)(seen, smalls[which].at, smalls[which].bytes));
	check(!memcmp(seen, want, smalls[which].bytes));
	free(seen);
	free(want);
}

static void small_end(unsigned int which)
{
	cu_is(cu(cuMemFree_v2)(smalls[which].at + 1), CUDA_ERROR_INVALID_VALUE);
	if (smalls[which].key % 3)
		cu_ok(cu(cuMemFree_v2)(smalls[which].at));
	else
		cu_ok(cu(cuMemFreeAsync)(smalls[which].at, NULL));
	cu_is(cu(cuMemFree_v2)(smalls[which].at), CUDA_ERROR_INVALID_VALUE);
	smalls[which].at = 0;
}

static void smalls_do(unsigned int steps)
{
	uint64_t bytes = 0;
	unsigned int there = 0;
	CUdeviceptr none;

	for (unsigned int i = 0; i < steps; i++) {
		unsigned int which = random_below(SMALLS_MAX);

		if (!smalls[which].at) {
			small_make(which);
		} else {
			small_check(which);
			small_end(which);
		}
	}
	cu_is(cu(cuMemAlloc_v2)(&none, 0), CUDA_ERROR_INVALID_VALUE);
	for (unsigned int i = 0; i < SMALLS_MAX; i++) {
		there += smalls[i].at != 0;
		bytes += smalls[i].at ? smalls[i].bytes : 0;
	}
	printf("smalls %u %llu\n", there, (unsigned long long)bytes);
}

/* Known by all its bytes, as the others. */
static void pitched(unsigned int width, unsigned int height, unsigned int element_bytes)
{
	CUdeviceptr at;
	uint8_t *bytes;
	size_t pitch;
	CUresult r = cu(cuMemAllocPitch_v2)(&at, &pitch, width, height, element_bytes);
	unsigned int which = 0;

	if (r) {
		printf("pitch error %d\n", (int)r);
		return;
	}
	while (smalls[which].at)
		which++;
	smalls[which].at = at;
	smalls[which].bytes = (uint32_t)(pitch * height);
	smalls[which].key = ++keys;
	bytes = malloc(smalls[which].bytes);
	check(bytes != NULL);
	small_fill(bytes, which);
	cu_ok(cu(cuMemcpyHtoD_v2)(at, bytes, smalls[which].bytes));
	free(bytes);
	printf("pitch %zu\n", pitch);
}

static void pairs(unsigned int n)
{
	CUdeviceptr at;

	for (unsigned int i = 0; i < n; i++) {
		cu_ok(cu(cuMemAlloc_v2)(&at, 1 + random_below(5000)));
		cu_ok(cu(cuMemFree_v2)(at));
	}
	printf("paired\n");
}

static void check_all(void)
{
	for (unsigned int i = 0; i < SMALLS_MAX; i++)
		if (smalls[i].at)
			small_check(i);
	for (unsigned int i = 0; i < made_count; i++) {
		uint32_t *words = malloc(made[i].words * 4), *want = malloc(made[i].words * 4);

		check(words && want);
		fill(want, i, made[i].rounds * 32);
		cu_ok(cu(cuMemcpyDtoH_v2)(words, made[i].at, made[i].words * 4));
		check(!memcmp(words, want, made[i].words * 4));
		if (made[i].twin)
			parts_check(i, want);
		free(words);
		free(want);
	}
	printf("right\n");
}

static void hold(unsigned int ms)
{
	CUdeviceptr flag;
	void *word, *params[] = { &flag };

	cu_ok(cu(cuMemHostAlloc)(&word, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
	cu_ok(cu(cuMemHostGetDevicePointer_v2)(&flag, word, 0));
	*(volatile int *)word = 0;
	cu_ok(cu(cuLaunchKernel)(for_ever, 1, 1, 1, 1, 1, 1, 0, NULL, params, NULL));
	printf("holds\n");
	fflush(stdout);
	cu_nap_ms(ms);
	*(volatile int *)word = 1;
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemFreeHost)(word));
	printf("held\n");
}

static void info(void)
{
	size_t left, all;

	cu_ok(cu(cuMemGetInfo_v2)(&left, &all));
	printf("info %zu %zu\n", left / MIB, all / MIB);
}

static void free_all(void)
{
	while (made_count--) {
		if (made[made_count].twin)
			parts_end(made_count);
		else if (made_count % 2)
			cu_ok(cu(cuMemFreeAsync)(made[made_count].at, NULL));
		else
			cu_ok(cu(cuMemFree_v2)(made[made_count].at));
	}
	made_count = 0;
	for (unsigned int i = 0; i < SMALLS_MAX; i++)
		if (smalls[i].at)
			small_end(i);
	printf("freed\n");
}

int main(void)
{
	char line[64], *ptx;
	unsigned int a, b, c;

	cu_begin();
	ptx = cu_ptx("kernels.ptx");
	cu_ok(cu(cuModuleLoadData)(&module, ptx));
	free(ptx);
	count = cu_function(module, "count");
	for_ever = cu_function(module, "for_ever");
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "alloc %u %u", &a, &b) == 2)
			alloc(a, b, false);
		else if (sscanf(line, "parts %u %u", &a, &b) == 2)
			alloc(a, b, true);
		else if (sscanf(line, "smalls %u", &a) == 1)
			smalls_do(a);
		else if (sscanf(line, "pairs %u", &a) == 1)
			pairs(a);
		else if (sscanf(line, "pitch %u %u %u", &a, &b, &c) == 3)
			pitched(a, b, c);
		else if (sscanf(line, "work %u", &a) == 1)
			work(a);
		else if (sscanf(line, "hold %u", &a) == 1)
			hold(a);
		else if (!strcmp(line, "check\n"))
			check_all();
		else if (!strcmp(line, "info\n"))
			info();
		else if (!strcmp(line, "free\n"))
			free_all();
		else
			cu_fail(line, __FILE__, __LINE__);
		fflush(stdout);
	}
	return 0;
}
