#include "backend-peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/opencl/backend.h"
#include "link/tcp/tcp.h"

static void lanes_make(struct pl_lane **a, struct pl_lane **b)
{
	int fds[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
	CHECK(!pl_tcp_lane_create(fds[0], a));
	CHECK(!pl_tcp_lane_create(fds[1], b));
}

static void *reader_run(void *arg)
{
	struct peer *peer = arg;
	const struct pl_wire_head *head;

	while (!pl_lane_recv(peer->reverse, UINT64_MAX, &head)) {
		struct peer_pushed pushed = { .op = head->op,
					      .body_bytes = head->len_bytes - sizeof(*head),
					      .bulk_bytes = head->bulk_bytes };

		pushed.body = malloc(pushed.body_bytes + 1);
		memcpy(pushed.body, head + 1, pushed.body_bytes);
		pushed.bulk = malloc(pushed.bulk_bytes + 1);
		if (pushed.bulk_bytes)
			CHECK(!pl_lane_recv_bulk(peer->reverse, pushed.bulk, pushed.bulk_bytes));
		pushed.dec = (struct pl_dec){ .at = pushed.body,
					      .end = pushed.body + pushed.body_bytes,
					      .after_bytes = pushed.bulk_bytes };
		pthread_mutex_lock(&peer->lock);
		CHECK(peer->pushed_count < PEER_PUSHED_MAX);
		peer->pushed[peer->pushed_count++] = pushed;
		pthread_cond_broadcast(&peer->came);
		pthread_mutex_unlock(&peer->lock);
	}
	return NULL;
}

void peer_start(struct peer *peer, bool arena)
{
	struct pl_session_worker *session = &peer->session;

	*peer = (struct peer){
		.session = { .backend = &pl_backend_opencl, .id = 1, .arena_fd = -1, .shared = &peer->shared }
	};
	pthread_mutex_init(&peer->lock, NULL);
	pthread_cond_init(&peer->came, NULL);
	pthread_mutex_init(&session->reverse_lock, NULL);
	pl_turn_init(&session->turn);
	CHECK(!pl_handles_init(&session->handles));
	session->quota.limit[PL_QUOTA_OBJECTS] = 100000;
	session->quota.limit[PL_QUOTA_MEMORY] = 1ull << 30;
	session->quota.limit[PL_QUOTA_HOST] = 512u << 20;
	session->quota.limit[PL_QUOTA_INFLIGHT] = 512u << 20;
	if (arena) {
		session->arena_fd = memfd_create("arena", MFD_CLOEXEC);
		CHECK(!ftruncate(session->arena_fd, PEER_ARENA_BYTES));
		session->arena = mmap(NULL, PEER_ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, session->arena_fd, 0);
		CHECK(session->arena != MAP_FAILED);
		session->arena_bytes = PEER_ARENA_BYTES;
	}
	lanes_make(&peer->reverse, &session->reverse);
	CHECK(!pthread_create(&peer->reader, NULL, reader_run, peer));
	CHECK(!pl_backend_opencl.open(&session->state, getenv("PLENUM_TEST_OPENCL")));
	CHECK(!pl_backend_opencl.session(session->state, session));
}

static void *lane_run(void *arg)
{
	struct peer_lane *lane = arg;

	lane->ended = pl_serve_lane(&lane->peer->session, lane->server, NULL);
	pl_lane_shutdown(lane->server);
	return NULL;
}

void peer_lane_open(struct peer *peer, struct peer_lane *lane)
{
	lane->peer = peer;
	lanes_make(&lane->client, &lane->server);
	CHECK(!pthread_create(&lane->thread, NULL, lane_run, lane));
}

void peer_lane_close(struct peer_lane *lane)
{
	pl_lane_shutdown(lane->client);
	pthread_join(lane->thread, NULL);
	pl_lane_destroy(lane->client);
	pl_lane_destroy(lane->server);
}

void peer_begin(struct peer_lane *lane)
{
	lane->enc.at = lane->record;
}

static void record_send(struct peer_lane *lane, uint16_t op, uint16_t flags, uint64_t promised_bytes, const void *bulk,
			uint64_t bulk_bytes)
{
	struct pl_wire_head head = { .op = op, .flags = flags, .bulk_bytes = promised_bytes };
	uint64_t body_bytes = (uint64_t)(lane->enc.at - lane->record);
	void *room;

	head.len_bytes = (uint32_t)(sizeof(head) + body_bytes);
	head.ticket = atomic_fetch_add(&lane->peer->ticket, 1) + 1;
	CHECK(!pl_lane_reserve(lane->client, head.len_bytes, &room));
	memcpy(room, &head, sizeof(head));
	memcpy((uint8_t *)room + sizeof(head), lane->record, body_bytes);
	CHECK(!pl_lane_commit(lane->client, head.len_bytes, promised_bytes ? PL_LANE_MORE : PL_LANE_NOW));
	if (bulk_bytes)
		CHECK(!pl_lane_send_bulk(lane->client, bulk, bulk_bytes));
}

void peer_send(struct peer_lane *lane, uint16_t op, uint16_t flags, const void *bulk, uint64_t bulk_bytes)
{
	record_send(lane, op, flags, bulk_bytes, bulk, bulk_bytes);
}

void peer_promise(struct peer_lane *lane, uint16_t op, uint64_t promised_bytes, const void *bulk, uint64_t bulk_bytes)
{
	record_send(lane, op, 0, promised_bytes, bulk, bulk_bytes);
}

void peer_stream(struct peer_lane *lane, const void *data, uint64_t bytes)
{
	struct pl_wire_head head = { .len_bytes = sizeof(head), .flags = PL_WIRE_BULK, .bulk_bytes = bytes };
	void *room;

	CHECK(!pl_lane_reserve(lane->client, head.len_bytes, &room));
	memcpy(room, &head, sizeof(head));
	CHECK(!pl_lane_commit(lane->client, head.len_bytes, PL_LANE_MORE));
	CHECK(!pl_lane_send_bulk(lane->client, data, bytes));
}

struct peer_answer peer_recv(struct peer_lane *lane)
{
	const struct pl_wire_head *head;
	struct pl_wire_reply reply;
	int r = pl_lane_recv(lane->client, 60ull * 1000000000, &head);

	CHECK(!r);
	CHECK(head->flags & PL_WIRE_REPLY);
	memcpy(&reply, head + 1, sizeof(reply));
	return (struct peer_answer){
		.status = reply.status,
		.flags = reply.flags,
		.after = reply.after,
		.bulk_bytes = head->bulk_bytes,
		.dec = { .at = (const uint8_t *)(head + 1) + sizeof(reply),
			 .end = (const uint8_t *)head + head->len_bytes,
			 .after_bytes = head->bulk_bytes },
	};
}

void peer_bulk(struct peer_lane *lane, void *data, uint64_t bytes)
{
	CHECK(!pl_lane_recv_bulk(lane->client, data, bytes));
}

static struct peer_pushed *pushed_find(struct peer *peer, uint16_t op)
{
	for (uint32_t i = 0; i < peer->pushed_count; i++) {
		if (peer->pushed[i].op == op) {
			peer->pushed[i].op = 0;
			return &peer->pushed[i];
		}
	}
	return NULL;
}

struct peer_pushed *peer_pushed_look(struct peer *peer, uint16_t op)
{
	struct peer_pushed *pushed;

	pthread_mutex_lock(&peer->lock);
	pushed = pushed_find(peer, op);
	pthread_mutex_unlock(&peer->lock);
	return pushed;
}

struct peer_pushed *peer_pushed_wait(struct peer *peer, uint16_t op)
{
	struct peer_pushed *pushed;

	pthread_mutex_lock(&peer->lock);
	while (!(pushed = pushed_find(peer, op)))
		pthread_cond_wait(&peer->came, &peer->lock);
	pthread_mutex_unlock(&peer->lock);
	return pushed;
}
