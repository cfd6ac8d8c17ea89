/* Servers of $PLENUM and their platforms: one platform of ours for each platform of each server. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/opencl/adopt.h"
#include "client/opencl/call.h"
#include "client/opencl/trace.h"
#include "client/opencl/types.h"
#include "client/servers.h"
#include "client/stats.h"

static struct pl_cl_server *servers[PL_CLIENT_SERVERS_MAX];
static _Atomic uint32_t servers_count;
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER; /* set-up, and opening sessions anew */
static pthread_once_t servers_once = PTHREAD_ONCE_INIT;

const struct _cl_icd_dispatch *pl_cl_dispatch(void)
{
	return pl_cl_tracing() ? &pl_cl_dispatch_traced : &pl_cl_dispatch_plain;
}

struct pl_cl_server *pl_cl_server_of(const struct pl_session *session)
{
	for (uint32_t i = 0; i < servers_count; i++)
		if (servers[i]->session == session)
			return servers[i];
	return NULL;
}

/* ---- which servers ---- */

static void server_add(const char *address)
{
	struct pl_cl_server *server = calloc(1, sizeof(*server));

	if (!server)
		return;
	strcpy(server->address, address);
	servers[servers_count++] = server;
}

/* The child starts with nothing of its parent's sessions; its servers are opened again when they are used. */
static void fork_child(void)
{
	pthread_mutex_init(&servers_lock, NULL);
	atomic_store(&pl_cl_later, NULL);
	pl_cl_event_fork();
	pl_cl_svm_fork();
	for (uint32_t i = 0; i < servers_count; i++) {
		servers[i]->lock = (struct pl_lock){0};
		servers[i]->queues_lock = (struct pl_lock){0};
		servers[i]->tokens.lock = (struct pl_lock){0};
		servers[i]->handles.lock = (struct pl_lock){0};
		for (uint32_t p = 0; p < servers[i]->platforms_count; p++) {
			struct pl_cl_platform *platform = servers[i]->platforms[p];
			platform->object.lock = (struct pl_lock){0};
			for (uint32_t d = 0; platform->listed && d < platform->devices_count; d++)
				platform->devices[d]->object.lock = (struct pl_lock){0};
		}
	}
}

static void servers_init(void)
{
	const char *address;

	for (uint32_t i = 0; (address = pl_client_server(i)); i++)
		server_add(address);
	pthread_atfork(NULL, NULL, fork_child);
	pl_client_stats_start(pl_cl_host_copied);
}

/* ---- sessions ---- */

/* Called with servers_lock held.  Lasting objects go over to the new session. */
static void server_renew(struct pl_cl_server *server, uint32_t epoch)
{
	pl_cl_table_clear(&server->tokens);
	pl_cl_table_clear(&server->handles);
	server->queues = NULL;
	server->doubt = false;
	server->confirmed = 0;
	for (uint32_t p = 0; p < server->platforms_count; p++) {
		struct pl_cl_platform *platform = server->platforms[p];
		platform->object.epoch = epoch;
		for (uint32_t d = 0; platform->listed && d < platform->devices_count; d++)
			platform->devices[d]->object.epoch = epoch;
	}
	server->state_epoch = epoch;
}

struct pl_session *pl_cl_server_session(struct pl_cl_server *server)
{
	struct pl_session *session = server->session;
	int r = 0;

	if (session && server->state_epoch == session->epoch)
		return session;
	pthread_mutex_lock(&servers_lock);
	session = server->session;
	if (!session || server->state_epoch != session->epoch) {
		r = pl_session_open(server->address, PL_API_OPENCL, &pl_cl_functions, pl_cl_reverse, &session);
		if (!r) {
			server->session = session;
			server_renew(server, session->epoch);
		} else if (r < 0) {
			pl_log_warn("no server at %s: %s", server->address, strerrordesc_np(-r));
		}
	}
	pthread_mutex_unlock(&servers_lock);
	return r ? server->session : session;
}

/* ---- platforms ---- */

static int platforms_ask(struct pl_cl_server *server, struct pl_session *session)
{
	struct pl_cl_clGetPlatformIDs_args args = {0};
	struct pl_cl_clGetPlatformIDs_reply got;
	struct pl_reply reply;
	int r = PL_CL_ASK(session, clGetPlatformIDs, &args, &reply);

	if (r)
		return pl_trace(r);
	pl_cl_clGetPlatformIDs_reply_get(&reply.dec, &got);
	if (reply.status || !pl_dec_whole(&reply.dec)) {
		pl_log_warn("%s tells of no platforms: %d", server->address, reply.status);
		return 0;
	}
	server->platforms = calloc(got.platforms.count + 1, sizeof(struct pl_cl_platform *));
	if (!server->platforms)
		return pl_err(-ENOMEM);
	for (uint64_t i = 0; i < got.platforms.count; i++) {
		struct pl_cl_platform *platform =
			pl_cl_object_new(server, PL_CL_KIND_platform, sizeof(*platform), got.platforms.at[i]);
		if (!platform)
			return pl_err(-ENOMEM);
		platform->index = (uint32_t)i;
		server->platforms[server->platforms_count++] = platform;
	}
	return 0;
}

/* Failures are not remembered: a server that was not up may be when the program asks again. */
static void server_list(struct pl_cl_server *server)
{
	struct pl_session *session = pl_cl_server_session(server);

	if (!session || session->dead)
		return;
	pl_lock(&server->lock);
	if (!server->listed)
		server->listed = !platforms_ask(server, session);
	pl_unlock(&server->lock);
}

cl_int pl_cl_platform_list(cl_uint room, cl_platform_id *platforms, cl_uint *count_out)
{
	cl_uint count = 0;

	pthread_once(&servers_once, servers_init);
	for (uint32_t s = 0; s < servers_count; s++) {
		struct pl_cl_server *server = servers[s];

		server_list(server);
		for (uint32_t p = 0; server->listed && p < server->platforms_count; p++, count++)
			if (platforms && count < room)
				platforms[count] = (cl_platform_id)server->platforms[p];
	}
	if (count_out)
		*count_out = count;
	return CL_SUCCESS;
}

cl_int pl_cl_stub_clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
{
	if ((!platforms && !num_platforms) || (platforms && !num_entries))
		return CL_INVALID_VALUE;
	return pl_cl_platform_list(num_entries, platforms, num_platforms);
}

cl_int pl_cl_stub_clUnloadPlatformCompiler(cl_platform_id platform)
{
	struct pl_cl_platform *at = pl_cl_get(platform, PL_CL_KIND_platform);
	struct pl_session *session = pl_cl_session(at);
	struct pl_cl_clUnloadPlatformCompiler_args args = {0};
	cl_int code;

	if (!session)
		return CL_INVALID_PLATFORM;
	args.platform = at->object.id;
	PL_CL_SEND(session, clUnloadPlatformCompiler, &args, true, code);
	return code;
}

/* A hint without a platform: nothing that could be unloaded here. */
cl_int pl_cl_stub_clUnloadCompiler(void)
{
	return CL_SUCCESS;
}
