#include "backend/cuda/graph-memory.h"

#include <stdlib.h>

#define KIND 1u /* the only one in both tables */

struct memory {
	uint64_t address;
	size_t execs; /* that allocate it */
	bool has_node, is_used;
};

struct pl_cuda_graph_memory {
	struct pl_handles all;   /* by address: `object` is a struct memory */
	struct pl_handles execs; /* by id: a struct pl_cuda_graph_uses, of those that allocate or free */
};

static void *find(struct pl_handles *handles, uint64_t id)
{
	struct pl_handle handle;

	return pl_handles_get(handles, id, KIND, &handle) ? handle.object : NULL;
}

static struct memory *memory_find(const struct pl_cuda_session *session, uint64_t address)
{
	return session->books ? find(&session->books->all, address) : NULL;
}

static struct pl_cuda_graph_uses *uses_find(const struct pl_cuda_session *session, uint64_t exec)
{
	return session->books ? find(&session->books->execs, exec) : NULL;
}

static void memory_drop(struct pl_cuda_session *session, struct memory *memory)
{
	struct pl_handle handle;

	(void)pl_handles_take(&session->books->all, memory->address, KIND, &handle);
	free(memory);
}

/* If nothing has it any more. */
static void memory_end(struct pl_cuda_session *session, struct memory *memory)
{
	uint64_t address = memory->address;

	if (memory->has_node || memory->execs || memory->is_used)
		return;
	memory_drop(session, memory);
	pl_cuda_memory_forget(session, address);
}

/* NULL: no memory. */
static struct pl_cuda_graph_memory *books_open(struct pl_cuda_session *session)
{
	struct pl_cuda_graph_memory *books = session->books;

	if (books)
		return books;
	books = calloc(1, sizeof(*books));
	if (!books || pl_handles_init(&books->all)) {
		free(books);
		return NULL;
	}
	if (pl_handles_init(&books->execs)) {
		pl_handles_fini(&books->all);
		free(books);
		return NULL;
	}
	session->books = books;
	return books;
}

void pl_cuda_graph_memory_made(struct pl_cuda_session *session, uint64_t address)
{
	struct pl_cuda_graph_memory *books = books_open(session);
	struct memory *memory = books ? malloc(sizeof(*memory)) : NULL;

	if (!memory)
		return;
	*memory = (struct memory){ .address = address, .has_node = true };
	if (pl_handles_put(&books->all, address, KIND, memory, 0, NULL))
		free(memory);
}

void pl_cuda_graph_memory_node_gone(struct pl_cuda_session *session, uint64_t address)
{
	struct memory *memory = memory_find(session, address);

	if (!memory) {
		pl_cuda_memory_forget(session, address);
		return;
	}
	memory->has_node = false;
	memory_end(session, memory);
}

static void uses_free(struct pl_cuda_graph_uses *uses)
{
	free(uses->allocates);
	free(uses->frees);
	free(uses);
}

void pl_cuda_graph_memory_ready(struct pl_cuda_session *session, uint64_t exec, CUgraph graph)
{
	struct pl_cuda_graph_uses *uses = session->books ? calloc(1, sizeof(*uses)) : NULL;

	if (!uses)
		return;
	pl_cuda_graph_uses_find(session, graph, uses);
	if ((!uses->allocates_count && !uses->frees_count) ||
	    pl_handles_put(&session->books->execs, exec, KIND, uses, 0, NULL)) {
		uses_free(uses);
		return;
	}
	for (size_t i = 0; i < uses->allocates_count; i++) {
		struct memory *memory = memory_find(session, (uintptr_t)uses->allocates[i]);

		if (memory)
			memory->execs++;
	}
}

/* What it allocates is used until somebody frees it, which may be another of its own nodes. */
void pl_cuda_graph_memory_launched(struct pl_cuda_session *session, uint64_t exec)
{
	const struct pl_cuda_graph_uses *uses = uses_find(session, exec);

	if (!uses)
		return;
	for (size_t i = 0; i < uses->allocates_count; i++) {
		struct memory *memory = memory_find(session, (uintptr_t)uses->allocates[i]);

		if (memory)
			memory->is_used = true;
	}
	for (size_t i = 0; i < uses->frees_count; i++)
		(void)pl_cuda_graph_memory_freed(session, (uintptr_t)uses->frees[i]);
}

void pl_cuda_graph_memory_exec_gone(struct pl_cuda_session *session, uint64_t exec)
{
	struct pl_cuda_graph_uses *uses = uses_find(session, exec);
	struct pl_handle handle;

	if (!uses)
		return;
	(void)pl_handles_take(&session->books->execs, exec, KIND, &handle);
	for (size_t i = 0; i < uses->allocates_count; i++) {
		struct memory *memory = memory_find(session, (uintptr_t)uses->allocates[i]);

		if (!memory)
			continue;
		memory->execs -= memory->execs != 0; /* it may be another one's by now */
		memory_end(session, memory);
	}
	uses_free(uses);
}

bool pl_cuda_graph_memory_freed(struct pl_cuda_session *session, uint64_t address)
{
	struct memory *memory = memory_find(session, address);

	if (!memory)
		return false;
	memory->is_used = false;
	memory_end(session, memory);
	return true;
}

void pl_cuda_graph_memory_lost(struct pl_cuda_session *session, uint64_t address)
{
	struct memory *memory = memory_find(session, address);

	if (memory)
		memory_drop(session, memory);
}
