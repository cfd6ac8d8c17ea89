/* The state of captures, for the files capture*.c.  All of it is under their lock. */
#ifndef PL_REFGPU_DRIVER_CAPTURE_STATE_H
#define PL_REFGPU_DRIVER_CAPTURE_STATE_H

#include "refgpu/driver/graph.h"

struct pl_cu_sequence {
	uint64_t id;
	struct pl_cu_graph *graph;
	bool own; /* the graph was made for it */
	CUstreamCaptureMode mode;
	pthread_t thread;
	struct pl_cu_stream *origin;
	bool invalid;
	struct pl_cu_capture *streams;
	struct pl_cu_sequence *next;
};

struct pl_cu_capture {
	struct pl_cu_sequence *sequence;
	struct pl_cu_stream *stream; /* NULL: destroyed since */
	struct pl_cu_node_list last; /* what the stream's next node follows */
	CUgraphNode *told;
	CUgraphEdgeData *told_edges;
	struct pl_cu_capture *next;
};

/* How strict the thread is about unsafe calls. */
extern __thread CUstreamCaptureMode pl_cu_capture_mode;

void pl_cu_capture_lock(void);
void pl_cu_capture_unlock(void);
/* Called with the lock held: whether the legacy stream would wait for a captured one. */
CUresult pl_cu_capture_implicit(const struct pl_cu_ctx *ctx, bool invalidate);

#endif
