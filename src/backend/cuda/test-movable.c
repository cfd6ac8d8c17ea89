/*
 * Slabs, and what can be moved written down and read back by another session: with a driver that has files for memory
 * and maps them, and a daemon that grants all and counts.
 */
#include "backend/cuda/slab.h"
#include "backend/cuda/swap-save.h"
#include "backend/cuda/swap.h"

#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/cuda/parts.h"
#include "wire/cuda-kinds.h"

#define GRANULE  (2ull << 20)
#define GRANULES 128u
#define TOTAL    (192ull << 20)
#define CONTEXT  7u /* the client's id */
#define HANDLE   9u

/* ---- the driver ---- */

static uint8_t *space; /* GRANULES of addresses */
static uint8_t taken[GRANULES];
static CUcontext current;
static uint64_t room; /* bytes that nobody has */

static CUresult reserve(CUdeviceptr *address, size_t bytes, size_t align, CUdeviceptr wanted, unsigned long long flags)
{
	const uint32_t count = (uint32_t)(bytes / GRANULE);
	uint32_t first = (uint32_t)((wanted - (uintptr_t)space) / GRANULE);

	(void)align, (void)flags;
	assert(bytes && !(bytes % GRANULE));
	if (!wanted || wanted < (uintptr_t)space || first > GRANULES - count || memchr(taken + first, 1, count))
		for (first = 0; first <= GRANULES - count && memchr(taken + first, 1, count); first++)
			;
	if (first > GRANULES - count)
		return CUDA_ERROR_OUT_OF_MEMORY;
	memset(taken + first, 1, count);
	*address = (uintptr_t)space + first * GRANULE;
	return CUDA_SUCCESS;
}

static CUresult address_free(CUdeviceptr address, size_t bytes)
{
	const uint32_t first = (uint32_t)((address - (uintptr_t)space) / GRANULE);

	assert(!memchr(taken + first, 0, bytes / GRANULE));
	memset(taken + first, 0, bytes / GRANULE);
	return CUDA_SUCCESS;
}

static CUresult create(CUmemGenericAllocationHandle *handle, size_t bytes, const CUmemAllocationProp *properties,
		       unsigned long long flags)
{
	int fd;

	if (bytes > room)
		return CUDA_ERROR_OUT_OF_MEMORY;
	room -= bytes;
	fd = memfd_create("part", MFD_CLOEXEC);
	assert(fd > 0 && !ftruncate(fd, (off_t)bytes) && !properties->location.id && !flags);
	*handle = (CUmemGenericAllocationHandle)fd;
	return CUDA_SUCCESS;
}

static CUresult release(CUmemGenericAllocationHandle handle)
{
	struct stat file;

	assert(!fstat((int)handle, &file) && !close((int)handle));
	room += (uint64_t)file.st_size;
	return CUDA_SUCCESS;
}

static CUresult map(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
		    unsigned long long flags)
{
	(void)flags;
	assert(mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, (int)handle,
		    (off_t)offset) != MAP_FAILED);
	return CUDA_SUCCESS;
}

static CUresult unmap(CUdeviceptr address, size_t bytes)
{
	assert(mmap((void *)(uintptr_t)address, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED);
	return CUDA_SUCCESS;
}

static CUresult access_set(CUdeviceptr address, size_t bytes, const CUmemAccessDesc *access, size_t count)
{
	(void)address, (void)bytes, (void)access, (void)count;
	return CUDA_SUCCESS;
}

static CUresult access_get(unsigned long long *flags, const CUmemLocation *location, CUdeviceptr address)
{
	(void)location, (void)address;
	*flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
	return CUDA_SUCCESS;
}

static CUresult granularity(size_t *bytes, const CUmemAllocationProp *properties,
			    CUmemAllocationGranularity_flags option)
{
	(void)properties, (void)option;
	*bytes = GRANULE;
	return CUDA_SUCCESS;
}

static CUresult copy_in(CUdeviceptr to, const void *from, size_t bytes)
{
	memcpy((void *)(uintptr_t)to, from, bytes);
	return CUDA_SUCCESS;
}

static CUresult copy_out(void *to, CUdeviceptr from, size_t bytes)
{
	memcpy(to, (void *)(uintptr_t)from, bytes);
	return CUDA_SUCCESS;
}

static CUresult context_push(CUcontext context)
{
	assert(context && current);
	current = context;
	return CUDA_SUCCESS;
}

static CUresult context_pop(CUcontext *context)
{
	*context = current;
	return CUDA_SUCCESS;
}

static CUresult context_current(CUcontext *context)
{
	*context = current;
	return CUDA_SUCCESS;
}

static CUresult context_device(CUdevice *device)
{
	*device = 0;
	return CUDA_SUCCESS;
}

static CUresult context_wait(void)
{
	return CUDA_SUCCESS;
}

static CUresult devices(int *count)
{
	*count = 1;
	return CUDA_SUCCESS;
}

/* It has lost all that it had. */
static void driver_make(void)
{
	if (!space) {
		uint8_t *at = mmap(NULL, (GRANULES + 1) * GRANULE, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		assert(at != MAP_FAILED);
		space = (uint8_t *)(((uintptr_t)at + GRANULE - 1) & ~(uintptr_t)(GRANULE - 1));
	}
	(void)unmap((uintptr_t)space, GRANULES * GRANULE);
	memset(taken, 0, sizeof(taken));
	room = GRANULES * GRANULE;
	pl_cuda.cuMemAddressReserve = reserve;
	pl_cuda.cuMemAddressFree = address_free;
	pl_cuda.cuMemCreate = create;
	pl_cuda.cuMemRelease = release;
	pl_cuda.cuMemMap = map;
	pl_cuda.cuMemUnmap = unmap;
	pl_cuda.cuMemSetAccess = access_set;
	pl_cuda.cuMemGetAccess = access_get;
	pl_cuda.cuMemGetAllocationGranularity = granularity;
	pl_cuda.cuMemcpyHtoD_v2 = copy_in;
	pl_cuda.cuMemcpyDtoH_v2 = copy_out;
	pl_cuda.cuCtxPushCurrent_v2 = context_push;
	pl_cuda.cuCtxPopCurrent_v2 = context_pop;
	pl_cuda.cuCtxGetCurrent = context_current;
	pl_cuda.cuCtxGetDevice = context_device;
	pl_cuda.cuCtxSynchronize = context_wait;
	pl_cuda.cuDeviceGetCount = devices;
	pl_cuda_movable_min_set();
}

/* ---- a session ---- */

struct kit {
	struct pl_worker_shared shared;
	struct pl_session_worker worker;
	struct pl_cuda_session session;
	struct pl_serve serve;
	int daemon;
	_Atomic uint64_t claimed;
};

static struct pl_cuda_device_facts facts = { .total_bytes = TOTAL };
static const struct pl_cuda_host host = { .devices_count = 1, .devices = &facts };

/* Grants everything. */
static void *daemon_run(void *arg)
{
	struct pl_hand hand, grant = { .kind = PL_HAND_GRANT };
	struct kit *kit = arg;

	while (recv(kit->daemon, &hand, sizeof(hand), 0) == (ssize_t)sizeof(hand)) {
		if (hand.kind == PL_HAND_UNCLAIM)
			atomic_fetch_sub(&kit->claimed, hand.swap[0]);
		if (hand.kind != PL_HAND_CLAIM)
			continue;
		atomic_fetch_add(&kit->claimed, hand.swap[0]);
		pl_swap_hand(&kit->worker.swap, &grant);
	}
	return NULL;
}

/* Lives as long as the process, as a worker's does. */
static struct kit *kit_make(void)
{
	struct kit *kit = calloc(1, sizeof(*kit));
	pthread_t thread;
	int pair[2];

	assert(kit && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	driver_make();
	kit->daemon = pair[0];
	kit->worker.peers.control = pair[1];
	kit->worker.shared = &kit->shared;
	kit->worker.api = &kit->session;
	kit->session.worker = &kit->worker;
	kit->session.host = &host;
	kit->serve.session = &kit->worker;
	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		atomic_store(&kit->worker.quota.limit[i], UINT64_MAX);
	assert(!pl_handles_init(&kit->worker.handles) && !pl_handles_init(&kit->session.memory) &&
	       !pl_handles_init(&kit->session.movables) && !pl_handles_init(&kit->session.smalls) &&
	       !pl_handles_init(&kit->session.parts) && !pl_handles_init(&kit->session.maps));
	current = (CUcontext)kit;
	pl_cuda_current = CONTEXT;
	assert(!pl_handles_put(&kit->worker.handles, CONTEXT, PL_CUDA_KIND_context, current, 0, NULL));
	pl_swap_init(&kit->worker.swap, &kit->worker);
	pl_swap_start(&kit->worker.swap, &pl_cuda_swap_ops, 0, true);
	pl_swap_enter(&kit->worker.swap);
	assert(!pthread_create(&thread, NULL, daemon_run, kit) && !pthread_detach(thread));
	return kit;
}

static void claimed_is(struct kit *kit, uint64_t bytes)
{
	for (int i = 0; i < 1000 && atomic_load(&kit->claimed) != bytes; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert(atomic_load(&kit->claimed) == bytes);
}

/* As cuMemAlloc(). */
static CUdeviceptr alloc(struct kit *kit, uint64_t bytes)
{
	CUdeviceptr address = 0;

	assert(pl_quota_charge(&kit->worker.quota, PL_QUOTA_MEMORY, bytes));
	assert(!pl_cuda_movable_alloc(&kit->serve, bytes, &address));
	assert(pl_cuda_memory_note(&kit->session, address, bytes, CONTEXT));
	memset((void *)(uintptr_t)address, (int)(address >> 9 ^ bytes), bytes);
	return address;
}

static void is_as_it_was(CUdeviceptr address, uint64_t bytes)
{
	const uint8_t *at = (const uint8_t *)(uintptr_t)address;

	assert(*at == (uint8_t)(address >> 9 ^ bytes) && !memcmp(at, at + 1, bytes - 1));
}

static bool end(struct kit *kit, CUdeviceptr address)
{
	int32_t status = -1;

	if (!pl_cuda_movable_free(&kit->serve, address, &status))
		return false;
	assert(!status && pl_cuda_memory_forget(&kit->session, address));
	return true;
}

static void all_out(struct kit *kit)
{
	const uint64_t wanted[PL_SWAP_DEVICES_MAX] = { UINT64_MAX };
	uint64_t moved[PL_SWAP_DEVICES_MAX] = { 0 };

	pl_cuda_swap_ops.out(&kit->worker, wanted, moved);
}

static uint64_t all_in(struct kit *kit)
{
	uint64_t moved[PL_SWAP_DEVICES_MAX] = { 0 };

	assert(!pl_cuda_swap_ops.in(&kit->worker, moved));
	return moved[0];
}

/* ---- slabs ---- */

static void test_small_ones_share_a_slab(void)
{
	struct kit *kit = kit_make();
	CUdeviceptr a = alloc(kit, 1), b = alloc(kit, 513), c = alloc(kit, 512), large;

	assert(b == a + 512 && c == b + 1024);
	claimed_is(kit, GRANULE);
	assert(pl_cuda_movable_holds(&kit->session, b + 5, 1) && !end(kit, a + 512 + 256) && !end(kit, a + 256));
	assert(end(kit, a) && !end(kit, a) && end(kit, b));
	assert(alloc(kit, 1536) == a); /* first fit, in what two have left */
	large = alloc(kit, GRANULE - 512);
	claimed_is(kit, 2 * GRANULE);
	assert(alloc(kit, 512) == c + 512); /* the first slab still has room */
	assert(large / GRANULE != a / GRANULE);
	is_as_it_was(c, 512);
	is_as_it_was(large, GRANULE - 512);
	assert(kit->worker.quota.used[PL_QUOTA_MEMORY] == 1536 + 512 + 512 + GRANULE - 512);
}

static void test_one_empty_slab_stays(void)
{
	struct kit *kit = kit_make();
	CUdeviceptr a, b, c;

	for (int i = 0; i < 1000; i++)
		assert(end(kit, alloc(kit, 1 + (uint64_t)i)));
	claimed_is(kit, GRANULE);
	a = alloc(kit, GRANULE - 1);
	b = alloc(kit, GRANULE - 1);
	c = alloc(kit, GRANULE - 1);
	claimed_is(kit, 3 * GRANULE);
	assert(end(kit, b) && end(kit, a));
	claimed_is(kit, 2 * GRANULE);
	assert(pl_cuda_slabs_trim(&kit->session) && !pl_cuda_slabs_trim(&kit->session));
	claimed_is(kit, GRANULE);
	is_as_it_was(c, GRANULE - 1);
	pl_cuda_memory_context_left(&kit->session, CONTEXT);
	claimed_is(kit, 0);
	assert(!kit->session.slabs && !kit->session.movables.count && !kit->session.smalls.count &&
	       !kit->worker.quota.used[PL_QUOTA_MEMORY] && !memchr(taken, 1, sizeof(taken)));
}

static void test_the_driver_has_no_room_but_a_slab_has(void)
{
	struct kit *kit = kit_make();

	assert(end(kit, alloc(kit, 100)));
	claimed_is(kit, GRANULE);
	room = 2 * GRANULE;
	(void)alloc(kit, 3 * GRANULE);
	claimed_is(kit, 3 * GRANULE);
}

/* ---- save and load ---- */

struct stream {
	uint8_t *bytes;
	uint64_t count, room, at;
};

static int put(void *arg, const void *data, uint64_t bytes)
{
	struct stream *stream = arg;

	while (stream->count + bytes > stream->room) {
		stream->room = stream->room * 2 + bytes;
		stream->bytes = realloc(stream->bytes, stream->room);
		assert(stream->bytes);
	}
	memcpy(stream->bytes + stream->count, data, bytes);
	stream->count += bytes;
	return 0;
}

static int get(void *arg, void *data, uint64_t bytes)
{
	struct stream *stream = arg;

	if (bytes > stream->count - stream->at)
		return -EPIPE;
	memcpy(data, stream->bytes + stream->at, bytes);
	stream->at += bytes;
	return 0;
}

static int load(struct kit *kit, struct stream *stream, uint64_t *bytes_out)
{
	uint64_t bytes[PL_SWAP_DEVICES_MAX];
	int r;

	stream->at = 0;
	r = pl_cuda_movables_load(&kit->session, get, stream, bytes);
	*bytes_out = bytes[0];
	return r;
}

static void test_what_was_saved_is_there_again(void)
{
	static const uint64_t sizes[] = { 1, 700, 5u << 20, 66u << 20, 512, 1u << 20, 3000, 2u << 20 };
	CUdeviceptr at[sizeof(sizes) / sizeof(sizes[0])], gone;
	struct kit *kit = kit_make();
	struct stream stream = { 0 };
	uint64_t charged, bytes;

	gone = alloc(kit, 100);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		at[i] = alloc(kit, sizes[i]);
	assert(end(kit, gone));
	charged = kit->worker.quota.used[PL_QUOTA_MEMORY];
	assert(pl_cuda_movables_save(&kit->session, put, &stream) == -EBUSY && !stream.count);
	all_out(kit);
	assert(!pl_cuda_movables_save(&kit->session, put, &stream));
	kit = kit_make();
	assert(!load(kit, &stream, &bytes) && stream.at == stream.count);
	assert(bytes == (2 + 6 + 66 + 2) * (1u << 20) && all_in(kit) == bytes);
	assert(kit->worker.quota.used[PL_QUOTA_MEMORY] == charged);
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		is_as_it_was(at[i], sizes[i]);
	assert(alloc(kit, 10) == gone && !end(kit, at[0] + 256));
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		assert(end(kit, at[i]) && !end(kit, at[i]));
	assert(kit->worker.quota.used[PL_QUOTA_MEMORY] == 10);
	free(stream.bytes);
}

/* A slab with two small ones, and one that is not small. */
static struct stream few_saved(void)
{
	struct kit *kit = kit_make();
	struct stream stream = { 0 };

	(void)alloc(kit, 600);
	(void)alloc(kit, 600);
	(void)alloc(kit, GRANULE);
	all_out(kit);
	assert(!pl_cuda_movables_save(&kit->session, put, &stream));
	return stream;
}

static void test_what_is_not_to_be_had_again_is_an_error(void)
{
	struct stream stream = few_saved();
	struct kit *kit = kit_make();
	CUdeviceptr other;
	uint64_t bytes;

	assert(!reserve(&other, GRANULE, 0, 0, 0)); /* the first address */
	assert(load(kit, &stream, &bytes) == -EADDRINUSE);
	kit = kit_make();
	atomic_store(&kit->worker.quota.limit[PL_QUOTA_MEMORY], GRANULE + 600);
	assert(load(kit, &stream, &bytes) == -ENOMEM);
	kit = kit_make();
	facts.total_bytes = GRANULE;
	assert(load(kit, &stream, &bytes) == -EPROTO);
	facts.total_bytes = TOTAL;
	kit = kit_make();
	stream.count--;
	assert(load(kit, &stream, &bytes) == -EPIPE);
	free(stream.bytes);
}

/* Each word of each note is something else, one at a time. */
static void test_nonsense_is_found(void)
{
	static const uint64_t others[] = { 0, 1, 511, 512, GRANULE, GRANULE + 512, 1ull << 40, UINT64_MAX };
	struct stream stream = few_saved();
	const uint64_t notes[] = { 0, 16, 16 + 32 + GRANULE, stream.count - 3 * 32 };
	uint32_t refused = 0;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		uint64_t past = i == 0 ? 16 : i == 3 ? notes[i] + 3 * 32 : notes[i] + 32;

		for (uint64_t at = notes[i]; at < past; at += 8) {
			uint64_t was, bytes;

			memcpy(&was, stream.bytes + at, 8);
			for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
				struct kit *kit;
				int r;

				if (others[j] == was)
					continue;
				kit = kit_make();
				memcpy(stream.bytes + at, &others[j], 8);
				r = load(kit, &stream, &bytes);
				assert(!r || r == -EPROTO || r == -EPIPE || r == -EADDRINUSE || r == -ENOMEM);
				refused += r != 0;
				if (!r) /* another place in the slab, for one */
					(void)all_in(kit);
			}
			memcpy(stream.bytes + at, &was, 8);
		}
	}
	assert(refused > 100);
	free(stream.bytes);
}

/* ---- parts ---- */

/* As cuMemCreate() and, if there is an address, cuMemMap(). */
static struct pl_cuda_part *part_make(struct kit *kit, uint64_t id, CUdeviceptr at, uint64_t bytes)
{
	struct pl_cuda_part *part = calloc(1, sizeof(*part));
	struct pl_cuda_map *map_of;

	assert(part);
	*part = (struct pl_cuda_part){ .bytes = bytes, .refs = 1 };
	part->properties.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
	assert(!pl_cuda_part_claim(&kit->serve, part) && part->movable);
	assert(!create(&part->handle, bytes, &part->properties, 0));
	if (id)
		assert(!pl_handles_put(&kit->session.parts, id, PL_CUDA_PART, part, 0, NULL));
	if (!at)
		return part;
	map_of = calloc(1, sizeof(*map_of));
	assert(map_of);
	*map_of = (struct pl_cuda_map){ .part = part, .bytes = bytes };
	assert(!map(at, bytes, 0, part->handle, 0) &&
	       !pl_handles_put(&kit->session.maps, at, PL_CUDA_MAP, map_of, 0, NULL));
	return part;
}

static void test_content_of_parts_is_there_again(void)
{
	struct kit *kit = kit_make();
	struct stream stream = { 0 };
	CUdeviceptr at[2];

	assert(!reserve(&at[0], 66u << 20, 0, 0, 0) && !reserve(&at[1], GRANULE, 0, 0, 0));
	(void)part_make(kit, HANDLE, at[0], 66u << 20);
	(void)part_make(kit, 0, at[1], GRANULE); /* that only its mapping has */
	memset((void *)(uintptr_t)at[0], 5, 66u << 20);
	memset((void *)(uintptr_t)at[1], 6, GRANULE);
	assert(pl_cuda_parts_save(&kit->session, put, &stream) == -EBUSY && !stream.count);
	all_out(kit);
	assert(!pl_cuda_parts_save(&kit->session, put, &stream));
	kit = kit_make();
	assert(pl_cuda_parts_load(&kit->session, get, &stream) == -EPROTO); /* no such parts */
	assert(!reserve(&at[0], 66u << 20, 0, at[0], 0) && !reserve(&at[1], GRANULE, 0, at[1], 0));
	(void)part_make(kit, HANDLE, at[0], 66u << 20);
	(void)part_make(kit, 0, at[1], GRANULE);
	stream.at = 0;
	assert(!pl_cuda_parts_load(&kit->session, get, &stream) && stream.at == stream.count);
	for (int i = 0; i < 2; i++) {
		const uint8_t *seen = (const uint8_t *)(uintptr_t)at[i];

		assert(*seen == 5 + i && !memcmp(seen, seen + 1, (i ? GRANULE : 66u << 20) - 1));
	}
	all_out(kit); /* also where it has left again */
	stream.at = 0;
	assert(!pl_cuda_parts_load(&kit->session, get, &stream));
	stream.count -= 1;
	stream.at = 0;
	assert(pl_cuda_parts_load(&kit->session, get, &stream) == -EPIPE);
	kit = kit_make();
	(void)part_make(kit, HANDLE, 0, GRANULE); /* of another size */
	stream.at = 0;
	assert(pl_cuda_parts_load(&kit->session, get, &stream) == -EPROTO);
	free(stream.bytes);
}

int main(void)
{
	test_small_ones_share_a_slab();
	test_one_empty_slab_stays();
	test_the_driver_has_no_room_but_a_slab_has();
	test_what_was_saved_is_there_again();
	test_what_is_not_to_be_had_again_is_an_error();
	test_nonsense_is_found();
	test_content_of_parts_is_there_again();
	return 0;
}
