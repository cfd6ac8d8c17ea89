/*
 * Graphs and nodes that end, and the ids of all that goes with them.  A driver gives the address of what has gone to
 * the next one that is made: an id that stayed would be taken for it.
 */
#include <stdlib.h>

#include "backend/cuda/session.h"
#include "base/cleanup.h"

struct members { /* nodes, and graphs inside */
	void **at;
	size_t count, room;
};

static void members_free(struct members *members)
{
	free(members->at);
}

static void member_add(struct members *members, void *object)
{
	if (members->count == members->room) {
		size_t room = members->room ? 2 * members->room : 64;
		void **larger = realloc(members->at, room * sizeof(*larger));

		if (!larger)
			return; /* its id stays: a server that has no memory has other cares */
		members->at = larger;
		members->room = room;
	}
	members->at[members->count++] = object;
}

static void graph_add(struct members *members, CUgraph graph);

static void node_add(struct members *members, CUgraphNode node)
{
	CUgraphNodeType type;
	CUgraph inside;

	member_add(members, node);
	if (!pl_cuda.cuGraphNodeGetType || pl_cuda.cuGraphNodeGetType(node, &type) ||
	    type != CU_GRAPH_NODE_TYPE_GRAPH || !pl_cuda.cuGraphChildGraphNodeGetGraph ||
	    pl_cuda.cuGraphChildGraphNodeGetGraph(node, &inside))
		return;
	member_add(members, inside);
	graph_add(members, inside);
}

static void graph_add(struct members *members, CUgraph graph)
{
	pl_cleanup(pl_freep) CUgraphNode *nodes = NULL;
	size_t count = 0;

	if (!pl_cuda.cuGraphGetNodes || pl_cuda.cuGraphGetNodes(graph, NULL, &count) || !count)
		return;
	nodes = calloc(count, sizeof(*nodes));
	if (!nodes || pl_cuda.cuGraphGetNodes(graph, nodes, &count))
		return;
	for (size_t i = 0; i < count; i++)
		node_add(members, nodes[i]);
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;

	return x < y ? -1 : x > y;
}

struct search {
	const struct members *members;
	uint64_t *ids, *kinds;
	size_t count;
};

static void look(struct pl_handle *handle, void *arg)
{
	struct search *search = arg;
	const struct members *members = search->members;

	if ((handle->kind == PL_CUDA_KIND_node || handle->kind == PL_CUDA_KIND_graph) && !handle->failed &&
	    search->count < members->count &&
	    bsearch(&handle->object, members->at, members->count, sizeof(members->at[0]), compare)) {
		search->ids[search->count] = handle->id;
		search->kinds[search->count++] = handle->kind;
	}
}

/* Return: the ids that are gone, in *room_out, which is the caller's to free. */
static struct pl_u64s members_drop(struct pl_serve *serve, struct members *members, uint64_t **room_out)
{
	uint64_t *room = calloc(2 * members->count + 1, sizeof(*room));
	struct search search = { members, room, room + members->count, 0 };

	*room_out = room;
	if (!room || !members->count)
		return (struct pl_u64s){ 0 };
	qsort(members->at, members->count, sizeof(members->at[0]), compare);
	pl_handles_each(&serve->session->handles, look, &search);
	for (size_t i = 0; i < search.count; i++)
		pl_cuda_drop(serve, search.ids[i], (enum pl_cuda_object_kind)search.kinds[i]);
	return (struct pl_u64s){ room, search.count };
}

/* The client forgets what is gone, too.  Of more than a message takes it keeps some: memory of its own, no more. */
static void ended(struct pl_serve *serve, int32_t status, struct members *members)
{
	pl_cleanup(pl_freep) uint64_t *room = NULL;
	struct pl_cuda_cuGraphDestroy_reply reply = { 0 };

	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.gone = members_drop(serve, members, &room);
	if (reply.gone.count > PL_CUDA_LIMIT_NODES_MAX)
		reply.gone.count = PL_CUDA_LIMIT_NODES_MAX;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuGraphDestroy_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuGraphDestroy_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuGraphDestroy(struct pl_serve *serve, const struct pl_cuda_cuGraphDestroy_args *args)
{
	pl_cleanup(members_free) struct members members = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *graph = NULL;

	if (pl_cuda.cuGraphDestroy && pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status)) {
		if (atomic_load(&pl_cuda_session_of(serve)->knows_nodes))
			graph_add(&members, graph);
		status = (int32_t)pl_cuda.cuGraphDestroy(graph);
	}
	if (!status)
		pl_cuda_drop(serve, args->graph, PL_CUDA_KIND_graph);
	ended(serve, status, &members);
}

void pl_cuda_serve_cuGraphDestroyNode(struct pl_serve *serve, const struct pl_cuda_cuGraphDestroyNode_args *args)
{
	pl_cleanup(members_free) struct members members = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *node = NULL;

	if (pl_cuda.cuGraphDestroyNode && pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status)) {
		if (node)
			node_add(&members, node);
		status = (int32_t)pl_cuda.cuGraphDestroyNode(node);
	}
	ended(serve, status, &members);
}
