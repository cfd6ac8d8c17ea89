/* Short fields, as arguments of kernels are: a call of memcpy() costs more than they do. */
#ifndef PL_WIRE_SHORT_H
#define PL_WIRE_SHORT_H

#include <stdint.h>
#include <string.h>

#define PL_SHORT_BYTES 32u

/* A multiple of four bytes, with zeros up to a multiple of eight.  Return: behind them. */
static inline uint8_t *pl_short_copy(uint8_t *to, const void *data, uint64_t bytes)
{
	const uint8_t *at = data;

	for (; bytes >= 8; bytes -= 8, at += 8, to += 8)
		memcpy(to, at, 8);
	if (!bytes)
		return to;
	memcpy(to, at, 4);
	memset(to + 4, 0, 4);
	return to + 8;
}

#endif
