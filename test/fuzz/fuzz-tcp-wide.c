/*
 * What a peer sends on a lane's further connections: chunks of a wide payload.  A payload that comes whole has in each
 * place a byte that some chunk brought there; all else ends the lane.
 *
 * Input: u16 bytes of the payload, u8 size of the parts in which it is taken, u16 bytes of the first connection's
 * stream; the rest is the second's.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "link/tcp/tcp.h"

#define STREAM_BYTES_MAX (64u << 10) /* fits the socket's buffer */
#define STREAMS          2u

struct stream {
	const uint8_t *at;
	size_t bytes;
};

/* The byte at `place`, by a plain reading of the streams' chunks.  Return: one of them brought it. */
static int brought(const struct stream *streams, uint64_t place, uint8_t byte)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		const uint8_t *at = streams[i].at, *end = at + streams[i].bytes;

		while ((size_t)(end - at) >= sizeof(struct pl_wire_chunk)) {
			struct pl_wire_chunk chunk;

			memcpy(&chunk, at, sizeof(chunk));
			at += sizeof(chunk);
			if (chunk.bytes > (size_t)(end - at))
				chunk.bytes = (uint32_t)(end - at);
			if (place >= chunk.offset && place - chunk.offset < chunk.bytes && chunk.payload == 1 &&
			    at[place - chunk.offset] == byte)
				return 1;
			at += chunk.bytes;
		}
	}
	return 0;
}

static void connection_add(struct pl_lane *lane, const struct stream *stream)
{
	static const struct pl_wire_chunk word;
	int fds[2];

	pl_fuzz_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	pl_fuzz_check(!lane->ops->more(lane, fds[0], false));
	pl_fuzz_check(send(fds[1], &word, sizeof(word), MSG_NOSIGNAL) == sizeof(word));
	if (stream->bytes)
		pl_fuzz_check(send(fds[1], stream->at, stream->bytes, MSG_NOSIGNAL) == (ssize_t)stream->bytes);
	close(fds[1]);
}

static void payload_take(struct pl_lane *lane, const struct stream *streams, uint64_t bytes, size_t part_bytes)
{
	uint8_t *data = malloc(bytes);
	uint64_t at = 0;
	int r = 0;

	pl_fuzz_check(data != NULL);
	while (at < bytes && !r) {
		uint64_t part = bytes - at < part_bytes ? bytes - at : part_bytes;

		r = pl_lane_recv_bulk(lane, data + at, part);
		for (uint64_t i = 0; !r && i < part; i++)
			pl_fuzz_check(brought(streams, at + i, data[at + i]));
		at += part;
	}
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_fuzz fuzz = { data, data + size };
	struct pl_wire_head record = { .len_bytes = sizeof(record), .flags = PL_WIRE_WIDE };
	size_t part, first;
	struct stream streams[STREAMS];
	const struct pl_wire_head *head;
	struct pl_lane *lane;
	int fds[2];

	record.bulk_bytes = pl_fuzz_number(&fuzz, 2) % 4096 + 1;
	part = pl_fuzz_number(&fuzz, 1) % 256 + 1;
	first = pl_fuzz_number(&fuzz, 2);
	if (pl_fuzz_left(&fuzz) > STREAM_BYTES_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return 0;
	streams[0].at = pl_fuzz_bytes(&fuzz, first, &streams[0].bytes);
	streams[1].at = pl_fuzz_bytes(&fuzz, pl_fuzz_left(&fuzz), &streams[1].bytes);
	pl_fuzz_check(!pl_tcp_lane_create(fds[0], &lane));
	for (unsigned i = 0; i < STREAMS; i++)
		connection_add(lane, &streams[i]);
	pl_fuzz_check(send(fds[1], &record, sizeof(record), MSG_NOSIGNAL) == sizeof(record));
	close(fds[1]);
	pl_fuzz_check(!pl_lane_recv(lane, UINT64_MAX, &head) && head->bulk_bytes == record.bulk_bytes && !head->flags);
	payload_take(lane, streams, record.bulk_bytes, part);
	pl_lane_destroy(lane);
	return 0;
}
