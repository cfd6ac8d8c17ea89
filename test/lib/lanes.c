#include "lib/lanes.h"

#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h> /* newer ones need <sys/socket.h> before */

#include "lib/process.h"
#include "link/greet.h"
#include "link/hook/hook.h"
#include "link/ivshmem/region.h"
#include "link/shm/shm.h"
#include "link/tcp/lane.h"

const struct pl_test_link pl_test_links[] = {
	{.name = "shm", .shm = true},	       {.name = "unix"},
	{.name = "tcp", .tcp = true},	       {.name = "hook-shm", .shm = true, .hooked = true},
	{.name = "hook-unix", .hooked = true}, {.name = "hook-tcp", .tcp = true, .hooked = true},
	{.name = "tcp-wide", .tcp = true, .wide = true},
	{.name = "tcp-far", .tcp = true, .far = true},
	{.name = "hook-tcp-far", .tcp = true, .far = true, .hooked = true},
	{.name = "hook-tcp-wide", .tcp = true, .wide = true, .hooked = true},
	{.name = "ivshmem", .tcp = true, .shm = true, .region = true},
	{.name = "ivshmem-unix", .shm = true, .region = true},
	{.name = "hook-ivshmem", .tcp = true, .shm = true, .region = true, .hooked = true},
	{.name = "vsock", .vsock = true},
	{.name = "ivshmem-vsock", .vsock = true, .shm = true, .region = true},
};
const unsigned pl_test_links_count = sizeof(pl_test_links) / sizeof(pl_test_links[0]);

void pl_test_tcp_pair(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
	socklen_t bytes = sizeof(at);

	r = bind(listener, (struct sockaddr *)&at, bytes) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&at, &bytes);
	assert(!r);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = connect(fds[0], (struct sockaddr *)&at, bytes);
	assert(!r);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert(fds[1] >= 0);
	close(listener);
}

void pl_test_lane_far(struct pl_lane *lane, void (*cut_fn)(void *arg))
{
	tcp_lane(lane)->base.near = false;
	assert(pl_lane_resumable(lane, cut_fn, NULL, false) && lane->resumes);
}

static void pair_widen(struct pl_test_pair *pair)
{
	for (int i = 0; i < 3; i++) {
		int fds[2], r;

		pl_test_tcp_pair(fds);
		r = pair->server->ops->more(pair->server, fds[0], false);
		assert(!r);
		r = pair->client->ops->more(pair->client, fds[1], true);
		assert(!r);
	}
}

struct dial {
	char address[PL_LINK_ADDRESS_MAX];
	uint64_t place;
	struct pl_link_opened opened;
	int result;
};

static void *dial_run(void *arg)
{
	struct dial *dial = arg;
	struct pl_hello hello = {.kind = PL_HELLO_LANE, .place = dial->place};

	dial->result = pl_link_dial(dial->address, &hello, 10000000000u, &dial->opened);
	return NULL;
}

const char *pl_test_link_missing(const struct pl_test_link *link)
{
	struct sockaddr_vm at = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_LOCAL, .svm_port = VMADDR_PORT_ANY};
	const char *why = NULL;
	int fd;

	if (!link->vsock)
		return NULL;
	fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return "no vsock sockets in this kernel";
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		why = "no vsock within this machine (module vsock_loopback)";
	close(fd);
	return why;
}

/* Where the pair's server listens; with a region, its file lies in the folder. */
static void address_make(const struct pl_test_link *link, const char *folder, char address[PL_LINK_ADDRESS_MAX])
{
	char plain[PL_LINK_ADDRESS_MAX / 2];

	if (link->vsock)
		snprintf(plain, sizeof(plain), "vsock:local:any");
	else if (link->tcp)
		snprintf(plain, sizeof(plain), "tcp://127.0.0.1:0");
	else
		snprintf(plain, sizeof(plain), "unix:%s/s", folder);
	if (link->region)
		snprintf(address, PL_LINK_ADDRESS_MAX, "ivshmem:%s/region,size=16M;%s", folder, plain);
	else
		snprintf(address, PL_LINK_ADDRESS_MAX, "%s", plain);
}

/* Return: the lane's place. */
static uint64_t region_make(struct pl_test_pair *pair, const char *address)
{
	uint64_t offset, bytes;
	int r = pl_link_region_create(address, &pair->region);

	assert(!r && pair->region);
	r = pl_region_grant(pair->region, &offset, &bytes);
	assert(!r && bytes >= PL_SHM_LANE_BYTES);
	return offset;
}

void pl_test_pair_create(struct pl_test_pair *pair, const struct pl_test_link *link)
{
	char folder[PL_TEST_PATH_MAX], address[PL_LINK_ADDRESS_MAX];
	struct pl_hello_reply reply = {.lane_bytes = link->shm ? PL_SHM_RING_BYTES : 0};
	struct pl_hello hello;
	struct dial dial = {0};
	uint64_t place = 0;
	pthread_t thread;
	int listener, fd, r;

	*pair = (struct pl_test_pair){.link = link};
	pl_test_folder_create(folder);
	address_make(link, folder, address);
	if (link->region) {
		place = region_make(pair, address);
		dial.place = place + 1;
	}
	r = pl_link_listen(address, &listener, dial.address);
	assert(!r);
	r = pthread_create(&thread, NULL, dial_run, &dial);
	assert(!r);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert(fd >= 0);
	r = pl_greet_hello_recv(fd, &hello, pl_now_ns() + 10000000000u);
	assert(!r && hello.kind == PL_HELLO_LANE && hello.place == dial.place);
	if (link->region)
		r = pl_link_accept_region_lane(fd, &reply, pl_region_fd(pair->region), place, &pair->server);
	else
		r = pl_link_accept_lane(fd, &reply, -1, &pair->server);
	assert(!r);
	pthread_join(thread, NULL);
	assert(!dial.result && dial.opened.arena_fd == -1);
	pair->client = dial.opened.lane;
	if (link->wide)
		pair_widen(pair);
	if (link->far) {
		pl_test_lane_far(pair->client, NULL);
		pl_test_lane_far(pair->server, NULL);
	}
	close(listener);
	pl_test_folder_remove(folder);
}

void pl_test_pair_ready(struct pl_test_pair *pair)
{
	static const struct pl_hook_options options = {.delay_us = 20};
	int r;

	if (!pair->link->hooked)
		return;
	pair->under = pair->client;
	r = pl_hook_lane_wrap(pair->under, &options, &pair->client);
	assert(!r);
}

void pl_test_pair_destroy(struct pl_test_pair *pair)
{
	pl_lane_destroy(pair->client);
	pl_lane_destroy(pair->server);
	pl_region_destroy(pair->region);
	*pair = (struct pl_test_pair){0};
}

static void *watch_run(void *arg)
{
	struct pl_test_watch *watch = arg;
	struct pollfd poll_fd = {.fd = watch->lane->fd, .events = POLLRDHUP};

	while (poll(&poll_fd, 1, -1) <= 0)
		;
	pl_lane_shutdown(watch->lane);
	return NULL;
}

void pl_test_watch_start(struct pl_test_watch *watch, struct pl_lane *lane)
{
	int r;

	watch->lane = lane;
	r = pthread_create(&watch->thread, NULL, watch_run, watch);
	assert(!r);
}

void pl_test_watch_end(struct pl_test_watch *watch)
{
	pthread_join(watch->thread, NULL);
}

/* ---- contents ---- */

void pl_test_bytes_fill(void *data, uint64_t bytes, uint64_t seed)
{
	uint8_t *at = data;

	for (uint64_t i = 0; i < bytes; i += 8) {
		uint64_t word = (seed + i / 8 + 1) * 0x9e3779b97f4a7c15u;
		memcpy(at + i, &word, bytes - i < 8 ? bytes - i : 8);
	}
}

void pl_test_bytes_check(const void *data, uint64_t bytes, uint64_t seed)
{
	const uint8_t *at = data;

	for (uint64_t i = 0; i < bytes; i += 8) {
		uint64_t word = (seed + i / 8 + 1) * 0x9e3779b97f4a7c15u;
		assert(!memcmp(at + i, &word, bytes - i < 8 ? bytes - i : 8));
	}
}

int pl_test_record_send(struct pl_lane *lane, uint64_t number, uint32_t len_bytes, uint64_t bulk_bytes,
			enum pl_lane_how how)
{
	struct pl_wire_head head = {.len_bytes = len_bytes,
				    .op = (uint16_t)(number & 0x3ff),
				    .flags = PL_WIRE_ASK,
				    .ticket = number,
				    .bulk_bytes = bulk_bytes};
	void *room;
	int r = pl_lane_reserve(lane, len_bytes, &room);

	if (r)
		return r;
	assert((uintptr_t)room % PL_WIRE_ALIGN == 0);
	memcpy(room, &head, sizeof(head));
	pl_test_bytes_fill((uint8_t *)room + sizeof(head), len_bytes - sizeof(head), number);
	return pl_lane_commit(lane, len_bytes, how);
}

void pl_test_record_check(const struct pl_wire_head *head, uint64_t number, uint32_t len_bytes, uint64_t bulk_bytes)
{
	assert((uintptr_t)head % PL_WIRE_ALIGN == 0);
	assert(head->ticket == number && head->op == (number & 0x3ff) && head->flags == PL_WIRE_ASK);
	assert(head->len_bytes == len_bytes && head->bulk_bytes == bulk_bytes);
	pl_test_bytes_check(head + 1, len_bytes - sizeof(*head), number);
}

void pl_test_record_expect(struct pl_lane *lane, uint64_t number, uint32_t len_bytes, uint64_t bulk_bytes)
{
	const struct pl_wire_head *head = NULL;
	int r = pl_lane_recv(lane, UINT64_MAX, &head);

	assert(!r);
	pl_test_record_check(head, number, len_bytes, bulk_bytes);
}
