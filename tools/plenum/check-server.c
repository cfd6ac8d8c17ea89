/* The doctor on one server: reachable, of our version, lets us in, shares memory, has devices. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plenum/check.h"
#include "plenum/sessions.h"
#include "server/serve.h"

#define DIAL_NS_MAX        15000000000u
#define DEVICES_MS_MAX     60000         /* a driver that compiles something for the first time */
#define DEVICES_BYTES_MAX  (4u << 20)    /* limit: of the list of devices */

static bool is_unix(const char *address)
{
	const char *semicolon = strrchr(address, ';');

	return !strncmp(semicolon ? semicolon + 1 : address, "unix:", 5);
}

static const char *advice_on_errno(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ENOENT:
		return "start it: plenum serve";
	case EACCES:
		return "the server's user must let you in: plenum serve --allow-uid USER, where you can reach it";
	case EINVAL:
		return "an address is unix:/PATH, tcp://HOST:PORT, vsock:CID:PORT or ivshmem:FILE;ADDRESS";
	case EPROTO:
		return "something else listens there: check the address";
	default:
		return "check the address, the network and firewalls";
	}
}

/* ---- the socket file ---- */

static bool socket_check(struct pl_checks *checks, const char *address)
{
	const char *path = strstr(address, "unix:") + 5;
	struct stat st;

	if (lstat(path, &st) < 0) {
		pl_check_say(checks, PL_CHECK_FAIL, "server", advice_on_errno(errno), "%s: %s", address,
			     errno == ENOENT ? "no server" : strerror(errno));
		return false;
	}
	if (!S_ISSOCK(st.st_mode)) {
		pl_check_say(checks, PL_CHECK_FAIL, "server", "name another with --server", "%s: not a socket",
			     address);
		return false;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0)
		pl_check_say(checks, PL_CHECK_WARN, "owner", "make sure that you trust this user with your data",
			     "%s belongs to user %u", address, (unsigned)st.st_uid);
	return true;
}

/* ---- the daemon's own words ---- */

/* A machine may have a driver for one API alone: that is no failure. */
static void workers_check(struct pl_checks *checks, struct json_object *info)
{
	struct json_object *apis = NULL;
	size_t count = 0, failures = 0;

	if (json_object_object_get_ex(info, "apis", &apis) && json_object_is_type(apis, json_type_array))
		count = json_object_array_length(apis);
	for (size_t i = 0; i < count; i++)
		failures += *pl_session_text(json_object_array_get_idx(apis, i), "start_failure") != '\0';
	for (size_t i = 0; i < count; i++) {
		struct json_object *api = json_object_array_get_idx(apis, i);
		const char *failure = pl_session_text(api, "start_failure");

		if (*failure)
			pl_check_say(checks, failures == count ? PL_CHECK_FAIL : PL_CHECK_WARN, "workers",
				     "for such programs repair the driver on the server: `plenum devices --native' "
				     "there must show devices",
				     "the server can not start workers for %s: %s", pl_session_text(api, "api"),
				     failure);
	}
}

static void info_check(struct pl_checks *checks, const char *address)
{
	struct json_object *info = NULL;
	char why[512];

	if (pl_tool_ask(address, "{\"do\":\"info\"}", &info, why) < 0) {
		pl_check_say(checks, PL_CHECK_WARN, "control", NULL, "%s", why);
		return;
	}
	pl_check_say(
		checks, strcmp(pl_session_text(info, "version"), PL_VERSION) ? PL_CHECK_WARN : PL_CHECK_OK, "version",
		strcmp(pl_session_text(info, "version"), PL_VERSION) ? "install the same release on both sides"
								     : NULL,
		"server %s, this tool %s; %llu sessions now, %llu so far, %llu crashed",
		pl_session_text(info, "version"), PL_VERSION, (unsigned long long)pl_session_number(info, "sessions"),
		(unsigned long long)pl_session_number(info, "sessions_total"),
		(unsigned long long)pl_session_number(info, "crashes_total"));
	if (pl_session_has(info, "draining") && json_object_get_boolean(json_object_object_get(info, "draining")))
		pl_check_say(checks, PL_CHECK_WARN, "draining", "start another server: man plenum-drain",
			     "the server is being drained: it gives no new sessions");
	workers_check(checks, info);
	json_object_put(info);
}

/* ---- a session ---- */

static const char *advice_on_refusal(int status)
{
	switch (status) {
	case PL_HELLO_E_VERSION:
		return "install the same release on both sides";
	case PL_HELLO_E_TOKEN:
		return "tcp: export PLENUM_TOKEN=...; unix: plenum serve --allow-uid USER";
	case PL_HELLO_E_BUSY:
		return "end programs that use it, or raise --sessions-limit";
	case PL_HELLO_E_API:
		return "this server is for something else: name another with --server";
	default:
		return "see the server's log; its driver must work there: plenum devices --native";
	}
}

static void arena_check(struct pl_checks *checks, const struct pl_link_opened *opened)
{
	void *wanted = (void *)(uintptr_t)opened->reply.arena_base, *at;
	off_t start = opened->in_region ? (off_t)opened->reply.arena_offset : 0;

	if (opened->arena_fd < 0) {
		pl_check_say(checks, PL_CHECK_WARN, "shared", "see the server's log and its limits",
			     "the server gives no shared memory: data is copied through the socket");
		return;
	}
	at = mmap(wanted, opened->reply.arena_bytes, PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_NORESERVE | (wanted ? MAP_FIXED_NOREPLACE : 0), opened->arena_fd, start);
	if (at == MAP_FAILED && errno == EEXIST)
		at = mmap(NULL, opened->reply.arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			  opened->arena_fd, start);
	if (at == MAP_FAILED) {
		pl_check_say(checks, PL_CHECK_WARN, "shared", "see ulimit -v",
			     "the shared memory can not be mapped: %s", strerror(errno));
		return;
	}
	if (at == wanted)
		pl_check_say(checks, PL_CHECK_OK, "shared", NULL,
			     "shared memory of %llu MiB, at one address on both sides",
			     (unsigned long long)opened->reply.arena_bytes >> 20);
	else
		pl_check_say(checks, PL_CHECK_WARN, "shared", NULL,
			     "shared memory works, but not at one address: no shared virtual memory");
	munmap(at, opened->reply.arena_bytes);
}

/* Return: as pl_link_dial(); the reply's text is a string. */
static int session_try(const char *address, const struct pl_backend_ops *backend, struct pl_link_opened *opened_out)
{
	struct pl_hello hello = { .kind = PL_HELLO_SESSION,
				  .api = backend->api,
				  .api_hash = backend->functions->hash,
				  .pid = (uint32_t)getpid(),
				  .program = "plenum doctor" };
	const char *token = getenv("PLENUM_TOKEN");
	int r;

	*opened_out = (struct pl_link_opened){ .arena_fd = -1 };
	if (token)
		snprintf(hello.token, sizeof(hello.token), "%s", token);
	r = pl_link_dial(address, &hello, DIAL_NS_MAX, opened_out);
	opened_out->reply.text[sizeof(opened_out->reply.text) - 1] = '\0';
	return r;
}

/* Return: a session was given. */
static bool session_check(struct pl_checks *checks, const char *address)
{
	const struct pl_backend_ops *backend = pl_tool_backend();
	struct pl_link_opened opened, other;
	int r = session_try(address, backend, &opened);

	/* a server may have a driver for CUDA alone */
	if ((r == PL_HELLO_E_API || r == PL_HELLO_E_INTERNAL) &&
	    !session_try(address, pl_tool_backend_cuda(), &other)) {
		pl_check_say(checks, PL_CHECK_WARN, "opencl", advice_on_refusal(r), "%s has CUDA, but no OpenCL: %s",
			     address, opened.reply.text);
		backend = pl_tool_backend_cuda();
		opened = other;
		r = 0;
	}
	if (r > 0) {
		pl_check_say(checks, PL_CHECK_FAIL, "session", advice_on_refusal(r), "%s refuses: %s", address,
			     opened.reply.text);
		return false;
	}
	if (r < 0) {
		pl_check_say(checks, PL_CHECK_FAIL, "server", advice_on_errno(-r), "%s: %s", address, strerror(-r));
		return false;
	}
	pl_check_say(checks, PL_CHECK_OK, "session", NULL, "%s gives sessions (protocol %u.%u%s)", address,
		     opened.reply.major, opened.reply.minor, is_unix(address) ? "" : ", token accepted");
	if (opened.reply.api_hash != backend->functions->hash)
		pl_check_say(checks, PL_CHECK_WARN, "functions", "install the same release on both sides",
			     "the server knows other functions than this client (%016llx, here %016llx)",
			     (unsigned long long)opened.reply.api_hash, (unsigned long long)backend->functions->hash);
	if (is_unix(address))
		arena_check(checks, &opened);
	pl_lane_destroy(opened.lane);
	if (opened.arena_fd >= 0)
		close(opened.arena_fd);
	return true;
}

/* ---- its devices, as a program sees them ---- */

/* Ourselves, as `plenum devices --json'.  Return: its output, or NULL; *status_out is set when it ended. */
static char *devices_read(const char *address, int *status_out)
{
	pl_cleanup(pl_freep) char *text = malloc(DEVICES_BYTES_MAX + 1);
	pl_cleanup(pl_closep) int read_fd = -1;
	size_t len = 0;
	int ends[2];
	pid_t pid;

	*status_out = -1;
	if (!text || pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	read_fd = ends[0];
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		execl("/proc/self/exe", "plenum", "devices", "--json", "--server", address, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	while (pid > 0 && len < DEVICES_BYTES_MAX) {
		struct pollfd p = { .fd = read_fd, .events = POLLIN };
		ssize_t n = poll(&p, 1, DEVICES_MS_MAX) == 1 ? read(read_fd, text + len, DEVICES_BYTES_MAX - len) : -1;

		if (n < 0)
			kill(pid, SIGKILL);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (pid > 0)
		waitpid(pid, status_out, 0);
	text[len] = '\0';
	return pl_steal(text);
}

/* Adds the name of each to `names`. */
static void names_add(struct json_object *list, char *names, size_t size)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		size_t used = strlen(names);

		snprintf(names + used, size - used, "%s%s", i ? ", " : "",
			 pl_session_text(json_object_array_get_idx(list, i), "name"));
	}
}

static void devices_check(struct pl_checks *checks, const char *address)
{
	int status;
	pl_cleanup(pl_freep) char *text = devices_read(address, &status);
	struct json_object *answer = text ? json_tokener_parse(text) : NULL, *platforms = NULL, *cuda = NULL;
	char names[400] = "", cuda_names[400] = "";
	size_t count = 0, cuda_count = 0;

	if (json_object_object_get_ex(answer, "platforms", &platforms)) {
		for (size_t p = 0; p < json_object_array_length(platforms); p++) {
			struct json_object *devices;

			if (json_object_object_get_ex(json_object_array_get_idx(platforms, p), "devices", &devices))
				count += json_object_array_length(devices);
		}
		names_add(platforms, names, sizeof(names));
	}
	if (json_object_object_get_ex(answer, "cuda", &cuda)) {
		cuda_count = json_object_array_length(cuda);
		names_add(cuda, cuda_names, sizeof(cuda_names));
	}
	if (count)
		pl_check_say(checks, PL_CHECK_OK, "devices", NULL, "programs see %zu OpenCL device%s: %s", count,
			     count == 1 ? "" : "s", names);
	if (cuda_count)
		pl_check_say(checks, PL_CHECK_OK, "devices", NULL, "programs see %zu CUDA device%s: %s", cuda_count,
			     cuda_count == 1 ? "" : "s", cuda_names);
	if (!count && !cuda_count && WIFSIGNALED(status))
		pl_check_say(checks, PL_CHECK_FAIL, "devices", "PLENUM_LOG=debug plenum devices",
			     "listing the devices %s", WTERMSIG(status) == SIGKILL ? "takes for ever" : "crashes");
	else if (!count && !cuda_count)
		pl_check_say(checks, PL_CHECK_FAIL, "devices",
			     "on the server, `plenum devices --native' must show devices; "
			     "here, PLENUM_LOG=info plenum devices says more",
			     "programs see no device of %s", address);
	json_object_put(answer);
}

void pl_checks_server(struct pl_checks *checks, const char *address)
{
	bool local = is_unix(address);

	if (!strncmp(address, "tcp://", 6) && !getenv("PLENUM_TOKEN"))
		pl_check_say(checks, PL_CHECK_WARN, "token",
			     "export PLENUM_TOKEN=... as the server's --token-file has it",
			     "%s wants a token, and PLENUM_TOKEN is not set", address);
	if (local && !socket_check(checks, address))
		return;
	if (session_check(checks, address))
		devices_check(checks, address);
	if (local)
		info_check(checks, address);
}
