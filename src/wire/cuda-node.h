/*
 * Parameters of a graph's node as they travel (the `params` of cuGraphAddNode and cuGraphNodeSetParams): the structure
 * of its kind, then what it says follows.  Handles are ids.
 */
#ifndef PL_WIRE_CUDA_NODE_H
#define PL_WIRE_CUDA_NODE_H

#include <assert.h>
#include <stdint.h>

#include "cuda-wire.h"

struct pl_cuda_node_kernel { /* args_bytes of arguments, packed, follow */
	uint64_t function;   /* or a kernel's id */
	uint32_t grid[3], block[3], shared_bytes, args_bytes;
};

/* An end in the client's memory has CU_MEMORYTYPE_HOST and no pitch; the token names that memory.  The record is
 * PL_CUDA_WORDS_copy3d words. */
struct pl_cuda_node_copy {
	uint64_t token; /* 0 = both ends are the device's */
	uint64_t copy[PL_CUDA_WORDS_copy3d];
};

struct pl_cuda_node_fill {
	uint64_t address, pitch, width, height;
	uint32_t value, element_bytes;
};

struct pl_cuda_node_id { /* a host function's token, a child graph, an event, the address of a free node */
	uint64_t id;
};

struct pl_cuda_node_alloc { /* access_count of struct pl_cuda_node_access follow */
	uint32_t type, handle_types, location_type;
	int32_t location_id;
	uint64_t max_size, bytes;
	uint32_t usage, access_count;
	uint64_t address; /* the server tells */
};

struct pl_cuda_node_condition { /* the graphs that it runs come back, `size` of them */
	uint64_t handle;
	uint32_t type, size;
};

struct pl_cuda_node_memops { /* count of PL_CUDA_MEMOP_BYTES follow, as the API has them: they hold addresses and values
			      */
	uint32_t count, flags;
	uint64_t context; /* id; the server tells */
};
#define PL_CUDA_MEMOP_BYTES 48u

struct pl_cuda_node_access {
	uint32_t location_type;
	int32_t location_id;
	uint32_t flags, reserved;
};

static_assert(sizeof(struct pl_cuda_node_kernel) == 40 && sizeof(struct pl_cuda_node_fill) == 40 &&
		      sizeof(struct pl_cuda_node_alloc) == 48 && sizeof(struct pl_cuda_node_access) == 16 &&
		      sizeof(struct pl_cuda_node_memops) == 16 && sizeof(struct pl_cuda_node_condition) == 16,
	      "wire layout");

#endif
