#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "capture-state.h"
#include "cuda-api.h"

struct pl_cu_captured { /* what an event has recorded */
	uint64_t sequence_id;
	size_t n;
	CUgraphNode nodes[];
};

__thread CUstreamCaptureMode pl_cu_capture_mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
static struct {
	pthread_mutex_t lock;
	atomic_uint n;
	/* under lock, with what hangs on it, streams' and events' part too */
	struct pl_cu_sequence *first;
	uint64_t ids;
} captures = { .lock = PTHREAD_MUTEX_INITIALIZER };

void pl_cu_capture_lock(void)
{
	pthread_mutex_lock(&captures.lock);
}

void pl_cu_capture_unlock(void)
{
	pthread_mutex_unlock(&captures.lock);
}

static bool none(void)
{
	return !atomic_load_explicit(&captures.n, memory_order_relaxed);
}

bool pl_cu_capture_is_any(void)
{
	return !none();
}

/* -- life of a sequence; called with the lock held ----------------------------------------------------------------- */

static CUresult join(struct pl_cu_sequence *sequence, struct pl_cu_stream *stream)
{
	struct pl_cu_capture *capture = calloc(1, sizeof(*capture));
	if (!capture)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*capture = (struct pl_cu_capture){ .sequence = sequence, .stream = stream, .next = sequence->streams };
	sequence->streams = capture;
	stream->capture = capture;
	return CUDA_SUCCESS;
}

static void capture_free(struct pl_cu_capture *capture)
{
	if (capture->stream)
		capture->stream->capture = NULL;
	free(capture->last.at);
	free(capture->told);
	free(capture->told_edges);
	free(capture);
}

static void sequence_end(struct pl_cu_sequence *sequence)
{
	for (struct pl_cu_sequence **at = &captures.first; *at; at = &(*at)->next) {
		if (*at != sequence)
			continue;
		*at = sequence->next;
		break;
	}
	atomic_fetch_sub(&captures.n, 1);
	while (sequence->streams) {
		struct pl_cu_capture *capture = sequence->streams;
		sequence->streams = capture->next;
		capture_free(capture);
	}
	free(sequence);
}

static struct pl_cu_sequence *sequence_of(uint64_t id)
{
	struct pl_cu_sequence *sequence = captures.first;
	while (sequence && sequence->id != id)
		sequence = sequence->next;
	return sequence;
}

/* -- graphs that are added to -------------------------------------------------------------------------------------- */

/* The graph, or one in it.  Called with the lock held, here and in the next ones. */
static bool fills(const struct pl_cu_graph *graph)
{
	bool found = false;
	for (struct pl_cu_sequence *sequence = captures.first; sequence && !found; sequence = sequence->next) {
		const struct pl_cu_graph *at = sequence->graph;
		while (at && at != graph)
			at = at->parent ? at->parent->graph : NULL;
		found = at;
	}
	return found;
}

/* One that was destroyed stays as long as calls use it, but not what it is in. */
static bool is_there(const struct pl_cu_graph *graph)
{
	while (graph && graph->parent_handle) {
		const struct pl_cu_node *node = pl_cuda_handle_held(graph->parent_handle, PL_CU_GRAPH_NODE);
		graph = node ? pl_cuda_handle_held(node->graph_handle, PL_CU_GRAPH) : NULL;
	}
	return graph && pl_cuda_handle_of(graph->handle, PL_CU_GRAPH);
}

static bool node_fills(const struct pl_cu_node *node)
{
	bool found = false;
	size_t n;
	struct pl_cu_graph *const *graphs = pl_cu_op_graphs(&node->op, &n);
	for (struct pl_cu_sequence *sequence = captures.first; sequence && !found; sequence = sequence->next)
		found = sequence->graph == node->graph;
	for (size_t i = 0; i < n && !found; i++)
		found = fills(graphs[i]);
	return found;
}

CUresult pl_cu_capture_end_graph(struct pl_cu_graph *graph)
{
	CUresult r = CUDA_ERROR_INVALID_VALUE;
	pl_cu_capture_lock();
	if (!fills(graph) && pl_cu_graph_destroy(graph))
		r = CUDA_SUCCESS;
	pl_cu_capture_unlock();
	return r;
}

CUresult pl_cu_capture_end_node(struct pl_cu_node *node)
{
	CUresult r = CUDA_ERROR_INVALID_VALUE;
	pl_cu_capture_lock();
	if (pl_cuda_handle_of(node->handle, PL_CU_GRAPH_NODE) && !node_fills(node)) {
		pl_cu_node_destroy(node);
		r = CUDA_SUCCESS;
	}
	pl_cu_capture_unlock();
	return r;
}

bool pl_cu_capture_fills(const struct pl_cu_graph *graph)
{
	bool found;
	pl_cu_capture_lock();
	found = fills(graph);
	pl_cu_capture_unlock();
	return found;
}

/* -- their begin and end ------------------------------------------------------------------------------------------- */

/* Called with the lock held. */
static CUresult begin_locked(struct pl_cu_stream *stream, struct pl_cu_graph *graph, struct pl_cu_node **last,
			     size_t last_n, CUstreamCaptureMode mode)
{
	struct pl_cu_sequence *sequence;
	CUresult r = CUDA_SUCCESS;
	if (stream->legacy)
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	if (stream->capture)
		return CUDA_ERROR_ILLEGAL_STATE;
	if (graph && !is_there(graph))
		return CUDA_ERROR_INVALID_VALUE;
	sequence = calloc(1, sizeof(*sequence));
	if (!sequence)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*sequence = (struct pl_cu_sequence){ .id = ++captures.ids, .graph = graph, .mode = mode, .origin = stream };
	sequence->thread = pthread_self();
	sequence->own = !graph;
	sequence->next = captures.first;
	captures.first = sequence;
	atomic_fetch_add(&captures.n, 1);
	if (!graph)
		r = pl_cu_graph_create(&sequence->graph, true);
	if (!r)
		r = join(sequence, stream);
	for (size_t i = 0; i < last_n && !r; i++)
		r = pl_cu_list_push(&stream->capture->last, last[i]);
	if (r) {
		if (sequence->own)
			pl_cu_graph_destroy(sequence->graph);
		sequence_end(sequence);
	}
	return r;
}

static CUresult begin(CUstream handle, CUgraph graph_handle, const CUgraphNode *nodes, const CUgraphEdgeData *edges,
		      size_t n, CUstreamCaptureMode mode, bool to_graph)
{
	struct pl_cu_graph *graph = NULL;
	struct pl_cu_node **last = NULL;
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (!r && (unsigned int)mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		r = CUDA_ERROR_INVALID_VALUE;
	if (!r && to_graph)
		r = pl_cu_graph_get(graph_handle, &graph);
	if (!r)
		r = pl_cu_edges_check(edges, n);
	if (!r && graph)
		r = pl_cu_nodes_get(graph, nodes, n, &last);
	if (r)
		return r;
	pl_cu_capture_lock();
	r = begin_locked(stream, graph, last, n, mode);
	pl_cu_capture_unlock();
	free(last);
	return r;
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode)
{
	return begin(stream, NULL, NULL, NULL, 0, mode, false);
}

CUresult cuStreamBeginCapture(CUstream stream)
{
	return cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
}

CUresult cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode *nodes,
				     const CUgraphEdgeData *edges, size_t n, CUstreamCaptureMode mode)
{
	return begin(stream, graph, nodes, edges, n, mode, true);
}

/* Work of a stream that joined has to come before the last of the origin's. */
static bool joined(const struct pl_cu_sequence *sequence)
{
	const struct pl_cu_node_list *ends = &sequence->origin->capture->last;
	for (struct pl_cu_capture *capture = sequence->streams; capture; capture = capture->next)
		if (capture->stream != sequence->origin && !pl_cu_graph_covers(ends, capture->last.at, capture->last.n))
			return false;
	return true;
}

static CUresult end_locked(struct pl_cu_stream *stream, CUgraph *graph_out)
{
	struct pl_cu_sequence *sequence = stream->capture ? stream->capture->sequence : NULL;
	CUresult r = CUDA_SUCCESS;
	if (!sequence)
		return CUDA_ERROR_ILLEGAL_STATE;
	if (sequence->origin != stream) {
		sequence->invalid = true;
		return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
	}
	if (sequence->mode != CU_STREAM_CAPTURE_MODE_RELAXED && !pthread_equal(sequence->thread, pthread_self()))
		return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
	if (!graph_out && sequence->own) /* nobody would have it */
		return CUDA_ERROR_INVALID_VALUE;
	if (sequence->invalid)
		r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	else if (!joined(sequence))
		r = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
	if (graph_out)
		*graph_out = r ? NULL : sequence->graph->handle;
	if (r && sequence->own)
		pl_cu_graph_destroy(sequence->graph);
	sequence_end(sequence);
	return r;
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph_out)
{
	struct pl_cu_stream *stream;
	CUresult r = pl_cu_enter_stream(handle, &stream);
	if (r)
		return r;
	pl_cu_capture_lock();
	r = end_locked(stream, graph_out);
	pl_cu_capture_unlock();
	return r;
}

void pl_cu_capture_leave(struct pl_cu_stream *stream)
{
	struct pl_cu_sequence *sequence;
	pl_cu_capture_lock();
	sequence = stream->capture ? stream->capture->sequence : NULL;
	if (sequence && sequence->origin == stream) {
		if (sequence->own)
			pl_cu_graph_destroy(sequence->graph);
		sequence_end(sequence);
	} else if (sequence) {
		stream->capture->stream = NULL; /* what it was given still has to be joined */
		stream->capture = NULL;
	}
	pl_cu_capture_unlock();
}

/* -- what goes through --------------------------------------------------------------------------------------------- */

CUresult pl_cu_capture_implicit(const struct pl_cu_ctx *ctx, bool invalidate)
{
	CUresult r = CUDA_SUCCESS;
	for (struct pl_cu_sequence *sequence = captures.first; sequence; sequence = sequence->next) {
		for (struct pl_cu_capture *capture = sequence->streams; capture; capture = capture->next) {
			if (!capture->stream || capture->stream->ctx != ctx ||
			    capture->stream->flags & CU_STREAM_NON_BLOCKING)
				continue;
			sequence->invalid |= invalidate;
			r = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
		}
	}
	return r;
}

CUresult pl_cu_capture_gate(struct pl_cu_stream *stream, bool *captured_out)
{
	CUresult r = CUDA_SUCCESS;
	*captured_out = false;
	if (none())
		return CUDA_SUCCESS;
	pl_cu_capture_lock();
	if (stream->legacy)
		r = pl_cu_capture_implicit(stream->ctx, true);
	else if (stream->capture && stream->capture->sequence->invalid)
		r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	else
		*captured_out = stream->capture;
	pl_cu_capture_unlock();
	return r;
}

CUresult pl_cu_capture_add(struct pl_cu_stream *stream, struct pl_cu_op *op)
{
	struct pl_cu_capture *capture;
	struct pl_cu_node *node;
	CUresult r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	pl_cu_capture_lock();
	capture = stream->capture;
	if (capture && !capture->sequence->invalid)
		r = pl_cu_node_add(&node, capture->sequence->graph, op, capture->last.at, capture->last.n, true);
	else
		pl_cu_op_clear(op);
	if (!r) {
		capture->last.n = 0;
		r = pl_cu_list_push(&capture->last, node);
	}
	pl_cu_capture_unlock();
	return r;
}

CUresult pl_cu_capture_launch(struct pl_cu_stream *stream, const struct pl_cu_launch *launch)
{
	struct pl_cu_op op;
	CUresult r = pl_cu_op_of_launch(&op, launch);
	if (r)
		return r;
	op.kernel->attribute[CU_LAUNCH_ATTRIBUTE_PRIORITY].priority = stream->priority;
	return pl_cu_capture_add(stream, &op);
}

CUresult pl_cu_capture_memops(struct pl_cu_stream *stream, unsigned int n, const CUstreamBatchMemOpParams *ops)
{
	struct pl_cu_op op;
	CUresult r = pl_cu_op_of_memops(&op, stream->ctx->handle, n, ops);
	return r ? r : pl_cu_capture_add(stream, &op);
}

CUresult pl_cu_capture_alloc(struct pl_cu_stream *stream, uint64_t bytes, CUdeviceptr *address_out)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEM_ALLOC };
	struct pl_cu_op op;
	CUresult r;
	params.alloc.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
	params.alloc.poolProps.location = (CUmemLocation){ CU_MEM_LOCATION_TYPE_DEVICE, stream->ctx->dev->ordinal };
	params.alloc.bytesize = bytes;
	r = pl_cu_op_make(&op, &params, NULL);
	if (!r)
		r = pl_cu_capture_add(stream, &op);
	if (!r)
		*address_out = params.alloc.dptr;
	return r;
}

CUresult pl_cu_capture_free(struct pl_cu_stream *stream, CUdeviceptr address)
{
	CUgraphNodeParams params = { .type = CU_GRAPH_NODE_TYPE_MEM_FREE, .free = { address } };
	struct pl_cu_op op;
	CUresult r = pl_cu_op_make(&op, &params, NULL);
	return r ? r : pl_cu_capture_add(stream, &op);
}

/* -- what does not ------------------------------------------------------------------------------------------------- */

CUresult pl_cu_capture_forbid(struct pl_cu_stream *stream)
{
	CUresult r = CUDA_SUCCESS;
	if (none())
		return CUDA_SUCCESS;
	pl_cu_capture_lock();
	if (stream->legacy)
		r = pl_cu_capture_implicit(stream->ctx, true);
	if (stream->capture) {
		stream->capture->sequence->invalid = true;
		r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	pl_cu_capture_unlock();
	return r;
}

CUresult pl_cu_capture_forbid_ctx(const struct pl_cu_ctx *ctx)
{
	CUresult r = CUDA_SUCCESS;
	if (none())
		return CUDA_SUCCESS;
	pl_cu_capture_lock();
	for (struct pl_cu_sequence *sequence = captures.first; sequence; sequence = sequence->next) {
		if (sequence->origin->ctx != ctx)
			continue;
		sequence->invalid = true;
		r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	pl_cu_capture_unlock();
	return r;
}

CUresult pl_cu_capture_unsafe(void)
{
	CUresult r = CUDA_SUCCESS;
	if (none() || pl_cu_capture_mode == CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_SUCCESS;
	pl_cu_capture_lock();
	for (struct pl_cu_sequence *sequence = captures.first; sequence; sequence = sequence->next) {
		bool own = pthread_equal(sequence->thread, pthread_self());
		if (own ? sequence->mode == CU_STREAM_CAPTURE_MODE_RELAXED
			: sequence->mode != CU_STREAM_CAPTURE_MODE_GLOBAL ||
				    pl_cu_capture_mode != CU_STREAM_CAPTURE_MODE_GLOBAL)
			continue;
		sequence->invalid = true;
		r = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	}
	pl_cu_capture_unlock();
	return r;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

CUresult pl_cu_capture_record(struct pl_cu_event *event, struct pl_cu_stream *stream)
{
	struct pl_cu_captured *captured = NULL;
	struct pl_cu_capture *capture;
	pl_cu_capture_lock();
	capture = stream->capture;
	if (capture)
		captured = calloc(1, sizeof(*captured) + capture->last.n * sizeof(CUgraphNode));
	if (captured) {
		captured->sequence_id = capture->sequence->id;
		captured->n = capture->last.n;
		for (size_t i = 0; i < captured->n; i++)
			captured->nodes[i] = capture->last.at[i]->handle;
		free(event->captured);
		event->captured = captured;
	}
	pl_cu_capture_unlock();
	return captured ? CUDA_SUCCESS : capture ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
}

/* The stream's next node follows those too. */
static CUresult follow(struct pl_cu_capture *capture, const struct pl_cu_captured *captured)
{
	uint64_t mark = pl_cu_graph_mark();
	CUresult r = CUDA_SUCCESS;
	for (size_t i = 0; i < capture->last.n; i++)
		capture->last.at[i]->mark = mark;
	for (size_t i = 0; i < captured->n && !r; i++) {
		struct pl_cu_node *node = pl_cuda_handle_held(captured->nodes[i], PL_CU_GRAPH_NODE);
		if (node && node->graph == capture->sequence->graph && node->mark != mark)
			r = pl_cu_list_push(&capture->last, node);
	}
	return r;
}

static CUresult wait_captured(struct pl_cu_event *event, struct pl_cu_stream *stream)
{
	struct pl_cu_sequence *sequence = sequence_of(event->captured->sequence_id);
	CUresult r;
	if (!sequence)
		return CUDA_ERROR_CAPTURED_EVENT; /* that capture has ended */
	if (sequence->invalid)
		return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	if (stream->legacy) {
		sequence->invalid = true;
		return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
	}
	if (stream->capture && stream->capture->sequence != sequence) {
		sequence->invalid = stream->capture->sequence->invalid = true;
		return CUDA_ERROR_STREAM_CAPTURE_MERGE;
	}
	r = stream->capture ? CUDA_SUCCESS : join(sequence, stream);
	return r ? r : follow(stream->capture, event->captured);
}

static CUresult wait_external(struct pl_cu_event *event, struct pl_cu_stream *stream)
{
	struct pl_cu_op op = { .type = CU_GRAPH_NODE_TYPE_WAIT_EVENT, .event = event->handle };
	return pl_cu_capture_add(stream, &op);
}

CUresult pl_cu_capture_wait(struct pl_cu_event *event, struct pl_cu_stream *stream, unsigned int flags, bool *done_out)
{
	bool external = flags & CU_EVENT_WAIT_EXTERNAL, captured;
	CUresult r = pl_cu_capture_gate(stream, &captured);
	*done_out = true;
	if (r)
		return r;
	if (captured && external)
		return wait_external(event, stream);
	pl_cu_capture_lock();
	if (event->captured) {
		r = wait_captured(event, stream);
	} else if (captured && event->line) {
		stream->capture->sequence->invalid = true;
		r = CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
	} else {
		*done_out = captured;
	}
	pl_cu_capture_unlock();
	return r;
}

void pl_cu_capture_forget(struct pl_cu_event *event)
{
	pl_cu_capture_lock();
	free(event->captured);
	event->captured = NULL;
	pl_cu_capture_unlock();
}

bool pl_cu_capture_of_event(struct pl_cu_event *event)
{
	struct pl_cu_sequence *sequence;
	bool captured;
	pl_cu_capture_lock();
	captured = event->captured;
	sequence = captured ? sequence_of(event->captured->sequence_id) : NULL;
	if (sequence)
		sequence->invalid = true;
	pl_cu_capture_unlock();
	return captured;
}
