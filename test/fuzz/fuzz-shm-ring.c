/*
 * A lane in shared memory whose peer writes what it likes, where it likes, between the operations of this end.  The
 * other kind of liar, who writes while an operation runs, is in test/hostile.
 *
 * Input: steps of one byte and its arguments.  The target follows this end's own indices, so that it never asks for
 * what would wait for ever.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "link/shm/shm.h"
#include "wire/codec.h"

#define RING      PL_SHM_RING_BYTES
#define HEAD_PAGE 4096u
#define PART_MAX  8192u
#define STEPS_MAX 400

enum { IN_WRITTEN = 0, IN_TAKEN = 16, OUT_WRITTEN = 32, OUT_TAKEN = 48 }; /* 32-bit words of the index page */

struct ends {
	struct pl_lane *lane;
	uint8_t *memory; /* as the peer has it */
	_Atomic uint32_t *words;
	uint32_t in_mine, out_mine; /* this end's own indices */
	uint64_t in_bulk, in_pad, out_bulk, out_pad;
	int over;
};

static void fatal(struct ends *ends, int r)
{
	pl_fuzz_check(r < 0);
	ends->over = 1;
}

static void record_take(struct ends *ends)
{
	const struct pl_wire_head *head;
	int r;

	if (ends->in_bulk)
		return;
	r = pl_lane_recv(ends->lane, 0, &head);
	if (r == PL_LANE_E_TIMEOUT)
		return;
	if (r) {
		fatal(ends, r);
		return;
	}
	pl_fuzz_check(head->len_bytes >= sizeof(*head) && head->len_bytes % 8 == 0 &&
		      head->len_bytes <= PL_WIRE_RECORD_MAX);
	pl_fuzz_check(head->bulk_bytes <= PL_WIRE_BULK_MAX);
	pl_fuzz_touch(head, head->len_bytes);
	ends->in_mine += head->len_bytes;
	ends->in_bulk = head->bulk_bytes;
	ends->in_pad = PL_WIRE_PAD(head->bulk_bytes) - head->bulk_bytes;
}

static void bulk_take(struct ends *ends, uint64_t bytes)
{
	uint32_t there = ends->words[IN_WRITTEN] - ends->in_mine;
	uint8_t part[PART_MAX];
	int r;

	if (bytes > ends->in_bulk)
		bytes = ends->in_bulk;
	if (there < bytes) /* it would wait; a lie (more than the ring) is answered at once */
		return;
	r = pl_lane_recv_bulk(ends->lane, part, bytes);
	if (r) {
		fatal(ends, r);
		return;
	}
	ends->in_bulk -= bytes;
	ends->in_mine += (uint32_t)bytes;
	if (bytes && !ends->in_bulk)
		ends->in_mine += (uint32_t)ends->in_pad;
}

static int has_room(const struct ends *ends, uint64_t bytes)
{
	uint32_t used = ends->out_mine - ends->words[OUT_TAKEN];

	return used > RING || RING - used >= bytes;
}

static void record_send(struct ends *ends, uint32_t len_bytes, uint64_t bulk_bytes, struct pl_fuzz *fuzz)
{
	struct pl_wire_head head = { .len_bytes = len_bytes, .bulk_bytes = bulk_bytes };
	void *room;
	int r;

	if (ends->out_bulk || !has_room(ends, len_bytes))
		return;
	r = pl_lane_reserve(ends->lane, len_bytes, &room);
	if (!r) {
		memcpy(room, &head, sizeof(head));
		if (pl_fuzz_number(fuzz, 1) & 1) /* the peer changes it before it is published */
			pl_fuzz_fill(fuzz, &((struct pl_wire_head *)room)->bulk_bytes, 8);
		memcpy(&head, room, sizeof(head));
		r = pl_lane_commit(ends->lane, len_bytes, PL_LANE_NOW);
	}
	if (r) {
		fatal(ends, r);
		return;
	}
	ends->out_mine += len_bytes;
	ends->out_bulk = head.bulk_bytes;
	ends->out_pad = PL_WIRE_PAD(head.bulk_bytes) - head.bulk_bytes;
}

static void bulk_send(struct ends *ends, uint64_t bytes)
{
	static const uint8_t part[PART_MAX];
	int r;

	if (bytes > ends->out_bulk)
		bytes = ends->out_bulk;
	if (!bytes || !has_room(ends, bytes + 8))
		return;
	r = pl_lane_send_bulk(ends->lane, part, bytes);
	if (r) {
		fatal(ends, r);
		return;
	}
	ends->out_bulk -= bytes;
	ends->out_mine += (uint32_t)(bytes + (ends->out_bulk ? 0 : ends->out_pad));
}

/* A record as an honest peer would send it, its head as the input says. */
static void peer_record(struct ends *ends, struct pl_fuzz *fuzz)
{
	struct pl_wire_head head = { .len_bytes = (uint32_t)(24 + pl_fuzz_number(fuzz, 1) * 8) };
	uint32_t at = ends->words[IN_WRITTEN] & (RING - 1);
	uint8_t *ring = ends->memory + HEAD_PAGE;

	head.bulk_bytes = pl_fuzz_number(fuzz, 2);
	for (uint32_t i = 0; i < sizeof(head); i++)
		ring[(at + i) & (RING - 1)] = ((uint8_t *)&head)[i];
	ends->words[IN_WRITTEN] += head.len_bytes + (uint32_t)PL_WIRE_PAD(head.bulk_bytes);
}

static void step(struct ends *ends, struct pl_fuzz *fuzz)
{
	static const uint32_t indices[] = { IN_WRITTEN, IN_TAKEN, OUT_WRITTEN, OUT_TAKEN };
	uint32_t where, bytes;
	uint8_t what = (uint8_t)pl_fuzz_number(fuzz, 1);

	switch (what % 10) {
	case 0: /* an index is anything */
		ends->words[indices[what / 10 % 4]] = (uint32_t)pl_fuzz_number(fuzz, 4);
		return;
	case 1: /* an index moves a little, either way */
		ends->words[indices[what / 10 % 4]] += (uint32_t)(int16_t)pl_fuzz_number(fuzz, 2);
		return;
	case 2: /* any word of the index page */
		ends->words[pl_fuzz_number(fuzz, 1) % 64] = (uint32_t)pl_fuzz_number(fuzz, 4);
		return;
	case 3: /* bytes anywhere in the rings */
		where = HEAD_PAGE + (uint32_t)pl_fuzz_number(fuzz, 3) % (2 * RING - 256);
		pl_fuzz_fill(fuzz, ends->memory + where, (size_t)pl_fuzz_number(fuzz, 1));
		return;
	case 4:
		peer_record(ends, fuzz);
		return;
	case 5:
		record_take(ends);
		return;
	case 6:
		bulk_take(ends, pl_fuzz_number(fuzz, 2) % PART_MAX);
		return;
	case 7:
		bytes = (uint32_t)pl_fuzz_number(fuzz, 2) * 8 % PL_WIRE_RECORD_MAX;
		record_send(ends, bytes < 24 ? 24 : bytes, what / 10, fuzz);
		return;
	case 8:
		bulk_send(ends, pl_fuzz_number(fuzz, 2) % PART_MAX);
		return;
	default: /* the peer takes all */
		ends->words[OUT_TAKEN] = ends->words[OUT_WRITTEN];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pl_fuzz fuzz = { data, data + size };
	const struct pl_wire_head *head;
	struct ends ends = { 0 };
	int fds[2], memory_fd;
	void *room;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return 0;
	pl_fuzz_check(!pl_shm_lane_serve(fds[0], &ends.lane, &memory_fd));
	ends.memory = mmap(NULL, HEAD_PAGE + 2 * RING, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	pl_fuzz_check(ends.memory != MAP_FAILED);
	ends.words = (_Atomic uint32_t *)(void *)ends.memory;
	for (int i = 0; i < STEPS_MAX && pl_fuzz_left(&fuzz) && !ends.over; i++)
		step(&ends, &fuzz);
	if (!ends.over)
		pl_lane_shutdown(ends.lane);
	/* Broken for good: nothing waits any more, and nothing leaves. */
	pl_fuzz_check(pl_lane_reserve(ends.lane, PL_WIRE_RECORD_MAX, &room) < 0 ||
		      pl_lane_commit(ends.lane, PL_WIRE_RECORD_MAX, PL_LANE_NOW) < 0);
	if (!ends.in_bulk && ends.over)
		pl_fuzz_check(pl_lane_recv(ends.lane, UINT64_MAX, &head) <= 0);
	pl_lane_destroy(ends.lane);
	munmap(ends.memory, HEAD_PAGE + 2 * RING);
	close(memory_fd);
	close(fds[1]);
	return 0;
}
