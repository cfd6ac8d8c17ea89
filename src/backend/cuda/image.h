/* Images of device code in a session: each is sent once, whatever it is loaded as; perhaps not at all. */
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

#endif
