/*
 * hostile NATIVE.SO: records of a client that breaks the rules, against a real server with a real NVML: each op with
 * nothing, with noise, with lengths that lie, with ids that are none.  The worker has to live, and to answer the next
 * honest call.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"
#include "lib/process.h"
#include "lib/server.h"
#include "nvml-api.h"
#include "nvml-wire.h"
#include "options.h"

#define ROUNDS    60
#define WORDS_MAX 40

static struct pl_session *session;
static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Numbers that decoders have to think about. */
static uint64_t odd_number(void)
{
	static const uint64_t odd[] = { 0,          1,          2,           8,
					4096,       4097,       UINT32_MAX,  UINT32_MAX + 1ull,
					UINT64_MAX, 1ull << 63, 0x80000000u, UINT64_MAX - 7 };
	uint64_t which = noise() % 16;

	return which < sizeof(odd) / sizeof(odd[0]) ? odd[which] : noise();
}

static int32_t ask(uint16_t op, const uint64_t *words, uint64_t count)
{
	struct pl_reply reply;
	struct pl_call call;

	assert(!pl_call_begin(&call, session, op, count * sizeof(*words)));
	if (count)
		memcpy(call.enc.at, words, count * sizeof(*words));
	assert(!pl_call_ask(&call, &reply));
	return reply.status;
}

static void honest(void)
{
	struct pl_nvml_nvmlDeviceGetCount_v2_reply got;
	struct pl_reply reply;
	struct pl_call call;

	assert(!pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetCount_v2, 0));
	assert(!pl_call_ask(&call, &reply) && reply.status == NVML_SUCCESS);
	pl_nvml_nvmlDeviceGetCount_v2_reply_get(&reply.dec, &got);
	assert(pl_dec_whole(&reply.dec) && got.device_count == 1);
}

static void reverse(struct pl_session *from, const struct pl_wire_head *head, struct pl_dec *dec)
{
	(void)from, (void)head, (void)dec;
}

static bool waits(uint16_t op)
{
	return op == PL_NVML_OP_nvmlEventSetWait || op == PL_NVML_OP_nvmlEventSetWait_v2;
}

static void test_noise_is_answered(void)
{
	uint64_t words[WORDS_MAX];

	for (uint16_t op = 1; op < PL_NVML_OP_COUNT + 3; op++) {
		const char *class = pl_nvml_op_class(op);

		ask(op, NULL, 0);
		for (int round = 0; round < ROUNDS; round++) {
			uint64_t count = noise() % WORDS_MAX;

			for (uint64_t i = 0; i < count; i++)
				words[i] = odd_number();
			if (count && round % 2)
				words[0] = 1; /* a device that is one */
			ask(op, words, count);
			if (op < PL_NVML_OP_COUNT && strcmp(class, "ask"))
				assert(ask(op, words, count) == NVML_ERROR_FUNCTION_NOT_FOUND);
		}
		if (!waits(op))
			honest();
	}
}

static void test_a_list_that_is_too_long_is_refused(void)
{
	struct pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_args args = { .device = 1,
									     .count = UINT32_MAX,
									     .given = 1 };
	struct pl_reply reply;
	struct pl_call call;

	assert(!pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetComputeRunningProcesses_v3,
			      pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_bytes(&args)));
	pl_nvml_nvmlDeviceGetComputeRunningProcesses_v3_put(&call.enc, &args);
	assert(!pl_call_ask(&call, &reply) && reply.status == NVML_ERROR_INVALID_ARGUMENT);
	assert(reply.flags & PL_WIRE_REPLY_REFUSED);
}

static void test_a_structure_of_another_version_does_not_reach_the_driver(void)
{
	struct pl_nvml_nvmlDeviceGetMemoryInfo_v2_args args = { .device = 1, .memory = { .version = 0x7fffffff } };
	struct pl_reply reply;
	struct pl_call call;

	assert(!pl_call_begin(&call, session, PL_NVML_OP_nvmlDeviceGetMemoryInfo_v2,
			      pl_nvml_nvmlDeviceGetMemoryInfo_v2_bytes(&args)));
	pl_nvml_nvmlDeviceGetMemoryInfo_v2_put(&call.enc, &args);
	assert(!pl_call_ask(&call, &reply) && reply.flags & PL_WIRE_REPLY_REFUSED);
}

static void test_sets_without_end_meet_the_quota(uint64_t objects_max)
{
	uint64_t id, made = 0;

	for (uint64_t i = 0; i < objects_max + 10; i++) {
		id = 1000 + i;
		made += !ask(PL_NVML_OP_nvmlEventSetCreate, &id, 1);
	}
	assert(made <= objects_max + 10); /* what it says is the library's; what it may keep is ours: */
	id = 1000 + objects_max + 5;
	assert(ask(PL_NVML_OP_nvmlEventSetFree, &id, 1) == NVML_ERROR_INVALID_ARGUMENT);
	id = 1000;
	assert(ask(PL_NVML_OP_nvmlEventSetFree, &id, 1) == NVML_SUCCESS);
	honest();
}

int main(int argc, char **argv)
{
	struct pl_daemon_options options;
	struct pl_test_server server;

	assert(argc == 2);
	pl_test_watchdog(100);
	nvml_serve(&options, argv[1]);
	options.quota[PL_QUOTA_OBJECTS] = 100;
	pl_test_server_start(&server, &options, false);
	assert(!pl_session_open(server.unix_address, PL_API_NVML, &pl_nvml_functions, reverse, &session));
	honest();
	test_noise_is_answered();
	test_a_list_that_is_too_long_is_refused();
	test_a_structure_of_another_version_does_not_reach_the_driver();
	test_sets_without_end_meet_the_quota(options.quota[PL_QUOTA_OBJECTS]);
	assert(!session->dead);
	pl_test_server_stop(&server);
	return 0;
}
