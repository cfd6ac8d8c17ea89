/* Graphs: ready to run, changed afterwards, looked at, and what they keep alive. */
#include "client/cuda/graph.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cuda/hostfn.h"

/* ---- ready to run ---- */

struct instance {
	enum pl_cuda_op op;
	bool per_thread;
	cuuint64_t flags;
	CUstream upload;
	/* what comes back; the last two may be NULL */
	CUgraphInstantiateResult result;
	CUgraphNode error_node;
	char *log;
	size_t log_bytes;
};

static void instance_take(struct instance *instance, struct pl_session *session, struct pl_reply *reply)
{
	struct pl_cuda_cuGraphInstantiate_reply got;
	size_t bytes;

	pl_cuda_cuGraphInstantiate_reply_get(&reply->dec, &got);
	if (!pl_dec_whole(&reply->dec))
		return; /* a refusal says nothing */
	instance->result = (CUgraphInstantiateResult)got.result;
	instance->error_node = pl_cuda_object_of(session, PL_CUDA_KIND_node, got.error_node);
	if (!instance->log || !instance->log_bytes)
		return;
	bytes = got.log.bytes < instance->log_bytes - 1 ? got.log.bytes : instance->log_bytes - 1;
	memcpy(instance->log, got.log.at, bytes);
	instance->log[bytes] = '\0';
}

static CUresult instantiate(struct instance *instance, CUgraphExec *exec, CUgraph graph)
{
	struct pl_cuda_cuGraphInstantiate_args args = { .flags = instance->flags, .per_thread = instance->per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(instance->op, PL_CUDA_KIND_graph, graph, &session);
	struct pl_cuda_exec *made;
	void *handle;
	int r;

	if (result)
		return result;
	args.graph = pl_cuda_id(session, PL_CUDA_KIND_graph, graph);
	args.upload = pl_cuda_id(session, PL_CUDA_KIND_stream, instance->upload);
	args.want_log =
		(uint32_t)(instance->log_bytes < PL_CUDA_LIMIT_LOG_MAX ? instance->log_bytes : PL_CUDA_LIMIT_LOG_MAX);
	if (!exec || !args.graph)
		return CUDA_ERROR_INVALID_VALUE;
	if (instance->upload && !args.upload)
		return CUDA_ERROR_INVALID_HANDLE;
	handle = pl_cuda_new(session, PL_CUDA_KIND_exec, &args.exec);
	if (!handle)
		return CUDA_ERROR_OUT_OF_MEMORY;
	r = PL_CUDA_ASK_AS(session, instance->op, cuGraphInstantiate, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!r)
		instance_take(instance, session, &reply);
	if (result) {
		pl_cuda_undo(session, PL_CUDA_KIND_exec, handle);
		return result;
	}
	made = pl_cuda_get(PL_CUDA_KIND_exec, handle);
	made->flags = instance->flags;
	*exec = handle;
	return CUDA_SUCCESS;
}

static CUresult instantiate_log(enum pl_cuda_op op, CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node,
				char *log, size_t log_bytes)
{
	struct instance instance = { .op = op, .log = log, .log_bytes = log ? log_bytes : 0 };
	CUresult result = instantiate(&instance, exec, graph);

	if (error_node)
		*error_node = instance.error_node;
	return result;
}

CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *log_buffer,
			    size_t buffer_size)
{
	return instantiate_log(PL_CUDA_OP_cuGraphInstantiate, exec, graph, error_node, log_buffer, buffer_size);
}

CUresult cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *error_node, char *log_buffer,
			       size_t buffer_size)
{
	return instantiate_log(PL_CUDA_OP_cuGraphInstantiate_v2, exec, graph, error_node, log_buffer, buffer_size);
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags)
{
	struct instance instance = { .op = PL_CUDA_OP_cuGraphInstantiateWithFlags, .flags = flags };

	return instantiate(&instance, exec, graph);
}

/* Of a refusal that the driver was not asked for. */
static CUgraphInstantiateResult refusal_told(CUresult result)
{
	return result == CUDA_ERROR_INVALID_VALUE ? CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE
						  : CUDA_GRAPH_INSTANTIATE_ERROR;
}

static CUresult instantiate_params(bool per_thread, CUgraphExec *exec, CUgraph graph,
				   CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
	struct instance instance = { .op = PL_CUDA_OP_cuGraphInstantiateWithParams, .per_thread = per_thread };
	CUresult result = pl_cuda_ready();

	if (result || !params)
		return result ? result : CUDA_ERROR_INVALID_VALUE;
	instance.flags = params->flags;
	instance.upload = params->hUploadStream;
	result = instantiate(&instance, exec, graph);
	params->result_out = result && !instance.result ? refusal_told(result) : instance.result;
	params->hErrNode_out = instance.error_node;
	return result;
}

CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
	return instantiate_params(false, exec, graph, params);
}

CUresult cuGraphInstantiateWithParams_ptsz(CUgraphExec *exec, CUgraph graph, CUDA_GRAPH_INSTANTIATE_PARAMS *params)
{
	return instantiate_params(true, exec, graph, params);
}

CUresult cuGraphExecGetFlags(CUgraphExec exec, cuuint64_t *flags)
{
	const struct pl_cuda_exec *of;
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	of = pl_cuda_get(PL_CUDA_KIND_exec, exec);
	if (!of || !flags)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = of->flags & ~(cuuint64_t)CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD; /* said to be told never */
	return CUDA_SUCCESS;
}

/* ---- updated ---- */

/* What is refused before the driver is asked leaves *info as it is. */
static CUresult update(enum pl_cuda_op op, CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *info)
{
	struct pl_cuda_cuGraphExecUpdate_reply got;
	struct pl_cuda_cuGraphExecUpdate_args args;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_exec, exec, &session);
	int r;

	if (result)
		return result;
	args.exec = pl_cuda_id(session, PL_CUDA_KIND_exec, exec);
	args.graph = pl_cuda_id(session, PL_CUDA_KIND_graph, graph);
	if (!args.exec || !args.graph || !info)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK_AS(session, op, cuGraphExecUpdate, &args, &reply);
	if (r)
		return pl_cuda_fault(r);
	pl_cuda_cuGraphExecUpdate_reply_get(&reply.dec, &got);
	if (pl_dec_whole(&reply.dec))
		*info = (CUgraphExecUpdateResultInfo){
			.result = (CUgraphExecUpdateResult)got.result,
			.errorNode = pl_cuda_object_of(session, PL_CUDA_KIND_node, got.error_node),
			.errorFromNode = pl_cuda_object_of(session, PL_CUDA_KIND_node, got.error_from_node),
		};
	return (CUresult)reply.status;
}

CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *error_node, CUgraphExecUpdateResult *result)
{
	CUgraphExecUpdateResultInfo info = { .result = CU_GRAPH_EXEC_UPDATE_ERROR };
	CUresult r = update(PL_CUDA_OP_cuGraphExecUpdate, exec, graph, &info);

	if (error_node)
		*error_node = info.errorNode;
	if (result)
		*result = info.result;
	return r;
}

CUresult cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *result_info)
{
	return update(PL_CUDA_OP_cuGraphExecUpdate_v2, exec, graph, result_info);
}

/* ---- what others have in them ---- */

/* made: with the id `own`, for what the server's answer, with the id `id`, does not name otherwise.  NULL: it names
 * nothing. */
static void *found(struct pl_session *session, enum pl_cuda_object_kind kind, void *made, uint64_t own, uint64_t id)
{
	if (id != own)
		pl_cuda_undo(session, kind, made);
	return id == own ? made : pl_cuda_object_of(session, kind, id);
}

CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph)
{
	struct pl_cuda_cuGraphChildGraphNodeGetGraph_reply got = { 0 };
	struct pl_cuda_cuGraphChildGraphNodeGetGraph_args args;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphChildGraphNodeGetGraph, PL_CUDA_KIND_node, node, &session);
	void *made;

	if (result)
		return result;
	args.node = pl_cuda_id(session, PL_CUDA_KIND_node, node);
	if (!args.node || !graph)
		return CUDA_ERROR_INVALID_VALUE;
	made = pl_cuda_new(session, PL_CUDA_KIND_graph, &args.graph);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = pl_cuda_answer(PL_CUDA_ASK(session, cuGraphChildGraphNodeGetGraph, &args, &reply), &reply);
	if (!result)
		pl_cuda_cuGraphChildGraphNodeGetGraph_reply_get(&reply.dec, &got);
	made = found(session, PL_CUDA_KIND_graph, made, args.graph, got.graph);
	if (!result)
		*graph = made;
	return result || made ? result : CUDA_ERROR_UNKNOWN;
}

CUresult cuGraphNodeFindInClone(CUgraphNode *node, CUgraphNode original, CUgraph clone)
{
	struct pl_cuda_cuGraphNodeFindInClone_reply got = { 0 };
	struct pl_cuda_cuGraphNodeFindInClone_args args;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphNodeFindInClone, PL_CUDA_KIND_node, original, &session);
	void *made;

	if (result)
		return result;
	args.original = pl_cuda_id(session, PL_CUDA_KIND_node, original);
	args.clone = pl_cuda_id(session, PL_CUDA_KIND_graph, clone);
	if (!args.original || !args.clone || !node)
		return CUDA_ERROR_INVALID_VALUE;
	made = pl_cuda_new(session, PL_CUDA_KIND_node, &args.node);
	if (!made)
		return CUDA_ERROR_OUT_OF_MEMORY;
	result = pl_cuda_answer(PL_CUDA_ASK(session, cuGraphNodeFindInClone, &args, &reply), &reply);
	if (!result)
		pl_cuda_cuGraphNodeFindInClone_reply_get(&reply.dec, &got);
	made = found(session, PL_CUDA_KIND_node, made, args.node, got.node);
	if (!result)
		*node = made;
	return result || made ? result : CUDA_ERROR_UNKNOWN;
}

/* ---- looked at ---- */

CUresult cuGraphDebugDotPrint(CUgraph graph, const char *path, unsigned int flags)
{
	struct pl_cuda_cuGraphDebugDotPrint_args args = { .flags = flags };
	struct pl_cuda_cuGraphDebugDotPrint_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphDebugDotPrint, PL_CUDA_KIND_graph, graph, &session);
	FILE *file;
	bool good;
	int r;

	if (result)
		return result;
	args.graph = pl_cuda_id(session, PL_CUDA_KIND_graph, graph);
	if (!args.graph || !path)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuGraphDebugDotPrint, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuGraphDebugDotPrint_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	file = fopen(path, "we");
	if (!file)
		return CUDA_ERROR_OPERATING_SYSTEM;
	good = fwrite(got.text.at, 1, got.text.bytes, file) == got.text.bytes;
	return fclose(file) || !good ? CUDA_ERROR_OPERATING_SYSTEM : CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeGetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute, CUkernelNodeAttrValue *value)
{
	struct pl_cuda_cuGraphKernelNodeGetAttribute_args args = { .attribute = attribute };
	struct pl_cuda_cuGraphKernelNodeGetAttribute_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphKernelNodeGetAttribute, PL_CUDA_KIND_node, node, &session);
	int r;

	if (result)
		return result;
	args.node = pl_cuda_id(session, PL_CUDA_KIND_node, node);
	if (!args.node || !value)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuGraphKernelNodeGetAttribute, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuGraphKernelNodeGetAttribute_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	memset(value, 0, sizeof(*value));
	memcpy(value, got.value.at, got.value.bytes < sizeof(*value) ? got.value.bytes : sizeof(*value));
	return CUDA_SUCCESS;
}

CUresult cuGraphKernelNodeSetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute,
				       const CUkernelNodeAttrValue *value)
{
	struct pl_cuda_cuGraphKernelNodeSetAttribute_args args = { .attribute = attribute };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuGraphKernelNodeSetAttribute, PL_CUDA_KIND_node, node, &session);
	int r;

	if (result)
		return result;
	args.node = pl_cuda_id(session, PL_CUDA_KIND_node, node);
	if (!args.node || !value)
		return CUDA_ERROR_INVALID_VALUE;
	args.value = (struct pl_bytes){ value, sizeof(*value) < PL_CUDA_LIMIT_ATTRIBUTE_BYTES
						       ? sizeof(*value)
						       : PL_CUDA_LIMIT_ATTRIBUTE_BYTES };
	r = PL_CUDA_ASK(session, cuGraphKernelNodeSetAttribute, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

/* ---- memory of graphs ---- */

static CUresult graph_mem_enter(enum pl_cuda_op op, CUdevice device, const void *value, struct pl_session **session_out,
				uint64_t *device_out)
{
	const void *handle = (const void *)(uintptr_t)device;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_device, handle, session_out);

	if (result)
		return result;
	*device_out = pl_cuda_id(*session_out, PL_CUDA_KIND_device, handle);
	if (!*device_out)
		return CUDA_ERROR_INVALID_DEVICE;
	return value ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
	struct pl_cuda_cuDeviceGetGraphMemAttribute_args args = { .attribute = attribute };
	struct pl_cuda_cuDeviceGetGraphMemAttribute_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result =
		graph_mem_enter(PL_CUDA_OP_cuDeviceGetGraphMemAttribute, device, value, &session, &args.device);
	int r;

	if (result)
		return result;
	r = PL_CUDA_ASK(session, cuDeviceGetGraphMemAttribute, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuDeviceGetGraphMemAttribute_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*(cuuint64_t *)value = got.value;
	return CUDA_SUCCESS;
}

CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void *value)
{
	struct pl_cuda_cuDeviceSetGraphMemAttribute_args args = { .attribute = attribute };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result =
		graph_mem_enter(PL_CUDA_OP_cuDeviceSetGraphMemAttribute, device, value, &session, &args.device);
	int r;

	if (result)
		return result;
	args.value = *(const cuuint64_t *)value;
	r = PL_CUDA_ASK(session, cuDeviceSetGraphMemAttribute, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

/* ---- objects of the program's that live as long as graphs do ---- */

CUresult cuUserObjectCreate(CUuserObject *object, void *data, CUhostFn destroy, unsigned int count, unsigned int flags)
{
	struct pl_cuda_cuUserObjectCreate_args args = { .count = count, .flags = flags };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuUserObjectCreate, &session);
	void *made;
	int r;

	if (result)
		return result;
	if (!object || !destroy)
		return CUDA_ERROR_INVALID_VALUE;
	args.token = pl_cuda_hostfn_new(session, destroy, data);
	made = args.token ? pl_cuda_new(session, PL_CUDA_KIND_user_object, &args.object) : NULL;
	if (!made) {
		pl_cuda_hostfn_forget(session, args.token);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	r = PL_CUDA_ASK(session, cuUserObjectCreate, &args, &reply);
	if (r || reply.status) {
		pl_cuda_hostfn_forget(session, args.token);
		pl_cuda_undo(session, PL_CUDA_KIND_user_object, made);
		return pl_cuda_answer(r, &reply);
	}
	*object = made;
	return CUDA_SUCCESS;
}
