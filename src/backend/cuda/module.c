/* Images, loaded as modules and as libraries. */
#include "backend/cuda/image.h"
#include "backend/cuda/jit.h"

/* ---- modules ---- */

static void module_answer(struct pl_serve *serve, struct pl_cuda_cuModuleLoadDataEx_reply *reply,
			  const struct pl_cuda_table *table)
{
	reply->functions = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = table->count * 8 };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuModuleLoadDataEx_reply_bytes(reply),
				 reply->functions.bytes))
		return;
	pl_cuda_cuModuleLoadDataEx_reply_put(&serve->reply_enc, reply);
	if (!pl_serve_reply_end(serve) && table->count)
		(void)pl_serve_reply_bulk(serve, table->words, table->count * 8);
}

void pl_cuda_serve_cuModuleLoadDataEx(struct pl_serve *serve, const struct pl_cuda_cuModuleLoadDataEx_args *args)
{
	struct pl_cuda_cuModuleLoadDataEx_reply reply = { 0 };
	const void *image = NULL;
	struct pl_cuda_table table = { 0 };
	struct pl_cuda_jit jit;
	CUmodule module = NULL;
	int32_t status = pl_cuda_jit_open(&jit, args->options, args->values);
	int got = status ? -status - 1
			 : pl_cuda_image_get(serve, args->image_hash, args->image_bytes, &args->image, &image);

	if (got < 0)
		status = -got - 1;
	reply.image_wanted = got > 0 ? (uint32_t)got : 0;
	if (!got) {
		status = (int32_t)pl_cuda.cuModuleLoadDataEx(&module, image, jit.count, jit.option, jit.value);
		reply.values = pl_cuda_jit_values(&jit);
		reply.info_log = pl_cuda_jit_info(&jit);
		reply.error_log = pl_cuda_jit_error(&jit);
	}
	if (module && !status && !pl_cuda_put(serve, args->module, PL_CUDA_KIND_module, module, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (module && !status) {
		pl_cuda_source_note(pl_cuda_session_of(serve), args->module, PL_CUDA_KIND_module, image);
		pl_cuda_table_of_module(serve, &table, args->module, module, jit.count ? NULL : image);
		if (table.failed)
			table.count = 0;
	}
	if (pl_cuda_is_sticky(status))
		pl_cuda_context_failed(pl_cuda_session_of(serve), status);
	if (status)
		pl_cuda_print_flush(pl_cuda_session_of(serve)); /* why the driver refuses it */
	reply.result = (uint32_t)status;
	module_answer(serve, &reply, &table);
	pl_cuda_table_fini(&table);
	pl_cuda_jit_fini(&jit);
}

static void reference_answer(struct pl_serve *serve, int32_t status, uint64_t id, enum pl_cuda_object_kind kind,
			     void *reference, uint64_t module)
{
	if (!status && !pl_cuda_put_member(serve, id, kind, reference, 0, module))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuModuleGetTexRef(struct pl_serve *serve, const struct pl_cuda_cuModuleGetTexRef_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUtexref reference = NULL;
	void *module;

	if (pl_cuda.cuModuleGetTexRef && pl_cuda_take(serve, args->module, PL_CUDA_KIND_module, &module, &status))
		status = (int32_t)pl_cuda.cuModuleGetTexRef(&reference, module, args->given & 1 ? args->name : NULL);
	reference_answer(serve, status, args->texref, PL_CUDA_KIND_texref, reference, args->module);
}

void pl_cuda_serve_cuModuleGetSurfRef(struct pl_serve *serve, const struct pl_cuda_cuModuleGetSurfRef_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUsurfref reference = NULL;
	void *module;

	if (pl_cuda.cuModuleGetSurfRef && pl_cuda_take(serve, args->module, PL_CUDA_KIND_module, &module, &status))
		status = (int32_t)pl_cuda.cuModuleGetSurfRef(&reference, module, args->given & 1 ? args->name : NULL);
	reference_answer(serve, status, args->surfref, PL_CUDA_KIND_surfref, reference, args->module);
}

/* ---- libraries ---- */

/* Of the options' values one is an address: a flag that says what the driver may keep of the program's memory. */
static int32_t library_load(const struct pl_cuda_cuLibraryLoadData_args *args, const void *image,
			    struct pl_cuda_jit *jit, CUlibrary *library_out)
{
	CUlibraryOption options[CU_LIBRARY_NUM_OPTIONS];
	void *values[CU_LIBRARY_NUM_OPTIONS];
	unsigned int count = 0;

	if (!pl_cuda.cuLibraryLoadData)
		return CUDA_ERROR_NOT_SUPPORTED;
	for (uint64_t i = 0; i < args->library_options.count && i < args->library_values.count; i++) {
		if (args->library_options.at[i] != CU_LIBRARY_BINARY_IS_PRESERVED || count == CU_LIBRARY_NUM_OPTIONS)
			continue; /* the other is a table of the program's own addresses */
		options[count] = CU_LIBRARY_BINARY_IS_PRESERVED;
		values[count++] = (void *)(uintptr_t)(args->library_values.at[i] != 0);
	}
	return (int32_t)pl_cuda.cuLibraryLoadData(library_out, image, jit->option, jit->value, jit->count, options,
						  values, count);
}

void pl_cuda_serve_cuLibraryLoadData(struct pl_serve *serve, const struct pl_cuda_cuLibraryLoadData_args *args)
{
	struct pl_cuda_cuLibraryLoadData_reply reply = { 0 };
	const void *image = NULL;
	struct pl_cuda_jit jit;
	CUlibrary library = NULL;
	int32_t status = pl_cuda_jit_open(&jit, args->options, args->values);
	int got = status ? -status - 1
			 : pl_cuda_image_get(serve, args->image_hash, args->image_bytes, &args->image, &image);

	if (got < 0)
		status = -got - 1;
	reply.image_wanted = got > 0 ? (uint32_t)got : 0;
	if (!got) {
		status = library_load(args, image, &jit, &library);
		reply.values = pl_cuda_jit_values(&jit);
		reply.info_log = pl_cuda_jit_info(&jit);
		reply.error_log = pl_cuda_jit_error(&jit);
	}
	if (library && !status && !pl_cuda_put(serve, args->library, PL_CUDA_KIND_library, library, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (library && !status) {
		pl_cuda_source_note(pl_cuda_session_of(serve), args->library, PL_CUDA_KIND_library, image);
		pl_cuda_library_place(pl_cuda_session_of(serve), args->library);
	}
	if (status)
		pl_cuda_print_flush(pl_cuda_session_of(serve));
	reply.result = (uint32_t)status;
	if (!pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuLibraryLoadData_reply_bytes(&reply), 0)) {
		pl_cuda_cuLibraryLoadData_reply_put(&serve->reply_enc, &reply);
		(void)pl_serve_reply_end(serve);
	}
	pl_cuda_jit_fini(&jit);
}
