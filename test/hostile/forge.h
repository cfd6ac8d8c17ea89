/*
 * Fields of calls as a client that lies could choose them: ids that there are and are not, of the right kind and of
 * another, sizes at the edges, addresses of the device's and of the worker's memory, whatever the server has answered.
 * codegen makes a call of each op of them (cuda-forge.c); test-forged.c sends them.
 */
#ifndef PL_TEST_HOSTILE_FORGE_H
#define PL_TEST_HOSTILE_FORGE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/codec.h"

#define FORGE_SEEN  128u
#define FORGE_FRESH 64u
#define FORGE_IDS   512u
#define FORGE_BYTES (64u << 10) /* of one call's lists, texts and payload */
#define FORGE_PIECE 2048u       /* of one of them */

struct forge {
	uint64_t state;
	uint64_t seen[FORGE_SEEN]; /* addresses and words of answers */
	uint32_t seen_count, ids_count;
	struct {
		uint64_t id;
		uint32_t kind;
	} ids[FORGE_IDS];
	uint64_t last_id;
	uint64_t arena_bytes; /* 0: the session shares no memory */
	/* Of the call at hand. */
	struct pl_bulk bulk; /* INLINE: none is sent beside the record */
	bool bulk_used;
	uint32_t used_bytes;
	uint32_t fresh_count; /* objects that it makes */
	struct {
		uint64_t id;
		uint32_t kind;
	} fresh[FORGE_FRESH];
	_Alignas(8) uint8_t bytes[FORGE_BYTES];
	uint8_t payload[FORGE_PIECE];
};

struct forge_call {
	uint16_t op;
	const char *name;
	uint64_t (*make)(struct forge *forge, uint8_t *room,
			 uint64_t room_bytes); /* Return: bytes; 0: it has no room */
};
extern const struct forge_call forge_calls[];
extern const unsigned forge_calls_count;

void forge_begin(struct forge *forge, uint64_t seed);
void forge_call_begin(struct forge *forge);               /* before each make() */
void forge_call_end(struct forge *forge, bool succeeded); /* what it should make is there, or not */
void forge_see(struct forge *forge, uint64_t word);
void forge_own(struct forge *forge, uint32_t kind, uint64_t id); /* there is such an object */

uint32_t forge_pick(struct forge *forge, uint32_t count); /* below it */
uint64_t forge_word(struct forge *forge);
uint32_t forge_half(struct forge *forge); /* more often small: numbers of the API */
uint64_t forge_id(struct forge *forge, uint32_t kind);
uint64_t forge_new(struct forge *forge, uint32_t kind);
uint64_t forge_address(struct forge *forge); /* mostly one that was answered */
uint64_t forge_size(struct forge *forge);
uint32_t forge_bits(struct forge *forge);
struct pl_u64s forge_ids(struct forge *forge, uint32_t kind);
struct pl_u64s forge_words(struct forge *forge);
struct pl_u32s forge_halves(struct forge *forge);
struct pl_bytes forge_bytes(struct forge *forge);
const char *forge_text(struct forge *forge);
struct pl_bulk forge_bulk(struct forge *forge);
void forge_fill(struct forge *forge, void *to, uint64_t bytes);

#endif
