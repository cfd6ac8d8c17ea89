/* Made by codegen/plgen.py from small-nvml.api; do not edit. */
/*
 * Every decoder on bytes from a hostile peer.  Input: two bytes that choose the record, then its body.  What is
 * decoded is read to its last byte (the sanitizer watches), and a whole record must measure and
 * encode to what it was made from.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nvml-wire.h"

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

static void try_pl_nvml_nvmlSystemGetDriverVersion_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlSystemGetDriverVersion_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlSystemGetDriverVersion_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlSystemGetDriverVersion_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlSystemGetDriverVersion_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlSystemGetDriverVersion_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlSystemGetDriverVersion_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlSystemGetDriverVersion_reply_get(dec, &r);
	touch(r.version.at, r.version.bytes);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlSystemGetDriverVersion_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlSystemGetDriverVersion_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlDeviceGetCount_v2_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlDeviceGetCount_v2_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlDeviceGetCount_v2_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlDeviceGetCount_v2_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlDeviceGetCount_v2_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlDeviceGetCount_v2_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlDeviceGetCount_v2_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlDeviceGetCount_v2_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlDeviceGetCount_v2_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlDeviceGetCount_v2_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlDeviceGetMemoryInfo_v2_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlDeviceGetMemoryInfo_v2_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlDeviceGetMemoryInfo_v2_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlDeviceGetMemoryInfo_v2_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_get(dec, &r);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void try_pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply(struct pl_dec *dec, const uint8_t *body)
{
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply r;
	struct pl_enc enc;
	uint8_t *room;

	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_get(dec, &r);
	touch(r.infos.at, r.infos.count * 8);
	if (!pl_dec_whole(dec))
		return;
	room = room_for(pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_bytes(&r), dec, body);
	enc.at = room;
	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply_put(&enc, &r);
	assert(enc.at - room == dec->end - body);
	free(room);
}

static void (*const decoders[])(struct pl_dec *dec, const uint8_t *body) = {
	try_pl_nvml_nvmlSystemGetDriverVersion_args,
	try_pl_nvml_nvmlSystemGetDriverVersion_reply,
	try_pl_nvml_nvmlDeviceGetCount_v2_args,
	try_pl_nvml_nvmlDeviceGetCount_v2_reply,
	try_pl_nvml_nvmlDeviceGetMemoryInfo_v2_args,
	try_pl_nvml_nvmlDeviceGetMemoryInfo_v2_reply,
	try_pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args,
	try_pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_reply,
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
