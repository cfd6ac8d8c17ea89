/*
 * Memory that has an address: who it belongs to, where it lies, how the host reaches it.  One table for the process, as
 * addresses mean the same for host and device.
 *
 * A struct pl_cu_mem that pl_cu_mem_find() gives is good until somebody frees it, which is the application's affair: it
 * is read under the table's lock where that matters, through the functions here.
 */
#ifndef PL_REFGPU_DRIVER_MEM_H
#define PL_REFGPU_DRIVER_MEM_H

#include "cuda/advice.h"
#include "refgpu/driver/driver.h"

enum pl_cu_mem_kind {
	PL_CU_MEM_DEVICE,     /* cuMemAlloc(), also pitched */
	PL_CU_MEM_POOL,       /* cuMemAllocAsync() */
	PL_CU_MEM_HOST,       /* cuMemHostAlloc() */
	PL_CU_MEM_REGISTERED, /* cuMemHostRegister() */
	PL_CU_MEM_MANAGED,
	PL_CU_MEM_MAPPED, /* cuMemMap() */
	PL_CU_MEM_IPC,    /* another process' */
	PL_CU_MEM_MODULE, /* code, constants or variables */
	PL_CU_MEM_GRAPH,  /* of an allocation node */
	PL_CU_MEM_DRIVER, /* the driver's own */
};

struct pl_cu_physical;

struct pl_cu_mem {
	enum pl_cu_mem_kind kind;
	uint64_t va, bytes;       /* as asked for */
	uint64_t mapped_bytes;    /* in whole pages, from va's page */
	uint64_t space_va, space; /* addresses taken for it; 0: none, or not from the driver's arena */
	uint64_t id;
	CUcontext ctx; /* whose; may be destroyed */
	struct pl_cu_dev *dev;
	unsigned int flags; /* as given when it was made */
	struct pl_cu_extents extents;
	char *host; /* system memory of `va`; NULL: VRAM */
	uint64_t host_bytes;
	bool host_owned; /* unmapped when it is freed */
	bool backed;     /* device memory all the same: share.c, pool-share.c */
	bool read_only, sync_memops;
	int fd; /* of host, where other processes map it; -1: none */
	struct pl_cu_pool *pool;
	struct pl_cu_physical *physical; /* MAPPED: a part of it */
	uint64_t physical_offset;        /* there; POOL: in the pool's file */
	CUmemAccess_flags access;        /* MAPPED */
	struct pl_cuda_advice advice;    /* on managed memory; it changes nothing but what is answered */
	const char *what;                /* for reports */
	uint32_t pins;                   /* registered twice by the driver itself */
	atomic_uint uses;                /* by the host, just now: pl_cu_mem_use() */
	bool moving;                     /* under the table's lock: who wants to use it waits */
	struct pl_cu_check_mem *check;   /* NULL outside of check mode */
};

/* Host and device see it as memory of the device. */
static inline bool pl_cu_mem_on_device(const struct pl_cu_mem *mem)
{
	return !mem->host || mem->backed;
}

const char *pl_cu_mem_kind_name(const struct pl_cu_mem *mem); /* for reports */

int pl_cu_mem_init(struct pl_cu_hw *hw); /* 0 or -ENOMEM */

#define PL_CU_VA_GRANULE (2ull << 20) /* of what cuMemAddressReserve() gives */

/* What the driver itself has taken ends at a granule: whoever reserves the lowest addresses leaves none below. */
void pl_cu_va_begin(void);
/* Addresses of the driver's arena; larger than it: addresses of their own. */
int pl_cu_va_take(uint64_t bytes, uint64_t align, uint64_t *va_out);
int pl_cu_va_take_at(uint64_t va, uint64_t bytes); /* just these; -ENOSPC */
void pl_cu_va_give(uint64_t va, uint64_t bytes);

/* VRAM with an address.  Return: 0, -ENOSPC or -ENOMEM. */
int pl_cu_mem_create(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, uint64_t bytes);
/* System memory of whole pages, mapped in this process, at an address of the device's; takes it over, also where it
 * fails.  Return: as above. */
int pl_cu_mem_create_over(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, void *host,
			  uint64_t bytes);
/* System memory at the same address for both.  `host` NULL: new memory.  Return: as above, or -EEXIST. */
int pl_cu_mem_create_host(struct pl_cu_mem **mem_out, enum pl_cu_mem_kind kind, struct pl_cu_ctx *ctx, void *host,
			  uint64_t bytes, bool read_only);
/* Unmaps and forgets it; nobody on the device uses it any more. */
void pl_cu_mem_destroy(struct pl_cu_mem *mem);
/* For memory that others have made: enters it into the table, or takes it out.  Return: 0, -EEXIST, -ENOMEM. */
int pl_cu_mem_insert(struct pl_cu_mem *mem);
/* Its VRAM at its addresses, once more.  Return: 0 or -ENOMEM. */
int pl_cu_mem_extents_map(struct pl_cu_mem *mem);
void pl_cu_mem_remove(struct pl_cu_mem *mem);

/* In which it lies; NULL: none that the driver knows. */
struct pl_cu_mem *pl_cu_mem_find(uint64_t va);
/* What it is, now: the allocation that ends last before, or begins first after an address that is in none.  It is
 * another's, which may be freed at any time.  Return: there is one. */
bool pl_cu_mem_near(uint64_t va, struct pl_cu_mem *mem_out);
/* Whether there is memory anywhere in a range. */
bool pl_cu_mem_is_any(uint64_t va, uint64_t bytes);
/* Takes the allocation that begins there out of the table, so that no one else can free it; NULL: not this kind. */
struct pl_cu_mem *pl_cu_mem_claim(uint64_t va, enum pl_cu_mem_kind kind);

/* Whether the device reaches all of a range. */
bool pl_cu_mem_reaches(uint64_t va, uint64_t bytes);
/* Address of the arena of device addresses: not the host's, whether in use or not. */
bool pl_cu_mem_is_device_address(uint64_t va);
/* Where the host reaches `va`, and how much follows in one piece; NULL: nowhere. */
void *pl_cu_mem_host(uint64_t va, uint64_t *room_out);

/* The same, for a copy that another thread's free waits for; *mem_out: for pl_cu_mem_unuse(), where there is any. */
void *pl_cu_mem_use(uint64_t va, uint64_t *room_out, struct pl_cu_mem **mem_out);
void pl_cu_mem_unuse(struct pl_cu_mem *mem); /* NULL is fine */

/* The bytes move elsewhere: in between nobody uses it, and who wants to waits.  With nothing under way on the device.
 */
void pl_cu_mem_move_begin(struct pl_cu_mem *mem);
void pl_cu_mem_move_end(struct pl_cu_mem *mem);
/* As pl_cu_mem_host(), of memory that is in use, whether or not the table still has it. */
void *pl_cu_mem_used_at(const struct pl_cu_mem *mem, uint64_t va, uint64_t *room_out);

/* Calls fn for each allocation of a context (or of all: NULL) until it returns false; the table is locked. */
void pl_cu_mem_each(bool (*fn)(struct pl_cu_mem *mem, void *arg), void *arg);
/* Frees what a context that goes away has left. */
void pl_cu_mem_free_all(struct pl_cu_ctx *ctx);

uint64_t pl_cu_mem_next_id(void);

/* Whether all of a range is mapped in this process, so that it can be registered. */
bool pl_cu_host_mapped(const void *host, uint64_t bytes);

#endif
