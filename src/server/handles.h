/*
 * A session's objects: the 64-bit ids that the client made, to the driver's handles.  Ids are looked up by kind, so a
 * stale, foreign or wrong-kind id finds nothing.  The table is bounded.  Lookups and changes are made under the table's
 * own lock (uncontended on the hot path: 20 ns).
 */
#ifndef PL_SERVER_HANDLES_H
#define PL_SERVER_HANDLES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PL_HANDLES_MAX (1u << 20) /* limit: objects that one session may hold */

struct pl_handle {                 /* one object */
	uint64_t id;               /* 0 = free slot */
	uint32_t kind;             /* the API's object kind, from 1 */
	int32_t failed;            /* != 0: creation failed with this code; `object` is NULL */
	void *object;              /* the driver's handle */
	void *extra;               /* the backend's notes */
};

struct pl_handles {
	pthread_mutex_t lock;
	struct pl_handle *slots;   /* open addressing by id, power of two */
	uint32_t room, count;
};

int pl_handles_init(struct pl_handles *handles);
void pl_handles_fini(struct pl_handles *handles);

/* Return: 0; -EEXIST: the id is in use; -ENOSPC: PL_HANDLES_MAX; -EINVAL: id 0. */
int pl_handles_put(struct pl_handles *handles, uint64_t id, uint32_t kind, void *object, int32_t failed, void *extra);
/* Copies the entry.  Return: found with this kind. */
bool pl_handles_get(struct pl_handles *handles, uint64_t id, uint32_t kind, struct pl_handle *handle_out);
/* Takes the entry out.  Return: found. */
bool pl_handles_take(struct pl_handles *handles, uint64_t id, uint32_t kind, struct pl_handle *handle_out);
/* Id of a driver's handle of this kind, 0 = not ours.  Linear: for queries. */
uint64_t pl_handles_find(struct pl_handles *handles, uint32_t kind, const void *object);
/* Calls fn for each entry under the lock. */
void pl_handles_each(struct pl_handles *handles, void (*fn)(struct pl_handle *handle, void *arg), void *arg);

#endif
