/*
 * A backend without a driver, for tests of everything around it.  What `library` names decides how open() goes:
 * NULL or "ok": at once; "fail": -ENOENT; "crash": the worker dies; "slow": after 300 ms; "hang": never.
 */
#ifndef PL_TEST_LIB_NULL_BACKEND_H
#define PL_TEST_LIB_NULL_BACKEND_H

#include "server/serve.h"

#define PL_NULL_API_HASH    0x6e756c6c6e756c6cu
#define PL_NULL_BYTES_MAX   (64u << 10) /* of an echo */
#define PL_NULL_UNKNOWN     (-59)       /* status of refused calls */

enum pl_null_op {
	PL_NULL_ECHO = 1,   /* bytes -> the same bytes */
	PL_NULL_ADD,        /* u64: added to the session's sum; posts and asks; the reply has the sum */
	PL_NULL_CRASH,      /* the worker dies of SIGSEGV */
	PL_NULL_SLEEP,      /* u64 milliseconds, the turn given up first */
	PL_NULL_PUSH,       /* u64 n: n records of PL_NULL_PUSHED on the reverse lane, then the reply */
	PL_NULL_SINK,       /* bulk: its bytes are summed up; the reply has the sum */
	PL_NULL_SOURCE,     /* u64 n: a reply with n bytes of payload, byte i = (uint8_t)i */
	PL_NULL_PUSHED,     /* reverse lane: u64 index */
};

extern const struct pl_backend_ops pl_backend_null;

#endif
