/* The contract of a lane, in cases that hold on every link.  test-lane.c runs them all. */
#ifndef PL_TEST_CONTRACT_CASES_H
#define PL_TEST_CONTRACT_CASES_H

#include "lib/lanes.h"

struct pl_test_case {
	const char *name;
	void (*run)(const struct pl_test_link *link);
	bool stream; /* only where the lane's bytes go through a socket */
};

extern const struct pl_test_case pl_test_cases_order[]; /* what a lane does between peers that keep the rules */
extern const struct pl_test_case pl_test_cases_end[];   /* how a lane ends: shutdown, death, lies */
extern const struct pl_test_case pl_test_cases_shm[];   /* lies in shared memory; run on shm and ivshmem only */
extern const struct pl_test_case pl_test_cases_bell[];  /* sleeping and waking through the socket; ivshmem only */

#endif
