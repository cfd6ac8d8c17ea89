/* Bytes that come with a call, and copies that enter their streams without the turn. */
#include "backend/cuda/copy.h"

#include <stdlib.h>
#include <string.h>

bool pl_cuda_bulk_open(struct pl_serve *serve, const struct pl_bulk *bulk, const void **data_out, void **own_out)
{
	*data_out = bulk->data;
	*own_out = NULL;
	if (bulk->data || !bulk->bytes)
		return true;
	*own_out = malloc(bulk->bytes);
	*data_out = *own_out;
	return *own_out && !pl_serve_take_bulk(serve, *own_out, bulk->bytes);
}

bool pl_cuda_bulk_leave(const struct pl_bulk *bulk, const void **data, void **own)
{
	if (bulk->kind != PL_BULK_INLINE || !bulk->bytes)
		return true;
	*own = malloc(bulk->bytes);
	if (*own)
		memcpy(*own, *data, bulk->bytes);
	*data = *own;
	return *own;
}

void pl_cuda_bulk_end(struct pl_serve *serve, const struct pl_bulk *bulk, void *own, bool stays)
{
	if (!stays || bulk->kind == PL_BULK_ARENA) { /* that is the client's, whatever it does with it */
		free(own);
		return;
	}
	if (bulk->kind == PL_BULK_STREAM)
		(void)pl_serve_steal_stream(serve);
	pl_cuda_passing_stays(serve, bulk->bytes);
}

void pl_cuda_entering(struct pl_cuda_session *session)
{
	atomic_fetch_add(&session->entering, 1);
}

void pl_cuda_entered(struct pl_cuda_session *session)
{
	uint64_t next = atomic_load(&session->worker->turn.next), last = atomic_load(&session->entered);

	while (next > last && !atomic_compare_exchange_weak(&session->entered, &last, next))
		continue;
	atomic_fetch_sub(&session->entering, 1);
}
