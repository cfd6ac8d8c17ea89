#include "backend/cuda/place.h"

bool pl_cuda_place_can(const struct pl_cuda_session *session, uint64_t bytes)
{
	return bytes >= PL_CUDA_PLACE_MIN && session->host->place_begin && !atomic_load(&session->captures);
}

struct plRefgpuPlace *pl_cuda_place_take(struct pl_cuda_session *session, CUstream stream, bool per_thread,
					 uint64_t address, uint64_t bytes)
{
	struct plRefgpuPlace *place;

	if (!pl_cuda_place_can(session, bytes))
		return NULL;
	if (!stream && per_thread)
		stream = CU_STREAM_PER_THREAD;
	return session->host->place_begin(stream, address, bytes, &place) ? NULL : place;
}

/* Piece by piece. */
static int each(struct pl_serve *serve, const struct plRefgpuPlace *place, uint64_t bytes,
		int (*move)(struct pl_serve *serve, void *piece, uint64_t bytes))
{
	const struct pl_cuda_host *host = pl_cuda_session_of(serve)->host;
	size_t piece;
	int r = 0;

	for (uint64_t at = 0; at < bytes && !r; at += piece) {
		void *memory = host->place_at(place, at, &piece);

		r = move(serve, memory, piece);
	}
	return r;
}

static int receive(struct pl_serve *serve, void *piece, uint64_t bytes)
{
	return pl_serve_take_bulk(serve, piece, bytes);
}

static int reply(struct pl_serve *serve, void *piece, uint64_t bytes)
{
	return pl_serve_reply_bulk(serve, piece, bytes);
}

int pl_cuda_place_receive(struct pl_serve *serve, const struct plRefgpuPlace *place, uint64_t bytes)
{
	return each(serve, place, bytes, receive);
}

int pl_cuda_place_reply(struct pl_serve *serve, const struct plRefgpuPlace *place, uint64_t bytes)
{
	return each(serve, place, bytes, reply);
}

const void *pl_cuda_place_whole(const struct pl_cuda_session *session, const struct plRefgpuPlace *place,
				uint64_t bytes)
{
	size_t piece;
	const void *memory = session->host->place_at(place, 0, &piece);

	return piece == bytes ? memory : NULL;
}

void pl_cuda_place_give(const struct pl_cuda_session *session, struct plRefgpuPlace *place)
{
	session->host->place_end(place);
}
