#include "backend/cuda/swap.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "backend/cuda/parts.h"
#include "backend/cuda/slab.h"
#include "base/err.h"
#include "base/wait.h"
#include "wire/cuda-kinds.h"

/* ---- parts ---- */

uint64_t pl_cuda_movable_part_bytes(const struct pl_cuda_movable *movable, uint32_t at)
{
	uint64_t left = movable->bytes - (uint64_t)at * PL_CUDA_MOVABLE_PART;

	return left < PL_CUDA_MOVABLE_PART ? left : PL_CUDA_MOVABLE_PART;
}

static CUdeviceptr part_address(const struct pl_cuda_movable *movable, uint32_t at)
{
	return movable->address + (uint64_t)at * PL_CUDA_MOVABLE_PART;
}

static CUmemAllocationProp properties_of(CUdevice device)
{
	return (CUmemAllocationProp){ .type = CU_MEM_ALLOCATION_TYPE_PINNED,
				      .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device } };
}

/* The device's own, and that of all that could be its peers: memory of cuMemAlloc() becomes theirs with the context. */
static CUresult access_give(CUdevice device, CUdeviceptr address, uint64_t bytes)
{
	CUmemAccessDesc access[PL_CUDA_DEVICES_MAX] = { { .location = { CU_MEM_LOCATION_TYPE_DEVICE, device },
							  .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE } };
	int devices = 0, can;
	size_t count = 1;

	if (!pl_cuda.cuDeviceCanAccessPeer || pl_cuda.cuDeviceGetCount(&devices))
		devices = 0;
	for (CUdevice peer = 0; peer < devices && count < PL_CUDA_DEVICES_MAX; peer++) {
		if (peer == device || pl_cuda.cuDeviceCanAccessPeer(&can, peer, device) || !can)
			continue;
		access[count] = access[0];
		access[count++].location.id = peer;
	}
	return pl_cuda.cuMemSetAccess(address, bytes, access, count);
}

/* Memory for it where its address is.  Return: the driver's result; nothing is there after a failure. */
static CUresult part_map(struct pl_cuda_movable *movable, uint32_t at)
{
	const CUmemAllocationProp properties = properties_of(movable->device);
	const uint64_t bytes = pl_cuda_movable_part_bytes(movable, at);
	CUmemGenericAllocationHandle handle;
	CUresult r = pl_cuda.cuMemCreate(&handle, bytes, &properties, 0);

	if (r)
		return r;
	r = pl_cuda.cuMemMap(part_address(movable, at), bytes, 0, handle, 0);
	if (!r) {
		r = access_give(movable->device, part_address(movable, at), bytes);
		if (r)
			pl_cuda.cuMemUnmap(part_address(movable, at), bytes);
	}
	if (r)
		pl_cuda.cuMemRelease(handle);
	else
		movable->parts[at].handle = handle;
	return r;
}

static void part_unmap(const struct pl_cuda_movable *movable, uint32_t at)
{
	if (pl_cuda.cuMemUnmap(part_address(movable, at), pl_cuda_movable_part_bytes(movable, at)))
		pl_log_warn("CUDA: memory at 0x%llx can not be unmapped",
			    (unsigned long long)part_address(movable, at));
	pl_cuda.cuMemRelease(movable->parts[at].handle);
}

void *pl_cuda_moved_room(uint64_t bytes)
{
	void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (host == MAP_FAILED)
		return NULL;
	(void)madvise(host, bytes, MADV_HUGEPAGE);
	(void)madvise(host, bytes, MADV_DONTDUMP);
	return host;
}

/* Return: it is in host memory now. */
static bool part_out(struct pl_cuda_movable *movable, uint32_t at)
{
	const uint64_t bytes = pl_cuda_movable_part_bytes(movable, at);
	void *host = pl_cuda_moved_room(bytes);

	if (!host)
		return false;
	if (pl_cuda.cuMemcpyDtoH_v2(host, part_address(movable, at), bytes)) {
		munmap(host, bytes);
		return false;
	}
	part_unmap(movable, at);
	movable->parts[at].host = host;
	return true;
}

static CUresult part_in(struct pl_cuda_movable *movable, uint32_t at)
{
	const uint64_t bytes = pl_cuda_movable_part_bytes(movable, at);
	CUresult r = part_map(movable, at);

	if (r)
		return r;
	r = pl_cuda.cuMemcpyHtoD_v2(part_address(movable, at), movable->parts[at].host, bytes);
	if (r) {
		part_unmap(movable, at);
		return r;
	}
	munmap(movable->parts[at].host, bytes);
	movable->parts[at].host = NULL;
	return CUDA_SUCCESS;
}

/* ---- allocations ---- */

static uint64_t bytes_min; /* set before there are other threads */

void pl_cuda_movable_min_set(void)
{
	const char *told = getenv("PLENUM_MOVABLE_MIN");

	bytes_min = told && told[0] ? strtoull(told, NULL, 10) : PL_CUDA_MOVABLE_MIN;
}

bool pl_cuda_is_movable(const struct pl_cuda_session *session, uint64_t bytes)
{
	const struct pl_swap *swap = &session->worker->swap;

	return swap->ops && (swap->all ? bytes > 0 : bytes >= bytes_min && !session->captured) &&
	       pl_cuda.cuMemAddressReserve && pl_cuda.cuMemAddressFree && pl_cuda.cuMemCreate && pl_cuda.cuMemRelease &&
	       pl_cuda.cuMemMap && pl_cuda.cuMemUnmap && pl_cuda.cuMemSetAccess &&
	       pl_cuda.cuMemGetAllocationGranularity && pl_cuda.cuCtxGetDevice && pl_cuda.cuCtxGetCurrent &&
	       pl_cuda.cuCtxPushCurrent_v2 && pl_cuda.cuCtxPopCurrent_v2 && pl_cuda.cuMemcpyDtoH_v2 &&
	       pl_cuda.cuMemcpyHtoD_v2 && pl_cuda.cuCtxSynchronize;
}

uint64_t pl_cuda_movable_whole(CUdevice device, uint64_t bytes)
{
	const CUmemAllocationProp properties = properties_of(device);
	size_t granule = 0;

	if (pl_cuda.cuMemGetAllocationGranularity(&granule, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM) ||
	    !granule || granule > PL_CUDA_MOVABLE_PART || PL_CUDA_MOVABLE_PART % granule || bytes > UINT64_MAX / 2)
		return 0;
	return (bytes + granule - 1) / granule * granule;
}

void pl_cuda_movable_end(struct pl_cuda_movable *movable)
{
	for (uint32_t i = 0; i < movable->parts_count; i++) {
		if (movable->parts[i].host)
			munmap(movable->parts[i].host, pl_cuda_movable_part_bytes(movable, i));
		else
			part_unmap(movable, i);
	}
	pl_cuda.cuMemAddressFree(movable->address, movable->bytes);
	free(movable);
}

/* What this session keeps for later comes before what others have. */
bool pl_cuda_pressed(struct pl_serve *serve, int32_t status, uint64_t bytes)
{
	CUdevice device;

	if (status != CUDA_ERROR_OUT_OF_MEMORY || !serve->session->swap.ops || !pl_cuda.cuCtxGetDevice)
		return false;
	return pl_cuda_slabs_trim(pl_cuda_session_of(serve)) ||
	       (!pl_cuda.cuCtxGetDevice(&device) && pl_swap_press(&serve->session->swap, (uint32_t)device, bytes));
}

int pl_cuda_room_claim(struct pl_cuda_session *session, CUdevice device, uint64_t bytes)
{
	int r;

	do {
		r = pl_swap_claim(&session->worker->swap, (uint32_t)device, bytes);
	} while (r == -ENOMEM && pl_cuda_slabs_trim(session));
	return r;
}

/* All of it, or nothing.  parts_count says how many are mapped meanwhile. */
static int32_t movable_fill(struct pl_serve *serve, struct pl_cuda_movable *movable, uint32_t count)
{
	CUresult r = CUDA_SUCCESS;

	while (!r && movable->parts_count < count) {
		r = part_map(movable, movable->parts_count);
		if (!r)
			movable->parts_count++;
		else if (pl_cuda_pressed(serve, (int32_t)r, pl_cuda_movable_part_bytes(movable, movable->parts_count)))
			r = CUDA_SUCCESS;
	}
	return (int32_t)r;
}

static int32_t movable_new(struct pl_serve *serve, CUdevice device, uint64_t whole,
			   struct pl_cuda_movable **movable_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint32_t count = (uint32_t)((whole + PL_CUDA_MOVABLE_PART - 1) / PL_CUDA_MOVABLE_PART);
	struct pl_cuda_movable *movable = calloc(1, sizeof(*movable) + count * sizeof(movable->parts[0]));
	CUresult r = CUDA_ERROR_OUT_OF_MEMORY;

	if (!movable)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*movable = (struct pl_cuda_movable){ .bytes = whole, .device = device, .context_id = pl_cuda_current };
	if (pl_cuda.cuCtxGetCurrent(&movable->context) ||
	    (r = pl_cuda.cuMemAddressReserve(&movable->address, whole, 0, 0, 0))) {
		free(movable);
		return (int32_t)r;
	}
	r = (CUresult)movable_fill(serve, movable, count);
	if (!r && pl_handles_put(&session->movables, movable->address, PL_CUDA_MOVABLE, movable, 0, NULL))
		r = CUDA_ERROR_OUT_OF_MEMORY;
	if (r)
		pl_cuda_movable_end(movable);
	else
		*movable_out = movable;
	return (int32_t)r;
}

int32_t pl_cuda_movable_make(struct pl_serve *serve, uint64_t bytes, struct pl_cuda_movable **movable_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	CUdevice device;
	int32_t status = (int32_t)pl_cuda.cuCtxGetDevice(&device);
	uint64_t whole;

	if (status)
		return status;
	whole = pl_cuda_movable_whole(device, bytes);
	if (!whole || whole / PL_CUDA_MOVABLE_PART >= UINT32_MAX || pl_cuda_room_claim(session, device, whole))
		return CUDA_ERROR_OUT_OF_MEMORY;
	status = movable_new(serve, device, whole, movable_out);
	if (status)
		pl_swap_unclaim(&session->worker->swap, (uint32_t)device, whole);
	return status;
}

/* While a stream is captured a context can not be waited for, but memory may be freed, or not, as the capture allows:
 * the driver says so, and waits, for memory of its own. */
static CUresult captured_wait(void)
{
	CUdeviceptr any = 0;
	CUresult r = pl_cuda.cuMemAlloc_v2 && pl_cuda.cuMemFree_v2 ? pl_cuda.cuMemAlloc_v2(&any, 1)
								   : CUDA_ERROR_NOT_SUPPORTED;

	return r ? r : pl_cuda.cuMemFree_v2(any);
}

/* What the capture does not allow is an error of the driver's. */
int32_t pl_cuda_movable_alloc(struct pl_serve *serve, uint64_t bytes, CUdeviceptr *address_out)
{
	const uint64_t slab_below = bytes_min < PL_CUDA_MOVABLE_MIN ? bytes_min : PL_CUDA_MOVABLE_MIN;
	struct pl_cuda_movable *movable;
	CUdevice device;
	int32_t status = (int32_t)pl_cuda.cuCtxGetDevice(&device);

	if (!status && pl_cuda_session_of(serve)->captured)
		status = (int32_t)captured_wait();
	if (status)
		return status;
	if (bytes < slab_below)
		return pl_cuda_slab_alloc(serve, bytes, address_out);
	status = pl_cuda_movable_make(serve, bytes, &movable);
	if (!status)
		*address_out = movable->address;
	return status;
}

/* What works in it ends. */
static CUresult context_wait(const struct pl_cuda_session *session, CUcontext context)
{
	CUresult r = pl_cuda.cuCtxPushCurrent_v2(context);
	CUcontext popped;

	if (r)
		return r;
	r = session->captured ? captured_wait() : pl_cuda.cuCtxSynchronize();
	pl_cuda.cuCtxPopCurrent_v2(&popped);
	return r;
}

void pl_cuda_movables_wait(struct pl_cuda_session *session, uint64_t context)
{
	struct pl_handle handle;

	if (session->worker->swap.ops && session->movables.count &&
	    pl_handles_get(&session->worker->handles, context, PL_CUDA_KIND_context, &handle) && !handle.failed)
		(void)context_wait(session, handle.object);
}

void pl_cuda_movable_drop(struct pl_cuda_session *session, struct pl_cuda_movable *movable)
{
	const uint32_t device = (uint32_t)movable->device;
	const uint64_t bytes = movable->bytes;
	struct pl_handle handle;

	(void)pl_handles_take(&session->movables, movable->address, PL_CUDA_MOVABLE, &handle);
	pl_cuda_movable_end(movable);
	pl_swap_unclaim(&session->worker->swap, device, bytes);
}

/* What a slab's address stands for is the small allocation that begins there, if one does. */
struct pl_cuda_movable *pl_cuda_movable_at(struct pl_cuda_session *session, CUdeviceptr address)
{
	struct pl_handle handle;

	return pl_handles_get(&session->movables, address, PL_CUDA_MOVABLE, &handle) &&
			       !((struct pl_cuda_movable *)handle.object)->slab
		       ? handle.object
		       : NULL;
}

void pl_cuda_movable_forget(struct pl_cuda_session *session, CUdeviceptr address)
{
	struct pl_cuda_movable *movable;

	if (pl_cuda_slab_forget(session, address))
		return;
	movable = pl_cuda_movable_at(session, address);
	if (movable)
		pl_cuda_movable_drop(session, movable);
}

bool pl_cuda_movable_free(struct pl_serve *serve, CUdeviceptr address, int32_t *status_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_movable *movable = pl_cuda_slab_of(session, address);

	if (!movable)
		movable = pl_cuda_movable_at(session, address);
	if (!movable)
		return false;
	*status_out = (int32_t)context_wait(session, movable->context);
	if (!*status_out)
		pl_cuda_movable_forget(session, address);
	return true;
}

struct holds {
	uint64_t address, bytes;
	bool any;
};

static void holds_look(struct pl_handle *handle, void *arg)
{
	const struct pl_cuda_movable *movable = handle->object;
	struct holds *holds = arg;

	holds->any |=
		holds->address < movable->address + movable->bytes && movable->address < holds->address + holds->bytes;
}

bool pl_cuda_movable_holds(struct pl_cuda_session *session, uint64_t address, uint64_t bytes)
{
	struct holds holds = { address, bytes, false };

	if (session->worker->swap.ops)
		pl_handles_each(&session->movables, holds_look, &holds);
	return holds.any;
}

/* ---- for the server ---- */

static void capacity(void *state, uint64_t bytes_out[PL_SWAP_DEVICES_MAX])
{
	const struct pl_cuda_host *host = state;

	for (uint32_t i = 0; i < host->devices_count && i < PL_SWAP_DEVICES_MAX; i++)
		bytes_out[i] = host->devices[i].total_bytes;
}

/* A wait for all contexts.  Where it takes too long it is left, and ends with the context at hand. */
struct wait_all {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool over, left; /* under lock */
	CUresult result;
	uint32_t count, room;
	CUcontext contexts[];
};

static struct wait_all *wait_left; /* of the thread that moves memory out; NULL = none goes on */

static void wait_free(struct wait_all *wait)
{
	pthread_cond_destroy(&wait->ended);
	pthread_mutex_destroy(&wait->lock);
	free(wait);
}

/* What comes after a wait that was left may end a context: it is not touched any more. */
static bool wait_enter(struct wait_all *wait, CUcontext context, CUresult *result)
{
	bool left;

	pthread_mutex_lock(&wait->lock);
	left = wait->left;
	if (!left)
		*result = pl_cuda.cuCtxSetCurrent(context);
	pthread_mutex_unlock(&wait->lock);
	return !left && !*result;
}

static void *wait_run(void *arg)
{
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
	struct wait_all *wait = arg;
	CUresult r = CUDA_SUCCESS;

	if (pl_cuda.cuThreadExchangeStreamCaptureMode)
		(void)pl_cuda.cuThreadExchangeStreamCaptureMode(&mode);
	for (uint32_t i = 0; i < wait->count && !r && wait_enter(wait, wait->contexts[i], &r); i++)
		r = pl_cuda.cuCtxSynchronize();
	pthread_mutex_lock(&wait->lock);
	wait->over = true;
	wait->result = r;
	pthread_cond_signal(&wait->ended);
	pthread_mutex_unlock(&wait->lock);
	return NULL;
}

static void context_add(struct pl_handle *handle, void *arg)
{
	struct wait_all *wait = arg;

	if (handle->kind == PL_CUDA_KIND_context && !handle->failed && wait->count < wait->room)
		wait->contexts[wait->count++] = handle->object;
}

static struct wait_all *wait_make(struct pl_session_worker *session)
{
	const uint32_t room = session->handles.count;
	struct wait_all *wait = malloc(sizeof(*wait) + room * sizeof(wait->contexts[0]));

	if (!wait)
		return NULL;
	*wait = (struct wait_all){ .room = room };
	pthread_mutex_init(&wait->lock, NULL);
	pthread_cond_init(&wait->ended, NULL);
	pl_handles_each(&session->handles, context_add, wait);
	return wait;
}

static struct timespec from_now(uint64_t ns)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	ns += (uint64_t)at.tv_nsec;
	return (struct timespec){ at.tv_sec + (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

/* Return: it is over, and freed; *result_out says how. */
static bool wait_end(struct wait_all *wait, const struct timespec *end, CUresult *result_out)
{
	bool over;

	pthread_mutex_lock(&wait->lock);
	while (!wait->over && !pthread_cond_timedwait(&wait->ended, &wait->lock, end))
		;
	over = wait->over;
	wait->left = !over;
	*result_out = wait->result;
	pthread_mutex_unlock(&wait->lock);
	if (over)
		wait_free(wait);
	return over;
}

static struct wait_all *wait_begin(struct pl_session_worker *worker)
{
	struct wait_all *wait = wait_make(worker);
	pthread_t thread;

	if (wait && !pthread_create(&thread, NULL, wait_run, wait)) {
		pthread_detach(thread);
		return wait;
	}
	if (wait)
		wait_free(wait);
	return NULL;
}

/* The driver has no wait with an end: a thread waits, and may do so for longer than we do.  As long as one that was
 * left goes on the device is not idle, and there is no other. */
static bool idle(struct pl_session_worker *worker, uint64_t ns)
{
	const struct pl_cuda_session *session = worker->api;
	const struct timespec end = from_now(ns);
	CUresult result;

	if (session->captured)
		return false; /* of what is captured it must not be asked */
	if (wait_left && !wait_end(wait_left, &end, &result))
		return false;
	wait_left = wait_begin(worker);
	if (!wait_left || !wait_end(wait_left, &end, &result))
		return false;
	wait_left = NULL;
	return !result;
}

struct move {
	const uint64_t *wanted; /* NULL: in, all */
	uint64_t *moved;
	CUresult result;
};

static void movable_move(struct pl_handle *handle, void *arg)
{
	struct pl_cuda_movable *movable = handle->object;
	struct move *move = arg;
	uint64_t *moved = &move->moved[movable->device];
	CUcontext popped;

	if (move->result || (move->wanted && *moved >= move->wanted[movable->device]))
		return;
	move->result = pl_cuda.cuCtxPushCurrent_v2(movable->context);
	if (move->result)
		return;
	for (uint32_t i = movable->parts_count; i-- && !move->result;) {
		if (move->wanted && (movable->parts[i].host || *moved >= move->wanted[movable->device]))
			continue;
		if (!move->wanted && !movable->parts[i].host)
			continue;
		if (!move->wanted)
			move->result = part_in(movable, i);
		else if (!part_out(movable, i))
			break; /* others may be willing */
		if (!move->result)
			*moved += pl_cuda_movable_part_bytes(movable, i);
	}
	pl_cuda.cuCtxPopCurrent_v2(&popped);
}

static void out(struct pl_session_worker *worker, const uint64_t wanted[PL_SWAP_DEVICES_MAX],
		uint64_t moved_io[PL_SWAP_DEVICES_MAX])
{
	struct pl_cuda_session *session = worker->api;
	struct move move = { .wanted = wanted, .moved = moved_io };

	pl_handles_each(&session->movables, movable_move, &move);
	pl_cuda_parts_out(session, wanted, moved_io);
}

static int in(struct pl_session_worker *worker, uint64_t moved_io[PL_SWAP_DEVICES_MAX])
{
	struct pl_cuda_session *session = worker->api;
	struct move move = { .moved = moved_io };

	pl_handles_each(&session->movables, movable_move, &move);
	if (!move.result)
		move.result = pl_cuda_parts_in(session, moved_io);
	if (!move.result)
		return 0;
	pl_log_info("CUDA: memory that was in host memory does not come back: %s",
		    pl_cuda_result_name((int)move.result));
	return move.result == CUDA_ERROR_OUT_OF_MEMORY ? -ENOMEM : -EIO;
}

const struct pl_swap_ops pl_cuda_swap_ops = { .capacity = capacity, .idle = idle, .out = out, .in = in };
