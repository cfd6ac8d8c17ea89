/* What the reference GPU refuses, semaphores of other APIs and groups of multiprocessors: what comes of each call, to
 * be compared natively and over a server. */
#include "cu.h"

static CUgraph graph;

static void say(const char *what, CUresult result)
{
	const char *name = "?";

	cu(cuGetErrorName)(result, &name);
	printf("%s: %s\n", what, name);
}

static void add(const char *what, CUgraphNodeParams *params)
{
	CUgraphNode node;

	say(what, cu(cuGraphAddNode)(&node, graph, NULL, 0, params));
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
	CUgraphNodeParams semaphores = { .type = CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL }, none = { .type = 77 };
	CUDA_EXT_SEM_SIGNAL_NODE_PARAMS signal = { 0 };
	CUDA_EXT_SEM_WAIT_NODE_PARAMS wait = { 0 };
	CUgraphNode node;
	size_t count = 0;

	(void)cu_begin();
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	add("semaphores", &semaphores);
	add("unknown kind", &none);
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
