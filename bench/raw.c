/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine itself can do, measured beside the modes and in the same
 * state: round trips over loopback TCP and shared memory, a TCP stream, memcpy.
 * Runs in a process of its own and speaks the workers' language.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PING_BYTES 64u
#define WARM_TURNS 50u
#define SPIN_TURNS 2000u /* then futex */
#define YIELD_TURNS 16u	 /* polls between two sched_yield(): others have work too */
#define STREAM_CHUNK ((size_t)1 << 20)
#define PEER_LIMIT_S 60u /* a peer that is forgotten ends by itself */
#define RAW_SAMPLES_MAX 10000u

static double now_s(void)
{
	return (double)pl_bench_now_ns() * 1e-9;
}

static int bytes_write(int fd, const char *from, size_t n)
{
	while (n) {
		ssize_t k = send(fd, from, n, MSG_NOSIGNAL);

		if (k <= 0)
			return -1;
		from += k;
		n -= (size_t)k;
	}
	return 0;
}

static int bytes_read(int fd, char *to, size_t n, bool poll_it)
{
	unsigned turns = 0;

	while (n) {
		ssize_t k = recv(fd, to, n, poll_it ? MSG_DONTWAIT : 0);

		if (k < 0 && errno == EAGAIN) {
			if (++turns % YIELD_TURNS == 0)
				sched_yield();
			continue;
		}
		if (k <= 0)
			return -1;
		to += k;
		n -= (size_t)k;
	}
	return 0;
}

/* A connected loopback pair with small-message delay off. */
static int tcp_pair(int fd_out[2])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	fd_out[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd_out[1] = -1;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener >= 0 && fd_out[0] >= 0 && !bind(listener, (void *)&at, n) &&
		!listen(listener, 1) && !getsockname(listener, (void *)&at, &n) &&
		!connect(fd_out[0], (void *)&at, n))
		fd_out[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	if (fd_out[1] < 0) {
		close(fd_out[0]);
		return -1;
	}
	setsockopt(fd_out[0], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	setsockopt(fd_out[1], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	return 0;
}

/* fork() a peer that dies with us or when forgotten. */
static pid_t peer_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		alarm(PEER_LIMIT_S);
	}
	return pid;
}

static int tcp_rtt(bool poll_it, unsigned n, double *out)
{
	char bytes[PING_BYTES] = { 0 };
	int fd[2], r = 0;
	pid_t pid;

	if (tcp_pair(fd))
		return -1;
	pid = peer_fork();
	if (!pid) {
		close(fd[0]);
		while (!bytes_read(fd[1], bytes, sizeof(bytes), poll_it) &&
			!bytes_write(fd[1], bytes, sizeof(bytes)))
			;
		_exit(0);
	}
	close(fd[1]);
	for (unsigned i = 0; i < n + WARM_TURNS && !r && pid > 0; i++) {
		double t = now_s();

		r = bytes_write(fd[0], bytes, sizeof(bytes)) ||
		    bytes_read(fd[0], bytes, sizeof(bytes), poll_it);
		if (i >= WARM_TURNS)
			out[i - WARM_TURNS] = now_s() - t;
	}
	close(fd[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid > 0 ? r : -1;
}

static int tcp_rtt_idle(size_t bytes, unsigned n, double *out)
{
	(void)bytes;
	return tcp_rtt(false, n, out);
}

static int tcp_rtt_busy(size_t bytes, unsigned n, double *out)
{
	(void)bytes;
	return tcp_rtt(true, n, out);
}

/* @room: of the memory on either side that is sent from and received into, again and again; a part of @bytes. */
struct stream {
	size_t bytes, room;
	int fd[2];
};

static void stream_receive(const struct stream *stream, char *memory)
{
	const char done = 1;

	for (size_t at = 0;;) {
		size_t in_room = at % stream->room, left = stream->room - in_room;
		ssize_t k = recv(stream->fd[1], memory + in_room, left < STREAM_CHUNK ? left : STREAM_CHUNK, 0);

		if (k <= 0)
			return;
		at += (size_t)k;
		if (at == stream->bytes && bytes_write(stream->fd[1], &done, 1))
			return;
		at %= stream->bytes;
	}
}

static int stream_send(const struct stream *stream, const char *memory)
{
	char done;
	int r = 0;

	for (size_t at = 0; at < stream->bytes && !r; at += STREAM_CHUNK)
		r = bytes_write(stream->fd[0], memory + at % stream->room, STREAM_CHUNK);
	return r ? r : bytes_read(stream->fd[0], &done, 1, false);
}

/* The first turn is not counted: a new connection's window is small, and new memory has no pages. */
static int stream_run(struct stream *stream, unsigned n, double *out)
{
	char *memory = malloc(stream->room);
	pid_t pid = -1;
	int r = -1;

	if (memory && !tcp_pair(stream->fd)) {
		memset(memory, 1, stream->room);
		pid = peer_fork();
		if (!pid) {
			close(stream->fd[0]);
			stream_receive(stream, memory);
			_exit(0);
		}
		close(stream->fd[1]);
		r = pid > 0 ? 0 : -1;
		for (unsigned i = 0; i <= n && !r; i++) {
			double t = now_s();

			r = stream_send(stream, memory);
			if (i)
				out[i - 1] = now_s() - t;
		}
		close(stream->fd[0]);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	free(memory);
	return r;
}

static int tcp_stream(size_t bytes, unsigned n, double *out)
{
	struct stream stream = { .bytes = bytes, .room = STREAM_CHUNK };

	return stream_run(&stream, n, out);
}

/* What a copy of so much memory can be at best: read and written once, and sent. */
static int tcp_stream_of_memory(size_t bytes, unsigned n, double *out)
{
	struct stream stream = { .bytes = bytes, .room = bytes };

	return stream_run(&stream, n, out);
}

struct shared {
	_Alignas(64) _Atomic uint32_t to;
	_Alignas(64) _Atomic uint32_t from;
};

static void word_put(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Return: 0, or -1 when the other side was silent for a second. */
static int word_wait(_Atomic uint32_t *word, uint32_t value)
{
	struct timespec second = { .tv_sec = 1 };

	for (unsigned i = 0; i < SPIN_TURNS; i++)
		if (atomic_load(word) == value)
			return 0;
	while (atomic_load(word) != value)
		if (syscall(SYS_futex, word, FUTEX_WAIT, value - 1, &second, NULL, 0) &&
			errno == ETIMEDOUT)
			return -1;
	return 0;
}

static int shm_rtt(size_t bytes, unsigned n, double *out)
{
	struct shared *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned turns = n + WARM_TURNS;
	int r = 0;
	pid_t pid;

	(void)bytes;
	if (shared == MAP_FAILED)
		return -1;
	pid = peer_fork();
	if (!pid) {
		for (uint32_t i = 1; i <= turns && !word_wait(&shared->to, i); i++)
			word_put(&shared->from, i);
		_exit(0);
	}
	for (uint32_t i = 1; i <= turns && !r && pid > 0; i++) {
		double t = now_s();

		word_put(&shared->to, i);
		r = word_wait(&shared->from, i);
		if (i > WARM_TURNS)
			out[i - WARM_TURNS - 1] = now_s() - t;
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	munmap(shared, sizeof(*shared));
	return pid > 0 ? r : -1;
}

static int copy(size_t bytes, unsigned n, double *out)
{
	unsigned inner = bytes < 65536 ? 64 : 1; /* one small copy is below the clock */
	char *a = malloc(bytes), *b = malloc(bytes);

	if (a && b) {
		memset(a, 1, bytes);
		memset(b, 2, bytes);
		for (unsigned i = 0; i < n; i++) {
			double t = now_s();

			for (unsigned k = 0; k < inner; k++) {
				memcpy(b, a, bytes);
				__asm__ volatile("" : : "r"(b) : "memory");
			}
			out[i] = (now_s() - t) / inner;
		}
	}
	free(a);
	free(b);
	return a && b ? 0 : -1;
}

static int raw_run(const char *name, unsigned n, double *out)
{
	static const struct {
		const char *prefix;
		int (*run)(size_t bytes, unsigned n, double *seconds_out);
	} runs[] = {
		{ "raw_tcp_rtt_idle", tcp_rtt_idle },
		{ "raw_tcp_rtt_busy", tcp_rtt_busy },
		{ "raw_tcp_stream", tcp_stream },
		{ "raw_shm_rtt", shm_rtt },
		{ "raw_memcpy_", copy },
	};
	const struct pl_bench_figure *figures;
	size_t n_figures;

	figures = pl_bench_figures(&n_figures);
	for (size_t f = 0; f < n_figures; f++) {
		if (strcmp(figures[f].name, name))
			continue;
		if (figures[f].raw)
			return tcp_stream_of_memory(figures[f].bytes, n, out);
		for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
			if (!strncmp(name, runs[i].prefix, strlen(runs[i].prefix)))
				return runs[i].run(figures[f].bytes, n, out);
	}
	return -1;
}

int pl_bench_raw_main(int in, int out)
{
	FILE *from = fdopen(in, "r"), *to = fdopen(out, "w");
	char line[PL_BENCH_TALK_LINE_MAX], name[64];
	static double seconds[RAW_SAMPLES_MAX];
	unsigned n;

	if (!from || !to)
		return 1;
	fprintf(to, "@hello raw %d\n", PL_BENCH_TALK_VERSION);
	fflush(to);
	while (fgets(line, sizeof(line), from)) {
		if (sscanf(line, "run %63s %u", name, &n) != 2 || !n || n > RAW_SAMPLES_MAX)
			pl_bench_talk_error(to, "bad command");
		else if (raw_run(name, n, seconds))
			pl_bench_talk_error(to, "the machine refused this measurement");
		else
			pl_bench_talk_samples(to, seconds, n);
	}
	return 0;
}

int pl_bench_raw_start(struct pl_bench_proc *proc)
{
	const struct pl_bench_spawn spawn = { .body = pl_bench_raw_main, .ready_fd = -1 };

	return pl_bench_proc_start(proc, &spawn);
}

/* Spin at idle priority: whoever has work goes first, but no CPU ever halts. */
static int busy_main(int in, int out)
{
	struct sched_param none = { 0 };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	char byte;

	close(out);
	for (long i = 0; i < cores; i++) {
		if (peer_fork())
			continue;
		alarm(0);
		if (sched_setscheduler(0, SCHED_IDLE, &none))
			_exit(1);
		for (;;)
			for (unsigned k = 0; k < 1000000; k++)
				__asm__ volatile("" : : : "memory");
	}
	while (read(in, &byte, 1) > 0)
		;
	return 0; /* PR_SET_PDEATHSIG ends the spinners */
}

int pl_bench_busy_start(struct pl_bench_proc *proc)
{
	const struct pl_bench_spawn spawn = { .body = busy_main, .ready_fd = -1 };

	return pl_bench_proc_start(proc, &spawn);
}
