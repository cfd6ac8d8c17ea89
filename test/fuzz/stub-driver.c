/* Contexts, queues, samplers, and the table of all. */
#include "stub.h"

/* ---- contexts, queues, samplers ---- */

static cl_context createContext(const cl_context_properties *properties, cl_uint count, const cl_device_id *list,
				void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,
				cl_int *status)
{
	if (!count || !list || (!notify && data))
		return pl_stub_refuse(status, CL_INVALID_VALUE);
	pl_stub_list_look(list, count, PL_CL_KIND_device);
	pl_stub_list_touch(properties);
	if (notify)
		notify("a notification", "private", 8, data);
	return pl_stub_new(PL_CL_KIND_context, status);
}

static cl_context createContextFromType(const cl_context_properties *properties, cl_device_type type,
					void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
					void *data, cl_int *status)
{
	cl_device_id device = (cl_device_id)&pl_stub_devices[0];

	return type ? createContext(properties, 1, &device, notify, data, status)
		    : pl_stub_refuse(status, CL_INVALID_DEVICE_TYPE);
}

static cl_int setContextDestructor(cl_context context, void(CL_CALLBACK *gone)(cl_context, void *), void *data)
{
	struct stub *stub = pl_stub_look(context, PL_CL_KIND_context);

	stub->gone = (void(CL_CALLBACK *)(cl_mem, void *))(uintptr_t)gone;
	stub->gone_data = data;
	return CL_SUCCESS;
}

static cl_command_queue createQueue(cl_context context, cl_device_id device, cl_command_queue_properties properties,
				    cl_int *status)
{
	struct stub *queue;

	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	if (!pl_stub_look(device, PL_CL_KIND_device))
		return pl_stub_refuse(status, CL_INVALID_DEVICE);
	queue = pl_stub_new(PL_CL_KIND_queue, status);
	queue->bytes = properties;
	return (cl_command_queue)queue;
}

static cl_command_queue createQueueWithProperties(cl_context context, cl_device_id device,
						  const cl_queue_properties *list, cl_int *status)
{
	pl_stub_list_touch((const cl_context_properties *)list);
	return createQueue(context, device, list ? list[0] & 3 : 0, status);
}

static cl_int setQueueProperty(cl_command_queue queue, cl_command_queue_properties properties, cl_bool enable,
			       cl_command_queue_properties *old)
{
	struct stub *stub = pl_stub_look(queue, PL_CL_KIND_queue);

	if (!stub)
		return CL_INVALID_COMMAND_QUEUE;
	if (old)
		*old = stub->bytes;
	stub->bytes = enable ? stub->bytes | properties : stub->bytes & ~properties;
	return CL_SUCCESS;
}

static cl_int setDefaultQueue(cl_context context, cl_device_id device, cl_command_queue queue)
{
	return pl_stub_look(context, PL_CL_KIND_context) && pl_stub_look(device, PL_CL_KIND_device) &&
			       pl_stub_look(queue, PL_CL_KIND_queue)
		       ? CL_SUCCESS
		       : CL_INVALID_VALUE;
}

static cl_sampler createSampler(cl_context context, cl_bool normalized, cl_addressing_mode mode, cl_filter_mode filter,
				cl_int *status)
{
	(void)normalized;
	(void)mode;
	(void)filter;
	return pl_stub_look(context, PL_CL_KIND_context) ? pl_stub_new(PL_CL_KIND_sampler, status)
							 : pl_stub_refuse(status, CL_INVALID_CONTEXT);
}

static cl_sampler createSamplerWithProperties(cl_context context, const cl_sampler_properties *list, cl_int *status)
{
	pl_stub_list_touch((const cl_context_properties *)list);
	return createSampler(context, 0, 0, 0, status);
}

static cl_int createSubDevices(cl_device_id device, const cl_device_partition_property *list, cl_uint room,
			       cl_device_id *at, cl_uint *count)
{
	if (!pl_stub_look(device, PL_CL_KIND_device))
		return CL_INVALID_DEVICE;
	pl_stub_list_touch(list);
	if (!list || (at && room < 2))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; at && i < 2; i++)
		at[i] = pl_stub_new_below(PL_CL_KIND_device, device, NULL);
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

void pl_stub_fill_contexts(struct pl_cl_driver *driver)
{
	driver->clCreateContext = createContext;
	driver->clCreateContextFromType = createContextFromType;
	driver->clCreateCommandQueue = createQueue;
	driver->clSetCommandQueueProperty = setQueueProperty;
	driver->clCreateSampler = createSampler;
	driver->clCreateSubDevices = createSubDevices;
	driver->clCreateCommandQueueWithProperties = createQueueWithProperties;
	driver->clCreateSamplerWithProperties = createSamplerWithProperties;
	driver->clSetDefaultDeviceCommandQueue = setDefaultQueue;
	driver->clSetContextDestructorCallback = setContextDestructor;
}

/* ---- the table ---- */

void pl_stub_install(void)
{
	pl_stub_platform = (struct stub){ .magic = PL_STUB_MAGIC, .refs = 1, .kind = PL_CL_KIND_platform };
	for (int i = 0; i < 2; i++)
		pl_stub_devices[i] =
			(struct stub){ .magic = PL_STUB_MAGIC, .refs = 1u << 30, .kind = PL_CL_KIND_device };
	memset(&pl_cl, 0, sizeof(pl_cl));
	pl_stub_fill_objects(&pl_cl);
	pl_stub_fill_queries(&pl_cl);
	pl_stub_fill_contexts(&pl_cl);
	pl_stub_fill_memory(&pl_cl);
	pl_stub_fill_programs(&pl_cl);
}
