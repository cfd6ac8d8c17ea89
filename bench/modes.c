/* SPDX-License-Identifier: Apache-2.0 */
#include "modes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELLO_LIMIT_S 30u
#define HELLO_VM_LIMIT_S 300u /* an emulated guest boots slowly */
#define INFO_LIMIT_S 60u
#define END_GRACE_MS 3000u
#define MTU_MIN 576u
#define MTU_MAX 65000u

static const struct {
	const char *name;
	enum pl_bench_mode_kind kind;
} kinds[] = {
	{ "native", PL_BENCH_NATIVE },
	{ "shm", PL_BENCH_SHM },
	{ "tcp", PL_BENCH_TCP },
	{ "vm", PL_BENCH_VM },
	{ "vm-tcp", PL_BENCH_VM },
	{ "vm-ivshmem", PL_BENCH_VM },
	{ "vm-vsock", PL_BENCH_VM },
	{ "vms", PL_BENCH_VMS },
	{ "peer", PL_BENCH_PEER },
	{ "refgpu", PL_BENCH_REFGPU },
	{ "refgpu-1", PL_BENCH_REFGPU },
	{ "cuda", PL_BENCH_CUDA_MODE },
};

static bool name_fits(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n && !name[n] && n < sizeof(((struct pl_bench_mode *)0)->name) &&
	       strcmp(name, "raw");
}

static bool mtu_parse(const char *text, struct pl_bench_mode *mode)
{
	char *end;
	unsigned long mtu = strtoul(text, &end, 10);

	if (end == text || *end || mtu < MTU_MIN || mtu > MTU_MAX)
		return false;
	mode->kind = PL_BENCH_MTU;
	mode->mtu = (unsigned)mtu;
	return true;
}

static int mode_parse(char *word, struct pl_bench_mode *mode, char *why, size_t why_bytes)
{
	char *path = strchr(word, '=');

	*mode = (struct pl_bench_mode){ 0 };
	if (path)
		*path++ = '\0';
	if (!name_fits(word)) {
		snprintf(why, why_bytes, "'%s' cannot name a mode: use a-z, 0-9 and '-'", word);
		return -EINVAL;
	}
	snprintf(mode->name, sizeof(mode->name), "%s", word);
	if (path) {
		mode->kind = PL_BENCH_ICD;
		if (!realpath(path, mode->icd)) {
			snprintf(why, why_bytes, "%s=%s: %s", word, path, strerror(errno));
			return -EINVAL;
		}
		return 0;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, word))
			continue;
		mode->kind = kinds[i].kind;
		if (mode->kind == PL_BENCH_VM && word[2])
			snprintf(mode->link, sizeof(mode->link), "%.15s", word + 3);
		return 0;
	}
	if (!strncmp(word, "mtu", 3) && mtu_parse(word + 3, mode))
		return 0;
	snprintf(why, why_bytes,
		"unknown mode '%s': use native, shm, tcp, vm, vm-tcp, vm-ivshmem, vm-vsock, vms, mtuBYTES, peer, "
		"refgpu, refgpu-1, cuda, or NAME=PATH for another driver",
		word);
	return -EINVAL;
}

int pl_bench_modes_parse(struct pl_bench_run *run, char *why_out, size_t why_bytes)
{
	char list[1024], *save = NULL, *word;
	int r;

	if (snprintf(list, sizeof(list), "%s", run->config->modes) >= (int)sizeof(list)) {
		snprintf(why_out, why_bytes, "the list of modes is too long");
		return -EINVAL;
	}
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		if (run->n_modes == PL_BENCH_MODES_MAX) {
			snprintf(why_out, why_bytes, "more than %d modes", PL_BENCH_MODES_MAX);
			return -EINVAL;
		}
		r = mode_parse(word, &run->modes[run->n_modes], why_out, why_bytes);
		if (r)
			return r;
		for (unsigned i = 0; i < run->n_modes; i++) {
			if (strcmp(run->modes[i].name, run->modes[run->n_modes].name))
				continue;
			snprintf(why_out, why_bytes, "mode '%s' is listed twice", word);
			return -EINVAL;
		}
		run->n_modes++;
	}
	if (!run->n_modes) {
		snprintf(why_out, why_bytes, "no mode");
		return -EINVAL;
	}
	run->modes[run->n_modes++] =
		(struct pl_bench_mode){ .name = "raw", .kind = PL_BENCH_RAW_MODE };
	return 0;
}

static int exe_try(const char *folder, const char *name, char *path_out, size_t path_bytes)
{
	struct stat st;

	if ((size_t)snprintf(path_out, path_bytes, "%s/%s", folder, name) >= path_bytes)
		return -ENAMETOOLONG;
	if (stat(path_out, &st) || !S_ISREG(st.st_mode) || access(path_out, X_OK))
		return -ENOENT;
	return 0;
}

int pl_bench_exe_find(const struct pl_bench_config *config, const char *name,
	const char *const *near, char *path_out, size_t path_bytes)
{
	char list[PATH_MAX], *save = NULL, *folder;
	const char *path = getenv("PATH");

	if (!exe_try(config->exe_dir, name, path_out, path_bytes))
		return 0;
	for (; near && *near; near++)
		if (!exe_try(config->exe_dir, *near, path_out, path_bytes))
			return 0;
	snprintf(list, sizeof(list), "%s", path ? path : "/usr/bin:/bin");
	for (folder = strtok_r(list, ":", &save); folder; folder = strtok_r(NULL, ":", &save))
		if (!exe_try(folder, name, path_out, path_bytes))
			return 0;
	path_out[0] = '\0';
	return -ENOENT;
}

/* Last line of a log that is not blank, cut to fit; "" when there is none. */
static void log_last(const char *path, char *to, size_t to_bytes)
{
	char line[512];
	FILE *f = fopen(path, "re");

	to[0] = '\0';
	if (!f)
		return;
	if (!fseek(f, -4096, SEEK_END) && !fgets(line, sizeof(line), f))
		line[0] = '\0'; /* the first one may be cut */
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[strspn(line, " \t")])
			snprintf(to, to_bytes, "%s", line);
	}
	fclose(f);
}

void pl_bench_mode_why(
	const struct pl_bench_run *run, struct pl_bench_mode *mode, const char *format, ...)
{
	static const char *const logs[] = { "worker", "server" };
	char path[PATH_MAX], last[120];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(mode->why, sizeof(mode->why), format, args);
	va_end(args);
	for (size_t i = 0; i < 2 && n > 0 && (size_t)n < sizeof(mode->why); i++) {
		snprintf(path, sizeof(path), "%s/%s-%s.log", run->config->run_dir, mode->name,
			logs[i]);
		log_last(path, last, sizeof(last));
		if (last[0])
			n += snprintf(mode->why + n, sizeof(mode->why) - (size_t)n,
				" (its %s said: %s)", logs[i], last);
	}
}

static const char *worker_of(const struct pl_bench_run *run, const struct pl_bench_mode *mode)
{
	bool cuda = pl_bench_is_cuda(run) || mode->kind == PL_BENCH_REFGPU || mode->kind == PL_BENCH_CUDA_MODE;

	return cuda ? run->config->cuda_worker_path : run->config->worker_path;
}

/* The command line of this mode's worker; pointers stay valid with run and config. */
static void worker_argv(struct pl_bench_run *run, struct pl_bench_mode *mode, const char **argv)
{
	static char client[PATH_MAX + 32];
	unsigned n = 0;

	if (mode->kind == PL_BENCH_VM) {
		argv[n++] = run->config->plenum_path;
		argv[n++] = "vm";
		if (mode->link[0]) {
			argv[n++] = "--link";
			argv[n++] = mode->link;
		}
		if (pl_bench_is_cuda(run)) {
			snprintf(client, sizeof(client), "LD_LIBRARY_PATH=%s", run->config->cuda_client_dir);
			argv[n++] = "--env";
			argv[n++] = client;
		}
		argv[n++] = "run";
		argv[n++] = "--";
	}
	if (mode->kind == PL_BENCH_MTU)
		n = pl_bench_net_argv(run, mode, argv);
	argv[n++] = worker_of(run, mode);
	if (run->config->platform && !pl_bench_is_cuda(run) && mode->kind < PL_BENCH_PEER) {
		argv[n++] = "--platform";
		argv[n++] = run->config->platform;
	}
	argv[n] = NULL;
}

int pl_bench_mode_worker(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	const char *argv[PL_BENCH_NET_ARGS + 12];
	char log[PATH_MAX], line[PL_BENCH_TALK_LINE_MAX];
	struct pl_bench_spawn spawn = {
		.argv = (char *const *)argv, .envp = mode->env.v, .log = log, .ready_fd = -1
	};
	unsigned limit_s = mode->kind == PL_BENCH_VM ? HELLO_VM_LIMIT_S : HELLO_LIMIT_S;
	struct pl_bench_talk_line said = { 0 };
	uint64_t deadline;
	int r;

	if (mode->worker.pid)
		return 0;
	if (mode->kind == PL_BENCH_RAW_MODE) {
		r = pl_bench_raw_start(&mode->worker);
	} else {
		worker_argv(run, mode, argv);
		snprintf(log, sizeof(log), "%s/%s-worker.log", run->config->run_dir, mode->name);
		unlink(log);
		r = pl_bench_proc_start(&mode->worker, &spawn);
	}
	deadline = pl_bench_now_ns() + limit_s * 1000000000ull;
	if (deadline > run->config->deadline_ns)
		deadline = run->config->deadline_ns;
	while (!r && said.kind != PL_BENCH_TALK_HELLO) {
		r = pl_bench_proc_line(&mode->worker, deadline, line, sizeof(line));
		if (!r)
			pl_bench_talk_parse(line, &said);
	}
	if (!r)
		return 0;
	pl_bench_proc_end(&mode->worker, END_GRACE_MS);
	if (r != -EINTR)
		pl_bench_mode_why(run, mode, "its worker did not start: %s",
			r == -EPIPE ? "it ended at once" : strerror(-r));
	return r;
}

/* Learn which driver this mode meets.  Applications need none of it, so it may fail. */
static int driver_learn(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	uint64_t deadline = pl_bench_now_ns() + INFO_LIMIT_S * 1000000000ull;
	char line[PL_BENCH_TALK_LINE_MAX];
	struct pl_bench_talk_line said;
	const struct {
		const char *key;
		char *to;
	} keys[] = {
		{ "platform", mode->platform },
		{ "device", mode->device },
		{ "driver", mode->driver },
		{ "version", mode->version },
	};
	int r = pl_bench_proc_say(&mode->worker, "info\n");

	while (!r) {
		r = pl_bench_proc_line(&mode->worker, deadline, line, sizeof(line));
		if (r)
			break;
		pl_bench_talk_parse(line, &said);
		if (said.kind == PL_BENCH_TALK_END)
			return 0;
		if (said.kind == PL_BENCH_TALK_ERROR) {
			pl_bench_mode_why(run, mode, "%s", said.text);
			return -ENODEV;
		}
		for (size_t i = 0; i < 4 && said.kind == PL_BENCH_TALK_INFO; i++)
			if (!strcmp(keys[i].key, said.key))
				snprintf(keys[i].to, sizeof(mode->device), "%.127s", said.text);
	}
	if (r != -EINTR)
		pl_bench_mode_why(run, mode, "asked for its device, its worker %s",
			r == -ETIMEDOUT ? "was silent for a minute" : "ended");
	return r;
}

int pl_bench_env_base(const struct pl_bench_run *run, struct pl_bench_env *env)
{
	static const char *const caches[] = { "POCL_CACHE_DIR", "MESA_SHADER_CACHE_DIR" };
	char path[128];
	int r = pl_bench_env_copy(env, environ);

	if (!r)
		r = pl_bench_icd_native(run, env);
	snprintf(path, sizeof(path), "%s/cache", run->config->run_dir);
	if (mkdir(path, 0700) && errno != EEXIST) /* a server's confined workers can not make it */
		return -errno;
	for (size_t i = 0; i < 2 && !r; i++)
		if (!pl_bench_env_get(env, caches[i]))
			r = pl_bench_env_set(env, caches[i], path);
	return r;
}

static int mode_reach(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	if (pl_bench_is_cuda(run) || mode->kind == PL_BENCH_REFGPU || mode->kind == PL_BENCH_CUDA_MODE)
		return pl_bench_cuda_reach(run, mode);
	switch (mode->kind) {
	case PL_BENCH_SHM:
	case PL_BENCH_TCP:
	case PL_BENCH_MTU: return pl_bench_server_start(run, mode);
	case PL_BENCH_PEER: return pl_bench_peer_start(run, mode);
	case PL_BENCH_ICD: return pl_bench_icd_use(mode, mode->icd);
	case PL_BENCH_VMS: pl_bench_mode_why(run, mode, "it belongs to vmcuda"); return -ENOTSUP;
	case PL_BENCH_VM:
		if (run->config->plenum_path[0])
			return 0;
		pl_bench_mode_why(run, mode,
			"no 'plenum' beside this program or in $PATH: name it with --plenum PATH");
		return -ENOENT;
	case PL_BENCH_REFGPU:
	case PL_BENCH_CUDA_MODE:
	case PL_BENCH_NATIVE:
	case PL_BENCH_RAW_MODE: break;
	}
	return 0;
}

int pl_bench_mode_prepare(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	int r;

	r = pl_bench_env_base(run, &mode->env);
	if (!r)
		r = mode_reach(run, mode);
	if (!r)
		r = pl_bench_mode_worker(run, mode);
	if (!r && mode->kind != PL_BENCH_RAW_MODE)
		r = driver_learn(run, mode);
	if (r) {
		if (!mode->why[0])
			snprintf(mode->why, sizeof(mode->why), "%s", strerror(-r));
		pl_bench_mode_end(mode);
		return r;
	}
	mode->active = true;
	return 0;
}

void pl_bench_mode_rest(struct pl_bench_mode *mode)
{
	pl_bench_proc_end(&mode->worker, END_GRACE_MS);
}

void pl_bench_mode_end(struct pl_bench_mode *mode)
{
	pl_bench_mode_rest(mode);
	pl_bench_proc_end(&mode->server, END_GRACE_MS);
	pl_bench_env_fini(&mode->env);
	mode->active = false;
}
