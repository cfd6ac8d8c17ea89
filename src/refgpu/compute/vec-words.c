/*
 * Vectors of 8 or 16 bytes of each lane, between memory and slots: four lanes at a time are a tile that is turned. Each
 * vector moves whole, as on hardware: scans (CUB) hand a value and its state to other blocks in one.
 */
#include "refgpu/compute/tiles.h"
#include "refgpu/compute/vec-mem.h"

typedef uint64_t quad __attribute__((vector_size(16), may_alias));

#define WHOLE(at) (*(volatile quad *)(void *)(at))
#define HALF(at)  (*(volatile uint64_t *)(void *)(at))

/* Four lanes; d: of the first one. */
static inline void load_quads(char *d, uint8_t *const at[4])
{
	v16x8 v[4];

	for (unsigned k = 0; k < 4; k++)
		v[k] = (v16x8)WHOLE(at[k]);
	tile_turn32(v);
	for (unsigned k = 0; k < 4; k++)
		tile_store(d + k * PL_SM_SLOT_BYTES, v[k]);
}

static inline void store_quads(const char *d, uint8_t *const at[4])
{
	v16x8 v[4];

	for (unsigned k = 0; k < 4; k++)
		v[k] = tile_load(d + k * PL_SM_SLOT_BYTES);
	tile_turn32(v);
	for (unsigned k = 0; k < 4; k++)
		WHOLE(at[k]) = (quad)v[k];
}

static inline void load_pairs(char *d, uint8_t *const at[4])
{
	v2x64 low = { HALF(at[0]), HALF(at[1]) }, high = { HALF(at[2]), HALF(at[3]) };

	tile_store(d, EVEN32(low, high));
	tile_store(d + PL_SM_SLOT_BYTES, ODD32(low, high));
}

static inline void store_pairs(const char *d, uint8_t *const at[4])
{
	v16x8 a = tile_load(d), b = tile_load(d + PL_SM_SLOT_BYTES);
	v2x64 low = (v2x64)MIX32_LOW(a, b), high = (v2x64)MIX32_HIGH(a, b);

	HALF(at[0]) = low[0], HALF(at[1]) = low[1];
	HALF(at[2]) = high[0], HALF(at[3]) = high[1];
}

/* Two words of 64 bits. */
static inline void load_wide(char *d, uint8_t *const at[4])
{
	for (unsigned k = 0; k < 4; k += 2) {
		v16x8 a = (v16x8)WHOLE(at[k]), b = (v16x8)WHOLE(at[k + 1]);

		tile_store(d + k * 8, MIX64_LOW(a, b));
		tile_store(d + k * 8 + 2 * PL_SM_SLOT_BYTES, MIX64_HIGH(a, b));
	}
}

static inline void store_wide(const char *d, uint8_t *const at[4])
{
	for (unsigned k = 0; k < 4; k += 2) {
		v16x8 a = tile_load(d + k * 8), b = tile_load(d + k * 8 + 2 * PL_SM_SLOT_BYTES);

		WHOLE(at[k]) = (quad)MIX64_LOW(a, b);
		WHOLE(at[k + 1]) = (quad)MIX64_HIGH(a, b);
	}
}

/* One lane. */
static void move_one(char *d, uint8_t *at, unsigned i, unsigned words, unsigned each, bool store)
{
	union {
		uint32_t word[4];
		uint64_t two;
		quad four;
	} v = { .word = { 0 } };

	if (!store && words == 4)
		v.four = WHOLE(at);
	else if (!store)
		v.two = HALF(at);
	for (unsigned k = 0; k < words; k++) {
		char *slot = d + k / each * each * PL_SM_SLOT_BYTES + (i * each + k % each) * 4;

		if (store)
			memcpy(&v.word[k], slot, 4);
		else
			memcpy(slot, &v.word[k], 4);
	}
	if (store && words == 4)
		WHOLE(at) = v.four;
	else if (store)
		HALF(at) = v.two;
}

#define GROUPS(load, store_)                                                                                           \
	do {                                                                                                           \
		for (unsigned i = 0; i < 32; i += 4) {                                                                 \
			uint8_t *const at[4] = { host + rel[i], host + rel[i + 1], host + rel[i + 2],                  \
						 host + rel[i + 3] };                                                  \
			if ((mask >> i & 15) != 15)                                                                    \
				continue;                                                                              \
			if (store)                                                                                     \
				store_(d + i * 4 * each, at);                                                          \
			else                                                                                           \
				load(d + i * 4 * each, at);                                                            \
		}                                                                                                      \
	} while (0)

void V(pl_sm_vectors_move)(char *d, uint8_t *host, const uint32_t rel[32], uint32_t mask, unsigned words, unsigned each,
			   bool store)
{
	uint32_t whole = mask & mask >> 1 & mask >> 2 & mask >> 3 & 0x11111111;

	if (words == 2)
		GROUPS(load_pairs, store_pairs);
	else if (each == 1)
		GROUPS(load_quads, store_quads);
	else
		GROUPS(load_wide, store_wide);
	for (mask &= ~(whole * 15); mask; mask &= mask - 1)
		move_one(d, host + rel[FIRST(mask)], FIRST(mask), words, each, store);
}
