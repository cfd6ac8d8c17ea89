/* What one session may make the server hold.  Charged before anything is allocated.  Any thread. */
#ifndef PL_SERVER_QUOTA_H
#define PL_SERVER_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum pl_quota_kind {
	PL_QUOTA_OBJECTS,  /* handles */
	PL_QUOTA_MEMORY,   /* bytes of device memory */
	PL_QUOTA_HOST,     /* bytes of the worker's own memory: sources, binaries */
	PL_QUOTA_INFLIGHT, /* bytes of transfers that have not ended */
	PL_QUOTA_KINDS,
};

struct pl_quota {
	_Atomic uint64_t limit[PL_QUOTA_KINDS]; /* may change, also to less than what is used */
	_Atomic uint64_t used[PL_QUOTA_KINDS];
	_Atomic uint64_t peak[PL_QUOTA_KINDS]; /* of `used` */
};

/* Return: charged; false = it would pass the limit, nothing is charged. */
bool pl_quota_charge(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t amount);
void pl_quota_return(struct pl_quota *quota, enum pl_quota_kind kind, uint64_t amount);
const char *pl_quota_name(enum pl_quota_kind kind);

#endif
