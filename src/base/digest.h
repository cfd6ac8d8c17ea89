/* BLAKE2b (RFC 7693): a digest that nobody can find another content for.  No state; any thread. */
#ifndef PL_BASE_DIGEST_H
#define PL_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define PL_DIGEST_BYTES 32

void pl_digest(const void *data, size_t bytes, uint8_t digest_out[PL_DIGEST_BYTES]);

/* The same of what comes in parts; one thread. */
struct pl_digest_parts {
	_Alignas(64) uint8_t state[384];
};
void pl_digest_begin(struct pl_digest_parts *parts);
void pl_digest_add(struct pl_digest_parts *parts, const void *data, size_t bytes);
void pl_digest_end(struct pl_digest_parts *parts, uint8_t digest_out[PL_DIGEST_BYTES]);

#endif
