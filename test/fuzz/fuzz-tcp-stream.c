/*
 * What a peer sends on a stream lane.  The lane must find the records that a plain reading of the same bytes finds, in
 * whatever pieces they come, and end the lane at the first that is none.
 *
 * Input: u16 bytes that come first, u8 size of the parts in which payload is taken, then the stream.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "link/tcp/tcp.h"

#define STREAM_BYTES_MAX (128u << 10) /* fits the socket's buffer */

struct model {
	const uint8_t *at, *end;
};

/* Return: the next record, NULL = no whole or no valid one. */
static const uint8_t *model_next(struct model *model, struct pl_wire_head *head)
{
	const uint8_t *record = model->at;
	size_t left = (size_t)(model->end - model->at);

	if (left < sizeof(*head))
		return NULL;
	memcpy(head, record, sizeof(*head));
	if (head->len_bytes < sizeof(*head) || head->len_bytes % PL_WIRE_ALIGN ||
	    head->len_bytes > PL_WIRE_RECORD_MAX || head->bulk_bytes > PL_WIRE_BULK_MAX || head->len_bytes > left ||
	    head->flags & PL_WIRE_WIDE) /* the lane has no further connections */
		return NULL;
	model->at += head->len_bytes;
	return record;
}

static void send_all(int fd, const uint8_t *data, size_t bytes)
{
	if (bytes)
		pl_fuzz_check(send(fd, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)bytes);
}

/* Return: the payload was there to its end. */
static int bulk_take(struct pl_lane *lane, struct model *model, uint64_t bytes, size_t part_bytes)
{
	uint8_t part[256];

	while (bytes) {
		size_t want = bytes < part_bytes ? bytes : part_bytes, left = (size_t)(model->end - model->at);
		int r = pl_lane_recv_bulk(lane, part, want);

		pl_fuzz_check(!r == (left >= want));
		if (r)
			return 0;
		pl_fuzz_check(!memcmp(part, model->at, want));
		model->at += want;
		bytes -= want;
	}
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_fuzz fuzz = { data, data + size };
	size_t first = pl_fuzz_number(&fuzz, 2), part = pl_fuzz_number(&fuzz, 1) % 256 + 1, left = pl_fuzz_left(&fuzz);
	struct model model = { fuzz.at, fuzz.end };
	const struct pl_wire_head *head;
	struct pl_lane *lane;
	int fds[2], r, rest = 0;

	if (left > STREAM_BYTES_MAX || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return 0;
	if (first > left)
		first = left;
	pl_fuzz_check(!pl_tcp_lane_create(fds[0], &lane));
	send_all(fds[1], fuzz.at, first);
	for (;;) {
		struct pl_wire_head expected;
		const uint8_t *record;

		r = pl_lane_recv(lane, rest ? UINT64_MAX : 0, &head);
		if (!rest &&
		    (r == PL_LANE_E_TIMEOUT || (!r && head->bulk_bytes))) { /* now the rest of it, and the end */
			send_all(fds[1], fuzz.at + first, left - first);
			shutdown(fds[1], SHUT_WR);
			rest = 1;
		}
		if (r == PL_LANE_E_TIMEOUT)
			continue;
		if (r)
			break;
		record = model_next(&model, &expected);
		pl_fuzz_check(record && head->len_bytes == expected.len_bytes &&
			      !memcmp(head, record, expected.len_bytes));
		if (!bulk_take(lane, &model, head->bulk_bytes, part))
			break;
	}
	if (r < 0)
		pl_fuzz_check(!model_next(&model, &(struct pl_wire_head){ 0 }));
	pl_fuzz_check(pl_lane_recv(lane, UINT64_MAX, &head) < 0); /* broken for good */
	pl_lane_destroy(lane);
	close(fds[1]);
	return 0;
}
