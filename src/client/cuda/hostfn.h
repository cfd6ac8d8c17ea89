/* The program's functions that the server calls when a stream, or a graph, has come to them; and its memory that is
 * copied then. */
#ifndef PL_CLIENT_CUDA_HOSTFN_H
#define PL_CLIENT_CUDA_HOSTFN_H

#include "client/cuda/lines.h"
#include "client/cuda/state.h"

/* A function that the session's server may call by the token, as often as a graph runs, until pl_cuda_hostfn_forget().
 * Return: 0 = no memory. */
uint64_t pl_cuda_hostfn_new(struct pl_session *session, CUhostFn function, void *user);
/* Nothing calls it any more. */
void pl_cuda_hostfn_forget(const struct pl_session *session, uint64_t token);
/* What it was made with, where it is of this function; else NULL. */
void *pl_cuda_hostfn_user(const struct pl_session *session, uint64_t token, CUhostFn function);

/* The program's function behind a token.  Return: it is one of this session's. */
bool pl_cuda_hostfn_what(const struct pl_session *session, uint64_t token, CUhostFn *function_out, void **user_out);

/* A function of the program's is still to run in some stream, or runs. */
bool pl_cuda_hostfns_are_due(void);

/* One of any session's runs, or what it wrote is on its way. */
bool pl_cuda_hostfn_runs(void);

/* One may run, or begin to, before what the session was sent so far has ended; of a graph's that is not known to have
 * done all.  Calls in the session's order may wait for its end then, and it must wait for none. */
bool pl_cuda_hostfns_may_run(const struct pl_session *session);

/* Memory that a graph reads, or writes, each time it runs.  Return: its token, a function's; 0 = no memory. */
uint64_t pl_cuda_host_copy_new(struct pl_session *session, const struct pl_cuda_lines *lines);
/* As well, which is copied from one place to the other. */
uint64_t pl_cuda_host_copy_here_new(struct pl_session *session, const struct pl_cuda_lines *to,
				    const struct pl_cuda_lines *from);
/* The memory of pl_cuda_host_copy_new().  Return: the token is one of its. */
bool pl_cuda_host_copy_what(const struct pl_session *session, uint64_t token, struct pl_cuda_lines *lines_out);
/* What the device wrote for it.  Runs on whichever thread pumps. */
void pl_cuda_host_copy_write(const struct pl_session *session, uint64_t token, uint64_t offset, struct pl_bytes data);
/* One that is being written just now goes there, or part of it. */
bool pl_cuda_host_copy_is_made(uint64_t address, uint64_t bytes);
/* Frees what one of those made, when its function is forgotten; of other functions there is nothing. */
bool pl_cuda_host_copy_is(CUhostFn function); /* one of those */
void pl_cuda_host_copy_forget(const struct pl_session *session, uint64_t token);

/** pl_cuda_copy_later() - a copy to the device whose bytes are read when the stream has come to it
 * Return: success; CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_OUT_OF_MEMORY: *done_out bytes are on their way so, the rest
 * has to go otherwise; or what is wrong. */
CUresult pl_cuda_copy_later(struct pl_session *session, uint64_t stream, bool per_thread, CUdeviceptr dst,
			    const void *src, uint64_t bytes, uint64_t *done_out);

#endif
