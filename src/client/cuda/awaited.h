/*
 * Memory of the program's that may change between a call and what it asks for.  A device reads pinned memory when a
 * stream has come to the copy; where something ahead of that waits for the program (a function of its own, a word, a
 * graph with either), or is a graph that writes there, what was there when the call was made is not what is to be
 * copied.  It need not be of the same stream: streams wait for each other.  Any thread.
 */
#ifndef PL_CLIENT_CUDA_AWAITED_H
#define PL_CLIENT_CUDA_AWAITED_H

#include "client/cuda/lines.h"
#include "client/cuda/state.h"

/* A call, or a graph, will wait for the program, whenever it runs.  Before it is sent. */
void pl_cuda_awaits_program(void);
/* A graph will write to these. */
void pl_cuda_awaits_graph(const struct pl_cuda_lines *lines);

/* They may change before what the session was sent so far has ended.  True for longer than need be, never less. */
bool pl_cuda_is_awaited(const struct pl_session *session, const void *host, uint64_t bytes);

/* A stream does not follow the legacy one. */
void pl_cuda_streams_part(void);
/* A copy that waits may do so until another thread calls, whatever holds it (a kernel that looks at a word): there are
 * threads, and what they call need not follow the copy. */
bool pl_cuda_threads_go_on(const struct pl_session *session);

/* Ahead of copies that are not made to read so late: plain memory that may change becomes the device's own, which sees
 * it change (reach.h).  With reach.h's conditions. */
void pl_cuda_awaited_reach(const void *host);

#endif
