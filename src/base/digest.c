#include "base/digest.h"

#include <assert.h>
#include <sodium.h>

#include "base/log.h"

static_assert(PL_DIGEST_BYTES == crypto_generichash_BYTES, "the length that the library recommends");

void pl_digest(const void *data, size_t bytes, uint8_t digest_out[PL_DIGEST_BYTES])
{
	if (sodium_init() < 0) /* chooses the processor's instructions, once */
		pl_log_info("libsodium found no randomness: its plain code makes the digests, slower");
	(void)crypto_generichash(digest_out, PL_DIGEST_BYTES, data, bytes, NULL, 0);
}
