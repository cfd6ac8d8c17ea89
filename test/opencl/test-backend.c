/* The backend's handlers, one session, calls encoded by hand, on whatever OpenCL driver there is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend-cases.h"
#include "opencl-info.h"
#include "wire/opencl.h"

#define LARGE (9u << 20) /* not a multiple of the ring */

struct peer peer;
struct peer_lane lane;
uint64_t platform, device, next_event = EVENT_FIRST;
bool arena;

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

void info_text(uint32_t function, uint64_t object, uint32_t param, char *text, size_t room)
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
	PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 4096, .store = NONE,
		  .mem = BUFFER);
	answer = PEER_ASK(&lane, plContextStore, CTX);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_plContextStore_reply_get(&answer.dec, &store);
	fprintf(stderr, "direct: %u\n", store.direct);
	PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = LARGE, .store = NONE,
		  .mem = BIG);
	if (arena && store.direct)
		PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 65536,
			  .store = 1 << 20, .mem = DIRECT);
	else
		PEER_POST(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 65536,
			  .store = NONE, .mem = DIRECT);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
	CHECK(info_u64(PL_CL_OP_clGetCommandQueueInfo, QUEUE, CL_QUEUE_CONTEXT) == CTX);
	CHECK(info_u64(PL_CL_OP_clGetMemObjectInfo, BUFFER, CL_MEM_CONTEXT) == CTX);
	CHECK(info_u64(PL_CL_OP_clGetMemObjectInfo, BUFFER, CL_MEM_SIZE) == 4096);
	answer = PEER_ASK(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 0, .store = NONE,
			  .mem = 900);
	CHECK_STATUS(answer, CL_INVALID_BUFFER_SIZE);
}

/* ---- transfers ---- */

void read_back(uint64_t queue, uint64_t mem, uint64_t offset, void *to, uint64_t size)
{
	struct peer_answer answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = queue, .mem = mem, .blocking = 1,
					     .has_ptr = 1, .offset = offset, .size = size, .stage = NONE);
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
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .offset = 24,
		  .size = sizeof(data), .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) });
	read_back(QUEUE, BUFFER, 24, seen, sizeof(seen));
	CHECK(!memcmp(data, seen, sizeof(data)));
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
			  .offset = 4000, .size = 200, .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = 12345, .blocking = 1, .has_ptr = 1,
			  .size = 200, .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_MEM_OBJECT);
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = 0, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
			  .size = 200, .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_COMMAND_QUEUE);
	if (arena) {
		memset(peer.session.arena + 8192, 0, sizeof(data));
		answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1,
				  .has_ptr = 1, .offset = 24, .size = sizeof(data), .stage = 8192);
		CHECK_STATUS(answer, CL_SUCCESS);
		CHECK(!memcmp(data, peer.session.arena + 8192, sizeof(data)));
	}
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
			  .size = 1000, .stage = PEER_ARENA_BYTES - 999);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
}

static void large_write(uint64_t queue, const uint8_t *data, bool after, uint64_t event)
{
	struct pl_cl_clEnqueueWriteBuffer_args args = {
		.queue = queue,
		.mem = BIG,
		.blocking = after,
		.has_ptr = 1,
		.size = LARGE,
		.event = event,
		.data = { .kind = after ? PL_BULK_AFTER : PL_BULK_STREAM, .bytes = LARGE },
	};
	struct peer_answer answer;

	if (!after)
		peer_stream(&lane, data, LARGE);
	peer_begin(&lane);
	pl_cl_clEnqueueWriteBuffer_put(&lane.enc, &args);
	peer_send(&lane, PL_CL_OP_clEnqueueWriteBuffer, after ? PL_WIRE_ASK : 0, after ? data : NULL,
		  after ? LARGE : 0);
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
		CHECK(times.times.count == 5 && times.times.at[0] <= times.times.at[3] &&
		      times.times.at[2] <= times.times.at[3]);
	} else {
		CHECK(answer.status == CL_PROFILING_INFO_NOT_AVAILABLE || !answer.status); /* Rusticl has them always */
	}
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, event);
	free(data);
	free(seen);
}

/* ---- a driver that fails in the middle ---- */

static cl_int(CL_API_CALL *read_true)(cl_command_queue, cl_mem, cl_bool, size_t, size_t, void *, cl_uint,
				      const cl_event *, cl_event *);
static _Atomic int reads_good;

static cl_int CL_API_CALL read_false(cl_command_queue queue, cl_mem mem, cl_bool blocking, size_t offset, size_t size,
				     void *ptr, cl_uint waits_count, const cl_event *waits, cl_event *event)
{
	if (atomic_fetch_sub(&reads_good, 1) <= 0)
		return CL_OUT_OF_RESOURCES;
	return read_true(queue, mem, blocking, offset, size, ptr, waits_count, waits, event);
}

static void test_read_that_fails_in_the_middle_breaks_the_lane(void)
{
	static struct peer_lane other;
	struct pl_cl_clEnqueueReadBuffer_args args = { .queue = QUEUE, .mem = BIG, .blocking = 1, .has_ptr = 1,
						       .size = LARGE, .stage = NONE };
	uint8_t *seen = malloc(LARGE);
	struct peer_answer answer;

	peer_lane_open(&peer, &other);
	read_true = pl_cl.clEnqueueReadBuffer;
	pl_cl.clEnqueueReadBuffer = read_false;
	for (int good = 0; good < 6; good += 5) { /* at once: a plain error; later: a reply has been sent */
		atomic_store(&reads_good, good);
		peer_begin(&other);
		pl_cl_clEnqueueReadBuffer_put(&other.enc, &args);
		peer_send(&other, PL_CL_OP_clEnqueueReadBuffer, PL_WIRE_ASK, NULL, 0);
		answer = peer_recv(&other);
		CHECK_STATUS(answer, good ? CL_SUCCESS : CL_OUT_OF_RESOURCES);
		CHECK(answer.bulk_bytes == (good ? LARGE : 0));
	}
	CHECK(pl_lane_recv_bulk(other.client, seen, LARGE) == -EPIPE);
	pl_cl.clEnqueueReadBuffer = read_true;
	peer_lane_close(&other);
	CHECK(other.ended == -EPIPE);
	read_back(QUEUE, BIG, 0, seen, LARGE); /* the session's order has no gap */
	free(seen);
}

static void test_reads_that_do_not_block(void)
{
	uint8_t data[3000];
	uint64_t event = next_event++, seen = 0;
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
	for (int i = 0; i < 40; i++) {
		struct peer_pushed *pushed = peer_pushed_wait(&peer, PL_CL_OP_plReadDone);
		struct pl_cl_plReadDone_args done;

		pl_cl_plReadDone_get(&pushed->dec, &done);
		CHECK(pl_dec_whole(&pushed->dec) && done.status == CL_COMPLETE);
		CHECK(done.token >= 1 && done.token <= 40 && !(seen & 1ull << done.token));
		seen |= 1ull << done.token;
		CHECK((uint64_t)(pushed - peer.pushed) < answer.after);
		CHECK(done.data.bytes == sizeof(data) && !memcmp(done.data.data, data, sizeof(data)));
	}
	while (watched < 2) {
		struct peer_pushed *pushed =
			peer_pushed_wait(&peer, watched ? PL_CL_OP_plEventReached : PL_CL_OP_plEventStatus);
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
		  .buffer_origin = { 4, 1, 1 }, .region = { 12, 5, 3 }, .buffer_row_pitch = 32,
		  .buffer_slice_pitch = 32 * 8, .host_row_pitch = 100,
		  .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) });
	answer = PEER_ASK(&lane, clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
			  .has_box = 1, .buffer_origin = { 4, 1, 1 }, .region = { 12, 5, 3 }, .buffer_row_pitch = 32,
			  .buffer_slice_pitch = 32 * 8, .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadBufferRect_reply_get(&answer.dec, &reply);
	CHECK(reply.data.bytes == sizeof(data) && !memcmp(reply.data.data, data, sizeof(data)));
	read_back(QUEUE, BUFFER, 0, all, sizeof(all));
	CHECK(all[256 + 32 + 3] == 0xee && all[256 + 32 + 4] == data[0] && all[256 + 64 + 4] == data[12]);
	answer = PEER_ASK(&lane, clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
			  .has_box = 1, .buffer_origin = { 4, 1, 1 }, .region = { 12, 5, 3 }, .buffer_row_pitch = 32,
			  .host_row_pitch = 11, .size = sizeof(data), .stage = NONE);
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
	answer =
		PEER_ASK(&lane, clEnqueueMapBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1,
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

static void test_ids_of_roots_are_not_the_clients(void)
{
	static const uint64_t ids[] = { 1ull << 62, (1ull << 62) + 12345, 1ull << 63, UINT64_MAX };
	struct peer_answer answer;

	for (int i = 0; i < 4; i++) {
		answer = PEER_ASK(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 4096,
				  .store = NONE, .mem = ids[i]);
		CHECK_STATUS(answer, CL_INVALID_VALUE);
		PEER_POST(&lane, clCreateUserEvent, CTX, ids[i]);
		answer = PEER_ASK(&lane, plRelease, PL_CL_KIND_event, ids[i]);
		CHECK_STATUS(answer, CL_INVALID_EVENT);
	}
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
	answer = PEER_ASK(&lane, clCreateImage, .context = CTX, .flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
			  .has_format = 1, .has_desc = 1, .has_host_ptr = 1, .channel_order = CL_RGBA,
			  .channel_type = CL_UNSIGNED_INT8, .type = CL_MEM_OBJECT_IMAGE2D, .width = 16, .height = 8,
			  .size = sizeof(data), .data = { .kind = PL_BULK_INLINE, .data = data, .bytes = sizeof(data) },
			  .mem = IMAGE);
	CHECK_STATUS(answer, CL_SUCCESS);
	answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1,
			  .has_box = 1, .region = { 16, 8, 1 }, .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadImage_reply_get(&answer.dec, &reply);
	CHECK(reply.data.bytes == sizeof(data) && !memcmp(reply.data.data, data, sizeof(data)));
	answer = PEER_ASK(&lane, clEnqueueMapImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_box = 1,
			  .map_flags = CL_MAP_READ | CL_MAP_WRITE, .origin = { 4, 2, 0 }, .region = { 4, 2, 1 },
			  .row_pitch = 16, .size = 32, .map = 8, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueMapImage_reply_get(&answer.dec, &mapped);
	CHECK(mapped.data.bytes == 32 && !memcmp(mapped.data.data, data + 2 * 64 + 16, 16) &&
	      !memcmp((const uint8_t *)mapped.data.data + 16, data + 3 * 64 + 16, 16));
	memset(data + 2 * 64 + 16, 0x31, 16);
	memset(data + 3 * 64 + 16, 0x31, 16);
	PEER_POST(&lane, clEnqueueUnmapMemObject, .queue = QUEUE, .mem = IMAGE, .map = 8,
		  .data = { .kind = PL_BULK_INLINE, .data = data + 2 * 64 + 16, .bytes = 32 });
	data[0] = 0;
	answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1,
			  .has_box = 1, .origin = { 4, 2, 0 }, .region = { 4, 1, 1 }, .size = 16, .stage = NONE);
	CHECK_STATUS(answer, CL_SUCCESS);
	pl_cl_clEnqueueReadImage_reply_get(&answer.dec, &reply);
	CHECK(!memcmp(reply.data.data, data + 2 * 64 + 16, 16));
	answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1,
			  .has_box = 1, .region = { 16, 8, 1 }, .row_pitch = 63, .size = sizeof(data), .stage = NONE);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	PEER_POST(&lane, plMemWatch, IMAGE);
	PEER_POST(&lane, plRelease, PL_CL_KIND_mem, IMAGE);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	peer_pushed_wait(&peer, PL_CL_OP_plMemGone);
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

	PEER_POST(&lane, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 77,
		  .given = PL_CL_GIVEN_GLOBAL, .global = { global, 1 }, .event = failed);
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

/* Last: what is never unmapped some drivers never free. */
static void test_map_outlives_its_object(void)
{
	const uint64_t context = 600, queue = 601, mem = 602, user = next_event++;
	struct pl_cl_plReadDone_args done;
	struct peer_pushed *pushed;
	struct peer_answer answer;
	uint8_t *data = malloc(LARGE);

	fill(data, LARGE, 77);
	PEER_POST(&lane, clCreateContext, .devices = { &device, 1 }, .context = context);
	PEER_POST(&lane, clCreateCommandQueue, context, device, 0, queue);
	PEER_POST(&lane, clCreateBuffer, .context = context, .flags = CL_MEM_READ_WRITE, .size = LARGE, .store = NONE,
		  .mem = mem);
	peer_stream(&lane, data, LARGE);
	PEER_POST(&lane, clEnqueueWriteBuffer, .queue = queue, .mem = mem, .has_ptr = 1, .size = LARGE,
		  .data = { .kind = PL_BULK_STREAM, .bytes = LARGE });
	PEER_POST(&lane, clCreateUserEvent, context, user);
	PEER_POST(&lane, clEnqueueMapBuffer, .queue = queue, .mem = mem, .map_flags = CL_MAP_READ, .size = LARGE,
		  .map = 9, .stage = NONE, .token = 98, .waits = IDS(user));
	PEER_POST(&lane, plRelease, PL_CL_KIND_mem, mem);
	PEER_POST(&lane, clSetUserEventStatus, user, CL_COMPLETE);
	answer = PEER_ASK(&lane, clFinish, queue);
	CHECK_STATUS(answer, CL_SUCCESS);
	pushed = peer_pushed_wait(&peer, PL_CL_OP_plReadDone);
	pl_cl_plReadDone_get(&pushed->dec, &done);
	CHECK(done.token == 98 && done.status == CL_COMPLETE && pushed->bulk_bytes == LARGE);
	CHECK(!memcmp(pushed->bulk, data, LARGE));
	PEER_POST(&lane, plRelease, PL_CL_KIND_event, user);
	free(data);
}

#define RUN(test) \
	do { \
		fprintf(stderr, "%s\n", #test); \
		test; \
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
	RUN(test_read_that_fails_in_the_middle_breaks_the_lane());
	RUN(test_posted_write_takes_what_follows(QUEUE));
	RUN(test_posted_write_takes_what_follows(QUEUE2));
	RUN(test_other_lanes_see_the_order_of_the_calls());
	RUN(test_payload_of_a_command_that_waits_is_taken());
	RUN(test_unmap_takes_what_follows());
	RUN(test_storage_of_an_idle_queue());
	RUN(test_reads_that_do_not_block());
	RUN(test_rects());
	RUN(test_maps());
	RUN(test_ids_of_roots_are_not_the_clients());
	RUN(test_images());
	RUN(program_build());
	RUN(test_kernels_are_described());
	RUN(test_launch());
	RUN(test_handles_of_the_wrong_kind_stay_out_of_the_driver());
	RUN(test_described_parameters_are_our_secret());
	RUN(test_printed_text_comes_before_the_reply());
	RUN(test_include_files());
	RUN(test_binaries());
	RUN(test_shared_virtual_memory());
	RUN(test_waiting_lane_stops_no_other());
	RUN(test_late_errors());
	RUN(test_payload_that_never_comes_stops_nobody_else());
	RUN(test_end());
	RUN(test_map_outlives_its_object());
	fprintf(stderr, "ok\n");
	_exit(0); /* drivers' threads are left to the system, as in a worker */
}
