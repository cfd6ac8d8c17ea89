#include "hostile.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda-wire.h"
#include "lib/leak.h"
#include "lib/process.h"

struct server server;
uint32_t hello_api = PL_API_OPENCL;
uint64_t hello_api_hash = PL_CL_API_HASH;

/* ---- the server ---- */

static void token_make(const char *path)
{
	FILE *file = fopen(path, "we");

	snprintf(server.token, sizeof(server.token), "hostile-token-%d", (int)getpid());
	assert(file && !fchmod(fileno(file), 0600) && fprintf(file, "%s\n", server.token) > 0 && !fclose(file));
}

static void server_exec(const char *tool, const char *token_file, int ready_fd)
{
	char ready[32], objects[40], memory[40], host[40], inflight[48], lanes[40], sessions[40];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(ready, sizeof(ready), "--ready-fd=%d", ready_fd);
	snprintf(objects, sizeof(objects), "--objects-limit=%u", OBJECTS_LIMIT);
	snprintf(memory, sizeof(memory), "--memory-limit=%llu", MEMORY_LIMIT);
	snprintf(host, sizeof(host), "--host-limit=%llu", HOST_LIMIT);
	snprintf(inflight, sizeof(inflight), "--inflight-limit=%llu", INFLIGHT_LIMIT);
	snprintf(lanes, sizeof(lanes), "--lanes-limit=%u", LANES_LIMIT);
	snprintf(sessions, sizeof(sessions), "--sessions-limit=%u", SESSIONS_LIMIT);
	unsetenv("PLENUM");
	unsetenv("PLENUM_TOKEN");
	setenv("TMPDIR", server.folder, 1);
	if (server.logs)
		assert(freopen(server.log, "we", stderr));
	execl(tool, tool, "serve", server.logs ? "-v" : "-q", "--listen", server.unix_address, "--listen",
	      "tcp://127.0.0.1:0", "--token-file", token_file, ready, objects, memory, host, inflight, lanes, sessions,
	      "--spare=1", (char *)NULL);
	perror(tool);
	_exit(127);
}

void server_start(const char *tool)
{
	char token_file[128], text[1024] = "", *tcp;
	size_t length = 0;
	int ready[2];
	ssize_t n;

	pl_test_folder_create(server.folder);
	snprintf(server.unix_address, sizeof(server.unix_address), "unix:%s/s", server.folder);
	snprintf(token_file, sizeof(token_file), "%s/token", server.folder);
	token_make(token_file);
	snprintf(server.log, sizeof(server.log), "%s/log", server.folder);
	assert(!pipe(ready));
	server.pid = fork();
	assert(server.pid >= 0);
	if (!server.pid) {
		close(ready[0]);
		server_exec(tool, token_file, ready[1]);
	}
	close(ready[1]);
	while ((n = read(ready[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	close(ready[0]);
	tcp = strstr(text, "tcp://");
	assert(tcp);
	snprintf(server.tcp_address, sizeof(server.tcp_address), "%.*s", (int)strcspn(tcp, "\n"), tcp);
}

void server_stop(void)
{
	int status = -1;

	assert(!kill(server.pid, SIGTERM) && waitpid(server.pid, &status, 0) == server.pid);
	assert(WIFEXITED(status) && !WEXITSTATUS(status));
	pl_test_folder_remove(server.folder);
	assert(access(server.folder, F_OK) < 0); /* nobody left a folder in it */
}

/* ---- sessions ---- */

struct pl_hello hello_of(enum pl_hello_kind kind, const char *address)
{
	struct pl_hello hello = { .magic = PL_HELLO_MAGIC,
				  .major = PL_HELLO_MAJOR,
				  .minor = PL_HELLO_MINOR,
				  .kind = kind,
				  .api = hello_api,
				  .api_hash = hello_api_hash,
				  .pid = (uint32_t)getpid(),
				  .program = "hostile" };

	if (!strncmp(address, "tcp:", 4))
		memcpy(hello.token, server.token, strlen(server.token));
	return hello;
}

struct pl_hello peer_lane_hello(const struct peer *peer)
{
	struct pl_hello hello = hello_of(PL_HELLO_LANE, peer->address);

	hello.session = peer->reply.session;
	memcpy(hello.secret, peer->reply.secret, sizeof(hello.secret));
	return hello;
}

struct pl_lane *peer_lane(const struct peer *peer)
{
	struct pl_hello hello = peer_lane_hello(peer);
	struct pl_link_opened opened;

	expect_is(pl_link_dial(peer->address, &hello, ANSWER_NS, &opened), 0);
	return opened.lane;
}

int peer_try(struct peer *peer, const char *address)
{
	struct pl_hello hello = hello_of(PL_HELLO_SESSION, address);
	struct pl_link_opened opened;
	int r = pl_link_dial(address, &hello, ANSWER_NS, &opened);

	*peer = (struct peer){ .address = address };
	if (r)
		return r;
	peer->reply = opened.reply;
	peer->reverse = opened.lane;
	if (opened.arena_fd >= 0) {
		peer->arena = mmap(NULL, opened.reply.arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
				   opened.arena_fd, 0);
		assert(peer->arena != MAP_FAILED);
		close(opened.arena_fd);
	}
	return 0;
}

void peer_open(struct peer *peer, const char *address)
{
	expect_is(peer_try(peer, address), 0);
	peer->lane = peer_lane(peer);
}

void peer_open_cuda(struct peer *peer, const char *address)
{
	hello_api = PL_API_CUDA;
	hello_api_hash = PL_CUDA_API_HASH;
	peer_open(peer, address);
	hello_api = PL_API_OPENCL;
	hello_api_hash = PL_CL_API_HASH;
}

void peer_close(struct peer *peer)
{
	pid_t worker = (pid_t)peer->reply.worker_pid;

	pl_lane_destroy(peer->lane);
	pl_lane_destroy(peer->reverse);
	if (peer->arena)
		munmap(peer->arena, peer->reply.arena_bytes);
	*peer = (struct peer){ 0 };
	assert(pl_test_process_gone(worker));
}

void peer_expect_end(struct peer *peer)
{
	struct pollfd end = { .fd = peer->reverse->fd, .events = POLLRDHUP };

	expect_is(poll(&end, 1, (int)(ANSWER_NS / 1000000)), 1);
	peer_close(peer);
}

/* ---- records ---- */

int record_send(struct pl_lane *lane, struct pl_wire_head head, const void *body, uint32_t body_bytes)
{
	void *room;
	int r;

	head.len_bytes = (uint32_t)sizeof(head) + body_bytes;
	r = pl_lane_reserve(lane, head.len_bytes, &room);
	if (r)
		return r;
	memcpy(room, &head, sizeof(head));
	if (body_bytes)
		memcpy((uint8_t *)room + sizeof(head), body, body_bytes);
	return pl_lane_commit(lane, head.len_bytes, head.bulk_bytes ? PL_LANE_MORE : PL_LANE_NOW);
}

void reply_take(struct peer *peer)
{
	expect_is(pl_lane_recv(peer->lane, ANSWER_NS, &peer->head), 0);
	assert(peer->head->flags & PL_WIRE_REPLY && peer->head->ticket == peer->ticket);
	assert(peer->head->len_bytes >= sizeof(*peer->head) + sizeof(peer->body));
	memcpy(&peer->body, peer->head + 1, sizeof(peer->body));
	peer->dec = (struct pl_dec){ .at = (const uint8_t *)(peer->head + 1) + sizeof(peer->body),
				     .end = (const uint8_t *)peer->head + peer->head->len_bytes,
				     .after_bytes = peer->head->bulk_bytes };
}

void reply_bulk_drop(struct peer *peer)
{
	expect_is(pl_lane_drop_bulk(peer->lane, peer->head->bulk_bytes), 0);
}

void ask_with_bulk(struct peer *peer, uint16_t op, const void *body, uint32_t body_bytes, const void *bulk,
		   uint64_t bytes)
{
	struct pl_wire_head head = { .op = op, .flags = PL_WIRE_ASK, .ticket = ++peer->ticket, .bulk_bytes = bytes };

	expect_is(record_send(peer->lane, head, body, body_bytes), 0);
	if (bytes)
		expect_is(pl_lane_send_bulk(peer->lane, bulk, bytes), 0);
	reply_take(peer);
}

void ask_raw(struct peer *peer, uint16_t op, const void *body, uint32_t body_bytes)
{
	ask_with_bulk(peer, op, body, body_bytes, NULL, 0);
}

/* ---- things to use ---- */

uint64_t device_id(struct peer *peer)
{
	struct pl_cl_clGetPlatformIDs_reply platforms;
	struct pl_cl_clGetDeviceIDs_reply devices;

	expect_is(ASK(peer, clGetPlatformIDs, 0), CL_SUCCESS);
	pl_cl_clGetPlatformIDs_reply_get(&peer->dec, &platforms);
	assert(pl_dec_whole(&peer->dec));
	if (!platforms.platforms.count)
		return 0;
	if (ASK(peer, clGetDeviceIDs, .platform = platforms.platforms.at[0], .device_type = CL_DEVICE_TYPE_ALL))
		return 0;
	pl_cl_clGetDeviceIDs_reply_get(&peer->dec, &devices);
	assert(pl_dec_whole(&peer->dec));
	return devices.devices.count ? devices.devices.at[0] : 0;
}

void world_make(struct peer *peer)
{
	uint64_t device = device_id(peer);

	expect_is(ASK(peer, clCreateContext, .devices = { &device, 1 }, .context = CONTEXT), CL_SUCCESS);
	expect_is(ASK(peer, clCreateCommandQueue, .context = CONTEXT, .device = device, .queue = QUEUE), CL_SUCCESS);
	expect_is(ASK(peer, clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = BUFFER_BYTES,
		      .store = UINT64_MAX, .data = NO_BULK, .mem = BUFFER),
		  CL_SUCCESS);
}

void world_check(struct peer *peer, uint8_t fill)
{
	struct pl_cl_clEnqueueReadBuffer_reply got;
	uint8_t data[4096];

	memset(data, fill, sizeof(data));
	expect_is(ASK(peer, clEnqueueWriteBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
		      .size = sizeof(data), .data = { .data = data, .bytes = sizeof(data) }),
		  CL_SUCCESS);
	expect_is(ASK(peer, clEnqueueReadBuffer, .queue = QUEUE, .mem = BUFFER, .blocking = 1, .has_ptr = 1,
		      .size = sizeof(data), .stage = UINT64_MAX),
		  CL_SUCCESS);
	pl_cl_clEnqueueReadBuffer_reply_get(&peer->dec, &got);
	assert(pl_dec_whole(&peer->dec) && got.data.bytes == sizeof(data) &&
	       !memcmp(got.data.data, data, sizeof(data)));
}

/* ---- the witness ---- */

static struct peer witness;
static uint8_t witness_fill;

void witness_start(void)
{
	peer_open(&witness, server.unix_address);
	server.has_device = device_id(&witness) != 0;
	if (!server.has_device)
		return;
	world_make(&witness);
	expect_is(ASK(&witness, clCreateBuffer, .context = CONTEXT, .flags = CL_MEM_READ_WRITE, .size = 64,
		      .store = UINT64_MAX, .data = NO_BULK, .mem = witness_only_id()),
		  CL_SUCCESS);
}

uint64_t witness_only_id(void)
{
	return 7777;
}

void witness_check(void)
{
	struct peer fresh;

	if (server.has_device)
		world_check(&witness, ++witness_fill);
	else
		assert(!device_id(&witness));
	peer_open(&fresh, server.unix_address); /* and the server takes new clients */
	expect_is(ASK(&fresh, clGetPlatformIDs, 0), CL_SUCCESS);
	peer_close(&fresh);
}

void witness_stop(void)
{
	peer_close(&witness);
}
