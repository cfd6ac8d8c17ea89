/* Libraries: looked into when a kernel is first asked for. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/cuda/image.h"
#include "client/cuda/mirrored.h"
#include "client/cuda/module.h"
#include "cuda/library-options.h"

struct library_options {
	CUlibraryOption *option;
	void **value;
	unsigned int count;
};

void pl_cuda_library_leave(struct pl_cuda_module *module)
{
	struct pl_cuda_library *library = module->library;

	if (!library)
		return;
	pthread_mutex_lock(&library->lock);
	for (struct pl_cuda_module **at = &library->modules; *at; at = &(*at)->next) {
		if (*at != module)
			continue;
		*at = module->next;
		break;
	}
	pthread_mutex_unlock(&library->lock);
}

void pl_cuda_library_fini(struct pl_cuda_library *library)
{
	while (library->modules)
		pl_cuda_forget(&library->modules->object);
	pl_cuda_mirrored_left(library);
	pl_cuda_members_fini(&library->members);
	pthread_mutex_destroy(&library->lock);
}

static CUresult load_ask(struct pl_session *session, enum pl_cuda_op op, const struct pl_cuda_library *library,
			 const struct pl_cuda_sending *sending, const struct pl_cuda_jit_options *jit,
			 const struct library_options *options, bool with_image, uint32_t *wanted_out)
{
	struct pl_cuda_cuLibraryLoadData_args args = { .image_hash = sending->hash,
						       .image_bytes = sending->bytes,
						       .library = library->object.id };
	struct pl_cuda_cuLibraryLoadData_reply got;
	struct pl_reply reply;
	struct pl_call call;
	int r;

	args.options = (struct pl_u32s){ (const uint32_t *)jit->option, jit->count };
	args.values = (struct pl_u64s){ (const uint64_t *)jit->value, jit->count };
	args.library_options = (struct pl_u32s){ (const uint32_t *)options->option, options->count };
	args.library_values = (struct pl_u64s){ (const uint64_t *)options->value, options->value ? options->count : 0 };
	args.image = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = with_image ? sending->bytes : 0 };
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuLibraryLoadData_bytes(&args));
	if (!r) {
		pl_cuda_cuLibraryLoadData_put(&call.enc, &args);
		r = pl_call_ask_after(&call, sending->packed, args.image.bytes, &reply);
	}
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuLibraryLoadData_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*wanted_out = got.image_wanted;
	pl_cuda_jit_back(jit, got.values, got.info_log, got.error_log);
	return (CUresult)got.result;
}

static CUresult load_on(struct pl_session *session, enum pl_cuda_op op, struct pl_cuda_library *library,
			struct pl_cuda_sending *sending, const struct pl_cuda_jit_options *jit,
			const struct library_options *options)
{
	bool with_image = pl_cuda_sending_goes(sending, session);
	uint32_t wanted = 0;
	CUresult result = load_ask(session, op, library, sending, jit, options, with_image, &wanted);

	if (!result && wanted) {
		pl_cuda_sending_wanted(session, wanted);
		result = load_ask(session, op, library, sending, jit, options, true, &wanted);
	}
	if (result)
		return result;
	pl_cuda_sending_done(sending, session);
	library->on |= 1ull << pl_cuda_session_index(session);
	return CUDA_SUCCESS;
}

bool pl_cuda_library_is_on(const struct pl_cuda_object *object, const struct pl_session *session)
{
	const struct pl_cuda_object *library = object;

	if (object->kind == PL_CUDA_KIND_kernel)
		library = ((const struct pl_cuda_function *)object)->owner;
	return library && library->kind == PL_CUDA_KIND_library &&
	       ((const struct pl_cuda_library *)library)->on >> pl_cuda_session_index(session) & 1;
}

static CUresult load(enum pl_cuda_op op, CUlibrary *handle, const void *image, const char *path,
		     const struct pl_cuda_jit_options *jit, const struct library_options *options)
{
	struct pl_cuda_sending sending = { 0 };
	struct pl_cuda_library *library;
	struct pl_session *session, *other;
	CUresult result = pl_cuda_enter(op, &session);

	if (result)
		return result;
	if (!handle || (!image && !path) || (jit->count && (!jit->option || !jit->value)) ||
	    !pl_cuda_library_options_valid(options->count, options->option, options->value, path))
		return CUDA_ERROR_INVALID_VALUE;
	result = pl_cuda_sending_open(&sending, image, path);
	if (result)
		return result;
	library = pl_cuda_object_create(PL_CUDA_KIND_library, 0, NULL);
	if (!library) {
		pl_cuda_sending_fini(&sending);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	library->object.session = NULL;
	pthread_mutex_init(&library->lock, NULL);
	result = load_on(session, op, library, &sending, jit, options);
	/* A library is of no context: programs launch its kernels wherever they are. */
	for (uint32_t i = 0; !result && (other = pl_cuda_session_at(i)); i++)
		if (other != session)
			(void)load_on(other, op, library, &sending, jit, options);
	pl_cuda_sending_fini(&sending);
	if (result)
		pl_cuda_forget(&library->object);
	else
		*handle = library->object.handle;
	return result;
}

CUresult cuLibraryLoadData(CUlibrary *library, const void *image, CUjit_option *jit_options, void **jit_option_values,
			   unsigned int jit_options_count, CUlibraryOption *library_options,
			   void **library_option_values, unsigned int library_options_count)
{
	const struct pl_cuda_jit_options jit = { jit_options, jit_option_values, jit_options_count };
	const struct library_options options = { library_options, library_option_values, library_options_count };

	return load(PL_CUDA_OP_cuLibraryLoadData, library, image, NULL, &jit, &options);
}

CUresult cuLibraryLoadFromFile(CUlibrary *library, const char *path, CUjit_option *jit_options,
			       void **jit_option_values, unsigned int jit_options_count,
			       CUlibraryOption *library_options, void **library_option_values,
			       unsigned int library_options_count)
{
	const struct pl_cuda_jit_options jit = { jit_options, jit_option_values, jit_options_count };
	const struct library_options options = { library_options, library_option_values, library_options_count };

	return load(PL_CUDA_OP_cuLibraryLoadFromFile, library, NULL, path, &jit, &options);
}

CUresult cuLibraryUnload(CUlibrary handle)
{
	struct pl_cuda_cuLibraryUnload_args args = { 0 };
	struct pl_cuda_library *library;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLibraryUnload, &session);

	if (result)
		return result;
	library = pl_cuda_get(PL_CUDA_KIND_library, handle);
	if (!library)
		return CUDA_ERROR_INVALID_HANDLE;
	args.library = library->object.id;
	for (uint32_t i = 0; (session = pl_cuda_session_at(i)); i++) {
		CUresult said = library->on >> i & 1 ? PL_CUDA_POST(session, cuLibraryUnload, &args) : CUDA_SUCCESS;

		result = result ? result : said;
	}
	pl_cuda_forget(&library->object);
	return result;
}

/* ---- kernels ---- */

static CUresult kernels_ask(struct pl_session *session, const struct pl_cuda_library *library,
			    struct pl_cuda_members *members)
{
	struct pl_cuda_plLibraryKernels_args args = { .library = library->object.id };
	struct pl_cuda_plLibraryKernels_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, plLibraryKernels, &args, &reply);

	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_plLibraryKernels_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	return pl_cuda_members_take(members, &reply, got.kernels.bytes);
}

static bool members_same(const struct pl_cuda_members *a, const struct pl_cuda_members *b)
{
	bool same = a->count == b->count;

	for (uint32_t i = 0; same && i < a->count; i++)
		same = !strcmp(a->name[i], b->name[i]);
	return same;
}

/* A kernel has the id of its place: where another server's driver has them in another order, they are not there.
 * Called with the library's lock held. */
static CUresult kernels_find(struct pl_session *session, struct pl_cuda_library *library)
{
	struct pl_session *other;
	CUresult result;

	for (uint32_t i = 0; !pl_cuda_library_is_on(&library->object, session) && (other = pl_cuda_session_at(i)); i++)
		session = other;
	result = kernels_ask(session, library, &library->members);
	for (uint32_t i = 0; !result && (other = pl_cuda_session_at(i)); i++) {
		struct pl_cuda_members members = { 0 };

		if (other == session || !(library->on >> i & 1))
			continue;
		if (kernels_ask(other, library, &members) || !members_same(&members, &library->members)) {
			pl_log_warn("%s has not the same kernels of a library: none of it runs there", other->address);
			library->on &= ~(1ull << i);
		}
		pl_cuda_members_fini(&members);
	}
	return result;
}

/* With its kernels. */
static CUresult library_get(CUlibrary handle, struct pl_cuda_library **library_out)
{
	struct pl_cuda_library *library;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_plLibraryKernels, &session);

	if (result)
		return result;
	library = pl_cuda_get(PL_CUDA_KIND_library, handle);
	if (!library)
		return CUDA_ERROR_INVALID_HANDLE;
	pthread_mutex_lock(&library->lock);
	if (!library->asked) {
		library->asked = true;
		library->result = kernels_find(session, library);
	}
	result = library->result;
	pthread_mutex_unlock(&library->lock);
	*library_out = library;
	return result;
}

static struct pl_cuda_owner owner_of(struct pl_cuda_library *library)
{
	return (struct pl_cuda_owner){ &library->members, &library->lock, &library->object, PL_CUDA_KIND_kernel, NULL };
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary handle, const char *name)
{
	struct pl_cuda_library *library;
	struct pl_cuda_function *found;
	struct pl_cuda_owner owner;
	CUresult result = library_get(handle, &library);

	if (result)
		return result;
	if (!kernel || !name)
		return CUDA_ERROR_INVALID_VALUE;
	owner = owner_of(library);
	result = pl_cuda_members_named(&owner, name, &found);
	if (!result)
		*kernel = found->object.handle;
	return result;
}

CUresult cuLibraryGetKernelCount(unsigned int *count, CUlibrary handle)
{
	struct pl_cuda_library *library;
	CUresult result = library_get(handle, &library);

	if (result)
		return result;
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = library->members.count;
	return CUDA_SUCCESS;
}

CUresult cuLibraryEnumerateKernels(CUkernel *kernels, unsigned int kernels_count, CUlibrary handle)
{
	struct pl_cuda_library *library;
	struct pl_cuda_function *found;
	struct pl_cuda_owner owner;
	CUresult result = library_get(handle, &library);

	if (result)
		return result;
	if (!kernels || !kernels_count)
		return CUDA_ERROR_INVALID_VALUE;
	owner = owner_of(library);
	for (uint32_t i = 0; !result && i < kernels_count && i < owner.members->count; i++) {
		result = pl_cuda_members_at(&owner, i, &found);
		if (!result)
			kernels[i] = found->object.handle;
	}
	return result;
}

static CUresult kernel_get(CUkernel handle, struct pl_cuda_function **kernel_out)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	*kernel_out = pl_cuda_get(PL_CUDA_KIND_kernel, handle);
	return *kernel_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuKernelGetLibrary(CUlibrary *library, CUkernel handle)
{
	struct pl_cuda_function *kernel;
	CUresult result = kernel_get(handle, &kernel);

	if (result)
		return result;
	if (!library)
		return CUDA_ERROR_INVALID_VALUE;
	*library = kernel->owner->handle;
	return CUDA_SUCCESS;
}

CUresult cuKernelGetName(const char **name, CUkernel handle)
{
	struct pl_cuda_function *kernel;
	CUresult result;

	if (!name || !handle)
		return CUDA_ERROR_INVALID_VALUE;
	result = kernel_get(handle, &kernel);
	if (!result)
		*name = kernel->name;
	return result;
}

/* Called with the library's lock held: the function of a kernel in a context. */
static CUresult function_make(struct pl_session *session, struct pl_cuda_function *kernel,
			      struct pl_cuda_context *context, struct pl_cuda_function **function_out)
{
	struct pl_cuda_cuKernelGetFunction_args args = { .kernel = kernel->object.id };
	struct pl_cuda_function *function = pl_cuda_object_create(PL_CUDA_KIND_function, 0, NULL);
	struct pl_reply reply;
	CUresult result;
	int r;

	if (!function)
		return CUDA_ERROR_OUT_OF_MEMORY;
	args.function = function->object.id;
	r = PL_CUDA_ASK(session, cuKernelGetFunction, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result) {
		pl_cuda_forget(&function->object);
		return result;
	}
	function->object.context = context;
	function->kernel = kernel;
	function->name = kernel->name;
	function->next = kernel->made;
	kernel->made = function;
	*function_out = function;
	return CUDA_SUCCESS;
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel handle)
{
	struct pl_cuda_function *kernel, *found = NULL;
	struct pl_cuda_library *library;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuKernelGetFunction, &session);

	if (!result)
		result = kernel_get(handle, &kernel);
	if (result)
		return result;
	if (!function)
		return CUDA_ERROR_INVALID_VALUE;
	library = (struct pl_cuda_library *)kernel->owner;
	pthread_mutex_lock(&library->lock);
	for (found = kernel->made; found && found->object.context != pl_cuda_thread.top; found = found->next)
		;
	if (!found)
		result = function_make(session, kernel, pl_cuda_thread.top, &found);
	pthread_mutex_unlock(&library->lock);
	if (!result)
		*function = found->object.handle;
	return result;
}

/* ---- modules ---- */

/* Called with the library's lock held: what it is in a context. */
static CUresult module_make(struct pl_session *session, struct pl_cuda_library *library,
			    struct pl_cuda_context *context, struct pl_cuda_module **module_out)
{
	struct pl_cuda_cuLibraryGetModule_args args = { .library = library->object.id };
	struct pl_cuda_module *module = pl_cuda_object_create(PL_CUDA_KIND_module, 0, NULL);
	struct pl_reply reply;
	CUresult result;
	int r;

	if (!module)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_init(&module->lock, NULL);
	args.module = module->object.id;
	do {
		r = PL_CUDA_ASK(session, cuLibraryGetModule, &args, &reply);
		result = pl_cuda_answer(r, &reply);
	} while (result == CUDA_ERROR_OUT_OF_MEMORY && pl_cuda_reclaim(session));
	if (result) {
		pl_cuda_forget(&module->object);
		return result;
	}
	module->object.context = context;
	module->library = library;
	module->next = library->modules;
	library->modules = module;
	*module_out = module;
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetModule(CUmodule *handle, CUlibrary library_handle)
{
	struct pl_cuda_library *library;
	struct pl_cuda_module *module;
	struct pl_session *session;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLibraryGetModule, &session);

	if (result)
		return result;
	if (!handle)
		return CUDA_ERROR_INVALID_VALUE;
	library = pl_cuda_get(PL_CUDA_KIND_library, library_handle);
	if (!library)
		return CUDA_ERROR_INVALID_HANDLE;
	pthread_mutex_lock(&library->lock);
	for (module = library->modules; module && module->object.context != pl_cuda_thread.top; module = module->next)
		;
	if (!module)
		result = module_make(session, library, pl_cuda_thread.top, &module);
	pthread_mutex_unlock(&library->lock);
	if (!result)
		*handle = (CUmodule)module->object.handle;
	return result;
}
