#include "client/cuda/link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "client/cuda/image.h"

void pl_cuda_link_fini(struct pl_cuda_link *link)
{
	free(link->cubin);
}

static void logs_take(struct pl_cuda_link *link, const struct pl_cuda_jit_options *options)
{
	for (unsigned int i = 0; i < options->count; i++) {
		uintptr_t value = (uintptr_t)options->value[i];

		switch (options->option[i]) {
		case CU_JIT_INFO_LOG_BUFFER:
			link->info = options->value[i];
			break;
		case CU_JIT_ERROR_LOG_BUFFER:
			link->error = options->value[i];
			break;
		case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
			link->info_bytes = (uint32_t)value;
			break;
		case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
			link->error_bytes = (uint32_t)value;
			break;
		default:
			break;
		}
	}
}

static void log_give(char *to, uint64_t room, struct pl_bytes log)
{
	uint64_t bytes = log.bytes < room ? log.bytes : room - 1;

	if (!to || !room)
		return;
	if (bytes)
		memcpy(to, log.at, bytes);
	to[bytes] = '\0';
}

CUresult cuLinkCreate_v2(unsigned int options_count, CUjit_option *options, void **option_values, CUlinkState *handle)
{
	const struct pl_cuda_jit_options given = { options, option_values, options_count };
	struct pl_cuda_cuLinkCreate_args args = { 0 };
	struct pl_session *session;
	struct pl_cuda_link *link;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLinkCreate_v2, &session);
	int r;

	if (result)
		return result;
	if (!handle || (options_count && (!options || !option_values)))
		return CUDA_ERROR_INVALID_VALUE;
	link = pl_cuda_object_create(PL_CUDA_KIND_link, 0, pl_cuda_thread.top);
	if (!link)
		return CUDA_ERROR_OUT_OF_MEMORY;
	logs_take(link, &given);
	args.link = link->object.id;
	args.options = (struct pl_u32s){ (const uint32_t *)options, options_count };
	args.values = (struct pl_u64s){ (const uint64_t *)option_values, options_count };
	r = PL_CUDA_ASK(session, cuLinkCreate, &args, &reply);
	result = pl_cuda_answer(r, &reply);
	if (result)
		pl_cuda_forget(&link->object);
	else
		*handle = link->object.handle;
	return result;
}

CUresult cuLinkCreate(unsigned int options_count, CUjit_option *options, void **option_values, CUlinkState *link)
{
	return cuLinkCreate_v2(options_count, options, option_values, link);
}

/* ---- inputs ---- */

static CUresult data_send(struct pl_session *session, struct pl_cuda_link *link, CUjitInputType type, const void *data,
			  size_t bytes, const char *name, const struct pl_cuda_jit_options *options)
{
	struct pl_cuda_cuLinkAddData_args args = { .link = link->object.id, .type = type, .name = name ? name : "" };
	struct pl_cuda_cuLinkAddData_reply got;
	struct pl_reply reply;
	struct pl_call call;
	int r;

	args.options = (struct pl_u32s){ (const uint32_t *)options->option, options->count };
	args.values = (struct pl_u64s){ (const uint64_t *)options->value, options->count };
	args.data = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = bytes };
	r = pl_call_begin(&call, session, PL_CUDA_OP_cuLinkAddData, pl_cuda_cuLinkAddData_bytes(&args));
	if (!r) {
		pl_cuda_cuLinkAddData_put(&call.enc, &args);
		r = pl_call_ask_after(&call, data, bytes, &reply);
	}
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuLinkAddData_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	log_give(link->info, link->info_bytes, got.info_log);
	log_give(link->error, link->error_bytes, got.error_log);
	return (CUresult)got.result;
}

static CUresult link_get(enum pl_cuda_op op, CUlinkState handle, struct pl_session **session_out,
			 struct pl_cuda_link **link_out)
{
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_link, handle, session_out);

	if (result)
		return result;
	*link_out = pl_cuda_get(PL_CUDA_KIND_link, handle);
	return *link_out ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult cuLinkAddData_v2(CUlinkState handle, CUjitInputType type, void *data, size_t bytes, const char *name,
			  unsigned int options_count, CUjit_option *options, void **option_values)
{
	const struct pl_cuda_jit_options given = { options, option_values, options_count };
	struct pl_session *session;
	struct pl_cuda_link *link;
	CUresult result = link_get(PL_CUDA_OP_cuLinkAddData_v2, handle, &session, &link);

	if (result)
		return result;
	if (!data || !bytes || (options_count && (!options || !option_values)))
		return CUDA_ERROR_INVALID_VALUE;
	return data_send(session, link, type, data, bytes, name, &given);
}

CUresult cuLinkAddData(CUlinkState handle, CUjitInputType type, void *data, size_t bytes, const char *name,
		       unsigned int options_count, CUjit_option *options, void **option_values)
{
	return cuLinkAddData_v2(handle, type, data, bytes, name, options_count, options, option_values);
}

CUresult cuLinkAddFile_v2(CUlinkState handle, CUjitInputType type, const char *path, unsigned int options_count,
			  CUjit_option *options, void **option_values)
{
	const struct pl_cuda_jit_options given = { options, option_values, options_count };
	struct pl_session *session;
	struct pl_cuda_link *link;
	CUresult result = link_get(PL_CUDA_OP_cuLinkAddFile_v2, handle, &session, &link);
	size_t bytes;
	void *data;

	if (result)
		return result;
	if (!path || (options_count && (!options || !option_values)))
		return CUDA_ERROR_INVALID_VALUE;
	data = pl_cuda_file_map(path, &bytes);
	if (!data)
		return CUDA_ERROR_FILE_NOT_FOUND;
	result = data_send(session, link, type, data, bytes, path, &given);
	munmap(data, bytes);
	return result;
}

CUresult cuLinkAddFile(CUlinkState handle, CUjitInputType type, const char *path, unsigned int options_count,
		       CUjit_option *options, void **option_values)
{
	return cuLinkAddFile_v2(handle, type, path, options_count, options, option_values);
}

/* ---- the end ---- */

static CUresult cubin_take(struct pl_cuda_link *link, struct pl_reply *reply, uint64_t bytes)
{
	pl_cleanup(pl_freep) void *cubin = bytes == reply->bulk_bytes ? malloc(bytes + 1) : NULL;
	int r;

	if (!cubin)
		return bytes == reply->bulk_bytes ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_UNKNOWN;
	r = bytes ? pl_call_bulk(reply, cubin, bytes) : 0;
	if (r)
		return pl_cuda_fault(r);
	free(link->cubin);
	link->cubin = pl_steal(cubin);
	return CUDA_SUCCESS;
}

CUresult cuLinkComplete(CUlinkState handle, void **cubin, size_t *bytes)
{
	struct pl_cuda_cuLinkComplete_args args = { 0 };
	struct pl_cuda_cuLinkComplete_reply got;
	struct pl_session *session;
	struct pl_cuda_link *link;
	struct pl_reply reply;
	CUresult result = link_get(PL_CUDA_OP_cuLinkComplete, handle, &session, &link);
	int r;

	if (result)
		return result;
	if (!cubin)
		return CUDA_ERROR_INVALID_VALUE;
	args.link = link->object.id;
	r = PL_CUDA_ASK(session, cuLinkComplete, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuLinkComplete_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	log_give(link->info, link->info_bytes, got.info_log);
	log_give(link->error, link->error_bytes, got.error_log);
	if (got.result)
		return (CUresult)got.result;
	result = cubin_take(link, &reply, got.cubin.bytes);
	if (result)
		return result;
	*cubin = link->cubin;
	if (bytes)
		*bytes = got.cubin.bytes;
	return CUDA_SUCCESS;
}
