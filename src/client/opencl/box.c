#include "client/opencl/box.h"

#include <string.h>

uint64_t pl_cl_box_bytes(const struct pl_cl_box *box)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(box->row_bytes, box->rows, &bytes) ||
	    __builtin_mul_overflow(bytes, box->slices, &bytes))
		return UINT64_MAX;
	return bytes;
}

void pl_cl_box_copy(void *to, const struct pl_cl_box *to_box, const void *from, const struct pl_cl_box *from_box)
{
	if (pl_cl_box_whole(to_box) && pl_cl_box_whole(from_box)) {
		memcpy(to, from, pl_cl_box_bytes(to_box));
		return;
	}
	for (uint64_t z = 0; z < to_box->slices; z++)
		for (uint64_t y = 0; y < to_box->rows; y++)
			memcpy((uint8_t *)to + z * to_box->slice_pitch + y * to_box->row_pitch,
			       (const uint8_t *)from + z * from_box->slice_pitch + y * from_box->row_pitch,
			       to_box->row_bytes);
}

static struct pl_cl_box packed(const struct pl_cl_box *box)
{
	return (struct pl_cl_box){box->row_bytes, box->rows, box->slices, box->row_bytes, box->row_bytes * box->rows};
}

void pl_cl_box_pack(void *to, const void *base, const struct pl_cl_box *box)
{
	struct pl_cl_box tight = packed(box);
	pl_cl_box_copy(to, &tight, base, box);
}

void pl_cl_box_unpack(void *base, const void *from, const struct pl_cl_box *box)
{
	struct pl_cl_box tight = packed(box);
	pl_cl_box_copy(base, box, from, &tight);
}
