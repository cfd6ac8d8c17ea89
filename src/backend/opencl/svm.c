#include "backend/opencl/svm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/opencl/event.h"
#include "backend/opencl/push.h"
#include "backend/opencl/resolve.h"
#include "backend/opencl/transfer.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "wire/opencl.h"

#define PAGE_BYTES 4096u

/* ---- blocks ---- */

/* Pages of the arena must not become part of the driver's heap: private ones take their place first. */
static void block_unshare(struct pl_cl_svm_block *block)
{
	if (!block->shared)
		return;
	if (mmap((void *)(uintptr_t)block->address, block->bytes, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		pl_log_error("pages of shared virtual memory can not be replaced: %s", strerror(errno));
	else
		block->shared = false;
}

void pl_cl_svm_unref(struct pl_cl_session *session, struct pl_cl_svm_block *block)
{
	if (!block || atomic_fetch_sub(&block->refs, 1) != 1)
		return;
	block_unshare(block);
	if (!block->shared)
		pl_cl.clSVMFree(block->context, block->base);
	pl_cl.clReleaseContext(block->context);
	pl_quota_return(pl_cl_quota(session), PL_QUOTA_MEMORY, block->charged_bytes);
	pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
	free(block);
}

struct pl_cl_svm_block *pl_cl_svm_ref(struct pl_cl_session *session, uint64_t address, uint64_t bytes)
{
	struct pl_cl_svm_block *block;

	pthread_mutex_lock(&session->svm.lock);
	for (block = session->svm.blocks; block; block = block->next)
		if (address >= block->address && address - block->address <= block->bytes &&
		    bytes <= block->bytes - (address - block->address))
			break;
	if (block)
		atomic_fetch_add(&block->refs, 1);
	pthread_mutex_unlock(&session->svm.lock);
	return block;
}

static void block_add(struct pl_cl_session *session, struct pl_cl_svm_block *block)
{
	pthread_mutex_lock(&session->svm.lock);
	block->next = session->svm.blocks;
	session->svm.blocks = block;
	pthread_mutex_unlock(&session->svm.lock);
}

/* Takes the block that begins there off the list: its list reference is the caller's. */
static struct pl_cl_svm_block *block_take(struct pl_cl_session *session, uint64_t address)
{
	struct pl_cl_svm_block **link, *block;

	pthread_mutex_lock(&session->svm.lock);
	for (link = &session->svm.blocks; *link && (*link)->address != address; link = &(*link)->next)
		;
	block = *link;
	if (block)
		*link = block->next;
	pthread_mutex_unlock(&session->svm.lock);
	return block;
}

bool pl_cl_svm_holds(struct pl_cl_session *session, uint64_t address, uint64_t bytes)
{
	struct pl_cl_svm_block *block = pl_cl_svm_ref(session, address, bytes);

	pl_cl_svm_unref(session, block);
	return block != NULL;
}

/* ---- allocating ---- */

/* Makes the block's pages those of the arena at `store`. */
static bool block_share(struct pl_cl_session *session, struct pl_cl_svm_block *block, uint64_t store)
{
	struct pl_session_worker *worker = session->worker;

	if (!pl_cl_stage(session, store, block->bytes) || store % PAGE_BYTES || worker->arena_fd < 0)
		return false;
	if (mmap((void *)(uintptr_t)block->address, block->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 worker->arena_fd, (off_t)(worker->arena_start + store)) == MAP_FAILED)
		return false;
	block->shared = true;
	return true;
}

static struct pl_cl_svm_block *block_new(struct pl_cl_session *session, const struct pl_cl_clSVMAlloc_args *args,
					 cl_context context)
{
	struct pl_cl_svm_block *block;
	uint64_t bytes = (args->size + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	void *base;

	if (!pl_cl.clSVMAlloc || !args->size || bytes < args->size || bytes > UINT64_MAX / 2)
		return NULL;
	block = calloc(1, sizeof(*block));
	/* One page more than there are: the client's begin at the first whole one. */
	base = block ? pl_cl.clSVMAlloc(context, args->flags, bytes + PAGE_BYTES, args->alignment) : NULL;
	if (!base) {
		free(block);
		return NULL;
	}
	atomic_init(&block->refs, 1);
	block->context = context;
	block->base = base;
	block->address = ((uintptr_t)base + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
	block->bytes = bytes;
	block->driver_bytes = bytes + PAGE_BYTES;
	block->charged_bytes = args->size;
	pl_cl.clRetainContext(context);
	if (args->store == PL_CL_STAGE_NONE || block_share(session, block, args->store))
		return block;
	pl_cl.clSVMFree(context, base);
	pl_cl.clReleaseContext(context);
	free(block);
	return NULL;
}

void pl_cl_serve_clSVMAlloc(struct pl_serve *serve, const struct pl_cl_clSVMAlloc_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	struct pl_cl_clSVMAlloc_reply reply = { 0 };
	struct pl_cl_svm_block *block = NULL;
	int32_t status = CL_SUCCESS;
	void *context;

	if (pl_cl_take(serve, args->context, PL_CL_KIND_context, &context, &status) && context &&
	    pl_quota_charge(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1)) {
		block = block_new(session, args, context);
		if (!block)
			pl_quota_return(pl_cl_quota(session), PL_QUOTA_OBJECTS, 1);
	}
	if (block) {
		reply.address = block->address;
		block_add(session, block);
	} else {
		pl_quota_return(pl_cl_quota(session), PL_QUOTA_MEMORY, args->size);
	}
	if (pl_serve_reply_begin(serve, status, pl_cl_clSVMAlloc_reply_bytes(&reply), 0))
		return;
	pl_cl_clSVMAlloc_reply_put(&serve->reply_enc, &reply);
	pl_serve_reply_end(serve);
}

void pl_cl_serve_clSVMFree(struct pl_serve *serve, const struct pl_cl_clSVMFree_args *args)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);

	pl_cl_svm_unref(session, block_take(session, args->address));
	pl_serve_reply(serve, CL_SUCCESS);
}

/* ---- commands ---- */

struct pl_cl_svm_freeing {
	struct pl_cl_job job;
	struct pl_cl_svm_freeing *next; /* svm.freed */
	struct pl_cl_session *session;
	_Atomic uint32_t refs; /* the job and the list */
	uint64_t token;        /* the client frees; 0 = we do */
	uint32_t count;
	struct pl_cl_svm_block *blocks[]; /* list references where we free, else none */
};

static void freeing_unref(struct pl_cl_svm_freeing *freeing)
{
	if (atomic_fetch_sub(&freeing->refs, 1) == 1)
		pl_cl_job_free(freeing->session, freeing);
}

static struct pl_cl_svm_freeing *freed_next(struct pl_cl_session *session)
{
	struct pl_cl_svm_freeing *freeing;

	pthread_mutex_lock(&session->svm.lock);
	freeing = session->svm.freed;
	if (freeing && !(session->svm.freed = freeing->next))
		session->svm.freed_last = NULL;
	pthread_mutex_unlock(&session->svm.lock);
	return freeing;
}

void pl_cl_svm_settle(struct pl_cl_session *session)
{
	struct pl_cl_svm_freeing *freeing;

	/* Held until all is sent: who comes second knows then that nothing is on its way. */
	pthread_mutex_lock(&session->svm.freed_lock);
	while ((freeing = freed_next(session))) {
		for (uint32_t i = 0; i < freeing->count; i++)
			pl_cl_svm_unref(session, freeing->blocks[i]);
		if (freeing->token)
			pl_cl_send_svm_free(session, freeing->token);
		freeing_unref(freeing);
	}
	pthread_mutex_unlock(&session->svm.freed_lock);
}

static void freeing_run(struct pl_cl_session *session, struct pl_cl_job *job)
{
	pl_cl_svm_settle(session);
	freeing_unref((struct pl_cl_svm_freeing *)job);
}

/* The driver calls it when the command runs, before its event completes. */
static void CL_CALLBACK freeing_reached(cl_command_queue queue, cl_uint count, void **pointers, void *user_data)
{
	struct pl_cl_svm_freeing *freeing = user_data;
	struct pl_cl_svm *svm = &freeing->session->svm;

	(void)queue;
	(void)count;
	(void)pointers;
	pthread_mutex_lock(&svm->lock);
	if (svm->freed_last)
		svm->freed_last->next = freeing;
	else
		svm->freed = freeing;
	svm->freed_last = freeing;
	pthread_mutex_unlock(&svm->lock);
	pl_cl_push_job(freeing->session, &freeing->job);
}

/* Takes the blocks off the list, one each time that it is named.  Return: all were there. */
static bool freeing_take(struct pl_cl_svm_freeing *freeing, struct pl_u64s addresses)
{
	bool all = true;

	for (uint64_t i = 0; i < addresses.count; i++) {
		struct pl_cl_svm_block *block = block_take(freeing->session, addresses.at[i]);

		if (block)
			freeing->blocks[freeing->count++] = block;
		all &= block != NULL;
	}
	return all;
}

/* What the driver gave for the client's address; an address that is none of ours stays: it is told, not used. */
static void *driver_pointer(struct pl_cl_session *session, uint64_t address)
{
	struct pl_cl_svm_block *block = address ? pl_cl_svm_ref(session, address, 0) : NULL;
	void *pointer = block && block->address == address ? block->base : (void *)(uintptr_t)address;

	pl_cl_svm_unref(session, block);
	return pointer;
}

/* With a callback the driver frees nothing, but checks and orders the command. */
static int32_t free_enqueue(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMFree_args *args,
			    cl_command_queue queue, const struct pl_cl_waits *waits, cl_event *event)
{
	struct pl_cl_session *session = pl_cl_session_of(serve);
	uint64_t count = args->token ? 0 : args->addresses.count;
	pl_cleanup(pl_freep) void **pointers = calloc(args->addresses.count + 1, sizeof(*pointers));
	struct pl_cl_svm_freeing *freeing =
		pl_cl_job_new(session, sizeof(*freeing) + count * sizeof(freeing->blocks[0]), freeing_run);
	int32_t status;

	if (!freeing || !pointers) {
		pl_cl_job_free(session, freeing);
		return CL_OUT_OF_RESOURCES;
	}
	atomic_init(&freeing->refs, 2);
	freeing->session = session;
	freeing->token = args->token;
	for (uint64_t i = 0; i < args->addresses.count; i++)
		pointers[i] = driver_pointer(session, args->addresses.at[i]);
	/* Before the command can run. */
	if (count && !freeing_take(freeing, args->addresses))
		pl_log_info("clEnqueueSVMFree of memory that is not there");
	atomic_store_explicit(&session->answers_not, true, memory_order_relaxed);
	status = pl_cl.clEnqueueSVMFree(queue, (cl_uint)args->addresses.count, args->has_pointers ? pointers : NULL,
					freeing_reached, freeing, waits->count, waits->at, args->event ? event : NULL);
	if (!status)
		return CL_SUCCESS;
	for (uint32_t i = 0; i < freeing->count; i++)
		block_add(session, freeing->blocks[i]);
	pl_cl_job_free(session, freeing);
	return status;
}

void pl_cl_serve_clEnqueueSVMFree(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMFree_args *args)
{
	struct pl_cl_waits waits = { 0 };
	int32_t status = CL_SUCCESS;
	cl_event event = NULL;
	void *queue;

	if (!pl_cl.clSVMFree || !pl_cl.clEnqueueSVMFree)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, args->queue, PL_CL_KIND_queue, &queue, &status) &&
		 pl_cl_waits_take(serve, args->waits, &waits, &status)) {
		status = queue ? free_enqueue(serve, args, queue, &waits, &event) : CL_INVALID_COMMAND_QUEUE;
		pl_cl_waits_fini(&waits);
	}
	pl_cl_put_queue_event(serve, args->event, args->queue, event, status);
	pl_cl_result(serve, status, args->queue);
}

/* A command of shared virtual memory, its handles resolved. */
struct command {
	struct pl_serve *serve;
	struct pl_cl_session *session;
	cl_command_queue queue;
	uint64_t queue_id, event_id;
	struct pl_cl_waits waits;
	struct pl_cl_svm_block *from, *to; /* referenced */
};

static void command_end(struct command *command)
{
	pl_cl_svm_unref(command->session, command->from);
	pl_cl_svm_unref(command->session, command->to);
	pl_cl_waits_fini(&command->waits);
}

static void command_fail(struct command *command, int32_t status)
{
	pl_cl_put_queue_event(command->serve, command->event_id, command->queue_id, NULL, status);
	pl_cl_result(command->serve, status, command->queue_id);
	command_end(command);
}

/* Return: false: answered. */
static bool command_take(struct command *command, struct pl_serve *serve, uint64_t queue, struct pl_u64s waits,
			 uint64_t event)
{
	int32_t status = CL_SUCCESS;
	void *taken;

	*command = (struct command){
		.serve = serve,
		.session = pl_cl_session_of(serve),
		.queue_id = queue,
		.event_id = event,
	};
	if (!pl_cl.clEnqueueSVMMemcpy)
		status = CL_INVALID_OPERATION;
	else if (pl_cl_take(serve, queue, PL_CL_KIND_queue, &taken, &status) &&
		 pl_cl_waits_take(serve, waits, &command->waits, &status)) {
		command->queue = taken;
		status = taken ? CL_SUCCESS : CL_INVALID_COMMAND_QUEUE;
	}
	if (!status)
		return true;
	command_fail(command, status);
	return false;
}

/* The command was enqueued: enters a reference to its event. */
static void command_event(struct command *command, cl_event event)
{
	if (!command->event_id)
		return;
	pl_cl.clRetainEvent(event);
	pl_cl_put_queue_event(command->serve, command->event_id, command->queue_id, event, CL_SUCCESS);
}

/* Waits for the event, which it releases, and answers; at and bytes: what the reply carries. */
static void command_wait(struct command *command, cl_event event, const void *at, uint64_t bytes)
{
	struct pl_serve *serve = command->serve;
	int32_t status;

	command_event(command, event);
	pl_serve_give_turn(serve);
	status = pl_cl.clWaitForEvents(1, &event);
	if (status)
		pl_cl_withdraw_event(command->session, command->event_id);
	pl_cl.clReleaseEvent(event);
	pl_cl_sync(command->session);
	if (status)
		pl_serve_reply(serve, status);
	else
		pl_cl_reply_data(serve, CL_SUCCESS, at, bytes);
}

/* Data for the client when the event, which it releases, has ended.  owned: free()d afterwards; block: kept until then.
 * The call is charged inflight bytes where charged says so. */
static void command_later(struct command *command, cl_event event, uint64_t token, struct pl_cl_read *read,
			  const void *data, void *owned, uint64_t bytes, uint64_t charged)
{
	command_event(command, event);
	read->event = event;
	read->token = token;
	read->data = (void *)(uintptr_t)data;
	read->owned = owned;
	read->bytes = bytes;
	if (charged) {
		read->inflight_bytes = charged;
		pl_cl_charge_keep();
	}
	pl_cl_read_begin(read);
	pl_cl_result(command->serve, CL_SUCCESS, command->queue_id);
}

/* ---- copies ---- */

struct ends {
	void *dst, *src;
	void *owned_dst, *owned_src;
	struct pl_cl_read *read; /* how the client gets the data; NULL = with the reply, or not at all */
	bool host_dst, staged;
};

/* Where the copy reads and writes.  Return: CL_SUCCESS or a code. */
static int32_t ends_set(struct command *command, const struct pl_cl_clEnqueueSVMMemcpy_args *args, struct ends *ends)
{
	static uint64_t nowhere[2];
	struct pl_serve *serve = command->serve;
	struct pl_cl_view view;
	int32_t status;

	ends->host_dst = args->given & PL_CL_SVM_HOST_DST;
	if (!(args->given & PL_CL_SVM_GIVEN_DST) || !(args->given & PL_CL_SVM_GIVEN_SRC))
		return CL_INVALID_VALUE;
	if (args->given & PL_CL_SVM_HOST_SRC) {
		if (args->data.bytes != args->size)
			return CL_INVALID_VALUE;
		if (args->data.kind == PL_BULK_STREAM) {
			ends->src = ends->owned_src = pl_serve_steal_stream(serve);
		} else {
			status = pl_cl_view_take(serve, &args->data, false, &view);
			if (status)
				return status;
			ends->src = (void *)(uintptr_t)view.data;
			ends->owned_src = view.owned;
			if (args->data.kind == PL_BULK_INLINE && args->size) {
				ends->owned_src = malloc(args->size);
				if (!ends->owned_src)
					return CL_OUT_OF_HOST_MEMORY;
				ends->src = memcpy(ends->owned_src, view.data, args->size);
			}
		}
	} else {
		command->from = pl_cl_svm_ref(command->session, args->src, args->size);
		if (!command->from)
			return CL_INVALID_VALUE;
		ends->src = (void *)(uintptr_t)args->src;
	}
	if (ends->host_dst) {
		ends->staged = args->stage != PL_CL_STAGE_NONE;
		if (ends->staged)
			ends->dst = pl_cl_stage(command->session, args->stage, args->size);
		else if (args->blocking || args->token)
			ends->dst = ends->owned_dst = malloc(args->size + 1);
		if (!ends->dst)
			return ends->staged ? CL_INVALID_VALUE : CL_OUT_OF_HOST_MEMORY;
		if (!args->blocking && args->token) {
			ends->read = pl_cl_read_new(command->session);
			if (!ends->read)
				return CL_OUT_OF_RESOURCES;
		}
	} else {
		command->to = pl_cl_svm_ref(command->session, args->dst, args->size);
		if (!command->to)
			return CL_INVALID_VALUE;
		ends->dst = (void *)(uintptr_t)args->dst;
	}
	if (!args->size)
		ends->src = ends->src ? ends->src : nowhere;
	return CL_SUCCESS;
}

static bool ends_overlap(const struct ends *ends, uint64_t size)
{
	uintptr_t dst = (uintptr_t)ends->dst, src = (uintptr_t)ends->src;

	return (dst < src ? src - dst : dst - src) < size;
}

/* Enqueued, and nobody waits for it. */
static void copy_later(struct command *command, const struct pl_cl_clEnqueueSVMMemcpy_args *args, struct ends *ends,
		       cl_event event)
{
	if (ends->owned_src) {
		pl_cl_hold(command->session, event, pl_steal(ends->owned_src), args->size);
		pl_cl_charge_keep();
	}
	if (ends->read) {
		struct pl_cl_read *read = pl_steal(ends->read);
		void *data = pl_steal(ends->owned_dst);

		command_later(command, event, args->token, read, data, data, data ? args->size : 0,
			      data && !(args->given & PL_CL_SVM_HOST_SRC) ? args->size : 0);
		return;
	}
	if (ends->owned_dst)
		pl_cl_hold(command->session, event, pl_steal(ends->owned_dst), 0);
	command_event(command, event);
	pl_cl.clReleaseEvent(event);
	pl_cl_result(command->serve, CL_SUCCESS, command->queue_id);
}

void pl_cl_serve_clEnqueueSVMMemcpy(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMMemcpy_args *args)
{
	struct ends ends = { 0 };
	struct command command;
	cl_event event = NULL;
	bool refused = false;
	int32_t status;

	if (!command_take(&command, serve, args->queue, args->waits, args->event))
		return;
	status = ends_set(&command, args, &ends);
	if (!status) {
		/* What the driver will refuse gets no event of ours: PoCL 7.2 writes to one that it did not make. */
		refused = ends_overlap(&ends, args->size) && !args->event;
		status = pl_cl.clEnqueueSVMMemcpy(command.queue, CL_FALSE, ends.dst, ends.src, args->size,
						  command.waits.count, command.waits.at, refused ? NULL : &event);
	}
	if (status) {
		command_fail(&command, status);
	} else if (refused) { /* it did not */
		pl_cl_result(serve, args->blocking ? pl_cl.clFinish(command.queue) : CL_SUCCESS, args->queue);
		command_end(&command);
	} else if (args->blocking) {
		command_wait(&command, event, ends.dst, ends.host_dst && !ends.staged ? args->size : 0);
		command_end(&command);
	} else {
		copy_later(&command, args, &ends, event);
		command_end(&command);
	}
	pl_cl_read_drop(ends.read);
	free(ends.owned_src);
	free(ends.owned_dst);
}

void pl_cl_serve_clEnqueueSVMMemFill(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMMemFill_args *args)
{
	struct command command;
	cl_event event = NULL;
	int32_t status = CL_INVALID_VALUE;

	if (!command_take(&command, serve, args->queue, args->waits, args->event))
		return;
	command.to = pl_cl_svm_ref(command.session, args->address, args->size);
	if (command.to && args->pattern.bytes == args->pattern_size && args->pattern_size)
		status = pl_cl.clEnqueueSVMMemFill(command.queue, (void *)(uintptr_t)args->address, args->pattern.at,
						   args->pattern_size, args->size, command.waits.count,
						   command.waits.at, args->event ? &event : NULL);
	pl_cl_put_queue_event(serve, args->event, args->queue, event, status);
	pl_cl_result(serve, status, args->queue);
	command_end(&command);
}

/* ---- maps ---- */

void pl_cl_serve_clEnqueueSVMMap(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMMap_args *args)
{
	void *at = (void *)(uintptr_t)args->address;
	struct pl_cl_read *read = NULL;
	struct command command;
	cl_event event = NULL;
	int32_t status = CL_INVALID_VALUE;
	bool moves;

	if (!command_take(&command, serve, args->queue, args->waits, args->event))
		return;
	command.from = pl_cl_svm_ref(command.session, args->address, args->size);
	moves = command.from && !command.from->shared && !(args->flags & CL_MAP_WRITE_INVALIDATE_REGION) &&
		args->flags & (CL_MAP_READ | CL_MAP_WRITE);
	if (moves && args->token && !args->blocking) {
		read = pl_cl_read_new(command.session);
		if (!read) {
			command_fail(&command, CL_OUT_OF_RESOURCES);
			return;
		}
	}
	if (command.from)
		status = pl_cl.clEnqueueSVMMap(command.queue, CL_FALSE, args->flags, at, args->size,
					       command.waits.count, command.waits.at, &event);
	if (status) {
		pl_cl_read_drop(read);
		command_fail(&command, status);
		return;
	}
	if (args->blocking) {
		command_wait(&command, event, at, moves ? args->size : 0);
		command_end(&command);
		return;
	}
	if (read) {
		read->block = command.from;
		command.from = NULL;
		command_later(&command, event, args->token, read, at, NULL, args->size, 0);
	} else {
		command_event(&command, event);
		pl_cl.clReleaseEvent(event);
		pl_cl_result(serve, CL_SUCCESS, command.queue_id);
	}
	command_end(&command);
}

void pl_cl_serve_clEnqueueSVMUnmap(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMUnmap_args *args)
{
	void *at = (void *)(uintptr_t)args->address;
	struct pl_cl_view view;
	struct command command;
	cl_event event = NULL;
	int32_t status = CL_INVALID_VALUE;

	if (!command_take(&command, serve, args->queue, args->waits, args->event))
		return;
	command.to = pl_cl_svm_ref(command.session, args->address, args->data.bytes);
	if (command.to)
		status = pl_cl_view_take(serve, &args->data, false, &view);
	if (!status) {
		if (view.bytes && !command.to->shared)
			memcpy(at, view.data, view.bytes);
		pl_cl_view_fini(&view);
		status = pl_cl.clEnqueueSVMUnmap(command.queue, at, command.waits.count, command.waits.at,
						 args->event ? &event : NULL);
	}
	pl_cl_put_queue_event(serve, args->event, args->queue, event, status);
	pl_cl_result(serve, status, args->queue);
	command_end(&command);
}

void pl_cl_serve_clEnqueueSVMMigrateMem(struct pl_serve *serve, const struct pl_cl_clEnqueueSVMMigrateMem_args *args)
{
	struct command command;
	cl_event event = NULL;
	int32_t status = CL_SUCCESS;

	if (!command_take(&command, serve, args->queue, args->waits, args->event))
		return;
	if (!pl_cl.clEnqueueSVMMigrateMem)
		status = CL_INVALID_OPERATION;
	else if (!args->addresses.count || (args->has_sizes && args->sizes.count != args->addresses.count))
		status = CL_INVALID_VALUE;
	for (uint64_t i = 0; i < args->addresses.count && !status; i++)
		if (!pl_cl_svm_holds(command.session, args->addresses.at[i], args->has_sizes ? args->sizes.at[i] : 0))
			status = CL_INVALID_VALUE;
	static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "addresses and sizes are passed on as they came");
	if (!status)
		status = pl_cl.clEnqueueSVMMigrateMem(
			command.queue, (cl_uint)args->addresses.count, (const void **)(uintptr_t)args->addresses.at,
			args->has_sizes ? (const size_t *)args->sizes.at : NULL, args->flags, command.waits.count,
			command.waits.at, args->event ? &event : NULL);
	pl_cl_put_queue_event(serve, args->event, args->queue, event, status);
	pl_cl_result(serve, status, args->queue);
	command_end(&command);
}
