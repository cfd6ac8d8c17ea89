/*
 * A client that speaks the raw protocol to a real server and breaks its rules.  Everything asserts on trouble: a case
 * that returns has passed; the watchdog (lib/process.h) ends one that hangs.
 */
#ifndef PL_TEST_HOSTILE_H
#define PL_TEST_HOSTILE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "link/link.h"
#include "opencl-serve.h"
#include "wire/opencl.h"

/* What the server of these tests is started with. */
#define OBJECTS_LIMIT  200u
#define MEMORY_LIMIT   (64ull << 20)
#define HOST_LIMIT     (96ull << 20)
#define INFLIGHT_LIMIT (64ull << 20)
#define LANES_LIMIT    8u
#define SESSIONS_LIMIT 24u
#define WORKER_SLACK                                                                                                   \
	(48ull << 20) /* what a worker may grow by while a client misbehaves, beyond what the limits give */

#define ANSWER_NS 20000000000u /* nothing takes so long; under a sanitizer, on a busy machine */

/* An assertion that says what it saw. */
#define expect_is(got, want)                                                                                           \
	do {                                                                                                           \
		long long got_ = (long long)(got), want_ = (long long)(want);                                          \
		if (got_ != want_) {                                                                                   \
			fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_);       \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

struct server {
	pid_t pid;
	char folder[96]; /* also its TMPDIR */
	char unix_address[PL_LINK_ADDRESS_MAX], tcp_address[PL_LINK_ADDRESS_MAX];
	char token[40];
	bool has_device;
	bool logs; /* set before it starts: what it says goes to `log` */
	char log[128];
};
extern struct server server;

void server_start(const char *tool);
void server_stop(void);

/* ---- sessions ---- */

struct peer {
	const char *address;
	struct pl_hello_reply reply; /* of the session */
	struct pl_lane *reverse, *lane;
	uint8_t *arena;                  /* NULL = none */
	uint64_t ticket;                 /* last one used */
	const struct pl_wire_head *head; /* of the last reply */
	struct pl_wire_reply body;
	struct pl_dec dec; /* behind it */
};

struct pl_hello hello_of(enum pl_hello_kind kind, const char *address);
extern uint32_t hello_api; /* what it asks for; OpenCL */
extern uint64_t hello_api_hash;
int peer_try(struct peer *peer, const char *address); /* Return: as pl_link_dial() */
void peer_open(struct peer *peer, const char *address);
void peer_open_cuda(struct peer *peer, const char *address);
void peer_close(struct peer *peer);                 /* and its worker is gone */
struct pl_lane *peer_lane(const struct peer *peer); /* one more */
struct pl_hello peer_lane_hello(const struct peer *peer);
void peer_expect_end(struct peer *peer); /* the server ends the session; closes it */

/* ---- records ---- */

/* One record, its head as given but for len_bytes and ticket.  Return: as the lane's operations. */
int record_send(struct pl_lane *lane, struct pl_wire_head head, const void *body, uint32_t body_bytes);
/* Sends the next call and takes its reply's head. */
void ask_raw(struct peer *peer, uint16_t op, const void *body, uint32_t body_bytes);
void ask_with_bulk(struct peer *peer, uint16_t op, const void *body, uint32_t body_bytes, const void *bulk,
		   uint64_t bytes);
void reply_take(struct peer *peer);
void reply_bulk_drop(struct peer *peer);

#define CALL_MAX 8192u
/* A whole call: its status; fields of the reply are in peer->dec. */
#define ASK_AS(peer, op, layout, ...)                                                                                  \
	({                                                                                                             \
		_Alignas(8) uint8_t body_[CALL_MAX] = { 0 };                                                           \
		struct pl_cl_##layout##_args args_ = { __VA_ARGS__ };                                                  \
		uint64_t bytes_ = pl_cl_##layout##_bytes(&args_);                                                      \
		struct pl_enc enc_ = { body_ };                                                                        \
		assert(bytes_ <= sizeof(body_));                                                                       \
		pl_cl_##layout##_put(&enc_, &args_);                                                                   \
		ask_raw(peer, PL_CL_OP_##op, body_, (uint32_t)bytes_);                                                 \
		(peer)->body.status;                                                                                   \
	})
#define ASK(peer, f, ...) ASK_AS(peer, f, f, __VA_ARGS__)
#define NO_BULK                                                                                                        \
	{                                                                                                              \
		.kind = PL_BULK_INLINE                                                                                 \
	}

/* ---- things to use ---- */

/* Ids that world_make() enters. */
enum { CONTEXT = 1, QUEUE, BUFFER, WORLD_END };
#define BUFFER_BYTES 65536u

uint64_t device_id(struct peer *peer);             /* of the first; 0 = there is none */
void world_make(struct peer *peer);                /* context, queue, buffer */
void world_check(struct peer *peer, uint8_t fill); /* writes and reads the buffer */

/* A session that nobody harms: made at the start, checked after each case. */
void witness_start(void);
void witness_check(void);
void witness_stop(void);
uint64_t witness_only_id(void); /* an object that only the witness has */

/* ---- cases ---- */

struct hostile_case {
	const char *name;
	void (*run)(void);
	bool needs_device;
};
extern const struct hostile_case cases_greeting[], cases_record[], cases_object[], cases_limit[], cases_slow[],
	cases_cuda[], cases_capture[], cases_kept[], cases_peer[], cases_aim[], cases_graph[], cases_ids[];

#endif
