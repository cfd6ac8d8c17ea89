/*
 * Memory that has an address: which ranges are the device's, what the client knows of each, and the lease: device
 * memory that the program has given back and that its next allocation of the same size takes without a question
 * (docs/adr/0014).
 */
#ifndef PL_CLIENT_CUDA_MEMORY_H
#define PL_CLIENT_CUDA_MEMORY_H

#include "client/cuda/state.h"
#include "cuda/advice.h"

#define PL_CUDA_LEASE_BYTES_MAX (256ull << 20) /* limit: bytes that the lease keeps */
#define PL_CUDA_LEASE_ITEMS_MAX 1024u          /* limit: allocations that it keeps */

#define PL_CUDA_PROGRAM_LOWEST  65536u /* no program has memory below */

enum pl_cuda_memory_kind {
	PL_CUDA_MEMORY_DEVICE,     /* cuMemAlloc(), also pitched */
	PL_CUDA_MEMORY_POOL,       /* cuMemAllocAsync() */
	PL_CUDA_MEMORY_GRAPH,      /* a graph's: whether it lives is not known here */
	PL_CUDA_MEMORY_VARIABLE,   /* a module's: whether it lives is not known here */
	PL_CUDA_MEMORY_MAPPED,     /* cuMemMap() */
	PL_CUDA_MEMORY_IMPORTED,   /* another process' */
	PL_CUDA_MEMORY_HOST,       /* cuMemHostAlloc() */
	PL_CUDA_MEMORY_REGISTERED, /* cuMemHostRegister(): the program's */
	PL_CUDA_MEMORY_MANAGED,    /* cuMemAllocManaged(): host memory that the device reaches */
};

struct pl_cuda_part { /* cuMemCreate() */
	struct pl_cuda_object object;
	unsigned int handle_types; /* for other processes */
	CUdevice device;           /* whose it is; CU_DEVICE_INVALID: none's, or not known */
};

struct pl_cuda_memory {
	uint64_t address, bytes;
	enum pl_cuda_memory_kind kind;
	unsigned int flags; /* HOST, REGISTERED, MANAGED: the API's */
	struct pl_cuda_context *context;
	struct pl_session *session; /* NULL when it is entered: the context's; without one, the current */
	uint64_t id;                /* of this allocation, never again */
	uint64_t pool;              /* POOL: id of the one that was named; 0 = the device's */
	unsigned int handle_types;  /* POOL: of its pool, when it was allocated; MAPPED */
	CUdevice of_device;         /* POOL, GRAPH, MAPPED: where it lies; others': the context's */
	uint64_t readers, writers;  /* MAPPED: the devices, a bit each of the first 64 */
	uint64_t store; /* its place in the session's shared memory (HOST, MANAGED, DEVICE); PL_ARENA_NONE: not there */
	uint64_t device;  /* HOST, MANAGED: its address for the device; 0: it is not mapped there */
	bool plain;       /* HOST: no device reaches it yet, reach.h */
	bool mirrored;    /* MANAGED, VARIABLE, HOST: it lies with the driver, at its address; mirrored.h */
	bool sync_memops; /* CU_POINTER_ATTRIBUTE_SYNC_MEMOPS */
	bool exported;  /* DEVICE, POOL: other processes may have it, too; freed, it goes back to the driver at once */
	bool imported;  /* POOL: another process allocated it */
	uint32_t opens; /* IMPORTED: so often more than once */
	struct pl_cuda_advice advice; /* managed: changes nothing but what is answered */
};

static inline bool pl_cuda_memory_is_managed(const struct pl_cuda_memory *memory)
{
	return memory->kind == PL_CUDA_MEMORY_MANAGED || (memory->kind == PL_CUDA_MEMORY_VARIABLE && memory->mirrored);
}

/* The program's, and the driver knows of it. */
static inline bool pl_cuda_memory_is_pinned(const struct pl_cuda_memory *memory)
{
	return memory->kind == PL_CUDA_MEMORY_HOST || memory->kind == PL_CUDA_MEMORY_REGISTERED;
}

/* Something was mirrored once. */
extern atomic_bool pl_cuda_mirrors;

/* The handle of an allocation that was made. */
void pl_cuda_part_made(CUmemGenericAllocationHandle *handle, void *made, unsigned int handle_types, CUdevice device);

/* The driver has given these addresses away: what may have lived there does not. */
void pl_cuda_memory_taken(uint64_t address, uint64_t bytes);
/* Enters one.  Return: false: no memory, or the addresses are in use. */
bool pl_cuda_memory_enter(const struct pl_cuda_memory *memory);
/* Copies what holds the address.  Return: found. */
bool pl_cuda_memory_find(uint64_t address, struct pl_cuda_memory *memory_out);
/* Copies the first one that ends behind the address.  Return: found. */
bool pl_cuda_memory_next(uint64_t address, struct pl_cuda_memory *memory_out);
/* Takes the one out that begins there.  Return: found. */
bool pl_cuda_memory_take(uint64_t address, struct pl_cuda_memory *memory_out);
/** pl_cuda_memory_change() - changes the one that `memory` is a copy of, as long as it lives
 * @change: called with the table locked, for it as it is by then: others may have changed it since; address, bytes and
 * id stay */
void pl_cuda_memory_change(const struct pl_cuda_memory *memory, void (*change)(struct pl_cuda_memory *it, void *arg),
			   void *arg);
/* All of the range is of one device allocation of the current session.  Where it is none, the driver will be asked, and
 * finds no lease there.
 */
bool pl_cuda_memory_is_device(uint64_t address, uint64_t bytes);
/* A device's, by its address: memory, or addresses that were reserved for some. */
bool pl_cuda_memory_on_device(uint64_t address);

/* ---- reserved.c: what cuMemAddressReserve() gave ---- */

bool pl_cuda_is_reserved(uint64_t address);
void pl_cuda_reserved_enter(uint64_t address, uint64_t bytes);
void pl_cuda_reserved_forget(uint64_t address, uint64_t bytes);

/* What the current device may do there; without one, the first of its server. */
CUmemAccess_flags pl_cuda_memory_access(const struct pl_cuda_memory *memory);
#define PL_CUDA_BLOCK_BYTES      (4u << 20) /* measured: docs/results/vmcuda.md, Figure 7 */
/* Over sockets: one goes on to the device while the next travels, and the last is behind all of them. */
#define PL_CUDA_BLOCK_SENT_BYTES (1u << 20)
#define PL_CUDA_BLOCK_BYTES_MIN  (4u << 10)
#define PL_CUDA_BLOCK_BYTES_MAX  (1u << 30) /* limit: PLENUM_BLOCK_BYTES */

/** pl_cuda_block_bytes() - in what pieces a long copy from or to the program's memory goes
 * One end fills a piece while the other empties one, and few pieces stay in the cache.  To a stream from the device the
 * server cuts by itself, and no call waits for each piece.  PLENUM_BLOCK_BYTES decides for all. */
uint64_t pl_cuda_block_bytes(const struct pl_session *session, bool to_device);
bool pl_cuda_block_is_chosen(void); /* by PLENUM_BLOCK_BYTES: then no ring is used */

/* Where a range of host memory lies in the session's shared memory; PL_ARENA_NONE: not there, or not all. */
uint64_t pl_cuda_memory_store(const struct pl_session *session, const void *host, uint64_t bytes);
/* Bytes of the session's device memory that the program has. */
uint64_t pl_cuda_memory_used(const struct pl_session *session);
/* Forgets what a context had. */
void pl_cuda_memory_context_gone(struct pl_cuda_context *context);

/* Host memory that the device reaches, or plain memory where nothing is shared and `mapped` is false.  `memory`: kind,
 * flags and context are set. */
CUresult pl_cuda_host_create(struct pl_session *session, struct pl_cuda_memory *memory, uint64_t bytes, bool mapped);
void pl_cuda_host_destroy(struct pl_session *session, const struct pl_cuda_memory *memory);
/* The driver has given it up with its context: what it lay in is free. */
void pl_cuda_host_forget(const struct pl_cuda_memory *memory);
/* Tells the driver of memory in the session's shared memory; sets memory->device. */
CUresult pl_cuda_host_map(struct pl_session *session, struct pl_cuda_memory *memory);
/* Registered memory gets its address on the device; and has none any more, as its context has gone. */
CUresult pl_cuda_registered_map(struct pl_cuda_memory *memory);
void pl_cuda_registered_forget(const struct pl_cuda_memory *memory);
/* A place in the session's shared memory for host memory of that many bytes, and a page more, which no device has: what
 * runs past the end does not come to the next one.  align: 0 = of a page.  Return: as pl_arena_alloc(). */
uint64_t pl_cuda_host_place(struct pl_session *session, uint64_t bytes, uint64_t align);
void pl_cuda_host_place_free(struct pl_session *session, uint64_t store, uint64_t bytes, uint64_t fence);
/* Does the device reach host memory at the address that the program knows? */
bool pl_cuda_host_is_mapped(const struct pl_session *session);

/* ---- direct.c: device memory in the session's shared memory, docs/adr/0018 ---- */

/* Sets a place aside for an allocation of memory->bytes; `store` stays PL_ARENA_NONE where there is none. */
void pl_cuda_direct_set_aside(struct pl_session *session, struct pl_cuda_memory *memory);
/* Gives it back: the allocation has been freed, or will be by what was sent. */
void pl_cuda_direct_give_back(struct pl_session *session, const struct pl_cuda_memory *memory);

enum pl_cuda_direct_how {
	PL_CUDA_DIRECT_WAITS,    /* the call waits for the device in any case */
	PL_CUDA_DIRECT_PAGEABLE, /* it need not return before the copy has been made */
	PL_CUDA_DIRECT_PINNED,   /* it should return before */
};

/** pl_cuda_direct_pass() - behind a change of where memory lies: returns when no such copy goes on that does not see it
 * One caller at a time. */
void pl_cuda_direct_pass(void);
/** pl_cuda_direct_copy() - the program's own thread copies, where that needs no device
 * Return: it has ended, with *result_out; false: the server has to be asked. */
bool pl_cuda_direct_copy(struct pl_session *session, enum pl_cuda_direct_how how, bool per_thread, CUdeviceptr address,
			 void *host, uint64_t bytes, bool to_host, CUresult *result_out);

/* ---- lease.c ---- */

/* Keeps what the program frees: `stream` is 0 for cuMemFree(), else the id + 1 of a stream.  Return: kept. */
bool pl_cuda_lease_keep(const struct pl_cuda_memory *memory, uint64_t stream);
/* Memory of just that size, of the current context; what was done in it so far comes before what is sent from here on.
 * Return: there is: its address and place are in *memory. */
bool pl_cuda_lease_take(struct pl_session *session, struct pl_cuda_memory *memory, uint64_t stream);
/* pl_cuda_reclaim() of cuda-client.h gives all back to the driver; also before it is asked how much is free. */
/* The program uses an address that it has no memory at: the driver is to see that too. */
void pl_cuda_lease_touch(uint64_t address);
/* A device has another pool: what was freed to the one before is not taken again in its name. */
void pl_cuda_lease_pool_changes(void);
void pl_cuda_lease_pass(void); /* behind what other threads are about to send of it */

/* ---- pool.c ---- */

/* It ends, and is no device's any more. */
void pl_cuda_pool_fini(const struct pl_cuda_pool *pool);
/* Of memory of this pool, for other processes; pool: NULL = the one of the device. */
unsigned int pl_cuda_pool_handle_types(const CUmemoryPool *pool, CUdevice device);
/* Where this pool's memory lies; pool: NULL, or not known = `device`. */
CUdevice pl_cuda_pool_device(const CUmemoryPool *pool, CUdevice device);
void pl_cuda_lease_context_gone(const struct pl_cuda_context *context);

/* ---- apart.c: several servers ---- */

/* Keeps the session's driver from giving these addresses (0: some, the lowest it would give).  Return: done. */
bool pl_cuda_addresses_set_aside(struct pl_session *session, uint64_t address, uint64_t bytes);
/* What a session has given lies where another server's memory is, though all are one address space. */
bool pl_cuda_collides(const struct pl_session *session, uint64_t address, uint64_t bytes,
		      struct pl_cuda_memory *other_out);

/* Is the address another server's than the current context's? */
bool pl_cuda_is_elsewhere(CUdeviceptr address);
/* Are both of devices, and of two servers? */
bool pl_cuda_is_apart(CUdeviceptr a, CUdeviceptr b);
/* Copies that concern another server than the current context's: they begin when all before them in the stream has
 * ended, and have ended when they return, but for those between two servers that can be put into the stream (carry.h).
 * waits: the call is one that waits. */
CUresult pl_cuda_copy_to_apart(bool waits, bool per_thread, CUdeviceptr dst, const void *src, size_t bytes,
			       CUstream stream);
CUresult pl_cuda_copy_from_apart(bool waits, bool per_thread, void *dst, CUdeviceptr src, size_t bytes,
				 CUstream stream);
bool pl_cuda_shape_is_apart(const CUDA_MEMCPY3D_PEER *copy);
CUresult pl_cuda_shape_apart(bool waits, bool per_thread, const CUDA_MEMCPY3D_PEER *copy, CUstream stream);

/* Of a copy that is not one between contexts by its name. */
static inline enum pl_cuda_order pl_cuda_order_of(bool waits, bool per_thread)
{
	return !waits ? PL_CUDA_ORDER_STREAM : per_thread ? PL_CUDA_ORDER_THREAD : PL_CUDA_ORDER_DEFAULT;
}
CUresult pl_cuda_copy_between(enum pl_cuda_order order, bool per_thread, CUdeviceptr dst, CUdeviceptr src, size_t bytes,
			      CUstream stream);

#endif
