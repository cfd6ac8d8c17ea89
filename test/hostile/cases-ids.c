/* CUDA: ids that stand for something already, and the room for one more that is not there. */
#include <stdlib.h>

#include "calls-cuda.h"
#include "cuda/graph.h"
#include "cuda/image.h"
#include "cuda/memory.h"
#include "cuda/result.h"
#include "cuda/stream.h"
#include "cuda/texture.h"
#include "wire/cuda-node.h"
#include "wire/cuda.h"

#define MODULE      0x100000010ull
#define OTHER       0x100000011ull
#define FUNCTION(n) (MODULE | (uint64_t)(n) << PL_CUDA_MEMBER_SHIFT)

enum { CTX = 0x900, STREAM, LIBRARY, CHILD, GRAPH, INSIDE, NODE, IN_CHILD, POOL, EXEC, EVENT, ARRAY };

static const char two[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
			  ".visible .entry a()\n{\n	ret;\n}\n.visible .entry b()\n{\n	ret;\n}\n";

static struct peer peer;

static void ids_open(void)
{
	peer_open_cuda(&peer, server.unix_address);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM), CUDA_SUCCESS);
}

/* Of `two`, as a module or as a library: what the driver says. */
static int32_t load(uint64_t module, uint64_t library)
{
	struct pl_cuda_cuModuleLoadDataEx_reply of_module;
	struct pl_cuda_cuLibraryLoadData_reply of_library;
	size_t bytes;
	void *packed;

	assert(!pl_cuda_image_pack(two, &packed, &bytes));
	if (module) {
		expect_is(CU(cuModuleLoadDataEx, .image_hash = 7, .image_bytes = bytes, .module = module,
			     .image = { .kind = PL_BULK_INLINE, .data = packed, .bytes = bytes }),
			  CUDA_SUCCESS);
		pl_cuda_cuModuleLoadDataEx_reply_get(&peer.dec, &of_module);
		reply_bulk_drop(&peer);
	} else {
		expect_is(CU(cuLibraryLoadData, .image_hash = 7, .image_bytes = bytes, .library = library,
			     .image = { .kind = PL_BULK_INLINE, .data = packed, .bytes = bytes }),
			  CUDA_SUCCESS);
		pl_cuda_cuLibraryLoadData_reply_get(&peer.dec, &of_library);
	}
	free(packed);
	assert(pl_dec_whole(&peer.dec));
	return (int32_t)(module ? of_module.result : of_library.result);
}

static int32_t launch(uint64_t function)
{
	return CU(cuLaunchKernel, .function = function, .grid_x = 1, .grid_y = 1, .grid_z = 1, .block_x = 1,
		  .block_y = 1, .block_z = 1, .stream = STREAM);
}

static int32_t node_add(uint64_t graph, uint64_t node, uint32_t kind, const void *params, uint64_t bytes)
{
	return CU(cuGraphAddNode, .graph = graph, .node = node, .kind = kind, .params = { params, bytes });
}

static uint64_t nodes_of(uint64_t graph)
{
	struct pl_cuda_cuGraphGetNodes_reply got;

	expect_is(CU(cuGraphGetNodes, .graph = graph), CUDA_SUCCESS);
	pl_cuda_cuGraphGetNodes_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec));
	return got.nodes_count;
}

/* What was made is gone, and what had the id is as it was. */
static void ids_of_what_is_there(void)
{
	ids_open();
	expect_is(CU(cuEventCreate, .event = STREAM), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuEventCreate, .event = 0), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuLinkCreate, .link = STREAM), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(load(MODULE, 0), CUDA_SUCCESS);
	expect_is(load(MODULE, 0), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(launch(FUNCTION(1)), CUDA_SUCCESS);
	expect_is(launch(FUNCTION(2)), CUDA_SUCCESS);
	expect_is(load(0, MODULE), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuGraphCreate, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(node_add(GRAPH, STREAM, CU_GRAPH_NODE_TYPE_EMPTY, NULL, 0), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(nodes_of(GRAPH), 0);
	expect_is(CU(cuGraphClone, .clone = GRAPH, .original = GRAPH), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuGraphInstantiate, .graph = GRAPH, .exec = GRAPH), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuGraphInstantiate, .graph = GRAPH, .exec = EXEC), CUDA_SUCCESS);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	peer_close(&peer);
}

/* The driver's, a library's, a node's, or another id's: none of it ends. */
static void ids_of_what_is_others(void)
{
	const struct pl_cuda_pool_record of_device = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
						       .location_type = CU_MEM_LOCATION_TYPE_DEVICE };
	const struct pl_cuda_node_id child = { CHILD };

	ids_open();
	expect_is(load(0, LIBRARY), CUDA_SUCCESS);
	expect_is(CU(cuLibraryGetModule, .library = LIBRARY, .module = MODULE), CUDA_SUCCESS);
	for (int i = 0; i < 3; i++)
		expect_is(CU(cuLibraryGetModule, .library = LIBRARY, .module = MODULE), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(plModuleFunctions, .module = MODULE), CUDA_SUCCESS);
	reply_bulk_drop(&peer);
	expect_is(launch(FUNCTION(2)), CUDA_SUCCESS);
	expect_is(CU(cuGraphCreate, .graph = CHILD), CUDA_SUCCESS);
	expect_is(CU(cuGraphCreate, .graph = GRAPH), CUDA_SUCCESS);
	expect_is(node_add(CHILD, IN_CHILD, CU_GRAPH_NODE_TYPE_EMPTY, NULL, 0), CUDA_SUCCESS);
	expect_is(node_add(GRAPH, NODE, CU_GRAPH_NODE_TYPE_GRAPH, &child, sizeof(child)), CUDA_SUCCESS);
	for (int i = 0; i < 3; i++)
		expect_is(CU(cuGraphChildGraphNodeGetGraph, .node = NODE, .graph = STREAM), CUDA_ERROR_OUT_OF_MEMORY);
	for (int i = 0; i < 3; i++) /* known by its first id, whichever is given then */
		expect_is(CU(cuGraphChildGraphNodeGetGraph, .node = NODE, .graph = i < 2 ? INSIDE : STREAM),
			  CUDA_SUCCESS);
	expect_is(nodes_of(INSIDE), 1);
	expect_is(CU(cuGraphInstantiate, .graph = GRAPH, .exec = EXEC), CUDA_SUCCESS);
	expect_is(CU(cuMemPoolCreate, .given = 1, .pool = POOL, .properties = of_device), CUDA_SUCCESS);
	expect_is(CU(cuDeviceSetMemPool, .device = 1, .pool = POOL), CUDA_SUCCESS);
	for (uint32_t is_default = 0; is_default < 2; is_default++)
		expect_is(CU(cuMemGetDefaultMemPool, .location_type = CU_MEM_LOCATION_TYPE_DEVICE,
			     .type = CU_MEM_ALLOCATION_TYPE_PINNED, .is_default = is_default, .pool = STREAM),
			  CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuMemPoolGetAttribute, .pool = POOL, .attribute = CU_MEMPOOL_ATTR_RELEASE_THRESHOLD),
		  CUDA_SUCCESS);
	expect_is(CU(cuStreamSynchronize, .stream = STREAM), CUDA_SUCCESS);
	peer_close(&peer);
}

/* What the functions of a module are entered under is all theirs, or none is there. */
static void ids_of_functions_that_are_taken(void)
{
	ids_open();
	expect_is(CU(cuEventCreate, .event = FUNCTION(2)), CUDA_SUCCESS);
	expect_is(load(MODULE, 0), CUDA_SUCCESS);
	expect_is(launch(FUNCTION(1)), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(plModuleFunctions, .module = MODULE), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuEventQuery, .event = FUNCTION(2)), CUDA_SUCCESS);
	expect_is(CU(cuEventDestroy, .event = FUNCTION(2)), CUDA_SUCCESS);
	expect_is(CU(plModuleFunctions, .module = MODULE), CUDA_SUCCESS);
	reply_bulk_drop(&peer);
	expect_is(launch(FUNCTION(1)), CUDA_SUCCESS);
	expect_is(launch(FUNCTION(2)), CUDA_SUCCESS);
	expect_is(CU(cuModuleUnload, .module = MODULE), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = FUNCTION(1)), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = FUNCTION(2)), CUDA_SUCCESS);
	peer_close(&peer);
}

/* They go with their module's context, wherever they were asked for. */
static void functions_of_a_context_that_is_gone(void)
{
	ids_open();
	expect_is(load(MODULE, 0), CUDA_SUCCESS);
	expect_is(CU(cuCtxCreate_v2, .device = 1, .context = OTHER), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = OTHER), CUDA_SUCCESS);
	expect_is(CU(plModuleFunctions, .module = MODULE), CUDA_SUCCESS);
	reply_bulk_drop(&peer);
	expect_is(CU(cuDevicePrimaryCtxReset_v2, .device = 1), CUDA_SUCCESS);
	expect_is(CU(cuStreamCreate, .stream = STREAM), CUDA_SUCCESS);
	expect_is(launch(FUNCTION(1)), CUDA_ERROR_INVALID_HANDLE);
	expect_is(CU(cuEventCreate, .event = FUNCTION(1)), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = FUNCTION(2)), CUDA_SUCCESS);
	peer_close(&peer);
}

static int32_t array_make(uint64_t array, uint64_t width, uint64_t height, uint64_t depth, uint32_t channels)
{
	const struct pl_cuda_array3d_record of = {
		.Width = width, .Height = height, .Depth = depth, .Format = CU_AD_FORMAT_FLOAT, .NumChannels = channels
	};

	return CU(cuArray3DCreate_v2, .given = 1, .handle = array, .descriptor = of);
}

/* Their memory is charged, once, and comes back with what could not be had. */
static void arrays_beyond_the_limit(void)
{
	const uint64_t most = MEMORY_LIMIT / 16 / 4096; /* lines of 4096 elements */

	ids_open();
	assert(array_make(ARRAY, UINT64_MAX, UINT64_MAX, UINT64_MAX, 4));
	assert(array_make(ARRAY, UINT64_MAX, 0, 0, 0));
	assert(array_make(ARRAY, 1ull << 62, 1, 0, 4));
	assert(array_make(ARRAY, 4096, most, 0, UINT32_MAX));
	expect_is(array_make(ARRAY, 4096, most + 1, 0, 4), CUDA_ERROR_OUT_OF_MEMORY);
	for (int i = 0; i < 3; i++)
		expect_is(array_make(STREAM, 4096, most, 0, 4), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(array_make(ARRAY, 4096, most, 0, 4), CUDA_SUCCESS);
	expect_is(array_make(ARRAY, 1, 1, 0, 1), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuMemAlloc_v2, .bytes = 4096, .store = UINT64_MAX), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuArrayDestroy, .array = ARRAY), CUDA_SUCCESS);
	assert(CU(cuArrayDestroy, .array = ARRAY));
	expect_is(array_make(ARRAY, 4096, most / 2 + 1, 0, 4), CUDA_SUCCESS);
	expect_is(array_make(ARRAY, 1, 1, 0, 4), CUDA_ERROR_OUT_OF_MEMORY); /* that is its id */
	expect_is(array_make(EVENT, 4096, most / 2, 0, 4), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(array_make(EVENT, 4096, most / 2 - 1, 0, 4), CUDA_SUCCESS); /* and nothing was taken twice */
	expect_is(CU(cuDevicePrimaryCtxReset_v2, .device = 1), CUDA_SUCCESS);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(array_make(ARRAY, 4096, most, 0, 4), CUDA_SUCCESS);
	peer_close(&peer);
}

/* A primary context whose id is in use is not kept: it is gone with what has it. */
static void a_primary_context_without_an_id(void)
{
	ids_open();
	expect_is(CU(cuDevicePrimaryCtxReset_v2, .device = 1), CUDA_SUCCESS);
	expect_is(CU(cuCtxCreate_v2, .device = 1, .context = OTHER), CUDA_SUCCESS);
	assert(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = OTHER));
	expect_is(CU(plCurrent, .context = OTHER), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = EVENT), CUDA_SUCCESS);
	assert(CU(cuDevicePrimaryCtxRelease_v2, .device = 1));
	peer_close(&peer);
}

/* Under a second id its memory would be charged to one that is released, and stay. */
static void a_primary_context_with_two(void)
{
	ids_open();
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = OTHER), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = CTX), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(plCurrent, .context = OTHER), CUDA_ERROR_INVALID_CONTEXT);
	expect_is(CU(plCurrent, .context = CTX), CUDA_SUCCESS);
	expect_is(CU(cuDevicePrimaryCtxRelease_v2, .device = 1), CUDA_SUCCESS);
	assert(CU(cuDevicePrimaryCtxRelease_v2, .device = 1)); /* it is gone */
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = 1, .context = OTHER), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = OTHER), CUDA_SUCCESS);
	expect_is(CU(cuEventCreate, .event = EVENT), CUDA_SUCCESS);
	peer_close(&peer);
}

/* With the last of them a node of a capture has one, and its graph gets none: it goes, and so does what is known of
 * the node. */
static void a_capture_beyond_the_limit(void)
{
	struct pl_cuda_cuStreamGetCaptureInfo_reply info;
	struct pl_cuda_cuMemAlloc_v2_reply memory;
	uint64_t i = 0, node;

	ids_open();
	expect_is(CU(cuMemAlloc_v2, .bytes = 4096, .store = UINT64_MAX), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &memory);
	while (i < 3 * OBJECTS_LIMIT && !CU(cuEventCreate, .event = 0x10000 + i))
		i++;
	assert(i && i < OBJECTS_LIMIT);
	expect_is(CU(cuEventDestroy, .event = 0x10000), CUDA_SUCCESS);
	expect_is(CU(cuStreamBeginCapture_v2, .stream = STREAM, .mode = CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
	expect_is(CU(cuMemsetD8Async, .dst = memory.address, .count = 64, .stream = STREAM), CUDA_SUCCESS);
	expect_is(CU(cuStreamGetCaptureInfo, .stream = STREAM, .want = 1), CUDA_SUCCESS);
	pl_cuda_cuStreamGetCaptureInfo_reply_get(&peer.dec, &info);
	assert(pl_dec_whole(&peer.dec) && info.dependencies.count == 1 && info.dependencies.at[0] && !info.graph);
	node = info.dependencies.at[0];
	expect_is(CU(cuGraphNodeGetType, .node = node), CUDA_SUCCESS);
	expect_is(CU(cuStreamEndCapture, .stream = STREAM, .graph = GRAPH), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuGraphNodeGetType, .node = node), CUDA_ERROR_INVALID_VALUE);
	expect_is(CU(cuEventCreate, .event = 0x10000), CUDA_SUCCESS); /* in the node's place */
	expect_is(CU(cuEventCreate, .event = 0x20000), CUDA_ERROR_OUT_OF_MEMORY);
	expect_is(CU(cuEventQuery, .event = 0x20000), CUDA_ERROR_INVALID_HANDLE);
	expect_is(load(MODULE, 0), CUDA_ERROR_OUT_OF_MEMORY);
	peer_close(&peer);
}

const struct hostile_case cases_ids[] = {
	{ "ids: of what is there", ids_of_what_is_there, false },
	{ "ids: of what is others' to end", ids_of_what_is_others, false },
	{ "ids: of functions that are taken", ids_of_functions_that_are_taken, false },
	{ "ids: functions of a context that is gone", functions_of_a_context_that_is_gone, false },
	{ "ids: arrays beyond the limit", arrays_beyond_the_limit, false },
	{ "ids: a primary context without one", a_primary_context_without_an_id, false },
	{ "ids: a primary context with two", a_primary_context_with_two, false },
	{ "ids: a capture beyond the limit", a_capture_beyond_the_limit, false },
	{ NULL, NULL, false },
};
