/* A session at rest, into a file: lanes that stand, the calls that made it, what its memory contains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "server/checkpoint-parts.h"

#define STAND_NS_MAX 2000000000ull /* for clients that are in the middle of sending something long */
#define LOOK_MS      100
#define SENDS_LONG   "its program is in the middle of sending something"
#define CLIENT_DEAF  "its program does not part with its connections: is it stopped?"

static int say(char why_out[PL_CHECKPOINT_WHY_MAX], int code, const char *why)
{
	snprintf(why_out, PL_CHECKPOINT_WHY_MAX, "%s", why);
	return code;
}

/* ---- bringing lanes to a stand ---- */

static int lane_halt(struct pl_lane *lane, uint64_t number, void *arg)
{
	(void)number;
	(void)arg;
	return pl_lane_halt(lane);
}

static int lane_go(struct pl_lane *lane, uint64_t number, void *arg)
{
	(void)number;
	(void)arg;
	pl_lane_go(lane);
	return 0;
}

static int lane_peer_parts(struct pl_lane *lane, uint64_t number, void *arg)
{
	(void)number;
	(void)arg;
	pl_lane_peer_parts(lane);
	return 0;
}

/* With the checkpoint's lock held. */
static bool all_stand(const struct pl_checkpoint *checkpoint, uint32_t count)
{
	uint32_t standing = 0;

	for (struct pl_serve *serve = checkpoint->serves; serve; serve = serve->kept.next) {
		uint32_t stage = atomic_load_explicit(&serve->kept.stage, memory_order_acquire);

		standing += stage == PL_CHECKPOINT_STANDS || stage == PL_CHECKPOINT_READY;
	}
	return standing == count;
}

static void news_wait(struct pl_checkpoint *checkpoint)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_nsec += LOOK_MS * 1000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(&checkpoint->news, &checkpoint->lock, &at);
}

/* A lane that comes to an end meanwhile is not there any more, and one that begins is asked to stand by its greeting's
 * end: the main thread, which is here, makes them. */
static int all_halt(struct pl_session_worker *session, struct pl_lanes *lanes, char why_out[PL_CHECKPOINT_WHY_MAX])
{
	struct pl_checkpoint *checkpoint = session->checkpoint;
	uint64_t end_ns = pl_now_ns() + STAND_NS_MAX;
	bool stand = false;

	pthread_mutex_lock(&checkpoint->lock);
	checkpoint->halted = true;
	pthread_mutex_unlock(&checkpoint->lock);
	while (!stand && pl_now_ns() < end_ns) {
		if (pl_lane_halt(session->reverse) || pl_lanes_each(lanes, lane_halt, NULL))
			return say(why_out, -EOPNOTSUPP,
				   "its lanes end with their connections, or have several: PLENUM_CONNECTIONS=1");
		pthread_mutex_lock(&checkpoint->lock);
		stand = all_stand(checkpoint, atomic_load(&session->lanes_count));
		if (!stand)
			news_wait(checkpoint);
		pthread_mutex_unlock(&checkpoint->lock);
	}
	return stand ? 0 : say(why_out, -EBUSY, SENDS_LONG);
}

void pl_checkpoint_undo(struct pl_session_worker *session, struct pl_lanes *lanes)
{
	struct pl_checkpoint *checkpoint = session->checkpoint;

	(void)pl_lanes_each(lanes, lane_go, NULL);
	pl_lane_go(session->reverse);
	pthread_mutex_lock(&checkpoint->lock);
	checkpoint->halted = false;
	pthread_cond_broadcast(&checkpoint->news);
	pthread_mutex_unlock(&checkpoint->lock);
}

/* The client comes back by itself, whatever becomes of this. */
static int client_part(struct pl_session_worker *session, struct pl_lanes *lanes)
{
	struct pl_enc enc;
	int r;

	pl_lane_peer_parts(session->reverse);
	(void)pl_lanes_each(lanes, lane_peer_parts, NULL);
	if (pl_lane_is_cut(session->reverse))
		return 0; /* it is on its way back already, and told to do so later */
	r = pl_reverse_begin(session, PL_WIRE_OP_PART, 0, 0, &enc);
	return r ? pl_trace(r) : pl_trace(pl_reverse_end(session, NULL, 0));
}

/* ---- the file ---- */

/* What has been received for a call that has not begun: the payload's record. */
static uint64_t front_bytes(const struct pl_serve *serve)
{
	return serve && serve->stream_bytes ? sizeof(serve->kept.stream_head) + serve->stream_bytes : 0;
}

/* That comes first, as it came. */
static int unread_put(struct pl_checkpoint_file *file, const struct pl_serve *serve, const struct pl_lane_state *state)
{
	uint64_t front = front_bytes(serve);
	int r = pl_checkpoint_put_u64(file, front + state->unread_bytes);

	if (!r && front)
		r = pl_checkpoint_put(file, &serve->kept.stream_head, sizeof(serve->kept.stream_head));
	if (!r && front)
		r = pl_checkpoint_put(file, serve->stream, serve->stream_bytes);
	return r ? pl_trace(r) : pl_trace(pl_checkpoint_put(file, state->unread, state->unread_bytes));
}

static int lane_put(struct pl_checkpoint_file *file, uint64_t number, const struct pl_serve *serve,
		    const struct pl_lane_state *state)
{
	const struct pl_checkpoint_lane_head head = { .number = number,
						      .note = serve ? serve->kept.note : 0,
						      .received = state->received,
						      .kept_from = state->kept_from,
						      .sent = state->sent };
	int r = pl_checkpoint_put(file, &head, sizeof(head));

	if (!r)
		r = pl_checkpoint_put(file, state->kept, state->sent - state->kept_from);
	return r ? pl_trace(r) : pl_trace(unread_put(file, serve, state));
}

struct writing {
	struct pl_session_worker *session;
	struct pl_checkpoint_file *file;
	const char *why; /* NULL: the system's reason */
};

static struct pl_serve *serve_of(struct pl_checkpoint *checkpoint, const struct pl_lane *lane)
{
	struct pl_serve *serve;

	pthread_mutex_lock(&checkpoint->lock);
	for (serve = checkpoint->serves; serve && serve->lane != lane; serve = serve->kept.next)
		;
	pthread_mutex_unlock(&checkpoint->lock);
	return serve;
}

/* The payload of a call that has come ahead was dropped, as there was no room for it. */
static bool payload_lost(const struct pl_serve *serve)
{
	return serve->stream_bytes && serve->kept.stream_head.bulk_bytes != serve->stream_bytes;
}

static int lane_write(struct pl_lane *lane, uint64_t number, void *arg)
{
	struct writing *writing = arg;
	struct pl_serve *serve = serve_of(writing->session->checkpoint, lane);
	struct pl_lane_state state;
	int r;

	if (!serve || payload_lost(serve)) {
		writing->why = "one of its calls has lost its payload";
		return pl_err(-EBUSY);
	}
	r = pl_lane_still(lane, atomic_load(&serve->kept.stage) == PL_CHECKPOINT_READY, &state);
	if (r == -ETIMEDOUT)
		writing->why = CLIENT_DEAF;
	if (r)
		return pl_trace(r);
	if (state.unread_bytes + front_bytes(serve) > PL_STILL_UNREAD_MAX) {
		writing->why = SENDS_LONG;
		r = pl_err(-EBUSY);
	}
	if (!r)
		r = lane_put(writing->file, number, serve, &state);
	pl_lane_state_fini(&state);
	return pl_trace(r);
}

static int reverse_write(struct writing *writing)
{
	struct pl_session_worker *session = writing->session;
	struct pl_lane_state state;
	int r;

	pthread_mutex_lock(&session->reverse_lock);
	r = pl_lane_still(session->reverse, false, &state);
	pthread_mutex_unlock(&session->reverse_lock);
	if (r == -ETIMEDOUT)
		writing->why = CLIENT_DEAF;
	if (r)
		return pl_trace(r);
	r = lane_put(writing->file, PL_HELLO_PLACE_REVERSE, NULL, &state);
	pl_lane_state_fini(&state);
	return pl_trace(r);
}

static int head_write(const struct writing *writing)
{
	struct pl_session_worker *session = writing->session;
	struct pl_checkpoint_head head = {
		.magic = PL_CHECKPOINT_MAGIC,
		.functions = session->backend->functions->hash,
		.session = session->id,
		.next_ticket = atomic_load(&session->turn.next),
		.reverse_sent = atomic_load(&session->reverse_sent),
		.here = session->here,
		.lanes = atomic_load(&session->lanes_count),
	};

	snprintf(head.backend, sizeof(head.backend), "%s", session->backend->name);
	return pl_trace(pl_checkpoint_put(writing->file, &head, sizeof(head)));
}

static int all_write(struct writing *writing, struct pl_lanes *lanes)
{
	struct pl_session_worker *session = writing->session;
	struct pl_checkpoint *checkpoint = session->checkpoint;
	int r = head_write(writing);

	if (!r)
		r = reverse_write(writing);
	if (!r)
		r = pl_lanes_each(lanes, lane_write, writing);
	if (!r)
		r = pl_journal_write(checkpoint->journal, pl_checkpoint_put, writing->file);
	if (!r)
		r = checkpoint->ops->save(session, writing->file);
	return r ? pl_trace(r) : pl_trace(pl_checkpoint_file_end(writing->file));
}

/* Return: NULL: it can be written. */
static const char *hindrance(struct pl_session_worker *session)
{
	const struct pl_checkpoint *checkpoint = session->checkpoint;

	if (!checkpoint)
		return "its client is not connected over tcp, or of an older release";
	if (!pl_swap_rests(&session->swap))
		return "it does not rest";
	if (pl_peers_any(&session->peers))
		return "it has connections to other servers";
	if (!pl_journal_is_whole(checkpoint->journal))
		return "it has made more than can be noted";
	return NULL;
}

/* While lanes stand: a call that waits for memory in the middle of making something is not to be mistaken for that. */
static int look(struct writing *writing, char why_out[PL_CHECKPOINT_WHY_MAX])
{
	writing->why = writing->session->checkpoint->ops->hindrance(writing->session);
	return writing->why ? say(why_out, -EOPNOTSUPP, writing->why) : 0;
}

int pl_checkpoint_write(struct pl_session_worker *session, struct pl_lanes *lanes, int fd,
			char why_out[PL_CHECKPOINT_WHY_MAX])
{
	struct writing writing = { .session = session, .why = hindrance(session) };
	int r;

	if (writing.why)
		return say(why_out, -EOPNOTSUPP, writing.why);
	r = all_halt(session, lanes, why_out);
	if (!r)
		r = look(&writing, why_out);
	if (!r)
		r = client_part(session, lanes);
	if (!r) {
		(void)pl_journal_prune(session->checkpoint->journal);
		writing.file = pl_checkpoint_file_create(fd);
		r = writing.file ? all_write(&writing, lanes) : -ENOMEM;
		pl_checkpoint_file_destroy(writing.file);
		if (r)
			(void)say(why_out, r, writing.why ? writing.why : strerror(r < 0 ? -r : EPROTO));
	}
	if (r)
		pl_checkpoint_undo(session, lanes);
	return r;
}
