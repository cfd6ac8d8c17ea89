#include "wire/codec.h"

const char *pl_dec_string(struct pl_dec *dec, uint64_t bytes_max)
{
	struct pl_bytes bytes = pl_dec_bytes(dec, bytes_max);
	const char *text = bytes.at;

	if (!text || strnlen(text, bytes.bytes) != bytes.bytes - 1) {
		pl_dec_fail(dec);
		return "";
	}
	return text;
}

struct pl_bulk pl_dec_bulk(struct pl_dec *dec, uint64_t bytes_max)
{
	struct pl_bulk bulk = { .kind = pl_dec_u32(dec) };
	struct pl_bulk none = { .kind = PL_BULK_INLINE };

	bulk.bytes = pl_dec_u64(dec);
	bulk.offset = pl_dec_u64(dec);
	if (dec->failed || bulk.bytes > bytes_max || bulk.bytes > PL_WIRE_BULK_MAX)
		goto fail;
	switch (bulk.kind) {
	case PL_BULK_INLINE:
		if (PL_WIRE_PAD(bulk.bytes) > (uint64_t)(dec->end - dec->at))
			goto fail;
		bulk.data = bulk.bytes ? dec->at : NULL;
		dec->at += PL_WIRE_PAD(bulk.bytes);
		return bulk;
	case PL_BULK_ARENA:
		if (!dec->arena || bulk.offset > dec->arena_bytes || bulk.bytes > dec->arena_bytes - bulk.offset)
			goto fail;
		bulk.data = dec->arena + bulk.offset;
		return bulk;
	case PL_BULK_STREAM:
		if (bulk.bytes != dec->stream_bytes)
			goto fail;
		bulk.data = dec->stream;
		return bulk;
	case PL_BULK_AFTER:
		if (bulk.bytes != dec->after_bytes)
			goto fail;
		return bulk;
	}
fail:
	pl_dec_fail(dec);
	return none;
}
