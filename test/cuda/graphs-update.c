/* Graphs that change: nodes set, executable graphs updated, switched off;
 * memory nodes; user objects. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "graphs.h"

static CUDA_MEMSET_NODE_PARAMS set_params(CUdeviceptr at, float value)
{
	CUDA_MEMSET_NODE_PARAMS params = { .dst = at, .elementSize = 4, .width = N, .height = 1 };
	memcpy(&params.value, &value, 4);
	return params;
}

static void CUDA_CB gone(void *n)
{
	atomic_fetch_add((atomic_int *)n, 1);
}

/* set a; c = a + b */
struct small {
	CUgraph graph;
	CUgraphNode set, add;
};

static struct small small_graph(float value)
{
	CUdeviceptr a = graph_test.at[0], b = graph_test.at[1], c = graph_test.at[2];
	int n = N;
	CUDA_MEMSET_NODE_PARAMS set = set_params(a, value);
	CUDA_KERNEL_NODE_PARAMS add = cu_kernel_node(graph_test.add, N / 64, 64, (void *[]){ &a, &b, &c, &n });
	struct small small;
	cu_ok(cu(cuGraphCreate)(&small.graph, 0));
	cu_ok(cu(cuGraphAddMemsetNode)(&small.set, small.graph, NULL, 0, &set, graph_test.ctx));
	cu_ok(cu(cuGraphAddKernelNode_v2)(&small.add, small.graph, &small.set, 1, &add));
	return small;
}

static CUgraphExec instantiate(CUgraph graph)
{
	CUgraphExec exec;
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	return exec;
}

/* The last of c after a launch, with 1 in b and -1 in c before it. */
static float result_of(CUgraphExec exec)
{
	float value;
	cu_ok(cu(cuMemsetD32_v2)(graph_test.at[1], 0x3f800000, N));
	cu_ok(cu(cuMemsetD32_v2)(graph_test.at[2], 0xbf800000, N));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(&value, graph_test.at[2] + 4 * (N - 1), 4));
	return value;
}

static void test_single_nodes_of_an_executable_graph_change(void)
{
	CUdeviceptr a = graph_test.at[0], c = graph_test.at[2];
	int n = N;
	struct small small = small_graph(2);
	CUgraphExec exec = instantiate(small.graph);
	CUDA_KERNEL_NODE_PARAMS add = cu_kernel_node(graph_test.add, N / 64, 64, (void *[]){ &a, &a, &c, &n }), got;
	CUDA_MEMSET_NODE_PARAMS set = set_params(a, 7);
	CUDA_HOST_NODE_PARAMS host = { gone, NULL };
	unsigned int enabled;
	check(result_of(exec) == 3);
	cu_ok(cu(cuGraphExecMemsetNodeSetParams)(exec, small.set, &set, graph_test.ctx));
	check(result_of(exec) == 8);
	cu_ok(cu(cuGraphExecKernelNodeSetParams_v2)(exec, small.add, &add));
	check(result_of(exec) == 14);
	/* The graph is another: its own nodes are what they were. */
	cu_ok(cu(cuGraphKernelNodeGetParams_v2)(small.add, &got));
	check(got.func == graph_test.add && got.gridDimX == N / 64);
	check(*(CUdeviceptr *)got.kernelParams[1] == graph_test.at[1] && *(int *)got.kernelParams[3] == N);
	cu_ok(cu(cuGraphKernelNodeSetParams_v2)(small.add, &add));
	cu_ok(cu(cuGraphKernelNodeGetParams_v2)(small.add, &got));
	check(*(CUdeviceptr *)got.kernelParams[1] == a);
	cu_ok(cu(cuGraphNodeSetEnabled)(exec, small.add, 0));
	cu_ok(cu(cuGraphNodeGetEnabled)(exec, small.add, &enabled));
	check(!enabled && result_of(exec) == -1);
	cu_ok(cu(cuGraphNodeSetEnabled)(exec, small.add, 1));
	check(result_of(exec) == 14);
	add.blockDimX = 5000;
	cu_is(cu(cuGraphExecKernelNodeSetParams_v2)(exec, small.add, &add), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphExecMemsetNodeSetParams)(exec, small.add, &set, graph_test.ctx), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuGraphHostNodeSetParams)(small.set, &host), CUDA_ERROR_INVALID_VALUE);
	set.height = 2;
	cu_is(cu(cuGraphExecMemsetNodeSetParams)(exec, small.set, &set, graph_test.ctx), CUDA_ERROR_INVALID_VALUE);
	check(result_of(exec) == 14);
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(small.graph));
}

static void test_a_whole_graph_updates_an_executable_one(void)
{
	struct small small = small_graph(2), other = small_graph(9);
	CUgraphExec exec = instantiate(small.graph);
	CUgraphExecUpdateResultInfo info;
	CUgraphNode node;
	cu_ok(cu(cuGraphDestroy)(small.graph));
	cu_ok(cu(cuGraphExecUpdate_v2)(exec, other.graph, &info));
	check(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS);
	check(result_of(exec) == 10);
	/* Without its edge, with a node more, with a node of another type. */
	cu_ok(cu(cuGraphRemoveDependencies)(other.graph, &other.set, &other.add, 1));
	cu_is(cu(cuGraphExecUpdate_v2)(exec, other.graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
	check(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
	cu_ok(cu(cuGraphAddDependencies)(other.graph, &other.set, &other.add, 1));
	cu_ok(cu(cuGraphAddEmptyNode)(&node, other.graph, &other.add, 1));
	cu_is(cu(cuGraphExecUpdate_v2)(exec, other.graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
	check(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED && !info.errorNode);
	cu_ok(cu(cuGraphDestroyNode)(other.add));
	cu_ok(cu(cuGraphAddDependencies)(other.graph, &other.set, &node, 1));
	cu_is(cu(cuGraphExecUpdate_v2)(exec, other.graph, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
	check(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED && info.errorNode == node);
	check(result_of(exec) == 10);
	cu_ok(cu(cuGraphDestroy)(other.graph));
	cu_ok(cu(cuGraphExecDestroy)(exec));
}

static void test_child_graphs_are_updated_inside(void)
{
	struct small small = small_graph(2), other = small_graph(5);
	CUgraphNode child, inner[2];
	CUgraph graph, embedded;
	CUgraphExec exec;
	CUDA_MEMSET_NODE_PARAMS set = set_params(graph_test.at[0], 20);
	size_t n = 2;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddChildGraphNode)(&child, graph, NULL, 0, small.graph));
	exec = instantiate(graph);
	check(result_of(exec) == 3);
	cu_ok(cu(cuGraphExecChildGraphNodeSetParams)(exec, child, other.graph));
	check(result_of(exec) == 6);
	cu_ok(cu(cuGraphChildGraphNodeGetGraph)(child, &embedded));
	cu_ok(cu(cuGraphGetNodes)(embedded, inner, &n));
	cu_ok(cu(cuGraphExecMemsetNodeSetParams)(exec, inner[0], &set, graph_test.ctx));
	check(result_of(exec) == 21);
	cu_ok(cu(cuGraphDestroyNode)(other.add));
	check(cu(cuGraphExecChildGraphNodeSetParams)(exec, child, other.graph) != CUDA_SUCCESS);
	check(result_of(exec) == 21);
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphDestroy)(small.graph));
	cu_ok(cu(cuGraphDestroy)(other.graph));
	cu_ok(cu(cuGraphExecDestroy)(exec));
}

static CUDA_MEM_ALLOC_NODE_PARAMS alloc_params(void)
{
	return (CUDA_MEM_ALLOC_NODE_PARAMS){
		.poolProps = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
			       .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } },
		.bytesize = 4 * N,
	};
}

static uint64_t used(void)
{
	cuuint64_t bytes;
	cu_ok(cu(cuDeviceGetGraphMemAttribute)(0, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &bytes));
	return bytes;
}

/* Memory that a graph allocates and does not free is the program's, until it or
 * the next launch frees it. */
static void test_memory_outlives_the_launch_that_allocates_it(void)
{
	CUDA_MEM_ALLOC_NODE_PARAMS params = alloc_params(), got;
	CUDA_MEMSET_NODE_PARAMS set;
	CUgraphNode alloc, node;
	CUgraphExec exec;
	CUgraph graph;
	float value;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemAllocNode)(&alloc, graph, NULL, 0, &params));
	check(params.dptr);
	cu_ok(cu(cuGraphMemAllocNodeGetParams)(alloc, &got));
	check(got.dptr == params.dptr && got.bytesize == 4 * N);
	set = set_params(params.dptr, 5);
	cu_ok(cu(cuGraphAddMemsetNode)(&node, graph, &alloc, 1, &set, graph_test.ctx));
	check(cu(cuGraphDestroyNode)(node) != CUDA_SUCCESS);
	exec = instantiate(graph);
	check(cu(cuMemFreeAsync)(params.dptr, graph_test.stream) != CUDA_SUCCESS);
	for (int i = 0; i < 3; i++) {
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
		cu_ok(cu(cuMemcpyDtoHAsync_v2)(&value, params.dptr + 4, 4, graph_test.stream));
		cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
		check(value == 5 && used() >= 4 * N);
		if (i == 0)
			cu_is(cu(cuGraphLaunch)(exec, graph_test.stream), CUDA_ERROR_INVALID_VALUE);
		if (i == 2)
			cu_ok(cu(cuMemFree_v2)(params.dptr));
		else
			cu_ok(cu(cuMemFreeAsync)(params.dptr, graph_test.stream));
	}
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuMemFree_v2)(params.dptr));
	cu_ok(cu(cuDeviceGraphMemTrim)(0));
	check(!used());
}

static void test_memory_nodes_are_freed_once(void)
{
	CUDA_MEM_ALLOC_NODE_PARAMS params = alloc_params();
	CUgraphNode alloc, node;
	CUgraphExec exec;
	CUgraph graph;
	CUdeviceptr at;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemAllocNode)(&alloc, graph, NULL, 0, &params));
	cu_is(cu(cuGraphAddMemFreeNode)(&node, graph, &alloc, 1, params.dptr + 4), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphAddMemFreeNode)(&node, graph, &alloc, 1, params.dptr));
	cu_ok(cu(cuGraphMemFreeNodeGetParams)(node, &at));
	check(at == params.dptr);
	cu_is(cu(cuGraphAddMemFreeNode)(&node, graph, &alloc, 1, params.dptr), CUDA_ERROR_INVALID_VALUE);
	params.bytesize = 0;
	check(cu(cuGraphAddMemAllocNode)(&node, graph, NULL, 0, &params) != CUDA_SUCCESS);
	exec = instantiate(graph);
	cu_ok(cu(cuGraphDestroy)(graph));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuDeviceGraphMemTrim)(0));
	check(!used());
}

/* The second launch frees what the first one has freed: it is refused, and nothing of it is done. */
static void test_a_launch_that_is_refused_for_its_memory_does_nothing(void)
{
	CUDA_MEMSET_NODE_PARAMS fill = {
		.dst = graph_test.at[0], .elementSize = 4, .width = 1, .height = 1, .value = 7
	};
	CUDA_MEM_ALLOC_NODE_PARAMS params = alloc_params();
	CUgraphExec allocates, frees;
	uint32_t zero = 0, word = 1;
	CUgraphNode node, set;
	CUgraph graph, other;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphCreate)(&other, 0));
	cu_ok(cu(cuGraphAddMemAllocNode)(&node, graph, NULL, 0, &params));
	cu_ok(cu(cuGraphAddMemsetNode)(&set, other, NULL, 0, &fill, graph_test.ctx));
	cu_ok(cu(cuGraphAddMemFreeNode)(&node, other, &set, 1, params.dptr));
	allocates = instantiate(graph);
	frees = instantiate(other);
	cu_ok(cu(cuGraphLaunch)(allocates, graph_test.stream));
	cu_ok(cu(cuGraphLaunch)(frees, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuMemcpyHtoD_v2)(graph_test.at[0], &zero, sizeof(zero)));
	if (cu_is_reference()) {
		cu_is(cu(cuGraphLaunch)(frees, graph_test.stream), CUDA_ERROR_INVALID_VALUE);
		cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
		cu_ok(cu(cuMemcpyDtoH_v2)(&word, graph_test.at[0], sizeof(word)));
		check(!word);
	}
	cu_ok(cu(cuGraphExecDestroy)(allocates));
	cu_ok(cu(cuGraphExecDestroy)(frees));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphDestroy)(other));
	cu_ok(cu(cuDeviceGraphMemTrim)(0));
	check(!used());
}

static void test_memory_nodes_come_with_their_child_graph_or_not_at_all(void)
{
	CUDA_MEM_ALLOC_NODE_PARAMS params = alloc_params();
	CUgraphNodeParams move = { .type = CU_GRAPH_NODE_TYPE_GRAPH };
	CUgraph graph, empty, child, clone;
	CUgraphExec exec, second;
	CUgraphNode node, alloc;
	CUresult moved;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphCreate)(&empty, 0));
	cu_ok(cu(cuGraphAddChildGraphNode)(&node, graph, NULL, 0, empty));
	cu_ok(cu(cuGraphChildGraphNodeGetGraph)(node, &child));
	check(cu(cuGraphAddMemAllocNode)(&alloc, child, NULL, 0, &params) != CUDA_SUCCESS);
	cu_is_by_reference(cu(cuGraphAddMemAllocNode)(&alloc, child, NULL, 0, &params), CUDA_ERROR_NOT_SUPPORTED);
	cu_ok(cu(cuDeviceGraphMemTrim)(0));
	check(!used());
	cu_ok(cu(cuGraphAddMemAllocNode)(&alloc, empty, NULL, 0, &params));
	check(cu(cuGraphAddMemFreeNode)(&node, child, NULL, 0, params.dptr) != CUDA_SUCCESS);
	cu_ok(cu(cuGraphAddMemFreeNode)(&node, empty, &alloc, 1, params.dptr));
	cu_ok(cu(cuGraphClone)(&clone, graph)); /* there is no memory in it so far */
	cu_ok(cu(cuGraphDestroy)(clone));
	move.graph.graph = empty;
	move.graph.ownership = CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE;
	moved = cu(cuGraphAddNode)(&node, child, NULL, 0, &move);
	if (moved == CUDA_ERROR_NOT_SUPPORTED) { /* by a server, or a driver of before CUDA 12.9 */
		cu_ok(cu(cuGraphDestroy)(empty));
		cu_ok(cu(cuGraphDestroy)(graph));
		return;
	}
	cu_ok(moved);
	check(cu(cuGraphClone)(&clone, graph) != CUDA_SUCCESS);
	exec = instantiate(graph);
	check(cu(cuGraphInstantiateWithFlags)(&second, graph, 0) != CUDA_SUCCESS);
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuDeviceGraphMemTrim)(0));
	check(!used());
}

/* Destructors run when they run: nothing that the program calls waits for them. */
static bool becomes(atomic_int *n, int want)
{
	for (int i = 0; i < 5000 && atomic_load(n) != want; i++)
		usleep(1000);
	return atomic_load(n) == want;
}

static void test_user_objects_go_with_the_last_who_holds_them(void)
{
	atomic_int n = 0;
	CUuserObject object;
	CUgraph graph, clone;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_is(cu(cuUserObjectCreate)(&object, &n, gone, 1, 0), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuUserObjectCreate)(&object, &n, gone, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	cu_ok(cu(cuUserObjectRetain)(object, 1));
	cu_ok(cu(cuGraphRetainUserObject)(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE));
	cu_ok(cu(cuGraphClone)(&clone, graph));
	cu_ok(cu(cuUserObjectRelease)(object, 1));
	cu_ok(cu(cuGraphDestroy)(graph));
	check(!atomic_load(&n));
	cu_ok(cu(cuGraphReleaseUserObject)(clone, object, 1));
	check(becomes(&n, 1));
	cu_ok(cu(cuGraphDestroy)(clone));
	check(atomic_load(&n) == 1);
}

/* As the programming guide has it: an update takes the new graph's references along, and leaves its own. */
static void test_an_update_takes_user_objects_along(void)
{
	struct small first = small_graph(1), second = small_graph(2);
	CUgraphExecUpdateResultInfo info;
	CUgraphExec exec, plain;
	CUuserObject object;
	atomic_int n = 0;
	cu_ok(cu(cuUserObjectCreate)(&object, &n, gone, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	plain = instantiate(second.graph);
	cu_ok(cu(cuGraphRetainUserObject)(second.graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE));
	exec = instantiate(first.graph);
	cu_ok(cu(cuGraphExecUpdate_v2)(exec, second.graph, &info));
	cu_ok(cu(cuGraphDestroy)(second.graph));
	check(result_of(exec) == 3 && !atomic_load(&n));
	for (int i = 0; i < 3; i++) /* under way when it is left */
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuGraphExecUpdate_v2)(exec, first.graph, &info));
	check(result_of(exec) == 2 && becomes(&n, 1));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphExecDestroy)(plain));
	cu_ok(cu(cuGraphDestroy)(first.graph));
	check(atomic_load(&n) == 1);
}

static CUgraph host_graph(atomic_int *n)
{
	CUDA_HOST_NODE_PARAMS params = { gone, n };
	CUgraphNode node;
	CUgraph graph;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddHostNode)(&node, graph, NULL, 0, &params));
	return graph;
}

static void test_host_functions_of_an_update_outlive_its_graph(void)
{
	atomic_int first = 0, second = 0, other = 0;
	CUgraph graph = host_graph(&first), update = host_graph(&second), later;
	CUgraphExec exec = instantiate(graph);
	CUgraphExecUpdateResultInfo info;
	cu_ok(cu(cuGraphExecUpdate_v2)(exec, update, &info));
	cu_ok(cu(cuGraphDestroy)(update));
	later = host_graph(&other); /* may lie where that was */
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	check(!atomic_load(&first) && atomic_load(&second) == 2 && !atomic_load(&other));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphDestroy)(later));
}

/* Who was made of the graph before calls what it called then. */
static void test_a_host_function_is_changed_any_number_of_times(void)
{
	atomic_int n[4] = { 0 };
	CUDA_HOST_NODE_PARAMS params = { gone, &n[1] };
	CUgraph graph = host_graph(&n[0]), clone;
	CUgraphExec exec = instantiate(graph), later, of_clone;
	CUgraphNode node, found;
	size_t count = 1;
	cu_ok(cu(cuGraphGetNodes)(graph, &node, &count));
	for (int i = 0; i < 100; i++)
		cu_ok(cu(cuGraphHostNodeSetParams)(node, &params));
	later = instantiate(graph);
	cu_ok(cu(cuGraphClone)(&clone, graph));
	cu_ok(cu(cuGraphNodeFindInClone)(&found, node, clone));
	of_clone = instantiate(clone);
	params.userData = &n[2];
	cu_ok(cu(cuGraphHostNodeSetParams)(node, &params));
	params.userData = &n[3];
	for (int i = 0; i < 100; i++)
		cu_ok(cu(cuGraphHostNodeSetParams)(found, &params));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuGraphLaunch)(later, graph_test.stream));
	cu_ok(cu(cuGraphLaunch)(of_clone, graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(of_clone));
	of_clone = instantiate(clone);
	cu_ok(cu(cuGraphDestroy)(clone));
	cu_ok(cu(cuGraphDestroy)(graph));
	cu_ok(cu(cuGraphLaunch)(of_clone, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	check(n[0] == 1 && n[1] == 2 && n[2] == 0 && n[3] == 1);
	cu_ok(cu(cuGraphExecDestroy)(of_clone));
	cu_ok(cu(cuGraphExecDestroy)(later));
	cu_ok(cu(cuGraphExecDestroy)(exec));
}

/* Of a graph from which no node can be removed, too. */
static void test_a_copy_that_is_refused_leaves_no_node(void)
{
	CUDA_MEM_ALLOC_NODE_PARAMS params = alloc_params();
	CUDA_MEMCPY3D copy = { .srcMemoryType = CU_MEMORYTYPE_HOST,
			       .srcHost = graph_test.host,
			       .dstMemoryType = CU_MEMORYTYPE_DEVICE,
			       .dstDevice = graph_test.at[0],
			       .WidthInBytes = 4 * N,
			       .Height = 1,
			       .Depth = 1 };
	CUgraphNode alloc, node;
	CUgraphExec exec;
	size_t n = 0;
	CUgraph graph;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemAllocNode)(&alloc, graph, NULL, 0, &params));
	for (int i = 0; i < 3; i++)
		check(cu(cuGraphAddMemcpyNode)(&node, graph, &alloc, 1, &copy, NULL) != CUDA_SUCCESS); /* no context */
	cu_ok(cu(cuGraphGetNodes)(graph, NULL, &n));
	check(n == 1);
	cu_ok(cu(cuGraphAddMemFreeNode)(&node, graph, &alloc, 1, params.dptr));
	exec = instantiate(graph);
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuGraphExecDestroy)(exec));
	cu_ok(cu(cuGraphDestroy)(graph));
}

static void test_attributes_of_kernel_nodes_are_kept(void)
{
	struct small small = small_graph(1), other = small_graph(1);
	CUkernelNodeAttrValue value = { .priority = -2 }, got = { .priority = 77 };
	cu_ok(cu(cuGraphKernelNodeSetAttribute)(small.add, CU_KERNEL_NODE_ATTRIBUTE_PRIORITY, &value));
	cu_ok(cu(cuGraphKernelNodeCopyAttributes)(other.add, small.add));
	cu_ok(cu(cuGraphKernelNodeGetAttribute)(other.add, CU_KERNEL_NODE_ATTRIBUTE_PRIORITY, &got));
	check(got.priority == -2);
	cu_is(cu(cuGraphKernelNodeGetAttribute)(other.set, CU_KERNEL_NODE_ATTRIBUTE_PRIORITY, &got),
	      CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuGraphDestroy)(small.graph));
	cu_ok(cu(cuGraphDestroy)(other.graph));
}

#define MANY_BYTES (64u << 20)
#define MANY       80 /* so often more than a server lends one session */

/* The n-th byte of the program's, which a launch brings to the device, or the device's, which it brings back. */
static void copy_brings(CUgraphExec exec, bool to_program, CUdeviceptr at, char *host, char value)
{
	char got = to_program ? 0 : value;

	*host = got;
	cu_ok(cu(cuMemsetD8_v2)(at, to_program ? (unsigned char)value : 0, 16));
	cu_ok(cu(cuStreamSynchronize)(NULL));
	cu_ok(cu(cuGraphLaunch)(exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	if (!to_program)
		cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 1));
	else
		got = *host;
	check(got == value);
}

/* What a copy was changed from goes; in a graph, in a clone, and in one that is ready to run. */
static void test_copies_are_changed_any_number_of_times(void)
{
	CUgraphNode node, found;
	CUgraph graph, clone;
	CUgraphExec exec;
	CUdeviceptr at;
	char *host[2];

	host[0] = malloc(MANY_BYTES);
	host[1] = malloc(MANY_BYTES);
	check(host[0] && host[1]);
	cu_ok(cu(cuMemAlloc_v2)(&at, MANY_BYTES));
	for (int to_program = 0; to_program < 2; to_program++) {
		CUDA_MEMCPY3D copy = { .WidthInBytes = MANY_BYTES, .Height = 1, .Depth = 1 };

		copy.srcMemoryType = to_program ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
		copy.dstMemoryType = to_program ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
		copy.srcDevice = copy.dstDevice = at;
		copy.srcHost = copy.dstHost = host[0];
		cu_ok(cu(cuGraphCreate)(&graph, 0));
		cu_ok(cu(cuGraphAddMemcpyNode)(&node, graph, NULL, 0, &copy, graph_test.ctx));
		exec = instantiate(graph);
		for (int i = 1; i <= MANY; i++) {
			copy.srcHost = copy.dstHost = host[i & 1];
			cu_ok(cu(cuGraphExecMemcpyNodeSetParams)(exec, node, &copy, graph_test.ctx));
			if (i == MANY)
				copy_brings(exec, to_program, at, host[i & 1], (char)i);
		}
		cu_ok(cu(cuGraphExecDestroy)(exec));
		cu_ok(cu(cuGraphClone)(&clone, graph));
		cu_ok(cu(cuGraphNodeFindInClone)(&found, node, clone));
		for (int i = 1; i <= MANY; i++) {
			copy.srcHost = copy.dstHost = host[i & 1];
			cu_ok(cu(cuGraphMemcpyNodeSetParams)(i & 2 ? found : node, &copy));
		}
		for (int i = 0; i < 2; i++) {
			exec = instantiate(i ? clone : graph);
			copy_brings(exec, to_program, at, host[i], (char)(5 + i));
			cu_ok(cu(cuGraphExecDestroy)(exec));
		}
		cu_ok(cu(cuGraphDestroy)(clone));
		cu_ok(cu(cuGraphDestroy)(graph));
	}
	cu_ok(cu(cuMemFree_v2)(at));
	free(host[0]);
	free(host[1]);
}

struct launched {
	CUgraphExec exec;
	atomic_int begun, gate, changed;
};

static void CUDA_CB held(void *arg)
{
	struct launched *launched = arg;
	atomic_store(&launched->begun, 1);
	while (!atomic_load(&launched->gate))
		usleep(1000);
}

/* In its own stream, which nobody else can name. */
static void *launch_run(void *arg)
{
	struct launched *launched = arg;
	cu_ok(cu(cuCtxSetCurrent)(graph_test.ctx));
	cu_ok(cu(cuLaunchHostFunc)(CU_STREAM_PER_THREAD, held, launched));
	cu_ok(cu(cuGraphLaunch)(launched->exec, CU_STREAM_PER_THREAD));
	while (!atomic_load(&launched->begun))
		usleep(1000);
	atomic_store(&launched->changed, -1); /* it may be now */
	cu_ok(cu(cuStreamSynchronize)(CU_STREAM_PER_THREAD));
	return NULL;
}

/* What the launch works with stays until it has run. */
static void test_a_copy_is_changed_behind_another_threads_launch(void)
{
	CUDA_MEMCPY3D copy = { .WidthInBytes = N, .Height = 1, .Depth = 1 };
	struct launched launched = { .exec = NULL };
	char *host[3], got[N];
	CUgraphNode node;
	CUgraph graph;
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		host[i] = malloc(N);
		check(host[i]);
		memset(host[i], 'a' + i, N);
	}
	copy.srcMemoryType = CU_MEMORYTYPE_HOST;
	copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
	copy.dstDevice = graph_test.at[0];
	copy.srcHost = host[0];
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	cu_ok(cu(cuGraphAddMemcpyNode)(&node, graph, NULL, 0, &copy, graph_test.ctx));
	launched.exec = instantiate(graph);
	copy.srcHost = host[1];
	cu_ok(cu(cuGraphExecMemcpyNodeSetParams)(launched.exec, node, &copy, graph_test.ctx));
	check(!pthread_create(&thread, NULL, launch_run, &launched));
	while (!atomic_load(&launched.changed))
		usleep(1000);
	copy.srcHost = host[2];
	cu_ok(cu(cuGraphExecMemcpyNodeSetParams)(launched.exec, node, &copy, graph_test.ctx));
	atomic_store(&launched.gate, 1);
	pthread_join(thread, NULL);
	cu_ok(cu(cuMemcpyDtoH_v2)(got, graph_test.at[0], N));
	check(got[0] == 'b' && got[N - 1] == 'b');
	cu_ok(cu(cuGraphLaunch)(launched.exec, graph_test.stream));
	cu_ok(cu(cuStreamSynchronize)(graph_test.stream));
	cu_ok(cu(cuMemcpyDtoH_v2)(got, graph_test.at[0], N));
	check(got[0] == 'c' && got[N - 1] == 'c');
	cu_ok(cu(cuGraphExecDestroy)(launched.exec));
	cu_ok(cu(cuGraphDestroy)(graph));
	for (int i = 0; i < 3; i++)
		free(host[i]);
}

void graph_tests_update(void)
{
	cu_run(test_single_nodes_of_an_executable_graph_change);
	cu_run(test_a_whole_graph_updates_an_executable_one);
	cu_run(test_child_graphs_are_updated_inside);
	cu_run(test_memory_outlives_the_launch_that_allocates_it);
	cu_run(test_memory_nodes_are_freed_once);
	cu_run(test_a_launch_that_is_refused_for_its_memory_does_nothing);
	cu_run(test_memory_nodes_come_with_their_child_graph_or_not_at_all);
	cu_run(test_user_objects_go_with_the_last_who_holds_them);
	cu_run(test_an_update_takes_user_objects_along);
	cu_run(test_host_functions_of_an_update_outlive_its_graph);
	cu_run(test_a_host_function_is_changed_any_number_of_times);
	cu_run(test_a_copy_that_is_refused_leaves_no_node);
	cu_run(test_attributes_of_kernel_nodes_are_kept);
	cu_run(test_copies_are_changed_any_number_of_times);
	cu_run(test_a_copy_is_changed_behind_another_threads_launch);
}
