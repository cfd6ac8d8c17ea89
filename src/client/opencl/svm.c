/* Shared virtual memory.  Not carried yet: devices say that they have none, and its functions answer as theirs do. */
#include "client/opencl/call.h"
#include "client/opencl/types.h"

cl_device_svm_capabilities pl_cl_svm_caps(struct pl_cl_device *device, cl_device_svm_capabilities caps)
{
	(void)device, (void)caps;
	return 0;
}

void pl_cl_svm_fini(struct pl_cl_context *context)
{
	(void)context;
}

uint64_t pl_cl_svm_store(struct pl_cl_context *context, const void *ptr, size_t size)
{
	(void)context, (void)ptr, (void)size;
	return PL_ARENA_NONE;
}

void pl_cl_svm_reverse_free(struct pl_cl_server *server, uint64_t token)
{
	(void)server, (void)token;
}

void pl_cl_svm_freeing_lost(void *freeing)
{
	(void)freeing;
}

static cl_int queue_without(cl_command_queue queue)
{
	return pl_cl_get(queue, PL_CL_KIND_queue) ? CL_INVALID_OPERATION : CL_INVALID_COMMAND_QUEUE;
}

void *pl_cl_stub_clSVMAlloc(cl_context context, cl_svm_mem_flags flags, size_t size, cl_uint alignment)
{
	(void)context, (void)flags, (void)size, (void)alignment;
	return NULL;
}

void pl_cl_stub_clSVMFree(cl_context context, void *svm_pointer)
{
	(void)context, (void)svm_pointer;
}

cl_int pl_cl_stub_clEnqueueSVMFree(cl_command_queue command_queue, cl_uint num_svm_pointers, void **svm_pointers,
				   void (*pfn_free_func)(cl_command_queue, cl_uint, void **, void *), void *user_data,
				   cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	(void)num_svm_pointers, (void)svm_pointers, (void)pfn_free_func, (void)user_data;
	(void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	return queue_without(command_queue);
}

cl_int pl_cl_stub_clEnqueueSVMMemcpy(cl_command_queue command_queue, cl_bool blocking_copy, void *dst_ptr,
				     const void *src_ptr, size_t size, cl_uint num_events_in_wait_list,
				     const cl_event *event_wait_list, cl_event *event)
{
	(void)blocking_copy, (void)dst_ptr, (void)src_ptr, (void)size;
	(void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	return queue_without(command_queue);
}

cl_int pl_cl_stub_clEnqueueSVMMemFill(cl_command_queue command_queue, void *svm_ptr, const void *pattern,
				      size_t pattern_size, size_t size, cl_uint num_events_in_wait_list,
				      const cl_event *event_wait_list, cl_event *event)
{
	(void)svm_ptr, (void)pattern, (void)pattern_size, (void)size;
	(void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	return queue_without(command_queue);
}

cl_int pl_cl_stub_clEnqueueSVMMap(cl_command_queue command_queue, cl_bool blocking_map, cl_map_flags flags, void *svm_ptr,
				  size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
				  cl_event *event)
{
	(void)blocking_map, (void)flags, (void)svm_ptr, (void)size;
	(void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	return queue_without(command_queue);
}

cl_int pl_cl_stub_clEnqueueSVMUnmap(cl_command_queue command_queue, void *svm_ptr, cl_uint num_events_in_wait_list,
				    const cl_event *event_wait_list, cl_event *event)
{
	(void)svm_ptr, (void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	return queue_without(command_queue);
}

cl_int pl_cl_stub_clEnqueueSVMMigrateMem(cl_command_queue command_queue, cl_uint num_svm_pointers,
					 const void **svm_pointers, const size_t *sizes, cl_mem_migration_flags flags,
					 cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
					 cl_event *event)
{
	(void)num_svm_pointers, (void)svm_pointers, (void)sizes, (void)flags;
	(void)num_events_in_wait_list, (void)event_wait_list, (void)event;
	return queue_without(command_queue);
}

cl_int pl_cl_stub_clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint arg_index, const void *arg_value)
{
	(void)arg_index, (void)arg_value;
	return pl_cl_get(kernel, PL_CL_KIND_kernel) ? CL_INVALID_OPERATION : CL_INVALID_KERNEL;
}

cl_int pl_cl_stub_clSetKernelExecInfo(cl_kernel kernel, cl_kernel_exec_info param_name, size_t param_value_size,
				      const void *param_value)
{
	(void)param_name, (void)param_value_size, (void)param_value;
	return pl_cl_get(kernel, PL_CL_KIND_kernel) ? CL_INVALID_OPERATION : CL_INVALID_KERNEL;
}
