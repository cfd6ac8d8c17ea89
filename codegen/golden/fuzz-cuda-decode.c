/* Made by codegen/plgen.py from small-cuda.api; do not edit. */
/*
 * Every decoder on bytes from a hostile peer.  Input: two bytes that choose the record, then its body.  What is
 * decoded is read to its last byte (the sanitizer watches), and a whole record must measure and
 * encode to what it was made from.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cuda-wire.h"

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

/* The room for an encoded record; the caller frees. */
static uint8_t *room_for(uint64_t bytes, const struct pl_dec *dec, const uint8_t *body)
{
	uint8_t *room = malloc(bytes ? bytes : 1);

	assert(bytes == (uint64_t)(dec->end - body));
	assert(room);
	return room;
}

static void try_pl_cuda_cuDeviceGetName_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuDeviceGetName_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuDeviceGetName_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuDeviceGetName_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuDeviceGetName_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuDeviceGetName_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuDeviceGetName_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuDeviceGetName_reply_get(dec, &r);
	touch(r.name.at, r.name.bytes);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuDeviceGetName_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuDeviceGetName_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuCtxGetLimit_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuCtxGetLimit_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuCtxGetLimit_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuCtxGetLimit_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuCtxGetLimit_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuCtxGetLimit_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuCtxGetLimit_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuCtxGetLimit_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuCtxGetLimit_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuCtxGetLimit_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuCtxCreate_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuCtxCreate_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuCtxCreate_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuCtxCreate_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuCtxCreate_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuCtxDestroy_v2_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuCtxDestroy_v2_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuCtxDestroy_v2_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuCtxDestroy_v2_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuCtxDestroy_v2_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuMemsetD8_v2_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuMemsetD8_v2_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuMemsetD8_v2_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuMemsetD8_v2_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuMemsetD8_v2_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuMemsetD8Async_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuMemsetD8Async_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuMemsetD8Async_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuMemsetD8Async_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuMemsetD8Async_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuMemSetAccess_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuMemSetAccess_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuMemSetAccess_get(dec, &r);
	touch(r.accesses.at, r.accesses.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuMemSetAccess_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuMemSetAccess_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuMemGetAccess_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuMemGetAccess_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuMemGetAccess_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuMemGetAccess_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuMemGetAccess_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuMemGetAccess_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuMemGetAccess_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuMemGetAccess_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuMemGetAccess_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuMemGetAccess_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuGraphGetNodes_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuGraphGetNodes_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuGraphGetNodes_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuGraphGetNodes_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuGraphGetNodes_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuGraphGetNodes_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuGraphGetNodes_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuGraphGetNodes_reply_get(dec, &r);
	touch(r.nodes.at, r.nodes.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuGraphGetNodes_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuGraphGetNodes_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuIpcGetMemHandle_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuIpcGetMemHandle_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuIpcGetMemHandle_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuIpcGetMemHandle_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuIpcGetMemHandle_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuIpcGetMemHandle_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuIpcGetMemHandle_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuIpcGetMemHandle_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuIpcGetMemHandle_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuIpcGetMemHandle_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuMemAdvise_v2_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuMemAdvise_v2_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuMemAdvise_v2_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuMemAdvise_v2_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuMemAdvise_v2_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuLaunchHostFunc_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuLaunchHostFunc_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuLaunchHostFunc_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuLaunchHostFunc_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuLaunchHostFunc_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuStreamGetWindow_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuStreamGetWindow_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuStreamGetWindow_get(dec, &r);
	touch(r.places.at, r.places.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuStreamGetWindow_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuStreamGetWindow_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuStreamGetWindow_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuStreamGetWindow_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuStreamGetWindow_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuStreamGetWindow_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuStreamGetWindow_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuGraphLoad_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuGraphLoad_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuGraphLoad_get(dec, &r);
	touch(r.path, strlen(r.path) + 1);
	touch(r.data.at, r.data.bytes);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuGraphLoad_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuGraphLoad_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_cuGraphLoad_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_cuGraphLoad_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_cuGraphLoad_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_cuGraphLoad_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_cuGraphLoad_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_cuda_plCurrent_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_cuda_plCurrent_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_cuda_plCurrent_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_cuda_plCurrent_bytes(&r), dec, body);
	enc.at = room;
	pl_cuda_plCurrent_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void (*const decoders[])(struct pl_dec *dec, const uint8_t *body) = {
	try_pl_cuda_cuDeviceGetName_args,
	try_pl_cuda_cuDeviceGetName_reply,
	try_pl_cuda_cuCtxGetLimit_args,
	try_pl_cuda_cuCtxGetLimit_reply,
	try_pl_cuda_cuCtxCreate_args,
	try_pl_cuda_cuCtxDestroy_v2_args,
	try_pl_cuda_cuMemsetD8_v2_args,
	try_pl_cuda_cuMemsetD8Async_args,
	try_pl_cuda_cuMemSetAccess_args,
	try_pl_cuda_cuMemGetAccess_args,
	try_pl_cuda_cuMemGetAccess_reply,
	try_pl_cuda_cuGraphGetNodes_args,
	try_pl_cuda_cuGraphGetNodes_reply,
	try_pl_cuda_cuIpcGetMemHandle_args,
	try_pl_cuda_cuIpcGetMemHandle_reply,
	try_pl_cuda_cuMemAdvise_v2_args,
	try_pl_cuda_cuLaunchHostFunc_args,
	try_pl_cuda_cuStreamGetWindow_args,
	try_pl_cuda_cuStreamGetWindow_reply,
	try_pl_cuda_cuGraphLoad_args,
	try_pl_cuda_cuGraphLoad_reply,
	try_pl_cuda_plCurrent_args,
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
