/* Which devices a program sees, and in what order: CUDA_VISIBLE_DEVICES. */
#ifndef PL_CUDA_VISIBLE_H
#define PL_CUDA_VISIBLE_H

#include <stdint.h>

#define PL_CUDA_UUID_BYTES 16u

/** pl_cuda_visible() - the devices that a list names
 * @list:      what CUDA_VISIBLE_DEVICES says: numbers, or beginnings of GPU-UUIDs or MIG-UUIDs, commas between them;
 *             NULL = it is not set, and all are seen
 * @uuids:     of `count` devices, PL_CUDA_UUID_BYTES each
 * @order_out: room for `count` numbers of devices
 * The list ends in front of the first entry that names none, or several; one that stands twice leaves none at all.
 * Return: how many. */
uint32_t pl_cuda_visible(const char *list, const uint8_t *uuids, uint32_t count, uint32_t *order_out);

#endif
