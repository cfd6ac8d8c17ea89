/*
 * The digest MD2 (RFC 1319) and HMAC over it (RFC 2104).  Broken as cryptography and used for none: the CUDA runtime
 * asks its driver for such a value when it starts.
 */
#ifndef PL_CUDA_MD2_H
#define PL_CUDA_MD2_H

#include <stddef.h>
#include <stdint.h>

#define PL_CUDA_MD2_BYTES 16

struct pl_cuda_md2 {
	uint8_t state[48], checksum[16], block[16];
	unsigned int fill_bytes;
};

void pl_cuda_md2_init(struct pl_cuda_md2 *md2);
void pl_cuda_md2_add(struct pl_cuda_md2 *md2, const void *data, size_t size_bytes);
void pl_cuda_md2_fini(struct pl_cuda_md2 *md2, uint8_t digest_out[PL_CUDA_MD2_BYTES]);

/* `key` has at most 16 bytes, MD2's block. */
void pl_cuda_hmac_md2(const void *key, size_t key_bytes, const void *data, size_t size_bytes,
		    uint8_t digest_out[PL_CUDA_MD2_BYTES]);

#endif
