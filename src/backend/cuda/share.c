/*
 * Memory, pools and events of one session for another one of this server (server/broker.h).  What a client gets is a
 * token; the driver's own handle, or its descriptor, goes from worker to worker.  The reference GPU's handles name a
 * descriptor of their process, which goes along.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/cuda/session.h"
#include "backend/cuda/swap.h"
#include "backend/cuda/parts.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "server/broker.h"

#define MAGIC 0x31657261685350ull /* "PShare1" */

enum { TYPE_MEMORY = 1, TYPE_EVENT, TYPE_PART, TYPE_POOL, TYPE_POINTER };

/* What a client has of it: in the 64 bytes of a handle, or in the file that stands for a descriptor. */
struct handle {
	uint64_t magic;
	uint8_t token[PL_BROKER_TOKEN_BYTES];
	uint64_t zero[5];
};
static_assert(sizeof(struct handle) == CU_IPC_HANDLE_SIZE, "as CUDA has it");

struct note {
	uint8_t native[CU_IPC_HANDLE_SIZE];
	uint8_t zero[PL_BROKER_NOTE_BYTES - CU_IPC_HANDLE_SIZE];
};
static_assert(sizeof(struct note) == PL_BROKER_NOTE_BYTES, "as the broker has it");

struct pl_cuda_share { /* something that has a handle */
	uint32_t type;
	uint64_t key; /* an allocation's address, an event's id */
	struct handle handle;
	struct pl_cuda_share *next;
};

/* ---- giving ---- */

/* The turn was given up: the daemon is waited for. */
static int32_t give(struct pl_serve *serve, uint32_t type, const void *native, int fd, struct handle *handle_out)
{
	struct note note = { 0 };
	int r;

	if (native)
		memcpy(note.native, native, sizeof(note.native));
	*handle_out = (struct handle){ .magic = MAGIC };
	atomic_store(&pl_cuda_session_of(serve)->kept.exchanges, true);
	r = pl_broker_put(serve->session, type, &note, fd, handle_out->token);
	return r == -ENOSPC ? CUDA_ERROR_OUT_OF_MEMORY : r ? CUDA_ERROR_OPERATING_SYSTEM : CUDA_SUCCESS;
}

static int native_file(struct pl_serve *serve, const void *native)
{
	const struct pl_cuda_host *host = pl_cuda_session_of(serve)->host;

	return host->ipc_file ? host->ipc_file(native) : -1;
}

/* Called with shares_lock held. */
static struct pl_cuda_share *known_at(const struct pl_cuda_session *session, uint32_t type, uint64_t key)
{
	struct pl_cuda_share *share = session->shares;

	while (share && (share->type != type || share->key != key))
		share = share->next;
	return share;
}

/* A thing has one handle, however often it is asked for. */
static bool known_find(struct pl_cuda_session *session, uint32_t type, uint64_t key, struct handle *handle_out)
{
	const struct pl_cuda_share *share;

	pthread_mutex_lock(&session->shares_lock);
	share = known_at(session, type, key);
	if (share)
		*handle_out = share->handle;
	pthread_mutex_unlock(&session->shares_lock);
	return share;
}

/* Where two threads ask at a time the first handle stays: *handle is that one then.  Return: false = no memory. */
static bool known_keep(struct pl_cuda_session *session, uint32_t type, uint64_t key, struct handle *handle)
{
	struct pl_cuda_share *made = malloc(sizeof(*made)), *first;
	struct handle given = *handle;

	if (!made)
		return false;
	*made = (struct pl_cuda_share){ type, key, given, NULL };
	pthread_mutex_lock(&session->shares_lock);
	first = known_at(session, type, key);
	if (first) {
		*handle = first->handle;
	} else {
		made->next = session->shares;
		session->shares = made;
	}
	pthread_mutex_unlock(&session->shares_lock);
	if (first) {
		pl_broker_drop(session->worker, given.token);
		free(made);
	}
	return true;
}

static void known_end(struct pl_cuda_session *session, uint32_t type, uint64_t key)
{
	struct pl_cuda_share *ended = NULL;

	pthread_mutex_lock(&session->shares_lock);
	for (struct pl_cuda_share **at = &session->shares; *at; at = &(*at)->next)
		if ((*at)->type == type && (*at)->key == key) {
			ended = *at;
			*at = ended->next;
			break;
		}
	pthread_mutex_unlock(&session->shares_lock);
	if (ended)
		pl_broker_drop(session->worker, ended->handle.token);
	free(ended);
}

void pl_cuda_share_freed(struct pl_cuda_session *session, uint64_t address)
{
	known_end(session, TYPE_MEMORY, address);
	known_end(session, TYPE_POINTER, address);
}

void pl_cuda_share_event_ended(struct pl_cuda_session *session, uint64_t id)
{
	known_end(session, TYPE_EVENT, id);
}

/* The end of a call that gives a handle: its answer, or why there is none. */
#define HANDLE_ANSWER(serve, status, name, reply)                                                                      \
	do {                                                                                                           \
		if (status) {                                                                                          \
			pl_cuda_result(serve, status, 0);                                                              \
			break;                                                                                         \
		}                                                                                                      \
		if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_##name##_reply_bytes(reply), 0))                 \
			break;                                                                                         \
		pl_cuda_##name##_reply_put(&(serve)->reply_enc, reply);                                                \
		(void)pl_serve_reply_end(serve);                                                                       \
	} while (0)

/* Return: the status to answer with. */
static int32_t native_give(struct pl_serve *serve, uint32_t type, uint64_t key, const void *native,
			   struct handle *handle_out)
{
	struct pl_cuda_session *session = pl_cuda_session_of(serve);
	int32_t status;

	if (known_find(session, type, key, handle_out))
		return CUDA_SUCCESS;
	status = give(serve, type, native, type == TYPE_POINTER ? -1 : native_file(serve, native), handle_out);
	if (!status && !known_keep(session, type, key, handle_out)) {
		pl_broker_drop(serve->session, handle_out->token);
		status = CUDA_ERROR_OUT_OF_MEMORY;
	}
	return status;
}

static int32_t memory_give(struct pl_serve *serve, uint64_t address, struct handle *handle_out)
{
	CUdeviceptr base = address;
	CUipcMemHandle native;
	int32_t status;

	if (!pl_cuda.cuIpcGetMemHandle || !pl_cuda.cuMemGetAddressRange_v2)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (pl_cuda_movable_holds(pl_cuda_session_of(serve), address, 1)) {
		pl_log_warn("cuIpcGetMemHandle: memory of a server that oversubscribes is not for other processes");
		return CUDA_ERROR_NOT_SUPPORTED;
	}
	status = (int32_t)pl_cuda.cuIpcGetMemHandle(&native, address);
	if (!status)
		status = (int32_t)pl_cuda.cuMemGetAddressRange_v2(&base, NULL, address);
	pl_serve_give_turn(serve);
	return status ? status : native_give(serve, TYPE_MEMORY, base, &native, handle_out);
}

void pl_cuda_serve_cuIpcGetMemHandle(struct pl_serve *serve, const struct pl_cuda_cuIpcGetMemHandle_args *args)
{
	struct pl_cuda_cuIpcGetMemHandle_reply reply = { 0 };
	struct handle handle;
	int32_t status = memory_give(serve, args->address, &handle);

	if (!status)
		memcpy(reply.handle.all, &handle, sizeof(handle));
	HANDLE_ANSWER(serve, status, cuIpcGetMemHandle, &reply);
}

void pl_cuda_serve_cuIpcGetEventHandle(struct pl_serve *serve, const struct pl_cuda_cuIpcGetEventHandle_args *args)
{
	struct pl_cuda_cuIpcGetEventHandle_reply reply = { 0 };
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;
	CUipcEventHandle native;
	struct handle handle;
	void *event = NULL;

	if (pl_cuda.cuIpcGetEventHandle && pl_cuda_take(serve, args->event, PL_CUDA_KIND_event, &event, &status))
		status = (int32_t)pl_cuda.cuIpcGetEventHandle(&native, event);
	pl_serve_give_turn(serve);
	if (!status)
		status = native_give(serve, TYPE_EVENT, args->event, &native, &handle);
	if (!status)
		memcpy(reply.handle.all, &handle, sizeof(handle));
	HANDLE_ANSWER(serve, status, cuIpcGetEventHandle, &reply);
}

/* The driver makes a descriptor; it goes to the daemon, and the client gets what stands for it. */
void pl_cuda_serve_cuMemExportToShareableHandle(struct pl_serve *serve,
						const struct pl_cuda_cuMemExportToShareableHandle_args *args)
{
	struct pl_cuda_cuMemExportToShareableHandle_reply reply = { 0 };
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	pl_cleanup(pl_closep) int fd = -1;
	struct handle handle;
	void *allocation;

	if (args->allocation && args->type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR &&
	    pl_cuda_take(serve, args->allocation, PL_CUDA_KIND_allocation, &allocation, &status))
		status = pl_cuda.cuMemExportToShareableHandle
				 ? (int32_t)pl_cuda.cuMemExportToShareableHandle(
					   &fd, (CUmemGenericAllocationHandle)(uintptr_t)allocation,
					   CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, args->flags)
				 : CUDA_ERROR_NOT_SUPPORTED;
	if (!status)
		pl_cuda_part_stays(pl_cuda_session_of(serve), args->allocation);
	pl_serve_give_turn(serve);
	if (!status)
		status = give(serve, TYPE_PART, NULL, fd, &handle);
	if (!status)
		reply.shareable = (struct pl_bytes){ (const uint8_t *)&handle, sizeof(handle) };
	HANDLE_ANSWER(serve, status, cuMemExportToShareableHandle, &reply);
}

static int32_t pool_export(struct pl_serve *serve, const struct pl_cuda_cuMemPoolExportToShareableHandle_args *args,
			   int *fd_out)
{
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	void *pool;

	if (!args->pool || args->type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR ||
	    !pl_cuda_take(serve, args->pool, PL_CUDA_KIND_pool, &pool, &status))
		return status;
	if (!pl_cuda.cuMemPoolExportToShareableHandle)
		return CUDA_ERROR_NOT_SUPPORTED;
	return (int32_t)pl_cuda.cuMemPoolExportToShareableHandle(fd_out, pool, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
								 args->flags);
}

void pl_cuda_serve_cuMemPoolExportToShareableHandle(struct pl_serve *serve,
						    const struct pl_cuda_cuMemPoolExportToShareableHandle_args *args)
{
	struct pl_cuda_cuMemPoolExportToShareableHandle_reply reply = { 0 };
	pl_cleanup(pl_closep) int fd = -1;
	int32_t status = pool_export(serve, args, &fd);
	struct handle handle;

	pl_serve_give_turn(serve);
	if (!status)
		status = give(serve, TYPE_POOL, NULL, fd, &handle);
	if (!status)
		reply.shareable = (struct pl_bytes){ (const uint8_t *)&handle, sizeof(handle) };
	HANDLE_ANSWER(serve, status, cuMemPoolExportToShareableHandle, &reply);
}

/* What the driver says of an allocation stays here, too: it may be of this process. */
void pl_cuda_serve_cuMemPoolExportPointer(struct pl_serve *serve,
					  const struct pl_cuda_cuMemPoolExportPointer_args *args)
{
	struct pl_cuda_cuMemPoolExportPointer_reply reply = { 0 };
	CUmemPoolPtrExportData native;
	struct handle handle;
	int32_t status = CUDA_ERROR_NOT_SUPPORTED;

	static_assert(sizeof(native) == sizeof(struct handle), "as CUDA has it");
	if (pl_cuda.cuMemPoolExportPointer)
		status = (int32_t)pl_cuda.cuMemPoolExportPointer(&native, args->address);
	pl_serve_give_turn(serve);
	if (!status)
		status = native_give(serve, TYPE_POINTER, args->address, &native, &handle);
	if (!status)
		memcpy(reply.data.all, &handle, sizeof(handle));
	HANDLE_ANSWER(serve, status, cuMemPoolExportPointer, &reply);
}

/* ---- taking ---- */

struct taken {
	struct note note;
	int fd; /* owned */
};

/* Of its own things a session gets the driver's handle as it was: what is to be said of that is the driver's. */
static int32_t take(struct pl_serve *serve, uint32_t type, const void *bytes, struct taken *taken)
{
	const struct pl_cuda_host *host = pl_cuda_session_of(serve)->host;
	struct handle handle;
	bool own;
	int r;

	memcpy(&handle, bytes, sizeof(handle));
	if (handle.magic != MAGIC)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < sizeof(handle.zero) / sizeof(handle.zero[0]); i++)
		if (handle.zero[i])
			return CUDA_ERROR_INVALID_VALUE;
	atomic_store(&pl_cuda_session_of(serve)->kept.exchanges, true);
	r = pl_broker_take(serve->session, type, handle.token, &taken->note, &own, &taken->fd);
	if (r)
		return r == -ENOENT ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_OPERATING_SYSTEM;
	if (!own && taken->fd >= 0 && host->ipc_give && (type == TYPE_MEMORY || type == TYPE_EVENT))
		host->ipc_give(taken->note.native, taken->fd);
	return CUDA_SUCCESS;
}

void pl_cuda_serve_cuIpcOpenMemHandle(struct pl_serve *serve, const struct pl_cuda_cuIpcOpenMemHandle_args *args)
{
	struct pl_cuda_cuIpcOpenMemHandle_reply reply = { 0 };
	CUdeviceptr address = 0;
	struct taken taken = { .fd = -1 };
	CUipcMemHandle native;
	size_t bytes = 0;
	int32_t status;

	if (args->handle.bytes != sizeof(struct handle)) {
		pl_serve_refuse(serve, CUDA_ERROR_INVALID_VALUE);
		return;
	}
	status = take(serve, TYPE_MEMORY, args->handle.at, &taken);
	memcpy(&native, taken.note.native, sizeof(native));
	if (!status)
		status = pl_cuda.cuIpcOpenMemHandle_v2
				 ? (int32_t)pl_cuda.cuIpcOpenMemHandle_v2(&address, native, args->flags)
				 : CUDA_ERROR_NOT_SUPPORTED;
	if (taken.fd >= 0)
		close(taken.fd);
	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (pl_cuda.cuMemGetAddressRange_v2 && pl_cuda.cuMemGetAddressRange_v2(NULL, &bytes, address))
		bytes = 0;
	reply.address = address;
	reply.bytes = bytes;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuIpcOpenMemHandle_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuIpcOpenMemHandle_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}

void pl_cuda_serve_cuIpcOpenEventHandle(struct pl_serve *serve, const struct pl_cuda_cuIpcOpenEventHandle_args *args)
{
	CUipcEventHandle native;
	CUevent event = NULL;
	struct taken taken = { .fd = -1 };
	int32_t status = take(serve, TYPE_EVENT, args->handle.all, &taken);

	memcpy(&native, taken.note.native, sizeof(native));
	if (!status)
		status = pl_cuda.cuIpcOpenEventHandle ? (int32_t)pl_cuda.cuIpcOpenEventHandle(&event, native)
						      : CUDA_ERROR_NOT_SUPPORTED;
	if (taken.fd >= 0)
		close(taken.fd);
	if (!status && !pl_cuda_put(serve, args->event, PL_CUDA_KIND_event, event, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuMemImportFromShareableHandle(struct pl_serve *serve,
						  const struct pl_cuda_cuMemImportFromShareableHandle_args *args)
{
	CUmemGenericAllocationHandle handle = 0;
	struct taken taken = { .fd = -1 };
	int32_t status = CUDA_ERROR_INVALID_VALUE;

	if (args->shareable.bytes == sizeof(struct handle) && args->type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		status = take(serve, TYPE_PART, args->shareable.at, &taken);
	if (!status)
		status =
			pl_cuda.cuMemImportFromShareableHandle && pl_cuda.cuMemRelease
				? (int32_t)pl_cuda.cuMemImportFromShareableHandle(
					  &handle, (void *)(intptr_t)taken.fd, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
				: CUDA_ERROR_NOT_SUPPORTED;
	if (taken.fd >= 0)
		close(taken.fd);
	if (!status)
		status = pl_cuda_part_import(serve, args->allocation, handle);
	pl_cuda_result(serve, status, 0);
}

void pl_cuda_serve_cuMemPoolImportFromShareableHandle(
	struct pl_serve *serve, const struct pl_cuda_cuMemPoolImportFromShareableHandle_args *args)
{
	struct taken taken = { .fd = -1 };
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	CUmemoryPool pool = NULL;

	if (args->shareable.bytes == sizeof(struct handle) && args->type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		status = take(serve, TYPE_POOL, args->shareable.at, &taken);
	if (!status)
		status = pl_cuda.cuMemPoolImportFromShareableHandle
				 ? (int32_t)pl_cuda.cuMemPoolImportFromShareableHandle(
					   &pool, (void *)(intptr_t)taken.fd, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
					   args->flags)
				 : CUDA_ERROR_NOT_SUPPORTED;
	if (taken.fd >= 0)
		close(taken.fd);
	if (!status && !pl_cuda_put(serve, args->pool, PL_CUDA_KIND_pool, pool, 0))
		status = CUDA_ERROR_OUT_OF_MEMORY;
	pl_cuda_result(serve, status, 0);
}

static int32_t pointer_import(struct pl_serve *serve, const struct pl_cuda_cuMemPoolImportPointer_args *args,
			      CUdeviceptr *address_out)
{
	int32_t status = CUDA_ERROR_INVALID_VALUE;
	struct taken taken = { .fd = -1 };
	CUmemPoolPtrExportData native;
	void *pool;

	if (!args->pool || !pl_cuda_take(serve, args->pool, PL_CUDA_KIND_pool, &pool, &status))
		return status;
	status = take(serve, TYPE_POINTER, args->data.all, &taken);
	if (taken.fd >= 0)
		close(taken.fd);
	if (status || !pl_cuda.cuMemPoolImportPointer)
		return status ? status : CUDA_ERROR_NOT_SUPPORTED;
	memcpy(&native, taken.note.native, sizeof(native));
	return (int32_t)pl_cuda.cuMemPoolImportPointer(address_out, pool, &native);
}

/* It is charged to the session that allocated it. */
void pl_cuda_serve_cuMemPoolImportPointer(struct pl_serve *serve,
					  const struct pl_cuda_cuMemPoolImportPointer_args *args)
{
	struct pl_cuda_cuMemPoolImportPointer_reply reply = { 0 };
	CUdeviceptr address = 0;
	size_t bytes = 0;
	int32_t status = pointer_import(serve, args, &address);

	if (status) {
		pl_cuda_result(serve, status, 0);
		return;
	}
	if (pl_cuda.cuMemGetAddressRange_v2 && pl_cuda.cuMemGetAddressRange_v2(NULL, &bytes, address))
		bytes = 0;
	reply.address = address;
	reply.bytes = bytes;
	if (pl_serve_reply_begin(serve, CUDA_SUCCESS, pl_cuda_cuMemPoolImportPointer_reply_bytes(&reply), 0))
		return;
	pl_cuda_cuMemPoolImportPointer_reply_put(&serve->reply_enc, &reply);
	(void)pl_serve_reply_end(serve);
}
