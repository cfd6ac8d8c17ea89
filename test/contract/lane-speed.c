/*
 * Run by hand: a lane beside the raw socket under it, in one run.  Ping-pong of 64 bytes, a stream of posted records,
 * a stream of bulk.  The server is a child process.  The carriers take turns; medians of the turns are printed.
 * usage: lane-speed [turns [asks a turn]]
 */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "link/shm/shm.h"
#include "link/tcp/tcp.h"

#define PING_BYTES  64u
#define BLOCK_BYTES (4u << 20)
#define BLOCKS	    64u
#define POSTS	    50000u
#define TURNS_MAX   99u

enum carrier { TCP_RAW, TCP_BUSY, TCP_LANE, UNIX_LANE, SHM_LANE, CARRIERS };
static const char *const names[] = {"tcp raw blocking", "tcp raw busy", "tcp lane", "unix lane", "shm lane"};

static void tcp_pair(int fds[2])
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, r;

	r = bind(listener, (void *)&at, bytes) || listen(listener, 1) || getsockname(listener, (void *)&at, &bytes);
	assert(!r);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	r = connect(fds[0], (void *)&at, bytes);
	assert(!r);
	fds[1] = accept(listener, NULL, NULL);
	close(listener);
	for (int i = 0; i < 2; i++)
		setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void raw_write(int fd, const void *data, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = send(fd, (const char *)data + done, bytes - done, MSG_NOSIGNAL);
		assert(n > 0);
		done += (size_t)n;
	}
}

static int raw_read(int fd, void *data, size_t bytes, int flags)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = recv(fd, (char *)data + done, bytes - done, flags);
		if (!n)
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static void put(struct pl_lane *lane, uint64_t bulk_bytes, uint16_t op)
{
	struct pl_wire_head *head;
	void *room;
	int r = pl_lane_reserve(lane, PING_BYTES, &room);

	assert(!r);
	head = room;
	*head = (struct pl_wire_head){.len_bytes = PING_BYTES, .op = op, .bulk_bytes = bulk_bytes};
	r = pl_lane_commit(lane, PING_BYTES, PL_LANE_NOW);
	assert(!r);
}

static void serve_raw(int fd, char *block, int flags)
{
	for (;;) {
		if (raw_read(fd, block, PING_BYTES, flags))
			_exit(0);
		if (block[0] == 'b' && raw_read(fd, block, BLOCK_BYTES, flags))
			_exit(0);
		if (block[0] != 'p' && block[0] != 'b')
			raw_write(fd, block, PING_BYTES);
		block[0] = 0;
	}
}

static void serve_lane(struct pl_lane *lane, char *block)
{
	const struct pl_wire_head *head;

	for (;;) {
		if (pl_lane_recv(lane, UINT64_MAX, &head))
			_exit(0);
		if (head->bulk_bytes && pl_lane_recv_bulk(lane, block, head->bulk_bytes))
			_exit(0);
		if (head->op == 1)
			put(lane, 0, 1);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct end {
	int fd, flags;
	struct pl_lane *lane;
};

static void post(struct end *end, char *block, char kind)
{
	if (end->lane) {
		put(end->lane, kind == 'b' ? BLOCK_BYTES : 0, kind == 'a' ? 1 : 2);
		if (kind == 'b')
			pl_lane_send_bulk(end->lane, block, BLOCK_BYTES);
		return;
	}
	block[0] = kind;
	raw_write(end->fd, block, PING_BYTES);
	if (kind == 'b')
		raw_write(end->fd, block, BLOCK_BYTES);
}

static void ask(struct end *end, char *block)
{
	const struct pl_wire_head *head;
	int r;

	post(end, block, 'a');
	r = end->lane ? pl_lane_recv(end->lane, UINT64_MAX, &head) : raw_read(end->fd, block, PING_BYTES, end->flags);
	assert(!r);
}

struct figures {
	double ask_us, posts_k, stream_gb;
};

static struct figures measure(enum carrier carrier, unsigned rounds)
{
	char *block = malloc(BLOCK_BYTES);
	double *ping = malloc(rounds * sizeof(*ping));
	struct end end = {.flags = carrier == TCP_BUSY ? MSG_DONTWAIT : 0};
	int fds[2], memory = -1, r = 0;
	struct pl_lane *served = NULL;
	struct figures figures;
	uint64_t begin;
	pid_t child;

	memset(block, 1, BLOCK_BYTES);
	if (carrier == UNIX_LANE || carrier == SHM_LANE)
		r = socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	else
		tcp_pair(fds);
	if (carrier == SHM_LANE)
		r = pl_shm_lane_serve(fds[1], &served, &memory);
	assert(!r);
	child = fork();
	if (!child) {
		close(fds[0]);
		if (carrier == TCP_RAW || carrier == TCP_BUSY)
			serve_raw(fds[1], block, end.flags);
		if (!served && pl_tcp_lane_create(fds[1], &served))
			_exit(1);
		serve_lane(served, block);
	}
	if (carrier == SHM_LANE)
		r = pl_shm_lane_open(fds[0], memory, PL_SHM_RING_BYTES, &end.lane);
	else if (carrier == TCP_LANE || carrier == UNIX_LANE)
		r = pl_tcp_lane_create(fds[0], &end.lane);
	assert(!r);
	end.fd = fds[0];
	for (unsigned i = 0; i < rounds; i++) {
		begin = pl_now_ns();
		ask(&end, block);
		ping[i] = (double)(pl_now_ns() - begin) / 1e3;
	}
	qsort(ping, rounds, sizeof(*ping), compare);
	figures.ask_us = ping[rounds / 2];
	begin = pl_now_ns();
	for (unsigned i = 0; i < POSTS; i++)
		post(&end, block, 'p');
	ask(&end, block);
	figures.posts_k = POSTS * 1e6 / (double)(pl_now_ns() - begin);
	begin = pl_now_ns();
	for (unsigned i = 0; i < BLOCKS; i++)
		post(&end, block, 'b');
	ask(&end, block);
	figures.stream_gb = (double)BLOCK_BYTES * BLOCKS / (double)(pl_now_ns() - begin);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	pl_lane_destroy(end.lane);
	if (carrier == TCP_RAW || carrier == TCP_BUSY)
		close(fds[0]);
	if (carrier == SHM_LANE)
		pl_lane_destroy(served);
	else
		close(fds[1]);
	free(ping);
	free(block);
	return figures;
}

static void print_median(const char *label, double *values, unsigned count, const char *unit)
{
	qsort(values, count, sizeof(*values), compare);
	printf("  %s %8.2f (%.2f..%.2f) %s", label, values[count / 2], values[count / 10],
	       values[count - 1 - count / 10], unit);
}

int main(int argc, char **argv)
{
	static double asks[CARRIERS][TURNS_MAX], posts[CARRIERS][TURNS_MAX], streams[CARRIERS][TURNS_MAX];
	unsigned turns = argc > 1 ? (unsigned)atoi(argv[1]) : 7, rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 3000;

	assert(turns && turns <= TURNS_MAX && rounds);
	for (unsigned turn = 0; turn < turns; turn++) {
		for (int i = 0; i < CARRIERS; i++) {
			struct figures figures = measure((enum carrier)i, rounds);
			asks[i][turn] = figures.ask_us;
			posts[i][turn] = figures.posts_k;
			streams[i][turn] = figures.stream_gb;
		}
	}
	for (int i = 0; i < CARRIERS; i++) {
		printf("%-16s", names[i]);
		print_median("ask", asks[i], turns, "us");
		print_median("posts", posts[i], turns, "k/s");
		print_median("stream", streams[i], turns, "GB/s");
		printf("\n");
	}
	return 0;
}
