/* Devices and contexts. */
#include "backend/cuda/session.h"
#include "backend/cuda/swap.h"
#include "cuda/groups.h"

void pl_cuda_serve_plDevices(struct pl_serve *serve, const struct pl_cuda_plDevices_args *args)
{
	const struct pl_cuda_host *host = pl_cuda_session_of(serve)->host;
	struct pl_cuda_plDevices_reply reply = {
		.version = (uint32_t)host->version,
		.devices = { host->devices, host->devices_count * sizeof(host->devices[0]) },
	};

	(void)args;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plDevices_reply_bytes(&reply), 0))
		return;
	pl_cuda_plDevices_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_plCurrent(struct pl_serve *serve, const struct pl_cuda_plCurrent_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_SUCCESS;
	void *context = NULL;
	uint64_t first = 0;

	if (pl_cuda_take(serve, args->context, PL_CUDA_KIND_context, &context, &status))
		status = pl_cuda.cuCtxSetCurrent(context);
	else
		pl_cuda.cuCtxSetCurrent(NULL);
	pl_cuda_current = status ? 0 : args->context;
	serve->kept.note = pl_cuda_current;
	if (pl_cuda_current && !atomic_compare_exchange_strong(&session->context_first, &first, pl_cuda_current) &&
	    first != pl_cuda_current)
		atomic_store(&session->contexts_many, true);
	pl_serve_reply(serve, status); /* a context that is gone: each call that needs it says so */
}

/* The id of a device's primary context. */
static uint64_t *primary_of(struct pl_serve *serve, const void *device)
{
	return &pl_cuda_session_of(serve)->primaries[(uintptr_t)device % PL_CUDA_DEVICES_MAX];
}

/* The client retains it once: the driver counts, and would have it still when the id that was forgotten is released. */
static bool primary_lives(struct pl_serve *serve, const void *device)
{
	struct pl_handle context;

	return pl_handles_get(&serve->session->handles, *primary_of(serve, device), PL_CUDA_KIND_context, &context);
}

void pl_cuda_serve_cuDevicePrimaryCtxRetain(struct pl_serve *serve,
					    const struct pl_cuda_cuDevicePrimaryCtxRetain_args *args)
{
	struct pl_cuda_cuDevicePrimaryCtxRetain_reply reply = { 0 };
	CUcontext context = NULL;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *device = NULL;
	int active = 0;

	if (pl_cuda.cuDevicePrimaryCtxRetain &&
	    pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status))
		status = primary_lives(serve, device)
				 ? CUDA_ERROR_INVALID_VALUE
				 : pl_cuda.cuDevicePrimaryCtxRetain(&context, (CUdevice)(uintptr_t)device);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (!pl_cuda_put(serve, args->context, PL_CUDA_KIND_context, context, 0)) {
		if (pl_cuda.cuDevicePrimaryCtxRelease_v2)
			pl_cuda.cuDevicePrimaryCtxRelease_v2((CUdevice)(uintptr_t)device);
		pl_cuda_result(serve, CUDA_ERROR_OUT_OF_MEMORY, 0);
		return;
	}
	*primary_of(serve, device) = args->context;
	reply.context = args->context;
	if (pl_cuda.cuDevicePrimaryCtxGetState)
		pl_cuda.cuDevicePrimaryCtxGetState((CUdevice)(uintptr_t)device, &reply.flags, &active);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuDevicePrimaryCtxRetain_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuDevicePrimaryCtxRetain_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* The client retains it once, however often its program does, and releases it with the last.  What it had is forgotten
 * before the driver gives the same addresses to others.  Return: as pl_cuda_context_leaves(). */
static uint64_t primary_leaves(struct pl_serve *serve, const void *device)
{
	uint64_t *primary = primary_of(serve, device), left;

	pl_cuda_movables_wait(pl_cuda_session_of(serve), *primary);
	left = pl_cuda_context_leaves(serve, *primary);
	*primary = 0;
	return left;
}

/* Who has retained it more often has it still. */
static bool primary_is_active(CUdevice device)
{
	unsigned int flags;
	int active = 0;

	return pl_cuda.cuDevicePrimaryCtxGetState && !pl_cuda.cuDevicePrimaryCtxGetState(device, &flags, &active) &&
	       active;
}

void pl_cuda_serve_cuDevicePrimaryCtxRelease_v2(struct pl_serve *serve,
						const struct pl_cuda_cuDevicePrimaryCtxRelease_v2_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *device = NULL;
	uint64_t left;

	if (pl_cuda.cuDevicePrimaryCtxRelease_v2 &&
	    pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status)) {
		left = primary_leaves(serve, device);
		status = (int32_t)pl_cuda.cuDevicePrimaryCtxRelease_v2((CUdevice)(uintptr_t)device);
		if (!status && !primary_is_active((CUdevice)(uintptr_t)device))
			pl_cuda_context_left(pl_cuda_session_of(serve), left);
	}
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuDevicePrimaryCtxReset_v2(struct pl_serve *serve,
					      const struct pl_cuda_cuDevicePrimaryCtxReset_v2_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *device = NULL;
	bool retained;
	uint64_t left;

	if (pl_cuda.cuDevicePrimaryCtxReset_v2 &&
	    pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status)) {
		retained = primary_lives(serve, device);
		left = primary_leaves(serve, device);
		pl_serve_give_turn(serve);
		status = (int32_t)pl_cuda.cuDevicePrimaryCtxReset_v2((CUdevice)(uintptr_t)device);
		if (!status)
			pl_cuda_context_left(pl_cuda_session_of(serve), left);
		/* A reset releases nothing, and the client's next retain is one more. */
		if (!status && retained && pl_cuda.cuDevicePrimaryCtxRelease_v2)
			(void)pl_cuda.cuDevicePrimaryCtxRelease_v2((CUdevice)(uintptr_t)device);
	}
	pl_cuda_result(serve, status, 0);
}

/* Contexts with a share of a device's multiprocessors; without one it is the plain call. */
void pl_cuda_serve_cuCtxCreate_v3(struct pl_serve *serve, const struct pl_cuda_cuCtxCreate_v3_args *args)
{
	CUexecAffinityParam params[8];
	uint64_t count = args->affinity.count / 2;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUcontext context = NULL;
	void *device = NULL;

	if (args->affinity.count % 2 || count > sizeof(params) / sizeof(params[0])) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		params[i] = (CUexecAffinityParam){ .type = (CUexecAffinityType)args->affinity.at[2 * i],
						   .param.smCount.val = args->affinity.at[2 * i + 1] };
	if (pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status)) {
		status = CUDA_ERROR_NOT_SUPPORTED;
		if (!count && pl_cuda.cuCtxCreate_v2)
			status = pl_cuda.cuCtxCreate_v2(&context, args->flags, (CUdevice)(uintptr_t)device);
		else if (pl_cuda.cuCtxCreate_v3)
			status = pl_cuda.cuCtxCreate_v3(&context, params, (int)count, args->flags,
							(CUdevice)(uintptr_t)device);
	}
	if (!status && !pl_cuda_put(serve, args->context, PL_CUDA_KIND_context, context, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_result(serve, status, 0);
}

/* The driver's own: a session asks once for a kind of device, and what the driver made for it is not given back. */
static CUresult groups_of_driver(struct pl_bytes *groups_out)
{
	static const CUuuid id = { .bytes = PL_CUDA_GROUPS_TABLE };
	int multiprocessors = 0;
	const void *owner = NULL;
	const void *const *table;
	CUdevice device;

	if (!pl_cuda.cuGetExportTable || pl_cuda.cuGetExportTable((const void **)&table, &id) ||
	    (uintptr_t)table[0] <= PL_CUDA_GROUPS_SLOT * sizeof(table[0]))
		return CUDA_ERROR_NOT_SUPPORTED;
	if (pl_cuda.cuCtxGetDevice(&device) ||
	    pl_cuda.cuDeviceGetAttribute(&multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device) ||
	    multiprocessors < 0 || multiprocessors / 2 > PL_CUDA_GROUPS_MAX)
		return CUDA_ERROR_NOT_SUPPORTED;
	groups_out->bytes = (uint64_t)multiprocessors / 2;
	return ((CUresult(*)(const void **, const void **))(uintptr_t)table[PL_CUDA_GROUPS_SLOT])(&groups_out->at,
												  &owner);
}

void pl_cuda_serve_plGroups(struct pl_serve *serve, const struct pl_cuda_plGroups_args *args)
{
	struct pl_cuda_plGroups_reply reply = { 0 };
	int32_t status = (int32_t)groups_of_driver(&reply.groups);

	(void)args;
	if (status || !reply.groups.at) {
		pl_cuda_result(serve, status ? status : CUDA_ERROR_NOT_SUPPORTED, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plGroups_reply_bytes(&reply), 0))
		return;
	pl_cuda_plGroups_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
