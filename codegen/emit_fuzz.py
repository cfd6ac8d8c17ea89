"""fuzz-<api>-decode.c: feeds bytes to every decoder."""

from cgen import note
from emit_wire import records

HEAD = """/*
 * Every decoder on bytes from a hostile peer.  Input: two bytes that choose the record, then its body.  What is
 * decoded is read to its last byte (the sanitizer watches), and a whole record must measure and
 * encode to what it was made from.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "{api}-wire.h"

#define ARENA_BYTES 4096u
#define STREAM_BYTES 100u
#define AFTER_BYTES 5000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void touch(const void *at, uint64_t bytes)
{
	const uint8_t *from = at;
	uint8_t sum = 0;

	for (uint64_t i = 0; i < bytes; i++)
		sum ^= from[i];
	sink = sum;
}

@BULK@/* The room for an encoded record; the caller frees. */
static uint8_t *room_for(uint64_t bytes, const struct pl_dec *dec, const uint8_t *body)
{
	uint8_t *room = malloc(bytes ? bytes : 1);

	assert(bytes == (uint64_t)(dec->end - body));
	assert(room);
	return room;
}
"""

BULK = """static void touch_bulk(const struct pl_bulk *bulk)
{
	if (bulk->kind != PL_BULK_AFTER)
		touch(bulk->data, bulk->bytes);
}

"""

TAIL = """
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t arena[ARENA_BYTES], stream[STREAM_BYTES];
	uint16_t which;
	uint8_t *body;
	struct pl_dec dec;

	if (size < sizeof(which))
		return 0;
	memcpy(&which, data, sizeof(which));
	which %= sizeof(decoders) / sizeof(decoders[0]);
	size -= sizeof(which);
	body = malloc(size ? size : 1); /* of its own and exact: one byte too far is seen */
	if (!body)
		return 0;
	memcpy(body, data + sizeof(which), size);
	dec = (struct pl_dec){ .at = body, .end = body + size, .arena = arena, .arena_bytes = sizeof(arena),
			       .stream = stream, .stream_bytes = sizeof(stream), .after_bytes = AFTER_BYTES };
	decoders[which](&dec, body);
	free(body);
	return 0;
}
"""

TOUCHES = {"ids": "touch(r.{0}.at, r.{0}.count * 8);", "u64s": "touch(r.{0}.at, r.{0}.count * 8);",
           "u32s": "touch(r.{0}.at, r.{0}.count * 4);", "bytes": "touch(r.{0}.at, r.{0}.bytes);",
           "string": "touch(r.{0}, strlen(r.{0}) + 1);", "bulk": "touch_bulk(&r.{0});",
           "properties": "touch(r.{0}.at, r.{0}.count * 8);", "records": "touch(r.{0}.at, r.{0}.count * 8);"}


def decoder(name, prefix, fields):
    out = [f"static void try_{name}(struct pl_dec *dec, const uint8_t *body)", "{", f"\tstruct {name} r;",
           "\tstruct pl_enc enc;", "\tuint8_t *room;", "", f"\t{prefix}_get(dec, &r);"]
    out += ["\t" + TOUCHES[f.type].format(f.name) for f in fields if f.type in TOUCHES]
    out += ["\tif (!pl_dec_whole(dec))", "\t\treturn;", f"\troom = room_for({prefix}_bytes(&r), dec, body);",
            "\tenc.at = room;", f"\t{prefix}_put(&enc, &r);", "\tassert(enc.at - room == dec->end - body);",
            "\tfree(room);", "}", ""]
    return out


def harness(spec):
    bulk = BULK if any(f.type == "bulk" for _, _, fields in records(spec) for f in fields) else ""
    out = [note(spec).rstrip(), HEAD.replace("{api}", spec.api).replace("@BULK@", bulk)]
    names = []
    for name, prefix, fields in records(spec):
        out += decoder(name, prefix, fields)
        names.append(name)
    out.append("static void (*const decoders[])(struct pl_dec *dec, const uint8_t *body) = {")
    out += [f"\ttry_{name}," for name in names]
    return "\n".join(out + ["};", TAIL.rstrip()]) + "\n"
