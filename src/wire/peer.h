/*
 * What two servers say to each other on a lane that carries copies between the memory of one program's two sessions.
 * One side has a ticket, which its own client asked for: a range, a direction, and a secret that serves once.  The
 * other side shows the secret; then the bytes travel in blocks, each with a status in front.  Heads are those of all
 * records (wire.h); `op` is one of these, flags and ticket are 0.  docs/protocol.md tells the story.
 */
#ifndef PL_WIRE_PEER_H
#define PL_WIRE_PEER_H

#include <assert.h>
#include <stdint.h>

#define PL_PEER_BLOCK_BYTES  (1u << 20) /* of one PL_PEER_SAY; the last one of a copy has the rest */
#define PL_PEER_SECRET_BYTES 16

enum pl_peer_op {
	PL_PEER_ASK = 1, /* whoever dialled: a ticket is to be used now */
	PL_PEER_SAY = 2, /* either: a status, and a block of the copy behind it while that is 0 */
};

struct pl_peer_ask {
	uint64_t ticket;
	uint8_t secret[PL_PEER_SECRET_BYTES];
	uint64_t bytes; /* as the ticket says */
	uint32_t put;   /* 1: the asker sends; 0: it receives; as the ticket says */
	uint32_t zero;
};
static_assert(sizeof(struct pl_peer_ask) == 40, "wire layout");

struct pl_peer_say {
	int32_t status; /* the API's code; not 0 ends the copy, and nothing follows */
	uint32_t zero;
};
static_assert(sizeof(struct pl_peer_say) == 8, "wire layout");

#endif
