/* Transpositions of small tiles whose rows lie anywhere: vectors of 16 bytes, which every extension has. */
#ifndef PL_REFGPU_COMPUTE_TILES_H
#define PL_REFGPU_COMPUTE_TILES_H

#include "refgpu/compute/vec.h"

typedef uint8_t v16x8 __attribute__((vector_size(16)));
typedef uint16_t v8x16 __attribute__((vector_size(16)));
typedef uint32_t v4x32 __attribute__((vector_size(16)));
typedef uint64_t v2x64 __attribute__((vector_size(16)));

#define MIX8_LOW(a, b)   __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define MIX16_LOW(a, b)  ((v16x8)__builtin_shufflevector((v8x16)(a), (v8x16)(b), 0, 8, 1, 9, 2, 10, 3, 11))
#define MIX16_HIGH(a, b) ((v16x8)__builtin_shufflevector((v8x16)(a), (v8x16)(b), 4, 12, 5, 13, 6, 14, 7, 15))
#define MIX32_LOW(a, b)  ((v16x8)__builtin_shufflevector((v4x32)(a), (v4x32)(b), 0, 4, 1, 5))
#define MIX32_HIGH(a, b) ((v16x8)__builtin_shufflevector((v4x32)(a), (v4x32)(b), 2, 6, 3, 7))
#define EVEN32(a, b)     ((v16x8)__builtin_shufflevector((v4x32)(a), (v4x32)(b), 0, 2, 4, 6))
#define ODD32(a, b)      ((v16x8)__builtin_shufflevector((v4x32)(a), (v4x32)(b), 1, 3, 5, 7))
#define MIX64_LOW(a, b)  ((v16x8)__builtin_shufflevector((v2x64)(a), (v2x64)(b), 0, 2))
#define MIX64_HIGH(a, b) ((v16x8)__builtin_shufflevector((v2x64)(a), (v2x64)(b), 1, 3))

static inline v16x8 tile_load(const void *at)
{
	v16x8 v;

	memcpy(&v, at, 16);
	return v;
}

static inline void tile_store(void *at, v16x8 v)
{
	memcpy(at, &v, 16);
}

/* 8 x 8 elements of 16 bits, one row in each vector: rows become columns. */
static inline void tile_turn16(v16x8 v[8])
{
	v16x8 a[8], b[8];

	for (int i = 0; i < 4; i++) { /* rows 2i and 2i + 1 side by side */
		a[2 * i] = MIX16_LOW(v[2 * i], v[2 * i + 1]);
		a[2 * i + 1] = MIX16_HIGH(v[2 * i], v[2 * i + 1]);
	}
	for (int i = 0; i < 2; i++) { /* rows 4i .. 4i + 3; columns in pairs */
		b[4 * i] = MIX32_LOW(a[4 * i], a[4 * i + 2]);
		b[4 * i + 1] = MIX32_HIGH(a[4 * i], a[4 * i + 2]);
		b[4 * i + 2] = MIX32_LOW(a[4 * i + 1], a[4 * i + 3]);
		b[4 * i + 3] = MIX32_HIGH(a[4 * i + 1], a[4 * i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		v[2 * i] = MIX64_LOW(b[i], b[4 + i]);
		v[2 * i + 1] = MIX64_HIGH(b[i], b[4 + i]);
	}
}

/* 8 x 8 bytes: row i lies in the low half of v[i]; columns come out two in each of v[0..3]. */
static inline void tile_turn8(v16x8 v[8])
{
	v16x8 a[4], b[4];

	for (int i = 0; i < 4; i++)
		a[i] = MIX8_LOW(v[2 * i], v[2 * i + 1]);
	for (int i = 0; i < 2; i++) {
		b[2 * i] = MIX16_LOW(a[2 * i], a[2 * i + 1]);
		b[2 * i + 1] = MIX16_HIGH(a[2 * i], a[2 * i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		v[2 * i] = MIX32_LOW(b[i], b[2 + i]);
		v[2 * i + 1] = MIX32_HIGH(b[i], b[2 + i]);
	}
}

/* 4 x 4 elements of 32 bits. */
static inline void tile_turn32(v16x8 v[4])
{
	v16x8 a[4] = { MIX32_LOW(v[0], v[1]), MIX32_HIGH(v[0], v[1]), MIX32_LOW(v[2], v[3]), MIX32_HIGH(v[2], v[3]) };

	v[0] = MIX64_LOW(a[0], a[2]);
	v[1] = MIX64_HIGH(a[0], a[2]);
	v[2] = MIX64_LOW(a[1], a[3]);
	v[3] = MIX64_HIGH(a[1], a[3]);
}

/* 2 x 2 elements of 64 bits. */
static inline void tile_turn64(v16x8 v[2])
{
	v16x8 first = v[0];

	v[0] = MIX64_LOW(first, v[1]);
	v[1] = MIX64_HIGH(first, v[1]);
}

/* 8 rows of 4 elements of 32 bits, one after the other: 4 rows of 8. */
static inline void tile_turn32_8(v16x8 out[8], const void *in)
{
	v16x8 v[8];

	for (int i = 0; i < 8; i++)
		v[i] = tile_load((const char *)in + 16 * i);
	tile_turn32(v);
	tile_turn32(v + 4);
	for (int k = 0; k < 4; k++) {
		out[2 * k] = v[k];
		out[2 * k + 1] = v[4 + k];
	}
}

#endif
