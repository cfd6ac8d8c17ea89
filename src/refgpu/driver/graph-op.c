/* What one node does: made from the API's parameters or from what a captured stream was given, copied, run. */
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "condition.h"
#include "cuda-api.h"
#include "graph.h"
#include "hostfn.h"
#include "memop.h"

#define MEMOPS_MAX 256u

/* -- kernels ------------------------------------------------------------------------------------------------------- */

static void kernel_free(struct pl_cu_op_kernel *kernel)
{
	if (!kernel)
		return;
	free((void *)(uintptr_t)kernel->launch.params);
	free(kernel->args);
	free(kernel);
}

/* `packed` is the kernel's from here on. */
static CUresult kernel_make(struct pl_cu_op *op, const struct pl_cu_launch *launch, void *packed)
{
	const struct pl_ptx_func *info = launch->func->info;
	struct pl_cu_op_kernel *kernel = calloc(1, sizeof(*kernel));
	void **args = calloc(info->params_n + 1, sizeof(void *));
	if (!kernel || !args) {
		free(kernel);
		free(args);
		free(packed);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	kernel->launch = *launch;
	kernel->launch.params = packed;
	kernel->func = launch->func->handle;
	kernel->args = args;
	for (uint32_t i = 0; i < info->params_n; i++)
		args[i] = (char *)packed + info->params[i].offset;
	kernel->attribute[CU_LAUNCH_ATTRIBUTE_COOPERATIVE].cooperative = launch->cooperative;
	kernel->attribute[CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP].memSyncDomainMap.remote = 1;
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_KERNEL, .kernel = kernel };
	return CUDA_SUCCESS;
}

static CUresult kernel_func(const CUDA_KERNEL_NODE_PARAMS_v3 *params, struct pl_cu_func **func_out)
{
	struct pl_cu_ctx *ctx = params->ctx ? pl_cu_ctx_of(params->ctx) : pl_cu_ctx_current();
	struct pl_cu_kernel *kernel;
	if (params->func)
		return pl_cu_func_in(params->func, ctx, func_out);
	kernel = pl_cuda_handle_held(params->kern, PL_CU_KERNEL);
	if (!kernel)
		return CUDA_ERROR_INVALID_VALUE;
	return ctx ? pl_cu_kernel_func(kernel, ctx, func_out) : CUDA_ERROR_INVALID_CONTEXT;
}

static CUresult op_kernel(struct pl_cu_op *op, const CUDA_KERNEL_NODE_PARAMS_v3 *params)
{
	struct pl_cu_launch launch = {
		.grid = { params->gridDimX, params->gridDimY, params->gridDimZ },
		.block = { params->blockDimX, params->blockDimY, params->blockDimZ },
		.shared_bytes = params->sharedMemBytes,
	};
	void *packed;
	CUresult r = kernel_func(params, &launch.func);
	if (!r)
		r = pl_cu_launch_check(&launch);
	if (!r)
		r = pl_cu_params_pack(launch.func, params->kernelParams, params->extra, &packed);
	if (!r)
		r = kernel_make(op, &launch, packed);
	if (!r && pl_cuda_handle_type((uint64_t)(uintptr_t)params->kern) == PL_CU_KERNEL)
		op->kernel->kernel = params->kern;
	return r;
}

CUresult pl_cu_op_of_launch(struct pl_cu_op *op, const struct pl_cu_launch *launch)
{
	uint32_t bytes = launch->func->info->param_bytes;
	char *packed = calloc(1, bytes + 1);
	if (!packed)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (bytes)
		memcpy(packed, launch->params, bytes);
	return kernel_make(op, launch, packed);
}

struct pl_cu_func *pl_cu_op_func(const struct pl_cu_op_kernel *kernel)
{
	return pl_cuda_handle_held(kernel->func, PL_CU_FUNC) == kernel->launch.func ? kernel->launch.func : NULL;
}

static CUresult kernel_copy(struct pl_cu_op *to, const struct pl_cu_op_kernel *from)
{
	CUresult r = pl_cu_op_func(from) ? pl_cu_op_of_launch(to, &from->launch) : CUDA_ERROR_INVALID_HANDLE;
	if (r)
		return r;
	to->kernel->kernel = from->kernel;
	to->kernel->func = from->func;
	memcpy(to->kernel->attribute, from->attribute, sizeof(from->attribute));
	return CUDA_SUCCESS;
}

static CUresult kernel_run(const struct pl_cu_op_kernel *kernel, struct pl_cu_stream *stream)
{
	return pl_cu_op_func(kernel) ? pl_cu_launch_run(stream, &kernel->launch) : CUDA_ERROR_INVALID_HANDLE;
}

/* -- copies and fills ---------------------------------------------------------------------------------------------- */

static CUresult op_memcpy(struct pl_cu_op *op, const CUDA_MEMCPY_NODE_PARAMS *params)
{
	const CUDA_MEMCPY3D *api = &params->copyParams;
	struct pl_cu_copy copy;
	CUresult r;
	if (params->flags || params->reserved || !api->WidthInBytes || !api->Height || !api->Depth)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_copy_resolve(&copy, api);
	if (!r)
		*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_MEMCPY,
					 .src_pageable = copy.src.pageable,
					 .dst_pageable = copy.dst.pageable,
					 .memcpy = *params };
	return r;
}

void pl_cu_op_of_copy(struct pl_cu_op *op, const struct pl_cu_copy *copy, CUcontext ctx)
{
	CUDA_MEMCPY3D *api = &op->memcpy.copyParams;
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_MEMCPY,
				 .src_pageable = copy->src.pageable,
				 .dst_pageable = copy->dst.pageable,
				 .memcpy.copyCtx = ctx };
	api->srcMemoryType = copy->src.device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
	api->dstMemoryType = copy->dst.device ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
	if (copy->src.device)
		api->srcDevice = copy->src.address;
	else
		api->srcHost = (const void *)(uintptr_t)copy->src.address;
	if (copy->dst.device)
		api->dstDevice = copy->dst.address;
	else
		api->dstHost = (void *)(uintptr_t)copy->dst.address;
	api->srcPitch = copy->src.pitch;
	api->dstPitch = copy->dst.pitch;
	api->srcHeight = copy->src.pitch ? copy->src.slice / copy->src.pitch : 0;
	api->dstHeight = copy->dst.pitch ? copy->dst.slice / copy->dst.pitch : 0;
	api->WidthInBytes = copy->columns;
	api->Height = copy->lines;
	api->Depth = copy->slices;
}

/* Memory that the device does not reach is read or written when the copy's turn comes, by a thread of the driver. */
static void copy_turn(CUstream unused, CUresult error, void *arg)
{
	(void)unused;
	if (!error)
		pl_cu_copy_host(arg);
	free(arg);
}

/* What the device has reached and does no more was freed: it is not whatever the host has there now. */
static CUresult memcpy_resolve(struct pl_cu_copy *copy, const struct pl_cu_op *op)
{
	CUresult r = pl_cu_copy_resolve(copy, &op->memcpy.copyParams);
	if (!r && ((copy->src.pageable && !op->src_pageable) || (copy->dst.pageable && !op->dst_pageable)))
		r = CUDA_ERROR_INVALID_VALUE;
	return r;
}

static CUresult memcpy_run(const struct pl_cu_op *op, struct pl_cu_stream *stream)
{
	struct pl_cu_copy copy, *later;
	struct pl_cu_hostfn turn = { .callback = copy_turn };
	CUresult r = memcpy_resolve(&copy, op);
	if (r || (!copy.dst.pageable && !copy.src.pageable))
		return r ? r : pl_cu_copy_run(stream, &copy, false);
	later = malloc(sizeof(*later));
	if (!later)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*later = copy;
	turn.user = later;
	r = pl_cu_hostfn_run(stream, &turn);
	if (r)
		free(later);
	return r;
}

static struct pl_cu_fill fill_of(const CUDA_MEMSET_NODE_PARAMS_v2 *params)
{
	return (struct pl_cu_fill){
		.address = params->dst,
		.pitch = params->height > 1 ? params->pitch : 0,
		.value = params->value,
		.bytes = params->elementSize,
		.elements = params->width,
		.lines = params->height,
	};
}

static CUresult op_memset(struct pl_cu_op *op, const CUDA_MEMSET_NODE_PARAMS_v2 *params)
{
	struct pl_cu_fill fill = fill_of(params);
	uint32_t size = params->elementSize;
	CUresult r;
	if ((size != 1 && size != 2 && size != 4) || !params->width || !params->height)
		return CUDA_ERROR_INVALID_VALUE;
	r = pl_cu_fill_check(&fill);
	if (!r)
		*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_MEMSET, .memset = *params };
	return r;
}

void pl_cu_op_of_fill(struct pl_cu_op *op, const struct pl_cu_fill *fill, CUcontext ctx)
{
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_MEMSET,
				 .memset = { .dst = fill->address,
					     .pitch = fill->pitch,
					     .value = fill->value,
					     .elementSize = fill->bytes,
					     .width = fill->elements,
					     .height = fill->lines,
					     .ctx = ctx } };
}

static CUresult memset_run(const CUDA_MEMSET_NODE_PARAMS_v2 *params, struct pl_cu_stream *stream)
{
	struct pl_cu_fill fill = fill_of(params);
	CUresult r = pl_cu_fill_check(&fill);
	return r ? r : pl_cu_fill_run(stream, &fill, false);
}

/* -- words of memory ----------------------------------------------------------------------------------------------- */

CUresult pl_cu_op_of_memops(struct pl_cu_op *op, CUcontext ctx, unsigned int n, const CUstreamBatchMemOpParams *ops)
{
	CUstreamBatchMemOpParams *copy;
	CUresult r = CUDA_SUCCESS;
	if (!n || n > MEMOPS_MAX || !ops)
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned int i = 0; i < n && !r; i++)
		r = pl_cu_memop_check(&ops[i]);
	copy = r ? NULL : malloc(n * sizeof(*copy));
	if (!copy)
		return r ? r : CUDA_ERROR_OUT_OF_MEMORY;
	memcpy(copy, ops, n * sizeof(*copy));
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_BATCH_MEM_OP,
				 .memop = { .ctx = ctx, .count = n, .paramArray = copy } };
	return CUDA_SUCCESS;
}

/* -- others -------------------------------------------------------------------------------------------------------- */

static CUresult op_host(struct pl_cu_op *op, const CUDA_HOST_NODE_PARAMS_v2 *params)
{
	if (!params->fn)
		return CUDA_ERROR_INVALID_VALUE;
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_HOST, .host = { params->fn, params->userData } };
	return CUDA_SUCCESS;
}

static CUresult op_child(struct pl_cu_op *op, const CUDA_CHILD_GRAPH_NODE_PARAMS *params)
{
	struct pl_cu_graph *graph, *child;
	CUresult r = pl_cu_graph_get(params->graph, &graph);
	if (r)
		return r;
	if (params->ownership == CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE) {
		if (graph->parent || graph->instantiated || graph->has_conditions || pl_cu_capture_fills(graph))
			return CUDA_ERROR_INVALID_VALUE;
		child = graph;
	} else if (params->ownership != CU_GRAPH_CHILD_GRAPH_OWNERSHIP_CLONE) {
		return CUDA_ERROR_INVALID_VALUE;
	} else {
		r = graph->has_memory || graph->has_conditions ? CUDA_ERROR_NOT_SUPPORTED
							       : pl_cu_graph_clone(&child, graph, true);
	}
	if (!r)
		*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_GRAPH, .child = child };
	return r;
}

static CUresult op_event(struct pl_cu_op *op, CUgraphNodeType type, CUevent event)
{
	if (!pl_cuda_handle_held(event, PL_CU_EVENT))
		return CUDA_ERROR_INVALID_HANDLE;
	*op = (struct pl_cu_op){ .type = type, .event = event };
	return CUDA_SUCCESS;
}

static CUresult op_alloc(struct pl_cu_op *op, CUDA_MEM_ALLOC_NODE_PARAMS *params)
{
	struct pl_cu_graph_mem *mem;
	CUresult r = pl_cu_graph_mem_create(&mem, params);
	if (r)
		return r;
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_MEM_ALLOC, .alloc = { *params, mem } };
	op->alloc.params.accessDescs = NULL;
	op->alloc.params.accessDescCount = 0;
	return CUDA_SUCCESS;
}

static CUresult op_free(struct pl_cu_op *op, CUdeviceptr address)
{
	struct pl_cu_graph_mem *mem = pl_cu_graph_mem_find(address);
	if (!mem)
		return CUDA_ERROR_INVALID_VALUE;
	*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_MEM_FREE, .alloc.mem = mem };
	op->alloc.params.dptr = address;
	return CUDA_SUCCESS;
}

CUresult pl_cu_op_make(struct pl_cu_op *op, CUgraphNodeParams *params, const struct pl_cu_graph *graph)
{
	CUresult r;
	switch (params->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return op_kernel(op, &params->kernel);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return op_memcpy(op, &params->memcpy);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return op_memset(op, &params->memset);
	case CU_GRAPH_NODE_TYPE_HOST:
		return op_host(op, &params->host);
	case CU_GRAPH_NODE_TYPE_GRAPH:
		r = op_child(op, &params->graph);
		if (!r)
			params->graph.graph = op->child->handle;
		return r;
	case CU_GRAPH_NODE_TYPE_EMPTY:
		*op = (struct pl_cu_op){ .type = CU_GRAPH_NODE_TYPE_EMPTY };
		return CUDA_SUCCESS;
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
		return op_event(op, params->type, params->eventWait.event);
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		return op_event(op, params->type, params->eventRecord.event);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return op_alloc(op, (CUDA_MEM_ALLOC_NODE_PARAMS *)&params->alloc);
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		return op_free(op, params->free.dptr);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		if (params->memOp.flags)
			return CUDA_ERROR_INVALID_VALUE;
		return pl_cu_op_of_memops(op, params->memOp.ctx, params->memOp.count, params->memOp.paramArray);
	case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
	case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT:
		return CUDA_ERROR_NOT_SUPPORTED;
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		return pl_cu_condition_make(op, &params->conditional, graph);
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

CUresult pl_cu_op_copy(struct pl_cu_op *to, const struct pl_cu_op *from, bool handles)
{
	struct pl_cu_graph *child;
	CUresult r = CUDA_SUCCESS;
	switch (from->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_copy(to, from->kernel);
	case CU_GRAPH_NODE_TYPE_GRAPH:
		r = pl_cu_graph_clone(&child, from->child, handles);
		if (!r)
			*to = (struct pl_cu_op){ .type = from->type, .child = child };
		return r;
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return pl_cu_op_of_memops(to, from->memop.ctx, from->memop.count, from->memop.paramArray);
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		return handles ? CUDA_ERROR_NOT_SUPPORTED : pl_cu_condition_copy(to, from);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		pl_cu_graph_mem_ref(from->alloc.mem);
		break;
	default:
		break;
	}
	*to = *from;
	return CUDA_SUCCESS;
}

void pl_cu_op_clear(struct pl_cu_op *op)
{
	switch (op->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		kernel_free(op->kernel);
		break;
	case CU_GRAPH_NODE_TYPE_GRAPH:
		pl_cu_graph_destroy(op->child);
		break;
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		free(op->memop.paramArray);
		break;
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		pl_cu_graph_mem_unref(op->alloc.mem);
		break;
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		pl_cu_condition_unref(op->condition);
		break;
	default:
		break;
	}
	op->type = CU_GRAPH_NODE_TYPE_EMPTY;
}

struct pl_cu_graph *const *pl_cu_op_graphs(const struct pl_cu_op *op, size_t *n_out)
{
	if (op->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		return pl_cu_condition_bodies(op->condition, n_out);
	*n_out = op->type == CU_GRAPH_NODE_TYPE_GRAPH;
	return *n_out ? &op->child : NULL;
}

CUresult pl_cu_op_run(const struct pl_cu_op *op, struct pl_cu_stream *stream)
{
	struct pl_cu_hostfn hostfn;
	struct pl_cu_event *event;
	switch (op->type) {
	case CU_GRAPH_NODE_TYPE_KERNEL:
		return kernel_run(op->kernel, stream);
	case CU_GRAPH_NODE_TYPE_MEMCPY:
		return memcpy_run(op, stream);
	case CU_GRAPH_NODE_TYPE_MEMSET:
		return memset_run(&op->memset, stream);
	case CU_GRAPH_NODE_TYPE_HOST:
		hostfn = (struct pl_cu_hostfn){ .fn = op->host.fn, .user = op->host.userData };
		return pl_cu_hostfn_run(stream, &hostfn);
	case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
	case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
		event = pl_cuda_handle_held(op->event, PL_CU_EVENT);
		if (!event)
			return CUDA_ERROR_INVALID_HANDLE;
		return op->type == CU_GRAPH_NODE_TYPE_WAIT_EVENT
			       ? pl_cu_event_wait(event, stream, CU_EVENT_WAIT_EXTERNAL)
			       : pl_cu_event_record(event, stream, CU_EVENT_RECORD_EXTERNAL);
	case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
		return pl_cu_graph_mem_begin(op->alloc.mem);
	case CU_GRAPH_NODE_TYPE_MEM_FREE:
		return pl_cu_graph_mem_end(op->alloc.mem);
	case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
		return pl_cu_memops_run(stream, op->memop.count, op->memop.paramArray);
	case CU_GRAPH_NODE_TYPE_CONDITIONAL:
		return pl_cu_condition_run(op->condition, stream);
	default:
		return CUDA_SUCCESS;
	}
}

struct pl_cu_ctx *pl_cu_op_ctx(const struct pl_cu_op *op)
{
	struct pl_cu_event *event;
	if (op->type == CU_GRAPH_NODE_TYPE_KERNEL)
		return pl_cu_op_func(op->kernel) ? op->kernel->launch.func->module->ctx : NULL;
	if (op->type == CU_GRAPH_NODE_TYPE_CONDITIONAL)
		return pl_cu_condition_ctx(op->condition);
	if (op->type != CU_GRAPH_NODE_TYPE_EVENT_RECORD)
		return NULL;
	event = pl_cuda_handle_held(op->event, PL_CU_EVENT);
	return event ? event->ctx : NULL;
}
