/*
 * Nodes of graphs that are ready to run, switched off and on.  With a copy of the client's memory goes the hidden node
 * beside it (graph-copy.c), of a kind that a driver does not switch: it is changed to do nothing.  What it did no
 * function of the driver tells of such a graph, so that it is noted when the graph is made ready to run, and when the
 * copy is changed.  Whose notes are lost, as all of the graph was changed, is not switched.
 */
#include <stdlib.h>

#include "backend/cuda/hostfn.h"
#include "base/cleanup.h"

struct carrier {
	CUgraphNode node, hidden;
	CUDA_HOST_NODE_PARAMS carries; /* what the hidden one does while the node is on; the exec keeps it alive */
	bool off;
};

struct pl_cuda_carriers {
	uint64_t exec; /* its id */
	struct carrier *at;
	size_t count, room;
	struct pl_cuda_carriers *next;
};

/* Under the turn, here and below. */
static struct pl_cuda_carriers **carriers_find(struct pl_cuda_session *session, uint64_t exec)
{
	struct pl_cuda_carriers **at = &session->carriers;

	while (*at && (*at)->exec != exec)
		at = &(*at)->next;
	return at;
}

static struct carrier *carrier_find(struct pl_cuda_session *session, uint64_t exec, CUgraphNode node)
{
	struct pl_cuda_carriers *carriers = *carriers_find(session, exec);

	for (size_t i = 0; carriers && i < carriers->count; i++)
		if (carriers->at[i].node == node)
			return &carriers->at[i];
	return NULL;
}

/* Without memory it is not noted. */
static void carrier_add(struct pl_cuda_session *session, uint64_t exec, const struct carrier *carrier)
{
	struct pl_cuda_carriers **at = carriers_find(session, exec), *carriers = *at;

	if (!carriers) {
		carriers = *at = calloc(1, sizeof(*carriers));
		if (!carriers)
			return;
		carriers->exec = exec;
	}
	if (carriers->count == carriers->room) {
		size_t room = carriers->room ? 2 * carriers->room : 8;
		struct carrier *larger = realloc(carriers->at, room * sizeof(*larger));

		if (!larger)
			return;
		carriers->at = larger;
		carriers->room = room;
	}
	carriers->at[carriers->count++] = *carrier;
}

void pl_cuda_carriers_forget(struct pl_cuda_session *session, uint64_t exec)
{
	struct pl_cuda_carriers **at = carriers_find(session, exec), *carriers = *at;

	if (!carriers)
		return;
	*at = carriers->next;
	free(carriers->at);
	free(carriers);
}

bool pl_cuda_carriers_are_off(struct pl_cuda_session *session, uint64_t exec)
{
	const struct pl_cuda_carriers *carriers = *carriers_find(session, exec);

	for (size_t i = 0; carriers && i < carriers->count; i++)
		if (carriers->at[i].off)
			return true;
	return false;
}

/* ---- noted ---- */

static void graph_note(struct pl_cuda_session *session, uint64_t exec, CUgraph graph);

static void node_note(struct pl_cuda_session *session, uint64_t exec, CUgraphNode node)
{
	struct carrier carrier = { .node = node, .hidden = pl_cuda_node_beside(session, node) };
	CUgraph inside = carrier.hidden ? NULL : pl_cuda_node_inside(node);

	if (inside)
		graph_note(session, exec, inside);
	else if (carrier.hidden && !PL_CUDA_TRY(cuGraphHostNodeGetParams, carrier.hidden, &carrier.carries))
		carrier_add(session, exec, &carrier);
}

static void graph_note(struct pl_cuda_session *session, uint64_t exec, CUgraph graph)
{
	size_t count;
	pl_cleanup(pl_freep) CUgraphNode *nodes = pl_cuda_nodes_of(graph, &count);

	for (size_t i = 0; i < count; i++)
		node_note(session, exec, nodes[i]);
}

void pl_cuda_carriers_note(struct pl_cuda_session *session, uint64_t exec, CUgraph graph)
{
	pl_cuda_carriers_forget(session, exec);
	if (atomic_load(&session->hides_nodes))
		graph_note(session, exec, graph);
}

int32_t pl_cuda_carrier_set(struct pl_cuda_session *session, uint64_t id, CUgraphExec exec, CUgraphNode node,
			    const CUDA_HOST_NODE_PARAMS *carries)
{
	const struct carrier made = { .node = node, .hidden = pl_cuda_node_beside(session, node), .carries = *carries };
	struct carrier *carrier = carrier_find(session, id, node);
	int32_t status = carrier && carrier->off
				 ? CUDA_SUCCESS
				 : PL_CUDA_TRY(cuGraphExecHostNodeSetParams, exec, made.hidden, carries);

	if (!status && carrier)
		carrier->carries = *carries;
	else if (!status)
		carrier_add(session, id, &made);
	return status;
}

/* ---- off and on ---- */

static void CUDA_CB carry_nothing(void *user)
{
	(void)user;
}

static int32_t carrier_switch(const struct carrier *carrier, CUgraphExec exec, bool on)
{
	const CUDA_HOST_NODE_PARAMS nothing = { carry_nothing, NULL };

	return PL_CUDA_TRY(cuGraphExecHostNodeSetParams, exec, carrier->hidden, on ? &carrier->carries : &nothing);
}

/* A copy whose hidden node carries what is not known here. */
static int32_t unknown_switch(CUgraphExec exec, CUgraphNode node, unsigned int enabled)
{
	unsigned int is = 0;
	int32_t status = PL_CUDA_TRY(cuGraphNodeGetEnabled, exec, node, &is);

	if (status) /* none of the exec's */
		return status;
	return !is == !enabled ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
}

static int32_t node_switch(struct pl_cuda_session *session, uint64_t id, CUgraphExec exec, CUgraphNode node,
			   unsigned int enabled)
{
	struct carrier *carrier = carrier_find(session, id, node);
	int32_t status;

	if (!carrier)
		return pl_cuda_node_beside(session, node) ? unknown_switch(exec, node, enabled)
							  : PL_CUDA_TRY(cuGraphNodeSetEnabled, exec, node, enabled);
	status = carrier_switch(carrier, exec, enabled);
	if (status)
		return status;
	status = PL_CUDA_TRY(cuGraphNodeSetEnabled, exec, node, enabled);
	if (status)
		(void)carrier_switch(carrier, exec, !carrier->off);
	else
		carrier->off = !enabled;
	return status;
}

void pl_cuda_serve_cuGraphNodeSetEnabled(struct pl_serve *serve, const struct pl_cuda_cuGraphNodeSetEnabled_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *exec, *node;

	if (pl_cuda.cuGraphNodeSetEnabled && pl_cuda_take(serve, args->exec, PL_CUDA_KIND_exec, &exec, &status) &&
	    pl_cuda_take(serve, args->node, PL_CUDA_KIND_node, &node, &status))
		status = node_switch(pl_cuda_session_of(serve), args->exec, exec, node, args->enabled);
	pl_cuda_result(serve, status, 0);
}
