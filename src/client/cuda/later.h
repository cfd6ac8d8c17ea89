/*
 * Copies to the program's memory that were posted: their bytes come on the reverse lane, in their stream's order, ahead
 * of the answer of whoever waits for that.
 */
#ifndef PL_CLIENT_CUDA_LATER_H
#define PL_CLIENT_CUDA_LATER_H

#include "client/cuda/state.h"
#include "wire/cuda.h"

#define PL_CUDA_LATER_MAX       64u           /* limit: copies whose bytes have not come */
#define PL_CUDA_LATER_BYTES_SUM (64ull << 20) /* limit: their bytes */

/* Return: a token; 0: too many are under way, the copy has to be waited for. */
uint64_t pl_cuda_later_enter(struct pl_session *session, void *host, uint64_t bytes);
/* It was not sent. */
void pl_cuda_later_cancel(uint64_t token);
/* The record at hand says that its bytes are here.  Return: they have been taken. */
bool pl_cuda_later_arrived(struct pl_session *session, uint64_t token, uint64_t bytes, uint64_t bulk_bytes);
/* Does something? */
bool pl_cuda_later_comes(uint64_t address, uint64_t bytes);
/* Waits for the stream; what another one captures goes on. */
CUresult pl_cuda_later_wait(bool per_thread, CUstream stream);
/* A copy from there follows in this stream: what was to come there before it in the stream has come. */
CUresult pl_cuda_later_ahead(const void *host, uint64_t bytes, bool per_thread, CUstream stream);
/* Nothing comes for this memory any more when it returns: the program gives it back. */
void pl_cuda_later_settle(struct pl_session *session, uint64_t address, uint64_t bytes);
/* As well, without a wait for the device: its context has ended. */
void pl_cuda_later_forget(uint64_t address, uint64_t bytes);
void pl_cuda_later_session_lost(const struct pl_session *session);

#endif
