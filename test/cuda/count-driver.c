/* The reference GPU's driver, which says on standard error of each stream that it makes it. */
#include <stdio.h>

#include "cuda-api.h"

#pragma GCC visibility push(default)

CUresult cuStreamCreate(CUstream *stream, unsigned int flags)
{
	fprintf(stderr, "a stream is made\n");
	return cuStreamCreateWithPriority(stream, flags, 0);
}
