#include "hostile/forge.h"

#include <string.h>

/* Names of kernels and variables of the module that test-forged.c loads, and others. */
static const char *const texts[] = {
	"", "k", "add", "words", "nothing", "/", "/proc/self/maps", "0000:00:00.0", "%s%n"
};

void forge_begin(struct forge *forge, uint64_t seed)
{
	memset(forge, 0, sizeof(*forge));
	forge->state = seed * 0x9e3779b97f4a7c15u + 1;
	forge->last_id = 0x10000;
}

static uint64_t random64(struct forge *forge)
{
	forge->state ^= forge->state >> 12;
	forge->state ^= forge->state << 25;
	forge->state ^= forge->state >> 27;
	return forge->state * 0x2545f4914f6cdd1du;
}

uint32_t forge_pick(struct forge *forge, uint32_t count)
{
	return (uint32_t)(random64(forge) >> 33) % count;
}

void forge_see(struct forge *forge, uint64_t word)
{
	uint32_t at = forge->seen_count < FORGE_SEEN ? forge->seen_count++ : 8 + forge_pick(forge, FORGE_SEEN - 8);

	forge->seen[at] = word; /* the first stay: what the session began with */
}

void forge_own(struct forge *forge, uint32_t kind, uint64_t id)
{
	uint32_t at = forge->ids_count < FORGE_IDS ? forge->ids_count++ : forge_pick(forge, FORGE_IDS);

	forge->ids[at].id = id;
	forge->ids[at].kind = kind;
}

void forge_call_begin(struct forge *forge)
{
	uint32_t bytes = forge_pick(forge, 3) ? 8u << forge_pick(forge, 9) : forge_pick(forge, FORGE_PIECE);

	forge->used_bytes = forge->fresh_count = 0;
	forge->bulk_used = false;
	forge->bulk = (struct pl_bulk){ .kind = forge_pick(forge, 4), .data = forge->payload, .bytes = bytes };
	if (forge->bulk.kind == PL_BULK_ARENA)
		forge->bulk.offset = forge_pick(forge, 4) || !forge->arena_bytes ? forge_word(forge)
										 : random64(forge) % forge->arena_bytes;
	forge_fill(forge, forge->payload, sizeof(forge->payload));
}

void forge_call_end(struct forge *forge, bool succeeded)
{
	for (uint32_t i = 0; i < forge->fresh_count && succeeded; i++)
		forge_own(forge, forge->fresh[i].kind, forge->fresh[i].id);
}

static uint64_t edge(struct forge *forge)
{
	uint64_t power = 1ull << forge_pick(forge, 64);

	switch (forge_pick(forge, 6)) {
	case 0:
		return power;
	case 1:
		return power - 1;
	case 2:
		return power + 1;
	case 3:
		return 0 - power;
	case 4:
		return UINT64_MAX - forge_pick(forge, 4);
	default:
		return random64(forge);
	}
}

uint64_t forge_word(struct forge *forge)
{
	switch (forge_pick(forge, 12)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return 1;
	case 3:
	case 4:
		return forge_pick(forge, 16);
	case 5:
		return 8u << forge_pick(forge, 12);
	case 6:
		return forge->bulk.bytes;
	case 7:
	case 8:
		return forge->seen_count ? forge->seen[forge_pick(forge, forge->seen_count)] : 0;
	case 9:
		return forge->seen_count
			       ? forge->seen[forge_pick(forge, forge->seen_count)] + forge_pick(forge, 8192) - 64
			       : 0;
	case 10:
		return edge(forge);
	default:
		return forge->ids_count ? forge->ids[forge_pick(forge, forge->ids_count)].id : 2;
	}
}

uint32_t forge_half(struct forge *forge)
{
	return forge_pick(forge, 2) ? forge_pick(forge, 8) : (uint32_t)forge_word(forge);
}

uint64_t forge_address(struct forge *forge)
{
	uint64_t seen = forge->seen_count ? forge->seen[forge_pick(forge, forge->seen_count)] : 0;

	if (!forge_pick(forge, 4))
		return forge_word(forge);
	return seen + (forge_pick(forge, 3) ? 0 : 4u * forge_pick(forge, 2048));
}

uint64_t forge_size(struct forge *forge)
{
	switch (forge_pick(forge, 8)) {
	case 0:
		return forge_word(forge);
	case 1:
		return 0;
	case 2:
	case 3:
		return forge->bulk.bytes;
	case 4:
		return 4096u << forge_pick(forge, 8);
	default:
		return 1 + forge_pick(forge, 64);
	}
}

uint32_t forge_bits(struct forge *forge)
{
	switch (forge_pick(forge, 8)) {
	case 0:
		return (uint32_t)forge_word(forge);
	case 1:
	case 2:
		return 1u << forge_pick(forge, 6);
	case 3:
	case 4:
		return forge_pick(forge, 16);
	case 5:
		return 0xffff;
	default:
		return 0;
	}
}

/* Mostly one that there is: what does not name an object is soon refused. */
uint64_t forge_id(struct forge *forge, uint32_t kind)
{
	uint32_t from = forge->ids_count ? forge_pick(forge, forge->ids_count) : 0;

	switch (forge_pick(forge, 16)) {
	case 0:
		return 0;
	case 1:
		return forge_pick(forge, 4);
	case 2:
		return forge_word(forge);
	case 3:
		return forge->ids_count ? forge->ids[from].id : 1;
	default:
		break;
	}
	for (uint32_t i = 0; i < forge->ids_count; i++)
		if (forge->ids[(from + i) % forge->ids_count].kind == kind)
			return forge->ids[(from + i) % forge->ids_count].id;
	return forge_pick(forge, 3);
}

/* Mostly one that there was not. */
uint64_t forge_new(struct forge *forge, uint32_t kind)
{
	uint64_t id = forge_pick(forge, 16) ? ++forge->last_id : forge_word(forge);

	if (forge->fresh_count < FORGE_FRESH) {
		forge->fresh[forge->fresh_count].id = id;
		forge->fresh[forge->fresh_count++].kind = kind;
	}
	return id;
}

static void *room(struct forge *forge, uint64_t bytes)
{
	void *at = forge->bytes + forge->used_bytes;

	if (bytes > sizeof(forge->bytes) - forge->used_bytes)
		return NULL;
	forge->used_bytes += (uint32_t)PL_WIRE_PAD(bytes);
	return at;
}

void forge_fill(struct forge *forge, void *to, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += 8) {
		uint64_t word = forge_pick(forge, 2)   ? forge_word(forge)
				: forge_pick(forge, 2) ? (uint64_t)(uint32_t)forge_word(forge) | forge_word(forge) << 32
						       : 0;

		memcpy((uint8_t *)to + at, &word, bytes - at < 8 ? bytes - at : 8);
	}
}

static uint32_t few(struct forge *forge)
{
	return forge_pick(forge, 8) ? forge_pick(forge, 5) : forge_pick(forge, FORGE_PIECE / 8);
}

struct pl_u64s forge_ids(struct forge *forge, uint32_t kind)
{
	uint32_t count = few(forge);
	uint64_t *at = room(forge, count * sizeof(*at));

	for (uint32_t i = 0; at && i < count; i++)
		at[i] = forge_id(forge, kind);
	return (struct pl_u64s){ at, at ? count : 0 };
}

struct pl_u64s forge_words(struct forge *forge)
{
	uint32_t count = forge_pick(forge, 2) ? few(forge) : forge_pick(forge, 64);
	uint64_t *at = room(forge, count * sizeof(*at));

	for (uint32_t i = 0; at && i < count; i++)
		at[i] = forge_word(forge);
	return (struct pl_u64s){ at, at ? count : 0 };
}

struct pl_u32s forge_halves(struct forge *forge)
{
	uint32_t count = few(forge), *at = room(forge, count * sizeof(*at));

	for (uint32_t i = 0; at && i < count; i++)
		at[i] = (uint32_t)forge_word(forge);
	return (struct pl_u32s){ at, at ? count : 0 };
}

struct pl_bytes forge_bytes(struct forge *forge)
{
	uint32_t bytes = forge_pick(forge, 4) ? 8u << forge_pick(forge, 7) : forge_pick(forge, FORGE_PIECE);
	void *at = room(forge, bytes);

	if (!at)
		return (struct pl_bytes){ NULL, 0 };
	forge_fill(forge, at, bytes);
	return (struct pl_bytes){ at, bytes };
}

const char *forge_text(struct forge *forge)
{
	return texts[forge_pick(forge, sizeof(texts) / sizeof(texts[0]))];
}

/* One call has one payload; a second field names the same. */
struct pl_bulk forge_bulk(struct forge *forge)
{
	forge->bulk_used = true;
	return forge->bulk;
}
