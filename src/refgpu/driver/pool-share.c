#include "pool-share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cuda-api.h"

#define MAGIC_FILE    0x314c4f4f50504c50ull
#define MAGIC_POINTER 0x3152545050504c50ull
#define HEAD_BYTES    PL_CU_PAGE
#define GRANULE       PL_CU_VA_GRANULE /* of what a file has room for */
#define SEALS         (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct head {
	uint64_t magic, data_bytes;
};

struct entry {                   /* of the allocation that begins in this page */
	_Atomic uint64_t serial; /* 0: none */
	_Atomic uint64_t bytes;
};

/* A file: the head, an entry for each page of the data, the data. */
struct pl_cu_pool_file {
	int fd;
	uint64_t inode, data_bytes;
	struct entry *entries;
	struct pl_cuda_space space; /* what is free, of who allocates; under the pool's lock */
};

/* In the 64 bytes of what is exported. */
struct pointer_data {
	uint64_t magic, inode, offset, serial, zero[4];
};
_Static_assert(sizeof(struct pointer_data) == sizeof(CUmemPoolPtrExportData), "as CUDA has it");

static uint64_t entries_bytes(uint64_t data_bytes)
{
	return data_bytes / PL_CU_PAGE * sizeof(struct entry);
}

static uint64_t file_bytes(uint64_t data_bytes)
{
	return HEAD_BYTES + entries_bytes(data_bytes) + data_bytes;
}

static off_t data_at(const struct pl_cu_pool_file *file, uint64_t offset)
{
	return (off_t)(HEAD_BYTES + entries_bytes(file->data_bytes) + offset);
}

void pl_cu_pool_file_destroy(struct pl_cu_pool_file *file)
{
	if (!file)
		return;
	if (file->entries)
		munmap(file->entries, entries_bytes(file->data_bytes));
	if (file->fd >= 0)
		close(file->fd);
	pl_cuda_space_fini(&file->space);
	free(file);
}

/* Takes over the descriptor, also where it fails. */
static CUresult file_of(struct pl_cu_pool_file **file_out, int fd, uint64_t data_bytes)
{
	struct pl_cu_pool_file *file = calloc(1, sizeof(*file));
	struct stat stat;
	void *at;
	if (!file || fstat(fd, &stat)) {
		free(file);
		close(fd);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*file = (struct pl_cu_pool_file){ .fd = fd, .inode = (uint64_t)stat.st_ino, .data_bytes = data_bytes };
	at = mmap(NULL, entries_bytes(data_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, HEAD_BYTES);
	if (at == MAP_FAILED) {
		pl_cu_pool_file_destroy(file);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	file->entries = at;
	*file_out = file;
	return CUDA_SUCCESS;
}

CUresult pl_cu_pool_file_create(struct pl_cu_pool_file **file_out, struct pl_cu_dev *dev, uint64_t bytes_max)
{
	uint64_t vram = dev->hw->vram_bytes, bytes = bytes_max && bytes_max < vram ? bytes_max : vram;
	struct head head = { MAGIC_FILE, (bytes + GRANULE - 1) & ~(uint64_t)(GRANULE - 1) };
	struct pl_cu_pool_file *file;
	int fd = memfd_create("plenum-refgpu-pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CUresult r;
	if (fd < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	if (ftruncate(fd, (off_t)file_bytes(head.data_bytes)) || pwrite(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    fcntl(fd, F_ADD_SEALS, SEALS)) {
		close(fd);
		return CUDA_ERROR_OPERATING_SYSTEM;
	}
	r = file_of(&file, fd, head.data_bytes);
	if (r)
		return r;
	if (pl_cuda_space_give(&file->space, 0, file->data_bytes)) {
		pl_cu_pool_file_destroy(file);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*file_out = file;
	return CUDA_SUCCESS;
}

/* Another process' file, which is whole and stays so: a file that could shrink would kill who reads it. */
static CUresult file_open(struct pl_cu_pool_file **file_out, int shared)
{
	struct head head;
	struct stat stat;
	int fd = fcntl(shared, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (!fstat(fd, &stat) && S_ISREG(stat.st_mode) && (fcntl(fd, F_GET_SEALS) & SEALS) == SEALS &&
	    pread(fd, &head, sizeof(head), 0) == sizeof(head) && head.magic == MAGIC_FILE && head.data_bytes &&
	    !(head.data_bytes % GRANULE) && head.data_bytes < (uint64_t)stat.st_size &&
	    file_bytes(head.data_bytes) == (uint64_t)stat.st_size)
		return file_of(file_out, fd, head.data_bytes);
	close(fd);
	return CUDA_ERROR_INVALID_VALUE;
}

/* Return: 0, -ENOSPC or -ENOMEM. */
static int mem_map(const struct pl_cu_pool_file *file, struct pl_cu_ctx *ctx, uint64_t offset, uint64_t bytes,
		   struct pl_cu_mem **mem_out)
{
	uint64_t whole = (bytes + PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1);
	void *host = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, data_at(file, offset));
	int r;
	if (host == MAP_FAILED)
		return -ENOSPC;
	r = pl_cu_mem_create_over(mem_out, PL_CU_MEM_POOL, ctx, host, bytes);
	if (r)
		return r;
	(*mem_out)->backed = true;
	(*mem_out)->physical_offset = offset;
	return 0;
}

int pl_cu_pool_file_take(struct pl_cu_pool_file *file, struct pl_cu_ctx *ctx, uint64_t bytes,
			 struct pl_cu_mem **mem_out)
{
	uint64_t whole = (bytes + PL_CU_PAGE - 1) & ~(uint64_t)(PL_CU_PAGE - 1), offset;
	int r = pl_cuda_space_take(&file->space, whole, PL_CU_PAGE, &offset);
	if (r)
		return r;
	r = mem_map(file, ctx, offset, bytes, mem_out);
	if (r)
		(void)pl_cuda_space_give(&file->space, offset, whole);
	return r;
}

void pl_cu_pool_file_give(struct pl_cu_pool_file *file, const struct pl_cu_mem *mem)
{
	(void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, data_at(file, mem->physical_offset),
			(off_t)mem->mapped_bytes);
	(void)pl_cuda_space_give(&file->space, mem->physical_offset, mem->mapped_bytes);
}

void pl_cu_pool_file_mark(struct pl_cu_pool_file *file, const struct pl_cu_mem *mem, bool lives)
{
	struct entry *entry = &file->entries[mem->physical_offset / PL_CU_PAGE];
	atomic_store_explicit(&entry->bytes, lives ? mem->bytes : 0, memory_order_relaxed);
	atomic_store_explicit(&entry->serial, lives ? mem->id : 0, memory_order_release);
}

/* -- the API ------------------------------------------------------------------------------------------------------- */

CUresult cuMemPoolExportToShareableHandle(void *shareable, CUmemoryPool handle, CUmemAllocationHandleType type,
					  unsigned long long flags)
{
	struct pl_cu_pool *pool;
	int fd;
	CUresult r = pl_cu_pool_get(handle, &pool);
	if (r)
		return r;
	if (!shareable || flags || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || !pool->file || pool->imported)
		return CUDA_ERROR_INVALID_VALUE;
	fd = dup(pool->file->fd);
	if (fd < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	*(int *)shareable = fd;
	return CUDA_SUCCESS;
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool *pool_out, void *shareable, CUmemAllocationHandleType type,
					    unsigned long long flags)
{
	static const CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
					      .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	struct pl_cu_pool_file *file;
	struct pl_cu_pool *pool;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	if (!pool_out || flags || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_INVALID_VALUE;
	r = file_open(&file, (int)(intptr_t)shareable);
	if (!r)
		r = pl_cu_pool_create(&pool, pl_cu_device(0), &props, file);
	if (r)
		return r;
	pool->imported = true;
	*pool_out = pool->handle;
	return CUDA_SUCCESS;
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData *data_out, CUdeviceptr address)
{
	struct pointer_data data = { .magic = MAGIC_POINTER };
	const struct pl_cu_mem *mem;
	CUresult r = pl_cu_enter();
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!data_out || !mem || !mem->pool || !mem->pool->file || mem->pool->imported || mem->va != address)
		return CUDA_ERROR_INVALID_VALUE;
	data.inode = mem->pool->file->inode;
	data.offset = mem->physical_offset;
	data.serial = mem->id;
	memcpy(data_out, &data, sizeof(data));
	return CUDA_SUCCESS;
}

/* How much lives there; 0: nothing, or not what was exported. */
static uint64_t living_bytes(const struct pl_cu_pool_file *file, const struct pointer_data *data)
{
	const struct entry *entry;
	uint64_t bytes;
	if (data->magic != MAGIC_POINTER || data->inode != file->inode || !data->serial || data->offset % PL_CU_PAGE ||
	    data->offset >= file->data_bytes)
		return 0;
	entry = &file->entries[data->offset / PL_CU_PAGE];
	if (atomic_load_explicit(&entry->serial, memory_order_acquire) != data->serial)
		return 0;
	bytes = atomic_load_explicit(&entry->bytes, memory_order_relaxed);
	return bytes <= file->data_bytes - data->offset ? bytes : 0;
}

CUresult cuMemPoolImportPointer(CUdeviceptr *address_out, CUmemoryPool handle, CUmemPoolPtrExportData *opaque)
{
	struct pointer_data data;
	struct pl_cu_mem *mem;
	struct pl_cu_pool *pool;
	struct pl_cu_ctx *ctx;
	uint64_t bytes;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (!r)
		r = pl_cu_pool_get(handle, &pool);
	if (r)
		return r;
	if (!address_out || !opaque || !pool->imported)
		return CUDA_ERROR_INVALID_VALUE;
	memcpy(&data, opaque, sizeof(data));
	bytes = living_bytes(pool->file, &data);
	if (!bytes)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_result_of(mem_map(pool->file, ctx, data.offset, bytes, &mem));
	if (r)
		return r;
	pthread_mutex_lock(&pool->lock);
	mem->pool = pool;
	pl_cu_pool_account(pool, mem->mapped_bytes, mem->mapped_bytes);
	pthread_mutex_unlock(&pool->lock);
	*address_out = mem->va;
	return CUDA_SUCCESS;
}
