/*
 * The client's memory in graphs.  A graph's node works on a shadow in this process.  Beside it stands a host node that
 * the client does not see: ahead of a node that reads it fetches the bytes from the client, behind one that writes it
 * sends them.  So the client's memory is read and written when the graph comes to it, in each launch.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/copy.h"
#include "backend/cuda/hostfn.h"
#include "base/cleanup.h"

/* Kinds of session->shadows, by the address of a node: object is the node beside it, extra the shadow that has made the
 * entry.  Where that is NULL it is a copied graph's, which only ends with its nodes: extra of the hidden node is the
 * graph. */
enum {
	SHADOW_HIDDEN = 1, /* the client's node */
	SHADOW_BEFORE,     /* the hidden node, which comes ahead */
	SHADOW_BEHIND,     /* the hidden node, which comes after */
};

struct pl_cuda_hostfn *pl_cuda_shadow_new(struct pl_cuda_session *session, uint64_t token, uint64_t bytes)
{
	struct pl_cuda_hostfn *shadow;

	if (!pl_quota_charge(&session->worker->quota, PL_QUOTA_HOST, bytes))
		return NULL;
	shadow = pl_cuda_hostfn_new(session, token);
	if (shadow)
		shadow->data = calloc(1, bytes ? bytes : 1);
	if (!shadow || !shadow->data) {
		free(shadow);
		pl_quota_return(&session->worker->quota, PL_QUOTA_HOST, bytes);
		return NULL;
	}
	shadow->bytes = bytes;
	return shadow;
}

void CUDA_CB pl_cuda_shadow_push(void *user)
{
	const struct pl_cuda_hostfn *shadow = user;
	struct pl_session_worker *worker = shadow->session->worker;

	for (uint64_t at = 0; at < shadow->bytes;) {
		uint64_t left = shadow->bytes - at;
		struct pl_cuda_plHostData_args args = { shadow->token, at, { shadow->data + at, left } };
		struct pl_enc enc;

		if (left > PL_CUDA_LIMIT_HOST_PART_MAX)
			args.data.bytes = PL_CUDA_LIMIT_HOST_PART_MAX;
		pl_cuda_later_tell(shadow->session);
		if (pl_reverse_begin(worker, PL_CUDA_OP_plHostData, pl_cuda_plHostData_bytes(&args), 0, &enc))
			return; /* the client is gone */
		pl_cuda_plHostData_put(&enc, &args);
		if (pl_reverse_end(worker, NULL, 0))
			return;
		at += args.data.bytes;
	}
}

/* Only while a run of the node's function waits for the client is its memory written. */
void pl_cuda_serve_plHostBytes(struct pl_serve *serve, const struct pl_cuda_plHostBytes_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);

	pthread_mutex_lock(&session->hosts_lock);
	for (struct pl_cuda_waiter *waiter = session->hosts; waiter; waiter = waiter->next) {
		const struct pl_cuda_hostfn *one = waiter->hostfn;

		if (one->token == args->token && one->data && args->offset <= one->bytes &&
		    args->data.bytes <= one->bytes - args->offset)
			memcpy(one->data + args->offset, args->data.at, args->data.bytes);
	}
	pthread_mutex_unlock(&session->hosts_lock);
}

/* ---- what the client does not see ---- */

static uint64_t key(CUgraphNode node)
{
	return (uint64_t)(uintptr_t)node;
}

/* Return: both are known for what they are. */
static bool pair_enter(struct pl_cuda_session *session, CUgraphNode node, CUgraphNode hidden, bool behind,
		       struct pl_cuda_hostfn *shadow, CUgraph copy)
{
	struct pl_handles *shadows = &session->shadows;

	atomic_store(&session->knows_nodes, true);
	atomic_store(&session->hides_nodes, true);
	return !pl_handles_put(shadows, key(hidden), SHADOW_HIDDEN, node, 0, shadow ? (void *)shadow : copy) &&
	       !pl_handles_put(shadows, key(node), behind ? SHADOW_BEHIND : SHADOW_BEFORE, hidden, 0, shadow);
}

void pl_cuda_shadow_hide(struct pl_cuda_hostfn *shadow, CUgraphNode node, CUgraphNode hidden, bool behind)
{
	shadow->node = node;
	shadow->hidden = hidden;
	if (!pair_enter(shadow->session, node, hidden, behind, shadow, NULL))
		pl_cuda_shadow_show(shadow);
}

/* A node may have gone before, and its address may be another one's by now. */
static void entry_drop(struct pl_cuda_hostfn *shadow, CUgraphNode node, uint32_t kind)
{
	struct pl_handles *shadows = &shadow->session->shadows;
	struct pl_handle handle;

	if (pl_handles_get(shadows, key(node), kind, &handle) && handle.extra == shadow)
		(void)pl_handles_take(shadows, key(node), kind, &handle);
}

void pl_cuda_shadow_show(struct pl_cuda_hostfn *shadow)
{
	if (!shadow->hidden)
		return;
	entry_drop(shadow, shadow->hidden, SHADOW_HIDDEN);
	entry_drop(shadow, shadow->node, SHADOW_BEHIND);
	entry_drop(shadow, shadow->node, SHADOW_BEFORE);
	shadow->hidden = NULL;
}

void pl_cuda_shadow_replace(struct pl_cuda_hostfn *shadow, CUgraphNode node)
{
	struct pl_handles *shadows = &shadow->session->shadows;
	bool behind = pl_cuda_node_exit(shadow->session, node) != node;
	struct pl_cuda_hostfn *before;
	struct pl_handle has, hidden;

	if (!pl_handles_get(shadows, key(node), behind ? SHADOW_BEHIND : SHADOW_BEFORE, &has) ||
	    !pl_handles_get(shadows, key(has.object), SHADOW_HIDDEN, &hidden))
		return;
	before = has.extra;
	pl_cuda_hostfn_owned(shadow, before ? before->graph : hidden.extra);
	if (before)
		before->hidden = NULL; /* the entries are another's */
	pl_cuda_shadow_forget(shadow->session, node);
	pl_cuda_shadow_hide(shadow, node, has.object, behind);
	if (before)
		pl_cuda_hostfn_disowned(before, before->graph);
}

void pl_cuda_shadow_forget(struct pl_cuda_session *session, CUgraphNode node)
{
	struct pl_handles *shadows = &session->shadows;
	struct pl_handle handle;

	if (!atomic_load(&session->hides_nodes))
		return;
	if (pl_handles_take(shadows, key(node), SHADOW_BEHIND, &handle) ||
	    pl_handles_take(shadows, key(node), SHADOW_BEFORE, &handle))
		(void)pl_handles_take(shadows, key(handle.object), SHADOW_HIDDEN, &handle);
	else
		(void)pl_handles_take(shadows, key(node), SHADOW_HIDDEN, &handle);
}

CUgraphNode pl_cuda_node_exit(struct pl_cuda_session *session, CUgraphNode node)
{
	struct pl_handle handle;

	return pl_handles_get(&session->shadows, key(node), SHADOW_BEHIND, &handle) ? handle.object : node;
}

CUgraphNode pl_cuda_node_entry(struct pl_cuda_session *session, CUgraphNode node)
{
	struct pl_handle handle;

	return pl_handles_get(&session->shadows, key(node), SHADOW_BEFORE, &handle) ? handle.object : node;
}

bool pl_cuda_node_is_hidden(struct pl_cuda_session *session, CUgraphNode node)
{
	struct pl_handle handle;

	return pl_handles_get(&session->shadows, key(node), SHADOW_HIDDEN, &handle);
}

CUgraphNode pl_cuda_node_beside(struct pl_cuda_session *session, CUgraphNode node)
{
	struct pl_handle handle;

	if (!pl_handles_get(&session->shadows, key(node), SHADOW_BEHIND, &handle) &&
	    !pl_handles_get(&session->shadows, key(node), SHADOW_BEFORE, &handle))
		return NULL;
	return handle.object;
}

CUgraphNode pl_cuda_node_beside_hidden(struct pl_cuda_session *session, CUgraphNode hidden)
{
	struct pl_handle handle;

	return pl_handles_get(&session->shadows, key(hidden), SHADOW_HIDDEN, &handle) ? handle.object : hidden;
}

uint64_t pl_cuda_node_id_seen(struct pl_serve *serve, CUgraphNode node)
{
	return pl_cuda_id_of(serve, PL_CUDA_KIND_node, pl_cuda_node_beside_hidden(pl_cuda_session_of(serve), node));
}

/* ---- copies of graphs ---- */

CUgraph pl_cuda_node_inside(CUgraphNode node)
{
	CUgraphNodeType type;
	CUgraph graph;

	if (!pl_cuda.cuGraphNodeGetType || !pl_cuda.cuGraphChildGraphNodeGetGraph ||
	    pl_cuda.cuGraphNodeGetType(node, &type) || type != CU_GRAPH_NODE_TYPE_GRAPH ||
	    pl_cuda.cuGraphChildGraphNodeGetGraph(node, &graph))
		return NULL;
	return graph;
}

CUgraphNode *pl_cuda_nodes_of(CUgraph graph, size_t *count_out)
{
	CUgraphNode *nodes;

	*count_out = 0;
	if (PL_CUDA_TRY(cuGraphGetNodes, graph, NULL, count_out) || !*count_out)
		return NULL;
	nodes = calloc(*count_out, sizeof(*nodes));
	if (nodes && !pl_cuda.cuGraphGetNodes(graph, nodes, count_out))
		return nodes;
	free(nodes);
	*count_out = 0;
	return NULL;
}

static void node_copied(struct pl_cuda_session *session, CUgraphNode node, CUgraph copy)
{
	CUgraphNode hidden = pl_cuda_node_beside(session, node), copied, copied_hidden;
	CUgraph inside = hidden ? NULL : pl_cuda_node_inside(node), copied_inside;

	if ((!hidden && !inside) || pl_cuda.cuGraphNodeFindInClone(&copied, node, copy))
		return;
	copied_inside = inside ? pl_cuda_node_inside(copied) : NULL;
	if (copied_inside)
		pl_cuda_shadows_copy(session, inside, copied_inside);
	if (hidden && !pl_cuda.cuGraphNodeFindInClone(&copied_hidden, hidden, copy) &&
	    !pair_enter(session, copied, copied_hidden, pl_cuda_node_exit(session, node) != node, NULL, copy))
		pl_cuda_shadow_forget(session, copied_hidden);
}

void pl_cuda_shadows_copy(struct pl_cuda_session *session, CUgraph original, CUgraph copy)
{
	pl_cleanup(pl_freep) CUgraphNode *nodes = NULL;
	size_t count = 0;

	if (!atomic_load(&session->hides_nodes) || !pl_cuda.cuGraphNodeFindInClone)
		return;
	nodes = pl_cuda_nodes_of(original, &count);
	for (size_t i = 0; i < count; i++)
		node_copied(session, nodes[i], copy);
}

void pl_cuda_serve_cuGraphClone(struct pl_serve *serve, const struct pl_cuda_cuGraphClone_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *original = NULL;
	CUgraph clone = NULL;

	if (pl_cuda.cuGraphClone && pl_cuda_take(serve, args->original, PL_CUDA_KIND_graph, &original, &status))
		status = (int32_t)pl_cuda.cuGraphClone(&clone, original);
	if (!status && !pl_cuda_put(serve, args->clone, PL_CUDA_KIND_graph, clone, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (!status)
		pl_cuda_shadows_copy(pl_cuda_session_of(serve), original, clone);
	pl_cuda_result(serve, status, 0);
}

/* ---- copies of streams that are captured ---- */

CUgraph pl_cuda_capture_graph(CUstream stream, bool per_thread)
{
	__typeof__(&cuStreamGetCaptureInfo_v2) info =
		per_thread ? pl_cuda.cuStreamGetCaptureInfo_v2_ptsz : pl_cuda.cuStreamGetCaptureInfo_v2;
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	CUgraph graph = NULL;

	if (!info || info(stream, &status, NULL, &graph, NULL, NULL))
		return NULL;
	return graph;
}

/* The node that a capture has just made. */
static CUgraphNode last_of(CUstream stream, bool per_thread)
{
	__typeof__(&cuStreamGetCaptureInfo_v2) info =
		per_thread ? pl_cuda.cuStreamGetCaptureInfo_v2_ptsz : pl_cuda.cuStreamGetCaptureInfo_v2;
	CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
	const CUgraphNode *nodes = NULL;
	size_t count = 0;

	if (!info || info(stream, &status, NULL, NULL, &nodes, &count) || count != 1)
		return NULL;
	return nodes[0];
}

/* A copy from or to the client's memory, which the shadow stands for. */
struct captured {
	CUstream stream;
	bool per_thread, to_host;
	uint64_t address, bytes;
	CUDA_MEMCPY3D_PEER shape; /* where there is a width */
};

static CUresult line_make(const struct captured *captured, struct pl_cuda_hostfn *shadow)
{
	__typeof__(&cuMemcpyHtoDAsync_v2) to =
		captured->per_thread ? pl_cuda.cuMemcpyHtoDAsync_v2_ptsz : pl_cuda.cuMemcpyHtoDAsync_v2;
	__typeof__(&cuMemcpyDtoHAsync_v2) from =
		captured->per_thread ? pl_cuda.cuMemcpyDtoHAsync_v2_ptsz : pl_cuda.cuMemcpyDtoHAsync_v2;

	if (captured->to_host)
		return from ? from(shadow->data, captured->address, captured->bytes, captured->stream)
			    : CUDA_ERROR_NOT_SUPPORTED;
	return to ? to(captured->address, shadow->data, captured->bytes, captured->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

static CUDA_MEMCPY3D_PEER shape_of(const struct captured *captured, struct pl_cuda_hostfn *shadow)
{
	CUDA_MEMCPY3D_PEER shape = captured->shape;

	if (captured->to_host)
		shape.dstHost = shadow->data;
	else
		shape.srcHost = shadow->data;
	return shape;
}

static CUresult shape_make(const struct captured *captured, struct pl_cuda_hostfn *shadow)
{
	__typeof__(&cuMemcpy3DAsync_v2) local =
		captured->per_thread ? pl_cuda.cuMemcpy3DAsync_v2_ptsz : pl_cuda.cuMemcpy3DAsync_v2;
	__typeof__(&cuMemcpy3DPeerAsync) peer =
		captured->per_thread ? pl_cuda.cuMemcpy3DPeerAsync_ptsz : pl_cuda.cuMemcpy3DPeerAsync;
	CUDA_MEMCPY3D_PEER shape = shape_of(captured, shadow);
	CUDA_MEMCPY3D copy = pl_cuda_copy_local(&shape);

	if (shape.srcContext || shape.dstContext)
		return peer ? peer(&shape, captured->stream) : CUDA_ERROR_NOT_SUPPORTED;
	return local ? local(&copy, captured->stream) : CUDA_ERROR_NOT_SUPPORTED;
}

/* Does the driver take it?  From a graph that is being made no node can be removed, so it is tried in another; and what
 * is wrong with a copy it says ahead of what is with the capture. */
static CUresult shape_try(const struct captured *captured, struct pl_cuda_hostfn *shadow)
{
	CUDA_MEMCPY3D_PEER shape = shape_of(captured, shadow);
	CUDA_MEMCPY3D copy = pl_cuda_copy_local(&shape);
	CUcontext context = shape.dstContext;
	CUgraphNode node;
	CUgraph graph;
	CUresult r;

	if (!pl_cuda.cuCtxGetCurrent || !pl_cuda.cuGraphCreate || !pl_cuda.cuGraphAddMemcpyNode ||
	    !pl_cuda.cuGraphDestroy)
		return CUDA_ERROR_NOT_SUPPORTED;
	r = context ? CUDA_SUCCESS : pl_cuda.cuCtxGetCurrent(&context);
	if (!r)
		r = pl_cuda.cuGraphCreate(&graph, 0);
	if (r)
		return r;
	r = pl_cuda.cuGraphAddMemcpyNode(&node, graph, NULL, 0, &copy, context);
	(void)pl_cuda.cuGraphDestroy(graph);
	return r;
}

/* The copy, and the host node beside it.  *made_out: of both, or of one alone, the graph has the shadow. */
static CUresult captured_make(const struct captured *captured, struct pl_cuda_hostfn *shadow, bool *made_out)
{
	__typeof__(&cuLaunchHostFunc) run =
		captured->per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;
	CUresult (*make)(const struct captured *, struct pl_cuda_hostfn *) =
		captured->shape.WidthInBytes ? shape_make : line_make;
	CUgraphNode first, second;
	CUresult r = run ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;

	*made_out = false;
	if (!r)
		r = captured->to_host ? make(captured, shadow) : run(captured->stream, pl_cuda_hostfn_call, shadow);
	if (r)
		return r;
	*made_out = true;
	first = last_of(captured->stream, captured->per_thread);
	r = captured->to_host ? run(captured->stream, pl_cuda_shadow_push, shadow) : make(captured, shadow);
	if (r)
		return r;
	second = last_of(captured->stream, captured->per_thread);
	if (first && second)
		pl_cuda_shadow_hide(shadow, captured->to_host ? first : second, captured->to_host ? second : first,
				    captured->to_host);
	return CUDA_SUCCESS;
}

static CUresult captured_serve(struct pl_serve *serve, const struct captured *captured, uint64_t token)
{
	CUgraph graph = pl_cuda_capture_graph(captured->stream, captured->per_thread);
	struct pl_cuda_hostfn *shadow = pl_cuda_shadow_new(pl_cuda_session_of(serve), token, captured->bytes);
	CUresult r = CUDA_SUCCESS;
	bool made = false;

	if (!shadow)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (captured->shape.WidthInBytes)
		r = shape_try(captured, shadow);
	if (!r && !graph)
		r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	if (!r)
		r = captured_make(captured, shadow, &made);
	if (!r)
		pl_cuda_captured_nodes(shadow->session, graph, (CUgraphNode[]){ shadow->node, shadow->hidden }, 2);
	shadow->idle = r != CUDA_SUCCESS; /* what the graph has of it waits for nobody */
	if (made)
		pl_cuda_hostfn_owned(shadow, graph);
	else
		pl_cuda_hostfn_free(shadow);
	return r;
}

void pl_cuda_serve_plCopyCaptured(struct pl_serve *serve, const struct pl_cuda_plCopyCaptured_args *args)
{
	struct captured captured = {
		.per_thread = args->per_thread, .to_host = args->to_host, .address = args->address, .bytes = args->size
	};
	int32_t status;
	void *stream;

	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		captured.stream = stream;
		/* Before a node of the two is made. */
		status = pl_cuda_address_known(args->address, args->size)
				 ? (int32_t)captured_serve(serve, &captured, args->token)
				 : CUDA_ERROR_INVALID_VALUE;
	}
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_plShapeCaptured(struct pl_serve *serve, const struct pl_cuda_plShapeCaptured_args *args)
{
	const struct pl_cuda_copy3d_record *record = &args->copy;
	bool from_host = record->from_type == CU_MEMORYTYPE_HOST, to_host = record->to_type == CU_MEMORYTYPE_HOST;
	struct captured captured = { .per_thread = args->per_thread, .to_host = to_host };
	int32_t status;
	void *stream;

	if (from_host == to_host || !pl_cuda_copy_bytes(record, &captured.bytes) || !captured.bytes ||
	    !pl_cuda_copy_packed(record)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	if (pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status)) {
		captured.stream = stream;
		if (pl_cuda_copy_open(serve, record, &captured.shape, &status))
			status = (int32_t)captured_serve(serve, &captured, args->token);
	}
	pl_cuda_result(serve, status, 0);
}
