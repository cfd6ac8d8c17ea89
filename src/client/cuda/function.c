/* Functions: what is known of each, and what programs ask about them. */
#include <stdlib.h>
#include <string.h>

#include "client/cuda/launch.h"
#include "client/cuda/module.h"

#define SET_LOCKS 16u /* a few, so that hardly ever two libraries share one */

static void facts_free(struct pl_cuda_facts *facts)
{
	while (facts) {
		struct pl_cuda_facts *next = atomic_load(&facts->next);

		free(facts);
		facts = next;
	}
}

void pl_cuda_function_fini(struct pl_cuda_function *function)
{
	while (function->made) {
		struct pl_cuda_function *made = function->made;

		function->made = made->next;
		pl_cuda_forget(&made->object);
	}
	facts_free(atomic_load(&function->facts));
	pl_cuda_launch_state_free(function->legacy);
}

struct pl_cuda_function *pl_cuda_function_of(const void *handle)
{
	struct pl_cuda_function *function = pl_cuda_handle_of(handle, PL_CUDA_KIND_function);

	return __builtin_expect(function != NULL, 1) ? function : pl_cuda_handle_of(handle, PL_CUDA_KIND_kernel);
}

/* ---- facts ---- */

static void layout_measure(struct pl_cuda_facts *facts)
{
	uint64_t end = 0, sum = 0;

	for (uint32_t i = 0; i < facts->params; i++) {
		uint64_t over = (uint64_t)facts->param[i].offset + facts->param[i].bytes;

		sum += facts->param[i].bytes;
		if (over > end)
			end = over;
	}
	facts->args_bytes = end > PL_CUDA_LIMIT_ARGS_MAX ? UINT32_MAX : (uint32_t)end;
	facts->has_gaps = sum != end;
}

struct pl_cuda_facts *pl_cuda_facts_make(const void *data, uint64_t bytes)
{
	struct pl_cuda_function_facts head;
	struct pl_cuda_facts *facts;

	if (bytes < sizeof(head))
		return NULL;
	memcpy(&head, data, sizeof(head));
	if (head.params > PL_CUDA_PARAMS_MAX || bytes != sizeof(head) + head.params * sizeof(facts->param[0]))
		return NULL;
	facts = malloc(sizeof(*facts) + head.params * sizeof(facts->param[0]));
	if (!facts)
		return NULL;
	*facts = (struct pl_cuda_facts){
		.device = CU_DEVICE_INVALID, .params = head.params, .knows_params = head.knows_params, .has = head.has
	};
	memcpy(facts->attribute, head.attribute, sizeof(facts->attribute));
	memcpy(facts->param, (const uint8_t *)data + sizeof(head), head.params * sizeof(facts->param[0]));
	layout_measure(facts);
	return facts;
}

static bool is_kernel(const struct pl_cuda_function *function)
{
	return function->object.kind == PL_CUDA_KIND_kernel;
}

/* The current context's; without one, its server's first. */
static CUdevice device_now(void)
{
	const struct pl_cuda_context *top = pl_cuda_thread.top;

	return top ? top->device : pl_cuda_device_first(pl_cuda_session());
}

static CUdevice device_of(const struct pl_session *session)
{
	const struct pl_cuda_context *context = pl_cuda_context_of(session);

	return context ? context->device : pl_cuda_device_first(session);
}

/* device: a kernel's, of which it is asked */
static CUresult facts_ask(struct pl_cuda_function *function, CUdevice device, struct pl_cuda_facts **facts_out)
{
	struct pl_cuda_plFunctionFacts_args args = { 0 };
	struct pl_cuda_plFunctionFacts_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = is_kernel(function) ? pl_cuda_enter_of(PL_CUDA_OP_plFunctionFacts, PL_CUDA_KIND_device,
								 (const void *)(uintptr_t)device, &session)
					      : pl_cuda_enter_of(PL_CUDA_OP_plFunctionFacts, PL_CUDA_KIND_function,
								 function->object.handle, &session);
	int r;

	if (result)
		return result;
	if (is_kernel(function))
		args.kernel = function->object.id;
	else
		args.function = function->object.id;
	if (!is_kernel(function))
		device = device_of(session);
	args.device = pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
	r = PL_CUDA_ASK(session, plFunctionFacts, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plFunctionFacts_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*facts_out = pl_cuda_facts_make(got.facts.at, got.facts.bytes);
	if (!*facts_out)
		return CUDA_ERROR_UNKNOWN;
	(*facts_out)->device = device;
	return CUDA_SUCCESS;
}

/* A function's are of its context's device. */
static bool facts_are_of(const struct pl_cuda_function *function, const struct pl_cuda_facts *facts, CUdevice device)
{
	return !is_kernel(function) || facts->device == device || pl_cuda_device_count() == 1;
}

/* NULL: not known. */
static struct pl_cuda_facts *facts_find(struct pl_cuda_function *function, CUdevice device)
{
	struct pl_cuda_facts *facts = atomic_load(&function->facts);

	while (facts && !facts_are_of(function, facts, device))
		facts = atomic_load(&facts->next);
	return facts;
}

/* Return: these, or those of another thread that was first. */
static struct pl_cuda_facts *facts_enter(struct pl_cuda_function *function, struct pl_cuda_facts *facts)
{
	_Atomic(struct pl_cuda_facts *) *end = &function->facts;
	struct pl_cuda_facts *there = NULL;

	while (!atomic_compare_exchange_strong(end, &there, facts)) {
		if (facts_are_of(function, there, facts->device)) {
			free(facts);
			return there;
		}
		end = &there->next;
		there = NULL;
	}
	return facts;
}

/* NULL: it is no library's. */
static struct pl_cuda_library *library_of(const struct pl_cuda_function *function)
{
	const struct pl_cuda_object *owner = function->kernel ? function->kernel->owner : function->owner;

	if (owner && owner->kind == PL_CUDA_KIND_module)
		return ((const struct pl_cuda_module *)owner)->library;
	return (struct pl_cuda_library *)owner;
}

/* What is noted last is what the driver said or was told last, of a library's functions and kernels together. */
static pthread_mutex_t *set_lock(const struct pl_cuda_function *function)
{
	static pthread_mutex_t locks[SET_LOCKS] = { [0 ... SET_LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER };
	const struct pl_cuda_library *library = library_of(function);
	uintptr_t key = library ? (uintptr_t)library : (uintptr_t)function;

	return &locks[key / sizeof(*function) % SET_LOCKS];
}

CUresult pl_cuda_facts_of(struct pl_cuda_function *function, CUdevice device, const struct pl_cuda_facts **facts_out)
{
	struct pl_cuda_facts *facts = facts_find(function, device);
	CUresult result = CUDA_SUCCESS;

	if (!facts) {
		pthread_mutex_lock(set_lock(function));
		result = facts_ask(function, device, &facts);
		if (!result)
			facts = facts_enter(function, facts);
		pthread_mutex_unlock(set_lock(function));
	}
	if (!result)
		*facts_out = facts;
	return result;
}

CUresult pl_cuda_facts_learn(struct pl_cuda_function *function, const struct pl_cuda_facts **facts_out)
{
	return pl_cuda_facts_of(function, device_now(), facts_out);
}

/* ---- what programs ask ---- */

static CUresult function_get(CUfunction handle, struct pl_cuda_function **function_out)
{
	CUresult result;

	*function_out = NULL;
	if (!pl_cuda_current(&result))
		return result;
	*function_out = pl_cuda_function_of(handle);
	return *function_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

/* Of a function that was only listed, not got by its name, some are not known: facts_ask() would load it. */
static bool is_unloaded(struct pl_cuda_function *function, CUfunction_attribute attribute)
{
	CUfunctionLoadingState state;

	if (attribute != CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK && attribute != CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES &&
	    attribute != CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)
		return false;
	return function->object.kind == PL_CUDA_KIND_function && !atomic_load(&function->facts) &&
	       !cuFuncIsLoaded(&state, function->object.handle) && state == CU_FUNCTION_LOADING_STATE_UNLOADED;
}

static CUresult attribute_of(struct pl_cuda_function *function, CUdevice device, CUfunction_attribute attribute,
			     int *value)
{
	const struct pl_cuda_facts *facts;
	CUresult result;

	if (!value || (unsigned int)attribute >= PL_CUDA_FUNCTION_ATTRIBUTES)
		return CUDA_ERROR_INVALID_VALUE;
	if (is_unloaded(function, attribute))
		return CUDA_ERROR_FUNCTION_NOT_LOADED;
	result = pl_cuda_facts_of(function, device, &facts);
	if (result)
		return result;
	if (!(facts->has >> attribute & 1))
		return CUDA_ERROR_INVALID_VALUE;
	*value = pl_cuda_facts_attribute(facts, attribute);
	return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction handle)
{
	struct pl_cuda_function *function;
	CUresult result = function_get(handle, &function);

	return result ? result : attribute_of(function, device_now(), attribute, value);
}

static CUresult kernel_get(CUkernel handle, CUdevice device, struct pl_cuda_function **kernel_out)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!pl_cuda_device(device))
		return CUDA_ERROR_INVALID_DEVICE;
	*kernel_out = pl_cuda_get(PL_CUDA_KIND_kernel, handle);
	return *kernel_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel handle, CUdevice device)
{
	struct pl_cuda_function *kernel;
	CUresult result = kernel_get(handle, device, &kernel);

	return result ? result : attribute_of(kernel, device, attribute, value);
}

/* ---- what programs set: values are checked by the driver, and what it takes is known here ---- */

/* Some programs set it before each launch. */
static bool is_set_already(struct pl_cuda_function *function, CUfunction_attribute attribute, int value)
{
	const struct pl_cuda_facts *facts = atomic_load(&function->facts);

	if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES &&
	    attribute != CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT)
		return false;
	return facts && facts->has >> attribute & 1 && pl_cuda_facts_attribute(facts, attribute) == value;
}

/* Launches that the driver took may be none that it takes. */
static void attribute_note(struct pl_cuda_function *function, CUdevice device, CUfunction_attribute attribute,
			   int value)
{
	struct pl_cuda_facts *facts = facts_find(function, device);

	if (facts && (unsigned int)attribute < PL_CUDA_FUNCTION_ATTRIBUTES)
		__atomic_store_n(&facts->attribute[attribute], value, __ATOMIC_RELAXED);
	pl_cuda_shapes_forget(function);
}

/* The driver knows what it is now; one that it says nothing of is one that can't be used. */
static void attribute_learn(struct pl_cuda_function *function, CUfunction_attribute attribute)
{
	struct pl_cuda_facts *facts;

	pl_cuda_shapes_forget(function);
	if (!atomic_load(&function->facts) || facts_ask(function, CU_DEVICE_INVALID, &facts))
		return;
	attribute_note(function, facts->device, attribute, facts->attribute[attribute]);
	free(facts);
}

/* The function of this name of a library's module; called with the module's lock held. */
static void member_learn(struct pl_cuda_members *members, const char *name, CUfunction_attribute attribute)
{
	uint32_t at = pl_cuda_members_find(members, name);

	if (at == UINT32_MAX)
		return;
	members->facts[at] = NULL; /* of one that is made later: they are older */
	if (members->function[at])
		attribute_learn(members->function[at], attribute);
}

/* A kernel of a library and its functions, whichever way the program has got those, are one to the driver.
 * Called with the library's lock held. */
static void kernel_learn(struct pl_cuda_library *library, struct pl_cuda_function *kernel,
			 CUfunction_attribute attribute)
{
	pl_cuda_shapes_forget(kernel);
	for (struct pl_cuda_function *made = kernel->made; made; made = made->next)
		attribute_learn(made, attribute);
	for (struct pl_cuda_module *module = library->modules; module; module = module->next) {
		pthread_mutex_lock(&module->lock);
		member_learn(&module->members, kernel->name, attribute);
		pthread_mutex_unlock(&module->lock);
	}
}

/* Of a library; NULL: the program has not got it. */
static struct pl_cuda_function *kernel_of(struct pl_cuda_library *library, struct pl_cuda_function *function)
{
	uint32_t at;

	if (function->kernel)
		return function->kernel;
	at = pl_cuda_members_find(&library->members, function->name);
	return at == UINT32_MAX ? NULL : library->members.function[at];
}

/* The driver has taken it. */
static void function_changed(struct pl_cuda_function *function, CUfunction_attribute attribute, int value)
{
	struct pl_cuda_library *library = library_of(function);
	struct pl_cuda_function *kernel;

	attribute_note(function, device_now(), attribute, value);
	if (!library)
		return;
	pthread_mutex_lock(&library->lock);
	kernel = kernel_of(library, function);
	if (kernel) {
		kernel->differs = true;
		kernel_learn(library, kernel, attribute);
	}
	pthread_mutex_unlock(&library->lock);
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value)
{
	struct pl_cuda_cuFuncSetAttribute_args args = { .attribute = attribute, .value = value };
	struct pl_cuda_function *function;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuFuncSetAttribute, PL_CUDA_KIND_function, handle, &session);
	int r;

	if (result)
		return result;
	function = pl_cuda_function_of(handle);
	if (!function)
		return CUDA_ERROR_INVALID_HANDLE;
	if (function->object.kind == PL_CUDA_KIND_function && is_set_already(function, attribute, value))
		return CUDA_SUCCESS;
	args.function = function->object.id;
	pthread_mutex_lock(set_lock(function));
	r = PL_CUDA_ASK(session, cuFuncSetAttribute, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result)
		function_changed(function, attribute, value);
	pthread_mutex_unlock(set_lock(function));
	return result;
}

static void kernel_changed(struct pl_cuda_function *kernel, CUdevice device, CUfunction_attribute attribute, int value)
{
	struct pl_cuda_library *library = (struct pl_cuda_library *)kernel->owner;

	pthread_mutex_lock(&library->lock);
	attribute_note(kernel, device, attribute, value);
	kernel_learn(library, kernel, attribute);
	pthread_mutex_unlock(&library->lock);
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel handle, CUdevice device)
{
	struct pl_cuda_cuKernelSetAttribute_args args = { .attribute = attribute, .value = value };
	struct pl_cuda_function *kernel;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuKernelSetAttribute, PL_CUDA_KIND_device,
					   (const void *)(uintptr_t)device, &session);
	int r;

	if (!result)
		result = kernel_get(handle, device, &kernel);
	if (result)
		return result;
	args.kernel = pl_cuda_id(session, PL_CUDA_KIND_kernel, handle);
	args.device = pl_cuda_id(session, PL_CUDA_KIND_device, (const void *)(uintptr_t)device);
	if (!args.kernel)
		return CUDA_ERROR_INVALID_HANDLE;
	if (pl_cuda_device_count() == 1 && !kernel->differs && is_set_already(kernel, attribute, value))
		return CUDA_SUCCESS;
	pthread_mutex_lock(set_lock(kernel));
	r = PL_CUDA_ASK(session, cuKernelSetAttribute, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (!result)
		kernel_changed(kernel, device, attribute, value);
	pthread_mutex_unlock(set_lock(kernel));
	return result;
}

static CUresult param_info(struct pl_cuda_function *function, size_t index, size_t *offset, size_t *bytes)
{
	const struct pl_cuda_facts *facts;
	CUresult result;

	if (!offset)
		return CUDA_ERROR_INVALID_VALUE;
	result = pl_cuda_facts_get(function, &facts);
	if (result)
		return result;
	if (index >= facts->params)
		return CUDA_ERROR_INVALID_VALUE;
	*offset = facts->param[index].offset;
	if (bytes)
		*bytes = facts->param[index].bytes;
	return CUDA_SUCCESS;
}

CUresult cuFuncGetParamInfo(CUfunction handle, size_t param_index, size_t *param_offset, size_t *param_size)
{
	struct pl_cuda_function *function;
	CUresult result = function_get(handle, &function);

	return result ? result : param_info(function, param_index, param_offset, param_size);
}

CUresult cuKernelGetParamInfo(CUkernel handle, size_t param_index, size_t *param_offset, size_t *param_size)
{
	struct pl_cuda_function *kernel;
	CUresult result;

	if (!pl_cuda_current(&result))
		return result;
	result = kernel_get(handle, 0, &kernel);
	return result ? result : param_info(kernel, param_index, param_offset, param_size);
}

CUresult cuFuncGetName(const char **name, CUfunction handle)
{
	struct pl_cuda_function *function;
	CUresult result = function_get(handle, &function);

	if (result)
		return handle ? result : CUDA_ERROR_INVALID_VALUE;
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	*name = function->name;
	return CUDA_SUCCESS;
}

CUresult cuFuncGetModule(CUmodule *module, CUfunction handle)
{
	struct pl_cuda_function *function;
	CUresult result = function_get(handle, &function);

	if (result)
		return result;
	if (!module)
		return CUDA_ERROR_INVALID_VALUE;
	if (function->owner && function->owner->kind == PL_CUDA_KIND_module) {
		*module = function->owner->handle;
		return CUDA_SUCCESS;
	}
	if (function->kernel)
		function = function->kernel;
	return cuLibraryGetModule(module, function->owner->handle);
}
