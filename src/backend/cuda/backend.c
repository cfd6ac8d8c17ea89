#include "backend/cuda/backend.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/checkpoint.h"
#include "backend/cuda/peer.h"
#include "backend/cuda/session.h"
#include "backend/cuda/swap.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "cuda/carries.h"

_Thread_local uint64_t pl_cuda_current;

uint64_t pl_cuda_thread_number(void)
{
	static _Atomic uint64_t threads;
	static _Thread_local uint64_t own;

	if (!own)
		own = atomic_fetch_add(&threads, 1) + 1;
	return own;
}

static void *symbol_find(void *dl, const char *symbol)
{
	return dlsym(dl, symbol);
}

static void pci_take(struct pl_cuda_device_facts *facts, CUdevice device)
{
	if (!pl_cuda.cuDeviceGetPCIBusId || pl_cuda.cuDeviceGetPCIBusId(facts->pci, sizeof(facts->pci), device))
		facts->pci[0] = '\0';
}

static void uuid_take(struct pl_cuda_device_facts *facts, CUdevice device)
{
	CUuuid uuid = { { 0 } };

	if (pl_cuda.cuDeviceGetUuid_v2)
		pl_cuda.cuDeviceGetUuid_v2(&uuid, device);
	else if (pl_cuda.cuDeviceGetUuid)
		pl_cuda.cuDeviceGetUuid(&uuid, device);
	memcpy(facts->uuid, uuid.bytes, sizeof(facts->uuid));
}

static int device_describe(struct pl_cuda_device_facts *facts, int ordinal)
{
	size_t bytes = 0;
	CUdevice device;

	if (pl_cuda.cuDeviceGet(&device, ordinal) || device != ordinal ||
	    pl_cuda.cuDeviceGetName(facts->name, sizeof(facts->name), device) ||
	    pl_cuda.cuDeviceTotalMem_v2(&bytes, device))
		return pl_err(-EIO);
	facts->name[sizeof(facts->name) - 1] = '\0';
	facts->total_bytes = bytes;
	uuid_take(facts, device);
	pci_take(facts, device);
	facts->has_luid =
		pl_cuda.cuDeviceGetLuid && !pl_cuda.cuDeviceGetLuid((char *)facts->luid, &facts->luid_mask, device);
	for (unsigned int i = 1; i < CU_DEVICE_ATTRIBUTE_MAX && i < PL_CUDA_ATTRIBUTES_MAX; i++)
		if (!pl_cuda.cuDeviceGetAttribute(&facts->attribute[i], (CUdevice_attribute)i, device))
			facts->has[i / 8] |= (uint8_t)(1u << i % 8);
	return 0;
}

static int devices_describe(struct pl_cuda_host *host)
{
	CUresult result = pl_cuda.cuInit(0);
	int count = 0, r = 0;

	if (!result)
		result = pl_cuda.cuDeviceGetCount(&count);
	if (result && result != CUDA_ERROR_NO_DEVICE) {
		pl_log_error("CUDA: the driver says %d (%s)", result, pl_cuda_result_name((int)result));
		return pl_err(-EIO);
	}
	if (count > (int)PL_CUDA_DEVICES_MAX)
		count = PL_CUDA_DEVICES_MAX;
	host->devices_count = count > 0 ? (uint32_t)count : 0;
	host->devices = calloc(host->devices_count + 1, sizeof(*host->devices));
	if (!host->devices)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; !r && i < host->devices_count; i++)
		r = device_describe(&host->devices[i], (int)i);
	pl_cuda.cuDriverGetVersion(&host->version);
	return pl_trace(r);
}

/* What nothing here works without. */
static bool driver_whole(void)
{
	return pl_cuda.cuInit && pl_cuda.cuDriverGetVersion && pl_cuda.cuDeviceGetCount && pl_cuda.cuDeviceGet &&
	       pl_cuda.cuDeviceGetName && pl_cuda.cuDeviceTotalMem_v2 && pl_cuda.cuDeviceGetAttribute &&
	       pl_cuda.cuCtxSetCurrent && pl_cuda.cuLaunchKernel && pl_cuda.cuModuleLoadDataEx;
}

static int backend_open(void **state_out, const char *library)
{
	struct pl_cuda_host *host = calloc(1, sizeof(*host));
	__typeof__(&plRefgpuKnownOnly) known_only;
	int r = 0;

	if (!host)
		return pl_err(-ENOMEM);
	setenv("PLENUM", "", 1); /* our own library, if that is what is found, has no devices then */
	host->dl = dlopen(library ? library : PL_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!host->dl) {
		pl_log_error("CUDA: %s", dlerror());
		free(host);
		return pl_err(-ENOENT);
	}
	pl_cuda_driver_load(&pl_cuda, symbol_find, host->dl);
	if (!driver_whole()) {
		pl_log_error("CUDA: %s lacks functions of CUDA 4: is it a driver?",
			     library ? library : PL_CUDA_LIBRARY);
		r = -ENOENT;
	}
	host->memory_back = (__typeof__(host->memory_back))symbol_find(host->dl, "plRefgpuMemoryBack");
	host->managed_back = (__typeof__(host->managed_back))symbol_find(host->dl, "plRefgpuManagedBack");
	host->idle = (__typeof__(host->idle))symbol_find(host->dl, "plRefgpuIdle");
	host->prints = (__typeof__(host->prints))symbol_find(host->dl, "plRefgpuPrints");
	host->place_begin = (__typeof__(host->place_begin))symbol_find(host->dl, "plRefgpuPlaceBegin");
	host->place_at = (__typeof__(host->place_at))symbol_find(host->dl, "plRefgpuPlaceAt");
	host->place_end = (__typeof__(host->place_end))symbol_find(host->dl, "plRefgpuPlaceEnd");
	host->ipc_file = (__typeof__(host->ipc_file))symbol_find(host->dl, "plRefgpuIpcFile");
	host->ipc_give = (__typeof__(host->ipc_give))symbol_find(host->dl, "plRefgpuIpcGive");
	known_only = (__typeof__(known_only))symbol_find(host->dl, "plRefgpuKnownOnly");
	if (known_only)
		known_only();
	pl_cuda_movable_min_set();
	if (!r)
		r = devices_describe(host);
	if (r) {
		free(host->devices);
		free(host);
		return pl_trace(r);
	}
	*state_out = host;
	return 0;
}

static int backend_session(void *state, struct pl_session_worker *worker)
{
	struct pl_cuda_session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return pl_err(-ENOMEM);
	session->worker = worker;
	session->host = state;
	pthread_mutex_init(&session->late_lock, NULL);
	pthread_mutex_init(&session->stages_lock, NULL);
	pthread_mutex_init(&session->later_lock, NULL);
	pthread_mutex_init(&session->later_send_lock, NULL);
	pthread_cond_init(&session->later_some, NULL);
	pthread_mutex_init(&session->hosts_lock, NULL);
	pthread_mutex_init(&session->images_lock, NULL);
	pthread_mutex_init(&session->shares_lock, NULL);
	pthread_rwlock_init(&session->pages_lock, NULL);
	worker->api = session; /* lives as long as the process: the driver's threads have it */
	r = pl_handles_init(&session->memory);
	if (!r)
		r = pl_handles_init(&session->shared);
	if (!r)
		r = pl_handles_init(&session->managed);
	if (!r)
		r = pl_handles_init(&session->parts);
	if (!r)
		r = pl_handles_init(&session->maps);
	if (!r)
		r = pl_handles_init(&session->movables);
	if (!r)
		r = pl_handles_init(&session->smalls);
	if (!r)
		r = pl_handles_init(&session->arrays);
	if (!r)
		r = pl_handles_init(&session->shadows);
	if (!r)
		r = pl_handles_init(&session->conditions);
	if (!r)
		r = pl_handles_init(&session->kept.promised);
	if (!r)
		r = pl_handles_init(&session->kept.sources);
	if (!r)
		r = pl_handles_init(&session->kept.groups);
	if (!r && !pl_cuda_peers_create(session))
		r = pl_err(-ENOMEM);
	if (!r)
		r = pl_cuda_print_start(session);
	return pl_trace(r);
}

static bool runs_free(uint16_t op)
{
	return op == PL_CUDA_OP_plHostDone || op == PL_CUDA_OP_plHostBytes || op == PL_CUDA_OP_plManagedWrite ||
	       op == PL_CUDA_OP_plManagedMerge || op == PL_CUDA_OP_plManagedLook || op == PL_CUDA_OP_plPeerDone ||
	       pl_cuda_op_carries(op);
}

/* Copies between servers, behind which the session's other calls need not be. */
static bool uses_memory(uint16_t op)
{
	return op == PL_CUDA_OP_cuMemcpyDtoHAsync_v2 || op == PL_CUDA_OP_cuMemcpyHtoDAsync_v2 ||
	       op == PL_CUDA_OP_cuMemcpy3DPeerAsync || op == PL_CUDA_OP_plPeerExport || op == PL_CUDA_OP_plPeerCopy;
}

static void replying(struct pl_serve *serve)
{
	pl_cuda_later_tell(pl_cuda_session_of(serve));
}

const struct pl_backend_ops pl_backend_cuda = {
	.name = "cuda",
	.api = PL_API_CUDA,
	.functions = &pl_cuda_functions,
	.replying = replying,
	.status_internal = CUDA_ERROR_UNKNOWN,
	.open = backend_open,
	.session = backend_session,
	.call = pl_cuda_checkpoint_call,
	.runs_free = runs_free,
	.uses_memory = uses_memory,
	.peer = pl_cuda_peer_serve,
	.swap = &pl_cuda_swap_ops,
	.checkpoint = &pl_cuda_checkpoint_ops,
	.op_name = pl_cuda_op_name,
};
