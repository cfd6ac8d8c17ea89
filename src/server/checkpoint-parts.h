/* Between who writes a checkpoint and who reads it: the worker's part of the file, in this order: a head, the reverse
 * lane, the other lanes, the journal, what the backend has written. */
#ifndef PL_SERVER_CHECKPOINT_PARTS_H
#define PL_SERVER_CHECKPOINT_PARTS_H

#include <stdint.h>

#include "link/still.h"
#include "server/checkpoint-file.h"
#include "server/checkpoint.h"
#include "server/lanes.h"
#include "server/serve.h"

#define PL_CHECKPOINT_MAGIC 0x31304b4345484350ull /* "PCHECK01": changes with the layout of any part */

struct pl_checkpoint_head {
	uint64_t magic;
	uint64_t functions; /* digest of the table of functions: another release may have others */
	uint64_t session, next_ticket, reverse_sent;
	uint64_t here, lanes;
	char backend[32];
};

struct pl_checkpoint_lane_head {
	uint64_t number, note;
	uint64_t received, kept_from, sent; /* struct pl_lane_state */
					    /* kept bytes; a count of unread bytes; those */
};

#endif
