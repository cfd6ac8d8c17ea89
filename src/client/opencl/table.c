#include "client/opencl/table.h"

#include <stdlib.h>

#define ROOM_FIRST 64u /* slots; a power of two */

static uint32_t slot_first(uint64_t key, uint32_t room)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (room - 1);
}

static void slot_insert(struct pl_cl_slot *slots, uint32_t room, const struct pl_cl_slot *slot)
{
	uint32_t i = slot_first(slot->key, room);

	while (slots[i].key)
		i = (i + 1) & (room - 1);
	slots[i] = *slot;
}

/* Called with the lock held. */
static bool table_grow(struct pl_cl_table *table)
{
	uint32_t room = table->room ? table->room : ROOM_FIRST;
	struct pl_cl_slot *slots;

	while (table->live * 2 >= room)
		room *= 2;
	slots = calloc(room, sizeof(*slots));
	if (!slots)
		return false;
	for (uint32_t i = 0; i < table->room; i++)
		if (table->slots[i].key && !table->slots[i].gone)
			slot_insert(slots, room, &table->slots[i]);
	free(table->slots);
	table->slots = slots;
	table->room = room;
	table->used = table->live;
	return true;
}

bool pl_cl_table_put(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry, void *thing)
{
	struct pl_cl_slot slot = {.key = key, .thing = thing, .entry = entry};
	bool ok;

	pl_lock(&table->lock);
	ok = table->used * 4 < table->room * 3 || table_grow(table);
	if (ok) {
		slot_insert(table->slots, table->room, &slot);
		table->used++;
		table->live++;
	}
	pl_unlock(&table->lock);
	return ok;
}

/* Called with the lock held. */
static struct pl_cl_slot *slot_find(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry)
{
	if (!table->room || !key)
		return NULL;
	for (uint32_t i = slot_first(key, table->room); table->slots[i].key; i = (i + 1) & (table->room - 1)) {
		struct pl_cl_slot *slot = &table->slots[i];
		if (slot->key == key && !slot->gone && slot->entry == (uint32_t)entry)
			return slot;
	}
	return NULL;
}

void *pl_cl_table_take(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry)
{
	struct pl_cl_slot *slot;
	void *thing = NULL;

	pl_lock(&table->lock);
	slot = slot_find(table, key, entry);
	if (slot) {
		thing = slot->thing;
		slot->gone = true;
		table->live--;
	}
	pl_unlock(&table->lock);
	return thing;
}

void *pl_cl_table_keep(struct pl_cl_table *table, uint64_t key, enum pl_cl_entry entry, bool (*keep)(void *thing))
{
	struct pl_cl_slot *slot;
	void *thing;

	pl_lock(&table->lock);
	slot = slot_find(table, key, entry);
	thing = slot && keep(slot->thing) ? slot->thing : NULL;
	pl_unlock(&table->lock);
	return thing;
}

void pl_cl_table_each(struct pl_cl_table *table, enum pl_cl_entry entry, void (*fn)(void *thing, void *arg), void *arg)
{
	pl_lock(&table->lock);
	for (uint32_t i = 0; i < table->room; i++) {
		struct pl_cl_slot *slot = &table->slots[i];
		if (slot->key && !slot->gone && slot->entry == (uint32_t)entry)
			fn(slot->thing, arg);
	}
	pl_unlock(&table->lock);
}

bool pl_cl_table_take_any(struct pl_cl_table *table, struct pl_cl_slot *slot_out)
{
	bool found = false;

	pl_lock(&table->lock);
	for (uint32_t i = 0; i < table->room && !found; i++) {
		struct pl_cl_slot *slot = &table->slots[i];
		if (!slot->key || slot->gone)
			continue;
		*slot_out = *slot;
		slot->gone = true;
		table->live--;
		found = true;
	}
	pl_unlock(&table->lock);
	return found;
}

void pl_cl_table_clear(struct pl_cl_table *table)
{
	free(table->slots);
	*table = (struct pl_cl_table){0};
}
