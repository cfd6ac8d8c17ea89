#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "plenum/tool.h"
#include "server/daemon.h"
#include "server/token.h"

enum {
	KEY_TOKEN_FILE = 256,
	KEY_GENERATE_TOKEN,
	KEY_TLS,
	KEY_ALLOW_UID,
	KEY_ALLOW_ALL,
	KEY_GRACE,
	KEY_SPARE,
	KEY_DRIVER,
	KEY_CUDA,
	KEY_NVML,
	KEY_MEMORY,
	KEY_HOST,
	KEY_OBJECTS,
	KEY_INFLIGHT,
	KEY_SESSIONS,
	KEY_LANES,
	KEY_READY_FD,
	KEY_FOREGROUND,
	KEY_CONFINE,
	KEY_WORKER_READ,
	KEY_WORKER_WRITE,
	KEY_WORKER_UIDS,
	KEY_PEER,
	KEY_KEPT,
	KEY_KEPT_APART,
	KEY_OVERSUBSCRIBE,
	KEY_DEVICE_MEMORY,
	KEY_SWAP_STAY,
	KEY_CHECKPOINTS,
	KEY_KEEPS,
};

#define ARENA_STAGING_BYTES (256ull << 20) /* shared memory beyond --memory-limit: data on its way */

struct arguments {
	struct pl_daemon_options daemon;
	const char *listen[PL_DAEMON_LISTENERS_MAX], *peers[PL_DAEMON_PEERS_MAX];
	bool generate_token;
	const char *cuda, *nvml;
};

static const struct argp_option options[] = {
	{NULL, 0, NULL, 0, "Who may connect:", 1},
	{"listen", 'l', "ADDRESS", 0,
	 "unix:/PATH, tcp://HOST:PORT, vsock:CID:PORT, or for one guest vsock:/PATH or ivshmem:FILE;ADDRESS; may be "
	 "repeated (default: "
	 "unix:$XDG_RUNTIME_DIR/plenum.sock, /run/plenum.sock for root)",
	 1},
	{"token-file", KEY_TOKEN_FILE, "FILE", 0,
	 "tcp clients must know the word in FILE, which only you may read "
	 "(default: $PLENUM_TOKEN)",
	 1},
	{"generate-token", KEY_GENERATE_TOKEN, NULL, 0,
	 "with --token-file: make FILE if it is not there; alone: "
	 "print a fresh token and end",
	 1},
	{"tls", KEY_TLS, "FILE", OPTION_ARG_OPTIONAL, "encrypt tcp: not in this release, refused", 1},
	{"allow-uid", KEY_ALLOW_UID, "USER", 0,
	 "let this user (name or number) use the unix sockets, besides you and "
	 "root; may be repeated",
	 1},
	{"allow-all-users", KEY_ALLOW_ALL, NULL, 0, "let every local user", 1},
	{"peer", KEY_PEER, "ADDRESS|off", 0,
	 "a server to which data of its clients may be copied without them, with * and ? for more; may be repeated "
	 "(always: unix sockets of your own servers; off: none)",
	 1},
	{NULL, 0, NULL, 0, "What one session may hold (sizes: 512M, 4G):", 2},
	{"memory-limit", KEY_MEMORY, "SIZE", 0, "device memory (default: what the device has)", 2},
	{"host-limit", KEY_HOST, "SIZE", 0, "the server's own memory: sources, binaries (default: 4G)", 2},
	{"objects-limit", KEY_OBJECTS, "N", 0, "buffers, kernels, events ... (default: 1048576)", 2},
	{"inflight-limit", KEY_INFLIGHT, "SIZE", 0, "transfers that have not ended (default: this machine's memory)",
	 2},
	{"lanes-limit", KEY_LANES, "N", 0, "threads inside calls (default: 1024)", 2},
	{NULL, 0, NULL, 0, "What workers, which run the driver and clients' kernels, are kept from:", 3},
	{"confine", KEY_CONFINE, "on|off", 0,
	 "files, system calls, processes and capabilities that drivers do not need (default: on)", 3},
	{"worker-read", KEY_WORKER_READ, "PATH", 0, "they may read there, and run programs; may be repeated", 3},
	{"worker-write", KEY_WORKER_WRITE, "PATH", 0, "they may change what is there; may be repeated", 3},
	{"worker-uids", KEY_WORKER_UIDS, "FIRST-LAST", 0,
	 "each gets a user id of its own from this range, and no kernel cache that lasts (for root)", 3},
	{NULL, 0, NULL, 0, "The server:", 4},
	{"sessions-limit", KEY_SESSIONS, "N", 0, "sessions at one time (default: 1024)", 4},
	{"grace", KEY_GRACE, "SECONDS|off", 0,
	 "how long a session over tcp waits for its client when the network has cut its connections (default: 30)", 4},
	{"spare", KEY_SPARE, "N", 0, "workers kept ready for new sessions (default: 1)", 4},
	{"oversubscribe", KEY_OVERSUBSCRIBE, "SIZE|off", 0,
	 "sessions together may have so much more device memory than the devices: what idle ones have is kept in host "
	 "memory (default: off; CUDA)",
	 4},
	{"device-memory", KEY_DEVICE_MEMORY, "SIZE", 0, "with --oversubscribe: of each device (default: all of it)", 4},
	{"oversubscribe-stay", KEY_SWAP_STAY, "MS", 0,
	 "so long a session that works keeps its device memory although another one waits (default: 1000, and at least "
	 "four times what moving it takes)",
	 4},
	{"checkpoints", KEY_CHECKPOINTS, "FOLDER", 0,
	 "CUDA sessions over tcp can be written there (plenum checkpoint), are when the server ends, and go on when it "
	 "starts again",
	 4},
	{"checkpoints-wait", KEY_KEEPS, "SECONDS", 0, "so long their programs wait for that (default: 86400)", 4},
	{"module-cache", KEY_KEPT, "SIZE|off", 0,
	 "CUDA modules kept for later sessions over tcp and vsock, which need not send them (default: a sixteenth of "
	 "the memory, at most 1G)",
	 4},
	{"module-cache-apart", KEY_KEPT_APART, NULL, 0, "and not for those of other guests or addresses", 4},
	{"driver", KEY_DRIVER, "LIBRARY", 0, "OpenCL library (default: libOpenCL.so.1)", 4},
	{"cuda", KEY_CUDA, "LIBRARY|refgpu|off", 0,
	 "CUDA driver (default: libcuda.so.1 where there is such hardware, else the reference GPU's)", 4},
	{"nvml", KEY_NVML, "LIBRARY|refgpu|off", 0,
	 "NVML, for nvidia-smi and the like (default: the CUDA driver's)", 4},
	{"ready-fd", KEY_READY_FD, "FD", 0,
	 "write each bound address as a line to FD when sessions are served without "
	 "delay, then close it",
	 4},
	{"foreground", KEY_FOREGROUND, NULL, 0, "stay in the foreground (always)", 4},
	{"quiet", 'q', NULL, 0, "log errors only", 4},
	{"verbose", 'v', NULL, 0, "log sessions too; twice: everything", 4},
	{0},
};

static uid_t user_read(struct argp_state *state, const char *text)
{
	const struct passwd *user = getpwnam(text);

	if (!user && (*text < '0' || *text > '9'))
		argp_error(state, "--allow-uid: there is no user `%s'", text);
	return user ? user->pw_uid : (uid_t)pl_tool_number(state, "allow-uid", text, 0, UINT32_MAX - 1);
}

static error_t limit_parse(int key, char *text, struct argp_state *state)
{
	struct pl_daemon_options *daemon = &((struct arguments *)state->input)->daemon;

	switch (key) {
	case KEY_MEMORY:
		daemon->quota[PL_QUOTA_MEMORY] = pl_tool_size(state, "memory-limit", text);
		return 0;
	case KEY_HOST:
		daemon->quota[PL_QUOTA_HOST] = pl_tool_size(state, "host-limit", text);
		return 0;
	case KEY_INFLIGHT:
		daemon->quota[PL_QUOTA_INFLIGHT] = pl_tool_size(state, "inflight-limit", text);
		return 0;
	case KEY_OBJECTS:
		daemon->quota[PL_QUOTA_OBJECTS] = pl_tool_number(state, "objects-limit", text, 1, PL_HANDLES_MAX);
		return 0;
	case KEY_SESSIONS:
		daemon->sessions_max =
			(uint32_t)pl_tool_number(state, "sessions-limit", text, 1, PL_DAEMON_SESSIONS_MAX);
		return 0;
	case KEY_LANES:
		daemon->lanes_max = (uint32_t)pl_tool_number(state, "lanes-limit", text, 1, PL_SERVE_LANES_MAX);
		return 0;
	case KEY_GRACE:
		daemon->grace_s = !strcmp(text, "off") ? 0
						       : (uint32_t)pl_tool_number(state, "grace", text, 0,
										 PL_DAEMON_GRACE_S_MAX);
		return 0;
	case KEY_KEPT:
		daemon->kept_bytes =
			!strcmp(text, "off") || !strcmp(text, "0") ? 0 : pl_tool_size(state, "module-cache", text);
		return 0;
	case KEY_OVERSUBSCRIBE:
		daemon->swap_bytes =
			!strcmp(text, "off") || !strcmp(text, "0") ? 0 : pl_tool_size(state, "oversubscribe", text);
		return 0;
	case KEY_DEVICE_MEMORY:
		daemon->device_bytes = pl_tool_size(state, "device-memory", text);
		return 0;
	case KEY_SWAP_STAY:
		daemon->swap_stay_ns = pl_tool_number(state, "oversubscribe-stay", text, 0, 3600000) * 1000000u;
		return 0;
	case KEY_CHECKPOINTS:
		daemon->checkpoints = text;
		return 0;
	case KEY_KEEPS:
		daemon->keeps_s = (uint32_t)pl_tool_number(state, "checkpoints-wait", text, 1, PL_DAEMON_KEEPS_S_MAX);
		return 0;
	case KEY_KEPT_APART:
		daemon->kept_apart = true;
		return 0;
	case KEY_SPARE:
		daemon->spares = (uint32_t)pl_tool_number(state, "spare", text, 0, PL_DAEMON_SPARES_MAX);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const char *worker_path(struct argp_state *state, const char *option, const char *path, uint32_t count)
{
	if (path[0] != '/')
		argp_error(state, "--%s: an absolute path, not `%s'", option, path);
	if (count == PL_CONFINE_PATHS_MAX)
		argp_error(state, "--%s: at most %d", option, PL_CONFINE_PATHS_MAX);
	return path;
}

static void worker_uids(struct argp_state *state, const char *text, struct pl_confine_options *confine)
{
	char first[16], *dash = strchr(text, '-');
	uint64_t last;

	if (!dash || (size_t)(dash - text) >= sizeof(first))
		argp_error(state, "--worker-uids: FIRST-LAST, for example 700000-701023, not `%s'", text);
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	confine->uid_first = (uid_t)pl_tool_number(state, "worker-uids", first, 1000, UINT32_MAX - 1);
	last = pl_tool_number(state, "worker-uids", dash + 1, confine->uid_first, UINT32_MAX - 1);
	confine->uids_count = (uint32_t)(last - confine->uid_first + 1);
}

static error_t confine_parse(int key, char *text, struct argp_state *state)
{
	struct pl_confine_options *confine = &((struct arguments *)state->input)->daemon.confine;

	switch (key) {
	case KEY_CONFINE:
		confine->off = !strcmp(text, "off");
		if (!confine->off && strcmp(text, "on"))
			argp_error(state, "--confine: on or off, not `%s'", text);
		return 0;
	case KEY_WORKER_READ:
		confine->read[confine->read_count] =
			worker_path(state, "worker-read", text, confine->read_count);
		confine->read_count++;
		return 0;
	case KEY_WORKER_WRITE:
		confine->write[confine->write_count] =
			worker_path(state, "worker-write", text, confine->write_count);
		confine->write_count++;
		return 0;
	case KEY_WORKER_UIDS:
		worker_uids(state, text, confine);
		return 0;
	}
	return limit_parse(key, text, state);
}

/* The rest is said by who opens it. */
static bool listen_known(const char *address)
{
	static const char *const schemes[] = { "unix:/", "tcp://", "vsock:", "ivshmem:/" };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (!strncmp(address, schemes[i], strlen(schemes[i])))
			return true;
	return false;
}

static error_t option_parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct pl_daemon_options *daemon = &arguments->daemon;

	switch (key) {
	case 'l':
		if (daemon->listen_count == PL_DAEMON_LISTENERS_MAX)
			argp_error(state, "--listen: at most %d", PL_DAEMON_LISTENERS_MAX);
		if (!listen_known(text))
			argp_error(state,
				   "--listen: unix:/PATH, tcp://HOST:PORT, vsock:CID:PORT, vsock:/PATH or "
				   "ivshmem:FILE;ADDRESS, not `%s'",
				   text);
		arguments->listen[daemon->listen_count++] = text;
		return 0;
	case KEY_PEER:
		if (!strcmp(text, "off"))
			daemon->peers_off = true;
		else if (daemon->peers_count == PL_DAEMON_PEERS_MAX)
			argp_error(state, "--peer: at most %d", PL_DAEMON_PEERS_MAX);
		else if (strncmp(text, "tcp://", 6) && strncmp(text, "unix:/", 6) && strncmp(text, "vsock:", 6))
			argp_error(state, "--peer: tcp://HOST:PORT, unix:/PATH, vsock:CID:PORT or off, not `%s'", text);
		else
			arguments->peers[daemon->peers_count++] = text;
		return 0;
	case KEY_TOKEN_FILE:
		daemon->token_file = text;
		return 0;
	case KEY_GENERATE_TOKEN:
		arguments->generate_token = true;
		return 0;
	case KEY_TLS:
		argp_error(state,
			   "--tls: this release does not encrypt; use tcp on a network that you trust, or through "
			   "`ssh -L', or use a unix socket");
		return 0;
	case KEY_ALLOW_UID:
		if (daemon->allow_uids_count == PL_DAEMON_UIDS_MAX)
			argp_error(state, "--allow-uid: at most %d", PL_DAEMON_UIDS_MAX);
		daemon->allow_uids[daemon->allow_uids_count++] = user_read(state, text);
		return 0;
	case KEY_ALLOW_ALL:
		daemon->allow_all_users = true;
		return 0;
	case KEY_DRIVER:
		daemon->apis[0].library = text;
		return 0;
	case KEY_CUDA:
		arguments->cuda = text;
		return 0;
	case KEY_NVML:
		arguments->nvml = text;
		return 0;
	case KEY_READY_FD:
		daemon->ready_fd = (int)pl_tool_number(state, "ready-fd", text, 0, INT32_MAX);
		return 0;
	case 'q':
		daemon->log_level = PL_LOG_ERROR;
		return 0;
	case 'v':
		daemon->log_level = daemon->log_level >= PL_LOG_INFO ? PL_LOG_DEBUG : PL_LOG_INFO;
		return 0;
	case KEY_FOREGROUND:
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "`%s' is no option", text);
		return 0;
	case ARGP_KEY_END:
		if (daemon->device_bytes && !daemon->swap_bytes)
			argp_error(state, "--device-memory: what --oversubscribe=SIZE goes beyond; say that, too");
		if (daemon->swap_stay_ns != PL_DAEMON_SWAP_STAY_MS * 1000000ull && !daemon->swap_bytes)
			argp_error(state, "--oversubscribe-stay: only with --oversubscribe=SIZE");
		if (daemon->checkpoints && !daemon->grace_s)
			argp_error(state, "--checkpoints: programs have to come back; not with --grace=off");
		if (daemon->keeps_s != PL_DAEMON_KEEPS_S && !daemon->checkpoints)
			argp_error(state, "--checkpoints-wait: only with --checkpoints=FOLDER");
		return 0;
	}
	return confine_parse(key, text, state);
}

static int token_print(void)
{
	char token[PL_TOKEN_TEXT_ROOM];

	if (pl_token_make(token) < 0) {
		fprintf(stderr, "plenum serve: no randomness: %s\n", strerror(errno));
		return 1;
	}
	printf("%s\n", token);
	return 0;
}

static int token_file_make(const char *path)
{
	int r = pl_token_generate(path);

	if (r < 0 && r != -EEXIST) {
		fprintf(stderr, "plenum serve: %s: %s\n", path, strerror(-r));
		return 1;
	}
	return 0;
}

static void apis_choose(struct pl_daemon_options *daemon, const struct arguments *arguments)
{
	const char *cuda = arguments->cuda, *nvml = arguments->nvml;
	struct pl_daemon_api *api = &daemon->apis[1];

	cuda = cuda && !strcmp(cuda, "off") ? NULL : pl_tool_cuda_driver(cuda);
	if (cuda)
		*api++ = (struct pl_daemon_api){ pl_tool_backend_cuda(), cuda };
	nvml = nvml && !strcmp(nvml, "off") ? NULL : pl_tool_nvml_library(nvml, cuda);
	if (nvml)
		*api = (struct pl_daemon_api){ pl_tool_backend_nvml(), nvml };
}

int pl_cmd_serve(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		option_parse,
		NULL,
		"Let other programs, guests and machines use this machine's devices.\v"
		"SIGTERM and SIGINT end the server and its sessions.  PLENUM_LOG=off|error|warn|info|debug says how "
		"much is "
		"logged, PLENUM_LOG_FILE where to (default: stderr).",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { 0 };
	struct pl_daemon_options *daemon = &arguments.daemon;

	pl_daemon_options_init(daemon);
	pl_tool_parse(&argp, argc, argv, 0, &arguments);
	if (arguments.generate_token && !daemon->token_file)
		return token_print();
	if (arguments.generate_token && token_file_make(daemon->token_file))
		return 1;
	if (daemon->quota[PL_QUOTA_MEMORY] < UINT64_MAX - ARENA_STAGING_BYTES &&
	    daemon->quota[PL_QUOTA_MEMORY] + ARENA_STAGING_BYTES < daemon->arena_bytes)
		daemon->arena_bytes = daemon->quota[PL_QUOTA_MEMORY] + ARENA_STAGING_BYTES;
	daemon->apis[0].backend = pl_tool_backend();
	apis_choose(daemon, &arguments);
	daemon->version = PL_VERSION;
	daemon->listen = arguments.listen;
	daemon->peers = arguments.peers;
	pl_log_init("plenumd", daemon->log_level);
	return pl_daemon_run(daemon) < 0 ? 1 : 0;
}
