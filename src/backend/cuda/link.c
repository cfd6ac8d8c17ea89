#include "backend/cuda/link.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cuda/jit.h"
#include "base/err.h"

struct link {
	struct link *next;
	uint64_t id;
	struct pl_cuda_jit jit;
};

static pthread_mutex_t links_lock = PTHREAD_MUTEX_INITIALIZER;
static struct link *links; /* under links_lock; each belongs to the call that holds the turn */

static void link_free(struct link *link)
{
	if (link)
		pl_cuda_jit_fini(&link->jit);
	free(link);
}

static struct link *link_find(uint64_t id)
{
	struct link *link;

	pthread_mutex_lock(&links_lock);
	for (link = links; link && link->id != id; link = link->next)
		;
	pthread_mutex_unlock(&links_lock);
	return link;
}

void pl_cuda_link_gone(uint64_t id)
{
	struct link *gone = NULL;

	pthread_mutex_lock(&links_lock);
	for (struct link **at = &links; *at && !gone; at = &(*at)->next) {
		if ((*at)->id != id)
			continue;
		gone = *at;
		*at = gone->next;
		break;
	}
	pthread_mutex_unlock(&links_lock);
	link_free(gone);
}

void pl_cuda_serve_cuLinkCreate(struct pl_serve *serve, const struct pl_cuda_cuLinkCreate_args *args)
{
	struct link *link = calloc(1, sizeof(*link));
	int32_t status = CUDA_ERROR_OUT_OF_MEMORY;
	CUlinkState state = NULL;

	if (link)
		status = pl_cuda_jit_open(&link->jit, args->options, args->values);
	if (!status)
		status = pl_cuda.cuLinkCreate_v2 ? (int32_t)pl_cuda.cuLinkCreate_v2(link->jit.count, link->jit.option,
										    link->jit.value, &state)
						 : CUDA_ERROR_NOT_SUPPORTED;
	if (status) {
		link_free(link);
	} else if (!pl_cuda_put(serve, args->link, PL_CUDA_KIND_link, state, 0)) {
		status = CUDA_ERROR_OUT_OF_MEMORY;
		link_free(link); /* the linker, which wrote to it, has ended */
	} else {
		pthread_mutex_lock(&links_lock);
		link->id = args->link;
		link->next = links;
		links = link;
		pthread_mutex_unlock(&links_lock);
	}
	pl_cuda_result(serve, status, 0);
}

/* In memory of our own: the driver reads it while the client could change what is shared. */
static void *data_copy(struct pl_serve *serve, const struct pl_bulk *bulk)
{
	uint8_t *copy = malloc(bulk->bytes + 8);

	if (!copy)
		return NULL;
	memset(copy + bulk->bytes, 0, 8); /* a text ends here at the latest */
	if (bulk->data) {
		memcpy(copy, bulk->data, bulk->bytes);
		return copy;
	}
	if (pl_serve_take_bulk(serve, copy, bulk->bytes)) {
		free(copy);
		return NULL;
	}
	return copy;
}

static bool option_is_log(CUjit_option option)
{
	return option == CU_JIT_INFO_LOG_BUFFER || option == CU_JIT_ERROR_LOG_BUFFER;
}

void pl_cuda_serve_cuLinkAddData(struct pl_serve *serve, const struct pl_cuda_cuLinkAddData_args *args)
{
	struct pl_cuda_cuLinkAddData_reply reply = { 0 };
	int32_t status = CUDA_ERROR_INVALID_HANDLE;
	struct link *link = link_find(args->link);
	struct pl_cuda_jit jit;
	void *state, *data = NULL;

	if (!link || !pl_cuda_take(serve, args->link, PL_CUDA_KIND_link, &state, &status)) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = pl_cuda_jit_open(&jit, args->options, args->values);
	for (uint32_t i = 0; i < jit.count && !status; i++)
		if (option_is_log(jit.option[i]))
			status = CUDA_ERROR_INVALID_VALUE; /* they are the linker's, not an input's */
	if (!status) {
		data = data_copy(serve, &args->data);
		status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	if (data)
		status = pl_cuda.cuLinkAddData_v2
				 ? (int32_t)pl_cuda.cuLinkAddData_v2(state, (CUjitInputType)args->type, data,
								     args->data.bytes, args->name, jit.count,
								     jit.option, jit.value)
				 : CUDA_ERROR_NOT_SUPPORTED;
	free(data);
	pl_cuda_jit_fini(&jit);
	reply.result = (uint32_t)status;
	reply.info_log = pl_cuda_jit_info(&link->jit);
	reply.error_log = pl_cuda_jit_error(&link->jit);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuLinkAddData_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuLinkAddData_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuLinkComplete(struct pl_serve *serve, const struct pl_cuda_cuLinkComplete_args *args)
{
	struct pl_cuda_cuLinkComplete_reply reply = { 0 };
	int32_t status = CUDA_ERROR_INVALID_HANDLE;
	struct link *link = link_find(args->link);
	void *state, *cubin = NULL;
	size_t bytes = 0;

	if (!link || !pl_cuda_take(serve, args->link, PL_CUDA_KIND_link, &state, &status)) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	status = pl_cuda.cuLinkComplete ? (int32_t)pl_cuda.cuLinkComplete(state, &cubin, &bytes)
					: CUDA_ERROR_NOT_SUPPORTED;
	if (status)
		bytes = 0;
	reply.result = (uint32_t)status;
	reply.info_log = pl_cuda_jit_info(&link->jit);
	reply.error_log = pl_cuda_jit_error(&link->jit);
	reply.cubin = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = bytes };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuLinkComplete_reply_bytes(&reply), bytes))
		return;
	pl_cuda_cuLinkComplete_reply_put(&serve->reply_enc, &reply);
	if (!pl_serve_reply_end(serve) && bytes)
		(void)pl_serve_reply_bulk(serve, cubin, bytes);
}
