/*
 * servers NATIVE.SO CLIENT.SO: the client's library with several servers, with none, with one that has no NVML, with
 * one whose driver does not start, with one that goes away, and in a child that was forked.  Each in a process of its
 * own.
 */
#undef NDEBUG
#include <assert.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/server.h"
#include "nvml-api.h"
#include "options.h"

static const char *client;

/* The functions that these cases use. */
#define FUNCTIONS(X)                                                                                                   \
	X(nvmlInit_v2)                                                                                                 \
	X(nvmlShutdown)                                                                                                \
	X(nvmlDeviceGetCount_v2)                                                                                       \
	X(nvmlDeviceGetHandleByIndex_v2)                                                                               \
	X(nvmlDeviceGetHandleByUUID)                                                                                   \
	X(nvmlDeviceGetIndex)                                                                                          \
	X(nvmlDeviceGetName)                                                                                           \
	X(nvmlDeviceGetUUID)                                                                                           \
	X(nvmlDeviceGetP2PStatus)                                                                                      \
	X(nvmlDeviceGetTopologyCommonAncestor)                                                                         \
	X(nvmlDeviceOnSameBoard)                                                                                       \
	X(nvmlDeviceRegisterEvents)                                                                                    \
	X(nvmlDeviceSetPowerManagementLimit)                                                                           \
	X(nvmlEventSetCreate)                                                                                          \
	X(nvmlEventSetFree)                                                                                            \
	X(nvmlEventSetWait_v2)
#define MEMBER(name) __typeof__(&name) name;
static struct {
	FUNCTIONS(MEMBER)
} nv;

static void open_client(const char *servers)
{
	void *library;

	setenv("PLENUM", servers, 1);
	setenv("PLENUM_TOKEN", PL_TEST_TOKEN, 1);
	library = dlopen(client, RTLD_NOW);
	assert(library);
#define FIND(name) assert((*(void **)&nv.name = dlsym(library, #name)));
	FUNCTIONS(FIND)
}

/* What `run` does in a process of its own has to end well. */
static void apart(const char *name, void (*run)(const void *arg), const void *arg)
{
	int status;
	pid_t pid;

	pl_test_at(name);
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		run(arg);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid);
	if (status) {
		fprintf(stderr, "%s: status %d\n", name, status);
		exit(1);
	}
}

static void two_servers_are_one_list(const void *arg)
{
	nvmlDevice_t first, second, found;
	nvmlGpuTopologyLevel_t level = NVML_TOPOLOGY_INTERNAL;
	nvmlGpuP2PStatus_t p2p = NVML_P2P_STATUS_OK;
	nvmlEventData_t data;
	nvmlEventSet_t set;
	unsigned int count = 0, index = 7;
	int board = 1;
	char name[64], uuid[96];

	open_client(arg);
	assert(nv.nvmlDeviceGetCount_v2(&count) == NVML_ERROR_UNINITIALIZED);
	assert(!nv.nvmlInit_v2() && !nv.nvmlDeviceGetCount_v2(&count) && count == 2);
	assert(!nv.nvmlDeviceGetHandleByIndex_v2(0, &first) && !nv.nvmlDeviceGetHandleByIndex_v2(1, &second));
	assert(first != second && nv.nvmlDeviceGetHandleByIndex_v2(2, &found) == NVML_ERROR_INVALID_ARGUMENT);
	assert(!nv.nvmlDeviceGetHandleByIndex_v2(1, &found) && found == second);
	assert(!nv.nvmlDeviceGetIndex(first, &index) && index == 0);
	assert(!nv.nvmlDeviceGetIndex(second, &index) && index == 1);
	assert(!nv.nvmlDeviceGetName(second, name, sizeof(name)) && !nv.nvmlDeviceGetUUID(second, uuid, sizeof(uuid)));
	assert(!nv.nvmlDeviceGetHandleByUUID(uuid, &found) && found == first); /* the first that has it */
	assert(nv.nvmlDeviceGetHandleByUUID("GPU-none", &found) == NVML_ERROR_NOT_FOUND);
	/* Devices of two servers have nothing in common. */
	assert(!nv.nvmlDeviceGetTopologyCommonAncestor(first, second, &level) && level == NVML_TOPOLOGY_SYSTEM);
	assert(!nv.nvmlDeviceGetP2PStatus(first, second, NVML_P2P_CAPS_INDEX_READ, &p2p) &&
	       p2p == NVML_P2P_STATUS_NOT_SUPPORTED);
	assert(!nv.nvmlDeviceOnSameBoard(first, second, &board) && !board);
	assert(!nv.nvmlDeviceOnSameBoard(second, second, &board) && board);
	/* A set over both. */
	assert(!nv.nvmlEventSetCreate(&set) && nv.nvmlEventSetWait_v2(set, &data, 1) == NVML_ERROR_TIMEOUT);
	assert(!nv.nvmlDeviceRegisterEvents(first, 0, set) &&
	       nv.nvmlEventSetWait_v2(set, &data, 1) == NVML_ERROR_TIMEOUT);
	assert(!nv.nvmlDeviceRegisterEvents(second, 0, set));
	assert(nv.nvmlEventSetWait_v2(set, &data, 1) == NVML_ERROR_TIMEOUT);
	assert(!nv.nvmlEventSetFree(set) && nv.nvmlEventSetFree(set) == NVML_ERROR_INVALID_ARGUMENT);
	assert(nv.nvmlDeviceSetPowerManagementLimit(first, 1) == NVML_ERROR_NO_PERMISSION);
	assert(!nv.nvmlShutdown() && nv.nvmlShutdown() == NVML_ERROR_UNINITIALIZED);
}

static void a_child_has_sessions_of_its_own(const void *arg)
{
	nvmlDevice_t device;
	char name[64];
	int status;
	pid_t pid;

	open_client(arg);
	assert(!nv.nvmlInit_v2() && !nv.nvmlDeviceGetHandleByIndex_v2(0, &device));
	pid = fork();
	assert(pid >= 0);
	if (!pid) { /* started, as its parent was, and with its parent's handles */
		assert(!nv.nvmlDeviceGetName(device, name, sizeof(name)) && *name);
		_exit(0);
	}
	assert(waitpid(pid, &status, 0) == pid && !status);
	assert(!nv.nvmlDeviceGetName(device, name, sizeof(name)));
}

struct lost {
	const char *library;
};

/* A program that starts NVML again finds the devices of the server that has come in the lost one's place. */
static void a_lost_server_is_told_and_found_again(const void *arg)
{
	const struct lost *lost = arg;
	struct pl_daemon_options options;
	struct pl_test_server server, next;
	char address[PL_LINK_ADDRESS_MAX], folder[PL_TEST_PATH_MAX], name[64];
	const char *path = address + strlen("unix:");
	nvmlDevice_t device, again;
	unsigned int count;
	int status;

	pl_test_folder_create(folder);
	snprintf(address, sizeof(address), "unix:%s/socket", folder);
	nvml_serve(&options, lost->library);
	pl_test_server_start(&server, &options, false);
	pl_test_server_start(&next, &options, false);
	assert(!symlink(server.unix_address + strlen("unix:"), path));
	open_client(address);
	assert(!nv.nvmlInit_v2() && !nv.nvmlDeviceGetHandleByIndex_v2(0, &device));
	assert(!nv.nvmlDeviceGetName(device, name, sizeof(name)));
	assert(!kill(server.pid, SIGKILL) && waitpid(server.pid, &status, 0) == server.pid);
	while (!nv.nvmlDeviceGetName(device, name, sizeof(name)))
		usleep(1000);
	assert(nv.nvmlDeviceGetName(device, name, sizeof(name)) == NVML_ERROR_GPU_IS_LOST);
	assert(nv.nvmlDeviceGetHandleByIndex_v2(0, &again) == NVML_ERROR_GPU_IS_LOST);
	assert(!unlink(path) && !symlink(next.unix_address + strlen("unix:"), path));
	assert(!nv.nvmlInit_v2()); /* it is started already: nothing changes */
	assert(nv.nvmlDeviceGetName(device, name, sizeof(name)) == NVML_ERROR_GPU_IS_LOST);
	assert(!nv.nvmlShutdown() && !nv.nvmlShutdown());
	assert(!nv.nvmlInit_v2() && !nv.nvmlDeviceGetCount_v2(&count) && count == 1);
	assert(!nv.nvmlDeviceGetName(device, name, sizeof(name)) && !strcmp(name, "Plenum reference GPU"));
	assert(!nv.nvmlDeviceGetHandleByIndex_v2(0, &again) && again == device);
	pl_test_server_stop(&next);
	pl_test_folder_remove(folder);
	pl_test_folder_remove(server.folder);
}

struct expect {
	const char *servers;
	nvmlReturn_t result;
};

static void init_says(const void *arg)
{
	const struct expect *expect = arg;
	nvmlReturn_t r;

	open_client(expect->servers);
	r = nv.nvmlInit_v2();
	if (r != expect->result)
		fprintf(stderr, "nvmlInit() with %s: %d\n", expect->servers, (int)r);
	assert(r == expect->result);
	assert(nv.nvmlShutdown() == (r ? NVML_ERROR_UNINITIALIZED : NVML_SUCCESS));
}

int main(int argc, char **argv)
{
	struct pl_daemon_options options, other;
	struct pl_test_server one, two, none, broken;
	char list[2 * PL_LINK_ADDRESS_MAX + 2];

	assert(argc == 3);
	client = argv[2];
	pl_test_watchdog(100);
	nvml_serve(&options, argv[1]);
	pl_test_server_start(&one, &options, false);
	pl_test_server_start(&two, &options, true);
	nvml_serve(&other, "/nonexistent/libnvidia-ml.so.1");
	pl_test_server_start(&broken, &other, false);
	nvml_serve_not(&other);
	pl_test_server_start(&none, &other, false);

	snprintf(list, sizeof(list), "%s,%s", one.unix_address, two.tcp_address);
	apart("two servers", two_servers_are_one_list, list);
	apart("a child", a_child_has_sessions_of_its_own, one.unix_address);
	apart("nobody", init_says, &(struct expect){ "unix:/nonexistent/socket", NVML_ERROR_DRIVER_NOT_LOADED });
	apart("no NVML", init_says, &(struct expect){ none.unix_address, NVML_ERROR_LIBRARY_NOT_FOUND });
	apart("no driver", init_says, &(struct expect){ broken.unix_address, NVML_ERROR_DRIVER_NOT_LOADED });
	snprintf(list, sizeof(list), "%s,%s", none.unix_address, one.unix_address);
	apart("one of two", init_says, &(struct expect){ list, NVML_SUCCESS });
	apart("lost", a_lost_server_is_told_and_found_again, &(struct lost){ argv[1] });
	pl_test_server_stop(&one);
	pl_test_server_stop(&two);
	pl_test_server_stop(&none);
	pl_test_server_stop(&broken);
	puts("several servers, none, and lost ones: as said");
	return 0;
}
