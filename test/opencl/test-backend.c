/* The backend's handlers, one session, calls encoded by hand, on whatever OpenCL driver there is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend-peer.h"
#include "opencl-info.h"
#include "wire/opencl.h"

#define NONE      UINT64_MAX
#define LARGE     (9u << 20) /* not a multiple of the ring */
#define IDS(...)  ((struct pl_u64s){ (uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8 })

enum { CTX = 100, QUEUE, BUFFER, DIRECT, PROGRAM, KERNEL, BIG, IMAGE, QUEUE2, EVENT_FIRST = 1000 };

static struct peer peer;
static struct peer_lane lane;
static uint64_t platform, device, next_event = EVENT_FIRST;
static bool arena;

static const char source[] = "#pragma OPENCL EXTENSION cl_khr_byte_addressable_store : enable\n"
			     "__kernel void add(__global int *a, int b, __local int *c, float4 d) {\n"
			     "  int i = get_global_id(0); a[i] += b; }\n"
			     "__kernel void say(int n) { if (get_global_id(0) == 0) printf(\"said %d\\n\", n); }\n";

static void devices_get(void)
{
	struct peer_answer answer = PEER_ASK(&lane, clGetPlatformIDs, 0);
	struct pl_cl_clGetPlatformIDs_reply platforms;
	struct pl_cl_clGetDeviceIDs_reply devices;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clGetPlatformIDs_reply_get(&answer.dec, &platforms);
	if (!platforms.platforms.count) {
		fprintf(stderr, "no OpenCL platform: skipped\n");
		_exit(77);
	}
	platform = platforms.platforms.at[0];
	CHECK(platform == 1ull << 62);
	answer = PEER_ASK(&lane, clGetDeviceIDs, platform, CL_DEVICE_TYPE_ALL);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clGetDeviceIDs_reply_get(&answer.dec, &devices);
	CHECK(devices.devices.count);
	device = devices.devices.at[0];
	answer = PEER_ASK(&lane, clGetDeviceIDs, 12345, CL_DEVICE_TYPE_ALL);
	CHECK_STATUS(answer, CL_INVALID_PLATFORM);
}

static void info_text(uint32_t function, uint64_t object, uint32_t param, char *text, size_t room)
{
	struct peer_answer answer = PEER_ASK(&lane, plInfo, .function = function, .param = param, .object = object,
					     .has_value = 1, .size = room);
	struct pl_cl_plInfo_reply reply;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plInfo_reply_get(&answer.dec, &reply);
	CHECK(reply.size_ret <= room && reply.value.bytes == reply.size_ret);
	memcpy(text, reply.value.at, reply.value.bytes);
}

static uint64_t info_u64(uint32_t function, uint64_t object, uint32_t param)
{
	uint64_t value = 0;

	info_text(function, object, param, (char *)&value, 8);
	return value;
}

static void test_queries(void)
{
	struct pl_cl_plDeviceSnapshot_reply snapshot;
	struct peer_answer answer;
	char name[256];

	info_text(PL_CL_OP_clGetDeviceInfo, device, CL_DEVICE_NAME, name, sizeof(name));
	fprintf(stderr, "device: %s\n", name);
	CHECK(info_u64(PL_CL_OP_clGetDeviceInfo, device, CL_DEVICE_PLATFORM) == platform);
	answer = PEER_ASK(&lane, plDeviceSnapshot, device);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plDeviceSnapshot_reply_get(&answer.dec, &snapshot);
	CHECK(pl_dec_whole(&answer.dec) && snapshot.answers.bytes + answer.bulk_bytes > 1000);
	if (answer.bulk_bytes) {
		void *all = malloc(answer.bulk_bytes);

		peer_bulk(&lane, all, answer.bulk_bytes);
		free(all);
	}
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetDeviceInfo, .param = 0x1fff, .object = device);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetDeviceInfo, .param = CL_DEVICE_NAME, .object = 77);
	CHECK_STATUS(answer, CL_INVALID_DEVICE);
}

static void test_create(void)
{
	struct peer_answer answer;
	struct pl_cl_plContextStore_reply store;
	uint64_t properties[] = { CL_CONTEXT_PLATFORM, platform, 0 };

	PEER_POST(&lane, clCreateContext, .properties = { properties, 3 }, .devices = { &device, 1 },
		  .notify = PL_CL_NOTIFY_FUNCTION, .context = CTX);
	PEER_POST(&lane, clCreateCommandQueue, CTX, device, CL_QUEUE_PROFILING_ENABLE, QUEUE);
	PEER_POST(&lane, clCreateCommandQueue, CTX, device, 0, QUEUE2);
	PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 4096, .store = NONE, .mem = BUFFER);
	answer = PEER_ASK(&lane, plContextStore, CTX);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plContextStore_reply_get(&answer.dec, &store);
	fprintf(stderr, "direct: %u\n", store.direct);
	PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = LARGE, .store = NONE, .mem = BIG);
	if (arena && store.direct)
		PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 65536, .store = 1 << 20,
			  .mem = DIRECT);
	else
		PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 65536, .store = NONE,
			  .mem = DIRECT);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	CHECK(info_u64(PL_CL_OP_clGetCommandQueueInfo, QUEUE, CL_QUEUE_CONTEXT) == CTX);
	CHECK(info_u64(PL_CL_OP_clGetMemObjectInfo, BUFFER, CL_MEM_CONTEXT) == CTX);
	CHECK(info_u64(PL_CL_OP_clGetMemObjectInfo, BUFFER, CL_MEM_SIZE) == 4096);
	answer = PEER_ASK(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 0, .store = NONE, .mem = 900);
	CHECK_STATUS(answer, CL_INVALID_BUFFER_SIZE);
}

/* ---- transfers ---- */

static void read_back(uint64_t queue, uint64_t mem, uint64_t offset, void *to, uint64_t size)
{
	struct peer_answer answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = queue, .mem = mem, .blocking = 1, .has_ptr = 1,
					     .offset = offset, .size = size, .stage = NONE);
	struct pl_cl_clEnqueueReadBuffer_reply reply;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadBuffer_reply_get(&answer.dec, &reply);
	CHECK(pl_dec_whole(&answer.dec) && reply.data.bytes == size);
	if (reply.data.kind == PL_BULK_INLINE)
		memcpy(to, reply.data.data, size);
	else
		peer_bulk(&lane, to, size);
}

static void fill(uint8_t *to, uint64_t bytes, uint32_t seed)
{
	for (uint64_t i = 0; i < bytes; i++)
		to[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
}

static void test_small_write_and_read(void)
{
	uint8_t data[1000], seen[1000];
	struct peer_answer answer;

	fill(data, sizeof(data), 1);
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .offset = 24, .size = sizeof(data),
		  .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) });
	read_back(QUEUE, BUFFER, 24, seen, sizeof(seen));
	CHECK(!memcmp(data, seen, sizeof(data)));
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1, .offset = 4000,
			  .size = 200, .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = 12345, .blocking = 1, .has_ptr = 1, .size = 200,
			  .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_MEM_OBJECT);
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = 0, .mem = BUFFER, .blocking = 1, .has_ptr = 1, .size = 200,
			  .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_COMMAND_QUEUE);
	if (arena) {
		memset(peer.session.arena + 8192, 0, sizeof(data));
		answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
				  .offset = 24, .size = sizeof(data), .stage = 8192);
		CHECK_STATUS(answer, CL_SUCCESS);
		CHECK(!memcmp(data, peer.session.arena + 8192, sizeof(data)));
	}
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1, .size = 1000,
			  .stage = PEER_ARENA_BYTES - 999);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
}

static void large_write(uint64_t queue, const uint8_t *data, bool after, uint64_t event)
{
	struct pl_cl_clEnqueueWriteBuffer_args args = {
		.queue = queue, .mem = BIG, .blocking = after, .has_ptr = 1, .size = LARGE, .event = event,
		.data = { .kind = after ? PL_BULK_AFTER : PL_BULK_STREAM, .bytes = LARGE },
	};
	struct peer_answer answer;

	if (!after)
		peer_stream(&lane, data, LARGE);
	peer_begin(&lane);
	pl_cl_clEnqueueWriteBuffer_put(&lane.enc, &args);
	peer_send(&lane, PL_CL_OP_clEnqueueWriteBuffer, after ? PL_WIRE_ASK : 0, after ? data : NULL, after ? LARGE : 0);
	if (after) {
		answer = peer_recv(&lane);
		CHECK_STATUS(answer, CL_SUCCESS);
	}
}

static void test_large_write_and_read(uint64_t queue)
{
	uint8_t *data = malloc(LARGE), *seen = malloc(LARGE);
	struct pl_cl_plEventTimes_reply times;
	uint64_t event = next_event++;
	struct peer_answer answer;

	for (int round = 0; round < 4; round++) {
		fill(data, LARGE, (uint32_t)(round + queue));
		large_write(queue, data, round & 1, round == 3 ? event : 0);
		memset(seen, 0, LARGE);
		read_back(queue, BIG, 0, seen, LARGE);
		CHECK(!memcmp(data, seen, LARGE));
	}
	answer = PEER_ASK(&lane, plEventTimes, event);
	if (queue == QUEUE) {
		CHECK_STATUS(answer, CL_SUCCESS);
		pl_cl_plEventTimes_reply_get(&answer.dec, &times);
		CHECK(times.times.count == 5 && times.times.at[0] <= times.times.at[3] && times.times.at[2] <= times.times.at[3]);
	} else {
		CHECK(answer.status == CL_PROFILING_INFO_NOT_AVAILABLE || !answer.status); /* Rusticl has them always */
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	free(data);
	free(seen);
}

static void test_reads_that_do_not_block(void)
{
	uint8_t data[3000];
	uint64_t event = next_event++;
	struct peer_answer answer;
	uint32_t watched = 0;

	fill(data, sizeof(data), 5);
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .size = sizeof(data),
		  .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) });
	for (uint64_t token = 1; token <= 40; token++)
		PEER_POST(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .size = sizeof(data),
			  .stage = NONE, .token = token, .event = token == 40 ? event : 0);
	PEER_POST(&lane, plEventWatch, event);
	PEER_POST(&lane, plEventCallback, event, CL_COMPLETE, 4711);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	while (atomic_load(&peer.session.reverse_sent) < answer.after)
		CHECK(!"reply before what it covers");
	for (uint64_t token = 1; token <= 40; token++) {
		struct peer_pushed *pushed = peer_pushed_wait(&peer, PL_CL_OP_plReadDone);
		struct pl_cl_plReadDone_args done;

		pl_cl_plReadDone_get(&pushed->dec, &done);
		CHECK(pl_dec_whole(&pushed->dec) && done.token == token && done.status == CL_COMPLETE);
		CHECK(done.data.bytes == sizeof(data) && !memcmp(done.data.data, data, sizeof(data)));
	}
	while (watched < 2) {
		struct peer_pushed *pushed = peer_pushed_wait(&peer, watched ? PL_CL_OP_plEventReached : PL_CL_OP_plEventStatus);
		struct pl_cl_plEventStatus_args status;
		struct pl_cl_plEventReached_args reached;

		if (watched++) {
			pl_cl_plEventReached_get(&pushed->dec, &reached);
			CHECK(pl_dec_whole(&pushed->dec) && reached.token == 4711 && reached.status == CL_COMPLETE);
		} else {
			pl_cl_plEventStatus_get(&pushed->dec, &status);
			CHECK(pl_dec_whole(&pushed->dec) && status.event == event && status.status == CL_COMPLETE);
			CHECK(status.times.count == 5);
		}
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
}

static void test_rects(void)
{
	struct pl_cl_clEnqueueReadBufferRect_reply reply;
	uint8_t data[12 * 5 * 3], all[4096];
	struct peer_answer answer;

	fill(data, sizeof(data), 9);
	memset(all, 0xee, sizeof(all));
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .size = sizeof(all),
		  .data = { .kind = PL_BULK_INLINE, .data = all, .bytes = sizeof(all) });
	PEER_POST(&lane, clEnqueueWriteBufferRect, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .has_box = 1,
		  .buffer_origin = { 4, 1, 1 }, .region = { 12, 5, 3 }, .buffer_row_pitch = 32, .buffer_slice_pitch = 32 * 8,
		  .host_row_pitch = 100, .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) });
	answer = PEER_ASK(&lane, clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1, .has_box = 1,
			  .buffer_origin = { 4, 1, 1 }, .region = { 12, 5, 3 }, .buffer_row_pitch = 32,
			  .buffer_slice_pitch = 32 * 8, .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadBufferRect_reply_get(&answer.dec, &reply);
	CHECK(reply.data.bytes == sizeof(data) && !memcmp(reply.data.data, data, sizeof(data)));
	read_back(QUEUE, BUFFER, 0, all, sizeof(all));
	CHECK(all[256 + 32 + 3] == 0xee && all[256 + 32 + 4] == data[0] && all[256 + 64 + 4] == data[12]);
	answer = PEER_ASK(&lane, clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1, .has_box = 1,
			  .buffer_origin = { 4, 1, 1 }, .region = { 12, 5, 3 }, .buffer_row_pitch = 32, .host_row_pitch = 11,
			  .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
}

static void test_maps(void)
{
	struct pl_cl_clEnqueueMapBuffer_reply reply;
	uint8_t data[2000], seen[2000];
	struct peer_answer answer;
	struct peer_pushed *pushed;
	struct pl_cl_plReadDone_args done;

	fill(data, sizeof(data), 21);
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .size = sizeof(data),
		  .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) });
	answer = PEER_ASK(&lane, clEnqueueMapBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1,
			  .map_flags = CL_MAP_READ | CL_MAP_WRITE, .offset = 100, .size = 1000, .map = 5, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueMapBuffer_reply_get(&answer.dec, &reply);
	CHECK(reply.data.bytes == 1000 && !memcmp(reply.data.data, data + 100, 1000));
	memset(data + 100, 0x77, 1000);
	PEER_POST(&lane, clEnqueueUnmapMemObject, .queue = QUEUE, .mem = BUFFER, .map = 5,
		  .data = { .kind = PL_BULK_INLINE, .data = data + 100, .bytes = 1000 });
	read_back(QUEUE, BUFFER, 0, seen, sizeof(seen));
	CHECK(!memcmp(data, seen, sizeof(seen)));
	PEER_POST(&lane, clEnqueueMapBuffer, .queue = QUEUE, .mem = BUFFER, .map_flags = CL_MAP_READ, .offset = 0,
		  .size = sizeof(data), .map = 6, .stage = NONE, .token = 99);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plReadDone);
	pl_cl_plReadDone_get(&pushed->dec, &done);
	CHECK(done.token == 99 && done.data.bytes == sizeof(data) && !memcmp(done.data.data, data, sizeof(data)));
	PEER_POST(&lane, clEnqueueUnmapMemObject, .queue = QUEUE, .mem = BUFFER, .map = 6);
	answer = PEER_ASK(&lane, clEnqueueUnmapMemObject, .queue = QUEUE, .mem = BUFFER, .map = 6);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
}

static void test_images(void)
{
	struct pl_cl_clEnqueueReadImage_reply reply;
	struct pl_cl_clEnqueueMapImage_reply mapped;
	uint8_t data[16 * 8 * 4];
	struct peer_answer answer;
	uint32_t supported = 0;

	info_text(PL_CL_OP_clGetDeviceInfo, device, CL_DEVICE_IMAGE_SUPPORT, (char *)&supported, 4);
	if (!supported)
		return;
	fill(data, sizeof(data), 33);
	answer = PEER_ASK(&lane, clCreateImage, .context = CTX, .flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, .has_format = 1,
			  .has_desc = 1, .has_host_ptr = 1, .channel_order = CL_RGBA, .channel_type = CL_UNSIGNED_INT8,
			  .type = CL_MEM_OBJECT_IMAGE2D, .width = 16, .height = 8, .size = sizeof(data),
			  .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) }, .mem = IMAGE);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1, .has_box = 1,
			  .region = { 16, 8, 1 }, .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadImage_reply_get(&answer.dec, &reply);
	CHECK(reply.data.bytes == sizeof(data) && !memcmp(reply.data.data, data, sizeof(data)));
	answer = PEER_ASK(&lane, clEnqueueMapImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_box = 1,
			  .map_flags = CL_MAP_READ | CL_MAP_WRITE, .origin = { 4, 2, 0 }, .region = { 4, 2, 1 }, .row_pitch = 16,
			  .size = 32, .map = 8, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueMapImage_reply_get(&answer.dec, &mapped);
	CHECK(mapped.data.bytes == 32 && !memcmp(mapped.data.data, data + 2 * 64 + 16, 16) &&
	      !memcmp((const uint8_t *)mapped.data.data + 16, data + 3 * 64 + 16, 16));
	memset(data + 2 * 64 + 16, 0x31, 16);
	memset(data + 3 * 64 + 16, 0x31, 16);
	PEER_POST(&lane, clEnqueueUnmapMemObject, .queue = QUEUE, .mem = IMAGE, .map = 8,
		  .data = { .kind = PL_BULK_INLINE, .data = data + 2 * 64 + 16, .bytes = 32 });
	data[0] = 0;
	answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1, .has_box = 1,
			  .origin = { 4, 2, 0 }, .region = { 4, 1, 1 }, .size = 16, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadImage_reply_get(&answer.dec, &reply);
	CHECK(!memcmp(reply.data.data, data + 2 * 64 + 16, 16));
	answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1, .has_box = 1,
			  .region = { 16, 8, 1 }, .row_pitch = 63, .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	PEER_POST(&lane, plMemWatch, IMAGE);
	PEER_POST(&lane, plRelease, PL_CL_KIND_mem, IMAGE);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	peer_pushed_wait(&peer, PL_CL_OP_plMemGone);
}

/* ---- programs and kernels ---- */

static uint8_t *arg_put(uint8_t *at, uint32_t index, uint32_t kind, uint64_t size, uint64_t id, const void *value)
{
	uint64_t words[] = { index | (uint64_t)kind << 32, size, id };

	memcpy(at, words, sizeof(words));
	at += sizeof(words);
	if (kind != PL_CL_ARG_BYTES)
		return at;
	memset(at, 0, PL_WIRE_PAD(size));
	memcpy(at, value, size);
	return at + PL_WIRE_PAD(size);
}

static void program_build(void)
{
	struct peer_answer answer;

	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = source, .bytes = sizeof(source) - 1 }, .program = PROGRAM);
	answer = PEER_ASK(&lane, clBuildProgram, .program = PROGRAM, .has_options = 1, .options = "-cl-kernel-arg-info");
	if (answer.status) {
		char log[16384] = "";
		answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetProgramBuildInfo, .param = CL_PROGRAM_BUILD_LOG,
				  .object = PROGRAM, .second = device, .has_value = 1, .size = sizeof(log));
		struct pl_cl_plInfo_reply reply;
		pl_cl_plInfo_reply_get(&answer.dec, &reply);
		fprintf(stderr, "%.*s\n", (int)reply.value.bytes, (const char *)reply.value.at);
		abort();
	}
}

static void test_kernels_are_described(void)
{
	struct peer_answer answer = PEER_ASK(&lane, plProgramKernels, PROGRAM);
	struct pl_cl_plProgramKernels_reply reply;
	struct pl_dec dec;
	uint64_t count;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plProgramKernels_reply_get(&answer.dec, &reply);
	dec = (struct pl_dec){ .at = reply.kernels.at, .end = (const uint8_t *)reply.kernels.at + reply.kernels.bytes };
	count = pl_dec_u64(&dec);
	CHECK(count == 2);
	for (uint64_t i = 0; i < count; i++) {
		const char *name = pl_dec_string(&dec, 1000);
		uint64_t args = pl_dec_u64(&dec), known = pl_dec_u64(&dec), devices;
		bool add = !strcmp(name, "add");
		uint64_t kinds[4] = { 0 }, sizes[4] = { 0 };

		CHECK(args == (add ? 4 : 1));
		for (uint64_t j = 0; j < args; j++) {
			pl_dec_u64(&dec);
			pl_dec_u64(&dec);
			kinds[j] = pl_dec_u64(&dec);
			sizes[j] = pl_dec_u64(&dec);
		}
		if (add && known)
			CHECK(kinds[0] == PL_CL_PARAM_MEM && kinds[1] == PL_CL_PARAM_VALUE && sizes[1] == 4 &&
			      kinds[2] == PL_CL_PARAM_LOCAL && kinds[3] == PL_CL_PARAM_VALUE && sizes[3] == 16);
		devices = pl_dec_u64(&dec);
		CHECK(devices == 1 && pl_dec_u64(&dec) == device && pl_dec_u64(&dec) >= 1);
		for (int j = 0; j < 5; j++)
			pl_dec_u64(&dec);
	}
	CHECK(pl_dec_whole(&dec));
}

static void test_launch(void)
{
	uint64_t args[64], global[] = { 256 }, event = next_event++;
	uint8_t *at = (uint8_t *)args;
	int32_t add = 7, numbers[256], before[256];
	float four[4] = { 0 };
	struct peer_answer answer;

	for (int i = 0; i < 256; i++)
		before[i] = i * 3;
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = DIRECT, .has_ptr = 1, .size = sizeof(before),
		  .data = { .kind = PL_BULK_INLINE, .data = before, .bytes = sizeof(before) });
	PEER_POST(&lane, clCreateKernel, .program = PROGRAM, .has_name = 1, .kernel_name = "add", .kernel = KERNEL);
	at = arg_put(at, 0, PL_CL_ARG_MEM, 8, DIRECT, NULL);
	at = arg_put(at, 1, PL_CL_ARG_BYTES, 4, 0, &add);
	at = arg_put(at, 2, PL_CL_ARG_NULL, 256, 0, NULL);
	at = arg_put(at, 3, PL_CL_ARG_BYTES, 16, 0, four);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 1, .given = PL_CL_GIVEN_GLOBAL,
		  .global = { global, 1 }, .args = { args, (uint64_t)(at - (uint8_t *)args) }, .event = event);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 1, .given = PL_CL_GIVEN_GLOBAL,
		  .global = { global, 1 }, .waits = IDS(event, NONE));
	answer = PEER_ASK(&lane, clWaitForEvents, { &event, 1 });
	CHECK_STATUS(answer, CL_SUCCESS);
	read_back(QUEUE, DIRECT, 0, numbers, sizeof(numbers));
	for (int i = 0; i < 256; i++)
		CHECK(numbers[i] == i * 3 + 14);
	answer = PEER_ASK(&lane, plEventTimes, event);
	CHECK_STATUS(answer, CL_SUCCESS);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	/* bytes where a handle belongs never reach the driver */
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = KERNEL, .index = 0, .kind = PL_CL_ARG_BYTES, .size = 8,
			  .value = { "\1\2\3\4\5\6\7\10", 8 });
	CHECK(answer.status == CL_INVALID_MEM_OBJECT);
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = KERNEL, .index = 99, .kind = PL_CL_ARG_BYTES, .size = 4,
			  .value = { "\1\2\3\4", 4 });
	CHECK_STATUS(answer, CL_INVALID_ARG_INDEX);
	answer = PEER_ASK(&lane, clSetKernelArg, .kernel = KERNEL, .index = 0, .kind = PL_CL_ARG_MEM, .size = 8, .id = 0);
	CHECK_STATUS(answer, CL_INVALID_MEM_OBJECT);
}

static void test_printed_text_comes_before_the_reply(void)
{
	uint64_t args[8], global[] = { 1 };
	int32_t n = 42;
	uint8_t *at = arg_put((uint8_t *)args, 0, PL_CL_ARG_BYTES, 4, 0, &n);
	struct peer_answer answer;
	struct peer_pushed *pushed;
	struct pl_cl_plPrint_args print;
	uint64_t sent;

	PEER_POST(&lane, clCreateKernel, .program = PROGRAM, .has_name = 1, .kernel_name = "say", .kernel = KERNEL + 1000);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL + 1000, .work_dim = 1,
		  .given = PL_CL_GIVEN_GLOBAL, .global = { global, 1 }, .args = { args, (uint64_t)(at - (uint8_t *)args) });
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	sent = answer.after;
	CHECK(sent >= 1);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plPrint);
	pl_cl_plPrint_get(&pushed->dec, &print);
	CHECK(memmem(print.text.at, print.text.bytes, "said 42\n", 8));
	CHECK((uint64_t)(pushed - peer.pushed) < sent);
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, KERNEL + 1000);
}

static uint8_t *file_put(uint8_t *at, const char *path, const char *content)
{
	const char *const texts[] = { path, content };

	for (int i = 0; i < 2; i++) {
		uint64_t length = strlen(texts[i]);

		memcpy(at, &length, 8);
		memset(at + 8, 0, PL_WIRE_PAD(length));
		memcpy(at + 8, texts[i], length);
		at += 8 + PL_WIRE_PAD(length);
	}
	return at;
}

static void test_include_files(void)
{
	static const char text[] = "#include \"value.h\"\n#include <more/other.h>\n#include \"near.h\"\n"
				   "__kernel void k(__global int *a) { a[0] = VALUE + OTHER + NEAR; }\n";
	static const char broken[] = "#include \"value.h\"\n__kernel void k(__global int *a) { a[0] = nothing; }\n";
	uint8_t blob[4096], *at = blob;
	struct pl_cl_plInfo_reply reply;
	struct peer_answer answer;
	char here[4096], after[4096];

	CHECK(getcwd(here, sizeof(here)));
	at = file_put(at, ".", "/home/some one/work");
	at = file_put(at, "/home/some one/work/inc/value.h", "#define VALUE 1\n");
	at = file_put(at, "/opt/x/../include/more/other.h", "#include \"../below.h\"\n");
	at = file_put(at, "/opt/include/more/../below.h", "#define OTHER 2\n");
	at = file_put(at, "/home/some one/work/inc/near.h", "#define NEAR 4\n");
	at = file_put(at, "/../../../../../../tmp/plenum-escaped.h", "no\n");
	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = text, .bytes = sizeof(text) - 1 }, .program = 300);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 300, .has_options = 1, .options = "-Iinc -I /opt/include -DX=1",
			  .files = { .kind = PL_BULK_INLINE, .data = blob, .bytes = (uint64_t)(at - blob) });
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, plInfo, .function = PL_CL_OP_clGetProgramBuildInfo, .param = CL_PROGRAM_BUILD_OPTIONS,
			  .object = 300, .second = device, .has_value = 1, .size = 1000);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plInfo_reply_get(&answer.dec, &reply);
	CHECK(!strcmp(reply.value.at, "-Iinc -I /opt/include -DX=1"));
	CHECK(access("/tmp/plenum-escaped.h", F_OK));
	PEER_POST(&lane, clCreateProgramWithSource, .context = CTX,
		  .source = { .kind = PL_BULK_INLINE, .data = broken, .bytes = sizeof(broken) - 1 }, .program = 301);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 301, .has_options = 1, .options = "-I \"/home/some one/work/inc\"",
			  .files = { .kind = PL_BULK_INLINE, .data = blob, .bytes = (uint64_t)(at - blob) });
	CHECK(answer.status != CL_SUCCESS);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 300);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 301);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK(getcwd(after, sizeof(after)) && !strcmp(here, after));
	CHECK(!system("! ls -d /tmp/plenum-include-* >&2 2>/dev/null"));
}

static void test_binaries(void)
{
	struct peer_answer answer = PEER_ASK(&lane, plProgramBinaries, PROGRAM, 0);
	struct pl_cl_plProgramBinaries_reply reply;
	uint64_t size;
	uint8_t *data;
	struct pl_cl_clCreateProgramWithBinary_args args = { .context = CTX, .devices = { &device, 1 }, .program = 400 };

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plProgramBinaries_reply_get(&answer.dec, &reply);
	CHECK(pl_dec_whole(&answer.dec) && reply.sizes.count == 1 && reply.sizes.at[0] == reply.binaries.bytes);
	size = reply.sizes.at[0];
	CHECK(size);
	data = malloc(size);
	if (reply.binaries.kind == PL_BULK_INLINE)
		memcpy(data, reply.binaries.data, size);
	else
		peer_bulk(&lane, data, size);
	args.lengths = (struct pl_u64s){ &size, 1 };
	args.data = (struct pl_bulk){ .kind = PL_BULK_AFTER, .bytes = size };
	peer_begin(&lane);
	pl_cl_clCreateProgramWithBinary_put(&lane.enc, &args);
	peer_send(&lane, PL_CL_OP_clCreateProgramWithBinary, PL_WIRE_ASK, data, size);
	answer = peer_recv(&lane);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clBuildProgram, .program = 400, .options = "");
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clCreateKernel, .program = 400, .has_name = 1, .kernel_name = "add", .kernel = 401);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clCreateKernel, .program = 400, .has_name = 1, .kernel_name = "nothing", .kernel = 402);
	CHECK_STATUS(answer, CL_INVALID_KERNEL_NAME);
	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, 401);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, 400);
	free(data);
}

/* ---- shared virtual memory ---- */

static uint64_t svm_alloc(uint64_t size, uint64_t store)
{
	struct peer_answer answer = PEER_ASK(&lane, clSVMAlloc, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = size,
					     .store = store);
	struct pl_cl_clSVMAlloc_reply reply;

	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clSVMAlloc_reply_get(&answer.dec, &reply);
	return reply.address;
}

static void test_shared_virtual_memory(void)
{
	uint64_t store = arena ? 16u << 20 : NONE, address = svm_alloc(10000, store), global[] = { 100 }, args[64];
	uint8_t *at = (uint8_t *)args;
	struct pl_cl_clEnqueueSVMMap_reply mapped;
	struct pl_cl_clEnqueueSVMMemcpy_reply copied;
	int32_t add = 5, numbers[100];
	float four[4] = { 0 };
	struct peer_answer answer;
	struct peer_pushed *pushed;

	if (!address) {
		fprintf(stderr, "no shared virtual memory\n");
		return;
	}
	CHECK(!(address % 4096));
	for (int i = 0; i < 100; i++)
		numbers[i] = i;
	answer = PEER_ASK(&lane, clEnqueueSVMMemcpy, .queue = QUEUE, .blocking = 1,
			  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC | PL_CL_SVM_HOST_SRC, .dst = address,
			  .size = sizeof(numbers), .stage = NONE,
			  .data = { .kind = PL_BULK_INLINE, .data = numbers, .bytes = sizeof(numbers) });
	CHECK_STATUS(answer, CL_SUCCESS);
	if (arena)
		CHECK(!memcmp(peer.session.arena + store, numbers, sizeof(numbers)));
	at = arg_put(at, 0, PL_CL_ARG_SVM, 8, address, NULL);
	at = arg_put(at, 1, PL_CL_ARG_BYTES, 4, 0, &add);
	at = arg_put(at, 2, PL_CL_ARG_NULL, 256, 0, NULL);
	at = arg_put(at, 3, PL_CL_ARG_BYTES, 16, 0, four);
	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 1, .given = PL_CL_GIVEN_GLOBAL,
		  .global = { global, 1 }, .args = { args, (uint64_t)(at - (uint8_t *)args) });
	answer = PEER_ASK(&lane, clEnqueueSVMMap, .queue = QUEUE, .blocking = 1, .flags = CL_MAP_READ, .address = address,
			  .size = sizeof(numbers));
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueSVMMap_reply_get(&answer.dec, &mapped);
	CHECK(mapped.data.bytes == (arena ? 0 : sizeof(numbers)));
	memcpy(numbers, arena ? peer.session.arena + store : mapped.data.data, sizeof(numbers));
	for (int i = 0; i < 100; i++)
		CHECK(numbers[i] == i + 5);
	PEER_POST(&lane, clEnqueueSVMUnmap, .queue = QUEUE, .address = address);
	answer = PEER_ASK(&lane, clEnqueueSVMMemFill, .queue = QUEUE, .address = address + 8, .pattern = { "\x5a", 1 },
			  .pattern_size = 1, .size = 16);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clEnqueueSVMMemcpy, .queue = QUEUE, .blocking = 1,
			  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC | PL_CL_SVM_HOST_DST, .src = address, .size = 32,
			  .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueSVMMemcpy_reply_get(&answer.dec, &copied);
	CHECK(copied.reply_data.bytes == 32 && ((const uint8_t *)copied.reply_data.data)[8] == 0x5a &&
	      ((const uint8_t *)copied.reply_data.data)[23] == 0x5a);
	PEER_POST(&lane, clEnqueueSVMMemcpy, .queue = QUEUE,
		  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC | PL_CL_SVM_HOST_DST, .src = address, .size = 32,
		  .stage = NONE, .token = 31);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plReadDone);
	CHECK(pushed->body_bytes > 32);
	/* outside of every allocation */
	answer = PEER_ASK(&lane, clEnqueueSVMMemFill, .queue = QUEUE, .address = address + 12288 - 8, .pattern = { "\x5a", 1 },
			  .pattern_size = 1, .size = 16);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = PEER_ASK(&lane, clEnqueueSVMMemcpy, .queue = QUEUE, .blocking = 1,
			  .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC, .dst = address, .src = (uintptr_t)&peer, .size = 16,
			  .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	PEER_POST(&lane, clEnqueueSVMFree, .queue = QUEUE, .has_pointers = 1, .addresses = { &address, 1 });
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	address = svm_alloc(100, arena ? 20u << 20 : NONE);
	PEER_POST(&lane, clEnqueueSVMFree, .queue = QUEUE, .has_pointers = 1, .addresses = { &address, 1 }, .token = 8);
	peer_pushed_wait(&peer, PL_CL_OP_plSVMFree);
	PEER_POST(&lane, clSVMFree, CTX, address);
}

/* ---- order ---- */

static void test_waiting_lane_stops_no_other(void)
{
	static struct peer_lane other;
	uint64_t user = next_event++, write = next_event++;
	struct peer_answer answer;

	peer_lane_open(&peer, &other);
	PEER_POST(&lane, clCreateUserEvent, CTX, user);
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE2, .mem = BUFFER, .has_ptr = 1, .size = 4,
		  .data = { .kind = PL_BULK_INLINE, .data = "abc", .bytes = 4 }, .waits = IDS(user), .event = write);
	struct pl_cl_clWaitForEvents_args wait = { { &write, 1 } };
	peer_begin(&lane);
	pl_cl_clWaitForEvents_put(&lane.enc, &wait);
	peer_send(&lane, PL_CL_OP_clWaitForEvents, PL_WIRE_ASK, NULL, 0);
	answer = PEER_ASK(&other, clGetPlatformIDs, 0); /* the other lane still goes */
	CHECK_STATUS(answer, CL_SUCCESS);
	PEER_POST(&other, clSetUserEventStatus, user, CL_COMPLETE);
	answer = peer_recv(&lane);
	CHECK_STATUS(answer, CL_SUCCESS);
	PEER_POST(&other, plRelease, PL_CL_KIND_event, user);
	answer = PEER_ASK(&other, clFinish, QUEUE2);
	CHECK_STATUS(answer, CL_SUCCESS);
	PEER_POST(&other, plRelease, PL_CL_KIND_event, write);
	answer = PEER_ASK(&other, clFinish, QUEUE2);
	peer_lane_close(&other);
	CHECK(other.ended == -EPIPE);
}

static void test_late_errors(void)
{
	uint64_t failed = next_event++, global[] = { 0 }, local[] = { 1000000000 };
	struct peer_answer answer;
	struct peer_pushed *pushed;
	struct pl_cl_plEventStatus_args status;
	int32_t code = 0;

	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 77, .given = PL_CL_GIVEN_GLOBAL,
		  .global = { global, 1 }, .event = failed);
	(void)local;
	PEER_POST(&lane, plEventWatch, failed);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plEventStatus);
	pl_cl_plEventStatus_get(&pushed->dec, &status);
	CHECK(status.event == failed && status.status == CL_INVALID_WORK_DIMENSION);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_INVALID_WORK_DIMENSION);
	CHECK(answer.flags & PL_WIRE_REPLY_LATE);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	info_text(PL_CL_OP_clGetEventInfo, failed, CL_EVENT_COMMAND_EXECUTION_STATUS, (char *)&code, 4);
	CHECK(code == CL_INVALID_WORK_DIMENSION);
	answer = PEER_ASK(&lane, clEnqueueMarkerWithWaitList, .command_queue = QUEUE, .num_events_in_wait_list = 1,
			  .event_wait_list = { &failed, 1 }, .given = 1);
	CHECK_STATUS(answer, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, failed);
}

static void test_end(void)
{
	static const uint64_t mems[] = { BUFFER, DIRECT, BIG };
	struct peer_answer answer;

	PEER_POST(&lane, plRelease, PL_CL_KIND_kernel, KERNEL);
	PEER_POST(&lane, plRelease, PL_CL_KIND_program, PROGRAM);
	for (int i = 0; i < 3; i++) {
		PEER_POST(&lane, plMemWatch, mems[i]);
		PEER_POST(&lane, plRelease, PL_CL_KIND_mem, mems[i]);
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_queue, QUEUE);
	PEER_POST(&lane, plRelease, PL_CL_KIND_queue, QUEUE2);
	PEER_POST(&lane, plRelease, PL_CL_KIND_context, CTX);
	answer = PEER_ASK(&lane, clGetPlatformIDs, 0);
	CHECK_STATUS(answer, CL_SUCCESS);
	peer_pushed_wait(&peer, PL_CL_OP_plQueueIdle);
	peer_pushed_wait(&peer, PL_CL_OP_plQueueIdle);
	for (int i = 0; i < 3; i++)
		peer_pushed_wait(&peer, PL_CL_OP_plMemGone);
	for (int i = 0; i < 100 && atomic_load(&peer.session.quota.used[PL_QUOTA_OBJECTS]); i++)
		usleep(20000);
	for (int kind = 0; kind < PL_QUOTA_KINDS; kind++)
		if (atomic_load(&peer.session.quota.used[kind])) {
			fprintf(stderr, "%s left: %llu\n", pl_quota_name(kind),
				(unsigned long long)atomic_load(&peer.session.quota.used[kind]));
			abort();
		}
}

#define RUN(test)                                                                                  \
	do {                                                                                       \
		fprintf(stderr, "%s\n", #test);                                                    \
		test;                                                                              \
	} while (0)

int main(int argc, char **argv)
{
	arena = argc > 1 && !strcmp(argv[1], "arena");
	peer_start(&peer, arena);
	peer_lane_open(&peer, &lane);
	RUN(devices_get());
	RUN(test_queries());
	RUN(test_create());
	RUN(test_small_write_and_read());
	RUN(test_large_write_and_read(QUEUE));
	RUN(test_large_write_and_read(QUEUE2));
	RUN(test_reads_that_do_not_block());
	RUN(test_rects());
	RUN(test_maps());
	RUN(test_images());
	RUN(program_build());
	RUN(test_kernels_are_described());
	RUN(test_launch());
	RUN(test_printed_text_comes_before_the_reply());
	RUN(test_include_files());
	RUN(test_binaries());
	RUN(test_shared_virtual_memory());
	RUN(test_waiting_lane_stops_no_other());
	RUN(test_late_errors());
	RUN(test_end());
	fprintf(stderr, "ok\n");
	_exit(0); /* drivers' threads are left to the system, as in a worker */
}
