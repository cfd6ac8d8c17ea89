/* Made by codegen/plgen.py from small.api; do not edit. */
/*
 * Every decoder on bytes from a hostile peer.  Input: two bytes that choose the record, then its body.  What is
 * decoded is read to its last byte (the sanitizer watches), and a whole record must measure and
 * encode to what it was made from.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "opencl-wire.h"

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

static void touch_bulk(const struct pl_bulk *bulk)
{
	if (bulk->kind != PL_BULK_AFTER)
		touch(bulk->data, bulk->bytes);
}

/* The room for an encoded record; the caller frees. */
static uint8_t *room_for(uint64_t bytes, const struct pl_dec *dec, const uint8_t *body)
{
	uint8_t *room = malloc(bytes ? bytes : 1);

	assert(bytes == (uint64_t)(dec->end - body));
	assert(room);
	return room;
}

static void try_pl_cl_clGetPlatformIDs_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clGetPlatformIDs_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clGetPlatformIDs_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clGetPlatformIDs_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clGetPlatformIDs_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clGetPlatformIDs_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clGetPlatformIDs_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clGetPlatformIDs_reply_get(dec, &r);
	touch(r.platforms.at, r.platforms.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clGetPlatformIDs_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clGetPlatformIDs_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clCreateBuffer_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clCreateBuffer_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clCreateBuffer_get(dec, &r);
	touch(r.properties.at, r.properties.count * 8);
	touch_bulk(&r.data);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clCreateBuffer_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clCreateBuffer_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clEnqueueReadBuffer_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clEnqueueReadBuffer_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clEnqueueReadBuffer_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clEnqueueReadBuffer_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clEnqueueReadBuffer_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clEnqueueReadBuffer_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clEnqueueReadBuffer_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clEnqueueReadBuffer_reply_get(dec, &r);
	touch_bulk(&r.data);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clEnqueueReadBuffer_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clEnqueueReadBuffer_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clEnqueueFillBuffer_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clEnqueueFillBuffer_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clEnqueueFillBuffer_get(dec, &r);
	touch(r.pattern.at, r.pattern.bytes);
	touch(r.waits.at, r.waits.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clEnqueueFillBuffer_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clEnqueueFillBuffer_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clEnqueueFillImage_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clEnqueueFillImage_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clEnqueueFillImage_get(dec, &r);
	touch(r.fill_color.at, r.fill_color.bytes);
	touch(r.waits.at, r.waits.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clEnqueueFillImage_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clEnqueueFillImage_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clEnqueueWaitForEvents_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clEnqueueWaitForEvents_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clEnqueueWaitForEvents_get(dec, &r);
	touch(r.events.at, r.events.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clEnqueueWaitForEvents_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clEnqueueWaitForEvents_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_clSetDefaultDeviceCommandQueue_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_clSetDefaultDeviceCommandQueue_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_clSetDefaultDeviceCommandQueue_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_clSetDefaultDeviceCommandQueue_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_clSetDefaultDeviceCommandQueue_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_plRelease_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_plRelease_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_plRelease_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_plRelease_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_plRelease_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_plInfo_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_plInfo_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_plInfo_get(dec, &r);
	touch(r.input.at, r.input.bytes);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_plInfo_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_plInfo_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_plInfo_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_plInfo_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_plInfo_reply_get(dec, &r);
	touch(r.value.at, r.value.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_plInfo_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_plInfo_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cl_plNotify_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cl_plNotify_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cl_plNotify_get(dec, &r);
	touch(r.marks.at, r.marks.count * 4);
	touch(r.text, strlen(r.text) + 1);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cl_plNotify_bytes(&r), dec, body);
	enc.at = room;
	pl_cl_plNotify_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void (*const decoders[])(struct pl_dec *dec, const uint8_t *body) = {
	try_pl_cl_clGetPlatformIDs_args,
	try_pl_cl_clGetPlatformIDs_reply,
	try_pl_cl_clCreateBuffer_args,
	try_pl_cl_clEnqueueReadBuffer_args,
	try_pl_cl_clEnqueueReadBuffer_reply,
	try_pl_cl_clEnqueueFillBuffer_args,
	try_pl_cl_clEnqueueFillImage_args,
	try_pl_cl_clEnqueueWaitForEvents_args,
	try_pl_cl_clSetDefaultDeviceCommandQueue_args,
	try_pl_cl_plRelease_args,
	try_pl_cl_plInfo_args,
	try_pl_cl_plInfo_reply,
	try_pl_cl_plNotify_args,
};

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
