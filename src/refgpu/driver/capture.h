/*
 * Stream capture: what a captured stream is given becomes nodes of a graph.  Functions that give work to a stream ask
 * the gate first.  A sequence is the stream that capture began in and those that have joined it by events; whatever
 * breaks its rules makes it invalid, until it is ended.  Any thread; nothing here holds a lock on return.
 */
#ifndef PL_REFGPU_DRIVER_CAPTURE_H
#define PL_REFGPU_DRIVER_CAPTURE_H

#include "refgpu/driver/event.h"
#include "refgpu/driver/graph.h"

bool pl_cu_capture_is_any(void); /* of any stream, by anybody */
/* Before work for a stream.  *captured_out: it becomes a node.  An error: the capture is invalid, or has just become
 * it, because the stream is the legacy one and would wait for a captured one. */
CUresult pl_cu_capture_gate(struct pl_cu_stream *stream, bool *captured_out);
/* A node behind the stream's last; *op is the graph's then, also where it fails. */
CUresult pl_cu_capture_add(struct pl_cu_stream *stream, struct pl_cu_op *op);
CUresult pl_cu_capture_launch(struct pl_cu_stream *stream, const struct pl_cu_launch *launch);
CUresult pl_cu_capture_memops(struct pl_cu_stream *stream, unsigned int n, const CUstreamBatchMemOpParams *ops);
CUresult pl_cu_capture_alloc(struct pl_cu_stream *stream, uint64_t bytes, CUdeviceptr *address_out);
CUresult pl_cu_capture_free(struct pl_cu_stream *stream, CUdeviceptr address);

/* What captured streams cannot do (wait, be asked, be destroyed): an error and an invalid capture, if it is one. */
CUresult pl_cu_capture_forbid(struct pl_cu_stream *stream);
CUresult pl_cu_capture_forbid_ctx(const struct pl_cu_ctx *ctx); /* any stream of the context */
/* Takes the graph, or the node, away from who has its handle, unless a capture adds to it, or to a graph in it.  The
 * caller's call holds it. */
CUresult pl_cu_capture_end_graph(struct pl_cu_graph *graph);
CUresult pl_cu_capture_end_node(struct pl_cu_node *node);
/* A graph that becomes part of another one: whether a capture adds to it. */
bool pl_cu_capture_fills(const struct pl_cu_graph *graph);
/* Calls that are not safe while something is captured, by the mode of the thread and of the capture. */
CUresult pl_cu_capture_unsafe(void);
/* The stream goes away. */
void pl_cu_capture_leave(struct pl_cu_stream *stream);

/* Events that were recorded in captured streams. */
CUresult pl_cu_capture_record(struct pl_cu_event *event, struct pl_cu_stream *stream);
/* *done_out: the wait was one of capture; else it is a usual one. */
CUresult pl_cu_capture_wait(struct pl_cu_event *event, struct pl_cu_stream *stream, unsigned int flags, bool *done_out);
void pl_cu_capture_forget(struct pl_cu_event *event); /* recorded as usual, or destroyed */
bool pl_cu_capture_of_event(struct pl_cu_event *event);

#endif
