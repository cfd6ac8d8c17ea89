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

/* Bytes `at` to `end`, piece by piece. */
static int each(struct pl_serve *serve, const struct plRefgpuPlace *place, uint64_t at, uint64_t end,
		int (*move)(struct pl_serve *serve, void *piece, uint64_t bytes, uint8_t **arg), uint8_t *arg)
{
	const struct pl_cuda_host *host = pl_cuda_session_of(serve)->host;
	size_t piece;
	int r = 0;

	for (; at < end && !r; at += piece) {
		void *memory = host->place_at(place, at, &piece);

		if (piece > end - at)
			piece = end - at;
		r = memory && piece ? move(serve, memory, piece, &arg) : pl_err(-EFAULT);
	}
	return r;
}

static int receive(struct pl_serve *serve, void *piece, uint64_t bytes, uint8_t **unused)
{
	(void)unused;
	return pl_serve_take_bulk(serve, piece, bytes);
}

static int reply(struct pl_serve *serve, void *piece, uint64_t bytes, uint8_t **unused)
{
	(void)unused;
	return pl_serve_reply_bulk(serve, piece, bytes);
}

static int keep(struct pl_serve *serve, void *piece, uint64_t bytes, uint8_t **to)
{
	(void)serve;
	memcpy(*to, piece, bytes);
	*to += bytes;
	return 0;
}

int pl_cuda_place_receive(struct pl_serve *serve, struct plRefgpuPlace *place, uint64_t bytes)
{
	int r = each(serve, place, 0, bytes, receive, NULL);

	pl_cuda_place_give(pl_cuda_session_of(serve), place);
	return r;
}

int pl_cuda_place_reply(struct pl_serve *serve, struct plRefgpuPlace *place, uint64_t bytes)
{
	uint64_t sent = bytes - TAIL_BYTES;
	uint8_t tail[TAIL_BYTES];
	int r = each(serve, place, 0, sent, reply, NULL);

	if (!r)
		r = each(serve, place, sent, bytes, keep, tail);
	pl_cuda_place_give(pl_cuda_session_of(serve), place);
	if (!r)
		r = pl_serve_reply_bulk(serve, tail, TAIL_BYTES);
	if (r)
		pl_lane_shutdown(serve->lane); /* what was announced does not come */
	return r;
}

void pl_cuda_place_give(const struct pl_cuda_session *session, struct plRefgpuPlace *place)
{
	session->host->place_end(place);
}
