/* The process: its server, cuInit(), fork(), what is said of functions that are refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/cuda/state.h"
#include "client/servers.h"
#include "client/stats.h"
#include "cuda/refuse.h"

#define VERSION_OURS 13000 /* programs must not expect functions that this library does not know */

static struct {
	pthread_mutex_t lock;
	atomic_bool ready, forked;
	bool tried;      /* under lock, here and below */
	CUresult result; /* of the first cuInit() */
	struct pl_session *session;
	int version;
	uint32_t devices_count;
	struct pl_cuda_device_facts *devices;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER };

__thread struct pl_cuda_thread pl_cuda_thread __attribute__((tls_model("initial-exec"))) = { .told = PL_CUDA_TOLD_NOT };

/* A child of a process that uses the driver can not use it: as with the driver itself. */
static void fork_child(void)
{
	pthread_mutex_init(&process.lock, NULL);
	if (process.session)
		atomic_store(&process.forked, true);
	atomic_store(&process.ready, false);
	pl_cuda_thread.told = PL_CUDA_TOLD_NOT;
}

/* Called with the lock held. */
static CUresult devices_ask(void)
{
	struct pl_cuda_plDevices_args args = { 0 };
	struct pl_cuda_plDevices_reply got;
	struct pl_reply reply;
	int r = PL_CUDA_ASK(process.session, plDevices, &args, &reply);
	uint64_t count;

	if (r)
		return pl_cuda_fault(r);
	pl_cuda_plDevices_reply_get(&reply.dec, &got);
	if (reply.status || !pl_dec_whole(&reply.dec))
		return reply.status ? (CUresult)reply.status : CUDA_ERROR_UNKNOWN;
	count = got.devices.bytes / sizeof(*process.devices);
	if (got.devices.bytes % sizeof(*process.devices) || count > PL_CUDA_DEVICES_MAX)
		return CUDA_ERROR_UNKNOWN;
	process.devices = calloc(count + 1, sizeof(*process.devices));
	if (!process.devices)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (count)
		memcpy(process.devices, got.devices.at, got.devices.bytes);
	for (uint64_t i = 0; i < count; i++) {
		process.devices[i].name[sizeof(process.devices[i].name) - 1] = '\0';
		process.devices[i].pci[sizeof(process.devices[i].pci) - 1] = '\0';
	}
	process.devices_count = (uint32_t)count;
	process.version = (int)got.version < VERSION_OURS ? (int)got.version : VERSION_OURS;
	return CUDA_SUCCESS;
}

/* The first of the servers that has CUDA.  Called with the lock held. */
static CUresult session_open(void)
{
	const char *address;
	CUresult result = CUDA_ERROR_NO_DEVICE;

	if (process.session)
		return CUDA_SUCCESS;
	for (uint32_t i = 0; (address = pl_client_server(i)); i++) {
		int r = pl_session_open(address, PL_API_CUDA, &pl_cuda_functions, pl_cuda_reverse, &process.session);

		if (!r) {
			result = devices_ask();
			if (result)
				process.session = NULL;
			return result;
		}
		if (r < 0)
			pl_log_warn("no server at %s: %s", address, strerrordesc_np(-r));
		else
			pl_log_warn("%s refuses CUDA", address);
	}
	return result;
}

static void process_once(void)
{
	pthread_atfork(NULL, NULL, fork_child);
	pl_client_stats_start(NULL);
}

CUresult cuInit(unsigned int flags)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	CUresult result;

	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (atomic_load(&process.forked))
		return CUDA_ERROR_NOT_INITIALIZED;
	pthread_once(&once, process_once);
	pthread_mutex_lock(&process.lock);
	if (!process.tried) {
		process.result = session_open();
		if (!process.result && !process.devices_count)
			process.result = CUDA_ERROR_NO_DEVICE;
		process.tried = !process.result; /* a server that was not up may be when the program asks again */
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
	pthread_mutex_lock(&process.lock);
	if (!process.session && !atomic_load(&process.forked))
		(void)session_open();
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
	return process.session;
}

int pl_cuda_device_count(void)
{
	return (int)process.devices_count;
}

const struct pl_cuda_device_facts *pl_cuda_device(CUdevice device)
{
	return device >= 0 && (uint32_t)device < process.devices_count ? &process.devices[device] : NULL;
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

CUresult pl_cuda_refuse(const char *function, CUresult code, const char *why)
{
	CUresult result = pl_cuda_ready();

	if (result)
		return result;
	pl_log_warn("%s is refused: %s", function, why);
	return code;
}

void pl_cuda_lacks(const char *function, int version)
{
	pl_log_info("no function %s for CUDA %d.%d", function, version / 1000, version % 1000 / 10);
}

/* Of the time when a profiler was part of the driver. */
CUresult cuProfilerInitialize(const char *config_path, const char *output_path, CUoutput_mode mode)
{
	CUresult result = pl_cuda_ready();

	(void)config_path, (void)output_path, (void)mode;
	return result ? result : CUDA_ERROR_NOT_SUPPORTED;
}
