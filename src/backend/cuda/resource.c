/* A device's multiprocessors in groups, for green contexts; the rest of that is generated. */
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/session.h"

#define GROUPS_MAX (PL_CUDA_LIMIT_RESOURCES_MAX / PL_CUDA_LIMIT_RESOURCE_BYTES)

static void split_reply(struct pl_serve *serve, const struct pl_cuda_cuDevSmResourceSplitByCount_reply *reply)
{
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuDevSmResourceSplitByCount_reply_bytes(reply), 0))
		return;
	pl_cuda_cuDevSmResourceSplitByCount_reply_put(&serve->reply_enc, reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuDevSmResourceSplitByCount(struct pl_serve *serve,
					       const struct pl_cuda_cuDevSmResourceSplitByCount_args *args)
{
	struct pl_cuda_cuDevSmResourceSplitByCount_reply reply = { 0 };
	unsigned int groups = args->groups, room = args->want & 1 ? args->groups : 0;
	CUdevResource input, remaining = { 0 }, *results;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	if (args->input.bytes != sizeof(input) || room > GROUPS_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	memcpy(&input, args->input.at, sizeof(input));
	results = calloc(room + 1, sizeof(*results));
	if (!results)
		status = CUDA_ERROR_OUT_OF_MEMORY;
	else if (pl_cuda.cuDevSmResourceSplitByCount)
		status = (int32_t)pl_cuda.cuDevSmResourceSplitByCount(args->want & 1 ? results : NULL, &groups, &input,
								      args->want & 2 ? &remaining : NULL, args->flags,
								      args->min_count);
	if (status) {
		free(results);
		pl_cuda_result(serve, status, 0);
		return;
	}
	reply.groups = groups;
	if (args->want & 1)
		reply.results = (struct pl_bytes){ results, (groups < room ? groups : room) * sizeof(*results) };
	if (args->want & 2)
		reply.remaining = (struct pl_bytes){ &remaining, sizeof(remaining) };
	split_reply(serve, &reply);
	free(results);
}
