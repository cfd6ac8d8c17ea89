/* Graphs: what they hold, getting them ready to run, changing them afterwards, and what they keep alive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/cuda/graph-memory.h"
#include "backend/cuda/hostfn.h"
#include "base/cleanup.h"

/* Fills a reply and sends it. */
#define REPLY(serve, name, reply)                                                                                      \
	do {                                                                                                           \
		if (!pl_serve_reply_begin((serve), CUDA_SUCCESS, pl_cuda_##name##_reply_bytes(reply), 0)) {            \
			pl_cuda_##name##_reply_put(&(serve)->reply_enc, (reply));                                      \
			(void)pl_serve_reply_end(serve);                                                               \
		}                                                                                                      \
	} while (0)

/* ---- its nodes, but for those that the client does not know of ---- */

typedef CUresult (*nodes_fn)(CUgraph, CUgraphNode *, size_t *);

/* Those in `nodes` that the client knows; a hidden one among the roots stands for the node behind it.  Return: how
 * many. */
static size_t nodes_seen(struct pl_serve *serve, CUgraphNode *nodes, size_t count, bool roots)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	size_t seen = 0;

	for (size_t i = 0; i < count; i++) {
		if (!pl_cuda_node_is_hidden(session, nodes[i]))
			nodes[seen++] = nodes[i];
		else if (roots)
			nodes[seen++] = pl_cuda_node_beside_hidden(session, nodes[i]);
	}
	return seen;
}

/* Return: success with the nodes, which are the caller's. */
static int32_t nodes_get(struct pl_serve *serve, nodes_fn get, CUgraph graph, bool roots, CUgraphNode **nodes_out,
			 size_t *count_out)
{
	size_t count = 0;
	int32_t status = get ? (int32_t)get(graph, NULL, &count) : CUDA_ERROR_NOT_SUPPORTED;

	*nodes_out = NULL;
	if (status)
		return status;
	if (count > PL_CUDA_LIMIT_NODES_MAX)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*nodes_out = calloc(count + 1, sizeof(**nodes_out));
	if (!*nodes_out)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (count)
		status = (int32_t)get(graph, *nodes_out, &count);
	*count_out = status ? 0 : nodes_seen(serve, *nodes_out, count, roots);
	pl_cuda_captured_nodes(pl_cuda_session_of(serve), graph, *nodes_out, *count_out);
	return status;
}

/* As the API does it: with a list, as many as it has room for, the rest of it NULL; the count is what there is without
 * a list, else what was written. */
static void nodes_serve(struct pl_serve *serve, nodes_fn get, uint64_t id, uint64_t room, bool wants, bool roots)
{
	pl_cleanup(pl_freep) CUgraphNode *nodes = NULL;
	pl_cleanup(pl_freep) uint64_t *ids = NULL;
	struct pl_cuda_cuGraphGetNodes_reply reply = { 0 };
	int32_t status = CUDA_SUCCESS;
	size_t count = 0;
	void *graph;

	if (pl_cuda_take(serve, id, PL_CUDA_KIND_graph, &graph, &status))
		status = nodes_get(serve, get, graph, roots, &nodes, &count);
	if (wants && room > PL_CUDA_LIMIT_NODES_MAX)
		status = CUDA_ERROR_INVALID_VALUE;
	if (!status && wants) {
		ids = calloc(room + 1, sizeof(*ids));
		if (!ids)
			status = CUDA_ERROR_OUT_OF_MEMORY;
		for (size_t i = 0; i < count && i < room && ids; i++)
			ids[i] = pl_cuda_id_of(serve, PL_CUDA_KIND_node, nodes[i]);
		reply.nodes = (struct pl_u64s){ ids, room };
	}
	reply.nodes_count = wants && room < count ? room : count;
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(serve, cuGraphGetNodes, &reply);
}

void pl_cuda_serve_cuGraphGetNodes(struct pl_serve *serve, const struct pl_cuda_cuGraphGetNodes_args *args)
{
	nodes_serve(serve, pl_cuda.cuGraphGetNodes, args->graph, args->nodes_count, args->given & 1, false);
}

void pl_cuda_serve_cuGraphGetRootNodes(struct pl_serve *serve, const struct pl_cuda_cuGraphGetRootNodes_args *args)
{
	nodes_serve(serve, pl_cuda.cuGraphGetRootNodes, args->graph, args->root_nodes_count, args->given & 1, true);
}

/* ---- what others have in them: it may be known already, and has one id ---- */

void pl_cuda_serve_cuGraphChildGraphNodeGetGraph(struct pl_serve *serve,
						 const struct pl_cuda_cuGraphChildGraphNodeGetGraph_args *args)
{
	struct pl_cuda_cuGraphChildGraphNodeGetGraph_reply reply = { 0 };
	int32_t status = CUDA_SUCCESS;
	CUgraph graph = NULL;
	void *node;

	if (pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status))
		status = PL_CUDA_TRY(cuGraphChildGraphNodeGetGraph, node, &graph);
	if (!status) {
		reply.graph = pl_cuda_id_of_or(serve, PL_CUDA_KIND_graph, graph, args->graph);
		status = reply.graph ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(serve, cuGraphChildGraphNodeGetGraph, &reply);
}

void pl_cuda_serve_cuGraphNodeFindInClone(struct pl_serve *serve,
					  const struct pl_cuda_cuGraphNodeFindInClone_args *args)
{
	struct pl_cuda_cuGraphNodeFindInClone_reply reply = { 0 };
	void *original, *clone;
	int32_t status = CUDA_SUCCESS;
	CUgraphNode node = NULL;

	if (pl_cuda_take(serve, args->original, PL_CUDA_KIND_node, &original, &status) &&
	    pl_cuda_take(serve, args->clone, PL_CUDA_KIND_graph, &clone, &status))
		status = PL_CUDA_TRY(cuGraphNodeFindInClone, &node, original, clone);
	if (!status) {
		reply.node = pl_cuda_id_of_or(serve, PL_CUDA_KIND_node, node, args->node);
		status = reply.node ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(serve, cuGraphNodeFindInClone, &reply);
}

/* ---- ready to run ---- */

struct instance {
	CUgraphExec exec;
	CUgraphNode error_node;
	CUgraphInstantiateResult result;
	char *log;
	size_t log_bytes;
};

static int32_t instantiate(struct pl_serve *serve, struct instance *to, CUgraph graph, CUstream upload,
			   const struct pl_cuda_cuGraphInstantiate_args *args)
{
	CUDA_GRAPH_INSTANTIATE_PARAMS params = { .flags = args->flags, .hUploadStream = upload };
	int32_t status;

	switch (serve->head->op) {
	case PL_CUDA_OP_cuGraphInstantiateWithFlags:
		return PL_CUDA_TRY(cuGraphInstantiateWithFlags, &to->exec, graph, args->flags);
	case PL_CUDA_OP_cuGraphInstantiateWithParams:
		status = args->per_thread ? PL_CUDA_TRY(cuGraphInstantiateWithParams_ptsz, &to->exec, graph, &params)
					  : PL_CUDA_TRY(cuGraphInstantiateWithParams, &to->exec, graph, &params);
		to->error_node = params.hErrNode_out;
		to->result = params.result_out;
		return status;
	case PL_CUDA_OP_cuGraphInstantiate_v2:
		return PL_CUDA_TRY(cuGraphInstantiate_v2, &to->exec, graph, &to->error_node, to->log, to->log_bytes);
	default:
		return PL_CUDA_TRY(cuGraphInstantiate, &to->exec, graph, &to->error_node, to->log, to->log_bytes);
	}
}

void pl_cuda_serve_cuGraphInstantiate(struct pl_serve *serve, const struct pl_cuda_cuGraphInstantiate_args *args)
{
	struct pl_cuda_cuGraphInstantiate_reply reply = { 0 };
	struct instance made = { .log_bytes = args->want_log };
	void *graph = NULL, *upload = NULL;
	int32_t status = CUDA_SUCCESS;

	if (made.log_bytes > PL_CUDA_LIMIT_LOG_MAX)
		made.log_bytes = PL_CUDA_LIMIT_LOG_MAX;
	made.log = made.log_bytes ? calloc(1, made.log_bytes) : NULL;
	if (!made.log)
		made.log_bytes = 0;
	if (pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status) &&
	    pl_cuda_take(serve, args->upload, PL_CUDA_KIND_stream, &upload, &status))
		status = instantiate(serve, &made, graph, upload, args);
	if (!status && !pl_cuda_put(serve, args->exec, PL_CUDA_KIND_exec, made.exec, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (!status) {
		pl_cuda_carriers_note(pl_cuda_session_of(serve), args->exec, graph);
		pl_cuda_graph_memory_ready(pl_cuda_session_of(serve), args->exec, graph);
	}
	/* The reply carries the driver's code itself: what it says of the error comes with it. */
	reply.result = (uint32_t)made.result;
	reply.error_node = pl_cuda_node_id_seen(serve, made.error_node);
	reply.log = (struct pl_bytes){ made.log, made.log ? strnlen(made.log, made.log_bytes) : 0 };
	if (!pl_serve_reply_begin(serve, status, pl_cuda_cuGraphInstantiate_reply_bytes(&reply), 0)) {
		pl_cuda_cuGraphInstantiate_reply_put(&serve->reply_enc, &reply);
		(void)pl_serve_reply_end(serve);
	}
	free(made.log);
}

static int32_t update(struct pl_serve *serve, uint64_t id, CUgraphExec exec, CUgraph graph,
		      CUgraphExecUpdateResultInfo *info)
{
	if (pl_cuda_carriers_are_off(pl_cuda_session_of(serve), id)) {
		info->result = CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED;
		return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
	}
	if (serve->head->op == PL_CUDA_OP_cuGraphExecUpdate_v2)
		return PL_CUDA_TRY(cuGraphExecUpdate_v2, exec, graph, info);
	return PL_CUDA_TRY(cuGraphExecUpdate, exec, graph, &info->errorNode, &info->result);
}

void pl_cuda_serve_cuGraphExecUpdate(struct pl_serve *serve, const struct pl_cuda_cuGraphExecUpdate_args *args)
{
	struct pl_cuda_cuGraphExecUpdate_reply reply = { 0 };
	CUgraphExecUpdateResult result = CU_GRAPH_EXEC_UPDATE_ERROR;
	CUgraphExecUpdateResultInfo info = { .result = result };
	void *exec = NULL, *graph = NULL;
	int32_t status = CUDA_SUCCESS;

	if (pl_cuda_take(serve, args->exec, PL_CUDA_KIND_exec, &exec, &status) &&
	    pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status))
		status = update(serve, args->exec, exec, graph, &info);
	if (!status) {
		pl_cuda_exec_sets_end(serve, args->exec);
		pl_cuda_carriers_forget(pl_cuda_session_of(serve), args->exec);
	}
	reply.result = (uint32_t)info.result;
	reply.error_node = pl_cuda_node_id_seen(serve, info.errorNode);
	reply.error_from_node = pl_cuda_node_id_seen(serve, info.errorFromNode);
	if (pl_serve_reply_begin(serve, status, pl_cuda_cuGraphExecUpdate_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuGraphExecUpdate_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* ---- looked at ---- */

/* The driver writes a file: it is one without a name. */
void pl_cuda_serve_cuGraphDebugDotPrint(struct pl_serve *serve, const struct pl_cuda_cuGraphDebugDotPrint_args *args)
{
	struct pl_cuda_cuGraphDebugDotPrint_reply reply = { 0 };
	int fd = memfd_create("graph", MFD_CLOEXEC);
	int32_t status = fd < 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
	char path[32], *text = NULL;
	void *graph;
	off_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!status && pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status))
		status = PL_CUDA_TRY(cuGraphDebugDotPrint, graph, path, args->flags);
	if (!status) {
		bytes = lseek(fd, 0, SEEK_END);
		text = bytes >= 0 && bytes <= PL_CUDA_LIMIT_LOG_MAX ? malloc((size_t)bytes + 1) : NULL;
		if (!text || pread(fd, text, (size_t)bytes, 0) != bytes)
			status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	reply.text = (struct pl_bytes){ text, (uint64_t)bytes };
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(serve, cuGraphDebugDotPrint, &reply);
	free(text);
	if (fd >= 0)
		close(fd);
}

void pl_cuda_serve_cuGraphKernelNodeGetAttribute(struct pl_serve *serve,
						 const struct pl_cuda_cuGraphKernelNodeGetAttribute_args *args)
{
	struct pl_cuda_cuGraphKernelNodeGetAttribute_reply reply = { 0 };
	CUkernelNodeAttrValue value = { 0 };
	int32_t status = CUDA_SUCCESS;
	void *node;

	if (pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status))
		status = PL_CUDA_TRY(cuGraphKernelNodeGetAttribute, node, (CUkernelNodeAttrID)args->attribute, &value);
	reply.value = (struct pl_bytes){ &value, sizeof(value) < 64 ? sizeof(value) : 64 };
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(serve, cuGraphKernelNodeGetAttribute, &reply);
}

void pl_cuda_serve_cuGraphKernelNodeSetAttribute(struct pl_serve *serve,
						 const struct pl_cuda_cuGraphKernelNodeSetAttribute_args *args)
{
	CUkernelNodeAttrValue value = { 0 };
	int32_t status = CUDA_SUCCESS;
	void *node;

	memcpy(&value, args->value.at, args->value.bytes < sizeof(value) ? args->value.bytes : sizeof(value));
	if (pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status))
		status = PL_CUDA_TRY(cuGraphKernelNodeSetAttribute, node, (CUkernelNodeAttrID)args->attribute, &value);
	pl_cuda_result(serve, status, 0);
}

/* ---- memory of graphs ---- */

void pl_cuda_serve_cuDeviceGetGraphMemAttribute(struct pl_serve *serve,
						const struct pl_cuda_cuDeviceGetGraphMemAttribute_args *args)
{
	struct pl_cuda_cuDeviceGetGraphMemAttribute_reply reply = { 0 };
	int32_t status = CUDA_SUCCESS;
	void *device;

	if (pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status))
		status = PL_CUDA_TRY(cuDeviceGetGraphMemAttribute, (CUdevice)(uintptr_t)device,
				     (CUgraphMem_attribute)args->attribute, &reply.value);
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(serve, cuDeviceGetGraphMemAttribute, &reply);
}

void pl_cuda_serve_cuDeviceSetGraphMemAttribute(struct pl_serve *serve,
						const struct pl_cuda_cuDeviceSetGraphMemAttribute_args *args)
{
	int32_t status = CUDA_SUCCESS;
	uint64_t value = args->value;
	void *device;

	if (pl_cuda_take(serve, args->device, PL_CUDA_KIND_device, &device, &status))
		status = PL_CUDA_TRY(cuDeviceSetGraphMemAttribute, (CUdevice)(uintptr_t)device,
				     (CUgraphMem_attribute)args->attribute, &value);
	pl_cuda_result(serve, status, 0);
}

/* ---- objects of the program's: the count is the driver's, the destructor the client's ---- */

void pl_cuda_serve_cuUserObjectCreate(struct pl_serve *serve, const struct pl_cuda_cuUserObjectCreate_args *args)
{
	struct pl_cuda_hostfn *destroy = pl_cuda_hostfn_new(pl_cuda_session_of(serve), args->token);
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	CUuserObject object = NULL;

	if (destroy)
		status = PL_CUDA_TRY(cuUserObjectCreate, &object, destroy, pl_cuda_hostfn_last, args->count,
				     args->flags);
	if (status)
		pl_cuda_hostfn_free(destroy);
	if ((!status || !serve->asked) && !pl_cuda_put(serve, args->object, PL_CUDA_KIND_user_object, object, status) &&
	    !status)
		status = CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_result(serve, status, 0);
}
