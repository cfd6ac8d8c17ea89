#include "base/digest.h"

#include <assert.h>
#include <sodium.h>

#include "base/log.h"

static_assert(PL_DIGEST_BYTES == crypto_generichash_BYTES, "the length that the library recommends");

/* The library chooses the processor's instructions, once. */
static void init(void)
{
	if (sodium_init() < 0)
		pl_log_info("libsodium found no randomness: its plain code makes the digests, slower");
}

void pl_digest(const void *data, size_t bytes, uint8_t digest_out[PL_DIGEST_BYTES])
{
	init();
	(void)crypto_generichash(digest_out, PL_DIGEST_BYTES, data, bytes, NULL, 0);
}

static_assert(sizeof(crypto_generichash_state) <= sizeof(((struct pl_digest_parts *)0)->state),
	      "room for the library's");

static crypto_generichash_state *state_of(struct pl_digest_parts *parts)
{
	return (crypto_generichash_state *)(void *)parts->state;
}

void pl_digest_begin(struct pl_digest_parts *parts)
{
	init();
	(void)crypto_generichash_init(state_of(parts), NULL, 0, PL_DIGEST_BYTES);
}

void pl_digest_add(struct pl_digest_parts *parts, const void *data, size_t bytes)
{
	(void)crypto_generichash_update(state_of(parts), data, bytes);
}

void pl_digest_end(struct pl_digest_parts *parts, uint8_t digest_out[PL_DIGEST_BYTES])
{
	(void)crypto_generichash_final(state_of(parts), digest_out, PL_DIGEST_BYTES);
}
