/* SPDX-License-Identifier: Apache-2.0 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_SLICE_MS 200 /* how late a stop request may be seen */
#define SWEEP_MAX 64	  /* rounds of killing orphans */

static volatile sig_atomic_t stopped;

uint64_t pl_bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void stop_note(int signal_number)
{
	stopped = signal_number;
}

void pl_bench_stop_watch(void)
{
	struct sigaction action = { .sa_handler = stop_note };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

bool pl_bench_stopped(void)
{
	return stopped != 0;
}

static size_t env_at(const struct pl_bench_env *env, const char *name)
{
	size_t n = strlen(name), i;

	for (i = 0; i < env->n; i++)
		if (!strncmp(env->v[i], name, n) && env->v[i][n] == '=')
			break;
	return i;
}

static int env_add(struct pl_bench_env *env, char *text)
{
	char **v;

	if (!text)
		return -ENOMEM;
	v = env->n < PL_BENCH_ENV_MAX ? realloc(env->v, (env->n + 2) * sizeof(*v)) : NULL;
	if (!v) {
		free(text);
		return env->n < PL_BENCH_ENV_MAX ? -ENOMEM : -E2BIG;
	}
	env->v = v;
	env->v[env->n++] = text;
	env->v[env->n] = NULL;
	return 0;
}

int pl_bench_env_copy(struct pl_bench_env *env, char *const *from)
{
	int r = 0;

	for (; *from && !r; from++)
		r = env_add(env, strdup(*from));
	return r;
}

int pl_bench_env_set(struct pl_bench_env *env, const char *name, const char *value)
{
	char *text;

	pl_bench_env_unset(env, name);
	if (asprintf(&text, "%s=%s", name, value) < 0)
		return -ENOMEM;
	return env_add(env, text);
}

void pl_bench_env_unset(struct pl_bench_env *env, const char *name)
{
	size_t i = env_at(env, name);

	if (i == env->n)
		return;
	free(env->v[i]);
	memmove(&env->v[i], &env->v[i + 1], (env->n - i) * sizeof(*env->v));
	env->n--;
}

const char *pl_bench_env_get(const struct pl_bench_env *env, const char *name)
{
	size_t i = env_at(env, name);

	return i == env->n ? NULL : env->v[i] + strlen(name) + 1;
}

void pl_bench_env_fini(struct pl_bench_env *env)
{
	for (size_t i = 0; i < env->n; i++)
		free(env->v[i]);
	free(env->v);
	*env = (struct pl_bench_env){ 0 };
}

/* In the child, never returns.  @fail receives the errno of a failing exec. */
static void child(const struct pl_bench_spawn *spawn, pid_t parent, int in, int out, int fail)
{
	int log, e;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	log = open(spawn->log ? spawn->log : "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (log >= 0)
		dup2(log, 2);
	dup2(in, 0);
	dup2(out, 1);
	if (spawn->body) {
		close_range(3, ~0u, 0); /* or it would hold the other children's pipes open */
		_exit(spawn->body(0, 1));
	}
	if (spawn->ready_fd >= 0)
		fcntl(spawn->ready_fd, F_SETFD, 0);
	execve(spawn->argv[0], spawn->argv, spawn->envp);
	e = errno;
	if (write(fail, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

int pl_bench_proc_start(struct pl_bench_proc *proc, const struct pl_bench_spawn *spawn)
{
	int in[2], out[2], fail[2], e = 0;
	pid_t parent = getpid(), pid;
	ssize_t got;

	if (pipe2(in, O_CLOEXEC))
		return -errno;
	if (pipe2(out, O_CLOEXEC)) {
		e = errno;
		goto out_in;
	}
	if (pipe2(fail, O_CLOEXEC)) {
		e = errno;
		goto out_out;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(in[1]); /* a body must see the end of its input */
		close(out[0]);
		close(fail[0]);
		child(spawn, parent, in[0], out[1], fail[1]);
	}
	if (pid < 0)
		e = errno;
	close(fail[1]);
	do
		got = pid > 0 ? read(fail[0], &e, sizeof(e)) : 0;
	while (got < 0 && errno == EINTR);
	close(fail[0]);
	if (got > 0)
		waitpid(pid, NULL, 0);
	if (!e) {
		setpgid(pid, pid);
		*proc = (struct pl_bench_proc){ .pid = pid, .in = in[1], .out = out[0] };
		close(in[0]);
		close(out[1]);
		return 0;
	}
out_out:
	close(out[0]);
	close(out[1]);
out_in:
	close(in[0]);
	close(in[1]);
	return -e;
}

int pl_bench_proc_say(struct pl_bench_proc *proc, const char *format, ...)
{
	char line[PL_BENCH_TALK_LINE_MAX];
	va_list args;
	int n;

	if (!proc->pid)
		return -EPIPE;
	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -E2BIG;
	/* commands are far smaller than a pipe, and the worker reads one at a time */
	return write(proc->in, line, (size_t)n) == n ? 0 : -EPIPE;
}

/* Take a whole line out of the buffer.  Return: true when there was one. */
static bool line_take(struct pl_bench_proc *proc, char *line_out, size_t line_bytes)
{
	char *end = memchr(proc->buf, '\n', proc->n);
	size_t n, keep;

	if (!end && proc->n < sizeof(proc->buf))
		return false;
	n = end ? (size_t)(end - proc->buf) + 1 : proc->n;
	keep = n < line_bytes ? n : line_bytes - 1;
	memcpy(line_out, proc->buf, keep);
	line_out[keep] = '\0';
	memmove(proc->buf, proc->buf + n, proc->n - n);
	proc->n -= n;
	return true;
}

static int slice_ms(uint64_t deadline_ns)
{
	uint64_t now = pl_bench_now_ns();

	if (now >= deadline_ns)
		return 0;
	if ((deadline_ns - now) / 1000000u >= POLL_SLICE_MS)
		return POLL_SLICE_MS;
	return (int)((deadline_ns - now) / 1000000u) + 1;
}

int pl_bench_proc_line(
	struct pl_bench_proc *proc, uint64_t deadline_ns, char *line_out, size_t line_bytes)
{
	struct pollfd p = { .fd = proc->out, .events = POLLIN };
	ssize_t n;
	int wait_ms;

	if (!proc->pid)
		return -EPIPE;
	while (!line_take(proc, line_out, line_bytes)) {
		if (stopped)
			return -EINTR;
		wait_ms = slice_ms(deadline_ns);
		if (!wait_ms)
			return -ETIMEDOUT;
		if (poll(&p, 1, wait_ms) < 1)
			continue;
		n = read(proc->out, proc->buf + proc->n, sizeof(proc->buf) - proc->n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		proc->n += (size_t)n;
	}
	return 0;
}

/* Return: exit status, 128 + signal, or -EAGAIN while it runs. */
static int reap(struct pl_bench_proc *proc)
{
	int status;
	pid_t got = waitpid(proc->pid, &status, WNOHANG);

	if (!got || (got < 0 && errno == EINTR))
		return -EAGAIN;
	kill(-proc->pid, SIGKILL); /* the rest of its group */
	close(proc->in);
	close(proc->out);
	proc->pid = 0;
	if (got < 0)
		return 127;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int pl_bench_proc_wait(struct pl_bench_proc *proc, uint64_t deadline_ns)
{
	struct pollfd p = { .fd = proc->out, .events = POLLIN };
	char drop[4096];
	bool open = true;
	int r;

	if (!proc->pid)
		return -ECHILD;
	for (;;) {
		r = reap(proc);
		if (r != -EAGAIN)
			return r;
		if (stopped)
			return -EINTR;
		if (!slice_ms(deadline_ns))
			return -ETIMEDOUT;
		if (!open)
			poll(NULL, 0, 5);
		else if (poll(&p, 1, 20) > 0 && read(proc->out, drop, sizeof(drop)) <= 0)
			open = false;
	}
}

void pl_bench_proc_end(struct pl_bench_proc *proc, unsigned grace_ms)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL };
	uint64_t deadline;

	if (!proc->pid)
		return;
	close(proc->in); /* a worker ends with its input */
	proc->in = -1;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (signals[i])
			kill(i == 1 ? proc->pid : -proc->pid, signals[i]);
		deadline = pl_bench_now_ns() + grace_ms * 1000000ull;
		while (pl_bench_now_ns() < deadline || signals[i] == SIGKILL) {
			if (reap(proc) != -EAGAIN)
				return;
			poll(NULL, 0, 2);
		}
	}
}

void pl_bench_proc_sweep(void)
{
	char path[64];
	FILE *f;
	long pid;
	bool any = true;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int i = 0; i < SWEEP_MAX && any; i++) {
		any = false;
		f = fopen(path, "re");
		if (!f)
			return;
		while (fscanf(f, "%ld", &pid) == 1) {
			any = true;
			kill((pid_t)pid, SIGKILL);
		}
		fclose(f);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (any)
			poll(NULL, 0, 10);
	}
}
