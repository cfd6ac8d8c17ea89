/* Images of device code in a session: each is sent once, whatever it is loaded as; perhaps not at all.  And what they
 * are loaded as has: functions and kernels. */
#ifndef PL_BACKEND_CUDA_IMAGE_H
#define PL_BACKEND_CUDA_IMAGE_H

#include "backend/cuda/session.h"

/** pl_cuda_image_get() - what the driver is to load
 * @hash:  the client's name for it
 * @bulk:  its bytes, if they have come
 * @image_out: as the driver takes it; for as long as the session lives
 * Return: 0; > 0: enum pl_cuda_wanted; negative: no image, the API's code is -r - 1. */
int pl_cuda_image_get(struct pl_serve *serve, uint64_t hash, uint64_t bytes, const struct pl_bulk *bulk,
		      const void **image_out);

/* ---- function.c: tables of functions and their facts ---- */

struct pl_cuda_table {
	uint64_t *words;
	uint64_t count, room;
	bool failed; /* out of memory, or too large */
};

/* Enters the functions of a module, or the kernels of a library, under ids behind its own, and writes the table.  All
 * of them, or it fails and none is.  image: what the module was made from, in one way only; NULL: this is not known. */
void pl_cuda_table_of_module(struct pl_serve *serve, struct pl_cuda_table *table, uint64_t id, CUmodule module,
			     const void *image);
void pl_cuda_table_of_library(struct pl_serve *serve, struct pl_cuda_table *table, uint64_t id, CUlibrary library);
void pl_cuda_table_fini(struct pl_cuda_table *table);
/* Takes those ids away. */
void pl_cuda_members_drop(struct pl_serve *serve, uint64_t id, enum pl_cuda_object_kind kind);

/* What the functions of an image are like is the same each time that the same device loads it without options: the
 * driver is asked the first time.  image: of pl_cuda_image_get().  The turn is held.
 * Return: for as long as the session lives; NULL = not known. */
const struct pl_cuda_table *pl_cuda_image_table(struct pl_cuda_session *session, const void *image, CUdevice device);
void pl_cuda_image_table_keep(struct pl_cuda_session *session, const void *image, CUdevice device,
			      const struct pl_cuda_table *table);

#endif
