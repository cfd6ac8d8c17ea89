#include "backend/cuda/peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/wait.h"
#include "server/token.h"
#include "wire/cuda.h"

bool pl_cuda_peers_create(struct pl_cuda_session *session)
{
	struct pl_cuda_peers *peers = calloc(1, sizeof(*peers));

	if (!peers)
		return false;
	pthread_mutex_init(&peers->lock, NULL);
	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX; i++)
		pthread_mutex_init(&peers->links[i].lock, NULL);
	session->peers = peers;
	return true;
}

/* ---- what has to have ended before ---- */

/* The default stream waits for the streams that are not free of it; a mark in it has them behind it. */
static CUresult default_stream_wait(CUstream stream)
{
	CUevent mark;
	CUresult r;

	if (!pl_cuda.cuEventCreate || !pl_cuda.cuEventRecord || !pl_cuda.cuEventSynchronize)
		return CUDA_ERROR_NOT_SUPPORTED;
	r = pl_cuda.cuEventCreate(&mark, CU_EVENT_DISABLE_TIMING);
	if (r)
		return r;
	r = pl_cuda.cuEventRecord(mark, stream);
	if (!r)
		r = pl_cuda.cuEventSynchronize(mark);
	pl_cuda.cuEventDestroy_v2(mark);
	return r;
}

static int32_t order_wait(struct pl_serve *serve, uint32_t order)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	CUresult r = CUDA_SUCCESS;

	pl_serve_give_turn(serve);
	if (order == PL_CUDA_ORDER_STREAM || order == PL_CUDA_ORDER_HELD)
		return CUDA_SUCCESS;
	if (order == PL_CUDA_ORDER_CONTEXT)
		r = pl_cuda.cuCtxSynchronize ? pl_cuda.cuCtxSynchronize() : CUDA_ERROR_NOT_SUPPORTED;
	else
		r = default_stream_wait(order == PL_CUDA_ORDER_THREAD ? CU_STREAM_PER_THREAD : CU_STREAM_LEGACY);
	if (pl_cuda_is_sticky((int32_t)r))
		pl_cuda_context_failed(session, (int32_t)r);
	return pl_cuda_waited(session, (int32_t)r, 0);
}

/* ---- tickets ---- */

static void ticket_make(struct pl_cuda_peers *peers, struct pl_cuda_ticket *ticket, const struct pl_cuda_ticket *of)
{
	uint64_t now_ns = pl_now_ns();

	pthread_mutex_lock(&peers->lock);
	for (uint32_t i = 0; i < PL_CUDA_TICKETS_MAX && !ticket->id; i++) {
		if (peers->tickets[i].id && peers->tickets[i].until_ns > now_ns)
			continue;
		*ticket = *of;
		ticket->id = ++peers->tickets_made;
		ticket->until_ns = now_ns + PL_CUDA_TICKET_NS_MAX;
		peers->tickets[i] = *ticket;
	}
	pthread_mutex_unlock(&peers->lock);
}

/* A secret that is not it takes nothing away.  Return: CUDA_SUCCESS and *ticket_out; else it can not be used. */
static CUresult ticket_take(struct pl_cuda_peers *peers, const struct pl_peer_ask *ask,
			    struct pl_cuda_ticket *ticket_out)
{
	struct pl_cuda_ticket taken = { 0 };
	uint64_t now_ns = pl_now_ns();

	pthread_mutex_lock(&peers->lock);
	for (uint32_t i = 0; i < PL_CUDA_TICKETS_MAX && ask->ticket; i++) {
		struct pl_cuda_ticket *ticket = &peers->tickets[i];

		if (ticket->id != ask->ticket || !pl_secret_same(ticket->secret, ask->secret, sizeof(ask->secret)))
			continue;
		taken = *ticket;
		*ticket = (struct pl_cuda_ticket){ 0 };
		break;
	}
	pthread_mutex_unlock(&peers->lock);
	if (!taken.id || taken.until_ns <= now_ns)
		return CUDA_ERROR_INVALID_HANDLE;
	if (taken.bytes != ask->bytes || taken.put != !!ask->put || ask->put > 1)
		return CUDA_ERROR_INVALID_VALUE;
	*ticket_out = taken;
	return CUDA_SUCCESS;
}

void pl_cuda_serve_plPeerExport(struct pl_serve *serve, const struct pl_cuda_plPeerExport_args *args)
{
	struct pl_cuda_ticket ticket = { 0 }, of = {
		.address = args->address, .bytes = args->size, .put = args->put, .context = pl_cuda_current
	};
	struct pl_cuda_plPeerExport_reply reply;
	int32_t status;

	if (args->put > 1 || args->order > PL_CUDA_ORDER_HELD || args->size > PL_CUDA_LIMIT_TRANSFER_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	status = order_wait(serve, args->order);
	if (!status && (!args->size || !of.context || !pl_cuda_address_known(args->address, args->size)))
		status = CUDA_ERROR_INVALID_VALUE;
	if (!status && args->order != PL_CUDA_ORDER_HELD)
		pl_cuda_flow_prepare(pl_cuda_session_of(serve), args->size);
	if (!status && getrandom(of.secret, sizeof(of.secret), 0) != sizeof(of.secret))
		status = CUDA_ERROR_OPERATING_SYSTEM;
	if (!status)
		ticket_make(pl_cuda_session_of(serve)->peers, &ticket, &of);
	if (!status && !ticket.id)
		status = CUDA_ERROR_OUT_OF_MEMORY;
	if (status) {
		pl_serve_reply(serve, status);
		return;
	}
	reply = (struct pl_cuda_plPeerExport_reply){ .ticket = ticket.id,
						     .secret = { ticket.secret, sizeof(ticket.secret) } };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plPeerExport_reply_bytes(&reply), 0))
		return;
	pl_cuda_plPeerExport_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* ---- links that were made from here ---- */

void pl_cuda_serve_plPeerWhere(struct pl_serve *serve, const struct pl_cuda_plPeerWhere_args *args)
{
	const struct pl_peers *peers = &serve->session->peers;
	struct pl_cuda_plPeerWhere_reply reply = { .session = serve->session->id,
						   .key = { peers->key, sizeof(peers->key) },
						   .addresses = { peers->where, strlen(peers->where) } };

	(void)args;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plPeerWhere_reply_bytes(&reply), 0))
		return;
	pl_cuda_plPeerWhere_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* Takes over the lane.  Return: its id; 0 = there are too many. */
static uint64_t link_enter(struct pl_cuda_peers *peers, struct pl_lane *lane, const struct pl_peer_place *place)
{
	uint64_t id = 0;

	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX && !id; i++) {
		struct pl_cuda_peer_link *link = &peers->links[i];

		if (pthread_mutex_trylock(&link->lock))
			continue;
		if (!link->lane) {
			pthread_mutex_lock(&peers->lock);
			id = ++peers->links_made;
			link->id = id;
			pthread_mutex_unlock(&peers->lock);
			link->lane = lane;
			link->place = *place;
		}
		pthread_mutex_unlock(&link->lock);
	}
	return id;
}

void pl_cuda_serve_plPeerLink(struct pl_serve *serve, const struct pl_cuda_plPeerLink_args *args)
{
	struct pl_cuda_peers *peers = pl_cuda_session_of(serve)->peers;
	struct pl_peer_place place = { .session = args->session };
	struct pl_cuda_plPeerLink_reply reply = { 0 };
	char why[PL_PEER_WHY_MAX] = "";
	struct pl_lane *lane;

	if (args->key.bytes != sizeof(serve->session->peers.key) || !args->session) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	pl_serve_give_turn(serve);
	memcpy(place.key, args->key.at, sizeof(place.key));
	if (!pl_peer_connect(serve->session, args->address, &place, &lane, why)) {
		reply.link = link_enter(peers, lane, &place);
		if (!reply.link) {
			pl_peer_leave(serve->session, lane);
			strcpy(why, "connected to too many servers");
		}
	}
	reply.why = (struct pl_bytes){ (const uint8_t *)why, strlen(why) };
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plPeerLink_reply_bytes(&reply), 0))
		return;
	pl_cuda_plPeerLink_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

/* ---- one copy, for the client that waits for it ---- */

static int ask_send(struct pl_lane *lane, const struct pl_cuda_plPeerCopy_args *args)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head) + sizeof(struct pl_peer_ask), .op = PL_PEER_ASK };
	struct pl_peer_ask ask = { .ticket = args->ticket, .bytes = args->size, .put = args->put };
	void *at;
	int r = pl_lane_reserve(lane, head.len_bytes, &at);

	if (r)
		return pl_trace(r);
	memcpy(ask.secret, args->secret.at, sizeof(ask.secret));
	memcpy(at, &head, sizeof(head));
	memcpy((uint8_t *)at + sizeof(head), &ask, sizeof(ask));
	return pl_trace(pl_lane_commit(lane, head.len_bytes, PL_LANE_NOW));
}

/* Return: 0, or fatal: the link is broken. */
static int copy_on(struct pl_serve *serve, struct pl_lane *lane, const struct pl_cuda_plPeerCopy_args *args,
		   int32_t *status_out, bool *theirs_out)
{
	struct pl_cuda_flow flow = { serve->session, lane, args->address, args->size };
	struct pl_peer_watch watch;
	int r;

	pl_peer_watch_begin(serve->session, &watch, lane);
	r = ask_send(lane, args);
	*theirs_out = true;
	if (!r && args->put) {
		r = pl_cuda_peer_hear(lane, 0, status_out);
		if (!r && !*status_out) {
			*theirs_out = false;
			r = pl_cuda_flow_send(&flow, status_out);
			if (!r && !*status_out) {
				*theirs_out = true;
				r = pl_cuda_peer_hear(lane, 0, status_out);
			}
		}
	} else if (!r) {
		r = pl_cuda_flow_recv(&flow, status_out, theirs_out);
	}
	pl_peer_watch_end(serve->session, &watch);
	return pl_trace(r);
}

/* The link, its lock held; NULL: there is none.  Copies on others are not waited for. */
static struct pl_cuda_peer_link *link_take(struct pl_cuda_peers *peers, uint64_t id)
{
	struct pl_cuda_peer_link *link = NULL;

	pthread_mutex_lock(&peers->lock);
	for (uint32_t i = 0; i < PL_PEER_LINKS_MAX && !link && id; i++)
		if (peers->links[i].id == id)
			link = &peers->links[i];
	pthread_mutex_unlock(&peers->lock);
	if (!link)
		return NULL;
	pthread_mutex_lock(&link->lock);
	if (link->id == id)
		return link;
	pthread_mutex_unlock(&link->lock);
	return NULL;
}

static void link_leave(struct pl_session_worker *worker, struct pl_cuda_peers *peers, struct pl_cuda_peer_link *link)
{
	pthread_mutex_lock(&peers->lock);
	link->id = 0;
	pthread_mutex_unlock(&peers->lock);
	pl_peer_leave(worker, pl_steal(link->lane));
}

/* A link that can not go on is left. */
static void copy_run(struct pl_serve *serve, const struct pl_cuda_plPeerCopy_args *args,
		     struct pl_cuda_plPeerCopy_reply *reply)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	struct pl_cuda_peer_link *link;
	int32_t status = CUDA_SUCCESS;
	bool theirs = true;
	int r = -EPIPE;

	if (args->order != PL_CUDA_ORDER_HELD)
		pl_cuda_flow_prepare(session, args->size);
	link = link_take(session->peers, args->link);
	if (link) {
		r = copy_on(serve, link->lane, args, &status, &theirs);
		if (r)
			link_leave(serve->session, session->peers, link);
		else
			pl_peer_widen(serve->session, &link->place, link->lane);
		pthread_mutex_unlock(&link->lock);
	}
	if (!theirs && pl_cuda_is_sticky(status))
		pl_cuda_context_failed(session, status);
	reply->broken = r != 0;
	reply->result = r && !status ? CUDA_ERROR_DEVICE_UNAVAILABLE : status;
}

void pl_cuda_serve_plPeerCopy(struct pl_serve *serve, const struct pl_cuda_plPeerCopy_args *args)
{
	struct pl_cuda_plPeerCopy_reply reply = { 0 };

	if (args->secret.bytes != PL_PEER_SECRET_BYTES || args->put > 1 || args->order > PL_CUDA_ORDER_HELD ||
	    args->size > PL_CUDA_LIMIT_TRANSFER_MAX) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	reply.result = order_wait(serve, args->order);
	if (!reply.result && (!args->size || !pl_cuda_address_known(args->address, args->size)))
		reply.result = CUDA_ERROR_INVALID_VALUE;
	if (!reply.result)
		copy_run(serve, args, &reply);
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_plPeerCopy_reply_bytes(&reply), 0))
		return;
	pl_cuda_plPeerCopy_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_plPeerBehind(struct pl_serve *serve, const struct pl_cuda_plPeerBehind_args *args)
{
	pl_serve_give_turn(serve);
	if (pl_turn_behind(&serve->session->turn, args->ticket))
		pl_lane_shutdown(serve->lane);
	else
		pl_serve_reply(serve, CUDA_SUCCESS); /* to who asks whether what came before it is there */
}

/* ---- links that others made ---- */

static CUresult context_enter(struct pl_session_worker *worker, uint64_t context)
{
	struct pl_handle handle;

	if (!pl_handles_get(&worker->handles, context, PL_CUDA_KIND_context, &handle) || handle.failed)
		return CUDA_ERROR_INVALID_CONTEXT;
	pl_cuda_current = context;
	return pl_cuda.cuCtxSetCurrent(handle.object);
}

/* Return: 0, or fatal. */
static int ticket_serve(struct pl_session_worker *worker, struct pl_lane *lane, const struct pl_cuda_ticket *ticket)
{
	struct pl_cuda_flow flow = { worker, lane, ticket->address, ticket->bytes };
	int32_t status = (int32_t)context_enter(worker, ticket->context);
	bool theirs = false;
	int r;

	if (status || ticket->put) {
		r = pl_cuda_peer_say(lane, status, 0);
		if (r || status)
			return pl_trace(r);
		r = pl_cuda_flow_recv(&flow, &status, &theirs);
		if (!r && !theirs)
			r = pl_cuda_peer_say(lane, status, 0);
	} else {
		r = pl_cuda_flow_send(&flow, &status);
	}
	if (!theirs && pl_cuda_is_sticky(status))
		pl_cuda_context_failed(worker->api, status);
	return pl_trace(r);
}

/* Return: 0; fatal: the other side is gone, or broke the rules: whoever shows no ticket has nothing to say. */
static int ask_serve(struct pl_session_worker *worker, struct pl_lane *lane, const struct pl_wire_head *head)
{
	struct pl_cuda_session *session = worker->api;
	struct pl_cuda_ticket ticket;
	struct pl_peer_watch watch;
	struct pl_peer_ask ask;
	CUresult status;
	int r;

	if (head->op != PL_PEER_ASK || head->len_bytes != sizeof(*head) + sizeof(ask) || head->bulk_bytes)
		return pl_err(-EPROTO);
	memcpy(&ask, head + 1, sizeof(ask));
	status = ticket_take(session->peers, &ask, &ticket);
	if (status) {
		pl_log_warn("session %llu: another server shows a ticket that is not valid",
			    (unsigned long long)worker->id);
		(void)pl_cuda_peer_say(lane, (int32_t)status, 0);
		return pl_err(-EPROTO);
	}
	pl_peer_watch_begin(worker, &watch, lane);
	r = ticket_serve(worker, lane, &ticket);
	pl_peer_watch_end(worker, &watch);
	return pl_trace(r);
}

/* As a call: the memory that it is about does not move. */
static int ask_serve_inside(struct pl_session_worker *worker, struct pl_lane *lane, const struct pl_wire_head *head)
{
	int r;

	pl_swap_enter(&worker->swap);
	r = ask_serve(worker, lane, head);
	pl_swap_leave(&worker->swap);
	return r;
}

void pl_cuda_peer_serve(struct pl_session_worker *worker, struct pl_lane *lane)
{
	uint64_t timeout_ns = PL_PEER_PROOF_MS * 1000000ull;
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED; /* a capture of the client's is no affair of ours */
	const struct pl_wire_head *head;

	if (pl_cuda.cuThreadExchangeStreamCaptureMode)
		(void)pl_cuda.cuThreadExchangeStreamCaptureMode(&mode);
	while (!pl_lane_recv(lane, timeout_ns, &head) && !ask_serve_inside(worker, lane, head))
		timeout_ns = UINT64_MAX;
	pl_lane_shutdown(lane);
}
