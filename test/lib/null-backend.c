#include "lib/null-backend.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

#define SOURCE_CHUNK_BYTES 32768u /* a multiple of 256: the pattern goes on in the next chunk */

struct null_session {
	uint64_t sum; /* under the turn */
};

static int null_open(void **state_out, const char *library)
{
	*state_out = NULL;
	if (!library || !strcmp(library, "ok"))
		return 0;
	if (!strcmp(library, "fail"))
		return pl_err(-ENOENT);
	if (!strcmp(library, "crash"))
		raise(SIGSEGV);
	if (!strcmp(library, "slow"))
		usleep(300000);
	while (!strcmp(library, "hang"))
		pause();
	return 0;
}

static int null_session(void *state, struct pl_session_worker *session)
{
	(void)state;
	session->api = calloc(1, sizeof(struct null_session));
	return session->api ? 0 : pl_err(-ENOMEM);
}

/* A reply with one number. */
static void reply_u64(struct pl_serve *serve, uint64_t value)
{
	if (pl_serve_reply_begin(serve, 0, 8, 0))
		return;
	pl_enc_u64(&serve->reply_enc, value);
	pl_serve_reply_end(serve);
}

static void echo(struct pl_serve *serve)
{
	struct pl_bytes bytes = pl_dec_bytes(&serve->dec, PL_NULL_BYTES_MAX);

	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, PL_NULL_UNKNOWN);
		return;
	}
	if (pl_serve_reply_begin(serve, 0, pl_size_array(bytes.bytes, 1), 0))
		return;
	pl_enc_array(&serve->reply_enc, bytes.at, bytes.bytes, 1);
	pl_serve_reply_end(serve);
}

static void push(struct pl_serve *serve, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		struct pl_enc enc;

		if (pl_reverse_begin(serve->session, PL_NULL_PUSHED, 8, 0, &enc))
			return;
		pl_enc_u64(&enc, i);
		pl_reverse_end(serve->session, NULL, 0);
	}
	pl_serve_reply(serve, 0);
}

static void sink(struct pl_serve *serve)
{
	struct pl_bulk bulk = pl_dec_bulk(&serve->dec, PL_WIRE_BULK_MAX);
	uint64_t left = bulk.bytes, sum = 0;
	uint8_t chunk[4096];

	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, PL_NULL_UNKNOWN);
		return;
	}
	for (uint64_t i = 0; bulk.kind != PL_BULK_AFTER && i < bulk.bytes; i++)
		sum += ((const uint8_t *)bulk.data)[i];
	while (bulk.kind == PL_BULK_AFTER && left) {
		uint64_t take = left < sizeof(chunk) ? left : sizeof(chunk);

		if (pl_serve_take_bulk(serve, chunk, take))
			return;
		for (uint64_t i = 0; i < take; i++)
			sum += chunk[i];
		left -= take;
	}
	reply_u64(serve, sum);
}

static void source(struct pl_serve *serve, uint64_t count)
{
	uint8_t chunk[SOURCE_CHUNK_BYTES];

	for (uint32_t i = 0; i < sizeof(chunk); i++)
		chunk[i] = (uint8_t)i;
	if (pl_serve_reply_begin(serve, 0, 0, count) || pl_serve_reply_end(serve))
		return;
	while (count) {
		uint64_t take = count < sizeof(chunk) ? count : sizeof(chunk);

		if (pl_serve_reply_bulk(serve, chunk, take))
			return;
		count -= take;
	}
}

/* The ops that take one number. */
static void number_call(struct pl_serve *serve)
{
	struct null_session *session = serve->session->api;
	uint64_t number = pl_dec_u64(&serve->dec);

	if (!pl_dec_whole(&serve->dec)) {
		pl_serve_refuse(serve, PL_NULL_UNKNOWN);
		return;
	}
	switch (serve->head->op) {
	case PL_NULL_ADD:
		session->sum += number;
		if (serve->asked)
			reply_u64(serve, session->sum);
		return;
	case PL_NULL_SLEEP:
		pl_serve_give_turn(serve);
		usleep((useconds_t)(number < 10000 ? number : 10000) * 1000u);
		pl_serve_reply(serve, 0);
		return;
	case PL_NULL_PUSH:
		push(serve, number);
		return;
	default:
		source(serve, number < PL_WIRE_BULK_MAX ? number : 0);
	}
}

static void null_call(struct pl_serve *serve)
{
	switch (serve->head->op) {
	case PL_NULL_ECHO:
		echo(serve);
		return;
	case PL_NULL_CRASH:
		signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would make it an exit */
		raise(SIGSEGV);
		return;
	case PL_NULL_SINK:
		sink(serve);
		return;
	case PL_NULL_ADD:
	case PL_NULL_SLEEP:
	case PL_NULL_PUSH:
	case PL_NULL_SOURCE:
		number_call(serve);
		return;
	}
	pl_serve_refuse(serve, PL_NULL_UNKNOWN);
}

static const char *null_op_name(uint16_t op)
{
	static const char *const names[] = {
		[PL_NULL_ECHO] = "echo", [PL_NULL_ADD] = "add", [PL_NULL_CRASH] = "crash", [PL_NULL_SLEEP] = "sleep",
		[PL_NULL_PUSH] = "push", [PL_NULL_SINK] = "sink", [PL_NULL_SOURCE] = "source",
		[PL_NULL_PUSHED] = "pushed",
	};

	return op < sizeof(names) / sizeof(names[0]) ? names[op] : NULL;
}

static const struct pl_function null_functions[] = {
	{ "add", 0xadd, PL_NULL_ADD, false },	      { "crash", 1, PL_NULL_CRASH, false },
	{ "echo", 0xec40, PL_NULL_ECHO, false },      { "push", 0x9054, PL_NULL_PUSH, false },
	{ "pushed", 0x9055, PL_NULL_PUSHED, true },   { "sink", 0x5147, PL_NULL_SINK, false },
	{ "sleep", 0x51ee, PL_NULL_SLEEP, false },    { "source", 0x5047, PL_NULL_SOURCE, false },
};
static const struct pl_functions functions = {
	.version = 1,
	.hash = PL_NULL_API_HASH,
	.count = sizeof(null_functions) / sizeof(null_functions[0]),
	.at = null_functions,
};

const struct pl_backend_ops pl_backend_null = {
	.name = "null",
	.api = PL_API_OPENCL, /* so that a session's greeting needs nothing special */
	.functions = &functions,
	.open = null_open,
	.session = null_session,
	.call = null_call,
	.op_name = null_op_name,
};
