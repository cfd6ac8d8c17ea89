#include "backend/cuda/place.h"

#include <string.h>

#include "base/err.h"

#define TAIL_BYTES 4096u /* of a reply, behind the end of the copy; less than is placed */

bool pl_cuda_place_can(const struct pl_cuda_session *session)
{
	return session->host->place_begin && session->worker->here;
}

struct plRefgpuPlace *pl_cuda_place_take(struct pl_cuda_session *session, CUstream stream, bool per_thread,
					 uint64_t address, uint64_t bytes)
{
	struct plRefgpuPlace *place;

	if (bytes < PL_CUDA_PLACE_MIN || !session->host->place_begin)
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

		if (piece > bytes - at)
			piece = bytes - at;
		r = memory && piece ? move(serve, memory, piece) : pl_err(-EFAULT);
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

int pl_cuda_place_receive(struct pl_serve *serve, struct plRefgpuPlace *place, uint64_t bytes)
{
	int r = each(serve, place, bytes, receive);

	pl_cuda_place_give(pl_cuda_session_of(serve), place);
	return r;
}

int pl_cuda_place_reply(struct pl_serve *serve, struct plRefgpuPlace *place, uint64_t bytes)
{
	const struct pl_cuda_session *session = pl_cuda_session_of(serve);
	uint8_t tail[TAIL_BYTES];
	size_t piece, left;
	int r = each(serve, place, bytes - TAIL_BYTES, reply);

	for (size_t at = 0; at < TAIL_BYTES && !r; at += piece) {
		const void *memory = session->host->place_at(place, bytes - TAIL_BYTES + at, &piece);

		left = TAIL_BYTES - at;
		piece = piece < left ? piece : left;
		if (!memory || !piece)
			r = pl_err(-EFAULT);
		else
			memcpy(tail + at, memory, piece);
	}
	pl_cuda_place_give(session, place);
	if (!r)
		r = pl_serve_reply_bulk(serve, tail, TAIL_BYTES);
	if (r)
		pl_lane_shutdown(serve->lane); /* what was announced does not come */
	return r;
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
