/* What single calls answer, at once: a client that posted or answered them by itself said something else. */
#include "cu.h"

static CUmodule module;

static void test_a_launch_goes_by_all_of_its_attributes(void)
{
	CUfunction function = cu_function(module, "store");
	int value = 9, got = 0;
	CUdeviceptr at;
	void *params[] = { &at, &value };
	CUlaunchAttribute cluster = { .id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, .value.clusterDim = { 1, 1, 1 } };
	CUlaunchConfig config = {
		.gridDimX = 1,
		.gridDimY = 1,
		.gridDimZ = 1,
		.blockDimX = 1,
		.blockDimY = 1,
		.blockDimZ = 1,
		.attrs = &cluster,
		.numAttrs = 1,
	};
	cu_ok(cu(cuMemAlloc_v2)(&at, 4));
	for (int i = 0; i < 2; i++)
		cu_ok(cu(cuLaunchKernelEx)(&config, function, params, NULL));
	for (int i = 0; i < 3; i++) { /* a cluster larger than the grid, whichever way */
		cluster.value.clusterDim.x = i == 0 ? 2 : 1;
		cluster.value.clusterDim.y = i == 1 ? 2 : 1;
		cluster.value.clusterDim.z = i == 2 ? 2 : 1;
		check(cu(cuLaunchKernelEx)(&config, function, params, NULL) != CUDA_SUCCESS);
	}
	cu_ok(cu(cuCtxSynchronize)());
	cu_ok(cu(cuMemcpyDtoH_v2)(&got, at, 4));
	check(got == 9);
	cu_ok(cu(cuMemFree_v2)(at));
}

static void test_flags_of_a_context_are_those_that_were_set(void)
{
	unsigned int flags;
	CUcontext own;
	cu_ok(cu(cuCtxCreate_v2)(&own, 0, 0));
	cu_ok(cu(cuCtxSetFlags)(CU_CTX_SCHED_BLOCKING_SYNC));
	cu_ok(cu(cuCtxGetFlags)(&flags));
	check((flags & CU_CTX_SCHED_MASK) == CU_CTX_SCHED_BLOCKING_SYNC);
	cu_ok(cu(cuCtxDestroy_v2)(own));
}

static void test_who_detaches_from_a_context_ends_it(void)
{
	CUcontext own, now, before;
	unsigned long long number;
	cu_ok(cu(cuCtxGetCurrent)(&before));
	cu_ok(cu(cuCtxCreate_v2)(&own, 0, 0));
	cu_ok(cu(cuCtxDetach)(own));
	cu_ok(cu(cuCtxGetCurrent)(&now));
	check(now == before);
	check(cu(cuCtxGetId)(own, &number) != CUDA_SUCCESS);
	cu_is(cu(cuCtxDetach)(NULL), CUDA_ERROR_INVALID_VALUE);
}

static void test_a_batch_is_looked_at_no_further_than_its_limit(void)
{
	CUstreamBatchMemOpParams operation = { .operation = CU_STREAM_MEM_OP_WRITE_VALUE_32 };
	CUstream stream;
	cu_ok(cu(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
	cu_is(cu(cuStreamBatchMemOp_v2)(stream, 1u << 16, &operation, 0), CUDA_ERROR_INVALID_VALUE);
	cu_is(cu(cuStreamBatchMemOp_v2)(stream, 1, &operation, 77), CUDA_ERROR_INVALID_VALUE);
	cu_ok(cu(cuStreamDestroy_v2)(stream));
}

/* As long as a kernel's may be. */
static void test_arguments_of_before_cuda_4_are_long(void)
{
	CUfunction function = cu_function(module, "store");
	cu_ok(cu(cuParamSeti)(function, 8192, 3));
	cu_ok(cu(cuParamSetSize)(function, 8196));
	cu_is(cu(cuParamSetSize)(function, 1u << 30), CUDA_ERROR_INVALID_VALUE);
}

static void test_contexts_of_an_empty_copy_are_looked_at(void)
{
	CUDA_MEMCPY3D_PEER copy = { .srcMemoryType = CU_MEMORYTYPE_DEVICE, .dstMemoryType = CU_MEMORYTYPE_DEVICE };
	CUcontext gone;
	cu_ok(cu(cuCtxCreate_v2)(&gone, 0, 0));
	cu_ok(cu(cuCtxDestroy_v2)(gone));
	copy.srcContext = copy.dstContext = gone;
	check(cu(cuMemcpy3DPeer)(&copy) != CUDA_SUCCESS);
}

int main(void)
{
	CUcontext ctx = cu_begin();
	char *text = cu_ptx("kernels.ptx");
	cu_ok(cu(cuModuleLoadData)(&module, text));
	free(text);
	cu_run(test_a_launch_goes_by_all_of_its_attributes);
	cu_run(test_flags_of_a_context_are_those_that_were_set);
	cu_run(test_who_detaches_from_a_context_ends_it);
	cu_run(test_a_batch_is_looked_at_no_further_than_its_limit);
	cu_run(test_arguments_of_before_cuda_4_are_long);
	cu_run(test_contexts_of_an_empty_copy_are_looked_at);
	cu_ok(cu(cuModuleUnload)(module));
	cu_ok(cu(cuCtxDestroy_v2)(ctx));
	return 0;
}
