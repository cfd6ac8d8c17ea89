/* Variables of modules: device memory that the program did not allocate. */
#include <string.h>

#include "client/cuda/mirrored.h"

/* Where a copy goes is told from its addresses (cuMemcpy()), so those of a variable must be known.  What else has them
 * in the table is left there, and nothing is lost where the table has no room. */
static void learn(struct pl_session *session, uint64_t address, uint64_t bytes, bool managed)
{
	CUresult result;
	struct pl_cuda_memory known;
	struct pl_cuda_memory memory = { .address = address,
					 .bytes = bytes,
					 .kind = PL_CUDA_MEMORY_VARIABLE,
					 .context = pl_cuda_current(&result),
					 .session = session,
					 .mirrored = managed,
					 .advice = PL_CUDA_ADVICE_NONE,
					 .store = PL_ARENA_NONE };
	bool is_known = pl_cuda_memory_find(address, &known) &&
			(known.kind != PL_CUDA_MEMORY_VARIABLE ||
			 (known.address == address && known.bytes == bytes && known.mirrored == managed));

	if (memory.context && bytes && !is_known)
		(void)pl_cuda_memory_enter(&memory);
}

static CUresult variable_ask(struct pl_session *session, enum pl_cuda_op op,
			     const struct pl_cuda_cuModuleGetGlobal_v2_args *args,
			     struct pl_cuda_cuModuleGetGlobal_v2_reply *got)
{
	struct pl_reply reply;
	int r;

	if (strlen(args->name) >= PL_CUDA_LIMIT_NAME_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK_AS(session, op, cuModuleGetGlobal_v2, args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuModuleGetGlobal_v2_reply_get(&reply.dec, got);
	return pl_dec_whole(&reply.dec) ? CUDA_SUCCESS : CUDA_ERROR_UNKNOWN;
}

/* owner: the object of the module or library that `args` names. */
static CUresult variable_get(struct pl_session *session, enum pl_cuda_op op, const struct pl_cuda_object *owner,
			     struct pl_cuda_cuModuleGetGlobal_v2_args *args, CUdeviceptr *address, size_t *bytes,
			     const char *name)
{
	struct pl_cuda_cuModuleGetGlobal_v2_reply got;
	CUresult result;

	args->given = (address || bytes ? 3u : 0) | (name ? 4u : 0);
	args->name = name ? name : "";
	result = variable_ask(session, op, args, &got);
	if (!result && got.length)
		result = pl_cuda_mirrored_variable(session, owner, got.start, got.length);
	if (result)
		return result;
	learn(session, got.address, got.bytes, got.length);
	if (address)
		*address = got.address;
	if (bytes)
		*bytes = got.bytes;
	return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name)
{
	struct pl_cuda_object *owner = pl_cuda_get(PL_CUDA_KIND_module, module);
	struct pl_cuda_cuModuleGetGlobal_v2_args args = { 0 };
	struct pl_session *session;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuModuleGetGlobal_v2, PL_CUDA_KIND_module, module, &session);

	if (result)
		return result;
	args.module = pl_cuda_id(session, PL_CUDA_KIND_module, module);
	if (module && !args.module)
		return CUDA_ERROR_INVALID_HANDLE;
	return variable_get(session, PL_CUDA_OP_cuModuleGetGlobal_v2, owner, &args, address, bytes, name);
}

static CUresult library_get(enum pl_cuda_op op, CUdeviceptr *address, size_t *bytes, CUlibrary library,
			    const char *name)
{
	struct pl_cuda_object *owner = pl_cuda_get(PL_CUDA_KIND_library, library);
	struct pl_cuda_cuModuleGetGlobal_v2_args args = { 0 };
	struct pl_session *session;
	CUresult result = pl_cuda_enter(op, &session);

	if (result)
		return result;
	args.library = pl_cuda_id(session, PL_CUDA_KIND_library, library);
	if (library && !args.library)
		return CUDA_ERROR_INVALID_HANDLE;
	return variable_get(session, op, owner, &args, address, bytes, name);
}

CUresult cuLibraryGetGlobal(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name)
{
	return library_get(PL_CUDA_OP_cuLibraryGetGlobal, address, bytes, library, name);
}

CUresult cuLibraryGetManaged(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name)
{
	return library_get(PL_CUDA_OP_cuLibraryGetManaged, address, bytes, library, name);
}
