/* Objects, ranges and blobs: arguments that are whole and wrong. */
#include "hostile.h"

#include <dirent.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define OTHER 900u

static struct peer peer;

static int32_t read_status(uint64_t queue, uint64_t mem, uint64_t offset, uint64_t size, uint64_t stage)
{
	return ASK(&peer, clEnqueueReadBuffer, .queue = queue, .mem = mem, .blocking = 1, .has_ptr = 1,
		   .offset = offset, .size = size, .stage = stage);
}

static void wrong_handles(void)
{
	peer_open(&peer, server.unix_address);
	world_make(&peer);
	expect_is(read_status(QUEUE, 0, 0, 16, UINT64_MAX), CL_INVALID_MEM_OBJECT);
	expect_is(read_status(0, BUFFER, 0, 16, UINT64_MAX), CL_INVALID_COMMAND_QUEUE);
	expect_is(read_status(QUEUE, OTHER, 0, 16, UINT64_MAX), CL_INVALID_MEM_OBJECT); /* nobody's */
	expect_is(read_status(QUEUE, witness_only_id(), 0, 16, UINT64_MAX),
		  CL_INVALID_MEM_OBJECT);                                               /* another session's */
	expect_is(read_status(QUEUE, QUEUE, 0, 16, UINT64_MAX), CL_INVALID_MEM_OBJECT); /* wrong kinds */
	expect_is(read_status(BUFFER, BUFFER, 0, 16, UINT64_MAX), CL_INVALID_COMMAND_QUEUE);
	expect_is(ASK(&peer, clFinish, .queue = UINT64_MAX), CL_INVALID_COMMAND_QUEUE);
	expect_is(ASK(&peer, plRelease, .kind = PL_CL_KIND_queue, .id = BUFFER), CL_INVALID_COMMAND_QUEUE);
	expect_is(ASK(&peer, plRelease, .kind = 77, .id = BUFFER) != CL_SUCCESS, 1);
	expect_is(ASK(&peer, plRelease, .kind = PL_CL_KIND_mem, .id = BUFFER), CL_SUCCESS);
	expect_is(ASK(&peer, plRelease, .kind = PL_CL_KIND_mem, .id = BUFFER), CL_INVALID_MEM_OBJECT);
	expect_is(read_status(QUEUE, BUFFER, 0, 16, UINT64_MAX), CL_INVALID_MEM_OBJECT); /* stale */
	expect_is(ASK(&peer, clFinish, .queue = QUEUE), CL_SUCCESS);
	peer_close(&peer);
}

static int32_t buffer_make(uint64_t id, uint64_t size)
{
	return ASK(&peer, clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = size,
		   .store = UINT64_MAX, .data = NO_BULK, .mem = id);
}

/* Ids are the client's: an id in use, none, or one of the server's own changes nothing. */
static void wrong_mints(void)
{
	uint64_t device;

	peer_open(&peer, server.unix_address);
	device = device_id(&peer);
	world_make(&peer);
	assert(buffer_make(BUFFER, 64));
	assert(buffer_make(0, 64));
	assert(buffer_make(QUEUE, 64));
	assert(buffer_make(device, 64));
	world_check(&peer, 3);                                                                 /* all as before */
	expect_is(ASK(&peer, plRelease, .kind = PL_CL_KIND_device, .id = device), CL_SUCCESS); /* devices stay */
	expect_is(device_id(&peer), device);
	expect_is(buffer_make(OTHER, 64), CL_SUCCESS);
	peer_close(&peer);
}

static void wrong_ranges(void)
{
	uint64_t end;

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	end = peer.reply.arena_bytes;
	expect_is(read_status(QUEUE, BUFFER, BUFFER_BYTES, 16, UINT64_MAX), CL_INVALID_VALUE);
	expect_is(read_status(QUEUE, BUFFER, UINT64_MAX - 7, 16, UINT64_MAX), CL_INVALID_VALUE);
	expect_is(read_status(QUEUE, BUFFER, 0, BUFFER_BYTES + 1, UINT64_MAX), CL_INVALID_VALUE);
	assert(read_status(QUEUE, BUFFER, 8, UINT64_MAX - 4, UINT64_MAX));
	assert(end && peer.arena);
	expect_is(read_status(QUEUE, BUFFER, 0, 4096, end - 4096), CL_SUCCESS);
	expect_is(read_status(QUEUE, BUFFER, 0, 4096, end - 4095), CL_INVALID_VALUE);
	expect_is(read_status(QUEUE, BUFFER, 0, 4096, end), CL_INVALID_VALUE);
	expect_is(read_status(QUEUE, BUFFER, 0, 4096, UINT64_MAX - 4095), CL_INVALID_VALUE); /* overflows */
	for (int i = 0; i < 3; i++) {
		uint64_t store[] = { end - 8, UINT64_MAX - 4095, 24 }; /* too near the end, overflowing, unaligned */

		assert(ASK(&peer, clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = 4096,
			   .store = store[i], .data = NO_BULK, .mem = OTHER));
	}
	for (int i = 0; i < 3; i++) { /* bulk that lies outside: no whole call */
		struct pl_bulk bulk = { .kind = PL_BULK_ARENA, .bytes = 4096 };
		uint64_t offset[] = { end - 4095, UINT64_MAX - 100, end + 1 };

		bulk.offset = offset[i];
		assert(ASK(&peer, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
			   .size = 4096, .data = bulk));
		assert(peer.body.flags & PL_WIRE_REPLY_REFUSED);
	}
	world_check(&peer, 9);
	peer_close(&peer);
}

static void wrong_boxes(void)
{
	static const uint64_t big = 1ull << 63;

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	for (int i = 0; i < 3; i++) {
		struct pl_cl_clEnqueueReadBufferRect_args a = { .queue = QUEUE,
								.mem = BUFFER,
								.blocking = 1,
								.has_ptr = 1,
								.has_box = 1,
								.region = { 8, 8, 8 },
								.size = 512,
								.stage = UINT64_MAX };
		_Alignas(8) uint8_t body[512];
		struct pl_enc enc = { body };

		if (i == 0)
			a.buffer_origin[2] = big;
		else if (i == 1)
			a.region[0] = a.region[1] = a.region[2] = 1ull << 32;
		else
			a.buffer_row_pitch = a.buffer_slice_pitch = big;
		pl_cl_clEnqueueReadBufferRect_put(&enc, &a);
		ask_raw(&peer, PL_CL_OP_clEnqueueReadBufferRect, body,
			(uint32_t)pl_cl_clEnqueueReadBufferRect_bytes(&a));
		assert(peer.body.status);
	}
	assert(ASK(&peer, clEnqueueMapBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .map_flags = CL_MAP_READ,
		   .offset = BUFFER_BYTES - 4, .size = 8, .map = 1, .stage = UINT64_MAX));
	assert(ASK(&peer, clEnqueueUnmapMemObject, .queue = QUEUE, .mem = BUFFER, .map = 5, .data = NO_BULK));
	assert(ASK(&peer, clCreateImage, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .has_format = 1, .has_desc = 1,
		   .channel_order = CL_RGBA, .channel_type = CL_FLOAT, .type = CL_MEM_OBJECT_IMAGE3D, .width = 1u << 31,
		   .height = 1u << 31, .depth = 1u << 31, .data = NO_BULK, .mem = OTHER));
	world_check(&peer, 4);
	peer_close(&peer);
}

/* ---- programs ---- */

static const char source[] =
	"kernel void k(global int *a, int b, local int *c) { c[0] = b; a[get_global_id(0)] = c[0]; }";

static int32_t launch(const uint64_t *args, uint64_t words)
{
	static const uint64_t one = 1;

	return ASK(&peer, clEnqueueNDRangeKernel, .queue = QUEUE, .kernel = OTHER + 1, .work_dim = 1,
		   .given = PL_CL_GIVEN_GLOBAL, .global = { &one, 1 }, .args = { args, words * 8 });
}

static void kernel_make(const char *options)
{
	peer_open(&peer, server.unix_address);
	world_make(&peer);
	expect_is(ASK(&peer, clCreateProgramWithSource, .context = CONTEXT,
		      .source = { .data = source, .bytes = strlen(source) }, .program = OTHER),
		  CL_SUCCESS);
	expect_is(ASK(&peer, clBuildProgram, .program = OTHER, .has_options = 1, .options = options, .files = NO_BULK),
		  CL_SUCCESS);
	expect_is(ASK(&peer, clCreateKernel, .program = OTHER, .has_name = 1, .kernel_name = "k", .kernel = OTHER + 1),
		  CL_SUCCESS);
}

static void wrong_kernel_args(void)
{
	uint64_t good[] = { 0 | (uint64_t)PL_CL_ARG_MEM << 32,  8,  BUFFER, 1, 4, 0, 42,
			    2 | (uint64_t)PL_CL_ARG_NULL << 32, 64, 0 };
	uint64_t bad[16];

	kernel_make("-cl-kernel-arg-info");
	for (uint64_t words = 1; words < 10; words++) /* cut short at every word */
		if (words != 3 && words != 7)
			assert(launch(good, words));
	for (int bit = 3; bit < 64; bit++) { /* sizes that lie */
		memcpy(bad, good, sizeof(good));
		bad[4] = 1ull << bit;
		assert(launch(bad, 10));
		memcpy(bad, good, sizeof(good));
		bad[0] = (uint64_t)PL_CL_ARG_BYTES << 32; /* eight bytes of our own where a handle belongs */
		bad[2] = 0x4141414141414141u;
		assert(launch(bad, 4));
	}
	memcpy(bad, good, sizeof(good));
	bad[0] = 0 | (uint64_t)PL_CL_ARG_MEM << 32, bad[2] = QUEUE; /* an object of another kind */
	expect_is(launch(bad, 10), CL_INVALID_MEM_OBJECT);
	bad[0] = 77 | (uint64_t)PL_CL_ARG_MEM << 32, bad[2] = BUFFER;
	assert(launch(bad, 10));
	bad[0] = 99ull << 32;
	assert(launch(bad, 10));
	expect_is(launch(good, 10), CL_SUCCESS);
	expect_is(ASK(&peer, clFinish, .queue = QUEUE), CL_SUCCESS);
	peer_close(&peer);
}

/* Where the driver does not say what a parameter is, eight bytes may be a handle to it: that worker may die of it, and
 * nobody else. */
static void forged_handle(void)
{
	static const uint64_t forged[] = { (uint64_t)PL_CL_ARG_BYTES << 32, 8, 0, 0x4141414141414141u }, one = 1;
	const struct pl_wire_head *answer;
	_Alignas(8) uint8_t body[512];
	struct pl_enc enc = { body };
	struct pl_cl_clEnqueueNDRangeKernel_args args = { .queue = QUEUE,
							  .kernel = OTHER + 1,
							  .work_dim = 1,
							  .given = PL_CL_GIVEN_GLOBAL,
							  .global = { &one, 1 },
							  .args = { forged, sizeof(forged) } };
	struct pl_wire_head head = { .op = PL_CL_OP_clEnqueueNDRangeKernel, .flags = PL_WIRE_ASK };
	struct pollfd end;

	kernel_make("");
	pl_cl_clEnqueueNDRangeKernel_put(&enc, &args);
	head.ticket = ++peer.ticket;
	expect_is(record_send(peer.lane, head, body, (uint32_t)(enc.at - body)), 0);
	end = (struct pollfd){ .fd = peer.reverse->fd, .events = POLLRDHUP };
	while (pl_lane_recv(peer.lane, 100000000u, &answer) == PL_LANE_E_TIMEOUT && !poll(&end, 1, 0))
		;
	peer_close(&peer);
}

struct blob {
	_Alignas(8) uint8_t at[2048];
	uint64_t bytes;
};

static void blob_text(struct blob *blob, const char *text)
{
	uint64_t bytes = strlen(text);

	memcpy(blob->at + blob->bytes, &bytes, 8);
	memcpy(blob->at + blob->bytes + 8, text, bytes);
	blob->bytes += 8 + PL_WIRE_PAD(bytes);
}

static bool folder_has(const char *path, const char *beginning)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (folder && (entry = readdir(folder)))
		found |= !strncmp(entry->d_name, beginning, strlen(beginning));
	if (folder)
		closedir(folder);
	return found;
}

/* Include files whose paths lead out: they stay in the session's private folder, which is gone afterwards. */
static void wrong_files(void)
{
	static const char *const paths[] = { "/../../../../../../../../tmp/%s",
					     "/a/../../../../tmp/%s",
					     "/tmp/%s",
					     "/tmp/./%s/x",
					     "../%s",
					     "..",
					     "/",
					     "",
					     "relative/%s",
					     "/./././%s" };
	char path[128], name[64], real[128];

	peer_open(&peer, server.unix_address);
	world_make(&peer);
	expect_is(ASK(&peer, clCreateProgramWithSource, .context = CONTEXT,
		      .source = { .data = source, .bytes = strlen(source) }, .program = OTHER),
		  CL_SUCCESS);
	snprintf(name, sizeof(name), "plenum-escaped-%d", (int)getpid());
	snprintf(real, sizeof(real), "/tmp/%s", name);
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (int cwd = 0; cwd < 2; cwd++) {
			struct blob blob = { .bytes = 0 };

			blob_text(&blob, ".");
			blob_text(&blob, cwd ? "/../../.." : "/home/user");
			snprintf(path, sizeof(path), paths[i], name);
			blob_text(&blob, path);
			blob_text(&blob, "#define ESCAPED\n");
			blob_text(&blob, "/home/user"); /* a file where a folder is, and a folder where a file is */
			blob_text(&blob, "x");
			blob_text(&blob, "/home/user/a/b");
			blob_text(&blob, "x");
			(void)ASK(&peer, clBuildProgram, .program = OTHER, .has_options = 1,
				  .options = "-I ../../../../../tmp -I /../.. -I .",
				  .files = { .data = blob.at, .bytes = blob.bytes });
			assert(access(real, F_OK) < 0);
			assert(!folder_has(server.folder, "plenum-include-"));
		}
	for (uint64_t bit = 0; bit < 64; bit++) { /* lengths that lie */
		struct blob blob = { .bytes = 0 };

		blob_text(&blob, ".");
		blob_text(&blob, "/home/user");
		blob_text(&blob, "/home/user/a.h");
		*(uint64_t *)(void *)(blob.at + blob.bytes) = 1ull << bit;
		blob.bytes += 16;
		(void)ASK(&peer, clBuildProgram, .program = OTHER, .has_options = 1, .options = "-I .",
			  .files = { .data = blob.at, .bytes = blob.bytes });
		assert(!folder_has(server.folder, "plenum-include-"));
	}
	world_check(&peer, 5);
	peer_close(&peer);
}

const struct hostile_case cases_object[] = {
	{ "stale, foreign, zero and wrong handles are refused", wrong_handles, true },
	{ "ids that the client may not give change nothing", wrong_mints, true },
	{ "ranges outside, and such that overflow, are refused", wrong_ranges, true },
	{ "boxes that overflow are refused", wrong_boxes, true },
	{ "arguments of a kernel whose sizes lie are refused", wrong_kernel_args, true },
	{ "a forged handle harms nobody else", forged_handle, true },
	{ "include files stay in their folder", wrong_files, true },
	{ 0 },
};
