/*
 * Graphs that are ready to run, launched and changed.  What such a graph was changed to work with (a host function, a
 * shadow of the client's memory) is no graph's, so that no user object keeps it: it stands in a list here, and goes
 * when it is changed again, or with the graph, behind the last launch that may use it.  A driver runs the launches of
 * one after the other.
 */
#include <stdlib.h>

#include "backend/cuda/graph-memory.h"
#include "backend/cuda/hostfn.h"
#include "base/err.h"

struct pl_cuda_exec_sets {
	uint64_t exec;             /* its id */
	uint64_t launches, stream; /* since it is here; the last one's */
	bool per_thread;
	uint64_t thread; /* whose call it was, and in which context: some streams are named by them */
	uint64_t context;
	bool stream_gone;           /* its name may be another one's by now */
	bool stays;                 /* it was captured: it is part of another graph now */
	struct pl_cuda_hostfn *fns; /* by next_set */
	struct pl_cuda_exec_sets *next;
};

/* Under the turn, here and below. */
static struct pl_cuda_exec_sets **sets_find(struct pl_cuda_session *session, uint64_t exec)
{
	struct pl_cuda_exec_sets **at = &session->execs;

	while (*at && (*at)->exec != exec)
		at = &(*at)->next;
	return at;
}

/* Whether the stream's name means the same here as where it was launched in: the legacy stream is the context's, and
 * there is one of each thread's. */
static bool is_same_stream(const struct pl_cuda_exec_sets *sets, const void *stream)
{
	bool of_thread = stream == (const void *)CU_STREAM_PER_THREAD || (!stream && sets->per_thread);

	if ((uintptr_t)stream > (uintptr_t)CU_STREAM_PER_THREAD)
		return true;
	return sets->context == pl_cuda_current && (!of_thread || sets->thread == pl_cuda_thread_number());
}

/* Behind what the stream has.  Return: the driver calls it. */
static bool end_behind(struct pl_serve *serve, const struct pl_cuda_exec_sets *sets, struct pl_cuda_hostfn *hostfn)
{
	__typeof__(&cuLaunchHostFunc) run = sets->per_thread ? pl_cuda.cuLaunchHostFunc_ptsz : pl_cuda.cuLaunchHostFunc;
	int32_t status;
	void *stream;

	return run && pl_cuda_take(serve, sets->stream, PL_CUDA_KIND_stream, &stream, &status) &&
	       is_same_stream(sets, stream) && !pl_cuda_capture_graph(stream, sets->per_thread) &&
	       !run(stream, pl_cuda_hostfn_ended, hostfn);
}

static void set_end(struct pl_serve *serve, const struct pl_cuda_exec_sets *sets, struct pl_cuda_hostfn *hostfn)
{
	if (hostfn->set_at == sets->launches)
		pl_cuda_hostfn_ended(hostfn);
	else if (sets->stays || sets->stream_gone || !end_behind(serve, sets, hostfn))
		pl_log_debug("what a graph was changed to work with stays until the session ends");
}

void pl_cuda_exec_sets_end(struct pl_serve *serve, uint64_t exec)
{
	struct pl_cuda_exec_sets **at = sets_find(pl_cuda_session_of(serve), exec), *sets = *at;

	if (!sets)
		return;
	*at = sets->next;
	for (struct pl_cuda_hostfn *hostfn = sets->fns, *next; hostfn; hostfn = next) {
		next = hostfn->next_set;
		set_end(serve, sets, hostfn);
	}
	free(sets);
}

void pl_cuda_exec_stream_gone(struct pl_cuda_session *session, uint64_t id)
{
	for (struct pl_cuda_exec_sets *sets = session->execs; sets; sets = sets->next) {
		bool named = sets->stream <= (uintptr_t)CU_STREAM_PER_THREAD;

		if (id == (named ? sets->context : sets->stream))
			sets->stream_gone = true;
	}
}

void pl_cuda_exec_set(struct pl_serve *serve, uint64_t exec, CUgraphNode node, struct pl_cuda_hostfn *hostfn)
{
	struct pl_cuda_exec_sets **at = sets_find(pl_cuda_session_of(serve), exec), *sets = *at;
	struct pl_cuda_hostfn **one;

	if (!sets)
		sets = *at = calloc(1, sizeof(*sets));
	if (!sets)
		return; /* it lives as long as the session */
	sets->exec = exec;
	for (one = &sets->fns; *one && (*one)->set_node != node;)
		one = &(*one)->next_set;
	if (*one) {
		struct pl_cuda_hostfn *before = *one;

		*one = before->next_set;
		set_end(serve, sets, before);
	}
	hostfn->set_node = node;
	hostfn->set_at = sets->launches;
	hostfn->next_set = sets->fns;
	sets->fns = hostfn;
}

void pl_cuda_serve_cuGraphLaunch(struct pl_serve *serve, const struct pl_cuda_cuGraphLaunch_args *args)
{
	__typeof__(&cuGraphLaunch) call = args->per_thread ? pl_cuda.cuGraphLaunch_ptsz : pl_cuda.cuGraphLaunch;
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	struct pl_cuda_exec_sets *sets;
	void *exec, *stream = NULL;

	if (call && pl_cuda_take(serve, args->exec, PL_CUDA_KIND_exec, &exec, &status) &&
	    pl_cuda_take(serve, args->stream, PL_CUDA_KIND_stream, &stream, &status))
		status = (int32_t)call(exec, stream);
	if (!status && session->books && !pl_cuda_capture_graph(stream, args->per_thread))
		pl_cuda_graph_memory_launched(session, args->exec);
	sets = session->execs ? *sets_find(session, args->exec) : NULL;
	if (!status && sets) {
		sets->launches++;
		sets->stream = args->stream;
		sets->stream_gone = false;
		sets->per_thread = args->per_thread;
		sets->thread = pl_cuda_thread_number();
		sets->context = pl_cuda_current;
		sets->stays |= pl_cuda_capture_graph(stream, args->per_thread) != NULL;
	}
	pl_cuda_result(serve, status, args->stream);
}

void pl_cuda_serve_cuGraphExecDestroy(struct pl_serve *serve, const struct pl_cuda_cuGraphExecDestroy_args *args)
{
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	void *exec;

	if (pl_cuda.cuGraphExecDestroy && pl_cuda_take(serve, args->exec, PL_CUDA_KIND_exec, &exec, &status))
		status = (int32_t)pl_cuda.cuGraphExecDestroy(exec);
	if (!status) {
		pl_cuda_exec_sets_end(serve, args->exec);
		pl_cuda_carriers_forget(pl_cuda_session_of(serve), args->exec);
		pl_cuda_graph_memory_exec_gone(pl_cuda_session_of(serve), args->exec);
		pl_cuda_drop(serve, args->exec, PL_CUDA_KIND_exec);
	}
	pl_cuda_result(serve, status, 0);
}
