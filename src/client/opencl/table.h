/* Numbers to things: tokens that come back on the reverse lane.  Any thread. */
#ifndef PL_CL_TABLE_H
#define PL_CL_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"

enum pl_cl_entry {
	PL_CL_ENTRY_WATCH = 1, /* struct pl_cl_event, held; key = its id */
	PL_CL_ENTRY_CALLBACK,  /* struct pl_cl_event_callback */
	PL_CL_ENTRY_LANDING,   /* struct pl_cl_landing */
	PL_CL_ENTRY_MEM,       /* struct pl_cl_mem that waits for plMemGone; key = its id */
	PL_CL_ENTRY_CONTEXT,   /* struct pl_cl_context with a notify function; key = its id */
	PL_CL_ENTRY_HANDLE,    /* an object; key = its address */
	PL_CL_ENTRY_SVM_FREE,  /* struct pl_cl_svm_freeing */
};

struct pl_cl_slot {
	uint64_t key; /* 0 = empty */
	void *thing;
	uint32_t entry;
	bool gone; /* was taken out: searches go on behind it */
};

struct pl_cl_table {
	struct pl_lock lock;
	struct pl_cl_slot *slots;
	uint32_t room, used, live; /* used: gone ones included */
};

/* Return: false = no memory. */
bool pl_cl_table_put(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry, void *thing);
/* Takes it out; NULL = there is none of this sort. */
void *pl_cl_table_take(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry);
/* Leaves it there.  keep(thing) runs under the table's lock and may refuse: then NULL. */
void *pl_cl_table_keep(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry, bool (*keep)(void *thing));
/* fn(thing, arg) of each, under the table's lock. */
void pl_cl_table_each(struct pl_cl_table *table, enum pl_cl_entry entry, void (*fn)(void *thing, void *arg), void *arg);
/* Takes any one out; false = empty. */
bool pl_cl_table_take_any(struct pl_cl_table *table, struct pl_cl_slot *slot_out);
/* Forgets all (after fork(): nobody comes for them). */
void pl_cl_table_clear(struct pl_cl_table *table);

#endif
