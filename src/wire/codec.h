/*
 * Fields of a record.  Every field takes a multiple of 8 bytes; arrays and byte strings carry their length in front.
 * The encoder writes into room that was measured before; the decoder is sticky-fatal: after the first field that is
 * not whole or breaks its limit, `failed` is set and everything reads as zero, so that a handler may take all fields
 * first and ask once.  The decoder reads private memory only: nobody can change a record under it.
 */
#ifndef PL_WIRE_CODEC_H
#define PL_WIRE_CODEC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire/short.h"
#include "wire/wire.h"

#define PL_WIRE_PAD(n) (((uint64_t)(n) + 7) & ~(uint64_t)7)

enum pl_bulk_kind {
	PL_BULK_INLINE, /* the bytes lie in the record */
	PL_BULK_ARENA,  /* they lie in the session's shared arena, at `offset` */
	PL_BULK_STREAM, /* they came in front of this record as a PL_WIRE_BULK record */
	PL_BULK_AFTER,  /* they follow this record (head.bulk_bytes); the handler takes them off the lane */
};

/* A bulk field.  Encoder: set by pl_bulk_prepare() (client) or by hand.  Decoder: `data` points at the bytes, except
 * for PL_BULK_AFTER, where it is NULL; borrowed until the handler returns (ARENA: the client may change the bytes). */
struct pl_bulk {
	uint32_t kind;      /* enum pl_bulk_kind */
	const void *data;
	uint64_t bytes;
	uint64_t offset;    /* PL_BULK_ARENA */
};

/* Arrays in decoded arguments point into the record: borrowed until the handler returns. */
struct pl_u64s { const uint64_t *at; uint64_t count; };
struct pl_u32s { const uint32_t *at; uint64_t count; };
struct pl_bytes { const void *at; uint64_t bytes; };

struct pl_enc {
	uint8_t *at;
};

struct pl_dec {
	const uint8_t *at, *end;
	bool failed;
	const uint8_t *arena;      /* for PL_BULK_ARENA; NULL = none */
	uint64_t arena_bytes;
	const void *stream;        /* for PL_BULK_STREAM: what the last bulk record brought */
	uint64_t stream_bytes;
	uint64_t after_bytes;      /* for PL_BULK_AFTER: head.bulk_bytes */
};

/* ---- sizes ---- */

static inline uint64_t pl_size_array(uint64_t count, uint64_t each)
{
	return 8 + PL_WIRE_PAD(count * each);
}

static inline uint64_t pl_size_bulk(const struct pl_bulk *bulk)
{
	return 24 + (bulk->kind == PL_BULK_INLINE ? PL_WIRE_PAD(bulk->bytes) : 0);
}

/* ---- encoder ---- */

static inline void pl_enc_u64(struct pl_enc *enc, uint64_t value)
{
	memcpy(enc->at, &value, 8);
	enc->at += 8;
}

static inline void pl_enc_raw(struct pl_enc *enc, const void *data, uint64_t bytes)
{
	uint64_t pad = PL_WIRE_PAD(bytes) - bytes;

	if (bytes)
		memcpy(enc->at, data, bytes);
	if (pad)
		memset(enc->at + bytes, 0, pad);
	enc->at += bytes + pad;
}

/* A float travels as its bits. */
static inline void pl_enc_f32(struct pl_enc *enc, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	pl_enc_u64(enc, bits);
}

static inline void pl_enc_array(struct pl_enc *enc, const void *data, uint64_t count, uint64_t each)
{
	pl_enc_u64(enc, count);
	if (!count)
		return;
	if (!(count * each % 4) && count * each <= PL_SHORT_BYTES) {
		enc->at = pl_short_copy(enc->at, data, count * each);
		return;
	}
	pl_enc_raw(enc, data, count * each);
}

static inline void pl_enc_bulk(struct pl_enc *enc, const struct pl_bulk *bulk)
{
	pl_enc_u64(enc, bulk->kind);
	pl_enc_u64(enc, bulk->bytes);
	pl_enc_u64(enc, bulk->offset);
	if (bulk->kind == PL_BULK_INLINE)
		pl_enc_raw(enc, bulk->data, bulk->bytes);
}

/* ---- decoder ---- */

static inline void pl_dec_fail(struct pl_dec *dec)
{
	dec->failed = true;
	dec->at = dec->end;
}

static inline uint64_t pl_dec_u64(struct pl_dec *dec)
{
	uint64_t value;

	if ((uint64_t)(dec->end - dec->at) < 8) {
		pl_dec_fail(dec);
		return 0;
	}
	memcpy(&value, dec->at, 8);
	dec->at += 8;
	return value;
}

static inline uint32_t pl_dec_u32(struct pl_dec *dec)
{
	uint64_t value = pl_dec_u64(dec);

	if (value > UINT32_MAX) {
		pl_dec_fail(dec);
		return 0;
	}
	return (uint32_t)value;
}

/* An i32 is sent as its sign-extended 64-bit value. */
static inline int32_t pl_dec_i32(struct pl_dec *dec)
{
	int64_t value = (int64_t)pl_dec_u64(dec);

	if (value < INT32_MIN || value > INT32_MAX) {
		pl_dec_fail(dec);
		return 0;
	}
	return (int32_t)value;
}

static inline float pl_dec_f32(struct pl_dec *dec)
{
	uint32_t bits = pl_dec_u32(dec);
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Bytes of a fixed number, without a length in front; all zero where they are not whole. */
static inline void pl_dec_raw(struct pl_dec *dec, void *to, uint64_t bytes)
{
	if ((uint64_t)(dec->end - dec->at) < PL_WIRE_PAD(bytes)) {
		pl_dec_fail(dec);
		memset(to, 0, bytes);
		return;
	}
	memcpy(to, dec->at, bytes);
	dec->at += PL_WIRE_PAD(bytes);
}

/* Elements of an array: NULL and *count_out = 0 where it is empty or not whole. */
static inline const void *pl_dec_array(struct pl_dec *dec, uint64_t each, uint64_t count_max, uint64_t *count_out)
{
	uint64_t count = pl_dec_u64(dec);
	const void *at = dec->at;

	*count_out = 0;
	if (count > count_max || count > (uint64_t)(dec->end - dec->at) / each ||
	    PL_WIRE_PAD(count * each) > (uint64_t)(dec->end - dec->at)) {
		pl_dec_fail(dec);
		return NULL;
	}
	if (!count)
		return NULL;
	dec->at += PL_WIRE_PAD(count * each);
	*count_out = count;
	return at;
}

static inline struct pl_u64s pl_dec_u64s(struct pl_dec *dec, uint64_t count_max)
{
	struct pl_u64s array;
	array.at = pl_dec_array(dec, 8, count_max, &array.count);
	return array;
}

static inline struct pl_u32s pl_dec_u32s(struct pl_dec *dec, uint64_t count_max)
{
	struct pl_u32s array;
	array.at = pl_dec_array(dec, 4, count_max, &array.count);
	return array;
}

static inline struct pl_bytes pl_dec_bytes(struct pl_dec *dec, uint64_t bytes_max)
{
	struct pl_bytes bytes;
	bytes.at = pl_dec_array(dec, 1, bytes_max, &bytes.bytes);
	return bytes;
}

/* Records of so many words each; count_max counts records. */
static inline struct pl_u64s pl_dec_records(struct pl_dec *dec, uint64_t words_each, uint64_t count_max)
{
	struct pl_u64s words = pl_dec_u64s(dec, count_max * words_each);

	if (words.count % words_each) {
		pl_dec_fail(dec);
		return (struct pl_u64s){ NULL, 0 };
	}
	return words;
}

/* A string travels with its NUL; one inside it, or none at the end, is a fault.  Never NULL. */
const char *pl_dec_string(struct pl_dec *dec, uint64_t bytes_max);
struct pl_bulk pl_dec_bulk(struct pl_dec *dec, uint64_t bytes_max);

/* True when the record was whole and nothing is left over. */
static inline bool pl_dec_whole(const struct pl_dec *dec)
{
	return !dec->failed && dec->at == dec->end;
}

#endif
