/* Copies of the program's memory in executable graphs, switched off and on: who is off touches neither end. */
#include <sys/mman.h>

#include "graphs.h"

#define BYTES 4096u

static char *pages(void *at)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0);
	char *pages = mmap(at, BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);

	check(pages != MAP_FAILED);
	return pages;
}

static CUDA_MEMCPY3D line(bool to_program, char *host)
{
	return (CUDA_MEMCPY3D){ .srcMemoryType = to_program ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST,
				.dstMemoryType = to_program ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE,
				.srcHost = host,
				.dstHost = host,
				.srcDevice = graph_test.at[0],
				.dstDevice = graph_test.at[0],
				.WidthInBytes = BYTES,
				.Height = 1,
				.Depth = 1 };
}

static CUgraph graph_of(bool to_program, char *host, CUgraphNode *node)
{
	CUDA_MEMCPY3D copy = line(to_program, host);
	CUgraph graph;

	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemcpyNode)(node, graph, NULL, 0, &copy, graph_test.ctx));
	return graph;
}

static CUgraph captured_of(bool to_program, char *host, CUgraphNode *node)
{
	CUstream stream = graph_test.stream;
	CUgraph graph;
	size_t n = 1;

	cu_ok(cu(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
	if (to_program)
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(host, graph_test.at[0], BYTES, stream));
	else
		cu_ok(cu(cuMemcpyHtoDAsync_v2)(graph_test.at[0], host, BYTES, stream));
	cu_ok(cu(cuStreamEndCapture)(stream, &graph));
	cu_ok(cu(cuGraphGetNodes)(graph, node, &n));
	return graph;
}

static CUgraphExec instantiate(CUgraph graph)
{
	CUgraphExec exec;

	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	return exec;
}

static void switch_to(CUgraphExec exec, CUgraphNode node, unsigned int on)
{
	unsigned int enabled = 2;

	cu_ok(cu(cuGraphNodeSetEnabled)(exec, node, on));
	cu_ok(cu(cuGraphNodeGetEnabled)(exec, node, &enabled));
	check(enabled == on);
}

/* What is at the device's end after a launch that found `d` there. */
static char device_after(CUgraphExec exec)
{
	char ends[BYTES];

	cu_ok(cu(cuMemsetD8_v2)(graph_test.at[0], 'd', BYTES));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(ends, graph_test.at[0], BYTES));
	check(ends[0] == ends[BYTES - 1]);
	return ends[0];
}

static void brings(CUgraphExec exec, bool to_program, char *host, bool on)
{
	char device;

	memset(host, 'p', BYTES);
	device = device_after(exec);
	check(device == (on && !to_program ? 'p' : 'd'));
	check(host[0] == (on && to_program ? 'd' : 'p') && host[BYTES - 1] == host[0]);
}

static void test_a_copy_that_is_off_leaves_both_ends_alone(void)
{
	char *host = pages(NULL);

	for (int i = 0; i < 4; i++) {
		bool to_program = i & 1;
		CUgraphNode node;
		CUgraph graph = i & 2 ? captured_of(to_program, host, &node) : graph_of(to_program, host, &node);
		CUgraphExec exec = instantiate(graph), other = instantiate(graph);

		switch_to(exec, node, 0);
		brings(exec, to_program, host, false);
		brings(other, to_program, host, true);
		switch_to(exec, node, 0);
		brings(exec, to_program, host, false);
		switch_to(exec, node, 1);
		brings(exec, to_program, host, true);
		switch_to(exec, node, 1);
		brings(exec, to_program, host, true);
		cu_ok(cu(cuGraphExecDestroy)(other));
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	munmap(host, BYTES);
}

static void test_the_memory_of_a_copy_that_is_off_may_be_gone(void)
{
	for (int to_program = 0; to_program < 2; to_program++) {
		char *host = pages(NULL);
		CUgraphNode node;
		CUgraph graph = graph_of(to_program, host, &node);
		CUgraphExec exec = instantiate(graph);

		brings(exec, to_program, host, true);
		switch_to(exec, node, 0);
		check(!munmap(host, BYTES));
		check(device_after(exec) == 'd');
		check(pages(host) == host);
		switch_to(exec, node, 1);
		brings(exec, to_program, host, true);
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphDestroy)(graph));
		munmap(host, BYTES);
	}
}

/* It works with that once it is on. */
static void test_a_copy_is_changed_while_it_is_off(void)
{
	char *host = pages(NULL), *other = pages(NULL);

	for (int to_program = 0; to_program < 2; to_program++) {
		CUgraphNode node;
		CUgraph graph = graph_of(to_program, host, &node);
		CUgraphExec exec = instantiate(graph);
		CUDA_MEMCPY3D copy = line(to_program, other);

		switch_to(exec, node, 0);
		cu_ok(cu(cuGraphExecMemcpyNodeSetParams)(exec, node, &copy, graph_test.ctx));
		memset(host, 'h', BYTES);
		brings(exec, to_program, other, false);
		switch_to(exec, node, 1);
		brings(exec, to_program, other, true);
		copy = line(to_program, host);
		cu_ok(cu(cuGraphMemcpyNodeSetParams)(node, &copy)); /* the graph's own is another node */
		switch_to(exec, node, 0);
		brings(exec, to_program, other, false);
		switch_to(exec, node, 1);
		brings(exec, to_program, other, true);
		check(host[0] == 'h' && host[BYTES - 1] == 'h');
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	munmap(host, BYTES);
	munmap(other, BYTES);
}

static void test_a_copy_in_a_child_graph_is_switched(void)
{
	char *host = pages(NULL);

	for (int to_program = 0; to_program < 2; to_program++) {
		CUgraphNode node, child;
		CUgraph graph = graph_of(to_program, host, &node), outer, inside;
		CUgraphExec exec;
		size_t n = 1;

		cu_ok(cu(cuGraphCreate)(&outer, 0));
		cu_ok(cu(cuGraphAddChildGraphNode)(&child, outer, NULL, 0, graph));
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuGraphChildGraphNodeGetGraph)(child, &inside));
		cu_ok(cu(cuGraphGetNodes)(inside, &node, &n));
		exec = instantiate(outer);
		switch_to(exec, node, 0);
		brings(exec, to_program, host, false);
		switch_to(exec, node, 1);
		brings(exec, to_program, host, true);
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphDestroy)(outer));
	}
	munmap(host, BYTES);
}

/* A server may refuse to, and the graph is what it was. */
static void test_a_graph_with_a_copy_that_is_off_is_updated(void)
{
	char *host = pages(NULL), *other = pages(NULL);

	for (int to_program = 0; to_program < 2; to_program++) {
		CUgraphNode node, second;
		CUgraph graph = graph_of(to_program, host, &node), update = graph_of(to_program, other, &second);
		CUgraphExec exec = instantiate(graph);
		CUgraphExecUpdateResultInfo info;
		CUresult r;

		switch_to(exec, node, 0);
		r = cu(cuGraphExecUpdate_v2)(exec, update, &info);
		if (r) {
			cu_is(r, CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
			check(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_NOT_SUPPORTED);
			brings(exec, to_program, host, false);
		}
		switch_to(exec, node, 1);
		brings(exec, to_program, r ? host : other, true);
		cu_ok(cu(cuGraphExecUpdate_v2)(exec, update, &info));
		brings(exec, to_program, other, true);
		switch_to(exec, node, 1);
		r = cu(cuGraphNodeSetEnabled)(exec, node, 0);
		if (r)
			cu_is(r, CUDA_ERROR_NOT_SUPPORTED);
		brings(exec, to_program, other, r != CUDA_SUCCESS);
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphDestroy)(graph));
		cu_ok(cu(cuGraphDestroy)(update));
	}
	munmap(host, BYTES);
	munmap(other, BYTES);
}

void graph_tests_enable(void)
{
	cu_run(test_a_copy_that_is_off_leaves_both_ends_alone);
	cu_run(test_the_memory_of_a_copy_that_is_off_may_be_gone);
	cu_run(test_a_copy_is_changed_while_it_is_off);
	cu_run(test_a_copy_in_a_child_graph_is_switched);
	cu_run(test_a_graph_with_a_copy_that_is_off_is_updated);
}
