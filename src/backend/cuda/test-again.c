/*
 * A session of the reference GPU's is written to a file by one process and goes on in another: objects, what memory,
 * arrays and variables contain, and what the journal says.  And what can not be noted or said again hinders that.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/cuda/backend.h"
#include "backend/cuda/checkpoint.h"
#include "backend/cuda/swap.h"
#include "cuda/image.h"
#include "cuda/sampling.h"
#include "wire/cuda-node.h"

#define SMALL_BYTES 5000u
#define LARGE_BYTES (5u << 20)
#define PART_BYTES  (2u << 20)

static const char ptx[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
			  ".visible .global .align 4 .b8 variable[64];\n"
			  ".visible .entry k()\n{\n\tret;\n}\n";

/* ---- a lane that keeps the last answer ---- */

static struct {
	struct pl_lane base;
	uint8_t room[PL_WIRE_RECORD_MAX];
	const uint8_t *payload;
} lane;

static int lane_reserve(struct pl_lane *base, uint32_t bytes, void **room_out)
{
	(void)base;
	assert(bytes <= sizeof(lane.room));
	*room_out = lane.room;
	return 0;
}

static int lane_commit(struct pl_lane *base, uint32_t bytes, enum pl_lane_how how)
{
	(void)base, (void)bytes, (void)how;
	return 0;
}

static int lane_send_bulk(struct pl_lane *base, const void *data, uint64_t bytes)
{
	(void)base, (void)data, (void)bytes;
	return 0;
}

static int lane_recv_bulk(struct pl_lane *base, void *data, uint64_t bytes)
{
	(void)base;
	if (lane.payload)
		memcpy(data, lane.payload, bytes);
	else
		memset(data, 0, bytes);
	return 0;
}

static void lane_nothing(struct pl_lane *base)
{
	(void)base;
}

static const struct pl_lane_ops lane_ops = {
	.name = "test",
	.reserve = lane_reserve,
	.commit = lane_commit,
	.send_bulk = lane_send_bulk,
	.recv_bulk = lane_recv_bulk,
	.shutdown = lane_nothing,
};

static const void *answer_fields(void)
{
	return lane.room + sizeof(struct pl_wire_head) + sizeof(struct pl_wire_reply);
}

static uint64_t answer_bytes(void)
{
	struct pl_wire_head head;

	memcpy(&head, lane.room, sizeof(head));
	return head.len_bytes - sizeof(head) - sizeof(struct pl_wire_reply);
}

static int32_t answer_status(void)
{
	struct pl_wire_reply reply;

	memcpy(&reply, lane.room + sizeof(struct pl_wire_head), sizeof(reply));
	return reply.status;
}

/* ---- a session ---- */

static struct pl_worker_shared shared;
static struct pl_session_worker worker;
static struct pl_serve serve = { .session = &worker, .lane = &lane.base };
static int daemon_fd;

static void *daemon_run(void *arg)
{
	struct pl_hand hand, grant = { .kind = PL_HAND_GRANT };

	(void)arg;
	while (recv(daemon_fd, &hand, sizeof(hand), 0) == (ssize_t)sizeof(hand))
		if (hand.kind == PL_HAND_CLAIM)
			pl_swap_hand(&worker.swap, &grant);
	return NULL;
}

static struct pl_cuda_session *session_make(const char *driver)
{
	int pair[2], error = dup(STDERR_FILENO);
	pthread_t thread;

	lane.base.ops = &lane_ops;
	assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	daemon_fd = pair[0];
	worker.peers.control = pair[1];
	worker.shared = &shared;
	worker.backend = &pl_backend_cuda;
	worker.reverse = &lane.base;
	pthread_mutex_init(&worker.reverse_lock, NULL);
	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		atomic_store(&worker.quota.limit[i], UINT64_MAX);
	assert(!pl_handles_init(&worker.handles));
	assert(!pl_backend_cuda.open(&worker.state, driver));
	pl_swap_init(&worker.swap, &worker);
	pl_swap_start(&worker.swap, &pl_cuda_swap_ops, 0, true);
	assert(!pthread_create(&thread, NULL, daemon_run, NULL) && !pthread_detach(thread));
	assert(!pl_backend_cuda.session(worker.state, &worker));
	assert(!pl_checkpoint_start(&worker, &pl_cuda_checkpoint_ops));
	assert(dup2(error, STDERR_FILENO) == STDERR_FILENO); /* the backend has made it a pipe */
	return worker.api;
}

/* ---- calls ---- */

static uint64_t record[PL_WIRE_RECORD_MAX / 8];

static struct pl_wire_head *head_make(uint16_t op, uint64_t fields_bytes, uint64_t bulk_bytes)
{
	struct pl_wire_head *head = (struct pl_wire_head *)record;

	*head = (struct pl_wire_head){ .len_bytes = (uint32_t)(sizeof(*head) + fields_bytes),
				       .op = op,
				       .flags = PL_WIRE_ASK,
				       .bulk_bytes = bulk_bytes };
	return head;
}

static void serve_begin(struct pl_wire_head *head)
{
	serve.head = head;
	serve.replied = false;
	serve.asked = true;
	serve.after_left_bytes = head->bulk_bytes;
	serve.dec = (struct pl_dec){ .at = (const uint8_t *)(head + 1),
				     .end = (const uint8_t *)head + head->len_bytes,
				     .after_bytes = head->bulk_bytes };
}

static int32_t made(void)
{
	serve_begin((struct pl_wire_head *)record);
	pl_swap_enter(&worker.swap);
	pl_checkpoint_call_begins(&serve, true);
	pl_backend_cuda.call(&serve);
	pl_checkpoint_call_ends(&serve);
	pl_swap_leave(&worker.swap);
	return serve.replied ? answer_status() : serve.kept.status;
}

#define CALL(name, ...) call_as(name, PL_CUDA_OP_##name, __VA_ARGS__)
#define call_as(name, op, ...)                                                                                         \
	({                                                                                                             \
		struct pl_cuda_##name##_args a = { __VA_ARGS__ };                                                      \
		struct pl_enc enc = { .at = (uint8_t *)(head_make((op), pl_cuda_##name##_bytes(&a),                    \
								  lane.payload ? payload_bytes : 0) +                  \
							1) };                                                          \
		pl_cuda_##name##_put(&enc, &a);                                                                        \
		made();                                                                                                \
	})

static uint64_t payload_bytes;

static uint64_t first_word(void)
{
	uint64_t word;

	memcpy(&word, answer_fields(), sizeof(word));
	return word;
}

/* ---- the two processes ---- */

struct facts { /* what the program knows */
	uint64_t small, large, gone, reserved, variable, pitched, host, other, texture;
};

static void fill(CUdeviceptr address, uint64_t bytes, uint8_t with)
{
	assert(!pl_cuda.cuMemsetD8_v2(address, with, bytes));
	assert(!pl_cuda.cuCtxSynchronize());
}

static void is_filled(CUdeviceptr address, uint64_t bytes, uint8_t with)
{
	uint8_t *host = malloc(bytes);

	assert(host && !pl_cuda.cuMemcpyDtoH_v2(host, address, bytes));
	assert(host[0] == with && !memcmp(host, host + 1, bytes - 1));
	free(host);
}

static CUDA_MEMCPY3D array_copy(uint8_t *host, bool in)
{
	CUDA_MEMCPY3D copy = { .WidthInBytes = 64, .Height = 4, .Depth = 1 };
	int32_t status;
	void *array;

	assert(pl_cuda_take(&serve, 50, PL_CUDA_KIND_array, &array, &status));
	copy.srcMemoryType = in ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_ARRAY;
	copy.dstMemoryType = in ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_HOST;
	copy.srcArray = copy.dstArray = array;
	copy.srcHost = copy.dstHost = host;
	copy.srcPitch = copy.dstPitch = 64;
	return copy;
}

static void array_fill(void)
{
	uint8_t host[256];
	CUDA_MEMCPY3D copy = array_copy(host, true);

	memset(host, 0x88, sizeof(host));
	assert(!pl_cuda.cuMemcpy3D_v2(&copy));
}

static void array_is_filled(void)
{
	uint8_t host[256] = { 0 };
	CUDA_MEMCPY3D copy = array_copy(host, false);

	assert(!pl_cuda.cuMemcpy3D_v2(&copy));
	for (int i = 0; i < 256; i++)
		assert(host[i] == 0x88);
}

static void module_load(uint64_t id)
{
	void *packed;
	size_t bytes;

	assert(!pl_cuda_image_pack(ptx, &packed, &bytes));
	lane.payload = packed;
	payload_bytes = bytes;
	assert(!CALL(cuModuleLoadDataEx, .image_hash = pl_cuda_image_hash(packed, bytes), .image_bytes = bytes,
		     .module = id, .image = { .kind = PL_BULK_AFTER, .bytes = bytes }));
	assert(!first_word());
	lane.payload = NULL;
	payload_bytes = 0;
	free(packed);
}

static void memory_make(struct facts *facts)
{
	assert(!CALL(cuMemAlloc_v2, .bytes = SMALL_BYTES));
	facts->small = first_word();
	assert(!CALL(cuMemAlloc_v2, .bytes = SMALL_BYTES));
	facts->gone = first_word();
	assert(!CALL(cuMemAlloc_v2, .bytes = LARGE_BYTES));
	facts->large = first_word();
	assert(!CALL(cuMemFree_v2, .address = facts->gone));
	fill(facts->small, SMALL_BYTES, 0x11);
	fill(facts->large, LARGE_BYTES, 0x22);
	assert(!CALL(cuMemAddressReserve, .bytes = 2 * PART_BYTES));
	facts->reserved = first_word();
	assert(!CALL(
		cuMemCreate, .handle = 20, .bytes = PART_BYTES,
		.properties = { .type = CU_MEM_ALLOCATION_TYPE_PINNED, .location_type = CU_MEM_LOCATION_TYPE_DEVICE }));
	assert(!CALL(cuMemMap, .address = facts->reserved, .bytes = PART_BYTES, .handle = 20));
	assert(!pl_cuda.cuMemSetAccess(facts->reserved, PART_BYTES,
				       &(CUmemAccessDesc){ .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE },
							   .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE },
				       1));
	fill(facts->reserved, PART_BYTES, 0x33);
	assert(!CALL(cuMemAllocPitch_v2, .width = 100, .height = 50, .element_bytes = 4));
	facts->pitched = first_word();
	fill(facts->pitched, 5000, 0x55);
	facts->host = 0x7d0000000000u;
	assert(!CALL(plHostPlace, .address = facts->host, .size = 8192));
	memset((void *)(uintptr_t)facts->host, 0x66, 8192);
}

/* A graph that is captured and one that is made, both of which fill memory, are changed, and go; what was made ready to
 * run of them stays. */
static void graphs_make(const struct facts *facts)
{
	struct pl_cuda_node_fill node = {
		.address = facts->small, .width = SMALL_BYTES, .height = 1, .value = 0x77, .element_bytes = 1
	};

	assert(!CALL(cuStreamBeginCapture_v2, .stream = 30, .mode = CU_STREAM_CAPTURE_MODE_RELAXED));
	assert(!CALL(cuMemsetD8Async, .dst = facts->large, .value = 0x78, .count = LARGE_BYTES, .stream = 30));
	assert(!CALL(cuMemsetD8Async, .dst = facts->pitched, .value = 0x55, .count = 100, .stream = 33));
	assert(!CALL(plCurrent, .context = 1)); /* beside it */
	assert(!CALL(cuStreamEndCapture, .stream = 30, .graph = 60));
	assert(!CALL(cuGraphInstantiate, .graph = 60, .exec = 61));
	assert(!CALL(cuGraphDestroy, .graph = 60));

	assert(!CALL(cuStreamBeginCapture_v2, .stream = 30, .mode = CU_STREAM_CAPTURE_MODE_RELAXED));
	assert(!CALL(cuMemsetD8Async, .dst = facts->large, .value = 0x79, .count = LARGE_BYTES, .stream = 30));
	assert(!CALL(cuStreamEndCapture, .stream = 30, .graph = 62));
	assert(!CALL(cuGraphDestroy, .graph = 62));

	assert(!CALL(cuGraphCreate, .graph = 64));
	assert(!CALL(cuGraphAddNode, .graph = 64, .kind = CU_GRAPH_NODE_TYPE_MEMSET, .node = 65, .context = 1,
		     .params = { &node, sizeof(node) }));
	node.value = 0x7a;
	assert(!call_as(cuGraphNodeSetParams, PL_CUDA_OP_cuGraphMemsetNodeSetParams, .node = 65,
			.kind = CU_GRAPH_NODE_TYPE_MEMSET, .context = 1, .params = { &node, sizeof(node) }));
	assert(!CALL(cuGraphInstantiate, .graph = 64, .exec = 66));
	assert(!CALL(cuGraphDestroy, .graph = 64));

	node.address = facts->pitched;
	node.width = 5000;
	assert(!CALL(cuGraphCreate, .graph = 90));
	assert(!CALL(cuGraphAddNode, .graph = 90, .kind = CU_GRAPH_NODE_TYPE_MEMSET, .node = 91, .context = 1,
		     .params = { &node, sizeof(node) }));
	assert(!CALL(cuGraphInstantiate, .graph = 90, .exec = 92));
	assert(!CALL(cuGraphDestroy, .graph = 90));
}

/* A capture that fails; contexts of the program's own, one of which goes with all that it has; textures. */
static void more_make(struct facts *facts)
{
	assert(!CALL(cuStreamBeginCapture_v2, .stream = 30, .mode = CU_STREAM_CAPTURE_MODE_RELAXED));
	assert(CALL(cuStreamSynchronize, .stream = 30));
	assert(CALL(cuStreamEndCapture, .stream = 30, .graph = 71));
	assert(!CALL(cuCtxCreate_v2, .context = 80, .device = 1));
	assert(!CALL(plCurrent, .context = 80));
	assert(!CALL(cuMemAlloc_v2, .bytes = SMALL_BYTES));
	assert(!CALL(cuStreamCreate, .stream = 81));
	assert(!CALL(cuCtxDestroy_v2, .context = 80));
	assert(!CALL(cuCtxCreate_v2, .context = 82, .device = 1));
	assert(!CALL(plCurrent, .context = 82));
	assert(!CALL(cuMemAlloc_v2, .bytes = SMALL_BYTES));
	facts->other = first_word();
	fill(facts->other, SMALL_BYTES, 0x99);
	assert(!CALL(cuStreamCreate, .stream = 83));
	assert(!CALL(plCurrent, .context = 1));
}

static uint64_t texture_make(void)
{
	const CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY };
	const CUDA_TEXTURE_DESC sampling = { .filterMode = CU_TR_FILTER_MODE_POINT };
	struct pl_cuda_texels_record texels = pl_cuda_texels_pack(&resource);

	texels.array = 50;
	assert(!CALL(cuTexObjectCreate, .resource = texels, .sampling = pl_cuda_sampling_pack(&sampling), .given = 3));
	return first_word();
}

/* The second one keeps its number where the first is not made again. */
static void textures_make(struct facts *facts)
{
	uint64_t gone = texture_make();

	facts->texture = texture_make();
	assert(gone != facts->texture);
	assert(!CALL(cuTexObjectDestroy, .texture = gone));
}

static void objects_make(struct facts *facts)
{
	CUdeviceptr variable = 0;
	CUmodule module;
	size_t bytes;
	int32_t status;

	module_load(10);
	assert(pl_cuda_take(&serve, 10, PL_CUDA_KIND_module, (void **)&module, &status));
	assert(!pl_cuda.cuModuleGetGlobal_v2(&variable, &bytes, module, "variable") && bytes == 64);
	facts->variable = variable;
	fill(facts->variable, 64, 0x44);
	assert(!CALL(cuStreamCreate, .stream = 30));
	assert(!CALL(cuStreamCreate, .stream = 33, .flags = CU_STREAM_NON_BLOCKING));
	assert(!CALL(cuStreamCreate, .stream = 31));
	assert(!CALL(cuStreamDestroy_v2, .stream = 31));
	assert(!CALL(cuEventCreate, .event = 32));
	assert(!CALL(cuGraphCreate, .graph = 40));
	assert(!CALL(cuGraphAddNode, .graph = 40, .kind = CU_GRAPH_NODE_TYPE_EMPTY, .node = 41));
	assert(!CALL(cuGraphInstantiate, .graph = 40, .exec = 42));
	assert(!CALL(cuGraphDestroy, .graph = 40));
	assert(!CALL(
		cuArrayCreate_v2, .handle = 50, .given = 1,
		.descriptor = { .Width = 64, .Height = 4, .Format = CU_AD_FORMAT_UNSIGNED_INT8, .NumChannels = 1 }));
	array_fill();
	textures_make(facts);
}

/* What can not be written down is found before anything is written. */
static void hindrances_are_found(void)
{
	uint64_t address;

	assert(!CALL(cuMemAllocAsync, .bytes = 4096, .stream = 30));
	address = first_word();
	assert(strstr(pl_cuda_checkpoint_ops.hindrance(&worker), "pool"));
	assert(!CALL(cuMemFreeAsync, .address = address, .stream = 30));
	assert(!CALL(cuStreamBeginCapture_v2, .stream = 30, .mode = CU_STREAM_CAPTURE_MODE_RELAXED));
	assert(strstr(pl_cuda_checkpoint_ops.hindrance(&worker), "captured"));
	assert(!CALL(cuStreamEndCapture, .stream = 30, .graph = 70));
	assert(!CALL(cuGraphDestroy, .graph = 70));
	assert(!CALL(plManagedAlloc, .size = 4096, .flags = CU_MEM_ATTACH_GLOBAL));
	address = first_word();
	assert(strstr(pl_cuda_checkpoint_ops.hindrance(&worker), "managed"));
	assert(!CALL(cuMemFree_v2, .address = address));
	assert(!CALL(cuGraphCreate, .graph = 95));
	assert(!CALL(cuGraphConditionalHandleCreate, .graph = 95, .context = 1));
	assert(strstr(pl_cuda_checkpoint_ops.hindrance(&worker), "conditional"));
	assert(!CALL(cuGraphDestroy, .graph = 95));
}

static void all_save(int fd)
{
	uint64_t all[PL_SWAP_DEVICES_MAX], moved[PL_SWAP_DEVICES_MAX] = { 0 };
	struct pl_checkpoint_file *file = pl_checkpoint_file_create(fd);
	const char *why;

	memset(all, 0xff, sizeof(all));
	pl_cuda_swap_ops.out(&worker, all, moved);
	why = pl_cuda_checkpoint_ops.hindrance(&worker);
	if (why)
		fprintf(stderr, "%s\n", why);
	assert(!why && file);
	assert(!pl_journal_prune(worker.checkpoint->journal));
	assert(!pl_journal_write(worker.checkpoint->journal, pl_checkpoint_put, file));
	assert(!pl_cuda_checkpoint_ops.save(&worker, file));
	assert(!pl_checkpoint_file_end(file));
	pl_checkpoint_file_destroy(file);
}

static void first(const char *driver, const int fds[2], struct facts *facts)
{
	session_make(driver);
	assert(!CALL(cuDevicePrimaryCtxRetain, .device = 1, .context = 1));
	assert(!CALL(plCurrent, .context = 1));
	memory_make(facts);
	objects_make(facts);
	graphs_make(facts);
	more_make(facts);
	hindrances_are_found();
	all_save(fds[0]);
}

static int call_again(const struct pl_journal_record *of, void *arg)
{
	uint64_t length, fields = of->body_bytes - 8;
	struct pl_wire_head *head;

	(void)arg;
	memcpy(&length, of->body, 8);
	head = head_make(of->op, fields, length);
	memcpy(head + 1, (const uint8_t *)of->body + 8, fields);
	serve = (struct pl_serve){ .session = &worker, .lane = &lane.base };
	serve_begin(head);
	memset(lane.room, 0, 64);
	assert(!pl_cuda_checkpoint_ops.again(&serve, of));
	pl_backend_cuda.call(&serve);
	assert(pl_cuda_checkpoint_ops.same(&serve, of, answer_status(), answer_fields(), answer_bytes()));
	return 0;
}

static void all_load(const char *driver, int fd)
{
	uint64_t bytes[PL_SWAP_DEVICES_MAX] = { 0 }, moved[PL_SWAP_DEVICES_MAX] = { 0 };
	struct pl_checkpoint_file *file = pl_checkpoint_file_create(fd);

	assert(!lseek(fd, 0, SEEK_SET));
	session_make(driver);
	pl_journal_destroy(worker.checkpoint->journal);
	assert(!pl_journal_read(pl_checkpoint_get, file, &worker.checkpoint->journal, pl_cuda_checkpoint_key));
	assert(!pl_cuda_checkpoint_ops.load(&worker, file));
	assert(!pl_journal_each(worker.checkpoint->journal, call_again, NULL));
	assert(!pl_cuda_checkpoint_ops.loaded(&worker, file, bytes));
	assert(pl_checkpoint_file_good(file));
	pl_checkpoint_file_destroy(file);
	assert(bytes[0] >= SMALL_BYTES + LARGE_BYTES + PART_BYTES);
	assert(!pl_cuda_swap_ops.in(&worker, moved));
	assert(moved[0] == bytes[0]);
}

/* Nothing is done with it, and it is written once more. */
static void second(const char *driver, const int fds[2], struct facts *facts)
{
	(void)facts;
	all_load(driver, fds[0]);
	all_save(fds[1]);
}

static void third(const char *driver, const int fds[2], struct facts *facts)
{
	int32_t status;
	void *object;

	all_load(driver, fds[1]);
	pl_cuda_checkpoint_ops.lane(&serve, 1);
	assert(pl_cuda_current == 1);
	is_filled(facts->small, SMALL_BYTES, 0x11);
	is_filled(facts->large, LARGE_BYTES, 0x22);
	is_filled(facts->reserved, PART_BYTES, 0x33);
	is_filled(facts->variable, 64, 0x44);
	is_filled(facts->pitched, 5000, 0x55);
	is_filled(facts->other, SMALL_BYTES, 0x99);
	assert(!pl_cuda_take(&serve, 81, PL_CUDA_KIND_stream, &object, &status));
	assert(pl_cuda_take(&serve, 83, PL_CUDA_KIND_stream, &object, &status));
	assert(*(uint8_t *)(uintptr_t)facts->host == 0x66 && *(uint8_t *)(uintptr_t)(facts->host + 8191) == 0x66);
	assert(!CALL(cuMemFreeHost, .host = facts->host));
	array_is_filled();
	assert(!CALL(cuGraphLaunch, .exec = 61, .stream = 30));
	assert(!CALL(cuGraphLaunch, .exec = 66, .stream = 30));
	assert(!CALL(cuGraphLaunch, .exec = 92, .stream = 30));
	assert(!CALL(cuStreamSynchronize, .stream = 30));
	is_filled(facts->large, LARGE_BYTES, 0x78);
	is_filled(facts->small, SMALL_BYTES, 0x7a);
	is_filled(facts->pitched, 5000, 0x7a);
	assert(!pl_cuda_take(&serve, 31, PL_CUDA_KIND_stream, &object, &status));
	assert(!CALL(cuGraphLaunch, .exec = 42, .stream = 30));
	assert(!CALL(cuStreamSynchronize, .stream = 30));
	assert(!CALL(cuMemFree_v2, .address = facts->large));
	assert(!CALL(cuMemFree_v2, .address = facts->small));
	assert(!CALL(cuTexObjectDestroy, .texture = facts->texture));
	assert(!CALL(cuArrayDestroy, .array = 50));
}

/* ---- what hinders it for good: each in a process of its own ---- */

static struct pl_cuda_session *begun(const char *driver)
{
	struct pl_cuda_session *session = session_make(driver);

	assert(!CALL(cuDevicePrimaryCtxRetain, .device = 1, .context = 1));
	assert(!CALL(plCurrent, .context = 1));
	assert(pl_journal_is_whole(worker.checkpoint->journal) && !pl_cuda_checkpoint_ops.hindrance(&worker));
	return session;
}

/* Its group would not be known. */
static void graph_unnoted(const char *driver, const int fds[2], struct facts *facts)
{
	struct pl_cuda_session *session = begun(driver);

	(void)fds, (void)facts;
	session->kept.groups.count = PL_HANDLES_MAX;
	assert(!CALL(cuGraphCreate, .graph = 40));
	assert(!pl_journal_is_whole(worker.checkpoint->journal));
}

/* Nor its variables. */
static void module_unnoted(const char *driver, const int fds[2], struct facts *facts)
{
	struct pl_cuda_session *session = begun(driver);

	(void)fds, (void)facts;
	session->kept.sources.count = PL_HANDLES_MAX;
	module_load(10);
	assert(!pl_journal_is_whole(worker.checkpoint->journal));
}

/* A call of a class that leaves nothing behind costs nothing, and is noted all the same where it does. */
static void nothing_left_behind(const char *driver, const int fds[2], struct facts *facts)
{
	struct pl_journal *journal;
	uint64_t count;

	(void)fds, (void)facts;
	begun(driver);
	journal = worker.checkpoint->journal;
	count = pl_journal_count(journal);
	for (int i = 0; i < 2; i++) {
		serve_begin(head_make(PL_CUDA_OP_cuCtxSynchronize, 0, 0));
		pl_checkpoint_call_begins(&serve, true);
		assert(!serve.kept.noted);
		if (i)
			pl_checkpoint_made(0x777, 1);
		pl_checkpoint_call_ends(&serve);
		assert(pl_journal_count(journal) == count + (uint64_t)i);
	}
}

static int way; /* of those below */

/* All calls are said again by one thread. */
static void stream_of_a_thread(const char *driver, const int fds[2], struct facts *facts)
{
	CUstreamAttrValue value = { .syncPolicy = CU_SYNC_POLICY_YIELD };
	const struct pl_bytes bytes = { &value, sizeof(value) };
	const uint64_t legacy = (uintptr_t)CU_STREAM_LEGACY, own = (uintptr_t)CU_STREAM_PER_THREAD;

	(void)fds, (void)facts;
	begun(driver);
	assert(!CALL(cuStreamSetAttribute, .stream = legacy, .attribute = CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY,
		     .value = bytes));
	assert(!CALL(cuStreamCopyAttributes, .dst_stream = legacy, .src_stream = own));
	assert(!pl_cuda_checkpoint_ops.hindrance(&worker));
	if (way == 2)
		assert(!CALL(cuStreamCopyAttributes, .dst_stream = own, .src_stream = legacy));
	else
		assert(!CALL(cuStreamSetAttribute, .stream = way ? own : 0, .per_thread = !way,
			     .attribute = CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY, .value = bytes));
	assert(strstr(pl_cuda_checkpoint_ops.hindrance(&worker), "default stream"));
}

static void run(void (*part)(const char *, const int[2], struct facts *), const char *driver, const int fds[2],
		struct facts *facts)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	assert(child >= 0);
	if (!child) {
		part(driver, fds, facts);
		_exit(0);
	}
	assert(waitpid(child, &status, 0) == child);
	assert(WIFEXITED(status) && !WEXITSTATUS(status));
}

static int file_make(void)
{
	char path[] = "/tmp/plenum-again-XXXXXX";
	int fd = mkstemp(path);

	assert(fd >= 0 && !unlink(path));
	return fd;
}

int main(int argc, char **argv)
{
	struct facts *facts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const int fds[] = { file_make(), file_make() };

	assert(argc == 2 && facts != MAP_FAILED);
	run(first, argv[1], fds, facts);
	run(second, argv[1], fds, facts);
	run(third, argv[1], fds, facts);
	run(graph_unnoted, argv[1], fds, facts);
	run(module_unnoted, argv[1], fds, facts);
	run(nothing_left_behind, argv[1], fds, facts);
	for (way = 0; way < 3; way++)
		run(stream_of_a_thread, argv[1], fds, facts);
	return 0;
}
