/* A device's multiprocessors in groups, for green contexts; the rest of that is generated. */
#include <string.h>

#include "client/cuda/state.h"

static CUresult take(const struct pl_cuda_cuDevSmResourceSplitByCount_reply *got, CUdevResource *result,
		     unsigned int *groups, CUdevResource *remaining)
{
	uint64_t count = got->results.bytes / sizeof(*result);

	if (got->results.bytes % sizeof(*result) || (got->results.bytes && !result) || count > *groups ||
	    (got->remaining.bytes && got->remaining.bytes != sizeof(*remaining)))
		return CUDA_ERROR_UNKNOWN;
	if (count)
		memcpy(result, got->results.at, got->results.bytes);
	if (remaining && got->remaining.bytes)
		memcpy(remaining, got->remaining.at, sizeof(*remaining));
	*groups = got->groups;
	return CUDA_SUCCESS;
}

CUresult cuDevSmResourceSplitByCount(CUdevResource *result, unsigned int *groups, const CUdevResource *input,
				     CUdevResource *remaining, unsigned int flags, unsigned int min_count)
{
	struct pl_cuda_cuDevSmResourceSplitByCount_args args = { .flags = flags, .min_count = min_count };
	struct pl_cuda_cuDevSmResourceSplitByCount_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult error = pl_cuda_enter(PL_CUDA_OP_cuDevSmResourceSplitByCount, &session);
	int r;

	static_assert(sizeof(*input) == PL_CUDA_LIMIT_RESOURCE_BYTES, "as on the wire");
	if (error)
		return error;
	if (!groups || !input || (result && *groups > PL_CUDA_LIMIT_RESOURCES_MAX / sizeof(*result)))
		return CUDA_ERROR_INVALID_VALUE;
	args.input = (struct pl_bytes){ input, sizeof(*input) };
	args.groups = *groups;
	args.want = (result ? 1u : 0) | (remaining ? 2u : 0);
	r = PL_CUDA_ASK(session, cuDevSmResourceSplitByCount, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuDevSmResourceSplitByCount_reply_get(&reply.dec, &got);
	return pl_dec_whole(&reply.dec) ? take(&got, result, groups, remaining) : CUDA_ERROR_UNKNOWN;
}
