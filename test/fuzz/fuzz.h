/* What the fuzz targets share: an input is taken off its front, piece by piece; when it is over there are zeros. */
#ifndef PL_TEST_FUZZ_H
#define PL_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pl_fuzz {
	const uint8_t *at, *end;
};

static inline size_t pl_fuzz_left(const struct pl_fuzz *fuzz)
{
	return (size_t)(fuzz->end - fuzz->at);
}

/* Borrowed; as many as there are. */
static inline const uint8_t *pl_fuzz_bytes(struct pl_fuzz *fuzz, size_t want, size_t *got_out)
{
	const uint8_t *at = fuzz->at;

	*got_out = want < pl_fuzz_left(fuzz) ? want : pl_fuzz_left(fuzz);
	fuzz->at += *got_out;
	return at;
}

/* Copies, and zeros behind what there is. */
static inline void pl_fuzz_fill(struct pl_fuzz *fuzz, void *to, size_t bytes)
{
	size_t got;
	const uint8_t *at = pl_fuzz_bytes(fuzz, bytes, &got);

	memset(to, 0, bytes);
	if (got)
		memcpy(to, at, got);
}

static inline uint64_t pl_fuzz_number(struct pl_fuzz *fuzz, size_t bytes)
{
	uint64_t value = 0;

	pl_fuzz_fill(fuzz, &value, bytes);
	return value;
}

/* Reads every byte, so that a sanitizer sees where they lie. */
static inline void pl_fuzz_touch(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint8_t sum = 0;

	for (size_t i = 0; i < bytes; i++)
		sum = (uint8_t)(sum ^ at[i]);
	__asm__ volatile("" : : "r"(sum)); /* the reading is not left out */
}

/* A bug was found: where the target itself sees it. */
static inline void pl_fuzz_check(int good)
{
	if (!good)
		abort();
}

#endif
