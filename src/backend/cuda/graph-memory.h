/*
 * What graphs' memory is charged for: a node's memory is there as long as a graph has the node, one that is made of it
 * can run, or somebody uses what a launch has allocated.  Freed by the program it can be allocated by the next launch,
 * so it stays charged.  All of this is under the turn.
 */
#ifndef PL_BACKEND_CUDA_GRAPH_MEMORY_H
#define PL_BACKEND_CUDA_GRAPH_MEMORY_H

#include "backend/cuda/session.h"

/* Addresses that nodes of a graph allocate, and free. */
struct pl_cuda_graph_uses {
	void **allocates, **frees;
	size_t allocates_count, frees_count;
};

/* A node of a graph, or of a capture, allocates it; it is noted (pl_cuda_memory_note()).  Without memory for it, it is
 * as any other. */
void pl_cuda_graph_memory_made(struct pl_cuda_session *session, uint64_t address);
/* The node has gone. */
void pl_cuda_graph_memory_node_gone(struct pl_cuda_session *session, uint64_t address);
/* A graph that has it is ready to run, under this id; is launched; has gone. */
void pl_cuda_graph_memory_ready(struct pl_cuda_session *session, uint64_t exec, CUgraph graph);
void pl_cuda_graph_memory_launched(struct pl_cuda_session *session, uint64_t exec);
void pl_cuda_graph_memory_exec_gone(struct pl_cuda_session *session, uint64_t exec);
/* The program has freed it.  Return: it is a graph's: what it is charged has been seen to. */
bool pl_cuda_graph_memory_freed(struct pl_cuda_session *session, uint64_t address);
/* The driver has given the address to another allocation. */
void pl_cuda_graph_memory_lost(struct pl_cuda_session *session, uint64_t address);

/* graph-end.c: of all its nodes, those inside others too; the lists are the caller's to free. */
void pl_cuda_graph_uses_find(struct pl_cuda_session *session, CUgraph graph, struct pl_cuda_graph_uses *uses_out);

#endif
