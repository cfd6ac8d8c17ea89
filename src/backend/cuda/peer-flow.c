/*
 * The bytes of one copy: in blocks, one on the way to or from the device while the other is on the link.  In a stream
 * of its own that waits for no other: what it has to wait for was waited for before, and a stream of the program's may
 * be held until it, or one that waits for the same link, has been made (PL_CUDA_ORDER_HELD).  So nothing is pinned
 * here, nor the contrary: a driver may wait for all streams then.  Pinned memory is a stage's that was made before.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/cuda/peer.h"
#include "backend/cuda/stage.h"
#include "base/err.h"

#define BLOCKS    PL_CUDA_FLOW_BLOCKS
#define PIN_BYTES (1u << 20) /* pinned memory pays from here on */

_Static_assert(PL_PEER_BLOCK_BYTES *BLOCKS <= PL_CUDA_STAGE_PARTS * PL_CUDA_STAGE_PART_BYTES, "a stage has room");

struct room {
	uint8_t *at;
	uint64_t bytes;              /* of our own */
	struct pl_cuda_stage *stage; /* whose memory it is; NULL: our own */
	bool at_once; /* the driver copies in this thread, where the memory is pageable: nothing is gained by events */
	struct pl_cuda_way way;
	uint64_t contexts_left; /* when it was taken */
	uint32_t started;       /* blocks that the device was given */
};

/* ---- words ---- */

int pl_cuda_peer_say(struct pl_lane *lane, int32_t status, uint64_t bulk_bytes)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head) + sizeof(struct pl_peer_say),
				     .op = PL_PEER_SAY,
				     .bulk_bytes = bulk_bytes };
	struct pl_peer_say say = { .status = status };
	void *at;
	int r = pl_lane_reserve(lane, head.len_bytes, &at);

	if (r)
		return pl_trace(r);
	memcpy(at, &head, sizeof(head));
	memcpy((uint8_t *)at + sizeof(head), &say, sizeof(say));
	return pl_trace(pl_lane_commit(lane, head.len_bytes, bulk_bytes ? PL_LANE_MORE : PL_LANE_NOW));
}

int pl_cuda_peer_hear(struct pl_lane *lane, uint64_t bulk_bytes, int32_t *status_out)
{
	const struct pl_wire_head *head;
	struct pl_peer_say say;
	int r = pl_lane_recv(lane, UINT64_MAX, &head);

	if (r)
		return r < 0 ? pl_trace(r) : pl_err(-EPROTO);
	if (head->op != PL_PEER_SAY || head->len_bytes != sizeof(*head) + sizeof(say))
		return pl_err(-EPROTO);
	memcpy(&say, head + 1, sizeof(say));
	if (head->bulk_bytes != (say.status ? 0 : bulk_bytes))
		return pl_err(-EPROTO);
	*status_out = say.status;
	return 0;
}

/* ---- ways ---- */

static struct pl_cuda_peers *peers_of(const struct pl_session_worker *worker)
{
	const struct pl_cuda_session *session = worker->api;

	return session->peers;
}

static void way_end(struct pl_cuda_way *way)
{
	for (uint32_t i = 0; i < BLOCKS; i++)
		if (way->events[i])
			pl_cuda.cuEventDestroy_v2(way->events[i]);
	if (way->stream)
		pl_cuda.cuStreamDestroy_v2(way->stream);
}

static CUresult way_make(struct pl_cuda_way *way, bool with_events)
{
	CUresult r = pl_cuda.cuStreamCreate(&way->stream, CU_STREAM_NON_BLOCKING);

	way->context = pl_cuda_current;
	for (uint32_t i = 0; !r && with_events && i < BLOCKS; i++)
		r = pl_cuda.cuEventCreate(&way->events[i], CU_EVENT_DISABLE_TIMING);
	return r;
}

/* One of the thread's current context that is kept, or a new one: making one takes longer than a small copy. */
static CUresult way_take(struct pl_cuda_peers *peers, struct room *room)
{
	pthread_mutex_lock(&peers->lock);
	room->contexts_left = peers->contexts_left;
	for (uint32_t i = 0; i < peers->ways_count && !room->way.stream; i++)
		if (peers->ways[i].context == pl_cuda_current) {
			room->way = peers->ways[i];
			peers->ways[i] = peers->ways[--peers->ways_count];
		}
	pthread_mutex_unlock(&peers->lock);
	return room->way.stream ? CUDA_SUCCESS : way_make(&room->way, !room->at_once);
}

/* good: all that was put into it has ended well. */
static void way_give(struct pl_cuda_peers *peers, struct room *room, bool good)
{
	struct pl_cuda_way ends = { 0 };

	pthread_mutex_lock(&peers->lock);
	if (!good || room->contexts_left != peers->contexts_left) {
		ends = room->way;
	} else if (peers->ways_count < PL_CUDA_WAYS_MAX) {
		peers->ways[peers->ways_count++] = room->way;
	} else {
		uint32_t at = peers->ways_turn++ % PL_CUDA_WAYS_MAX;

		ends = peers->ways[at];
		peers->ways[at] = room->way;
	}
	pthread_mutex_unlock(&peers->lock);
	way_end(&ends);
}

void pl_cuda_peers_context_left(struct pl_cuda_session *session, uint64_t context)
{
	struct pl_cuda_peers *peers = session->peers;

	pthread_mutex_lock(&peers->lock);
	peers->contexts_left++;
	for (uint32_t i = peers->ways_count; i--;)
		if (peers->ways[i].context == context)
			peers->ways[i] = peers->ways[--peers->ways_count];
	pthread_mutex_unlock(&peers->lock);
}

/* ---- room ---- */

static void room_close(struct pl_session_worker *worker, struct room *room, bool good)
{
	way_give(peers_of(worker), room, good);
	if (room->stage)
		pl_cuda_stage_give(worker->api, room->stage);
	else if (room->at)
		munmap(room->at, room->bytes);
	pl_quota_return(&worker->quota, PL_QUOTA_HOST, room->bytes);
}

static bool driver_has_all(void)
{
	return pl_cuda.cuStreamCreate && pl_cuda.cuStreamDestroy_v2 && pl_cuda.cuStreamSynchronize &&
	       pl_cuda.cuEventCreate && pl_cuda.cuEventRecord && pl_cuda.cuEventSynchronize &&
	       pl_cuda.cuEventDestroy_v2 && pl_cuda.cuMemcpyHtoDAsync_v2 && pl_cuda.cuMemcpyDtoHAsync_v2;
}

/* Where the device works in the host's memory, no thread of its own is faster than the one that asks. */
static bool host_has_device(const struct pl_session_worker *worker)
{
	const struct pl_cuda_session *session = worker->api;

	return session->host->memory_back;
}

void pl_cuda_flow_prepare(struct pl_cuda_session *session, uint64_t bytes)
{
	struct pl_cuda_stage *stage = bytes < PIN_BYTES ? NULL : pl_cuda_stage_take(session, bytes);

	if (stage)
		pl_cuda_stage_give(session, stage);
}

/* Charged as host memory of the session's.  Where it is not pinned the driver copies once more. */
static CUresult room_own(struct pl_session_worker *worker, struct room *room, uint64_t bytes)
{
	bytes = bytes < PL_PEER_BLOCK_BYTES ? bytes : BLOCKS * PL_PEER_BLOCK_BYTES;
	if (!pl_quota_charge(&worker->quota, PL_QUOTA_HOST, bytes))
		return CUDA_ERROR_OUT_OF_MEMORY;
	room->bytes = bytes;
	room->at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room->at != MAP_FAILED)
		return CUDA_SUCCESS;
	room->at = NULL;
	return CUDA_ERROR_OUT_OF_MEMORY;
}

static int32_t room_open(const struct pl_cuda_flow *flow, struct room *room)
{
	struct pl_session_worker *worker = flow->worker;
	CUresult r = CUDA_SUCCESS;

	*room = (struct room){ .at_once = host_has_device(worker) };
	if (!driver_has_all())
		return CUDA_ERROR_NOT_SUPPORTED;
	if (flow->bytes >= PIN_BYTES)
		room->stage = pl_cuda_stage_take_kept(worker->api, flow->bytes);
	if (room->stage)
		room->at = pl_cuda_stage_at(room->stage, 0);
	else
		r = room_own(worker, room, flow->bytes);
	if (!r)
		r = way_take(peers_of(worker), room);
	if (r)
		room_close(worker, room, false);
	return (int32_t)r;
}

static uint8_t *room_block(const struct room *room, uint32_t index)
{
	return room->at + (index % BLOCKS) * (uint64_t)PL_PEER_BLOCK_BYTES;
}

static uint64_t block_bytes(const struct pl_cuda_flow *flow, uint32_t index)
{
	uint64_t left = flow->bytes - index * (uint64_t)PL_PEER_BLOCK_BYTES;

	return left < PL_PEER_BLOCK_BYTES ? left : PL_PEER_BLOCK_BYTES;
}

static uint32_t blocks_of(const struct pl_cuda_flow *flow)
{
	return (uint32_t)((flow->bytes + PL_PEER_BLOCK_BYTES - 1) / PL_PEER_BLOCK_BYTES);
}

/* The device gets the next block to work on. */
static CUresult block_start(const struct pl_cuda_flow *flow, struct room *room, bool to_device)
{
	uint32_t index = room->started++;
	CUdeviceptr at = flow->address + index * (uint64_t)PL_PEER_BLOCK_BYTES;
	uint8_t *block = room_block(room, index);
	uint64_t bytes = block_bytes(flow, index);
	CUresult r;

	r = to_device ? pl_cuda.cuMemcpyHtoDAsync_v2(at, block, bytes, room->way.stream)
		      : pl_cuda.cuMemcpyDtoHAsync_v2(block, at, bytes, room->way.stream);
	if (r)
		return r;
	return room->at_once ? pl_cuda.cuStreamSynchronize(room->way.stream)
			     : pl_cuda.cuEventRecord(room->way.events[index % BLOCKS], room->way.stream);
}

static CUresult block_wait(struct room *room, uint32_t index)
{
	return room->at_once ? CUDA_SUCCESS : pl_cuda.cuEventSynchronize(room->way.events[index % BLOCKS]);
}

/* ---- both ways ---- */

int pl_cuda_flow_send(const struct pl_cuda_flow *flow, int32_t *status_out)
{
	uint32_t count = blocks_of(flow);
	struct room room;
	CUresult status = (CUresult)room_open(flow, &room);
	bool opened = !status;
	int r = 0;

	if (opened)
		status = block_start(flow, &room, false);
	for (uint32_t i = 0; !r && i < count; i++) {
		uint64_t bytes = block_bytes(flow, i);

		if (!status && room.started < count)
			status = block_start(flow, &room, false);
		if (!status)
			status = block_wait(&room, i);
		r = pl_cuda_peer_say(flow->lane, (int32_t)status, status ? 0 : bytes);
		if (status)
			break;
		if (!r)
			r = pl_lane_send_bulk(flow->lane, room_block(&room, i), bytes);
	}
	if (opened) {
		CUresult ended = pl_cuda.cuStreamSynchronize(room.way.stream); /* the device is done with the room */

		room_close(flow->worker, &room, !status && !ended);
	}
	*status_out = (int32_t)status;
	return pl_trace(r);
}

/* After a failure of ours what still comes is taken all the same: the link stays in order. */
int pl_cuda_flow_recv(const struct pl_cuda_flow *flow, int32_t *status_out, bool *theirs_out)
{
	uint32_t count = blocks_of(flow);
	int32_t theirs = 0;
	struct room room;
	CUresult status = (CUresult)room_open(flow, &room), ended;
	bool opened = !status;
	int r = 0;

	for (uint32_t i = 0; !r && !theirs && i < count; i++) {
		uint64_t bytes = block_bytes(flow, i);

		r = pl_cuda_peer_hear(flow->lane, bytes, &theirs);
		if (r || theirs)
			break;
		if (!status && i >= BLOCKS)
			status = block_wait(&room, i);
		r = status ? pl_lane_drop_bulk(flow->lane, bytes)
			   : pl_lane_recv_bulk(flow->lane, room_block(&room, i), bytes);
		if (!r && !status)
			status = block_start(flow, &room, true);
	}
	if (opened) {
		ended = pl_cuda.cuStreamSynchronize(room.way.stream);
		status = status ? status : ended;
		room_close(flow->worker, &room, !status);
	}
	*theirs_out = theirs != 0;
	*status_out = status ? (int32_t)status : theirs;
	return pl_trace(r);
}
