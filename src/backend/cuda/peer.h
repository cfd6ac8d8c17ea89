/*
 * Copies to and from another server's device: what a client asks for (tickets, links), and the bytes on a link.
 * Whoever holds a ticket is told by its own client what it stands for; who dials shows it.
 */
#ifndef PL_BACKEND_CUDA_PEER_H
#define PL_BACKEND_CUDA_PEER_H

#include "backend/cuda/session.h"
#include "wire/peer.h"

#define PL_CUDA_TICKETS_MAX   64u            /* limit: tickets of a session that wait to be used */
#define PL_CUDA_TICKET_NS_MAX 30000000000ull /* limit: for so long */

struct pl_cuda_ticket {
	uint64_t id; /* 0 = free */
	uint8_t secret[PL_PEER_SECRET_BYTES];
	uint64_t address, bytes, context;
	bool put;
	uint64_t until_ns;
};

#define PL_CUDA_FLOW_BLOCKS 2u /* of a copy that are under way at one time */
#define PL_CUDA_WAYS_MAX    8u /* limit: streams of a session that are kept for the next copy */

/* A stream that waits for no other, and what marks its blocks: makes one copy at a time. */
struct pl_cuda_way {
	uint64_t context;
	CUstream stream;
	CUevent events[PL_CUDA_FLOW_BLOCKS]; /* NULL where the driver copies in the calling thread */
};

struct pl_cuda_peers {
	pthread_mutex_t lock; /* the tickets, the ids of links, and the ways; taken last */
	struct pl_cuda_ticket tickets[PL_CUDA_TICKETS_MAX];
	uint64_t tickets_made, links_made;
	struct pl_cuda_way ways[PL_CUDA_WAYS_MAX]; /* nobody copies on them */
	uint32_t ways_count, ways_turn;            /* turn: whose place the next one takes where there is none */
	uint64_t contexts_left;                    /* so many have ended, with their streams */
	struct pl_cuda_peer_link {
		pthread_mutex_t lock; /* one copy at a time */
		uint64_t id;          /* 0 = free; changed with both locks held */
		struct pl_lane *lane;
		struct pl_peer_place place;
	} links[PL_PEER_LINKS_MAX];
};

/* Return: made; false: no memory. */
bool pl_cuda_peers_create(struct pl_cuda_session *session);
/* Serves a link that another server's worker has made. */
void pl_cuda_peer_serve(struct pl_session_worker *worker, struct pl_lane *lane);

/* ---- peer-flow.c ---- */

/* Its streams are no more. */
void pl_cuda_peers_context_left(struct pl_cuda_session *session, uint64_t context);

/* One copy: between memory of the thread's current context and a link. */
struct pl_cuda_flow {
	struct pl_session_worker *worker;
	struct pl_lane *lane;
	uint64_t address, bytes;
};

/* Ahead of a copy for which the program's streams are not held, with no link in use: pins memory for it, that is kept.
 */
void pl_cuda_flow_prepare(struct pl_cuda_session *session, uint64_t bytes);

/* Both: *status_out is the driver's code, ours or else what the other side said (*theirs_out: it did, and ended the
 * copy).  When they return 0 the link can be used again.  Return: 0, or fatal: the link is broken. */
int pl_cuda_flow_send(const struct pl_cuda_flow *flow, int32_t *status_out);
int pl_cuda_flow_recv(const struct pl_cuda_flow *flow, int32_t *status_out, bool *theirs_out);

int pl_cuda_peer_say(struct pl_lane *lane, int32_t status, uint64_t bulk_bytes);
/* @bulk_bytes: what has to follow where the status is 0.  Return: 0 and *status_out, or fatal. */
int pl_cuda_peer_hear(struct pl_lane *lane, uint64_t bulk_bytes, int32_t *status_out);

#endif
