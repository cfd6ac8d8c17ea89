/* Operations on words of memory in a stream's order. */
#include "capture.h"
#include "cuda-api.h"
#include "mem.h"
#include "check.h"
#include "memop.h"
#include "stream.h"

#define MEMOPS_MAX  256u /* of one call, as CUDA allows */
#define MEMOP_WORDS 8u

static CUresult wait_operation(unsigned int flags, uint32_t *operation_out)
{
	static const uint32_t operations[] = {
		[CU_STREAM_WAIT_VALUE_GEQ] = PL_RG_SEM_ACQUIRE_GEQ,
		[CU_STREAM_WAIT_VALUE_EQ] = PL_RG_SEM_ACQUIRE,
		[CU_STREAM_WAIT_VALUE_AND] = PL_RG_SEM_ACQUIRE_AND,
		[CU_STREAM_WAIT_VALUE_NOR] = PL_RG_SEM_ACQUIRE_NOR,
	};
	if (flags & CU_STREAM_WAIT_VALUE_FLUSH)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (flags > CU_STREAM_WAIT_VALUE_NOR)
		return CUDA_ERROR_INVALID_VALUE;
	*operation_out = operations[flags];
	return CUDA_SUCCESS;
}

static CUresult address_check(CUdeviceptr address, unsigned int bytes)
{
	if (address % bytes || !pl_cu_mem_reaches(address, bytes))
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

CUresult pl_cu_memop_check(const CUstreamBatchMemOpParams *op)
{
	uint32_t operation;
	CUresult r;
	switch (op->operation) {
	case CU_STREAM_MEM_OP_WAIT_VALUE_32:
	case CU_STREAM_MEM_OP_WAIT_VALUE_64:
		r = wait_operation(op->waitValue.flags, &operation);
		return r ? r
			 : address_check(op->waitValue.address,
					 op->operation == CU_STREAM_MEM_OP_WAIT_VALUE_64 ? 8 : 4);
	case CU_STREAM_MEM_OP_WRITE_VALUE_32:
	case CU_STREAM_MEM_OP_WRITE_VALUE_64:
		if (op->writeValue.flags > CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER)
			return CUDA_ERROR_INVALID_VALUE;
		return address_check(op->writeValue.address, op->operation == CU_STREAM_MEM_OP_WRITE_VALUE_64 ? 8 : 4);
	case CU_STREAM_MEM_OP_BARRIER:
		return op->memoryBarrier.flags > CU_STREAM_MEMORY_BARRIER_TYPE_GPU ? CUDA_ERROR_INVALID_VALUE
										   : CUDA_SUCCESS;
	case CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES:
		return CUDA_ERROR_NOT_SUPPORTED;
	default:
		return CUDA_ERROR_INVALID_VALUE;
	}
}

static void memop_emit(struct pl_cu_work *work, const CUstreamBatchMemOpParams *op)
{
	uint32_t operation = 0;
	switch (op->operation) {
	case CU_STREAM_MEM_OP_WAIT_VALUE_32:
		wait_operation(op->waitValue.flags, &operation);
		pl_cu_work_acquire(work, op->waitValue.address, op->waitValue.value, operation);
		break;
	case CU_STREAM_MEM_OP_WAIT_VALUE_64:
		wait_operation(op->waitValue.flags, &operation);
		pl_cu_work_acquire(work, op->waitValue.address, op->waitValue.value64, operation | PL_RG_SEM_64);
		break;
	case CU_STREAM_MEM_OP_WRITE_VALUE_32:
		pl_cu_check_written(op->writeValue.address, 4);
		pl_cu_work_release(work, op->writeValue.address, op->writeValue.value, 0);
		break;
	case CU_STREAM_MEM_OP_WRITE_VALUE_64:
		pl_cu_check_written(op->writeValue.address, 8);
		pl_cu_work_release(work, op->writeValue.address, op->writeValue.value64, PL_RG_SEM_64);
		break;
	default:
		pl_cu_work_method(work, PL_RG_M_MEMBAR, 0);
	}
}

CUresult pl_cu_memops_run(struct pl_cu_stream *stream, unsigned int n, const CUstreamBatchMemOpParams *ops)
{
	struct pl_cu_work work;
	bool captured;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	for (unsigned int i = 0; i < n && !r; i++)
		r = pl_cu_memop_check(&ops[i]);
	if (!r && captured)
		return pl_cu_capture_memops(stream, n, ops);
	if (!r)
		r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	for (unsigned int i = 0; i < n; i++) {
		r = pl_cu_work_room(&work, MEMOP_WORDS);
		if (r) {
			pl_cu_work_cancel(&work);
			return r;
		}
		memop_emit(&work, &ops[i]);
	}
	pl_cu_work_close(&work);
	return CUDA_SUCCESS;
}

static CUresult memops_run(CUstream handle, unsigned int n, const CUstreamBatchMemOpParams *ops)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	return r ? r : pl_cu_memops_run(stream, n, ops);
}

CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned int n, CUstreamBatchMemOpParams *ops, unsigned int flags)
{
	if (!n || n > MEMOPS_MAX || !ops || flags)
		return pl_cu_enter() ? pl_cu_enter() : CUDA_ERROR_INVALID_VALUE;
	return memops_run(stream, n, ops);
}

CUresult cuStreamBatchMemOp(CUstream stream, unsigned int n, CUstreamBatchMemOpParams *ops, unsigned int flags)
{
	return cuStreamBatchMemOp_v2(stream, n, ops, flags);
}

static CUresult wait_run(CUstream stream, CUstreamBatchMemOpType type, CUdeviceptr address, uint64_t value,
			 unsigned int flags)
{
	CUstreamBatchMemOpParams op = {
		.waitValue = { .operation = type, .address = address, .value64 = value, .flags = flags }
	};
	return memops_run(stream, 1, &op);
}

static CUresult write_run(CUstream stream, CUstreamBatchMemOpType type, CUdeviceptr address, uint64_t value,
			  unsigned int flags)
{
	CUstreamBatchMemOpParams op = {
		.writeValue = { .operation = type, .address = address, .value64 = value, .flags = flags }
	};
	return memops_run(stream, 1, &op);
}

CUresult cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags)
{
	return wait_run(stream, CU_STREAM_MEM_OP_WAIT_VALUE_32, address, value, flags);
}

CUresult cuStreamWaitValue64_v2(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags)
{
	return wait_run(stream, CU_STREAM_MEM_OP_WAIT_VALUE_64, address, value, flags);
}

CUresult cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags)
{
	return write_run(stream, CU_STREAM_MEM_OP_WRITE_VALUE_32, address, value, flags);
}

CUresult cuStreamWriteValue64_v2(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags)
{
	return write_run(stream, CU_STREAM_MEM_OP_WRITE_VALUE_64, address, value, flags);
}

CUresult cuStreamWaitValue32(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags)
{
	return cuStreamWaitValue32_v2(stream, address, value, flags);
}

CUresult cuStreamWaitValue64(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags)
{
	return cuStreamWaitValue64_v2(stream, address, value, flags);
}

CUresult cuStreamWriteValue32(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags)
{
	return cuStreamWriteValue32_v2(stream, address, value, flags);
}

CUresult cuStreamWriteValue64(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags)
{
	return cuStreamWriteValue64_v2(stream, address, value, flags);
}
