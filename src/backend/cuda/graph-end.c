/*
 * Graphs and nodes that end, and the ids of all that goes with them.  A driver gives the address of what has gone to
 * the next one that is made: an id that stayed would be taken for it.
 */
#include <stdlib.h>

#include "backend/cuda/graph-memory.h"
#include "backend/cuda/hostfn.h"
#include "base/cleanup.h"

struct list {
	void **at;
	size_t count, room;
};

struct members {
	struct pl_cuda_session *session;
	struct list objects; /* nodes, and graphs inside */
	struct list memory;  /* addresses of what nodes allocate */
	struct list frees;   /* and free */
};

static void members_free(struct members *members)
{
	free(members->objects.at);
	free(members->memory.at);
	free(members->frees.at);
}

static void add(struct list *list, void *object)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		void **larger = realloc(list->at, room * sizeof(*larger));

		if (!larger)
			return; /* its id stays: a server that has no memory has other cares */
		list->at = larger;
		list->room = room;
	}
	list->at[list->count++] = object;
}

static void graph_add(struct members *members, CUgraph graph);

static void inside_add(struct members *members, CUgraph inside)
{
	add(&members->objects, inside);
	graph_add(members, inside);
}

static void node_add(struct members *members, CUgraphNode node)
{
	CUDA_MEM_ALLOC_NODE_PARAMS memory = { 0 };
	struct pl_handle condition;
	CUgraphNodeType type;
	CUgraph inside;

	if (pl_handles_get(&members->session->conditions, (uintptr_t)node, PL_CUDA_KIND_node, &condition))
		for (size_t i = 0; i < (uintptr_t)condition.extra; i++)
			inside_add(members, ((CUgraph *)condition.object)[i]);
	add(&members->objects, node);
	if (!pl_cuda.cuGraphNodeGetType || pl_cuda.cuGraphNodeGetType(node, &type))
		return;
	if (type == CU_GRAPH_NODE_TYPE_MEM_ALLOC && pl_cuda.cuGraphMemAllocNodeGetParams &&
	    !pl_cuda.cuGraphMemAllocNodeGetParams(node, &memory))
		add(&members->memory, (void *)(uintptr_t)memory.dptr);
	if (type == CU_GRAPH_NODE_TYPE_MEM_FREE && pl_cuda.cuGraphMemFreeNodeGetParams &&
	    !pl_cuda.cuGraphMemFreeNodeGetParams(node, &memory.dptr))
		add(&members->frees, (void *)(uintptr_t)memory.dptr);
	if (type != CU_GRAPH_NODE_TYPE_GRAPH || !pl_cuda.cuGraphChildGraphNodeGetGraph ||
	    pl_cuda.cuGraphChildGraphNodeGetGraph(node, &inside))
		return;
	inside_add(members, inside);
}

static void graph_add(struct members *members, CUgraph graph)
{
	size_t count;
	pl_cleanup(pl_freep) CUgraphNode *nodes = pl_cuda_nodes_of(graph, &count);

	for (size_t i = 0; i < count; i++)
		node_add(members, nodes[i]);
}

void pl_cuda_graph_uses_find(struct pl_cuda_session *session, CUgraph graph, struct pl_cuda_graph_uses *uses)
{
	struct members members = { .session = session };

	graph_add(&members, graph);
	*uses = (struct pl_cuda_graph_uses){ .allocates = members.memory.at,
					     .frees = members.frees.at,
					     .allocates_count = members.memory.count,
					     .frees_count = members.frees.count };
	free(members.objects.at);
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;

	return x < y ? -1 : x > y;
}

struct search {
	const struct list *objects;
	uint64_t *ids, *kinds;
	size_t count, room;
};

static void look(struct pl_handle *handle, void *arg)
{
	struct search *search = arg;
	const struct list *objects = search->objects;

	if ((handle->kind == PL_CUDA_KIND_node || handle->kind == PL_CUDA_KIND_graph) && !handle->failed &&
	    search->count < search->room &&
	    bsearch(&handle->object, objects->at, objects->count, sizeof(objects->at[0]), compare)) {
		search->ids[search->count] = handle->id;
		search->kinds[search->count++] = handle->kind;
	}
}

/* Return: the ids that are gone, in *room_out, which is the caller's to free. */
static struct pl_u64s members_drop(struct pl_serve *serve, struct members *members, uint64_t **room_out)
{
	const struct list *objects = &members->objects;
	size_t most = objects->count ? serve->session->handles.count : 0; /* one object may have several ids */
	uint64_t *room = calloc(2 * most + 1, sizeof(*room));
	struct search search = { .objects = objects, .ids = room, .kinds = room + most, .room = most };
	struct pl_handle condition;

	for (size_t i = 0; i < members->memory.count; i++)
		pl_cuda_graph_memory_node_gone(members->session, (uintptr_t)members->memory.at[i]);
	for (size_t i = 0; i < objects->count; i++)
		(void)pl_handles_take(&members->session->conditions, (uintptr_t)objects->at[i], PL_CUDA_KIND_node,
				      &condition);
	for (size_t i = 0; i < objects->count; i++)
		pl_cuda_shadow_forget(members->session, objects->at[i]);
	*room_out = room;
	if (!room || !objects->count)
		return (struct pl_u64s){ 0 };
	qsort(objects->at, objects->count, sizeof(objects->at[0]), compare);
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
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	pl_cleanup(members_free) struct members members = { .session = session };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *graph = NULL;

	if (pl_cuda.cuGraphDestroy && pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status)) {
		if (atomic_load(&session->knows_nodes) || atomic_load(&session->graphs_allocate))
			graph_add(&members, graph);
		status = (int32_t)pl_cuda.cuGraphDestroy(graph);
	}
	if (!status)
		pl_cuda_drop(serve, args->graph, PL_CUDA_KIND_graph);
	ended(serve, status, &members);
}

void pl_cuda_serve_cuGraphDestroyNode(struct pl_serve *serve, const struct pl_cuda_cuGraphDestroyNode_args *args)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	pl_cleanup(members_free) struct members members = { .session = session };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUgraphNode hidden = NULL;
	void *node = NULL;

	if (pl_cuda.cuGraphDestroyNode && pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status)) {
		if (node)
			node_add(&members, node);
		hidden = pl_cuda_node_beside(session, node);
		status = (int32_t)pl_cuda.cuGraphDestroyNode(node);
	}
	if (!status && hidden) /* alone it would go on to carry bytes that are none */
		(void)pl_cuda.cuGraphDestroyNode(hidden);
	ended(serve, status, &members);
}

/* ---- captures ---- */

/* A capture that comes to nothing takes its graph along, and a driver does not let one look at it any more by then:
 * what became known of it is noted as it does. */
struct pl_cuda_captured {
	CUgraph graph; /* NULL: one that stays */
	CUstream stream;
	uint64_t thread; /* whose stream that is, where it is a thread's own */
	struct members members;
	struct pl_cuda_captured *next;
};

/* Under the turn, here and below. */
static struct pl_cuda_captured **captured_in(struct pl_cuda_session *session, CUstream stream)
{
	struct pl_cuda_captured **at = &session->captured;
	bool own = (uintptr_t)stream <= (uintptr_t)CU_STREAM_PER_THREAD;

	while (*at && ((*at)->stream != stream || (own && (*at)->thread != pl_cuda_thread_number())))
		at = &(*at)->next;
	return at;
}

void pl_cuda_captured_end(struct pl_serve *serve, CUstream stream, bool fails)
{
	struct pl_cuda_captured **at = captured_in(pl_cuda_session_of(serve), stream), *captured = *at;
	uint64_t *room = NULL;

	if (!captured)
		return;
	*at = captured->next;
	if (fails && captured->graph) {
		add(&captured->members.objects, captured->graph);
		(void)members_drop(serve, &captured->members, &room);
	}
	free(room);
	members_free(&captured->members);
	free(captured);
}

void pl_cuda_captured_begin(struct pl_serve *serve, CUstream stream, bool per_thread, bool stays)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	CUgraph graph = pl_cuda_capture_graph(stream, per_thread);
	struct pl_cuda_captured *captured = graph ? calloc(1, sizeof(*captured)) : NULL;

	pl_cuda_captured_end(serve, stream, false); /* it has ended in some other way */
	if (!captured)
		return;
	if (!session->captured)
		pl_cuda_group_captures(session);
	*captured = (struct pl_cuda_captured){ .graph = stays ? NULL : graph,
					       .stream = stream,
					       .thread = pl_cuda_thread_number(),
					       .members = { .session = session },
					       .next = session->captured };
	session->captured = captured;
}

/* Each once, where more would not fit: who asks again and again is told of the same. */
static void add_once(struct list *list, void *object)
{
	size_t count = 0;

	if (list->count && list->count == list->room) {
		qsort(list->at, list->count, sizeof(list->at[0]), compare);
		for (size_t i = 0; i < list->count; i++)
			if (!count || list->at[count - 1] != list->at[i])
				list->at[count++] = list->at[i];
		list->count = count;
	}
	add(list, object);
}

static bool is_member(const struct list *list, const void *object)
{
	size_t i = 0;

	while (i < list->count && list->at[i] != object)
		i++;
	return i < list->count;
}

static void nodes_note(struct pl_cuda_captured *captured, const CUgraphNode *nodes, size_t count)
{
	for (size_t i = 0; captured && i < count; i++)
		if (nodes[i])
			add_once(&captured->members.objects, nodes[i]);
}

static struct pl_cuda_captured *captured_of(struct pl_cuda_session *session, CUgraph graph)
{
	struct pl_cuda_captured *captured = graph ? session->captured : NULL;

	while (captured && captured->graph != graph)
		captured = captured->next;
	return captured;
}

void pl_cuda_captured_nodes(struct pl_cuda_session *session, CUgraph graph, const CUgraphNode *nodes, size_t count)
{
	nodes_note(captured_of(session, graph), nodes, count);
}

void pl_cuda_captured_neighbours(struct pl_cuda_session *session, CUgraphNode node, const CUgraphNode *nodes,
				 size_t count)
{
	struct pl_cuda_captured *captured = session->captured;

	while (captured && !is_member(&captured->members.objects, node))
		captured = captured->next;
	nodes_note(captured, nodes, count);
}

void pl_cuda_captured_memory(struct pl_cuda_session *session, CUgraph graph, CUdeviceptr address)
{
	struct pl_cuda_captured *captured = captured_of(session, graph);

	if (captured)
		add_once(&captured->members.memory, (void *)(uintptr_t)address);
}
