/*
 * Objects that one thread destroys while others use them, and that two threads destroy.  CUDA leaves what becomes of it
 * to the program; here each call does what it was asked for or says that there is no such object, and nothing else is
 * harmed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "cu.h"

#define SHELF  4 /* objects at a time */
#define USERS  3
#define ROUNDS 300

struct kind {
	uint64_t (*make)(void);
	CUresult (*end)(uint64_t object);
	void (*use)(uint64_t object);
};

static CUcontext context;
static const struct kind *kind;
static _Atomic uint64_t shelf[SHELF];
static atomic_bool over;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint made, ended, used, unknown;
static __thread CUstream own;
static __thread CUevent own_event;
static __thread CUdeviceptr memory;
static __thread unsigned int seed;

static const char text[] = ".version 7.0\n.target sm_70\n.address_size 64\n"
			   ".visible .global .align 4 .u32 word;\n.global .texref picture;\n"
			   ".visible .entry store(.param .u64 to)\n{\n.reg .u64 %a;\n"
			   "ld.param.u64 %a, [to];\nst.global.u32 [%a], 7;\nret;\n}\n";

/* What the driver may say of an object that another thread destroys. */
static void may(CUresult result)
{
	atomic_fetch_add(&used, 1);
	switch (result) {
	case CUDA_SUCCESS:
	case CUDA_ERROR_NOT_READY:
		return;
	case CUDA_ERROR_INVALID_HANDLE:
	case CUDA_ERROR_INVALID_VALUE:
	case CUDA_ERROR_INVALID_CONTEXT:
	case CUDA_ERROR_CONTEXT_IS_DESTROYED:
		atomic_fetch_add(&unknown, 1);
		return;
	default:
		cu_compare(result, CUDA_SUCCESS, "a call for an object that may be gone", __FILE__, __LINE__);
	}
}

#define MAY(function, ...) may(cu(function)(__VA_ARGS__))

static unsigned int pick(unsigned int n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static void thread_begin(unsigned int number)
{
	seed = number;
	cu_ok(cu(cuCtxSetCurrent)(context));
	cu_ok(cu(cuStreamCreate)(&own, CU_STREAM_NON_BLOCKING));
	cu_ok(cu(cuEventCreate)(&own_event, CU_EVENT_DEFAULT));
	cu_ok(cu(cuMemAlloc_v2)(&memory, 4096));
}

static void thread_end(void)
{
	cu_ok(cu(cuStreamSynchronize)(own));
	cu_ok(cu(cuStreamDestroy_v2)(own));
	cu_ok(cu(cuEventDestroy_v2)(own_event));
	cu_ok(cu(cuMemFree_v2)(memory));
}

static void *user_main(void *arg)
{
	thread_begin((unsigned int)(uintptr_t)arg);
	while (!atomic_load(&over)) {
		uint64_t object = atomic_load(&shelf[pick(SHELF)]);
		if (object)
			kind->use(object);
	}
	thread_end();
	return NULL;
}

/* One of those who destroy is told that it has. */
static void end(uint64_t object)
{
	CUresult result = kind->end(object);
	if (result == CUDA_SUCCESS)
		atomic_fetch_add(&ended, 1);
	else
		may(result);
}

/* Destroys what is there without taking it away: the one who made it does so, too. */
static void *ender_main(void *arg)
{
	thread_begin((unsigned int)(uintptr_t)arg);
	while (!atomic_load(&over)) {
		uint64_t object = atomic_load(&shelf[pick(SHELF)]);
		if (object && !pick(4))
			end(object);
	}
	thread_end();
	return NULL;
}

static void objects_pass(const struct kind *of)
{
	pthread_t threads[USERS + 1];
	uintptr_t n = 0;
	kind = of;
	atomic_store(&over, false);
	atomic_store(&made, 0);
	atomic_store(&ended, 0);
	for (; n < USERS; n++)
		check(!pthread_create(&threads[n], NULL, user_main, (void *)(n + 1)));
	check(!pthread_create(&threads[n], NULL, ender_main, (void *)(n + 1)));
	thread_begin(99);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t old = atomic_exchange(&shelf[i % SHELF], kind->make());
		atomic_fetch_add(&made, 1);
		if (old)
			end(old);
	}
	for (int i = 0; i < SHELF; i++)
		end(atomic_exchange(&shelf[i], 0));
	atomic_store(&over, true);
	for (unsigned int i = 0; i <= USERS; i++)
		check(!pthread_join(threads[i], NULL));
	thread_end();
	cu_ok(cu(cuCtxSynchronize)());
}

/* -- streams and events -------------------------------------------------------------------------------------------- */

static uint64_t event_make(void)
{
	CUevent event;
	cu_ok(cu(cuEventCreate)(&event, CU_EVENT_DEFAULT));
	cu_ok(cu(cuEventRecord)(event, own));
	return (uint64_t)(uintptr_t)event;
}

static CUresult event_end(uint64_t object)
{
	return cu(cuEventDestroy_v2)((CUevent)(uintptr_t)object);
}

static void event_use(uint64_t object)
{
	CUevent event = (CUevent)(uintptr_t)object;
	float ms;
	MAY(cuEventRecord, event, own);
	MAY(cuEventQuery, event);
	MAY(cuStreamWaitEvent, own, event, 0);
	MAY(cuEventSynchronize, event);
	MAY(cuEventElapsedTime, &ms, event, event);
}

static uint64_t stream_make(void)
{
	CUstream stream;
	cu_ok(cu(cuStreamCreate)(&stream, pick(2) ? CU_STREAM_NON_BLOCKING : CU_STREAM_DEFAULT));
	cu_ok(cu(cuMemsetD8Async)(memory, 1, 4096, stream));
	return (uint64_t)(uintptr_t)stream;
}

static CUresult stream_end(uint64_t object)
{
	return cu(cuStreamDestroy_v2)((CUstream)(uintptr_t)object);
}

static void CUDA_CB nothing(void *unused)
{
	(void)unused;
}

static void stream_use(uint64_t object)
{
	CUstream stream = (CUstream)(uintptr_t)object;
	CUdeviceptr piece;
	CUresult result;
	int priority;
	MAY(cuMemsetD8Async, memory, 2, 4096, stream);
	MAY(cuEventRecord, own_event, stream);
	MAY(cuStreamQuery, stream);
	MAY(cuLaunchHostFunc, stream, nothing, NULL);
	MAY(cuStreamGetPriority, stream, &priority);
	result = cu(cuMemAllocAsync)(&piece, 512, stream);
	may(result);
	if (result == CUDA_SUCCESS)
		cu_ok(cu(cuMemFreeAsync)(piece, own));
	MAY(cuStreamWaitEvent, stream, own_event, 0);
	MAY(cuStreamSynchronize, stream);
	cu_ok(cu(cuMemsetD8_v2)(memory, 3, 64)); /* the legacy stream looks at all others */
}

/* -- contexts ------------------------------------------------------------------------------------------------------ */

static uint64_t context_make(void)
{
	CUcontext made_context, popped;
	cu_ok(cu(cuCtxCreate_v2)(&made_context, 0, 0));
	cu_ok(cu(cuCtxPopCurrent_v2)(&popped));
	return (uint64_t)(uintptr_t)made_context;
}

static CUresult context_end(uint64_t object)
{
	return cu(cuCtxDestroy_v2)((CUcontext)(uintptr_t)object);
}

static void context_use(uint64_t object)
{
	CUcontext popped;
	CUdeviceptr piece;
	CUstream stream;
	CUevent event;
	CUarray array;
	CUDA_ARRAY_DESCRIPTOR shape = { 8, 8, CU_AD_FORMAT_UNSIGNED_INT8, 1 };
	CUresult result = cu(cuCtxPushCurrent_v2)((CUcontext)(uintptr_t)object);
	may(result);
	if (result != CUDA_SUCCESS)
		return;
	if (cu(cuMemAlloc_v2)(&piece, 4096) == CUDA_SUCCESS)
		MAY(cuMemsetD8_v2, piece, 1, 1);
	MAY(cuArrayCreate_v2, &array, &shape); /* both go with it */
	if (cu(cuEventCreate)(&event, 0) == CUDA_SUCCESS) {
		if (cu(cuStreamCreate)(&stream, 0) == CUDA_SUCCESS) {
			MAY(cuEventRecord, event, stream);
			MAY(cuStreamSynchronize, stream);
			MAY(cuEventQuery, event);
			if (pick(2))
				MAY(cuStreamDestroy_v2, stream);
		}
		MAY(cuEventQuery, event);
		MAY(cuEventDestroy_v2, event);
	}
	MAY(cuCtxSynchronize);
	cu_ok(cu(cuCtxPopCurrent_v2)(&popped));
}

/* -- code ---------------------------------------------------------------------------------------------------------- */

static void function_use(CUfunction function)
{
	void *arguments[] = { &memory };
	int registers;
	MAY(cuFuncGetAttribute, &registers, CU_FUNC_ATTRIBUTE_NUM_REGS, function);
	MAY(cuLaunchKernel, function, 1, 1, 1, 32, 1, 1, 0, own, arguments, NULL);
	if (!pick(4)) /* whoever unloads waits for all of them */
		cu_ok(cu(cuStreamSynchronize)(own));
}

static uint64_t module_make(void)
{
	CUmodule module;
	cu_ok(cu(cuModuleLoadData)(&module, text));
	return (uint64_t)(uintptr_t)module;
}

static CUresult module_end(uint64_t object)
{
	return cu(cuModuleUnload)((CUmodule)(uintptr_t)object);
}

static void module_use(uint64_t object)
{
	CUmodule module = (CUmodule)(uintptr_t)object;
	CUfunction function = NULL;
	CUdeviceptr word;
	CUtexref texref;
	size_t bytes;
	CUresult result = cu(cuModuleGetFunction)(&function, module, "store");
	may(result);
	if (result == CUDA_SUCCESS)
		function_use(function);
	MAY(cuModuleGetGlobal_v2, &word, &bytes, module, "word");
	result = cu(cuModuleGetTexRef)(&texref, module, "picture");
	may(result);
	pthread_mutex_lock(&turn); /* two threads that set one reference are the program's affair */
	if (result == CUDA_SUCCESS) {
		MAY(cuTexRefSetFormat, texref, CU_AD_FORMAT_UNSIGNED_INT8, 1);
		MAY(cuTexRefSetAddress_v2, &bytes, texref, memory, 4096);
	}
	pthread_mutex_unlock(&turn);
	if (function)
		function_use(function);
}

static uint64_t library_make(void)
{
	CUlibrary library;
	cu_ok(cu(cuLibraryLoadData)(&library, text, NULL, NULL, 0, NULL, NULL, 0));
	return (uint64_t)(uintptr_t)library;
}

static CUresult library_end(uint64_t object)
{
	return cu(cuLibraryUnload)((CUlibrary)(uintptr_t)object);
}

static void library_use(uint64_t object)
{
	CUlibrary library = (CUlibrary)(uintptr_t)object, of;
	CUfunction function;
	CUdeviceptr word;
	CUkernel kernel;
	CUmodule module;
	size_t bytes;
	CUresult result = cu(cuLibraryGetKernel)(&kernel, library, "store");
	may(result);
	if (result == CUDA_SUCCESS) {
		MAY(cuKernelGetLibrary, &of, kernel);
		function_use((CUfunction)kernel);
		result = cu(cuKernelGetFunction)(&function, kernel);
		may(result);
		if (result == CUDA_SUCCESS)
			function_use(function);
	}
	MAY(cuLibraryGetGlobal, &word, &bytes, library, "word");
	MAY(cuLibraryGetModule, &module, library);
}

static uint64_t link_make(void)
{
	CUlinkState link;
	cu_ok(cu(cuLinkCreate_v2)(0, NULL, NULL, &link));
	cu_ok(cu(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, (void *)(uintptr_t)text, sizeof(text), "store", 0, NULL,
				   NULL));
	return (uint64_t)(uintptr_t)link;
}

static CUresult link_end(uint64_t object)
{
	return cu(cuLinkDestroy)((CUlinkState)(uintptr_t)object);
}

static void link_use(uint64_t object)
{
	MAY(cuLinkAddData_v2, (CUlinkState)(uintptr_t)object, CU_JIT_INPUT_PTX, NULL, 0, "none", 0, NULL, NULL);
}

/* -- arrays and textures ------------------------------------------------------------------------------------------- */

static const CUDA_ARRAY_DESCRIPTOR picture = { 16, 16, CU_AD_FORMAT_UNSIGNED_INT8, 1 };

static uint64_t array_make(void)
{
	CUarray array;
	cu_ok(cu(cuArrayCreate_v2)(&array, &picture));
	return (uint64_t)(uintptr_t)array;
}

static CUresult array_end(uint64_t object)
{
	return cu(cuArrayDestroy)((CUarray)(uintptr_t)object);
}

static void array_use(uint64_t object)
{
	CUarray array = (CUarray)(uintptr_t)object;
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_ARRAY, .res.array.hArray = array };
	CUDA_TEXTURE_DESC how = { .flags = 0 };
	CUDA_ARRAY_DESCRIPTOR shape;
	CUtexObject texture;
	CUresult result;
	MAY(cuArrayGetDescriptor_v2, &shape, array);
	MAY(cuMemcpyDtoA_v2, array, 0, memory, 16);
	MAY(cuMemcpyAtoD_v2, memory, array, 0, 16);
	result = cu(cuTexObjectCreate)(&texture, &resource, &how, NULL);
	may(result);
	if (result == CUDA_SUCCESS)
		cu_ok(cu(cuTexObjectDestroy)(texture));
}

static uint64_t levels_make(void)
{
	const CUDA_ARRAY3D_DESCRIPTOR shape = {
		.Width = 16, .Height = 16, .Format = CU_AD_FORMAT_UNSIGNED_INT8, .NumChannels = 1
	};
	CUmipmappedArray levels;
	cu_ok(cu(cuMipmappedArrayCreate)(&levels, &shape, 3));
	return (uint64_t)(uintptr_t)levels;
}

static CUresult levels_end(uint64_t object)
{
	return cu(cuMipmappedArrayDestroy)((CUmipmappedArray)(uintptr_t)object);
}

static void levels_use(uint64_t object)
{
	CUarray level;
	CUresult result = cu(cuMipmappedArrayGetLevel)(&level, (CUmipmappedArray)(uintptr_t)object, pick(3));
	may(result);
	if (result == CUDA_SUCCESS)
		MAY(cuMemcpyDtoA_v2, level, 0, memory, 4);
}

static uint64_t texture_make(void)
{
	CUDA_RESOURCE_DESC resource = { .resType = CU_RESOURCE_TYPE_LINEAR };
	CUDA_TEXTURE_DESC how = { .flags = CU_TRSF_READ_AS_INTEGER };
	CUtexObject texture;
	resource.res.linear.devPtr = memory;
	resource.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT8;
	resource.res.linear.numChannels = 1;
	resource.res.linear.sizeInBytes = 256;
	cu_ok(cu(cuTexObjectCreate)(&texture, &resource, &how, NULL));
	return texture;
}

/* Numbers of textures come back into use soon: who destroys one twice may destroy another. */
static CUresult texture_end(uint64_t object)
{
	CUresult result = cu(cuTexObjectDestroy)(object);
	may(result);
	return result;
}

static void texture_use(uint64_t object)
{
	CUDA_RESOURCE_DESC resource;
	CUDA_TEXTURE_DESC how;
	MAY(cuTexObjectGetResourceDesc, &resource, object);
	MAY(cuTexObjectGetTextureDesc, &how, object);
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

static uint64_t pool_make(void)
{
	CUmemPoolProps props = { .allocType = CU_MEM_ALLOCATION_TYPE_PINNED,
				 .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemoryPool pool;
	cu_ok(cu(cuMemPoolCreate)(&pool, &props));
	return (uint64_t)(uintptr_t)pool;
}

static CUresult pool_end(uint64_t object)
{
	return cu(cuMemPoolDestroy)((CUmemoryPool)(uintptr_t)object);
}

static void pool_use(uint64_t object)
{
	CUmemoryPool pool = (CUmemoryPool)(uintptr_t)object;
	CUdeviceptr piece;
	cuuint64_t n;
	CUresult result = cu(cuMemAllocFromPoolAsync)(&piece, 4096, pool, own);
	may(result);
	if (result == CUDA_SUCCESS)
		cu_ok(cu(cuMemFreeAsync)(piece, own));
	MAY(cuMemPoolGetAttribute, pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &n);
	MAY(cuMemPoolTrimTo, pool, 0);
	MAY(cuDeviceSetMemPool, 0, pool);
	cu_ok(cu(cuMemAllocAsync)(&piece, 512, own));
	cu_ok(cu(cuMemFreeAsync)(piece, own));
}

static const CUmemAllocationProp physical = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
					      .location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };

static uint64_t physical_make(void)
{
	CUmemGenericAllocationHandle handle;
	cu_ok(cu(cuMemCreate)(&handle, 2u << 20, &physical, 0));
	return handle;
}

static CUresult physical_end(uint64_t object)
{
	return cu(cuMemRelease)(object);
}

static void physical_use(uint64_t object)
{
	CUmemAllocationProp props;
	MAY(cuMemGetAllocationPropertiesFromHandle, &props, object);
}

/* -- graphs -------------------------------------------------------------------------------------------------------- */

static CUgraph graph_of_fills(void)
{
	CUDA_MEMSET_NODE_PARAMS fill = { .dst = memory, .value = 5, .elementSize = 1, .width = 64, .height = 1 };
	CUgraphNode nodes[4];
	CUgraph graph;
	cu_ok(cu(cuGraphCreate)(&graph, 0));
	for (int i = 0; i < 4; i++)
		cu_ok(cu(cuGraphAddMemsetNode)(&nodes[i], graph, nodes, i ? 1 : 0, &fill, context));
	return graph;
}

static uint64_t graph_make(void)
{
	return (uint64_t)(uintptr_t)graph_of_fills();
}

static CUresult graph_end(uint64_t object)
{
	return cu(cuGraphDestroy)((CUgraph)(uintptr_t)object);
}

/* One at a time: CUDA lets no two threads use a graph. */
static void graph_use(uint64_t object)
{
	CUgraph graph = (CUgraph)(uintptr_t)object, clone;
	CUgraphNode nodes[4], after[4];
	CUgraphNodeType type;
	size_t n = 4, n_after = 4;
	CUgraphExec exec;
	CUresult result;
	pthread_mutex_lock(&turn);
	result = cu(cuGraphGetNodes)(graph, nodes, &n);
	may(result);
	if (result == CUDA_SUCCESS && n == 4) {
		MAY(cuGraphNodeGetType, nodes[pick(4)], &type);
		MAY(cuGraphNodeGetDependentNodes, nodes[0], after, &n_after);
	}
	result = cu(cuGraphClone)(&clone, graph);
	may(result);
	if (result == CUDA_SUCCESS)
		cu_ok(cu(cuGraphDestroy)(clone));
	result = cu(cuGraphInstantiateWithFlags)(&exec, graph, 0);
	may(result);
	if (result == CUDA_SUCCESS)
		cu_ok(cu(cuGraphExecDestroy)(exec));
	pthread_mutex_unlock(&turn);
}

static uint64_t exec_make(void)
{
	CUgraph graph = graph_of_fills();
	CUgraphExec exec;
	cu_ok(cu(cuGraphInstantiateWithFlags)(&exec, graph, 0));
	cu_ok(cu(cuGraphDestroy)(graph));
	return (uint64_t)(uintptr_t)exec;
}

static CUresult exec_end(uint64_t object)
{
	return cu(cuGraphExecDestroy)((CUgraphExec)(uintptr_t)object);
}

static void exec_use(uint64_t object)
{
	cuuint64_t flags;
	MAY(cuGraphLaunch, (CUgraphExec)(uintptr_t)object, own);
	MAY(cuGraphExecGetFlags, (CUgraphExec)(uintptr_t)object, &flags);
	if (!pick(4))
		cu_ok(cu(cuStreamSynchronize)(own));
}

static atomic_uint destroyed;

static void CUDA_CB object_destroyed(void *unused)
{
	(void)unused;
	atomic_fetch_add(&destroyed, 1);
}

static uint64_t user_object_make(void)
{
	CUuserObject object;
	cu_ok(cu(cuUserObjectCreate)(&object, NULL, object_destroyed, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
	return (uint64_t)(uintptr_t)object;
}

static CUresult user_object_end(uint64_t object)
{
	return cu(cuUserObjectRelease)((CUuserObject)(uintptr_t)object, 1);
}

static void user_object_use(uint64_t object)
{
	CUresult result = cu(cuUserObjectRetain)((CUuserObject)(uintptr_t)object, 1);
	may(result);
	if (result == CUDA_SUCCESS)
		MAY(cuUserObjectRelease, (CUuserObject)(uintptr_t)object, 1);
}

/* -- all of them -----------------------------------------------------------------------------------------------------
 */

/* Each is destroyed once, whoever tries. */
static void pass_once(const struct kind *of)
{
	objects_pass(of);
	check(atomic_load(&ended) == atomic_load(&made));
}

static void test_events_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ event_make, event_end, event_use });
}

static void test_streams_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ stream_make, stream_end, stream_use });
}

static void test_contexts_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ context_make, context_end, context_use });
}

static void test_modules_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ module_make, module_end, module_use });
}

static void test_libraries_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ library_make, library_end, library_use });
}

static void test_link_states_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ link_make, link_end, link_use });
}

static void test_arrays_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ array_make, array_end, array_use });
}

static void test_mipmapped_arrays_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ levels_make, levels_end, levels_use });
}

static void test_textures_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ texture_make, texture_end, texture_use });
}

static void test_pools_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ pool_make, pool_end, pool_use });
}

static void test_pieces_of_memory_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ physical_make, physical_end, physical_use });
}

static void test_graphs_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ graph_make, graph_end, graph_use });
}

static void test_executable_graphs_end_while_others_use_them(void)
{
	pass_once(&(struct kind){ exec_make, exec_end, exec_use });
}

/* Whoever retains one may have his reference given up by others: its end is what happens once. */
static void test_user_objects_end_while_others_use_them(void)
{
	objects_pass(&(struct kind){ user_object_make, user_object_end, user_object_use });
	check(atomic_load(&destroyed) == atomic_load(&made));
}

static void context_pass(void)
{
	CUcontext gone, popped;
	CUarray array;
	CUstream stream;
	CUevent event;
	CUdeviceptr piece;
	cu_ok(cu(cuCtxCreate_v2)(&gone, 0, 0));
	cu_ok(cu(cuStreamCreate)(&stream, 0));
	cu_ok(cu(cuEventCreate)(&event, 0));
	cu_ok(cu(cuEventRecord)(event, stream));
	cu_ok(cu(cuArrayCreate_v2)(&array, &picture));
	cu_ok(cu(cuMemAlloc_v2)(&piece, 1 << 20));
	cu_ok(cu(cuCtxPopCurrent_v2)(&popped));
	cu_ok(cu(cuCtxDestroy_v2)(gone));
	cu_is(cu(cuEventQuery)(event), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuStreamQuery)(stream), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuStreamDestroy_v2)(stream), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuArrayDestroy)(array), CUDA_ERROR_INVALID_HANDLE);
	cu_is(cu(cuCtxDestroy_v2)(gone), CUDA_ERROR_CONTEXT_IS_DESTROYED);
	cu_is(cu(cuEventDestroy_v2)(event), CUDA_ERROR_INVALID_HANDLE);
}

/* By one thread alone.  The device's page tables stay, so that only what comes behind the first pass tells. */
static void test_what_was_made_in_a_context_goes_with_it(void)
{
	size_t before, after, all;
	context_pass();
	cu_ok(cu(cuMemGetInfo_v2)(&before, &all));
	for (int i = 0; i < 5; i++)
		context_pass();
	cu_ok(cu(cuMemGetInfo_v2)(&after, &all));
	check(before == after);
}

int main(void)
{
	context = cu_begin();
	cu_run(test_events_end_while_others_use_them);
	cu_run(test_streams_end_while_others_use_them);
	cu_run(test_contexts_end_while_others_use_them);
	cu_run(test_modules_end_while_others_use_them);
	cu_run(test_libraries_end_while_others_use_them);
	cu_run(test_link_states_end_while_others_use_them);
	cu_run(test_arrays_end_while_others_use_them);
	cu_run(test_mipmapped_arrays_end_while_others_use_them);
	cu_run(test_textures_end_while_others_use_them);
	cu_run(test_pools_end_while_others_use_them);
	cu_run(test_pieces_of_memory_end_while_others_use_them);
	cu_run(test_graphs_end_while_others_use_them);
	cu_run(test_executable_graphs_end_while_others_use_them);
	cu_run(test_user_objects_end_while_others_use_them);
	cu_run(test_what_was_made_in_a_context_goes_with_it);
	check(atomic_load(&used) > ROUNDS);
	printf("%u calls for objects that may be gone, %u of them were\n", atomic_load(&used), atomic_load(&unknown));
	return 0;
}
