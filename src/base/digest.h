/* BLAKE2b (RFC 7693): a digest that nobody can find another content for.  No state; any thread. */
#ifndef PL_BASE_DIGEST_H
#define PL_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define PL_DIGEST_BYTES 32

void pl_digest(const void *data, size_t bytes, uint8_t digest_out[PL_DIGEST_BYTES]);

#endif
