#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cuda-api.h"
#include "cuda/share.h"
#include "ipc.h"
#include "mem.h"

#define MAGIC_MEM   0x314d454d49504c50ull
#define MAGIC_EVENT 0x3154564549504c50ull
#define PID_GIVEN   (-1)
#define POLL_NS     50000 /* the other process' device tells nobody here: who waits looks now and then */

/* In the 64 bytes of a handle. */
struct ipc_handle {
	uint64_t magic, serial;
	uint64_t bytes;
	uint64_t inode; /* of the file: a descriptor that was closed and used again is found out */
	int32_t pid, fd;
	uint64_t reserved[3];
};
_Static_assert(sizeof(struct ipc_handle) == CU_IPC_HANDLE_SIZE, "as CUDA has it");

struct event_page {
	struct pl_cu_sem sem;
	_Atomic uint64_t last;
};

static int memory_file(uint64_t bytes)
{
	int fd = memfd_create("plenum-refgpu-ipc", MFD_CLOEXEC);
	if (fd >= 0 && ftruncate(fd, (off_t)bytes)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static uint64_t inode_of(int fd)
{
	struct stat stat;
	return fstat(fd, &stat) ? 0 : (uint64_t)stat.st_ino;
}

/* A descriptor of this process, which a server has put into the handle. */
static int given_open(const struct ipc_handle *handle)
{
	return fcntl(handle->fd, F_DUPFD_CLOEXEC, 0);
}

/* The file of a handle, opened; -1 where it is gone or was never there. */
static int handle_open(const struct ipc_handle *handle)
{
	char path[64];
	struct stat stat;
	int fd;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", handle->pid, handle->fd);
	fd = handle->pid == PID_GIVEN ? given_open(handle) : open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!fstat(fd, &stat) && (uint64_t)stat.st_ino == handle->inode && stat.st_size >= (off_t)handle->bytes)
		return fd;
	close(fd);
	return -1;
}

int plRefgpuIpcFile(const void *opaque)
{
	struct ipc_handle handle;
	memcpy(&handle, opaque, sizeof(handle));
	return handle.pid == getpid() && inode_of(handle.fd) == handle.inode ? handle.fd : -1;
}

void plRefgpuIpcGive(void *opaque, int fd)
{
	struct ipc_handle handle;
	memcpy(&handle, opaque, sizeof(handle));
	handle.pid = PID_GIVEN;
	handle.fd = fd;
	memcpy(opaque, &handle, sizeof(handle));
}

static void *map_shared(int fd, uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* -- memory ----------------------------------------------------------------------------------------------------------
 */

static CUresult mem_move(struct pl_cu_hw *hw, struct pl_cu_mem *mem, char *host, int fd)
{
	struct pl_cu_extents vram = mem->extents;
	uint64_t done = 0, room;
	while (done < mem->bytes) {
		const void *from = pl_cu_mem_host(mem->va + done, &room);
		memcpy(host + done, from, room);
		done += room;
	}
	pl_cu_vm_unmap(hw, mem->va, mem->mapped_bytes);
	if (pl_cu_vm_map_host(hw, mem->va, host, mem->mapped_bytes, false))
		return CUDA_ERROR_OUT_OF_MEMORY;
	mem->host = host;
	mem->host_bytes = mem->mapped_bytes;
	mem->host_owned = true;
	mem->backed = false;
	mem->fd = fd;
	mem->extents = (struct pl_cu_extents){ 0 };
	pl_cu_vram_give(hw, &vram);
	return CUDA_SUCCESS;
}

/* Moves device memory into a file, at the same addresses; nothing runs meanwhile, and no copy of the host's. */
static CUresult mem_share(struct pl_cu_ctx *ctx, struct pl_cu_mem *mem)
{
	char *host;
	int fd;
	CUresult r = pl_cu_ctx_wait(ctx);
	if (r)
		return r;
	fd = memory_file(mem->mapped_bytes);
	host = fd >= 0 ? map_shared(fd, mem->mapped_bytes) : NULL;
	if (!host) {
		if (fd >= 0)
			close(fd);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pl_cu_mem_move_begin(mem);
	r = mem_move(ctx->dev->hw, mem, host, fd);
	pl_cu_mem_move_end(mem);
	return r;
}

CUresult cuIpcGetMemHandle(CUipcMemHandle *handle_out, CUdeviceptr address)
{
	struct ipc_handle handle;
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	mem = pl_cu_mem_find(address);
	if (!handle_out || !mem || mem->kind != PL_CU_MEM_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	if (mem->fd < 0)
		r = mem_share(ctx, mem);
	if (r)
		return r;
	handle = (struct ipc_handle){ .magic = MAGIC_MEM,
				      .serial = mem->id,
				      .bytes = mem->mapped_bytes,
				      .inode = inode_of(mem->fd),
				      .pid = getpid(),
				      .fd = mem->fd };
	memcpy(handle_out, &handle, sizeof(handle));
	return CUDA_SUCCESS;
}

static CUresult mem_open(struct pl_cu_ctx *ctx, const struct ipc_handle *handle, struct pl_cu_mem **mem_out)
{
	int fd = handle_open(handle);
	void *host = fd < 0 ? NULL : map_shared(fd, handle->bytes);
	CUresult r = fd < 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_OUT_OF_MEMORY;
	if (host)
		r = pl_cu_result_of(pl_cu_mem_create_over(mem_out, PL_CU_MEM_IPC, ctx, host, handle->bytes));
	if (!r)
		(*mem_out)->fd = fd;
	else if (fd >= 0)
		close(fd);
	return r;
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *address_out, CUipcMemHandle opaque, unsigned int flags)
{
	struct ipc_handle handle;
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	memcpy(&handle, &opaque, sizeof(handle));
	if (!address_out || flags & ~(unsigned int)CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS)
		return CUDA_ERROR_INVALID_VALUE;
	if (handle.magic != MAGIC_MEM || !handle.bytes || handle.bytes % PL_CU_PAGE)
		return CUDA_ERROR_INVALID_VALUE;
	if (handle.pid == getpid())
		return CUDA_ERROR_INVALID_CONTEXT; /* one's own */
	r = mem_open(ctx, &handle, &mem);
	if (!r)
		*address_out = mem->va;
	return r;
}

CUresult cuIpcOpenMemHandle(CUdeviceptr *address_out, CUipcMemHandle opaque, unsigned int flags)
{
	return cuIpcOpenMemHandle_v2(address_out, opaque, flags);
}

CUresult cuIpcCloseMemHandle(CUdeviceptr address)
{
	struct pl_cu_mem *mem;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	r = pl_cu_ctx_wait(ctx);
	mem = pl_cu_mem_claim(address, PL_CU_MEM_IPC);
	if (!mem)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cu_mem_destroy(mem);
	return r;
}

/* -- events ----------------------------------------------------------------------------------------------------------
 */

static CUresult page_attach(struct pl_cu_event *event, int fd)
{
	struct pl_cu_hw *hw = event->ctx->dev->hw;
	event->fd = fd;
	event->shared = map_shared(fd, PL_CU_PAGE);
	if (!event->shared)
		return CUDA_ERROR_OUT_OF_MEMORY;
	event->line = pl_cu_line_create_over(&((struct event_page *)event->shared)->sem);
	if (!event->line || pl_cu_vm_map_host(hw, (uint64_t)(uintptr_t)event->shared, event->shared, PL_CU_PAGE, false))
		return CUDA_ERROR_OUT_OF_MEMORY;
	return CUDA_SUCCESS;
}

CUresult pl_cu_ipc_event_share(struct pl_cu_event *event)
{
	int fd = memory_file(PL_CU_PAGE);
	return fd < 0 ? CUDA_ERROR_OUT_OF_MEMORY : page_attach(event, fd);
}

void pl_cu_ipc_event_close(struct pl_cu_event *event)
{
	if (event->shared) {
		pl_cu_vm_unmap(event->ctx->dev->hw, (uint64_t)(uintptr_t)event->shared, PL_CU_PAGE);
		munmap(event->shared, PL_CU_PAGE);
	}
	if (event->fd >= 0)
		close(event->fd);
}

uint64_t pl_cu_ipc_event_next(struct pl_cu_event *event)
{
	return atomic_fetch_add(&((struct event_page *)event->shared)->last, 1) + 1;
}

uint64_t pl_cu_ipc_event_last(const struct pl_cu_event *event)
{
	return atomic_load(&((struct event_page *)event->shared)->last);
}

CUresult pl_cu_ipc_event_sync(struct pl_cu_event *event, uint64_t value)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	while (!pl_cu_line_done(event->line, value) && !pl_cu_ctx_error(event->ctx))
		nanosleep(&pause, NULL);
	return pl_cu_ctx_error(event->ctx);
}

CUresult cuIpcGetEventHandle(CUipcEventHandle *handle_out, CUevent event_handle)
{
	struct pl_cu_event *event;
	struct ipc_handle handle;
	struct pl_cu_ctx *ctx;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	event = pl_cuda_handle_held(event_handle, PL_CU_EVENT);
	if (!event)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!handle_out || !event->shared)
		return CUDA_ERROR_INVALID_VALUE;
	handle = (struct ipc_handle){ .magic = MAGIC_EVENT,
				      .bytes = PL_CU_PAGE,
				      .inode = inode_of(event->fd),
				      .pid = getpid(),
				      .fd = event->fd };
	memcpy(handle_out, &handle, sizeof(handle));
	return CUDA_SUCCESS;
}

CUresult cuIpcOpenEventHandle(CUevent *event_out, CUipcEventHandle opaque)
{
	struct pl_cu_event *event;
	struct ipc_handle handle;
	struct pl_cu_ctx *ctx;
	int fd;
	CUresult r = pl_cu_enter_ctx(&ctx);
	if (r)
		return r;
	memcpy(&handle, &opaque, sizeof(handle));
	if (!event_out || handle.magic != MAGIC_EVENT || handle.bytes != PL_CU_PAGE)
		return CUDA_ERROR_INVALID_VALUE;
	if (handle.pid == getpid())
		return CUDA_ERROR_INVALID_CONTEXT;
	fd = handle_open(&handle);
	if (fd < 0)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_event_create(&event, ctx, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS);
	if (r) {
		close(fd);
		return r;
	}
	event->foreign = true;
	r = page_attach(event, fd);
	if (r)
		pl_cu_event_destroy(event);
	else
		*event_out = event->handle;
	return r;
}
