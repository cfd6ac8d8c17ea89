/* How threads of one end share the socket on which they sleep. */
#include "link/shm/bell.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define STEPS_MAX 10000000u /* limit: a sleep that a byte ends takes some thousand instructions */
#if defined(__x86_64__)
#define STEPS_WORK true
#else
#define STEPS_WORK false /* a store that is conditional may never succeed in steps */
#endif

struct end {
	struct pl_bell bell;
	int peer_fd;
};

static void end_init(struct end *end)
{
	int fds[2], r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);

	assert(!r);
	pl_bell_init(&end->bell, fds[0]);
	end->peer_fd = fds[1];
}

static void end_fini(struct end *end)
{
	close(end->bell.fd);
	close(end->peer_fd);
}

static void ring(struct end *end)
{
	static const char byte = 1;
	ssize_t n = send(end->peer_fd, &byte, 1, MSG_NOSIGNAL);

	assert(n == 1);
}

static void sleep_now(struct pl_bell *bell)
{
	bell->sleep.sleep(&bell->sleep, bell->sleep.mark(&bell->sleep), 60 * SECOND_NS);
}

/* Child: one sleep, its instructions stepped through by its parent. */
static void child_run(struct pl_bell *bell)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(77);
	raise(SIGSTOP);
	sleep_now(bell);
	_exit(0);
}

/* Return: false where it has ended. */
static bool child_step(pid_t child)
{
	long r = ptrace(PTRACE_SINGLESTEP, child, NULL, NULL);
	int status;
	pid_t pid;

	assert(!r);
	pid = waitpid(child, &status, 0);
	assert(pid == child && (WIFSTOPPED(status) || (WIFEXITED(status) && !WEXITSTATUS(status))));
	return WIFSTOPPED(status);
}

static bool child_start(struct pl_bell *bell, pid_t *child_out)
{
	int status;

	*child_out = fork();
	assert(*child_out >= 0);
	if (!*child_out)
		child_run(bell);
	waitpid(*child_out, &status, 0);
	return WIFSTOPPED(status);
}

/* A byte that was taken may have been for the other thread.  That one comes to the socket as soon as it is free, with
 * a mark from before: it has to differ by then, or it sleeps for ever.  Or it has found the socket taken, with a mark
 * from a moment ago: it must differ once more, or nobody is at the socket. */
static void test_who_leaves_the_socket_says_so_before_and_after(void)
{
	struct end *end = mmap(NULL, sizeof(*end), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pl_bell *bell = &end->bell;
	uint32_t mark, left = 0, steps = 0;
	bool was_there = false, is_free = false;
	pid_t child;

	assert(end != MAP_FAILED);
	end_init(end);
	ring(end);
	mark = atomic_load(&bell->rung);
	if (!child_start(bell, &child)) {
		puts("skipped: no program may be stepped through here");
		exit(77);
	}
	while (child_step(child)) {
		assert(steps++ < STEPS_MAX);
		was_there |= atomic_load(&bell->polling);
		if (was_there && !is_free && !atomic_load(&bell->polling)) {
			is_free = true;
			left = atomic_load(&bell->rung);
			assert(left != mark);
		}
	}
	assert(is_free && atomic_load(&bell->rung) != left);
	end_fini(end);
	munmap(end, sizeof(*end));
}

/* Who waits for the one at the socket is woken when that one goes, also where no byte came. */
static void test_the_other_thread_is_told_when_the_socket_is_free(void)
{
	struct end end;
	struct pl_sleep *sleep = &end.bell.sleep;
	uint32_t mark;

	end_init(&end);
	mark = sleep->mark(sleep);
	sleep->sleep(sleep, mark, 1000); /* nothing comes */
	assert(sleep->mark(sleep) != mark && !atomic_load(&end.bell.polling));
	sleep->sleep(sleep, mark, 60 * SECOND_NS); /* so this one looks again at once */
	end_fini(&end);
}

/* A peer that ends, or rings without end, is seen and no more. */
static void test_a_peer_that_ends_is_seen(void)
{
	struct end end;
	static const char flood[4096];

	end_init(&end);
	while (send(end.peer_fd, flood, sizeof(flood), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	sleep_now(&end.bell);
	assert(!atomic_load(&end.bell.over));
	close(end.peer_fd);
	end.peer_fd = -1;
	for (uint32_t i = 0; i < (1u << 20) && !atomic_load(&end.bell.over); i++)
		sleep_now(&end.bell); /* what it sent comes first */
	assert(atomic_load(&end.bell.over));
	end_fini(&end);
}

int main(void)
{
	test_the_other_thread_is_told_when_the_socket_is_free();
	test_a_peer_that_ends_is_seen();
	if (STEPS_WORK)
		test_who_leaves_the_socket_says_so_before_and_after();
	return 0;
}
