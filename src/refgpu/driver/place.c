/* For a server that receives into the device's memory, or sends from it, itself: a copy that is a step of a stream. */
#include <stdlib.h>

#include "capture.h"
#include "cuda/handle.h"
#include "cuda/share.h"
#include "mem.h"
#include "stream.h"

struct plRefgpuPlace {
	struct pl_cu_mem *mem; /* in use */
	uint64_t address, bytes;
	struct pl_cu_hw *hw;
	struct pl_cu_line *line; /* of the stream, which may be destroyed meanwhile */
	uint64_t step;
	uint32_t call; /* goes on until the end: a context that goes meanwhile ends behind it */
};

/* Memory that stays where it is as long as it is in use. */
static CUresult memory_use(const struct pl_cu_ctx *ctx, uint64_t address, uint64_t bytes, struct pl_cu_mem **mem_out)
{
	uint64_t room;
	if (!bytes || !pl_cu_mem_use(address, &room, mem_out))
		return CUDA_ERROR_INVALID_VALUE;
	if ((*mem_out)->kind == PL_CU_MEM_DEVICE && (*mem_out)->ctx == ctx->handle && !(*mem_out)->check &&
	    bytes <= (*mem_out)->bytes - (address - (*mem_out)->va))
		return CUDA_SUCCESS;
	pl_cu_mem_unuse(*mem_out);
	return CUDA_ERROR_INVALID_VALUE;
}

static CUresult place_begin(struct plRefgpuPlace *place, struct pl_cu_stream *stream)
{
	CUresult r = pl_cu_capture_is_any() ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
	if (!r)
		r = memory_use(stream->ctx, place->address, place->bytes, &place->mem);
	if (r)
		return r;
	place->hw = stream->ctx->dev->hw;
	place->line = pl_cu_line_ref(stream->line);
	pl_cu_stream_reap(stream);
	pl_cu_stream_print(stream); /* as a copy that waits for it does */
	if (pl_cu_stream_step_now(stream, &place->step))
		return CUDA_SUCCESS;
	pl_cu_mem_unuse(place->mem);
	pl_cu_line_unref(place->line);
	return CUDA_ERROR_NOT_READY;
}

CUresult plRefgpuPlaceBegin(CUstream handle, CUdeviceptr address, size_t bytes, struct plRefgpuPlace **place_out)
{
	struct plRefgpuPlace *place = calloc(1, sizeof(*place));
	struct pl_cu_stream *stream;
	CUresult r;

	if (!place)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*place = (struct plRefgpuPlace){ .address = address, .bytes = bytes, .call = pl_cuda_call_begin() };
	r = pl_cu_enter_stream(handle, &stream);
	if (!r)
		r = place_begin(place, stream);
	if (!r) {
		*place_out = place;
		return CUDA_SUCCESS;
	}
	pl_cuda_call_end(place->call);
	free(place);
	return r;
}

void *plRefgpuPlaceAt(const struct plRefgpuPlace *place, size_t offset, size_t *bytes_out)
{
	uint64_t room = 0;
	void *host = pl_cu_mem_used_at(place->mem, place->address + offset, &room);

	*bytes_out = room < place->bytes - offset ? room : place->bytes - offset;
	return host;
}

void plRefgpuPlaceEnd(struct plRefgpuPlace *place)
{
	uint32_t call = place->call;

	pl_cu_mem_unuse(place->mem);
	pl_cu_stream_stepped(place->hw, place->line, place->step);
	pl_cu_line_unref(place->line);
	free(place);
	pl_cuda_call_end(call);
}
