/* Modules: loaded eagerly, with the table of their functions; a library's, with the table when it is first needed. */
#include "client/cuda/mirrored.h"
#include "client/cuda/module.h"

#include <stdlib.h>
#include <string.h>

#include "client/cuda/image.h"

void pl_cuda_module_fini(struct pl_cuda_module *module)
{
	pl_cuda_library_leave(module);
	pl_cuda_mirrored_left(module);
	pl_cuda_references_forget(module);
	pl_cuda_members_fini(&module->members);
	pthread_mutex_destroy(&module->lock);
}

static CUresult load_ask(struct pl_session *session, enum pl_cuda_op op, struct pl_cuda_module *module,
			 const struct pl_cuda_sending *sending, const struct pl_cuda_jit_options *options,
			 bool with_image, uint32_t *wanted_out)
{
	struct pl_cuda_cuModuleLoadDataEx_args args = { .image_hash = sending->hash,
							.image_bytes = sending->bytes,
							.module = module->object.id };
	struct pl_cuda_cuModuleLoadDataEx_reply got;
	struct pl_reply reply;
	struct pl_call call;
	CUresult result;
	int r;

	args.options = (struct pl_u32s){ (const uint32_t *)options->option, options->count };
	args.values = (struct pl_u64s){ (const uint64_t *)options->value, options->count };
	args.image = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = with_image ? sending->bytes : 0 };
	r = pl_call_begin(&call, session, (uint16_t)op, pl_cuda_cuModuleLoadDataEx_bytes(&args));
	if (!r) {
		pl_cuda_cuModuleLoadDataEx_put(&call.enc, &args);
		r = pl_call_ask_after(&call, sending->packed, args.image.bytes, &reply);
	}
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuModuleLoadDataEx_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	*wanted_out = got.image_wanted;
	pl_cuda_jit_back(options, got.values, got.info_log, got.error_log);
	result = pl_cuda_members_take(&module->members, &reply, got.functions.bytes);
	return got.result ? (CUresult)got.result : result;
}

static CUresult load(enum pl_cuda_op op, CUmodule *handle, const void *image, const char *path,
		     const struct pl_cuda_jit_options *options)
{
	struct pl_cuda_sending sending = { 0 };
	struct pl_cuda_module *module;
	struct pl_session *session;
	uint32_t wanted = 0;
	CUresult result = pl_cuda_enter(op, &session);

	if (result)
		return result;
	if (!handle || (!image && !path) || (options->count && (!options->option || !options->value)))
		return CUDA_ERROR_INVALID_VALUE;
	result = pl_cuda_sending_open(&sending, image, path);
	if (result)
		return result;
	module = pl_cuda_object_create(PL_CUDA_KIND_module, 0, pl_cuda_thread.top);
	if (!module) {
		pl_cuda_sending_fini(&sending);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	pthread_mutex_init(&module->lock, NULL);
	result = load_ask(session, op, module, &sending, options, pl_cuda_sending_goes(&sending, session), &wanted);
	if (!result && wanted) {
		pl_cuda_sending_wanted(session, wanted);
		pl_cuda_members_fini(&module->members);
		result = load_ask(session, op, module, &sending, options, true, &wanted);
	}
	if (!result)
		pl_cuda_sending_done(&sending, session);
	pl_cuda_sending_fini(&sending);
	if (result)
		pl_cuda_forget(&module->object);
	else
		*handle = module->object.handle;
	return result;
}

static const struct pl_cuda_jit_options no_options;

CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
	return load(PL_CUDA_OP_cuModuleLoadData, module, image, NULL, &no_options);
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int options_count, CUjit_option *options,
			    void **option_values)
{
	const struct pl_cuda_jit_options given = { options, option_values, options_count };

	return load(PL_CUDA_OP_cuModuleLoadDataEx, module, image, NULL, &given);
}

CUresult cuModuleLoadFatBinary(CUmodule *module, const void *image)
{
	return load(PL_CUDA_OP_cuModuleLoadFatBinary, module, image, NULL, &no_options);
}

CUresult cuModuleLoad(CUmodule *module, const char *path)
{
	return load(PL_CUDA_OP_cuModuleLoad, module, NULL, path, &no_options);
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode *mode)
{
	const char *told = getenv("CUDA_MODULE_LOADING");
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (!mode)
		return CUDA_ERROR_INVALID_VALUE;
	*mode = told && !strcmp(told, "EAGER") ? CU_MODULE_EAGER_LOADING : CU_MODULE_LAZY_LOADING;
	return CUDA_SUCCESS;
}

/* ---- functions ---- */

static CUresult functions_ask(struct pl_cuda_module *module)
{
	struct pl_cuda_plModuleFunctions_args args = { .module = module->object.id };
	struct pl_cuda_plModuleFunctions_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_plModuleFunctions, &session);
	int r = result ? 0 : PL_CUDA_ASK(session, plModuleFunctions, &args, &reply);

	if (result || r || reply.status)
		return result ? result : pl_cuda_answer(r, &reply);
	pl_cuda_plModuleFunctions_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	return pl_cuda_members_take(&module->members, &reply, got.functions.bytes);
}

/* With its functions. */
static CUresult module_get(CUmodule handle, struct pl_cuda_module **module_out)
{
	struct pl_cuda_module *module;
	CUresult result;

	*module_out = NULL;
	if (!pl_cuda_current(&result))
		return result;
	module = pl_cuda_get(PL_CUDA_KIND_module, handle);
	if (!module)
		return CUDA_ERROR_INVALID_HANDLE;
	if (module->library) {
		pthread_mutex_lock(&module->lock);
		if (!module->asked) {
			module->asked = true;
			module->result = functions_ask(module);
		}
		result = module->result;
		pthread_mutex_unlock(&module->lock);
	}
	*module_out = module;
	return result;
}

static struct pl_cuda_owner owner_of(struct pl_cuda_module *module)
{
	return (struct pl_cuda_owner){ &module->members, &module->lock, &module->object, PL_CUDA_KIND_function,
				       module->object.context };
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule handle, const char *name)
{
	struct pl_cuda_module *module;
	struct pl_cuda_function *found;
	struct pl_cuda_owner owner;
	CUresult result = module_get(handle, &module);

	if (result)
		return result;
	if (!function || !name || !*name)
		return CUDA_ERROR_INVALID_VALUE;
	owner = owner_of(module);
	result = pl_cuda_members_named(&owner, name, &found);
	if (!result) {
		const struct pl_cuda_facts *facts;

		/* This loads it, not its first launch, which may be captured.  Where it can not be loaded the launch
		 * says so. */
		(void)pl_cuda_facts_get(found, &facts);
		*function = found->object.handle;
	}
	return result;
}

CUresult cuModuleGetFunctionCount(unsigned int *count, CUmodule handle)
{
	struct pl_cuda_module *module;
	CUresult result = module_get(handle, &module);

	if (result)
		return result;
	if (!count)
		return CUDA_ERROR_INVALID_VALUE;
	*count = module->members.count;
	return CUDA_SUCCESS;
}

CUresult cuModuleEnumerateFunctions(CUfunction *functions, unsigned int functions_count, CUmodule handle)
{
	struct pl_cuda_module *module;
	struct pl_cuda_function *found;
	struct pl_cuda_owner owner;
	CUresult result = module_get(handle, &module);

	if (result)
		return result;
	if (!functions || !functions_count)
		return CUDA_ERROR_INVALID_VALUE;
	owner = owner_of(module);
	for (uint32_t i = 0; !result && i < functions_count && i < owner.members->count; i++) {
		result = pl_cuda_members_at(&owner, i, &found);
		if (!result)
			functions[i] = found->object.handle;
	}
	return result;
}
