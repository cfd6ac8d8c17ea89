/* The process: its servers, nvmlInit() and nvmlShutdown(), what comes before every call, what is said of refusals. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "client/nvml/state.h"
#include "nvml/refuse.h"
#include "nvml/result.h"

#define REFUSALS_MAX 512 /* limit: refused functions that the log names, each once */

static struct {
	pthread_mutex_t lock;
	atomic_uint started;                                  /* changes under lock */
	struct pl_nvml_server servers[PL_CLIENT_SERVERS_MAX]; /* written under lock, while it is not started */
	_Atomic uint32_t servers_count;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct {
	pthread_mutex_t lock;
	const char *said[REFUSALS_MAX]; /* under lock */
	uint32_t count;
} refusals = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void fork_child(void)
{
	pthread_mutex_init(&process.lock, NULL);
	pthread_mutex_init(&refusals.lock, NULL);
}

/* A server sends nothing of its own. */
static void reverse(struct pl_session *session, const struct pl_wire_head *head, struct pl_dec *dec)
{
	(void)dec;
	if (head)
		pl_log_warn("%s sent something that nobody asked for: %u", session->address, head->op);
}

bool pl_nvml_started(void)
{
	return atomic_load_explicit(&process.started, memory_order_acquire) != 0;
}

const struct pl_nvml_server *pl_nvml_server(uint32_t i)
{
	return i < atomic_load_explicit(&process.servers_count, memory_order_acquire) ? &process.servers[i] : NULL;
}

const struct pl_nvml_server *pl_nvml_server_of(const struct pl_session *session)
{
	const struct pl_nvml_server *server;

	for (uint32_t i = 0; (server = pl_nvml_server(i)); i++)
		if (server->session == session)
			return server;
	return NULL;
}

nvmlReturn_t pl_nvml_fault(int r)
{
	switch (r) {
	case -ENOSYS:
		return NVML_ERROR_FUNCTION_NOT_FOUND;
	case -ENOMEM:
		return NVML_ERROR_MEMORY;
	case -EMSGSIZE:
		return NVML_ERROR_INVALID_ARGUMENT;
	case -EMFILE:
		return NVML_ERROR_INSUFFICIENT_RESOURCES;
	default:
		return NVML_ERROR_GPU_IS_LOST;
	}
}

/* Why a server is none for us, in NVML's codes. */
static nvmlReturn_t refusal_of(int r)
{
	switch (r) {
	case PL_HELLO_E_API:
		return NVML_ERROR_LIBRARY_NOT_FOUND;
	case PL_HELLO_E_TOKEN:
		return NVML_ERROR_NO_PERMISSION;
	case PL_HELLO_E_BUSY:
		return NVML_ERROR_INSUFFICIENT_RESOURCES;
	case PL_HELLO_E_VERSION:
		return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
	default:
		return NVML_ERROR_DRIVER_NOT_LOADED;
	}
}

static nvmlReturn_t session_open(const char *address, struct pl_session **session_out)
{
	int r = pl_session_open(address, PL_API_NVML, &pl_nvml_functions, reverse, session_out);

	if (r < 0)
		pl_log_warn("no server at %s: %s", address, strerrordesc_np(-r));
	return r ? refusal_of(r) : NVML_SUCCESS;
}

nvmlReturn_t pl_nvml_live(const struct pl_nvml_server *server)
{
	struct pl_session *session = server->session;

	if (!atomic_load_explicit(&session->dead, memory_order_relaxed))
		return NVML_SUCCESS;
	return pl_session_open(server->address, PL_API_NVML, &pl_nvml_functions, reverse, &session)
		       ? NVML_ERROR_GPU_IS_LOST
		       : NVML_SUCCESS;
}

/* Called with the lock held.  The server's session, opened anew where it was lost. */
static nvmlReturn_t server_open(struct pl_nvml_server *server)
{
	struct pl_session *before = NULL;
	nvmlReturn_t r;

	for (uint32_t i = 0; i < process.servers_count; i++)
		if (process.servers[i].address == server->address)
			before = process.servers[i].session;
	if (before && atomic_load(&before->dead) && !before->closed)
		pl_session_leave(before);
	r = session_open(server->address, &server->session);
	if (!r && before && before != server->session)
		pl_nvml_objects_move(before, server->session);
	return r ? r : pl_nvml_on_nvmlDeviceGetCount_v2(server->session, &server->count);
}

/* Called with the lock held, and not started.  One that answers is enough. */
static nvmlReturn_t servers_find(void)
{
	struct pl_nvml_server found[PL_CLIENT_SERVERS_MAX];
	nvmlReturn_t first = NVML_ERROR_DRIVER_NOT_LOADED;
	const char *address;
	uint32_t count = 0, devices = 0;

	for (uint32_t i = 0; (address = pl_client_server(i)); i++) {
		struct pl_nvml_server server = { .address = address, .first = devices };
		nvmlReturn_t r = server_open(&server);

		if (r && !i)
			first = r;
		if (r)
			continue;
		devices += server.count;
		found[count++] = server;
	}
	if (!count) /* what was there before tells the program's handles that it is lost */
		return first;
	memcpy(process.servers, found, count * sizeof(found[0]));
	atomic_store_explicit(&process.servers_count, count, memory_order_release);
	return NVML_SUCCESS;
}

nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
	static bool watched;
	nvmlReturn_t r = NVML_SUCCESS;

	if (flags & ~(unsigned int)(NVML_INIT_FLAG_NO_GPUS | NVML_INIT_FLAG_NO_ATTACH))
		return NVML_ERROR_INVALID_ARGUMENT;
	pthread_mutex_lock(&process.lock);
	if (!watched)
		watched = !pthread_atfork(NULL, NULL, fork_child);
	if (!process.started)
		r = servers_find();
	if (!r)
		atomic_fetch_add_explicit(&process.started, 1, memory_order_release);
	pthread_mutex_unlock(&process.lock);
	return r;
}

nvmlReturn_t nvmlInit_v2(void)
{
	return nvmlInitWithFlags(0);
}

nvmlReturn_t nvmlInit(void)
{
	return nvmlInitWithFlags(0);
}

/* Sessions stay open: a program that starts again finds its devices. */
nvmlReturn_t nvmlShutdown(void)
{
	nvmlReturn_t r = NVML_ERROR_UNINITIALIZED;

	pthread_mutex_lock(&process.lock);
	if (process.started) {
		atomic_fetch_sub_explicit(&process.started, 1, memory_order_release);
		r = NVML_SUCCESS;
	}
	pthread_mutex_unlock(&process.lock);
	return r;
}

const char *nvmlErrorString(nvmlReturn_t result)
{
	return pl_nvml_result_text(result);
}

nvmlReturn_t pl_nvml_enter(enum pl_nvml_op op, unsigned kind, const void *object, struct pl_session **session_out)
{
	const struct pl_nvml_server *server = NULL;
	struct pl_session *session;

	(void)op;
	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	session = kind ? pl_nvml_session_of(kind, object) : NULL;
	if (session)
		server = pl_nvml_server_of(session);
	if (!server)
		server = pl_nvml_server(0); /* of no handle, or one that is none: that comes out later */
	*session_out = server->session;
	return pl_nvml_live(server);
}

static bool said_before(const char *function)
{
	bool said = false;

	pthread_mutex_lock(&refusals.lock);
	for (uint32_t i = 0; i < refusals.count && !said; i++)
		said = refusals.said[i] == function || !strcmp(refusals.said[i], function);
	if (!said && refusals.count < REFUSALS_MAX)
		refusals.said[refusals.count++] = function;
	pthread_mutex_unlock(&refusals.lock);
	return said;
}

nvmlReturn_t pl_nvml_refuse(const char *function, nvmlReturn_t code, const char *why)
{
	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!said_before(function))
		pl_log_info("%s is refused: %s", function, why);
	return code;
}

/* Boxes around several devices are looked after where they stand. */
nvmlReturn_t nvmlUnitGetCount(unsigned int *unit_count)
{
	if (!pl_nvml_started())
		return NVML_ERROR_UNINITIALIZED;
	if (!unit_count)
		return NVML_ERROR_INVALID_ARGUMENT;
	*unit_count = 0;
	return NVML_SUCCESS;
}
