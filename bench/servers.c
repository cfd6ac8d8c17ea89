/* SPDX-License-Identifier: Apache-2.0 */
/* The private servers of a run: plenum serve on a unix socket or on tcp, and PoCL's pocld. */
#include "modes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_LIMIT_MS 15000u
#define TOKEN_BYTES 32
#define PEER_PORTS 5 /* pocld uses PORT .. PORT + 4 */
#define PEER_PORT_FIRST 21000u
#define PEER_PORT_LAST 29000u

static int token_make(
	const struct pl_bench_run *run, char *token_out, char *path_out, size_t path_bytes)
{
	unsigned char bytes[TOKEN_BYTES];
	int fd, r = 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (int i = 0; i < TOKEN_BYTES; i++)
		snprintf(token_out + 2 * i, 3, "%02x", bytes[i]);
	snprintf(path_out, path_bytes, "%s/token", run->config->run_dir);
	fd = open(path_out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, token_out, 2 * TOKEN_BYTES) != 2 * TOKEN_BYTES || write(fd, "\n", 1) != 1)
		r = -EIO;
	close(fd);
	return r;
}

/*
 * Read addresses, one per line, until one starts with @scheme.
 * Return: 0, -EINTR, -EPIPE when the server ended, -ETIMEDOUT.
 */
static int ready_read(int fd, const char *scheme, char *address_out, size_t address_bytes)
{
	uint64_t deadline = pl_bench_now_ns() + READY_LIMIT_MS * 1000000ull;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char line[256];
	size_t n = 0;

	while (!pl_bench_stopped()) {
		char byte;

		if (pl_bench_now_ns() > deadline)
			return -ETIMEDOUT;
		if (poll(&p, 1, 100) < 1)
			continue;
		if (read(fd, &byte, 1) <= 0)
			return -EPIPE;
		if (byte != '\n') {
			if (n + 1 < sizeof(line))
				line[n++] = byte;
			continue;
		}
		line[n] = '\0';
		n = 0;
		if (strncmp(line, scheme, strlen(scheme)))
			continue;
		snprintf(address_out, address_bytes, "%s", line);
		return 0;
	}
	return -EINTR;
}

/* Start the server in native's environment and learn its address. */
static int serve(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *listen,
	const char *token_path, char *address_out, size_t address_bytes)
{
	bool tcp = mode->kind != PL_BENCH_SHM;
	char ready[16], log[PATH_MAX], path[PATH_MAX];
	const char *argv[] = { path, "serve", "--listen", listen, "--ready-fd", ready,
		tcp ? "--token-file" : NULL, token_path, NULL };
	struct pl_bench_env env = { 0 };
	struct pl_bench_spawn spawn = { .argv = (char *const *)argv, .log = log };
	int fd[2], r;

	snprintf(path, sizeof(path), "%s", run->config->plenum_path);
	snprintf(log, sizeof(log), "%s/%s-server.log", run->config->run_dir, mode->name);
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	snprintf(ready, sizeof(ready), "%d", fd[1]);
	spawn.ready_fd = fd[1];
	r = pl_bench_env_base(run, &env);
	if (!r && pl_bench_is_cuda(run))
		r = pl_bench_cuda_native(run, &env);
	if (!r) {
		spawn.envp = env.v;
		r = pl_bench_proc_start(&mode->server, &spawn);
	}
	close(fd[1]);
	if (!r)
		r = ready_read(fd[0], tcp ? "tcp:" : "unix:", address_out, address_bytes);
	close(fd[0]);
	pl_bench_env_fini(&env);
	if (r && r != -EINTR)
		pl_bench_mode_why(run, mode, "'plenum serve --listen %s' %s", tcp ? "tcp" : "unix",
			r == -ETIMEDOUT ? "was not ready within 15 s"
			: r == -EPIPE	? "ended before it was ready"
					: strerror(-r));
	return r;
}

int pl_bench_server_start(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	char listen[PATH_MAX + 32], address[256], token[2 * TOKEN_BYTES + 1], path[PATH_MAX];
	int r;

	if (!run->config->plenum_path[0]) {
		pl_bench_mode_why(run, mode,
			"no 'plenum' beside this program or in $PATH: name it with --plenum PATH");
		return -ENOENT;
	}
	r = pl_bench_is_cuda(run) ? pl_bench_cuda_client(run, mode) : pl_bench_icd_plenum(run, mode);
	if (r)
		return r;
	if (mode->kind != PL_BENCH_SHM) {
		r = token_make(run, token, path, sizeof(path));
		if (!r)
			r = pl_bench_env_set(&mode->env, "PLENUM_TOKEN", token);
		if (r) {
			pl_bench_mode_why(run, mode, "cannot make a token: %s", strerror(-r));
			return r;
		}
		snprintf(listen, sizeof(listen), mode->kind == PL_BENCH_MTU ? "tcp://0.0.0.0:0" : "tcp://127.0.0.1:0");
	} else {
		snprintf(listen, sizeof(listen), "unix:%s/s.sock", run->config->run_dir);
	}
	r = serve(run, mode, listen, path, address, sizeof(address));
	if (!r && mode->kind == PL_BENCH_MTU)
		r = pl_bench_net_address(mode, address, address, sizeof(address));
	if (r)
		return r;
	return pl_bench_env_set(&mode->env, "PLENUM", address);
}

/* Is anyone listening on this TCP port?  Asking the kernel does not disturb a fresh server. */
static bool port_listens(unsigned port)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	char line[512];
	unsigned local, state;
	bool found = false;

	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(tables[i], "re");

		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local,
				    &state) == 2 &&
				local == port && state == 0x0a)
				found = true;
		if (f)
			fclose(f);
	}
	return found;
}

static bool port_free(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool free;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	free = fd >= 0 && !bind(fd, (void *)&at, sizeof(at));
	if (fd >= 0)
		close(fd);
	return free;
}

static unsigned ports_find(void)
{
	unsigned start = PEER_PORT_FIRST + (unsigned)getpid() % 4000u;

	for (unsigned port = start; port < PEER_PORT_LAST; port += PEER_PORTS) {
		unsigned i = 0;

		while (i < PEER_PORTS && port_free(port + i))
			i++;
		if (i == PEER_PORTS)
			return port;
	}
	return 0;
}

/* The client side of PoCL's remote driver: given, or in pocld's build tree. */
static int peer_icd(struct pl_bench_run *run, struct pl_bench_mode *mode, const char *pocld)
{
	char path[PATH_MAX], *slash;
	struct stat st;

	if (run->config->peer_icd)
		return pl_bench_icd_use(mode, run->config->peer_icd);
	snprintf(path, sizeof(path), "%s", pocld);
	slash = strrchr(path, '/');
	if (slash)
		snprintf(slash, sizeof(path) - (size_t)(slash - path), "/../ocl-vendors");
	if (!slash || stat(path, &st)) {
		pl_bench_mode_why(run, mode,
			"no driver list of PoCL's remote client beside pocld: name one with "
			"--peer-icd DIR");
		return -ENOENT;
	}
	return pl_bench_icd_use(mode, path);
}

static int peer_wait(struct pl_bench_mode *mode, unsigned port)
{
	uint64_t deadline = pl_bench_now_ns() + READY_LIMIT_MS * 1000000ull;
	char drop[256];

	while (!port_listens(port)) {
		int r = pl_bench_proc_line(
			&mode->server, pl_bench_now_ns() + 50000000u, drop, sizeof(drop));

		if (r && r != -ETIMEDOUT)
			return r;
		if (pl_bench_now_ns() > deadline)
			return -ETIMEDOUT;
	}
	return 0;
}

int pl_bench_peer_start(struct pl_bench_run *run, struct pl_bench_mode *mode)
{
	char pocld[PATH_MAX], port_text[16], log[PATH_MAX], where[64];
	const char *argv[] = { pocld, "-a", "127.0.0.1", "-p", port_text, NULL };
	struct pl_bench_env env = { 0 };
	struct pl_bench_spawn spawn = { .argv = (char *const *)argv, .log = log, .ready_fd = -1 };
	unsigned port = ports_find();
	int r;

	if (run->config->peer_pocld)
		snprintf(pocld, sizeof(pocld), "%s", run->config->peer_pocld);
	else if (pl_bench_exe_find(run->config, "pocld", NULL, pocld, sizeof(pocld))) {
		pl_bench_mode_why(run, mode,
			"no 'pocld' in $PATH (PoCL with its remote driver): name it with "
			"--peer-pocld PATH and --peer-icd DIR");
		return -ENOENT;
	}
	r = peer_icd(run, mode, pocld);
	if (r)
		return r;
	snprintf(log, sizeof(log), "%s/%s-server.log", run->config->run_dir, mode->name);
	snprintf(port_text, sizeof(port_text), "%u", port);
	snprintf(where, sizeof(where), "127.0.0.1:%u/0", port);
	r = pl_bench_env_base(run, &env);
	if (!r) {
		pl_bench_env_unset(&env, "POCL_DEVICES");
		spawn.envp = env.v;
		r = port ? pl_bench_proc_start(&mode->server, &spawn) : -EADDRINUSE;
	}
	pl_bench_env_fini(&env);
	if (!r)
		r = peer_wait(mode, port);
	if (r) {
		pl_bench_mode_why(run, mode, "%.200s did not come up: %s", pocld, strerror(-r));
		return r;
	}
	snprintf(log, sizeof(log), "%s/cache-peer", run->config->run_dir);
	r = pl_bench_env_set(&mode->env, "POCL_CACHE_DIR", log); /* its client is another PoCL */
	if (!r)
		r = pl_bench_env_set(&mode->env, "POCL_DEVICES", "remote");
	return r ? r : pl_bench_env_set(&mode->env, "POCL_REMOTE0_PARAMETERS", where);
}
