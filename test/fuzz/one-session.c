#include "one-session.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/opencl/backend.h"
#include "backend/opencl/context.h"
#include "backend/opencl/resolve.h"
#include "backend/opencl/svm.h"
#include "fuzz.h"
#include "stub-driver.h"

#define BULK_MAX   (4u << 20) /* of one record: what is not in the input is zeros */
#define SETTLE_US  200
#define SETTLE_MAX 10000 /* times: the pusher's thread may be slow under a sanitizer */

struct bytes_lane {
	struct pl_lane base;
	struct pl_fuzz in;
	struct pl_fuzz payload; /* of the record at hand */
	uint64_t payload_zeros; /* that follow what the input has */
	uint64_t ticket;
	_Alignas(8) uint8_t record[PL_WIRE_RECORD_MAX];
	_Alignas(8) uint8_t room[PL_WIRE_RECORD_MAX];
	uint32_t room_bytes; /* reserved */
	uint64_t bulk_left;  /* that the last committed record owes */
};

static struct pl_session_worker session;
static struct pl_worker_shared shared;
static struct pl_cl_host host;
static uint8_t *arena;

static struct bytes_lane *bytes_lane(struct pl_lane *base)
{
	return (struct bytes_lane *)base;
}

/* ---- what is sent: looked at and dropped ---- */

static int lane_reserve(struct pl_lane *base, uint32_t len_bytes, void **room_out)
{
	struct bytes_lane *lane = bytes_lane(base);

	pl_fuzz_check(len_bytes >= sizeof(struct pl_wire_head) && len_bytes % 8 == 0 &&
		      len_bytes <= PL_WIRE_RECORD_MAX);
	pl_fuzz_check(!lane->bulk_left);
	memset(lane->room, 0xee, len_bytes);
	lane->room_bytes = len_bytes;
	*room_out = lane->room;
	return 0;
}

static int lane_commit(struct pl_lane *base, uint32_t len_bytes, enum pl_lane_how how)
{
	struct bytes_lane *lane = bytes_lane(base);
	struct pl_wire_head head;

	(void)how;
	memcpy(&head, lane->room, sizeof(head));
	pl_fuzz_check(len_bytes == lane->room_bytes && head.len_bytes == len_bytes);
	lane->bulk_left = head.bulk_bytes;
	return 0;
}

static int lane_send_bulk(struct pl_lane *base, const void *data, uint64_t bytes)
{
	struct bytes_lane *lane = bytes_lane(base);

	pl_fuzz_check(bytes <= lane->bulk_left);
	pl_fuzz_touch(data, bytes);
	lane->bulk_left -= bytes;
	return 0;
}

/* ---- what comes: the input ---- */

/* An input can not know where shared virtual memory will lie: PL_ONE_SVM stands for it. */
static void addresses_place(uint64_t *words, uint32_t count)
{
	struct pl_cl_session *api = session.api;

	for (uint32_t i = 0; i < count; i++) {
		struct pl_cl_svm_block *block = api->svm.blocks;

		if (words[i] >> 48 != PL_ONE_SVM >> 48)
			continue;
		for (uint64_t n = words[i] >> 32 & 0xffff; n && block; n--)
			block = block->next;
		if (block)
			words[i] = block->address + (uint32_t)words[i];
	}
}

static int lane_recv(struct pl_lane *base, uint64_t timeout_ns, const struct pl_wire_head **head_out)
{
	struct bytes_lane *lane = bytes_lane(base);
	struct pl_wire_head *head = (struct pl_wire_head *)(void *)lane->record;
	struct pl_one_record record;
	size_t got;

	(void)timeout_ns;
	pl_fuzz_check(!lane->bulk_left && !pl_fuzz_left(&lane->payload) && !lane->payload_zeros);
	if (pl_fuzz_left(&lane->in) < sizeof(record))
		return -EPIPE;
	pl_fuzz_fill(&lane->in, &record, sizeof(record));
	record.body_bytes &= ~7u;
	if (record.body_bytes > PL_WIRE_RECORD_MAX - sizeof(*head))
		record.body_bytes = PL_WIRE_RECORD_MAX - sizeof(*head);
	if (record.body_bytes > pl_fuzz_left(&lane->in))
		record.body_bytes = (uint32_t)pl_fuzz_left(&lane->in) & ~7u;
	if (record.bulk_bytes > BULK_MAX)
		record.bulk_bytes = BULK_MAX;
	*head = (struct pl_wire_head){ .len_bytes = (uint32_t)sizeof(*head) + record.body_bytes,
				       .op = record.op,
				       .flags = record.flags,
				       .bulk_bytes = record.bulk_bytes };
	if (!(record.flags & (PL_WIRE_BULK | PL_WIRE_FREE)))
		head->ticket = ++lane->ticket;
	pl_fuzz_fill(&lane->in, head + 1, record.body_bytes);
	addresses_place((uint64_t *)(void *)(head + 1), record.body_bytes / 8);
	lane->payload.at = pl_fuzz_bytes(&lane->in, record.bulk_bytes, &got);
	lane->payload.end = lane->payload.at + got;
	lane->payload_zeros = record.bulk_bytes - got;
	*head_out = head;
	return 0;
}

static int lane_recv_bulk(struct pl_lane *base, void *data, uint64_t bytes)
{
	struct bytes_lane *lane = bytes_lane(base);
	uint64_t there = pl_fuzz_left(&lane->payload) < bytes ? pl_fuzz_left(&lane->payload) : bytes;

	pl_fuzz_check(bytes - there <= lane->payload_zeros);
	pl_fuzz_fill(&lane->payload, data, there);
	memset((uint8_t *)data + there, 0, bytes - there);
	lane->payload_zeros -= bytes - there;
	return 0;
}

static void lane_nothing(struct pl_lane *base)
{
	(void)base;
}

static const struct pl_lane_ops bytes_ops = {
	.name = "bytes",
	.reserve = lane_reserve,
	.commit = lane_commit,
	.send_bulk = lane_send_bulk,
	.recv = lane_recv,
	.recv_bulk = lane_recv_bulk,
	.shutdown = lane_nothing,
	.destroy = lane_nothing,
};

/* ---- the session ---- */

struct pl_session_worker *pl_one_session(void)
{
	static struct bytes_lane reverse = { .base = { .ops = &bytes_ops, .fd = -1 } };

	if (session.api)
		return &session;
	pl_stub_install();
	session = (struct pl_session_worker){ .backend = &pl_backend_opencl,
					      .state = &host,
					      .arena_fd = -1,
					      .reverse = &reverse.base,
					      .shared = &shared,
					      .id = 1 };
	session.quota.limit[PL_QUOTA_OBJECTS] = 300;
	session.quota.limit[PL_QUOTA_MEMORY] = 8u << 20;
	session.quota.limit[PL_QUOTA_HOST] = 8u << 20;
	session.quota.limit[PL_QUOTA_INFLIGHT] = 8u << 20;
	pthread_mutex_init(&session.reverse_lock, NULL);
	arena = aligned_alloc(4096, PL_ONE_ARENA_BYTES);
	pl_fuzz_check(arena && !pl_cl_host_init(&host) && !pl_handles_init(&session.handles));
	pl_fuzz_check(!pl_backend_opencl.session(&host, &session));
	return &session;
}

struct held {
	uint64_t ids[4096];
	uint32_t kinds[4096];
	unsigned count;
};

static void held_note(struct pl_handle *handle, void *arg)
{
	struct held *held = arg;
	int lasting =
		handle->id >> 62 & 1 && (handle->kind == PL_CL_KIND_platform || handle->kind == PL_CL_KIND_device);

	if (!lasting && held->count < 4096) {
		held->ids[held->count] = handle->id;
		held->kinds[held->count++] = handle->kind;
	}
}

/* Appends one call to the records. */
static uint8_t *record_put(uint8_t *at, uint16_t op, const uint64_t *fields, uint32_t count)
{
	struct pl_one_record record = { .op = op, .body_bytes = count * 8 };

	memcpy(at, &record, sizeof(record));
	memcpy(at + sizeof(record), fields, count * 8);
	return at + sizeof(record) + count * 8;
}

/* Everything that the session holds, given back by its client. */
static void release_all(struct bytes_lane *lane)
{
	static struct held held;
	static uint8_t records[4096 * (sizeof(struct pl_one_record) + 16)];
	struct pl_cl_session *api = session.api;
	uint8_t *at = records;

	held.count = 0;
	pl_handles_each(&session.handles, held_note, &held);
	for (unsigned i = 0; i < held.count; i++) {
		struct pl_cl_plRelease_args args = { .kind = held.kinds[i], .id = held.ids[i] };
		uint64_t fields[2];
		struct pl_enc enc = { (uint8_t *)fields };

		pl_fuzz_check(pl_cl_plRelease_bytes(&args) == sizeof(fields));
		pl_cl_plRelease_put(&enc, &args);
		at = record_put(at, PL_CL_OP_plRelease, fields, 2);
	}
	lane->in = (struct pl_fuzz){ records, at };
	pl_serve_lane(&session, &lane->base, NULL);
	for (at = records; api->svm.blocks;) { /* one at a time: the list gets shorter */
		struct pl_cl_clSVMFree_args args = { .address = api->svm.blocks->address };
		uint64_t fields[8];
		struct pl_enc enc = { (uint8_t *)fields };

		pl_cl_clSVMFree_put(&enc, &args);
		lane->in = (struct pl_fuzz){ records, record_put(records, PL_CL_OP_clSVMFree, fields,
								 (uint32_t)pl_cl_clSVMFree_bytes(&args) / 8) };
		pl_serve_lane(&session, &lane->base, NULL);
	}
}

static int is_clean(void)
{
	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		if (atomic_load(&session.quota.used[i]))
			return 0;
	return !pl_stub_alive();
}

static void clean_expect(void)
{
	for (int i = 0; i < SETTLE_MAX && !is_clean(); i++) {
		pl_cl_devices_let_go();
		usleep(SETTLE_US);
	}
	if (is_clean())
		return;
	fprintf(stderr, "left behind: %u objects of the driver's", pl_stub_alive());
	for (int i = 0; i < PL_QUOTA_KINDS; i++)
		fprintf(stderr, ", %s: %lld", pl_quota_name(i), (long long)atomic_load(&session.quota.used[i]));
	fprintf(stderr, "\n");
	abort();
}

void pl_one_session_run(const uint8_t *data, size_t size, unsigned how)
{
	static struct bytes_lane lane = { .base = { .ops = &bytes_ops, .fd = -1 } };

	pl_one_session();
	session.arena = how & PL_ONE_ARENA ? arena : NULL;
	session.arena_bytes = how & PL_ONE_ARENA ? PL_ONE_ARENA_BYTES : 0;
	pl_turn_init(&session.turn);
	lane.ticket = 0;
	lane.in = (struct pl_fuzz){ data, data + size };
	pl_stub_lazy(how & PL_ONE_LAZY);
	pl_serve_lane(&session, &lane.base, NULL);
	pl_stub_settle();
	pl_stub_lazy(false);
	lane.payload = (struct pl_fuzz){ 0 };
	lane.payload_zeros = lane.bulk_left = 0;
	release_all(&lane);
	clean_expect();
}
