/* Is a call plainly valid?  Where one of these says no, the call is asked, and the driver says what is wrong. */
#include "client/cuda/awaited.h"
#include "client/cuda/mark.h"
#include "client/cuda/module.h"
#include "client/cuda/reach.h"

bool pl_cuda_check_address(CUdeviceptr address, size_t bytes)
{
	pl_cuda_reach(address);
	return pl_cuda_captures_none() && pl_cuda_memory_is_device(address, bytes);
}

static bool elements(CUdeviceptr address, size_t count, size_t each)
{
	uint64_t bytes;

	pl_cuda_reach(address);
	return pl_cuda_captures_none() && !(address % each) && !__builtin_mul_overflow(count, each, &bytes) &&
	       pl_cuda_memory_is_device(address, bytes);
}

bool pl_cuda_check_address16(CUdeviceptr address, size_t count)
{
	return elements(address, count, 2);
}

bool pl_cuda_check_address32(CUdeviceptr address, size_t count)
{
	return elements(address, count, 4);
}

static bool rows(CUdeviceptr address, size_t pitch, size_t width, size_t height, size_t each)
{
	uint64_t columns, whole;

	pl_cuda_reach(address);
	return pl_cuda_captures_none() && width && height && !(address % each) && !(pitch % each) &&
	       !__builtin_mul_overflow(width, each, &columns) && pitch >= columns &&
	       !__builtin_mul_overflow(height - 1, pitch, &whole) && !__builtin_add_overflow(whole, columns, &whole) &&
	       pl_cuda_memory_is_device(address, whole);
}

bool pl_cuda_check_rows8(CUdeviceptr dst, size_t dst_pitch, size_t width, size_t height)
{
	return rows(dst, dst_pitch, width, height, 1);
}

bool pl_cuda_check_rows16(CUdeviceptr dst, size_t dst_pitch, size_t width, size_t height)
{
	return rows(dst, dst_pitch, width, height, 2);
}

bool pl_cuda_check_rows32(CUdeviceptr dst, size_t dst_pitch, size_t width, size_t height)
{
	return rows(dst, dst_pitch, width, height, 4);
}

bool pl_cuda_check_word32(CUdeviceptr address)
{
	return elements(address, 1, 4);
}

bool pl_cuda_check_word64(CUdeviceptr address)
{
	return elements(address, 1, 8);
}

/* What an array holds is not known here: its copies are asked. */
bool pl_cuda_check_copy_array(CUarray dst, size_t dst_offset, size_t bytes)
{
	(void)dst, (void)dst_offset, (void)bytes;
	return false;
}

bool pl_cuda_check_texture_object(CUtexObject texture)
{
	(void)texture;
	return false;
}

bool pl_cuda_check_surface_object(CUsurfObject surface)
{
	(void)surface;
	return false;
}

bool pl_cuda_check_launch_of(CUgraphExec exec)
{
	return pl_cuda_get(PL_CUDA_KIND_exec, exec) && pl_cuda_captures_none() &&
	       !atomic_load_explicit(&pl_cuda_graphs_allocate, memory_order_relaxed);
}

bool pl_cuda_check_cache_config(CUfunc_cache config)
{
	return (unsigned int)config <= CU_FUNC_CACHE_PREFER_EQUAL;
}

bool pl_cuda_check_shared_config(CUsharedconfig config)
{
	return (unsigned int)config <= CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE;
}

bool pl_cuda_check_stream_flags(unsigned int flags)
{
	if (flags & CU_STREAM_NON_BLOCKING)
		pl_cuda_streams_part();
	return !(flags & ~(unsigned int)CU_STREAM_NON_BLOCKING);
}

bool pl_cuda_check_event_flags(unsigned int flags)
{
	return !(flags & ~(unsigned int)(CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING));
}

bool pl_cuda_check_wait_flags(unsigned int flags)
{
	return flags == CU_EVENT_WAIT_DEFAULT;
}

/* It is no capture's, which has ended, and none of a context's streams, which may wait, is captured. */
bool pl_cuda_check_waited_event(CUevent event)
{
	return pl_cuda_captures_none() && !pl_cuda_event_may_be_captured(event);
}

/* A library's goes with the library. */
bool pl_cuda_check_own_module(CUmodule handle)
{
	const struct pl_cuda_module *module = pl_cuda_get(PL_CUDA_KIND_module, handle);

	return module && !module->library;
}

/* A module's goes with the module. */
bool pl_cuda_check_own_reference(CUtexref handle)
{
	const struct pl_cuda_reference *reference = pl_cuda_get(PL_CUDA_KIND_texref, handle);

	return reference && !reference->module;
}

bool pl_cuda_check_positive(unsigned int count)
{
	return count && count <= INT32_MAX;
}

bool pl_cuda_check_retain_flags(unsigned int flags)
{
	return flags <= CU_GRAPH_USER_OBJECT_MOVE;
}

bool pl_cuda_check_zero(unsigned int flags)
{
	return !flags && pl_cuda_captures_none();
}

bool pl_cuda_check_write_value_flags(unsigned int flags)
{
	return flags <= CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER;
}

/* What waits for a word waits for whoever writes it. */
bool pl_cuda_check_waits(CUdeviceptr address)
{
	(void)address;
	pl_cuda_awaits_program();
	return true;
}

bool pl_cuda_check_wait_value_flags(unsigned int flags)
{
	return flags <= CU_STREAM_WAIT_VALUE_NOR;
}
