/* CUDA: objects, ranges and images that lie, and calls out of their order. */
#include "calls-cuda.h"

#include <poll.h>
#include <stdlib.h>

#include "cuda/graph.h"
#include "cuda/memory.h"
#include "cuda/result.h"
#include "cuda/vmm.h"
#include "wire/cuda-node.h"
#include "wire/cuda.h"

#define MODULE 0x5000100000010ull
#define ANY    UINT64_MAX /* no place in shared memory */

static struct peer peer;

enum { CTX = 0x900, STREAM, EVENT, OTHER_STREAM };

static void cuda_open(void)
{
	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = EVENT), CUDA_SUCCESS);
}

static int32_t launch_status(uint64_t function, uint64_t stream)
{
	return CU(cuLaunchKernel, .function = function, .grid_x = 1, .grid_y = 1, .grid_z = 1, .block_x = 1,
		  .block_y = 1, .block_z = 1, .stream = stream);
}

static void wrong_ids(void)
{
	cuda_open();
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 77, .context = 5), CUDA_ERROR_INVALID_DEVICE);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 0, .context = 5), CUDA_ERROR_INVALID_DEVICE);
	assert(launch_status(0, STREAM));
	expect_is(launch_status(STREAM, STREAM), CUDA_ERROR_INVALID_HANDLE);
	expect_is(launch_status(UINT64_MAX, STREAM), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuStreamSynchronize, .stream = EVENT), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuStreamSynchronize, .stream = 3), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuEventRecord, .event = STREAM, .stream = STREAM), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuStreamDestroy, .stream = EVENT), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuStreamDestroy, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuStreamDestroy, .stream = STREAM), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plFunctionFacts, .function = EVENT, .device = 1), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plFunctionFacts, .device = 1), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plLibraryKernels, .library = EVENT), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plModuleFunctions, .module = EVENT), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plModuleFunctions, .module = 0), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuEventQuery, .event = EVENT), CUDA_SUCCESS);
	peer_close(&peer);
}

/* What a context had goes with it, also for who still names it. */
static void objects_of_a_context_that_is_gone(void)
{
	cuda_open();
	expect_is(CU(cuDevicePrimaryCtxReset_v2, .device = 1), CUDA_SUCCESS);
	assert(CU(cuStreamSynchronize, .stream = STREAM));
	assert(CU(cuEventRecord, .event = EVENT, .stream = 0));
	assert(CU(plCurrent, .context = 12345));
	peer_close(&peer);
}

static int32_t image_status(const void *image, uint32_t bytes)
{
	struct pl_cuda_cuModuleLoadDataEx_reply got;
	int32_t status = CU(cuModuleLoadDataEx, .image_hash = 1, .image_bytes = bytes, .module = MODULE,
			    .image = { .kind = PL_BULK_INLINE, .data = image, .bytes = bytes });

	if (status)
		return status;
	pl_cuda_cuModuleLoadDataEx_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	return (int32_t)got.result;
}

static void images_that_are_none(void)
{
	struct {
		uint64_t magic;
		uint32_t kind, count;
		uint64_t room, size;
		uint32_t wrapper, version;
		uint64_t data, parts;
	} plain = { 0x474d494c50ull, 1, 1, 40, 24, 0x466243b1u, 1, 0x1000, 0x2000 };
	uint8_t noise[256];

	cuda_open();
	for (unsigned i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 37);
	expect_is(image_status(noise, sizeof(noise)), CUDA_ERROR_INVALID_IMAGE);
	expect_is(image_status(&plain, sizeof(plain)),
		  CUDA_ERROR_INVALID_IMAGE); /* it would name addresses of the worker */
	assert(CU(cuModuleUnload, .module = MODULE));
	peer_close(&peer);
}

static void ranges_that_lie(void)
{
	uint64_t end;

	cuda_open();
	end = peer.reply.arena_bytes;
	assert(end && peer.arena);
	expect_is(CU(cuMemcpyHtoDAsync_v2, .to = 0x1000, .size = 64, .data = NO_BULK), CUDA_ERROR_INVALID_VALUE);
	assert(CU(cuMemcpyHtoDAsync_v2, .to = 0x1000, .size = 0, .data = NO_BULK) != -1);
	assert(CU_AS(cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2, .from = 0x1000, .size = 8192, .wait = 1,
		     .store = end - 4096));
	assert(CU_AS(cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2, .from = 0x1000, .size = 8192, .wait = 1, .store = ANY - 1));
	assert(CU_AS(cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2, .from = 0x1000, .size = 8192, .wait = 1, .store = ANY));
	assert(CU(cuMemsetD32_v2, .dst = 0x1000, .value = 1, .count = 1));
	expect_is(CU(cuEventQuery, .event = EVENT), CUDA_SUCCESS);
	peer_close(&peer);
}

static uint64_t alloc(uint64_t bytes)
{
	struct pl_cuda_cuMemAlloc_v2_reply got = { 0 };

	if (CU(cuMemAlloc_v2, .bytes = bytes))
		return 0;
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && got.address);
	return got.address;
}

/* Host memory is a part of the shared memory, and copies are between what the driver knows. */
static void shared_memory_that_lies(void)
{
	uint64_t end, device;

	cuda_open();
	end = peer.reply.arena_bytes;
	assert(CU(cuMemHostAlloc, .host = 1, .bytes = 8192, .store = end - 4096));
	assert(CU(cuMemHostAlloc, .host = 1, .bytes = UINT64_MAX, .store = 4096));
	assert(CU(cuMemHostAlloc, .host = 1, .bytes = 4096, .store = 100));
	assert(CU(cuMemHostAlloc, .host = 1, .bytes = 0, .store = 4096));
	assert(CU(cuMemHostAlloc, .host = 1, .bytes = 4096, .store = ANY));
	expect_is(CU(cuMemHostAlloc, .host = 1, .bytes = 8192, .store = 4096), CUDA_SUCCESS);
	assert(CU(cuMemHostAlloc, .host = 1, .bytes = 4096, .store = 65536));
	assert(CU(cuMemHostAlloc, .host = 2, .bytes = 4096, .store = 8192));
	expect_is(CU(cuMemFreeHost, .host = 2), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemFreeHost, .host = 1), CUDA_SUCCESS);
	expect_is(CU(cuMemFreeHost, .host = 1), CUDA_ERROR_INVALID_VALUE);
	device = alloc(8192);
	assert(device);
	/* rings that do not lie in it, or have no blocks or too large ones; an address that would be the worker's */
	assert(CU(cuMemcpyHtoDAsync_v2, .to = device, .size = 8192, .ring = end - 4096 + 2, .data = NO_BULK));
	assert(CU(cuMemcpyHtoDAsync_v2, .to = device, .size = 8192, .ring = 4096 + 1, .data = NO_BULK));
	assert(CU(cuMemcpyHtoDAsync_v2, .to = device, .size = 8192, .ring = 4096 + 1 + 257, .data = NO_BULK));
	assert(CU_AS(cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2, .from = device, .size = 8192, .wait = 1, .ring = ANY,
		     .store = ANY));
	assert(CU(cuMemcpyDtoHAsync_v2, .from = device, .size = 8192, .store = end - 4096));
	expect_is(
		CU(cuMemcpyAsync, .to = device, .from = (uintptr_t)peer.reply.arena_base, .size = 64, .data = NO_BULK),
		CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemcpyAsync, .to = peer.reply.arena_base, .from = device, .size = 64, .data = NO_BULK),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemcpyAsync, .to = device, .from = device, .size = 8193, .data = NO_BULK),
		  CUDA_ERROR_INVALID_VALUE);
	peer_close(&peer);
}

static bool alloc_shares(uint64_t bytes, uint64_t store)
{
	struct pl_cuda_cuMemAlloc_v2_reply got = { 0 };

	expect_is(CU(cuMemAlloc_v2, .bytes = bytes, .store = store + 1), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && got.address);
	expect_is(CU(cuMemsetD8_v2, .dst = got.address, .value = 7, .count = bytes), CUDA_SUCCESS);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	if (got.shared)
		assert(peer.arena[store] == 7 && peer.arena[store + bytes - 1] == 7);
	return got.shared;
}

/* Device memory lies in the shared memory or in the device, and in no memory of the worker's. */
static void shared_device_memory_that_lies(void)
{
	uint64_t end;

	cuda_open();
	end = peer.reply.arena_bytes;
	assert(!alloc_shares(8192, end));
	assert(!alloc_shares(8192, end - 4096));
	assert(!alloc_shares(4097, end - 4096));
	assert(!alloc_shares(8192, 100));
	assert(!alloc_shares(8192, UINT64_MAX - 4096 - 1));
	assert(!alloc_shares(8192, (uint64_t)0 - 4096));
	assert(CU(cuMemAlloc_v2, .bytes = MEMORY_LIMIT + 1, .store = 4096 + 1));
	assert(alloc_shares(8192, 65536));
	assert(alloc_shares(8192, 65536 + 4096)); /* over the one before: its own affair */
	assert(alloc_shares(1, end - 4096));
	peer.arena[65536] = 9; /* while it is the device's */
	expect_is(CU(cuEventQuery, .event = EVENT), CUDA_SUCCESS);
	peer_close(&peer);
}

static void post_copy(struct pl_cuda_cuMemcpyDtoHAsync_v2_args args)
{
	struct pl_wire_head head = { .op = PL_CUDA_OP_cuMemcpyDtoHAsync_v2, .ticket = ++peer.ticket };
	_Alignas(8) uint8_t body[128];
	struct pl_enc enc = { body };

	pl_cuda_cuMemcpyDtoHAsync_v2_put(&enc, &args);
	expect_is(record_send(peer.lane, head, body, (uint32_t)pl_cuda_cuMemcpyDtoHAsync_v2_bytes(&args)), 0);
}

/* Copies whose bytes the worker sends by itself: asked for, too long, of nothing, in no stream; then more than the
 * client has room for, and it takes none of them. */
static void copies_that_nobody_takes(void)
{
	const struct pl_wire_head done = { .op = PL_CUDA_OP_plHostDone, .flags = PL_WIRE_FREE }, *head;
	const uint64_t most = PL_CUDA_LATER_BYTES_MAX, token = 5;
	uint8_t few[64];
	uint64_t device;

	cuda_open();
	device = alloc(most);
	assert(device);
	assert(CU(cuMemcpyDtoHAsync_v2, .from = device, .size = most + 1, .store = ANY, .token = 1));
	expect_is(CU(cuMemcpyDtoHAsync_v2, .from = device, .size = sizeof(few), .store = ANY, .token = 1),
		  CUDA_SUCCESS); /* nothing with the answer, as it does not come over a socket: it comes by itself */
	assert(pl_lane_recv(peer.reverse, ANSWER_NS, &head) == 0 && head->op == PL_CUDA_OP_plCopied);
	expect_is(pl_lane_recv_bulk(peer.reverse, few, sizeof(few)), 0);
	assert(CU_AS(cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2, .from = device, .size = 64, .store = ANY, .token = 1));
	post_copy((struct pl_cuda_cuMemcpyDtoHAsync_v2_args){ .from = device, .size = most + 1, .token = 2 });
	post_copy((struct pl_cuda_cuMemcpyDtoHAsync_v2_args){ .from = device, .size = UINT64_MAX, .token = 2 });
	post_copy((struct pl_cuda_cuMemcpyDtoHAsync_v2_args){ .from = 0x1000, .size = 64, .token = 3 });
	expect_is(CU(cuCtxSynchronize), CUDA_ERROR_OUT_OF_MEMORY); /* more than may be under way */
	expect_is(CU(cuCtxSynchronize), CUDA_ERROR_INVALID_VALUE);
	post_copy(
		(struct pl_cuda_cuMemcpyDtoHAsync_v2_args){ .from = device, .size = 64, .stream = EVENT, .token = 3 });
	expect_is(CU(cuCtxSynchronize), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	/* The first one has to wait: who is answered gets what has come by then first. */
	expect_is(CU(plCopyLater, .stream = STREAM, .address = device, .size = 64, .token = token), CUDA_SUCCESS);
	for (uint64_t i = 0; i < 3 * INFLIGHT_LIMIT / most; i++)
		post_copy((struct pl_cuda_cuMemcpyDtoHAsync_v2_args){
			.from = device, .size = most, .stream = STREAM, .token = 4 });
	expect_is(CU(cuEventQuery, .event = EVENT), CUDA_ERROR_OUT_OF_MEMORY); /* of what was too much */
	do
		expect_is(pl_lane_recv(peer.reverse, ANSWER_NS, &head), 0);
	while (head->op != PL_CUDA_OP_plHostFunc);
	expect_is(record_send(peer.lane, done, &token, sizeof(token)), 0);
	assert(pl_lane_recv(peer.reverse, ANSWER_NS, &head) == 0 && head->op == PL_CUDA_OP_plCopied);
	peer_close(&peer);
}

static int32_t node_status(uint64_t node, uint32_t kind, const void *params, uint64_t bytes)
{
	return CU(cuGraphAddNode, .graph = 0x910, .node = node, .kind = kind, .params = { params, bytes });
}

/* A graph's node says what it copies, calls and launches: none of it becomes an address of the worker's. */
static void graphs_that_lie(void)
{
	struct pl_cuda_copy3d_record record = {
		.from_type = CU_MEMORYTYPE_DEVICE, .to_type = CU_MEMORYTYPE_DEVICE, .width = 64, .height = 1, .depth = 1
	};
	struct pl_cuda_node_kernel kernel = { .function = STREAM, .args_bytes = 8 };
	struct pl_cuda_node_copy copy = { 0 };
	struct pl_cuda_node_condition condition = { .size = UINT32_MAX };
	struct pl_cuda_node_id id = { EVENT };
	struct pl_enc enc = { .at = (uint8_t *)copy.copy };

	cuda_open();
	expect_is(CU(cuGraphCreate, .graph = 0x910), CUDA_SUCCESS);
	record.to_address = alloc(8192);
	record.from_address = (uintptr_t)peer.reply.arena_base;
	pl_cuda_copy3d_record_put(&enc, &record);
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_MEMCPY, &copy, sizeof(copy)), CUDA_ERROR_INVALID_VALUE);
	record.from_type = CU_MEMORYTYPE_HOST; /* without a token, and with both ends here */
	enc.at = (uint8_t *)copy.copy;
	pl_cuda_copy3d_record_put(&enc, &record);
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_MEMCPY, &copy, sizeof(copy)), CUDA_ERROR_INVALID_VALUE);
	copy.token = 7;
	record.from_x = 1 << 30; /* beyond what it copies, so beyond the worker's copy of it */
	enc.at = (uint8_t *)copy.copy;
	pl_cuda_copy3d_record_put(&enc, &record);
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_MEMCPY, &copy, sizeof(copy)), CUDA_ERROR_INVALID_VALUE);
	record.from_x = 0;
	record.to_type = CU_MEMORYTYPE_HOST;
	enc.at = (uint8_t *)copy.copy;
	pl_cuda_copy3d_record_put(&enc, &record);
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_MEMCPY, &copy, sizeof(copy)), CUDA_ERROR_INVALID_VALUE);
	assert(node_status(0x911, CU_GRAPH_NODE_TYPE_MEMCPY, &copy, sizeof(copy) - 8));
	assert(node_status(0x911, CU_GRAPH_NODE_TYPE_KERNEL, &kernel, sizeof(kernel)));
	assert(node_status(0x911, CU_GRAPH_NODE_TYPE_KERNEL, &kernel, 8));
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_GRAPH, &id, sizeof(id)), CUDA_ERROR_INVALID_VALUE);
	assert(node_status(0x911, 99, &id, sizeof(id)));
	assert(node_status(0x911, CU_GRAPH_NODE_TYPE_MEM_ALLOC, &id, sizeof(id)));
	assert(node_status(0x911, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, &id, sizeof(id)));
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_CONDITIONAL, &condition, sizeof(condition)),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_CONDITIONAL, &condition, 8), CUDA_ERROR_INVALID_VALUE);
	expect_is(node_status(0x911, CU_GRAPH_NODE_TYPE_EMPTY, NULL, 0), CUDA_SUCCESS);
	/* Parameters are told of what is a node of this kind. */
	expect_is(CU(plNodeParams, .node = 0, .kind = CU_GRAPH_NODE_TYPE_KERNEL), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plNodeParams, .node = EVENT, .kind = CU_GRAPH_NODE_TYPE_KERNEL), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plNodeParams, .node = 0x911, .kind = CU_GRAPH_NODE_TYPE_KERNEL), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plNodeParams, .node = 0x911, .kind = UINT32_MAX), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plNodeParams, .node = 0x911, .kind = CU_GRAPH_NODE_TYPE_EMPTY), CUDA_ERROR_NOT_SUPPORTED);
	peer_close(&peer);
}

/* What an allocation of parts is charged comes back with its last map. */
static void parts_beyond_the_limit(void)
{
	const struct pl_cuda_allocation_record of_device = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
							     .location_type = CU_MEM_LOCATION_TYPE_DEVICE };
	struct pl_cuda_cuMemAddressReserve_reply at = { 0 };
	const uint64_t most = (MEMORY_LIMIT / 2 + (2u << 20)) & ~((2ull << 20) - 1);

	cuda_open();
	assert(CU(cuMemCreate, .handle = 0x700, .bytes = UINT64_MAX, .properties = of_device));
	expect_is(CU(cuMemCreate, .handle = 0x701, .bytes = most, .properties = of_device), CUDA_SUCCESS);
	assert(CU(cuMemCreate, .handle = 0x702, .bytes = most, .properties = of_device));
	expect_is(CU(cuMemAddressReserve, .bytes = most), CUDA_SUCCESS);
	pl_cuda_cuMemAddressReserve_reply_get(&peer.dec, &at);
	assert(CU(cuMemMap, .address = at.address, .bytes = most, .handle = STREAM));
	expect_is(CU(cuMemMap, .address = at.address, .bytes = most, .handle = 0x701), CUDA_SUCCESS);
	expect_is(CU(cuMemRelease, .handle = 0x701), CUDA_SUCCESS);
	assert(CU(cuMemRelease, .handle = 0x701));
	assert(CU(cuMemCreate, .handle = 0x703, .bytes = most, .properties = of_device)); /* the map keeps it */
	expect_is(CU(cuMemUnmap, .address = at.address, .bytes = most), CUDA_SUCCESS);
	expect_is(CU(cuMemCreate, .handle = 0x704, .bytes = most, .properties = of_device), CUDA_SUCCESS);
	peer_close(&peer);
}

/* Handles that another session made: forged, of another kind, after their end; and more than a session may give. */
static void handles_of_others_that_lie(void)
{
	const struct pl_cuda_allocation_record shared = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
							  .requestedHandleTypes =
								  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
							  .location_type = CU_MEM_LOCATION_TYPE_DEVICE };
	struct pl_cuda_cuIpcGetMemHandle_reply got;
	struct pl_cuda_ipc_event_record event;
	struct peer giver;
	uint8_t handle[64];
	uint32_t given = 0;
	uint64_t device;

	cuda_open();
	device = alloc(8192);
	expect_is(CU(cuIpcGetMemHandle, .address = device), CUDA_SUCCESS);
	pl_cuda_cuIpcGetMemHandle_reply_get(&peer.dec, &got);
	memcpy(handle, got.handle.all, sizeof(handle));
	expect_is(CU(cuIpcGetMemHandle, .address = 0x1000), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuIpcGetEventHandle, .event = EVENT), CUDA_ERROR_INVALID_VALUE); /* not made for it */
	expect_is(CU(cuIpcGetEventHandle, .event = STREAM), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuIpcOpenMemHandle, .handle = { handle, 64 }, .flags = 1), CUDA_ERROR_INVALID_CONTEXT);
	giver = peer;
	cuda_open();
	assert(CU(cuIpcOpenMemHandle, .handle = { handle, 63 }, .flags = 1));
	expect_is(CU(cuIpcOpenMemHandle, .handle = { handle, 64 }, .flags = 77), CUDA_ERROR_INVALID_VALUE);
	memcpy(event.all, handle, sizeof(handle));
	expect_is(CU(cuIpcOpenEventHandle, .event = 0x711, .handle = event), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemImportFromShareableHandle, .shareable = { handle, 64 }, .type = 1, .allocation = 0x712),
		  CUDA_ERROR_INVALID_VALUE);
	for (uint32_t i = 0; i < sizeof(handle); i++) {
		handle[i] ^= 0x80;
		expect_is(CU(cuIpcOpenMemHandle, .handle = { handle, 64 }, .flags = 1), CUDA_ERROR_INVALID_VALUE);
		handle[i] ^= 0x80;
	}
	expect_is(CU(cuIpcOpenMemHandle, .handle = { handle, 64 }, .flags = 1), CUDA_SUCCESS);
	expect_is(CU(cuMemCreate, .handle = 0x713, .bytes = 2u << 20, .properties = shared), CUDA_SUCCESS);
	assert(CU(cuMemExportToShareableHandle, .allocation = 0x713, .type = 2));
	assert(CU(cuMemExportToShareableHandle, .allocation = 0x713, .type = 1, .flags = 1));
	assert(CU(cuMemExportToShareableHandle, .allocation = 0, .type = 1));
	while (given < 10000 && !CU(cuMemExportToShareableHandle, .allocation = 0x713, .type = 1))
		given++;
	assert(given && given < 10000);
	expect_is(CU(cuMemExportToShareableHandle, .allocation = 0x713, .type = 1), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuEventQuery, .event = EVENT), CUDA_SUCCESS);
	peer_close(&giver);
	expect_is(CU(cuIpcOpenMemHandle, .handle = { handle, 64 }, .flags = 1), CUDA_ERROR_INVALID_VALUE);
	peer_close(&peer);
}

static void memory_beyond_the_limit(void)
{
	uint64_t half;

	cuda_open();
	assert(!alloc(MEMORY_LIMIT + 1));
	assert(!alloc(UINT64_MAX));
	half = alloc(MEMORY_LIMIT / 2 + 4096);
	assert(half);
	assert(!alloc(MEMORY_LIMIT / 2));
	assert(CU(cuMemFree_v2, .address = half + 256));
	expect_is(CU(cuMemFree_v2, .address = half), CUDA_SUCCESS);
	assert(CU(cuMemFree_v2, .address = half));
	half = alloc(MEMORY_LIMIT / 2 + 4096);
	assert(half);
	peer_close(&peer);
}

static void objects_beyond_the_limit(void)
{
	cuda_open();
	for (uint64_t i = 0; i < 3 * OBJECTS_LIMIT; i++)
		(void)CU(cuEventCreate, .event = 0x10000 + i);
	assert(CU(cuEventQuery, .event = 0x10000 + 3 * OBJECTS_LIMIT - 1));
	expect_is(CU(cuEventDestroy, .event = 0x10000), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = 0xf0000), CUDA_SUCCESS);
	expect_is(CU(cuEventQuery, .event = 0xf0000), CUDA_SUCCESS);
	peer_close(&peer);
}

/* Pages of managed memory are those that the driver says are. */
static void managed_memory_that_lies(void)
{
	struct pl_cuda_plManagedAlloc_reply got = { 0 };
	uint64_t plain, at;

	cuda_open();
	plain = alloc(65536);
	expect_is(CU(plManagedAlloc, .size = 8192, .flags = 1), CUDA_SUCCESS);
	pl_cuda_plManagedAlloc_reply_get(&peer.dec, &got);
	at = got.start;
	assert(pl_dec_whole(&peer.dec) && at && got.length == 8192 && plain);
	expect_is(CU(plManagedRead, .start = plain, .address = plain, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = plain, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at - 4096, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at + 4096, .size = 8192), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at + 8192, .size = 1), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = 0), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = UINT64_MAX), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedLook, .start = at, .address = at + 8192, .size = 1), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedLook, .start = at, .address = at, .size = 0), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedLook, .start = at, .address = at, .size = UINT64_MAX), CUDA_ERROR_INVALID_VALUE);
	expect_is(
		CU(plManagedWrite, .start = at, .address = at + 4096, .data = { .kind = PL_BULK_AFTER, .bytes = 8192 }),
		CUDA_ERROR_INVALID_VALUE);
	assert(CU(plManagedAlloc, .size = UINT64_MAX, .flags = 1) && CU(plManagedAlloc, .size = 4096, .flags = 77));
	expect_is(CU(plManagedPlace, .start = plain, .length = 65536, .store = 0), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedPlace, .start = at, .length = 8192, .store = ANY), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedPlace, .start = at, .length = 8192, .store = 1), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedPlace, .start = at, .length = 8192, .store = peer.reply.arena_bytes - 4096),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedPlace, .start = at, .length = 16384, .store = 0), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedPlace, .start = at, .length = 8192, .store = 0),
		  CUDA_SUCCESS); /* no variable: not there */
	expect_is(CU(cuMemFree_v2, .address = got.address), CUDA_SUCCESS);
	expect_is(CU(plManagedPlace, .start = at, .length = 8192, .store = 0), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	peer_close(&peer);
}

/* Host memory of the driver's: what the client was given and nothing else, as long as it has it. */
static void mapped_memory_that_lies(void)
{
	static uint8_t data[4608];
	struct pl_cuda_plHostAlloc_reply got = { 0 };
	uint64_t plain, at;

	cuda_open();
	plain = alloc(65536);
	expect_is(CU(plHostAlloc, .size = 8000, .flags = 0), CUDA_SUCCESS);
	pl_cuda_plHostAlloc_reply_get(&peer.dec, &got);
	at = got.address;
	assert(pl_dec_whole(&peer.dec) && at && got.length == 8192 && plain);
	expect_is(CU(plManagedRead, .start = at, .address = at - 4096, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at + 4096, .address = at + 4096, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at + 4096, .size = 8192), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = plain, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedLook, .start = at, .address = plain, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedLook, .start = at, .address = at + 4096, .size = 8192), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_SUCCESS);
	expect_is(CU(plManagedMerge, .start = at, .address = at,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4607 }),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 0 }),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at + 1,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at + 8192,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = plain, .address = plain,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_ERROR_INVALID_VALUE);
	assert(CU(plHostAlloc, .size = UINT64_MAX, .flags = 0) && CU(plHostAlloc, .size = 0, .flags = 0));
	expect_is(CU(cuMemFreeHost, .host = at + 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_SUCCESS);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedLook, .start = at, .address = at, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_ERROR_INVALID_VALUE);
	peer_close(&peer);
}

/* To the device, from memory that the client is asked for: it never sends it. */
static void copies_whose_bytes_never_come(void)
{
	uint64_t memory;

	cuda_open();
	memory = alloc(65536);
	expect_is(CU(plCopyLater, .stream = 12345, .address = memory, .size = 64, .token = 5),
		  CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plCopyLater, .address = memory, .size = 0, .token = 5), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plCopyLater, .address = memory, .size = (4u << 20) + 1, .token = 5), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plCopyLater, .address = memory + 65536 * 64, .size = 64, .token = 5), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plCopyLater, .address = memory, .size = UINT64_MAX, .token = 5), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plCopyLater, .address = memory, .size = 4096, .token = 5), CUDA_SUCCESS);
	expect_is(CU(cuStreamQuery, .stream = 0), CUDA_ERROR_NOT_READY);
	peer_close(&peer); /* and the session ends with it */
}

/* Host memory at an address that the client chooses: where the worker has nothing, and once. */
static void placed_memory_that_lies(void)
{
	static uint8_t data[4608];
	const uint64_t at = 0x5a5a00000000ull, far = 1ull << 47;
	uint64_t plain;
	int here;

	cuda_open();
	plain = alloc(65536);
	expect_is(CU(plHostPlace, .address = at, .size = 8192), CUDA_SUCCESS);
	expect_is(CU(plHostPlace, .address = at, .size = 8192), CUDA_ERROR_NOT_SUPPORTED);
	expect_is(CU(plHostPlace, .address = at + 4096, .size = 8192), CUDA_ERROR_NOT_SUPPORTED);
	expect_is(CU(plHostPlace, .address = at - 4096, .size = 8192), CUDA_ERROR_NOT_SUPPORTED);
	expect_is(CU(plHostPlace, .address = at + 1, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plHostPlace, .address = at + 65536, .size = 4095), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plHostPlace, .address = at + 65536, .size = 0), CUDA_ERROR_INVALID_VALUE);
	assert(CU(plHostPlace, .address = at, .size = 0 - at)); /* beyond the limit, too */
	assert(CU(plHostPlace, .address = far, .size = 4096) && CU(plHostPlace, .address = 0, .size = 4096));
	assert(CU(plHostPlace, .address = 4096, .size = far));
	assert(CU(plHostPlace, .address = (uintptr_t)&here & ~4095ull, .size = 1ull << 46));
	expect_is(CU(plManagedRead, .start = at, .address = at + 4096, .size = 4097), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at + 4096, .address = at + 4096, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = plain, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at + 8192,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedMerge, .start = at, .address = at,
		     .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = 4608 }),
		  CUDA_SUCCESS);
	expect_is(CU(cuMemFreeHost, .host = at + 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_SUCCESS);
	expect_is(CU(cuMemFreeHost, .host = at), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plManagedRead, .start = at, .address = at, .size = 4096), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plHostPlace, .address = at - 4096, .size = 12288), CUDA_SUCCESS);
	peer_close(&peer);
}

static void post_record(uint64_t event, uint64_t stream)
{
	struct pl_cuda_cuEventRecord_args args = { .event = event, .stream = stream };
	struct pl_wire_head head = { .op = PL_CUDA_OP_cuEventRecord, .ticket = ++peer.ticket };
	_Alignas(8) uint8_t body[64];
	struct pl_enc enc = { body };

	pl_cuda_cuEventRecord_put(&enc, &args);
	expect_is(record_send(peer.lane, head, body, (uint32_t)pl_cuda_cuEventRecord_bytes(&args)), 0);
}

/* Nobody waits for a post: whoever waits for its stream next hears of it, once; who waits for another does not. */
static void errors_of_posts(void)
{
	cuda_open();
	expect_is(CU(cuStreamCreate, .stream = OTHER_STREAM), CUDA_SUCCESS);
	post_record(4711, STREAM);
	expect_is(CU(cuStreamSynchronize, .stream = OTHER_STREAM), CUDA_SUCCESS);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_ERROR_INVALID_HANDLE);
	expect_is(peer.body.flags & PL_WIRE_REPLY_LATE, PL_WIRE_REPLY_LATE);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	for (int i = 0; i < 1000; i++)
		post_record(4711, STREAM); /* more than are kept */
	expect_is(CU(cuCtxSynchronize), CUDA_ERROR_INVALID_HANDLE);
	peer_close(&peer);
}

/* A call without a ticket: only what the backend names, posted or asked. */
static void calls_out_of_order(void)
{
	struct pl_wire_head free_head = { .op = PL_CUDA_OP_plHostDone, .flags = PL_WIRE_FREE };
	uint64_t body = 4711; /* of no function */

	cuda_open();
	expect_is(record_send(peer.lane, free_head, &body, sizeof(body)), 0);
	expect_is(CU(cuEventQuery, .event = EVENT), CUDA_SUCCESS);
	free_head.op = PL_CUDA_OP_cuStreamDestroy;
	body = STREAM;
	expect_is(record_send(peer.lane, free_head, &body, sizeof(body)), 0);
	peer_expect_end(&peer);
}

static void a_question_out_of_order(void)
{
	struct pl_wire_head free_head = { .op = PL_CUDA_OP_cuCtxGetId, .flags = PL_WIRE_FREE | PL_WIRE_ASK };
	uint64_t body = 4711;

	cuda_open();
	expect_is(record_send(peer.lane, free_head, &body, sizeof(body)), 0);
	peer_expect_end(&peer);
}

/* A copy that nobody holds a stream for ends with an error; and one comes behind calls that there never were. */
static void copies_that_no_stream_holds(void)
{
	struct pl_wire_head free_head = { .op = PL_CUDA_OP_plPeerBehind, .flags = PL_WIRE_FREE };
	uint64_t done[] = { 4711, CUDA_ERROR_DEVICE_UNAVAILABLE, STREAM }, behind = UINT64_MAX;
	struct pollfd end = { .events = POLLRDHUP };

	cuda_open();
	end.fd = peer.lane->fd; /* that lane alone */
	free_head.op = PL_CUDA_OP_plPeerDone;
	expect_is(record_send(peer.lane, free_head, done, sizeof(done)), 0);
	expect_is(CU(cuCtxSynchronize), CUDA_ERROR_DEVICE_UNAVAILABLE);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	expect_is(CU(plPeerBehind, .ticket = 1), CUDA_SUCCESS);
	free_head.op = PL_CUDA_OP_plPeerBehind;
	expect_is(record_send(peer.lane, free_head, &behind, sizeof(behind)), 0);
	expect_is(poll(&end, 1, 5000), 1);
	peer_close(&peer);
}

static void marks_that_lie(void)
{
	uint64_t end;

	cuda_open();
	end = peer.reply.arena_bytes;
	assert(CU(plMark, .stream = STREAM, .slot = PL_CUDA_MARKS_FIRST, .value = 1));
	assert(CU(plMarks, .place = end));
	assert(CU(plMarks, .place = 100));
	assert(CU(plMarks, .place = UINT64_MAX - 1));
	expect_is(CU(plMarks, .place = end - PL_CUDA_MARKS_BYTES), CUDA_SUCCESS);
	assert(CU(plMarks, .place = 0));
	assert(CU(plMark, .stream = STREAM, .slot = 0, .value = 1));
	assert(CU(plMark, .stream = STREAM, .slot = PL_CUDA_MARKS_LATE, .value = 1));
	assert(CU(plMark, .stream = STREAM, .slot = PL_CUDA_MARKS_BROKEN, .value = 1));
	assert(CU(plMark, .stream = STREAM, .slot = PL_CUDA_MARKS_MAX, .value = 1));
	assert(CU(plMark, .stream = 4711, .slot = PL_CUDA_MARKS_FIRST, .value = 1));
	expect_is(CU(plMark, .stream = STREAM, .slot = PL_CUDA_MARKS_FIRST, .value = 1), CUDA_SUCCESS);
	expect_is(CU(cuCtxSynchronize), CUDA_SUCCESS);
	peer_close(&peer);
}

const struct hostile_case cases_cuda[] = {
	{ "cuda: ids of nothing, of other kinds, of what has ended", wrong_ids, false },
	{ "cuda: objects of a context that is gone", objects_of_a_context_that_is_gone, false },
	{ "cuda: images that are none, and that name addresses", images_that_are_none, false },
	{ "cuda: graphs whose nodes lie", graphs_that_lie, false },
	{ "cuda: ranges and sizes that lie", ranges_that_lie, false },
	{ "cuda: shared memory and rings that lie", shared_memory_that_lies, false },
	{ "cuda: device memory in shared memory that lies", shared_device_memory_that_lies, false },
	{ "cuda: managed memory that lies", managed_memory_that_lies, false },
	{ "cuda: mapped memory that lies", mapped_memory_that_lies, false },
	{ "cuda: placed memory that lies", placed_memory_that_lies, false },
	{ "cuda: copies whose bytes never come", copies_whose_bytes_never_come, false },
	{ "cuda: copies that nobody takes", copies_that_nobody_takes, false },
	{ "cuda: marks that lie", marks_that_lie, false },
	{ "cuda: parts beyond the limit", parts_beyond_the_limit, false },
	{ "cuda: handles of other sessions that lie", handles_of_others_that_lie, false },
	{ "cuda: memory beyond the limit", memory_beyond_the_limit, false },
	{ "cuda: objects beyond the limit", objects_beyond_the_limit, false },
	{ "cuda: errors of posted calls come with the next wait", errors_of_posts, false },
	{ "cuda: calls out of their order", calls_out_of_order, false },
	{ "cuda: a question without a ticket", a_question_out_of_order, false },
	{ "cuda: copies between servers that no stream holds", copies_that_no_stream_holds, false },
	{ NULL, NULL, false },
};
