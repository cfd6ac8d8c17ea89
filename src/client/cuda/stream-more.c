/* Streams: attributes, and operations on words of memory in a stream's order. */
#include <string.h>

#include "client/cuda/awaited.h"
#include "client/cuda/reach.h"

#define OPERATIONS_MAX 256u /* of one call, as drivers have it */

static CUresult attribute_get(bool per_thread, CUstream stream, CUstreamAttrID attribute, CUstreamAttrValue *value)
{
	struct pl_cuda_cuStreamGetAttribute_args args = { .attribute = attribute, .per_thread = per_thread };
	struct pl_cuda_cuStreamGetAttribute_reply got;
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuStreamGetAttribute, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuStreamGetAttribute, &args, &reply);
	if (r || reply.status)
		return pl_cuda_answer(r, &reply);
	pl_cuda_cuStreamGetAttribute_reply_get(&reply.dec, &got);
	if (!pl_dec_whole(&reply.dec) || got.value.bytes != sizeof(*value))
		return CUDA_ERROR_UNKNOWN;
	memcpy(value, got.value.at, sizeof(*value));
	return CUDA_SUCCESS;
}

CUresult cuStreamGetAttribute(CUstream stream, CUstreamAttrID attribute, CUstreamAttrValue *value)
{
	return attribute_get(false, stream, attribute, value);
}

CUresult cuStreamGetAttribute_ptsz(CUstream stream, CUstreamAttrID attribute, CUstreamAttrValue *value)
{
	return attribute_get(true, stream, attribute, value);
}

/* Asked: it is rare, and what is wrong with a value is the driver's to say. */
static CUresult attribute_set(bool per_thread, CUstream stream, CUstreamAttrID attribute,
			      const CUstreamAttrValue *value)
{
	struct pl_cuda_cuStreamSetAttribute_args args = { .attribute = attribute,
							  .per_thread = per_thread,
							  .value = { value, sizeof(*value) } };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(PL_CUDA_OP_cuStreamSetAttribute, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	r = PL_CUDA_ASK(session, cuStreamSetAttribute, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuStreamSetAttribute(CUstream stream, CUstreamAttrID attribute, const CUstreamAttrValue *value)
{
	return attribute_set(false, stream, attribute, value);
}

CUresult cuStreamSetAttribute_ptsz(CUstream stream, CUstreamAttrID attribute, const CUstreamAttrValue *value)
{
	return attribute_set(true, stream, attribute, value);
}

static CUresult batch(enum pl_cuda_op op, bool per_thread, CUstream stream, unsigned int count,
		      CUstreamBatchMemOpParams *operations, unsigned int flags)
{
	struct pl_cuda_cuStreamBatchMemOp_args args = { .flags = flags, .per_thread = per_thread };
	struct pl_session *session;
	struct pl_reply reply;
	CUresult result = pl_cuda_enter_of(op, PL_CUDA_KIND_stream, stream, &session);
	int r;

	if (result)
		return result;
	args.stream = pl_cuda_id(session, PL_CUDA_KIND_stream, stream);
	if (stream && !args.stream)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!operations || !count || count > OPERATIONS_MAX || flags)
		return CUDA_ERROR_INVALID_VALUE;
	pl_cuda_awaits_program();
	pl_cuda_reach_all((const uint8_t *)operations, count * sizeof(*operations));
	args.operations = (struct pl_bytes){ operations, count * sizeof(*operations) };
	r = PL_CUDA_ASK_AS(session, op, cuStreamBatchMemOp, &args, &reply);
	return pl_cuda_answer(r, &reply);
}

CUresult cuStreamBatchMemOp(CUstream stream, unsigned int count, CUstreamBatchMemOpParams *operations,
			    unsigned int flags)
{
	return batch(PL_CUDA_OP_cuStreamBatchMemOp, false, stream, count, operations, flags);
}

CUresult cuStreamBatchMemOp_ptsz(CUstream stream, unsigned int count, CUstreamBatchMemOpParams *operations,
				 unsigned int flags)
{
	return batch(PL_CUDA_OP_cuStreamBatchMemOp, true, stream, count, operations, flags);
}

CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned int count, CUstreamBatchMemOpParams *operations,
			       unsigned int flags)
{
	return batch(PL_CUDA_OP_cuStreamBatchMemOp_v2, false, stream, count, operations, flags);
}

CUresult cuStreamBatchMemOp_v2_ptsz(CUstream stream, unsigned int count, CUstreamBatchMemOpParams *operations,
				    unsigned int flags)
{
	return batch(PL_CUDA_OP_cuStreamBatchMemOp_v2, true, stream, count, operations, flags);
}
