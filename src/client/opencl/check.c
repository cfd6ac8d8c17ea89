#include "client/opencl/check.h"

#include "client/opencl/types.h"

static const struct pl_cl_context *context_of(const struct pl_cl_object *object)
{
	switch (object->kind) {
	case PL_CL_KIND_context:
		return (const struct pl_cl_context *)object;
	case PL_CL_KIND_queue:
		return ((const struct pl_cl_queue *)object)->context;
	case PL_CL_KIND_mem:
		return ((const struct pl_cl_mem *)object)->context;
	case PL_CL_KIND_sampler:
		return ((const struct pl_cl_sampler *)object)->context;
	case PL_CL_KIND_program:
		return ((const struct pl_cl_program *)object)->context;
	case PL_CL_KIND_kernel:
		return ((const struct pl_cl_kernel *)object)->program->context;
	case PL_CL_KIND_event:
		return ((const struct pl_cl_event *)object)->context;
	default:
		return NULL;
	}
}

bool pl_cl_check_wait_list(cl_command_queue queue, cl_uint count, const cl_event *list)
{
	const struct pl_cl_context *context = ((struct pl_cl_queue *)queue)->context;

	if (!count)
		return !list;
	if (!list || count > PL_CL_LIMIT_WAITS_MAX)
		return false;
	for (cl_uint i = 0; i < count; i++) {
		const struct pl_cl_event *event = pl_cl_get(list[i], PL_CL_KIND_event);
		if (!event || event->context != context || event->status < 0)
			return false;
	}
	return true;
}

bool pl_cl_check_same_context(const void *a, const void *b)
{
	const struct pl_cl_context *context = context_of(a);

	return context && context == context_of(b);
}

bool pl_cl_check_is_buffer(cl_mem mem)
{
	return ((struct pl_cl_mem *)mem)->type == CL_MEM_OBJECT_BUFFER;
}

bool pl_cl_check_fits(size_t offset, size_t size, cl_mem mem)
{
	size_t bytes = ((struct pl_cl_mem *)mem)->size;

	return offset <= bytes && size <= bytes - offset;
}

bool pl_cl_check_no_overlap(cl_mem src, size_t src_offset, cl_mem dst, size_t dst_offset, size_t size)
{
	const struct pl_cl_mem *from = (struct pl_cl_mem *)src, *to = (struct pl_cl_mem *)dst;
	size_t a = from->origin + src_offset, b = to->origin + dst_offset;

	return from->root != to->root || (a < b ? b - a : a - b) >= size;
}

bool pl_cl_check_not_zero(uint64_t value)
{
	return value != 0;
}

bool pl_cl_check_pattern(size_t pattern_size, size_t offset, size_t size)
{
	return pattern_size && pattern_size <= PL_CL_LIMIT_PATTERN_MAX && !(pattern_size & (pattern_size - 1)) &&
	       !(offset % pattern_size) && !(size % pattern_size);
}

bool pl_cl_check_never(const void *object)
{
	(void)object;
	return false;
}
