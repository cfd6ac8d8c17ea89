/*
 * CUDA sessions whose calls are whole, but whose content lies (forge.h), against `plenum serve` ($PLENUM_TOOL): a
 * session may be refused, or ended; its worker does not crash, and others do not notice.  Under a sanitizer a read or
 * write that does not belong to the session ends the worker, too, and so the test.
 *
 * $PLENUM_TEST_SEEDS: FIRST-LAST, default 1-40; a seed is a session.  test-forged SEED prints that one's calls.
 */
#include "hostile.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda-wire.h"
#include "cuda/carries.h"
#include "cuda/image.h"
#include "cuda/result.h"
#include "hostile/calls-cuda.h"
#include "hostile/forge.h"
#include "lib/process.h"
#include "wire/cuda.h"

#define CALLS         400u
#define SILENT_NS     500000000u /* a call may wait for what never comes: such a session ends */
#define ROOM_BYTES    (FORGE_BYTES + 4096u)
#define DEVICE        1u
#define SESSION_S_MAX 120

static struct peer peer;
static struct forge forge;
static bool says;
static unsigned long long calls_sum;

static const char text[] =
	".version 7.0\n.target sm_70\n.address_size 64\n"
	".visible .global .align 8 .b8 words[64];\n.visible .const .align 8 .b8 fixed[64];\n"
	".global .texref pictures;\n"
	".visible .entry k()\n{\n	ret;\n}\n"
	".visible .entry add(.param .u64 to, .param .u32 by)\n{\n	.reg .u64 %rd<3>;\n	.reg .u32 %r<4>;\n"
	"	ld.param.u64 %rd1, [to];\n	ld.param.u32 %r1, [by];\n	ld.global.u32 %r2, [%rd1];\n"
	"	add.u32 %r3, %r2, %r1;\n	st.global.u32 [%rd1], %r3;\n	ret;\n}\n";

/* ---- a session that has one of most things ---- */

static uint64_t own(enum pl_cuda_object_kind kind)
{
	forge_own(&forge, kind, ++forge.last_id);
	return forge.last_id;
}

static void module_make(void)
{
	struct pl_cuda_cuModuleLoadDataEx_args args = { .image_hash = 1, .module = ++forge.last_id };
	_Alignas(8) uint8_t body[CALL_MAX] = { 0 };
	struct pl_enc enc = { body };
	size_t bytes;
	void *packed;

	assert(!pl_cuda_image_pack(text, &packed, &bytes));
	args.image_bytes = bytes;
	args.image = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = bytes };
	pl_cuda_cuModuleLoadDataEx_put(&enc, &args);
	ask_with_bulk(&peer, PL_CUDA_OP_cuModuleLoadDataEx, body, (uint32_t)pl_cuda_cuModuleLoadDataEx_bytes(&args),
		      packed, bytes);
	expect_is(peer.body.status, CUDA_SUCCESS);
	reply_bulk_drop(&peer);
	free(packed);
	forge_own(&forge, PL_CUDA_KIND_module, args.module);
	for (uint64_t i = 1; i <= 2; i++)
		forge_own(&forge, PL_CUDA_KIND_function, args.module | i << PL_CUDA_MEMBER_SHIFT);
}

static void memory_make(uint64_t bytes)
{
	struct pl_cuda_cuMemAlloc_v2_reply got = { 0 };

	expect_is(CU(cuMemAlloc_v2, .bytes = bytes), CUDA_SUCCESS);
	pl_cuda_cuMemAlloc_v2_reply_get(&peer.dec, &got);
	assert(pl_dec_whole(&peer.dec) && got.address);
	forge_see(&forge, got.address);
}

static void world(void)
{
	uint64_t context = ++forge.last_id;

	forge.arena_bytes = peer.arena ? peer.reply.arena_bytes : 0;
	expect_is(CU(cuDevicePrimaryCtxRetain, .device = DEVICE, .context = context), CUDA_SUCCESS);
	expect_is(CU(plCurrent, .context = context), CUDA_SUCCESS);
	forge_own(&forge, PL_CUDA_KIND_context, context);
	forge_own(&forge, PL_CUDA_KIND_device, DEVICE);
	for (int i = 0; i < 3; i++) {
		expect_is(CU(cuStreamCreate, .stream = forge.last_id + 1), CUDA_SUCCESS);
		forge_own(&forge, PL_CUDA_KIND_stream, ++forge.last_id);
		expect_is(CU(cuEventCreate, .event = forge.last_id + 1), CUDA_SUCCESS);
		forge_own(&forge, PL_CUDA_KIND_event, ++forge.last_id);
		memory_make(4096u << 4 * i);
	}
	forge_see(&forge, peer.reply.arena_base);
	forge_see(&forge, peer.reply.arena_bytes);
	module_make();
	expect_is(CU(cuGraphCreate, .graph = own(PL_CUDA_KIND_graph)), CUDA_SUCCESS);
	expect_is(CU(cuArrayCreate_v2, .handle = own(PL_CUDA_KIND_array),
		     .descriptor = { .Width = 64, .Height = 64, .Format = 1 /* bytes */, .NumChannels = 4 },
		     .given = 1),
		  CUDA_SUCCESS);
}

/* ---- its calls ---- */

/* Return: false: the session gave no answer, or has ended. */
static bool answer_take(void)
{
	const struct pl_wire_head *head;
	const uint64_t *words;

	int r = pl_lane_recv(peer.lane, SILENT_NS, &head);

	if (r) {
		if (says)
			printf(" = nothing: %s", strerror(-r));
		return false;
	}
	memcpy(&peer.body, head + 1, sizeof(peer.body));
	words = (const uint64_t *)(const void *)((const uint8_t *)(head + 1) + sizeof(peer.body));
	for (uint64_t i = 0; i < 4 && (const uint8_t *)(words + i + 1) <= (const uint8_t *)head + head->len_bytes; i++)
		if (words[i] > 1)
			forge_see(&forge, words[i]);
	return !pl_lane_drop_bulk(peer.lane, head->bulk_bytes);
}

static void reverse_drop(void)
{
	const struct pl_wire_head *head;

	while (!pl_lane_recv(peer.reverse, 0, &head) && !pl_lane_drop_bulk(peer.reverse, head->bulk_bytes))
		;
}

static bool send(const struct forge_call *call, uint16_t flags, const void *body, uint64_t bytes)
{
	struct pl_wire_head head = { .op = call->op, .flags = flags };
	struct pl_wire_head ahead = { .flags = PL_WIRE_BULK, .bulk_bytes = forge.bulk.bytes };
	bool streams = forge.bulk_used && forge.bulk.kind == PL_BULK_STREAM;
	bool follows = forge.bulk_used && forge.bulk.kind == PL_BULK_AFTER;

	if (streams &&
	    (record_send(peer.lane, ahead, NULL, 0) || pl_lane_send_bulk(peer.lane, forge.payload, forge.bulk.bytes)))
		return false;
	head.ticket = flags & PL_WIRE_FREE ? 0 : ++peer.ticket;
	head.bulk_bytes = follows ? forge.bulk.bytes : 0;
	if (record_send(peer.lane, head, body, (uint32_t)bytes))
		return false;
	return !head.bulk_bytes || !pl_lane_send_bulk(peer.lane, forge.payload, head.bulk_bytes);
}

/* Any other without a ticket ends the session at once. */
static bool may_be_free(uint16_t op)
{
	return op == PL_CUDA_OP_plHostDone || op == PL_CUDA_OP_plHostBytes || op == PL_CUDA_OP_plManagedWrite ||
	       op == PL_CUDA_OP_plManagedMerge || op == PL_CUDA_OP_plManagedLook || op == PL_CUDA_OP_plPeerDone ||
	       pl_cuda_op_carries(op);
}

static uint16_t flags_of(uint16_t op)
{
	if (may_be_free(op) && !forge_pick(&forge, 3))
		return PL_WIRE_FREE;
	return forge_pick(&forge, 8) ? PL_WIRE_ASK : 0;
}

/* What ends things comes seldom: the others would soon have nothing. */
static const struct forge_call *call_pick(void)
{
	static const char *const ends[] = { "Destroy", "Free", "Release", "Reset", "Unload", "Detach" };
	const struct forge_call *call = &forge_calls[forge_pick(&forge, forge_calls_count)];

	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (strstr(call->name, ends[i]) && forge_pick(&forge, 8))
			return call_pick();
	return call;
}

static bool call_one(unsigned number)
{
	static _Alignas(8) uint8_t body[ROOM_BYTES];
	const struct forge_call *call = call_pick();
	uint16_t flags = flags_of(call->op);
	uint64_t bytes;

	forge_call_begin(&forge);
	bytes = call->make(&forge, body, sizeof(body));
	if (!bytes && forge.used_bytes)
		return true;
	if (says) {
		printf("%4u %s%s:", number, call->name,
		       flags & PL_WIRE_FREE  ? " (free)"
		       : flags & PL_WIRE_ASK ? ""
					     : " (posted)");
		for (uint64_t i = 0; i < bytes / 8 && i < 40; i++)
			printf(" %llx", ((const unsigned long long *)(const void *)body)[i]);
		fflush(stdout);
	}
	if (!send(call, flags, body, bytes))
		return false;
	reverse_drop();
	if (flags & PL_WIRE_ASK && !answer_take())
		return false;
	forge_call_end(&forge, !(flags & PL_WIRE_ASK) || !peer.body.status);
	if (says)
		printf(flags & PL_WIRE_ASK ? " = %d\n" : "\n", peer.body.status);
	return true;
}

static void session(uint64_t seed)
{
	unsigned number = 0;

	pl_test_watchdog(SESSION_S_MAX);
	forge_begin(&forge, seed);
	peer_open_cuda(&peer, seed % 2 ? server.unix_address : server.tcp_address);
	world();
	while (number < CALLS && call_one(number))
		number++;
	calls_sum += number;
	if (says)
		printf("\nended behind %u calls\n", number);
	peer_close(&peer);
}

/* What the daemon says of a worker that did not end by itself. */
static unsigned crashes_of(uint64_t seed)
{
	static long seen;
	char line[1024];
	unsigned count = 0;
	FILE *log = fopen(server.log, "re");

	assert(log && !fseek(log, seen, SEEK_SET));
	while (fgets(line, sizeof(line), log)) {
		if (says)
			fputs(line, stderr);
		if (!strstr(line, "died of signal") && !strstr(line, "exit status") && !strstr(line, "Sanitizer") &&
		    !strstr(line, "runtime error"))
			continue;
		fprintf(stderr, "seed %llu: %s", (unsigned long long)seed, line);
		count++;
	}
	seen = ftell(log);
	fclose(log);
	return count;
}

int main(int argc, char **argv)
{
	const char *tool = getenv("PLENUM_TOOL"), *seeds = getenv("PLENUM_TEST_SEEDS");
	unsigned long long first = 1, last = 40;
	unsigned crashes = 0;

	if (!tool || !*tool) {
		printf("SKIP: PLENUM_TOOL does not say where plenum is\n");
		return 77;
	}
	if (argc > 1) {
		says = true;
		first = last = strtoull(argv[1], NULL, 10);
	} else if (seeds && sscanf(seeds, "%llu-%llu", &first, &last) != 2) {
		fprintf(stderr, "PLENUM_TEST_SEEDS=%s: wants FIRST-LAST\n", seeds);
		return 2;
	}
	pl_test_watchdog(SESSION_S_MAX);
	server.logs = true;
	server_start(tool);
	witness_start();
	for (unsigned long long seed = first; seed <= last; seed++) {
		session(seed);
		witness_check();
		crashes += crashes_of(seed);
	}
	witness_stop();
	server_stop();
	printf("%llu sessions, %llu calls of %u ops, %u crashes\n", last - first + 1, calls_sum, forge_calls_count,
	       crashes);
	return crashes ? 1 : 0;
}
