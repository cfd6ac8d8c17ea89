#include "base/digest.h"

#include <stdbool.h>
#include <string.h>

#define STRANDS      4u
#define BLOCK_BYTES  128u
#define STRIPE_BYTES (STRANDS * BLOCK_BYTES)
#define ROUNDS       12
#define WORDS        8 /* of a state */
#define OUT_BYTES    64u
/* Parameters in a state's first and third word: bytes of a digest, 4 strands, depth 2; a node's depth, bytes below. */
#define PARAMS_FIRST (OUT_BYTES | (uint64_t)STRANDS << 16 | 2ull << 24)
#define PARAMS_THIRD ((uint64_t)OUT_BYTES << 8)

/* One word of each of the four strands. */
typedef uint64_t words __attribute__((vector_size(8 * STRANDS)));

struct strands {
	words state[WORDS];
	words taken;       /* bytes, the block at hand included */
	words last, ender; /* all ones: its last block; that of the last node of its level */
	words goes;        /* all ones: takes part in this step */
};

static const uint64_t start[WORDS] = {
	0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
	0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

static const uint8_t order[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

#define TURN(x, n) (((x) >> (n)) | ((x) << (64 - (n))))

#define MIX(a, b, c, d, m0, m1)                                                                                        \
	do {                                                                                                           \
		(a) += (b) + (m0);                                                                                     \
		(d) = TURN((d) ^ (a), 32);                                                                             \
		(c) += (d);                                                                                            \
		(b) = TURN((b) ^ (c), 24);                                                                             \
		(a) += (b) + (m1);                                                                                     \
		(d) = TURN((d) ^ (a), 16);                                                                             \
		(c) += (d);                                                                                            \
		(b) = TURN((b) ^ (c), 63);                                                                             \
	} while (0)

static inline uint64_t word_at(const uint8_t *from, int at)
{
	uint64_t word;

	memcpy(&word, from + 8 * at, sizeof(word));
	return word;
}

/* A block of each strand. */
static inline __attribute__((always_inline)) void step(struct strands *s, const uint8_t *const block[STRANDS])
{
	words v[16], m[16];

	for (int i = 0; i < 16; i++)
		m[i] = (words){ word_at(block[0], i), word_at(block[1], i), word_at(block[2], i),
				word_at(block[3], i) };
	for (int i = 0; i < WORDS; i++) {
		v[i] = s->state[i];
		v[i + WORDS] = (words){ 0 } + start[i];
	}
	v[12] ^= s->taken;
	v[14] ^= s->last;
	v[15] ^= s->ender;
#pragma GCC unroll 12
	for (int r = 0; r < ROUNDS; r++) {
		const uint8_t *o = order[r % 10];

		MIX(v[0], v[4], v[8], v[12], m[o[0]], m[o[1]]);
		MIX(v[1], v[5], v[9], v[13], m[o[2]], m[o[3]]);
		MIX(v[2], v[6], v[10], v[14], m[o[4]], m[o[5]]);
		MIX(v[3], v[7], v[11], v[15], m[o[6]], m[o[7]]);
		MIX(v[0], v[5], v[10], v[15], m[o[8]], m[o[9]]);
		MIX(v[1], v[6], v[11], v[12], m[o[10]], m[o[11]]);
		MIX(v[2], v[7], v[8], v[13], m[o[12]], m[o[13]]);
		MIX(v[3], v[4], v[9], v[14], m[o[14]], m[o[15]]);
	}
	for (int i = 0; i < WORDS; i++)
		s->state[i] ^= (v[i] ^ v[i + WORDS]) & s->goes;
}

/* Whole stripes, none of them the last of a strand. */
static inline __attribute__((always_inline)) void stripes_run(struct strands *s, const uint8_t *data, size_t count)
{
	for (size_t i = 0; i < count; i++, data += STRIPE_BYTES) {
		const uint8_t *const block[STRANDS] = { data, data + BLOCK_BYTES, data + 2 * BLOCK_BYTES,
							data + 3 * BLOCK_BYTES };

		s->taken += BLOCK_BYTES;
		step(s, block);
	}
}

static void stripes(struct strands *s, const uint8_t *data, size_t count)
{
	stripes_run(s, data, count);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void stripes_wide(struct strands *s, const uint8_t *data, size_t count)
{
	stripes_run(s, data, count);
}

static bool wide(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
#define stripes_wide stripes
static bool wide(void)
{
	return false;
}
#endif

static void node_start(struct strands *s, uint32_t strand, uint64_t node_depth)
{
	for (int i = 0; i < WORDS; i++)
		s->state[i][strand] = start[i];
	s->state[0][strand] ^= PARAMS_FIRST;
	s->state[1][strand] ^= node_depth ? 0 : strand;
	s->state[2][strand] ^= PARAMS_THIRD | node_depth;
	s->goes[strand] = ~0ull;
}

/* What is behind the whole stripes: less than one, or a strand's only, empty block. */
static void rest_run(struct strands *s, const uint8_t *data, size_t bytes, bool only)
{
	uint8_t padded[STRANDS][BLOCK_BYTES] = { { 0 } };
	const uint8_t *const block[STRANDS] = { padded[0], padded[1], padded[2], padded[3] };

	for (uint32_t i = 0; i < STRANDS; i++) {
		size_t part = bytes > BLOCK_BYTES ? BLOCK_BYTES : bytes;

		if (part)
			memcpy(padded[i], data, part);
		s->goes[i] = part || only ? ~0ull : 0;
		s->taken[i] += part;
		data += part;
		bytes -= part;
	}
	s->last = (words){ 0 } - 1;
	s->ender[STRANDS - 1] = ~0ull;
	step(s, block);
}

/* The stripe before the rest: for strands that have nothing there it is the last. */
static void stripe_last(struct strands *s, const uint8_t *data, size_t rest_bytes)
{
	const uint8_t *const block[STRANDS] = { data, data + BLOCK_BYTES, data + 2 * BLOCK_BYTES,
						data + 3 * BLOCK_BYTES };

	for (uint32_t i = 0; i < STRANDS; i++)
		s->last[i] = rest_bytes <= (size_t)i * BLOCK_BYTES ? ~0ull : 0;
	s->ender[STRANDS - 1] = s->last[STRANDS - 1];
	s->taken += BLOCK_BYTES;
	step(s, block);
}

/* The node over the four strands. */
static void root_run(const struct strands *leaves, uint8_t *digest_out)
{
	uint8_t below[STRANDS][OUT_BYTES], out[OUT_BYTES];
	const uint8_t *first = below[0], *second = below[2];
	const uint8_t *const blocks[2][STRANDS] = { { first, first, first, first },
						    { second, second, second, second } };
	struct strands root = { 0 };

	for (uint32_t strand = 0; strand < STRANDS; strand++)
		for (int i = 0; i < WORDS; i++) {
			uint64_t word = leaves->state[i][strand];

			memcpy(below[strand] + 8 * i, &word, sizeof(word));
		}
	node_start(&root, 0, 1);
	root.taken += BLOCK_BYTES;
	step(&root, blocks[0]);
	root.taken += BLOCK_BYTES;
	root.last = root.ender = (words){ 0 } - 1;
	step(&root, blocks[1]);
	for (int i = 0; i < WORDS; i++) {
		uint64_t word = root.state[i][0];

		memcpy(out + 8 * i, &word, sizeof(word));
	}
	memcpy(digest_out, out, PL_DIGEST_BYTES);
}

void pl_digest(const void *data, size_t bytes, uint8_t digest_out[PL_DIGEST_BYTES])
{
	const size_t whole = bytes ? (bytes - 1) / STRIPE_BYTES : 0; /* stripes with something behind them */
	const size_t rest = bytes - whole * STRIPE_BYTES;
	const uint8_t *at = data;
	struct strands s = { 0 };

	for (uint32_t i = 0; i < STRANDS; i++)
		node_start(&s, i, 0);
	if (whole > 1) {
		(wide() ? stripes_wide : stripes)(&s, at, whole - 1);
		at += (whole - 1) * STRIPE_BYTES;
	}
	if (whole) {
		stripe_last(&s, at, rest);
		at += STRIPE_BYTES;
	}
	rest_run(&s, at, rest, !whole);
	root_run(&s, digest_out);
}
