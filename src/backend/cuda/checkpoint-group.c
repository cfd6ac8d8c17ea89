/*
 * Groups: a capture, from where the first stream begins to be captured to where none is any more; and a graph with all
 * that is done to it.  What was made ready to run of a graph lives on without it, so that changes of nodes have to be
 * said again with the graph even where that has ended.
 */
#include "backend/cuda/checkpoint.h"
#include "base/err.h"

#define GROUPS_MAX PL_HANDLES_MAX

static _Thread_local uint64_t group_now; /* of the call at hand */

static uint64_t group_new(struct pl_cuda_session *session)
{
	return atomic_fetch_add(&session->kept.groups_made, 1) + 1;
}

void pl_cuda_group_captures(struct pl_cuda_session *session)
{
	session->kept.capture = group_new(session);
}

uint64_t pl_cuda_checkpoint_group(struct pl_session_worker *worker)
{
	const struct pl_cuda_session *session = worker->api;

	return session->captured ? session->kept.capture : 0;
}

void pl_cuda_grouped(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind)
{
	if (group_now && (kind == PL_CUDA_KIND_graph || kind == PL_CUDA_KIND_node) &&
	    pl_handles_put(&session->kept.groups, id, kind, (void *)(uintptr_t)group_now, 0, NULL))
		pl_checkpoint_missed(); /* what is done to it would be lost with it */
}

void pl_cuda_ungrouped(struct pl_cuda_session *session, uint64_t id, enum pl_cuda_object_kind kind)
{
	struct pl_handle handle;

	if (kind == PL_CUDA_KIND_graph || kind == PL_CUDA_KIND_node)
		(void)pl_handles_take(&session->kept.groups, id, kind, &handle);
}

/* Return: the graph's, or the node's; 0: it is not known. */
static uint64_t group_of(struct pl_cuda_session *session, uint64_t id)
{
	struct pl_handle handle;

	if (pl_handles_get(&session->kept.groups, id, PL_CUDA_KIND_graph, &handle) ||
	    pl_handles_get(&session->kept.groups, id, PL_CUDA_KIND_node, &handle))
		return (uintptr_t)handle.object;
	return 0;
}

/* Which field names the graph, or a node of it: 1 is the first; 0: the call does nothing to one. */
static uint32_t graph_field(const struct pl_wire_head *head, const uint64_t *fields)
{
	switch (head->op) {
	case PL_CUDA_OP_cuGraphDestroy:
	case PL_CUDA_OP_cuGraphNodeGetType:
	case PL_CUDA_OP_cuGraphGetNodes:
	case PL_CUDA_OP_cuGraphGetRootNodes:
	case PL_CUDA_OP_cuGraphGetEdges:
	case PL_CUDA_OP_cuGraphGetEdges_v2:
	case PL_CUDA_OP_cuGraphNodeGetDependencies:
	case PL_CUDA_OP_cuGraphNodeGetDependencies_v2:
	case PL_CUDA_OP_cuGraphNodeGetDependentNodes:
	case PL_CUDA_OP_cuGraphNodeGetDependentNodes_v2:
	case PL_CUDA_OP_cuGraphAddDependencies:
	case PL_CUDA_OP_cuGraphAddDependencies_v2:
	case PL_CUDA_OP_cuGraphRemoveDependencies:
	case PL_CUDA_OP_cuGraphRemoveDependencies_v2:
	case PL_CUDA_OP_cuGraphDestroyNode:
	case PL_CUDA_OP_cuGraphConditionalHandleCreate:
	case PL_CUDA_OP_cuGraphChildGraphNodeGetGraph:
	case PL_CUDA_OP_cuGraphKernelNodeCopyAttributes:
	case PL_CUDA_OP_cuGraphKernelNodeSetAttribute:
	case PL_CUDA_OP_cuGraphRetainUserObject:
	case PL_CUDA_OP_cuGraphReleaseUserObject:
	case PL_CUDA_OP_plNodeParams:
		return 1;
	case PL_CUDA_OP_cuGraphNodeFindInClone:
		return 3;
	default:
		if (head->op >= PL_CUDA_OP_cuGraphAddNode && head->op <= PL_CUDA_OP_cuGraphAddMemFreeNode)
			return 1;
		if (head->op >= PL_CUDA_OP_cuGraphNodeSetParams &&
		    head->op < PL_CUDA_OP_cuGraphExecNodeSetParams) /* behind it: of what is ready to run */
			return fields[0] ? 0 : 2;
		return 0;
	}
}

static uint64_t group_find(struct pl_serve *serve)
{
	const uint64_t *fields = (const uint64_t *)(serve->head + 1);
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint32_t n;

	if (serve->kept.group)
		return serve->kept.group;
	if (serve->head->op == PL_CUDA_OP_cuGraphCreate || serve->head->op == PL_CUDA_OP_cuGraphClone)
		return group_new(session);
	if (serve->head->len_bytes < sizeof(*serve->head) + sizeof(*fields))
		return 0;
	n = graph_field(serve->head, fields);
	if (!n || serve->head->len_bytes < sizeof(*serve->head) + n * sizeof(*fields))
		return 0;
	return group_of(session, fields[n - 1]);
}

void pl_cuda_group_begin(struct pl_serve *serve)
{
	group_now = group_find(serve);
}

void pl_cuda_group_end(struct pl_serve *serve)
{
	serve->kept.part_of = group_now;
	group_now = 0;
}

/* ---- the file ---- */

struct save {
	struct pl_checkpoint_file *file;
	int result;
};

static void group_save(struct pl_handle *handle, void *arg)
{
	const uint64_t words[] = { handle->id, handle->kind, (uintptr_t)handle->object };
	struct save *save = arg;

	if (!save->result)
		save->result = pl_checkpoint_put(save->file, words, sizeof(words));
}

int pl_cuda_groups_save(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	const uint64_t head[] = { atomic_load(&session->kept.groups_made), session->kept.groups.count };
	struct save save = { file, pl_checkpoint_put(file, head, sizeof(head)) };

	pl_handles_each(&session->kept.groups, group_save, &save);
	return pl_trace(save.result);
}

int pl_cuda_groups_load(struct pl_cuda_session *session, struct pl_checkpoint_file *file)
{
	uint64_t made, count, words[3];
	int r = pl_checkpoint_get_u64(file, UINT64_MAX, &made);

	if (!r)
		r = pl_checkpoint_get_u64(file, GROUPS_MAX, &count);
	if (r)
		return pl_trace(r);
	atomic_store(&session->kept.groups_made, made);
	for (uint64_t i = 0; i < count && !r; i++) {
		r = pl_checkpoint_get(file, words, sizeof(words));
		if (!r && pl_handles_put(&session->kept.groups, words[0], (uint32_t)words[1],
					 (void *)(uintptr_t)words[2], 0, NULL))
			r = pl_err(-EPROTO);
	}
	return pl_trace(r);
}
