/* Copies of many bytes. */
#ifndef PL_BASE_COPY_H
#define PL_BASE_COPY_H

#include <stddef.h>

#define PL_COPY_LONG_BYTES ((size_t)16 << 20) /* from here on past the caches, which hold no more of it */

/* As memcpy(), for any length.  The C library's own is slow for long ones where the destination lies a few bytes behind
 * the source within their pages, as what malloc() gives does behind whole pages (glibc 2.36 on an EPYC: 3.7 instead of
 * 8.5 GB/s). */
void pl_copy(void *to, const void *from, size_t bytes);

#endif
