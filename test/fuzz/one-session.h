/* A session of the OpenCL backend in this process: the stub driver below, lanes that are arrays of bytes above. */
#ifndef PL_TEST_FUZZ_ONE_SESSION_H
#define PL_TEST_FUZZ_ONE_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "server/serve.h"

#define PL_ONE_ARENA_BYTES 65536u
#define PL_ONE_DEVICE      ((1ull << 62) | (1ull << 32)) /* id of the first device; the next has one more */
#define PL_ONE_PLATFORM    (1ull << 62)
/* + n << 32 + offset: an address in the n-th newest block of shared memory */
#define PL_ONE_SVM         (0x5a5aull << 48)

/* One record of an input, then its body, then its payload; both are cut where the input ends. */
struct pl_one_record {
	uint16_t op;
	uint16_t flags;      /* enum pl_wire_flag */
	uint32_t body_bytes; /* multiple of 8 */
	uint32_t bulk_bytes; /* what follows */
	uint32_t bulk_said;  /* 0: bulk_bytes, else what the head says */
};

enum pl_one_how {
	PL_ONE_ARENA = 1, /* the client shares memory */
	PL_ONE_LAZY = 2,  /* the driver does things late */
};

/* The session, made at the first call. */
struct pl_session_worker *pl_one_session(void);

/** pl_one_session_run() - serves the records of an input as one lane
 * Afterwards every object is released as a client would, and nothing may be left: no object of the driver's, no charge.
 */
void pl_one_session_run(const uint8_t *data, size_t size, unsigned how);

#endif
