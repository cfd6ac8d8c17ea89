/*
 * The checks that spec/opencl.api names: true = plainly valid.  They are conservative: a false one costs a round trip,
 * in which the driver itself decides.  All handles given to them have been found valid.
 */
#ifndef PL_CL_CHECK_H
#define PL_CL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "opencl-client.h"

/* Events of the queue's context, none known to have failed; list and count agree. */
bool pl_cl_check_wait_list(cl_command_queue queue, cl_uint count, const cl_event *list);
static inline bool pl_cl_check_waits(cl_command_queue queue, cl_uint count, const cl_event *list)
{
	return (!count && !list) || pl_cl_check_wait_list(queue, count, list);
}
/* A queue, memory object, kernel or event each. */
bool pl_cl_check_same_context(const void *a, const void *b);
bool pl_cl_check_is_buffer(cl_mem mem);
bool pl_cl_check_fits(size_t offset, size_t size, cl_mem mem);
bool pl_cl_check_no_overlap(cl_mem src, size_t src_offset, cl_mem dst, size_t dst_offset, size_t size);
bool pl_cl_check_not_zero(uint64_t value);
bool pl_cl_check_pattern(size_t pattern_size, size_t offset, size_t size);
/* Always asked. */
bool pl_cl_check_never(const void *object);

#endif
