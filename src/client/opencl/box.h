/* A box of bytes in the application's memory: rows and slices, with gaps between them.  On the wire it is packed. */
#ifndef PL_CL_BOX_H
#define PL_CL_BOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_cl_box {
	uint64_t row_bytes, rows, slices;
	uint64_t row_pitch, slice_pitch; /* distances in the application's memory */
};

static inline struct pl_cl_box pl_cl_box_line(uint64_t bytes)
{
	return (struct pl_cl_box){bytes, 1, 1, bytes, bytes};
}

/* Bytes when packed; UINT64_MAX = more than can be. */
uint64_t pl_cl_box_bytes(const struct pl_cl_box *box);
/* No gaps: packed is how it lies. */
static inline bool pl_cl_box_whole(const struct pl_cl_box *box)
{
	return (box->rows <= 1 || box->row_pitch == box->row_bytes) &&
	       (box->slices <= 1 || box->slice_pitch == box->row_bytes * box->rows);
}
void pl_cl_box_pack(void *to, const void *base, const struct pl_cl_box *box);
void pl_cl_box_unpack(void *base, const void *from, const struct pl_cl_box *box);
/* Between two boxes of the same row_bytes, rows and slices. */
void pl_cl_box_copy(void *to, const struct pl_cl_box *to_box, const void *from, const struct pl_cl_box *from_box);

#endif
