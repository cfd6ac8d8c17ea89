/* Variables of modules: device memory that the program did not allocate. */
#include <string.h>

#include "client/cuda/memory.h"

/* Where a copy goes is told from its addresses (cuMemcpy()), so those of a variable must be known.  What else has them
 * in the table is left there, and nothing is lost where the table has no room. */
static void learn(uint64_t address, uint64_t bytes)
{
	CUresult result;
	struct pl_cuda_memory known;
	struct pl_cuda_memory memory = { .address = address,
					 .bytes = bytes,
					 .kind = PL_CUDA_MEMORY_VARIABLE,
					 .context = pl_cuda_current(&result),
					 .store = PL_ARENA_NONE };
	bool is_known = pl_cuda_memory_find(address, &known) &&
			(known.kind != PL_CUDA_MEMORY_VARIABLE || (known.address == address && known.bytes == bytes));

	if (memory.context && bytes && !is_known)
		(void)pl_cuda_memory_enter(&memory);
}

static void give(uint64_t at, uint64_t length, CUdeviceptr *address, size_t *bytes)
{
	learn(at, length);
	if (address)
		*address = at;
	if (bytes)
		*bytes = length;
}

/* Which of the places and the name were given. */
static uint64_t given(const CUdeviceptr *address, const size_t *bytes, const char *name)
{
	return (address || bytes ? 3u : 0) | (name ? 4u : 0);
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name)
{
	struct pl_cuda_cuModuleGetGlobal_v2_args args = { .given = given(address, bytes, name),
							  .name = name ? name : "" };
	struct pl_cuda_cuModuleGetGlobal_v2_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuModuleGetGlobal_v2, PL_CUDA_KIND_module, module, &session);
	int r;

	if (result)
		return result;
	args.module = pl_cuda_id(session, PL_CUDA_KIND_module, module);
	if (module && !args.module)
		return CUDA_ERROR_INVALID_HANDLE;
	if (strlen(args.name) >= PL_CUDA_LIMIT_NAME_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuModuleGetGlobal_v2, &args, &reply);
	if (r || reply.status)
		return r ? pl_cuda_fault(r) : (CUresult)reply.status;
	pl_cuda_cuModuleGetGlobal_v2_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	give(got.address, got.bytes, address, bytes);
	return CUDA_SUCCESS;
}

CUresult cuLibraryGetGlobal(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name)
{
	struct pl_cuda_cuLibraryGetGlobal_args args = { .given = given(address, bytes, name),
							.name = name ? name : "" };
	struct pl_cuda_cuLibraryGetGlobal_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter(PL_CUDA_OP_cuLibraryGetGlobal, &session);
	int r;

	if (result)
		return result;
	args.library = pl_cuda_id(session, PL_CUDA_KIND_library, library);
	if (library && !args.library)
		return CUDA_ERROR_INVALID_HANDLE;
	if (strlen(args.name) >= PL_CUDA_LIMIT_NAME_MAX)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuLibraryGetGlobal, &args, &reply);
	if (r || reply.status)
		return r ? pl_cuda_fault(r) : (CUresult)reply.status;
	pl_cuda_cuLibraryGetGlobal_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec))
		return CUDA_ERROR_UNKNOWN;
	give(got.address, got.bytes, address, bytes);
	return CUDA_SUCCESS;
}
