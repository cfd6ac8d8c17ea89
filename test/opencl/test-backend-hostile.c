/*
 * Calls that no client of ours would make: whole records with wrong values in them.  The worker may refuse, but must
 * stay alive, answer every ask, and hold nothing that it has not charged.
 *
 * test-backend-hostile [arena|tcp] [rounds] [seed]: known lies first, then known calls with words changed at random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend-peer.h"
#include "wire/opencl.h"

#define NONE          UINT64_MAX
#define TEMPLATES_MAX 256

enum { CTX = 100, QUEUE, BUFFER, STORED, PROGRAM, KERNEL, SAMPLER, IMAGE, EVENT, SUB };

static struct peer peer;
static struct peer_lane lane;
static uint64_t platform = 1ull << 62, device = (1ull << 62) | (1ull << 32);
static uint64_t next_id = 1 << 20;
static bool arena;

static struct template
{
	uint16_t op;
	bool ask;
	uint32_t bytes;
	uint8_t *body;
}
templates[TEMPLATES_MAX];
static uint32_t templates_count;

static uint64_t random_state = 1;

static uint64_t random_next(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

/* Keeps the call as a template, and makes it. */
static int32_t template_add(uint16_t op, bool ask)
{
	struct template *template = &templates[templates_count++];
	struct peer_answer answer;

	CHECK(templates_count < TEMPLATES_MAX);
	template->op = op;
	template->ask = ask;
	template->bytes = (uint32_t)(lane.enc.at - lane.record);
	template->body = malloc(template->bytes + 8);
	memcpy(template->body, lane.record, template->bytes);
	peer_send(&lane, op, PL_WIRE_ASK, NULL, 0);
	answer = peer_recv(&lane);
	if (answer.bulk_bytes) {
		void *bulk = malloc(answer.bulk_bytes);
		peer_bulk(&lane, bulk, answer.bulk_bytes);
		free(bulk);
	}
	return answer.status;
}

#define TEMPLATE(F, ...) \
	({ \
		struct pl_cl_##F##_args args_ = { __VA_ARGS__ }; \
		peer_begin(&lane); \
		pl_cl_##F##_put(&lane.enc, &args_); \
		template_add(PL_CL_OP_##F, true); \
	})

static const char source[] = "__kernel void k(__global int *a, int b, __local int *c, long d) { a[0] = b; }\n";

static void templates_make(void)
{
	uint64_t properties[] = { CL_CONTEXT_PLATFORM, platform, 0 },
		 queue_properties[] = { CL_QUEUE_PROPERTIES, 0, 0 };
	uint64_t partition[] = { CL_DEVICE_PARTITION_BY_COUNTS, 1, 1, 0, 0 }, ids[2] = { 7000, 7001 }, event = EVENT;
	uint64_t sampler[] = { CL_SAMPLER_NORMALIZED_COORDS, 0, 0 }, one[] = { 1, 1, 1 };
	uint64_t argument[] = { (uint64_t)PL_CL_ARG_MEM << 32,      8,  BUFFER, 1, 4, 0, 5,
				2 | (uint64_t)PL_CL_ARG_NULL << 32, 64, 0,      3, 8, 0, 77 };
	uint64_t address = 0, length = 10;
	static uint8_t data[4096];
	struct pl_bulk bulk = { .kind = PL_BULK_INLINE, .data = data, .bytes = 256 };
	struct pl_bulk text = { .kind = PL_BULK_INLINE, .data = source, .bytes = sizeof(source) - 1 };

	TEMPLATE(clGetPlatformIDs, 0);
	TEMPLATE(clGetDeviceIDs, platform, CL_DEVICE_TYPE_ALL);
	CHECK(!TEMPLATE(clCreateContext, { properties, 3 }, { &device, 1 }, 1, CTX));
	TEMPLATE(clCreateContextFromType, { properties, 3 }, CL_DEVICE_TYPE_ALL, 0, next_id++);
	CHECK(!TEMPLATE(clCreateCommandQueue, CTX, device, 0, QUEUE));
	TEMPLATE(clCreateCommandQueueWithProperties, CTX, device, { queue_properties, 3 }, next_id++);
	CHECK(!TEMPLATE(clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 4096, .store = NONE,
			.mem = BUFFER));
	TEMPLATE(clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, .size = 256,
		 .store = NONE, .has_host_ptr = 1, .data = bulk, .mem = next_id++);
	TEMPLATE(clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 8192, .store = arena ? 4096 : NONE,
		 .mem = STORED);
	TEMPLATE(clCreateSubBuffer, .buffer = BUFFER, .type = CL_BUFFER_CREATE_TYPE_REGION, .has_info = 1, .origin = 0,
		 .size = 1024, .mem = SUB);
	TEMPLATE(clCreateImage, .context = CTX, .flags = CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, .has_format = 1,
		 .has_desc = 1, .has_host_ptr = 1, .channel_order = CL_RGBA, .channel_type = CL_UNSIGNED_INT8,
		 .type = CL_MEM_OBJECT_IMAGE2D, .width = 8, .height = 8, .size = 256, .data = bulk, .mem = IMAGE);
	TEMPLATE(clCreateImage, .context = CTX, .flags = CL_MEM_READ_WRITE, .has_format = 1, .has_desc = 1,
		 .channel_order = CL_R, .channel_type = CL_FLOAT, .type = CL_MEM_OBJECT_IMAGE3D, .width = 8,
		 .height = 8, .depth = 2, .mem = next_id++);
	TEMPLATE(clGetSupportedImageFormats, CTX, CL_MEM_READ_WRITE, CL_MEM_OBJECT_IMAGE2D);
	TEMPLATE(clCreateSampler, CTX, 0, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, SAMPLER);
	TEMPLATE(clCreateSamplerWithProperties, CTX, { sampler, 3 }, next_id++);
	TEMPLATE(clCreateProgramWithSource, CTX, text, PROGRAM);
	TEMPLATE(clCreateProgramWithBinary, CTX, { &device, 1 }, { &length, 1 }, bulk, next_id++);
	TEMPLATE(clCreateProgramWithBuiltInKernels, CTX, { &device, 1 }, 1, "x", next_id++);
	TEMPLATE(clCreateProgramWithIL, CTX, 1, bulk, next_id++);
	CHECK(!TEMPLATE(clBuildProgram, .program = PROGRAM, .has_options = 1, .options = "-cl-kernel-arg-info"));
	TEMPLATE(clLinkProgram, .context = CTX, .has_options = 1, .options = "", .program = next_id++);
	CHECK(!TEMPLATE(clCreateKernel, PROGRAM, 1, "k", KERNEL));
	TEMPLATE(clCreateKernelsInProgram, PROGRAM, 1, { ids, 1 });
	TEMPLATE(clSetKernelArg, .kernel = KERNEL, .index = 3, .size = 8, .value = { data, 8 });
	TEMPLATE(clSetKernelArg, .kernel = KERNEL, .index = 0, .kind = PL_CL_ARG_MEM, .size = 8, .id = BUFFER);
	TEMPLATE(clSetKernelExecInfo, KERNEL, CL_KERNEL_EXEC_INFO_SVM_PTRS, 1, 8, { data, 8 });
	TEMPLATE(clCloneKernel, KERNEL, { argument, sizeof(argument) }, next_id++);
	TEMPLATE(clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 3, .given = 7,
		 .offset = { one, 3 }, .global = { one, 3 }, .local = { one, 3 },
		 .args = { argument, sizeof(argument) }, .event = EVENT);
	TEMPLATE(clEnqueueTask, QUEUE, KERNEL, { argument, sizeof(argument) }, { &event, 1 }, next_id++);
	TEMPLATE(clGetKernelSuggestedLocalWorkSizeKHR, QUEUE, KERNEL, 1, 3, { one, 1 }, { one, 1 }, { 0 });
	TEMPLATE(clWaitForEvents, { &event, 1 });
	TEMPLATE(clFlush, QUEUE);
	TEMPLATE(clFinish, QUEUE);
	for (int blocking = 0; blocking < 2; blocking++) {
		TEMPLATE(clEnqueueReadBuffer, QUEUE, BUFFER, blocking, 1, 0, 256, NONE, 5, { &event, 1 }, next_id++);
		TEMPLATE(clEnqueueReadBuffer, QUEUE, BUFFER, blocking, 1, 0, 256, 65536, 0, { 0 }, 0);
		TEMPLATE(clEnqueueWriteBuffer, QUEUE, BUFFER, blocking, 1, 0, 256, bulk, { 0 }, next_id++);
		TEMPLATE(clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = (uint32_t)blocking,
			 .has_ptr = 1, .has_box = 1, .region = { 8, 8, 4 }, .buffer_row_pitch = 16, .size = 256,
			 .stage = NONE, .token = 3);
		TEMPLATE(clEnqueueWriteBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = (uint32_t)blocking,
			 .has_ptr = 1, .has_box = 1, .region = { 8, 8, 4 }, .buffer_row_pitch = 16, .data = bulk);
		TEMPLATE(clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = (uint32_t)blocking, .has_ptr = 1,
			 .has_box = 1, .region = { 8, 8, 1 }, .size = 256, .stage = NONE, .token = 6);
		TEMPLATE(clEnqueueWriteImage, .queue = QUEUE, .mem = IMAGE, .blocking = (uint32_t)blocking,
			 .has_ptr = 1, .has_box = 1, .region = { 8, 8, 1 }, .data = bulk);
		TEMPLATE(clEnqueueMapBuffer, QUEUE, BUFFER, blocking, CL_MAP_READ | CL_MAP_WRITE, 0, 256, 11, NONE, 7,
			 { 0 }, 0);
		TEMPLATE(clEnqueueUnmapMemObject, QUEUE, BUFFER, 11, bulk, { 0 }, next_id++);
		TEMPLATE(clEnqueueMapImage, .queue = QUEUE, .mem = IMAGE, .blocking = (uint32_t)blocking, .has_box = 1,
			 .map_flags = CL_MAP_READ | CL_MAP_WRITE, .region = { 8, 8, 1 }, .row_pitch = 32, .size = 256,
			 .map = 12, .stage = NONE, .token = 8);
		TEMPLATE(clEnqueueUnmapMemObject, QUEUE, IMAGE, 12, bulk, { 0 }, 0);
	}
	TEMPLATE(clEnqueueCopyBuffer, QUEUE, BUFFER, STORED, 0, 0, 256, 0, { 0 }, 0, 0);
	TEMPLATE(clEnqueueFillBuffer, QUEUE, BUFFER, { data, 4 }, 4, 0, 256, 0, { 0 }, 0, 1);
	TEMPLATE(clEnqueueMarkerWithWaitList, QUEUE, 1, { &event, 1 }, next_id++, 1);
	TEMPLATE(clEnqueueBarrierWithWaitList, QUEUE, 1, { &event, 1 }, next_id++, 1);
	TEMPLATE(clEnqueueWaitForEvents, QUEUE, 1, { &event, 1 }, 1);
	TEMPLATE(clEnqueueMigrateMemObjects, QUEUE, 1, { (uint64_t[]){ BUFFER }, 1 }, 0, 0, { 0 }, 0, 1);
	TEMPLATE(clCreateSubDevices, device, { partition, 5 }, 1, { ids, 2 });
	TEMPLATE(clSVMAlloc, CTX, CL_MEM_READ_WRITE, 4096, 0, arena ? 1 << 20 : NONE);
	TEMPLATE(clSVMFree, CTX, 4096);
	TEMPLATE(clEnqueueSVMFree, QUEUE, 1, { &address, 1 }, 5, { 0 }, 0);
	TEMPLATE(clEnqueueSVMMemcpy, QUEUE, 1, 3 | 8, 4096, 0, 256, NONE, 0, bulk, { 0 }, 0);
	TEMPLATE(clEnqueueSVMMemFill, QUEUE, 4096, { data, 4 }, 4, 64, { 0 }, 0);
	TEMPLATE(clEnqueueSVMMap, QUEUE, 1, CL_MAP_READ, 4096, 64, 0, { 0 }, 0);
	TEMPLATE(clEnqueueSVMUnmap, QUEUE, 4096, bulk, { 0 }, 0);
	TEMPLATE(clEnqueueSVMMigrateMem, QUEUE, 1, { &address, 1 }, { &length, 1 }, 0, { 0 }, 0);
	TEMPLATE(clGetDeviceAndHostTimer, device, 3);
	TEMPLATE(clGetHostTimer, device, 1);
	TEMPLATE(clUnloadPlatformCompiler, platform);
	TEMPLATE(clSetCommandQueueProperty, QUEUE, 0, 1, 1);
	TEMPLATE(plInfo, PL_CL_OP_clGetDeviceInfo, CL_DEVICE_NAME, device, 0, 0, 1, 100, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetKernelWorkGroupInfo, CL_KERNEL_WORK_GROUP_SIZE, KERNEL, device, 0, 1, 8, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetProgramInfo, CL_PROGRAM_BINARIES, PROGRAM, 0, 0, 1, 8, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetProgramBuildInfo, CL_PROGRAM_BUILD_LOG, PROGRAM, device, 0, 1, 8, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetEventInfo, CL_EVENT_COMMAND_EXECUTION_STATUS, EVENT, 0, 0, 1, 4, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetMemObjectInfo, CL_MEM_SIZE, BUFFER, 0, 0, 1, 8, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetImageInfo, CL_IMAGE_WIDTH, IMAGE, 0, 0, 1, 8, { 0 });
	TEMPLATE(plInfo, PL_CL_OP_clGetKernelArgInfo, CL_KERNEL_ARG_NAME, KERNEL, 0, 1, 1, 8, { 0 });
	TEMPLATE(plDeviceSnapshot, device);
	TEMPLATE(plProgramKernels, PROGRAM);
	TEMPLATE(plProgramBinaries, PROGRAM, 0);
	TEMPLATE(plEventWatch, EVENT);
	TEMPLATE(plEventCallback, EVENT, CL_COMPLETE, 77);
	TEMPLATE(plEventTimes, EVENT);
	TEMPLATE(plMemWatch, BUFFER);
	TEMPLATE(plContextStore, CTX);
	TEMPLATE(plRelease, PL_CL_KIND_event, 9999);
	TEMPLATE(plRelease, PL_CL_KIND_mem, SUB);
}

/* ---- known lies ---- */

static void test_ids_that_are_not(void)
{
	struct peer_answer answer;

	answer = PEER_ASK(&lane, clFinish, BUFFER);
	CHECK_STATUS(answer, CL_INVALID_COMMAND_QUEUE);
	answer = PEER_ASK(&lane, clCreateKernel, QUEUE, 1, "k", next_id++);
	CHECK_STATUS(answer, CL_INVALID_PROGRAM);
	answer = PEER_ASK(&lane, plRelease, 0, CTX);
	CHECK(answer.status);
	answer = PEER_ASK(&lane, plRelease, 0xffffffff, CTX);
	CHECK(answer.status);
	answer = PEER_ASK(&lane, plRelease, PL_CL_KIND_device, device); /* root devices stay */
	answer = PEER_ASK(&lane, plDeviceSnapshot, device);
	CHECK_STATUS(answer, CL_SUCCESS);
	if (answer.bulk_bytes) {
		void *bulk = malloc(answer.bulk_bytes);
		peer_bulk(&lane, bulk, answer.bulk_bytes);
		free(bulk);
	}
	answer = PEER_ASK(&lane, clCreateSampler, CTX, 0, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, QUEUE); /* taken */
	CHECK(answer.status);
	answer = PEER_ASK(&lane, clFinish, QUEUE);
	CHECK_STATUS(answer, CL_SUCCESS);
}

static void test_unknown_op_and_broken_record(void)
{
	struct peer_answer answer;

	peer_begin(&lane);
	peer_send(&lane, 9999, PL_WIRE_ASK, NULL, 0);
	answer = peer_recv(&lane);
	CHECK(answer.flags & PL_WIRE_REPLY_REFUSED);
	peer_begin(&lane);
	pl_enc_u64(&lane.enc, QUEUE);
	pl_enc_u64(&lane.enc, 1);
	peer_send(&lane, PL_CL_OP_clFinish, PL_WIRE_ASK, NULL, 0);
	answer = peer_recv(&lane);
	CHECK(answer.flags & PL_WIRE_REPLY_REFUSED);
}

static void test_payload_that_nobody_wants(void)
{
	static uint8_t data[300000];
	struct peer_answer answer;
	struct pl_cl_clEnqueueWriteBuffer_args args = { .queue = 12345,
							.mem = BUFFER,
							.blocking = 1,
							.has_ptr = 1,
							.size = sizeof(data),
							.data = { .kind = PL_BULK_AFTER, .bytes = sizeof(data) } };

	peer_begin(&lane);
	pl_cl_clEnqueueWriteBuffer_put(&lane.enc, &args);
	peer_send(&lane, PL_CL_OP_clEnqueueWriteBuffer, PL_WIRE_ASK, data, sizeof(data));
	answer = peer_recv(&lane);
	CHECK_STATUS(answer, CL_INVALID_COMMAND_QUEUE);
	args.queue = QUEUE; /* beyond the buffer */
	peer_begin(&lane);
	pl_cl_clEnqueueWriteBuffer_put(&lane.enc, &args);
	peer_send(&lane, PL_CL_OP_clEnqueueWriteBuffer, PL_WIRE_ASK, data, sizeof(data));
	answer = peer_recv(&lane);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
}

static void test_sums_that_overflow(void)
{
	static const uint64_t offsets[] = { UINT64_MAX, UINT64_MAX - 255, 1ull << 63, 4096, 3841 };
	struct peer_answer answer;

	for (int i = 0; i < 5; i++) {
		answer = PEER_ASK(&lane, clEnqueueReadBuffer, QUEUE, BUFFER, 1, 1, offsets[i], 256, NONE, 0, { 0 }, 0);
		CHECK_STATUS(answer, CL_INVALID_VALUE);
		answer = PEER_ASK(&lane, clEnqueueReadBuffer, QUEUE, BUFFER, 1, 1, 0, 256, offsets[i] - 1, 0, { 0 }, 0);
		if (!arena || offsets[i] > PEER_ARENA_BYTES)
			CHECK_STATUS(answer, CL_INVALID_VALUE);
		answer = PEER_ASK(&lane, clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = 1,
				  .has_ptr = 1, .has_box = 1, .buffer_origin = { 0, offsets[i], offsets[i] },
				  .region = { 16, 16, 1 }, .buffer_row_pitch = offsets[i], .size = 256, .stage = NONE);
		CHECK(answer.status);
		answer = PEER_ASK(&lane, clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1,
				  .has_box = 1, .region = { offsets[i], offsets[i], offsets[i] }, .size = 256,
				  .stage = NONE);
		CHECK(answer.status);
	}
	answer = PEER_ASK(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = UINT64_MAX,
			  .store = NONE, .mem = next_id++);
	CHECK(answer.status);
	answer = PEER_ASK(&lane, clCreateBuffer, .context = CTX, .flags = CL_MEM_READ_WRITE, .size = 8192,
			  .store = PEER_ARENA_BYTES - 4096, .mem = next_id++);
	CHECK_STATUS(answer, CL_INVALID_VALUE);
	answer = PEER_ASK(&lane, clCreateImage, .context = CTX, .flags = CL_MEM_READ_WRITE, .has_format = 1,
			  .has_desc = 1, .channel_order = CL_RGBA, .channel_type = CL_FLOAT,
			  .type = CL_MEM_OBJECT_IMAGE3D, .width = UINT64_MAX, .height = UINT64_MAX, .depth = UINT64_MAX,
			  .mem = next_id++);
	CHECK(answer.status);
}

static void test_limits_hold(void)
{
	uint64_t objects = atomic_load(&peer.session.quota.used[PL_QUOTA_OBJECTS]);
	struct peer_answer answer;

	peer.session.quota.limit[PL_QUOTA_OBJECTS] = objects + 3;
	for (int i = 0; i < 8; i++) {
		answer = PEER_ASK(&lane, clCreateSampler, CTX, 0, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, next_id++);
		CHECK(i < 3 ? !answer.status : answer.status == CL_OUT_OF_RESOURCES);
	}
	answer = PEER_ASK(&lane, plEventWatch, EVENT);
	CHECK(answer.status);
	answer = PEER_ASK(&lane, clEnqueueMapBuffer, QUEUE, BUFFER, 1, CL_MAP_READ, 0, 256, 77, NONE, 0, { 0 }, 0);
	CHECK(answer.status);
	peer.session.quota.limit[PL_QUOTA_OBJECTS] = 100000;
	peer.session.quota.limit[PL_QUOTA_HOST] = 1 << 20; /* less than a ring */
	answer = PEER_ASK(&lane, clEnqueueReadBuffer, QUEUE, BUFFER, 1, 1, 0, 256, NONE, 0, { 0 }, 0);
	CHECK_STATUS(answer, CL_SUCCESS);
	peer.session.quota.limit[PL_QUOTA_HOST] = 512u << 20;
}

/* ---- random lies ---- */

static uint64_t word_make(uint64_t old)
{
	static const uint64_t known[] = { CTX, QUEUE, BUFFER, STORED, PROGRAM, KERNEL, SAMPLER, IMAGE, EVENT, SUB };
	static const uint64_t odd[] = { 0,
					1,
					2,
					3,
					4,
					7,
					8,
					15,
					16,
					63,
					64,
					255,
					256,
					257,
					4095,
					4096,
					4097,
					65535,
					65536,
					INT32_MAX,
					0x80000000u,
					UINT32_MAX,
					1ull << 32,
					1ull << 62,
					INT64_MAX,
					1ull << 63,
					UINT64_MAX - 4095,
					UINT64_MAX - 1,
					UINT64_MAX };

	switch (random_next(6)) {
	case 0:
		return known[random_next(sizeof(known) / 8)];
	case 1:
	case 2:
		return odd[random_next(sizeof(odd) / 8)];
	case 3:
		return old + random_next(17) - 8;
	case 4:
		return old ^ (1ull << random_next(64));
	}
	return random_next(2) ? device : random_next(UINT64_MAX);
}

static void lie(uint64_t round)
{
	const struct template *template = &templates[random_next(templates_count)];
	uint64_t changes = 1 + random_next(3);
	struct peer_answer answer;

	/* The objects that the others are about stay; a kernel may do to the worker what it likes, with any driver. */
	if (template->op == PL_CL_OP_plRelease || template->op == PL_CL_OP_clEnqueueNDRangeKernel ||
	    template->op == PL_CL_OP_clEnqueueTask || template->op == PL_CL_OP_clUnloadPlatformCompiler)
		return;
	memcpy(lane.record, template->body, template->bytes);
	for (uint64_t i = 0; i < changes && template->bytes; i++) {
		uint64_t at = 8 * random_next(template->bytes / 8), word;

		memcpy(&word, lane.record + at, 8);
		word = word_make(word);
		memcpy(lane.record + at, &word, 8);
	}
	lane.enc.at = lane.record + template->bytes;
	if (getenv("HOSTILE_TRACE"))
		fprintf(stderr, "%llu %s\n", (unsigned long long)round, pl_cl_op_name(template->op));
	peer_send(&lane, template->op, PL_WIRE_ASK, NULL, 0);
	answer = peer_recv(&lane);
	if (answer.bulk_bytes) {
		void *bulk = malloc(answer.bulk_bytes);
		peer_bulk(&lane, bulk, answer.bulk_bytes);
		free(bulk);
	}
	pthread_mutex_lock(&peer.lock); /* what was pushed is of no interest */
	for (uint32_t i = 0; i < peer.pushed_count; i++) {
		free(peer.pushed[i].body);
		free(peer.pushed[i].bulk);
	}
	peer.pushed_count = 0;
	pthread_mutex_unlock(&peer.lock);
}

int main(int argc, char **argv)
{
	uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 0) : 20000;
	struct peer_answer answer;

	arena = argc > 1 && !strcmp(argv[1], "arena");
	random_state = argc > 3 ? strtoull(argv[3], NULL, 0) * 2654435761u + 1 : 88172645463325252u;
	peer_start(&peer, arena);
	peer_lane_open(&peer, &lane);
	answer = PEER_ASK(&lane, clGetPlatformIDs, 0);
	if (answer.dec.end - answer.dec.at < 16) {
		fprintf(stderr, "no OpenCL platform: skipped\n");
		_exit(77);
	}
	templates_make();
	test_ids_that_are_not();
	test_unknown_op_and_broken_record();
	test_payload_that_nobody_wants();
	test_sums_that_overflow();
	test_limits_hold();
	for (uint64_t round = 0; round < rounds; round++)
		lie(round);
	answer = PEER_ASK(&lane, clGetPlatformIDs, 0);
	CHECK_STATUS(answer, CL_SUCCESS);
	fprintf(stderr, "ok\n");
	_exit(0);
}
