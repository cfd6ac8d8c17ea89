/* Images: kept by what they contain, loaded as modules and as libraries. */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/jit.h"
#include "backend/cuda/session.h"
#include "base/err.h"
#include "cuda/image.h"

#define IMAGE_ROOM 8u /* behind a packed image, for its unpacking */

struct pl_cuda_image {
	struct pl_cuda_image *next;
	uint64_t hash, bytes;
	const void *image; /* as the driver takes it; it may go on reading it */
};

static const struct pl_cuda_image *image_known(struct pl_cuda_session *session, uint64_t hash, uint64_t bytes)
{
	struct pl_cuda_image *image;

	pthread_mutex_lock(&session->images_lock);
	for (image = session->images; image && (image->hash != hash || image->bytes != bytes); image = image->next)
		;
	pthread_mutex_unlock(&session->images_lock);
	return image;
}

/* The bytes of a bulk field in memory of our own.  Return: NULL = no memory, or the lane broke. */
static void *bulk_copy(struct pl_serve *serve, const struct pl_bulk *bulk, uint64_t room)
{
	void *copy = malloc(bulk->bytes + room);

	if (!copy)
		return NULL;
	if (bulk->data) {
		memcpy(copy, bulk->data, bulk->bytes);
	} else if (pl_serve_take_bulk(serve, copy, bulk->bytes)) {
		free(copy);
		return NULL;
	}
	return copy;
}

/* Its bytes are charged by the caller, for as long as the session lives. */
static int32_t image_enter(struct pl_serve *serve, const struct pl_bulk *bulk, const struct pl_cuda_image **image_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_image *image = malloc(sizeof(*image));
	void *packed = image ? bulk_copy(serve, bulk, IMAGE_ROOM) : NULL;

	if (!packed) {
		free(image);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*image = (struct pl_cuda_image){ .hash = pl_cuda_image_hash(packed, bulk->bytes), .bytes = bulk->bytes };
	if (pl_cuda_image_unpack(packed, bulk->bytes, &image->image)) {
		free(packed);
		free(image);
		return CUDA_ERROR_INVALID_IMAGE;
	}
	pthread_mutex_lock(&session->images_lock);
	image->next = session->images;
	session->images = image;
	pthread_mutex_unlock(&session->images_lock);
	*image_out = image;
	return CUDA_SUCCESS;
}

/* Return: 0; 1: the client has to send it; else (negative) no image, the API's code is -r - 1. */
static int image_get(struct pl_serve *serve, uint64_t hash, uint64_t bytes, const struct pl_bulk *bulk,
		     const struct pl_cuda_image **image_out)
{
	int32_t status;

	*image_out = image_known(pl_cuda_session_of(serve), hash, bytes);
	if (*image_out)
		return 0;
	if (!bulk->bytes)
		return 1;
	status = image_enter(serve, bulk, image_out);
	if (status)
		return -status - 1;
	pl_cuda_charge_keep();
	return 0;
}

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
	const struct pl_cuda_image *image = NULL;
	struct pl_cuda_table table = { 0 };
	struct pl_cuda_jit jit;
	CUmodule module = NULL;
	int32_t status = pl_cuda_jit_open(&jit, args->options, args->values);
	int got = status ? -status - 1 : image_get(serve, args->image_hash, args->image_bytes, &args->image, &image);

	if (got < 0)
		status = -got - 1;
	reply.image_wanted = got > 0;
	if (!got) {
		status = (int32_t)pl_cuda.cuModuleLoadDataEx(&module, image->image, jit.count, jit.option, jit.value);
		reply.values = pl_cuda_jit_values(&jit);
		reply.info_log = pl_cuda_jit_info(&jit);
		reply.error_log = pl_cuda_jit_error(&jit);
	}
	if (module && !status) {
		pl_cuda_put(serve, args->module, PL_CUDA_KIND_module, module, 0);
		pl_cuda_table_of_module(serve, &table, args->module, module);
		if (table.failed)
			table.count = 0;
	}
	if (pl_cuda_is_sticky(status))
		pl_cuda_context_failed(pl_cuda_session_of(serve), status);
	reply.result = (uint32_t)status;
	module_answer(serve, &reply, &table);
	pl_cuda_table_fini(&table);
	pl_cuda_jit_fini(&jit);
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
	const struct pl_cuda_image *image = NULL;
	struct pl_cuda_jit jit;
	CUlibrary library = NULL;
	int32_t status = pl_cuda_jit_open(&jit, args->options, args->values);
	int got = status ? -status - 1 : image_get(serve, args->image_hash, args->image_bytes, &args->image, &image);

	if (got < 0)
		status = -got - 1;
	reply.image_wanted = got > 0;
	if (!got) {
		status = library_load(args, image->image, &jit, &library);
		reply.values = pl_cuda_jit_values(&jit);
		reply.info_log = pl_cuda_jit_info(&jit);
		reply.error_log = pl_cuda_jit_error(&jit);
	}
	if (library && !status)
		pl_cuda_put(serve, args->library, PL_CUDA_KIND_library, library, 0);
	reply.result = (uint32_t)status;
	if (!pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuLibraryLoadData_reply_bytes(&reply), 0)) {
		pl_cuda_cuLibraryLoadData_reply_put(&serve->reply_enc, &reply);
		(void)pl_serve_reply_end(serve);
	}
	pl_cuda_jit_fini(&jit);
}
