/* In what pieces copies from and to the program's memory go: see pl_cuda_block_bytes(). */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "client/cuda/memory.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t chosen_bytes; /* 0: not by the user */

static void block_read(void)
{
	const char *text = getenv("PLENUM_BLOCK_BYTES");
	unsigned long long value;
	char *end;

	if (!text)
		return;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || *end || errno || value < PL_CUDA_BLOCK_BYTES_MIN || value > PL_CUDA_BLOCK_BYTES_MAX)
		pl_log_warn("PLENUM_BLOCK_BYTES=%s: wants %u to %u; the default holds", text, PL_CUDA_BLOCK_BYTES_MIN,
			    PL_CUDA_BLOCK_BYTES_MAX);
	else
		chosen_bytes = value;
}

bool pl_cuda_block_is_chosen(void)
{
	pthread_once(&once, block_read);
	return chosen_bytes;
}

uint64_t pl_cuda_block_bytes(const struct pl_session *session, bool to_device)
{
	if (pl_cuda_block_is_chosen())
		return chosen_bytes;
	if (session->shares_memory)
		return PL_CUDA_BLOCK_BYTES;
	return to_device ? PL_CUDA_BLOCK_SENT_BYTES : UINT64_MAX;
}
