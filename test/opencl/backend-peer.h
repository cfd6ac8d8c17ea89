/*
 * A client by hand: the backend runs in this process behind real lanes, and the test encodes each call itself, so that
 * it can also send what no client would.  One session a process.
 */
#ifndef PL_TEST_OPENCL_BACKEND_PEER_H
#define PL_TEST_OPENCL_BACKEND_PEER_H

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "opencl-serve.h"
#include "server/serve.h"

#define PEER_ARENA_BYTES (64u << 20)
#define PEER_PUSHED_MAX  4096

struct peer_pushed { /* a record of the reverse lane */
	uint16_t op;
	uint8_t *body, *bulk;
	uint64_t body_bytes, bulk_bytes;
	struct pl_dec dec;
};

struct peer {
	struct pl_session_worker session;
	struct pl_worker_shared shared;
	_Atomic uint64_t ticket;
	struct pl_lane *reverse; /* our end */
	pthread_t reader;
	pthread_mutex_t lock; /* below */
	pthread_cond_t came;
	struct peer_pushed pushed[PEER_PUSHED_MAX];
	uint32_t pushed_count, pushed_taken;
};

struct peer_lane {
	struct peer *peer;
	struct pl_lane *client, *server;
	pthread_t thread;
	int ended; /* what pl_serve_lane() returned */
	uint8_t record[PL_WIRE_RECORD_MAX];
	struct pl_enc enc;
};

struct peer_answer {
	int32_t status;
	uint32_t flags;
	uint64_t after, bulk_bytes;
	struct pl_dec dec;
};

void peer_start(struct peer *peer, bool arena);
void peer_lane_open(struct peer *peer, struct peer_lane *lane);
void peer_lane_close(struct peer_lane *lane);

/* Any record: body is what peer_lane.enc was given since peer_begin(). */
void peer_begin(struct peer_lane *lane);
void peer_send(struct peer_lane *lane, uint16_t op, uint16_t flags, const void *bulk, uint64_t bulk_bytes);
/* A post that promises payload and sends the first bytes of it; the rest: pl_lane_send_bulk(lane->client). */
void peer_promise(struct peer_lane *lane, uint16_t op, uint64_t promised_bytes, const void *bulk, uint64_t bulk_bytes);
void peer_stream(struct peer_lane *lane, const void *data, uint64_t bytes);
struct peer_answer peer_recv(struct peer_lane *lane);
void peer_bulk(struct peer_lane *lane, void *data, uint64_t bytes);

/* The next pushed record with this op, waited for; earlier ones with other ops stay. */
struct peer_pushed *peer_pushed_wait(struct peer *peer, uint16_t op);
/* Whether one is there already. */
struct peer_pushed *peer_pushed_look(struct peer *peer, uint16_t op);

#define PEER_POST(lane, F, ...) \
	do { \
		struct pl_cl_##F##_args args_ = { __VA_ARGS__ }; \
		peer_begin(lane); \
		pl_cl_##F##_put(&(lane)->enc, &args_); \
		peer_send(lane, PL_CL_OP_##F, 0, NULL, 0); \
	} while (0)

#define PEER_ASK(lane, F, ...) \
	({ \
		struct pl_cl_##F##_args args_ = { __VA_ARGS__ }; \
		peer_begin(lane); \
		pl_cl_##F##_put(&(lane)->enc, &args_); \
		peer_send(lane, PL_CL_OP_##F, PL_WIRE_ASK, NULL, 0); \
		peer_recv(lane); \
	})

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)
#define CHECK_STATUS(answer, wanted) \
	do { \
		int32_t got_ = (answer).status; \
		if (got_ != (wanted)) { \
			fprintf(stderr, "%s:%d: status %d, not %d\n", __FILE__, __LINE__, got_, (wanted)); \
			abort(); \
		} \
	} while (0)

#endif
