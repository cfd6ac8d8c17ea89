/* Memory that has an address: which ranges are the device's, and what the client knows of each. */
#ifndef PL_CLIENT_CUDA_MEMORY_H
#define PL_CLIENT_CUDA_MEMORY_H

#include "client/cuda/state.h"

enum pl_cuda_memory_kind {
	PL_CUDA_MEMORY_DEVICE,     /* cuMemAlloc(), also pitched */
	PL_CUDA_MEMORY_POOL,       /* cuMemAllocAsync() */
	PL_CUDA_MEMORY_HOST,       /* cuMemHostAlloc(): the client's own memory */
	PL_CUDA_MEMORY_REGISTERED, /* cuMemHostRegister(): the program's */
};

struct pl_cuda_memory {
	uint64_t address, bytes;
	enum pl_cuda_memory_kind kind;
	unsigned int flags;
	struct pl_cuda_context *context;
	uint64_t id; /* of this allocation, never again */
};

/* Enters one.  Return: false: no memory, or the addresses are in use. */
bool pl_cuda_memory_enter(const struct pl_cuda_memory *memory);
/* Copies what holds the address.  Return: found. */
bool pl_cuda_memory_find(uint64_t address, struct pl_cuda_memory *memory_out);
/* Takes the one out that begins there.  Return: found. */
bool pl_cuda_memory_take(uint64_t address, struct pl_cuda_memory *memory_out);
/* All of the range is of one device allocation. */
bool pl_cuda_memory_is_device(uint64_t address, uint64_t bytes);
/* The device's, by its address. */
bool pl_cuda_memory_on_device(uint64_t address);
#define PL_CUDA_BLOCK_BYTES     (4u << 20) /* measured: docs/results/vmcuda.md, Figure 7 */
#define PL_CUDA_BLOCK_BYTES_MIN (4u << 10)
#define PL_CUDA_BLOCK_BYTES_MAX (1u << 30) /* limit: PLENUM_BLOCK_BYTES */

/** pl_cuda_block_bytes() - in what pieces a long copy from or to the program's memory goes
 * One end fills a piece while the other empties one, and few pieces stay in the cache.  To a stream from the device the
 * server cuts by itself, and no call waits for each piece.  PLENUM_BLOCK_BYTES decides for all. */
uint64_t pl_cuda_block_bytes(const struct pl_session *session, bool to_device);

/* Forgets what a context had. */
void pl_cuda_memory_context_gone(struct pl_cuda_context *context);

#endif
