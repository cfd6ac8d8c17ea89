#include "server/handles.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define ROOM_FIRST 256u

int pl_handles_init(struct pl_handles *handles)
{
	*handles = (struct pl_handles){ .room = ROOM_FIRST };
	handles->slots = calloc(ROOM_FIRST, sizeof(*handles->slots));
	if (!handles->slots)
		return pl_err(-ENOMEM);
	pthread_mutex_init(&handles->lock, NULL);
	return 0;
}

void pl_handles_fini(struct pl_handles *handles)
{
	if (!handles->slots)
		return;
	free(handles->slots);
	handles->slots = NULL;
	pthread_mutex_destroy(&handles->lock);
}

static uint32_t home(const struct pl_handles *handles, uint64_t id)
{
	return (uint32_t)((id * 0x9e3779b97f4a7c15u) >> 32) & (handles->room - 1);
}

/* The slot of the id, or the free one where it would go.  Called with the lock held; there is always a free slot. */
static struct pl_handle *slot_of(const struct pl_handles *handles, uint64_t id)
{
	uint32_t i = home(handles, id);

	while (handles->slots[i].id && handles->slots[i].id != id)
		i = (i + 1) & (handles->room - 1);
	return &handles->slots[i];
}

/* Called with the lock held. */
static int grow(struct pl_handles *handles)
{
	struct pl_handles larger = { .room = handles->room * 2 };

	larger.slots = calloc(larger.room, sizeof(*larger.slots));
	if (!larger.slots)
		return pl_err(-ENOMEM);
	for (uint32_t i = 0; i < handles->room; i++)
		if (handles->slots[i].id)
			*slot_of(&larger, handles->slots[i].id) = handles->slots[i];
	free(handles->slots);
	handles->slots = larger.slots;
	handles->room = larger.room;
	return 0;
}

int pl_handles_put(struct pl_handles *handles, uint64_t id, uint32_t kind, void *object, int32_t failed, void *extra)
{
	struct pl_handle *slot;
	int r = 0;

	if (!id)
		return pl_err(-EINVAL);
	pthread_mutex_lock(&handles->lock);
	if (handles->count >= PL_HANDLES_MAX)
		r = -ENOSPC;
	else if (handles->count * 2 >= handles->room)
		r = grow(handles);
	if (!r) {
		slot = slot_of(handles, id);
		if (slot->id) {
			r = -EEXIST;
		} else {
			*slot = (struct pl_handle){ id, kind, failed, object, extra };
			handles->count++;
		}
	}
	pthread_mutex_unlock(&handles->lock);
	return r ? pl_err(r) : 0;
}

bool pl_handles_get(struct pl_handles *handles, uint64_t id, uint32_t kind, struct pl_handle *handle_out)
{
	bool found = false;

	if (!id)
		return false;
	pthread_mutex_lock(&handles->lock);
	struct pl_handle *slot = slot_of(handles, id);
	if (slot->id == id && slot->kind == kind) {
		*handle_out = *slot;
		found = true;
	}
	pthread_mutex_unlock(&handles->lock);
	return found;
}

/* Closes the gap that a taken entry leaves: later entries of the run move up to where they are found. */
static void close_gap(struct pl_handles *handles, uint32_t gap)
{
	uint32_t mask = handles->room - 1;

	for (uint32_t i = (gap + 1) & mask; handles->slots[i].id; i = (i + 1) & mask) {
		uint32_t wanted = home(handles, handles->slots[i].id);

		if (((i - wanted) & mask) >= ((i - gap) & mask)) {
			handles->slots[gap] = handles->slots[i];
			gap = i;
		}
	}
	handles->slots[gap] = (struct pl_handle){ 0 };
}

bool pl_handles_take(struct pl_handles *handles, uint64_t id, uint32_t kind, struct pl_handle *handle_out)
{
	bool found = false;

	if (!id)
		return false;
	pthread_mutex_lock(&handles->lock);
	struct pl_handle *slot = slot_of(handles, id);
	if (slot->id == id && slot->kind == kind) {
		*handle_out = *slot;
		close_gap(handles, (uint32_t)(slot - handles->slots));
		handles->count--;
		found = true;
	}
	pthread_mutex_unlock(&handles->lock);
	return found;
}

uint64_t pl_handles_find(struct pl_handles *handles, uint32_t kind, const void *object)
{
	uint64_t id = 0;

	if (!object)
		return 0;
	pthread_mutex_lock(&handles->lock);
	for (uint32_t i = 0; i < handles->room && !id; i++)
		if (handles->slots[i].id && handles->slots[i].kind == kind && handles->slots[i].object == object)
			id = handles->slots[i].id;
	pthread_mutex_unlock(&handles->lock);
	return id;
}

void pl_handles_each(struct pl_handles *handles, void (*fn)(struct pl_handle *handle, void *arg), void *arg)
{
	pthread_mutex_lock(&handles->lock);
	for (uint32_t i = 0; i < handles->room; i++)
		if (handles->slots[i].id)
			fn(&handles->slots[i], arg);
	pthread_mutex_unlock(&handles->lock);
}
