/* What the reference GPU refuses, conditional nodes and groups of multiprocessors: what comes of each call, to be
 * compared natively and over a server. */
#include "cu.h"

static CUgraph graph;
static CUcontext context;

static void say(const char *what, CUresult result)
{
	const char *name = "?";

	cu(cuGetErrorName)(result, &name);
	printf("%s: %s\n", what, name);
}

/* Return: the node, or NULL. */
static CUgraphNode add(const char *what, bool edges, CUgraphNode after, CUgraphNodeParams *params)
{
	CUgraphEdgeData edge = { 0 };
	CUgraphNodeType type = CU_GRAPH_NODE_TYPE_EMPTY;
	CUgraphNode node = NULL;
	CUresult result = edges ? cu(cuGraphAddNode_v2)(&node, graph, after ? &after : NULL, after ? &edge : NULL,
							after != NULL, params)
				: cu(cuGraphAddNode)(&node, graph, after ? &after : NULL, after != NULL, params);

	say(what, result);
	if (result)
		return NULL;
	cu_ok(cu(cuGraphNodeGetType)(node, &type));
	printf("type %d, graphs:", (int)type);
	for (unsigned int i = 0; i < params->conditional.size; i++) {
		CUgraphNode empty;
		size_t count = 9;

		cu_ok(cu(cuGraphGetNodes)(params->conditional.phGraph_out[i], NULL, &count));
		printf(" %zu nodes", count);
		cu_ok(cu(cuGraphAddEmptyNode)(&empty, params->conditional.phGraph_out[i], NULL, 0));
		cu_ok(cu(cuGraphGetNodes)(params->conditional.phGraph_out[i], NULL, &count));
		printf(" then %zu,", count);
	}
	puts("");
	return node;
}

static void split(const CUdevResource *all, unsigned int groups, unsigned int each, bool counts, bool rest)
{
	CUdevResource made[8] = { 0 }, remaining = { 0 };
	char what[64];

	snprintf(what, sizeof(what), "%u groups of %u", groups, each);
	say(what,
	    cu(cuDevSmResourceSplitByCount)(counts ? NULL : made, &groups, all, rest ? &remaining : NULL, 0, each));
	printf("%u:", groups);
	for (int i = 0; i < 8; i++)
		printf(" %u", made[i].sm.smCount);
	printf(", rest %u\n", remaining.sm.smCount);
}

static void multiprocessors(void)
{
	CUdevResource all = { 0 };

	say("multiprocessors", cu(cuDeviceGetDevResource)(0, &all, CU_DEV_RESOURCE_TYPE_SM));
	printf("%u\n", all.sm.smCount);
	split(&all, 3, 3, false, true);
	split(&all, 8, 4, false, false);
	split(&all, 0, 2, true, true);
	split(&all, 8, 99, false, true);
	all.sm.smCount++;
	split(&all, 2, 2, false, true);
}

int main(void)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_CONDITIONAL };
	CUgraphNodeParams semaphores = { .type = CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL }, none = { .type = 77 };
	CUDA_EXT_SEM_SIGNAL_NODE_PARAMS signal = { 0 };
	CUDA_EXT_SEM_WAIT_NODE_PARAMS wait = { 0 };
	CUgraphConditionalHandle handle = 5;
	CUgraphNode first, node;
	size_t count = 0;

	context = cu_begin();
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	say("handle", cu(cuGraphConditionalHandleCreate)(&handle, graph, context, 3, CU_GRAPH_COND_ASSIGN_DEFAULT));
	printf("%llx\n", (unsigned long long)handle);
	say("handle of no graph", cu(cuGraphConditionalHandleCreate)(&handle, NULL, context, 0, 0));
	say("handle nowhere", cu(cuGraphConditionalHandleCreate)(NULL, graph, context, 0, 0));
	params.conditional.handle = handle;
	params.conditional.type = CU_GRAPH_COND_TYPE_IF;
	params.conditional.size = 1;
	params.conditional.ctx = context;
	first = add("if", false, NULL, &params);
	params.conditional.type = CU_GRAPH_COND_TYPE_SWITCH;
	params.conditional.size = 5;
	add("switch behind it", true, first, &params);
	params.conditional.type = CU_GRAPH_COND_TYPE_WHILE;
	params.conditional.size = 2;
	add("while of two", false, NULL, &params);
	params.conditional.size = 1;
	add("while", true, NULL, &params);
	params.conditional.handle = 77;
	add("unknown handle", false, NULL, &params);
	params.conditional.handle = handle;
	params.conditional.type = 9;
	add("unknown type", false, NULL, &params);
	add("semaphores", false, NULL, &semaphores);
	add("unknown kind", false, NULL, &none);
	say("signal", cu(cuGraphAddExternalSemaphoresSignalNode)(&node, graph, NULL, 0, &signal));
	say("wait", cu(cuGraphAddExternalSemaphoresWaitNode)(&node, graph, NULL, 0, &wait));
	say("wait for nothing", cu(cuGraphAddExternalSemaphoresWaitNode)(&node, graph, NULL, 0, NULL));
	cu_ok(cu(cuGraphAddEmptyNode)(&node, graph, NULL, 0));
	say("signal of an empty node", cu(cuGraphExternalSemaphoresSignalNodeGetParams)(node, &signal));
	say("wait of an empty node", cu(cuGraphExternalSemaphoresWaitNodeSetParams)(node, &wait));
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &count));
	printf("%zu nodes\n", count);
	say("destroy", cu(cuGraphDestroy)(graph));
	multiprocessors();
	return 0;
}
