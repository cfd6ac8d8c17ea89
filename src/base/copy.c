#include "base/copy.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <emmintrin.h>

#define LINE 64u

static void copy_past_caches(uint8_t *to, const uint8_t *from, size_t bytes)
{
	size_t head = -(uintptr_t)to % LINE;

	memcpy(to, from, head);
	to += head, from += head, bytes -= head;
	for (; bytes >= LINE; bytes -= LINE, to += LINE, from += LINE) {
		const __m128i *source = (const void *)from;
		__m128i a = _mm_loadu_si128(source), b = _mm_loadu_si128(source + 1);
		__m128i c = _mm_loadu_si128(source + 2), d = _mm_loadu_si128(source + 3);
		__m128i *target = (void *)to;

		_mm_stream_si128(target, a);
		_mm_stream_si128(target + 1, b);
		_mm_stream_si128(target + 2, c);
		_mm_stream_si128(target + 3, d);
	}
	_mm_sfence();
	memcpy(to, from, bytes);
}
#endif

void pl_copy(void *to, const void *from, size_t bytes)
{
#if defined(__x86_64__)
	if (bytes >= PL_COPY_LONG_BYTES) {
		copy_past_caches(to, from, bytes);
		return;
	}
#endif
	memcpy(to, from, bytes);
}
