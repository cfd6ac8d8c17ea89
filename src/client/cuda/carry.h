/*
 * Copies between servers whose call does not wait (docs/adr/0029): a host function of ours holds the stream, a thread
 * of ours, a carrier, makes the copy when the stream has come to it, and the stream goes on.
 */
#ifndef PL_CLIENT_CUDA_CARRY_H
#define PL_CLIENT_CUDA_CARRY_H

#include "client/cuda/memory.h"

#define PL_CUDA_CARRIES_MAX  1024u /* limit: copies whose stream has not come to them; more are waited for */
#define PL_CUDA_CARRIERS_MAX 8u    /* limit: threads that make them */

struct pl_cuda_range {
	CUdeviceptr at;
	size_t bytes;
};

struct pl_cuda_carried {
	struct pl_cuda_range dst, src; /* with all that lies between first and last byte */
	CUDA_MEMCPY3D_PEER lines;      /* Height 0: all of both ranges is copied */
};

/** pl_cuda_carry() - puts a copy into a stream
 * Both ranges are plainly memory of two servers.
 * Return: done, with *result_out; false: it has to be waited for. */
bool pl_cuda_carry(CUstream stream, bool per_thread, const struct pl_cuda_carried *what, CUresult *result_out);
/* apart.c: makes it, on a carrier. */
CUresult pl_cuda_carry_make(const struct pl_cuda_carried *what);

/* The stream has come to it.  Return: the token is one of ours. */
bool pl_cuda_carry_reached(const struct pl_session *session, uint64_t token, int32_t status);
/* Memory that the program gives back: no copy uses it any more when this returns. */
void pl_cuda_carry_settle(CUdeviceptr address);
void pl_cuda_carry_session_lost(const struct pl_session *session);

/* This thread is a carrier: nothing that it calls may wait for a stream of the program's. */
extern __thread bool pl_cuda_carrier __attribute__((tls_model("initial-exec")));
static inline bool pl_cuda_carries(void)
{
	return __builtin_expect(pl_cuda_carrier, 0);
}
/* A carrier's stream in the current context, which waits for no other; NULL: there is none. */
CUstream pl_cuda_carry_stream(void);
/* Waits for it, whatever is known of the session. */
CUresult pl_cuda_carry_wait(CUstream stream);

#endif
