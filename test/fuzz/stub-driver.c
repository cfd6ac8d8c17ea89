#include "stub-driver.h"

#include <stdatomic.h>

#include "backend/opencl/mem.h"
#include "fuzz.h"

#define MAGIC      0x73747562u
#define BINARY     "a program's binary"
#define ARGS_COUNT 5u /* of every kernel: global memory, int, local memory, sampler, queue */

/* Each kind of object is one of these. */
struct stub {
	const void *dispatch; /* where real ones have their table */
	uint32_t magic;
	_Atomic uint32_t refs; /* the backend's pusher lets go of objects too */
	enum pl_cl_object_kind kind;
	struct stub *parent; /* retained: buffer of a sub-buffer, context of a program, program of a kernel */
	uint8_t *memory;     /* of a buffer or image */
	size_t bytes, dims[3], element;
	bool own; /* memory was allocated */
	void(CL_CALLBACK *gone)(cl_mem, void *);
	void *gone_data;
	/* events */
	_Atomic cl_int status;
	bool user;
	struct callback *callbacks;
};

struct callback {
	struct callback *next;
	void(CL_CALLBACK *call)(cl_event, cl_int, void *);
	void *data;
};

/* What is done when a command runs: bytes go from one place to the other; a place of none is NULL. */
struct command {
	struct command *next;
	struct stub *event;  /* retained */
	struct stub *object; /* retained: memory object that is used, or NULL */
	uint8_t *to;
	const uint8_t *from;
	size_t bytes;
};

static struct stub platform, devices[2];
static struct command *queued, **queued_last = &queued;
static _Atomic unsigned alive;
static bool lazy_now;

/* ---- objects ---- */

/* NULL is for the caller to answer. */
static struct stub *look(const void *handle, enum pl_cl_object_kind kind)
{
	struct stub *stub = (struct stub *)(uintptr_t)handle;

	if (stub)
		pl_fuzz_check(stub->magic == MAGIC && stub->kind == kind && stub->refs);
	return stub;
}

static void *stub_new(enum pl_cl_object_kind kind, cl_int *status)
{
	struct stub *stub = calloc(1, sizeof(*stub));

	pl_fuzz_check(stub != NULL);
	*stub = (struct stub){ .magic = MAGIC, .refs = 1, .kind = kind };
	alive++;
	if (status)
		*status = CL_SUCCESS;
	return stub;
}

static void *stub_new_below(enum pl_cl_object_kind kind, const void *parent, cl_int *status)
{
	struct stub *stub = stub_new(kind, status);

	stub->parent = (struct stub *)(uintptr_t)parent;
	stub->parent->refs++;
	return stub;
}

static cl_int ref(void *handle, enum pl_cl_object_kind kind, cl_int invalid)
{
	struct stub *stub = look(handle, kind);

	if (!stub)
		return invalid;
	stub->refs++;
	return CL_SUCCESS;
}

static cl_int unref(void *handle, enum pl_cl_object_kind kind, cl_int invalid)
{
	struct stub *stub = look(handle, kind);

	if (!stub)
		return invalid;
	if (atomic_fetch_sub(&stub->refs, 1) != 1)
		return CL_SUCCESS;
	if (stub->gone)
		stub->gone((cl_mem)stub, stub->gone_data);
	if (stub->own)
		free(stub->memory);
	if (stub->parent)
		unref(stub->parent, stub->parent->kind, 0);
	while (stub->callbacks) {
		struct callback *callback = stub->callbacks;

		stub->callbacks = callback->next;
		free(callback);
	}
	alive--;
	free(stub);
	return CL_SUCCESS;
}

static void *refuse(cl_int *status, cl_int code)
{
	if (status)
		*status = code;
	return NULL;
}

#define REFS(Name, type, kind, invalid)                                                                                \
	static cl_int retain##Name(type handle)                                                                        \
	{                                                                                                              \
		return ref(handle, PL_CL_KIND_##kind, invalid);                                                        \
	}                                                                                                              \
	static cl_int release##Name(type handle)                                                                       \
	{                                                                                                              \
		return unref(handle, PL_CL_KIND_##kind, invalid);                                                      \
	}
REFS(Context, cl_context, context, CL_INVALID_CONTEXT)
REFS(Queue, cl_command_queue, queue, CL_INVALID_COMMAND_QUEUE)
REFS(Mem, cl_mem, mem, CL_INVALID_MEM_OBJECT)
REFS(Sampler, cl_sampler, sampler, CL_INVALID_SAMPLER)
REFS(Program, cl_program, program, CL_INVALID_PROGRAM)
REFS(Kernel, cl_kernel, kernel, CL_INVALID_KERNEL)
REFS(Event, cl_event, event, CL_INVALID_EVENT)
REFS(Device, cl_device_id, device, CL_INVALID_DEVICE)

static void list_look(const void *handles, cl_uint count, enum pl_cl_object_kind kind)
{
	void *const *at = handles;

	for (cl_uint i = 0; i < count; i++)
		pl_fuzz_check(look(at[i], kind) != NULL);
}

static void list_touch(const cl_context_properties *at)
{
	while (at && *at)
		at++;
}

/* ---- commands ---- */

static void event_end(struct stub *event, cl_int status)
{
	event->status = status;
	while (event->callbacks) {
		struct callback *callback = event->callbacks;

		event->callbacks = callback->next;
		callback->call((cl_event)event, status, callback->data);
		free(callback);
	}
}

static void command_run(struct command *command)
{
	if (command->to && command->from)
		memmove(command->to, command->from, command->bytes);
	else if (command->to)
		memset(command->to, 0x5a, command->bytes);
	else if (command->from)
		pl_fuzz_touch(command->from, command->bytes);
	event_end(command->event, CL_COMPLETE);
	if (command->object)
		unref(command->object, PL_CL_KIND_mem, 0);
	unref(command->event, PL_CL_KIND_event, 0);
	free(command);
}

void pl_stub_settle(void)
{
	while (queued) {
		struct command *command = queued;

		queued = command->next;
		if (!queued)
			queued_last = &queued;
		command_run(command);
	}
}

void pl_stub_lazy(bool lazy)
{
	lazy_now = lazy;
}

unsigned pl_stub_alive(void)
{
	return alive;
}

/* Looks at what every command has, and runs it or queues it. */
static cl_int command(cl_command_queue queue, cl_mem mem, cl_uint waits, const cl_event *list, cl_event *event_out,
		      void *to, const void *from, size_t bytes)
{
	struct command *made;
	bool wait = lazy_now;

	if (!look(queue, PL_CL_KIND_queue))
		return CL_INVALID_COMMAND_QUEUE;
	look(mem, PL_CL_KIND_mem);
	if (!waits != !list)
		return CL_INVALID_EVENT_WAIT_LIST;
	list_look(list, waits, PL_CL_KIND_event);
	for (cl_uint i = 0; i < waits; i++)
		wait |= ((struct stub *)list[i])->status > CL_COMPLETE;
	made = calloc(1, sizeof(*made));
	pl_fuzz_check(made != NULL);
	*made = (struct command){ .event = stub_new(PL_CL_KIND_event, NULL),
				  .object = (struct stub *)mem,
				  .to = to,
				  .from = from,
				  .bytes = bytes };
	made->event->status = CL_QUEUED;
	if (mem)
		made->object->refs++;
	if (event_out) {
		made->event->refs++;
		*event_out = (cl_event)made->event;
	}
	if (!wait) {
		command_run(made);
		return CL_SUCCESS;
	}
	*queued_last = made;
	queued_last = &made->next;
	return CL_SUCCESS;
}

static cl_int flush(cl_command_queue queue)
{
	if (!look(queue, PL_CL_KIND_queue))
		return CL_INVALID_COMMAND_QUEUE;
	pl_stub_settle();
	return CL_SUCCESS;
}

static cl_int waitForEvents(cl_uint count, const cl_event *list)
{
	if (!count || !list)
		return CL_INVALID_VALUE;
	list_look(list, count, PL_CL_KIND_event);
	for (cl_uint i = 0; i < count; i++) /* a user event that nobody sets would be waited for for ever */
		if (((struct stub *)list[i])->user && ((struct stub *)list[i])->status > CL_COMPLETE)
			event_end((struct stub *)list[i], CL_COMPLETE);
	pl_stub_settle();
	return CL_SUCCESS;
}

static cl_int setEventCallback(cl_event handle, cl_int type, void(CL_CALLBACK *call)(cl_event, cl_int, void *),
			       void *data)
{
	struct stub *event = look(handle, PL_CL_KIND_event);
	struct callback *callback;

	if (!event)
		return CL_INVALID_EVENT;
	if (!call || type < CL_COMPLETE || type > CL_SUBMITTED)
		return CL_INVALID_VALUE;
	if (event->status <= CL_COMPLETE) {
		call(handle, event->status, data);
		return CL_SUCCESS;
	}
	callback = malloc(sizeof(*callback));
	pl_fuzz_check(callback != NULL);
	*callback = (struct callback){ event->callbacks, call, data };
	event->callbacks = callback;
	return CL_SUCCESS;
}

static cl_event createUserEvent(cl_context context, cl_int *status)
{
	struct stub *event;

	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	event = stub_new(PL_CL_KIND_event, status);
	event->status = CL_SUBMITTED;
	event->user = true;
	return (cl_event)event;
}

static cl_int setUserEventStatus(cl_event handle, cl_int status)
{
	struct stub *event = look(handle, PL_CL_KIND_event);

	if (!event || !event->user)
		return CL_INVALID_EVENT;
	if (status > CL_COMPLETE)
		return CL_INVALID_VALUE;
	if (event->status <= CL_COMPLETE)
		return CL_INVALID_OPERATION;
	event_end(event, status);
	pl_stub_settle();
	return CL_SUCCESS;
}

/* ---- queries ---- */

static cl_int give(const void *at, size_t bytes, size_t size, void *value, size_t *size_ret)
{
	if (value && size < bytes)
		return CL_INVALID_VALUE;
	if (value)
		memcpy(value, at, bytes);
	if (size_ret)
		*size_ret = bytes;
	return CL_SUCCESS;
}

static cl_int give_number(uint64_t number, size_t bytes, size_t size, void *value, size_t *size_ret)
{
	return give(&number, bytes, size, value, size_ret);
}

static cl_int getPlatformIDs(cl_uint room, cl_platform_id *at, cl_uint *count)
{
	if (at && room)
		at[0] = (cl_platform_id)&platform;
	if (count)
		*count = 1;
	return CL_SUCCESS;
}

static cl_int getPlatformInfo(cl_platform_id at, cl_platform_info param, size_t size, void *value, size_t *size_ret)
{
	if (!look(at, PL_CL_KIND_platform))
		return CL_INVALID_PLATFORM;
	return param < 0x900 || param > 0x920 ? CL_INVALID_VALUE : give("stub", 5, size, value, size_ret);
}

static cl_int getDeviceIDs(cl_platform_id at, cl_device_type type, cl_uint room, cl_device_id *list, cl_uint *count)
{
	if (!look(at, PL_CL_KIND_platform))
		return CL_INVALID_PLATFORM;
	if (!(type & (CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_DEFAULT)) && type != CL_DEVICE_TYPE_ALL)
		return CL_DEVICE_NOT_FOUND;
	for (cl_uint i = 0; list && i < room && i < 2; i++)
		list[i] = (cl_device_id)&devices[i];
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

static cl_int getDeviceInfo(cl_device_id device, cl_device_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = look(device, PL_CL_KIND_device);

	if (!stub)
		return CL_INVALID_DEVICE;
	switch (param) {
	case CL_DEVICE_TYPE:
		return give_number(CL_DEVICE_TYPE_CPU, 8, size, value, size_ret);
	case CL_DEVICE_HOST_UNIFIED_MEMORY:
		return give_number(CL_TRUE, 4, size, value, size_ret);
	case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
		return give_number(PL_STUB_ALLOC_MAX, 8, size, value, size_ret);
	case CL_DEVICE_PARENT_DEVICE:
		return give(&stub->parent, 8, size, value, size_ret);
	case CL_DEVICE_NAME:
		return give("device", 7, size, value, size_ret);
	default:
		return param % 3 ? give_number(1, 8, size, value, size_ret) : CL_INVALID_VALUE;
	}
}

static cl_int getContextInfo(cl_context context, cl_context_info param, size_t size, void *value, size_t *size_ret)
{
	cl_device_id both[2] = { (cl_device_id)&devices[0], (cl_device_id)&devices[1] };

	if (!look(context, PL_CL_KIND_context))
		return CL_INVALID_CONTEXT;
	if (param == CL_CONTEXT_DEVICES)
		return give(both, sizeof(both), size, value, size_ret);
	return give_number(2, 4, size, value, size_ret);
}

static cl_int getQueueInfo(cl_command_queue queue, cl_command_queue_info param, size_t size, void *value,
			   size_t *size_ret)
{
	struct stub *stub = look(queue, PL_CL_KIND_queue);

	if (!stub)
		return CL_INVALID_COMMAND_QUEUE;
	return give_number(param == CL_QUEUE_PROPERTIES ? stub->bytes : 0, 8, size, value, size_ret);
}

static cl_int getMemInfo(cl_mem mem, cl_mem_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);

	if (!stub)
		return CL_INVALID_MEM_OBJECT;
	pl_fuzz_check(param != CL_MEM_HOST_PTR); /* an address of ours: nobody's business */
	return give_number(param == CL_MEM_SIZE ? stub->bytes : 0, 8, size, value, size_ret);
}

static cl_int getImageInfo(cl_mem mem, cl_image_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);

	if (!stub || !stub->element)
		return CL_INVALID_MEM_OBJECT;
	return give_number(param == CL_IMAGE_ELEMENT_SIZE ? stub->element : 0, 8, size, value, size_ret);
}

static cl_int getPipeInfo(cl_mem mem, cl_pipe_info param, size_t size, void *value, size_t *size_ret)
{
	(void)param;
	return look(mem, PL_CL_KIND_mem) ? give_number(4, 4, size, value, size_ret) : CL_INVALID_MEM_OBJECT;
}

static cl_int getSamplerInfo(cl_sampler sampler, cl_sampler_info param, size_t size, void *value, size_t *size_ret)
{
	(void)param;
	return look(sampler, PL_CL_KIND_sampler) ? give_number(4, 4, size, value, size_ret) : CL_INVALID_SAMPLER;
}

static cl_int getProgramInfo(cl_program program, cl_program_info param, size_t size, void *value, size_t *size_ret)
{
	cl_device_id both[2] = { (cl_device_id)&devices[0], (cl_device_id)&devices[1] };
	struct stub *stub = look(program, PL_CL_KIND_program);
	size_t sizes[2] = { sizeof(BINARY), 0 };

	if (!stub)
		return CL_INVALID_PROGRAM;
	switch (param) {
	case CL_PROGRAM_CONTEXT:
		return give(&stub->parent, 8, size, value, size_ret);
	case CL_PROGRAM_NUM_DEVICES:
		return give_number(2, 4, size, value, size_ret);
	case CL_PROGRAM_DEVICES:
		return give(both, sizeof(both), size, value, size_ret);
	case CL_PROGRAM_BINARY_SIZES:
		return give(sizes, sizeof(sizes), size, value, size_ret);
	case CL_PROGRAM_BINARIES: /* through pointers that the caller must have made */
		if (value && size >= sizeof(both) && ((unsigned char **)value)[0])
			memcpy(((unsigned char **)value)[0], BINARY, sizeof(BINARY));
		if (size_ret)
			*size_ret = sizeof(both);
		return CL_SUCCESS;
	default:
		return give("text", 5, size, value, size_ret);
	}
}

static cl_int getBuildInfo(cl_program program, cl_device_id device, cl_program_build_info param, size_t size,
			   void *value, size_t *size_ret)
{
	if (!look(program, PL_CL_KIND_program))
		return CL_INVALID_PROGRAM;
	if (!look(device, PL_CL_KIND_device))
		return CL_INVALID_DEVICE;
	if (param == CL_PROGRAM_BUILD_LOG)
		return give("../../../usr/x.h:1: ../ no", 27, size, value, size_ret);
	return give_number(CL_BUILD_SUCCESS, 4, size, value, size_ret);
}

static cl_int getKernelInfo(cl_kernel kernel, cl_kernel_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = look(kernel, PL_CL_KIND_kernel);

	if (!stub)
		return CL_INVALID_KERNEL;
	if (param == CL_KERNEL_PROGRAM || param == CL_KERNEL_CONTEXT)
		return give(param == CL_KERNEL_PROGRAM ? &stub->parent : &stub->parent->parent, 8, size, value,
			    size_ret);
	return param == CL_KERNEL_FUNCTION_NAME ? give("k", 2, size, value, size_ret)
						: give_number(ARGS_COUNT, 4, size, value, size_ret);
}

static cl_int getWorkGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info param, size_t size,
			       void *value, size_t *size_ret)
{
	static const size_t three[3] = { 1, 1, 1 };

	look(device, PL_CL_KIND_device);
	if (!look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	return param == CL_KERNEL_COMPILE_WORK_GROUP_SIZE ? give(three, sizeof(three), size, value, size_ret)
							  : give_number(64, 8, size, value, size_ret);
}

static cl_int getSubGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_sub_group_info param, size_t input_bytes,
			      const void *input, size_t size, void *value, size_t *size_ret)
{
	(void)param;
	look(device, PL_CL_KIND_device);
	if (input)
		pl_fuzz_touch(input, input_bytes);
	if (!look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (value)
		memset(value, 1, size);
	if (size_ret)
		*size_ret = size;
	return CL_SUCCESS;
}

static cl_int getArgInfo(cl_kernel kernel, cl_uint index, cl_kernel_arg_info param, size_t size, void *value,
			 size_t *size_ret)
{
	static const cl_uint spaces[ARGS_COUNT] = { CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_ADDRESS_PRIVATE,
						    CL_KERNEL_ARG_ADDRESS_LOCAL, CL_KERNEL_ARG_ADDRESS_PRIVATE,
						    CL_KERNEL_ARG_ADDRESS_PRIVATE };
	static const char *const types[ARGS_COUNT] = { "int*", "int", "int*", "sampler_t", "queue_t" };

	if (!look(kernel, PL_CL_KIND_kernel) || index >= ARGS_COUNT)
		return kernel ? CL_INVALID_ARG_INDEX : CL_INVALID_KERNEL;
	switch (param) {
	case CL_KERNEL_ARG_ADDRESS_QUALIFIER:
		return give_number(spaces[index], 4, size, value, size_ret);
	case CL_KERNEL_ARG_ACCESS_QUALIFIER:
		return give_number(CL_KERNEL_ARG_ACCESS_NONE, 4, size, value, size_ret);
	case CL_KERNEL_ARG_TYPE_QUALIFIER:
		return give_number(0, 8, size, value, size_ret);
	default:
		return give(types[index], strlen(types[index]) + 1, size, value, size_ret);
	}
}

static cl_int getEventInfo(cl_event event, cl_event_info param, size_t size, void *value, size_t *size_ret)
{
	struct stub *stub = look(event, PL_CL_KIND_event);

	if (!stub)
		return CL_INVALID_EVENT;
	if (param != CL_EVENT_COMMAND_EXECUTION_STATUS)
		return give_number(0, 8, size, value, size_ret);
	return give_number((uint32_t)stub->status, 4, size, value, size_ret);
}

static cl_int getProfilingInfo(cl_event event, cl_profiling_info param, size_t size, void *value, size_t *size_ret)
{
	if (!look(event, PL_CL_KIND_event))
		return CL_INVALID_EVENT;
	return param % 2 ? CL_PROFILING_INFO_NOT_AVAILABLE : give_number(1, 8, size, value, size_ret);
}

static cl_int getFormats(cl_context context, cl_mem_flags flags, cl_mem_object_type type, cl_uint room,
			 cl_image_format *at, cl_uint *count)
{
	(void)flags;
	(void)type;
	if (!look(context, PL_CL_KIND_context))
		return CL_INVALID_CONTEXT;
	for (cl_uint i = 0; at && i < room && i < 2; i++)
		at[i] = (cl_image_format){ CL_RGBA, CL_UNORM_INT8 };
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

static cl_int getTimers(cl_device_id device, cl_ulong *one, cl_ulong *two)
{
	if (!look(device, PL_CL_KIND_device))
		return CL_INVALID_DEVICE;
	if (one)
		*one = 1;
	if (two)
		*two = 2;
	return CL_SUCCESS;
}

static cl_int getTimer(cl_device_id device, cl_ulong *one)
{
	return one ? getTimers(device, one, NULL) : CL_INVALID_VALUE;
}

/* ---- contexts, queues, samplers ---- */

static cl_context createContext(const cl_context_properties *properties, cl_uint count, const cl_device_id *list,
				void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *data,
				cl_int *status)
{
	if (!count || !list || (!notify && data))
		return refuse(status, CL_INVALID_VALUE);
	list_look(list, count, PL_CL_KIND_device);
	list_touch(properties);
	if (notify)
		notify("a notification", "private", 8, data);
	return stub_new(PL_CL_KIND_context, status);
}

static cl_context createContextFromType(const cl_context_properties *properties, cl_device_type type,
					void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
					void *data, cl_int *status)
{
	cl_device_id device = (cl_device_id)&devices[0];

	return type ? createContext(properties, 1, &device, notify, data, status)
		    : refuse(status, CL_INVALID_DEVICE_TYPE);
}

static cl_int setContextDestructor(cl_context context, void(CL_CALLBACK *gone)(cl_context, void *), void *data)
{
	struct stub *stub = look(context, PL_CL_KIND_context);

	stub->gone = (void(CL_CALLBACK *)(cl_mem, void *))(uintptr_t)gone;
	stub->gone_data = data;
	return CL_SUCCESS;
}

static cl_command_queue createQueue(cl_context context, cl_device_id device, cl_command_queue_properties properties,
				    cl_int *status)
{
	struct stub *queue;

	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	if (!look(device, PL_CL_KIND_device))
		return refuse(status, CL_INVALID_DEVICE);
	queue = stub_new(PL_CL_KIND_queue, status);
	queue->bytes = properties;
	return (cl_command_queue)queue;
}

static cl_command_queue createQueueWithProperties(cl_context context, cl_device_id device,
						  const cl_queue_properties *list, cl_int *status)
{
	list_touch((const cl_context_properties *)list);
	return createQueue(context, device, list ? list[0] & 3 : 0, status);
}

static cl_int setQueueProperty(cl_command_queue queue, cl_command_queue_properties properties, cl_bool enable,
			       cl_command_queue_properties *old)
{
	struct stub *stub = look(queue, PL_CL_KIND_queue);

	if (!stub)
		return CL_INVALID_COMMAND_QUEUE;
	if (old)
		*old = stub->bytes;
	stub->bytes = enable ? stub->bytes | properties : stub->bytes & ~properties;
	return CL_SUCCESS;
}

static cl_int setDefaultQueue(cl_context context, cl_device_id device, cl_command_queue queue)
{
	return look(context, PL_CL_KIND_context) && look(device, PL_CL_KIND_device) && look(queue, PL_CL_KIND_queue)
		       ? CL_SUCCESS
		       : CL_INVALID_VALUE;
}

static cl_sampler createSampler(cl_context context, cl_bool normalized, cl_addressing_mode mode, cl_filter_mode filter,
				cl_int *status)
{
	(void)normalized;
	(void)mode;
	(void)filter;
	return look(context, PL_CL_KIND_context) ? stub_new(PL_CL_KIND_sampler, status)
						 : refuse(status, CL_INVALID_CONTEXT);
}

static cl_sampler createSamplerWithProperties(cl_context context, const cl_sampler_properties *list, cl_int *status)
{
	list_touch((const cl_context_properties *)list);
	return createSampler(context, 0, 0, 0, status);
}

static cl_int createSubDevices(cl_device_id device, const cl_device_partition_property *list, cl_uint room,
			       cl_device_id *at, cl_uint *count)
{
	if (!look(device, PL_CL_KIND_device))
		return CL_INVALID_DEVICE;
	list_touch(list);
	if (!list || (at && room < 2))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; at && i < 2; i++)
		at[i] = stub_new_below(PL_CL_KIND_device, device, NULL);
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

/* ---- memory objects ---- */

static cl_int host_check(cl_mem_flags flags, const void *host, size_t bytes)
{
	bool wants = flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR);

	if (wants != (host != NULL))
		return CL_INVALID_HOST_PTR;
	if (host)
		pl_fuzz_touch(host, bytes);
	return CL_SUCCESS;
}

static struct stub *memory_make(cl_mem_flags flags, size_t bytes, void *host, cl_int *status)
{
	struct stub *mem = stub_new(PL_CL_KIND_mem, status);

	mem->bytes = bytes;
	mem->own = !(flags & CL_MEM_USE_HOST_PTR);
	mem->memory = mem->own ? calloc(1, bytes) : host;
	pl_fuzz_check(mem->memory != NULL);
	if (mem->own && host)
		memcpy(mem->memory, host, bytes);
	return mem;
}

static cl_mem createBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *status)
{
	cl_int r;

	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	if (!bytes || bytes > PL_STUB_ALLOC_MAX)
		return refuse(status, CL_INVALID_BUFFER_SIZE);
	r = host_check(flags, host, bytes);
	return r ? refuse(status, r) : (cl_mem)memory_make(flags, bytes, host, status);
}

static cl_mem createBufferWithProperties(cl_context context, const cl_mem_properties *list, cl_mem_flags flags,
					 size_t bytes, void *host, cl_int *status)
{
	list_touch((const cl_context_properties *)list);
	return createBuffer(context, flags, bytes, host, status);
}

static cl_mem createSubBuffer(cl_mem parent_handle, cl_mem_flags flags, cl_buffer_create_type type, const void *info,
			      cl_int *status)
{
	struct stub *parent = look(parent_handle, PL_CL_KIND_mem), *mem;
	const cl_buffer_region *region = info;

	(void)flags;
	if (!parent || parent->element || parent->parent)
		return refuse(status, CL_INVALID_MEM_OBJECT);
	if (type != CL_BUFFER_CREATE_TYPE_REGION || !region || !region->size || region->origin > parent->bytes ||
	    region->size > parent->bytes - region->origin)
		return refuse(status, CL_INVALID_VALUE);
	mem = stub_new(PL_CL_KIND_mem, status);
	mem->memory = parent->memory + region->origin;
	mem->bytes = region->size;
	mem->parent = parent;
	parent->refs++;
	return (cl_mem)mem;
}

static cl_mem createImage(cl_context context, cl_mem_flags flags, const cl_image_format *format,
			  const cl_image_desc *desc, void *host, cl_int *status)
{
	size_t rows, slices, row, slice, tight;
	struct stub *mem;
	cl_int r;

	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	if (!format || !desc)
		return refuse(status, CL_INVALID_IMAGE_DESCRIPTOR);
	look(desc->buffer, PL_CL_KIND_mem);
	rows = desc->image_type == CL_MEM_OBJECT_IMAGE1D || desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY ||
			       desc->image_type == CL_MEM_OBJECT_IMAGE1D_BUFFER
		       ? 1
		       : desc->image_height;
	slices = desc->image_type == CL_MEM_OBJECT_IMAGE3D ? desc->image_depth
		 : desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY || desc->image_type == CL_MEM_OBJECT_IMAGE2D_ARRAY
			 ? desc->image_array_size
			 : 1;
	tight = pl_cl_element_bytes(format->image_channel_order, format->image_channel_data_type);
	if (!tight || !desc->image_width || !rows || !slices || desc->image_width > 4096 || rows > 64 || slices > 16)
		return refuse(status, CL_INVALID_IMAGE_SIZE);
	tight *= desc->image_width;
	row = desc->image_row_pitch ? desc->image_row_pitch : tight;
	slice = desc->image_slice_pitch ? desc->image_slice_pitch : row * rows;
	if ((!host && (desc->image_row_pitch || desc->image_slice_pitch) && !desc->buffer) || row < tight ||
	    slice < row * rows || row > PL_STUB_ALLOC_MAX || slice > PL_STUB_ALLOC_MAX)
		return refuse(status, CL_INVALID_IMAGE_DESCRIPTOR);
	r = host_check(flags, host, slice * slices);
	if (r)
		return refuse(status, r);
	mem = memory_make(flags & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR, tight * rows * slices, NULL, status);
	mem->dims[0] = desc->image_width;
	mem->dims[1] = desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? slices : rows;
	mem->dims[2] = desc->image_type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? 1 : slices;
	mem->element = tight / desc->image_width;
	return (cl_mem)mem;
}

static cl_mem createImageWithProperties(cl_context context, const cl_mem_properties *list, cl_mem_flags flags,
					const cl_image_format *format, const cl_image_desc *desc, void *host,
					cl_int *status)
{
	list_touch((const cl_context_properties *)list);
	return createImage(context, flags, format, desc, host, status);
}

static cl_mem createImage2D(cl_context context, cl_mem_flags flags, const cl_image_format *format, size_t width,
			    size_t height, size_t row, void *host, cl_int *status)
{
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D,
			       .image_width = width,
			       .image_height = height,
			       .image_row_pitch = row };

	return createImage(context, flags, format, &desc, host, status);
}

static cl_mem createImage3D(cl_context context, cl_mem_flags flags, const cl_image_format *format, size_t width,
			    size_t height, size_t depth, size_t row, size_t slice, void *host, cl_int *status)
{
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE3D,
			       .image_width = width,
			       .image_height = height,
			       .image_depth = depth,
			       .image_row_pitch = row,
			       .image_slice_pitch = slice };

	return createImage(context, flags, format, &desc, host, status);
}

static cl_mem createPipe(cl_context context, cl_mem_flags flags, cl_uint packet, cl_uint count,
			 const cl_pipe_properties *list, cl_int *status)
{
	list_touch((const cl_context_properties *)list);
	if (!look(context, PL_CL_KIND_context) || !packet || !count || (uint64_t)packet * count > PL_STUB_ALLOC_MAX)
		return refuse(status, CL_INVALID_PIPE_SIZE);
	return (cl_mem)memory_make(flags & ~(cl_mem_flags)CL_MEM_USE_HOST_PTR, (size_t)packet * count, NULL, status);
}

static cl_int setMemDestructor(cl_mem mem, void(CL_CALLBACK *gone)(cl_mem, void *), void *data)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);

	pl_fuzz_check(stub && !stub->gone);
	stub->gone = gone;
	stub->gone_data = data;
	return CL_SUCCESS;
}

/* ---- transfers ---- */

static uint8_t *range(cl_mem mem, size_t offset, size_t bytes)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);

	return stub && !stub->element && bytes && offset <= stub->bytes && bytes <= stub->bytes - offset
		       ? stub->memory + offset
		       : NULL;
}

static cl_int readBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t bytes, void *host,
			 cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *at = range(mem, offset, bytes);
	cl_int r;

	if (!at || !host)
		return CL_INVALID_VALUE;
	r = command(queue, mem, waits, list, event, host, at, bytes);
	if (!r && blocking)
		pl_stub_settle();
	return r;
}

static cl_int writeBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t bytes,
			  const void *host, cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *at = range(mem, offset, bytes);

	(void)blocking;
	if (!at || !host)
		return CL_INVALID_VALUE;
	return command(queue, mem, waits, list, event, at, host, bytes);
}

static cl_int copyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_at, size_t to_at, size_t bytes,
			 cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *src = range(from, from_at, bytes), *dst = range(to, to_at, bytes);

	return src && dst ? command(queue, to, waits, list, event, dst, src, bytes) : CL_INVALID_VALUE;
}

static cl_int fillBuffer(cl_command_queue queue, cl_mem mem, const void *pattern, size_t pattern_bytes, size_t offset,
			 size_t bytes, cl_uint waits, const cl_event *list, cl_event *event)
{
	uint8_t *at = range(mem, offset, bytes);

	if (!at || !pattern || !pattern_bytes || pattern_bytes > 128 || bytes % pattern_bytes)
		return CL_INVALID_VALUE;
	for (size_t i = 0; i < bytes; i++)
		at[i] = ((const uint8_t *)pattern)[i % pattern_bytes];
	return command(queue, mem, waits, list, event, NULL, NULL, 0);
}

/* Bytes of a region in host memory; 0 = the object has no such region. */
static size_t rect_bytes(cl_mem mem, const size_t *origin, const size_t *region, size_t row, size_t slice)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);
	size_t end;

	if (!stub || stub->element || !origin || !region || !region[0] || !region[1] || !region[2])
		return 0;
	row = row ? row : region[0];
	slice = slice ? slice : row * region[1];
	if (__builtin_mul_overflow(origin[2] + region[2] - 1, slice, &end) ||
	    __builtin_add_overflow(end, (origin[1] + region[1] - 1) * row + origin[0] + region[0], &end) ||
	    end > stub->bytes)
		return 0;
	return region[0] * region[1] * region[2];
}

static cl_int readRect(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
		       const size_t *host_origin, const size_t *region, size_t row, size_t slice, size_t host_row,
		       size_t host_slice, void *host, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = rect_bytes(mem, origin, region, row, slice);

	(void)blocking;
	pl_fuzz_check(host_origin && !host_origin[0] && !host_row && !host_slice);
	return bytes && host ? command(queue, mem, waits, list, event, host, NULL, bytes) : CL_INVALID_VALUE;
}

static cl_int writeRect(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
			const size_t *host_origin, const size_t *region, size_t row, size_t slice, size_t host_row,
			size_t host_slice, const void *host, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = rect_bytes(mem, origin, region, row, slice);

	(void)blocking;
	pl_fuzz_check(host_origin && !host_origin[0] && !host_row && !host_slice);
	return bytes && host ? command(queue, mem, waits, list, event, NULL, host, bytes) : CL_INVALID_VALUE;
}

static cl_int copyRect(cl_command_queue queue, cl_mem from, cl_mem to, const size_t *from_at, const size_t *to_at,
		       const size_t *region, size_t from_row, size_t from_slice, size_t to_row, size_t to_slice,
		       cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!rect_bytes(from, from_at, region, from_row, from_slice) ||
	    !rect_bytes(to, to_at, region, to_row, to_slice))
		return CL_INVALID_VALUE;
	return command(queue, to, waits, list, event, NULL, NULL, 0);
}

static size_t image_bytes(cl_mem mem, const size_t *origin, const size_t *region)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);

	if (!stub || !stub->element || !origin || !region)
		return 0;
	for (int i = 0; i < 3; i++)
		if (!region[i] || origin[i] > stub->dims[i] || region[i] > stub->dims[i] - origin[i])
			return 0;
	return region[0] * region[1] * region[2] * stub->element;
}

static cl_int readImage(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
			const size_t *region, size_t row, size_t slice, void *host, cl_uint waits, const cl_event *list,
			cl_event *event)
{
	size_t bytes = image_bytes(mem, origin, region);

	(void)blocking;
	pl_fuzz_check(!row && !slice);
	return bytes && host ? command(queue, mem, waits, list, event, host, NULL, bytes) : CL_INVALID_VALUE;
}

static cl_int writeImage(cl_command_queue queue, cl_mem mem, cl_bool blocking, const size_t *origin,
			 const size_t *region, size_t row, size_t slice, const void *host, cl_uint waits,
			 const cl_event *list, cl_event *event)
{
	size_t bytes = image_bytes(mem, origin, region);

	(void)blocking;
	pl_fuzz_check(!row && !slice);
	return bytes && host ? command(queue, mem, waits, list, event, NULL, host, bytes) : CL_INVALID_VALUE;
}

static cl_int fillImage(cl_command_queue queue, cl_mem mem, const void *color, const size_t *origin,
			const size_t *region, cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!color || !image_bytes(mem, origin, region))
		return CL_INVALID_VALUE;
	pl_fuzz_touch(color, 16);
	return command(queue, mem, waits, list, event, NULL, NULL, 0);
}

static cl_int copyImage(cl_command_queue queue, cl_mem from, cl_mem to, const size_t *from_at, const size_t *to_at,
			const size_t *region, cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!image_bytes(from, from_at, region) || !image_bytes(to, to_at, region))
		return CL_INVALID_VALUE;
	return command(queue, to, waits, list, event, NULL, NULL, 0);
}

static cl_int copyImageToBuffer(cl_command_queue queue, cl_mem from, cl_mem to, const size_t *at, const size_t *region,
				size_t offset, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = image_bytes(from, at, region);

	return bytes && range(to, offset, bytes) ? command(queue, to, waits, list, event, NULL, NULL, 0)
						 : CL_INVALID_VALUE;
}

static cl_int copyBufferToImage(cl_command_queue queue, cl_mem from, cl_mem to, size_t offset, const size_t *at,
				const size_t *region, cl_uint waits, const cl_event *list, cl_event *event)
{
	size_t bytes = image_bytes(to, at, region);

	return bytes && range(from, offset, bytes) ? command(queue, to, waits, list, event, NULL, NULL, 0)
						   : CL_INVALID_VALUE;
}

static void *mapBuffer(cl_command_queue queue, cl_mem mem, cl_bool blocking, cl_map_flags flags, size_t offset,
		       size_t bytes, cl_uint waits, const cl_event *list, cl_event *event, cl_int *status)
{
	uint8_t *at = range(mem, offset, bytes);
	cl_int r = at && flags ? command(queue, mem, waits, list, event, NULL, NULL, 0) : CL_INVALID_VALUE;

	(void)blocking;
	if (status)
		*status = r;
	return r ? NULL : at;
}

static void *mapImage(cl_command_queue queue, cl_mem mem, cl_bool blocking, cl_map_flags flags, const size_t *origin,
		      const size_t *region, size_t *row, size_t *slice, cl_uint waits, const cl_event *list,
		      cl_event *event, cl_int *status)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);
	cl_int r = flags && row && image_bytes(mem, origin, region)
			   ? command(queue, mem, waits, list, event, NULL, NULL, 0)
			   : CL_INVALID_VALUE;

	(void)blocking;
	if (status)
		*status = r;
	if (r)
		return NULL;
	*row = stub->dims[0] * stub->element;
	if (slice)
		*slice = *row * (stub->dims[2] > 1 ? stub->dims[1] : 1);
	return stub->memory + origin[0] * stub->element + origin[1] * *row + origin[2] * *row * stub->dims[1];
}

static cl_int unmap(cl_command_queue queue, cl_mem mem, void *at, cl_uint waits, const cl_event *list, cl_event *event)
{
	struct stub *stub = look(mem, PL_CL_KIND_mem);

	if (!stub)
		return CL_INVALID_MEM_OBJECT;
	pl_fuzz_check((uint8_t *)at >= stub->memory && (uint8_t *)at < stub->memory + stub->bytes);
	return command(queue, mem, waits, list, event, NULL, NULL, 0);
}

static cl_int marker(cl_command_queue queue, cl_uint waits, const cl_event *list, cl_event *event)
{
	return command(queue, NULL, waits, list, event, NULL, NULL, 0);
}

static cl_int plainMarker(cl_command_queue queue, cl_event *event)
{
	return event ? marker(queue, 0, NULL, event) : CL_INVALID_VALUE;
}

static cl_int plainBarrier(cl_command_queue queue)
{
	return marker(queue, 0, NULL, NULL);
}

static cl_int plainWait(cl_command_queue queue, cl_uint waits, const cl_event *list)
{
	return waits && list ? marker(queue, waits, list, NULL) : CL_INVALID_VALUE;
}

static cl_int migrate(cl_command_queue queue, cl_uint count, const cl_mem *mems, cl_mem_migration_flags flags,
		      cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)flags;
	if (!count || !mems)
		return CL_INVALID_VALUE;
	list_look(mems, count, PL_CL_KIND_mem);
	return marker(queue, waits, list, event);
}

/* ---- programs and kernels ---- */

static cl_program createWithSource(cl_context context, cl_uint count, const char **texts, const size_t *lengths,
				   cl_int *status)
{
	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	for (cl_uint i = 0; i < count; i++)
		pl_fuzz_touch(texts[i], lengths ? lengths[i] : strlen(texts[i]) + 1);
	return stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_program createWithBinary(cl_context context, cl_uint count, const cl_device_id *list, const size_t *lengths,
				   const unsigned char **binaries, cl_int *each, cl_int *status)
{
	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	if (!count || !list || !lengths || !binaries)
		return refuse(status, CL_INVALID_VALUE);
	list_look(list, count, PL_CL_KIND_device);
	for (cl_uint i = 0; i < count; i++) {
		if (!lengths[i] || !binaries[i])
			return refuse(status, CL_INVALID_VALUE);
		pl_fuzz_touch(binaries[i], lengths[i]);
		if (each)
			each[i] = CL_SUCCESS;
	}
	return stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_program createWithIL(cl_context context, const void *il, size_t bytes, cl_int *status)
{
	if (!look(context, PL_CL_KIND_context) || !il || !bytes)
		return refuse(status, CL_INVALID_VALUE);
	pl_fuzz_touch(il, bytes);
	return stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_program createWithBuiltIn(cl_context context, cl_uint count, const cl_device_id *list, const char *names,
				    cl_int *status)
{
	if (!look(context, PL_CL_KIND_context) || !count || !list || !names)
		return refuse(status, CL_INVALID_VALUE);
	list_look(list, count, PL_CL_KIND_device);
	pl_fuzz_touch(names, strlen(names) + 1);
	return stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_int build(cl_program program, cl_uint count, const cl_device_id *list, const char *options,
		    void(CL_CALLBACK *notify)(cl_program, void *), void *data)
{
	if (!look(program, PL_CL_KIND_program))
		return CL_INVALID_PROGRAM;
	if (!count != !list || notify || data)
		return CL_INVALID_VALUE;
	list_look(list, count, PL_CL_KIND_device);
	if (options)
		pl_fuzz_touch(options, strlen(options) + 1);
	return CL_SUCCESS;
}

static cl_int compile(cl_program program, cl_uint count, const cl_device_id *list, const char *options, cl_uint headers,
		      const cl_program *header_list, const char **names, void(CL_CALLBACK *notify)(cl_program, void *),
		      void *data)
{
	if (!headers != !header_list || !headers != !names)
		return CL_INVALID_VALUE;
	list_look(header_list, headers, PL_CL_KIND_program);
	for (cl_uint i = 0; i < headers; i++)
		pl_fuzz_touch(names[i], strlen(names[i]) + 1);
	return build(program, count, list, options, notify, data);
}

static cl_program link_all(cl_context context, cl_uint count, const cl_device_id *list, const char *options,
			   cl_uint inputs, const cl_program *programs, void(CL_CALLBACK *notify)(cl_program, void *),
			   void *data, cl_int *status)
{
	if (!look(context, PL_CL_KIND_context))
		return refuse(status, CL_INVALID_CONTEXT);
	if (!inputs || !programs || !count != !list || notify || data)
		return refuse(status, CL_INVALID_VALUE);
	list_look(list, count, PL_CL_KIND_device);
	list_look(programs, inputs, PL_CL_KIND_program);
	if (options)
		pl_fuzz_touch(options, strlen(options) + 1);
	return stub_new_below(PL_CL_KIND_program, context, status);
}

static cl_int unloadCompiler(cl_platform_id at)
{
	return look(at, PL_CL_KIND_platform) ? CL_SUCCESS : CL_INVALID_PLATFORM;
}

static cl_int specialize(cl_program program, cl_uint id, size_t bytes, const void *value)
{
	(void)id;
	if (!look(program, PL_CL_KIND_program) || !value)
		return CL_INVALID_VALUE;
	pl_fuzz_touch(value, bytes);
	return CL_SUCCESS;
}

static cl_kernel createKernel(cl_program program, const char *name, cl_int *status)
{
	if (!look(program, PL_CL_KIND_program))
		return refuse(status, CL_INVALID_PROGRAM);
	if (!name || !*name)
		return refuse(status, CL_INVALID_KERNEL_NAME);
	return stub_new_below(PL_CL_KIND_kernel, program, status);
}

static cl_int createKernels(cl_program program, cl_uint room, cl_kernel *at, cl_uint *count)
{
	if (!look(program, PL_CL_KIND_program))
		return CL_INVALID_PROGRAM;
	if (at && room < 2)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; at && i < 2; i++)
		at[i] = stub_new_below(PL_CL_KIND_kernel, program, NULL);
	if (count)
		*count = 2;
	return CL_SUCCESS;
}

static cl_kernel cloneKernel(cl_kernel kernel, cl_int *status)
{
	struct stub *from = look(kernel, PL_CL_KIND_kernel);

	return from ? stub_new_below(PL_CL_KIND_kernel, from->parent, status) : refuse(status, CL_INVALID_KERNEL);
}

/* A value of a pointer's size where a handle belongs is taken for one. */
static cl_int setArg(cl_kernel kernel, cl_uint index, size_t bytes, const void *value)
{
	static const enum pl_cl_object_kind kinds[ARGS_COUNT] = { PL_CL_KIND_mem, 0, 0, PL_CL_KIND_sampler,
								  PL_CL_KIND_queue };

	if (!look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (index >= ARGS_COUNT)
		return CL_INVALID_ARG_INDEX;
	if (value)
		pl_fuzz_touch(value, bytes);
	if (index == 2)
		return value ? CL_INVALID_ARG_VALUE : bytes ? CL_SUCCESS : CL_INVALID_ARG_SIZE;
	if (!kinds[index])
		return bytes != 4 ? CL_INVALID_ARG_SIZE : value ? CL_SUCCESS : CL_INVALID_ARG_VALUE;
	if (bytes != sizeof(void *))
		return CL_INVALID_ARG_SIZE;
	if (value)
		look(*(void *const *)value, kinds[index]);
	else if (index)
		return CL_INVALID_ARG_VALUE;
	return CL_SUCCESS;
}

static cl_int setArgSvm(cl_kernel kernel, cl_uint index, const void *at)
{
	if (!look(kernel, PL_CL_KIND_kernel) || index >= ARGS_COUNT)
		return CL_INVALID_ARG_INDEX;
	if (at)
		pl_fuzz_touch(at, 1);
	return CL_SUCCESS;
}

static cl_int setExecInfo(cl_kernel kernel, cl_kernel_exec_info param, size_t bytes, const void *value)
{
	if (!look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (!value)
		return CL_INVALID_VALUE;
	pl_fuzz_touch(value, bytes);
	for (size_t i = 0; param == CL_KERNEL_EXEC_INFO_SVM_PTRS && i + 8 <= bytes; i += 8) {
		const void *at;

		memcpy(&at, (const uint8_t *)value + i, sizeof(at));
		if (at)
			pl_fuzz_touch(at, 1);
	}
	return CL_SUCCESS;
}

static cl_int launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset, const size_t *global,
		     const size_t *local, cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!look(kernel, PL_CL_KIND_kernel))
		return CL_INVALID_KERNEL;
	if (!dims || dims > 3)
		return CL_INVALID_WORK_DIMENSION;
	for (int i = 0; i < 3; i++) {
		const size_t *each = i == 0 ? offset : i == 1 ? global : local;

		if (each)
			pl_fuzz_touch(each, dims * sizeof(*each));
	}
	return marker(queue, waits, list, event);
}

static cl_int task(cl_command_queue queue, cl_kernel kernel, cl_uint waits, const cl_event *list, cl_event *event)
{
	return look(kernel, PL_CL_KIND_kernel) ? marker(queue, waits, list, event) : CL_INVALID_KERNEL;
}

static cl_int suggest(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
		      const size_t *global, size_t *local)
{
	look(queue, PL_CL_KIND_queue);
	look(kernel, PL_CL_KIND_kernel);
	if (!dims || dims > 3 || !global)
		return CL_INVALID_WORK_DIMENSION;
	for (cl_uint i = 0; i < dims; i++)
		local[i] = global[i] + (offset ? offset[i] : 0);
	return CL_SUCCESS;
}

/* ---- shared virtual memory ---- */

static void *svmAlloc(cl_context context, cl_svm_mem_flags flags, size_t bytes, cl_uint alignment)
{
	void *at;

	(void)flags;
	if (!look(context, PL_CL_KIND_context) || !bytes || bytes > PL_STUB_ALLOC_MAX || (alignment & (alignment - 1)))
		return NULL;
	at = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);
	pl_fuzz_check(at != NULL);
	memset(at, 0, bytes);
	alive++;
	return at;
}

static void svmFree(cl_context context, void *at)
{
	look(context, PL_CL_KIND_context);
	if (!at)
		return;
	alive--;
	free(at);
}

static cl_int svmMemcpy(cl_command_queue queue, cl_bool blocking, void *to, const void *from, size_t bytes,
			cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)blocking;
	return to && from ? command(queue, NULL, waits, list, event, to, from, bytes) : CL_INVALID_VALUE;
}

static cl_int svmMemFill(cl_command_queue queue, void *at, const void *pattern, size_t pattern_bytes, size_t bytes,
			 cl_uint waits, const cl_event *list, cl_event *event)
{
	if (!at || !pattern || !pattern_bytes || bytes % pattern_bytes)
		return CL_INVALID_VALUE;
	pl_fuzz_touch(pattern, pattern_bytes);
	return command(queue, NULL, waits, list, event, at, NULL, bytes);
}

static cl_int svmMap(cl_command_queue queue, cl_bool blocking, cl_map_flags flags, void *at, size_t bytes,
		     cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)blocking;
	if (!at || !bytes || !flags)
		return CL_INVALID_VALUE;
	return command(queue, NULL, waits, list, event, NULL, at, bytes);
}

static cl_int svmUnmap(cl_command_queue queue, void *at, cl_uint waits, const cl_event *list, cl_event *event)
{
	return at ? command(queue, NULL, waits, list, event, NULL, at, 1) : CL_INVALID_VALUE;
}

static cl_int svmMigrate(cl_command_queue queue, cl_uint count, const void **at, const size_t *sizes,
			 cl_mem_migration_flags flags, cl_uint waits, const cl_event *list, cl_event *event)
{
	(void)flags;
	if (!count || !at)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count; i++)
		pl_fuzz_touch(at[i], sizes && sizes[i] ? sizes[i] : 1);
	return marker(queue, waits, list, event);
}

/* ---- the table ---- */

void pl_stub_install(void)
{
	platform = (struct stub){ .magic = MAGIC, .refs = 1, .kind = PL_CL_KIND_platform };
	for (int i = 0; i < 2; i++)
		devices[i] = (struct stub){ .magic = MAGIC, .refs = 1u << 30, .kind = PL_CL_KIND_device };
	pl_cl = (struct pl_cl_driver){
		.clGetPlatformIDs = getPlatformIDs,
		.clGetPlatformInfo = getPlatformInfo,
		.clGetDeviceIDs = getDeviceIDs,
		.clGetDeviceInfo = getDeviceInfo,
		.clCreateContext = createContext,
		.clCreateContextFromType = createContextFromType,
		.clRetainContext = retainContext,
		.clReleaseContext = releaseContext,
		.clGetContextInfo = getContextInfo,
		.clCreateCommandQueue = createQueue,
		.clRetainCommandQueue = retainQueue,
		.clReleaseCommandQueue = releaseQueue,
		.clGetCommandQueueInfo = getQueueInfo,
		.clSetCommandQueueProperty = setQueueProperty,
		.clCreateBuffer = createBuffer,
		.clCreateImage2D = createImage2D,
		.clCreateImage3D = createImage3D,
		.clRetainMemObject = retainMem,
		.clReleaseMemObject = releaseMem,
		.clGetSupportedImageFormats = getFormats,
		.clGetMemObjectInfo = getMemInfo,
		.clGetImageInfo = getImageInfo,
		.clCreateSampler = createSampler,
		.clRetainSampler = retainSampler,
		.clReleaseSampler = releaseSampler,
		.clGetSamplerInfo = getSamplerInfo,
		.clCreateProgramWithSource = createWithSource,
		.clCreateProgramWithBinary = createWithBinary,
		.clRetainProgram = retainProgram,
		.clReleaseProgram = releaseProgram,
		.clBuildProgram = build,
		.clGetProgramInfo = getProgramInfo,
		.clGetProgramBuildInfo = getBuildInfo,
		.clCreateKernel = createKernel,
		.clCreateKernelsInProgram = createKernels,
		.clRetainKernel = retainKernel,
		.clReleaseKernel = releaseKernel,
		.clSetKernelArg = setArg,
		.clGetKernelInfo = getKernelInfo,
		.clGetKernelWorkGroupInfo = getWorkGroupInfo,
		.clWaitForEvents = waitForEvents,
		.clGetEventInfo = getEventInfo,
		.clRetainEvent = retainEvent,
		.clReleaseEvent = releaseEvent,
		.clGetEventProfilingInfo = getProfilingInfo,
		.clFlush = flush,
		.clFinish = flush,
		.clEnqueueReadBuffer = readBuffer,
		.clEnqueueWriteBuffer = writeBuffer,
		.clEnqueueCopyBuffer = copyBuffer,
		.clEnqueueReadImage = readImage,
		.clEnqueueWriteImage = writeImage,
		.clEnqueueCopyImage = copyImage,
		.clEnqueueCopyImageToBuffer = copyImageToBuffer,
		.clEnqueueCopyBufferToImage = copyBufferToImage,
		.clEnqueueMapBuffer = mapBuffer,
		.clEnqueueMapImage = mapImage,
		.clEnqueueUnmapMemObject = unmap,
		.clEnqueueNDRangeKernel = launch,
		.clEnqueueTask = task,
		.clEnqueueMarker = plainMarker,
		.clEnqueueWaitForEvents = plainWait,
		.clEnqueueBarrier = plainBarrier,
		.clSetEventCallback = setEventCallback,
		.clCreateSubBuffer = createSubBuffer,
		.clSetMemObjectDestructorCallback = setMemDestructor,
		.clCreateUserEvent = createUserEvent,
		.clSetUserEventStatus = setUserEventStatus,
		.clEnqueueReadBufferRect = readRect,
		.clEnqueueWriteBufferRect = writeRect,
		.clEnqueueCopyBufferRect = copyRect,
		.clCreateSubDevices = createSubDevices,
		.clRetainDevice = retainDevice,
		.clReleaseDevice = releaseDevice,
		.clCreateImage = createImage,
		.clCreateProgramWithBuiltInKernels = createWithBuiltIn,
		.clCompileProgram = compile,
		.clLinkProgram = link_all,
		.clUnloadPlatformCompiler = unloadCompiler,
		.clGetKernelArgInfo = getArgInfo,
		.clEnqueueFillBuffer = fillBuffer,
		.clEnqueueFillImage = fillImage,
		.clEnqueueMigrateMemObjects = migrate,
		.clEnqueueMarkerWithWaitList = marker,
		.clEnqueueBarrierWithWaitList = marker,
		.clCreateCommandQueueWithProperties = createQueueWithProperties,
		.clCreatePipe = createPipe,
		.clGetPipeInfo = getPipeInfo,
		.clSVMAlloc = svmAlloc,
		.clSVMFree = svmFree,
		.clEnqueueSVMMemcpy = svmMemcpy,
		.clEnqueueSVMMemFill = svmMemFill,
		.clEnqueueSVMMap = svmMap,
		.clEnqueueSVMUnmap = svmUnmap,
		.clCreateSamplerWithProperties = createSamplerWithProperties,
		.clSetKernelArgSVMPointer = setArgSvm,
		.clSetKernelExecInfo = setExecInfo,
		.clCloneKernel = cloneKernel,
		.clCreateProgramWithIL = createWithIL,
		.clEnqueueSVMMigrateMem = svmMigrate,
		.clGetDeviceAndHostTimer = getTimers,
		.clGetHostTimer = getTimer,
		.clGetKernelSubGroupInfo = getSubGroupInfo,
		.clSetDefaultDeviceCommandQueue = setDefaultQueue,
		.clSetProgramSpecializationConstant = specialize,
		.clCreateBufferWithProperties = createBufferWithProperties,
		.clCreateImageWithProperties = createImageWithProperties,
		.clSetContextDestructorCallback = setContextDestructor,
		.clGetKernelSuggestedLocalWorkSizeKHR = suggest,
	};
}
