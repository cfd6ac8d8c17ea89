/* The process: its servers and their devices, cuInit(), fork(), what is said of functions that are refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "client/cuda/between.h"
#include "client/servers.h"
#include "client/stats.h"
#include "cuda/refuse.h"
#include "cuda/totals.h"
#include "cuda/visible.h"

#define ADDRESSES_BYTES (1ull << 40) /* of all servers together; a device has less memory than its part */
#define REFUSALS_MAX    256u         /* limit: functions that are told of, more than are refused */
#define VERSION_OURS    13000        /* programs must not expect functions that this library does not know */

static struct {
	pthread_mutex_t lock;
	atomic_bool ready, forked;
	bool tried;      /* under lock, here and below */
	CUresult result; /* of the first cuInit() */
	int version;
	struct pl_session *sessions[PL_CLIENT_SERVERS_MAX]; /* that have CUDA; pl_cuda_sessions_count of them */
	uint32_t count, found_count;
	struct device {
		struct pl_session *session;
		int number; /* there */
		struct pl_cuda_device_facts facts;
	} * devices, *found; /* what the program sees; what the servers have */
} process = { .lock = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t process_begun = PTHREAD_ONCE_INIT;

uint32_t pl_cuda_sessions_count;

__thread struct pl_cuda_thread pl_cuda_thread __attribute__((tls_model("initial-exec"))) = { .told = PL_CUDA_TOLD_NOT };

/* A child of a process that uses the driver can not use it: as with the driver itself.  One whose parent had asked for
 * no more than the version can, and dials on its own. */
static void fork_child(void)
{
	pthread_mutex_init(&process.lock, NULL);
	if (atomic_load(&process.ready))
		atomic_store(&process.forked, true);
	if (!atomic_load(&process.forked)) {
		free(pl_steal(process.devices));
		free(pl_steal(process.found));
		process.count = process.found_count = pl_cuda_sessions_count = 0;
	}
	atomic_store(&process.ready, false);
	pl_cuda_thread.told = PL_CUDA_TOLD_NOT;
	pl_cuda_thread.told_by = NULL;
}

/* ---- the servers and their devices; called with the lock held ---- */

static int by_bus(const void *a, const void *b)
{
	return strcasecmp(((const struct device *)a)->facts.pci, ((const struct device *)b)->facts.pci);
}

/* Behind those of the servers before it. */
static CUresult devices_take(struct pl_session *session, struct pl_bytes bytes)
{
	uint64_t count = bytes.bytes / sizeof(process.found->facts);
	const char *order = getenv("CUDA_DEVICE_ORDER");
	struct device *more;

	if (bytes.bytes % sizeof(more->facts) || count > PL_CUDA_DEVICES_MAX)
		return CUDA_ERROR_UNKNOWN;
	if (count > PL_CUDA_DEVICES_MAX - process.found_count) {
		pl_log_warn("%s: more than %u devices: the rest is left out", session->address, PL_CUDA_DEVICES_MAX);
		count = PL_CUDA_DEVICES_MAX - process.found_count;
	}
	more = realloc(process.found, (process.found_count + count + 1) * sizeof(*more));
	if (!more)
		return CUDA_ERROR_OUT_OF_MEMORY;
	process.found = more;
	more += process.found_count;
	for (uint64_t i = 0; i < count; i++) {
		more[i].session = session;
		more[i].number = (int)i;
		memcpy(&more[i].facts, (const uint8_t *)bytes.at + i * sizeof(more->facts), sizeof(more->facts));
		more[i].facts.name[sizeof(more->facts.name) - 1] = '\0';
		more[i].facts.pci[sizeof(more->facts.pci) - 1] = '\0';
	}
	if (order && !strcmp(order, "PCI_BUS_ID"))
		qsort(more, count, sizeof(*more), by_bus);
	process.found_count += (uint32_t)count;
	return CUDA_SUCCESS;
}

static CUresult devices_ask(struct pl_session *session)
{
	struct pl_cuda_plDevices_args args = { 0 };
	struct pl_cuda_plDevices_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(session, plDevices, &args, &reply);

	if (r)
		return pl_cuda_fault(r);
	pl_cuda_plDevices_reply_get(&reply.dec, &got);
	if (reply.status || !pl_dec_whole(&reply.dec))
		return reply.status ? (CUresult)reply.status : CUDA_ERROR_UNKNOWN;
	if (!process.version || (int)got.version < process.version)
		process.version = (int)got.version < VERSION_OURS ? (int)got.version : VERSION_OURS;
	return devices_take(session, got.devices);
}

/* Each of several servers gives addresses of a part of its own, as far as its driver gives the lowest that are free: it
 * sets aside what the servers before it use.  Where it does not, pl_cuda_collides() finds it. */
static void addresses_part(void)
{
	uint64_t part = ADDRESSES_BYTES;

	for (uint32_t n = 1; n < pl_cuda_sessions_count; n *= 2)
		part /= 2;
	for (uint32_t i = 1; i < pl_cuda_sessions_count; i++)
		(void)pl_cuda_addresses_set_aside(process.sessions[i], 0, i * part);
}

static CUresult devices_choose(void)
{
	uint8_t uuids[PL_CUDA_DEVICES_MAX * PL_CUDA_UUID_BYTES];
	uint32_t order[PL_CUDA_DEVICES_MAX];

	for (uint32_t i = 0; i < process.found_count; i++)
		memcpy(uuids + i * PL_CUDA_UUID_BYTES, process.found[i].facts.uuid, PL_CUDA_UUID_BYTES);
	process.devices = calloc(process.found_count + 1, sizeof(*process.devices));
	if (!process.devices)
		return CUDA_ERROR_OUT_OF_MEMORY;
	process.count = pl_cuda_visible(getenv("CUDA_VISIBLE_DEVICES"), uuids, process.found_count, order);
	for (uint32_t i = 0; i < process.count; i++)
		process.devices[i] = process.found[order[i]];
	return CUDA_SUCCESS;
}

/* One that answers is enough. */
static CUresult sessions_open(void)
{
	CUresult result = CUDA_ERROR_NO_DEVICE;
	const char *address;

	if (process.devices)
		return CUDA_SUCCESS;
	for (uint32_t i = 0; (address = pl_client_server(i)); i++) {
		struct pl_session *session;
		int r = pl_session_open(address, PL_API_CUDA, &pl_cuda_functions, pl_cuda_reverse, &session);
		CUresult said = r ? CUDA_ERROR_NO_DEVICE : devices_ask(session);

		if (r < 0)
			pl_log_warn("no server at %s: %s", address, strerrordesc_np(-r));
		else if (r)
			pl_log_warn("%s refuses CUDA", address);
		else if (said)
			pl_log_warn("%s does not tell its devices: error %d", address, (int)said);
		else
			process.sessions[pl_cuda_sessions_count++] = session;
		if (said && result == CUDA_ERROR_NO_DEVICE)
			result = said;
	}
	if (!pl_cuda_sessions_count)
		return result;
	addresses_part();
	return devices_choose();
}

static void process_once(void)
{
	pthread_atfork(NULL, NULL, fork_child);
	pl_client_stats_also("between_direct", &pl_cuda_between_direct);
	pl_client_stats_also("between_through", &pl_cuda_between_through);
	pl_client_stats_start(NULL);
}

CUresult cuInit(unsigned int flags)
{
	CUresult result;

	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (atomic_load(&process.forked))
		return CUDA_ERROR_NOT_INITIALIZED;
	pthread_once(&process_begun, process_once);
	pthread_mutex_lock(&process.lock);
	if (!process.tried) {
		process.result = sessions_open();
		if (!process.result && !process.count)
			process.result = CUDA_ERROR_NO_DEVICE;
		process.tried = !process.result; /* a server that was not up may be when the program asks again */
		atomic_store(&pl_client_thread_left, pl_cuda_lanes_went);
		atomic_store(&process.ready, !process.result);
	}
	result = process.result;
	pthread_mutex_unlock(&process.lock);
	return result;
}

/* Answered also before cuInit(). */
CUresult cuDriverGetVersion(int *version)
{
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_once(&process_begun, process_once);
	pthread_mutex_lock(&process.lock);
	if (!atomic_load(&process.forked))
		(void)sessions_open();
	*version = process.version ? process.version : VERSION_OURS;
	pthread_mutex_unlock(&process.lock);
	return CUDA_SUCCESS;
}

CUresult pl_cuda_ready(void)
{
	bool ready = atomic_load_explicit(&process.ready, memory_order_acquire) &&
		     !atomic_load_explicit(&process.forked, memory_order_relaxed);

	return ready ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

struct pl_session *pl_cuda_session(void)
{
	const struct pl_cuda_context *top = pl_cuda_thread.top;

	return top ? top->object.session : process.sessions[0];
}

struct pl_session *pl_cuda_session_at(uint32_t index)
{
	return index < pl_cuda_sessions_count ? process.sessions[index] : NULL;
}

uint32_t pl_cuda_session_index(const struct pl_session *session)
{
	uint32_t i = 0;

	while (i + 1 < pl_cuda_sessions_count && process.sessions[i] != session)
		i++;
	return i;
}

int pl_cuda_device_count(void)
{
	return (int)process.count;
}

static const struct device *device_at(CUdevice device)
{
	return device >= 0 && (uint32_t)device < process.count ? &process.devices[device] : NULL;
}

const struct pl_cuda_device_facts *pl_cuda_device(CUdevice device)
{
	const struct device *at = device_at(device);

	return at ? &at->facts : NULL;
}

struct pl_session *pl_cuda_device_session(CUdevice device)
{
	const struct device *at = device_at(device);

	return at ? at->session : NULL;
}

struct pl_session *pl_cuda_location_session(CUmemLocation location)
{
	struct pl_session *session = NULL;

	if (location.type == CU_MEM_LOCATION_TYPE_DEVICE)
		session = pl_cuda_device_session(location.id);
	return session ? session : pl_cuda_session();
}

CUdevice pl_cuda_device_first(const struct pl_session *session)
{
	for (uint32_t i = 0; i < process.count; i++)
		if (process.devices[i].session == session)
			return (CUdevice)i;
	return CU_DEVICE_INVALID;
}

int pl_cuda_device_home(const struct pl_session *session, CUdevice device)
{
	const struct device *at = device_at(device);

	return at && at->session == session ? at->number : -1;
}

CUdevice pl_cuda_device_away(const struct pl_session *session, int number)
{
	for (uint32_t i = 0; i < process.count; i++)
		if (process.devices[i].session == session && process.devices[i].number == number)
			return (CUdevice)i;
	return CU_DEVICE_INVALID;
}

CUresult pl_cuda_fault(int r)
{
	switch (r) {
	case -ENOSYS:
		return CUDA_ERROR_NOT_SUPPORTED;
	case -ENOMEM:
		return CUDA_ERROR_OUT_OF_MEMORY;
	case -EMSGSIZE:
		return CUDA_ERROR_INVALID_VALUE;
	default:
		return CUDA_ERROR_DEVICE_UNAVAILABLE;
	}
}

/* Return: it is the first time that this function is refused. */
static bool refusal_is_new(const char *function)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static const char *told[REFUSALS_MAX]; /* under lock */
	size_t i = 0;
	bool is_new;

	pthread_mutex_lock(&lock);
	while (i < REFUSALS_MAX && told[i] && strcmp(told[i], function))
		i++;
	is_new = i < REFUSALS_MAX && !told[i];
	if (is_new)
		told[i] = function;
	pthread_mutex_unlock(&lock);
	return is_new;
}

/* The first time its user is told: the error alone says nothing of what to do without. */
CUresult pl_cuda_refuse(const char *function, CUresult code, const char *why)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	if (refusal_is_new(function))
		pl_log_tell("%s is refused: %s", function, why);
	else
		pl_log_warn("%s is refused: %s", function, why);
	return code;
}

void pl_cuda_lacks(const char *function, int version)
{
	pl_log_info("no function %s for CUDA %d.%d", function, version / 1000, version % 1000 / 10);
}

__attribute__((visibility("default"))) void plCudaTotals(struct pl_cuda_totals *totals_out)
{
	struct pl_session_totals totals;

	pl_session_totals_get(&totals);
	*totals_out = (struct pl_cuda_totals){ totals.asks, totals.bytes_out, totals.bytes_in };
}

/* Of the time when a profiler was part of the driver. */
CUresult cuProfilerInitialize(const char *config_path, const char *output_path, CUoutput_mode mode)
{
	CUresult result = pl_cuda_ready();

	(void)config_path, (void)output_path, (void)mode;
	return result ? result : CUDA_ERROR_NOT_SUPPORTED;
}
