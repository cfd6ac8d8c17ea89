/*
 * What travels: records on lanes, and the greeting that opens a session or a lane.  docs/protocol.md tells the story.
 * All fields are little-endian and have fixed places; no vendor structure and no pointer of a server is ever sent.
 */
#ifndef PL_WIRE_WIRE_H
#define PL_WIRE_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define PL_WIRE_RECORD_MAX (128u << 10) /* limit: bytes of one record, head included; larger data is bulk */
#define PL_WIRE_INLINE_MAX (16u << 10)  /* bulk up to here lies in the record itself */
#define PL_WIRE_BULK_MAX   (1ull << 40) /* limit: bytes of one bulk transfer */
#define PL_WIRE_ALIGN      8u           /* each record, and each field in it, starts at a multiple */

enum pl_wire_flag {
	PL_WIRE_ASK = 1,   /* call: the caller waits for the reply with this ticket */
	PL_WIRE_REPLY = 2, /* reply to the call with this ticket */
	PL_WIRE_BULK = 4,  /* no call: bulk_bytes of payload that the next record on this lane uses */
	PL_WIRE_FREE = 8,  /* call without a ticket, outside the session's order: runs when it comes */
	PL_WIRE_WIDE = 16, /* the link's own: the payload travels in chunks, over the lane's further connections */
};

/* In front of each record.  `op` is the function's number in the server's release; a client of another release
 * translates (wire/functions.h). */
struct pl_wire_head {
	uint32_t len_bytes; /* of the record, this head included; a multiple of PL_WIRE_ALIGN */
	uint16_t op;
	uint16_t flags;      /* enum pl_wire_flag */
	uint64_t ticket;     /* calls: place in the session's order, from 1; replies: of the call */
	uint64_t bulk_bytes; /* payload that follows this record on the lane, not counted in len_bytes */
};
static_assert(sizeof(struct pl_wire_head) == 24, "wire layout");

/* In front of each piece of a wide payload, on whichever connection it travels; none lies over another.  A connection
 * that is added to a lane begins with one of zeros. */
struct pl_wire_chunk {
	uint64_t offset;  /* in the payload */
	uint32_t bytes;   /* that follow on this connection */
	uint32_t payload; /* which of this direction's wide payloads: from 1, modulo 2^32 */
};
static_assert(sizeof(struct pl_wire_chunk) == 16, "wire layout");

/* A reply's body starts with this; what the spec declares as reply(...) follows. */
struct pl_wire_reply {
	int32_t status; /* the API's own result code */
	uint32_t flags; /* enum pl_wire_reply_flag */
	uint64_t after; /* records of the reverse lane that the client must have taken before the call returns */
};
static_assert(sizeof(struct pl_wire_reply) == 16, "wire layout");

enum pl_wire_reply_flag {
	PL_WIRE_REPLY_REFUSED =
		1,               /* the server could not decode or does not know the call; status says the API's code */
	PL_WIRE_REPLY_LATE = 2,  /* status is a late error of an earlier posted call */
	PL_WIRE_REPLY_IDLE = 4,  /* all that was sent up to this call has ended, and without an error */
	PL_WIRE_REPLY_AHEAD = 8, /* what was asked about has not ended, so that the answer tells of no end at all */
	PL_WIRE_REPLY_PLACE = 16, /* with IDLE: payload that follows its call is received where it belongs */
};

/* ---- the greeting: the first bytes on each connection ---- */

#define PL_HELLO_MAGIC           0x4d554e454c50u /* "PLENUM" */
#define PL_HELLO_MAJOR           1               /* peers of another major version refuse each other */
#define PL_HELLO_MINOR           5   /* 1: functions by name; 2, 3: several connections; 4: AGAIN; 5: keeps_s */
#define PL_HELLO_MINOR_FUNCTIONS 1   /* from here on: where the digests differ, the server's table comes first */
#define PL_HELLO_MINOR_MORE      2   /* from here on: PL_HELLO_MORE */
#define PL_HELLO_MINOR_PEER_MORE 3   /* from here on: PL_HELLO_PEER_MORE */
#define PL_HELLO_MINOR_AGAIN     4   /* from here on: PL_HELLO_AGAIN, and grace_s in the reply */
#define PL_HELLO_MINOR_KEEPS     5   /* from here on: keeps_s in the reply */
#define PL_HELLO_PLACE_REVERSE   1   /* MORE: the reverse lane; from 2 on: the lane that gave this number */
#define PL_TOKEN_MAX             128 /* limit: bytes of a token, its NUL included */
#define PL_WIRE_OP_FUNCTIONS     0   /* first record on the reverse lane: the table; no function has the number */
#define PL_WIRE_OP_PART                                                                                                \
	0xffffu /* on the reverse lane, nor this: the client parts with its connections (link/still.h) */

enum pl_hello_kind {
	PL_HELLO_SESSION = 1,   /* a new session; the connection becomes its reverse lane */
	PL_HELLO_LANE = 2,      /* one more lane of a session */
	PL_HELLO_CONTROL = 3,   /* the tool asks the daemon (unix sockets only) */
	PL_HELLO_PEER = 4,      /* another server (wire/peer.h).  Session 0: is this a Plenum?  A second one follows */
	PL_HELLO_MORE = 5,      /* tcp: one more connection of the lane at `place` of a session */
	PL_HELLO_PEER_MORE = 6, /* the same of the lane for which a PEER made up the number `place` */
	PL_HELLO_AGAIN = 7,     /* tcp: another one, in place of that lane's, which is cut; pl_wire_again follows */
};

struct pl_hello {
	uint64_t magic;
	uint16_t major, minor;
	uint32_t kind;            /* enum pl_hello_kind */
	uint64_t api_hash;        /* digest of the client's table of functions (generated) */
	uint32_t api;             /* enum pl_api */
	uint32_t pid;             /* of the client, as it sees itself; for people */
	uint64_t session;         /* PL_HELLO_LANE, _MORE, _AGAIN, _PEER, _PEER_MORE: whose */
	uint8_t secret[16];       /* LANE, MORE, AGAIN, PEER: proves it; SESSION, ivshmem: the region's key, else 0 */
	uint64_t place;           /* ivshmem, SESSION: the guest's boot, LANE: 1 + where it lies;
				   * tcp, SESSION: the client's machine (base/machine.h), LANE: its number;
				   * PEER: a random one, which nobody else who has the session's key can know */
	char token[PL_TOKEN_MAX]; /* tcp */
	char program[64];         /* for people */
};
static_assert(sizeof(struct pl_hello) == 256, "wire layout");

enum pl_api { PL_API_OPENCL = 1, PL_API_CUDA = 2, PL_API_NVML = 3 };

enum pl_hello_status {
	PL_HELLO_OK,
	PL_HELLO_E_VERSION,  /* other major version */
	PL_HELLO_E_TOKEN,    /* wrong or no token */
	PL_HELLO_E_SESSION,  /* no such session, or wrong secret */
	PL_HELLO_E_BUSY,     /* a limit on sessions or lanes is reached */
	PL_HELLO_E_API,      /* the server does not carry this API */
	PL_HELLO_E_INTERNAL, /* the server could not start a worker */
};

/* Unix sockets: the file descriptors travel with these bytes, first the lane's memory, then the arena's (session). */
struct pl_hello_reply {
	uint64_t magic;
	uint16_t major, minor;
	uint32_t status;   /* enum pl_hello_status */
	uint64_t api_hash; /* of the server's; where it differs, its table follows (PL_WIRE_OP_FUNCTIONS) */
	uint64_t session;
	uint8_t secret[16];
	uint64_t arena_bytes; /* 0 = no shared memory */
	union {
		uint64_t arena_base; /* where the server has it mapped: the client tries the same place */
		uint64_t received;   /* AGAIN: bytes of the lane that have come, all connections together */
	};
	uint32_t lane_bytes; /* shm: bytes of each direction's ring */
	uint32_t worker_pid;
	uint64_t memory_bytes; /* device memory that the session may hold: what surely fits need not be asked */
	union {
		char text[48]; /* for people: why it was refused */
		struct {
			uint64_t arena_offset; /* PL_HELLO_OK, ivshmem: where the arena lies in the region; else 0 */
			uint32_t grace_s;      /* OK, tcp: so long a session waits for AGAIN; 0 = it does not */
			/* OK, tcp: the server can stop and come back with the session: over loopback, too, its lanes
			 * outlive their connections, and a server that is not there, or does not have the session yet
			 * (PL_HELLO_E_BUSY), is asked again for so many seconds.  0 = no. */
			uint32_t keeps_s;
			/* OK, LANE and AGAIN of such a server: records that the reverse lane has carried so far.
			 * What of them asks for a pause (PL_WIRE_OP_PART) is about earlier connections. */
			uint64_t reverse_sent;
		};
	};
};
static_assert(sizeof(struct pl_hello_reply) == 128, "wire layout");

/* From the client, once it has the reply to its PL_HELLO_AGAIN.  Then each end sends from where the other one is. */
struct pl_wire_again {
	uint64_t received; /* as the reply's */
};
static_assert(sizeof(struct pl_wire_again) == 8, "wire layout");

#endif
