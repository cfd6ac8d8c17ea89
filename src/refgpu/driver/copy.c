#include <string.h>

#include "base/copy.h"
#include "capture.h"
#include "check.h"
#include "copy.h"
#include "mem.h"
#include "refgpu/isa/check.h"

#define COPY_WORDS      32u
#define PIECE_BYTES_MAX (1ull << 30) /* of one method */
#define STAGED_MAX      (64u << 10)  /* an asynchronous copy from pageable memory that does not wait */
#define LINES_MAX       (1u << 30)
#define PROGRAM_LOWEST  65536u /* no process has memory below: an offset from NULL */

bool pl_cu_known_only;

CUresult pl_cu_side_find(struct pl_cu_side *side, uint64_t address, uint64_t bytes, bool host)
{
	const struct pl_cu_mem *mem = pl_cu_mem_find(address);
	side->address = address;
	if (mem && pl_cu_mem_reaches(address, bytes)) {
		side->device = pl_cu_mem_on_device(mem);
		return CUDA_SUCCESS;
	}
	if (!host && !mem && !pl_cu_known_only && !pl_cu_mem_is_device_address(address) && address)
		host = true; /* any memory of the host does where the application did not say which */
	if (!host || (mem && pl_cu_mem_on_device(mem)) || pl_cu_mem_is_device_address(address) ||
	    address < PROGRAM_LOWEST)
		return CUDA_ERROR_INVALID_VALUE;
	side->pageable = true;
	return CUDA_SUCCESS;
}

/* -- by the host --------------------------------------------------------------------------------------------------- */

/* *used_out: what it is in, if anything, for pl_cu_mem_unuse(). */
static void *side_host(const struct pl_cu_side *side, uint64_t address, uint64_t bytes, uint64_t *room_out,
		       struct pl_cu_mem **used_out)
{
	void *host;
	*used_out = NULL;
	if (side->pageable) {
		*room_out = bytes;
		return (void *)(uintptr_t)address;
	}
	host = pl_cu_mem_use(address, room_out, used_out);
	if (host && *room_out > bytes)
		*room_out = bytes;
	return host;
}

static void part_copy(void *to, const void *from, uint64_t bytes)
{
	uint64_t ahead = (uintptr_t)to - (uintptr_t)from;
	if (ahead < bytes || -ahead < bytes)
		memmove(to, from, bytes);
	else
		pl_copy(to, from, bytes);
}

static CUresult line_copy(const struct pl_cu_copy *copy, uint64_t dst, uint64_t src, uint64_t bytes)
{
	while (bytes) {
		uint64_t to_room, from_room, part = 0;
		struct pl_cu_mem *to_mem, *from_mem;
		void *to = side_host(&copy->dst, dst, bytes, &to_room, &to_mem);
		const void *from = side_host(&copy->src, src, bytes, &from_room, &from_mem);
		if (to && from) {
			part = to_room < from_room ? to_room : from_room;
			pl_cu_check_written(dst, part);
			part_copy(to, from, part);
		}
		pl_cu_mem_unuse(to_mem);
		pl_cu_mem_unuse(from_mem);
		if (!part)
			return CUDA_ERROR_INVALID_VALUE;
		dst += part;
		src += part;
		bytes -= part;
	}
	return CUDA_SUCCESS;
}

static bool contiguous(const struct pl_cu_side *side, const struct pl_cu_copy *copy)
{
	return (copy->lines == 1 || side->pitch == copy->columns) &&
	       (copy->slices == 1 || side->slice == copy->columns * copy->lines);
}

CUresult pl_cu_copy_host(const struct pl_cu_copy *copy)
{
	CUresult r = CUDA_SUCCESS;
	if (contiguous(&copy->dst, copy) && contiguous(&copy->src, copy))
		return line_copy(copy, copy->dst.address, copy->src.address,
				 copy->columns * copy->lines * copy->slices);
	for (uint64_t z = 0; z < copy->slices && !r; z++)
		for (uint64_t y = 0; y < copy->lines && !r; y++)
			r = line_copy(copy, copy->dst.address + z * copy->dst.slice + y * copy->dst.pitch,
				      copy->src.address + z * copy->src.slice + y * copy->src.pitch, copy->columns);
	return r;
}

/* -- by the device ------------------------------------------------------------------------------------------------- */

static CUresult emit(struct pl_cu_work *work, uint64_t dst, uint64_t dst_pitch, uint64_t src, uint64_t src_pitch,
		     uint64_t columns, uint64_t lines)
{
	CUresult r = pl_cu_work_room(work, COPY_WORDS);
	if (r)
		return r;
	for (uint64_t y = 0; pl_cu_check_wants(PL_ISA_CHECK_GLOBAL_INIT) && y < lines; y++)
		pl_cu_check_written(dst + y * dst_pitch, columns);
	pl_cu_work_method(work, PL_RG_M_SRC_HIGH, (uint32_t)(src >> 32));
	pl_cu_work_method(work, PL_RG_M_SRC_LOW, (uint32_t)src);
	pl_cu_work_method(work, PL_RG_M_DST_HIGH, (uint32_t)(dst >> 32));
	pl_cu_work_method(work, PL_RG_M_DST_LOW, (uint32_t)dst);
	pl_cu_work_method(work, PL_RG_M_SRC_PITCH, (uint32_t)src_pitch);
	pl_cu_work_method(work, PL_RG_M_DST_PITCH, (uint32_t)dst_pitch);
	pl_cu_work_method(work, PL_RG_M_COLUMNS, (uint32_t)columns);
	pl_cu_work_method(work, PL_RG_M_LINES, (uint32_t)lines);
	pl_cu_work_method(work, PL_RG_M_EXECUTE, PL_RG_EXECUTE_COPY);
	return CUDA_SUCCESS;
}

static CUresult emit_linear(struct pl_cu_work *work, uint64_t dst, uint64_t src, uint64_t bytes)
{
	CUresult r = CUDA_SUCCESS;
	while (bytes && !r) {
		uint64_t part = bytes < PIECE_BYTES_MAX ? bytes : PIECE_BYTES_MAX;
		r = emit(work, dst, part, src, part, part, 1);
		dst += part;
		src += part;
		bytes -= part;
	}
	return r;
}

/* A line that is longer, or a pitch that is, than a method takes goes line by line. */
static CUresult emit_slice(struct pl_cu_work *work, const struct pl_cu_copy *copy, uint64_t dst, uint64_t src)
{
	CUresult r = CUDA_SUCCESS;
	if (copy->columns <= PIECE_BYTES_MAX && copy->lines <= LINES_MAX && copy->dst.pitch <= UINT32_MAX &&
	    copy->src.pitch <= UINT32_MAX)
		return emit(work, dst, copy->dst.pitch, src, copy->src.pitch, copy->columns, copy->lines);
	for (uint64_t y = 0; y < copy->lines && !r; y++)
		r = emit_linear(work, dst + y * copy->dst.pitch, src + y * copy->src.pitch, copy->columns);
	return r;
}

static CUresult device_copy(struct pl_cu_stream *stream, const struct pl_cu_copy *copy)
{
	enum pl_rg_engine engine = copy->src.device && !copy->dst.device ? PL_RG_COPY2 : PL_RG_COPY1;
	struct pl_cu_work work;
	CUresult r = pl_cu_work_open(&work, stream, engine);
	if (r)
		return r;
	if (contiguous(&copy->dst, copy) && contiguous(&copy->src, copy))
		r = emit_linear(&work, copy->dst.address, copy->src.address,
				copy->columns * copy->lines * copy->slices);
	else
		for (uint64_t z = 0; z < copy->slices && !r; z++)
			r = emit_slice(&work, copy, copy->dst.address + z * copy->dst.slice,
				       copy->src.address + z * copy->src.slice);
	if (r)
		pl_cu_work_cancel(&work);
	else
		pl_cu_work_close(&work);
	return r;
}

/* A small copy from memory that the device does not reach: its bytes travel with the work. */
static CUresult staged_copy(struct pl_cu_stream *stream, const struct pl_cu_copy *copy)
{
	struct pl_cu_work work;
	void *stage;
	CUresult r = pl_cu_work_open(&work, stream, PL_RG_COPY1);
	if (r)
		return r;
	stage = pl_cu_stream_args(stream, (uint32_t)copy->columns);
	if (!stage) {
		pl_cu_work_cancel(&work);
		return pl_cu_ctx_error(stream->ctx) ? pl_cu_ctx_error(stream->ctx) : CUDA_ERROR_OUT_OF_MEMORY;
	}
	memcpy(stage, (const void *)(uintptr_t)copy->src.address, copy->columns);
	r = emit_linear(&work, copy->dst.address, (uint64_t)(uintptr_t)stage, copy->columns);
	if (r)
		pl_cu_work_cancel(&work);
	else
		pl_cu_work_close(&work);
	return r;
}

/* A stage would be filled here anyway: with nothing to come first, the place itself is. */
static CUresult copy_step(struct pl_cu_stream *stream, const struct pl_cu_copy *copy, uint64_t step)
{
	CUresult r = pl_cu_copy_host(copy);
	pl_cu_stream_stepped(stream->ctx->dev->hw, stream->line, step);
	return r;
}

CUresult pl_cu_copy_run(struct pl_cu_stream *stream, const struct pl_cu_copy *copy, bool wait)
{
	bool pageable = copy->dst.pageable || copy->src.pageable;
	bool of_host = !copy->dst.device || !copy->src.device;
	struct pl_cu_op op;
	uint64_t step;
	bool captured;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	if (!r && wait)
		r = captured ? pl_cu_capture_forbid(stream) : pl_cu_capture_unsafe();
	if (r || !copy->columns || !copy->lines || !copy->slices)
		return r;
	if (captured) {
		pl_cu_op_of_copy(&op, copy, stream->ctx->handle);
		return pl_cu_capture_add(stream, &op);
	}
	if (!wait && !copy->dst.pageable && copy->src.pageable && copy->lines == 1 && copy->slices == 1 &&
	    copy->columns <= STAGED_MAX)
		return pl_cu_stream_step_now(stream, &step) ? copy_step(stream, copy, step) : staged_copy(stream, copy);
	if (!pageable && (!wait || !of_host))
		return device_copy(stream, copy);
	r = pl_cu_stream_settle(stream);
	return r ? r : pl_cu_copy_host(copy);
}

CUresult pl_cu_copy_linear(CUstream handle, uint64_t dst, bool dst_host, uint64_t src, bool src_host, uint64_t bytes,
			   bool wait)
{
	struct pl_cu_copy copy = { .columns = bytes, .lines = 1, .slices = 1 };
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (r || !bytes)
		return r;
	r = pl_cu_side_find(&copy.dst, dst, bytes, dst_host);
	if (!r)
		r = pl_cu_side_find(&copy.src, src, bytes, src_host);
	return r ? r : pl_cu_copy_run(stream, &copy, wait);
}

/* -- fills --------------------------------------------------------------------------------------------------------- */

static CUresult emit_fill(struct pl_cu_work *work, const struct pl_cu_fill *fill, uint64_t address, uint64_t columns,
			  uint64_t lines)
{
	static const uint32_t execute[] = { 0, PL_RG_EXECUTE_FILL1, PL_RG_EXECUTE_FILL2, 0, PL_RG_EXECUTE_FILL4 };
	CUresult r = pl_cu_work_room(work, COPY_WORDS);
	if (r)
		return r;
	for (uint64_t y = 0; pl_cu_check_wants(PL_ISA_CHECK_GLOBAL_INIT) && y < lines; y++)
		pl_cu_check_written(address + y * fill->pitch, columns);
	pl_cu_work_method(work, PL_RG_M_DST_HIGH, (uint32_t)(address >> 32));
	pl_cu_work_method(work, PL_RG_M_DST_LOW, (uint32_t)address);
	pl_cu_work_method(work, PL_RG_M_DST_PITCH, lines > 1 ? (uint32_t)fill->pitch : (uint32_t)columns);
	pl_cu_work_method(work, PL_RG_M_COLUMNS, (uint32_t)columns);
	pl_cu_work_method(work, PL_RG_M_LINES, (uint32_t)lines);
	pl_cu_work_method(work, PL_RG_M_PATTERN, fill->value);
	pl_cu_work_method(work, PL_RG_M_EXECUTE, execute[fill->bytes]);
	return CUDA_SUCCESS;
}

static CUresult emit_fills(struct pl_cu_work *work, const struct pl_cu_fill *fill)
{
	uint64_t columns = fill->elements * fill->bytes;
	CUresult r = CUDA_SUCCESS;
	if (columns <= PIECE_BYTES_MAX && fill->lines <= LINES_MAX && fill->pitch <= UINT32_MAX)
		return emit_fill(work, fill, fill->address, columns, fill->lines);
	for (uint64_t y = 0; y < fill->lines && !r; y++)
		for (uint64_t x = 0; x < columns && !r; x += PIECE_BYTES_MAX)
			r = emit_fill(work, fill, fill->address + y * fill->pitch + x,
				      columns - x < PIECE_BYTES_MAX ? columns - x : PIECE_BYTES_MAX, 1);
	return r;
}

CUresult pl_cu_fill_run(struct pl_cu_stream *stream, const struct pl_cu_fill *fill, bool wait)
{
	const struct pl_cu_mem *mem = pl_cu_mem_find(fill->address);
	struct pl_cu_work work;
	struct pl_cu_op op;
	bool captured;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	if (!r && wait)
		r = pl_cu_capture_unsafe();
	if (r || !fill->elements || !fill->lines)
		return r;
	if (captured) {
		pl_cu_op_of_fill(&op, fill, stream->ctx->handle);
		return pl_cu_capture_add(stream, &op);
	}
	r = pl_cu_work_open(&work, stream, pl_cu_stream_engine(stream));
	if (r)
		return r;
	r = emit_fills(&work, fill);
	if (r) {
		pl_cu_work_cancel(&work);
		return r;
	}
	pl_cu_work_close(&work);
	return wait && mem && !pl_cu_mem_on_device(mem) ? pl_cu_stream_wait(stream) : CUDA_SUCCESS;
}
