/*
 * Writes the seeds into a folder (test/fuzz/seeds in the source tree): run it by hand after the wire has changed.
 *   seeds FOLDER
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "one-daemon.h"
#include "one-session.h"
#include "opencl-serve.h"
#include "wire/opencl.h"

#define SEED_BYTES (256u << 10)

struct seed {
	uint8_t at[SEED_BYTES];
	size_t bytes;
};

static struct seed seed;
static const char *folder;

static void put(const void *data, size_t bytes)
{
	memcpy(seed.at + seed.bytes, data, bytes);
	seed.bytes += bytes;
}

static void put_u64(uint64_t value)
{
	put(&value, sizeof(value));
}

static void put_text(const char *text)
{
	size_t bytes = strlen(text);

	put_u64(bytes);
	put(text, bytes);
	put("\0\0\0\0\0\0\0", (8 - bytes % 8) % 8);
}

static void write_out(const char *target, const char *name)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	file = fopen(path, "wbe");
	pl_fuzz_check(file && fwrite(seed.at, 1, seed.bytes, file) == seed.bytes && !fclose(file));
	seed.bytes = 0;
}

/* ---- calls ---- */

static void record_begin(uint16_t op, uint16_t flags, uint64_t body_bytes, uint32_t bulk_bytes)
{
	struct pl_one_record record = {
		.op = op, .flags = flags, .body_bytes = (uint32_t)body_bytes, .bulk_bytes = bulk_bytes
	};

	put(&record, sizeof(record));
}

#define CALL_AS(op, layout, flags, bulk_bytes, ...)                                                                    \
	do {                                                                                                           \
		struct pl_cl_##layout##_args args_ = { __VA_ARGS__ };                                                  \
		struct pl_enc enc_;                                                                                    \
		record_begin(PL_CL_OP_##op, flags, pl_cl_##layout##_bytes(&args_), bulk_bytes);                        \
		enc_.at = seed.at + seed.bytes;                                                                        \
		pl_cl_##layout##_put(&enc_, &args_);                                                                   \
		seed.bytes += pl_cl_##layout##_bytes(&args_);                                                          \
	} while (0)
#define ASK(f, ...)  CALL_AS(f, f, PL_WIRE_ASK, 0, __VA_ARGS__)
#define POST(f, ...) CALL_AS(f, f, 0, 0, __VA_ARGS__)

/* Ids that the seeds use. */
enum { CONTEXT = 1, QUEUE, BUFFER, SUB, OTHER, IMAGE, SAMPLER, PROGRAM, KERNEL, USER, EVENT, EVENT2, LINKED, CLONE };

static const uint64_t device[] = { PL_ONE_DEVICE };
static const uint8_t bytes64[64] = "sixty-four bytes";
#define INLINE(at_, bytes_)                                                                                            \
	{                                                                                                              \
		.kind = PL_BULK_INLINE, .data = at_, .bytes = bytes_                                                   \
	}
#define NONE INLINE(NULL, 0)
#define LIST(at_, count_)                                                                                              \
	{                                                                                                              \
		at_, count_                                                                                            \
	}

static void begin(enum pl_one_how how)
{
	put(&(uint8_t){ (uint8_t)how }, 1);
	ASK(clGetPlatformIDs, 0);
	ASK(clGetDeviceIDs, .platform = PL_ONE_PLATFORM, .device_type = CL_DEVICE_TYPE_ALL);
	ASK(clCreateContext, .devices = LIST(device, 1), .notify = PL_CL_NOTIFY_FUNCTION, .context = CONTEXT);
	ASK(clCreateCommandQueue, .context = CONTEXT, .device = PL_ONE_DEVICE, .properties = CL_QUEUE_PROFILING_ENABLE,
	    .queue = QUEUE);
	POST(clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = 4096, .store = UINT64_MAX,
	     .data = NONE, .mem = BUFFER);
}

static void buffers(void)
{
	static const uint64_t waits[] = { EVENT, PL_CL_EVENT_DONE };

	begin(PL_ONE_ARENA | PL_ONE_LAZY);
	ASK(plContextStore, .context = CONTEXT);
	POST(clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_COPY_HOST_PTR, .size = 64, .has_host_ptr = 1,
	     .store = UINT64_MAX, .data = INLINE(bytes64, 64), .mem = OTHER);
	POST(clCreateSubBuffer, .buffer = BUFFER, .type = CL_BUFFER_CREATE_TYPE_REGION, .has_info = 1, .origin = 128,
	     .size = 256, .mem = SUB);
	ASK(plMemWatch, .mem = SUB);
	ASK(clCreateUserEvent, .context = CONTEXT, .event = USER);
	POST(clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .offset = 8, .size = 64,
	     .data = INLINE(bytes64, 64), .event = EVENT);
	record_begin(0, PL_WIRE_BULK, 0, 64);
	put(bytes64, 64);
	POST(clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .size = 64,
	     .data = { .kind = PL_BULK_STREAM, .bytes = 64 }, .waits = LIST(waits, 2));
	POST(clEnqueueReadBuffer, .queue = QUEUE, .mem = SUB, .has_ptr = 1, .size = 64, .stage = 1024, .token = 5);
	POST(clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .has_ptr = 1, .size = 4096, .stage = UINT64_MAX,
	     .token = 6, .event = EVENT2);
	POST(plEventWatch, .event = EVENT2);
	ASK(plEventCallback, .event = EVENT2, .type = CL_COMPLETE, .token = 9);
	POST(clSetUserEventStatus, .event = USER, .execution_status = 0);
	ASK(clEnqueueReadBufferRect, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1, .has_box = 1,
	    .region = { 8, 4, 2 }, .buffer_row_pitch = 16, .size = 64, .stage = UINT64_MAX);
	ASK(clWaitForEvents, .events = LIST(waits, 1));
	ASK(plEventTimes, .event = EVENT);
	ASK(clEnqueueMapBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .map_flags = CL_MAP_WRITE, .size = 64,
	    .map = 1, .stage = 4096);
	POST(clEnqueueMapBuffer, .queue = QUEUE, .mem = BUFFER, .map_flags = CL_MAP_READ, .size = 64, .map = 2,
	     .stage = UINT64_MAX, .token = 7);
	POST(clEnqueueUnmapMemObject, .queue = QUEUE, .mem = BUFFER, .map = 1, .data = INLINE(bytes64, 64));
	CALL_AS(clEnqueueWriteBuffer, clEnqueueWriteBuffer, PL_WIRE_ASK, 4096, .queue = QUEUE, .mem = BUFFER,
		.blocking = 1, .has_ptr = 1, .size = 4096, .data = { .kind = PL_BULK_AFTER, .bytes = 4096 });
	memset(seed.at + seed.bytes, 7, 4096);
	seed.bytes += 4096;
	ASK(clFinish, .queue = QUEUE);
	POST(plRelease, .kind = PL_CL_KIND_mem, .id = BUFFER);
	POST(plRelease, .kind = PL_CL_KIND_queue, .id = QUEUE);
	write_out("opencl-serve", "buffers");
}

static void argument(uint64_t index, uint64_t kind, uint64_t bytes, uint64_t id, const void *value)
{
	static const uint8_t zeros[8];

	put_u64(index | kind << 32);
	put_u64(bytes);
	put_u64(id);
	if (value) {
		put(value, bytes);
		put(zeros, (8 - bytes % 8) % 8);
	}
}

/* The values of all arguments of the stub's kernel, as in a launch. */
static size_t arguments(uint8_t *blob, uint64_t mem, uint64_t sampler, uint64_t queue)
{
	size_t begin_at = seed.bytes, bytes;

	argument(0, PL_CL_ARG_MEM, 8, mem, NULL);
	argument(1, PL_CL_ARG_BYTES, 4, 0, "four");
	argument(2, PL_CL_ARG_NULL, 64, 0, NULL);
	argument(3, PL_CL_ARG_SAMPLER, 8, sampler, NULL);
	argument(4, PL_CL_ARG_QUEUE, 8, queue, NULL);
	bytes = seed.bytes - begin_at;
	memcpy(blob, seed.at + begin_at, bytes);
	seed.bytes = begin_at;
	return bytes;
}

static size_t files_blob(uint8_t *blob)
{
	size_t begin_at = seed.bytes, bytes;

	put_text(".");
	put_text("/home/user/work");
	put_text("/home/user/work/inc/../a.h");
	put_text("#define A 1\n");
	put_text("/usr/include/b.h");
	put_text("#include \"a.h\"\n");
	bytes = seed.bytes - begin_at;
	memcpy(blob, seed.at + begin_at, bytes);
	seed.bytes = begin_at;
	return bytes;
}

static void programs(void)
{
	static const uint64_t global[] = { 16, 16 }, program[] = { PROGRAM }, lengths[] = { 8 };
	static uint8_t args[512], files[512];
	size_t args_bytes = arguments(args, BUFFER, SAMPLER, QUEUE), files_bytes = files_blob(files);

	begin(0);
	ASK(clCreateSampler, .context = CONTEXT, .addressing_mode = CL_ADDRESS_CLAMP, .filter_mode = CL_FILTER_NEAREST,
	    .sampler = SAMPLER);
	POST(clCreateProgramWithSource, .context = CONTEXT, .source = INLINE("kernel void k() {}", 18),
	     .program = PROGRAM);
	ASK(clBuildProgram, .program = PROGRAM, .has_devices = 1, .devices = LIST(device, 1), .has_options = 1,
	    .options = "-I inc -I /usr/include -DX", .files = INLINE(files, files_bytes));
	ASK(plProgramKernels, .program = PROGRAM);
	ASK(plProgramBinaries, .program = PROGRAM);
	ASK(plInfo, .function = PL_CL_OP_clGetProgramBuildInfo, .param = CL_PROGRAM_BUILD_LOG, .object = PROGRAM,
	    .second = PL_ONE_DEVICE, .has_value = 1, .size = 100);
	POST(clCreateKernel, .program = PROGRAM, .has_name = 1, .kernel_name = "k", .kernel = KERNEL);
	ASK(clSetKernelArg, .kernel = KERNEL, .index = 1, .size = 4, .value = { "four", 4 });
	ASK(clCloneKernel, .source_kernel = KERNEL, .args = { args, args_bytes }, .kernel = CLONE);
	POST(clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = KERNEL, .work_dim = 2, .given = PL_CL_GIVEN_GLOBAL,
	     .global = LIST(global, 2), .args = { args, args_bytes }, .event = EVENT);
	ASK(clCompileProgram, .program = PROGRAM, .has_options = 1, .options = "", .has_headers = 1,
	    .headers = LIST(program, 1), .names = { "a.h", 4 }, .files = NONE);
	ASK(clLinkProgram, .context = CONTEXT, .has_options = 1, .options = "", .has_programs = 1,
	    .programs = LIST(program, 1), .program = LINKED);
	ASK(clCreateProgramWithBinary, .context = CONTEXT, .devices = LIST(device, 1), .lengths = LIST(lengths, 1),
	    .data = INLINE("a binary", 8), .program = LINKED + 10);
	ASK(plDeviceSnapshot, .device = PL_ONE_DEVICE);
	ASK(clFinish, .queue = QUEUE);
	write_out("opencl-serve", "programs");
	arguments(seed.at, 1, 2, 3);
	seed.bytes = args_bytes;
	memcpy(seed.at, args, args_bytes);
	write_out("kernel-args", "all");
}

static void images(void)
{
	static const uint64_t parts[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 }, ids[] = { 50, 51 };
	static const uint64_t formats[] = { 0 };

	(void)formats;
	begin(PL_ONE_ARENA);
	POST(clCreateImage, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .has_format = 1, .has_desc = 1,
	     .channel_order = CL_RGBA, .channel_type = CL_UNORM_INT8, .type = CL_MEM_OBJECT_IMAGE2D, .width = 8,
	     .height = 4, .size = 128, .data = NONE, .mem = IMAGE);
	ASK(clEnqueueWriteImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1, .has_box = 1,
	    .region = { 4, 4, 1 }, .data = INLINE(bytes64, 64));
	ASK(clEnqueueReadImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_ptr = 1, .has_box = 1,
	    .region = { 8, 4, 1 }, .size = 128, .stage = 0);
	ASK(clEnqueueMapImage, .queue = QUEUE, .mem = IMAGE, .blocking = 1, .has_box = 1,
	    .map_flags = CL_MAP_READ | CL_MAP_WRITE, .region = { 4, 4, 1 }, .row_pitch = 32, .size = 128, .map = 1,
	    .stage = UINT64_MAX);
	POST(clEnqueueUnmapMemObject, .queue = QUEUE, .mem = IMAGE, .map = 1, .data = NONE);
	ASK(clGetSupportedImageFormats, .context = CONTEXT, .flags = CL_MEM_READ_ONLY,
	    .image_type = CL_MEM_OBJECT_IMAGE2D);
	ASK(clCreateSubDevices, .device = PL_ONE_DEVICE, .properties = LIST(parts, 3), .has_devices = 1,
	    .devices = LIST(ids, 2));
	ASK(plInfo, .function = PL_CL_OP_clGetMemObjectInfo, .param = CL_MEM_SIZE, .object = IMAGE, .has_value = 1,
	    .size = 8);
	ASK(clSVMAlloc, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = 4096, .store = UINT64_MAX);
	ASK(clSVMAlloc, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = 8192, .store = UINT64_MAX);
	POST(clEnqueueSVMMemcpy, .queue = QUEUE, .given = PL_CL_SVM_GIVEN_DST | PL_CL_SVM_GIVEN_SRC,
	     .dst = PL_ONE_SVM + 64, .src = PL_ONE_SVM + (1ull << 32), .size = 128, .stage = UINT64_MAX, .data = NONE);
	ASK(clEnqueueSVMMap, .queue = QUEUE, .blocking = 1, .flags = CL_MAP_READ, .address = PL_ONE_SVM, .size = 4096);
	ASK(clFinish, .queue = QUEUE);
	write_out("opencl-serve", "images");
}

/* ---- the others ---- */

static void head_put(uint32_t len_bytes, uint64_t bulk_bytes)
{
	struct pl_wire_head head = { .len_bytes = len_bytes, .op = 1, .bulk_bytes = bulk_bytes };

	put(&head, sizeof(head));
}

static void chunk_put(uint64_t offset, uint32_t bytes, uint32_t payload)
{
	struct pl_wire_chunk chunk = { offset, bytes, payload };

	put(&chunk, sizeof(chunk));
	put(bytes64, bytes);
}

static void wide_streams(void)
{
	put("\x2f\x00\x1f\x38\x00", 5); /* 48 bytes, in parts of 32; 56 bytes of the first stream */
	chunk_put(0, 8, 1);
	chunk_put(32, 16, 1);
	chunk_put(8, 24, 1);
	write_out("tcp-wide", "whole");
	put("\x2f\x00\x1f\x28\x00", 5);
	chunk_put(0, 24, 1);
	chunk_put(16, 32, 1);
	write_out("tcp-wide", "overlap");
	put("\x2f\x00\x1f\x18\x00", 5);
	chunk_put(0, 8, 2);
	chunk_put(0, 48, 1);
	write_out("tcp-wide", "next-payload");
}

static void streams(void)
{
	put("\x40\x00\x07", 3);
	head_put(32, 0);
	put_u64(1);
	head_put(24, 13);
	put(bytes64, 13);
	head_put(40, 0);
	put(bytes64, 16);
	write_out("tcp-stream", "records");
	wide_streams();
	put("\x04\x01\x05\x00\x05\x06\x05\x00\x07\x10\x00\x00\x09\x01\x10\x00\x05", 17);
	write_out("shm-ring", "steps");
}

static void hello_put(enum pl_hello_kind kind, uint16_t major, const char *token, const char *secret)
{
	struct pl_hello hello = { .magic = PL_HELLO_MAGIC,
				  .major = major,
				  .kind = kind,
				  .api = PL_API_OPENCL,
				  .pid = 1,
				  .session = PL_ONE_SESSION,
				  .program = "seed" };

	memcpy(hello.token, token, strlen(token));
	memcpy(hello.secret, secret, 16);
	put(&hello, sizeof(hello));
}

static void greetings(void)
{
	struct pl_hello_reply reply = { .magic = PL_HELLO_MAGIC,
					.major = PL_HELLO_MAJOR,
					.session = 1,
					.arena_bytes = 65536,
					.lane_bytes = 256u << 10 };
	static const char *const lines[] = { "{\"do\":\"info\"}\n", "{\"do\":\"sessions\"}\n",
					     "{\"do\":\"kill\",\"session\":7}\n", "{\"do\":[[[[[1]]]]]}\n" };
	char name[16];

	put("\x00", 1);
	hello_put(PL_HELLO_SESSION, PL_HELLO_MAJOR, "", PL_ONE_SECRET);
	write_out("greeting", "session");
	put("\x02", 1);
	hello_put(PL_HELLO_SESSION, PL_HELLO_MAJOR, PL_ONE_TOKEN, PL_ONE_SECRET);
	write_out("greeting", "session-tcp");
	put("\x0c", 1);
	hello_put(PL_HELLO_LANE, PL_HELLO_MAJOR, "", PL_ONE_SECRET);
	write_out("greeting", "lane");
	put("\x0c", 1);
	hello_put(PL_HELLO_PEER, PL_HELLO_MAJOR, "", PL_ONE_SECRET);
	write_out("greeting", "peer");
	put("\x04", 1);
	hello_put(PL_HELLO_SESSION, 9, "", PL_ONE_SECRET);
	write_out("greeting", "version");
	put("\x05", 1); /* to a client, with two good descriptors */
	put(&reply, sizeof(reply));
	write_out("greeting", "reply");
	reply = (struct pl_hello_reply){ .magic = PL_HELLO_MAGIC, .status = PL_HELLO_E_BUSY, .text = "full" };
	put("\x01", 1);
	put(&reply, sizeof(reply));
	write_out("greeting", "refusal");
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		put("\x08\x01", 2);
		put(lines[i], strlen(lines[i]));
		snprintf(name, sizeof(name), "line-%u", i);
		write_out("control", name);
	}
}

static void texts(void)
{
	static const char *const addresses[] = {
		"unix:/run/plenum.sock",    "tcp://[::1]:7",
		"tcp://host.example:65535", "hook:delay_us=5,bandwidth=1G,seed=3;unix:/s",
		"vsock:host:7000",          "vsock:any:any",
		"vsock:/run/vm_7000",       "ivshmem:/dev/shm/r,size=256M;tcp://127.0.0.1:0",
		"ivshmem:;vsock:2:1"
	};
	uint8_t files[512];
	size_t bytes;
	char name[16];

	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		put(addresses[i], strlen(addresses[i]));
		snprintf(name, sizeof(name), "address-%u", i);
		write_out("address", name);
	}
	put("delay_us=10,drop_after=3,corrupt_every=2K", 41);
	write_out("address", "options");
	bytes = files_blob(files);
	put("\x06../inc", 7);
	put(files, bytes);
	write_out("files", "two");
	put("\x08/usr/inc", 9);
	put_text(".");
	put_text("/a/b");
	put_text("/../../../../../../etc/x");
	put_text("x");
	put_text("/etc/x/y");
	put_text("y");
	write_out("files", "escape");
}

/* One answer to the client; text NULL: no body but the numbers. */
static void chunk(uint8_t bits, const uint64_t *words, unsigned count, const char *text)
{
	size_t text_bytes = text ? strlen(text) + 1 : 0, padded = (text_bytes + 7) & ~(size_t)7;
	uint16_t bytes = (uint16_t)(count * 8 + padded);

	put((uint8_t[]){ bits, 4, (uint8_t)bytes, (uint8_t)(bytes >> 8), 0, 0 }, 6);
	put(words, count * 8);
	memset(seed.at + seed.bytes, 0, padded);
	if (text)
		memcpy(seed.at + seed.bytes, text, text_bytes);
	seed.bytes += padded;
}

static void client_replies(void)
{
	static const struct {
		uint32_t param, bytes;
		uint64_t value[3];
	} facts[] = { { CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8, { 1 << 30 } },
		      { CL_DEVICE_LOCAL_MEM_SIZE, 8, { 65536 } },
		      { CL_DEVICE_MEM_BASE_ADDR_ALIGN, 4, { 1024 } },
		      { CL_DEVICE_MAX_WORK_GROUP_SIZE, 8, { 256 } },
		      { CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 4, { 3 } },
		      { CL_DEVICE_MAX_WORK_ITEM_SIZES, 24, { 256, 256, 256 } },
		      { CL_DEVICE_IMAGE_SUPPORT, 4, { 1 } } };
	static const char text[] = "OpenCL 3.0 text";
	const uint64_t info[] = { sizeof(text), sizeof(text) };
	uint64_t snapshot[1 + 4 * 7] = { 0 };
	unsigned words = 1;

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		snapshot[words++] = facts[i].param | (uint64_t)facts[i].bytes << 32;
		for (uint32_t w = 0; w < (facts[i].bytes + 7) / 8; w++)
			snapshot[words++] = facts[i].value[w];
	}
	snapshot[0] = (words - 1) * 8;
	chunk(0, (uint64_t[]){ 1 }, 1, NULL); /* one sub-device */
	chunk(0, snapshot, words, NULL);
	for (int i = 0; i < 40; i++)
		chunk(0, info, 2, text);
	write_out("client-replies", "good");
	chunk(0, (uint64_t[]){ 1 }, 1, NULL);
	for (int i = 0; i < 20; i++) {
		chunk(1, (uint64_t[]){ 1, 2, 3, 4 }, 4, NULL); /* a record of the reverse lane, then its answer */
		put("\x18\x00\x00\x00", 4);
		put(info, 16);
		put(text, 8);
	}
	write_out("client-replies", "reverse");
}

static void decode(void)
{
	put("\x00\x00", 2);
	write_out("opencl-decode", "platforms");
	put("\x30\x00", 2);
	for (uint64_t i = 0; i < 12; i++)
		put_u64(i);
	write_out("opencl-decode", "numbers");
}

/* Small numbers for records here and there in the table. */
static void cuda_decode(void)
{
	for (uint16_t which = 0; which < 400; which += 57) {
		uint8_t number[2] = { (uint8_t)which, (uint8_t)(which >> 8) };
		char name[16];

		put(number, 2);
		for (uint64_t i = 0; i < 24; i++)
			put_u64(i % 3);
		snprintf(name, sizeof(name), "record-%u", which);
		write_out("cuda-decode", name);
	}
}

static void functions(void)
{
	struct pl_enc enc = { seed.at };
	struct pl_functions few = { .version = pl_cl_functions.version, .count = 3, .at = pl_cl_functions.at };

	pl_functions_put(&enc, &pl_cl_functions);
	seed.bytes = (size_t)(enc.at - seed.at);
	write_out("functions", "same");
	enc.at = seed.at;
	pl_functions_put(&enc, &few);
	seed.bytes = (size_t)(enc.at - seed.at);
	write_out("functions", "few");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds FOLDER\n");
		return 2;
	}
	folder = argv[1];
	buffers();
	programs();
	images();
	streams();
	greetings();
	texts();
	client_replies();
	decode();
	cuda_decode();
	functions();
	return 0;
}
