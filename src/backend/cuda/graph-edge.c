/*
 * Edges of graphs, as the client sees them: a hidden node and the one that it stands beside (graph-copy.c) are one node
 * with the edges of both.
 */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/hostfn.h"
#include "base/cleanup.h"

struct edges {
	CUgraphNode *from, *to; /* one of them is NULL for the neighbours of a node */
	CUgraphEdgeData *data;
	size_t count;
};

static void edges_fini(struct edges *edges)
{
	free(edges->from);
	free(edges->to);
	free(edges->data);
}

static bool edges_make(struct edges *edges, size_t count)
{
	edges->from = calloc(count + 1, sizeof(*edges->from));
	edges->to = calloc(count + 1, sizeof(*edges->to));
	edges->data = calloc(count + 1, sizeof(*edges->data));
	edges->count = count;
	return count <= PL_CUDA_LIMIT_NODES_MAX && edges->from && edges->to && edges->data;
}

/* The client's node for one of the driver's. */
static CUgraphNode seen(struct pl_cuda_session *session, CUgraphNode node)
{
	return pl_cuda_node_beside_hidden(session, node);
}

/* ---- asked for ---- */

/* v2: the driver is asked as the client asked, since a function without edge data refuses a graph that has some. */
static int32_t edges_get(struct pl_cuda_session *session, CUgraph graph, bool v2, struct edges *edges)
{
	size_t count = 0, kept = 0;
	int32_t status = v2 ? PL_CUDA_TRY(cuGraphGetEdges_v2, graph, NULL, NULL, NULL, &count)
			    : PL_CUDA_TRY(cuGraphGetEdges, graph, NULL, NULL, &count);

	if (status)
		return status;
	if (!edges_make(edges, count))
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (count)
		status = v2 ? PL_CUDA_TRY(cuGraphGetEdges_v2, graph, edges->from, edges->to, edges->data, &count)
			    : PL_CUDA_TRY(cuGraphGetEdges, graph, edges->from, edges->to, &count);
	for (size_t i = 0; i < count && !status; i++) {
		CUgraphNode from = seen(session, edges->from[i]), to = seen(session, edges->to[i]);

		if (from == to)
			continue;
		edges->from[kept] = from;
		edges->to[kept] = to;
		edges->data[kept++] = edges->data[i];
	}
	edges->count = kept;
	return status;
}

static int32_t before_get(CUgraphNode node, bool v2, CUgraphNode *list, CUgraphEdgeData *data, size_t *count)
{
	return v2 ? PL_CUDA_TRY(cuGraphNodeGetDependencies_v2, node, list, data, count)
		  : PL_CUDA_TRY(cuGraphNodeGetDependencies, node, list, count);
}

static int32_t behind_get(CUgraphNode node, bool v2, CUgraphNode *list, CUgraphEdgeData *data, size_t *count)
{
	return v2 ? PL_CUDA_TRY(cuGraphNodeGetDependentNodes_v2, node, list, data, count)
		  : PL_CUDA_TRY(cuGraphNodeGetDependentNodes, node, list, count);
}

/* What is on one side of a node, into edges->from. */
static int32_t neighbours_get(struct pl_cuda_session *session, CUgraphNode node, bool behind, bool v2,
			      struct edges *edges)
{
	CUgraphNode at = behind ? pl_cuda_node_exit(session, node) : pl_cuda_node_entry(session, node);
	int32_t (*get)(CUgraphNode, bool, CUgraphNode *, CUgraphEdgeData *, size_t *) =
		behind ? behind_get : before_get;
	size_t count = 0;
	int32_t status = get(at, v2, NULL, NULL, &count);

	if (status)
		return status;
	if (!edges_make(edges, count))
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (count)
		status = get(at, v2, edges->from, edges->data, &count);
	for (size_t i = 0; i < count; i++)
		edges->from[i] = seen(session, edges->from[i]);
	return status;
}

/* As the API does it: as many as there is room for, the rest of the room NULL. */
static bool ids_of(struct pl_serve *serve, const CUgraphNode *nodes, size_t count, uint64_t room,
		   struct pl_u64s *list_out)
{
	uint64_t *ids = calloc(room + 1, sizeof(*ids));

	for (size_t i = 0; i < count && i < room && ids; i++)
		ids[i] = pl_cuda_id_of(serve, PL_CUDA_KIND_node, nodes[i]);
	*list_out = (struct pl_u64s){ ids, ids ? room : 0 };
	return ids;
}

static bool data_of(const struct edges *edges, uint64_t room, struct pl_u64s *list_out)
{
	uint64_t *words = calloc(room * PL_CUDA_WORDS_edge + 1, sizeof(*words));
	struct pl_enc enc = { .at = (uint8_t *)words };

	for (size_t i = 0; i < edges->count && i < room && words; i++) {
		const struct pl_cuda_edge_record record = { edges->data[i].from_port, edges->data[i].to_port,
							    edges->data[i].type };

		pl_cuda_edge_record_put(&enc, &record);
	}
	*list_out = (struct pl_u64s){ words, words ? room * PL_CUDA_WORDS_edge : 0 };
	return words;
}

static uint64_t told(uint32_t given, uint64_t room, size_t count)
{
	return given && room < count ? room : count;
}

#define REPLY(name, reply)                                                                                             \
	do {                                                                                                           \
		if (!pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_##name##_reply_bytes(reply), 0)) {              \
			pl_cuda_##name##_reply_put(&serve->reply_enc, (reply));                                        \
			(void)pl_serve_reply_end(serve);                                                               \
		}                                                                                                      \
	} while (0)

/* Of what a question may ask for: bits of `given`. */
enum {
	LIST = 1, /* of the neighbours of a node */
	LIST_EDGES = 2,
	FROM = 1, /* of the edges of a graph */
	TO = 2,
	EDGES = 4,
};

/* Both ends of the edges or none, and the edges' data with them alone. */
static bool asks_for_edges(uint32_t given)
{
	return !(given & FROM) == !(given & TO) && (!(given & EDGES) || given & FROM);
}

/* Room for a list that is not asked for may be any number: the program has not set it. */
static uint64_t room_of(uint32_t given, uint64_t room)
{
	return given ? room : 0;
}

static int32_t graph_edges(struct pl_serve *serve, uint64_t id, uint32_t given, uint64_t room, bool v2,
			   struct edges *edges)
{
	int32_t status = CUDA_SUCCESS;
	void *graph;

	if (room_of(given, room) > PL_CUDA_LIMIT_NODES_MAX || !asks_for_edges(given))
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_take(serve, id, PL_CUDA_KIND_graph, &graph, &status))
		return status;
	status = edges_get(pl_cuda_session_of(serve), graph, v2, edges);
	if (status)
		return status;
	pl_cuda_captured_nodes(pl_cuda_session_of(serve), graph, edges->from, edges->count);
	pl_cuda_captured_nodes(pl_cuda_session_of(serve), graph, edges->to, edges->count);
	return CUDA_SUCCESS;
}

void pl_cuda_serve_cuGraphGetEdges_v2(struct pl_serve *serve, const struct pl_cuda_cuGraphGetEdges_v2_args *args)
{
	pl_cleanup(edges_fini) struct edges edges = { 0 };
	struct pl_cuda_cuGraphGetEdges_v2_reply reply = { 0 };
	int32_t status = graph_edges(serve, args->graph, args->given, args->edges_count, true, &edges);

	if (!status &&
	    ((args->given & FROM && !ids_of(serve, edges.from, edges.count, args->edges_count, &reply.from)) ||
	     (args->given & TO && !ids_of(serve, edges.to, edges.count, args->edges_count, &reply.to)) ||
	     (args->given & EDGES && !data_of(&edges, args->edges_count, &reply.edges))))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	reply.edges_count = told(args->given, args->edges_count, edges.count);
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(cuGraphGetEdges_v2, &reply);
	free((void *)(uintptr_t)reply.from.at);
	free((void *)(uintptr_t)reply.to.at);
	free((void *)(uintptr_t)reply.edges.at);
}

void pl_cuda_serve_cuGraphGetEdges(struct pl_serve *serve, const struct pl_cuda_cuGraphGetEdges_args *args)
{
	pl_cleanup(edges_fini) struct edges edges = { 0 };
	struct pl_cuda_cuGraphGetEdges_reply reply = { 0 };
	int32_t status = graph_edges(serve, args->graph, args->given, args->edges_count, false, &edges);

	if (!status &&
	    ((args->given & FROM && !ids_of(serve, edges.from, edges.count, args->edges_count, &reply.from)) ||
	     (args->given & TO && !ids_of(serve, edges.to, edges.count, args->edges_count, &reply.to))))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	reply.edges_count = told(args->given, args->edges_count, edges.count);
	if (status)
		pl_cuda_result(serve, status, 0);
	else
		REPLY(cuGraphGetEdges, &reply);
	free((void *)(uintptr_t)reply.from.at);
	free((void *)(uintptr_t)reply.to.at);
}

static int32_t node_neighbours(struct pl_serve *serve, uint64_t id, uint32_t given, uint64_t room, bool behind, bool v2,
			       struct edges *edges)
{
	int32_t status = CUDA_SUCCESS;
	void *node;

	if (room_of(given, room) > PL_CUDA_LIMIT_NODES_MAX || given == LIST_EDGES)
		return CUDA_ERROR_INVALID_VALUE;
	if (!pl_cuda_take(serve, id, PL_CUDA_KIND_node, &node, &status))
		return status;
	status = neighbours_get(pl_cuda_session_of(serve), node, behind, v2, edges);
	if (!status)
		pl_cuda_captured_neighbours(pl_cuda_session_of(serve), node, edges->from, edges->count);
	return status;
}

/* The four questions differ in their structures' names alone. */
#define NEIGHBOURS(name, list, room, behind)                                                                           \
	void pl_cuda_serve_##name(struct pl_serve *serve, const struct pl_cuda_##name##_args *args)                    \
	{                                                                                                              \
		pl_cleanup(edges_fini) struct edges edges = { 0 };                                                     \
		struct pl_cuda_##name##_reply reply = { 0 };                                                           \
		int32_t status = node_neighbours(serve, args->node, args->given, args->room, behind, false, &edges);   \
		if (!status && args->given & LIST && !ids_of(serve, edges.from, edges.count, args->room, &reply.list)) \
			status = CUDA_ERROR_OUT_OF_MEMORY;                                                             \
		reply.room = told(args->given, args->room, edges.count);                                               \
		if (status)                                                                                            \
			pl_cuda_result(serve, status, 0);                                                              \
		else                                                                                                   \
			REPLY(name, &reply);                                                                           \
		free((void *)(uintptr_t)reply.list.at);                                                                \
	}                                                                                                              \
	void pl_cuda_serve_##name##_v2(struct pl_serve *serve, const struct pl_cuda_##name##_v2_args *args)            \
	{                                                                                                              \
		pl_cleanup(edges_fini) struct edges edges = { 0 };                                                     \
		struct pl_cuda_##name##_v2_reply reply = { 0 };                                                        \
		int32_t status = node_neighbours(serve, args->node, args->given, args->room, behind, true, &edges);    \
		if (!status &&                                                                                         \
		    ((args->given & LIST && !ids_of(serve, edges.from, edges.count, args->room, &reply.list)) ||       \
		     (args->given & LIST_EDGES && !data_of(&edges, args->room, &reply.edges))))                        \
			status = CUDA_ERROR_OUT_OF_MEMORY;                                                             \
		reply.room = told(args->given, args->room, edges.count);                                               \
		if (status)                                                                                            \
			pl_cuda_result(serve, status, 0);                                                              \
		else                                                                                                   \
			REPLY(name##_v2, &reply);                                                                      \
		free((void *)(uintptr_t)reply.list.at);                                                                \
		free((void *)(uintptr_t)reply.edges.at);                                                               \
	}

NEIGHBOURS(cuGraphNodeGetDependencies, dependencies, dependencies_count, false)
NEIGHBOURS(cuGraphNodeGetDependentNodes, dependent_nodes, dependent_nodes_count, true)

/* ---- made and unmade ---- */

/* Return: success with the ends, which are the driver's nodes where edges of the client's begin and end. */
static int32_t ends_open(struct pl_serve *serve, struct pl_u64s from, struct pl_u64s to, struct pl_u64s data,
			 struct edges *edges)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_SUCCESS;
	void *first, *second;

	if (from.count != to.count || (data.count && data.count != from.count * PL_CUDA_WORDS_edge))
		return CUDA_ERROR_INVALID_VALUE;
	if (!edges_make(edges, from.count))
		return CUDA_ERROR_OUT_OF_MEMORY;
	for (uint64_t i = 0; i < from.count; i++) {
		struct pl_cuda_edge_record record = { 0 };

		if (!pl_cuda_take(serve, from.at[i], PL_CUDA_KIND_node, &first, &status) ||
		    !pl_cuda_take(serve, to.at[i], PL_CUDA_KIND_node, &second, &status))
			return status;
		/* From a node to itself: also with a hidden one beside it, which the driver would take for another. */
		edges->from[i] = first == second ? first : pl_cuda_node_exit(session, first);
		edges->to[i] = first == second ? second : pl_cuda_node_entry(session, second);
		if (data.count && !pl_cuda_edge_record_at(data, i, &record))
			return CUDA_ERROR_INVALID_VALUE;
		edges->data[i] = (CUgraphEdgeData){
			(uint8_t)record.from_port, (uint8_t)record.to_port, (uint8_t)record.type, { 0 }
		};
	}
	return CUDA_SUCCESS;
}

#define CHANGE(name)                                                                                                   \
	void pl_cuda_serve_##name(struct pl_serve *serve, const struct pl_cuda_##name##_args *args)                    \
	{                                                                                                              \
		pl_cleanup(edges_fini) struct edges edges = { 0 };                                                     \
		const struct pl_u64s none = { 0 };                                                                     \
		int32_t status = ends_open(serve, args->from, args->to, none, &edges);                                 \
		void *graph;                                                                                           \
		if (!status && pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status))                  \
			status = PL_CUDA_TRY(name, graph, edges.from, edges.to, edges.count);                          \
		pl_cuda_result(serve, status, 0);                                                                      \
	}                                                                                                              \
	void pl_cuda_serve_##name##_v2(struct pl_serve *serve, const struct pl_cuda_##name##_v2_args *args)            \
	{                                                                                                              \
		pl_cleanup(edges_fini) struct edges edges = { 0 };                                                     \
		int32_t status = ends_open(serve, args->from, args->to, args->edges, &edges);                          \
		void *graph;                                                                                           \
		if (!status && pl_cuda_take(serve, args->graph, PL_CUDA_KIND_graph, &graph, &status))                  \
			status = PL_CUDA_TRY(name##_v2, graph, edges.from, edges.to,                                   \
					     args->edges.count ? edges.data : NULL, edges.count);                      \
		pl_cuda_result(serve, status, 0);                                                                      \
	}

CHANGE(cuGraphAddDependencies)
CHANGE(cuGraphRemoveDependencies)
