/* For a server that receives into the device's memory, or sends from it, itself: a copy that is a step of a stream. */
#include <stdlib.h>

#include "cuda/share.h"
#include "mem.h"
#include "stream.h"

struct plRefgpuPlace {
	struct pl_cu_mem *mem; /* in use */
	uint64_t address, bytes;
	struct pl_cu_hw *hw;
	struct pl_cu_line *line; /* of the stream, which may be destroyed meanwhile */
	uint64_t step;
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

CUresult plRefgpuPlaceBegin(CUstream handle, CUdeviceptr address, size_t bytes, struct plRefgpuPlace **place_out)
{
	struct plRefgpuPlace *place;
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);

	if (r)
		return r;
	place = calloc(1, sizeof(*place));
	if (!place)
		return CUDA_ERROR_OUT_OF_MEMORY;
	place->address = address;
	place->bytes = bytes;
	place->hw = stream->ctx->dev->hw;
	r = memory_use(stream->ctx, address, bytes, &place->mem);
	if (r) {
		free(place);
		return r;
	}
	place->line = pl_cu_line_ref(stream->line);
	pl_cu_stream_reap(stream);
	pl_cu_stream_print(stream); /* as a copy that waits for it does */
	if (!pl_cu_stream_step_now(stream, &place->step)) {
		pl_cu_mem_unuse(place->mem);
		pl_cu_line_unref(place->line);
		free(place);
		return CUDA_ERROR_NOT_READY;
	}
	*place_out = place;
	return CUDA_SUCCESS;
}

void *plRefgpuPlaceAt(const struct plRefgpuPlace *place, size_t offset, size_t *bytes_out)
{
	uint64_t room;
	void *host = pl_cu_mem_host(place->address + offset, &room);

	*bytes_out = room < place->bytes - offset ? room : place->bytes - offset;
	return host;
}

void plRefgpuPlaceEnd(struct plRefgpuPlace *place)
{
	pl_cu_mem_unuse(place->mem);
	pl_cu_stream_stepped(place->hw, place->line, place->step);
	pl_cu_line_unref(place->line);
	free(place);
}
