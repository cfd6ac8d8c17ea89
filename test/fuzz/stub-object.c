/* The stub driver's objects, their references, and the commands that wait or run. */
#include "stub.h"

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

struct stub pl_stub_platform, pl_stub_devices[2];
_Atomic unsigned pl_stub_living;
static struct command *queued, **queued_last = &queued;
static bool lazy_now;

/* ---- objects ---- */

/* NULL is for the caller to answer. */
struct stub *pl_stub_look(const void *handle, enum pl_cl_object_kind kind)
{
	struct stub *stub = (struct stub *)(uintptr_t)handle;

	if (stub)
		pl_fuzz_check(stub->magic == PL_STUB_MAGIC && stub->kind == kind && stub->refs);
	return stub;
}

void *pl_stub_new(enum pl_cl_object_kind kind, cl_int *status)
{
	struct stub *stub = calloc(1, sizeof(*stub));

	pl_fuzz_check(stub != NULL);
	*stub = (struct stub){ .magic = PL_STUB_MAGIC, .refs = 1, .kind = kind };
	pl_stub_living++;
	if (status)
		*status = CL_SUCCESS;
	return stub;
}

void *pl_stub_new_below(enum pl_cl_object_kind kind, const void *parent, cl_int *status)
{
	struct stub *stub = pl_stub_new(kind, status);

	stub->parent = (struct stub *)(uintptr_t)parent;
	stub->parent->refs++;
	return stub;
}

static cl_int ref(void *handle, enum pl_cl_object_kind kind, cl_int invalid)
{
	struct stub *stub = pl_stub_look(handle, kind);

	if (!stub)
		return invalid;
	stub->refs++;
	return CL_SUCCESS;
}

static cl_int unref(void *handle, enum pl_cl_object_kind kind, cl_int invalid)
{
	struct stub *stub = pl_stub_look(handle, kind);

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
	pl_stub_living--;
	free(stub);
	return CL_SUCCESS;
}

void *pl_stub_refuse(cl_int *status, cl_int code)
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

void pl_stub_list_look(const void *handles, cl_uint count, enum pl_cl_object_kind kind)
{
	void *const *at = handles;

	for (cl_uint i = 0; i < count; i++)
		pl_fuzz_check(pl_stub_look(at[i], kind) != NULL);
}

void pl_stub_list_touch(const cl_context_properties *at)
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
	return pl_stub_living;
}

/* Looks at what every command has, and runs it or queues it. */
cl_int pl_stub_command(cl_command_queue queue, cl_mem mem, cl_uint waits, const cl_event *list, cl_event *event_out,
		       void *to, const void *from, size_t bytes)
{
	struct command *made;
	bool wait = lazy_now;

	if (!pl_stub_look(queue, PL_CL_KIND_queue))
		return CL_INVALID_COMMAND_QUEUE;
	pl_stub_look(mem, PL_CL_KIND_mem);
	if (!waits != !list)
		return CL_INVALID_EVENT_WAIT_LIST;
	pl_stub_list_look(list, waits, PL_CL_KIND_event);
	for (cl_uint i = 0; i < waits; i++)
		wait |= ((struct stub *)list[i])->status > CL_COMPLETE;
	made = calloc(1, sizeof(*made));
	pl_fuzz_check(made != NULL);
	*made = (struct command){ .event = pl_stub_new(PL_CL_KIND_event, NULL),
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
	if (!pl_stub_look(queue, PL_CL_KIND_queue))
		return CL_INVALID_COMMAND_QUEUE;
	pl_stub_settle();
	return CL_SUCCESS;
}

static cl_int waitForEvents(cl_uint count, const cl_event *list)
{
	if (!count || !list)
		return CL_INVALID_VALUE;
	pl_stub_list_look(list, count, PL_CL_KIND_event);
	for (cl_uint i = 0; i < count; i++) /* a user event that nobody sets would be waited for for ever */
		if (((struct stub *)list[i])->user && ((struct stub *)list[i])->status > CL_COMPLETE)
			event_end((struct stub *)list[i], CL_COMPLETE);
	pl_stub_settle();
	return CL_SUCCESS;
}

static cl_int setEventCallback(cl_event handle, cl_int type, void(CL_CALLBACK *call)(cl_event, cl_int, void *),
			       void *data)
{
	struct stub *event = pl_stub_look(handle, PL_CL_KIND_event);
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

	if (!pl_stub_look(context, PL_CL_KIND_context))
		return pl_stub_refuse(status, CL_INVALID_CONTEXT);
	event = pl_stub_new(PL_CL_KIND_event, status);
	event->status = CL_SUBMITTED;
	event->user = true;
	return (cl_event)event;
}

static cl_int setUserEventStatus(cl_event handle, cl_int status)
{
	struct stub *event = pl_stub_look(handle, PL_CL_KIND_event);

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

void pl_stub_fill_objects(struct pl_cl_driver *driver)
{
	driver->clRetainContext = retainContext;
	driver->clReleaseContext = releaseContext;
	driver->clRetainCommandQueue = retainQueue;
	driver->clReleaseCommandQueue = releaseQueue;
	driver->clRetainMemObject = retainMem;
	driver->clReleaseMemObject = releaseMem;
	driver->clRetainSampler = retainSampler;
	driver->clReleaseSampler = releaseSampler;
	driver->clRetainProgram = retainProgram;
	driver->clReleaseProgram = releaseProgram;
	driver->clRetainKernel = retainKernel;
	driver->clReleaseKernel = releaseKernel;
	driver->clWaitForEvents = waitForEvents;
	driver->clRetainEvent = retainEvent;
	driver->clReleaseEvent = releaseEvent;
	driver->clFlush = flush;
	driver->clFinish = flush;
	driver->clSetEventCallback = setEventCallback;
	driver->clCreateUserEvent = createUserEvent;
	driver->clSetUserEventStatus = setUserEventStatus;
	driver->clRetainDevice = retainDevice;
	driver->clReleaseDevice = releaseDevice;
}
