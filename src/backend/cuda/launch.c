/* Launches: the client packed the arguments, so the driver gets them as one buffer. */
#include <string.h>

#include "backend/cuda/session.h"

struct launch {
	CUlaunchConfig config;
	CUlaunchAttribute attribute[PL_CUDA_LAUNCH_ATTRIBUTES_MAX + 1];
	CUfunction function;
	void *extra[5];
	size_t bytes;
};

/* Attributes that name an event have its id in the value. */
static bool attribute_open(struct pl_serve *serve, CUlaunchAttribute *to, const struct pl_cuda_launch_attribute *from,
			   int32_t *status)
{
	uint64_t id;
	void *event;

	*to = (CUlaunchAttribute){ .id = (CUlaunchAttributeID)from->id };
	memcpy(&to->value, from->value, sizeof(from->value));
	switch (to->id) {
	case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
	case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
		memcpy(&id, from->value, sizeof(id));
		if (!pl_cuda_take(serve, id, PL_CUDA_KIND_event, &event, status))
			return false;
		memcpy(&to->value, &event, sizeof(event)); /* the first member of both */
		return true;
	case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE: /* its value has a handle that the driver writes */
		*status = CUDA_ERROR_NOT_SUPPORTED;
		return !to->value.deviceUpdatableKernelNode.deviceUpdatable;
	default:
		return true;
	}
}

static bool attributes_open(struct pl_serve *serve, struct launch *launch, struct pl_bytes bytes, int32_t *status)
{
	uint64_t count = bytes.bytes / sizeof(struct pl_cuda_launch_attribute);

	*status = CUDA_ERROR_INVALID_VALUE;
	if (bytes.bytes % sizeof(struct pl_cuda_launch_attribute) || count > PL_CUDA_LAUNCH_ATTRIBUTES_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct pl_cuda_launch_attribute one;

		memcpy(&one, (const uint8_t *)bytes.at + i * sizeof(one), sizeof(one));
		if (!attribute_open(serve, &launch->attribute[i], &one, status))
			return false;
	}
	launch->config.attrs = launch->attribute;
	launch->config.numAttrs = (unsigned int)count;
	return true;
}

/* The plain call where that is enough: it is what every driver has. */
static int32_t launch_run(struct launch *launch, bool per_thread)
{
	__typeof__(&cuLaunchKernelEx) ex = per_thread ? pl_cuda.cuLaunchKernelEx_ptsz : pl_cuda.cuLaunchKernelEx;
	__typeof__(&cuLaunchKernel) plain = per_thread ? pl_cuda.cuLaunchKernel_ptsz : pl_cuda.cuLaunchKernel;
	void **extra = launch->bytes ? launch->extra : NULL;
	CUlaunchConfig *c = &launch->config;

	if (c->numAttrs)
		return ex ? (int32_t)ex(c, launch->function, NULL, extra) : CUDA_ERROR_NOT_SUPPORTED;
	if (!plain)
		return CUDA_ERROR_NOT_SUPPORTED;
	return (int32_t)plain(launch->function, c->gridDimX, c->gridDimY, c->gridDimZ, c->blockDimX, c->blockDimY,
			      c->blockDimZ, c->sharedMemBytes, c->hStream, NULL, extra);
}

void pl_cuda_serve_cuLaunchKernel(struct pl_serve *serve, const struct pl_cuda_cuLaunchKernel_args *args)
{
	struct launch launch;
	void *function = NULL, *stream = NULL;
	int32_t status;

	launch.config = (CUlaunchConfig){ .gridDimX = args->grid_x,
					  .gridDimY = args->grid_y,
					  .gridDimZ = args->grid_z,
					  .blockDimX = args->block_x,
					  .blockDimY = args->block_y,
					  .blockDimZ = args->block_z,
					  .sharedMemBytes = args->shared_bytes };
	if (!pl_cuda_take(serve, args->function, PL_CUDA_KIND_function, &function, &status) ||
	    !pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status) ||
	    (args->attributes.bytes && !attributes_open(serve, &launch, args->attributes, &status))) {
		pl_cuda_result(serve, status, args->stream);
		return;
	}
	if (serve->head->op == PL_CUDA_OP_cuLaunchCooperativeKernel) {
		launch.config.attrs = launch.attribute;
		launch.attribute[launch.config.numAttrs++] =
			(CUlaunchAttribute){ .id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value.cooperative = 1 };
	}
	launch.function = function;
	launch.config.hStream = stream;
	launch.bytes = args->args.bytes;
	launch.extra[0] = CU_LAUNCH_PARAM_BUFFER_POINTER;
	launch.extra[1] = (void *)(uintptr_t)args->args.at;
	launch.extra[2] = CU_LAUNCH_PARAM_BUFFER_SIZE;
	launch.extra[3] = &launch.bytes;
	launch.extra[4] = CU_LAUNCH_PARAM_END;
	pl_cuda_result(serve, launch_run(&launch, args->per_thread), args->stream);
}

/* Cluster occupancy needs the driver. */
void pl_cuda_serve_cuOccupancyMaxPotentialClusterSize(
	struct pl_serve *serve, const struct pl_cuda_cuOccupancyMaxPotentialClusterSize_args *args)
{
	struct pl_cuda_cuOccupancyMaxPotentialClusterSize_reply reply = { 0 };
	__typeof__(&cuOccupancyMaxActiveClusters) call = serve->head->op == PL_CUDA_OP_cuOccupancyMaxActiveClusters
								 ? pl_cuda.cuOccupancyMaxActiveClusters
								 : pl_cuda.cuOccupancyMaxPotentialClusterSize;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	struct launch launch;
	void *function;

	launch.config = (CUlaunchConfig){ .gridDimX = args->grid_x,
					  .gridDimY = args->grid_y,
					  .gridDimZ = args->grid_z,
					  .blockDimX = args->block_x,
					  .blockDimY = args->block_y,
					  .blockDimZ = args->block_z,
					  .sharedMemBytes = args->shared_bytes };
	if (call && pl_cuda_take(serve, args->function, PL_CUDA_KIND_function, &function, &status) &&
	    attributes_open(serve, &launch, args->attributes, &status))
		status = (int32_t)call(&reply.clusters, function, &launch.config);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuOccupancyMaxPotentialClusterSize_reply_bytes(&reply),
				 0))
		return;
	pl_cuda_cuOccupancyMaxPotentialClusterSize_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
